//! What moves values and changes none.

use super::batch::Along;
use super::bounds::{MOST_MADE, MOST_VALUES, units};
use super::convolutions::map;
use super::gathers::{around, selected};
use super::lowering::{Lowered, Node, Refusal, axis};
use super::places::Move;
use super::shapes;
use super::spelt::{FIRST_AS_ROWS, LAST_TWO};
use super::value::{Known, Whole};

/// The same values in another shape.
fn reshaped(node: &Node, shape: Vec<usize>) -> Result<Lowered, Refusal> {
    let known = node.input(0)?;
    if units(&shape, MOST_VALUES)? != known.units() {
        return Err(format!("{:?} in the shape {shape:?}", known.shape()).into());
    }
    if let Known::Whole(whole) = known {
        return Lowered::known(Known::whole(Whole { shape, values: whole.values.clone() }));
    }
    Lowered::moved(Move::Reshaped(shape))
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
        let others = units(&shape, MOST_VALUES)?;
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
pub fn picked(known: &Whole, shape: &[usize], at: impl Fn(&[usize]) -> usize) -> Whole {
    let count: usize = shape.iter().product();
    let mut index = vec![0; shape.len()];
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
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
pub fn strides(shape: &[usize]) -> Vec<usize> {
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
        None if [FIRST_AS_ROWS, LAST_TWO].iter().any(|setting| node.int(setting, 0) != 0) => {
            let mut axes: Vec<usize> = (0..own.len()).collect();
            if node.int(FIRST_AS_ROWS, 0) != 0 && own.len() > 2 {
                axes[..own.len() - 1].rotate_left(1);
            }
            if let ([.., rows, columns], true) = (&mut axes[..], node.int(LAST_TWO, 0) != 0) {
                std::mem::swap(rows, columns);
            }
            axes
        }
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
    Lowered::moved(Move::Transposed(axes))
}

/// Blocks of channels as places of a map that is larger by their side, as `PixelShuffle` of PyTorch (mode `CRD`) or as
/// TensorFlow has them (`DCR`).
pub fn depth_to_space(node: &Node) -> Result<Lowered, Refusal> {
    let ([images, channels, height, width], side) = blocks(node)?;
    let each = channels / (side * side);
    if each * side * side != channels {
        return Err(format!("{channels} channels in blocks of {side} x {side}").into());
    }
    let (apart, order) = match node.text("mode") {
        "" | "DCR" => (vec![images, side, side, each, height, width], vec![0, 3, 4, 1, 5, 2]),
        "CRD" => (vec![images, each, side, side, height, width], vec![0, 1, 4, 2, 5, 3]),
        other => return Err(format!("mode = {other:?}, expected DCR or CRD").into()),
    };
    let shape = vec![images, each, height * side, width * side];
    Ok(Lowered::Moved(vec![vec![Move::Reshaped(apart), Move::Transposed(order), Move::Reshaped(shape)]]))
}

/// The other way round, the places of a block before the channels.
pub fn space_to_depth(node: &Node) -> Result<Lowered, Refusal> {
    let ([images, channels, height, width], side) = blocks(node)?;
    let (rows, columns) = (height / side, width / side);
    if [rows * side, columns * side] != [height, width] {
        return Err(format!("a map of {height} x {width} in blocks of {side} x {side}").into());
    }
    let apart = Move::Reshaped(vec![images, channels, rows, side, columns, side]);
    let shape = vec![images, channels * side * side, rows, columns];
    Ok(Lowered::Moved(vec![vec![apart, Move::Transposed(vec![0, 3, 5, 1, 2, 4]), Move::Reshaped(shape)]]))
}

/// A map of floating-point numbers, and the side of its blocks.
fn blocks(node: &Node) -> Result<([usize; 4], usize), Refusal> {
    if node.input(0)?.is_whole() {
        return Err("whole numbers, expected floating-point ones".into());
    }
    let side = node.int("blocksize", 0);
    match usize::try_from(side).ok().filter(|&side| side > 0) {
        Some(side) => Ok((map(node)?, side)),
        None => Err(format!("blocksize = {side}").into()),
    }
}

pub fn split(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let at = axis(node.int("axis", 0), own.len())?;
    let outputs = node.proto.output.len();
    let lengths = match node.ints("split", 1)? {
        Some(lengths) => {
            let fit = |&length: &i64| usize::try_from(length).ok().filter(|&length| length <= own[at]);
            let fits: Option<Vec<usize>> = lengths.iter().map(fit).collect();
            fits.ok_or_else(|| format!("{own:?} in parts of {lengths:?} along axis {at}"))?
        }
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
    let part = |(first, count)| vec![Move::Part { axis: at, first, count, step: 1 }];
    Ok(Lowered::Moved(starts.into_iter().zip(lengths).map(part).collect()))
}

/// A slice along an axis: first place, step, how many.
type Cut = (i64, i64, usize);

/// An axis that is not cut.
pub fn uncut(node: &Node, along: Along) -> Option<usize> {
    let count = node.ints("starts", 1).ok()??.len() as i64;
    let axes = node.ints("axes", 3).ok()?.unwrap_or_else(|| (0..count).collect());
    let cut = |&at: &i64| axis(at, along.made).ok() == Some(along.axis);
    (!axes.iter().any(cut)).then_some(along.axis)
}

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
    if shape.contains(&0) || cuts.iter().all(|&(_, step, count)| step > 0 || count <= 1) {
        let part = |(axis, &(first, step, count)): (usize, &Cut)| {
            let step = if count > 1 { step as usize } else { 1 };
            Move::Part { axis, first: first.max(0) as usize, count, step }
        };
        return Ok(Lowered::Moved(vec![cuts.iter().enumerate().map(part).collect()]));
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
            let indices: Vec<i64> = (0..count as i64).map(|n| first + n * step).collect();
            x = selected(x, places, &indices, &now);
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

/// Where an axis goes that is before or behind the one gathered from.
pub fn around_gathered(node: &Node, along: Along) -> Option<usize> {
    let own = node.shape(0).ok()?;
    let from = axis(node.int("axis", 0), own.len()).ok()?;
    match along.axis {
        axis if axis < from => Some(axis),
        axis if axis > from => Some(axis + along.made - own.len()),
        _ => None,
    }
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
        let mut values = Vec::with_capacity(units(&shape, MOST_MADE)?);
        for n in 0..outer {
            for &place in &places {
                let first = (n * along + place as usize) * inner;
                values.extend(&whole.values[first..first + inner]);
            }
        }
        return Lowered::known(Known::whole(Whole { shape, values }));
    }
    if let Some(&first) = places.first().filter(|_| places.windows(2).all(|pair| pair[1] == pair[0] + 1)) {
        let part = Move::Part { axis: at, first: first as usize, count: places.len(), step: 1 };
        return Ok(Lowered::Moved(vec![vec![part, Move::Reshaped(shape)]]));
    }
    let to = shape.clone();
    Lowered::run(shape, &[0], move |mut inputs| selected(inputs.remove(0), [outer, along, inner], &places, &to))
}

pub fn expand(node: &Node) -> Result<Lowered, Refusal> {
    let own = node.shape(0)?.to_vec();
    let shape = super::ranks::broadcast(&own, &shapes::lengths(&node.whole(1)?.values)?)?;
    if let Known::Whole(whole) = node.input(0)? {
        units(&shape, MOST_MADE)?;
        let (steps, more) = (strides(&own), shape.len() - own.len());
        let place = |index: &[usize]| {
            let along = |axis: usize| if own[axis] == 1 { 0 } else { index[axis + more] * steps[axis] };
            (0..own.len()).map(along).sum()
        };
        return Lowered::known(Known::whole(picked(whole, &shape, place)));
    }
    Lowered::moved(Move::Spread(shape))
}

#[cfg(test)]
mod tests {
    use super::*;

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
