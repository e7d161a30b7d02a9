//! Attention on the CPU: keys and values of a head laid out as a matrix of weights, queries a few at a time.

use pulp::Simd;
use rayon::prelude::*;

use super::matrix::Matrix;
use super::smooth::exp;
use super::{Isa, LINE, Shared, with_scratch};

/// Queries at a time.
const QUERIES: usize = 48;

/// The shape of an attention.
#[derive(Clone, Copy)]
pub struct Heads {
    /// Of a batch.
    pub images: usize,
    /// Of an image.
    pub heads: usize,
    /// Of a head.
    pub queries: usize,
    /// Of a head, and its values.
    pub keys: usize,
    /// Of a query, key or value.
    pub units: usize,
    /// Of the scores.
    pub scale: f32,
}

/// Queries, keys or values, a head's units side by side.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// From the first of them on.
    pub values: &'a [f32],
    /// How far apart those of images, heads and tokens are.
    pub steps: [usize; 3],
}

/// To `out`, `[images, queries, heads, units]`.
pub fn attention(shape: Heads, queries: Part, keys: Part, values: Part, out: &mut [f32]) {
    attention_on(Isa::widest(), shape, queries, keys, values, out);
}

pub(super) fn attention_on(isa: Isa, shape: Heads, queries: Part, keys: Part, values: Part, out: &mut [f32]) {
    let Heads { images, heads, units, .. } = shape;
    assert_eq!(out.len(), images * shape.queries * heads * units, "a place for every unit");
    let out = Shared::new(out);
    (0..images * heads).into_par_iter().for_each(|at| {
        let (image, head) = (at / heads, at % heads);
        let part = |part, tokens| of_head(part, [image, head], tokens, units);
        let (queries, keys, values) = (part(queries, shape.queries), part(keys, shape.keys), part(values, shape.keys));
        let keys = Matrix::new(isa, units, shape.keys, |unit, key| keys.0[key * keys.1 + unit]);
        let values = Matrix::new(isa, shape.keys, units, |key, unit| values.0[key * values.1 + unit]);
        let pitch = shape.keys.next_multiple_of(keys.width()) + LINE;
        with_scratch(QUERIES.min(shape.queries) * pitch, |scores| {
            isa.dispatch(Work { shape, image, head, queries, keys, values, pitch, scores, out: &out });
        });
    });
}

/// The units of a head's tokens, and how far apart those are.
fn of_head(part: Part<'_>, [image, head]: [usize; 2], tokens: usize, units: usize) -> (&[f32], usize) {
    let [images, heads, pitch] = part.steps;
    let first = image * images + head * heads;
    (&part.values[first..first + (tokens - 1) * pitch + units], pitch)
}

/// A head of an image.
struct Work<'a> {
    shape: Heads,
    image: usize,
    head: usize,
    /// And how far apart they are.
    queries: (&'a [f32], usize),
    /// `[units, keys]`.
    keys: Matrix,
    /// `[keys, units]`.
    values: Matrix,
    /// Of the scores.
    pitch: usize,
    /// `[QUERIES, pitch]`.
    scores: &'a mut [f32],
    out: &'a Shared<'a>,
}

impl pulp::WithSimd for Work<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { shape, image, head, queries, keys, values, pitch, scores, out } = self;
        let width = keys.width();
        for first in (0..shape.queries).step_by(QUERIES) {
            let rows = QUERIES.min(shape.queries - first);
            for panel in 0..shape.keys.div_ceil(width) {
                let columns = panel * width..shape.keys.min((panel + 1) * width);
                keys.multiply(
                    simd,
                    (&queries.0[first * queries.1..], queries.1, rows),
                    0..shape.units,
                    panel,
                    #[inline(always)]
                    |row, sums| {
                        // Whole vectors: what is beyond the keys is not looked at.
                        let to = &mut scores[row * pitch + columns.start..][..width];
                        S::as_mut_simd_f32s(to).0.copy_from_slice(sums);
                    },
                );
            }
            let mut sums = [0.0; QUERIES];
            for (sum, scores) in sums.iter_mut().zip(scores.chunks_mut(pitch)).take(rows) {
                *sum = weights(simd, &mut scores[..shape.keys], shape.scale);
            }
            for panel in 0..shape.units.div_ceil(width) {
                let columns = panel * width..shape.units.min((panel + 1) * width);
                values.multiply(
                    simd,
                    (scores, pitch, rows),
                    0..shape.keys,
                    panel,
                    #[inline(always)]
                    |row, totals| {
                        let token = image * shape.queries + first + row;
                        let at = (token * shape.heads + head) * shape.units;
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
