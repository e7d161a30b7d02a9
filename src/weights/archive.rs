//! Zip archives, as PyTorch and Keras write them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipResult;

/// What a zip archive begins with.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";

/// The most bytes that one byte of a deflated stream can stand for; no honest file claims more.
pub(super) const DEFLATE_RATIO: u64 = 1032;

/// Opens an archive: reads its directory, which stands at the end.
pub(super) fn open(path: &Path) -> ZipResult<ZipArchive<BufReader<File>>> {
    ZipArchive::new(BufReader::new(File::open(path)?))
}

/// Names of the members; `None` if the directory cannot be read: the file is cut short or damaged.
pub(super) fn members(path: &Path) -> Option<Vec<String>> {
    let archive = open(path).ok()?;
    archive.file_names().map(|name| name.ok().map(|name| name.into_owned())).collect()
}
