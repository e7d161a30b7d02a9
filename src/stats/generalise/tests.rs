//! Against rsatoolbox on its demo data, and what intervals hold in simulated worlds.

use std::ops::ControlFlow;

use serde::Deserialize;

use super::resampled::Worlds;
use super::*;
use crate::stats::Rsm;
use crate::stats::bootstrap::multiplicities;
use crate::stats::influence::{self, Tested};
use crate::stats::permutation::Random;
use crate::stats::rsa::{Rsa, square, upper};
use crate::stats::scoring::Ties;

/// Of rsatoolbox 0.3.2; `recipe/generalise.py`.
#[derive(Deserialize)]
struct Golden {
    groups: Vec<Vec<f64>>,
    models: std::collections::BTreeMap<String, Vec<f64>>,
    resamples: Vec<Draw>,
    expected: std::collections::BTreeMap<String, Expected>,
    dual: Vec<Dual>,
}

#[derive(Deserialize)]
struct Draw {
    groups: Vec<u32>,
    concepts: Vec<u32>,
}

#[derive(Deserialize)]
struct Expected {
    /// `[both, groups, concepts][resamples][models, ceiling]`
    values: Vec<Vec<Vec<f64>>>,
    models: Vec<f64>,
    difference: f64,
    ceiling: Vec<f64>,
    groups: Vec<f64>,
    concepts: Vec<f64>,
}

#[derive(Deserialize)]
struct Dual {
    variances: [f64; 3],
    groups: usize,
    concepts: usize,
    expected: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../../../tests/golden/generalise.json")).unwrap()
}

#[test]
fn the_variance_over_both_is_that_of_rsatoolbox() {
    for Dual { variances, groups, concepts, expected } in golden().dual {
        let found = dual_variance(variances, Sizes { groups, concepts });
        assert!((found - expected).abs() < 1e-14, "{found}, expected {expected}");
    }
}

#[test]
fn the_same_resamples_give_the_values_ceilings_and_variances_of_rsatoolbox() {
    let Golden { groups, models, resamples, expected, .. } = golden();
    let concepts = resamples[0].concepts.len();
    let groups: Vec<Rsm> = groups.iter().map(|entries| square(entries, concepts)).collect();
    let models: Vec<Rsm> = models.values().map(|entries| square(entries, concepts)).collect();
    let (models, layers) = (models.iter().collect::<Vec<_>>(), [&groups[..]]);
    let sizes = Sizes { groups: groups.len(), concepts };
    for kind in [Rsa::Pearson, Rsa::Spearman, Rsa::KendallTauA] {
        let expected = &expected[&kind.to_string()];
        let worlds = Worlds::new(Measure::Rsa(kind), &models, &layers, Generalise::Both);
        let mut samples = vec![Samples::default(); models.len() + 1];
        for (t, draw) in resamples.iter().enumerate() {
            let found = worlds.resample(&draw.concepts, &draw.groups);
            for (bootstrap, found) in found.iter().enumerate() {
                for (place, &found) in found[0].iter().enumerate() {
                    let expected = expected.values[bootstrap][t][place];
                    assert!(
                        (found - expected).abs() < 1e-10,
                        "{kind} {bootstrap} {t} {place}: {found}, not {expected}"
                    );
                    let Samples { both, groups, concepts } = &mut samples[place];
                    [both, groups, concepts][bootstrap].push(found);
                }
            }
        }
        let close = |found: &Samples, over: Generalise, expected: f64| {
            let (found, _) = found.variance(over, sizes, None);
            assert!((found - expected).abs() < 1e-12, "{kind} over {over}: {found}, expected {expected}");
        };
        let (ceiling, models) = samples.split_last().unwrap();
        close(&models[0].minus(&models[1]), Generalise::Both, expected.difference);
        for (n, model) in models.iter().enumerate() {
            close(model, Generalise::Both, expected.models[n]);
            close(model, Generalise::Groups, expected.groups[n]);
            close(model, Generalise::Concepts, expected.concepts[n]);
            close(&model.minus(ceiling), Generalise::Both, expected.ceiling[n]);
        }
    }
}

/// Of entries of the list of all copies, without those of a concept with itself: values and the ceiling of a layer.
fn by_definition(kind: Rsa, models: &[&Rsm], groups: &[Rsm], copies: &[u32], drawn: &[u32]) -> Vec<f64> {
    let list = |rsm: &Rsm| -> Vec<f64> {
        let pairs = (0..copies.len()).flat_map(|a| (a + 1..copies.len()).map(move |b| (a, b)));
        pairs.flat_map(|(a, b)| vec![rsm.row(a)[b]; (copies[a] * copies[b]) as usize]).collect()
    };
    let lists: Vec<Vec<f64>> = groups.iter().map(list).collect();
    let r = |x: &[f64], y: &[f64]| kind.correlation(x, y).unwrap_or(f64::NAN);
    let value = |model: &&Rsm| {
        let present = lists.iter().zip(drawn).filter(|&(_, &times)| times > 0);
        let points = present.map(|(group, &times)| f64::from(times) * r(&list(model), group));
        points.sum::<f64>() / f64::from(drawn.iter().sum::<u32>())
    };
    let present: Vec<usize> = (0..groups.len()).filter(|&g| drawn[g] > 0).collect();
    let others = |g: usize| -> Vec<f64> {
        let mut sum = vec![0.0; lists[g].len()];
        for &other in present.iter().filter(|&&other| other != g) {
            let standard = kind.standardised(&lists[other]);
            sum.iter_mut().zip(standard).for_each(|(sum, x)| *sum += f64::from(drawn[other]) * x);
        }
        sum
    };
    let ceiling = present.iter().map(|&g| r(&lists[g], &others(g))).sum::<f64>() / present.len() as f64;
    models.iter().map(value).chain(groups.iter().all(|rsm| rsm.constant().is_empty()).then_some(ceiling)).collect()
}

#[test]
fn resamples_without_a_correlation_have_no_value() {
    const CONCEPTS: usize = 16;
    let mut random = Random::keyed(12, 0);
    // Two of the concepts are of another kind: one resample in eight has neither.
    let mut kinds = |noise: f64| {
        let alike = |a: usize, b: usize| f64::from(u8::from((a < CONCEPTS - 2) == (b < CONCEPTS - 2)));
        let pairs = (0..CONCEPTS).flat_map(|a| (a + 1..CONCEPTS).map(move |b| (a, b)));
        square(&pairs.map(|(a, b)| alike(a, b) + noise * random.unit()).collect::<Vec<_>>(), CONCEPTS)
    };
    let (model, groups) = (kinds(0.0), [0.5; 3].map(&mut kinds));
    let r = |group: &Rsm| Rsa::Pearson.correlation(&upper(&model), &upper(group)).unwrap();
    let value = groups.iter().map(r).sum::<f64>() / 3.0;
    for over in [Generalise::Concepts, Generalise::Both] {
        let resampling = Resampling { seed: 1, resamples: 400, over };
        let go_on = |_| ControlFlow::Continue(());
        let found = resampled(Measure::Rsa(Rsa::Pearson), &[&model], &[&groups], resampling, &go_on).unwrap();
        let (samples, pairs) = (&found.models[0][0], found.pairs[0].variance(0));
        let without = samples.concepts.iter().filter(|value| value.is_nan()).count();
        assert!((20..80).contains(&without), "{without}");
        let sizes = Sizes { groups: 3, concepts: CONCEPTS };
        let estimate = samples.estimate(value, pairs, over, sizes, Scale::Plain(-1.0, 1.0));
        // Correlations are about .9 and more in all others; were these 0, the interval would reach down to .2.
        assert!(estimate.interval.low > 0.8, "{over}: {estimate:?}");
    }
}

#[test]
fn what_is_sorted_once_has_the_values_of_the_lists_of_copies() {
    const CONCEPTS: usize = 9;
    let mut random = Random::keyed(11, 0);
    // Of few different values, some of them apart by rounding alone, and of many.
    let mut rsm = |values: u32| {
        let mut entry = || (f64::from(random.below(values)) + 0.3) / f64::from(values) * (1.0 - f64::EPSILON);
        square(&(0..CONCEPTS * (CONCEPTS - 1) / 2).map(|_| entry()).collect::<Vec<f64>>(), CONCEPTS)
    };
    let models = [rsm(3), rsm(1 << 20)];
    let mut layers = [3, 4, 1 << 20].map(|values| (0..4).map(|_| rsm(values)).collect::<Vec<Rsm>>()).to_vec();
    let nudged = |(n, x): (usize, &f64)| if n % 2 == 0 { *x } else { x * (1.0 + f64::EPSILON) };
    layers[1][0] = square(&upper(&layers[1][0]).iter().enumerate().map(nudged).collect::<Vec<f64>>(), CONCEPTS);
    // A constant image in a group.
    let mut dark = layers[2].clone();
    let entry = |a: usize, b: usize| if a != b && (a == 4 || b == 4) { f64::NAN } else { dark[1].row(a)[b] };
    dark[1] = Rsm::new(CONCEPTS, (0..CONCEPTS * CONCEPTS).map(|n| entry(n / CONCEPTS, n % CONCEPTS)).collect());
    layers.push(dark);
    let models: Vec<&Rsm> = models.iter().collect();
    let layers: Vec<&[Rsm]> = layers.iter().map(Vec::as_slice).collect();
    for kind in [Rsa::Pearson, Rsa::Spearman, Rsa::KendallTauA] {
        let worlds = Worlds::new(Measure::Rsa(kind), &models, &layers, Generalise::Both);
        for t in 0..20 {
            let (copies, drawn) = (multiplicities(1, t, CONCEPTS), group_multiplicities(1, t, 4));
            let ([all, once], every) = ([drawn.clone(), vec![1; 4]], vec![1; CONCEPTS]);
            if all.iter().filter(|&&times| times > 0).count() < FEWEST_GROUPS {
                continue;
            }
            let found = worlds.resample(&copies, &drawn);
            for (found, (copies, drawn)) in found.iter().zip([(&copies, &all), (&every, &all), (&copies, &once)]) {
                for (found, groups) in found.iter().zip(&layers) {
                    let expected = by_definition(kind, &models, groups, copies, drawn);
                    assert_eq!(found.len(), expected.len());
                    // The same correlations, summed over four groups.
                    let apart = found.iter().zip(&expected).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
                    assert!(apart <= 4.0 * f64::EPSILON, "{kind}, {t}: {found:?}, expected {expected:?}");
                }
            }
        }
    }
}

#[test]
fn over_both_an_accuracy_near_1_lies_no_farther_than_both_factors_reach() {
    let accuracy = |value: f64, variance: f64| Estimate::new(value, (variance, 8.0), Scale::Accuracy(380));
    let factors = |value: f64| [value - 0.03, value - 0.04].map(|low| Interval { low, high: 1.0 });
    let near = accuracy(1.0, 1e-4);
    assert!(near.interval.low < 0.01, "{near:?}");
    let Interval { low, high } = near.within(factors(1.0)).interval;
    assert!((low - 0.95).abs() < 1e-12 && high == 1.0, "{low} to {high}");
    // What the two have in common makes it narrower, which stays.
    let narrow = accuracy(0.9, 1e-6);
    assert_eq!(narrow.within(factors(0.9)), narrow);
}

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Concepts of eight features.
fn features(random: &mut Random, concepts: usize) -> Vec<Vec<f64>> {
    (0..concepts).map(|_| (0..8).map(|_| random.normal()).collect()).collect()
}

fn correlations(rows: &[Vec<f64>]) -> Rsm {
    let k = rows.len();
    let r = |a: usize, b: usize| Rsa::Pearson.correlation(&rows[a], &rows[b]).expect("features vary");
    Rsm::new(
        k,
        (0..k * k).map(|n| (n / k, n % k)).map(|(a, b)| if a == b { 1.0 } else { r(a.min(b), a.max(b)) }).collect(),
    )
}

/// Correlations of features that are the concepts' to this share, and noise.
fn noisy(base: &[Vec<f64>], share: f64, random: &mut Random) -> Rsm {
    let mut mixed = |v: &f64| share.sqrt() * v + (1.0 - share).sqrt() * random.normal();
    let rows: Vec<Vec<f64>> = base.iter().map(|row| row.iter().map(&mut mixed).collect()).collect();
    correlations(&rows)
}

/// How much a group makes of each feature.
fn weights(random: &mut Random) -> Vec<f64> {
    (0..8).map(|_| (0.5 * random.normal()).exp()).collect()
}

/// What is different from world to world.
#[derive(Clone, Copy)]
struct World {
    over: Generalise,
    sizes: Sizes,
    /// Share of a group's features that is the concept's.
    signal: f64,
}

/// Two word models and the groups' matrices. Every group sees the features with weights of its own, and with noise.
impl World {
    fn made(self, seed: u64) -> (Vec<Rsm>, Vec<Rsm>) {
        let Self { over, sizes, signal } = self;
        let fixed = |fixed: bool, stream| Random::keyed(if fixed { 0 } else { seed + 1 }, stream);
        let (mut of_concepts, mut of_groups) = (fixed(!over.over_concepts(), 1), fixed(!over.over_groups(), 2));
        let mut of_noise = Random::keyed(seed + 1, 3);
        let base = features(&mut of_concepts, sizes.concepts);
        let models = [0.8, 0.6].map(|share| noisy(&base, share, &mut of_concepts)).to_vec();
        let groups = (0..sizes.groups).map(|_| {
            let weights = weights(&mut of_groups);
            let mut seen =
                |(v, weight): (&f64, &f64)| signal.sqrt() * v * weight + (1.0 - signal).sqrt() * of_noise.normal();
            let rows: Vec<Vec<f64>> =
                base.iter().map(|row| row.iter().zip(&weights).map(&mut seen).collect()).collect();
            correlations(&rows)
        });
        let groups = groups.collect();
        (models, groups)
    }

    /// Of a value, a difference of models and one to the ceiling: the share of worlds whose interval holds the mean over
    /// worlds, and the estimated standard deviation over the true one.
    fn coverage(self, measure: Measure, worlds: u64, resamples: u64) -> [(f64, f64); 3] {
        use rayon::prelude::*;
        let Self { over, sizes, .. } = self;
        let estimates = |seed: u64| -> [(f64, Interval, f64); 3] {
            let (models, groups) = self.made(seed);
            let (models, layers) = (models.iter().collect::<Vec<_>>(), [&groups[..]]);
            let observed = Worlds::new(measure, &models, &layers, Generalise::Both);
            let [_, observed, _] = observed.resample(&vec![1; sizes.concepts], &vec![1; sizes.groups]);
            let values = &observed[0];
            let resampling = Resampling { seed, resamples, over };
            let found = resampled(measure, &models, &layers, resampling, &go_on).unwrap();
            let (samples, by_pairs) = (&found.models[0], &found.pairs[0]);
            let ceiling = found.ceilings[0].as_ref().unwrap();
            let pairs = (sizes.groups * sizes.concepts * (sizes.concepts - 1) / 2) as u64;
            let scale =
                if let Measure::TwoVsTwo(_) = measure { Scale::Accuracy(pairs) } else { Scale::Plain(-1.0, 1.0) };
            let plain = Scale::Plain(-2.0, 2.0);
            let tested = |model: usize| Tested { words: models[model], groups: &groups, ties: Ties::Lost };
            let alone = Tested { groups: &[], ..tested(0) };
            let spread = |a, b| {
                let spread = influence::generalised(over, a, b, &go_on).unwrap();
                (spread.variance, spread.freedom as f64)
            };
            if let Measure::TwoVsTwo(_) = measure {
                let of = |value: f64, spread: (f64, f64), scale| {
                    (value, Estimate::new(value, spread, scale).interval, spread.0.sqrt())
                };
                let (value, pairs) = (values[0] - values[2], by_pairs.of_difference(0, 2));
                let to_ceiling = samples[0].minus(ceiling);
                return [
                    of(values[0], spread(tested(0), alone), scale),
                    of(values[0] - values[1], spread(tested(0), tested(1)), plain),
                    (
                        value,
                        to_ceiling.estimate(value, pairs, over, sizes, plain).interval,
                        to_ceiling.variance(over, sizes, Some(pairs)).0.sqrt(),
                    ),
                ];
            }
            [
                (values[0], by_pairs.variance(0), samples[0].clone(), scale),
                (values[0] - values[1], by_pairs.of_difference(0, 1), samples[0].minus(&samples[1]), plain),
                (values[0] - values[2], by_pairs.of_difference(0, 2), samples[0].minus(ceiling), plain),
            ]
            .map(|(value, pairs, samples, scale)| {
                let deviation = samples.variance(over, sizes, Some(pairs)).0.sqrt();
                (value, samples.estimate(value, pairs, over, sizes, scale).interval, deviation)
            })
        };
        let all: Vec<_> = (0..worlds).into_par_iter().map(estimates).collect();
        [0, 1, 2].map(|n| {
            let count = worlds as f64;
            let truth = all.iter().map(|found| found[n].0).sum::<f64>() / count;
            let spread = (all.iter().map(|found| (found[n].0 - truth).powi(2)).sum::<f64>() / count).sqrt();
            let held = all.iter().filter(|found| (found[n].1.low..=found[n].1.high).contains(&truth)).count() as f64;
            let estimated = (all.iter().map(|found| found[n].2.powi(2)).sum::<f64>() / count).sqrt();
            (held / count, estimated / spread)
        })
    }
}

#[test]
fn intervals_hold_the_truth_in_the_worlds_that_they_speak_of() {
    const WORLDS: u64 = 200;
    for over in [Generalise::Concepts, Generalise::Groups, Generalise::Both] {
        let world = World { over, sizes: Sizes { groups: 5, concepts: 16 }, signal: 0.2 };
        // The variance of an accuracy takes no resamples.
        for (measure, resamples) in [(Measure::Rsa(Rsa::Pearson), 60), (Measure::TwoVsTwo(Ties::Lost), 2)] {
            let [value, difference, _] = world.coverage(measure, WORLDS, resamples);
            for (held, spread) in [value, difference] {
                // Binomial(200, .95) is below 178 once in a thousand.
                assert!((0.89..=1.0).contains(&held), "over {over}, {measure:?}: {held} of intervals hold the truth");
                assert!((0.8..1.4).contains(&spread), "over {over}, {measure:?}: {spread} of the true spread");
            }
        }
    }
}

/// Layers that see what their groups see in noise of their own, the concepts' share of it `signal`; two word models that share
/// as much with it.
fn family(world: World, layers: usize, seed: u64) -> (Vec<Rsm>, Vec<Vec<Rsm>>) {
    let World { over, sizes, signal } = world;
    let fixed = |fixed: bool, stream| Random::keyed(if fixed { 0 } else { seed + 1 }, stream);
    let (mut of_concepts, mut of_groups) = (fixed(!over.over_concepts(), 4), fixed(!over.over_groups(), 5));
    let mut of_noise = Random::keyed(seed + 1, 6);
    let base = features(&mut of_concepts, sizes.concepts);
    // The words are others where the concepts are; else they differ by noise as the images do.
    let words: Vec<Rsm> = (0..2).map(|_| noisy(&base, 0.7, &mut of_noise)).collect();
    let weights: Vec<Vec<f64>> = (0..sizes.groups).map(|_| weights(&mut of_groups)).collect();
    let mut image = |weights: &Vec<f64>| {
        let seen = |row: &Vec<f64>| row.iter().zip(weights).map(|(v, weight)| v * weight).collect();
        noisy(&base.iter().map(seen).collect::<Vec<Vec<f64>>>(), signal, &mut of_noise)
    };
    let layers = (0..layers).map(|_| weights.iter().map(&mut image).collect()).collect();
    (words, layers)
}

/// The share of worlds without a difference in which any of a family has a family-wise p of at most .05, and in which any has
/// a p of at most .05: every layer less the one before it, by one word model.
fn families_rejected(world: World, measure: Measure, worlds: u64, resamples: u64) -> [f64; 2] {
    use rayon::prelude::*;

    use crate::stats::paired::{self, Member};
    const LAYERS: usize = 5;
    let World { over, sizes, .. } = world;
    let least = |seed: u64| -> [f64; 2] {
        let (models, rsms) = family(world, LAYERS, seed);
        let models: Vec<&Rsm> = models.iter().take(1).collect();
        let layers: Vec<&[Rsm]> = rsms.iter().map(Vec::as_slice).collect();
        let plain = Scale::Plain(-2.0, 2.0);
        let all: Vec<(Estimate, Vec<f64>)> = if let Measure::TwoVsTwo(ties) = measure {
            let tested = |n: usize| Tested { words: models[0], groups: layers[n], ties };
            let of = |n: usize| {
                let spread = influence::generalised(over, tested(n), tested(n - 1), &go_on).unwrap();
                let estimate = Estimate::new(spread.difference, (spread.variance, spread.freedom as f64), plain);
                (estimate, spread.influences)
            };
            (1..LAYERS).map(of).collect()
        } else {
            let found = resampled(measure, &models, &layers, Resampling { seed, resamples, over }, &go_on).unwrap();
            let observed = Worlds::new(measure, &models, &layers, Generalise::Both);
            let [_, observed, _] = observed.resample(&vec![1; sizes.concepts], &vec![1; sizes.groups]);
            let of = |n: usize| {
                let value = observed[n][0] - observed[n - 1][0];
                let pairs = found.neighbours[n - 1].of_difference(0, 1);
                let samples = found.models[n][0].minus(&found.models[n - 1][0]);
                (samples.estimate(value, pairs, over, sizes, plain), samples.influences(over))
            };
            (1..LAYERS).map(of).collect()
        };
        let members: Vec<Member> = all
            .iter()
            .map(|(estimate, influences)| Member { t: estimate.t(), freedom: estimate.freedom as usize, influences })
            .collect();
        let least = |p: Vec<f64>| p.into_iter().fold(1.0, f64::min);
        let own = all.iter().filter_map(|(estimate, _)| estimate.p_value).collect();
        [least(paired::family_wise(&members, 399, seed, &go_on).unwrap()), least(own)]
    };
    let all: Vec<[f64; 2]> = (0..worlds).into_par_iter().map(least).collect();
    [0, 1].map(|which| all.iter().filter(|p| p[which] <= 0.05).count() as f64 / worlds as f64)
}

#[test]
fn families_of_differences_hold_their_level() {
    let sizes = Sizes { groups: 5, concepts: 16 };
    for over in [Generalise::Concepts, Generalise::Both] {
        for (measure, resamples) in [(Measure::Rsa(Rsa::Pearson), 60), (Measure::TwoVsTwo(Ties::Lost), 2)] {
            let [family_wise, own] = families_rejected(World { over, sizes, signal: 0.2 }, measure, 120, resamples);
            // Binomial(120, .05) is above 13 once in a thousand.
            assert!(family_wise <= 0.11, "over {over}, {measure:?}: {family_wise} of families");
            assert!(own >= family_wise, "over {over}, {measure:?}: {own} of families uncorrected");
        }
    }
}

#[test]
#[ignore = "minutes: the level of families, for this module's documentation"]
fn families_at_length() {
    for (groups, concepts) in [(5, 20), (10, 40)] {
        for signal in [0.2, 0.5] {
            for over in [Generalise::Concepts, Generalise::Groups, Generalise::Both] {
                for measure in [Measure::TwoVsTwo(Ties::Lost), Measure::Rsa(Rsa::Pearson), Measure::Rsa(Rsa::Spearman)]
                {
                    let world = World { over, sizes: Sizes { groups, concepts }, signal };
                    // Differences of accuracies take no resamples.
                    let resamples = if matches!(measure, Measure::TwoVsTwo(_)) { 2 } else { 200 };
                    let [family_wise, own] = families_rejected(world, measure, 400, resamples);
                    println!(
                        "{groups} groups, {concepts} concepts, {signal}, {over}, {measure:?}: {family_wise:.3} (uncorrected {own:.3})"
                    );
                }
            }
        }
    }
}

#[test]
fn a_word_model_and_its_copy_in_another_scale_do_not_differ() {
    let world = World { over: Generalise::Both, sizes: Sizes { groups: 4, concepts: 15 }, signal: 0.4 };
    let (models, groups) = world.made(3);
    let scaled = models[0].values().iter().map(|r| 0.1 * (r - 1.0) + 1.0).collect();
    let models = [models[0].clone(), Rsm::new(15, scaled)];
    let (models, layers) = ([&models[0], &models[1]], [&groups[..]]);
    for kind in [Rsa::Pearson, Rsa::Spearman] {
        for over in [Generalise::Concepts, Generalise::Groups, Generalise::Both] {
            let found =
                resampled(Measure::Rsa(kind), &models, &layers, Resampling { seed: 1, resamples: 40, over }, &go_on);
            let found = found.unwrap();
            let worlds = Worlds::new(Measure::Rsa(kind), &models, &layers, Generalise::Both);
            let [_, observed, _] = worlds.resample(&[1; 15], &[1; 4]);
            let samples = found.models[0][0].minus(&found.models[0][1]);
            let (value, pairs) = (observed[0][0] - observed[0][1], found.pairs[0].of_difference(0, 1));
            let estimate = samples.estimate(value, pairs, over, world.sizes, Scale::Plain(-2.0, 2.0));
            assert_eq!((estimate.value, estimate.p_value, estimate.t()), (0.0, Some(1.0), 0.0), "{kind} over {over}");
            assert_eq!((estimate.interval.low, estimate.interval.high), (0.0, 0.0), "{kind} over {over}");
        }
    }
}

#[test]
#[ignore = "minutes: the table of this module's documentation"]
fn coverage_at_length() {
    for (groups, concepts) in [(5, 20), (8, 40), (20, 20)] {
        for signal in [0.2, 0.5] {
            for over in [Generalise::Concepts, Generalise::Groups, Generalise::Both] {
                for measure in [Measure::TwoVsTwo(Ties::Lost), Measure::Rsa(Rsa::Pearson), Measure::Rsa(Rsa::Spearman)]
                {
                    let world = World { over, sizes: Sizes { groups, concepts }, signal };
                    let found = world.coverage(measure, 400, 200);
                    let said: Vec<String> =
                        found.iter().map(|(held, ratio)| format!("{held:.3} ({ratio:.2})")).collect();
                    println!(
                        "{groups} groups, {concepts} concepts, {signal}, {over}, {measure:?}: {}",
                        said.join(", ")
                    );
                }
            }
        }
    }
}
