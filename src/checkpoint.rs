//! The RSMs of a run on disk: its results, and what lets an interrupted run go on.

use std::path::PathBuf;

use crate::arrays;
use crate::checksum;
use crate::error::FileError;
use crate::files;
use crate::matrices;
use crate::results::{Ledger, ResultsDir};
use crate::stats::Rsm;
use crate::stats::alignment::Scales;
use crate::stats::scoring::Constant;

/// One file per layer, f64 `[groups, concepts, concepts]`, and one of the network's answers; a group that is not computed
/// yet is NaN. Files are replaced atomically, one layer of one group at a time, and after each the list of what is
/// computed.
pub struct Checkpoint {
    directory: ResultsDir,
    ledger: Ledger,
    groups: usize,
    concepts: usize,
    layers: Vec<Layer>,
    /// `[groups, concepts]`; none where the network is not run as far.
    answers: Option<Groups>,
}

/// A checkpoint as it was found.
pub struct Opened {
    /// What can be used of it.
    pub checkpoint: Checkpoint,
    /// What cannot, by file and reason: it is missing in the checkpoint.
    pub damaged: Vec<String>,
}

/// A layer's two files.
struct Layer {
    name: String,
    rsms: Groups,
    /// `[groups, concepts, 3]`, as [`Scales::to_rows`] has them; earlier versions wrote none.
    scales: Groups,
}

/// All that was kept of a layer, by group; no scales where a group has none.
#[derive(Default)]
pub struct Kept {
    /// One a group.
    pub rsms: Vec<Rsm>,
    /// One a group, or none at all.
    pub scales: Vec<Scales>,
}

/// A file of values by group.
struct Groups {
    path: PathBuf,
    /// Shape of one group.
    shape: Vec<usize>,
    /// The values of each group, where computed.
    values: Vec<Option<Vec<f64>>>,
}

impl Checkpoint {
    /// Opens the matrices of `directory` for these layers: what an earlier run of its experiment finished is reused, if it
    /// is as it was left and holds under the rule for constant images. A layer without scales is missing where they were left, or
    /// where a measure `needs_scales`; earlier versions left none. The network has so many `classes`, where its answers are kept.
    pub fn open(
        directory: &ResultsDir,
        layers: &[&str],
        groups: usize,
        (concepts, classes): (usize, Option<usize>),
        constant: Constant,
        needs_scales: bool,
    ) -> Opened {
        let ledger = Ledger::read(directory);
        let mut damaged = Vec::new();
        let mut read = |path: PathBuf, shape: &[usize], check: &dyn Fn(&[f64]) -> Option<String>| {
            let (file, wrong) = Groups::read(path, shape, groups, &ledger, check);
            damaged.extend(wrong);
            file
        };
        let rsm = |values: &[f64]| wrong(concepts, values, constant);
        let no_scales =
            |values: &[f64]| Scales::from_rows(values).is_none().then(|| "no scales of vectors".to_string());
        let mut layer = |name: &str| {
            let mut layer = Layer {
                name: name.to_string(),
                rsms: read(directory.layer_rsm(name), &[concepts, concepts], &rsm),
                scales: read(directory.layer_scales(name), &[concepts, 3], &no_scales),
            };
            for (group, rsm) in layer.rsms.values.iter_mut().enumerate() {
                let needed = needs_scales || ledger.has(&layer.scales.name(), group);
                *rsm = rsm.take().filter(|_| !needed || layer.scales.values[group].is_some());
            }
            layer
        };
        let layers = layers.iter().map(|&name| layer(name)).collect();
        let answers = classes.map(|classes| {
            let class = |value: &f64| (0.0..classes as f64).contains(value) && value.fract() == 0.0;
            let known = |values: &[f64]| (!values.iter().all(class)).then(|| "not classes of the network".to_string());
            read(directory.answers(), &[concepts], &known)
        });
        Opened { checkpoint: Self { directory: directory.clone(), ledger, groups, concepts, layers, answers }, damaged }
    }

    /// Lists the files that are there: where a list was lost a new one begins, and what is in none is somebody else's.
    ///
    /// # Errors
    /// The list cannot be written.
    pub fn list_present(&mut self) -> Result<(), FileError> {
        let present: Vec<String> = self.files().filter(|file| file.path.exists()).map(Groups::name).collect();
        self.ledger.enlist(&self.directory, present.into_iter())
    }

    /// Whether the layer is one of this run's and its RSM in the group is not computed.
    pub fn lacks(&self, layer: &str, group: usize) -> bool {
        self.layers.iter().any(|known| known.name == layer && known.rsms.values[group].is_none())
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The classes that the network answered in a group, by concept, if computed.
    pub fn classes(&self, group: usize) -> Option<Vec<u32>> {
        Some(self.answers.as_ref()?.values[group].as_ref()?.iter().map(|&class| class as u32).collect())
    }

    /// Keeps the classes answered in a group.
    ///
    /// # Errors
    /// As [`Self::put`].
    ///
    /// # Panics
    /// If it was opened without classes.
    pub fn put_classes(&mut self, group: usize, classes: &[u32]) -> Result<(), FileError> {
        let answers = self.answers.as_mut().expect("the network is run as far");
        self.ledger.enlist(&self.directory, std::iter::once(answers.name()))?;
        answers.put(group, classes.iter().map(|&class| f64::from(class)).collect(), &mut self.ledger)?;
        self.ledger.write(&self.directory)
    }

    /// Keeps what a layer is reduced to.
    ///
    /// # Errors
    /// The file cannot be written; what was there before stays.
    ///
    /// # Panics
    /// If the layer is none of those opened.
    pub fn put(&mut self, layer: &str, group: usize, (rsm, scales): (&Rsm, &Scales)) -> Result<(), FileError> {
        let layer = self.layers.iter_mut().find(|known| known.name == layer).expect("a layer of this run");
        self.ledger.enlist(&self.directory, [layer.scales.name(), layer.rsms.name()].into_iter())?;
        layer.scales.put(group, scales.to_rows(), &mut self.ledger)?;
        layer.rsms.put(group, rsm.values().to_vec(), &mut self.ledger)?;
        self.ledger.write(&self.directory)
    }

    /// Whether every RSM is computed, and every class that the network answered.
    pub fn is_whole(&self) -> bool {
        let files = self.layers.iter().map(|layer| &layer.rsms).chain(&self.answers);
        files.flat_map(|file| &file.values).all(Option::is_some)
    }

    /// Takes over whole checkpoints of the same layers: the groups of each are this one's from the given place on.
    ///
    /// # Errors
    /// As [`Self::put`].
    ///
    /// # Panics
    /// If they are of other layers.
    pub fn take(&mut self, shards: Vec<(usize, Self)>) -> Result<(), FileError> {
        let Self { directory, layers, answers, ledger, .. } = self;
        let files = layers.iter_mut().flat_map(|layer| [&mut layer.rsms, &mut layer.scales]).chain(answers);
        let mut files: Vec<&mut Groups> = files.collect();
        let mut parts: Vec<_> = shards.iter().map(|(first, shard)| (*first, shard.files())).collect();
        for file in &mut files {
            for (first, files) in &mut parts {
                let found = &files.next().expect("checkpoints of the same layers").values;
                file.values[*first..*first + found.len()].clone_from_slice(found);
            }
        }
        files.retain(|file| file.values.iter().any(Option::is_some));
        ledger.enlist(directory, files.iter().map(|file| file.name()))?;
        for file in files {
            (0..file.values.len()).for_each(|group| file.list(group, ledger));
            file.write()?;
        }
        ledger.write(directory)
    }

    /// Its files: of each layer the RSMs and the scales, then the answers.
    fn files(&self) -> impl Iterator<Item = &Groups> {
        self.layers.iter().flat_map(|layer| [&layer.rsms, &layer.scales]).chain(&self.answers)
    }

    /// What was kept of every layer.
    ///
    /// # Panics
    /// If one is missing.
    pub fn finish(self) -> Vec<Kept> {
        let rsm =
            |values: Option<Vec<f64>>| Rsm::new(self.concepts, values.expect("every layer and group is computed"));
        let kept = |layer: Layer| Kept {
            rsms: layer.rsms.values.into_iter().map(rsm).collect(),
            scales: layer
                .scales
                .values
                .iter()
                .map(|rows| Scales::from_rows(rows.as_ref()?))
                .collect::<Option<_>>()
                .unwrap_or_default(),
        };
        self.layers.into_iter().map(kept).collect()
    }
}

impl Groups {
    /// The groups that are listed as finished, lie in the file as they were, and pass `check`; beside them what is wrong
    /// with others that are listed.
    fn read(
        path: PathBuf,
        shape: &[usize],
        groups: usize,
        ledger: &Ledger,
        check: &dyn Fn(&[f64]) -> Option<String>,
    ) -> (Self, Vec<String>) {
        let mut file = Self { path, shape: shape.to_vec(), values: vec![None; groups] };
        let listed = ledger.groups.get(&file.name()).map_or(&[][..], Vec::as_slice);
        if listed.iter().all(Option::is_none) {
            return (file, Vec::new());
        }
        let mut damaged = Vec::new();
        let mut say = |what: String| damaged.push(format!("{}: {what}", file.path.display()));
        match arrays::read_npy(&file.path) {
            // It names the file.
            Err(error) => damaged.push(error.to_string()),
            Ok((found, _)) if found != file.whole_shape() => {
                say(format!("shape {found:?}, expected {:?}", file.whole_shape()));
            }
            Ok((_, values)) => {
                let size = file.shape.iter().product();
                for (group, (sum, values)) in listed.iter().zip(values.chunks_exact(size)).enumerate() {
                    let Some(sum) = sum else { continue };
                    let wrong =
                        if *sum == checksum(values) { check(values) } else { Some("not as it was left".into()) };
                    match wrong {
                        None => file.values[group] = Some(values.to_vec()),
                        Some(wrong) => say(format!("group {} of {groups}: {wrong}", group + 1)),
                    }
                }
            }
        }
        (file, damaged)
    }

    fn name(&self) -> String {
        files::name(&self.path)
    }

    fn whole_shape(&self) -> Vec<usize> {
        std::iter::once(self.values.len()).chain(self.shape.iter().copied()).collect()
    }

    fn put(&mut self, group: usize, values: Vec<f64>, ledger: &mut Ledger) -> Result<(), FileError> {
        self.values[group] = Some(values);
        self.list(group, ledger);
        self.write()
    }

    fn list(&self, group: usize, ledger: &mut Ledger) {
        let listed = ledger.groups.entry(self.name()).or_default();
        listed.resize(self.values.len(), None);
        listed[group] = self.values[group].as_deref().map(checksum);
    }

    fn write(&self) -> Result<(), FileError> {
        let missing = vec![f64::NAN; self.shape.iter().product()];
        let all: Vec<f64> =
            self.values.iter().flat_map(|values| values.as_ref().unwrap_or(&missing)).copied().collect();
        arrays::write_npy(&self.path, &self.whole_shape(), &all)
    }
}

/// SHA-256 of a group's values.
fn checksum(values: &[f64]) -> String {
    checksum::of_parts(&[bytemuck::cast_slice::<f64, u8>(values)])
}

/// What is wrong with an RSM, or with its constant images under their rule.
fn wrong(concepts: usize, values: &[f64], constant: Constant) -> Option<String> {
    let rsm = Rsm::new(concepts, values.to_vec());
    if constant == Constant::Error && !rsm.constant().is_empty() {
        return Some("a constant image, and two_vs_two.constant = \"error\"".into());
    }
    matrices::check_rsm(&rsm).err().map(|wrong| format!("{wrong}: no correlations of images"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn rsm(value: f64) -> Rsm {
        Rsm::new(2, vec![1.0, value, value, 1.0])
    }

    fn scales() -> Scales {
        Scales { units: 7, means: vec![0.5, -1.0], deviations: vec![1.5, 0.0] }
    }

    #[test]
    fn layers_of_earlier_versions_serve_measures_that_need_no_scales() {
        let out = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(out.path());
        let (mut first, _) = open(out.path(), Constant::Error);
        first.put("conv1", 0, (&rsm(0.5), &scales())).unwrap();
        std::fs::remove_file(directory.layer_scales("conv1")).unwrap();
        first.ledger.groups.remove("scales.conv1.npy");
        first.ledger.write(&directory).unwrap();
        let lacks = |needs_scales| {
            let Opened { checkpoint: again, damaged } =
                Checkpoint::open(&directory, &["conv1", "fc1"], 2, (2, None), Constant::Error, needs_scales);
            assert_eq!(damaged, [""; 0]);
            again.lacks("conv1", 0)
        };
        assert_eq!([false, true].map(lacks), [false, true]);
    }

    fn open(out: &Path, constant: Constant) -> (Checkpoint, Vec<String>) {
        let Opened { checkpoint, damaged } =
            Checkpoint::open(&ResultsDir::new(out), &["conv1", "fc1"], 2, (2, None), constant, false);
        (checkpoint, damaged)
    }

    #[test]
    fn answers_are_kept_group_by_group() {
        let out = tempfile::tempdir().unwrap();
        let open = || {
            Checkpoint::open(&ResultsDir::new(out.path()), &["logits"], 2, (3, Some(1000)), Constant::Error, false)
                .checkpoint
        };
        let mut first = open();
        assert_eq!(first.classes(0), None);
        first.put_classes(1, &[0, 999, 7]).unwrap();
        let mut again = open();
        assert_eq!((again.classes(0), again.classes(1)), (None, Some(vec![0, 999, 7])));
        assert!(again.lacks("logits", 0) && !again.lacks("conv1", 0));
        again.put_classes(1, &[0, 1000, 7]).unwrap();
        assert_eq!(open().classes(1), None);
    }

    #[test]
    fn a_run_goes_on_where_it_stopped() {
        let out = tempfile::tempdir().unwrap();
        let open = || {
            let (checkpoint, damaged) = open(out.path(), Constant::Error);
            assert_eq!(damaged, [""; 0]);
            checkpoint
        };
        open().put("conv1", 1, (&rsm(0.5), &scales())).unwrap();
        let mut again = open();
        assert_eq!([("conv1", 1), ("conv1", 0), ("fc1", 1)].map(|(l, g)| again.lacks(l, g)), [false, true, true]);
        again.put("conv1", 0, (&rsm(0.25), &scales())).unwrap();
        again.put("fc1", 0, (&rsm(0.0), &scales())).unwrap();
        again.put("fc1", 1, (&rsm(-1.0), &scales())).unwrap();
        let all = [[0.25, 0.5], [0.0, -1.0]].map(|groups| groups.map(rsm).to_vec()).to_vec();
        let kept = open().finish();
        assert_eq!(kept.iter().map(|kept| kept.rsms.clone()).collect::<Vec<_>>(), all);
        assert!(kept.iter().all(|kept| kept.scales == [scales(), scales()]));
    }

    #[test]
    fn what_is_no_rsm_under_the_rule_is_computed_again() {
        let bad = [[1.0, 0.5, 0.25, 1.0], [0.5, 0.5, 0.5, 1.0], [1.0, 1.5, 1.5, 1.0], [1.0, f64::INFINITY, 0.0, 1.0]];
        let constant = [1.0, f64::NAN, f64::NAN, 1.0];
        assert!(bad.iter().all(|values| wrong(2, values, Constant::Half).is_some()));
        assert!(wrong(2, &constant, Constant::Half).is_none() && wrong(2, &constant, Constant::Error).is_some());
        let out = tempfile::tempdir().unwrap();
        let (mut first, _) = open(out.path(), Constant::Half);
        first.put("conv1", 0, (&Rsm::new(2, constant.to_vec()), &scales())).unwrap();
        first.put("conv1", 1, (&rsm(0.5), &scales())).unwrap();
        assert!(!open(out.path(), Constant::Half).0.lacks("conv1", 0));
        let (again, damaged) = open(out.path(), Constant::Error);
        assert_eq!([0, 1].map(|group| again.lacks("conv1", group)), [true, false]);
        assert!(damaged[0].contains("conv1.npy: group 1 of 2: a constant image"), "{damaged:?}");
    }

    #[test]
    fn scales_that_are_not_as_they_were_left_are_made_again_with_their_layer() {
        let out = tempfile::tempdir().unwrap();
        let (mut first, _) = open(out.path(), Constant::Error);
        for group in [0, 1] {
            first.put("conv1", group, (&rsm(0.5), &scales())).unwrap();
        }
        let path = ResultsDir::new(out.path()).layer_scales("conv1");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let (mut again, damaged) = open(out.path(), Constant::Error);
        assert!(damaged.len() == 1 && damaged[0].contains("scales.conv1.npy: group 2 of 2"), "{damaged:?}");
        assert_eq!([0, 1].map(|group| again.lacks("conv1", group)), [false, true]);
        again.put("conv1", 1, (&rsm(0.5), &scales())).unwrap();
        assert_eq!(open(out.path(), Constant::Error).1, [""; 0]);
    }

    #[test]
    fn what_is_not_as_it_was_left_is_computed_again() {
        let out = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(out.path());
        let (mut first, _) = open(out.path(), Constant::Error);
        for group in [0, 1] {
            first.put("conv1", group, (&rsm(0.5), &scales())).unwrap();
        }
        let path = directory.layer_rsm("conv1");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let (again, damaged) = open(out.path(), Constant::Error);
        assert!(damaged.len() == 1 && damaged[0].contains("conv1.npy: "), "{damaged:?}");
        assert_eq!([0, 1].map(|group| again.lacks("conv1", group)), [false, true]);
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let (again, damaged) = open(out.path(), Constant::Error);
        assert!(damaged.len() == 1 && damaged[0].contains("conv1.npy: "), "{damaged:?}");
        assert_eq!([0, 1].map(|group| again.lacks("conv1", group)), [true, true]);
        // A kill between a file and the list leaves a group unlisted.
        std::fs::write(directory.finished(), "{").unwrap();
        assert!(open(out.path(), Constant::Error).0.lacks("conv1", 0));
    }
}
