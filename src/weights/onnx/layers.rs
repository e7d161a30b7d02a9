//! From nodes to layers: a convolution or dense layer with the bias, scale and batch normalization that follow it.

use std::collections::{BTreeMap, HashSet};

use super::constant::View;
use super::names::module;
use super::nodes::{LONGEST_CHAIN, Nodes};
use super::proto::NodeProto;
use super::windows::{pooling, window};
use crate::weights::WeightsError;
use crate::weights::graph::{Flattened, Graph, GraphLayer, Held, Norm, Window};
use crate::weights::scale_and_shift;

/// How a tensor's values come about.
pub enum Recipe {
    /// As stored.
    Stored(View),
    /// As stored, times a factor per output (the first axis).
    Scaled(View, Vec<f64>),
    /// Computed when the model was opened.
    Given(Vec<f32>),
}

impl Recipe {
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Stored(view) | Self::Scaled(view, _) => view.shape.clone(),
            Self::Given(values) => vec![values.len()],
        }
    }
}

/// The graph's layers, and how each of their tensors comes about.
pub struct Layers {
    pub graph: Graph,
    pub recipes: BTreeMap<String, Recipe>,
}

/// Whether a node is a convolution or dense layer.
pub fn is_layer(node: &NodeProto) -> bool {
    matches!(node.op_type.as_str(), "Conv" | "Gemm" | "MatMul")
}

/// Whether a node of another domain is such a layer, alone or in one with what follows.
fn is_fused(node: &NodeProto) -> bool {
    ["Conv", "Gemm", "MatMul"].iter().any(|layer| node.op_type.ends_with(layer))
}

/// Why a graph cannot be used: a sentence, or a file that cannot be read.
#[derive(Debug)]
pub enum Obstacle {
    Graph(String),
    Weights(WeightsError),
}

impl From<WeightsError> for Obstacle {
    fn from(error: WeightsError) -> Self {
        Self::Weights(error)
    }
}

/// Finds the layers of a graph.
///
/// A batch normalization after a convolution is kept apart if every convolution has one. Where only some have, the exporter
/// folded the others, and the rest is folded here in the same way.
pub fn layers(nodes: &Nodes, walk: &[usize]) -> Result<Layers, Obstacle> {
    let layers = find(nodes, walk, false)?;
    let convolutions = || layers.graph.layers.iter().filter(|layer| layer.window.is_some());
    if convolutions().any(|layer| layer.norm.is_some()) && convolutions().any(|layer| layer.norm.is_none()) {
        return find(nodes, walk, true);
    }
    Ok(layers)
}

fn find(nodes: &Nodes, walk: &[usize], fold: bool) -> Result<Layers, Obstacle> {
    let mut finder = Finder { nodes, fold, graph: Graph::default(), recipes: BTreeMap::new(), norms: HashSet::new() };
    for &at in walk {
        let node = &nodes.nodes[at];
        // Their kernels may be in another order, and what is in one with them stands in no layer.
        if !matches!(node.domain.as_str(), "" | "ai.onnx") && is_fused(node) {
            return Err(Obstacle::Graph(format!(
                "{} is {}::{}, as ONNX Runtime's optimizer writes it, expected ONNX's operators; take the file before it was \
                 optimized",
                node.name, node.domain, node.op_type
            )));
        }
        match node.op_type.as_str() {
            "Conv" => finder.convolution(node)?,
            "Gemm" => finder.dense(node, node.int("transB") == Some(1))?,
            "MatMul" if node.input(1).is_some_and(|name| nodes.view(name).is_some()) => finder.dense(node, false)?,
            "MaxPool" | "AveragePool" => finder.graph.poolings.push(pooling(nodes, node)),
            "BatchNormalization" if !finder.norms.contains(&at) => {
                let scale = node.input(1).unwrap_or(&node.name);
                finder.graph.loose_norms.push(scale.to_string());
            }
            "QLinearConv" | "ConvInteger" | "QLinearMatMul" | "MatMulInteger" => {
                return Err(Obstacle::Graph(format!(
                    "{} is a quantized layer ({}), expected floating-point weights; export the model unquantized",
                    node.name, node.op_type
                )));
            }
            _ => {}
        }
    }
    Ok(Layers { graph: finder.graph, recipes: finder.recipes })
}

struct Finder<'a> {
    nodes: &'a Nodes<'a>,
    /// Whether batch normalizations are folded into their convolutions.
    fold: bool,
    graph: Graph,
    recipes: BTreeMap<String, Recipe>,
    /// Batch normalizations that belong to a convolution.
    norms: HashSet<usize>,
}

/// What a layer's output goes through before its activation, per output: `scale * (sum over the kernel) + shift`.
struct Affine {
    scale: Option<Vec<f64>>,
    shift: Shift,
    norm: Option<usize>,
}

enum Shift {
    None,
    Stored(View),
    Computed(Vec<f64>),
}

impl Finder<'_> {
    fn convolution(&mut self, node: &NodeProto) -> Result<(), Obstacle> {
        let kernel = self.constant(node, 1, "kernel")?;
        let &[outs, _, height, width] = kernel.shape.as_slice() else {
            return Err(Obstacle::Graph(format!(
                "the kernel of {} has shape {:?}, expected four axes",
                node.name, kernel.shape
            )));
        };
        let bias = node.input(2).map(|_| self.vector(node, 2, "bias", outs)).transpose()?;
        let window = window(self.nodes, node, [height, width]);
        let affine = self.affine(node, bias, outs, 1, 4)?;
        self.add(node, kernel, affine, Some(window))
    }

    /// A dense layer whose kernel is stored `[out, in]`, or `[in, out]` if it is not `transposed`.
    fn dense(&mut self, node: &NodeProto, transposed: bool) -> Result<(), Obstacle> {
        let kernel = self.constant(node, 1, "kernel")?;
        let plain = node.float("alpha").unwrap_or(1.0) == 1.0 && node.float("beta").unwrap_or(1.0) == 1.0;
        if kernel.shape.len() != 2 || !plain || node.int("transA").unwrap_or(0) != 0 {
            return Err(Obstacle::Graph(format!(
                "{} is no plain dense layer: a kernel of shape {:?}, or alpha, beta or transA set",
                node.name, kernel.shape
            )));
        }
        let kernel = if transposed { Some(kernel) } else { kernel.transposed(&[1, 0]) };
        let kernel = kernel.and_then(|kernel| self.channels_first(node, kernel));
        let kernel = kernel.ok_or_else(|| {
            Obstacle::Graph(format!(
                "{} takes its inputs in an order that is neither channels first nor last",
                node.name
            ))
        })?;
        let outs = kernel.shape[0];
        let bias = node.input(2).map(|_| self.vector(node, 2, "bias", outs)).transpose()?;
        let affine = self.affine(node, bias, outs, 1, 2)?;
        self.add(node, kernel, affine, None)
    }

    fn constant(&self, node: &NodeProto, input: usize, what: &str) -> Result<View, Obstacle> {
        let computed = || {
            Obstacle::Graph(format!(
                "the {what} of {} is computed in the graph, expected a stored tensor; export the model with constant \
                 folding and unquantized",
                node.name
            ))
        };
        let view = node.input(input).and_then(|name| self.nodes.view(name)).ok_or_else(computed)?;
        let constant = &self.nodes.constants[view.constant];
        constant.is_float().map_err(|found| {
            Obstacle::Graph(format!(
                "{} is of type {found}, expected FLOAT, FLOAT16, BFLOAT16 or DOUBLE; export the model unquantized",
                constant.name
            ))
        })?;
        if view.shape.contains(&0) {
            return Err(Obstacle::Graph(format!("{} is empty: its shape is {:?}", constant.name, view.shape)));
        }
        Ok(view)
    }

    /// A constant with one value per output.
    fn vector(&self, node: &NodeProto, input: usize, what: &str, outs: usize) -> Result<View, Obstacle> {
        let view = self.constant(node, input, what)?;
        let shape = view.shape.clone();
        view.reshaped(&[outs]).ok_or_else(|| {
            Obstacle::Graph(format!("the {what} of {} has shape {shape:?}, expected {outs} values", node.name))
        })
    }

    /// Follows a layer's output, `rank` axes with the channels at `axis`, as long as each value of it is scaled and
    /// shifted by constants of its channel.
    fn affine(
        &mut self,
        node: &NodeProto,
        bias: Option<View>,
        outs: usize,
        mut axis: usize,
        rank: usize,
    ) -> Result<Affine, Obstacle> {
        let mut affine = Affine { scale: None, shift: bias.map_or(Shift::None, Shift::Stored), norm: None };
        let mut value = node.output.first();
        while let Some(at) = value.and_then(|value| self.nodes.only_consumer(value)) {
            let next = &self.nodes.nodes[at];
            match next.op_type.as_str() {
                "Identity" | "Cast" | "Dropout" => {}
                "Transpose" => {
                    let moved = |axes: &[i64]| axes.iter().position(|&from| usize::try_from(from) == Ok(axis));
                    match next.ints("perm").filter(|axes| axes.len() == rank).and_then(moved) {
                        Some(to) => axis = to,
                        None => break,
                    }
                }
                "Add" | "Sub" | "Mul" | "Div" => {
                    let Some(constant) = self.per_channel(next, outs, axis, rank) else { break };
                    self.apply(&mut affine, &next.op_type, constant, outs)?;
                }
                "BatchNormalization" if axis == 1 && rank == 4 => {
                    self.norms.insert(at);
                    if !self.fold {
                        affine.norm = Some(at);
                        break;
                    }
                    self.fold_norm(&mut affine, next, outs)?;
                }
                _ => break,
            }
            value = next.output.first();
        }
        Ok(affine)
    }

    /// The constant operand of `x + c`, `x - c`, `x * c` or `x / c`, if it holds one value per channel.
    fn per_channel(&self, node: &NodeProto, outs: usize, axis: usize, rank: usize) -> Option<View> {
        let either = matches!(node.op_type.as_str(), "Add" | "Mul");
        let constant = |input: usize| self.nodes.view(node.input(input)?);
        let view = constant(1).or_else(|| constant(0).filter(|_| either))?;
        let offset = rank.checked_sub(view.shape.len())?;
        let fits = |(at, &size): (usize, &usize)| size == if at + offset == axis { outs } else { 1 };
        let covers = offset <= axis && view.shape.iter().enumerate().all(fits);
        (covers && self.nodes.constants[view.constant].is_float().is_ok()).then_some(view)
    }

    fn read(&self, view: &View) -> Result<Vec<f64>, WeightsError> {
        Ok(view.read(self.nodes.constants)?.into_iter().map(f64::from).collect())
    }

    fn shift(&self, affine: &Affine, outs: usize) -> Result<Vec<f64>, WeightsError> {
        match &affine.shift {
            Shift::None => Ok(vec![0.0; outs]),
            Shift::Stored(view) => self.read(view),
            Shift::Computed(values) => Ok(values.clone()),
        }
    }

    fn apply(&self, affine: &mut Affine, operation: &str, constant: View, outs: usize) -> Result<(), Obstacle> {
        if operation == "Add" && matches!(affine.shift, Shift::None) && affine.scale.is_none() {
            affine.shift = constant.reshaped(&[outs]).map_or(Shift::None, Shift::Stored);
            return Ok(());
        }
        let values = self.read(&constant)?;
        let mut shift = self.shift(affine, outs)?;
        match operation {
            "Add" => shift.iter_mut().zip(&values).for_each(|(shift, value)| *shift += value),
            "Sub" => shift.iter_mut().zip(&values).for_each(|(shift, value)| *shift -= value),
            _ => {
                let factor = |value: f64| if operation == "Mul" { value } else { 1.0 / value };
                let scale = affine.scale.get_or_insert_with(|| vec![1.0; outs]);
                for ((shift, scale), value) in shift.iter_mut().zip(scale).zip(values) {
                    (*shift, *scale) = (*shift * factor(value), *scale * factor(value));
                }
            }
        }
        affine.shift = Shift::Computed(shift);
        Ok(())
    }

    fn fold_norm(&self, affine: &mut Affine, norm: &NodeProto, outs: usize) -> Result<(), Obstacle> {
        let mut values = Vec::new();
        for (input, what) in NORM {
            values.push(self.read(&self.vector(norm, input, what, outs)?)?);
        }
        let mut shift = self.shift(affine, outs)?;
        let scale = affine.scale.get_or_insert_with(|| vec![1.0; outs]);
        for out in 0..outs {
            let norm_of = [0, 1, 2, 3].map(|n| values[n][out]);
            let (factor, shifted) = scale_and_shift(norm_of, f64::from(epsilon(norm)), shift[out]);
            scale[out] *= factor;
            shift[out] = shifted;
        }
        affine.shift = Shift::Computed(shift);
        Ok(())
    }

    fn add(&mut self, node: &NodeProto, kernel: View, affine: Affine, window: Option<Window>) -> Result<(), Obstacle> {
        let outs = kernel.shape[0];
        let initializer = self.nodes.constants[kernel.constant].name.clone();
        let module = module(&node.name, &initializer);
        let named = |role: &str, initializer: &str| match &module {
            Some(module) => format!("{module}.{role}"),
            None => initializer.to_string(),
        };
        let kernel_name = named("weight", &initializer);
        let kernel = match affine.scale {
            None => self.hold(kernel_name, Recipe::Stored(kernel)),
            Some(scale) => self.hold(kernel_name, Recipe::Scaled(kernel, scale)),
        };
        let bias = match affine.shift {
            Shift::None => None,
            Shift::Stored(view) => {
                let name = named("bias", &self.nodes.constants[view.constant].name);
                Some(self.hold(name, Recipe::Stored(view)))
            }
            Shift::Computed(values) => {
                let values = values.into_iter().map(|value| value as f32).collect();
                Some(self.hold(named("bias", &format!("{initializer} (bias)")), Recipe::Given(values)))
            }
        };
        let norm = affine.norm.map(|at| self.norm(&self.nodes.nodes[at], outs)).transpose()?;
        self.graph.layers.push(GraphLayer { module, node: node.name.clone(), kernel, bias, norm, window });
        Ok(())
    }

    fn norm(&mut self, node: &NodeProto, outs: usize) -> Result<Norm, Obstacle> {
        let mut tensors = Vec::new();
        let scale = node.input(1).unwrap_or_default();
        let module = module(&node.name, scale);
        for ((input, what), role) in NORM.into_iter().zip(["weight", "bias", "running_mean", "running_var"]) {
            let view = self.vector(node, input, what, outs)?;
            let initializer = &self.nodes.constants[view.constant].name;
            let name = module.as_ref().map_or(initializer.clone(), |module| format!("{module}.{role}"));
            tensors.push(self.hold(name, Recipe::Stored(view)));
        }
        let tensors = tensors.try_into().unwrap_or_else(|_| unreachable!("four parts"));
        Ok(Norm { tensors, epsilon: epsilon(node) })
    }

    /// Takes a tensor in, under a name of its own: layers that share weights are told apart by a number.
    fn hold(&mut self, name: String, recipe: Recipe) -> Held {
        let shape = recipe.shape();
        let initializer = match &recipe {
            Recipe::Stored(view) | Recipe::Scaled(view, _) => self.nodes.constants[view.constant].name.clone(),
            Recipe::Given(_) => String::new(),
        };
        let mut unique = name.clone();
        let mut number = self.recipes.len();
        while self.recipes.contains_key(&unique) {
            number += 1;
            unique = format!("{name} ({number})");
        }
        self.recipes.insert(unique.clone(), recipe);
        Held { name: unique, shape, initializer }
    }

    /// Brings the inputs of a dense kernel `[out, in]` into the order of `[channels, height, width]`; `None` if the graph
    /// flattens in another order than that or `[height, width, channels]`.
    fn channels_first(&mut self, node: &NodeProto, kernel: View) -> Option<View> {
        const CHANNELS_LAST: [i64; 4] = [0, 2, 3, 1];
        let mut axes: Option<Vec<i64>> = None;
        let mut name = node.input(0)?;
        for _ in 0..LONGEST_CHAIN {
            let Some(at) = self.nodes.producer(name) else { return Some(kernel) };
            let before = &self.nodes.nodes[at];
            match before.op_type.as_str() {
                "Transpose" => {
                    // Axis i of what is flattened is axis perm[i] of what comes before.
                    let perm = before.ints("perm")?;
                    let through = |axis: i64| perm.get(usize::try_from(axis).ok()?).copied();
                    let later = axes.unwrap_or((0..4).collect());
                    axes = Some(later.into_iter().map(through).collect::<Option<_>>()?);
                }
                // The shape of what is flattened is known: a layer's or a pooling's output, channels at axis 1.
                "Conv" => {
                    let [outs, inputs] = [kernel.shape[0], kernel.shape[1]];
                    let channels = self.nodes.view(before.input(1)?)?.shape.first().copied()?;
                    let positions = inputs.checked_div(channels)?;
                    if positions <= 1 {
                        return Some(kernel);
                    }
                    return match axes.as_deref() {
                        None | Some([0, 1, 2, 3]) => {
                            self.graph.flattened.get_or_insert(Flattened::ChannelsFirst);
                            Some(kernel)
                        }
                        Some(axes) if axes == CHANNELS_LAST => {
                            self.graph.flattened.get_or_insert(Flattened::ChannelsLast);
                            let kernel = kernel.reshaped(&[outs, positions, channels])?.transposed(&[0, 2, 1])?;
                            kernel.reshaped(&[outs, inputs])
                        }
                        Some(_) => None,
                    };
                }
                // One value per channel is left, or one per input: there is no order to change.
                "GlobalAveragePool" | "ReduceMean" | "Gemm" | "MatMul" => return Some(kernel),
                _ => {}
            }
            match before.input(0).filter(|name| self.nodes.view(name).is_none()).or_else(|| before.input(1)) {
                Some(input) => name = input,
                None => return Some(kernel),
            }
        }
        None
    }
}

/// The inputs of a batch normalization.
const NORM: [(usize, &str); 4] = [(1, "scale"), (2, "shift"), (3, "mean"), (4, "variance")];

/// ONNX's default where the node does not say.
fn epsilon(norm: &NodeProto) -> f32 {
    norm.float("epsilon").unwrap_or(1e-5)
}
