//! Tensors of several on a GPU: the launches of `pairwise` and `concatenate`.

use burn::tensor::Tensor;
use cubecl::server::Handle;

use super::{Gpu, Kernel, Sizes, code, fold_workgroups, sizes, u32s};
use crate::kernels::Activation;
use crate::kernels::join::Arithmetic;

/// The kernels of what is computed or made of several tensors.
pub const KERNELS: &[&Kernel] = &[&PAIRWISE, &CONCATENATE];

static PAIRWISE: Kernel = Kernel {
    name: "pairwise",
    source: include_str!("../../../shaders/pairwise.wgsl"),
    workgroup: [256, 1, 1],
    sizes: PairwiseSizes::FIELDS,
    variants: &[
        ("_sums_relu", &[("operation", 0), ("activation", 1), ("width", 4), ("width_x", 4), ("width_y", 4)]),
        ("_sums_silu_odd", &[("operation", 0), ("activation", 7), ("width", 1), ("width_x", 1), ("width_y", 1)]),
        ("_differences", &[("operation", 1), ("activation", 0), ("width", 4), ("width_x", 1), ("width_y", 4)]),
        ("_products", &[("operation", 2), ("activation", 0), ("width", 4), ("width_x", 4), ("width_y", 1)]),
        ("_quotients", &[("operation", 3), ("activation", 0), ("width", 4), ("width_x", 4), ("width_y", 4)]),
    ],
};

static CONCATENATE: Kernel = Kernel {
    name: "concatenate",
    source: include_str!("../../../shaders/concatenate.wgsl"),
    workgroup: [256, 1, 1],
    sizes: ConcatenateSizes::FIELDS,
    variants: &[
        ("_2", &[("inputs", 2), ("sizes", 3), ("width", 4)]),
        ("_6", &[("inputs", 6), ("sizes", 7), ("width", 4)]),
        ("_6_odd", &[("inputs", 6), ("sizes", 7), ("width", 1)]),
    ],
};

sizes! {
    struct PairwiseSizes {
        count: u32,
        middle: u32,
        units: u32,
        outer_x: u32,
        middle_x: u32,
        unit_x: u32,
        outer_y: u32,
        middle_y: u32,
        unit_y: u32,
    }
}

sizes! {
    struct ConcatenateSizes {
        count: u32,
        units: u32,
        first: u32,
        pitch: u32,
        end0: u32,
        end1: u32,
        end2: u32,
        end3: u32,
        end4: u32,
        end5: u32,
    }
}

/// Inputs of a launch of `concatenate`, with results and sizes WebGPU's eight buffers.
const INPUTS: usize = 6;

/// Numbers that an invocation takes at a time of rows so long, or of what lies so far apart.
pub(super) fn width(units: usize) -> usize {
    if units.is_multiple_of(4) { 4 } else { 1 }
}

/// [`sum`](crate::kernels::join::sum).
///
/// # Panics
/// If a tensor is on the CPU.
pub fn sum<const D: usize>(x: Tensor<D>, y: Tensor<D>, activation: Activation) -> Tensor<D> {
    let shape = x.dims();
    let units = shape.iter().product();
    if units == 0 {
        return x;
    }
    let [x, y] = [x, y].map(|x| x.reshape([1, 1, units]));
    combined(x, y, Arithmetic::Add, activation).reshape(shape)
}

/// [`pairwise`](crate::kernels::join::pairwise); of more than three axes, or of nothing, Burn's.
///
/// # Panics
/// If a tensor is on the CPU, or the shapes do not fit.
pub fn pairwise<const D: usize>(x: Tensor<D>, y: Tensor<D>, operation: Arithmetic) -> Tensor<D> {
    let own = [x.dims(), y.dims()];
    if D > 3 || own.as_flattened().contains(&0) {
        return match operation {
            Arithmetic::Add => x + y,
            Arithmetic::Sub => x - y,
            Arithmetic::Mul => x * y,
            Arithmetic::Div => x / y,
        };
    }
    let three = |x: Tensor<D>| {
        let shape = x.dims();
        x.reshape::<3, _>(std::array::from_fn(|axis| if axis + D < 3 { 1 } else { shape[axis + D - 3] }))
    };
    let shape: [usize; D] = std::array::from_fn(|axis| own[0][axis].max(own[1][axis]));
    combined(three(x), three(y), operation, Activation::Identity).reshape(shape)
}

fn combined(x: Tensor<3>, y: Tensor<3>, operation: Arithmetic, activation: Activation) -> Tensor<3> {
    let own = [x.dims(), y.dims()];
    let shape: [usize; 3] = std::array::from_fn(|axis| own[0][axis].max(own[1][axis]));
    let fits = |own: &[usize; 3]| own.iter().zip(&shape).all(|(&own, &length)| own == length || own == 1);
    assert!(own.iter().all(fits), "axes of one length, or of one place: {own:?}");
    let width = width(shape[2]);
    let (count, units) = (shape.iter().product::<usize>() / width, shape[2] / width);
    let widths = own.map(|own| if own[2] == shape[2] { width } else { 1 });
    let step = |of: usize, axis: usize| {
        let step: usize = own[of][axis + 1..].iter().product::<usize>();
        if own[of][axis] == shape[axis] { u32s(step.div_ceil(widths[of])) } else { 0 }
    };
    let sizes = PairwiseSizes {
        count: u32s(count),
        middle: u32s(shape[1]),
        units: u32s(units),
        outer_x: step(0, 0),
        middle_x: step(0, 1),
        unit_x: step(0, 2),
        outer_y: step(1, 0),
        middle_y: step(1, 1),
        unit_y: step(1, 2),
    };
    let constants = [
        ("operation", operation as u32),
        ("activation", code(activation)),
        ("width", u32s(width)),
        ("width_x", u32s(widths[0])),
        ("width_y", u32s(widths[1])),
    ];
    let (gpu, x) = Gpu::buffer(x).expect("activations are on the GPU");
    let (_, y) = Gpu::buffer(y).expect("both on one device");
    let results = gpu.scratch(count * width);
    gpu.launch(&PAIRWISE, &constants, fold_workgroups(count.div_ceil(256)), &[&x, &y, &results], &sizes);
    gpu.tensor(shape, results)
}

/// [`concatenate`](crate::kernels::join::concatenate), to a tensor of `shape`.
///
/// # Panics
/// If a tensor is on the CPU.
pub fn concatenate<const D: usize>(all: Vec<Tensor<D>>, axis: usize, shape: [usize; D]) -> Tensor<D> {
    let (rows, units) = (shape[..axis].iter().product::<usize>(), shape[axis..].iter().product::<usize>());
    if rows * units == 0 {
        return Tensor::cat(all, axis);
    }
    let parts: Vec<((Gpu, Handle), usize)> = all
        .into_iter()
        .map(|x| (x.dims()[axis..].iter().product::<usize>(), x))
        .filter(|&(units, _)| units > 0)
        .map(|(units, x)| (Gpu::buffer(x).expect("activations are on the GPU"), units))
        .collect();
    let gpu = &parts[0].0.0;
    let width = parts.iter().map(|&(_, units)| width(units)).min().unwrap_or(1);
    let results = gpu.scratch(rows * units);
    let mut first = 0;
    for parts in parts.chunks(INPUTS) {
        let mut ends = [0; INPUTS];
        let mut end = 0;
        for (n, (_, units)) in parts.iter().enumerate() {
            end += units / width;
            ends[n] = u32s(end);
        }
        let [end0, end1, end2, end3, end4, end5] = ends;
        let sizes = ConcatenateSizes {
            count: u32s(rows * end),
            units: u32s(end),
            first: u32s(first),
            pitch: u32s(units / width),
            end0,
            end1,
            end2,
            end3,
            end4,
            end5,
        };
        let inputs = u32s(parts.len());
        let constants = [("inputs", inputs), ("sizes", inputs + 1), ("width", u32s(width))];
        let buffers: Vec<&Handle> = parts.iter().map(|((_, input), _)| input).chain([&results]).collect();
        gpu.launch(&CONCATENATE, &constants, fold_workgroups((rows * end).div_ceil(256)), &buffers, &sizes);
        first += end;
    }
    gpu.tensor(shape, results)
}
