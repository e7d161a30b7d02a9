//! What is made of several runs: of a sweep, in a folder for each network, and beside them what is of all; a comparison.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::claim::{COMPARE, ClaimError, remove};
use super::ledger::figure_files;
use super::{ResultsDir, Table, figure_name, read_json};
use crate::error::FileError;
use crate::files;

/// A sweep's table, and what the names of its figures begin with.
pub(super) const NETWORKS: &str = "networks";

/// The figures of a comparison: of the curves, of the differences between them, of the steps within them.
pub(crate) const COMPARE_FIGURES: [&str; 3] = [COMPARE, "compare_differences", "compare_steps"];

/// The figure of a sweep's networks with a word model.
pub(crate) fn networks_figure(words: &str) -> String {
    format!("{NETWORKS}_{}", figure_name(words))
}

/// One row of `networks.csv`: a network against a word model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkRow {
    /// Its label; its results lie in the folder of this name.
    pub network: String,
    /// As in `semgpu layers`, or the file's.
    pub name: String,
    /// Word model.
    pub words: String,
    /// Layers tested.
    pub layers: usize,
    /// The best layer: of the highest accuracy, or as docs/terms.md says where chance differs between layers, and by tail.
    pub best_layer: String,
    /// Its relative depth.
    pub best_depth: f64,
    /// Its 2 vs. 2 accuracy.
    pub best_accuracy: f64,
    /// Its p-value, for which it was not chosen.
    pub best_p_value: f64,
    /// Over the declared family.
    pub best_p_fwer: f64,
    /// The last layer.
    pub last_layer: String,
    /// Its accuracy.
    pub last_accuracy: f64,
    /// Its p-value.
    pub last_p_value: f64,
    /// Over the declared family.
    pub last_p_fwer: f64,
    /// The first layer: the pixels, where they are tested.
    pub first_layer: String,
    /// Its accuracy.
    pub first_accuracy: f64,
    /// Concepts compared.
    pub concepts: usize,
    /// Groups averaged over.
    pub groups: usize,
    /// Draws of the null.
    pub permutations: u64,
    /// The mean of the best layer's null; none without draws, or in tables of before it.
    #[serde(default)]
    pub best_null_mean: Option<f64>,
    /// Its standard deviation.
    #[serde(default)]
    pub best_null_sd: Option<f64>,
}

impl Table for NetworkRow {
    const NAME: &'static str = NETWORKS;
}

/// One row of `within.csv`: layer against layer of one curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithinRow {
    /// The curve, as in the figure.
    pub curve: String,
    /// Network name.
    pub network: String,
    /// Word model.
    pub words: String,
    /// [`Self::NEXT`], [`Self::BEST`] or [`Self::ASKED`]
    pub kind: String,
    /// The one.
    pub layer_a: String,
    /// The other.
    pub layer_b: String,
    /// 2 vs. 2 accuracy of the one.
    pub accuracy_a: f64,
    /// Of the other.
    pub accuracy_b: f64,
    /// a - b.
    pub difference: f64,
    /// Lower end of its 95 % interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Draws of the multiplier bootstrap.
    pub resamples: u64,
    /// Two-sided, of no difference.
    pub p_value: f64,
    /// The same against the maximum over all rows of the kind; for `best` over every two layers, for the best was chosen by
    /// looking at all.
    pub p_fwer: f64,
    /// `concepts`, `groups` or `both`: what other experiments would have other ones of.
    pub over: String,
}

impl WithinRow {
    /// A layer and the one before it.
    pub const NEXT: &'static str = "next";
    /// The best layer and another.
    pub const BEST: &'static str = "best";
    /// As asked for.
    pub const ASKED: &'static str = "asked";

    /// Whether the two layers were asked for, the first before the second.
    pub fn is_asked(&self) -> bool {
        self.kind == Self::ASKED
    }
}

/// One row of `compare.csv`: a layer of one curve against a layer of another on the same concepts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// The one curve, as in the figure.
    pub curve_a: String,
    /// The other.
    pub curve_b: String,
    /// Network of the one.
    pub network_a: String,
    /// Of the other.
    pub network_b: String,
    /// Layer of the one.
    pub layer_a: String,
    /// Of the other, at the nearest relative depth.
    pub layer_b: String,
    /// Word model of the one.
    pub words_a: String,
    /// Of the other.
    pub words_b: String,
    /// 2 vs. 2 accuracy of the one.
    pub accuracy_a: f64,
    /// Of the other.
    pub accuracy_b: f64,
    /// a - b.
    pub difference: f64,
    /// Lower end of its 95 % interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Draws of the multiplier bootstrap.
    pub resamples: u64,
    /// Two-sided, of no difference.
    pub p_value: f64,
    /// The same against the maximum over the layers of the two curves.
    pub p_fwer: f64,
    /// `concepts`, `groups` or `both`: what other experiments would have other ones of.
    pub over: String,
}

impl Table for ComparisonRow {
    const NAME: &'static str = COMPARE;
}

impl Table for WithinRow {
    const NAME: &'static str = "within";
}

impl ResultsDir {
    /// `networks.json`: what a sweep was asked for, and its table.
    pub fn networks(&self) -> PathBuf {
        self.root().join("networks.json")
    }

    /// Whether no file of somebody else's has the name of a figure of all networks with one of these word models.
    ///
    /// # Errors
    /// [`ClaimError::NotOurs`]
    pub fn check_networks_figures<'a>(&self, words: impl Iterator<Item = &'a str>) -> Result<(), ClaimError> {
        // Without a record nothing says whose they are.
        let Some(record) = read_json::<Value>(&self.networks()) else { return Ok(()) };
        let own = self.networks_figures(&record);
        let mut files = words.flat_map(|words| figure_files(self, &networks_figure(words)));
        match files.find(|path| path.symlink_metadata().is_ok() && !own.contains(path)) {
            Some(path) => Err(ClaimError::NotOurs(path)),
            None => Ok(()),
        }
    }

    /// The files of the figures of all networks, by the record of their sweep.
    fn networks_figures(&self, record: &Value) -> Vec<PathBuf> {
        let words = record["config"]["words"].as_array().into_iter().flatten();
        let figures = words.filter_map(|model| Some(networks_figure(model["name"].as_str()?)));
        figures.flat_map(|stem| figure_files(self, &stem)).collect()
    }

    /// Removes what was made of all networks; their own results stay.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove_networks(&self) -> Result<(), FileError> {
        let tables = [NETWORKS, "accuracy"].map(|name| self.table(name));
        let figures = self.networks_figures(&read_json(&self.networks()).unwrap_or_default());
        let all: Vec<PathBuf> = tables.into_iter().chain(figures).chain([self.page()]).collect();
        remove(all.iter())
    }

    /// `compare.json`: what was compared, and how.
    pub fn comparison(&self) -> PathBuf {
        self.root().join("compare.json")
    }

    /// Whether a comparison of semgpu's lies here, whole or not: its table is written first, its record last.
    pub fn holds_comparison(&self) -> bool {
        let record = || read_json::<Value>(&self.comparison());
        let begins = || BufReader::new(files::open(&self.table(COMPARE)).ok()?).lines().next()?.ok();
        begins().is_some_and(|header| header.starts_with("curve_a,"))
            || record().is_some_and(|record| record["semgpu"].is_string() && record["runs"].is_array())
    }

    /// Removes a comparison, if there is one.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove_comparison(&self) -> Result<(), FileError> {
        if !self.holds_comparison() {
            return Ok(());
        }
        let tables = [COMPARE, "within"].map(|name| self.table(name));
        let figures = COMPARE_FIGURES.iter().flat_map(|stem| figure_files(self, stem));
        let all: Vec<PathBuf> = figures.chain([self.page(), self.comparison()]).chain(tables).collect();
        remove(all.iter())
    }
}
