//! Layer normalization on a GPU: the launch of `layer_norm`.

use burn::tensor::Tensor;
use cubecl::server::Handle;

use super::{Gpu, Kernel, PLAIN, Sizes, fold_workgroups, sizes, u32s};

/// The kernel of layer normalization.
pub const KERNELS: &[&Kernel] = &[&LAYER_NORM];

static LAYER_NORM: Kernel = Kernel {
    name: "layer_norm",
    source: include_str!("../../../shaders/layer_norm.wgsl"),
    workgroup: [64, 1, 1],
    sizes: LayerNormSizes::FIELDS,
    variants: PLAIN,
};

sizes! {
    struct LayerNormSizes {
        rows: u32,
        units: u32,
        epsilon: f32,
    }
}

/// A layer normalization with its weights on the GPU.
pub struct LayerNorm {
    gpu: Gpu,
    gamma: Handle,
    beta: Handle,
    units: usize,
    epsilon: f32,
}

impl LayerNorm {
    /// From `gamma` and `beta`, `[units]`.
    pub fn new(gpu: &Gpu, gamma: &[f32], beta: &[f32], epsilon: f32) -> Self {
        let (units, [gamma, beta]) = (gamma.len(), [gamma, beta].map(|values| gpu.upload(values)));
        Self { gpu: gpu.clone(), gamma, beta, units, epsilon }
    }

    /// Over the last axis.
    ///
    /// # Panics
    /// If the tensor is on the CPU or has other units.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let shape = x.dims();
        assert_eq!(shape[D - 1], self.units, "units of another normalization");
        let (_, x) = Gpu::buffer(x).expect("activations are on the GPU");
        let rows = shape[..D - 1].iter().product();
        let results = self.gpu.scratch(rows * self.units);
        let sizes = LayerNormSizes { rows: u32s(rows), units: u32s(self.units), epsilon: self.epsilon };
        let buffers = [&x, &self.gamma, &self.beta, &results];
        self.gpu.launch(&LAYER_NORM, &[], fold_workgroups(rows), &buffers, &sizes);
        self.gpu.tensor(shape, results)
    }
}
