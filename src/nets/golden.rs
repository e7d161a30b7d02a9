//! Activations of independent implementations (`tests/golden`), held against ours layer by layer.

use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;

use super::{Batch, Blueprint, Preprocess, Taps, find};
use crate::weights::{Parameters, formula};

/// An `f32` run sums in an order of its own. The golden file holds the largest difference between such a run and the
/// `f64` values; another order may differ by a small multiple of it.
const ORDER_OF_SUMMATION: f64 = 4.0;
/// Sums of up to 3.2 million `f64` numbers in another order.
const F64_SUM: f64 = 1e-11;

#[derive(Deserialize)]
struct Golden {
    network: String,
    size: usize,
    /// `pixels_raw` (bytes), `pixels_input` (prepared; not where the program prepares in other steps), then the layers in
    /// order.
    taps: Vec<Tap>,
}

#[derive(Deserialize)]
struct Tap {
    name: String,
    shape: Vec<usize>,
    /// Largest difference between the `f32` and the `f64` run, over all units of both images.
    f32_max_abs_err: f64,
    /// Correlation of the two images' activations.
    pearson: f64,
    images: Vec<Activation>,
}

#[derive(Deserialize)]
struct Activation {
    mean: f64,
    std: f64,
    l2: f64,
    /// Units and their values.
    values: Vec<(usize, f32)>,
}

/// Images as a batch `[images, 3, size, size]`.
pub fn batch(images: &[Vec<u8>], preprocess: Preprocess, size: usize, device: &Device) -> Batch {
    let values = images.iter().flat_map(|rgb| preprocess.apply(rgb, size)).collect();
    Batch::of(Tensor::from_data(TensorData::new(values, [images.len(), 3, size, size]), device))
}

/// Runs a network with the formula's weights over the formula's two images, stage by stage, and compares each layer
/// with the golden file; every layer must be there, in order.
pub fn check(file: &str, form: &str) {
    let golden = read(file);
    let blueprint = find(&golden.network).unwrap().blueprint(form).unwrap();
    compare(golden, &blueprint);
}

/// The same of a network that is no published one.
pub fn check_drawn(file: &str, blueprint: &Blueprint) {
    compare(read(file), blueprint);
}

fn read(file: &str) -> Golden {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn compare(golden: Golden, blueprint: &Blueprint) {
    let (input, specs) = (blueprint.input, blueprint.stages());
    assert_eq!(input.size, golden.size);
    let device = Device::flex();
    let mut parameters = Parameters::formula(blueprint.parameters());
    let stages = blueprint.load(specs.len(), &mut parameters, &device).unwrap();

    let images = [0, 1].map(|n| formula::image(n, input.size));
    let mut x = batch(&images, input.preprocess, input.size, &device);
    let mut expected = golden.taps.iter().peekable();
    expected.next().unwrap().check("pixels_raw", &images.map(|rgb| chw(&rgb)));
    if let Some(prepared) = expected.next_if(|tap| tap.name == "pixels_input") {
        prepared.check("pixels_input", &rows(x.clone().last().flat()));
    }
    for (stage, spec) in stages.iter().zip(specs) {
        let mut taps = Taps::new(spec.layers.iter().map(|layer| layer.name.clone()));
        x = stage.forward(x, &mut taps);
        let seen = taps.take();
        assert_eq!(seen.len(), spec.layers.len());
        for ((name, activations), layer) in seen.into_iter().zip(&spec.layers) {
            let expected = expected.next().unwrap();
            assert_eq!(expected.shape, layer.shape.lengths(), "{name}");
            expected.check(&name, &rows(activations));
        }
    }
    assert!(expected.next().is_none(), "a golden layer that the network does not have");
}

fn rows(activations: Tensor<2>) -> [Vec<f32>; 2] {
    let [images, units] = activations.dims();
    assert_eq!(images, 2);
    let data = activations.into_data();
    let mut rows = data.as_slice::<f32>().unwrap().chunks(units).map(<[f32]>::to_vec);
    [rows.next().unwrap(), rows.next().unwrap()]
}

fn chw(rgb: &[u8]) -> Vec<f32> {
    (0..3).flat_map(|channel| rgb.iter().skip(channel).step_by(3).map(|&v| f32::from(v))).collect()
}

impl Tap {
    fn check(&self, name: &str, images: &[Vec<f32>; 2]) {
        assert_eq!(self.name, name);
        let error = ORDER_OF_SUMMATION * self.f32_max_abs_err;
        let close = |what: &str, found: f64, expected: f64, tolerance: f64| {
            let difference = (found - expected).abs();
            assert!(difference <= tolerance, "{name}: {what} {found}, golden {expected}: {difference} > {tolerance}");
        };
        let mut smallest_std = f64::INFINITY;
        for (values, golden) in images.iter().zip(&self.images) {
            let count = values.len() as f64;
            let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
            let std = (values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count).sqrt();
            let l2 = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            close("mean", mean, golden.mean, error + F64_SUM * golden.l2 / count.sqrt());
            close("std", std, golden.std, error + F64_SUM * golden.std);
            close("l2", l2, golden.l2, error * count.sqrt() + F64_SUM * golden.l2);
            for &(unit, value) in &golden.values {
                close(&format!("unit {unit}"), values[unit].into(), value.into(), error);
            }
            smallest_std = smallest_std.min(golden.std);
        }
        // Either image's vector is off by at most error / std of its length.
        close("correlation", pearson(images), self.pearson, 2.0 * error / smallest_std + F64_SUM);
    }
}

fn pearson([a, b]: &[Vec<f32>; 2]) -> f64 {
    let count = a.len() as f64;
    let mean = |v: &[f32]| v.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a) - mean_a, f64::from(b) - mean_b);
        (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
    }
    ab / (aa * bb).sqrt()
}
