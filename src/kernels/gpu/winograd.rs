//! Winograd's convolution F(2 x 2, 3 x 3): the launches of `winograd_inputs`, a product, `winograd_results`.
//!
//! With the transforms `B^T d B` of a 4 x 4 patch and `G g G^T` of a 3 x 3 window, `A^T (sum of their products) A` is 2 x 2
//! results: 16 multiply-adds where the definition has 36 (Lavin & Gray 2016). The products of one place of the patch over
//! all channels are a matrix product, so 16 places are one of 16 groups.
//!
//! Errors: each transformed input is a sum of 4 activations, each result one of 9 sums, so the magnitudes that are added
//! up exceed the definition's; but they are added over `channels` terms, not `9 channels`. Measured (rms, normal data)
//! they are 0.6 of the definition's in one chain.

use cubecl::server::Handle;

use super::product::{Product, Tile};
use super::{Gpu, Kernel, Results, Sizes, Width, code, fold_workgroups, sizes, u32s};
use crate::kernels::{Activation, VALID, Window};

/// The kernels of the transforms.
pub const KERNELS: &[&Kernel] = &[&INPUTS, &RESULTS];

static INPUTS: Kernel = Kernel {
    name: "winograd_inputs",
    source: include_str!("../../../shaders/winograd_inputs.wgsl"),
    workgroup: [256, 1, 1],
    sizes: InputSizes::FIELDS,
    variants: super::PLAIN,
};

static RESULTS: Kernel = Kernel {
    name: "winograd_results",
    source: include_str!("../../../shaders/winograd_results.wgsl"),
    workgroup: [256, 1, 1],
    sizes: ResultSizes::FIELDS,
    variants: &[("", &[("activation", 1), ("summed", 0)]), ("_summed", &[("activation", 1), ("summed", 1)])],
};

sizes! {
    struct InputSizes {
        count: u32,
        tiles: u32,
        first_tile: u32,
        channels: u32,
        height: u32,
        width: u32,
        tile_rows: u32,
        tile_columns: u32,
        pad_rows: u32,
        pad_columns: u32,
    }
}

sizes! {
    struct ResultSizes {
        count: u32,
        tiles: u32,
        first_tile: u32,
        outputs: u32,
        height: u32,
        width: u32,
        tile_rows: u32,
        tile_columns: u32,
    }
}

/// Places of a patch.
const PLACES: usize = 16;
/// Size of the transformed inputs, and of the sums, at most; tiles are taken so many at a time, evenly.
pub const BUFFER_BYTES: usize = 64 << 20;
/// Multiply-adds saved for each float of transformed inputs and sums, at least. A GPU of 10 TFLOP/s and 300 GB/s moves a
/// float in the time of 67 multiply-adds, twice; an adapter that runs on a CPU has its inputs in the cache.
const WORTH: [usize; 2] = [96, 64];

/// A convolution by 3 x 3 windows, its transformed weights on the GPU.
pub struct Winograd {
    gpu: Gpu,
    product: Product,
    biases: Handle,
    channels: usize,
    outputs: usize,
    window: Window,
    activation: Activation,
}

impl Winograd {
    /// Whether the saved multiply-adds outweigh the transforms: `C O / (C + O)` with channels C and outputs O is at least
    /// 96, on adapters that run on a CPU 64.
    pub fn is_worth(channels: usize, outputs: usize, window: Window, groups: usize, width: Width) -> bool {
        let fits = window == Window::square(3, 1, window.padding) && groups == 1;
        fits && channels * outputs >= WORTH[usize::from(width == Width::Software)] * (channels + outputs)
    }

    /// From weights `[out, in, 3, 3]` and bias `[out]`.
    pub fn new(
        gpu: &Gpu,
        tile: Tile,
        (weight, [outputs, channels, ..]): (&[f32], [usize; 4]),
        bias: &[f32],
        window: Window,
        activation: Activation,
    ) -> Self {
        let mut places = vec![0.0; PLACES * outputs * channels];
        for (at, window) in weight.as_chunks::<9>().0.iter().enumerate() {
            for (place, value) in transform(window).into_iter().enumerate() {
                places[place * outputs * channels + at] = value;
            }
        }
        let (shape, point) = ([PLACES * outputs, channels, 1, 1], Window::square(1, 1, VALID));
        let none = vec![0.0; PLACES * outputs];
        let product = Product::new(gpu, tile, (&places, shape), &none, point, PLACES, Activation::Identity);
        Self { gpu: gpu.clone(), product, biases: gpu.upload(bias), channels, outputs, window, activation }
    }

    /// Starts the convolution of `[images, channels, height, width]`.
    pub fn launch(&self, x: &Handle, images: usize, input: [usize; 2], results: &Results) {
        let output = self.window.output(input);
        let [tile_rows, tile_columns] = output.map(|size| size.div_ceil(2));
        let plane = tile_rows * tile_columns;
        let all_tiles = images * plane;
        let most = BUFFER_BYTES / (size_of::<f32>() * PLACES * self.channels.max(self.outputs));
        let at_once = all_tiles.div_ceil(all_tiles.div_ceil(most.max(1)));
        let [transformed, sums] = [self.channels, self.outputs].map(|of| self.gpu.scratch(at_once * PLACES * of));
        let sums = Results::of(sums);
        let [[height, width], [out_height, out_width]] = [input, output].map(|size| size.map(u32s));
        let [pad_rows, pad_columns] = self.window.padding.map(|(before, _)| u32s(before));
        for first_tile in (0..all_tiles).step_by(at_once) {
            let tiles = at_once.min(all_tiles - first_tile);
            let workgroups = |count: usize| fold_workgroups(count.div_ceil(256));
            let sizes = InputSizes {
                count: u32s(self.channels * tiles),
                tiles: u32s(tiles),
                first_tile: u32s(first_tile),
                channels: u32s(self.channels),
                height,
                width,
                tile_rows: u32s(tile_rows),
                tile_columns: u32s(tile_columns),
                pad_rows,
                pad_columns,
            };
            self.gpu.launch(&INPUTS, &[], workgroups(self.channels * tiles), &[x, &transformed], &sizes);
            // As tiles of one image, whatever the batch.
            self.product.launch(&transformed, 1, [1, tiles], plane, &sums, (0, PLACES * self.outputs));
            let sizes = ResultSizes {
                count: u32s(self.outputs * tiles),
                tiles: u32s(tiles),
                first_tile: u32s(first_tile),
                outputs: u32s(self.outputs),
                height: out_height,
                width: out_width,
                tile_rows: u32s(tile_rows),
                tile_columns: u32s(tile_columns),
            };
            let constants = [("activation", code(self.activation)), ("summed", results.summed())];
            let buffers = [&[&sums.buffer, &self.biases], &*results.bound()].concat();
            self.gpu.launch(&RESULTS, &constants, workgroups(self.outputs * tiles), &buffers, &sizes);
        }
    }
}

/// `G g G^T`, rounded once.
fn transform(window: &[f32; 9]) -> [f32; PLACES] {
    let along = |[a, b, c]: [f64; 3]| [a, (a + b + c) / 2.0, (a - b + c) / 2.0, c];
    let [first, second, third] = [0, 1, 2].map(|row| along([0, 1, 2].map(|at| f64::from(window[3 * row + at]))));
    let columns = [0, 1, 2, 3].map(|at| along([first[at], second[at], third[at]]));
    std::array::from_fn(|place| columns[place % 4][place / 4] as f32)
}
