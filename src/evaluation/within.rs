//! Within a side: word model against word model, layer against layer.

use std::slice::from_ref;

use rayon::prelude::*;

use super::{Evaluation, Words};
use crate::error::Error;
use crate::results::{LayersRow, WordsRow};
use crate::stats::inference::{self, Rule};
use crate::stats::rsa::{self, Rsa};
use crate::stats::two_vs_two::TwoVsTwoTest;

impl Evaluation<'_> {
    /// Word model against word model by the 2 vs. 2 test.
    pub fn words(&self) -> Result<Vec<WordsRow>, Error> {
        let words = self.words;
        let pairs = words.iter().enumerate().flat_map(|(n, a)| words[n + 1..].iter().map(move |b| (a, b)));
        pairs.map(|(a, b)| self.words_row(a, b)).collect()
    }

    fn words_row(&self, a: &Words, b: &Words) -> Result<WordsRow, Error> {
        let options = self.options;
        let test = TwoVsTwoTest::new(&a.rsm, &[from_ref(&b.rsm)], &options.draws, options.ties, &options.device);
        // Too little to be shown as progress.
        let rule = Rule { stop_after: None, ..options.rule() };
        let inference = inference::test(&test, rule, &|_| self.interrupt.flow())?[0];
        Ok(WordsRow {
            words_a: a.name.clone(),
            words_b: b.name.clone(),
            concepts: a.rsm.concepts(),
            accuracy: inference.value,
            permutations: inference.permutations,
            p_value: inference.p_value,
            rsa: Rsa::Pearson.correlation(&rsa::upper(&a.rsm), &rsa::upper(&b.rsm)),
        })
    }

    /// Layer against layer by the correlation of their RSMs.
    pub fn layers(&self) -> Vec<LayersRow> {
        let space = self.space;
        let layers = space.layers.len();
        let pairs: Vec<(usize, usize)> = (0..layers).flat_map(|a| (0..layers).map(move |b| (a, b))).collect();
        let mut sums = vec![Some(0.0); pairs.len()];
        for group in 0..space.groups.len() {
            let triangles: Vec<Vec<f64>> =
                space.layers.par_iter().map(|layer| rsa::upper(&layer.rsms[group])).collect();
            sums.par_iter_mut().zip(&pairs).for_each(|(sum, &(a, b))| {
                // The order of the two decides nothing, not even rounding.
                let correlation = Rsa::Pearson.correlation(&triangles[a.min(b)], &triangles[a.max(b)]);
                *sum = sum.zip(correlation).map(|(sum, correlation)| sum + correlation);
            });
        }
        let row = |(&(a, b), sum): (&(usize, usize), Option<f64>)| LayersRow {
            network: space.network.clone(),
            layer_a: space.layers[a].name.clone(),
            layer_b: space.layers[b].name.clone(),
            rsa: sum.map(|sum| sum / space.groups.len() as f64),
        };
        pairs.iter().zip(sums).map(row).collect()
    }
}
