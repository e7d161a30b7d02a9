//! 1 x 1 convolutions with the outputs in the lanes of vectors and pixels in registers.

use pulp::Simd;

use super::{Activation, Lines, Weights, Window};
use crate::kernels::VALID;

/// Inputs summed at a time; the sums of the parts are added in order.
const DEPTH: usize = 512;

/// Most pixels of a tile.
pub const TILE: usize = 28;

/// A 1 x 1 convolution.
pub struct Pointwise {
    pub inputs: usize,
    pub outputs: usize,
    pub activation: Activation,
    /// `[outputs / lanes, lanes]`.
    bias: Lines,
    /// `[outputs / lanes, inputs, lanes]`.
    weights: Lines,
}

impl Pointwise {
    pub fn new(lanes: usize, weights: &Weights) -> Self {
        let Weights { kernel, bias, inputs, window, groups, activation } = *weights;
        assert!(groups == 1 && window == Window::square(1, 1, VALID), "a 1 x 1 convolution");
        let (outputs, bias) = (bias.len(), in_lanes(lanes, bias, 1));
        Self { inputs, outputs, activation, bias, weights: in_lanes(lanes, kernel, inputs) }
    }

    /// Hands on the vectors of outputs, bias included, of as many pixels as registers hold of those `left`; their number. At
    /// `line(k)` are the pixels' inputs `k`, `step` apart.
    #[inline(always)]
    pub fn forward<'a, S: Simd>(
        &self,
        simd: S,
        block: usize,
        left: usize,
        (line, step): (impl Fn(usize) -> &'a [f32], usize),
        partial: &mut [S::f32s],
        store: impl FnMut(&[S::f32s]),
    ) -> usize {
        match left {
            28.. if const { S::REGISTER_COUNT >= 32 } => self.tile::<S, 28>(simd, block, line, step, partial, store),
            21.. if const { S::REGISTER_COUNT >= 32 } => self.tile::<S, 21>(simd, block, line, step, partial, store),
            14.. if const { S::REGISTER_COUNT >= 32 } => self.tile::<S, 14>(simd, block, line, step, partial, store),
            12.. if const { S::REGISTER_COUNT < 32 } => self.tile::<S, 12>(simd, block, line, step, partial, store),
            7.. => self.tile::<S, 7>(simd, block, line, step, partial, store),
            _ => self.tile::<S, 1>(simd, block, line, step, partial, store),
        }
    }

    #[inline(always)]
    fn tile<'a, S: Simd, const P: usize>(
        &self,
        simd: S,
        block: usize,
        line: impl Fn(usize) -> &'a [f32],
        step: usize,
        partial: &mut [S::f32s],
        mut store: impl FnMut(&[S::f32s]),
    ) -> usize {
        let bias = S::as_simd_f32s(self.bias.values()).0[block];
        let weights = &S::as_simd_f32s(self.weights.values()).0[block * self.inputs..][..self.inputs];
        let depth = self.inputs.div_ceil(self.inputs.div_ceil(DEPTH));
        for first in (0..self.inputs).step_by(depth) {
            let last = self.inputs.min(first + depth);
            let sums = sums::<S, P>(
                simd,
                &weights[first..last],
                #[inline(always)]
                |k| line(first + k),
                step,
            );
            for (partial, &sum) in partial[..P].iter_mut().zip(&sums) {
                *partial = simd.add_f32s(if first == 0 { bias } else { *partial }, sum);
            }
            if last == self.inputs {
                store(&partial[..P]);
            }
        }
        P
    }
}

/// A tile of P pixels, summed over the inputs in order: by itself, or its sums are kept in memory for who takes them.
#[inline(always)]
fn sums<'a, S: Simd, const P: usize>(
    simd: S,
    weights: &[S::f32s],
    line: impl Fn(usize) -> &'a [f32],
    step: usize,
) -> [S::f32s; P] {
    let mut sums = [simd.splat_f32s(0.0); P];
    for (k, &weight) in weights.iter().enumerate() {
        let line = &line(k)[..(P - 1) * step + 1];
        for (p, sum) in sums.iter_mut().enumerate() {
            *sum = simd.mul_add_e_f32s(simd.splat_f32s(line[p * step]), weight, *sum);
        }
    }
    sums
}

/// `[outputs / lanes, len, lanes]` from `[outputs, len]`; zeros behind the last.
pub fn in_lanes(lanes: usize, values: &[f32], len: usize) -> Lines {
    let mut laid_out = Lines::new((values.len() / len).next_multiple_of(lanes) * len);
    for (out, values) in values.chunks_exact(len).enumerate() {
        let block = &mut laid_out.values_mut()[out / lanes * len * lanes..][..len * lanes];
        block.iter_mut().skip(out % lanes).step_by(lanes).zip(values).for_each(|(to, &value)| *to = value);
    }
    laid_out
}
