//! Models in eight bits: weights are read as what they stand for, activations rounded to the steps they would have.

use burn::tensor::{Tensor, TensorData};

use super::lowering::{Lowered, Node, Refusal, axis};
use super::value::Array;
use crate::kernels::activation::each;

/// Scale and zero point along the axis of the channels, or one for all.
pub fn dequantize(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    if node.int("block_size", 0) != 0 {
        return Err("scales of blocks, expected one, or one for each channel".into());
    }
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

/// ONNX's name of the type of a zero point, which the steps are of: as it is stored, or what it is cast to.
fn zero_point_type<'a>(node: &Node<'a>) -> Option<&'a str> {
    let mut name = node.proto.input(2)?;
    loop {
        if let Some(constant) = node.model.constants.iter().find(|constant| constant.name == name) {
            return constant.is_float().err();
        }
        let maker = node.model.nodes.iter().find(|maker| maker.output.iter().any(|output| output == name))?;
        match maker.op_type.as_str() {
            "Cast" => return type_name(maker.int("to")?),
            "Identity" => name = maker.input(0)?,
            _ => return None,
        }
    }
}

/// ONNX's name of a type of steps by its number, the default where none is set.
fn type_name(data_type: i64) -> Option<&'static str> {
    match data_type {
        0 | 2 => Some("UINT8"),
        3 => Some("INT8"),
        _ => None,
    }
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
    let (steps, zero) = match node.optional(2) {
        Some(_) => (zero_point_type(node), node.number(2)?),
        None => (type_name(node.int("output_dtype", 0)), 0.0),
    };
    let (low, high) = match steps {
        Some("INT8") => (-128.0, 127.0),
        Some("UINT8") => (0.0, 255.0),
        Some(other) => return Err(format!("steps of type {other}, expected INT8 or UINT8").into()),
        None => return Err("steps of a type that is not known, expected a stored zero point of INT8 or UINT8".into()),
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
