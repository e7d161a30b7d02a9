//! Convolutions: bias and activation in the same pass.

use burn::tensor::{Device, Tensor, TensorData};

use super::gpu::{self, Gpu};
use super::{Activation, Window, cpu, from_cpu, on_cpu};

/// A convolution on a device, its weights laid out once.
pub struct Convolution(On);

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
        Self(match Gpu::of(device) {
            Some(gpu) => {
                On::Gpu(Box::new(gpu::convolution::Convolution::new(&gpu, &weight, &bias, window, groups, activation)))
            }
            None => {
                let [kernel, bias] = [&weight, &bias].map(|data| data.as_slice::<f32>().expect("parameters are f32"));
                let inputs = weight.shape()[1] * groups;
                let weights = cpu::Weights { kernel, bias, inputs, window, groups, activation };
                On::Cpu(Box::new(cpu::Convolution::new(&weights)))
            }
        })
    }

    /// `[images, in, height, width]` to `[images, out, height, width]`.
    ///
    /// # Panics
    /// If the input is on another device or has other channels.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.0 {
            On::Cpu(convolution) => {
                let values = on_cpu(&x).expect("an input on the device of the weights");
                from_cpu(convolution.output(x.dims()), |out| convolution.forward(&values, x.dims(), out))
            }
            On::Gpu(convolution) => convolution.forward(x),
        }
    }
}
