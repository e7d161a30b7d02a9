//! Dense layers on a GPU: the launches of `dense`; those of odd sizes as 1 x 1 convolutions.

use burn::tensor::{Tensor, TensorData};
use cubecl::server::Handle;

use super::product::{self, BUSY_WORKGROUPS, FoldSizes, Product, Tile};
use super::{Gpu, Kernel, MAX_WORKGROUPS, Results, Sizes, code, sizes, u32s};
use crate::kernels::{Activation, VALID, Window, f32s};

/// The kernel of dense layers.
pub const KERNELS: &[&Kernel] = &[&DENSE_128, &DENSE_64];

static DENSE_128: Kernel = Kernel {
    name: "dense_128",
    source: include_str!("../../../shaders/dense.wgsl"),
    workgroup: [128, 1, 1],
    sizes: DenseSizes::FIELDS,
    variants: &[
        ("", &[("rows", 128), ("loads", 2), ("activation", 0), ("summed", 0)]),
        ("_summed", &[("rows", 128), ("loads", 2), ("activation", 0), ("summed", 1)]),
        ("_partial", &[("rows", 128), ("loads", 2), ("activation", 3), ("summed", 0)]),
        ("_gelu", &[("rows", 128), ("loads", 2), ("activation", 4), ("summed", 0)]),
    ],
};

static DENSE_64: Kernel = Kernel {
    name: "dense_64",
    workgroup: [64, 1, 1],
    variants: &[("", &[("rows", 64), ("loads", 4), ("activation", 1), ("summed", 0)])],
    ..DENSE_128
};

sizes! {
    struct DenseSizes {
        rows: u32,
        first_tile: u32,
        inputs: u32,
        span: u32,
        outputs: u32,
        columns: u32,
        first_output: u32,
        all_outputs: u32,
    }
}

/// The largest slice, below what every GPU binds.
const SLICE_BYTES: usize = 100 << 20;
/// Outputs of a workgroup.
const TILE: usize = 64;
/// Inputs that are staged at a time.
const STEP: usize = 16;

/// A dense layer with its weights on the GPU, cut into slices of the outputs: a GPU need not bind more than 128 MiB at
/// once and VGG16's `fc1` has 392 MiB.
pub struct Dense {
    gpu: Gpu,
    slices: Vec<Slice>,
    inputs: usize,
    outputs: usize,
    activation: Activation,
}

/// Consecutive outputs.
struct Slice {
    first: usize,
    outputs: usize,
    weights: Weights,
}

enum Weights {
    /// Read in fours: inputs and outputs are multiples of 4.
    Fours { weights: Handle, biases: Handle },
    /// As a product of one pixel an image.
    Product(Box<Product>),
}

impl Dense {
    /// From weights `[out, in]` and bias `[out]`, both f32.
    pub fn new(gpu: &Gpu, weight: &TensorData, bias: &TensorData, activation: Activation) -> Self {
        let [outputs, inputs] = weight.shape().dims::<2>();
        let fours = inputs.is_multiple_of(4) && outputs.is_multiple_of(4);
        Self::in_form(gpu, fours && !gpu.is_software(), weight, bias, activation, SLICE_BYTES)
    }

    /// [`new`](Self::new), read in `fours` or as a product, in slices of at most `slice_bytes` (64 outputs at least).
    pub fn in_form(
        gpu: &Gpu,
        fours: bool,
        weight: &TensorData,
        bias: &TensorData,
        activation: Activation,
        slice_bytes: usize,
    ) -> Self {
        let [outputs, inputs] = weight.shape().dims::<2>();
        assert_eq!(outputs, bias.num_elements(), "a bias for every output");
        assert!(!fours || inputs % 4 + outputs % 4 == 0, "{inputs} inputs and {outputs} outputs in fours");
        let rows = (slice_bytes / (inputs * size_of::<f32>()) / TILE * TILE).max(TILE);
        let (tile, point) = (Tile::of(outputs, gpu.width()), Window::square(1, 1, VALID));
        let slices = f32s(weight).chunks(rows * inputs).zip(f32s(bias).chunks(rows)).enumerate();
        let slices = slices.map(|(at, (weight, bias))| {
            let shape = [bias.len(), inputs, 1, 1];
            let weights = if fours {
                let weights = gpu.upload(&product::pack(weight, shape, 1, point));
                Weights::Fours { weights, biases: gpu.upload(&product::pack_biases(bias, 1)) }
            } else {
                Weights::Product(Box::new(Product::new(gpu, tile, (weight, shape), bias, point, 1, activation)))
            };
            Slice { first: at * rows, outputs: bias.len(), weights }
        });
        Self { gpu: gpu.clone(), slices: slices.collect(), inputs, outputs, activation }
    }

    /// `[images, .., in]` to `[images, .., out]`; a summand of that shape is added before the activation. A sum's last bits depend
    /// on the layer and on the rows of an image, not on the images.
    ///
    /// # Panics
    /// If the input is on the CPU or has other units.
    pub fn forward<const D: usize>(&self, x: Tensor<D>, summand: Option<Tensor<D>>) -> Tensor<D> {
        let mut shape = x.dims();
        assert_eq!(shape[D - 1], self.inputs, "units of another layer");
        let rows = shape[..D - 1].iter().product();
        let plane = shape[1..D - 1].iter().product();
        shape[D - 1] = self.outputs;
        let (_, x) = Gpu::buffer(x).expect("activations are on the GPU");
        let results = Results::room(&self.gpu, shape, summand);
        for slice in &self.slices {
            match &slice.weights {
                Weights::Fours { weights, biases } => {
                    self.launch(&x, [rows, plane], slice, [weights, biases], &results);
                }
                Weights::Product(product) => {
                    product.launch(&x, rows, [1, 1], plane, &results, (slice.first, self.outputs));
                }
            }
        }
        self.gpu.tensor(shape, results.buffer)
    }

    fn launch(
        &self,
        x: &Handle,
        [rows, plane]: [usize; 2],
        slice: &Slice,
        [weights, biases]: [&Handle; 2],
        results: &Results,
    ) {
        let (output_tiles, steps) = (slice.outputs.div_ceil(TILE), self.inputs.div_ceil(STEP));
        let (spans, span) = product::spans((product::USUAL_IMAGES * plane).div_ceil(TILE) * output_tiles, steps);
        let columns = slice.outputs.next_multiple_of(TILE);
        let sizes = DenseSizes {
            rows: u32s(rows),
            first_tile: 0,
            inputs: u32s(self.inputs / 4),
            span: u32s(span * STEP / 4),
            outputs: u32s(slice.outputs / 4),
            columns: u32s(columns / 4),
            first_output: u32s(slice.first / 4),
            all_outputs: u32s(self.outputs / 4),
        };
        if spans == 1 {
            return self.launch_spans(1, code(self.activation), &[x, weights, biases], results, sizes);
        }
        let partials = Results::of(self.gpu.scratch(spans * rows * slice.outputs));
        let partial_sizes = DenseSizes { first_output: 0, all_outputs: sizes.outputs, ..sizes };
        self.launch_spans(spans, product::PARTIAL, &[x, weights, biases], &partials, partial_sizes);
        let sizes = FoldSizes {
            count: u32s(rows * slice.outputs),
            spans: u32s(spans),
            out_plane: 1,
            outputs: u32s(slice.outputs),
            group_outputs: u32s(slice.outputs),
            columns: u32s(columns),
            first_output: u32s(slice.first),
            all_outputs: u32s(self.outputs),
        };
        product::fold(&self.gpu, &partials, biases, self.activation, results, sizes);
    }

    fn launch_spans(&self, spans: usize, activation: u32, inputs: &[&Handle], results: &Results, sizes: DenseSizes) {
        let (rows, output_tiles) = (sizes.rows as usize, (sizes.outputs as usize * 4).div_ceil(TILE));
        // Each sum is the same, in the same order.
        let many = rows.div_ceil(128) * output_tiles * spans >= BUSY_WORKGROUPS;
        let (kernel, tile) = if many { (&DENSE_128, 128) } else { (&DENSE_64, 64) };
        let constants = [
            ("rows", u32s(tile)),
            ("loads", u32s(256 / tile)),
            ("activation", activation),
            ("summed", results.summed()),
        ];
        let buffers = [inputs, &*results.bound()].concat();
        let row_tiles = u32s(rows.div_ceil(tile));
        for first_tile in (0..row_tiles).step_by(MAX_WORKGROUPS as usize) {
            let workgroups = [u32s(output_tiles), (row_tiles - first_tile).min(MAX_WORKGROUPS), u32s(spans)];
            let sizes = DenseSizes { first_tile, ..sizes };
            self.gpu.launch(kernel, &constants, workgroups, &buffers, &sizes);
        }
    }
}
