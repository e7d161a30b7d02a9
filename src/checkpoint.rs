//! The RSMs of a run on disk: its results, and what lets an interrupted run go on.

use std::path::{Path, PathBuf};

use crate::arrays::{self, ArrayError};
use crate::error::FileError;
use crate::imagenet::CLASSES;
use crate::results::write_atomically;
use crate::stats::Rsm;

/// One file per layer, `rsm/<layer>.npy`, f64 `[groups, concepts, concepts]`; a group that is not computed yet is all
/// zeros (a computed RSM has ones on its diagonal). Files are replaced atomically, one layer of one group at a time.
pub struct Checkpoint {
    directory: PathBuf,
    concepts: usize,
    layers: Vec<Layer>,
    /// `[groups][concepts]`
    classes: Vec<Option<Vec<u32>>>,
}

struct Layer {
    name: String,
    groups: Vec<Option<Rsm>>,
}

/// Names the experiment whose layers `rsm/` holds.
pub(crate) const KEY_FILE: &str = "experiment.sha256";

/// The class that the network answered to each image, f64 `[groups, concepts]`; -1 in a group that is not computed yet.
const CLASSES_FILE: &str = "predicted_classes";

impl Checkpoint {
    /// Opens `out/rsm` for these layers; what an earlier run of the same experiment (`key`) finished is reused unless
    /// `fresh`. Layers of another experiment, or of `semgpu test`, are removed: `true` is returned beside the checkpoint.
    ///
    /// # Errors
    /// The directory cannot be read or written.
    pub fn open(
        out: &Path,
        key: &str,
        layers: &[&str],
        groups: usize,
        concepts: usize,
        fresh: bool,
    ) -> Result<(Self, bool), ArrayError> {
        let directory = out.join("rsm");
        let key_file = directory.join(KEY_FILE);
        let found = std::fs::read_to_string(&key_file).ok();
        let same = found.as_deref().map(str::trim) == Some(key);
        let mut replaced = false;
        if !same || fresh {
            replaced = clear(&directory).map_err(FileError::at(&directory))? && !same;
            std::fs::create_dir_all(&directory).map_err(FileError::at(&directory))?;
            write_atomically(&key_file, |file| writeln!(file, "{key}"))?;
        }
        let mut checkpoint = Self { directory, concepts, layers: Vec::new(), classes: Vec::new() };
        checkpoint.classes = checkpoint.read_classes(groups)?;
        for &name in layers {
            let path = checkpoint.path(name);
            let groups = if path.exists() { checkpoint.read(&path, groups)? } else { vec![None; groups] };
            checkpoint.layers.push(Layer { name: name.to_string(), groups });
        }
        Ok((checkpoint, replaced))
    }

    /// Whether the layer is one of this run's and its RSM in the group is not computed.
    pub fn lacks(&self, layer: &str, group: usize) -> bool {
        self.layers.iter().any(|known| known.name == layer && known.groups[group].is_none())
    }

    /// The classes that the network answered in a group, by concept, if computed.
    pub fn classes(&self, group: usize) -> Option<&[u32]> {
        self.classes[group].as_deref()
    }

    /// Keeps the classes answered in a group.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_classes(&mut self, group: usize, classes: Vec<u32>) -> Result<(), FileError> {
        self.classes[group] = Some(classes);
        let values: Vec<f64> = self
            .classes
            .iter()
            .flat_map(|classes| match classes {
                Some(classes) => classes.iter().map(|&class| f64::from(class)).collect(),
                None => vec![-1.0; self.concepts],
            })
            .collect();
        arrays::write_npy(&self.path(CLASSES_FILE), &[self.classes.len(), self.concepts], &values)
    }

    /// The RSM of a layer and group, if computed.
    pub fn get(&self, layer: &str, group: usize) -> Option<&Rsm> {
        self.layers.iter().find(|known| known.name == layer)?.groups[group].as_ref()
    }

    /// Keeps an RSM.
    ///
    /// # Errors
    /// The file cannot be written; what was there before stays.
    ///
    /// # Panics
    /// If the layer is none of those opened.
    pub fn put(&mut self, layer: &str, group: usize, rsm: Rsm) -> Result<(), FileError> {
        let position = self.layers.iter().position(|known| known.name == layer).expect("a layer of this run");
        self.layers[position].groups[group] = Some(rsm);
        let groups = &self.layers[position].groups;
        let square = self.concepts * self.concepts;
        let values: Vec<f64> = groups
            .iter()
            .flat_map(|rsm| rsm.as_ref().map_or_else(|| vec![0.0; square], |rsm| rsm.values().to_vec()))
            .collect();
        arrays::write_npy(&self.path(layer), &[groups.len(), self.concepts, self.concepts], &values)
    }

    /// All RSMs, `[layer][group]`.
    ///
    /// # Panics
    /// If one is missing.
    pub fn finish(self) -> Vec<Vec<Rsm>> {
        self.layers
            .into_iter()
            .map(|layer| layer.groups.into_iter().map(|rsm| rsm.expect("every layer and group is computed")).collect())
            .collect()
    }

    fn path(&self, layer: &str) -> PathBuf {
        self.directory.join(format!("{layer}.npy"))
    }

    fn read_classes(&self, groups: usize) -> Result<Vec<Option<Vec<u32>>>, ArrayError> {
        let path = self.path(CLASSES_FILE);
        if !path.exists() {
            return Ok(vec![None; groups]);
        }
        let (shape, values) = arrays::read_npy(&path)?;
        if shape != [groups, self.concepts] {
            return Ok(vec![None; groups]);
        }
        // A group that is not computed yet is below 0, one that something else wrote may be anything.
        let classes = 0.0..CLASSES as f64;
        let known = |values: &[f64]| values.iter().all(|class| classes.contains(class));
        let group = |values: &[f64]| known(values).then(|| values.iter().map(|&class| class as u32).collect());
        Ok(values.chunks_exact(self.concepts).map(group).collect())
    }

    fn read(&self, path: &Path, groups: usize) -> Result<Vec<Option<Rsm>>, ArrayError> {
        let (shape, values) = arrays::read_npy(path)?;
        if shape != [groups, self.concepts, self.concepts] {
            return Ok(vec![None; groups]);
        }
        let square = self.concepts * self.concepts;
        Ok(values
            .chunks_exact(square)
            .map(|rsm| (rsm[0] == 1.0).then(|| Rsm::new(self.concepts, rsm.to_vec())))
            .collect())
    }
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

    #[test]
    fn answers_are_kept_group_by_group() {
        let out = tempfile::tempdir().unwrap();
        let open = |key| Checkpoint::open(out.path(), key, &["logits"], 2, 3, false).unwrap().0;
        let mut first = open("a");
        assert_eq!(first.classes(0), None);
        first.put_classes(1, vec![0, 999, 7]).unwrap();
        let again = open("a");
        assert_eq!((again.classes(0), again.classes(1)), (None, Some(&[0, 999, 7][..])));
        assert!(again.lacks("logits", 0) && !again.lacks("conv1", 0));
        assert_eq!(open("b").classes(1), None);
    }

    #[test]
    fn a_run_goes_on_where_it_stopped_and_starts_afresh_for_another_experiment() {
        let out = tempfile::tempdir().unwrap();
        let open = |key, fresh| Checkpoint::open(out.path(), key, &["conv1", "fc1"], 2, 2, fresh).unwrap();
        let (mut first, replaced) = open("a", false);
        assert!(!replaced);
        first.put("conv1", 1, rsm(0.5)).unwrap();

        let (again, replaced) = open("a", false);
        assert!(!replaced);
        assert_eq!(again.get("conv1", 1), Some(&rsm(0.5)));
        assert_eq!(again.get("conv1", 0), None);
        assert_eq!(again.get("fc1", 1), None);

        assert_eq!(open("a", true).0.get("conv1", 1), None);
        open("a", false).0.put("conv1", 1, rsm(0.5)).unwrap();
        let (other, replaced) = open("b", false);
        assert!(replaced);
        assert_eq!(other.get("conv1", 1), None);

        // As `semgpu test` leaves them: without a key.
        std::fs::remove_file(out.path().join("rsm").join(KEY_FILE)).unwrap();
        arrays::write_npy(&out.path().join("rsm/v1.npy"), &[1], &[0.0]).unwrap();
        assert!(open("b", false).1 && !out.path().join("rsm/v1.npy").exists());
    }
}
