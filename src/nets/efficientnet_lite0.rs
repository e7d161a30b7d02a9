//! EfficientNet-Lite0 (Tan & Le 2019, without squeeze-and-excitation and with ReLU6, for 8-bit devices): a convolution,
//! sixteen inverted residual blocks, a 1 x 1 convolution, its spatial mean, a dense layer.
//!
//! A block expands its channels by a 1 x 1 convolution, filters each of them by a depthwise one and projects them to
//! fewer; batch normalization follows each of the three, ReLU6 the first two. Blocks that change neither channels nor
//! size add their input. Blocks are tapped at their end, the other convolutions after their ReLU6. All convolutions are
//! padded as TensorFlow's `same`, where the weights were trained: a stride of 2 has less padding before than after.

use burn::tensor::{Device, Tensor};

use super::layers::{Conv, Dense, Padding, global_mean, in_parts, relu6};
use super::{BATCH_COUNTERS, Input, Layer, NetworkSpec, Preprocess, Stage, StageSpec, Stages, Taps};
use crate::images::Resize;
use crate::weights::{Facts, Normalised, Parameter, Parameters, Transform, WeightsError};

/// The registry entry.
pub const SPEC: NetworkSpec = NetworkSpec {
    name: "efficientnet_lite0",
    forms: &["tf"],
    input,
    classifier: Some("logits"),
    stages,
    parameters,
    load,
    facts,
    ignored: &[BATCH_COUNTERS],
    look_alikes: &[],
};

/// Height and width of the input.
const SIZE: usize = 224;
/// Of every batch normalization.
const EPSILON: f64 = 1e-3;
/// Channels of the first convolution.
const STEM: usize = 32;
/// Channels of the last convolution.
const HEAD: usize = 1280;
/// Runs of blocks: how many, kernel, stride of the first, expansion, channels they end with.
const RUNS: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

/// A convolution with its batch normalization.
struct ConvSpec {
    /// Canonical: `block03.depthwise` for `block03.depthwise.conv` and `block03.depthwise.bn`.
    name: String,
    /// The convolution and the normalization in the file.
    source: [String; 2],
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
    /// Height and width of its input.
    size: usize,
}

impl ConvSpec {
    fn output(&self) -> [usize; 3] {
        let size = self.size.div_ceil(self.stride);
        [self.outputs, size, size]
    }

    /// TensorFlow's `same`.
    fn padding(&self) -> Padding {
        let covered = (self.output()[1] - 1) * self.stride + self.kernel;
        let zeros = covered.saturating_sub(self.size);
        [(zeros / 2, zeros - zeros / 2); 2]
    }

    fn shape(&self) -> [usize; 4] {
        [self.outputs, self.inputs / self.groups, self.kernel, self.kernel]
    }

    fn multiply_adds(&self) -> u64 {
        let [_, height, width] = self.output();
        (self.shape().iter().product::<usize>() * height * width) as u64
    }

    fn names(&self) -> [String; 2] {
        ["conv", "bn"].map(|part| format!("{}.{part}", self.name))
    }

    fn load(&self, parameters: &mut Parameters, device: &Device) -> Result<Conv, WeightsError> {
        let [conv, norm] = self.names();
        let window = (self.stride, self.padding(), self.groups);
        Conv::load_normalised(parameters, &conv, &norm, EPSILON, window, device)
    }
}

/// The convolutions of a layer in order; ReLU6 follows all but the last of a block.
struct LayerSpec {
    name: String,
    convs: Vec<ConvSpec>,
    /// Whether it is a block that adds its input.
    residual: bool,
}

impl LayerSpec {
    fn output(&self) -> [usize; 3] {
        self.convs[self.convs.len() - 1].output()
    }
}

/// The layers that are convolutions: `stem`, `block00` to `block15`, `head_conv`.
fn plan() -> Vec<LayerSpec> {
    let plain = |name: &str, source: [&str; 2], inputs, outputs, kernel, stride, size| {
        let source = source.map(str::to_string);
        let conv = ConvSpec { name: name.to_string(), source, inputs, outputs, kernel, stride, groups: 1, size };
        LayerSpec { name: name.to_string(), convs: vec![conv], residual: false }
    };
    let mut plan = vec![plain("stem", ["_conv_stem", "_bn0"], 3, STEM, 3, 2, SIZE)];
    let [mut channels, mut size, _] = plan[0].output();
    for (count, kernel, first_stride, expansion, outputs) in RUNS {
        for index in 0..count {
            let stride = if index == 0 { first_stride } else { 1 };
            let block = plan.len() - 1;
            let layer = format!("block{block:02}");
            let conv = |part: &str, norm: usize, inputs, outputs, kernel, stride, groups, size| ConvSpec {
                name: format!("{layer}.{part}"),
                source: [format!("_blocks.{block}._{part}_conv"), format!("_blocks.{block}._bn{norm}")],
                inputs,
                outputs,
                kernel,
                stride,
                groups,
                size,
            };
            let expanded = channels * expansion;
            let halved = size.div_ceil(stride);
            let mut convs = vec![
                conv("depthwise", 1, expanded, expanded, kernel, stride, expanded, size),
                conv("project", 2, expanded, outputs, 1, 1, 1, halved),
            ];
            if expansion > 1 {
                convs.insert(0, conv("expand", 0, channels, expanded, 1, 1, 1, size));
            }
            plan.push(LayerSpec { name: layer, convs, residual: stride == 1 && channels == outputs });
            (channels, size) = (outputs, halved);
        }
    }
    plan.push(plain("head_conv", ["_conv_head", "_bn1"], channels, HEAD, 1, 1, size));
    plan
}

fn input(_form: &str) -> Input {
    Input { size: SIZE, preprocess: Preprocess::Lite, resize: Resize::CropBicubic, crop_pct: 0.875 }
}

fn stages(_form: &str) -> Vec<StageSpec> {
    let layer =
        |name: &str, shape: [usize; 3]| Layer { name: name.to_string(), label: label(name), shape, on_request: false };
    let convolutions = plan().into_iter().map(|spec| StageSpec {
        output: spec.output(),
        layers: vec![layer(&spec.name, spec.output())],
        multiply_adds: spec.convs.iter().map(ConvSpec::multiply_adds).sum(),
    });
    let head = StageSpec {
        output: [1000, 1, 1],
        layers: vec![layer("avgpool", [HEAD, 1, 1]), layer("logits", [1000, 1, 1])],
        multiply_adds: 1000 * HEAD as u64,
    };
    convolutions.chain([head]).collect()
}

/// `block03` is B3, `logits` OUT.
fn label(layer: &str) -> String {
    match layer.strip_prefix("block").and_then(|block| block.parse::<usize>().ok()) {
        Some(block) => format!("B{block}"),
        None => layer.replace("head_conv", "HEAD").replace("avgpool", "AVG").replace("logits", "OUT").to_uppercase(),
    }
}

fn facts(_form: &str) -> Facts {
    let convs = plan().into_iter().flat_map(|layer| layer.convs);
    Facts {
        convolutions: convs.map(|conv| (conv.stride, conv.padding())).collect(),
        epsilon: Some(EPSILON),
        pool_padding: 0,
        counts_padding: None,
        channels_last: true,
    }
}

fn parameters(_form: &str) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    for spec in plan().into_iter().flat_map(|layer| layer.convs) {
        let [conv, norm] = spec.names();
        let normalised = Normalised { conv: &conv, norm: &norm, shape: spec.shape(), bias: false, scale: true };
        parameters.extend(normalised.torch(&spec.source[0], &spec.source[1]));
    }
    let kernel = vec![("_fc.weight".to_string(), Transform::None)];
    parameters.push(Parameter::kernel("logits", &[1000, HEAD], kernel));
    parameters.push(Parameter::bias("logits", 1000, vec!["_fc.bias".to_string()]));
    parameters
}

fn load(_form: &str, parameters: &mut Parameters, device: &Device) -> Result<Stages, WeightsError> {
    let mut stages: Stages = Vec::new();
    for spec in plan() {
        stages.push(Box::new(ConvStage {
            convs: spec.convs.iter().map(|conv| conv.load(parameters, device)).collect::<Result<_, _>>()?,
            block: spec.convs.len() > 1,
            residual: spec.residual,
            units: spec.convs.iter().map(|conv| conv.output().iter().product()).fold(1, usize::max),
            layer: spec.name,
        }));
    }
    stages.push(Box::new(Head(Dense::load(parameters, "logits", device)?)));
    Ok(stages)
}

struct ConvStage {
    layer: String,
    convs: Vec<Conv>,
    /// Whether it is a block, whose last convolution goes without ReLU6.
    block: bool,
    residual: bool,
    /// The largest activation inside.
    units: usize,
}

impl ConvStage {
    fn convolve(&self, x: Tensor<4>) -> Tensor<4> {
        let last = self.convs.len() - 1;
        let convolved = self.convs.iter().enumerate().fold(x.clone(), |x, (k, conv)| {
            let x = conv.forward(x);
            if self.block && k == last { x } else { relu6(x) }
        });
        if self.residual { convolved + x } else { convolved }
    }
}

impl Stage for ConvStage {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        taps.tap(&self.layer, in_parts(x, self.units, |x| self.convolve(x)))
    }
}

/// The dense layer after the mean of each channel.
struct Head(Dense);

impl Stage for Head {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let x = taps.tap("avgpool", global_mean(x));
        taps.tap("logits", self.0.forward(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::golden;

    #[test]
    fn every_layer_equals_an_independent_implementation() {
        golden::check("efficientnet_lite0-formula.json", "tf");
    }

    #[test]
    fn layers_have_the_units_and_the_costs_of_the_published_network() {
        let layers = SPEC.layers("tf");
        let units: Vec<usize> = layers.iter().map(Layer::units).collect();
        let blocks = [
            200_704, 75_264, 75_264, 31_360, 31_360, 15_680, 15_680, 15_680, 21_952, 21_952, 21_952, 9_408, 9_408,
            9_408, 9_408, 15_680,
        ];
        assert_eq!(units, [&[401_408], &blocks[..], &[62_720, 1280, 1000]].concat());
        let labels: Vec<&str> = layers.iter().map(|layer| layer.label.as_str()).collect();
        assert_eq!([labels[0], labels[1], labels[11], labels[17], labels[19]], ["STEM", "B0", "B10", "HEAD", "OUT"]);
        // Counted on the PyTorch modules of an independent implementation.
        let trained = parameters("tf").into_iter().filter(|p| p.part.is_in(false) && !p.name.ends_with(".mean"));
        let trained = trained.filter(|p| !p.name.ends_with(".var")).map(|p| p.shape.iter().product::<usize>());
        assert_eq!(trained.sum::<usize>(), 4_652_008);
        assert_eq!(stages("tf").iter().map(|stage| stage.multiply_adds).sum::<u64>(), 385_187_552);
    }

    #[test]
    fn a_stride_of_two_is_padded_more_after_than_before() {
        let plan = plan();
        let padding = |layer: usize, conv: usize| plan[layer].convs[conv].padding()[0];
        // 224 to 112 by 3 x 3: 223 rows and columns and 2 more are covered, one beyond the 224.
        assert_eq!((padding(0, 0), padding(1, 0), padding(1, 1)), ((0, 1), (1, 1), (0, 0)));
        // 56 to 28 by 5 x 5.
        assert_eq!(padding(4, 1), (1, 2));
    }
}
