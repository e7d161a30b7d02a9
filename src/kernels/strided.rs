//! Copies of values that lie apart.

use burn::tensor::Tensor;

use super::{cpu, from_cpu, on_cpu};

/// The values of `root` at `offset` and every index over `runs`, lengths and steps, row by row; none if it is not on the CPU.
///
/// # Panics
/// If a value lies beyond the root.
pub fn copy(root: &Tensor<1>, offset: usize, runs: &[(usize, usize)]) -> Option<Tensor<1>> {
    let values = on_cpu(root)?;
    let units = runs.iter().map(|&(length, _)| length).product();
    Some(from_cpu([units], |out| cpu::strided(&values, offset, runs, out)))
}
