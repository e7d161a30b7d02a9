//! A convolution as the matrix product of its weights and the pixels that each output sees (implicit GEMM): a tile of
//! outputs x pixels stays in registers while the taps stream by; pixels are laid out as they are read, a few panels at a
//! time.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::pixels::{PANEL, Pixels, Run};
use super::{Activation, Among, Isa, Shared, Weights, Window, activate, activated, with_scratch};

/// Taps (of all channels) summed at a time; the sums of the parts are added in order. A block of weights for a tile stays
/// in a first-level cache, the panels in a second-level one.
const DEPTH: usize = 512;

/// Panels laid out at a time.
const PANELS: usize = 6;

/// Pieces that a layer is cut into for each thread, so that all end at about the same time.
const PIECES: usize = 4;

/// Weights laid out in blocks as high as the tiles of this machine.
pub struct Implicit {
    isa: Isa,
    window: Window,
    groups: usize,
    /// Of a group.
    inputs: usize,
    outputs: usize,
    activation: Activation,
    bias: Vec<f32>,
    rows: usize,
    /// `[groups, outputs / rows, taps, rows]`, the taps of all inputs at a place of the window together.
    weights: Vec<f32>,
}

/// Rows of a tile: with three vectors of pixels as many sums as the registers hold beside those and a weight.
const fn rows<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 8 } else { 4 }
}

struct Layout<'a>(Isa, &'a Weights<'a>);

impl pulp::WithSimd for Layout<'_> {
    type Output = Implicit;

    fn with_simd<S: Simd>(self, _: S) -> Implicit {
        let Weights { kernel, bias, inputs, window, groups, activation } = *self.1;
        let (inputs, outputs, places) = (inputs / groups, bias.len() / groups, window.size[0] * window.size[1]);
        let (rows, taps) = (rows::<S>(), inputs * places);
        let blocks = outputs.div_ceil(rows);
        let mut weights = vec![0.0; groups * blocks * taps * rows];
        for (out, kernel) in kernel.chunks_exact(taps).enumerate() {
            let (group, row) = (out / outputs, out % outputs);
            let block = &mut weights[(group * blocks + row / rows) * taps * rows..][..taps * rows];
            for (tap, weights) in block.chunks_exact_mut(rows).enumerate() {
                weights[row % rows] = kernel[tap % inputs * places + tap / inputs];
            }
        }
        Implicit { isa: self.0, window, groups, inputs, outputs, activation, bias: bias.to_vec(), rows, weights }
    }
}

/// A piece of the output: panels of pixels x blocks of outputs of a group.
struct Piece {
    group: usize,
    panels: Range<usize>,
    blocks: Range<usize>,
}

impl Implicit {
    pub fn new(isa: Isa, weights: &Weights) -> Self {
        isa.dispatch(Layout(isa, weights))
    }

    pub fn forward(&self, pixels: &Pixels, plus: Option<&[f32]>, among: Among, out: &mut [f32]) {
        let out = Shared::new(out);
        self.pieces(pixels.count()).into_par_iter().for_each(|piece| {
            let depth = DEPTH.min(self.taps());
            with_scratch(piece.panels.len() * depth * PANEL, |panels| {
                self.isa.dispatch(Work { layer: self, pixels, piece, panels, plus, among, out: &out });
            });
        });
    }

    fn taps(&self) -> usize {
        self.inputs * self.window.size[0] * self.window.size[1]
    }

    /// Enough pieces for all threads; those of the same panels lay the pixels out anew, so they are few.
    fn pieces(&self, pixels: usize) -> Vec<Piece> {
        let (panels, blocks) = (pixels.div_ceil(PANEL), self.outputs.div_ceil(self.rows));
        let wanted = PIECES * rayon::current_num_threads();
        let together = panels.div_ceil(panels.div_ceil(PANELS).max(wanted.min(panels.div_ceil(2))));
        let across = panels.div_ceil(together) * self.groups;
        let high = blocks.div_ceil(wanted.div_ceil(across).min(blocks.div_ceil(4)));
        let mut pieces = Vec::new();
        for group in 0..self.groups {
            for first in (0..panels).step_by(together) {
                pieces.extend((0..blocks).step_by(high).map(|block| Piece {
                    group,
                    panels: first..panels.min(first + together),
                    blocks: block..blocks.min(block + high),
                }));
            }
        }
        pieces
    }
}

struct Work<'a> {
    layer: &'a Implicit,
    pixels: &'a Pixels<'a>,
    piece: Piece,
    /// `[panels, depth, PANEL]`.
    panels: &'a mut [f32],
    plus: Option<&'a [f32]>,
    among: Among,
    out: &'a Shared<'a>,
}

impl pulp::WithSimd for Work<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if const { rows::<S>() == 8 } { self.by::<S, 8>(simd) } else { self.by::<S, 4>(simd) }
    }
}

impl Work<'_> {
    #[inline(always)]
    fn by<S: Simd, const R: usize>(self, simd: S) {
        let Self { layer, pixels, piece, panels, plus, among, out } = self;
        assert_eq!(layer.rows, R, "weights laid out for another instruction set");
        let (taps, blocks) = (layer.taps(), layer.outputs.div_ceil(R));
        let depth = taps.div_ceil(taps.div_ceil(DEPTH));
        let runs: Vec<Vec<Run>> = piece.panels.clone().map(|panel| pixels.runs(panel)).collect();
        let weights = layer.weights.as_chunks::<R>().0;
        for first in (0..taps).step_by(depth) {
            let last = taps.min(first + depth);
            let panels = &mut panels.as_chunks_mut::<PANEL>().0[..runs.len() * (last - first)];
            pixels.lay_out(simd, &runs, piece.group, layer.inputs, first..last, panels);
            for block in piece.blocks.clone() {
                let weights = &weights[(piece.group * blocks + block) * taps + first..][..last - first];
                let row = piece.group * layer.outputs + block * R;
                let bias = &layer.bias[row..][..R.min(layer.outputs - block * R)];
                for (runs, panel) in runs.iter().zip(panels.chunks_exact(last - first)) {
                    let columns = runs.last().map_or(0, |run| run.at + run.len);
                    let mut column = 0;
                    while column < columns {
                        let bias = (first == 0).then_some(bias);
                        let store = Store {
                            layer,
                            pixels,
                            runs,
                            row,
                            rows: R.min(layer.outputs - block * R),
                            bias,
                            last: last == taps,
                            plus,
                            among,
                            out,
                        };
                        column += match (columns - column).div_ceil(S::F32_LANES) {
                            1 => store.write(simd, column, &sums::<S, R, 1>(simd, weights, panel, column)),
                            2 => store.write(simd, column, &sums::<S, R, 2>(simd, weights, panel, column)),
                            _ => store.write(simd, column, &sums::<S, R, 3>(simd, weights, panel, column)),
                        };
                    }
                }
            }
        }
    }
}

/// A tile of R rows and N vectors, summed over the taps in order.
#[inline(always)]
fn sums<S: Simd, const R: usize, const N: usize>(
    simd: S,
    weights: &[[f32; R]],
    panel: &[[f32; PANEL]],
    column: usize,
) -> [[S::f32s; N]; R] {
    let mut sums = [[simd.splat_f32s(0.0); N]; R];
    let columns = column..column + N * S::F32_LANES;
    assert!(columns.end <= PANEL);
    for (weights, pixels) in weights.iter().zip(panel) {
        let pixels: &[S::f32s; N] = S::as_simd_f32s(&pixels[columns.clone()]).0.as_array().expect("N vectors");
        for (sums, &weight) in sums.iter_mut().zip(weights) {
            let weight = simd.splat_f32s(weight);
            for (sum, &pixel) in sums.iter_mut().zip(pixels) {
                *sum = simd.mul_add_e_f32s(weight, pixel, *sum);
            }
        }
    }
    sums
}

/// Where a tile goes.
struct Store<'a> {
    layer: &'a Implicit,
    pixels: &'a Pixels<'a>,
    runs: &'a [Run],
    /// Channel of the first row, and the rows that there are.
    row: usize,
    rows: usize,
    /// For the first part of the taps: those before are not there.
    bias: Option<&'a [f32]>,
    /// The last part of the taps: the sums are complete.
    last: bool,
    /// Added to them.
    plus: Option<&'a [f32]>,
    among: Among,
    out: &'a Shared<'a>,
}

impl Store<'_> {
    /// Adds the sums to the output; their number of columns.
    #[inline(always)]
    fn write<S: Simd, const R: usize, const N: usize>(
        &self,
        simd: S,
        column: usize,
        sums: &[[S::f32s; N]; R],
    ) -> usize {
        let columns = N * S::F32_LANES;
        let Among { first, channels } = self.among;
        let size = self.pixels.size();
        for (row, sums) in sums.iter().enumerate().take(self.rows) {
            for run in self.runs {
                let (start, end) = (run.at.max(column), (run.at + run.len).min(column + columns));
                if start >= end {
                    continue;
                }
                let to = (run.image * channels + first + self.row + row) * size + run.pixel + start - run.at;
                // SAFETY: pieces differ in the pixels or the rows, and a piece writes from one thread.
                let out = unsafe { self.out.part(to..to + end - start) };
                let plus = self.plus.filter(|_| self.last).map(|plus| &plus[to..][..out.len()]);
                if out.len() == columns {
                    let plus = plus.map(|plus| S::as_simd_f32s(plus).0);
                    for (n, (out, &sum)) in S::as_mut_simd_f32s(out).0.iter_mut().zip(sums).enumerate() {
                        let before = match self.bias {
                            Some(bias) => simd.splat_f32s(bias[row]),
                            None => *out,
                        };
                        let sum = simd.add_f32s(before, sum);
                        let sum = plus.map_or(sum, |plus| simd.add_f32s(sum, plus[n]));
                        *out = if self.last { activated(simd, self.layer.activation, sum) } else { sum };
                    }
                    continue;
                }
                let sums: &[f32] = &bytemuck::cast_slice(sums)[start - column..end - column];
                match self.bias {
                    Some(bias) => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out = bias[row] + sum),
                    None => out.iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum),
                }
                plus.iter().for_each(|plus| out.iter_mut().zip(*plus).for_each(|(out, plus)| *out += plus));
                if self.last {
                    activate(self.layer.activation, out);
                }
            }
        }
        columns
    }
}
