//! Convolutions of each channel by itself, of maps whose channels lie side by side.

use burn::tensor::{Tensor, TensorData};

use super::{Activation, Window, cpu, from_cpu, on_cpu};

/// Such a convolution on the CPU, its weights laid out once.
pub struct ChannelsLast {
    on: cpu::ChannelsLast,
    window: Window,
    /// What it leaves to do.
    activation: Activation,
}

impl ChannelsLast {
    /// From weights `[channels, 1, height, width]` and bias `[channels]`, both f32.
    ///
    /// # Panics
    /// If the shapes do not fit each other or the window.
    pub fn new(weight: &TensorData, bias: &TensorData, window: Window, activation: Activation) -> Self {
        assert_eq!(weight.shape()[1..], [1, window.size[0], window.size[1]], "weights of another window");
        let [kernel, bias] = [weight, bias].map(|data| data.as_slice::<f32>().expect("parameters are f32"));
        let (within, left) = activation.within();
        let channels = bias.len();
        let weights = cpu::Weights { kernel, bias, inputs: channels, window, groups: channels, activation: within };
        Self { on: cpu::ChannelsLast::new(&weights), window, activation: left }
    }

    /// `[images, height, width, channels]` both ways.
    ///
    /// # Panics
    /// If the input is not on the CPU or has other channels.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [images, height, width, channels] = x.dims();
        let values = on_cpu(&x).expect("an input on the CPU");
        let [rows, columns] = self.window.output([height, width]);
        let y = from_cpu([images, rows, columns, channels], |out| {
            self.on.forward(&values, [images, height, width], out);
        });
        self.activation.forward(y)
    }
}
