//! RSM rows as the closed form takes them.

use super::{FEWEST_CONCEPTS, FLAT_ROW, Side, TwoVsTwoError};
use crate::stats::Rsm;

/// An RSM's rows, centred over their k-1 entries off the diagonal, scaled to unit length, 0 on the diagonal.
pub struct UnitRows {
    pub concepts: usize,
    /// `[concepts, concepts]`.
    pub values: Vec<f64>,
    /// `[concepts]`: the entry on the RSM's diagonal, centred and scaled as its row.
    pub diagonal: Vec<f64>,
    /// `[concepts]`: how many times larger the relative rounding errors of the RSM's entries are in the row, the length of the
    /// entries over that of their differences from their mean.
    pub stretches: Vec<f64>,
    /// `[concepts]`: false where the concept is constant; its row and column are 0.
    pub tested: Vec<bool>,
}

impl UnitRows {
    pub fn words(rsm: &Rsm) -> Result<Self, TwoVsTwoError> {
        if rsm.concepts() < FEWEST_CONCEPTS {
            return Err(TwoVsTwoError::TooFewConcepts { concepts: rsm.concepts() });
        }
        if let Some(&concept) = rsm.constant().first() {
            return Err(TwoVsTwoError::ConstantWord { concept });
        }
        Self::normalised(rsm, Side::Words)
    }

    pub fn image(rsm: &Rsm, concepts: usize, index: usize) -> Result<Self, TwoVsTwoError> {
        if rsm.concepts() != concepts {
            return Err(TwoVsTwoError::Concepts { what: "an image RSM", found: rsm.concepts(), expected: concepts });
        }
        Self::normalised(rsm, Side::Image(index))
    }

    fn normalised(rsm: &Rsm, side: Side) -> Result<Self, TwoVsTwoError> {
        let k = rsm.concepts();
        let mut tested = vec![true; k];
        for concept in rsm.constant() {
            tested[concept] = false;
        }
        let (values, diagonal, stretches) = (vec![0.0; k * k], vec![0.0; k], vec![1.0; k]);
        let mut rows = Self { concepts: k, values, diagonal, stretches, tested };
        if rows.pairs() == 0 {
            return Ok(rows);
        }
        let tested = &rows.tested;
        for (a, row) in rows.values.chunks_exact_mut(k).enumerate().filter(|&(a, _)| tested[a]) {
            let others = || (0..k).filter(move |&j| j != a);
            for j in others().filter(|&j| tested[j]) {
                let value = rsm.row(a)[j];
                if !value.is_finite() {
                    return Err(TwoVsTwoError::NotFinite { side, row: a, column: j, value });
                }
                row[j] = value;
            }
            let squares: f64 = row.iter().map(|x| x * x).sum();
            let mean = row.iter().sum::<f64>() / (k - 1) as f64;
            others().for_each(|j| row[j] -= mean);
            let centred: f64 = row.iter().map(|x| x * x).sum();
            if centred <= FLAT_ROW * squares {
                return Err(TwoVsTwoError::FlatRow { side, concept: a });
            }
            let scale = 1.0 / centred.sqrt();
            others().for_each(|j| row[j] *= scale);
            rows.diagonal[a] = (rsm.row(a)[a] - mean) * scale;
            rows.stretches[a] = (squares / centred).sqrt();
        }
        Ok(rows)
    }

    pub fn at(&self, a: usize, b: usize) -> f64 {
        self.values[a * self.concepts + b]
    }

    pub fn row(&self, a: usize) -> &[f64] {
        &self.values[a * self.concepts..(a + 1) * self.concepts]
    }

    /// Whether the pair is in the counts.
    pub fn tests(&self, a: usize, b: usize) -> bool {
        self.tested[a] && self.tested[b]
    }

    /// Number of pairs in the counts.
    pub fn pairs(&self) -> u32 {
        let tested = self.tested.iter().filter(|&&tested| tested).count();
        (tested * tested.saturating_sub(1) / 2) as u32
    }
}
