//! How convolutions and poolings move over an image.

use super::nodes::{LONGEST_CHAIN, Nodes};
use super::proto::NodeProto;
use crate::weights::graph::{Pooling, Window};

/// A pooling node.
pub fn pooling(nodes: &Nodes, node: &NodeProto) -> Pooling {
    let [height, width] = node.ints("kernel_shape").and_then(sizes).unwrap_or([0, 0]);
    Pooling {
        node: node.name.clone(),
        average: node.op_type == "AveragePool",
        window: window(nodes, node, [height, width]),
        counts_padding: node.int("count_include_pad") == Some(1),
        rounds_up: node.int("ceil_mode") == Some(1),
    }
}

/// The window of a convolution or pooling of the given height and width.
pub fn window(nodes: &Nodes, node: &NodeProto, size: [usize; 2]) -> Window {
    let own = match node.text("auto_pad").unwrap_or_default() {
        b"" | b"NOTSET" => node.ints("pads").map_or(Some([0; 4]), sizes),
        b"VALID" => Some([0; 4]),
        _ if size == [1, 1] => Some([0; 4]),
        _ => None,
    };
    let padding = own
        .zip(padded_before(nodes, node))
        .map(|(own, before)| std::array::from_fn(|at| own[at].saturating_add(before[at])));
    let stride = node.ints("strides").and_then(sizes).unwrap_or([1, 1]);
    let dilation = node.ints("dilations").and_then(sizes).unwrap_or([1, 1]);
    Window { size, stride, dilation, padding }
}

/// ONNX's pads of four axes, where the graph computes them from PyTorch's.
fn pytorchs_pads(nodes: &Nodes, name: &str) -> Option<Vec<i64>> {
    let mut name = name;
    for operation in PYTORCHS_PADS {
        let node = &nodes.nodes[nodes.producer(name)?];
        name = node.input(0).filter(|_| node.op_type == operation)?;
    }
    let mut own = nodes.whole(name)?;
    own.resize(8, 0);
    Some((0..2).flat_map(|side| (0..4).rev().map(move |axis| 2 * axis + side)).map(|at| own[at]).collect())
}

/// What a `Pad` node before a window adds at top, left, bottom, right; `None` if the graph computes it.
fn padded_before(nodes: &Nodes, node: &NodeProto) -> Option<[usize; 4]> {
    // The axes of height and width where the padding happens.
    let mut image = [2usize, 3];
    let mut name = node.input(0)?;
    for _ in 0..LONGEST_CHAIN {
        let Some(at) = nodes.producer(name) else { break };
        let before = &nodes.nodes[at];
        match before.op_type.as_str() {
            "Identity" | "Cast" => {}
            "Transpose" => {
                let perm = before.ints("perm")?;
                for axis in &mut image {
                    *axis = perm.get(*axis).copied()?.try_into().ok()?;
                }
            }
            "Pad" => {
                let pads = before.ints("pads").map(<[i64]>::to_vec);
                let stored = || nodes.whole(before.input(1)?).or_else(|| pytorchs_pads(nodes, before.input(1)?));
                let pads = pads.or_else(stored)?;
                let (begin, end) = pads.split_at_checked(4)?;
                let at = |pads: &[i64], axis: usize| pads.get(axis).copied()?.try_into().ok();
                return Some([at(begin, image[0])?, at(begin, image[1])?, at(end, image[0])?, at(end, image[1])?]);
            }
            _ => break,
        }
        name = before.input(0)?;
    }
    Some([0; 4])
}

/// What PyTorch's exporter puts between its own list of pads (last axis first) and ONNX's, from the end.
const PYTORCHS_PADS: [&str; 6] = ["Cast", "Reshape", "Transpose", "Slice", "Reshape", "Concat"];

fn sizes<const N: usize>(values: &[i64]) -> Option<[usize; N]> {
    let sizes: Option<Vec<usize>> = values.iter().map(|&value| value.try_into().ok()).collect();
    sizes?.try_into().ok()
}
