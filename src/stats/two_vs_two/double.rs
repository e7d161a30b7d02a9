//! The test of one draw in f64, for words that are another matrix in every draw: nothing of them can be kept, all of the
//! images can.
//!
//! With `w = r(A)`, `v = r(B)` of the closed form, `z[a,b] = B[b,a] v[b,a] / n - c B[a,b] v[a,b]` and
//! `T[a,b] = w[a,b] (M[a,a] v[a,b] - M[a,b] v[b,a] + A[a,b] z[a,b])`, the margin is `T[a,b] + T[b,a]`.

use super::rows::UnitRows;
use super::{FLAT_REST, TIE, TwoVsTwoError};
use crate::kernels::product::{Matrix, multiply};
use crate::stats::Rsm;
use crate::stats::scoring::{Outcome, Ties};

/// One side: its rows `A` and their weights `r(A)`, `[concepts, concepts]` each.
pub struct Side {
    concepts: usize,
    rows: Vec<f64>,
    weights: Vec<f64>,
}

/// The image side, and what of it is the same in every draw.
pub struct Image {
    side: Side,
    /// v transposed.
    turned: Vec<f64>,
    /// z.
    mixed: Vec<f64>,
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

    fn of(UnitRows { concepts, values: rows, .. }: UnitRows) -> Self {
        let c = 1.0 + 1.0 / (concepts - 2) as f64;
        let weight = |x: &f64| {
            let rest = 1.0 - c * x * x;
            if rest <= FLAT_REST { 0.0 } else { rest.sqrt().recip() }
        };
        let weights = rows.iter().map(weight).collect();
        Self { concepts, rows, weights }
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
}

impl Image {
    /// # Errors
    /// As [`Side::new`].
    pub fn new(rsm: &Rsm) -> Result<Self, TwoVsTwoError> {
        let side = Side::new(rsm)?;
        let k = side.concepts;
        let n = (k - 2) as f64;
        let places = || (0..k).flat_map(|a| (0..k).map(move |b| (a * k + b, b * k + a)));
        let (b, v) = (&side.rows, &side.weights);
        let turned = places().map(|(_, ba)| v[ba]).collect();
        let mixed = places().map(|(ab, ba)| b[ba] * v[ba] / n - (1.0 + 1.0 / n) * b[ab] * v[ab]).collect();
        Ok(Self { side, turned, mixed })
    }

    /// The half-points of all pairs against `words` of the same concepts.
    pub fn half_points(&self, words: &Side, ties: Ties) -> u64 {
        let k = self.side.concepts;
        let mut sums = vec![0.0; k * k];
        let [left, right] = [&words.rows, &self.side.rows].map(|rows| Matrix::rows(rows, k));
        multiply([k; 3], (&mut sums, k), left, right.turned(), false);
        // The products become T, in place.
        for (a, row) in sums.chunks_exact_mut(k).enumerate() {
            let own = row[a];
            let all = a * k..(a + 1) * k;
            let weights = words.weights[all.clone()].iter().zip(&words.rows[all.clone()]);
            let image = self.side.weights[all.clone()].iter().zip(&self.turned[all.clone()]).zip(&self.mixed[all]);
            for ((m, (w, x)), ((v, u), z)) in row.iter_mut().zip(weights).zip(image) {
                *m = w * (own * v - *m * u + x * z);
            }
        }
        let pairs = (0..k).flat_map(|a| (a + 1..k).map(move |b| (a * k + b, b * k + a)));
        pairs.map(|(ab, ba)| self.outcome(words, ab, ba, sums[ab] + sums[ba]).half_points(ties)).sum()
    }

    fn outcome(&self, words: &Side, ab: usize, ba: usize, margin: f64) -> Outcome {
        let v = &self.side.weights;
        if margin.abs() <= TIE * (words.weights[ab] + words.weights[ba]) * (v[ab] + v[ba]) {
            Outcome::Tie
        } else if margin > 0.0 {
            Outcome::Passed
        } else {
            Outcome::Lost
        }
    }
}
