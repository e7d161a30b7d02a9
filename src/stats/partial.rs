//! The tests of words and layers *given* other spaces: is there more in common than what both share with these?
//!
//! The entries of the words' and of the layer's RSM above the diagonal are each replaced by what a linear regression on the
//! given spaces' entries (and a constant) leaves: `e_W = R W`, `e_I = R I`, `R = 1 - Q Q^T` with orthonormal `Q`. RSA
//! correlates `e_W` with `e_I`: the partial correlation; by Spearman all spaces are ranked first. The 2 vs. 2 test takes
//! the two residuals as its matrices. Groups are residualised one by one, each with its own spaces where a space has
//! groups (the pixels).
//!
//! # What is permuted
//!
//! Under the null `W = Z b + e` with `e` exchangeable over concepts and independent of the layer. So a draw re-indexes rows
//! and columns of the words' *residual*, puts them back upon the fitted part and *regresses again*: `e_W* = R (Z b + P e_W)
//! = R P e_W` (Freedman & Lane 1983; for matrices of concepts the double semi-partialing of Dekker, Krackhardt & Snijders
//! 2007). The layer, the given spaces and what relates them stay as they are in every draw; permuting the words
//! themselves would break their relation to the given spaces too, and reject whenever both depend on these. Without the
//! second regression draws would have a part along the given spaces that the observed residual cannot have.
//!
//! It is exact only as far as `e_W` behaves like `e`: to `O(1 / concepts)`. In worlds where both sides depend on the
//! given space (12 to 24 concepts; a continuous space, categories, blocks) .028 to .068 of the nulls were rejected at .05,
//! where the test that is given nothing rejects all.
//!
//! # What is not removed
//!
//! What depends on a given space linearly, entry by entry, and nothing else. Two spaces that are made from the features
//! behind the given one without being linear in *its RSM* still have that in common: similarities among categories where
//! the given space only knows same and different, or concepts whose vectors weigh the shared features differently. Such
//! worlds are rejected far more often, as they should be: the given RSM does not explain what the two have in common.

use std::ops::Range;

use rayon::prelude::*;

use super::inference::Statistic;
use super::permutation::Permutations;
use super::rsa::{Rsa, dot, reindexed, rounding, square, upper};
use super::scoring::Ties;
use super::two_vs_two::cpu::{Images, Scratch};
use super::two_vs_two::rows::UnitRows;
use super::two_vs_two::{Counts, TwoVsTwoError};
use super::{Progress, Rsm, alignment, report};

/// What is left of this share of an RSM's variation is nothing: matrices in single precision keep 1e-14.
const DETERMINED: f64 = 1e-10;

/// What is left of this share or more has lost at most two digits.
const WELL_LEFT: f64 = 1e-2;

/// How residuals are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Correlation of the entries.
    Pearson,
    /// Correlation of what is left of their ranks.
    Spearman,
    /// The 2 vs. 2 test.
    TwoVsTwo(Ties),
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.measure().fmt(f)
    }
}

impl Measure {
    /// As configurations and tables have it.
    pub fn measure(self) -> alignment::Measure {
        match self {
            Self::Pearson => alignment::Measure::RsaPearson,
            Self::Spearman => alignment::Measure::RsaSpearman,
            Self::TwoVsTwo(_) => alignment::Measure::TwoVsTwo,
        }
    }

    /// The entries on the scale that is regressed.
    fn scaled(self, rsm: &Rsm) -> Vec<f64> {
        match self {
            Self::Spearman => Rsa::Spearman.prepare(upper(rsm)),
            Self::Pearson | Self::TwoVsTwo(_) => upper(rsm),
        }
    }
}

/// An orthonormal basis of a constant and some lists of numbers.
pub struct Basis {
    /// `[rank][entries]`; the first is the constant.
    vectors: Vec<Vec<f64>>,
}

impl Basis {
    /// Of lists of one length; one that the others determine adds nothing.
    ///
    /// # Panics
    /// If a list is empty.
    pub fn new(lists: &[Vec<f64>], entries: usize) -> Self {
        assert!(entries > 0, "a basis of entries");
        let mut basis = Self { vectors: vec![vec![(entries as f64).sqrt().recip(); entries]] };
        for list in lists {
            if let Some(mut rest) = basis.residual(list) {
                let length = dot(&rest, &rest).sqrt();
                rest.iter_mut().for_each(|x| *x /= length);
                basis.vectors.push(rest);
            }
        }
        basis
    }

    /// What the regression leaves; `None` if the basis determines the list.
    pub fn residual(&self, list: &[f64]) -> Option<Vec<f64>> {
        let mut rest = list.to_vec();
        self.remove(&mut rest, 0..1);
        let varied = dot(&rest, &rest);
        self.remove(&mut rest, 1..self.vectors.len());
        // Once more for what rounding left.
        self.remove(&mut rest, 0..self.vectors.len());
        (dot(&rest, &rest) > DETERMINED * varied).then_some(rest)
    }

    /// The length of what the regression leaves of a list of mean 0 and this `length`; `None` if the basis determines it.
    fn length_left(&self, list: &[f64], length: f64) -> Option<f64> {
        let whole = length * length;
        let parts = self.vectors[1..].iter().map(|vector| dot(list, vector).powi(2));
        let left = whole - parts.sum::<f64>();
        // A difference of squares keeps fewer digits than the square of a difference.
        if left > WELL_LEFT * whole {
            Some(left.sqrt())
        } else {
            self.residual(list).map(|rest| dot(&rest, &rest).sqrt())
        }
    }

    fn remove(&self, list: &mut [f64], vectors: Range<usize>) {
        for vector in &self.vectors[vectors] {
            let part = dot(list, vector);
            list.iter_mut().zip(vector).for_each(|(x, v)| *x -= part * v);
        }
    }
}

/// A family, layers against a word model, given some spaces.
pub struct PartialTest<'a> {
    measure: Measure,
    groups: Vec<Group>,
    /// Places in the list of layers, ascending.
    members: Vec<usize>,
    /// By member; a draw that is this value but for rounding is this value.
    observed: Vec<f64>,
    /// By member, over all groups; none of correlations.
    ties: Vec<u64>,
    concepts: usize,
    draws: &'a Permutations,
}

/// One group of images.
struct Group {
    given: Basis,
    /// The words' residual, the diagonal 1.
    words: Rsm,
    /// Its length, that of every draw of it.
    length: f64,
    layers: Layers,
}

/// The members' residuals.
enum Layers {
    /// Of unit length.
    Entries(Vec<Vec<f64>>),
    Images(Images, Ties),
}

impl<'a> PartialTest<'a> {
    /// The test of `words` against `layers`, `[layer][group]`, given spaces, `[space][group]`, or `[space][1]` for one that
    /// is the same in all groups. A layer is no member if the given spaces determine it in a group, or if it has a constant
    /// image there; there is no member at all if they determine the words.
    ///
    /// # Panics
    /// If the RSMs or draws differ in their concepts, the layers in their groups, or a given space has a NaN.
    pub fn new(measure: Measure, words: &Rsm, layers: &[&[Rsm]], given: &[&[Rsm]], draws: &'a Permutations) -> Self {
        let test = Self::with_members(measure, words, layers, given, draws);
        test.unwrap_or_else(|| Self::without_members(measure, words.concepts(), draws))
    }

    /// What a word model has that is not tested.
    pub fn without_members(measure: Measure, concepts: usize, draws: &'a Permutations) -> Self {
        let (groups, members, observed, ties) = Default::default();
        Self { measure, groups, members, observed, ties, concepts, draws }
    }

    fn with_members(
        measure: Measure,
        words: &Rsm,
        layers: &[&[Rsm]],
        given: &[&[Rsm]],
        draws: &'a Permutations,
    ) -> Option<Self> {
        let concepts = words.concepts();
        assert_eq!(draws.concepts(), concepts, "RSMs and draws of the same concepts");
        let groups = layers.first()?.len();
        let words = measure.scaled(words);
        let mut parts = Vec::new();
        let mut members: Vec<usize> = (0..layers.len()).collect();
        for group in 0..groups {
            let lists: Vec<Vec<f64>> =
                given.iter().map(|space| measure.scaled(&space[group.min(space.len() - 1)])).collect();
            assert!(!lists.iter().flatten().any(|x| x.is_nan()), "every concept of a given space has a correlation");
            let given = Basis::new(&lists, words.len());
            let words = given.residual(&words)?;
            let found: Vec<Option<Layer>> =
                layers.par_iter().map(|layer| Layer::new(measure, &layer[group], &given)).collect();
            members.retain(|&layer| found[layer].is_some());
            parts.push((given, words, found));
        }
        let of_members = |found: Vec<Option<Layer>>| -> Vec<Layer> {
            let kept = found.into_iter().enumerate().filter(|(layer, _)| members.contains(layer));
            kept.filter_map(|(_, layer)| layer).collect()
        };
        let groups = parts.into_iter().map(|(given, words, found)| Group {
            given,
            length: dot(&words, &words).sqrt(),
            words: square(&words, concepts),
            layers: Layers::new(measure, of_members(found), concepts),
        });
        let mut test = Self {
            measure,
            groups: groups.collect(),
            observed: vec![f64::NAN; members.len()],
            ties: Vec::new(),
            members,
            concepts,
            draws,
        };
        let scratch = &mut None;
        test.observed = test.values(0, scratch).ok()?;
        if let Measure::TwoVsTwo(_) = measure {
            test.ties = test.tied(scratch).ok()?;
        }
        Some(test)
    }

    /// The family's members: indices of layers, ascending.
    pub fn members(&self) -> &[usize] {
        &self.members
    }

    /// The observed value of the layer at this place, if it is a member.
    pub fn observed(&self, layer: usize) -> Option<f64> {
        self.members.iter().position(|&member| member == layer).map(|member| self.observed[member])
    }

    /// The observed pairs of all groups that tie, by member; none of a correlation.
    pub fn ties(&self) -> Option<&[u64]> {
        matches!(self.measure, Measure::TwoVsTwo(_)).then_some(&self.ties)
    }

    fn tied(&self, scratch: &mut Option<Scratch>) -> Result<Vec<u64>, TwoVsTwoError> {
        let mut ties = vec![0; self.members.len()];
        for group in &self.groups {
            let words = reindexed(&group.words, &self.draws.draw(0));
            let counts = group.counts(&words, self.concepts, scratch)?;
            ties.iter_mut().zip(counts).for_each(|(ties, counts)| *ties += u64::from(counts.ties));
        }
        Ok(ties)
    }

    /// Each member's value under draw `t`.
    fn values(&self, t: u64, scratch: &mut Option<Scratch>) -> Result<Vec<f64>, TwoVsTwoError> {
        let whole = (self.concepts * (self.concepts - 1)) as f64;
        let rounding = rounding(self.concepts * (self.concepts - 1) / 2);
        let points = self.sums(&self.draws.draw(t), scratch)?.into_iter().zip(&self.observed);
        let value = |(sum, observed): (f64, &f64)| {
            let mean = sum / self.groups.len() as f64;
            match self.measure {
                Measure::TwoVsTwo(_) => mean / whole,
                _ if (mean - observed).abs() <= rounding => *observed,
                _ => mean,
            }
        };
        Ok(points.map(value).collect())
    }

    /// The sums over groups of a draw: correlations, or half-points, for which `scratch` is made.
    fn sums(&self, draw: &[u32], scratch: &mut Option<Scratch>) -> Result<Vec<f64>, TwoVsTwoError> {
        let mut sums = vec![0.0; self.members.len()];
        for group in &self.groups {
            let words = reindexed(&group.words, draw);
            match &group.layers {
                Layers::Images(_, ties) => {
                    let counts = group.counts(&words, self.concepts, scratch)?.into_iter();
                    let points = counts.map(|counts| ties.score(counts.passed.into(), counts.ties.into(), 0));
                    sums.iter_mut().zip(points).for_each(|(sum, points)| *sum += points as f64);
                }
                Layers::Entries(layers) => {
                    let Some(length) = group.given.length_left(&words, group.length) else { continue };
                    // What the layer lost to the given spaces meets nothing of theirs in the words.
                    let correlation = |layer: &Vec<f64>| (dot(layer, &words) / length).clamp(-1.0, 1.0);
                    sums.iter_mut().zip(layers).for_each(|(sum, layer)| *sum += correlation(layer));
                }
            }
        }
        Ok(sums)
    }
}

impl Group {
    /// The pairs that pass and tie of every member, by the words' entries in the order of a draw; none of correlations. Of a draw
    /// that the given spaces determine, which has nothing to correlate, all tie.
    fn counts(
        &self,
        words: &[f64],
        concepts: usize,
        scratch: &mut Option<Scratch>,
    ) -> Result<Vec<Counts>, TwoVsTwoError> {
        let Layers::Images(images, _) = &self.layers else { return Ok(Vec::new()) };
        let Some(words) = self.given.residual(words) else { return Ok(images.tied()) };
        let scratch = scratch.get_or_insert_with(|| images.scratch());
        Ok(images.count(&UnitRows::words(&square(&words, concepts))?, scratch))
    }
}

/// The residual of a layer.
enum Layer {
    Entries(Vec<f64>),
    Image(UnitRows),
}

impl Layer {
    fn new(measure: Measure, rsm: &Rsm, given: &Basis) -> Option<Self> {
        let entries = upper(rsm);
        if entries.iter().any(|entry| entry.is_nan()) {
            return None;
        }
        let mut rest = given.residual(&measure.scaled(rsm))?;
        if let Measure::TwoVsTwo(_) = measure {
            return UnitRows::words(&square(&rest, rsm.concepts())).ok().map(Self::Image);
        }
        let length = dot(&rest, &rest).sqrt();
        rest.iter_mut().for_each(|x| *x /= length);
        Some(Self::Entries(rest))
    }
}

impl Layers {
    fn new(measure: Measure, layers: Vec<Layer>, concepts: usize) -> Self {
        let (mut entries, mut images) = (Vec::new(), Vec::new());
        for layer in layers {
            match layer {
                Layer::Entries(residual) => entries.push(residual),
                Layer::Image(rows) => images.push(rows),
            }
        }
        match measure {
            Measure::TwoVsTwo(ties) => Self::Images(Images::new(images, concepts), ties),
            Measure::Pearson | Measure::Spearman => Self::Entries(entries),
        }
    }
}

/// The points of the mean over groups, half-points for the 2 vs. 2 test.
///
/// # Cost
/// Per draw and group an inner product of the words' entries with every given space's and every layer's: the regression is
/// that of the layers, done once. For the 2 vs. 2 test a regression of the words' entries, and per layer one product of
/// `k^3` multiply-adds in `f32`, decided as in [`two_vs_two`](super::two_vs_two). Parallel over draws.
impl Statistic for PartialTest<'_> {
    type Error = TwoVsTwoError;

    fn whole(&self) -> i64 {
        match self.measure {
            Measure::TwoVsTwo(_) => (self.concepts * (self.concepts - 1) * self.groups.len()) as i64,
            Measure::Pearson | Measure::Spearman => 1 << 52,
        }
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, TwoVsTwoError> {
        let of_draw = |scratch: &mut Option<Scratch>, t| -> Result<Vec<f64>, TwoVsTwoError> {
            let values = self.values(t, scratch)?;
            report(progress, (self.members.len() * self.groups.len()) as u64)?;
            Ok(values)
        };
        let values = draws.into_par_iter().map_init(|| None, of_draw).collect::<Result<Vec<_>, _>>()?;
        let point = |value: f64| (value * self.whole() as f64).round() as i64;
        Ok((0..self.members.len()).map(|member| values.iter().map(|values| point(values[member])).collect()).collect())
    }
}

#[cfg(test)]
pub(super) mod tests;
