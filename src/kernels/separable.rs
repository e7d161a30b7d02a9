//! A depthwise convolution between two 1 x 1 convolutions, in one pass on the CPU.

use burn::tensor::{Tensor, TensorData};

use super::{Activation, Window, cpu, from_cpu, on_cpu};

/// A convolution that is part of a pass.
pub struct Part {
    /// `[out, in / groups, height, width]`, f32.
    pub weight: TensorData,
    /// `[out]`, f32.
    pub bias: TensorData,
    /// How it moves.
    pub window: Window,
    /// Groups of channels that see only their own.
    pub groups: usize,
    /// What is done to every sum.
    pub activation: Activation,
}

/// The convolutions on the CPU, their weights laid out once.
pub struct Separable(cpu::Separable);

impl Separable {
    /// From two or three parts in order: the first 1 x 1 convolution may be missing.
    ///
    /// # Panics
    /// If the parts are not of such convolutions, or do not fit each other.
    pub fn new(parts: &[Part]) -> Self {
        let weights: Vec<cpu::Weights> = parts.iter().map(Part::weights).collect();
        let (first, [depthwise, project]) = weights.split_last_chunk().expect("two parts at least");
        assert!(first.len() <= 1, "{} parts", parts.len());
        Self(cpu::Separable::new(first.first(), depthwise, project))
    }

    /// `[images, in, height, width]` to `[images, out, height, width]`; `summand` is added before the last activation.
    ///
    /// # Panics
    /// If a tensor is not on the CPU, the input has other channels, or the summand another shape than the output.
    pub fn forward(&self, x: Tensor<4>, summand: Option<Tensor<4>>) -> Tensor<4> {
        let shape = self.0.output(x.dims());
        assert!(summand.as_ref().is_none_or(|summand| summand.dims() == shape), "a summand of the output's shape");
        let values = on_cpu(&x).expect("an input on the CPU");
        let summand = summand.map(|summand| on_cpu(&summand).expect("a summand on the CPU"));
        from_cpu(shape, |out| self.0.forward(&values, x.dims(), summand.as_deref(), out))
    }
}

impl Part {
    fn weights(&self) -> cpu::Weights<'_> {
        let Self { weight, bias, window, groups, activation } = self;
        let [kernel, bias] = [weight, bias].map(|data| data.as_slice::<f32>().expect("parameters are f32"));
        let (inputs, window, groups, activation) = (weight.shape()[1] * groups, *window, *groups, *activation);
        cpu::Weights { kernel, bias, inputs, window, groups, activation }
    }
}
