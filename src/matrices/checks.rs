//! Whether entries are those of an RSM: diagonals, symmetry, range.

use std::path::Path;

use super::{Entries, MatrixError};
use crate::stats::Rsm;

/// How far an entry may be from its mirror image, the diagonal from 1 (or 0), a correlation beyond ±1. Matrices are often
/// kept as f32 and printed with six digits; a matrix that is wrong is wrong by more.
pub(super) const ROUNDING: f64 = 1e-5;

/// Where matrices lie, for messages.
pub(super) struct Place<'a> {
    pub path: &'a Path,
    /// One of several of the file.
    pub array: Option<&'a str>,
    /// Whether there are several matrices.
    pub several: bool,
}

impl Place<'_> {
    fn of(&self, group: usize) -> String {
        let group = self.several.then(|| format!("group {}", group + 1));
        let parts: Vec<String> = self.array.map(|array| format!("array {array:?}")).into_iter().chain(group).collect();
        if parts.is_empty() { "the matrix".to_string() } else { parts.join(", ") }
    }
}

/// What the diagonals say that the entries are.
pub(super) fn by_diagonal(place: &Place, matrices: &[Rsm], said: Option<Entries>) -> Result<Entries, MatrixError> {
    let is = |value: f64, expected: f64| (value - expected).abs() <= ROUNDING;
    // A constant vector correlates with nothing, often not even with itself.
    let counts = |matrix: &Rsm| {
        let constant = matrix.constant();
        let rows = (0..matrix.concepts()).map(|row| (row, matrix.row(row)[row]));
        rows.filter(|(row, found)| !(found.is_nan() && constant.contains(row))).collect::<Vec<_>>()
    };
    let diagonals: Vec<Vec<(usize, f64)>> = matrices.iter().map(counts).collect();
    let first = diagonals.iter().flatten().next().map_or(f64::NAN, |&(_, found)| found);
    let (expected, entries) = match said {
        _ if is(first, 0.0) => (0.0, said.unwrap_or(Entries::Distances)),
        Some(said) if first.is_nan() => (f64::NAN, said),
        _ => (1.0, Entries::Similarities),
    };
    for (group, diagonal) in diagonals.iter().enumerate() {
        let wrong = |&&(_, found): &&(usize, f64)| !(is(found, expected) || found.is_nan() && expected.is_nan());
        if let Some(&(row, found)) = diagonal.iter().find(wrong) {
            return Err(MatrixError::Diagonal { path: place.path.into(), at: place.of(group), row, found });
        }
    }
    Ok(entries)
}

/// What is wrong with a pair of entries.
pub(super) struct Wrong {
    row: usize,
    column: usize,
    found: f64,
    /// The mirror image, where that is what is wrong.
    mirrored: Option<f64>,
    expected: &'static str,
}

impl Wrong {
    /// Whether there is no number.
    pub fn is_gap(&self) -> bool {
        self.found.is_nan()
    }

    pub fn of(self, place: &Place, group: usize) -> MatrixError {
        let Self { row, column, found, mirrored, expected } = self;
        let (path, at) = (place.path.to_path_buf(), place.of(group));
        match mirrored {
            Some(mirrored) => MatrixError::Asymmetric { path, at, row, column, found, mirrored },
            None => MatrixError::Entry { path, at, row, column, found, expected },
        }
    }
}

/// Symmetric, and every entry a correlation or a distance; rows of NaN are let through.
pub(super) fn check(matrix: &Rsm, entries: Entries) -> Result<(), Wrong> {
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
