//! NumPy's `.npz`: named arrays, as they are (`np.savez`: read where they lie) or packed (`np.savez_compressed`: unpacked whole).

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use npyz::{DType, NpyFile, NpyHeader, TypeChar};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::stored::{Bytes, Labels, NUMBERS, StoredArray, Unread, is_list, list_length};
use super::{ArrayError, ArrayFormat, Listed, Told, malformed, npy};
use crate::error::FileError;
use crate::files;
use crate::limits::{self, Unpacked};
use crate::numbers::Value;

const NAME: &str = ".npz";

/// What is said of an array of objects.
const OBJECTS: &str = "an array of Python's objects, which is not read; save it as text (numpy: names.astype(str))";

pub(super) const FORMAT: ArrayFormat = ArrayFormat { endings: &["npz"], list, open };

fn archive(path: &Path) -> Result<ZipArchive<BufReader<File>>, ArrayError> {
    let file = files::open(path).map_err(FileError::at(path))?;
    let packed = file.metadata().map_err(FileError::at(path))?.len();
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|reason| malformed(path, NAME, reason))?;
    limits::check_archive(&mut archive, packed).map_err(FileError::at(path))?;
    Ok(archive)
}

fn list(path: &Path) -> Result<Vec<Listed>, ArrayError> {
    let mut archive = archive(path)?;
    let entries = 0..archive.len();
    let listed = |index| -> Result<Listed, ZipError> {
        let entry = archive.by_index(index)?;
        let file_name = entry.name()?.into_owned();
        let header = files::npy(entry).and_then(NpyHeader::from_reader).ok();
        let value = header.as_ref().and_then(npy::value);
        let list = header.is_some_and(|header| is_list(header.shape().iter().copied()));
        let name = file_name.strip_suffix(".npy").unwrap_or(&file_name).to_string();
        Ok(Listed { name, float: value.is_some_and(Value::is_float), number: value.is_some(), list })
    };
    entries.map(listed).collect::<Result<_, _>>().map_err(|reason| malformed(path, NAME, reason))
}

fn open(path: &Path, names: &[&str], _: &Told) -> Result<Vec<StoredArray>, ArrayError> {
    let malformed = |reason: ZipError| malformed(path, NAME, reason);
    let mut archive = archive(path)?;
    let whole = files::open(path).map_err(FileError::at(path))?;
    let whole = Arc::new(Bytes::of(path, whole)?);
    let (rows, unread) = texts(path, &mut archive, names)?;
    let labels = Arc::new(Labels { rows, unread, ..Labels::default() });
    let mut arrays = Vec::new();
    for name in names {
        let mut entry = archive.by_name(&format!("{name}.npy")).map_err(malformed)?;
        let array = match (entry.compression(), entry.data_start()) {
            (CompressionMethod::Stored, Some(start)) => {
                let start = start as usize;
                let end = start.saturating_add(entry.size() as usize).min(whole.len());
                let array = npy::decode(path, NAME, whole.clone(), start.min(end)..end)?;
                // Where they lie the archive no longer checks them.
                check_sum(path, &mut entry)?;
                array
            }
            // What is unpacked counts, not what the directory promises.
            _ => {
                let mut unpacked = Vec::new();
                let packed = entry.compressed_size();
                Unpacked::new(entry, packed).read_to_end(&mut unpacked).map_err(FileError::at(path))?;
                let range = 0..unpacked.len();
                npy::decode(path, NAME, Arc::new(Bytes::Held(unpacked.into())), range)?
            }
        };
        arrays.push(array.labelled(labels.clone()));
    }
    Ok(arrays)
}

/// Reads what is left of an entry: at its end its checksum is held against all that was read.
fn check_sum(path: &Path, entry: &mut impl Read) -> Result<(), ArrayError> {
    Ok(files::check_sum(entry).map_err(FileError::at(path))?)
}

/// Every list of texts in the archive, any of which may name rows, and those beside the `arrays` that may be meant to and are
/// not read.
fn texts(
    path: &Path,
    archive: &mut ZipArchive<BufReader<File>>,
    arrays: &[&str],
) -> Result<(Vec<Vec<String>>, Vec<Unread>), ArrayError> {
    let (mut texts, mut unread, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..archive.len() {
        let Ok(mut entry) = archive.by_index(index) else { continue };
        let name = entry.name().map(|name| name.trim_end_matches(".npy").to_string()).unwrap_or_default();
        let Ok(array) = files::npy(&mut entry).and_then(NpyFile::new) else {
            // Names whose first bytes are damaged are not to vanish.
            check_sum(path, &mut entry)?;
            continue;
        };
        let Some(length) = list_length(array.shape().iter().copied()) else { continue };
        let DType::Plain(plain) = array.dtype() else { continue };
        match plain.type_char() {
            TypeChar::UnicodeStr | TypeChar::ByteStr if plain.size_field() <= files::NPY_TEXT => {
                let Ok(list) = array.data::<String>() else { continue };
                texts.extend(list.collect::<Result<Vec<String>, _>>());
                check_sum(path, &mut entry)?;
            }
            TypeChar::Object => unread.push(Unread { name, length, why: OBJECTS }),
            TypeChar::Int | TypeChar::Uint if !arrays.contains(&name.as_str()) => {
                numbers.push(Unread { name, length, why: NUMBERS });
            }
            _ => {}
        }
    }
    unread.append(&mut numbers);
    Ok((texts, unread))
}
