//! What picks values one by one or puts several arrays together.

use burn::tensor::{Int, Tensor, TensorData};

use super::batch::Along;
use super::bounds::{MOST_MADE, MOST_VALUES, units};
use super::lowering::{Lowered, Node, Refusal, axis};
use super::moves::strides;
use super::ranks::{MOST_AXES, lengths, of_rank};
use super::shapes;
use super::value::{Array, Known, Whole};
use crate::kernels::join::concatenate;

/// An axis other than the one along which arrays are put together.
pub fn along_others(node: &Node, along: Along) -> Option<usize> {
    let joined = axis(node.proto.int("axis")?, along.made).ok()?;
    (along.axis != joined).then_some(along.axis)
}

pub fn concat(node: &Node) -> Result<Lowered, Refusal> {
    let rank = node.shape(0)?.len();
    let at = axis(node.proto.int("axis").ok_or("no axis")?, rank)?;
    let count = node.inputs.len();
    let shapes = (0..count).map(|n| node.shape(n)).collect::<Result<Vec<_>, _>>()?;
    let mut shape = shapes[0].to_vec();
    for other in &shapes[1..] {
        let fits = other.len() == rank && (0..rank).all(|axis| axis == at || other[axis] == shape[axis]);
        if !fits {
            return Err(format!("{shape:?} and {other:?} along axis {at}").into());
        }
        shape[at] += other[at];
    }
    let outer: usize = shape[..at].iter().product();
    if (0..count).all(|n| matches!(node.inputs[n], Some(Known::Whole(_)))) {
        units(&shape, MOST_MADE)?;
        let parts = (0..count).map(|n| node.whole(n)).collect::<Result<Vec<_>, _>>()?;
        let row = |part: &Whole| part.values.len() / outer.max(1);
        let values = (0..outer).flat_map(|n| {
            parts.iter().flat_map(move |part| part.values[n * row(part)..(n + 1) * row(part)].iter().copied())
        });
        let values = values.collect();
        return Lowered::known(Known::whole(Whole { shape, values }));
    }
    let takes: Vec<usize> = (0..count).filter(|&n| shapes[n].iter().product::<usize>() > 0).collect();
    let to = shape.clone();
    Lowered::run(shape, &takes, move |inputs| {
        let rows = inputs.into_iter().map(|x| {
            let row = x.shape.iter().product::<usize>() / outer;
            x.view([outer, row])
        });
        Array::new(concatenate::<2>(rows.collect(), 1), &to)
    })
}

/// A shape around one of its axes: what is before it, its length, what is behind it.
pub fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

/// Places along the middle of an array of the shape `[outer, along, inner]`.
pub fn selected(x: Array, [outer, along, inner]: [usize; 3], places: &[i64], shape: &[usize]) -> Array {
    let device = x.device();
    let places: Vec<i32> = places.iter().map(|&place| place as i32).collect();
    let count = places.len();
    let places = Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &device);
    Array::new(x.view([outer, along, inner]).select(1, places), shape)
}

/// Rows of the first axes that `indices` list, and the length of a row.
fn rows(own: &[usize], indices: &Whole) -> Result<(Vec<i64>, usize), Refusal> {
    let depth = *indices.shape.last().ok_or("indices without an axis")?;
    if depth == 0 || depth > own.len() {
        return Err(format!("indices of {depth} axes into {own:?}").into());
    }
    let place = |index: &[i64]| -> Result<i64, Refusal> {
        let mut row = 0;
        for (&n, &length) in index.iter().zip(own) {
            row = row * length as i64 + axis(n, length)? as i64;
        }
        Ok(row)
    };
    let rows = indices.values.chunks_exact(depth).map(place).collect::<Result<_, _>>()?;
    Ok((rows, own[depth..].iter().product()))
}

/// Where an axis goes that is behind those indexed.
pub fn behind_indices(node: &Node, along: Along) -> Option<usize> {
    let depth = *node.whole(1).ok()?.shape.last()?;
    (along.axis >= depth).then(|| along.axis + along.made - node.shape(0).map_or(0, <[usize]>::len))
}

pub fn gather_nd(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let indices = node.whole(1)?.clone();
    let batch = usize::try_from(node.int("batch_dims", 0)).map_err(|_| "batch_dims below 0")?;
    if batch > 0 {
        return Err("batch_dims above 0".into());
    }
    let (places, row) = rows(&own, &indices)?;
    let (depth, before) = (indices.shape[indices.shape.len() - 1], &indices.shape[..indices.shape.len() - 1]);
    let shape: Vec<usize> = [before, &own[depth..]].concat();
    if let Known::Whole(whole) = node.input(0)? {
        units(&shape, MOST_MADE)?;
        let values = places.iter().flat_map(|&place| &whole.values[place as usize * row..][..row]).copied().collect();
        return Lowered::known(Known::whole(Whole { shape, values }));
    }
    let (count, to) = (own[..depth].iter().product(), shape.clone());
    Lowered::run(shape, &[0], move |mut inputs| selected(inputs.remove(0), [1, count, row], &places, &to))
}

/// Where an axis of the values goes, which stays, or of the updates: behind those whose places are written, or to one along which
/// every update is written to its own place.
pub fn scattered(node: &Node, along: Along) -> Option<usize> {
    if along.input == 0 {
        return Some(along.axis);
    }
    let indices = node.whole(1).ok()?;
    let (&depth, before) = indices.shape.split_last()?;
    if along.axis >= before.len() {
        return Some(along.axis - before.len() + depth);
    }
    let step: usize = before[along.axis + 1..].iter().product();
    let place = |row: usize| (row / step % before[along.axis]) as i64;
    let rows = || indices.values.chunks_exact(depth).enumerate();
    (0..depth).find(|&to| rows().all(|(row, at)| at[to] == place(row)))
}

pub fn scatter_nd(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let (places, row) = rows(&own, node.whole(1)?)?;
    if !matches!(node.text("reduction"), "" | "none") {
        return Err("a reduction, expected none".into());
    }
    units(&[places.len(), row], MOST_VALUES)?;
    if node.input(2)?.units() != places.len() * row {
        return Err(format!("{} updates, expected {}", node.input(2)?.units(), places.len() * row).into());
    }
    if let (Known::Whole(whole), Known::Whole(updates)) = (node.input(0)?, node.input(2)?) {
        let mut values = whole.values.clone();
        scatter(&mut values, &updates.values, &places, row);
        return Lowered::known(Known::whole(Whole { shape: own, values }));
    }
    if node.input(0)?.is_computed() || node.input(2)?.is_computed() {
        // Every row is one of those there were, or one of the updates behind them.
        let count = units(&own, MOST_VALUES)? / row.max(1);
        units(&[count], MOST_MADE)?;
        let mut from: Vec<i64> = (0..count as i64).collect();
        places.iter().enumerate().for_each(|(n, &place)| from[place as usize] = (count + n) as i64);
        let all = count + places.len();
        return Lowered::run(own.clone(), &[0, 2], move |inputs| {
            let joined = concatenate::<1>(inputs.into_iter().map(Array::flat).collect(), 0);
            selected(Array::new(joined, &[all, row]), [1, all, row], &from, &own)
        });
    }
    Lowered::run(own, &[0, 2], move |inputs| {
        let mut values = inputs[0].to_vec();
        scatter(&mut values, &inputs[1].to_vec(), &places, row);
        Array::of(values, &inputs[0].shape, &inputs[0].device())
    })
}

fn scatter<T: Copy>(values: &mut [T], updates: &[T], places: &[i64], row: usize) {
    for (place, update) in places.iter().zip(updates.chunks_exact(row.max(1))) {
        values[*place as usize * row..][..row].copy_from_slice(update);
    }
}

pub fn tile(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let times = shapes::lengths(&node.whole(1)?.values)?;
    if times.len() != own.len() || own.len() > MOST_AXES {
        return Err(format!("{own:?} repeated {times:?} times").into());
    }
    let shape: Vec<usize> = own.iter().zip(&times).map(|(length, times)| length * times).collect();
    units(&shape, MOST_VALUES)?;
    if let Known::Whole(whole) = node.input(0)? {
        units(&shape, MOST_MADE)?;
        let steps = strides(&own);
        let place = |index: &[usize]| index.iter().enumerate().map(|(axis, &n)| n % own[axis] * steps[axis]).sum();
        return Lowered::known(Known::whole(super::moves::picked(whole, &shape, place)));
    }
    let to = shape.clone();
    Lowered::run(shape, &[0], move |mut inputs| {
        let x = inputs.remove(0);
        of_rank!(own.len(), D => Array::new(x.view::<D>(lengths(&own)).repeat(&lengths::<D>(&times)), &to))
    })
}

/// The place of an axis of so many that one before or behind it mirrors, without the first or last itself.
fn reflected(place: i64, length: i64) -> i64 {
    let period = (2 * length - 2).max(1);
    let at = place.rem_euclid(period);
    if at < length { at } else { period - at }
}

/// What is put before and behind every axis, or cut away below zero, of a padding that takes as a border what `beyond` gives
/// or, without, a number.
struct Sides {
    own: Vec<usize>,
    /// The lengths behind it.
    shape: Vec<usize>,
    /// Before and behind each axis.
    added: Vec<(i64, i64)>,
    /// Of a place beyond an axis of so many, the place in it whose value it takes.
    beyond: Option<fn(i64, i64) -> i64>,
}

impl Sides {
    fn of(node: &Node) -> Result<Self, Refusal> {
        let own = node.shape(0)?.to_vec();
        let pads = node.ints("pads", 1)?.ok_or("no pads")?;
        let axes: Vec<usize> = match node.optional(3) {
            Some(_) => node.whole(3)?.values.iter().map(|&at| axis(at, own.len())).collect::<Result<_, _>>()?,
            None => (0..own.len()).collect(),
        };
        if pads.len() != 2 * axes.len() {
            return Err(format!("pads {pads:?} for {} axes", axes.len()).into());
        }
        let beyond: Option<fn(i64, i64) -> i64> = match node.text("mode") {
            "" | "constant" => None,
            "edge" => Some(|place, length| place.clamp(0, length - 1)),
            "reflect" => Some(reflected),
            "wrap" => Some(i64::rem_euclid),
            mode => return Err(format!("mode = {mode:?}, expected constant, edge, reflect or wrap").into()),
        };
        let (mut shape, mut added) = (own.clone(), vec![(0i64, 0i64); own.len()]);
        for (n, &at) in axes.iter().enumerate() {
            let (before, after) = (pads[n], pads[n + axes.len()]);
            units(&[before, after].map(|pad| pad.unsigned_abs().max(1) as usize), MOST_VALUES)?;
            if added[at] != (0, 0) {
                return Err(format!("axis {at} twice").into());
            }
            let (length, kept) = (own[at] as i64 + before + after, own[at] as i64 + before.min(0) + after.min(0));
            let empty = own[at] == 0 && beyond.is_none() && before.min(after) >= 0;
            if (kept < 1 || length < 1) && !empty {
                return Err(format!("pads {pads:?} leave nothing of {own:?}").into());
            }
            added[at] = (before, after);
            shape[at] = length as usize;
        }
        units(&shape, MOST_VALUES)?;
        Ok(Self { own, shape, added, beyond })
    }
}

/// An axis that stays as it is.
pub fn unpadded(node: &Node, along: Along) -> Option<usize> {
    (*Sides::of(node).ok()?.added.get(along.axis)? == (0, 0)).then_some(along.axis)
}

pub fn pad(node: &Node) -> Result<Lowered, Refusal> {
    let Sides { own, shape, added, beyond } = Sides::of(node)?;
    let value = match node.optional(2) {
        Some(_) => node.number(2)?,
        None => f64::from(node.float("value", 0.0)),
    };
    if let Known::Whole(whole) = node.input(0)? {
        if beyond.is_some() || added.iter().any(|&(before, after)| before.min(after) < 0) {
            return Err("whole numbers, expected padding by a constant".into());
        }
        let mut values = vec![value as i64; units(&shape, MOST_MADE)?];
        let steps = strides(&shape);
        let first: usize = added.iter().zip(&steps).map(|(&(before, _), step)| before as usize * step).sum();
        for (from, &value) in whole.values.iter().enumerate() {
            let (mut rest, mut place) = (from, first);
            for (step, own) in steps.iter().zip(strides(&own)) {
                place += rest / own * step;
                rest %= own;
            }
            values[place] = value;
        }
        return Lowered::known(Known::whole(Whole { shape, values }));
    }
    let to = shape.clone();
    Lowered::run(shape, &[0], move |mut inputs| {
        let (mut x, mut now) = (inputs.remove(0), own.clone());
        let device = x.device();
        for (axis, &(before, after)) in added.iter().enumerate() {
            if (before, after) == (0, 0) {
                continue;
            }
            // Those that stay, or that all come from, then what is added.
            let (length, border) = (now[axis] as i64, beyond.is_none());
            let kept = if border { before.min(0)..after.min(0) } else { before..after };
            if kept != (0..0) {
                let from = |place: i64| beyond.map_or(place, |beyond| beyond(place, length));
                let indices: Vec<i64> = (-kept.start..length + kept.end).map(from).collect();
                let places = around(&now, axis);
                now[axis] = indices.len();
                x = selected(x, places, &indices, &now);
            }
            let [before, after] = [before, after].map(|pad| if border { pad.max(0) as usize } else { 0 });
            if before + after == 0 {
                continue;
            }
            let [outer, along, inner] = around(&now, axis);
            let border = |count: usize| Tensor::<2>::full([outer, count * inner], value, &device);
            let parts = [border(before), x.view([outer, along * inner]), border(after)];
            let parts = parts.into_iter().filter(|part| part.dims()[1] > 0).collect();
            now[axis] += before + after;
            x = Array::new(concatenate::<2>(parts, 1), &now);
        }
        x.reshaped(&to)
    })
}
