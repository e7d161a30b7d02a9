//! Where the images of a batch lie among the values of a graph.
//!
//! A value is a layer, or leaves a stage, only if its first axis is that of the images and each place along it is computed from
//! one image. The length of an axis does not tell: of a batch of three, queries, keys and values side by side are as many. So
//! the images are followed from the input through every node.

use super::compile::Compiled;
use super::lowering::{Lowered, Node};
use super::operators;
use super::places::Move;
use super::wiring::Wiring;

/// An axis of an input of a node.
#[derive(Clone, Copy)]
pub struct Along {
    /// The input.
    pub input: usize,
    /// The axis, from the front.
    pub axis: usize,
    /// How many axes the output has.
    pub made: usize,
}

/// The axis of an operator's output each place along which is computed from the same place along an input's and from no other;
/// none where there is none.
pub type Follows = fn(&Node, Along) -> Option<usize>;

/// Of what is computed value by value, shorter shapes with axes of one place before them.
pub fn each(node: &Node, along: Along) -> Option<usize> {
    (along.axis + along.made).checked_sub(node.shape(along.input).ok()?.len())
}

/// Of what is computed image by image, over the channels and places of each.
pub fn first(_: &Node, along: Along) -> Option<usize> {
    (along.axis == 0).then_some(0)
}

/// Of what only moves values, where the moves tell, and of what no image changes.
pub fn moved(_: &Node, _: Along) -> Option<usize> {
    None
}

/// Of every value, whether its first axis is known to be that of the images, compiled for so many.
pub fn firsts(wiring: &Wiring, compiled: &Compiled, images: usize) -> Vec<bool> {
    let shape =
        |value: usize| compiled.known[value].as_ref().filter(|known| known.is_computed()).map(|known| known.shape());
    // Of a single image is all that is computed.
    let mut before: Vec<Option<usize>> = vec![(images == 1).then_some(1); wiring.names.len()];
    before[wiring.image] = Some(1);
    let nodes = if images == 1 { 0 } else { wiring.nodes() };
    for at in 0..nodes {
        let outputs = &wiring.outputs[at];
        let Some(operator) =
            operators::find(wiring.operator(at)).filter(|_| outputs.iter().any(|&output| shape(output).is_some()))
        else {
            continue;
        };
        let node = compiled.node_at(at);
        let inputs = &wiring.inputs[at];
        match (operator.lower)(&node) {
            Ok(Lowered::Moved(all)) => {
                let Some((own, input)) = inputs[0].and_then(|value| Some((shape(value)?, before[value]?))) else {
                    continue;
                };
                for (&output, moves) in outputs.iter().zip(&all) {
                    before[output] = after(own, input, moves, images);
                }
            }
            Ok(Lowered::Computed { shapes, takes, .. }) => {
                for (&output, to) in outputs.iter().zip(&shapes) {
                    let of_images =
                        takes.iter().filter(|&&input| node.optional(input).is_some_and(|known| known.is_computed()));
                    let mut found = of_images.map(|&input| {
                        let value = inputs[input]?;
                        let (axis, part) = place(shape(value)?, before[value]?, images)?;
                        let made = (operator.follows)(&node, Along { input, axis, made: to.len() })?;
                        (to.get(made)? == &shape(value)?[axis]).then(|| to[..made].iter().product::<usize>() * part)
                    });
                    let one = found.next().flatten();
                    before[output] = one.filter(|_| found.all(|other| other == one));
                }
            }
            Ok(Lowered::Known(_)) | Err(_) => {}
        }
    }
    let is_first = |value: usize| {
        // What a node leaves out has no name.
        let leads = shape(value).is_some_and(|shape| shape.first() == Some(&images));
        before[value] == Some(1) && leads && !wiring.names[value].is_empty()
    };
    (0..wiring.names.len()).map(is_first).collect()
}

/// The axis in which the images lie and how often it goes through all of them, of a value whose index, row by row, counts so many
/// places `before` those of the images; none if they are not in one axis.
fn place(shape: &[usize], before: usize, images: usize) -> Option<(usize, usize)> {
    let mut outer = 1;
    for (axis, &length) in shape.iter().enumerate() {
        let part = before / outer;
        if part * outer == before && part > 0 && length.is_multiple_of(part * images) {
            return Some((axis, part));
        }
        outer *= length;
    }
    None
}

/// How many places there are before those of the images behind `moves`; none if it is not known.
fn after(shape: &[usize], mut before: usize, moves: &[Move], images: usize) -> Option<usize> {
    let mut shape = shape.to_vec();
    for by in moves {
        let (to, axis, part) = match by {
            // The values stay in their order, whatever the axes are.
            Move::Reshaped(to) => {
                shape.clone_from(to);
                continue;
            }
            &Move::Part { axis, count, .. } if count == shape[axis] => continue,
            Move::Transposed(order) => {
                let (at, part) = place(&shape, before, images)?;
                let to = order.iter().map(|&axis| shape[axis]).collect();
                (to, order.iter().position(|&axis| axis == at)?, part)
            }
            &Move::Part { axis, first, count, step } => {
                let (at, mut part) = place(&shape, before, images)?;
                if axis == at {
                    // All images so many times, or only some of them.
                    let all = shape[axis] / part;
                    if step != 1 || !first.is_multiple_of(all) || !count.is_multiple_of(all) {
                        return None;
                    }
                    part = count / all;
                }
                let mut to = shape.clone();
                to[axis] = count;
                (to, at, part)
            }
            Move::Spread(to) => {
                let (at, part) = place(&shape, before, images)?;
                let axis = at + to.len() - shape.len();
                if to[axis] != shape[at] {
                    return None;
                }
                (to.clone(), axis, part)
            }
        };
        before = to[..axis].iter().product::<usize>() * part;
        shape = to;
    }
    Some(before)
}

#[cfg(test)]
mod tests;
