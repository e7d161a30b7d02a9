//! Which layers `layers = "all"` means.

use std::collections::HashMap;
use std::mem;

use super::super::compile::compile;
use super::super::drawing::Drawing;
use super::super::wiring::Wiring;
use super::super::{GraphNetwork, TRIAL_IMAGES, input_shape};
use super::values::text;
use super::{SIZE, opened};
use crate::weights::onnx::model::Model;
use crate::weights::onnx::proto::AttributeProto;

/// What is drawn, but for modules inside, as PyTorch's older exporter names a module's nodes.
fn module(drawing: &mut Drawing, path: &str, draw: impl FnOnce(&mut Drawing) -> String) -> String {
    let first = drawing.nodes.len();
    let value = draw(drawing);
    for node in drawing.nodes[first..].iter_mut().filter(|node| !node.name.starts_with('/')) {
        node.name = format!("/{path}/{}", node.op_type);
    }
    value
}

/// Two convolutions, of four channels.
fn convolutions(drawing: &mut Drawing, path: &str, x: &str, channels: usize) -> String {
    module(drawing, path, |drawing| {
        let y = drawing.conv(x, &[4, channels, 1, 1], 1, 0, 1);
        drawing.conv(&y, &[4, 4, 3, 3], 1, 1, 1)
    })
}

fn asked(network: &GraphNetwork) -> Vec<&str> {
    network.layers.iter().filter(|layer| !layer.on_request).map(|layer| layer.name.as_str()).collect()
}

/// The layers of what is drawn behind a convolution to four channels.
fn chosen(draw: impl FnOnce(&mut Drawing, String) -> String) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut drawing = Drawing::default();
    let x = module(&mut drawing, "stem", |drawing| drawing.conv("x", &[4, 3, 3, 3], 2, 1, 1));
    let y = draw(&mut drawing, x);
    let network = drawing.saved(&y, folder.path());
    asked(&network).into_iter().map(str::to_string).collect()
}

#[test]
fn what_a_sum_leads_past_is_part_of_a_block() {
    let found = chosen(|drawing, x| {
        (1..=3).fold(x, |x, block| {
            module(drawing, &format!("block{block}"), |drawing| {
                let y = convolutions(drawing, &format!("block{block}.rep.0"), &x, 4);
                let y = convolutions(drawing, &format!("block{block}.rep.3"), &y, 4);
                // The last is without a shortcut, and of the same kind.
                if block < 3 { drawing.node("Add", &[&x, &y]) } else { y }
            })
        })
    });
    assert_eq!(found, ["block1", "block2", "block3"]);
}

#[test]
fn blocks_of_a_stage_are_not_its_parts() {
    let found = chosen(|drawing, x| {
        (1..=2).fold(x, |x, stage| {
            module(drawing, &format!("layer{stage}"), |drawing| {
                (0..2).fold(x, |x, block| {
                    let path = format!("layer{stage}.{block}");
                    module(drawing, &path, |drawing| {
                        let y = convolutions(drawing, &format!("{path}.convs"), &x, 4);
                        drawing.node("Add", &[&x, &y])
                    })
                })
            })
        })
    });
    assert_eq!(found, ["layer1.0", "layer1.1", "layer2.0", "layer2.1"]);
}

#[test]
fn what_is_concatenated_past_layers_leaves_them_layers() {
    let found = chosen(|drawing, x| {
        let (y, _) = (1..=2).fold((x, 4), |(x, channels), block| {
            let path = format!("block{block}");
            let y = module(drawing, &path, |drawing| {
                (1..=2).fold(x, |x, layer| {
                    let y = convolutions(drawing, &format!("{path}.layer{layer}"), &x, channels + 4 * (layer - 1));
                    drawing.set("Concat", &[&x, &y], &[("axis", &[1])])
                })
            });
            (y, channels + 8)
        });
        y
    });
    // The last is the output.
    assert_eq!(found, ["block1.layer1", "block1.layer2", "block2.layer1", "block2.layer2", "block2"]);
}

#[test]
fn branches_side_by_side_are_parts_though_each_is_a_list() {
    let found = chosen(|drawing, x| {
        let (y, _) = (2..=3).fold((x, 4), |(x, channels), stage| {
            let path = format!("stage{stage}");
            let y = module(drawing, &path, |drawing| {
                let branch = |drawing: &mut Drawing, branch: usize| {
                    let y = convolutions(drawing, &format!("{path}.branches.{branch}.0"), &x, channels);
                    convolutions(drawing, &format!("{path}.branches.{branch}.1"), &y, 4)
                };
                let (a, b) = (branch(drawing, 0), branch(drawing, 1));
                drawing.set("Concat", &[&a, &b], &[("axis", &[1])])
            });
            (y, 8)
        });
        y
    });
    assert_eq!(found, ["stage2", "stage3"]);
}

/// Two convolutions with a sum past them, computed twice, as in a network with recurrence.
fn area(drawing: &mut Drawing, path: &str, x: String) -> String {
    let kernels = [drawing.weights(&[4, 4, 1, 1]), drawing.weights(&[4, 4, 1, 1])];
    (0..2).fold(x, |x, _| {
        let y = (1..).zip(&kernels).fold(x.clone(), |y, (at, kernel)| {
            let settings: &[(&str, &[i64])] = &[("kernel_shape", &[1, 1])];
            module(drawing, &format!("{path}.conv{at}"), |drawing| drawing.set("Conv", &[&y, kernel], settings))
        });
        module(drawing, path, |drawing| drawing.node("Add", &[&x, &y]))
    })
}

#[test]
fn what_has_no_number_is_a_block_behind_blocks_beside_it() {
    // CORnet's.
    let found = chosen(|drawing, x| {
        let y = ["V1", "V2", "V4", "IT"].into_iter().fold(x, |x, path| area(drawing, path, x));
        module(drawing, "decoder", |drawing| drawing.node("GlobalAveragePool", &[&y]))
    });
    assert_eq!(found, ["V1", "V2", "V4", "IT", "decoder"]);
}

#[test]
fn a_convolution_that_is_computed_again_and_again_is_no_block() {
    let found = chosen(|drawing, x| {
        let y = ["near", "far"].into_iter().fold(x, |x, path| area(drawing, path, x));
        module(drawing, "decoder", |drawing| drawing.node("GlobalAveragePool", &[&y]))
    });
    assert!(!found.iter().any(|layer| layer.contains(".conv")), "{found:?}");
}

#[test]
fn a_block_may_take_its_weights_twice() {
    // As sparse coding does, by a dictionary and its transpose.
    let found = chosen(|drawing, x| {
        (0..3).fold(x, |x, at| {
            let kernel = drawing.weights(&[4, 4, 1, 1]);
            module(drawing, &format!("layers.{at}"), |drawing| {
                let settings: &[(&str, &[i64])] = &[("kernel_shape", &[1, 1])];
                let y = drawing.set("Conv", &[&x, &kernel], settings);
                let y = drawing.node("Relu", &[&y]);
                let y = drawing.set("ConvTranspose", &[&y, &kernel], settings);
                drawing.node("Add", &[&x, &y])
            })
        })
    });
    assert_eq!(found[..3], ["layers.0", "layers.1", "layers.2"], "{found:?}");
}

#[test]
fn gates_and_classifiers_beside_blocks_are_none() {
    let found = chosen(|drawing, x| {
        let x = (1..3).fold(x, |x, at| convolutions(drawing, &format!("stage1/sep{at}"), &x, 4));
        let gate = drawing.node("GlobalAveragePool", &[&x]);
        let gate = convolutions(drawing, "stage1/se", &gate, 4);
        let x = module(drawing, "stage1", |drawing| drawing.node("Mul", &[&x, &gate]));
        let x = module(drawing, "pool", |drawing| drawing.node("GlobalAveragePool", &[&x]));
        let x = convolutions(drawing, "classifier", &x, 4);
        module(drawing, "softmax", |drawing| drawing.set("Softmax", &[&x], &[("axis", &[1])]))
    });
    assert_eq!(found, ["stage1.sep1", "stage1.sep2", "softmax"]);
}

#[test]
fn where_nothing_names_modules_a_layer_is_behind_its_fused_activation() {
    let folder = tempfile::tempdir().unwrap();
    let (mut drawing, mut x) = (Drawing::default(), "x".to_string());
    let mut expected = Vec::new();
    for channels in [3, 4, 4, 4] {
        x = drawing.conv(&x, &[4, channels, 3, 3], 1, 1, 1);
        let node = drawing.nodes.last_mut().unwrap();
        (node.op_type, node.domain) = ("FusedConv".to_string(), "com.microsoft".to_string());
        node.attribute.push(text("activation", "Clip"));
        let (name, floats) = ("activation_params".to_string(), vec![0.0, 6.0]);
        node.attribute.push(AttributeProto { name, floats, ..AttributeProto::default() });
        expected.push(x.clone());
    }
    expected.push(drawing.node("GlobalAveragePool", &[&x]));
    let network = drawing.saved(expected.last().unwrap(), folder.path());
    assert_eq!(asked(&network), expected);
}

#[test]
fn an_optimizers_names_change_no_layer() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, _) = opened("vit_timm.script", folder.path());
    let mut model = Model::open(&folder.path().join("vit_timm.script.onnx")).unwrap();
    // onnxsim names products and what they give anew; of sums, those that stay give what they gave.
    let mut renamed = HashMap::new();
    for (n, node) in model.nodes.iter_mut().enumerate() {
        match node.op_type.as_str() {
            "MatMul" => {
                node.name = format!("Gemm_{n}");
                let own = format!("_v_{n}");
                renamed.insert(mem::replace(&mut node.output[0], own.clone()), own);
            }
            "Add" => node.name = format!("Reshape_{n}"),
            _ => {}
        }
    }
    for name in model.nodes.iter_mut().flat_map(|node| &mut node.input) {
        if let Some(own) = renamed.get(name) {
            name.clone_from(own);
        }
    }
    let wiring = Wiring::new(model).unwrap();
    let compiled = compile(&wiring, &input_shape(TRIAL_IMAGES, false, SIZE), None).unwrap();
    let simplified = GraphNetwork::of(wiring.clone(), &compiled, (None, false, SIZE));
    assert_eq!(asked(&plain), ["blocks.0", "blocks.1", "head"]);
    assert_eq!(asked(&simplified), asked(&plain));
    let value = |network: &GraphNetwork, layer: &str| {
        network.wiring.names[network.places[network.place(layer).unwrap()].0].clone()
    };
    for layer in ["blocks.0", "blocks.1", "blocks.0.attn", "blocks.0.mlp", "blocks.1.mlp.fc2"] {
        assert_eq!(value(&simplified, layer), value(&plain, layer), "{layer}");
    }
}

/// What an optimizer leaves of the names of PyTorch's older exporter: the value of the last node is named as the node is.
fn told(drawing: &mut Drawing, path: &str, draw: impl FnOnce(&mut Drawing) -> String) -> String {
    module(drawing, path, draw);
    let node = drawing.nodes.last_mut().unwrap();
    node.output[0] = format!("{}_output_{}", node.name, node.output[0]);
    node.output[0].clone()
}

#[test]
fn the_sum_before_the_last_normalization_is_the_last_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let mut drawing = Drawing::default();
    let d = &mut drawing;
    let x = d.conv("x", &[4, 3, 3, 3], 2, 1, 1);
    let y = convolutions(d, "blocks/blocks.0/mlp", &x, 4);
    let x = told(d, "blocks/blocks.0", |d| d.node("Add", &[&x, &y]));
    let y = convolutions(d, "blocks/blocks.1/attn", &x, 4);
    let x = told(d, "blocks/blocks.1", |d| d.node("Add", &[&x, &y]));
    let y = told(d, "blocks/blocks.1/mlp/fc2", |d| d.conv(&x, &[4, 4, 1, 1], 1, 0, 1));
    let inputs = [d.weights(&[8]), d.weights(&[8]), d.weights(&[8])];
    let [scale, shift, bias] = inputs.each_ref().map(String::as_str);
    let z = told(d, "norm", |d| d.node("SkipLayerNormalization", &[&y, &x, scale, shift, bias]));
    let node = d.nodes.last_mut().unwrap();
    (node.name, node.domain) = ("SkipLayerNorm_AddBias_3".to_string(), "com.microsoft".to_string());
    let network = drawing.saved(&z, folder.path());
    assert_eq!(asked(&network), ["blocks.0", "blocks.1", "norm"]);
    let value = |layer: &str| &network.wiring.names[network.places[network.place(layer).unwrap()].0];
    assert_eq!([value("blocks.1.mlp.fc2"), value("blocks.1")], [&format!("{z} (0)"), &format!("{z} (1)")]);
}

#[test]
fn a_convolution_that_an_optimizer_joined_with_its_activation_ends_before_that() {
    let folder = tempfile::tempdir().unwrap();
    let mut drawing = Drawing::default();
    let d = &mut drawing;
    let y = told(d, "relu", |d| d.conv("x", &[4, 3, 3, 3], 2, 1, 1));
    let node = d.nodes.last_mut().unwrap();
    (node.op_type, node.domain) = ("FusedConv".to_string(), "com.microsoft".to_string());
    node.name = "/conv/Conv".to_string();
    node.attribute.push(text("activation", "Relu"));
    let z = module(d, "pool", |d| d.node("GlobalAveragePool", &[&y]));
    let network = drawing.saved(&z, folder.path());
    let value = |layer: &str| &network.wiring.names[network.places[network.place(layer).unwrap()].0];
    assert_eq!([value("conv"), value("relu")], [&format!("{y} (0)"), &y]);
}
