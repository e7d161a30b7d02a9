//! RSMs for other programs.

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use ::safetensors::Dtype;
use ::safetensors::tensor::TensorView;
use hdf5_writer::{AttributeBuilder, DatasetBuilder, Hdf5Builder, WriteOptions};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::hdf5::OWN;
use super::npy;
use crate::error::FileError;
use crate::files;
use crate::results::write_atomically;
use crate::stats::Rsm;
use crate::stats::rsa::upper;

/// The name of the array in files that name them.
const ARRAY: &str = "rsm";

/// The dataset of rsatoolbox's RDMs: `[rdms, pairs]`.
pub const DISSIMILARITIES: &str = "dissimilarities";

/// What rsatoolbox calls 1 - r.
pub const CORRELATION_DISTANCE: &str = "correlation";

/// A format that RSMs are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsmFile {
    /// NumPy.
    Npy,
    /// NumPy, one array called `rsm`.
    Npz,
    /// One array called `rsm`.
    Safetensors,
    /// One matrix, a line a row; named rows and columns where the concepts are known.
    Csv,
    /// rsatoolbox's RDMs, `rsatoolbox.rdm.load_rdm`: distances 1 - r above the diagonal.
    Hdf5,
}

/// The ending says nothing that can be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: unknown ending, expected .npy, .npz, .safetensors, .csv, .h5 or .hdf5", path.display())]
pub struct WriteEnding {
    /// The file.
    pub path: PathBuf,
}

impl RsmFile {
    /// The format by a file's ending.
    ///
    /// # Errors
    /// [`WriteEnding`].
    pub fn of(path: &Path) -> Result<Self, WriteEnding> {
        match files::ending(path).as_str() {
            "npy" => Ok(Self::Npy),
            "npz" => Ok(Self::Npz),
            "safetensors" => Ok(Self::Safetensors),
            "csv" => Ok(Self::Csv),
            "h5" | "hdf5" => Ok(Self::Hdf5),
            _ => Err(WriteEnding { path: path.into() }),
        }
    }
}

/// RSMs and what is known of them.
pub struct RsmsOut<'a> {
    /// The matrices, of the same concepts.
    pub rsms: Vec<&'a Rsm>,
    /// Whether they are written as `[rsms, concepts, concepts]` even if there is one only, but for `.csv`.
    pub grouped: bool,
    /// What tells them apart, such as `group`: one text per matrix. For rsatoolbox.
    pub labels: Vec<(&'static str, Vec<String>)>,
    /// The concepts' names, if they are known. For rsatoolbox and `.csv`.
    pub concepts: Option<&'a [String]>,
    /// Distances 1 - r (RDMs) instead of correlations.
    pub distances: bool,
}

/// Writes RSMs as f64, in the format of the file's ending.
///
/// # Errors
/// The file cannot be written.
///
/// # Panics
/// If the ending is none of [`RsmFile`]'s, there is no matrix, or several are to become `.csv`.
pub fn write_rsms(path: &Path, out: &RsmsOut) -> Result<(), FileError> {
    let format = RsmFile::of(path).expect("the ending has been checked");
    let concepts = out.rsms[0].concepts();
    let mut shape = vec![concepts, concepts];
    if out.rsms.len() > 1 || out.grouped && format != RsmFile::Csv {
        shape.insert(0, out.rsms.len());
    }
    let value = |&r: &f64| if out.distances { 1.0 - r } else { r };
    let values = || -> Vec<f64> { out.rsms.iter().flat_map(|rsm| rsm.values()).map(value).collect() };
    write_atomically(path, |file| match format {
        RsmFile::Npy => npy::encode(file, &shape, &values()),
        RsmFile::Npz => file.write_all(&npz(&shape, &values())?),
        RsmFile::Safetensors => file.write_all(&safetensors(&shape, &values())?),
        RsmFile::Csv => {
            assert_eq!(shape.len(), 2, "a .csv holds one matrix");
            csv(file, out.concepts, &values(), concepts)
        }
        RsmFile::Hdf5 => file.write_all(&rdms(out).map_err(io::Error::other)?),
    })
}

fn csv(file: &mut dyn io::Write, names: Option<&[String]>, values: &[f64], concepts: usize) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(file);
    if let Some(names) = names {
        let header = std::iter::once("").chain(names.iter().map(String::as_str));
        table.write_record(header).map_err(files::csv_unwritten)?;
    }
    for (row, values) in values.chunks_exact(concepts).enumerate() {
        let name = names.map(|names| names[row].clone());
        let record = name.into_iter().chain(values.iter().map(f64::to_string));
        table.write_record(record).map_err(files::csv_unwritten)?;
    }
    table.flush()
}

fn npz(shape: &[usize], values: &[f64]) -> io::Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    archive.start_file(format!("{ARRAY}.npy"), stored)?;
    npy::encode(&mut archive, shape, values)?;
    Ok(archive.finish()?.into_inner())
}

fn safetensors(shape: &[usize], values: &[f64]) -> io::Result<Vec<u8>> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F64, shape.to_vec(), &bytes).map_err(io::Error::other)?;
    ::safetensors::serialize([(ARRAY, view)], None).map_err(io::Error::other)
}

/// What `rsatoolbox.rdm.RDMs.save(…, file_type="hdf5")` writes.
fn rdms(out: &RsmsOut) -> Result<Vec<u8>, hdf5_writer::Error> {
    let concepts = out.rsms[0].concepts();
    let count = out.rsms.len();
    let dissimilarities: Vec<f64> = out.rsms.iter().flat_map(|rsm| upper(rsm)).map(|r| 1.0 - r).collect();
    let pairs = concepts * (concepts - 1) / 2;
    let index = |name: &str, length: usize| {
        let index: Vec<i64> = (0..length as i64).collect();
        DatasetBuilder::typed_data(format!("{name}/index"), vec![length as u64], &index)
    };
    let mut file = Hdf5Builder::new()
        .attribute(AttributeBuilder::fixed_string("dissimilarity_measure", CORRELATION_DISTANCE))
        .group_attribute(OWN.0, AttributeBuilder::fixed_string(OWN.1, env!("CARGO_PKG_VERSION")))
        .dataset(DatasetBuilder::typed_data(DISSIMILARITIES, vec![count as u64, pairs as u64], &dissimilarities)?)
        .dataset(index("rdm_descriptors", count)?)
        .dataset(index("pattern_descriptors", concepts)?);
    for (name, texts) in &out.labels {
        file = file.dataset(strings(&format!("rdm_descriptors/{name}"), texts)?);
    }
    if let Some(names) = out.concepts {
        file = file.dataset(strings("pattern_descriptors/concept", names)?);
    }
    file.into_plan()?.encode(WriteOptions::default())
}

/// Fixed length as rsatoolbox has them, which it decodes as ASCII; anything else as HDF5 has it.
fn strings(name: &str, texts: &[String]) -> Result<DatasetBuilder, hdf5_writer::Error> {
    let shape = vec![texts.len() as u64];
    if texts.iter().all(|text| text.is_ascii()) {
        DatasetBuilder::fixed_string_data(name, shape, texts)
    } else {
        DatasetBuilder::vlen_string_data(name, shape, texts)
    }
}
