//! The experiment as the user writes it: a TOML file, every key with the paper's default.

mod controls;
mod network;
mod networks;
mod options;
mod schema;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::device::Choice;
use crate::error::FileError;
use crate::images::Resize;
use crate::nets::Token;
use crate::stats::alignment::Measure;
use crate::stats::one_vs_two::Columns;
use crate::stats::rsa::Rsa;
use crate::stats::scoring::Ties;
use crate::vectors::Spelling;
use crate::wording::plain;

pub use controls::{ControlsConfig, Given};
pub use network::{ChannelOrder, InputConfig};
pub use networks::{Asked, Member, Networks, Sweep, Written};
pub use options::{InferenceOptions, MOST_RESAMPLES, OptionError, Spaces, TestOptions, TestRequest, draws, named};
pub(crate) use options::{check_measures, check_permutations, twice};
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
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
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
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not readable.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not TOML, an unknown key, a wrong type.
    #[error("{}: {found}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Line, column, what was expected and the remedy.
        found: String,
    },
    /// A path with a tab or a line's end in it.
    #[error("{}: {found:?} has control characters: {BACKSLASH}", path.display())]
    Control {
        /// The file.
        path: PathBuf,
        /// The path as it was read.
        found: PathBuf,
    },
    /// A sweep without networks.
    #[error("{}: there is no network in it, expected [[network]] with a name and weights", .0.display())]
    NoNetworks(PathBuf),
    /// A sweep where one network is expected.
    #[error("{}: {networks} networks in [[network]], expected one: a file with [network]", path.display())]
    Many {
        /// The file.
        path: PathBuf,
        /// How many.
        networks: usize,
    },
    /// Networks that nothing tells apart.
    #[error(
        "{}: [[network]] {} and {}: both are called {label:?} in results, or in the names of their folders; give one of them \
         a label of its own", path.display(), networks[0], networks[1]
    )]
    SameLabel {
        /// The file.
        path: PathBuf,
        /// Their numbers in it.
        networks: [usize; 2],
        /// What the second is called.
        label: String,
    },
    /// A label that makes no folder.
    #[error("{}: [[network]] {network}: label {found:?}, expected {expected}", path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// The network's number in it.
        network: usize,
        /// What it is called.
        found: String,
        /// What a label is.
        expected: &'static str,
    },
    /// Nothing says which network of a sweep.
    #[error("{}: a sweep over several networks: say which, --network with one of {known}", path.display())]
    Which {
        /// The file.
        path: PathBuf,
        /// All labels.
        known: String,
    },
    /// There is no such network.
    #[error("{}: no network {found:?} in it, expected one of {known}", path.display())]
    NoSuchNetwork {
        /// The file.
        path: PathBuf,
        /// As asked for.
        found: String,
        /// All labels.
        known: String,
    },
    /// An override that does not fit.
    #[error(
        "--set {text}: {reason}; expected KEY=VALUE with a key of the configuration, such as two_vs_two.permutations=200"
    )]
    Override {
        /// As given.
        text: String,
        /// What is wrong.
        reason: String,
    },
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
        let weights = self.network.weights.iter().map(|path| ("network.weights".to_string(), path.as_path()));
        let classes = self.network.classes.iter().map(|path| ("network.classes".to_string(), path.as_path()));
        let manifest = ("stimuli.manifest".to_string(), self.stimuli.manifest.as_path());
        let words = self.words.iter().enumerate();
        let words = words.map(|(n, words)| (format!("words.{n}.file ({})", words.name), words.file.as_path()));
        let controls =
            self.controls.sources().map(|source| (format!("controls ({})", source.name), source.path.as_path()));
        weights.chain(classes).chain([manifest]).chain(words).chain(controls)
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

impl Written {
    /// Reads `path`, applies `overrides` (`key=value`: a TOML value or bare text; their paths are relative to the
    /// current directory).
    ///
    /// # Errors
    /// Names the file, line and key: unreadable, not TOML, an unknown key, a wrong type, an override that does not fit.
    pub fn from_file(path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(FileError::at(path))?;
        let toml_error = |error| ConfigError::Toml { path: path.to_path_buf(), found: described(&error, &text) };
        // Parsed as it stands, so that an error points at the line in the file.
        let mut config: Self = toml::from_str(&text).map_err(toml_error)?;
        let escaped = |path: &&mut PathBuf| path.to_string_lossy().contains(char::is_control);
        if let Some(found) = config.paths_mut().find(escaped) {
            return Err(ConfigError::Control { path: path.to_path_buf(), found: found.clone() });
        }
        config.network.as_mut().iter_mut().for_each(NetworkConfig::call_by_file);
        let directory = path.parent().unwrap_or(Path::new(""));
        config.paths_mut().for_each(|path| *path = directory.join(&path));
        if let Some(path) = config.paths_mut().find(|path| path.to_str().is_none()) {
            let reason = "this path is no UTF-8, expected one that run.json can name; rename it";
            return Err(FileError::at(path.clone())(std::io::Error::other(reason)).into());
        }
        for text in overrides {
            config = config.with(text).map_err(|reason| ConfigError::Override { text: text.clone(), reason })?;
        }
        Ok(config)
    }

    /// With `key=value`: text where the key takes it, else a TOML value.
    fn with(mut self, text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("there is no \"=\"")?;
        let table = toml::Table::try_from(&self).map_err(|error| error.to_string())?;
        let changed = |value: toml::Value| -> Result<Self, String> {
            let mut table = table.clone();
            set(&mut table, key.trim(), value)?;
            table.try_into().map_err(|error: toml::de::Error| plain(error.message()))
        };
        let text = toml::Value::String(value.trim().to_string());
        let is_path = match key.trim().split('.').collect::<Vec<_>>()[..] {
            ["network", "weights" | "file" | "classes"] | ["network", _, "weights" | "file" | "classes"] => true,
            ["stimuli", "manifest"] | ["run", "out"] => true,
            ["words", _, last] => last == "file",
            _ => false,
        };
        let parsed = toml::from_str(&format!("value = {}", value.trim())).ok();
        let parsed = parsed.and_then(|mut table: toml::Table| table.remove("value"));
        // A quoted string is TOML, a date where text is expected is text; a path is text as it stands.
        let mut config = match parsed {
            _ if is_path => changed(toml::Value::String(value.to_string())),
            None => changed(text),
            Some(quoted @ toml::Value::String(_)) => changed(quoted),
            Some(parsed) => changed(text).or_else(|_| changed(parsed)),
        }?;
        config.network.as_mut().iter_mut().for_each(NetworkConfig::call_by_file);
        let before: Vec<PathBuf> = self.paths_mut().map(|path| path.clone()).collect();
        for path in config.paths_mut().filter(|path| !before.contains(path)) {
            *path = std::path::absolute(&path).map_err(|error| error.to_string())?;
        }
        Ok(config)
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

/// What to do about a backslash.
const BACKSLASH: &str = "in double quotes a backslash begins an escape; write such a path with / (\"C:/data/m.csv\") or in \
                         single quotes ('C:\\data\\m.csv')";

/// Where and what is wrong with a configuration, in the words of its reader.
fn described(error: &toml::de::Error, text: &str) -> String {
    let found = error.to_string().trim_end().replace(error.message(), &plain(error.message()));
    let line = error.span().and_then(|span| text[..span.start].lines().last().map(str::len).zip(Some(span.start)));
    let line = line.and_then(|(column, start)| text[start.saturating_sub(column)..].lines().next());
    let told = |message: &str| message.contains("escape") || message.contains("unicode");
    let escape = line.is_some_and(|line| line.contains('\\')) && told(error.message());
    if escape { format!("{found}; {BACKSLASH}") } else { found }
}

/// Sets `a.b.0.c` in the table; indices address list elements.
fn set(table: &mut toml::Table, key: &str, value: toml::Value) -> Result<(), String> {
    let segments: Vec<&str> = key.split('.').collect();
    let (last, parents) = segments.split_last().ok_or("the key is empty")?;
    let mut place =
        table.entry(parents.first().copied().unwrap_or(last).to_string()).or_insert_with(|| match parents {
            [] => value.clone(),
            _ => toml::Value::Table(toml::Table::new()),
        });
    for segment in segments.iter().skip(1) {
        place = match place {
            toml::Value::Table(inner) => {
                inner.entry(segment.to_string()).or_insert_with(|| toml::Value::Table(toml::Table::new()))
            }
            toml::Value::Array(inner) => segment
                .parse()
                .ok()
                .and_then(|index: usize| inner.get_mut(index))
                .ok_or_else(|| format!("there is no element {segment}"))?,
            _ => return Err(format!("{segment} is no key of a table")),
        };
    }
    *place = value;
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "[network]\nname = \"vgg16\"\nrandom = true\n[stimuli]\nmanifest = \"m.csv\"\n\
                            [[words]]\nname = \"w\"\nfile = \"w.txt\"\n";

    fn read(text: &str, overrides: &[&str]) -> Result<Config, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("experiment.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path, &overrides.iter().map(|text| text.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn defaults_are_the_papers() {
        let config = read(SMALLEST, &[]).unwrap();
        assert_eq!(config.seed, 2018);
        assert_eq!(config.two_vs_two.permutations, 1000);
        assert!(config.stimuli.pixels);
        assert_eq!(config.network.layers, None);
        assert_eq!(config.stimuli.resize, None);
        assert!(config.one_vs_two.is_none());
    }

    #[test]
    fn backslashes_of_windows_paths_get_their_remedy() {
        for path in [r"C:\data\m.csv", r"C:\new\table.csv", r"C:\users\m.csv"] {
            let error = read(&SMALLEST.replace("m.csv", path), &[]).unwrap_err().to_string();
            assert!(error.contains("backslash") && error.contains("experiment.toml"), "{path}: {error}");
        }
    }

    #[test]
    fn messages_name_keys_and_no_types() {
        let read = |more: &str| read(&format!("{SMALLEST}{more}"), &[]).unwrap_err().to_string();
        for (text, expected) in [
            ("[two_vs_two]\npermutations = \"many\"\n", "expected a whole number"),
            ("[two_vs_two]\nstop_after = 0\n", "expected a whole number above 0"),
            ("[two_vs_two]\nties = \"loses\"\n", "did you mean \"lost\""),
            ("[run]\nthreads = -1\n", "found the number `-1`, expected a whole number"),
            ("[run]\nmemory = 4\n", "expected text in quotes"),
            ("[rsa]\nmethods = \"pearson\"\n", "expected a list"),
        ] {
            let error = read(text);
            assert!(error.contains(expected), "{text}: {error}");
            for word in ["u64", "u32", "usize", "struct", "enum", "Option", "None", "sequence"] {
                assert!(!error.contains(word), "{text}: {error}");
            }
        }
    }

    #[test]
    fn an_empty_section_asks_for_the_one_vs_two_test() {
        assert!(read(&format!("{SMALLEST}[one_vs_two]\n"), &[]).unwrap().one_vs_two.is_some());
        assert!(read(SMALLEST, &["one_vs_two={}"]).unwrap().one_vs_two.is_some());
        let config = read(SMALLEST, &["one_vs_two.ties=half"]).unwrap();
        assert_eq!(config.one_vs_two.unwrap().ties, Some(Ties::Half));
    }

    #[test]
    fn paths_are_relative_to_the_file_and_of_overrides_to_the_current_directory() {
        let config = read(SMALLEST, &["words.0.file=other.txt"]).unwrap();
        assert!(config.stimuli.manifest.is_absolute());
        assert_eq!(config.words[0].file, std::path::absolute("other.txt").unwrap());
        let config = read(SMALLEST, &["run.out=2024-01-01", "words=[{name = \"x\", file = \"y.txt\"}]"]).unwrap();
        assert_eq!(config.run.out, Some(std::path::absolute("2024-01-01").unwrap()), "text, not a date");
        assert_eq!(config.words[0].file, std::path::absolute("y.txt").unwrap());
        let config = read(SMALLEST, &["run.out=\"q\"", "words.0.file= lead"]).unwrap();
        assert_eq!(config.run.out, Some(std::path::absolute("\"q\"").unwrap()));
        assert_eq!(config.words[0].file, std::path::absolute(" lead").unwrap());
    }

    #[test]
    fn overrides_take_toml_values_and_bare_text() {
        let config = read(
            SMALLEST,
            &[
                "two_vs_two.permutations=20",
                "run.device=gpu:1",
                "network.layers=[\"fc1\"]",
                "run.memory=900 MiB",
                "seed=7",
            ],
        )
        .unwrap();
        assert_eq!(config.two_vs_two.permutations, 20);
        assert_eq!(config.run.device, Choice::Gpu(Some(1)));
        assert_eq!(config.run.memory, Some(Bytes(900 << 20)));
        assert_eq!(config.seed, 7);
        assert_eq!(config.network.layers, Some(vec!["fc1".to_string()]));
    }

    #[test]
    fn overrides_change_nothing_else() {
        let text = format!("{SMALLEST}[run]\nmemory = \"0.7 GB\"\n");
        let (whole, changed) = (read(&text, &[]).unwrap(), read(&text, &["seed=7"]).unwrap());
        assert_eq!(changed.run.memory, whole.run.memory);
        assert_eq!(changed.stimuli.manifest.file_name(), whole.stimuli.manifest.file_name());
    }

    #[test]
    fn unknown_keys_and_wrong_types_name_the_line() {
        let error = read(&format!("{SMALLEST}[two_vs_two]\npermutation = 3\n"), &[]).unwrap_err().to_string();
        assert!(
            error.contains("experiment.toml") && error.contains("permutation") && error.contains("line 10"),
            "{error}"
        );
        assert!(error.contains("did you mean \"permutations\""), "{error}");
        let error = read(&format!("{SMALLEST}[run]\nmemory = \"4 elephants\"\n"), &[]).unwrap_err().to_string();
        assert!(error.contains("4 elephants"), "{error}");
        let error = read(SMALLEST, &["two_vs_two.permutation=3"]).unwrap_err().to_string();
        assert!(error.contains("permutation"), "{error}");
        assert!(read(SMALLEST, &["nonsense"]).is_err());
    }
}
