//! Matrices as lists of pairs: two names and a number a line, as ratings of similarity are kept.

use std::collections::{HashMap, HashSet};

use super::checks::ROUNDING;
use super::{MatrixError, StoredArray};
use crate::names;
use crate::stats::Rsm;

/// The matrix of a column of numbers whose rows have two names, and the concepts in the order in which they appear, numbers by
/// their values; the diagonal is NaN where no concept is paired with itself. None of an array that is no such column.
///
/// # Errors
/// A pair that is missing, and one that has two values; more than two columns with names in common.
pub(super) fn matrix(array: &StoredArray) -> Result<Option<(Vec<String>, Rsm)>, MatrixError> {
    let (&[_, 1], texts @ [_, _, ..]) = (array.shape(), &array.labels().texts[..]) else { return Ok(None) };
    let path = || array.path().to_path_buf();
    let texts: Vec<Vec<String>> =
        texts.iter().map(|names| names.iter().map(|name| names::plain(name)).collect()).collect();
    let share = |a: &[String], b: &[String]| {
        let known: HashSet<&String> = a.iter().collect();
        b.iter().any(|name| known.contains(name))
    };
    let together = (0..texts.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    let together: Vec<(usize, usize)> = together.filter(|&(a, b)| share(&texts[a], &texts[b])).collect();
    let (first, second) = match together[..] {
        [pair] => pair,
        // They say something else of rows that one of them may name.
        [] => return Ok(None),
        _ => return Err(MatrixError::NoPairs { path: path(), columns: texts.len() }),
    };
    let (first, second) = (&texts[first], &texts[second]);
    let mut seen = HashSet::new();
    let names = first.iter().zip(second).flat_map(|(a, b)| [a, b]);
    let mut concepts: Vec<&String> = names.filter(|name| seen.insert(*name)).collect();
    if concepts.iter().all(|name| name.parse::<f64>().is_ok()) {
        concepts.sort_by(|a, b| a.parse().unwrap_or(f64::NAN).total_cmp(&b.parse().unwrap_or(f64::NAN)));
    }
    let places: HashMap<&String, usize> = concepts.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    let pairs = first.iter().zip(second).map(|(a, b)| (places[a], places[b]));
    let k = concepts.len();
    let mut entries = vec![None; k * k];
    let is_same = |a: f64, b: f64| (a - b).abs() <= ROUNDING || a.is_nan() && b.is_nan();
    // One triangle may be blank, as in a square.
    let is_other = |a: f64, b: f64| (a - b).abs() > ROUNDING;
    for ((a, b), value) in pairs.zip(array.values()?) {
        let known: Option<f64> = entries[a * k + b];
        if let Some(other) = known.filter(|&other| is_other(other, value)) {
            let [a, b] = [a, b].map(|concept| concepts[concept].clone());
            return Err(MatrixError::PairTwice { path: path(), a, b, values: [other, value] });
        }
        let value = known.filter(|known| !known.is_nan()).unwrap_or(value);
        (entries[a * k + b], entries[b * k + a]) = (Some(value), Some(value));
    }
    let missing = (0..k * k).filter(|place| place / k < place % k && entries[*place].is_none());
    let missing: Vec<usize> = missing.collect();
    if let Some(place) = missing.first() {
        let [a, b] = [place / k, place % k].map(|concept| concepts[concept].clone());
        return Err(MatrixError::NoPair { path: path(), a, b, missing: missing.len(), concepts: k });
    }
    // Those paired with themselves say for all what the diagonal is.
    let diagonal: Vec<f64> = (0..k).filter_map(|a| entries[a * k + a]).collect();
    let own = diagonal.first().filter(|&&own| diagonal.iter().all(|&other| is_same(own, other)));
    let others = own.copied().unwrap_or(f64::NAN);
    let matrix = Rsm::new(k, entries.into_iter().map(|entry| entry.unwrap_or(others)).collect());
    Ok(Some((concepts.into_iter().cloned().collect(), matrix)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrays::{self, Told};

    fn read(lines: &[&str]) -> Result<Option<(Vec<String>, Rsm)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        let header = if lines[0].split(',').count() == 4 { "trial,a,b,similarity" } else { "a,b,similarity" };
        std::fs::write(&path, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
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
        let (_, found) = read(&["cat,dog,0.5", "cat,cat,1", "dog,mole,0.25", "cat,mole,0"]).unwrap().unwrap();
        assert!((0..3).all(|a| found.row(a)[a] == 1.0), "one says it for all");
    }

    #[test]
    fn other_columns_of_text_are_no_pairs_and_numbers_stand_in_their_order() {
        let (concepts, _) = read(&["q7,dog,cat,0.5", "q3,mole,cat,0.25", "q5,mole,dog,-0.125"]).unwrap().unwrap();
        assert_eq!(concepts, ["dog", "cat", "mole"]);
        assert_eq!(read(&["dog,x1,0.5", "cat,x2,0.25", "dog,x2,-0.125"]).unwrap(), None);
        let refused = read(&["dog,cat,dog,0.5", "cat,mole,mole,0.25", "dog,mole,cat,-0.125"]).unwrap_err();
        assert!(refused.contains("3 columns of text"), "{refused}");
        // A blank half.
        let (_, found) =
            read(&["cat,dog,0.5", "dog,cat,", "cat,mole,0.25", "mole,dog,0", "dog,mole,"]).unwrap().unwrap();
        assert_eq!((found.row(0)[1], found.row(0)[2], found.row(1)[2]), (0.5, 0.25, 0.0));
    }

    #[test]
    fn a_pair_that_is_missing_or_has_two_values_is_named() {
        let missing = read(&["cat,dog,0.5", "dog,mole,0.25"]).unwrap_err();
        assert!(missing.contains("1 of 3 pairs of its 3 concepts is missing: \"cat\" and \"mole\""), "{missing}");
        let twice = read(&["cat,dog,0.5", "cat,mole,0.25", "dog,mole,1", "dog,cat,0.75"]).unwrap_err();
        assert!(twice.contains("\"dog\" and \"cat\" are 0.5 in one line and 0.75 in another"), "{twice}");
    }
}
