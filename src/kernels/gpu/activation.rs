//! Activations by themselves on a GPU, and those of scaled channels: the launches of `activation` and `scaled`.

use burn::tensor::Tensor;

use super::join::width;
use super::{Gpu, Kernel, Results, Sizes, code, fold_workgroups, sizes, u32s};
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
        ("_relu", &[("activation", 1), ("width", 4), ("width_channels", 1), ("summed", 0)]),
        ("_relu_odd", &[("activation", 1), ("width", 1), ("width_channels", 1), ("summed", 0)]),
        ("_summed", &[("activation", 0), ("width", 4), ("width_channels", 4), ("summed", 1)]),
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
        rows: u32,
        units: u32,
        image_step: u32,
        row_step: u32,
        unit_step: u32,
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

/// [`scaled`](crate::kernels::activation::scaled).
///
/// # Panics
/// If a tensor is on the CPU.
pub fn scaled(x: Tensor<3>, by: [Tensor<3>; 2], summand: Option<Tensor<3>>, activation: Activation) -> Tensor<3> {
    let shape @ [_, rows, units] = x.dims();
    let ([images, ..], [_, of_rows, of_units]) = (by[0].dims(), by[1].dims());
    let (width, count) = (width(units), shape.iter().product::<usize>());
    let width_channels = if of_units > 1 { width } else { 1 };
    let (gpu, x) = Gpu::buffer(x).expect("activations are on the GPU");
    let [scales, shifts] = by.map(|by| Gpu::buffer(by).expect("weights on the device of the activations").1);
    let results = Results::room(&gpu, shape, summand);
    let step = |length: usize| u32::from(length > 1);
    let sizes = ScaledSizes {
        count: u32s(count / width),
        rows: u32s(rows),
        units: u32s(units / width),
        image_step: if images > 1 { u32s(of_rows * of_units / width_channels) } else { 0 },
        row_step: step(of_rows),
        unit_step: step(of_units),
    };
    let constants = [
        ("activation", code(activation)),
        ("width", u32s(width)),
        ("width_channels", u32s(width_channels)),
        ("summed", results.summed()),
    ];
    let buffers = [&[&x, &scales, &shifts], &*results.bound()].concat();
    gpu.launch(&SCALED, &constants, fold_workgroups((count / width).div_ceil(256)), &buffers, &sizes);
    gpu.tensor(shape, results.buffer)
}
