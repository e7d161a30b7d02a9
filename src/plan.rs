//! From what the user wrote to things that exist: files opened, words found, layers named, memory estimated.
//!
//! Every user error appears here, before any work.

mod arrival;
mod common;
mod controls;
mod difference;
mod error;
mod model;
mod placement;
mod prepared;
mod sweep;
mod words;

pub use common::Seen;
pub use controls::{GivenError, Own, Unnamed};
pub use error::PlanError;
pub use model::{Classifier, Model, Source, network};
pub use placement::Placement;
pub use sweep::{Outline, Plans, SweepError};

use std::collections::BTreeMap;
use std::iter;
use std::path::PathBuf;

use crate::checksum::{self, sha256};
use crate::config::{Config, ControlsConfig, check_permutations};
use crate::device::{self, Selected};
use crate::error::FileError;
use crate::evaluation::Words;
use crate::evaluation::controls::Controls;
use crate::evaluation::one_vs_two::{Lexicon, OneVsTwo};
use crate::files::Unchanged;
use crate::fonts;
use crate::matrices::Reading;
use crate::names::{self, NAME, TEXT, is_name, is_text};
use crate::nets::Arrival;
use crate::progress::Progress;
use crate::record::Checksums;
use crate::results::{ResultsDir, first_clash};
use crate::stats::inference::Family;
use crate::stats::permutation::Permutations;
use crate::stimuli::{Manifest, PIXELS};
use crate::weights::Parameters;

use common::{Common, words_files};

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
    pub image_sums: Vec<String>,
}

/// What goes in beside the network.
#[derive(Clone)]
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
        Self::of_shard(config, &Seen::default(), progress)
    }

    /// The same for a shard: of the images that were `seen` when the experiment was cut, it looks at its own.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn of_shard(config: Config, seen: &Seen, progress: &Progress) -> Result<Self, PlanError> {
        check_values(&config)?;
        check_inputs(&config, |_| true)?;
        let mut manifest = Manifest::read(&config.stimuli.manifest)?;
        let device = device::select(config.run.device)?;
        let fitted = Fitted::new(&config, device, &manifest)?;
        fitted.model.classify(&config, &mut manifest)?;
        let common = Common::read(&config, &fitted.model.classes, manifest, seen, progress)?;
        Self::of(config, fitted, common)
    }

    fn of(config: Config, fitted: Fitted, common: Common) -> Result<Self, PlanError> {
        let Fitted { model, mut weights, placement, controls, unchanged } = fitted;
        let Common { mut inputs, image_sums, word_sums, draws, lexicon, one_vs_two } = common;
        let arrival = arrival::arrival(&model, &mut weights, &inputs.manifest)?;
        inputs.arrival = arrival.as_ref().map(|(arrival, _)| *arrival);
        inputs.warnings.extend(arrival.and_then(|(_, doubt)| doubt));
        inputs.warnings.extend(model.doubt_of_values(inputs.arrival));
        let file = config.network.file.as_ref().or(config.network.weights.as_ref());
        inputs.warnings.extend(file.and_then(|file| prepared::doubt(model.input.preprocess, file)));
        inputs.warnings.extend(weights.notes());
        inputs.warnings.extend(model::doubts_of_input(&config, &model.input));
        inputs.warnings.extend(model.doubt_of_token(&config));
        inputs.warnings.extend(model.doubt_of_default(&config));
        inputs.warnings.extend(model.doubt_of_images());
        inputs.warnings.extend(model.doubt_of_classes(&config, &inputs.manifest));
        let named = [model.network.name.as_str(), config.network.label()];
        inputs
            .warnings
            .extend(fonts::doubt(named.into_iter().chain(model.layers.iter().map(|layer| layer.label.as_str()))));
        let checksums = checksums(&config, &model, &inputs.manifest, &image_sums, word_sums, &placement)?;
        let test = Test { draws, lexicon, one_vs_two, controls };
        Ok(Self { config, model, weights, inputs, test, placement, checksums, unchanged, image_sums })
    }
}

/// The part of a plan that is the network's own.
struct Fitted {
    model: Model,
    weights: Parameters,
    placement: Placement,
    controls: Controls,
    unchanged: Unchanged,
}

impl Fitted {
    fn new(config: &Config, device: Selected, manifest: &Manifest) -> Result<Self, PlanError> {
        let (model, weights) = Model::new(config)?;
        check_names(config, &model)?;
        check_out(config, &model, manifest)?;
        let unchanged = Unchanged::of(&model.files)?;
        let placement = Placement::new(config, device, &model, manifest.concepts.len())?;
        let own = Own {
            layers: model.layers.iter().map(|layer| layer.name.as_str()).collect(),
            words: config.words.iter().map(|words| words.name.as_str()).collect(),
            categories: manifest.categories.as_deref(),
            concepts: &manifest.concepts,
            named: true,
            by_name: true,
            unnamed: Unnamed::Taken,
            groups: &manifest.groups,
            groups_named: true,
        };
        let controls = own.controls(&config.controls, &Reading::default())?;
        Ok(Self { model, weights, placement, controls, unchanged })
    }
}

/// What can be said of the configuration without a file.
fn check_values(config: &Config) -> Result<(), PlanError> {
    if let Some(threads) = config.run.threads.filter(|threads| !(1..=MOST_THREADS).contains(threads)) {
        return Err(PlanError::value("run.threads", format!("1 to {MOST_THREADS}"), threads.to_string()));
    }
    if let Some(words) = config.words.iter().find(|words| !is_name(&words.name)) {
        let found = format!("{:?} ({} bytes)", words.name, words.name.len());
        return Err(PlanError::value("words.name", NAME, found));
    }
    if let Some((_, name, clash)) = first_clash(config.words.iter().map(|words| words.name.as_str()), [], true) {
        return Err(PlanError::SameName(name.to_string(), clash));
    }
    if config.spelling.case.is_empty() {
        return Err(PlanError::value("spelling.case", "one of as-is, lower, upper at least", "[]".into()));
    }
    if let Some(method) = names::twice(&config.rsa.methods) {
        let found = format!("{method} twice");
        return Err(PlanError::value("rsa.methods", "each method once", found));
    }
    if let (Family::Networks, Some(stop)) = (config.inference.family, config.two_vs_two.stop_after) {
        // Where one network stops, another may need what it would have drawn.
        return Err(PlanError::value(
            "two_vs_two.stop_after",
            "none beside inference.family = \"networks\", which needs every draw of every network",
            stop.to_string(),
        ));
    }
    check_permutations(config.two_vs_two.permutations).map_err(PlanError::of_section("two_vs_two"))?;
    let one_vs_two = config.one_vs_two.as_ref().and_then(|section| section.permutations);
    check_permutations(one_vs_two.unwrap_or_default()).map_err(PlanError::of_section("one_vs_two"))
}

/// The names of the network and its layers make files of their own. The images' pixels have theirs, tested or not.
fn check_names(config: &Config, model: &Model) -> Result<(), PlanError> {
    let network = &model.network.name;
    if !is_name(network) {
        return Err(PlanError::value("network.name", NAME, format!("{network:?} ({} bytes)", network.len())));
    }
    let layers = || model.stages.iter().flat_map(|stage| &stage.layers).map(|layer| layer.name.as_str());
    if let Some(layer) = layers().find(|layer| !is_text(layer)) {
        let expected = format!("layers named in {TEXT} (list those to be tested, or rename it in the network's file)");
        return Err(PlanError::value("network.layers", expected, format!("{layer:?}")));
    }
    let words = config.words.iter().map(|words| words.name.as_str());
    match first_clash(words, iter::once(PIXELS).chain(layers()), true) {
        Some((_, layer, clash)) => Err(PlanError::SameLayer(layer.to_string(), clash)),
        None => Ok(()),
    }
}

/// Every file of these keys is there; all that are not are said at once.
fn check_inputs(config: &Config, of: impl Fn(&str) -> bool) -> Result<(), PlanError> {
    let gone = config.inputs().filter(|(key, path)| of(key) && matches!(path.try_exists(), Ok(false)));
    let gone: Vec<_> = gone.map(|(key, path)| (key, path.to_path_buf())).collect();
    if gone.is_empty() { Ok(()) } else { Err(PlanError::Missing(gone)) }
}

/// Results may go where they are to, and nothing that goes in lies there.
fn check_out(config: &Config, model: &Model, manifest: &Manifest) -> Result<(), PlanError> {
    let named = config.inputs().map(|(_, path)| path);
    let lists = words_files(config)?;
    let files = model.files.iter().chain(&lists).map(PathBuf::as_path);
    let images = manifest.stimuli.iter().flatten().map(|stimulus| stimulus.path.as_path());
    let directory = ResultsDir::new(config.out());
    directory.check(named.chain(files).chain(images))?;
    let layers: Vec<&str> = model.layers.iter().map(|layer| layer.name.as_str()).collect();
    let words: Vec<&str> = config.words.iter().map(|words| words.name.as_str()).collect();
    Ok(directory.check_named(&model.network.name, &layers, &words, model.classifier.is_some())?)
}

/// The checksum of the weights; from it, those of the images and what else decides an RSM, the experiment's.
fn checksums(
    config: &Config,
    model: &Model,
    manifest: &Manifest,
    image_sums: &[String],
    words: Vec<String>,
    placement: &Placement,
) -> Result<Checksums, PlanError> {
    let weights = if model.files.is_empty() { None } else { Some(checksum::of_files(&model.files)?) };
    let images = checksum::of_parts(image_sums);
    let of_file = weights.as_ref().map(|sum| format!("{sum}{}", config.network.part_of_weights()));
    let similarity = checksum::of_parts(&[
        env!("CARGO_PKG_VERSION"),
        &model.network.name,
        &model.network.form,
        &of_file.unwrap_or_else(|| format!("random {}", config.seed)),
        &format!("{:?} {:?}", model.input, model.token),
        &format!("{:?} {:?}", manifest.concepts, manifest.groups),
        &images,
        &placement.device.key(),
    ]);
    let classes = config.network.classes.as_deref().map(sha256).transpose()?;
    let controls = control_sums(&config.controls)?;
    Ok(Checksums { weights, words, images, similarity, classes, controls })
}

/// The checksum of every file that is controlled for, by name.
pub fn control_sums(controls: &ControlsConfig) -> Result<BTreeMap<String, String>, FileError> {
    controls.sources().map(|source| Ok((source.name.clone(), sha256(&source.path)?))).collect()
}
