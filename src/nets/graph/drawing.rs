//! Small graphs, drawn node by node for tests.

use std::path::Path;

use prost::Message;

use super::GraphNetwork;
use crate::weights::WeightsError;
use crate::weights::onnx::proto::{
    AttributeProto, DimensionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, ShapeProto, TensorProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};

/// Height and width of the images.
pub const SIZE: usize = 16;

/// A graph as it is drawn.
#[derive(Default)]
pub struct Drawing {
    /// In the order of computation.
    pub nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    /// What comes out beside the result.
    pub beside: Vec<String>,
}

impl Drawing {
    /// A node; its value.
    pub fn node(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.set(operator, inputs, &[])
    }

    /// With settings of whole numbers, of one or several.
    pub fn set(&mut self, operator: &str, inputs: &[&str], settings: &[(&str, &[i64])]) -> String {
        let name = format!("v{}", self.nodes.len());
        let setting = |(name, values): &(&str, &[i64])| match values {
            [value] if !matches!(*name, "axes" | "perm" | "pads" | "kernel_shape") => {
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

    /// Stored numbers, row by row.
    pub fn constant(&mut self, values: Vec<f32>, shape: &[usize]) -> String {
        let shape: Vec<i64> = shape.iter().map(|&length| length as i64).collect();
        self.stored(|name| floats(name, &values, &shape))
    }

    fn stored(&mut self, tensor: impl Fn(&str) -> TensorProto) -> String {
        let name = format!("c{}", self.constants.len());
        self.constants.push(tensor(&name));
        name
    }

    /// A stored number.
    pub fn number(&mut self, value: f32) -> String {
        self.constant(vec![value], &[])
    }

    /// Stored whole numbers.
    pub fn whole(&mut self, values: &[i64]) -> String {
        self.stored(|name| whole(name, values))
    }

    /// Numbers between -1 and 1 in no order, so small that sums of them are as large.
    pub fn weights(&mut self, shape: &[usize]) -> String {
        let (seed, count) = (self.constants.len(), shape.iter().product::<usize>());
        let scale = if shape.len() > 1 { (3.0 * shape[0] as f32 / count as f32).sqrt().min(1.0) } else { 1.0 };
        let number = |n: usize| ((n + 1) * (2 * seed + 7919) % 2003) as f32 / 1001.0 - 1.0;
        self.constant((0..count).map(|n| scale * number(n)).collect(), shape)
    }

    /// Ones of a type of a byte each, by ONNX's number; or of a type that is not read.
    pub fn ones(&mut self, data_type: i32, shape: &[usize]) -> String {
        let dims: Vec<i64> = shape.iter().map(|&length| length as i64).collect();
        let raw_data = Some(vec![1; shape.iter().product()].into());
        let ones = TensorProto { dims, data_type, raw_data, ..TensorProto::default() };
        self.stored(|name| TensorProto { name: name.to_string(), ..ones.clone() })
    }

    /// In another shape.
    pub fn reshaped(&mut self, x: &str, shape: &[i64]) -> String {
        let shape = self.whole(shape);
        self.node("Reshape", &[x, &shape])
    }

    /// With its axes in another order.
    pub fn turned(&mut self, x: &str, order: &[i64]) -> String {
        self.set("Transpose", &[x], &[("perm", order)])
    }

    /// A dense layer with its bias.
    pub fn dense(&mut self, x: &str, inputs: usize, outputs: usize) -> String {
        let (weights, bias) = (self.weights(&[inputs, outputs]), self.weights(&[outputs]));
        let y = self.node("MatMul", &[x, &weights]);
        self.node("Add", &[&bias, &y])
    }

    /// A convolution with its bias.
    pub fn conv(&mut self, x: &str, kernel: &[usize; 4], stride: i64, pad: i64, groups: i64) -> String {
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
    pub fn tokens(&mut self, x: &str) -> String {
        let y = self.conv(x, &[12, 3, 4, 4], 4, 0, 1);
        let y = self.reshaped(&y, &[0, 12, -1]);
        self.turned(&y, &[0, 2, 1])
    }

    /// A layer normalization over the last axis.
    pub fn norm(&mut self, x: &str, units: usize) -> String {
        let (gamma, beta) = (self.weights(&[units]), self.weights(&[units]));
        self.set("LayerNormalization", &[x, &gamma, &beta], &[("axis", &[-1])])
    }

    /// The network that gives a value; for any number of images.
    pub fn saved(self, result: &str, folder: &Path) -> GraphNetwork {
        self.opened(result, None, folder).unwrap_or_else(|error| panic!("{error}"))
    }

    /// For so many images, or any number.
    ///
    /// # Errors
    /// As [`GraphNetwork::open`].
    pub fn opened(self, result: &str, images: Option<i64>, folder: &Path) -> Result<GraphNetwork, WeightsError> {
        let side = Some(SIZE as i64);
        let input = vec![images_of([images, Some(3), side, side])];
        let output = [result].into_iter().chain(self.beside.iter().map(String::as_str)).map(untyped).collect();
        opened(GraphProto { node: self.nodes, initializer: self.constants, input, output }, folder)
    }
}

/// Stored numbers, row by row.
pub fn floats(name: &str, values: &[f32], shape: &[i64]) -> TensorProto {
    let (name, float_data) = (name.to_string(), values.to_vec());
    TensorProto { name, dims: shape.to_vec(), data_type: 1, float_data, ..TensorProto::default() }
}

/// Stored whole numbers.
pub fn whole(name: &str, values: &[i64]) -> TensorProto {
    let (name, int64_data) = (name.to_string(), values.to_vec());
    TensorProto { name, dims: vec![values.len() as i64], data_type: 7, int64_data, ..TensorProto::default() }
}

/// The images `x` that go in, of the lengths that are said.
pub fn images_of(lengths: [Option<i64>; 4]) -> ValueInfoProto {
    let dim = |value: Option<i64>| DimensionProto { value, name: value.is_none().then(|| "batch".to_string()) };
    let tensor = TensorTypeProto { data_type: 1, shape: Some(ShapeProto { dim: lengths.map(dim).to_vec() }) };
    ValueInfoProto { name: "x".to_string(), value_type: Some(TypeProto { tensor: Some(tensor) }) }
}

/// A value of which nothing is said.
pub fn untyped(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: name.to_string(), value_type: None }
}

/// The network of a graph, written to a folder.
///
/// # Errors
/// As [`GraphNetwork::open`].
pub fn opened(graph: GraphProto, folder: &Path) -> Result<GraphNetwork, WeightsError> {
    let opset = OperatorSetIdProto { domain: String::new(), version: 20 };
    let model = ModelProto { graph: Some(graph), opset_import: vec![opset], ..ModelProto::default() };
    let path = folder.join("graph.onnx");
    std::fs::write(&path, model.encode_to_vec()).unwrap();
    GraphNetwork::open(&path, None)
}
