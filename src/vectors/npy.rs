//! NumPy's `.npy`: the vectors (`[words, dimensions]`, real numbers); the words, one per line, in a text file
//! beside it: for `model.npy` that is `model.txt`, `model.words` or `model.vocab`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use npyz::NpyFile;

use super::{ReadVectors, Rows, VectorsError, VectorsFormat, Wanted, npz, text};
use crate::error::FileError;
use crate::files;

pub(super) const FORMAT: VectorsFormat =
    VectorsFormat { name: "npy beside a list of words", sniff, read: ReadVectors::Seek(read) };

/// Endings of the list of words, in the order tried.
const LISTS: [&str; 3] = ["txt", "words", "vocab"];

fn sniff(head: &[u8]) -> bool {
    head.starts_with(b"\x93NUMPY")
}

/// The list of words beside an array, if there is one.
pub(super) fn list(path: &Path) -> Option<PathBuf> {
    LISTS.iter().map(|ending| path.with_extension(ending)).find(|list| list.is_file())
}

fn read(file: File, wanted: &mut Wanted) -> Result<(), VectorsError> {
    let list = list(wanted.path).ok_or_else(|| {
        let names = LISTS.map(|ending| wanted.path.with_extension(ending).display().to_string());
        wanted.array("words", format!("not found, expected one word per line in one of {}", names.join(", ")))
    })?;
    let text = files::read(&list).map_err(FileError::at(&list))?;
    let text = text.strip_prefix(text::MARK).unwrap_or(&text);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let lines = text.split(|&byte| byte == b'\n').map(|line| Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec()));
    let rows = Rows::new(lines, wanted).map_err(wanted.io())?;
    let vectors = files::npy(BufReader::new(file)).and_then(NpyFile::new).map_err(wanted.io())?;
    npz::read_rows(vectors, rows, wanted)
}
