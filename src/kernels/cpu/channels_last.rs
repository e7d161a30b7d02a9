//! Convolutions of each channel by itself, of maps whose channels lie side by side: a vector of channels of a whole map is
//! laid out with its padding; sums of several pixels stay in registers while the taps stream by.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::{Activation, Isa, Lines, Shared, Weights, Window, activated, with_scratch};

/// Largest piece of a map that is laid out, in bytes: what a second-level cache keeps beside the rest.
const PIECE_BYTES: usize = 256 << 10;

/// Weights laid out by vectors of channels.
pub struct ChannelsLast {
    isa: Isa,
    window: Window,
    channels: usize,
    activation: Activation,
    lanes: usize,
    /// `[channels / lanes, lanes]`.
    bias: Lines,
    /// `[channels / lanes, taps, lanes]`.
    kernel: Lines,
}

struct Layout<'a>(Isa, &'a Weights<'a>);

impl pulp::WithSimd for Layout<'_> {
    type Output = ChannelsLast;

    fn with_simd<S: Simd>(self, _: S) -> ChannelsLast {
        let Weights { kernel, bias, window, activation, .. } = *self.1;
        let (lanes, taps, channels) = (S::F32_LANES, window.size[0] * window.size[1], bias.len());
        let padded = channels.next_multiple_of(lanes);
        let (mut biases, mut weights) = (Lines::new(padded), Lines::new(padded * taps));
        biases.values_mut()[..channels].copy_from_slice(bias);
        for (channel, kernel) in kernel.chunks_exact(taps).enumerate() {
            let block = &mut weights.values_mut()[channel / lanes * taps * lanes..][..taps * lanes];
            block[channel % lanes..].iter_mut().step_by(lanes).zip(kernel).for_each(|(to, &weight)| *to = weight);
        }
        ChannelsLast { isa: self.0, window, channels, activation, lanes, bias: biases, kernel: weights }
    }
}

impl ChannelsLast {
    /// Of a piecewise activation.
    ///
    /// # Panics
    /// If a channel sees others.
    pub fn new(weights: &Weights) -> Self {
        Self::on(Isa::widest(), weights)
    }

    pub(super) fn on(isa: Isa, weights: &Weights) -> Self {
        assert!(weights.groups == weights.inputs && weights.bias.len() == weights.inputs, "each channel by itself");
        assert!(weights.activation.is_piecewise(), "a pass of its own for a smooth activation");
        isa.dispatch(Layout(isa, weights))
    }

    /// From `x`, `[images, height, width, channels]`, to `[images, height, width, channels]` of the output.
    ///
    /// # Panics
    /// If the lengths do not fit the shape.
    pub fn forward(&self, x: &[f32], [images, height, width]: [usize; 3], out: &mut [f32]) {
        let output = self.window.output([height, width]);
        assert_eq!(x.len(), images * height * width * self.channels, "a value for every unit");
        assert_eq!(out.len(), images * output[0] * output[1] * self.channels, "a place for every unit");
        let map = Map::new(self.window, [height, width], output);
        let rows = map.rows_of_a_piece(self.lanes);
        let (blocks, bands) = (self.channels.div_ceil(self.lanes), output[0].div_ceil(rows));
        let out = Shared::new(out);
        (0..images * bands * blocks).into_par_iter().for_each(|piece| {
            let (image, band, block) = (piece / blocks / bands, piece / blocks % bands, piece % blocks);
            let rows = band * rows..output[0].min((band + 1) * rows);
            with_scratch(map.seen(rows.len()) * map.pitch * self.lanes, |scratch| {
                self.isa.dispatch(Work { layer: self, map: &map, x, image, rows, block, scratch, out: &out });
            });
        });
    }
}

/// How a map is seen.
struct Map {
    window: Window,
    input: [usize; 2],
    output: [usize; 2],
    /// Vectors from one laid out row to the next.
    pitch: usize,
    /// Where each tap of the first output lies.
    taps: Vec<usize>,
}

impl Map {
    fn new(window: Window, input: [usize; 2], output: [usize; 2]) -> Self {
        let Window { size, stride, dilation, .. } = window;
        let pitch = (output[1] - 1) * stride[1] + dilation[1] * (size[1] - 1) + 1;
        let tap = |tap: usize| tap / size[1] * dilation[0] * pitch + tap % size[1] * dilation[1];
        Self { window, input, output, pitch, taps: (0..size[0] * size[1]).map(tap).collect() }
    }

    /// Rows that so many of the output see, padding included.
    fn seen(&self, rows: usize) -> usize {
        (rows - 1) * self.window.stride[0] + self.window.dilation[0] * (self.window.size[0] - 1) + 1
    }

    fn rows_of_a_piece(&self, lanes: usize) -> usize {
        let fits = |rows: &usize| self.seen(*rows) * self.pitch * lanes * size_of::<f32>() <= PIECE_BYTES;
        let rows = (1..=self.output[0]).rev().find(fits).unwrap_or(1);
        self.output[0].div_ceil(self.output[0].div_ceil(rows))
    }
}

struct Work<'a> {
    layer: &'a ChannelsLast,
    map: &'a Map,
    x: &'a [f32],
    image: usize,
    /// Of the output.
    rows: Range<usize>,
    /// Of channels.
    block: usize,
    scratch: &'a mut [f32],
    out: &'a Shared<'a>,
}

impl pulp::WithSimd for Work<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layer, map, x, image, rows, block, scratch, out } = self;
        let (lanes, channels) = (S::F32_LANES, layer.channels);
        assert_eq!(layer.lanes, lanes, "weights laid out for another instruction set");
        let first = block * lanes;
        let there = lanes.min(channels - first);
        lay_out(map, x, (image, rows.clone()), (first, there, channels), lanes, scratch);
        let seen = S::as_simd_f32s(scratch).0;
        let taps = map.taps.len();
        let kernel = &S::as_simd_f32s(layer.kernel.values()).0[block * taps..][..taps];
        let bias = S::as_simd_f32s(layer.bias.values()).0[block];
        let [down, across] = map.window.stride;
        for (n, row) in rows.enumerate() {
            let mut column = 0;
            while column < map.output[1] {
                let seen = &seen[n * down * map.pitch + column * across..];
                let at = ((image * map.output[0] + row) * map.output[1] + column) * channels + first;
                let store = Store { out, at, channels, there };
                let mut by = By { simd, layer, map, kernel, bias, seen };
                column += match (map.output[1] - column, across) {
                    (14.., 1) => by.window::<14>(1, store),
                    (14.., 2) => by.window::<14>(2, store),
                    (7.., 1) => by.window::<7>(1, store),
                    (7.., 2) => by.window::<7>(2, store),
                    (4.., 1) => by.window::<4>(1, store),
                    _ => by.window::<1>(across, store),
                };
            }
        }
    }
}

/// The rows of the input that `rows` of the output see, a vector of channels of each pixel; zeros beyond the border.
#[inline(always)]
fn lay_out(
    map: &Map,
    x: &[f32],
    (image, rows): (usize, Range<usize>),
    (first, there, channels): (usize, usize, usize),
    lanes: usize,
    scratch: &mut [f32],
) {
    let [height, width] = map.input;
    let (above, before) = (map.window.padding[0].0, map.window.padding[1].0);
    let columns = width.min(map.pitch.saturating_sub(before));
    for (row, to) in (rows.start * map.window.stride[0]..).zip(scratch.chunks_exact_mut(map.pitch * lanes)) {
        let Some(row) = row.checked_sub(above).filter(|&row| row < height) else {
            to.fill(0.0);
            continue;
        };
        let (left, rest) = to.split_at_mut(before.min(map.pitch) * lanes);
        let (middle, right) = rest.split_at_mut(columns * lanes);
        left.fill(0.0);
        right.fill(0.0);
        let from = &x[(image * height + row) * width * channels + first..];
        if there == lanes {
            for (to, from) in middle.chunks_exact_mut(lanes).zip(from.chunks(channels)) {
                to.copy_from_slice(&from[..lanes]);
            }
        } else {
            for (to, from) in middle.chunks_exact_mut(lanes).zip(from.chunks(channels)) {
                to.fill(0.0);
                to[..there].copy_from_slice(&from[..there]);
            }
        }
    }
}

/// Where the pixels of a tile go.
struct Store<'a> {
    out: &'a Shared<'a>,
    at: usize,
    channels: usize,
    there: usize,
}

struct By<'a, S: Simd> {
    simd: S,
    layer: &'a ChannelsLast,
    map: &'a Map,
    kernel: &'a [S::f32s],
    bias: S::f32s,
    /// From the first pixel's first tap on.
    seen: &'a [S::f32s],
}

impl<S: Simd> By<'_, S> {
    /// The windows of P pixels, a `stride` apart.
    #[inline(always)]
    fn window<const P: usize>(&mut self, stride: usize, store: Store) -> usize {
        let mut sums = [self.bias; P];
        for (&weight, &tap) in self.kernel.iter().zip(&self.map.taps) {
            let values = &self.seen[tap..][..(P - 1) * stride + 1];
            for (p, sum) in sums.iter_mut().enumerate() {
                *sum = self.simd.mul_add_e_f32s(weight, values[p * stride], *sum);
            }
        }
        for (p, sum) in sums.into_iter().enumerate() {
            let sum = [activated(self.simd, self.layer.activation, sum)];
            let at = store.at + p * store.channels;
            // SAFETY: pieces differ in the rows or the channels, and a piece is written from one thread.
            let out = unsafe { store.out.part(at..at + store.there) };
            out.copy_from_slice(&bytemuck::cast_slice(&sum)[..store.there]);
        }
        P
    }
}
