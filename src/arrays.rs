//! Arrays in files. Read: `.npy` and `.safetensors` (memory-mapped), `.npz`, `.h5`, text. Written: the same.
//!
//! To read a format more: one file that exports an [`ArrayFormat`], and its line in [`FORMATS`].

mod hdf5;
mod npy;
mod npz;
mod safetensors;
mod stored;
mod text;
mod write;

use std::path::{Path, PathBuf};

use crate::error::FileError;

pub use hdf5::text_attribute;
pub use npy::write_npy;
pub use stored::StoredArray;
pub use write::{CORRELATION_DISTANCE, DISSIMILARITIES, RsmFile, RsmsOut, WriteEnding, write_rsms};

/// The formats that are read.
pub const FORMATS: &[&ArrayFormat] = &[&npy::FORMAT, &npz::FORMAT, &safetensors::FORMAT, &hdf5::FORMAT, &text::FORMAT];

/// An array's shape and its values, the last axis running fastest.
pub type Array = (Vec<usize>, Vec<f64>);

/// A format of files that hold arrays.
pub struct ArrayFormat {
    /// Endings of its files' names, without the dot.
    pub endings: &'static [&'static str],
    /// The arrays in a file.
    list: fn(&Path) -> Result<Vec<Listed>, ArrayError>,
    /// Some of them, by name.
    open: fn(&Path, &[&str]) -> Result<Vec<StoredArray>, ArrayError>,
}

/// An array that a file holds.
struct Listed {
    /// Empty where the format names none.
    name: String,
    /// Whether its values are f32 or f64.
    float: bool,
}

/// A file that is not the array it was taken for.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The bytes do not follow the format.
    #[error("{}: not a valid {format} file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// `.npy`, `.npz`, `.safetensors`, `.h5` or text
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Neither f32 nor f64.
    #[error("{}: values of type {found}, expected f32 or f64; convert with numpy's astype(\"float64\")", path.display())]
    NotFloat {
        /// The file.
        path: PathBuf,
        /// The type as the file names it.
        found: String,
    },
    /// The header promises another amount of data than the file holds.
    #[error("{}: shape {shape:?} needs {expected} bytes of data, found {found}; was the file cut short?", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// As the header says.
        shape: Vec<usize>,
        /// Bytes.
        expected: u128,
        /// Bytes.
        found: u64,
    },
    /// None or several arrays where one is wanted.
    #[error(
        "{}: {} arrays ({}), expected one of f32 or f64; say which one: `semgpu similarity --key NAME` (or --stack, if each \
         is an image's), `semgpu test --images LAYER=FILE::NAME`", path.display(), names.len(), some(names)
    )]
    NotOne {
        /// The file.
        path: PathBuf,
        /// The arrays it holds.
        names: Vec<String>,
    },
    /// No array of that name.
    #[error("{}: no array {name:?}, found {}", path.display(), some(names))]
    NoName {
        /// The file.
        path: PathBuf,
        /// As asked for.
        name: String,
        /// The arrays it holds.
        names: Vec<String>,
    },
    /// The ending says nothing that can be read.
    #[error("{}: unknown ending, expected {}", path.display(), endings())]
    Ending {
        /// The file.
        path: PathBuf,
    },
}

/// The first few of many names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    names[..names.len().min(SHOWN)].join(", ") + more
}

fn endings() -> String {
    let endings = FORMATS.iter().flat_map(|format| format.endings).map(|ending| format!(".{ending}"));
    endings.collect::<Vec<_>>().join(", ")
}

fn format(path: &Path) -> Result<&'static ArrayFormat, ArrayError> {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).unwrap_or_default();
    let known = FORMATS.iter().find(|format| format.endings.contains(&ending.as_str()));
    known.copied().ok_or_else(|| ArrayError::Ending { path: path.into() })
}

/// Names of the arrays of a file, sorted; one empty name where the format has none.
///
/// # Errors
/// A file that cannot be read, is malformed, or has another ending.
pub fn names(path: &Path) -> Result<Vec<String>, ArrayError> {
    Ok(sorted(&(format(path)?.list)(path)?))
}

fn sorted(listed: &[Listed]) -> Vec<String> {
    let mut names: Vec<String> = listed.iter().map(|listed| listed.name.clone()).collect();
    names.sort_unstable();
    names
}

/// Opens all arrays of a file, sorted by their names.
///
/// # Errors
/// A file that cannot be read, is malformed or cut short; values of another type; another ending.
pub fn open_all(path: &Path) -> Result<(Vec<String>, Vec<StoredArray>), ArrayError> {
    let names = names(path)?;
    let arrays = (format(path)?.open)(path, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok((names, arrays))
}

/// Opens an array of a file: the one called `name`, or the only one of f32 or f64. In files that name none, `name` is
/// not looked at.
///
/// # Errors
/// A file that cannot be read, is malformed or cut short; no such array, or several (their names are listed); values
/// of another type; another ending.
pub fn open(path: &Path, name: Option<&str>) -> Result<StoredArray, ArrayError> {
    let format = format(path)?;
    let listed = (format.list)(path)?;
    let names = || sorted(&listed);
    let path_buf = || path.to_path_buf();
    let chosen = match (&listed[..], name) {
        ([unnamed], _) if unnamed.name.is_empty() => unnamed,
        (_, Some(name)) => listed.iter().find(|listed| listed.name == name).ok_or_else(|| ArrayError::NoName {
            path: path_buf(),
            name: name.to_string(),
            names: names(),
        })?,
        // The only array, even if it turns out to be of another type: then that is the error.
        ([only], None) => only,
        (_, None) => {
            let mut floats = listed.iter().filter(|listed| listed.float);
            let (Some(one), None) = (floats.next(), floats.next()) else {
                return Err(ArrayError::NotOne { path: path_buf(), names: names() });
            };
            one
        }
    };
    Ok((format.open)(path, &[&chosen.name])?.remove(0))
}

/// Reads NumPy's `.npy`: f4 or f8, either byte order, C or Fortran order.
///
/// # Errors
/// A file that cannot be read, is malformed or cut short, or holds another type.
pub fn read_npy(path: &Path) -> Result<Array, ArrayError> {
    let array = npy::open(path)?;
    Ok((array.shape().to_vec(), array.values()))
}

fn malformed(path: &Path, format: &'static str, reason: impl ToString) -> ArrayError {
    ArrayError::Malformed { path: path.into(), format, reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
