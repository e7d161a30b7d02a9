//! Dense layers on a GPU: the launches of `dense`; those of odd sizes, or of very many inputs, as 1 x 1 convolutions.

use burn::tensor::{Tensor, TensorData};
use cubecl::server::Handle;

use super::product::{self, BUSY_WORKGROUPS, Product, Tile};
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
/// Inputs that one workgroup sums by itself, at most. Few rows leave a large GPU idle so long (VGG16's `fc2` of 60 images
/// takes an H200 0.4 ms); of more inputs are heads, whose rows are images.
const MOST_INPUTS: usize = 8192;

/// Rows of which no product is cut into spans.
const MANY_ROWS: usize = 1 << 16;

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
    /// Read in fours: inputs and outputs are multiples of 4. A sum's last bits depend on the layer alone, not on the rows.
    Fours { weights: Handle, biases: Handle },
    /// As a product of one pixel an image.
    Product(Box<Product>),
}

impl Dense {
    /// From weights `[out, in]` and bias `[out]`, both f32.
    pub fn new(gpu: &Gpu, weight: &TensorData, bias: &TensorData, activation: Activation) -> Self {
        let [outputs, inputs] = weight.shape().dims::<2>();
        let fours = inputs.is_multiple_of(4) && outputs.is_multiple_of(4) && inputs <= MOST_INPUTS;
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

    /// `[rows, in]` to `[rows, out]`; a summand of that shape is added before the activation.
    ///
    /// # Panics
    /// If the input is on the CPU or has other units.
    pub fn forward(&self, x: Tensor<2>, summand: Option<Tensor<2>>) -> Tensor<2> {
        let [rows, inputs] = x.dims();
        assert_eq!(inputs, self.inputs, "units of another layer");
        let (_, x) = Gpu::buffer(x).expect("activations are on the GPU");
        let shape = [rows, self.outputs];
        let results = Results::room(&self.gpu, shape, summand);
        for slice in &self.slices {
            match &slice.weights {
                Weights::Fours { weights, biases } => self.launch(&x, rows, slice, [weights, biases], &results),
                Weights::Product(product) => {
                    // Rows that may be tokens, in any number, are not cut into spans: partial sums would be as many.
                    let plane = if self.inputs > MOST_INPUTS { 1 } else { MANY_ROWS };
                    let outputs = (slice.first, self.outputs);
                    product.launch(&x, rows, [1, 1], plane, &results, outputs);
                }
            }
        }
        self.gpu.tensor(shape, results.buffer)
    }

    fn launch(&self, x: &Handle, rows: usize, slice: &Slice, [weights, biases]: [&Handle; 2], results: &Results) {
        let sizes = DenseSizes {
            rows: u32s(rows),
            first_tile: 0,
            inputs: u32s(self.inputs / 4),
            outputs: u32s(slice.outputs / 4),
            columns: u32s(slice.outputs.next_multiple_of(TILE) / 4),
            first_output: u32s(slice.first / 4),
            all_outputs: u32s(self.outputs / 4),
        };
        let output_tiles = slice.outputs.div_ceil(TILE);
        // Each sum is the same, in the same order.
        let many = rows.div_ceil(128) * output_tiles >= BUSY_WORKGROUPS;
        let (kernel, tile) = if many { (&DENSE_128, 128) } else { (&DENSE_64, 64) };
        let constants = [
            ("rows", u32s(tile)),
            ("loads", u32s(256 / tile)),
            ("activation", code(self.activation)),
            ("summed", results.summed()),
        ];
        let buffers = [&[x, weights, biases], &*results.bound()].concat();
        let (output_tiles, row_tiles) = (u32s(output_tiles), u32s(rows.div_ceil(tile)));
        for first_tile in (0..row_tiles).step_by(MAX_WORKGROUPS as usize) {
            let workgroups = [output_tiles, (row_tiles - first_tile).min(MAX_WORKGROUPS), 1];
            let sizes = DenseSizes { first_tile, ..sizes };
            self.gpu.launch(kernel, &constants, workgroups, &buffers, &sizes);
        }
    }
}
