//! What a file of matrices, or the list beside it, calls the concepts; and names that cannot be theirs.

use std::path::{Path, PathBuf};

use super::{Matrices, MatrixError};
use crate::arrays::StoredArray;
use crate::error::FileError;
use crate::names::{self, Unfit};
use crate::results::CONCEPTS;

/// Names of a file, or of the list beside it, that do not name its concepts.
#[derive(Clone, Debug)]
pub struct Unnaming {
    /// Where they are.
    path: PathBuf,
    /// The first of them.
    begins: String,
    /// Why they name no concepts.
    why: Unfit,
    /// Whether they are meant to.
    meant: bool,
}

impl Matrices {
    /// What is to be said, where the concepts' names count, of texts that were not taken for them.
    ///
    /// # Errors
    /// Names that are meant to be the concepts' and cannot be.
    pub fn doubt(&self) -> Result<Option<String>, MatrixError> {
        let Some(Unnaming { path, begins, why, meant }) = &self.unfit else { return Ok(None) };
        if *meant {
            return Err(MatrixError::Names { path: path.clone(), why: why.clone() });
        }
        let of = if *path == self.read.path { String::new() } else { format!(" of {}", self.read.path.display()) };
        Ok(Some(format!("{}: {begins}: not taken for the names of the concepts{of}: {why}", path.display())))
    }
}

/// The lists of `own` names in an array's file, or else the one beside it that semgpu writes, that name so many concepts;
/// without any, the names that do not.
///
/// # Errors
/// The list cannot be read.
pub fn named(
    array: &StoredArray,
    own: &[Vec<String>],
    concepts: usize,
) -> Result<(Vec<Vec<String>>, Option<Unnaming>), FileError> {
    let labels = array.labels();
    let unnaming = |path: &Path, list: &[String], why, meant| {
        let begins = list[..list.len().min(3)].join(", ") + if list.len() > 3 { ", …" } else { "" };
        Some(Unnaming { path: path.into(), begins, why, meant })
    };
    let unfit = |of_length: bool| {
        let mut lists = own.iter().filter(|list| list.len() > 1 && (list.len() == concepts) == of_length);
        lists.find_map(|list| Some((list, names::fitting(list, concepts).err()?)))
    };
    let named = names::lists(own, concepts);
    // Columns were brought into the order of the rows.
    let of_rows = names::lists(if labels.rows.is_empty() { own } else { &labels.rows }, concepts);
    if let Some(([list, _], why)) = names::two_orders(&of_rows) {
        return Ok((Vec::new(), unnaming(array.path(), list, why, true)));
    }
    // Names of columns do not make up for those that stand at the rows.
    let at_rows = labels.rows.iter().any(|list| list.len() == concepts);
    let unnamed = named.is_empty() || at_rows && of_rows.is_empty();
    if let (true, true, Some((list, why))) = (labels.placed, unnamed, unfit(true)) {
        return Ok((Vec::new(), unnaming(array.path(), list, why, true)));
    }
    if !named.is_empty() {
        return Ok((named, None));
    }
    if let Some(file) = array.file() {
        let (path, list) = list_beside(file)?;
        match names::fitting(&list, concepts) {
            Ok(list) => return Ok((vec![list], None)),
            // That of a folder may be another matrix's.
            Err(why) if !list.is_empty() => {
                let why = match (why, names::blank_line(&path)) {
                    (Unfit::Length { found, expected }, Some(line)) => Unfit::Blank { found, expected, line },
                    (why, _) => why,
                };
                let meant = path == names::list_of(file) || !matches!(why, Unfit::Length { .. } | Unfit::Blank { .. });
                return Ok((Vec::new(), unnaming(&path, &list, why, meant)));
            }
            Err(_) => {}
        }
    }
    let texts = |of_length| {
        let (list, why) = unfit(of_length).filter(|_| !labels.placed)?;
        unnaming(array.path(), list, why, false)
    };
    let unread = || {
        let list = labels.unread(concepts)?;
        unnaming(array.path(), std::slice::from_ref(&list.name), Unfit::Unread(list.why), false)
    };
    Ok((Vec::new(), texts(true).or_else(unread).or_else(|| texts(false))))
}

/// The list of concepts beside a file, its own or else that of its folder, as semgpu writes both, and the names in it;
/// none without.
fn list_beside(file: &Path) -> Result<(PathBuf, Vec<String>), FileError> {
    let (own, of_folder) = (names::list_of(file), file.with_file_name(CONCEPTS));
    let names = |path: &Path| -> Result<Vec<String>, FileError> {
        if path.exists() { names::read_lines(path) } else { Ok(Vec::new()) }
    };
    let list = names(&own)?;
    if list.is_empty() { Ok((of_folder.clone(), names(&of_folder)?)) } else { Ok((own, list)) }
}
