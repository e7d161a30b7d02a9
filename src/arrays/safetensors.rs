//! `.safetensors`: named arrays, read where they lie.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use ::safetensors::tensor::Metadata;

use super::stored::{Bytes, Order, StoredArray, is_list};
use super::{ArrayError, ArrayFormat, Listed, Told, malformed};
use crate::error::FileError;
use crate::files::{self, SafetensorsError};
use crate::numbers::Value;

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
        let value = Value::of_safetensors(tensors[&name].dtype);
        let list = is_list(tensors[&name].shape.iter().map(|&axis| axis as u64));
        Listed { name, float: value.is_some_and(Value::is_float), number: value.is_some(), list }
    };
    Ok(metadata.offset_keys().into_iter().map(listed).collect())
}

fn open(path: &Path, names: &[&str], _: &Told) -> Result<Vec<StoredArray>, ArrayError> {
    let file = files::open(path).map_err(FileError::at(path))?;
    let (metadata, start) = header(path, &file)?;
    let bytes = Arc::new(Bytes::of(path, file)?);
    let open = |name: &&str| {
        let tensor = metadata.info(name).ok_or_else(|| malformed(path, NAME, format!("no tensor {name}")))?;
        let found = || ArrayError::NotNumbers { path: path.into(), found: tensor.dtype.to_string() };
        let value = Value::of_safetensors(tensor.dtype).ok_or_else(found)?;
        let (begin, end) = tensor.data_offsets;
        StoredArray::new(path, tensor.shape.clone(), Order::C, value, bytes.clone(), start + begin..start + end)
    };
    names.iter().map(open).collect()
}
