use std::ops::ControlFlow;
use std::slice::from_ref;

use safetensors::SafeTensors;

use super::*;
use crate::stats::partial::tests::golden;
use crate::stats::permutation::Random;
use crate::stats::rsa::{Rsa, square};

fn parts_of(spaces: &[&[Rsm]], layer: &[Rsm], resamples: u64) -> Vec<Part> {
    let go_on = |_| ControlFlow::Continue(());
    partition(spaces, &[layer], (1, resamples), &go_on).unwrap().remove(0).expect("a layer without constant images")
}

#[test]
fn parts_agree_with_regressions_by_numpy() {
    let file = SafeTensors::deserialize(golden::FILE).unwrap();
    let [layer, pixels, category, other] =
        ["layer", "pixels", "category", "other"].map(|name| golden::rsms(&file, name));
    let found = parts_of(&[&pixels, &category, &other], &layer, 0);
    let expected = golden::numbers(&file, "shares");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found.share - expected).abs() < 1e-12, "{found:?}, expected {expected}");
        assert_eq!(found.interval, None);
    }
    assert_eq!(found.iter().map(|part| part.spaces).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 7]);
}

/// Independent entries.
fn noise(random: &mut Random, concepts: usize) -> Rsm {
    square(&(0..concepts * (concepts - 1) / 2).map(|_| 2.0 * random.unit() - 1.0).collect::<Vec<_>>(), concepts)
}

fn sum(concepts: usize, terms: &[(f64, &Rsm)]) -> Rsm {
    let lists: Vec<Vec<f64>> = terms.iter().map(|(_, rsm)| upper(rsm)).collect();
    let entry = |n: usize| terms.iter().zip(&lists).map(|((weight, _), list)| weight * list[n]).sum();
    square(&(0..lists[0].len()).map(entry).collect::<Vec<_>>(), concepts)
}

#[test]
fn a_space_twice_shares_everything_and_alone_explains_nothing() {
    let mut random = Random::keyed(3, 0);
    let [a, b] = [0; 2].map(|_| noise(&mut random, 20));
    let layer = [sum(20, &[(1.0, &a), (0.5, &b)])];
    let twin = [sum(20, &[(2.0, &a)])];
    let found = parts_of(&[&[a], &twin, &[b]], &layer, 40);
    for Part { share, interval, .. } in &found {
        let Interval { low, high } = interval.unwrap();
        assert!(low <= *share && *share <= high, "{share}: {low} to {high}");
    }
    assert!(found[0].share.abs() < 1e-12 && found[1].share.abs() < 1e-12, "{found:?}");
    assert!(found[2].share > 0.5 && found[3].share > 0.1);
    assert!((found[7].share - 1.0).abs() < 1e-12, "the layer is made of these spaces");
    let parts: f64 = found[..7].iter().map(|part| part.share).sum();
    assert!((parts - found[7].share).abs() < 1e-12);
}

#[test]
fn copies_of_concepts_count_as_often() {
    // A weighted sum over different pairs is the plain one over all copies; copies of one concept make no pair.
    assert_eq!(pair_weights(&[2, 0, 1, 3]), [0.0, 2.0, 6.0, 0.0, 0.0, 3.0]);
}

#[test]
fn constant_images_have_no_parts() {
    let mut random = Random::keyed(4, 0);
    let (space, layer) = ([noise(&mut random, 6)], noise(&mut random, 6));
    let mut values = layer.values().to_vec();
    (1..6).for_each(|j| (values[j], values[6 * j]) = (f64::NAN, f64::NAN));
    let dark = [Rsm::new(6, values)];
    let go_on = |_| ControlFlow::Continue(());
    let found = partition(&[&space], &[&dark, &[layer]], (1, 0), &go_on).unwrap();
    assert!(found[0].is_none() && found[1].is_some());
}

#[test]
fn a_space_that_hardly_varies_has_its_part() {
    // More than rounding leaves of equal entries, so it has a correlation, and may be asked for.
    let mut random = Random::keyed(6, 0);
    let [a, b] = [0; 2].map(|_| noise(&mut random, 12));
    let layer = [sum(12, &[(1.0, &a), (0.5, &b)])];
    let faint = [square(&upper(&a).iter().map(|x| 0.5 + 1e-13 * x).collect::<Vec<_>>(), 12)];
    assert!(Rsa::Pearson.correlation(&upper(&faint[0]), &upper(&layer[0])).is_some());
    let [found, expected] = [&faint, &[a]].map(|space| parts_of(&[space], &layer, 0)[0].share);
    // Entries near 0.5 are rounded by a thousandth of what they vary.
    assert!((found - expected).abs() < 0.01, "{found}, expected {expected}");
}

#[test]
fn resamples_in_which_a_layer_does_not_vary_count_in_no_interval() {
    // Of twelve concepts two are of another kind: every ninth resample has neither.
    let alike = |(a, b): (usize, usize)| f64::from(u8::from((a < 10) == (b < 10)));
    let pairs = (0..12).flat_map(|a| (a + 1..12).map(move |b| (a, b)));
    let kinds = [square(&pairs.map(alike).collect::<Vec<_>>(), 12)];
    for part in parts_of(&[&kinds], &kinds, 200) {
        // Explained in full wherever there is something to explain.
        assert!((part.share - 1.0).abs() < 1e-12 && part.interval.unwrap().low > 1.0 - 1e-9, "{part:?}");
    }
}

#[test]
fn intervals_hold_the_share_of_the_population() {
    // A population of 150 concepts whose entries are a + noise; samples of 30 of them.
    let (population, concepts, worlds) = (150, 30, 40);
    let mut random = Random::keyed(5, 0);
    let rows = |random: &mut Random| -> Vec<f64> { (0..population * 6).map(|_| random.unit() - 0.5).collect() };
    let (shared, own) = (rows(&mut random), rows(&mut random));
    let matrix = |rows: &[f64]| {
        let entry = |a: usize, b: usize| -> f64 { (0..6).map(|d| rows[6 * a + d] * rows[6 * b + d]).sum() };
        Rsm::new(population, (0..population * population).map(|n| entry(n / population, n % population)).collect())
    };
    let space = matrix(&shared);
    let layer = sum(population, &[(1.0, &space), (0.7, &matrix(&own))]);
    let truth = parts_of(&[from_ref(&space)], from_ref(&layer), 0)[0].share;
    let held = (0..worlds).filter(|_| {
        let mut chosen: Vec<usize> = (0..population).collect();
        (0..concepts).for_each(|n| chosen.swap(n, n + random.below((population - n) as u32) as usize));
        let of = |rsm: &Rsm| {
            let entry = |n: usize| rsm.row(chosen[n / concepts])[chosen[n % concepts]];
            [Rsm::new(concepts, (0..concepts * concepts).map(entry).collect())]
        };
        let Interval { low, high } = parts_of(&[&of(&space)], &of(&layer), 99)[0].interval.unwrap();
        low <= truth && truth <= high
    });
    // 95 % of 40 are 38; fewer than 33 come about in one of a thousand.
    let held = held.count();
    assert!(held >= 33, "{held} of {worlds} intervals hold the population's share");
}
