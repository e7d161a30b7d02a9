//! The convolution of the image and the normalization behind it, of a graph.

use super::GraphNetwork;
use super::value::Constant;
use crate::nets::FirstNorm;
use crate::weights::WeightsError;

/// What may stand between the image and the first convolution.
const BEFORE: &[&str] = &["Identity", "Pad", "Transpose"];

impl GraphNetwork {
    /// The convolution of the image and the normalization behind it; none where other nodes stand between, or an exporter
    /// folded it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn first_norm(&self) -> Result<Option<FirstNorm>, WeightsError> {
        let wiring = &self.wiring;
        let only = |value: usize| match wiring.takers[value][..] {
            [taker] => Some(taker),
            _ => None,
        };
        let mut next = only(wiring.image);
        while let Some(node) = next.filter(|&node| BEFORE.contains(&wiring.operator(node))) {
            next = only(wiring.outputs[node][0]);
        }
        let Some(conv) = next.filter(|&node| wiring.operator(node) == "Conv") else { return Ok(None) };
        let Some(norm) = only(wiring.outputs[conv][0]) else { return Ok(None) };
        if wiring.operator(norm) != "BatchNormalization" {
            return Ok(None);
        }
        let constant = |node: usize, input: usize| {
            let value = wiring.inputs[node].get(input).copied().flatten()?;
            let at = wiring.constants.iter().position(|&constant| constant == value)?;
            Some(Constant::stored(&wiring.model, at))
        };
        let (Some(kernel), Some(mean), Some(variance)) = (constant(conv, 1), constant(norm, 3), constant(norm, 4))
        else {
            return Ok(None);
        };
        let &[_, 3, height, width] = &kernel.shape[..] else { return Ok(None) };
        let bias = constant(conv, 2).map(|bias| bias.values()).transpose()?;
        if bias.is_none() && wiring.inputs[conv].get(2).copied().flatten().is_some() {
            return Ok(None);
        }
        Ok(Some(FirstNorm {
            size: [height, width],
            kernel: kernel.values()?,
            bias,
            mean: mean.values()?,
            variance: variance.values()?,
            epsilon: wiring.model.nodes[norm].float("epsilon").unwrap_or(1e-5).into(),
        }))
    }
}
