//! Normalizations of rows.

use burn::tensor::{Device, Tensor, TensorData};

use super::gpu::{self, Gpu};
use super::{cpu, f32s, from_cpu, on_cpu};

/// A layer normalization on a device (Ba et al. 2016): of every row of `n` units, with their mean `m` and variance `v`
/// (divided by `n`), `gamma (x - m) / sqrt(v + epsilon) + beta`.
pub struct LayerNorm(On);

enum On {
    Cpu { gamma: Vec<f32>, beta: Vec<f32>, epsilon: f32 },
    Gpu(Box<gpu::norm::LayerNorm>),
}

impl LayerNorm {
    /// From `gamma` and `beta`, `[units]`, f32.
    ///
    /// # Panics
    /// If their lengths differ.
    pub fn new(gamma: &TensorData, beta: &TensorData, epsilon: f64, device: &Device) -> Self {
        let [gamma, beta] = [gamma, beta].map(f32s);
        assert_eq!(gamma.len(), beta.len(), "a shift for every scale");
        let epsilon = epsilon as f32;
        Self(match Gpu::of(device) {
            Some(gpu) => On::Gpu(Box::new(gpu::norm::LayerNorm::new(&gpu, gamma, beta, epsilon))),
            None => On::Cpu { gamma: gamma.to_vec(), beta: beta.to_vec(), epsilon },
        })
    }

    /// Over the last axis, of `[.., units]`.
    ///
    /// # Panics
    /// If the input is on another device or has other units.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match &self.0 {
            On::Cpu { gamma, beta, epsilon } => {
                let values = on_cpu(&x).expect("an input on the device of the weights");
                assert_eq!(x.dims()[D - 1], gamma.len(), "units of another normalization");
                from_cpu(x.dims(), |out| cpu::layer_norm(&values, gamma, beta, *epsilon, out))
            }
            On::Gpu(norm) => norm.forward(x),
        }
    }
}

/// Every row over its Euclidean norm, or over `least` where that is more.
pub fn over_norms(x: Tensor<2>, least: f32) -> Tensor<2> {
    match on_cpu(&x) {
        Some(values) => from_cpu(x.dims(), |out| cpu::over_norms(&values, x.dims()[1], least, out)),
        None => gpu::norm::over_norms(x, least),
    }
}
