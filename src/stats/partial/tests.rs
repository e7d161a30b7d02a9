use std::ops::ControlFlow;

use safetensors::SafeTensors;

use super::*;
use crate::stats::inference::{self, Family, Rule, Tail};
use crate::stats::permutation::Random;
use crate::stats::rsa::{Rsa, RsaTest};
use crate::stats::two_vs_two::margins_reference;

/// Values by NumPy; `recipe/controls.py`.
pub(in crate::stats) mod golden {
    use super::*;

    pub const FILE: &[u8] = include_bytes!("../../../tests/golden/stats_controls.safetensors");

    pub fn numbers(file: &SafeTensors, name: &str) -> Vec<f64> {
        let bytes = file.tensor(name).unwrap().data().chunks_exact(8);
        bytes.map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    pub fn integers(file: &SafeTensors, name: &str) -> Vec<i64> {
        let bytes = file.tensor(name).unwrap().data().chunks_exact(8);
        bytes.map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    /// `[groups, k, k]`, or `[k, k]` as one group.
    pub fn rsms(file: &SafeTensors, name: &str) -> Vec<Rsm> {
        let concepts = *file.tensor(name).unwrap().shape().last().unwrap();
        let values = numbers(file, name);
        values.chunks_exact(concepts * concepts).map(|values| Rsm::new(concepts, values.to_vec())).collect()
    }
}

/// Sums of a hundred products of order 1, and lstsq's own.
const CLOSE: f64 = 1e-12;

#[test]
fn every_draw_agrees_with_regressions_and_correlations_by_numpy() {
    let file = SafeTensors::deserialize(golden::FILE).unwrap();
    let [words, layer, pixels, category] =
        ["words", "layer", "pixels", "category"].map(|name| golden::rsms(&file, name));
    let identity = Permutations::new(1, 12);
    let test = |measure| PartialTest::new(measure, &words[0], &[&layer], &[&pixels, &category], &identity);
    let draws: Vec<Vec<u32>> =
        golden::integers(&file, "draws").chunks_exact(12).map(|d| d.iter().map(|&c| c as u32).collect()).collect();
    for (measure, name) in [(Measure::Pearson, "pearson"), (Measure::Spearman, "spearman")] {
        let test = test(measure);
        for (draw, expected) in draws.iter().zip(golden::numbers(&file, name)) {
            let found = test.sums(draw, &mut None).unwrap()[0] / 2.0;
            assert!((found - expected).abs() < CLOSE, "{measure}: {found}, expected {expected}");
        }
    }
    let passed = golden::integers(&file, "passed");
    let test = test(Measure::TwoVsTwo(Ties::Lost));
    for (draw, passed) in draws.iter().zip(passed.chunks_exact(2)) {
        assert_eq!(test.sums(draw, &mut None).unwrap()[0], 2.0 * (passed[0] + passed[1]) as f64);
    }
    // Half-points come out whole.
    let points = test.points(0..1, &|_| ControlFlow::Continue(())).unwrap();
    assert_eq!(points, [[2 * (passed[0] + passed[1])]]);
}

#[test]
fn ties_are_the_pairs_that_the_rules_for_them_count_otherwise() {
    let kinds = |a: usize, b: usize| if a % 3 == b % 3 { 0.4 } else { 0.1 };
    let rsm = |of: &dyn Fn(usize, usize) -> f64| {
        Rsm::new(12, (0..144).map(|at| if at % 13 == 0 { 1.0 } else { of(at / 12, at % 12) }).collect())
    };
    let layer = [1, 2].map(|group| rsm(&|a, b| kinds(a, b) + 0.02 * ((a * b + group * (a + b)) % 7) as f64));
    let (words, draws) = (rsm(&kinds), Permutations::new(4, 12));
    let test = |measure| PartialTest::new(measure, &words, &[&layer], &[], &draws);
    let points = |ties| test(Measure::TwoVsTwo(ties)).points(0..1, &|_| ControlFlow::Continue(())).unwrap()[0][0];
    let ties = test(Measure::TwoVsTwo(Ties::Lost)).ties().unwrap()[0];
    // Concepts of one kind have the same rows: 18 pairs a group.
    assert!(ties >= 36, "{ties}");
    assert_eq!(points(Ties::Won) - points(Ties::Lost), 2 * ties as i64);
    assert_eq!(test(Measure::Pearson).ties(), None);
}

#[test]
fn a_draw_that_the_given_spaces_determine_ties() {
    // Six concepts in a ring, of which only neighbours are similar or unlike: 2 0 -1 0 -1 0, at right angles to what it is one
    // step on, which is given. So the draw that makes this step leaves nothing.
    let ring = |a: usize, b: usize| match (b + 6 - a) % 6 {
        1 => [2.0, 0.0, -1.0, 0.0, -1.0, 0.0][a],
        _ => 0.0,
    };
    let words = Rsm::new(6, (0..36).map(|n| ring(n / 6, n % 6) + ring(n % 6, n / 6)).collect());
    let step: Vec<u32> = (0..6).map(|concept| (concept + 1) % 6).collect();
    let given = [square(&reindexed(&words, &step), 6)];
    let mut random = Random::keyed(3, 9);
    let layer = [square(&(0..15).map(|_| random.unit()).collect::<Vec<_>>(), 6)];
    let draws = Permutations::new(4, 6);
    for (ties, half_points) in [(Ties::Lost, 0.0), (Ties::Half, 15.0), (Ties::Won, 30.0)] {
        let test = PartialTest::new(Measure::TwoVsTwo(ties), &words, &[&layer], &[&given], &draws);
        assert_eq!(test.sums(&step, &mut None).unwrap(), [half_points], "{ties:?}");
    }
    let test = PartialTest::new(Measure::Pearson, &words, &[&layer], &[&given], &draws);
    assert_eq!(test.sums(&step, &mut None).unwrap(), [0.0]);
}

#[test]
fn given_nothing_it_is_the_plain_test() {
    let file = SafeTensors::deserialize(golden::FILE).unwrap();
    let [words, layer] = ["words", "layer"].map(|name| golden::rsms(&file, name));
    let (draws, go_on) = (Permutations::new(4, 12), |_| ControlFlow::Continue(()));
    let test = |measure| PartialTest::new(measure, &words[0], &[&layer], &[], &draws);
    let points = test(Measure::TwoVsTwo(Ties::Half)).points(0..50, &go_on).unwrap().remove(0);
    for (t, points) in points.into_iter().enumerate() {
        let passed = |image: &Rsm| {
            let margins = margins_reference(&words[0], image, &draws.draw(t as u64));
            margins.into_iter().filter(|&margin| margin > 0.0).count() as i64
        };
        assert_eq!(points, layer.iter().map(|image| 2 * passed(image)).sum::<i64>(), "draw {t}");
    }
    for (measure, kind) in [(Measure::Pearson, Rsa::Pearson), (Measure::Spearman, Rsa::Spearman)] {
        let plain = RsaTest::new(kind, &words[0], &[&layer], &draws).points(0..50, &go_on).unwrap();
        let found = test(measure).points(0..50, &go_on).unwrap();
        let near = |(x, y): (&i64, &i64)| (x - y).abs() < (CLOSE * f64::powi(2.0, 52)) as i64;
        assert!(found[0].iter().zip(&plain[0]).all(near), "{measure}");
    }
}

#[test]
fn what_the_given_spaces_determine_is_not_tested() {
    let file = SafeTensors::deserialize(golden::FILE).unwrap();
    let [words, layer, pixels] = ["words", "layer", "pixels"].map(|name| golden::rsms(&file, name));
    let draws = Permutations::new(4, 12);
    let scaled: Vec<Rsm> =
        pixels.iter().map(|rsm| square(&upper(rsm).iter().map(|x| 0.5 * x + 0.1).collect::<Vec<_>>(), 12)).collect();
    let mut dark = layer.clone();
    let mut values = dark[1].values().to_vec();
    (1..12).for_each(|j| (values[j], values[12 * j]) = (f64::NAN, f64::NAN));
    dark[1] = Rsm::new(12, values);
    let layers: [&[Rsm]; 3] = [&scaled, &dark, &layer];
    for measure in [Measure::Pearson, Measure::Spearman, Measure::TwoVsTwo(Ties::Lost)] {
        let test = PartialTest::new(measure, &words[0], &layers, &[&pixels], &draws);
        assert_eq!(test.members(), [2], "{measure}");
        assert!(PartialTest::new(measure, &words[0], &layers[..2], &[&pixels], &draws).members().is_empty());
        assert!(PartialTest::new(measure, &words[0], &layers, &[&words], &draws).members().is_empty());
    }
}

const CONCEPTS: usize = 16;

/// `[concepts, dimensions]`, each of length 1.
fn vectors(random: &mut Random, dimensions: usize) -> Vec<Vec<f64>> {
    let vector = |random: &mut Random| {
        let values: Vec<f64> = (0..dimensions).map(|_| random.normal()).collect();
        let length = dot(&values, &values).sqrt();
        values.into_iter().map(|x| x / length).collect()
    };
    (0..CONCEPTS).map(|_| vector(random)).collect()
}

/// The inner products of concatenated vectors, each with its share.
fn similarity(parts: &[(f64, &[Vec<f64>])]) -> Rsm {
    let entry = |a: usize, b: usize| parts.iter().map(|(share, rows)| share * dot(&rows[a], &rows[b])).sum();
    Rsm::new(CONCEPTS, (0..CONCEPTS * CONCEPTS).map(|n| entry(n / CONCEPTS, n % CONCEPTS)).collect())
}

/// Whether a world in which words and layer depend on the given space, and share `planted` beside it, is rejected at .05,
/// given that space and given nothing.
fn rejected(seed: u64, categories: bool, planted: f64, measure: Measure) -> [bool; 2] {
    let mut random = Random::keyed(seed, 9);
    let control = if categories {
        (0..CONCEPTS).map(|c| (0..4).map(|n| f64::from(u8::from(c % 4 == n))).collect()).collect()
    } else {
        vectors(&mut random, 6)
    };
    let common = vectors(&mut random, 6);
    let mut side = || {
        let own = vectors(&mut random, 6);
        similarity(&[(0.5, &control), (planted, &common), (0.5 - planted, &own)])
    };
    let (words, layer) = (side(), [side()]);
    let (space, draws) = ([similarity(&[(1.0, &control)])], Permutations::new(seed, CONCEPTS));
    let rule = Rule { permutations: 19, stop_after: None, tail: Tail::Upper, family: Family::Layers };
    [vec![&space[..]], vec![]].map(|given| {
        let test = PartialTest::new(measure, &words, &[&layer], &given, &draws);
        inference::test(&test, rule, &|_| ControlFlow::Continue(())).unwrap()[0].p_value <= 0.05
    })
}

#[test]
fn nulls_that_depend_on_the_given_space_are_rejected_at_their_level_and_planted_effects_found() {
    const WORLDS: u64 = 300;
    for measure in [Measure::Pearson, Measure::Spearman, Measure::TwoVsTwo(Ties::Lost)] {
        for categories in [false, true] {
            let count = |planted| {
                let worlds = (0..WORLDS).into_par_iter().map(|seed| rejected(seed, categories, planted, measure));
                worlds
                    .map(|[given, plain]| [u32::from(given), u32::from(plain)])
                    .reduce(|| [0; 2], |x, y| [x[0] + y[0], x[1] + y[1]])
            };
            let [given, plain] = count(0.0);
            // Binomial of 300 at .05: outside 5 to 28 once in a thousand.
            assert!((5..=28).contains(&given), "{measure}: {given} of {WORLDS} nulls rejected");
            assert!(plain > 200, "{measure}: without the control {plain}; the worlds need one");
            let [found, _] = count(0.3);
            assert!(found > 240, "{measure}: {found} of {WORLDS} planted effects found");
        }
    }
}
