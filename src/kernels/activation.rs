//! Functions of every unit, and softmax.

use burn::tensor::{Tensor, activation};

use super::{cpu, from_cpu, gpu, on_cpu};

pub use super::gpu::activation::Function;

/// What is done to every sum as it leaves a convolution or a dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// `x` held between 0 and 6.
    Relu6,
    /// `x Φ(x)` with the normal distribution `Φ(x) = (1 + erf(x / √2)) / 2` (Hendrycks & Gimpel 2016).
    Gelu,
    /// Its approximation `x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2`.
    GeluTanh,
    /// Its approximation in CLIP, `x / (1 + exp(-1.702 x))`.
    QuickGelu,
    /// `x / (1 + exp(-x))` (Elfwing et al. 2018), also called swish.
    Silu,
    /// `x max(0, min(x + 3, 6)) / 6` (Howard et al. 2019).
    HardSwish,
}

impl Activation {
    /// Of every unit.
    pub fn forward<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        if self == Self::Identity {
            return x;
        }
        match on_cpu(&x) {
            Some(values) => from_cpu(x.dims(), |out| cpu::activated_to(self, &values, out)),
            None => gpu::activation::forward(x, self),
        }
    }

    /// Whether it is a comparison or two, that any kernel does in passing.
    pub fn is_piecewise(self) -> bool {
        matches!(self, Self::Identity | Self::Relu | Self::Relu6)
    }

    /// What a kernel on the CPU does in passing, and what it leaves to a pass of its own.
    pub(super) fn within(self) -> (Self, Self) {
        if self.is_piecewise() { (self, Self::Identity) } else { (Self::Identity, self) }
    }
}

/// Of every unit what `scalar` makes of it on the CPU, what `tensor` makes of all elsewhere.
pub fn each<const D: usize>(
    x: Tensor<D>,
    scalar: impl Fn(f32) -> f32 + Sync,
    tensor: impl Fn(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    match on_cpu(&x) {
        Some(values) => from_cpu(x.dims(), |out| cpu::each(&values, scalar, out)),
        None => tensor(x),
    }
}

/// Every value times its scale, its shift added, and what `summand` has in its place, then the activation. Channels are the
/// second axis or the third, of which shifts have a number each, `[1, channels, 1]` or `[1, 1, channels]`, and scales the same or
/// others for each place of the first axis.
///
/// # Panics
/// If the shapes do not fit so.
pub fn scaled(
    x: Tensor<3>,
    [scales, shifts]: [&Tensor<3>; 2],
    summand: Option<Tensor<3>>,
    activation: Activation,
) -> Tensor<3> {
    let shape @ [outer, middle, units] = x.dims();
    let [_, own @ ..] = shifts.dims();
    assert!(own == [middle, 1] || own == [1, units], "channels of {shape:?}: {own:?}");
    assert!([1, outer].map(|outer| [outer, own[0], own[1]]).contains(&scales.dims()), "scales of {shape:?}");
    assert!(summand.as_ref().is_none_or(|summand| summand.dims() == shape), "a summand of the same shape");
    let (Some(values), Some(scales_there), Some(shifts_there)) = (on_cpu(&x), on_cpu(scales), on_cpu(shifts)) else {
        return gpu::activation::scaled(x, [scales, shifts].map(Tensor::clone), summand, activation);
    };
    let summand = summand.as_ref().map(|summand| on_cpu(summand).expect("a summand on the device of the input"));
    let by = cpu::Channels { scales: &scales_there, shifts: &shifts_there, are_units: own[1] > 1 };
    from_cpu(shape, |out| cpu::scaled(&values, [middle, units], by, summand.as_deref(), activation, out))
}

/// Softmax over the units of each image; `[images, units]` both ways.
pub fn softmax(x: Tensor<2>) -> Tensor<2> {
    match on_cpu(&x) {
        Some(values) => from_cpu(x.dims(), |out| cpu::softmax(&values, x.dims()[1], out)),
        None => activation::softmax(x, 1),
    }
}
