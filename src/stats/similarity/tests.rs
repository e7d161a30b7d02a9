use burn::tensor::{Device, Tensor, TensorData};
use burn_wgpu::CubeBackend;
use safetensors::SafeTensors;

use super::*;
use crate::kernels::gpu::{Width, test_device};
use crate::stats::permutation::Random;

/// Largest difference of a correlation from f64 at mean correlation 0.99: sums of at most 512 products carry a random
/// walk of rounding errors of 4e-7, five of which stay below.
const TOLERANCE: f64 = 2e-6;

/// Runs a check on the CPU and, where the tests are to have one (see `test_device`), on the GPU.
pub(super) fn on_devices(check: impl Fn(&Device)) {
    check(&Device::flex());
    if let Some(gpu) = test_device() {
        check(&gpu);
    }
}

/// `rows` (`[images, units]`) as batches of the sizes given, repeated until all images are in one.
pub(super) fn batches(rows: &[f32], units: usize, sizes: &[usize], device: &Device) -> Vec<Tensor<2>> {
    let mut rest = rows;
    let mut sizes = sizes.iter().cycle();
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(rest.len().min(sizes.next().unwrap() * units));
        batches.push(Tensor::from_data(TensorData::new(batch.to_vec(), [batch.len() / units, units]), device));
        rest = after;
    }
    batches
}

/// Images that share a pattern over the units (unit variance) and have noise of their own: mean correlation 0.99. The
/// level of image `i` is `10 i`, as if every image lit the layer differently.
fn alike_images(concepts: usize, units: usize) -> Vec<f32> {
    let mut random = Random::keyed(5, concepts as u64);
    let mut uniform = |sd: f64| (random.unit() - 0.5) * sd * 12_f64.sqrt();
    let pattern: Vec<f64> = (0..units).map(|_| uniform(1.0)).collect();
    let image =
        |i: usize| -> Vec<f32> { pattern.iter().map(|p| (10.0 * i as f64 + p + uniform(0.1)) as f32).collect() };
    (0..concepts).flat_map(image).collect()
}

fn on_gpu(batches: &[Tensor<2>]) -> Vec<gpu::Batch> {
    let primitives = batches.iter().map(|batch| batch.clone().try_into_primitive::<CubeBackend>().unwrap());
    primitives.map(|batch| gpu::Batch { images: batch.meta.shape()[0], activations: batch.handle }).collect()
}

pub(super) fn reference(rows: &[f32], units: usize) -> Rsm {
    rsm_reference(&rows.chunks_exact(units).collect::<Vec<_>>())
}

/// The largest difference of a correlation; both must be NaN in the same places.
pub(super) fn difference(a: &Rsm, b: &Rsm) -> f64 {
    assert_eq!(a.concepts(), b.concepts());
    let pairs = a.values().iter().zip(b.values());
    pairs
        .map(|(x, y)| {
            assert_eq!(x.is_nan(), y.is_nan());
            if x.is_nan() { 0.0 } else { (x - y).abs() }
        })
        .fold(0.0, f64::max)
}

#[test]
fn correlations_by_hand() {
    // Centred: (-1, 0, 1), twice that, its negative, and (1, -2, 1), at right angles to it; (2, 1, 6) is (-1, -2, 3):
    // 4 / sqrt(2 * 14) with the first, 6 / sqrt(6 * 14) with the fourth.
    let rows = [1., 2., 3., 2., 4., 6., 9., 8., 7., 4., 1., 4., 2., 1., 6.];
    let (first, fourth) = (4.0 / 28_f64.sqrt(), 6.0 / 84_f64.sqrt());
    let expected = [
        [1.0, 1.0, -1.0, 0.0, first],
        [1.0, 1.0, -1.0, 0.0, first],
        [-1.0, -1.0, 1.0, 0.0, -first],
        [0.0, 0.0, 0.0, 1.0, fourth],
        [first, first, -first, fourth, 1.0],
    ];
    let expected = Rsm::new(5, expected.concat());
    assert!(difference(&reference(&rows, 3), &expected) < 1e-15);
    assert!(difference(&rsm_of_rows(&rows, 5, 3).unwrap(), &expected) < TOLERANCE);
    on_devices(|device| assert!(difference(&rsm(&batches(&rows, 3, &[2], device)).unwrap(), &expected) < TOLERANCE));
}

#[test]
fn images_that_are_much_alike_keep_their_digits() {
    for (concepts, units) in [(5, 1500), (6, 700), (63, 97), (64, 5000), (65, 64), (166, 1031), (257, 130)] {
        let rows = alike_images(concepts, units);
        let expected = reference(&rows, units);
        let off_diagonal = (expected.values().iter().sum::<f64>() / concepts as f64 - 1.0) / (concepts - 1) as f64;
        assert!((0.985..0.995).contains(&off_diagonal));
        on_devices(|device| {
            let found = rsm(&batches(&rows, units, &[concepts / 2 + 1], device)).unwrap();
            let difference = difference(&found, &expected);
            assert!(difference < TOLERANCE, "{concepts} concepts, {units} units, {device:?}: off by {difference:e}");
        });
    }
}

#[test]
fn batches_do_not_change_a_bit() {
    let (concepts, units) = (23, 333);
    let rows = alike_images(concepts, units);
    on_devices(|device| {
        let whole = rsm(&batches(&rows, units, &[concepts], device)).unwrap();
        assert_eq!(rsm(&batches(&rows, units, &[1, 7, 2], device)).unwrap(), whole);
    });
}

#[test]
fn views_of_a_tensor_are_read_as_they_look() {
    let (concepts, units) = (7, 50);
    let rows = alike_images(concepts, units);
    let transposed: Vec<f32> = (0..units * concepts).map(|at| rows[at % concepts * units + at / concepts]).collect();
    on_devices(|device| {
        let tensor = Tensor::<2>::from_data(TensorData::new(transposed.clone(), [units, concepts]), device);
        let found = rsm(&[tensor.transpose().slice([2..7, 5..45])]).unwrap();
        let cut: Vec<f32> = (2..7).flat_map(|i| rows[i * units + 5..i * units + 45].to_vec()).collect();
        assert!(difference(&found, &reference(&cut, 40)) < TOLERANCE);
    });
}

#[test]
fn threads_do_not_change_a_bit() {
    let (concepts, units) = (20, 70_000);
    let rows = alike_images(concepts, units);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| rsm_of_rows(&rows, concepts, units).unwrap())
    };
    assert_eq!(with(1), with(3));
    assert!(difference(&with(2), &reference(&rows, units)) < TOLERANCE);
}

#[test]
fn a_shift_far_from_the_mean_is_replaced_by_it() {
    let (concepts, units) = (6, 2000);
    let rows = alike_images(concepts, units);
    let expected = reference(&rows, units);
    let far = || Frame::plain(vec![1e4; concepts]);
    let lines: Vec<&[f32]> = rows.chunks_exact(units).collect();
    let found = correlate(far(), |frame| Ok(cpu::moments(&lines, frame)));
    assert!(difference(&found.unwrap().0, &expected) < TOLERANCE);
    if let Some(device) = test_device() {
        let (gpu, batches) = (Gpu::of(&device).expect("a GPU device"), on_gpu(&batches(&rows, units, &[4], &device)));
        let found = correlate(far(), |frame| gpu::moments(&gpu, &batches, units, frame));
        assert!(difference(&found.unwrap().0, &expected) < TOLERANCE);
    }
}

#[test]
fn a_constant_image_has_no_correlations() {
    let (concepts, units) = (8, 300);
    let mut rows = alike_images(concepts, units);
    rows[2 * units..3 * units].fill(0.0);
    // Equal up to rounding: 0.1 and the next float.
    rows[5 * units..6 * units].fill(0.1);
    rows[5 * units + 7] = 0.1_f32.next_up();
    let expected = reference(&rows, units);
    assert_eq!(expected.constant(), [2, 5]);
    on_devices(|device| {
        let found = rsm(&batches(&rows, units, &[3], device)).unwrap();
        assert_eq!(found.constant(), [2, 5]);
        assert_eq!(found.row(5)[5], 1.0);
        assert!(difference(&found, &expected) < TOLERANCE);
    });
}

#[test]
fn an_image_that_is_not_finite_is_named() {
    let (concepts, units) = (9, 120);
    for (image, value) in [(0, f32::NAN), (4, f32::INFINITY), (8, f32::NEG_INFINITY)] {
        let mut rows = alike_images(concepts, units);
        rows[image * units + 77] = value;
        on_devices(|device| match rsm(&batches(&rows, units, &[4], device)) {
            Err(SimilarityError::NotFinite { image: found }) => assert_eq!(found, image),
            other => panic!("{value} in image {image}: {other:?}"),
        });
    }
}

#[test]
fn kernels_initialise_what_they_read() {
    let Some(device) = test_device() else { return };
    let gpu = Gpu::of(&device).expect("a GPU device");
    let (concepts, units) = (66, 1000);
    let rows = alike_images(concepts, units);
    let batches = on_gpu(&batches(&rows, units, &[40], &device));
    // A binding limit that cuts the layer into several chunks, the last one short.
    let plan = gpu::Plan::new(concepts, units, 200_000);
    let scratch = gpu::Scratch::new(&plan, |bytes| gpu.upload(&vec![f32::NAN; bytes / 4]));
    for gpu in [gpu.clone(), gpu.clone().as_if(Width::Lanes32)] {
        let frame = Frame::new(&gpu::sample(&gpu, &batches, units).unwrap(), concepts);
        let found = correlate(frame, |frame| gpu::moments_in(&gpu, &batches, units, frame, &plan, &scratch));
        assert!(difference(&found.unwrap().0, &reference(&rows, units)) < TOLERANCE);
    }
}

#[test]
fn running_totals_keep_what_f32_would_round_away() {
    let Some(device) = test_device() else { return };
    let gpu = Gpu::of(&device).expect("a GPU device");
    let large = 2_f32.powi(24);
    let spans = [large, 1.0, 1.0, 1.0, -large, 1.0];
    let partials = gpu.upload(&spans.map(|x| [x; 4096]));
    let totals = gpu.upload(&[[f32::NAN; 2]; 4096]);
    let fold = KERNELS.iter().find(|kernel| kernel.name == "rsm_fold").unwrap();
    for chunk in 1..=2_u32 {
        let sizes = gpu::FoldSizes { spans: 6, is_first: u32::from(chunk == 1), zero: 0 };
        gpu.launch(fold, &[], [16, 1, 1], &[&partials, &totals], &sizes);
        let found: Vec<[f32; 2]> = gpu.download(&totals, "testing").unwrap();
        assert!(found.iter().all(|[high, low]| high + low == 4.0 * chunk as f32), "{:?}", found[0]);
    }
}

#[test]
fn golden_matrices_of_numpy() {
    for file in [
        include_bytes!("../../../tests/golden/stats_k12.safetensors").as_slice(),
        include_bytes!("../../../tests/golden/stats_k166.safetensors"),
    ] {
        let golden = SafeTensors::deserialize(file).unwrap();
        let tensor = |name| golden.tensor(name).unwrap();
        let numbers = |name| -> Vec<f32> { bytemuck::pod_collect_to_vec(tensor(name).data()) };
        let expected = |name| -> Vec<f64> { bytemuck::pod_collect_to_vec(tensor(name).data()) };

        let &[concepts, units] = tensor("words").shape() else { panic!("words are a matrix") };
        let words = rsm_of_rows(&numbers("words"), concepts, units).unwrap();
        assert!(difference(&words, &Rsm::new(concepts, expected("word_rsm"))) < TOLERANCE);

        let units = tensor("activations").shape()[2];
        let (activations, images) = (numbers("activations"), expected("image_rsm"));
        for (rows, expected) in activations.chunks(concepts * units).zip(images.chunks(concepts * concepts)) {
            let expected = Rsm::new(concepts, expected.to_vec());
            assert!(difference(&reference(rows, units), &expected) < 1e-12);
            on_devices(|device| {
                let found = rsm(&batches(rows, units, &[concepts / 2], device)).unwrap();
                assert!(difference(&found, &expected) < TOLERANCE);
            });
        }
    }
}
