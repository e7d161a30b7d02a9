//! The rows of the result tables; a field is a column.

use serde::{Deserialize, Serialize};

/// One row of `accuracy.csv`: a layer against a word model. Rows stand in input order, `pixels` first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccuracyRow {
    /// Network name.
    pub network: String,
    /// Layer name.
    pub layer: String,
    /// The layer's label in figures.
    pub label: String,
    /// Relative depth: 0 for the pixels, 1 for the last layer listed.
    pub depth: f64,
    /// Activations per image.
    pub units: usize,
    /// Word model.
    pub words: String,
    /// Concepts compared.
    pub concepts: usize,
    /// Groups of images averaged over.
    pub groups: usize,
    /// Pairs per group.
    pub pairs: usize,
    /// Passed pairs / pairs, mean over groups; ties by rule.
    pub accuracy: f64,
    /// Pairs of all groups whose margin is at rounding distance from zero.
    pub ties: u64,
    /// Draws of the null.
    pub permutations: u64,
    /// (1 + null >= observed) / (1 + permutations).
    pub p_value: f64,
    /// The same against the maximum over the layers of this network and word model.
    pub p_fwer: f64,
    /// Benjamini-Hochberg over the same family.
    pub q_fdr: f64,
    /// Mean accuracy of the null.
    pub null_mean: f64,
    /// Its standard deviation.
    pub null_sd: f64,
    /// Mean over pairs and groups of the matched sum.
    pub matched: f64,
    /// Mean over pairs and groups of the mismatched sum.
    pub mismatched: f64,
    /// Mean over groups of the Pearson correlation of the two RSMs' upper triangles.
    pub rsa: f64,
    /// Lower end of the 95 % bootstrap interval over concepts, if asked for.
    pub ci_low: Option<f64>,
    /// Its upper end.
    pub ci_high: Option<f64>,
    /// Noise ceiling: each group tested against the mean RSM of the others; none for a single group.
    pub ceiling_low: Option<f64>,
    /// Each group tested against the mean RSM of all.
    pub ceiling_high: Option<f64>,
}

/// One row of `groups.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRow {
    /// Network name.
    pub network: String,
    /// Layer name.
    pub layer: String,
    /// Word model.
    pub words: String,
    /// The group's name in the manifest.
    pub group: String,
    /// Pairs with a positive margin.
    pub passed: u64,
    /// Pairs at rounding distance from zero.
    pub ties: u64,
    /// Pairs.
    pub pairs: u64,
    /// Passed / pairs; ties by rule.
    pub accuracy: f64,
}

/// One row of `concepts.csv`: the pairs a concept takes part in, over all groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConceptRow {
    /// Network name.
    pub network: String,
    /// Layer name.
    pub layer: String,
    /// Word model.
    pub words: String,
    /// The concept.
    pub concept: String,
    /// Pairs.
    pub pairs: u64,
    /// Pairs with a positive margin.
    pub passed: u64,
    /// Passed / pairs; ties by rule.
    pub accuracy: f64,
}

/// One row of `confused.csv`: one of the pairs with the lowest margins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfusedRow {
    /// Network name.
    pub network: String,
    /// Layer name.
    pub layer: String,
    /// Word model.
    pub words: String,
    /// The pair's first concept.
    pub concept_a: String,
    /// Its second concept.
    pub concept_b: String,
    /// Matched minus mismatched sum, mean over groups.
    pub margin: f64,
    /// Groups in which the pair is lost.
    pub groups_lost: u64,
}

/// One row of `rsa.csv`: a layer against a word model by the correlation of their RSMs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RsaRow {
    /// Network name.
    pub network: String,
    /// Layer name.
    pub layer: String,
    /// Word model.
    pub words: String,
    /// `pearson`, `spearman` or `kendall-tau-a`.
    pub method: String,
    /// Mean over groups of the correlation of the upper triangles.
    pub rsa: f64,
    /// Draws of the null.
    pub permutations: u64,
    /// (1 + null >= observed) / (1 + permutations).
    pub p_value: f64,
    /// The same against the maximum over the layers.
    pub p_fwer: f64,
    /// Benjamini-Hochberg over the same family.
    pub q_fdr: f64,
    /// Mean of the null.
    pub null_mean: f64,
    /// Its standard deviation.
    pub null_sd: f64,
    /// Noise ceiling (Nili et al. 2014): each group against the mean of the others.
    pub ceiling_low: Option<f64>,
    /// Each group against the mean of all.
    pub ceiling_high: Option<f64>,
}

/// One row of `words.csv`: word model against word model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WordsRow {
    /// The one.
    pub words_a: String,
    /// The other.
    pub words_b: String,
    /// Concepts compared.
    pub concepts: usize,
    /// 2 vs. 2 accuracy.
    pub accuracy: f64,
    /// Draws of the null.
    pub permutations: u64,
    /// (1 + null >= observed) / (1 + permutations).
    pub p_value: f64,
    /// Pearson correlation of the upper triangles.
    pub rsa: Option<f64>,
}
