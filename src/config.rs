//! The experiment as the user writes it: a TOML file, every key with the paper's default.

mod controls;
mod doubts;
mod error;
mod network;
mod networks;
mod options;
mod schema;
pub(crate) mod written;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::device::Choice;
use crate::images::Resize;
use crate::nets::Token;
use crate::stats::alignment::Measure;
use crate::stats::one_vs_two::Columns;
use crate::stats::rsa::Rsa;
use crate::stats::scoring::Ties;
use crate::vectors::Spelling;

pub use controls::{ControlsConfig, Given};
pub(crate) use doubts::{doubt_of_neighbours, doubt_of_tail};
pub use error::ConfigError;
pub use network::{ChannelOrder, InputConfig};
pub use networks::{Asked, Member, Networks, Sweep, Written};
pub use options::{
    InferenceOptions, MOST_RESAMPLES, OptionError, Spaces, TestOptions, TestRequest, draws, named, whole,
};
pub(crate) use options::{check_measures, check_permutations};
pub use schema::json_schema;

/// One experiment: a network, stimuli, word models, tests. A file may have several networks ([`Written`]).
///
/// Relative paths have been resolved against the file's directory.
///
/// ```
/// let config: semgpu::config::Config = toml::from_str(r#"
///     [network]
///     name = "vgg16"
///     random = true
///     [stimuli]
///     manifest = "manifest.csv"
///     [[words]]
///     name = "GloVe"
///     file = "glove.6B.300d.txt"
/// "#)?;
/// assert_eq!((config.seed, config.two_vs_two.permutations), (2018, 1000));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config<N = NetworkConfig> {
    /// Seeds the draws and random weights.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Measures of every layer against every word model, beside what the sections ask for.
    #[serde(default)]
    pub measures: Vec<Measure>,
    /// Neighbours of the measures that count them.
    #[serde(default = "neighbours")]
    pub neighbours: usize,
    /// The network; as `[[network]]`, the networks of a sweep.
    pub network: N,
    /// The images.
    pub stimuli: StimuliConfig,
    /// The word models.
    pub words: Vec<WordsConfig>,
    /// How a concept is spelled in a vocabulary; one rule for all word models.
    #[serde(default)]
    pub spelling: Spelling,
    /// The 2 vs. 2 test.
    #[serde(default)]
    pub two_vs_two: TestOptions,
    /// The 1 vs. 2 test of misclassified images, if the section is there.
    #[serde(default)]
    pub one_vs_two: Option<OneVsTwoConfig>,
    /// What p-values speak of, for every measure.
    #[serde(default)]
    pub inference: InferenceOptions,
    /// Representational similarity analysis on the same draws.
    #[serde(default)]
    pub rsa: RsaConfig,
    /// Tests given other spaces, and variance partitioning.
    #[serde(default)]
    pub controls: ControlsConfig,
    /// Where and with how much.
    #[serde(default)]
    pub run: RunConfig,
}

/// `[network]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// One of `semgpu layers`; with a `file`, what results call it: the file's name if left out.
    #[serde(default)]
    pub name: String,
    /// What tells it from the other networks of a sweep, where the name does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// An ONNX file: the network itself, graph and weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// A published graph of the network; default: its first.
    pub form: Option<String>,
    /// The weights file.
    pub weights: Option<PathBuf>,
    /// Of a checkpoint that has both, the averages of the weights over the training's last steps (EMA).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ema: bool,
    /// What the names of the network's tensors begin with, where a checkpoint has it more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Random weights instead: a control.
    #[serde(default)]
    pub random: bool,
    /// A list of the classes that it tells apart, where they are not ImageNet's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<PathBuf>,
    /// A list of names, or `"all"`: `None`.
    #[serde(default, with = "all")]
    #[schemars(schema_with = "schema::all_or_names")]
    pub layers: Option<Vec<String>>,
    /// What is tested of layers of tokens; default: the class token, without one their mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// What the network expects of an image, where it is not the published form's.
    #[serde(default, skip_serializing_if = "InputConfig::is_the_forms")]
    pub input: InputConfig,
}

/// `[stimuli]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StimuliConfig {
    /// CSV with the columns `path,concept,group[,class_index][,category]`.
    pub manifest: PathBuf,
    /// Whether to test the pixels as layer 0.
    #[serde(default = "yes")]
    pub pixels: bool,
    /// A rule by name, or `"auto"`: `None`, the network form's.
    #[serde(default, with = "auto")]
    #[schemars(schema_with = "schema::auto_or_rule")]
    pub resize: Option<Resize>,
    /// Share of the shorter side that `crop-*` keeps; default: the network form's.
    pub crop_pct: Option<f64>,
    /// What a reader of the results should know of these images: stands beside the curves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// `[[words]]`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WordsConfig {
    /// As in figures and tables.
    pub name: String,
    /// The vector file.
    pub file: PathBuf,
}

/// `[one_vs_two]`; what is left out is as in `[two_vs_two]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OneVsTwoConfig {
    /// Draws of the null.
    pub permutations: Option<u64>,
    /// How a tied image counts.
    pub ties: Option<Ties>,
    /// Which columns margins are taken over.
    pub columns: Columns,
}

/// `[rsa]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RsaConfig {
    /// Correlations of the two RSMs' upper triangles, each with its null.
    pub methods: Vec<Rsa>,
}

/// `[run]`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// `auto`, `cpu`, `gpu` or `gpu:N`.
    #[schemars(with = "String")]
    pub device: Choice,
    /// Budget for activations and weights on the device: `"4 GiB"`.
    #[schemars(with = "Option<String>")]
    pub memory: Option<Bytes>,
    /// CPU threads; default: all.
    pub threads: Option<usize>,
    /// Where results go; default: `results/<network>`.
    pub out: Option<PathBuf>,
}

/// A number of bytes, written `"4 GiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            n if n >= 1 << 30 => write!(f, "{:.2} GiB", n as f64 / f64::powi(2.0, 30)),
            n if n >= 1 << 20 => write!(f, "{:.1} MiB", n as f64 / f64::powi(2.0, 20)),
            n => write!(f, "{:.1} KiB", n as f64 / 1024.0),
        }
    }
}

impl std::str::FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("memory {text:?}: expected a number and a unit, such as \"4 GiB\" or \"900 MiB\"");
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = text[..split].parse().map_err(|_| wrong())?;
        let unit = match text[split..].trim() {
            "GiB" => f64::powi(2.0, 30),
            "MiB" => f64::powi(2.0, 20),
            "KiB" => 1024.0,
            "GB" => 1e9,
            "MB" => 1e6,
            "B" => 1.0,
            _ => return Err(wrong()),
        };
        Ok(Self((number * unit) as u64))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Rounded only where that reads back to the same number.
        match self.to_string().parse() {
            Ok(Self(bytes)) if bytes == self.0 => serializer.collect_str(self),
            _ => serializer.collect_str(&format_args!("{} B", self.0)),
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a number and a unit in quotes, such as \"4 GiB\" or \"900 MiB\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Bytes, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl Config {
    /// As [`Written::from_file`], of a file with one network.
    ///
    /// # Errors
    /// As there; a sweep.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        match Written::from_file(path, overrides)?.asked(path)? {
            Asked::One(config) => Ok(*config),
            Asked::Many(sweep) => Err(ConfigError::Many { path: path.to_path_buf(), networks: sweep.members.len() }),
        }
    }

    /// Every file that has to be there, by its key.
    pub fn inputs(&self) -> impl Iterator<Item = (String, &Path)> {
        let NetworkConfig { file, weights, classes, .. } = &self.network;
        let of_network = [("network.file", file), ("network.weights", weights), ("network.classes", classes)];
        let of_network = of_network.into_iter().filter_map(|(key, path)| Some((key.to_string(), path.as_deref()?)));
        let manifest = ("stimuli.manifest".to_string(), self.stimuli.manifest.as_path());
        let words = self.words.iter().enumerate();
        let words = words.map(|(n, words)| (format!("words.{n}.file ({})", words.name), words.file.as_path()));
        let controls =
            self.controls.sources().map(|source| (format!("controls ({})", source.name), source.path.as_path()));
        of_network.chain([manifest]).chain(words).chain(controls)
    }

    /// The manifest's folder, which its paths are relative to.
    pub fn stimuli_root(&self) -> &Path {
        self.stimuli.manifest.parent().unwrap_or(Path::new(""))
    }

    /// Draws of the test that has most.
    pub fn most_permutations(&self) -> u64 {
        let one_vs_two = self.one_vs_two.as_ref().and_then(|section| section.permutations);
        self.two_vs_two.permutations.max(one_vs_two.unwrap_or_default())
    }

    /// Whether a measure needs what RSMs leave out of their vectors.
    pub fn needs_scales(&self) -> bool {
        self.measures.iter().any(|measure| measure.needs_gram())
    }

    /// Where results go.
    pub fn out(&self) -> PathBuf {
        self.run.out.clone().unwrap_or_else(|| Path::new("results").join(self.network.label()))
    }
}

impl<N: AsMut<[NetworkConfig]>> Config<N> {
    /// Every path that the configuration names.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let words = self.words.iter_mut().map(|words| &mut words.file);
        words
            .chain([&mut self.stimuli.manifest])
            .chain(self.network.as_mut().iter_mut().flat_map(NetworkConfig::files_mut))
            .chain(&mut self.run.out)
            .chain(self.controls.paths_mut())
    }
}

fn seed() -> u64 {
    2018
}

/// As Huh et al. 2024.
fn neighbours() -> usize {
    10
}

fn yes() -> bool {
    true
}

/// `"all"` or a list.
mod all {
    use super::*;

    pub fn serialize<S: Serializer>(layers: &Option<Vec<String>>, serializer: S) -> Result<S::Ok, S::Error> {
        match layers {
            None => serializer.serialize_str("all"),
            Some(names) => names.serialize(serializer),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(word) if word == "all" => Ok(None),
            value @ toml::Value::Array(_) => value.try_into().map(Some).map_err(serde::de::Error::custom),
            value => Err(serde::de::Error::custom(format!("expected \"all\" or a list of names, found {value}"))),
        }
    }
}

/// `"auto"` or a rule.
mod auto {
    use super::*;
    use serde::de::IntoDeserializer;

    pub fn serialize<S: Serializer>(resize: &Option<Resize>, serializer: S) -> Result<S::Ok, S::Error> {
        match resize {
            None => serializer.serialize_str("auto"),
            Some(rule) => rule.serialize(serializer),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Resize>, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "auto" => Ok(None),
            name => Resize::deserialize(name.into_deserializer()).map(Some),
        }
    }
}
