//! EfficientNet-Lite0 (Tan & Le 2019, without squeeze-and-excitation and with ReLU6, for 8-bit devices): a convolution,
//! sixteen inverted residual blocks, a 1 x 1 convolution, its spatial mean, a dense layer.
//!
//! A block expands its channels by a 1 x 1 convolution, filters each of them by a depthwise one and projects them to
//! fewer; batch normalization follows each of the three, ReLU6 the first two. Blocks that change neither channels nor
//! size add their input. Blocks are tapped at their end, the other convolutions after their ReLU6. All convolutions are
//! padded as TensorFlow's `same`, where the weights were trained: a stride of 2 has less padding before than after.

use super::{BATCH_COUNTERS, Blueprint, Builder, Conv, Form, Input, Network, Preprocess, Value};
use crate::images::Resize;
use crate::kernels::Window;
use crate::weights::Names;

/// The registry entry.
pub const SPEC: Network = Network {
    name: "efficientnet_lite0",
    forms: &[Form { name: "tf", draw }],
    ignored: &[BATCH_COUNTERS],
    look_alikes: &[],
};

/// Of every batch normalization.
const EPSILON: f64 = 1e-3;
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

fn draw() -> Blueprint {
    let input = Input { size: 224, preprocess: Preprocess::Lite, resize: Resize::CropBicubic, crop_pct: 0.875 };
    let mut b = Builder::new(input);
    let image = b.image();
    let stem = normalised(&mut b, image, "stem", ["_conv_stem", "_bn0"], 32, (3, 2, 1));
    let mut x = b.relu6(stem);
    b.tap(x, "stem", "STEM");
    b.cut();
    let mut block = 0;
    for (count, kernel, first_stride, expansion, outputs) in RUNS {
        for index in 0..count {
            let stride = if index == 0 { first_stride } else { 1 };
            let name = format!("block{block:02}");
            let part = |b: &mut Builder, x, part: &str, norm: usize, outputs, window| {
                let source = [format!("_blocks.{block}._{part}_conv"), format!("_blocks.{block}._bn{norm}")];
                normalised(b, x, &format!("{name}.{part}"), [&source[0], &source[1]], outputs, window)
            };
            let expanded = expansion * b.channels(x);
            let mut y = x;
            if expansion > 1 {
                y = part(&mut b, y, "expand", 0, expanded, (1, 1, 1));
                y = b.relu6(y);
            }
            y = part(&mut b, y, "depthwise", 1, expanded, (kernel, stride, expanded));
            y = b.relu6(y);
            y = part(&mut b, y, "project", 2, outputs, (1, 1, 1));
            x = if b.shape(x) == b.shape(y) { b.plus(y, x) } else { y };
            b.tap(x, &name, &format!("B{block}"));
            b.cut();
            block += 1;
        }
    }
    x = normalised(&mut b, x, "head_conv", ["_conv_head", "_bn1"], 1280, (1, 1, 1));
    x = b.relu6(x);
    b.tap(x, "head_conv", "HEAD");
    b.cut();
    x = b.mean(x);
    b.tap(x, "avgpool", "AVG");
    b.cut();
    x = b.dense(x, "logits", &Names::torch("_fc"), 1000);
    b.tap(x, "logits", "OUT");
    b.finish(Some("logits"))
}

/// A convolution with its batch normalization, named so in the file; kernel, stride and groups.
fn normalised(
    b: &mut Builder,
    x: Value,
    name: &str,
    [conv, norm]: [&str; 2],
    outputs: usize,
    (kernel, stride, groups): (usize, usize, usize),
) -> Value {
    let window = same(b.shape(x).as_map()[1], kernel, stride);
    let conv = Conv::normalised(name, Names::torch_normalised(conv, norm), outputs, window, EPSILON);
    b.convolution(x, Conv { groups, ..conv })
}

/// TensorFlow's `same` for an input of `size` x `size`.
fn same(size: usize, kernel: usize, stride: usize) -> Window {
    let covered = (size.div_ceil(stride) - 1) * stride + kernel;
    let zeros = covered.saturating_sub(size);
    Window::square(kernel, stride, [(zeros / 2, zeros - zeros / 2); 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::{Layer, golden};

    #[test]
    fn every_layer_equals_an_independent_implementation() {
        golden::check("efficientnet_lite0-formula.json", "tf");
    }

    #[test]
    fn layers_have_the_units_and_the_costs_of_the_published_network() {
        let layers = draw().layers();
        let units: Vec<usize> = layers.iter().map(Layer::units).collect();
        let blocks = [
            200_704, 75_264, 75_264, 31_360, 31_360, 15_680, 15_680, 15_680, 21_952, 21_952, 21_952, 9_408, 9_408,
            9_408, 9_408, 15_680,
        ];
        assert_eq!(units, [&[401_408], &blocks[..], &[62_720, 1280, 1000]].concat());
        let labels: Vec<&str> = layers.iter().map(|layer| layer.label.as_str()).collect();
        assert_eq!([labels[0], labels[1], labels[11], labels[17], labels[19]], ["STEM", "B0", "B10", "HEAD", "OUT"]);
        // Counted on the PyTorch modules of an independent implementation.
        let trained = draw().parameters().into_iter().filter(|p| p.part.is_in(false) && !p.name.ends_with(".mean"));
        let trained = trained.filter(|p| !p.name.ends_with(".var")).map(|p| p.shape.iter().product::<usize>());
        assert_eq!(trained.sum::<usize>(), 4_652_008);
        assert_eq!(draw().stages().iter().map(|stage| stage.multiply_adds).sum::<u64>(), 385_187_552);
    }

    #[test]
    fn a_stride_of_two_is_padded_more_after_than_before() {
        let padding = |size, kernel, stride| same(size, kernel, stride).padding[0];
        // 224 to 112 by 3 x 3: 223 rows and columns and 2 more are covered, one beyond the 224.
        assert_eq!((padding(224, 3, 2), padding(112, 3, 1), padding(112, 1, 1)), ((0, 1), (1, 1), (0, 0)));
        assert_eq!(padding(56, 5, 2), (1, 2));
        let strides = draw().facts().convolutions;
        let strides: Vec<usize> = strides.iter().map(|(window, _)| window.stride[0]).collect();
        assert_eq!((strides.len(), strides[0], strides[1], strides[4], strides[10]), (49, 2, 1, 2, 2));
    }
}
