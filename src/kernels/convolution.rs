//! Convolutions: bias and activation in the same pass.

use burn::tensor::{Device, Tensor, TensorData};

use super::gpu::{self, Gpu};
use super::join::Joint;
use super::{Activation, Window, cpu, f32s, from_cpu, on_cpu};

/// A convolution before it is on a device: computed by itself, or part of a pass.
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

impl Part {
    /// Why the device cannot compute it, if so.
    pub fn refusal(&self, device: &Device) -> Option<String> {
        gpu::convolution::Convolution::refusal(&Gpu::of(device)?, self)
    }

    /// # Panics
    /// If the weights are of another window.
    pub(super) fn weights(&self) -> cpu::Weights<'_> {
        let Self { weight, bias, window, groups, activation } = self;
        assert_eq!(weight.shape()[2..], window.size, "weights of another window");
        let (inputs, window, groups, activation) = (weight.shape()[1] * groups, *window, *groups, *activation);
        cpu::Weights { kernel: f32s(weight), bias: f32s(bias), inputs, window, groups, activation }
    }

    /// The same with as much of the activation as the CPU does in passing, and what is left of it.
    ///
    /// # Panics
    /// As [`Self::weights`].
    pub(super) fn weights_in_passing(&self) -> (cpu::Weights<'_>, Activation) {
        let (activation, left) = self.activation.within();
        (cpu::Weights { activation, ..self.weights() }, left)
    }
}

/// A convolution on a device, its weights laid out once.
pub struct Convolution {
    on: On,
    /// What it leaves to do.
    activation: Activation,
}

enum On {
    Cpu(Box<cpu::Convolution>),
    Gpu(Box<gpu::convolution::Convolution>),
}

impl Convolution {
    /// Lays the weights out.
    ///
    /// # Panics
    /// If the shapes do not fit each other, the window or the groups.
    pub fn new(part: &Part, device: &Device) -> Self {
        match Gpu::of(device) {
            Some(gpu) => Self {
                on: On::Gpu(Box::new(gpu::convolution::Convolution::new(&gpu, part))),
                activation: Activation::Identity,
            },
            None => {
                let (weights, activation) = part.weights_in_passing();
                Self { on: On::Cpu(Box::new(cpu::Convolution::new(&weights))), activation }
            }
        }
    }

    /// `[images, in, height, width]` to `[images, out, height, width]`.
    ///
    /// # Panics
    /// If the input is on another device or has other channels.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = match &self.on {
            On::Cpu(convolution) => {
                let values = on_cpu(&x).expect("an input on the device of the weights");
                from_cpu(convolution.output(x.dims()), |out| convolution.forward(&values, x.dims(), None, out))
            }
            On::Gpu(convolution) => convolution.forward(x, None),
        };
        self.activation.forward(y)
    }

    /// Whether it can write into a [`Joint`].
    pub fn joins(&self) -> bool {
        self.activation == Activation::Identity && matches!(&self.on, On::Cpu(convolution) if convolution.joins())
    }

    /// As [`forward`](Self::forward), its channels from `first` on among those of `joint`.
    ///
    /// # Panics
    /// As there, and if it [cannot](Self::joins) or they do not fit.
    pub fn forward_into(&self, x: Tensor<4>, joint: &mut Joint, first: usize) {
        let On::Cpu(convolution) = &self.on else { panic!("a joint on the CPU") };
        let [images, _, height, width] = convolution.output(x.dims());
        let [_, channels, ..] = joint.shape();
        assert_eq!(joint.shape(), [images, channels, height, width], "maps of one shape");
        let values = on_cpu(&x).expect("an input on the device of the weights");
        convolution.forward_among(&values, x.dims(), cpu::Among { first, channels }, joint.values());
    }
}

/// A convolution whose output another tensor is added to, before the activation.
pub struct Residual(Convolution);

impl Residual {
    /// As [`Convolution::new`].
    pub fn new(part: &Part, device: &Device) -> Self {
        Self(Convolution::new(part, device))
    }

    /// As [`Convolution::forward`], plus `summand`.
    ///
    /// # Panics
    /// As there, and if the summand has another shape than the output.
    pub fn forward(&self, x: Tensor<4>, summand: Tensor<4>) -> Tensor<4> {
        let Self(Convolution { on, activation }) = self;
        let y = match on {
            On::Cpu(convolution) => {
                let shape = convolution.output(x.dims());
                assert_eq!(summand.dims(), shape, "a summand of the output's shape");
                let on_device = |x: &Tensor<4>| on_cpu(x).expect("an input on the device of the weights");
                let [values, summand] = [&x, &summand].map(on_device);
                from_cpu(shape, |out| convolution.forward(&values, x.dims(), Some(&summand), out))
            }
            On::Gpu(convolution) => convolution.forward(x, Some(summand)),
        };
        activation.forward(y)
    }
}
