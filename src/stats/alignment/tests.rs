use std::ops::ControlFlow;

use super::inner::InnerTest;
use super::neighbours::{NeighbourTest, Neighbours, Ranks};
use super::*;
use crate::stats::calibrated;
use crate::stats::inference::{self, LayerScores, Statistic, Tail};
use crate::stats::permutation::{Permutations, Random};
use crate::stats::similarity::rsm_of_rows;

/// Values of order 1 from sums of up to 10^5 terms in f64; CKNNA divides by little.
const CLOSE: f64 = 1e-11;

#[test]
fn the_reach_of_normal_intervals_is_that_of_the_level() {
    // Student's t lies (z^3 + z) / 4 v beyond the normal z, and 3e-8 more (Abramowitz & Stegun 26.7.5).
    let freedom = 1e4;
    let student = crate::stats::student::quantile(crate::stats::LEVEL, freedom);
    let expected = NORMAL + (NORMAL.powi(3) + NORMAL) / (4.0 * freedom);
    assert!((student - expected).abs() < 1e-7, "{student}, expected {expected}");
}

/// Vectors with a mean of their own each, as activations have; exact in f32.
pub fn vectors(random: &mut Random, concepts: usize, units: usize) -> Vec<Vec<f64>> {
    let common: Vec<f64> = (0..units).map(|_| 2.0 * random.unit()).collect();
    let value = |shared: &f64, random: &mut Random| f64::from((shared + random.normal()) as f32);
    (0..concepts).map(|_| common.iter().map(|shared| value(shared, random)).collect()).collect()
}

pub fn gram(vectors: &[Vec<f64>]) -> Gram {
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum();
    Gram::new(vectors.len(), vectors.iter().flat_map(|x| vectors.iter().map(|y| product(x, y))).collect())
}

pub fn rsm(vectors: &[Vec<f64>]) -> Rsm {
    let rows: Vec<f32> = vectors.iter().flatten().map(|&x| x as f32).collect();
    rsm_of_rows(&rows, vectors.len(), vectors[0].len()).unwrap()
}

/// A layer's vectors in each group, and what it is reduced to.
struct Layer {
    vectors: Vec<Vec<Vec<f64>>>,
    rsms: Vec<Rsm>,
    grams: Vec<Gram>,
}

impl Layer {
    fn random(random: &mut Random, groups: usize, concepts: usize) -> Self {
        let units = 6 + random.below(30) as usize;
        let vectors: Vec<_> = (0..groups).map(|_| vectors(random, concepts, units)).collect();
        Self {
            rsms: vectors.iter().map(|v| rsm(v)).collect(),
            grams: vectors.iter().map(|v| gram(v)).collect(),
            vectors,
        }
    }

    fn side(&self) -> Side<'_> {
        Side { rsms: &self.rsms, grams: &self.grams }
    }
}

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// `[pairs][draws]`, in two batches.
fn values<S: Statistic<Error = crate::stats::Interrupted>>(test: &S, draws: u64) -> Vec<Vec<f64>> {
    let parts = [0..2, 2..draws].map(|range| test.points(range, &go_on).unwrap());
    let whole = test.whole() as f64;
    let pairs = parts[0].iter().zip(&parts[1]);
    pairs.map(|(first, second)| first.iter().chain(second).map(|&p| p as f64 / whole).collect()).collect()
}

fn tested(measure: Measure, k: usize, words: &[Layer], images: &[Layer], draws: &Permutations) -> Vec<Vec<f64>> {
    let (words, images): (Vec<_>, Vec<_>) =
        (words.iter().map(Layer::side).collect(), images.iter().map(Layer::side).collect());
    if InnerTest::takes(measure) {
        values(&InnerTest::new(measure, &words, &images, draws).unwrap(), 30)
    } else {
        values(&NeighbourTest::new(measure, k, &words, &images, draws).unwrap(), 30)
    }
}

fn by_definition(measure: Measure, k: usize, x: &[Vec<f64>], y: &[Vec<f64>]) -> f64 {
    let upper = |vectors: &[Vec<f64>]| crate::stats::rsa::upper(&rsm(vectors));
    match measure {
        Measure::Cka => reference::cka(x, y),
        Measure::CkaDebiased => reference::cka_debiased(x, y),
        Measure::CkaRbf => reference::cka_rbf(x, y),
        Measure::Mknn => reference::mknn(x, y, k),
        Measure::Cknna => reference::cknna(x, y, k),
        Measure::RsaPearson | Measure::RsaSpearman => measure.rsa().unwrap().correlation(&upper(x), &upper(y)).unwrap(),
        Measure::RsaCosine => {
            let (x, y): (Vec<f64>, Vec<f64>) = upper(x).iter().zip(upper(y)).map(|(x, y)| (1.0 - x, 1.0 - y)).unzip();
            let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
            product(&x, &y) / (product(&x, &x) * product(&y, &y)).sqrt()
        }
        Measure::TwoVsTwo | Measure::RsaKendall => unreachable!("have tests of their own"),
    }
}

/// Those that are tested here.
fn measures() -> impl Iterator<Item = Measure> {
    let own = |measure: &Measure| InnerTest::takes(*measure) || measure.counts_neighbours();
    Measure::ALL.into_iter().filter(own)
}

#[test]
fn every_measure_is_its_definition_in_every_draw() {
    for (concepts, k, groups, [words, images]) in
        [(6, 2, 1, [1, 1]), (17, 3, 2, [3, 2]), (33, 10, 1, [3, 13]), (46, 10, 3, [1, 2])]
    {
        let mut random = Random::keyed(17, concepts as u64);
        // Words with groups where the images have two.
        let of_words = if groups == 2 { 2 } else { 1 };
        let words: Vec<Layer> = (0..words).map(|_| Layer::random(&mut random, of_words, concepts)).collect();
        let images: Vec<Layer> = (0..images).map(|_| Layer::random(&mut random, groups, concepts)).collect();
        let draws = Permutations::new(5, concepts);
        for measure in measures() {
            let found = tested(measure, k, &words, &images, &draws);
            let pairs = words.iter().flat_map(|x| images.iter().map(move |y| (x, y)));
            for ((x, y), found) in pairs.zip(&found) {
                for t in [0, 1, 2, 29] {
                    let draw = draws.draw(t);
                    let mean = (0..groups)
                        .map(|group| {
                            let words = &x.vectors[group.min(x.vectors.len() - 1)];
                            let drawn: Vec<Vec<f64>> = draw.iter().map(|&c| words[c as usize].clone()).collect();
                            by_definition(measure, k, &drawn, &y.vectors[group])
                        })
                        .sum::<f64>()
                        / groups as f64;
                    let found = found[t as usize];
                    assert!((found - mean).abs() < CLOSE, "{measure}, {concepts} concepts, draw {t}: {found}, {mean}");
                }
            }
        }
    }
}

#[test]
fn more_layers_than_a_word_has_bits_and_a_batch_has_draws() {
    let mut random = Random::keyed(3, 3);
    let words = [Layer::random(&mut random, 1, 12)];
    let images: Vec<Layer> = (0..70).map(|_| Layer::random(&mut random, 1, 12)).collect();
    let draws = Permutations::new(5, 12);
    for measure in [Measure::Mknn, Measure::Cknna, Measure::Cka] {
        let all = tested(measure, 3, &words, &images, &draws);
        for place in [0, 63, 64, 69] {
            let alone = tested(measure, 3, &words, &images[place..=place], &draws);
            assert_eq!(all[place], alone[0], "{measure}: layer {place}");
        }
    }
}

#[test]
fn a_space_is_aligned_with_itself_turned_and_scaled() {
    let mut random = Random::keyed(8, 1);
    let layer = Layer::random(&mut random, 1, 25);
    // The units in another order, twice as large, every second one negative.
    let signed = |(u, v): (usize, &f64)| if u % 2 == 0 { -2.0 * v } else { 2.0 * v };
    let vectors: Vec<Vec<f64>> =
        layer.vectors[0].iter().map(|x| x.iter().rev().enumerate().map(signed).collect()).collect();
    let other = Layer { rsms: vec![rsm(&vectors)], grams: vec![gram(&vectors)], vectors: vec![vectors] };
    let draws = Permutations::new(5, 25);
    for measure in measures().filter(|measure| measure.needs_gram()) {
        let found = tested(measure, 5, &[layer_copy(&layer)], &[layer_copy(&other)], &draws);
        // The 1e-6 of CKNNA's denominator.
        let close = if measure == Measure::Cknna { 1e-3 } else { CLOSE };
        assert!((found[0][0] - 1.0).abs() < close, "{measure}: {}", found[0][0]);
        assert!(found[0][1..].iter().all(|value| *value < 0.9), "{measure}: {:?}", found[0]);
        let swapped = tested(measure, 5, &[layer_copy(&other)], &[layer_copy(&layer)], &draws);
        assert!((found[0][0] - swapped[0][0]).abs() < CLOSE);
    }
}

fn layer_copy(layer: &Layer) -> Layer {
    Layer { vectors: layer.vectors.clone(), rsms: layer.rsms.clone(), grams: layer.grams.clone() }
}

#[test]
fn numbers_by_hand() {
    // Four concepts on a line, at 0, 1, 2 and 3, and the same with two exchanged: centred -1.5, -0.5, 0.5, 1.5.
    let line = |places: [f64; 4]| Layer {
        vectors: Vec::new(),
        rsms: Vec::new(),
        grams: vec![gram(&places.map(|x| vec![x, 1.0]))],
    };
    let draws = Permutations::new(5, 4);
    let found = tested(Measure::Cka, 1, &[line([0.0, 1.0, 2.0, 3.0])], &[line([1.0, 0.0, 2.0, 3.0])], &draws);
    // The product of the centred lines is 4 of a length of 5 squared: CKA of one unit is the squared correlation.
    assert!((found[0][0] - 0.64).abs() < CLOSE, "{}", found[0][0]);
    // By angle, the neighbour of 0 is 1, of 1 is 2, of 2 is 3 and of 3 is 2; exchanged: of 1 is 2, of 0 is 1.
    let found = tested(Measure::Mknn, 1, &[line([0.0, 1.0, 2.0, 3.0])], &[line([1.0, 0.0, 2.0, 3.0])], &draws);
    // Lists 1, 2, 3, 2 and 2, 0, 3, 2: two of four in common.
    assert_eq!(found[0][0], 0.5);
}

#[test]
fn the_gram_matrix_is_that_of_the_correlations_and_scales() {
    let mut random = Random::keyed(4, 4);
    let mut vectors = vectors(&mut random, 9, 40);
    vectors[3] = vec![0.25; 40];
    let moments = |x: &Vec<f64>| {
        let mean = x.iter().sum::<f64>() / 40.0;
        (mean, (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 40.0).sqrt())
    };
    let (means, deviations) = vectors.iter().map(moments).unzip();
    let found = Gram::of(&rsm(&vectors), &Scales { units: 40, means, deviations });
    for (found, expected) in found.values().iter().zip(gram(&vectors).values()) {
        assert!((found - expected).abs() < 1e-12 * 40.0, "{found}, expected {expected}");
    }
}

#[test]
fn distances_that_are_rounding_make_no_kernel() {
    let vectors = vectors(&mut Random::keyed(4, 5), 9, 40);
    let far = |level: f64| {
        let moved: Vec<Vec<f64>> = vectors.iter().map(|x| x.iter().map(|x| x + level).collect()).collect();
        gram(&moved).rbf()
    };
    let [near, far_off] = [0.0, 1e4].map(|level| far(level).unwrap());
    for (near, far_off) in near.values().iter().zip(far_off.values()) {
        assert!((near - far_off).abs() < 1e-6, "{far_off}, expected {near}");
    }
    assert_eq!(far(1e8), None);
}

#[test]
fn ties_do_not_agree_with_each_other() {
    // All vectors but three are equal: neighbours are ties on both sides.
    let vectors: Vec<Vec<f64>> =
        (0..40).map(|c| if c < 3 { vec![1.0, f64::from(c)] } else { vec![1.0, -1.0] }).collect();
    let layer = || Layer { vectors: Vec::new(), rsms: Vec::new(), grams: vec![gram(&vectors)] };
    assert!(Neighbours::new(&layer().grams[0], 5, Ranks::InOrder).tied >= 37);
    let draws = Permutations::new(5, 40);
    let found = tested(Measure::Mknn, 5, &[layer()], &[layer()], &draws);
    // 5 of 36 equals are common by chance; in the same order on both sides it were all.
    assert!(found[0][0] < 0.35, "{}", found[0][0]);
}

#[test]
fn what_does_not_vary_is_named() {
    let mut random = Random::keyed(9, 9);
    let varied = Layer::random(&mut random, 1, 8);
    let equal = vec![vec![1.0, 2.0, 3.5]; 8];
    let flat = Layer { vectors: Vec::new(), rsms: Vec::new(), grams: vec![gram(&equal)] };
    let draws = Permutations::new(5, 8);
    for measure in [Measure::Cka, Measure::CkaDebiased, Measure::CkaRbf] {
        let error = InnerTest::new(measure, &[varied.side()], &[varied.side(), flat.side()], &draws).err();
        assert_eq!(error, Some(Unvaried { words: false, layer: 1 }), "{measure}");
    }
}

#[test]
fn asked_to_stop_they_stop() {
    let mut random = Random::keyed(9, 9);
    let layer = Layer::random(&mut random, 1, 8);
    let (draws, sides) = (Permutations::new(5, 8), [layer.side()]);
    let inner = InnerTest::new(Measure::Cka, &sides, &sides, &draws).unwrap();
    assert!(inner.points(0..5, &|_| ControlFlow::Break(())).is_err());
    let neighbours = NeighbourTest::new(Measure::Mknn, 3, &sides, &sides, &draws).unwrap();
    assert!(neighbours.points(0..5, &|_| ControlFlow::Break(())).is_err());
}

/// Of the golden file: what another program gave in single precision.
const SINGLE: f64 = 1e-6;

#[test]
fn values_neighbours_and_calibration_are_numpys_and_the_peers() {
    let text = include_str!("../../../tests/golden/alignment.json");
    let golden: serde_json::Value = serde_json::from_str(text).unwrap();
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    let rows = |value: &serde_json::Value| -> Vec<Vec<f64>> {
        value.as_array().unwrap().iter().map(|row| row.as_array().unwrap().iter().map(number).collect()).collect()
    };
    let layers = |side: &str| -> Vec<Layer> {
        let layer = |value: &serde_json::Value| {
            let vectors = rows(value);
            Layer { rsms: vec![rsm(&vectors)], grams: vec![gram(&vectors)], vectors: vec![vectors] }
        };
        golden[side].as_array().unwrap().iter().map(layer).collect()
    };
    let (words, images) = (layers("words"), layers("images"));
    let (concepts, k) = (number(&golden["concepts"]) as usize, number(&golden["neighbours"]) as usize);
    let draws = Permutations::new(number(&golden["seed"]) as u64, concepts);
    let first: Vec<f64> = golden["first_draw"].as_array().unwrap().iter().map(number).collect();
    assert_eq!(draws.draw(1).iter().map(|&place| f64::from(place)).collect::<Vec<_>>(), first);
    for (layer, nearest) in words.iter().zip(golden["nearest"].as_array().unwrap()) {
        let found = Neighbours::new(&layer.grams[0], k, Ranks::InOrder);
        for (a, expected) in rows(nearest).iter().enumerate() {
            assert_eq!(found.of(a).iter().map(|&b| f64::from(b)).collect::<Vec<_>>(), *expected, "concept {a}");
        }
    }
    let (words, images): (Vec<_>, Vec<_>) =
        (words.iter().map(Layer::side).collect(), images.iter().map(Layer::side).collect());
    let all = 0..number(&golden["draws"]) as u64 + 1;
    for (name, expected) in golden["measures"].as_object().unwrap() {
        let measure = Measure::ALL.into_iter().find(|measure| measure.name() == name).unwrap();
        let scores = |points: Vec<Vec<i64>>, whole| -> Vec<LayerScores> {
            points.into_iter().map(|points| LayerScores::new(points, whole)).collect()
        };
        let family = if InnerTest::takes(measure) {
            let test = InnerTest::new(measure, &words, &images, &draws).unwrap();
            scores(test.points(all.clone(), &go_on).unwrap(), test.whole())
        } else {
            let test = NeighbourTest::new(measure, k, &words, &images, &draws).unwrap();
            scores(test.points(all.clone(), &go_on).unwrap(), test.whole())
        };
        let inferences = inference::infer(&family, Tail::Upper, None);
        for ((scores, inference), expected) in family.iter().zip(&inferences).zip(rows(&expected["pairs"])) {
            let [value, drawn, calibrated, p, tau] = expected[..] else { panic!() };
            let own = calibrated::threshold(scores, 0.05).unwrap();
            let found = [inference.value, scores.null().next().unwrap(), calibrated::score(inference.value, own), own];
            for (found, expected) in found.iter().zip([value, drawn, calibrated, tau]) {
                assert!((found - expected).abs() < SINGLE, "{name}: {found}, expected {expected}");
            }
            assert!((inference.p_value - p).abs() < SINGLE, "{name}: p {}, expected {p}", inference.p_value);
        }
        // The package's aggregate: the highest value against the raw maximum of each draw.
        let best: Vec<f64> = expected["best"].as_array().unwrap().iter().map(number).collect();
        let tau = calibrated::threshold_of_maximum(&family.iter().collect::<Vec<_>>(), 0.05).unwrap();
        let highest = inferences.iter().map(|inference| inference.value).fold(f64::MIN, f64::max);
        assert!((tau - best[2]).abs() < SINGLE && (calibrated::score(highest, tau) - best[0]).abs() < SINGLE, "{name}");
    }
}
