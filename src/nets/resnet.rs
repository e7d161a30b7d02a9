//! ResNet (He et al. 2016): a convolution and a pooling, blocks of convolutions each added to what went into it, a dense
//! layer. Layers are tapped after their ReLU and numbered in the order of computation, as Keras numbers its activations.
//!
//! A stage is the stem, one block, or the head. Published as ResNet50 are five graphs that differ in numbers, of the other
//! depths torchvision's is here. Files of the three of Keras 2 do not say which one they go with:
//!
//! | form | who | stem pads | pooling pads | stride of a block | epsilon |
//! | --- | --- | --- | --- | --- | --- |
//! | `keras2_1` | Keras 2.0.7 to 2.1.4 | 2 before, 3 after | 0: 55 x 55 | first 1 x 1 | 1e-3 |
//! | `keras2_0` | Keras 2.0.0 to 2.0.6, 2.1.5 to 2.2.2 | 3 | 0: 55 x 55 | first 1 x 1 | 1e-3 |
//! | `keras2_2` | keras-applications from 1.0.6 | 3 | 1: 56 x 56 | first 1 x 1 | 1e-3 |
//! | `keras` | TensorFlow 2, Keras 3 | 3 | 1: 56 x 56 | first 1 x 1 | 1.001e-5 |
//! | `torchvision` | torchvision, timm | 3 | 1: 56 x 56 | first 3 x 3 | 1e-5 |

use burn::tensor::{Device, Tensor};

use super::layers::{Conv, Dense, Padding, VALID, global_mean, max_pool, relu, softmax};
use super::{BATCH_COUNTERS, Input, Layer, LookAlike, NetworkSpec, Preprocess, Stage, StageSpec, Stages, Taps};
use crate::images::Resize;
use crate::weights::{Facts, Normalised, Parameter, Parameters, Transform, WeightsError, keras_names};

/// The registry entry of ResNet50, the paper's.
pub const RESNET50: NetworkSpec =
    family::<50>("resnet50", &["keras2_1", "keras2_0", "keras2_2", "keras", "torchvision"]);
/// The registry entry of ResNet18.
pub const RESNET18: NetworkSpec = family::<18>("resnet18", &["torchvision"]);
/// The registry entry of ResNet34.
pub const RESNET34: NetworkSpec = family::<34>("resnet34", &["torchvision"]);
/// The registry entry of ResNet101.
pub const RESNET101: NetworkSpec = family::<101>("resnet101", &["torchvision"]);
/// The registry entry of ResNet152.
pub const RESNET152: NetworkSpec = family::<152>("resnet152", &["torchvision"]);

const fn family<const LAYERS: usize>(name: &'static str, forms: &'static [&'static str]) -> NetworkSpec {
    NetworkSpec {
        name,
        forms,
        input,
        classifier: Some("predictions"),
        stages: |form| stages(&depth(LAYERS), form),
        parameters: |form| parameters(&depth(LAYERS), form),
        load: |form, parameters, device| load(&depth(LAYERS), form, parameters, device),
        facts: |form| facts(&depth(LAYERS), form),
        ignored: &[BATCH_COUNTERS],
        look_alikes: LOOK_ALIKES,
    }
}

const LOOK_ALIKES: &[LookAlike] = &[
    LookAlike { tensor: "resnetv2", what: RESNET_V2 },
    LookAlike { tensor: "_preact_bn", what: RESNET_V2 },
    LookAlike { tensor: "post_bn", what: RESNET_V2 },
    LookAlike { tensor: "resnet_v2", what: RESNET_V2 },
    LookAlike { tensor: "stages.0.blocks.0.norm1", what: RESNET_V2 },
    LookAlike {
        tensor: "resnetv1",
        what: "it is MXNet's ResNet v1, whose strides are Keras' and whose images are prepared as torchvision's; bring the \
               weights of Keras or torchvision",
    },
    LookAlike {
        tensor: "res2_0_branch",
        what: "it is Caffe2's ResNet50, of which it is not known how images are prepared; bring the weights of Keras or \
               torchvision",
    },
    LookAlike {
        tensor: "conv1.0.weight",
        what: "its stem has three convolutions (ResNet-D), another network; bring the weights of Keras or torchvision",
    },
];
const RESNET_V2: &str = "it is ResNet v2 (normalization and ReLU before each convolution), another network; bring the \
                         weights of ResNet v1 of Keras or torchvision";

/// Height and width of the input.
const SIZE: usize = 224;
/// Height and width of the stem's convolution.
const STEM_SIZE: usize = 112;
/// Channels of the stem.
const STEM_CHANNELS: usize = 64;
/// Channels inside the blocks of the four groups, which the papers and files number from 2 (conv2_x … conv5_x).
const WIDTHS: [(usize, usize); 4] = [(2, 64), (3, 128), (4, 256), (5, 512)];

/// What decides a network of the family.
struct Depth {
    /// Blocks of each group.
    blocks: [usize; 4],
    /// Blocks of 1 x 1, 3 x 3 and 1 x 1 to four times the channels; else of two 3 x 3.
    bottleneck: bool,
}

/// The network of so many layers with weights.
fn depth(layers: usize) -> Depth {
    let (blocks, bottleneck) = match layers {
        18 => ([2, 2, 2, 2], false),
        34 => ([3, 4, 6, 3], false),
        50 => ([3, 4, 6, 3], true),
        101 => ([3, 4, 23, 3], true),
        152 => ([3, 8, 36, 3], true),
        _ => unreachable!("no ResNet of {layers} layers"),
    };
    Depth { blocks, bottleneck }
}

impl Depth {
    /// Kernel size and channels of a block's convolutions.
    fn convs(&self, width: usize) -> Vec<(usize, usize)> {
        if self.bottleneck { vec![(1, width), (3, width), (1, 4 * width)] } else { vec![(3, width), (3, width)] }
    }

    /// Channels that the head averages.
    fn features(&self) -> usize {
        if self.bottleneck { 2048 } else { 512 }
    }
}

/// How files name the layers.
#[derive(Clone, Copy, PartialEq)]
enum Naming {
    /// `res2a_branch2a`, `bn2a_branch2a`.
    Keras2,
    /// `conv2_block1_1_conv`, `conv2_block1_1_bn`.
    Keras,
    /// `layer1.0.conv1`, `layer1.0.bn1`.
    Torchvision,
}

/// What a form decides.
struct Graph {
    naming: Naming,
    stem_padding: Padding,
    /// Zeros around what the pooling sees; after ReLU they change no maximum.
    pool_padding: usize,
    epsilon: f64,
}

fn graph(form: &str) -> Graph {
    const AROUND: Padding = [(3, 3); 2];
    let (naming, stem_padding, pool_padding, epsilon) = match form {
        "keras2_1" => (Naming::Keras2, [(2, 3); 2], 0, 1e-3),
        "keras2_0" => (Naming::Keras2, AROUND, 0, 1e-3),
        "keras2_2" => (Naming::Keras2, AROUND, 1, 1e-3),
        "keras" => (Naming::Keras, AROUND, 1, 1.001e-5),
        _ => (Naming::Torchvision, AROUND, 1, 1e-5),
    };
    Graph { naming, stem_padding, pool_padding, epsilon }
}

impl Graph {
    /// Height and width after the pooling: 3 x 3 windows that fit, 2 apart.
    fn pooled_size(&self) -> usize {
        (STEM_SIZE + 2 * self.pool_padding - 3) / 2 + 1
    }
}

/// A convolution with its batch normalization.
struct ConvSpec {
    /// Its canonical name and its normalization's.
    names: (String, String),
    /// The same in files.
    file_names: (String, String),
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    padding: Padding,
    /// Height and width of its output.
    size: usize,
}

impl ConvSpec {
    fn multiply_adds(&self) -> usize {
        self.outputs * self.inputs * self.kernel * self.kernel * self.size * self.size
    }

    fn parameters(&self, naming: Naming) -> Vec<Parameter> {
        let torchvision = naming == Naming::Torchvision;
        let normalised = Normalised {
            conv: &self.names.0,
            norm: &self.names.1,
            shape: [self.outputs, self.inputs, self.kernel, self.kernel],
            bias: !torchvision,
            scale: true,
        };
        let (conv, norm) = (&self.file_names.0, &self.file_names.1);
        if torchvision { normalised.torch(conv, norm) } else { normalised.keras(conv, norm) }
    }

    fn load(&self, epsilon: f64, parameters: &mut Parameters, device: &Device) -> Result<Conv, WeightsError> {
        let window = (self.stride, self.padding, 1);
        Conv::load_normalised(parameters, &self.names.0, &self.names.1, epsilon, window, device)
    }
}

fn stem(graph: &Graph) -> ConvSpec {
    let file_names = match graph.naming {
        Naming::Keras2 => ("conv1", "bn_conv1"),
        Naming::Keras => ("conv1_conv", "conv1_bn"),
        Naming::Torchvision => ("conv1", "bn1"),
    };
    ConvSpec {
        names: ("stem.conv".into(), "stem.bn".into()),
        file_names: (file_names.0.into(), file_names.1.into()),
        inputs: 3,
        outputs: STEM_CHANNELS,
        kernel: 7,
        stride: 2,
        padding: graph.stem_padding,
        size: STEM_SIZE,
    }
}

/// A block of the network.
struct BlockSpec {
    convs: Vec<ConvSpec>,
    /// The convolution that brings the block's input to the shape of its output, if they differ.
    shortcut: Option<ConvSpec>,
    /// Number of its first activation.
    activation: usize,
}

impl BlockSpec {
    fn layers(&self) -> Vec<Layer> {
        let layer = |(number, conv): (usize, &ConvSpec)| activation(number, [conv.outputs, conv.size, conv.size]);
        (self.activation..).zip(&self.convs).map(layer).collect()
    }
}

fn activation(number: usize, shape: [usize; 3]) -> Layer {
    Layer { name: format!("activation_{number}"), label: format!("A{number}"), shape, on_request: false }
}

/// Names, canonical and in files, of a block's convolution and its normalization; groups count from 2, blocks and
/// convolutions from 1, convolution 0 is the shortcut's.
fn names(naming: Naming, group: usize, block: usize, conv: usize) -> [(String, String); 2] {
    let pair = |name: &dyn Fn(&str) -> String, conv: &str, norm: &str| (name(conv), name(norm));
    let canonical = match conv {
        0 => pair(&|part| format!("stage{group}.block{block}.shortcut.{part}"), "conv", "bn"),
        _ => pair(&|part| format!("stage{group}.block{block}.{part}{conv}"), "conv", "bn"),
    };
    let in_files = match (naming, conv) {
        (Naming::Keras2, _) => {
            let (letter, branch) = ((b'a'..).nth(block - 1).map_or('?', char::from), ["1", "2a", "2b", "2c"][conv]);
            pair(&|part| format!("{part}{group}{letter}_branch{branch}"), "res", "bn")
        }
        (Naming::Keras, _) => pair(&|part| format!("conv{group}_block{block}_{conv}_{part}"), "conv", "bn"),
        (Naming::Torchvision, 0) => {
            pair(&|part| format!("layer{}.{}.downsample.{part}", group - 1, block - 1), "0", "1")
        }
        (Naming::Torchvision, _) => {
            pair(&|part| format!("layer{}.{}.{part}{conv}", group - 1, block - 1), "conv", "bn")
        }
    };
    [canonical, in_files]
}

fn blocks(depth: &Depth, graph: &Graph) -> Vec<BlockSpec> {
    let (mut inputs, mut size, mut activation) = (STEM_CHANNELS, graph.pooled_size(), 2);
    let mut blocks = Vec::new();
    for ((group, width), count) in WIDTHS.into_iter().zip(depth.blocks) {
        for block in 1..=count {
            let spec = |conv: usize, inputs, outputs, kernel, stride, size| {
                let [names, file_names] = names(graph.naming, group, block, conv);
                let padding = if kernel == 3 { [(1, 1); 2] } else { VALID };
                ConvSpec { names, file_names, inputs, outputs, kernel, stride, padding, size }
            };
            let stride = if group > 2 && block == 1 { 2 } else { 1 };
            let shapes = depth.convs(width);
            let strided = match graph.naming {
                Naming::Torchvision => shapes.iter().position(|&(kernel, _)| kernel == 3),
                Naming::Keras2 | Naming::Keras => Some(0),
            };
            let halved = size.div_ceil(stride);
            let (mut convs, mut channels) = (Vec::new(), inputs);
            for (index, (kernel, outputs)) in shapes.into_iter().enumerate() {
                let stride = if strided == Some(index) { stride } else { 1 };
                size = size.div_ceil(stride);
                convs.push(spec(index + 1, channels, outputs, kernel, stride, size));
                channels = outputs;
            }
            let reshaped = inputs != channels || stride > 1;
            let shortcut = reshaped.then(|| spec(0, inputs, channels, 1, stride, halved));
            let first = activation;
            activation += convs.len();
            inputs = channels;
            blocks.push(BlockSpec { convs, shortcut, activation: first });
        }
    }
    blocks
}

fn input(form: &str) -> Input {
    let (preprocess, resize) = match form {
        "torchvision" => (Preprocess::Torch, Resize::CropBilinear),
        _ => (Preprocess::Caffe, Resize::SquashNearest),
    };
    Input { size: SIZE, preprocess, resize, crop_pct: 0.875 }
}

fn stages(depth: &Depth, form: &str) -> Vec<StageSpec> {
    let graph = graph(form);
    let pooled = graph.pooled_size();
    let mut stages = vec![StageSpec {
        output: [STEM_CHANNELS, pooled, pooled],
        layers: vec![activation(1, [STEM_CHANNELS, STEM_SIZE, STEM_SIZE])],
        multiply_adds: stem(&graph).multiply_adds() as u64,
    }];
    for block in blocks(depth, &graph) {
        let layers = block.layers();
        let convs = block.convs.iter().chain(&block.shortcut);
        stages.push(StageSpec {
            output: layers[layers.len() - 1].shape,
            layers,
            multiply_adds: convs.map(|conv| conv.multiply_adds() as u64).sum(),
        });
    }
    let head = |name: &str, label: &str, units, on_request| Layer {
        name: name.into(),
        label: label.into(),
        shape: [units, 1, 1],
        on_request,
    };
    stages.push(StageSpec {
        output: [1000, 1, 1],
        layers: vec![head("avg_pool", "AVG", depth.features(), true), head("predictions", "PRED", 1000, false)],
        multiply_adds: 1000 * depth.features() as u64,
    });
    stages
}

/// All convolutions, the shortcut of a block after the others.
fn convs(depth: &Depth, graph: &Graph) -> Vec<ConvSpec> {
    let in_blocks = blocks(depth, graph).into_iter().flat_map(|block| block.convs.into_iter().chain(block.shortcut));
    std::iter::once(stem(graph)).chain(in_blocks).collect()
}

fn facts(depth: &Depth, form: &str) -> Facts {
    let graph = graph(form);
    Facts {
        convolutions: convs(depth, &graph).iter().map(|conv| (conv.stride, conv.padding)).collect(),
        epsilon: Some(graph.epsilon),
        pool_padding: graph.pool_padding,
        counts_padding: None,
        channels_last: true,
    }
}

fn parameters(depth: &Depth, form: &str) -> Vec<Parameter> {
    let graph = graph(form);
    let convs = convs(depth, &graph);
    let mut parameters: Vec<_> = convs.iter().flat_map(|conv| conv.parameters(graph.naming)).collect();

    let plain = |name: &str| (format!("{name}.weight"), Transform::None);
    let keras = |name: &str| {
        let kernels = keras_names(name, "kernel").into_iter().map(|name| (name, Transform::Transpose));
        (kernels.chain([plain(name)]).collect(), keras_names(name, "bias"))
    };
    let (kernels, biases) = match graph.naming {
        Naming::Keras2 => keras("fc1000"),
        Naming::Keras => keras("predictions"),
        Naming::Torchvision => (vec![plain("fc")], vec!["fc.bias".to_string()]),
    };
    parameters.push(Parameter::kernel("predictions", &[1000, depth.features()], kernels));
    parameters.push(Parameter::bias("predictions", 1000, biases));
    parameters
}

fn load(depth: &Depth, form: &str, parameters: &mut Parameters, device: &Device) -> Result<Stages, WeightsError> {
    let graph = graph(form);
    let conv = stem(&graph).load(graph.epsilon, parameters, device)?;
    let mut stages: Stages = vec![Box::new(Stem { conv, pool_padding: graph.pool_padding })];
    for spec in blocks(depth, &graph) {
        let mut conv = |conv: &ConvSpec| conv.load(graph.epsilon, parameters, device);
        stages.push(Box::new(Block {
            convs: spec.convs.iter().map(&mut conv).collect::<Result<_, _>>()?,
            shortcut: spec.shortcut.as_ref().map(&mut conv).transpose()?,
            layers: spec.layers().into_iter().map(|layer| layer.name).collect(),
        }));
    }
    let dense = Dense::load(parameters, "predictions", device)?;
    stages.push(Box::new(Head { dense }));
    Ok(stages)
}

struct Stem {
    conv: Conv,
    pool_padding: usize,
}

impl Stage for Stem {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let x = taps.tap("activation_1", relu(self.conv.forward(x)));
        let x = if self.pool_padding > 0 { x.pad([(self.pool_padding, self.pool_padding); 2], 0.0) } else { x };
        max_pool(x, 3, 2)
    }
}

struct Block {
    convs: Vec<Conv>,
    shortcut: Option<Conv>,
    layers: Vec<String>,
}

impl Stage for Block {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let last = self.convs.len() - 1;
        let mut y = x.clone();
        for (conv, layer) in self.convs[..last].iter().zip(&self.layers) {
            y = taps.tap(layer, relu(conv.forward(y)));
        }
        let shortcut = self.shortcut.as_ref().map_or(x.clone(), |conv| conv.forward(x));
        taps.tap(&self.layers[last], relu(self.convs[last].forward(y) + shortcut))
    }
}

struct Head {
    dense: Dense,
}

impl Stage for Head {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let x = taps.tap("avg_pool", global_mean(x));
        taps.tap("predictions", softmax(self.dense.forward(x)))
    }
}

#[cfg(test)]
mod tests;
