//! Poolings on a GPU: the launches of `pool`.

use burn::tensor::Tensor;

use super::{Gpu, Kernel, Sizes, fold_workgroups, sizes, u32s};
use crate::kernels::Window;

/// The kernel of all poolings.
pub const KERNELS: &[&Kernel] = &[&POOL];

static POOL: Kernel = Kernel {
    name: "pool",
    source: include_str!("../../../shaders/pool.wgsl"),
    workgroup: [256, 1, 1],
    sizes: PoolSizes::FIELDS,
    variants: &[("_maximum", &[("kind", 0)]), ("_mean", &[("kind", 1)]), ("_mean_zeros", &[("kind", 2)])],
};

sizes! {
    struct PoolSizes {
        count: u32,
        in_height: u32,
        in_width: u32,
        out_height: u32,
        out_width: u32,
        window_height: u32,
        window_width: u32,
        stride_rows: u32,
        stride_columns: u32,
        dilation_rows: u32,
        dilation_columns: u32,
        pad_rows: u32,
        pad_columns: u32,
    }
}

/// What a pooling takes of a window; the shader's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The largest value; NaN wins.
    Maximum = 0,
    /// The mean of the values inside the input.
    Mean = 1,
    /// The mean with zeros outside.
    MeanWithZeros = 2,
}

/// `[images, channels, height, width]`, pooled in `window`.
///
/// # Panics
/// If the tensor is on the CPU, or a window has no tap in it.
pub fn pool(x: Tensor<4>, window: Window, kind: Kind) -> Tensor<4> {
    let [images, channels, height, width] = x.dims();
    assert!(window.always_sees([height, width]), "{window:?} on a map of {height} x {width}");
    let (gpu, x) = Gpu::buffer(x).expect("activations are on the GPU");
    let [rows, columns] = window.output([height, width]);
    let count = images * channels * rows * columns;
    let results = gpu.scratch(count);
    let sizes = PoolSizes {
        count: u32s(count),
        in_height: u32s(height),
        in_width: u32s(width),
        out_height: u32s(rows),
        out_width: u32s(columns),
        window_height: u32s(window.size[0]),
        window_width: u32s(window.size[1]),
        stride_rows: u32s(window.stride[0]),
        stride_columns: u32s(window.stride[1]),
        dilation_rows: u32s(window.dilation[0]),
        dilation_columns: u32s(window.dilation[1]),
        pad_rows: u32s(window.padding[0].0),
        pad_columns: u32s(window.padding[1].0),
    };
    gpu.launch(&POOL, &[("kind", kind as u32)], fold_workgroups(count.div_ceil(256)), &[&x, &results], &sizes);
    gpu.tensor([images, channels, rows, columns], results)
}
