//! What goes over activations once: concatenations, sums and products, scaled channels, functions, means.

use burn::tensor::{Device, Tensor};

use super::super::{MAX_WORKGROUPS, test_device};
use super::{ROUNDOFF, Sum, compare, random, tensor};
use crate::kernels::Activation;
use crate::kernels::activation::{Function, scaled};
use crate::kernels::join::{Arithmetic, concatenate, pairwise, sum};
use crate::kernels::pooling::{Terms, column_sums, global_mean, row_means};

/// So many results that workgroups of 256 are more than one dimension holds.
const FOLDED: usize = MAX_WORKGROUPS as usize * 256 + 3;

fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_to_vec().unwrap()
}

#[test]
fn concatenations_hold_every_input_in_its_place() {
    let Some(gpu) = test_device() else { return };
    let cpu = Device::flex();
    let check = |shape: [usize; 3], axis: usize, lengths: &[usize]| {
        let all = |device: &Device| {
            let of = |(n, &length): (usize, &usize)| {
                let mut shape = shape;
                shape[axis] = length;
                tensor(&random(shape.iter().product(), n as u64), shape, device)
            };
            lengths.iter().enumerate().map(of).collect::<Vec<Tensor<3>>>()
        };
        let [found, expected] = [&gpu, &cpu].map(|device| concatenate(all(device), axis));
        assert_eq!(found.dims(), expected.dims());
        assert!(values(found) == values(expected), "{lengths:?} along axis {axis} of {shape:?}");
    };
    for axis in 0..3 {
        // One, as many as a launch takes, one more, and so many that three are made; rows of fours and of other numbers.
        for count in [1, 2, 6, 7, 14] {
            let odd: Vec<usize> = (0..count).map(|n| 1 + n % 5).collect();
            check([3, 5, 7], axis, &odd);
            check([3, 5, 8], axis, &odd.iter().map(|length| 4 * length).collect::<Vec<_>>());
        }
    }
    check([2, 1, 5], 1, &[3, 0, 4]);
    check([2, 1, 1], 1, &[FOLDED / 4, FOLDED / 4 + 1]);
    // One and the same twice.
    let x: Tensor<2> = tensor(&[1.0, 2.0, 3.0, 4.0], [1, 4], &gpu);
    assert_eq!(values(concatenate(vec![x.clone(), x], 1)), [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0]);
}

const SMOOTH: [Activation; 5] =
    [Activation::Gelu, Activation::GeluTanh, Activation::QuickGelu, Activation::Silu, Activation::HardSwish];

/// Of results of the order of 1, what a driver's exponentials and quotients may be off by.
const SMOOTH_AGREE: f32 = 1e-5;

#[test]
fn sums_with_an_activation_are_the_cpus() {
    let Some(gpu) = test_device() else { return };
    for count in [1, 7, 1024, 1030] {
        let (x, y) = (random(count, 1), random(count, 2));
        let of = |activation: Activation, device: &Device| {
            let [x, y] =
                [&x, &y].map(|values| tensor(&values.iter().map(|x| 9.0 * x).collect::<Vec<_>>(), [count], device));
            values(sum(x, y, activation))
        };
        for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
            assert_eq!(of(activation, &gpu), of(activation, &Device::flex()), "{activation:?} of {count}");
        }
        for activation in SMOOTH {
            let both = of(activation, &gpu).into_iter().zip(of(activation, &Device::flex()));
            for (found, expected) in both {
                let most = SMOOTH_AGREE * expected.abs().max(1.0);
                assert!((found - expected).abs() <= most, "{activation:?}: {found}, on the CPU {expected}");
            }
        }
    }
    let x: Tensor<1> = tensor(&[f32::NAN, -1.0, 1.0], [3], &gpu);
    let found = values(sum(x.clone(), x, Activation::Relu));
    assert!(found[0].is_nan() && found[1..] == [0.0, 2.0], "{found:?}");
}

#[test]
fn what_two_tensors_give_in_the_same_places_is_the_cpus() {
    let Some(gpu) = test_device() else { return };
    let check = |of_x: [usize; 3], of_y: [usize; 3], operation: Arithmetic| {
        let of = |device: &Device| {
            let x = tensor(&random(of_x.iter().product(), 1), of_x, device);
            // Nothing that is next to 0.
            let y: Vec<f32> = random(of_y.iter().product(), 2).into_iter().map(|y| y + 3.0).collect();
            pairwise(x, tensor(&y, of_y, device), operation)
        };
        let (found, expected) = (of(&gpu), of(&Device::flex()));
        assert_eq!(found.dims(), expected.dims());
        let (found, expected) = (values(found), values(expected));
        // WebGPU lets a quotient be off by 2.5 units in the last place.
        let most = if operation == Arithmetic::Div { 2.5 * f32::EPSILON } else { 0.0 };
        let near = |(&found, &expected): (&f32, &f32)| (found - expected).abs() <= most * expected.abs();
        assert!(found.iter().zip(&expected).all(near), "{operation:?} of {of_x:?} and {of_y:?}");
    };
    let shapes = [
        ([2, 3, 7], [2, 3, 7]),
        ([2, 3, 8], [2, 3, 8]),
        // A number for each channel of an image, each channel, each column, and for all.
        ([1, 6, 35], [1, 6, 1]),
        ([1, 6, 36], [1, 6, 1]),
        ([4, 3, 35], [1, 3, 1]),
        ([4, 3, 36], [1, 3, 1]),
        ([1, 50, 7], [1, 1, 7]),
        ([1, 50, 12], [1, 1, 12]),
        ([2, 3, 12], [1, 1, 1]),
        ([4, 3, 12], [4, 1, 12]),
        ([2, 3, 5], [2, 1, 5]),
        ([5, 3, 1], [5, 1, 1]),
    ];
    for operation in [Arithmetic::Add, Arithmetic::Sub, Arithmetic::Mul, Arithmetic::Div] {
        for (one, other) in shapes {
            check(one, other, operation);
            check(other, one, operation);
        }
        // Both ways at once.
        check([4, 1, 12], [1, 3, 1], operation);
        check([1, 3, 1], [2, 1, 7], operation);
    }
    check([1, 3, FOLDED.div_ceil(3)], [1, 3, 1], Arithmetic::Mul);
}

#[test]
fn scaled_channels_are_the_cpus() {
    let Some(gpu) = test_device() else { return };
    let check = |shape @ [images, rows, units]: [usize; 3], are_units: bool, activation: Activation| {
        let channels = if are_units { [1, units] } else { [rows, 1] };
        for (of_images, summed) in [(1, false), (images, false), (1, true), (images, true)] {
            let of = |device: &Device| {
                let part = |images: usize, seed: u64| {
                    let shape = [images, channels[0], channels[1]];
                    tensor(&random(shape.iter().product(), seed), shape, device)
                };
                let whole = |seed: u64| tensor(&random(shape.iter().product(), seed), shape, device);
                values(scaled(whole(1), [&part(of_images, 2), &part(1, 3)], summed.then(|| whole(4)), activation))
            };
            // The product is rounded or not, and the sums, all below 4.
            let near = |(found, expected): (f32, f32)| (found - expected).abs() <= 4.0 * f32::EPSILON;
            let all = of(&gpu).into_iter().zip(of(&Device::flex())).all(near);
            assert!(all, "{activation:?} of {shape:?}, {channels:?} of {of_images}, {summed}");
        }
    };
    for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
        for shape in [[3, 5, 49], [3, 5, 12], [7, 6, 1], [1, 1, 4], [2, 70, 36]] {
            for are_units in [false, true] {
                check(shape, are_units, activation);
            }
        }
    }
    check([3, 5, FOLDED.div_ceil(15)], false, Activation::Relu);
}

/// What a function is.
type Definition = fn(f64) -> f64;

#[test]
fn functions_are_those_of_their_definitions() {
    let Some(gpu) = test_device() else { return };
    let mut x: Vec<f32> = random(1001, 1).into_iter().map(|x| 12.0 * x).collect();
    x.extend([0.0, -200.0, 200.0, f32::INFINITY]);
    let all: [(Function, Definition); 5] = [
        (Function::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Function::HardSigmoid { slope: 0.25, shift: 0.375 }, |x| (0.25 * x + 0.375).clamp(0.0, 1.0)),
        (Function::Softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
        (Function::Mish, |x| x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh()),
        (Function::LeakyRelu { slope: 0.125 }, |x| if x < 0.0 { 0.125 * x } else { x }),
    ];
    for (function, definition) in all {
        for (&x, found) in x.iter().zip(values(function.forward(tensor(&x, [x.len()], &gpu)))) {
            let expected = definition(f64::from(x)) as f32;
            let near = (found - expected).abs() <= SMOOTH_AGREE * expected.abs().max(1.0);
            assert!(found == expected || near, "{function:?} of {x}: {found}, expected {expected}");
        }
        let found = values(function.forward(tensor(&[f32::NAN], [1], &gpu)));
        assert!(found[0].is_nan(), "{function:?} of NaN: {found:?}");
    }
}

#[test]
fn means_of_rows_are_those_of_their_definition_whatever_the_batch() {
    let Some(gpu) = test_device() else { return };
    for (rows, units) in [(3, 1), (7, 49), (5, 255), (4, 256), (3, 1031), (MAX_WORKGROUPS as usize + 2, 257)] {
        let x = random(rows * units, 1);
        let expected: Vec<Sum> = x
            .chunks_exact(units)
            .map(|row| {
                let of = |value: fn(f64) -> f64| row.iter().map(|&x| value(f64::from(x))).sum::<f64>() / units as f64;
                (of(|x| x), of(f64::abs))
            })
            .collect();
        let found = values(row_means(tensor(&x, [rows, units], &gpu)));
        compare(&format!("means of {units}"), &found, &expected, (units + 2) as f64 * ROUNDOFF);
        let last = values(row_means(tensor(&x[(rows - 1) * units..], [1, units], &gpu)));
        assert_eq!(last, found[rows - 1..], "of {units}");
    }
    let x = random(6 * 20 * 17, 2);
    let [found, expected] =
        [global_mean(tensor(&x, [2, 3, 20, 17], &gpu)).reshape([6, 1]), row_means(tensor(&x, [6, 340], &gpu))];
    assert_eq!(values(found), values(expected));
}

#[test]
fn sums_of_columns_are_those_of_their_definition() {
    for shape @ [matrices, rows, units] in [[1, 1, 1], [3, 70, 33], [2, 333, 260], [70, 5, 3]] {
        for terms in [Terms::Values, Terms::Squares] {
            let x = random(shape.iter().product(), 3);
            let mut expected = vec![(0.0, 0.0); matrices * units];
            for (at, &value) in x.iter().enumerate() {
                let value = f64::from(value);
                let term = if terms == Terms::Squares { value * value } else { value };
                let (sum, magnitude) = &mut expected[at / (rows * units) * units + at % units];
                *sum += term;
                *magnitude += term.abs();
            }
            for device in std::iter::once(Device::flex()).chain(test_device()) {
                let found = values(column_sums(tensor(&x, shape, &device), terms));
                compare(&format!("{terms:?} of {shape:?}"), &found, &expected, (rows + 1) as f64 * ROUNDOFF);
            }
        }
    }
}
