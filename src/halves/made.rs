//! What `semgpu similarity` may replace: in a directory the matrices that `similarity.json` lists, elsewhere files of matrices.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::HalvesError;
use crate::arrays::{self, RsmFile, Told, is_own_rdms};
use crate::error::FileError;
use crate::files;
use crate::matrices::is_diagonal;
use crate::results::{read_json, write_json};

/// The list's name.
pub const MADE: &str = "similarity.json";

/// A directory's matrices by their files' names, and the features that they are of.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct Made {
    matrices: BTreeMap<String, PathBuf>,
}

impl Made {
    /// The list of a directory; one that is not there or damaged lists nothing.
    pub fn read(directory: &Path) -> Self {
        read_json(&directory.join(MADE)).unwrap_or_default()
    }

    /// Refuses to replace a matrix that is not listed.
    pub fn check(&self, out: &Path) -> Result<(), HalvesError> {
        let known = self.matrices.contains_key(&files::name(out));
        if out.exists() && !known { Err(HalvesError::Foreign(out.into())) } else { Ok(()) }
    }

    /// Lists a matrix that is about to be written into a directory, beside those that other processes list at this moment.
    pub fn enlist(directory: &Path, out: &Path, features: &Path) -> Result<(), FileError> {
        std::fs::create_dir_all(directory).map_err(FileError::at(directory))?;
        // Held until the list is written. Where no directory can be locked, as on Windows, the last one that writes has it.
        let _held = File::open(directory).and_then(|place| place.lock().map(|()| place));
        let mut made = Self::read(directory);
        made.matrices.insert(files::name(out), features.into());
        write_json(&directory.join(MADE), &made)
    }
}

/// Whether a file may hold matrices that `semgpu similarity` wrote, and nothing else: squares with the diagonal of correlations or
/// of distances.
pub fn may_be_rsms(out: &Path) -> bool {
    match RsmFile::of(out) {
        Ok(RsmFile::Hdf5) => is_own_rdms(out),
        Ok(RsmFile::Csv) => {
            let table = csv::ReaderBuilder::new().has_headers(false).from_path(out);
            let rows = table.and_then(|table| table.into_records().collect::<Result<Vec<_>, _>>()).unwrap_or_default();
            // Behind the names, where it has any.
            let first = usize::from(rows.first().is_some_and(|row| row.get(0) == Some("")));
            let on_diagonal = |n: usize| rows[n].get(n).and_then(|value| value.parse().ok()).is_some_and(is_diagonal);
            first < rows.len() && rows[0].len() == rows.len() && (first..rows.len()).all(on_diagonal)
        }
        Ok(RsmFile::Npy | RsmFile::Npz | RsmFile::Safetensors) => {
            let is_one = arrays::names(out).is_ok_and(|names| names.len() == 1);
            let array = arrays::open(out, None, &Told::default()).ok().filter(|_| is_one);
            array.is_some_and(|array| match *array.shape() {
                [rows, columns] | [_, rows, columns] if rows == columns && rows > 0 => {
                    array.values().is_ok_and(|values| {
                        values
                            .chunks_exact(rows * rows)
                            .all(|rsm| rsm.iter().step_by(rows + 1).copied().all(is_diagonal))
                    })
                }
                _ => false,
            })
        }
        Err(_) => false,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_processes_list_at_the_same_time_is_all_listed() {
        let place = tempfile::tempdir().unwrap();
        let directory = &place.path().join("made");
        let outs: Vec<PathBuf> = (0..16).map(|n| directory.join(format!("{n}.npy"))).collect();
        std::thread::scope(|scope| {
            for out in &outs {
                scope.spawn(move || Made::enlist(directory, out, Path::new("features.npy")).unwrap());
            }
        });
        outs.iter().for_each(|out| std::fs::write(out, "").unwrap());
        let made = Made::read(directory);
        assert!(outs.iter().all(|out| made.check(out).is_ok()) && made.matrices.len() == outs.len());
    }
}
