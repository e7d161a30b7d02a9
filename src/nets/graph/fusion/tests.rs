//! Small graphs of every pattern: joined, not joined because all is tapped, and joined but for one value that is tapped.

mod attention;
mod factors;
mod layouts;
mod rotary;

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::super::GraphNetwork;
use super::super::drawing::{Drawing, SIZE};
use crate::kernels::gpu::test_device;
use crate::nets::{Batch, Taps};

const IMAGES: usize = 3;

/// The values of the layers wanted, and how many steps there are.
fn run(network: &GraphNetwork, wanted: &[String], device: &Device) -> (HashMap<String, Vec<f32>>, usize) {
    run_loaded(network, wanted, &[IMAGES], device)
}

/// As [`run`], loaded for batches of so many images; the steps are of the first of them.
fn run_loaded(
    network: &GraphNetwork,
    wanted: &[String],
    sizes: &[usize],
    device: &Device,
) -> (HashMap<String, Vec<f32>>, usize) {
    let stages = network.programs(network.stages.len(), wanted, sizes, device).unwrap();
    let steps = stages.iter().map(|stage| stage.steps()).sum();
    let count = IMAGES * 3 * SIZE * SIZE;
    let values: Vec<f32> = (0..count).map(|n| (n * 7919 % 4001) as f32 / 2000.0 - 1.0).collect();
    let images = Tensor::from_data(TensorData::new(values, [IMAGES, 3, SIZE, SIZE]), device);
    let stages = stages.into_iter().map(crate::nets::stage::Stage::of_graph);
    let mut taps = Taps::new(wanted.to_vec());
    stages.into_iter().fold(Batch::of(images), |batch, stage| stage.forward(batch, &mut taps));
    let seen = taps.take().into_iter();
    (seen.map(|(name, tensor)| (name, tensor.into_data().try_to_vec().unwrap())).collect(), steps)
}

/// Sums of a few hundred products of numbers as large as the result, and exponentials of them.
const AGREE: f32 = 2e-5;

fn compare(about: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{about}");
    let size = expected.iter().fold(0.0f32, |size, value| size.max(value.abs()));
    assert!(size > 1e-3, "{about}: nothing but zeros");
    for (n, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= AGREE * size, "{about}: value {n} is {found}, expected {expected}");
    }
}

/// Draws a graph, joins it to so many steps, and compares it with all of its values tapped: then every node is a step of its
/// own, or no step where it only moves values. Any other value that is tapped as well is what it is then.
fn check(about: &str, steps: usize, draw: impl Fn(&mut Drawing) -> String) {
    assert_eq!(agree(about, draw), steps, "{about}: steps");
}

/// [`check`] but for how many steps there are: these.
fn agree(about: &str, draw: impl Fn(&mut Drawing) -> String) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut drawing = Drawing::default();
    let result = draw(&mut drawing);
    let network = drawing.saved(&result, folder.path());
    let all: Vec<String> = network.layers.iter().map(|layer| layer.name.clone()).collect();
    let cpu = Device::flex();
    let (expected, most) = run(&network, &all, &cpu);
    let (joined, found) = run(&network, std::slice::from_ref(&result), &cpu);
    compare(about, &joined[&result], &expected[&result]);
    // What is laid out for fewer images serves more of them only if it is the same for these.
    let after = run_loaded(&network, std::slice::from_ref(&result), &[1, 2, IMAGES], &cpu).0;
    compare(&format!("{about}, loaded for fewer images before"), &after[&result], &expected[&result]);
    for layer in all.iter().filter(|layer| **layer != result) {
        let (seen, more) = run(&network, &[layer.clone(), result.clone()], &cpu);
        compare(&format!("{about} with {layer} tapped"), &seen[&result], &expected[&result]);
        compare(&format!("{about}: {layer}"), &seen[layer], &expected[layer]);
        assert!(
            (found..=most).contains(&more),
            "{about} with {layer} tapped: {more} steps, {found} without, {most} of all"
        );
    }
    if let Some(gpu) = test_device() {
        compare(
            &format!("{about} on the GPU"),
            &run(&network, std::slice::from_ref(&result), &gpu).0[&result],
            &expected[&result],
        );
    }
    found
}

#[test]
fn activations_in_pieces_are_one_with_the_layer_before() {
    let root = (2.0 / std::f32::consts::PI).sqrt();
    type Piece = fn(&mut Drawing, &str, f32) -> String;
    let forms: &[(&str, Piece)] = &[
        ("whole", |d, x, _| d.node("Gelu", &[x])),
        ("erf", |d, x, _| {
            let [by, one, half] = [std::f32::consts::SQRT_2, 1.0, 0.5].map(|value| d.number(value));
            let y = d.node("Div", &[x, &by]);
            let y = d.node("Erf", &[&y]);
            let y = d.node("Add", &[&y, &one]);
            let y = d.node("Mul", &[x, &y]);
            d.node("Mul", &[&y, &half])
        }),
        ("erf, halved first", |d, x, _| {
            let [by, one, half] = [std::f32::consts::FRAC_1_SQRT_2, 1.0, 0.5].map(|value| d.number(value));
            let y = d.node("Mul", &[&by, x]);
            let y = d.node("Erf", &[&y]);
            let y = d.node("Add", &[&one, &y]);
            let x = d.node("Mul", &[x, &half]);
            d.node("Mul", &[&x, &y])
        }),
        ("tanh", |d, x, root| {
            let [kappa, by, one, half] = [0.044_715, root, 1.0, 0.5].map(|value| d.number(value));
            let y = d.node("Mul", &[x, x]);
            let y = d.node("Mul", &[x, &y]);
            let y = d.node("Mul", &[&kappa, &y]);
            let y = d.node("Add", &[x, &y]);
            let y = d.node("Mul", &[&by, &y]);
            let y = d.node("Tanh", &[&y]);
            let y = d.node("Add", &[&one, &y]);
            let y = d.node("Mul", &[x, &y]);
            d.node("Mul", &[&half, &y])
        }),
        ("CLIP's", |d, x, _| {
            let by = d.number(1.702);
            let y = d.node("Mul", &[x, &by]);
            let y = d.node("Sigmoid", &[&y]);
            d.node("Mul", &[x, &y])
        }),
        ("SiLU", |d, x, _| {
            let y = d.node("Sigmoid", &[x]);
            d.node("Mul", &[x, &y])
        }),
        ("ReLU6", |d, x, _| {
            let [low, high] = [0.0, 6.0].map(|value| d.number(value));
            d.node("Clip", &[x, &low, &high])
        }),
    ];
    for (about, piece) in forms {
        // The patches, the layer with its activation, another.
        check(&format!("{about} after a dense layer"), 3, |d| {
            let x = d.tokens("x");
            let y = d.dense(&x, 12, 20);
            let y = piece(d, &y, root);
            d.dense(&y, 20, 7)
        });
        check(&format!("{about} after a convolution"), 2, |d| {
            let y = d.conv("x", &[8, 3, 3, 3], 1, 1, 1);
            let y = piece(d, &y, root);
            d.conv(&y, &[4, 8, 3, 3], 2, 1, 1)
        });
    }
    // Something else takes what the sigmoid gives.
    check("a gate that is used twice", 4, |d| {
        let x = d.tokens("x");
        let gate = d.node("Sigmoid", &[&x]);
        let y = d.node("Mul", &[&x, &gate]);
        d.node("Add", &[&y, &gate])
    });
}

#[test]
fn what_follows_a_layer_goes_into_it() {
    check("a dense layer with scale and sum", 3, |d| {
        let x = d.tokens("x");
        let y = d.norm(&x, 12);
        let y = d.dense(&y, 12, 12);
        let (scale, half) = (d.weights(&[12]), d.number(0.5));
        let y = d.node("Mul", &[&y, &scale]);
        let y = d.node("Mul", &[&half, &y]);
        d.node("Add", &[&x, &y])
    });
    check("a residual block", 4, |d| {
        let x = d.conv("x", &[8, 3, 3, 3], 1, 1, 1);
        let x = d.node("Relu", &[&x]);
        let y = d.conv(&x, &[8, 8, 3, 3], 1, 1, 1);
        let variance = d.constant((1..9).map(|n| n as f32 / 8.0).collect(), &[8]);
        let [scale, shift, mean] = [0; 3].map(|_| d.weights(&[8]));
        let y = d.node("BatchNormalization", &[&y, &scale, &shift, &mean, &variance]);
        let y = d.node("Relu", &[&y]);
        let y = d.conv(&y, &[8, 8, 1, 1], 1, 0, 1);
        let y = d.node("Add", &[&x, &y]);
        let y = d.node("Relu", &[&y]);
        let scale = d.weights(&[1, 8, 1, 1]);
        // Not before the ReLU.
        d.node("Mul", &[&y, &scale])
    });
    let norm = |d: &mut Drawing, y: &str| {
        let variance = d.constant((1..7).map(|n| n as f32 / 6.0).collect(), &[6]);
        let [scale, shift, mean] = [0; 3].map(|_| d.weights(&[6]));
        let y = d.node("BatchNormalization", &[y, &scale, &shift, &mean, &variance]);
        d.node("Relu", &[&y])
    };
    check("a dense layer and its batch normalization", 3, |d| {
        let x = d.conv("x", &[8, 3, 3, 3], 1, 1, 1);
        let x = d.node("GlobalAveragePool", &[&x]);
        let x = d.set("Flatten", &[&x], &[("axis", &[1])]);
        let (weights, bias) = (d.weights(&[8, 6]), d.weights(&[6]));
        let y = d.node("Gemm", &[&x, &weights, &bias]);
        norm(d, &y)
    });
    check("tokens and their batch normalization", 2, |d| {
        let x = d.tokens("x");
        let y = d.dense(&x, 12, 6);
        let y = d.turned(&y, &[0, 2, 1]);
        let y = norm(d, &y);
        d.turned(&y, &[0, 2, 1])
    });
    check("channels apart that are scaled", 1, |d| {
        let y = d.conv("x", &[6, 3, 3, 3], 1, 1, 1);
        let [scale, shift] = [0; 2].map(|_| d.weights(&[6, 1, 1]));
        let y = d.node("Mul", &[&y, &scale]);
        d.node("Add", &[&shift, &y])
    });
}

/// ConvNeXt's block (Liu et al. 2022) on maps of 12 channels.
fn block(d: &mut Drawing, x: &str) -> String {
    let y = d.conv(x, &[12, 1, 7, 7], 1, 3, 12);
    let y = d.turned(&y, &[0, 2, 3, 1]);
    let y = d.norm(&y, 12);
    let y = d.dense(&y, 12, 48);
    let y = d.node("Gelu", &[&y]);
    let y = d.dense(&y, 48, 12);
    let y = d.turned(&y, &[0, 3, 1, 2]);
    let scale = d.weights(&[1, 12, 1, 1]);
    let y = d.node("Mul", &[&y, &scale]);
    d.node("Add", &[&y, x])
}

#[test]
fn maps_with_their_channels_last_stay_so() {
    // Patches, their normalization, four steps a block, normalization, patches again and the mean, for which they are turned.
    check("ConvNeXt", 2 + 2 * 4 + 2 + 2, |d| {
        let x = d.conv("x", &[12, 3, 2, 2], 2, 0, 1);
        let x = d.turned(&x, &[0, 2, 3, 1]);
        let x = d.norm(&x, 12);
        let x = d.turned(&x, &[0, 3, 1, 2]);
        let x = block(d, &x);
        let x = block(d, &x);
        let x = d.turned(&x, &[0, 2, 3, 1]);
        let x = d.norm(&x, 12);
        let x = d.turned(&x, &[0, 3, 1, 2]);
        let x = d.conv(&x, &[20, 12, 2, 2], 2, 0, 1);
        d.node("GlobalAveragePool", &[&x])
    });
}

#[test]
fn a_dense_layer_of_what_lies_in_planes_moves_nothing() {
    check("tokens that are mixed", 3, |d| {
        let x = d.tokens("x");
        let y = d.turned(&x, &[0, 2, 1]);
        let y = d.dense(&y, 16, 24);
        let y = d.node("Relu", &[&y]);
        let y = d.dense(&y, 24, 16);
        let y = d.turned(&y, &[0, 2, 1]);
        d.node("Add", &[&x, &y])
    });
    check("heads that talk", 11, |d| {
        attention::windowed(d, |d, y| {
            let y = d.turned(y, &[0, 2, 3, 1]);
            let y = d.dense(&y, 3, 3);
            d.turned(&y, &[0, 3, 1, 2])
        })
    });
}

#[test]
fn numbers_of_more_axes_give_them_to_what_they_multiply() {
    agree("SiLU times one", |d| {
        let (x, one) = (d.tokens("x"), d.constant(vec![1.0], &[1; 4]));
        let gate = d.node("Sigmoid", &[&x]);
        let y = d.node("Mul", &[&x, &gate]);
        let y = d.node("Mul", &[&y, &one]);
        let y = d.set("ReduceMean", &[&y], &[("axes", &[2])]);
        d.reshaped(&y, &[-1, 12])
    });
}

#[test]
fn what_comes_out_beside_it_may_be_of_no_image() {
    check("a constant and a number of the batch", 1, |d| {
        let y = d.conv("x", &[4, 3, 3, 3], 2, 1, 1);
        let scale = d.number(4.6);
        d.beside = vec![d.node("Exp", &[&scale]), d.set("ReduceMean", &[&y], &[("keepdims", &[0])])];
        y
    });
}

#[test]
fn a_layer_normalization_in_pieces_is_one_step() {
    /// With what squares it.
    fn pieces(d: &mut Drawing, x: &str, squared: &str) -> [String; 2] {
        let [two, epsilon] = [2.0, 1e-3].map(|value| d.number(value));
        let mean = d.set("ReduceMean", &[x], &[("axes", &[-1])]);
        let centred = d.node("Sub", &[x, &mean]);
        let squares = d.node(squared, &[&centred, if squared == "Pow" { &two } else { &centred }]);
        let variance = d.set("ReduceMean", &[&squares], &[("axes", &[2]), ("keepdims", &[1])]);
        let more = d.node("Add", &[&epsilon, &variance]);
        let deviation = d.node("Sqrt", &[&more]);
        [d.node("Div", &[&centred, &deviation]), deviation]
    }
    for squared in ["Pow", "Mul"] {
        // The patches, the normalization with scale and shift, the layer behind it.
        check("with scale and shift", 3, |d| {
            let x = d.tokens("x");
            let [y, _] = pieces(d, &x, squared);
            let (scale, shift) = (d.weights(&[12]), d.weights(&[12]));
            let y = d.node("Mul", &[&y, &scale]);
            let y = d.node("Add", &[&y, &shift]);
            d.dense(&y, 12, 7)
        });
        // The sum is a step of its own.
        check("without", 4, |d| {
            let x = d.tokens("x");
            let [y, _] = pieces(d, &x, squared);
            let y = d.node("Add", &[&x, &y]);
            d.dense(&y, 12, 7)
        });
    }
    // Something else takes the deviation: nothing is joined but what has been before.
    check("whose deviation is used twice", 9, |d| {
        let x = d.tokens("x");
        let [y, deviation] = pieces(d, &x, "Pow");
        d.node("Add", &[&y, &deviation])
    });
}

#[test]
fn depthwise_convolutions_are_one_pass_with_the_convolutions_beside_them() {
    let silu = |d: &mut Drawing, x: &str| {
        let gate = d.node("Sigmoid", &[x]);
        d.node("Mul", &[x, &gate])
    };
    let gates = |d: &mut Drawing, y: &str, activation: &str| {
        let mean = d.node("GlobalAveragePool", &[y]);
        let gate = d.conv(&mean, &[8, 8, 1, 1], 1, 0, 1);
        d.node(activation, &[&gate])
    };
    check("between two, added to", 2, |d| {
        let x = d.conv("x", &[8, 3, 3, 3], 1, 1, 1);
        let y = d.conv(&x, &[20, 8, 1, 1], 1, 0, 1);
        let y = d.node("Relu", &[&y]);
        let y = d.conv(&y, &[20, 1, 3, 3], 1, 1, 20);
        let y = silu(d, &y);
        let y = d.conv(&y, &[8, 20, 1, 1], 1, 0, 1);
        let y = d.node("Add", &[&x, &y]);
        d.node("Gelu", &[&y])
    });
    check("each with the one before it", 2, |d| {
        let y = d.conv("x", &[8, 3, 1, 1], 1, 0, 1);
        let y = d.conv(&y, &[8, 1, 5, 5], 2, 2, 8);
        let y = d.conv(&y, &[12, 8, 1, 1], 1, 0, 1);
        let y = d.conv(&y, &[12, 1, 3, 3], 1, 1, 12);
        d.conv(&y, &[6, 12, 1, 1], 1, 0, 1)
    });
    // The mean, what comes of it, and the gate are steps of their own; the last convolution takes the product.
    for order in [[0, 1], [1, 0]] {
        check("with the one before it, gated", 6, |d| {
            let x = d.conv("x", &[6, 3, 3, 3], 2, 1, 1);
            let y = d.conv(&x, &[8, 6, 1, 1], 1, 0, 1);
            let y = silu(d, &y);
            let y = d.conv(&y, &[8, 1, 3, 3], 1, 1, 8);
            let y = d.node("HardSwish", &[&y]);
            let gate = gates(d, &y, "Sigmoid");
            let factors = order.map(|n| [&*y, &*gate][n]);
            let y = d.node("Mul", &factors);
            let y = d.conv(&y, &[6, 8, 1, 1], 1, 0, 1);
            let y = d.node("Add", &[&y, &x]);
            d.node("HardSwish", &[&y])
        });
    }
    check("two outputs a channel, and a stride of the next", 3, |d| {
        let y = d.conv("x", &[8, 3, 1, 1], 1, 0, 1);
        let y = d.conv(&y, &[16, 1, 3, 3], 1, 1, 8);
        d.conv(&y, &[6, 16, 1, 1], 2, 0, 1)
    });
    check("of windows that leave columns out", 1, |d| {
        let y = d.conv("x", &[8, 3, 1, 1], 1, 0, 1);
        d.conv(&y, &[8, 1, 3, 3], 5, 0, 8)
    });
    check("of windows beyond the cache", 2, |d| {
        let y = d.conv("x", &[8, 3, 1, 1], 1, 0, 1);
        let (weights, bias) = (d.weights(&[8, 1, 3, 3]), d.weights(&[8]));
        let settings: &[(&str, &[i64])] = &[("dilations", &[300, 300]), ("pads", &[300; 4]), ("group", &[8])];
        d.set("Conv", &[&y, &weights, &bias], settings)
    });
    check("gated before a cut", 4, |d| {
        let y = d.conv("x", &[8, 3, 1, 1], 1, 0, 1);
        let y = d.conv(&y, &[8, 1, 3, 3], 2, 1, 8);
        let gate = gates(d, &y, "Relu");
        let y = d.node("Mul", &[&y, &gate]);
        d.conv(&y, &[6, 8, 1, 1], 1, 0, 1)
    });
    check("taken twice", 3, |d| {
        let x = d.conv("x", &[8, 3, 1, 1], 1, 0, 1);
        let y = d.conv(&x, &[8, 1, 3, 3], 1, 1, 8);
        d.node("Mul", &[&x, &y])
    });
}
