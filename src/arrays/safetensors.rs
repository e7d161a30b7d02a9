//! `.safetensors`: named arrays, mapped.

use std::path::Path;
use std::sync::Arc;

use ::safetensors::{Dtype, SafeTensors};

use super::stored::{Bytes, Kind, Order, StoredArray, Value};
use super::{ArrayError, ArrayFormat, Listed, Told, malformed};

const NAME: &str = ".safetensors";

pub(super) const FORMAT: ArrayFormat = ArrayFormat { endings: &["safetensors"], list, open };

fn list(path: &Path) -> Result<Vec<Listed>, ArrayError> {
    let bytes = Bytes::map(path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|reason| malformed(path, NAME, reason))?;
    let listed = |(name, tensor): (&str, ::safetensors::tensor::TensorView)| Listed {
        name: name.to_string(),
        float: value(tensor.dtype()).is_some_and(Value::is_float),
        number: value(tensor.dtype()).is_some(),
    };
    Ok(tensors.iter().map(listed).collect())
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
    let bytes = Arc::new(Bytes::map(path)?);
    let tensors = SafeTensors::deserialize(&bytes).map_err(|reason| malformed(path, NAME, reason))?;
    let open = |name: &&str| {
        let tensor = tensors.tensor(name).map_err(|reason| malformed(path, NAME, reason))?;
        let found = || ArrayError::NotNumbers { path: path.into(), found: tensor.dtype().to_string() };
        let value = value(tensor.dtype()).ok_or_else(found)?;
        let start = tensor.data().as_ptr() as usize - bytes.as_ptr() as usize;
        let range = start..start + tensor.data().len();
        StoredArray::new(path, tensor.shape().to_vec(), Order::C, value, bytes.clone(), range)
    };
    names.iter().map(open).collect()
}
