//! Why an experiment cannot run: the user's errors, each with its remedy.

use std::path::PathBuf;

use super::controls::GivenError;
use crate::classes::ClassesError;
use crate::config::{Bytes, OptionError};
use crate::device::DeviceError;
use crate::error::{Error, FileError};
use crate::images::ImageError;
use crate::results::{ClaimError, Clash};
use crate::stats::similarity::SimilarityError;
use crate::stimuli::PIXELS;
use crate::stimuli::StimuliError;
use crate::vectors::VectorsError;
use crate::weights::WeightsError;
use crate::wording::{counted, meant};

/// Why an experiment cannot run.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Files that are not there, by their keys.
    #[error("{}", missing(.0))]
    Missing(Vec<(String, PathBuf)>),
    /// No such network.
    #[error(
        "network.name: there is no network {name:?}; expected one of {known} (see: semgpu layers){}",
        meant(name, known.split(", "))
    )]
    Network {
        /// As configured.
        name: String,
        /// All of them.
        known: String,
    },
    /// No such form.
    #[error("network.form: {network} has no form {form:?}; expected one of {known}{}", meant(form, known.split(", ")))]
    Form {
        /// The network.
        network: String,
        /// As configured.
        form: String,
        /// All of them.
        known: String,
    },
    /// No such layer.
    #[error("network.layers: {network} has no layer {layer:?} (see: semgpu layers {network}){meant}")]
    Layer {
        /// The network.
        network: String,
        /// As configured.
        layer: String,
        /// The one that was meant, as a question.
        meant: String,
    },
    /// A value of a graph that is no layer.
    #[error(
        "network.layers: {layer:?} is a value of {network}, and no layer: its first axis is not known to be that of the images, \
         expected [images, ...], each computed from one image; name one before or behind it (see: semgpu layers {network})"
    )]
    NotOfImages {
        /// The network.
        network: String,
        /// As configured.
        layer: String,
    },
    /// A class token that has seen nothing.
    #[error(
        "network.layers: the class token at {layer:?} of {network} is the same for every image, attention comes later; leave the \
         layer out, or set network.token = \"mean\" or \"all\""
    )]
    Unattended {
        /// The network.
        network: String,
        /// As configured.
        layer: String,
    },
    /// No class token.
    #[error(
        "network.token: {0} has no class token; expected \"mean\" (the tokens' mean) or \"all\" (every dimension of every \
         token)"
    )]
    NoClassToken(String),
    /// Neither a name nor a file.
    #[error("network.name is missing: expected one of {0} (see: semgpu layers), or network.file with an ONNX file")]
    NoNetwork(String),
    /// A file is a network with its weights.
    #[error(
        "network.{key} is for built-in networks, and network.file is a network with weights of its own: remove one"
    )]
    WithFile {
        /// The other key.
        key: &'static str,
    },
    /// A graph does not tell what numbers it was trained on.
    #[error(
        "{}: does not say what numbers it expects of an image; set network.input.values to {known}, as the program that \
         trained it did (or scale, mean, std and channels)", path.display()
    )]
    NoValues {
        /// The file.
        path: PathBuf,
        /// The names there are.
        known: String,
    },
    /// Nothing to test.
    #[error("network.layers is empty and stimuli.pixels is off: there is nothing to test")]
    NoLayers,
    /// Neither weights nor random.
    #[error(
        "network.weights is missing: expected a weights file, or random = true for the control with random weights (see \
         weights/README.md for where to get {0}'s)"
    )]
    NoWeights(String),
    /// Both.
    #[error("network.weights and network.random = true exclude each other: remove one")]
    WeightsAndRandom,
    /// A key for a weights file where there is none.
    #[error("network.{0} is for a weights file, and network.random = true has none: remove one")]
    OfNoFile(&'static str),
    /// No word model.
    #[error("[[words]] is missing: expected at least one word model with a name and a file")]
    NoWords,
    /// Two of a name, or of names that are one as a file's.
    #[error("[[words]]: the name {0:?} {1}; names tell the results apart: rename one")]
    SameName(String, Clash),
    /// The same of layers.
    #[error(
        "network.layers: the layer {0:?} {1}{of_images}; list the layers to be tested in network.layers without it, or rename it in \
         the network's file", of_images = if .0 == PIXELS { " (it is the name of the images themselves)" } else { "" }
    )]
    SameLayer(String, Clash),
    /// A value that its key does not take.
    #[error("{key}: expected {expected}, found {found}")]
    Value {
        /// The key.
        key: String,
        /// What it takes.
        expected: String,
        /// As configured.
        found: String,
    },
    /// Words without vectors.
    #[error(
        "{}: no vector for {count} of {concepts} concepts: {words}; remove them from the manifest, or use vectors that have \
         them", path.display()
    )]
    MissingWords {
        /// The vector file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// Of how many.
        concepts: usize,
        /// The first of them.
        words: String,
    },
    /// A word's vector has no variance.
    #[error("{}: the vector of {word:?} is constant, so it correlates with nothing; remove the concept", path.display())]
    ConstantWord {
        /// The vector file.
        path: PathBuf,
        /// The word.
        word: String,
    },
    /// Vectors that cannot be correlated.
    #[error("{}: {source}", path.display())]
    Words {
        /// The vector file.
        path: PathBuf,
        /// What is wrong.
        source: SimilarityError,
    },
    /// Strata without categories.
    #[error("two_vs_two.within_categories needs a column `category` in {}", .0.display())]
    NoCategories(PathBuf),
    /// Mistakes cannot be told.
    #[error(
        "[one_vs_two] needs the ImageNet class of the images: a column `class_index` (0 to 999) in {}; add it (docs/concepts.md \
         says which number is which class, and `semgpu concepts` writes it where folders are called as a class is), or remove \
         the section", .0.display()
    )]
    NoClassIndex(PathBuf),
    /// A list of other classes than the network's.
    #[error(
        "network.classes: {} lists {classes} classes, and what comes out of the network is {outputs}; list each of its classes, \
         in its order", list.display()
    )]
    ClassCount {
        /// The list.
        list: PathBuf,
        /// How many it has.
        classes: usize,
        /// What comes out, each with its units.
        outputs: String,
    },
    /// A concept of several classes.
    #[error(
        "network.classes: {}: {concept:?}, a concept of the manifest, is a name of its classes {classes} (from 1); leave it to one \
         of them", list.display()
    )]
    SeveralClasses {
        /// The list.
        list: PathBuf,
        /// The concept.
        concept: String,
        /// Their places in the list, from 1.
        classes: String,
    },
    /// A list without any of the concepts.
    #[error(
        "network.classes: {} names none of the manifest's concepts (it has {names}, the manifest {concepts}), and [one_vs_two] \
         is of images whose class is known; add the names, or remove the section", list.display()
    )]
    NoClassShown {
        /// The list.
        list: PathBuf,
        /// Its first names.
        names: String,
        /// The first concepts.
        concepts: String,
    },
    /// A layer over whose units no correlation says anything.
    #[error(
        "network.layers: {layer:?} has {}, and a correlation over two is 1 or -1; leave it out", counted(*units, "unit")
    )]
    FewUnits {
        /// The layer.
        layer: String,
        /// Its units.
        units: usize,
    },
    /// A list of classes.
    #[error("network.classes: {0}")]
    Classes(#[from] ClassesError),
    /// The network names no classes.
    #[error(
        "[one_vs_two] needs a network that classifies: {0} has no layer of the 1000 ImageNet classes; of other classes, list \
         them in a file for network.classes, else remove the section, or take another network (see: semgpu layers)"
    )]
    NoClassifier(String),
    /// Activations that the device binds to no kernel.
    #[error(
        "{network}: the activations of {images} image(s) have {needed} at one place, the GPU binds {limit} at most: take smaller \
         images, or --device cpu"
    )]
    Binding {
        /// The network.
        network: String,
        /// Images that run at once, at least.
        images: usize,
        /// Their largest tensor.
        needed: Bytes,
        /// What the device binds.
        limit: Bytes,
    },
    /// Too little memory.
    #[error(
        "{network} needs {needed} at {stage} ({images} images of one group, weights included), but the budget is \
         {budget}: raise run.memory, or run on a device with more{}",
        fixed.map_or_else(String::new, |fixed| format!("; the file takes {fixed} images at once, export it for any number"))
    )]
    Memory {
        /// The network.
        network: String,
        /// Estimated peak.
        needed: Bytes,
        /// Where.
        stage: String,
        /// Images of a group.
        images: usize,
        /// Those that the network's file takes at once, if it says how many.
        fixed: Option<usize>,
        /// The budget.
        budget: Bytes,
    },
    /// Where results go.
    #[error(transparent)]
    Out(#[from] ClaimError),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] StimuliError),
    /// An image.
    #[error("concept {concept:?}, group {group:?}: {source}")]
    Image {
        /// Whose image.
        concept: String,
        /// Of which group.
        group: String,
        /// What is wrong.
        source: Box<ImageError>,
    },
    /// A space that is controlled for.
    #[error("controls: {0}")]
    Given(Box<GivenError>),
    /// A vector file.
    #[error(transparent)]
    Vectors(#[from] VectorsError),
    /// A head of other classes.
    #[error(
        "{source}; if its classes are others, list them in a file for network.classes, or leave {layers} out of network.layers: all before can be tested"
    )]
    Head {
        /// The layers that need it.
        layers: String,
        /// What does not fit.
        source: Box<WeightsError>,
    },
    /// The weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

impl PlanError {
    /// A value that its key does not take.
    pub(super) fn value(key: impl Into<String>, expected: impl Into<String>, found: String) -> Self {
        Self::Value { key: key.into(), expected: expected.into(), found }
    }

    /// An option of a section of the file.
    pub(super) fn of_section(section: &str) -> impl Fn(OptionError) -> Self {
        move |OptionError { option, expected, found }| Self::value(format!("{section}.{option}"), expected, found)
    }
}

impl From<GivenError> for PlanError {
    fn from(error: GivenError) -> Self {
        Self::Given(Box::new(error))
    }
}

/// Every file that is not there, with its key.
fn missing(files: &[(String, PathBuf)]) -> String {
    let line = |(key, path): &(String, PathBuf)| format!("{key}: there is no file {}", path.display());
    let mut lines: Vec<String> = files.iter().map(line).collect();
    if files.len() > 1 {
        lines.insert(0, format!("{} missing:", counted(files.len(), "file")));
    }
    if files.iter().any(|(key, _)| key == "network.weights") {
        lines.push("(weights/README.md says which published files fit a network)".to_string());
    }
    lines.join("\n  ")
}

impl From<PlanError> for Error {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Out(error) => error.into(),
            error => Self::input(error),
        }
    }
}
