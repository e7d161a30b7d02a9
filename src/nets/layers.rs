//! The layers that networks are built of: kernels with loaded weights.

use burn::tensor::{Device, Tensor, TensorData};

use crate::kernels::{self, Activation, Convolution, Window};
use crate::weights::{Parameters, WeightsError};

pub use crate::kernels::pooling::{Border, average_pool, global_mean, max_pool};
pub use crate::kernels::{Padding, VALID};

/// A convolution with bias.
pub struct Conv(Convolution);

impl Conv {
    /// Loads `{name}.weight`, `[out, in, height, width]`, and `{name}.bias`, `[out]`.
    ///
    /// # Errors
    /// As [`Parameters::get`].
    pub fn load(
        parameters: &mut Parameters,
        name: &str,
        stride: usize,
        padding: Padding,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let weight = parameters.get(&format!("{name}.weight"))?;
        Ok(Self::new(weight, parameters.get(&format!("{name}.bias"))?, stride, padding, 1, device))
    }

    /// Loads a convolution and the batch normalization after it as one convolution: with `s = gamma / sqrt(var + epsilon)`
    /// per output, weight `s w` and bias `s (b - mean) + beta`, in `f64`, rounded once. From files that an exporter folded
    /// `{conv}.weight` and `{conv}.bias` are all there is.
    ///
    /// # Errors
    /// As [`Parameters::get`].
    pub fn load_normalised(
        parameters: &mut Parameters,
        conv: &str,
        norm: &str,
        epsilon: f64,
        (stride, padding, groups): (usize, Padding, usize),
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let weight = parameters.get(&format!("{conv}.weight"))?;
        let outs = weight.shape()[0];
        let bias = format!("{conv}.bias");
        let (weight, bias) = if parameters.folded() {
            (weight, parameters.get(&bias)?)
        } else {
            let bias = parameters.has(&bias).then(|| parameters.get(&bias)).transpose()?;
            let gamma = format!("{norm}.gamma");
            let gamma = parameters.has(&gamma).then(|| parameters.get(&gamma)).transpose()?;
            let [beta, mean, var] = [
                parameters.get(&format!("{norm}.beta"))?,
                parameters.get(&format!("{norm}.mean"))?,
                parameters.get(&format!("{norm}.var"))?,
            ];
            let at = |data: &TensorData, out: usize| f64::from(f32s(data)[out]);
            let mut folded = f32s(&weight).to_vec();
            let mut shifts = Vec::with_capacity(outs);
            for (out, kernel) in folded.chunks_exact_mut(weight.num_elements() / outs).enumerate() {
                let scale = gamma.as_ref().map_or(1.0, |gamma| at(gamma, out)) / (at(&var, out) + epsilon).sqrt();
                let bias = bias.as_ref().map_or(0.0, |bias| at(bias, out));
                kernel.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
                shifts.push(((bias - at(&mean, out)) * scale + at(&beta, out)) as f32);
            }
            (TensorData::new(folded, weight.shape().clone()), TensorData::new(shifts, [outs]))
        };
        Ok(Self::new(weight, bias, stride, padding, groups, device))
    }

    fn new(
        weight: TensorData,
        bias: TensorData,
        stride: usize,
        padding: Padding,
        groups: usize,
        device: &Device,
    ) -> Self {
        let size = [weight.shape()[2], weight.shape()[3]];
        let window = Window { size, ..Window::square(1, stride, padding) };
        Self(Convolution::new(weight, bias, window, groups, Activation::Identity, device))
    }

    /// `[images, in, height, width]` to `[images, out, height, width]`, before any activation.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.0.forward(x)
    }
}

/// A dense layer.
pub struct Dense(kernels::Dense);

impl Dense {
    /// Loads `{name}.weight`, `[out, in]`, and `{name}.bias`, `[out]`.
    ///
    /// # Errors
    /// As [`Parameters::get`].
    pub fn load(parameters: &mut Parameters, name: &str, device: &Device) -> Result<Self, WeightsError> {
        let weight = parameters.get(&format!("{name}.weight"))?;
        let bias = parameters.get(&format!("{name}.bias"))?;
        Ok(Self(kernels::Dense::new(&weight, &bias, Activation::Identity, kernels::Dense::TILE_BYTES, device)))
    }

    /// `[images, channels, height, width]`, flattened, to `[images, out, 1, 1]`, before any activation.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        spread(self.0.forward(x.flatten(1, 3)))
    }
}

fn f32s(data: &TensorData) -> &[f32] {
    data.as_slice().expect("parameters are f32 in their canonical layout")
}

/// Dense activations as a stage hands them on: `[images, units]` to `[images, units, 1, 1]`.
fn spread(x: Tensor<2>) -> Tensor<4> {
    let [images, units] = x.dims();
    x.reshape([images, units, 1, 1])
}

/// `max(x, 0)`.
pub fn relu(x: Tensor<4>) -> Tensor<4> {
    Activation::Relu.forward(x)
}

/// `x` held between 0 and 6.
pub fn relu6(x: Tensor<4>) -> Tensor<4> {
    Activation::Relu6.forward(x)
}

/// Softmax over all units of an image; `[images, units, 1, 1]` both ways.
pub fn softmax(x: Tensor<4>) -> Tensor<4> {
    spread(kernels::activation::softmax(x.flatten(1, 3)))
}

/// Most that an activation inside a stage takes on the CPU: larger ones the allocator (glibc: from 32 MiB on) returns to
/// the system after each operation, whose page faults then cost more than the arithmetic.
const INNER_BYTES: usize = 16 << 20;

/// Runs `forward`, inside of which an image has up to `units` activations; on the CPU over so few images at once that
/// these stay small.
pub fn in_parts(x: Tensor<4>, units: usize, forward: impl Fn(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    let images = (INNER_BYTES / (units * size_of::<f32>())).max(1);
    if x.dims()[0] <= images || x.device() != Device::flex() {
        return forward(x);
    }
    Tensor::cat(x.split(images, 0).into_iter().map(forward).collect(), 0)
}

#[cfg(test)]
mod tests {
    use burn::tensor::module::max_pool2d;
    use burn::tensor::ops::MaxPoolOptions;

    use super::*;
    use crate::weights::{Normalised, Parameter, formula};

    /// `f32` sums of 12 products of the order of 1: 12 roundings of 2^-24 each.
    const SUM_OF_12: f32 = 12.0 * f32::EPSILON / 2.0;

    fn tensor(values: &[f32], shape: [usize; 4]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
    }

    fn values(x: Tensor<4>) -> Vec<f32> {
        f32s(&x.into_data()).to_vec()
    }

    #[test]
    fn padding_may_differ_before_and_after() {
        // 1 x 1 x 2 x 2 input 1 2 / 3 4, 2 x 2 kernel of ones, stride 2, one zero before and two after: the windows
        // cover {1}, {2} / {3}, {4}.
        let weight = TensorData::new(vec![1.0f32; 4], [1, 1, 2, 2]);
        let conv = Conv::new(weight, TensorData::new(vec![0.5f32], [1]), 2, [(1, 2); 2], 1, &Device::flex());
        let y = conv.forward(tensor(&[1.0, 2.0, 3.0, 4.0], [1, 1, 2, 2]));
        assert_eq!(y.dims(), [1, 1, 2, 2]);
        assert_eq!(values(y), [1.5, 2.5, 3.5, 4.5]);
    }

    /// Folding rounds weights and bias once more; then as [`SUM_OF_12`], over sums of the order of 1.
    const FOLDED: f32 = 2.0 * SUM_OF_12;

    #[test]
    fn a_folded_normalization_is_the_normalization() {
        let shape = [4, 3, 1, 4];
        for (bias, scale) in [(true, true), (false, true), (false, false)] {
            let listed = Normalised { conv: "conv", norm: "bn", shape, bias, scale }.torch("conv", "bn");
            let mut parameters = Parameters::formula("test", listed);
            let mut vector = |name: &str| parameters.has(name).then(|| parameters.get(name).unwrap());
            let [own, gamma] = [vector("conv.bias"), vector("bn.gamma")];
            assert_eq!((own.is_some(), gamma.is_some()), (bias, scale));
            let [weight, beta, mean, var] =
                ["conv.weight", "bn.beta", "bn.mean", "bn.var"].map(|name| vector(name).unwrap());
            let x: Vec<f32> = (0..12).map(|v| (v as f32 - 6.0) / 6.0).collect();
            let device = Device::flex();
            let conv = Conv::load_normalised(&mut parameters, "conv", "bn", 0.5, (1, VALID, 1), &device).unwrap();
            let y = conv.forward(tensor(&x, [1, 3, 1, 4]));
            assert_eq!(y.dims(), [1, 4, 1, 1]);
            for (out, y) in values(y).into_iter().enumerate() {
                let at = |data: &TensorData| f64::from(f32s(data)[out]);
                let kernel = &f32s(&weight)[out * 12..][..12];
                let sum: f64 = kernel.iter().zip(&x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
                let centred = sum + own.as_ref().map_or(0.0, at) - at(&mean);
                let expected = centred / (at(&var) + 0.5).sqrt() * gamma.as_ref().map_or(1.0, at) + at(&beta);
                assert!((y - expected as f32).abs() <= FOLDED, "{bias} {scale}: {y} {expected}");
            }
        }
    }

    #[test]
    fn groups_see_their_own_channels() {
        let weight = TensorData::new(vec![2.0f32, 3.0], [2, 1, 1, 1]);
        let conv = Conv::new(weight, TensorData::new(vec![0.0f32; 2], [2]), 1, VALID, 2, &Device::flex());
        assert_eq!(values(conv.forward(tensor(&[5.0, 7.0], [1, 2, 1, 1]))), [10.0, 21.0]);
    }

    #[test]
    fn tiles_of_a_dense_layer_make_up_the_whole() {
        let parameters = || {
            let parameters = vec![Parameter::kernel("fc", &[7, 12], vec![]), Parameter::bias("fc", 7, vec![])];
            Parameters::formula("test", parameters)
        };
        let x: Vec<f32> = (0..24).map(|v| (v as f32 - 12.0) / 12.0).collect();
        let weight = parameters().get("fc.weight").unwrap();
        let bias = parameters().get("fc.bias").unwrap();
        let mut expected = Vec::new();
        for image in x.chunks(12) {
            for (row, bias) in f32s(&weight).chunks(12).zip(f32s(&bias)) {
                let sum: f64 = row.iter().zip(image).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
                expected.push((sum + f64::from(*bias)) as f32);
            }
        }
        // 1 byte: one output per tile; 96 bytes: two, and one left over; the rest: all in one.
        for tile_bytes in [1, 96, kernels::Dense::TILE_BYTES] {
            let dense = kernels::Dense::new(&weight, &bias, Activation::Identity, tile_bytes, &Device::flex());
            let y = Dense(dense).forward(tensor(&x, [2, 3, 2, 2]));
            assert_eq!(y.dims(), [2, 7, 1, 1]);
            for (y, expected) in values(y).iter().zip(&expected) {
                assert!((y - expected).abs() <= SUM_OF_12, "{y} {expected}");
            }
        }
    }

    #[test]
    fn pooling_leaves_out_windows_that_do_not_fit() {
        let x: Vec<f32> = (0..16).map(|v| v as f32).collect();
        assert_eq!(values(max_pool(tensor(&x, [1, 1, 4, 4]), 3, 2)), [10.0]);
        assert_eq!(values(max_pool(tensor(&x, [1, 1, 4, 4]), 2, 2)), [5.0, 7.0, 13.0, 15.0]);
    }

    #[test]
    fn pooling_on_the_cpu_equals_burns() {
        let shape = [2, 3, 9, 7];
        let x: Vec<f32> =
            formula::image(0, 227).iter().take(shape.iter().product()).map(|&v| f32::from(v) - 99.0).collect();
        for (window, stride) in [(2, 2), (3, 2), (3, 1), (1, 3)] {
            let burn = max_pool2d(tensor(&x, shape), MaxPoolOptions::new([window; 2]).with_stride([stride; 2]));
            assert_eq!(max_pool(tensor(&x, shape), window, stride).into_data(), burn.into_data(), "{window} {stride}");
        }
        let spoilt = max_pool(tensor(&[1.0, f32::NAN, 0.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2, 1, 2, 2]), 2, 2);
        assert!(values(spoilt.clone())[0].is_nan());
        assert_eq!(values(spoilt)[1], 6.0);
    }

    #[test]
    fn averages_at_the_border_are_over_what_is_there_or_over_zeros_too() {
        // 1 2 / 3 4: every window covers all four units and five beyond the border.
        let x = || tensor(&[1.0, 2.0, 3.0, 4.0], [1, 1, 2, 2]);
        assert_eq!(values(average_pool(x(), 3, Border::Excluded)), [2.5; 4]);
        assert_eq!(values(average_pool(x(), 3, Border::Zeros)), [10.0 / 9.0; 4]);
        // The middle one of 3 x 3 has all its nine.
        let x = tensor(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], [1, 1, 3, 3]);
        assert_eq!(values(average_pool(x, 3, Border::Excluded))[4], 5.0);
    }

    #[test]
    fn parts_make_up_the_batch() {
        let x: Vec<f32> = (0..10).map(|v| v as f32).collect();
        let parts = std::cell::RefCell::new(Vec::new());
        let doubled = in_parts(tensor(&x, [5, 2, 1, 1]), INNER_BYTES / 8, |x| {
            parts.borrow_mut().push(x.dims()[0]);
            x * 2.0
        });
        assert_eq!(parts.into_inner(), [2, 2, 1]);
        assert_eq!(doubled.dims(), [5, 2, 1, 1]);
        assert_eq!(values(doubled), x.iter().map(|v| 2.0 * v).collect::<Vec<_>>());
    }

    #[test]
    fn softmax_and_mean_are_per_image() {
        let x = tensor(&[0.0, 0.0, 1000.0, 0.0], [2, 2, 1, 1]);
        assert_eq!(values(softmax(x)), [0.5, 0.5, 1.0, 0.0]);
        let x = tensor(&[1.0, 2.0, 3.0, 6.0, -1.0, 1.0, 0.0, 4.0], [1, 2, 2, 2]);
        assert_eq!(values(global_mean(x)), [3.0, 1.0]);
    }

    /// Either device sums in an order of its own: n products, 594 at most, err by about sqrt(n) < 25 roundings of 2^-24.
    const DEVICES_AGREE: f32 = 2.0 * 25.0 * f32::EPSILON / 2.0;

    /// Every operation that a network is built of, on a device: an input of 2 x 6 x 9 x 11, odd on purpose.
    fn operations(device: &Device) -> Vec<(&'static str, Vec<f32>)> {
        let filled = |shape: [usize; 4]| {
            let count = shape.iter().product::<usize>();
            let values: Vec<f32> = (0..count).map(|n| ((7 * n % 31) as f32 - 15.0) / 15.0).collect();
            Tensor::<4>::from_data(TensorData::new(values, shape), device)
        };
        let x = filled([2, 6, 9, 11]);
        let conv = |shape: [usize; 4], stride, padding: Padding, groups| {
            let bias = TensorData::new(values(filled([1, 1, 1, shape[0]])), [shape[0]]);
            let weight = TensorData::new(values(filled(shape)), shape);
            values(Conv::new(weight, bias, stride, padding, groups, device).forward(x.clone()))
        };
        let kernel = Parameter::kernel("dense", &[5, 594], vec![]);
        let mut parameters = Parameters::formula("test", vec![kernel, Parameter::bias("dense", 5, vec![])]);
        let mut take = |name: &str| parameters.get(name).unwrap();
        let (weight, bias) = (take("dense.weight"), take("dense.bias"));
        let dense = Dense(kernels::Dense::new(&weight, &bias, Activation::Identity, 2 * 594 * 4, device));
        vec![
            ("1 x 1", conv([4, 6, 1, 1], 1, VALID, 1)),
            ("1 x 1, strided", conv([4, 6, 1, 1], 2, VALID, 1)),
            ("1 x 3, padded", conv([4, 6, 1, 3], 1, [(0, 0), (1, 1)], 1)),
            ("3 x 1, padded", conv([4, 6, 3, 1], 1, [(1, 1), (0, 0)], 1)),
            ("more zeros after than before", conv([4, 6, 2, 2], 2, [(0, 1); 2], 1)),
            ("depthwise", conv([6, 1, 3, 3], 1, [(1, 1); 2], 6)),
            ("depthwise, strided", conv([6, 1, 3, 3], 2, [(0, 1), (1, 1)], 6)),
            ("dense, in tiles", values(dense.forward(x.clone()))),
            ("max-pool", values(max_pool(x.clone(), 3, 2))),
            ("mean of what is inside", values(average_pool(x.clone(), 3, Border::Excluded))),
            ("mean with zeros", values(average_pool(x.clone(), 3, Border::Zeros))),
            ("global mean", values(global_mean(x.clone()))),
            ("softmax", values(softmax(x.clone()))),
            ("ReLU 6", values(relu6(x * 9.0))),
        ]
    }

    #[test]
    fn every_operation_computes_the_same_on_the_gpu() {
        if std::env::var("SEMGPU_TEST_DEVICE").as_deref() != Ok("gpu") {
            return;
        }
        let gpu = operations(&Device::wgpu(burn::tensor::DeviceKind::DefaultDevice));
        for ((name, expected), (_, found)) in operations(&Device::flex()).into_iter().zip(gpu) {
            assert_eq!(expected.len(), found.len(), "{name}");
            let scale = expected.iter().fold(1.0, |scale: f32, value| scale.max(value.abs()));
            for (place, (expected, found)) in expected.iter().zip(&found).enumerate() {
                let difference = (expected - found).abs();
                assert!(difference <= DEVICES_AGREE * scale, "{name}: unit {place}: {found}, on the CPU {expected}");
            }
        }
    }
}
