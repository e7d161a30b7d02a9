//! The two halves of the experiment on their own: features that another program computed to RSMs, and RSMs to tests.

mod doubts;
mod error;
pub mod given;
mod made;
mod reading;
mod similarity;
mod spaces;
mod testing;
mod words;

use std::path::Path;

pub use error::HalvesError;
pub use similarity::{SimilarityRequest, similarity};
pub use testing::Test;

use crate::names::{self, are_places, read_lines};
use crate::results::{Named, first_clash};

/// Refuses to take a file that names no concepts in the order of one with names that are places in another.
fn check_places(path: &Path, lists: &[Vec<String>], unnamed: &Path) -> Result<(), HalvesError> {
    let Some(names) = lists.iter().find(|names| are_places(names)) else { return Ok(()) };
    let numbers = names[..names.len().min(4)].join(", ");
    Err(HalvesError::Places { path: path.into(), numbers, other: unnamed.into() })
}

/// Names that make files of their own; those of the words also in `figures`.
fn check_clashes<'a>(
    words: impl IntoIterator<Item = &'a str>,
    images: impl IntoIterator<Item = &'a str>,
    figures: bool,
) -> Result<(), HalvesError> {
    let Some((of, name, clash)) = first_clash(words, images, figures) else { return Ok(()) };
    let side = match of {
        Named::Words => "words",
        Named::Layer => "images",
    };
    Err(HalvesError::SameName { side, name: name.to_string(), clash })
}

/// A list with a line for each concept.
fn list(path: &Path, expected: usize, what: &'static str) -> Result<Vec<String>, HalvesError> {
    let lines = read_lines(path)?;
    let found = lines.len();
    match found == expected {
        true => Ok(lines),
        false => Err(HalvesError::Lines { path: path.into(), what, found, expected, blank: names::blank_line(path) }),
    }
}

/// `count` numbers from `first` on, as names.
fn numbers(first: usize, count: usize) -> Vec<String> {
    (first..first + count).map(|number| number.to_string()).collect()
}

#[cfg(test)]
mod tests;
