//! From what the user wrote to things that exist: files opened, words found, layers named, memory estimated.
//!
//! Every user error appears here, before any work.

mod error;
mod words;

pub use error::PlanError;

use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use crate::checksum::{self, sha256};
use crate::config::{Bytes, Config};
use crate::device::{self, Selected};
use crate::evaluation::one_vs_two::{Lexicon, OneVsTwo};
use crate::evaluation::{Options, Words};
use crate::imagenet;
use crate::images::{self, Resize};
use crate::nets::{self, Blueprint, Input, Layer, Network, Shape, Stage, StageSpec};
use crate::progress::Progress;
use crate::stats::bootstrap::MIN_CONCEPTS;
use crate::stats::permutation::{self, Permutations};
use crate::stimuli::{Manifest, PIXELS, PIXELS_LABEL};
use crate::vectors;
use crate::weights::{self, Parameters, WeightsError};

use words::{Lemma, OtherClass};

/// Images that run through a stage at once, at most; more gains nothing on a CPU and little on a GPU.
const MAX_BATCH: usize = 16;

/// Most that one activation tensor of a batch may take: half of WebGPU's guaranteed binding.
const MAX_TENSOR_BYTES: u64 = 64 << 20;

/// An experiment that can run.
pub struct Plan {
    /// As configured.
    pub config: Config,
    /// The network in one of its forms.
    pub network: Blueprint,
    /// Its weights, not yet read.
    pub parameters: Parameters,
    /// Its stages up to the last layer wanted.
    pub stages: Vec<StageSpec>,
    /// The layers tested, in input order; the pixels first if wanted.
    pub layers: Vec<Layer>,
    /// Input size, preprocessing, resize rule.
    pub input: Input,
    /// The images.
    pub manifest: Manifest,
    /// The word models with their RSMs.
    pub words: Vec<Words>,
    /// The draws of the null.
    pub draws: Permutations,
    /// Where the network's answers are read, if it is run that far.
    pub classifier: Option<Classifier>,
    /// The words that stand for ImageNet classes.
    pub lexicon: Lexicon,
    /// The 1 vs. 2 test, if asked for.
    pub one_vs_two: Option<OneVsTwo>,
    /// Where it runs.
    pub device: Selected,
    /// Images per batch.
    pub batch: usize,
    /// The memory estimate.
    pub memory: Memory,
    /// Checksums of everything that went in.
    pub checksums: Checksums,
    /// Things the user should know.
    pub warnings: Vec<String>,
}

/// The layer whose units are the ImageNet classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// Its name.
    pub layer: String,
    /// The stage that computes it.
    pub stage: usize,
}

/// What the run will hold at its peak, in bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// The network's weights.
    pub weights: u64,
    /// The largest stage's activations of one group, input and output.
    pub activations: u64,
    /// The stage that needs most, by its last layer.
    pub largest_stage: String,
    /// The budget.
    pub budget: u64,
}

/// SHA-256 of the files that went in.
#[derive(Clone, Debug, Serialize)]
pub struct Checksums {
    /// The weights, if any; over the checksums of their files where there are several.
    pub weights: Option<String>,
    /// Each word model, likewise.
    pub words: Vec<String>,
    /// Over the images' checksums in manifest order.
    pub images: String,
    /// Over all that decides the RSMs: two runs with the same value share their finished layers.
    pub similarity: String,
}

impl Plan {
    /// Checks everything the configuration names and prepares the run.
    ///
    /// # Errors
    /// The first thing that is wrong with the user's input.
    pub fn new(config: Config, progress: &Progress) -> Result<Self, PlanError> {
        let (published, network) = Self::network(&config.network.name, config.network.form.as_deref())?;
        let mut input = network.input;
        input.resize = config.stimuli.resize.unwrap_or(input.resize);
        input.crop_pct = config.stimuli.crop_pct.unwrap_or(input.crop_pct);
        check_values(&config, &input)?;
        let classifier = classifier(&config, &network)?;
        let (stages, layers) = layers(&config, &network, &input, classifier.as_ref())?;
        let classifier = classifier.filter(|classifier| classifier.stage < stages.len());

        let manifest = Manifest::read(&config.stimuli.manifest)?;
        let mut warnings = Vec::new();
        let image_sums = check_images(&manifest)?;
        if config.two_vs_two.bootstrap > 0 && manifest.concepts.len() < MIN_CONCEPTS {
            let found = format!("{} with {} concepts", config.two_vs_two.bootstrap, manifest.concepts.len());
            let expected = "0, or 12 concepts or more to resample";
            return Err(PlanError::Value { key: "two_vs_two.bootstrap", expected, found });
        }
        let strata = strata(&config, &manifest)?;
        let draws = match &strata {
            None => Permutations::new(config.seed, manifest.concepts.len()),
            Some(strata) => Permutations::stratified(config.seed, strata),
        };
        let others = if config.one_vs_two.is_some() { other_classes(&config, &manifest)? } else { Vec::new() };
        let models = words::read(&config, &manifest, &others, progress, &mut warnings)?;
        let (lexicon, one_vs_two) = match config.one_vs_two {
            None => (Lexicon::of_manifest(&manifest), None),
            Some(_) => {
                let (lexicon, test) = words::one_vs_two(&config, &manifest, &models, &others, strata)?;
                (lexicon, Some(test))
            }
        };
        let words = models.into_iter().map(|model| model.words).collect();

        let parameters = network.parameters();
        // Batch normalization is folded into the convolutions when they are loaded.
        let loaded = parameters.iter().filter(|parameter| parameter.part.is_in(true));
        let weight_bytes: u64 = loaded.map(|p| 4 * p.shape.iter().product::<usize>() as u64).sum();
        let (parameters, weights_sum) = match (&config.network.weights, config.network.random) {
            (Some(_), true) => return Err(PlanError::WeightsAndRandom),
            (None, false) => return Err(PlanError::NoWeights(network.name.clone())),
            (None, true) => (Parameters::random(parameters, config.seed), None),
            (Some(path), false) => {
                let file = weights::open(path)?;
                let assignment = published.assign(&network, file.as_ref())?;
                let sum = checksum::of_files(&file.files())?;
                (Parameters::from_file(parameters, file, assignment), Some(sum))
            }
        };

        let device = device::select(config.run.device)?;
        let memory = memory(&config, &device, &stages, manifest.concepts.len(), &input, weight_bytes);
        if memory.weights + memory.activations > memory.budget {
            return Err(PlanError::Memory {
                network: network.name,
                needed: Bytes(memory.weights + memory.activations),
                stage: memory.largest_stage,
                images: manifest.concepts.len(),
                budget: Bytes(memory.budget),
            });
        }
        let batch = batch(&stages, &input, &device);
        let similarity = checksum::of_parts(&[
            env!("CARGO_PKG_VERSION"),
            &network.name,
            &network.form,
            weights_sum.as_deref().unwrap_or(&format!("random {}", config.seed)),
            &format!("{:?} {}", input.resize, input.crop_pct),
            &format!("{:?} {:?}", manifest.concepts, manifest.groups),
            &image_sums,
            &device.key(),
        ]);
        let word_sum = |file: &Path| -> Result<_, PlanError> { Ok(checksum::of_files(&vectors::files(file)?)?) };
        let word_sums = config.words.par_iter().map(|words| word_sum(&words.file)).collect::<Result<_, _>>()?;
        let checksums = Checksums { weights: weights_sum, words: word_sums, images: image_sums, similarity };
        Ok(Self {
            config,
            network,
            parameters,
            stages,
            layers,
            input,
            manifest,
            words,
            draws,
            classifier,
            lexicon,
            one_vs_two,
            device,
            batch,
            memory,
            checksums,
            warnings,
        })
    }

    /// A network by name, and its form: the one asked for, or its first.
    ///
    /// # Errors
    /// No such network or form.
    pub fn network(name: &str, form: Option<&str>) -> Result<(&'static Network, Blueprint), PlanError> {
        let network = nets::find(name).ok_or_else(|| PlanError::Network {
            name: name.to_string(),
            known: nets::NETS.iter().map(|net| net.name).collect::<Vec<_>>().join(", "),
        })?;
        let form = form.unwrap_or(network.forms[0].name);
        let blueprint = network.blueprint(form).ok_or_else(|| PlanError::Form {
            network: network.name.to_string(),
            form: form.to_string(),
            known: network.form_names().join(", "),
        })?;
        Ok((network, blueprint))
    }

    /// Reads the weights and builds the network on the device, up to the last layer wanted.
    ///
    /// # Errors
    /// A tensor that is not finite or cannot be read.
    pub fn load_network(&mut self) -> Result<Vec<Stage>, WeightsError> {
        self.network.load(self.stages.len(), &mut self.parameters, &self.device.device)
    }

    /// How the RSMs are tested.
    pub fn options(&self) -> Options {
        let test = &self.config.two_vs_two;
        Options {
            draws: self.draws.clone(),
            permutations: test.permutations,
            stop_after: test.stop_after,
            ties: test.ties,
            bootstrap: test.bootstrap,
            seed: self.config.seed,
            rsa: self.config.rsa.methods.clone(),
            device: self.device.device.clone(),
        }
    }

    /// The manifest's folder, which its paths are relative to.
    pub fn stimuli_root(&self) -> &Path {
        self.config.stimuli.manifest.parent().unwrap_or(Path::new(""))
    }
}

fn check_values(config: &Config, input: &Input) -> Result<(), PlanError> {
    if config.two_vs_two.permutations > u64::from(u32::MAX) {
        let found = config.two_vs_two.permutations.to_string();
        return Err(PlanError::Value { key: "two_vs_two.permutations", expected: "0 to 4,294,967,295", found });
    }
    if let Some(permutations) = config.one_vs_two.as_ref().and_then(|test| test.permutations)
        && permutations > u64::from(u32::MAX)
    {
        let found = permutations.to_string();
        return Err(PlanError::Value { key: "one_vs_two.permutations", expected: "0 to 4,294,967,295", found });
    }
    let fits = (input.crop_pct > 0.0) && (input.crop_pct <= 1.0);
    if !fits && matches!(input.resize, Resize::CropBilinear | Resize::CropBicubic) {
        let found = input.crop_pct.to_string();
        return Err(PlanError::Value { key: "stimuli.crop_pct", expected: "above 0, at most 1", found });
    }
    if config.run.threads == Some(0) {
        return Err(PlanError::Value { key: "run.threads", expected: "1 or more", found: "0".to_string() });
    }
    Ok(())
}

/// The network's classifier; the 1 vs. 2 test needs one.
fn classifier(config: &Config, network: &Blueprint) -> Result<Option<Classifier>, PlanError> {
    let classifier = network.classifier.as_ref().and_then(|name| {
        let holds = |stage: &StageSpec| stage.layers.iter().any(|layer| &layer.name == name);
        Some(Classifier { layer: name.clone(), stage: network.stages().iter().position(holds)? })
    });
    match (&classifier, &config.one_vs_two) {
        (None, Some(_)) => Err(PlanError::NoClassifier(network.name.clone())),
        _ => Ok(classifier),
    }
}

/// The stages up to the last layer wanted, or to the classifier for the 1 vs. 2 test, and the layers with the pixels
/// first.
fn layers(
    config: &Config,
    network: &Blueprint,
    input: &Input,
    classifier: Option<&Classifier>,
) -> Result<(Vec<StageSpec>, Vec<Layer>), PlanError> {
    let mut stages = network.stages();
    if let Some(asked) = &config.network.layers {
        for name in asked {
            if !stages.iter().flat_map(|stage| &stage.layers).any(|layer| &layer.name == name) {
                return Err(PlanError::Layer { network: network.name.clone(), layer: name.clone() });
            }
        }
    }
    for stage in &mut stages {
        stage.layers.retain(|layer| match &config.network.layers {
            Some(asked) => asked.contains(&layer.name),
            None => !layer.on_request,
        });
    }
    let last = stages.iter().rposition(|stage| !stage.layers.is_empty());
    let answers = classifier.filter(|_| config.one_vs_two.is_some()).map(|classifier| classifier.stage);
    stages.truncate(last.max(answers).map_or(0, |last| last + 1));
    let pixels = config.stimuli.pixels.then(|| Layer {
        name: PIXELS.to_string(),
        label: PIXELS_LABEL.to_string(),
        shape: Shape::Map([3, input.size, input.size]),
        on_request: false,
    });
    let layers: Vec<Layer> =
        pixels.into_iter().chain(stages.iter().flat_map(|stage| stage.layers.iter().cloned())).collect();
    if layers.is_empty() {
        return Err(PlanError::NoLayers);
    }
    Ok((stages, layers))
}

/// Every image there and of a known format; the checksum over all of them.
fn check_images(manifest: &Manifest) -> Result<String, PlanError> {
    let sums = manifest
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
        .collect::<Result<Vec<_>, PlanError>>()?;
    Ok(checksum::of_parts(&sums))
}

/// The stratum of each concept, where draws keep to categories.
fn strata(config: &Config, manifest: &Manifest) -> Result<Option<Vec<u32>>, PlanError> {
    if !config.two_vs_two.within_categories {
        return Ok(None);
    }
    let categories =
        manifest.categories.as_ref().ok_or_else(|| PlanError::NoCategories(config.stimuli.manifest.clone()))?;
    Ok(Some(permutation::strata(categories)))
}

/// The ImageNet classes that no image of the manifest shows, with what they are called.
fn other_classes(config: &Config, manifest: &Manifest) -> Result<Vec<OtherClass>, PlanError> {
    let shown: BTreeSet<u32> = manifest.stimuli.iter().flatten().filter_map(|stimulus| stimulus.class_index).collect();
    if shown.is_empty() {
        return Err(PlanError::NoClassIndex(config.stimuli.manifest.clone()));
    }
    let names = |index: usize, lemmas: Vec<&str>| {
        let spellings = |lemma| config.spelling.tokens(lemma);
        let lemmas = lemmas.into_iter().map(|lemma| Lemma { lemma: lemma.to_string(), spellings: spellings(lemma) });
        OtherClass { index, lemmas: lemmas.collect() }
    };
    let classes = imagenet::lemmas().into_iter().enumerate().filter(|(index, _)| !shown.contains(&(*index as u32)));
    Ok(classes.map(|(index, lemmas)| names(index, lemmas)).collect())
}

/// The peak: weights, and a group's activations at the stage whose input and output are largest. A batch's input is
/// dropped when its output is there, so a group holds the larger of the two plus one batch; inner taps come on top.
fn memory(
    config: &Config,
    device: &Selected,
    stages: &[StageSpec],
    images: usize,
    input: &Input,
    weights: u64,
) -> Memory {
    let bytes = |units: usize| 4 * (units * images) as u64;
    let mut before = 3 * input.size * input.size;
    let mut largest = (bytes(before), PIXELS.to_string());
    for stage in stages {
        let output = stage.units();
        // The last layer of a stage shares its memory with the output, if it is the output.
        let shared = stage.layers.last().is_some_and(|layer| layer.shape == stage.output());
        let inner =
            stage.layers.iter().map(Layer::units).sum::<usize>() - if shared { stage.output().units() } else { 0 };
        let batch = MAX_TENSOR_BYTES.min(bytes(before.max(output)));
        let needed = bytes(before.max(output) + inner) + 3 * batch;
        if needed > largest.0 {
            let name = stage.layers.last().map_or("(untapped)", |layer| &layer.name);
            largest = (needed, name.to_string());
        }
        before = output;
    }
    let budget = config.run.memory.map_or(device.memory_bytes, |bytes| bytes.0);
    Memory { weights, activations: largest.0, largest_stage: largest.1, budget }
}

/// As many images at once as keep every activation tensor of a batch within its limit.
fn batch(stages: &[StageSpec], input: &Input, device: &Selected) -> usize {
    let outputs = stages.iter().flat_map(|stage| stage.layers.iter().map(|layer| layer.units()).chain([stage.units()]));
    let units = outputs.chain([3 * input.size * input.size]).max().unwrap_or(1) as u64;
    let limit = MAX_TENSOR_BYTES.min(device.binding_bytes);
    ((limit / (4 * units)) as usize).clamp(1, MAX_BATCH)
}
