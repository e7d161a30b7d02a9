//! `compare.json`: which runs were compared, and how.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::Origin;
use crate::stats::generalise::Generalise;

/// The record of a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct ComparisonRecord {
    /// 1
    pub schema: u64,
    /// The version of semgpu that wrote it.
    pub semgpu: String,
    /// Of what, when and how it was made.
    pub origin: Origin,
    /// CPU threads.
    pub threads: usize,
    /// How long it took, without the figures.
    pub seconds: f64,
    /// In the order of the command line.
    pub runs: Vec<Compared>,
    /// Only these word models; empty: all.
    pub words: Vec<String>,
    /// Two layers that were held against each other; empty: none was asked for.
    pub layers: Vec<String>,
    /// Draws of the multiplier bootstrap.
    pub resamples: u64,
    /// Seeds them.
    pub seed: u64,
    /// What intervals and p-values speak of.
    pub generalise: Generalise,
    /// What groups are called, where all runs call them the same: subjects.
    pub groups_are: String,
    /// What the layers of all runs stand along in figures, where they are what they are called; none: relative depth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub along: Option<Along>,
    /// What was drawn and not tested, and why.
    pub untested: Vec<String>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// The tables, figures and page beside it, by their paths.
    pub files: Vec<String>,
}

/// Regions, or places along an axis, by their names.
#[derive(Clone, Debug, Serialize)]
pub struct Along {
    /// Its title, where the runs have one.
    pub axis: Option<String>,
    /// The layers of all runs, from left to right.
    pub layers: Vec<String>,
    /// Whether they have no order.
    pub unordered: bool,
}

impl Along {
    /// Where a layer stands.
    pub fn place(&self, layer: &str) -> usize {
        self.layers.iter().position(|known| known == layer).unwrap_or_default()
    }
}

/// A run in a comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// What tells it from the others.
    pub name: String,
    /// As on the command line; a sweep's networks each their own.
    #[serde(serialize_with = "as_text")]
    pub directory: PathBuf,
    /// SHA-256 of its `accuracy.csv`.
    pub accuracy: String,
}

/// A path of any bytes, as the command line in [`Origin`].
fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}
