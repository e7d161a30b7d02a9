//! The input as the output pixels see it: at a tap of the window, one value for every pixel, side by side in panels.

use std::ops::Range;

use pulp::Simd;

use super::lanes::every_second;
use crate::kernels::{VALID, Window};

/// Pixels side by side: whole tiles of three vectors of 16, 8 or 4.
pub const PANEL: usize = 48;

/// The output pixels of all images, one image after the other.
pub struct Pixels<'a> {
    x: &'a [f32],
    /// Of the input.
    images: usize,
    channels: usize,
    input: [usize; 2],
    output: [usize; 2],
    window: Window,
    /// What the channels are multiplied by, `[images, channels]`.
    gates: Option<&'a [f32]>,
}

/// Pixels of a panel that follow each other in an image.
#[derive(Clone, Copy)]
pub struct Run {
    /// Place in the panel.
    pub at: usize,
    pub len: usize,
    pub image: usize,
    /// The first one's place in the image.
    pub pixel: usize,
}

/// Values of a panel that lie `stride` apart in a channel.
struct Copy {
    panel: usize,
    at: usize,
    len: usize,
    /// Place of the first in `x`, in the first channel.
    from: usize,
}

impl<'a> Pixels<'a> {
    pub fn new(x: &'a [f32], shape: [usize; 4], window: Window, output: [usize; 2]) -> Self {
        let [images, channels, height, width] = shape;
        let (mut input, mut output) = ([height, width], output);
        if window == Window::square(1, 1, VALID) {
            // Rows do not matter: an image is one.
            (input, output) = ([1, height * width], [1, height * width]);
        }
        Self { x, images, channels, input, output, window, gates: None }
    }

    /// The same, every channel multiplied by a gate.
    ///
    /// # Panics
    /// If the window is not 1 x 1.
    pub fn gated(self, gates: &'a [f32]) -> Self {
        assert_eq!(self.window, Window::square(1, 1, VALID), "a 1 x 1 window");
        Self { gates: Some(gates), ..self }
    }

    pub fn count(&self) -> usize {
        self.images * self.size()
    }

    /// Of an image.
    pub fn size(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// What is in a panel.
    pub fn runs(&self, panel: usize) -> Vec<Run> {
        let (start, end) = (panel * PANEL, self.count().min((panel + 1) * PANEL));
        let images = start / self.size()..end.div_ceil(self.size());
        let runs = images.map(|image| {
            let (first, last) = (start.max(image * self.size()), end.min((image + 1) * self.size()));
            Run { at: first - start, len: last - first, image, pixel: first - image * self.size() }
        });
        runs.collect()
    }

    /// Lays out panels of these runs, one after the other: a line for each of `taps`, which number the `inputs` channels of
    /// `group` at the first place of the window, then those at the next.
    #[inline(always)]
    pub fn lay_out<S: Simd>(
        &self,
        simd: S,
        runs: &[Vec<Run>],
        group: usize,
        inputs: usize,
        taps: Range<usize>,
        panels: &mut [[f32; PANEL]],
    ) {
        let plane = self.input[0] * self.input[1];
        let (mut copies, mut gaps) = (Vec::with_capacity(PANEL), Vec::with_capacity(PANEL));
        let depth = taps.len();
        let mut tap = taps.start;
        while tap < taps.end {
            let (place, channel) = (tap / inputs, tap % inputs);
            let count = (inputs - channel).min(taps.end - tap);
            copies.clear();
            gaps.clear();
            for (panel, runs) in runs.iter().enumerate() {
                self.see(runs, panel, place, &mut copies, &mut gaps);
            }
            // All panels of a channel, whose values follow each other in memory, then the next channel.
            for n in 0..count {
                let x = &self.x[(group * inputs + channel + n) * plane..];
                let line = tap - taps.start + n;
                let gate = |copy: &Copy| {
                    let (gates, image) = (self.gates?, copy.from / (self.channels * plane));
                    Some(gates[image * self.channels + group * inputs + channel + n])
                };
                for copy in &copies {
                    let to = &mut panels[copy.panel * depth + line][copy.at..copy.at + copy.len];
                    strided(simd, to, &x[copy.from..], self.window.stride[1]);
                    if let Some(gate) = gate(copy) {
                        to.iter_mut().for_each(|x| *x *= gate);
                    }
                }
                for (panel, gap) in &gaps {
                    panels[panel * depth + line][gap.clone()].fill(0.0);
                }
            }
            tap += count;
        }
    }

    /// Where a panel's values at a place of the window come from; beyond the border nothing does.
    fn see(
        &self,
        runs: &[Run],
        panel: usize,
        place: usize,
        copies: &mut Vec<Copy>,
        gaps: &mut Vec<(usize, Range<usize>)>,
    ) {
        let before_panel = copies.len();
        let Window { size, stride, padding, dilation } = self.window;
        let [height, width] = self.input;
        let offset = [place / size[1] * dilation[0], place % size[1] * dilation[1]];
        let mut filled = 0;
        for run in runs {
            let image = run.image * self.channels * height * width;
            let mut done = 0;
            while done < run.len {
                let (row, column) = ((run.pixel + done) / self.output[1], (run.pixel + done) % self.output[1]);
                let count = (self.output[1] - column).min(run.len - done);
                let at = run.at + done;
                done += count;
                // In coordinates of the padded input.
                let y = row * stride[0] + offset[0];
                if y < padding[0].0 || y - padding[0].0 >= height {
                    continue;
                }
                let before = padding[1].0;
                let reaches = |column: usize| column * stride[1] + offset[1];
                let first = before.saturating_sub(reaches(column)).div_ceil(stride[1]);
                let last = (before + width).saturating_sub(reaches(column)).div_ceil(stride[1]).min(count);
                if first >= last {
                    continue;
                }
                let (at, len) = (at + first, last - first);
                let from = image + (y - padding[0].0) * width + reaches(column + first) - before;
                if at > filled {
                    gaps.push((panel, filled..at));
                }
                filled = at + len;
                match copies[before_panel..].last_mut() {
                    // In step with the last: the values between are overwritten as gaps.
                    Some(last) if stride[1] == 1 && from >= last.from && from - last.from == at - last.at => {
                        last.len = filled - last.at;
                    }
                    _ => copies.push(Copy { panel, at, len, from }),
                }
            }
        }
        if filled < PANEL {
            gaps.push((panel, filled..PANEL));
        }
    }
}

/// Every `stride`-th value of `from`.
#[inline(always)]
fn strided<S: Simd>(simd: S, to: &mut [f32], from: &[f32], stride: usize) {
    match stride {
        1 => copy(simd, to, from),
        2 => every_second(to, &from[..2 * to.len() - 1]),
        _ => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(to, &from)| *to = from),
    }
}

/// The first values of `from`, in vectors; a call of `memcpy` costs more than so few.
#[inline(always)]
fn copy<S: Simd>(simd: S, to: &mut [f32], from: &[f32]) {
    let from = &from[..to.len()];
    if let (Ok(to), Ok(from)) = (<&mut [f32; PANEL]>::try_from(&mut *to), <&[f32; PANEL]>::try_from(from)) {
        *to = *from;
        return;
    }
    let (from, rest) = S::as_simd_f32s(from);
    let (to, rest_to) = S::as_mut_simd_f32s(to);
    assert!(from.len() < PANEL && from.len() == to.len());
    // By index, or the compiler makes a call of `memcpy` of it.
    for n in 0..PANEL / S::F32_LANES {
        if n < from.len() {
            to[n] = from[n];
        }
    }
    simd.partial_store_f32s(rest_to, simd.partial_load_f32s(rest));
}
