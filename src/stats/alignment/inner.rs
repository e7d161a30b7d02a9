//! Measures that are inner products of two prepared matrices: every layer of the words against every layer of the images,
//! draw by draw.
//!
//! A layer becomes a symmetric matrix of unit length in which the measure is `sum_ab A[p(a), p(b)] B[a, b]`, of which the
//! entries on and above the diagonal are enough. The images' lie packed, those of the words are looked up draw by draw
//! (`product`). A product costs the same whichever side moves but for the looking up, so where the images have fewer
//! layers these are re-indexed, by the inverse of the draw.

mod product;

use std::ops::Range;

use rayon::prelude::*;

use self::product::{Batch, Packed};
use super::{Gram, Measure, Side, Unvaried};
use crate::stats::inference::Statistic;
use crate::stats::lines::Lines;
use crate::stats::permutation::{Permutations, inverse};
use crate::stats::rsa::{self, Rsa};
use crate::stats::{Interrupted, Progress, Rsm, report};

/// Draws of a batch at least: as many as are multiplied side by side.
const FEWEST: usize = 8;

/// Entries looked up between two questions whether to stop: less than a second's.
const PROMPT: usize = 1 << 29;

/// A measure of all pairs of layers, as one family: the layers of the words one after the other, each with all of the
/// images'.
pub struct InnerTest<'a> {
    concepts: usize,
    /// The side that is re-indexed, `[layers][groups]`, each `[concepts, concepts]`; one group where the words have none:
    /// the mean over the images'.
    moved: Vec<Vec<Vec<f64>>>,
    /// The other side, `[groups]`.
    fixed: Vec<Packed>,
    /// Its layers.
    columns: usize,
    /// Whether the images are re-indexed.
    images_move: bool,
    draws: &'a Permutations,
    /// `[moved layers][fixed layers]`
    observed: Vec<Vec<f64>>,
}

impl<'a> InnerTest<'a> {
    /// Whether a measure is an inner product.
    pub fn takes(measure: Measure) -> bool {
        !matches!(measure, Measure::TwoVsTwo | Measure::RsaKendall | Measure::Mknn | Measure::Cknna)
    }

    /// Prepares the layers of both sides.
    ///
    /// # Errors
    /// A layer without variation, or (RSA) with a concept that has no correlations.
    ///
    /// # Panics
    /// If the measure is none of these, a side has no layer, or they differ in their concepts or groups.
    pub fn new(measure: Measure, words: &[Side], images: &[Side], draws: &'a Permutations) -> Result<Self, Unvaried> {
        let concepts = draws.concepts();
        let prepare = |sides: &[Side], words: bool| -> Result<Vec<Vec<Vec<f64>>>, Unvaried> {
            let all = sides.par_iter().enumerate();
            all.map(|(layer, &side)| prepared(measure, side).ok_or(Unvaried { words, layer })).collect()
        };
        let (words, images) = (prepare(words, true)?, prepare(images, false)?);
        let groups = words[0].len();
        assert!(words.iter().all(|layer| layer.len() == groups), "layers of the same groups");
        assert!(images.iter().all(|layer| layer.len() == images[0].len()), "layers of the same groups");
        assert!(groups == 1 || groups == images[0].len(), "words without groups, or of the images' groups");
        let all = words.iter().chain(&images).flatten();
        assert!(all.into_iter().all(|matrix| matrix.len() == concepts * concepts), "layers of the draws' concepts");
        let share = 1.0 / images[0].len() as f64;
        let images: Vec<Vec<Vec<f64>>> = match groups {
            1 => images.into_iter().map(|layer| vec![mean(&layer)]).collect(),
            _ => images,
        };
        let images_move = images.len() < words.len();
        let (moved, other) = if images_move { (images, words) } else { (words, images) };
        let columns = other.len();
        let weight = if groups == 1 { 1.0 } else { share };
        let fixed = |group: usize| Packed::new(concepts, columns, |layer, at| weight * other[layer][group][at]);
        let fixed = (0..groups).map(fixed).collect();
        let mut test = Self { concepts, moved, fixed, columns, images_move, draws, observed: Vec::new() };
        let identity = Batch::new(vec![draws.draw(0)]);
        let observed = |layer: usize| test.values(layer, &identity).remove(0);
        test.observed = (0..test.moved.len()).into_par_iter().map(observed).collect();
        Ok(test)
    }

    /// The values of a layer that moves with all that do not under some draws, `[draws][fixed layers]`.
    fn values(&self, layer: usize, batch: &Batch) -> Vec<Vec<f64>> {
        let of_block = |block: usize| {
            let mut sums = self.fixed[0].sums(batch);
            for (matrix, fixed) in self.moved[layer].iter().zip(&self.fixed) {
                fixed.add(block, matrix, batch, &mut sums);
            }
            sums
        };
        let mut blocks: Vec<Lines<f64>> = batch.blocks().into_par_iter().map(of_block).collect();
        let mut sums = blocks.remove(0);
        for block in &blocks {
            sums.iter_mut().zip(&**block).for_each(|(sum, part)| *sum += part);
        }
        self.fixed[0].rows(&sums).map(<[f64]>::to_vec).collect()
    }

    /// How far two values are apart that are equal but for rounding: products of entries of unit matrices, of which each
    /// is rounded up to `2 concepts` times, with its row and then row by row, in both. Only draws that are equal by the
    /// matrices' symmetry come so close.
    fn same(&self) -> f64 {
        let concepts = self.concepts as f64;
        (2.0 * concepts).max(concepts * concepts / 8.0) * f64::EPSILON
    }
}

/// The points of the mean over groups; 2^52 resolve what `f64` does. A draw that equals the observed value up to rounding
/// is set equal to it.
///
/// # Cost
/// Per draw and layer of the side with fewer of them, `concepts^2 / 2` entries looked up and as many multiply-adds for
/// each layer of the other side, these in whole vectors; the matrices stay in memory, `8 concepts^2` bytes a layer of
/// the one side (and group, where the words have groups) and half of it a layer of the other, up to a multiple of 8.
impl Statistic for InnerTest<'_> {
    type Error = Interrupted;

    fn whole(&self) -> i64 {
        1 << 52
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Interrupted> {
        let all: Vec<u64> = draws.collect();
        let moves = |&t: &u64| if self.images_move { inverse(&self.draws.draw(t)) } else { self.draws.draw(t) };
        let moved = |batch: &[u64]| Batch::new(batch.iter().map(moves).collect());
        // Sums do not depend on the batch, so few draws are spread over the threads; more a batch are faster.
        let share = (all.len() * self.moved.len()).div_ceil(rayon::current_num_threads()).max(FEWEST);
        let prompt = (PROMPT / self.concepts.pow(2)).max(FEWEST);
        let most = Batch::most(self.concepts).min(share).min(prompt);
        let batches: Vec<Batch> = all.par_chunks(most).map(moved).collect();
        let units = (0..self.moved.len() * batches.len()).into_par_iter();
        let values = units.map(|unit| {
            let batch = &batches[unit % batches.len()];
            let values = self.values(unit / batches.len(), batch);
            report(progress, (batch.draws() * self.columns) as u64).map(|()| values)
        });
        let values: Vec<Vec<Vec<f64>>> = values.collect::<Result<_, _>>()?;
        let same = self.same();
        let points = |words: usize, images: usize| -> Vec<i64> {
            let (layer, column) = if self.images_move { (images, words) } else { (words, images) };
            let observed = self.observed[layer][column];
            let point = |row: &Vec<f64>| {
                let value = if (row[column] - observed).abs() <= same { observed } else { row[column] };
                (value.clamp(-1.0, 1.0) * self.whole() as f64).round() as i64
            };
            values[layer * batches.len()..(layer + 1) * batches.len()].iter().flatten().map(point).collect()
        };
        let (moved, fixed) = (self.moved.len(), self.columns);
        let [words, images] = if self.images_move { [fixed, moved] } else { [moved, fixed] };
        let points = &points;
        Ok((0..words).flat_map(|layer| (0..images).map(move |column| points(layer, column))).collect())
    }
}

/// The mean of a layer's groups.
fn mean(groups: &[Vec<f64>]) -> Vec<f64> {
    let mean = |at: usize| groups.iter().map(|group| group[at]).sum::<f64>() / groups.len() as f64;
    (0..groups[0].len()).map(mean).collect()
}

/// The layer's matrix of each group, of unit length; none where one does not vary.
pub(super) fn prepared(measure: Measure, side: Side) -> Option<Vec<Vec<f64>>> {
    let of_rsm = |rsm: &Rsm| {
        let entries = rsa::upper(rsm);
        if entries.iter().any(|entry| entry.is_nan()) {
            return None;
        }
        let entries = match measure {
            Measure::RsaPearson => Rsa::Pearson.prepare(entries),
            Measure::RsaSpearman => Rsa::Spearman.prepare(entries),
            _ => entries.into_iter().map(|r| 1.0 - r).collect(),
        };
        let mut matrix = rsa::square(&entries, rsm.concepts()).values().to_vec();
        (0..rsm.concepts()).for_each(|a| matrix[a * rsm.concepts() + a] = 0.0);
        unit(matrix, 0.0)
    };
    let of_gram = |gram: &Gram| {
        // Differences of this size are rounding: n sums of the largest entry.
        let largest = gram.values().iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let noise = 4.0 * gram.concepts() as f64 * f64::EPSILON * largest;
        match measure {
            Measure::CkaDebiased => unit(gram.u_centred().values().to_vec(), noise),
            Measure::CkaRbf => unit(gram.rbf()?.centred().values().to_vec(), 0.0),
            _ => unit(gram.centred().values().to_vec(), noise),
        }
    };
    if measure.needs_gram() {
        side.grams.iter().map(of_gram).collect()
    } else {
        debug_assert!(measure.rsa().is_none_or(|rsa| rsa != Rsa::KendallTauA), "tau-a is no inner product");
        side.rsms.iter().map(of_rsm).collect()
    }
}

/// Scaled to unit length; none of a length of `noise`.
fn unit(mut matrix: Vec<f64>, noise: f64) -> Option<Vec<f64>> {
    // First by a power of two, which rounds nothing, so that no square overflows or vanishes.
    let largest = matrix.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let scale = (-largest.log2().floor()).clamp(-1000.0, 1000.0).exp2();
    matrix.iter_mut().for_each(|value| *value *= scale);
    let length = matrix.iter().map(|value| value * value).sum::<f64>().sqrt();
    matrix.iter_mut().for_each(|value| *value /= length);
    (length > noise * scale && length.is_finite()).then_some(matrix)
}
