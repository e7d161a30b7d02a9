//! Operators of small graphs, value by value.

use burn::tensor::{Device, Tensor, TensorData};

use super::super::GraphNetwork;
use super::super::drawing::{Drawing, SIZE};
use crate::nets::{Batch, Taps};
use crate::weights::onnx::proto::{AttributeProto, NodeProto};

const IMAGES: usize = 2;

/// What a graph's values are, all of them tapped.
pub(super) fn values<const N: usize>(drawing: Drawing, wanted: [&str; N]) -> [Vec<f32>; N] {
    let folder = tempfile::tempdir().unwrap();
    values_of(&drawing.saved(wanted[N - 1], folder.path()), wanted)
}

fn values_of<const N: usize>(network: &GraphNetwork, wanted: [&str; N]) -> [Vec<f32>; N] {
    let names: Vec<String> = wanted.iter().map(|name| name.to_string()).collect();
    let cpu = Device::flex();
    let count = IMAGES * 3 * SIZE * SIZE;
    let images = (0..count).map(|n| (n * 7919 % 4001) as f32 / 2000.0 - 1.0).collect();
    let images = Tensor::from_data(TensorData::new::<f32, _>(images, [IMAGES, 3, SIZE, SIZE]), &cpu);
    let stages = network.load(network.stages.len(), &names, &[IMAGES], &cpu).unwrap();
    let mut taps = Taps::new(names);
    stages.into_iter().fold(Batch::of(images), |batch, stage| stage.forward(batch, &mut taps));
    let seen = taps.take();
    wanted.map(|name| {
        let (_, tensor) = seen.iter().find(|(seen, _)| *seen == name).unwrap();
        tensor.to_data().try_to_vec().unwrap()
    })
}

/// Sums of some hundred products as large as the result.
const AGREE: f32 = 1e-5;

pub(super) fn compare(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    assert!(expected.iter().any(|value| value.abs() > 0.01), "nothing but zeros");
    for (n, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= AGREE, "value {n} is {found}, expected {expected}");
    }
}

#[test]
fn channels_are_split_into_any_number_of_parts() {
    let mut d = Drawing::default();
    let x = d.conv("x", &[600, 3, 4, 4], 4, 0, 1);
    let lengths = d.whole(&[120; 5]);
    let first = d.set("Split", &[&x, &lengths], &[("axis", &[1])]);
    let parts: Vec<String> = (0..5).map(|n| if n == 0 { first.clone() } else { format!("part{n}") }).collect();
    d.nodes.last_mut().unwrap().output = parts.clone();
    let backwards: Vec<&str> = parts.iter().rev().map(String::as_str).collect();
    let y = d.set("Concat", &backwards, &[("axis", &[1])]);
    let [x, y] = values(d, [&x, &y]);
    let part = x.len() / IMAGES / 5;
    let expected: Vec<f32> =
        x.chunks(5 * part).flat_map(|image| image.chunks(part).rev().flatten().copied().collect::<Vec<_>>()).collect();
    compare(&y, &expected);
}

#[test]
fn a_recurrent_layer_reads_rows_forward_and_backward() {
    let numbers =
        |count: usize, step: usize| -> Vec<f32> { (1..=count).map(|n| (n * step % 97) as f32 / 97.0 - 0.5).collect() };
    let (kernel, recurrent, bias) = (numbers(2 * 12 * 12, 13), numbers(2 * 12 * 3, 29), numbers(2 * 24, 37));
    let mut d = Drawing::default();
    let x = d.tokens("x");
    let rows = d.turned(&x, &[1, 0, 2]);
    let weights =
        [(&kernel, [2, 12, 12]), (&recurrent, [2, 12, 3])].map(|(all, shape)| d.constant(all.clone(), &shape));
    let biases = d.constant(bias.clone(), &[2, 24]);
    let y = d.set("LSTM", &[&rows, &weights[0], &weights[1], &biases], &[("hidden_size", &[3])]);
    d.nodes.last_mut().unwrap().attribute.push(text("direction", "bidirectional"));
    let y = d.turned(&y, &[2, 0, 1, 3]);
    let [x, y] = values(d, [&x, &y]);
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let mut expected = vec![0.0; y.len()];
    for (image, expected) in x.chunks(16 * 12).zip(expected.chunks_mut(16 * 6)) {
        for way in 0..2 {
            let (mut out, mut cell) = ([0.0; 3], [0.0; 3]);
            for n in 0..16 {
                let step = if way == 1 { 15 - n } else { n };
                let sum = |gate: usize| {
                    let at = way * 12 + gate;
                    let read = dot(&kernel[at * 12..][..12], &image[step * 12..][..12]);
                    read + dot(&recurrent[at * 3..][..3], &out) + bias[way * 24 + gate] + bias[way * 24 + 12 + gate]
                };
                let sums: [f32; 12] = std::array::from_fn(sum);
                for unit in 0..3 {
                    let kept = sigmoid(sums[6 + unit]) * cell[unit];
                    cell[unit] = kept + sigmoid(sums[unit]) * sums[9 + unit].tanh();
                    out[unit] = sigmoid(sums[3 + unit]) * cell[unit].tanh();
                    expected[(2 * step + way) * 3 + unit] = out[unit];
                }
            }
        }
    }
    compare(&y, &expected);
}

#[test]
fn what_a_node_leaves_out_is_no_layer_and_may_come_first() {
    let mut d = Drawing::default();
    let x = d.tokens("x");
    let rows = d.turned(&x, &[1, 0, 2]);
    let (kernel, recurrent) = (d.weights(&[2, 12, 12]), d.weights(&[2, 12, 3]));
    let lstm = |d: &mut Drawing, activations: &[&str]| {
        let y = d.set("LSTM", &[&rows, &kernel, &recurrent], &[("hidden_size", &[3])]);
        let strings = activations.iter().map(|name| name.as_bytes().to_vec()).collect();
        let named = AttributeProto { name: "activations".to_string(), strings, ..AttributeProto::default() };
        d.nodes.last_mut().unwrap().attribute.extend([text("direction", "bidirectional"), named]);
        y
    };
    let all = lstm(&mut d, &[]);
    let last = lstm(&mut d, &["sigmoid", "Tanh", "Tanh", "Sigmoid", "Tanh", "Tanh"]);
    d.nodes.last_mut().unwrap().output = vec![String::new(), last.clone(), String::new()];
    let (all, last) = (d.turned(&all, &[2, 0, 1, 3]), d.turned(&last, &[1, 0, 2]));
    let (all, last) = (d.reshaped(&all, &[0, 96]), d.reshaped(&last, &[0, 6]));
    let both = d.set("Concat", &[&all, &last], &[("axis", &[1])]);
    // Of three parts the first and the last.
    let lengths = d.whole(&[96, 3, 3]);
    let first = d.set("Split", &[&both, &lengths], &[("axis", &[1])]);
    d.nodes.last_mut().unwrap().output = vec![first.clone(), String::new(), "back".to_string()];
    let y = d.set("Concat", &["back", &first], &[("axis", &[1])]);
    let folder = tempfile::tempdir().unwrap();
    let network = d.saved(&y, folder.path());
    assert!(network.layers.iter().all(|layer| !layer.name.is_empty()));
    let [both, y] = values_of(&network, [&both, &y]);
    for (both, y) in both.chunks(102).zip(y.chunks(99)) {
        let expected = [&both[15 * 6..][..3], &both[3..6]].concat();
        compare(&both[96..], &expected);
        compare(y, &[&both[99..], &both[..96]].concat());
    }
}

#[test]
fn lines_are_pooled_as_maps_are() {
    // [images, 12, 16].
    let line = |d: &mut Drawing| {
        let x = d.tokens("x");
        d.turned(&x, &[0, 2, 1])
    };
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    let largest = |values: &[f32]| values.iter().copied().fold(f32::MIN, f32::max);
    type Pool = (&'static str, &'static [(&'static str, &'static [i64])], usize);
    let pools: [Pool; 4] = [
        ("GlobalAveragePool", &[], 16),
        ("GlobalMaxPool", &[], 16),
        ("AveragePool", &[("kernel_shape", &[4]), ("strides", &[4])], 4),
        ("MaxPool", &[("kernel_shape", &[4]), ("strides", &[4])], 4),
    ];
    for (operator, settings, window) in pools {
        let mut d = Drawing::default();
        let x = line(&mut d);
        let y = d.set(operator, &[&x], settings);
        // Of one axis, a single number would be set as one.
        d.nodes.last_mut().unwrap().attribute.iter_mut().for_each(|setting| setting.ints = vec![window as i64]);
        let y = d.set("Squeeze", &[&y], &[]);
        let [x, y] = values(d, [&x, &y]);
        let pool: &dyn Fn(&[f32]) -> f32 = if operator.contains("Max") { &largest } else { &mean };
        compare(&y, &x.chunks(window).map(pool).collect::<Vec<f32>>());
    }
}

#[test]
fn stacks_of_matrices_are_broadcast_to_each_other() {
    let mut d = Drawing::default();
    // [images, 4, 16, 3] and [images, 1, 3, 16], as lambda layers have them.
    let x = d.tokens("x");
    let a = d.reshaped(&x, &[0, 16, 4, 3]);
    let a = d.turned(&a, &[0, 2, 1, 3]);
    let first = d.set("Split", &[&x], &[("axis", &[2])]);
    d.nodes.last_mut().unwrap().output = ["", "1", "2", "3"].map(|n| format!("{first}{n}")).to_vec();
    let b = d.turned(&first, &[0, 2, 1]);
    let b = d.reshaped(&b, &[0, 1, 3, 16]);
    let y = d.node("MatMul", &[&a, &b]);
    let [a, b, y] = values(d, [&a, &b, &y]);
    let expected = (0..IMAGES * 4 * 16 * 16).map(|at| {
        let (image, head, m, n) = (at / 1024, at / 256 % 4, at / 16 % 16, at % 16);
        (0..3).map(|k| a[((image * 4 + head) * 16 + m) * 3 + k] * b[(image * 3 + k) * 16 + n]).sum()
    });
    compare(&y, &expected.collect::<Vec<f32>>());
}

#[test]
fn whole_numbers_are_reduced_along_axes_and_counted_out() {
    let mut d = Drawing::default();
    let x = d.conv("x", &[6, 3, 4, 4], 4, 0, 1);
    let [table, shape] = [&[1, 20, 300, 4, 50, 600][..], &[2, 3]].map(|values| d.whole(values));
    let table = d.node("Reshape", &[&table, &shape]);
    let axes = d.whole(&[0]);
    // 5, 70, 900; then 1, 20, 300 and 4, 50, 600 together.
    let down = d.set("ReduceSum", &[&table, &axes], &[("keepdims", &[0])]);
    let axes = d.whole(&[-1]);
    let along = d.set("ReduceMax", &[&table, &axes], &[("keepdims", &[0])]);
    // 0 0 7 / 0 7 0, the last of no place.
    let (indices, depth, choice) = (d.whole(&[2, -2, 9]), d.whole(&[3]), d.whole(&[0, 7]));
    let hot = d.node("OneHot", &[&indices, &depth, &choice]);
    let hot = d.reshaped(&hot, &[9]);
    let all = d.set("Concat", &[&down, &along, &hot], &[("axis", &[0])]);
    let all = d.set("Cast", &[&all], &[("to", &[1])]);
    let all = d.reshaped(&all, &[1, 1, 14]);
    let y = d.reshaped(&x, &[0, 96, 1]);
    let y = d.node("Mul", &[&y, &all]);
    let [x, y] = values(d, [&x, &y]);
    let factors = [5, 70, 900, 300, 600, 0, 0, 7, 0, 7, 0, 0, 0, 0];
    let expected: Vec<f32> = x.iter().flat_map(|x| factors.iter().map(move |&factor| x * factor as f32)).collect();
    assert_eq!(y, expected);
}

#[test]
fn places_of_what_images_change_are_written() {
    let mut d = Drawing::default();
    let [x, updates] = [0; 2].map(|_| d.conv("x", &[6, 3, 4, 4], 4, 0, 1));
    // Of each of two images the channels 4 and 1.
    let (places, shape) = (d.whole(&[0, 4, 0, 1, 1, 4, 1, 1]), d.whole(&[2, 2, 2]));
    let places = d.node("Reshape", &[&places, &shape]);
    let (starts, ends, axes) = (d.whole(&[0]), d.whole(&[2]), d.whole(&[1]));
    let two = d.node("Slice", &[&updates, &starts, &ends, &axes]);
    let y = d.node("ScatterND", &[&x, &places, &two]);
    d.beside = vec![two.clone()];
    let folder = tempfile::tempdir().unwrap();
    let [x, two, y] = values_of(&d.opened(&y, Some(2), folder.path()).unwrap(), [&x, &two, &y]);
    let map = x.len() / 12;
    let mut expected = x;
    for (n, channel) in [4, 1, 10, 7].into_iter().enumerate() {
        expected[channel * map..][..map].copy_from_slice(&two[n * map..][..map]);
    }
    assert_eq!(y, expected);
}

#[test]
fn places_that_are_picked_may_be_as_many_as_relative_positions_are() {
    let mut d = Drawing::default();
    let x = d.conv("x", &[4, 3, 4, 4], 4, 0, 1);
    let row = d.reshaped(&x, &[0, 64]);
    let places: Vec<i64> = (0..100_000).map(|n| n * 7919 % 64).collect();
    let indices = d.whole(&places);
    let y = d.set("Gather", &[&row, &indices], &[("axis", &[1])]);
    let [x, y] = values(d, [&x, &y]);
    let expected: Vec<f32> = x.chunks(64).flat_map(|row| places.iter().map(|&place| row[place as usize])).collect();
    compare(&y, &expected);
}

#[test]
fn steps_are_of_the_type_that_a_zero_point_is_cast_to() {
    let mut d = Drawing::default();
    let (x, scale, zero) = (d.tokens("x"), d.number(0.25), d.whole(&[0]));
    let zero = d.set("Cast", &[&zero], &[("to", &[3])]);
    let zero = d.node("Identity", &[&zero]);
    let y = d.node("QuantizeLinear", &[&x, &scale, &zero]);
    let y = d.node("DequantizeLinear", &[&y, &scale, &zero]);
    let [x, y] = values(d, [&x, &y]);
    assert!(x.iter().any(|&x| x < -0.2));
    assert_eq!(y, x.iter().map(|x| 0.25 * (x / 0.25).round_ties_even()).collect::<Vec<f32>>());
}

#[test]
fn steps_may_be_of_sixteen_bits() {
    for (data_type, zero, most) in [(4, 40_000, 65_535.0), (5, -300, 32_767.0)] {
        let mut d = Drawing::default();
        let (x, scale, zeros) = (d.tokens("x"), d.number(1e-5), d.whole(&[zero]));
        let zeros = d.set("Cast", &[&zeros], &[("to", &[data_type])]);
        let y = d.node("QuantizeLinear", &[&x, &scale, &zeros]);
        let y = d.node("DequantizeLinear", &[&y, &scale, &zeros]);
        let [x, y] = values(d, [&x, &y]);
        let (zero, least) = (zero as f32, most - 65_535.0);
        let steps = |x: &f32| ((x / 1e-5).round_ties_even() + zero).clamp(least, most);
        assert!(x.iter().any(|x| steps(x) == most) && x.iter().any(|x| (1e3..3e4).contains(&(steps(x) - zero))));
        assert_eq!(y, x.iter().map(|x| (steps(x) - zero) * 1e-5).collect::<Vec<f32>>());
    }
}

#[test]
fn whole_numbers_are_cast_to_the_bits_of_a_type() {
    let mut d = Drawing::default();
    let (x, numbers) = (d.conv("x", &[6, 3, 4, 4], 4, 0, 1), d.whole(&[300, -129, 65_537, -1]));
    let [signed, unsigned] = [3, 2].map(|to| d.set("Cast", &[&numbers], &[("to", &[to])]));
    let all = d.set("Concat", &[&signed, &unsigned], &[("axis", &[0])]);
    let all = d.set("Cast", &[&all], &[("to", &[1])]);
    let all = d.reshaped(&all, &[1, 1, 8]);
    let y = d.reshaped(&x, &[0, 96, 1]);
    let y = d.node("Mul", &[&y, &all]);
    let [x, y] = values(d, [&x, &y]);
    let factors = [44, 127, 1, -1, 44, 127, 1, 255];
    let expected: Vec<f32> = x.iter().flat_map(|x| factors.iter().map(move |&factor| x * factor as f32)).collect();
    assert_eq!(y, expected);
}

#[test]
fn what_comes_between_steps_and_numbers_is_of_steps() {
    for domain in ["", "com.microsoft"] {
        let mut d = Drawing::default();
        let (x, scale, other, zero) = (d.tokens("x"), d.number(0.125), d.number(0.5), d.ones(3, &[]));
        let y = d.node("QuantizeLinear", &[&x, &scale, &zero]);
        let y = d.node("Relu", &[&y]);
        let y = d.node("DequantizeLinear", &[&y, &other, &zero]);
        let linear = d.nodes.iter_mut().filter(|node| node.op_type.ends_with("Linear"));
        linear.for_each(|node| node.domain = domain.to_string());
        let [x, y] = values(d, [&x, &y]);
        assert!(x.iter().any(|&x| x < -0.2));
        let expected = x.iter().map(|x| 0.5 * (((x / 0.125).round_ties_even() + 1.0).max(0.0) - 1.0));
        assert_eq!(y, expected.collect::<Vec<f32>>());
    }
}

#[test]
fn infinities_are_found_by_their_signs() {
    let mut d = Drawing::default();
    let (x, large) = (d.tokens("x"), d.number(1e4));
    let x = d.node("Mul", &[&x, &large]);
    let x = d.node("Exp", &[&x]);
    let x = d.node("Neg", &[&x]);
    let both = d.node("IsInf", &[&x]);
    let [negative, positive] =
        ["detect_positive", "detect_negative"].map(|left_out| d.set("IsInf", &[&x], &[(left_out, &[0])]));
    let y = d.set("Concat", &[&both, &negative, &positive], &[("axis", &[1])]);
    let [x, both, negative, positive, _] = values(d, [&x, &both, &negative, &positive, &y]);
    let infinite: Vec<f32> = x.iter().map(|x| f32::from(u8::from(x.is_infinite()))).collect();
    assert!([0.0, 1.0].iter().all(|kind| infinite.contains(kind)));
    assert_eq!((both, negative, positive), (infinite.clone(), infinite, vec![0.0; x.len()]));
}

#[test]
fn every_channel_may_have_steps_of_its_own() {
    let mut d = Drawing::default();
    let scales: Vec<f32> = (0..12).map(|channel| 0.125 * (1 + channel % 2) as f32).collect();
    let (x, stored, zeros) = (d.tokens("x"), d.constant(scales.clone(), &[12]), d.ones(3, &[12]));
    let axis: &[(&str, &[i64])] = &[("axis", &[2])];
    let y = d.set("QuantizeLinear", &[&x, &stored, &zeros], axis);
    let y = d.set("DequantizeLinear", &[&y, &stored, &zeros], axis);
    let [x, y] = values(d, [&x, &y]);
    let expected = x.iter().zip(scales.iter().cycle()).map(|(x, scale)| scale * (x / scale).round_ties_even());
    assert_eq!(y, expected.collect::<Vec<f32>>());
}

#[test]
fn what_the_runtime_fuses_into_a_convolution_is_spelt_out() {
    let settings: &[(&str, &[i64])] = &[("kernel_shape", &[1, 1])];
    let relu = |x: f32| x.max(0.0);
    let leaky = |x: f32| if x < 0.0 { 0.25 * x } else { x };
    let clipped = |x: f32| x.clamp(-0.5, 0.25);
    type Case<'a> = (&'a str, &'a [f32], &'a dyn Fn(f32) -> f32);
    let cases: [Case; 3] = [("Relu", &[], &relu), ("LeakyRelu", &[0.25], &leaky), ("Clip", &[-0.5, 0.25], &clipped)];
    for (activation, numbers, expected) in cases {
        let mut d = Drawing::default();
        let x = d.conv("x", &[6, 3, 4, 4], 4, 0, 1);
        let (kernel, bias) = (d.weights(&[6, 6, 1, 1]), d.weights(&[6]));
        let plain = d.set("Conv", &[&x, &kernel, &bias], settings);
        let sum = d.node("Add", &[&plain, &x]);
        let fused = d.set("FusedConv", &[&x, &kernel, &bias, &x], settings);
        let node = d.nodes.last_mut().unwrap();
        node.domain = "com.microsoft".to_string();
        node.attribute.push(text("activation", activation));
        node.attribute.push(AttributeProto {
            name: "activation_params".to_string(),
            floats: numbers.to_vec(),
            ..AttributeProto::default()
        });
        // So that both come out.
        let y = d.set("Concat", &[&sum, &fused], &[("axis", &[1])]);
        let [sum, fused, _] = values(d, [&sum, &fused, &y]);
        compare(&fused, &sum.iter().map(|&x| expected(x)).collect::<Vec<f32>>());
    }
}

#[test]
fn nodes_may_come_in_any_order() {
    let draw = |turn: fn(&mut [NodeProto])| {
        let mut d = Drawing::default();
        let x = d.conv("x", &[6, 3, 4, 4], 4, 0, 1);
        let y = d.node("Relu", &[&x]);
        let y = d.node("Add", &[&x, &y]);
        turn(&mut d.nodes);
        let [y] = values(d, [&y]);
        y
    };
    compare(&draw(|nodes| nodes.reverse()), &draw(|_| {}));
    compare(&draw(|nodes| nodes.rotate_left(1)), &draw(|_| {}));
}

#[test]
fn products_and_bias_of_a_dense_layer_may_be_multiplied() {
    let mut d = Drawing::default();
    let (x, own) = (d.tokens("x"), [1.0, -2.0, 3.0, 0.5, -1.0]);
    let x = d.reshaped(&x, &[0, -1]);
    let (weights, bias) = (d.weights(&[12 * (SIZE / 4) * (SIZE / 4), 5]), d.constant(own.to_vec(), &[5]));
    let plain = d.node("MatMul", &[&x, &weights]);
    let y = d.node("Gemm", &[&x, &weights, &bias]);
    let number = |name: &str, f: f32| AttributeProto { name: name.to_string(), f, ..AttributeProto::default() };
    d.nodes.last_mut().unwrap().attribute.extend([number("alpha", 0.5), number("beta", -0.25)]);
    // So that both come out.
    let all = d.set("Concat", &[&plain, &y], &[("axis", &[1])]);
    let [plain, y, _] = values(d, [&plain, &y, &all]);
    let expected = plain.iter().zip(own.iter().cycle()).map(|(product, bias)| 0.5 * product - 0.25 * bias);
    compare(&y, &expected.collect::<Vec<f32>>());
}

#[test]
fn one_number_is_the_bias_of_every_output() {
    let mut d = Drawing::default();
    let x = d.tokens("x");
    let x = d.reshaped(&x, &[0, -1]);
    let (weights, bias) = (d.weights(&[12 * (SIZE / 4) * (SIZE / 4), 5]), d.constant(vec![0.75], &[1]));
    let plain = d.node("MatMul", &[&x, &weights]);
    let y = d.node("Gemm", &[&x, &weights, &bias]);
    let all = d.set("Concat", &[&plain, &y], &[("axis", &[1])]);
    let [plain, y, _] = values(d, [&plain, &y, &all]);
    compare(&y, &plain.iter().map(|product| product + 0.75).collect::<Vec<f32>>());
}

#[test]
fn products_and_norms_that_the_runtime_fuses_are_spelt_out() {
    type Pair = fn(&mut Drawing, &str) -> [String; 2];
    let turned: Pair = |d, x| {
        let (keys, half) = (d.turned(x, &[0, 2, 1]), d.number(0.5));
        let scores = d.node("MatMul", &[x, &keys]);
        let plain = d.node("Mul", &[&scores, &half]);
        let fused = d.set("FusedMatMul", &[x, x], &[("transB", &[1])]);
        let alpha = AttributeProto { name: "alpha".to_string(), f: 0.5, ..AttributeProto::default() };
        d.nodes.last_mut().unwrap().attribute.push(alpha);
        [plain, fused]
    };
    let stacked: Pair = |d, x| {
        let (rows, keys) = (d.turned(x, &[1, 0, 2]), d.turned(x, &[0, 2, 1]));
        let settings: &[(&str, &[i64])] = &[("transBatchA", &[1]), ("transBatchB", &[1]), ("transB", &[1])];
        [d.node("MatMul", &[x, &keys]), d.set("FusedMatMul", &[&rows, &rows], settings)]
    };
    let dense: Pair = |d, x| {
        let units = 12 * (SIZE / 4) * (SIZE / 4);
        let (x, weights, bias) = (d.reshaped(x, &[0, -1]), d.weights(&[units, 5]), d.weights(&[5]));
        let plain = d.node("Gemm", &[&x, &weights, &bias]);
        let plain = d.node("Tanh", &[&plain]);
        let fused = d.node("FusedGemm", &[&x, &weights, &bias]);
        d.nodes.last_mut().unwrap().attribute.push(text("activation", "Tanh"));
        [plain, fused]
    };
    let summed: Pair = |d, x| {
        let scale = d.weights(&[12]);
        let sum = d.node("Add", &[x, x]);
        let plain = d.node("RMSNormalization", &[&sum, &scale]);
        let fused = d.node("SkipSimplifiedLayerNormalization", &[x, x, &scale]);
        let epsilon = AttributeProto { name: "epsilon".to_string(), f: 1e-5, ..AttributeProto::default() };
        d.nodes.last_mut().unwrap().attribute.push(epsilon);
        [plain, fused]
    };
    for pair in [turned, stacked, dense, summed] {
        let mut d = Drawing::default();
        let x = d.tokens("x");
        let [plain, fused] = pair(&mut d, &x);
        d.nodes.last_mut().unwrap().domain = "com.microsoft".to_string();
        // So that both come out.
        let y = d.set("Concat", &[&plain, &fused], &[("axis", &[1])]);
        let [plain, fused, _] = values(d, [&plain, &fused, &y]);
        compare(&fused, &plain);
    }
    let mut d = Drawing::default();
    let (x, scale) = (d.tokens("x"), d.weights(&[12]));
    let plain = d.node("RMSNormalization", &[&x, &scale]);
    let simplified = d.node("SimplifiedLayerNormalization", &[&x, &scale]);
    let y = d.set("Concat", &[&plain, &simplified], &[("axis", &[1])]);
    let [plain, simplified, _] = values(d, [&plain, &simplified, &y]);
    compare(&simplified, &plain);
}

pub(super) fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto { name: name.to_string(), s: s.as_bytes().to_vec(), ..AttributeProto::default() }
}

#[test]
fn rows_as_good_as_nothing_over_their_norms_stay_nothing() {
    let mut d = Drawing::default();
    let x = d.tokens("x");
    let sizes = d.constant([[1.0, 1e-30]; 8].concat(), &[16, 1]);
    let x = d.node("Mul", &[&x, &sizes]);
    let y = d.set("LpNormalization", &[&x], &[("axis", &[-1]), ("p", &[2])]);
    let [x, y] = values(d, [&x, &y]);
    let of_row = |row: &[f32]| {
        let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.iter().map(|x| if norm > 0.0 { x / norm } else { 0.0 }).collect::<Vec<_>>()
    };
    compare(&y, &x.chunks(12).flat_map(of_row).collect::<Vec<_>>());
}
