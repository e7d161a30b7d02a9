//! The matrices of a test, read and brought into one order.

mod order;

use std::collections::HashSet;
use std::path::Path;
use std::slice::from_ref;

use self::order::{Order, align_groups};
use super::{HalvesError, check_clashes, numbers, words};
use crate::config::TestRequest;
use crate::evaluation::alignment::WordSpace;
use crate::evaluation::{LayerRsms, Space, Words};
use crate::matrices::{Entries, Matrices, Read, Side, Source};
use crate::names;
use crate::progress::Progress;
use crate::stats::Rsm;
use crate::stats::alignment::Scales;
use crate::stats::similarity::reduced_rows;
use crate::wording::first;

/// Matrices of the same concepts in the same order.
pub(super) struct Inputs {
    /// Every layer of the words as a model of its own.
    pub words: Vec<Words>,
    /// The same layers, space by space; empty where the words are no spaces.
    pub word_spaces: Vec<WordSpace>,
    pub space: Space,
    /// How each was read, the words first.
    pub read: Vec<Read>,
    /// Whether a file's concepts were in another order than the test's.
    pub reordered: bool,
    /// What nothing but the user knows of their order, and what was not taken for their names.
    pub doubts: Vec<String>,
}

/// Matrices as read, or vectors whose words are still to be chosen.
enum Found {
    Matrices(Box<Matrices>),
    Vectors(Source),
}

/// The space that a model of the words is of, and the layer there; empty where the space is one layer.
type Place = (String, String);

impl TestRequest {
    /// Reads everything.
    pub(super) fn read(&self, progress: &Progress) -> Result<Inputs, HalvesError> {
        let (mut models, places) = self.models(progress)?;
        let mut images = self.image_layers(progress)?;
        let mut all: Vec<&mut Matrices> = Vec::new();
        all.extend(models.iter_mut().filter_map(|found| match found {
            Found::Matrices(matrices) => Some(&mut **matrices),
            Found::Vectors(_) => None,
        }));
        all.extend(images.iter_mut());
        let unnamed = all.iter().filter(|_| !self.by_order).filter_map(|matrices| matrices.doubt().transpose());
        let unnamed = unnamed.collect::<Result<Vec<String>, _>>()?;
        // What is said alike of the arrays of one file is said once.
        let mut said = HashSet::new();
        let doubts = all.iter().flat_map(|matrices| matrices.doubts.iter().cloned()).chain(unnamed);
        let of_files: Vec<String> = doubts.filter(|doubt| said.insert(doubt.clone())).collect();
        self.check_axes(&all)?;
        check_sizes(&all, self.has_spaces())?;
        let count = all[0].read.concepts;
        let listed = self.concepts.as_ref().map(|path| listed(path, count)).transpose()?;
        let Order { names: concepts, reordered, doubt } = self.align(&mut all, listed)?;
        let models = models.into_iter().map(|found| match found {
            Found::Matrices(matrices) => Ok(*matrices),
            Found::Vectors(source) => of_vectors(&source, concepts.as_deref(), progress),
        });
        let mut models = models.collect::<Result<Vec<_>, HalvesError>>()?;
        // Word models of one matrix are every group's, and so are images of one beside words that have groups.
        let groups = images.iter().chain(&models).map(|matrices| matrices.rsms.len()).max();
        let images_grouped = images.iter_mut().filter(|layer| Some(layer.rsms.len()) == groups);
        let words_grouped = models.iter_mut().filter(|words| words.rsms.len() > 1);
        let other_groups = align_groups(images_grouped.chain(words_grouped), self.by_order)?;
        // What is said alike of the layers of one file is said once.
        let said: Vec<(&String, String)> =
            models.iter().chain(&images).map(|m| (&m.name, m.read.to_string())).collect();
        for alike in said.chunk_by(|a, b| a.1 == b.1) {
            let names: Vec<&str> = alike.iter().map(|(name, _)| name.as_str()).collect();
            progress.line(format!("{}: {}", first(&names, 3), alike[0].1));
        }
        // Layers of several files may have one name.
        let [of_words, of_images] = [&models, &images].map(|all| all.iter().map(|matrices| matrices.name.as_str()));
        // The figures of a space have its own name.
        check_clashes(of_words, of_images, !self.has_spaces())?;
        let groups = images[0].groups.clone().unwrap_or_else(|| numbers(1, images[0].rsms.len()));
        let read = models.iter().chain(&images).map(|matrices| matrices.read.clone()).collect();
        let layer = |Matrices { name, rsms, scales, .. }| LayerRsms {
            label: name.clone(),
            name,
            units: units(&scales),
            rsms,
            scales,
        };
        let space = Space {
            network: self.network.clone(),
            layers: images.into_iter().map(layer).collect(),
            groups,
            concepts: concepts.unwrap_or_else(|| numbers(0, count)),
        };
        let doubts = of_files.into_iter().chain(doubt).chain(other_groups).collect();
        let word_spaces = if self.has_spaces() { word_spaces(&places, &models) } else { Vec::new() };
        let model = |Matrices { name, mut rsms, scales, .. }| Words {
            name,
            dimensions: units(&scales),
            rsm: rsms.remove(0),
            scales: scales.into_iter().next(),
        };
        Ok(Inputs { words: models.into_iter().map(model).collect(), word_spaces, space, read, reordered, doubts })
    }

    /// No file calls the units of its vectors as the concepts are called, and has no names for the vectors themselves: it may be
    /// units x concepts.
    fn check_axes(&self, all: &[&mut Matrices]) -> Result<(), HalvesError> {
        if self.by_order {
            return Ok(());
        }
        let listed = self.concepts.as_ref().map(|path| names::read_lines(path)).transpose()?;
        let lists: Vec<&Vec<String>> = all.iter().flat_map(|matrices| &matrices.names).chain(&listed).collect();
        for matrices in all.iter().filter(|matrices| matrices.names.is_empty()) {
            let of_concepts =
                |units: &&Vec<String>| lists.iter().any(|list| names::order(list, from_ref(*units)).is_some());
            if let Some(units) = matrices.units.as_ref().filter(of_concepts) {
                return Err(HalvesError::Turned { path: matrices.read.path.clone(), name: units[0].clone() });
            }
        }
        Ok(())
    }

    /// Whether each of the words' sources is one space, with however many layers.
    pub(super) fn has_spaces(&self) -> bool {
        !self.measures.is_empty()
    }

    /// Every layer of the words as a model of its own, and what it is of.
    fn models(&self, progress: &Progress) -> Result<(Vec<Found>, Vec<Place>), HalvesError> {
        let (mut models, mut places) = (Vec::new(), Vec::new());
        for source in &self.words {
            let features = source.given.is_some() || self.features.is_some_and(|features| features.hold(Side::Words));
            let whole = source.array.as_deref().is_none_or(|array| array == "vectors");
            if !features && whole && words::is_vectors(&source.path) {
                places.push((source.name.clone(), String::new()));
                models.push(Found::Vectors(source.clone()));
                continue;
            }
            let mut read = self.read_space(source, Side::Words, progress)?;
            let several = read.len() > 1;
            for matrices in &mut read {
                let layer = if several { matrices.name.clone() } else { String::new() };
                if self.has_spaces() || features {
                    matrices.name = if several { format!("{} {layer}", source.name) } else { source.name.clone() };
                    matrices.read.name = matrices.name.clone();
                }
                places.push((source.name.clone(), layer));
            }
            models.extend(read.into_iter().map(|matrices| Found::Matrices(Box::new(matrices))));
        }
        Ok((models, places))
    }

    /// The layers of all files. A layer that a file names is called so, and after its source too where two are.
    fn image_layers(&self, progress: &Progress) -> Result<Vec<Matrices>, HalvesError> {
        let named = match &self.layers {
            Some(list) => Some((list, names::read_lines(list)?)),
            None => None,
        };
        let mut layers = Vec::new();
        for source in &self.images {
            for read in self.read_space(source, Side::Images, progress)? {
                let parts = match &named {
                    Some((list, names)) => split(read, names, list)?,
                    None => vec![read],
                };
                layers.extend(parts.into_iter().map(|layer| (source, layer)));
            }
        }
        let names: Vec<String> = layers.iter().map(|(_, layer)| layer.name.clone()).collect();
        let twice = |name: &String| names.iter().filter(|other| *other == name).count() > 1;
        let named = |(source, mut layer): (&Source, Matrices)| {
            if layer.name != source.name && twice(&layer.name) {
                layer.name = format!("{} {}", source.name, layer.name);
                layer.read.name = layer.name.clone();
            }
            layer
        };
        Ok(layers.into_iter().map(named).collect())
    }
}

/// The words' layers, space by space.
fn word_spaces(places: &[Place], models: &[Matrices]) -> Vec<WordSpace> {
    let mut spaces: Vec<WordSpace> = Vec::new();
    for ((name, of_words), Matrices { rsms, scales, .. }) in places.iter().zip(models) {
        if spaces.last().is_none_or(|space| space.name != *name) {
            spaces.push(WordSpace { name: name.clone(), layers: Vec::new() });
        }
        let layer = LayerRsms {
            name: of_words.clone(),
            label: of_words.clone(),
            units: units(scales),
            rsms: rsms.clone(),
            scales: scales.clone(),
        };
        spaces.last_mut().expect("pushed").layers.push(layer);
    }
    spaces.iter_mut().for_each(in_groups);
    spaces
}

/// Beside layers of several groups one of a single matrix is every group's.
fn in_groups(space: &mut WordSpace) {
    let groups = space.layers.iter().map(|layer| layer.rsms.len()).max().unwrap_or_default();
    for layer in space.layers.iter_mut().filter(|layer| layer.rsms.len() < groups) {
        layer.rsms = vec![layer.rsms[0].clone(); groups];
        layer.scales = layer.scales.iter().flat_map(|scales| vec![scales.clone(); groups]).collect();
    }
}

/// Units of the vectors behind matrices; 0 where there are none.
fn units(scales: &[Scales]) -> usize {
    scales.first().map_or(0, |scales| if scales.units > 1 { scales.units } else { 0 })
}

/// The matrices of an array, each a layer of its own.
fn split(array: Matrices, layers: &[String], list: &Path) -> Result<Vec<Matrices>, HalvesError> {
    let (found, expected) = (layers.len(), array.rsms.len());
    if found != expected {
        let (path, of) = (list.to_path_buf(), array.read.path);
        return Err(HalvesError::Layers { path, found, expected, of });
    }
    let scales = |group: usize| array.scales.get(group).cloned().into_iter().collect();
    let layer = |(group, (name, rsm)): (usize, (&String, Rsm))| {
        let read = Read { name: name.clone(), matrices: 1, groups: None, ..array.read.clone() };
        Matrices {
            name: name.clone(),
            rsms: vec![rsm],
            groups: None,
            names: array.names.clone(),
            unfit: array.unfit.clone(),
            units: array.units.clone(),
            scales: scales(group),
            doubts: array.doubts.clone(),
            read,
        }
    };
    Ok(layers.iter().zip(array.rsms.clone()).enumerate().map(layer).collect())
}

/// All matrices of the same concepts, word models of one matrix, layers of the same groups; of spaces either side may have
/// none.
fn check_sizes(all: &[&mut Matrices], spaces: bool) -> Result<(), HalvesError> {
    let unequal = |of: &Matrices, first: &Matrices, what, count: fn(&Read) -> usize, only| {
        // Of one file's arrays each is called by its name.
        let called = |read: &Read| match of.read.path == first.read.path {
            true => format!("{} ({})", read.path.display(), read.name),
            false => read.path.display().to_string(),
        };
        let (at, found, expected) = (called(&of.read), count(&of.read), count(&first.read));
        let larger = if found > expected { of } else { first };
        let remedy = if first.read.form == "features" && words::is_vectors(&first.read.path) {
            "; --features images leaves the words' file word vectors, of which those of the concepts are taken"
        } else if what == "concepts" && larger.read.form == "features" && !larger.names.is_empty() {
            "; `semgpu similarity FILE --concepts NAMES --out RSM.npy` takes some rows of a file by their names"
        } else if what == "groups" && of.read.side != first.read.side {
            "; a side of one matrix a layer, such as the mean of its groups, meets each group of the other"
        } else {
            ""
        };
        HalvesError::Unequal { at, what, found, expected, first: called(&first.read), only, remedy }
    };
    let first = &*all[0];
    let grouped = |side: Side| all.iter().find(|matrices| matrices.read.side == side && matrices.read.matrices != 1);
    let grouped = grouped(Side::Images).or_else(|| grouped(Side::Words));
    for matrices in all {
        let read = &matrices.read;
        if read.side == Side::Words && read.matrices != 1 {
            if !spaces {
                return Err(HalvesError::WordGroups { path: read.path.clone(), found: read.matrices });
            }
            if let Some(first) = grouped.filter(|first| first.read.matrices != read.matrices) {
                return Err(unequal(matrices, first, "groups", |read| read.matrices, None));
            }
        }
        if read.concepts != first.read.concepts {
            let only = in_one_of(&matrices.names, &first.names);
            return Err(unequal(matrices, first, "concepts", |read| read.concepts, only));
        }
    }
    let mut images = all.iter().filter(|matrices| matrices.read.side == Side::Images);
    let Some(first) = images.next() else { return Ok(()) };
    match images.find(|other| other.read.matrices != first.read.matrices) {
        Some(other) => Err(unequal(other, first, "groups", |read| read.matrices, None)),
        None => Ok(()),
    }
}

/// A name that only one of two files has; none where a file has none, or several lists.
fn in_one_of(a: &[Vec<String>], b: &[Vec<String>]) -> Option<String> {
    let ([a], [b]) = (a, b) else { return None };
    let lacks = |list: &[String], other: &[String]| list.iter().find(|name| !other.contains(name)).cloned();
    lacks(a, b).or_else(|| lacks(b, a))
}

/// The names of the concepts, all different.
fn listed(path: &Path, concepts: usize) -> Result<Vec<String>, HalvesError> {
    let names = super::list(path, concepts, "name")?;
    match names::twice(&names) {
        Some(name) => Err(HalvesError::SameConcept { path: path.into(), name: name.clone() }),
        None => Ok(names),
    }
}

/// The matrix of the concepts' word vectors.
fn of_vectors(source: &Source, concepts: Option<&[String]>, progress: &Progress) -> Result<Matrices, HalvesError> {
    let path = &source.path;
    let vectors = words::read(path, concepts, progress)?;
    let concepts = vectors.rows.len() / vectors.dimensions;
    let (rsm, scales) = reduced_rows(&vectors.rows, concepts, vectors.dimensions)
        .map_err(|source| HalvesError::Vectors { path: path.clone(), source })?;
    let read = Read {
        side: Side::Words,
        name: source.name.clone(),
        path: path.clone(),
        shape: vec![vectors.total as usize, vectors.dimensions],
        form: "vectors".to_string(),
        entries: Entries::Similarities,
        zero_diagonal: false,
        matrices: 1,
        concepts,
        groups: None,
        names: None,
        order: Some("found by name".to_string()),
    };
    Ok(Matrices {
        name: source.name.clone(),
        rsms: vec![rsm],
        groups: None,
        names: Vec::new(),
        unfit: None,
        units: None,
        scales: vec![scales],
        doubts: Vec::new(),
        read,
    })
}
