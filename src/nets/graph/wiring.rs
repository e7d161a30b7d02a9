//! Which node computes which value, and which take it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::bounds::{MOST_NAMES, MOST_NODES, MOST_RESULTS};
use super::operators;
use crate::weights::onnx::model::Model;
use crate::weights::onnx::proto::NodeProto;

/// A model's values by number.
#[derive(Clone)]
pub struct Wiring {
    /// The file.
    pub model: Arc<Model>,
    /// The name of each value.
    pub names: Vec<String>,
    /// The inputs of each node; absent ones are none.
    pub inputs: Vec<Vec<Option<usize>>>,
    /// The outputs of each node.
    pub outputs: Vec<Vec<usize>>,
    /// The nodes that take each value, once for every time.
    pub takers: Vec<Vec<usize>>,
    /// The node that computes each value.
    pub maker: Vec<Option<usize>>,
    /// What a call gives.
    pub image: usize,
    /// The values of the file's constants.
    pub constants: Vec<usize>,
    /// What comes out.
    pub results: Vec<usize>,
}

impl Wiring {
    /// Of a model of one input.
    ///
    /// # Errors
    /// A sentence: what the model takes or holds that no network of images does.
    pub fn new(model: Model) -> Result<Self, String> {
        let [(input, _)] = &model.inputs[..] else {
            let names: Vec<&str> = model.inputs.iter().map(|(name, _)| name.as_str()).collect();
            return Err(format!(
                "has {} inputs ({}), expected one, the images; export the image side of the model alone",
                names.len(),
                names.join(", ")
            ));
        };
        check(&model)?;
        let (mut names, mut numbers) = (Vec::new(), HashMap::new());
        let mut number = |name: &str| {
            *numbers.entry(name.to_string()).or_insert_with(|| {
                names.push(name.to_string());
                names.len() - 1
            })
        };
        let image = number(input);
        let constants = model.constants.iter().map(|constant| number(&constant.name)).collect();
        let inputs: Vec<Vec<Option<usize>>> = model
            .nodes
            .iter()
            .map(|node| node.input.iter().map(|name| (!name.is_empty()).then(|| number(name))).collect())
            .collect();
        let outputs: Vec<Vec<usize>> =
            model.nodes.iter().map(|node| node.output.iter().map(|name| number(name)).collect()).collect();
        let results = model.outputs.iter().map(|name| number(name)).collect();
        let (mut takers, mut maker) = (vec![Vec::new(); names.len()], vec![None; names.len()]);
        for (at, taken) in inputs.iter().enumerate() {
            taken.iter().flatten().for_each(|&value| takers[value].push(at));
        }
        for (at, made) in outputs.iter().enumerate() {
            made.iter().for_each(|&value| maker[value] = Some(at));
        }
        Ok(Self { model: Arc::new(model), names, inputs, outputs, takers, maker, image, constants, results })
    }

    /// How many nodes.
    pub fn nodes(&self) -> usize {
        self.inputs.len()
    }

    /// The nodes that take a value for more than its shape; none of one that the file has not.
    pub fn takers_of_values(&self, value: usize) -> impl Iterator<Item = usize> {
        let takers = self.takers.get(value).into_iter().flatten().copied();
        takers.filter(move |&taker| !matches!(self.operator(taker), "Shape" | "Size"))
    }

    /// The operator of a node.
    pub fn operator(&self, node: usize) -> &str {
        &self.model.nodes[node].op_type
    }

    /// Every operator that this build has not, with a node of it each.
    pub fn missing(&self) -> Option<String> {
        let mut missing: Vec<(String, Vec<&str>)> = Vec::new();
        for node in &self.model.nodes {
            let own = matches!(node.domain.as_str(), "" | "ai.onnx");
            if own && operators::find(&node.op_type).is_some() || node.op_type == "Constant" {
                continue;
            }
            let name = if own { node.op_type.clone() } else { format!("{}::{}", node.domain, node.op_type) };
            match missing.iter_mut().find(|(known, _)| *known == name) {
                Some((_, nodes)) => nodes.push(&node.name),
                None => missing.push((name, vec![&node.name])),
            }
        }
        let listed = missing.iter().map(|(name, nodes)| match nodes[..] {
            [node] => format!("{name} (node {node:?})"),
            _ => format!("{name} ({} nodes, the first {:?})", nodes.len(), nodes[0]),
        });
        let listed: Vec<String> = listed.collect();
        let functions = match self.model.functions {
            0 => "",
            _ => "; the model calls functions of its own: inline them first (onnx.inliner)",
        };
        let any = |of: fn(&str) -> bool| missing.iter().any(|(name, _)| of(name));
        let remedy = if any(|name| name.starts_with("com.microsoft.nchwc::")) {
            "; ONNX Runtime wrote it for one CPU: take the file before, or optimize it at level basic or extended"
        } else if any(in_whole_numbers) {
            "; it was quantised to compute in whole numbers: take the file with floating-point weights, or quantise that as QDQ \
             (quantize_static, quant_format=QuantFormat.QDQ)"
        } else if any(|name| name.starts_with("Random") || matches!(name, "Bernoulli" | "Multinomial")) {
            "; it draws random numbers, so that no two runs of it are alike: export the network that takes whole images (of a masked \
             autoencoder the encoder as a plain one: transformers' ViTModel.from_pretrained for ViTMAE)"
        } else if any(|name| matches!(name, "If" | "SplitToSequence")) {
            "; PyTorch's newer exporter writes no branches and lists where it optimizes: torch.onnx.export(…, dynamo=True, optimize=True)"
        } else {
            ""
        };
        let listed = listed.join(", ");
        (!listed.is_empty())
            .then(|| format!("computes with operators that this build has not: {listed}{functions}{remedy}"))
    }
}

/// Whether an operator is one of those that models are quantised to which compute in whole numbers.
fn in_whole_numbers(operator: &str) -> bool {
    let operator = operator.strip_prefix("com.microsoft::").unwrap_or(operator);
    ["QLinear", "QGemm", "QAttention", "DynamicQuantize"].iter().any(|begins| operator.starts_with(begins))
        || operator.contains("Integer")
}

/// Something is computed, every value is made once, and there are no more of them than a network has.
fn check(model: &Model) -> Result<(), String> {
    if model.nodes.is_empty() {
        return Err("has no nodes, so that what goes in comes out; expected a network".into());
    }
    let outputs = || model.nodes.iter().flat_map(|node| &node.output).filter(|name| !name.is_empty());
    let counts = [
        ("nodes", model.nodes.len(), MOST_NODES),
        ("values", model.constants.len() + outputs().count(), MOST_NAMES),
        ("values that come out", model.outputs.len(), MOST_RESULTS),
    ];
    if let Some((what, count, most)) = counts.into_iter().find(|(_, count, most)| count > most) {
        return Err(format!("has {count} {what}, expected at most {most}"));
    }
    // A `Constant` that is a tensor stands among the constants.
    let computes = |node: &&NodeProto| node.op_type != "Constant" || node.attribute("value").is_none();
    let of_nodes = model.nodes.iter().filter(computes).flat_map(|node| &node.output);
    let names = model.inputs.iter().map(|(name, _)| name).chain(model.constants.iter().map(|constant| &constant.name));
    let mut seen = HashSet::new();
    match names.chain(of_nodes.filter(|name| !name.is_empty())).find(|name| !seen.insert(name.as_str())) {
        Some(twice) => Err(format!("computes or holds {twice:?} twice")),
        None => Ok(()),
    }
}
