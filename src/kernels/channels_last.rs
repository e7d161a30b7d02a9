//! Convolutions of each channel by itself, of maps whose channels lie side by side.

use burn::tensor::Tensor;

use super::convolution::Part;
use super::{Activation, Window, cpu, from_cpu, on_cpu};

/// Such a convolution on the CPU, its weights laid out once.
pub struct ChannelsLast {
    on: cpu::ChannelsLast,
    window: Window,
    /// What it leaves to do.
    activation: Activation,
}

impl ChannelsLast {
    /// Whether maps of this height and width are laid out for such windows in little memory.
    pub fn suits(window: Window, map: [usize; 2]) -> bool {
        cpu::ChannelsLast::suits(window, map)
    }

    /// Lays the weights out.
    ///
    /// # Panics
    /// If a channel sees others, or the shapes do not fit each other or the window.
    pub fn new(part: &Part) -> Self {
        let (weights, activation) = part.weights_in_passing();
        Self { on: cpu::ChannelsLast::new(&weights), window: part.window, activation }
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
