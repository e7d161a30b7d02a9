//! Scores of draws that were computed elsewhere, and where they stand in for their computation.

use std::collections::BTreeMap;
use std::ops::Range;

use super::two_vs_two::FAMILY;
use crate::stats::Progress;
use crate::stats::inference::Statistic;

/// The scores of consecutive draws, i64 `[members][draws]`, by family: a measure and a word model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draws {
    families: BTreeMap<String, Vec<Vec<i64>>>,
}

impl Draws {
    /// Scores by family.
    pub fn new(families: BTreeMap<String, Vec<Vec<i64>>>) -> Self {
        Self { families }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.families.is_empty()
    }

    /// The families by name.
    pub fn families(&self) -> impl Iterator<Item = (&str, &[Vec<i64>])> {
        self.families.iter().map(|(name, members)| (name.as_str(), members.as_slice()))
    }

    /// Adds the scores of a measure for a word model.
    pub fn insert(&mut self, measure: &str, words: &str, scores: Vec<Vec<i64>>) {
        self.families.insert(family(measure, words), scores);
    }

    /// Whether there are scores of a measure for a word model.
    pub fn has(&self, measure: &str, words: &str) -> bool {
        self.families.contains_key(&family(measure, words))
    }

    /// Adds the same draws of other measures.
    pub fn extend(&mut self, others: Self) {
        self.families.extend(others.families);
    }

    /// Adds the draws that follow.
    ///
    /// # Panics
    /// If a family has members that are not in the draws before.
    pub fn append(&mut self, next: Self) {
        if self.families.is_empty() {
            *self = next;
            return;
        }
        for (name, members) in next.families {
            let known = self.families.get_mut(&name).expect("the families of the draws before");
            assert_eq!(known.len(), members.len(), "{name}: the members of the draws before");
            known.iter_mut().zip(members).for_each(|(known, more)| known.extend(more));
        }
    }

    /// The scores of the 2 vs. 2 test for a word model, `[layers][draws]`.
    pub fn two_vs_two(&self, words: &str) -> Option<&[Vec<i64>]> {
        self.families.get(&family(FAMILY, words)).map(Vec::as_slice)
    }

    /// The scores of a measure for a word model from draw 0 on stand in for the statistic's own, as far as they go.
    pub fn known<'a, S: Statistic>(&'a self, measure: &str, words: &str, statistic: &'a S) -> Known<'a, S> {
        Known { statistic, scores: self.families.get(&family(measure, words)).map(Vec::as_slice) }
    }
}

fn family(measure: &str, words: &str) -> String {
    format!("{measure}, {words}")
}

/// A statistic of which the scores of some draws are known.
pub struct Known<'a, S> {
    statistic: &'a S,
    scores: Option<&'a [Vec<i64>]>,
}

impl<S: Statistic> Statistic for Known<'_, S> {
    type Error = S::Error;

    fn whole(&self) -> i64 {
        self.statistic.whole()
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Self::Error> {
        let wanted = draws.start as usize..draws.end as usize;
        let known: Option<Vec<Vec<i64>>> = self
            .scores
            .and_then(|scores| scores.iter().map(|scores| Some(scores.get(wanted.clone())?.to_vec())).collect());
        known.map_or_else(|| self.statistic.points(draws, progress), Ok)
    }
}
