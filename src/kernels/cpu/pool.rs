//! Poolings, channel by channel: down the columns of a band of rows, then along it.

use pulp::Simd;
use rayon::prelude::*;

use super::lanes::every_second;
use super::{Isa, Window};
use crate::kernels::pooling::Terms;

/// The largest value of each window of every channel, `[.., height, width]`; NaN wins. Beyond the border is nothing.
pub fn max_pool(x: &[f32], input: [usize; 2], window: Window, out: &mut [f32]) {
    pool_on(Isa::widest(), Largest, x, input, window, out);
}

/// The mean of each window of every channel, `[.., height, width]`: over what is there, or with `zeros` over the whole
/// window.
pub fn average_pool(x: &[f32], input: [usize; 2], window: Window, zeros: bool, out: &mut [f32]) {
    pool_on(Isa::widest(), &Mean::new(input, window, zeros), x, input, window, out);
}

/// What becomes of the values of windows, of many side by side.
pub(super) trait Fold: Copy + Sync {
    /// To begin with, and beyond the border.
    const NOTHING: f32;

    fn fold<S: Simd>(self, simd: S, folded: S::f32s, next: S::f32s) -> S::f32s;

    /// Of outputs side by side, the first one in column `x` of row `y`.
    fn finish<S: Simd>(self, simd: S, y: usize, x: usize, folded: S::f32s) -> S::f32s;
}

#[derive(Clone, Copy)]
pub(super) struct Largest;

impl Fold for Largest {
    const NOTHING: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn fold<S: Simd>(self, simd: S, folded: S::f32s, next: S::f32s) -> S::f32s {
        // No comparison with NaN holds: neither the next one's nor that of one found before.
        let larger = simd.select_f32s(simd.less_than_or_equal_f32s(next, folded), folded, next);
        simd.select_f32s(simd.equal_f32s(folded, folded), larger, folded)
    }

    #[inline(always)]
    fn finish<S: Simd>(self, _: S, _: usize, _: usize, folded: S::f32s) -> S::f32s {
        folded
    }
}

/// Sums, by how many values each is of.
pub(super) struct Mean {
    /// Rows of each output row's windows, columns of each output column's.
    counts: [Vec<f32>; 2],
}

impl Mean {
    pub(super) fn new(input: [usize; 2], window: Window, zeros: bool) -> Self {
        let within = |axis: usize, place: usize| {
            let tap = |tap: usize| place * window.stride[axis] + tap * window.dilation[axis];
            let (before, size) = (window.padding[axis].0, input[axis]);
            (0..window.size[axis]).filter(|&n| zeros || (before..before + size).contains(&tap(n))).count() as f32
        };
        let output = window.output(input);
        Self { counts: [0, 1].map(|axis| (0..output[axis]).map(|place| within(axis, place)).collect()) }
    }
}

impl Fold for &Mean {
    const NOTHING: f32 = 0.0;

    #[inline(always)]
    fn fold<S: Simd>(self, simd: S, folded: S::f32s, next: S::f32s) -> S::f32s {
        simd.add_f32s(folded, next)
    }

    #[inline(always)]
    fn finish<S: Simd>(self, simd: S, y: usize, x: usize, folded: S::f32s) -> S::f32s {
        let columns = &self.counts[1][x..];
        let columns = simd.partial_load_f32s(&columns[..columns.len().min(S::F32_LANES)]);
        simd.div_f32s(folded, simd.mul_f32s(simd.splat_f32s(self.counts[0][y]), columns))
    }
}

pub(super) fn pool_on(isa: Isa, fold: impl Fold, x: &[f32], input: [usize; 2], window: Window, out: &mut [f32]) {
    let [height, width] = input;
    let [rows, columns] = window.output(input);
    assert_eq!(x.len() * rows * columns, out.len() * height * width, "as many channels");
    let planes = out.par_chunks_exact_mut(rows * columns).zip(x.par_chunks_exact(height * width));
    planes.for_each_init(Vec::new, |scratch, (out, plane)| {
        isa.dispatch(Plane { fold, plane, input, window, scratch, columns, out });
    });
}

/// A channel.
struct Plane<'a, F> {
    fold: F,
    plane: &'a [f32],
    input: [usize; 2],
    window: Window,
    /// What the thread works in.
    scratch: &'a mut Vec<f32>,
    /// Of the output.
    columns: usize,
    out: &'a mut [f32],
}

impl<F: Fold> pulp::WithSimd for Plane<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { fold, plane, input: [height, width], window, scratch, columns, out } = self;
        let Window { size, stride, padding, dilation } = window;
        // A tap sees every `stride`-th column from its own on: these lie together, in whole vectors for the last tap too.
        let reach = dilation[1] * (size[1] - 1);
        let apart = columns.next_multiple_of(S::F32_LANES) + reach / stride[1] + 1;
        let taps = (0..size[1]).map(|tap| tap * dilation[1]);
        let taps: Vec<usize> = taps.map(|tap| tap % stride[1] * apart + tap / stride[1]).collect();
        scratch.clear();
        scratch.resize(2 * stride[1] * apart, F::NOTHING);
        let (band, parted) = scratch.split_at_mut(stride[1] * apart);
        for (y, out) in out.chunks_exact_mut(columns).enumerate() {
            let inner = &mut band[padding[1].0..][..width];
            let rows = (0..size[0]).filter_map(|tap| (y * stride[0] + tap * dilation[0]).checked_sub(padding[0].0));
            let mut rows = rows.filter(|&row| row < height).map(|row| &plane[row * width..][..width]);
            match (rows.next(), rows.next()) {
                (Some(first), Some(second)) => both(simd, fold, first, second, inner),
                (Some(only), None) => inner.copy_from_slice(only),
                (None, _) => inner.fill(F::NOTHING),
            }
            for next in rows {
                onto(simd, fold, inner, next);
            }
            let parts = if stride[1] == 1 { &*band } else { part(band, stride[1], apart, parted) };
            for x in (0..columns).step_by(S::F32_LANES) {
                let mut folded = simd.splat_f32s(F::NOTHING);
                for &tap in &taps {
                    folded = fold.fold(simd, folded, S::as_simd_f32s(&parts[tap + x..][..S::F32_LANES]).0[0]);
                }
                let out = &mut out[x..columns.min(x + S::F32_LANES)];
                simd.partial_store_f32s(out, fold.finish(simd, y, x, folded));
            }
        }
    }
}

/// Folds two rows column by column.
#[inline(always)]
fn both<S: Simd>(simd: S, fold: impl Fold, first: &[f32], second: &[f32], to: &mut [f32]) {
    let (to, to_rest) = S::as_mut_simd_f32s(to);
    let (first, first_rest) = S::as_simd_f32s(first);
    let (second, second_rest) = S::as_simd_f32s(second);
    for (to, (&first, &second)) in to.iter_mut().zip(first.iter().zip(second)) {
        *to = fold.fold(simd, first, second);
    }
    if !to_rest.is_empty() {
        let folded = fold.fold(simd, simd.partial_load_f32s(first_rest), simd.partial_load_f32s(second_rest));
        simd.partial_store_f32s(to_rest, folded);
    }
}

/// Folds a row onto what was found before in the same columns.
#[inline(always)]
fn onto<S: Simd>(simd: S, fold: impl Fold, found: &mut [f32], next: &[f32]) {
    let (found, found_rest) = S::as_mut_simd_f32s(found);
    let (next, next_rest) = S::as_simd_f32s(next);
    for (found, &next) in found.iter_mut().zip(next) {
        *found = fold.fold(simd, *found, next);
    }
    if !found_rest.is_empty() {
        let folded = fold.fold(simd, simd.partial_load_f32s(found_rest), simd.partial_load_f32s(next_rest));
        simd.partial_store_f32s(found_rest, folded);
    }
}

/// The first of every `stride` values, then the second, …, `apart` from each other.
#[inline(always)]
fn part<'a>(values: &[f32], stride: usize, apart: usize, to: &'a mut [f32]) -> &'a [f32] {
    for (first, to) in to.chunks_exact_mut(apart).enumerate() {
        let from = &values[first..];
        match stride {
            2 => every_second(&mut to[..from.len() / 2], from),
            _ => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, &from)| *to = from),
        }
    }
    to
}

/// Sums side by side.
const LANES: usize = 16;

/// The mean of every channel of `units`.
pub fn global_mean(x: &[f32], units: usize, out: &mut [f32]) {
    rows(x, units, |sum| sum / units as f32, out);
}

/// The sum of every row of `units`.
pub fn row_sums(x: &[f32], units: usize, out: &mut [f32]) {
    rows(x, units, |sum| sum, out);
}

fn rows(x: &[f32], units: usize, of_sum: impl Fn(f32) -> f32 + Sync, out: &mut [f32]) {
    let sum = |row: &[f32]| {
        let mut sums = [0.0_f32; LANES];
        for values in row.chunks(LANES) {
            sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value);
        }
        sums.iter().sum::<f32>()
    };
    out.par_iter_mut().zip(x.par_chunks_exact(units)).for_each(|(out, row)| *out = of_sum(sum(row)));
}

/// Columns that a thread adds up at a time, and rows before their sums join the others: many small ones lose less.
const COLUMNS: usize = 256;
const ROWS: usize = 32;

/// Sums over the rows of every `[rows, units]`.
pub fn column_sums(x: &[f32], [rows, units]: [usize; 2], terms: Terms, out: &mut [f32]) {
    let term = |x: f32| if terms == Terms::Squares { x * x } else { x };
    let simd = pulp::Arch::new();
    out.par_chunks_mut(units.max(1)).enumerate().for_each(|(n, out)| {
        let x = &x[n * rows * units..][..rows * units];
        out.par_chunks_mut(COLUMNS).enumerate().for_each(|(part, out)| {
            simd.dispatch(
                #[inline(always)]
                || {
                    out.fill(0.0);
                    for block in x.chunks(ROWS * units) {
                        let mut sums = [0.0; COLUMNS];
                        let sums = &mut sums[..out.len()];
                        for row in block.chunks_exact(units) {
                            let row = &row[part * COLUMNS..][..sums.len()];
                            sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += term(x));
                        }
                        out.iter_mut().zip(&*sums).for_each(|(out, sum)| *out += sum);
                    }
                },
            );
        });
    });
}
