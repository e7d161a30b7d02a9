//! Models in eight bits: weights are read as what they stand for, activations rounded to the steps they would have.

use burn::tensor::{Tensor, TensorData};

use super::lowering::{Lowered, Node, Refusal, axis};
use super::value::Array;
use crate::kernels::activation::each;

/// Scale and zero point along the axis of the channels, or one for all.
pub fn dequantize(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let scale = node.constant(1)?.values()?;
    let zero = match node.optional(2) {
        Some(_) => node.whole(2)?.values.clone(),
        None => vec![0; scale.len()],
    };
    if scale.is_empty() {
        return Err("no scale, expected one, or one for each channel".into());
    }
    if zero.len() != scale.len() {
        return Err(format!("{} zero points, expected {}, as many as scales", zero.len(), scale.len()).into());
    }
    let along = if scale.len() == 1 { 0 } else { axis(node.int("axis", 1), own.len())? };
    if scale.len() > 1 && own[along] != scale.len() {
        return Err(format!("{} scales along an axis of {}", scale.len(), own[along]).into());
    }
    if !node.input(0)?.is_whole() {
        // Its values are steps already, see `quantize`.
        return Lowered::run(own, &[0], |mut inputs| inputs.remove(0));
    }
    let outer: usize = own[..along].iter().product();
    let inner: usize = own.iter().product::<usize>() / (outer * scale.len()).max(1);
    Lowered::run(own, &[0], move |mut inputs| {
        let x = inputs.remove(0);
        let (shape, device, count) = (x.shape.clone(), x.device(), scale.len());
        let row = |values: Vec<f32>| Tensor::<3>::from_data(TensorData::new(values, [1, count, 1]), &device);
        let zero = row(zero.iter().map(|&zero| zero as f32).collect());
        Array::new((x.view([outer, count, inner]) - zero) * row(scale.clone()), &shape)
    })
}

/// Rounds as the runtime that the model was quantised for does: to the nearest step, halves to even, within the type's range.
pub fn quantize(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    if node.constant(1)?.shape.iter().product::<usize>() != 1 {
        return Err("a scale for every channel of an activation".into());
    }
    let scale = node.number(1)?;
    if !(scale.is_finite() && scale > 0.0) {
        return Err(format!("a scale of {scale}").into());
    }
    let (low, high) = match node.stored_type(2) {
        Some("INT8") => (-128.0, 127.0),
        Some("UINT8") | None => (0.0, 255.0),
        Some(other) => return Err(format!("steps of type {other}, expected INT8 or UINT8").into()),
    };
    let zero = match node.optional(2) {
        Some(_) => node.number(2)?,
        None => 0.0,
    };
    if !(low..=high).contains(&zero) {
        return Err(format!("a zero point of {zero}, expected {low} to {high}").into());
    }
    let (least, most) = (low - zero, high - zero);
    Lowered::run(own, &[0], move |mut inputs| {
        let x = inputs.remove(0);
        let shape = x.shape.clone();
        let all = |x: Tensor<1>| (x / scale).clamp(least, most).round().mul_scalar(scale);
        let (scale, least, most) = (scale as f32, least as f32, most as f32);
        // Sums as large as this are whole numbers.
        const WHOLE: f32 = 1.5 * (1 << 23) as f32;
        let of = |x: f32| ((x / scale).clamp(least, most) + WHOLE - WHOLE) * scale;
        Array::new(each(x.flat(), of, all), &shape)
    })
}
