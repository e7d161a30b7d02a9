//! What is done in one pass: a batch normalization, a bias, a sum, an activation with what it follows.

use std::rc::Rc;

use burn::tensor::activation;

use super::compile::Joining;
use super::convolutions;
use super::elementwise;
use super::lowering::{Node, Refusal, Then};
use super::value::{Array, Constant, Known};
use super::wiring::Wiring;
use crate::kernels::Activation;

/// What follows a node and is done with it.
#[derive(Default)]
pub struct Chain {
    /// What is done.
    pub then: Then,
    /// The nodes, in order; none where nothing is.
    pub nodes: Vec<usize>,
    /// The value that is added.
    pub summand: Option<usize>,
}

/// Several nodes that are one function.
pub struct Pattern {
    /// The value it is of.
    pub input: usize,
    /// In order.
    pub nodes: Vec<usize>,
    /// The function.
    pub run: fn(Array) -> Array,
}

/// The only node that takes a value, if it is in the same stage as `at` and nothing else wants the value.
fn follower(wiring: &Wiring, value: usize, at: usize, joining: &Joining) -> Option<usize> {
    let &[taker] = &wiring.takers[value][..] else { return None };
    let end = joining.cuts.iter().copied().find(|&cut| cut > at).unwrap_or(usize::MAX);
    let free = !joining.wanted.contains(&value) && !wiring.results.contains(&value);
    (free && taker < end).then_some(taker)
}

/// What is known of a node's input.
fn input<'a>(wiring: &Wiring, known: &'a [Option<Known>], node: usize, at: usize) -> Option<&'a Known> {
    known[(*wiring.inputs[node].get(at)?)?].as_ref()
}

/// A constant of a single number.
fn is_number(known: Option<&Known>, number: f32) -> bool {
    let Some(Known::Constant(constant)) = known else { return false };
    constant.number().is_ok_and(|found| found.is_some_and(|found| (found - number).abs() <= 1e-6 * number.abs()))
}

/// The nodes after `node`, whose output is of `shape`, that are done in its pass.
pub fn chain(
    wiring: &Wiring,
    node: &Node,
    shape: &[usize],
    known: &[Option<Known>],
    joining: &Joining,
) -> Result<Chain, Refusal> {
    let operator = node.proto.op_type.as_str();
    let is_dense = operator == "Gemm" || operator == "MatMul" && matches!(node.inputs[1], Some(Known::Constant(_)));
    let is_conv = operator == "Conv";
    let is_sum =
        operator == "Add" && node.shape(0)? == node.shape(1)? && node.inputs.iter().flatten().all(Known::is_computed);
    let mut chain = Chain::default();
    if !(is_dense || is_conv || is_sum || operator == "BatchNormalization") || !node.input(0)?.is_computed() {
        return Ok(chain);
    }
    let mut value = wiring.outputs[node.at][0];
    let mut next = follower(wiring, value, node.at, joining);
    let mut join = |chain: &mut Chain, taker: usize| {
        chain.nodes.push(taker);
        value = wiring.outputs[taker][0];
        follower(wiring, value, node.at, joining)
    };
    if let Some(taker) = next.filter(|&taker| is_conv && wiring.operator(taker) == "BatchNormalization")
        && wiring.inputs[taker][0] == Some(wiring.outputs[node.at][0])
    {
        let inputs = (0..5).map(|at| match at {
            0 => Some(Known::Computed(shape.to_vec())),
            _ => input(wiring, known, taker, at).cloned(),
        });
        let proto = &wiring.model.nodes[taker];
        let norm = Node { at: taker, proto, inputs: inputs.collect(), then: Then::default(), ..*node };
        chain.then.norm = Some(convolutions::norm(&norm)?);
        next = join(&mut chain, taker);
    }
    if let Some(taker) = next.filter(|&taker| wiring.operator(taker) == "Add") {
        let before = chain.nodes.last().map_or(node.at, |&last| last);
        let own = wiring.outputs[before][0];
        let other = wiring.inputs[taker].iter().copied().flatten().find(|&input| input != own);
        let outputs = *shape.last().unwrap_or(&1);
        match other.and_then(|value| Some((value, known[value].as_ref()?))) {
            Some((_, Known::Constant(bias)))
                if is_dense && chain.nodes.is_empty() && node.inputs.len() < 3 && is_row(bias, outputs) =>
            {
                chain.then.bias = Some(bias.clone());
                next = join(&mut chain, taker);
            }
            Some((value, Known::Computed(other))) if is_conv && other[..] == *shape => {
                chain.then.summed = true;
                chain.summand = Some(value);
                next = join(&mut chain, taker);
            }
            _ => {}
        }
    }
    if let Some(taker) = next
        && let Some(activation) = activates(wiring, known, taker)
    {
        chain.then.activation = Some(activation);
        join(&mut chain, taker);
    }
    Ok(chain)
}

/// Whether a constant is one number for each of `outputs`.
fn is_row(constant: &Rc<Constant>, outputs: usize) -> bool {
    constant.shape.last() == Some(&outputs) && constant.shape.iter().product::<usize>() == outputs
}

/// The activation that a node is, if kernels do it in passing.
fn activates(wiring: &Wiring, known: &[Option<Known>], node: usize) -> Option<Activation> {
    match wiring.operator(node) {
        "Relu" => Some(Activation::Relu),
        "Clip" => {
            let inputs = wiring.inputs[node].iter().map(|input| input.and_then(|value| known[value].clone()));
            let proto = &wiring.model.nodes[node];
            let (model, opset) = (&*wiring.model, wiring.model.opset);
            let clip = Node { model, at: node, proto, inputs: inputs.collect(), opset, then: Then::default() };
            match elementwise::bounds(&clip) {
                Ok([0.0, 6.0]) => Some(Activation::Relu6),
                Ok([0.0, f64::INFINITY]) => Some(Activation::Relu),
                _ => None,
            }
        }
        _ => None,
    }
}

/// A function that exporters write out: GELU by the error function, `x sigmoid(x)`.
pub fn pattern(wiring: &Wiring, at: usize, known: &[Option<Known>], joining: &Joining) -> Option<Pattern> {
    let x = wiring.inputs[at].first().copied().flatten()?;
    known[x].as_ref().filter(|known| known.is_computed())?;
    let next = |node: usize, operator: &str| {
        let taker = follower(wiring, wiring.outputs[node][0], at, joining)?;
        (wiring.operator(taker) == operator).then_some(taker)
    };
    match wiring.operator(at) {
        "Sigmoid" => {
            let mul = next(at, "Mul")?;
            let run: fn(Array) -> Array = |x| {
                let shape = x.shape.clone();
                Array::new(elementwise::silu(x.flat()), &shape)
            };
            takes(wiring, mul, x).then_some(Pattern { input: x, nodes: vec![at, mul], run })
        }
        "Div" if is_number(input(wiring, known, at, 1), std::f32::consts::SQRT_2) => {
            let erf = next(at, "Erf")?;
            let add = next(erf, "Add")?;
            let (first, second) = (next(add, "Mul")?, next(next(add, "Mul")?, "Mul")?);
            let number = |node: usize, number: f32| (0..2).any(|at| is_number(input(wiring, known, node, at), number));
            let is_gelu = number(add, 1.0)
                && (takes(wiring, first, x) && number(second, 0.5) || number(first, 0.5) && takes(wiring, second, x));
            let run: fn(Array) -> Array = |x| {
                let shape = x.shape.clone();
                Array::new(activation::gelu(x.flat()), &shape)
            };
            is_gelu.then_some(Pattern { input: x, nodes: vec![at, erf, add, first, second], run })
        }
        _ => None,
    }
}

fn takes(wiring: &Wiring, node: usize, value: usize) -> bool {
    wiring.inputs[node].contains(&Some(value))
}
