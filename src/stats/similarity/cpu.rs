//! The product sums on the CPU: matrix products over cache-sized chunks of units, for one triangle only.

use rayon::prelude::*;

use super::Moments;
use crate::kernels::product::{Matrix, multiply};

/// Units summed in f32 by one matrix product, then added in f64. The rounding error of such a sum, a random walk of
/// `u/3 sqrt(CHUNK)` (u = 2^-24), is 4e-7 of it, and falls with the square root of the number of chunks.
const CHUNK: usize = 512;

/// Units shifted at a time: longer runs of a row come faster from memory, more would not stay in a core's cache.
const STRETCH: usize = 2 * CHUNK;

/// Distance of shifted rows: not a power of two, so that a column's entries lie in different sets of the cache.
const PITCH: usize = STRETCH + 16;

/// Images of a matrix product; it takes those from its own first on as partners. Measured: 16 of 16 to 167 is fastest.
const BLOCK: usize = 16;

/// Segments of a layer that are summed apart. Fixed, and added in order: the bits do not depend on the threads.
const SEGMENTS: usize = 64;

/// Units of the sample that a shift is the mean of, in runs of [`RUN`].
const SAMPLE: usize = 1024;
const RUN: usize = 16;

/// Sums of the `rows` (images), of equal length, less `shifts`, or less their sampled means.
pub(super) fn moments(rows: &[&[f32]], shifts: Option<&[f32]>) -> Moments {
    let units = rows[0].len();
    let shifts = match shifts {
        Some(shifts) => shifts.to_vec(),
        None => rows.par_iter().map(|row| sampled_mean(row)).collect(),
    };
    let segment = units.div_ceil(SEGMENTS).next_multiple_of(STRETCH);
    let starts: Vec<usize> = (0..units).step_by(segment).collect();
    let mut products = vec![0.0; (rows.len() + 1).pow(2)];
    // As many at a time as there are threads, so that memory does not grow with the layer.
    let mut sums: Vec<Sums> =
        (0..rayon::current_num_threads().min(starts.len())).map(|_| Sums::new(rows.len())).collect();
    for wave in starts.chunks(sums.len()) {
        let segments = sums.par_iter_mut().zip(wave);
        segments.for_each(|(sums, &start)| sums.set(rows, &shifts, start, units.min(start + segment)));
        for sums in &sums[..wave.len()] {
            products.iter_mut().zip(&sums.total).for_each(|(product, x)| *product += x);
        }
    }
    Moments { units, shifts, products }
}

/// The mean of a sample of the row, in an odd stride of runs: in step with no layer's rows or channels.
fn sampled_mean(row: &[f32]) -> f32 {
    let sample = || row.chunks(RUN).step_by((row.len() / SAMPLE) | 1).flatten();
    let sum: f64 = sample().map(|&x| f64::from(x)).sum();
    (sum / sample().count() as f64) as f32
}

/// The sums of a segment, with the space to form them.
struct Sums {
    /// Images and the row of ones.
    rows: usize,
    /// `[rows, PITCH]`.
    shifted: Vec<f32>,
    /// `[rows, rows]`, lower triangle: of one chunk, and of the segment.
    products: Vec<f32>,
    total: Vec<f64>,
}

impl Sums {
    fn new(images: usize) -> Self {
        let rows = images + 1;
        let (products, total) = (vec![0.0; rows * rows], vec![0.0; rows * rows]);
        Self { rows, shifted: vec![1.0; rows * PITCH], products, total }
    }

    /// Sums over the units `start..end`.
    fn set(&mut self, images: &[&[f32]], shifts: &[f32], start: usize, end: usize) {
        self.total.fill(0.0);
        for start in (start..end).step_by(STRETCH) {
            let units = start..end.min(start + STRETCH);
            for ((image, shift), shifted) in images.iter().zip(shifts).zip(self.shifted.chunks_exact_mut(PITCH)) {
                shifted.iter_mut().zip(&image[units.clone()]).for_each(|(d, x)| *d = x - shift);
            }
            for chunk in (0..units.len()).step_by(CHUNK) {
                self.multiply(chunk, CHUNK.min(units.len() - chunk));
                for i in 0..self.rows {
                    let row = i * self.rows..i * self.rows + i + 1;
                    let products = &self.products[row.clone()];
                    self.total[row].iter_mut().zip(products).for_each(|(total, &x)| *total += f64::from(x));
                }
            }
        }
    }

    /// Products of the shifted rows over the units `start..start + units`, at least the lower triangle.
    fn multiply(&mut self, start: usize, units: usize) {
        let rows = self.rows;
        for first in (0..rows).step_by(BLOCK) {
            let columns = BLOCK.min(rows - first);
            let shifted = Matrix::rows(&self.shifted[first * PITCH + start..], PITCH);
            let products = (&mut self.products[first * rows + first..], rows);
            multiply([rows - first, columns, units], products, shifted, shifted.turned(), false);
        }
    }
}
