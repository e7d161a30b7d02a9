//! Similarity matrices that another program computed: files of r or 1 - r, square or condensed, to checked RSMs.

mod checks;
mod error;
mod found;
mod naming;
mod order;
mod pairs;
mod rdms;
mod triangle;

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use self::checks::{Place, check};
pub use self::checks::{check_rsm, is_diagonal, is_matrix};
pub use self::error::MatrixError;
use self::found::{CONDENSED, Found, SQUARE, of_axes, of_pairs};
pub use self::naming::{Unnaming, named};
pub use self::order::{natural, numbers, ordered_by, sorted};
use self::rdms::{Part, Rdms};
use crate::arrays::{self, StoredArray, Told};
use crate::error::FileError;
use crate::files;
use crate::names;
use crate::results::{GroupRow, LayersRow, ResultsDir, ResultsError, is_scales, read_table};
use crate::stats::Rsm;
use crate::stats::alignment::Scales;

/// What the entries of a matrix are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Entries {
    /// Correlations r.
    Similarities,
    /// Distances 1 - r.
    Distances,
}

/// Where a matrix is: a file, and in it one of several arrays, or memory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Source {
    /// What the matrix is of: the name of a word model or a layer.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The array's name.
    pub array: Option<String>,
    /// The array itself, of the caller's memory; the path is then empty.
    #[serde(skip)]
    pub given: Option<Box<StoredArray>>,
}

impl std::str::FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let name = Path::new(text).file_stem().filter(|_| !text.contains('=')).map(|stem| stem.to_string_lossy());
            let such = name.map_or_else(String::new, |name| format!(", such as {name}={text}"));
            format!(
                "{text:?}: expected NAME=FILE, NAME=FOLDER for the files in a folder, or NAME=FILE::ARRAY for one of the arrays \
                 in FILE{such}"
            )
        };
        let (name, rest) =
            text.split_once('=').filter(|(name, file)| !name.is_empty() && !file.is_empty()).ok_or_else(wrong)?;
        let (path, array) = match rest.split_once("::") {
            Some((path, array)) => (path, Some(array.to_string())),
            None => (rest, None),
        };
        Ok(Self { name: name.to_string(), path: path.into(), array, given: None })
    }
}

/// Which of the two spaces a source is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Word models.
    Words,
    /// Layers.
    Images,
}

impl Side {
    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Images => "images",
        }
    }
}

/// What the user says of files that do not say it themselves.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Reading {
    /// What the entries are, where no diagonal tells otherwise: of words and images alike.
    #[arg(skip)]
    pub entries: Option<Entries>,
    /// Of the words, by name: correlations have what diagonal they like.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_words: Option<Entries>,
    /// Of the images, by name.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_images: Option<Entries>,
    /// Of tables of text.
    #[command(flatten)]
    pub told: Told,
    /// What several matrices of a layer are: subjects, sessions.
    #[arg(long, value_name = "WHAT")]
    pub groups_are: Option<String>,
}

impl Reading {
    /// What the entries of a side are, where that is said.
    fn said(&self, side: Side) -> Option<Said> {
        let of_side = match side {
            Side::Words => self.of_words,
            Side::Images => self.of_images,
        };
        let by = |named: bool| move |entries: Entries| Said { entries, named };
        of_side.map(by(true)).or(self.entries.map(by(false)))
    }
}

/// What the user says of the entries of a side.
#[derive(Clone, Copy)]
struct Said {
    entries: Entries,
    /// Whether the side was named.
    named: bool,
}

/// The matrices of a layer, or of a word model.
#[derive(Debug)]
pub struct Matrices {
    /// The source's name, or what the file calls one of several layers.
    pub name: String,
    /// One per group.
    pub rsms: Vec<Rsm>,
    /// The groups' names, where the file names them.
    pub groups: Option<Vec<String>>,
    /// What the file calls its concepts: lists of different names, any of which may be the one that is meant.
    pub names: Vec<Vec<String>>,
    /// Names that the file has although it names no concepts by them.
    pub unfit: Option<Unnaming>,
    /// What a file of vectors calls their units.
    pub units: Option<Vec<String>>,
    /// What the matrices leave out of their vectors, one per group; empty where nobody knows.
    pub scales: Vec<Scales>,
    /// What the user should know of the values.
    pub doubts: Vec<String>,
    /// How it was read.
    pub read: Read,
}

/// How a file of matrices was read: what `run.json` keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Read {
    /// `words` or `images`
    pub side: Side,
    /// The word model or layer.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The shape of the array in it.
    pub shape: Vec<usize>,
    /// `square`, `lower triangle`, `upper triangle`, `pairs`, `condensed`, `vectors` or `features`
    pub form: String,
    /// What the entries are.
    pub entries: Entries,
    /// Whether they are correlations because the user says so, and a diagonal of 0 would say distances.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub zero_diagonal: bool,
    /// Matrices.
    pub matrices: usize,
    /// Their concepts.
    pub concepts: usize,
    /// Names of the groups, where the file has any.
    pub groups: Option<Vec<String>>,
    /// Names of the concepts in the file's order, where it has any: the first two and the last.
    pub names: Option<Vec<String>>,
    /// How the order of its concepts became that of the test, if that was looked at.
    pub order: Option<String>,
}

impl Read {
    /// Whether the file holds matrices; else they were made of its vectors.
    pub fn is_matrix(&self) -> bool {
        !["vectors", "features"].contains(&self.form.as_str())
    }
}

impl std::fmt::Display for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let what = if self.entries == Entries::Distances { "distances 1 - r" } else { "correlations" };
        let (path, matrices, concepts, form) = (self.path.display(), self.matrices, self.concepts, &self.form);
        write!(f, "{path}: {matrices} x {concepts} concepts, {form}, {what}")?;
        if let Some(groups) = &self.groups {
            write!(f, ", groups {}", groups.join(", "))?;
        }
        if let Some([first, second, last]) = self.names.as_deref() {
            write!(f, ", named {first}, {second}, … {last}")?;
        }
        self.order.as_ref().map_or(Ok(()), |order| write!(f, ", {order}"))
    }
}

/// Reads the RSMs of a file: of one layer, or of every layer that rsatoolbox's descriptors tell apart.
///
/// A square matrix has correlations if its diagonal is 1 and distances 1 - r if it is 0; rsatoolbox's files say which;
/// for other condensed vectors, and where a diagonal is NaN, the user does, and by naming the side where it is 0 although the
/// entries are correlations. A row of NaN is a constant vector's ([`Rsm::constant`]).
///
/// # Shapes
/// `[concepts, concepts]`, `[groups, concepts, concepts]`, `[pairs]`, `[pairs, 1]` or `[groups, pairs]`, pairs row by row above
/// the diagonal (`scipy.spatial.distance.squareform`). One triangle of a square matrix may be missing, or 0. A column of text
/// whose lines have two names, `[pairs, 1]`, holds the pairs of those names; so do three of numbers, `[pairs, 3]`, the first two
/// of which number the concepts.
///
/// # Errors
/// [`MatrixError`] names the file and the first entry that is wrong, or what has to be said of it.
pub fn read(source: &Source, side: Side, reading: &Reading) -> Result<Vec<Matrices>, MatrixError> {
    if let Some(array) = &source.given {
        return Ok(vec![of_array(source, side, reading, array)?]);
    }
    let path = source.path.as_path();
    if path.is_dir() {
        let files = files(path, side)?;
        if files.is_empty() {
            return Err(MatrixError::NoFiles(path.into()));
        }
        let source = |path: PathBuf| {
            let name = files::stem(&path);
            Source { name, path, array: source.array.clone(), given: None }
        };
        let layers = files.into_iter().map(|path| read(&source(path), side, reading)).collect::<Result<Vec<_>, _>>()?;
        return Ok(layers.into_iter().flatten().collect());
    }
    // What is asked for by an array's own name is that array and no more.
    let array = match &source.array {
        Some(name) if arrays::names(path)?.contains(name) => Some(name.as_str()),
        _ => None,
    };
    let rdms = if array.is_some() { None } else { Rdms::open(path, side, reading)? };
    if let Some(rdms) = rdms {
        let parts = rdms.parts(source, side, reading)?;
        let said = Some(Said { entries: Entries::Distances, named: true });
        return parts
            .into_iter()
            .map(|part| matrices(source, side, said, &rdms.distances, &rdms.names, part))
            .collect();
    }
    let array = arrays::open(path, array.or(source.array.as_deref()), &reading.told)?;
    Ok(vec![of_array(source, side, reading, &array)?])
}

/// The matrices of an array, all of one layer.
fn of_array(source: &Source, side: Side, reading: &Reading, array: &StoredArray) -> Result<Matrices, MatrixError> {
    let count = match *array.shape() {
        [k, l] if k == l || l == 1 => 1,
        [groups, _] | [groups, _, _] => groups,
        _ => 1,
    };
    let part = Part { name: None, rdms: (0..count).collect(), groups: groups_of_run(array.path(), count) };
    let labels = array.labels();
    let names = labels.rows.iter().chain(&labels.columns).cloned().collect::<Vec<_>>();
    matrices(source, side, reading.said(side), array, &names, part)
}

/// The results directory whose folder of matrices `folder` is, if it is one's.
fn run_of(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    folder.ends_with("rsm").then(|| folder.parent().map(Path::to_path_buf)).flatten()
}

/// What the groups of a matrix are called in the tables of the run that it lies in, if it lies in one.
fn groups_of_run(path: &Path, count: usize) -> Option<Vec<String>> {
    let directory = path.parent().filter(|_| count > 1).and_then(run_of)?;
    let rows: Vec<GroupRow> = read_table(&directory).ok()?;
    let groups = names::distinct(rows.iter().map(|row| &row.group));
    (groups.len() == count).then(|| groups.into_iter().cloned().collect())
}

/// The shape and the matrices of a file that semgpu wrote, if they are RSMs still; of another shape than
/// `[concepts, concepts]` or `[groups, concepts, concepts]` none.
///
/// # Errors
/// [`MatrixError`] names the file and the first entry that is wrong.
pub fn of_results(path: &Path) -> Result<(Vec<usize>, Vec<Rsm>), MatrixError> {
    let (shape, values) = arrays::read_npy(path)?;
    let concepts = match shape[..] {
        [k, l] | [_, k, l] if k == l && k > 0 => k,
        _ => return Ok((shape, Vec::new())),
    };
    let matrix = |values: &[f64]| Rsm::new(concepts, values.to_vec());
    let rsms: Vec<Rsm> = values.chunks_exact(concepts * concepts).map(matrix).collect();
    let place = Place { path, side: Side::Images, array: None, several: shape.len() > 2 };
    for (group, rsm) in rsms.iter().enumerate() {
        check_rsm(rsm).map_err(|wrong| wrong.of(&place, group))?;
    }
    Ok((shape, rsms))
}

/// The arrays in a folder, numbers in their names in the order of numbers (`layer2`, `layer10`); in the folder of a run's
/// matrices those of its layers, in their order. What `semgpu run` keeps beside its layers is none of the images'.
///
/// # Errors
/// The folder cannot be read.
pub fn files(folder: &Path, side: Side) -> Result<Vec<PathBuf>, MatrixError> {
    const BESIDE: [&str; 2] = ["words.", "predicted_classes."];
    let of_side = |path: &PathBuf| {
        let name = files::name(path);
        !files::is_hidden(path)
            && !is_scales(&name)
            && (side == Side::Words || !BESIDE.iter().any(|beside| name.starts_with(beside)))
    };
    let endings = || arrays::FORMATS.iter().flat_map(|format| format.endings);
    let is_array = |path: &PathBuf| {
        let ending = files::ending(path);
        ending != "txt" && endings().any(|known| *known == ending)
    };
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let paths = entries.map_err(FileError::at(folder))?.into_iter().map(|entry| entry.path());
    let mut files = sorted(paths.filter(is_array).filter(of_side).collect(), |path: &PathBuf| files::name(path));
    if let Some(results) = run_of(folder).map(ResultsDir::new)
        && let Ok(layers) = layers_of_run(&results)
    {
        let places: Vec<String> = layers.iter().map(|layer| files::name(&results.layer_rsm(layer))).collect();
        let place = |path: &PathBuf| places.iter().position(|place| *place == files::name(path));
        files.sort_by_key(|path| place(path).unwrap_or(places.len()));
    }
    Ok(files)
}

/// The layers of a results directory, in their order.
///
/// # Errors
/// Its `layers.csv` cannot be read.
pub fn layers_of_run(results: &ResultsDir) -> Result<Vec<String>, ResultsError> {
    let mut layers: Vec<String> = Vec::new();
    for LayersRow { layer_a, .. } in read_table(results.root())? {
        if layers.last() != Some(&layer_a) && !layers.contains(&layer_a) {
            layers.push(layer_a);
        }
    }
    Ok(layers)
}

/// A part of the matrices of an array.
fn matrices(
    source: &Source,
    side: Side,
    said: Option<Said>,
    array: &StoredArray,
    names: &[Vec<String>],
    part: Part,
) -> Result<Matrices, MatrixError> {
    let path = array.path();
    let count = part.rdms.len();
    let place = Place { path, side, array: array.name(), several: count > 1 };
    let Found { own, mut rsms, entries, form } = match pairs::matrix(array)? {
        Some((names, matrix)) => of_pairs(&place, names, matrix, said)?,
        None => of_axes(&place, array, said, &part.rdms)?,
    };
    let concepts = rsms[0].concepts();
    let zero_diagonal =
        entries == Entries::Similarities && rsms.iter().any(|rsm| (0..concepts).all(|row| rsm.row(row)[row] == 0.0));
    for (group, rsm) in rsms.iter_mut().enumerate() {
        check(rsm, entries).map_err(|wrong| match array.labels().missing.clone() {
            Some((line, column, found)) if wrong.is_gap() && form == SQUARE => {
                MatrixError::Missing { path: path.into(), line, column, found }
            }
            _ => wrong.of(&place, group),
        })?;
        *rsm = correlations(rsm, entries);
    }
    let labels = array.labels();
    // The rows of such a table are matrices, and its columns pairs.
    let of_groups = labels.placed && form == CONDENSED;
    let of_rows = || names::lists(&labels.rows, count).into_iter().next().filter(|_| of_groups && count > 1);
    let groups = part.groups.or_else(of_rows);
    let own = own.as_ref().map_or(if !of_groups { names } else { &[] }, std::slice::from_ref);
    let (names, unfit) = named(array, own, concepts)?;
    let name = part.name.unwrap_or_else(|| source.name.clone());
    let read = Read {
        side,
        name: name.clone(),
        path: path.into(),
        shape: array.shape().to_vec(),
        form: form.to_string(),
        entries,
        zero_diagonal,
        matrices: rsms.len(),
        concepts,
        groups: groups.clone(),
        names: names.first().map(|names| shown(names)),
        order: None,
    };
    Ok(Matrices { name, rsms, groups, names, unfit, units: None, scales: Vec::new(), doubts: Vec::new(), read })
}

/// What [`Read`] keeps of two names or more: the first two and the last.
pub fn shown(names: &[String]) -> Vec<String> {
    [0, 1, names.len() - 1].map(|n| names[n].clone()).to_vec()
}

/// The matrix with its concepts in another order.
pub fn reordered(matrix: &Rsm, order: &[usize]) -> Rsm {
    let values = order.iter().flat_map(|&row| order.iter().map(move |&column| matrix.row(row)[column])).collect();
    Rsm::new(order.len(), values)
}

/// The matrix as an RSM: correlations, the diagonal 1.
fn correlations(matrix: &Rsm, entries: Entries) -> Rsm {
    let concepts = matrix.concepts();
    let mut values = matrix.values().to_vec();
    if entries == Entries::Distances {
        values.iter_mut().for_each(|value| *value = 1.0 - *value);
    }
    (0..concepts).for_each(|row| values[row * concepts + row] = 1.0);
    Rsm::new(concepts, values)
}
