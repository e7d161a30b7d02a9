//! Inception V3 (Szegedy et al. 2016): five convolutions, then eleven blocks of parallel branches whose outputs are
//! concatenated; the concatenations `mixed0` to `mixed10` are tapped. Batch normalization and ReLU follow every
//! convolution.
//!
//! A stage is one block; the convolutions before the first one are a stage without layers. The forms differ in the
//! average pooling inside the blocks: at the border `keras` averages over what is there, `torchvision` over zeros too.
//! Both take images scaled to [-1, 1], which is what torchvision's `transform_input` comes to.

use burn::tensor::{Device, Tensor};

use super::layers::{
    Border, Conv, Dense, Padding, VALID, average_pool, global_mean, in_parts, max_pool, relu, softmax,
};
use super::{BATCH_COUNTERS, Input, Layer, NetworkSpec, Preprocess, Stage, StageSpec, Stages, Taps};
use crate::images::Resize;
use crate::weights::{Facts, Ignored, Normalised, Parameter, Parameters, Transform, WeightsError, keras_names};

/// The registry entry.
pub const SPEC: NetworkSpec = NetworkSpec {
    name: "inception_v3",
    forms: &["keras", "torchvision"],
    input,
    classifier: Some("predictions"),
    stages,
    parameters,
    load,
    facts,
    ignored: &[BATCH_COUNTERS, AUXILIARY],
    look_alikes: &[],
};

/// In torchvision's files.
const AUXILIARY: Ignored =
    Ignored { prefix: "AuxLogits.", suffix: "", why: "of the auxiliary classifier, which only training uses" };

/// Height and width of the input.
const SIZE: usize = 299;
/// Of every batch normalization.
const EPSILON: f64 = 1e-3;
/// Units of `avg_pool`.
const FEATURES: usize = 2048;

/// The convolutions before the blocks: torchvision's name, outputs, kernel, stride, padding, whether a max pooling follows.
const STEM: [(&str, usize, usize, usize, usize, bool); 5] = [
    ("Conv2d_1a_3x3", 32, 3, 2, 0, false),
    ("Conv2d_2a_3x3", 32, 3, 1, 0, false),
    ("Conv2d_2b_3x3", 64, 3, 1, 1, true),
    ("Conv2d_3b_1x1", 80, 1, 1, 0, false),
    ("Conv2d_4a_3x3", 192, 3, 1, 0, true),
];

/// Torchvision's names of `mixed0` to `mixed10`.
const MIXED: [&str; 11] = [
    "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7a",
    "Mixed_7b", "Mixed_7c",
];

/// Where a convolution of a block has its input from.
#[derive(Clone, Copy, PartialEq)]
enum Origin {
    /// The block's input.
    Block,
    /// The block's input, averaged over 3 x 3 windows.
    Averaged,
    /// The convolution before.
    Last,
    /// Where the convolution before has it from; the outputs of the two are concatenated.
    Beside,
}

use Origin::{Averaged, Beside, Block, Last};

/// A convolution of a block: torchvision's name, input, outputs, kernel (height, width). Those named in [`HALVING`] halve
/// height and width, all others keep them.
type Row = (&'static str, Origin, usize, [usize; 2]);

/// The convolutions of a block in Keras' order, which is that of its concatenation.
fn rows(block: usize) -> Vec<Row> {
    match block {
        0..=2 => vec![
            ("branch1x1", Block, 64, [1, 1]),
            ("branch5x5_1", Block, 48, [1, 1]),
            ("branch5x5_2", Last, 64, [5, 5]),
            ("branch3x3dbl_1", Block, 64, [1, 1]),
            ("branch3x3dbl_2", Last, 96, [3, 3]),
            ("branch3x3dbl_3", Last, 96, [3, 3]),
            ("branch_pool", Averaged, if block == 0 { 32 } else { 64 }, [1, 1]),
        ],
        3 => vec![
            ("branch3x3", Block, 384, [3, 3]),
            ("branch3x3dbl_1", Block, 64, [1, 1]),
            ("branch3x3dbl_2", Last, 96, [3, 3]),
            ("branch3x3dbl_3", Last, 96, [3, 3]),
        ],
        4..=7 => {
            let width = [128, 160, 160, 192][block - 4];
            vec![
                ("branch1x1", Block, 192, [1, 1]),
                ("branch7x7_1", Block, width, [1, 1]),
                ("branch7x7_2", Last, width, [1, 7]),
                ("branch7x7_3", Last, 192, [7, 1]),
                ("branch7x7dbl_1", Block, width, [1, 1]),
                ("branch7x7dbl_2", Last, width, [7, 1]),
                ("branch7x7dbl_3", Last, width, [1, 7]),
                ("branch7x7dbl_4", Last, width, [7, 1]),
                ("branch7x7dbl_5", Last, 192, [1, 7]),
                ("branch_pool", Averaged, 192, [1, 1]),
            ]
        }
        8 => vec![
            ("branch3x3_1", Block, 192, [1, 1]),
            ("branch3x3_2", Last, 320, [3, 3]),
            ("branch7x7x3_1", Block, 192, [1, 1]),
            ("branch7x7x3_2", Last, 192, [1, 7]),
            ("branch7x7x3_3", Last, 192, [7, 1]),
            ("branch7x7x3_4", Last, 192, [3, 3]),
        ],
        _ => vec![
            ("branch1x1", Block, 320, [1, 1]),
            ("branch3x3_1", Block, 384, [1, 1]),
            ("branch3x3_2a", Last, 384, [1, 3]),
            ("branch3x3_2b", Beside, 384, [3, 1]),
            ("branch3x3dbl_1", Block, 448, [1, 1]),
            ("branch3x3dbl_2", Last, 384, [3, 3]),
            ("branch3x3dbl_3a", Last, 384, [1, 3]),
            ("branch3x3dbl_3b", Beside, 384, [3, 1]),
            ("branch_pool", Averaged, 192, [1, 1]),
        ],
    }
}

/// The convolutions of `mixed3` and `mixed8` that halve height and width; a max pooling of the block's input joins them.
const HALVING: [(usize, &str); 4] = [(3, "branch3x3"), (3, "branch3x3dbl_3"), (8, "branch3x3_2"), (8, "branch7x7x3_4")];

/// Height and width after a 3 x 3 window moved by 2 without padding.
const fn halved(size: usize) -> usize {
    (size - 3) / 2 + 1
}

/// A convolution's names and shape.
struct ConvSpec {
    /// Canonical: `mixed0.branch1x1`.
    name: String,
    torchvision: String,
    from: Origin,
    inputs: usize,
    outputs: usize,
    /// Height and width.
    kernel: [usize; 2],
    stride: usize,
    padding: Padding,
    /// Height and width of its output.
    size: usize,
    /// The layer that is its output, joined to that of the convolution [`Beside`] it.
    layer: Option<String>,
}

impl ConvSpec {
    fn multiply_adds(&self) -> usize {
        let [height, width] = self.kernel;
        self.outputs * self.inputs * height * width * self.size * self.size
    }

    fn load(&self, parameters: &mut Parameters, device: &Device) -> Result<Conv, WeightsError> {
        let [conv, norm] = ["conv", "bn"].map(|part| format!("{}.{part}", self.name));
        Conv::load_normalised(parameters, &conv, &norm, EPSILON, (self.stride, self.padding, 1), device)
    }
}

/// A block's convolutions and output.
struct BlockSpec {
    layer: String,
    convs: Vec<ConvSpec>,
    halves: bool,
    output: [usize; 3],
}

/// The convolutions before the blocks, with the size after them and after their poolings.
fn stem() -> (Vec<ConvSpec>, usize) {
    let (mut convs, mut inputs, mut size) = (Vec::new(), 3, SIZE);
    for (k, (torchvision, outputs, kernel, stride, padding, pooled)) in (1..).zip(STEM) {
        size = (size + 2 * padding - kernel) / stride + 1;
        convs.push(ConvSpec {
            name: format!("stem.conv{k}"),
            torchvision: torchvision.to_string(),
            from: Last,
            inputs,
            outputs,
            kernel: [kernel; 2],
            stride,
            padding: [(padding, padding); 2],
            size,
            layer: None,
        });
        inputs = outputs;
        size = if pooled { halved(size) } else { size };
    }
    (convs, size)
}

fn blocks() -> Vec<BlockSpec> {
    let (stem, mut size) = stem();
    let mut channels = stem[stem.len() - 1].outputs;
    let mut blocks = Vec::new();
    for (block, torchvision) in MIXED.into_iter().enumerate() {
        let mut convs: Vec<ConvSpec> = Vec::new();
        let mut concatenated = 0;
        for (name, from, outputs, kernel) in rows(block) {
            let inputs = match (from, convs.last()) {
                (Last, Some(last)) => {
                    concatenated -= last.outputs;
                    last.outputs
                }
                (Beside, Some(last)) => last.inputs,
                _ => channels,
            };
            concatenated += outputs;
            let halves = HALVING.contains(&(block, name));
            convs.push(ConvSpec {
                name: format!("mixed{block}.{name}"),
                torchvision: format!("{torchvision}.{name}"),
                from,
                inputs,
                outputs,
                kernel,
                stride: if halves { 2 } else { 1 },
                padding: if halves { VALID } else { kernel.map(|length| (length / 2, length / 2)) },
                size: if halves { halved(size) } else { size },
                layer: (name == "branch3x3_2b").then(|| format!("mixed9_{}", block - 9)),
            });
        }
        let halves = HALVING.iter().any(|(halving, _)| *halving == block);
        if halves {
            (channels, size) = (channels + concatenated, halved(size));
        } else {
            channels = concatenated;
        }
        blocks.push(BlockSpec { layer: format!("mixed{block}"), convs, halves, output: [channels, size, size] });
    }
    blocks
}

fn input(form: &str) -> Input {
    // torchvision resizes the shorter side to 342.
    let resize = if form == "torchvision" { Resize::CropBilinear } else { Resize::SquashNearest };
    Input { size: SIZE, preprocess: Preprocess::Tf, resize, crop_pct: SIZE as f64 / 342.0 }
}

fn stages(_form: &str) -> Vec<StageSpec> {
    let multiply_adds = |convs: &[ConvSpec]| convs.iter().map(ConvSpec::multiply_adds).sum::<usize>() as u64;
    let layer = |name: &str, shape: [usize; 3], on_request: bool| {
        let label = name.replace("mixed", "M").replace("avg_pool", "AVG").replace("predictions", "PRED");
        Layer { name: name.to_string(), label, shape, on_request }
    };
    let (stem, size) = stem();
    let output = [stem[stem.len() - 1].outputs, size, size];
    let mut stages = vec![StageSpec { output, layers: Vec::new(), multiply_adds: multiply_adds(&stem) }];
    for BlockSpec { layer: name, convs, output, .. } in blocks() {
        let joined =
            |conv: &ConvSpec| Some(layer(conv.layer.as_ref()?, [2 * conv.outputs, conv.size, conv.size], true));
        let layers = convs.iter().filter_map(joined).chain([layer(&name, output, false)]).collect();
        stages.push(StageSpec { output, layers, multiply_adds: multiply_adds(&convs) });
    }
    stages.push(StageSpec {
        output: [1000, 1, 1],
        layers: vec![layer("avg_pool", [FEATURES, 1, 1], true), layer("predictions", [1000, 1, 1], true)],
        multiply_adds: 1000 * FEATURES as u64,
    });
    stages
}

/// All convolutions in Keras' order.
fn convs() -> impl Iterator<Item = ConvSpec> {
    stem().0.into_iter().chain(blocks().into_iter().flat_map(|block| block.convs))
}

fn facts(form: &str) -> Facts {
    Facts {
        convolutions: convs().map(|conv| (conv.stride, conv.padding)).collect(),
        epsilon: Some(EPSILON),
        pool_padding: 0,
        counts_padding: Some(form == "torchvision"),
        channels_last: true,
    }
}

fn parameters(form: &str) -> Vec<Parameter> {
    let keras = form == "keras";
    let mut parameters = Vec::new();
    for (k, spec) in (1..).zip(convs()) {
        let [conv, norm] = ["conv", "bn"].map(|part| format!("{}.{part}", spec.name));
        let [height, width] = spec.kernel;
        let shape = [spec.outputs, spec.inputs, height, width];
        let normalised = Normalised { conv: &conv, norm: &norm, shape, bias: false, scale: !keras };
        parameters.extend(if keras {
            normalised.keras(&format!("conv2d_{k}"), &format!("batch_normalization_{k}"))
        } else {
            normalised.torch(&format!("{}.conv", spec.torchvision), &format!("{}.bn", spec.torchvision))
        });
    }
    let (kernels, biases) = if keras {
        let kernels = keras_names("predictions", "kernel").into_iter().map(|name| (name, Transform::Transpose));
        let exported = ("predictions.weight".to_string(), Transform::None);
        (kernels.chain([exported]).collect(), keras_names("predictions", "bias"))
    } else {
        (vec![("fc.weight".to_string(), Transform::None)], vec!["fc.bias".to_string()])
    };
    parameters.push(Parameter::kernel("predictions", &[1000, FEATURES], kernels));
    parameters.push(Parameter::bias("predictions", 1000, biases));
    parameters
}

fn load(form: &str, parameters: &mut Parameters, device: &Device) -> Result<Stages, WeightsError> {
    let border = if form == "torchvision" { Border::Zeros } else { Border::Excluded };
    let (stem, _) = stem();
    let convs = stem.iter().map(|conv| conv.load(parameters, device)).collect::<Result<_, _>>()?;
    let units = stem.iter().map(|conv| conv.outputs * conv.size * conv.size).fold(1, usize::max);
    let mut stages: Stages = vec![Box::new(StemStage { convs, units })];
    for BlockSpec { layer, convs, halves, .. } in blocks() {
        let convs = convs
            .into_iter()
            .map(|spec| Ok(Branch { conv: spec.load(parameters, device)?, from: spec.from, layer: spec.layer }))
            .collect::<Result<_, WeightsError>>()?;
        stages.push(Box::new(BlockStage { layer, convs, halves, border }));
    }
    stages.push(Box::new(Head(Dense::load(parameters, "predictions", device)?)));
    Ok(stages)
}

struct StemStage {
    convs: Vec<Conv>,
    /// The largest activation inside.
    units: usize,
}

impl Stage for StemStage {
    fn forward(&self, x: Tensor<4>, _taps: &mut Taps) -> Tensor<4> {
        in_parts(x, self.units, |x| {
            self.convs.iter().zip(STEM).fold(x, |x, (conv, (.., pooled))| {
                let x = relu(conv.forward(x));
                if pooled { max_pool(x, 3, 2) } else { x }
            })
        })
    }
}

/// A convolution of a block.
struct Branch {
    conv: Conv,
    from: Origin,
    layer: Option<String>,
}

struct BlockStage {
    layer: String,
    convs: Vec<Branch>,
    halves: bool,
    border: Border,
}

impl Stage for BlockStage {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let mut ends: Vec<Tensor<4>> = Vec::new();
        let mut input = x.clone();
        for Branch { conv, from, layer } in &self.convs {
            let last = if matches!(from, Last | Beside) { ends.pop() } else { None };
            input = match from {
                Block => x.clone(),
                Averaged => average_pool(x.clone(), 3, self.border),
                Last => last.clone().expect("no block begins with it"),
                Beside => input,
            };
            let output = relu(conv.forward(input.clone()));
            let output = match (from, last) {
                (Beside, Some(last)) => Tensor::cat(vec![last, output], 1),
                _ => output,
            };
            ends.push(match layer {
                Some(layer) => taps.tap(layer, output),
                None => output,
            });
        }
        if self.halves {
            ends.push(max_pool(x, 3, 2));
        }
        taps.tap(&self.layer, Tensor::cat(ends, 1))
    }
}

/// The dense layer after the mean of each channel.
struct Head(Dense);

impl Stage for Head {
    fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let x = taps.tap("avg_pool", global_mean(x));
        taps.tap("predictions", softmax(self.0.forward(x)))
    }
}

#[cfg(test)]
mod tests;
