//! `similarity.json`: which matrices in a directory `semgpu similarity` made; others of their names are not its to replace.

use std::collections::BTreeMap;
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

    /// Lists a matrix that is about to be written.
    pub fn enlist(&mut self, out: &Path, features: &Path) -> Result<(), FileError> {
        self.matrices.insert(files::name(out), features.into());
        write_json(&out.with_file_name(MADE), self)
    }
}
