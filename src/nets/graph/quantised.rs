//! Models in eight or sixteen bits: weights are read as what they stand for, activations rounded to the steps they would have.

use burn::tensor::{Tensor, TensorData};

use super::lowering::{Lowered, Node, Refusal, axis};
use super::value::Array;
use crate::kernels::activation::each;

/// Scales and zero points: one for all, or one for each channel.
struct Steps {
    scales: Vec<f32>,
    zeros: Vec<f32>,
    /// What is before the channels, these, and what is behind them.
    view: [usize; 3],
}

impl Steps {
    fn of(node: &Node) -> Result<Self, Refusal> {
        let own = node.shape(0)?;
        if node.int("block_size", 0) != 0 {
            return Err("scales of blocks, expected one, or one for each channel".into());
        }
        let scales = node.constant(1)?.values()?;
        let zeros = match node.optional(2) {
            Some(_) => node.whole(2)?.values.iter().map(|&zero| zero as f32).collect(),
            None => vec![0.0; scales.len()],
        };
        if scales.is_empty() {
            return Err("no scale, expected one, or one for each channel".into());
        }
        if zeros.len() != scales.len() {
            return Err(format!("{} zero points, expected {}, as many as scales", zeros.len(), scales.len()).into());
        }
        let along = if scales.len() == 1 { 0 } else { axis(node.int("axis", 1), own.len())? };
        if scales.len() > 1 && own[along] != scales.len() {
            return Err(format!("{} scales along an axis of {}", scales.len(), own[along]).into());
        }
        let outer: usize = own[..along].iter().product();
        let inner = own.iter().product::<usize>() / (outer * scales.len()).max(1);
        let view = [outer, scales.len(), inner];
        Ok(Self { scales, zeros, view })
    }

    /// Values by their scale and zero point: a number, or a tensor of them where they are not on the CPU or not alike.
    fn each(
        &self,
        x: Array,
        number: impl Fn(f32, f32, f32) -> f32 + Sync,
        tensor: impl Fn(Tensor<3>, Tensor<3>, Tensor<3>) -> Tensor<3>,
    ) -> Array {
        let (shape, device) = (x.shape.clone(), x.device());
        let row = |values: &[f32]| Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len(), 1]), &device);
        let all = |x| tensor(x, row(&self.scales), row(&self.zeros));
        let x = x.view(self.view);
        let y = match (&self.scales[..], &self.zeros[..]) {
            (&[scale], &[zero]) => each(x, |x| number(x, scale, zero), all),
            _ => all(x),
        };
        Array::new(y, &shape)
    }
}

/// What steps stand for.
pub fn dequantize(node: &Node) -> Result<Lowered, Refusal> {
    let steps = Steps::of(node)?;
    Lowered::run(node.shape(0)?.to_vec(), &[0], move |mut inputs| {
        steps.each(inputs.remove(0), |x, scale, zero| (x - zero) * scale, |x, scale, zero| (x - zero) * scale)
    })
}

/// ONNX's name of the type of a zero point, which the steps are of: as it is stored, or what it is cast to.
fn zero_point_type<'a>(node: &Node<'a>) -> Option<&'a str> {
    let mut name = node.proto.input(2)?;
    loop {
        if let Some(constant) = node.model.constant(name) {
            return constant.is_float().err();
        }
        let maker = node.model.maker(name)?;
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
        4 => Some("UINT16"),
        5 => Some("INT16"),
        _ => None,
    }
}

/// What steps may be of.
const TYPES: &str = "INT8, UINT8, INT16 or UINT16";

/// Rounds as the runtime that the model was quantised for does: to the nearest step, halves to even, within the type's range.
/// What comes between this and `dequantize` is computed of the steps themselves: borders are zeros of theirs.
pub fn quantize(node: &Node) -> Result<Lowered, Refusal> {
    let known = match node.optional(2) {
        Some(_) => zero_point_type(node),
        None => type_name(node.int("output_dtype", 0)),
    };
    let (low, high) = match known {
        Some("INT8") => (-128.0, 127.0),
        Some("UINT8") => (0.0, 255.0),
        Some("INT16") => (-32768.0, 32767.0),
        Some("UINT16") => (0.0, 65535.0),
        Some(other) => return Err(format!("steps of type {other}, expected {TYPES}").into()),
        None => {
            return Err(format!("steps of a type that is not known, expected a stored zero point of {TYPES}").into());
        }
    };
    let steps = Steps::of(node)?;
    if let Some(scale) = steps.scales.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
        return Err(format!("a scale of {scale}").into());
    }
    if let Some(zero) = steps.zeros.iter().find(|zero| !(low..=high).contains(*zero)) {
        return Err(format!("a zero point of {zero}, expected {low} to {high}").into());
    }
    Lowered::run(node.shape(0)?.to_vec(), &[0], move |mut inputs| {
        // Sums as large as this are whole numbers.
        const WHOLE: f32 = 1.5 * (1 << 23) as f32;
        // Far beyond all steps, so that rounding to the nearest is exact.
        const FAR: f32 = (1 << 17) as f32;
        steps.each(
            inputs.remove(0),
            |x, scale, zero| ((x / scale).clamp(-FAR, FAR) + WHOLE - WHOLE + zero).clamp(low, high),
            |x, scale, zero| ((x / scale).clamp(-FAR, FAR).round() + zero).clamp(low, high),
        )
    })
}
