//! Activations by themselves on a GPU, and those of scaled channels: the launches of `activation` and `scaled`.

use burn::tensor::Tensor;

use super::join::width;
use super::{Gpu, Kernel, Sizes, code, fold_workgroups, sizes, u32s};
use crate::kernels::Activation;

/// The kernels of all activations.
pub const KERNELS: &[&Kernel] = &[&ACTIVATION, &SCALED];

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
        ("_sigmoid", &[("activation", 9)]),
        ("_hard_sigmoid", &[("activation", 10)]),
        ("_softplus", &[("activation", 11)]),
        ("_mish", &[("activation", 12)]),
        ("_leaky_relu", &[("activation", 13)]),
    ],
};

static SCALED: Kernel = Kernel {
    name: "scaled",
    source: include_str!("../../../shaders/scaled.wgsl"),
    workgroup: [256, 1, 1],
    sizes: ScaledSizes::FIELDS,
    variants: &[
        ("", &[("activation", 0), ("width", 4)]),
        ("_relu", &[("activation", 1), ("width", 4)]),
        ("_relu_odd", &[("activation", 1), ("width", 1)]),
    ],
};

sizes! {
    struct ActivationSizes {
        count: u32,
        slope: f32,
        shift: f32,
    }
}

sizes! {
    struct ScaledSizes {
        count: u32,
        channels: u32,
        units: u32,
    }
}

/// What no sum leaves with, on a GPU.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `slope x + shift`, held between 0 and 1.
    HardSigmoid {
        /// What multiplies.
        slope: f32,
        /// What is added.
        shift: f32,
    },
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x tanh(ln(1 + exp(x)))` (Misra 2019).
    Mish,
    /// `x`, and `slope x` below zero.
    LeakyRelu {
        /// What multiplies.
        slope: f32,
    },
}

impl Function {
    /// Of every unit.
    ///
    /// # Panics
    /// If the tensor is on the CPU.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Sigmoid => launch(x, 9, [0.0; 2]),
            Self::HardSigmoid { slope, shift } => launch(x, 10, [slope, shift]),
            Self::Softplus => launch(x, 11, [0.0; 2]),
            Self::Mish => launch(x, 12, [0.0; 2]),
            Self::LeakyRelu { slope } => launch(x, 13, [slope, 0.0]),
        }
    }
}

/// Of every unit.
///
/// # Panics
/// If the tensor is on the CPU.
pub fn forward<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    launch(x, code(activation), [0.0; 2])
}

fn launch<const D: usize>(x: Tensor<D>, code: u32, [slope, shift]: [f32; 2]) -> Tensor<D> {
    let shape = x.dims();
    let (gpu, x) = Gpu::buffer(x).expect("activations are on the GPU");
    let count = shape.iter().product();
    let results = gpu.scratch(count);
    let sizes = ActivationSizes { count: u32s(count), slope, shift };
    let constants = [("activation", code)];
    gpu.launch(&ACTIVATION, &constants, fold_workgroups(count.div_ceil(256)), &[&x, &results], &sizes);
    gpu.tensor(shape, results)
}

/// [`scaled`](crate::kernels::activation::scaled), by `[1, channels, 1]`.
///
/// # Panics
/// If a tensor is on the CPU, or of another number of channels.
pub fn scaled(x: Tensor<3>, by: [Tensor<3>; 2], activation: Activation) -> Tensor<3> {
    let shape @ [_, channels, units] = x.dims();
    assert!(by.iter().all(|by| by.dims() == [1, channels, 1]), "a scale and a shift for each channel");
    let (width, count) = (width(units), shape.iter().product::<usize>());
    let (gpu, x) = Gpu::buffer(x).expect("activations are on the GPU");
    let [scales, shifts] = by.map(|by| Gpu::buffer(by).expect("weights on the device of the activations").1);
    let results = gpu.scratch(count);
    let sizes = ScaledSizes { count: u32s(count / width), channels: u32s(channels), units: u32s(units / width) };
    let constants = [("activation", code(activation)), ("width", u32s(width))];
    let workgroups = fold_workgroups((count / width).div_ceil(256));
    gpu.launch(&SCALED, &constants, workgroups, &[&x, &scales, &shifts, &results], &sizes);
    gpu.tensor(shape, results)
}
