//! The calibrated score: how far a value lies above what chance reaches (arXiv 2602.14486).
//!
//! `(value - tau) / (1 - tau)`, 0 below it, where `tau` is the null's `1 - alpha` quantile: of the `m` draws and the observed
//! value in ascending order the `ceil((1 - alpha)(1 + m))`-th. Wide layers and few concepts have high values by chance, and
//! their `tau` says how high. Of a family the draws' maxima take the place of the draws: what the best pair reaches by
//! chance.

use super::inference::LayerScores;

/// A pair's `tau`; none without draws.
pub fn threshold(scores: &LayerScores, alpha: f64) -> Option<f64> {
    threshold_of_maximum(&[scores], alpha)
}

/// The `tau` of the highest value of a family in each draw; none without draws or members.
///
/// # Panics
/// If the members differ in their draws.
pub fn threshold_of_maximum(family: &[&LayerScores], alpha: f64) -> Option<f64> {
    let mut maxima: Vec<f64> = Vec::new();
    for scores in family {
        let values: Vec<f64> = std::iter::once(scores.observed()).chain(scores.null()).collect();
        assert!(maxima.is_empty() || maxima.len() == values.len(), "the members of a family share their draws");
        maxima.resize(values.len(), f64::NEG_INFINITY);
        maxima.iter_mut().zip(values).for_each(|(maximum, value)| *maximum = maximum.max(value));
    }
    quantile(maxima, alpha)
}

/// A value that would be 1 in exact arithmetic is above it by less than this.
const ROUNDING: f64 = 1e-9;

/// Whether a value has a calibrated score. 1 is the highest of every measure but CKNNA: its numerator is over other pairs than
/// its two norms, so that nothing bounds it where few concepts have many neighbours.
pub fn has_score(value: f64, tau: f64) -> bool {
    value.max(tau) <= 1.0 + ROUNDING
}

/// The calibrated score of a value.
pub fn score(value: f64, tau: f64) -> f64 {
    if tau < 1.0 { ((value - tau) / (1.0 - tau)).max(0.0) } else { 0.0 }
}

fn quantile(mut values: Vec<f64>, alpha: f64) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let rank = ((1.0 - alpha) * values.len() as f64).ceil() as usize;
    Some(values[rank.clamp(1, values.len()) - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tau_is_the_order_statistic_of_draws_and_observed() {
        // Observed 90 and draws 0 to 18: of 20 values the 19th is 18; of four the last, the observed one itself.
        let scores = LayerScores::new([90].into_iter().chain(0..19).collect(), 100);
        assert_eq!(threshold(&scores, 0.05), Some(0.18));
        assert_eq!(threshold(&LayerScores::new(vec![90, 1, 2, 3], 100), 0.05), Some(0.9));
        assert_eq!(threshold(&LayerScores::new(vec![90], 100), 0.05), None);
        assert!((score(0.9, 0.18) - 0.72 / 0.82).abs() < 1e-15);
        assert_eq!([score(0.1, 0.18), score(1.0, 1.0)], [0.0, 0.0]);
        assert!(has_score(1.0 + 1e-12, 1.0) && !has_score(1.5, 0.9) && !has_score(0.9, 1.5));
    }

    #[test]
    fn of_a_family_the_maxima_count() {
        let one = LayerScores::new([5].into_iter().chain(0..19).collect(), 100);
        let other = LayerScores::new([7].into_iter().chain((0..19).rev()).collect(), 100);
        // The maxima: 7 and of n and 18 - n the larger, 9 to 18, all but 9 twice.
        assert_eq!(threshold_of_maximum(&[&one, &other], 0.05), Some(0.18));
        assert_eq!(threshold_of_maximum(&[&one, &other], 0.5), Some(0.13));
        assert_eq!(threshold_of_maximum(&[], 0.05), None);
    }
}
