use std::ops::ControlFlow;

use super::*;
use crate::stats::bootstrap::Interval;
use crate::stats::permutation::Random;

const DRAWS: u64 = 499;

/// A row of two word models' difference by its value and deviation.
fn row(value: f64, deviation: f64, influences: &[f64]) -> Found {
    Found {
        of: Of { kind: Kind::Words, layer: 0, words: 0, less_words: Some(1), less_layer: None },
        estimate: Estimate {
            value,
            deviation,
            freedom: 8.0,
            interval: Interval { low: value - deviation, high: value + deviation },
            p_value: Some(if value == 0.0 { 1.0 } else { 0.01 }),
        },
        influences: influences.to_vec(),
    }
}

fn p_fwer(found: &[Found]) -> Vec<Option<f64>> {
    families(found, DRAWS, 1, &|_| ControlFlow::Continue(())).unwrap()
}

#[test]
fn rows_that_are_nothing_or_unknown_take_no_part_in_a_family() {
    let mut random = Random::keyed(21, 0);
    let mut influences = |size: f64| (0..40).map(|_| size * (random.unit() - 0.5)).collect::<Vec<f64>>();
    // A word model A, its copy A', and B: A - A' is rounding, A - B and A' - B are one difference.
    let (apart, rounding, unknown) = (influences(1.0), influences(1e-17), influences(1.0));
    let alone = p_fwer(&[row(0.3, 0.2, &apart)]);
    let of_difference = alone[0].unwrap();
    assert!((0.1..0.3).contains(&of_difference), "1.5 deviations: {of_difference}");
    let family = [row(0.0, 0.0, &rounding), row(0.3, 0.2, &apart), row(0.3, 0.2, &apart)];
    assert_eq!(p_fwer(&family), [Some(1.0), alone[0], alone[0]]);
    // Nothing says how it varies: neither its own p nor anybody else's is known by it.
    let family = [row(0.3, f64::NAN, &unknown), row(0.3, 0.2, &apart)];
    assert_eq!(p_fwer(&family), [None, alone[0]]);
    // A row that varies is paid for.
    let family = [row(0.1, 0.2, &unknown), row(0.3, 0.2, &apart)];
    assert!(p_fwer(&family)[1].unwrap() > of_difference);
}

#[test]
fn families_are_of_a_kind_and_rows_without_a_p_have_no_family_wise_one() {
    let mut random = Random::keyed(22, 0);
    let mut influences = || (0..40).map(|_| random.unit() - 0.5).collect::<Vec<f64>>();
    let (one, other) = (influences(), influences());
    let alone = p_fwer(&[row(0.3, 0.2, &one)]);
    let of = |kind: Kind, p_value: Option<f64>| {
        let Found { of, estimate, influences } = row(0.3, 0.2, &other);
        Found { of: Of { kind, ..of }, estimate: Estimate { p_value, ..estimate }, influences }
    };
    let found = p_fwer(&[of(Kind::Layers, Some(0.01)), row(0.3, 0.2, &one), of(Kind::Words, None)]);
    assert_eq!((found[1], found[2]), (alone[0], None));
    assert!(found[0].is_some());
}
