//! The products of a layer's residuals on the CPU, in single precision.

use std::ops::Range;

use super::Moments;
use super::frame::{Frame, sampled};
use super::gram::{Source, chunk, gram, pitch};

/// A sample of the `rows` (images), `[images, sampled units]`.
pub(super) fn sample(rows: &[&[f32]]) -> Vec<f32> {
    let mut sample = Vec::new();
    for row in rows {
        sampled(row.len()).for_each(|run| sample.extend_from_slice(&row[run]));
    }
    sample
}

/// Sums of the `rows` (images), of equal length, in `frame`.
pub(super) fn moments(rows: &[&[f32]], frame: Frame) -> Moments {
    let units = rows[0].len();
    let products = gram(rows.len() + 2, units, &Residuals { rows, frame: &frame });
    Moments::new(units, frame, products)
}

/// The residuals of all images; behind them `m` and a row of ones.
struct Residuals<'a> {
    rows: &'a [&'a [f32]],
    frame: &'a Frame,
}

impl Source<f32> for Residuals<'_> {
    fn fill(&self, units: Range<usize>, values: &mut [f32]) {
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || self.set(units, values),
        );
    }
}

impl Residuals<'_> {
    #[inline(always)]
    fn set(&self, units: Range<usize>, values: &mut [f32]) {
        let Self { rows, frame } = self;
        let mut common = [0.0; chunk::<f32>()];
        let common = &mut common[..units.len()];
        frame.mean(|i| &rows[i][units.clone()], common);
        let mut values = values.chunks_exact_mut(pitch::<f32>());
        for (i, (row, values)) in rows.iter().zip(&mut values).enumerate() {
            let (shift, contrast, offset) = (frame.shifts[i], frame.contrasts[i], frame.offsets[i]);
            for ((e, x), m) in values.iter_mut().zip(&row[units.clone()]).zip(&*common) {
                *e = ((x - shift) - contrast * m) - offset;
            }
        }
        let mut next = || values.next().expect("two rows more than images");
        next()[..units.len()].copy_from_slice(common);
        next()[..units.len()].fill(1.0);
    }
}
