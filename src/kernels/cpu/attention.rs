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
        let pitch = shape.keys.next_multiple_of(LINE) + LINE;
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
                        scores[row * pitch..][columns.clone()].copy_from_slice(&sums[..columns.len()]);
                    },
                );
            }
            let mut sums = [0.0; QUERIES];
            for (sum, scores) in sums.iter_mut().zip(scores.chunks_mut(pitch)).take(rows) {
                *sum = weights(&mut scores[..shape.keys], shape.scale);
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
                        let share = 1.0 / sums[row];
                        out.iter_mut().zip(totals).for_each(|(out, &total)| *out = total * share);
                    },
                );
            }
        }
    }
}

/// Scores to `exp(scale (score - largest))`; their sum.
#[inline(always)]
fn weights(scores: &mut [f32], scale: f32) -> f32 {
    let mut largest = [f32::NEG_INFINITY; LINE];
    let larger = |largest: &mut f32, score: f32| *largest = if score > *largest { score } else { *largest };
    let (lines, rest) = scores.as_chunks_mut::<LINE>();
    for line in lines.iter() {
        largest.iter_mut().zip(line).for_each(|(largest, &score)| larger(largest, score));
    }
    largest.iter_mut().zip(rest.iter()).for_each(|(largest, &score)| larger(largest, score));
    let largest = largest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0; LINE];
    for line in lines {
        for (sum, score) in sums.iter_mut().zip(line) {
            *score = exp(scale * (*score - largest));
            *sum += *score;
        }
    }
    for (sum, score) in sums.iter_mut().zip(rest) {
        *score = exp(scale * (*score - largest));
        *sum += *score;
    }
    sums.into_iter().sum()
}
