//! What can be wrong with a manifest and its images.

use std::path::PathBuf;

use crate::error::FileError;
use crate::images::ImageError;
use crate::names::NAME;
use crate::stats::two_vs_two::FEWEST_CONCEPTS;
use crate::wording::counted;

/// Stimuli that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StimuliError {
    /// The manifest is not there, or not readable.
    #[error(transparent)]
    File(#[from] FileError),
    /// A column is missing.
    #[error(
        "{}: no column `{column}` among {found:?}, expected path,concept,group[,class_index][,category] with commas between",
        path.display()
    )]
    Column {
        /// The manifest.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// The first line.
        found: String,
    },
    /// A column stands twice.
    #[error("{}: two columns `{column}` among {found:?}, expected one: take the other out", path.display())]
    ColumnTwice {
        /// The manifest.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// The first line.
        found: String,
    },
    /// A cell is empty.
    #[error("{}: line {line}: the {column} is empty", path.display())]
    Empty {
        /// The manifest.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// The column.
        column: &'static str,
    },
    /// A name that cannot stand in tables and figures.
    #[error("{}: line {line}: the {column} {found:?}, expected {NAME}", path.display())]
    Name {
        /// The manifest.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// What stands there.
        found: String,
    },
    /// Not a class of ILSVRC 2012.
    #[error("{}: line {line}: class_index is {found:?}, expected 0 to 999, counted from 0, or nothing", path.display())]
    ClassIndex {
        /// The manifest.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// The cell.
        found: String,
    },
    /// Too few concepts for the test.
    #[error("{}: {}, the 2 vs. 2 test needs at least {FEWEST_CONCEPTS}", path.display(), counted(concepts, "concept"))]
    Few {
        /// The manifest.
        path: PathBuf,
        /// Concepts found.
        concepts: usize,
    },
    /// A concept stands twice in a group.
    #[error(
        "{}: line {line}: concept {concept:?} has another image in group {group:?} (line {first}), expected one: \
         move it to another group", path.display()
    )]
    Duplicate {
        /// The manifest.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// The line of the first image.
        first: u64,
        /// The concept.
        concept: String,
        /// The group.
        group: String,
    },
    /// A concept lacks its image in a group.
    #[error(
        "{}: concept {concept:?} (line {line}) has no image in group {group:?}{}: every concept needs one in every group, \
         add it or take the concept out", path.display(), and_more(*more)
    )]
    Missing {
        /// The manifest.
        path: PathBuf,
        /// The line of the concept's first image.
        line: u64,
        /// The concept.
        concept: String,
        /// The group.
        group: String,
        /// Further images missing.
        more: usize,
    },
    /// A concept with two categories.
    #[error(
        "{}: line {line}: concept {concept:?} has category {found:?}, expected {expected:?} as in line {first}",
        path.display()
    )]
    Category {
        /// The manifest.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// The concept.
        concept: String,
        /// The category of this line.
        found: String,
        /// The line that gave the category first.
        first: u64,
        /// That category.
        expected: String,
    },
    /// An image that cannot be used; its concept would lose its place in the group.
    #[error("concept {concept:?}, group {group:?}: {source}")]
    Image {
        /// The concept.
        concept: String,
        /// The group.
        group: String,
        /// What is wrong, with the file.
        source: Box<ImageError>,
    },
    /// The system has no thread left.
    #[error("no thread to decode images in ({0}); ask for fewer: run.threads")]
    Thread(std::io::Error),
}

fn and_more(more: usize) -> String {
    if more == 0 { String::new() } else { format!(" (and {more} more)") }
}
