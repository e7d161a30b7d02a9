//! Whether images arrive as a network was trained on them: what its first convolution makes of them, against the statistics
//! that the batch normalization behind it learnt.
//!
//! At training every channel had mean 0 and standard deviation 1 behind `(z - mean) / sqrt(variance + epsilon)`. Numbers twice
//! as wide have twice the deviation there, whatever the photographs show. Measured on 8 and 64 photographs with three trained
//! networks, each fed by every rule of [`Preprocess::NAMED`]: the right one gives a spread of 0.92 to 1.09 and a shift below
//! 0.3; those that are wrong by a factor of two or more, spreads up to 0.53 or from 1.7 on.

use super::Preprocess;
use super::blueprint::Blueprint;
use super::operation::Operation;
use crate::weights::{Parameters, WeightsError};

/// Places along each side of an image at which the convolution is computed.
const PLACES: usize = 16;

/// Most that the numbers may be wider or narrower than at training.
const MOST_SPREAD: f64 = 1.5;
/// Most that they may be off, in standard deviations of training.
const MOST_SHIFT: f64 = 1.0;

/// A convolution of an image and the batch normalization that follows it.
pub struct FirstNorm {
    /// `[out, 3, height, width]`
    pub kernel: Vec<f32>,
    /// Height and width of the kernel.
    pub size: [usize; 2],
    /// `[out]`, if it has one.
    pub bias: Option<Vec<f32>>,
    /// `[out]`
    pub mean: Vec<f32>,
    /// `[out]`
    pub variance: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f64,
}

/// How images arrive at the first normalization: as at training with a shift of 0 and a spread of 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// Median over channels of the distance of their mean from training's, in standard deviations of training.
    pub shift: f64,
    /// Median over channels of their standard deviation, in those of training.
    pub spread: f64,
}

impl Arrival {
    /// Whether that is about as at training.
    pub fn is_usual(&self) -> bool {
        (1.0 / MOST_SPREAD..=MOST_SPREAD).contains(&self.spread) && self.shift <= MOST_SHIFT
    }
}

impl FirstNorm {
    /// Of images, `[size, size, 3]` bytes each.
    ///
    /// # Panics
    /// If there are none, or the kernel is larger than they are.
    pub fn arrival(&self, images: &[Vec<u8>], size: usize, preprocess: Preprocess) -> Arrival {
        let [height, width] = self.size;
        let taps = 3 * height * width;
        let place = |side: usize, n: usize| (size - side) * n / (PLACES - 1);
        let mut windows: Vec<f32> = Vec::new();
        for image in images {
            let planes = preprocess.apply(image, size);
            for (top, left) in (0..PLACES * PLACES).map(|n| (place(height, n / PLACES), place(width, n % PLACES))) {
                for row in (0..3 * height).map(|row| (row / height * size + top + row % height) * size + left) {
                    windows.extend(&planes[row..row + width]);
                }
            }
        }
        let count = (windows.len() / taps) as f64;
        let channel = |(channel, kernel): (usize, &[f32])| {
            let bias = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[channel]));
            let (mean, variance) = (f64::from(self.mean[channel]), f64::from(self.variance[channel]));
            let scale = (variance + self.epsilon).sqrt();
            let (mut sum, mut squares) = (0.0, 0.0);
            for window in windows.chunks_exact(taps) {
                let product: f64 = window.iter().zip(kernel).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
                let z = (product + bias - mean) / scale;
                (sum, squares) = (sum + z, squares + z * z);
            }
            let mean = sum / count;
            (mean.abs(), (squares / count - mean * mean).max(0.0).sqrt())
        };
        let (shifts, spreads): (Vec<f64>, Vec<f64>) = self.kernel.chunks_exact(taps).enumerate().map(channel).unzip();
        Arrival { shift: median(shifts), spread: median(spreads) }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}

impl Blueprint {
    /// The convolution of the image and the normalization behind it; none where there is none, or a file has it folded.
    ///
    /// # Errors
    /// As [`Parameters::get`].
    pub fn first_norm(&self, parameters: &mut Parameters) -> Result<Option<FirstNorm>, WeightsError> {
        let first = self.nodes.iter().find(|node| node.inputs == [0]);
        let Some(Operation::Convolution { name, window, groups: 1, norm: Some(norm) }) =
            first.map(|node| &node.operation)
        else {
            return Ok(None);
        };
        if parameters.folded() {
            return Ok(None);
        }
        let has_bias = parameters.has(&format!("{name}.bias"));
        let mut values = |name: String| -> Result<Vec<f32>, WeightsError> {
            Ok(parameters.get(&name)?.try_into_vec().expect("parameters are f32"))
        };
        let (kernel, mean) = (values(format!("{name}.weight"))?, values(format!("{}.mean", norm.name))?);
        let variance = values(format!("{}.var", norm.name))?;
        let bias = if has_bias { Some(values(format!("{name}.bias"))?) } else { None };
        Ok(Some(FirstNorm { kernel, size: window.size, bias, mean, variance, epsilon: norm.epsilon }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::{NETS, Scaling, find};

    #[test]
    fn the_first_normalization_is_that_behind_the_convolution_of_the_image() {
        let resnet = find("resnet50").unwrap().blueprint("torchvision").unwrap();
        let norm = resnet.first_norm(&mut Parameters::formula(resnet.parameters())).unwrap().unwrap();
        assert_eq!((norm.size, norm.kernel.len(), norm.mean.len()), ([7, 7], 64 * 3 * 49, 64));
        assert!(norm.variance.iter().all(|&variance| variance > 0.0));
        let with = NETS.iter().filter(|network| {
            let blueprint = network.draw(&network.forms[0]);
            // Networks without one are told without reading anything.
            let normalised = blueprint.parameters().iter().any(|parameter| parameter.name.ends_with(".var"));
            normalised && blueprint.nodes.iter().any(|node| node.inputs == [0])
        });
        assert_eq!(with.count(), 7, "ResNets, Inception V3, EfficientNet-Lite0");
        let vgg = find("vgg16").unwrap().blueprint("torchvision").unwrap();
        let mut none = Parameters::formula(Vec::new());
        assert!(vgg.first_norm(&mut none).unwrap().is_none());
    }

    #[test]
    fn numbers_of_another_range_show_behind_the_first_normalization() {
        // One channel is the red pixel, one the difference of two neighbours in green; statistics of red at 0 … 1.
        let mut kernel = vec![0.0; 2 * 3 * 2];
        (kernel[0], kernel[8], kernel[9]) = (1.0, 1.0, -1.0);
        let image: Vec<u8> = (0..16 * 16 * 3).map(|n| if n / 3 % 2 == 0 { 255 } else { 0 }).collect();
        let norm = FirstNorm {
            kernel,
            size: [1, 2],
            bias: Some(vec![1.0, 0.0]),
            mean: vec![1.5, 0.0],
            variance: vec![0.25, 1.0],
            epsilon: 0.0,
        };
        let arrival = |scale: f32, mean: f32| {
            let scaling = Scaling { bgr: false, scale, mean: [mean; 3], std: [1.0; 3] };
            norm.arrival(&[image.clone(), image.clone()], 16, Preprocess::Scaled(scaling))
        };
        // Windows begin at 15 columns from 16 places, the first one twice: 9 of them on white.
        let right = arrival(1.0 / 255.0, 0.0);
        assert!(
            (right.shift - 0.125).abs() < 1e-6 && (right.spread - 1.0).abs() < 0.01 && right.is_usual(),
            "{right:?}"
        );
        let wide = arrival(1.0 / 127.5, 1.0);
        assert!((wide.spread - 2.0).abs() < 0.02 && !wide.is_usual(), "{wide:?}");
        let off = arrival(1.0 / 255.0, -3.0);
        assert!((off.shift - 3.125).abs() < 1e-6 && (off.spread - 1.0).abs() < 0.01 && !off.is_usual(), "{off:?}");
    }
}
