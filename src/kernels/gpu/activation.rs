//! Activations by themselves on a GPU: the launch of `activation`.

use burn::tensor::Tensor;

use super::{Gpu, Kernel, Sizes, code, fold_workgroups, sizes, u32s};
use crate::kernels::Activation;

/// The kernel of all activations.
pub const KERNELS: &[&Kernel] = &[&ACTIVATION];

static ACTIVATION: Kernel = Kernel {
    name: "activation",
    source: include_str!("../../../shaders/activation.wgsl"),
    workgroup: [256, 1, 1],
    sizes: ActivationSizes::FIELDS,
    variants: &[
        ("_relu", &[("activation", 1)]),
        ("_relu6", &[("activation", 2)]),
        ("_gelu", &[("activation", 4)]),
        ("_gelu_tanh", &[("activation", 5)]),
        ("_quick_gelu", &[("activation", 6)]),
        ("_silu", &[("activation", 7)]),
        ("_hard_swish", &[("activation", 8)]),
    ],
};

sizes! {
    struct ActivationSizes {
        count: u32,
    }
}

/// Of every unit.
///
/// # Panics
/// If the tensor is on the CPU.
pub fn forward<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    let shape = x.dims();
    let (gpu, x) = Gpu::buffer(x).expect("activations are on the GPU");
    let count = shape.iter().product();
    let results = gpu.scratch(count);
    let sizes = ActivationSizes { count: u32s(count) };
    let constants = [("activation", code(activation))];
    gpu.launch(&ACTIVATION, &constants, fold_workgroups(count.div_ceil(256)), &[&x, &results], &sizes);
    gpu.tensor(shape, results)
}
