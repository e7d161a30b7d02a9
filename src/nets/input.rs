//! What networks expect of an image.

use serde::{Deserialize, Serialize};

use crate::images::{Framing, Resize};

/// What a network expects of an image.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Input {
    /// Height and width in pixels.
    pub size: usize,
    /// From RGB bytes to the network's numbers.
    pub preprocess: Preprocess,
    /// The resize rule of `resize = "auto"`.
    pub resize: Resize,
    /// Share of the shorter side that a centre crop keeps (torchvision: 224 / 256 = 0.875).
    pub crop_pct: f64,
}

impl Input {
    /// What decides an image's pixels, before its preprocessing: rules without a crop give the same ones for any share of it.
    pub fn framing(&self) -> Framing {
        let crop_pct = if self.resize.crops() { self.crop_pct } else { 1.0 };
        Framing { size: self.size, resize: self.resize, crop_pct }
    }
}

/// Published preprocessing conventions, from RGB bytes.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Preprocess {
    /// BGR minus (103.939, 116.779, 123.68), no scaling (Keras VGG16, ResNet50; SqueezeNet).
    Caffe,
    /// `x / 127.5 - 1`, RGB (Keras Inception V3).
    Tf,
    /// `(x / 255 - mean) / std`, RGB, ImageNet's mean and standard deviation (torchvision).
    Torch,
    /// `(x - 127) / 128`, RGB (EfficientNet-Lite).
    Lite,
    /// As `torch`, with the mean and standard deviation of CLIP's training.
    Clip,
    /// In numbers.
    Scaled(Scaling),
}

/// `(x * scale - mean) / std` of each channel; `x / n` where the scale is `1 / n`, as PyTorch's `ToTensor` has it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Scaling {
    /// Blue comes first.
    pub bgr: bool,
    /// Of bytes: 1 / 255 for 0 to 1.
    pub scale: f32,
    /// Of each channel, in the order in which they come.
    pub mean: [f32; 3],
    /// Of each channel.
    pub std: [f32; 3],
}

impl Scaling {
    /// RGB bytes times `scale`.
    const fn plain(scale: f32) -> Self {
        Self { bgr: false, scale, mean: [0.0; 3], std: [1.0; 3] }
    }

    /// A byte times the scale, rounded once where that is one over a whole number.
    fn scaled(self, byte: f32) -> f32 {
        let whole = self.scale.recip().round();
        if whole.recip() == self.scale { byte / whole } else { byte * self.scale }
    }
}

impl Preprocess {
    /// What `caffe` takes away: ImageNet's means of blue, green and red bytes.
    pub const CAFFE_MEAN: [f32; 3] = [103.939, 116.779, 123.68];
    /// ImageNet's means of red, green and blue from 0 to 1.
    pub const TORCH_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
    /// Its standard deviations.
    pub const TORCH_SD: [f32; 3] = [0.229, 0.224, 0.225];
    /// The means of CLIP's training.
    pub const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
    /// Its standard deviations.
    pub const CLIP_SD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

    /// Those that users know by name; `inception` is timm's, too, `clip` OpenAI's and open_clip's.
    pub const NAMED: &[(&str, Self)] = &[
        ("imagenet", Self::Torch),
        ("clip", Self::Clip),
        ("inception", Self::Tf),
        ("caffe", Self::Caffe),
        ("lite", Self::Lite),
        ("0..1", Self::Scaled(Scaling::plain(1.0 / 255.0))),
        ("0..255", Self::Scaled(Scaling::plain(1.0))),
    ];

    /// The names of [`NAMED`](Self::NAMED).
    pub fn names() -> Vec<&'static str> {
        Self::NAMED.iter().map(|(name, _)| *name).collect()
    }

    /// The name that users know it by; of numbers, these.
    pub fn name(&self) -> String {
        if let Some((name, _)) = Self::NAMED.iter().find(|(_, named)| named == self) {
            return name.to_string();
        }
        let Self::Scaled(Scaling { bgr, scale, mean, std }) = self else {
            unreachable!("{self:?} is among those with names");
        };
        let order = if *bgr { "BGR" } else { "RGB" };
        format!("(x * {scale} - {mean:?}) / {std:?}, {order}")
    }

    /// The least and the largest number that can arrive at the network.
    pub fn range(&self) -> [f32; 2] {
        let ends = [self.apply(&[0; 3], 1), self.apply(&[255; 3], 1)].concat();
        [ends.iter().copied().fold(f32::INFINITY, f32::min), ends.iter().copied().fold(f32::NEG_INFINITY, f32::max)]
    }

    /// From RGB bytes, `[size, size, 3]`, to the network's numbers, `[3, size, size]`; each operation rounds to `f32`.
    ///
    /// # Panics
    /// If `rgb` does not hold `size * size * 3` bytes.
    pub fn apply(self, rgb: &[u8], size: usize) -> Vec<f32> {
        assert_eq!(rgb.len(), size * size * 3, "an image of {size} x {size} RGB pixels");
        let mut planes = Vec::with_capacity(rgb.len());
        for channel in 0..3 {
            planes.extend(rgb.chunks_exact(3).map(|pixel| {
                let x = |channel: usize| f32::from(pixel[channel]);
                match self {
                    Self::Caffe => x(2 - channel) - Self::CAFFE_MEAN[channel],
                    Self::Tf => x(channel) / 127.5 - 1.0,
                    Self::Torch => (x(channel) / 255.0 - Self::TORCH_MEAN[channel]) / Self::TORCH_SD[channel],
                    Self::Clip => (x(channel) / 255.0 - Self::CLIP_MEAN[channel]) / Self::CLIP_SD[channel],
                    Self::Lite => (x(channel) - 127.0) / 128.0,
                    Self::Scaled(scaling) => {
                        let place = if scaling.bgr { 2 - channel } else { channel };
                        (scaling.scaled(x(place)) - scaling.mean[channel]) / scaling.std[channel]
                    }
                }
            }));
        }
        planes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_prepared_as_published() {
        // One pixel, R 255, G 128, B 0.
        let of = |preprocess: Preprocess| preprocess.apply(&[255, 128, 0], 1);
        assert_eq!(of(Preprocess::Caffe), [-103.939, 128.0 - 116.779, 255.0 - 123.68]);
        assert_eq!(of(Preprocess::Tf), [1.0, 128.0 / 127.5 - 1.0, -1.0]);
        assert_eq!(of(Preprocess::Torch)[0], (1.0 - 0.485) / 0.229);
        assert_eq!(of(Preprocess::Torch)[2], (0.0 - 0.406) / 0.225);
        assert_eq!(of(Preprocess::Lite), [1.0, 0.0078125, -0.9921875]);
        let numbers = Scaling { bgr: true, scale: 2.0, mean: [1.0, 2.0, 3.0], std: [1.0, 2.0, 4.0] };
        assert_eq!(of(Preprocess::Scaled(numbers)), [-1.0, 127.0, 126.75]);
        let from_0_to_1 = Preprocess::NAMED.iter().find(|(name, _)| *name == "0..1").unwrap().1;
        (0..=255).for_each(|byte| assert_eq!(from_0_to_1.apply(&[byte; 3], 1), [f32::from(byte) / 255.0; 3]));
        assert_eq!(Preprocess::Tf.range(), [-1.0, 1.0]);
        assert_eq!(Preprocess::Scaled(numbers).range(), [-1.0, 509.0]);
        let planes = Preprocess::Lite.apply(&(0..12).collect::<Vec<u8>>(), 2);
        let red: Vec<f32> = [0.0, 3.0, 6.0, 9.0].iter().map(|v| (v - 127.0) / 128.0).collect();
        assert_eq!(planes[..4], red);
    }
}
