//! Is one accuracy higher than another? Both under the same bootstrap resamples of the concepts.
//!
//! Two layers (networks, word models) that are tested on the same concepts profit alike from a resample that is easy,
//! so their difference varies less than either. With `a_t` and `b_t` their accuracies under resample `t`
//! ([`bootstrap::accuracies`](super::bootstrap::accuracies) with one seed) and `d` the observed difference, the deviations
//! `e_t = (a_t - b_t) - mean` stand for the error of `d`; as in the confidence interval of one accuracy the resamples'
//! place is not used, for it is biased, only their spread.
//!
//! - interval: `d` plus the quantiles of `e_t`;
//! - two-sided `p = (1 + #{|e_t| >= |d|}) / (1 + resamples)`: how often a difference as large comes about where there is
//!   none;
//! - over a family of layers `p_fwer` from the maximum over the family of `|e_t|`, each in units of its spread.
//!
//! A permutation of the words does not serve here: it asks whether either is related to the words at all.

use super::bootstrap::quantile;

/// The difference of two accuracies, a - b.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// As observed.
    pub observed: f64,
    /// Ends of its confidence interval.
    pub interval: (f64, f64),
    /// Two-sided.
    pub p_value: f64,
    /// The same against the maximum over the family.
    pub p_fwer: f64,
}

/// One member of a family: the observed accuracies and those under the resamples.
#[derive(Clone, Copy, Debug)]
pub struct Contrast<'a> {
    /// The one and the other, as observed.
    pub observed: (f64, f64),
    /// The one under each resample.
    pub a: &'a [f64],
    /// The other.
    pub b: &'a [f64],
}

/// Tests each contrast of a family at the confidence `level`.
///
/// # Panics
/// If there are no resamples, or not equally many for all, or `level` is not within 0..1.
pub fn differences(family: &[Contrast], level: f64) -> Vec<Difference> {
    assert!((0.0..1.0).contains(&level), "level {level}");
    let Some(resamples) = family.first().map(|pair| pair.a.len()) else { return Vec::new() };
    assert!(resamples > 0 && family.iter().all(|pair| pair.a.len() == resamples && pair.b.len() == resamples));
    let deviations: Vec<Vec<f64>> = family.iter().map(deviations).collect();
    let spreads: Vec<f64> = deviations.iter().map(|deviations| spread(deviations)).collect();
    let largest: Vec<f64> = (0..resamples)
        .map(|t| deviations.iter().zip(&spreads).map(|(e, spread)| e[t].abs() / spread).fold(0.0, f64::max))
        .collect();
    let share = |as_large: usize| (1 + as_large) as f64 / (1 + resamples) as f64;
    let difference = |((pair, deviations), &spread): ((&Contrast, &Vec<f64>), &f64)| {
        let observed = pair.observed.0 - pair.observed.1;
        let mut sorted = deviations.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let end = |share: f64| (observed + quantile(&sorted, share)).clamp(-1.0, 1.0);
        let outside = (1.0 - level) / 2.0;
        Difference {
            observed,
            interval: (end(outside), end(1.0 - outside)),
            p_value: share(deviations.iter().filter(|e| e.abs() >= observed.abs()).count()),
            p_fwer: share(largest.iter().filter(|&&e| e >= observed.abs() / spread).count()),
        }
    };
    family.iter().zip(&deviations).zip(&spreads).map(difference).collect()
}

/// The differences under the resamples less their mean.
fn deviations(pair: &Contrast) -> Vec<f64> {
    let differences: Vec<f64> = pair.a.iter().zip(pair.b).map(|(a, b)| a - b).collect();
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    differences.iter().map(|difference| difference - mean).collect()
}

/// Root mean square; a pair that never differs has the smallest spread there is, not 0.
fn spread(deviations: &[f64]) -> f64 {
    (deviations.iter().map(|e| e * e).sum::<f64>() / deviations.len() as f64).sqrt().max(f64::MIN_POSITIVE.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Rsm;
    use crate::stats::permutation::Random;
    use crate::stats::scoring::Ties;
    use crate::stats::{bootstrap, two_vs_two};

    #[test]
    fn numbers_that_can_be_checked_by_hand() {
        // Differences 0.1, 0.2, 0.3, 0.4: mean 0.25, deviations -0.15, -0.05, 0.05, 0.15.
        let (a, b) = ([0.6, 0.7, 0.8, 0.9], [0.5; 4]);
        let found = differences(&[Contrast { observed: (0.8, 0.7), a: &a, b: &b }], 0.5)[0];
        assert!((found.observed - 0.1).abs() < 1e-15);
        // Quantiles at places 0.75 and 2.25 of the sorted deviations: -0.075 and 0.075.
        assert!((found.interval.0 - 0.025).abs() < 1e-12 && (found.interval.1 - 0.175).abs() < 1e-12, "{found:?}");
        assert_eq!(found.p_value, 3.0 / 5.0);
        assert_eq!(found.p_fwer, found.p_value);
    }

    #[test]
    fn a_layer_against_itself_does_not_differ() {
        let a = [0.6, 0.7, 0.65];
        let found = differences(&[Contrast { observed: (0.66, 0.66), a: &a, b: &a }], 0.95)[0];
        assert_eq!((found.observed, found.interval, found.p_value, found.p_fwer), (0.0, (0.0, 0.0), 1.0, 1.0));
    }

    #[test]
    fn the_family_wise_value_is_never_the_smaller_one() {
        let mut random = Random::keyed(7, 0);
        let lists: Vec<Vec<f64>> = (0..6).map(|_| (0..99).map(|_| random.unit()).collect()).collect();
        let pairs: Vec<Contrast> =
            lists.chunks(2).map(|pair| Contrast { observed: (0.9, 0.4), a: &pair[0], b: &pair[1] }).collect();
        for difference in differences(&pairs, 0.95) {
            assert!(difference.p_value <= difference.p_fwer && difference.p_fwer <= 1.0, "{difference:?}");
        }
    }

    const CONCEPTS: usize = 24;
    const RESAMPLES: u64 = 99;

    /// Correlations of vectors that share `signal` of their variance with `base`'s.
    fn noisy(base: &[f64], signal: f64, random: &mut Random) -> Rsm {
        let dimensions = base.len() / CONCEPTS;
        let normal = |random: &mut Random| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let values: Vec<f64> =
            base.iter().map(|v| signal.sqrt() * v + (1.0 - signal).sqrt() * normal(random)).collect();
        let rows: Vec<&[f64]> = values.chunks(dimensions).collect();
        let correlation =
            |a: &[f64], b: &[f64]| crate::stats::rsa::Rsa::Pearson.correlation(a, b).expect("noise varies");
        let entries = (0..CONCEPTS).flat_map(|a| (0..CONCEPTS).map(move |b| (a, b)));
        Rsm::new(CONCEPTS, entries.map(|(a, b)| if a == b { 1.0 } else { correlation(rows[a], rows[b]) }).collect())
    }

    fn world(seed: u64, signals: [f64; 2]) -> Difference {
        let mut random = Random::keyed(seed, 1);
        let base: Vec<f64> = (0..CONCEPTS * 8).map(|_| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0).collect();
        let words = noisy(&base, 0.9, &mut random);
        let layers = signals.map(|signal| [noisy(&base, signal, &mut random)]);
        let observed = |layer: &[Rsm; 1]| {
            let pairs = two_vs_two::pairs(&words, &layer[0]).unwrap();
            pairs.iter().filter(|pair| pair.matched > pair.mismatched).count() as f64 / pairs.len() as f64
        };
        let go_on = |_| std::ops::ControlFlow::Continue(());
        let resampled =
            bootstrap::accuracies(&words, &[&layers[0], &layers[1]], seed, RESAMPLES, Ties::Lost, &go_on).unwrap();
        let pair =
            Contrast { observed: (observed(&layers[0]), observed(&layers[1])), a: &resampled[0], b: &resampled[1] };
        differences(&[pair], 0.95)[0]
    }

    /// Under the null at most 5 % are rejected, give or take three standard errors of 200 worlds: 0.05 + 3 x 0.0154.
    const MOST_REJECTED: f64 = 0.05 + 3.0 * 0.0154;

    #[test]
    fn equals_are_seldom_told_apart_and_unequals_mostly() {
        let rejected = |signals| {
            let rejected = (0..200).filter(|&seed| world(seed, signals).p_value <= 0.05).count();
            rejected as f64 / 200.0
        };
        let equal = rejected([0.5, 0.5]);
        assert!(equal <= MOST_REJECTED, "{equal} of equal layers told apart");
        let unequal = rejected([0.8, 0.1]);
        assert!(unequal > 0.8, "only {unequal} of unequal layers told apart");
    }
}
