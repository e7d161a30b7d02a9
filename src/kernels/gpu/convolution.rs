//! Convolutions on a GPU: weights laid out once, the kernel chosen by shapes and the width of the adapter's vectors.

use burn::tensor::{Tensor, TensorData};
use cubecl::server::Handle;

use super::depthwise::Depthwise;
use super::product::{Product, Tile};
use super::winograd::Winograd;
use super::{Gpu, Width, f32s};
use crate::kernels::{Activation, Window};

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As one matrix product.
    Product(Tile),
    /// By Winograd's transforms, and a product between them.
    Winograd(Tile),
    /// Channel by channel.
    Depthwise,
}

impl Form {
    /// For weights `[out, in / groups, ..]`.
    pub fn of([out, channels, ..]: [usize; 4], window: Window, groups: usize, width: Width) -> Self {
        let tile = Tile::of(out / groups, width);
        if channels == 1 && groups > 1 {
            Self::Depthwise
        } else if Winograd::is_worth(channels, out, window, groups, width) {
            Self::Winograd(tile)
        } else {
            Self::Product(tile)
        }
    }
}

/// A convolution with its weights on the GPU.
pub struct Convolution {
    gpu: Gpu,
    weights: Weights,
    /// `[out, in / groups, height, width]`.
    shape: [usize; 4],
    groups: usize,
    window: Window,
}

enum Weights {
    Product(Product),
    Winograd(Box<Winograd>),
    Depthwise(Depthwise),
}

impl Convolution {
    /// From weights `[out, in / groups, height, width]` and bias `[out]`, both f32.
    pub fn new(
        gpu: &Gpu,
        weight: &TensorData,
        bias: &TensorData,
        window: Window,
        groups: usize,
        activation: Activation,
    ) -> Self {
        let form = Form::of(weight.shape().dims(), window, groups, gpu.width());
        Self::in_form(gpu, form, weight, bias, window, groups, activation)
    }

    /// [`new`](Self::new), computed as `form`.
    pub fn in_form(
        gpu: &Gpu,
        form: Form,
        weight: &TensorData,
        bias: &TensorData,
        window: Window,
        groups: usize,
        activation: Activation,
    ) -> Self {
        let shape = weight.shape().dims::<4>();
        assert_eq!(shape[0], bias.num_elements(), "a bias for every output");
        let weight = (f32s(weight), shape);
        let bias = f32s(bias);
        let weights = match form {
            Form::Product(tile) => Weights::Product(Product::new(gpu, tile, weight, bias, window, groups, activation)),
            Form::Winograd(tile) => {
                Weights::Winograd(Box::new(Winograd::new(gpu, tile, weight, bias, window, activation)))
            }
            Form::Depthwise => Weights::Depthwise(Depthwise::new(gpu, weight, bias, window, groups, activation)),
        };
        Self { gpu: gpu.clone(), weights, shape, groups, window }
    }

    /// `[images, in, height, width]` to `[images, out, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [images, channels, height, width] = x.dims();
        let out = self.shape[0];
        assert_eq!(channels, self.shape[1] * self.groups, "channels of another convolution");
        let (input, [rows, columns]) = ([height, width], self.window.output([height, width]));
        let (_, x) = Gpu::buffer(x).expect("activations are on the GPU");
        let results: Handle = self.gpu.scratch(images * out * rows * columns);
        match &self.weights {
            Weights::Product(product) => product.launch(&x, images, input, &results, (0, out)),
            Weights::Winograd(winograd) => winograd.launch(&x, images, input, &results),
            Weights::Depthwise(depthwise) => depthwise.launch(&x, images, input, &results),
        }
        self.gpu.tensor([images, out, rows, columns], results)
    }
}
