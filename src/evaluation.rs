//! The second half of the experiment: RSMs of words and layers in, rows of results out. `semgpu run` and `semgpu test`
//! both end here.

pub mod alignment;
mod constant;
pub mod controls;
mod draws;
mod generalise;
pub mod one_vs_two;
mod rsa;
mod two_vs_two;
mod within;

pub use draws::Draws;

use std::num::NonZeroU32;
use std::ops::{ControlFlow, Range};
use std::sync::Mutex;

use burn::tensor::Device;

use crate::error::Error;
use crate::progress::{Interrupt, Progress, Task};
use crate::results::Results;
use crate::stats::alignment::Scales;
use crate::stats::alignment::neighbours::NeighbourError;
use crate::stats::generalise::Generalise;
use crate::stats::inference::{self, Family, Inference, Rule, Statistic, Tail};
use crate::stats::permutation::Permutations;
use crate::stats::rsa::Rsa;
use crate::stats::scoring::Ties;
use crate::stats::two_vs_two::TwoVsTwoError;
use crate::stats::{Interrupted, Rsm};
use crate::wording::counted;

use two_vs_two::FAMILY;

/// The image side: every layer's RSM in every group.
pub struct Space {
    /// Network name.
    pub network: String,
    /// Layers in input order.
    pub layers: Vec<LayerRsms>,
    /// Group names.
    pub groups: Vec<String>,
    /// Concepts in RSM order.
    pub concepts: Vec<String>,
}

/// One layer of the image side.
pub struct LayerRsms {
    /// Its name.
    pub name: String,
    /// Its label in figures.
    pub label: String,
    /// Activations per image.
    pub units: usize,
    /// One RSM per group.
    pub rsms: Vec<Rsm>,
    /// What they leave out of the vectors, one per group; empty where nobody knows.
    pub scales: Vec<Scales>,
}

/// The word side: one RSM per word model.
#[derive(Clone)]
pub struct Words {
    /// As in tables and figures.
    pub name: String,
    /// Values per word.
    pub dimensions: usize,
    /// `[concepts, concepts]`.
    pub rsm: Rsm,
    /// What it leaves out of the vectors, where that is known.
    pub scales: Option<Scales>,
}

/// How to test.
pub struct Options {
    /// The draws, shared by all layers, groups and word models.
    pub draws: Permutations,
    /// How many of them.
    pub permutations: u64,
    /// Sequential stopping: draw until so many draws of every layer reach its observed value.
    pub stop_after: Option<NonZeroU32>,
    /// Which side of a null speaks against it.
    pub tail: Tail,
    /// What the family-wise p-values cover.
    pub family: Family,
    /// How a tied pair counts.
    pub ties: Ties,
    /// Bootstrap resamples over concepts; none: no confidence intervals.
    pub bootstrap: u64,
    /// Whether the layers have no order, and none comes before another.
    pub unordered: bool,
    /// What the intervals of all values and differences speak of; none: those of accuracies alone, over concepts.
    pub generalise: Option<Generalise>,
    /// Seeds the bootstrap.
    pub seed: u64,
    /// RSA by these correlations, each with the same draws.
    pub rsa: Vec<Rsa>,
    /// Where the counting runs.
    pub device: Device,
    /// Scores of draws that were computed elsewhere.
    pub known: Draws,
}

impl Options {
    /// How every measure is tested.
    pub fn rule(&self) -> Rule {
        let &Self { permutations, stop_after, tail, family, .. } = self;
        Rule { permutations, stop_after, tail, family }
    }
}

/// What came of the tests.
pub struct Evaluated {
    /// The rows.
    pub results: Results,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// The scores behind the tests that were to be kept.
    pub scores: Draws,
}

/// Tests every layer against every word model; the scores of the tests named in `kept` are handed on.
///
/// # Errors
/// [`Error::Failed`] if the device fails, [`Error::Interrupted`] when asked to stop.
pub fn evaluate(
    space: &Space,
    words: &[Words],
    options: &Options,
    kept: &[String],
    progress: &Progress,
) -> Result<Evaluated, Error> {
    let draws = options.permutations + 1;
    let resampled = if options.generalise.is_some() { 1 + options.rsa.len() as u64 } else { 1 };
    let passes = draws * (1 + options.rsa.len() as u64) + options.bootstrap * resampled;
    let tested = passes * (words.len() * space.layers.len() * space.groups.len()) as u64;
    let of_ceilings = (1 + options.rsa.len() as u64) * of_ceiling(space.groups.len()) * space.layers.len() as u64;
    let task = progress.task(if words.is_empty() { 0 } else { tested + of_ceilings });
    let evaluation = Evaluation { kept, ..Evaluation::new(space, words, options, task, progress) };
    let mut ceilings = Vec::new();
    if !words.is_empty() {
        evaluation.now(FAMILY, "noise ceilings");
        ceilings = two_vs_two::accuracy_ceilings(space, options, &|rsms| evaluation.counted(rsms))?;
    }
    let (mut results, warnings) = evaluation.two_vs_two(&ceilings)?;
    results.rsa = evaluation.rsa()?;
    if let Some(over) = options.generalise {
        results.intervals = evaluation.intervals(over, &results)?;
        generalise::take(&mut results);
    }
    results.words = evaluation.words()?;
    results.layers = evaluation.layers();
    let scores = evaluation.scores.into_inner().expect("nobody panicked");
    Ok(Evaluated { results, warnings, scores })
}

/// The scores of some draws of every test that [`evaluate`] makes of a layer and a word model: what it takes as known.
///
/// # Errors
/// As [`evaluate`].
pub fn draws(
    space: &Space,
    words: &[Words],
    options: &Options,
    draws: Range<u64>,
    progress: &Progress,
) -> Result<Draws, Error> {
    let passes = (draws.end - draws.start) * (1 + options.rsa.len() as u64);
    let task = progress.task(passes * (words.len() * space.layers.len() * space.groups.len()) as u64);
    let evaluation = Evaluation::new(space, words, options, task, progress);
    let layers = space.rsms();
    let mut scores = Draws::default();
    let counted = |rsms| evaluation.counted(rsms);
    for (model, test) in words.iter().zip(evaluation.two_vs_two_tests(&layers)) {
        evaluation.now(FAMILY, &model.name);
        scores.insert(FAMILY, &model.name, test.points(draws.clone(), &counted)?);
    }
    for &method in &options.rsa {
        let what = rsa::what(method);
        for (model, test) in words.iter().zip(evaluation.rsa_tests(method, &layers)) {
            evaluation.now(&what, &model.name);
            scores.insert(&what, &model.name, test.points(draws.clone(), &counted)?);
        }
    }
    Ok(scores)
}

/// What is tested, how, and who is told.
struct Evaluation<'a> {
    space: &'a Space,
    words: &'a [Words],
    options: &'a Options,
    task: Task,
    interrupt: &'a Interrupt,
    /// Tests whose scores are kept.
    kept: &'a [String],
    scores: Mutex<Draws>,
}

impl<'a> Evaluation<'a> {
    fn new(space: &'a Space, words: &'a [Words], options: &'a Options, task: Task, progress: &'a Progress) -> Self {
        Self { space, words, options, task, interrupt: &progress.interrupt, kept: &[], scores: Mutex::default() }
    }
}

impl Evaluation<'_> {
    /// Tests the statistics of the word models by the options' rule; `what` they are is shown.
    ///
    /// # Shapes
    /// `[words][members]`.
    fn test<'a, S: Statistic>(&'a self, what: &str, statistics: &'a [S]) -> Result<Vec<Vec<Inference>>, Error>
    where
        Error: From<S::Error>,
    {
        let now = |models: Range<usize>| match &self.words[models] {
            [model] => self.now(what, &model.name),
            models => self.now(what, &format!("{} word models", models.len())),
        };
        let known = |(statistic, model): (&'a S, &Words)| self.options.known.known(what, &model.name, statistic);
        let statistics: Vec<_> = statistics.iter().zip(self.words).map(known).collect();
        let rule = self.options.rule();
        let scores = inference::scores_all(&statistics, rule, &|rsms| self.counted(rsms), now)?;
        if self.kept.iter().any(|kept| kept == what) {
            let mut kept = self.scores.lock().expect("nobody panicked");
            for (model, members) in self.words.iter().zip(&scores) {
                kept.insert(what, &model.name, members.iter().map(|scores| scores.points().to_vec()).collect());
            }
        }
        Ok(inference::infer_all(&scores, rule))
    }

    /// So many more RSMs are done.
    fn counted(&self, rsms: u64) -> ControlFlow<()> {
        counting(&self.task, self.interrupt)(rsms)
    }

    /// Shows what is done with word models.
    fn now(&self, what: &str, models: &str) {
        let (layers, groups) = (self.space.layers.len(), self.space.groups.len());
        self.task.now(format!("{what}  {models}  {} x {}", counted(layers, "layer"), counted(groups, "group")));
    }
}

/// RSMs that are tested for a layer's noise ceiling: each of so many groups against the mean of the others, and of all.
fn of_ceiling(groups: usize) -> u64 {
    if groups > 1 { 2 * groups as u64 } else { 0 }
}

/// Counts what is done of a task, until asked to stop.
fn counting<'a>(task: &'a Task, interrupt: &'a Interrupt) -> impl Fn(u64) -> ControlFlow<()> + Sync + 'a {
    move |work| {
        task.advance(work);
        interrupt.flow()
    }
}

impl Space {
    /// Every layer's RSMs, `[layer][group]`.
    fn rsms(&self) -> Vec<&[Rsm]> {
        self.layers.iter().map(|layer| layer.rsms.as_slice()).collect()
    }
}

impl From<Interrupted> for Error {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<TwoVsTwoError> for Error {
    fn from(error: TwoVsTwoError) -> Self {
        match error {
            TwoVsTwoError::Interrupted => Self::Interrupted,
            error => Self::failed(error),
        }
    }
}

impl From<NeighbourError> for Error {
    fn from(error: NeighbourError) -> Self {
        match error {
            NeighbourError::Interrupted => Self::Interrupted,
            NeighbourError::Gpu(error) => Self::failed(error),
        }
    }
}

/// The mean; NaN of none.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0_u64, 0.0), |(count, sum), value| (count + 1, sum + value));
    sum / count as f64
}
