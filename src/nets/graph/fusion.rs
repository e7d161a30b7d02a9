//! What is done in one pass: after a convolution or a dense layer a batch normalization, what multiplies or is added to each
//! output by itself, a sum, an activation; after a sum an activation; after a layer normalization in pieces its scale and shift;
//! rows over their norms.
//!
//! A node that follows looks back: if nothing else takes what its operand's step computes, another step does both, and the
//! first is left out. What is tapped is wanted as it is, so that its step stays and the node is one of its own.

use std::rc::Rc;

use super::attention;
use super::compile::Compiled;
use super::convolutions;
use super::elementwise;
use super::layouts;
use super::lowering::{Affine, Key, Lowered, Node, Refusal, Then};
use super::norms;
use super::patterns;
use super::places::Places;
use super::value::{Constant, Known};
use super::wiring::Wiring;
use crate::weights::onnx::model::Model;

/// A step that may do more.
#[derive(Clone)]
pub struct Open {
    /// Its node.
    pub at: usize,
    /// The last node that it does.
    pub step: usize,
    /// From what is known of the inputs to what is computed.
    pub lower: Lower,
    /// What is known of the inputs.
    pub inputs: Vec<Option<Known>>,
    /// The inputs.
    pub values: Vec<Option<usize>>,
    /// What it does after its own.
    pub then: Then,
    /// Whether it may do more.
    pub opens: bool,
    /// Whether a sum may be among it.
    pub sums: bool,
    /// Of a convolution or a dense layer, how many outputs there are and how far apart they lie.
    pub channels: Option<(usize, usize)>,
    /// Convolutions before it in the same pass.
    pub before: Rc<[Open]>,
}

/// From a node to what it computes.
pub type Lower = Rc<dyn Fn(&Node) -> Result<Lowered, Refusal>>;

impl Open {
    /// A node by itself.
    pub fn new(at: usize, lower: Lower, inputs: Vec<Option<Known>>, values: Vec<Option<usize>>) -> Self {
        let then = Then::default();
        let before = Rc::new([]);
        Self { at, step: at, lower, inputs, values, then, opens: false, sums: true, channels: None, before }
    }

    /// What it computes.
    ///
    /// # Errors
    /// As the operator's.
    pub fn lower(&self, wiring: &Wiring) -> Result<Lowered, Refusal> {
        (self.lower)(&self.node(&wiring.model))
    }

    /// Its node.
    pub fn node<'a>(&self, model: &'a Model) -> Node<'a> {
        let (proto, inputs, then) = (&model.nodes[self.at], self.inputs.clone(), self.then.clone());
        Node { model, key: Key::new(self.at, self.step, &then), proto, inputs, opset: model.opset, then }
    }

    /// Whether what is done to each output may follow.
    fn takes_affine(&self) -> bool {
        self.channels.is_some() && !self.then.summed && self.then.activation.is_none()
    }

    /// Whether an activation may follow.
    fn takes_activation(&self) -> bool {
        // A dense layer on a GPU has its activation before the sum.
        let dense = self.channels.is_some_and(|(_, step)| step == 1) && self.then.summed;
        self.then.activation.is_none() && !dense
    }
}

/// Whether a node's step may do more: convolutions, dense layers, batch normalizations, sums of two of a shape, products with a
/// factor for every channel of an image.
pub fn opens(compiled: &Compiled, at: usize) -> bool {
    let inputs = &compiled.wiring().inputs[at];
    let computed = |n: usize| inputs.get(n).copied().flatten().is_some_and(|value| compiled.is_computed(value));
    let shape = |n: usize| inputs[n].and_then(|value| compiled.known[value].as_ref()).map(Known::shape);
    let stored =
        |n: usize| matches!(inputs[n].and_then(|value| compiled.known[value].as_ref()), Some(Known::Constant(_)));
    match compiled.wiring().operator(at) {
        "MatMul" => computed(0) && stored(1) && shape(1).is_some_and(|shape| shape.len() == 2),
        "Conv" | "Gemm" | "BatchNormalization" => computed(0) && stored(1),
        "Add" => computed(0) && computed(1) && shape(0) == shape(1),
        "Mul" => computed(0) && computed(1) && factors(compiled, at).is_some(),
        _ => false,
    }
}

/// As [`elementwise::factors`], of a product's inputs, one way or the other.
fn factors(compiled: &Compiled, at: usize) -> Option<(usize, usize)> {
    let &[Some(a), Some(b)] = &compiled.wiring().inputs[at][..] else { return None };
    let [a, b] = [compiled.known[a].as_ref()?.shape(), compiled.known[b].as_ref()?.shape()];
    elementwise::factors(a, b).or_else(|| elementwise::factors(b, a))
}

/// How many outputs a convolution, a dense layer or a product with factors has, and how far apart they lie.
pub fn channels(compiled: &Compiled, at: usize, shape: &[usize]) -> Option<(usize, usize)> {
    match compiled.wiring().operator(at) {
        "Mul" => factors(compiled, at),
        "Conv" => Some((*shape.get(1)?, shape[2..].iter().product())),
        "Gemm" | "MatMul" => Some((*shape.last()?, 1)),
        _ => None,
    }
}

/// Lets the weights of a convolution or a dense layer do what multiplies all its input, if the product is for it alone; whether
/// there is such a product.
pub fn unscale(compiled: &Compiled, at: usize, own: &mut Open) -> bool {
    let layer = own.opens && matches!(compiled.wiring().operator(at), "Conv" | "Gemm" | "MatMul");
    let Some(value) = own.values[0].filter(|_| layer) else { return false };
    let (mut of, mut factor) = (value, 1.0);
    while compiled.is_free(of, &compiled.wiring().takers[of], at)
        && compiled.wiring().takers[of].len() == 1
        && let Some((node, root, number)) = attention::multiple(compiled, of, at)
        && patterns::activation(compiled, node).is_none()
    {
        (of, factor) = (root, factor * number);
    }
    // Weights times others may be zeros or infinite.
    if of == value || !(1e-12..1e12).contains(&factor.abs()) {
        return false;
    }
    (own.values[0], own.inputs[0], own.then.factor) = (Some(of), compiled.known[of].clone(), factor);
    true
}

/// The step behind a node's operand that may do the node as well, and where the operand lies in what it computes.
pub struct Behind {
    /// The step.
    pub open: Open,
    /// The places.
    pub places: Places,
}

/// That step, if nothing but the nodes `within` takes the operand.
pub fn behind(compiled: &Compiled, value: usize, within: &[usize], at: usize) -> Option<Behind> {
    let view = compiled.view(value, at);
    let between = |value: usize| compiled.is_free(value, &compiled.wiring().takers[value], at);
    let open = compiled.open(view.of)?;
    // Of the values between, only the next is taken: each has one taker.
    let single = |value: usize| compiled.wiring().takers_of_values(value).count() <= 1;
    let alone =
        compiled.is_free(value, within, at) && compiled.through(&view).all(|value| between(value) && single(value));
    let units = compiled.known[view.of].as_ref()?.units();
    (alone && view.places.is_permutation(units)).then(|| Behind { open: open.clone(), places: view.places })
}

/// Joins a node, which gives a value of `shape`, to the step behind it, if that may do both.
///
/// # Errors
/// As those of the operators.
pub fn join(compiled: &mut Compiled, at: usize, shape: &[usize]) -> Result<bool, Refusal> {
    let output = compiled.wiring().outputs[at][0];
    // A number among the pieces may have more axes than what they are of.
    let keeps = |input: usize| compiled.known[input].as_ref().is_some_and(|known| known.shape() == shape);
    if let Some(found) = patterns::activation(compiled, at).filter(|found| keeps(found.input)) {
        let step = match behind(compiled, found.input, &found.nodes, at).filter(|step| step.open.takes_activation()) {
            Some(mut step) => {
                step.open.then.activation = Some(found.activation);
                step
            }
            None => alone(compiled, at, &found),
        };
        compiled.put(Open { step: at, ..step.open }, output, step.places)?;
        return Ok(true);
    }
    if let Some(found) = patterns::layer_norm(compiled, at).filter(|found| keeps(found.input)) {
        let Behind { open, places } = normalization(compiled, at, &found);
        compiled.put(open, output, places)?;
        return Ok(true);
    }
    if let Some(found) = patterns::over_norms(compiled, at).filter(|found| keeps(found.input)) {
        let (least, known) = (found.least, compiled.known[found.input].clone());
        let lower = move |node: &Node| norms::over_norms_of_rows(node, least);
        compiled.put(
            Open::new(at, Rc::new(lower), vec![known], vec![Some(found.input)]),
            output,
            Places::plain(shape),
        )?;
        return Ok(true);
    }
    let joined = match compiled.wiring().operator(at) {
        "BatchNormalization" => normalized(compiled, at)?,
        "Add" => match added(compiled, at) {
            Some(step) => Some(step),
            None => each(compiled, at, Affine::Plus),
        },
        "Mul" => each(compiled, at, Affine::Times),
        _ => None,
    };
    let Some(Behind { open, places }) = joined else { return Ok(false) };
    compiled.put(Open { step: at, ..open }, output, places)?;
    Ok(true)
}

/// An activation by itself, computed where its input lies if all of that is there.
fn alone(compiled: &Compiled, at: usize, found: &patterns::Found) -> Behind {
    let view = compiled.view(found.input, at);
    let units = compiled.known[view.of].as_ref().map_or(0, Known::units);
    let (value, places) = match view.places.is_permutation(units) {
        true => (view.of, view.places),
        false => (found.input, Places::plain(&view.places.shape)),
    };
    let mut open = Open::new(at, Rc::new(patterns::activate), vec![compiled.known[value].clone()], vec![Some(value)]);
    open.then.activation = Some(found.activation);
    Behind { open, places }
}

/// A layer normalization that was in pieces, computed where its input lies if that has its rows; scale and shift may follow.
fn normalization(compiled: &Compiled, at: usize, found: &patterns::Norm) -> Behind {
    let epsilon = found.epsilon;
    let lower = move |node: &Node| norms::in_pieces(node, epsilon);
    let known = &compiled.known[found.input];
    let mut open = Open::new(at, Rc::new(lower), vec![known.clone()], vec![Some(found.input)]);
    let shape = known.as_ref().map_or(&[][..], Known::shape);
    let units = shape.last().copied().unwrap_or(1);
    (open.opens, open.sums, open.channels) = (true, false, Some((units, 1)));
    let view = compiled.view(found.input, at);
    let whole = compiled.known[view.of].as_ref().is_some_and(|root| view.places.is_permutation(root.units()));
    let laid = layouts::rows(&open, &view.places, view.of, units, units, open.channels).filter(|_| whole);
    let (open, places) = laid.unwrap_or_else(|| (open, Places::plain(shape)));
    Behind { open, places }
}

/// A convolution or a dense layer and the batch normalization after it.
fn normalized(compiled: &Compiled, at: usize) -> Result<Option<Behind>, Refusal> {
    let wiring = compiled.wiring();
    let Some(value) = wiring.inputs[at][0] else { return Ok(None) };
    let Some(mut step) = behind(compiled, value, &[at], at).filter(|step| step.open.takes_affine()) else {
        return Ok(None);
    };
    if step.open.channels.is_none_or(|channels| step.places.axis_of(channels) != Some(1)) {
        return Ok(None);
    }
    let (tensors, epsilon) = convolutions::norm(&compiled.node_at(at))?;
    step.open.then.affine.push(Affine::Norm(tensors, epsilon));
    Ok(Some(step))
}

/// A convolution or a dense layer and what multiplies each output or is added to it.
fn each(compiled: &Compiled, at: usize, affine: fn(Rc<Constant>) -> Affine) -> Option<Behind> {
    let (value, constant) = compiled.with_constant(&compiled.wiring().inputs[at])?;
    let mut step = behind(compiled, value, &[at], at).filter(|step| step.open.takes_affine())?;
    let rank = step.places.shape.len();
    let channels = step.open.channels?;
    let along =
        |axis: usize| axis.checked_sub(rank.checked_sub(constant.shape.len())?).map(|axis| constant.shape[axis]);
    let fits = match constant.shape.iter().product::<usize>() {
        1 => constant.shape.len() <= rank,
        units => units == channels.0 && along(step.places.axis_of(channels)?) == Some(units),
    };
    step.open.then.affine.push(affine(constant.clone()));
    fits.then_some(step)
}

/// A convolution or a dense layer and what is added to all of it; of two, the one that is computed later.
fn added(compiled: &Compiled, at: usize) -> Option<Behind> {
    let &[Some(a), Some(b)] = &compiled.wiring().inputs[at][..] else { return None };
    if !opens(compiled, at) || a == b {
        return None;
    }
    let mut both = [(a, b), (b, a)];
    both.sort_by_key(|&(value, _)| std::cmp::Reverse(compiled.maker(value)));
    both.into_iter().find_map(|(value, other)| {
        let mut step = behind(compiled, value, &[at], at).filter(|step| step.open.takes_affine())?;
        let before = compiled.maker(other).is_none_or(|maker| maker < at);
        let root = compiled.view(other, at);
        let units = compiled.known[root.of].as_ref()?.units();
        let summand = match root.places.lie_as(&step.places) && root.places.is_permutation(units) {
            true => root.of,
            false if step.places.is_plain(step.places.units()) => other,
            false => return None,
        };
        // Behind the bias, there or not.
        let length = step.open.values.len().max(3);
        step.open.values.resize(length, None);
        step.open.inputs.resize(length, None);
        step.open.values.push(Some(summand));
        step.open.inputs.push(compiled.known[summand].clone());
        step.open.then.summed = true;
        (before && step.open.sums).then_some(step)
    })
}

#[cfg(test)]
mod tests;
