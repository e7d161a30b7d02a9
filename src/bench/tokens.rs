//! What a block of a vision transformer (ViT-B/16 at 224 px) is made of, each beside Burn's operations.

use burn::tensor::{Tensor, TensorData, activation};

use super::timing::{Within, validate};
use super::{Row, Work, activations, is_software, timed};
use crate::device::Selected;
use crate::error::Error;
use crate::kernels::attention::{Bias, Heads, Scoring, attention};
use crate::kernels::{Activation, Dense, LayerNorm};

/// Tokens of an image, their dimensions, heads, units of a token inside the multilayer perceptron.
const TOKENS: usize = 197;
const DIMENSIONS: usize = 768;
const HEADS: usize = 12;
const INNER: usize = 3072;

/// Of the results' size; sums of 768 products, softmax of 64.
const TOLERANCE: f32 = 1e-3;

/// Two rows of each: ours, Burn's.
pub(super) fn rows(selected: &Selected) -> Result<Vec<Row>, Error> {
    let images = if is_software(selected) { 1 } else { 16 };
    let device = &selected.device;
    let work = |task: &str, multiply_adds: usize, floats: usize| Work {
        task: task.to_string(),
        case: format!("{images} x {TOKENS} tokens, {DIMENSIONS}"),
        count: images as f64,
        unit: "images",
        operations: 2.0 * (images * multiply_adds) as f64,
        bytes: 4.0 * (images * floats) as f64,
    };
    // Both signs, as a normalization leaves them.
    let random = |units: usize, seed| activations(images, units, seed).into_iter().map(|x| 2.0 * x - 1.5);
    let tokens = |units: usize, seed| {
        let data = TensorData::new(random(TOKENS * units, seed).collect::<Vec<f32>>(), [images, TOKENS, units]);
        Tensor::<3>::from_data(data, device)
    };
    let mut rows = Vec::new();
    let mut both =
        |name: &'static str, work: [Work; 2], ours: &dyn Fn() -> Tensor<3>, burns: &dyn Fn() -> Tensor<3>| {
            validate(name, ours(), burns(), Within::Largest(TOLERANCE))?;
            for (work, run) in work.into_iter().zip([ours, burns]) {
                rows.push(timed(selected, work, || {
                    let _y = run();
                    Ok(())
                })?);
            }
            Ok::<(), Error>(())
        };

    let weight: Vec<f32> = activations(1, INNER * DIMENSIONS, 3).iter().map(|x| (x - 0.75) / 8.0).collect();
    let weight = TensorData::new(weight, [INNER, DIMENSIONS]);
    let dense = Dense::new(&weight, &TensorData::new(vec![0.5_f32; INNER], [INNER]), Activation::Gelu, device);
    let weight = Tensor::<2>::from_data(weight, device).transpose();
    let x = tokens(DIMENSIONS, 4);
    let floats = TOKENS * (DIMENSIONS + INNER);
    let work_of = |task: &str| work(task, TOKENS * DIMENSIONS * INNER, floats);
    both("dense, GELU", [work_of("dense, GELU"), work_of("Burn's")], &|| dense.forward(x.clone()), &|| {
        activation::gelu(x.clone().flatten::<2>(0, 1).matmul(weight.clone()) + 0.5).reshape([images, TOKENS, INNER])
    })?;

    let qkv = tokens(3 * DIMENSIONS, 5);
    let units = DIMENSIONS / HEADS;
    let work_of = |task: &str| work(task, 2 * TOKENS * TOKENS * DIMENSIONS, 4 * TOKENS * DIMENSIONS);
    let part = |n: usize| {
        let part = qkv.clone().narrow(2, n * DIMENSIONS, DIMENSIONS);
        part.reshape([images, TOKENS, HEADS, units]).swap_dims(1, 2)
    };
    let products = |added: Option<&Tensor<4>>| {
        let scores = part(0).matmul(part(1).swap_dims(2, 3)) / (units as f64).sqrt();
        let scores = added.map_or(scores.clone(), |added| scores + added.clone());
        activation::softmax(scores, 3).matmul(part(2)).swap_dims(1, 2).reshape([images, TOKENS, DIMENSIONS])
    };
    let attend = |bias: Option<&Bias>| {
        let heads = [0, 1, 2].map(|n| Heads { tokens: qkv.clone(), first: n * DIMENSIONS });
        attention(heads, [HEADS, units], Scoring { scale: 1.0 / (units as f64).sqrt(), bias })
    };
    both("attention", [work_of("attention"), work_of("Burn's")], &|| attend(None), &|| products(None))?;
    let shape = [1, HEADS, TOKENS, TOKENS];
    let added = activations(1, shape.iter().product(), 6);
    let bias = Bias::new(vec![1.0; HEADS], &added, shape, device);
    let added = Tensor::<4>::from_data(TensorData::new(added, shape), device);
    both("attention, biased", [work_of("attention, biased"), work_of("Burn's")], &|| attend(Some(&bias)), &|| {
        products(Some(&added))
    })?;

    let parameters = |value: f32| TensorData::new(vec![value; DIMENSIONS], [DIMENSIONS]);
    let norm = LayerNorm::new(&parameters(1.5), &parameters(0.5), 1e-6, device);
    let work_of = |task: &str| work(task, 4 * TOKENS * DIMENSIONS, 2 * TOKENS * DIMENSIONS);
    both("layer norm", [work_of("layer norm"), work_of("Burn's")], &|| norm.forward(x.clone()), &|| {
        let centred = x.clone() - x.clone().mean_dim(2);
        let variance = centred.clone().powf_scalar(2.0).mean_dim(2);
        centred / (variance + 1e-6).sqrt() * 1.5 + 0.5
    })?;
    Ok(rows)
}
