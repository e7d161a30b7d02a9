//! Correlations in double precision: of vectors that are short, are whole numbers, or pass in parts.

use std::ops::Range;

use rayon::prelude::*;

use super::gram::{Source, gram, pitch};
use super::streamed::Standard;
use super::{SimilarityError, correlations};
use crate::stats::Rsm;
use crate::stats::alignment::Scales;

/// The RSM and the scales of rows (vectors) of equal length.
pub(super) fn reduced(rows: &[&[f32]]) -> Result<(Rsm, Scales), SimilarityError> {
    let standards: Vec<Standard> = rows.par_iter().map(|row| Standard::of(row)).collect();
    if let Some(image) = standards.iter().position(|standard| !standard.is_finite()) {
        return Err(SimilarityError::NotFinite { image });
    }
    let mut sums = Sums::new(rows.len());
    sums.add(rows[0].len(), |i, first, scores| {
        let standard = &standards[i];
        scores.iter_mut().zip(&rows[i][first..]).for_each(|(score, &x)| *score = standard.score(f64::from(x)));
    });
    Ok((sums.rsm(|i| standards[i].is_constant(false)), Scales::of(&standards)))
}

/// Whether all values are whole numbers: sums of their products are then exact in f64 (but of very large ones).
pub(super) fn are_whole(rows: &[&[f32]]) -> bool {
    rows.iter().all(|row| row.iter().all(|x| x.fract() == 0.0))
}

/// Sums of the products of scores over the units that have passed.
pub(super) struct Sums {
    concepts: usize,
    units: usize,
    /// `[concepts + 1, concepts + 1]`, lower triangle; the last row, of a vector of ones, holds sums.
    products: Vec<f64>,
}

impl Sums {
    pub(super) fn new(concepts: usize) -> Self {
        Self { concepts, units: 0, products: vec![0.0; (concepts + 1).pow(2)] }
    }

    /// Adds `units` more; `fill` writes those of a concept from a first one on.
    pub(super) fn add(&mut self, units: usize, fill: impl Fn(usize, usize, &mut [f64]) + Sync) {
        let products = gram(self.concepts + 1, units, &Scores(fill));
        self.units += units;
        self.products.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
    }

    pub(super) fn concepts(&self) -> usize {
        self.concepts
    }

    pub(super) fn units(&self) -> usize {
        self.units
    }

    /// The correlations, NaN where a vector `is_constant`.
    pub(super) fn rsm(&self, is_constant: impl Fn(usize) -> bool) -> Rsm {
        let (units, rows) = (self.units as f64, self.concepts + 1);
        let sum = |i: usize| self.products[self.concepts * rows + i];
        let covariance = |i: usize, j: usize| minus(units, self.products[i * rows + j], sum(i), sum(j));
        correlations(self.concepts, covariance, is_constant)
    }
}

/// Scores of every concept; behind them a row of ones.
struct Scores<F>(F);

impl<F: Fn(usize, usize, &mut [f64]) + Sync> Source<f64> for Scores<F> {
    fn fill(&self, units: Range<usize>, values: &mut [f64]) {
        let concepts = values.len() / pitch::<f64>() - 1;
        for (i, values) in values.chunks_exact_mut(pitch::<f64>()).enumerate() {
            let values = &mut values[..units.len()];
            if i < concepts { self.0(i, units.start, values) } else { values.fill(1.0) }
        }
    }
}

/// `a b - c d`, its rounding errors included (Kahan): of whole numbers it is the exact result, rounded.
fn minus(a: f64, b: f64, c: f64, d: f64) -> f64 {
    let product = c * d;
    let error = f64::mul_add(-c, d, product);
    f64::mul_add(a, b, -product) + error
}
