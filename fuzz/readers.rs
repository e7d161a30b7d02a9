//! Every reader of files that others wrote, as a function of bytes: what the fuzzers and the suite's own mutator call.

use std::path::Path;

use semgpu::arrays::{self, Told};
use semgpu::config::Config;
use semgpu::device::{self, Choice};
use semgpu::images::{self, Framing, Resize};
use semgpu::matrices::{self, Reading, Side, Source};
use semgpu::nets::GraphNetwork;
use semgpu::record::RunRecord;
use semgpu::results::{Ledger, Results, ResultsDir};
use semgpu::stimuli::Manifest;
use semgpu::{names, plan, vectors, weights};

/// A reader.
pub struct Reader {
    /// The fuzzer's name.
    pub name: &'static str,
    /// What its file is called; some readers know a format by its ending.
    pub file: &'static str,
    read: fn(&Path),
}

/// All of them.
pub const READERS: &[Reader] = &[
    Reader { name: "npy", file: "a.npy", read: array },
    Reader { name: "npz", file: "a.npz", read: array },
    Reader { name: "safetensors", file: "a.safetensors", read: array },
    Reader { name: "hdf5", file: "a.h5", read: array },
    Reader { name: "matlab", file: "a.mat", read: array },
    Reader { name: "table", file: "a.csv", read: array },
    Reader { name: "vectors", file: "a.vec", read: words },
    Reader { name: "weights", file: "a.bin", read: parameters },
    Reader { name: "onnx", file: "a.onnx", read: parameters },
    Reader { name: "graph", file: "a.onnx", read: graph },
    Reader { name: "image", file: "a.jpg", read: image },
    Reader { name: "manifest", file: "manifest.csv", read: |path| drop(Manifest::read(path)) },
    Reader { name: "config", file: "a.toml", read: |path| drop(Config::read(path, &[])) },
    Reader { name: "lines", file: "a.txt", read: |path| drop(names::read_lines(path)) },
    Reader { name: "record", file: "run.json", read: record },
    Reader { name: "results", file: "accuracy.csv", read: |path| drop(Results::read(folder(path))) },
];

impl Reader {
    /// Reads `bytes` as a file in `folder`; errors are what is expected.
    pub fn read(&self, folder: &Path, bytes: &[u8]) {
        let path = folder.join(self.file);
        std::fs::write(&path, bytes).expect("a file to read");
        (self.read)(&path);
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Features and matrices.
fn array(path: &Path) {
    for transpose in [false, true] {
        let told = Told { transpose, ..Told::default() };
        if let Ok(array) = arrays::open(path, None, &told) {
            drop(array.values());
        }
    }
    if let Ok((_, arrays)) = arrays::open_all(path) {
        arrays.iter().for_each(|array| drop(array.values()));
    }
    let source = Source { name: "a".into(), path: path.into(), array: None, given: None };
    drop(matrices::read(&source, Side::Images, &Reading::default()));
}

fn words(path: &Path) {
    let wanted = ["cat", "dog", "sea lion", "é"].map(str::to_string);
    drop(vectors::read(path, &wanted));
}

fn parameters(path: &Path) {
    let Ok(mut file) = weights::open(path) else { return };
    let (network, blueprint) = plan::network("squeezenet1_1", None).expect("a network of this build");
    drop(network.account(&blueprint, file.as_ref()));
    for (name, _) in file.tensors() {
        drop(file.read(&name));
    }
}

/// A network of a file, with all of its layers.
fn graph(path: &Path) {
    let Ok(network) = GraphNetwork::open(path, None).or_else(|_| GraphNetwork::open(path, Some(8))) else { return };
    drop(network.summary());
    drop(network.first_norm());
    let layers: Vec<String> = network.layers.iter().map(|layer| layer.name.clone()).collect();
    let cpu = device::select(Choice::Cpu).expect("a processor").device;
    drop(network.load(network.stages.len(), &layers, &[2], &cpu));
}

fn image(path: &Path) {
    drop(images::check(path));
    drop(images::fingerprint(path));
    drop(images::load(path, Framing { size: 8, resize: Resize::CropBicubic, crop_pct: 0.875 }));
}

/// `run.json`, and the list of matrices.
fn record(path: &Path) {
    let directory = ResultsDir::new(folder(path));
    drop(RunRecord::read(&directory));
    std::fs::create_dir_all(directory.matrices()).expect("a folder");
    std::fs::copy(path, directory.finished()).expect("a file to read");
    drop(Ledger::read(&directory));
    drop(directory.check([]));
}
