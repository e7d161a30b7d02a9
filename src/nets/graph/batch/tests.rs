//! Graphs of fixed batches whose other axes are as long, and what of them is offered: of every layer, a change of one image
//! changes that image's units alone.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::super::GraphNetwork;
use super::super::drawing::{Drawing, SIZE};
use crate::nets::{Batch, Taps};

/// As many as there are tokens.
const IMAGES: usize = 16;

/// The layers' units of `count` images, the one at `other` another one.
fn units(network: &GraphNetwork, count: usize, other: Option<usize>) -> HashMap<String, Vec<f32>> {
    let all: Vec<String> = network.layers.iter().map(|layer| layer.name.clone()).collect();
    let device = Device::flex();
    let stages = network.load(network.stages.len(), &all, &[count], &device).unwrap();
    let own = 3 * SIZE * SIZE;
    let value = |n: usize| ((n + 1) * if other == Some(n / own) { 7919 } else { 104_729 } % 4001) as f32 / 2000.0 - 1.0;
    let images = TensorData::new((0..count * own).map(value).collect::<Vec<f32>>(), [count, 3, SIZE, SIZE]);
    let mut taps = Taps::new(all);
    let images = Batch::of(Tensor::from_data(images, &device));
    stages.iter().fold(images, |batch, stage| stage.forward(batch, &mut taps));
    taps.take().into_iter().map(|(name, tensor)| (name, tensor.into_data().try_to_vec().unwrap())).collect()
}

/// The network of a drawing, of which every layer is of one image.
fn opened(drawing: Drawing, result: &str, images: Option<usize>) -> GraphNetwork {
    let folder = tempfile::tempdir().unwrap();
    let network = drawing.opened(result, images.map(|images| images as i64), folder.path());
    let network = network.unwrap_or_else(|error| panic!("{error}"));
    let count = images.unwrap_or(5);
    let (plain, changed) = (units(&network, count, None), units(&network, count, Some(1)));
    for (layer, plain) in &plain {
        let own = plain.len() / count;
        let rows = plain.chunks(own).zip(changed[layer].chunks(own)).enumerate();
        let differ: Vec<usize> = rows.filter(|(_, (plain, changed))| plain != changed).map(|(row, _)| row).collect();
        assert_eq!(differ, [1], "{layer}");
    }
    network
}

/// Attention over the tokens of `images`, its queries, keys and values apart by `order` of images, tokens, those three, heads and
/// units; what comes in, what is inside, what comes out.
fn attention(images: usize, heads: usize, order: &[i64; 5], free: bool) -> (GraphNetwork, [Vec<String>; 2]) {
    let mut d = Drawing::default();
    let tokens = d.tokens("x");
    let qkv = d.dense(&tokens, 12, 36);
    let units = (12 / heads) as i64;
    let apart = d.reshaped(&qkv, &[if free { -1 } else { images as i64 }, 16, 3, heads as i64, units]);
    let turned = d.turned(&apart, order);
    let mut part = |n: i64| {
        let at = d.whole(&[n]);
        let part = d.set("Gather", &[&turned, &at], &[("axis", &[0])]);
        let axes = d.whole(&[0]);
        d.node("Squeeze", &[&part, &axes])
    };
    let parts = [part(0), part(1), part(2)];
    let keys = d.turned(&parts[1], &[0, 1, 3, 2]);
    let scores = d.node("MatMul", &[&parts[0], &keys]);
    let weights = d.set("Softmax", &[&scores], &[("axis", &[-1])]);
    let mixed = d.node("MatMul", &[&weights, &parts[2]]);
    // Images, tokens, heads, units.
    let back: &[i64] = if order[1] == 0 { &[0, 2, 1, 3] } else { &[1, 2, 0, 3] };
    let back = d.turned(&mixed, back);
    let result = d.reshaped(&back, &[if free { -1 } else { images as i64 }, 16, 12]);
    let inside = [parts.to_vec(), vec![keys, scores, weights, mixed]].concat();
    let network = opened(d, &result, (!free).then_some(images));
    (network, [[vec![turned], inside].concat(), vec![tokens, qkv, apart, back, result]])
}

fn offered(network: &GraphNetwork, name: &str) -> bool {
    network.layers.iter().any(|layer| layer.name == name)
}

#[test]
fn queries_keys_and_values_side_by_side_are_no_three_images() {
    let (network, [inside, around]) = attention(3, 2, &[2, 0, 3, 1, 4], false);
    assert!(!offered(&network, &inside[0]) && network.computes(&inside[0]) && !network.computes("c0"));
    assert_eq!(network.named(&inside[..1]), Err(inside[0].clone()));
    assert!(inside[1..].iter().chain(&around).all(|name| offered(&network, name)));
    // Of any number of images, the same are offered.
    let (free, _) = attention(3, 2, &[2, 0, 3, 1, 4], true);
    let names = |network: &GraphNetwork| network.layers.iter().map(|layer| layer.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&network), names(&free));
}

#[test]
fn as_many_heads_as_images_are_no_images() {
    for (images, free) in [(12, false), (12, true)] {
        let (network, [inside, around]) = attention(images, 12, &[2, 3, 0, 1, 4], free);
        assert!(!inside.iter().any(|name| offered(&network, name)));
        assert!(around.iter().all(|name| offered(&network, name)));
    }
}

#[test]
fn what_a_reshape_mixed_is_not_offered_until_it_is_back() {
    for images in [Some(4), None] {
        let mut d = Drawing::default();
        let tokens = d.tokens("x");
        let turned = d.turned(&tokens, &[1, 0, 2]);
        let mixed = d.reshaped(&turned, &[-1, 16, 12]);
        let twice = d.node("Relu", &[&mixed]);
        let back = d.reshaped(&twice, &[16, -1, 12]);
        let result = d.turned(&back, &[1, 0, 2]);
        let network = opened(d, &result, images);
        assert!([&turned, &mixed, &twice, &back].iter().all(|name| !offered(&network, name)), "{images:?}");
        assert!(offered(&network, &tokens), "{images:?}");
    }
}

#[test]
fn where_images_are_mixed_for_good_it_is_said() {
    let mut d = Drawing::default();
    let tokens = d.tokens("x");
    let rows = d.reshaped(&tokens, &[-1, 192]);
    let turned = d.turned(&rows, &[1, 0]);
    let scores = d.node("MatMul", &[&rows, &turned]);
    let weights = d.set("Softmax", &[&scores], &[("axis", &[-1])]);
    let result = d.node("MatMul", &[&weights, &rows]);
    let folder = tempfile::tempdir().unwrap();
    let network = d.opened(&result, None, folder.path()).unwrap_or_else(|error| panic!("{error}"));
    assert!(offered(&network, &rows) && !offered(&network, &result));
    let doubt = network.doubt_of_images().unwrap();
    assert!(doubt.contains(&format!("({result})")) && doubt.ends_with(&rows), "{doubt}");
    assert_eq!(attention(3, 2, &[2, 0, 3, 1, 4], true).0.doubt_of_images(), None);
}

#[test]
fn windows_are_images_again_once_they_are_put_together() {
    let mut d = Drawing::default();
    let tokens = d.tokens("x");
    let windows = d.reshaped(&tokens, &[-1, 2, 2, 12]);
    let windows = d.turned(&windows, &[0, 2, 1, 3]);
    let windows = d.reshaped(&windows, &[-1, 4, 12]);
    let inside = d.dense(&windows, 12, 12);
    let inside = d.set("Softmax", &[&inside], &[("axis", &[1])]);
    let result = d.reshaped(&inside, &[IMAGES as i64, 16, 12]);
    let network = opened(d, &result, Some(IMAGES));
    assert!(!offered(&network, &inside) && offered(&network, &result));
}

#[test]
fn along_every_operator_the_images_are_followed_or_given_up() {
    type Draw = fn(&mut Drawing, &str) -> String;
    fn set(d: &mut Drawing, x: &str, operator: &str, setting: (&str, &[i64])) -> String {
        d.set(operator, &[x], &[setting])
    }
    fn with(d: &mut Drawing, x: &str, operator: &str, wholes: &[&[i64]]) -> String {
        let wholes: Vec<String> = wholes.iter().map(|whole| d.whole(whole)).collect();
        let inputs: Vec<&str> = [x].into_iter().chain(wholes.iter().map(String::as_str)).collect();
        d.node(operator, &inputs)
    }
    fn einsum(d: &mut Drawing, x: &str, equation: &str) -> String {
        let y = d.node("Einsum", &[x, x]);
        let setting = crate::weights::onnx::proto::AttributeProto {
            name: "equation".to_string(),
            s: equation.as_bytes().to_vec(),
            ..Default::default()
        };
        d.nodes.last_mut().unwrap().attribute.push(setting);
        y
    }
    // Of `[images, 16, 12]`; all that come out have 16 places first.
    let cases: &[(&str, bool, Draw)] = &[
        ("softmax of tokens", true, |d, x| set(d, x, "Softmax", ("axis", &[1]))),
        ("softmax of images", false, |d, x| set(d, x, "Softmax", ("axis", &[0]))),
        ("norm of tokens", true, |d, x| set(d, x, "LpNormalization", ("axis", &[1]))),
        ("norm of images", false, |d, x| set(d, x, "LpNormalization", ("axis", &[0]))),
        ("mean of tokens", true, |d, x| {
            let axes = d.whole(&[1]);
            d.set("ReduceMean", &[x, &axes], &[("keepdims", &[0])])
        }),
        ("mean of images", false, |d, x| {
            let axes = d.whole(&[0]);
            d.set("ReduceMean", &[x, &axes], &[("keepdims", &[0])])
        }),
        ("without the mean of images", false, |d, x| {
            let axes = d.whole(&[0]);
            let mean = d.set("ReduceMean", &[x, &axes], &[("keepdims", &[1])]);
            d.node("Sub", &[x, &mean])
        }),
        ("sums along tokens", true, |d, x| {
            let axis = d.number(1.0);
            d.node("CumSum", &[x, &axis])
        }),
        ("sums along images", false, |d, x| {
            let axis = d.number(0.0);
            d.node("CumSum", &[x, &axis])
        }),
        ("products within", true, |d, x| einsum(d, x, "bnc,bmc->bnm")),
        ("products with the tokens first", false, |d, x| einsum(d, x, "bnc,bmc->nbm")),
        ("products across", false, |d, x| einsum(d, x, "bnc,amc->nbma")),
        ("tokens with tokens", true, |d, x| {
            let turned = d.turned(x, &[0, 2, 1]);
            d.node("MatMul", &[x, &turned])
        }),
        ("images with tokens", false, |d, x| {
            let turned = d.turned(x, &[1, 0, 2]);
            d.node("Add", &[x, &turned])
        }),
        ("some tokens", true, |d, x| {
            let at = d.whole(&[3, 0, 2]);
            d.set("Gather", &[x, &at], &[("axis", &[1])])
        }),
        ("images in another order", false, |d, x| {
            let at = d.whole(&(0..16).rev().collect::<Vec<i64>>());
            d.set("Gather", &[x, &at], &[("axis", &[0])])
        }),
        ("every second token", true, |d, x| with(d, x, "Slice", &[&[0], &[16], &[1], &[2]])),
        ("images the other way round", false, |d, x| with(d, x, "Slice", &[&[-1], &[-100], &[0], &[-1]])),
        ("a border of tokens", true, |d, x| with(d, x, "Pad", &[&[0, 1, 0, 0, 1, 0]])),
        ("images pushed on", false, |d, x| with(d, x, "Pad", &[&[1, 0, 0, -1, 0, 0]])),
        ("tokens twice", true, |d, x| with(d, x, "Tile", &[&[1, 2, 1]])),
        ("tokens behind tokens", true, |d, x| d.set("Concat", &[x, x], &[("axis", &[1])])),
        ("half the images twice", false, |d, x| {
            let half = with(d, x, "Slice", &[&[0], &[8], &[0], &[1]]);
            d.set("Concat", &[&half, &half], &[("axis", &[0])])
        }),
        ("larger maps", true, |d, x| {
            let scales = d.constant(vec![1.0, 2.0, 1.0], &[3]);
            d.node("Resize", &[x, "", &scales])
        }),
        ("between images", false, |d, x| {
            let scales = d.constant(vec![1.03, 1.0, 1.0], &[3]);
            d.node("Resize", &[x, "", &scales])
        }),
    ];
    for (about, is_offered, draw) in cases {
        let mut d = Drawing::default();
        let tokens = d.tokens("x");
        let result = draw(&mut d, &tokens);
        let network = opened(d, &result, Some(IMAGES));
        assert_eq!(offered(&network, &result), *is_offered, "{about}");
    }
}
