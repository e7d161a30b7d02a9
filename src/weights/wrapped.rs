//! Names without what wrappers put before all of them.

use std::path::{Path, PathBuf};

use super::{WeightsError, WeightsFile, graph};

/// What DataParallel, `torch.compile`, Lightning, self-supervised and detection code put before every name.
const WRAPPERS: [&str; 8] =
    ["module.", "_orig_mod.", "model.", "backbone.", "encoder_q.", "encoder.", "net.", "network."];

/// A file whose names all begin alike.
struct Wrapped {
    file: Box<dyn WeightsFile>,
    prefix: String,
}

/// The file with the prefixes of wrappers that all of its names share taken off. A file with a graph has none: its layers
/// are matched by their places.
pub(super) fn unwrap(file: Box<dyn WeightsFile>) -> Box<dyn WeightsFile> {
    if file.graph().is_some() {
        return file;
    }
    let names: Vec<String> = file.tensors().into_iter().map(|(name, _)| name).collect();
    let mut prefix = String::new();
    while let Some(wrapper) = WRAPPERS
        .iter()
        .find(|wrapper| !names.is_empty() && names.iter().all(|name| name[prefix.len()..].starts_with(**wrapper)))
    {
        prefix += wrapper;
    }
    if prefix.is_empty() { file } else { Box::new(Wrapped { file, prefix }) }
}

impl WeightsFile for Wrapped {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let tensors = self.file.tensors().into_iter();
        tensors.map(|(name, shape)| (name[self.prefix.len()..].to_string(), shape)).collect()
    }

    fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        self.file.read(&format!("{}{name}", self.prefix))
    }

    fn notes(&self) -> Vec<String> {
        self.file.notes()
    }

    fn files(&self) -> Vec<PathBuf> {
        self.file.files()
    }

    fn averages(self: Box<Self>) -> Result<Box<dyn WeightsFile>, WeightsError> {
        self.file.averages().map(unwrap)
    }

    fn graph(&self) -> Option<&graph::Graph> {
        self.file.graph()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::fixtures::Listing;

    fn names(names: &[&str]) -> Vec<String> {
        let listing = Listing(names.iter().map(|name| (name.to_string(), vec![1])).collect());
        unwrap(Box::new(listing)).tensors().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn prefixes_that_all_names_share_are_taken_off() {
        assert_eq!(names(&["module.model.a", "module.model.b"]), ["a", "b"]);
        assert_eq!(names(&["_orig_mod.backbone.a"]), ["a"]);
        assert_eq!(names(&["module.a", "b"]), ["module.a", "b"]);
        assert_eq!(names(&["features.0.weight", "features.0.bias"]), ["features.0.weight", "features.0.bias"]);
    }
}
