//! Inference, the same for every [`Statistic`]: exact p-values from integer scores, the family-wise correction by the
//! studentised maximum, Benjamini-Hochberg, and sequential stopping.
//!
//! A *family* is the layers of one network against one word model, or against all of them, or those of all networks of a
//! sweep ([`Family`]); the pixels are a layer. All its members are scored under the same draws, so the maximum over the members
//! has a null distribution of its own.
//!
//! # Tails
//!
//! A draw *reaches* the observed value where it is at least as high ([`Tail::Upper`]), at least as low, or at least as
//! far from the null's mean. The null's mean is that of the draws and the observed value, which are exchangeable under
//! the null: to leave the observed value out would make it a stranger among them. Comparisons are between integers.
//!
//! # The studentised maximum
//!
//! Layers differ in their null's spread (RSA: 2.4 times between pixels and logits), and a maximum of raw values is that
//! of the widest null: an effect in a narrow one is lost. So each layer's values are taken less its null's mean and in
//! units of its null's standard deviation, both over the draws and the observed value, before the maximum is taken
//! (single-step max-T; Westfall & Young 1993). As the two treat the observed value as one of the draws, `p_fwer` is as
//! exact as `p_value`; and within a layer they change no order, so `p_fwer >= p_value`.
//!
//! # Sequential stopping
//!
//! Besag & Clifford (1991): draw until `h` draws have reached the observed value. If that happens at draw `l`,
//! `p = h / l`; if it has not happened after all `m` draws, `p = (1 + b) / (1 + m)` with `b < h`. Both are
//! `(1 + b) / (1 + m)` over the draws *before* the `h`-th that reaches it, which is how it is computed here. It is valid
//! because the observed value and the draws are exchangeable under the null: `p <= h / l` says that fewer than `h` of
//! the first `l - 1` draws reached the observed value, i.e. that it ranks among the first `h` of `l`: probability at
//! most `h / l`.
//!
//! What is *not* valid is `(1 + b) / (1 + m)` with an `m` chosen by looking at another layer's draws. So
//! each p-value stops at its own draw and ignores later ones, while the family goes on, all layers together, until the
//! last layer has its `h`. `p_fwer` counts the draws in which the maximum over *all* layers reaches the observed value,
//! which are at least as many, so it has always stopped by then. It controls the family-wise error: `p_fwer` falls as
//! the observed value rises, so its smallest value over the true nulls is that of the highest of them, and the maximum
//! over the family is at least the maximum over the true nulls, for which that value is a Besag-Clifford p-value.
//!
//! Means and standard deviations are then those of the observed value and the first [`SCALE_DRAWS`] draws, which are
//! always made: they may not depend on where drawing stops. A layer's observed value is one of the 101, so an outlying
//! one weighs its layer down a little: the error is on the safe side. The null that is reported is that of these draws
//! too, without the observed value.
//!
//! One clearly significant layer keeps its whole family drawing: stopping saves time only for families without a signal.

mod maximum;
mod placed;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::num::NonZeroU32;
use std::ops::Range;
use std::slice::from_ref;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::maximum::Maximum;
use self::maximum::farthest;
use self::placed::{Count, Placed};
use super::Progress;

/// Draws between two questions whether a family may stop, with sequential stopping.
const DRAWS_PER_LOOK: u64 = 100;

/// Draws whose mean and spread scale a layer's values, with sequential stopping; made before the first question.
pub const SCALE_DRAWS: usize = DRAWS_PER_LOOK as usize;

/// What a family is tested by, ready for draws.
pub trait Statistic {
    /// Why there may be no values; [`Interrupted`](super::Interrupted) where nothing else can fail.
    type Error;

    /// The points of a value of 1.
    fn whole(&self) -> i64;

    /// The points of every member of the family under each draw of a range, which is not empty; draw 0 is the identity,
    /// the observed values. A draw's points do not depend on the range. `progress` is told the RSMs tested.
    ///
    /// Points stay below 2^62 in size: their sums over the draws are exact.
    ///
    /// # Shapes
    /// `[members][draws]`.
    ///
    /// # Errors
    /// `progress` asked to stop, or what else may fail.
    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Self::Error>;
}

/// Which side of the null speaks against it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tail {
    /// High values: words and images have more in common than by chance.
    #[default]
    Upper,
    /// Low values.
    Lower,
    /// Values far from the null's mean, on either side.
    Two,
}

impl Tail {
    /// What p-values are, in words.
    pub fn said(self) -> &'static str {
        match self {
            Self::Upper => "of high values",
            Self::Lower => "of low values",
            Self::Two => "two-sided",
        }
    }
}

/// What the maximum behind a family-wise p runs over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// The layers of a network against one word model.
    #[default]
    Layers,
    /// The layers against all word models.
    Words,
    /// The layers of all networks of a sweep against all word models; of a single network as `Words`.
    Networks,
}

/// How nulls are drawn and what they are held against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rule {
    /// Draws beside the identity, at most.
    pub permutations: u64,
    /// The `h` of sequential stopping (module documentation); without it every draw is made.
    pub stop_after: Option<NonZeroU32>,
    /// Which side of the null speaks against it.
    pub tail: Tail,
    /// What is corrected for, where there are several word models.
    pub family: Family,
}

impl<S: Statistic + ?Sized> Statistic for Box<S> {
    type Error = S::Error;

    fn whole(&self) -> i64 {
        (**self).whole()
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Self::Error> {
        (**self).points(draws, progress)
    }
}

/// The scores of one layer under the draws: `points / whole` is the value.
///
/// Of the 2 vs. 2 test they are half-points summed over the groups, out of `2 * pairs * groups`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerScores {
    points: Vec<i64>,
    whole: i64,
}

/// What the draws say about one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inference {
    /// The observed value.
    pub value: f64,
    /// `(1 + draws that reach the observed value) / (1 + permutations)`.
    pub p_value: f64,
    /// The same against the studentised maximum over the family in each draw (module documentation).
    pub p_fwer: f64,
    /// Benjamini-Hochberg over the family's p-values.
    pub q_fdr: f64,
    /// Mean of the null, over [`Rule::of_moments`] draws; NaN where there are none.
    pub null_mean: f64,
    /// Its standard deviation over the same draws (divided by their number); NaN where there are none.
    pub null_sd: f64,
    /// Draws behind `p_value`: all of them, or those before the `h`-th that reaches where drawing stops early.
    pub permutations: u64,
}

impl Rule {
    /// Draws that a null's mean and standard deviation are of, where all are made or where drawing may stop.
    pub fn of_moments(self) -> u64 {
        of_moments(self.permutations as usize, self.stop_after) as u64
    }

    /// Of so many statistics in all.
    fn statistics_a_family(self, statistics: usize) -> usize {
        match self.family {
            Family::Layers => 1,
            Family::Words | Family::Networks => statistics.max(1),
        }
    }
}

/// [`Rule::of_moments`] of so many draws.
fn of_moments(draws: usize, stop_after: Option<NonZeroU32>) -> usize {
    stop_after.map_or(draws, |_| draws.min(SCALE_DRAWS))
}

impl LayerScores {
    /// `points[t]` is the score under draw `t`; draw 0 is the identity, the observed value. A perfect score is `whole`.
    ///
    /// # Panics
    /// If `points` is empty or `whole` is not positive.
    pub fn new(points: Vec<i64>, whole: i64) -> Self {
        assert!(!points.is_empty() && whole > 0, "{} scores out of {whole}", points.len());
        Self { points, whole }
    }

    /// The score under every draw.
    pub fn points(&self) -> &[i64] {
        &self.points
    }

    /// The observed value.
    pub fn observed(&self) -> f64 {
        self.points[0] as f64 / self.whole as f64
    }

    /// The value of every draw, without the observed one.
    pub fn null(&self) -> impl Iterator<Item = f64> {
        self.points[1..].iter().map(|&points| points as f64 / self.whole as f64)
    }
}

/// Tests a family; its members' inferences in their order.
///
/// # Errors
/// As [`Statistic::points`].
pub fn test<S: Statistic>(statistic: &S, rule: Rule, progress: &Progress) -> Result<Vec<Inference>, S::Error> {
    Ok(test_all(from_ref(statistic), rule, progress, |_| ())?.remove(0))
}

/// Tests statistics under the same draws, one for each word model: as a family each, or all as one ([`Rule::family`]).
/// `now` is told of each family, by its statistics' places, before it is drawn.
///
/// # Shapes
/// `[statistics][members]`.
///
/// # Errors
/// As [`Statistic::points`].
pub fn test_all<S: Statistic>(
    statistics: &[S],
    rule: Rule,
    progress: &Progress,
    now: impl Fn(Range<usize>),
) -> Result<Vec<Vec<Inference>>, S::Error> {
    Ok(infer_all(&scores_all(statistics, rule, progress, now)?, rule))
}

/// The scores behind [`test_all`].
///
/// # Errors
/// As [`Statistic::points`].
pub fn scores_all<S: Statistic>(
    statistics: &[S],
    rule: Rule,
    progress: &Progress,
    now: impl Fn(Range<usize>),
) -> Result<Vec<Vec<LayerScores>>, S::Error> {
    let mut all = Vec::with_capacity(statistics.len());
    for family in statistics.chunks(rule.statistics_a_family(statistics.len())) {
        now(all.len()..all.len() + family.len());
        all.extend(scores(family, rule, progress)?);
    }
    Ok(all)
}

/// What [`test_all`] makes of them.
pub fn infer_all(scores: &[Vec<LayerScores>], rule: Rule) -> Vec<Vec<Inference>> {
    let mut inferences = Vec::with_capacity(scores.len());
    for family in scores.chunks(rule.statistics_a_family(scores.len())) {
        let members: Vec<&LayerScores> = family.iter().flatten().collect();
        let mut of_family = infer(&members, rule.tail, rule.stop_after).into_iter();
        inferences.extend(family.iter().map(|members| of_family.by_ref().take(members.len()).collect::<Vec<_>>()));
    }
    inferences
}

/// The scores of statistics under as many draws as one family of all of them takes.
///
/// # Shapes
/// `[statistics][members]`.
///
/// # Errors
/// As [`Statistic::points`].
pub fn scores<S: Statistic>(
    statistics: &[S],
    rule: Rule,
    progress: &Progress,
) -> Result<Vec<Vec<LayerScores>>, S::Error> {
    let all = rule.permutations + 1;
    let mut end = rule.stop_after.map_or(all, |_| all.min(1 + DRAWS_PER_LOOK));
    let mut scores: Vec<Vec<LayerScores>> = Vec::new();
    for statistic in statistics {
        let points = statistic.points(0..end, progress)?.into_iter();
        scores.push(points.map(|points| LayerScores::new(points, statistic.whole())).collect());
    }
    let stops = |scores: &[Vec<LayerScores>], h| scores.iter().all(|family| may_stop(family, rule.tail, h));
    while end < all && rule.stop_after.is_some_and(|h| !stops(&scores, h)) {
        let next = end..all.min(end + DRAWS_PER_LOOK);
        end = next.end;
        for (statistic, members) in statistics.iter().zip(&mut scores) {
            let points = statistic.points(next.clone(), progress)?;
            members.iter_mut().zip(points).for_each(|(layer, points)| layer.points.extend(points));
        }
    }
    Ok(scores)
}

/// The observed values of a family, nothing drawn.
///
/// # Errors
/// As [`Statistic::points`].
pub fn observed<S: Statistic>(statistic: &S, progress: &Progress) -> Result<Vec<f64>, S::Error> {
    let value = |points: Vec<i64>| LayerScores::new(points, statistic.whole()).observed();
    Ok(statistic.points(0..1, progress)?.into_iter().map(value).collect())
}

/// Whether a family may stop drawing: every layer has `stop_after` draws that reach its observed value.
///
/// Asked after any batch of draws, [`SCALE_DRAWS`] or more; the size of the batches changes no result of [`infer`].
fn may_stop(family: &[LayerScores], tail: Tail, stop_after: NonZeroU32) -> bool {
    let stop_after = Some(stop_after);
    family.iter().all(|layer| Placed::new(layer, tail, stop_after).counted(stop_after).stopped)
}

/// p-values of a family's layers, in the family's order.
///
/// `stop_after` is the `h` of sequential stopping (module documentation); without it every draw counts. With it, a
/// p-value ignores the draws after the one at which it stopped, and `null_mean` and `null_sd` are those of the first
/// [`SCALE_DRAWS`].
///
/// # Panics
/// If the layers differ in their number of draws.
pub fn infer<L: Borrow<LayerScores>>(family: &[L], tail: Tail, stop_after: Option<NonZeroU32>) -> Vec<Inference> {
    let family: Vec<&LayerScores> = family.iter().map(L::borrow).collect();
    let Some(first) = family.first() else { return Vec::new() };
    let draws = first.points.len() - 1;
    for layer in &family {
        assert_eq!(layer.points.len() - 1, draws, "the layers of a family share their draws");
    }
    let placed: Vec<Placed> = family.iter().map(|layer| Placed::new(layer, tail, stop_after)).collect();
    let maximum = farthest(&placed, draws);
    let counts: Vec<Count> = placed.iter().map(|layer| layer.counted(stop_after)).collect();
    let p_values: Vec<f64> = counts.iter().map(|count| count.p()).collect();
    let q_values = benjamini_hochberg(&p_values);
    family
        .iter()
        .enumerate()
        .map(|(l, layer)| {
            let null: Vec<f64> = layer.null().take(of_moments(draws, stop_after)).collect();
            let (null_mean, null_sd) = mean_and_sd(&null);
            Inference {
                value: layer.observed(),
                p_value: p_values[l],
                p_fwer: Count::of(placed[l].studentised(0), maximum.iter().copied(), stop_after).p(),
                q_fdr: q_values[l],
                null_mean,
                null_sd,
                permutations: counts[l].draws,
            }
        })
        .collect()
}

/// Benjamini & Hochberg (1995): the smallest false discovery rate at which each hypothesis is rejected.
///
/// `q` of the i-th smallest of `n` p-values is the minimum over `j >= i` of `p_j * (n / j)`.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut q_values = vec![1.0; p_values.len()];
    let mut smallest = 1.0_f64;
    for (i, &hypothesis) in order.iter().enumerate().rev() {
        smallest = smallest.min(p_values[hypothesis] * (p_values.len() as f64 / (i + 1) as f64));
        q_values[hypothesis] = smallest;
    }
    q_values
}

fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}
