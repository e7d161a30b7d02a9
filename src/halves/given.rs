//! Arrays of the caller's memory in the place of files: what Python hands over.

use std::path::PathBuf;

use super::HalvesError;
use crate::arrays::{Labels, StoredArray};
use crate::config::OptionError;
use crate::device::{self, Choice};
use crate::error::{Error, FileError};
use crate::features::{Features, FeaturesError, Layout};
use crate::matrices::{Source, is_diagonal};
use crate::names::{self, NAME, is_name};
use crate::progress::Progress;
use crate::stats::Rsm;

/// How far an entry may be from its mirror image in an array that is taken for matrices, as a share of the largest number: more
/// than in matrices that are right, so that one with an error is read as such and refused.
const NEAR: f64 = 1e-4;

/// An array as a word model or a layer of a test: RSMs or RDMs if it is its own transpose, or has their diagonal
/// ([`crate::matrices::read`] tells them by it, and refuses others), else features, `[concepts, units]` or `[groups, concepts, units]`. `concepts` are the names of its concepts.
///
/// # Errors
/// Not as many different names as the array has concepts.
pub fn source(name: &str, array: StoredArray, concepts: Option<&[String]>) -> Result<Source, HalvesError> {
    let array = match concepts {
        Some(concepts) => named(array, concepts)?,
        None => array,
    };
    Ok(Source { name: name.to_string(), path: PathBuf::new(), array: None, given: Some(Box::new(array)) })
}

fn named(array: StoredArray, concepts: &[String]) -> Result<StoredArray, HalvesError> {
    const LIST: &str = "concepts";
    let names: Vec<String> = concepts.iter().map(|name| names::plain(name)).collect();
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        return Err(OptionError { option: LIST, found: format!("{name:?}"), expected: NAME }.into());
    }
    if let Some(name) = names::twice(&names) {
        return Err(HalvesError::SameConcept { path: LIST.into(), name: name.clone() });
    }
    let (found, expected) = (names.len(), array.shape().iter().rev().nth(1).copied().unwrap_or_default());
    if found != expected {
        return Err(HalvesError::Lines { path: LIST.into(), what: "name", found, expected, blank: None });
    }
    Ok(array.labelled(Labels { rows: vec![names], ..Labels::default() }))
}

/// The RSM of each group of features, in f64 on the CPU; `device` has to be there.
///
/// # Errors
/// [`Error::Input`] for features that have none, or no such device; [`Error::Interrupted`].
pub fn rsms(array: StoredArray, device: Choice, progress: &Progress) -> Result<Vec<Rsm>, Error> {
    let features = features(array).map_err(Error::input)?;
    if device != Choice::Auto {
        device::select(device).map_err(Error::input)?;
    }
    let task = progress.task(features.work());
    (0..features.groups).map(|group| features.rsm(group, progress, &task)).collect()
}

/// An array as features; three axes are groups, concepts, units.
pub(super) fn features(array: StoredArray) -> Result<Features, FeaturesError> {
    let groups = match *array.shape() {
        [groups, _, _] => Some(groups),
        _ => None,
    };
    Features::of(array, &Layout { groups, ..Layout::default() })
}

/// Whether an array is one of matrices by its values: floats, square, its own transpose, or with a diagonal of 1 or 0 throughout.
pub(super) fn are_matrices(array: &StoredArray) -> Result<bool, FileError> {
    let concepts = match *array.shape() {
        [k, l] | [_, k, l] if k == l && array.is_float() => k,
        _ => return Ok(false),
    };
    let mirrored = |matrix: &[f64]| {
        let largest = matrix.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let near = |a: f64, b: f64| (a - b).abs() <= NEAR * largest || a.is_nan() && b.is_nan();
        (0..concepts).all(|i| (0..i).all(|j| near(matrix[i * concepts + j], matrix[j * concepts + i])))
    };
    let has_diagonal = |matrix: &[f64]| {
        let mut own = (0..concepts).map(|row| matrix[row * concepts + row]);
        own.all(|value| is_diagonal(value) && (value - matrix[0]).abs() < 0.5)
    };
    let is_matrix = |matrix: &[f64]| has_diagonal(matrix) || mirrored(matrix);
    Ok(array.values()?.chunks_exact((concepts * concepts).max(1)).all(is_matrix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrays::{lent, write_npy};
    use crate::config::{Spaces, TestRequest};
    use crate::halves::Test;
    use crate::results::Results;
    use crate::stats::alignment::Measure;

    const CONCEPTS: usize = 8;

    /// Numbers without a pattern, `[groups, CONCEPTS, units]`.
    fn values(groups: usize, units: usize, seed: usize) -> Vec<f64> {
        (0..groups * CONCEPTS * units).map(|n| ((n * n * 31 + n * seed + seed) % 97) as f64 / 7.0).collect()
    }

    fn array(called: &str, shape: &[usize], values: &[f64]) -> StoredArray {
        let bytes = bytemuck::cast_slice(values).to_vec();
        let kind = if cfg!(target_endian = "big") { ">f8" } else { "<f8" };
        lent(called, shape, kind, bytes.into()).unwrap()
    }

    fn names() -> Vec<String> {
        (0..CONCEPTS).map(|n| format!("c{n}")).collect()
    }

    #[test]
    fn a_test_of_memory_is_the_test_of_the_same_files() {
        let folder = tempfile::tempdir().unwrap();
        let spaces = [("words", vec![CONCEPTS, 9]), ("early", vec![2, CONCEPTS, 30]), ("late", vec![2, CONCEPTS, 11])];
        let (mut filed, mut held) = (Vec::new(), Vec::new());
        for (seed, (name, shape)) in spaces.iter().enumerate() {
            let values = values(
                shape.iter().product::<usize>() / CONCEPTS / shape[shape.len() - 1],
                *shape.last().unwrap(),
                seed + 5,
            );
            let path = folder.path().join(format!("{name}.npy"));
            write_npy(&path, shape, &values).unwrap();
            filed.push(Source { name: name.to_string(), path, array: None, given: None });
            held.push(source(name, array(name, shape, &values), Some(&names())).unwrap());
        }
        std::fs::write(folder.path().join("concepts.txt"), names().join("\n")).unwrap();
        let results = |mut sources: Vec<Source>, features: Option<Spaces>, measures: &[Measure]| -> Results {
            let words = vec![sources.remove(0)];
            let mut request = TestRequest::new(words, sources, None);
            (request.features, request.measures, request.neighbours) = (features, measures.to_vec(), 3);
            (request.options.permutations, request.device) = (50, Choice::Cpu);
            Test::new(request, &Progress::silent()).unwrap().results(&Progress::silent()).unwrap().0
        };
        for measures in [&[][..], &[Measure::Cka], &[Measure::Mknn]] {
            let expected = results(filed.clone(), Some(Spaces::Both), measures);
            assert_eq!(results(held.clone(), None, measures), expected);
            assert_eq!(expected.accuracy.len() + expected.measures.len(), 2);
        }
        // Matrices of the same features say the same, but for what they leave out.
        let matrix = rsms(*held[0].given.clone().unwrap(), Choice::Auto, &Progress::silent()).unwrap().remove(0);
        let mut by_matrix = held.clone();
        by_matrix[0] = source("words", array("words", &[CONCEPTS, CONCEPTS], matrix.values()), Some(&names())).unwrap();
        assert_eq!(results(by_matrix, None, &[]).accuracy, results(held, None, &[]).accuracy);
    }

    #[test]
    fn results_kept_of_memory_name_no_files() {
        let folder = tempfile::tempdir().unwrap();
        let values = values(1, 9, 5);
        let given = |name| source(name, array("layers[\"a/b\"]", &[CONCEPTS, 9], &values), None).unwrap();
        let mut request = TestRequest::new(vec![given("w")], vec![given("a/b")], folder.path().join("out"));
        (request.options.permutations, request.device) = (9, Choice::Cpu);
        Test::new(request, &Progress::silent()).unwrap().run(&Progress::silent()).unwrap();
        let record: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("out/run.json")).unwrap()).unwrap();
        assert_eq!(record["config"]["images"][0]["path"], "");
        assert_eq!(record["read"][1]["path"], "layers[\"a/b\"]");
        let sum = crate::checksum::of_bytes(bytemuck::cast_slice(&values));
        assert_eq!(record["checksums"]["images"]["a/b"].as_str(), Some(sum.as_str()));
    }

    #[test]
    fn matrices_are_told_from_features_by_their_values() {
        let told = |shape: &[usize], values: &[f64]| are_matrices(&array("x", shape, values)).unwrap();
        let square: Vec<f64> = (0..9).map(|n| if n % 4 == 0 { 1.0 } else { 0.25 }).collect();
        assert!(told(&[3, 3], &square) && told(&[2, 3, 3], &[&square[..], &square].concat()));
        assert!(!told(&[1, 9], &square));
        for (entry, value) in [(0, 0.9), (1, 0.25009), (1, 0.2502), (1, 0.3)] {
            let mut square = square.clone();
            square[entry] = value;
            assert!(told(&[3, 3], &square), "{entry}: {value}");
        }
        // A triangle, and vectors that happen to be as many as their units.
        assert!(told(&[3, 3], &[0.0, 0.0, 0.0, 0.75, 0.0, 0.0, 0.5, 0.25, 0.0]));
        let unlike = |diagonal: f64, entry: f64| {
            let mut square = square.clone();
            (square[4], square[1]) = (diagonal, entry);
            told(&[3, 3], &square)
        };
        assert!(unlike(0.9, 0.25009) && !unlike(0.9, 0.2502) && !unlike(0.0, 0.3));
        // A constant vector's row.
        let mut constant = square.clone();
        [1, 3, 2, 6].into_iter().for_each(|entry| constant[entry] = f64::NAN);
        assert!(told(&[3, 3], &constant));
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        let refused = |names: &[String]| {
            let found = source("x", array("x", &[CONCEPTS, 4], &values(1, 4, 3)), Some(names));
            found.unwrap_err().to_string()
        };
        assert!(refused(&names()[1..]).starts_with("concepts: 7 lines, expected 8"));
        let with = |name: &str| [&names()[1..], &[name.to_string()]].concat();
        assert!(refused(&with("c1")).contains("\"c1\" stands twice"));
        assert!(refused(&with("a\nb")).contains("control characters"));
    }
}
