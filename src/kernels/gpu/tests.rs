//! Every kernel of a network against plain loops in f64, at sizes that are multiples of nothing.

mod passes;

use burn::tensor::{Device, Tensor, TensorData};

use super::convolution::{Convolution, Form};
use super::dense::Dense;
use super::pooling::{Kind, pool};
use super::product::Tile;
use super::{Gpu, Width, test_device};
use crate::kernels::convolution::Part;
use crate::kernels::{Activation, VALID, Window};
use crate::stats::permutation::Random;

/// Half a unit in the last place of f32.
const ROUNDOFF: f64 = 1.0 / (1_u64 << 24) as f64;

fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::keyed(seed, count as u64);
    (0..count).map(|_| (2.0 * random.unit() - 1.0) as f32).collect()
}

fn tensor<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// A convolution to be checked.
struct Case {
    images: usize,
    input: [usize; 2],
    channels: usize,
    outputs: usize,
    groups: usize,
    window: Window,
}

/// A result, and the sum of the magnitudes that it was added up from.
type Sum = (f64, f64);

impl Case {
    /// Places of the input under `window` at a result, the taps outside left out: (tap, place).
    fn taps(window: Window, input: [usize; 2], at: [usize; 2]) -> Vec<(usize, usize)> {
        let mut taps = Vec::new();
        for row in 0..window.size[0] {
            for column in 0..window.size[1] {
                let place = |axis: usize, tap: usize| {
                    let padded = at[axis] * window.stride[axis] + tap * window.dilation[axis];
                    padded.checked_sub(window.padding[axis].0).filter(|&place| place < input[axis])
                };
                if let (Some(y), Some(x)) = (place(0, row), place(1, column)) {
                    taps.push((row * window.size[1] + column, y * input[1] + x));
                }
            }
        }
        taps
    }

    /// `[images, outputs, height, width]`.
    fn reference(&self, x: &[f32], weight: &[f32], bias: &[f32], activation: Activation) -> Vec<Sum> {
        let [rows, columns] = self.window.output(self.input);
        let (plane, inputs) = (self.input[0] * self.input[1], self.channels / self.groups);
        let size = self.window.size[0] * self.window.size[1];
        let mut results = Vec::new();
        for image in 0..self.images {
            for output in 0..self.outputs {
                let group = output / (self.outputs / self.groups);
                for at in (0..rows * columns).map(|at| [at / columns, at % columns]) {
                    let (mut sum, mut magnitude) = (f64::from(bias[output]), f64::from(bias[output].abs()));
                    for (tap, place) in Self::taps(self.window, self.input, at) {
                        for channel in 0..inputs {
                            let x = x[(image * self.channels + group * inputs + channel) * plane + place];
                            let product = f64::from(x) * f64::from(weight[(output * inputs + channel) * size + tap]);
                            sum += product;
                            magnitude += product.abs();
                        }
                    }
                    let result = match activation {
                        Activation::Identity => sum,
                        Activation::Relu => sum.max(0.0),
                        Activation::Relu6 => sum.clamp(0.0, 6.0),
                        smooth => unreachable!("{smooth:?} has a test of its own"),
                    };
                    results.push((result, magnitude));
                }
            }
        }
        results
    }

    /// Of every result by Winograd's transforms, what is added up to it: the transforms of magnitudes, with magnitudes.
    fn winograd_magnitudes(&self, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f64> {
        const INPUTS: [[f64; 4]; 4] = [[1., 0., 1., 0.], [0., 1., 1., 0.], [0., 1., 1., 0.], [0., 1., 0., 1.]];
        const WINDOW: [[f64; 3]; 4] = [[1., 0., 0.], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0., 0., 1.]];
        const RESULTS: [[f64; 4]; 2] = [[1., 1., 1., 0.], [0., 1., 1., 1.]];
        let [rows, columns] = self.window.output(self.input);
        let pads = self.window.padding.map(|(before, _)| before);
        let mut magnitudes = Vec::new();
        for image in 0..self.images {
            for output in 0..self.outputs {
                for at in (0..rows * columns).map(|at| [at / columns, at % columns]) {
                    let mut magnitude = f64::from(bias[output].abs());
                    for channel in 0..self.channels {
                        let input = |i: usize, j: usize| {
                            let place = |axis: usize, tap: usize| {
                                let padded = at[axis] / 2 * 2 + tap;
                                padded.checked_sub(pads[axis]).filter(|&place| place < self.input[axis])
                            };
                            let (Some(y), Some(x_at)) = (place(0, i), place(1, j)) else { return 0.0 };
                            let plane = (image * self.channels + channel) * self.input[0] * self.input[1];
                            f64::from(x[plane + y * self.input[1] + x_at].abs())
                        };
                        let tap = |i: usize, j: usize| {
                            f64::from(weight[(output * self.channels + channel) * 9 + i * 3 + j].abs())
                        };
                        for p in 0..4 {
                            for q in 0..4 {
                                let taken = RESULTS[at[0] % 2][p] * RESULTS[at[1] % 2][q];
                                let sum = |size: usize, term: &dyn Fn(usize, usize) -> f64| -> f64 {
                                    (0..size * size).map(|at| term(at / size, at % size)).sum()
                                };
                                let patch = sum(4, &|i, j| INPUTS[p][i] * INPUTS[q][j] * input(i, j));
                                let window = sum(3, &|i, j| WINDOW[p][i] * WINDOW[q][j] * tap(i, j));
                                magnitude += taken * patch * window;
                            }
                        }
                    }
                    magnitudes.push(magnitude);
                }
            }
        }
        magnitudes
    }

    fn check(&self, device: &Device, form: Form, activation: Activation) {
        let gpu = Gpu::of(device).expect("a GPU device");
        let (inputs, size) = (self.channels / self.groups, self.window.size);
        let taps = inputs * size[0] * size[1];
        let x = random(self.images * self.channels * self.input[0] * self.input[1], 1);
        let (weight, bias) = (random(self.outputs * taps, 2), random(self.outputs, 3));
        let part = Part {
            weight: TensorData::new(weight.clone(), [self.outputs, inputs, size[0], size[1]]),
            bias: TensorData::new(bias.clone(), [self.outputs]),
            window: self.window,
            groups: self.groups,
            activation,
        };
        let convolution = Convolution::in_form(&gpu, form, &part);
        let x_shape = [self.images, self.channels, self.input[0], self.input[1]];
        let found = convolution.forward(tensor(&x, x_shape, device), None);
        let [rows, columns] = self.window.output(self.input);
        assert_eq!(found.dims(), [self.images, self.outputs, rows, columns]);
        let found = found.into_data().try_to_vec::<f32>().unwrap();
        let mut expected = self.reference(&x, &weight, &bias, activation);
        // Each product and each addition rounds once.
        let mut roundings = taps + 2;
        if let Form::Winograd(_) = form {
            let magnitudes = self.winograd_magnitudes(&x, &weight, &bias);
            expected.iter_mut().zip(magnitudes).for_each(|((_, magnitude), own)| *magnitude = own);
            // Two for the inputs, one for the window, two additions each way for the results.
            roundings = inputs + 9;
        }
        compare(&format!("{form:?} {activation:?} {size:?}"), &found, &expected, roundings as f64 * ROUNDOFF);
    }
}

fn compare(what: &str, found: &[f32], expected: &[Sum], relative: f64) {
    assert_eq!(found.len(), expected.len());
    for (at, (&found, &(expected, magnitude))) in found.iter().zip(expected).enumerate() {
        let difference = (f64::from(found) - expected).abs();
        assert!(difference <= relative * magnitude, "{what}: result {at} is {found}, expected {expected}");
    }
}

const TILES: [Tile; 4] = [Tile::Wide, Tile::Tall, Tile::Narrow, Tile::Unstaged];

#[test]
fn convolutions_of_every_form_are_the_sums_of_their_definition() {
    let Some(device) = test_device() else { return };
    let same = [(1, 1); 2];
    let window = |size, stride, padding, dilation| Window { size, stride, padding, dilation };
    for (images, input, channels, outputs, groups, window) in [
        (3, [13, 7], 16, 70, 1, Window::square(3, 1, same)),
        (1, [9, 11], 3, 5, 1, Window::square(3, 1, same)),
        (2, [17, 9], 32, 65, 1, Window::square(1, 1, VALID)),
        (2, [23, 21], 3, 17, 1, Window::square(7, 2, [(3, 3); 2])),
        (2, [12, 13], 24, 9, 1, window([1, 7], [1, 2], [(0, 0), (3, 2)], [1, 1])),
        (1, [15, 15], 32, 66, 2, window([3, 2], [2, 1], [(0, 1), (2, 0)], [2, 3])),
        (2, [6, 5], 10, 20, 2, Window::square(3, 1, [(5, 4), (3, 6)])),
        (5, [1, 1], 70, 130, 1, Window::square(1, 1, VALID)),
    ] {
        for form in TILES.map(Form::Product) {
            for activation in [Activation::Identity, Activation::Relu] {
                Case { images, input, channels, outputs, groups, window }.check(&device, form, activation);
            }
        }
    }
}

#[test]
fn winograd_convolutions_are_the_sums_of_their_definition() {
    let Some(device) = test_device() else { return };
    for (images, input, channels, outputs, padding) in
        [(2, [9, 12], 16, 70, [(1, 1); 2]), (1, [7, 5], 20, 33, VALID), (3, [6, 7], 32, 5, [(0, 2), (2, 0)])]
    {
        let case = Case { images, input, channels, outputs, groups: 1, window: Window::square(3, 1, padding) };
        for tile in TILES {
            case.check(&device, Form::Winograd(tile), Activation::Relu);
        }
    }
}

/// 3 x 3 windows that keep height and width.
fn around(channels: usize, outputs: usize) -> Part {
    let weight = TensorData::new(random(outputs * channels * 9, 1), [outputs, channels, 3, 3]);
    let (bias, window) = (TensorData::new(random(outputs, 2), [outputs]), Window::square(3, 1, [(1, 1); 2]));
    Part { weight, bias, window, groups: 1, activation: Activation::Identity }
}

#[test]
fn tiles_of_a_map_are_transformed_in_as_many_launches_as_memory_asks_for() {
    let Some(device) = test_device() else { return };
    let gpu = Gpu::of(&device).unwrap();
    // 2,304 tiles of an image, 144 MiB of which 128 may be bound, at most 1,024 at a time: those of the second are cut elsewhere
    // where the first is there too.
    let (channels, outputs, size) = (1024, 4, 96);
    let convolution = Convolution::in_form(&gpu, Form::Winograd(Tile::Unstaged), &around(channels, outputs));
    let x = random(2 * channels * size * size, 3);
    let forward = |x: &[f32]| {
        let x = tensor(x, [x.len() / channels / size / size, channels, size, size], &device);
        convolution.forward(x, None).into_data().try_to_vec::<f32>().unwrap()
    };
    let second = forward(&x[channels * size * size..]);
    assert!(second.iter().all(|value| value.is_finite()));
    assert_eq!(second, forward(&x)[outputs * size * size..]);
}

#[test]
fn of_groups_only_as_many_are_taken_as_the_gpu_computes() {
    let Some(device) = test_device() else { return };
    let grouped = |groups: usize| {
        let (weight, bias) = (vec![1.0_f32; 2 * groups], vec![0.0_f32; groups]);
        let (weight, bias) = (TensorData::new(weight, [groups, 2, 1, 1]), TensorData::new(bias, [groups]));
        Part { weight, bias, window: Window::square(1, 1, VALID), groups, activation: Activation::Identity }
    };
    assert_eq!(grouped(1024).refusal(&device), None);
    let said = grouped(65_536).refusal(&device).unwrap();
    assert!(said.starts_with("65536 groups, the GPU computes 65535 at most"), "{said}");
    // A buffer of 4 KiB each.
    let gpu = Gpu::of(&device).unwrap();
    let most = gpu.max_binding_bytes() / 4096;
    assert_eq!(grouped(most.min(65_535)).refusal(&device).is_some(), most <= 65_535);
    assert_eq!(grouped(65_536).refusal(&Device::flex()), None);
}

#[test]
fn no_last_bit_of_an_image_depends_on_the_batch() {
    let Some(device) = test_device() else { return };
    let gpu = Gpu::of(&device).unwrap();
    // Tiles of one image are so few that its taps are cut into spans; of three they are not.
    let (channels, outputs) = (512, 512);
    let part = around(channels, outputs);
    let x = random(3 * channels * 16, 3);
    for tile in TILES {
        for form in [Form::Product(tile), Form::Winograd(tile)] {
            let convolution = Convolution::in_form(&gpu, form, &part);
            let forward = |x: &[f32]| {
                let x = tensor(x, [x.len() / channels / 16, channels, 4, 4], &device);
                convolution.forward(x, None).into_data().try_to_vec::<f32>().unwrap()
            };
            assert_eq!(forward(&x[..channels * 16]), forward(&x)[..outputs * 16], "{form:?}");
        }
    }
}

#[test]
fn spans_of_a_deep_convolution_add_up() {
    let Some(device) = test_device() else { return };
    // 4,608 taps for one tile of sums: 18 spans.
    let window = Window::square(3, 1, [(1, 1); 2]);
    let case = Case { images: 2, input: [4, 5], channels: 512, outputs: 33, groups: 1, window };
    for tile in [Tile::Wide, Tile::Tall] {
        case.check(&device, Form::Product(tile), Activation::Relu6);
    }
}

#[test]
fn a_summand_is_added_before_the_activation_in_the_same_pass() {
    let Some(device) = test_device() else { return };
    let gpu = Gpu::of(&device).unwrap();
    let values = |x: Tensor<4>| x.into_data().try_to_vec::<f32>().unwrap();
    let deep = TILES.map(|tile| (Form::Product(tile), 512, 33, 1));
    let winograd = TILES.map(|tile| (Form::Winograd(tile), 16, 70, 1));
    let others = [(Form::Product(Tile::Tall), 32, 66, 2), (Form::Depthwise, 5, 10, 5)];
    for (form, channels, outputs, groups) in deep.into_iter().chain(winograd).chain(others) {
        let weight = random(outputs * channels / groups * 9, 1);
        let part = |activation| Part {
            weight: TensorData::new(weight.clone(), [outputs, channels / groups, 3, 3]),
            groups,
            activation,
            ..around(channels, outputs)
        };
        let x = tensor(&random(2 * channels * 35, 3), [2, channels, 5, 7], &device);
        let summand = tensor(&random(2 * outputs * 35, 4), [2, outputs, 5, 7], &device);
        let [plain, finished] = [Activation::Identity, Activation::Relu]
            .map(|activation| Convolution::in_form(&gpu, form, &part(activation)));
        let found = values(finished.forward(x.clone(), Some(summand.clone())));
        // The same additions in the same order.
        assert_eq!(found, values(Activation::Relu.forward(plain.forward(x, None) + summand)), "{form:?}");
    }
    for (fours, rows, inputs) in [(false, 5, 20), (false, 5, 600), (true, 5, 20), (true, 5, 600), (true, 51_300, 20)] {
        let weights = TensorData::new(random(64 * inputs, 1), [64, inputs]);
        let dense =
            |activation| Dense::in_form(&gpu, fours, &weights, &TensorData::new(random(64, 2), [64]), activation, 1);
        let (x, summand) = (
            tensor(&random(rows * inputs, 3), [rows, inputs], &device),
            tensor(&random(rows * 64, 4), [rows, 64], &device),
        );
        let found = dense(Activation::Relu).forward(x.clone(), Some(summand.clone())).into_data();
        let plain = dense(Activation::Identity).forward(x, None) + summand;
        assert_eq!(found, Activation::Relu.forward(plain).into_data(), "{fours} {rows} {inputs}");
    }
}

#[test]
fn windows_of_more_loads_than_are_written_out_are_products() {
    let form = |dilation: usize| {
        let window = Window { dilation: [1, dilation], ..Window::square(3, 1, VALID) };
        Form::of([8, 1, 3, 3], window, 8, Width::Other)
    };
    assert_eq!([form(24), form(300)], [Form::Depthwise, Form::Product(Tile::of(1, Width::Other))]);
}

#[test]
fn depthwise_convolutions_are_the_sums_of_their_definition() {
    let Some(device) = test_device() else { return };
    let window = |size, stride, padding, dilation| Window { size, stride, padding, dilation };
    for (images, input, channels, outputs, window) in [
        (2, [9, 11], 7, 7, Window::square(3, 1, [(1, 1); 2])),
        (3, [12, 13], 5, 10, Window::square(5, 2, [(1, 2), (2, 1)])),
        (1, [8, 6], 3, 3, window([2, 3], [1, 3], [(0, 1), (4, 4)], [3, 2])),
    ] {
        let case = Case { images, input, channels, outputs, groups: channels, window };
        case.check(&device, Form::Depthwise, Activation::Relu6);
    }
}

#[test]
fn dense_layers_in_slices_are_the_sums_of_their_definition() {
    let Some(device) = test_device() else { return };
    let gpu = Gpu::of(&device).unwrap();
    for (fours, images, inputs, outputs) in [
        (false, 1, 300, 5),
        (false, 6, 512, 130),
        (false, 17, 77, 65),
        (true, 1, 300, 8),
        (true, 70, 20, 132),
        // In spans.
        (true, 129, 512, 64),
        (true, 3, 1604, 132),
        // So many rows that 128 are a tile.
        (true, 51_300, 20, 64),
    ] {
        let (x, weight, bias) = (random(images * inputs, 4), random(outputs * inputs, 5), random(outputs, 6));
        let [weights, biases] =
            [TensorData::new(weight.clone(), [outputs, inputs]), TensorData::new(bias.clone(), [outputs])];
        // Slices of 64 outputs.
        let dense = Dense::in_form(&gpu, fours, &weights, &biases, Activation::Relu, 1);
        let forward = |x: &[f32]| {
            let rows = x.len() / inputs;
            dense.forward(tensor(x, [rows, inputs], &device), None).into_data().try_to_vec::<f32>().unwrap()
        };
        let found = forward(&x);
        // No last bit of a row depends on the others.
        assert_eq!(forward(&x[(images - 1) * inputs..]), found[(images - 1) * outputs..]);
        let window = Window::square(1, 1, VALID);
        let case = Case { images, input: [1, 1], channels: inputs, outputs, groups: 1, window };
        let expected = case.reference(&x, &weight, &bias, Activation::Relu);
        compare("dense", &found, &expected, (inputs + 2) as f64 * ROUNDOFF);
    }
}

#[test]
fn nan_stays_nan() {
    let Some(device) = test_device() else { return };
    let gpu = Gpu::of(&device).unwrap();
    let part = |weight: Vec<f32>, channels: usize| Part {
        weight: TensorData::new(weight, [2, channels, 1, 1]),
        bias: TensorData::new(vec![0.0_f32; 2], [2]),
        window: Window::square(1, 1, VALID),
        groups: 1,
        activation: Activation::Relu6,
    };
    let x = tensor(&[-1.0, f32::NAN, 7.0], [1, 1, 1, 3], &device);
    // Of 16 channels, the first of which counts: rows of a dense layer, pixels of every tile.
    let first = |outputs: usize| (0..16 * outputs).map(|at| if at % 16 == 0 { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
    let rows: Vec<f32> =
        [-1.0, f32::NAN, 7.0].into_iter().flat_map(|x| [[x].as_slice(), &[0.0; 15]].concat()).collect();
    let weights = TensorData::new(first(4), [4, 16]);
    let dense = Dense::in_form(&gpu, true, &weights, &TensorData::new(vec![0.0_f32; 4], [4]), Activation::Relu6, 1);
    let found = dense.forward(tensor(&rows, [3, 16], &device), None).into_data().try_to_vec::<f32>().unwrap();
    assert!(found[0] == 0.0 && found[4].is_nan() && found[8] == 6.0, "dense: {found:?}");
    for tile in TILES {
        let convolution = Convolution::in_form(&gpu, Form::Product(tile), &part(first(2), 16));
        let found =
            convolution.forward(tensor(&rows, [3, 16, 1, 1], &device), None).into_data().try_to_vec::<f32>().unwrap();
        assert!(found[0] == 0.0 && found[2].is_nan() && found[4] == 6.0, "{tile:?}: {found:?}");
    }
    for form in TILES.map(Form::Product) {
        let convolution = Convolution::in_form(&gpu, form, &part(vec![1.0; 2], 1));
        let found = convolution.forward(x.clone(), None).into_data().try_to_vec::<f32>().unwrap();
        assert!(found[0] == 0.0 && found[1].is_nan() && found[2] == 6.0, "{form:?}: {found:?}");
    }
    for activation in [Activation::Relu, Activation::Relu6] {
        let found = activation.forward(x.clone()).into_data().try_to_vec::<f32>().unwrap();
        let most = if activation == Activation::Relu { 7.0 } else { 6.0 };
        assert!(found[0] == 0.0 && found[1].is_nan() && found[2] == most, "{activation:?}: {found:?}");
    }
    let largest = pool(x, Window { size: [1, 2], ..Window::square(1, 1, VALID) }, Kind::Maximum);
    assert!(largest.into_data().try_to_vec::<f32>().unwrap().iter().all(|value| value.is_nan()));
}

#[test]
fn poolings_are_what_their_names_say() {
    let Some(device) = test_device() else { return };
    for (images, channels, input, window) in [
        (2, 3, [13, 11], Window::square(3, 2, VALID)),
        (1, 5, [7, 8], Window::square(3, 1, [(1, 1); 2])),
        (3, 2, [9, 6], Window { size: [9, 6], ..Window::square(1, 1, VALID) }),
        (1, 2, [6, 7], Window { stride: [2, 3], ..Window::square(4, 1, [(2, 1), (0, 3)]) }),
        (2, 2, [11, 9], Window { dilation: [2, 3], ..Window::square(3, 2, [(4, 3), (5, 6)]) }),
        (1, 3, [3, 8], Window { size: [2, 4], dilation: [3, 2], ..Window::square(2, 1, [(3, 3), (1, 0)]) }),
    ] {
        let x = random(images * channels * input[0] * input[1], 7);
        let [rows, columns] = window.output(input);
        for kind in [Kind::Maximum, Kind::Mean, Kind::MeanWithZeros] {
            let found = pool(tensor(&x, [images, channels, input[0], input[1]], &device), window, kind);
            assert_eq!(found.dims(), [images, channels, rows, columns]);
            let expected: Vec<Sum> = x
                .chunks(input[0] * input[1])
                .flat_map(|plane| (0..rows * columns).map(move |at| (plane, [at / columns, at % columns])))
                .map(|(plane, at)| {
                    let values: Vec<f64> =
                        Case::taps(window, input, at).iter().map(|&(_, place)| f64::from(plane[place])).collect();
                    let (sum, magnitude) =
                        (values.iter().sum::<f64>(), values.iter().map(|value| value.abs()).sum::<f64>());
                    match kind {
                        Kind::Maximum => (values.into_iter().fold(f64::NEG_INFINITY, f64::max), 0.0),
                        Kind::Mean => (sum / values.len() as f64, magnitude / values.len() as f64),
                        Kind::MeanWithZeros => {
                            let size = (window.size[0] * window.size[1]) as f64;
                            (sum / size, magnitude / size)
                        }
                    }
                })
                .collect();
            let taps = window.size[0] * window.size[1];
            compare(
                &format!("{kind:?}"),
                &found.into_data().try_to_vec::<f32>().unwrap(),
                &expected,
                (taps + 2) as f64 * ROUNDOFF,
            );
        }
    }
}
