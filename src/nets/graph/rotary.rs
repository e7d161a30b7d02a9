//! Rotary positions as exporters write them: `x cos + turned(x) sin`, where `turned` negates one unit of each pair and exchanges
//! the two, is one step, with the tokens before it that have no position.

use std::rc::Rc;
use std::sync::Arc;

use super::compile::{Compiled, View};
use super::fusion::Open;
use super::lowering::{Loader, Lowered, Node, Refusal, Run, axis};
use super::places::{Move, Places};
use super::value::{Array, Constant};
use crate::kernels::rotary::{MOST_RUNS, Partners, Rotary, Rows};
use crate::weights::WeightsError;

/// What is turned, and by which angles.
#[derive(Clone)]
struct Turned {
    /// `[images, .., tokens, units]` in a root.
    view: View,
    /// Tokens that are left as they are, before all others.
    plain: usize,
    /// `[tokens, units]` of those others.
    cosines: Rc<Constant>,
    sines: Rc<Constant>,
    partners: Partners,
    /// Whether the partners of the first and of the second unit of a pair are negated.
    negated: [bool; 2],
}

/// Joins the last node of rotary positions, which gives a value of `shape`, to what is before it.
///
/// # Errors
/// As those of the operators.
pub fn join(compiled: &mut Compiled, at: usize, shape: &[usize]) -> Result<bool, Refusal> {
    let found = match compiled.wiring().operator(at) {
        "Add" => turned(compiled, at),
        "Concat" => behind_plain(compiled, at),
        _ => None,
    };
    let Some((step, places)) = found.and_then(|found| laid(compiled, at, found, shape)) else { return Ok(false) };
    compiled.put(step, compiled.wiring().outputs[at][0], places)?;
    Ok(true)
}

/// Behind tokens of the same root, one after the other.
fn behind_plain(compiled: &Compiled, at: usize) -> Option<Turned> {
    let &[Some(before), Some(turned_ones)] = &compiled.wiring().inputs[at][..] else { return None };
    let (add, _) = compiled.made_by(turned_ones, "Add")?;
    let mut found = turned(compiled, add).filter(|_| compiled.is_within_stage(turned_ones, at))?;
    let (view, own) = (compiled.view(before, at), &found.view.places);
    let along = own.shape.len() - 2;
    let mut shape = own.shape.clone();
    shape[along] = view.places.shape.get(along).copied()?;
    if axis(compiled.node_at(at).int("axis", 0), shape.len()).ok()? != along
        || view.of != found.view.of
        || shape != view.places.shape
    {
        return None;
    }
    let mut axes = own.axes()?;
    let &[(tokens, step)] = &axes[along][..] else { return None };
    let first = own.offset().checked_sub(shape[along] * step)?;
    axes[along] = vec![(shape[along] + tokens, step)];
    found.plain = shape[along];
    shape[along] += tokens;
    let all = Places::strided(&axes.concat()).from(first).reshaped(&shape);
    let part = Move::Part { axis: along, first: 0, count: found.plain, step: 1 };
    let lies = all.moved(&part).is_some_and(|places| places.lie_as(&view.places));
    found.view.places = all;
    lies.then_some(found)
}

/// `x cos + turned(x) sin` that ends with the node `at`.
fn turned(compiled: &Compiled, at: usize) -> Option<Turned> {
    let &[Some(a), Some(b)] = &compiled.wiring().inputs[at][..] else { return None };
    [(a, b), (b, a)].into_iter().find_map(|(plain, exchanged)| {
        let product = |value: usize| {
            let (_, inputs) = compiled.made_by(value, "Mul").filter(|_| compiled.is_within_stage(value, at))?;
            compiled.with_constant(inputs)
        };
        let ((x, cosines), (y, sines)) = (product(plain)?, product(exchanged)?);
        let view = compiled.view(x, at);
        let shape = &view.places.shape;
        let known = |value: usize| compiled.known[value].as_ref().map(|known| known.shape());
        let [.., tokens, units] = shape[..] else { return None };
        let of_all = |angles: &Constant| {
            let before = angles.shape.len().checked_sub(2);
            before.is_some_and(|before| {
                angles.shape[before..] == [tokens, units] && angles.shape[..before].iter().all(|&length| length == 1)
            })
        };
        let fits = shape.len() > 2 && known(y) == Some(shape) && units.is_multiple_of(2);
        if !fits || !of_all(cosines) || !of_all(sines) {
            return None;
        }
        let (partners, negated) = exchanges(compiled, y, &view, at)?;
        let (cosines, sines) = (cosines.clone(), sines.clone());
        Some(Turned { view, plain: 0, cosines, sines, partners, negated })
    })
}

/// How a value has the units of another exchanged, and whose partners it has negated.
fn exchanges(compiled: &Compiled, value: usize, of: &View, at: usize) -> Option<(Partners, [bool; 2])> {
    let here = |value: usize| compiled.is_within_stage(value, at);
    let value = match compiled.made_by(value, "Reshape") {
        Some((_, inputs)) => inputs[0].filter(|_| here(value))?,
        None => value,
    };
    let (node, &[Some(first), Some(second)]) = compiled.made_by(value, "Concat").filter(|_| here(value))? else {
        return None;
    };
    let shape = compiled.known[value].as_ref()?.shape();
    let along = axis(compiled.node_at(node).int("axis", 0), shape.len()).ok()?;
    let (rank, units) = (of.places.shape.len(), *of.places.shape.last()?);
    let half = units / 2;
    let lengths =
        [first, second].map(|part| compiled.known[part].as_ref().and_then(|known| known.shape().last().copied()));
    let (partners, step, far) = match (along + 1 == shape.len(), lengths) {
        (true, [Some(1), Some(1)]) if shape.len() == rank + 1 || units == 2 => (Partners::Neighbours, 2, 1),
        (true, [Some(a), Some(b)]) if shape.len() == rank && [a, b] == [half; 2] => (Partners::Halves, 1, half),
        _ => return None,
    };
    let part = |value: usize, first: usize| {
        let view = compiled.view(value, at);
        let (negated, view) = match compiled.made_by(view.of, "Neg") {
            Some((_, inputs)) if here(view.of) && view.places.is_plain(view.places.units()) => {
                (true, compiled.view(inputs[0]?, at))
            }
            _ => (false, view),
        };
        let part = of.places.moved(&Move::Part { axis: rank - 1, first, count: half, step })?;
        (view.of == of.of && view.places.lie_as(&part)).then_some(negated)
    };
    Some((partners, [part(first, far)?, part(second, 0)?]))
}

/// As a step, which gives `[images, tokens, heads, units]`, and where the value of `shape` lies in that.
fn laid(compiled: &Compiled, at: usize, found: Turned, shape: &[usize]) -> Option<(Open, Places)> {
    let places = &found.view.places;
    let rank = places.shape.len();
    let order = [&[0, rank - 2], &(1..rank - 2).collect::<Vec<_>>()[..], &[rank - 1]].concat();
    let to = places.moved(&Move::Transposed(order.clone()))?;
    let mut axes = to.axes()?;
    let units = *to.shape.last()?;
    if axes.pop()? != [(units, 1)] {
        return None;
    }
    let heads = to.shape[2..rank - 1].iter().product();
    let rows = Rows { offset: to.offset(), runs: Places::strided(&axes.concat()).runs().to_vec(), heads };
    if rows.runs.len() > MOST_RUNS {
        return None;
    }
    let mut back = vec![0; rank];
    order.iter().enumerate().for_each(|(n, &axis)| back[axis] = n);
    let lies = Places::plain(&to.shape).moved(&Move::Transposed(back))?;
    let root = found.view.of;
    let lower = move |node: &Node| rotates(node, &found, &rows, &to.shape);
    let open = Open::new(at, Rc::new(lower), vec![compiled.known[root].clone()], vec![Some(root)]);
    (lies.shape == shape).then_some((open, lies))
}

fn rotates(node: &Node, found: &Turned, rows: &Rows, shape: &[usize]) -> Result<Lowered, Refusal> {
    let (key, found, rows, to) = (node.key, found.clone(), rows.clone(), shape.to_vec());
    Lowered::weighted(shape.to_vec(), &[0], 0, 0, move |loader: &Loader| {
        let [tokens, units] = [to[1], to[to.len() - 1]];
        let rotary = loader
            .once(key, || Ok(Rotary::new(found.angles(units)?, [tokens, units], found.partners, &loader.device)))?;
        let (rows, to) = (rows.clone(), to.clone());
        let run: Run = Arc::new(move |mut x| vec![Array::new(rotary.forward(&x.remove(0).flat(), &rows), &to)]);
        Ok(run)
    })
}

impl Turned {
    /// Cosines, and sines with their signs, `[tokens, units]` of each; what is left as it is is turned by nothing.
    ///
    /// # Errors
    /// The file cannot be read.
    fn angles(&self, units: usize) -> Result<[Vec<f32>; 2], WeightsError> {
        let before = self.plain * units;
        let cosines = [vec![1.0; before], self.cosines.values()?].concat();
        let mut sines = [vec![0.0; before], self.sines.values()?].concat();
        for (n, sine) in sines.iter_mut().enumerate() {
            let second = match self.partners {
                Partners::Neighbours => n % 2,
                Partners::Halves => n % units / (units / 2),
            };
            if self.negated[second] {
                *sine = -*sine;
            }
        }
        Ok([cosines, sines])
    }
}
