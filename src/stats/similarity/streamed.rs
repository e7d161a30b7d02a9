//! RSMs of vectors that are too long, or too precise, to be held at once as f32: features that another program wrote.
//!
//! A first pass takes each vector's mean and standard deviation in f64 ([`Standard`]); a second one hands over the
//! standardised values, some units of all vectors at a time ([`Streamed`]). Correlations do not change by it, and f32
//! holds the differences from the mean however far from 0 the values are.

use burn::tensor::Tensor;

use super::{CONSTANT_VARIANCE, Moments, SimilarityError, correlations, measured};
use crate::stats::Rsm;

/// [`CONSTANT_VARIANCE`] of vectors of f64: `(4 u)^2` with `u = 2^-53`.
const CONSTANT_VARIANCE_F64: f64 = 1.0 / (1_u128 << 102) as f64;

/// Mean and variance of a vector whose values pass in parts.
///
/// Each part's mean and sum of squared differences are taken in two passes and merged (Chan, Golub & LeVeque 1979), so
/// nothing cancels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standard {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Standard {
    /// The next values.
    pub fn add(&mut self, values: &[f64]) {
        if values.is_empty() {
            return;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let (total, apart) = (self.count + count, mean - self.mean);
        self.squares += squares + apart * apart * self.count * count / total;
        self.mean += apart * count / total;
        self.count = total;
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

    /// `value` less the mean, in standard deviations.
    pub fn score(&self, value: f64) -> f32 {
        ((value - self.mean) / (self.squares / self.count).sqrt()) as f32
    }
}

/// Sums of products over the units that have passed.
pub struct Streamed(Moments);

impl Streamed {
    /// Of so many vectors.
    pub fn new(concepts: usize) -> Self {
        Self(Moments { units: 0, shifts: vec![0.0; concepts], products: vec![0.0; (concepts + 1).pow(2)] })
    }

    /// Adds some units of all vectors, standardised by [`Standard::score`].
    ///
    /// # Shapes
    /// `[concepts, units]`, f32, on any device.
    ///
    /// # Errors
    /// [`SimilarityError::TooManyConcepts`], or the device fails.
    ///
    /// # Panics
    /// If there are other than the announced number of concepts, or no units.
    pub fn add(&mut self, units: Tensor<2>) -> Result<(), SimilarityError> {
        let Self(sums) = self;
        assert_eq!(units.dims()[0], sums.shifts.len(), "concepts of the chunk");
        let moments = measured(&[units], |measure| measure(Some(&sums.shifts)))?;
        sums.units += moments.units;
        sums.products.iter_mut().zip(&moments.products).for_each(|(sum, product)| *sum += product);
        Ok(())
    }

    /// The correlations.
    ///
    /// # Panics
    /// If no unit has passed.
    pub fn finish(self) -> Rsm {
        assert!(self.0.units > 0, "an RSM needs units");
        correlations(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::super::rsm_reference;
    use super::*;
    use crate::kernels::gpu::test_device;

    /// f32 scores round by 6e-8 of a standard deviation; a sum of n products of them by that over the root of n.
    const CLOSE: f64 = 1e-7;

    fn values(concept: usize, unit: usize) -> f64 {
        let noise = (concept * 7919 + unit * 104_729) % 1009;
        (unit % 17) as f64 + noise as f64 / 300.0
    }

    #[test]
    fn chunks_add_up_to_the_reference_far_from_zero_and_at_any_scale() {
        let (concepts, units) = (7, 3001);
        let rows: Vec<Vec<f64>> = (0..concepts).map(|c| (0..units).map(|u| values(c, u)).collect()).collect();
        let single: Vec<Vec<f32>> = rows.iter().map(|row| row.iter().map(|&x| x as f32).collect()).collect();
        let reference = rsm_reference(&single.iter().map(Vec::as_slice).collect::<Vec<_>>());
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
            for device in [Device::flex()].into_iter().chain(test_device()) {
                let mut streamed = Streamed::new(concepts);
                for first in (0..units).step_by(1024) {
                    let end = units.min(first + 1024);
                    let scores: Vec<f32> = rows
                        .iter()
                        .zip(&standards)
                        .flat_map(|(row, standard)| row[first..end].iter().map(|&x| standard.score(x)))
                        .collect();
                    let chunk = TensorData::new(scores, [concepts, end - first]);
                    streamed.add(Tensor::from_data(chunk, &device)).unwrap();
                }
                let rsm = streamed.finish();
                for (found, expected) in rsm.values().iter().zip(reference.values()) {
                    assert!((found - expected).abs() < CLOSE, "{found}, expected {expected} at {shift}, {scale}");
                }
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
        assert!(standard(&[0.0; 3]).is_constant(true));
        assert!(!standard(&[1.0, f64::NAN]).is_finite() && !standard(&[f64::INFINITY, 0.0]).is_finite());
    }
}
