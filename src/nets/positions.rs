//! Learned positions of a square grid, brought to another one as the networks' authors do.

use crate::images::cubic;

/// How positions are brought from one grid to another: bicubic, a place counted at its centre, in f64 and rounded once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resample {
    /// Places along a side of the grid that files hold.
    pub from: usize,
    /// Places along a side of the grid that is wanted.
    pub to: usize,
    /// By which filter.
    pub filter: Filter,
}

/// Bicubic filters of PyTorch's `interpolate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filter {
    /// a = -0.75 over four places, those beyond the border the last within; `from / (to + offset)` places apart (DINOv2
    /// has an offset of 0.1, which stayed in it from a remedy against rounding).
    Sharp {
        /// Added to the places wanted.
        offset: f64,
    },
    /// a = -0.5, as wide as the reduction, cut at the border (`antialias`).
    Antialias,
}

impl Resample {
    /// `[from * from, dimensions]` to `[to * to, dimensions]`.
    ///
    /// # Panics
    /// If there are other than `from * from` places.
    pub fn apply(&self, places: &[f32], dimensions: usize) -> Vec<f32> {
        let (from, to) = (self.from, self.to);
        assert_eq!(places.len(), from * from * dimensions, "a square grid");
        let weights: Vec<Vec<(usize, f64)>> = (0..to).map(|at| self.weights(at)).collect();
        let mut resampled = Vec::with_capacity(to * to * dimensions);
        for (row, column) in (0..to * to).map(|at| (at / to, at % to)) {
            let mut sums = vec![0.0; dimensions];
            for &(y, of_row) in &weights[row] {
                for &(x, of_column) in &weights[column] {
                    let place = &places[(y * from + x) * dimensions..][..dimensions];
                    sums.iter_mut().zip(place).for_each(|(sum, &p)| *sum += of_row * of_column * f64::from(p));
                }
            }
            resampled.extend(sums.into_iter().map(|sum| sum as f32));
        }
        resampled
    }

    /// The places that make a place along an axis, with their weights.
    fn weights(&self, at: usize) -> Vec<(usize, f64)> {
        let from = self.from as f64;
        match self.filter {
            Filter::Sharp { offset } => {
                let centre = (at as f64 + 0.5) * from / (self.to as f64 + offset) - 0.5;
                let taps = (-1..=2).map(|tap| centre.floor() + f64::from(tap));
                taps.map(|tap| (tap.clamp(0.0, from - 1.0) as usize, cubic(-0.75, tap - centre))).collect()
            }
            Filter::Antialias => {
                let scale = from / self.to as f64;
                let (centre, widening) = ((at as f64 + 0.5) * scale, scale.max(1.0));
                let start = (centre - 2.0 * widening + 0.5).max(0.0) as usize;
                let end = ((centre + 2.0 * widening + 0.5) as usize).min(self.from);
                let weight = |place: usize| cubic(-0.5, (place as f64 - centre + 0.5) / widening);
                let sum: f64 = (start..end).map(weight).sum();
                (start..end).map(|place| (place, weight(place) / sum)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grid_of_the_same_size_and_a_constant_stay() {
        let places: Vec<f32> = (0..18).map(|n| n as f32).collect();
        for filter in [Filter::Sharp { offset: 0.0 }, Filter::Antialias] {
            assert_eq!(Resample { from: 3, to: 3, filter }.apply(&places, 2), places);
        }
        for filter in [Filter::Sharp { offset: 0.1 }, Filter::Antialias] {
            for value in (Resample { from: 37, to: 16, filter }).apply(&[2.5; 37 * 37], 1) {
                assert!((value - 2.5).abs() <= 2.5 * f32::EPSILON, "{filter:?}: {value}");
            }
        }
    }
}
