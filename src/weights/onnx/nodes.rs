//! The nodes of a graph by what they compute: constants seen through reshapes, and a walk in an order of its own.

use std::collections::{HashMap, HashSet};

use super::constant::{Constant, View};
use super::proto::NodeProto;

/// Operations between a constant and its use, or a layer and its input, that are looked through; exporters stay far below.
pub const LONGEST_CHAIN: usize = 64;

/// A graph's nodes and constants, found by the names of values.
pub struct Nodes<'a> {
    pub nodes: &'a [NodeProto],
    pub constants: &'a [Constant],
    constant_of: HashMap<&'a str, usize>,
    producer: HashMap<&'a str, usize>,
    consumers: HashMap<&'a str, Vec<usize>>,
    outputs: HashSet<&'a str>,
}

impl<'a> Nodes<'a> {
    pub fn new(nodes: &'a [NodeProto], constants: &'a [Constant], outputs: &'a [String]) -> Self {
        let constant_of = constants.iter().enumerate().map(|(at, constant)| (constant.name.as_str(), at)).collect();
        let mut producer = HashMap::new();
        let mut consumers: HashMap<_, Vec<_>> = HashMap::new();
        for (at, node) in nodes.iter().enumerate() {
            producer.extend(node.output.iter().filter(|name| !name.is_empty()).map(|name| (name.as_str(), at)));
            for name in &node.input {
                consumers.entry(name.as_str()).or_default().push(at);
            }
        }
        let outputs = outputs.iter().map(String::as_str).collect();
        Self { nodes, constants, constant_of, producer, consumers, outputs }
    }

    /// The node that computes a value; constants have none.
    pub fn producer(&self, name: &str) -> Option<usize> {
        if self.constant_of.contains_key(name) { None } else { self.producer.get(name).copied() }
    }

    /// The node that uses a value, if it is the only use.
    pub fn only_consumer(&self, name: &str) -> Option<usize> {
        match self.consumers.get(name).map(Vec::as_slice) {
            Some(&[only]) if !self.outputs.contains(name) => Some(only),
            _ => None,
        }
    }

    /// The constant behind a value, through operations that only move values.
    pub fn view(&self, name: &str) -> Option<View> {
        let mut path = Vec::new();
        let mut name = name;
        while path.len() <= LONGEST_CHAIN {
            if let Some(&at) = self.constant_of.get(name) {
                let view = View::of(at, &self.constants[at].shape);
                return path.into_iter().rev().try_fold(view, |view, node| self.moved(view, node));
            }
            let node = &self.nodes[*self.producer.get(name)?];
            path.push(node);
            name = node.input(0)?;
        }
        None
    }

    /// A view through one more node; `None` if the node does more than move values.
    fn moved(&self, view: View, node: &NodeProto) -> Option<View> {
        let shape = view.shape.clone();
        let whole = |sizes: &[usize]| sizes.iter().map(|&size| i64::try_from(size).ok()).collect::<Option<Vec<_>>>();
        match node.op_type.as_str() {
            "Identity" => Some(view),
            // To float, float16, double or bfloat16.
            "Cast" => matches!(node.int("to"), Some(1 | 10 | 11 | 16)).then_some(view),
            "Transpose" => match node.ints("perm") {
                None => view.transposed(&(0..shape.len()).rev().collect::<Vec<_>>()),
                Some(axes) => {
                    view.transposed(&axes.iter().map(|&axis| axis.try_into().ok()).collect::<Option<Vec<_>>>()?)
                }
            },
            "Reshape" => {
                let target = self.whole(node.input(1)?)?;
                view.reshaped(&reshaped(&whole(&shape)?, &target)?)
            }
            "Squeeze" | "Unsqueeze" => {
                let axes = node.ints("axes").map(<[i64]>::to_vec).or_else(|| self.whole(node.input(1)?));
                view.reshaped(&if node.op_type == "Squeeze" {
                    squeezed(&shape, axes)?
                } else {
                    unsqueezed(&shape, &axes?)?
                })
            }
            _ => None,
        }
    }

    /// Whole numbers that are constant.
    pub fn whole(&self, name: &str) -> Option<Vec<i64>> {
        self.constants[*self.constant_of.get(name)?].whole()
    }

    /// Nodes behind the outputs, each after those it is computed from, in the order of [`crate::weights::Graph`].
    ///
    /// # Errors
    /// A node that is computed from itself.
    pub fn walk(&self, is_layer: impl Fn(&NodeProto) -> bool, outputs: &[String]) -> Result<Vec<usize>, &'a NodeProto> {
        let ends: Vec<usize> = outputs.iter().filter_map(|name| self.producer(name)).collect();
        let before = |node: usize| -> Vec<usize> {
            self.nodes[node].input.iter().filter_map(|name| self.producer(name)).collect()
        };
        // Most layers on a way to the inputs.
        let mut depth = vec![0usize; self.nodes.len()];
        for node in post_order(self.nodes.len(), &ends, before).map_err(|node| &self.nodes[node])? {
            let deepest = before(node).into_iter().map(|node| depth[node]).max().unwrap_or(0);
            depth[node] = deepest + usize::from(is_layer(&self.nodes[node]));
        }
        let ordered = |node: usize| {
            let mut before = before(node);
            if matches!(self.nodes[node].op_type.as_str(), "Add" | "Sum") {
                before.sort_by_key(|&node| std::cmp::Reverse(depth[node]));
            }
            before
        };
        post_order(self.nodes.len(), &ends, ordered).map_err(|node| &self.nodes[node])
    }
}

/// Depth-first order in which a node follows those `before` it.
///
/// # Errors
/// A node that is before itself.
fn post_order(nodes: usize, ends: &[usize], before: impl Fn(usize) -> Vec<usize>) -> Result<Vec<usize>, usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; nodes];
    let mut order = Vec::new();
    for &end in ends {
        if marks[end] != Mark::New {
            continue;
        }
        marks[end] = Mark::Open;
        // Not by recursion: files decide how deep it goes.
        let mut stack = vec![(end, before(end).into_iter())];
        while let Some((node, next)) = stack.last_mut() {
            match next.next() {
                Some(earlier) if marks[earlier] == Mark::New => {
                    marks[earlier] = Mark::Open;
                    stack.push((earlier, before(earlier).into_iter()));
                }
                Some(earlier) if marks[earlier] == Mark::Open => return Err(earlier),
                Some(_) => {}
                None => {
                    marks[*node] = Mark::Done;
                    order.push(*node);
                    stack.pop();
                }
            }
        }
    }
    Ok(order)
}

/// ONNX's Reshape: 0 keeps a size, -1 stands for what is left.
fn reshaped(shape: &[i64], target: &[i64]) -> Option<Vec<usize>> {
    let count = |sizes: &[i64]| sizes.iter().try_fold(1i64, |count, &size| count.checked_mul(size));
    let mut sizes: Vec<i64> = target
        .iter()
        .enumerate()
        .map(|(at, &size)| if size == 0 { shape.get(at).copied() } else { Some(size) })
        .collect::<Option<_>>()?;
    if let Some(at) = sizes.iter().position(|&size| size == -1) {
        sizes[at] = 1;
        sizes[at] = count(shape)?.checked_div(count(&sizes)?)?;
    }
    sizes.into_iter().map(|size| size.try_into().ok()).collect()
}

fn axes_of(axes: &[i64], rank: usize) -> Option<Vec<usize>> {
    let rank = i64::try_from(rank).ok()?;
    axes.iter().map(|&axis| if axis < 0 { axis.checked_add(rank) } else { Some(axis) }?.try_into().ok()).collect()
}

fn squeezed(shape: &[usize], axes: Option<Vec<i64>>) -> Option<Vec<usize>> {
    let axes = axes.map(|axes| axes_of(&axes, shape.len()));
    let axes = match axes {
        Some(axes) => axes?,
        None => (0..shape.len()).filter(|&axis| shape[axis] == 1).collect(),
    };
    Some(shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, &size)| size).collect())
}

fn unsqueezed(shape: &[usize], axes: &[i64]) -> Option<Vec<usize>> {
    let axes = axes_of(axes, shape.len().checked_add(axes.len())?)?;
    let mut sizes = shape.iter();
    (0..shape.len() + axes.len())
        .map(|axis| if axes.contains(&axis) { Some(1) } else { sizes.next().copied() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_follow_the_operators() {
        assert_eq!(reshaped(&[2, 3, 4], &[0, -1]), Some(vec![2, 12]));
        assert_eq!(reshaped(&[2, 3, 4], &[6, 4]), Some(vec![6, 4]));
        assert_eq!(reshaped(&[2], &[0, 0]), None);
        assert_eq!(reshaped(&[2], &[-1, i64::MAX, i64::MAX]), None);
        assert_eq!(reshaped(&[2], &[-3]), None);
        assert_eq!(squeezed(&[1, 5, 1], None), Some(vec![5]));
        assert_eq!(squeezed(&[1, 5, 1], Some(vec![-1])), Some(vec![1, 5]));
        assert_eq!(unsqueezed(&[5], &[0, -1]), Some(vec![1, 5, 1]));
        assert_eq!(unsqueezed(&[5], &[7]), None);
    }

    #[test]
    fn a_node_follows_those_before_it() {
        // 3 is computed from 2 and 1, 2 from 0, 1 from 0.
        let before = |node: usize| match node {
            3 => vec![2, 1],
            2 | 1 => vec![0],
            _ => vec![],
        };
        assert_eq!(post_order(4, &[3], before), Ok(vec![0, 2, 1, 3]));
        assert_eq!(post_order(2, &[1], |node| vec![1 - node]), Err(1));
        assert_eq!(post_order(1, &[0], |_| vec![0]), Err(0));
        let long = 1_000_000;
        assert_eq!(
            post_order(long, &[long - 1], |node| node.checked_sub(1).into_iter().collect()).unwrap().len(),
            long
        );
    }
}
