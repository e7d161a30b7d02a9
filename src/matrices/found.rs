//! The matrices that a file holds, whatever its axes: whole, a triangle, what is above the diagonal, or pairs.

use std::path::Path;

use super::checks::{Place, by_diagonal};
use super::{Entries, MatrixError, Said, triangle};
use crate::arrays::StoredArray;
use crate::names;
use crate::stats::Rsm;
use crate::stats::rsa;
use crate::stats::two_vs_two::FEWEST_CONCEPTS;

/// The form of whole matrices, see [`Read`](super::Read).
pub(super) const SQUARE: &str = "square";

/// The form of what is above the diagonal.
pub(super) const CONDENSED: &str = "condensed";

/// Matrices as they stand in a file, one or more.
pub(super) struct Found {
    /// The concepts, where the matrix itself is made of their names.
    pub own: Option<Vec<String>>,
    pub rsms: Vec<Rsm>,
    pub entries: Entries,
    /// As in [`Read`](super::Read).
    pub form: &'static str,
}

/// The matrix of a list of pairs.
pub(super) fn of_pairs(
    place: &Place,
    names: Vec<String>,
    matrix: Rsm,
    said: Option<Said>,
) -> Result<Found, MatrixError> {
    const FORM: &str = "pairs";
    let (path, concepts) = (place.path, names.len());
    if concepts < FEWEST_CONCEPTS {
        return Err(MatrixError::Few { path: path.into(), shape: vec![concepts, concepts], concepts });
    }
    let rsms = vec![matrix];
    Ok(Found { own: Some(names), entries: by_diagonal(place, &rsms, said, FORM)?, rsms, form: FORM })
}

/// Square or condensed matrices, those of `rdms` among all.
pub(super) fn of_axes(
    place: &Place,
    array: &StoredArray,
    said: Option<Said>,
    rdms: &[usize],
) -> Result<Found, MatrixError> {
    let (path, shape) = (place.path, array.shape().to_vec());
    let (concepts, square) = match (&shape[..], condensed(&shape)) {
        (&[k, l] | &[_, k, l], _) if k == l => (k, true),
        (_, Some(concepts)) => (concepts, false),
        _ => return Err(MatrixError::Shape { path: path.into(), shape }),
    };
    if concepts < FEWEST_CONCEPTS {
        return Err(MatrixError::Few { path: path.into(), shape, concepts });
    }
    let values = array.values()?;
    let entries_each = if square { concepts * concepts } else { concepts * (concepts - 1) / 2 };
    // A column is one matrix, however many a file says that it has.
    if rdms.is_empty() || rdms.iter().any(|&rdm| values.len() < (rdm + 1) * entries_each) {
        return Err(MatrixError::Shape { path: path.into(), shape });
    }
    let wanted = rdms.iter().map(|&rdm| &values[rdm * entries_each..][..entries_each]);
    if !square {
        let untold = || MatrixError::Untold { path: path.into(), side: place.side, shape, concepts };
        let entries = said.ok_or_else(untold)?.entries;
        let rsms = wanted.map(|pairs| rsa::square(pairs, concepts)).collect();
        return Ok(Found { own: None, rsms, entries, form: CONDENSED });
    }
    let mut rsms: Vec<Rsm> = wanted.map(|matrix| Rsm::new(concepts, matrix.to_vec())).collect();
    if let Some(order) = columns_in_order_of_rows(path, array)? {
        rsms.iter_mut().for_each(|matrix| *matrix = with_columns(matrix, &order));
    }
    let form = triangle::mirrored(&mut rsms).unwrap_or(SQUARE);
    Ok(Found { own: None, entries: by_diagonal(place, &rsms, said, form)?, rsms, form })
}

/// The concepts of condensed vectors of that shape.
fn condensed(shape: &[usize]) -> Option<usize> {
    match *shape {
        [pairs] | [pairs, 1] => concepts_of(pairs),
        [k, l] if k != l => concepts_of(l),
        _ => None,
    }
}

/// Where each row's column stands, if both are named and in another order.
fn columns_in_order_of_rows(path: &Path, array: &StoredArray) -> Result<Option<Vec<usize>>, MatrixError> {
    let Some(columns) = &array.labels().columns else { return Ok(None) };
    let columns = names::lists(std::slice::from_ref(columns), columns.len());
    let rows = names::lists(&array.labels().rows, array.shape()[0]);
    let (Some(first), false) = (rows.first(), columns.is_empty()) else { return Ok(None) };
    if let Some(order) = rows.iter().find_map(|rows| names::order(rows, &columns)) {
        return Ok(Some(order).filter(|order| !names::is_same(order)));
    }
    if names::are_counted(&columns[0]) {
        return Ok(None);
    }
    let row = first.iter().find(|row| !columns[0].contains(row)).unwrap_or(&first[0]).clone();
    Err(MatrixError::RowsAndColumns { path: path.into(), row })
}

/// The matrix with its columns in another order.
fn with_columns(matrix: &Rsm, order: &[usize]) -> Rsm {
    let concepts = matrix.concepts();
    let values = (0..concepts).flat_map(|row| order.iter().map(move |&column| matrix.row(row)[column])).collect();
    Rsm::new(concepts, values)
}

/// The number of concepts that have so many pairs.
pub(super) fn concepts_of(pairs: usize) -> Option<usize> {
    let k = (1 + 8 * pairs).isqrt().div_ceil(2);
    (k * (k - 1) / 2 == pairs).then_some(k)
}
