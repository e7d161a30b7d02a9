//! What running a graph costs beside its operations.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use burn::tensor::{Device, TensorData};

use super::super::GraphNetwork;
use super::super::drawing::Drawing;
use super::*;
use crate::nets::Batch;
use crate::nets::stage::Stage;

const IMAGES: usize = 16;

/// Most that may pass between operations.
const SHARE: f64 = 0.02;

/// Residual blocks of 64 channels.
fn drawn(folder: &Path) -> GraphNetwork {
    let mut drawing = Drawing::default();
    let mut x = drawing.conv("x", &[64, 3, 3, 3], 1, 1, 1);
    for _ in 0..6 {
        let y = drawing.conv(&x, &[64, 64, 3, 3], 1, 1, 1);
        let y = drawing.node("Relu", &[&y]);
        let y = drawing.conv(&y, &[64, 64, 3, 3], 1, 1, 1);
        x = drawing.node("Add", &[&x, &y]);
    }
    drawing.saved(&x, folder)
}

/// `SEMGPU_GRAPH=model.onnx` measures another.
#[test]
fn little_time_passes_between_operations() {
    let folder = tempfile::tempdir().unwrap();
    let network = match std::env::var_os("SEMGPU_GRAPH") {
        Some(path) => GraphNetwork::open(Path::new(&path), None).unwrap(),
        None => drawn(folder.path()),
    };
    let device = Device::flex();
    let wanted: Vec<String> =
        network.layers.iter().filter(|layer| !layer.on_request).map(|layer| layer.name.clone()).collect();
    let mut programs = network.programs(network.stages.len(), &wanted, &[IMAGES], &device).unwrap();
    let spent = Arc::new(AtomicU64::new(0));
    for step in programs.iter_mut().flat_map(|stage| &mut stage.programs).flat_map(|program| &mut program.steps) {
        let (run, spent) = (step.run.clone(), spent.clone());
        step.run = Arc::new(move |inputs| {
            let began = Instant::now();
            let outputs = run(inputs);
            spent.fetch_add(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
            outputs
        });
    }
    let stages: Vec<Stage> = programs.into_iter().map(Stage::of_graph).collect();
    let units = IMAGES * 3 * network.size * network.size;
    let values: Vec<f32> = (0..units).map(|n| (n * 7919 % 4001) as f32 / 2000.0 - 1.0).collect();
    let images = TensorData::new(values, [IMAGES, 3, network.size, network.size]);
    let images = Batch::of(Tensor::from_data(images, &device));
    // The least of a few: what else the machine does is no part of it.
    let shares = (0..6).map(|_| {
        spent.store(0, Ordering::Relaxed);
        let began = Instant::now();
        let last = stages.iter().fold(images.clone(), |x, stage| stage.forward(x, &mut Taps::default()));
        let all = began.elapsed();
        drop(last);
        1.0 - spent.load(Ordering::Relaxed) as f64 / all.as_nanos() as f64
    });
    let share = shares.fold(1.0, f64::min);
    println!("{:.3} % of the time of {IMAGES} images passes between operations", 100.0 * share);
    assert!(share < SHARE, "{share}");
}
