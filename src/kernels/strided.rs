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
    match on_cpu(root) {
        Some(values) => Some(from_cpu([units], |out| cpu::strided(&values, offset, runs, out))),
        None if units == 0 || runs.len() > gpu::strided::MOST_RUNS => None,
        None => {
            let reach: usize = runs.iter().map(|&(length, step)| (length - 1) * step).sum();
            assert!(offset + reach < root.dims()[0], "values of the root");
            Some(gpu::strided::copy(root.clone(), offset, runs))
        }
    }
}
