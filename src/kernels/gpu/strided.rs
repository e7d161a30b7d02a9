//! Copies of values that lie apart, on a GPU: the launches of `strided` and `turned`.

use burn::tensor::Tensor;

use super::join::width;
use super::{Gpu, Kernel, Sizes, fold_workgroups, sizes, u32s};

/// The kernels of copies.
pub const KERNELS: &[&Kernel] = &[&STRIDED, &TURNED];

static STRIDED: Kernel = Kernel {
    name: "strided",
    source: include_str!("../../../shaders/strided.wgsl"),
    workgroup: [256, 1, 1],
    sizes: StridedSizes::FIELDS,
    variants: &[("_2", &[("runs", 2), ("width", 1)]), ("_6_fours", &[("runs", 6), ("width", 4)])],
};

static TURNED: Kernel = Kernel {
    name: "turned",
    source: include_str!("../../../shaders/turned.wgsl"),
    workgroup: [256, 1, 1],
    sizes: TurnedSizes::FIELDS,
    variants: &[("_0", &[("runs", 0)]), ("_4", &[("runs", 4)])],
};

sizes! {
    struct StridedSizes {
        count: u32,
        offset: u32,
        length0: u32,
        length1: u32,
        length2: u32,
        length3: u32,
        length4: u32,
        length5: u32,
        step0: u32,
        step1: u32,
        step2: u32,
        step3: u32,
        step4: u32,
        step5: u32,
    }
}

sizes! {
    struct TurnedSizes {
        count: u32,
        offset: u32,
        rows: u32,
        columns: u32,
        step: u32,
        apart: u32,
        length0: u32,
        length1: u32,
        length2: u32,
        length3: u32,
        from0: u32,
        from1: u32,
        from2: u32,
        from3: u32,
        to0: u32,
        to1: u32,
        to2: u32,
        to3: u32,
    }
}

/// Runs that a launch copies by.
pub const MOST_RUNS: usize = 6;

/// Runs beside the two that `turned` exchanges.
const MOST_OTHERS: usize = 4;

/// Rows and columns of a square, and the fewest worth turning.
const SQUARE: usize = 32;
const FEWEST: usize = 8;

/// [`copy`](crate::kernels::strided::copy), by at most [`MOST_RUNS`].
///
/// # Panics
/// If the root is on the CPU.
pub fn copy(root: Tensor<1>, offset: usize, runs: &[(usize, usize)]) -> Tensor<1> {
    let (gpu, root) = Gpu::buffer(root).expect("activations are on the GPU");
    let units: usize = runs.iter().map(|&(length, _)| length).product();
    let results = gpu.scratch(units);
    let buffers = [&root, &results];
    if let Some(sizes) = turned(offset, runs) {
        let others = [("runs", u32s(runs.len() - 2))];
        gpu.launch(&TURNED, &others, fold_workgroups(sizes.count as usize), &buffers, &sizes);
        return gpu.tensor([units], results);
    }
    let (&(last, step), outer) = runs.split_last().unwrap_or((&(1, 1), &[]));
    let in_fours = step == 1 && [last, offset].into_iter().chain(outer.iter().map(|run| run.1)).all(|n| width(n) == 4);
    let width = if in_fours { 4 } else { 1 };
    let mut lengths = [1; MOST_RUNS];
    let mut steps = [0; MOST_RUNS];
    (lengths[0], steps[0]) = (u32s(last / width), u32s(step));
    for (n, &(length, step)) in outer.iter().rev().enumerate() {
        (lengths[n + 1], steps[n + 1]) = (u32s(length), u32s(step / width));
    }
    let [length0, length1, length2, length3, length4, length5] = lengths;
    let [step0, step1, step2, step3, step4, step5] = steps;
    let sizes = StridedSizes {
        count: u32s(units / width),
        offset: u32s(offset / width),
        length0,
        length1,
        length2,
        length3,
        length4,
        length5,
        step0,
        step1,
        step2,
        step3,
        step4,
        step5,
    };
    let constants = [("runs", u32s(runs.len().max(1))), ("width", u32s(width))];
    gpu.launch(&STRIDED, &constants, fold_workgroups((units / width).div_ceil(256)), &buffers, &sizes);
    gpu.tensor([units], results)
}

/// As squares to be turned, where neighbours in the root are no neighbours among the results and both axes are worth it.
fn turned(offset: usize, runs: &[(usize, usize)]) -> Option<TurnedSizes> {
    let (&(columns, step), outer) = runs.split_last()?;
    let side = outer.iter().position(|&(_, step)| step == 1)?;
    let rows = outer[side].0;
    if step == 1 || rows.min(columns) < FEWEST || outer.len() > MOST_OTHERS + 1 {
        return None;
    }
    // How far apart the values of each run are among the results.
    let apart = |run: usize| runs[run + 1..].iter().map(|&(length, _)| length).product::<usize>();
    let (mut lengths, mut from, mut to) = ([1; MOST_OTHERS], [0; MOST_OTHERS], [0; MOST_OTHERS]);
    let others = (0..outer.len()).rev().filter(|&run| run != side);
    let mut count = rows.div_ceil(SQUARE) * columns.div_ceil(SQUARE);
    for (n, run) in others.enumerate() {
        (lengths[n], from[n], to[n]) = (u32s(outer[run].0), u32s(outer[run].1), u32s(apart(run)));
        count *= outer[run].0;
    }
    let [length0, length1, length2, length3] = lengths;
    let ([from0, from1, from2, from3], [to0, to1, to2, to3]) = (from, to);
    Some(TurnedSizes {
        count: u32s(count),
        offset: u32s(offset),
        rows: u32s(rows),
        columns: u32s(columns),
        step: u32s(step),
        apart: u32s(apart(side)),
        length0,
        length1,
        length2,
        length3,
        from0,
        from1,
        from2,
        from3,
        to0,
        to1,
        to2,
        to3,
    })
}
