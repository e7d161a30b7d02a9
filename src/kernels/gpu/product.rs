//! The product of weights and the pixels under a window: the launches of `convolution`, `convolution_tall`,
//! `convolution_unstaged` and `convolution_fold`.

use cubecl::server::Handle;
use rayon::prelude::*;

use super::{Constants, Gpu, Kernel, MAX_WORKGROUPS, Results, Sizes, Width, code, fold_workgroups, sizes, u32s};
use crate::kernels::{Activation, VALID, Window};

/// The kernels of products.
pub const KERNELS: &[&Kernel] = &[&STAGED_64, &TALL, &STAGED_32, &UNSTAGED, &FOLD];

static STAGED_64: Kernel = Kernel {
    name: "convolution_64",
    source: include_str!("../../../shaders/convolution.wgsl"),
    workgroup: [16, 16, 1],
    sizes: ProductSizes::FIELDS,
    variants: &[
        ("", &[("outputs", 64), ("step", 16), ("looked_up", 0), ("padded", 1), ("activation", 1), ("summed", 0)]),
        (
            "_unpadded",
            &[("outputs", 64), ("step", 16), ("looked_up", 0), ("padded", 0), ("activation", 0), ("summed", 0)],
        ),
        (
            "_looked_up",
            &[("outputs", 64), ("step", 16), ("looked_up", 1), ("padded", 1), ("activation", 2), ("summed", 0)],
        ),
        (
            "_summed",
            &[("outputs", 64), ("step", 16), ("looked_up", 0), ("padded", 0), ("activation", 1), ("summed", 1)],
        ),
        (
            "_partial",
            &[("outputs", 64), ("step", 16), ("looked_up", 0), ("padded", 0), ("activation", 3), ("summed", 0)],
        ),
    ],
};

static TALL: Kernel = Kernel {
    name: "convolution_tall",
    source: include_str!("../../../shaders/convolution_tall.wgsl"),
    workgroup: [128, 1, 1],
    sizes: ProductSizes::FIELDS,
    variants: &[
        ("", &[("padded", 1), ("activation", 1), ("summed", 0)]),
        ("_unpadded", &[("padded", 0), ("activation", 0), ("summed", 0)]),
        ("_summed", &[("padded", 0), ("activation", 1), ("summed", 1)]),
        ("_partial", &[("padded", 1), ("activation", 3), ("summed", 0)]),
    ],
};

static STAGED_32: Kernel = Kernel {
    name: "convolution_32",
    workgroup: [32, 8, 1],
    variants: &[
        ("", &[("outputs", 32), ("step", 8), ("looked_up", 0), ("padded", 1), ("activation", 1), ("summed", 0)]),
        (
            "_looked_up",
            &[("outputs", 32), ("step", 8), ("looked_up", 1), ("padded", 1), ("activation", 0), ("summed", 0)],
        ),
    ],
    ..STAGED_64
};

static UNSTAGED: Kernel = Kernel {
    name: "convolution_unstaged",
    source: include_str!("../../../shaders/convolution_unstaged.wgsl"),
    workgroup: [64, 1, 1],
    sizes: ProductSizes::FIELDS,
    variants: &[
        ("", &[("columns", 8), ("lanes", 8), ("quads", 4), ("padded", 1), ("activation", 1), ("summed", 0)]),
        ("_dense", &[("columns", 4), ("lanes", 1), ("quads", 2), ("padded", 0), ("activation", 0), ("summed", 0)]),
    ],
};

static FOLD: Kernel = Kernel {
    name: "convolution_fold",
    source: include_str!("../../../shaders/convolution_fold.wgsl"),
    workgroup: [256, 1, 1],
    sizes: FoldSizes::FIELDS,
    variants: &[("", &[("activation", 1), ("summed", 0)]), ("_summed", &[("activation", 1), ("summed", 1)])],
};

sizes! {
    struct ProductSizes {
        pixels: u32,
        first_tile: u32,
        images: u32,
        groups: u32,
        channels: u32,
        in_height: u32,
        in_width: u32,
        out_plane: u32,
        out_width: u32,
        window_height: u32,
        window_width: u32,
        stride_rows: u32,
        stride_columns: u32,
        pad_rows: u32,
        pad_columns: u32,
        dilation_rows: u32,
        dilation_columns: u32,
        outputs: u32,
        columns: u32,
        first_output: u32,
        all_outputs: u32,
        depth: u32,
        span: u32,
        second_row: u32,
        third_row: u32,
        fourth_row: u32,
    }
}

sizes! {
    pub struct FoldSizes {
        count: u32,
        spans: u32,
        out_plane: u32,
        outputs: u32,
        group_outputs: u32,
        columns: u32,
        first_output: u32,
        all_outputs: u32,
    }
}

/// Columns of packed weights, and taps of their depth, are multiples of these.
const COLUMNS: usize = 64;
const DEPTH: usize = 16;
/// Sums of a workgroup of `convolution`: outputs x pixels.
pub const TILE_SUMS: usize = 4096;
/// Workgroups that keep a large GPU busy; products with fewer are cut into spans of their taps.
pub const BUSY_WORKGROUPS: usize = 400;
/// Partial sums of 64 images, at most: as many tiles as keep a large GPU busy for every 16 of them.
pub const PARTIALS_BYTES: usize = 64 / USUAL_IMAGES * BUSY_WORKGROUPS * TILE_SUMS * size_of::<f32>();
/// Images that spans are planned for, so that the order of a sum, and its last bits, do not depend on the batch.
pub const USUAL_IMAGES: usize = 16;
/// Steps of a span, at least: fewer would write and read more partial sums than they read weights.
const SPAN_STEPS: usize = 16;

/// What a workgroup computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// 64 outputs x 64 pixels, staged in workgroup memory, 4 x 4 an invocation.
    Wide,
    /// The same, 8 x 4 an invocation where channels are a multiple of 16, for NVIDIA's GPUs: fewer loads for each
    /// multiply-add, twice the registers.
    Tall,
    /// 32 outputs x 128 pixels, staged.
    Narrow,
    /// Nothing staged: for adapters that run on a CPU.
    Unstaged,
}

impl Tile {
    /// For so many outputs of a group.
    pub fn of(outputs: usize, width: Width) -> Self {
        if width == Width::Software {
            return Self::Unstaged;
        }
        // The narrow tile computes fewer outputs for nothing, each for a sixth more instructions.
        let (wide, narrow) = (outputs.next_multiple_of(64), outputs.next_multiple_of(32));
        match width {
            _ if 6 * wide > 7 * narrow => Self::Narrow,
            Width::Lanes32 => Self::Tall,
            _ => Self::Wide,
        }
    }
}

/// A convolution as a product, its weights on the GPU.
pub struct Product {
    gpu: Gpu,
    tile: Tile,
    weights: Handle,
    biases: Handle,
    /// `[out, in / groups, height, width]`.
    shape: [usize; 4],
    groups: usize,
    window: Window,
    activation: Activation,
}

impl Product {
    /// From weights `[out, in / groups, height, width]` and bias `[out]`.
    pub fn new(
        gpu: &Gpu,
        tile: Tile,
        (weight, shape): (&[f32], [usize; 4]),
        bias: &[f32],
        window: Window,
        groups: usize,
        activation: Activation,
    ) -> Self {
        let weights = gpu.upload(&pack(weight, shape, groups, window));
        let biases = gpu.upload(&pack_biases(bias, groups));
        Self { gpu: gpu.clone(), tile, weights, biases, shape, groups, window, activation }
    }

    /// Starts the product with `[images, in, height, width]`, cut into spans as images of `plane` pixels are; its outputs from
    /// `first_output` on of `all_outputs`. `summand`, as all results, is added before the activation.
    pub fn launch(
        &self,
        x: &Handle,
        images: usize,
        input: [usize; 2],
        plane: usize,
        results: &Results,
        (first_output, all_outputs): (usize, usize),
    ) {
        let sizes = self.sizes(images, input, first_output, all_outputs);
        let by_16 = self.shape[1].is_multiple_of(16);
        // What a workgroup computes, outputs x pixels, and its taps at a time.
        let (kernel, tile) = match self.tile {
            Tile::Tall if by_16 => (&TALL, [64, 64, 16]),
            Tile::Wide | Tile::Tall => (&STAGED_64, [64, 64, 16]),
            Tile::Narrow => (&STAGED_32, [32, 128, 8]),
            Tile::Unstaged => return self.launch_unstaged(x, results, sizes),
        };
        self.launch_staged(kernel, tile, x, results, sizes, plane);
    }

    fn sizes(&self, images: usize, input: [usize; 2], first_output: usize, all_outputs: usize) -> ProductSizes {
        let [out, channels, height, width] = self.shape;
        let [rows, columns] = self.window.output(input);
        let [stride, dilation] = [self.window.stride, self.window.dilation].map(|both| both.map(u32s));
        let [pad_rows, pad_columns] = self.window.padding.map(|(before, _)| u32s(before));
        ProductSizes {
            pixels: u32s(images * rows * columns),
            first_tile: 0,
            images: u32s(images),
            groups: u32s(self.groups),
            channels: u32s(channels),
            in_height: u32s(input[0]),
            in_width: u32s(input[1]),
            out_plane: u32s(rows * columns),
            out_width: u32s(columns),
            window_height: u32s(height),
            window_width: u32s(width),
            stride_rows: stride[0],
            stride_columns: stride[1],
            pad_rows,
            pad_columns,
            dilation_rows: dilation[0],
            dilation_columns: dilation[1],
            outputs: u32s(out / self.groups),
            columns: u32s((out / self.groups).next_multiple_of(COLUMNS)),
            first_output: u32s(first_output),
            all_outputs: u32s(all_outputs),
            depth: u32s((channels * height * width).next_multiple_of(DEPTH)),
            span: 0,
            second_row: 0,
            third_row: 0,
            fourth_row: 0,
        }
    }

    fn padded(&self) -> u32 {
        u32::from(self.window.padding != VALID)
    }

    fn launch_staged(
        &self,
        kernel: &Kernel,
        [outputs, pixels, step]: [usize; 3],
        x: &Handle,
        results: &Results,
        sizes: ProductSizes,
        plane: usize,
    ) {
        let [out, channels, ..] = self.shape;
        let pixel_tiles = (sizes.pixels as usize).div_ceil(pixels);
        let output_tiles = (out / self.groups).div_ceil(outputs);
        let steps = sizes.depth as usize / step;
        let usual_tiles = (USUAL_IMAGES * plane).div_ceil(TILE_SUMS / outputs);
        let (spans, span) = spans(usual_tiles * output_tiles * self.groups, steps);
        let constants = |activation, summed| {
            let looked_up = u32::from(!channels.is_multiple_of(step));
            [
                ("outputs", u32s(outputs)),
                ("step", u32s(step)),
                ("looked_up", looked_up),
                ("padded", self.padded()),
                ("activation", activation),
                ("summed", summed),
            ]
        };
        let workgroups = [output_tiles, self.groups * spans].map(u32s);
        // Rows of a step, a channel each, that 256 invocations load at once.
        let rows = u32s(256 * outputs / TILE_SUMS) * sizes.in_height * sizes.in_width;
        let [second_row, third_row, fourth_row] = [rows, 2 * rows, 3 * rows];
        let sizes = ProductSizes { span: u32s(span), second_row, third_row, fourth_row, ..sizes };
        if spans == 1 {
            return self.launch_tiles(
                kernel,
                &constants(code(self.activation), results.summed()),
                pixel_tiles,
                workgroups,
                x,
                results,
                sizes,
            );
        }
        let count = (sizes.images * sizes.out_plane) as usize * out;
        let partials = Results::of(self.gpu.scratch(spans * count));
        let partial_sizes = ProductSizes { first_output: 0, all_outputs: u32s(out), ..sizes };
        self.launch_tiles(kernel, &constants(PARTIAL, 0), pixel_tiles, workgroups, x, &partials, partial_sizes);
        let sizes = FoldSizes {
            count: u32s(count),
            spans: u32s(spans),
            out_plane: sizes.out_plane,
            outputs: u32s(out),
            group_outputs: sizes.outputs,
            columns: sizes.columns,
            first_output: sizes.first_output,
            all_outputs: sizes.all_outputs,
        };
        fold(&self.gpu, &partials, &self.biases, self.activation, results, sizes);
    }

    fn launch_unstaged(&self, x: &Handle, results: &Results, sizes: ProductSizes) {
        // Few pixels, as in a dense layer: the invocations of a workgroup share them and differ in outputs.
        let (columns, lanes, quads) = match sizes.pixels {
            0..=4 => (4, 1, 2),
            5..=48 => (8, 1, 2),
            _ => (8, 8, 4),
        };
        let constants = [
            ("columns", columns),
            ("lanes", lanes),
            ("quads", quads),
            ("padded", self.padded()),
            ("activation", code(self.activation)),
            ("summed", results.summed()),
        ];
        let pixel_tiles = sizes.pixels.div_ceil(columns * lanes) as usize;
        let workgroups = [sizes.outputs.div_ceil(64 / lanes * 4 * quads), sizes.groups];
        self.launch_tiles(&UNSTAGED, &constants, pixel_tiles, workgroups, x, results, sizes);
    }

    /// Launches as many tiles of pixels at a time as a dimension holds.
    #[allow(clippy::too_many_arguments)]
    fn launch_tiles(
        &self,
        kernel: &Kernel,
        constants: &Constants,
        pixel_tiles: usize,
        [y, z]: [u32; 2],
        x: &Handle,
        results: &Results,
        sizes: ProductSizes,
    ) {
        let buffers = [&[x, &self.weights, &self.biases], &*results.bound()].concat();
        for first in (0..pixel_tiles).step_by(MAX_WORKGROUPS as usize) {
            let tiles = u32s(pixel_tiles - first).min(MAX_WORKGROUPS);
            let sizes = ProductSizes { first_tile: u32s(first), ..sizes };
            self.gpu.launch(kernel, constants, [tiles, y, z], &buffers, &sizes);
        }
    }
}

/// Adds partial sums up.
pub fn fold(
    gpu: &Gpu,
    partials: &Results,
    biases: &Handle,
    activation: Activation,
    results: &Results,
    sizes: FoldSizes,
) {
    let buffers = [&[&partials.buffer, biases], &*results.bound()].concat();
    let constants = [("activation", code(activation)), ("summed", results.summed())];
    gpu.launch(&FOLD, &constants, fold_workgroups(sizes.count.div_ceil(256) as usize), &buffers, &sizes);
}

/// Spans that a product's taps are cut into, and the steps of each: one, unless the tiles that 16 images have alone leave a large
/// GPU idle.
pub fn spans(tiles: usize, steps: usize) -> (usize, usize) {
    let span = steps.div_ceil((BUSY_WORKGROUPS / tiles).clamp(1, (steps / SPAN_STEPS).max(1)));
    (steps.div_ceil(span), span)
}

/// The shader's code of partial sums.
pub const PARTIAL: u32 = 3;

/// Values of weights as [`pack`] lays them out, without where the taps lie.
pub fn packed(shape: [usize; 4], groups: usize) -> usize {
    let [depth, columns] = padded(shape, groups);
    groups.saturating_mul(depth).saturating_mul(columns)
}

/// Taps and outputs of a group, with those of 0 that fill tiles.
fn padded([out, channels, height, width]: [usize; 4], groups: usize) -> [usize; 2] {
    [(channels * height * width).next_multiple_of(DEPTH), (out / groups).next_multiple_of(COLUMNS)]
}

/// Weights as `convolution` reads them: `[groups, depth, columns]` with taps in the order (row, column, channel), then
/// where each tap lies, `[depth]` of (channel, row, column, 0).
pub fn pack(weight: &[f32], shape: [usize; 4], groups: usize, window: Window) -> Vec<f32> {
    let [out, channels, height, width] = shape;
    let (outputs, taps) = (out / groups, channels * height * width);
    let [depth, columns] = padded(shape, groups);
    // (channel, row, column) of a tap.
    let place = |tap: usize| [tap % channels, tap / channels / width, tap / channels % width];
    let mut packed = vec![0.0; groups * depth * columns];
    packed.par_chunks_mut(columns).enumerate().filter(|(line, _)| line % depth < taps).for_each(|(line, values)| {
        let [channel, row, column] = place(line % depth);
        let first = line / depth * outputs * taps + (channel * height + row) * width + column;
        values[..outputs].iter_mut().zip(weight[first..].iter().step_by(taps)).for_each(|(to, from)| *to = *from);
    });
    for tap in 0..depth {
        let [channel, row, column] = place(tap);
        let [row, column] = [row * window.dilation[0], column * window.dilation[1]].map(|at| at as f32);
        packed.extend([channel as f32, if tap < taps { row } else { BEYOND }, column, 0.0]);
    }
    packed
}

/// A row below every input.
const BEYOND: f32 = 65_536.0;

/// `[groups, columns]`.
pub fn pack_biases(bias: &[f32], groups: usize) -> Vec<f32> {
    let outputs = bias.len() / groups;
    let padding = vec![0.0; outputs.next_multiple_of(COLUMNS) - outputs];
    bias.chunks(outputs).flat_map(|bias| bias.iter().chain(&padding).copied()).collect()
}
