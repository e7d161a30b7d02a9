//! Features that another program computed: files of vectors, in the order of the concepts, to RSMs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use crate::arrays::{self, ArrayError, StoredArray};
use crate::device::Selected;
use crate::error::{Error, FileError};
use crate::progress::{Progress, Task};
use crate::stats::Rsm;
use crate::stats::similarity::{SimilarityError, Standard, Streamed};
use crate::stimuli::Manifest;

/// Values of a vector that are read at a time for its mean.
const STRETCH: usize = 1 << 16;

/// Most that the standardised values of a chunk of units may take: half of WebGPU's guaranteed binding.
const CHUNK_BYTES: usize = 64 << 20;

/// Units of a chunk are a multiple of this, whatever the number of concepts.
const CHUNK_UNITS: usize = 1024;

/// How the axes of a file are to be understood.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The array of a file that holds several.
    pub key: Option<String>,
    /// The first axis are the vectors, all others their units: `[concepts, channels, height, width]`.
    pub flatten: bool,
    /// Every array of the file is one vector, whatever its shape.
    pub stack: bool,
    /// So many groups stand one after the other: `[groups * concepts, units]`.
    pub groups: Option<usize>,
    /// Names of the vectors, by which the manifest finds them.
    pub rows: Option<Vec<String>>,
    /// Picks and orders the vectors by concept and group.
    pub manifest: Option<Manifest>,
}

/// Features that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FeaturesError {
    /// The file.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// A list of names.
    #[error(transparent)]
    File(#[from] FileError),
    /// Axes without a meaning.
    #[error(
        "{}: shape {shape:?}, expected [concepts, units] or [groups, concepts, units]; for [concepts, channels, height, \
         width] add --flatten, which takes the first axis as the concepts and all others as their units", path.display()
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// As found.
        shape: Vec<usize>,
    },
    /// Nothing to correlate.
    #[error("{}: shape {shape:?}: {found}, expected at least {expected}", path.display())]
    Few {
        /// The file.
        path: PathBuf,
        /// As found.
        shape: Vec<usize>,
        /// What there are too few of.
        found: String,
        /// At least.
        expected: &'static str,
    },
    /// Arrays of one file that are no vectors of the same units.
    #[error("{}: --stack: array {name:?} has {found} values, {first:?} has {expected}", path.display())]
    Stack {
        /// The file.
        path: PathBuf,
        /// The array.
        name: String,
        /// Its values.
        found: usize,
        /// The first array.
        first: String,
        /// Its values.
        expected: usize,
    },
    /// The vectors cannot be dealt into groups.
    #[error("{}: --groups {groups}: {found}", path.display())]
    Groups {
        /// The file.
        path: PathBuf,
        /// As asked for.
        groups: usize,
        /// Why not.
        found: String,
    },
    /// A list of names that does not fit.
    #[error("{}: {found} vectors, --rows names {names}; expected one name per vector, in their order", path.display())]
    Rows {
        /// The file.
        path: PathBuf,
        /// Vectors.
        found: usize,
        /// Names.
        names: usize,
    },
    /// The manifest without names to find vectors by.
    #[error(
        "{}: --manifest finds vectors by name, and this file names none: add --rows with the images' file names, a line \
         each, in the vectors' order (thingsvision writes file_names.txt)", .0.display()
    )]
    NoRows(PathBuf),
    /// An image without a vector, or with several.
    #[error("{}: {count} vectors for the image {image}, expected one of that file name (names of the file: {names}, …)", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Vectors found.
        count: usize,
        /// Of the manifest, with its concept and group.
        image: String,
        /// Some of the vectors' names.
        names: String,
    },
    /// A value that is no number.
    #[error("{}: {row}: a value is NaN or infinite, expected numbers", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Which vector.
        row: String,
    },
    /// A vector without variance.
    #[error("{}: {row}: all values are the same, so it correlates with nothing; leave it out", path.display())]
    Constant {
        /// The file.
        path: PathBuf,
        /// Which vector.
        row: String,
    },
    /// The device failed.
    #[error("{}: {source}", path.display())]
    Similarity {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: SimilarityError,
    },
}

/// The vectors of all concepts in all groups, where they lie.
pub struct Features {
    path: PathBuf,
    arrays: Vec<StoredArray>,
    /// How many axes of an array number vectors.
    leading: usize,
    /// `[groups * concepts]`, group by group: the array and the vector in it.
    rows: Vec<(usize, usize)>,
    /// Their names, where there are any.
    names: Option<Vec<String>>,
    /// Groups.
    pub groups: usize,
    /// Their names: the manifest's, or numbers from 1.
    pub group_names: Vec<String>,
    /// Whether the file or the user speaks of groups, if only of one.
    pub grouped: bool,
    /// Concepts of a group.
    pub concepts: usize,
    /// Values per vector.
    pub units: usize,
}

impl Features {
    /// Opens a file; its values are not looked at.
    ///
    /// # Errors
    /// [`FeaturesError`]: everything but the values.
    pub fn open(path: &Path, layout: &Layout) -> Result<Self, FeaturesError> {
        let (arrays, leading, axes, names) = if layout.stack { stacked(path)? } else { single(path, layout)? };
        let units = arrays[0].shape()[leading..].iter().product();
        let vectors: usize = axes.iter().product();
        let names = layout.rows.clone().or(names);
        if let Some(names) = names.as_ref().filter(|names| names.len() != vectors) {
            return Err(FeaturesError::Rows { path: path.into(), found: vectors, names: names.len() });
        }
        let rows: Vec<(usize, usize)> = match layout.stack {
            true => (0..vectors).map(|array| (array, 0)).collect(),
            false => (0..vectors).map(|row| (0, row)).collect(),
        };
        let groups_error = |groups, found| FeaturesError::Groups { path: path.into(), groups, found };
        let (groups, rows, names) = match (&layout.manifest, layout.groups, &axes[..]) {
            (Some(manifest), _, _) => {
                let names = names.ok_or_else(|| FeaturesError::NoRows(path.into()))?;
                let order = find(path, manifest, &names)?;
                let of_order = |values: &[String]| order.iter().map(|&row| values[row].clone()).collect();
                (manifest.groups.len(), order.iter().map(|&row| rows[row]).collect(), Some(of_order(&names)))
            }
            (None, None, [groups, _]) => (*groups, rows, names),
            (None, Some(groups), [found, _]) if groups != *found => {
                return Err(groups_error(groups, format!("the file has {found} groups")));
            }
            (None, Some(groups), _) if groups == 0 || !vectors.is_multiple_of(groups) => {
                return Err(groups_error(
                    groups,
                    format!("{vectors} vectors cannot be dealt into so many equal groups"),
                ));
            }
            (None, groups, _) => (groups.unwrap_or(1), rows, names),
        };
        let concepts = rows.len() / groups.max(1);
        let few = |found: String, expected| FeaturesError::Few {
            path: path.into(),
            shape: arrays[0].shape().to_vec(),
            found,
            expected,
        };
        if groups == 0 || concepts < 2 {
            return Err(few(format!("{groups} groups of {concepts} concepts"), "1 group of 2 concepts"));
        }
        if units < 2 {
            return Err(few(format!("{units} units"), "2 units"));
        }
        let grouped = axes.len() == 2 || layout.groups.is_some() || groups > 1;
        let manifest = layout.manifest.as_ref();
        let numbers = || (1..=groups).map(|number| number.to_string()).collect();
        let group_names = manifest.map_or_else(numbers, |manifest| manifest.groups.clone());
        Ok(Self { path: path.into(), arrays, leading, rows, names, groups, group_names, grouped, concepts, units })
    }

    /// What was understood, for the user.
    pub fn describe(&self) -> String {
        let groups = if self.grouped { format!("{} groups x ", self.groups) } else { String::new() };
        let (first, last) = (&self.rows[0], self.rows.len() - 1);
        let kind = if self.arrays[first.0].is_double() { "f64" } else { "f32" };
        let names = self.names.as_ref();
        let names = names.map(|names| format!(", {} to {}", names[0], names[last])).unwrap_or_default();
        format!("{}: {groups}{} concepts x {} units, {kind}{names}", self.path.display(), self.concepts, self.units)
    }

    /// A doubt about what was understood, if there is one.
    pub fn doubt(&self) -> Option<String> {
        let unusual = self.grouped && self.groups > self.concepts;
        unusual.then(|| {
            format!(
                "{}: more groups ({}) than concepts ({}): if the first axis are the concepts, add --flatten",
                self.path.display(),
                self.groups,
                self.concepts
            )
        })
    }

    /// Values of all vectors: the units of [`Self::rsm`]'s progress.
    pub fn work(&self) -> u64 {
        self.groups as u64 * self.units as u64 * self.concepts as u64
    }

    /// The RSM of a group, on the device.
    ///
    /// # Errors
    /// [`FeaturesError`] names the first vector that has no correlation; the device fails; [`Error::Interrupted`].
    ///
    /// # Cost
    /// The vectors are read twice; beside them 64 MiB of standardised values are held.
    pub fn rsm(&self, group: usize, device: &Selected, progress: &Progress, task: &Task) -> Result<Rsm, Error> {
        let vectors = group * self.concepts..(group + 1) * self.concepts;
        let standards: Vec<Standard> = vectors
            .clone()
            .into_par_iter()
            .map(|vector| self.standard(vector))
            .collect::<Result<_, _>>()
            .map_err(Error::input)?;
        let failed = |source| Error::failed(FeaturesError::Similarity { path: self.path.clone(), source });
        let budget = CHUNK_BYTES.min(device.binding_bytes as usize) / (size_of::<f32>() * self.concepts);
        let chunk = (budget / CHUNK_UNITS * CHUNK_UNITS).max(CHUNK_UNITS);
        let mut streamed = Streamed::new(self.concepts);
        for first in (0..self.units).step_by(chunk) {
            progress.interrupt.check()?;
            let units = chunk.min(self.units - first);
            let mut scores = vec![0.0; self.concepts * units];
            scores.par_chunks_exact_mut(units).zip(vectors.clone()).zip(&standards).for_each(
                |((scores, vector), standard)| {
                    let mut values = vec![0.0; STRETCH.min(units)];
                    for (start, scores) in (first..).step_by(STRETCH).zip(scores.chunks_mut(STRETCH)) {
                        let values = &mut values[..scores.len()];
                        self.read(vector, start, values);
                        scores.iter_mut().zip(values).for_each(|(score, value)| *score = standard.score(*value));
                    }
                },
            );
            let scores = TensorData::new(scores, [self.concepts, units]);
            streamed.add(Tensor::from_data(scores, &device.device)).map_err(failed)?;
            task.advance((units * self.concepts) as u64);
        }
        Ok(streamed.finish())
    }

    fn read(&self, vector: usize, first: usize, values: &mut [f64]) {
        let (array, row) = self.rows[vector];
        self.arrays[array].read(self.leading, row, first, values);
    }

    /// Mean and variance of a vector that has a correlation.
    fn standard(&self, vector: usize) -> Result<Standard, FeaturesError> {
        let mut standard = Standard::default();
        let mut values = vec![0.0; STRETCH.min(self.units)];
        for first in (0..self.units).step_by(STRETCH) {
            let values = &mut values[..STRETCH.min(self.units - first)];
            self.read(vector, first, values);
            standard.add(values);
        }
        let double = self.arrays[self.rows[vector].0].is_double();
        if !standard.is_finite() {
            return Err(FeaturesError::NotFinite { path: self.path.clone(), row: self.row_name(vector) });
        }
        if standard.is_constant(double) {
            return Err(FeaturesError::Constant { path: self.path.clone(), row: self.row_name(vector) });
        }
        Ok(standard)
    }

    fn row_name(&self, vector: usize) -> String {
        let (group, concept) = (vector / self.concepts, vector % self.concepts);
        let name = self.names.as_ref().map(|names| format!(" ({})", names[vector])).unwrap_or_default();
        let group = if self.grouped { format!("group {}, ", self.group_names[group]) } else { String::new() };
        format!("{group}row {concept}{name}, rows counted from 0")
    }
}

/// The arrays, how many of their axes number vectors, the lengths of these, and the vectors' names.
type Opened = (Vec<StoredArray>, usize, Vec<usize>, Option<Vec<String>>);

/// The one array: `[concepts, units]`, `[groups, concepts, units]`, or flattened.
fn single(path: &Path, layout: &Layout) -> Result<Opened, FeaturesError> {
    let array = arrays::open(path, layout.key.as_deref())?;
    let shape = array.shape().to_vec();
    let leading = match (shape.len(), layout.flatten) {
        (2, _) | (3.., true) => 1,
        (3, false) => 2,
        _ => return Err(FeaturesError::Shape { path: path.into(), shape }),
    };
    Ok((vec![array], leading, shape[..leading].to_vec(), None))
}

/// Every array a vector, in the order of their names.
fn stacked(path: &Path) -> Result<Opened, FeaturesError> {
    let (names, arrays) = arrays::open_all(path)?;
    let values = |array: &StoredArray| array.shape().iter().product::<usize>();
    let Some(first) = arrays.first().map(values) else {
        return Err(ArrayError::NotOne { path: path.into(), names }.into());
    };
    if let Some((name, array)) = names.iter().zip(&arrays).find(|(_, array)| values(array) != first) {
        let (found, name) = (values(array), name.clone());
        return Err(FeaturesError::Stack { path: path.into(), name, found, first: names[0].clone(), expected: first });
    }
    let vectors = arrays.len();
    Ok((arrays, 0, vec![vectors], Some(names)))
}

/// The vector of each image of the manifest, group by group: the one of the same file name, with or without its ending;
/// where several folders have one, that of the same folder name.
fn find(path: &Path, manifest: &Manifest, names: &[String]) -> Result<Vec<usize>, FeaturesError> {
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = |path: &Path| path.parent().and_then(Path::file_name).map(|name| name.to_owned());
    let mut by_stem: HashMap<String, Vec<usize>> = HashMap::new();
    for (row, name) in names.iter().enumerate() {
        by_stem.entry(stem(Path::new(name.as_str()))).or_default().push(row);
    }
    let mut found = Vec::new();
    for (group, stimuli) in manifest.groups.iter().zip(&manifest.stimuli) {
        for (concept, stimulus) in manifest.concepts.iter().zip(stimuli) {
            let mut rows = by_stem.get(&stem(&stimulus.path)).cloned().unwrap_or_default();
            if rows.len() > 1 {
                rows.retain(|&row| folder(Path::new(names[row].as_str())) == folder(&stimulus.path));
            }
            let [row] = rows[..] else {
                let image = format!("{} (concept {concept:?}, group {group})", stimulus.path.display());
                let names = names[..names.len().min(3)].join(", ");
                return Err(FeaturesError::Image { path: path.into(), count: rows.len(), image, names });
            };
            found.push(row);
        }
    }
    Ok(found)
}
