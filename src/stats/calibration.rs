//! Does the inference keep its promises? Under a true null p-values are uniform, the family-wise error stays at its
//! level, and category structure alone passes the free null but not the stratified one. Small worlds, fixed seeds.
//!
//! The 2 vs. 2 test is the closed form written down once more, so that this proves the inference, not the kernel.

mod alignment;
mod intervals;

use std::num::NonZeroU32;
use std::ops::ControlFlow;

use rayon::prelude::*;

use super::Rsm;
use super::bootstrap::{accuracies, confidence_interval};
use super::inference::{self, Inference, LayerScores, Rule, Statistic, Tail, infer};
use super::permutation::{Permutations, Random};
use super::rsa::{Rsa, RsaTest};
use super::scoring::Ties;

const CONCEPTS: usize = 12;
const PERMUTATIONS: u64 = 99;
const WORLDS: u64 = 300;

/// Of 300 uniform p-values more than 28 (fewer than 4) are at most 0.05 in one world out of 1000.
const REJECTED: std::ops::RangeInclusive<usize> = 4..=28;

/// Largest Kolmogorov-Smirnov distance of 300 uniform p-values in all but one world out of 1000:
/// sqrt(ln(2 / 0.001) / 2 / 300); p-values come in steps of 0.01.
const DISTANCE: f64 = 0.1126 + 0.01;

/// Concept vectors of `units` independent features.
type Vectors = Vec<Vec<f64>>;

fn vectors(random: &mut Random, concepts: usize, units: usize) -> Vectors {
    (0..concepts).map(|_| (0..units).map(|_| random.normal()).collect()).collect()
}

/// The vectors of another image, or layer, of the same concepts.
fn noisy(random: &mut Random, vectors: &Vectors, noise: f64) -> Vectors {
    vectors.iter().map(|vector| vector.iter().map(|x| x + noise * random.normal()).collect()).collect()
}

fn rsm(vectors: &Vectors) -> Rsm {
    let k = vectors.len();
    let r = |a: usize, b: usize| Rsa::Pearson.correlation(&vectors[a], &vectors[b]).unwrap();
    Rsm::new(k, (0..k * k).map(|i| if i / k == i % k { 1.0 } else { r(i / k, i % k) }).collect())
}

/// Rows shifted and scaled to mean 0, length 1 off the diagonal; the diagonal 0.
fn normalised(rsm: &Rsm) -> Vectors {
    let row = |a: usize| {
        let off = |j: usize| j != a;
        let mean = (0..rsm.concepts()).filter(|&j| off(j)).map(|j| rsm.row(a)[j]).sum::<f64>();
        let mean = mean / (rsm.concepts() - 1) as f64;
        let centred = |j: usize| if off(j) { rsm.row(a)[j] - mean } else { 0.0 };
        let length = (0..rsm.concepts()).map(|j| centred(j).powi(2)).sum::<f64>().sqrt();
        (0..rsm.concepts()).map(|j| centred(j) / length).collect()
    };
    (0..rsm.concepts()).map(row).collect()
}

/// Half-points of one group under one draw.
fn two_vs_two(words: &Vectors, image: &Vectors, draw: &[u32]) -> i64 {
    let (k, n) = (draw.len(), (draw.len() - 2) as f64);
    let word = |a: usize, j: usize| words[draw[a] as usize][draw[j] as usize];
    let product = |a: usize, b: usize| (0..k).map(|j| word(a, j) * image[b][j]).sum::<f64>();
    let rest = |x: f64| 1.0 - x * x - x * x / n;
    let mut passed = 0;
    for a in 0..k {
        for b in a + 1..k {
            let matched = |a: usize, b: usize| {
                let (x, y) = (word(a, b), image[a][b]);
                (product(a, a) - x * y - x * y / n) / (rest(x) * rest(y)).sqrt()
            };
            let crossed = |a: usize, b: usize| {
                let (x, y) = (word(a, b), image[b][a]);
                (product(a, b) - x * y / n) / (rest(x) * rest(y)).sqrt()
            };
            passed += i64::from(matched(a, b) + matched(b, a) > crossed(a, b) + crossed(b, a));
        }
    }
    2 * passed
}

/// Scores of one layer: the sum over its groups, each under the draws that `draws` gives it.
fn scores(words: &Rsm, groups: &[Rsm], draws: impl Fn(usize) -> Permutations) -> LayerScores {
    let words = normalised(words);
    let mut points = vec![0; PERMUTATIONS as usize + 1];
    for (g, image) in groups.iter().enumerate() {
        let (image, draws) = (normalised(image), draws(g));
        for (t, points) in points.iter_mut().enumerate() {
            *points += two_vs_two(&words, &image, &draws.draw(t as u64));
        }
    }
    let k = words.len() as i64;
    LayerScores::new(points, k * (k - 1) * groups.len() as i64)
}

/// A world in which words and images have nothing in common: `groups` images per concept, seen by three layers that
/// have much in common.
fn null_world(world: u64, groups: usize) -> (Rsm, [Vec<Rsm>; 3]) {
    let mut random = Random::keyed(2018, world);
    let words = rsm(&vectors(&mut random, CONCEPTS, 10));
    let looks = vectors(&mut random, CONCEPTS, 15);
    let images: Vec<Vectors> = (0..groups).map(|_| noisy(&mut random, &looks, 0.7)).collect();
    let layers = [0; 3].map(|_| images.iter().map(|image| rsm(&noisy(&mut random, image, 0.7))).collect());
    (words, layers)
}

/// Largest excess of small p-values over the uniform's: what a valid p-value must not have.
fn excess(p_values: &[f64]) -> f64 {
    largest(p_values, |below_or_at, _, p| below_or_at - p)
}

/// Kolmogorov-Smirnov distance to the uniform.
fn distance_to_uniform(p_values: &[f64]) -> f64 {
    largest(p_values, |below_or_at, below, p| (below_or_at - p).max(p - below))
}

/// Largest of a function of the shares of p-values at most `p` and of those before it, and `p`.
fn largest(p_values: &[f64], distance: fn(f64, f64, f64) -> f64) -> f64 {
    let mut sorted = p_values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let share = |count: usize| count as f64 / sorted.len() as f64;
    sorted.iter().enumerate().map(|(i, &p)| distance(share(i + 1), share(i), p)).fold(f64::MIN, f64::max)
}

fn rejected(p_values: &[f64]) -> usize {
    p_values.iter().filter(|&&p| p <= 0.05).count()
}

#[test]
fn under_a_true_null_p_is_uniform_and_the_family_keeps_its_level() {
    // Few enough that p-values around 0.05 stop early, at 60 of the 99 draws or later.
    let h = NonZeroU32::new(3);
    let worlds: Vec<[Vec<Inference>; 2]> = (0..WORLDS)
        .into_par_iter()
        .map(|world| {
            let (words, layers) = null_world(world, 2);
            let family = layers.map(|groups| scores(&words, &groups, |_| Permutations::new(world, CONCEPTS)));
            [infer(&family, Tail::Upper, None), infer(&family, Tail::Upper, h)]
        })
        .collect();
    let smallest = |inferences: &[Inference], p: fn(&Inference) -> f64| inferences.iter().map(p).fold(1.0, f64::min);
    for (rule, stop_after) in ["all draws", "sequential"].into_iter().enumerate() {
        let p_values: Vec<f64> = worlds.iter().map(|world| world[rule][0].p_value).collect();
        let least = 1.0 / (PERMUTATIONS + 1) as f64;
        assert!(p_values.iter().all(|p| (least..=1.0).contains(p)));
        assert!(REJECTED.contains(&rejected(&p_values)), "{stop_after}: {} rejected", rejected(&p_values));
        assert!(excess(&p_values) < DISTANCE, "{stop_after}: {} too many", excess(&p_values));
        if stop_after == "all draws" {
            // (Sequential p-values are h / l: too coarse near 1 to be uniform.)
            let distance = distance_to_uniform(&p_values);
            assert!(distance < DISTANCE, "Kolmogorov-Smirnov {distance}");
        }
        // The family's smallest p_fwer is as often at most 0.05 as one p-value would be; its smallest p_value is not.
        let families: Vec<f64> = worlds.iter().map(|world| smallest(&world[rule], |i| i.p_fwer)).collect();
        assert!(REJECTED.contains(&rejected(&families)), "{stop_after}: {} families", rejected(&families));
        let uncorrected: Vec<f64> = worlds.iter().map(|world| smallest(&world[rule], |i| i.p_value)).collect();
        assert!(rejected(&uncorrected) > *REJECTED.end());
        // Under the complete null the false discovery rate is the family-wise error.
        let discoveries: Vec<f64> = worlds.iter().map(|world| smallest(&world[rule], |i| i.q_fdr)).collect();
        assert!(rejected(&discoveries) <= *REJECTED.end());
        assert!(worlds.iter().flat_map(|world| &world[rule]).all(|i| i.p_value <= i.p_fwer && i.p_value <= i.q_fdr));
    }
    let null_mean = worlds.iter().map(|world| world[0][0].null_mean).sum::<f64>() / WORLDS as f64;
    assert!((null_mean - 0.5).abs() < 0.01, "null mean {null_mean}");
}

#[test]
fn independent_draws_per_group_reject_true_nulls() {
    let p_values = |own_draws: bool| -> Vec<f64> {
        (0..WORLDS)
            .into_par_iter()
            .map(|world| {
                let (words, layers) = null_world(world, 5);
                let seed = |g: usize| if own_draws { world * 5 + g as u64 } else { world };
                infer(&[scores(&words, &layers[0], |g| Permutations::new(seed(g), CONCEPTS))], Tail::Upper, None)[0]
                    .p_value
            })
            .collect()
    };
    assert!(REJECTED.contains(&rejected(&p_values(false))));
    // The more alike the groups, the more of them; here 35 of 300 where 15 are meant.
    let found = rejected(&p_values(true));
    assert!(found > *REJECTED.end(), "{found} rejected");
}

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn rsa_inference(kind: Rsa, words: &Rsm, groups: &[Rsm], draws: &Permutations) -> Inference {
    let rule = Rule { permutations: PERMUTATIONS, ..Rule::default() };
    inference::test(&RsaTest::new(kind, words, &[groups], draws), rule, &go_on).unwrap()[0]
}

#[test]
fn rsa_is_calibrated_on_the_same_draws() {
    for kind in [Rsa::Pearson, Rsa::Spearman, Rsa::KendallTauA] {
        let p_values: Vec<f64> = (0..WORLDS)
            .into_par_iter()
            .map(|world| {
                let (words, layers) = null_world(world, 2);
                let draws = Permutations::new(world, CONCEPTS);
                rsa_inference(kind, &words, &layers[0], &draws).p_value
            })
            .collect();
        assert!(REJECTED.contains(&rejected(&p_values)), "{kind:?}: {} rejected", rejected(&p_values));
        let distance = distance_to_uniform(&p_values);
        assert!(distance < DISTANCE, "{kind:?}: Kolmogorov-Smirnov {distance}");
    }
}

/// RSA's scores of three layers whose nulls differ in spread. Where all vectors have a part in common and some more of it
/// than others, the similarities of a concept rise and fall together and the null is wide: the words and the first two
/// layers. The last layer has no such part, a narrow null, and `meaning` times what tells the words apart.
fn uneven_family(world: u64, meaning: f64, draws: u64) -> Vec<LayerScores> {
    const CONCEPTS: usize = 24;
    let mut random = Random::keyed(77, world);
    let mut with_common = |vectors: &Vectors| -> Rsm {
        let common: Vec<f64> = (0..vectors[0].len()).map(|_| random.normal()).collect();
        let share: Vec<f64> = vectors.iter().map(|_| 3.0 * random.unit()).collect();
        let mixed = vectors
            .iter()
            .zip(share)
            .map(|(vector, share)| vector.iter().zip(&common).map(|(x, common)| x + share * common).collect());
        rsm(&mixed.collect())
    };
    let mut of_units = Random::keyed(78, world);
    let mut noise = |units: usize| vectors(&mut of_units, CONCEPTS, units);
    let word = noise(20);
    let mut narrow = noise(200);
    for (layer, word) in narrow.iter_mut().zip(&word) {
        layer.iter_mut().zip(word.iter().cycle()).for_each(|(x, y)| *x += meaning * y);
    }
    let layers = [vec![with_common(&noise(30))], vec![with_common(&noise(60))], vec![rsm(&narrow)]];
    let (words, permutations) = (with_common(&word), Permutations::new(world, CONCEPTS));
    let layers: Vec<&[Rsm]> = layers.iter().map(Vec::as_slice).collect();
    let test = RsaTest::new(Rsa::Pearson, &words, &layers, &permutations);
    let points = test.points(0..draws + 1, &go_on).unwrap();
    points.into_iter().map(|points| LayerScores::new(points, test.whole())).collect()
}

#[test]
fn families_of_uneven_nulls_keep_their_level_by_every_tail() {
    let worlds: Vec<Vec<LayerScores>> =
        (0..WORLDS).into_par_iter().map(|world| uneven_family(world, 0.0, 299)).collect();
    for tail in [Tail::Upper, Tail::Lower, Tail::Two] {
        for stop_after in [None, NonZeroU32::new(5)] {
            let inferred: Vec<Vec<Inference>> = worlds.iter().map(|family| infer(family, tail, stop_after)).collect();
            let smallest: Vec<f64> =
                inferred.iter().map(|family| family.iter().map(|i| i.p_fwer).fold(1.0, f64::min)).collect();
            let families = rejected(&smallest);
            assert!(REJECTED.contains(&families), "{tail:?}, {stop_after:?}: {families} families");
            assert!(excess(&smallest) < DISTANCE, "{tail:?}, {stop_after:?}: {} too many", excess(&smallest));
            for layer in 0..3 {
                let p_values: Vec<f64> = inferred.iter().map(|family| family[layer].p_value).collect();
                let found = rejected(&p_values);
                assert!(REJECTED.contains(&found), "{tail:?}, {stop_after:?}, layer {layer}: {found} rejected");
            }
            assert!(inferred.iter().flatten().all(|i| i.p_value <= i.p_fwer));
        }
    }
}

#[test]
fn an_effect_in_a_layer_of_narrow_null_is_found_where_the_raw_maximum_misses_it() {
    let found: Vec<[bool; 3]> = (0..100)
        .into_par_iter()
        .map(|world| {
            let family = uneven_family(world, 0.60, 299);
            let effect = infer(&family, Tail::Upper, None)[2];
            let nulls: Vec<Vec<f64>> = family.iter().map(|layer| layer.null().collect()).collect();
            let raw = |t: usize| nulls.iter().map(|null| null[t]).fold(f64::MIN, f64::max);
            let reached = (0..299).filter(|&t| raw(t) >= effect.value).count();
            [effect.p_value <= 0.05, effect.p_fwer <= 0.05, (1 + reached) as f64 / 300.0 <= 0.05]
        })
        .collect();
    let [alone, studentised, raw] = [0, 1, 2].map(|rule| found.iter().filter(|found| found[rule]).count());
    println!("found alone {alone}, by the studentised maximum {studentised}, by the raw one {raw} of 100");
    assert!(studentised >= 70 && raw <= 20, "alone {alone}, studentised {studentised}, raw {raw}");
}

/// Family-wise p of a layer by the minimum p: its p among the smallest of each draw, observed value included, `p` of a
/// draw the share of draws that reach it.
fn by_minimum_p(family: &[LayerScores]) -> Vec<f64> {
    let ranks = |layer: &LayerScores| -> Vec<usize> {
        let values: Vec<f64> = std::iter::once(layer.observed()).chain(layer.null()).collect();
        values.iter().map(|value| values.iter().filter(|other| *other >= value).count()).collect()
    };
    let ranks: Vec<Vec<usize>> = family.iter().map(ranks).collect();
    let draws = ranks[0].len();
    let least = |t: usize| ranks.iter().map(|ranks| ranks[t]).min().expect("a family has layers");
    let least: Vec<usize> = (0..draws).map(least).collect();
    let reached = |observed: usize| least.iter().filter(|&&least| least <= observed).count();
    ranks.iter().map(|ranks| reached(ranks[0]) as f64 / draws as f64).collect()
}

#[test]
fn the_minimum_p_and_the_studentised_maximum_hold_the_same_level_and_find_the_same() {
    let found = |meaning: f64, worlds: u64| -> [usize; 2] {
        let found = (0..worlds).into_par_iter().map(|world| {
            let family = uneven_family(world, meaning, 999);
            // Where there is an effect it is the last layer's.
            let first = if meaning > 0.0 { 2 } else { 0 };
            let least = |p: Vec<f64>| p[first..].iter().copied().fold(1.0, f64::min);
            let studentised = infer(&family, Tail::Upper, None).iter().map(|i| i.p_fwer).collect();
            [least(studentised) <= 0.05, least(by_minimum_p(&family)) <= 0.05].map(usize::from)
        });
        found.reduce(|| [0; 2], |x, y| [x[0] + y[0], x[1] + y[1]])
    };
    let null = found(0.0, WORLDS);
    println!("studentised maximum, minimum p: {null:?} of {WORLDS} nulls");
    assert!(null.iter().all(|rejected| REJECTED.contains(rejected)), "{null:?}");
    for meaning in [0.4, 0.6] {
        let [studentised, minimum] = found(meaning, 200);
        println!("effect {meaning}: studentised maximum {studentised}, minimum p {minimum} of 200");
        assert!(studentised.abs_diff(minimum) <= 20, "effect {meaning}: {studentised}, {minimum}");
    }
}

#[test]
fn category_structure_alone_passes_the_free_null_but_not_the_stratified() {
    let category: Vec<u32> = (0..CONCEPTS as u32).map(|c| c / 4).collect();
    let p_values: Vec<[f64; 2]> = (0..100)
        .into_par_iter()
        .map(|world| {
            let mut random = Random::keyed(1, world);
            let mut space = |units: usize| {
                let means = vectors(&mut random, 3, units);
                let members = category.iter().map(|&c| means[c as usize].clone()).collect();
                rsm(&noisy(&mut random, &members, 1.0))
            };
            let (words, image) = (space(20), space(30));
            [Permutations::new(world, CONCEPTS), Permutations::stratified(world, &category)].map(|draws| {
                infer(&[scores(&words, std::slice::from_ref(&image), |_| draws.clone())], Tail::Upper, None)[0].p_value
            })
        })
        .collect();
    let rejected = |null: usize| p_values.iter().filter(|p| p[null] <= 0.05).count();
    assert!(rejected(0) > 80, "{} of 100 pass the free null", rejected(0));
    // Binomial(100, 0.05) exceeds 12 in 1 of 1000.
    assert!(rejected(1) <= 13, "{} of 100 pass the stratified null", rejected(1));
}

#[test]
fn scoring_twice_gives_the_same_to_the_bit() {
    let (words, layers) = null_world(0, 2);
    let draws = Permutations::new(1, CONCEPTS);
    let test = RsaTest::new(Rsa::Pearson, &words, &[&layers[0]], &draws);
    let rsa = || test.points(0..PERMUTATIONS + 1, &go_on).unwrap();
    assert_eq!(rsa(), rsa());
    let resampled = || accuracies(&words, &[&layers[0], &layers[1]], 1, 50, Ties::Lost, &go_on).unwrap();
    assert_eq!(resampled(), resampled());
}

#[test]
fn the_bootstrap_interval_holds_the_true_accuracy() {
    const CONCEPTS: usize = 30;
    let identity: Vec<u32> = (0..CONCEPTS as u32).collect();
    let accuracy = |words: &Rsm, images: &[Rsm]| {
        let passed = |image: &Rsm| two_vs_two(&normalised(words), &normalised(image), &identity);
        images.iter().map(passed).sum::<i64>() as f64 / (images.len() * CONCEPTS * (CONCEPTS - 1)) as f64
    };
    let pairs = (CONCEPTS * (CONCEPTS - 1)) as u64;
    for meaning in [0.0, 0.5, 1.0] {
        // Two images per concept that show a share of what its word means.
        let world = |world: u64| {
            let mut random = Random::keyed(99, world);
            let word = vectors(&mut random, CONCEPTS, 20);
            let mut look = vectors(&mut random, CONCEPTS, 20);
            for (x, y) in look.iter_mut().flatten().zip(word.iter().flatten()) {
                *x += meaning * y;
            }
            (rsm(&word), [0; 2].map(|_| rsm(&noisy(&mut random, &look, 0.7))))
        };
        let observed = |t: u64| {
            let (words, images) = world(t);
            accuracy(&words, &images)
        };
        let truth = (1000..1500).into_par_iter().map(observed).sum::<f64>() / 500.0;
        let holds = |t: &u64| {
            let (words, images) = world(*t);
            let resampled = accuracies(&words, &[&images], *t, 200, Ties::Lost, &go_on).unwrap();
            let interval = confidence_interval(accuracy(&words, &images), &resampled[0], pairs);
            interval.low <= truth && truth <= interval.high
        };
        let held = (0..100).into_par_iter().filter(holds).count();
        // Binomial(100, 0.95) is below 87 in 1 of 1000.
        assert!(held >= 87, "meaning {meaning}: {held} of 100 intervals hold {truth}");
    }
}
