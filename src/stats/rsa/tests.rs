use std::ops::ControlFlow;

use super::super::alignment::Measure;
use super::super::inference::LayerScores;
use super::super::permutation::Random;
use super::*;

/// Sums of a few terms of order 1.
const CLOSE: f64 = 1e-13;

/// Entries in steps of 1/4, so that many are tied.
fn coarse(random: &mut Random, n: usize) -> Vec<f64> {
    (0..n).map(|_| f64::from(random.below(8)) / 4.0 - 1.0).collect()
}

fn random_rsm(random: &mut Random, concepts: usize) -> Rsm {
    let entries: Vec<f64> = (0..concepts * (concepts - 1) / 2).map(|_| 2.0 * random.unit() - 1.0).collect();
    square(&entries, concepts)
}

fn brute_ranks(x: &[f64]) -> Vec<f64> {
    x.iter()
        .map(|a| {
            let below = x.iter().filter(|b| *b < a).count() as f64;
            let equal = x.iter().filter(|b| *b == a).count() as f64;
            below + (equal + 1.0) / 2.0
        })
        .collect()
}

fn scores(kind: Rsa, words: &Rsm, groups: &[Rsm], draws: &Permutations, permutations: u64) -> LayerScores {
    let test = RsaTest::new(kind, words, &[groups], draws);
    // The batches of draws change nothing.
    let batches = [0..7, 7..permutations + 1];
    let points = batches.map(|range| test.points(range, &|_| ControlFlow::Continue(())).unwrap().concat());
    LayerScores::new(points.concat(), test.whole())
}

#[test]
fn asked_to_stop_it_stops() {
    let mut random = Random::keyed(8, 0);
    let (words, image) = (random_rsm(&mut random, 6), random_rsm(&mut random, 6));
    let (groups, draws) = ([image], Permutations::new(1, 6));
    let test = RsaTest::new(Rsa::KendallTauA, &words, &[&groups], &draws);
    assert_eq!(test.points(0..9, &|_| ControlFlow::Break(())), Err(Interrupted));
}

#[test]
fn the_upper_triangle_row_by_row() {
    let rsm = Rsm::new(3, vec![1.0, 0.1, 0.2, 0.1, 1.0, 0.3, 0.2, 0.3, 1.0]);
    assert_eq!(upper(&rsm), [0.1, 0.2, 0.3]);
    assert_eq!(square(&upper(&rsm), 3), rsm);
}

#[test]
fn by_hand() {
    let (x, y) = ([1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 10.0]);
    // Deviations -1.5 -0.5 0.5 1.5 and -3 -1 -2 6: 13 / sqrt(5 * 50).
    assert!((Rsa::Pearson.correlation(&x, &y).unwrap() - 13.0 / 250_f64.sqrt()).abs() < CLOSE);
    // One adjacent swap of four: 1 - 6 * 2 / (4 * 15) and (5 - 1) / 6.
    assert!((Rsa::Spearman.correlation(&x, &y).unwrap() - 0.8).abs() < CLOSE);
    assert!((Rsa::KendallTauA.correlation(&x, &y).unwrap() - 4.0 / 6.0).abs() < CLOSE);
}

#[test]
fn ranks_with_ties_agree_with_counting() {
    let mut random = Random::keyed(5, 0);
    for n in [2, 3, 10, 66, 200] {
        let (x, y) = (coarse(&mut random, n), coarse(&mut random, n));
        if let Some(spearman) = Rsa::Spearman.correlation(&x, &y) {
            let expected = Rsa::Pearson.correlation(&brute_ranks(&x), &brute_ranks(&y)).unwrap();
            assert!((spearman - expected).abs() < CLOSE, "n = {n}: {spearman}, expected {expected}");
        }
    }
}

#[test]
fn entries_that_differ_by_rounding_are_tied() {
    let (x, exact) = ([0.1 + 0.2, 0.3, 0.7, 0.6], [0.25, 0.25, 0.75, 0.5]);
    assert_ne!(x[0], x[1]);
    let y = [1.0, 2.0, 3.0, 4.0];
    for kind in [Rsa::Spearman, Rsa::KendallTauA] {
        assert_eq!(kind.correlation(&x, &y), kind.correlation(&exact, &y), "{kind}");
        assert_eq!(kind.correlation(&y, &x), kind.correlation(&y, &exact), "{kind}");
    }
}

#[test]
fn entries_without_a_correlation_are_left_out() {
    let (x, y) = ([1.0, f64::NAN, 2.0, 7.0, 3.0], [1.0, 9.0, 3.0, f64::NAN, 2.0]);
    for kind in [Rsa::Pearson, Rsa::Spearman, Rsa::KendallTauA] {
        assert_eq!(kind.correlation(&x, &y), kind.correlation(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]));
        assert_eq!(kind.correlation(&x, &[f64::NAN; 5]), None);
    }
    assert_eq!(Rsa::Pearson.correlation(&[0.1; 7], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), None);
}

#[test]
fn a_draw_is_the_correlation_with_the_permuted_matrix() {
    let mut random = Random::keyed(6, 0);
    let words = random_rsm(&mut random, 9);
    let groups = [random_rsm(&mut random, 9), random_rsm(&mut random, 9)];
    let draws = Permutations::new(1, 9);
    // A constant row in one group: NaN off the diagonal.
    let mut dark = groups[1].values().to_vec();
    for j in (0..9).filter(|&j| j != 4) {
        dark[4 * 9 + j] = f64::NAN;
        dark[j * 9 + 4] = f64::NAN;
    }
    for groups in [groups.clone(), [groups[0].clone(), Rsm::new(9, dark)]] {
        for kind in [Rsa::Pearson, Rsa::Spearman, Rsa::KendallTauA] {
            let scores = scores(kind, &words, &groups, &draws, 20);
            let found: Vec<f64> = [scores.observed()].into_iter().chain(scores.null()).collect();
            for (t, found) in found.into_iter().enumerate() {
                let draw = draws.draw(t as u64);
                let permuted: Vec<f64> = (0..9)
                    .flat_map(|a| (a + 1..9).map(move |b| (a, b)))
                    .map(|(a, b)| words.row(draw[a] as usize)[draw[b] as usize])
                    .collect();
                let expected = groups.iter().map(|g| kind.correlation(&permuted, &upper(g)).unwrap()).sum::<f64>();
                assert!((found - expected / 2.0).abs() < CLOSE, "{kind:?}, draw {t}");
            }
        }
    }
}

#[test]
fn a_draw_that_is_the_identity_by_symmetry_reaches_the_observed_value() {
    // Three concepts alike in both spaces: many draws leave the matrices' correlation as it is.
    let mut random = Random::keyed(7, 0);
    let alike = |values: Rsm| {
        let kept: Vec<usize> = [0, 0, 0, 1, 2].into();
        let entry = |a: usize, b: usize| if kept[a] == kept[b] { 0.9 } else { values.row(kept[a])[kept[b]] };
        Rsm::new(5, (0..25).map(|i| entry(i / 5, i % 5)).collect())
    };
    let (words, image) = (alike(random_rsm(&mut random, 3)), alike(random_rsm(&mut random, 3)));
    let draws = Permutations::new(1, 5);
    let harmless: Vec<usize> = (1..=200).filter(|&t| draws.draw(t as u64)[3..] == [3, 4]).collect();
    assert!(harmless.len() > 3);
    let scores = scores(Rsa::Pearson, &words, &[image], &draws, 200);
    let null: Vec<f64> = scores.null().collect();
    assert!(harmless.iter().all(|&t| null[t - 1] == scores.observed()));
}

#[test]
fn names_in_the_configuration() {
    assert_eq!(serde_json::to_string(&Rsa::KendallTauA).unwrap(), "\"kendall-tau-a\"");
    assert_eq!(serde_json::from_str::<Rsa>("\"kendall\"").unwrap(), Rsa::KendallTauA);
    let measure = serde_json::from_str::<Measure>("\"rsa-kendall-tau-a\"").unwrap();
    assert_eq!((measure, measure.name()), (Measure::from(Rsa::KendallTauA), "rsa-kendall"));
}
