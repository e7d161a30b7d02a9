//! The two halves of the experiment on their own: features that another program computed to RSMs, and RSMs to tests.

mod similarity;
mod testing;

use std::path::{Path, PathBuf};

pub use similarity::{SimilarityRequest, similarity};
pub use testing::Test;

use crate::arrays::WriteEnding;
use crate::config::OptionError;
use crate::device::DeviceError;
use crate::error::FileError;
use crate::features::FeaturesError;
use crate::matrices::MatrixError;
use crate::record::RecordError;
use crate::stats::two_vs_two::TwoVsTwoError;

/// A request that cannot be met.
#[derive(Debug, thiserror::Error)]
pub enum HalvesError {
    /// Features.
    #[error(transparent)]
    Features(#[from] FeaturesError),
    /// A matrix.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// A list of names.
    #[error(transparent)]
    File(#[from] FileError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The ending of --out.
    #[error(transparent)]
    Ending(#[from] WriteEnding),
    /// Two files of features would become one.
    #[error("{} and {} would both become {}; rename one, or give each its own --out", first.display(), second.display(), out.display())]
    SameOut {
        /// The one.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// What both would become.
        out: PathBuf,
    },
    /// The list beside --out is of other matrices.
    #[error(
        "{}: lists {found} concepts, expected the {expected} of --manifest in their order; matrices beside it may be in its \
         order, so it is not replaced: give --out another directory", path.display()
    )]
    OtherConcepts {
        /// The list.
        path: PathBuf,
        /// Its concepts.
        found: usize,
        /// Concepts of the manifest.
        expected: usize,
    },
    /// Several matrices in a format of one.
    #[error("{}: {groups} groups, and a .csv holds one matrix; write .npy, .npz, .safetensors or .h5", out.display())]
    OneMatrix {
        /// --out
        out: PathBuf,
        /// Groups of the features.
        groups: usize,
    },
    /// Two of a name, or of names that are one as a file's.
    #[error(
        "--{side}: the name {name:?} stands twice, or another one gives the same file in rsm/ (`/`, `\\` and `:` become `_`) \
         or figures/ (all but A-Z, a-z, 0-9, `.`, `_` and `-` does); names tell the results apart: rename one"
    )]
    SameName {
        /// `words` or `images`
        side: &'static str,
        /// The name.
        name: String,
    },
    /// A word model of several matrices.
    #[error("{}: {found} matrices, expected one: a word model has no groups", path.display())]
    WordGroups {
        /// The file.
        path: PathBuf,
        /// Matrices.
        found: usize,
    },
    /// Matrices of different concepts, or layers of different groups.
    #[error(
        "{}: {found} {what}, expected {expected} as in {}; the matrices of a test are of the same {what}, in the same order",
        path.display(), first.display()
    )]
    Unequal {
        /// The file.
        path: PathBuf,
        /// `concepts` or `groups`
        what: &'static str,
        /// In this file.
        found: usize,
        /// In the first one.
        expected: usize,
        /// The first one.
        first: PathBuf,
    },
    /// A list that does not fit.
    #[error("{}: {found} lines, expected {expected}: one {what} per concept, in the matrices' order", path.display())]
    Lines {
        /// The file.
        path: PathBuf,
        /// `name` or `category`
        what: &'static str,
        /// Lines.
        found: usize,
        /// Concepts.
        expected: usize,
    },
    /// A concept twice.
    #[error("{}: the concept {name:?} stands twice; names tell the results apart", path.display())]
    SameConcept {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A row without a correlation.
    #[error(
        "{}: group {group}: concept {concept} has no correlation (its row is NaN: a constant vector); leave it out{}",
        path.display(), if *words { "" } else { ", or add --constant half, which scores its pairs half" }
    )]
    Constant {
        /// The file.
        path: PathBuf,
        /// The group.
        group: String,
        /// The concept.
        concept: String,
        /// Whether it is a word.
        words: bool,
    },
    /// A matrix that the test cannot be made with.
    #[error("{}: {source}", path.display())]
    Untestable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: TwoVsTwoError,
    },
    /// The record in --out.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// --out is a run's.
    #[error("{}: holds the layers of a run, which the test would replace; give --out a directory of its own", .0.display())]
    RunsOut(PathBuf),
    /// An option of the test.
    #[error("--{} {}: expected {}", .0.option, .0.found, .0.expected)]
    Option(OptionError),
    /// A number out of its range.
    #[error("--{option} {found}: expected {expected}")]
    Value {
        /// The option.
        option: &'static str,
        /// As given.
        found: String,
        /// The range.
        expected: &'static str,
    },
}

impl From<OptionError> for HalvesError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}

/// The lines of a file that are not empty.
///
/// # Errors
/// The file cannot be read, or is no UTF-8.
pub fn read_lines(path: &Path) -> Result<Vec<String>, FileError> {
    let text = std::fs::read_to_string(path).map_err(FileError::at(path))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string).collect())
}

/// `count` numbers from `first` on, as names.
fn numbers(first: usize, count: usize) -> Vec<String> {
    (first..first + count).map(|number| number.to_string()).collect()
}
