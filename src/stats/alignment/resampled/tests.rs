//! Resamples against the definitions on the explicit list of copies.

use std::ops::ControlFlow;

use super::*;
use crate::stats::Rsm;
use crate::stats::alignment::inner::InnerTest;
use crate::stats::alignment::tests::{gram, rsm, vectors};
use crate::stats::alignment::{Gram, reference};
use crate::stats::bootstrap::multiplicities;
use crate::stats::inference::Statistic;
use crate::stats::permutation::{Permutations, Random};
use crate::stats::rsa::{self, Rsa};

/// Values of order 1 from sums of some thousand terms.
const CLOSE: f64 = 1e-11;

const MEASURES: [Measure; 7] = [
    Measure::RsaPearson,
    Measure::RsaSpearman,
    Measure::RsaKendall,
    Measure::RsaCosine,
    Measure::Cka,
    Measure::CkaDebiased,
    Measure::CkaRbf,
];

struct Layer {
    vectors: Vec<Vec<f64>>,
    rsms: [Rsm; 1],
    grams: [Gram; 1],
}

impl Layer {
    fn random(random: &mut Random, concepts: usize) -> Self {
        let vectors = vectors(random, concepts, 15);
        Self { rsms: [rsm(&vectors)], grams: [gram(&vectors)], vectors }
    }

    fn side(&self) -> Side<'_> {
        Side { rsms: &self.rsms, grams: &self.grams }
    }

    fn entry(&self, measure: Measure, a: usize, b: usize) -> f64 {
        match measure {
            Measure::CkaRbf => self.grams[0].rbf().unwrap().row(a)[b],
            _ if measure.needs_gram() => self.grams[0].row(a)[b],
            Measure::RsaCosine => 1.0 - self.rsms[0].row(a)[b],
            _ => self.rsms[0].row(a)[b],
        }
    }
}

fn cosine(x: &[f64], y: &[f64]) -> f64 {
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    product(x, y) / (product(x, x) * product(y, y)).sqrt()
}

/// On the list of copies: pairs of copies of different concepts, for CKA each copy with itself too.
fn by_definition(measure: Measure, x: &Layer, y: &Layer, copies: &[u32]) -> f64 {
    let list: Vec<usize> = copies.iter().enumerate().flat_map(|(c, &w)| vec![c; w as usize]).collect();
    let n = list.len();
    let ordered = || (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
    let pairs: Vec<(usize, usize)> = ordered().filter(|&(i, j)| i < j && list[i] != list[j]).collect();
    let plain =
        |layer: &Layer| -> Vec<f64> { pairs.iter().map(|&(i, j)| layer.entry(measure, list[i], list[j])).collect() };
    match measure {
        Measure::RsaPearson | Measure::RsaSpearman => measure.rsa().unwrap().correlation(&plain(x), &plain(y)).unwrap(),
        Measure::RsaCosine => cosine(&plain(x), &plain(y)),
        Measure::RsaKendall => {
            let (x, y) = (plain(x), plain(y));
            // Copies of an entry tie in both spaces.
            let entry = |at: usize| (list[pairs[at].0], list[pairs[at].1]);
            let (mut difference, mut all) = (0.0, 0.0);
            for f in 0..pairs.len() {
                for e in (0..f).filter(|&e| entry(e) != entry(f)) {
                    let concordance = (x[e] - x[f]) * (y[e] - y[f]);
                    difference += f64::from(i32::from(concordance > 0.0) - i32::from(concordance < 0.0));
                    all += 1.0;
                }
            }
            difference / all
        }
        Measure::CkaDebiased => {
            // The additive fit by going back and forth.
            let left = |layer: &Layer| -> Vec<f64> {
                let mut rows = vec![0.0; n];
                for _ in 0..400 {
                    for i in 0..n {
                        let others: Vec<usize> = (0..n).filter(|&j| list[i] != list[j]).collect();
                        let rest = |&j: &usize| layer.entry(measure, list[i], list[j]) - rows[j];
                        rows[i] = others.iter().map(rest).sum::<f64>() / others.len() as f64;
                    }
                }
                pairs.iter().map(|&(i, j)| layer.entry(measure, list[i], list[j]) - rows[i] - rows[j]).collect()
            };
            cosine(&left(x), &left(y))
        }
        _ => {
            let left = |layer: &Layer| -> Vec<f64> {
                let entry = |i: usize, j: usize| layer.entry(measure, list[i], list[j]);
                let means: Vec<f64> = (0..n).map(|i| (0..n).map(|j| entry(i, j)).sum::<f64>() / n as f64).collect();
                let mean = means.iter().sum::<f64>() / n as f64;
                let counted = ordered().filter(|&(i, j)| i == j || list[i] != list[j]);
                counted.map(|(i, j)| entry(i, j) - means[i] - means[j] + mean).collect()
            };
            cosine(&left(x), &left(y))
        }
    }
}

fn values(measure: Measure, words: &[Layer], images: &[Layer], copies: &[u32]) -> Vec<f64> {
    Spaces::new(measure, &sides(words), &sides(images)).values(copies)
}

fn sides(layers: &[Layer]) -> Vec<Side<'_>> {
    layers.iter().map(Layer::side).collect()
}

#[test]
fn a_resample_is_the_measure_of_the_list_of_copies() {
    let mut random = Random::keyed(5, 55);
    for t in 0..6 {
        let concepts = 12;
        let words = [Layer::random(&mut random, concepts)];
        let images = [Layer::random(&mut random, concepts), Layer::random(&mut random, concepts)];
        let copies = if t == 0 { vec![1; concepts] } else { multiplicities(7, t, concepts) };
        for measure in MEASURES {
            let found = values(measure, &words, &images, &copies);
            for (found, y) in found.iter().zip(&images) {
                let expected = by_definition(measure, &words[0], y, &copies);
                assert!((found - expected).abs() < CLOSE, "{measure}, {copies:?}: {found}, expected {expected}");
            }
        }
    }
}

#[test]
fn every_concept_once_is_the_observed_value() {
    let mut random = Random::keyed(6, 66);
    let concepts = 30;
    let layers: Vec<Layer> = (0..3).map(|_| Layer::random(&mut random, concepts)).collect();
    let draws = Permutations::new(1, concepts);
    for measure in MEASURES {
        let found = values(measure, &layers[..1], &layers[1..], &vec![1; concepts]);
        let expected: Vec<f64> = if InnerTest::takes(measure) {
            let test = InnerTest::new(measure, &[layers[0].side()], &sides(&layers[1..]), &draws).unwrap();
            let points = test.points(0..1, &|_| ControlFlow::Continue(())).unwrap();
            points.iter().map(|points| points[0] as f64 / test.whole() as f64).collect()
        } else {
            let upper = |layer: &Layer| rsa::upper(&layer.rsms[0]);
            layers[1..].iter().map(|y| Rsa::KendallTauA.correlation(&upper(&layers[0]), &upper(y)).unwrap()).collect()
        };
        assert!(found.iter().zip(&expected).all(|(f, e)| (f - e).abs() < CLOSE), "{measure}: {found:?}, {expected:?}");
    }
    assert!(
        (values(Measure::Cka, &layers[..1], &layers[1..2], &vec![1; concepts])[0]
            - reference::cka(&layers[0].vectors, &layers[1].vectors))
        .abs()
            < CLOSE
    );
}

#[test]
fn groups_are_averaged_and_a_constant_image_has_no_interval() {
    let mut random = Random::keyed(8, 88);
    let concepts = 14;
    let layers: Vec<Layer> = (0..3).map(|_| Layer::random(&mut random, concepts)).collect();
    let rsms = [layers[1].rsms[0].clone(), layers[2].rsms[0].clone()];
    let both = Side { rsms: &rsms, grams: &[] };
    let go_on = |_| ControlFlow::Continue(());
    let copies = multiplicities(7, 1, concepts);
    let mean = values(Measure::RsaPearson, &layers[..1], &layers[1..], &copies).iter().sum::<f64>() / 2.0;
    let spaces = Spaces::new(Measure::RsaPearson, &[layers[0].side()], &[both]);
    assert!((spaces.values(&copies)[0] - mean).abs() < CLOSE);
    let dark = |i: usize| {
        if i % concepts != i / concepts && [i % concepts, i / concepts].contains(&3) {
            f64::NAN
        } else {
            rsms[0].values()[i]
        }
    };
    let dark = [rsms[0].clone(), Rsm::new(concepts, (0..concepts * concepts).map(dark).collect())];
    let sides = [both, Side { rsms: &dark, grams: &[] }];
    let found = intervals(Measure::RsaPearson, &[layers[0].side()], &sides, (1, 50), &go_on).unwrap();
    assert!(found[0].is_some() && found[1].is_none(), "{found:?}");
    let stopped = intervals(Measure::RsaPearson, &[layers[0].side()], &sides, (1, 50), &|_| ControlFlow::Break(()));
    assert_eq!(stopped, Err(Interrupted));
}

#[test]
fn an_interval_by_hand() {
    // Resamples of atanh -1, 0 and 1 around an observed 0.5: the outer 2.5 % lie at -0.95 and 0.95.
    let resampled = [1.0_f64.tanh(), 0.0, (-1.0_f64).tanh(), f64::NAN];
    let Interval { low, high } = interval(0.5, resampled.into_iter(), -1.0).unwrap();
    let end = |reach: f64| (0.5_f64.atanh() + reach).tanh();
    assert!((low - end(-0.95)).abs() < 1e-12 && (high - end(0.95)).abs() < 1e-12, "{low} {high}");
    // What is never below 0 is not there either.
    let found = interval(0.5, resampled.into_iter(), Measure::Cka.least()).unwrap();
    assert_eq!((found.low, found.high), (0.0, high));
    // What is below 0, as kernels with negative eigenvalues can be, has its whole interval.
    let below = |least: f64| interval(-0.5, resampled.into_iter(), least).unwrap();
    assert_eq!(below(Measure::Cka.least()), below(-1.0));
    assert!(below(Measure::Cka.least()).low < -0.8);
    // A space with itself.
    let found = interval(1.0, [1.0; 9].into_iter(), -1.0).unwrap();
    assert!(found.low > 1.0 - 1e-9 && found.high <= 1.0 && found.holding(1.0).high == 1.0);
    assert_eq!(interval(f64::NAN, [0.5].into_iter(), -1.0), None);
    assert_eq!(interval(0.5, [f64::NAN].into_iter(), -1.0), None);
}
