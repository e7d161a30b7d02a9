//! Inference, the same for every [`Statistic`]: exact p-values from integer scores, the family-wise correction by the
//! maximum, Benjamini-Hochberg, and sequential stopping.
//!
//! A *family* is the layers of one network against one word model. All its layers are scored under the same draws, so
//! the maximum over the layers has a null distribution of its own.
//!
//! # Sequential stopping
//!
//! Besag & Clifford (1991): draw until `h` draws have scored at least the observed value. If that happens at draw `l`,
//! `p = h / l`; if it has not happened after all `m` draws, `p = (1 + b) / (1 + m)` with `b < h`. Both are
//! `(1 + b) / (1 + m)` over the draws *before* the `h`-th exceedance, which is how it is computed here. It is valid
//! because the observed value and the draws are exchangeable under the null: `p <= h / l` says that fewer than `h` of
//! the first `l - 1` draws reached the observed value, i.e. that it ranks among the first `h` of `l`: probability at
//! most `h / l`.
//!
//! What is *not* valid is `(1 + b) / (1 + m)` with an `m` chosen by looking at another layer's exceedances. So
//! each p-value stops at its own draw and ignores later ones, while the family goes on, all layers together, until the
//! last layer has its `h` exceedances. `p_fwer` counts the exceedances of the maximum over *all* layers, which are at
//! least as many, so it has always stopped by then. It controls the family-wise error: `p_fwer` falls as the observed
//! value rises, so its smallest value over the true nulls is that of the highest of them, and the maximum over the
//! family is at least the maximum over the true nulls, for which that value is a Besag-Clifford p-value.
//!
//! One clearly significant layer therefore keeps its whole family drawing: stopping saves time only for families
//! without a signal.

use std::cmp::Ordering;
use std::num::NonZeroU32;
use std::ops::Range;

use super::Progress;

/// Draws between two questions whether a family may stop, with sequential stopping.
const DRAWS_PER_LOOK: u64 = 100;

/// What a family is tested by, ready for draws.
pub trait Statistic {
    /// Why there may be no values; [`Interrupted`](super::Interrupted) where nothing else can fail.
    type Error;

    /// The points of a value of 1.
    fn whole(&self) -> i64;

    /// The points of every member of the family under each draw of a range, which is not empty; draw 0 is the identity,
    /// the observed values. A draw's points do not depend on the range. `progress` is told the RSMs tested.
    ///
    /// # Shapes
    /// `[members][draws]`.
    ///
    /// # Errors
    /// `progress` asked to stop, or what else may fail.
    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Self::Error>;
}

/// How the null of a family is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Draws beside the identity, at most.
    pub permutations: u64,
    /// The `h` of sequential stopping (module documentation); without it every draw is made.
    pub stop_after: Option<NonZeroU32>,
}

/// The scores of one layer under the draws: `points / whole` is the accuracy.
///
/// Half-points summed over the groups, out of `2 * pairs * groups`.
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
    /// The same against the maximum over the family in each draw (single-step max-T).
    pub p_fwer: f64,
    /// Benjamini-Hochberg over the family's p-values.
    pub q_fdr: f64,
    /// Mean accuracy of the null; NaN where there are no draws.
    pub null_mean: f64,
    /// Standard deviation of the null (divided by the number of draws); NaN where there are no draws.
    pub null_sd: f64,
    /// Draws behind `p_value`: all of them, or those before the `h`-th exceedance where drawing stops early.
    pub permutations: u64,
}

/// An exact fraction.
#[derive(Clone, Copy, Debug)]
struct Score {
    points: i64,
    whole: i64,
}

/// Where counting ended: `reached` of `draws` scored at least the observed value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tail {
    reached: u64,
    draws: u64,
    stopped: bool,
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

    /// The observed accuracy.
    pub fn accuracy(&self) -> f64 {
        self.observed().fraction()
    }

    /// The accuracy of every draw, without the observed one.
    pub fn null(&self) -> impl Iterator<Item = f64> {
        self.draws().map(Score::fraction)
    }

    fn observed(&self) -> Score {
        Score { points: self.points[0], whole: self.whole }
    }

    fn draws(&self) -> impl Iterator<Item = Score> {
        self.points[1..].iter().map(|&points| Score { points, whole: self.whole })
    }

    fn tail(&self, stop_after: Option<NonZeroU32>) -> Tail {
        Tail::of(self.observed(), self.draws(), stop_after)
    }
}

impl Score {
    fn fraction(self) -> f64 {
        self.points as f64 / self.whole as f64
    }

    fn compare(self, other: Self) -> Ordering {
        let cross = |points: i64, whole: i64| i128::from(points) * i128::from(whole);
        cross(self.points, other.whole).cmp(&cross(other.points, self.whole))
    }
}

impl Tail {
    fn of(observed: Score, null: impl Iterator<Item = Score>, stop_after: Option<NonZeroU32>) -> Self {
        let mut tail = Self { reached: 0, draws: 0, stopped: false };
        for score in null {
            if score.compare(observed).is_ge() {
                if stop_after.is_some_and(|h| tail.reached + 1 == u64::from(h.get())) {
                    return Self { stopped: true, ..tail };
                }
                tail.reached += 1;
            }
            tail.draws += 1;
        }
        tail
    }

    fn p(self) -> f64 {
        (1 + self.reached) as f64 / (1 + self.draws) as f64
    }
}

/// Tests a family; its members' inferences in their order.
///
/// # Errors
/// As [`Statistic::points`].
pub fn test<S: Statistic>(statistic: &S, rule: Rule, progress: &Progress) -> Result<Vec<Inference>, S::Error> {
    let all = rule.permutations + 1;
    let mut end = rule.stop_after.map_or(all, |_| all.min(1 + DRAWS_PER_LOOK));
    let points = statistic.points(0..end, progress)?;
    let mut family: Vec<LayerScores> =
        points.into_iter().map(|points| LayerScores::new(points, statistic.whole())).collect();
    while end < all && rule.stop_after.is_some_and(|h| !may_stop(&family, h)) {
        let next = end..all.min(end + DRAWS_PER_LOOK);
        end = next.end;
        family
            .iter_mut()
            .zip(statistic.points(next, progress)?)
            .for_each(|(layer, points)| layer.points.extend(points));
    }
    Ok(infer(&family, rule.stop_after))
}

/// The observed values of a family, nothing drawn.
///
/// # Errors
/// As [`Statistic::points`].
pub fn observed<S: Statistic>(statistic: &S, progress: &Progress) -> Result<Vec<f64>, S::Error> {
    let value = |points: Vec<i64>| LayerScores::new(points, statistic.whole()).accuracy();
    Ok(statistic.points(0..1, progress)?.into_iter().map(value).collect())
}

/// Whether a family may stop drawing: every layer has `stop_after` draws that reach its observed value.
///
/// Asked after any batch of draws; the size of the batches changes no result of [`infer`].
fn may_stop(family: &[LayerScores], stop_after: NonZeroU32) -> bool {
    family.iter().all(|layer| layer.tail(Some(stop_after)).stopped)
}

/// p-values of a family's layers, in the family's order.
///
/// `stop_after` is the `h` of sequential stopping (module documentation); without it every draw counts. With it, draws
/// after the one at which the last layer stopped are ignored, in `null_mean` and `null_sd` too.
///
/// # Panics
/// If the layers differ in their number of draws.
pub fn infer(family: &[LayerScores], stop_after: Option<NonZeroU32>) -> Vec<Inference> {
    let Some(first) = family.first() else { return Vec::new() };
    let draws = first.points.len() - 1;
    for layer in family {
        assert_eq!(layer.points.len() - 1, draws, "the layers of a family share their draws");
    }
    let maximum: Vec<Score> = (1..=draws)
        .map(|t| {
            let scores = family.iter().map(|layer| Score { points: layer.points[t], whole: layer.whole });
            scores.max_by(|a, b| a.compare(*b)).expect("the family has a layer")
        })
        .collect();
    let tails: Vec<Tail> = family.iter().map(|layer| layer.tail(stop_after)).collect();
    let used = tails
        .iter()
        .map(|tail| if tail.stopped { tail.draws as usize + 1 } else { draws })
        .max()
        .expect("the family has a layer");
    let p_values: Vec<f64> = tails.iter().map(|tail| tail.p()).collect();
    let q_values = benjamini_hochberg(&p_values);
    family
        .iter()
        .enumerate()
        .map(|(l, layer)| {
            let null: Vec<f64> = layer.null().take(used).collect();
            let (null_mean, null_sd) = mean_and_sd(&null);
            Inference {
                value: layer.accuracy(),
                p_value: p_values[l],
                p_fwer: Tail::of(layer.observed(), maximum.iter().copied(), stop_after).p(),
                q_fdr: q_values[l],
                null_mean,
                null_sd,
                permutations: tails[l].draws,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(points: &[i64]) -> LayerScores {
        LayerScores::new(points.to_vec(), 10)
    }

    /// Points that are known beforehand.
    struct Known(Vec<Vec<i64>>);

    impl Statistic for Known {
        type Error = super::super::Interrupted;

        fn whole(&self) -> i64 {
            10
        }

        fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Self::Error> {
            super::super::report(progress, draws.end - draws.start)?;
            let draws = draws.start as usize..draws.end as usize;
            Ok(self.0.iter().map(|points| points[draws.clone()].to_vec()).collect())
        }
    }

    #[test]
    fn a_family_is_drawn_until_the_rule_is_met() {
        use std::ops::ControlFlow;
        use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
        // Every third draw reaches the first layer, every 40th the second: its fourth exceedance is draw 160.
        let points = |every: u64| (0..=1000).map(|t| 5 + i64::from(t % every == 0)).collect::<Vec<i64>>();
        let known = Known(vec![points(3), points(40)]);
        let scores: Vec<LayerScores> = known.0.iter().map(|points| layer(points)).collect();
        for (stop_after, expected) in [(None, 1001), (NonZeroU32::new(4), 201), (NonZeroU32::new(26), 1001)] {
            let drawn = AtomicU64::new(0);
            let progress = |draws| {
                drawn.fetch_add(draws, Relaxed);
                ControlFlow::Continue(())
            };
            let tested = test(&known, Rule { permutations: 1000, stop_after }, &progress).unwrap();
            assert_eq!((drawn.into_inner(), tested), (expected, infer(&scores, stop_after)));
        }
        let stopped = test(&known, Rule { permutations: 9, stop_after: None }, &|_| ControlFlow::Break(()));
        assert!(stopped.is_err());
    }

    #[test]
    fn p_counts_the_draws_that_reach_the_observed_value() {
        // Observed 8; of 4 draws 9 and 8 reach it.
        let [inference] = infer(&[layer(&[8, 5, 9, 8, 2])], None)[..] else { panic!() };
        assert_eq!(inference.p_value, 3.0 / 5.0);
        assert_eq!(inference.p_fwer, 3.0 / 5.0);
        assert_eq!(inference.permutations, 4);
        assert!((inference.null_mean - 0.6).abs() < 1e-15);
        // Deviations -0.1, 0.3, 0.2, -0.4: squares sum to 0.30, / 4.
        assert!((inference.null_sd - 0.075_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn p_lies_within_its_bounds() {
        assert_eq!(infer(&[layer(&[10, 1, 2, 3])], None)[0].p_value, 1.0 / 4.0);
        assert_eq!(infer(&[layer(&[0, 1, 2, 3])], None)[0].p_value, 1.0);
        let without_draws = infer(&[layer(&[7])], None)[0];
        assert_eq!(without_draws.p_value, 1.0);
        assert!(without_draws.null_mean.is_nan());
        assert_eq!(infer(&[], None), []);
    }

    #[test]
    fn fwer_is_against_the_maximum_of_each_draw() {
        // Maxima of the draws: 6, 7, 4.
        let family = [layer(&[7, 5, 7, 1]), layer(&[5, 6, 2, 4])];
        let inferences = infer(&family, None);
        assert_eq!(inferences.iter().map(|i| i.p_value).collect::<Vec<_>>(), [2.0 / 4.0, 2.0 / 4.0]);
        assert_eq!(inferences.iter().map(|i| i.p_fwer).collect::<Vec<_>>(), [2.0 / 4.0, 3.0 / 4.0]);
    }

    #[test]
    fn layers_with_other_denominators_compare_as_fractions() {
        // 1/3 of the second layer reaches 33 of 99, not 34 of 99.
        let second = LayerScores::new(vec![0, 1], 3);
        let p_fwer = |observed| infer(&[LayerScores::new(vec![observed, 0], 99), second.clone()], None)[0].p_fwer;
        assert_eq!(p_fwer(33), 1.0);
        assert_eq!(p_fwer(34), 0.5);
    }

    #[test]
    fn benjamini_hochberg_worked_example() {
        // The 15 p-values of Benjamini & Hochberg (1995), section 3.2: at 0.05 the first four are rejected.
        let p_values = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
            0.7590, 1.0000,
        ];
        let q_values = benjamini_hochberg(&p_values);
        assert_eq!(q_values.iter().filter(|&&q| q <= 0.05).count(), 4);
        // By hand: 0.0095 * 15 / 4 and 0.0201 * 15 / 5.
        assert!((q_values[3] - 0.035625).abs() < 1e-15);
        assert!((q_values[4] - 0.0603).abs() < 1e-15);
        // 0.0278 * 15 / 6 = 0.0695 takes the smaller 0.0298 * 15 / 7.
        assert!((q_values[5] - 0.0298 * 15.0 / 7.0).abs() < 1e-15);
        assert!(q_values.is_sorted());
    }

    #[test]
    fn q_values_stand_in_the_familys_order() {
        let q_values = benjamini_hochberg(&[0.5, 0.01, 0.04]);
        let expected = [0.5, 0.03, 0.06];
        assert!(q_values.iter().zip(expected).all(|(q, e)| (q - e).abs() < 1e-15), "{q_values:?}");
    }

    #[test]
    fn stopping_after_h_exceedances() {
        let h = NonZeroU32::new(2);
        // Draws 2 and 5 reach 6: p = h / l = 2/5, whatever follows.
        let stopped = layer(&[6, 1, 6, 2, 3, 9, 9, 9]);
        assert_eq!(infer(std::slice::from_ref(&stopped), h)[0].p_value, 2.0 / 5.0);
        assert_eq!(infer(std::slice::from_ref(&stopped), h)[0].permutations, 4);
        // One exceedance in all 7 draws: (1 + 1) / (1 + 7).
        let running = layer(&[9, 1, 6, 2, 3, 9, 4, 4]);
        assert_eq!(infer(std::slice::from_ref(&running), h)[0].p_value, 2.0 / 8.0);
        assert!(may_stop(std::slice::from_ref(&stopped), h.unwrap()));
        assert!(!may_stop(&[stopped, running], h.unwrap()));
    }

    #[test]
    fn the_batch_at_which_a_family_stops_changes_nothing() {
        let h = NonZeroU32::new(2);
        let family = |draws: usize| {
            [[3, 4, 0, 5, 1, 9, 2, 7], [5, 1, 6, 2, 8, 0, 9, 3]].map(|points| layer(&points[..=draws])).to_vec()
        };
        // The second layer's second exceedance is draw 4.
        assert!(!may_stop(&family(3), h.unwrap()));
        assert!(may_stop(&family(4), h.unwrap()));
        for draws in 5..=7 {
            assert_eq!(infer(&family(draws), h), infer(&family(4), h));
        }
    }
}
