//! Features that another program computed: files of vectors, in the order of the concepts, to RSMs.

mod doubts;
mod error;
mod naming;
mod opening;
mod rows;

use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use self::error::FeaturesError;
use self::opening::Opened;
use crate::arrays::{self, StoredArray, Told};
use crate::error::{Error, FileError};
use crate::names;
use crate::progress::{Progress, Task};
use crate::stats::Rsm;
use crate::stats::alignment::Scales;
use crate::stats::scoring::Constant;
use crate::stats::similarity::{Standard, Streamed};
use crate::stimuli::Manifest;
use crate::wording::counted;

/// Values of a vector that are read at a time for its mean.
const STRETCH: usize = 1 << 16;

/// Most that the standardised values of a chunk of units may take.
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
    /// `[concepts, tokens, units]`: which tokens count.
    pub token: Option<Token>,
    /// Every array of the file is one vector, whatever its shape.
    pub stack: bool,
    /// So many groups stand one after the other: `[groups * concepts, units]`.
    pub groups: Option<usize>,
    /// Names of the vectors, by which the manifest finds them.
    pub rows: Option<Vec<String>>,
    /// Picks and orders the vectors by concept and group.
    pub manifest: Option<Manifest>,
    /// Picks and orders the vectors by their names.
    pub concepts: Option<Vec<String>>,
    /// What the file does not say of itself.
    pub told: Told,
}

/// What becomes of the tokens of a transformer's layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// One of them, from 0: 0 is a vision transformer's class token.
    One(usize),
    /// Their mean.
    Mean,
    /// All, each unit of each token a unit.
    All,
}

impl std::str::FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cls" => Ok(Self::One(0)),
            "mean" => Ok(Self::Mean),
            "all" => Ok(Self::All),
            _ => text
                .parse()
                .map(Self::One)
                .map_err(|_| "expected cls, mean, all, or a token's number from 0".to_string()),
        }
    }
}

/// Where vectors are: in which array, and which in it.
type Rows = Vec<(usize, usize)>;

/// The vectors of all concepts in all groups, where they lie.
pub struct Features {
    path: PathBuf,
    arrays: Vec<StoredArray>,
    /// How many axes of an array number vectors.
    leading: usize,
    /// `[groups * concepts]`, group by group.
    rows: Rows,
    /// Their names, where there are any.
    names: Option<Vec<String>>,
    /// Lists of the concepts' names, as they are asked for, or else as the file has them: any may be the one that is meant.
    pub concept_lists: Vec<Vec<String>>,
    token: Token,
    /// Tokens of a vector.
    tokens: usize,
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
        if layout.stack {
            return Self::new(path, opening::stacked(path)?, layout);
        }
        Self::of(arrays::open(path, layout.key.as_deref(), &layout.told)?, layout)
    }

    /// The vectors of one array; its values are not looked at.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn of(array: StoredArray, layout: &Layout) -> Result<Self, FeaturesError> {
        let path = array.path().to_path_buf();
        Self::new(&path, opening::single(array, layout)?, layout)
    }

    fn new(path: &Path, opened: Opened, layout: &Layout) -> Result<Self, FeaturesError> {
        let Opened { arrays, leading, axes, names } = opened;
        let (token, tokens) = opening::tokens(path, &arrays[0], layout)?;
        let units =
            arrays[0].shape()[leading..].iter().product::<usize>() / if token == Token::All { 1 } else { tokens };
        let lists = naming::lists(path, layout, names, &arrays[0].labels().rows, &axes)?;
        let groups = groups(path, layout, &axes)?;
        if layout.manifest.is_none() && axes.len() == 1 {
            naming::check_groups(path, &lists, groups)?;
        }
        let (rows, names) = chosen_rows(path, layout, (&axes, groups), &lists, &arrays[0])?;
        let concepts = rows.len() / groups.max(1);
        let few = |found: String, expected| FeaturesError::Few {
            path: path.into(),
            shape: arrays[0].shape().to_vec(),
            found,
            expected,
        };
        if groups == 0 || concepts < 2 {
            return Err(few(
                format!("{} of {}", counted(groups, "group"), counted(concepts, "concept")),
                "1 group of 2 concepts",
            ));
        }
        if units < 2 {
            return Err(few(counted(units, "unit"), "2 units"));
        }
        let grouped = axes.len() == 2 || layout.groups.is_some() || groups > 1;
        let manifest = layout.manifest.as_ref();
        let numbers = || (1..=groups).map(|number| number.to_string()).collect();
        let group_names = manifest.map_or_else(numbers, |manifest| manifest.groups.clone());
        let asked = manifest.map(|manifest| &manifest.concepts).or(layout.concepts.as_ref()).cloned();
        // The user's names are meant, whatever others the file has.
        let named: &[Vec<String>] = if layout.rows.is_some() { &[] } else { &arrays[0].labels().rows };
        let concept_lists = match asked {
            Some(asked) => vec![asked],
            None => naming::of_concepts(path, &lists, named, concepts)?,
        };
        let path = path.to_path_buf();
        Ok(Self {
            path,
            arrays,
            leading,
            rows,
            names,
            concept_lists,
            token,
            tokens,
            groups,
            group_names,
            grouped,
            concepts,
            units,
        })
    }

    /// What was understood, for the user.
    pub fn describe(&self) -> String {
        let groups = if self.grouped { format!("{} x ", counted(self.groups, "group")) } else { String::new() };
        let (first, last) = (&self.rows[0], self.rows.len() - 1);
        let kind = self.arrays[first.0].type_name();
        let names = self.names.as_ref();
        let names = names.map(|names| format!(", {} to {}", names[0], names[last])).unwrap_or_default();
        let tokens = match self.token {
            Token::Mean => format!(", the mean of {} tokens", self.tokens),
            Token::One(token) if self.tokens > 1 => format!(", token {token} of {}", self.tokens),
            _ => String::new(),
        };
        format!(
            "{}: {groups}{} concepts x {} units, {kind}{tokens}{names}",
            self.path.display(),
            self.concepts,
            self.units
        )
    }

    /// The concepts' names, where they are known.
    pub fn concept_names(&self) -> Option<&Vec<String>> {
        self.concept_lists.first()
    }

    /// What the file calls the units of its vectors, where it has other names than theirs.
    pub fn unit_names(&self) -> Option<Vec<String>> {
        let labels = self.array().labels();
        let columns = labels.columns.iter().chain(labels.rows.iter().filter(|list| list.len() != self.concepts));
        columns.filter(|_| self.shape().len() == 2).find_map(|list| names::fitting(list, self.units).ok())
    }

    /// The file, or what the caller's array is called in messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The array; of several the first.
    pub fn array(&self) -> &StoredArray {
        &self.arrays[0]
    }

    /// How the axes of the file are.
    pub fn shape(&self) -> &[usize] {
        self.arrays[0].shape()
    }

    /// Values of all vectors: the units of [`Self::rsm`]'s progress.
    pub fn work(&self) -> u64 {
        self.groups as u64 * self.units as u64 * self.concepts as u64
    }

    /// The RSM of a group, in f64 on the CPU.
    ///
    /// # Errors
    /// As [`Self::reduced`].
    pub fn rsm(&self, group: usize, progress: &Progress, task: &Task) -> Result<Rsm, Error> {
        Ok(self.reduced(group, Constant::Error, progress, task)?.0)
    }

    /// The RSM of a group, in f64 on the CPU, and what it leaves out of the vectors; NaN where a vector is constant, if the rule
    /// lets it through.
    ///
    /// # Errors
    /// [`FeaturesError`] names the first vector that has no correlation and may not be without; [`Error::Interrupted`].
    ///
    /// # Cost
    /// The vectors are read twice; beside them 64 MiB of standardised values are held.
    pub fn reduced(
        &self,
        group: usize,
        constant: Constant,
        progress: &Progress,
        task: &Task,
    ) -> Result<(Rsm, Scales), Error> {
        let vectors = group * self.concepts..(group + 1) * self.concepts;
        let standards: Vec<Standard> = vectors
            .clone()
            .into_par_iter()
            .map(|vector| self.standard(vector, constant))
            .collect::<Result<_, _>>()
            .map_err(Error::input)?;
        let is_constant = |concept: usize| standards[concept].is_constant(self.is_double(vectors.start + concept));
        let budget = CHUNK_BYTES / (size_of::<f64>() * self.concepts);
        let chunk = (budget / CHUNK_UNITS * CHUNK_UNITS).max(CHUNK_UNITS);
        let mut streamed = Streamed::new(self.concepts);
        for first in (0..self.units).step_by(chunk) {
            progress.interrupt.check()?;
            let units = chunk.min(self.units - first);
            let mut scores = vec![0.0; self.concepts * units];
            let filled = scores.par_chunks_exact_mut(units).zip(vectors.clone()).zip(&standards).try_for_each(
                |((scores, vector), standard)| {
                    let mut values = vec![0.0; STRETCH.min(units)];
                    for (start, scores) in (first..).step_by(STRETCH).zip(scores.chunks_mut(STRETCH)) {
                        let values = &mut values[..scores.len()];
                        self.read(vector, start, values)?;
                        scores.iter_mut().zip(values).for_each(|(score, value)| *score = standard.score(*value));
                    }
                    Ok(())
                },
            );
            filled.map_err(|error: FileError| Error::failed(error))?;
            streamed.add(&scores, units);
            task.advance((units * self.concepts) as u64);
        }
        Ok((streamed.finish(is_constant), Scales::of(&standards)))
    }

    fn read(&self, vector: usize, first: usize, values: &mut [f64]) -> Result<(), FileError> {
        let (array, row) = self.rows[vector];
        let array = &self.arrays[array];
        match self.token {
            Token::All => array.read(self.leading, row, first, values),
            Token::One(token) => array.read(self.leading, row, token * self.units + first, values),
            Token::Mean => {
                let mut of_token = vec![0.0; values.len()];
                values.fill(0.0);
                for token in 0..self.tokens {
                    array.read(self.leading, row, token * self.units + first, &mut of_token)?;
                    values.iter_mut().zip(&of_token).for_each(|(sum, value)| *sum += value);
                }
                values.iter_mut().for_each(|sum| *sum /= self.tokens as f64);
                Ok(())
            }
        }
    }

    /// Whether a vector is of f64.
    fn is_double(&self, vector: usize) -> bool {
        self.arrays[self.rows[vector].0].is_double()
    }

    /// Mean and variance of a vector; it has a correlation, unless the rule lets a constant one through.
    fn standard(&self, vector: usize, constant: Constant) -> Result<Standard, FeaturesError> {
        let mut standard = Standard::default();
        let mut values = vec![0.0; STRETCH.min(self.units)];
        for first in (0..self.units).step_by(STRETCH) {
            let values = &mut values[..STRETCH.min(self.units - first)];
            self.read(vector, first, values)?;
            standard.add(values);
        }
        if !standard.is_finite() {
            return Err(FeaturesError::NotFinite { path: self.path.clone(), row: self.row_name(vector) });
        }
        if constant == Constant::Error && standard.is_constant(self.is_double(vector)) {
            return Err(FeaturesError::Constant { path: self.path.clone(), row: self.row_name(vector) });
        }
        Ok(standard)
    }

    fn row_name(&self, vector: usize) -> String {
        let (group, concept) = (vector / self.concepts, vector % self.concepts);
        let name = self.names.as_ref().map(|names| format!(" ({})", names[vector])).unwrap_or_default();
        let group = if self.grouped { format!("group {}, ", self.group_names[group]) } else { String::new() };
        // Of several arrays each is a vector, and names it.
        let only = self.arrays.first().filter(|_| self.arrays.len() == 1);
        let array = only.and_then(StoredArray::name).map(|array| format!("array {array:?}, ")).unwrap_or_default();
        format!("{array}{group}row {concept}{name}, rows counted from 0")
    }
}

/// How many groups the vectors along these axes are.
fn groups(path: &Path, layout: &Layout, axes: &[usize]) -> Result<usize, FeaturesError> {
    let vectors: usize = axes.iter().product();
    let wrong = |groups, found| Err(FeaturesError::Groups { path: path.into(), groups, found });
    match (&layout.manifest, layout.groups, axes) {
        (Some(manifest), ..) => Ok(manifest.groups.len()),
        (None, None, [groups, _]) => Ok(*groups),
        (None, Some(groups), [found, _]) if groups != *found => {
            wrong(groups, format!("the file has {}", counted(found, "group")))
        }
        (None, Some(groups), _) if groups == 0 || !vectors.is_multiple_of(groups) => {
            wrong(groups, format!("{vectors} vectors cannot be dealt into so many equal groups"))
        }
        (None, groups, _) => Ok(groups.unwrap_or(1)),
    }
}

/// Where the vectors are that count, group by group, of all along these axes, and their names.
fn chosen_rows(
    path: &Path,
    layout: &Layout,
    (axes, groups): (&[usize], usize),
    lists: &[Vec<String>],
    first: &StoredArray,
) -> Result<(Rows, Option<Vec<String>>), FeaturesError> {
    let vectors: usize = axes.iter().product();
    let place = |vector: usize| if layout.stack { (vector, 0) } else { (0, vector) };
    let places = |order: Vec<usize>| order.into_iter().map(place).collect();
    match (&layout.manifest, &layout.concepts) {
        (None, None) => Ok((places((0..vectors).collect()), lists.first().cloned())),
        (Some(manifest), _) => {
            let (order, names) = naming::found_by(path, lists, |names| rows::find(path, manifest, names))?;
            let names = order.iter().map(|&row| names[row].clone()).collect();
            Ok((places(order), Some(names)))
        }
        (None, Some(_)) if lists.is_empty() => Err(FeaturesError::NamesNone {
            path: path.into(),
            unread: first.labels().unread(vectors / groups.max(1)).cloned(),
        }),
        (None, Some(wanted)) => {
            let found = |names: &[String]| rows::in_groups(path, wanted, groups, names);
            let order = naming::found_by(path, lists, found)?.0;
            Ok((places(order), Some(vec![&wanted[..]; groups].concat())))
        }
    }
}
