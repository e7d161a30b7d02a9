//! Every form on every instruction set against sums in f64 straight from the definition.

mod case;

use case::Case;

use super::*;
use crate::kernels::attention::{Counts, Lies};

/// Numbers between -1 and 1, in no order.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|n| ((n + 1) * (2 * seed + 7919) % 2003) as f32 / 1001.0 - 1.0).collect()
}

/// Half a unit in the last place of 1.
const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;

fn isas() -> Vec<(&'static str, Isa)> {
    #[cfg(target_arch = "x86_64")]
    let narrower = pulp::x86::V3::try_new().map(|simd| ("AVX2", Isa::Avx2(simd)));
    #[cfg(not(target_arch = "x86_64"))]
    let narrower = None;
    [("widest", Isa::widest()), ("scalar", Isa::Scalar)].into_iter().chain(narrower).collect()
}

/// What `write` puts into so many places.
fn written(count: usize, write: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut out = vec![f32::NAN; count];
    write(&mut out);
    out
}

fn forward(layer: &Convolution, x: &[f32], shape: [usize; 4]) -> Vec<f32> {
    written(layer.output(shape).iter().product(), |out| layer.forward(x, shape, None, out))
}

fn forward_dense(layer: &Dense, x: &[f32], inputs: usize) -> Vec<f32> {
    written(x.len() / inputs * layer.outputs(), |out| layer.forward(x, None, out))
}

/// A rectangle of taps.
fn window(size: [usize; 2], stride: [usize; 2], padding: crate::kernels::Padding, dilation: [usize; 2]) -> Window {
    Window { size, stride, padding, dilation }
}

#[test]
fn products_of_pixels_are_the_definition() {
    let square = Window::square;
    for (shape, outputs, groups, window) in [
        ([2, 3, 9, 11], 5, 1, square(3, 1, [(1, 1); 2])),
        ([2, 3, 23, 21], 17, 1, square(7, 2, [(2, 3); 2])),
        // Pixels of several images in a panel; more taps than are summed at a time.
        ([16, 70, 7, 7], 31, 1, square(1, 1, [(0, 0); 2])),
        ([2, 700, 5, 9], 9, 1, square(1, 1, [(0, 0); 2])),
        ([1, 100, 1, 1], 8, 1, square(1, 1, [(0, 0); 2])),
        ([2, 12, 9, 10], 18, 3, square(3, 2, [(0, 1); 2])),
        ([2, 12, 9, 10], 18, 3, square(1, 2, [(0, 0); 2])),
        ([2, 6, 9, 31], 8, 1, window([1, 7], [1, 1], [(0, 0), (3, 3)], [1, 1])),
        ([2, 6, 17, 17], 8, 1, window([7, 1], [1, 1], [(3, 3), (0, 0)], [1, 1])),
        ([2, 6, 17, 19], 8, 2, window([3, 2], [3, 1], [(3, 3), (0, 4)], [2, 3])),
        // More border than image.
        ([1, 4, 2, 2], 8, 1, square(5, 1, [(4, 4); 2])),
    ] {
        Case::new(shape, outputs, groups, window).check_direct();
    }
}

#[test]
fn depthwise_convolutions_are_the_definition() {
    for size in [[3, 3], [5, 5], [1, 4]] {
        for stride in [[1, 1], [2, 2], [3, 1], [1, 3]] {
            for (height, width) in [(7, 7), (13, 10), (6, 61)] {
                for dilation in [[1, 1], [1, 2]] {
                    let window = window(size, stride, [(1, 2), (2, 1)], dilation);
                    Case::new([2, 5, height, width], 5, 5, window).check_direct();
                }
            }
        }
    }
}

#[test]
fn winograds_form_is_the_definition() {
    for (shape, outputs, padding) in [
        ([1, 20, 14, 13], 33, [(1, 1); 2]),
        ([3, 17, 14, 13], 40, [(1, 1); 2]),
        ([3, 64, 7, 7], 130, [(1, 1); 2]),
        ([2, 35, 9, 50], 37, [(0, 2), (2, 0)]),
        ([2, 35, 3, 3], 37, [(0, 0); 2]),
    ] {
        let case = Case::new(shape, outputs, 1, Window::square(3, 1, padding));
        assert!(winograd::suits(&case.weights(Activation::Identity)));
        case.check_winograd();
    }
}

#[test]
fn bits_depend_neither_on_threads_nor_on_the_batch() {
    let threads = |count: usize| rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap();
    for (inputs, outputs, groups, size) in [(40, 40, 1, 3), (400, 24, 1, 1), (24, 24, 1, 5), (24, 24, 24, 3)] {
        let window = Window::square(size, 1, [(size / 2, size / 2); 2]);
        let case = Case::new([5, inputs, 11, 13], outputs, groups, window);
        let layer = Convolution::new(&case.weights(Activation::Relu));
        let expected = threads(1).install(|| forward(&layer, &case.x, case.shape));
        for count in [2, 3, 7] {
            assert_eq!(threads(count).install(|| forward(&layer, &case.x, case.shape)), expected, "{count} threads");
        }
        for batch in [1, 2, 3] {
            let image = inputs * 11 * 13;
            let parts =
                case.x.chunks(batch * image).flat_map(|x| forward(&layer, x, [x.len() / image, inputs, 11, 13]));
            assert_eq!(parts.collect::<Vec<_>>(), expected, "batches of {batch}");
        }
        let dense = Dense::new(&case.kernel, &case.bias, Activation::Identity);
        let inputs = case.kernel.len() / outputs;
        let x = numbers(17 * inputs, 5);
        let expected = threads(1).install(|| forward_dense(&dense, &x, inputs));
        assert_eq!(threads(3).install(|| forward_dense(&dense, &x, inputs)), expected);
        let one = x.chunks(inputs).flat_map(|x| forward_dense(&dense, x, inputs)).collect::<Vec<_>>();
        assert_eq!(one, expected);
    }
}

#[test]
fn what_is_added_is_added_before_the_activation() {
    for (inputs, outputs, groups, size, stride) in
        [(40, 40, 1, 3, 1), (600, 24, 1, 1, 1), (24, 24, 1, 5, 2), (24, 24, 24, 3, 2)]
    {
        let window = Window::square(size, stride, [(size / 2, size / 2); 2]);
        let case = Case::new([2, inputs, 11, 13], outputs, groups, window);
        for (name, isa) in isas() {
            let plain = forward(&Convolution::on(isa, &case.weights(Activation::Identity)), &case.x, case.shape);
            let plus = numbers(plain.len(), 7);
            let layer = Convolution::on(isa, &case.weights(Activation::Relu));
            let found = written(plain.len(), |out| layer.forward(&case.x, case.shape, Some(&plus), out));
            for (found, (plain, plus)) in found.into_iter().zip(plain.iter().zip(&plus)) {
                assert_eq!(found, (plain + plus).max(0.0), "{name} {:?}", case.window);
            }
        }
    }
}

#[test]
fn dense_layers_are_the_definition() {
    for (images, inputs, outputs) in [(1, 1, 1), (3, 1100, 70), (16, 513, 33), (61, 40, 5)] {
        let (weights, bias, x) = (numbers(inputs * outputs, 1), numbers(outputs, 2), numbers(images * inputs, 3));
        for (name, isa) in isas() {
            let found = forward_dense(&Dense::on(isa, &weights, &bias, Activation::Relu), &x, inputs);
            for (place, found) in found.into_iter().enumerate() {
                let (image, out) = (place / outputs, place % outputs);
                let terms = weights[out * inputs..][..inputs].iter().zip(&x[image * inputs..]);
                let terms = terms.map(|(&w, &x)| f64::from(w) * f64::from(x));
                let bias = f64::from(bias[out]);
                let (sum, size) = terms.fold((bias, bias.abs()), |(sum, size), term| (sum + term, size + term.abs()));
                let error = (f64::from(found) - sum.max(0.0)).abs();
                assert!(error <= (inputs + inputs / 16 + 3) as f64 * ROUNDING * size, "{name} {place}: {found} {sum}");
            }
        }
    }
}

#[test]
fn not_a_number_stays_what_it_is() {
    for (inputs, outputs, groups, size) in [(2, 3, 1, 3), (40, 40, 1, 3), (5, 5, 5, 3), (3, 7, 1, 1)] {
        for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
            let mut case =
                Case::new([1, inputs, 9, 9], outputs, groups, Window::square(size, 1, [(size / 2, size / 2); 2]));
            case.x[4 * 9 + 4] = f32::NAN;
            for (name, isa) in isas() {
                let y = forward(&Convolution::on(isa, &case.weights(activation)), &case.x, case.shape);
                assert!(y[4 * 9 + 4].is_nan(), "{name}, {activation:?}");
                assert!(y[8 * 9 + 8].is_finite(), "{name}, {activation:?}");
            }
        }
    }
    let mut x = numbers(2 * 5 * 5, 1);
    x[6] = f32::NAN;
    for (name, isa) in isas() {
        let window = Window::square(3, 1, [(0, 0); 2]);
        let pooled = written(18, |out| pool::pool_on(isa, pool::Largest, &x, [5, 5], window, out));
        for (place, pooled) in pooled.into_iter().enumerate() {
            assert_eq!(pooled.is_nan(), [0, 1, 3, 4].contains(&place), "{name}: {place}");
        }
    }
}

#[test]
fn poolings_of_every_instruction_set_are_their_definition() {
    let uneven = Window { size: [3, 2], stride: [1, 3], padding: [(2, 0), (0, 1)], dilation: [2, 1] };
    let wide = Window { size: [1, 4], stride: [4, 2], padding: [(0, 0), (3, 3)], dilation: [1, 5] };
    for ([height, width], window) in [
        // Rows shorter than a vector, of whole vectors, and of one value more; windows that leave columns out.
        ([27, 27], Window::square(3, 2, [(0, 0); 2])),
        ([6, 32], Window::square(2, 2, [(0, 0); 2])),
        ([9, 113], Window::square(3, 2, [(1, 0), (0, 1)])),
        ([5, 17], Window::square(3, 1, [(1, 1); 2])),
        ([16, 16], Window::square(3, 5, [(0, 0); 2])),
        ([8, 8], Window::square(8, 8, [(0, 0); 2])),
        ([9, 30], uneven),
        ([7, 40], wide),
    ] {
        let x = numbers(3 * height * width, 5);
        let [rows, columns] = window.output([height, width]);
        // Of an output the values that it sees.
        let seen = |place: usize| -> Vec<f32> {
            let (channel, y, x0) = (place / columns / rows, place / columns % rows, place % columns);
            let at = |axis: usize, place: usize, tap: usize| {
                (place * window.stride[axis] + tap * window.dilation[axis]).checked_sub(window.padding[axis].0)
            };
            let taps = (0..window.size[0]).flat_map(|tap| (0..window.size[1]).map(move |across| [tap, across]));
            let places = taps.filter_map(|[tap, across]| Some([at(0, y, tap)?, at(1, x0, across)?]));
            let inside = places.filter(|&[y, x]| y < height && x < width);
            inside.map(|[y, across]| x[(channel * height + y) * width + across]).collect()
        };
        for (name, isa) in isas() {
            let largest = written(3 * rows * columns, |out| {
                pool::pool_on(isa, pool::Largest, &x, [height, width], window, out);
            });
            let means = [false, true].map(|zeros| {
                let mean = pool::Mean::new([height, width], window, zeros);
                written(largest.len(), |out| pool::pool_on(isa, &mean, &x, [height, width], window, out))
            });
            for (place, largest) in largest.into_iter().enumerate() {
                let seen = seen(place);
                assert_eq!(
                    largest,
                    seen.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                    "{name} {window:?} {place}"
                );
                let sum: f64 = seen.iter().map(|&x| f64::from(x)).sum();
                let taps = window.size[0] * window.size[1];
                for (counted, found) in [seen.len(), taps].into_iter().zip(means.each_ref().map(|mean| mean[place])) {
                    let error = (f64::from(found) - sum / counted as f64).abs();
                    assert!(error <= (taps + 2) as f64 * ROUNDING, "{name} {window:?} {place}: {found} of {counted}");
                }
            }
        }
    }
}

#[test]
fn a_separable_convolution_is_its_layers_one_after_the_other() {
    let point = Window::square(1, 1, [(0, 0); 2]);
    let squares = |size, stride, padding| Window::square(size, stride, padding);
    let uneven = Window { size: [3, 2], stride: [1, 3], padding: [(3, 0), (0, 4)], dilation: [2, 1] };
    for ([images, inputs, height, width], channels, outputs, window) in [
        // Tiles of every size, in rows and across them; pieces of rows; parts of the inputs; odd strides.
        ([2, 5, 9, 30], 18, 7, squares(3, 1, [(1, 1); 2])),
        ([1, 16, 56, 57], 96, 24, squares(3, 2, [(0, 1); 2])),
        ([3, 520, 7, 7], 33, 37, squares(5, 1, [(2, 2); 2])),
        ([1, 3, 10, 11], 521, 4, squares(3, 3, [(1, 0); 2])),
        ([2, 4, 8, 9], 6, 5, uneven),
        ([1, 2, 9, 8], 3, 2, squares(3, 1, [(0, 0), (4, 0)])),
        // Columns that no window sees, a map beside the border.
        ([1, 3, 16, 16], 8, 4, squares(3, 5, [(0, 0); 2])),
        ([1, 2, 20, 44], 9, 3, squares(3, 3, [(0, 0); 2])),
        ([1, 5, 7, 1], 6, 3, Window { size: [3, 1], stride: [4, 4], padding: [(0, 0), (2, 0)], dilation: [1, 1] }),
    ] {
        for (expands, projects, activation) in [
            (true, true, Activation::Relu),
            (false, true, Activation::Relu),
            (true, false, Activation::Relu),
            (true, true, Activation::Silu),
            (true, false, Activation::Silu),
        ] {
            let channels = if expands { channels } else { inputs };
            let expand = Case::new([images, inputs, height, width], channels, 1, point);
            let depthwise = Case::new([images, channels, height, width], channels, channels, window);
            let [rows, columns] = window.output([height, width]);
            let project = Case::new([images, channels, rows, columns], outputs, 1, point);
            let plus = numbers(images * outputs * rows * columns, 4);
            let plus = Some(&plus[..]).filter(|_| projects);
            for ((name, isa), plus) in isas().into_iter().flat_map(|isa| [(isa, None), (isa, plus)]) {
                let weights = [(&expand, activation), (&depthwise, activation), (&project, Activation::Relu6)];
                let weights = weights.map(|(case, activation)| case.weights(activation));
                let layers = [&expand, &depthwise, &project].map(|case| case.weights(Activation::Identity));
                let [first, second, third] = layers.each_ref().map(|weights| Convolution::on(isa, weights));
                let done =
                    |y: Vec<f32>, activation| written(y.len(), |out| pass::activated_on(isa, activation, &y, out));
                let x = &expand.x;
                let wide = if expands { done(forward(&first, x, expand.shape), activation) } else { x.clone() };
                let mut expected = done(forward(&second, &wide, depthwise.shape), activation);
                if projects {
                    let sums = written(images * outputs * rows * columns, |out| {
                        third.forward(&expected, project.shape, plus, out);
                    });
                    expected = done(sums, Activation::Relu6);
                }
                let (before, after) = (expands.then_some(&weights[0]), projects.then_some(&weights[2]));
                let layer = Separable::on(isa, before, &weights[1], after);
                let found = written(expected.len(), |out| layer.forward(x, expand.shape, plus, out));
                let same = found.iter().zip(&expected).all(|(found, expected)| found.to_bits() == expected.to_bits());
                assert!(same, "{name}, {:?} to {channels} to {outputs}, {window:?}", expand.shape);
            }
        }
    }
}

#[test]
fn a_gated_convolution_is_that_of_the_product() {
    let point = Window::square(1, 1, [(0, 0); 2]);
    for ([images, inputs, height, width], outputs) in [([3, 5, 3, 3], 7), ([2, 600, 7, 9], 33), ([1, 2, 1, 50], 4)] {
        let case = Case::new([images, inputs, height, width], outputs, 1, point);
        let gates = numbers(images * inputs, 5);
        let plane = height * width;
        let product: Vec<f32> = case.x.iter().enumerate().map(|(n, x)| x * gates[n / plane]).collect();
        let plus = numbers(images * outputs * plane, 4);
        for (name, isa) in isas() {
            let layer = Convolution::on(isa, &case.weights(Activation::Relu));
            let expected = written(plus.len(), |out| layer.forward(&product, case.shape, Some(&plus), out));
            let found = written(plus.len(), |out| layer.forward_gated(&case.x, case.shape, &gates, Some(&plus), out));
            assert_eq!(found, expected, "{name}, {:?} to {outputs}", case.shape);
        }
    }
}

#[test]
fn channels_side_by_side_are_convolved_as_channels_apart() {
    let uneven = Window { size: [3, 2], stride: [1, 3], padding: [(3, 0), (0, 4)], dilation: [2, 1] };
    for ([images, channels, height, width], window) in [
        ([2, 19, 9, 30], Window::square(7, 1, [(3, 3); 2])),
        ([1, 96, 60, 57], Window::square(7, 1, [(3, 3); 2])),
        ([1, 33, 20, 31], Window::square(5, 2, [(1, 2); 2])),
        ([3, 4, 8, 9], uneven),
        ([1, 2, 9, 8], Window::square(3, 1, [(0, 0), (4, 0)])),
    ] {
        assert!(ChannelsLast::suits(window, [height, width]));
        let case = Case::new([images, channels, height, width], channels, channels, window);
        // `[images, channels, pixels]` to `[images, pixels, channels]`.
        let last = |x: &[f32], pixels: usize| -> Vec<f32> {
            let at = |n: usize| (n / channels / pixels * channels + n % channels) * pixels + n / channels % pixels;
            (0..x.len()).map(|n| x[at(n)]).collect()
        };
        let [rows, columns] = window.output([height, width]);
        for (name, isa) in isas() {
            let weights = case.weights(Activation::Relu);
            let expected = forward(&Convolution::on(isa, &weights), &case.x, case.shape);
            let x = last(&case.x, height * width);
            let found = written(expected.len(), |out| {
                ChannelsLast::on(isa, &weights).forward(&x, [images, height, width], out);
            });
            // Taps are added in the same order.
            assert_eq!(found, last(&expected, rows * columns), "{name}, {:?}, {window:?}", case.shape);
        }
    }
    let far = Window { dilation: [300; 2], ..Window::square(3, 1, [(300, 300); 2]) };
    assert!(!ChannelsLast::suits(far, [7, 7]));
}

#[test]
fn attention_of_every_instruction_set_is_its_definition() {
    let (images, heads, units) = (4, 3, 20);
    let scale = 0.3;
    for (queries, keys, biased) in [(1, 7, None), (50, 33, None), (5, 70, None), (1, 7, Some(1)), (49, 35, Some(2))] {
        let counts = Counts { images, heads, queries, keys, units };
        let [q, k, v] = [(queries, 1), (keys, 2), (keys, 3)].map(|(tokens, seed)| numbers(images * tokens * 64, seed));
        let every = |count: usize, step: usize| (0..count).map(|n| n * step).collect::<Vec<_>>();
        let [of_queries, of_keys] = [queries, keys].map(|tokens| Lies {
            images: every(images, tokens * 64),
            head: units,
            tokens: every(tokens, 64),
        });
        let (scales, pitch) = ([1.5, 1.0, 0.5], keys + 1);
        let added = numbers(biased.unwrap_or(0) * heads * queries * pitch, 4);
        let bias = biased.map(|_| Bias { scales: &scales, values: &added, pitch });
        for (name, isa) in isas() {
            let out = written(images * queries * heads * units, |out| {
                let parts = [(&q[4..], &of_queries), (&k[..], &of_keys), (&v[1..], &of_keys)];
                attention::attention_on(isa, counts, scale, parts, bias, out);
            });
            for (at, &found) in out.iter().enumerate() {
                let (token, head, unit) = (at / units / heads, at / units % heads, at % units);
                let number =
                    |values: &[f32], token: usize, unit: usize| f64::from(values[token * 64 + head * units + unit]);
                let (image, query) = (token / queries, token % queries);
                let (mut sum, mut weights) = (0.0, 0.0);
                for key in 0..keys {
                    let token_of_key = image * keys + key;
                    let score: f64 =
                        (0..units).map(|unit| number(&q[4..], token, unit) * number(&k, token_of_key, unit)).sum();
                    let mut score = f64::from(scale) * score;
                    if let Some(period) = biased {
                        let row = ((image % period) * heads + head) * queries + query;
                        score = f64::from(scales[head]) * score + f64::from(added[row * pitch + key]);
                    }
                    let weight = score.exp();
                    (sum, weights) = (sum + weight * number(&v[1..], token_of_key, unit), weights + weight);
                }
                // A score of 20 products below 1, of which 0.45 counts, and a number below 1; 70 weights and their values;
                // all below 1.
                let bound = (2.0 * (0.45 * 24.0 + 2.0) + 70.0 + 8.0) * ROUNDING;
                assert!((f64::from(found) - sum / weights).abs() <= bound, "{name} {queries} {keys}: unit {at}");
            }
        }
    }
}
