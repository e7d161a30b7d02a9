//! Copies of values that lie apart, on all threads: whole stretches where they lie side by side, else squares turned in
//! registers, so that both sides are read and written by lines of the cache.

use rayon::prelude::*;

use super::lanes::transposed;
use super::{LINE, STRETCH, Shared};

/// Of every index over `runs`, lengths and steps, the value of `x` at `offset` and the sum of steps, row by row.
///
/// # Panics
/// If a value lies beyond `x`, or there is not a place for each.
pub fn strided(x: &[f32], offset: usize, runs: &[(usize, usize)], out: &mut [f32]) {
    assert_eq!(out.len(), runs.iter().map(|&(length, _)| length).product::<usize>(), "a place for every value");
    if out.is_empty() {
        return;
    }
    let x = &x[offset..];
    let Some((&(length, step), outer)) = runs.split_last() else {
        out[0] = x[0];
        return;
    };
    if step != 1
        && let Some(side) = outer.iter().position(|&(_, step)| step == 1)
    {
        return turned(x, outer, side, (length, step), out);
    }
    let rows = (STRETCH / length).max(1);
    out.par_chunks_mut(rows * length).enumerate().for_each(|(n, out)| {
        let mut index = Index::new(outer, n * rows);
        for to in out.chunks_exact_mut(length) {
            let from = &x[index.place..];
            match step {
                0 => to.fill(from[0]),
                1 => to.copy_from_slice(&from[..length]),
                _ => to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, from)| *to = *from),
            }
            index.next();
        }
    });
}

/// An index over runs, and its place.
pub(super) struct Index<'a> {
    runs: &'a [(usize, usize)],
    index: Vec<usize>,
    place: usize,
}

impl<'a> Index<'a> {
    pub(super) fn new(runs: &'a [(usize, usize)], mut at: usize) -> Self {
        let (mut index, mut place) = (vec![0; runs.len()], 0);
        for (n, &(length, step)) in runs.iter().enumerate().rev() {
            index[n] = at % length;
            place += index[n] * step;
            at /= length;
        }
        Self { runs, index, place }
    }

    pub(super) fn place(&self) -> usize {
        self.place
    }

    #[inline(always)]
    pub(super) fn next(&mut self) {
        for (n, &(length, step)) in self.runs.iter().enumerate().rev() {
            self.index[n] += 1;
            self.place += step;
            if self.index[n] < length {
                return;
            }
            self.index[n] = 0;
            self.place -= length * step;
        }
    }
}

/// Where the values of the run at `side` lie side by side in `x`, and those of the last run in `out`.
fn turned(x: &[f32], outer: &[(usize, usize)], side: usize, (length, step): (usize, usize), out: &mut [f32]) {
    // How far apart in `out` the run's values are.
    let apart: usize = length * outer[side + 1..].iter().map(|&(length, _)| length).product::<usize>();
    let (across, stretches) = (outer[side].0, outer[side].0.div_ceil(LINE));
    let others: Vec<(usize, usize)> = [&outer[..side], &outer[side + 1..]].concat();
    let count: usize = others.iter().map(|&(length, _)| length).product();
    // Of the others' indices, those before the run count rows that are `across` apart.
    let inner: usize = outer[side + 1..].iter().map(|&(length, _)| length).product();
    let out = Shared::new(out);
    (0..count * stretches).into_par_iter().for_each(|task| {
        let (at, first) = (task / stretches, task % stretches * LINE);
        let from = &x[Index::new(&others, at).place + first..];
        let to = (at / inner * across + first) * apart + at % inner * length;
        square(from, step, &out, (to, apart), (across - first).min(LINE), length);
    });
}

/// `rows` values side by side, `columns` times a `step` apart, to rows of `out`.
#[inline(always)]
fn square(from: &[f32], step: usize, out: &Shared, (to, apart): (usize, usize), rows: usize, columns: usize) {
    let (whole_rows, whole_columns) = (rows / 4 * 4, columns / 4 * 4);
    for column in (0..whole_columns).step_by(4) {
        for row in (0..whole_rows).step_by(4) {
            let mut block = [[0.0; 4]; 4];
            for (n, block) in block.iter_mut().enumerate() {
                block.copy_from_slice(&from[(column + n) * step + row..][..4]);
            }
            for (n, values) in transposed(block).into_iter().enumerate() {
                let at = to + (row + n) * apart + column;
                // SAFETY: tasks differ in the row or in the index around it, and one thread has a task.
                unsafe { out.part(at..at + 4) }.copy_from_slice(&values);
            }
        }
    }
    for row in 0..rows {
        let first = if row < whole_rows { whole_columns } else { 0 };
        let at = to + row * apart;
        // SAFETY: as above.
        let out = unsafe { out.part(at + first..at + columns) };
        for (out, column) in out.iter_mut().zip(first..) {
            *out = from[column * step + row];
        }
    }
}
