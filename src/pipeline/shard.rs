//! Pieces of the line: some groups of images to RSMs, some draws of the tests to scores; and what a piece takes.

use std::time::Instant;

use super::{FirstHalf, kept, options, space};
use crate::checkpoint::{Kept, Opened};
use crate::error::{Error, FileError};
use crate::evaluation::{self, alignment, one_vs_two};
use crate::finish;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::results::ResultsDir;
use crate::shards::{Estimate, Shards, Span};
use crate::stats::Rsm;
use crate::stats::alignment::Scales;
use crate::stats::permutation::Random;
use crate::stats::rsa::square;
use crate::stimuli::{Gallery, Manifest};

/// Computes the RSMs of a shard's groups, as far as they are not there yet.
///
/// # Errors
/// [`Error::Input`] if it is no shard of the cut or another process computes it, else as [`run`](super::run).
pub fn groups(plan: Plan, shards: &Shards, span: Span, progress: &Progress) -> Result<(), Error> {
    shards.check_groups(span).map_err(Error::input)?;
    let Plan { config, model, weights, inputs, placement, unchanged, image_sums, .. } = plan;
    let range = span.first as usize - 1..span.last as usize;
    let concepts = inputs.manifest.concepts.len();
    let manifest = Manifest {
        groups: inputs.manifest.groups[range.clone()].to_vec(),
        stimuli: inputs.manifest.stimuli[range.clone()].to_vec(),
        ..inputs.manifest
    };
    let directory = shards.groups_dir(span);
    let _writing = progress.interrupt.writing();
    let _claim = shards.claim_groups(span, progress)?;
    let Opened { mut checkpoint, damaged } = kept(&config, &model, concepts)(&directory, manifest.groups.len());
    progress.warn(damaged.iter().map(|damaged| format!("{damaged}; computed again")));
    let first_half = FirstHalf {
        constant: config.two_vs_two.constant,
        model: &model,
        unchanged: &unchanged,
        manifest: &manifest,
        sums: &image_sums[range.start * concepts..range.end * concepts],
        placement: &placement,
        progress,
    };
    first_half.run(weights, &mut checkpoint, &mut Gallery::default()).map(drop)
}

/// Computes the scores of a shard's draws from the RSMs of the shards of groups.
///
/// # Errors
/// [`Error::Input`] if it is no shard of the cut or one of the groups is missing, else as [`run`](super::run).
pub fn draws(plan: Plan, shards: &Shards, span: Span, progress: &Progress) -> Result<(), Error> {
    shards.check_draws(span).map_err(Error::input)?;
    let _writing = progress.interrupt.writing();
    let Plan { config, model, inputs, test, placement, .. } = plan;
    let open = kept(&config, &model, inputs.manifest.concepts.len());
    let whole = shards.groups(open).map_err(Error::input)?;
    let mut predictions = Vec::new();
    let mut layers: Vec<Kept> = model.layers.iter().map(|_| Kept::default()).collect();
    for (_, shard) in whole {
        predictions.extend((0..shard.groups()).filter_map(|group| shard.classes(group)));
        for (layer, groups) in layers.iter_mut().zip(shard.finish()) {
            layer.rsms.extend(groups.rsms);
            layer.scales.extend(groups.scales);
        }
    }
    let space = space(&model, &inputs.manifest, layers);
    let options = options(&config, test.draws, &placement);
    let range = span.first..span.last + 1;
    let (manifest, words) = (&inputs.manifest, &inputs.words);
    let mut scores = evaluation::draws(&space, words, &options, range.clone(), progress)?;
    if let Some(alignment) = finish::alignment(&config.measures, config.neighbours, words) {
        scores.extend(alignment::draws(&space, &alignment, &options, range.clone(), &scores, progress)?);
    }
    if let Some(mistakes) = &test.one_vs_two {
        let answers = (&predictions, &test.lexicon);
        scores.extend(one_vs_two::draws(&space, words, manifest, answers, mistakes, range, progress)?);
    }
    shards.put_draws(span, &scores).map_err(Error::failed)
}

/// Images of the first group that an estimate runs through the network.
const TRIED_IMAGES: usize = 32;

/// Layers and groups that an estimate tests.
const TRIED_LAYERS: usize = 4;
const TRIED_GROUPS: usize = 2;

/// Seconds that are enough to say what a draw takes.
const TRIED_SECONDS: f64 = 0.5;

/// What pieces take on this machine: measured on some images of the first group and on some draws of matrices of chance,
/// unless told. `planned` is what the plan took, in seconds.
///
/// # Errors
/// As [`run`](super::run).
pub fn estimate(
    plan: Plan,
    planned: f64,
    (group, draw): (Option<f64>, Option<f64>),
    progress: &Progress,
) -> Result<Estimate, Error> {
    let draw = draw.map_or_else(|| draw_seconds(&plan, progress), Ok)?;
    let (group, start) = match group {
        Some(group) => (group, planned),
        None => {
            let (group, load) = group_seconds(plan, progress)?;
            (group, planned + load)
        }
    };
    Ok(Estimate { group, draw, start })
}

/// Seconds of a group, and of what comes before the first.
fn group_seconds(plan: Plan, progress: &Progress) -> Result<(f64, f64), Error> {
    let Plan { config, model, weights, inputs, placement, unchanged, image_sums, .. } = plan;
    let whole = inputs.manifest.concepts.len();
    let tried = whole.min(TRIED_IMAGES.max(placement.batch));
    let manifest = Manifest {
        concepts: inputs.manifest.concepts[..tried].to_vec(),
        groups: inputs.manifest.groups[..1].to_vec(),
        categories: None,
        stimuli: vec![inputs.manifest.stimuli[0][..tried].to_vec()],
    };
    let place = tempfile::tempdir().map_err(FileError::at(std::env::temp_dir())).map_err(Error::failed)?;
    let Opened { mut checkpoint, .. } = kept(&config, &model, tried)(&ResultsDir::new(place.path()), 1);
    let first_half = FirstHalf {
        constant: config.two_vs_two.constant,
        model: &model,
        unchanged: &unchanged,
        manifest: &manifest,
        sums: &image_sums[..tried],
        placement: &placement,
        progress,
    };
    // By itself: what a group of large images takes is their decoding.
    let started = Instant::now();
    let mut gallery = Gallery::default();
    for rgb in gallery.load(&manifest, &[0], Some(&image_sums[..tried]), &model.input, tried).map_err(Error::failed)? {
        progress.interrupt.check()?;
        rgb.map_err(Error::failed)?;
    }
    let decoding = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let stages = first_half.run(weights, &mut checkpoint, &mut Gallery::default())?;
    let forward: f64 = stages.iter().map(|stage| stage.forward_seconds).sum();
    let similarity: f64 = stages.iter().map(|stage| stage.similarity_seconds).sum();
    let before = (started.elapsed().as_secs_f64() - decoding - forward - similarity).max(0.0);
    // Images go through the network one after the other, their products grow with the square.
    let times = whole as f64 / tried as f64;
    Ok(((decoding + forward) * times + similarity * times * times, before))
}

/// Seconds of a draw of all tests.
fn draw_seconds(plan: &Plan, progress: &Progress) -> Result<f64, Error> {
    let Plan { config, model, inputs, test, placement, .. } = plan;
    let concepts = inputs.manifest.concepts.len();
    let (layers, groups) = (model.layers.len().min(TRIED_LAYERS), inputs.manifest.groups.len().min(TRIED_GROUPS));
    let of_layer = |layer: usize| Kept {
        rsms: (0..groups).map(|group| chance(concepts, (layer * groups + group) as u64)).collect(),
        scales: vec![Scales::of_kernel(concepts); groups],
    };
    let manifest = Manifest { groups: inputs.manifest.groups[..groups].to_vec(), ..inputs.manifest.clone() };
    let space = space(model, &manifest, (0..layers).map(of_layer).collect());
    let options = options(config, test.draws.clone(), placement);
    let alignment = finish::alignment(&config.measures, config.neighbours, &inputs.words);
    let mut draws = 4;
    loop {
        let started = Instant::now();
        let scores = evaluation::draws(&space, &inputs.words, &options, 1..1 + draws, progress)?;
        if let Some(alignment) = &alignment {
            alignment::draws(&space, alignment, &options, 1..1 + draws, &scores, progress)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        if seconds >= TRIED_SECONDS || draws >= options.permutations.max(1) {
            let times = (model.layers.len() * inputs.manifest.groups.len()) as f64 / (layers * groups) as f64;
            return Ok(seconds / draws as f64 * times);
        }
        draws *= 4;
    }
}

/// An RSM of chance.
fn chance(concepts: usize, seed: u64) -> Rsm {
    let mut random = Random::keyed(seed, 1);
    let entries: Vec<f64> = (0..concepts * (concepts - 1) / 2).map(|_| 2.0 * random.unit() - 1.0).collect();
    square(&entries, concepts)
}
