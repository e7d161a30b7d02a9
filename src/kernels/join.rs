//! What makes one tensor of several: sums and concatenations.

use burn::tensor::Tensor;

use super::memory::Buffer;
use super::{Activation, OnCpu, cpu, from_cpu, gpu, on_cpu};

/// `x + y` of one shape, with the activation in the same pass.
///
/// # Panics
/// If the shapes differ.
pub fn sum<const D: usize>(x: Tensor<D>, y: Tensor<D>, activation: Activation) -> Tensor<D> {
    assert_eq!(x.dims(), y.dims(), "a sum of one shape");
    match (on_cpu(&x), on_cpu(&y)) {
        (Some(a), Some(b)) => from_cpu(x.dims(), |out| cpu::sum(&a, &b, activation, out)),
        _ => gpu::join::sum(x, y, activation),
    }
}

/// What two values in the same place become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Their sum.
    Add,
    /// The first less the second.
    Sub,
    /// Their product.
    Mul,
    /// The first by the second.
    Div,
}

/// Value by value; an axis of one place is as long as the other's.
///
/// # Panics
/// If the shapes do not fit so.
pub fn pairwise<const D: usize>(x: Tensor<D>, y: Tensor<D>, operation: Arithmetic) -> Tensor<D> {
    let (Some(a), Some(b)) = (on_cpu(&x), on_cpu(&y)) else {
        return gpu::join::pairwise(x, y, operation);
    };
    let own = [x.dims(), y.dims()];
    let shape = std::array::from_fn(|axis| if own[0][axis] == 1 { own[1][axis] } else { own[0][axis] });
    from_cpu(shape, |out| cpu::pairwise(operation, [(&a, &own[0]), (&b, &own[1])], &shape, out))
}

/// One behind the other along `axis`.
///
/// # Panics
/// If there are none, or their other lengths differ.
pub fn concatenate<const D: usize>(all: Vec<Tensor<D>>, axis: usize) -> Tensor<D> {
    let mut shape = all[0].dims();
    let fits = |x: &Tensor<D>| (0..D).all(|other| other == axis || x.dims()[other] == shape[other]);
    assert!(all.iter().all(fits), "lengths that differ");
    shape[axis] = all.iter().map(|x| x.dims()[axis]).sum();
    let Some(values) = all.iter().map(on_cpu).collect::<Option<Vec<OnCpu>>>() else {
        return gpu::join::concatenate(all, axis, shape);
    };
    let values: Vec<&[f32]> = values.iter().map(|values| &**values).collect();
    from_cpu(shape, |out| cpu::concatenate(&values, shape[..axis].iter().product(), out))
}

/// A concatenation of maps along their channels, on the CPU, that its parts are written into.
pub struct Joint {
    values: Buffer,
    shape: [usize; 4],
}

impl Joint {
    /// `[images, channels, height, width]` of arbitrary content: all channels are to be written.
    pub fn new(shape: [usize; 4]) -> Self {
        Self { values: Buffer::new(shape.iter().product()), shape }
    }

    /// Its shape.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    pub(super) fn values(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Writes the channels from `first` on.
    ///
    /// # Panics
    /// If `x` is not on the CPU or does not fit.
    pub fn copy(&mut self, x: &Tensor<4>, first: usize) {
        let ([images, channels, height, width], [_, count, ..]) = (self.shape, x.dims());
        assert!(x.dims() == [images, count, height, width] && first + count <= channels, "channels of such maps");
        let values = on_cpu(x).expect("a map on the CPU");
        let len = count * height * width;
        let to = self.values.chunks_exact_mut(channels * height * width);
        for (to, from) in to.zip(values.chunks_exact(len)) {
            to[first * height * width..][..len].copy_from_slice(from);
        }
    }

    /// The concatenation.
    pub fn finish(self) -> Tensor<4> {
        self.values.into_tensor(self.shape)
    }
}
