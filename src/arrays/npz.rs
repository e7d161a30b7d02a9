//! NumPy's `.npz`: named arrays, as they are (`np.savez`: mapped) or packed (`np.savez_compressed`: unpacked whole).

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use npyz::NpyHeader;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::stored::{Bytes, StoredArray};
use super::{ArrayError, ArrayFormat, Listed, malformed, npy};
use crate::error::FileError;

const NAME: &str = ".npz";

pub(super) const FORMAT: ArrayFormat = ArrayFormat { endings: &["npz"], list, open };

fn archive(path: &Path) -> Result<ZipArchive<BufReader<File>>, ArrayError> {
    let file = File::open(path).map_err(FileError::at(path))?;
    ZipArchive::new(BufReader::new(file)).map_err(|reason| malformed(path, NAME, reason))
}

fn list(path: &Path) -> Result<Vec<Listed>, ArrayError> {
    let mut archive = archive(path)?;
    let entries = 0..archive.len();
    let listed = |index| -> Result<Listed, ZipError> {
        let entry = archive.by_index(index)?;
        let file_name = entry.name()?.into_owned();
        let float = NpyHeader::from_reader(entry).is_ok_and(|header| npy::value(&header).is_some());
        Ok(Listed { name: file_name.strip_suffix(".npy").unwrap_or(&file_name).to_string(), float })
    };
    entries.map(listed).collect::<Result<_, _>>().map_err(|reason| malformed(path, NAME, reason))
}

fn open(path: &Path, names: &[&str]) -> Result<Vec<StoredArray>, ArrayError> {
    let malformed = |reason: ZipError| malformed(path, NAME, reason);
    let mut archive = archive(path)?;
    let whole = Arc::new(Bytes::map(path)?);
    let mut arrays = Vec::new();
    for name in names {
        let mut entry = archive.by_name(&format!("{name}.npy")).map_err(malformed)?;
        let size = entry.size() as usize;
        if let (CompressionMethod::Stored, Some(start)) = (entry.compression(), entry.data_start()) {
            let start = start as usize;
            let end = start.saturating_add(size).min(whole.len());
            arrays.push(npy::decode(path, NAME, whole.clone(), start.min(end), end)?);
            continue;
        }
        // What is unpacked counts, not what the directory promises.
        let mut unpacked = Vec::new();
        entry.read_to_end(&mut unpacked).map_err(|reason| malformed(reason.into()))?;
        let length = unpacked.len();
        arrays.push(npy::decode(path, NAME, Arc::new(Bytes::Held(unpacked)), 0, length)?);
    }
    Ok(arrays)
}
