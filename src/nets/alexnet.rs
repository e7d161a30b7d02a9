//! AlexNet (Krizhevsky 2014, one tower): five convolutions, three dense layers, every layer tapped after its ReLU, the last
//! before its softmax. Layers have the names of the older literature, `conv1` … `fc8`.
//!
//! A stage is one layer; the poolings after the first, second and fifth convolution open the next stage. At 224 pixels
//! torchvision's adaptive pooling has nothing to do.

use super::{Blueprint, Builder, Conv, Form, Input, Network, Preprocess};
use crate::images::Resize;
use crate::kernels::{VALID, Window};
use crate::weights::Names;

/// The registry entry.
pub const SPEC: Network =
    Network { name: "alexnet", forms: &[Form { name: "torchvision", draw }], ignored: &[], look_alikes: &[] };

/// torchvision's number, channels, window, and whether a pooling follows.
const CONVOLUTIONS: [(usize, usize, Window, bool); 5] = [
    (0, 64, Window::square(11, 4, [(2, 2); 2]), true),
    (3, 192, Window::square(5, 1, [(2, 2); 2]), true),
    (6, 384, Window::square(3, 1, [(1, 1); 2]), false),
    (8, 256, Window::square(3, 1, [(1, 1); 2]), false),
    (10, 256, Window::square(3, 1, [(1, 1); 2]), true),
];

fn draw() -> Blueprint {
    let input = Input { size: 224, preprocess: Preprocess::Torch, resize: Resize::CropBilinear, crop_pct: 0.875 };
    let mut b = Builder::new(input);
    let mut x = b.image();
    for (number, (module, channels, window, pooled)) in (1..).zip(CONVOLUTIONS) {
        let name = format!("conv{number}");
        x = b.convolution(x, Conv::new(&name, Names::torch(&format!("features.{module}")), channels, window));
        x = b.relu(x);
        b.tap(x, &name, &name.to_uppercase());
        b.cut();
        if pooled {
            x = b.max_pool(x, Window::square(3, 2, VALID));
        }
    }
    for (name, module) in [("fc6", 1), ("fc7", 4)] {
        x = b.dense(x, name, &Names::torch(&format!("classifier.{module}")), 4096);
        x = b.relu(x);
        b.tap(x, name, &name.to_uppercase());
        b.cut();
    }
    x = b.dense(x, "fc8", &Names::torch("classifier.6"), 1000);
    b.tap(x, "fc8", "FC8");
    b.finish(Some("fc8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::golden;

    #[test]
    fn every_layer_equals_torchvision() {
        golden::check("alexnet-torchvision.json", "torchvision");
    }

    #[test]
    fn the_costs_are_those_published() {
        let parameters = draw().parameters().into_iter().map(|p| p.shape.iter().product::<usize>());
        assert_eq!(parameters.sum::<usize>(), 61_100_840);
        // torchvision says 0.71 GFLOPS of multiply-adds.
        let multiply_adds = draw().stages().iter().map(|stage| stage.multiply_adds).sum::<u64>();
        assert_eq!((multiply_adds as f64 / 1e7).round(), 71.0);
    }
}
