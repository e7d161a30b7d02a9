//! `rsm/finished.json`: whose results lie in a directory, and which of its matrices are computed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::directory::{WORDS, figure_name};
use super::own::FIGURES;
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
    /// The figures that were drawn, by their files' names without the ending; none in lists of versions that kept none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<BTreeSet<String>>,
    /// Tables, lists, page and record, by their paths in the directory; none in lists of versions that kept none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeSet<String>>,
}

impl Ledger {
    /// The list of a directory; one that is not there or damaged lists nothing.
    pub fn read(directory: &ResultsDir) -> Self {
        read_json(&directory.finished()).unwrap_or_default()
    }

    /// Whether the list of a directory is there and can be read.
    pub fn is_kept(directory: &ResultsDir) -> bool {
        read_json::<Self>(&directory.finished()).is_some()
    }

    /// That the list of a directory is there and cannot be read, in words; none where it can.
    pub fn damaged(directory: &ResultsDir) -> Option<String> {
        let path = directory.finished();
        let is_damaged = path.exists() && !Self::is_kept(directory);
        is_damaged.then(|| format!("{}: damaged, so nothing says which matrices are finished", path.display()))
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

    /// The same of figures, by their files' names without the ending, where there is a list of them.
    ///
    /// # Errors
    /// The list cannot be written.
    pub fn enlist_figures<'a>(directory: &ResultsDir, stems: impl Iterator<Item = &'a str>) -> Result<(), FileError> {
        Self::extend(directory, |ledger| ledger.figures.as_mut(), stems.map(str::to_string))
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
        let mut ledger = Self::read(directory);
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
        let Some(listed) = &mut ledger.figures else { return Ok(()) };
        let before = listed.len();
        listed.retain(|stem| !stems.contains(stem));
        if listed.len() == before { Ok(()) } else { ledger.write(directory) }
    }

    /// Takes out what is made of the layers' matrices, which was removed; figures too where a list or record had them.
    ///
    /// # Errors
    /// The list cannot be written.
    pub(super) fn without_results(directory: &ResultsDir, recorded: bool) -> Result<(), FileError> {
        let before = Self::read(directory);
        let unknown = before.figures.is_none() && !recorded && directory.has_figures();
        let figures = (!unknown).then(BTreeSet::new);
        let mut ledger = Self { figures, files: Some(BTreeSet::new()), ..before.clone() };
        ledger.groups.retain(|name, _| !is_words(name));
        if ledger == before { Ok(()) } else { ledger.write(directory) }
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

/// The files of a directory that semgpu wrote, by its own records.
#[derive(Default)]
pub(super) struct Written {
    /// Matrices of layers, answers, and the list of them.
    pub matrices: Vec<PathBuf>,
    /// Everything that is made of them, the record last.
    pub results: Vec<PathBuf>,
}

impl Written {
    pub fn of(directory: &ResultsDir) -> Self {
        if !is_known(directory) {
            return Self::default();
        }
        let ledger = Ledger::read(directory);
        let record = record(directory).unwrap_or_default();
        // A list that was lost since begins anew; the record has what was there when it was written.
        let files = record["files"].as_object().into_iter().flat_map(|files| files.keys());
        let recorded = files.filter_map(|name| name.strip_prefix("rsm/"));
        let listed: BTreeSet<&str> = ledger.groups.keys().map(String::as_str).chain(recorded).collect();
        let listed = listed.into_iter().filter(|name| is_matrix(name));
        let (words, layers): (Vec<&str>, Vec<&str>) = listed.partition(|name| is_words(name));
        let at = |name: &&str| directory.matrices().join(name);
        let mut matrices: Vec<PathBuf> = layers.iter().map(at).collect();
        let read = record["read"].as_array().into_iter().flatten().filter(|read| read["side"] == "images");
        matrices.extend(read.filter_map(|read| read["name"].as_str()).map(|name| directory.layer_rsm(name)));
        matrices.extend(ledger.files.is_none().then(|| directory.answers()));
        matrices.push(directory.finished());

        let mut results: Vec<PathBuf> = words.iter().map(at).collect();
        let models = record["config"]["words"].as_array().into_iter().flatten();
        results.extend(models.filter_map(|model| model["name"].as_str()).map(|name| directory.words_rsm(name)));
        match &ledger.figures {
            Some(stems) => results.extend(stems.iter().flat_map(|stem| figure_files(directory, stem))),
            None => results.extend(figures_of_network(directory, &record)),
        }
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
        Self { matrices, results }
    }
}

/// The figures of the network of a record, of versions that listed none.
fn figures_of_network(directory: &ResultsDir, record: &Value) -> Vec<PathBuf> {
    let network = record["network"]["name"].as_str().or(record["config"]["network"].as_str());
    let Some(network) = network else { return Vec::new() };
    let figures = FIGURES.map(|(figure, _)| format!("{figure}_{}", figure_name(network)));
    let is_one = |path: &PathBuf| {
        let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        let rest = figures.iter().find_map(|figure| stem.strip_prefix(figure.as_str()));
        let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        FIGURE_ENDINGS.contains(&ending) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    let entries = std::fs::read_dir(directory.figures()).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_one).collect()
}

/// Whether a list or a record says that a run or a test was here: without both, nothing is theirs.
pub(super) fn is_known(directory: &ResultsDir) -> bool {
    directory.finished().symlink_metadata().is_ok() || record(directory).is_some()
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

/// What the files of a figure end with.
const FIGURE_ENDINGS: [&str; 3] = ["png", "svg", "pdf"];

/// The files of a figure.
pub(super) fn figure_files(directory: &ResultsDir, stem: &str) -> Vec<PathBuf> {
    // A list that another program changed leads nowhere else.
    let name = Path::new(stem).file_name().unwrap_or_default().to_string_lossy().into_owned();
    FIGURE_ENDINGS.map(|ending| directory.figures().join(format!("{name}.{ending}"))).to_vec()
}
