//! Convolutions of each channel by itself. A channel is laid out with its padding, units that are a stride apart side by
//! side, so that a tap is the same step from every output: the outputs of all rows are one run of vectors.

use pulp::Simd;
use rayon::prelude::*;

use super::lanes::every_second;
use super::{Activation, Isa, LINE, Weights, Window, activate, with_scratch};

/// Vectors of sums: enough to hide the time that one takes.
const VECTORS: usize = 8;

pub struct Depthwise {
    isa: Isa,
    window: Window,
    activation: Activation,
    bias: Vec<f32>,
    /// `[channels, height, width]`.
    kernel: Vec<f32>,
}

impl Depthwise {
    pub fn new(isa: Isa, weights: &Weights) -> Self {
        let Weights { kernel, bias, window, activation, .. } = *weights;
        Self { isa, window, activation, bias: bias.to_vec(), kernel: kernel.to_vec() }
    }

    pub fn forward(
        &self,
        x: &[f32],
        [_, channels, height, width]: [usize; 4],
        output: [usize; 2],
        plus: Option<&[f32]>,
        out: &mut [f32],
    ) {
        let laid_out = LaidOut::new(self.window, [height, width], output);
        let planes = out.par_chunks_exact_mut(output[0] * output[1]).zip(x.par_chunks_exact(height * width));
        planes.enumerate().for_each(|(plane, (out, x))| {
            let channel = plane % channels;
            let plus = plus.map(|plus| &plus[plane * out.len()..][..out.len()]);
            with_scratch(laid_out.values(), |scratch| {
                self.isa.dispatch(Plane { layer: self, laid_out: &laid_out, channel, x, scratch, plus, out });
            });
        });
    }
}

/// A channel laid out: `[stride, stride, rows, pitch]`, the first two for the place within a stride.
struct LaidOut {
    window: Window,
    input: [usize; 2],
    output: [usize; 2],
    rows: usize,
    pitch: usize,
    /// Where each tap of the first output lies.
    taps: Vec<usize>,
}

impl LaidOut {
    fn new(window: Window, input: [usize; 2], output: [usize; 2]) -> Self {
        let Window { size, stride, dilation, .. } = window;
        let [rows, pitch] = [0, 1].map(|axis| output[axis] + (dilation[axis] * (size[axis] - 1)) / stride[axis]);
        let tap = |tap: usize| {
            let [y, x] = [tap / size[1] * dilation[0], tap % size[1] * dilation[1]];
            let part = y % stride[0] * stride[1] + x % stride[1];
            (part * rows + y / stride[0]) * pitch + x / stride[1]
        };
        let taps = (0..size[0] * size[1]).map(tap).collect();
        Self { window, input, output, rows, pitch, taps }
    }

    /// Of the channel.
    fn len(&self) -> usize {
        self.window.stride[0] * self.window.stride[1] * self.rows * self.pitch
    }

    /// Of the outputs, whose rows are `pitch` apart, in whole vectors.
    fn outputs(&self) -> usize {
        (self.output[0] * self.pitch).next_multiple_of(VECTORS * LINE)
    }

    /// Of the scratch: the channel, what vectors reach beyond it, and the outputs.
    fn values(&self) -> usize {
        self.len() + VECTORS * LINE + self.outputs()
    }

    #[inline(always)]
    fn lay_out(&self, x: &[f32], to: &mut [f32]) {
        let Window { stride, padding, .. } = self.window;
        to.fill(0.0);
        let before = padding[1].0;
        for (y, row) in x.chunks_exact(self.input[1]).enumerate() {
            let y = y + padding[0].0;
            if y / stride[0] >= self.rows {
                break;
            }
            let at = |part: usize| ((y % stride[0] * stride[1] + part) * self.rows + y / stride[0]) * self.pitch;
            if stride[1] == 1 {
                let count = row.len().min(self.pitch.saturating_sub(before));
                to[at(0) + before.min(self.pitch)..][..count].copy_from_slice(&row[..count]);
                continue;
            }
            for part in 0..stride[1] {
                // The first unit of the row in this part, and its column.
                let first = (part + stride[1] - before % stride[1]) % stride[1];
                let column = (first + before) / stride[1];
                let to = &mut to[at(part)..][..self.pitch];
                let to = to.get_mut(column..).unwrap_or_default();
                let from = row.get(first..).unwrap_or_default();
                if stride[1] == 2 {
                    let count = to.len().min(from.len().div_ceil(2));
                    every_second(&mut to[..count], from);
                } else {
                    to.iter_mut().zip(from.iter().step_by(stride[1])).for_each(|(to, &from)| *to = from);
                }
            }
        }
    }
}

struct Plane<'a> {
    layer: &'a Depthwise,
    laid_out: &'a LaidOut,
    channel: usize,
    x: &'a [f32],
    scratch: &'a mut [f32],
    plus: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl pulp::WithSimd for Plane<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layer, laid_out, channel, x, scratch, plus, out } = self;
        let (values, sums) = scratch.split_at_mut(laid_out.len() + VECTORS * LINE);
        laid_out.lay_out(x, values);
        let kernel = &layer.kernel[channel * laid_out.taps.len()..][..laid_out.taps.len()];
        let step = VECTORS * S::F32_LANES;
        for (n, to) in sums.chunks_exact_mut(step).enumerate() {
            if n * step >= (laid_out.output[0] - 1) * laid_out.pitch + laid_out.output[1] {
                break;
            }
            let mut sums = [simd.splat_f32s(layer.bias[channel]); VECTORS];
            for (&weight, &tap) in kernel.iter().zip(&laid_out.taps) {
                let weight = simd.splat_f32s(weight);
                let values = S::as_simd_f32s(&values[n * step + tap..][..step]).0;
                for (sum, &value) in sums.iter_mut().zip(values) {
                    *sum = simd.mul_add_e_f32s(weight, value, *sum);
                }
            }
            S::as_mut_simd_f32s(to).0.copy_from_slice(&sums);
        }
        for (out, sums) in out.chunks_exact_mut(laid_out.output[1]).zip(sums.chunks_exact(laid_out.pitch)) {
            out.copy_from_slice(&sums[..out.len()]);
        }
        plus.iter().for_each(|plus| out.iter_mut().zip(*plus).for_each(|(out, plus)| *out += plus));
        activate(layer.activation, out);
    }
}
