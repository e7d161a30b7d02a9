//! The mask of an attention: numbers that are added to its scores, or truth values that let keys through.

use super::functions::every;
use super::lowering::{Lowered, Node, Refusal};
use super::value::Array;

/// A setting of `Attention` that no file has: its only input is the mask, and what comes out is to be added.
pub const ADDED: &str = "added";

/// A setting of `Softmax` that no file has: of a query that sees no key, whose scores are all minus infinity, the weights are
/// zeros, as `Attention` has them.
pub const SEES_NONE: &str = "sees none";

/// What a mask adds to scores: itself, or of truth values nothing where they are true, and minus infinity elsewhere.
pub fn added(node: &Node) -> Result<Lowered, Refusal> {
    node.proto.int(ADDED).ok_or("its first output is left out")?;
    if is_truth(node) {
        if let Ok(mask) = node.whole(0)
            && mask
                .values
                .chunks(mask.shape.last().map_or(1, |&keys| keys.max(1)))
                .any(|seen| seen.iter().all(|&seen| seen == 0))
        {
            return Err("a mask that hides all keys from a query, which is then left without a value".into());
        }
        return Lowered::run(node.shape(0)?.to_vec(), &[0], |mut inputs| {
            let mask = inputs.remove(0);
            let (shape, mask) = (mask.shape.clone(), mask.flat());
            let hidden = mask.clone().equal_elem(0.0);
            Array::new((mask - 1.0).mask_fill(hidden, f32::NEG_INFINITY), &shape)
        });
    }
    if node.input(0)?.is_whole() {
        return Err("a mask of whole numbers, expected truth values (BOOL) or floating-point numbers".into());
    }
    every(node, |x| x)
}

/// Whether the mask is of truth values: stored, made of others, or moved.
fn is_truth(node: &Node) -> bool {
    const BOOL: i64 = 9;
    let mut name = node.proto.input(0);
    // No chain of nodes is longer.
    for _ in 0..=node.model.nodes.len() {
        let Some(value) = name else { return false };
        if let Some(constant) = node.model.constant(value) {
            return constant.is_float() == Err("BOOL");
        }
        let Some(maker) = node.model.maker(value) else { return false };
        name = match maker.op_type.as_str() {
            "Cast" => return maker.int("to") == Some(BOOL),
            "ConstantOfShape" => return maker.tensor("value").is_some_and(|value| i64::from(value.data_type) == BOOL),
            "And" | "Equal" | "Greater" | "GreaterOrEqual" | "IsInf" | "IsNaN" | "Less" | "LessOrEqual" | "Not"
            | "Or" => {
                return true;
            }
            "CastLike" | "Where" => maker.input(1),
            "Concat" | "Expand" | "Flatten" | "Gather" | "GatherElements" | "GatherND" | "Identity" | "Pad"
            | "Reshape" | "Slice" | "Split" | "Squeeze" | "Tile" | "Transpose" | "Trilu" | "Unsqueeze" => {
                maker.input(0)
            }
            _ => None,
        };
    }
    false
}
