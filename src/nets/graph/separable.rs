//! A depthwise convolution with the 1 x 1 convolutions before and after it, in one pass on the CPU.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use super::affine;
use super::compile::Compiled;
use super::convolutions::{four, map, window};
use super::fusion::{Open, behind};
use super::lowering::{Loader, Lowered, Node, Refusal, Run, Then, weights};
use super::value::{Array, Constant};
use crate::kernels::separable::{Part, Separable};
use crate::kernels::{Activation, Window};
use crate::weights::WeightsError;

/// What one of the convolutions does.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// 1 x 1, of all channels.
    Pointwise,
    /// Of each channel by itself.
    Depthwise,
}

/// Of nodes with weights, those that may go on with the one before them in one pass.
pub fn together(compiled: &Compiled, weighted: &HashSet<usize>) -> HashSet<usize> {
    let mut nodes: Vec<usize> = weighted.iter().copied().collect();
    nodes.sort_unstable();
    let convolution = |at: &usize| (compiled.wiring().operator(*at) == "Conv").then(|| compiled.node_at(*at));
    let kinds: Vec<_> = nodes.iter().map(|at| convolution(at).and_then(|node| kind(&node).ok()?)).collect();
    let mut together = HashSet::new();
    for (pair, kinds) in nodes.windows(2).zip(kinds.windows(2)) {
        let first = !together.contains(&pair[0]);
        let goes_on = match kinds {
            [Some(Kind::Pointwise), Some(Kind::Depthwise)] => first,
            [Some(Kind::Depthwise), Some(Kind::Pointwise)] => true,
            _ => false,
        };
        if goes_on {
            together.insert(pair[1]);
        }
    }
    together
}

/// The convolution `at`, alone as `own`, with the one behind it and what that does already; none if the two are not of that kind.
///
/// # Errors
/// As those of convolutions.
pub fn joined(compiled: &Compiled, at: usize, own: &Open) -> Result<Option<Open>, Refusal> {
    let convolution = |at| compiled.wiring().operator(at) == "Conv";
    let &[Some(value), Some(_), ..] = &own.values[..] else { return Ok(None) };
    if !convolution(at) || !compiled.on_cpu() {
        return Ok(None);
    }
    let Some(behind) = behind(compiled, value, &[at], at) else { return Ok(None) };
    let other = &behind.open;
    let lies_there = behind.places.is_plain(behind.places.units()) && compiled.view(value, at).of == value;
    let alone = other.values.first() == compiled.wiring().inputs[other.at].first();
    if !convolution(other.at) || other.then.summed || !lies_there || !(alone || !other.before.is_empty()) {
        return Ok(None);
    }
    let model = &compiled.wiring().model;
    let kinds = (kind(&other.node(model))?, kind(&own.node(model))?);
    let before = match kinds {
        (Some(Kind::Pointwise), Some(Kind::Depthwise)) if other.before.is_empty() => {
            Rc::new([other.clone()]) as Rc<[_]>
        }
        (Some(Kind::Depthwise), Some(Kind::Pointwise)) => other.before.iter().chain([other]).cloned().collect(),
        _ => return Ok(None),
    };
    let mut open = Open { before: before.clone(), ..own.clone() };
    (open.inputs[0], open.values[0]) = (before[0].inputs[0].clone(), before[0].values[0]);
    // Nothing is added to what a depthwise convolution leaves.
    open.sums = kinds.1 == Some(Kind::Pointwise);
    open.lower = Rc::new(move |node| separable(node, &before));
    Ok(Some(open))
}

/// What a convolution does; none if it is of another kind.
///
/// # Errors
/// As those of convolutions.
pub fn kind(node: &Node) -> Result<Option<Kind>, Refusal> {
    let Ok(&[outputs, inputs, high, wide]) = <&[usize; 4]>::try_from(&node.constant(1)?.shape[..]) else {
        return Ok(None);
    };
    let (groups, [.., height, width]) = (node.groups()?, map(node)?);
    let (window, _) = window(node, [high, wide], [height, width])?;
    Ok(match groups {
        1 if window == Window::square(1, 1, [(0, 0); 2]) => Some(Kind::Pointwise),
        2.. if groups == outputs && inputs == 1 && high * wide > 1 => Some(Kind::Depthwise),
        _ => None,
    })
}

/// A convolution as the file has it.
pub struct Layer {
    /// `[out, in / groups, height, width]`.
    pub kernel: Rc<Constant>,
    bias: Option<Rc<Constant>>,
    then: Then,
    window: Window,
    groups: usize,
}

impl Layer {
    /// For a map of this height and width.
    ///
    /// # Errors
    /// As those of convolutions.
    pub fn of(node: &Node, input: [usize; 2]) -> Result<Self, Refusal> {
        let kernel = node.constant(1)?.clone();
        let (window, _) = window(node, [kernel.shape[2], kernel.shape[3]], input)?;
        let (bias, groups) = (node.bias(kernel.shape[0])?, node.groups()?);
        Ok(Self { kernel, bias, then: node.then.clone(), window, groups })
    }

    /// With its weights, and what follows in them.
    ///
    /// # Errors
    /// As those of weights.
    pub fn part(&self) -> Result<Part, WeightsError> {
        let Self { kernel, bias, then, window, groups } = self;
        let (weight, bias) = affine::folded(weights(kernel)?, kernel.shape[0], bias.as_deref(), then)?;
        let activation = then.activation.unwrap_or(Activation::Identity);
        Ok(Part { weight, bias, window: *window, groups: *groups, activation })
    }
}

/// A convolution behind those `before`; its first input is that of the first.
fn separable(node: &Node, before: &[Open]) -> Result<Lowered, Refusal> {
    let [images, channels, height, width] = map(node)?;
    let mut layers = Vec::new();
    let (mut shape, mut multiply_adds, mut all) = ([images, channels, height, width], 0, 0);
    let earlier: Vec<Node> = before.iter().map(|open| open.node(node.model)).collect();
    for node in earlier.iter().chain([node]) {
        let layer = Layer::of(node, [shape[2], shape[3]])?;
        let [rows, columns] = layer.window.output([shape[2], shape[3]]);
        let outputs = layer.kernel.shape[0];
        let units = layer.kernel.shape.iter().product::<usize>();
        (shape, multiply_adds, all) =
            ([images, outputs, rows, columns], multiply_adds + units * images * rows * columns, all + units + outputs);
        layers.push(layer);
    }
    let (at, summed) = (node.at, node.then.summed);
    let takes: &[usize] = if summed { &[0, node.inputs.len() - 1] } else { &[0] };
    Lowered::weighted(shape.to_vec(), takes, multiply_adds, all, move |loader: &Loader| {
        let separable = loader.once(at, || {
            let parts = layers.iter().map(Layer::part).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, WeightsError>(Separable::new(&parts))
        })?;
        let run: Run = Arc::new(move |mut x| {
            let summand = summed.then(|| x.remove(1).view(shape));
            let own = four(&x[0]);
            vec![Array::new(separable.forward(x.remove(0).view(own), summand), &shape)]
        });
        Ok(run)
    })
}
