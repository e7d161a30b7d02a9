//! VGG16 (Simonyan & Zisserman 2015): thirteen convolutions in five blocks, three dense layers; every layer is tapped
//! after its activation.
//!
//! A stage is one layer; the pooling between blocks opens the next stage, so that a stage's output is its tap. The forms
//! `keras` and `torchvision` compute the same function and differ in how images are prepared and weights are named.

use burn::tensor::{Device, Tensor};

use super::layers::{Conv, Dense, max_pool, relu, softmax};
use super::{Input, Layer, NetworkSpec, Preprocess, Stage, StageSpec, Stages, Taps};
use crate::images::Resize;
use crate::weights::{Parameter, Parameters, Transform, WeightsError, keras_names};

/// The registry entry.
pub const SPEC: NetworkSpec =
    NetworkSpec { name: "vgg16", forms: &["keras", "torchvision"], input, stages, parameters, load };

/// Height and width of the input.
const SIZE: usize = 224;
/// Convolutions and channels of each block.
const BLOCKS: [(usize, usize); 5] = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)];
/// Channels, and height and width, of what the first dense layer flattens.
const FLATTENED: (usize, usize) = (512, 7);

/// A convolution's place and shape.
struct ConvSpec {
    block: usize,
    /// In its block, from 1.
    index: usize,
    inputs: usize,
    outputs: usize,
    /// Height and width of its output.
    size: usize,
    /// Its number in torchvision's `features`, where activations and poolings count too.
    feature: usize,
}

impl ConvSpec {
    fn layer(&self) -> String {
        format!("block{}_conv{}", self.block, self.index)
    }

    fn parameter(&self) -> String {
        format!("block{}.conv{}", self.block, self.index)
    }

    /// Whether the pooling of the block before comes first.
    fn pooled(&self) -> bool {
        self.block > 1 && self.index == 1
    }
}

fn convs() -> Vec<ConvSpec> {
    let (mut convs, mut inputs, mut feature) = (Vec::new(), 3, 0);
    for (block, (count, outputs)) in (1..).zip(BLOCKS) {
        for index in 1..=count {
            convs.push(ConvSpec { block, index, inputs, outputs, size: SIZE >> (block - 1), feature });
            inputs = outputs;
            feature += 2;
        }
        feature += 1;
    }
    convs
}

/// A dense layer's names and shape.
struct DenseSpec {
    layer: &'static str,
    label: &'static str,
    torchvision: &'static str,
    timm: &'static str,
    inputs: usize,
    outputs: usize,
    /// From Keras' kernel.
    keras: Transform,
    /// From timm's kernel; torchvision's is in the canonical layout.
    timm_kernel: Transform,
}

const DENSES: [DenseSpec; 3] = [
    DenseSpec {
        layer: "fc1",
        label: "FC1",
        torchvision: "classifier.0",
        timm: "pre_logits.fc1",
        inputs: FLATTENED.0 * FLATTENED.1 * FLATTENED.1,
        outputs: 4096,
        keras: Transform::HwcFlatten { channels: FLATTENED.0, size: FLATTENED.1 },
        timm_kernel: Transform::Reshape { size: FLATTENED.1 },
    },
    DenseSpec {
        layer: "fc2",
        label: "FC2",
        torchvision: "classifier.3",
        timm: "pre_logits.fc2",
        inputs: 4096,
        outputs: 4096,
        keras: Transform::Transpose,
        timm_kernel: Transform::Reshape { size: 1 },
    },
    DenseSpec {
        layer: "predictions",
        label: "PRED",
        torchvision: "classifier.6",
        timm: "head.fc",
        inputs: 4096,
        outputs: 1000,
        keras: Transform::Transpose,
        timm_kernel: Transform::None,
    },
];

fn input(form: &str) -> Input {
    let (preprocess, resize) = match form {
        "torchvision" => (Preprocess::Torch, Resize::CropBilinear),
        _ => (Preprocess::Caffe, Resize::SquashNearest),
    };
    Input { size: SIZE, preprocess, resize, crop_pct: 0.875 }
}

fn stages(_form: &str) -> Vec<StageSpec> {
    let conv = |conv: ConvSpec| {
        let label = format!("B{}C{}", conv.block, conv.index);
        let shape = [conv.outputs, conv.size, conv.size];
        let weights = conv.outputs * conv.inputs * 9;
        (conv.layer(), label, shape, weights * conv.size * conv.size)
    };
    let dense = |dense: DenseSpec| {
        (dense.layer.to_string(), dense.label.to_string(), [dense.outputs, 1, 1], dense.outputs * dense.inputs)
    };
    let layers = convs().into_iter().map(conv).chain(DENSES.into_iter().map(dense));
    let stage = |(name, label, shape, multiply_adds)| StageSpec {
        output: shape,
        layers: vec![Layer { name, label, shape, on_request: false }],
        multiply_adds: multiply_adds as u64,
    };
    layers.map(stage).collect()
}

fn parameters(form: &str) -> Vec<Parameter> {
    let keras = form == "keras";
    let mut parameters = Vec::new();
    for (k, conv) in convs().into_iter().enumerate() {
        let (layer, name) = (conv.layer(), conv.parameter());
        let shape = [conv.outputs, conv.inputs, 3, 3];
        let (kernels, biases) = if keras {
            let class = numbered("conv2d", k);
            (keras_kernels(&layer, &class, Transform::HwioToOihw), keras_biases(&layer, &class))
        } else {
            let layer = format!("features.{}", conv.feature);
            (vec![(format!("{layer}.weight"), Transform::None)], vec![format!("{layer}.bias")])
        };
        parameters.extend([Parameter::kernel(&name, &shape, kernels), Parameter::bias(&name, conv.outputs, biases)]);
    }
    for (k, dense) in DENSES.into_iter().enumerate() {
        let (kernels, biases) = if keras {
            let class = numbered("dense", k);
            (keras_kernels(dense.layer, &class, dense.keras), keras_biases(dense.layer, &class))
        } else {
            let kernels = [(dense.torchvision, Transform::None), (dense.timm, dense.timm_kernel)];
            let kernels = kernels.map(|(layer, transform)| (format!("{layer}.weight"), transform));
            (kernels.into(), vec![format!("{}.bias", dense.torchvision), format!("{}.bias", dense.timm)])
        };
        let shape = [dense.outputs, dense.inputs];
        parameters.push(Parameter::kernel(dense.layer, &shape, kernels));
        parameters.push(Parameter::bias(dense.layer, dense.outputs, biases));
    }
    parameters
}

/// The name under which Keras 3's `.weights.h5` keeps the `k`-th layer of a class; VGG16's order is the same everywhere.
fn numbered(class: &str, k: usize) -> String {
    if k == 0 { class.to_string() } else { format!("{class}_{k}") }
}

fn keras_kernels(layer: &str, class: &str, transform: Transform) -> Vec<(String, Transform)> {
    let names = keras_names(layer, "kernel").into_iter().chain([format!("layers/{class}/vars/0")]);
    names.map(|name| (name, transform)).collect()
}

fn keras_biases(layer: &str, class: &str) -> Vec<String> {
    keras_names(layer, "bias").into_iter().chain([format!("layers/{class}/vars/1")]).collect()
}

fn load(_form: &str, parameters: &mut Parameters, device: &Device) -> Result<Stages, WeightsError> {
    let mut stages: Stages = Vec::new();
    for spec in convs() {
        let conv = Conv::load(parameters, &spec.parameter(), 1, [(1, 1); 2], device)?;
        stages.push(Box::new(ConvStage { layer: spec.layer(), pooled: spec.pooled(), conv }));
    }
    for spec in &DENSES {
        let dense = Dense::load(parameters, spec.layer, Dense::TILE_BYTES, device)?;
        stages.push(Box::new(DenseStage {
            layer: spec.layer,
            pooled: spec.layer == "fc1",
            dense,
            activation: if spec.layer == "predictions" { softmax } else { relu },
        }));
    }
    Ok(stages)
}

struct ConvStage {
    layer: String,
    pooled: bool,
    conv: Conv,
}

impl Stage for ConvStage {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let x = if self.pooled { max_pool(x, 2, 2) } else { x };
        taps.tap(&self.layer, relu(self.conv.forward(x)))
    }
}

struct DenseStage {
    layer: &'static str,
    pooled: bool,
    dense: Dense,
    activation: fn(Tensor<4>) -> Tensor<4>,
}

impl Stage for DenseStage {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let x = if self.pooled { max_pool(x, 2, 2) } else { x };
        taps.tap(self.layer, (self.activation)(self.dense.forward(x)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::golden;

    #[test]
    fn every_layer_equals_keras() {
        golden::check("vgg16-keras.json", "keras");
    }

    #[test]
    fn every_layer_equals_torchvision() {
        golden::check("vgg16-torchvision.json", "torchvision");
    }

    #[test]
    fn the_costs_are_those_known_of_vgg16() {
        let parameters: usize = parameters("keras").iter().map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(parameters, 138_357_544);
        let multiply_adds: u64 = stages("keras").iter().map(|stage| stage.multiply_adds).sum();
        assert_eq!(multiply_adds, 15_470_264_320);
    }

    #[test]
    fn files_of_all_origins_name_the_last_convolution_and_the_first_dense_layer() {
        let names = |form: &str, parameter: &str| {
            let all = parameters(form);
            all.into_iter().find(|p| p.name == parameter).unwrap().sources
        };
        let keras = names("keras", "block5.conv3.weight");
        for name in ["block5_conv3/block5_conv3/kernel:0", "block5_conv3/kernel", "layers/conv2d_12/vars/0"] {
            assert!(keras.contains(&(name.to_string(), Transform::HwioToOihw)), "{name}");
        }
        assert_eq!(names("torchvision", "block5.conv3.weight"), [("features.28.weight".to_string(), Transform::None)]);
        let fc1 = names("torchvision", "fc1.weight");
        assert_eq!(fc1[0], ("classifier.0.weight".to_string(), Transform::None));
        assert_eq!(fc1[1].1.source_shape(&[4096, 25088]), [4096, 512, 7, 7]);
        assert!(names("keras", "predictions.bias").contains(&("layers/dense_2/vars/1".to_string(), Transform::None)));
    }
}
