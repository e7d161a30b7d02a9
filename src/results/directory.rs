//! The files of a results directory: the one place that knows what they are called.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Results, ledger, lines, write_lines};
use crate::checksum;
use crate::error::FileError;
use crate::names;

/// The list of concepts beside matrices.
pub const CONCEPTS: &str = "concepts.txt";

/// What the names of files of scales begin with, those of word models after this.
const SCALES: &str = "scales.";
pub(super) const WORDS: &str = "words.";

/// What the names of files of a network's scores end with, beside its folder in a sweep's.
pub(crate) const DRAWS: &str = ".draws.safetensors";

/// What the names of files begin with that are being written.
pub(super) const TEMPORARY: &str = ".semgpu-";

/// A directory of results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultsDir {
    root: PathBuf,
}

impl ResultsDir {
    /// The directory at `root`, whether it is there or not.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root: PathBuf = root.into();
        // An empty path names no directory, but files in it would be here.
        Self { root: if root.as_os_str().is_empty() { ".".into() } else { root } }
    }

    /// Where it lies.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `run.json`: what was asked for and how it went.
    pub fn record(&self) -> PathBuf {
        self.root.join("run.json")
    }

    /// `<name>.csv`
    pub fn table(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.csv"))
    }

    /// Names the process that writes into the directory; held by a lock of the system's.
    pub(super) fn lock_file(&self) -> PathBuf {
        self.root.join(".semgpu.lock")
    }

    /// `report.html`
    pub fn page(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// Where the figures lie; [`figure_name`] makes their files' names.
    pub fn figures(&self) -> PathBuf {
        self.root.join("figures")
    }

    /// Where the matrices lie.
    pub fn matrices(&self) -> PathBuf {
        self.root.join("rsm")
    }

    /// A layer's RSMs, f64 `[groups, concepts, concepts]`.
    pub fn layer_rsm(&self, layer: &str) -> PathBuf {
        self.matrices().join(format!("{}.npy", file_name(layer)))
    }

    /// A word model's RSM, f64 `[concepts, concepts]`.
    pub fn words_rsm(&self, words: &str) -> PathBuf {
        self.matrices().join(format!("{WORDS}{}.npy", file_name(words)))
    }

    /// What a layer's RSMs leave out of its vectors, f64 `[groups, concepts, 3]`: mean, standard deviation, units.
    pub fn layer_scales(&self, layer: &str) -> PathBuf {
        scales_of(&self.layer_rsm(layer))
    }

    /// The same of a word model, `[concepts, 3]`.
    pub fn words_scales(&self, words: &str) -> PathBuf {
        scales_of(&self.words_rsm(words))
    }

    /// The class that the network answered to each image, f64 `[groups, concepts]`.
    pub fn answers(&self) -> PathBuf {
        self.matrices().join("predicted_classes.npy")
    }

    /// Which groups of which layers of a run are computed, and for which experiment.
    pub fn finished(&self) -> PathBuf {
        self.matrices().join("finished.json")
    }

    /// The matrices' concepts in order; none where the list is not there.
    ///
    /// # Errors
    /// The list cannot be read, or is no UTF-8.
    pub fn concepts(&self) -> Result<Vec<String>, FileError> {
        lines(&self.matrices().join(CONCEPTS))
    }

    /// The concepts' categories; none where the list is not there, or the record has that of the concepts alone.
    ///
    /// # Errors
    /// As [`Self::concepts`].
    pub fn categories(&self) -> Result<Vec<String>, FileError> {
        let [concepts, categories] = self.lists();
        let record = ledger::record(self).unwrap_or_default();
        let is_recorded = |list: &Path| record["files"].get(self.below(list)).is_some();
        if is_recorded(&concepts) && !is_recorded(&categories) { Ok(Vec::new()) } else { lines(&categories) }
    }

    /// The lists of concepts and of their categories.
    pub(super) fn lists(&self) -> [PathBuf; 2] {
        [CONCEPTS, "categories.txt"].map(|name| self.matrices().join(name))
    }

    /// The files whose names say nothing of what is in them: tables, lists, page and record, which is the last.
    pub(super) fn fixed(&self) -> Vec<PathBuf> {
        let tables = Results::NAMES.iter().map(|name| self.table(name));
        tables.chain(self.lists()).chain([self.page(), self.record()]).collect()
    }

    /// A file's path in the directory, as records have it.
    pub fn below(&self, path: &Path) -> String {
        let parts = path.strip_prefix(&self.root).unwrap_or(path).iter().map(OsStr::to_string_lossy);
        parts.collect::<Vec<_>>().join("/")
    }

    /// Writes the lists that [`Self::concepts`] and [`Self::categories`] read.
    ///
    /// # Errors
    /// A list that cannot be written.
    pub fn write_concepts(&self, concepts: &[String], categories: Option<&[String]>) -> Result<(), FileError> {
        let [concepts_list, categories_list] = self.lists();
        if let Some(categories) = categories {
            write_lines(&categories_list, categories)?;
        }
        write_lines(&concepts_list, concepts)
    }
}

/// A name that somebody chose as part of a matrix's file: nothing in it leads to another directory, and Windows takes its signs.
fn file_name(name: &str) -> String {
    shortened(name.replace(['/', '\\', ':', '*', '?', '"', '<', '>', '|'], "_"), 200, name)
}

/// The part of a file's name that a name makes, in so many bytes: where it has more it ends in the name's checksum. One that is a
/// device's on Windows gets a sign more, on every system: results are moved between them.
fn shortened(part: String, bytes: usize, name: &str) -> String {
    const DIGITS: usize = 16;
    let part = if is_device(&part) { format!("_{part}") } else { part };
    if part.len() <= bytes {
        return part;
    }
    let start = &part[..part.floor_char_boundary(bytes - DIGITS - 1)];
    format!("{start}-{}", &checksum::of_bytes(name.as_bytes())[..DIGITS])
}

/// Whether Windows keeps a name for a device, whatever follows a dot.
fn is_device(name: &str) -> bool {
    let begins = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let is_port = |port| begins.strip_prefix(port).is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit());
    ["con", "prn", "aux", "nul"].contains(&&*begins) || ["com", "lpt"].into_iter().any(is_port)
}

/// Where the scales of a matrix lie, beside it: of `conv1.npy` `scales.conv1.npy`, of `words.GloVe.npy`
/// `words.scales.GloVe.npy`.
pub fn scales_of(matrix: &Path) -> PathBuf {
    let name = matrix.file_name().unwrap_or_default().to_string_lossy();
    matrix.with_file_name(match name.strip_prefix(WORDS) {
        Some(words) => format!("{WORDS}{SCALES}{words}"),
        None => format!("{SCALES}{name}"),
    })
}

/// What a name is of that makes files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A word model.
    Words,
    /// A layer of images.
    Layer,
}

/// Why a name cannot make files, in words that follow it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Clash {
    /// Another one is the same.
    #[error("stands twice")]
    Twice,
    /// A matrix's file, with the name that makes it too.
    #[error(
        "gives the same file in rsm/ as {0:?} (`/ \\ : * ? \" < > |` become `_`, capitals do not count, and scales.x goes with x)"
    )]
    Matrix(String),
    /// A figure's file, with the name that makes it too.
    #[error("gives the same file in figures/ as {0:?} (all but A-Z, a-z, 0-9, `.`, `_` and `-` becomes `_`)")]
    Figure(String),
    /// A layer that would be taken for a word model.
    #[error("begins with `words.`, as the files of word models in rsm/ do")]
    Words,
    /// The file of the network's answers.
    #[error("gives the file of the network's answers, rsm/predicted_classes.npy")]
    Answers,
}

/// The first name with a file that is another one's, or semgpu's own, on some file system: those of Windows and macOS do not
/// tell capitals. With `figures` words have files among these too, as the layers of a word space have not.
pub fn first_clash<'a>(
    words: impl IntoIterator<Item = &'a str>,
    layers: impl IntoIterator<Item = &'a str>,
    figures: bool,
) -> Option<(Named, &'a str, Clash)> {
    // Whichever it is: their names in it are compared.
    let directory = ResultsDir::new("");
    let plain = |file: &Path| names::plain(&file.to_string_lossy()).to_lowercase();
    let of_words = |name| {
        let mut files = vec![directory.words_rsm(name), directory.words_scales(name)];
        files.extend(figures.then(|| directory.figures().join(figure_name(name))));
        (Named::Words, name, files)
    };
    let of_layer = |name| (Named::Layer, name, vec![directory.layer_rsm(name), directory.layer_scales(name)]);
    let mut taken: BTreeMap<String, Option<&str>> = BTreeMap::from([(plain(&directory.answers()), None)]);
    for (of, name, files) in words.into_iter().map(of_words).chain(layers.into_iter().map(of_layer)) {
        if of == Named::Layer && name.to_lowercase().starts_with(WORDS) {
            return Some((of, name, Clash::Words));
        }
        for file in files {
            let clash = match taken.insert(plain(&file), Some(name)) {
                None => continue,
                Some(None) => Clash::Answers,
                Some(Some(other)) if other == name => Clash::Twice,
                Some(Some(other)) if file.starts_with(directory.figures()) => Clash::Figure(other.to_string()),
                Some(Some(other)) => Clash::Matrix(other.to_string()),
            };
            return Some((of, name, clash));
        }
    }
    None
}

/// Whether a file has the name of a matrix's scales; `scales.npy` has not.
pub fn is_scales(file: &str) -> bool {
    let matrix = file.strip_prefix(WORDS).unwrap_or(file).strip_prefix(SCALES);
    matrix.is_some_and(|matrix| matrix.rsplit_once('.').is_some_and(|(name, _)| !name.is_empty()))
}

/// A name as part of a figure's file, of which it may be one of two, or as a folder, in characters that every file system takes.
pub fn figure_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let mut part: String = name.chars().map(plain).collect();
    // Windows leaves the dots away that a folder's name ends with.
    if part.ends_with('.') {
        part.push('_');
    }
    shortened(part, 100, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_directory_of_matrices() {
        let directory = ResultsDir::new("results");
        for name in ["../../x", "/etc/x", "a/b", "..\\x", "C:x", "..", "conv1"] {
            for path in [directory.layer_rsm(name), directory.words_rsm(name)] {
                assert_eq!(path.parent(), Some(Path::new("results/rsm")), "{name}");
            }
        }
        assert_eq!(directory.layer_rsm("features.3"), Path::new("results/rsm/features.3.npy"));
    }

    #[test]
    fn scales_are_known_by_their_names_and_a_layer_called_so_is_none() {
        let directory = ResultsDir::new("results");
        assert_eq!(directory.layer_scales("a/b.c"), Path::new("results/rsm/scales.a_b.c.npy"));
        assert_eq!(directory.words_scales("GloVe"), Path::new("results/rsm/words.scales.GloVe.npy"));
        for path in [directory.layer_scales("conv1"), directory.words_scales("GloVe")] {
            assert!(is_scales(path.file_name().unwrap().to_str().unwrap()), "{}", path.display());
        }
        for name in ["scales", "scales.", "conv1", "upscales.x"] {
            for path in [directory.layer_rsm(name), directory.words_rsm(name)] {
                assert!(!is_scales(path.file_name().unwrap().to_str().unwrap()), "{}", path.display());
            }
        }
    }

    #[test]
    fn names_that_make_one_file_are_told() {
        assert_eq!(first_clash(["A", "x"], ["A", "x", "conv1", "conv 1"], true), None);
        let matrix = |other: &str| Clash::Matrix(other.to_string());
        for (layer, clash) in [
            ("words.A", Clash::Words),
            ("Words.a", Clash::Words),
            ("words.scales.A", Clash::Words),
            ("predicted_classes", Clash::Answers),
            ("x", Clash::Twice),
            ("X", matrix("x")),
            ("scales.x", matrix("x")),
            ("conv/1", matrix("conv:1")),
        ] {
            let found = first_clash(["A"], ["x", "conv:1", layer], true);
            assert_eq!(found, Some((Named::Layer, layer, clash)), "{layer}");
        }
        assert_eq!(first_clash([], ["scales.x", "x"], true), Some((Named::Layer, "x", matrix("scales.x"))));
        let figure = Clash::Figure("A B".to_string());
        let all = [("A B", Clash::Twice), ("a b", matrix("A B")), ("A_B", figure), ("scales.A B", matrix("A B"))];
        for (words, clash) in all {
            assert_eq!(first_clash(["A B", words], ["x"], true), Some((Named::Words, words, clash)), "{words}");
        }
        assert_eq!(first_clash(["A \u{5de6}", "A \u{53f3}"], ["x"], false), None);
        assert_eq!(first_clash(["A B", "a b"], ["x"], false), Some((Named::Words, "a b", matrix("A B"))));
        // One letter, composed and not: macOS does not tell them.
        let composed = first_clash([], ["\u{e9}", "e\u{301}"], true);
        assert_eq!(composed, Some((Named::Layer, "e\u{301}", matrix("\u{e9}"))));
    }

    #[test]
    fn long_names_and_those_of_other_systems_make_files_everywhere() {
        let directory = ResultsDir::new("results");
        assert_eq!(directory.layer_rsm("a*b?\"<c>|d"), Path::new("results/rsm/a_b___c__d.npy"));
        // TensorFlow's converters join the names of what they fuse.
        let long = "\u{e9}model/conv2d/Relu;".repeat(20);
        let other = format!("{long}x");
        let files = [
            directory.layer_scales(&long),
            directory.words_scales(&long),
            directory.figures().join(figure_name(&long)),
        ];
        for file in files.iter().map(|file| file.file_name().unwrap()) {
            assert!(file.len() <= 220, "{file:?}");
        }
        assert_eq!(first_clash([long.as_str(), &other], [long.as_str(), &other], true), None);
        assert_eq!(
            first_clash([], [other.as_str(), &long, &other], true),
            Some((Named::Layer, other.as_str(), Clash::Twice))
        );
        // Windows opens a device whatever ending is behind its name.
        for (name, part) in [("aux", "_aux"), ("NUL.1", "_NUL.1"), ("com1", "_com1"), ("aux1", "aux1"), ("com", "com")]
        {
            assert_eq!(is_device(name), part.starts_with('_'), "{name}");
            assert_eq!(directory.layer_rsm(name), directory.matrices().join(format!("{part}.npy")));
            assert_eq!(figure_name(name), part);
        }
        let clash = Clash::Matrix("aux".to_string());
        assert_eq!(first_clash([], ["aux", "_aux"], true), Some((Named::Layer, "_aux", clash)));
        assert_eq!(["net.", "..", "a.b"].map(figure_name), ["net._", ".._", "a.b"]);
        let short = "x".repeat(200);
        assert_eq!(directory.layer_rsm(&short), directory.matrices().join(format!("{short}.npy")));
        assert_eq!(figure_name(&short).len(), 100);
    }

    #[test]
    fn lists_are_read_as_they_were_written() {
        let directory = tempfile::tempdir().unwrap();
        let results = ResultsDir::new(directory.path());
        assert_eq!((results.concepts().unwrap(), results.categories().unwrap()), (vec![], vec![]));
        let [concepts, categories] = [["cat", "cup"], ["animal", "tool"]].map(|list| list.map(String::from));
        results.write_concepts(&concepts, Some(&categories)).unwrap();
        assert_eq!(results.concepts().unwrap(), concepts);
        assert_eq!(results.categories().unwrap(), categories);
    }
}
