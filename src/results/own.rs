//! What in a directory is semgpu's own: the names that its results take, and whether one of them is somebody else's file.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::Results;
use super::claim::{ClaimError, remove_files};
use super::directory::{ResultsDir, figure_name};
use super::ledger::{Ledger, Records, Written, figure_files};
use crate::error::FileError;
use crate::files;
use crate::stats::alignment::Measure;

/// What figures and pages say near their beginning, each as its format says such things: where no list has them, they are
/// known by it.
pub(crate) const MADE: &str = "made by semgpu";

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
const FIGURES: [(&str, Each); 14] = [
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
    /// with this network, these layers and word models; with `answers` that of the network's answers, too.
    ///
    /// # Errors
    /// [`ClaimError::NotOurs`]
    pub fn check_named(&self, network: &str, layers: &[&str], words: &[&str], answers: bool) -> Result<(), ClaimError> {
        let layers = layers.iter().flat_map(|layer| [self.layer_rsm(layer), self.layer_scales(layer)]);
        let models = words.iter().flat_map(|words| [self.words_rsm(words), self.words_scales(words)]);
        let matrices: Vec<PathBuf> = layers.chain(models).chain(answers.then(|| self.answers())).collect();
        let figures = figures_of(network, words).into_iter().flat_map(|stem| figure_files(self, &stem));
        none_of_others(self.fixed().into_iter().chain(matrices.clone()).chain(figures), || {
            let records = Records::read(self);
            // Where a list is gone or damaged, nothing says whose a matrix is.
            if records.lost_list() { [self.own(&records), matrices].concat() } else { self.own(&records) }
        })
    }

    /// Whether neither the page nor one of these figures is somebody else's, by their files' names without the ending: of a
    /// list that was lost, those that say that semgpu made them are its own.
    ///
    /// # Errors
    /// [`ClaimError::NotOurs`]
    pub fn check_figures<'a>(&self, stems: impl Iterator<Item = &'a str>) -> Result<(), ClaimError> {
        let files: Vec<PathBuf> = stems.flat_map(|stem| figure_files(self, stem)).chain([self.page()]).collect();
        none_of_others(files.clone(), || {
            let records = Records::read(self);
            let marked = files.into_iter().filter(|path| !records.is_whole() && is_marked(path));
            self.own(&records).into_iter().chain(marked).collect()
        })
    }

    /// Removes those of the figures that are semgpu's own by its records, by their files' names without the ending.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove_figures(&self, stems: &[String]) -> Result<(), FileError> {
        let own = Records::read(self).written(self).results;
        let files = stems.iter().flat_map(|stem| figure_files(self, stem)).filter(|path| own.contains(path));
        remove_files(files)?;
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

    /// What semgpu wrote here, by its records. What is of several runs is its own here: whether it may be replaced,
    /// [`Self::check_experiment`] says.
    fn own(&self, records: &Records) -> Vec<PathBuf> {
        let Written { matrices, results } = records.written(self);
        [matrices, results, self.written_of_comparison(), self.written_of_networks()].concat()
    }
}

/// Whether a figure or a page says that semgpu made it.
pub(crate) fn is_marked(path: &Path) -> bool {
    /// Within so many bytes.
    const NEAR: u64 = 512;
    let mut begins = Vec::new();
    let read = files::open(path).and_then(|file| file.take(NEAR).read_to_end(&mut begins));
    read.is_ok() && begins.windows(MADE.len()).any(|part| part == MADE.as_bytes())
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
        let check = || directory.check_named("net", &["conv1"], &["GloVe"], true).map_err(|error| error.to_string());
        let names = ["rsm/conv1.npy", "rsm/words.GloVe.npy", "rsm/words.scales.GloVe.npy"];
        let figures = ["accuracy_net", "uncertainty_net_GloVe", "intervals_net_2v2", "alignment_net_GloVe_cka"];
        let figures = figures.map(|stem| format!("figures/{stem}.svg"));
        let mine =
            ["rsm/fc1.npy", "rsm/words.Other.npy", "figures/accuracy_net_for_paper.svg", "figures/rsm_other.png"];
        ["rsm", "figures"].iter().for_each(|folder| std::fs::create_dir(place.path().join(folder)).unwrap());
        mine.iter().for_each(|name| std::fs::write(place.path().join(name), "mine").unwrap());
        let mut ledger = Ledger::default();
        ledger.write(&directory).unwrap();
        assert_eq!(check(), Ok(()));
        for name in names.iter().copied().chain(figures.iter().map(String::as_str)) {
            let path = place.path().join(name);
            std::fs::write(&path, "mine").unwrap();
            let said = check().unwrap_err();
            assert!(said.contains(&format!("{}: semgpu did not write", path.display())) && said.contains("move it"));
            // Without a list nothing says whose a matrix is; without a record too nobody's results are here.
            std::fs::remove_file(directory.finished()).unwrap();
            assert!(check().unwrap_err().contains("semgpu did not write"));
            std::fs::write(directory.record(), r#"{"semgpu": "0", "command": "run"}"#).unwrap();
            assert_eq!(check().is_ok(), name.starts_with("rsm/"), "{name}");
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
        assert!(left.figures.is_empty() && directory.layer_rsm("conv1").exists());
        mine.iter().for_each(|name| assert!(place.path().join(name).exists(), "{name}"));
    }

    #[test]
    fn figures_and_pages_that_no_list_has_are_known_by_what_they_say() {
        let place = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(place.path());
        std::fs::create_dir(directory.figures()).unwrap();
        let [figure, other] = ["accuracy_net", "accuracy_net_mine"].map(|stem| directory.figures().join(stem));
        let [figure, other] = [figure, other].map(|path| path.with_extension("svg"));
        let drawn = |path: &Path| std::fs::write(path, format!("<!-- {MADE} -->\n<svg/>")).unwrap();
        let plot = || directory.check_figures(["accuracy_net"].into_iter());
        let run = || directory.check_named("net", &["conv1"], &["GloVe"], true);
        // Where no record is left a run has no directory, but what is there can be drawn again.
        for path in [&figure, &directory.page()] {
            drawn(path);
            assert!(plot().is_ok() && run().is_err(), "{}", path.display());
            std::fs::write(path, "mine").unwrap();
            assert!(matches!(plot(), Err(ClaimError::NotOurs(found)) if found == *path));
            std::fs::remove_file(path).unwrap();
        }
        // Where a record is, its figures go with their results, and copies of them stay.
        let record = r#"{"semgpu": "0", "command": "run", "network": {"name": "net"}, "config": {"words": []}}"#;
        std::fs::write(directory.record(), record).unwrap();
        [&figure, &other].into_iter().for_each(|path| drawn(path));
        assert!(plot().is_ok() && run().is_ok());
        directory.remove_results().unwrap();
        assert!(!figure.exists() && other.exists());
        std::fs::write(directory.record(), record).unwrap();
        std::fs::write(&figure, "mine").unwrap();
        assert!(plot().is_err() && run().is_err());
        directory.remove_results().unwrap();
        assert!(figure.exists() && !directory.record().exists());
        // A list that was not lost has all of them.
        std::fs::remove_file(&figure).unwrap();
        drop(directory.claim("run", "experiment", false).unwrap());
        drawn(&figure);
        assert!(plot().is_err() && run().is_err());
    }

    #[test]
    fn answers_that_are_not_written_are_in_nobodys_way() {
        let place = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(place.path());
        std::fs::create_dir(directory.matrices()).unwrap();
        std::fs::write(directory.answers(), "mine").unwrap();
        let check = |answers| directory.check_named("net", &["conv1"], &["GloVe"], answers).is_ok();
        // Before a run, with its list, and beside a record alone.
        assert_eq!([true, false].map(check), [false, true]);
        drop(directory.claim("run", "experiment", true).unwrap());
        assert_eq!([true, false].map(check), [false, true]);
        std::fs::remove_file(directory.finished()).unwrap();
        let record = r#"{"semgpu": "0", "command": "run"}"#;
        std::fs::write(directory.record(), record).unwrap();
        directory.clear("run").unwrap();
        assert!(!directory.record().exists() && directory.answers().exists());
    }

    #[test]
    fn figures_of_before_are_removed_where_they_are_listed() {
        let place = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(place.path());
        std::fs::create_dir(directory.figures()).unwrap();
        Ledger::default().write(&directory).unwrap();
        let stems = ["architecture_a", "architecture_b"].map(String::from);
        let files = || stems.each_ref().map(|stem| directory.figures().join(format!("{stem}.svg")));
        files().iter().for_each(|path| std::fs::write(path, "a figure").unwrap());
        Ledger::enlist_figures(&directory, ["architecture_a", "accuracy_a"].into_iter()).unwrap();
        directory.remove_figures(&stems).unwrap();
        assert_eq!(files().map(|path| path.exists()), [false, true]);
        assert_eq!(Ledger::read(&directory).figures.into_iter().collect::<Vec<_>>(), ["accuracy_a"]);
    }

    #[test]
    fn a_name_that_results_always_have_is_semgpus_once_it_is_listed() {
        let place = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(place.path());
        let check = || directory.check_named("net", &["conv1"], &["GloVe"], true).map_err(|error| error.to_string());
        // As a run leaves it that was ended before its first matrix.
        drop(directory.claim("run", "experiment", false).unwrap());
        let begun = Ledger::read(&directory);
        let all = || [directory.fixed(), vec![directory.answers()]].concat();
        for path in all() {
            std::fs::write(&path, "mine").unwrap();
            assert!(check().unwrap_err().contains(&format!("{}: semgpu did not write", path.display())));
            // Of versions that listed none.
            Ledger { files: None, ..begun.clone() }.write(&directory).unwrap();
            assert_eq!(check().is_ok(), path != directory.answers(), "{}", path.display());
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
        std::fs::remove_file(directory.answers()).unwrap();
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
        let check = || directory.check_named("net", &["conv1"], &["GloVe"], true);
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
            let Written { matrices, results } = Records::read(&directory).written(&directory);
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
        assert!(list.figures.is_empty() && list.files.is_some());
        assert!(!directory.page().exists());
    }
}
