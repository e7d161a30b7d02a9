//! `run.json`: what was asked for, what went in, where it ran and what it took. Written and read by one type.

mod comparison;
mod difference;
mod folders;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{Config, InferenceOptions, TestOptions, TestRequest};
use crate::device::{self, Adapter, Selected};
use crate::error::FileError;
use crate::matrices::Read;
use crate::nets::{Input, Token};
use crate::results::{Ledger, ResultsDir, altered, write_json};

pub use comparison::{Along, Compared, ComparisonRecord};
pub(crate) use difference::to_cut;
pub use difference::{changed, changed_config, check, check_free, keep, of_test, parts_of_test, replaced};

/// Version of the layout of `run.json`; 1 and 2 are read too.
pub const SCHEMA: u64 = 3;

/// The record of a results directory.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RunRecord {
    /// [`SCHEMA`]
    pub schema: u64,
    /// The version of semgpu that wrote it.
    pub semgpu: String,
    /// The command, its configuration and what is particular to it.
    #[serde(flatten)]
    pub command: Command,
    /// What family-wise p-values are held against.
    pub maximum: Maximum,
    /// Of what, when and how it was made.
    #[serde(default)]
    pub origin: Origin,
    /// Where it ran.
    pub device: Place,
    /// CPU threads.
    pub threads: usize,
    /// Peak memory of the process, where the system tells; of the largest of those that computed a run's matrices.
    pub peak_bytes: Option<u64>,
    /// How long it took.
    pub seconds: Seconds,
    /// Things the user should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// SHA-256 of the tables and matrices that it was written beside, by their paths; empty in records of before it.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// The maximum over a family that family-wise p-values are held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Maximum {
    /// Each layer's values less its null's mean, in units of its null's standard deviation.
    Studentised,
    /// Values as they are: before schema 3.
    Raw,
}

/// What left the results.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Command {
    /// `semgpu run`
    Run(Box<Run>),
    /// `semgpu test`
    Test(Box<Test>),
}

/// A run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Run {
    /// As resolved.
    pub config: Config,
    /// The network.
    pub network: Network,
    /// The word models, in the configuration's order.
    pub words: Vec<WordModel>,
    /// Images per batch of the first stages; later ones may run several as one.
    pub batch: usize,
    /// The estimate.
    pub memory: Memory,
    /// What went in.
    pub checksums: Checksums,
    /// Every stage of every group that this run computed.
    pub stages: Vec<StageTiming>,
    /// The share of images whose predicted class is their own, where both are known.
    pub top_1: Option<f64>,
}

/// A test of matrices.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Test {
    /// As asked for.
    pub config: TestRequest,
    /// What was understood of each file.
    pub understood: Vec<String>,
    /// The same, part by part.
    #[serde(default)]
    pub read: Vec<Read>,
    /// SHA-256 of the files.
    pub checksums: MatrixChecksums,
    /// Names what was tested; empty in records of before it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub experiment: String,
}

/// The network of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Network {
    /// As in `semgpu layers`.
    pub name: String,
    /// Its published graph.
    pub form: String,
    /// Size and preprocessing of its images.
    pub input: Input,
    /// What was tested of layers of tokens, where it has such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
}

/// A word model of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct WordModel {
    /// As in tables and figures.
    pub name: String,
    /// Values per word.
    pub dimensions: usize,
}

/// What a network holds at its peak, in bytes.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Memory {
    /// The network's weights.
    pub weights: u64,
    /// At the stage that needs most: of one group the larger of input and output, and its layers; what is inside of one batch.
    pub activations: u64,
    /// The stage that needs most, by its last layer.
    pub largest_stage: String,
    /// The budget.
    pub budget: u64,
}

/// SHA-256 of the files that went into a run.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Checksums {
    /// The weights, if any; over the checksums of their files where there are several.
    pub weights: Option<String>,
    /// Each word model, likewise.
    pub words: Vec<String>,
    /// Over the images' checksums in manifest order.
    pub images: String,
    /// Over all that decides the RSMs: two runs with the same value share their finished layers.
    pub similarity: String,
    /// The list of the network's classes, if it is not ImageNet's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<String>,
    /// Files that are controlled for, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub controls: BTreeMap<String, String>,
}

/// SHA-256 of the files of matrices, by word model and layer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct MatrixChecksums {
    /// By word model.
    pub words: BTreeMap<String, String>,
    /// By layer.
    pub images: BTreeMap<String, String>,
    /// What is controlled for, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub controls: BTreeMap<String, String>,
}

/// Seconds and memory of one stage of one group.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct StageTiming {
    /// The group.
    pub group: String,
    /// The stage's last layer.
    pub stage: String,
    /// The network's part.
    pub forward_seconds: f64,
    /// The RSMs' part.
    pub similarity_seconds: f64,
    /// Peak memory of the process so far, where the system tells.
    pub peak_bytes: Option<u64>,
}

/// The device of a command.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Place {
    /// `cpu` or `gpu`.
    pub kind: String,
    /// As `semgpu devices` names it.
    pub name: String,
    /// Why this one.
    pub why: String,
    /// None on the CPU.
    pub adapter: Option<Adapter>,
}

/// Of what, when and how results were made. Empty in records of before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Origin {
    /// When the record was made, by the system's clock: UTC, as in RFC 3339.
    pub date: String,
    /// The commit that the program was built from, where its builder said: a packaged source, or `SEMGPU_COMMIT`.
    pub commit: Option<String>,
    /// The command line.
    pub arguments: Vec<String>,
    /// The processor and the system, `Intel(R) Xeon(R) Processor, linux x86_64`.
    pub machine: String,
}

impl Origin {
    /// This process, now.
    pub fn here() -> Self {
        let now = time::OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
        Self {
            date: now.format(&time::format_description::well_known::Rfc3339).unwrap_or_default(),
            commit: option_env!("SEMGPU_COMMIT").map(str::to_string),
            arguments: std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect(),
            machine: device::machine(),
        }
    }
}

/// How long a command took.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Seconds {
    /// From images to RSMs, in a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub similarity: Option<f64>,
    /// All of it but the figures.
    pub total: f64,
}

/// A `run.json` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Of another version.
    #[error(
        "{}: schema {found}, expected 1 to {SCHEMA}: it is of a newer semgpu; use that one, or make the results again",
        path.display()
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its number, or what stands in its place.
        found: Value,
    },
    /// Not what the schema says.
    #[error("{}: not a record of semgpu's ({source}); make the results again, or remove it to draw without it", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// What a run's groups are of.
pub const IMAGES: &str = "images";

impl RunRecord {
    /// The record of a command that runs on `device`.
    pub fn new(command: Command, device: &Selected, warnings: Vec<String>) -> Self {
        Self {
            schema: SCHEMA,
            semgpu: env!("CARGO_PKG_VERSION").to_string(),
            command,
            maximum: Maximum::Studentised,
            origin: Origin::here(),
            device: Place {
                kind: device.kind().to_string(),
                name: device.name(),
                why: device.why.clone(),
                adapter: device.adapter.clone(),
            },
            threads: rayon::current_num_threads(),
            peak_bytes: None,
            seconds: Seconds::default(),
            warnings,
            files: BTreeMap::new(),
        }
    }

    /// Reads the record of a results directory; none if it has none.
    ///
    /// # Errors
    /// It cannot be read, is of another schema, or no record at all.
    pub fn read(directory: &ResultsDir) -> Result<Option<Self>, RecordError> {
        let path = directory.record();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(FileError::at(path)(e).into()),
        };
        let wrong = |source| RecordError::Json { path: path.clone(), source };
        let mut record: Value = serde_json::from_slice(&bytes).map_err(wrong)?;
        match record["schema"].as_u64() {
            Some(1) => {
                update_1(&mut record);
                update_2(&mut record);
            }
            Some(2) => update_2(&mut record),
            Some(SCHEMA) => {}
            _ => return Err(RecordError::Schema { found: record["schema"].clone(), path }),
        }
        serde_json::from_value(record).map(Some).map_err(wrong)
    }

    /// Writes the record into a results directory, with what was used since `started`, and what lies beside it.
    ///
    /// # Errors
    /// It cannot be written, or what lies beside it not be read.
    pub fn write(&mut self, directory: &ResultsDir, started: Instant) -> Result<(), FileError> {
        self.peak_bytes = self.peak_bytes.max(device::peak_memory_bytes());
        self.seconds.total = started.elapsed().as_secs_f64();
        self.files = Ledger::sums(directory)?;
        write_json(&directory.record(), self)
    }

    /// Which of the tables and matrices beside it are not those that it was written beside, in words.
    pub fn altered(&self, directory: &ResultsDir) -> Option<String> {
        altered(&self.files, directory, &directory.record())
    }

    /// How accuracies were tested.
    pub fn options(&self) -> &TestOptions {
        match &self.command {
            Command::Run(run) => &run.config.two_vs_two,
            Command::Test(test) => &test.config.options,
        }
    }

    /// What its p-values speak of.
    pub fn inference(&self) -> InferenceOptions {
        match &self.command {
            Command::Run(run) => run.config.inference,
            Command::Test(test) => test.config.inference,
        }
    }

    /// The seed of the draws.
    pub fn seed(&self) -> u64 {
        match &self.command {
            Command::Run(run) => run.config.seed,
            Command::Test(test) => test.config.seed,
        }
    }

    /// What groups are of: of images, or what a test was told: subjects.
    pub fn groups_are(&self) -> &str {
        match &self.command {
            Command::Run(_) => IMAGES,
            Command::Test(test) => test.config.reading.groups_are.as_deref().unwrap_or(IMAGES),
        }
    }

    /// What the images of a test are called, where they are one space and the network has no name.
    pub fn images(&self) -> Option<&str> {
        match &self.command {
            Command::Test(test) if test.config.network == IMAGES => match &test.config.images[..] {
                [source] => Some(&source.name),
                _ => None,
            },
            _ => None,
        }
    }

    /// What layers stand along, where a test was told.
    pub fn axis(&self) -> Option<&str> {
        match &self.command {
            Command::Run(_) => None,
            Command::Test(test) => test.config.axis.as_deref(),
        }
    }

    /// Whether a test was told that its layers have no order.
    pub fn is_unordered(&self) -> bool {
        matches!(&self.command, Command::Test(test) if test.config.unordered)
    }

    /// The run, if it was one.
    pub fn run(&self) -> Option<&Run> {
        match &self.command {
            Command::Run(run) => Some(run),
            Command::Test(_) => None,
        }
    }
}

/// From schema 1, where a run did not say that it was one, nor a test of matrices whether it kept to categories.
fn update_1(record: &mut Value) {
    record["schema"] = 2.into();
    if record["command"].is_null() {
        record["command"] = "run".into();
    } else if record["config"]["categories"].is_string() {
        record["config"]["within_categories"] = true.into();
    }
}

/// From schema 2, whose family-wise p-values are against the raw maximum, and whose 1 vs. 2 test had no choice of columns.
fn update_2(record: &mut Value) {
    record["schema"] = SCHEMA.into();
    record["maximum"] = "raw".into();
    if record["config"]["one_vs_two"].is_object() {
        record["config"]["one_vs_two"]["columns"] = "others".into();
    }
}
