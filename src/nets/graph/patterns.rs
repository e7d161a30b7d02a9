//! What exporters write in pieces: activations (GELU in its three forms, `x sigmoid(x)`) and normalizations.

use super::compile::Compiled;
use super::functions;
use super::lowering::{Lowered, Node, Refusal, axis};
use crate::kernels::Activation;

/// More nodes than any activation is in.
const MOST_PIECES: usize = 16;

/// Nodes that are one activation.
pub struct Found {
    /// The value it is of.
    pub input: usize,
    /// All of them, the last one last.
    pub nodes: Vec<usize>,
    /// The activation.
    pub activation: Activation,
}

/// A layer normalization over the last axis without scale and shift, in pieces.
pub struct Norm {
    /// The value it is of.
    pub input: usize,
    /// What is added to the variance.
    pub epsilon: f64,
}

/// Rows over their norms, in pieces.
pub struct OverNorms {
    /// The value that they are of.
    pub input: usize,
    /// What a smaller norm counts as.
    pub least: f64,
}

/// The `x / max(norm(x), least)` over the last axis that ends with the node `at` (PyTorch's `normalize`).
pub fn over_norms(compiled: &Compiled, at: usize) -> Option<OverNorms> {
    let wiring = compiled.wiring();
    let &[Some(input), Some(mut by)] = &wiring.inputs[at][..] else { return None };
    if wiring.operator(at) != "Div" {
        return None;
    }
    let mut nodes = vec![at];
    if let Some((node, inputs)) = compiled.made_by(by, "Expand") {
        nodes.push(node);
        by = inputs[0]?;
    }
    let mut least = 0.0;
    if let Some((node, inputs)) = compiled.made_by(by, "Clip") {
        let [low, high] = functions::bounds(&compiled.node_at(node)).ok()?;
        least = (low >= 0.0 && high == f64::INFINITY).then_some(low)?;
        nodes.push(node);
        by = inputs[0]?;
    }
    let (node, of) = over_last(compiled, by, "ReduceL2")?;
    nodes.push(node);
    let free = |&node: &usize| compiled.is_free(wiring.outputs[node][0], &nodes, at);
    let alone = nodes[1..].iter().all(free);
    (of == input && alone && compiled.is_computed(input)).then_some(OverNorms { input, least })
}

/// The layer normalization `(x - mean) / sqrt(mean((x - mean)^2) + epsilon)` that ends with the node `at`.
pub fn layer_norm(compiled: &Compiled, at: usize) -> Option<Norm> {
    let wiring = compiled.wiring();
    let &[Some(centred), Some(deviation)] = &wiring.inputs[at][..] else { return None };
    let quotient = wiring.operator(at) == "Div";
    let (centre, &[Some(input), Some(mean)]) = compiled.made_by(centred, "Sub").filter(|_| quotient)? else {
        return None;
    };
    let (root, &[Some(sum)]) = compiled.made_by(deviation, "Sqrt")? else { return None };
    let (add, inputs) = compiled.made_by(sum, "Add")?;
    let (variance, epsilon) = compiled.numbered(inputs)?;
    let (second, squares) = over_last(compiled, variance, "ReduceMean")?;
    let (first, of) = over_last(compiled, mean, "ReduceMean")?;
    let square = match compiled.made_by(squares, "Pow") {
        Some((node, &[Some(of), Some(power)])) => (of == centred && compiled.number(power)? == 2.0).then_some(node)?,
        Some(_) => return None,
        None => {
            let (node, &[Some(a), Some(b)]) = compiled.made_by(squares, "Mul")? else { return None };
            (a == centred && b == centred).then_some(node)?
        }
    };
    let nodes = [first, centre, square, second, add, root, at];
    let free = |&node: &usize| compiled.is_free(wiring.outputs[node][0], &nodes, at);
    let alone = nodes.iter().filter(|&&node| node != at).all(free);
    (of == input && alone && compiled.is_computed(input)).then_some(Norm { input, epsilon })
}

/// The node of a reduction over the last axis, which stays, and what it is of.
fn over_last(compiled: &Compiled, value: usize, reduction: &str) -> Option<(usize, usize)> {
    let (at, inputs) = compiled.made_by(value, reduction)?;
    let (node, input) = (compiled.node_at(at), inputs[0]?);
    let axes = node.ints("axes", 1).ok()??;
    let rank = compiled.known[input].as_ref()?.shape().len();
    let last = axes.len() == 1 && axis(axes[0], rank).ok()? + 1 == rank;
    (last && node.int("keepdims", 1) != 0).then_some((at, input))
}

/// What an activation by itself computes.
pub fn activate(node: &Node) -> Result<Lowered, Refusal> {
    let activation = node.then.activation.unwrap_or(Activation::Identity);
    functions::every(node, move |x| activation.forward(x))
}

/// The activation that ends with the node `at`.
pub fn activation(compiled: &Compiled, at: usize) -> Option<Found> {
    let inputs = &compiled.wiring().inputs[at];
    let x = inputs.first().copied().flatten()?;
    let whole = |activation| compiled.is_computed(x).then(|| Found { input: x, nodes: vec![at], activation });
    match compiled.wiring().operator(at) {
        "Relu" => whole(Activation::Relu),
        "HardSwish" => whole(Activation::HardSwish),
        "Clip" => whole(clip(compiled, at)?),
        "Gelu" => {
            let proto = &compiled.wiring().model.nodes[at];
            whole(match proto.text("approximate") {
                Some(b"tanh") => Activation::GeluTanh,
                None | Some(b"" | b"none") => Activation::Gelu,
                Some(_) => return None,
            })
        }
        "Mul" => {
            let found = product(compiled, at)?;
            // All that is between is for it alone.
            let inner = found.nodes.iter().filter(|&&node| node != at);
            let alone = |&node: &usize| compiled.is_free(compiled.wiring().outputs[node][0], &found.nodes, at);
            (compiled.is_computed(found.input) && inner.clone().all(alone)).then_some(found)
        }
        _ => None,
    }
}

fn clip(compiled: &Compiled, at: usize) -> Option<Activation> {
    match functions::bounds(&compiled.node_at(at)) {
        Ok([0.0, 6.0]) => Some(Activation::Relu6),
        Ok([0.0, f64::INFINITY]) => Some(Activation::Relu),
        _ => None,
    }
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-6 * expected.abs()
}

/// A value as a number times another, by a product or quotient if there is one; the node is noted.
fn scaled(compiled: &Compiled, value: usize, nodes: &mut Vec<usize>) -> (usize, f64) {
    let Some((node, of, number)) = compiled.multiple(value) else { return (value, 1.0) };
    nodes.push(node);
    (of, number)
}

/// What a product of three factors at most, one of them a number perhaps, is.
fn product(compiled: &Compiled, at: usize) -> Option<Found> {
    let inputs = &compiled.wiring().inputs[at][..];
    let &[Some(a), Some(b)] = inputs else { return None };
    let mut nodes = Vec::new();
    let (pair, number) = match compiled.numbered(inputs) {
        // (x gate) / 2
        Some((of, number)) => {
            let (node, inner) = compiled.made_by(of, "Mul")?;
            nodes.push(node);
            let &[Some(a), Some(b)] = inner else { return None };
            ([a, b], number)
        }
        None => ([a, b], 1.0),
    };
    for (one, gate) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        // (x / 2) gate, or x times the gate.
        for halved in [true, false] {
            let mut nodes = nodes.clone();
            let (input, half) = if halved { scaled(compiled, one, &mut nodes) } else { (one, 1.0) };
            if let Some((activation, expected)) = gated(compiled, input, gate, &mut nodes)
                && near(half * number, expected)
            {
                nodes.push(at);
                return Some(Found { input, nodes, activation });
            }
        }
    }
    None
}

/// The activation that `x` times a gate is, and the number that it is still to be multiplied by.
fn gated(compiled: &Compiled, x: usize, gate: usize, nodes: &mut Vec<usize>) -> Option<(Activation, f64)> {
    if let Some((node, &[Some(of)])) = compiled.made_by(gate, "Sigmoid") {
        nodes.push(node);
        if of == x {
            return Some((Activation::Silu, 1.0));
        }
        let (of, number) = scaled(compiled, of, nodes);
        return (of == x && near(number, 1.702)).then_some((Activation::QuickGelu, 1.0));
    }
    let (node, inputs) = compiled.made_by(gate, "Add")?;
    let (of, one) = compiled.numbered(inputs)?;
    nodes.push(node);
    if !near(one, 1.0) {
        return None;
    }
    if let Some((node, &[Some(of)])) = compiled.made_by(of, "Erf") {
        nodes.push(node);
        let (of, number) = scaled(compiled, of, nodes);
        return (of == x && near(number, std::f64::consts::FRAC_1_SQRT_2)).then_some((Activation::Gelu, 0.5));
    }
    let (node, &[Some(of)]) = compiled.made_by(of, "Tanh")? else { return None };
    nodes.push(node);
    let (of, number) = scaled(compiled, of, nodes);
    let (node, &[Some(a), Some(b)]) = compiled.made_by(of, "Add")? else { return None };
    nodes.push(node);
    let cubed = if a == x { b } else { a };
    let cube = (a == x || b == x).then(|| powers(compiled, x, cubed, nodes))??;
    let root = (2.0 / std::f64::consts::PI).sqrt();
    (near(number, root) && cube.0 == 3 && near(cube.1, 0.044_715)).then_some((Activation::GeluTanh, 0.5))
}

/// A value as a number times a power of `x`.
fn powers(compiled: &Compiled, x: usize, value: usize, nodes: &mut Vec<usize>) -> Option<(u32, f64)> {
    if nodes.len() > MOST_PIECES {
        return None;
    }
    if value == x {
        return Some((1, 1.0));
    }
    if let Some(number) = compiled.number(value) {
        return Some((0, number));
    }
    if let Some((node, &[Some(of), Some(power)])) = compiled.made_by(value, "Pow") {
        nodes.push(node);
        return (of == x && compiled.number(power)? == 3.0).then_some((3, 1.0));
    }
    let (node, &[Some(a), Some(b)]) = compiled.made_by(value, "Mul")? else { return None };
    nodes.push(node);
    let (a, b) = (powers(compiled, x, a, nodes)?, powers(compiled, x, b, nodes)?);
    Some((a.0 + b.0, a.1 * b.1))
}
