use super::*;
use crate::stats::Rsm;
use crate::stats::alignment::reference;
use crate::stats::alignment::tests::{gram, rsm, vectors};
use crate::stats::permutation::Random;
use crate::stats::rsa::Rsa;

/// Groups that see the same things in their own noise.
fn groups(random: &mut Random, count: usize, noise: f64) -> Vec<Vec<Vec<f64>>> {
    let shared = vectors(random, 16, 12);
    let mut noisy = || {
        let own = vectors(random, 16, 12);
        let mixed = shared.iter().zip(own).map(|(x, y)| x.iter().zip(y).map(|(x, y)| x + noise * y).collect());
        mixed.collect()
    };
    (0..count).map(|_| noisy()).collect()
}

struct Layer {
    rsms: Vec<Rsm>,
    grams: Vec<Gram>,
}

impl Layer {
    fn new(groups: &[Vec<Vec<f64>>]) -> Self {
        Self { rsms: groups.iter().map(|g| rsm(g)).collect(), grams: groups.iter().map(|g| gram(g)).collect() }
    }

    fn ceiling(&self, measure: Measure) -> Option<Ceiling> {
        noise_ceiling(measure, 4, Side { rsms: &self.rsms, grams: &self.grams })
    }
}

fn measures() -> impl Iterator<Item = Measure> {
    Measure::ALL.into_iter().filter(|&measure| measure != Measure::TwoVsTwo)
}

#[test]
fn identical_groups_reach_one_and_one_group_has_none() {
    let mut random = Random::keyed(2, 22);
    let one = vectors(&mut random, 16, 12);
    let layer = Layer::new(&[one.clone(), one.clone(), one.clone()]);
    for measure in measures() {
        let Ceiling { lower, upper } = layer.ceiling(measure).unwrap();
        // The 1e-6 of CKNNA's denominator.
        let close = if measure == Measure::Cknna { 1e-3 } else { 1e-9 };
        assert!((lower - 1.0).abs() < close && (upper - 1.0).abs() < close, "{measure}: {lower} {upper}");
        assert_eq!(Layer::new(std::slice::from_ref(&one)).ceiling(measure), None);
    }
}

#[test]
fn of_two_groups_the_lower_end_is_their_alignment() {
    let mut random = Random::keyed(2, 23);
    let both = groups(&mut random, 2, 1.0);
    let layer = Layer::new(&both);
    let (x, y) = (&both[0], &both[1]);
    for (measure, expected) in [
        (Measure::Cka, reference::cka(x, y)),
        (Measure::CkaDebiased, reference::cka_debiased(x, y)),
        (Measure::CkaRbf, reference::cka_rbf(x, y)),
        (Measure::Mknn, reference::mknn(x, y, 4)),
        // Which of the two comes first matters to it.
        (Measure::Cknna, (reference::cknna(x, y, 4) + reference::cknna(y, x, 4)) / 2.0),
        (Measure::RsaPearson, Rsa::Pearson.correlation(&upper(x), &upper(y)).unwrap()),
    ] {
        let Ceiling { lower, .. } = layer.ceiling(measure).unwrap();
        assert!((lower - expected).abs() < 1e-9, "{measure}: {lower}, expected {expected}");
    }
}

fn upper(vectors: &[Vec<f64>]) -> Vec<f64> {
    crate::stats::rsa::upper(&rsm(vectors))
}

#[test]
fn noise_lowers_it_and_no_words_pass_the_bound_of_an_inner_product() {
    let mut random = Random::keyed(2, 24);
    let (clean, noisy) = (groups(&mut random, 3, 0.4), groups(&mut random, 3, 1.5));
    let (clean, layer) = (Layer::new(&clean), Layer::new(&noisy));
    for measure in measures() {
        let (of_clean, of_noisy) = (clean.ceiling(measure).unwrap(), layer.ceiling(measure).unwrap());
        assert!(of_noisy.lower < of_noisy.upper && of_noisy.lower < of_clean.lower, "{measure}");
    }
    for measure in [Measure::Cka, Measure::CkaDebiased, Measure::CkaRbf, Measure::RsaCosine] {
        let bound = layer.ceiling(measure).unwrap().upper;
        let matrices = prepared(measure, Side { rsms: &layer.rsms, grams: &layer.grams }).unwrap();
        for _ in 0..50 {
            let words = groups(&mut random, 1, 0.0).remove(0);
            let words = Layer::new(&[words, noisy[0].clone()].map(|w| w));
            for model in prepared(measure, Side { rsms: &words.rsms, grams: &words.grams }).unwrap() {
                let reached = matrices.iter().map(|group| dot(&model, group)).sum::<f64>() / 3.0;
                assert!(reached < bound, "{measure}: {reached} passes {bound}");
            }
        }
    }
}
