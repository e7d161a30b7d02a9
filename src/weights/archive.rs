//! Zip archives, as PyTorch and Keras write them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipResult;

use crate::{files, limits};

/// What a zip archive begins with.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// Opens an archive: reads its directory, which stands at the end, and holds what it announces to the limit.
pub(super) fn open(path: &Path) -> ZipResult<ZipArchive<BufReader<File>>> {
    let file = files::open(path)?;
    let packed = file.metadata()?.len();
    let mut archive = ZipArchive::new(BufReader::new(file))?;
    limits::check_archive(&mut archive, packed)?;
    Ok(archive)
}

/// Names of the members; `None` if the directory cannot be read: the file is cut short or damaged.
pub(super) fn members(path: &Path) -> Option<Vec<String>> {
    let archive = open(path).ok()?;
    archive.file_names().map(|name| name.ok().map(|name| name.into_owned())).collect()
}
