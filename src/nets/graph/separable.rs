//! A depthwise convolution with the 1 x 1 convolutions before and after it, in one pass on the CPU.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use super::compile::Compiled;
use super::convolutions::{Kind, Stored, four, kind, map};
use super::fusion::{Open, behind};
use super::gated;
use super::lowering::{Loader, Lowered, Node, Refusal, Run};
use super::operators::ELEMENTWISE;
use super::value::Array;
use crate::kernels::Separable;

/// Of nodes with weights, those that may go on with the one before them in one pass, or take what gates multiply.
pub fn together(compiled: &Compiled, weighted: &HashSet<usize>) -> HashSet<usize> {
    let mut nodes: Vec<usize> = weighted.iter().copied().collect();
    nodes.sort_unstable();
    let convolution = |at: &usize| (compiled.wiring().operator(*at) == "Conv").then(|| compiled.node_at(*at));
    let kinds: Vec<_> = nodes.iter().map(|at| convolution(at).and_then(|node| kind(&node).ok()?)).collect();
    let mut together = HashSet::new();
    for (pair, kinds) in nodes.windows(2).zip(kinds.windows(2)) {
        let first = !together.contains(&pair[0]);
        let goes_on = match kinds {
            [Some(Kind::Pointwise), Some(Kind::Depthwise)] => first && follows(compiled, pair[0], pair[1]),
            [Some(Kind::Depthwise), Some(Kind::Pointwise)] => follows(compiled, pair[0], pair[1]),
            _ => false,
        };
        if goes_on || kinds[1] == Some(Kind::Pointwise) && gated::factors(compiled, pair[1]).is_some() {
            together.insert(pair[1]);
        }
    }
    together
}

/// Whether nothing but functions of every unit lies between two nodes.
fn follows(compiled: &Compiled, before: usize, at: usize) -> bool {
    let wiring = compiled.wiring();
    let mut value = wiring.inputs[at][0];
    while let Some(maker) = value.and_then(|value| compiled.maker(value)) {
        if maker == before {
            return true;
        }
        if !ELEMENTWISE.contains(&wiring.operator(maker)) {
            return false;
        }
        value = wiring.inputs[maker].iter().copied().flatten().find(|&value| compiled.is_computed(value));
    }
    false
}

/// The convolution `at`, alone as `own`, with the one behind it and what that does already; none if the two are not of that kind.
///
/// # Errors
/// As those of convolutions.
pub fn joined(compiled: &Compiled, at: usize, own: &Open) -> Result<Option<Open>, Refusal> {
    let convolution = |at| compiled.wiring().operator(at) == "Conv";
    let Some(value) = own.values.first().copied().flatten() else { return Ok(None) };
    if !convolution(at) || !compiled.on_cpu() {
        return Ok(None);
    }
    let Some(behind) = behind(compiled, value, &[at], at) else { return Ok(None) };
    let other = &behind.open;
    let lies_there = compiled.view(value, at).of == value;
    let alone = other.values.first() == compiled.wiring().inputs[other.at].first();
    if !convolution(other.at) || other.then.summed || !lies_there || !alone && other.before.is_empty() {
        return Ok(None);
    }
    let model = &compiled.wiring().model;
    let kinds = (kind(&other.node(model))?, kind(&own.node(model))?);
    let before: Rc<[Open]> = match kinds {
        (Some(Kind::Pointwise), Some(Kind::Depthwise)) if other.before.is_empty() => Rc::new([other.clone()]),
        (Some(Kind::Depthwise), Some(Kind::Pointwise)) => other.before.iter().chain([other]).cloned().collect(),
        _ => return Ok(None),
    };
    let projected = kinds.1 == Some(Kind::Pointwise);
    let (first, depthwise) = (before[0].node(model), if projected { other } else { own }.node(model));
    let expands = before.len() > usize::from(projected);
    let inputs = if expands { Some(first.constant(1)?.shape[1]) } else { None };
    let [.., height, width] = map(&first)?;
    let Stored { groups: channels, window, .. } = Stored::of(&depthwise, [height, width])?;
    if !Separable::pays(inputs, channels, projected, window, [height, width]) {
        return Ok(None);
    }
    let mut open = Open { before: before.clone(), ..own.clone() };
    (open.inputs[0], open.values[0]) = (before[0].inputs[0].clone(), before[0].values[0]);
    // Nothing is added to what a depthwise convolution leaves.
    open.sums = projected;
    open.lower = Rc::new(move |node| separable(node, &before));
    Ok(Some(open))
}

/// A convolution behind those `before`; its first input is that of the first.
fn separable(node: &Node, before: &[Open]) -> Result<Lowered, Refusal> {
    let [images, channels, height, width] = map(node)?;
    let mut layers = Vec::new();
    let (mut shape, mut multiply_adds, mut all) = ([images, channels, height, width], 0, 0);
    let earlier: Vec<Node> = before.iter().map(|open| open.node(node.model)).collect();
    for node in earlier.iter().chain([node]) {
        let layer = Stored::of(node, [shape[2], shape[3]])?;
        let [rows, columns] = layer.window.output([shape[2], shape[3]]);
        shape = [images, layer.kernel.shape[0], rows, columns];
        multiply_adds = layer.multiply_adds(images, [rows, columns])?.saturating_add(multiply_adds);
        all += layer.weights();
        layers.push(layer);
    }
    let (key, summed) = (node.key, node.then.summed);
    Lowered::weighted(shape.to_vec(), &node.with_summand(&[0]), multiply_adds, all, move |loader: &Loader| {
        let separable = loader.once(key, || {
            let parts = layers.iter().map(Stored::part).collect::<Result<Vec<_>, _>>()?;
            Ok(Separable::new(&parts))
        })?;
        let run: Run = Arc::new(move |mut x| {
            let summand = summed.then(|| x.remove(1).view(shape));
            let own = four(&x[0]);
            vec![Array::new(separable.forward(x.remove(0).view(own), summand), &shape)]
        });
        Ok(run)
    })
}
