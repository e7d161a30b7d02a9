//! What multiplies every output of a convolution or a dense layer by itself, or is added to it, in its weights.

use std::rc::Rc;

use burn::tensor::TensorData;

use super::lowering::{Affine, Then, numbers};
use super::value::Constant;
use crate::weights::{WeightsError, scale_and_shift};

/// Kernel `[out, ..]` and bias, `[out]` or one number for all, with what follows in them: of a batch normalization, with
/// `s = scale / sqrt(var + epsilon)` per output, `s w` and `s (b - mean) + shift`; in `f64`, rounded once.
///
/// # Errors
/// A weight that is not finite or cannot be read.
pub fn folded(
    kernel: TensorData,
    outputs: usize,
    bias: Option<&Constant>,
    then: &Then,
) -> Result<(TensorData, TensorData), WeightsError> {
    // A mask hides outputs from the softmax behind them.
    let added = |constant: &Constant| numbers(constant, |value| value.is_finite() || value == f32::NEG_INFINITY);
    let bias = bias.map(added).transpose()?.unwrap_or_else(|| vec![0.0; outputs]);
    let mut biases: Vec<f64> = bias.into_iter().cycle().take(outputs).map(f64::from).collect();
    let mut scales: Option<Vec<f64>> = None;
    let times = |by: &[f64], biases: &mut [f64], scales: &mut Option<Vec<f64>>| {
        biases.iter_mut().zip(by).for_each(|(bias, by)| *bias *= by);
        let scales = scales.get_or_insert_with(|| vec![1.0; outputs]);
        scales.iter_mut().zip(by).for_each(|(scale, by)| *scale *= by);
    };
    let plus = |all: &[f64], biases: &mut [f64]| biases.iter_mut().zip(all).for_each(|(bias, by)| *bias += by);
    let each = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).cycle().take(outputs).collect() };
    biases.iter_mut().for_each(|bias| *bias *= then.bias_factor);
    if then.factor != 1.0 {
        scales = Some(vec![then.factor; outputs]);
    }
    for affine in &then.affine {
        match affine {
            Affine::Plus(constant) => plus(&each(added(constant)?), &mut biases),
            Affine::Times(constant) => times(&each(read(constant)?), &mut biases, &mut scales),
            Affine::Norm(tensors, epsilon) => {
                let (by, shifts) = normalization(tensors, *epsilon)?;
                times(&by, &mut biases, &mut scales);
                plus(&shifts, &mut biases);
            }
        }
    }
    let shape = kernel.shape().clone();
    let mut values = kernel.try_into_vec::<f32>().expect("weights are f32");
    if let Some(scales) = scales {
        let row = values.len() / outputs.max(1);
        for (kernel, scale) in values.chunks_exact_mut(row.max(1)).zip(scales) {
            kernel.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
        }
    }
    let biases: Vec<f32> = biases.into_iter().map(|bias| bias as f32).collect();
    Ok((TensorData::new(values, shape), TensorData::new(biases, [outputs])))
}

/// What a batch normalization multiplies by, and what it adds.
///
/// # Errors
/// As [`folded`].
pub fn normalization(tensors: &[Rc<Constant>; 4], epsilon: f32) -> Result<(Vec<f64>, Vec<f64>), WeightsError> {
    let [gamma, beta, mean, var] = [0, 1, 2, 3].map(|n| read(&tensors[n]));
    let (gamma, beta, mean, var) = (gamma?, beta?, mean?, var?);
    let of = |out: usize| {
        let norm_of = [&gamma, &beta, &mean, &var].map(|values| f64::from(values[out]));
        scale_and_shift(norm_of, f64::from(epsilon), 0.0)
    };
    Ok((0..gamma.len()).map(of).unzip())
}

/// Weights row by row.
///
/// # Errors
/// As [`numbers`].
pub fn read(constant: &Constant) -> Result<Vec<f32>, WeightsError> {
    numbers(constant, f32::is_finite)
}
