//! Arrays in files. Read: `.npy` and `.safetensors` (where they lie), `.npz`, `.h5`, `.mat`, text; written: all but `.mat`.
//! What a file says of its rows and columns comes with the array ([`Labels`]).
//!
//! To read a format more: one file that exports an [`ArrayFormat`], and its line in [`FORMATS`].

mod hdf5;
mod matlab;
mod npy;
mod npz;
mod safetensors;
mod stored;
mod text;
mod write;

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::error::FileError;
use crate::files;
use crate::wording::first;

pub use hdf5::{is_own_rdms, text_attribute, texts};
pub use npy::{lent, write_npy};
pub use stored::{Labels, StoredArray, Unread};
pub use text::Decimal;
pub use write::{CORRELATION_DISTANCE, DISSIMILARITIES, RsmFile, RsmsOut, WriteEnding, write_rsms};

/// The formats that are read.
pub const FORMATS: &[&ArrayFormat] =
    &[&npy::FORMAT, &npz::FORMAT, &safetensors::FORMAT, &hdf5::FORMAT, &matlab::FORMAT, &text::FORMAT];

/// An array's shape and its values, the last axis running fastest.
pub type Array = (Vec<usize>, Vec<f64>);

/// A format of files that hold arrays.
pub struct ArrayFormat {
    /// Endings of its files' names, without the dot.
    pub endings: &'static [&'static str],
    /// The arrays in a file.
    list: fn(&Path) -> Result<Vec<Listed>, ArrayError>,
    /// Some of them, by name.
    open: Open,
}

/// Opens some of a file's arrays by name.
type Open = fn(&Path, &[&str], &Told) -> Result<Vec<StoredArray>, ArrayError>;

/// What the user says of a file that does not say it itself.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Told {
    /// Lines of a text table that name its columns: yes (one), no, or how many.
    #[arg(long, value_name = "yes|no|N", value_parser = count)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<usize>,
    /// Columns of a text table, from the left, that name or number its rows: yes (one), no, or how many.
    #[arg(long, value_name = "yes|no|N", value_parser = count)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The decimal sign of a text table: point (1,234.5) or comma (1.234,5).
    #[arg(long, value_name = "point|comma")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Decimal>,
    /// The axes are in the opposite order: units (voxels) x concepts (trials).
    #[arg(skip)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub transpose: bool,
}

impl Told {
    /// What is said of tables where none of the files is one.
    pub fn doubt<'a>(&self, files: impl IntoIterator<Item = &'a Path>) -> Option<String> {
        let said = [
            ("--header", self.header.is_some()),
            ("--index", self.index.is_some()),
            ("--decimal", self.decimal.is_some()),
        ];
        let said: Vec<&str> = said.into_iter().filter(|(_, is_said)| *is_said).map(|(option, _)| option).collect();
        let endings = text::FORMAT.endings;
        // What a folder holds may be tables.
        let may_be = |path: &Path| path.is_dir() || endings.contains(&files::ending(path).as_str());
        (!said.is_empty() && !files.into_iter().any(may_be)).then(|| {
            format!("{}: no effect: of tables of text (.{}), and no file is one", said.join(", "), endings.join(", ."))
        })
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text {
        "yes" => Ok(1),
        "no" => Ok(0),
        _ => text.parse().map_err(|_| "expected yes, no, or a number".to_string()),
    }
}

/// An array that a file holds.
struct Listed {
    /// Empty where the format names none.
    name: String,
    /// Whether its values are floats.
    float: bool,
    /// Whether they are real numbers.
    number: bool,
    /// Whether they stand along one axis at most, in a file of several arrays.
    list: bool,
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
    /// No real numbers.
    #[error(
        "{}: values of type {found}, expected real numbers of 8 to 64 bits; {}", path.display(), to_real_numbers(found)
    )]
    NotNumbers {
        /// The file.
        path: PathBuf,
        /// The type as the file names it.
        found: String,
    },
    /// A variable of MATLAB's that is no array of real numbers.
    #[error("{}: {name} is a {class}, expected an array of real numbers; in MATLAB: {remedy}", path.display())]
    Matlab {
        /// The file.
        path: PathBuf,
        /// The variable.
        name: String,
        /// As MATLAB calls it.
        class: String,
        /// What makes an array of it.
        remedy: String,
        /// Whether it holds text: characters, or a cell of them.
        text: bool,
    },
    /// The header promises another amount of data than the file holds.
    #[error("{}: shape {shape:?} needs {expected} bytes of data, found {found}; {}", path.display(),
        if u128::from(*found) < *expected { "was the file cut short?" } else { "a second array behind the first?" })]
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
    /// No values.
    #[error("{}: an array of shape {shape:?} holds no values", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// As the header says.
        shape: Vec<usize>,
    },
    /// None or several arrays where one is wanted.
    #[error(
        "{}: {} arrays ({}), expected one of floats; say which one: `semgpu similarity --key NAME` (or --stack, if each \
         is an image's), `semgpu test --images LAYER=FILE::NAME`", path.display(), names.len(), first(names, SHOWN)
    )]
    NotOne {
        /// The file.
        path: PathBuf,
        /// The arrays it holds.
        names: Vec<String>,
    },
    /// No array of that name.
    #[error("{}: no array {name:?}, found {}", path.display(), first(names, SHOWN))]
    NoName {
        /// The file.
        path: PathBuf,
        /// As asked for.
        name: String,
        /// The arrays it holds.
        names: Vec<String>,
    },
    /// A name in a file whose format has none.
    #[error("{}: array {name:?}, but a file of this format is one array without a name; leave ::{name} (--key) out, or cut it \
             out in numpy", path.display())]
    Nameless {
        /// The file.
        path: PathBuf,
        /// As asked for.
        name: String,
    },
    /// A dataset packed by a method that is not read.
    #[error(
        "{}: packed by {filter}, which is not read; pack it by gzip (h5repack -f GZIP=4 IN OUT, or h5py's \
         create_dataset(…, compression=\"gzip\"))", path.display()
    )]
    Filter {
        /// The file.
        path: PathBuf,
        /// Its name, or its number.
        filter: String,
    },
    /// The ending says nothing that can be read.
    #[error(
        "{}: unknown ending, expected {}{}", path.display(), endings(),
        if ["pt", "pth", "pkl", "pickle"].contains(&files::ending(path).as_str()) { SAVED } else { "" }
    )]
    Ending {
        /// The file.
        path: PathBuf,
    },
}

/// What makes a file that is read of Python's objects.
const SAVED: &str =
    "; numpy.savez(\"layers.npz\", *layers) makes one of a list of arrays or tensors, numpy.save of one alone";

/// What makes real numbers of values of another type, as a file names it.
fn to_real_numbers(found: &str) -> &'static str {
    match found {
        _ if is_complex(found) => "take numpy's abs(x), or x.real and x.imag as units of their own",
        _ if found.starts_with('[') => {
            "numpy.lib.recfunctions.structured_to_unstructured makes an array of a struct's fields"
        }
        _ => "convert with numpy's astype(\"float64\")",
    }
}

/// Whether a type is one of complex numbers, as a file names it: `'<c8'`, `C64`, `complex`.
fn is_complex(found: &str) -> bool {
    found.trim_start_matches(['\'', '<', '>', '=']).starts_with(['c', 'C'])
}

/// Names of arrays that a message has room for.
const SHOWN: usize = 12;

/// The endings of files that are read, for messages.
pub fn endings() -> String {
    let endings = FORMATS.iter().flat_map(|format| format.endings).map(|ending| format!(".{ending}"));
    endings.collect::<Vec<_>>().join(", ")
}

fn format(path: &Path) -> Result<&'static ArrayFormat, ArrayError> {
    let ending = files::ending(path);
    let known = FORMATS.iter().find(|format| format.endings.contains(&ending.as_str()));
    known.copied().ok_or_else(|| match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => ArrayError::Ending { path: path.into() },
        Ok(_) => {
            FileError::at(path)(io::Error::new(io::ErrorKind::IsADirectory, "a folder, expected a file of arrays"))
                .into()
        }
        Err(gone) => FileError::at(path)(gone).into(),
    })
}

/// Names of the arrays of a file, sorted; one empty name where the format has none.
///
/// # Errors
/// A file that cannot be read, is malformed, or has another ending.
pub fn names(path: &Path) -> Result<Vec<String>, ArrayError> {
    Ok(sorted(&(format(path)?.list)(path)?))
}

/// As [`names`], without what holds text or values of a type that no array of numbers has. What is no array of numbers for
/// another reason (a complex array, a struct of MATLAB's, a damaged one) is named: opening it says why.
///
/// # Errors
/// As [`names`].
pub fn names_but_texts(path: &Path) -> Result<Vec<String>, ArrayError> {
    let format = format(path)?;
    let is_text = |listed: &Listed| {
        let opened = || (format.open)(path, &[&listed.name], &Told::default());
        !listed.number
            && match opened() {
                Err(ArrayError::NotNumbers { found, .. }) => !is_complex(&found),
                Err(ArrayError::Matlab { text, .. }) => text,
                _ => false,
            }
    };
    let listed: Vec<Listed> = (format.list)(path)?.into_iter().filter(|listed| !is_text(listed)).collect();
    Ok(sorted(&listed))
}

/// Names of the lists of numbers and of single ones in a file of several arrays, sorted: they are no features.
///
/// # Errors
/// As [`names`].
pub fn lists_of_numbers(path: &Path) -> Result<Vec<String>, ArrayError> {
    let listed = (format(path)?.list)(path)?.into_iter();
    Ok(sorted(&listed.filter(|listed| listed.list && listed.number).collect::<Vec<_>>()))
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
    let arrays = (format(path)?.open)(path, &names.iter().map(String::as_str).collect::<Vec<_>>(), &Told::default())?;
    let arrays = names.iter().zip(arrays).map(|(name, array)| array.named(name)).collect();
    Ok((names, arrays))
}

/// Opens an array of a file: the one called `name`, or the only one of floats, or the only one of numbers.
///
/// # Errors
/// A file that cannot be read, is malformed or cut short, or whose reading is not `told`; no such array (in a
/// file whose format names none, any), or several (their names are listed); values that are no numbers; another ending.
pub fn open(path: &Path, name: Option<&str>, told: &Told) -> Result<StoredArray, ArrayError> {
    let format = format(path)?;
    let listed = (format.list)(path)?;
    // As h5py names a dataset.
    let name = name.map(|name| name.trim_start_matches('/'));
    let names = || sorted(&listed);
    let path_buf = || path.to_path_buf();
    let only = |wanted: fn(&Listed) -> bool| {
        let mut found = listed.iter().filter(|listed| wanted(listed));
        found.next().filter(|_| found.next().is_none())
    };
    let chosen = match (&listed[..], name) {
        ([unnamed], None) if unnamed.name.is_empty() => unnamed,
        ([unnamed], Some(name)) if unnamed.name.is_empty() => {
            return Err(ArrayError::Nameless { path: path_buf(), name: name.to_string() });
        }
        (_, Some(name)) => listed.iter().find(|listed| listed.name == name).ok_or_else(|| ArrayError::NoName {
            path: path_buf(),
            name: name.to_string(),
            names: names(),
        })?,
        // The only array, even if it turns out to be of another type: then that is the error.
        ([only], None) => only,
        (_, None) => only(|listed| listed.float)
            .or_else(|| only(|listed| listed.number))
            .ok_or_else(|| ArrayError::NotOne { path: path_buf(), names: names() })?,
    };
    let array = (format.open)(path, &[&chosen.name], told)?.remove(0);
    let array = array.named(name.map_or("", |_| &chosen.name));
    if told.transpose { array.transposed() } else { Ok(array) }
}

/// Reads NumPy's `.npy`: real numbers, either byte order, C or Fortran order.
///
/// # Errors
/// A file that cannot be read, is malformed or cut short, or holds another type.
pub fn read_npy(path: &Path) -> Result<Array, ArrayError> {
    let array = npy::open(path)?;
    Ok((array.shape().to_vec(), array.values()?))
}

fn malformed(path: &Path, format: &'static str, reason: impl ToString) -> ArrayError {
    ArrayError::Malformed { path: path.into(), format, reason: reason.to_string() }
}

#[cfg(test)]
pub(crate) mod tests;
