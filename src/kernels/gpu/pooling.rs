//! Poolings on a GPU: the launches of `pool`.

use burn::tensor::Tensor;

use super::{Gpu, Kernel, PLAIN, Sizes, fold_workgroups, sizes, u32s};
use crate::kernels::pooling::Terms;
use crate::kernels::{VALID, Window};

/// The kernels of all poolings.
pub const KERNELS: &[&Kernel] = &[&POOL, &ROW_MEANS, &COLUMN_SUMS];

static POOL: Kernel = Kernel {
    name: "pool",
    source: include_str!("../../../shaders/pool.wgsl"),
    workgroup: [256, 1, 1],
    sizes: PoolSizes::FIELDS,
    variants: &[("_maximum", &[("kind", 0)]), ("_mean", &[("kind", 1)]), ("_mean_zeros", &[("kind", 2)])],
};

static ROW_MEANS: Kernel = Kernel {
    name: "row_means",
    source: include_str!("../../../shaders/row_means.wgsl"),
    workgroup: [64, 1, 1],
    sizes: RowMeansSizes::FIELDS,
    variants: PLAIN,
};

static COLUMN_SUMS: Kernel = Kernel {
    name: "column_sums",
    source: include_str!("../../../shaders/column_sums.wgsl"),
    workgroup: [256, 1, 1],
    sizes: ColumnSumsSizes::FIELDS,
    variants: &[("", &[("values", 1), ("squares", 0)]), ("_of_squares", &[("values", 0), ("squares", 1)])],
};

sizes! {
    struct ColumnSumsSizes {
        matrices: u32,
        rows: u32,
        units: u32,
    }
}

sizes! {
    struct RowMeansSizes {
        rows: u32,
        units: u32,
    }
}

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

/// The fewest values of a row that a workgroup adds up; of fewer an invocation does, one of `pool`.
const TOGETHER: usize = 256;

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

/// Mean of every row, `[rows, units]` to `[rows, 1]`.
///
/// # Panics
/// If the tensor is on the CPU, or its rows are of nothing.
pub fn row_means(x: Tensor<2>) -> Tensor<2> {
    let [rows, units] = x.dims();
    // By the length of a row alone: the order of its sum does not depend on how many there are.
    if units < TOGETHER {
        let row = Window { size: [1, units], ..Window::square(1, 1, VALID) };
        return pool(x.reshape([1, rows, 1, units]), row, Kind::Mean).reshape([rows, 1]);
    }
    let (gpu, x) = Gpu::buffer(x).expect("activations are on the GPU");
    let results = gpu.scratch(rows);
    let sizes = RowMeansSizes { rows: u32s(rows), units: u32s(units) };
    gpu.launch(&ROW_MEANS, &[], fold_workgroups(rows), &[&x, &results], &sizes);
    gpu.tensor([rows, 1], results)
}

/// Columns of a workgroup.
const COLUMNS: usize = 32;

/// [`column_sums`](crate::kernels::pooling::column_sums).
///
/// # Panics
/// If the tensor is on the CPU.
pub fn column_sums(x: Tensor<3>, terms: Terms) -> Tensor<3> {
    let [matrices, rows, units] = x.dims();
    let (gpu, x) = Gpu::buffer(x).expect("activations are on the GPU");
    let results = gpu.scratch(matrices * units);
    let sizes = ColumnSumsSizes { matrices: u32s(matrices), rows: u32s(rows), units: u32s(units) };
    let squares = u32::from(terms == Terms::Squares);
    let constants = [("values", 1 - squares), ("squares", squares)];
    let workgroups = fold_workgroups(units.div_ceil(COLUMNS) * matrices);
    gpu.launch(&COLUMN_SUMS, &constants, workgroups, &[&x, &results], &sizes);
    gpu.tensor([matrices, 1, units], results)
}
