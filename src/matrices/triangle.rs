//! Square matrices of which one triangle is filled: on the other side of the diagonal every entry is missing, or 0.

use crate::stats::Rsm;

/// Fills the empty triangle of the matrices by its mirror image; says which is filled, if one was empty. A diagonal that is as
/// empty tells nothing, and becomes NaN.
pub(super) fn mirrored(matrices: &mut [Rsm]) -> Option<&'static str> {
    let is_missing = |value: f64| value.is_nan();
    let is_zero = |value: f64| value == 0.0;
    let of_all =
        |is_empty: fn(f64) -> bool, lower| matrices.iter().all(|matrix| is_side_empty(matrix, is_empty, lower));
    for is_empty in [is_missing, is_zero] {
        let [lower, upper] = [true, false].map(|lower| of_all(is_empty, lower));
        // Where both are empty nothing is said of any pair.
        if lower == upper {
            continue;
        }
        let is_bare = |matrix: &Rsm| (0..matrix.concepts()).all(|row| is_empty(matrix.row(row)[row]));
        matrices.iter_mut().for_each(|matrix| *matrix = with_mirror(matrix, lower, is_bare(matrix)));
        return Some(if lower { "upper triangle" } else { "lower triangle" });
    }
    None
}

/// Whether all entries on a side of the diagonal are empty.
fn is_side_empty(matrix: &Rsm, is_empty: impl Fn(f64) -> bool, lower: bool) -> bool {
    let side = |row| if lower { 0..row } else { row + 1..matrix.concepts() };
    (0..matrix.concepts()).all(|row| side(row).all(|column| is_empty(matrix.row(row)[column])))
}

/// The matrix with one side of the diagonal made the mirror image of the other, and the diagonal NaN if it is `bare`.
fn with_mirror(matrix: &Rsm, lower: bool, bare: bool) -> Rsm {
    let concepts = matrix.concepts();
    let entry = |row: usize, column: usize| match if lower { row <= column } else { row >= column } {
        _ if bare && row == column => f64::NAN,
        true => matrix.row(row)[column],
        false => matrix.row(column)[row],
    };
    Rsm::new(concepts, (0..concepts * concepts).map(|place| entry(place / concepts, place % concepts)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[row, column]` of 4 concepts, `empty` where `is_filled` says no.
    fn matrix(empty: f64, diagonal: f64, is_filled: fn(usize, usize) -> bool) -> Rsm {
        let entry = |row: usize, column: usize| match row == column {
            true => diagonal,
            false if is_filled(row, column) => 0.1 * (row.min(column) * 3 + row.max(column)) as f64 - 0.3,
            false => empty,
        };
        Rsm::new(4, (0..16).map(|place| entry(place / 4, place % 4)).collect())
    }

    fn read(matrix: Rsm) -> (Option<&'static str>, Rsm) {
        let mut matrices = [matrix];
        let found = mirrored(&mut matrices);
        let [matrix] = matrices;
        (found, matrix)
    }

    #[test]
    fn a_triangle_is_the_whole_matrix() {
        let whole = matrix(0.0, 1.0, |_, _| true);
        for empty in [f64::NAN, 0.0] {
            let lower = matrix(empty, 1.0, |row, column| row > column);
            assert_eq!(read(lower), (Some("lower triangle"), whole.clone()));
            let upper = matrix(empty, 1.0, |row, column| row < column);
            assert_eq!(read(upper), (Some("upper triangle"), whole.clone()));
        }
        assert_eq!(read(whole.clone()), (None, whole));
    }

    #[test]
    fn a_diagonal_as_empty_as_the_triangle_does_not_tell_what_the_entries_are() {
        let whole = matrix(0.0, 0.0, |_, _| true);
        let (form, bare) = read(matrix(0.0, 0.0, |row, column| row < column));
        assert_eq!(form, Some("upper triangle"));
        assert!((0..4).all(|row| bare.row(row)[row].is_nan() && bare.row(row)[..row] == whole.row(row)[..row]));
        // Blank beside it, a diagonal of 0 tells distances.
        assert_eq!(read(matrix(f64::NAN, 0.0, |row, column| row < column)), (Some("upper triangle"), whole));
    }

    #[test]
    fn a_matrix_of_zeros_or_with_a_gap_has_no_empty_triangle() {
        let zeros = matrix(0.0, 1.0, |_, _| false);
        assert_eq!(read(zeros.clone()), (None, zeros));
        let gap = matrix(f64::NAN, 1.0, |row, column| (row, column) != (2, 1));
        assert_eq!(read(gap).0, None);
    }
}
