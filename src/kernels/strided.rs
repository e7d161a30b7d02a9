//! Copies of values that lie apart.

use burn::tensor::Tensor;

use super::{cpu, from_cpu, gpu, on_cpu};

/// The values of `root` at `offset` and every index over `runs`, lengths and steps, row by row; none if it is on a GPU and there
/// are nothing to copy or too many runs.
///
/// # Panics
/// If a value lies beyond the root.
pub fn copy(root: &Tensor<1>, offset: usize, runs: &[(usize, usize)]) -> Option<Tensor<1>> {
    let units = runs.iter().map(|&(length, _)| length).product();
    assert!(units == 0 || offset + last(runs) < root.dims()[0], "values of the root");
    match on_cpu(root) {
        Some(values) => Some(from_cpu([units], |out| cpu::strided(&values, offset, runs, out))),
        None if units == 0 || runs.len() > gpu::strided::MOST_RUNS => None,
        None => Some(gpu::strided::copy(root.clone(), offset, runs)),
    }
}

/// How far the last index over runs lies behind the first.
pub(super) fn last(runs: &[(usize, usize)]) -> usize {
    runs.iter().map(|&(length, step)| (length - 1) * step).sum()
}
