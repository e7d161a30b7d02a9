//! How images were prepared.

use crate::images::Resize;
use crate::nets::{Preprocess, Scaling};
use crate::record::Run;

pub(super) fn preparation(run: &Run) -> String {
    let input = &run.network.input;
    let size = input.size;
    let kernel = match input.resize {
        Resize::SquashNearest => "nearest-neighbour sampling",
        Resize::SquashBilinear | Resize::CropBilinear => "bilinear interpolation with antialiasing",
        Resize::SquashBicubic | Resize::CropBicubic => "bicubic interpolation with antialiasing",
    };
    let resized = if input.resize.crops() {
        let side = size as f64 / input.crop_pct;
        format!(
            "The shorter side of each image was scaled to {side:.0} pixels by {kernel}, and the central {size} × {size} \
             pixels were kept."
        )
    } else {
        format!("Each image was scaled to {size} × {size} pixels, whatever its shape, by {kernel}.")
    };
    let exact = |all: [f32; 3]| all.map(|value| value.to_string()).join(", ");
    let short = |all: [f32; 3]| all.map(|value| format!("{value:.3}")).join(", ");
    let values = match input.preprocess {
        Preprocess::Scaled(Scaling { bgr, scale, mean, std }) => format!(
            "Values of 0 … 255 were multiplied by {scale}, reduced by ({}) and divided by ({}), channels in the order {}.",
            exact(mean),
            exact(std),
            if bgr { "blue, green, red" } else { "red, green, blue" }
        ),
        Preprocess::Caffe => format!(
            "Its channels were put in the order blue, green, red and reduced by the means of ImageNet ({}); values were not \
             scaled.",
            exact(Preprocess::CAFFE_MEAN)
        ),
        Preprocess::Tf => "Values were scaled from 0 … 255 to −1 … 1.".to_string(),
        Preprocess::Torch => format!(
            "Values were scaled to 0 … 1, reduced by ImageNet's means ({}) and divided by its standard deviations ({}).",
            short(Preprocess::TORCH_MEAN),
            short(Preprocess::TORCH_SD)
        ),
        Preprocess::Clip => format!(
            "Values were scaled to 0 … 1, reduced by the means of CLIP's images ({}) and divided by their standard \
             deviations ({}).",
            short(Preprocess::CLIP_MEAN),
            short(Preprocess::CLIP_SD)
        ),
        Preprocess::Lite => "Values x of 0 … 255 became (x − 127) / 128.".to_string(),
    };
    format!("{resized} {values}")
}
