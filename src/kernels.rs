//! The arithmetic of networks wherever their tensors are, on the CPU's vectors (`cpu`) or in WGSL ([`gpu`]): each file is what
//! layers of a kind compute. Matrix products on the CPU besides.

pub mod activation;
pub mod attention;
pub mod channels_last;
pub mod convolution;
mod cpu;
pub mod dense;
pub mod gated;
pub mod gpu;
pub mod join;
mod memory;
pub mod norm;
pub mod pooling;
pub mod product;
pub mod rotary;
pub mod separable;
pub mod strided;

use std::ops::Deref;

use burn::tensor::{Tensor, TensorData};
use burn_flex::{Flex, FlexTensor};

pub use activation::Activation;
pub use channels_last::ChannelsLast;
pub use convolution::{Convolution, Residual};
pub(crate) use cpu::transposed;
pub use dense::Dense;
pub use gated::Gated;
pub use norm::LayerNorm;
pub use separable::Separable;

/// The values of a tensor on the CPU, row by row.
struct OnCpu(FlexTensor);

/// `None` of a tensor on a GPU.
fn on_cpu<const D: usize>(x: &Tensor<D>) -> Option<OnCpu> {
    Some(OnCpu(x.clone().try_into_primitive::<Flex>().ok()?.to_contiguous()))
}

impl Deref for OnCpu {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        let (start, end) = self.0.layout().contiguous_offsets().expect("made contiguous");
        &self.0.storage()[start..end]
    }
}

/// A tensor on the CPU of what `write` puts in its place.
fn from_cpu<const D: usize>(shape: [usize; D], write: impl FnOnce(&mut [f32])) -> Tensor<D> {
    let mut values = memory::Buffer::new(shape.iter().product());
    write(&mut values);
    values.into_tensor(shape)
}

/// The numbers of a layer's weights.
pub(crate) fn f32s(data: &TensorData) -> &[f32] {
    data.as_slice().expect("parameters are f32")
}

/// Zeros `(before, after)` around height and width.
pub type Padding = [(usize, usize); 2];

/// No padding (Keras `valid`).
pub const VALID: Padding = [(0, 0); 2];

/// A window that moves over a padded input; `[height, width]` throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Units that an output sees.
    pub size: [usize; 2],
    /// Units from one output to the next.
    pub stride: [usize; 2],
    /// Zeros around the input (for a maximum: nothing).
    pub padding: Padding,
    /// Units from one tap of the window to the next; 1 is dense.
    pub dilation: [usize; 2],
}

impl Window {
    /// A square window, dense, `stride` apart.
    pub const fn square(size: usize, stride: usize, padding: Padding) -> Self {
        Self { size: [size; 2], stride: [stride; 2], padding, dilation: [1; 2] }
    }

    /// Units from the first tap to the last, both counted.
    pub fn reach(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.dilation[axis] * (self.size[axis] - 1) + 1)
    }

    /// Height and width of the output; windows that do not fit are left out.
    ///
    /// # Panics
    /// If not even one window fits.
    pub fn output(&self, input: [usize; 2]) -> [usize; 2] {
        let reach = self.reach();
        [0, 1].map(|axis| {
            let (before, after) = self.padding[axis];
            let rest = (before + input[axis] + after).checked_sub(reach[axis]).expect("a window fits");
            rest / self.stride[axis] + 1
        })
    }

    /// Whether every window has a tap in the input, not in the padding alone.
    pub fn always_sees(&self, input: [usize; 2]) -> bool {
        let output = self.output(input);
        (0..2).all(|axis| {
            let (before, dilation) = (self.padding[axis].0, self.dilation[axis]);
            (0..output[axis]).map(|place| place * self.stride[axis]).all(|first| {
                // The first tap that is not before the input.
                let tap = before.saturating_sub(first).div_ceil(dilation);
                tap < self.size[axis] && first + tap * dilation < before + input[axis]
            })
        })
    }
}

#[cfg(test)]
mod tests;
