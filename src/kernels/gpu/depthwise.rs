//! Convolutions of every channel by itself: the launch of `depthwise`.

use cubecl::server::Handle;

use super::{Gpu, Kernel, Results, Sizes, code, fold_workgroups, sizes, u32s};
use crate::kernels::{Activation, Window};

/// The kernel of such convolutions.
pub const KERNELS: &[&Kernel] = &[&DEPTHWISE];

static DEPTHWISE: Kernel = Kernel {
    name: "depthwise",
    source: include_str!("../../../shaders/depthwise.wgsl"),
    workgroup: [256, 1, 1],
    sizes: DepthwiseSizes::FIELDS,
    variants: &[
        ("_3", &[("width", 3), ("stride", 1), ("dilation", 1), ("inputs", 6), ("activation", 2), ("summed", 0)]),
        ("_5_2", &[("width", 5), ("stride", 2), ("dilation", 1), ("inputs", 11), ("activation", 2), ("summed", 1)]),
    ],
};

/// Most inputs of a row whose loads are written out: a driver takes seconds for thousands.
const MOST_INPUTS: usize = 256;

sizes! {
    struct DepthwiseSizes {
        quads: u32,
        channels: u32,
        outputs: u32,
        in_height: u32,
        in_width: u32,
        out_height: u32,
        out_width: u32,
        window_height: u32,
        stride_rows: u32,
        pad_rows: u32,
        pad_columns: u32,
        dilation_rows: u32,
    }
}

/// A convolution of every channel by itself, its weights on the GPU.
pub struct Depthwise {
    gpu: Gpu,
    weights: Handle,
    biases: Handle,
    /// `[out, 1, height, width]`.
    shape: [usize; 4],
    channels: usize,
    window: Window,
    activation: Activation,
}

impl Depthwise {
    /// Whether a shader of this window is no longer than drivers like.
    pub fn suits(window: Window) -> bool {
        inputs(window) <= MOST_INPUTS
    }

    /// From weights `[out, 1, height, width]` and bias `[out]`; `out` is a multiple of the channels.
    pub fn new(
        gpu: &Gpu,
        (weight, shape): (&[f32], [usize; 4]),
        bias: &[f32],
        window: Window,
        channels: usize,
        activation: Activation,
    ) -> Self {
        let (weights, biases) = (gpu.upload(weight), gpu.upload(bias));
        Self { gpu: gpu.clone(), weights, biases, shape, channels, window, activation }
    }

    /// Starts the convolution of `[images, channels, height, width]`.
    pub fn launch(&self, x: &Handle, images: usize, input: [usize; 2], results: &Results) {
        let [out, _, height, width] = self.shape;
        let [rows, columns] = self.window.output(input);
        let quads = images * out * rows * columns.div_ceil(4);
        let [stride_rows, stride] = self.window.stride.map(u32s);
        let [dilation_rows, dilation] = self.window.dilation.map(u32s);
        let [pad_rows, pad_columns] = self.window.padding.map(|(before, _)| u32s(before));
        let sizes = DepthwiseSizes {
            quads: u32s(quads),
            channels: u32s(self.channels),
            outputs: u32s(out),
            in_height: u32s(input[0]),
            in_width: u32s(input[1]),
            out_height: u32s(rows),
            out_width: u32s(columns),
            window_height: u32s(height),
            stride_rows,
            pad_rows,
            pad_columns,
            dilation_rows,
        };
        let buffers = [&[x, &self.weights, &self.biases], &*results.bound()].concat();
        let constants = [
            ("width", u32s(width)),
            ("stride", stride),
            ("dilation", dilation),
            ("inputs", u32s(inputs(self.window))),
            ("activation", code(self.activation)),
            ("summed", results.summed()),
        ];
        self.gpu.launch(&DEPTHWISE, &constants, fold_workgroups(quads.div_ceil(256)), &buffers, &sizes);
    }
}

/// Of a row, what 4 neighbours see.
fn inputs(window: Window) -> usize {
    3 * window.stride[1] + window.reach()[1]
}
