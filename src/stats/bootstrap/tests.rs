//! The closed form against the definition on explicitly duplicated matrices, and the interval by hand.

use std::ops::ControlFlow;

use super::*;
use crate::stats::rsa::Rsa;

/// The closed form and the definition differ by the rounding of some ten products.
const CLOSE: f64 = 1e-12;

fn random_rsm(random: &mut Random, concepts: usize) -> Rsm {
    let mut values = vec![1.0; concepts * concepts];
    for a in 0..concepts {
        for b in 0..a {
            let r = 2.0 * random.unit() - 1.0;
            (values[a * concepts + b], values[b * concepts + a]) = (r, r);
        }
    }
    Rsm::new(concepts, values)
}

fn with_constant(rsm: &Rsm, dark: usize) -> Rsm {
    let k = rsm.concepts();
    let entry = |a: usize, b: usize| if a != b && (a == dark || b == dark) { f64::NAN } else { rsm.row(a)[b] };
    Rsm::new(k, (0..k * k).map(|i| entry(i / k, i % k)).collect())
}

/// The definition on the explicit list of copies: for each two copies of different concepts, plain correlations over all
/// copies of the others; 0 where a row does not vary.
fn brute_margins(words: &Rsm, image: &Rsm, copies: &[u32]) -> Vec<(usize, usize, f64)> {
    let list: Vec<usize> = copies.iter().enumerate().flat_map(|(c, &w)| vec![c; w as usize]).collect();
    let mut margins = Vec::new();
    for i in 0..list.len() {
        for j in i + 1..list.len() {
            let (a, b) = (list[i], list[j]);
            if a == b {
                continue;
            }
            let columns: Vec<usize> = list.iter().copied().filter(|&c| c != a && c != b).collect();
            let row = |rsm: &Rsm, c: usize| -> Vec<f64> {
                columns.iter().map(|&j| rsm.row(c)[j]).map(|r| if r.is_nan() { 0.0 } else { r }).collect()
            };
            let r = |c: usize, d: usize| Rsa::Pearson.correlation(&row(words, c), &row(image, d)).unwrap_or(0.0);
            margins.push((a, b, r(a, a) + r(b, b) - r(a, b) - r(b, a)));
        }
    }
    margins
}

/// Half-points with ties lost; pairs of the concept `dark` score half.
fn brute_score(words: &Rsm, image: &Rsm, copies: &[u32], dark: Option<usize>) -> u64 {
    let points = |(a, b, margin): (usize, usize, f64)| match dark {
        Some(dark) if a == dark || b == dark => 1,
        _ => 2 * u64::from(margin > CLOSE),
    };
    brute_margins(words, image, copies).into_iter().map(points).sum()
}

#[test]
fn closed_form_is_the_definition_on_duplicated_matrices() {
    let mut random = Random::keyed(11, 0);
    for t in 0..50 {
        let (words, image) = (random_rsm(&mut random, 8), random_rsm(&mut random, 8));
        // Resample 0 is the test itself: every concept once.
        let copies = if t == 0 { vec![1; 8] } else { multiplicities(3, t, 8) };
        let resample = Resample::new(&words, &copies);
        let drawn = &resample.drawn.concepts;
        let closed: Vec<(usize, usize, u64, f64)> = resample
            .pairs()
            .zip(resample.margins(&image))
            .map(|((a, b, copies), margin)| (drawn[a], drawn[b], copies, margin))
            .collect();
        let brute = brute_margins(&words, &image, &copies);
        for &(a, b, copies, found) in &closed {
            let expected: Vec<f64> =
                brute.iter().filter(|pair| (pair.0, pair.1) == (a, b)).map(|pair| pair.2).collect();
            assert_eq!(expected.len() as u64, copies);
            assert!(expected.iter().all(|e| (found - e).abs() < CLOSE), "{copies:?}: {found}, expected {expected:?}");
        }
        assert_eq!(closed.iter().map(|pair| pair.2).sum::<u64>(), brute.len() as u64);
        assert_eq!(resample.score(&image, Ties::Lost), brute_score(&words, &image, &copies, None));
    }
}

#[test]
fn pairs_with_a_constant_image_score_half() {
    let mut random = Random::keyed(12, 0);
    for t in 0..20 {
        let (words, image) = (random_rsm(&mut random, 9), with_constant(&random_rsm(&mut random, 9), 3));
        let copies = multiplicities(4, t, 9);
        let found = Resample::new(&words, &copies).score(&image, Ties::Lost);
        assert_eq!(found, brute_score(&words, &image, &copies, Some(3)), "{copies:?}");
    }
}

#[test]
fn two_concepts_alike_are_a_tie() {
    // Concepts 0 and 1 have the same image: their margin is zero, and 2 x 3 copies of the pair were drawn.
    let mut random = Random::keyed(13, 0);
    let words = random_rsm(&mut random, 8);
    let alike = random_rsm(&mut random, 8);
    let kept = [0, 0, 2, 3, 4, 5, 6, 7];
    let image = Rsm::new(8, (0..64).map(|i| alike.row(kept[i / 8])[kept[i % 8]]).collect());
    let resample = Resample::new(&words, &[2, 3, 0, 1, 1, 0, 1, 1]);
    let by_rule = [Ties::Lost, Ties::Half, Ties::Won].map(|ties| resample.score(&image, ties));
    assert_eq!([by_rule[1] - by_rule[0], by_rule[2] - by_rule[0]], [6, 12]);
}

#[test]
fn a_space_against_itself_always_passes() {
    let mut random = Random::keyed(14, 0);
    let rsm = random_rsm(&mut random, 30);
    let groups = [rsm.clone(), rsm.clone()];
    let accuracies =
        accuracies(&rsm, &[&groups, &groups[..1]], 1, 40, Ties::Lost, &|_| ControlFlow::Continue(())).unwrap();
    assert_eq!(accuracies, vec![vec![1.0; 40]; 2]);
}

#[test]
fn resamples_are_keyed_and_uniform() {
    assert_eq!(multiplicities(1, 7, 166), multiplicities(1, 7, 166));
    assert_ne!(multiplicities(1, 7, 166), multiplicities(1, 8, 166));
    let mut drawn = [0_u32; 20];
    for t in 0..500 {
        let copies = multiplicities(1, t, 20);
        assert_eq!(copies.iter().sum::<u32>(), 20);
        drawn.iter_mut().zip(copies).for_each(|(sum, copies)| *sum += copies);
    }
    // 20 cells of 500 expected, chi-square with 19 degrees of freedom: 43.8 is p = 0.001.
    let chi: f64 = drawn.iter().map(|&n| (f64::from(n) - 500.0).powi(2) / 500.0).sum();
    assert!(chi < 43.8, "chi-square {chi}");
    assert!((0..500).all(|t| multiplicities(1, t, 5).iter().all(|&copies| copies == 1)));
}

#[test]
fn an_interval_by_hand() {
    // 9 pairs: log-odds of 0, 4.5, 9 passed are ln(0.5 / 9.5), 0, ln(9.5 / 0.5); their mean is 0.
    let found = confidence_interval(0.5, &[1.0, 0.0, 0.5], 9);
    // The outer 2.5 % lie at 0.95 of the way to the ends: odds of 19^0.95, (10 * odds / (1 + odds) - 0.5) / 9.
    let odds = 19_f64.powf(0.95);
    let high = (10.0 * odds / (1.0 + odds) - 0.5) / 9.0;
    assert!((found.high - high).abs() < CLOSE && (found.low - (1.0 - high)).abs() < CLOSE, "{found:?}");
    // Resamples that all lie below the observed value do not move the interval away from it.
    let low = confidence_interval(0.9, &[0.80, 0.81, 0.82, 0.83], 9000);
    assert!(low.low < 0.9 && low.high > 0.9, "{low:?}");
    let perfect = confidence_interval(1.0, &[1.0, 0.9], 45);
    assert!(perfect.low < 1.0 && perfect.high == 1.0, "{perfect:?}");
}
