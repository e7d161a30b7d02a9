//! An array as it lies in a file: bytes, type and strides, decoded where it is read.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;

use super::ArrayError;
use crate::error::FileError;

/// An array of f32 or f64, in a mapped file or in memory.
pub struct StoredArray {
    path: PathBuf,
    shape: Vec<usize>,
    /// Values from one index of an axis to the next.
    strides: Vec<usize>,
    value: Value,
    bytes: Arc<Bytes>,
    /// Where the array's bytes are.
    range: Range<usize>,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// f64 rather than f32.
    pub double: bool,
    pub big_endian: bool,
}

/// Which axis runs fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The last one.
    C,
    /// The first one.
    Fortran,
}

/// Where an array's bytes lie.
pub(super) enum Bytes {
    /// In a file: read by the operating system as they are looked at.
    Mapped(Mmap),
    /// In memory: unpacked, or decoded.
    Held(Vec<u8>),
}

impl Bytes {
    /// Maps a file.
    pub fn map(path: &Path) -> Result<Self, FileError> {
        let file = File::open(path).map_err(FileError::at(path))?;
        // SAFETY: the map is only read. A file that another program shortens meanwhile ends this program, as it would
        // end any reader of a map.
        let map = unsafe { Mmap::map(&file) }.map_err(FileError::at(path))?;
        Ok(Self::Mapped(map))
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Held(bytes) => bytes,
        }
    }
}

impl Value {
    /// Native-endian f32 or f64.
    pub fn native(double: bool) -> Self {
        Self { double, big_endian: cfg!(target_endian = "big") }
    }

    fn bytes(self) -> usize {
        if self.double { 8 } else { 4 }
    }
}

impl StoredArray {
    /// The array of `shape` whose values fill `range` of `bytes`.
    ///
    /// # Errors
    /// [`ArrayError::Length`] if they do not: a header can promise more than any file holds.
    pub(super) fn new(
        path: &Path,
        shape: Vec<usize>,
        order: Order,
        value: Value,
        bytes: Arc<Bytes>,
        range: Range<usize>,
    ) -> Result<Self, ArrayError> {
        let expected = shape.iter().fold(value.bytes() as u128, |bytes, &axis| bytes.saturating_mul(axis as u128));
        let found = range.len() as u64;
        if expected != u128::from(found) || range.end > bytes.len() {
            return Err(ArrayError::Length { path: path.into(), shape, expected, found });
        }
        let mut strides = vec![1; shape.len()];
        match order {
            Order::C => (1..shape.len()).rev().for_each(|axis| strides[axis - 1] = strides[axis] * shape[axis]),
            Order::Fortran => (1..shape.len()).for_each(|axis| strides[axis] = strides[axis - 1] * shape[axis - 1]),
        }
        Ok(Self { path: path.into(), shape, strides, value, bytes, range })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether the values are f64 rather than f32.
    pub fn is_double(&self) -> bool {
        self.value.double
    }

    /// All values, the last axis running fastest.
    pub fn values(&self) -> Vec<f64> {
        let mut values = vec![0.0; self.shape.iter().product()];
        self.read(0, 0, 0, &mut values);
        values
    }

    /// Values `first..first + values.len()` of vector `row`, where the first `leading` axes number the vectors and the
    /// others a vector's values, the last axis of either running fastest.
    ///
    /// # Panics
    /// If there are no such vectors or values.
    pub fn read(&self, leading: usize, row: usize, first: usize, values: &mut [f64]) {
        let (outer, inner) = self.shape.split_at(leading);
        assert!(first + values.len() <= inner.iter().product(), "values of a vector of shape {inner:?}");
        assert!(row < outer.iter().product(), "a row of {outer:?}");
        let start = place(row, outer, &self.strides[..leading]);
        let strides = &self.strides[leading..];
        let contiguous = inner
            .iter()
            .zip(strides)
            .rev()
            .try_fold(1, |step, (&axis, &stride)| (axis == 1 || stride == step).then_some(step * axis));
        if contiguous.is_some() {
            self.decode(start + first, values);
            return;
        }
        let mut index = unravel(first, inner);
        for value in values {
            let offset: usize = index.iter().zip(strides).map(|(i, stride)| i * stride).sum();
            self.decode(start + offset, std::slice::from_mut(value));
            advance(&mut index, inner);
        }
    }

    /// The values that lie at `start` and after it.
    fn decode(&self, start: usize, values: &mut [f64]) {
        let size = self.value.bytes();
        let bytes = &self.bytes[self.range.clone()][start * size..][..values.len() * size];
        match (self.value.double, self.value.big_endian) {
            (false, false) => decode(bytes, values, |bytes| f32::from_le_bytes(bytes).into()),
            (false, true) => decode(bytes, values, |bytes| f32::from_be_bytes(bytes).into()),
            (true, false) => decode(bytes, values, f64::from_le_bytes),
            (true, true) => decode(bytes, values, f64::from_be_bytes),
        }
    }
}

fn decode<const N: usize>(bytes: &[u8], values: &mut [f64], value: impl Fn([u8; N]) -> f64) {
    values.iter_mut().zip(bytes.as_chunks().0).for_each(|(to, &bytes)| *to = value(bytes));
}

/// The index along each axis of the `n`-th entry, the last axis running fastest.
fn unravel(n: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    shape.iter().enumerate().rev().fold(n, |rest, (axis, &length)| {
        index[axis] = rest % length;
        rest / length
    });
    index
}

fn place(n: usize, shape: &[usize], strides: &[usize]) -> usize {
    unravel(n, shape).iter().zip(strides).map(|(i, stride)| i * stride).sum()
}

fn advance(index: &mut [usize], shape: &[usize]) {
    for (i, &length) in index.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < length {
            return;
        }
        *i = 0;
    }
}
