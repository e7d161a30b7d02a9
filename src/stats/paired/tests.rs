use std::ops::ControlFlow;
use std::slice::from_ref;

use super::*;
use crate::stats::Rsm;
use crate::stats::influence::{Tested, spread};
use crate::stats::rsa::Rsa;
use crate::stats::scoring::Ties;
use crate::stats::two_vs_two;

const DRAWS: u64 = 499;

/// Nobody asks to stop.
fn differences(family: &[Spread], looked_at: &[Vec<f64>], draws: u64, seed: u64) -> Vec<Difference> {
    super::differences(family, looked_at, draws, seed, &go_on).unwrap()
}

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn draws_follow_students_t() {
    // 20 concepts: 10 degrees of freedom; the 95 % quantile of |t| is 2.228. With 20,000 draws its standard error is .02.
    let spread =
        |difference| Spread { difference, variance: 1.0, freedom: 10, influences: (0..20).map(f64::from).collect() };
    let found = differences(&[spread(0.5), spread(2.228)], &[], 20_000, 1);
    assert!((found[1].p_value - 0.05).abs() < 0.005, "{found:?}");
    // Influenced by the same concepts, two differences are one: nothing to correct for.
    assert_eq!(found[1].p_fwer, found[1].p_value);
    assert_eq!(found[0].interval, Interval { low: -1.0, high: 1.0 }, "accuracies differ by no more");
    let narrow = differences(&[Spread { variance: 0.01, ..spread(0.5) }], &[], 20_000, 1)[0];
    assert!(
        (narrow.interval.low - 0.2772).abs() < 0.006 && (narrow.interval.high - 0.7228).abs() < 0.006,
        "{narrow:?}"
    );
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
    let found = differences(&family, &[], DRAWS, 3);
    assert!(found.iter().all(|d| d.p_value <= d.p_fwer && d.p_fwer <= 1.0));
    assert!(found.iter().skip(1).any(|d| d.p_value < d.p_fwer), "{found:?}");
}

#[test]
fn what_was_only_looked_at_is_corrected_for_too() {
    let mut random = Random::keyed(8, 0);
    let mut influences = || (0..30).map(|_| random.unit() - 0.5).collect::<Vec<f64>>();
    let family = [Spread { difference: 0.2, variance: 0.01, freedom: 15, influences: influences() }];
    let looked_at: Vec<Vec<f64>> = (0..7).map(|_| influences()).collect();
    let [alone, among] = [&[][..], &looked_at].map(|looked_at| differences(&family, looked_at, DRAWS, 3)[0]);
    assert_eq!((alone.p_value, alone.p_fwer), (among.p_value, alone.p_value));
    assert!(among.p_fwer > 3.0 * among.p_value, "{among:?}");
    // A copy in another scale of rounding is none more to choose from.
    let copy = looked_at[0].iter().map(|x| x * (1.0 + 4.0 * f64::EPSILON)).collect();
    let with_copy = [&looked_at[..], &[copy]].concat();
    let pairs = every_two(&with_copy);
    assert_eq!(pairs.len(), 7 * 6 / 2 + 6, "seven with each other, six with the copy");
}

#[test]
fn what_differs_by_nothing_is_not_paid_for() {
    let mut random = Random::keyed(10, 0);
    let mut spread = |difference| Spread {
        difference,
        variance: 0.01,
        freedom: 15,
        influences: (0..30).map(|_| random.unit() - 0.5).collect(),
    };
    let [one, other] = [spread(0.2), spread(0.0)];
    let nothing = Spread { variance: 0.0, influences: vec![0.0; 30], ..other.clone() };
    let alone = differences(std::slice::from_ref(&one), &[], DRAWS, 3);
    let among = differences(&[nothing.clone(), one.clone(), nothing.clone()], &[], DRAWS, 3);
    assert_eq!(among[1], alone[0]);
    assert_eq!((among[0].p_value, among[2].p_fwer, among[0].interval), (1.0, 1.0, Interval { low: 0.0, high: 0.0 }));
    assert!(differences(&[one, other], &[], DRAWS, 3)[0].p_fwer > alone[0].p_fwer);
    assert_eq!(differences(&[nothing], &[], DRAWS, 3)[0].p_fwer, 1.0);
}

#[test]
fn directions_keep_their_angles_in_the_space_that_they_span() {
    let mut random = Random::keyed(9, 0);
    let [a, b, c] = [0; 3].map(|_| (0..300).map(|_| random.unit() - 0.5).collect::<Vec<f64>>());
    let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 2.0 * a - b).collect();
    let near: Vec<f64> = b.iter().zip(&c).map(|(b, c)| b + 1e-3 * c).collect();
    let directions: Vec<Vec<f64>> = [&a, &b, &sum, &a, &near, &c].map(|influences| direction(influences)).into();
    let found = in_their_span(directions.clone());
    assert!(found.iter().all(|own| own.len() == 3), "three of six are no others' sums: {found:?}");
    for (x, own_x) in directions.iter().zip(&found) {
        for (y, own_y) in directions.iter().zip(&found) {
            assert!((dot(x, y) - dot(own_x, own_y)).abs() < 1e-9, "{found:?}");
        }
    }
}

#[test]
fn many_influences_are_drawn_in_the_space_of_the_members() {
    // Three members that have nothing to do with each other, and the first again: 1 - .95^3 of draws pass 2.228 with 10 degrees
    // of freedom. The standard error of 20,000 draws is .0025.
    let influences =
        |place: usize, size: f64| (0..300).map(|n| if n == place { size } else { 0.0 }).collect::<Vec<f64>>();
    let influences = [influences(0, 1.0), influences(1, 1.0), influences(2, 1.0), influences(0, 3.0)];
    let members = influences.each_ref().map(|influences| Member { t: 2.228, freedom: 10, influences });
    let p = family_wise(&members, 20_000, 2, &go_on).unwrap();
    assert!((p[0] - 0.1426).abs() < 0.0075, "{p:?}");
    assert_eq!(p, [p[0]; 4]);
    assert_eq!(family_wise(&members[..3], 20_000, 2, &go_on).unwrap(), p[..3], "a copy is not paid for");
}

#[test]
fn two_groups_do_not_tell_what_moves_together() {
    // Their influences lie along one line. Student's p of 1 is .5.
    let spread = |own: f64| Spread { difference: 0.5, variance: 0.25, freedom: 1, influences: vec![own, -own] };
    let among = |looked_at: &[Vec<f64>]| differences(&[spread(0.5), spread(-0.1)], looked_at, DRAWS, 2)[0];
    let found = among(&[]);
    assert!((found.p_value - 0.5).abs() < 1e-12 && (found.p_fwer - 0.75).abs() < 1e-12, "{found:?}");
    // Of three that were looked at, every two; the family's are among them.
    let looked_at = [0.5, 0.0, 0.5].map(|own| vec![own, -own]);
    assert!((among(&looked_at).p_fwer - 0.875).abs() < 1e-12);
    // 12.7062 is the 95 % quantile of |t|.
    let narrow = differences(&[Spread { difference: 0.01, variance: 1e-4, ..spread(0.01) }], &[], DRAWS, 2)[0];
    assert!((narrow.interval.high - 0.137062).abs() < 1e-6 && narrow.p_fwer == narrow.p_value, "{narrow:?}");
    assert_eq!(family_wise_of_two(&[0.5, 1.0], DRAWS, &go_on).unwrap(), [0.75, 1.0]);
}

#[test]
fn more_degrees_of_freedom_than_many_are_drawn_as_many() {
    let influences: Vec<f64> = (0..20).map(f64::from).collect();
    let of = |freedom| family_wise(&[Member { t: 1.5, freedom, influences: &influences }], DRAWS, 4, &go_on).unwrap();
    assert_eq!(of(100_000), of(MANY));
    assert_ne!(of(2), of(MANY));
}

#[test]
fn draws_stop_when_asked_to() {
    let stop = |_| ControlFlow::Break(());
    let influences = vec![1.0, 2.0];
    let member = Member { t: 1.0, freedom: 2, influences: &influences };
    assert_eq!(family_wise(&[member], DRAWS, 1, &stop), Err(Interrupted));
    let spread = Spread { difference: 0.1, variance: 0.01, freedom: 2, influences };
    assert_eq!(super::differences(&[spread], &[], DRAWS, 1, &stop), Err(Interrupted));
}

#[test]
#[should_panic(expected = "members of as many influences")]
fn members_have_as_many_influences() {
    let members = [2, 3].map(|freedom| (freedom, vec![1.0; freedom]));
    let members = members.each_ref().map(|(freedom, influences)| Member { t: 1.0, freedom: *freedom, influences });
    let _ = family_wise(&members, DRAWS, 1, &go_on);
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

/// Layers with these signals in one to three groups: every layer less the one after it, and the layers' accuracies.
fn worlds(seed: u64, concepts: usize, groups: usize, signals: &[f64]) -> (Vec<Spread>, Vec<f64>) {
    let mut random = Random::keyed(seed, 1);
    let base = vectors(&mut random, concepts);
    let words = noisy(&base, 0.9, &mut random);
    let mut layer = |signal: &f64| (0..groups).map(|_| noisy(&base, *signal, &mut random)).collect::<Vec<Rsm>>();
    let layers: Vec<Vec<Rsm>> = signals.iter().map(&mut layer).collect();
    let against = |two: &[Vec<Rsm>]| {
        let [a, b] = [0, 1].map(|n| Tested { words: &words, groups: &two[n], ties: Ties::Lost });
        spread(a, b, &go_on).unwrap()
    };
    let found: Vec<Spread> = layers.windows(2).map(against).collect();
    let mean = |layer: &Vec<Rsm>| layer.iter().map(|group| accuracy(&words, group)).sum::<f64>() / groups as f64;
    let accuracies: Vec<f64> = layers.iter().map(mean).collect();
    assert!((found[0].difference - accuracies[0] + accuracies[1]).abs() < 1e-12);
    (found, accuracies)
}

#[test]
fn a_layer_against_itself_does_not_differ() {
    let mut random = Random::keyed(3, 1);
    let base = vectors(&mut random, 12);
    let (words, layer) = (noisy(&base, 0.9, &mut random), noisy(&base, 0.5, &mut random));
    let side = Tested { words: &words, groups: from_ref(&layer), ties: Ties::Lost };
    let found = spread(side, side, &go_on).unwrap();
    assert_eq!((found.difference, found.variance), (0.0, 0.0));
    let found = differences(&[found], &[], DRAWS, 1)[0];
    assert_eq!(
        (found.observed, found.interval, found.p_value, found.p_fwer),
        (0.0, Interval { low: 0.0, high: 0.0 }, 1.0, 1.0)
    );
}

/// What came of many worlds of two layers.
struct Found {
    /// Share in which they are told apart.
    rejected: f64,
    /// The same by a z-test with the true spread.
    by_z: f64,
    /// The estimated spread over the true one.
    ratio: f64,
    /// Share of the intervals that hold the mean difference.
    held: f64,
    /// The layers' mean accuracies.
    accuracies: [f64; 2],
}

fn found(count: u64, concepts: usize, groups: usize, signals: [f64; 2]) -> Found {
    let world = |seed: u64| {
        let (mut spreads, accuracies) = worlds(seed, concepts, groups, &signals);
        (spreads.remove(0), accuracies)
    };
    let (all, accuracies): (Vec<Spread>, Vec<Vec<f64>>) = (0..count).into_par_iter().map(world).unzip();
    let count = count as f64;
    let mean = all.iter().map(|world| world.difference).sum::<f64>() / count;
    let true_variance = all.iter().map(|world| (world.difference - mean).powi(2)).sum::<f64>() / count;
    let estimated = all.iter().map(|world| world.variance).sum::<f64>() / count;
    let tested = |(seed, world): (usize, &Spread)| differences(from_ref(world), &[], DRAWS, seed as u64)[0];
    let tests: Vec<Difference> = all.par_iter().enumerate().map(tested).collect();
    let share = |of: &dyn Fn(&Difference) -> bool| tests.iter().filter(|test| of(test)).count() as f64 / count;
    Found {
        rejected: share(&|test| test.p_value <= 0.05),
        by_z: share(&|test| test.observed.abs() > 1.96 * true_variance.sqrt()),
        ratio: (estimated / true_variance).sqrt(),
        held: share(&|test| test.interval.low <= mean && mean <= test.interval.high),
        accuracies: [0, 1].map(|n| accuracies.iter().map(|world| world[n]).sum::<f64>() / count),
    }
}

#[test]
fn equals_are_told_apart_at_the_level_and_unequals_with_the_power_of_a_z_test() {
    // At most .05 and three standard errors of 400 worlds: .05 + 3 x .011.
    for (concepts, signal, most) in [(12, 0.05, 0.083), (12, 0.6, 0.083), (30, 0.05, 0.083), (30, 0.5, 0.083)] {
        let Found { rejected, ratio, .. } = found(400, concepts, 1, [signal, signal]);
        assert!(rejected <= most, "{concepts} concepts, signal {signal}: {rejected} of equal layers told apart");
        assert!((0.85..1.3).contains(&ratio), "{concepts} concepts, signal {signal}: {ratio} of the true spread");
    }
    // The shares of z's power vary by .06 and .07 from 400 worlds to others.
    for (concepts, signals, least) in [(30, [0.5, 0.25], 0.9), (12, [0.6, 0.2], 0.6)] {
        let Found { rejected, by_z, .. } = found(400, concepts, 1, signals);
        assert!(by_z > 0.2 && rejected > least * by_z, "{concepts}: found {rejected}, by the true spread {by_z}");
    }
}

#[test]
#[ignore = "minutes: the tables of this module's documentation"]
fn level_and_power_at_length() {
    let settings = [
        (12, 1, 4000, [0.0, 0.0]),
        (12, 1, 4000, [0.05, 0.05]),
        (12, 1, 4000, [0.2, 0.2]),
        (12, 1, 4000, [0.4, 0.4]),
        (12, 1, 4000, [0.6, 0.6]),
        (12, 3, 4000, [0.3, 0.3]),
        (12, 3, 4000, [0.6, 0.6]),
        (30, 1, 2000, [0.0, 0.0]),
        (30, 1, 2000, [0.05, 0.05]),
        (30, 1, 2000, [0.2, 0.2]),
        (30, 1, 2000, [0.5, 0.5]),
        (30, 3, 2000, [0.5, 0.5]),
        (50, 3, 800, [0.5, 0.5]),
        (100, 1, 400, [0.05, 0.05]),
        (100, 1, 400, [0.4, 0.4]),
        (12, 1, 4000, [0.3, 0.05]),
        (12, 1, 4000, [0.6, 0.2]),
        (12, 3, 4000, [0.5, 0.2]),
        (12, 1, 4000, [0.8, 0.4]),
        (20, 1, 2000, [0.6, 0.3]),
        (30, 1, 2000, [0.5, 0.25]),
        (30, 1, 2000, [0.7, 0.5]),
        (50, 3, 800, [0.5, 0.37]),
        (100, 1, 400, [0.4, 0.3]),
    ];
    for (concepts, groups, count, signals) in settings {
        let Found { rejected, by_z, ratio, held, accuracies: [a, b] } = found(count, concepts, groups, signals);
        println!(
            "{concepts} concepts, {groups} groups, {signals:?}, accuracies {a:.2} {b:.2}: {rejected:.3} (z {by_z:.3}, {:.2}), \
             spread {ratio:.2}, held {held:.3}",
            rejected / by_z
        );
    }
    for (concepts, count, signal) in [(12, 2000, 0.2), (12, 2000, 0.6), (30, 1000, 0.05), (30, 1000, 0.5)] {
        let world = |seed: u64| {
            let (family, accuracies) = worlds(seed, concepts, 1, &[signal; 5]);
            let any = differences(&family, &[], DRAWS, seed).iter().any(|difference| difference.p_fwer <= 0.05);
            (any, accuracies.iter().sum::<f64>() / 5.0)
        };
        let (any, accuracies): (Vec<bool>, Vec<f64>) = (0..count).into_par_iter().map(world).unzip();
        let rejected = any.iter().filter(|&&any| any).count() as f64 / count as f64;
        let accuracy = accuracies.iter().sum::<f64>() / count as f64;
        println!("{concepts} concepts, four neighbours, accuracy {accuracy:.2}: {rejected:.3} family-wise");
    }
}
