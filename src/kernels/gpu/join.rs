//! Tensors of several on a GPU: the launch of `concatenate`.

use burn::tensor::Tensor;
use cubecl::server::Handle;

use super::{Gpu, Kernel, Sizes, fold_workgroups, sizes, u32s};

/// The kernel of concatenations.
pub const KERNELS: &[&Kernel] = &[&CONCATENATE];

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

/// Numbers that an invocation takes at a time of rows so long.
fn width(units: usize) -> usize {
    if units.is_multiple_of(4) { 4 } else { 1 }
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
