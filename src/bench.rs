//! CPU against GPU: every kernel, and with a configuration every stage; validated first, medians with their spread.

mod alignment;
mod controls;
mod convolutions;
mod timing;
mod tokens;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;

use self::timing::{LASTING, RUNS, WARMING, Work, is_near, is_software, timed};
use crate::device::Selected;
use crate::error::Error;
use crate::kernels::gpu::Kernel;
use crate::kernels::product::{Matrix, multiply};
use crate::nets::{Batch, Stage, Taps};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::results::{self, ClaimError, MADE, is_marked};
use crate::stats::permutation::Permutations;
use crate::stats::{self, Rsm, similarity, two_vs_two};
use crate::stimuli;

/// The row of a whole network.
const NETWORK: &str = "whole network";

/// Images of the paper, whose time is estimated.
const STIMULI: f64 = 830.0;

/// Largest difference of a correlation between a fast form and its reference (statistics of the module `similarity`).
const RSM_TOLERANCE: f64 = 2e-6;

/// A timed piece of work.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What.
    pub task: String,
    /// Sizes.
    pub case: String,
    /// `cpu` or `gpu`.
    pub device: &'static str,
    /// Median of the runs.
    pub median_ms: f64,
    /// Fastest run.
    pub min_ms: f64,
    /// Slowest run.
    pub max_ms: f64,
    /// Units of work per second: what `unit` says.
    pub rate: f64,
    /// `permutations`, `images`, `layers`.
    pub unit: &'static str,
    /// Floating-point operations.
    pub operations: f64,
    /// Bytes that have to be moved.
    pub bytes: f64,
    /// Operations per second as a share of the plain matrix product's on the same device in the same run.
    pub of_product: f64,
    /// What the operations and bytes imply on a 10-TFLOP/s laptop GPU.
    pub laptop_ms: f64,
    /// The same on a 60-TFLOP/s server GPU.
    pub server_ms: f64,
}

/// The whole bench of one machine.
#[derive(Clone, Debug, Serialize)]
pub struct Bench {
    /// The devices, as in `semgpu devices`.
    pub devices: Vec<String>,
    /// CPU threads.
    pub threads: usize,
    /// All rows.
    pub rows: Vec<Row>,
}

/// A result that differs from its reference.
#[derive(Debug, thiserror::Error)]
#[error("{what} on {device} differs from its reference: {difference}; nothing was timed")]
pub struct BenchError {
    what: &'static str,
    device: &'static str,
    difference: String,
}

/// Times everything on each of `devices`, or nothing but the `convolutions` of networks on a GPU; with a plan also its
/// stages.
///
/// # Errors
/// A device that fails, or a result that differs from its reference.
pub fn run(devices: &[Selected], plan: Option<Plan>, convolutions: bool, progress: &Progress) -> Result<Bench, Error> {
    let mut rows = Vec::new();
    let mut products = Vec::new();
    for selected in devices.iter().filter(|selected| !convolutions || selected.adapter.is_some()) {
        progress.line(format!("validating on {}", selected.name()));
        validate(selected).map_err(Error::Failed)?;
        let product = product_rate(selected)?;
        rows.push(product.clone());
        products.push((selected.device.clone(), product.clone()));
        let of_product = |row: Row| {
            progress.detail(format!("{} {} {:.1} ms", row.task, row.case, row.median_ms));
            row.of(&product)
        };
        if selected.adapter.is_some() {
            rows.extend(convolutions::rows(selected)?.into_iter().map(of_product));
        }
        if convolutions {
            continue;
        }
        rows.extend(tokens::rows(selected)?.into_iter().map(of_product));
        rows.extend(alignment::rows(selected)?.into_iter().map(of_product));
        if selected.adapter.is_none() {
            rows.extend(controls::rows(selected)?.into_iter().map(of_product));
        }
        // Enough draws that what is done once a test does not count; a software adapter takes a minute for less.
        let draws = if is_software(selected) { 1 } else { 40 };
        for (concepts, draws, images) in [(166, 10 * draws, 5), (1000, 4 * draws, 1)] {
            rows.extend(time_products(selected, concepts, draws, images)?.map(of_product));
        }
        // Words of 300 dimensions and of few: on the CPU a draw costs 2 k^2 times their number where that is less than k^3.
        for (concepts, dimensions, draws, images) in [
            (166, 300, 10 * draws, 5),
            (166, 50, 10 * draws, 5),
            (1000, 300, 4 * draws, 1),
            (1000, 100, 4 * draws, 1),
            (2000, 300, draws, 1),
        ] {
            rows.push(of_product(time_two_vs_two(selected, concepts, dimensions, draws, images)?));
        }
        for (concepts, units) in [(166, 4096), (166, 100_352), (1000, 25_088)] {
            rows.push(of_product(time_rsm(selected, concepts, units)?));
        }
    }
    if let Some(plan) = plan {
        let product = match products.into_iter().find(|(device, _)| *device == plan.placement.device.device) {
            Some((_, product)) => product,
            None => product_rate(&plan.placement.device)?,
        };
        rows.extend(time_network(plan)?.into_iter().map(|row| row.of(&product)));
    }
    let names = devices.iter().map(Selected::name).collect();
    Ok(Bench { devices: names, threads: rayon::current_num_threads(), rows })
}

/// Every kernel of the program.
pub fn kernels() -> impl Iterator<Item = &'static Kernel> {
    crate::kernels::gpu::kernels().chain(stats::kernels())
}

/// Writes every kernel's complete WGSL, as it is launched, below a line that says whose it is.
///
/// # Errors
/// A place that nothing can be written into, somebody else's file in the place of one, or a file that cannot be written.
pub fn write_shaders(directory: &Path) -> Result<(), Error> {
    let path = |(name, source)| (directory.join(format!("{name}.wgsl")), source);
    let shaders: Vec<_> = kernels().flat_map(Kernel::sources).map(path).collect();
    check_own(&shaders.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>(), is_marked)?;
    for (path, source) in shaders {
        results::write_atomically(&path, |file| write!(file, "// {MADE}\n{source}")).map_err(Error::failed)?;
    }
    Ok(())
}

/// Whether the bench of one machine may be written to a file.
///
/// # Errors
/// A place that nothing can be written into, or a file that is no such bench.
pub fn check_json(path: &Path) -> Result<(), Error> {
    let is_bench = |path: &Path| {
        let bench: Value = results::read_json(path).unwrap_or_default();
        bench["devices"].is_array() && bench["threads"].is_u64() && bench["rows"].is_array()
    };
    check_own(&[path.into()], is_bench)
}

/// Whether files may be written, which replace none but those that semgpu wrote.
fn check_own(paths: &[PathBuf], is_own: impl Fn(&Path) -> bool) -> Result<(), Error> {
    results::check_files(paths, &[])?;
    match paths.iter().find(|path| path.is_file() && !is_own(path)) {
        Some(path) => Err(ClaimError::NotOurs(path.clone()).into()),
        None => Ok(()),
    }
}

impl Row {
    /// With its share of the rate of `product`.
    fn of(self, product: &Row) -> Self {
        let rate = |row: &Row| row.operations / row.median_ms;
        Self { of_product: rate(&self) / rate(product), ..self }
    }
}

impl Bench {
    /// The table for a terminal.
    pub fn table(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{:<16} {:<33} {:<4} {:>10} {:>19} {:>22} {:>9} {:>8} {:>10} {:>10}",
            "task", "case", "on", "median ms", "min .. max", "rate", "GFLOP/s", "product", "laptop ms", "server ms"
        )];
        lines.extend(self.rows.iter().map(|row| {
            format!(
                "{:<16} {:<33} {:<4} {:>10.2} {:>19} {:>22} {:>9.1} {:>8} {:>10.3} {:>10.3}",
                row.task,
                row.case,
                row.device,
                row.median_ms,
                format!("{:.2} .. {:.2}", row.min_ms, row.max_ms),
                format!("{:.1} {}/s", row.rate, row.unit),
                row.operations / row.median_ms / 1e6,
                if row.of_product.is_finite() { format!("{:.0} %", 100.0 * row.of_product) } else { "-".to_string() },
                row.laptop_ms,
                row.server_ms,
            )
        }));
        for row in self.rows.iter().filter(|row| row.task == NETWORK) {
            let seconds = |batch_ms: f64| batch_ms / row.median_ms * STIMULI / row.rate;
            lines.push(format!(
                "{}: {STIMULI} images take {:.1} s here, by operations and bytes {:.2} s on the laptop, {:.2} s on the server",
                row.case,
                seconds(row.median_ms),
                seconds(row.laptop_ms),
                seconds(row.server_ms),
            ));
        }
        lines.extend(controls::ratios(&self.rows));
        lines.push(format!(
            "devices: {}; {} threads; {RUNS} runs each; on real GPUs a run repeats what it times for {LASTING} s, after {WARMING} s \
             of warming",
            self.devices.join("; "),
            self.threads
        ));
        lines.push(
            "product: share of the matrix product's operations per second in this run; laptop, server: time that the \
             operations and bytes imply on GPUs of 10 TFLOP/s, 300 GB/s and 60 TFLOP/s, 2 TB/s"
                .to_string(),
        );
        lines
    }
}

/// The peer: one large single-precision matrix product, by the `gemm` crate on the CPU, by Burn on a GPU.
fn product_rate(selected: &Selected) -> Result<Row, Error> {
    let size: usize = if is_software(selected) { 512 } else { 2048 };
    let work = Work {
        task: "matrix product".to_string(),
        case: format!("{size} x {size} x {size}"),
        count: 1.0,
        unit: "products",
        operations: 2.0 * (size as f64).powi(3),
        bytes: 12.0 * (size as f64).powi(2),
    };
    let row = match &selected.adapter {
        Some(_) => {
            // Ones: the product says by itself whether it was made.
            let ones = Tensor::<2>::ones([size, size], &selected.device);
            let sum = ones.clone().matmul(ones.clone()).sum().into_scalar::<f32>();
            if !is_near(f64::from(sum) / (size as f64).powi(3), 1.0, 1e-4) {
                let difference = format!("the sum of a product of ones is {sum}, expected {}", size.pow(3));
                return Err(Error::failed(BenchError { what: "Burn's matrix product", device: "gpu", difference }));
            }
            timed(selected, work, || {
                let _product = ones.clone().matmul(ones.clone());
                Ok(())
            })
        }
        None => {
            let left: Vec<f32> = (0..size * size).map(|i| (i % 17) as f32).collect();
            let mut out = vec![0.0_f32; size * size];
            timed(selected, work, || {
                let left = Matrix::rows(&left, size);
                multiply([size; 3], (&mut out, size), left, left, true);
                Ok(())
            })
        }
    };
    Ok(Row { of_product: 1.0, ..row? })
}

/// RSMs of words and images.
fn spaces(concepts: usize, dimensions: usize, images: usize) -> (Rsm, Vec<Rsm>) {
    (
        random_rsm(concepts, dimensions, 0),
        (0..images).map(|image| random_rsm(concepts, 400, 1 + image as u64)).collect(),
    )
}

/// The 2 vs. 2 test's products alone, and its peer's of the same shape: Burn's on a GPU; on the CPU the `gemm` crate's,
/// one product a thread.
fn time_products(selected: &Selected, concepts: usize, draws: u64, images: usize) -> Result<[Row; 2], Error> {
    let (words, images) = spaces(concepts, 300, images);
    let draws: Vec<Vec<u32>> = (1..=draws).map(|t| Permutations::new(2018, concepts).draw(t)).collect();
    let work = |task: &str, draws: usize| Work {
        task: task.to_string(),
        case: format!("k {concepts}, {draws} draws, {} RSMs", images.len()),
        count: (draws * images.len()) as f64,
        unit: "products",
        operations: two_vs_two::operations(concepts, draws as u64, images.len()) as f64,
        bytes: (4 * concepts * concepts * (draws * images.len() + draws + images.len())) as f64,
    };
    two_vs_two::products(&words, &images, &draws, &selected.device, |draws, products| {
        let own = timed(selected, work("2 vs. 2 product", draws), || {
            products();
            Ok(())
        })?;
        let peer = work("its peer", draws);
        let peer = match &selected.adapter {
            Some(_) => {
                let left = Tensor::<2>::ones([draws * concepts, concepts], &selected.device);
                let right = Tensor::<2>::ones([concepts, images.len() * concepts], &selected.device);
                timed(selected, peer, || {
                    let _products = left.clone().matmul(right.clone());
                    Ok(())
                })?
            }
            None => {
                let left: Vec<f32> = words.values().iter().map(|&x| x as f32).collect();
                let left = Matrix::rows(&left, concepts);
                timed(selected, peer, || {
                    (0..draws * images.len()).into_par_iter().for_each_init(
                        || vec![0.0; concepts * concepts],
                        |out, _| multiply([concepts; 3], (out, concepts), left, left, false),
                    );
                    Ok(())
                })?
            }
        };
        Ok([own, peer])
    })
    .map_err(Error::failed)?
}

fn time_two_vs_two(
    selected: &Selected,
    concepts: usize,
    dimensions: usize,
    draws: u64,
    images: usize,
) -> Result<Row, Error> {
    let (words, images) = spaces(concepts, dimensions, images);
    let permutations = Permutations::new(2018, concepts);
    let work = Work {
        task: "2 vs. 2".to_string(),
        case: format!("k {concepts}, d {dimensions}, {draws} draws, {} RSMs", images.len()),
        count: (draws * images.len() as u64) as f64,
        unit: "permutations",
        operations: two_vs_two::operations(concepts, draws, images.len()) as f64,
        bytes: (8 * concepts * concepts * images.len()) as f64 * draws as f64,
    };
    timed(selected, work, || {
        let go_on = |_| ControlFlow::Continue(());
        two_vs_two::two_vs_two(&words, &images, &permutations, 1..draws + 1, &selected.device, &go_on)
            .map_err(Error::failed)?;
        Ok(())
    })
}

fn time_rsm(selected: &Selected, concepts: usize, units: usize) -> Result<Row, Error> {
    let rows = activations(concepts, units, 5);
    let batches = on_device(&rows, concepts, units, &selected.device);
    let work = Work {
        task: "RSM".to_string(),
        case: format!("k {concepts}, {units} units"),
        count: 1.0,
        unit: "layers",
        operations: 2.0 * similarity::multiply_adds(concepts, units) as f64,
        bytes: similarity::bytes_moved(concepts, units) as f64,
    };
    timed(selected, work, || {
        similarity::rsm(&batches).map_err(Error::failed)?;
        Ok(())
    })
}

/// A largest batch through every stage of the plan's network, then through all of them, on the plan's device.
fn time_network(plan: Plan) -> Result<Vec<Row>, Error> {
    let Plan { model, weights, inputs, placement, .. } = plan;
    let selected = &placement.device;
    let images = placement.largest_batch().min(inputs.manifest.concepts.len());
    let stages = model.load(weights, &selected.device, &placement.sizes(images)).map_err(Error::input)?;
    let prepared = model.input;
    let rgb = inputs
        .manifest
        .load(&[0], None, prepared.framing(), images)
        .map_err(Error::failed)?
        .take(images)
        .collect::<Result<Vec<_>, _>>()
        .map_err(Error::failed)?;
    let batch = |rgb: &[Vec<u8>]| Batch::of(stimuli::batch(rgb, &prepared, &selected.device));
    let input: Vec<Batch> = rgb.chunks(placement.batch).map(batch).collect();
    let through = |n: usize, stage: &Stage, x: Vec<Batch>| -> Vec<Batch> {
        let x = Batch::join(x, placement.joined(n)).into_iter();
        x.map(|x| stage.forward(x, &mut Taps::default())).collect()
    };
    let mut x = input.clone();
    let mut rows: Vec<Row> = Vec::new();
    for (n, (stage, spec)) in stages.iter().zip(&model.stages).enumerate() {
        let work = Work {
            task: spec.layers.last().map_or("untapped stage", |layer| &layer.name).to_string(),
            case: format!("{}, {} images", model.network.name, images),
            count: images as f64,
            unit: "images",
            operations: 2.0 * spec.multiply_adds as f64 * images as f64,
            bytes: 4.0 * (images * (x[0].units() + spec.units())) as f64,
        };
        let mut output = None;
        rows.push(timed(selected, work, || {
            output = Some(through(n, stage, x.clone()));
            Ok(())
        })?);
        x = output.expect("the stage ran");
    }
    let sum = |of: fn(&Row) -> f64| rows.iter().map(of).sum::<f64>();
    let work = Work {
        task: NETWORK.to_string(),
        case: format!("{}, {} images", model.network.name, images),
        count: images as f64,
        unit: "images",
        operations: sum(|row| row.operations),
        bytes: sum(|row| row.bytes),
    };
    let whole = timed(selected, work, || {
        stages.iter().enumerate().fold(input.clone(), |x, (n, stage)| through(n, stage, x));
        Ok(())
    })?;
    // The stages run one after the other, each as its own operations or bytes let it.
    let (laptop_ms, server_ms) = (sum(|row| row.laptop_ms), sum(|row| row.server_ms));
    rows.push(Row { laptop_ms, server_ms, ..whole });
    Ok(rows)
}

/// Every kernel against its reference, at sizes that are no multiple of anything.
fn validate(selected: &Selected) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (concepts, units) = (65, 5_003);
    let rows = activations(concepts, units, 2);
    let slices: Vec<&[f32]> = rows.chunks_exact(units).collect();
    let expected = similarity::rsm_reference(&slices);
    let found = similarity::rsm(&on_device(&rows, concepts, units, &selected.device))?;
    let mut pairs = found.values().iter().zip(expected.values());
    if let Some((found, expected)) = pairs.find(|&(&found, &expected)| !is_near(found, expected, RSM_TOLERANCE)) {
        let difference = format!("a correlation is {found}, expected {expected} within {RSM_TOLERANCE:e}");
        return Err(Box::new(BenchError { what: "the RSM", device: selected.kind(), difference }));
    }
    let words = random_rsm(concepts, 50, 9);
    let draws = Permutations::new(1, concepts);
    let go_on = |_| ControlFlow::Continue(());
    let table = two_vs_two::two_vs_two(&words, &[&expected], &draws, 0..4, &selected.device, &go_on)?;
    for t in 0..4 {
        let margins = two_vs_two::margins_reference(&words, &expected, &draws.draw(t));
        let expected = margins.iter().filter(|&&margin| margin > 0.0).count();
        let found = table.row(t)[0].passed as usize;
        if expected != found {
            let difference = format!("draw {t} passes {found} pairs, expected {expected}");
            return Err(Box::new(BenchError { what: "the 2 vs. 2 test", device: selected.kind(), difference }));
        }
    }
    Ok(())
}

/// Activations like an early layer's: non-negative, with a pattern that all images share.
fn activations(concepts: usize, units: usize, seed: u64) -> Vec<f32> {
    let mut shared = stats::permutation::Random::keyed(seed, 0);
    let pattern: Vec<f64> = (0..units).map(|_| shared.unit()).collect();
    (0..concepts as u64)
        .flat_map(|concept| {
            let mut own = stats::permutation::Random::keyed(seed, concept + 1);
            pattern.iter().map(move |shared| (shared + 0.5 * own.unit()) as f32).collect::<Vec<_>>()
        })
        .collect()
}

fn random_rsm(concepts: usize, units: usize, seed: u64) -> Rsm {
    let rows = activations(concepts, units, seed);
    similarity::rsm_of_rows(&rows, concepts, units).expect("finite activations")
}

/// The rows in batches of at most 16 images.
fn on_device(rows: &[f32], concepts: usize, units: usize, device: &Device) -> Vec<Tensor<2>> {
    let data = |rows: &[f32]| burn::tensor::TensorData::new(rows.to_vec(), [rows.len() / units, units]);
    debug_assert_eq!(rows.len(), concepts * units);
    rows.chunks(16 * units).map(|batch| Tensor::from_data(data(batch), device)).collect()
}
