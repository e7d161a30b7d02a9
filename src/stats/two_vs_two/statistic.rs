//! The 2 vs. 2 accuracy as a statistic of a family of layers.

use std::ops::Range;

use burn::tensor::Device;

use super::{TwoVsTwoError, two_vs_two};
use crate::stats::inference::Statistic;
use crate::stats::permutation::Permutations;
use crate::stats::scoring::Ties;
use crate::stats::{Progress, Rsm};

/// Every layer's accuracy (mean over groups) against a word model, in half-points summed over the groups.
pub struct TwoVsTwoTest<'a> {
    words: &'a Rsm,
    /// `[layers, groups]`
    images: Vec<&'a Rsm>,
    layers: usize,
    draws: &'a Permutations,
    ties: Ties,
    device: &'a Device,
}

impl<'a> TwoVsTwoTest<'a> {
    /// `layers[l]` holds the layer's RSM of each group. Draws re-order the words; the counting runs on `device`.
    ///
    /// # Panics
    /// If the layers differ in their groups.
    pub fn new(words: &'a Rsm, layers: &[&'a [Rsm]], draws: &'a Permutations, ties: Ties, device: &'a Device) -> Self {
        assert!(layers.windows(2).all(|pair| pair[0].len() == pair[1].len()), "layers of the same groups");
        let images = layers.iter().copied().flatten().collect();
        Self { words, images, layers: layers.len(), draws, ties, device }
    }

    fn groups(&self) -> usize {
        self.images.len() / self.layers.max(1)
    }
}

impl Statistic for TwoVsTwoTest<'_> {
    type Error = TwoVsTwoError;

    fn whole(&self) -> i64 {
        let concepts = self.words.concepts();
        (concepts * (concepts - 1) * self.groups()) as i64
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, TwoVsTwoError> {
        let table = two_vs_two(self.words, &self.images, self.draws, draws.clone(), self.device, progress)?;
        let point = |t, layer| {
            let images = layer * self.groups()..(layer + 1) * self.groups();
            images.map(|image| table.half_points(t, image, self.ties)).sum::<u64>() as i64
        };
        Ok((0..self.layers).map(|layer| draws.clone().map(|t| point(t, layer)).collect()).collect())
    }
}
