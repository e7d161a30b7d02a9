use std::ops::ControlFlow;

use super::*;
use crate::stats::permutation::Random;
use crate::stats::rsa::square as matrix;
use crate::stats::similarity::rsm_of_rows;

/// Numerical derivatives err by the square of their step, 1e-8 of quantities of order 1, times a density of order 10.
const CLOSE: f64 = 1e-6;

fn random_rsm(random: &mut Random, concepts: usize) -> Rsm {
    matrix(&(0..concepts * (concepts - 1) / 2).map(|_| 2.0 * random.unit() - 1.0).collect::<Vec<_>>(), concepts)
}

fn every_pair(concepts: usize) -> Vec<(usize, usize)> {
    (0..concepts).flat_map(|a| (a + 1..concepts).map(move |b| (a, b))).collect()
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
    let columns: Vec<usize> = (0..words.concepts()).filter(|&j| j != a && j != b).collect();
    let weights: Vec<f64> = columns.iter().map(|&j| if j == c { weight } else { 1.0 }).collect();
    let of = |rsm: &Rsm, row: usize| columns.iter().map(|&j| rsm.row(row)[j]).collect::<Vec<f64>>();
    let r = |x: usize, y: usize| weighted(&of(words, x), &of(image, y), &weights);
    r(a, a) + r(b, b) - r(a, b) - r(b, a)
}

/// The sums of the module documentation, pair by pair and concept by concept.
fn by_definition(words: &Rsm, a: &[Rsm], b: &[Rsm]) -> (f64, f64) {
    let concepts = words.concepts();
    let list = every_pair(concepts);
    let mut outcomes = vec![0.0; list.len()];
    let mut columns = vec![vec![0.0; concepts]; list.len()];
    for (sign, groups) in [(1.0, a), (-1.0, b)] {
        for image in groups {
            let weight = sign / groups.len() as f64;
            let margins: Vec<f64> = list.iter().map(|&pair| margin(words, image, pair, concepts, 1.0)).collect();
            let mean = margins.iter().sum::<f64>() / margins.len() as f64;
            let variance = margins.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / margins.len() as f64;
            let width = 0.3 * variance.sqrt();
            for (n, &pair) in list.iter().enumerate() {
                outcomes[n] += if margins[n] > 0.0 { weight } else { 0.0 };
                let density = (-(margins[n] / width).powi(2) / 2.0).exp() / (width * std::f64::consts::TAU.sqrt());
                for c in (0..concepts).filter(|&c| c != pair.0 && c != pair.1) {
                    let at = |weight| margin(words, image, pair, c, weight);
                    columns[n][c] += weight * density * (at(1.0001) - at(0.9999)) / 0.0002;
                }
            }
        }
    }
    let difference = outcomes.iter().sum::<f64>() / list.len() as f64;
    let residual: Vec<f64> = outcomes.iter().map(|d| d - difference).collect();
    let has = |n: usize, c: usize| list[n].0 == c || list[n].1 == c;
    // Of twelve concepts or fewer pairs that meet themselves are left in.
    let influence = |c: usize| -> f64 {
        let own = (0..list.len()).filter(|&n| has(n, c)).map(|n| residual[n]).sum::<f64>();
        own + columns.iter().map(|columns| columns[c]).sum::<f64>()
    };
    let independent: f64 = residual.iter().map(|e| e * e).sum();
    let mut variance = (0..concepts).map(|c| influence(c).powi(2)).sum::<f64>() - independent;
    // With more, the sum over pairs of pairs takes its part.
    let theory = over_pairs(concepts, &list, &residual, &columns);
    variance += (1.0 - (12.0 / concepts as f64).min(1.0).powf(1.5)) * (theory - variance);
    (difference, variance.max(independent) / (list.len() as f64).powi(2))
}

/// Pairs with a concept in common by their residuals; those without by a concept that is in the one and a column of the other, or a
/// column of both.
fn over_pairs(concepts: usize, list: &[(usize, usize)], residual: &[f64], columns: &[Vec<f64>]) -> f64 {
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
    for a in 0..concepts {
        for c in 0..concepts {
            let sum = |concept: usize, column: usize| {
                (0..list.len()).filter(|&n| has(n, concept)).map(|n| columns[n][column]).sum::<f64>()
            };
            variance -= sum(a, c) * sum(c, a) / 2.0;
        }
    }
    variance
}

#[test]
fn the_closed_form_is_the_sum_over_pairs_of_pairs() {
    for (seed, concepts) in (0..12).zip([9, 9, 16].into_iter().cycle()) {
        let mut random = Random::keyed(11, seed);
        let words = random_rsm(&mut random, concepts);
        let [a, b] = [2, 1].map(|groups| (0..groups).map(|_| random_rsm(&mut random, concepts)).collect::<Vec<_>>());
        let side = |groups| Tested { words: &words, groups, ties: Ties::Lost };
        let found = spread(side(&a), side(&b), &|_| ControlFlow::Continue(())).unwrap();
        let (difference, variance) = by_definition(&words, &a, &b);
        assert!((found.difference - difference).abs() < 1e-12);
        assert!((found.variance - variance).abs() < CLOSE, "{} is {variance} by definition", found.variance);
    }
}

#[test]
fn pairs_with_a_constant_image_score_half() {
    const CONCEPTS: usize = 9;
    let mut random = Random::keyed(12, 0);
    let (words, layer) = (random_rsm(&mut random, CONCEPTS), random_rsm(&mut random, CONCEPTS));
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

/// RSMs of three groups of images of whole numbers, each group times its number.
fn seen(seed: u64, times: [f64; 3], order: &[usize]) -> Vec<Rsm> {
    let units = 40;
    let mut random = Random::keyed(13, seed);
    let group = |times: &f64| {
        let values: Vec<f32> = (0..order.len() * units).map(|_| (random.below(200) as f64 * times) as f32).collect();
        let ordered: Vec<f32> = order.iter().flat_map(|&c| values[c * units..(c + 1) * units].to_vec()).collect();
        rsm_of_rows(&ordered, order.len(), units).unwrap()
    };
    times.iter().map(group).collect()
}

#[test]
fn what_is_one_but_for_rounding_differs_by_nothing() {
    let concepts = 14;
    let order: Vec<usize> = (0..concepts).collect();
    let shuffled: Vec<usize> = order.iter().map(|c| (5 * c + 3) % concepts).collect();
    let back: Vec<usize> = order.iter().map(|c| shuffled.iter().position(|x| x == c).unwrap()).collect();
    let words = seen(0, [1.0; 3], &order).remove(0);
    let layer = seen(1, [1.0; 3], &order);
    let copies = seen(1, [3.0, 7.0, 11.0], &order);
    let places = |order: &[usize]| order.iter().flat_map(|&a| order.iter().map(move |&c| (a, c))).collect::<Vec<_>>();
    let entries = |rsm: &Rsm, order: &[usize], times: &dyn Fn(usize, usize) -> f64| {
        Rsm::new(concepts, places(order).into_iter().map(|(a, c)| rsm.row(a)[c] * times(a, c)).collect())
    };
    let reordered = seen(1, [3.0, 7.0, 11.0], &shuffled);
    let reordered: Vec<Rsm> = reordered.iter().map(|rsm| entries(rsm, &back, &|_, _| 1.0)).collect();
    let off = |a: usize, c: usize| if a == c { 1.0 } else { 1.0 + ((a * c) % 5) as f64 * f64::EPSILON };
    let rounded: Vec<Rsm> = layer.iter().map(|rsm| entries(rsm, &order, &off)).collect();
    let tripled = seen(0, [3.0, 1.0, 1.0], &order).remove(0);
    // Images as alike as in an early layer, and far more: their rounding errors are large beside what tells them apart.
    let near = |close: f64| -> Vec<Rsm> {
        let alike = |rsm: &Rsm| Rsm::new(concepts, rsm.values().iter().map(|r| 0.9 + close * (r - 0.9)).collect());
        layer.iter().map(alike).collect()
    };
    let [alike, equal] = [near(1e-5), near(1e-9)];
    let off_by_one = |layer: &[Rsm]| layer.iter().map(|rsm| entries(rsm, &order, &off)).collect::<Vec<_>>();
    let [alike_off, equal_off] = [off_by_one(&alike), off_by_one(&equal)];
    let others = [
        (&layer, &words, &layer),
        (&layer, &words, &copies),
        (&layer, &words, &reordered),
        (&layer, &words, &rounded),
        (&layer, &tripled, &copies),
        (&alike, &words, &alike_off),
        (&equal, &words, &equal_off),
    ];
    for (layer, words_of_other, other) in others {
        for over in [Generalise::Concepts, Generalise::Groups, Generalise::Both] {
            let side = |words, groups| Tested { words, groups, ties: Ties::Lost };
            let one = side(&words, &layer[..]);
            let found =
                generalised(over, one, side(words_of_other, &other[..]), &|_| ControlFlow::Continue(())).unwrap();
            assert_eq!((found.difference, found.variance), (0.0, 0.0), "over {over}");
            assert!(found.influences.iter().all(|&x| x == 0.0), "over {over}");
        }
    }
}

#[test]
fn another_layer_is_another_even_one_that_passes_the_same_pairs() {
    let varies = |words: &Rsm, layers: [&[Rsm]; 2], what: &str| {
        let pairs = words.concepts() * (words.concepts() - 1) / 2;
        for over in [Generalise::Concepts, Generalise::Groups, Generalise::Both] {
            let [a, b] = layers.map(|groups| Tested { words, groups, ties: Ties::Lost });
            let found = generalised(over, a, b, &|_| ControlFlow::Continue(())).unwrap();
            let least = 1.0 / (12 * layers[0].len() * pairs * pairs) as f64;
            assert!(found.difference == 0.0 && found.variance > 0.99 * least, "{what}, over {over}: {found:?}");
        }
    };
    for concepts in [14, 40] {
        let order: Vec<usize> = (0..concepts).collect();
        let words = seen(0, [1.0; 3], &order).remove(0);
        let layer = seen(1, [1.0; 3], &order);
        let squared = |rsm: &Rsm| rsm.values().iter().map(|r| r * (1.0 + 1e-9 * r)).collect();
        let near: Vec<Rsm> = layer.iter().map(|rsm| Rsm::new(concepts, squared(rsm))).collect();
        varies(&words, [&layer, &near], "near");
    }
    // Every margin is far from 0: columns say nothing.
    let order: Vec<usize> = (0..40).collect();
    let words = seen(0, [1.0; 3], &order).remove(0);
    let noise = [seen(2, [1.0; 3], &order), seen(3, [1.0; 3], &order)];
    let [a, b] = noise.map(|noise| {
        let mixed = |rsm: &Rsm| words.values().iter().zip(rsm.values()).map(|(w, n)| 0.98 * w + 0.02 * n).collect();
        noise.iter().map(|rsm| Rsm::new(40, mixed(rsm))).collect::<Vec<_>>()
    });
    varies(&words, [&a, &b], "far");
}

#[test]
fn groups_that_all_differ_by_as_many_pairs_are_not_sure_beyond_a_pair() {
    let mut random = Random::keyed(14, 0);
    let words = random_rsm(&mut random, 12);
    let [a, b] = [0; 2].map(|_| vec![random_rsm(&mut random, 12)]).map(|one| [one.clone(), one].concat());
    let side = |groups| Tested { words: &words, groups, ties: Ties::Lost };
    let found = generalised(Generalise::Groups, side(&a[..]), side(&b[..]), &|_| ControlFlow::Continue(())).unwrap();
    assert!(found.difference != 0.0);
    assert!((found.variance - 1.0 / (24.0 * 66.0 * 66.0)).abs() < 1e-15, "{}", found.variance);
}

fn lost<'a>(words: &'a Rsm, groups: &'a [Rsm]) -> Tested<'a> {
    Tested { words, groups, ties: Ties::Lost }
}

#[test]
fn groups_that_differ_in_single_pairs_alone_are_not_sure_of_nothing() {
    let go_on = |_| ControlFlow::Continue(());
    // As many pairs that only the one passes as pairs that only the other does.
    let swapped = (0..1000).find_map(|seed| {
        let mut random = Random::keyed(15, seed);
        let words = random_rsm(&mut random, 12);
        let [a, b] = [0; 2].map(|_| vec![random_rsm(&mut random, 12)]).map(|one| [one.clone(), one].concat());
        let found = spread(lost(&words, &a[..1]), lost(&words, &b[..1]), &go_on).unwrap();
        (found.difference == 0.0).then_some((words, a, b))
    });
    let (words, a, b) = swapped.expect("one in sixteen");
    let [of_a, of_b] = [&a, &b].map(|groups| pairs(&words, &groups[0]).unwrap());
    assert!(of_a.iter().zip(&of_b).any(|(a, b)| (a.margin() > 0.0) != (b.margin() > 0.0)));
    let found = generalised(Generalise::Groups, lost(&words, &a), lost(&words, &b), &go_on).unwrap();
    assert_eq!((found.difference, found.freedom), (0.0, 1));
    assert!((found.variance - 1.0 / (24.0 * 66.0 * 66.0)).abs() < 1e-15, "{}", found.variance);
}

#[test]
fn over_groups_outcomes_alone_have_the_differences_of_the_groups() {
    let go_on = |_| ControlFlow::Continue(());
    let mut random = Random::keyed(16, 0);
    let words = random_rsm(&mut random, 12);
    let [a, b] = [0; 2].map(|_| (0..4).map(|_| random_rsm(&mut random, 12)).collect::<Vec<_>>());
    let of_group = |g: usize| spread(lost(&words, &a[g..=g]), lost(&words, &b[g..=g]), &go_on).unwrap().difference;
    let each: Vec<f64> = (0..4).map(of_group).collect();
    let mean = each.iter().sum::<f64>() / 4.0;
    let variance = each.iter().map(|own| (own - mean).powi(2)).sum::<f64>() / 12.0;
    let found = generalised(Generalise::Groups, lost(&words, &a), lost(&words, &b), &go_on).unwrap();
    assert!(
        (found.difference - mean).abs() < 1e-15 && (found.variance - variance).abs() < 1e-15,
        "{found:?}, {each:?}"
    );
    let influences: f64 = found.influences.iter().map(|x| x * x).sum();
    assert!(found.influences.len() == 4 && (influences - variance).abs() < 1e-15, "{found:?}");
}

#[test]
fn no_rows_are_made_of_pairs_whose_margin_is_far_from_0() {
    let words = random_rsm(&mut Random::keyed(5, 0), 12);
    let group = Group::new(lost(&words, &[]), &words, 1.0).unwrap();
    let is_left = |&(a, b): &(usize, usize)| {
        let (mut rows, mut added) = ([0; 4].map(|_| vec![7.0; 12]), vec![0.0; 12]);
        group.add(a, b, &mut rows, &mut added);
        rows.iter().flatten().all(|&x| x == 7.0) && added.iter().all(|&x| x == 0.0)
    };
    // Of a space with itself every margin is near 2.
    let left = every_pair(12).iter().filter(|pair| is_left(pair)).count();
    assert!(left > 33, "{left} of 66 pairs");
}
