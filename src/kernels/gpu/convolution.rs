//! Convolutions on a GPU: weights laid out once, the kernel chosen by shapes and the width of the adapter's vectors.

use burn::tensor::Tensor;

use super::depthwise::Depthwise;
use super::product::{self, Product, Tile};
use super::winograd::Winograd;
use super::{Gpu, MAX_WORKGROUPS, Results, Width};
use crate::kernels::convolution::Part;
use crate::kernels::{Window, f32s};

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
        if channels == 1 && groups > 1 && Depthwise::suits(window) {
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
    /// In the form that is fastest.
    pub fn new(gpu: &Gpu, part: &Part) -> Self {
        Self::in_form(gpu, Form::of(part.weight.shape().dims(), part.window, part.groups, gpu.width()), part)
    }

    /// Why the GPU cannot compute it, if so: groups are many workgroups, and of few weights each leave most of a buffer empty.
    pub fn refusal(gpu: &Gpu, part: &Part) -> Option<String> {
        const MIB: usize = 1 << 20;
        let (shape, groups) = (part.weight.shape().dims::<4>(), part.groups);
        let Form::Product(_) = Form::of(shape, part.window, groups, gpu.width()) else { return None };
        let (bytes, limit) = (product::packed(shape, groups).saturating_mul(size_of::<f32>()), gpu.max_binding_bytes());
        if groups > MAX_WORKGROUPS as usize {
            return Some(format!("{groups} groups, the GPU computes {MAX_WORKGROUPS} at most; take --device cpu"));
        }
        (bytes >= limit).then(|| {
            let [bytes, limit] = [bytes, limit].map(|bytes| bytes / MIB);
            format!(
                "weights in {groups} group(s), laid out in {bytes} MiB, the GPU binds less than {limit} MiB; take --device cpu"
            )
        })
    }

    /// [`new`](Self::new), computed as `form`.
    ///
    /// # Panics
    /// If the shapes do not fit each other or the window.
    pub fn in_form(gpu: &Gpu, form: Form, part: &Part) -> Self {
        let &Part { ref weight, ref bias, window, groups, activation } = part;
        let shape = weight.shape().dims::<4>();
        assert_eq!(shape[2..], window.size, "weights of another window");
        assert_eq!(shape[0], bias.num_elements(), "a bias for every output");
        let (weight, bias) = ((f32s(weight), shape), f32s(bias));
        let weights = match form {
            Form::Product(tile) => Weights::Product(Product::new(gpu, tile, weight, bias, window, groups, activation)),
            Form::Winograd(tile) => {
                Weights::Winograd(Box::new(Winograd::new(gpu, tile, weight, bias, window, activation)))
            }
            Form::Depthwise => Weights::Depthwise(Depthwise::new(gpu, weight, bias, window, groups, activation)),
        };
        Self { gpu: gpu.clone(), weights, shape, groups, window }
    }

    /// `[images, in, height, width]` to `[images, out, height, width]`; a summand of that shape is added before the activation.
    pub fn forward(&self, x: Tensor<4>, summand: Option<Tensor<4>>) -> Tensor<4> {
        let [images, channels, height, width] = x.dims();
        let out = self.shape[0];
        assert_eq!(channels, self.shape[1] * self.groups, "channels of another convolution");
        let (input, [rows, columns]) = ([height, width], self.window.output([height, width]));
        let (_, x) = Gpu::buffer(x).expect("activations are on the GPU");
        let shape = [images, out, rows, columns];
        let results = Results::room(&self.gpu, shape, summand);
        match &self.weights {
            Weights::Product(product) => product.launch(&x, images, input, rows * columns, &results, (0, out)),
            Weights::Winograd(winograd) => winograd.launch(&x, images, input, &results),
            Weights::Depthwise(depthwise) => depthwise.launch(&x, images, input, &results),
        }
        self.gpu.tensor(shape, results.buffer)
    }
}
