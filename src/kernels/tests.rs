mod tokens;

use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor, TensorData};

use super::activation::softmax;
use super::attention::Bias;
use super::convolution::Part;
use super::join::Arithmetic;
use super::pooling::{Border, average_pool, average_windows, global_mean, max_pool, row_means};
use super::*;

/// `f32` sums of 12 products of the order of 1: 12 roundings of 2^-24 each.
const SUM_OF_12: f32 = 12.0 * f32::EPSILON / 2.0;

fn tensor(values: &[f32], shape: [usize; 4]) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec().unwrap()
}

/// So many numbers between -1 and 1.
fn filled(count: usize) -> Vec<f32> {
    (0..count).map(|n| ((7 * n % 31) as f32 - 15.0) / 15.0).collect()
}

/// A convolution with as many weights and shifts as its shape, `[out, in / groups, height, width]`, asks for.
fn part(weight: Vec<f32>, bias: Vec<f32>, shape: [usize; 4], window: Window) -> Part {
    let (weight, bias) = (TensorData::new(weight, shape), TensorData::new(bias, [shape[0]]));
    Part { weight, bias, window, groups: 1, activation: Activation::Identity }
}

#[test]
fn padding_may_differ_before_and_after() {
    // 1 x 1 x 2 x 2 input 1 2 / 3 4, 2 x 2 kernel of ones, stride 2, one zero before and two after: the windows
    // cover {1}, {2} / {3}, {4}.
    let part = part(vec![1.0; 4], vec![0.5], [1, 1, 2, 2], Window::square(2, 2, [(1, 2); 2]));
    let y = Convolution::new(&part, &Device::flex()).forward(tensor(&[1.0, 2.0, 3.0, 4.0], [1, 1, 2, 2]));
    assert_eq!(y.dims(), [1, 1, 2, 2]);
    assert_eq!(values(y), [1.5, 2.5, 3.5, 4.5]);
}

#[test]
fn groups_see_their_own_channels() {
    let part = part(vec![2.0, 3.0], vec![0.0; 2], [2, 1, 1, 1], Window::square(1, 1, VALID));
    let conv = Convolution::new(&Part { groups: 2, ..part }, &Device::flex());
    assert_eq!(values(conv.forward(tensor(&[5.0, 7.0], [1, 2, 1, 1]))), [10.0, 21.0]);
}

#[test]
fn a_dense_layer_is_the_sum_of_its_definition() {
    let (weight, bias) = (filled(7 * 12), filled(7));
    let x: Vec<f32> = (0..24).map(|v| (v as f32 - 12.0) / 12.0).collect();
    let mut expected = Vec::new();
    for image in x.chunks(12) {
        for (row, bias) in weight.chunks(12).zip(&bias) {
            let sum: f64 = row.iter().zip(image).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
            expected.push((sum + f64::from(*bias)) as f32);
        }
    }
    let (weight, bias) = (TensorData::new(weight, [7, 12]), TensorData::new(bias, [7]));
    let dense = Dense::new(&weight, &bias, Activation::Identity, &Device::flex());
    let y = dense.forward(tensor(&x, [2, 12, 1, 1]).flatten::<2>(1, 3));
    assert_eq!(y.dims(), [2, 7]);
    for (y, expected) in values(y).iter().zip(&expected) {
        assert!((y - expected).abs() <= SUM_OF_12, "{y} {expected}");
    }
}

#[test]
fn what_a_kernel_writes_becomes_a_tensor_without_a_copy() {
    let mut place = std::ptr::null();
    let x: Tensor<2> = from_cpu([300, 400], |out| {
        place = out.as_ptr();
        out.iter_mut().zip(0..).for_each(|(out, n)| *out = n as f32);
    });
    let values = on_cpu(&x).unwrap();
    assert_eq!((values.as_ptr(), values.len()), (place, 120_000));
    // Burn may change it in place, and cut it.
    let halves = (x * 2.0).split(150, 0);
    assert_eq!(on_cpu(&halves[1]).unwrap()[..2], [120_000.0, 120_002.0]);
}

#[test]
fn sums_and_concatenations_are_burns() {
    let x = tensor(&filled(2 * 3 * 5 * 7), [2, 3, 5, 7]);
    let y = x.clone().flip([2]);
    assert_eq!(values(join::sum(x.clone(), y.clone(), Activation::Identity)), values(x.clone() + y.clone()));
    let relu = burn::tensor::activation::relu(x.clone() + y.clone());
    assert_eq!(values(join::sum(x.clone(), y.clone(), Activation::Relu)), values(relu));
    for axis in 0..4 {
        let all = || vec![x.clone(), y.clone().narrow(axis, 1, 1), x.clone()];
        let (found, expected) = (join::concatenate(all(), axis), Tensor::cat(all(), axis));
        assert_eq!(found.dims(), expected.dims());
        assert_eq!(values(found), values(expected), "axis {axis}");
    }
}

#[test]
fn what_two_tensors_give_in_the_same_places_is_burns() {
    // Rows longer and shorter than a thread takes at a time, of one place, and of all.
    let shapes = [
        ([2, 3, 5, 7], [2, 3, 5, 7]),
        ([2, 3, 5, 7], [2, 3, 1, 1]),
        ([1, 3, 1, 1], [2, 3, 5, 7]),
        ([2, 1, 5, 1], [1, 3, 1, 7]),
        ([1, 1, 1, 1], [2, 3, 5, 7]),
        ([1, 2, 2, 30_001], [1, 2, 1, 30_001]),
        ([1, 3, 9_001, 2], [1, 3, 9_001, 1]),
        ([1, 1, 1, 50_001], [1, 1, 1, 50_001]),
    ];
    for (of_x, of_y) in shapes {
        let of = |shape: [usize; 4]| tensor(&filled(shape.iter().product()), shape);
        let (x, y) = (of(of_x), of(of_y) + 3.0);
        let burns = [x.clone() + y.clone(), x.clone() - y.clone(), x.clone() * y.clone(), x.clone() / y.clone()];
        let all = [Arithmetic::Add, Arithmetic::Sub, Arithmetic::Mul, Arithmetic::Div];
        for (operation, burns) in all.into_iter().zip(burns) {
            let found = join::pairwise(x.clone(), y.clone(), operation);
            assert_eq!(found.dims(), burns.dims());
            assert_eq!(values(found), values(burns), "{operation:?} of {of_x:?} and {of_y:?}");
        }
    }
}

#[test]
fn softmax_of_rows_is_that_of_its_definition() {
    for [rows, units] in [[3, 1], [5, 7], [700, 49], [2, 1000], [1, 20_000]] {
        let mut x = filled(rows * units);
        // Masked, and far below the largest.
        x.iter_mut().skip(3).step_by(11).for_each(|x| *x = f32::NEG_INFINITY);
        x.iter_mut().skip(4).step_by(13).for_each(|x| *x -= 95.0);
        let found = values(softmax(Tensor::from_data(TensorData::new(x.clone(), [rows, units]), &Device::flex())));
        for (x, found) in x.chunks_exact(units).zip(found.chunks_exact(units)) {
            let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let powers: Vec<f64> = x.iter().map(|&x| f64::from(x - largest).exp()).collect();
            let sum: f64 = powers.iter().sum();
            for (power, &found) in powers.iter().zip(found) {
                // Sums of 20,000 in f32, and powers that are no normal numbers.
                let error = (f64::from(found) - power / sum).abs();
                assert!(error <= 1e-5 * power / sum + f64::from(f32::MIN_POSITIVE), "{units} units: {found}");
            }
        }
    }
    let nothing = Tensor::<2>::from_data([[f32::NEG_INFINITY, f32::NEG_INFINITY], [f32::NAN, 1.0]], &Device::flex());
    assert!(values(softmax(nothing)).iter().all(|x| x.is_nan()));
}

#[test]
fn what_hides_a_key_is_finite_beside_other_keys() {
    let hidden = f32::NEG_INFINITY;
    let bias = Bias::new(vec![1.0], &[0.5, hidden, hidden, hidden], [1, 1, 2, 2], &Device::flex());
    assert_eq!(values(bias.values), [0.5, f32::MIN, 0.0, 0.0, hidden, hidden, 0.0, 0.0]);
}

#[test]
fn pooling_leaves_out_windows_that_do_not_fit() {
    let x: Vec<f32> = (0..16).map(|v| v as f32).collect();
    assert_eq!(values(max_pool(tensor(&x, [1, 1, 4, 4]), Window::square(3, 2, VALID))), [10.0]);
    assert_eq!(values(max_pool(tensor(&x, [1, 1, 4, 4]), Window::square(2, 2, VALID))), [5.0, 7.0, 13.0, 15.0]);
}

#[test]
fn pooling_on_the_cpu_equals_burns() {
    let shape = [2, 3, 9, 7];
    let x = filled(shape.iter().product());
    for (window, stride, padding) in [(2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1), (1, 3, 0)] {
        let options = MaxPoolOptions::new([window; 2]).with_stride([stride; 2]).with_padding([padding; 2]);
        let burn = max_pool2d(tensor(&x, shape), options);
        let window = Window::square(window, stride, [(padding, padding); 2]);
        assert_eq!(max_pool(tensor(&x, shape), window).into_data(), burn.into_data(), "{window:?}");
    }
    let spoilt =
        max_pool(tensor(&[1.0, f32::NAN, 0.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 1, 2, 2]), Window::square(2, 2, VALID));
    assert!(values(spoilt.clone())[0].is_nan());
    assert_eq!(values(spoilt)[1], 6.0);
}

#[test]
fn averages_at_the_border_are_over_what_is_there_or_over_zeros_too() {
    // 1 2 / 3 4: every window covers all four units and five beyond the border.
    let x = || tensor(&[1.0, 2.0, 3.0, 4.0], [1, 1, 2, 2]);
    assert_eq!(values(average_pool(x(), 3, Border::Excluded)), [2.5; 4]);
    assert_eq!(values(average_pool(x(), 3, Border::Zeros)), [10.0 / 9.0; 4]);
    // The middle one of 3 x 3 has all its nine.
    let x = tensor(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], [1, 1, 3, 3]);
    assert_eq!(values(average_pool(x, 3, Border::Excluded))[4], 5.0);
}

#[test]
fn softmax_and_mean_are_per_image() {
    let x = tensor(&[0.0, 0.0, 1000.0, 0.0], [2, 2, 1, 1]);
    assert_eq!(values(softmax(x.flatten(1, 3))), [0.5, 0.5, 1.0, 0.0]);
    let x = tensor(&[1.0, 2.0, 3.0, 6.0, -1.0, 1.0, 0.0, 4.0], [1, 2, 2, 2]);
    assert_eq!(values(global_mean(x)), [3.0, 1.0]);
}

/// Either device sums in an order of its own: n products, 594 at most, err by about sqrt(n) < 25 roundings of 2^-24.
const DEVICES_AGREE: f32 = 2.0 * 25.0 * f32::EPSILON / 2.0;

#[test]
#[should_panic(expected = "a window fits")]
fn a_window_that_fits_nowhere_has_no_output() {
    Window { dilation: [1, 2], ..Window::square(3, 1, [(1, 1); 2]) }.output([1, 2]);
}

#[test]
fn a_window_always_sees_the_input_where_no_place_has_nothing_under_its_taps() {
    let mut seen = [0; 2];
    for (size, dilation, before, after) in
        (1..4).flat_map(|size| (1..4).flat_map(move |dilation| (0..7).map(move |n| (size, dilation, n % 7, n / 2))))
    {
        for (input, stride) in (1..6).flat_map(|input| (1..3).map(move |stride| (input, stride))) {
            let window =
                Window { size: [size; 2], stride: [stride; 2], padding: [(before, after); 2], dilation: [dilation; 2] };
            if before + input + after < window.reach()[0] {
                continue;
            }
            let sees = |place: usize| {
                (0..size).any(|tap| (before..before + input).contains(&(place * stride + tap * dilation)))
            };
            let all = (0..window.output([input; 2])[0]).all(sees);
            assert_eq!(window.always_sees([input; 2]), all, "{window:?} on {input}");
            seen[usize::from(all)] += 1;
        }
    }
    assert!(seen.iter().all(|&count| count > 50), "{seen:?}");
}

/// Every operation that a network is built of, on a device: an input of 2 x 6 x 9 x 11, odd on purpose.
fn operations(device: &Device) -> Vec<(&'static str, Vec<f32>)> {
    let shape = [2, 6, 9, 11];
    let x = Tensor::<4>::from_data(TensorData::new(filled(shape.iter().product()), shape), device);
    let conv = |shape: [usize; 4], stride, padding, groups| {
        let window = Window { size: [shape[2], shape[3]], ..Window::square(1, stride, padding) };
        let part = part(filled(shape.iter().product()), filled(shape[0]), shape, window);
        values(Convolution::new(&Part { groups, ..part }, device).forward(x.clone()))
    };
    let (weight, bias) = (TensorData::new(filled(5 * 594), [5, 594]), TensorData::new(filled(5), [5]));
    let dense = Dense::new(&weight, &bias, Activation::Identity, device);
    let gelu = part(filled(24), filled(4), [4, 6, 1, 1], Window::square(1, 1, VALID));
    let gelu = Convolution::new(&Part { activation: Activation::Gelu, ..gelu }, device);
    let dilated = Window { dilation: [2, 3], ..Window::square(3, 2, [(4, 3), (1, 6)]) };
    let beyond = Window { dilation: [10, 12], ..Window::square(3, 1, [(10, 10), (12, 12)]) };
    vec![
        ("1 x 1", conv([4, 6, 1, 1], 1, VALID, 1)),
        ("1 x 1, strided", conv([4, 6, 1, 1], 2, VALID, 1)),
        ("1 x 3, padded", conv([4, 6, 1, 3], 1, [(0, 0), (1, 1)], 1)),
        ("3 x 1, padded", conv([4, 6, 3, 1], 1, [(1, 1), (0, 0)], 1)),
        ("more zeros after than before", conv([4, 6, 2, 2], 2, [(0, 1); 2], 1)),
        ("depthwise", conv([6, 1, 3, 3], 1, [(1, 1); 2], 6)),
        ("depthwise, strided", conv([6, 1, 3, 3], 2, [(0, 1), (1, 1)], 6)),
        ("dense", values(dense.forward(x.clone().flatten::<2>(1, 3)))),
        ("max-pool", values(max_pool(x.clone(), Window::square(3, 2, [(1, 0), (0, 1)])))),
        ("max-pool, dilated", values(max_pool(x.clone(), dilated))),
        ("max-pool, one tap on the map", values(max_pool(x.clone(), beyond))),
        ("mean of what is inside, dilated", values(average_windows(x.clone(), dilated, Border::Excluded))),
        ("mean with zeros, dilated", values(average_windows(x.clone(), dilated, Border::Zeros))),
        ("mean of what is inside", values(average_pool(x.clone(), 3, Border::Excluded))),
        ("mean with zeros", values(average_pool(x.clone(), 3, Border::Zeros))),
        ("global mean", values(global_mean(x.clone()))),
        ("means of rows", values(row_means(x.clone().reshape([12, 99])))),
        ("softmax", values(softmax(x.clone().flatten(1, 3)))),
        ("ReLU 6", values(Activation::Relu6.forward(x.clone() * 9.0))),
        ("GELU after a convolution", values(gelu.forward(x))),
    ]
}

#[test]
fn every_operation_computes_the_same_on_the_gpu() {
    let Some(gpu) = gpu::test_device() else { return };
    for ((name, expected), (_, found)) in operations(&Device::flex()).into_iter().zip(operations(&gpu)) {
        assert_eq!(expected.len(), found.len(), "{name}");
        let scale = expected.iter().fold(1.0, |scale: f32, value| scale.max(value.abs()));
        for (place, (expected, found)) in expected.iter().zip(&found).enumerate() {
            let difference = (expected - found).abs();
            assert!(difference <= DEVICES_AGREE * scale, "{name}: unit {place}: {found}, on the CPU {expected}");
        }
    }
}
