//! To which other worlds a value is generalised: to other concepts of the same kind, to other groups (subjects, seeds, image
//! sets), or to both.
//!
//! A bootstrap draws concepts, groups or both with replacement; the spread of a value over resamples is that of the value over
//! such worlds. Copies of one concept correlate 1, which says nothing: pairs of a concept with itself are left out of every
//! measure ([`bootstrap`](super::bootstrap); rsatoolbox does the same). A group that is drawn twice counts twice; in a noise
//! ceiling all its copies are left out of the mean that they are held against.
//!
//! # Variance
//!
//! With `G` groups and `k` concepts, `V_g` and `V_c` the variances of the two bootstraps of one factor and `V_gc` that of the
//! bootstrap of both, by Schütt, Kipnis, Diedrichsen & Kriegeskorte 2023 (eLife 12:e82566), as rsatoolbox 0.3.2 has it
//! ([`dual_variance`]):
//!
//! - over groups `G / (G - 1) V_g`, over concepts `k / (k - 1) V_c`;
//! - over both `G / (G - 1) V_g + k / (k - 1) V_c - G k / ((G - 1) (k - 1)) (V_gc - V_g - V_c)`, at least either of the first
//!   two, at most `V_gc`: what groups and concepts do together is in all three bootstraps, and in `V_gc` three times.
//!
//! # What pairs do by themselves
//!
//! The same holds among concepts. An entry of a matrix belongs to two; drawn `w_a w_b` times, its own part `P` of the variance
//! is in `V_c` three times (`E[w^2]^2 - 1 = 3`), and what it does in each group otherwise, `Q`, three times in `V_c` and seven
//! times in `V_gc`. With 20 concepts that makes intervals 1.4 times too wide. `P` and `Q` are sums over pairs of their
//! contributions to the value, to first order ([`Pairs`]), so `V_c - 2 (P + Q)` and `V_gc - 2 P - 4 Q` take the places of `V_c`
//! and `V_gc`; as residuals of pairs use up four concepts, the former times `(k - 1) / (k - 4)`, with `k / 2` degrees of freedom.
//! This is ours, not rsatoolbox's.
//!
//! # Accuracies
//!
//! A pair's outcome depends on all other concepts as columns of its rows, a part of a third order, and resamples have fewer
//! columns. So the 2 vs. 2 accuracy and its differences have their variance in closed form
//! ([`influence::generalised`](super::influence::generalised)), as in `semgpu compare`; over concepts an accuracy keeps its
//! interval by percentiles ([`super::bootstrap`]), which bounds that over both. Of variances only that of what is held against a
//! noise ceiling is bootstrapped, and too wide.
//!
//! # Interval
//!
//! The value plus and minus its standard deviation times the quantile of Student's t, for accuracies in log-odds. Over groups
//! `G - 1` degrees of freedom; over both those of the sum of the two (Satterthwaite 1946), at least the fewer, which rsatoolbox
//! takes always: few groups say little of the doubt where concepts make most of it.
//!
//! Near 1 log-odds are so steep that an accuracy of 1.000 would lie anywhere. So over both neither end of an accuracy's interval is
//! farther from it than the root of the sum of squares of the ends over concepts (percentiles) and over groups
//! ([`Estimate::within`]), which is what two factors without anything in common reach.
//!
//! A value, and a spread, that two correlations' rounding explains is 0, with p = 1: a word model and its copy in another scale
//! do not differ. Accuracies are counted in whole numbers.
//!
//! # Families
//!
//! The values of a family are held against the maximum of their `|t*|` in draws that all share
//! ([`paired::family_wise`]); what moves them together are the concepts' and groups' influences, or
//! the resamples ([`Samples::influences`]): a multivariate t with the resamples' correlations, but for the one degree of freedom of
//! two groups, which tell of none. Of five layers
//! without a difference, each less the one before it (`tests::families_at_length`, 400 worlds of 5 groups and 20 concepts, signal
//! .2), any was called significant over concepts in .070 of worlds by 2 vs. 2 and in .058 by Pearson (.170 and .185 by p-values
//! alone; the standard error of .05 is .011); over both the suite bounds it
//! (`tests::families_of_differences_hold_their_level`: at most .11 of 120 worlds of 16 concepts).
//!
//! # What intervals hold
//!
//! Of worlds with 5 groups and 20 concepts (400 each; features of a concept are new with it, a group's weights of features with
//! the group, images with both; nominal 95 %; `tests::coverage_at_length`), intervals of a value, of the difference of two
//! models, and of the distance to the ceiling held the mean over worlds in:
//!
//! | over | Pearson | Spearman | 2 vs. 2 |
//! | --- | --- | --- | --- |
//! | concepts | .917 .955 .963 | .930 .965 .963 | .998 |
//! | groups | .955 .945 .993 | .950 .938 .988 | .995 |
//! | both | .968 .975 .990 | .973 .973 .993 | .998 |
//!
//! (Of 2 vs. 2 only the distance: values and differences have another spread since this was measured, of which the suite bounds
//! what their intervals hold, `tests::intervals_hold_the_truth_in_the_worlds_that_they_speak_of`: at least .89 of 200 worlds of 16
//! concepts.) Distances to a ceiling are the widest: a resample has fewer different groups to make a mean of.

mod drawn;
mod resampled;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Interval, confidence_interval, log_odds, of_log_odds, steepness};
use super::{LEVEL, paired, rsa, student};

pub use resampled::{Measure, PairVariance, Pairs, Resampled, Resampling, group_multiplicities, resampled};

/// Fewest groups that vary.
pub const FEWEST_GROUPS: usize = 2;

/// Fewer groups say little of others.
pub const ENOUGH_GROUPS: usize = 5;

/// Concepts that the estimate of a variance of pairs uses up.
const SPENT: usize = 4;

/// What other worlds have other ones of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Generalise {
    /// Concepts; the groups are those that there are.
    Concepts,
    /// Groups; the concepts are those that there are.
    Groups,
    /// Both.
    Both,
}

impl std::fmt::Display for Generalise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Concepts => "concepts",
            Self::Groups => "groups",
            Self::Both => "both",
        })
    }
}

impl Generalise {
    /// Whether other worlds have other groups.
    pub fn over_groups(self) -> bool {
        self != Self::Concepts
    }

    /// Whether they have other concepts.
    pub fn over_concepts(self) -> bool {
        self != Self::Groups
    }

    /// In words, `groups` what groups are called.
    pub fn said(self, groups: &str) -> String {
        match self {
            Self::Concepts => "concepts".to_string(),
            Self::Groups => groups.to_string(),
            Self::Both => format!("concepts and {groups}"),
        }
    }
}

/// A value under resamples; those of a bootstrap that is not needed are not there. NaN where it has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// Of groups and concepts.
    pub both: Vec<f64>,
    /// Of groups.
    pub groups: Vec<f64>,
    /// Of concepts.
    pub concepts: Vec<f64>,
}

/// How many there are to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Groups.
    pub groups: usize,
    /// Concepts.
    pub concepts: usize,
}

/// What a value is on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Within these bounds.
    Plain(f64, f64),
    /// An accuracy out of so many pairs of all groups.
    Accuracy(u64),
}

/// A value with what other worlds would make of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// As observed; 0 where it is nothing but rounding.
    pub value: f64,
    /// Its standard deviation over such worlds.
    pub deviation: f64,
    /// Degrees of freedom of its variance.
    pub freedom: f64,
    /// Where it lies in such worlds.
    pub interval: Interval,
    /// Of no value, two-sided: none for an accuracy.
    pub p_value: Option<f64>,
}

impl Samples {
    /// The same resamples' differences.
    pub fn minus(&self, other: &Self) -> Self {
        let minus = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect();
        Self {
            both: minus(&self.both, &other.both),
            groups: minus(&self.groups, &other.groups),
            concepts: minus(&self.concepts, &other.concepts),
        }
    }

    /// The resamples of what varies, less their mean: what moves two values together. 0 where there was none.
    pub fn influences(&self, over: Generalise) -> Vec<f64> {
        let values = match over {
            Generalise::Concepts => &self.concepts,
            Generalise::Groups => &self.groups,
            Generalise::Both => &self.both,
        };
        let mean = mean(values);
        values.iter().map(|value| if value.is_nan() { 0.0 } else { value - mean }).collect()
    }

    /// The variance over other worlds and its degrees of freedom; without pairs that of the bootstraps alone, as rsatoolbox has
    /// it.
    fn variance(&self, over: Generalise, sizes: Sizes, pairs: Option<PairVariance>) -> (f64, f64) {
        let [both, groups, concepts] = [&self.both, &self.groups, &self.concepts].map(|values| variance(values));
        let [of_groups, mut of_concepts] = [sizes.groups, sizes.concepts].map(|n| (n - 1) as f64);
        let [groups_spent, concepts_spent] = [of_groups, of_concepts].map(|freedom| (freedom + 1.0) / freedom);
        let (both, concepts) = match pairs {
            None => (both, concepts),
            Some(PairVariance { alike, by_group }) => {
                assert!(sizes.concepts > SPENT, "{} concepts leave a variance of pairs nothing", sizes.concepts);
                let spent = of_concepts / (sizes.concepts - SPENT) as f64;
                // A bootstrap of nothing but pairs would vary three times as much as worlds do.
                let once = spent * (concepts - 2.0 * (alike + by_group)).max(concepts / 3.0);
                let rest = both - concepts - 2.0 * by_group;
                of_concepts = (sizes.concepts / 2) as f64;
                (once + rest.max(groups), once)
            }
        };
        match over {
            Generalise::Groups => (groups_spent * groups, of_groups),
            Generalise::Concepts => (concepts_spent * concepts, of_concepts),
            Generalise::Both => {
                let [g, c] = [groups_spent * groups, concepts_spent * concepts];
                (dual_variance([both, groups, concepts], sizes), satterthwaite([(g, of_groups), (c, of_concepts)]))
            }
        }
    }

    /// The estimate of an observed value, with the variance of what pairs of concepts do by themselves.
    ///
    /// # Panics
    /// If there are no resamples, groups that are drawn are fewer than two, or concepts fewer than five.
    pub fn estimate(&self, value: f64, pairs: PairVariance, over: Generalise, sizes: Sizes, scale: Scale) -> Estimate {
        // Two correlations and means of them, each as far off as rounding takes it.
        let rounding = 2.0 * rsa::rounding(sizes.concepts * (sizes.concepts - 1) / 2);
        let is_nothing = |x: f64| matches!(scale, Scale::Plain(..)) && x.abs() <= rounding;
        let value = if is_nothing(value) { 0.0 } else { value };
        let (mut variance, freedom) = self.variance(over, sizes, Some(pairs));
        // What pairs do by themselves is part of it, and a difference of large numbers.
        if is_nothing(self.variance(over, sizes, None).0.sqrt()) {
            variance = 0.0;
        }
        let estimate = Estimate::new(value, (variance, freedom), scale);
        match (scale, over) {
            (Scale::Accuracy(count), Generalise::Concepts) => {
                Estimate { interval: confidence_interval(value, &self.concepts, count), ..estimate }
            }
            _ => estimate,
        }
    }
}

impl Estimate {
    /// The value in its standard deviations, whatever its sign.
    pub fn t(&self) -> f64 {
        paired::t(self.value, self.deviation)
    }

    /// Of a value by its variance and the variance's degrees of freedom.
    pub fn new(value: f64, (variance, freedom): (f64, f64), scale: Scale) -> Self {
        let deviation = variance.sqrt();
        let reach = student::quantile(LEVEL, freedom) * deviation;
        let (interval, p_value) = match scale {
            Scale::Plain(least, most) => {
                let end = |end: f64| end.clamp(least, most);
                // Where nothing varies, as of groups that are copies, there is nothing to hold a value against.
                let p_value = match value == 0.0 {
                    true => Some(1.0),
                    false => (deviation > 0.0).then(|| student::beyond(value / deviation, freedom)),
                };
                (Interval { low: end(value - reach), high: end(value + reach) }, p_value)
            }
            Scale::Accuracy(count) => {
                let reach = reach * steepness(value, count);
                let end = |way: f64| of_log_odds(log_odds(value, count) + way, count);
                (Interval { low: end(-reach), high: end(reach) }, None)
            }
        };
        Self { value, deviation, freedom, interval: interval.holding(value), p_value }
    }

    /// With neither end farther from the value than those over each factor by itself reach together, as if the factors had
    /// nothing in common: near its ends an accuracy's log-odds are too steep for a deviation to say how far they reach.
    pub fn within(self, factors: [Interval; 2]) -> Self {
        let Self { value, interval, .. } = self;
        let reach = |of: fn(f64, Interval) -> f64| {
            let [concepts, groups] = factors.map(|factor| of(value, factor).max(0.0));
            concepts.hypot(groups)
        };
        let low = interval.low.max(value - reach(|value, factor| value - factor.low));
        let high = interval.high.min(value + reach(|value, factor| factor.high - value));
        Self { interval: Interval { low, high }, ..self }
    }
}

/// The variance over groups and concepts, from those of the bootstraps of both, of groups and of concepts (module
/// documentation).
pub fn dual_variance([both, groups, concepts]: [f64; 3], sizes: Sizes) -> f64 {
    let spent = |n: usize| n as f64 / (n - 1) as f64;
    let (g, c) = (spent(sizes.groups), spent(sizes.concepts));
    let corrected = g * groups + c * concepts - g * c * (both - groups - concepts);
    corrected.max(g * groups).max(c * concepts).min(both)
}

/// Degrees of freedom of the sum of two variances with theirs (Satterthwaite 1946); the fewer where nothing varies.
pub(super) fn satterthwaite([(a, of_a), (b, of_b)]: [(f64, f64); 2]) -> f64 {
    let found = (a + b).powi(2) / (a * a / of_a + b * b / of_b);
    // Not less than the fewer but for rounding, and NaN of nothing.
    found.max(of_a.min(of_b))
}

/// Of a sample; values that are none are left out.
fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    let values = || values.iter().filter(|value| !value.is_nan());
    values().map(|value| (value - mean).powi(2)).sum::<f64>() / (values().count() as f64 - 1.0)
}

/// Their mean.
fn mean(values: &[f64]) -> f64 {
    let values = || values.iter().filter(|value| !value.is_nan());
    values().sum::<f64>() / values().count() as f64
}
