use std::ops::ControlFlow;

use super::*;
use crate::stats::permutation::Random;
use crate::stats::rsa::square as matrix;

const CONCEPTS: usize = 9;

/// Numerical derivatives err by the square of their step, 1e-8 of quantities of order 1, times a density of order 10.
const CLOSE: f64 = 1e-6;

fn random_rsm(random: &mut Random) -> Rsm {
    matrix(&(0..CONCEPTS * (CONCEPTS - 1) / 2).map(|_| 2.0 * random.unit() - 1.0).collect::<Vec<_>>(), CONCEPTS)
}

fn every_pair() -> Vec<(usize, usize)> {
    (0..CONCEPTS).flat_map(|a| (a + 1..CONCEPTS).map(move |b| (a, b))).collect()
}

/// Pearson's correlation with weights.
fn weighted(x: &[f64], y: &[f64], w: &[f64]) -> f64 {
    let sum = |f: &dyn Fn(usize) -> f64| (0..w.len()).map(|j| w[j] * f(j)).sum::<f64>();
    let total = sum(&|_| 1.0);
    let (mean_x, mean_y) = (sum(&|j| x[j]) / total, sum(&|j| y[j]) / total);
    let product = |x: &[f64], mx: f64, y: &[f64], my: f64| sum(&|j| (x[j] - mx) * (y[j] - my));
    product(x, mean_x, y, mean_y) / (product(x, mean_x, x, mean_x) * product(y, mean_y, y, mean_y)).sqrt()
}

/// The margin of a pair, column `c` with this weight and all others 1.
fn margin(words: &Rsm, image: &Rsm, (a, b): (usize, usize), c: usize, weight: f64) -> f64 {
    let columns: Vec<usize> = (0..CONCEPTS).filter(|&j| j != a && j != b).collect();
    let weights: Vec<f64> = columns.iter().map(|&j| if j == c { weight } else { 1.0 }).collect();
    let of = |rsm: &Rsm, row: usize| columns.iter().map(|&j| rsm.row(row)[j]).collect::<Vec<f64>>();
    let r = |x: usize, y: usize| weighted(&of(words, x), &of(image, y), &weights);
    r(a, a) + r(b, b) - r(a, b) - r(b, a)
}

/// The sums of the module documentation, pair by pair and concept by concept.
fn by_definition(words: &Rsm, a: &[Rsm], b: &[Rsm]) -> (f64, f64) {
    let list = every_pair();
    let mut outcomes = vec![0.0; list.len()];
    let mut columns = vec![[0.0; CONCEPTS]; list.len()];
    for (sign, groups) in [(1.0, a), (-1.0, b)] {
        for image in groups {
            let weight = sign / groups.len() as f64;
            let margins: Vec<f64> = list.iter().map(|&pair| margin(words, image, pair, CONCEPTS, 1.0)).collect();
            let mean = margins.iter().sum::<f64>() / margins.len() as f64;
            let variance = margins.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / margins.len() as f64;
            let width = 0.3 * variance.sqrt();
            for (n, &pair) in list.iter().enumerate() {
                outcomes[n] += if margins[n] > 0.0 { weight } else { 0.0 };
                let density = (-(margins[n] / width).powi(2) / 2.0).exp() / (width * std::f64::consts::TAU.sqrt());
                for c in (0..CONCEPTS).filter(|&c| c != pair.0 && c != pair.1) {
                    let at = |weight| margin(words, image, pair, c, weight);
                    columns[n][c] += weight * density * (at(1.0001) - at(0.9999)) / 0.0002;
                }
            }
        }
    }
    let difference = outcomes.iter().sum::<f64>() / list.len() as f64;
    let residual: Vec<f64> = outcomes.iter().map(|d| d - difference).collect();
    let has = |n: usize, c: usize| list[n].0 == c || list[n].1 == c;
    let mut variance = 0.0;
    for p in 0..list.len() {
        for q in 0..list.len() {
            if has(q, list[p].0) || has(q, list[p].1) {
                variance += residual[p] * residual[q];
            } else {
                for (c, (in_p, in_q)) in columns[p].iter().zip(&columns[q]).enumerate() {
                    variance += in_p * in_q + if has(p, c) { 2.0 * residual[p] * in_q } else { 0.0 };
                }
            }
        }
    }
    for a in 0..CONCEPTS {
        for c in 0..CONCEPTS {
            let sum = |concept: usize, column: usize| {
                (0..list.len()).filter(|&n| has(n, concept)).map(|n| columns[n][column]).sum::<f64>()
            };
            variance -= sum(a, c) * sum(c, a) / 2.0;
        }
    }
    let independent: f64 = residual.iter().map(|e| e * e).sum();
    let scale = CONCEPTS as f64 / (CONCEPTS - 4) as f64 / (list.len() as f64).powi(2);
    (difference, variance.max(independent) * scale)
}

#[test]
fn the_closed_form_is_the_sum_over_pairs_of_pairs() {
    for seed in 0..12 {
        let mut random = Random::keyed(11, seed);
        let words = random_rsm(&mut random);
        let [a, b] = [2, 1].map(|groups| (0..groups).map(|_| random_rsm(&mut random)).collect::<Vec<_>>());
        let side = |groups| Tested { words: &words, groups, ties: Ties::Lost };
        let found = spread(side(&a), side(&b), &|_| ControlFlow::Continue(())).unwrap();
        let (difference, variance) = by_definition(&words, &a, &b);
        assert!((found.difference - difference).abs() < 1e-12);
        assert!((found.variance - variance).abs() < CLOSE, "{} is {variance} by definition", found.variance);
    }
}

#[test]
fn pairs_with_a_constant_image_score_half() {
    let mut random = Random::keyed(12, 0);
    let (words, layer) = (random_rsm(&mut random), random_rsm(&mut random));
    let mut values = layer.values().to_vec();
    (1..CONCEPTS).for_each(|j| (values[j], values[CONCEPTS * j]) = (f64::NAN, f64::NAN));
    let dark = Rsm::new(CONCEPTS, values);
    let passed = |image: &Rsm| {
        let tested = pairs(&words, image).unwrap();
        let half = (CONCEPTS * (CONCEPTS - 1) / 2 - tested.len()) as f64 / 2.0;
        tested.iter().filter(|pair| pair.margin() > 0.0).count() as f64 + half
    };
    let expected = (passed(&layer) - passed(&dark)) / (CONCEPTS * (CONCEPTS - 1) / 2) as f64;
    let (layer, dark) = ([layer], [dark]);
    let side = |groups| Tested { words: &words, groups, ties: Ties::Lost };
    let found = spread(side(&layer), side(&dark), &|_| ControlFlow::Continue(())).unwrap();
    assert!((found.difference - expected).abs() < 1e-12 && found.variance > 0.0);
    let stopped = spread(side(&layer), side(&dark), &|_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(TwoVsTwoError::Interrupted)));
}
