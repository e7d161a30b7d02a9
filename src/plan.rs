//! From what the user wrote to things that exist: files opened, words found, layers named, memory estimated.
//!
//! Every user error appears here, before any work.

mod arrival;
mod controls;
mod error;
mod model;
mod placement;
mod words;

pub use controls::{GivenError, Own};
pub use error::PlanError;
pub use model::{Classifier, Model, Source, network};
pub use placement::Placement;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::checksum::{self, sha256};
use crate::config::{Config, ControlsConfig, check_measures, check_permutations, draws, twice};
use crate::error::FileError;
use crate::evaluation::Words;
use crate::evaluation::controls::Controls;
use crate::evaluation::one_vs_two::{Lexicon, OneVsTwo};
use crate::files::Unchanged;
use crate::images;
use crate::matrices::Reading;
use crate::names::{NAME, is_name};
use crate::nets::Arrival;
use crate::progress::Progress;
use crate::record::Checksums;
use crate::results::ResultsDir;
use crate::stats::permutation::Permutations;
use crate::stimuli::Manifest;
use crate::vectors;
use crate::weights::Parameters;

/// Threads of the CPU that can be asked for.
pub const MOST_THREADS: usize = 1024;

/// An experiment that can run.
pub struct Plan {
    /// As configured.
    pub config: Config,
    /// The network.
    pub model: Model,
    /// Its weights, not yet read.
    pub weights: Parameters,
    /// The images and the words.
    pub inputs: Inputs,
    /// What is tested.
    pub test: Test,
    /// Where it runs.
    pub placement: Placement,
    /// Checksums of everything that went in.
    pub checksums: Checksums,
    /// The weights' files as they were summed.
    pub unchanged: Unchanged,
    /// The checksum of each image, group by group.
    pub images: Vec<String>,
}

/// What goes in beside the network.
pub struct Inputs {
    /// The images.
    pub manifest: Manifest,
    /// The word models with their RSMs.
    pub words: Vec<Words>,
    /// How images arrive at the network's first normalization, where it has one.
    pub arrival: Option<Arrival>,
    /// Things the user should know.
    pub warnings: Vec<String>,
}

/// What is tested beside the options.
pub struct Test {
    /// The draws of the null.
    pub draws: Permutations,
    /// The words that stand for ImageNet classes.
    pub lexicon: Lexicon,
    /// The 1 vs. 2 test, if asked for.
    pub one_vs_two: Option<OneVsTwo>,
    /// What is controlled for.
    pub controls: Controls,
}

impl Plan {
    /// Checks everything the configuration names and prepares the run.
    ///
    /// # Errors
    /// The first thing that is wrong with the user's input.
    pub fn new(config: Config, progress: &Progress) -> Result<Self, PlanError> {
        check_values(&config)?;
        check_files(&config)?;
        let (model, mut weights) = Model::new(&config)?;
        let mut manifest = Manifest::read(&config.stimuli.manifest)?;
        model.classify(&config, &mut manifest)?;
        check_out(&config, &model, &manifest)?;
        let unchanged = Unchanged::of(&model.files)?;
        let words_unchanged = Unchanged::of(&words_files(&config)?)?;
        let images = check_images(&manifest)?;
        let placement = Placement::new(&config, &model, manifest.concepts.len())?;
        let arrival = arrival::arrival(&model, &mut weights, &manifest)?;
        let (mut inputs, test) = read(&config, &model, manifest, progress)?;
        inputs.arrival = arrival.as_ref().map(|(arrival, _)| *arrival);
        inputs.warnings.extend(arrival.and_then(|(_, doubt)| doubt));
        inputs.warnings.extend(weights.notes());
        let checksums = checksums(&config, &model, &inputs.manifest, checksum::of_parts(&images), &placement)?;
        words_unchanged.check()?;
        Ok(Self { config, model, weights, inputs, test, placement, checksums, unchanged, images })
    }
}

/// What can be said of the configuration without a file.
fn check_values(config: &Config) -> Result<(), PlanError> {
    if let Some(threads) = config.run.threads.filter(|threads| !(1..=MOST_THREADS).contains(threads)) {
        return Err(PlanError::Value { key: "run.threads", expected: "1 to 1024", found: threads.to_string() });
    }
    if let Some(words) = config.words.iter().find(|words| !is_name(&words.name)) {
        let found = format!("{:?} ({} bytes)", words.name, words.name.len());
        return Err(PlanError::Value { key: "words.name", expected: NAME, found });
    }
    if let Some(method) = twice(&config.rsa.methods) {
        let found = format!("{method} twice");
        return Err(PlanError::Value { key: "rsa.methods", expected: "each method once", found });
    }
    check_permutations(config.two_vs_two.permutations).map_err(PlanError::TwoVsTwo)?;
    let one_vs_two = config.one_vs_two.as_ref().and_then(|section| section.permutations);
    check_permutations(one_vs_two.unwrap_or_default()).map_err(PlanError::OneVsTwo)
}

/// Every file that the configuration names is there; all that are not are said at once.
fn check_files(config: &Config) -> Result<(), PlanError> {
    let gone = config.inputs().filter(|(_, path)| matches!(path.try_exists(), Ok(false)));
    let gone: Vec<_> = gone.map(|(key, path)| (key, path.to_path_buf())).collect();
    if gone.is_empty() { Ok(()) } else { Err(PlanError::Missing(gone)) }
}

/// Results may go where they are to, and nothing that goes in lies there.
fn check_out(config: &Config, model: &Model, manifest: &Manifest) -> Result<(), PlanError> {
    let images = manifest.stimuli.iter().flatten().map(|stimulus| stimulus.path.as_path());
    let words = config.words.iter().map(|words| words.file.as_path());
    let lists = words_files(config)?;
    let files = model.files.iter().chain(&lists).map(PathBuf::as_path);
    let inputs = [config.stimuli.manifest.as_path()].into_iter().chain(files).chain(words).chain(images);
    let inputs = inputs.chain(config.network.classes.as_deref()).chain(config.controls.paths());
    Ok(ResultsDir::new(config.out()).check(inputs)?)
}

/// The files of all word models.
fn words_files(config: &Config) -> Result<Vec<PathBuf>, PlanError> {
    let files = config.words.iter().map(|words| vectors::files(&words.file)).collect::<Result<Vec<_>, _>>()?;
    Ok(files.concat())
}

/// The words, and what is tested with them.
fn read(config: &Config, model: &Model, manifest: Manifest, progress: &Progress) -> Result<(Inputs, Test), PlanError> {
    let concepts = manifest.concepts.len();
    config.two_vs_two.check(concepts).map_err(PlanError::TwoVsTwo)?;
    config.inference.check(config.two_vs_two.bootstrap, manifest.groups.len()).map_err(PlanError::Inference)?;
    check_measures(&config.measures, config.neighbours, concepts).map_err(|error| PlanError::Value {
        key: error.option,
        expected: error.expected,
        found: error.found,
    })?;
    let strata = config.two_vs_two.strata(manifest.categories.as_deref());
    if config.two_vs_two.within_categories && strata.is_none() {
        return Err(PlanError::NoCategories(config.stimuli.manifest.clone()));
    }
    let draws = draws(config.seed, concepts, strata.as_deref());
    let others = words::other_classes(config, &model.classes, &manifest)?;
    let mut warnings = manifest.doubts();
    warnings.extend(config.two_vs_two.doubt(manifest.categories.as_deref()));
    warnings.extend(config.inference.doubt(manifest.groups.len()));
    let models = words::read(config, &manifest, &others, progress, &mut warnings)?;
    let (lexicon, one_vs_two) = match &config.one_vs_two {
        None => (Lexicon::of_manifest(&manifest, &model.classes), None),
        Some(section) => {
            let (lexicon, test) =
                words::one_vs_two(config, section, (&manifest, &model.classes), &models, &others, strata)?;
            (lexicon, Some(test))
        }
    };
    let words: Vec<Words> = models.into_iter().map(|model| model.words).collect();
    let own = Own {
        layers: model.layers.iter().map(|layer| layer.name.as_str()).collect(),
        words: words.iter().map(|model| model.name.as_str()).collect(),
        categories: manifest.categories.as_deref(),
        concepts: &manifest.concepts,
        by_name: true,
        groups: manifest.groups.len(),
    };
    let controls = own.controls(&config.controls, &Reading::default())?;
    Ok((Inputs { manifest, words, arrival: None, warnings }, Test { draws, lexicon, one_vs_two, controls }))
}

/// Every image there and of a known format; their checksums, group by group.
fn check_images(manifest: &Manifest) -> Result<Vec<String>, PlanError> {
    manifest
        .stimuli
        .par_iter()
        .enumerate()
        .flat_map(|(group, stimuli)| stimuli.par_iter().enumerate().map(move |(concept, s)| (group, concept, s)))
        .map(|(group, concept, stimulus)| {
            images::check(&stimulus.path).map_err(|source| PlanError::Image {
                concept: manifest.concepts[concept].clone(),
                group: manifest.groups[group].clone(),
                source: Box::new(source),
            })?;
            Ok(sha256(&stimulus.path)?)
        })
        .collect()
}

/// The checksums of weights and words; from them, those of the images and what else decides an RSM, the experiment's.
fn checksums(
    config: &Config,
    model: &Model,
    manifest: &Manifest,
    images: String,
    placement: &Placement,
) -> Result<Checksums, PlanError> {
    let weights = if model.files.is_empty() { None } else { Some(checksum::of_files(&model.files)?) };
    let similarity = checksum::of_parts(&[
        env!("CARGO_PKG_VERSION"),
        &model.network.name,
        &model.network.form,
        weights.as_deref().unwrap_or(&format!("random {}", config.seed)),
        &format!("{:?} {:?}", model.input, model.token),
        &format!("{:?} {:?}", manifest.concepts, manifest.groups),
        &images,
        &placement.device.key(),
    ]);
    let word_sum = |file: &Path| -> Result<_, PlanError> { Ok(checksum::of_files(&vectors::files(file)?)?) };
    let words = config.words.par_iter().map(|words| word_sum(&words.file)).collect::<Result<_, _>>()?;
    let classes = config.network.classes.as_deref().map(sha256).transpose()?;
    let controls = control_sums(&config.controls)?;
    Ok(Checksums { weights, words, images, similarity, classes, controls })
}

/// The checksum of every file that is controlled for, by name.
pub fn control_sums(controls: &ControlsConfig) -> Result<BTreeMap<String, String>, FileError> {
    controls.sources().map(|source| Ok((source.name.clone(), sha256(&source.path)?))).collect()
}
