//! The straight line: stimuli, stages, RSMs, tests, results. Arithmetic is in [`crate::stats`], decisions are in
//! [`crate::plan`].

mod shard;

pub use shard::{draws, estimate, groups};

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::checkpoint::{Checkpoint, Kept, Opened};
use crate::config::{Bytes, Config};
use crate::device;
use crate::error::Error;
use crate::evaluation::one_vs_two::{self, Predictions};
use crate::evaluation::{self, Draws, LayerRsms, Options, Space, Words};
use crate::files::Unchanged;
use crate::finish::{self, Comparison, Images, finish};
use crate::nets::{self, Batch, Stage, StageSpec, Taps};
use crate::plan::{Classifier, Inputs, Model, Placement, Plan};
use crate::progress::{Progress, Task};
use crate::record::{self, Command, Network, Run, RunRecord, StageTiming, WordModel};
use crate::results::ResultsDir;
use crate::shards::{self, Keys, ShardError, Shards, Span};
use crate::stats::permutation::Permutations;
use crate::stats::scoring::Constant;
use crate::stats::similarity::{self, SimilarityError};
use crate::stats::two_vs_two;
use crate::stimuli::{self, Gallery, Manifest, PIXELS};
use crate::weights::Parameters;
use crate::wording::counted;

/// A failure at a layer of a group of images.
#[derive(Debug, thiserror::Error)]
#[error("layer {layer}, group {group}: {source}")]
pub struct PipelineError {
    /// Where.
    pub layer: String,
    /// In which group.
    pub group: String,
    /// What is wrong.
    pub source: LayerError,
}

/// What is wrong with a layer of a group of images.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The image of a concept without variance.
    #[error(
        "the activations of concept {0:?} are constant, or within 1e-18 of their mean, so they correlate with nothing; replace \
         the image, or set two_vs_two.constant = \"half\""
    )]
    Constant(String),
    /// The image of a concept that is equally similar to all others.
    #[error(
        "the image of concept {0:?} is equally similar to all others, so its row correlates with no word's; a softmax that \
         takes every image for one class does this, and the class token before the first attention: leave the layer out of \
         network.layers (of tokens, network.token = \"mean\" takes their mean)"
    )]
    Flat(String),
    /// NaN or infinity among the activations of a concept's image.
    #[error("the activations of concept {0:?} are not finite, or beyond 1e15; are these the right weights?")]
    NotFinite(String),
    /// The device failed.
    #[error(transparent)]
    Similarity(SimilarityError),
}

/// What a run has beside its plan.
#[derive(Default)]
pub struct Beside<'a> {
    /// What they hold is taken from them.
    pub shards: Option<&'a Shards>,
    /// Images that other networks take too.
    pub gallery: Gallery,
    /// Where the scores of all draws are kept, for families beyond the network.
    pub scores: Option<PathBuf>,
    /// Called when all shards are there and the directory is taken, before results change.
    pub begin: Option<&'a dyn Fn() -> Result<(), Error>>,
}

/// Runs the experiment and writes its results; returns their directory. What these replace there, [`Plan::check`] says.
///
/// # Errors
/// [`Error::Input`] if the directory is another's (see [`ResultsDir::claim`]) or shards are missing, [`Error::Failed`] while
/// running, [`Error::Interrupted`] when asked to stop; finished layers are kept.
pub fn run(plan: Plan, fresh: bool, beside: &mut Beside, progress: &Progress) -> Result<PathBuf, Error> {
    let started = Instant::now();
    plan.check(fresh)?;
    let key = Keys::of(&plan).test;
    let parts = plan.parts();
    let Plan { config, model, weights, inputs, test, placement, checksums, unchanged, image_sums } = plan;
    let Inputs { manifest, words, warnings, .. } = inputs;
    let directory = ResultsDir::new(config.out());
    let groups = manifest.groups.len();
    let constant = config.two_vs_two.constant;
    let open = kept(&config, &model, manifest.concepts.len());
    // Before the directory is taken: with --fresh, what lies there goes then.
    let merged = beside.shards.map(|shards| Ok((shards.draws()?, shards.groups(&open)?)));
    let merged = merged.transpose().map_err(|error: ShardError| Error::input(error))?;
    let _writing = progress.interrupt.writing();
    let lock = directory.lock("run")?;
    beside.begin.map_or(Ok(()), |begin| begin())?;
    let peak_before = if fresh { None } else { peak_before(&directory, &checksums.similarity) };
    let claim = directory.claim_locked(lock, "run", &checksums.similarity, fresh)?;
    progress.warn(claim.damaged().map(|said| format!("{said}; computed again")));
    record::keep(&directory, parts).map_err(Error::failed)?;
    let Opened { mut checkpoint, damaged } = open(&directory, groups);
    progress.warn(damaged.iter().map(|damaged| format!("{damaged}; computed again")));
    checkpoint.list_present().map_err(Error::failed)?;

    let mut known = Draws::default();
    if let Some((draws, groups)) = merged {
        known = draws;
        checkpoint.take(groups).map_err(Error::failed)?;
    }
    let first_half = FirstHalf {
        constant,
        model: &model,
        unchanged: &unchanged,
        manifest: &manifest,
        sums: &image_sums,
        placement: &placement,
        progress,
    };
    let stages = first_half.run(weights, &mut checkpoint, &mut beside.gallery)?;
    let similarity_seconds = started.elapsed().as_secs_f64();
    let predictions: Option<Predictions> = (0..groups).map(|group| checkpoint.classes(group)).collect();
    let run = Run {
        network: Network {
            name: model.network.name.clone(),
            form: model.network.form.clone(),
            input: model.input,
            token: model.has_tokens.then_some(model.token),
        },
        words: words.iter().map(|w| WordModel { name: w.name.clone(), dimensions: w.dimensions }).collect(),
        batch: placement.batch,
        memory: placement.memory.clone(),
        checksums,
        stages,
        top_1: predictions.as_ref().and_then(|predictions| one_vs_two::top_1(&manifest, predictions)),
        config,
    };
    let alignment = finish::alignment(&run.config.measures, run.config.neighbours, &words);
    let space = space(&model, &manifest, checkpoint.finish());
    let mut options = Options { known, ..options(&run.config, test.draws, &placement) };
    if let Some(path) = &beside.scores {
        keep_scores(path, &key, &space, &words, &mut options, progress)?;
    }
    let comparison = Comparison {
        space,
        words,
        categories: manifest.categories.clone(),
        controls: test.controls,
        options,
        images: Some(Images {
            root: run.config.stimuli_root().to_path_buf(),
            sums: image_sums,
            manifest,
            predictions,
            random: run.config.network.random,
            lexicon: test.lexicon,
            one_vs_two: test.one_vs_two,
        }),
        alignment,
        in_full: true,
    };
    let mut record = RunRecord::new(Command::Run(Box::new(run)), &placement.device, warnings);
    record.seconds.similarity = Some(similarity_seconds);
    record.peak_bytes = peak_before;
    finish(&comparison, record, &directory, started, progress)?;
    Ok(directory.root().to_path_buf())
}

/// Peak memory of an earlier run of the experiment, whose matrices are taken.
fn peak_before(directory: &ResultsDir, similarity: &str) -> Option<u64> {
    let record = RunRecord::read(directory).ok()??;
    record.run().filter(|run| run.checksums.similarity == similarity)?;
    record.peak_bytes
}

/// How the run is tested.
fn options(config: &Config, draws: Permutations, placement: &Placement) -> Options {
    let Config { two_vs_two, inference, rsa, seed, .. } = config;
    finish::options(two_vs_two, *inference, *seed, draws, &rsa.methods, &placement.device)
}

/// Keeps the scores of all draws, where they are not known those that an earlier run of the experiment kept, or drawn now.
fn keep_scores(
    path: &Path,
    key: &str,
    space: &Space,
    words: &[Words],
    options: &mut Options,
    progress: &Progress,
) -> Result<(), Error> {
    let span = Span::of_draws(options.permutations);
    if options.known.is_empty() {
        if let Ok(kept) = shards::read_draws(path, key, span) {
            options.known = kept;
            return Ok(());
        }
        options.known = evaluation::draws(space, words, options, 0..options.permutations + 1, progress)?;
    }
    shards::write_draws(path, key, span, &options.known).map_err(Error::failed)
}

/// Opens what a directory keeps of an experiment, for so many of its groups.
fn kept(config: &Config, model: &Model, concepts: usize) -> impl Fn(&ResultsDir, usize) -> Opened + use<> {
    let layers: Vec<String> = model.layers.iter().map(|layer| layer.name.clone()).collect();
    let (constant, needs_scales) = (config.two_vs_two.constant, config.needs_scales());
    let classes = model.classifier.as_ref().map(|_| model.classes.count());
    move |directory, groups| {
        let layers: Vec<&str> = layers.iter().map(String::as_str).collect();
        Checkpoint::open(directory, &layers, groups, (concepts, classes), constant, needs_scales)
    }
}

/// The image side of the tests.
fn space(model: &Model, manifest: &Manifest, kept: Vec<Kept>) -> Space {
    let layers = model.layers.iter().zip(kept).map(|(layer, Kept { rsms, scales })| LayerRsms {
        name: layer.name.clone(),
        label: layer.label.clone(),
        units: layer.units(),
        rsms,
        scales,
    });
    Space {
        network: model.network.name.clone(),
        layers: layers.collect(),
        groups: manifest.groups.clone(),
        concepts: manifest.concepts.clone(),
    }
}

/// From images to RSMs.
struct FirstHalf<'a> {
    constant: Constant,
    model: &'a Model,
    unchanged: &'a Unchanged,
    manifest: &'a Manifest,
    sums: &'a [String],
    placement: &'a Placement,
    progress: &'a Progress,
}

impl FirstHalf<'_> {
    /// Every RSM that is not there yet, group by group.
    fn run(
        &self,
        weights: Parameters,
        checkpoint: &mut Checkpoint,
        gallery: &mut Gallery,
    ) -> Result<Vec<StageTiming>, Error> {
        let unfinished: Vec<usize> = (0..self.manifest.groups.len())
            .filter(|&group| {
                let answers = self.model.classifier.is_some() && checkpoint.classes(group).is_none();
                answers || self.model.layers.iter().any(|layer| checkpoint.lacks(&layer.name, group))
            })
            .collect();
        if unfinished.is_empty() {
            self.progress.line("all layers are there from an earlier run");
            return Ok(Vec::new());
        }
        if unfinished.len() < self.manifest.groups.len() {
            let (left, all) = (unfinished.len(), counted(self.manifest.groups.len(), "group"));
            self.progress.line(format!("{} of {all} are there from an earlier run", self.manifest.groups.len() - left));
        }
        let weights = weights.until(&self.progress.interrupt);
        let sizes = self.placement.sizes(self.manifest.concepts.len());
        let loaded = self.model.load(weights, &self.placement.device.device, &sizes);
        self.progress.interrupt.check()?;
        let stages = loaded.map_err(Error::input)?;
        self.unchanged.check().map_err(Error::failed)?;
        let per_image: u64 = self.model.stages.iter().map(|stage| stage.multiply_adds).sum();
        let concepts = self.manifest.concepts.len();
        let task = self.progress.task(per_image * (concepts * unfinished.len()) as u64);
        let mut timings = Vec::new();
        let shown = gallery.load(self.manifest, &unfinished, Some(self.sums), &self.model.input, concepts);
        let mut shown = shown.map_err(Error::failed)?;
        for group in unfinished {
            let rgb = shown.by_ref().take(concepts).map(|rgb| {
                self.progress.interrupt.check()?;
                rgb.map_err(Error::failed)
            });
            let rgb = rgb.collect::<Result<Vec<_>, _>>()?;
            let began = Instant::now();
            timings.extend(self.group(&stages, group, rgb, checkpoint, &task)?);
            let name = &self.manifest.groups[group];
            task.line(format!("group {name}  {:.1} s", began.elapsed().as_secs_f64()));
        }
        Ok(timings)
    }

    /// All images of one group through one stage after the other; each tap becomes an RSM and is dropped.
    fn group(
        &self,
        stages: &[Stage],
        group: usize,
        rgb: Vec<Vec<u8>>,
        checkpoint: &mut Checkpoint,
        task: &Task,
    ) -> Result<Vec<StageTiming>, Error> {
        let device = &self.placement.device.device;
        let mut timings = Vec::new();
        if checkpoint.lacks(PIXELS, group) {
            self.keep(PIXELS, group, &[pixels(&rgb)], checkpoint)?;
        }
        let classifier = self.model.classifier.as_ref().filter(|_| checkpoint.classes(group).is_none());
        let wanted: Vec<Vec<String>> = (0..stages.len())
            .map(|stage| wanted(stage, &self.model.stages[stage], classifier, |layer| checkpoint.lacks(layer, group)))
            .collect();
        let Some(last) = wanted.iter().rposition(|layers| !layers.is_empty()) else {
            return Ok(timings);
        };
        let mut batches: Vec<Batch> = rgb
            .chunks(self.placement.batch)
            .map(|rgb| Batch::of(stimuli::batch(rgb, &self.model.input, device)))
            .collect();
        // Those of the next group are decoded meanwhile.
        let images = rgb.len();
        drop(rgb);
        let group_name = &self.manifest.groups[group];
        for (n, ((stage, spec), wanted)) in stages.iter().zip(&self.model.stages).zip(wanted).enumerate().take(last + 1)
        {
            let started = Instant::now();
            let joined = Batch::join(batches, self.placement.joined(n));
            let name = spec.layers.last().map_or("(no layer)", |layer| &layer.name);
            let mut done = 0;
            let show = |shown: usize| {
                done += shown;
                let rate = done as f64 / started.elapsed().as_secs_f64();
                task.now(format!("group {group_name}  {name}  {done}/{images} images, {rate:.1} images/s"));
                task.advance(spec.multiply_adds * shown as u64);
            };
            let (outputs, tapped) = self.forward(stage, joined, wanted, show)?;
            batches = outputs;
            let forward_seconds = started.elapsed().as_secs_f64();
            for (layer, activations) in tapped {
                self.progress.interrupt.check()?;
                if classifier.is_some_and(|classifier| classifier.layer == layer) {
                    self.answer(&layer, group, &activations, checkpoint)?;
                }
                if checkpoint.lacks(&layer, group) {
                    self.keep(&layer, group, &activations, checkpoint)?;
                }
            }
            let similarity_seconds = started.elapsed().as_secs_f64() - forward_seconds;
            let peak_bytes = device::peak_memory_bytes();
            task.detail(format!(
                "group {group_name}  {name}  {:.1} s{}",
                forward_seconds + similarity_seconds,
                peak_bytes.map_or_else(String::new, |bytes| format!(", memory so far {}", Bytes(bytes)))
            ));
            timings.push(StageTiming {
                group: group_name.clone(),
                stage: name.to_string(),
                forward_seconds,
                similarity_seconds,
                peak_bytes,
            });
        }
        Ok(timings)
    }

    /// A group's images through a stage: what comes out, and the activations of the layers that are wanted; `show` is told
    /// the images of each batch.
    fn forward(
        &self,
        stage: &Stage,
        batches: Vec<Batch>,
        wanted: Vec<String>,
        mut show: impl FnMut(usize),
    ) -> Result<(Vec<Batch>, Tapped), Error> {
        let mut taps = Taps::new(wanted).of(self.model.token);
        let mut tapped: Tapped = Vec::new();
        let mut outputs = Vec::with_capacity(batches.len());
        for batch in batches {
            self.progress.interrupt.check()?;
            let images = batch.images();
            outputs.push(stage.forward(batch, &mut taps));
            for (layer, activations) in taps.take() {
                match tapped.iter_mut().find(|(known, _)| *known == layer) {
                    Some((_, batches)) => batches.push(activations),
                    None => tapped.push((layer, vec![activations])),
                }
            }
            show(images);
        }
        Ok((outputs, tapped))
    }

    /// Keeps the class that the network answers to each image.
    fn answer(
        &self,
        layer: &str,
        group: usize,
        outputs: &[Tensor<2>],
        checkpoint: &mut Checkpoint,
    ) -> Result<(), Error> {
        let classes = nets::classes(outputs)
            .map_err(|error| self.failed(layer, group, LayerError::NotFinite(self.concept(error.image))))?;
        checkpoint.put_classes(group, &classes).map_err(Error::failed)
    }

    /// Reduces a layer's activations to its RSM and keeps it.
    fn keep(
        &self,
        layer: &str,
        group: usize,
        activations: &[Tensor<2>],
        checkpoint: &mut Checkpoint,
    ) -> Result<(), Error> {
        let failed = |what| Err(self.failed(layer, group, what));
        let (rsm, scales) = match similarity::reduced(activations) {
            Ok(reduced) => reduced,
            Err(SimilarityError::NotFinite { image }) => return failed(LayerError::NotFinite(self.concept(image))),
            Err(error) => return failed(LayerError::Similarity(error)),
        };
        if let (Constant::Error, Some(&image)) = (self.constant, rsm.constant().first()) {
            return failed(LayerError::Constant(self.concept(image)));
        }
        if let Some(image) = two_vs_two::flat_row(&rsm) {
            return failed(LayerError::Flat(self.concept(image)));
        }
        checkpoint.put(layer, group, (&rsm, &scales)).map_err(Error::failed)
    }

    fn failed(&self, layer: &str, group: usize, source: LayerError) -> Error {
        Error::failed(PipelineError { layer: layer.to_string(), group: self.manifest.groups[group].clone(), source })
    }

    /// Whose image it is.
    fn concept(&self, image: usize) -> String {
        self.manifest.concepts[image].clone()
    }
}

/// The activations of layers, batch by batch.
type Tapped = Vec<(String, Vec<Tensor<2>>)>;

/// The pixels of images, `[images, units]`.
fn pixels(rgb: &[Vec<u8>]) -> Tensor<2> {
    let pixels: Vec<f32> = rgb.par_iter().flat_map_iter(|image| image.iter().map(|&byte| f32::from(byte))).collect();
    let units = pixels.len() / rgb.len();
    // Whole numbers are correlated in f64, which WGSL has not.
    Tensor::from_data(TensorData::new(pixels, [rgb.len(), units]), &Device::flex())
}

/// The layers of a stage that are not there yet, and the classifier's if its answers are not.
fn wanted(
    stage: usize,
    spec: &StageSpec,
    classifier: Option<&Classifier>,
    lacks: impl Fn(&str) -> bool,
) -> Vec<String> {
    let answers = classifier.filter(|classifier| classifier.stage == stage).map(|classifier| &classifier.layer);
    let unfinished = spec.layers.iter().map(|layer| &layer.name);
    unfinished.filter(|&name| Some(name) != answers && lacks(name)).chain(answers).cloned().collect()
}
