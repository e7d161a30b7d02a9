//! The digits of a correlation: equal rows, whole numbers, mean correlations near 1.

use burn::tensor::Device;

use super::tests::{batches, difference, on_devices, reference};
use super::*;
use crate::stats::permutation::Random;
use crate::stats::two_vs_two::pairs;

/// Images of a common pattern and noise without structure, `noise` times as large; each seen through its own contrast
/// and level.
fn alike(concepts: usize, units: usize, noise: f64, contrast: f64, level: f64) -> Vec<f32> {
    let mut random = Random::keyed(11, units as u64);
    let pattern: Vec<f64> = (0..units).map(|_| random.normal()).collect();
    let mut rows = Vec::new();
    for _ in 0..concepts {
        let (contrast, level) = (1.0 + contrast * (random.unit() - 0.5), level * (random.unit() - 0.5));
        rows.extend(pattern.iter().map(|p| (level + contrast * (p + noise * random.normal())) as f32));
    }
    rows
}

fn values_are_of(found: &Rsm, order: &[usize], expected: &Rsm) -> bool {
    let pairs = (0..order.len()).flat_map(|i| (0..order.len()).map(move |j| (i, j)));
    pairs.into_iter().all(|(i, j)| found.row(i)[j].to_bits() == expected.row(order[i])[order[j]].to_bits())
}

#[test]
fn equal_images_have_equal_correlations() {
    let concepts = 53;
    for units in [50, 1024, 1031, 9000] {
        let mut rows = alike(concepts, units, 0.3, 0.5, 1.0);
        for (copy, original) in [(1, 0), (30, 7), (52, 7), (49, 48)] {
            rows.copy_within(original * units..(original + 1) * units, copy * units);
        }
        on_devices(|device| {
            let rsm = rsm(&batches(&rows, units, &[16], device)).unwrap();
            for (copy, original) in [(1, 0), (30, 7), (52, 7), (49, 48)] {
                assert_eq!(rsm.row(copy)[original], 1.0, "{units} units");
                for j in (0..concepts).filter(|&j| j != copy && j != original) {
                    assert_eq!(rsm.row(copy)[j].to_bits(), rsm.row(original)[j].to_bits(), "{units} units, {device:?}");
                }
            }
        });
    }
}

#[test]
fn the_order_of_images_does_not_change_a_bit() {
    // With fewer rows than a tile, with more than a thread takes, and in between.
    for (concepts, units) in [(5, 3000), (53, 5000), (400, 1100), (400, 300)] {
        let rows = alike(concepts, units, 0.5, 0.5, 1.0);
        let mut random = Random::keyed(3, 0);
        let mut order: Vec<usize> = (0..concepts).collect();
        (1..concepts).for_each(|i| order.swap(i, (random.unit() * (i + 1) as f64) as usize));
        let shuffled: Vec<f32> = order.iter().flat_map(|&i| rows[i * units..(i + 1) * units].to_vec()).collect();
        let of = |rows: &[f32]| rsm(&batches(rows, units, &[concepts], &Device::flex())).unwrap();
        assert!(values_are_of(&of(&shuffled), &order, &of(&rows)), "{concepts} concepts, {units} units");
    }
}

/// Correlations of whole numbers from exact sums.
fn exact(rows: &[f32], units: usize) -> Rsm {
    let rows: Vec<Vec<i128>> = rows.chunks_exact(units).map(|row| row.iter().map(|&x| x as i128).collect()).collect();
    let covariance = |x: &[i128], y: &[i128]| {
        let products: i128 = x.iter().zip(y).map(|(x, y)| x * y).sum();
        units as i128 * products - x.iter().sum::<i128>() * y.iter().sum::<i128>()
    };
    let variances: Vec<i128> = rows.iter().map(|row| covariance(row, row)).collect();
    let mut values = Vec::new();
    for (i, x) in rows.iter().enumerate() {
        for (j, y) in rows.iter().enumerate() {
            let r = covariance(x, y) as f64 / (variances[i] as f64 * variances[j] as f64).sqrt();
            values.push(if i == j { 1.0 } else { r });
        }
    }
    Rsm::new(rows.len(), values)
}

#[test]
fn whole_numbers_have_their_rational_correlations() {
    let concepts = 20;
    for units in [40, 1000, 5000, 40_000] {
        let mut random = Random::keyed(4, units as u64);
        let mut drawn = |chance: f64, most: f64| -> Vec<f32> {
            let mut value = || if random.unit() < chance { (1.0 + random.unit() * most).floor() as f32 } else { 0.0 };
            (0..concepts * units).map(|_| value()).collect()
        };
        let one_hot: Vec<f32> = (0..concepts * units).map(|at| f32::from(u8::from(at % units == at / units))).collect();
        for rows in [drawn(0.05, 1.0), drawn(0.5, 1.0), drawn(0.9, 255.0), one_hot] {
            let expected = exact(&rows, units);
            let of_rows = rsm_of_rows(&rows, concepts, units).unwrap();
            let of_layer = rsm(&batches(&rows, units, &[7], &Device::flex())).unwrap();
            assert!(difference(&of_rows, &expected) < 4.0 * f64::EPSILON / 2.0, "{units} units");
            assert_eq!(of_rows, of_layer);
        }
    }
}

#[test]
fn long_rows_of_few_values_keep_their_digits() {
    // No whole numbers, and the worst for f32 sums: long runs of equal products, all rounded the same way.
    let (concepts, units) = (24, 30_000);
    let mut random = Random::keyed(5, 0);
    let sparse: Vec<f32> = (0..concepts * units).map(|_| if random.unit() < 0.01 { 0.3 } else { 0.0 }).collect();
    let one_hot: Vec<f32> =
        (0..concepts * units).map(|at| if at % units / 1000 == at / units { 0.1 } else { 0.0 }).collect();
    for rows in [sparse, one_hot] {
        let found = rsm(&batches(&rows, units, &[24], &Device::flex())).unwrap();
        let difference = difference(&found, &reference(&rows, units));
        println!("off by {difference:e}");
        // Chains of 64 to 128 equal products at worst err by 2e-6 to 4e-6.
        assert!(difference < 1e-6, "off by {difference:e}");
    }
}

#[test]
fn levels_far_from_zero_cost_no_digits() {
    // As gates of a sigmoid near 1/2, shares of a softmax, and worse; of the last, f32 itself has 13 bits of a deviation.
    let (concepts, units) = (24, 16_384);
    for (level, deviation) in [(0.5, 0.01), (-10.0, 0.04), (100.0, 0.04)] {
        let mut rows = alike(concepts, units, 1.0, 0.5, 0.0);
        rows.iter_mut().for_each(|x| *x = level + deviation * *x);
        on_devices(|device| {
            let found = rsm(&batches(&rows, units, &[24], device)).unwrap();
            let difference = difference(&found, &reference(&rows, units));
            println!("level {level}, deviation {deviation}: off by {difference:e} on {device:?}");
            assert!(difference < 2e-6, "level {level}, deviation {deviation}: off by {difference:e} on {device:?}");
        });
    }
}

#[test]
fn one_image_of_large_deviation_costs_the_others_no_digits() {
    let (concepts, units) = (24, 16_384);
    let mut rows = alike(concepts, units, 0.3, 0.5, 0.0);
    let mut random = Random::keyed(12, 0);
    rows.iter_mut().for_each(|x| *x += 1000.0);
    rows[..units].iter_mut().for_each(|x| *x = 520.0 * random.normal() as f32);
    // Last in the order of the samples, and not among those whose mean is taken.
    rows[0] = 4000.0;
    on_devices(|device| {
        let found = rsm(&batches(&rows, units, &[24], device)).unwrap();
        let difference = difference(&found, &reference(&rows, units));
        assert!(difference < 2e-7, "off by {difference:e} on {device:?}");
    });
}

#[test]
fn one_image_of_large_deviation_is_not_what_all_have_in_common() {
    let (concepts, units) = (24, 16_384);
    let mut rows = alike(concepts, units, 0.01, 0.0, 0.0);
    let mut random = Random::keyed(14, 0);
    rows[units..2 * units].iter_mut().for_each(|x| *x = 30.0 * random.normal() as f32);
    // First in the order of the samples, and so among those whose mean is taken.
    rows[units] = 0.0;
    let of_others = |rsm: &Rsm| {
        let others = || (0..concepts).filter(|&i| i != 1);
        Rsm::new(concepts - 1, others().flat_map(|i| others().map(move |j| rsm.row(i)[j])).collect())
    };
    let expected = of_others(&reference(&rows, units));
    on_devices(|device| {
        let found = of_others(&rsm(&batches(&rows, units, &[24], device)).unwrap());
        let difference = difference(&found, &expected);
        assert!(difference < 2e-9, "off by {difference:e} on {device:?}");
    });
}

#[test]
fn what_one_image_has_in_a_few_units_is_not_what_all_have_in_common() {
    // Unit 0 is in the sample and 500 is not; of bits 0, image 1 is first in the order of the samples, and so among those whose
    // mean is taken.
    let (concepts, units) = (24, 16_384);
    assert!(frame::sampled(units).all(|run| !run.contains(&500)));
    let others: Vec<usize> = (0..concepts).filter(|&i| i != 1).collect();
    for wild in [1e3, 1e6] {
        let mut rows = alike(concepts, units, 0.01, 0.0, 0.0);
        (rows[units], rows[units + 500]) = (0.0, wild);
        let expected = reference(&rows, units);
        on_devices(|device| {
            let found = rsm(&batches(&rows, units, &[24], device)).unwrap();
            let off =
                |&i: &usize| others.iter().map(|&j| (found.row(i)[j] - expected.row(i)[j]).abs()).fold(0.0, f64::max);
            let difference = others.iter().map(off).fold(0.0, f64::max);
            assert!(difference < 2e-9, "{wild}: off by {difference:e} on {device:?}");
        });
    }
}

#[test]
fn images_and_negatives_of_others_have_something_in_common() {
    let (concepts, units) = (24, 16_384);
    let mut rows = alike(concepts, units, 0.01, 0.0, 0.0);
    rows.chunks_exact_mut(units).step_by(2).for_each(|row| row.iter_mut().for_each(|x| *x = -*x));
    let expected = reference(&rows, units);
    on_devices(|device| {
        let difference = difference(&rsm(&batches(&rows, units, &[24], device)).unwrap(), &expected);
        assert!(difference < 2e-9, "off by {difference:e} on {device:?}");
    });
}

#[test]
fn a_common_part_far_from_zero_is_replaced() {
    // As from a sample that does not tell of the levels.
    let (concepts, units) = (8, 5000);
    let mut rows = alike(concepts, units, 0.3, 0.0, 0.0);
    rows.iter_mut().for_each(|x| *x += 1000.0);
    let common = [0, 2, 4, 6].map(|image| (image, 0.25)).to_vec();
    let frame = Frame { contrasts: vec![1.0; concepts], common, ..Frame::plain(vec![0.0; concepts]) };
    let lines: Vec<&[f32]> = rows.chunks_exact(units).collect();
    let found = correlate(frame, |frame| Ok(cpu::moments(&lines, frame))).unwrap().0;
    let difference = difference(&found, &reference(&rows, units));
    assert!(difference < 2e-7, "off by {difference:e}");
}

#[test]
fn what_a_sample_does_not_tell_is_found_in_all_units() {
    let (concepts, units) = (24, 16_384);
    let mut silent = alike(concepts, units, 1e-3, 0.5, 0.0);
    let mut misled = alike(concepts, units, 0.3, 0.5, 0.0);
    let mut random = Random::keyed(13, 0);
    for unit in frame::sampled(units).flatten() {
        for image in 0..concepts {
            silent[image * units + unit] = 0.0;
            // Image 5 alone is not as good as 0; its place in the order of the samples keeps it out of m.
            let x = &mut misled[image * units + unit];
            *x = match (unit, image) {
                (0, _) => 1e-20 * (image + 1) as f32,
                (_, 5) => random.normal() as f32,
                _ => 1e-20 * *x,
            };
        }
    }
    on_devices(|device| {
        for (rows, bound) in [(&silent, 1e-9), (&misled, 2e-7)] {
            let found = rsm(&batches(rows, units, &[24], device)).unwrap();
            let difference = difference(&found, &reference(rows, units));
            assert!(difference < bound, "off by {difference:e} on {device:?}");
        }
    });
}

#[test]
fn activations_too_small_for_products_are_constant() {
    let (concepts, units) = (24, 5000);
    let mut rows = alike(concepts, units, 0.3, 0.5, 0.0);
    rows[3 * units..].iter_mut().for_each(|x| *x *= 1e-22);
    let expected = reference(&rows[..3 * units], units);
    on_devices(|device| {
        let found = rsm(&batches(&rows, units, &[24], device)).unwrap();
        assert_eq!(found.constant(), (3..concepts).collect::<Vec<_>>());
        let found = Rsm::new(3, (0..3).flat_map(|i| found.row(i)[..3].to_vec()).collect());
        let difference = difference(&found, &expected);
        assert!(difference < 2e-7, "off by {difference:e} on {device:?}");
    });
}

/// How many decisions of the 2 vs. 2 test are others than those of the reference.
fn flips(concepts: usize, units: usize, rows: &[f32], device: &Device) -> usize {
    let mut random = Random::keyed(6, 0);
    let words: Vec<f32> = (0..concepts * 50).map(|_| random.normal() as f32).collect();
    let words = rsm_of_rows(&words, concepts, 50).unwrap();
    let found = pairs(&words, &rsm(&batches(rows, units, &[40], device)).unwrap()).unwrap();
    let expected = pairs(&words, &reference(rows, units)).unwrap();
    found.iter().zip(&expected).filter(|(found, expected)| found.outcome != expected.outcome).count()
}

#[test]
fn images_alike_to_four_nines_are_told_apart() {
    let concepts = 166;
    for (units, contrast, level) in [(500, 0.0, 0.0), (4000, 0.0, 0.0), (20_000, 0.4, 0.0), (20_000, 0.4, 1000.0)] {
        let rows = alike(concepts, units, 0.01, contrast, level);
        on_devices(|device| {
            let flips = flips(concepts, units, &rows, device);
            println!("{units} units, contrast {contrast}, level {level}: {flips} of 13,695 decisions on {device:?}");
            assert!(flips <= 1, "{units} units, contrast {contrast}, level {level}: {flips} decisions on {device:?}");
        });
    }
}
