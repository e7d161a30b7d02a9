//! Dense layers: bias and activation in the same pass.

use burn::tensor::{Device, Tensor, TensorData};

use super::Activation;

/// A dense layer, its weights cut into tiles along the outputs.
///
/// A GPU need not bind more than 128 MiB at once and VGG16's `fc1` has 392 MiB; a tile is a matrix product of its own.
pub struct Dense {
    /// Weights `[out, in]` and bias `[1, out]` of consecutive outputs.
    tiles: Vec<(Tensor<2>, Tensor<2>)>,
    activation: Activation,
}

impl Dense {
    /// The largest tile, below what every GPU binds.
    pub const TILE_BYTES: usize = 100 << 20;

    /// From weights `[out, in]` and bias `[out]`, both f32, in tiles of at most `tile_bytes` (one output at least).
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    pub fn new(
        weight: &TensorData,
        bias: &TensorData,
        activation: Activation,
        tile_bytes: usize,
        device: &Device,
    ) -> Self {
        let f32s = |data: &TensorData| data.try_to_vec::<f32>().expect("parameters are f32");
        let inputs = weight.shape()[1];
        assert_eq!(weight.shape()[0], bias.num_elements(), "a bias for every output");
        let rows = (tile_bytes / (inputs * size_of::<f32>())).max(1);
        let (weight, bias) = (f32s(weight), f32s(bias));
        let tiles = weight.chunks(rows * inputs).zip(bias.chunks(rows)).map(|(weight, bias)| {
            let outs = bias.len();
            let weight = TensorData::new(weight.to_vec(), [outs, inputs]);
            let bias = TensorData::new(bias.to_vec(), [1, outs]);
            (Tensor::from_data(weight, device), Tensor::from_data(bias, device))
        });
        Self { tiles: tiles.collect(), activation }
    }

    /// `[images, in]` to `[images, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let tiles = self.tiles.iter().map(|(weight, bias)| x.clone().matmul(weight.clone().transpose()) + bias.clone());
        self.activation.forward(Tensor::cat(tiles.collect(), 1))
    }
}
