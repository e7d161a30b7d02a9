//! HDF5 (`.h5`, `.hdf5`): named datasets, also in groups; a dataset is read whole.

use std::path::Path;
use std::sync::Arc;

use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::{Datatype, Hdf5File};

use super::stored::{Bytes, Order, StoredArray, Value};
use super::{ArrayError, ArrayFormat, Listed, malformed};
use crate::error::FileError;

const NAME: &str = ".h5";

/// Groups within groups that are looked into: links can form circles.
const DEEPEST: usize = 8;

pub(super) const FORMAT: ArrayFormat = ArrayFormat { endings: &["h5", "hdf5"], list, open };

fn file(path: &Path) -> Result<Hdf5File, ArrayError> {
    Hdf5File::open(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: Error) -> ArrayError {
    match error {
        Error::Io(source) => FileError::at(path)(source).into(),
        error => malformed(path, NAME, error),
    }
}

fn list(path: &Path) -> Result<Vec<Listed>, ArrayError> {
    let mut listed = Vec::new();
    let root = file(path)?.root_group();
    root.and_then(|root| walk(&root, "", DEEPEST, &mut listed)).map_err(|error| unreadable(path, error))?;
    Ok(listed)
}

/// Lists the datasets of a group and of those below it.
fn walk(group: &Group, prefix: &str, depth: usize, listed: &mut Vec<Listed>) -> Result<(), Error> {
    let (groups, datasets) = group.members()?;
    listed.extend(datasets.iter().map(|dataset| Listed {
        name: format!("{prefix}{}", dataset.name()),
        float: matches!(dataset.dtype(), Datatype::FloatingPoint { size: 4 | 8, .. }),
    }));
    if depth > 0 {
        groups.iter().try_for_each(|group| walk(group, &format!("{prefix}{}/", group.name()), depth - 1, listed))?;
    }
    Ok(())
}

fn open(path: &Path, names: &[&str]) -> Result<Vec<StoredArray>, ArrayError> {
    let file = file(path)?;
    names.iter().map(|name| read(path, &file, name)).collect()
}

fn read(path: &Path, file: &Hdf5File, name: &str) -> Result<StoredArray, ArrayError> {
    let dataset = file.dataset(name).map_err(|error| unreadable(path, error))?;
    let double = match dataset.dtype() {
        Datatype::FloatingPoint { size: 4, .. } => false,
        Datatype::FloatingPoint { size: 8, .. } => true,
        other => return Err(ArrayError::NotFloat { path: path.into(), found: format!("{other:?}") }),
    };
    let bytes = dataset.read_native_bytes().map_err(|error| unreadable(path, error))?;
    let shape = dataset.shape().iter().map(|&axis| axis as usize).collect();
    let length = bytes.len();
    StoredArray::new(path, shape, Order::C, Value::native(double), Arc::new(Bytes::Held(bytes)), 0..length)
}

/// The text of an attribute of the file's root, if it has one of that name.
///
/// # Errors
/// A file that cannot be read or is malformed.
pub fn text_attribute(path: &Path, name: &str) -> Result<Option<String>, ArrayError> {
    let root = file(path)?.root_group().map_err(|error| unreadable(path, error))?;
    match root.attribute(name) {
        Ok(attribute) => attribute.read_string().map(Some).map_err(|error| unreadable(path, error)),
        Err(Error::AttributeNotFound(_)) => Ok(None),
        Err(error) => Err(unreadable(path, error)),
    }
}
