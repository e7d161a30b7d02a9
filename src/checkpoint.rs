//! The RSMs of a run on disk: its results, and what lets an interrupted run go on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::arrays;
use crate::checksum;
use crate::error::FileError;
use crate::results::{ResultsDir, write_json};
use crate::stats::Rsm;

/// One file per layer, f64 `[groups, concepts, concepts]`, and one of the network's answers; a group that is not computed
/// yet is NaN. Files are replaced atomically, one layer of one group at a time, and after each the list of what is
/// computed.
pub struct Checkpoint {
    list: PathBuf,
    finished: Finished,
    concepts: usize,
    layers: Vec<(String, Groups)>,
    /// `[groups, concepts]`
    answers: Groups,
}

/// A file of values by group.
struct Groups {
    path: PathBuf,
    /// Shape of one group.
    shape: Vec<usize>,
    /// The values of each group, where computed.
    values: Vec<Option<Vec<f64>>>,
}

/// `finished.json`: what the files hold.
#[derive(Default, Deserialize, Serialize)]
struct Finished {
    /// Names the experiment.
    key: String,
    /// By file, the checksum of each group's values; none where a group is not computed. Layers that this run does not ask
    /// for stay listed.
    groups: BTreeMap<String, Vec<Option<String>>>,
}

impl Checkpoint {
    /// Opens the matrices of `directory` for these layers; what an earlier run of the same experiment (`key`) finished is
    /// reused unless `fresh`. Layers of another experiment, or of `semgpu test`, are removed: `true` is returned beside
    /// the checkpoint.
    ///
    /// # Errors
    /// The directory cannot be read or written.
    pub fn open(
        directory: &ResultsDir,
        key: &str,
        layers: &[&str],
        groups: usize,
        concepts: usize,
        fresh: bool,
    ) -> Result<(Self, bool), FileError> {
        // A list that is damaged lists nothing.
        let found = std::fs::read(directory.finished()).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut finished: Finished = found.unwrap_or_default();
        let same = finished.key == key;
        let mut replaced = false;
        if !same || fresh {
            let matrices = directory.matrices();
            replaced = clear(&matrices).map_err(FileError::at(&matrices))? && !same;
            finished = Finished { key: key.to_string(), groups: BTreeMap::new() };
            write_json(&directory.finished(), &finished)?;
        }
        let read = |path: PathBuf, shape: &[usize]| Groups::read(path, shape, groups, &finished);
        let layer = |&name: &&str| (name.to_string(), read(directory.layer_rsm(name), &[concepts, concepts]));
        let layers = layers.iter().map(layer).collect();
        let answers = read(directory.answers(), &[concepts]);
        Ok((Self { list: directory.finished(), finished, concepts, layers, answers }, replaced))
    }

    /// Whether the layer is one of this run's and its RSM in the group is not computed.
    pub fn lacks(&self, layer: &str, group: usize) -> bool {
        self.layers.iter().any(|(name, groups)| name == layer && groups.values[group].is_none())
    }

    /// The classes that the network answered in a group, by concept, if computed.
    pub fn classes(&self, group: usize) -> Option<Vec<u32>> {
        Some(self.answers.values[group].as_ref()?.iter().map(|&class| class as u32).collect())
    }

    /// Keeps the classes answered in a group.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_classes(&mut self, group: usize, classes: &[u32]) -> Result<(), FileError> {
        self.answers.put(group, classes.iter().map(|&class| f64::from(class)).collect(), &mut self.finished)?;
        write_json(&self.list, &self.finished)
    }

    /// Keeps an RSM.
    ///
    /// # Errors
    /// The file cannot be written; what was there before stays.
    ///
    /// # Panics
    /// If the layer is none of those opened.
    pub fn put(&mut self, layer: &str, group: usize, rsm: &Rsm) -> Result<(), FileError> {
        let (_, groups) = self.layers.iter_mut().find(|(name, _)| name == layer).expect("a layer of this run");
        groups.put(group, rsm.values().to_vec(), &mut self.finished)?;
        write_json(&self.list, &self.finished)
    }

    /// All RSMs, `[layer][group]`.
    ///
    /// # Panics
    /// If one is missing.
    pub fn finish(self) -> Vec<Vec<Rsm>> {
        let rsm =
            |values: Option<Vec<f64>>| Rsm::new(self.concepts, values.expect("every layer and group is computed"));
        self.layers.into_iter().map(|(_, groups)| groups.values.into_iter().map(rsm).collect()).collect()
    }
}

impl Groups {
    /// The groups that are listed as finished and lie in the file as they were.
    fn read(path: PathBuf, shape: &[usize], groups: usize, finished: &Finished) -> Self {
        let mut file = Self { path, shape: shape.to_vec(), values: vec![None; groups] };
        let listed = finished.groups.get(&file.name()).map_or(&[][..], Vec::as_slice);
        if listed.iter().all(Option::is_none) {
            return file;
        }
        // A file that is damaged is computed again.
        if let Ok((found, values)) = arrays::read_npy(&file.path)
            && found == file.whole_shape()
        {
            let size = file.shape.iter().product();
            for ((group, sum), values) in file.values.iter_mut().zip(listed).zip(values.chunks_exact(size)) {
                *group = sum.as_ref().filter(|&sum| *sum == checksum(values)).map(|_| values.to_vec());
            }
        }
        file
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn whole_shape(&self) -> Vec<usize> {
        std::iter::once(self.values.len()).chain(self.shape.iter().copied()).collect()
    }

    fn put(&mut self, group: usize, values: Vec<f64>, finished: &mut Finished) -> Result<(), FileError> {
        let listed = finished.groups.entry(self.name()).or_default();
        listed.resize(self.values.len(), None);
        listed[group] = Some(checksum(&values));
        let missing = vec![f64::NAN; values.len()];
        self.values[group] = Some(values);
        let all: Vec<f64> =
            self.values.iter().flat_map(|values| values.as_ref().unwrap_or(&missing)).copied().collect();
        arrays::write_npy(&self.path, &self.whole_shape(), &all)
    }
}

/// SHA-256 of a group's values.
fn checksum(values: &[f64]) -> String {
    checksum::of_parts(&[bytemuck::cast_slice::<f64, u8>(values)])
}

/// Removes the layer files of an earlier experiment; whether there were any.
fn clear(directory: &Path) -> std::io::Result<bool> {
    let mut found = false;
    if !directory.exists() {
        return Ok(found);
    }
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "npy") {
            std::fs::remove_file(path)?;
            found = true;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsm(value: f64) -> Rsm {
        Rsm::new(2, vec![1.0, value, value, 1.0])
    }

    fn open(out: &Path, key: &str, fresh: bool) -> (Checkpoint, bool) {
        Checkpoint::open(&ResultsDir::new(out), key, &["conv1", "fc1"], 2, 2, fresh).unwrap()
    }

    #[test]
    fn answers_are_kept_group_by_group() {
        let out = tempfile::tempdir().unwrap();
        let open = |key| Checkpoint::open(&ResultsDir::new(out.path()), key, &["logits"], 2, 3, false).unwrap().0;
        let mut first = open("a");
        assert_eq!(first.classes(0), None);
        first.put_classes(1, &[0, 999, 7]).unwrap();
        let again = open("a");
        assert_eq!((again.classes(0), again.classes(1)), (None, Some(vec![0, 999, 7])));
        assert!(again.lacks("logits", 0) && !again.lacks("conv1", 0));
        assert_eq!(open("b").classes(1), None);
    }

    #[test]
    fn a_run_goes_on_where_it_stopped_and_starts_afresh_for_another_experiment() {
        let out = tempfile::tempdir().unwrap();
        let open = |key, fresh| open(out.path(), key, fresh);
        let (mut first, replaced) = open("a", false);
        assert!(!replaced);
        first.put("conv1", 1, &rsm(0.5)).unwrap();

        let (mut again, replaced) = open("a", false);
        assert!(!replaced);
        assert_eq!([("conv1", 1), ("conv1", 0), ("fc1", 1)].map(|(l, g)| again.lacks(l, g)), [false, true, true]);
        again.put("conv1", 0, &rsm(0.25)).unwrap();
        again.put("fc1", 0, &rsm(0.0)).unwrap();
        again.put("fc1", 1, &rsm(-1.0)).unwrap();
        let all = [[0.25, 0.5], [0.0, -1.0]].map(|groups| groups.map(rsm).to_vec()).to_vec();
        assert_eq!(open("a", false).0.finish(), all);

        assert!(open("a", true).0.lacks("conv1", 1));
        open("a", false).0.put("conv1", 1, &rsm(0.5)).unwrap();
        let (other, replaced) = open("b", false);
        assert!(replaced);
        assert!(other.lacks("conv1", 1));

        // As `semgpu test` leaves them: without a list.
        let directory = ResultsDir::new(out.path());
        std::fs::remove_file(directory.finished()).unwrap();
        arrays::write_npy(&directory.layer_rsm("v1"), &[1], &[0.0]).unwrap();
        assert!(open("b", false).1 && !directory.layer_rsm("v1").exists());
    }

    #[test]
    fn what_is_not_as_it_was_left_is_computed_again() {
        let out = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(out.path());
        let (mut first, _) = open(out.path(), "a", false);
        for group in [0, 1] {
            first.put("conv1", group, &rsm(0.5)).unwrap();
        }
        let path = directory.layer_rsm("conv1");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let (again, _) = open(out.path(), "a", false);
        assert_eq!([0, 1].map(|group| again.lacks("conv1", group)), [false, true]);
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let (again, _) = open(out.path(), "a", false);
        assert_eq!([0, 1].map(|group| again.lacks("conv1", group)), [true, true]);
        // A kill between a file and the list leaves a group unlisted.
        std::fs::write(directory.finished(), "{").unwrap();
        assert!(open(out.path(), "a", false).0.lacks("conv1", 0));
    }
}
