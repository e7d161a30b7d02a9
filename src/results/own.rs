//! What in a directory is semgpu's own: the names that its results take, and whether one of them is somebody else's file.

use std::path::PathBuf;

use super::Results;
use super::claim::{ClaimError, remove};
use super::directory::{ResultsDir, figure_name};
use super::ledger::{self, Ledger, Written, figure_files};
use crate::error::FileError;
use crate::stats::alignment::Measure;

/// What the names of a figure's files say beside the figure and the network.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Each {
    /// Nothing.
    Network,
    /// A word model.
    Words,
    /// A measure.
    Measure,
    /// Both.
    WordsAndMeasure,
}

/// Every figure, by what the names of its files begin with.
pub(super) const FIGURES: [(&str, Each); 14] = [
    ("accuracy", Each::Network),
    ("uncertainty", Each::Words),
    ("intervals", Each::Measure),
    ("controls", Each::Words),
    ("partition", Each::Network),
    ("matched", Each::Network),
    ("one_vs_two", Each::Network),
    ("layers", Each::Network),
    ("concepts", Each::Words),
    ("confused", Each::Words),
    ("rsm", Each::Network),
    ("alignment", Each::WordsAndMeasure),
    ("measures", Each::Words),
    ("architecture", Each::Network),
];

/// The files of figures of a network with word models, by their names without the ending.
pub(crate) fn figures_of(network: &str, words: &[&str]) -> Vec<String> {
    let words: Vec<String> = words.iter().map(|words| format!("_{}", figure_name(words))).collect();
    let measures = Measure::ALL.map(|measure| format!("_{}", figure_name(measure.name())));
    let both = || words.iter().flat_map(|words| measures.iter().map(move |measure| format!("{words}{measure}")));
    let of = |(figure, each): (&'static str, Each)| {
        let rests = match each {
            Each::Network => vec![String::new()],
            Each::Words => words.clone(),
            Each::Measure => measures.to_vec(),
            Each::WordsAndMeasure => both().collect(),
        };
        rests.into_iter().map(move |rest| format!("{figure}_{}{rest}", figure_name(network)))
    };
    FIGURES.into_iter().flat_map(of).collect()
}

impl ResultsDir {
    /// Whether no file of somebody else's has a name that results always have, or that of a matrix or a figure of an experiment
    /// with this network, these layers and word models.
    ///
    /// # Errors
    /// [`ClaimError::NotOurs`]
    pub fn check_named(&self, network: &str, layers: &[&str], words: &[&str]) -> Result<(), ClaimError> {
        let layers = layers.iter().flat_map(|layer| [self.layer_rsm(layer), self.layer_scales(layer)]);
        let models = words.iter().flat_map(|words| [self.words_rsm(words), self.words_scales(words)]);
        // Where a list is gone or damaged, nothing says whose a file is.
        let is_new = !ledger::is_known(self);
        let (are_listed, are_drawn) = (is_new || Ledger::is_kept(self), is_new || self.lists_figures());
        let matrices = layers.chain(models).chain([self.answers()]).filter(|_| are_listed);
        let stems = figures_of(network, words).into_iter().filter(|_| are_drawn);
        let figures = stems.flat_map(|stem| figure_files(self, &stem));
        self.check_own(self.fixed().into_iter().chain(matrices).chain(figures))
    }

    /// The same of figures, by their files' names without the ending.
    ///
    /// # Errors
    /// [`ClaimError::NotOurs`]
    pub fn check_figures<'a>(&self, stems: impl Iterator<Item = &'a str>) -> Result<(), ClaimError> {
        let are_listed = self.lists_figures();
        self.check_own(stems.filter(|_| are_listed).flat_map(|stem| figure_files(self, stem)))
    }

    /// Removes those of the figures that are semgpu's own by its records, by their files' names without the ending.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove_figures(&self, stems: &[String]) -> Result<(), FileError> {
        let own = Written::of(self).results;
        let files = stems.iter().flat_map(|stem| figure_files(self, stem)).filter(|path| own.contains(path));
        remove(files.collect::<Vec<_>>().iter())?;
        // Where rsm/ is read-only, the list goes on naming what is gone.
        let _ = Ledger::without_figures(self, stems);
        Ok(())
    }

    /// Lists what is about to be written of results, `categories` or not, with their page.
    ///
    /// # Errors
    /// The list cannot be written.
    pub fn enlist_results(&self, results: &Results, categories: bool) -> Result<(), FileError> {
        let tables = results.written().into_iter().map(|name| self.table(name));
        let lists = self.lists().into_iter().take(1 + usize::from(categories));
        Ledger::enlist_files(self, tables.chain(lists).chain([self.page(), self.record()]))
    }

    /// Whether figures are listed at all.
    fn lists_figures(&self) -> bool {
        Ledger::read(self).figures.is_some()
    }

    /// Whether semgpu wrote those of the files that are there. What is of several runs is its own here: whether it may be replaced,
    /// [`Self::check_experiment`] says.
    fn check_own(&self, files: impl Iterator<Item = PathBuf>) -> Result<(), ClaimError> {
        none_of_others(files, || {
            let Written { matrices, results } = Written::of(self);
            [matrices, results, self.written_of_comparison(), self.written_of_networks()].concat()
        })
    }
}

/// Whether those of the files that are there are among semgpu's own, by its records.
pub(super) fn none_of_others(
    files: impl IntoIterator<Item = PathBuf>,
    own: impl FnOnce() -> Vec<PathBuf>,
) -> Result<(), ClaimError> {
    let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
    // Looked up before the records are read, and again: what another process makes meanwhile, it lists first.
    let there: Vec<PathBuf> = files.into_iter().filter(is_there).collect();
    let own = own();
    match there.into_iter().find(|path| !own.contains(path) && is_there(path)) {
        Some(path) => Err(ClaimError::NotOurs(path)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_semgpus_and_what_is_not_somebody_elses() {
        let place = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(place.path());
        let check = || directory.check_named("net", &["conv1"], &["GloVe"]).map_err(|error| error.to_string());
        let names = ["rsm/conv1.npy", "rsm/words.GloVe.npy", "rsm/words.scales.GloVe.npy"];
        let figures = ["accuracy_net", "uncertainty_net_GloVe", "intervals_net_2v2", "alignment_net_GloVe_cka"];
        let figures = figures.map(|stem| format!("figures/{stem}.svg"));
        let mine =
            ["rsm/fc1.npy", "rsm/words.Other.npy", "figures/accuracy_net_for_paper.svg", "figures/rsm_other.png"];
        ["rsm", "figures"].iter().for_each(|folder| std::fs::create_dir(place.path().join(folder)).unwrap());
        mine.iter().for_each(|name| std::fs::write(place.path().join(name), "mine").unwrap());
        let mut ledger = Ledger { figures: Some(Default::default()), ..Ledger::default() };
        ledger.write(&directory).unwrap();
        assert_eq!(check(), Ok(()));
        for name in names.iter().copied().chain(figures.iter().map(String::as_str)) {
            let path = place.path().join(name);
            std::fs::write(&path, "mine").unwrap();
            let said = check().unwrap_err();
            assert!(said.contains(&format!("{}: semgpu did not write", path.display())) && said.contains("move it"));
            // Without a list nothing says whose it is; without a record too nobody's results are here.
            std::fs::remove_file(directory.finished()).unwrap();
            assert!(check().unwrap_err().contains("semgpu did not write"));
            std::fs::write(directory.record(), r#"{"semgpu": "0", "command": "run"}"#).unwrap();
            assert_eq!(check(), Ok(()));
            std::fs::remove_file(directory.record()).unwrap();
            ledger.write(&directory).unwrap();
            match name.strip_prefix("rsm/") {
                Some(matrix) => ledger.enlist(&directory, std::iter::once(matrix.to_string())).unwrap(),
                None => Ledger::enlist_figures(&directory, std::iter::once(&name[8..name.len() - 4])).unwrap(),
            }
            ledger = Ledger::read(&directory);
            assert_eq!(check(), Ok(()), "{name}");
        }
        // A list that was lost and begun anew, beside the record.
        let record = r#"{"semgpu": "0", "command": "run", "files": {"rsm/conv1.npy": "", "rsm/words.GloVe.npy": ""}}"#;
        std::fs::write(directory.record(), record).unwrap();
        let [conv, words] = ["conv1.npy", "words.GloVe.npy"].map(|name| ledger.groups.remove_entry(name).unwrap());
        ledger.write(&directory).unwrap();
        assert_eq!(check(), Ok(()));
        std::fs::remove_file(directory.record()).unwrap();
        assert!(check().unwrap_err().contains("conv1.npy"));
        // A table that the record does not have.
        std::fs::write(directory.record(), record.replace("\"rsm/conv1", "\"accuracy.csv\": \"\", \"rsm/conv1"))
            .unwrap();
        std::fs::write(place.path().join("intervals.csv"), "mine").unwrap();
        assert!(check().unwrap_err().contains("intervals.csv: semgpu did not write"));
        std::fs::remove_file(place.path().join("intervals.csv")).unwrap();
        // A list of categories that the record does not have beside that of concepts.
        let [concepts, categories] = directory.lists();
        std::fs::write(directory.record(), record.replace("\"rsm/conv1", "\"rsm/concepts.txt\": \"\", \"rsm/conv1"))
            .unwrap();
        std::fs::write(&concepts, "own").unwrap();
        assert_eq!(check(), Ok(()));
        std::fs::write(&categories, "mine").unwrap();
        assert!(check().unwrap_err().contains("categories.txt: semgpu did not write"));
        assert_eq!(directory.categories().unwrap(), [""; 0]);
        std::fs::write(directory.record(), record).unwrap();
        assert_eq!((check(), directory.categories().unwrap()), (Ok(()), vec!["mine".to_string()]));
        [concepts, categories].iter().for_each(|list| std::fs::remove_file(list).unwrap());
        std::fs::remove_file(directory.record()).unwrap();
        ledger.groups.extend([conv, words]);
        ledger.write(&directory).unwrap();
        // What was removed is no longer listed.
        directory.remove_results().unwrap();
        let left = Ledger::read(&directory);
        assert_eq!(left.groups.into_keys().collect::<Vec<_>>(), ["conv1.npy"]);
        assert!(left.figures.unwrap().is_empty() && directory.layer_rsm("conv1").exists());
        mine.iter().for_each(|name| assert!(place.path().join(name).exists(), "{name}"));
    }

    #[test]
    fn figures_of_before_are_removed_where_they_are_listed() {
        let place = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(place.path());
        std::fs::create_dir(directory.figures()).unwrap();
        Ledger { figures: Some(Default::default()), ..Ledger::default() }.write(&directory).unwrap();
        let stems = ["architecture_a", "architecture_b"].map(String::from);
        let files = || stems.each_ref().map(|stem| directory.figures().join(format!("{stem}.svg")));
        files().iter().for_each(|path| std::fs::write(path, "a figure").unwrap());
        Ledger::enlist_figures(&directory, ["architecture_a", "accuracy_a"].into_iter()).unwrap();
        directory.remove_figures(&stems).unwrap();
        assert_eq!(files().map(|path| path.exists()), [false, true]);
        assert_eq!(Ledger::read(&directory).figures.unwrap().into_iter().collect::<Vec<_>>(), ["accuracy_a"]);
    }

    #[test]
    fn a_name_that_results_always_have_is_semgpus_once_it_is_listed() {
        let place = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(place.path());
        let check = || directory.check_named("net", &["conv1"], &["GloVe"]).map_err(|error| error.to_string());
        // As a run leaves it that was ended before its first matrix.
        drop(directory.claim("run", "experiment", false).unwrap());
        let begun = Ledger::read(&directory);
        let all = || [directory.fixed(), vec![directory.answers()]].concat();
        for path in all() {
            std::fs::write(&path, "mine").unwrap();
            assert!(check().unwrap_err().contains(&format!("{}: semgpu did not write", path.display())));
            // Of versions that listed none.
            Ledger { files: None, ..begun.clone() }.write(&directory).unwrap();
            assert_eq!(check(), Ok(()), "{}", path.display());
            begun.write(&directory).unwrap();
            std::fs::remove_file(&path).unwrap();
        }
        directory.enlist_results(&Results::default(), false).unwrap();
        let answers = directory.answers().file_name().unwrap().to_string_lossy().into_owned();
        Ledger::read(&directory).enlist(&directory, std::iter::once(answers)).unwrap();
        let [_, categories] = directory.lists();
        let unwritten = [categories, directory.table("intervals")];
        for path in all() {
            std::fs::write(&path, "whose").unwrap();
            assert_eq!(check().is_ok(), !unwritten.contains(&path), "{}", path.display());
            if unwritten.contains(&path) {
                std::fs::remove_file(&path).unwrap();
            }
        }
        unwritten.iter().for_each(|path| std::fs::write(path, "mine").unwrap());
        directory.remove_results().unwrap();
        let left: Vec<_> = all().into_iter().filter(|path| path.exists()).collect();
        assert_eq!(left, [directory.table("intervals"), unwritten[0].clone(), directory.answers()]);
        unwritten.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        assert_eq!(check(), Ok(()));
        std::fs::write(directory.page(), "mine").unwrap();
        assert!(check().is_err());
        // Where nothing says that a run was here, a new list has all that is its own.
        std::fs::remove_file(directory.finished()).unwrap();
        drop(directory.claim("run", "experiment", false).unwrap());
        assert!(Ledger::read(&directory) == begun && check().is_err());
        // Beside what is left of a list that was lost nothing says whose it is.
        std::fs::remove_file(directory.finished()).unwrap();
        let record = r#"{"semgpu": "0", "command": "run", "checksums": {"similarity": "experiment"}}"#;
        std::fs::write(directory.record(), record).unwrap();
        drop(directory.claim("run", "experiment", false).unwrap());
        assert_eq!((Ledger::read(&directory).files, check()), (None, Ok(())));
    }

    #[test]
    fn beside_a_lock_or_a_comparison_alone_nothing_is_of_a_run() {
        let place = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(place.path());
        [directory.matrices(), directory.figures()].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        let check = || directory.check_named("net", &["conv1"], &["GloVe"]);
        // As a comparison leaves it that was killed before its tables.
        std::fs::write(directory.lock_file(), "").unwrap();
        assert!(directory.check([]).is_ok() && check().is_ok());
        let taken = || {
            let matrices = [directory.layer_rsm("conv1"), directory.words_rsm("GloVe"), directory.answers()];
            let figures = figure_files(&directory, "accuracy_net");
            directory.fixed().into_iter().chain(matrices).chain(figures)
        };
        let is_mine = |path: &PathBuf| {
            std::fs::write(path, "mine").unwrap();
            let is_refused = matches!(check(), Err(ClaimError::NotOurs(found)) if found == *path);
            let Written { matrices, results } = Written::of(&directory);
            std::fs::remove_file(path).unwrap();
            is_refused && matrices.is_empty() && results.is_empty()
        };
        taken().for_each(|path| assert!(is_mine(&path), "{}", path.display()));
        // A comparison's page is its own.
        let record = r#"{"semgpu": "0", "runs": [], "files": ["compare.csv", "report.html"]}"#;
        std::fs::write(directory.comparison(), record).unwrap();
        std::fs::write(directory.page(), "own").unwrap();
        assert!(check().is_ok());
        for path in taken().filter(|path| *path != directory.page()) {
            assert!(is_mine(&path), "{}", path.display());
        }
        // An experiment begins with a list, though figures of others are there.
        std::fs::write(directory.figures().join("accuracy_net_mine.svg"), "mine").unwrap();
        drop(directory.claim("run", "experiment", true).unwrap());
        let list = Ledger::read(&directory);
        assert!(list.figures.is_some_and(|figures| figures.is_empty()) && list.files.is_some());
        assert!(!directory.page().exists());
    }
}
