//! The measures of alignment under a true null, with categories, and with something planted.

use super::*;
use crate::stats::alignment::inner::InnerTest;
use crate::stats::alignment::neighbours::NeighbourTest;
use crate::stats::alignment::{Gram, Measure, Side};

/// Neighbours among 12 concepts.
const NEIGHBOURS: usize = 3;

struct Layer {
    rsms: Vec<Rsm>,
    grams: Vec<Gram>,
}

impl Layer {
    fn new(vectors: &Vectors) -> Self {
        let product = |x: &Vec<f64>, y: &Vec<f64>| x.iter().zip(y).map(|(x, y)| x * y).sum();
        let values = vectors.iter().flat_map(|x| vectors.iter().map(move |y| product(x, y))).collect();
        Self { rsms: vec![rsm(vectors)], grams: vec![Gram::new(vectors.len(), values)] }
    }

    fn side(&self) -> Side<'_> {
        Side { rsms: &self.rsms, grams: &self.grams }
    }
}

/// All pairs of layers as one family.
fn inferences(measure: Measure, words: &[Layer], images: &[Layer], draws: &Permutations) -> Vec<Inference> {
    let words: Vec<Side> = words.iter().map(Layer::side).collect();
    let images: Vec<Side> = images.iter().map(Layer::side).collect();
    let rule = Rule { permutations: PERMUTATIONS, ..Rule::default() };
    if InnerTest::takes(measure) {
        inference::test(&InnerTest::new(measure, &words, &images, draws).unwrap(), rule, &go_on).unwrap()
    } else {
        let test = NeighbourTest::new(measure, NEIGHBOURS, &words, &images, draws).unwrap();
        inference::test(&test, rule, &go_on).unwrap()
    }
}

/// The measures that have no calibration of their own.
fn measures() -> impl Iterator<Item = Measure> {
    Measure::ALL.into_iter().filter(|&measure| InnerTest::takes(measure) || measure.counts_neighbours())
}

/// Two layers a side that see the same looks, or words, in noise of their own; `shared` of the images is the words'.
fn world(world: u64, shared: f64) -> [Vec<Layer>; 2] {
    let mut random = Random::keyed(77, world);
    let words = vectors(&mut random, CONCEPTS, 10);
    let mut looks = vectors(&mut random, CONCEPTS, 10);
    for (x, y) in looks.iter_mut().flatten().zip(words.iter().flatten()) {
        *x += shared * y;
    }
    [&words, &looks].map(|space| (0..2).map(|_| Layer::new(&noisy(&mut random, space, 0.7))).collect())
}

#[test]
fn every_measure_is_uniform_under_a_true_null_and_its_family_keeps_the_level() {
    for measure in measures() {
        let worlds: Vec<(f64, f64)> = (0..WORLDS)
            .into_par_iter()
            .map(|t| {
                let [words, images] = world(t, 0.0);
                let family = inferences(measure, &words, &images, &Permutations::new(t, CONCEPTS));
                (family[0].p_value, family.iter().map(|pair| pair.p_fwer).fold(1.0, f64::min))
            })
            .collect();
        let (p_values, families): (Vec<f64>, Vec<f64>) = worlds.into_iter().unzip();
        assert!(REJECTED.contains(&rejected(&p_values)), "{measure}: {} rejected", rejected(&p_values));
        assert!(REJECTED.contains(&rejected(&families)), "{measure}: {} families", rejected(&families));
        assert!(excess(&p_values) < DISTANCE, "{measure}: {} too many", excess(&p_values));
        // Common neighbours are few whole numbers: p-values tie, on the safe side.
        if measure != Measure::Mknn {
            let distance = distance_to_uniform(&p_values);
            assert!(distance < DISTANCE, "{measure}: Kolmogorov-Smirnov {distance}");
        }
    }
}

#[test]
fn every_measure_finds_what_is_planted() {
    for measure in measures() {
        let found = |t: &u64| {
            let [words, images] = world(*t, 3.0);
            let draws = Permutations::new(*t, CONCEPTS);
            inferences(measure, &words, &images, &draws)[0].p_value <= 0.05
        };
        let found = (0..100).into_par_iter().filter(found).count();
        // Of 12 concepts in their noise; a test without power finds it in five.
        assert!(found >= 50, "{measure}: found in {found} of 100 worlds");
    }
}

#[test]
fn categories_alone_pass_the_free_null_but_not_the_stratified() {
    let category: Vec<u32> = (0..CONCEPTS as u32).map(|c| c / 4).collect();
    for measure in [Measure::CkaDebiased, Measure::Mknn] {
        let p_values: Vec<[f64; 2]> = (0..100)
            .into_par_iter()
            .map(|t| {
                let mut random = Random::keyed(1, t);
                let mut space = |units: usize| {
                    let means = vectors(&mut random, 3, units);
                    let members = category.iter().map(|&c| means[c as usize].clone()).collect();
                    [Layer::new(&noisy(&mut random, &members, 1.0))]
                };
                let (words, images) = (space(20), space(30));
                [Permutations::new(t, CONCEPTS), Permutations::stratified(t, &category)]
                    .map(|draws| inferences(measure, &words, &images, &draws)[0].p_value)
            })
            .collect();
        let rejected = |null: usize| p_values.iter().filter(|p| p[null] <= 0.05).count();
        assert!(rejected(0) > 60, "{measure}: {} of 100 pass the free null", rejected(0));
        // Binomial(100, 0.05) exceeds 12 in 1 of 1000.
        assert!(rejected(1) <= 13, "{measure}: {} of 100 pass the stratified null", rejected(1));
    }
}
