//! What transformers are drawn of beside dense layers: embedding, layer normalization, attention; the embedding's arithmetic;
//! the token that stands for an image.

use burn::tensor::{Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::activations::{Activations, Shape};
use super::builder::{Builder, Value};
use super::operation::{Function, Operation};
use super::positions::Resample;
use crate::kernels::Activation;
use crate::kernels::join::concatenate;
use crate::weights::{Kind, Names, Parameter, Parameters, Part, Transform, Variable, WeightsError};

/// What a layer of tokens is tested as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Token {
    /// The class token, the first: as many units as a token has dimensions.
    Cls,
    /// The mean over all tokens, the class token among them.
    Mean,
    /// Every dimension of every token is a unit.
    #[default]
    All,
}

impl Token {
    /// The shape of what is tested of a layer; only tokens change.
    pub fn shape(self, layer: Shape) -> Shape {
        match (self, layer) {
            (Self::Cls | Self::Mean, Shape::Tokens([_, dimensions])) => Shape::Vector([dimensions]),
            (_, shape) => shape,
        }
    }

    /// What is tested of a batch of a layer's activations.
    pub fn of(self, layer: Activations) -> Activations {
        match (self, layer) {
            (Self::Cls, Activations::Tokens(x)) => Activations::Vector(first(x)),
            (Self::Mean, Activations::Tokens(x)) => Activations::Vector(x.mean_dim(1).flatten(1, 2)),
            (_, x) => x,
        }
    }
}

/// The first token.
pub(super) fn first(x: Tensor<3>) -> Tensor<2> {
    x.narrow(1, 0, 1).flatten(1, 2)
}

/// What is drawn of an embedding.
pub struct Embed<'a> {
    /// Canonical name: `{name}.class`, `{name}.positions`.
    pub name: &'a str,
    /// The class token's names in files, and the axes of length 1 before its own.
    pub class: &'a [(String, usize)],
    /// The positions', the class token's first.
    pub positions: &'a [(String, usize)],
    /// Where files hold positions of another grid.
    pub resample: Option<Resample>,
}

impl Builder {
    /// The places of a map as tokens behind a class token, with their positions added.
    ///
    /// # Panics
    /// If `x` is no map.
    pub fn embedding(&mut self, x: Value, embed: &Embed) -> Value {
        let Shape::Map([dimensions, height, width]) = self.shape(x) else { panic!("places of {:?}", self.shape(x)) };
        let places = embed.resample.map_or(height * width, |resample| resample.from * resample.from);
        let parameter = |part: &str, shape: &[usize], names: &[(String, usize)]| Parameter {
            name: format!("{}.{part}", embed.name),
            shape: shape.to_vec(),
            kind: Kind::Embedding,
            sources: names.iter().map(|(name, axes)| (name.clone(), Transform::Leading(*axes))).collect(),
            part: Part::Plain,
        };
        let parameters = vec![
            parameter("class", &[dimensions], embed.class),
            parameter("positions", &[1 + places, dimensions], embed.positions),
        ];
        let operation = Operation::Embedding { name: embed.name.to_string(), resample: embed.resample };
        self.add(operation, &[x], Shape::Tokens([1 + height * width, dimensions]), parameters)
    }

    /// A layer normalization of each token, or of a vector.
    pub fn layer_norm(&mut self, x: Value, name: &str, names: &Names, epsilon: f64) -> Value {
        let vector = |part: &str, variable, kind| Parameter {
            name: format!("{name}.{part}"),
            shape: vec![self.channels(x)],
            kind,
            sources: names.vector(variable),
            part: Part::Plain,
        };
        // PyTorch calls them as it calls a kernel and its bias.
        let parameters =
            vec![vector("gamma", Variable::Weight, Kind::Scale), vector("beta", Variable::Bias, Kind::Bias)];
        self.add(Operation::LayerNorm { name: name.to_string(), epsilon }, &[x], self.shape(x), parameters)
    }

    /// A dense layer whose outputs are each multiplied by a learned scale, of these names.
    pub fn scaled_dense(&mut self, x: Value, name: &str, names: &Names, outputs: usize, scales: &[String]) -> Value {
        let dense = self.dense(x, name, names, outputs);
        let scale = Parameter {
            name: format!("{name}.scale"),
            shape: vec![outputs],
            kind: Kind::Scale,
            sources: scales.iter().map(|scale| (scale.clone(), Transform::None)).collect(),
            part: Part::Plain,
        };
        self.scale(dense, scale);
        dense
    }

    /// Attention of tokens to each other: of queries, keys and values side by side, or of the three.
    pub fn attention(&mut self, tokens: &[Value], heads: usize) -> Value {
        self.function(Function::Attention { heads }, tokens)
    }

    /// An activation.
    pub fn activation(&mut self, x: Value, activation: Activation) -> Value {
        self.function(Function::Activate(activation), &[x])
    }

    /// The class token.
    pub fn class(&mut self, x: Value) -> Value {
        self.function(Function::Class, &[x])
    }
}

/// An embedding with its weights on a device.
pub(super) struct Embedding {
    /// With its position, `[1, 1, dimensions]`.
    class: Tensor<3>,
    /// Of the places, `[1, places, dimensions]`.
    positions: Tensor<3>,
}

impl Embedding {
    /// Takes `{name}.class` and `{name}.positions`.
    ///
    /// # Errors
    /// As [`Parameters::get`].
    pub fn load(
        parameters: &mut Parameters,
        name: &str,
        resample: Option<Resample>,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let mut values = |part: &str| -> Result<Vec<f32>, WeightsError> {
            let data = parameters.get(&format!("{name}.{part}"))?;
            Ok(data.try_to_vec().expect("parameters are f32"))
        };
        let (mut class, mut first) = (values("class")?, values("positions")?);
        let dimensions = class.len();
        let places = first.split_off(dimensions);
        class.iter_mut().zip(first).for_each(|(class, position)| *class += position);
        let places = match resample {
            Some(resample) => resample.apply(&places, dimensions),
            None => places,
        };
        let tensor = |values: Vec<f32>| {
            let tokens = values.len() / dimensions;
            Tensor::from_data(TensorData::new(values, [1, tokens, dimensions]), device)
        };
        Ok(Self { class: tensor(class), positions: tensor(places) })
    }

    /// Of a map.
    pub fn forward(&self, map: Tensor<4>) -> Tensor<3> {
        let images = map.dims()[0];
        let places = map.flatten::<3>(2, 3).swap_dims(1, 2) + self.positions.clone();
        concatenate(vec![self.class.clone().repeat_dim(0, images), places], 1)
    }
}
