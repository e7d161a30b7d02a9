//! A convolution with its definition, to which its forms are held.

use super::*;

/// What Winograd's form makes of the largest product of a weight and a unit at most, in either dimension: the largest sum
/// along a row of |A^T| times the sums along the rows of |G| and |B^T|.
const AMPLIFIED: f64 = 23.8;

/// A sum over `inputs` in Winograd's form takes a rounding for each multiply-add, 3 for the way in and 4 for the way back in
/// either dimension, and those of the weights, the bias and its sum.
fn winograd_roundings(inputs: usize) -> f64 {
    (inputs + 2 * 3 + 2 * 4 + 3) as f64
}

/// Root mean squares of the errors of Winograd's form over those of a direct sum in f32: 2.2 measured where all terms are of
/// a size.
const OVER_DIRECT: f64 = 4.0;

/// A convolution of numbers in no order.
pub struct Case {
    pub shape: [usize; 4],
    outputs: usize,
    groups: usize,
    pub window: Window,
    pub kernel: Vec<f32>,
    pub bias: Vec<f32>,
    pub x: Vec<f32>,
}

impl Case {
    pub fn new(shape: [usize; 4], outputs: usize, groups: usize, window: Window) -> Self {
        let taps = shape[1] / groups * window.size[0] * window.size[1];
        let (kernel, bias, x) = (numbers(outputs * taps, 1), numbers(outputs, 2), numbers(shape.iter().product(), 3));
        Self { shape, outputs, groups, window, kernel, bias, x }
    }

    pub fn weights(&self, activation: Activation) -> Weights<'_> {
        let Self { kernel, bias, window, groups, .. } = self;
        Weights { kernel, bias, inputs: self.shape[1], window: *window, groups: *groups, activation }
    }

    /// Calls `see` with every tap of an output: the places of its weight and its input.
    fn taps(&self, [image, out, y, x]: [usize; 4], mut see: impl FnMut(usize, usize)) {
        let [_, channels, height, width] = self.shape;
        let Window { size, stride, padding, dilation } = self.window;
        let inputs = channels / self.groups;
        let group = out / (self.outputs / self.groups);
        for input in 0..inputs {
            for (ky, kx) in (0..size[0]).flat_map(|ky| (0..size[1]).map(move |kx| (ky, kx))) {
                let at = |axis: usize, place: usize, tap: usize, size: usize| {
                    let at = (place * stride[axis] + tap * dilation[axis]).checked_sub(padding[axis].0)?;
                    (at < size).then_some(at)
                };
                if let (Some(iy), Some(ix)) = (at(0, y, ky, height), at(1, x, kx, width)) {
                    let plane = image * channels + group * inputs + input;
                    see(((out * inputs + input) * size[0] + ky) * size[1] + kx, (plane * height + iy) * width + ix);
                }
            }
        }
    }

    /// What `sum` says of each output.
    fn outputs<T>(&self, sum: impl Fn([usize; 4]) -> T) -> Vec<T> {
        let [rows, columns] = self.window.output([self.shape[2], self.shape[3]]);
        let mut sums = Vec::new();
        for image in 0..self.shape[0] {
            for out in 0..self.outputs {
                let places = (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x)));
                sums.extend(places.map(|(y, x)| sum([image, out, y, x])));
            }
        }
        sums
    }

    /// The sum of each output, and of the terms' sizes.
    fn reference(&self) -> Vec<(f64, f64)> {
        self.outputs(|output| {
            let bias = f64::from(self.bias[output[1]]);
            let (mut sum, mut size) = (bias, bias.abs());
            self.taps(output, |weight, input| {
                let term = f64::from(self.kernel[weight]) * f64::from(self.x[input]);
                (sum, size) = (sum + term, size + term.abs());
            });
            (sum, size)
        })
    }

    /// The sum of each output in f32.
    fn direct(&self) -> Vec<f32> {
        self.outputs(|output| {
            let mut sum = self.bias[output[1]];
            self.taps(output, |weight, input| sum += self.kernel[weight] * self.x[input]);
            sum
        })
    }

    /// Every form's sums err by at most what `bound` says of the sum of the terms' sizes.
    fn check(&self, bound: impl Fn(f64) -> f64) {
        let expected = self.reference();
        for (name, isa) in isas() {
            for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
                let found = forward(&Convolution::on(isa, &self.weights(activation)), &self.x, self.shape);
                assert_eq!(found.len(), expected.len());
                for (place, (&found, &(sum, size))) in found.iter().zip(&expected).enumerate() {
                    let expected = match activation {
                        Activation::Identity => sum,
                        Activation::Relu => sum.max(0.0),
                        Activation::Relu6 => sum.clamp(0.0, 6.0),
                        smooth => unreachable!("{smooth:?} has a test of its own"),
                    };
                    let error = (f64::from(found) - expected).abs();
                    let what = (self.shape, self.outputs, self.groups, self.window, activation);
                    assert!(error <= bound(size), "{name} {what:?}: {place}: {found}, expected {expected}");
                }
            }
        }
    }

    /// A rounding for each multiply-add, for the sum of each part and for the bias.
    pub fn check_direct(&self) {
        let taps = self.kernel.len() / self.outputs;
        self.check(|size| (taps + taps / 16 + 3) as f64 * ROUNDING * size);
    }

    /// The bound of numbers up to 1, and what is left of it where they have no order.
    pub fn check_winograd(&self) {
        let inputs = self.shape[1];
        let bound = winograd_roundings(inputs) * ROUNDING * AMPLIFIED.powi(2) * inputs as f64;
        self.check(|_| bound);
        let expected = self.reference();
        let squares = |found: Vec<f32>| -> f64 {
            found.iter().zip(&expected).map(|(&found, (sum, _))| (f64::from(found) - sum).powi(2)).sum()
        };
        let direct = squares(self.direct());
        for (name, isa) in isas() {
            let layer = Convolution::on(isa, &self.weights(Activation::Identity));
            let ratio = (squares(forward(&layer, &self.x, self.shape)) / direct).sqrt();
            assert!(ratio <= OVER_DIRECT, "{name} {:?}: {ratio} times the error of a direct sum", self.shape);
        }
    }
}
