//! `rsm/finished.json`: whose results lie in a directory, and which of its matrices are computed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::directory::WORDS;
use super::own::{figures_of, is_marked};
use super::{Results, ResultsDir, read_json, write_json};
use crate::checksum;
use crate::error::FileError;

/// The list of a directory's matrices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Ledger {
    /// `run` or `test`.
    #[serde(default)]
    pub command: String,
    /// Names the experiment.
    pub key: String,
    /// What the key is of, part by part, where that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<(String, Value)>,
    /// By file, the checksum of each group's values; none where a group is not computed. Layers that a later run of the
    /// experiment does not ask for stay listed; matrices that are written in one go have no checksums.
    pub groups: BTreeMap<String, Vec<Option<String>>>,
    /// The figures that were drawn, by their files' names without the ending.
    #[serde(default)]
    pub figures: BTreeSet<String>,
    /// Tables, lists, page and record, by their paths in the directory; none in lists of versions that kept none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeSet<String>>,
}

impl Ledger {
    /// The list of a directory; one that is not there or damaged lists nothing.
    pub fn read(directory: &ResultsDir) -> Self {
        read_json(&directory.finished()).unwrap_or_default()
    }

    /// Whether a group of a file is listed as computed.
    pub fn has(&self, file: &str, group: usize) -> bool {
        self.groups.get(file).and_then(|groups| groups.get(group)).is_some_and(Option::is_some)
    }

    /// Whether the files of all figures are there that were drawn.
    pub fn figures_are_there(&self, directory: &ResultsDir) -> bool {
        self.figures.iter().flat_map(|stem| figure_files(directory, stem)).all(|path| path.is_file())
    }

    /// # Errors
    /// It cannot be written.
    pub fn write(&self, directory: &ResultsDir) -> Result<(), FileError> {
        write_json(&directory.finished(), self)
    }

    /// SHA-256 of the tables, matrices and lists of a directory, by their paths in it.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub fn sums(directory: &ResultsDir) -> Result<BTreeMap<String, String>, FileError> {
        let tables = Results::NAMES.iter().map(|name| directory.table(name));
        let ledger = Self::read(directory);
        let matrices = ledger.groups.keys().filter(|name| is_matrix(name)).map(|name| directory.matrices().join(name));
        let files = tables.chain(matrices).chain(directory.lists()).filter(|path| path.is_file());
        files.map(|path| Ok((directory.below(&path), checksum::sha256(&path)?))).collect()
    }

    /// Adds matrices, by their files' names, before they are written: a file that is not listed is none of semgpu's.
    ///
    /// # Errors
    /// The list cannot be written.
    pub fn enlist(&mut self, directory: &ResultsDir, names: impl Iterator<Item = String>) -> Result<(), FileError> {
        let before = self.groups.len();
        for name in names {
            self.groups.entry(name).or_default();
        }
        if self.groups.len() == before { Ok(()) } else { self.write(directory) }
    }

    /// The same of figures, by their files' names without the ending, where there is a list.
    ///
    /// # Errors
    /// The list cannot be written.
    pub fn enlist_figures<'a>(directory: &ResultsDir, stems: impl Iterator<Item = &'a str>) -> Result<(), FileError> {
        Self::extend(directory, |ledger| Some(&mut ledger.figures), stems.map(str::to_string))
    }

    /// The same of tables, lists, page and record.
    ///
    /// # Errors
    /// The list cannot be written.
    pub(super) fn enlist_files(directory: &ResultsDir, paths: impl Iterator<Item = PathBuf>) -> Result<(), FileError> {
        Self::extend(directory, |ledger| ledger.files.as_mut(), paths.map(|path| directory.below(&path)))
    }

    fn extend(
        directory: &ResultsDir,
        list: impl Fn(&mut Self) -> Option<&mut BTreeSet<String>>,
        names: impl Iterator<Item = String>,
    ) -> Result<(), FileError> {
        let Some(mut ledger) = read_json::<Self>(&directory.finished()) else { return Ok(()) };
        let Some(listed) = list(&mut ledger) else { return Ok(()) };
        let before = listed.len();
        listed.extend(names);
        if listed.len() == before { Ok(()) } else { ledger.write(directory) }
    }

    /// Takes out figures, which were removed.
    ///
    /// # Errors
    /// The list cannot be written.
    pub(super) fn without_figures(directory: &ResultsDir, stems: &[String]) -> Result<(), FileError> {
        let mut ledger = Self::read(directory);
        let before = ledger.figures.len();
        ledger.figures.retain(|stem| !stems.contains(stem));
        if ledger.figures.len() == before { Ok(()) } else { ledger.write(directory) }
    }

    /// The list without what is made of the layers' matrices.
    pub(super) fn without_results(mut self) -> Self {
        self.groups.retain(|name, _| !is_words(name));
        Self { figures: BTreeSet::new(), files: Some(BTreeSet::new()), ..self }
    }
}

/// Which files of a directory are not those whose SHA-256 its `record` has, in words; none where all are, or are not there.
pub fn altered(files: &BTreeMap<String, String>, directory: &ResultsDir, record: &Path) -> Option<String> {
    let is_other = |(name, sum): &(&String, &String)| {
        let path = directory.root().join(name);
        path.exists() && checksum::sha256(&path).ok().as_ref() != Some(*sum)
    };
    let names: Vec<&str> = files.iter().filter(is_other).map(|(name, _)| name.as_str()).collect();
    let them = if names.len() == 1 { "it" } else { "them" };
    (!names.is_empty()).then(|| {
        format!(
            "{}: not as semgpu wrote {them}, by the SHA-256 in {}; the command that made the results makes {them} again",
            names.join(", "),
            record.file_name().unwrap_or_default().display()
        )
    })
}

/// What a directory says of itself.
pub(super) struct Records {
    /// The list of its matrices, if it can be read.
    pub ledger: Option<Ledger>,
    /// `run.json`, if it is a record of semgpu's.
    pub record: Option<Value>,
    /// Whether there is a list, also one that cannot be read.
    is_listed: bool,
}

/// The files of a directory that semgpu wrote, by its own records.
#[derive(Default)]
pub(super) struct Written {
    /// Matrices of layers, answers, and the list of them.
    pub matrices: Vec<PathBuf>,
    /// Everything that is made of them, the record last.
    pub results: Vec<PathBuf>,
}

impl Records {
    pub fn read(directory: &ResultsDir) -> Self {
        let list = directory.finished();
        let is_listed = list.symlink_metadata().is_ok();
        Self { ledger: read_json(&list), record: record(directory), is_listed }
    }

    /// Whether a list or a record says that a run or a test was here: without both, nothing is theirs.
    pub fn is_known(&self) -> bool {
        self.is_listed || self.record.is_some()
    }

    /// Whether the list has all that semgpu wrote beside the matrices: none of it is of a list that was lost.
    pub fn is_whole(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| ledger.files.is_some())
    }

    /// The commands that the list and the record are of.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        let listed = self.ledger.as_ref().map(|ledger| ledger.command.as_str());
        let recorded = self.record.as_ref().and_then(|record| record["command"].as_str());
        listed.into_iter().chain(recorded).filter(|command| !command.is_empty())
    }

    /// What names the experiment whose results are here: nothing where a record does not say it, none where there are none.
    pub fn experiment(&self) -> Option<&str> {
        let listed = self.ledger.as_ref().map(|ledger| ledger.key.as_str()).filter(|key| !key.is_empty());
        let recorded = self.record.as_ref().map(|record| {
            let of_test = record["experiment"].as_str();
            of_test.or(record["checksums"]["similarity"].as_str()).unwrap_or_default()
        });
        listed.or(recorded)
    }

    /// Whether a list was here that is gone or cannot be read.
    pub fn lost_list(&self) -> bool {
        self.is_known() && self.ledger.is_none()
    }

    /// That the list is there and cannot be read, in words; none where it can.
    pub fn damaged(&self, directory: &ResultsDir) -> Option<String> {
        let is_damaged = self.is_listed && self.ledger.is_none();
        let list = directory.finished();
        is_damaged.then(|| format!("{}: damaged, so nothing says which matrices are finished", list.display()))
    }

    pub fn written(&self, directory: &ResultsDir) -> Written {
        if !self.is_known() {
            return Written::default();
        }
        let nothing = (Ledger::default(), Value::Null);
        let ledger = self.ledger.as_ref().unwrap_or(&nothing.0);
        let record = self.record.as_ref().unwrap_or(&nothing.1);
        // A list that was lost since begins anew; the record has what was there when it was written.
        let files = record["files"].as_object().into_iter().flat_map(|files| files.keys());
        let recorded = files.filter_map(|name| name.strip_prefix("rsm/"));
        let listed: BTreeSet<&str> = ledger.groups.keys().map(String::as_str).chain(recorded).collect();
        let listed = listed.into_iter().filter(|name| is_matrix(name));
        let (words, layers): (Vec<&str>, Vec<&str>) = listed.partition(|name| is_words(name));
        let at = |name: &&str| directory.matrices().join(name);
        let mut matrices: Vec<PathBuf> = layers.iter().map(at).collect();
        let read = |side: &'static str| {
            let read = record["read"].as_array().into_iter().flatten().filter(move |read| read["side"] == side);
            read.filter_map(|read| read["name"].as_str())
        };
        matrices.extend(read("images").map(|name| directory.layer_rsm(name)));
        matrices.push(directory.finished());

        let mut results: Vec<PathBuf> = words.iter().map(at).collect();
        let models = record["config"]["words"].as_array().into_iter().flatten();
        let models: Vec<&str> = models.filter_map(|model| model["name"].as_str()).collect();
        results.extend(models.iter().map(|name| directory.words_rsm(name)));
        results.extend(ledger.figures.iter().flat_map(|stem| figure_files(directory, stem)));
        // Of a list that was lost those are known that the record makes and that say so.
        let network = record["network"]["name"].as_str().or(record["config"]["network"].as_str());
        let models: Vec<&str> = models.into_iter().chain(read("words")).collect();
        let stems = network.filter(|_| !self.is_whole()).map_or_else(Vec::new, |network| figures_of(network, &models));
        let figures = stems.iter().flat_map(|stem| figure_files(directory, stem));
        results.extend(figures.filter(|path| is_marked(path)));
        // Without a list all are semgpu's, but the tables and lists beside a record of such, which has all that were written with it.
        let is_recorded = |name: &str| record["files"].get(name).is_some();
        let fixed = directory.fixed();
        let recorded: BTreeSet<_> =
            fixed.iter().filter(|path| is_recorded(&directory.below(path))).map(|path| path.extension()).collect();
        let is_own = |path: &PathBuf| {
            let name = directory.below(path);
            let listed = match &ledger.files {
                Some(files) => files.contains(&name),
                None => !recorded.contains(&path.extension()),
            };
            listed || is_recorded(&name)
        };
        results.extend(fixed.iter().filter(|path| is_own(path)).cloned());
        for files in [&mut matrices, &mut results] {
            files.retain(|path| path.symlink_metadata().is_ok_and(|found| !found.is_dir()));
        }
        Written { matrices, results }
    }
}

/// `run.json`, if it is a record of semgpu's.
pub(super) fn record(directory: &ResultsDir) -> Option<Value> {
    let record: Value = read_json(&directory.record())?;
    (record["semgpu"].is_string() && record["command"].is_string()).then_some(record)
}

/// A name of a file in the directory of matrices: a list that another program changed leads nowhere else.
fn is_matrix(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) && name.ends_with(".npy")
}

fn is_words(name: &str) -> bool {
    name.starts_with(WORDS)
}

/// The files of a figure: PNG, SVG and PDF.
pub(crate) fn figure_files(directory: &ResultsDir, stem: &str) -> [PathBuf; 3] {
    // A list that another program changed leads nowhere else.
    let name = Path::new(stem).file_name().unwrap_or_default().to_string_lossy().into_owned();
    ["png", "svg", "pdf"].map(|ending| directory.figures().join(format!("{name}.{ending}")))
}
