//! A depthwise convolution with the 1 x 1 convolutions before and after it, in one pass on the CPU.

use burn::tensor::Tensor;

use super::convolution::Part;
use super::{Activation, Window, cpu, from_cpu, on_cpu};

/// The convolutions on the CPU, their weights laid out once.
pub struct Separable {
    layer: cpu::Separable,
    /// What they leave to do.
    activation: Activation,
}

impl Separable {
    /// Whether the pass is faster than its parts: of a depthwise convolution of so many `channels` on maps of this height and
    /// width, behind one that makes them of so many `inputs`, before another.
    pub fn pays(inputs: Option<usize>, channels: usize, projected: bool, window: Window, map: [usize; 2]) -> bool {
        cpu::Separable::pays(inputs, channels, projected, window, map)
    }

    /// From two or three parts in order: of the 1 x 1 convolutions before and after the depthwise one, either may be missing.
    /// Without the one after it nothing can be added.
    ///
    /// # Panics
    /// If the parts are not of such convolutions, or do not fit each other.
    pub fn new(parts: &[Part]) -> Self {
        let mut weights: Vec<cpu::Weights> = parts.iter().map(Part::weights).collect();
        let depthwise = parts.iter().position(|part| part.groups > 1).expect("a depthwise convolution");
        assert!(depthwise <= 1 && parts.len() <= depthwise + 2, "{} parts", parts.len());
        let mut activation = Activation::Identity;
        if let Some(project) = weights.get_mut(depthwise + 1) {
            (project.activation, activation) = project.activation.within();
        }
        let expand = depthwise.checked_sub(1).map(|at| &weights[at]);
        let layer = cpu::Separable::new(expand, &weights[depthwise], weights.get(depthwise + 1));
        Self { layer, activation }
    }

    /// `[images, in, height, width]` to `[images, out, height, width]`; `summand` is added before the last activation.
    ///
    /// # Panics
    /// If a tensor is not on the CPU, the input has other channels, or the summand another shape than the output.
    pub fn forward(&self, x: Tensor<4>, summand: Option<Tensor<4>>) -> Tensor<4> {
        let shape = self.layer.output(x.dims());
        assert!(summand.as_ref().is_none_or(|summand| summand.dims() == shape), "a summand of the output's shape");
        let values = on_cpu(&x).expect("an input on the CPU");
        let summand = summand.map(|summand| on_cpu(&summand).expect("a summand on the CPU"));
        self.activation.forward(from_cpu(shape, |out| self.layer.forward(&values, x.dims(), summand.as_deref(), out)))
    }
}
