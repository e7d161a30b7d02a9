//! VGG16 and VGG19 (Simonyan & Zisserman 2015): thirteen or sixteen convolutions in five blocks, three dense layers; every
//! layer is tapped after its activation.
//!
//! A stage is one layer; the pooling between blocks opens the next stage, so that a stage's output is its tap. The forms
//! `keras` and `torchvision` compute the same function and differ in how images are prepared and weights are named.

use burn::tensor::{Device, Tensor};

use super::layers::{Conv, Dense, max_pool, relu, softmax};
use super::{Input, Layer, NetworkSpec, Preprocess, Stage, StageSpec, Stages, Taps};
use crate::images::Resize;
use crate::weights::{Facts, Parameter, Parameters, Transform, WeightsError, keras_names};

/// The registry entry of VGG16, the paper's.
pub const VGG16: NetworkSpec = family::<16>("vgg16");
/// The registry entry of VGG19.
pub const VGG19: NetworkSpec = family::<19>("vgg19");

const fn family<const LAYERS: usize>(name: &'static str) -> NetworkSpec {
    NetworkSpec {
        name,
        forms: &["keras", "torchvision"],
        input,
        classifier: Some("predictions"),
        stages: |_| stages(&convs(LAYERS)),
        parameters: |form| parameters(&convs(LAYERS), form),
        load: |_, parameters, device| load(&convs(LAYERS), parameters, device),
        facts: |form| facts(&convs(LAYERS), form),
        ignored: &[],
        look_alikes: &[],
    }
}

/// Height and width of the input.
const SIZE: usize = 224;
/// Channels of each block's convolutions; the first two blocks have two of them.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];
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

/// The convolutions of the network of so many layers with weights, three of them dense.
fn convs(layers: usize) -> Vec<ConvSpec> {
    let (mut convs, mut inputs, mut feature) = (Vec::new(), 3, 0);
    for (block, outputs) in (1..).zip(CHANNELS) {
        let count = if block <= 2 { 2 } else { (layers - 7) / 3 };
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

fn stages(convs: &[ConvSpec]) -> Vec<StageSpec> {
    let conv = |conv: &ConvSpec| {
        let label = format!("B{}C{}", conv.block, conv.index);
        let shape = [conv.outputs, conv.size, conv.size];
        let weights = conv.outputs * conv.inputs * 9;
        (conv.layer(), label, shape, weights * conv.size * conv.size)
    };
    let dense = |dense: DenseSpec| {
        (dense.layer.to_string(), dense.label.to_string(), [dense.outputs, 1, 1], dense.outputs * dense.inputs)
    };
    let layers = convs.iter().map(conv).chain(DENSES.into_iter().map(dense));
    let stage = |(name, label, shape, multiply_adds)| StageSpec {
        output: shape,
        layers: vec![Layer { name, label, shape, on_request: false }],
        multiply_adds: multiply_adds as u64,
    };
    layers.map(stage).collect()
}

fn parameters(convs: &[ConvSpec], form: &str) -> Vec<Parameter> {
    let keras = form == "keras";
    let mut parameters = Vec::new();
    for (k, conv) in convs.iter().enumerate() {
        let (layer, name) = (conv.layer(), conv.parameter());
        let shape = [conv.outputs, conv.inputs, 3, 3];
        let (kernels, biases) = if keras {
            let class = numbered("conv2d", k);
            (keras_kernels(&layer, &class, Transform::HwioToOihw), keras_biases(&layer, &class))
        } else {
            let layer = format!("features.{}", conv.feature);
            // The last name is MXNet's, in the ONNX model zoo.
            let (zoo_kernel, zoo_bias) = (format!("vgg0_conv{k}_weight"), format!("vgg0_conv{k}_bias"));
            let kernels = [format!("{layer}.weight"), zoo_kernel].map(|name| (name, Transform::None));
            (kernels.into(), vec![format!("{layer}.bias"), zoo_bias])
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

/// The name under which Keras 3's `.weights.h5` keeps the `k`-th layer of a class; VGG's order is the same everywhere.
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

fn facts(convs: &[ConvSpec], form: &str) -> Facts {
    Facts {
        convolutions: convs.iter().map(|_| (1, [(1, 1); 2])).collect(),
        epsilon: None,
        pool_padding: 0,
        counts_padding: None,
        channels_last: form == "keras",
    }
}

fn load(convs: &[ConvSpec], parameters: &mut Parameters, device: &Device) -> Result<Stages, WeightsError> {
    let mut stages: Stages = Vec::new();
    for spec in convs {
        let conv = Conv::load(parameters, &spec.parameter(), 1, [(1, 1); 2], device)?;
        stages.push(Box::new(ConvStage { layer: spec.layer(), pooled: spec.pooled(), conv }));
    }
    for spec in &DENSES {
        let dense = Dense::load(parameters, spec.layer, device)?;
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
    fn the_costs_are_those_known_of_both() {
        let parameters: usize = (VGG16.parameters)("keras").iter().map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(parameters, 138_357_544);
        let multiply_adds: u64 = (VGG16.stages)("keras").iter().map(|stage| stage.multiply_adds).sum();
        assert_eq!(multiply_adds, 15_470_264_320);
        let deeper: usize = (VGG19.parameters)("keras").iter().map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(deeper, 143_667_240);
        assert_eq!(VGG19.layers("keras")[15].name, "block5_conv4");
    }

    #[test]
    fn files_of_all_origins_name_the_last_convolution_and_the_first_dense_layer() {
        let names = |form: &str, parameter: &str| {
            let all = (VGG16.parameters)(form);
            all.into_iter().find(|p| p.name == parameter).unwrap().sources
        };
        let keras = names("keras", "block5.conv3.weight");
        for name in ["block5_conv3/block5_conv3/kernel:0", "block5_conv3/kernel", "layers/conv2d_12/vars/0"] {
            assert!(keras.contains(&(name.to_string(), Transform::HwioToOihw)), "{name}");
        }
        let torchvision = ["features.28.weight", "vgg0_conv12_weight"].map(|name| (name.to_string(), Transform::None));
        assert_eq!(names("torchvision", "block5.conv3.weight"), torchvision);
        let fc1 = names("torchvision", "fc1.weight");
        assert_eq!(fc1[0], ("classifier.0.weight".to_string(), Transform::None));
        assert_eq!(fc1[1].1.source_shape(&[4096, 25088]), [4096, 512, 7, 7]);
        assert!(names("keras", "predictions.bias").contains(&("layers/dense_2/vars/1".to_string(), Transform::None)));
    }
}
