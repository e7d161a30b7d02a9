//! Whether entries are those of an RSM: diagonals, symmetry, range.

use std::path::Path;

use super::{Entries, MatrixError, Said, Side};
use crate::stats::Rsm;

/// How far an entry may be from its mirror image, the diagonal from 1 (or 0), a correlation beyond ±1. Matrices are often
/// kept as f32 and printed with six digits; a matrix that is wrong is wrong by more.
pub(super) const ROUNDING: f64 = 1e-5;

const DISTANCE: &str = "a distance 1 - r, 0 to 2";

/// Where matrices lie, for messages.
pub(super) struct Place<'a> {
    pub path: &'a Path,
    pub side: Side,
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

/// What the entries are: what the diagonals say, or where they say nothing the user.
///
/// # Errors
/// Diagonals that are neither, and a user who says otherwise; but a side that is named may hold correlations beside a diagonal of 0.
pub(super) fn by_diagonal(
    place: &Place,
    matrices: &[Rsm],
    said: Option<Said>,
    form: &'static str,
) -> Result<Entries, MatrixError> {
    let is = |value: f64, expected: f64| (value - expected).abs() <= ROUNDING;
    // A constant vector correlates with nothing, often not even with itself.
    let counts = |matrix: &Rsm| {
        let constant = matrix.constant();
        let rows = (0..matrix.concepts()).map(|row| (row, matrix.row(row)[row]));
        rows.filter(|(row, found)| !(found.is_nan() && constant.contains(row))).collect::<Vec<_>>()
    };
    let diagonals: Vec<Vec<(usize, f64)>> = matrices.iter().map(counts).collect();
    let first = diagonals.iter().flatten().next().map(|&(_, found)| found);
    let (expected, told) = match (first, said) {
        (Some(first), _) if is(first, 0.0) => (0.0, Entries::Distances),
        (Some(first), _) if !first.is_nan() => (1.0, Entries::Similarities),
        (_, Some(said)) => (f64::NAN, said.entries),
        (Some(_), None) if diagonals.iter().flatten().all(|(_, found)| found.is_nan()) => {
            return Err(MatrixError::NoDiagonal { path: place.path.into(), side: place.side });
        }
        _ => (1.0, Entries::Similarities),
    };
    for (group, diagonal) in diagonals.iter().enumerate() {
        let wrong = |&&(_, found): &&(usize, f64)| !(is(found, expected) || found.is_nan() && expected.is_nan());
        if let Some(&(row, found)) = diagonal.iter().find(wrong) {
            return Err(MatrixError::Diagonal { path: place.path.into(), at: place.of(group), row, found });
        }
    }
    let overrules = |said: Said| said.named && told == Entries::Distances;
    match said {
        Some(said) if said.entries != told && !overrules(said) => {
            let (path, at, concepts) = (place.path.into(), place.of(0), matrices[0].concepts());
            Err(MatrixError::Contradicted { path, at, side: place.side, told, form, concepts })
        }
        _ => Ok(said.map_or(told, |said| said.entries)),
    }
}

/// What is wrong with an entry.
pub struct Wrong {
    row: usize,
    column: usize,
    found: f64,
    /// The mirror image, where that is what is wrong.
    mirrored: Option<f64>,
    expected: &'static str,
}

impl Wrong {
    /// Whether there is no number.
    pub(super) fn is_gap(&self) -> bool {
        self.found.is_nan()
    }

    pub(super) fn of(self, place: &Place, group: usize) -> MatrixError {
        let Self { row, column, found, mirrored, expected } = self;
        let (path, at) = (place.path.to_path_buf(), place.of(group));
        match mirrored {
            Some(mirrored) => MatrixError::Asymmetric { path, at, row, column, found, mirrored },
            None if row == column => MatrixError::Diagonal { path, at, row, found },
            None => {
                let side = (expected == DISTANCE && (-1.0..0.0).contains(&found)).then_some(place.side);
                MatrixError::Entry { path, at, row, column, found, expected, side }
            }
        }
    }
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Self { row, column, found, mirrored, expected } = self;
        write!(f, "row {row}, column {column} (from 0) has {found}, ")?;
        match mirrored {
            Some(mirrored) => write!(f, "its mirror image {mirrored}, expected the same"),
            None => write!(f, "expected {expected}"),
        }
    }
}

/// Holds a matrix to what an [`Rsm`] is: 1 on the diagonal, symmetric correlations elsewhere, and NaN in the whole row and
/// column of a constant vector.
///
/// # Errors
/// The first entry that is not as it should be.
pub fn check_rsm(matrix: &Rsm) -> Result<(), Wrong> {
    let is_one = |row: usize| (matrix.row(row)[row] - 1.0).abs() <= ROUNDING;
    if let Some(row) = (0..matrix.concepts()).find(|&row| !is_one(row)) {
        let found = matrix.row(row)[row];
        return Err(Wrong { row, column: row, found, mirrored: None, expected: "1, as on every diagonal" });
    }
    check(matrix, Entries::Similarities)
}

/// Whether a value may stand on the diagonal of a matrix of correlations or of distances.
pub fn is_diagonal(value: f64) -> bool {
    value.abs() <= ROUNDING || (value - 1.0).abs() <= ROUNDING
}

/// Whether a square of numbers is one of correlations or of distances, by its diagonal, symmetry and range.
pub fn is_matrix(square: &Rsm) -> bool {
    let is_zero = |row: usize| square.row(row)[row].abs() <= ROUNDING;
    let are_distances = || (0..square.concepts()).all(is_zero) && check(square, Entries::Distances).is_ok();
    check_rsm(square).is_ok() || are_distances()
}

/// Symmetric, and every entry a correlation or a distance; a row of NaN is let through with its column of NaN.
pub(super) fn check(matrix: &Rsm, entries: Entries) -> Result<(), Wrong> {
    let concepts = matrix.concepts();
    let mut is_constant = vec![false; concepts];
    matrix.constant().into_iter().for_each(|constant| is_constant[constant] = true);
    let (range, expected) = match entries {
        Entries::Distances => (-ROUNDING..=2.0 + ROUNDING, DISTANCE),
        Entries::Similarities => (-1.0 - ROUNDING..=1.0 + ROUNDING, "a correlation, -1 to 1"),
    };
    for row in 0..concepts {
        for column in (0..concepts).filter(|&column| column != row) {
            let (found, mirrored) = (matrix.row(row)[column], matrix.row(column)[row]);
            let wrong = |mirrored| Wrong { row, column, found, mirrored, expected };
            if is_constant[row] {
                if !mirrored.is_nan() {
                    return Err(wrong(Some(mirrored)));
                }
            } else if !is_constant[column] {
                if !range.contains(&found) {
                    return Err(wrong(None));
                }
                if (found - mirrored).abs() > ROUNDING {
                    return Err(wrong(Some(mirrored)));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(edit: impl Fn(usize, usize, &mut f64)) -> Option<String> {
        let entry = |place: usize| {
            let (row, column) = (place / 4, place % 4);
            let mut value = if row == column { 1.0 } else { 0.25 };
            edit(row, column, &mut value);
            value
        };
        check_rsm(&Rsm::new(4, (0..16).map(entry).collect())).err().map(|wrong| wrong.to_string())
    }

    #[test]
    fn only_rows_of_nan_with_their_columns_are_constant_vectors() {
        assert_eq!(said(|_, _, _| {}), None);
        let blank = |wanted: bool, value: &mut f64| {
            if wanted {
                *value = f64::NAN
            }
        };
        assert_eq!(said(|row, column, value| blank(row != column && (row == 2 || column == 2), value)), None);
        let row = said(|row, column, value| blank(row == 2 && column != 2, value));
        assert_eq!(row.unwrap(), "row 2, column 0 (from 0) has NaN, its mirror image 0.25, expected the same");
        let column = said(|row, column, value| blank(row != 2 && column == 2, value));
        assert_eq!(column.unwrap(), "row 0, column 2 (from 0) has NaN, expected a correlation, -1 to 1");
    }

    #[test]
    fn a_diagonal_against_what_is_said_of_it_is_refused() {
        let diagonal = |value: f64| {
            let entry = |place: usize| if place.is_multiple_of(5) { value } else { 0.25 };
            Rsm::new(4, (0..16).map(entry).collect())
        };
        let told = |value: f64, entries: Option<Entries>, named| {
            let place = Place { path: Path::new("a.npy"), side: Side::Images, array: None, several: false };
            let said = entries.map(|entries| Said { entries, named });
            by_diagonal(&place, &[diagonal(value)], said, "square").map_err(|error| error.to_string())
        };
        let (similarities, distances) = (Entries::Similarities, Entries::Distances);
        for named in [false, true] {
            let refused = told(1.0, Some(distances), named).unwrap_err();
            assert!(refused.contains("a diagonal of 1") && refused.contains("--distances words alone"), "{refused}");
            assert_eq!(told(1.0, Some(similarities), named), Ok(similarities));
            assert_eq!(told(0.0, Some(distances), named), Ok(distances));
            assert_eq!(told(f64::NAN, Some(distances), named), Ok(distances));
        }
        let refused = told(0.0, Some(similarities), false).unwrap_err();
        assert!(refused.contains("a diagonal of 0") && refused.contains("--similarities images"), "{refused}");
        assert!(refused.contains("leave --similarities out"), "{refused}");
        assert_eq!(told(0.0, Some(similarities), true), Ok(similarities));
        assert_eq!((told(1.0, None, false), told(0.0, None, false)), (Ok(similarities), Ok(distances)));
        assert!(told(f64::NAN, None, false).unwrap_err().contains("say --similarities images"));
    }

    #[test]
    fn correlations_beside_a_diagonal_of_0_have_their_option() {
        let place = Place { path: Path::new("a.npy"), side: Side::Images, array: None, several: false };
        let of = |entry: f64| {
            let square =
                Rsm::new(4, (0..16).map(|place: usize| if place.is_multiple_of(5) { 0.0 } else { entry }).collect());
            check(&square, Entries::Distances).unwrap_err().of(&place, 0).to_string()
        };
        assert!(
            of(-0.25).contains("expected a distance 1 - r, 0 to 2; correlations beside a diagonal of 0 are read with")
        );
        assert!(of(-0.25).contains("--similarities images") && !of(27.0).contains("--similarities"));
        let mut hole = vec![0.25; 16];
        (0..4).for_each(|row| hole[row * 5] = 0.0);
        (hole[1], hole[4]) = (f64::NAN, f64::NAN);
        let said = check(&Rsm::new(4, hole), Entries::Distances).unwrap_err().of(&place, 0).to_string();
        assert!(
            said.contains("is NaN") && said.contains("leave one of the two concepts out of every matrix"),
            "{said}"
        );
    }

    #[test]
    fn what_is_no_rsm_is_named() {
        let at = |wanted: (usize, usize), found: f64| {
            said(|row, column, value| {
                if (row, column) == wanted {
                    *value = found
                }
            })
            .unwrap()
        };
        assert!(at((1, 1), 0.5).starts_with("row 1, column 1 (from 0) has 0.5, expected 1"));
        assert!(at((1, 1), f64::NAN).starts_with("row 1, column 1 (from 0) has NaN"));
        assert!(at((3, 0), 0.5).starts_with("row 0, column 3 (from 0) has 0.25, its mirror image 0.5"));
        assert!(at((0, 3), f64::INFINITY).starts_with("row 0, column 3 (from 0) has inf, expected a correlation"));
    }
}
