use super::super::low_rank::FEWEST_PRODUCTS;
use super::*;
use crate::stats::Rsm;
use crate::stats::permutation::{Permutations, Random};

/// Correlations of random vectors; `level` is what all have in common.
fn rsm(seed: u64, concepts: usize, units: usize, level: f64) -> Rsm {
    let mut random = Random::keyed(seed, 0);
    let common: Vec<f64> = (0..units).map(|_| random.unit() - 0.5).collect();
    let mut row = || -> Vec<f64> {
        let row: Vec<f64> = common.iter().map(|c| level * c + random.unit() - 0.5).collect();
        let mean = row.iter().sum::<f64>() / units as f64;
        let length = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>().sqrt();
        row.iter().map(|x| (x - mean) / length).collect()
    };
    let rows: Vec<Vec<f64>> = (0..concepts).map(|_| row()).collect();
    let dot = |a: usize, b: usize| -> f64 { rows[a].iter().zip(&rows[b]).map(|(x, y)| x * y).sum() };
    let value = |at: usize| if at.is_multiple_of(concepts + 1) { 1.0 } else { dot(at / concepts, at % concepts) };
    Rsm::new(concepts, (0..concepts * concepts).map(value).collect())
}

/// M of a draw, as the test makes it.
fn product(words: &UnitRows, low_rank: Option<&LowRank>, image: &UnitRows, draw: &[u32]) -> Vec<f32> {
    let k = words.concepts;
    let single = Words::new(words, low_rank);
    let images = &Panels::turned(&self::single(image), k);
    let scratch = &mut Scratch::new(k, single.rank(), 1);
    let simd = pulp::Arch::new();
    invert(draw, &mut scratch.inverse);
    simd.dispatch(Inner { words: &single, draw, images, scratch, image: 0 });
    simd.dispatch(Products { words: &single, draw, images, first: 0, last: k, scratch, image: 0 });
    scratch.terms[0].chunks_exact(k.next_multiple_of(BLOCK)).take(k).flat_map(|row| row[..k].to_vec()).collect()
}

#[test]
fn products_of_low_rank_keep_within_their_bound() {
    for (k, units, level) in
        [(40, 6, 0.0), (63, 20, 1.0), (166, 50, 0.5), (166, 50, 5.0), (257, 90, 2.0), (600, 200, 0.3)]
    {
        let words = UnitRows::words(&rsm(1, k, units, level)).unwrap();
        let image = UnitRows::image(&rsm(2, k, 60, 1.0), k, 0).unwrap();
        let low_rank = LowRank::new(&words, FEWEST_PRODUCTS).unwrap();
        assert_eq!(low_rank.rank, units - 1, "centred vectors");
        let draw = Permutations::new(7, k).draw(1);
        for low_rank in [None, Some(&low_rank)] {
            let found = product(&words, low_rank, &image, &draw);
            let bound = f64::from(low_rank.map_or(rounding(k), |low_rank| low_rank.rounding));
            let mut worst = 0.0_f64;
            for a in 0..k {
                for b in 0..k {
                    let term = |j: usize| words.at(draw[a] as usize, draw[j] as usize) * image.at(b, j);
                    worst = worst.max((f64::from(found[a * k + b]) - (0..k).map(term).sum::<f64>()).abs() / bound);
                }
            }
            let rank = low_rank.map(|low_rank| low_rank.rank);
            println!("k {k}, rank {rank:?}, level {level}: bound {bound:.1e}, largest error {worst:.3} of it");
            assert!(worst < 0.5, "k {k}, rank {rank:?}, level {level}: an error of {worst} times the bound");
        }
    }
}

#[test]
fn counts_do_not_depend_on_the_product() {
    let go_on = |_| std::ops::ControlFlow::Continue(());
    let category = |k: usize| Rsm::new(k, (0..k * k).map(|at| f64::from(u8::from(at / k % 7 == at % k % 7))).collect());
    let as_single = |rsm: Rsm| Rsm::new(rsm.concepts(), rsm.values().iter().map(|&x| f64::from(x as f32)).collect());
    let k = 150;
    for words in [rsm(1, k, 30, 1.0), as_single(rsm(1, k, 30, 1.0)), category(k)] {
        let words = UnitRows::words(&words).unwrap();
        let images: Vec<UnitRows> = (2..5).map(|seed| UnitRows::image(&rsm(seed, k, 60, 1.0), k, 0).unwrap()).collect();
        let low_rank = LowRank::new(&words, FEWEST_PRODUCTS).expect("a low rank");
        let draws = Permutations::new(3, k);
        let counts = |low_rank| count(&words, low_rank, &images, &|t| draws.draw(t), 0..6, &go_on).unwrap();
        assert_eq!(counts(Some(&low_rank)), counts(None), "rank {}", low_rank.rank);
    }
}

#[test]
fn what_would_cost_more_stays_whole() {
    let found = |units: usize, products: usize| {
        LowRank::new(&UnitRows::words(&rsm(1, 100, units, 0.0)).unwrap(), products).is_some()
    };
    assert!(!found(60, FEWEST_PRODUCTS), "a rank above half the concepts");
    assert!(found(20, FEWEST_PRODUCTS) && !found(20, FEWEST_PRODUCTS - 1), "the search costs more than few products");
}
