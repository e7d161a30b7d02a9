//! The straight line: stimuli, stages, RSMs, tests, results. Arithmetic is in [`crate::stats`], decisions are in
//! [`crate::plan`].

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Tensor;
use serde::Serialize;

use crate::arrays;
use crate::checkpoint::Checkpoint;
use crate::error::{Error, FileError};
use crate::evaluation::one_vs_two::{self, Predictions};
use crate::evaluation::{self, LayerRsms, Space};
use crate::nets::{self, Batch, Stage, Taps};
use crate::plan::Plan;
use crate::progress::{Progress, Task};
use crate::results::{Results, StimulusRow, words_rsm, write_json, write_lines};
use crate::stats::Rsm;
use crate::stats::scoring::Constant;
use crate::stats::similarity::{self, SimilarityError};
use crate::stats::two_vs_two;
use crate::stimuli::{self, PIXELS, Stimulus};
use crate::{device, report};

/// A failure at a layer of a group of images.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// An image without variance at a layer.
    #[error(
        "layer {layer}, group {group}: the activations of concept {concept:?} are constant, so they correlate with nothing; \
         replace the image, or set two_vs_two.constant = \"half\""
    )]
    Constant {
        /// Where.
        layer: String,
        /// In which group.
        group: String,
        /// Whose image.
        concept: String,
    },
    /// An image that is equally similar to all others.
    #[error(
        "layer {layer}, group {group}: the image of concept {concept:?} is equally similar to all others, so its row \
         correlates with no word's; a softmax that takes every image for one class does this: leave the layer out of \
         network.layers"
    )]
    Flat {
        /// Where.
        layer: String,
        /// In which group.
        group: String,
        /// Whose image.
        concept: String,
    },
    /// NaN or infinity among the activations.
    #[error(
        "layer {layer}, group {group}: the activations of concept {concept:?} are not finite; are these the right weights?"
    )]
    NotFinite {
        /// Where.
        layer: String,
        /// In which group.
        group: String,
        /// Whose image.
        concept: String,
    },
    /// The device failed.
    #[error("layer {layer}, group {group}")]
    Similarity {
        /// Where.
        layer: String,
        /// In which group.
        group: String,
        /// What failed.
        source: SimilarityError,
    },
}

/// Seconds and memory of one stage of one group.
#[derive(Clone, Debug, Serialize)]
pub struct StageTiming {
    /// The group.
    pub group: String,
    /// The stage's last layer.
    pub stage: String,
    /// The network's part.
    pub forward_seconds: f64,
    /// The RSMs' part.
    pub similarity_seconds: f64,
    /// Peak memory of the process so far, where the system tells.
    pub peak_bytes: Option<u64>,
}

/// Runs the experiment and writes its results; returns their directory.
///
/// # Errors
/// [`Error::Failed`] while running, [`Error::Interrupted`] when asked to stop; finished layers are kept.
pub fn run(mut plan: Plan, fresh: bool, progress: &Progress) -> Result<PathBuf, Error> {
    let started = Instant::now();
    let out = plan.config.out();
    let names: Vec<&str> = plan.layers.iter().map(|layer| layer.name.as_str()).collect();
    let (groups, concepts) = (plan.manifest.groups.len(), plan.manifest.concepts.len());
    let (mut checkpoint, replaced) =
        Checkpoint::open(&out, &plan.checksums.similarity, &names, groups, concepts, fresh).map_err(Error::failed)?;
    if replaced {
        progress.line(format!("{}: layers of another experiment are replaced", out.display()));
    }

    let timings = similarities(&mut plan, &mut checkpoint, progress)?;
    let similarity_seconds = started.elapsed().as_secs_f64();
    let predictions: Option<Predictions> =
        (0..groups).map(|group| checkpoint.classes(group).map(<[u32]>::to_vec)).collect();
    let space = space(&plan, checkpoint.finish());
    let mut results = evaluation::evaluate(&space, &plan.words, &plan.options(), progress)?;
    results.stimuli = stimuli_rows(&plan);
    if let Some(predictions) = &predictions {
        mistakes(&mut plan, &space, predictions, &mut results, progress)?;
    }
    let seconds = Seconds { similarity: similarity_seconds, total: started.elapsed().as_secs_f64() };
    let top_1 = predictions.and_then(|predictions| one_vs_two::top_1(&plan.manifest, &predictions));
    write(&plan, &out, &results, &timings, seconds, top_1).map_err(Error::failed)?;
    report::write_figures(&results, &out).map_err(Error::failed)?;
    summarise(&results, progress);
    Ok(out)
}

/// The network's answers, and the 1 vs. 2 test of its mistakes if asked for.
fn mistakes(
    plan: &mut Plan,
    space: &Space,
    predictions: &Predictions,
    results: &mut Results,
    progress: &Progress,
) -> Result<(), Error> {
    let (manifest, root) = (&plan.manifest, plan.stimuli_root());
    results.predictions = one_vs_two::prediction_rows(&plan.network.name, manifest, root, predictions, &plan.lexicon);
    if let Some(test) = &plan.one_vs_two {
        let answers = (predictions, &plan.lexicon);
        let (rows, warnings) = one_vs_two::one_vs_two(space, &plan.words, (manifest, root), answers, test, progress)?;
        results.append(rows);
        warnings.iter().for_each(|warning| progress.line(format!("warning: {warning}")));
        plan.warnings.extend(warnings);
    }
    Ok(())
}

/// The image side of the tests.
fn space(plan: &Plan, rsms: Vec<Vec<Rsm>>) -> Space {
    let layers = plan.layers.iter().zip(rsms).map(|(layer, rsms)| LayerRsms {
        name: layer.name.clone(),
        label: layer.label.clone(),
        units: layer.units(),
        rsms,
    });
    Space {
        network: plan.network.name.clone(),
        layers: layers.collect(),
        groups: plan.manifest.groups.clone(),
        concepts: plan.manifest.concepts.clone(),
    }
}

/// The images, by their paths in the manifest.
fn stimuli_rows(plan: &Plan) -> Vec<StimulusRow> {
    let (manifest, root) = (&plan.manifest, plan.stimuli_root());
    let rows = |(group, stimuli): (&String, &Vec<Stimulus>)| -> Vec<StimulusRow> {
        let row = |(concept, stimulus): (&String, &Stimulus)| StimulusRow {
            group: group.clone(),
            concept: concept.clone(),
            path: stimulus.listed(root),
        };
        manifest.concepts.iter().zip(stimuli).map(row).collect()
    };
    manifest.groups.iter().zip(&manifest.stimuli).flat_map(rows).collect()
}

/// Every RSM that is not there yet, group by group.
fn similarities(plan: &mut Plan, checkpoint: &mut Checkpoint, progress: &Progress) -> Result<Vec<StageTiming>, Error> {
    let unfinished: Vec<usize> = (0..plan.manifest.groups.len())
        .filter(|&group| {
            let answers = plan.classifier.is_some() && checkpoint.classes(group).is_none();
            answers || plan.layers.iter().any(|layer| checkpoint.lacks(&layer.name, group))
        })
        .collect();
    if unfinished.is_empty() {
        progress.line("all layers are there from an earlier run");
        return Ok(Vec::new());
    }
    let stages = plan.load_network().map_err(Error::input)?;
    let per_image: u64 = plan.stages.iter().map(|stage| stage.multiply_adds).sum();
    let images = plan.manifest.concepts.len() as u64;
    let task = progress.task(per_image * images * unfinished.len() as u64);
    let mut timings = Vec::new();
    let concepts = plan.manifest.concepts.len();
    let input = &plan.input;
    let mut decoded = plan.manifest.load(&unfinished, input.size, input.resize, input.crop_pct, concepts);
    for group in unfinished {
        let rgb = decoded.by_ref().take(concepts).collect::<Result<Vec<_>, _>>().map_err(Error::failed)?;
        timings.extend(group_similarities(plan, &stages, group, &rgb, checkpoint, &task, progress)?);
    }
    Ok(timings)
}

/// All images of one group through one stage after the other; each tap becomes an RSM and is dropped.
fn group_similarities(
    plan: &Plan,
    stages: &[Stage],
    group: usize,
    rgb: &[Vec<u8>],
    checkpoint: &mut Checkpoint,
    task: &Task,
    progress: &Progress,
) -> Result<Vec<StageTiming>, Error> {
    let device = &plan.device.device;
    let mut timings = Vec::new();
    if checkpoint.lacks(PIXELS, group) {
        let pixels: Vec<f32> = rgb.iter().flatten().map(|&byte| f32::from(byte)).collect();
        let units = pixels.len() / rgb.len();
        let rows = Tensor::<2>::from_data(burn::tensor::TensorData::new(pixels, [rgb.len(), units]), device);
        keep(plan, PIXELS, group, &[rows], checkpoint)?;
    }
    let classifier = plan.classifier.as_ref().filter(|_| checkpoint.classes(group).is_none());
    let wanted = |stage: usize| -> Vec<String> {
        let layers = plan.stages[stage].layers.iter().map(|layer| &layer.name);
        let answers = classifier.filter(|classifier| classifier.stage == stage).map(|classifier| &classifier.layer);
        let unfinished = layers.filter(|&name| Some(name) != answers && checkpoint.lacks(name, group));
        unfinished.chain(answers).cloned().collect()
    };
    let wanted: Vec<Vec<String>> = (0..stages.len()).map(wanted).collect();
    let Some(last) = wanted.iter().rposition(|layers| !layers.is_empty()) else {
        return Ok(timings);
    };
    let mut batches: Vec<Batch> =
        rgb.chunks(plan.batch).map(|batch| Batch::of(stimuli::batch(batch, &plan.input, device))).collect();
    for ((stage, spec), wanted) in stages.iter().zip(&plan.stages).zip(wanted).take(last + 1) {
        let started = Instant::now();
        let name = spec.layers.last().map_or("untapped stage", |layer| &layer.name);
        let mut taps = Taps::new(wanted);
        let mut tapped: Vec<(String, Vec<Tensor<2>>)> = Vec::new();
        let mut done = 0;
        let mut outputs = Vec::with_capacity(batches.len());
        for batch in batches {
            progress.interrupt.check()?;
            let images = batch.images();
            outputs.push(stage.forward(batch, &mut taps));
            for (layer, activations) in taps.take() {
                match tapped.iter_mut().find(|(known, _)| *known == layer) {
                    Some((_, batches)) => batches.push(activations),
                    None => tapped.push((layer, vec![activations])),
                }
            }
            done += images;
            task.advance(spec.multiply_adds * images as u64);
            let rate = done as f64 / started.elapsed().as_secs_f64();
            let group = &plan.manifest.groups[group];
            task.now(format!("group {group}  {name}  {done}/{} images, {rate:.1} images/s", rgb.len()));
        }
        batches = outputs;
        let forward_seconds = started.elapsed().as_secs_f64();
        for (layer, activations) in tapped {
            progress.interrupt.check()?;
            if classifier.is_some_and(|classifier| classifier.layer == layer) {
                answer(plan, &layer, group, &activations, checkpoint)?;
            }
            if checkpoint.lacks(&layer, group) {
                keep(plan, &layer, group, &activations, checkpoint)?;
            }
        }
        let similarity_seconds = started.elapsed().as_secs_f64() - forward_seconds;
        let group = &plan.manifest.groups[group];
        task.line(format!("group {group}  {name}  {:.1} s", forward_seconds + similarity_seconds));
        timings.push(StageTiming {
            group: group.clone(),
            stage: name.to_string(),
            forward_seconds,
            similarity_seconds,
            peak_bytes: device::peak_memory_bytes(),
        });
    }
    Ok(timings)
}

/// Keeps the class that the network answers to each image.
fn answer(
    plan: &Plan,
    layer: &str,
    group: usize,
    outputs: &[Tensor<2>],
    checkpoint: &mut Checkpoint,
) -> Result<(), Error> {
    let classes = nets::classes(outputs).map_err(|error| {
        let (layer, group) = (layer.to_string(), plan.manifest.groups[group].clone());
        Error::failed(PipelineError::NotFinite { layer, group, concept: plan.manifest.concepts[error.image].clone() })
    })?;
    checkpoint.put_classes(group, classes).map_err(Error::failed)
}

/// Reduces a layer's activations to its RSM and keeps it.
fn keep(
    plan: &Plan,
    layer: &str,
    group: usize,
    activations: &[Tensor<2>],
    checkpoint: &mut Checkpoint,
) -> Result<(), Error> {
    let concept = |image: usize| plan.manifest.concepts[image].clone();
    let (layer, group_name) = (layer.to_string(), plan.manifest.groups[group].clone());
    let rsm = similarity::rsm(activations).map_err(|error| {
        let (layer, group) = (layer.clone(), group_name.clone());
        Error::failed(match error {
            SimilarityError::NotFinite { image } => PipelineError::NotFinite { layer, group, concept: concept(image) },
            source => PipelineError::Similarity { layer, group, source },
        })
    })?;
    if let (Constant::Error, Some(&image)) = (plan.config.two_vs_two.constant, rsm.constant().first()) {
        let error = PipelineError::Constant { layer, group: group_name, concept: concept(image) };
        return Err(Error::failed(error));
    }
    if let Some(image) = two_vs_two::flat_row(&rsm) {
        return Err(Error::failed(PipelineError::Flat { layer, group: group_name, concept: concept(image) }));
    }
    checkpoint.put(&layer, group, rsm).map_err(Error::failed)
}

/// Seconds of a run.
#[derive(Clone, Copy, Debug, Serialize)]
struct Seconds {
    similarity: f64,
    total: f64,
}

/// Everything but the layers' RSMs, which are there, and the figures.
fn write(
    plan: &Plan,
    out: &Path,
    results: &Results,
    timings: &[StageTiming],
    seconds: Seconds,
    top_1: Option<f64>,
) -> Result<(), FileError> {
    let concepts = plan.manifest.concepts.len();
    for words in &plan.words {
        arrays::write_npy(&words_rsm(out, &words.name), &[concepts, concepts], words.rsm.values())?;
    }
    write_lines(&out.join("rsm/concepts.txt"), &plan.manifest.concepts)?;
    if let Some(categories) = &plan.manifest.categories {
        write_lines(&out.join("rsm/categories.txt"), categories)?;
    }
    results.write(out)?;
    let run = serde_json::json!({
        "schema": 1,
        "semgpu": env!("CARGO_PKG_VERSION"),
        "config": plan.config,
        "network": {"name": plan.network.name, "form": plan.network.form, "input": plan.input},
        "words": plan.words.iter().map(|w| serde_json::json!({"name": w.name, "dimensions": w.dimensions})).collect::<Vec<_>>(),
        "device": {"kind": plan.device.kind(), "name": plan.device.name(), "why": plan.device.why, "adapter": plan.device.adapter},
        "threads": rayon::current_num_threads(),
        "batch": plan.batch,
        "memory": plan.memory,
        "peak_bytes": device::peak_memory_bytes(),
        "checksums": plan.checksums,
        "seconds": seconds,
        "stages": timings,
        "top_1": top_1,
        "warnings": plan.warnings,
    });
    write_json(&out.join("run.json"), &run)
}

/// One line per word model: the best layer and how it compares with the first, the pixels.
pub(crate) fn summarise(results: &Results, progress: &Progress) {
    for rows in results.accuracy.chunk_by(|a, b| a.words == b.words) {
        let Some(best) = rows.iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy)) else { continue };
        progress.line(format!(
            "{}: {} {:.3}, best layer {} {:.3} (p {:.4}, family-wise {:.4})",
            best.words, rows[0].layer, rows[0].accuracy, best.layer, best.accuracy, best.p_value, best.p_fwer
        ));
    }
    for rows in results.one_vs_two.chunk_by(|a, b| a.words == b.words) {
        let Some(best) = rows.iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy)) else { continue };
        progress.line(format!(
            "{}: 1 vs. 2 of {} misclassified images, best layer {} {:.3} (p {:.4}, family-wise {:.4})",
            best.words, best.images, best.layer, best.accuracy, best.p_value, best.p_fwer
        ));
    }
}
