//! Rows in f64, pair by pair.

use super::rows::UnitRows;
use super::{TwoVsTwoError, weight};
use crate::stats::Rsm;

/// One side: its rows `A` and their weights `r(A)`, `[concepts, concepts]` each, and how many times larger the rounding errors of
/// the RSM's entries are in its rows.
pub struct Side {
    concepts: usize,
    rows: Vec<f64>,
    weights: Vec<f64>,
    stretches: Vec<f64>,
}

impl Side {
    /// # Errors
    /// Too few concepts, an entry that is not finite, a concept that is equally similar to all others.
    pub fn new(rsm: &Rsm) -> Result<Self, TwoVsTwoError> {
        Ok(Self::of(UnitRows::words(rsm)?))
    }

    /// Of an image RSM: the rows and columns of constant images are 0.
    ///
    /// # Errors
    /// As [`Side::new`].
    pub fn masked(rsm: &Rsm) -> Result<Self, TwoVsTwoError> {
        Ok(Self::of(UnitRows::image(rsm, rsm.concepts(), 0)?))
    }

    fn of(UnitRows { concepts, values: rows, stretches, .. }: UnitRows) -> Self {
        let c = 1.0 + 1.0 / (concepts - 2) as f64;
        let weights = rows.iter().map(|&x| weight(c, x)).collect();
        Self { concepts, rows, weights, stretches }
    }

    /// The row of concept `a` without the columns a and b, at mean 0 and length 1, into `row`, `[concepts]`; 0 in these
    /// columns, and everywhere if it does not vary there.
    pub fn without(&self, a: usize, b: usize, row: &mut [f64]) {
        let k = self.concepts;
        let (own, weight) = (&self.rows[a * k..(a + 1) * k], self.weights[a * k + b]);
        // The entries sum to 0, so those that are left to -A[a,b].
        let shift = own[b] / (k - 2) as f64;
        row.iter_mut().zip(own).for_each(|(x, own)| *x = (own + shift) * weight);
        (row[a], row[b]) = (0.0, 0.0);
    }

    /// The weights of the pair's two rows added up, and the same with what rounding errors of the RSM's entries become in them.
    pub fn weights(&self, a: usize, b: usize) -> [f64; 2] {
        let rows =
            [(a, b), (b, a)].map(|(own, other)| (self.weights[own * self.concepts + other], self.stretches[own]));
        [rows.iter().map(|(weight, _)| weight).sum(), rows.iter().map(|(weight, stretch)| weight * stretch).sum()]
    }
}
