use super::*;
use crate::kernels::gpu::{Width, test_device};
use crate::stats::permutation::Random;

/// A CPU, and the GPU where one is asked for.
fn devices() -> Vec<Device> {
    std::iter::once(Device::flex()).chain(test_device()).collect()
}

/// Random vectors `[concepts, units]`.
fn vectors(seed: u64, concepts: usize, units: usize) -> Vec<Vec<f64>> {
    let mut random = Random::keyed(seed, 0);
    (0..concepts).map(|_| (0..units).map(|_| random.normal()).collect()).collect()
}

/// The Pearson correlations of vectors; NaN where one is constant.
fn rsm(vectors: &[Vec<f64>]) -> Rsm {
    let unit: Vec<Vec<f64>> = vectors
        .iter()
        .map(|x| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let length = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>().sqrt();
            x.iter().map(|x| (x - mean) / length).collect()
        })
        .collect();
    let k = vectors.len();
    let dot = |a: usize, b: usize| -> f64 { unit[a].iter().zip(&unit[b]).map(|(x, y)| x * y).sum() };
    Rsm::new(k, (0..k * k).map(|at| if at % (k + 1) == 0 { 1.0 } else { dot(at / k, at % k) }).collect())
}

fn random_rsm(seed: u64, concepts: usize) -> Rsm {
    rsm(&vectors(seed, concepts, 40))
}

/// Images that share some of the words' structure, as real layers do.
fn related_rsm(seed: u64, words: &[Vec<f64>]) -> Rsm {
    let noise = vectors(seed, words.len(), words[0].len());
    let mixed = words.iter().zip(&noise).map(|(w, e)| w.iter().zip(e).map(|(w, e)| w + 1.5 * e).collect());
    rsm(&mixed.collect::<Vec<_>>())
}

fn go(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn table(words: &Rsm, images: &[Rsm], draws: Range<u64>, device: &Device) -> DrawTable {
    two_vs_two(words, images, &Permutations::new(7, words.concepts()), draws, device, &go).unwrap()
}

/// Passed and tied pairs of margins from the definition.
fn counted(margins: &[f64], tie: f64) -> Counts {
    let passed = margins.iter().filter(|&&m| m > tie).count() as u32;
    Counts { passed, ties: margins.iter().filter(|m| m.abs() <= tie).count() as u32 }
}

/// Rounding of the definition's f64 sums: no margin of the random data below is as close to 0.
const REFERENCE_TIE: f64 = 1e-12;

#[test]
fn three_entries_are_enough_by_hand() {
    // Left out a and b, the rows of five concepts keep three entries. For the pair (0, 1) words and images rise
    // together, and against each other for the mismatched pairs: correlations 1, 1, -1, -1, margin 4.
    let mut values = vec![0.0; 25];
    let mut set = |a: usize, b: usize, r: f64| (values[a * 5 + b], values[b * 5 + a]) = (r, r);
    for (b, r) in [(2, 0.1), (3, 0.2), (4, 0.3)] {
        set(0, b, r);
        set(1, b, 0.4 - r);
    }
    [(0, 1), (2, 3), (2, 4), (3, 4)].iter().zip([0.5, 0.15, 0.35, 0.05]).for_each(|(&(a, b), r)| set(a, b, r));
    (0..5).for_each(|a| set(a, a, 1.0));
    let rsm = Rsm::new(5, values);
    let first = pairs(&rsm, &rsm).unwrap()[0];
    assert!((first.matched - 2.0).abs() < 1e-14 && (first.mismatched + 2.0).abs() < 1e-14, "{first:?}");
    assert_eq!(first.outcome, Outcome::Passed);
    assert!((margins_reference(&rsm, &rsm, &[0, 1, 2, 3, 4])[0] - 4.0).abs() < 1e-14);
}

#[test]
fn closed_form_equals_definition() {
    for k in [5, 6, 12, 20] {
        let words = vectors(1, k, 30);
        let image = related_rsm(2, &words);
        let words = rsm(&words);
        let draws = Permutations::new(3, k);
        let observed = margins_reference(&words, &image, &draws.draw(0));
        for (pair, margin) in pairs(&words, &image).unwrap().iter().zip(&observed) {
            // k rounding errors of 2^-53 in each of four correlations, magnified where k = 5 leaves little variance.
            assert!((pair.margin() - margin).abs() < 1e-12, "k {k}: {pair:?}, by definition {margin}");
        }
        for device in devices() {
            let table = two_vs_two(&words, std::slice::from_ref(&image), &draws, 0..20, &device, &go).unwrap();
            for t in 0..20 {
                let margins = margins_reference(&words, &image, &draws.draw(t));
                assert_eq!(table.row(t)[0], counted(&margins, REFERENCE_TIE), "k {k}, draw {t}");
            }
        }
    }
}

#[test]
fn golden_counts_are_met_exactly() {
    for (file, k) in [("stats_k12", 12), ("stats_k166", 166)] {
        let bytes = std::fs::read(format!("tests/golden/{file}.safetensors")).unwrap();
        let golden = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let f64s = |name: &str| -> Vec<f64> { bytemuck::pod_collect_to_vec(golden.tensor(name).unwrap().data()) };
        let i64s = |name: &str| -> Vec<i64> { bytemuck::pod_collect_to_vec(golden.tensor(name).unwrap().data()) };
        let words = Rsm::new(k, f64s("word_rsm"));
        let images: Vec<Rsm> = f64s("image_rsm").chunks(k * k).map(|values| Rsm::new(k, values.to_vec())).collect();
        let draws: Vec<Vec<u32>> =
            i64s("permutations").chunks(k).map(|draw| draw.iter().map(|&c| c as u32).collect()).collect();
        for (image, golden) in images.iter().zip(f64s("margins").chunks(k * (k - 1) / 2)) {
            let observed = pairs(&words, image).unwrap();
            let worst = observed.iter().zip(golden).map(|(p, g)| (p.margin() - g).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-13, "{file}: margins differ by {worst:e}");
        }
        for device in devices() {
            let range = 0..draws.len() as u64;
            let table = count(&words, &images, &|t| draws[t as usize].clone(), range, &device, &go).unwrap();
            let passed: Vec<i64> = table.counts.iter().map(|counts| i64::from(counts.passed)).collect();
            assert_eq!(passed, i64s("passed"), "{file}");
            assert!(table.counts.iter().all(|counts| counts.ties == 0));
        }
    }
}

#[test]
fn observed_pairs_add_up_to_the_counts() {
    for k in [5, 31, 64, 166] {
        let words = vectors(4, k, 50);
        let image = related_rsm(5, &words);
        let words = rsm(&words);
        let mut observed = Counts::default();
        pairs(&words, &image).unwrap().iter().for_each(|pair| observed.add(pair.outcome));
        for device in devices() {
            assert_eq!(table(&words, std::slice::from_ref(&image), 0..1, &device).counts, [observed]);
        }
    }
}

/// Single precision decides right, and its errors keep well within the bound that decides what is left to f64.
#[test]
fn gpu_margins_keep_within_their_bound() {
    let Some(device) = test_device() else { return };
    let gpu = Gpu::of(&device).unwrap();
    for k in [5, 6, 63, 64, 65, 166, 257] {
        let spaces = vectors(6, k, 60);
        let words = UnitRows::words(&rsm(&spaces)).unwrap();
        let images: Vec<UnitRows> =
            (0..3).map(|n| UnitRows::image(&related_rsm(n + 7, &spaces), k, 0).unwrap()).collect();
        let draws: Vec<Vec<u32>> = (0..2).map(|t| Permutations::new(8, k).draw(t)).collect();
        let batch = gpu::Batch { concepts: k, draws: 2, images: 3 };
        // With an infinite bound every pair is listed, with its margin.
        let mut on_device = gpu::OnDevice::new(&gpu, batch, &words, &images, f32::MAX);
        let (passed, listed) = on_device.collect(on_device.launch(&draws), &draws).unwrap();
        assert_eq!(passed, [0; 6]);
        assert_eq!(listed.len(), 6 * k * (k - 1) / 2, "k {k}");
        let mut worst = 0.0f64;
        for pair in listed {
            let (draw, image) = (&draws[pair.cell / 3], &images[pair.cell % 3]);
            let exact = decide_exactly(&words, image, draw, pair.a, pair.b);
            let (p, q) = (draw[pair.a] as usize, draw[pair.b] as usize);
            let c = 1.0 + 1.0 / (k - 2) as f64;
            let weight = |x: f64| (1.0 - c * x * x).powf(-0.5);
            let [w, w2, v, v2] =
                [words.at(p, q), words.at(q, p), image.at(pair.a, pair.b), image.at(pair.b, pair.a)].map(weight);
            if [w, w2, v, v2].iter().all(|&r| r <= 4.0) {
                let bound = f64::from(rounding(k)) * (w + w2) * (v + v2);
                worst = worst.max((f64::from(pair.margin) - exact.margin()).abs() / bound);
            }
        }
        println!("k {k}: largest error {worst:.3} of the bound");
        assert!(worst < 0.5, "k {k}: an error of {worst} times the bound");
    }
}

#[test]
fn every_device_batch_and_thread_count_gives_the_same_counts() {
    for k in [5, 6, 63, 64, 65, 166, 257] {
        let spaces = vectors(9, k, 60);
        let words = rsm(&spaces);
        let images: Vec<Rsm> = (0..3).map(|n| related_rsm(n + 10, &spaces)).collect();
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let expected = one.install(|| table(&words, &images, 0..7, &Device::flex()));
        assert!(k < 63 || expected.row(0)[0].passed > expected.row(1)[0].passed);
        for device in devices() {
            assert_eq!(table(&words, &images, 0..7, &device), expected, "k {k}");
            let slice = table(&words, &images, 3..5, &device);
            assert_eq!(slice.counts, [expected.row(3), expected.row(4)].concat(), "k {k}");
            let image = table(&words, &images[1..2], 0..7, &device);
            let column: Vec<Counts> = (0..7).map(|t| expected.row(t)[1]).collect();
            assert_eq!(image.counts, column, "k {k}");
        }
    }
}

#[test]
fn gpu_batches_do_not_show() {
    let Some(device) = test_device() else { return };
    let gpu = Gpu::of(&device).unwrap();
    let spaces = vectors(12, 20, 30);
    let images: Vec<Rsm> = (0..5).map(|n| related_rsm(n, &spaces)).collect();
    let rows: Vec<UnitRows> = images.iter().map(|image| UnitRows::image(image, 20, 0).unwrap()).collect();
    let words = UnitRows::words(&rsm(&spaces)).unwrap();
    let draws = Permutations::new(7, 20);
    let expected = table(&rsm(&spaces), &images, 0..11, &Device::flex());
    let nvidias = gpu.clone().as_if(Width::Lanes32);
    for (gpu, at_once) in [(&gpu, 1), (&gpu, 2), (&gpu, 4), (&gpu, 11), (&nvidias, 4)] {
        let batch = gpu::Batch { concepts: 20, draws: at_once, images: 5 };
        let counts = gpu::count(gpu, batch, &words, &rows, &|t| draws.draw(t), 0..11, &go).unwrap();
        assert_eq!(counts, expected.counts, "{at_once} draws at once");
    }
}

#[test]
fn plans_fit_the_binding_limit() {
    for k in [5, 12, 166, 1000, 2000, 5000] {
        for (draws, images) in [(1, 1), (1, 85), (1001, 1), (1001, 5), (10_001, 85)] {
            let batch = gpu::Batch::plan(k, draws, images, 128 << 20);
            assert!(batch.draws >= 1 && batch.images >= 1 && batch.images <= images && batch.draws as u64 <= draws);
            assert!(batch.draws <= 65_535 && batch.images <= 65_535);
            let products = (batch.draws * k).next_multiple_of(64) * (batch.images * k).next_multiple_of(64) * 4;
            assert!(products <= 128 << 20, "k {k}: {batch:?}");
        }
    }
    // Products of 5,760 x 5,760 are bound, of one tile more not; 361 x 362 / 2 tiles of pairs are launched, of one more not.
    assert_eq!([128 << 20, 4 << 30].map(gpu::Batch::most_concepts), [5760, 361 * 32]);
}

#[test]
fn lists_of_pairs_fit_the_binding_limit() {
    // Powers of two, up to the 11,184,810 entries of 12 bytes beside one cell: all pairs of 4,730 concepts, not of 4,731.
    let of = |listed| gpu::capacity(listed, 1, 128 << 20);
    assert_eq!([of(20_000), of(4730 * 4729 / 2)], [Some(32_768), Some(11_184_810)]);
    assert_eq!(of(4731 * 4730 / 2), None);
}

#[test]
fn a_space_against_itself_passes_every_pair() {
    let rsm = random_rsm(13, 40);
    for device in devices() {
        let counts = table(&rsm, std::slice::from_ref(&rsm), 0..1, &device).counts[0];
        assert_eq!(counts, Counts { passed: 40 * 39 / 2, ties: 0 });
    }
}

#[test]
fn the_two_spaces_may_change_places() {
    let spaces = vectors(14, 33, 30);
    let (words, image) = (rsm(&spaces), related_rsm(15, &spaces));
    for device in devices() {
        let there = table(&words, std::slice::from_ref(&image), 0..1, &device);
        let back = table(&image, std::slice::from_ref(&words), 0..1, &device);
        assert_eq!(there.counts, back.counts);
    }
}

#[test]
fn reordering_both_spaces_and_affine_embeddings_change_nothing() {
    let mut random = Random::keyed(16, 0);
    let spaces = vectors(17, 25, 30);
    let images: Vec<Vec<f64>> =
        vectors(18, 25, 30).iter().zip(&spaces).map(|(e, w)| e.iter().zip(w).map(|(e, w)| e + w).collect()).collect();
    let observed = |words: &[Vec<f64>], images: &[Vec<f64>], device: &Device| {
        table(&rsm(words), &[rsm(images)], 0..1, device).counts[0]
    };
    for device in devices() {
        let expected = observed(&spaces, &images, &device);
        for t in 1..6 {
            let order = Permutations::new(19, 25).draw(t);
            let reordered = |x: &[Vec<f64>]| order.iter().map(|&c| x[c as usize].clone()).collect::<Vec<_>>();
            assert_eq!(observed(&reordered(&spaces), &reordered(&images), &device), expected);
            let mut affine = |x: &[Vec<f64>]| -> Vec<Vec<f64>> {
                let scaled = |row: &Vec<f64>| {
                    let (scale, shift) = (0.5 + random.unit(), random.normal());
                    row.iter().map(|x| scale * x + shift).collect()
                };
                x.iter().map(scaled).collect()
            };
            assert_eq!(observed(&affine(&spaces), &affine(&images), &device), expected);
        }
    }
}

#[test]
fn permuting_the_embedding_is_permuting_the_matrix() {
    let spaces = vectors(20, 21, 30);
    let image = related_rsm(21, &spaces);
    let draws = Permutations::new(7, 21);
    for device in devices() {
        let whole = table(&rsm(&spaces), std::slice::from_ref(&image), 0..6, &device);
        for t in 0..6 {
            let shuffled: Vec<Vec<f64>> = draws.draw(t).iter().map(|&c| spaces[c as usize].clone()).collect();
            let alone = table(&rsm(&shuffled), std::slice::from_ref(&image), 0..1, &device);
            assert_eq!(alone.counts[0], whole.row(t)[0]);
        }
    }
}

#[test]
fn unrelated_spaces_pass_half_of_the_pairs() {
    // The standard deviation of an accuracy is about 0.045 at k = 166, larger at 40; of the mean of 200, 0.007.
    let images: Vec<Rsm> = (0..10).map(|n| random_rsm(100 + n, 40)).collect();
    let table = table(&random_rsm(22, 40), &images, 1..21, &Device::flex());
    let mean = table.counts.iter().map(|c| f64::from(c.passed)).sum::<f64>() / table.counts.len() as f64 / 780.0;
    assert!((mean - 0.5).abs() < 0.03, "mean accuracy {mean}");
}

#[test]
fn duplicate_images_tie() {
    // Concepts 3 and 8, and 10, 11 and 12, show the same image: 1 + 3 pairs cannot be told apart, whatever the draw.
    let spaces = vectors(23, 30, 40);
    let mut images = vectors(24, 30, 40);
    for (copy, original) in [(8, 3), (11, 10), (12, 10)] {
        images[copy] = images[original].clone();
    }
    for device in devices() {
        let table = table(&rsm(&spaces), &[rsm(&images)], 0..9, &device);
        assert!(table.counts.iter().all(|counts| counts.ties == 4), "{:?}", table.counts);
    }
}

#[test]
fn categories_of_two_are_decided() {
    // A model of categories: 1 within, 0 between. The two concepts of a category leave rows that do not vary:
    // correlation 0, a tie. Against itself re-ordered nearly all pairs tie: more than the list for the host holds.
    let k = 240;
    let model = Rsm::new(k, (0..k * k).map(|at| f64::from(u8::from(at / k / 2 == at % k / 2))).collect());
    let image = random_rsm(25, k);
    let draw = |t: u64| Permutations::new(7, k).draw(t);
    let expected: Vec<Counts> = (0..3)
        .map(|t| {
            let (words, image) = (UnitRows::words(&model).unwrap(), UnitRows::image(&image, k, 0).unwrap());
            let mut counts = Counts::default();
            for (a, b) in (0..k).flat_map(|a| (a + 1..k).map(move |b| (a, b))) {
                counts.add(decide_exactly(&words, &image, &draw(t), a, b).outcome);
            }
            counts
        })
        .collect();
    for device in devices() {
        let flat = Rsm::new(k, model.values().to_vec());
        assert_eq!(table(&model, std::slice::from_ref(&image), 0..3, &device).counts, expected);
        let ties = table(&model, std::slice::from_ref(&flat), 0..3, &device);
        assert!(ties.counts[1..].iter().all(|counts| counts.ties > 16_384), "{:?}", ties.counts);
        assert_eq!(ties, table(&model, std::slice::from_ref(&flat), 0..3, &Device::flex()));
    }
}

#[test]
fn constant_images_are_in_no_count() {
    let spaces = vectors(26, 12, 30);
    let mut images = vectors(27, 12, 30);
    images[2] = vec![0.5; 30];
    images[9] = vec![0.0; 30];
    let mut values = rsm(&images).values().to_vec();
    for (at, value) in values.iter_mut().enumerate() {
        if [2, 9].contains(&(at / 12)) || [2, 9].contains(&(at % 12)) {
            *value = if at / 12 == at % 12 { 1.0 } else { f64::NAN };
        }
    }
    let image = Rsm::new(12, values);
    let words = rsm(&spaces);
    assert_eq!(pairs(&words, &image).unwrap().len(), 45);
    let draws = Permutations::new(7, 12);
    for device in devices() {
        let table = table(&words, &[image.clone(), words.clone()], 0..6, &device);
        assert_eq!((table.pairs, table.tested.as_slice()), (66, [45, 66].as_slice()));
        for t in 0..6 {
            let margins = margins_reference(&words, &image, &draws.draw(t));
            assert_eq!(margins.iter().filter(|m| m.is_nan()).count(), 21);
            assert_eq!(table.row(t)[0], counted(&margins, REFERENCE_TIE));
        }
    }
    let dead = Rsm::new(12, (0..144).map(|at| if at % 13 == 0 { 1.0 } else { f64::NAN }).collect());
    for device in devices() {
        let table = table(&words, std::slice::from_ref(&dead), 0..3, &device);
        assert_eq!((table.tested[0], table.counts.as_slice()), (0, [Counts::default(); 3].as_slice()));
    }
}

#[test]
fn thousands_of_classes_run() {
    for k in [1000, 2000] {
        let spaces = vectors(28, k, 50);
        let (words, image) = (rsm(&spaces), related_rsm(29, &spaces));
        let mut observed = Counts::default();
        pairs(&words, &image).unwrap().iter().for_each(|pair| observed.add(pair.outcome));
        let tables = devices()
            .iter()
            .map(|device| table(&words, std::slice::from_ref(&image), 0..2, device))
            .collect::<Vec<_>>();
        for table in &tables {
            assert_eq!(table.row(0)[0], observed, "k {k}");
            assert_eq!(table, &tables[0], "k {k}");
            let tenth = table.pairs / 10;
            assert!(observed.passed > tenth * 8 && table.row(1)[0].passed < tenth * 7, "k {k}");
        }
    }
}

#[test]
fn progress_is_told_everything_and_may_stop() {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    let (words, images) = (random_rsm(30, 20), [random_rsm(31, 20), random_rsm(32, 20)]);
    let draws = Permutations::new(7, 20);
    for device in devices() {
        let done = AtomicU64::new(0);
        let progress = |tests: u64| {
            done.fetch_add(tests, Relaxed);
            ControlFlow::Continue(())
        };
        two_vs_two(&words, &images, &draws, 0..25, &device, &progress).unwrap();
        assert_eq!(done.load(Relaxed), 50);
        let stopped = two_vs_two(&words, &images, &draws, 0..25, &device, &|_| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(TwoVsTwoError::Interrupted)));
        assert_eq!(two_vs_two::<Rsm>(&words, &[], &draws, 0..3, &device, &go).unwrap().counts, []);
        assert_eq!(two_vs_two(&words, &images, &draws, 3..3, &device, &go).unwrap().counts, []);
    }
}

#[test]
fn unusable_matrices_are_named() {
    let error = |words: &Rsm, image: &Rsm| {
        let draws = Permutations::new(7, words.concepts());
        two_vs_two(words, std::slice::from_ref(image), &draws, 0..2, &Device::flex(), &go).unwrap_err().to_string()
    };
    let good = random_rsm(33, 8);
    assert_eq!(error(&random_rsm(1, 4), &good), "the 2 vs. 2 test needs 5 concepts or more, found 4");
    assert_eq!(error(&good, &random_rsm(1, 9)), "an image RSM of 9 concepts, expected the word RSM's 8");
    let with = |changed: fn(usize, usize) -> Option<f64>| {
        let value = |at: usize| changed(at / 8, at % 8).unwrap_or(good.values()[at]);
        Rsm::new(8, (0..64).map(value).collect())
    };
    let hole = with(|a, b| (a == 3 && b == 6).then_some(f64::NAN));
    assert_eq!(error(&good, &hole), "image RSM 0: the entry of concepts 3 and 6 is NaN, expected a correlation");
    let constant = with(|a, b| (a != b && (a == 5 || b == 5)).then_some(f64::NAN));
    assert!(error(&constant, &good).starts_with("the word vector of concept 5 is constant"));
    let flat = with(|a, b| (a != b && (a == 4 || b == 4)).then_some(0.3));
    assert!(error(&flat, &good).starts_with("the word RSM: concept 4 is equally similar to all others"));
    assert!(error(&good, &flat).starts_with("image RSM 0: concept 4"));
}
