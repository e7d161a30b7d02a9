//! Attention as exporters write it: products with a softmax between them, of queries, keys and values that are moved and
//! scaled in one way or another, is one step; what is only moved is read from where it lies.

use std::rc::Rc;

use super::compile::{Compiled, View};
use super::fusion::Open;
use super::lowering::{Lowered, Node, Refusal, axis};
use super::places::Places;
use super::value::Array;
use crate::kernels::attention::{Counts, Lying, attention_of};

/// Queries, keys or values: `[images, heads, tokens, units]` in a root.
struct Part {
    view: View,
    /// Lengths and steps of the axes before the tokens.
    outer: Vec<(usize, usize)>,
    /// Of the tokens.
    tokens: (usize, usize),
    units: usize,
}

impl Part {
    /// Of a view `[.., tokens, units]`, the last two in the other order if `turned`.
    fn of(view: View, turned: bool) -> Option<Self> {
        let mut axes = view.places.axes()?;
        let (mut units, mut tokens) = (axes.pop()?, axes.pop()?);
        if turned {
            std::mem::swap(&mut units, &mut tokens);
        }
        let single = |axis: &[(usize, usize)]| match *axis {
            [] => Some((1, 0)),
            [run] => Some(run),
            _ => None,
        };
        let (tokens, units) = (single(&tokens)?, single(&units)?);
        // Neighbours that one run would do for are one.
        let outer = Places::strided(&axes.concat()).runs().to_vec();
        (units.0 == 1 || units.1 == 1).then_some(Self { view, outer, tokens, units: units.0 })
    }

    /// How far apart images, heads and tokens are.
    fn steps(&self, images: usize, heads: usize) -> Option<[usize; 3]> {
        let shape = [images, heads];
        let flat = Places::strided(&self.outer).reshaped(&shape);
        let axes = flat.axes()?;
        let step = |axis: &[(usize, usize)]| match *axis {
            [] => Some(0),
            [(_, step)] => Some(step),
            _ => None,
        };
        Some([step(&axes[0])?, step(&axes[1])?, self.tokens.1])
    }
}

/// A value without the products by numbers before it, and their product.
fn unscaled(compiled: &Compiled, mut value: usize, at: usize) -> Option<(usize, f64)> {
    let mut scale = 1.0;
    loop {
        // What has gone into a dense layer already is no product any more.
        let open = compiled.open(compiled.view(value, at).of).is_some();
        match compiled.multiple(value).filter(|_| !open) {
            Some((_, of, number)) => (value, scale) = (of, scale * number),
            None => return Some((value, scale)),
        }
    }
}

/// Joins the second product of an attention to what is before it.
///
/// # Errors
/// As those of the operators.
pub fn join(compiled: &mut Compiled, at: usize) -> Result<bool, Refusal> {
    let Some((step, places)) = found(compiled, at) else { return Ok(false) };
    compiled.put(step, compiled.wiring().outputs[at][0], places)?;
    Ok(true)
}

fn found(compiled: &Compiled, at: usize) -> Option<(Open, Places)> {
    let wiring = compiled.wiring();
    if wiring.operator(at) != "MatMul" {
        return None;
    }
    let &[Some(weights), Some(values)] = &wiring.inputs[at][..] else { return None };
    let (softmax, &[Some(scaled)]) = compiled.made_by(weights, "Softmax")? else { return None };
    let shape = compiled.known[weights].as_ref()?.shape();
    let opset = wiring.model.opset;
    let along = wiring.model.nodes[softmax].int("axis").unwrap_or(if opset < 13 { 1 } else { -1 });
    if axis(along, shape.len()).ok()? + 1 != shape.len() || shape.len() < 3 {
        return None;
    }
    let (scores, mut scale) = unscaled(compiled, scaled, at)?;
    let (product, &[Some(queries), Some(keys)]) = compiled.made_by(scores, "MatMul")? else { return None };
    // Nothing else takes what is between.
    let takers = |value: usize| compiled.wiring().takers[value].clone();
    let single = |value: usize| takers(value).len() == 1 && compiled.is_free(value, &takers(value), at);
    let free = single(weights) && single(scaled) && single(scores) && product < softmax;
    if !free || ![queries, keys, values].iter().all(|&value| compiled.is_computed(value)) {
        return None;
    }
    let mut part = |value: usize, turned: bool, scaled: bool| {
        let (value, number) = if scaled { unscaled(compiled, value, at)? } else { (value, 1.0) };
        scale *= number;
        Part::of(compiled.view(value, at), turned)
    };
    let (q, k, v) = (part(queries, false, true)?, part(keys, true, true)?, part(values, false, false)?);
    let two =
        [&q, &k, &v].into_iter().find(|part| part.outer.len() == 2).map(|part| [part.outer[0].0, part.outer[1].0]);
    let count: usize = shape[..shape.len() - 2].iter().product();
    let [images, heads] = two.unwrap_or([1, count]);
    let fits = |part: &Part| part.outer.iter().map(|run| run.0).product::<usize>() == count;
    if ![&q, &k, &v].into_iter().all(fits) || images * heads != count {
        return None;
    }
    let (queries, keys) = (q.tokens.0, k.tokens.0);
    if k.units != q.units || v.units != q.units || v.tokens.0 != keys {
        return None;
    }
    let counts = Counts { images, heads, queries, keys, units: q.units };
    let parts = [&q, &k, &v];
    let steps: Vec<[usize; 3]> = parts.iter().map(|part| part.steps(images, heads)).collect::<Option<_>>()?;
    let own = counts.units;
    let lies = std::array::from_fn(|n| Lies { first: parts[n].view.places.offset(), steps: steps[n] });
    let values: Vec<usize> = parts.iter().map(|part| part.view.of).collect();
    let inputs = values.iter().map(|&value| compiled.known[value].clone()).collect();
    let lower = move |_: &Node| attends(counts, scale, lies);
    let open = Open::new(at, Rc::new(lower), inputs, values.into_iter().map(Some).collect());
    let shape = compiled.known[wiring.outputs[at][0]]
        .as_ref()
        .map_or_else(|| [&shape[..shape.len() - 1], &[own]].concat(), |known| known.shape().to_vec());
    let token = heads * own;
    let places = Places::strided(&[(images, queries * token), (heads, own), (queries, token), (own, 1)]);
    Some((open, places.reshaped(&shape)))
}

/// Where queries, keys or values lie.
#[derive(Clone, Copy, Debug)]
pub struct Lies {
    first: usize,
    steps: [usize; 3],
}

fn attends(counts: Counts, scale: f64, parts: [Lies; 3]) -> Result<Lowered, Refusal> {
    let Counts { images, heads, queries, units, .. } = counts;
    let shape = vec![images, queries, heads, units];
    Lowered::run(shape, &[0, 1, 2], move |inputs: Vec<Array>| {
        let lying: [Lying; 3] = std::array::from_fn(|n| Lying {
            values: inputs[n].clone().flat(),
            first: parts[n].first,
            steps: parts[n].steps,
        });
        let copied = |n: usize| {
            let tokens = if n == 0 { queries } else { counts.keys };
            let [image, head, token] = parts[n].steps;
            let places = Places::strided(&[(images, image), (tokens, token), (heads, head), (units, 1)]);
            places.from(parts[n].first).take(inputs[n].clone().flat()).reshape([images, tokens, heads * units])
        };
        Array::new(attention_of(lying, counts, scale, copied), &[images, queries, heads, units])
    })
}
