//! Similarity matrices that another program computed: files of r or 1 - r, square or condensed, to checked RSMs.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::arrays::{self, ArrayError, CORRELATION_DISTANCE, DISSIMILARITIES, RsmFile};
use crate::stats::Rsm;
use crate::stats::rsa;
use crate::stats::two_vs_two::FEWEST_CONCEPTS;

/// How far an entry may be from its mirror image, the diagonal from 1 (or 0), a correlation beyond ±1. Matrices are often
/// kept as f32 and printed with six digits; a matrix that is wrong is wrong by more.
const ROUNDING: f64 = 1e-5;

/// What the entries of a matrix are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Entries {
    /// Correlations r.
    Similarities,
    /// Distances 1 - r.
    Distances,
}

/// Where a matrix is: a file, and in it one of several arrays.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Source {
    /// What the matrix is of: the name of a word model or a layer.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The array's name.
    pub array: Option<String>,
}

impl std::str::FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?}: expected NAME=FILE, or NAME=FILE::ARRAY for one of the arrays in FILE");
        let (name, rest) =
            text.split_once('=').filter(|(name, file)| !name.is_empty() && !file.is_empty()).ok_or_else(wrong)?;
        let (path, array) = match rest.split_once("::") {
            Some((path, array)) => (path, Some(array.to_string())),
            None => (rest, None),
        };
        Ok(Self { name: name.to_string(), path: path.into(), array })
    }
}

/// The matrices of a file.
#[derive(Debug)]
pub struct Matrices {
    /// One per group.
    pub rsms: Vec<Rsm>,
    /// What was understood, for the user.
    pub understood: String,
}

/// A file whose contents are no similarity matrices.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// The file.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// Axes without a meaning.
    #[error(
        "{}: shape {shape:?}, expected [concepts, concepts], [groups, concepts, concepts], or what is above the diagonal, \
         [concepts (concepts - 1) / 2], for each group; features become matrices by `semgpu similarity`", path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// As found.
        shape: Vec<usize>,
    },
    /// k - 2 entries leave no freedom.
    #[error("{}: {concepts} concepts, expected {FEWEST_CONCEPTS} or more: the 2 vs. 2 test leaves two out", path.display())]
    Few {
        /// The file.
        path: PathBuf,
        /// Concepts.
        concepts: usize,
    },
    /// Nothing tells r from 1 - r.
    #[error(
        "{}: shape {shape:?}: if these are the entries above the diagonal of matrices of {concepts} concepts, say \
         --similarities (they are r) or --distances (they are 1 - r); features become matrices by `semgpu similarity`",
        path.display()
    )]
    Untold {
        /// The file.
        path: PathBuf,
        /// As found.
        shape: Vec<usize>,
        /// That so many pairs have.
        concepts: usize,
    },
    /// A diagonal that is neither.
    #[error(
        "{}: {at}: the diagonal has {found} in row {row} (from 0), expected 1 throughout (correlations) or 0 \
         throughout (distances 1 - r), to within {ROUNDING}; is it a similarity matrix?", path.display()
    )]
    Diagonal {
        /// The file.
        path: PathBuf,
        /// Which matrix.
        at: String,
        /// Counted from 0.
        row: usize,
        /// The entry.
        found: f64,
    },
    /// Two entries of one pair.
    #[error(
        "{}: {at}: the entry in row {row}, column {column} (from 0) is {found}, its mirror image {mirrored}, expected \
         the same to within {ROUNDING}; a similarity matrix is symmetric", path.display()
    )]
    Asymmetric {
        /// The file.
        path: PathBuf,
        /// Which matrix.
        at: String,
        /// Counted from 0.
        row: usize,
        /// Counted from 0.
        column: usize,
        /// The entry.
        found: f64,
        /// The other.
        mirrored: f64,
    },
    /// An entry that is no correlation.
    #[error(
        "{}: {at}: the entry in row {row}, column {column} (from 0) is {found}, expected {expected}; correlate the features \
         by `semgpu similarity`, or by numpy's corrcoef", path.display()
    )]
    Entry {
        /// The file.
        path: PathBuf,
        /// Which matrix.
        at: String,
        /// Counted from 0.
        row: usize,
        /// Counted from 0.
        column: usize,
        /// The entry.
        found: f64,
        /// The range.
        expected: &'static str,
    },
    /// rsatoolbox's RDMs by another measure.
    #[error(
        "{}: dissimilarity_measure is {found:?}, expected \"correlation\" (1 - r): the test compares correlations; \
         rsatoolbox.rdm.calc_rdm(…, method=\"correlation\") computes them", path.display()
    )]
    Measure {
        /// The file.
        path: PathBuf,
        /// As the file says.
        found: String,
    },
}

/// Reads the RSMs of a file.
///
/// A square matrix has correlations if its diagonal is 1 and distances 1 - r if it is 0; rsatoolbox's files say which;
/// for other condensed vectors, and where a diagonal is 0 or NaN although the entries are correlations, `said` does. A
/// row of NaN is a constant vector's ([`Rsm::constant`]).
///
/// # Shapes
/// `[concepts, concepts]`, `[groups, concepts, concepts]`, `[pairs]` or `[groups, pairs]`, pairs row by row above the
/// diagonal (`scipy.spatial.distance.squareform`).
///
/// # Errors
/// [`MatrixError`] names the file and the first entry that is wrong.
pub fn read(source: &Source, said: Option<Entries>) -> Result<Matrices, MatrixError> {
    let path = source.path.as_path();
    let rdms = source.array.is_none() && of_rsatoolbox(path)?;
    let array = arrays::open(path, if rdms { Some(DISSIMILARITIES) } else { source.array.as_deref() })?;
    let shape = array.shape().to_vec();
    let (concepts, square) = match shape[..] {
        [k, l] | [_, k, l] if k == l => (k, true),
        [pairs] | [_, pairs] if concepts_of(pairs).is_some() => (concepts_of(pairs).unwrap_or_default(), false),
        _ => return Err(MatrixError::Shape { path: path.into(), shape }),
    };
    if concepts < FEWEST_CONCEPTS {
        return Err(MatrixError::Few { path: path.into(), concepts });
    }
    let values = array.values();
    let (entries, mut rsms) = if square {
        let squares: Vec<Rsm> =
            values.chunks_exact(concepts * concepts).map(|matrix| Rsm::new(concepts, matrix.to_vec())).collect();
        (by_diagonal(path, &squares, said)?, squares)
    } else {
        let said = if rdms { Some(Entries::Distances) } else { said };
        let entries = said.ok_or_else(|| MatrixError::Untold { path: path.into(), shape: shape.clone(), concepts })?;
        let pairs = concepts * (concepts - 1) / 2;
        (entries, values.chunks_exact(pairs).map(|pairs| rsa::square(pairs, concepts)).collect())
    };
    if rsms.is_empty() {
        return Err(MatrixError::Shape { path: path.into(), shape });
    }
    let several = rsms.len() > 1;
    for (group, rsm) in rsms.iter_mut().enumerate() {
        check(rsm, entries).map_err(|wrong| wrong.of(path, group, several))?;
        *rsm = correlations(rsm, entries);
    }
    let what = if entries == Entries::Distances { "distances 1 - r" } else { "correlations" };
    let form = if square { "square" } else { "condensed" };
    let understood = format!("{}: {} x {concepts} concepts, {form}, {what}", path.display(), rsms.len());
    Ok(Matrices { rsms, understood })
}

/// The number of concepts that have so many pairs.
fn concepts_of(pairs: usize) -> Option<usize> {
    let k = (1 + 8 * pairs).isqrt().div_ceil(2);
    (k * (k - 1) / 2 == pairs).then_some(k)
}

/// Whether the file is rsatoolbox's, of correlation distances.
fn of_rsatoolbox(path: &Path) -> Result<bool, MatrixError> {
    if !matches!(RsmFile::of(path), Ok(RsmFile::Hdf5)) {
        return Ok(false);
    }
    if !arrays::names(path)?.iter().any(|name| name == DISSIMILARITIES) {
        return Ok(false);
    }
    match arrays::text_attribute(path, "dissimilarity_measure")? {
        Some(measure) if measure == CORRELATION_DISTANCE => Ok(true),
        found => {
            Err(MatrixError::Measure { path: path.into(), found: found.unwrap_or_else(|| "not given".to_string()) })
        }
    }
}

/// What the diagonals say that the entries are.
fn by_diagonal(path: &Path, matrices: &[Rsm], said: Option<Entries>) -> Result<Entries, MatrixError> {
    let is = |value: f64, expected: f64| (value - expected).abs() <= ROUNDING || (value.is_nan() && expected.is_nan());
    let first = matrices.first().map_or(1.0, |matrix| matrix.row(0)[0]);
    let (expected, entries) = match said {
        _ if is(first, 0.0) => (0.0, said.unwrap_or(Entries::Distances)),
        Some(said) if first.is_nan() => (f64::NAN, said),
        _ => (1.0, Entries::Similarities),
    };
    for (group, matrix) in matrices.iter().enumerate() {
        if let Some(row) = (0..matrix.concepts()).find(|&row| !is(matrix.row(row)[row], expected)) {
            let found = matrix.row(row)[row];
            return Err(MatrixError::Diagonal { path: path.into(), at: at(group, matrices.len() > 1), row, found });
        }
    }
    Ok(entries)
}

/// What is wrong with a pair of entries.
struct Wrong {
    row: usize,
    column: usize,
    found: f64,
    /// The mirror image, where that is what is wrong.
    mirrored: Option<f64>,
    expected: &'static str,
}

impl Wrong {
    fn of(self, path: &Path, group: usize, several: bool) -> MatrixError {
        let Self { row, column, found, mirrored, expected } = self;
        let (path, at) = (path.to_path_buf(), at(group, several));
        match mirrored {
            Some(mirrored) => MatrixError::Asymmetric { path, at, row, column, found, mirrored },
            None => MatrixError::Entry { path, at, row, column, found, expected },
        }
    }
}

fn at(group: usize, several: bool) -> String {
    if several { format!("group {}", group + 1) } else { "the matrix".to_string() }
}

/// Symmetric, and every entry a correlation or a distance; rows of NaN are let through.
fn check(matrix: &Rsm, entries: Entries) -> Result<(), Wrong> {
    let concepts = matrix.concepts();
    let mut tested = vec![true; concepts];
    matrix.constant().into_iter().for_each(|constant| tested[constant] = false);
    let (range, expected) = match entries {
        Entries::Distances => (-ROUNDING..=2.0 + ROUNDING, "a distance 1 - r, 0 to 2"),
        Entries::Similarities => (-1.0 - ROUNDING..=1.0 + ROUNDING, "a correlation, -1 to 1"),
    };
    for row in (0..concepts).filter(|&row| tested[row]) {
        for column in (0..concepts).filter(|&column| column != row && tested[column]) {
            let (found, mirrored) = (matrix.row(row)[column], matrix.row(column)[row]);
            let wrong = |mirrored| Wrong { row, column, found, mirrored, expected };
            if !range.contains(&found) {
                return Err(wrong(None));
            }
            if (found - mirrored).abs() > ROUNDING {
                return Err(wrong(Some(mirrored)));
            }
        }
    }
    Ok(())
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
