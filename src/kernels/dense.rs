//! Dense layers: bias and activation in the same pass.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Activation, cpu, from_cpu, on_cpu};

/// A dense layer on a device, its weights laid out once.
pub struct Dense(On);

enum On {
    Cpu(cpu::Dense),
    /// In tiles along the outputs: a GPU need not bind more than 128 MiB at once and VGG16's `fc1` has 392 MiB; a tile is
    /// a matrix product of its own.
    Gpu {
        /// Weights `[out, in]` and bias `[1, out]` of consecutive outputs.
        tiles: Vec<(Tensor<2>, Tensor<2>)>,
        activation: Activation,
    },
}

impl Dense {
    /// The largest tile, below what every GPU binds.
    pub const TILE_BYTES: usize = 100 << 20;

    /// From weights `[out, in]` and bias `[out]`, both f32; on a GPU in tiles of at most `tile_bytes` (one output at
    /// least).
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
        let inputs = weight.shape()[1];
        assert_eq!(weight.shape()[0], bias.num_elements(), "a bias for every output");
        let [weight, bias] = [weight, bias].map(|data| data.as_slice::<f32>().expect("parameters are f32"));
        if *device == Device::flex() {
            return Self(On::Cpu(cpu::Dense::new(weight, bias, activation)));
        }
        let rows = (tile_bytes / (inputs * size_of::<f32>())).max(1);
        let tiles = weight.chunks(rows * inputs).zip(bias.chunks(rows)).map(|(weight, bias)| {
            let outs = bias.len();
            let weight = TensorData::new(weight.to_vec(), [outs, inputs]);
            let bias = TensorData::new(bias.to_vec(), [1, outs]);
            (Tensor::from_data(weight, device), Tensor::from_data(bias, device))
        });
        Self(On::Gpu { tiles: tiles.collect(), activation })
    }

    /// `[images, in]` to `[images, out]`.
    ///
    /// # Panics
    /// If the input is on another device or has other units.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.0 {
            On::Cpu(dense) => {
                let values = on_cpu(&x).expect("an input on the device of the weights");
                from_cpu([x.dims()[0], dense.outputs()], |out| dense.forward(&values, out))
            }
            On::Gpu { tiles, activation } => {
                let tiles =
                    tiles.iter().map(|(weight, bias)| x.clone().matmul(weight.clone().transpose()) + bias.clone());
                activation.forward(Tensor::cat(tiles.collect(), 1))
            }
        }
    }
}
