//! Which node computes which value, and which take it.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use super::bounds::{MOST_NAMES, MOST_NODES, MOST_RESULTS};
use super::operators;
use crate::weights::onnx::model::{Lengths, Model};
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
    pub fn new(mut model: Model) -> Result<Self, String> {
        model.nodes = in_order(mem::take(&mut model.nodes));
        let [(input, _)] = &model.inputs[..] else {
            let names: Vec<&str> = model.inputs.iter().map(|(name, _)| name.as_str()).collect();
            let few = |lengths: &Lengths| lengths.iter().all(|length| length.is_some_and(|length| length <= 3));
            let small = model.inputs.iter().filter(|(_, lengths)| lengths.as_ref().is_some_and(few)).count();
            let remedy = match names.len() - small {
                1 => {
                    "the exporter left numbers out of the file, as Keras' does those of Normalization: save the model as \
                     SavedModel (model.export(\"folder\")) and convert that (python -m tf2onnx.convert --saved-model folder \
                     --output model.onnx)"
                }
                _ => "export the image side of the model alone",
            };
            return Err(format!(
                "has {} inputs ({}), expected one, the images; {remedy}",
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
            "; it draws random numbers, so that no two runs of it are alike: export it without them (a VOneNet with its noise \
             off; of a masked autoencoder the encoder as a plain one: transformers' ViTModel.from_pretrained for ViTMAE)"
        } else if any(|name| matches!(name, "If" | "SplitToSequence")) {
            "; PyTorch's newer exporter writes no branches and lists where it optimizes: torch.onnx.export(…, dynamo=True, optimize=True)"
        } else if any(|name| matches!(name, "Erfc" | "Expm1" | "StatefulPartitionedCall")) {
            "; tf2onnx left operators of TensorFlow in the file, which no program computes: where it is Keras', export it on \
             PyTorch (KERAS_BACKEND=torch)"
        } else if any(|name| !name.contains("::")) {
            "; layers before them can be had: cut the file behind the last that you want (onnx.utils.extract_model(\"model.onnx\", \
             \"part.onnx\", [INPUT], [VALUE], check_model=False))"
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

/// Every node behind those whose values it takes: ONNX Runtime's converter to float16 writes last what all others take.
fn in_order(nodes: Vec<NodeProto>) -> Vec<NodeProto> {
    let mut makers = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        makers.extend(node.output.iter().filter(|name| !name.is_empty()).map(|name| (name.as_str(), at)));
    }
    let (mut order, mut asked) = (Vec::with_capacity(nodes.len()), vec![false; nodes.len()]);
    for first in 0..nodes.len() {
        // Nodes, and how many of its inputs are looked at; what is computed from itself is refused when it is compiled.
        let mut open = if mem::replace(&mut asked[first], true) { vec![] } else { vec![(first, 0)] };
        while let Some((at, seen)) = open.last_mut() {
            let Some(name) = nodes[*at].input.get(*seen) else {
                order.push(*at);
                open.pop();
                continue;
            };
            *seen += 1;
            if let Some(&maker) = makers.get(name.as_str())
                && !mem::replace(&mut asked[maker], true)
            {
                open.push((maker, 0));
            }
        }
    }
    let mut nodes: Vec<Option<NodeProto>> = nodes.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| nodes[at].take()).collect()
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
