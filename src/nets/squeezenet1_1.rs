//! SqueezeNet 1.1 (Iandola et al. 2016), the small network of the quickstart: a convolution, eight fire modules, a
//! convolution to the classes and its spatial mean. Layers are tapped after their ReLU.
//!
//! The poolings take only windows that fit, as the shipped weights were trained (27 x 27 units after the second one;
//! Caffe and torchvision round up to 28).

use burn::tensor::{Device, Tensor};

use super::layers::{Conv, VALID, global_mean, max_pool, relu};
use super::{Input, Layer, NetworkSpec, Preprocess, Stage, StageSpec, Stages, Taps};
use crate::images::Resize;
use crate::weights::{Facts, Parameter, Parameters, Transform, WeightsError};

/// The registry entry.
pub const SPEC: NetworkSpec = NetworkSpec {
    name: "squeezenet1_1",
    forms: &["caffe"],
    input,
    classifier: Some("logits"),
    stages,
    parameters,
    load,
    facts,
    ignored: &[],
    look_alikes: &[],
};

/// Height and width of the input.
const SIZE: usize = 227;
/// The fire modules: name; channels squeezed to, channels of each of the two expansions, whether a pooling comes first.
const FIRES: [(&str, usize, usize, bool); 8] = [
    ("fire2", 16, 64, true),
    ("fire3", 16, 64, false),
    ("fire4", 32, 128, true),
    ("fire5", 32, 128, false),
    ("fire6", 48, 192, true),
    ("fire7", 48, 192, false),
    ("fire8", 64, 256, false),
    ("fire9", 64, 256, false),
];

/// Height and width after a 3 x 3 window moved by 2 without padding.
const fn halved(size: usize) -> usize {
    (size - 3) / 2 + 1
}

/// A convolution's parameters, `name` both here and in the file.
struct ConvSpec {
    name: String,
    inputs: usize,
    outputs: usize,
    kernel: usize,
}

impl ConvSpec {
    fn new(name: impl Into<String>, inputs: usize, outputs: usize, kernel: usize) -> Self {
        Self { name: name.into(), inputs, outputs, kernel }
    }

    /// Multiply-adds for an output of `size` x `size`.
    fn multiply_adds(&self, size: usize) -> usize {
        self.outputs * self.inputs * self.kernel * self.kernel * size * size
    }
}

/// Of each stage with weights: its layer, its convolutions, its output.
fn plan() -> Vec<(&'static str, Vec<ConvSpec>, [usize; 3])> {
    let mut size = halved(SIZE);
    let mut plan = vec![("conv1", vec![ConvSpec::new("conv1", 3, 64, 3)], [64, size, size])];
    let mut channels = 64;
    for (layer, squeezed, expanded, pooled) in FIRES {
        if pooled {
            size = halved(size);
        }
        let convs = vec![
            ConvSpec::new(format!("{layer}.squeeze1x1"), channels, squeezed, 1),
            ConvSpec::new(format!("{layer}.expand1x1"), squeezed, expanded, 1),
            ConvSpec::new(format!("{layer}.expand3x3"), squeezed, expanded, 3),
        ];
        channels = 2 * expanded;
        plan.push((layer, convs, [channels, size, size]));
    }
    plan.push(("conv10", vec![ConvSpec::new("conv10", channels, 1000, 1)], [1000, size, size]));
    plan
}

fn input(_form: &str) -> Input {
    Input { size: SIZE, preprocess: Preprocess::Caffe, resize: Resize::SquashNearest, crop_pct: 0.875 }
}

fn stages(_form: &str) -> Vec<StageSpec> {
    let stage = |name: &str, output: [usize; 3], multiply_adds: usize| StageSpec {
        output,
        layers: vec![Layer { name: name.into(), label: label(name), shape: output, on_request: false }],
        multiply_adds: multiply_adds as u64,
    };
    let mut stages: Vec<_> = plan()
        .into_iter()
        .map(|(name, convs, output)| stage(name, output, convs.iter().map(|conv| conv.multiply_adds(output[1])).sum()))
        .collect();
    let averaged = stages[stages.len() - 1].output.iter().product();
    stages.push(stage("logits", [1000, 1, 1], averaged));
    stages
}

/// `conv1` is C1, `fire2` F2, `logits` OUT.
fn label(layer: &str) -> String {
    layer.replace("conv", "C").replace("fire", "F").replace("logits", "OUT")
}

fn facts(_form: &str) -> Facts {
    let convs = plan().into_iter().flat_map(|(_, convs, _)| convs);
    let moved = |conv: ConvSpec| match conv.name.as_str() {
        "conv1" => (2, VALID),
        _ => (1, [(conv.kernel / 2, conv.kernel / 2); 2]),
    };
    Facts {
        convolutions: convs.map(moved).collect(),
        epsilon: None,
        pool_padding: 0,
        counts_padding: None,
        channels_last: true,
    }
}

fn parameters(_form: &str) -> Vec<Parameter> {
    let pair = |conv: ConvSpec| {
        let ConvSpec { name, inputs, outputs, kernel } = conv;
        let source = vec![(format!("{name}.weight"), Transform::None)];
        [
            Parameter::kernel(&name, &[outputs, inputs, kernel, kernel], source),
            Parameter::bias(&name, outputs, vec![format!("{name}.bias")]),
        ]
    };
    plan().into_iter().flat_map(|(_, convs, _)| convs).flat_map(pair).collect()
}

fn load(_form: &str, parameters: &mut Parameters, device: &Device) -> Result<Stages, WeightsError> {
    let mut conv = |name: &str, stride, padding| Conv::load(parameters, name, stride, padding, device);
    let mut stages: Stages = Vec::new();
    stages.push(Box::new(ConvStage { layer: "conv1", conv: conv("conv1", 2, VALID)? }));
    for (layer, _, _, pooled) in FIRES {
        stages.push(Box::new(Fire {
            layer,
            pooled,
            squeeze: conv(&format!("{layer}.squeeze1x1"), 1, VALID)?,
            expand1x1: conv(&format!("{layer}.expand1x1"), 1, VALID)?,
            expand3x3: conv(&format!("{layer}.expand3x3"), 1, [(1, 1); 2])?,
        }));
    }
    stages.push(Box::new(ConvStage { layer: "conv10", conv: conv("conv10", 1, VALID)? }));
    stages.push(Box::new(Logits));
    Ok(stages)
}

struct ConvStage {
    layer: &'static str,
    conv: Conv,
}

impl Stage for ConvStage {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        taps.tap(self.layer, relu(self.conv.forward(x)))
    }
}

struct Fire {
    layer: &'static str,
    pooled: bool,
    squeeze: Conv,
    expand1x1: Conv,
    expand3x3: Conv,
}

impl Stage for Fire {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let x = if self.pooled { max_pool(x, 3, 2) } else { x };
        let squeezed = relu(self.squeeze.forward(x));
        let expanded = vec![self.expand1x1.forward(squeezed.clone()), self.expand3x3.forward(squeezed)];
        taps.tap(self.layer, relu(Tensor::cat(expanded, 1)))
    }
}

struct Logits;

impl Stage for Logits {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        taps.tap("logits", global_mean(x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::golden;

    #[test]
    fn every_layer_equals_an_independent_implementation() {
        golden::check("squeezenet1_1-formula.json", "caffe");
    }

    #[test]
    fn layers_have_the_units_of_the_published_network() {
        let units: Vec<usize> = SPEC.layers("caffe").iter().map(Layer::units).collect();
        let fires = [401_408, 401_408, 186_624, 186_624, 64_896, 64_896, 86_528, 86_528];
        assert_eq!(units, [&[817_216], &fires[..], &[169_000, 1000]].concat());
        let parameters: usize = parameters("caffe").iter().map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(parameters, 1_235_496);
    }
}
