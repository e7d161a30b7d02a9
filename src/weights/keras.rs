//! Keras' weights in HDF5: `.weights.h5` (Keras 3), `.h5` (whole models and weights, Keras 1 to 3), and `.keras`, a zip
//! archive of a `.weights.h5` and the model's configuration.
//!
//! Tensors are named `{layer}/{variable}` whatever the release of Keras that wrote them: `block1_conv1/kernel`. Models
//! inside models are flattened, optimizers left out. Names that Keras counted up (`conv2d_95`, since others were built in
//! the same session) are counted anew from `conv2d_1`.

mod by_class;
mod by_name;
mod config;
mod names;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hdf5_reader::error::Error as Hdf5Error;
use hdf5_reader::group::Group;
use hdf5_reader::storage::DynStorage;
use hdf5_reader::{Attribute, Dataset, Datatype, FileStorage, Hdf5File, OpenOptions, RangeRequestStorage};
use zip::{CompressionMethod, ZipArchive};

use self::config::Config;
use super::{Format, WeightsError, WeightsFile, archive};
use crate::limits;
use crate::numbers::{Kind, Value};

/// The registry entry of `.h5` and `.weights.h5`.
pub const HDF5: Format = Format {
    name: "Keras .h5/.weights.h5",
    sniff: |head, _| head.starts_with(b"\x89HDF\r\n\x1a\n"),
    open: |path| {
        let storage = FileStorage::open(path).map_err(Problem::from);
        let opened = storage.and_then(|storage| KerasFile::open(path, &HDF5, Arc::new(storage), &Config::default()));
        Ok(Box::new(opened.map_err(|source| unreadable(path, &HDF5, source))?))
    },
};

/// The registry entry of `.keras`.
pub const ARCHIVE: Format = Format {
    name: "Keras .keras",
    sniff: |head, path| {
        head.starts_with(archive::MAGIC)
            && archive::members(path).is_some_and(|members| members.iter().any(|name| name == WEIGHTS_MEMBER))
    },
    open: |path| {
        let opened = unpacked(path).and_then(|(config, storage)| KerasFile::open(path, &ARCHIVE, storage, &config));
        Ok(Box::new(opened.map_err(|source| unreadable(path, &ARCHIVE, source))?))
    },
};

/// The members of a `.keras` archive.
const WEIGHTS_MEMBER: &str = "model.weights.h5";
const CONFIG_MEMBER: &str = "config.json";
/// The longest configuration that is read; EfficientNet's is a fifth of a megabyte.
const MAX_CONFIG_BYTES: u64 = 16 << 20;
/// No network has more variables; a file that lists more repeats itself.
const MAX_VARIABLES: usize = 100_000;

/// What can be wrong with a file of Keras.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Hdf5(#[from] Hdf5Error),
    #[error(transparent)]
    Zip(#[from] zip::result::ZipError),
    #[error("{CONFIG_MEMBER}: {0}")]
    Config(#[from] serde_json::Error),
    #[error("{0}")]
    Layout(String),
    /// Of a sound file, what it leaves open.
    #[error("{0}")]
    Open(String),
}

fn unreadable(path: &Path, format: &Format, source: Problem) -> WeightsError {
    match source {
        Problem::Open(problem) => WeightsError::Graph { path: path.into(), problem },
        source => WeightsError::Unreadable { path: path.into(), format: format.name, source: Box::new(source) },
    }
}

/// A variable as the file keeps it.
struct Variable {
    layer: String,
    /// `kernel`, `bias`, `gamma`, …
    name: String,
    values: Dataset,
}

/// An open file of Keras.
pub struct KerasFile {
    path: PathBuf,
    format: &'static Format,
    /// By name `{layer}/{variable}`, in the order of the file.
    variables: Vec<(String, Dataset)>,
}

impl KerasFile {
    fn open(path: &Path, format: &'static Format, storage: DynStorage, config: &Config) -> Result<Self, Problem> {
        let bytes = usize::try_from(limits::unpacked(storage.len())).unwrap_or(usize::MAX);
        // Each dataset is read once and whole: a cache would only keep what is not asked for again.
        let options = OpenOptions { chunk_cache_bytes: 0, max_read_bytes: bytes, ..OpenOptions::default() }
            .with_max_chunk_bytes(bytes.min(hdf5_reader::DEFAULT_MAX_CHUNK_BYTES));
        let root = Hdf5File::from_storage_with_options(storage, options)?.root_group()?;
        let model = found(root.group("model_weights"))?.unwrap_or_else(|| root.clone());
        let mut variables = match by_name::variables(&model)? {
            Some(variables) => variables,
            None => by_class::variables(&root, config)?,
        };
        names::renumber(&mut variables);
        let mut taken = BTreeSet::new();
        let mut named = Vec::with_capacity(variables.len());
        for Variable { layer, name, values } in variables {
            let mut name = format!("{layer}/{name}");
            // Two models inside one may name a layer alike: the second one is then told by its place in the file.
            if taken.contains(&name) {
                name = format!("{name} (object {:#x})", values.address());
            }
            if !taken.insert(name.clone()) {
                return Err(Problem::Layout(format!("{name} is listed twice")));
            }
            named.push((name, values));
        }
        Ok(Self { path: path.into(), format, variables: named })
    }
}

impl WeightsFile for KerasFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let shape = |values: &Dataset| values.shape().iter().map(|&length| length as usize).collect();
        self.variables.iter().map(|(name, values)| (name.clone(), shape(values))).collect()
    }

    fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let (_, dataset) =
            self.variables.iter().find(|(own, _)| own == name).unwrap_or_else(|| panic!("no tensor {name}"));
        let float = float(dataset).ok_or_else(|| WeightsError::Type {
            path: self.path.clone(),
            tensor: name.to_string(),
            found: format!("{:?}", dataset.dtype()),
        })?;
        let bytes = dataset.read_raw_bytes().map_err(|source| unreadable(&self.path, self.format, source.into()))?;
        Ok(float.singles(&bytes))
    }
}

/// How a dataset stores its numbers; `None` if they are not floating-point numbers.
fn float(dataset: &Dataset) -> Option<Value> {
    match *dataset.dtype() {
        // HDF5 had no bfloat16: Keras stores the two bytes and says so beside them.
        Datatype::Opaque { size: 2, .. } => {
            let named = dataset.attribute("dtype").ok()?.read_string().ok()?;
            Value::new(Kind::Brain, 2, false).filter(|_| named == "bfloat16")
        }
        _ => Value::of_hdf5(dataset),
    }
}

/// A `.keras` archive's configuration, and its weights: where they stand in the archive, or unpacked to a temporary file
/// if they are compressed.
fn unpacked(path: &Path) -> Result<(Config, DynStorage), Problem> {
    let mut archive = archive::open(path)?;
    let mut config = Vec::new();
    archive.by_name(CONFIG_MEMBER)?.take(MAX_CONFIG_BYTES).read_to_end(&mut config)?;
    let config = Config::of(&serde_json::from_slice(&config)?);
    Ok((config, weights(&mut archive, path)?))
}

fn weights<R: Read + Seek>(archive: &mut ZipArchive<R>, path: &Path) -> Result<DynStorage, Problem> {
    let mut member = archive.by_name(WEIGHTS_MEMBER)?;
    let bytes = member.size();
    let start = member.data_start().filter(|_| member.compression() == CompressionMethod::Stored);
    let Some(start) = start else {
        let mut unpacked = tempfile::tempfile()?;
        // Reading to the end checks the member's checksum; one byte more than it claims would be another lie.
        let copied = io::copy(&mut member.by_ref().take(bytes + 1), &mut unpacked)?;
        if copied != bytes {
            return Err(Problem::Layout(format!("{WEIGHTS_MEMBER} holds more than the {bytes} bytes it claims")));
        }
        return Ok(Arc::new(FileStorage::from_file(unpacked)?));
    };
    // The checksum covers the whole member.
    io::copy(&mut member, &mut io::sink())?;
    let file = Mutex::new(File::open(path)?);
    Ok(Arc::new(RangeRequestStorage::new(bytes, move |offset, length| {
        let mut file = file.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut range = vec![0; length];
        file.seek(SeekFrom::Start(start + offset))?;
        file.read_exact(&mut range)?;
        Ok(range)
    })))
}

/// `None` if there is no such group, dataset or attribute.
fn found<T>(looked_up: Result<T, Hdf5Error>) -> Result<Option<T>, Hdf5Error> {
    match looked_up {
        Ok(found) => Ok(Some(found)),
        Err(Hdf5Error::GroupNotFound(_) | Hdf5Error::DatasetNotFound(_) | Hdf5Error::AttributeNotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The strings of an attribute; `None` if there is none of that name.
fn strings(attributes: &[Attribute], name: &str) -> Result<Option<Vec<String>>, Hdf5Error> {
    let read = |attribute: &Attribute| match attribute.num_elements()? {
        // An empty list has the type of an empty list of numbers.
        0 => Ok(vec![]),
        _ => attribute.read_strings().or_else(|_| Ok(vec![attribute.read_string()?])),
    };
    if let Some(attribute) = attributes.iter().find(|attribute| attribute.name == name) {
        return read(attribute).map(Some);
    }
    // Keras splits a list that outgrows HDF5's limit of 64 KiB: `layer_names0`, `layer_names1`, …
    let mut parts: Option<Vec<String>> = None;
    for part in 0.. {
        let part = format!("{name}{part}");
        let Some(attribute) = attributes.iter().find(|attribute| attribute.name == part) else { break };
        parts.get_or_insert_default().extend(read(attribute)?);
    }
    Ok(parts)
}

/// The group at a path below `from`; names of layers may hold slashes.
fn descend(from: &Group, path: &str) -> Result<Group, Hdf5Error> {
    path.split('/').filter(|part| !part.is_empty()).try_fold(from.clone(), |group, part| group.group(part))
}

#[cfg(test)]
mod tests;
