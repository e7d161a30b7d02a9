//! The arithmetic of networks on tensors, CPU or GPU: a layer says what it computes, this room knows where and how.

pub mod activation;
pub mod convolution;
pub mod dense;
pub mod gpu;
pub mod pooling;

pub use activation::Activation;
pub use convolution::Convolution;
pub use dense::Dense;

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

    /// Height and width of the output; windows that do not fit are left out.
    ///
    /// # Panics
    /// If not even one window fits.
    pub fn output(&self, input: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|axis| {
            let (before, after) = self.padding[axis];
            let reach = self.dilation[axis] * (self.size[axis] - 1) + 1;
            (before + input[axis] + after - reach) / self.stride[axis] + 1
        })
    }
}

#[cfg(test)]
mod tests;
