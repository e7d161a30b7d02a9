//! Convolutions: bias and activation in the same pass.

use burn::tensor::{Device, Tensor, TensorData};

use super::gpu::{self, Gpu};
use super::join::Joint;
use super::{Activation, Window, cpu, from_cpu, join, on_cpu};

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
    /// From weights `[out, in / groups, height, width]` and bias `[out]`, both f32.
    ///
    /// # Panics
    /// If the shapes do not fit each other, the window or the groups.
    pub fn new(
        weight: TensorData,
        bias: TensorData,
        window: Window,
        groups: usize,
        activation: Activation,
        device: &Device,
    ) -> Self {
        assert_eq!(weight.shape()[2..], window.size, "weights of another window");
        let gpu = Gpu::of(device);
        let (within, left) = if gpu.is_some() { (activation, Activation::Identity) } else { activation.within() };
        let on = match gpu {
            Some(gpu) => {
                On::Gpu(Box::new(gpu::convolution::Convolution::new(&gpu, &weight, &bias, window, groups, within)))
            }
            None => {
                let [kernel, bias] = [&weight, &bias].map(|data| data.as_slice::<f32>().expect("parameters are f32"));
                let inputs = weight.shape()[1] * groups;
                let weights = cpu::Weights { kernel, bias, inputs, window, groups, activation: within };
                On::Cpu(Box::new(cpu::Convolution::new(&weights)))
            }
        };
        Self { on, activation: left }
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
            On::Gpu(convolution) => convolution.forward(x),
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
pub struct Residual {
    convolution: Convolution,
    /// What the convolution leaves to do.
    activation: Activation,
}

impl Residual {
    /// As [`Convolution::new`].
    pub fn new(
        weight: TensorData,
        bias: TensorData,
        window: Window,
        groups: usize,
        activation: Activation,
        device: &Device,
    ) -> Self {
        let on_cpu = *device == Device::flex();
        let within = if on_cpu { activation } else { Activation::Identity };
        Self { convolution: Convolution::new(weight, bias, window, groups, within, device), activation }
    }

    /// As [`Convolution::forward`], plus `summand`.
    ///
    /// # Panics
    /// As there, and if the summand has another shape than the output.
    pub fn forward(&self, x: Tensor<4>, summand: Tensor<4>) -> Tensor<4> {
        let On::Cpu(convolution) = &self.convolution.on else {
            return join::sum(self.convolution.forward(x), summand, self.activation);
        };
        let shape = convolution.output(x.dims());
        assert_eq!(summand.dims(), shape, "a summand of the output's shape");
        let [values, summand] = [&x, &summand].map(|x| on_cpu(x).expect("an input on the device of the weights"));
        let y = from_cpu(shape, |out| convolution.forward(&values, x.dims(), Some(&summand), out));
        self.convolution.activation.forward(y)
    }
}
