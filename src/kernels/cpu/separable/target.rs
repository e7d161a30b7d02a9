//! Where what a pass computes goes: projected or as it is, with what is added and the last activation.

use pulp::Simd;

use super::super::lanes::deinterleave;
use super::super::pointwise::{Pointwise, TILE};
use super::super::{Activation, Shared, activate};
use super::{Map, Separable};

/// Where a piece goes.
pub(super) struct Target<'a> {
    pub layer: &'a Separable,
    pub map: &'a Map<'a>,
    pub image: usize,
    /// The piece's first pixel.
    pub first: usize,
    pub out: &'a Shared<'a>,
}

impl Target<'_> {
    /// All channels of the pixels, `[channels / lanes, pixels, lanes]`, to the outputs.
    #[inline(always)]
    pub fn project<S: Simd>(
        &self,
        simd: S,
        layer: &Pointwise,
        mixed: &[f32],
        partial: &mut [S::f32s],
        tile: &mut [S::f32s],
    ) {
        let lanes = S::F32_LANES;
        let pixels = mixed.len() / self.map.channels;
        let mut pixel = 0;
        while pixel < pixels {
            let mut count = 0;
            for block in 0..layer.outputs.div_ceil(lanes) {
                count = layer.forward(
                    simd,
                    block,
                    pixels - pixel,
                    (
                        #[inline(always)]
                        |k| &mixed[(k / lanes * pixels + pixel) * lanes + k % lanes..],
                        lanes,
                    ),
                    partial,
                    #[inline(always)]
                    |sums| tile[..sums.len()].copy_from_slice(sums),
                );
                self.scatter::<S>(block, pixel, count, layer.activation, bytemuck::cast_slice(tile));
            }
            pixel += count;
        }
    }

    /// A vector of channels of the pixels, `[pixels, lanes]`, as it is.
    #[inline(always)]
    pub fn write<S: Simd>(&self, block: usize, mixed: &[f32], tile: &mut [S::f32s]) {
        for (n, mixed) in mixed.chunks(TILE * S::F32_LANES).enumerate() {
            let tile = bytemuck::cast_slice_mut(tile);
            tile[..mixed.len()].copy_from_slice(mixed);
            self.scatter::<S>(block, n * TILE, mixed.len() / S::F32_LANES, Activation::Identity, tile);
        }
    }

    /// Writes a vector of outputs of `count` pixels.
    #[inline(always)]
    fn scatter<S: Simd>(&self, block: usize, pixel: usize, count: usize, activation: Activation, tile: &[f32]) {
        let (lanes, outputs) = (S::F32_LANES, self.layer.outputs());
        let size = self.map.laid.output[0] * self.map.laid.output[1];
        let first = block * lanes;
        let channels = lanes.min(outputs - first);
        let mut rows = [const { [0.0; TILE] }; 4];
        for channel in (0..channels).step_by(4) {
            if lanes >= 4 {
                deinterleave(&tile[channel..], lanes, count.next_multiple_of(4), &mut rows);
            } else {
                rows[0].iter_mut().zip(&tile[channel..]).for_each(|(to, &from)| *to = from);
            }
            for (channel, row) in (channel..channels).zip(&rows) {
                let at = (self.image * outputs + first + channel) * size + self.first + pixel;
                // SAFETY: pieces differ in the pixels, and a piece is written from one thread.
                let out = unsafe { self.out.part(at..at + count) };
                match self.map.plus {
                    Some(plus) => {
                        let sums = row.iter().zip(&plus[at..]);
                        out.iter_mut().zip(sums).for_each(|(out, (sum, plus))| *out = sum + plus);
                    }
                    None => out.copy_from_slice(&row[..count]),
                }
                activate(activation, out);
            }
        }
    }
}
