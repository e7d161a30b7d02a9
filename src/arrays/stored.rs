//! An array as it lies in a file: bytes, type and strides, decoded where it is read.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ArrayError;
use crate::checksum;
use crate::error::FileError;
use crate::files;
use crate::numbers::{Kind, Value};

/// What a file says of the rows and columns of an array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// Names of the rows, from every place that has any.
    pub rows: Vec<Vec<String>>,
    /// Names of the columns.
    pub columns: Option<Vec<String>>,
    /// The columns of text that stand at the rows of a table.
    pub texts: Vec<Vec<String>>,
    /// Whether they stand at the rows and columns; else they are any texts of the file, which may name something else.
    pub placed: bool,
    /// Lists that are not read although they may be names.
    pub unread: Vec<Unread>,
    /// The first cell without a value: line and column from 1, and what stands there.
    pub missing: Option<(u64, usize, String)>,
}

/// A list in a file that may be of texts and is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The list.
    pub name: String,
    /// Its places.
    pub length: usize,
    /// What it is, and what makes a list of texts of it.
    pub why: &'static str,
}

/// What is said of a list of whole numbers beside an array: they may number anything.
pub(super) const NUMBERS: &str =
    "whole numbers, which may be of groups or classes; if they are names, save them as text";

impl Labels {
    /// What is to be said of a list of so many places that is not read.
    pub fn unread(&self, length: usize) -> Option<&Unread> {
        self.unread.iter().find(|list| list.length == length)
    }
}

/// The length of a list: of `[n]`, `[n, 1]` and `[1, n]`.
pub(super) fn list_length(shape: impl IntoIterator<Item = u64>) -> Option<usize> {
    let shape: Vec<u64> = shape.into_iter().collect();
    let long = shape.iter().filter(|&&axis| axis != 1).count();
    let length = shape.iter().try_fold(1_u64, |length, &axis| length.checked_mul(axis))?;
    (1..=2)
        .contains(&shape.len())
        .then_some(length)
        .filter(|_| long <= 1)
        .and_then(|length| usize::try_from(length).ok())
}

/// Whether values stand along one axis at most.
pub(super) fn is_list(shape: impl IntoIterator<Item = u64>) -> bool {
    let shape: Vec<u64> = shape.into_iter().collect();
    shape.is_empty() || list_length(shape).is_some()
}

/// An array of numbers, in a file or in memory. Two are the same if they are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredArray {
    path: PathBuf,
    /// Whether the path is of a file, and no name for an array of the caller's.
    filed: bool,
    /// Its name among several of the file.
    name: Option<String>,
    shape: Vec<usize>,
    /// Values from one index of an axis to the next.
    strides: Vec<usize>,
    value: Value,
    bytes: Arc<Bytes>,
    /// Where the array's bytes are.
    range: Range<usize>,
    /// Shared by all arrays of the file.
    labels: Arc<Labels>,
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
    /// In a file of so many bytes: read as they are asked for.
    InFile(File, usize),
    /// In memory: unpacked, decoded, or the caller's.
    Held(bytes::Bytes),
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

impl PartialEq for Bytes {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Bytes {}

impl Bytes {
    /// The whole of an open file.
    pub fn of(path: &Path, file: File) -> Result<Self, FileError> {
        let length = file.metadata().map_err(FileError::at(path))?.len();
        Ok(Self::InFile(file, usize::try_from(length).unwrap_or(usize::MAX)))
    }

    pub fn len(&self) -> usize {
        match self {
            Self::InFile(_, length) => *length,
            Self::Held(bytes) => bytes.len(),
        }
    }

    /// Copies what lies at `start`.
    fn copy(&self, start: usize, to: &mut [u8]) -> io::Result<()> {
        match self {
            Self::InFile(file, _) => files::read_at(file, start as u64, to),
            Self::Held(bytes) => {
                to.copy_from_slice(&bytes[start..][..to.len()]);
                Ok(())
            }
        }
    }
}

/// The bytes of a range from the first.
pub(super) struct Reading<'a> {
    pub bytes: &'a Bytes,
    pub range: Range<usize>,
}

impl Read for Reading<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(self.range.len());
        self.bytes.copy(self.range.start, &mut buffer[..count])?;
        self.range.start += count;
        Ok(count)
    }
}

impl StoredArray {
    /// The array of `shape` whose values fill `range` of `bytes`.
    ///
    /// # Errors
    /// [`ArrayError::Length`] if they do not: a header can promise more than any file holds. [`ArrayError::Empty`] if there
    /// are none along axes of any length.
    pub(super) fn new(
        path: &Path,
        shape: Vec<usize>,
        order: Order,
        value: Value,
        bytes: Arc<Bytes>,
        range: Range<usize>,
    ) -> Result<Self, ArrayError> {
        let expected = shape.iter().fold(value.bytes as u128, |bytes, &axis| bytes.saturating_mul(axis as u128));
        let found = range.len() as u64;
        if expected != u128::from(found) || range.end > bytes.len() {
            return Err(ArrayError::Length { path: path.into(), shape, expected, found });
        }
        refuse_endless(path, &shape)?;
        let mut strides = vec![1; shape.len()];
        match order {
            Order::C => (1..shape.len()).rev().for_each(|axis| strides[axis - 1] = strides[axis] * shape[axis]),
            Order::Fortran => (1..shape.len()).for_each(|axis| strides[axis] = strides[axis - 1] * shape[axis - 1]),
        }
        let labels = Arc::default();
        let array = Self { path: path.into(), filed: true, name: None, shape, strides, value, bytes, range, labels };
        if order == Order::Fortran && array.shape.len() > 1 { array.held() } else { Ok(array) }
    }

    /// The array with its bytes in memory: its vectors are read across them.
    fn held(mut self) -> Result<Self, ArrayError> {
        if let Bytes::InFile(..) = *self.bytes {
            let mut held = vec![0; self.range.len()];
            self.bytes.copy(self.range.start, &mut held).map_err(FileError::at(&self.path))?;
            self.range = 0..held.len();
            self.bytes = Arc::new(Bytes::Held(held.into()));
        }
        Ok(self)
    }

    /// The same of the caller's memory, of which `called` is a name for messages.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn lent(called: &str, shape: &[usize], value: Value, bytes: bytes::Bytes) -> Result<Self, ArrayError> {
        let range = 0..bytes.len();
        let held = Arc::new(Bytes::Held(bytes));
        Ok(Self { filed: false, ..Self::new(Path::new(called), shape.to_vec(), Order::C, value, held, range)? })
    }

    /// The array with its name among several of the file.
    pub(super) fn named(self, name: &str) -> Self {
        Self { name: (!name.is_empty()).then(|| name.to_string()), ..self }
    }

    /// The array with what its file says of it.
    pub(crate) fn labelled(self, labels: impl Into<Arc<Labels>>) -> Self {
        Self { labels: labels.into(), ..self }
    }

    /// The array with its axes in the opposite order.
    ///
    /// # Errors
    /// The file cannot be read, or not be held.
    pub fn transposed(mut self) -> Result<Self, ArrayError> {
        self.shape.reverse();
        self.strides.reverse();
        // Any texts of a file may be the names of what the rows have become.
        if self.labels.placed {
            let mut labels = Arc::unwrap_or_clone(self.labels);
            let columns = labels.rows.into_iter().next();
            labels.rows = std::mem::replace(&mut labels.columns, columns).into_iter().collect();
            self.labels = labels.into();
        }
        self.held()
    }

    /// What the file says of rows and columns.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The file, or the name of an array of the caller's: what messages begin with.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name, where it is one of several of the file or was asked for by name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The file, if it is in one: other files may stand beside it.
    pub fn file(&self) -> Option<&Path> {
        self.filed.then_some(&self.path)
    }

    /// SHA-256 of the caller's values as they lie in memory, of a file's its own.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn checksum(&self) -> Result<String, FileError> {
        match &*self.bytes {
            Bytes::Held(bytes) if !self.filed => Ok(checksum::of_bytes(&bytes[self.range.clone()])),
            _ => checksum::sha256(&self.path),
        }
    }

    /// Length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether the values are floats.
    pub fn is_float(&self) -> bool {
        self.value.is_float()
    }

    /// Whether the values are exact to more than f32: f64, or whole numbers.
    pub fn is_double(&self) -> bool {
        match self.value.kind {
            Kind::Float => self.value.bytes == 8,
            Kind::Brain => false,
            Kind::Signed | Kind::Unsigned => true,
        }
    }

    /// The type of the values: `f32`.
    pub fn type_name(&self) -> String {
        self.value.name()
    }

    /// All values, the last axis running fastest.
    ///
    /// # Errors
    /// The file cannot be read, or is no longer what it was.
    pub fn values(&self) -> Result<Vec<f64>, FileError> {
        let mut values = vec![0.0; self.shape.iter().product()];
        self.read(0, 0, 0, &mut values)?;
        Ok(values)
    }

    /// Values `first..first + values.len()` of vector `row`, where the first `leading` axes number the vectors and the
    /// others a vector's values, the last axis of either running fastest.
    ///
    /// # Errors
    /// As [`Self::values`].
    ///
    /// # Panics
    /// If there are no such vectors or values.
    pub fn read(&self, leading: usize, row: usize, first: usize, values: &mut [f64]) -> Result<(), FileError> {
        let (outer, inner) = self.shape.split_at(leading);
        assert!(first + values.len() <= inner.iter().product(), "values of a vector of shape {inner:?}");
        assert!(row < outer.iter().product(), "a row of {outer:?}");
        if values.is_empty() {
            return Ok(());
        }
        let start = place(row, outer, &self.strides[..leading]);
        let strides = &self.strides[leading..];
        let contiguous = inner
            .iter()
            .zip(strides)
            .rev()
            .try_fold(1, |step, (&axis, &stride)| (axis == 1 || stride == step).then_some(step * axis));
        if contiguous.is_some() {
            return self.decode(start + first, values);
        }
        let Bytes::Held(bytes) = &*self.bytes else {
            unreachable!("what is not in C order is held as soon as it is made");
        };
        let mut index = unravel(first, inner);
        for value in values {
            let offset: usize = index.iter().zip(strides).map(|(i, stride)| i * stride).sum();
            let at = self.range.start + (start + offset) * self.value.bytes;
            self.value.decode(&bytes[at..][..self.value.bytes], std::slice::from_mut(value));
            advance(&mut index, inner);
        }
        Ok(())
    }

    /// The values that lie at `start` and after it.
    fn decode(&self, start: usize, values: &mut [f64]) -> Result<(), FileError> {
        let size = self.value.bytes;
        let start = self.range.start + start * size;
        match &*self.bytes {
            Bytes::Held(bytes) => self.value.decode(&bytes[start..][..values.len() * size], values),
            Bytes::InFile(file, _) => {
                self.value.read(file, start as u64, values).map_err(FileError::at(&self.path))?;
            }
        }
        Ok(())
    }
}

/// An array without values may announce any length of its other axes.
pub(super) fn refuse_endless(path: &Path, shape: &[usize]) -> Result<(), ArrayError> {
    let others = shape.iter().filter(|&&axis| axis != 0).fold(1, |product: usize, &axis| product.saturating_mul(axis));
    if shape.contains(&0) && others > 1 << 20 {
        return Err(ArrayError::Empty { path: path.into(), shape: shape.to_vec() });
    }
    Ok(())
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
