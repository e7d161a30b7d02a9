//! Rows of the 1 vs. 2 test and of the answers that it is about.

use serde::{Deserialize, Serialize};

/// One row of `one_vs_two.csv`: the misclassified images at a layer against a word model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OneVsTwoRow {
    /// Network name.
    pub network: String,
    /// Layer name.
    pub layer: String,
    /// The layer's label in figures.
    pub label: String,
    /// Word model.
    pub words: String,
    /// Images tested, of all groups.
    pub images: usize,
    /// Images whose activation is nearer to the true class.
    pub passed: u64,
    /// Images whose margin is at rounding distance from zero.
    pub ties: u64,
    /// Passed / images; ties by rule.
    pub accuracy: f64,
    /// Draws of the null.
    pub permutations: u64,
    /// (1 + draws that reach the observed value) / (1 + permutations).
    pub p_value: f64,
    /// The same against the studentised maximum over the family: the layers of this network and word model, or of all.
    pub p_fwer: f64,
    /// Mean accuracy of the null.
    pub null_mean: f64,
    /// Its standard deviation.
    pub null_sd: f64,
}

/// One row of `misclassified.csv`: a misclassified image at a layer against a word model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MisclassifiedRow {
    /// Network name.
    pub network: String,
    /// The group's name in the manifest.
    pub group: String,
    /// The image, as in the manifest.
    pub path: String,
    /// What it shows.
    pub concept: String,
    /// The word of the class that it is taken for.
    pub predicted: String,
    /// Layer name.
    pub layer: String,
    /// Word model.
    pub words: String,
    /// Correlation with the true class's similarities less that with the predicted one's; none for a constant image.
    pub margin: Option<f64>,
}

/// One row of `lost.csv`: how long a misclassified image keeps to its true class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LostRow {
    /// Network name.
    pub network: String,
    /// The group's name in the manifest.
    pub group: String,
    /// The image, as in the manifest.
    pub path: String,
    /// What it shows.
    pub concept: String,
    /// The word of the class that it is taken for.
    pub predicted: String,
    /// Word model.
    pub words: String,
    /// The layer from which on to the last one no margin is positive; none if the last one's is.
    pub lost_from: Option<String>,
}

/// One row of `predictions.csv`: the network's answer to an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionRow {
    /// Network name.
    pub network: String,
    /// The group's name in the manifest.
    pub group: String,
    /// The image, as in the manifest.
    pub path: String,
    /// What it shows.
    pub concept: String,
    /// Its ILSVRC class, 0 to 999, where the manifest gives it.
    pub class_index: Option<u32>,
    /// The class of the highest output.
    pub predicted_index: u32,
    /// The word that stands for that class, if any.
    pub predicted: Option<String>,
    /// Whether the two classes are the same.
    pub correct: Option<bool>,
    /// What the list of classes, ImageNet's if there is no other, calls the predicted class.
    pub predicted_class: String,
}
