//! RSMs of vectors that are too long to be held at once: features that another program wrote.
//!
//! A first pass takes each vector's mean and standard deviation ([`Standard`]); a second one hands over the standardised
//! values, some units of all vectors at a time ([`Streamed`]). Everything is f64.

use super::CONSTANT_VARIANCE;
use super::double::Sums;
use super::frame::sum;
use crate::stats::Rsm;

/// [`CONSTANT_VARIANCE`] of vectors of f64: `(4 u)^2` with `u = 2^-53`.
const CONSTANT_VARIANCE_F64: f64 = 1.0 / (1_u128 << 102) as f64;

/// Whole numbers up to here have no rounding errors in f64.
const LARGEST_WHOLE: f64 = (1_u64 << 53) as f64;

/// Mean and variance of a vector whose values pass in parts.
///
/// Each part's mean and sum of squared differences are taken in two passes and merged (Chan, Golub & LeVeque 1979), so
/// nothing cancels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standard {
    count: f64,
    mean: f64,
    squares: f64,
    /// The largest absolute value, infinite once a value is no whole number.
    whole: f64,
}

impl Standard {
    /// Of a vector in memory.
    pub(super) fn of(row: &[f32]) -> Self {
        let mut standard = Self::default();
        let mut part = [0.0; 4096];
        for row in row.chunks(part.len()) {
            part.iter_mut().zip(row).for_each(|(part, &x)| *part = f64::from(x));
            standard.add(&part[..row.len()]);
        }
        standard
    }

    /// The next values.
    pub fn add(&mut self, values: &[f64]) {
        if values.is_empty() {
            return;
        }
        let count = values.len() as f64;
        let mean = sum(values, |value| value) / count;
        // The rounding of a long sum would be all the variance of equal values.
        let mean = mean + sum(values, |value| value - mean) / count;
        let squares = sum(values, |value| (value - mean) * (value - mean));
        let (total, apart) = (self.count + count, mean - self.mean);
        self.squares += squares + apart * apart * self.count * count / total;
        self.mean += apart * count / total;
        self.count = total;
        if self.whole.is_finite() {
            let whole =
                |largest: f64, value: &f64| if value.fract() == 0.0 { largest.max(value.abs()) } else { f64::INFINITY };
            self.whole = values.iter().fold(self.whole, whole);
        }
    }

    /// The mean of the values so far.
    pub(in crate::stats) fn mean(&self) -> f64 {
        self.mean
    }

    /// Their standard deviation, divided by their number.
    pub(in crate::stats) fn deviation(&self) -> f64 {
        (self.squares / self.count).sqrt()
    }

    /// How many there were.
    pub(in crate::stats) fn count(&self) -> usize {
        self.count as usize
    }

    /// Whether all values were finite and their squares too.
    pub fn is_finite(&self) -> bool {
        self.squares.is_finite()
    }

    /// Whether the values differ by no more than the rounding of their type, f64 (`double`) or f32: there is no
    /// correlation.
    pub fn is_constant(&self, double: bool) -> bool {
        let limit = if double { CONSTANT_VARIANCE_F64 } else { CONSTANT_VARIANCE };
        self.squares / self.count <= limit * self.mean * self.mean
    }

    /// `value` less the mean, in standard deviations; whole numbers less a whole number near the mean, so that sums of
    /// their products have no rounding errors.
    pub fn score(&self, value: f64) -> f64 {
        // A difference is at most twice the largest value.
        if 4.0 * self.whole * self.whole * self.count <= LARGEST_WHOLE {
            value - self.mean.round()
        } else {
            (value - self.mean) / (self.squares / self.count).sqrt()
        }
    }
}

/// Sums of products over the units that have passed.
pub struct Streamed(Sums);

impl Streamed {
    /// Of so many vectors.
    pub fn new(concepts: usize) -> Self {
        Self(Sums::new(concepts))
    }

    /// Adds some units of all vectors, standardised by [`Standard::score`].
    ///
    /// # Shapes
    /// `[concepts, units]`, row-major.
    ///
    /// # Panics
    /// If there are no units, or not as many of each concept.
    pub fn add(&mut self, scores: &[f64], units: usize) {
        assert!(units > 0 && scores.len() == self.0.concepts() * units, "units of each concept");
        self.0.add(units, |i, first, out| out.copy_from_slice(&scores[i * units + first..][..out.len()]));
    }

    /// The correlations, NaN where a vector `is_constant`.
    ///
    /// # Panics
    /// If no unit has passed.
    pub fn finish(self, is_constant: impl Fn(usize) -> bool) -> Rsm {
        assert!(self.0.units() > 0, "an RSM needs units");
        self.0.rsm(is_constant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(concept: usize, unit: usize) -> f64 {
        let noise = (concept * 7919 + unit * 104_729) % 1009;
        (unit % 17) as f64 + noise as f64 / 300.0
    }

    #[test]
    fn chunks_add_up_to_the_reference_far_from_zero_and_at_any_scale() {
        let (concepts, units) = (7, 3001);
        let rows: Vec<Vec<f64>> = (0..concepts).map(|c| (0..units).map(|u| values(c, u)).collect()).collect();
        // The definition, in f64.
        let correlation = |x: &[f64], y: &[f64]| {
            let mean = |x: &[f64]| x.iter().sum::<f64>() / units as f64;
            let (a, b) = (mean(x), mean(y));
            let product = |(x, a): (&[f64], f64), (y, b): (&[f64], f64)| -> f64 {
                x.iter().zip(y).map(|(x, y)| (x - a) * (y - b)).sum()
            };
            product((x, a), (y, b)) / (product((x, a), (x, a)) * product((y, b), (y, b))).sqrt()
        };
        let reference: Vec<f64> = rows.iter().flat_map(|x| rows.iter().map(|y| correlation(x, y))).collect();
        for (shift, scale) in [(0.0, 1.0), (1e6, 1.0), (-3.0, 1e-20), (0.0, 1e25)] {
            let rows: Vec<Vec<f64>> =
                rows.iter().map(|row| row.iter().map(|x| scale * (x + shift)).collect()).collect();
            let standards: Vec<Standard> = rows
                .iter()
                .map(|row| {
                    let mut standard = Standard::default();
                    row.chunks(1000).for_each(|part| standard.add(part));
                    standard
                })
                .collect();
            let mut streamed = Streamed::new(concepts);
            for first in (0..units).step_by(1024) {
                let end = units.min(first + 1024);
                let rows = rows.iter().zip(&standards);
                let scores: Vec<f64> =
                    rows.flat_map(|(row, standard)| row[first..end].iter().map(|&x| standard.score(x))).collect();
                streamed.add(&scores, end - first);
            }
            // Values of size 1 at 1e6 are rounded by 1e-10.
            let close = if shift == 1e6 { 1e-10 } else { 1e-14 };
            let rsm = streamed.finish(|_| false);
            for (found, expected) in rsm.values().iter().zip(&reference) {
                assert!((found - expected).abs() < close, "{found}, expected {expected} at {shift}, {scale}");
            }
        }
    }

    #[test]
    fn constant_to_the_rounding_of_the_type() {
        let standard = |values: &[f64]| {
            let mut standard = Standard::default();
            values.iter().for_each(|&value| standard.add(&[value]));
            standard
        };
        let spread = standard(&[1.0, 1.0 + 1e-9, 1.0, 1.0 - 1e-9]);
        assert!(spread.is_constant(false) && !spread.is_constant(true));
        assert!(standard(&[0.1; 1000]).is_constant(true));
        for value in [0.1, -0.3, 1.0 / 3.0, 1e-100] {
            let mut standard = Standard::default();
            [3000, 4096, 20_000].into_iter().for_each(|units| standard.add(&vec![value; units]));
            assert!(standard.is_constant(true), "{value}: {standard:?}");
        }
        assert!(standard(&[0.0; 3]).is_constant(true));
        assert!(!standard(&[1.0, f64::NAN]).is_finite() && !standard(&[f64::INFINITY, 0.0]).is_finite());
    }
}
