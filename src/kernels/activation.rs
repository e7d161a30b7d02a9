//! Functions of every unit, and softmax.

use burn::tensor::{Tensor, activation};

/// What is done to every sum as it leaves a convolution or a dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `x` held between 0 and 6.
    Relu6,
}

impl Activation {
    /// Of every unit.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Identity => x,
            Self::Relu => activation::relu(x),
            Self::Relu6 => x.clamp(0.0, 6.0),
        }
    }
}

/// Softmax over the units of each image; `[images, units]` both ways.
pub fn softmax(x: Tensor<2>) -> Tensor<2> {
    activation::softmax(x, 1)
}
