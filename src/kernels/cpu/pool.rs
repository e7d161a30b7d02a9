//! Poolings, channel by channel: down the columns of a band of rows, then along it.

use rayon::prelude::*;

use super::Window;
use super::lanes::every_second;

/// The largest value of each window of every channel, `[.., height, width]`; NaN wins. Beyond the border is nothing.
pub fn max_pool(x: &[f32], input: [usize; 2], window: Window, out: &mut [f32]) {
    let larger = |a: f32, b: f32| if b > a || b.is_nan() { b } else { a };
    pool(x, input, window, f32::NEG_INFINITY, larger, |_, _, x| x, out);
}

/// The mean of each window of every channel, `[.., height, width]`: over what is there, or with `zeros` over the whole
/// window.
pub fn average_pool(x: &[f32], input: [usize; 2], window: Window, zeros: bool, out: &mut [f32]) {
    let within = |axis: usize, place: usize| {
        let tap = |tap: usize| place * window.stride[axis] + tap * window.dilation[axis];
        let (before, size) = (window.padding[axis].0, input[axis]);
        (0..window.size[axis]).filter(|&n| zeros || (before..before + size).contains(&tap(n))).count() as f32
    };
    let output = window.output(input);
    let counts: [Vec<f32>; 2] = [0, 1].map(|axis| (0..output[axis]).map(|place| within(axis, place)).collect());
    pool(x, input, window, 0.0, |a, b| a + b, |y, x, sum| sum / (counts[0][y] * counts[1][x]), out);
}

/// Folds every window from `nothing` on: its rows first, then its columns; `finish` gets the output's place.
fn pool(
    x: &[f32],
    input: [usize; 2],
    window: Window,
    nothing: f32,
    fold: impl Fn(f32, f32) -> f32 + Copy + Sync,
    finish: impl Fn(usize, usize, f32) -> f32 + Copy + Sync,
    out: &mut [f32],
) {
    let [height, width] = input;
    let Window { size, stride, padding, dilation } = window;
    let [rows, columns] = window.output(input);
    assert_eq!(x.len() * rows * columns, out.len() * height * width, "as many channels");
    let before = padding[1].0;
    let reach = before + width + padding[1].1;
    let simd = pulp::Arch::new();
    let planes = out.par_chunks_exact_mut(rows * columns).zip(x.par_chunks_exact(height * width));
    planes.for_each_init(
        || (vec![nothing; reach], vec![nothing; columns]),
        |(band, seen), (pooled, plane)| {
            simd.dispatch(
                #[inline(always)]
                || {
                    for (y, pooled) in pooled.chunks_exact_mut(columns).enumerate() {
                        let inner = &mut band[before..before + width];
                        inner.fill(nothing);
                        for tap in 0..size[0] {
                            let Some(line) = (y * stride[0] + tap * dilation[0]).checked_sub(padding[0].0) else {
                                continue;
                            };
                            let Some(line) = plane.get(line * width..(line + 1) * width) else { continue };
                            inner.iter_mut().zip(line).for_each(|(folded, &value)| *folded = fold(*folded, value));
                        }
                        pooled.fill(nothing);
                        for tap in 0..size[1] {
                            let band = &band[tap * dilation[1]..];
                            let seen = match stride[1] {
                                1 => &band[..columns],
                                2 => {
                                    every_second(seen, band);
                                    &*seen
                                }
                                step => {
                                    seen.iter_mut().zip(band.iter().step_by(step)).for_each(|(to, &from)| *to = from);
                                    &*seen
                                }
                            };
                            pooled.iter_mut().zip(seen).for_each(|(pooled, &value)| *pooled = fold(*pooled, value));
                        }
                        for (x, pooled) in pooled.iter_mut().enumerate() {
                            *pooled = finish(y, x, *pooled);
                        }
                    }
                },
            );
        },
    );
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
