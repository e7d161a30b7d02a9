//! The layers that networks are built of, on Burn's operations, with loaded weights.

use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData, activation};
use burn_flex::Flex;
use rayon::prelude::*;

use crate::weights::{Parameters, WeightsError};

/// Zeros `(before, after)` around height and width.
pub type Padding = [(usize, usize); 2];

/// No padding (Keras `valid`).
pub const VALID: Padding = [(0, 0); 2];

/// A convolution with bias.
pub struct Conv {
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: ConvOptions<2>,
}

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
        Ok(Self {
            weight: Tensor::from_data(parameters.get(&format!("{name}.weight"))?, device),
            bias: Tensor::from_data(parameters.get(&format!("{name}.bias"))?, device),
            options: ConvOptions::new_with_padding([stride; 2], padding, [1; 2], 1),
        })
    }

    /// `[images, in, height, width]` to `[images, out, height, width]`, before any activation.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        conv2d(x, self.weight.clone(), Some(self.bias.clone()), self.options.clone())
    }
}

/// A dense layer, its weights cut into tiles along the outputs.
///
/// A GPU need not bind more than 128 MiB at once and VGG16's `fc1` has 392 MiB; a tile is a matrix product of its own.
pub struct Dense {
    /// Weights `[out, in]` and bias `[1, out]` of consecutive outputs.
    tiles: Vec<(Tensor<2>, Tensor<2>)>,
}

impl Dense {
    /// The largest tile, below what every GPU binds.
    pub const TILE_BYTES: usize = 100 << 20;

    /// Loads `{name}.weight`, `[out, in]`, and `{name}.bias`, `[out]`, in tiles of at most `tile_bytes` (one output at
    /// least).
    ///
    /// # Errors
    /// As [`Parameters::get`].
    pub fn load(
        parameters: &mut Parameters,
        name: &str,
        tile_bytes: usize,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let weight = parameters.get(&format!("{name}.weight"))?;
        let bias = parameters.get(&format!("{name}.bias"))?;
        let inputs = weight.shape()[1];
        let rows = (tile_bytes / (inputs * size_of::<f32>())).max(1);
        let tiles = f32s(&weight).chunks(rows * inputs).zip(f32s(&bias).chunks(rows));
        let tiles = tiles.map(|(weight, bias)| {
            let outs = bias.len();
            let weight = TensorData::new(weight.to_vec(), [outs, inputs]);
            let bias = TensorData::new(bias.to_vec(), [1, outs]);
            (Tensor::from_data(weight, device), Tensor::from_data(bias, device))
        });
        Ok(Self { tiles: tiles.collect() })
    }

    /// `[images, channels, height, width]`, flattened, to `[images, out, 1, 1]`, before any activation.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x: Tensor<2> = x.flatten(1, 3);
        let tiles = self.tiles.iter().map(|(weight, bias)| x.clone().matmul(weight.clone().transpose()) + bias.clone());
        spread(Tensor::cat(tiles.collect(), 1))
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
    activation::relu(x)
}

/// Softmax over all units of an image; `[images, units, 1, 1]` both ways.
pub fn softmax(x: Tensor<4>) -> Tensor<4> {
    spread(activation::softmax(x.flatten::<2>(1, 3), 1))
}

/// Largest value of each `window` x `window`, `stride` apart; windows that do not fit are left out (Keras `valid`).
pub fn max_pool(x: Tensor<4>, window: usize, stride: usize) -> Tensor<4> {
    // On the CPU Burn's pooling also keeps the place of each maximum: a third of SqueezeNet's time, with ours a tenth.
    match x.clone().try_into_primitive::<Flex>() {
        Ok(cpu) => max_pool_cpu(cpu.to_contiguous().storage(), x.dims(), window, stride, &x.device()),
        Err(_) => max_pool2d(x, MaxPoolOptions::new([window; 2]).with_stride([stride; 2])),
    }
}

/// The maximum down the columns of each band of rows, then along it; NaN wins, as in Burn.
fn max_pool_cpu(x: &[f32], shape: [usize; 4], window: usize, stride: usize, device: &Device) -> Tensor<4> {
    let larger = |a: f32, b: f32| if b > a || b.is_nan() { b } else { a };
    let [images, channels, height, width] = shape;
    let [rows, columns] = [height, width].map(|size| (size - window) / stride + 1);
    let mut pooled = vec![0.0; images * channels * rows * columns];
    pooled.par_chunks_mut(rows * columns).zip(x.par_chunks(height * width)).for_each(|(pooled, plane)| {
        let mut band = vec![0.0; width];
        for (y, pooled) in pooled.chunks_mut(columns).enumerate() {
            let mut lines = plane[y * stride * width..].chunks(width).take(window);
            band.copy_from_slice(lines.next().unwrap_or_default());
            for line in lines {
                band.iter_mut().zip(line).for_each(|(largest, &value)| *largest = larger(*largest, value));
            }
            for (x, pooled) in pooled.iter_mut().enumerate() {
                *pooled = band[x * stride..][..window].iter().copied().fold(f32::NEG_INFINITY, larger);
            }
        }
    });
    Tensor::from_data(TensorData::new(pooled, [images, channels, rows, columns]), device)
}

/// Mean over height and width, `[images, channels, height, width]` to `[images, channels, 1, 1]`.
pub fn global_mean(x: Tensor<4>) -> Tensor<4> {
    let [images, channels, ..] = x.dims();
    x.flatten::<3>(2, 3).mean_dim(2).reshape([images, channels, 1, 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{Parameter, formula};

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
        let conv = Conv {
            weight: Tensor::ones([1, 1, 2, 2], &Device::flex()),
            bias: Tensor::zeros([1], &Device::flex()) + 0.5,
            options: ConvOptions::new_with_padding([2; 2], [(1, 2); 2], [1; 2], 1),
        };
        let y = conv.forward(tensor(&[1.0, 2.0, 3.0, 4.0], [1, 1, 2, 2]));
        assert_eq!(y.dims(), [1, 1, 2, 2]);
        assert_eq!(values(y), [1.5, 2.5, 3.5, 4.5]);
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
        for (tile_bytes, tiles) in [(1, 7), (96, 4), (Dense::TILE_BYTES, 1)] {
            let dense = Dense::load(&mut parameters(), "fc", tile_bytes, &Device::flex()).unwrap();
            assert_eq!(dense.tiles.len(), tiles);
            let y = dense.forward(tensor(&x, [2, 3, 2, 2]));
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
    fn softmax_and_mean_are_per_image() {
        let x = tensor(&[0.0, 0.0, 1000.0, 0.0], [2, 2, 1, 1]);
        assert_eq!(values(softmax(x)), [0.5, 0.5, 1.0, 0.0]);
        let x = tensor(&[1.0, 2.0, 3.0, 6.0, -1.0, 1.0, 0.0, 4.0], [1, 2, 2, 2]);
        assert_eq!(values(global_mean(x)), [3.0, 1.0]);
    }
}
