//! Dense layers: a matrix product of images and weights.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::matrix::Matrix;
use super::{Activation, Isa, LINE, Shared, activate, with_scratch};

/// Inputs summed at a time; the sums of the parts are added in order.
const DEPTH: usize = 512;

/// Images at a time.
const IMAGES: usize = 48;

/// From one image's inputs to the next one's: no power of two, whose lines would share a set of the cache.
const PITCH: usize = DEPTH + LINE;

/// Pieces that a layer is cut into for each thread, so that all end at about the same time.
const PIECES: usize = 4;

/// Weights that a piece works with, in bytes: what a second-level cache keeps beside the images.
const PIECE_BYTES: usize = 1 << 20;

/// A dense layer with its weights laid out.
pub struct Dense {
    isa: Isa,
    inputs: usize,
    activation: Activation,
    bias: Vec<f32>,
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
        Self { isa, inputs, activation, bias: bias.to_vec(), weights }
    }

    /// Units of the output.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// From `x`, `[images, in]`, to `[images, out]`; `plus` is added before the activation.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    pub fn forward(&self, x: &[f32], plus: Option<&[f32]>, out: &mut [f32]) {
        let images = x.len() / self.inputs;
        assert_eq!(x.len(), images * self.inputs, "a value for every unit");
        assert_eq!(out.len(), images * self.bias.len(), "a place for every unit");
        assert!(plus.is_none_or(|plus| plus.len() == out.len()), "a summand for every unit");
        let panels = self.bias.len().div_ceil(self.weights.width());
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
}

impl Dense {
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
        let (outputs, width) = (layer.bias.len(), layer.weights.width());
        for first in (0..layer.inputs).step_by(DEPTH) {
            let last = layer.inputs.min(first + DEPTH);
            for (image, to) in images.clone().zip(scratch.chunks_exact_mut(PITCH)) {
                to[..last - first].copy_from_slice(&x[image * layer.inputs..][first..last]);
            }
            for panel in panels.clone() {
                let columns = panel * width..outputs.min((panel + 1) * width);
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
                        if first == 0 {
                            out.copy_from_slice(&layer.bias[columns.clone()]);
                        }
                        out.iter_mut().zip(sums).for_each(|(out, &sum)| *out += sum);
                        if last == layer.inputs {
                            if let Some(plus) = plus {
                                let plus = &plus[at + columns.start..at + columns.end];
                                out.iter_mut().zip(plus).for_each(|(out, &plus)| *out += plus);
                            }
                            activate(layer.activation, out);
                        }
                    },
                );
            }
        }
    }
}
