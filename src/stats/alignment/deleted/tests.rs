//! Without a concept against the definition on vectors without it.

use std::ops::ControlFlow;

use super::*;
use crate::stats::alignment::tests::{gram, vectors};
use crate::stats::alignment::{Gram, reference};
use crate::stats::permutation::Random;

fn without(vectors: &[Vec<f64>], concept: usize) -> Vec<Vec<f64>> {
    [&vectors[..concept], &vectors[concept + 1..]].concat()
}

#[test]
fn a_value_without_a_concept_is_that_of_the_others() {
    let mut random = Random::keyed(4, 44);
    for (concepts, k) in [(9, 3), (20, 5), (31, 10)] {
        // Two groups of the images, one of the words.
        let spaces: Vec<Vec<Vec<f64>>> = (0..3).map(|_| vectors(&mut random, concepts, 8)).collect();
        let lists = |space: &Vec<Vec<f64>>, ranks| Neighbours::new(&gram(space), k + 1, ranks);
        for (measure, definition) in
            [(Measure::Mknn, reference::mknn as fn(&_, &_, usize) -> f64), (Measure::Cknna, reference::cknna)]
        {
            let images = spaces[1..].iter().map(|space| lists(space, Ranks::Drawn)).collect();
            let words = vec![vec![lists(&spaces[0], Ranks::InOrder)]];
            let pair = Lists { measure, k, words, images: vec![images] };
            let mean = |space: &dyn Fn(usize) -> Vec<Vec<f64>>| {
                (definition(&space(0), &space(1), k) + definition(&space(0), &space(2), k)) / 2.0
            };
            let whole = pair.values(NOBODY)[0];
            assert!((whole - mean(&|n| spaces[n].clone())).abs() < 1e-10, "{measure}: {whole}");
            for concept in 0..concepts {
                let found = pair.values(concept as u32)[0];
                let expected = mean(&|n| without(&spaces[n], concept));
                assert!((found - expected).abs() < 1e-10, "{measure} without {concept}: {found}, {expected}");
            }
        }
    }
}

#[test]
fn a_jackknife_by_hand() {
    // Of a mean the jackknife's error is the standard deviation over the root of n: of 1, 2, 3, 4 it is 0.6455.
    let deleted = [1.0, 2.0, 3.0, 4.0].map(|value| (10.0 - value) / 3.0);
    let Interval { low, high } = jackknife(2.5, deleted.into_iter()).unwrap();
    let reach = NORMAL * (5.0_f64 / 12.0).sqrt();
    assert!((low - (2.5 - reach)).abs() < 1e-12 && (high - (2.5 + reach)).abs() < 1e-12);
    assert_eq!(jackknife(f64::NAN, deleted.into_iter()), None);
    assert_eq!(jackknife(0.5, [0.5, f64::NAN].into_iter()), None);
}

#[test]
fn too_few_concepts_or_none_with_a_direction_have_no_interval() {
    let mut random = Random::keyed(4, 45);
    let layers: Vec<[Gram; 1]> = (0..2).map(|_| [gram(&vectors(&mut random, 13, 8))]).collect();
    let side = |n: usize| Side { rsms: &[], grams: &layers[n] };
    let of = |k, images: Side, go_on: ControlFlow<()>| {
        intervals(Measure::Mknn, k, &[side(0)], &[images], &|_| go_on).map(|found| found[0])
    };
    let go_on = ControlFlow::Continue(());
    let Interval { low, high } = of(6, side(1), go_on).unwrap().unwrap();
    assert!(0.0 < low && low + 0.001 < high && high < 1.0, "{low} {high}");
    // Without a concept 11 neighbours are all that is left.
    assert_eq!([11, 12].map(|k| of(k, side(1), go_on)), [Ok(None), Ok(None)]);
    assert!(intervals(Measure::Cknna, 11, &[side(0)], &[side(1)], &|_| go_on).unwrap()[0].is_some());
    // A space with itself has 1, and no more.
    let itself = intervals(Measure::Cknna, 3, &[side(0)], &[side(0)], &|_| go_on).unwrap()[0].unwrap();
    assert!(itself.low > 0.99 && itself.high <= 1.0, "{itself:?}");
    let mut dark = vectors(&mut random, 13, 8);
    dark[3] = vec![0.0; 8];
    let dark = [gram(&dark)];
    assert_eq!(of(3, Side { rsms: &[], grams: &dark }, go_on), Ok(None));
    assert_eq!(of(3, side(1), ControlFlow::Break(())), Err(Interrupted));
}
