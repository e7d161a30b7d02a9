//! PyTorch's `.pth` and `.pt`: a pickle that describes tensors, and their bytes; in a zip archive (since PyTorch 1.6) or one
//! after the other (before).
//!
//! Nothing in a pickle is executed: calls that rebuild tensors are understood, all others are left alone.

mod pickle;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use pytorch_reader::{DType, PytorchError, PytorchReader, Tensor};

use super::{Format, WeightsError, WeightsFile, archive};
use crate::error::FileError;
use crate::limits;
use crate::numbers::{Kind, Value};

/// The registry entry.
pub const FORMAT: Format =
    Format { name: "PyTorch .pth/.pt", sniff, open: |path| Ok(Box::new(Checkpoint::open(path)?)) };

/// The number that opens files of PyTorch before 1.6, as their first pickle holds it.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// That number ends within so many bytes, whatever the pickle's protocol.
const LEGACY_MAGIC_BYTES: usize = 64;
/// The longest description of tensors that is read. ResNet152's is a tenth of a megabyte; a byte of it can cost a hundred
/// bytes of memory, and deflated it costs a file next to nothing.
const MAX_PICKLE_BYTES: u64 = 4 << 20;
/// What to do with NumPy's arrays, whose values stand in the pickle.
const ARRAYS: &str = "of arrays of NumPy make tensors: torch.save({k: torch.as_tensor(v) for k, v in x.items()}, OUT)";
/// What to do where a file holds something else.
const STATE_DICT: &str = "save the one that is the network's: torch.save(x.state_dict(), OUT)";
/// What to do where an object lies beside the tensors, such as an optimizer.
const TENSORS: &str = "save the tensors alone: torch.save(x[KEY], OUT), or torch.save(x.state_dict(), OUT) of a module";
/// What to do with tensors that are no plain arrays of floating-point numbers.
const DENSE: &str =
    "save the state dict's tensors dense, in float32: torch.save({k: v.to_dense().float() for k, v in x.items()}, OUT)";
/// Where tar archives say what they are.
const TAR_MAGIC_AT: usize = 257;
/// What files of PyTorch before 1.6 begin with: the number, the version, the machine, the tensors, their storages' keys.
const LEGACY_PICKLES: usize = 5;
/// How the reader begins to say that a file holds no dictionary of tensors; its last word is what it holds.
const NO_DICT: &str = "Expected a dictionary at the root";
/// How it says that a storage is described as the code of a module is, in files of PyTorch before 1.6.
const OF_MODULE: &str = "storage persistent id has 4 fields";
/// What it names of quantized tensors.
const QUANTIZED: [&str; 5] = [
    "torch.QInt8Storage",
    "torch.QUInt8Storage",
    "torch.QInt32Storage",
    "torch.QUInt4x2Storage",
    "torch.QUInt2x4Storage",
];
/// How it says that it reads no tensors of a kind, such as sparse ones or those of eight bits, or none in an object of a class;
/// then the name in quotes.
const OTHER_KIND: &str = "unsupported Python type '";
/// Where training scripts keep the weights beside optimizer and epoch.
const WEIGHTS_KEYS: [&str; 3] = ["state_dict", "model_state_dict", "model"];
/// Where they keep averages of the weights over the training's last steps beside them.
const AVERAGES_KEYS: [&str; 5] = ["state_dict_ema", "model_ema", "ema_state_dict", "model_ema_state_dict", "ema"];

fn sniff(head: &[u8], path: &Path) -> bool {
    if head.starts_with(archive::MAGIC) {
        // An archive without its directory, a download cut short, is taken too: opening it says what is wrong.
        return archive::members(path).is_none_or(|members| members.iter().any(|name| is_pickle(name)));
    }
    // A tar archive (PyTorch before 0.1.10) is another format, whatever its first member is called.
    let is_tar = head.get(TAR_MAGIC_AT..).is_some_and(|rest| rest.starts_with(b"ustar"));
    !is_tar && head[..head.len().min(LEGACY_MAGIC_BYTES)].windows(LEGACY_MAGIC.len()).any(|bytes| bytes == LEGACY_MAGIC)
}

/// Whether a zip archive's member describes the tensors.
fn is_pickle(member: &str) -> bool {
    member == "data.pkl" || member.ends_with("/data.pkl")
}

/// An open checkpoint.
pub struct Checkpoint {
    path: PathBuf,
    tensors: BTreeMap<String, Tensor>,
    /// The keys of the weights taken and of averages left, if the file has both.
    averages: Option<(&'static str, &'static str)>,
    /// Whether nothing else of the file may be meant: all of it is taken, or the averages, which were asked for.
    is_settled: bool,
}

impl Checkpoint {
    /// Reads the description of the tensors: a state dict, one beside other things in a checkpoint, or a whole module.
    ///
    /// # Errors
    /// The file is damaged, holds tensors that are not plain arrays, or claims more than it can hold.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let no_state_dict = |found: String, remedy| WeightsError::NoStateDict { path: path.into(), found, remedy };
        let members = archive::members(path).unwrap_or_default();
        if members.iter().any(|name| name.ends_with("/constants.pkl")) {
            let remedy = "save that of its module: torch.save(torch.jit.load(FILE).state_dict(), OUT)";
            return Err(no_state_dict("a TorchScript archive".to_string(), remedy));
        }
        check_pickles(path)?;
        let whole = PytorchReader::new(path).map_err(|source| match &source {
            PytorchError::InvalidFormat(problem) if problem.starts_with(NO_DICT) => {
                let found = problem.rsplit(' ').next().unwrap_or_default();
                no_state_dict(format!("holds a Python {found}"), STATE_DICT)
            }
            _ if source.to_string().contains(OF_MODULE) => no_state_dict(
                "holds a whole module, as PyTorch before 1.6 saved it".to_string(),
                "save its state dict: torch.save(torch.load(FILE, weights_only=False).state_dict(), OUT)",
            ),
            _ if QUANTIZED.iter().any(|storage| source.to_string().contains(storage)) => no_state_dict(
                "holds quantized weights".to_string(),
                "save those of the network before it is quantized, or export it to ONNX (network.file)",
            ),
            _ => match source.to_string().split_once(OTHER_KIND) {
                Some((_, rest)) => {
                    let kind = rest.split('\'').next().unwrap_or_default();
                    // `torch._utils._rebuild_sparse_tensor`, `torch.float8_e5m2`; `torch.optim.sgd.SGD`.
                    let is_tensor =
                        kind.contains("_rebuild_") || kind.starts_with("torch.") && kind.matches('.').count() == 1;
                    let (what, remedy) = if is_tensor { ("tensors in", DENSE) } else { ("an object of", TENSORS) };
                    no_state_dict(format!("holds {what} {kind}"), remedy)
                }
                None => unreadable(path, source),
            },
        })?;
        if whole.is_empty() {
            return Err(no_state_dict("holds no tensors".to_string(), ARRAYS));
        }
        let under = |keys: &[&'static str]| {
            // The file was read a line above: what fails here is that there is no such key, or something else under it.
            let reader = |key| PytorchReader::with_top_level_key(path, key).ok().filter(|reader| !reader.is_empty());
            keys.iter().find_map(|&key| Some((key, reader(key)?)))
        };
        // Of several, network.prefix says which is meant.
        let nested = under(&WEIGHTS_KEYS);
        let averages = nested.as_ref().and_then(|(key, _)| Some((*key, under(&AVERAGES_KEYS)?.0)));
        let taken = nested.filter(|(key, nested)| !is_twice(&whole, key, nested));
        let is_settled = taken.is_none();
        let tensors = sized(path, taken.map_or(whole, |(_, nested)| nested))?;
        Ok(Self { path: path.into(), tensors, averages, is_settled })
    }
}

/// Whether half of the tensors under a key at least are under another, too, which is none of averages: a teacher's, a best epoch's.
fn is_twice(whole: &PytorchReader, key: &str, nested: &PytorchReader) -> bool {
    let mut copies = BTreeMap::<&str, usize>::new();
    let named = whole.tensors().keys().filter_map(|name| name.split_once('.'));
    for (other, _) in named.filter(|(_, name)| nested.tensors().contains_key(*name)) {
        *copies.entry(other).or_default() += 1;
    }
    let is_another = |other: &str| other != key && !AVERAGES_KEYS.contains(&other);
    copies.into_iter().any(|(other, count)| is_another(other) && 2 * count >= nested.len())
}

/// The tensors, if the file can hold what they claim.
fn sized(path: &Path, reader: PytorchReader) -> Result<BTreeMap<String, Tensor>, WeightsError> {
    let file_bytes = std::fs::metadata(path).map_err(FileError::at(path))?.len();
    let tensors: BTreeMap<String, Tensor> = reader.into_tensors().into_iter().collect();
    match tensors.iter().find(|(_, tensor)| tensor.byte_len() as u64 > limits::unpacked(file_bytes)) {
        None => Ok(tensors),
        Some((name, tensor)) => Err(WeightsError::Damaged {
            path: path.into(),
            problem: format!("{name} claims {} bytes in a file of {file_bytes}", tensor.byte_len()),
        }),
    }
}

/// Refuses pickles out of all proportion before they are unpacked and built, and those of tensors that the reader would read
/// with another sign.
fn check_pickles(path: &Path) -> Result<(), WeightsError> {
    let (mut bytes, mut pickles) = (0, Vec::new());
    let mut stream = BufReader::new(File::open(path).map_err(FileError::at(path))?);
    if stream.fill_buf().map_err(FileError::at(path))?.starts_with(archive::MAGIC) {
        let mut archive = archive::open(path).map_err(|source| unreadable(path, source))?;
        for name in archive::members(path).iter().flatten().filter(|name| is_pickle(name)) {
            let member = archive.by_name(name).map_err(|source| unreadable(path, source))?;
            bytes = u64::saturating_add(bytes, member.size());
            // What cannot be unpacked the reader says.
            let _ = member.take(MAX_PICKLE_BYTES).read_to_end(&mut pickles);
        }
    } else {
        for _ in 0..LEGACY_PICKLES {
            // Cut short, or no pickles at all: whoever builds them says what is wrong.
            let Ok(more) = pickle::length(&mut stream, MAX_PICKLE_BYTES) else { break };
            bytes = u64::saturating_add(bytes, more);
        }
        let file = File::open(path).map_err(FileError::at(path))?;
        file.take(bytes.min(MAX_PICKLE_BYTES)).read_to_end(&mut pickles).map_err(FileError::at(path))?;
    }
    if pickle::has_views_by_sign(&pickles) {
        let found = "holds tensors whose sign PyTorch keeps apart (is_neg)".to_string();
        let remedy = "save what their resolve_neg() gives";
        return Err(WeightsError::NoStateDict { path: path.into(), found, remedy });
    }
    if bytes > MAX_PICKLE_BYTES {
        let found = format!("describes its tensors in more than {MAX_PICKLE_BYTES} bytes");
        return Err(WeightsError::NoStateDict { path: path.into(), found, remedy: ARRAYS });
    }
    Ok(())
}

fn unreadable(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> WeightsError {
    WeightsError::Unreadable { path: path.into(), format: FORMAT.name, source: Box::new(source) }
}

impl WeightsFile for Checkpoint {
    fn path(&self) -> &Path {
        &self.path
    }

    fn notes(&self) -> Vec<String> {
        let note = |(taken, left)| {
            format!(
                "{}: the weights under {taken:?} are taken, not their averages under {left:?}; these: network.ema = true",
                self.path.display()
            )
        };
        self.averages.filter(|_| !self.is_settled).map(note).into_iter().collect()
    }

    fn averages(self: Box<Self>) -> Result<Box<dyn WeightsFile>, WeightsError> {
        let Some((_, key)) = self.averages else { return Err(WeightsError::NoAverages { path: self.path }) };
        let reader = PytorchReader::with_top_level_key(&self.path, key).map_err(|s| unreadable(&self.path, s))?;
        let tensors = sized(&self.path, reader)?;
        Ok(Box::new(Self { path: self.path, tensors, averages: None, is_settled: true }))
    }

    fn whole(&self) -> Result<Option<Box<dyn WeightsFile>>, WeightsError> {
        if self.is_settled {
            return Ok(None);
        }
        let reader = PytorchReader::new(&self.path).map_err(|source| unreadable(&self.path, source))?;
        let tensors = sized(&self.path, reader)?;
        Ok(Some(Box::new(Self { path: self.path.clone(), tensors, averages: None, is_settled: true })))
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape().to_vec())).collect()
    }

    fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let tensor = self.tensors.get(name).unwrap_or_else(|| panic!("no tensor {name}"));
        let (kind, bytes) = match tensor.dtype() {
            DType::F64 => (Kind::Float, 8),
            DType::F32 => (Kind::Float, 4),
            DType::F16 => (Kind::Float, 2),
            DType::BF16 => (Kind::Brain, 2),
            other => {
                return Err(WeightsError::Type {
                    path: self.path.clone(),
                    tensor: name.to_string(),
                    found: format!("{other:?}"),
                });
            }
        };
        let float = Value { kind, bytes, big_endian: false };
        Ok(float.singles(&tensor.read().map_err(|source| unreadable(&self.path, source))?))
    }
}

#[cfg(test)]
mod tests;
