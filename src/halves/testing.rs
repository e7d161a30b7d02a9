//! RSMs to tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{HalvesError, numbers, read_lines};
use crate::checksum::sha256;
use crate::config::{TestRequest, draws};
use crate::device::{self, Selected};
use crate::error::{Error, FileError};
use crate::evaluation::{LayerRsms, Space, Words};
use crate::finish::{self, Comparison, finish};
use crate::matrices::{self, Source};
use crate::progress::Progress;
use crate::record::{self, Command, MatrixChecksums, RunRecord};
use crate::results::{ResultsDir, figure_name};
use crate::stats::Rsm;
use crate::stats::permutation::Permutations;
use crate::stats::scoring::Constant;
use crate::stats::two_vs_two;

/// A request whose files are read and found to fit.
pub struct Test {
    directory: ResultsDir,
    comparison: Comparison,
    device: Selected,
    record: record::Test,
}

impl Test {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn new(mut request: TestRequest, progress: &Progress) -> Result<Self, HalvesError> {
        let directory = ResultsDir::new(&request.out);
        check_names(&request, &directory)?;
        check_out(&directory)?;
        request.options.within_categories = request.categories.is_some();
        let mut understood = Vec::new();
        let mut read = |source: &Source| -> Result<Vec<Rsm>, HalvesError> {
            let matrices = matrices::read(source, request.entries)?;
            progress.line(format!("{}: {}", source.name, matrices.understood));
            understood.push(matrices.understood);
            Ok(matrices.rsms)
        };
        let words = request.words.iter().map(&mut read).collect::<Result<Vec<_>, _>>()?;
        let images = request.images.iter().map(&mut read).collect::<Result<Vec<_>, _>>()?;
        check_sizes(&request, &words, &images)?;

        let count = words[0][0].concepts();
        let concepts = match &request.concepts {
            Some(path) => names(path, count)?,
            None => numbers(0, count),
        };
        let groups = images[0].len();
        let space = Space {
            network: request.network.clone(),
            layers: request.images.iter().zip(images).map(|(source, rsms)| layer(source, rsms)).collect(),
            groups: numbers(1, groups),
            concepts,
        };
        let words = request.words.iter().zip(words).flat_map(|(source, rsms)| model(source, rsms)).collect::<Vec<_>>();
        check_constant(&request, &words, &space)?;
        let categories = request.categories.as_ref().map(|path| list(path, count, "category")).transpose()?;
        request.options.check(count)?;
        let strata = request.options.strata(categories.as_deref());
        let draws = draws(request.seed, count, strata.as_deref());
        check_testable(&request, &words, &space, &draws)?;
        let checksums = MatrixChecksums { words: sums(&request.words)?, images: sums(&request.images)? };
        let device = device::select(request.device)?;
        progress.line(device.line());
        let options = finish::options(&request.options, request.seed, draws, &request.rsa, &device);
        let comparison = Comparison { space, words, categories, images: None, options };
        Ok(Self { directory, comparison, device, record: record::Test { config: request, understood, checksums } })
    }

    /// Tests, and writes tables, matrices, figures and `run.json` as a run does; returns their directory.
    ///
    /// # Errors
    /// The device fails, a file cannot be written, [`Error::Interrupted`].
    pub fn run(self, progress: &Progress) -> Result<PathBuf, Error> {
        let started = Instant::now();
        let record = RunRecord::new(Command::Test(Box::new(self.record)), &self.device, Vec::new());
        finish(&self.comparison, record, &self.directory, started, progress)?;
        Ok(self.directory.root().to_path_buf())
    }
}

/// The checksum of each file, by the name of what is in it.
fn sums(sources: &[Source]) -> Result<BTreeMap<String, String>, FileError> {
    sources.iter().map(|source| Ok((source.name.clone(), sha256(&source.path)?))).collect()
}

fn layer(source: &Source, rsms: Vec<Rsm>) -> LayerRsms {
    LayerRsms { name: source.name.clone(), label: source.name.clone(), units: 0, rsms }
}

fn model(source: &Source, rsms: Vec<Rsm>) -> Option<Words> {
    rsms.into_iter().next().map(|rsm| Words { name: source.name.clone(), dimensions: 0, rsm })
}

/// Names on both sides that make files of their own.
fn check_names(request: &TestRequest, directory: &ResultsDir) -> Result<(), HalvesError> {
    type File = fn(&ResultsDir, &str) -> PathBuf;
    let sides = [
        ("words", &request.words, ResultsDir::words_rsm as File),
        ("images", &request.images, ResultsDir::layer_rsm as File),
    ];
    let (mut files, mut figures) = (BTreeSet::new(), BTreeSet::new());
    for (side, sources, file) in sides {
        let twice = sources.iter().find(|source| {
            // Only word models have figures of their own.
            let drawn = side == "words" && !figures.insert(figure_name(&source.name));
            !files.insert(file(directory, &source.name)) || drawn
        });
        if let Some(twice) = twice {
            return Err(HalvesError::SameName { side, name: twice.name.clone() });
        }
        if sources.is_empty() {
            let (found, expected) = ("(none)".to_string(), "NAME=FILE at least once");
            return Err(HalvesError::Value { option: side, found, expected });
        }
    }
    Ok(())
}

/// The layers of a run are not replaced.
fn check_out(directory: &ResultsDir) -> Result<(), HalvesError> {
    let runs = || Ok::<_, HalvesError>(RunRecord::read(directory)?.is_some_and(|record| record.run().is_some()));
    if directory.finished().exists() || runs()? {
        return Err(HalvesError::RunsOut(directory.root().to_path_buf()));
    }
    Ok(())
}

/// All matrices of the same concepts, word models of one matrix, layers of the same groups.
fn check_sizes(request: &TestRequest, words: &[Vec<Rsm>], images: &[Vec<Rsm>]) -> Result<(), HalvesError> {
    let unequal = |source: &Source, what, found, expected, first: &Source| HalvesError::Unequal {
        path: source.path.clone(),
        what,
        found,
        expected,
        first: first.path.clone(),
    };
    for (source, rsms) in request.words.iter().zip(words) {
        if rsms.len() != 1 {
            return Err(HalvesError::WordGroups { path: source.path.clone(), found: rsms.len() });
        }
    }
    let expected = words[0][0].concepts();
    for (source, rsms) in request.words.iter().chain(&request.images).zip(words.iter().chain(images)) {
        let found = rsms[0].concepts();
        if found != expected {
            return Err(unequal(source, "concepts", found, expected, &request.words[0]));
        }
    }
    for (source, rsms) in request.images.iter().zip(images) {
        if rsms.len() != images[0].len() {
            return Err(unequal(source, "groups", rsms.len(), images[0].len(), &request.images[0]));
        }
    }
    Ok(())
}

/// Constant vectors: none among the words, and among the images by the rule.
fn check_constant(request: &TestRequest, words: &[Words], space: &Space) -> Result<(), HalvesError> {
    let error = |source: &Source, group: &str, constant: usize, words| HalvesError::Constant {
        path: source.path.clone(),
        group: group.to_string(),
        concept: space.concepts[constant].clone(),
        words,
    };
    for (source, model) in request.words.iter().zip(words) {
        if let Some(&constant) = model.rsm.constant().first() {
            return Err(error(source, "of words", constant, true));
        }
    }
    if request.options.constant == Constant::Half {
        return Ok(());
    }
    for (source, layer) in request.images.iter().zip(&space.layers) {
        for (group, rsm) in space.groups.iter().zip(&layer.rsms) {
            if let Some(&constant) = rsm.constant().first() {
                return Err(error(source, group, constant, false));
            }
        }
    }
    Ok(())
}

/// What the test itself would refuse, before it starts: no draw is counted.
fn check_testable(
    request: &TestRequest,
    words: &[Words],
    space: &Space,
    draws: &Permutations,
) -> Result<(), HalvesError> {
    let test = |source: &Source, model: &Words, layer: &LayerRsms| {
        two_vs_two::check(&model.rsm, &layer.rsms, draws)
            .map_err(|error| HalvesError::Untestable { path: source.path.clone(), source: error })
    };
    let models = request.words.iter().zip(words);
    models.clone().try_for_each(|(source, model)| test(source, model, &space.layers[0]))?;
    request.images.iter().zip(&space.layers).try_for_each(|(source, layer)| test(source, &words[0], layer))
}

/// The names of the concepts, all different.
fn names(path: &Path, concepts: usize) -> Result<Vec<String>, HalvesError> {
    let names = list(path, concepts, "name")?;
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(name) => Err(HalvesError::SameConcept { path: path.into(), name: name.clone() }),
        None => Ok(names),
    }
}

fn list(path: &Path, expected: usize, what: &'static str) -> Result<Vec<String>, HalvesError> {
    let lines = read_lines(path)?;
    let found = lines.len();
    if found == expected { Ok(lines) } else { Err(HalvesError::Lines { path: path.into(), what, found, expected }) }
}
