//! The files of `tests/golden/weights_formats.zip`, which PyTorch, Keras and h5py wrote, and one that is a list of shapes.

use std::io::{Cursor, Read};
use std::path::Path;

use zip::ZipArchive;

use super::{WeightsError, WeightsFile};

/// A file of which only the names and shapes are known.
pub struct Listing(pub Vec<(String, Vec<usize>)>);

impl WeightsFile for Listing {
    fn path(&self) -> &Path {
        Path::new("weights/listed.safetensors")
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        self.0.clone()
    }

    fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        panic!("{name} is not needed to assign")
    }
}

const ARCHIVE: &[u8] = include_bytes!("../../tests/golden/weights_formats.zip");

/// Names of all files.
pub fn names() -> Vec<String> {
    let archive = ZipArchive::new(Cursor::new(ARCHIVE)).unwrap();
    archive.file_names().map(|name| name.unwrap().into_owned()).collect()
}

/// The bytes of a file.
pub fn bytes(name: &str) -> Vec<u8> {
    let mut archive = ZipArchive::new(Cursor::new(ARCHIVE)).unwrap();
    let mut bytes = vec![];
    archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Opens `bytes` as a weights file of any format; its name tells nothing.
pub fn open(bytes: &[u8]) -> Result<Box<dyn WeightsFile>, WeightsError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    super::open(file.path())
}

/// The message of [`open`] and its causes.
pub fn refusal(bytes: &[u8]) -> String {
    let error = open(bytes).err().unwrap();
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

/// Element i of tensor t in all files: `((7 i + i / 32 + 5 t) mod 32 - 16) / 8`.
pub fn values(tensor: usize, count: usize) -> Vec<f32> {
    (0..count).map(|i| (((7 * i + i / 32 + 5 * tensor) % 32) as f32 - 16.0) / 8.0).collect()
}

/// Asserts that a file holds `expected` and nothing else, of these shapes, the t-th one with the values of tensor t.
pub fn assert_holds(file: &str, expected: &[(&str, &[usize])], also: &[&str]) {
    let mut open = open(&bytes(file)).unwrap();
    let mut found: Vec<_> = open.tensors().into_iter().filter(|(name, _)| !also.contains(&name.as_str())).collect();
    assert_eq!(open.tensors().len(), expected.len() + also.len(), "{file}: {:?}", open.tensors());
    found.sort();
    let mut listed: Vec<_> = expected.iter().map(|(name, shape)| (name.to_string(), shape.to_vec())).collect();
    listed.sort();
    assert_eq!(found, listed, "{file}");
    for (tensor, (name, shape)) in expected.iter().enumerate() {
        assert_eq!(open.read(name).unwrap(), values(tensor, shape.iter().product()), "{file}: {name}");
    }
}
