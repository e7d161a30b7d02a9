//! Inception V3 (Szegedy et al. 2016): five convolutions, then eleven blocks of parallel branches whose outputs are
//! concatenated; the concatenations `mixed0` to `mixed10` are tapped. Batch normalization and ReLU follow every
//! convolution.
//!
//! A stage is one block; the convolutions before the first one are a stage without layers. The forms differ in the
//! average pooling inside the blocks: at the border `keras` averages over what is there, `torchvision` over zeros too.
//! Both take images scaled to [-1, 1], which is what torchvision's `transform_input` comes to.

use super::{BATCH_COUNTERS, Blueprint, Builder, Conv, Form, Input, Network, Preprocess, Value};
use crate::images::Resize;
use crate::kernels::pooling::Border;
use crate::kernels::{VALID, Window};
use crate::weights::{Ignored, Names};

/// The registry entry.
pub const SPEC: Network = Network {
    name: "inception_v3",
    forms: &[
        Form { name: "keras", draw: || draw(Origin::Keras) },
        Form { name: "torchvision", draw: || draw(Origin::Torchvision) },
    ],
    ignored: &[BATCH_COUNTERS, AUXILIARY],
    look_alikes: &[],
};

/// In torchvision's files.
const AUXILIARY: Ignored =
    Ignored { prefix: "AuxLogits.", suffix: "", why: "of the auxiliary classifier, which only training uses" };

/// Who drew the graph.
#[derive(Clone, Copy)]
enum Origin {
    Keras,
    Torchvision,
}

/// Height and width of the input.
const SIZE: usize = 299;
/// Of every batch normalization.
const EPSILON: f64 = 1e-3;
/// Of the poolings and convolutions that halve height and width.
const HALVING: Window = Window::square(3, 2, VALID);

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

/// Torchvision's name of a convolution, outputs, height and width of its kernel; height and width of the map stay.
type Row = (&'static str, usize, [usize; 2]);

fn draw(origin: Origin) -> Blueprint {
    // torchvision resizes the shorter side to 342.
    let (border, resize) = match origin {
        Origin::Keras => (Border::Excluded, Resize::SquashNearest),
        Origin::Torchvision => (Border::Zeros, Resize::CropBilinear),
    };
    let input = Input { size: SIZE, preprocess: Preprocess::Tf, resize, crop_pct: SIZE as f64 / 342.0 };
    let mut drawing = Drawing { b: Builder::new(input), origin, border, block: 0, convs: 0 };
    let mut x = drawing.stem();
    for block in 0..MIXED.len() {
        drawing.block = block;
        let ends = match block {
            0..=2 => drawing.small(x, if block == 0 { 32 } else { 64 }),
            3 => drawing.first_halving(x),
            4..=7 => drawing.factorised(x, [128, 160, 160, 192][block - 4]),
            8 => drawing.second_halving(x),
            _ => drawing.wide(x),
        };
        x = drawing.b.concatenate(&ends);
        drawing.b.tap(x, &format!("mixed{block}"), &format!("M{block}"));
        drawing.b.cut();
    }
    drawing.head(x)
}

struct Drawing {
    b: Builder,
    origin: Origin,
    border: Border,
    /// The block being drawn.
    block: usize,
    /// Convolutions drawn, which is Keras' number of the last.
    convs: usize,
}

impl Drawing {
    /// A convolution with its normalization and ReLU, by its names here and in torchvision.
    fn conv(&mut self, x: Value, name: &str, torchvision: &str, outputs: usize, window: Window) -> Value {
        self.convs += 1;
        let (names, scale) = match (self.origin, self.convs) {
            (Origin::Keras, k) => {
                (Names::keras_normalised(&format!("conv2d_{k}"), &format!("batch_normalization_{k}")), false)
            }
            (Origin::Torchvision, _) => {
                (Names::torch_normalised(&format!("{torchvision}.conv"), &format!("{torchvision}.bn")), true)
            }
        };
        let conv = Conv::normalised(name, names, outputs, window, EPSILON);
        let norm = conv.norm.map(|(norm, _)| (norm, scale));
        let x = self.b.convolution(x, Conv { norm, ..conv });
        self.b.relu(x)
    }

    fn stem(&mut self) -> Value {
        let mut x = self.b.image();
        for (k, (torchvision, outputs, kernel, stride, padding, pooled)) in (1..).zip(STEM) {
            let window = Window::square(kernel, stride, [(padding, padding); 2]);
            x = self.conv(x, &format!("stem.conv{k}"), torchvision, outputs, window);
            x = if pooled { self.b.max_pool(x, HALVING) } else { x };
        }
        self.b.cut();
        x
    }

    /// A convolution of the block.
    fn part(&mut self, x: Value, name: &str, outputs: usize, window: Window) -> Value {
        let block = self.block;
        self.conv(x, &format!("mixed{block}.{name}"), &format!("{}.{name}", MIXED[block]), outputs, window)
    }

    /// Convolutions of the block, one after the other.
    fn chain(&mut self, x: Value, rows: &[Row]) -> Value {
        rows.iter().fold(x, |x, &(name, outputs, size)| {
            let padding = size.map(|length| (length / 2, length / 2));
            self.part(x, name, outputs, Window { size, ..Window::square(1, 1, padding) })
        })
    }

    /// The convolution behind the block's averages.
    fn averaged(&mut self, x: Value, outputs: usize) -> Value {
        let x = self.b.average_pool(x, 3, self.border);
        self.chain(x, &[("branch_pool", outputs, [1, 1])])
    }

    /// `mixed0` to `mixed2`.
    fn small(&mut self, x: Value, pooled: usize) -> Vec<Value> {
        let doubled = [("branch3x3dbl_1", 64, [1, 1]), ("branch3x3dbl_2", 96, [3, 3]), ("branch3x3dbl_3", 96, [3, 3])];
        vec![
            self.chain(x, &[("branch1x1", 64, [1, 1])]),
            self.chain(x, &[("branch5x5_1", 48, [1, 1]), ("branch5x5_2", 64, [5, 5])]),
            self.chain(x, &doubled),
            self.averaged(x, pooled),
        ]
    }

    /// `mixed3`.
    fn first_halving(&mut self, x: Value) -> Vec<Value> {
        let single = self.part(x, "branch3x3", 384, HALVING);
        let doubled = self.chain(x, &[("branch3x3dbl_1", 64, [1, 1]), ("branch3x3dbl_2", 96, [3, 3])]);
        let doubled = self.part(doubled, "branch3x3dbl_3", 96, HALVING);
        vec![single, doubled, self.b.max_pool(x, HALVING)]
    }

    /// `mixed4` to `mixed7`.
    fn factorised(&mut self, x: Value, width: usize) -> Vec<Value> {
        let single = [("branch7x7_1", width, [1, 1]), ("branch7x7_2", width, [1, 7]), ("branch7x7_3", 192, [7, 1])];
        let doubled = [
            ("branch7x7dbl_1", width, [1, 1]),
            ("branch7x7dbl_2", width, [7, 1]),
            ("branch7x7dbl_3", width, [1, 7]),
            ("branch7x7dbl_4", width, [7, 1]),
            ("branch7x7dbl_5", 192, [1, 7]),
        ];
        vec![
            self.chain(x, &[("branch1x1", 192, [1, 1])]),
            self.chain(x, &single),
            self.chain(x, &doubled),
            self.averaged(x, 192),
        ]
    }

    /// `mixed8`.
    fn second_halving(&mut self, x: Value) -> Vec<Value> {
        let single = self.chain(x, &[("branch3x3_1", 192, [1, 1])]);
        let single = self.part(single, "branch3x3_2", 320, HALVING);
        let factorised =
            [("branch7x7x3_1", 192, [1, 1]), ("branch7x7x3_2", 192, [1, 7]), ("branch7x7x3_3", 192, [7, 1])];
        let factorised = self.chain(x, &factorised);
        let factorised = self.part(factorised, "branch7x7x3_4", 192, HALVING);
        vec![single, factorised, self.b.max_pool(x, HALVING)]
    }

    /// `mixed9` and `mixed10`.
    fn wide(&mut self, x: Value) -> Vec<Value> {
        let plain = self.chain(x, &[("branch1x1", 320, [1, 1])]);
        let single = self.chain(x, &[("branch3x3_1", 384, [1, 1])]);
        let single = self.forked(single, ["branch3x3_2a", "branch3x3_2b"]);
        let (name, label) = (format!("mixed9_{}", self.block - 9), format!("M9_{}", self.block - 9));
        self.b.tap_on_request(single, &name, &label);
        let doubled = self.chain(x, &[("branch3x3dbl_1", 448, [1, 1]), ("branch3x3dbl_2", 384, [3, 3])]);
        let doubled = self.forked(doubled, ["branch3x3dbl_3a", "branch3x3dbl_3b"]);
        vec![plain, single, doubled, self.averaged(x, 192)]
    }

    /// A 1 x 3 and a 3 x 1 convolution of the same, concatenated.
    fn forked(&mut self, x: Value, [row, column]: [&'static str; 2]) -> Value {
        let ends = [self.chain(x, &[(row, 384, [1, 3])]), self.chain(x, &[(column, 384, [3, 1])])];
        self.b.concatenate(&ends)
    }

    fn head(mut self, x: Value) -> Blueprint {
        let names = match self.origin {
            Origin::Keras => Names::keras_exported("predictions"),
            Origin::Torchvision => Names::torch("fc"),
        };
        let x = self.b.mean(x);
        self.b.tap_on_request(x, "avg_pool", "AVG");
        self.b.cut();
        let x = self.b.dense(x, "predictions", &names, 1000);
        self.b.gain(x, 4.0);
        let x = self.b.softmax(x);
        self.b.tap_on_request(x, "predictions", "PRED");
        self.b.finish(Some("predictions"))
    }
}

#[cfg(test)]
mod tests;
