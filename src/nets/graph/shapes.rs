//! Shapes, types, and constants that the graph itself makes of them.

use std::rc::Rc;

use super::bounds::{MOST_MADE, MOST_VALUES, units};
use super::functions::every;
use super::lowering::{Lowered, Node, Refusal, axis};
use super::places::Move;
use super::value::{Constant, Known, Whole};

pub fn shape(node: &Node) -> Result<Lowered, Refusal> {
    let lengths: Vec<i64> = node.shape(0)?.iter().map(|&length| length as i64).collect();
    let place = |at: i64| (if at < 0 { at + lengths.len() as i64 } else { at }).clamp(0, lengths.len() as i64) as usize;
    let (start, end) = (place(node.int("start", 0)), place(node.int("end", lengths.len() as i64)));
    Lowered::known(Known::whole(Whole::list(lengths[start..end.max(start)].to_vec())))
}

pub fn size(node: &Node) -> Result<Lowered, Refusal> {
    Lowered::known(Known::whole(Whole::number(node.input(0)?.units() as i64)))
}

pub fn identity(node: &Node) -> Result<Lowered, Refusal> {
    match node.input(0)? {
        Known::Computed(shape) => Lowered::moved(Move::Reshaped(shape.clone())),
        known => {
            let mut outputs = vec![known.clone()];
            if node.proto.output.len() > 1 {
                // The mask of a dropout, which is at rest.
                let values = vec![1; units(known.shape(), MOST_MADE)?];
                let mask = Whole { shape: known.shape().to_vec(), values };
                outputs.push(Known::whole(mask));
            }
            Ok(Lowered::Known(outputs))
        }
    }
}

/// At rest what comes in.
pub fn dropout(node: &Node) -> Result<Lowered, Refusal> {
    let is_set = |known: &Known| matches!(known, Known::Whole(whole) if whole.values.iter().any(|&value| value != 0));
    let trains = node.optional(2).is_some_and(is_set) || node.opset < 7 && node.proto.int("is_test") == Some(0);
    let ratio = node.number(1).unwrap_or(f64::from(node.float("ratio", 0.5)));
    if trains && ratio != 0.0 {
        return Err("in training mode, in which it drops values by chance; export the model in evaluation mode \
                    (model.eval(), training=TrainingMode.EVAL, F.dropout(x, training=self.training))"
            .into());
    }
    identity(node)
}

/// A `Constant` that is no tensor; those that are stand among the model's constants.
pub fn constant(node: &Node) -> Result<Lowered, Refusal> {
    let proto = node.proto;
    Lowered::known(if let Some(value) = proto.int("value_int") {
        Known::whole(Whole::number(value))
    } else if let Some(values) = proto.ints("value_ints") {
        Known::whole(Whole::list(values.to_vec()))
    } else if let Some(value) = proto.float("value_float") {
        Known::Constant(Rc::new(Constant::given(vec![value], &[])))
    } else if let Some(values) = proto.attribute("value_floats") {
        Known::Constant(Rc::new(Constant::given(values.floats.clone(), &[values.floats.len()])))
    } else {
        return Err("a constant that is no tensor of numbers".into());
    })
}

pub fn constant_of_shape(node: &Node) -> Result<Lowered, Refusal> {
    let shape = lengths(&node.whole(0)?.values)?;
    let units = units(&shape, MOST_MADE)?;
    let Some(value) = node.proto.tensor("value") else {
        return Lowered::known(Known::Constant(Rc::new(Constant::given(vec![0.0; units], &shape))));
    };
    // One value, of whatever type; spelt out or raw.
    let raw = value.raw_data.as_deref().unwrap_or_default();
    let whole = |value: i64| Known::whole(Whole { shape: shape.clone(), values: vec![value; units] });
    let float = |value: f32| Known::Constant(Rc::new(Constant::given(vec![value; units], &shape)));
    let known = match value.data_type {
        1 => raw.first_chunk().map(|&bytes| f32::from_le_bytes(bytes)).or(value.float_data.first().copied()).map(float),
        7 => raw.first_chunk().map(|&bytes| i64::from_le_bytes(bytes)).or(value.int64_data.first().copied()).map(whole),
        6 => raw
            .first_chunk()
            .map(|&bytes| i32::from_le_bytes(bytes))
            .or(value.int32_data.first().copied())
            .map(|value| whole(value.into())),
        9 => {
            raw.first().map(|&byte| i64::from(byte)).or(value.int32_data.first().map(|&value| value.into())).map(whole)
        }
        _ => None,
    };
    Lowered::known(known.ok_or("a value of a type that is not read, expected FLOAT, INT64, INT32 or BOOL")?)
}

/// Lengths, none below zero.
pub fn lengths(values: &[i64]) -> Result<Vec<usize>, Refusal> {
    let lengths: Option<Vec<usize>> = values.iter().map(|&value| value.try_into().ok()).collect();
    let lengths = lengths.ok_or_else(|| format!("the shape {values:?}"))?;
    units(&lengths, MOST_VALUES)?;
    Ok(lengths)
}

/// Of every index the second of two whole numbers at its place along a new axis, the first elsewhere.
pub fn one_hot(node: &Node) -> Result<Lowered, Refusal> {
    let (indices, choice) = (node.whole(0)?, node.whole(2)?);
    let &[off, on] = &choice.values[..] else { return Err(format!("{:?}, expected two values", choice.values).into()) };
    let depth = usize::try_from(node.number(1)? as i64).map_err(|_| "a depth below 0")?;
    let at = axis(node.int("axis", -1), indices.shape.len() + 1)?;
    let shape = [&indices.shape[..at], &[depth], &indices.shape[at..]].concat();
    units(&shape, MOST_MADE)?;
    let inner: usize = indices.shape[at..].iter().product();
    // An index that is no place is off everywhere.
    let place = |index: i64| if index < 0 { index + depth as i64 } else { index };
    let row = |n: usize| {
        let index = |n: usize, k: usize| place(indices.values[n * inner + k]);
        (0..depth as i64).flat_map(move |at| (0..inner).map(move |k| if index(n, k) == at { on } else { off }))
    };
    let values = (0..indices.values.len() / inner.max(1)).flat_map(row).collect();
    Lowered::known(Known::whole(Whole { shape, values }))
}

pub fn range(node: &Node) -> Result<Lowered, Refusal> {
    let (Known::Whole(_), Known::Whole(_), Known::Whole(_)) = (node.input(0)?, node.input(1)?, node.input(2)?) else {
        let [start, end, step] = [node.number(0)?, node.number(1)?, node.number(2)?];
        let count = ((end - start) / step).ceil().max(0.0);
        if count.is_nan() || count > MOST_MADE as f64 {
            return Err("a range without end".into());
        }
        let values: Vec<f32> = (0..count as usize).map(|n| (start + n as f64 * step) as f32).collect();
        let shape = [values.len()];
        return Lowered::known(Known::Constant(Rc::new(Constant::given(values, &shape))));
    };
    let number = |at: usize| -> Result<i64, Refusal> {
        Ok(*node.whole(at)?.values.first().ok_or_else(|| format!("input {at} is empty"))?)
    };
    let (start, end, step) = (number(0)?, number(1)?, number(2)?);
    let count = end.checked_sub(start).and_then(|span| span.checked_div(step));
    if count.is_none_or(|count| count > MOST_MADE as i64) {
        return Err(format!("a range from {start} to {end} by {step}").into());
    }
    let [first, last, step] = [start, end, step].map(i128::from);
    let numbers = (0..).map(|n| first + n * step).take_while(|&at| if step > 0 { at < last } else { at > last });
    Lowered::known(Known::whole(Whole::list(numbers.map(|number| number as i64).collect())))
}

/// ONNX's types of floating-point numbers; all are computed as `f32`.
const FLOATS: [i64; 4] = [1, 10, 11, 16];

/// ONNX's type of truth values.
const BOOL: i64 = 9;

pub fn cast(node: &Node) -> Result<Lowered, Refusal> {
    cast_to(node, node.int("to", 1))
}

/// To the type of another value.
pub fn cast_like(node: &Node) -> Result<Lowered, Refusal> {
    let whole = node.input(1)?.is_whole();
    cast_to(node, if whole { 7 } else { 1 })
}

/// A whole number in the bits of a type, by ONNX's number of that.
fn wrapped(value: i64, to: i64) -> i64 {
    match to {
        2 => (value as u8).into(),
        3 => (value as i8).into(),
        4 => (value as u16).into(),
        5 => (value as i16).into(),
        6 => (value as i32).into(),
        12 => (value as u32).into(),
        _ => value,
    }
}

fn cast_to(node: &Node, to: i64) -> Result<Lowered, Refusal> {
    let to_float = FLOATS.contains(&to);
    match node.input(0)? {
        Known::Whole(whole) if to_float => {
            let values = whole.values.iter().map(|&value| value as f32).collect();
            Lowered::known(Known::Constant(Rc::new(Constant::given(values, &whole.shape))))
        }
        Known::Whole(whole) if to == BOOL => {
            let values = whole.values.iter().map(|&value| i64::from(value != 0)).collect();
            Lowered::known(Known::whole(Whole { shape: whole.shape.clone(), values }))
        }
        Known::Whole(whole) => {
            let values = whole.values.iter().map(|&value| wrapped(value, to)).collect();
            Lowered::known(Known::whole(Whole { shape: whole.shape.clone(), values }))
        }
        Known::Constant(constant) if !to_float => {
            units(&constant.shape, MOST_MADE)?;
            let values = constant.values()?;
            let cast = |value: &f32| if to == BOOL { i64::from(*value != 0.0) } else { value.trunc() as i64 };
            let values = values.iter().map(cast).collect();
            Lowered::known(Known::whole(Whole { shape: constant.shape.clone(), values }))
        }
        // No longer whole.
        Known::Constant(constant) if constant.is_whole() => {
            Lowered::run(constant.shape.clone(), &[0], |mut inputs| inputs.remove(0))
        }
        known @ Known::Constant(_) => Lowered::known(known.clone()),
        Known::Computed(_) if !to_float && to != BOOL => {
            Err("whole numbers computed from the images, which this build does not compute with".into())
        }
        Known::Computed(_) if to == BOOL => every(node, |x| x.not_equal_elem(0.0).float()),
        Known::Computed(shape) => Lowered::moved(Move::Reshaped(shape.clone())),
    }
}
