//! SqueezeNet 1.1 (Iandola et al. 2016), the small network of the quickstart: a convolution, eight fire modules, a
//! convolution to the classes and its spatial mean. Layers are tapped after their ReLU.
//!
//! The poolings take only windows that fit, as the shipped weights were trained (27 x 27 units after the second one;
//! Caffe and torchvision round up to 28).

use super::{Blueprint, Builder, Conv, Form, Input, Network, Preprocess, Value};
use crate::images::Resize;
use crate::kernels::{VALID, Window};
use crate::weights::Names;

/// The registry entry.
pub const SPEC: Network =
    Network { name: "squeezenet1_1", forms: &[Form { name: "caffe", draw }], ignored: &[], look_alikes: &[] };

/// The fire modules: number; channels squeezed to, channels of each of the two expansions, whether a pooling comes first.
const FIRES: [(usize, usize, usize, bool); 8] = [
    (2, 16, 64, true),
    (3, 16, 64, false),
    (4, 32, 128, true),
    (5, 32, 128, false),
    (6, 48, 192, true),
    (7, 48, 192, false),
    (8, 64, 256, false),
    (9, 64, 256, false),
];
/// The window of the first convolution and of the poolings.
const HALVING: Window = Window::square(3, 2, VALID);

fn draw() -> Blueprint {
    let input = Input { size: 227, preprocess: Preprocess::Caffe, resize: Resize::SquashNearest, crop_pct: 0.875 };
    let mut b = Builder::new(input);
    let image = b.image();
    let conv = b.convolution(image, Conv::new("conv1", Names::torch("conv1"), 64, HALVING));
    b.gain(conv, 0.006);
    let mut x = b.relu(conv);
    b.tap(x, "conv1", "C1");
    b.cut();
    for (number, squeezed, expanded, pooled) in FIRES {
        if pooled {
            x = b.max_pool(x, HALVING);
        }
        let part = |part: &str| format!("fire{number}.{part}");
        let squeeze = conv_relu(&mut b, x, &part("squeeze1x1"), squeezed, 1);
        let one = conv_relu(&mut b, squeeze, &part("expand1x1"), expanded, 1);
        let three = conv_relu(&mut b, squeeze, &part("expand3x3"), expanded, 3);
        x = b.concatenate(&[one, three]);
        b.tap(x, &format!("fire{number}"), &format!("F{number}"));
        b.cut();
    }
    x = conv_relu(&mut b, x, "conv10", 1000, 1);
    b.tap(x, "conv10", "C10");
    b.cut();
    x = b.mean(x);
    b.tap(x, "logits", "OUT");
    b.finish(Some("logits"))
}

/// A convolution that keeps height and width, of the same name here and in the file, with its ReLU.
fn conv_relu(b: &mut Builder, x: Value, name: &str, outputs: usize, size: usize) -> Value {
    let window = Window::square(size, 1, [(size / 2, size / 2); 2]);
    let conv = b.convolution(x, Conv::new(name, Names::torch(name), outputs, window));
    b.relu(conv)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::{Layer, golden};

    #[test]
    fn every_layer_equals_an_independent_implementation() {
        golden::check("squeezenet1_1-formula.json", "caffe");
    }

    #[test]
    fn layers_have_the_units_of_the_published_network() {
        let units: Vec<usize> = draw().layers().iter().map(Layer::units).collect();
        let fires = [401_408, 401_408, 186_624, 186_624, 64_896, 64_896, 86_528, 86_528];
        assert_eq!(units, [&[817_216], &fires[..], &[169_000, 1000]].concat());
        let parameters: usize = draw().parameters().iter().map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(parameters, 1_235_496);
    }
}
