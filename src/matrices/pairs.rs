//! Matrices as lists of pairs: two names and a number a line, as ratings of similarity are kept.

use std::collections::HashMap;

use super::checks::ROUNDING;
use super::{MatrixError, StoredArray};
use crate::names;
use crate::stats::Rsm;

/// The matrix of a column of numbers whose rows have two names, and the concepts in the order in which they appear; the
/// diagonal is NaN but where a concept is paired with itself. None of an array that is no such column.
///
/// # Errors
/// A pair that is missing, and one that has two values.
pub(super) fn matrix(array: &StoredArray) -> Result<Option<(Vec<String>, Rsm)>, MatrixError> {
    let (&[_, 1], Some([first, second])) = (array.shape(), &array.labels().pairs) else { return Ok(None) };
    let (mut concepts, mut places) = (Vec::new(), HashMap::new());
    let mut pairs = Vec::new();
    for pair in first.iter().zip(second) {
        let [a, b] = [pair.0, pair.1].map(|name| {
            let name = names::plain(name);
            *places.entry(name.clone()).or_insert_with(|| {
                concepts.push(name);
                concepts.len() - 1
            })
        });
        pairs.push((a, b));
    }
    let k = concepts.len();
    let path = || array.path().to_path_buf();
    let mut entries = vec![None; k * k];
    for ((a, b), value) in pairs.into_iter().zip(array.values()?) {
        let known: Option<f64> = entries[a * k + b];
        if let Some(other) = known.filter(|other| (other - value).abs() > ROUNDING) {
            let [a, b] = [a, b].map(|concept| concepts[concept].clone());
            return Err(MatrixError::PairTwice { path: path(), a, b, values: [other, value] });
        }
        (entries[a * k + b], entries[b * k + a]) = (Some(value), Some(value));
    }
    let missing = (0..k * k).filter(|place| place / k < place % k && entries[*place].is_none());
    let missing: Vec<usize> = missing.collect();
    if let Some(place) = missing.first() {
        let [a, b] = [place / k, place % k].map(|concept| concepts[concept].clone());
        return Err(MatrixError::NoPair { path: path(), a, b, missing: missing.len(), concepts: k });
    }
    Ok(Some((concepts, Rsm::new(k, entries.into_iter().map(|entry| entry.unwrap_or(f64::NAN)).collect()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrays::{self, Told};

    fn read(lines: &[&str]) -> Result<Option<(Vec<String>, Rsm)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        std::fs::write(&path, format!("a,b,similarity\n{}\n", lines.join("\n"))).unwrap();
        matrix(&arrays::open(&path, None, &Told::default()).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn pairs_are_found_by_their_names_in_any_order_and_direction() {
        let (concepts, found) = read(&["cat,dog,0.5", "mole,cat,0.25", "mole,dog,-0.125"]).unwrap().unwrap();
        assert_eq!(concepts, ["cat", "dog", "mole"]);
        assert_eq!((found.row(0)[1], found.row(0)[2], found.row(2)[1]), (0.5, 0.25, -0.125));
        assert!((0..3).all(|a| found.row(a)[a].is_nan() && (0..a).all(|b| found.row(a)[b] == found.row(b)[a])));
        let (_, found) = read(&["cat,dog,0.5", "dog,cat,0.5", "cat,cat,1", "dog,dog,1"]).unwrap().unwrap();
        assert_eq!(found.values(), [1.0, 0.5, 0.5, 1.0]);
    }

    #[test]
    fn a_pair_that_is_missing_or_has_two_values_is_named() {
        let missing = read(&["cat,dog,0.5", "cat,mole,0.25"]).unwrap_err();
        assert!(missing.contains("1 of 3 pairs of its 3 concepts is missing: \"dog\" and \"mole\""), "{missing}");
        let twice = read(&["cat,dog,0.5", "cat,mole,0.25", "dog,mole,1", "dog,cat,0.75"]).unwrap_err();
        assert!(twice.contains("\"dog\" and \"cat\" are 0.5 in one line and 0.75 in another"), "{twice}");
    }
}
