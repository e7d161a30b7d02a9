//! Matrices as lists of pairs: two names and a number a line, as ratings of similarity are kept.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::checks::ROUNDING;
use super::{MatrixError, StoredArray};
use crate::names;
use crate::stats::Rsm;
use crate::stats::two_vs_two::FEWEST_CONCEPTS;

/// So many pairs have the fewest concepts.
const FEWEST_PAIRS: usize = FEWEST_CONCEPTS * (FEWEST_CONCEPTS - 1) / 2;

/// The matrix of a column of numbers whose rows have two names, or that stands behind the [numbers](numbered) of two concepts,
/// and the concepts in the order in which they appear, numbers by their values; the diagonal is NaN where no concept is paired
/// with itself. None of an array that is no such column.
///
/// # Errors
/// A pair that is missing, and one that has two values; more columns with names in common, of which not just two make a matrix;
/// a list of pairs with several columns of numbers.
pub(super) fn matrix(array: &StoredArray) -> Result<Option<(Vec<String>, Rsm)>, MatrixError> {
    let &[_, columns] = array.shape() else { return Ok(None) };
    let texts @ [_, _, ..] = &array.labels().texts[..] else { return numbered(array, columns) };
    let texts: Vec<Vec<String>> =
        texts.iter().map(|names| names.iter().map(|name| names::plain(name)).collect()).collect();
    let share = |a: &[String], b: &[String]| {
        let known: HashSet<&String> = a.iter().collect();
        b.iter().any(|name| known.contains(name))
    };
    let together = (0..texts.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    let together: Vec<(usize, usize)> = together.filter(|&(a, b)| share(&texts[a], &texts[b])).collect();
    // None together: they say something else of rows that one of them may name.
    let Some(&(first, second)) = together.first() else { return Ok(None) };
    let values: Vec<f64> = array.values()?.into_iter().step_by(columns).collect();
    let of = |&(first, second): &(usize, usize)| of_names(array.path(), &texts[first], &texts[second], &values);
    if columns > 1 {
        return match together.iter().any(|pair| of(pair).is_ok()) {
            true => Err(MatrixError::PairColumns { path: array.path().into(), columns }),
            false => Ok(None),
        };
    }
    if together.len() == 1 {
        return of(&(first, second)).map(Some);
    }
    // The others, categories of the two or numbers of them, have gaps, or several lines or values for a pair.
    let once = |&&(a, b): &&(usize, usize)| {
        let mut seen = HashSet::new();
        texts[a].iter().zip(&texts[b]).all(|pair| seen.insert(pair))
    };
    let mut whole = together.iter().filter(once).filter_map(|pair| of(pair).ok());
    match (whole.next(), whole.next()) {
        (Some(only), None) => Ok(Some(only)),
        _ => Err(MatrixError::NoPairs { path: array.path().into(), columns: texts.len() }),
    }
}

/// The matrix of the last of three columns, if the first two number the concepts of every pair: as a square of numbers they are
/// of too few. The first may be a column that names the rows.
fn numbered(array: &StoredArray, columns: usize) -> Result<Option<(Vec<String>, Rsm)>, MatrixError> {
    let texts = &array.labels().texts;
    if array.shape()[0] < FEWEST_PAIRS || texts.len() + columns != 3 {
        return Ok(None);
    }
    let values = array.values()?;
    let of = |column: usize| values.iter().skip(column).step_by(columns);
    if (0..columns - 1).flat_map(of).any(|number| number.fract() != 0.0) {
        return Ok(None);
    }
    let names = |column: usize| of(column).map(f64::to_string).collect();
    let names: Vec<Vec<String>> = texts.iter().cloned().chain((0..columns - 1).map(names)).collect();
    let similarities: Vec<f64> = of(columns - 1).copied().collect();
    Ok(of_names(array.path(), &names[0], &names[1], &similarities).ok())
}

/// The matrix of the pairs of names in two columns.
fn of_names(
    path: &Path,
    first: &[String],
    second: &[String],
    values: &[f64],
) -> Result<(Vec<String>, Rsm), MatrixError> {
    let mut concepts = names::distinct(first.iter().zip(second).flat_map(|(a, b)| [a, b]));
    if concepts.iter().all(|name| name.parse::<f64>().is_ok()) {
        concepts.sort_by(|a, b| a.parse().unwrap_or(f64::NAN).total_cmp(&b.parse().unwrap_or(f64::NAN)));
    }
    let places: HashMap<&String, usize> = concepts.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    let pairs = first.iter().zip(second).map(|(a, b)| (places[a], places[b]));
    let k = concepts.len();
    let mut entries: HashMap<(usize, usize), f64> = HashMap::new();
    let is_same = |a: f64, b: f64| (a - b).abs() <= ROUNDING || a.is_nan() && b.is_nan();
    // One triangle may be blank, as in a square.
    let is_other = |a: f64, b: f64| (a - b).abs() > ROUNDING;
    for ((a, b), &value) in pairs.zip(values) {
        let known = entries.entry((a.min(b), a.max(b))).or_insert(value);
        if is_other(*known, value) {
            let [a, b] = [a, b].map(|concept| concepts[concept].clone());
            return Err(MatrixError::PairTwice { path: path.into(), a, b, values: [*known, value] });
        }
        if known.is_nan() {
            *known = value;
        }
    }
    // Of columns that are no pairs there may be too many to hold their matrix.
    let missing = k * (k - 1) / 2 - entries.keys().filter(|(a, b)| a != b).count();
    let mut above = (0..k).flat_map(|a| (a + 1..k).map(move |b| (a, b)));
    if missing > 0
        && let Some((a, b)) = above.find(|pair| !entries.contains_key(pair))
    {
        let [a, b] = [a, b].map(|concept| concepts[concept].clone());
        return Err(MatrixError::NoPair { path: path.into(), a, b, missing, concepts: k });
    }
    // Those paired with themselves say for all what the diagonal is.
    let diagonal: Vec<f64> = (0..k).filter_map(|a| entries.get(&(a, a)).copied()).collect();
    let own = diagonal.first().filter(|&&own| diagonal.iter().all(|&other| is_same(own, other)));
    let mut matrix = vec![own.copied().unwrap_or(f64::NAN); k * k];
    for ((a, b), value) in entries {
        (matrix[a * k + b], matrix[b * k + a]) = (value, value);
    }
    Ok((concepts.into_iter().cloned().collect(), Rsm::new(k, matrix)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrays::{self, Told};

    fn of_table(header: &str, lines: &[&str], told: &Told) -> Result<Option<(Vec<String>, Rsm)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.csv");
        std::fs::write(&path, format!("{header}\n{}\n", lines.join("\n"))).unwrap();
        matrix(&arrays::open(&path, None, told).unwrap()).map_err(|error| error.to_string())
    }

    fn read(lines: &[&str]) -> Result<Option<(Vec<String>, Rsm)>, String> {
        let header = if lines[0].split(',').count() == 4 { "trial,a,b,similarity" } else { "a,b,similarity" };
        of_table(header, lines, &Told::default())
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
        let refused = read(&["dog,cat,mole,0.5", "cat,mole,dog,0.25", "mole,dog,cat,-0.125"]).unwrap_err();
        assert!(refused.contains("3 columns of text"), "{refused}");
        // Categories of the two name no pairs: one of theirs has two values.
        let of = |lines: &[&str]| of_table("a,b,kind_a,kind_b,similarity", lines, &Told::default());
        let kinds = ["cat,dog,animal,animal,0.5", "cat,axe,animal,tool,0.25", "axe,saw,tool,tool,0.75"];
        let rest = ["dog,axe,animal,tool,0.125", "cat,saw,animal,tool,0.25", "dog,saw,animal,tool,0.5"];
        assert_eq!(of(&[kinds, rest].concat()).unwrap().unwrap().0, ["cat", "dog", "axe", "saw"]);
        // Values by category and a gap among the names: no list of pairs of categories.
        let kind = |name: &str| if name.starts_with('a') { "animal" } else { "tool" };
        let line = |(a, b): (&str, &str)| {
            let value = if kind(a) == kind(b) { 0.75 } else { 0.25 };
            format!("{a},{b},{},{},{value}", kind(a), kind(b))
        };
        let names = ["a1", "a2", "a3", "t1", "t2", "t3"];
        let pairs = (0..6).flat_map(|b| (0..b).map(move |a| (names[a], names[b])));
        let lines: Vec<String> = pairs.map(line).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(of(&lines).unwrap().unwrap().0, names);
        assert!(of(&lines[1..]).unwrap_err().contains("4 columns of text"));
        // Nor of four, with no more lines than pairs.
        let kind = |name: &str| if name < "t2" { &name[..1] } else { name }.to_string();
        let line = |(a, b): (&str, &str)| {
            let value = if kind(a) == kind(b) { "0.75" } else { "0.25" };
            [a, b, &kind(a), &kind(b), value].join(",")
        };
        let lines: Vec<String> = (0..6).flat_map(|b| (0..b).map(move |a| (names[a], names[b]))).map(line).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(of(&lines).unwrap().unwrap().0, names);
        assert!(of(&lines[1..]).unwrap_err().contains("4 columns of text"));
        // Numbers of the two beside an index in another order.
        let index = Told { index: Some(3), ..Told::default() };
        let lines = ["2,0,1,0.5", "0,0,2,0.25", "5,2,1,0.75", "1,3,0,0.125", "3,1,3,0.0625", "4,3,2,0.875"];
        let (concepts, found) = of_table(",a,b,similarity", &lines, &index).unwrap().unwrap();
        assert_eq!((concepts.join(" "), found.row(1)[3]), ("0 1 2 3".to_string(), 0.0625));
        // A blank half.
        let (_, found) =
            read(&["cat,dog,0.5", "dog,cat,", "cat,mole,0.25", "mole,dog,0", "dog,mole,"]).unwrap().unwrap();
        assert_eq!((found.row(0)[1], found.row(0)[2], found.row(1)[2]), (0.5, 0.25, 0.0));
    }

    #[test]
    fn numbers_of_two_concepts_are_read_where_every_pair_has_its_line() {
        let pairs = || (0..5).flat_map(|b| (0..b).map(move |a| (a, b)));
        let value = |a: usize, b: usize| 0.25 * a as f64 - 0.125 * b as f64;
        for (header, ids) in [("i,j,r", [0, 1, 2, 3, 4]), ("a_id,b_id,r", [907, 311, 450, 128, 664])] {
            let line = |(a, b): (usize, usize)| format!("{},{},{}", ids[a], ids[b], value(a, b));
            let lines: Vec<String> = pairs().map(line).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let of = |lines: &[&str], index| of_table(header, lines, &Told { index, ..Told::default() }).unwrap();
            let (concepts, found) = of(&lines, None).unwrap();
            let place = |n: usize| concepts.iter().position(|name| *name == ids[n].to_string()).unwrap();
            assert!(pairs().all(|(a, b)| found.row(place(b))[place(a)] == value(a, b)), "{header}");
            for index in [1, 2] {
                assert_eq!(of(&lines, Some(index)).unwrap().0, concepts, "{header}");
            }
            // With a gap they are features of three units.
            assert_eq!(of(&[&lines[1..], &lines[1..2]].concat(), None), None);
        }
    }

    #[test]
    fn pairs_with_several_columns_of_numbers_are_asked_for_one() {
        let of = |lines: &[&str]| of_table("a,b,similarity,n", lines, &Told::default());
        let asked = of(&["cat,dog,0.5,3.5", "mole,cat,0.25,4", "mole,dog,-0.125,3"]).unwrap_err();
        assert!(asked.contains("2 columns of numbers behind the names of pairs, expected one"), "{asked}");
        // Not all pairs: the columns of text name something else.
        assert_eq!(of(&["cat,dog,0.5,3.5", "mole,cat,0.25,4", "owl,dog,-0.125,3"]).unwrap(), None);
    }

    #[test]
    fn a_pair_that_is_missing_or_has_two_values_is_named() {
        let missing = read(&["cat,dog,0.5", "dog,mole,0.25"]).unwrap_err();
        assert!(missing.contains("1 of 3 pairs of its 3 concepts is missing: \"cat\" and \"mole\""), "{missing}");
        let twice = read(&["cat,dog,0.5", "cat,mole,0.25", "dog,mole,1", "dog,cat,0.75"]).unwrap_err();
        assert!(twice.contains("\"dog\" and \"cat\" are 0.5 in one line and 0.75 in another"), "{twice}");
    }
}
