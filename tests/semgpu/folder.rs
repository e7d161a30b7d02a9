//! Folders of files that tests write, and what semgpu makes of them.

use std::path::{Path, PathBuf};

use hdf5_writer::{AttributeBuilder, DatasetBuilder, Hdf5Builder, WriteOptions};
use semgpu::arrays::{RsmsOut, write_rsms};
use semgpu::stats::Rsm;

use crate::{column, fail, succeed};

pub const CONCEPTS: usize = 12;
pub const UNITS: usize = 30;
pub const NAMES: [&str; CONCEPTS] =
    ["zebra", "apple", "truck", "mouse", "violin", "bear", "chair", "lemon", "kayak", "tiger", "spoon", "fox"];

/// As `tests/golden/reading.zip` has it: `[concepts, units]`.
pub fn feature(concept: usize, unit: usize) -> f64 {
    (((7 * concept + 3 * unit + concept * unit) % 23) as f64 - 11.0) / 4.0
}

pub fn features() -> Vec<f64> {
    (0..CONCEPTS * UNITS).map(|n| feature(n / UNITS, n % UNITS)).collect()
}

/// A folder of files.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `semgpu similarity` of a file: the bytes of the matrix.
    pub fn similarity(&self, features: &str, more: &[&str]) -> Vec<u8> {
        let (features, out) = (self.text(features), self.text("rsm.npy"));
        succeed(&[&["similarity", &features, "--out", &out, "--device", "cpu"], more].concat());
        std::fs::read(out).unwrap()
    }

    /// What `semgpu similarity` says when it refuses.
    pub fn refusal(&self, features: &str, more: &[&str]) -> String {
        let (features, out) = (self.text(features), self.text("refused.npy"));
        let said = fail(&[&["similarity", &features, "--out", &out], more].concat(), 2);
        assert!(!self.path("refused.npy").exists());
        said
    }

    fn arguments(&self, words: &str, images: &[&str], more: &[&str]) -> Vec<String> {
        let source = |source: &str| {
            let (name, file) = source.split_once('=').unwrap();
            format!("{name}={}", self.text(file))
        };
        let mut arguments = vec!["test".to_string(), "--fresh".to_string(), "--words".to_string(), source(words)];
        images.iter().for_each(|images| arguments.extend(["--images".to_string(), source(images)]));
        arguments.extend(["--permutations", "20", "--device", "cpu", "--out"].map(String::from));
        arguments.push(self.text("out"));
        arguments.extend(more.iter().map(|argument| argument.to_string()));
        arguments
    }

    /// `semgpu test`: what it said; `out` has the results.
    pub fn test(&self, words: &str, images: &[&str], more: &[&str]) -> String {
        let arguments = self.arguments(words, images, more);
        let output = succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        String::from_utf8(output.stderr).unwrap()
    }

    pub fn test_refusal(&self, words: &str, images: &[&str], more: &[&str]) -> String {
        let arguments = self.arguments(words, images, more);
        fail(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), 2)
    }

    /// The accuracy of every layer of the last test.
    pub fn accuracies(&self) -> Vec<(String, f64)> {
        let table = self.read("out/accuracy.csv");
        column::<String>(&table, "layer").into_iter().zip(column(&table, "accuracy")).collect()
    }
}

/// A matrix that tells the concepts apart.
pub fn matrix(seed: usize) -> Rsm {
    let rows: Vec<Vec<f64>> = (0..CONCEPTS)
        .map(|a| (0..8).map(|d| (((a + seed) * (2 * d + 3) * (a + d + 1) + d * seed) % 17) as f64).collect())
        .collect();
    let correlation = |a: &[f64], b: &[f64]| {
        let centred = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            x.iter().map(|value| value - mean).collect::<Vec<f64>>()
        };
        let (a, b) = (centred(a), centred(b));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
    };
    let entry = |n: usize| match (n / CONCEPTS, n % CONCEPTS) {
        (a, b) if a == b => 1.0,
        (a, b) => correlation(&rows[a.min(b)], &rows[a.max(b)]),
    };
    Rsm::new(CONCEPTS, (0..CONCEPTS * CONCEPTS).map(entry).collect())
}

pub fn write(path: &Path, rsms: &[&Rsm], names: Option<&[String]>, labels: Vec<(&'static str, Vec<String>)>) {
    let out = RsmsOut { rsms: rsms.to_vec(), grouped: rsms.len() > 1, labels, concepts: names, distances: false };
    write_rsms(path, &out).unwrap();
}

pub fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| value.to_string()).collect()
}

/// rsatoolbox's RDMs with its descriptors; without a measure where it is not given.
pub fn rdms(path: &Path, rsms: &[&Rsm], measure: Option<&str>, descriptors: &[(&str, &[&str])]) {
    let pairs: Vec<f64> = rsms.iter().flat_map(|rsm| semgpu::stats::rsa::upper(rsm)).map(|r| 1.0 - r).collect();
    let count = rsms.len() as u64;
    let distances = DatasetBuilder::typed_data("dissimilarities", vec![count, 66], &pairs).unwrap();
    let mut file = Hdf5Builder::new().dataset(distances);
    if let Some(measure) = measure {
        file = file.attribute(AttributeBuilder::fixed_string("dissimilarity_measure", measure));
    }
    for (name, values) in descriptors {
        let length = values.len() as u64;
        file = file.dataset(DatasetBuilder::fixed_string_data(*name, vec![length], &texts(values)).unwrap());
    }
    std::fs::write(path, file.into_plan().unwrap().encode(WriteOptions::default()).unwrap()).unwrap();
}
