//! VGG16 and VGG19 (Simonyan & Zisserman 2015): thirteen or sixteen convolutions in five blocks, three dense layers; every
//! layer is tapped after its activation.
//!
//! A stage is one layer; the pooling between blocks opens the next stage, so that a stage's output is its tap. The forms
//! `keras` and `torchvision` compute the same function and differ in how images are prepared and weights are named.

use super::{Blueprint, Builder, Conv, Form, Input, Network, Preprocess};
use crate::images::Resize;
use crate::kernels::{VALID, Window};
use crate::weights::{Layout, Names, Variable};

/// The registry entry of VGG16, the paper's.
pub const VGG16: Network = Network {
    name: "vgg16",
    forms: &[
        Form { name: "keras", draw: || draw(16, Origin::Keras) },
        Form { name: "torchvision", draw: || draw(16, Origin::Torchvision) },
    ],
    ignored: &[],
    look_alikes: &[],
};
/// The registry entry of VGG19.
pub const VGG19: Network = Network {
    name: "vgg19",
    forms: &[
        Form { name: "keras", draw: || draw(19, Origin::Keras) },
        Form { name: "torchvision", draw: || draw(19, Origin::Torchvision) },
    ],
    ..VGG16
};

/// Who prepares images and names weights.
#[derive(Clone, Copy)]
enum Origin {
    Keras,
    /// Torchvision; timm names the dense layers in its own way, MXNet (in the ONNX model zoo) the convolutions.
    Torchvision,
}

/// Channels of each block's convolutions; the first two blocks have two of them.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];
/// A window of 3 x 3 that keeps height and width.
const AROUND: Window = Window::square(3, 1, [(1, 1); 2]);
/// Between the blocks.
const HALVING: Window = Window::square(2, 2, VALID);

/// The network of so many layers with weights, three of them dense.
fn draw(layers: usize, origin: Origin) -> Blueprint {
    let (preprocess, resize) = match origin {
        Origin::Keras => (Preprocess::Caffe, Resize::SquashNearest),
        Origin::Torchvision => (Preprocess::Torch, Resize::CropBilinear),
    };
    let mut b = Builder::new(Input { size: 224, preprocess, resize, crop_pct: 0.875 });
    let mut x = b.image();
    // Torchvision counts activations and poolings too.
    let (mut count, mut feature) = (0, 0);
    for (block, channels) in (1..).zip(CHANNELS) {
        for index in 1..=if block <= 2 { 2 } else { (layers - 7) / 3 } {
            let layer = format!("block{block}_conv{index}");
            let names = match origin {
                Origin::Keras => saved(&layer, "conv2d", count),
                Origin::Torchvision => Names::torch(&format!("features.{feature}")).with([
                    (Variable::Weight, format!("vgg0_conv{count}_weight")),
                    (Variable::Bias, format!("vgg0_conv{count}_bias")),
                ]),
            };
            let conv = b.convolution(x, Conv::new(&format!("block{block}.conv{index}"), names, channels, AROUND));
            if count == 0 {
                b.gain(conv, 0.006);
            }
            x = b.relu(conv);
            b.tap(x, &layer, &format!("B{block}C{index}"));
            b.cut();
            (count, feature) = (count + 1, feature + 2);
        }
        x = b.max_pool(x, HALVING);
        feature += 1;
    }
    for (index, (layer, torchvision)) in ["fc1", "fc2"].into_iter().zip(["classifier.0", "classifier.3"]).enumerate() {
        let names = match origin {
            Origin::Keras => saved(layer, "dense", index),
            Origin::Torchvision => Names::torch(torchvision)
                .laid_out([(Variable::Weight, format!("pre_logits.{layer}.weight"))], Layout::Convolution)
                .with([(Variable::Bias, format!("pre_logits.{layer}.bias"))]),
        };
        let dense = b.dense(x, layer, &names, 4096);
        x = b.relu(dense);
        b.tap(x, layer, &layer.to_uppercase());
        b.cut();
    }
    let names = match origin {
        Origin::Keras => saved("predictions", "dense", 2),
        Origin::Torchvision => Names::torch("classifier.6")
            .with([(Variable::Weight, "head.fc.weight".into()), (Variable::Bias, "head.fc.bias".into())]),
    };
    let logits = b.dense(x, "predictions", &names, 1000);
    let x = b.softmax(logits);
    b.tap(x, "predictions", "PRED");
    b.finish(Some("predictions"))
}

/// Keras' names; Keras 3's `.weights.h5` counts the layers of a class, and VGG's order is the same everywhere.
fn saved(layer: &str, class: &str, k: usize) -> Names {
    let class = if k == 0 { class.to_string() } else { format!("{class}_{k}") };
    Names::keras(layer)
        .laid_out([(Variable::Weight, format!("layers/{class}/vars/0"))], Layout::ChannelsLast)
        .with([(Variable::Bias, format!("layers/{class}/vars/1"))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::golden;
    use crate::weights::Transform;

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
        let parameters: usize =
            VGG16.blueprint("keras").unwrap().parameters().iter().map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(parameters, 138_357_544);
        let multiply_adds: u64 =
            VGG16.blueprint("keras").unwrap().stages().iter().map(|stage| stage.multiply_adds).sum();
        assert_eq!(multiply_adds, 15_470_264_320);
        let deeper = VGG19.blueprint("keras").unwrap();
        assert_eq!(deeper.layers()[15].name, "block5_conv4");
        let deeper: usize = deeper.parameters().iter().map(|p| p.shape.iter().product::<usize>()).sum();
        assert_eq!(deeper, 143_667_240);
    }

    #[test]
    fn files_of_all_origins_name_the_last_convolution_and_the_first_dense_layer() {
        let names = |form: &str, parameter: &str| {
            let all = VGG16.blueprint(form).unwrap().parameters();
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
