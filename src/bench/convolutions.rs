//! Convolutions of the paper's networks on a GPU, beside Burn's convolution and Burn's matrix product of the same shape.

use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData};

use super::timing::{Within, validate};
use super::{Row, Work, activations, is_software, timed};
use crate::device::Selected;
use crate::error::Error;
use crate::kernels::convolution::Part;
use crate::kernels::{Activation, Convolution, VALID, Window};

/// A convolution of a published network.
struct Case {
    name: &'static str,
    channels: usize,
    /// Height and width of the input.
    input: usize,
    outputs: usize,
    groups: usize,
    window: Window,
}

const fn case(name: &'static str, [channels, input, outputs, groups]: [usize; 4], window: Window) -> Case {
    Case { name, channels, input, outputs, groups, window }
}

const SAME: Window = Window::square(3, 1, [(1, 1); 2]);
const POINT: Window = Window::square(1, 1, VALID);

const CASES: &[Case] = &[
    case("VGG16 block1_conv1", [3, 224, 64, 1], SAME),
    case("VGG16 block2_conv2", [128, 112, 128, 1], SAME),
    case("VGG16 block5_conv1", [512, 14, 512, 1], SAME),
    case("ResNet50 7x7 / 2", [3, 224, 64, 1], Window::square(7, 2, [(3, 3); 2])),
    case("ResNet50 1x1", [256, 56, 64, 1], POINT),
    case("ResNet50 1x1 late", [512, 7, 2048, 1], POINT),
    case("Inception V3 1x7", [128, 17, 192, 1], Window { size: [1, 7], ..Window::square(1, 1, [(0, 0), (3, 3)]) }),
    case("Inception V3 3x3 / 2", [288, 35, 384, 1], Window::square(3, 2, VALID)),
    case("EfficientNet 5x5", [240, 28, 240, 240], Window::square(5, 1, [(2, 2); 2])),
];

/// Activations and weights are positive, so that every result is as large as what was added up: 4,608 roundings are 3e-4
/// of it at most, and Winograd's transforms add up several times as much.
const TOLERANCE: f32 = 1e-3;

/// Pixels laid out for a matrix product, at most.
const PIXELS_BYTES: usize = 100 << 20;

impl Case {
    fn taps(&self) -> usize {
        self.channels / self.groups * self.window.size[0] * self.window.size[1]
    }

    /// Pixels of an image.
    fn pixels(&self) -> usize {
        self.window.output([self.input; 2]).iter().product()
    }

    /// Multiply-adds of an image.
    fn multiply_adds(&self) -> usize {
        self.taps() * self.outputs * self.pixels()
    }
}

/// Three rows of every case: ours, Burn's convolution, Burn's matrix product of the same shape (not of a depthwise one).
pub(super) fn rows(selected: &Selected) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for case in CASES {
        // A software adapter takes a second for a GFLOP of Burn's convolution.
        let fitting = 250_000_000 / case.multiply_adds();
        let images = if is_software(selected) { fitting.clamp(1, 16) } else { 16 };
        rows.extend(time(selected, case, images)?);
    }
    Ok(rows)
}

fn time(selected: &Selected, case: &Case, images: usize) -> Result<Vec<Row>, Error> {
    let Case { channels, input, outputs, groups, window, .. } = *case;
    let units = channels * input * input;
    let work = |task: &str, pixels: usize| Work {
        task: task.to_string(),
        case: format!("{}, {images} images", case.name),
        count: images as f64,
        unit: "images",
        operations: 2.0 * (case.taps() * outputs * pixels) as f64,
        bytes: 4.0 * (images * (units + outputs * case.pixels()) + outputs * case.taps()) as f64,
    };
    let pixels = images * case.pixels();
    let device = &selected.device;
    let weight_shape = [outputs, channels / groups, window.size[0], window.size[1]];
    let weight = TensorData::new(activations(1, outputs * case.taps(), 3), weight_shape);
    let bias = TensorData::new(vec![0.5_f32; outputs], [outputs]);
    let x = TensorData::new(activations(images, units, 4), [images, channels, input, input]);
    let x = Tensor::<4>::from_data(x, device);

    let part = Part { weight, bias, window, groups, activation: Activation::Relu };
    let ours = Convolution::new(&part, device);
    let options = ConvOptions::new_with_padding(window.stride, window.padding, window.dilation, groups);
    let weight = Tensor::<4>::from_data(part.weight, device);
    let bias = Tensor::<1>::from_data(part.bias, device);
    let burns = |x: Tensor<4>| conv2d(x, weight.clone(), Some(bias.clone()), options.clone());
    let first = x.clone().narrow(0, 0, 1);
    validate(case.name, ours.forward(first.clone()), Activation::Relu.forward(burns(first)), Within::Each(TOLERANCE))?;
    let mut rows = vec![timed(selected, work("convolution", pixels), || {
        let _y = ours.forward(x.clone());
        Ok(())
    })?];
    rows.push(timed(selected, work("Burn's", pixels), || {
        let _y = burns(x.clone());
        Ok(())
    })?);
    if groups == 1 {
        let weight = weight.clone().reshape([outputs, case.taps()]);
        // No more of the laid out pixels than every GPU binds.
        let pixels = pixels.min(PIXELS_BYTES / size_of::<f32>() / case.taps());
        let columns = Tensor::<2>::ones([case.taps(), pixels], device);
        rows.push(timed(selected, work("Burn's product", pixels), || {
            let _y = weight.clone().matmul(columns.clone());
            Ok(())
        })?);
    }
    Ok(rows)
}
