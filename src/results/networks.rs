//! What is made of several runs: of a sweep, in a folder for each network, and beside them what is of all; a comparison.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::claim::{COMPARE, ClaimError, remove_files};
use super::ledger::figure_files;
use super::own::{is_marked, none_of_others};
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

    /// Whether no file of somebody else's has the name of what is made of all networks, with these word models.
    ///
    /// # Errors
    /// [`ClaimError::NotOurs`]
    pub fn check_networks<'a>(&self, words: impl Iterator<Item = &'a str>) -> Result<(), ClaimError> {
        if self.networks().symlink_metadata().is_ok() && !self.holds_sweep() {
            return Err(ClaimError::NotOurs(self.networks()));
        }
        none_of_others(self.of_networks(words), || self.written_of_networks())
    }

    /// Whether a sweep of semgpu's lies here, announced, begun or finished: its record is written first.
    pub(super) fn holds_sweep(&self) -> bool {
        self.sweep_record().is_some()
    }

    /// `networks.json`, if it is a record of semgpu's, of whatever version.
    fn sweep_record(&self) -> Option<Value> {
        let record: Value = read_json(&self.networks())?;
        (record["semgpu"].is_string() && record["finished"].is_boolean()).then_some(record)
    }

    /// What is made of all networks, with these word models.
    fn of_networks<'a>(&self, words: impl Iterator<Item = &'a str>) -> Vec<PathBuf> {
        let figures = words.flat_map(|words| figure_files(self, &networks_figure(words)));
        [NETWORKS, "accuracy"].map(|name| self.table(name)).into_iter().chain(figures).chain([self.page()]).collect()
    }

    /// What was made of all networks, by the record of their sweep; nothing where there is none.
    pub(super) fn written_of_networks(&self) -> Vec<PathBuf> {
        let Some(record) = self.sweep_record() else { return Vec::new() };
        let words = record["config"]["words"].as_array().into_iter().flatten();
        let is_begun = record["announced"] != true;
        if is_begun { self.of_networks(words.filter_map(|model| model["name"].as_str())) } else { Vec::new() }
    }

    /// Removes what was made of all networks; their own results stay.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove_networks(&self) -> Result<(), FileError> {
        remove_files(self.written_of_networks())
    }

    /// `compare.json`: what was compared, and how.
    pub fn comparison(&self) -> PathBuf {
        self.root().join("compare.json")
    }

    /// Whether a comparison of semgpu's lies here, whole or not: its table is written first, its record last.
    pub fn holds_comparison(&self) -> bool {
        let record = || read_json::<Value>(&self.comparison());
        begins(&self.table(COMPARE), "curve_a,")
            || record().is_some_and(|record| record["semgpu"].is_string() && record["runs"].is_array())
    }

    /// Removes a comparison, if there is one.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove_comparison(&self) -> Result<(), FileError> {
        remove_files(self.written_of_comparison())
    }

    /// Whether no file of somebody else's has the name of what a comparison makes.
    ///
    /// # Errors
    /// [`ClaimError::NotOurs`]
    pub fn check_comparison(&self) -> Result<(), ClaimError> {
        none_of_others(self.of_comparison(), || self.written_of_comparison())
    }

    /// The tables of a comparison.
    pub fn comparison_tables(&self) -> [PathBuf; 2] {
        [COMPARE, "within"].map(|name| self.table(name))
    }

    /// What a comparison makes: its tables are written first and removed last.
    fn of_comparison(&self) -> Vec<PathBuf> {
        let figures = COMPARE_FIGURES.iter().flat_map(|stem| figure_files(self, stem));
        figures.chain([self.page(), self.comparison()]).chain(self.comparison_tables()).collect()
    }

    /// What was made of a comparison, and nothing where there is none: where no record says what, files say it themselves.
    pub(super) fn written_of_comparison(&self) -> Vec<PathBuf> {
        if !self.holds_comparison() {
            return Vec::new();
        }
        let record: Value = read_json(&self.comparison()).unwrap_or_default();
        let mut all = self.of_comparison();
        let is_own = |path: &PathBuf| match record["files"].as_array() {
            Some(files) => files.iter().any(|name| *name == self.below(path)),
            None => begins(path, "curve") || is_marked(path),
        };
        all.retain(|path| *path == self.comparison() || is_own(path));
        all
    }
}

/// Whether a text begins so.
fn begins(path: &Path, with: &str) -> bool {
    let mut first = Vec::new();
    let read = files::open(path).and_then(|file| file.take(with.len() as u64).read_to_end(&mut first));
    read.is_ok() && first == with.as_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::results::{MADE, write_json};

    fn refused(checked: Result<(), ClaimError>, path: &Path) -> bool {
        matches!(checked, Err(ClaimError::NotOurs(found)) if found == path)
    }

    #[test]
    fn an_announced_sweep_has_made_nothing_of_all_networks() {
        let place = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(place.path());
        std::fs::create_dir(directory.figures()).unwrap();
        let check = || directory.check_networks(["GloVe"].into_iter());
        let config = json!({"words": [{"name": "GloVe"}]});
        let record = json!({"semgpu": "0", "config": config, "finished": false, "announced": true});
        write_json(&directory.networks(), &record).unwrap();
        assert!(check().is_ok());
        for path in directory.of_networks(["GloVe"].into_iter()) {
            std::fs::write(&path, "mine").unwrap();
            assert!(refused(check(), &path), "{}", path.display());
            directory.remove_networks().unwrap();
            assert!(path.exists());
            std::fs::remove_file(&path).unwrap();
        }
        // Of one that is begun, or of a version that did not say, they are its own.
        let record = json!({"semgpu": "0", "config": config, "finished": false});
        write_json(&directory.networks(), &record).unwrap();
        let [own, other] = ["GloVe", "Other"].map(|words| figure_files(&directory, &networks_figure(words))[0].clone());
        [&own, &other].into_iter().for_each(|path| std::fs::write(path, "whose").unwrap());
        assert!(check().is_ok() && refused(directory.check_networks(["Other"].into_iter()), &other));
        directory.remove_networks().unwrap();
        assert!(!own.exists() && other.exists());
    }

    #[test]
    fn a_file_of_others_with_the_name_of_a_sweeps_record_makes_no_directory_semgpus() {
        let place = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(place.path());
        let check = || directory.check_networks(["GloVe"].into_iter());
        let table = directory.table("accuracy");
        // As a sweep leaves it that was ended before its record.
        std::fs::write(&table, "mine").unwrap();
        assert!(refused(check(), &table));
        for text in ["", "mine", "[1]", r#"{"nodes": [1, 2]}"#, r#"{"semgpu": "0"}"#, r#"{"semgpu": "0", "finish"#] {
            std::fs::write(directory.networks(), text).unwrap();
            assert!(refused(check(), &directory.networks()), "{text}");
            let checked = directory.check([]);
            assert!(
                matches!(checked, Err(ClaimError::Foreign { example, .. }) if example == directory.networks()),
                "{text}"
            );
            directory.remove_networks().unwrap();
            assert_eq!(std::fs::read_to_string(&table).unwrap(), "mine");
        }
    }

    #[test]
    fn a_comparison_takes_nothing_that_it_did_not_make() {
        let place = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(place.path());
        std::fs::create_dir(directory.figures()).unwrap();
        // As one leaves it that was ended before its tables.
        for path in directory.of_comparison() {
            std::fs::write(&path, "mine").unwrap();
            assert!(refused(directory.check_comparison(), &path), "{}", path.display());
            directory.remove_comparison().unwrap();
            assert!(path.exists());
            std::fs::remove_file(&path).unwrap();
        }
        let [table, within] = directory.comparison_tables();
        let steps = figure_files(&directory, COMPARE_FIGURES[2])[0].clone();
        std::fs::write(&table, "curve_a,curve_b\n").unwrap();
        std::fs::write(&steps, "mine").unwrap();
        // Nothing says yet what was made but the figures.
        assert!(refused(directory.check_comparison(), &steps));
        std::fs::write(&steps, MADE).unwrap();
        std::fs::write(&within, "mine").unwrap();
        assert!(refused(directory.check_comparison(), &within));
        std::fs::write(&within, "curve,network\n").unwrap();
        assert!(directory.check_comparison().is_ok());
        std::fs::remove_file(&within).unwrap();
        let record = json!({"semgpu": "0", "runs": [], "files": ["compare.csv", "report.html"]});
        write_json(&directory.comparison(), &record).unwrap();
        assert!(refused(directory.check_comparison(), &steps));
        directory.remove_comparison().unwrap();
        assert!(steps.exists() && !table.exists() && !directory.comparison().exists());
    }
}
