use std::ops::ControlFlow;
use std::slice::from_ref;

use super::*;
use crate::stats::Rsm;
use crate::stats::influence::{Tested, spread};
use crate::stats::rsa::Rsa;
use crate::stats::scoring::Ties;
use crate::stats::two_vs_two;

const DRAWS: u64 = 499;

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn draws_follow_students_t() {
    // 20 concepts: 10 degrees of freedom; the 95 % quantile of |t| is 2.228. With 20,000 draws its standard error is .02.
    let spread =
        |difference| Spread { difference, variance: 1.0, freedom: 10, influences: (0..20).map(f64::from).collect() };
    let found = differences(&[spread(0.5), spread(2.228)], &[], 20_000, 1, 0.95);
    assert!((found[1].p_value - 0.05).abs() < 0.005, "{found:?}");
    // Influenced by the same concepts, two differences are one: nothing to correct for.
    assert_eq!(found[1].p_fwer, found[1].p_value);
    assert_eq!(found[0].interval, (-1.0, 1.0), "accuracies differ by no more");
    let narrow = differences(&[Spread { variance: 0.01, ..spread(0.5) }], &[], 20_000, 1, 0.95)[0];
    assert!((narrow.interval.0 - 0.2772).abs() < 0.006 && (narrow.interval.1 - 0.7228).abs() < 0.006, "{narrow:?}");
}

#[test]
fn the_family_wise_value_is_never_the_smaller_one() {
    let mut random = Random::keyed(7, 0);
    let family: Vec<Spread> = (0..6)
        .map(|n| Spread {
            difference: 0.05 * f64::from(n),
            variance: 0.01,
            freedom: 15,
            influences: (0..30).map(|_| random.unit() - 0.5).collect(),
        })
        .collect();
    let found = differences(&family, &[], DRAWS, 3, 0.95);
    assert!(found.iter().all(|d| d.p_value <= d.p_fwer && d.p_fwer <= 1.0));
    assert!(found.iter().skip(1).any(|d| d.p_value < d.p_fwer), "{found:?}");
}

#[test]
fn what_was_only_looked_at_is_corrected_for_too() {
    let mut random = Random::keyed(8, 0);
    let mut influences = || (0..30).map(|_| random.unit() - 0.5).collect::<Vec<f64>>();
    let family = [Spread { difference: 0.2, variance: 0.01, freedom: 15, influences: influences() }];
    let beside: Vec<Vec<f64>> = (0..20).map(|_| influences()).collect();
    let [alone, among] = [&[][..], &beside].map(|beside| differences(&family, beside, DRAWS, 3, 0.95)[0]);
    assert_eq!((alone.p_value, alone.p_fwer), (among.p_value, alone.p_value));
    assert!(among.p_fwer > 3.0 * among.p_value, "{among:?}");
}

fn vectors(random: &mut Random, concepts: usize) -> Vec<f64> {
    (0..concepts * 8).map(|_| normal(random)).collect()
}

/// Correlations of vectors that share `signal` of their variance with `base`'s.
fn noisy(base: &[f64], signal: f64, random: &mut Random) -> Rsm {
    let values: Vec<f64> = base.iter().map(|v| signal.sqrt() * v + (1.0 - signal).sqrt() * normal(random)).collect();
    let rows: Vec<&[f64]> = values.chunks(8).collect();
    let r = |a: usize, b: usize| Rsa::Pearson.correlation(rows[a], rows[b]).expect("noise varies");
    let k = rows.len();
    let entries = (0..k * k).map(|n| (n / k, n % k));
    Rsm::new(k, entries.map(|(a, b)| if a == b { 1.0 } else { r(a.min(b), a.max(b)) }).collect())
}

fn accuracy(words: &Rsm, layer: &Rsm) -> f64 {
    let pairs = two_vs_two::pairs(words, layer).unwrap();
    pairs.iter().filter(|pair| pair.margin() > 0.0).count() as f64 / pairs.len() as f64
}

/// The spread of the difference of two layers with these signals.
fn world(seed: u64, concepts: usize, signals: [f64; 2]) -> Spread {
    let mut random = Random::keyed(seed, 1);
    let base = vectors(&mut random, concepts);
    let words = noisy(&base, 0.9, &mut random);
    let layers = signals.map(|signal| noisy(&base, signal, &mut random));
    let [a, b] = [0, 1].map(|n| Tested { words: &words, groups: from_ref(&layers[n]), ties: Ties::Lost });
    let found = spread(a, b, &go_on).unwrap();
    assert!((found.difference - accuracy(&words, &layers[0]) + accuracy(&words, &layers[1])).abs() < 1e-12);
    found
}

#[test]
fn a_layer_against_itself_does_not_differ() {
    let mut random = Random::keyed(3, 1);
    let base = vectors(&mut random, 12);
    let (words, layer) = (noisy(&base, 0.9, &mut random), noisy(&base, 0.5, &mut random));
    let side = Tested { words: &words, groups: from_ref(&layer), ties: Ties::Lost };
    let found = spread(side, side, &go_on).unwrap();
    assert_eq!((found.difference, found.variance), (0.0, 0.0));
    let found = differences(&[found], &[], DRAWS, 1, 0.95)[0];
    assert_eq!((found.observed, found.interval, found.p_value, found.p_fwer), (0.0, (0.0, 0.0), 1.0, 1.0));
}

/// Rejected of `worlds`, the same by a z-test with the true spread, and the estimated spread over the true one.
fn rejected(worlds: u64, concepts: usize, signals: [f64; 2]) -> (f64, f64, f64) {
    let worlds: Vec<Spread> = (0..worlds).into_par_iter().map(|seed| world(seed, concepts, signals)).collect();
    let count = worlds.len() as f64;
    let mean = worlds.iter().map(|world| world.difference).sum::<f64>() / count;
    let true_variance = worlds.iter().map(|world| (world.difference - mean).powi(2)).sum::<f64>() / count;
    let estimated = worlds.iter().map(|world| world.variance).sum::<f64>() / count;
    let p = |(seed, world): (usize, &Spread)| differences(from_ref(world), &[], DRAWS, seed as u64, 0.95)[0].p_value;
    let found = worlds.iter().enumerate().filter(|&world| p(world) <= 0.05).count() as f64;
    let by_z = worlds.iter().filter(|world| world.difference.abs() > 1.96 * true_variance.sqrt()).count() as f64;
    (found / count, by_z / count, (estimated / true_variance).sqrt())
}

#[test]
fn equals_are_told_apart_at_the_level_and_unequals_with_the_power_of_a_z_test() {
    // At most .05 and three standard errors of 400 worlds: .05 + 3 x .011; at 12 concepts the level is .06.
    for (concepts, signal, most) in [(12, 0.05, 0.1), (12, 0.6, 0.083), (30, 0.05, 0.083), (30, 0.5, 0.083)] {
        let (equal, _, ratio) = rejected(400, concepts, [signal, signal]);
        assert!(equal <= most, "{concepts} concepts, signal {signal}: {equal} of equal layers told apart");
        assert!((0.85..1.3).contains(&ratio), "{concepts} concepts, signal {signal}: {ratio} of the true spread");
    }
    let (found, by_z, _) = rejected(400, 30, [0.5, 0.25]);
    assert!(by_z > 0.4 && found > 0.8 * by_z, "found {found}, by the true spread {by_z}");
}
