//! The largest and the smallest values along an axis, and their places.

use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::batch::Along;
use super::gathers::around;
use super::lowering::{Lowered, Node, Refusal, Run, axis};
use super::value::Array;

/// Longest chain of nodes that places are followed through.
const LONGEST: usize = 64;

/// An axis other than the one along which places are found.
pub fn beside_places(node: &Node, along: Along) -> Option<usize> {
    let own = axis(node.int("axis", 0), node.shape(along.input).ok()?.len()).ok()?;
    let gone = usize::from(node.int("keepdims", 1) == 0 && own < along.axis);
    (along.axis != own).then(|| along.axis - gone)
}

pub fn arg_max(node: &Node) -> Result<Lowered, Refusal> {
    place(node, |x| x)
}

pub fn arg_min(node: &Node) -> Result<Lowered, Refusal> {
    place(node, |x| x.neg())
}

/// The place of the largest of what `of` gives, of equal ones the first or, where that is set, the last.
fn place(node: &Node, of: fn(Tensor<3>) -> Tensor<3>) -> Result<Lowered, Refusal> {
    let (mut shape, along) = row(node, 0, 0)?;
    let (sizes, length) = (around(&shape, along), shape[along]);
    let last = node.int("select_last_index", 0) != 0;
    if node.int("keepdims", 1) == 0 {
        shape.remove(along);
    } else {
        shape[along] = 1;
    }
    Lowered::run(shape.clone(), &[0], move |mut inputs| {
        let x = of(inputs.remove(0).view(sizes));
        let places = Array::of((0..length).map(|place| place as f32).collect(), &[length], &x.device());
        // Those of all others are beyond the last place, or before the first.
        let beyond = x.clone().not_equal(x.max_dim(1)).float() * length as f64;
        let places = places.view([1, length, 1]);
        let place = if last { (places - beyond).max_dim(1) } else { (places + beyond).min_dim(1) };
        Array::new(place, &shape)
    })
}

/// An axis other than the one along which values are ranked.
pub fn beside_ranks(node: &Node, along: Along) -> Option<usize> {
    let own = axis(node.int("axis", -1), along.made).ok()?;
    (along.axis != own).then_some(along.axis)
}

/// The largest or smallest `k` values and their places; of equal ones the first come first.
pub fn top(node: &Node) -> Result<Lowered, Refusal> {
    let (mut shape, along) = row(node, -1, 1)?;
    let ([outer, length, inner], smallest) = (around(&shape, along), node.int("largest", 1) == 0);
    let k = node.proto.int("k").map_or_else(|| node.number(1).map(|k| k as i64), Ok)?;
    let count = usize::try_from(k).ok().filter(|count| (1..=length).contains(count));
    let count = count.ok_or_else(|| format!("k = {k} of {length} values"))?;
    shape[along] = count;
    let to = shape.clone();
    let run: Run = Arc::new(move |mut inputs| {
        let x = inputs.remove(0);
        let (device, values) = (x.device(), x.to_vec());
        let [mut found, mut places] = [0, 1].map(|_| vec![0.0; outer * count * inner]);
        for (block, n) in (0..outer).flat_map(|block| (0..inner).map(move |n| (block, n))) {
            let value = |place: usize| values[(block * length + place) * inner + n];
            // Both zeros are one.
            let rank = |place: usize| 0.0 + if smallest { value(place) } else { -value(place) };
            let mut order: Vec<usize> = (0..length).collect();
            order.sort_by(|&a, &b| rank(a).total_cmp(&rank(b)));
            for (at, &place) in order[..count].iter().enumerate() {
                let at = (block * count + at) * inner + n;
                (found[at], places[at]) = (value(place), place as f32);
            }
        }
        [found, places].map(|values| Array::of(values, &to, &device)).into()
    });
    Ok(Lowered::Computed {
        shapes: vec![shape.clone(), shape],
        takes: vec![0],
        prepare: Rc::new(move |_| Ok(run.clone())),
        multiply_adds: 0,
        weights: 0,
    })
}

/// The shape of a node's input and its axis, along which there is something; with places in the output at `places`.
fn row(node: &Node, default: i64, places: usize) -> Result<(Vec<usize>, usize), Refusal> {
    let own = node.shape(0)?.to_vec();
    let along = axis(node.int("axis", default), own.len())?;
    if node.input(0)?.is_whole() {
        return Err("whole numbers, expected floating-point ones".into());
    }
    if own.contains(&0) {
        return Err(format!("a value of the shape {own:?}, in which there is nothing").into());
    }
    only_moved(node, places)?;
    Ok((own, along))
}

/// That places are only moved, or cast to floating-point numbers: what else takes whole numbers computes with them in its own way.
fn only_moved(node: &Node, output: usize) -> Result<(), Refusal> {
    let given = node.proto.output.get(output).filter(|name| !name.is_empty());
    let mut names: Vec<&str> = given.map(String::as_str).into_iter().collect();
    let mut at = 0;
    while let Some(&name) = names.get(at) {
        at += 1;
        for taker in node.model.nodes.iter().filter(|taker| taker.input.iter().any(|input| input == name)) {
            match taker.op_type.as_str() {
                "Cast" | "Shape" | "Size" => {}
                "Expand" | "Flatten" | "Identity" | "Reshape" | "Slice" | "Squeeze" | "Transpose" | "Unsqueeze"
                    if taker.input(0) == Some(name) && names.len() < LONGEST =>
                {
                    names.extend(taker.output.first().map(String::as_str));
                }
                other => {
                    return Err(format!(
                        "its places, whole numbers computed from the images, are given to {other} (node {:?}), expected at most \
                         to be moved or cast to floating-point numbers",
                        taker.name
                    )
                    .into());
                }
            }
        }
    }
    Ok(())
}
