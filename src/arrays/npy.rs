//! NumPy's `.npy`: one array, unnamed.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use npyz::{DType, NpyHeader, WriterBuilder};

use super::stored::{Bytes, Order, Reading, StoredArray};
use super::{ArrayError, ArrayFormat, Listed, malformed};
use crate::error::FileError;
use crate::files;
use crate::numbers::Value;
use crate::results::write_atomically;

pub(super) const FORMAT: ArrayFormat = ArrayFormat {
    endings: &["npy"],
    list: |_| Ok(vec![Listed { name: String::new(), float: true, number: true, list: false }]),
    open: |path, _, _| Ok(vec![open(path)?]),
};

pub(super) fn open(path: &Path) -> Result<StoredArray, ArrayError> {
    let file = files::open(path).map_err(FileError::at(path))?;
    let bytes = Arc::new(Bytes::of(path, file)?);
    let whole = 0..bytes.len();
    decode(path, ".npy", bytes, whole)
}

/// The array whose header and data fill `range`: any real numbers, either byte order, C or Fortran order.
pub(super) fn decode(
    path: &Path,
    format: &'static str,
    bytes: Arc<Bytes>,
    range: Range<usize>,
) -> Result<StoredArray, ArrayError> {
    let mut reader = Reading { bytes: &bytes, range };
    let checked = files::npy(&mut reader).and_then(NpyHeader::from_reader);
    let header = checked.map_err(|reason| malformed(path, format, reason))?;
    let data = reader.range;
    let value = value(&header).ok_or_else(|| not_numbers(path, &header))?;
    let order = match header.order() {
        npyz::Order::C => Order::C,
        npyz::Order::Fortran => Order::Fortran,
    };
    let shape = header.shape().iter().map(|&axis| axis as usize).collect();
    StoredArray::new(path, shape, order, value, bytes, data)
}

/// An array of the caller's memory in C order; `called` is its name in messages, `kind` its values' as NumPy's
/// `__array_interface__` spells it: `<f4`.
///
/// # Errors
/// Values of another type than real numbers of 8 to 64 bits; bytes that do not fill the shape.
pub fn lent(called: &str, shape: &[usize], kind: &str, bytes: bytes::Bytes) -> Result<StoredArray, ArrayError> {
    let value = kind.parse().ok().and_then(|plain| Value::of_numpy(&plain));
    let value = value.ok_or_else(|| ArrayError::NotNumbers { path: called.into(), found: kind.to_string() })?;
    StoredArray::lent(called, shape, value, bytes)
}

/// The type of the values, if they are real numbers.
pub(super) fn value(header: &NpyHeader) -> Option<Value> {
    let DType::Plain(plain) = header.dtype() else { return None };
    Value::of_numpy(&plain)
}

fn not_numbers(path: &Path, header: &NpyHeader) -> ArrayError {
    ArrayError::NotNumbers { path: path.into(), found: header.dtype().descr() }
}

/// Writes `values` (last axis fastest) as NumPy's `.npy`: version 1.0, `<f8`, C order.
///
/// # Panics
/// If `values` does not fill `shape`.
pub fn write_npy(path: &Path, shape: &[usize], values: &[f64]) -> Result<(), FileError> {
    write_atomically(path, |file| encode(file, shape, values))
}

/// [`write_npy`] into an open file.
pub(super) fn encode(file: &mut dyn std::io::Write, shape: &[usize], values: &[f64]) -> std::io::Result<()> {
    assert_eq!(values.len(), shape.iter().product::<usize>(), "values fill the shape {shape:?}");
    let shape: Vec<u64> = shape.iter().map(|&axis| axis as u64).collect();
    let mut array = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd()?;
    array.extend(values.iter().copied())?;
    array.finish()
}
