//! `.safetensors`: named arrays, mapped.

use std::path::Path;
use std::sync::Arc;

use ::safetensors::{Dtype, SafeTensors};

use super::stored::{Bytes, Order, StoredArray, Value};
use super::{ArrayError, ArrayFormat, Listed, malformed};

const NAME: &str = ".safetensors";

pub(super) const FORMAT: ArrayFormat = ArrayFormat { endings: &["safetensors"], list, open };

fn list(path: &Path) -> Result<Vec<Listed>, ArrayError> {
    let bytes = Bytes::map(path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|reason| malformed(path, NAME, reason))?;
    let listed = |(name, tensor): (&str, ::safetensors::tensor::TensorView)| Listed {
        name: name.to_string(),
        float: matches!(tensor.dtype(), Dtype::F32 | Dtype::F64),
    };
    Ok(tensors.iter().map(listed).collect())
}

fn open(path: &Path, names: &[&str]) -> Result<Vec<StoredArray>, ArrayError> {
    let bytes = Arc::new(Bytes::map(path)?);
    let tensors = SafeTensors::deserialize(&bytes).map_err(|reason| malformed(path, NAME, reason))?;
    let open = |name: &&str| {
        let tensor = tensors.tensor(name).map_err(|reason| malformed(path, NAME, reason))?;
        let double = match tensor.dtype() {
            Dtype::F32 => false,
            Dtype::F64 => true,
            other => return Err(ArrayError::NotFloat { path: path.into(), found: other.to_string() }),
        };
        let start = tensor.data().as_ptr() as usize - bytes.as_ptr() as usize;
        let (range, value) = (start..start + tensor.data().len(), Value { double, big_endian: false });
        StoredArray::new(path, tensor.shape().to_vec(), Order::C, value, bytes.clone(), range)
    };
    names.iter().map(open).collect()
}
