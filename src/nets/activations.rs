//! Activations of a batch of images, and the shape that one image's have.

use burn::tensor::{Device, Tensor};

use crate::kernels::Activation;
use crate::kernels::join::{concatenate, sum};

/// The shape of an image's activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `[channels, height, width]`.
    Map([usize; 3]),
    /// `[tokens, dimensions]`.
    Tokens([usize; 2]),
    /// `[units]`.
    Vector([usize; 1]),
}

impl Shape {
    /// The length of every axis.
    pub fn lengths(&self) -> &[usize] {
        match self {
            Self::Map(lengths) => lengths,
            Self::Tokens(lengths) => lengths,
            Self::Vector(lengths) => lengths,
        }
    }

    /// Activations.
    pub fn units(&self) -> usize {
        self.lengths().iter().product()
    }

    /// Channels, height and width as listings and figures show them: tokens are a column, a vector is a single point.
    pub fn as_map(&self) -> [usize; 3] {
        match *self {
            Self::Map(map) => map,
            Self::Tokens([tokens, dimensions]) => [dimensions, tokens, 1],
            Self::Vector([units]) => [units, 1, 1],
        }
    }

    /// Whether it is a map of more than one place, which to flatten takes an order.
    pub(super) fn is_spread(&self) -> bool {
        matches!(self, Self::Map(_)) && self.positions() > 1
    }

    /// Places that a layer's weights are applied at.
    pub(super) fn positions(&self) -> usize {
        let [_, height, width] = self.as_map();
        height * width
    }
}

/// Activations of a batch of images.
#[derive(Clone, Debug)]
pub enum Activations {
    /// `[images, channels, height, width]`.
    Map(Tensor<4>),
    /// `[images, tokens, dimensions]`.
    Tokens(Tensor<3>),
    /// `[images, units]`.
    Vector(Tensor<2>),
}

use Activations::{Map, Tokens, Vector};

impl Activations {
    /// How many images.
    pub fn images(&self) -> usize {
        match self {
            Map(x) => x.dims()[0],
            Tokens(x) => x.dims()[0],
            Vector(x) => x.dims()[0],
        }
    }

    /// The shape of one image's.
    pub fn shape(&self) -> Shape {
        match self {
            Map(x) => Shape::Map(tail(x.dims())),
            Tokens(x) => Shape::Tokens(tail(x.dims())),
            Vector(x) => Shape::Vector(tail(x.dims())),
        }
    }

    /// `[images, units]`.
    pub fn flat(self) -> Tensor<2> {
        match self {
            Map(x) => x.flatten(1, 3),
            Tokens(x) => x.flatten(1, 2),
            Vector(x) => x,
        }
    }

    pub(super) fn device(&self) -> Device {
        match self {
            Map(x) => x.device(),
            Tokens(x) => x.device(),
            Vector(x) => x.device(),
        }
    }

    /// In pieces of so many images.
    pub(super) fn split(self, images: usize) -> Vec<Self> {
        match self {
            Map(x) => x.split(images, 0).into_iter().map(Map).collect(),
            Tokens(x) => x.split(images, 0).into_iter().map(Tokens).collect(),
            Vector(x) => x.split(images, 0).into_iter().map(Vector).collect(),
        }
    }

    /// One behind the other along an axis: 0 are the images, 1 the channels, tokens or units.
    ///
    /// # Panics
    /// If there are none, or not all of one kind.
    pub(super) fn concatenate(all: Vec<Self>, axis: usize) -> Self {
        match &all[0] {
            Map(_) => Map(concatenate(all.into_iter().map(Self::map).collect(), axis)),
            Tokens(_) => Tokens(concatenate(all.into_iter().map(Self::tokens).collect(), axis)),
            Vector(_) => Vector(concatenate(all.into_iter().map(Self::vector).collect(), axis)),
        }
    }

    /// The activation of the sum.
    ///
    /// # Panics
    /// If the shapes differ.
    pub(super) fn plus(self, other: Self, activation: Activation) -> Self {
        match self {
            Map(x) => Map(sum(x, other.map(), activation)),
            Tokens(x) => Tokens(sum(x, other.tokens(), activation)),
            Vector(x) => Vector(sum(x, other.vector(), activation)),
        }
    }

    pub(super) fn map(self) -> Tensor<4> {
        if let Map(x) = self { x } else { panic!("{:?}, expected a map", self.shape()) }
    }

    pub(super) fn tokens(self) -> Tensor<3> {
        if let Tokens(x) = self { x } else { panic!("{:?}, expected tokens", self.shape()) }
    }

    pub(super) fn vector(self) -> Tensor<2> {
        if let Vector(x) = self { x } else { panic!("{:?}, expected a vector", self.shape()) }
    }
}

/// Batches of the same values behind one another, value by value.
///
/// # Panics
/// If they are not all of as many values of the same kinds.
pub(super) fn together(parts: impl IntoIterator<Item = Vec<Activations>>) -> Vec<Activations> {
    let mut all: Vec<Vec<Activations>> = Vec::new();
    for part in parts {
        all.resize_with(part.len(), Vec::new);
        all.iter_mut().zip(part).for_each(|(parts, value)| parts.push(value));
    }
    all.into_iter().map(|parts| Activations::concatenate(parts, 0)).collect()
}

/// All lengths but the first, the images'.
fn tail<const D: usize, const N: usize>(dims: [usize; D]) -> [usize; N] {
    std::array::from_fn(|axis| dims[axis + 1])
}
