//! `.safetensors`: named arrays, read where they lie.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ::safetensors::Dtype;
use ::safetensors::tensor::Metadata;

use super::stored::{Bytes, Kind, Order, StoredArray, Value};
use super::{ArrayError, ArrayFormat, Listed, Told, malformed};
use crate::error::FileError;
use crate::files::{self, SafetensorsError};

const NAME: &str = ".safetensors";

pub(super) const FORMAT: ArrayFormat = ArrayFormat { endings: &["safetensors"], list, open };

/// The tensors of a file, and where their values start.
fn header(path: &Path, file: &File) -> Result<(Metadata, usize), ArrayError> {
    let (metadata, start) = files::safetensors(file).map_err(|error| match error {
        SafetensorsError::Io(error) => FileError::at(path)(error).into(),
        error => malformed(path, NAME, error),
    })?;
    Ok((metadata, start as usize))
}

fn list(path: &Path) -> Result<Vec<Listed>, ArrayError> {
    let file = files::open(path).map_err(FileError::at(path))?;
    let (metadata, _) = header(path, &file)?;
    let tensors = metadata.tensors();
    let listed = |name: String| {
        let value = value(tensors[&name].dtype);
        Listed { name, float: value.is_some_and(Value::is_float), number: value.is_some() }
    };
    Ok(metadata.offset_keys().into_iter().map(listed).collect())
}

/// The type of the values, if they are real numbers.
fn value(dtype: Dtype) -> Option<Value> {
    let kind = match dtype {
        Dtype::F16 | Dtype::F32 | Dtype::F64 => Kind::Float,
        Dtype::BF16 => Kind::Brain,
        Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => Kind::Signed,
        Dtype::BOOL | Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => Kind::Unsigned,
        _ => return None,
    };
    Value::new(kind, dtype.bitsize() / 8, false)
}

fn open(path: &Path, names: &[&str], _: &Told) -> Result<Vec<StoredArray>, ArrayError> {
    let file = files::open(path).map_err(FileError::at(path))?;
    let (metadata, start) = header(path, &file)?;
    let bytes = Arc::new(Bytes::of(path, file)?);
    let open = |name: &&str| {
        let tensor = metadata.info(name).ok_or_else(|| malformed(path, NAME, format!("no tensor {name}")))?;
        let found = || ArrayError::NotNumbers { path: path.into(), found: tensor.dtype.to_string() };
        let value = value(tensor.dtype).ok_or_else(found)?;
        let (begin, end) = tensor.data_offsets;
        StoredArray::new(path, tensor.shape.clone(), Order::C, value, bytes.clone(), start + begin..start + end)
    };
    names.iter().map(open).collect()
}
