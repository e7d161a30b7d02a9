//! Spaces of layers: a results directory, a folder of arrays, an archive of arrays, features or matrices.
//!
//! Layers stand in the order that their place states: a results directory's in that of its `layers.csv`, an `.h5`'s in
//! that of a list of texts with just the arrays' names; else by name, numbers by their values (`layer2` before
//! `layer10`, `-100 ms` before `-50 ms`).

use std::path::{Path, PathBuf};

use super::{HalvesError, given, words};
use crate::arrays::{self, ArrayError, DISSIMILARITIES, StoredArray};
use crate::config::TestRequest;
use crate::error::Error;
use crate::features::{Features, FeaturesError, Layout};
use crate::files;
use crate::matrices::{self, Entries, Matrices, MatrixError, Read, Side, Source};
use crate::names;
use crate::progress::Progress;
use crate::results::{CONCEPTS, ResultsDir, scales_of};
use crate::stats::alignment::Scales;
use crate::stats::scoring::Constant;
use crate::vectors;
use crate::wording::first;

/// Formats of files that hold several arrays.
const ARCHIVES: [&str; 5] = ["npz", "h5", "hdf5", "safetensors", "mat"];

impl TestRequest {
    /// The layers of a source.
    pub(super) fn read_space(
        &self,
        source: &Source,
        side: Side,
        progress: &Progress,
    ) -> Result<Vec<Matrices>, HalvesError> {
        let features = self.features.is_some_and(|features| features.hold(side));
        if let Some(array) = &source.given {
            return Ok(match given::are_matrices(array)? {
                true => matrices::read(source, side, &self.reading)?,
                false => vec![self.of_features(source, side, progress)?],
            });
        }
        if !features && !self.has_spaces() {
            if is_results(&source.path) {
                return Err(HalvesError::Directory(source.path.clone()));
            }
            return Ok(matrices::read(source, side, &self.reading)?);
        }
        if let Some(left) = left_out(&source.path) {
            progress.warn([format!("{}: not read, for a layer is an array: {left}", source.path.display())]);
        }
        let (parts, lists) = parts(source, side, features)?;
        if !lists.is_empty() {
            let names: Vec<&str> = lists.iter().map(String::as_str).collect();
            progress.warn([format!(
                "{}: not read, for a list of numbers is no layer: {}",
                source.path.display(),
                first(&names, 5)
            )]);
        }
        let mut layers = Vec::new();
        for part in parts {
            if features {
                layers.push(self.of_features(&part, side, progress)?);
            } else {
                layers.extend(matrices::read(&part, side, &self.reading)?);
            }
        }
        for layer in layers.iter_mut().filter(|layer| layer.scales.is_empty()) {
            layer.scales = match self.kernels {
                Some(kernels) if kernels.hold(side) => {
                    layer.rsms.iter().map(|rsm| Scales::of_kernel(rsm.concepts())).collect()
                }
                _ => scales_beside(layer)?,
            };
        }
        Ok(layers)
    }

    fn of_features(&self, source: &Source, side: Side, progress: &Progress) -> Result<Matrices, HalvesError> {
        let features = match &source.given {
            Some(array) => given::features(StoredArray::clone(array))?,
            None => {
                let array = arrays::open(&source.path, source.array.as_deref(), &self.reading.told)
                    .map_err(FeaturesError::from)?;
                // What is said to be groups is not tokens, however many there are.
                match self.reading.groups_are {
                    Some(_) => given::features(array)?,
                    None => Features::of(array, &Layout::default()).map_err(|error| of_array(error, source))?,
                }
            }
        };
        let doubts = features.doubt_of_matrix()?.into_iter().chain(features.doubt_of_units()).collect();
        let path = features.path();
        let task = progress.task(features.work());
        task.now(format!("{}: {}", source.name, path.display()));
        let constant = if side == Side::Images { self.options.constant } else { Constant::Error };
        let groups = 0..features.groups;
        let reduced: Vec<_> = groups
            .map(|group| features.reduced(group, constant, progress, &task))
            .collect::<Result<_, Error>>()
            .map_err(|error| HalvesError::Reading(Box::new(error)))?;
        let (rsms, scales): (Vec<_>, Vec<_>) = reduced.into_iter().unzip();
        let (names, unfit) = match words::list_beside(path).filter(|_| features.concept_lists.is_empty()) {
            Some(list) => {
                vectors::read(path, &[])?;
                (names::lists(&[names::read_lines(&list)?], features.concepts), None)
            }
            None => matrices::named(features.array(), &features.array().labels().rows, features.concepts)?,
        };
        let read = Read {
            side,
            name: source.name.clone(),
            path: path.into(),
            shape: features.shape().to_vec(),
            form: "features".to_string(),
            entries: Entries::Similarities,
            zero_diagonal: false,
            matrices: rsms.len(),
            concepts: features.concepts,
            groups: None,
            names: names.first().map(|names| matrices::shown(names)),
            order: None,
        };
        let units = features.unit_names();
        Ok(Matrices { name: source.name.clone(), rsms, groups: None, names, unfit, units, scales, doubts, read })
    }
}

/// The error, with the name of the array among others of a file.
fn of_array(error: FeaturesError, source: &Source) -> FeaturesError {
    match (error, &source.array) {
        (FeaturesError::Shape { path, shape }, Some(array)) => {
            FeaturesError::Shape { path: format!("{}::{array}", path.display()).into(), shape }
        }
        (error, _) => error,
    }
}

/// Vectors or tables in a folder of layers whose endings are those of lists and of word vectors, by their names.
fn left_out(folder: &Path) -> Option<String> {
    let entries = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let of_words = |path: &PathBuf| ["txt", "vec", "bin", "gz"].contains(&files::ending(path).as_str());
    let names = entries.filter(|path| !files::is_hidden(path) && of_words(path));
    let mut names: Vec<String> = names.map(|path| files::name(&path)).collect();
    names.retain(|name| !name.ends_with(CONCEPTS));
    names.sort_by_cached_key(|name| matrices::natural(name));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| first(&names, 5))
}

/// Whether a run or a test left its matrices there.
fn is_results(path: &Path) -> bool {
    let results = ResultsDir::new(path);
    results.matrices().is_dir() && results.record().is_file()
}

/// Where each layer of a source is, and the lists of numbers beside them if they are features, such as labels, which are none.
fn parts(source: &Source, side: Side, features: bool) -> Result<(Vec<Source>, Vec<String>), HalvesError> {
    let path = source.path.as_path();
    let layer =
        |name: String, path: &Path, array: Option<String>| Source { name, path: path.into(), array, given: None };
    let results = ResultsDir::new(path);
    if is_results(path) {
        let names =
            matrices::layers_of_run(&results).map_err(|error| HalvesError::Reading(Box::new(Error::input(error))))?;
        let asked = |name: &String| source.array.as_ref().is_none_or(|asked| asked == name);
        let known = names.iter().filter(|name| asked(name)).cloned();
        let found: Vec<Source> = known.map(|name| layer(name.clone(), &results.layer_rsm(&name), None)).collect();
        return match &source.array {
            _ if names.is_empty() => Err(HalvesError::NoLayers(results.table("layers"))),
            Some(name) if found.is_empty() => {
                Err(MatrixError::from(ArrayError::NoName { path: path.into(), name: name.clone(), names }).into())
            }
            _ => Ok((found, Vec::new())),
        };
    }
    if path.is_dir() {
        let files = matrices::files(path, side)?;
        if files.is_empty() {
            return Err(MatrixError::NoFiles(path.into()).into());
        }
        let layers = files.iter().map(|file| layer(files::stem(file), file, source.array.clone()));
        return Ok((layers.collect(), Vec::new()));
    }
    let ending = files::ending(path);
    if source.array.is_some() || !ARCHIVES.contains(&ending.as_str()) {
        return Ok((vec![source.clone()], Vec::new()));
    }
    // Lists of names among the arrays are no layers, and may say their order.
    let mut names = arrays::names_but_texts(path).map_err(MatrixError::from)?;
    let mut lists = if features { arrays::lists_of_numbers(path).map_err(MatrixError::from)? } else { Vec::new() };
    if lists.len() >= names.len() {
        lists.clear();
    }
    names.retain(|name| !lists.contains(name));
    if let ([only], false) = (&names[..], lists.is_empty()) {
        return Ok((vec![Source { array: Some(only.clone()), ..source.clone() }], lists));
    }
    let texts = match ending.as_str() {
        "h5" | "hdf5" => arrays::texts(path).map_err(MatrixError::from)?,
        _ => Vec::new(),
    };
    if names.len() < 2 || names.iter().any(|name| name == DISSIMILARITIES) {
        return Ok((vec![source.clone()], lists));
    }
    let of_names = |list: &&Vec<String>| list.len() == names.len() && names.iter().all(|name| list.contains(name));
    match texts.iter().map(|(_, list)| list).find(of_names) {
        Some(stated) => names = stated.clone(),
        None => names = matrices::sorted(names, String::clone),
    }
    Ok((names.into_iter().map(|name| layer(name.clone(), path, Some(name))).collect(), lists))
}

/// The scales that a run left beside a layer's matrices; none where there are none.
fn scales_beside(layer: &Matrices) -> Result<Vec<Scales>, HalvesError> {
    let path = scales_of(&layer.read.path);
    if path.extension().is_none_or(|ending| ending != "npy") || !path.exists() {
        return Ok(Vec::new());
    }
    let concepts = layer.read.concepts;
    let wrong = || HalvesError::Scales { path: path.clone(), concepts };
    let (_, values) = arrays::read_npy(&path).map_err(MatrixError::from)?;
    if values.len() != layer.rsms.len() * concepts * 3 {
        return Err(wrong());
    }
    values.chunks_exact(concepts * 3).map(|rows| Scales::from_rows(rows).ok_or_else(wrong)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::write_table;

    #[test]
    fn a_results_directory_without_layers_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::create_dir(path.join("rsm")).unwrap();
        std::fs::write(path.join("run.json"), "{}").unwrap();
        write_table::<crate::results::LayersRow>(path, &[]).unwrap();
        for array in [None, Some("conv1".to_string())] {
            let source = Source { name: "run".into(), path: path.into(), array, given: None };
            let error = parts(&source, Side::Images, true).unwrap_err().to_string();
            assert!(
                error.ends_with("layers.csv: no rows, expected a row for each layer of the run; run it again"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_list_of_numbers_beside_features_is_no_layer() {
        use hdf5_writer::{DatasetBuilder, Hdf5Builder, WriteOptions};
        let directory = tempfile::tempdir().unwrap();
        let array = |name: &str| DatasetBuilder::typed_data(name, vec![3, 2], &[0.5, 1.5, 2.5, 1.0, 0.0, 3.0]).unwrap();
        let labels = || DatasetBuilder::typed_data("labels", vec![3], &[0_u64, 1, 1]).unwrap();
        let weights = || DatasetBuilder::typed_data("weights", vec![3, 1], &[0.5, 1.0, 0.5]).unwrap();
        let layers = |file: Hdf5Builder| -> Vec<(String, Option<String>)> {
            let path = directory.path().join("x.h5");
            let file = file.dataset(labels()).dataset(weights()).into_plan().unwrap();
            std::fs::write(&path, file.encode(WriteOptions::default()).unwrap()).unwrap();
            let source = Source { name: "x".into(), path, array: None, given: None };
            let (parts, found) = parts(&source, Side::Images, true).unwrap();
            assert_eq!(found, ["labels", "weights"]);
            parts.into_iter().map(|layer| (layer.name, layer.array)).collect()
        };
        let called = |name: &str, array: &str| (name.to_string(), Some(array.to_string()));
        let two = Hdf5Builder::new().dataset(array("b")).dataset(array("a"));
        assert_eq!(layers(two), [called("a", "a"), called("b", "b")]);
        assert_eq!(layers(Hdf5Builder::new().dataset(array("a"))), [called("x", "a")]);
    }
}
