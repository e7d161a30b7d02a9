//! What makes one tensor of several: sums and concatenations.

use burn::tensor::Tensor;

use super::{Activation, OnCpu, cpu, from_cpu, on_cpu};

/// `x + y` of one shape, with the activation in the same pass.
///
/// # Panics
/// If the shapes differ.
pub fn sum<const D: usize>(x: Tensor<D>, y: Tensor<D>, activation: Activation) -> Tensor<D> {
    assert_eq!(x.dims(), y.dims(), "a sum of one shape");
    match (on_cpu(&x), on_cpu(&y)) {
        (Some(a), Some(b)) => from_cpu(x.dims(), |out| cpu::sum(&a, &b, activation, out)),
        _ => activation.forward(x + y),
    }
}

/// One behind the other along `axis`.
///
/// # Panics
/// If there are none, or their other lengths differ.
pub fn concatenate<const D: usize>(all: Vec<Tensor<D>>, axis: usize) -> Tensor<D> {
    let Some(values) = all.iter().map(on_cpu).collect::<Option<Vec<OnCpu>>>() else { return Tensor::cat(all, axis) };
    let mut shape = all[0].dims();
    let [before, after] = [&shape[..axis], &shape[axis + 1..]].map(<[usize]>::to_vec);
    let fits = |x: &Tensor<D>| x.dims()[..axis] == before && x.dims()[axis + 1..] == after;
    assert!(all.iter().all(fits), "lengths that differ");
    shape[axis] = all.iter().map(|x| x.dims()[axis]).sum();
    from_cpu(shape, |out| cpu::concatenate(&values, before.iter().product(), out))
}
