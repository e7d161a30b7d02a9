//! Small graphs of every pattern: joined, not joined because all is tapped, and joined but for one value that is tapped.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};
use prost::Message;

use super::super::GraphNetwork;
use crate::kernels::gpu::test_device;
use crate::nets::{Batch, Taps};
use crate::weights::WeightsError;
use crate::weights::onnx::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, ShapeProto, TensorProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};

const SIZE: usize = 16;
const IMAGES: usize = 3;

/// A graph as it is drawn.
#[derive(Default)]
struct Drawing {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    /// What comes out beside the result.
    beside: Vec<String>,
}

impl Drawing {
    fn node(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.set(operator, inputs, &[])
    }

    /// With settings of whole numbers, of one or several.
    fn set(&mut self, operator: &str, inputs: &[&str], settings: &[(&str, &[i64])]) -> String {
        let name = format!("v{}", self.nodes.len());
        let setting = |(name, values): &(&str, &[i64])| match values {
            [value] if !matches!(*name, "perm" | "pads" | "kernel_shape") => {
                AttributeProto { name: name.to_string(), i: *value, ..AttributeProto::default() }
            }
            values => AttributeProto { name: name.to_string(), ints: values.to_vec(), ..AttributeProto::default() },
        };
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: vec![name.clone()],
            name: format!("node_{name}"),
            op_type: operator.to_string(),
            attribute: settings.iter().map(setting).collect(),
            ..NodeProto::default()
        });
        name
    }

    fn constant(&mut self, values: Vec<f32>, shape: &[usize]) -> String {
        let name = format!("c{}", self.constants.len());
        let dims = shape.iter().map(|&length| length as i64).collect();
        let tensor =
            TensorProto { name: name.clone(), dims, data_type: 1, float_data: values, ..TensorProto::default() };
        self.constants.push(tensor);
        name
    }

    fn number(&mut self, value: f32) -> String {
        self.constant(vec![value], &[])
    }

    fn whole(&mut self, values: &[i64]) -> String {
        let name = format!("c{}", self.constants.len());
        let dims = vec![values.len() as i64];
        let int64_data = values.to_vec();
        let tensor = TensorProto { name: name.clone(), dims, data_type: 7, int64_data, ..TensorProto::default() };
        self.constants.push(tensor);
        name
    }

    /// Numbers between -1 and 1 in no order, so small that sums of them are as large.
    fn weights(&mut self, shape: &[usize]) -> String {
        let (seed, count) = (self.constants.len(), shape.iter().product::<usize>());
        let scale = if shape.len() > 1 { (3.0 * shape[0] as f32 / count as f32).sqrt().min(1.0) } else { 1.0 };
        let number = |n: usize| ((n + 1) * (2 * seed + 7919) % 2003) as f32 / 1001.0 - 1.0;
        self.constant((0..count).map(|n| scale * number(n)).collect(), shape)
    }

    /// Of a type that is not read, by ONNX's number.
    fn unread(&mut self, data_type: i32, shape: &[i64]) -> String {
        let name = format!("c{}", self.constants.len());
        let (dims, raw_data) = (shape.to_vec(), Some(vec![1; 8].into()));
        self.constants.push(TensorProto { name: name.clone(), dims, data_type, raw_data, ..TensorProto::default() });
        name
    }

    fn reshaped(&mut self, x: &str, shape: &[i64]) -> String {
        let shape = self.whole(shape);
        self.node("Reshape", &[x, &shape])
    }

    fn turned(&mut self, x: &str, order: &[i64]) -> String {
        self.set("Transpose", &[x], &[("perm", order)])
    }

    fn dense(&mut self, x: &str, inputs: usize, outputs: usize) -> String {
        let (weights, bias) = (self.weights(&[inputs, outputs]), self.weights(&[outputs]));
        let y = self.node("MatMul", &[x, &weights]);
        self.node("Add", &[&bias, &y])
    }

    fn conv(&mut self, x: &str, kernel: &[usize; 4], stride: i64, pad: i64, groups: i64) -> String {
        let (weights, bias) = (self.weights(kernel), self.weights(&kernel[..1]));
        let settings: &[(&str, &[i64])] = &[
            ("kernel_shape", &[kernel[2] as i64, kernel[3] as i64]),
            ("strides", &[stride, stride]),
            ("pads", &[pad; 4]),
            ("group", &[groups]),
        ];
        self.set("Conv", &[x, &weights, &bias], settings)
    }

    /// `[images, 16, 12]` of the images' patches.
    fn tokens(&mut self, x: &str) -> String {
        let y = self.conv(x, &[12, 3, 4, 4], 4, 0, 1);
        let y = self.reshaped(&y, &[0, 12, -1]);
        self.turned(&y, &[0, 2, 1])
    }

    fn norm(&mut self, x: &str, units: usize) -> String {
        let (gamma, beta) = (self.weights(&[units]), self.weights(&[units]));
        self.set("LayerNormalization", &[x, &gamma, &beta], &[("axis", &[-1])])
    }

    fn saved(self, result: &str, folder: &std::path::Path) -> GraphNetwork {
        self.opened(result, None, folder).unwrap_or_else(|error| panic!("{error}"))
    }

    /// For so many images, or any number.
    fn opened(self, result: &str, images: Option<i64>, folder: &std::path::Path) -> Result<GraphNetwork, WeightsError> {
        let dim = |value: Option<i64>| DimensionProto { value, name: value.is_none().then(|| "batch".to_string()) };
        let side = SIZE as i64;
        let shape = Some(ShapeProto { dim: [images, Some(3), Some(side), Some(side)].map(dim).to_vec() });
        let tensor = Some(TensorTypeProto { data_type: 1, shape });
        let input = ValueInfoProto { name: "x".to_string(), value_type: Some(TypeProto { tensor }) };
        let results = [result.to_string()].into_iter().chain(self.beside);
        let output = results.map(|name| ValueInfoProto { name, value_type: None }).collect();
        let graph = GraphProto { node: self.nodes, initializer: self.constants, input: vec![input], output };
        let opset = OperatorSetIdProto { domain: String::new(), version: 20 };
        let model = ModelProto { graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() };
        let path = folder.join("graph.onnx");
        std::fs::write(&path, model.encode_to_vec()).unwrap();
        GraphNetwork::open(&path, None)
    }
}

/// The values of the layers wanted, and how many steps there are.
fn run(network: &GraphNetwork, wanted: &[String], device: &Device) -> (HashMap<String, Vec<f32>>, usize) {
    let stages = network.programs(network.stages.len(), wanted, &[IMAGES], device).unwrap();
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
    let folder = tempfile::tempdir().unwrap();
    let mut drawing = Drawing::default();
    let result = draw(&mut drawing);
    let network = drawing.saved(&result, folder.path());
    let all: Vec<String> = network.layers.iter().map(|layer| layer.name.clone()).collect();
    let cpu = Device::flex();
    let (expected, most) = run(&network, &all, &cpu);
    let (joined, found) = run(&network, std::slice::from_ref(&result), &cpu);
    compare(about, &joined[&result], &expected[&result]);
    assert_eq!(found, steps, "{about}: steps, of {most}");
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
fn attention_is_one_step_however_it_is_written() {
    let attend = |d: &mut Drawing, [q, k, v]: [&str; 3]| {
        let y = d.node("MatMul", &[q, k]);
        let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
        d.node("MatMul", &[&y, v])
    };
    // Patches, queries to values, attention, the layer after it with the sum.
    check("timm", 4, |d| {
        let x = d.tokens("x");
        let y = d.dense(&x, 12, 36);
        let y = d.reshaped(&y, &[0, 16, 3, 3, 4]);
        let y = d.turned(&y, &[2, 0, 3, 1, 4]);
        let parts = [0i64, 1, 2].map(|n| {
            let place = d.whole(&[n]);
            let part = d.set("Gather", &[&y, &place], &[("axis", &[0])]);
            let axis = d.whole(&[0]);
            d.node("Squeeze", &[&part, &axis])
        });
        let scale = d.number(0.707);
        let k = d.turned(&parts[1], &[0, 1, 3, 2]);
        let (q, k) = (d.node("Mul", &[&parts[0], &scale]), d.node("Mul", &[&k, &scale]));
        let y = attend(d, [&q, &k, &parts[2]]);
        let y = d.turned(&y, &[0, 2, 1, 3]);
        let y = d.reshaped(&y, &[0, 16, 12]);
        let y = d.dense(&y, 12, 12);
        d.node("Add", &[&x, &y])
    });
    // Tokens before images, heads and images as one.
    check("torchvision", 5, |d| {
        let x = d.tokens("x");
        let y = d.norm(&x, 12);
        let y = d.turned(&y, &[1, 0, 2]);
        let y = d.dense(&y, 12, 36);
        let y = d.reshaped(&y, &[16, -1, 3, 12]);
        let y = d.turned(&y, &[2, 0, 1, 3]);
        let parts = [0i64, 1, 2].map(|n| {
            let place = d.whole(&[n]);
            let part = d.set("Gather", &[&y, &place], &[("axis", &[0])]);
            let part = d.reshaped(&part, &[16, -1, 4]);
            let part = d.turned(&part, &[1, 0, 2]);
            d.reshaped(&part, &[-1, 3, 16, 4])
        });
        let scale = d.number(0.5);
        let k = d.reshaped(&parts[1], &[-1, 16, 4]);
        let k = d.turned(&k, &[0, 2, 1]);
        let k = d.reshaped(&k, &[-1, 3, 4, 16]);
        let q = d.node("Mul", &[&parts[0], &scale]);
        let y = attend(d, [&q, &k, &parts[2]]);
        let y = d.turned(&y, &[2, 0, 1, 3]);
        let y = d.reshaped(&y, &[-1, 12]);
        let y = d.dense(&y, 12, 12);
        let y = d.reshaped(&y, &[16, -1, 12]);
        let y = d.turned(&y, &[1, 0, 2]);
        d.node("Add", &[&y, &x])
    });
    // Three layers, the queries' scaled, and the scores too.
    check("Hugging Face", 6, |d| {
        let x = d.tokens("x");
        let [q, k, v] = [0; 3].map(|_| d.dense(&x, 12, 12));
        let scale = d.number(0.5);
        let q = d.node("Mul", &[&q, &scale]);
        let parts = [(&q, [0, 2, 1, 3]), (&k, [0, 2, 3, 1]), (&v, [0, 2, 1, 3])].map(|(part, order)| {
            let part = d.reshaped(part, &[0, 16, 3, 4]);
            d.turned(&part, &order)
        });
        let y = d.node("MatMul", &[&parts[0], &parts[1]]);
        let by = d.number(1.5);
        let y = d.node("Div", &[&y, &by]);
        let y = d.set("Softmax", &[&y], &[("axis", &[-1])]);
        let y = d.node("MatMul", &[&y, &parts[2]]);
        let y = d.turned(&y, &[0, 2, 1, 3]);
        let y = d.reshaped(&y, &[0, 16, 12]);
        d.dense(&y, 12, 5)
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
fn no_images_at_all_is_any_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut drawing = Drawing::default();
    let y = drawing.conv("x", &[4, 3, 3, 3], 2, 1, 1);
    let network = drawing.opened(&y, Some(0), folder.path()).unwrap_or_else(|error| panic!("{error}"));
    assert!(network.summary().starts_with("any number of images"), "{}", network.summary());
    assert_eq!(network.stages[0].multiply_adds, 8 * 8 * 4 * 27);
}

/// Why a graph is refused, when it is opened or its weights are loaded.
fn refusal(draw: impl Fn(&mut Drawing) -> String) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut drawing = Drawing::default();
    let result = draw(&mut drawing);
    let loaded = drawing.opened(&result, None, folder.path()).and_then(|network| {
        network.programs(network.stages.len(), std::slice::from_ref(&result), &[IMAGES], &Device::flex()).map(|_| ())
    });
    loaded.unwrap_err().to_string()
}

#[test]
fn numbers_of_types_that_are_not_read_are_refused() {
    let said = refusal(|d| {
        let (scale, zero) = (d.number(0.1), d.unread(4, &[]));
        let y = d.node("QuantizeLinear", &["x", &scale, &zero]);
        d.node("DequantizeLinear", &[&y, &scale])
    });
    assert!(said.contains("steps of type UINT16, expected INT8 or UINT8"), "{said}");
    let said = refusal(|d| {
        let (kernel, scale) = (d.unread(22, &[4, 3, 3, 3]), d.number(0.1));
        let kernel = d.node("DequantizeLinear", &[&kernel, &scale]);
        d.node("Conv", &["x", &kernel])
    });
    assert!(said.contains("graph.onnx: c0 is of type INT4, expected F64"), "{said}");
    let said = refusal(|d| {
        let one = d.unread(17, &[]);
        let one = d.set("Cast", &[&one], &[("to", &[7])]);
        d.node("Add", &["x", &one])
    });
    assert!(said.contains("c0 is of type FLOAT8"), "{said}");
}

#[test]
fn a_bias_of_another_length_is_refused() {
    for (operator, kernel) in [("Conv", [4, 3, 3, 3]), ("ConvTranspose", [3, 4, 3, 3])] {
        let said = refusal(|d| {
            let (kernel, bias) = (d.weights(&kernel), d.weights(&[5]));
            d.node(operator, &["x", &kernel, &bias])
        });
        assert!(said.contains(&format!("{operator} (node \"node_v0\"): a bias of [5] for 4 outputs")), "{said}");
    }
}
