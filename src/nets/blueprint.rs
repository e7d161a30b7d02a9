//! A network described once: a graph of operations, with the layers tapped and the cuts between its stages. Stages,
//! parameters, facts and loading follow from it.

use std::ops::Range;
use std::path::Path;

use burn::tensor::Device;

use super::activations::Shape;
use super::input::Input;
use super::operation::{Function, Operation};
use super::stage::{Role, Stage};
use super::tokens::Token;
use crate::imagenet::CLASSES;
use crate::kernels::{Activation, VALID, Window};
use crate::weights::{self, Assignment, Facts, Kind, Parameter, Parameters, Transform, WeightsError};

/// A network in one of its forms, before its weights are read.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// The network: `vgg16`.
    pub name: String,
    /// Which published graph of it: `keras`.
    pub form: String,
    /// Input size and preprocessing.
    pub input: Input,
    /// The layer whose units are the 1000 classes of ILSVRC 2012 in index order, if there is one.
    pub classifier: Option<String>,
    /// In the order of computation; the first is the image.
    pub(super) nodes: Vec<Node>,
    /// The first node of every stage but the first.
    pub(super) cuts: Vec<usize>,
}

/// A value and how it is computed.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub operation: Operation,
    /// The nodes that it is computed from, all before it.
    pub inputs: Vec<usize>,
    pub shape: Shape,
    /// Kernel first.
    pub parameters: Vec<Parameter>,
    /// If it is tapped.
    pub layer: Option<Layer>,
}

/// Fewest units of a layer that can be tested: over two of them a correlation is 1 or -1.
pub const FEWEST_UNITS: usize = 3;

/// A tapped layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The paper's (Keras') name: `block3_conv2`.
    pub name: String,
    /// In figures: `B3C2`.
    pub label: String,
    /// Activations per image.
    pub shape: Shape,
    /// Tapped only when the configuration names it; not part of `layers = "all"`.
    pub on_request: bool,
}

impl Layer {
    /// Activations per image.
    pub fn units(&self) -> usize {
        self.shape.units()
    }
}

/// One step of a network, run over all images of a group before the next one starts.
#[derive(Clone, Debug, PartialEq)]
pub struct StageSpec {
    /// What leaves the stage, per image: all that later ones take, the last computed last.
    pub carried: Vec<Shape>,
    /// Layers tapped in this stage, in the order in which they are computed.
    pub layers: Vec<Layer>,
    /// Multiply-adds of its weights and of attention per image, for the time left.
    pub multiply_adds: u64,
    /// What it holds while it runs.
    pub inside: Inside,
}

/// Activations per image between the operations of a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Inside {
    /// All that are held at once, what comes in and what leaves among them, at most.
    pub alive: usize,
    /// Of the largest.
    pub largest: usize,
}

impl StageSpec {
    /// The last of what leaves the stage.
    pub fn output(&self) -> Shape {
        *self.carried.last().expect("a stage computes something")
    }

    /// Activations per image that leave the stage.
    pub fn units(&self) -> usize {
        self.carried.iter().map(Shape::units).sum()
    }
}

impl Blueprint {
    /// The stages in order, with the layers tapped in each.
    pub fn stages(&self) -> Vec<StageSpec> {
        let stage = |range: Range<usize>| {
            let nodes = &self.nodes[range.clone()];
            let units = |node: usize| self.nodes[node].shape.units();
            // What a node leaves is there beside all that it or a later one takes.
            let held = |node: usize| self.alive(node).into_iter().map(units).sum::<usize>() + units(node);
            let most = |of: &dyn Fn(usize) -> usize| range.clone().map(of).max().unwrap_or(0);
            StageSpec {
                carried: self.alive(range.end).into_iter().map(|node| self.nodes[node].shape).collect(),
                layers: nodes.iter().filter_map(|node| node.layer.clone()).collect(),
                multiply_adds: nodes.iter().map(Node::multiply_adds).sum(),
                // Kernels lay out as much again beside what they read and write.
                inside: Inside { alive: most(&held).max(3 * most(&units)), largest: most(&units) },
            }
        };
        self.ranges().map(stage).collect()
    }

    /// With a head of so many classes in place of ImageNet's; none if it has no head.
    pub fn with_classes(mut self, classes: usize) -> Option<Self> {
        self.classifier.as_ref()?;
        let head = self.nodes.iter_mut().rev().take_while(|node| node.shape.as_map()[0] == CLASSES);
        for node in head {
            node.shape = match node.shape {
                Shape::Map([_, height, width]) => Shape::Map([classes, height, width]),
                _ => Shape::Vector([classes]),
            };
            node.parameters.iter_mut().for_each(|parameter| parameter.shape[0] = classes);
            if let Some(layer) = &mut node.layer {
                layer.shape = node.shape;
            }
        }
        Some(self)
    }

    /// All layers, in the order in which they are computed.
    pub fn layers(&self) -> Vec<Layer> {
        self.nodes.iter().filter_map(|node| node.layer.clone()).collect()
    }

    /// What is tested of its layers of tokens unless the configuration says otherwise: the class token, without one their
    /// mean.
    pub fn token(&self) -> Token {
        let has_class = self.nodes.iter().any(|node| matches!(node.operation, Operation::Embedding { .. }));
        if has_class { Token::Cls } else { Token::Mean }
    }

    /// The layers of tokens before any attention: their class token is the same for every image.
    pub fn unattended(&self) -> Vec<String> {
        let before = self.nodes.iter().take_while(|node| !node.attends());
        let tokens = before.filter(|node| matches!(node.shape, Shape::Tokens(_)));
        tokens.filter_map(|node| node.layer.as_ref().map(|layer| layer.name.clone())).collect()
    }

    /// Whether a file of this format can hold its weights.
    ///
    /// # Errors
    /// [`WeightsError::Transformer`] for an ONNX file where tokens attend: exporters rename and transpose the weights of
    /// products and share equal ones, and what is left of their order is no layer's place.
    pub fn reads(&self, path: &Path) -> Result<(), WeightsError> {
        if self.nodes.iter().any(Node::attends) && weights::format(path)?.name == weights::onnx::FORMAT.name {
            return Err(WeightsError::Transformer { path: path.into(), network: self.name.clone() });
        }
        Ok(())
    }

    /// Every parameter, with its names in the known weights files.
    pub fn parameters(&self) -> Vec<Parameter> {
        self.nodes.iter().flat_map(|node| node.parameters.iter().cloned()).collect()
    }

    /// Names of the parameters that the stages from this one on need.
    pub fn parameters_from(&self, stage: usize) -> Vec<String> {
        let nodes = self.ranges().skip(stage).flat_map(|range| &self.nodes[range]);
        nodes.flat_map(|node| &node.parameters).map(|parameter| parameter.name.clone()).collect()
    }

    /// The last of the first `stages` that is to be left out, with all behind it, for an account to have nothing wrong: a
    /// head.
    pub fn head(&self, account: &Assignment, stages: usize) -> Option<usize> {
        (0..stages).rev().find(|&stage| account.clone().without(&self.parameters_from(stage)).is_some())
    }

    /// What it computes that shapes do not tell, for files that hold a computation graph.
    pub fn facts(&self) -> Facts {
        let mut facts = Facts { channels_last: true, ..Facts::default() };
        for node in &self.nodes {
            match &node.operation {
                Operation::Convolution { window, norm, .. } => {
                    facts.convolutions.push((*window, norm.as_ref().map(|norm| norm.epsilon)));
                }
                Operation::Dense { .. } if self.nodes[node.inputs[0]].shape.is_spread() => {
                    let flattens = |(_, transform): &(_, _)| matches!(transform, Transform::HwcFlatten { .. });
                    facts.channels_last &= node.parameters[0].sources.iter().any(flattens);
                }
                Operation::Function(Function::MaxPool(window)) => facts.max_padding.push(window.padding),
                Operation::Function(Function::AveragePool(_, border)) => facts.border = Some(*border),
                Operation::Image
                | Operation::Dense { .. }
                | Operation::Embedding { .. }
                | Operation::LayerNorm { .. }
                | Operation::Function(_) => {}
            }
        }
        facts
    }

    /// Builds the first `stages` stages on a device.
    ///
    /// # Errors
    /// As [`Parameters::get`].
    pub fn load(
        &self,
        stages: usize,
        parameters: &mut Parameters,
        device: &Device,
    ) -> Result<Vec<Stage>, WeightsError> {
        self.ranges().take(stages).map(|range| Stage::load(self, range, parameters, device)).collect()
    }

    /// Whether every value comes about in the same way.
    #[cfg(test)]
    pub(super) fn computes_as(&self, other: &Self) -> bool {
        let same = |(a, b): (&Node, &Node)| (&a.operation, &a.inputs, a.shape) == (&b.operation, &b.inputs, b.shape);
        self.nodes.len() == other.nodes.len() && self.nodes.iter().zip(&other.nodes).all(same)
    }

    /// The nodes of every stage.
    fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = [0].into_iter().chain(self.cuts.iter().copied());
        let ends = self.cuts.iter().copied().chain([self.nodes.len()]);
        starts.zip(ends).map(|(start, end)| start..end)
    }

    /// The last node that takes each node's value; of the last one, the end.
    pub(super) fn last_use(&self) -> Vec<usize> {
        let mut last: Vec<usize> = (0..self.nodes.len()).collect();
        for (at, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&input| last[input] = at);
        }
        if let Some(last) = last.last_mut() {
            *last = self.nodes.len();
        }
        last
    }

    /// The nodes before `cut` whose values are needed from it on; in any case the image comes before.
    pub(super) fn alive(&self, cut: usize) -> Vec<usize> {
        let (cut, last) = (cut.max(1), self.last_use());
        (0..cut).filter(|&node| last[node] >= cut).collect()
    }

    /// What before `end` is done in the same pass as `at`: after a convolution or dense layer a sum with what was computed
    /// before; after a convolution with or without, a dense layer without, or a sum an activation; of each, its own value
    /// neither another node takes nor a layer is.
    pub(super) fn joined(&self, at: usize, end: usize) -> Joined {
        let mut joined = Joined { nodes: vec![at], summand: None, activation: Activation::Identity };
        let operation = |node: usize| &self.nodes[node].operation;
        if let Operation::Convolution { .. } | Operation::Dense { .. } = operation(at)
            && let Some(sum) = self.only_taker(at, end)
            && *operation(sum) == Operation::Function(Function::Add)
            && let Some(&summand) = self.nodes[sum].inputs.iter().find(|&&input| input < at)
        {
            joined.nodes.push(sum);
            joined.summand = Some(summand);
        }
        let adds = match operation(at) {
            Operation::Convolution { .. } => true,
            Operation::Dense { .. } => joined.summand.is_none(),
            Operation::Function(function) => *function == Function::Add,
            Operation::Image | Operation::Embedding { .. } | Operation::LayerNorm { .. } => false,
        };
        if adds
            && let Some(taker) = self.only_taker(joined.outcome(), end)
            && let Operation::Function(Function::Activate(activation)) = *operation(taker)
        {
            joined.nodes.push(taker);
            joined.activation = activation;
        }
        joined
    }

    /// What before `end` makes a depthwise convolution between two 1 x 1 convolutions one pass, if `at` is the first of
    /// them or, where nothing is expanded, the depthwise one: the convolutions with their activations, and all that is done.
    pub(super) fn separable(&self, at: usize, end: usize) -> Option<(Vec<(usize, Activation)>, Joined)> {
        let kind = |node: usize| match self.nodes[node].operation {
            Operation::Convolution { window, groups: 1, .. } if window == Window::square(1, 1, VALID) => {
                Some(Separated::Point)
            }
            Operation::Convolution { groups: groups @ 2.., .. }
                if [node, self.nodes[node].inputs[0]]
                    .iter()
                    .all(|&node| self.nodes[node].shape.as_map()[0] == groups) =>
            {
                Some(Separated::Depthwise)
            }
            _ => None,
        };
        let (mut convolutions, mut nodes, mut node) = (Vec::new(), Vec::new(), at);
        loop {
            let joined = self.joined(node, end);
            let last = match (kind(node)?, &convolutions[..]) {
                (Separated::Point | Separated::Depthwise, []) => false,
                (Separated::Depthwise, [(first, _)]) if kind(*first)? == Separated::Point => false,
                (Separated::Point, [.., (before, _)]) if kind(*before)? == Separated::Depthwise => true,
                _ => return None,
            };
            if !joined.activation.is_piecewise() {
                return None;
            }
            convolutions.push((node, joined.activation));
            nodes.extend(&joined.nodes);
            if last {
                let there = joined.summand.is_none_or(|summand| summand < at);
                return there.then_some((convolutions, Joined { nodes, ..joined }));
            }
            node = self.only_taker(joined.outcome(), end).filter(|_| joined.summand.is_none())?;
        }
    }

    /// Whether the map that `at` is becomes nothing but a part of a concatenation before `end`.
    pub(super) fn part(&self, at: usize, end: usize) -> Role {
        let concatenation = self.only_taker(at, end).filter(|&taker| {
            let Node { operation, inputs, .. } = &self.nodes[taker];
            *operation == Operation::Function(Function::Concatenate) && inputs.iter().filter(|&&n| n == at).count() == 1
        });
        match concatenation.map(|taker| (taker, self.nodes[taker].shape)) {
            Some((of, Shape::Map(shape))) => {
                let (_, first) = self.firsts(of).find(|&(input, _)| input == at).expect("it is taken");
                Role::Part { of, first, shape }
            }
            _ => Role::Value,
        }
    }

    /// What a concatenation takes, each with its first channel.
    pub(super) fn firsts(&self, concatenation: usize) -> impl Iterator<Item = (usize, usize)> {
        self.nodes[concatenation].inputs.iter().scan(0, |next, &input| {
            let first = *next;
            *next += self.nodes[input].shape.as_map()[0];
            Some((input, first))
        })
    }

    /// The node before `end` that takes `at`, if no other does and no layer is.
    fn only_taker(&self, at: usize, end: usize) -> Option<usize> {
        let mut takers = (at + 1..self.nodes.len()).filter(|&later| self.nodes[later].inputs.contains(&at));
        let taker = takers.next().filter(|&taker| taker < end && self.nodes[at].layer.is_none())?;
        takers.next().is_none().then_some(taker)
    }
}

/// The convolutions of a separable one.
#[derive(PartialEq)]
enum Separated {
    Point,
    Depthwise,
}

/// What is done in one pass.
pub(super) struct Joined {
    /// In order.
    pub nodes: Vec<usize>,
    /// The node whose value is added to a convolution's or dense layer's.
    pub summand: Option<usize>,
    /// The last that is done.
    pub activation: Activation,
}

impl Joined {
    /// The node whose value comes of it.
    pub fn outcome(&self) -> usize {
        self.nodes[self.nodes.len() - 1]
    }
}

impl Node {
    fn attends(&self) -> bool {
        matches!(self.operation, Operation::Function(Function::Attention { .. }))
    }

    /// Of the weights with what comes in, and of attention, per image.
    fn multiply_adds(&self) -> u64 {
        if let (Operation::Function(Function::Attention { .. }), Shape::Tokens([tokens, dimensions])) =
            (&self.operation, self.shape)
        {
            return (2 * tokens * tokens * dimensions) as u64;
        }
        let kernel = self.parameters.first().filter(|parameter| matches!(parameter.kind, Kind::Kernel { .. }));
        let weights = |kernel: &Parameter| kernel.shape.iter().product::<usize>();
        kernel.map_or(0, |kernel| (weights(kernel) * self.shape.positions()) as u64)
    }
}
