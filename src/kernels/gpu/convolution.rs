//! Convolutions and dense layers on a GPU: weights laid out once, the kernel chosen by the shapes alone.

use burn::tensor::{Tensor, TensorData};
use cubecl::server::Handle;

use super::Gpu;
use super::depthwise::Depthwise;
use super::product::{Product, Tile};
use super::winograd::Winograd;
use crate::kernels::{Activation, VALID, Window};

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
    pub fn of([out, channels, ..]: [usize; 4], window: Window, groups: usize, software: bool) -> Self {
        let tile = Tile::of(out / groups, software);
        if channels == 1 && groups > 1 {
            Self::Depthwise
        } else if Winograd::is_worth(channels, out, window, groups, software) {
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
        let form = Form::of(weight.shape().dims(), window, groups, gpu.is_software());
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
            Weights::Product(product) => product.launch(&x, images, input, &results, 0, out),
            Weights::Winograd(winograd) => winograd.launch(&x, images, input, &results),
            Weights::Depthwise(depthwise) => depthwise.launch(&x, images, input, &results),
        }
        self.gpu.tensor([images, out, rows, columns], results)
    }
}

/// A dense layer with its weights on the GPU, cut into tiles along the outputs: a GPU need not bind more than 128 MiB
/// at once and VGG16's `fc1` has 392 MiB.
pub struct Dense {
    /// Products of one pixel an image, of consecutive outputs; and the first of these.
    tiles: Vec<(usize, Product)>,
    outputs: usize,
}

impl Dense {
    /// From weights `[out, in]` and bias `[out]`, both f32, in tiles of at most `tile_bytes` (64 outputs at least).
    pub fn new(gpu: &Gpu, weight: &TensorData, bias: &TensorData, activation: Activation, tile_bytes: usize) -> Self {
        let [outputs, inputs] = weight.shape().dims::<2>();
        assert_eq!(outputs, bias.num_elements(), "a bias for every output");
        let rows = (tile_bytes / (inputs * size_of::<f32>()) / 64 * 64).max(64);
        let (tile, point) = (Tile::of(outputs, gpu.is_software()), Window::square(1, 1, VALID));
        let tiles = f32s(weight).chunks(rows * inputs).zip(f32s(bias).chunks(rows)).enumerate();
        let tiles = tiles.map(|(at, (weight, bias))| {
            let shape = [bias.len(), inputs, 1, 1];
            (at * rows, Product::new(gpu, tile, (weight, shape), bias, point, 1, activation))
        });
        Self { tiles: tiles.collect(), outputs }
    }

    /// `[images, in]` to `[images, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let images = x.dims()[0];
        let (gpu, x) = Gpu::buffer(x).expect("activations are on the GPU");
        let results = gpu.scratch(images * self.outputs);
        for (first, tile) in &self.tiles {
            tile.launch(&x, images, [1, 1], &results, *first, self.outputs);
        }
        gpu.tensor([images, self.outputs], results)
    }
}

fn f32s(data: &TensorData) -> &[f32] {
    data.as_slice().expect("parameters are f32")
}
