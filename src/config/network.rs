//! `[network]` beside its keys, and `[network.input]`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NetworkConfig;
use crate::images::Resize;
use crate::nets::{Preprocess, Scaling};

/// `[network.input]`: what a network expects of an image. What is left out is the published form's; of a file's graph,
/// `values` or `scale` must be there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InputConfig {
    /// Height and width in pixels.
    pub size: Option<usize>,
    /// From bytes to the network's numbers, by a name that users know; see [`Preprocess::NAMED`].
    #[schemars(schema_with = "super::schema::named_values")]
    pub values: Option<String>,
    /// Or in numbers: a byte times `scale`, minus `mean`, divided by `std`.
    pub scale: Option<f32>,
    /// One per channel of the order below; default: 0.
    pub mean: Option<[f32; 3]>,
    /// One per channel; default: 1.
    pub std: Option<[f32; 3]>,
    /// Default: RGB.
    pub channels: Option<ChannelOrder>,
    /// A rule by name.
    pub resize: Option<Resize>,
    /// Share of the shorter side that `crop-*` keeps.
    pub crop_pct: Option<f64>,
}

/// The order of an image's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

impl InputConfig {
    /// Whether nothing is said beside the published form.
    pub fn is_the_forms(&self) -> bool {
        *self == Self::default()
    }

    /// From bytes to the network's numbers; `None` where nothing is said.
    ///
    /// # Errors
    /// A name that there is not, or a name and numbers: the key, what was expected, what was found.
    pub fn preprocess(&self) -> Result<Option<Preprocess>, (&'static str, String, String)> {
        let numbers = self.mean.is_some() || self.std.is_some() || self.channels.is_some();
        match (&self.values, self.scale) {
            (None, None) if !numbers => Ok(None),
            (Some(name), None) if !numbers => {
                let named = Preprocess::NAMED.iter().find(|(known, _)| known == name);
                named.map(|(_, preprocess)| Some(*preprocess)).ok_or_else(|| {
                    ("network.input.values", format!("one of {}", Preprocess::names().join(", ")), format!("{name:?}"))
                })
            }
            (None, Some(scale)) => {
                let std = self.std.unwrap_or([1.0; 3]);
                let all = self.mean.unwrap_or_default().into_iter().chain(std).chain([scale]);
                if !all.clone().all(f32::is_finite) || std.contains(&0.0) || scale == 0.0 {
                    let found = format!("scale {scale}, mean {:?}, std {std:?}", self.mean.unwrap_or_default());
                    return Err(("network.input", "finite numbers, scale and std not 0".into(), found));
                }
                Ok(Some(Preprocess::Scaled(Scaling {
                    bgr: self.channels == Some(ChannelOrder::Bgr),
                    scale,
                    mean: self.mean.unwrap_or_default(),
                    std,
                })))
            }
            (Some(_), _) => {
                Err(("network.input", "either values, a name, or scale, mean, std and channels".into(), "both".into()))
            }
            (None, None) => Err((
                "network.input.scale",
                "a number such as 0.00392156862745098 (1/255) beside mean, std and channels".into(),
                "none".into(),
            )),
        }
    }
}

impl NetworkConfig {
    /// A network of a file is called after it, if the user does not say how.
    pub(super) fn call_by_file(&mut self) {
        if let (true, Some(stem)) = (self.name.is_empty(), self.file.as_ref().and_then(|file| file.file_stem())) {
            self.name = stem.to_string_lossy().into_owned();
        }
    }

    /// Where its weights are: in a file of their own, or in the graph's; none if they are random.
    pub fn weights_file(&self) -> Option<&Path> {
        self.weights.as_ref().or(self.file.as_ref()).map(PathBuf::as_path)
    }

    /// Which of the weights of their file it takes, where that holds several; empty where nothing is said.
    pub fn part_of_weights(&self) -> String {
        let averages = if self.ema { ", averages" } else { "" };
        self.prefix.iter().fold(averages.to_string(), |part, prefix| format!("{part}, under {prefix:?}"))
    }

    /// The files that it names.
    pub(super) fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        self.file.iter_mut().chain(&mut self.weights).chain(&mut self.classes)
    }
}
