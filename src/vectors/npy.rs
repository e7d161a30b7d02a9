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
    lists(path).next()
}

/// The same vectors as text are no list, though as long as one.
fn lists(path: &Path) -> impl Iterator<Item = PathBuf> {
    let lists = LISTS.iter().map(|ending| path.with_extension(ending));
    lists.filter(|list| list.is_file() && !text::are_vectors(list))
}

/// The words of a list, a line each.
fn words(list: &Path) -> Result<Vec<Vec<u8>>, FileError> {
    let text = files::read_text(list).map_err(FileError::at(list))?;
    let text = text.strip_prefix(text::MARK).unwrap_or(&text);
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    Ok(text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()).collect())
}

fn read(file: File, wanted: &mut Wanted) -> Result<(), VectorsError> {
    let mut lists = lists(wanted.path);
    let list = lists.next().ok_or_else(|| {
        let names = LISTS.map(|ending| wanted.path.with_extension(ending).display().to_string());
        wanted.array(
            "words",
            format!("not found, expected one word per line, and nothing else, in one of {}", names.join(", ")),
        )
    })?;
    let taken = words(&list)?;
    for other in lists {
        let found = words(&other)?;
        let sorted = |words: &[Vec<u8>]| {
            let mut words = words.to_vec();
            words.sort_unstable();
            words
        };
        if found != taken && sorted(&found) == sorted(&taken) {
            let (list, other) = (list.display(), other.display());
            let found =
                format!("{list} and {other} have them in different orders; remove the one that is not the rows'");
            return Err(wanted.array("words", found));
        }
        if found != taken {
            wanted.warnings.push(format!("{}: not read: {} has the words", other.display(), list.display()));
        }
    }
    let rows = Rows::new(taken.into_iter().map(Ok), wanted).map_err(wanted.io())?;
    let vectors = files::npy(BufReader::new(file)).and_then(NpyFile::new).map_err(wanted.io())?;
    npz::read_rows(vectors, rows, wanted)
}
