//! Dense layers: a matrix product of images and weights.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::matrix::{Matrix, VECTORS};
use super::{Activation, Isa, LINE, Lines, Shared, finished, with_scratch};

/// Inputs summed at a time; the sums of the parts are added in order.
const DEPTH: usize = 768;

/// Images at a time.
const IMAGES: usize = 48;

/// From one image's inputs to the next one's: no power of two, whose lines would share a set of the cache.
const PITCH: usize = DEPTH + LINE;

/// Pieces that a layer is cut into for each thread, so that all end at about the same time.
const PIECES: usize = 4;

/// Weights that a piece works with, in bytes: streamed once for every block of images, from whichever cache keeps them.
const PIECE_BYTES: usize = 4 << 20;

/// A dense layer with its weights laid out.
pub struct Dense {
    isa: Isa,
    inputs: usize,
    activation: Activation,
    outputs: usize,
    /// Whole panels of it.
    bias: Lines,
    weights: Matrix,
}

impl Dense {
    /// From weights `[out, in]` and bias `[out]`.
    pub fn new(weights: &[f32], bias: &[f32], activation: Activation) -> Self {
        Self::on(Isa::widest(), weights, bias, activation)
    }

    pub(super) fn on(isa: Isa, weights: &[f32], bias: &[f32], activation: Activation) -> Self {
        let inputs = weights.len() / bias.len();
        assert_eq!(weights.len(), inputs * bias.len(), "a bias for every output");
        let weights = Matrix::new(isa, inputs, bias.len(), |input, out| weights[out * inputs + input]);
        let mut lines = Lines::new(bias.len().next_multiple_of(weights.width()));
        lines.values_mut()[..bias.len()].copy_from_slice(bias);
        Self { isa, inputs, activation, outputs: bias.len(), bias: lines, weights }
    }

    /// Units of the output.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// From `x`, `[images, in]`, to `[images, out]`; `plus` is added before the activation.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    pub fn forward(&self, x: &[f32], plus: Option<&[f32]>, out: &mut [f32]) {
        let images = x.len() / self.inputs;
        assert_eq!(x.len(), images * self.inputs, "a value for every unit");
        assert_eq!(out.len(), images * self.outputs, "a place for every unit");
        assert!(plus.is_none_or(|plus| plus.len() == out.len()), "a summand for every unit");
        let panels = self.outputs.div_ceil(self.weights.width());
        let [together, at_once] = self.piece(panels, images);
        let shared = Shared::new(out);
        let (across, down) = (panels.div_ceil(together), images.div_ceil(at_once));
        (0..across * down).into_par_iter().for_each(|piece| {
            let (first, part) = (piece / down * together, piece % down * at_once);
            let panels = first..panels.min(first + together);
            let images = part..images.min(part + at_once);
            with_scratch(IMAGES.min(images.len()) * PITCH, |scratch| {
                for first in images.clone().step_by(IMAGES) {
                    let images = first..images.end.min(first + IMAGES);
                    let panels = panels.clone();
                    self.isa.dispatch(Work { layer: self, x, images, panels, scratch, plus, out: &shared });
                }
            });
        });
    }

    /// Panels and images of a piece: as many panels as the cache keeps, and enough pieces for all threads.
    fn piece(&self, panels: usize, images: usize) -> [usize; 2] {
        let wanted = PIECES * rayon::current_num_threads();
        let bytes = self.inputs * self.weights.width() * size_of::<f32>();
        let fitting = (PIECE_BYTES / bytes).clamp(1, panels);
        let blocks = images.div_ceil(IMAGES).max(1);
        // Few images: panels make the pieces.
        let across = panels.div_ceil(fitting).max(wanted.div_ceil(blocks).min(panels));
        let down = wanted.div_ceil(across).min(blocks);
        [panels.div_ceil(across), blocks.div_ceil(down) * IMAGES]
    }
}

struct Work<'a> {
    layer: &'a Dense,
    x: &'a [f32],
    images: Range<usize>,
    panels: Range<usize>,
    /// `[images, PITCH]`.
    scratch: &'a mut [f32],
    plus: Option<&'a [f32]>,
    out: &'a Shared<'a>,
}

impl pulp::WithSimd for Work<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { layer, x, images, panels, scratch, plus, out } = self;
        let (outputs, width) = (layer.outputs, layer.weights.width());
        for first in (0..layer.inputs).step_by(DEPTH) {
            let last = layer.inputs.min(first + DEPTH);
            for (image, to) in images.clone().zip(scratch.chunks_exact_mut(PITCH)) {
                to[..last - first].copy_from_slice(&x[image * layer.inputs..][first..last]);
            }
            for panel in panels.clone() {
                let columns = panel * width..outputs.min((panel + 1) * width);
                let bias: &[S::f32s] = &S::as_simd_f32s(layer.bias.values()).0[panel * VECTORS..][..VECTORS];
                let (is_first, is_last) = (first == 0, last == layer.inputs);
                layer.weights.multiply(
                    simd,
                    (scratch, PITCH, images.len()),
                    first..last,
                    panel,
                    #[inline(always)]
                    |row, sums| {
                        let at = (images.start + row) * outputs;
                        // SAFETY: pieces differ in the panels or the images, and a piece is written from one thread.
                        let out = unsafe { out.part(at + columns.start..at + columns.end) };
                        let plus = plus.filter(|_| is_last).map(|plus| &plus[at + columns.start..at + columns.end]);
                        let (out, rest) = S::as_mut_simd_f32s(out);
                        for (n, (out, &sum)) in out.iter_mut().zip(sums).enumerate() {
                            let sum = simd.add_f32s(if is_first { bias[n] } else { *out }, sum);
                            let sum = plus.map_or(sum, |plus| simd.add_f32s(sum, S::as_simd_f32s(plus).0[n]));
                            *out = if is_last { finished(simd, layer.activation, sum) } else { sum };
                        }
                        if !rest.is_empty() {
                            let n = out.len();
                            let before = if is_first { bias[n] } else { simd.partial_load_f32s(rest) };
                            let sum = simd.add_f32s(before, sums[n]);
                            let plus = plus.map(|plus| simd.partial_load_f32s(S::as_simd_f32s(plus).1));
                            let sum = plus.map_or(sum, |plus| simd.add_f32s(sum, plus));
                            let sum = if is_last { finished(simd, layer.activation, sum) } else { sum };
                            simd.partial_store_f32s(rest, sum);
                        }
                    },
                );
            }
        }
    }
}
