//! Dense layers: bias and activation in the same pass.

use burn::tensor::{Device, Tensor, TensorData};

use super::gpu::{self, Gpu};
use super::{Activation, cpu, f32s, from_cpu, on_cpu};

/// A dense layer on a device, its weights laid out once.
pub struct Dense(On);

enum On {
    Cpu(cpu::Dense),
    Gpu(gpu::dense::Dense),
}

impl Dense {
    /// From weights `[out, in]` and bias `[out]`, both f32.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    pub fn new(weight: &TensorData, bias: &TensorData, activation: Activation, device: &Device) -> Self {
        assert_eq!(
            (weight.shape().len(), weight.shape()[0]),
            (2, bias.num_elements()),
            "a matrix, a bias for every output"
        );
        Self(match Gpu::of(device) {
            Some(gpu) => On::Gpu(gpu::dense::Dense::new(&gpu, weight, bias, activation)),
            None => On::Cpu(cpu::Dense::new(f32s(weight), f32s(bias), activation)),
        })
    }

    /// `[images, .., in]` to `[images, .., out]`.
    ///
    /// # Panics
    /// If the input is on another device or has other units.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match &self.0 {
            On::Cpu(dense) => {
                let values = on_cpu(&x).expect("an input on the device of the weights");
                from_cpu(outputs_of(&x, dense.outputs()), |out| dense.forward(&values, None, out))
            }
            On::Gpu(dense) => dense.forward(x, None),
        }
    }

    /// `summand + self(x)`, of a layer without activation.
    ///
    /// # Panics
    /// As [`forward`](Self::forward), and if the summand has another shape than the output.
    pub fn forward_plus<const D: usize>(&self, x: Tensor<D>, summand: Tensor<D>) -> Tensor<D> {
        let dense = match &self.0 {
            On::Cpu(dense) => dense,
            On::Gpu(dense) => return dense.forward(x, Some(summand)),
        };
        let shape = outputs_of(&x, dense.outputs());
        assert_eq!(summand.dims(), shape, "a summand of the output's shape");
        let [values, summand] = [&x, &summand].map(|x| on_cpu(x).expect("an input on the device of the weights"));
        from_cpu(shape, |out| dense.forward(&values, Some(&summand), out))
    }
}

fn outputs_of<const D: usize>(x: &Tensor<D>, outputs: usize) -> [usize; D] {
    let mut shape = x.dims();
    shape[D - 1] = outputs;
    shape
}
