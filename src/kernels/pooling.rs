//! Poolings.

use burn::tensor::Tensor;

use super::gpu::pooling::{self, Kind, pool};
use super::{Window, cpu, from_cpu, on_cpu};

/// Largest value of each window; beyond the border is nothing, and windows that do not fit are left out.
pub fn max_pool(x: Tensor<4>, window: Window) -> Tensor<4> {
    let [images, channels, height, width] = x.dims();
    let Some(values) = on_cpu(&x) else { return pool(x, window, Kind::Maximum) };
    let [rows, columns] = window.output([height, width]);
    from_cpu([images, channels, rows, columns], |out| cpu::max_pool(&values, [height, width], window, out))
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
    average_windows(x, Window::square(window, 1, [(window / 2, window / 2); 2]), border)
}

/// Mean of each window; windows that do not fit are left out.
pub fn average_windows(x: Tensor<4>, window: Window, border: Border) -> Tensor<4> {
    let [images, channels, height, width] = x.dims();
    let zeros = border == Border::Zeros;
    let Some(values) = on_cpu(&x) else {
        return pool(x, window, if zeros { Kind::MeanWithZeros } else { Kind::Mean });
    };
    let [rows, columns] = window.output([height, width]);
    from_cpu([images, channels, rows, columns], |out| cpu::average_pool(&values, [height, width], window, zeros, out))
}

/// Mean of every row, `[rows, units]` to `[rows, 1]`.
pub fn row_means(x: Tensor<2>) -> Tensor<2> {
    let [rows, units] = x.dims();
    match on_cpu(&x) {
        Some(values) => from_cpu([rows, 1], |out| cpu::global_mean(&values, units, out)),
        None => pooling::row_means(x),
    }
}

/// Sum of every row, `[rows, units]` to `[rows, 1]`.
pub fn row_sums(x: Tensor<2>) -> Tensor<2> {
    let [rows, units] = x.dims();
    match on_cpu(&x) {
        Some(values) => from_cpu([rows, 1], |out| cpu::row_sums(&values, units, out)),
        None => x.sum_dim(1),
    }
}

/// What is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// The values.
    Values,
    /// Their squares.
    Squares,
}

/// Sums over the second axis, `[outer, rows, units]` to `[outer, 1, units]`.
pub fn column_sums(x: Tensor<3>, terms: Terms) -> Tensor<3> {
    let [outer, rows, units] = x.dims();
    match on_cpu(&x) {
        Some(values) => from_cpu([outer, 1, units], |out| cpu::column_sums(&values, [rows, units], terms, out)),
        None => pooling::column_sums(x, terms),
    }
}

/// Mean over height and width, `[images, channels, height, width]` to `[images, channels, 1, 1]`.
pub fn global_mean(x: Tensor<4>) -> Tensor<4> {
    let [images, channels, height, width] = x.dims();
    match on_cpu(&x) {
        Some(values) => from_cpu([images, channels, 1, 1], |out| cpu::global_mean(&values, height * width, out)),
        None => pooling::row_means(x.reshape([images * channels, height * width])).reshape([images, channels, 1, 1]),
    }
}
