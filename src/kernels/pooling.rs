//! Poolings.

use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use burn_flex::Flex;
use rayon::prelude::*;

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

/// What an average pooling takes windows to hold beyond the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Nothing: the average is over what is there (Keras `same`).
    Excluded,
    /// Zeros: the average is over the whole window (torchvision).
    Zeros,
}

/// Mean of the `window` x `window` around every unit; `window` is odd, height and width stay.
pub fn average_pool(x: Tensor<4>, window: usize, border: Border) -> Tensor<4> {
    let options = AvgPoolOptions {
        stride: [1; 2],
        padding: [(window / 2, window / 2); 2],
        count_include_pad: border == Border::Zeros,
        ..AvgPoolOptions::new([window; 2])
    };
    avg_pool2d(x, options)
}

/// Mean over height and width, `[images, channels, height, width]` to `[images, channels, 1, 1]`.
pub fn global_mean(x: Tensor<4>) -> Tensor<4> {
    let [images, channels, ..] = x.dims();
    x.flatten::<3>(2, 3).mean_dim(2).reshape([images, channels, 1, 1])
}
