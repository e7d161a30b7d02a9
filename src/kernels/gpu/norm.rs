//! Normalizations of rows on a GPU: the launches of `layer_norm` and `over_norms`.

use burn::tensor::Tensor;
use cubecl::server::Handle;

use super::{Gpu, Kernel, PLAIN, Sizes, fold_workgroups, sizes, u32s};

/// The kernels of normalizations.
pub const KERNELS: &[&Kernel] = &[&LAYER_NORM, &OVER_NORMS];

static LAYER_NORM: Kernel = Kernel {
    name: "layer_norm",
    source: include_str!("../../../shaders/layer_norm.wgsl"),
    workgroup: [64, 1, 1],
    sizes: LayerNormSizes::FIELDS,
    variants: PLAIN,
};

static OVER_NORMS: Kernel = Kernel {
    name: "over_norms",
    source: include_str!("../../../shaders/over_norms.wgsl"),
    workgroup: [256, 1, 1],
    sizes: OverNormsSizes::FIELDS,
    variants: PLAIN,
};

sizes! {
    struct OverNormsSizes {
        rows: u32,
        units: u32,
        least: f32,
    }
}

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

/// Rows of a workgroup of `over_norms`.
const ROWS: usize = 32;

/// [`over_norms`](crate::kernels::norm::over_norms).
///
/// # Panics
/// If the tensor is on the CPU.
pub fn over_norms(x: Tensor<2>, least: f32) -> Tensor<2> {
    let [rows, units] = x.dims();
    let (gpu, x) = Gpu::buffer(x).expect("activations are on the GPU");
    let results = gpu.scratch(rows * units);
    let sizes = OverNormsSizes { rows: u32s(rows), units: u32s(units), least };
    gpu.launch(&OVER_NORMS, &[], fold_workgroups(rows.div_ceil(ROWS)), &[&x, &results], &sizes);
    gpu.tensor([rows, units], results)
}
