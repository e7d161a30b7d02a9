//! The RSMs of a run on disk: its results, and what lets an interrupted run go on.

use std::path::{Path, PathBuf};

use crate::error::FileError;
use crate::results::arrays::{self, ArrayError};
use crate::results::write_atomically;
use crate::stats::Rsm;

/// One file per layer, `rsm/<layer>.npy`, f64 `[groups, concepts, concepts]`; a group that is not computed yet is all
/// zeros (a computed RSM has ones on its diagonal). Files are replaced atomically, one layer of one group at a time.
pub struct Checkpoint {
    directory: PathBuf,
    concepts: usize,
    layers: Vec<Layer>,
}

struct Layer {
    name: String,
    groups: Vec<Option<Rsm>>,
}

/// Names the experiment whose layers `rsm/` holds.
const KEY_FILE: &str = "experiment.sha256";

impl Checkpoint {
    /// Opens `out/rsm` for these layers; what an earlier run of the same experiment (`key`) finished is reused unless
    /// `fresh`. Layers of another experiment are removed: `true` is returned beside the checkpoint.
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
        let replaced = found.is_some() && !same;
        if !same || fresh {
            clear(&directory).map_err(FileError::at(&directory))?;
            std::fs::create_dir_all(&directory).map_err(FileError::at(&directory))?;
            write_atomically(&key_file, |file| writeln!(file, "{key}"))?;
        }
        let mut checkpoint = Self { directory, concepts, layers: Vec::new() };
        for &name in layers {
            let path = checkpoint.path(name);
            let groups = if path.exists() { checkpoint.read(&path, groups)? } else { vec![None; groups] };
            checkpoint.layers.push(Layer { name: name.to_string(), groups });
        }
        Ok((checkpoint, replaced))
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

/// Removes the layer files of an earlier experiment.
fn clear(directory: &Path) -> std::io::Result<()> {
    if !directory.exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "npy") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsm(value: f64) -> Rsm {
        Rsm::new(2, vec![1.0, value, value, 1.0])
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
    }
}
