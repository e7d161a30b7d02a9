//! RSMs to tests.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use super::{HalvesError, numbers, read_lines};
use crate::arrays::{RsmsOut, write_rsms};
use crate::checkpoint::KEY_FILE;
use crate::checksum::sha256;
use crate::device::{self, Choice, Selected};
use crate::error::{Error, FileError};
use crate::evaluation::{self, LayerRsms, Options, Space, Words};
use crate::matrices::{self, Entries, Source};
use crate::pipeline;
use crate::progress::Progress;
use crate::report;
use crate::results::{figure_name, layer_rsm, words_rsm, write_json, write_lines};
use crate::stats::Rsm;
use crate::stats::bootstrap::MIN_CONCEPTS;
use crate::stats::permutation::{self, Permutations};
use crate::stats::rsa::Rsa;
use crate::stats::scoring::{Constant, Ties};
use crate::stats::two_vs_two;

/// What `semgpu test` is asked for.
#[derive(Clone, Debug, Serialize)]
pub struct TestRequest {
    /// Word models: `[concepts, concepts]`.
    pub words: Vec<Source>,
    /// Layers in input order: `[concepts, concepts]` or `[groups, concepts, concepts]`.
    pub images: Vec<Source>,
    /// As in tables and figures.
    pub network: String,
    /// What condensed matrices hold.
    pub entries: Option<Entries>,
    /// Names of the concepts, a line each.
    pub concepts: Option<PathBuf>,
    /// Categories of the concepts, a line each: permute within them.
    pub categories: Option<PathBuf>,
    /// Draws of the null.
    pub permutations: u64,
    /// Sequential stopping.
    pub stop_after: Option<NonZeroU32>,
    /// How a tied pair counts.
    pub ties: Ties,
    /// What to do with a row of NaN.
    pub constant: Constant,
    /// Bootstrap resamples over concepts.
    pub bootstrap: u64,
    /// RSA by these correlations.
    pub rsa: Vec<Rsa>,
    /// Seeds the draws.
    pub seed: u64,
    /// Where it runs.
    pub device: Choice,
    /// Where results go.
    pub out: PathBuf,
}

/// A request whose files are read and found to fit.
pub struct Test {
    request: TestRequest,
    words: Vec<Words>,
    space: Space,
    categories: Option<Vec<String>>,
    options: Options,
    device: Selected,
    checksums: Checksums,
    /// What was understood of each file.
    understood: Vec<String>,
}

/// SHA-256 of the files that went in, by word model and layer.
#[derive(Serialize)]
struct Checksums {
    words: BTreeMap<String, String>,
    images: BTreeMap<String, String>,
}

impl Test {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn new(request: TestRequest, progress: &Progress) -> Result<Self, HalvesError> {
        check_values(&request)?;
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
        let draws = match &categories {
            Some(categories) => Permutations::stratified(request.seed, &permutation::strata(categories)),
            None => Permutations::new(request.seed, count),
        };
        check_testable(&request, &words, &space, &draws)?;
        if request.bootstrap > 0 && count < MIN_CONCEPTS {
            let found = format!("{} with {count} concepts", request.bootstrap);
            return Err(HalvesError::Value { option: "bootstrap", found, expected: "12 concepts or more to resample" });
        }
        let sums = |sources: &[Source]| {
            sources
                .iter()
                .map(|source| Ok((source.name.clone(), sha256(&source.path)?)))
                .collect::<Result<_, FileError>>()
        };
        let checksums = Checksums { words: sums(&request.words)?, images: sums(&request.images)? };
        let device = device::select(request.device)?;
        progress.line(device.line());
        let options = Options {
            draws,
            permutations: request.permutations,
            stop_after: request.stop_after,
            ties: request.ties,
            bootstrap: request.bootstrap,
            seed: request.seed,
            rsa: request.rsa.clone(),
            device: device.device.clone(),
        };
        Ok(Self { request, words, space, categories, options, device, checksums, understood })
    }

    /// Tests, and writes tables, figures and `run.json` as a run does; returns their directory.
    ///
    /// # Errors
    /// The device fails, a file cannot be written, [`Error::Interrupted`].
    pub fn run(self, progress: &Progress) -> Result<PathBuf, Error> {
        let started = Instant::now();
        let results = evaluation::evaluate(&self.space, &self.words, &self.options, progress)?;
        let out = &self.request.out;
        self.write_matrices().map_err(Error::failed)?;
        results.write(out).map_err(Error::failed)?;
        let run = serde_json::json!({
            "schema": 1,
            "semgpu": env!("CARGO_PKG_VERSION"),
            "command": "test",
            "config": self.request,
            "understood": self.understood,
            "device": {"kind": self.device.kind(), "name": self.device.name(), "why": self.device.why, "adapter": self.device.adapter},
            "threads": rayon::current_num_threads(),
            "peak_bytes": device::peak_memory_bytes(),
            "checksums": self.checksums,
            "seconds": {"total": started.elapsed().as_secs_f64()},
        });
        write_json(&out.join("run.json"), &run).map_err(Error::failed)?;
        report::write_figures(&results, out).map_err(Error::failed)?;
        pipeline::summarise(&results, progress);
        Ok(self.request.out)
    }
}

impl Test {
    /// The matrices as a run leaves them: for the figures, and for `semgpu export`.
    fn write_matrices(&self) -> Result<(), FileError> {
        let out = &self.request.out;
        for layer in &self.space.layers {
            let rsms = layer.rsms.iter().collect();
            write_rsms(&layer_rsm(out, &layer.name), &plain(rsms, true))?;
        }
        for model in &self.words {
            write_rsms(&words_rsm(out, &model.name), &plain(vec![&model.rsm], false))?;
        }
        if let Some(categories) = &self.categories {
            write_lines(&out.join("rsm/categories.txt"), categories)?;
        }
        write_lines(&out.join("rsm/concepts.txt"), &self.space.concepts)
    }
}

fn plain(rsms: Vec<&Rsm>, grouped: bool) -> RsmsOut<'_> {
    RsmsOut { rsms, grouped, labels: Vec::new(), concepts: None, distances: false }
}

fn layer(source: &Source, rsms: Vec<Rsm>) -> LayerRsms {
    LayerRsms { name: source.name.clone(), label: source.name.clone(), units: 0, rsms }
}

fn model(source: &Source, rsms: Vec<Rsm>) -> Option<Words> {
    rsms.into_iter().next().map(|rsm| Words { name: source.name.clone(), dimensions: 0, rsm })
}

fn check_values(request: &TestRequest) -> Result<(), HalvesError> {
    type File = fn(&Path, &str) -> PathBuf;
    let sides = [("words", &request.words, words_rsm as File), ("images", &request.images, layer_rsm)];
    let (mut files, mut figures) = (BTreeSet::new(), BTreeSet::new());
    for (side, sources, file) in sides {
        let twice = sources.iter().find(|source| {
            // Only word models have figures of their own.
            let drawn = side == "words" && !figures.insert(figure_name(&source.name));
            !files.insert(file(&request.out, &source.name)) || drawn
        });
        if let Some(twice) = twice {
            return Err(HalvesError::SameName { side, name: twice.name.clone() });
        }
        if sources.is_empty() {
            let (found, expected) = ("(none)".to_string(), "NAME=FILE at least once");
            return Err(HalvesError::Value { option: side, found, expected });
        }
    }
    if request.out.join("rsm").join(KEY_FILE).exists() {
        return Err(HalvesError::RunsOut(request.out.clone()));
    }
    if request.permutations > u64::from(u32::MAX) {
        let found = request.permutations.to_string();
        return Err(HalvesError::Value { option: "permutations", found, expected: "0 to 4,294,967,295" });
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
    if request.constant == Constant::Half {
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
