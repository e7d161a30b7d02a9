//! Small networks as PyTorch's two exporters write them, against ONNX Runtime and PyTorch (tests/golden/recipe/onnx_graphs.py).

use std::collections::HashMap;
use std::fs::File;
use std::io::copy;

use burn::tensor::{Tensor, TensorData};
use flate2::read::GzDecoder;
use serde_json::Value;

use super::drawing::Drawing;
use super::*;
use crate::kernels::gpu::test_device;
use crate::nets::{Batch, Preprocess, Taps};

const SIZE: usize = 32;

/// Networks, exporters.
const FILES: &[&str] = &[
    "convnext.dynamo",
    "convnext.script",
    "siglip.dynamo",
    "siglip.script",
    "swin.script",
    "vit_timm.dynamo",
    "vit_timm.script",
    "vit_torchvision.dynamo",
    "vit_torchvision.script",
];

/// Without modules of PyTorch's to compare with: in eight bits, channel by channel; as ONNX's zoo has its oldest; with a batch
/// normalization as it was trained; of operators that are several in one, and normalizations in pieces; of functions and
/// normalizations that are in none of the others; of places of the largest and smallest values; with maps made larger and smaller
/// before ONNX 11.
const MADE: &[&str] = &[
    "drawings.script",
    "functions.made",
    "fused.made",
    "largest.made",
    "quantised.script",
    "resize10.made",
    "upsample.made",
    "zoo.made",
];

/// A value's units differ by what `f32` sums in another order differ by: a few hundred roundings of 2^-24, through tens of
/// layers each of which keeps the scale.
const AGREE: f64 = 2e-5;

/// Where activations are rounded to eight bits, such differences make another step of one value in some thousands: a step is
/// 1/255 of a range of about ten times the scale.
const AGREE_IN_STEPS: f64 = 0.04;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx_graphs").join(name)
}

/// The file, unzipped, and what it computes.
fn opened(name: &str, folder: &Path) -> (GraphNetwork, Value) {
    let path = folder.join(format!("{name}.onnx"));
    let zipped = File::open(golden(&format!("{name}.onnx.gz"))).unwrap();
    copy(&mut GzDecoder::new(zipped), &mut File::create(&path).unwrap()).unwrap();
    let json = std::fs::read(golden(&format!("{name}.json"))).unwrap();
    (GraphNetwork::open(&path, None).unwrap_or_else(|error| panic!("{error}")), serde_json::from_slice(&json).unwrap())
}

/// The recipe's two images, and more like them.
fn images(count: usize, device: &Device) -> Batch {
    let bytes = |index: usize| ((index * 7919 + index / 97 * 31) % 256) as u8;
    let units = SIZE * SIZE * 3;
    let image = |n: usize| {
        let n = n % 2;
        let rgb: Vec<u8> = (n * units..(n + 1) * units).map(bytes).collect();
        Preprocess::Tf.apply(&rgb, SIZE)
    };
    let values: Vec<f32> = (0..count).flat_map(image).collect();
    Batch::of(Tensor::from_data(TensorData::new(values, [count, 3, SIZE, SIZE]), device))
}

/// Every tap of a batch of `count` images, loaded for batches of `size`.
fn taps(
    network: &GraphNetwork,
    wanted: &[String],
    size: usize,
    count: usize,
    device: &Device,
) -> HashMap<String, Vec<f32>> {
    let stages = network.load(network.stages.len(), wanted, &[size], device).unwrap();
    let mut taps = Taps::new(wanted.to_vec());
    stages.iter().fold(images(count, device), |batch, stage| stage.forward(batch, &mut taps));
    let values = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
    taps.take().into_iter().map(|(name, tensor)| (name, values(tensor))).collect()
}

/// Compares the second image's units with a sample of the recipe's.
fn compare(about: &str, units: &[f32], sample: &Value) {
    let agree = if about.starts_with("quantised") { AGREE_IN_STEPS } else { AGREE };
    let count = sample[0].as_u64().unwrap() as usize;
    assert_eq!(units.len() % count, 0, "{about}");
    let image = &units[count..2 * count];
    let scale = sample[1].as_f64().unwrap();
    let own = (image.iter().map(|&unit| f64::from(unit).powi(2)).sum::<f64>() / count as f64).sqrt();
    assert!((own - scale).abs() <= agree * scale, "{about}: root mean square {own}, expected {scale}");
    for (n, expected) in sample[2].as_array().unwrap().iter().enumerate() {
        let (unit, expected) = (f64::from(image[(2 * n + 1) * count / 12]), expected.as_f64().unwrap());
        // Six digits were kept.
        let allowed = agree * scale.max(expected.abs()) + 1e-6 * expected.abs();
        assert!((unit - expected).abs() <= allowed, "{about}: {unit}, expected {expected}, at a scale of {scale}");
    }
}

/// Compares every tap of a file with ONNX Runtime's values.
fn compare_all(name: &str, device: &Device) {
    let folder = tempfile::tempdir().unwrap();
    let (network, expected) = opened(name, folder.path());
    let all: Vec<String> = network.layers.iter().map(|layer| layer.name.clone()).collect();
    let seen = taps(&network, &all, 2, 2, device);
    assert_eq!(seen.len(), all.len(), "{name}");
    let mut compared = 0;
    for (layer, (value, _)) in network.layers.iter().zip(&network.places) {
        let value = &network.wiring.names[*value];
        let Some(sample) = expected["values"].get(value) else { continue };
        assert_eq!(seen[&layer.name].len(), 2 * layer.units(), "{name} {}", layer.name);
        compare(&format!("{name} {} ({value})", layer.name), &seen[&layer.name], sample);
        compared += 1;
    }
    assert!(compared >= expected["values"].as_object().unwrap().len() / 2, "{name}: {compared} compared");
}

#[test]
fn every_tap_is_onnx_runtimes() {
    FILES.iter().chain(MADE).for_each(|name| compare_all(name, &Device::flex()));
}

#[test]
fn all_values_of_the_images_are_known_to_have_them_first() {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES.iter().chain(MADE) {
        let (network, _) = opened(name, folder.path());
        assert_eq!(network.images, None, "{name}");
        // A prime that no axis of these is a multiple of by chance.
        let compiled = compile(&network.wiring, &input_shape(101, false, SIZE), None).unwrap();
        let firsts = batch::firsts(&network.wiring, &compiled, 101);
        for (value, is_first) in firsts.into_iter().enumerate() {
            let shape = compiled.known[value].as_ref().filter(|known| known.is_computed()).map(Known::shape);
            let expected = shape.is_some_and(|shape| shape.first() == Some(&101));
            assert_eq!(is_first, expected, "{name}: {}, {shape:?}", network.wiring.names[value]);
        }
    }
}

#[test]
fn a_gpus_functions_are_onnx_runtimes() {
    let Some(device) = test_device() else { return };
    ["functions.made", "largest.made", "upsample.made"].iter().for_each(|name| compare_all(name, &device));
}

#[test]
fn a_module_ends_behind_a_normalization_that_was_folded_into_it() {
    let folder = tempfile::tempdir().unwrap();
    let (network, _) = opened("stem.dynamo", folder.path());
    let value = |name: &str| network.places[network.place(name).unwrap()].0;
    assert_eq!([value("stem"), value("stem.2")], [value("bn"); 2]);
    assert_ne!(value("stem.1"), value("stem"));
}

#[test]
fn blocks_are_what_pytorchs_modules_give() {
    let folder = tempfile::tempdir().unwrap();
    for name in FILES {
        let (network, expected) = opened(name, folder.path());
        let asked = network.layers.iter().filter(|layer| !layer.on_request).map(|layer| layer.name.clone());
        let asked: Vec<String> = asked.collect();
        // Alone, all that is between two of them is joined; in parts, the last one is filled up.
        for (size, count) in [(2, 2), (4, 5)] {
            let seen = taps(&network, &asked, size, count, &Device::flex());
            let mut blocks = 0;
            for layer in &asked {
                let Some(sample) = expected["modules"].get(layer) else { continue };
                assert_eq!(seen[layer].len() % count, 0);
                compare(&format!("{name} {layer} of {count}"), &seen[layer], sample);
                blocks += 1;
            }
            assert!(blocks >= 2, "{name}: {asked:?}");
        }
    }
}

#[test]
fn without_modules_all_layers_are_where_one_value_is_alive() {
    let folder = tempfile::tempdir().unwrap();
    let (zoo, _) = opened("zoo.made", folder.path());
    let asked = |network: &GraphNetwork| -> Vec<String> {
        let asked = network.layers.iter().filter(|layer| !layer.on_request);
        asked.map(|layer| layer.name.clone()).collect()
    };
    assert_eq!(asked(&zoo), ["relu1", "relu2", "relu_up", "relu3", "fc2", "prob"]);
    // Residual blocks: those that PyTorch's modules are, and what stands between them.
    let (named, _) = opened("convnext.dynamo", folder.path());
    let mut model = Model::open(&folder.path().join("convnext.dynamo.onnx")).unwrap();
    for node in &mut model.nodes {
        node.name.clear();
        node.metadata.clear();
    }
    let wiring = Wiring::new(model).unwrap();
    let compiled = compile(&wiring, &input_shape(TRIAL_IMAGES, false, SIZE), None).unwrap();
    let unnamed = GraphNetwork::of(wiring.clone(), &compiled, (None, false, SIZE));
    let value = |network: &GraphNetwork, name: &String| {
        network.wiring.names[network.places[network.place(name).unwrap()].0].clone()
    };
    let (blocks, all) = (asked(&named), asked(&unnamed));
    assert_eq!(blocks.len(), 6, "{blocks:?}");
    for block in &blocks {
        assert!(all.contains(&value(&named, block)), "{block}: {all:?}");
    }
    assert!(all.len() <= blocks.len() + 5, "{all:?}");
}

#[test]
fn the_first_normalization_is_found_where_no_exporter_folded_it() {
    let folder = tempfile::tempdir().unwrap();
    let first = |name: &str| opened(name, folder.path()).0.first_norm().unwrap();
    let norm = first("drawings.script").unwrap();
    assert_eq!((norm.size, norm.kernel.len(), norm.bias.is_none()), ([3, 3], 8 * 27, true));
    assert_eq!((norm.mean.len(), norm.variance.len()), (8, 8));
    assert!(first("quantised.script").is_none() && first("vit_timm.script").is_none() && first("zoo.made").is_none());
}

#[test]
fn a_gpu_computes_what_pytorchs_modules_give() {
    let Some(device) = test_device() else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["convnext.script", "swin.script", "vit_timm.dynamo", "vit_torchvision.script"] {
        let (network, expected) = opened(name, folder.path());
        let asked = network.layers.iter().filter(|layer| !layer.on_request).map(|layer| layer.name.clone());
        let seen = taps(&network, &asked.collect::<Vec<_>>(), 2, 2, &device);
        let known = seen.iter().filter_map(|(layer, units)| Some((layer, units, expected["modules"].get(layer)?)));
        let known: Vec<_> = known.collect();
        assert!(known.len() >= 2, "{name}");
        known.into_iter().for_each(|(layer, units, sample)| compare(&format!("{name} {layer}"), units, sample));
    }
}

#[test]
fn all_layers_are_the_blocks_and_the_output() {
    let folder = tempfile::tempdir().unwrap();
    let all = |name: &str| -> Vec<String> {
        let (network, _) = opened(name, folder.path());
        let asked = network.layers.iter().filter(|layer| !layer.on_request);
        asked
            .filter(|layer| network.wiring.names.iter().all(|name| *name != layer.name))
            .map(|layer| layer.name.clone())
            .collect()
    };
    for exporter in ["dynamo", "script"] {
        assert_eq!(all(&format!("vit_timm.{exporter}")), ["blocks.0", "blocks.1", "head"]);
        let encoder = |n: usize| format!("encoder.layers.encoder_layer_{n}");
        assert_eq!(all(&format!("vit_torchvision.{exporter}")), [encoder(0), encoder(1), "heads".to_string()]);
    }
    let swin = ["layers.0.blocks.0", "layers.0.blocks.1", "layers.1.blocks.0", "layers.1.blocks.1", "head"];
    assert_eq!(all("swin.script"), swin);
    let (network, _) = opened("vit_timm.dynamo", folder.path());
    let named = |names: &[&str]| network.named(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
    assert_eq!(named(&["blocks.*.mlp"]), Ok(vec!["blocks.0.mlp".to_string(), "blocks.1.mlp".to_string()]));
    assert_eq!(named(&["blocks.1.attn", "block.2"]), Err("block.2".to_string()));
    // Cut before every product that one value leads to.
    assert!(network.stages.len() >= 5 && network.stages.iter().all(|stage| stage.carried.len() == 1));
}

#[test]
fn a_graph_that_cannot_be_computed_is_refused_with_its_operators() {
    let folder = tempfile::tempdir().unwrap();
    opened("vit_timm.script", folder.path());
    let path = folder.path().join("vit_timm.script.onnx");
    let whole = std::fs::read(&path).unwrap();
    // Of as many letters, so that the protobuf stays whole.
    let changed = |from: &str, to: &str| {
        let mut bytes = whole.clone();
        let places: Vec<usize> =
            (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from.as_bytes())).collect();
        assert!(!places.is_empty());
        places.iter().for_each(|&at| bytes[at..at + from.len()].copy_from_slice(to.as_bytes()));
        std::fs::write(&path, bytes).unwrap();
        GraphNetwork::open(&path, None).map(|_| ()).unwrap_err().to_string()
    };
    let message = changed("Softmax", "SoftMix");
    assert!(message.contains("operators that this build has not: SoftMix (2 nodes"), "{message}");
    let message = changed("Softmax", "RandomL");
    assert!(message.contains("it draws random numbers, so that no two runs of it are alike: export"), "{message}");
    let message = changed("Erf", "Arf");
    assert!(message.contains("Arf (2 nodes"), "{message}");
}

#[test]
fn what_is_inside_a_stage_at_once_is_planned() {
    let folder = tempfile::tempdir().unwrap();
    let mut drawing = Drawing::default();
    let x = drawing.conv("x", &[8, 3, 3, 3], 1, 1, 1);
    let wide = drawing.conv(&x, &[32, 8, 1, 1], 1, 0, 1);
    let y = drawing.node("Relu", &[&wide]);
    let y = drawing.conv(&y, &[8, 32, 1, 1], 1, 0, 1);
    let y = drawing.node("Add", &[&x, &y]);
    let network = drawing.saved(&y, folder.path());
    let map = drawing::SIZE * drawing::SIZE;
    let most = |wanted: &[&String]| {
        let wanted: Vec<String> = wanted.iter().copied().cloned().collect();
        let inside = network.inside(&wanted).unwrap();
        let most = |of: fn(&Inside) -> usize| inside.iter().map(of).max().unwrap();
        (most(|inside| inside.alive), most(|inside| inside.largest))
    };
    // The sum is computed by the second convolution, of the wide map and what it is added to.
    assert_eq!(most(&[&y]), ((8 + 32 + 8) * map, 32 * map));
    // What is tapped is held, and the activation behind it is a map of its own.
    assert_eq!(most(&[&wide, &y]), ((8 + 32 + 32 + 8) * map, 32 * map));
    // What the CPU does in one pass holds the input until the output is there.
    let mut drawing = Drawing::default();
    let y = drawing.conv("x", &[8, 3, 3, 3], 1, 1, 1);
    let y = drawing.conv(&y, &[8, 8, 1, 1], 1, 0, 1);
    let y = drawing.conv(&y, &[8, 1, 3, 3], 2, 1, 8);
    let y = drawing.conv(&y, &[64, 8, 1, 1], 1, 0, 1);
    let inside = drawing.saved(&y, folder.path()).inside(std::slice::from_ref(&y)).unwrap();
    assert_eq!(inside.last().unwrap().alive, (8 + 64 / 4) * map);
}

#[test]
fn large_weights_in_eight_bits_are_scaled_though_they_were_moved() {
    let moves: [fn(&mut Drawing, &str) -> String; 3] = [
        |drawing, steps| drawing.turned(steps, &[1, 0]),
        |drawing, steps| {
            let other = drawing.ones(3, &[300, 272]);
            drawing.node("CastLike", &[steps, &other])
        },
        |drawing, steps| {
            let few = drawing.ones(3, &[10, 272]);
            drawing.set("Concat", &[steps, &few], &[("axis", &[0])])
        },
    ];
    for moved in moves {
        let folder = tempfile::tempdir().unwrap();
        let mut drawing = Drawing::default();
        // INT8, more than are read at once.
        let (steps, scale) = (drawing.ones(3, &[300, 272]), drawing.number(0.5));
        let moved = moved(&mut drawing, &steps);
        let weights = drawing.node("DequantizeLinear", &[&moved, &scale]);
        let most = drawing.set("ReduceMax", &[&weights], &[("keepdims", &[0])]);
        let y = drawing.conv("x", &[4, 3, 3, 3], 1, 1, 1);
        let y = drawing.node("Mul", &[&y, &most]);
        let network = drawing.saved(&y, folder.path());
        let compiled = compile(&network.wiring, &input_shape(2, false, drawing::SIZE), None).unwrap();
        let value = network.wiring.names.iter().position(|name| *name == most).unwrap();
        assert_eq!(compiled.number(value), Some(0.5), "{moved}");
    }
}

mod choice;
mod maps;
mod masks;
mod refused;
mod values;

#[test]
fn an_input_that_is_no_image_is_told_by_its_shape() {
    let refused = image(Some(vec![Some(1), Some(4), Some(8), None]), None).unwrap_err();
    assert_eq!(refused, "takes an input of shape [1, 4, 8, ?], expected images [images, 3, height, width]");
}
