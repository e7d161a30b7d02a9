//! The intervals of the measures of alignment: how often they hold the mean over worlds, and how wide they are.

use super::*;
use crate::stats::alignment::{Gram, Measure, Side, deleted, resampled};
use crate::stats::bootstrap::Interval;

const CONCEPTS: usize = 24;
const NEIGHBOURS: usize = 4;
const RESAMPLES: u64 = 100;
const WORLDS: u64 = 100;

/// Worlds whose mean is taken for the truth.
const TRUTH: u64 = 400;

/// Of 100 intervals that hold the truth in 95 % of worlds fewer hold it in one of 1000 such tests.
const HELD: usize = 88;

struct Layer {
    rsms: [Rsm; 1],
    grams: [Gram; 1],
}

impl Layer {
    fn new(vectors: &Vectors) -> Self {
        let product = |x: &Vec<f64>, y: &Vec<f64>| x.iter().zip(y).map(|(x, y)| x * y).sum();
        let values = vectors.iter().flat_map(|x| vectors.iter().map(move |y| product(x, y))).collect();
        Self { rsms: [rsm(vectors)], grams: [Gram::new(vectors.len(), values)] }
    }

    fn side(&self) -> [Side<'_>; 1] {
        [Side { rsms: &self.rsms, grams: &self.grams }]
    }
}

/// Two spaces of 10 units that are `shared` parts of the same five things, and noise.
fn world(world: u64, shared: f64) -> [Layer; 2] {
    let mut fixed = Random::keyed(78, 0);
    let mixing: [Vectors; 2] = [0; 2].map(|_| vectors(&mut fixed, 5, 10));
    let mut random = Random::keyed(79, world);
    let things = vectors(&mut random, CONCEPTS, 5);
    mixing.map(|mixing| {
        let seen = |thing: &Vec<f64>| -> Vec<f64> {
            (0..10).map(|unit| shared * (0..5).map(|n| thing[n] * mixing[n][unit]).sum::<f64>()).collect()
        };
        let seen: Vectors = things.iter().map(seen).collect();
        Layer::new(&noisy(&mut random, &seen, 2.0))
    })
}

fn interval(measure: Measure, [x, y]: &[Layer; 2], seed: u64) -> Interval {
    let found = if measure.counts_neighbours() {
        deleted::intervals(measure, NEIGHBOURS, &x.side(), &y.side(), &go_on)
    } else {
        resampled::intervals(measure, &x.side(), &y.side(), (seed, RESAMPLES), &go_on)
    };
    found.unwrap()[0].expect("every concept varies")
}

fn observed(measure: Measure, [x, y]: &[Layer; 2]) -> f64 {
    if measure.counts_neighbours() {
        deleted::observed(measure, NEIGHBOURS, &x.side(), &y.side())[0]
    } else {
        resampled::observed(measure, &x.side(), &y.side())[0]
    }
}

#[test]
fn intervals_of_every_measure_hold_the_mean_over_worlds_and_are_not_wider_than_said() {
    for measure in Measure::ALL.into_iter().filter(|&measure| measure != Measure::TwoVsTwo) {
        for shared in [0.0, 1.0, 4.0] {
            let values: Vec<f64> =
                (0..TRUTH).into_par_iter().map(|t| observed(measure, &world(1_000_000 + t, shared))).collect();
            let truth = values.iter().sum::<f64>() / TRUTH as f64;
            let spread = (values.iter().map(|v| (v - truth).powi(2)).sum::<f64>() / TRUTH as f64).sqrt();
            let intervals: Vec<Interval> =
                (0..WORLDS).into_par_iter().map(|t| interval(measure, &world(t, shared), t)).collect();
            let held = intervals.iter().filter(|i| i.low <= truth && truth <= i.high).count();
            let width = intervals.iter().map(|i| i.high - i.low).sum::<f64>() / WORLDS as f64;
            let wide = width / (2.0 * 1.96 * spread);
            println!(
                "{measure}, {shared}: truth {truth:.3}, held {held} of {WORLDS}, {wide:.2} times as wide as needed"
            );
            assert!(held >= HELD, "{measure}, {shared}: {held} of {WORLDS} hold {truth}");
            assert!((0.8..2.6).contains(&wide), "{measure}, {shared}: {wide} times as wide as needed");
        }
    }
}
