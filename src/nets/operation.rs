//! What the nodes of a network compute: shapes, weights, and the kernels that do it.
//!
//! To add an operation without weights: a variant of [`Function`] with its shape and its kernel; with weights: a variant of
//! [`Operation`] with its method of the [`Builder`](super::Builder), which lists its parameters, and its [`Kernel`].

use burn::tensor::{Device, Tensor, TensorData};

use super::activations::{Activations, Shape};
use super::positions::Resample;
use super::tokens::{self, Embedding};
use crate::kernels::attention::{Heads, Scoring, attention, self_attention};
use crate::kernels::convolution::Part;
use crate::kernels::join::Joint;
use crate::kernels::pooling::{Border, average_pool, global_mean, max_pool};
use crate::kernels::{Activation, Convolution, Dense, LayerNorm, Residual, Separable, Window, activation, f32s};
use crate::weights::{Parameters, WeightsError, scale_and_shift};

/// What a node computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// The image that comes in.
    Image,
    /// A convolution of a map, and the batch normalization that follows it.
    Convolution {
        /// `{name}.weight` and, if it has one, `{name}.bias`.
        name: String,
        /// How it moves.
        window: Window,
        /// Groups of channels that see only their own.
        groups: usize,
        /// The normalization.
        norm: Option<Norm>,
    },
    /// A dense layer over all units of a map or vector, or over each token by itself.
    Dense {
        /// `{name}.weight`, if it has them `{name}.bias` and `{name}.scale`, by which every output is multiplied.
        name: String,
    },
    /// The places of a map as tokens behind a class token, their positions added.
    Embedding {
        /// `{name}.class` and `{name}.positions`.
        name: String,
        /// From the grid of the positions to the map's.
        resample: Option<Resample>,
    },
    /// A normalization of each token, or of a vector.
    LayerNorm {
        /// `{name}.gamma` and `{name}.beta`.
        name: String,
        /// Added to the variance.
        epsilon: f64,
    },
    /// What takes no weights.
    Function(Function),
}

/// A batch normalization with the statistics of training.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// `{name}.gamma` if it has one, `{name}.beta`, `{name}.mean`, `{name}.var`.
    pub name: String,
    /// Added to the variance.
    pub epsilon: f64,
}

/// What takes no weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// Of every unit.
    Activate(Activation),
    /// Over a vector.
    Softmax,
    /// The largest of each window of a map, a square one; what it pads with is never the largest.
    MaxPool(Window),
    /// The mean of each window of so many units, an odd number, around every unit of a map.
    AveragePool(usize, Border),
    /// The mean of each channel of a map, or over tokens: a vector.
    Mean,
    /// The places of a map, row by row, as tokens.
    Tokens,
    /// The first token: a vector.
    Class,
    /// Of tokens to each other: of queries, keys and values side by side, or of the three.
    Attention {
        /// Parts of the dimensions that attend each for itself.
        heads: usize,
    },
    /// The sum of two of a shape.
    Add,
    /// One behind the other along channels, tokens or units.
    Concatenate,
}

impl Function {
    /// The shape of what comes of `inputs`; `None` if it does not take them.
    pub(super) fn shape(self, inputs: &[Shape]) -> Option<Shape> {
        match (self, inputs) {
            (Self::Activate(_), &[shape]) => Some(shape),
            (Self::Softmax, &[shape @ Shape::Vector(_)]) => Some(shape),
            (Self::MaxPool(window), &[Shape::Map([channels, height, width])])
                if window == Window::square(window.size[0], window.stride[0], window.padding) =>
            {
                let [height, width] = window.output([height, width]);
                Some(Shape::Map([channels, height, width]))
            }
            (Self::AveragePool(..), &[shape @ Shape::Map(_)]) => Some(shape),
            (Self::Mean, &[Shape::Map([units, ..]) | Shape::Tokens([_, units])]) => Some(Shape::Vector([units])),
            (Self::Tokens, &[Shape::Map([channels, height, width])]) => Some(Shape::Tokens([height * width, channels])),
            (Self::Class, &[Shape::Tokens([_, dimensions])]) => Some(Shape::Vector([dimensions])),
            (Self::Attention { heads }, &[Shape::Tokens([tokens, all])]) if all % (3 * heads) == 0 => {
                Some(Shape::Tokens([tokens, all / 3]))
            }
            (Self::Attention { heads }, &[q @ Shape::Tokens([_, all]), k, v])
                if [k, v] == [q; 2] && all % heads == 0 =>
            {
                Some(q)
            }
            (Self::Add, &[one, other]) if one == other => Some(one),
            (Self::Concatenate, &[first, ref others @ ..]) => others.iter().try_fold(first, concatenated),
            _ => None,
        }
    }

    /// Of a batch.
    ///
    /// # Panics
    /// If it does not take such inputs.
    fn forward(self, inputs: Vec<Activations>) -> Activations {
        use Activations::{Map, Tokens, Vector};

        if self == Self::Concatenate {
            return Activations::concatenate(inputs, 1);
        }
        if let Self::Attention { heads } = self {
            return Tokens(attend(inputs.into_iter().map(Activations::tokens).collect(), heads));
        }
        let mut inputs = inputs.into_iter();
        match (self, inputs.next().expect("an input"), inputs.next()) {
            (Self::Activate(activation), Map(x), None) => Map(activation.forward(x)),
            (Self::Activate(activation), Tokens(x), None) => Tokens(activation.forward(x)),
            (Self::Activate(activation), Vector(x), None) => Vector(activation.forward(x)),
            (Self::Softmax, Vector(x), None) => Vector(activation::softmax(x)),
            (Self::MaxPool(window), Map(x), None) => Map(max_pool(x, window)),
            (Self::AveragePool(window, border), Map(x), None) => Map(average_pool(x, window, border)),
            (Self::Mean, Map(x), None) => Vector(global_mean(x).flatten(1, 3)),
            (Self::Mean, Tokens(x), None) => Vector(x.mean_dim(1).flatten(1, 2)),
            (Self::Class, Tokens(x), None) => Vector(tokens::first(x)),
            (Self::Tokens, Map(x), None) => Tokens(x.flatten::<3>(2, 3).swap_dims(1, 2)),
            (function, one, _) => panic!("{function:?} of {:?}", one.shape()),
        }
    }
}

/// Of queries, keys and values side by side, or of the three.
fn attend(inputs: Vec<Tensor<3>>, heads: usize) -> Tensor<3> {
    let parts = match <[Tensor<3>; 3]>::try_from(inputs) {
        Ok(three) => three.map(|tokens| Heads { tokens, first: 0 }),
        Err(mut one) => return self_attention(one.pop().expect("an input"), heads),
    };
    let units = parts[0].tokens.dims()[2] / heads;
    attention(parts, [heads, units], Scoring { scale: 1.0 / (units as f64).sqrt(), bias: None })
}

/// `first` with `other` behind it.
fn concatenated(first: Shape, other: &Shape) -> Option<Shape> {
    match (first, *other) {
        (Shape::Map([a, height, width]), Shape::Map([b, h, w])) if [h, w] == [height, width] => {
            Some(Shape::Map([a + b, height, width]))
        }
        (Shape::Tokens([a, dimensions]), Shape::Tokens([b, d])) if d == dimensions => {
            Some(Shape::Tokens([a + b, dimensions]))
        }
        (Shape::Vector([a]), Shape::Vector([b])) => Some(Shape::Vector([a + b])),
        _ => None,
    }
}

/// An operation with its weights on a device.
pub(super) enum Kernel {
    Convolution(Box<Convolution>),
    Residual(Box<Residual>),
    Separable(Box<Separable>),
    Dense(Dense),
    Embedding(Box<Embedding>),
    LayerNorm(LayerNorm),
    Sum(Activation),
    Function(Function),
}

impl Kernel {
    /// Of its first input, to which a second is added if there is one; a function of all.
    pub fn forward(&self, inputs: Vec<Activations>) -> Activations {
        if let Self::Function(function) = self {
            return function.forward(inputs);
        }
        let mut inputs = inputs.into_iter();
        let (x, summand) = (inputs.next().expect("an input"), inputs.next());
        match (self, summand) {
            (Self::Convolution(convolution), None) => Activations::Map(convolution.forward(x.map())),
            (Self::Residual(residual), Some(summand)) => Activations::Map(residual.forward(x.map(), summand.map())),
            (Self::Separable(separable), summand) => {
                Activations::Map(separable.forward(x.map(), summand.map(Activations::map)))
            }
            (Self::Dense(dense), summand) => dense_forward(dense, x, summand),
            (Self::Embedding(embedding), None) => Activations::Tokens(embedding.forward(x.map())),
            (Self::LayerNorm(norm), None) => match x {
                Activations::Tokens(x) => Activations::Tokens(norm.forward(x)),
                x => Activations::Vector(norm.forward(x.vector())),
            },
            (Self::Sum(activation), Some(other)) => x.plus(other, *activation),
            (_, summand) => panic!("{:?} and {:?}", x.shape(), summand.map(|summand| summand.shape())),
        }
    }

    /// As [`forward`](Self::forward) of a convolution, into the channels of `joint` from `first` on.
    ///
    /// # Panics
    /// If it is none that [joins](Convolution::joins).
    pub fn forward_into(&self, mut inputs: Vec<Activations>, joint: &mut Joint, first: usize) {
        let Self::Convolution(convolution) = self else { panic!("a convolution joins") };
        convolution.forward_into(inputs.remove(0).map(), joint, first);
    }
}

fn dense_forward(dense: &Dense, x: Activations, summand: Option<Activations>) -> Activations {
    match (x, summand) {
        (Activations::Tokens(x), None) => Activations::Tokens(dense.forward(x)),
        (Activations::Tokens(x), Some(summand)) => Activations::Tokens(dense.forward_plus(x, summand.tokens())),
        (x, None) => Activations::Vector(dense.forward(x.flat())),
        (x, Some(summand)) => Activations::Vector(dense.forward_plus(x.flat(), summand.vector())),
    }
}

impl Operation {
    /// Takes the weights; a sum if `summed`, then `activation`, are done in the same pass. `None` if there is nothing to compute.
    ///
    /// # Errors
    /// As [`Parameters::get`].
    pub(super) fn load(
        &self,
        summed: bool,
        activation: Activation,
        parameters: &mut Parameters,
        device: &Device,
    ) -> Result<Option<Kernel>, WeightsError> {
        Ok(Some(match self {
            Self::Image => return Ok(None),
            Self::Convolution { .. } => {
                let part = self.part(activation, parameters)?;
                match summed {
                    true => Kernel::Residual(Box::new(Residual::new(&part, device))),
                    false => Kernel::Convolution(Box::new(Convolution::new(&part, device))),
                }
            }
            Self::Dense { name } => {
                let (weight, bias) = scaled(parameters, name)?;
                Kernel::Dense(Dense::new(&weight, &bias, activation, device))
            }
            Self::Embedding { name, resample } => {
                Kernel::Embedding(Box::new(Embedding::load(parameters, name, *resample, device)?))
            }
            Self::LayerNorm { name, epsilon } => {
                let [gamma, beta] = ["gamma", "beta"].map(|part| parameters.get(&format!("{name}.{part}")));
                Kernel::LayerNorm(LayerNorm::new(&gamma?, &beta?, *epsilon, device))
            }
            Self::Function(Function::Add) => Kernel::Sum(activation),
            Self::Function(function) => Kernel::Function(*function),
        }))
    }

    /// Takes the weights of a convolution.
    ///
    /// # Errors
    /// As [`Parameters::get`].
    ///
    /// # Panics
    /// If it is none.
    pub(super) fn part(&self, activation: Activation, parameters: &mut Parameters) -> Result<Part, WeightsError> {
        let Self::Convolution { name, window, groups, norm } = self else { panic!("{self:?}, expected a convolution") };
        let (weight, bias) = match norm.as_ref().filter(|_| !parameters.folded()) {
            Some(norm) => folded(parameters, name, norm)?,
            None => plain(parameters, name)?,
        };
        Ok(Part { weight, bias, window: *window, groups: *groups, activation })
    }
}

/// Weight and bias; zeros where it has no bias.
fn plain(parameters: &mut Parameters, name: &str) -> Result<(TensorData, TensorData), WeightsError> {
    let weight = parameters.get(&format!("{name}.weight"))?;
    let bias = find(parameters, name, "bias")?.unwrap_or_else(|| TensorData::zeros::<f32, _>([weight.shape()[0]]));
    Ok((weight, bias))
}

/// Weight and bias of a dense layer, both multiplied by the scale of each output if it has one, in `f64`, rounded once.
fn scaled(parameters: &mut Parameters, name: &str) -> Result<(TensorData, TensorData), WeightsError> {
    let (weight, bias) = plain(parameters, name)?;
    let Some(scale) = find(parameters, name, "scale")? else { return Ok((weight, bias)) };
    let [weight, bias] = [weight, bias].map(|data| {
        let each = data.num_elements() / scale.num_elements();
        let rows = f32s(&data).chunks_exact(each).zip(f32s(&scale));
        let values = rows.flat_map(|(row, &s)| row.iter().map(move |&w| (f64::from(w) * f64::from(s)) as f32));
        TensorData::new(values.collect::<Vec<f32>>(), data.shape().clone())
    });
    Ok((weight, bias))
}

/// Weight and bias of a convolution and the batch normalization after it as one convolution: with
/// `s = gamma / sqrt(var + epsilon)` per output, weight `s w` and bias `s (b - mean) + beta`, in `f64`, rounded once.
fn folded(parameters: &mut Parameters, conv: &str, norm: &Norm) -> Result<(TensorData, TensorData), WeightsError> {
    let weight = parameters.get(&format!("{conv}.weight"))?;
    let bias = find(parameters, conv, "bias")?;
    let gamma = find(parameters, &norm.name, "gamma")?;
    let mut vector = |part: &str| parameters.get(&format!("{}.{part}", norm.name));
    let (beta, mean, var) = (vector("beta")?, vector("mean")?, vector("var")?);
    let at = |data: &TensorData, out: usize| f64::from(f32s(data)[out]);
    let outs = weight.shape()[0];
    let mut scaled = f32s(&weight).to_vec();
    let mut shifts = Vec::with_capacity(outs);
    for (out, kernel) in scaled.chunks_exact_mut(weight.num_elements() / outs).enumerate() {
        let gamma = gamma.as_ref().map_or(1.0, |gamma| at(gamma, out));
        let bias = bias.as_ref().map_or(0.0, |bias| at(bias, out));
        let norm_of = [gamma, at(&beta, out), at(&mean, out), at(&var, out)];
        let (scale, shift) = scale_and_shift(norm_of, norm.epsilon, bias);
        kernel.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
        shifts.push(shift as f32);
    }
    Ok((TensorData::new(scaled, weight.shape().clone()), TensorData::new(shifts, [outs])))
}

/// `{layer}.{part}`, if the network has it.
fn find(parameters: &mut Parameters, layer: &str, part: &str) -> Result<Option<TensorData>, WeightsError> {
    let name = format!("{layer}.{part}");
    parameters.has(&name).then(|| parameters.get(&name)).transpose()
}
