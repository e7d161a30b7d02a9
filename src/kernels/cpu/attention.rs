//! Attention on the CPU: keys and values of a head laid out as panels of weights, queries a few at a time.

use pulp::Simd;
use rayon::prelude::*;

use super::matrix::{Panels, VECTORS, WIDEST};
use super::smooth::exp;
use super::{Isa, LINE, Shared, with_scratch};
use crate::kernels::attention::{Counts, Lies};

/// Queries at a time.
const QUERIES: usize = 48;

/// What is added to scores.
#[derive(Clone, Copy)]
pub struct Bias<'a> {
    /// What those of each head are multiplied by first.
    pub scales: &'a [f32],
    /// `[images, heads, queries, pitch]`, with images for a part of the batch that they repeat after.
    pub values: &'a [f32],
    /// Of its rows, as many as the keys or more.
    pub pitch: usize,
}

/// Queries, keys and values to `out`, `[images, queries, heads, units]`; scores times `scale`, a bias added to that.
pub fn attention(counts: Counts, scale: f32, parts: [(&[f32], &Lies); 3], bias: Option<Bias>, out: &mut [f32]) {
    attention_on(Isa::widest(), counts, scale, parts, bias, out);
}

pub(super) fn attention_on(
    isa: Isa,
    counts: Counts,
    scale: f32,
    parts: [(&[f32], &Lies); 3],
    bias: Option<Bias>,
    out: &mut [f32],
) {
    let Counts { images, heads, units, .. } = counts;
    assert_eq!(out.len(), images * counts.queries * heads * units, "a place for every unit");
    let out = Shared::new(out);
    (0..images * heads).into_par_iter().for_each(|at| {
        let (image, head) = (at / heads, at % heads);
        let bias = bias.map(|bias| {
            let matrix = counts.queries * bias.pitch;
            let first = at * matrix % bias.values.len();
            (scale * bias.scales[head], &bias.values[first..first + matrix], bias.pitch)
        });
        let parts = parts.map(|(values, lies)| Own {
            values: &values[lies.images[image] + head * lies.head..],
            tokens: &lies.tokens,
            units,
        });
        let pitch = counts.keys.next_multiple_of(WIDEST) + LINE;
        let scores = QUERIES.min(counts.queries) * pitch;
        let queries = (QUERIES * units).next_multiple_of(LINE);
        let panels = Panels::most(units, counts.keys) + Panels::most(counts.keys, units);
        with_scratch(scores + queries + panels, |scratch| {
            let (scores, rest) = scratch.split_at_mut(scores);
            let (queries, panels) = rest.split_at_mut(queries);
            let scratch = [scores, queries, panels];
            isa.dispatch(Work { counts, scale, image, head, parts, bias, pitch, scratch, out: &out });
        });
    });
}

/// A head's queries, keys or values.
#[derive(Clone, Copy)]
struct Own<'a> {
    values: &'a [f32],
    tokens: &'a [usize],
    units: usize,
}

impl<'a> Own<'a> {
    #[inline(always)]
    fn row(self, token: usize) -> &'a [f32] {
        &self.values[self.tokens[token]..][..self.units]
    }
}

/// A head of an image.
struct Work<'a> {
    counts: Counts,
    /// Of the scores, where no bias says more.
    scale: f32,
    image: usize,
    head: usize,
    /// Queries, keys and values.
    parts: [Own<'a>; 3],
    /// What scores are multiplied by, then what is added, row by row, and how far apart rows are.
    bias: Option<(f32, &'a [f32], usize)>,
    /// Of the scores.
    pitch: usize,
    /// Scores `[QUERIES, pitch]`, queries `[QUERIES, units]`, keys and values in panels.
    scratch: [&'a mut [f32]; 3],
    out: &'a Shared<'a>,
}

impl pulp::WithSimd for Work<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { counts, scale, image, head, parts: [queries, keys, values], bias, pitch, scratch, out } = self;
        let (units, [scores, packed, panels]) = (counts.units, scratch);
        let (of_keys, of_values) = panels.split_at_mut(Panels::most(units, counts.keys));
        let keys = Panels::of_columns::<S>(
            of_keys,
            [units, counts.keys],
            #[inline(always)]
            |key| keys.row(key),
        );
        let values = Panels::of_rows::<S>(
            of_values,
            [counts.keys, units],
            #[inline(always)]
            |key| values.row(key),
        );
        let width = VECTORS * S::F32_LANES;
        let scale = if bias.is_some() { 1.0 } else { scale };
        for first in (0..counts.queries).step_by(QUERIES) {
            let rows = QUERIES.min(counts.queries - first);
            for (row, to) in packed.chunks_exact_mut(units).take(rows).enumerate() {
                to.copy_from_slice(queries.row(first + row));
            }
            for panel in 0..counts.keys.div_ceil(width) {
                let columns = panel * width..counts.keys.min((panel + 1) * width);
                keys.multiply(
                    simd,
                    (packed, units, rows),
                    0..units,
                    panel,
                    #[inline(always)]
                    |row, sums| {
                        // Whole vectors: what is beyond the keys is not looked at.
                        let to = &mut scores[row * pitch + columns.start..][..width];
                        let to = S::as_mut_simd_f32s(to).0;
                        to.copy_from_slice(sums);
                        if let Some((scale, bias, pitch)) = bias {
                            let bias = &bias[(first + row) * pitch..][columns.clone()];
                            let (whole, rest) = S::as_simd_f32s(bias);
                            let scale = simd.splat_f32s(scale);
                            for (score, &bias) in to.iter_mut().zip(whole) {
                                *score = simd.mul_add_e_f32s(scale, *score, bias);
                            }
                            if let Some(score) = to.get_mut(whole.len()) {
                                *score = simd.mul_add_e_f32s(scale, *score, simd.partial_load_f32s(rest));
                            }
                        }
                    },
                );
            }
            let mut sums = [0.0; QUERIES];
            for (sum, scores) in sums.iter_mut().zip(scores.chunks_mut(pitch)).take(rows) {
                *sum = weights(simd, &mut scores[..counts.keys], scale);
            }
            for panel in 0..units.div_ceil(width) {
                let columns = panel * width..units.min((panel + 1) * width);
                values.multiply(
                    simd,
                    (scores, pitch, rows),
                    0..counts.keys,
                    panel,
                    #[inline(always)]
                    |row, totals| {
                        let token = image * counts.queries + first + row;
                        let at = (token * counts.heads + head) * units;
                        // SAFETY: heads differ in the units, and a head is written from one thread.
                        let out = unsafe { out.part(at + columns.start..at + columns.end) };
                        let share = simd.splat_f32s(1.0 / sums[row]);
                        let (whole, rest) = S::as_mut_simd_f32s(out);
                        for (out, &total) in whole.iter_mut().zip(totals) {
                            *out = simd.mul_f32s(total, share);
                        }
                        if !rest.is_empty() {
                            simd.partial_store_f32s(rest, simd.mul_f32s(totals[whole.len()], share));
                        }
                    },
                );
            }
        }
    }
}

/// Scores to `exp(scale (score - largest))`; their sum.
#[inline(always)]
fn weights<S: Simd>(simd: S, scores: &mut [f32], scale: f32) -> f32 {
    let (whole, rest) = S::as_mut_simd_f32s(scores);
    let mut largest = [simd.splat_f32s(f32::NEG_INFINITY); 2];
    for (n, &scores) in whole.iter().enumerate() {
        largest[n % 2] = simd.max_f32s(largest[n % 2], scores);
    }
    let mut most = simd.reduce_max_f32s(simd.max_f32s(largest[0], largest[1]));
    for &score in rest.iter() {
        most = if score > most { score } else { most };
    }
    let (scale, shift) = (simd.splat_f32s(scale), simd.splat_f32s(-most * scale));
    let mut sums = [simd.splat_f32s(0.0); 2];
    for (n, scores) in whole.iter_mut().enumerate() {
        *scores = exp(simd, simd.mul_add_e_f32s(scale, *scores, shift));
        sums[n % 2] = simd.add_f32s(sums[n % 2], *scores);
    }
    let mut sum = simd.reduce_sum_f32s(simd.add_f32s(sums[0], sums[1]));
    if !rest.is_empty() {
        let last = simd.mul_add_e_f32s(scale, simd.partial_load_f32s(rest), shift);
        simd.partial_store_f32s(rest, exp(simd, last));
        for score in rest.iter() {
            sum += score;
        }
    }
    sum
}
