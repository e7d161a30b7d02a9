//! `similarity.json`: which matrices in a directory `semgpu similarity` made; others of their names are not its to replace.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::HalvesError;
use crate::error::FileError;
use crate::files;
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
