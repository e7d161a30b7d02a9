//! Maps laid out for windows over each channel by itself, a vector of channels for every pixel: where rows and taps lie, and the
//! sums of windows side by side.

use pulp::Simd;

use super::Window;

/// How a map is laid out with its padding, in vectors.
pub struct LaidOut {
    pub window: Window,
    /// Height and width of the map.
    pub input: [usize; 2],
    /// Of what comes out.
    pub output: [usize; 2],
    /// From one row to the next: as many columns as windows see.
    pub pitch: usize,
}

impl LaidOut {
    /// # Panics
    /// If not even one window fits.
    pub fn new(window: Window, input: [usize; 2]) -> Self {
        let output = window.output(input);
        let pitch = (output[1] - 1) * window.stride[1] + window.reach()[1];
        Self { window, input, output, pitch }
    }

    /// Where each tap of the first output lies.
    pub fn taps(&self) -> Vec<usize> {
        let Window { size, dilation, .. } = self.window;
        let tap = |tap: usize| tap / size[1] * dilation[0] * self.pitch + tap % size[1] * dilation[1];
        (0..size[0] * size[1]).map(tap).collect()
    }

    /// Rows that so many of the output see, padding included.
    pub fn seen(&self, rows: usize) -> usize {
        (rows - 1) * self.window.stride[0] + self.window.reach()[0]
    }

    /// Columns of the map that windows see.
    pub fn columns(&self) -> usize {
        self.input[1].min(self.pitch.saturating_sub(self.window.padding[1].0))
    }
}

/// The windows of P pixels a `stride` apart, added to the bias in the order of the taps; `seen` begins at the first pixel's first tap.
#[inline(always)]
pub fn windows<S: Simd, const P: usize>(
    simd: S,
    bias: S::f32s,
    kernel: &[S::f32s],
    (seen, taps): (&[S::f32s], &[usize]),
    stride: usize,
) -> [S::f32s; P] {
    let mut sums = [bias; P];
    for (&weight, &tap) in kernel.iter().zip(taps) {
        let values = &seen[tap..][..(P - 1) * stride + 1];
        for (p, sum) in sums.iter_mut().enumerate() {
            *sum = simd.mul_add_e_f32s(weight, values[p * stride], *sum);
        }
    }
    sums
}
