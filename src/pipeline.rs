//! The straight line: stimuli, stages, RSMs, tests, results. Arithmetic is in [`crate::stats`], decisions are in
//! [`crate::plan`].

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Tensor;
use serde::Serialize;

use crate::checkpoint::Checkpoint;
use crate::error::{Error, FileError};
use crate::evaluation::{self, Layer, Space};
use crate::nets::{Stage, Taps};
use crate::plan::{PIXELS, Plan};
use crate::progress::{Progress, Task};
use crate::results::{Results, arrays, write_atomically, write_json};
use crate::stats::Rsm;
use crate::stats::scoring::Constant;
use crate::stats::similarity::{self, SimilarityError};
use crate::{device, report, stimuli};

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
    let space = space(&plan, checkpoint.finish());
    let results = evaluation::evaluate(&space, &plan.words, &plan.options(), progress)?;
    let seconds = Seconds { similarity: similarity_seconds, total: started.elapsed().as_secs_f64() };
    write(&plan, &out, &results, &timings, seconds).map_err(Error::failed)?;
    report::write_figures(&results, &out).map_err(Error::failed)?;
    summarise(&results, progress);
    Ok(out)
}

/// The image side of the tests.
fn space(plan: &Plan, rsms: Vec<Vec<Rsm>>) -> Space {
    let layers = plan.layers.iter().zip(rsms).map(|(layer, rsms)| Layer {
        name: layer.name.clone(),
        label: layer.label.clone(),
        units: layer.units(),
        rsms,
    });
    Space {
        network: plan.network.name.to_string(),
        layers: layers.collect(),
        groups: plan.manifest.groups.clone(),
        concepts: plan.manifest.concepts.clone(),
    }
}

/// Every RSM that is not there yet, group by group.
fn similarities(plan: &mut Plan, checkpoint: &mut Checkpoint, progress: &Progress) -> Result<Vec<StageTiming>, Error> {
    let unfinished: Vec<usize> = (0..plan.manifest.groups.len())
        .filter(|&group| plan.layers.iter().any(|layer| checkpoint.get(&layer.name, group).is_none()))
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
    stages: &[Box<dyn Stage>],
    group: usize,
    rgb: &[Vec<u8>],
    checkpoint: &mut Checkpoint,
    task: &Task,
    progress: &Progress,
) -> Result<Vec<StageTiming>, Error> {
    let device = &plan.device.device;
    let mut timings = Vec::new();
    if plan.pixels() && checkpoint.get(PIXELS, group).is_none() {
        let pixels: Vec<f32> = rgb.iter().flatten().map(|&byte| f32::from(byte)).collect();
        let units = pixels.len() / rgb.len();
        let rows = Tensor::<2>::from_data(burn::tensor::TensorData::new(pixels, [rgb.len(), units]), device);
        keep(plan, PIXELS, group, &[rows], checkpoint)?;
    }
    let wanted = |stage: usize| {
        plan.stages[stage].layers.iter().map(|l| &l.name).filter(|name| checkpoint.get(name, group).is_none())
    };
    let Some(last) = (0..stages.len()).rev().find(|&stage| wanted(stage).next().is_some()) else {
        return Ok(timings);
    };
    let wanted: Vec<Vec<String>> = (0..=last).map(|stage| wanted(stage).cloned().collect()).collect();
    let mut batches: Vec<Tensor<4>> =
        rgb.chunks(plan.batch).map(|batch| stimuli::batch(batch, &plan.input, device)).collect();
    for ((stage, spec), wanted) in stages.iter().zip(&plan.stages).zip(wanted) {
        let started = Instant::now();
        let name = spec.layers.last().map_or("untapped stage", |layer| &layer.name);
        let mut taps = Taps::new(wanted);
        let mut tapped: Vec<(String, Vec<Tensor<2>>)> = Vec::new();
        let mut done = 0;
        let mut outputs = Vec::with_capacity(batches.len());
        for batch in batches {
            progress.interrupt.check()?;
            let images = batch.dims()[0];
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
            keep(plan, &layer, group, &activations, checkpoint)?;
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
) -> Result<(), FileError> {
    let concepts = plan.manifest.concepts.len();
    for words in &plan.words {
        let path = out.join(format!("rsm/words.{}.npy", file_name(&words.name)));
        arrays::write_npy(&path, &[concepts, concepts], words.rsm.values())?;
    }
    write_atomically(&out.join("rsm/concepts.txt"), |file| {
        plan.manifest.concepts.iter().try_for_each(|concept| writeln!(file, "{concept}"))
    })?;
    results.write(out)?;
    let run = serde_json::json!({
        "schema": 1,
        "semgpu": env!("CARGO_PKG_VERSION"),
        "config": plan.config,
        "network": {"name": plan.network.name, "form": plan.form, "input": plan.input},
        "device": {"kind": plan.device.kind(), "name": plan.device.name(), "why": plan.device.why, "adapter": plan.device.adapter},
        "threads": rayon::current_num_threads(),
        "batch": plan.batch,
        "memory": plan.memory,
        "peak_bytes": device::peak_memory_bytes(),
        "checksums": plan.checksums,
        "seconds": seconds,
        "stages": timings,
        "warnings": plan.warnings,
    });
    write_json(&out.join("run.json"), &run)
}

/// A word model's name as part of a file name.
fn file_name(name: &str) -> String {
    name.replace(['/', '\\', ':'], "_")
}

/// One line per word model: the best layer and how it compares with the pixels.
fn summarise(results: &Results, progress: &Progress) {
    for rows in results.accuracy.chunk_by(|a, b| a.words == b.words) {
        let Some(best) = rows.iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy)) else { continue };
        progress.line(format!(
            "{}: {} {:.3}, best layer {} {:.3} (p {:.4}, family-wise {:.4})",
            best.words, rows[0].layer, rows[0].accuracy, best.layer, best.accuracy, best.p_value, best.p_fwer
        ));
    }
}
