//! Convolutions: bias and activation in the same pass.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};

use super::{Activation, Window};

/// A convolution on a device, its weights laid out once.
pub struct Convolution {
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: ConvOptions<2>,
    activation: Activation,
}

impl Convolution {
    /// From weights `[out, in / groups, height, width]` and bias `[out]`, both f32.
    ///
    /// # Panics
    /// If the shapes do not fit each other, the window or the groups.
    pub fn new(
        weight: TensorData,
        bias: TensorData,
        window: Window,
        groups: usize,
        activation: Activation,
        device: &Device,
    ) -> Self {
        assert_eq!(weight.shape()[2..], window.size, "weights of another window");
        let options = ConvOptions::new_with_padding(window.stride, window.padding, window.dilation, groups);
        Self { weight: Tensor::from_data(weight, device), bias: Tensor::from_data(bias, device), options, activation }
    }

    /// `[images, in, height, width]` to `[images, out, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.activation.forward(conv2d(x, self.weight.clone(), Some(self.bias.clone()), self.options.clone()))
    }
}
