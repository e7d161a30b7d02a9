//! Rows of measures of alignment.

use serde::{Deserialize, Serialize};

/// One row of `measures.csv`: a layer of the words against a layer of the images by a measure of alignment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureRow {
    /// Network name.
    pub network: String,
    /// Layer name.
    pub layer: String,
    /// Word space.
    pub words: String,
    /// Its layer; empty where it is one matrix.
    pub words_layer: String,
    /// As in the configuration: `cka`, `mknn`, …
    pub measure: String,
    /// Mean over groups.
    pub value: f64,
    /// `(value - tau) / (1 - tau)`, 0 below `tau`.
    pub calibrated: Option<f64>,
    /// The null's `1 - alpha` quantile.
    pub tau: Option<f64>,
    /// Draws of the null.
    pub permutations: u64,
    /// (1 + null >= observed) / (1 + permutations).
    pub p_value: f64,
    /// The same against the maximum over the images' layers, or (`family = "words"`) over everything.
    pub p_fwer: f64,
    /// Benjamini-Hochberg over the same family.
    pub q_fdr: f64,
    /// Mean of the null.
    pub null_mean: f64,
    /// Its standard deviation.
    pub null_sd: f64,
    /// As `p_fwer`, over all pairs of layers of the two spaces.
    pub p_both: f64,
    /// As `calibrated`, of the highest value of all pairs in each draw.
    pub calibrated_both: Option<f64>,
    /// Its `tau`.
    pub tau_both: Option<f64>,
    /// Of the quantiles.
    pub alpha: f64,
    /// Neighbours, where the measure counts them.
    pub neighbours: Option<usize>,
    /// Concepts compared.
    pub concepts: usize,
    /// Groups averaged over.
    pub groups: usize,
    /// The layer's label in figures.
    pub label: String,
    /// Lower end of the 95 % interval over concepts, if asked for and where the measure has one.
    pub ci_low: Option<f64>,
    /// Its upper end.
    pub ci_high: Option<f64>,
    /// How well the groups of images agree by the measure: each with the mean of the others; none for a single group.
    pub ceiling_low: Option<f64>,
    /// Each with the mean of all.
    pub ceiling_high: Option<f64>,
}

impl MeasureRow {
    /// Whether a calibrated score is lacking where chance is known: the value, or what chance reaches, is above 1.
    pub fn lacks_score(&self) -> bool {
        self.tau.is_some() && (self.calibrated.is_none() || self.calibrated_both.is_none())
    }
}
