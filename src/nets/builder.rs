//! Draws blueprints: a network's file says each layer once, in the order of computation.

use super::activations::Shape;
use super::blueprint::{Blueprint, Layer, Node};
use super::input::Input;
use super::operation::{Function, Norm, Operation};
use crate::kernels::pooling::Border;
use crate::kernels::{Activation, Window};
use crate::weights::{Kind, Names, Normalised, Parameter};

/// A blueprint under construction.
///
/// Convolutions and dense layers are drawn in the order of [`Graph::layers`](crate::weights::graph::Graph): in a residual
/// block the shortcut last.
pub struct Builder {
    input: Input,
    nodes: Vec<Node>,
    cuts: Vec<usize>,
}

/// Something computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(usize);

/// A convolution to draw.
pub struct Conv {
    /// Canonical name: `block1.conv1`.
    pub name: String,
    /// Its names in files.
    pub names: Names,
    /// Channels that come out.
    pub outputs: usize,
    /// How it moves.
    pub window: Window,
    /// Groups of channels that see only their own.
    pub groups: usize,
    /// Whether it has a bias.
    pub bias: bool,
    /// The batch normalization after it, and whether that has a scale.
    pub norm: Option<(Norm, bool)>,
}

impl Conv {
    /// One with bias, not normalised.
    pub fn new(name: &str, names: Names, outputs: usize, window: Window) -> Self {
        Self { name: name.to_string(), names, outputs, window, groups: 1, bias: true, norm: None }
    }

    /// One without bias, with a batch normalization with a scale: `{name}.conv` and `{name}.bn`.
    pub fn normalised(name: &str, names: Names, outputs: usize, window: Window, epsilon: f64) -> Self {
        let norm = Norm { name: format!("{name}.bn"), epsilon };
        let conv = Self::new(&format!("{name}.conv"), names, outputs, window);
        Self { bias: false, norm: Some((norm, true)), ..conv }
    }
}

impl Builder {
    /// With nothing but the image.
    pub fn new(input: Input) -> Self {
        let shape = Shape::Map([3, input.size, input.size]);
        let image = Node { operation: Operation::Image, inputs: vec![], shape, parameters: vec![], layer: None };
        Self { input, nodes: vec![image], cuts: Vec::new() }
    }

    /// The image.
    pub fn image(&self) -> Value {
        Value(0)
    }

    /// The shape of an image's activations.
    pub fn shape(&self, x: Value) -> Shape {
        self.nodes[x.0].shape
    }

    /// Channels of a map, units of a vector, dimensions of a token.
    pub fn channels(&self, x: Value) -> usize {
        self.shape(x).as_map()[0]
    }

    /// A convolution of a map.
    ///
    /// # Panics
    /// If `x` is no map.
    pub fn convolution(&mut self, x: Value, conv: Conv) -> Value {
        let Conv { name, names, outputs, window, groups, bias, norm } = conv;
        let Shape::Map([channels, height, width]) = self.shape(x) else { panic!("{name} of {:?}", self.shape(x)) };
        let shape = [outputs, channels / groups, window.size[0], window.size[1]];
        let parameters = match &norm {
            Some((norm, scale)) => {
                Normalised { conv: &name, norm: &norm.name, shape, bias, scale: *scale }.parameters(&names)
            }
            None => names.layer(&name, &shape, bias, 1),
        };
        let [height, width] = window.output([height, width]);
        let norm = norm.map(|(norm, _)| norm);
        let operation = Operation::Convolution { name, window, groups, norm };
        self.add(operation, &[x], Shape::Map([outputs, height, width]), parameters)
    }

    /// A dense layer over all units of a map or vector, or over each token by itself.
    pub fn dense(&mut self, x: Value, name: &str, names: &Names, outputs: usize) -> Value {
        self.product(x, name, names, outputs, true)
    }

    /// A dense layer, with a bias or without.
    pub fn product(&mut self, x: Value, name: &str, names: &Names, outputs: usize, bias: bool) -> Value {
        let (inputs, side, shape) = match self.shape(x) {
            Shape::Tokens([tokens, dimensions]) => (dimensions, 1, Shape::Tokens([tokens, outputs])),
            shape => (shape.units(), shape.as_map()[1], Shape::Vector([outputs])),
        };
        let parameters = names.layer(name, &[outputs, inputs], bias, side);
        self.add(Operation::Dense { name: name.to_string() }, &[x], shape, parameters)
    }

    /// `max(x, 0)`.
    pub fn relu(&mut self, x: Value) -> Value {
        self.function(Function::Activate(Activation::Relu), &[x])
    }

    /// `x` held between 0 and 6.
    pub fn relu6(&mut self, x: Value) -> Value {
        self.function(Function::Activate(Activation::Relu6), &[x])
    }

    /// Over a vector.
    pub fn softmax(&mut self, x: Value) -> Value {
        self.function(Function::Softmax, &[x])
    }

    /// The largest of each window, a square one; windows that do not fit are left out.
    pub fn max_pool(&mut self, x: Value, window: Window) -> Value {
        self.function(Function::MaxPool(window), &[x])
    }

    /// The mean of the `window` x `window` around every unit.
    pub fn average_pool(&mut self, x: Value, window: usize, border: Border) -> Value {
        self.function(Function::AveragePool(window, border), &[x])
    }

    /// The mean of each channel, or over tokens.
    pub fn mean(&mut self, x: Value) -> Value {
        self.function(Function::Mean, &[x])
    }

    /// The places of a map, row by row, as tokens.
    pub fn tokens(&mut self, x: Value) -> Value {
        self.function(Function::Tokens, &[x])
    }

    /// The sum of two.
    pub fn plus(&mut self, x: Value, y: Value) -> Value {
        self.function(Function::Add, &[x, y])
    }

    /// One behind the other along channels, tokens or units.
    pub fn concatenate(&mut self, all: &[Value]) -> Value {
        self.function(Function::Concatenate, all)
    }

    /// Any function.
    ///
    /// # Panics
    /// If it does not take inputs of these shapes.
    pub fn function(&mut self, function: Function, inputs: &[Value]) -> Value {
        let shapes: Vec<Shape> = inputs.iter().map(|&input| self.shape(input)).collect();
        let shape = function.shape(&shapes).unwrap_or_else(|| panic!("{function:?} of {shapes:?}"));
        self.add(Operation::Function(function), inputs, shape, Vec::new())
    }

    /// Makes a layer of a value.
    pub fn tap(&mut self, x: Value, name: &str, label: &str) {
        let (name, label, shape) = (name.to_string(), label.to_string(), self.shape(x));
        self.nodes[x.0].layer = Some(Layer { name, label, shape, on_request: false });
    }

    /// Makes a layer of a value that is tapped only where the configuration names it.
    pub fn tap_on_request(&mut self, x: Value, name: &str, label: &str) {
        self.tap(x, name, label);
        self.nodes[x.0].layer.iter_mut().for_each(|layer| layer.on_request = true);
    }

    /// The gain of a kernel in the formula's weights ([`Kind::Kernel`]), where it is not 2.
    pub fn gain(&mut self, x: Value, gain: f64) {
        for parameter in &mut self.nodes[x.0].parameters {
            if let Kind::Kernel { gain: formula, .. } = &mut parameter.kind {
                *formula = gain;
            }
        }
    }

    /// Ends a stage. What follows up to the next cut or the end is another.
    pub fn cut(&mut self) {
        self.cuts.push(self.nodes.len());
    }

    /// The blueprint, its network and form not yet named.
    pub fn finish(self, classifier: Option<&str>) -> Blueprint {
        Blueprint {
            name: String::new(),
            form: String::new(),
            input: self.input,
            classifier: classifier.map(str::to_string),
            nodes: self.nodes,
            cuts: self.cuts,
        }
    }

    /// A parameter more.
    pub(super) fn scale(&mut self, x: Value, scale: Parameter) {
        self.nodes[x.0].parameters.push(scale);
    }

    pub(super) fn add(
        &mut self,
        operation: Operation,
        inputs: &[Value],
        shape: Shape,
        parameters: Vec<Parameter>,
    ) -> Value {
        let inputs = inputs.iter().map(|input| input.0).collect();
        self.nodes.push(Node { operation, inputs, shape, parameters, layer: None });
        Value(self.nodes.len() - 1)
    }
}
