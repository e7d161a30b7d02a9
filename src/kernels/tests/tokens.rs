//! What transformers compute, against its definition in f64, on every device there is.

use burn::tensor::{Device, Tensor, TensorData};

use super::values;
use crate::kernels::attention::{Bias, Counts, Heads, Scoring, attention, self_attention};
use crate::kernels::gpu::test_device;
use crate::kernels::norm::over_norms;
use crate::kernels::rotary::{Partners, Rotary, Rows};
use crate::kernels::{Activation, Dense, LayerNorm};

/// Half a unit in the last place of 1.
const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;

fn devices() -> impl Iterator<Item = Device> {
    std::iter::once(Device::flex()).chain(test_device())
}

/// So many numbers between -1 and 1, in no order.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|n| ((n + 1) * (2 * seed + 7919) % 2003) as f32 / 1001.0 - 1.0).collect()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// By its series of positive terms, `2/√π e^(-x²) Σ 2^n x^(2n+1) / (1·3·…·(2n+1))`.
fn erf(x: f64) -> f64 {
    let mut term = x;
    let mut sum = 0.0;
    for n in 0..400 {
        sum += term;
        term *= 2.0 * x * x / f64::from(2 * n + 3);
    }
    2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
}

#[test]
fn smooth_activations_are_their_definitions() {
    let tanh = |x: f64| (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
    let forms: [(Activation, &dyn Fn(f64) -> f64); 5] = [
        (Activation::Gelu, &|x| 0.5 * x * (1.0 + erf(x / 2.0_f64.sqrt()))),
        (Activation::GeluTanh, &|x| 0.5 * x * (1.0 + tanh(x).tanh())),
        (Activation::QuickGelu, &|x| x / (1.0 + (-1.702 * x).exp())),
        (Activation::Silu, &|x| x / (1.0 + (-x).exp())),
        (Activation::HardSwish, &|x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
    ];
    let x: Vec<f32> = (-9001..=9001).map(|n| n as f32 / 1000.0).collect();
    for device in devices() {
        for (activation, definition) in forms {
            let found = values(activation.forward(tensor(x.clone(), [x.len()], &device)));
            for (&x, found) in x.iter().zip(found) {
                let x = f64::from(x);
                // An exponential's argument errs by a few roundings, which count by a quarter of themselves; WGSL's own
                // errs by 3 units and two for each unit of its argument, and the quotient by 2.5.
                let bound = 10.0 * ROUNDING * x.abs();
                let difference = (f64::from(found) - definition(x)).abs();
                assert!(difference <= bound, "{activation:?} of {x}: {found}, expected {}", definition(x));
            }
            let odd = values(activation.forward(tensor(vec![f32::NAN, 300.0, -300.0, 0.0], [4], &device)));
            assert!(
                odd[0].is_nan() && odd[1] == 300.0 && odd[2].abs() < 1e-30 && odd[3] == 0.0,
                "{activation:?}: {odd:?}"
            );
        }
    }
}

#[test]
fn exact_gelu_on_the_cpu_errs_by_two_roundings() {
    let x: Vec<f32> = (-60_000..60_000).map(|n| n as f32 / 9_999.7).collect();
    let found = values(Activation::Gelu.forward(tensor(x.clone(), [x.len()], &Device::flex())));
    for (&x, found) in x.iter().zip(found) {
        let x = f64::from(x);
        let expected = 0.5 * x * (1.0 + erf(x / 2.0_f64.sqrt()));
        assert!((f64::from(found) - expected).abs() <= 2.0 * ROUNDING * x.abs(), "{x}: {found}, expected {expected}");
    }
}

#[test]
fn layer_normalization_is_its_definition() {
    for (rows, units, epsilon) in [(1, 1, 1e-5), (5, 7, 1e-6), (33, 64, 0.5), (2, 65, 1e-12), (19, 769, 1e-6)] {
        let (gamma, beta) = (numbers(units, 1), numbers(units, 2));
        // Far from 0, as a residual stream may be.
        let x: Vec<f32> = numbers(rows * units, 3).into_iter().map(|x| 4.0 * x + 3.0).collect();
        for device in devices() {
            let [gammas, betas] = [&gamma, &beta].map(|values| TensorData::new(values.clone(), [units]));
            let norm = LayerNorm::new(&gammas, &betas, epsilon, &device);
            let found = values(norm.forward(tensor(x.clone(), [1, rows, units], &device)));
            for (row, found) in x.chunks(units).zip(found.chunks(units)) {
                let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
                let mean = row.iter().sum::<f64>() / units as f64;
                let size = row.iter().map(|x| x.abs()).sum::<f64>() / units as f64;
                let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / units as f64;
                let scale = 1.0 / (variance + epsilon).sqrt();
                for (unit, found) in found.iter().enumerate() {
                    let [gamma, beta] = [&gamma, &beta].map(|values| f64::from(values[unit]));
                    let centred = row[unit] - mean;
                    let expected = centred * scale * gamma + beta;
                    // Sums over 64 lanes side by side, then the lanes by halves; a dozen more operations.
                    let roundings = (units / 64 + 16) as f64;
                    let terms = gamma.abs() * scale * (centred.abs() + size) + beta.abs();
                    let difference = (f64::from(*found) - expected).abs();
                    assert!(difference <= roundings * ROUNDING * terms, "{units}, unit {unit}: {found}, {expected}");
                }
            }
        }
    }
}

/// Queries, keys or values in f64: `[images, tokens, width]`, from a unit on.
struct Part {
    values: Vec<f32>,
    tokens: usize,
    width: usize,
    first: usize,
}

impl Part {
    fn new(images: usize, tokens: usize, width: usize, first: usize, seed: usize) -> Self {
        let values = numbers(images * tokens * width, seed).into_iter().map(|x| 2.0 * x).collect();
        Self { values, tokens, width, first }
    }

    fn heads(&self, device: &Device) -> Heads {
        let images = self.values.len() / self.tokens / self.width;
        Heads { tokens: tensor(self.values.clone(), [images, self.tokens, self.width], device), first: self.first }
    }

    fn head(&self, image: usize, token: usize, head: usize, units: usize) -> impl Iterator<Item = f64> + '_ {
        let at = (image * self.tokens + token) * self.width + self.first + head * units;
        self.values[at..at + units].iter().map(|&value| f64::from(value))
    }
}

/// What is added to scores: a factor of every head, and `[period, heads, queries, keys]`.
struct Added {
    factors: Vec<f32>,
    values: Vec<f32>,
    period: usize,
}

/// Every result of `found`, `[images, queries, heads, units]`, against the definition.
fn check(
    found: &[f32],
    [q, k, v]: [&Part; 3],
    images: usize,
    [heads, units]: [usize; 2],
    scale: f64,
    added: Option<&Added>,
) {
    assert_eq!(found.len(), images * q.tokens * heads * units);
    let at = |at: usize| (at / heads / q.tokens, at / heads % q.tokens, at % heads);
    for (head, found) in found.chunks(units).enumerate() {
        let (image, query, head) = at(head);
        let own: Vec<f64> = q.head(image, query, head, units).collect();
        let scale = added.map_or(scale, |added| scale * f64::from(added.factors[head]));
        let bias = |key: usize| {
            let row = |added: &Added| (image % added.period * heads + head) * q.tokens + query;
            added.map_or(0.0, |added| f64::from(added.values[row(added) * k.tokens + key]))
        };
        let score = |key: usize, of: fn(f64) -> f64| -> f64 {
            let products = own.iter().zip(k.head(image, key, head, units)).map(|(&q, k)| of(scale * q * k));
            products.sum::<f64>() + of(bias(key))
        };
        let scores: Vec<f64> = (0..k.tokens).map(|key| score(key, |product| product)).collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let smallest = scores.iter().copied().fold(f64::INFINITY, f64::min);
        let size = (0..k.tokens).map(|key| score(key, f64::abs)).fold(0.0, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let sum: f64 = weights.iter().sum();
        // Two scores, the exponential (WGSL's: 3 units and two for each unit of its argument), sums of weights and values.
        let exponential = 8.0 + 4.0 * (largest - smallest);
        let roundings = 2.0 * (units as f64 + 4.0) * size + exponential + 2.0 * (k.tokens as f64 + 8.0);
        for (unit, &found) in found.iter().enumerate() {
            let terms =
                || (0..k.tokens).map(|key| weights[key] / sum * v.head(image, key, head, units).nth(unit).unwrap());
            let (expected, magnitude) = (terms().sum::<f64>(), terms().map(f64::abs).sum::<f64>());
            let difference = (f64::from(found) - expected).abs();
            let bound = roundings * ROUNDING * magnitude;
            assert!(difference <= bound, "{image} {query} {head} {unit}: {found}, expected {expected}");
        }
    }
}

#[test]
fn attention_is_its_definition() {
    for (images, queries, keys, [heads, units]) in [
        (1, 1, 1, [1, 4]),
        (2, 5, 7, [3, 8]),
        (1, 65, 63, [2, 64]),
        (3, 17, 50, [2, 32]),
        (2, 3, 9, [2, 6]),
        (1, 2, 130, [1, 132]),
        (1, 70, 66, [2, 128]),
        (2, 67, 129, [1, 72]),
        // More than a GPU launches workgroups along an axis.
        (65_537, 1, 2, [1, 4]),
        // More scores of a head of odd size than are laid out at a time.
        (1, 4100, 4100, [1, 1]),
    ] {
        let width = heads * units;
        let parts = [
            Part::new(images, queries, width + 8, 4, 1),
            Part::new(images, keys, width, 0, 2),
            Part::new(images, keys, width + 4, 4, 3),
        ];
        for device in devices() {
            let [q, k, v] = parts.each_ref().map(|part| part.heads(&device));
            let found = attention([q, k, v], [heads, units], Scoring { scale: 0.4, bias: None });
            assert_eq!(found.dims(), [images, queries, width]);
            check(&values(found), parts.each_ref(), images, [heads, units], 0.4, None);
        }
    }
}

#[test]
fn attention_adds_to_scores_what_images_repeat() {
    for (images, period, queries, keys, [heads, units]) in [
        (1, 1, 1, 1, [1, 4]),
        (4, 1, 49, 49, [3, 32]),
        (6, 3, 65, 130, [2, 8]),
        (2, 2, 7, 66, [1, 128]),
        (4, 2, 5, 3, [2, 6]),
    ] {
        let width = heads * units;
        let parts =
            [(queries, 1), (keys, 2), (keys, 3)].map(|(tokens, seed)| Part::new(images, tokens, width, 0, seed));
        let factors = (0..heads).map(|head| 0.5 + head as f32).collect();
        let mut added = Added { factors, values: numbers(period * heads * queries * keys, 4), period };
        // A mask besides, not for the last key.
        for row in added.values.chunks_mut(keys) {
            row[..keys - 1].iter_mut().step_by(3).for_each(|value| *value = -100.0);
        }
        for device in devices() {
            let bias = Bias::new(added.factors.clone(), &added.values, [period, heads, queries, keys], &device);
            let scoring = Scoring { scale: 0.4, bias: Some(&bias) };
            let found = attention(parts.each_ref().map(|part| part.heads(&device)), [heads, units], scoring);
            check(&values(found), parts.each_ref(), images, [heads, units], 0.4, Some(&added));
        }
    }
}

#[test]
fn keys_that_a_mask_of_the_lowest_number_all_leaves_out_weigh_alike() {
    // A GPU takes 64 keys at a time.
    for (keys, device) in [3, 130].into_iter().flat_map(|keys| devices().map(move |device| (keys, device))) {
        let parts = [(2, 1), (keys, 2), (keys, 3)].map(|(tokens, seed)| Part::new(1, tokens, 4, 0, seed));
        // Of the second query none is left out.
        let mask = [vec![f32::MIN; keys], vec![0.0; keys]].concat();
        let bias = Bias::new(vec![1.0], &mask, [1, 1, 2, keys], &device);
        let scoring = Scoring { scale: 0.4, bias: Some(&bias) };
        let found = values(attention(parts.each_ref().map(|part| part.heads(&device)), [1, 4], scoring));
        let (first, second) = found.split_at(4);
        for (unit, found) in first.iter().enumerate() {
            let mean = parts[2].values[unit..].iter().step_by(4).sum::<f32>() / keys as f32;
            assert!((found - mean).abs() < 1e-5, "{keys} keys, unit {unit}: {found}, expected {mean}");
        }
        assert!(second.iter().all(|value| value.is_finite()), "{second:?}");
    }
}

#[test]
fn a_bias_of_five_keys_is_none_of_seven() {
    // Rows of either are laid out with room for eight.
    let bias = Bias::new(vec![1.0], &[0.5; 5], [1, 1, 1, 5], &Device::flex());
    let of = |keys: usize| bias.is_of(Counts { images: 2, heads: 1, queries: 1, keys, units: 4 }, 1);
    assert!(of(5) && !of(7) && !of(8));
}

#[test]
fn tokens_attend_to_each_other() {
    let (images, tokens, heads, units) = (2, 21, 3, 16);
    let width = heads * units;
    let all = Part::new(images, tokens, 3 * width, 0, 4);
    let part = |first: usize| Part { values: all.values.clone(), first, ..all };
    let parts = [part(0), part(width), part(2 * width)];
    for device in devices() {
        let found = self_attention(all.heads(&device).tokens, heads);
        check(&values(found), parts.each_ref(), images, [heads, units], 0.25, None);
    }
}

#[test]
fn what_agrees_with_one_key_alone_has_its_value() {
    for device in devices() {
        let part = |values: [f32; 12], first| Heads { tokens: tensor(values.to_vec(), [1, 3, 4], &device), first };
        let keys = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
        let queries = keys.map(|key| 1e4 * key);
        let values_of: [f32; 12] = std::array::from_fn(|n| n as f32);
        let parts = [part(queries, 0), part(keys, 0), part(values_of, 0)];
        let found = attention(parts, [1, 4], Scoring { scale: 1.0, bias: None });
        // The others weigh nothing, or the smallest number there is.
        assert!(values(found).iter().zip(values_of).all(|(found, expected)| (found - expected).abs() < 1e-30));
    }
}

#[test]
fn a_dense_layer_adds_its_summand_in_the_same_pass() {
    let (images, inputs, outputs) = (50, 600, 37);
    for device in devices() {
        let weight = TensorData::new(numbers(outputs * inputs, 1), [outputs, inputs]);
        let bias = TensorData::new(numbers(outputs, 2), [outputs]);
        let dense = Dense::new(&weight, &bias, Activation::Identity, &device);
        let x = tensor(numbers(images * inputs, 3), [images, inputs], &device);
        let summand = tensor(numbers(images * outputs, 4), [images, outputs], &device);
        let found = values(dense.forward_plus(x.clone(), summand.clone()));
        // The same additions in the same order.
        assert_eq!(found, values(dense.forward(x) + summand));
    }
}

#[test]
fn rows_are_divided_by_their_norms_or_by_the_least() {
    for (rows, units) in [(1, 1), (70, 33), (33, 700)] {
        let x = [numbers(rows * units, 5), vec![0.0; units], vec![1e-9; units]].concat();
        let of_row = |row: &[f32]| {
            let norm = row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt().max(1e-3);
            row.iter().map(|&x| (f64::from(x) / norm) as f32).collect::<Vec<_>>()
        };
        let expected: Vec<f32> = x.chunks(units).flat_map(of_row).collect();
        for device in devices() {
            let found = values(over_norms(tensor(x.clone(), [rows + 2, units], &device), 1e-3));
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs()), "{rows} x {units}");
            let nan = [&x[..units], &[f32::NAN]].concat();
            let found = values(over_norms(tensor(nan, [1, units + 1], &device), 1e-3));
            assert!(found.iter().all(|value| value.is_nan()));
        }
    }
}

#[test]
fn rotary_positions_are_their_definition() {
    let (images, tokens, heads, units) = (3, 5, 2, 6);
    // Queries of keys and values behind them.
    let width = 3 * heads * units;
    let x = numbers(images * tokens * width, 5);
    let angles = [numbers(tokens * units, 6), numbers(tokens * units, 7)];
    let first = heads * units;
    let runs = vec![(images * tokens, width), (heads, units)];
    for partners in [Partners::Neighbours, Partners::Halves] {
        let partner = |unit: usize| match partners {
            Partners::Neighbours => unit ^ 1,
            Partners::Halves => (unit + units / 2) % units,
        };
        let expected = (0..images * tokens * heads * units).map(|at| {
            let (row, unit) = (at / units, at % units);
            let (token, head) = (row / heads, row % heads);
            let of = |unit: usize| f64::from(x[first + token * width + head * units + unit]);
            let [cos, sin] = [0, 1].map(|n| f64::from(angles[n][token % tokens * units + unit]));
            of(unit) * cos + of(partner(unit)) * sin
        });
        let expected: Vec<f64> = expected.collect();
        for device in devices() {
            let rotary = Rotary::new(angles.clone(), [tokens, units], partners, &device);
            let rows = Rows { offset: first, runs: runs.clone(), heads };
            let found = values(rotary.forward(&tensor(x.clone(), [x.len()], &device), &rows));
            let near = |(found, expected): (&f32, &f64)| (f64::from(*found) - expected).abs() <= 6.0 * ROUNDING;
            assert!(found.len() == expected.len() && found.iter().zip(&expected).all(near), "{partners:?}");
        }
    }
}
