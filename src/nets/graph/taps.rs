//! Where a graph is tapped and where it is cut.

use std::collections::HashSet;

use super::compile::Compiled;
use super::modules::modules;
use super::operators::ELEMENTWISE;
use super::value::Known;
use super::wiring::Wiring;
use crate::nets::activations::Shape;
use crate::nets::blueprint::{FEWEST_UNITS, Layer};

/// Fewest modules at the top that are taken for layers where there are no blocks.
const FEWEST_AT_TOP: usize = 8;

/// Fewest values that alone are alive somewhere that are taken for the layers where nothing names modules.
const FEWEST_PASSED: usize = 4;

/// The values before `cut` that are needed from it on, in the order of computation.
pub fn alive(wiring: &Wiring, compiled: &Compiled, cut: usize) -> Vec<usize> {
    let mut alive = Vec::new();
    let before = (0..cut).flat_map(|node| wiring.outputs[node].iter().copied());
    for value in [wiring.image].into_iter().chain(before) {
        let later = wiring.takers[value].iter().any(|&taker| taker >= cut && matters(wiring, compiled, taker));
        if compiled.is_computed(value) && later && !alive.contains(&value) {
            alive.push(value);
        }
    }
    alive
}

/// Whether what a node computes is of the images; shapes are not.
fn matters(wiring: &Wiring, compiled: &Compiled, node: usize) -> bool {
    wiring.outputs[node].iter().any(|&output| match &compiled.known[output] {
        Some(known) => known.is_computed(),
        // Joined into another step.
        None => true,
    })
}

/// Before every node, and after the last, the value that alone is alive; none where there are several.
pub fn alone(wiring: &Wiring, compiled: &Compiled) -> Vec<Option<usize>> {
    let nodes = wiring.nodes();
    // For every value, the last node that takes it; a difference array counts those alive at each node.
    let mut changes = vec![0i64; nodes + 1];
    let mut spans = Vec::new();
    for (value, known) in compiled.known.iter().enumerate() {
        if !known.as_ref().is_some_and(Known::is_computed) {
            continue;
        }
        let made = wiring.maker[value].map_or(0, |node| node + 1);
        let takers = wiring.takers[value].iter().filter(|&&taker| matters(wiring, compiled, taker));
        let last = takers.max().copied();
        let last = if wiring.results.contains(&value) { Some(nodes - 1) } else { last };
        if let Some(last) = last.filter(|&last| last >= made) {
            changes[made] += 1;
            changes[last + 1] -= 1;
            spans.push((made, last, value));
        }
    }
    let mut count = 0;
    let counts: Vec<i64> = changes
        .iter()
        .map(|change| {
            count += change;
            count
        })
        .collect();
    let mut alone = vec![None; nodes + 1];
    for &(made, last, value) in &spans {
        (made..=last).filter(|&at| counts[at] == 1).for_each(|at| alone[at] = Some(value));
    }
    alone
}

/// Where a graph is cut: right before a convolution or product with weights, where one value is alive, unless it is one of
/// `together` and goes on with the one before.
pub fn cuts(
    alone: &[Option<usize>],
    shape: impl Fn(usize) -> Option<Shape>,
    weighted: &HashSet<usize>,
    together: &HashSet<usize>,
) -> Vec<usize> {
    let mut before: Vec<usize> = weighted.iter().copied().collect();
    before.sort_unstable();
    // What stands between two products goes with the first, as far as one value is alive.
    let starts = before.windows(2).filter(|pair| !together.contains(&pair[1])).filter_map(|pair| {
        (pair[0] + 1..=pair[1]).rev().find(|&cut| alone[cut].is_some_and(|value| shape(value).is_some()))
    });
    let mut cuts: Vec<usize> = starts.collect();
    cuts.dedup();
    cuts
}

/// Behind every convolution and product, up to the next: what alone is alive first, after its activation.
fn passed(
    wiring: &Wiring,
    compiled: &Compiled,
    alone: &[Option<usize>],
    shape: impl Fn(usize) -> Option<Shape>,
    weighted: &HashSet<usize>,
) -> HashSet<usize> {
    let mut before: Vec<usize> = weighted.iter().copied().chain([wiring.nodes()]).collect();
    before.sort_unstable();
    let mut passed = HashSet::new();
    for pair in before.windows(2) {
        let mut places = (pair[0] + 1..=pair[1]).filter(|&at| alone[at].is_some_and(|value| shape(value).is_some()));
        let Some(first) = places.next() else { continue };
        let mut value = alone[first];
        // Constants may stand between, such as the bounds of a `Clip`.
        let computing = (first..pair[1]).filter(|&node| matters(wiring, compiled, node));
        let behind = computing.take_while(|&node| ELEMENTWISE.contains(&wiring.operator(node)));
        behind.for_each(|node| value = alone[node + 1].or(value));
        passed.extend(value);
    }
    passed
}

/// All layers and the values they are of, in the order of computation.
pub fn layers(
    wiring: &Wiring,
    compiled: &Compiled,
    alone: &[Option<usize>],
    shape: impl Fn(usize) -> Option<Shape>,
    weighted: &HashSet<usize>,
) -> (Vec<Layer>, Vec<(usize, usize)>) {
    let constant = |node: usize| wiring.inputs[node].iter().flatten().find(|&&value| !compiled.is_computed(value));
    let weights = |node: usize| weighted.contains(&node).then(|| *constant(node).unwrap_or(&wiring.outputs[node][0]));
    // All that follows is computed from it, and it is no classifier's layer and no gate, which have one place.
    let is_passage =
        |value: usize| alone.contains(&Some(value)) && shape(value).is_some_and(|shape| shape.positions() > 1);
    let modules = modules(
        wiring,
        |value| shape(value).is_some(),
        weights,
        |node| weighted.contains(&node) || constant(node).is_some(),
        is_passage,
    );
    // Without modules: the blocks, as what alone is alive, else what follows every convolution or product.
    let mut unnamed = passed(wiring, compiled, alone, &shape, weighted);
    if unnamed.len() < FEWEST_PASSED {
        unnamed.extend(weighted.iter().map(|&node| after_activation(wiring, wiring.outputs[node][0])));
    }
    let blocks: HashSet<usize> = modules.iter().filter(|module| module.is_block).map(|module| module.output).collect();
    let has_blocks = !blocks.is_empty();
    let at_top = modules.iter().filter(|module| !module.path.contains('.')).count() >= FEWEST_AT_TOP;
    let mut found: Vec<(usize, String, bool)> = Vec::new();
    let results: HashSet<usize> = wiring.results.iter().copied().collect();
    let mut taken: HashSet<usize> = HashSet::new();
    for module in modules.iter() {
        let asked = match (has_blocks, at_top) {
            (true, _) => module.is_block,
            (false, true) => !module.path.contains('.'),
            (false, false) => unnamed.contains(&module.output),
        };
        // Where the last block gives what comes out, it goes by the block's name.
        let asked = asked || results.contains(&module.output) && !blocks.contains(&module.output);
        found.push((module.output, module.path.clone(), asked && taken.insert(module.output)));
    }
    let any = has_blocks || at_top;
    let paths: HashSet<&str> = modules.iter().map(|module| module.path.as_str()).collect();
    for (value, name) in wiring.names.iter().enumerate() {
        if value == wiring.image || shape(value).is_none() || paths.contains(name.as_str()) {
            continue;
        }
        let asked = results.contains(&value) || !any && unnamed.contains(&value);
        found.push((value, name.clone(), asked && taken.insert(value)));
    }
    let at = |value: usize| wiring.maker[value].unwrap_or(0);
    found.sort_by_key(|&(value, ..)| at(value));
    let layer = |(value, name, all): &(usize, String, bool)| {
        let shape = shape(*value).expect("a layer has images first");
        Layer { name: name.clone(), label: name.clone(), shape, on_request: !all || shape.units() < FEWEST_UNITS }
    };
    (found.iter().map(layer).collect(), found.iter().map(|&(value, ..)| (value, at(value))).collect())
}

/// The value after the bias and activation that alone take `value`.
fn after_activation(wiring: &Wiring, mut value: usize) -> usize {
    const PASSING: &[&str] =
        &["Add", "BatchNormalization", "Relu", "Clip", "Sigmoid", "HardSwish", "Gelu", "LeakyRelu", "Tanh"];
    while let [taker] = wiring.takers[value][..] {
        let operator = wiring.operator(taker);
        let computed = |input: &Option<usize>| input.is_some_and(|input| wiring.maker[input].is_some());
        let alone = wiring.inputs[taker].iter().filter(|input| computed(input)).count() == 1;
        if !PASSING.contains(&operator) || operator == "Add" && !alone {
            break;
        }
        value = wiring.outputs[taker][0];
    }
    value
}
