//! Convolutions of each channel by itself, of maps whose channels lie side by side: a vector of channels of a whole map is
//! laid out with its padding; sums of several pixels stay in registers while the taps stream by.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::laid_out::{LaidOut, windows};
use super::pointwise::in_lanes;
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
        let (lanes, channels) = (S::F32_LANES, bias.len());
        let (bias, kernel) = (in_lanes(lanes, bias, 1), in_lanes(lanes, kernel, window.size[0] * window.size[1]));
        ChannelsLast { isa: self.0, window, channels, activation, lanes, bias, kernel }
    }
}

impl ChannelsLast {
    /// Whether what a row of windows sees is laid out in little memory: they may reach far beyond the border.
    pub fn suits(window: Window, input: [usize; 2]) -> bool {
        let laid = LaidOut::new(window, input);
        laid.seen(1).saturating_mul(laid.pitch) <= PIECE_BYTES
    }

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
        let map = Map::new(self.window, [height, width]);
        let output = map.laid.output;
        assert_eq!(x.len(), images * height * width * self.channels, "a value for every unit");
        assert_eq!(out.len(), images * output[0] * output[1] * self.channels, "a place for every unit");
        let rows = map.rows_of_a_piece(self.lanes);
        let (blocks, bands) = (self.channels.div_ceil(self.lanes), output[0].div_ceil(rows));
        let out = Shared::new(out);
        (0..images * bands * blocks).into_par_iter().for_each(|piece| {
            let (image, band, block) = (piece / blocks / bands, piece / blocks % bands, piece % blocks);
            let rows = band * rows..output[0].min((band + 1) * rows);
            with_scratch(map.laid.seen(rows.len()) * map.laid.pitch * self.lanes, |scratch| {
                self.isa.dispatch(Work { layer: self, map: &map, x, image, rows, block, scratch, out: &out });
            });
        });
    }
}

/// How a map is seen.
struct Map {
    laid: LaidOut,
    taps: Vec<usize>,
}

impl Map {
    fn new(window: Window, input: [usize; 2]) -> Self {
        let laid = LaidOut::new(window, input);
        Self { taps: laid.taps(), laid }
    }

    fn rows_of_a_piece(&self, lanes: usize) -> usize {
        let (all, laid) = (self.laid.output[0], &self.laid);
        let fits = |rows: &usize| laid.seen(*rows) * laid.pitch * lanes * size_of::<f32>() <= PIECE_BYTES;
        let rows = (1..=all).rev().find(fits).unwrap_or(1);
        all.div_ceil(all.div_ceil(rows))
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
        let (lanes, channels, laid) = (S::F32_LANES, layer.channels, &map.laid);
        assert_eq!(layer.lanes, lanes, "weights laid out for another instruction set");
        let first = block * lanes;
        let there = lanes.min(channels - first);
        lay_out(laid, x, (image, rows.clone()), (first, there, channels), lanes, scratch);
        let seen = S::as_simd_f32s(scratch).0;
        let taps = map.taps.len();
        let kernel = &S::as_simd_f32s(layer.kernel.values()).0[block * taps..][..taps];
        let bias = S::as_simd_f32s(layer.bias.values()).0[block];
        let [down, across] = laid.window.stride;
        for (n, row) in rows.enumerate() {
            let mut column = 0;
            while column < laid.output[1] {
                let seen = &seen[n * down * laid.pitch + column * across..];
                let at = ((image * laid.output[0] + row) * laid.output[1] + column) * channels + first;
                let store = Store { out, at, channels, there };
                let by = By { simd, layer, map, kernel, bias, seen };
                column += match (laid.output[1] - column, across) {
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
    laid: &LaidOut,
    x: &[f32],
    (image, rows): (usize, Range<usize>),
    (first, there, channels): (usize, usize, usize),
    lanes: usize,
    scratch: &mut [f32],
) {
    let [height, width] = laid.input;
    let (above, before) = (laid.window.padding[0].0, laid.window.padding[1].0);
    let columns = laid.columns();
    for (row, to) in (rows.start * laid.window.stride[0]..).zip(scratch.chunks_exact_mut(laid.pitch * lanes)) {
        let Some(row) = row.checked_sub(above).filter(|&row| row < height) else {
            to.fill(0.0);
            continue;
        };
        let (left, rest) = to.split_at_mut(before.min(laid.pitch) * lanes);
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
    fn window<const P: usize>(&self, stride: usize, store: Store) -> usize {
        let seen = (self.seen, &self.map.taps[..]);
        let sums = windows::<S, P>(self.simd, self.bias, self.kernel, seen, stride);
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
