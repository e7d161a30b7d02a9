//! What moves values and changes none.

use burn::tensor::{Int, Tensor, TensorData};

use super::lowering::{Lowered, Node, Refusal, axis};
use super::ranks::{MOST_AXES, lengths, of_rank};
use super::shapes;
use super::value::{Array, Known, Whole};
use crate::kernels::join::concatenate;

/// The same values in another shape.
fn reshaped(node: &Node, shape: Vec<usize>) -> Result<Lowered, Refusal> {
    let known = node.input(0)?;
    if shape.iter().product::<usize>() != known.units() {
        return Err(format!("{:?} in the shape {shape:?}", known.shape()).into());
    }
    if let Known::Whole(whole) = known {
        return Lowered::known(Known::whole(Whole { shape, values: whole.values.clone() }));
    }
    let to = shape.clone();
    Lowered::run(shape, &[0], move |mut inputs| inputs.remove(0).reshaped(&to))
}

pub fn reshape(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?;
    let target = node.ints("shape", 1)?.ok_or("no shape")?;
    let mut shape = Vec::with_capacity(target.len());
    for (at, &length) in target.iter().enumerate() {
        shape.push(match length {
            0 if node.int("allowzero", 0) == 0 => *own.get(at).ok_or_else(|| format!("{own:?} as {target:?}"))?,
            -1 => 1,
            length => usize::try_from(length).map_err(|_| format!("the shape {target:?}"))?,
        });
    }
    if let Some(rest) = target.iter().position(|&length| length == -1) {
        let others: usize = shape.iter().product();
        shape[rest] =
            own.iter().product::<usize>().checked_div(others).ok_or_else(|| format!("{own:?} as {target:?}"))?;
    }
    reshaped(node, shape)
}

pub fn flatten(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?;
    let at = match node.int("axis", 1) {
        at if at == own.len() as i64 => own.len(),
        at => axis(at, own.len())?,
    };
    let shape = vec![own[..at].iter().product(), own[at..].iter().product()];
    reshaped(node, shape)
}

pub fn squeeze(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?;
    let axes = match node.ints("axes", 1)? {
        Some(axes) => axes.into_iter().map(|at| axis(at, own.len())).collect::<Result<Vec<_>, _>>()?,
        None => (0..own.len()).filter(|&at| own[at] == 1).collect(),
    };
    let left = own.iter().enumerate().filter(|(at, _)| !axes.contains(at)).map(|(_, &length)| length).collect();
    reshaped(node, left)
}

pub fn unsqueeze(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?;
    let axes = node.ints("axes", 1)?.ok_or("no axes")?;
    let count = own.len() + axes.len();
    let axes = axes.into_iter().map(|at| axis(at, count)).collect::<Result<Vec<_>, _>>()?;
    let mut lengths = own.iter();
    let shape: Option<Vec<usize>> =
        (0..count).map(|at| if axes.contains(&at) { Some(1) } else { lengths.next().copied() }).collect();
    reshaped(node, shape.ok_or("an axis twice")?)
}

/// Values in their order as an index counts them: of every place of `shape`, `at` of its index.
fn picked(known: &Whole, shape: &[usize], at: impl Fn(&[usize]) -> usize) -> Whole {
    let units: usize = shape.iter().product();
    let mut index = vec![0; shape.len()];
    let mut values = Vec::with_capacity(units);
    for _ in 0..units {
        values.push(known.values[at(&index)]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    Whole { shape: shape.to_vec(), values }
}

/// How far a step along each axis goes.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

pub fn transpose(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?;
    let axes: Vec<usize> = match node.proto.ints("perm") {
        Some(axes) => axes.iter().map(|&at| axis(at, own.len())).collect::<Result<_, _>>()?,
        None => (0..own.len()).rev().collect(),
    };
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if sorted != (0..own.len()).collect::<Vec<_>>() {
        return Err(format!("axes {axes:?} of a tensor of {} axes", own.len()).into());
    }
    let shape: Vec<usize> = axes.iter().map(|&axis| own[axis]).collect();
    if let Known::Whole(whole) = node.input(0)? {
        let steps = strides(own);
        let at = |index: &[usize]| index.iter().zip(&axes).map(|(&n, &axis)| n * steps[axis]).sum();
        return Lowered::known(Known::whole(picked(whole, &shape, at)));
    }
    let (from, axes) = together(own, &axes);
    if axes.len() > MOST_AXES {
        return Err(format!("{} axes that move, expected {MOST_AXES} at most", axes.len()).into());
    }
    let to = shape.clone();
    Lowered::run(shape, &[0], move |mut inputs| permuted(inputs.remove(0), &from, &axes, &to))
}

/// An array of the shape `from` with its axes in another order.
pub fn permuted(x: Array, from: &[usize], axes: &[usize], to: &[usize]) -> Array {
    if axes.is_sorted() {
        return x.reshaped(to);
    }
    of_rank!(axes.len(), D => {
        let order: [isize; D] = std::array::from_fn(|axis| axes[axis] as isize);
        Array::new(x.view::<D>(lengths(from)).permute(order), to)
    })
}

/// A shape and an order of its axes with those that stay neighbours as one; axes of one place are none.
fn together(shape: &[usize], axes: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let axes: Vec<usize> = axes.iter().copied().filter(|&axis| shape[axis] != 1).collect();
    let before = |axis: usize| (0..axis).rev().find(|&earlier| shape[earlier] != 1);
    // Groups of axes in their new order.
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for axis in axes {
        match groups.last_mut().filter(|group| before(axis).is_some_and(|earlier| group.last() == Some(&earlier))) {
            Some(group) => group.push(axis),
            None => groups.push(vec![axis]),
        }
    }
    let mut old: Vec<&Vec<usize>> = groups.iter().collect();
    old.sort();
    let from = old.iter().map(|group| group.iter().map(|&axis| shape[axis]).product()).collect();
    let order = groups.iter().map(|group| old.iter().position(|other| *other == group).expect("the same groups"));
    let order = order.collect();
    (from, order)
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

/// A part of an array of the shape `[outer, along, inner]`.
fn part(x: &Array, [outer, along, inner]: [usize; 3], from: usize, count: usize, shape: &[usize]) -> Array {
    let x = x.clone().view([outer, along, inner]);
    Array::new(x.slice([0..outer, from..from + count, 0..inner]), shape)
}

/// A shape around one of its axes: what is before it, its length, what is behind it.
fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

pub fn split(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let at = axis(node.int("axis", 0), own.len())?;
    let outputs = node.proto.output.len();
    let lengths = match node.ints("split", 1)? {
        Some(lengths) => shapes::lengths(&lengths)?,
        None => {
            let each = own[at].div_ceil(outputs.max(1));
            (0..outputs).map(|n| each.min(own[at].saturating_sub(n * each))).collect()
        }
    };
    if lengths.iter().sum::<usize>() != own[at] || lengths.len() != outputs {
        return Err(format!("{own:?} in {outputs} parts of {lengths:?} along axis {at}").into());
    }
    let starts: Vec<usize> =
        lengths.iter().scan(0, |sum, length| Some(std::mem::replace(sum, *sum + length))).collect();
    let shapes: Vec<Vec<usize>> = lengths
        .iter()
        .map(|&length| {
            let mut shape = own.clone();
            shape[at] = length;
            shape
        })
        .collect();
    if let Known::Whole(whole) = node.input(0)? {
        let steps = strides(&own);
        let parts = shapes.iter().zip(&starts).map(|(shape, start)| {
            let place = |index: &[usize]| {
                index.iter().zip(&steps).map(|(&n, &step)| n * step).sum::<usize>() + start * steps[at]
            };
            Known::whole(picked(whole, shape, place))
        });
        return Ok(Lowered::Known(parts.collect()));
    }
    let places = around(&own, at);
    let parts: Vec<(usize, usize, Vec<usize>)> = starts
        .into_iter()
        .zip(lengths)
        .zip(&shapes)
        .map(|((start, length), shape)| (start, length, shape.clone()))
        .collect();
    Lowered::run_all(shapes, &[0], move |mut inputs| {
        let x = inputs.remove(0);
        parts.iter().map(|(start, length, shape)| part(&x, places, *start, *length, shape)).collect()
    })
}

/// A slice along an axis: first place, step, how many.
type Cut = (i64, i64, usize);

pub fn slice(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let starts = node.ints("starts", 1)?.ok_or("no starts")?;
    let ends = node.ints("ends", 2)?.ok_or("no ends")?;
    let axes = node.ints("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = node.ints("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("starts, ends, axes and steps of different lengths".into());
    }
    let mut cuts: Vec<Cut> = own.iter().map(|&length| (0, 1, length)).collect();
    for (((start, end), at), step) in starts.into_iter().zip(ends).zip(axes).zip(steps) {
        let at = axis(at, own.len())?;
        cuts[at] = cut(start, end, step, own[at] as i64)?;
    }
    let shape: Vec<usize> = cuts.iter().map(|&(.., count)| count).collect();
    if let Known::Whole(whole) = node.input(0)? {
        let steps = strides(&own);
        let place = |index: &[usize]| {
            let along = |(axis, &n): (usize, &usize)| (cuts[axis].0 + n as i64 * cuts[axis].1) as usize * steps[axis];
            index.iter().enumerate().map(along).sum()
        };
        return Lowered::known(Known::whole(picked(whole, &shape, place)));
    }
    let to = shape.clone();
    Lowered::run(shape, &[0], move |mut inputs| {
        let (mut x, mut now) = (inputs.remove(0), own.clone());
        for (axis, &(first, step, count)) in cuts.iter().enumerate() {
            if (first, step, count) == (0, 1, own[axis]) {
                continue;
            }
            let places = around(&now, axis);
            now[axis] = count;
            x = match step {
                1 => part(&x, places, first as usize, count, &now),
                _ => {
                    let indices: Vec<i64> = (0..count as i64).map(|n| first + n * step).collect();
                    selected(x, places, &indices, &now)
                }
            };
        }
        x.reshaped(&to)
    })
}

/// First place and number of those from `start` to `end` (not included) by `step`.
fn cut(start: i64, end: i64, step: i64, length: i64) -> Result<Cut, Refusal> {
    let from_front = |place: i64| if place < 0 { place.saturating_add(length) } else { place };
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let (start, end) = (from_front(start).clamp(low.max(0), high.max(0)), from_front(end).clamp(low, high));
    let span = match step {
        0 => return Err("a slice by steps of 0".into()),
        step if step > 0 => end - start,
        _ => start - end,
    };
    let count = span.max(0) as usize;
    Ok((start, step, if length == 0 { 0 } else { count.div_ceil(step.unsigned_abs() as usize) }))
}

/// Places along the middle of an array of the shape `[outer, along, inner]`.
fn selected(x: Array, [outer, along, inner]: [usize; 3], places: &[i64], shape: &[usize]) -> Array {
    let device = x.device();
    let places: Vec<i32> = places.iter().map(|&place| place as i32).collect();
    let count = places.len();
    let places = Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &device);
    Array::new(x.view([outer, along, inner]).select(1, places), shape)
}

pub fn gather(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let at = axis(node.int("axis", 0), own.len())?;
    let indices = node.whole(1)?;
    let places = indices.values.iter().map(|&place| axis(place, own[at]).map(|place| place as i64));
    let places = places.collect::<Result<Vec<_>, _>>()?;
    let shape: Vec<usize> = [&own[..at], &indices.shape, &own[at + 1..]].concat();
    let [outer, along, inner] = around(&own, at);
    if let Known::Whole(whole) = node.input(0)? {
        let mut values = Vec::with_capacity(outer * places.len() * inner);
        for n in 0..outer {
            for &place in &places {
                let first = (n * along + place as usize) * inner;
                values.extend(&whole.values[first..first + inner]);
            }
        }
        return Lowered::known(Known::whole(Whole { shape, values }));
    }
    let to = shape.clone();
    Lowered::run(shape, &[0], move |mut inputs| {
        let x = inputs.remove(0);
        let runs = places.windows(2).all(|pair| pair[1] == pair[0] + 1);
        match places.first() {
            Some(&first) if runs => part(&x, [outer, along, inner], first as usize, places.len(), &to),
            _ => selected(x, [outer, along, inner], &places, &to),
        }
    })
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
        let values = places.iter().flat_map(|&place| &whole.values[place as usize * row..][..row]).copied().collect();
        return Lowered::known(Known::whole(Whole { shape, values }));
    }
    let (count, to) = (own[..depth].iter().product(), shape.clone());
    Lowered::run(shape, &[0], move |mut inputs| selected(inputs.remove(0), [1, count, row], &places, &to))
}

pub fn scatter_nd(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let (places, row) = rows(&own, node.whole(1)?)?;
    if !matches!(node.text("reduction"), "" | "none") {
        return Err("a reduction, expected none".into());
    }
    if node.input(2)?.units() != places.len() * row {
        return Err(format!("{} updates, expected {}", node.input(2)?.units(), places.len() * row).into());
    }
    if let (Known::Whole(whole), Known::Whole(updates)) = (node.input(0)?, node.input(2)?) {
        let mut values = whole.values.clone();
        scatter(&mut values, &updates.values, &places, row);
        return Lowered::known(Known::whole(Whole { shape: own, values }));
    }
    if node.input(0)?.is_computed() || node.input(2)?.is_computed() {
        return Err("values computed from the images, expected constants".into());
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

pub fn expand(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let shape = super::ranks::broadcast(&own, &shapes::lengths(&node.whole(1)?.values)?)?;
    if let Known::Whole(whole) = node.input(0)? {
        let (steps, more) = (strides(&own), shape.len() - own.len());
        let place = |index: &[usize]| {
            let along = |axis: usize| if own[axis] == 1 { 0 } else { index[axis + more] * steps[axis] };
            (0..own.len()).map(along).sum()
        };
        return Lowered::known(Known::whole(picked(whole, &shape, place)));
    }
    let [from, full] = super::ranks::merged([&own, &shape]);
    if from.len() > MOST_AXES {
        return Err(format!("more than {MOST_AXES} axes").into());
    }
    let to = shape.clone();
    Lowered::run(shape, &[0], move |mut inputs| {
        let x = inputs.remove(0);
        of_rank!(from.len(), D => {
            let full: [usize; D] = lengths(&full);
            Array::new(x.view::<D>(lengths(&from)).expand::<D, _>(full), &to)
        })
    })
}

pub fn tile(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let times = shapes::lengths(&node.whole(1)?.values)?;
    if times.len() != own.len() || own.len() > MOST_AXES {
        return Err(format!("{own:?} repeated {times:?} times").into());
    }
    let shape: Vec<usize> = own.iter().zip(&times).map(|(length, times)| length * times).collect();
    if let Known::Whole(whole) = node.input(0)? {
        let steps = strides(&own);
        let place = |index: &[usize]| index.iter().enumerate().map(|(axis, &n)| n % own[axis] * steps[axis]).sum();
        return Lowered::known(Known::whole(picked(whole, &shape, place)));
    }
    let to = shape.clone();
    Lowered::run(shape, &[0], move |mut inputs| {
        let x = inputs.remove(0);
        of_rank!(own.len(), D => Array::new(x.view::<D>(lengths(&own)).repeat(&lengths::<D>(&times)), &to))
    })
}

pub fn pad(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let pads = node.ints("pads", 1)?.ok_or("no pads")?;
    let axes: Vec<usize> = match node.optional(3) {
        Some(_) => node.whole(3)?.values.iter().map(|&at| axis(at, own.len())).collect::<Result<_, _>>()?,
        None => (0..own.len()).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("pads {pads:?} for {} axes", axes.len()).into());
    }
    let mode = node.text("mode");
    if !matches!(mode, "" | "constant") && pads.iter().any(|&pad| pad != 0) {
        return Err(format!("mode = {mode:?}, expected constant").into());
    }
    let value = match node.optional(2) {
        Some(_) => node.number(2)?,
        None => f64::from(node.float("value", 0.0)),
    };
    let (mut shape, mut sides) = (own.clone(), vec![(0usize, 0usize); own.len()]);
    for (n, &at) in axes.iter().enumerate() {
        let [before, after] = [pads[n], pads[n + axes.len()]];
        let (Ok(before), Ok(after)) = (before.try_into(), after.try_into()) else {
            return Err(format!("pads {pads:?} below 0").into());
        };
        sides[at] = (before, after);
        shape[at] += before + after;
    }
    if let Known::Whole(whole) = node.input(0)? {
        let mut values = vec![value as i64; shape.iter().product()];
        let steps = strides(&shape);
        let first: usize = sides.iter().zip(&steps).map(|((before, _), step)| before * step).sum();
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
        for (axis, &(before, after)) in sides.iter().enumerate() {
            if (before, after) == (0, 0) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_that_stay_together_move_as_one() {
        assert_eq!(together(&[2, 197, 3, 12, 64], &[2, 0, 3, 1, 4]), (vec![2, 197, 3, 12, 64], vec![2, 0, 3, 1, 4]));
        assert_eq!(together(&[2, 3, 4, 5], &[0, 2, 3, 1]), (vec![2, 3, 20], vec![0, 2, 1]));
        assert_eq!(together(&[2, 1, 4], &[1, 0, 2]), (vec![8], vec![0]));
    }

    #[test]
    fn slices_are_as_numpys() {
        let cut = |start, end, step| cut(start, end, step, 5).unwrap();
        assert_eq!(cut(1, i64::MAX, 1), (1, 1, 4));
        assert_eq!(cut(-2, 5, 1), (3, 1, 2));
        assert_eq!(cut(0, -1, 2), (0, 2, 2));
        assert_eq!(cut(-1, i64::MIN + 1, -1), (4, -1, 5));
        assert_eq!(cut(3, 1, 1), (3, 1, 0));
    }
}
