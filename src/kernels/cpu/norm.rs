//! Normalizations, row by row.

use rayon::prelude::*;

/// Rows that a thread takes at a time.
const ROWS: usize = 16;

/// Sums that run side by side, so that none waits for the one before.
const SUMS: usize = 64;

/// Of every row of as many units as `gamma` has: `gamma (x - mean) / sqrt(variance + epsilon) + beta`.
pub fn layer_norm(x: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32, out: &mut [f32]) {
    let count = gamma.len() as f32;
    by_rows(
        x,
        gamma.len(),
        out,
        #[inline(always)]
        |x, out| {
            let mean = sum(
                x,
                #[inline(always)]
                |x| x,
            ) / count;
            let variance = sum(
                x,
                #[inline(always)]
                |x| (x - mean) * (x - mean),
            ) / count;
            let scale = 1.0 / (variance + epsilon).sqrt();
            for (((out, &x), &gamma), &beta) in out.iter_mut().zip(x).zip(gamma).zip(beta) {
                *out = (x - mean) * scale * gamma + beta;
            }
        },
    );
}

/// Every row of `units` over its Euclidean norm, or over `least` where that is more.
pub fn over_norms(x: &[f32], units: usize, least: f32, out: &mut [f32]) {
    by_rows(
        x,
        units,
        out,
        #[inline(always)]
        |x, out| {
            let squares = sum(
                x,
                #[inline(always)]
                |x| x * x,
            );
            let norm = squares.sqrt();
            let by = if norm < least { least } else { norm };
            out.iter_mut().zip(x).for_each(|(out, x)| *out = x / by);
        },
    );
}

fn by_rows(x: &[f32], units: usize, out: &mut [f32], row: impl Fn(&[f32], &mut [f32]) + Sync) {
    if x.is_empty() {
        return;
    }
    assert_eq!((x.len(), x.len() % units), (out.len(), 0), "whole rows");
    let simd = pulp::Arch::new();
    out.par_chunks_mut(ROWS * units).zip(x.par_chunks(ROWS * units)).for_each(|(out, x)| {
        simd.dispatch(
            #[inline(always)]
            || {
                for (out, x) in out.chunks_exact_mut(units).zip(x.chunks_exact(units)) {
                    row(x, out);
                }
            },
        );
    });
}

#[inline(always)]
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; SUMS];
    let (lines, rest) = values.as_chunks::<SUMS>();
    for line in lines {
        for (sum, &value) in sums.iter_mut().zip(line) {
            *sum += term(value);
        }
    }
    for (sum, &value) in sums.iter_mut().zip(rest) {
        *sum += term(value);
    }
    let mut width = SUMS / 2;
    while width > 0 {
        let (low, high) = sums[..2 * width].split_at_mut(width);
        low.iter_mut().zip(high).for_each(|(low, high)| *low += *high);
        width /= 2;
    }
    sums[0]
}
