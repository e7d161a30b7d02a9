//! What files of the Hugging Face hub beside a network's say of images, against what the run makes of them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::files;
use crate::nets::{Preprocess, Scaling};

/// Transformers', timm's and OpenCLIP's, and where the last two say it.
const FILES: [(&str, Option<&str>); 3] = [
    ("preprocessor_config.json", None),
    ("config.json", Some("pretrained_cfg")),
    ("open_clip_config.json", Some("preprocess_cfg")),
];

/// Bytes of such a file at most; a longer one is another.
const LONGEST: u64 = 1 << 20;

/// How far numbers may differ, of those that a channel can have: rounding of published means, not other means.
const TOLERANCE: f32 = 0.01;

/// That a file beside the network's, or beside its folder `onnx`, prepares images otherwise; none where there is no such
/// file, or it leaves open how.
pub fn doubt(preprocess: Preprocess, network: &Path) -> Option<String> {
    let folder = network.parent()?;
    let above = folder.file_name().filter(|name| *name == "onnx").and_then(|_| folder.parent());
    let folders = [Some(folder), above].into_iter().flatten();
    let mut places = folders.flat_map(|folder| FILES.map(|(name, section)| (folder.join(name), section)));
    let (told, path) = places.find_map(|(path, section)| Some((read(&path, section)?, path)))?;
    if are_alike(told, preprocess) {
        return None;
    }
    let named = Preprocess::NAMED.iter().find(|(_, named)| are_alike(told, *named));
    let remedy =
        named.map_or("scale, mean, std and channels as it says".to_string(), |(name, _)| format!("values = {name:?}"));
    Some(format!(
        "network.input: {} prepares images as {}, and this run by {}; set {remedy}, unless the weights were trained otherwise",
        path.display(),
        told.name(),
        preprocess.name()
    ))
}

/// How a file prepares images, or its `section`.
fn read(path: &Path, section: Option<&str>) -> Option<Preprocess> {
    if fs::metadata(path).ok().filter(fs::Metadata::is_file)?.len() > LONGEST {
        return None;
    }
    let file: Value = serde_json::from_slice(&files::read(path).ok()?).ok()?;
    let scaling = match section {
        None => told(&file)?,
        Some(section) => {
            // timm's older ones have no section.
            let section = file.get(section).or_else(|| file.get("architecture").map(|_| &file))?;
            usable(Scaling {
                bgr: false,
                scale: 1.0 / 255.0,
                mean: three(section, "mean")?,
                std: three(section, "std")?,
            })?
        }
    };
    Some(Preprocess::Scaled(scaling))
}

/// A number of each channel.
fn three(file: &Value, key: &str) -> Option<[f32; 3]> {
    let value = file.get(key)?;
    let numbers: Vec<f32> = match value.as_array() {
        Some(numbers) => numbers.iter().map(|number| Some(number.as_f64()? as f32)).collect::<Option<_>>()?,
        None => vec![value.as_f64()? as f32],
    };
    // One is for all channels.
    let numbers = if let [one] = numbers[..] { [one; 3] } else { numbers.try_into().ok()? };
    numbers.iter().all(|number| number.is_finite()).then_some(numbers)
}

/// How images are prepared, where Transformers' file tells all of it: what it leaves to its class may be anything.
fn told(file: &Value) -> Option<Scaling> {
    let flag = |key: &str| file.get(key).and_then(Value::as_bool);
    let bgr = flag("do_flip_channel_order").unwrap_or(false);
    let scale = match flag("do_rescale") {
        Some(false) => 1.0,
        // EfficientNet's goes on to take one away.
        _ if flag("rescale_offset") == Some(true) => return None,
        _ => file
            .get("rescale_factor")
            .map_or(Some(1.0 / 255.0), |factor| factor.as_f64().map(|factor| factor as f32))?,
    };
    let (mean, std) = match (flag("do_normalize"), bgr) {
        (Some(false), _) => ([0.0; 3], [1.0; 3]),
        // MobileViT's, which has no normalization to say anything of.
        (None, true) if file.get("image_mean").is_none() => ([0.0; 3], [1.0; 3]),
        (_, true) => return None,
        _ => (three(file, "image_mean")?, three(file, "image_std")?),
    };
    usable(Scaling { bgr, scale, mean, std })
}

fn usable(scaling: Scaling) -> Option<Scaling> {
    let is_usable =
        scaling.scale.is_finite() && scaling.scale > 0.0 && scaling.std.iter().all(|&deviation| deviation > 0.0);
    is_usable.then_some(scaling)
}

/// Whether two ways give the same numbers, but for rounding.
fn are_alike(one: Preprocess, other: Preprocess) -> bool {
    let of = |preprocess: Preprocess, pixel: [u8; 3]| preprocess.apply(&pixel, 1);
    let (darkest, brightest) = (of(one, [0; 3]), of(one, [255; 3]));
    [[0; 3], [255; 3], [255, 0, 0], [0, 0, 255]].into_iter().all(|pixel| {
        let pairs = of(one, pixel).into_iter().zip(of(other, pixel));
        pairs
            .zip(darkest.iter().zip(&brightest))
            .all(|((a, b), (least, most))| (a - b).abs() <= TOLERANCE * (most - least))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preparation_that_is_not_the_files_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let network = folder.path().join("onnx").join("model.onnx");
        fs::create_dir(folder.path().join("onnx")).unwrap();
        let of = |name: &str, text: &str, preprocess: Preprocess| {
            fs::write(folder.path().join(name), text).unwrap();
            doubt(preprocess, &network)
        };
        let said = |text: &str, preprocess: Preprocess| of(FILES[0].0, text, preprocess);
        let named = |name: &str| Preprocess::NAMED.iter().find(|(known, _)| *known == name).unwrap().1;
        let vit = r#"{"do_normalize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "size": 224}"#;
        assert_eq!(said(vit, Preprocess::Tf), None);
        let message = said(vit, Preprocess::Torch).unwrap();
        assert!(
            message.contains(FILES[0].0) && message.contains("this run by imagenet; set values = \"inception\""),
            "{message}"
        );
        let dino = r#"{"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "rescale_factor": 0.00392156862745098}"#;
        assert_eq!(said(dino, Preprocess::Torch), None);
        assert!(said(dino, Preprocess::Clip).unwrap().contains("\"imagenet\""));
        for half in [r#"{"image_mean": 0.5, "image_std": 0.5}"#, r#"{"image_mean": [0.5], "image_std": [0.5]}"#] {
            assert!(said(half, Preprocess::Torch).unwrap().contains("\"inception\""), "{half}");
        }
        let mobilevit = r#"{"do_flip_channel_order": true, "do_rescale": true}"#;
        assert!(said(mobilevit, named("0..1")).unwrap().contains("set scale, mean, std and channels as it says"));
        for open in ["{}", "[]", "no JSON", r#"{"image_mean": [0.5, 0.5], "image_std": [0.5, 0.5]}"#] {
            assert_eq!(said(open, Preprocess::Torch), None, "{open}");
        }
        // timm's and OpenCLIP's, beside one that leaves it open; the configuration of a network of Transformers says nothing.
        let deit = r#"{"architecture": "deit_base_patch16_224", "pretrained_cfg": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}"#;
        assert!(of("config.json", deit, Preprocess::Tf).unwrap().contains("set values = \"imagenet\""));
        assert_eq!(of("config.json", deit, Preprocess::Torch), None);
        let flat =
            r#"{"architecture": "deit_base_patch16_224", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}"#;
        assert!(of("config.json", flat, Preprocess::Tf).is_some_and(|said| said.contains("config.json")));
        assert_eq!(of("config.json", r#"{"architectures": ["ViTModel"], "hidden_size": 768}"#, Preprocess::Tf), None);
        let clip = r#"{"model_cfg": {}, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}"#;
        assert!(of("open_clip_config.json", clip, Preprocess::Clip).unwrap().contains("\"inception\""));
        // Elsewhere it is of something else.
        assert_eq!(doubt(Preprocess::Caffe, &folder.path().join("other").join("model.onnx")), None);
    }
}
