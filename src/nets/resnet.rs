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

use super::{BATCH_COUNTERS, Blueprint, Builder, Conv, Form, Input, LookAlike, Network, Norm, Preprocess, Value};
use crate::images::Resize;
use crate::kernels::{Padding, VALID, Window};
use crate::weights::Names;

/// The registry entry of ResNet50, the paper's.
pub const RESNET50: Network = Network {
    name: "resnet50",
    forms: &[
        Form { name: "keras2_1", draw: || draw(&LAYERS_50, &KERAS2_1) },
        Form { name: "keras2_0", draw: || draw(&LAYERS_50, &KERAS2_0) },
        Form { name: "keras2_2", draw: || draw(&LAYERS_50, &KERAS2_2) },
        Form { name: "keras", draw: || draw(&LAYERS_50, &KERAS) },
        Form { name: "torchvision", draw: || draw(&LAYERS_50, &TORCHVISION) },
    ],
    ignored: &[BATCH_COUNTERS],
    look_alikes: LOOK_ALIKES,
};
/// The registry entry of ResNet18.
pub const RESNET18: Network = Network {
    name: "resnet18",
    forms: &[Form { name: "torchvision", draw: || draw(&LAYERS_18, &TORCHVISION) }],
    ..RESNET50
};
/// The registry entry of ResNet34.
pub const RESNET34: Network = Network {
    name: "resnet34",
    forms: &[Form { name: "torchvision", draw: || draw(&LAYERS_34, &TORCHVISION) }],
    ..RESNET50
};
/// The registry entry of ResNet101.
pub const RESNET101: Network = Network {
    name: "resnet101",
    forms: &[Form { name: "torchvision", draw: || draw(&LAYERS_101, &TORCHVISION) }],
    ..RESNET50
};
/// The registry entry of ResNet152.
pub const RESNET152: Network = Network {
    name: "resnet152",
    forms: &[Form { name: "torchvision", draw: || draw(&LAYERS_152, &TORCHVISION) }],
    ..RESNET50
};

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
        tensor: "embedder.embedder.convolution",
        what: "it has Transformers' names, which are not read; export the model to ONNX and run that: network.file, or bring the \
               weights of timm or torchvision",
    },
    LookAlike {
        tensor: "conv1.0.weight",
        what: "its stem has three convolutions (ResNet-D), another network; bring the weights of Keras or torchvision",
    },
];
const RESNET_V2: &str = "it is ResNet v2 (normalization and ReLU before each convolution), another network; bring the \
                         weights of ResNet v1 of Keras or torchvision";

/// Channels inside the blocks of the four groups, which the papers and files number from 2 (conv2_x … conv5_x).
const WIDTHS: [(usize, usize); 4] = [(2, 64), (3, 128), (4, 256), (5, 512)];

/// What decides a network of the family.
struct Depth {
    /// Blocks of each group.
    blocks: [usize; 4],
    /// Blocks of 1 x 1, 3 x 3 and 1 x 1 to four times the channels; else of two 3 x 3.
    bottleneck: bool,
}

const LAYERS_18: Depth = Depth { blocks: [2, 2, 2, 2], bottleneck: false };
const LAYERS_34: Depth = Depth { blocks: [3, 4, 6, 3], bottleneck: false };
const LAYERS_50: Depth = Depth { blocks: [3, 4, 6, 3], bottleneck: true };
const LAYERS_101: Depth = Depth { blocks: [3, 4, 23, 3], bottleneck: true };
const LAYERS_152: Depth = Depth { blocks: [3, 8, 36, 3], bottleneck: true };

/// How files name the layers.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    pool_padding: Padding,
    epsilon: f64,
}

/// Zeros around the image that keep the stem's outputs centred.
const AROUND: Padding = [(3, 3); 2];
const KERAS2_1: Graph = Graph { naming: Naming::Keras2, stem_padding: [(2, 3); 2], pool_padding: VALID, epsilon: 1e-3 };
const KERAS2_0: Graph = Graph { stem_padding: AROUND, ..KERAS2_1 };
const KERAS2_2: Graph = Graph { pool_padding: [(1, 1); 2], ..KERAS2_0 };
const KERAS: Graph = Graph { naming: Naming::Keras, epsilon: 1.001e-5, ..KERAS2_2 };
const TORCHVISION: Graph = Graph { naming: Naming::Torchvision, epsilon: 1e-5, ..KERAS2_2 };

fn draw(depth: &Depth, graph: &Graph) -> Blueprint {
    let (preprocess, resize) = match graph.naming {
        Naming::Keras2 | Naming::Keras => (Preprocess::Caffe, Resize::SquashNearest),
        Naming::Torchvision => (Preprocess::Torch, Resize::CropBilinear),
    };
    let builder = Builder::new(Input { size: 224, preprocess, resize, crop_pct: 0.875 });
    let mut drawing = Drawing { b: builder, graph, bottleneck: depth.bottleneck, activations: 0 };
    let mut x = drawing.stem();
    for ((group, width), count) in WIDTHS.into_iter().zip(depth.blocks) {
        let convs = match depth.bottleneck {
            true => vec![(1, width), (3, width), (1, 4 * width)],
            false => vec![(3, width), (3, width)],
        };
        for block in 1..=count {
            x = drawing.block(x, group, block, &convs);
            drawing.b.cut();
        }
    }
    drawing.head(x)
}

struct Drawing<'a> {
    b: Builder,
    graph: &'a Graph,
    bottleneck: bool,
    /// Layers tapped.
    activations: usize,
}

impl Drawing<'_> {
    /// A convolution with its normalization, by their names here and in files.
    fn conv(&mut self, x: Value, names: [(String, String); 2], outputs: usize, window: Window) -> Value {
        let [(name, norm), (conv, bn)] = names;
        let torchvision = self.graph.naming == Naming::Torchvision;
        let names = if torchvision { Names::torch_normalised(&conv, &bn) } else { Names::keras_normalised(&conv, &bn) };
        let norm = Norm { name: norm, epsilon: self.graph.epsilon };
        let conv = Conv { bias: !torchvision, norm: Some((norm, true)), ..Conv::new(&name, names, outputs, window) };
        self.b.convolution(x, conv)
    }

    /// The gain of a kernel, of which the formula's weights of networks without bottlenecks have none.
    fn gain(&mut self, x: Value, gain: f64) {
        if self.bottleneck {
            self.b.gain(x, gain);
        }
    }

    /// ReLU, the next layer.
    fn activation(&mut self, x: Value) -> Value {
        let x = self.b.relu(x);
        self.activations += 1;
        self.b.tap(x, &format!("activation_{}", self.activations), &format!("A{}", self.activations));
        x
    }

    fn stem(&mut self) -> Value {
        let (conv, norm) = match self.graph.naming {
            Naming::Keras2 => ("conv1", "bn_conv1"),
            Naming::Keras => ("conv1_conv", "conv1_bn"),
            Naming::Torchvision => ("conv1", "bn1"),
        };
        let names = [("stem.conv", "stem.bn"), (conv, norm)].map(|(conv, norm)| (conv.to_string(), norm.to_string()));
        let image = self.b.image();
        let x = self.conv(image, names, 64, Window::square(7, 2, self.graph.stem_padding));
        self.gain(x, 0.006);
        let x = self.activation(x);
        let x = self.b.max_pool(x, Window::square(3, 2, self.graph.pool_padding));
        self.b.cut();
        x
    }

    /// A block of convolutions, kernel and channels each; the shortcut is a convolution where the shape changes.
    fn block(&mut self, x: Value, group: usize, block: usize, convs: &[(usize, usize)]) -> Value {
        let naming = self.graph.naming;
        let stride = if group > 2 && block == 1 { 2 } else { 1 };
        let strided = match naming {
            Naming::Torchvision => convs.iter().position(|&(kernel, _)| kernel == 3),
            Naming::Keras2 | Naming::Keras => Some(0),
        };
        let mut y = x;
        for (index, &(kernel, outputs)) in convs.iter().enumerate() {
            let stride = if strided == Some(index) { stride } else { 1 };
            let window = Window::square(kernel, stride, [(kernel / 2, kernel / 2); 2]);
            y = self.conv(y, names(naming, group, block, index + 1), outputs, window);
            if index + 1 < convs.len() {
                y = self.activation(y);
            }
        }
        // The sum is to keep its scale.
        self.gain(y, 0.5);
        let shortcut = match self.b.shape(x) == self.b.shape(y) {
            true => x,
            false => {
                let outputs = self.b.channels(y);
                let conv = self.conv(x, names(naming, group, block, 0), outputs, Window::square(1, stride, VALID));
                self.gain(conv, 0.5);
                conv
            }
        };
        let sum = self.b.plus(y, shortcut);
        self.activation(sum)
    }

    fn head(mut self, x: Value) -> Blueprint {
        let names = match self.graph.naming {
            Naming::Keras2 => Names::keras_exported("fc1000"),
            Naming::Keras => Names::keras_exported("predictions"),
            Naming::Torchvision => Names::torch("fc"),
        };
        let x = self.b.mean(x);
        self.b.tap_on_request(x, "avg_pool", "AVG");
        self.b.cut();
        let x = self.b.dense(x, "predictions", &names, 1000);
        self.gain(x, 1.0);
        let x = self.b.softmax(x);
        self.b.tap(x, "predictions", "PRED");
        self.b.finish(Some("predictions"))
    }
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

#[cfg(test)]
mod tests;
