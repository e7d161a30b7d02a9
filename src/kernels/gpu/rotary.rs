//! Rotary positions on a GPU: the launch of `rotary`.

use burn::tensor::Tensor;

use super::{Gpu, Kernel, Sizes, fold_workgroups, sizes, u32s};
use crate::kernels::rotary::{MOST_RUNS, Partners, Rows};

/// The kernel of rotary positions.
pub const KERNELS: &[&Kernel] = &[&ROTARY];

static ROTARY: Kernel = Kernel {
    name: "rotary",
    source: include_str!("../../../shaders/rotary.wgsl"),
    workgroup: [256, 1, 1],
    sizes: RotarySizes::FIELDS,
    variants: &[("_neighbours", &[("runs", 3), ("neighbours", 1)]), ("_halves", &[("runs", 2), ("neighbours", 0)])],
};

sizes! {
    struct RotarySizes {
        count: u32,
        units: u32,
        tokens: u32,
        heads: u32,
        offset: u32,
        length0: u32,
        length1: u32,
        length2: u32,
        length3: u32,
        step0: u32,
        step1: u32,
        step2: u32,
        step3: u32,
    }
}

/// [`Rotary::forward`](crate::kernels::rotary::Rotary::forward).
///
/// # Panics
/// If a tensor is on the CPU.
pub fn forward(root: Tensor<1>, rows: &Rows, angles: [&Tensor<2>; 2], partners: Partners) -> Tensor<2> {
    let [tokens, units] = angles[0].dims();
    let (mut lengths, mut steps) = ([1; MOST_RUNS], [0; MOST_RUNS]);
    for (n, &(length, step)) in rows.runs.iter().rev().enumerate() {
        (lengths[n], steps[n]) = (u32s(length), u32s(step));
    }
    let ([length0, length1, length2, length3], [step0, step1, step2, step3]) = (lengths, steps);
    let count = rows.runs.iter().map(|&(length, _)| length).product::<usize>();
    let sizes = RotarySizes {
        count: u32s(count * units),
        units: u32s(units),
        tokens: u32s(tokens),
        heads: u32s(rows.heads),
        offset: u32s(rows.offset),
        length0,
        length1,
        length2,
        length3,
        step0,
        step1,
        step2,
        step3,
    };
    let (gpu, root) = Gpu::buffer(root).expect("activations are on the GPU");
    let [cosines, sines] = angles.map(|values| Gpu::buffer(values.clone()).expect("angles on the same device").1);
    let results = gpu.scratch(count * units);
    let constants = [("runs", u32s(rows.runs.len())), ("neighbours", u32::from(partners == Partners::Neighbours))];
    let workgroups = fold_workgroups((count * units).div_ceil(256));
    gpu.launch(&ROTARY, &constants, workgroups, &[&root, &cosines, &sines, &results], &sizes);
    gpu.tensor([count, units], results)
}
