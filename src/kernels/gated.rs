//! A 1 x 1 convolution of maps whose channels are multiplied by a gate each (Hu et al. 2018), on the CPU.

use burn::tensor::Tensor;

use super::convolution::Part;
use super::{Activation, VALID, Window, cpu, from_cpu, on_cpu};

/// The convolution, its weights laid out once.
pub struct Gated {
    layer: cpu::Convolution,
    /// What it leaves to do.
    activation: Activation,
}

impl Gated {
    /// Lays the weights out.
    ///
    /// # Panics
    /// If it is of another window, or of groups.
    pub fn new(part: &Part) -> Self {
        assert!(part.groups == 1 && part.window == Window::square(1, 1, VALID), "a 1 x 1 convolution");
        let (weights, activation) = part.weights_in_passing();
        Self { layer: cpu::Convolution::new(&weights), activation }
    }

    /// `[images, in, height, width]` and `[images, in, 1, 1]` to `[images, out, height, width]`; `summand` is added before the
    /// activation.
    ///
    /// # Panics
    /// If a tensor is not on the CPU, or of another shape, or there is one channel.
    pub fn forward(&self, x: Tensor<4>, gates: Tensor<4>, summand: Option<Tensor<4>>) -> Tensor<4> {
        let ([images, channels, ..], shape) = (x.dims(), self.layer.output(x.dims()));
        assert_eq!(gates.dims(), [images, channels, 1, 1], "a gate for every channel");
        assert!(summand.as_ref().is_none_or(|summand| summand.dims() == shape), "a summand of the output's shape");
        let [values, gates] = [&x, &gates].map(|x| on_cpu(x).expect("an input on the CPU"));
        let summand = summand.map(|summand| on_cpu(&summand).expect("a summand on the CPU"));
        self.activation.forward(from_cpu(shape, |out| {
            self.layer.forward_gated(&values, x.dims(), &gates, summand.as_deref(), out);
        }))
    }
}
