//! The result tables and their rows; a field is a column.

mod alignment;
mod one_vs_two;

use std::path::Path;

pub use alignment::MeasureRow;
pub use one_vs_two::{LostRow, MisclassifiedRow, OneVsTwoRow, PredictionRow};

use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer, Serialize};

use super::table::{ResultsError, Table, read_table, write_table};
use crate::error::FileError;
use crate::stats::alignment::Measure;

macro_rules! tables {
    ($($name:ident: $row:ident,)*) => {
        /// The tables of a results directory: all that the figures are drawn from. A field is the table's name.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Results {
            $(pub $name: Vec<$row>,)*
        }

        impl Results {
            /// The tables' names.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Reads the tables in `directory`.
            ///
            /// # Errors
            /// A table that is missing, or a value in it that is not what its column holds.
            pub fn read(directory: &Path) -> Result<Self, ResultsError> {
                Ok(Self { $($name: read_known(directory)?,)* })
            }

            /// The names of those that [`Self::write`] writes.
            pub fn written(&self) -> Vec<&'static str> {
                let all = [$((stringify!($name), is_written(&self.$name))),*];
                all.into_iter().filter_map(|(name, is_written)| is_written.then_some(name)).collect()
            }

            /// Writes the tables into `directory`, made if it is not there.
            ///
            /// # Errors
            /// A table that cannot be written.
            pub fn write(&self, directory: &Path) -> Result<(), FileError> {
                $(write_known(directory, &self.$name)?;)*
                Ok(())
            }

            /// Puts the rows of `more` below these, table by table.
            pub fn append(&mut self, more: Self) {
                $(self.$name.extend(more.$name);)*
            }
        }

        $(impl Table for $row {
            const NAME: &'static str = stringify!($name);
        })*
    };
}

/// Tables that earlier versions did not write: where one is missing there are no rows.
const LATER: [&str; 4] = ["controls", "partition", "intervals", "measures"];

/// Tables that are only written where they have rows.
const ASKED: [&str; 1] = ["intervals"];

fn read_known<T: Table>(directory: &Path) -> Result<Vec<T>, ResultsError> {
    match read_table(directory) {
        Err(ResultsError::NoTable { .. }) if LATER.contains(&T::NAME) => Ok(Vec::new()),
        found => found,
    }
}

fn is_written<T: Table>(rows: &[T]) -> bool {
    !rows.is_empty() || !ASKED.contains(&T::NAME)
}

fn write_known<T: Table>(directory: &Path, rows: &[T]) -> Result<(), FileError> {
    if is_written(rows) { write_table(directory, rows) } else { Ok(()) }
}

tables! {
    accuracy: AccuracyRow,
    groups: GroupRow,
    concepts: ConceptRow,
    confused: ConfusedRow,
    words: WordsRow,
    rsa: RsaRow,
    controls: ControlRow,
    partition: PartitionRow,
    intervals: IntervalRow,
    predictions: PredictionRow,
    one_vs_two: OneVsTwoRow,
    misclassified: MisclassifiedRow,
    lost: LostRow,
    layers: LayersRow,
    stimuli: StimulusRow,
    measures: MeasureRow,
}

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
    /// (1 + draws that reach the observed value) / (1 + permutations).
    pub p_value: f64,
    /// The same against the studentised maximum over the family: the layers of this network and word model, or of all.
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
    /// How well the groups agree: each tested against the mean RSM of the others; none for a single group.
    pub ceiling_low: Option<f64>,
    /// Each group tested against the mean RSM of all: no bound.
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
    /// Groups in which it ties.
    #[serde(default)]
    pub groups_tied: u64,
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
    /// (1 + draws that reach the observed value) / (1 + permutations).
    pub p_value: f64,
    /// The same against the studentised maximum over the family.
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

/// One row of `controls.csv`: a layer against a word model given other spaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlRow {
    /// Network name.
    pub network: String,
    /// Layer name.
    pub layer: String,
    /// The layer's label in figures.
    pub label: String,
    /// Word model.
    pub words: String,
    /// What is given: names of spaces, joined by ` + `.
    pub given: String,
    /// `2v2`, `rsa-pearson` or `rsa-spearman`.
    pub measure: String,
    /// Mean over groups of the measure of the residuals.
    pub value: f64,
    /// The same with nothing given.
    pub without: f64,
    /// Draws of the null.
    pub permutations: u64,
    /// (1 + null >= observed) / (1 + permutations).
    pub p_value: f64,
    /// The same over the layers of this network, word model and what is given.
    pub p_fwer: f64,
    /// Benjamini-Hochberg over the same family.
    pub q_fdr: f64,
    /// Mean of the null.
    pub null_mean: f64,
    /// Its standard deviation.
    pub null_sd: f64,
    /// Of `2v2`: pairs of all groups whose margin is at rounding distance from zero.
    #[serde(default)]
    pub ties: Option<u64>,
}

/// One row of `intervals.csv`: a value, or a difference, and what other concepts or groups would make of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IntervalRow {
    /// Network name.
    pub network: String,
    /// Layer name.
    pub layer: String,
    /// `2v2`, `rsa-pearson`, `rsa-spearman` or `rsa-kendall`.
    #[serde(deserialize_with = "measure")]
    pub measure: String,
    /// `value`; `words`, a word model less another; `layers`, a layer less the one before it, where they have an order;
    /// `ceiling`, a word model less the lower noise ceiling.
    pub kind: String,
    /// Word model.
    pub words: String,
    /// The other word model, where it is a difference of two.
    pub less: Option<String>,
    /// Mean over groups, as observed.
    pub value: f64,
    /// `concepts`, `groups` or `both`.
    pub over: String,
    /// Bootstrap resamples.
    pub resamples: u64,
    /// Degrees of freedom of its variance.
    pub freedom: f64,
    /// Lower end of its 95 % interval.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// Two-sided, of no difference, or of an RSA of 0; none for an accuracy.
    pub p_value: Option<f64>,
    /// The other layer, where it is a difference of two.
    #[serde(default)]
    pub less_layer: Option<String>,
    /// The p-value against the maximum over all rows of this measure and kind that vary, of all layers and word models; 1 of
    /// nothing that does not vary, none where nothing says how much a value does.
    #[serde(default)]
    pub p_fwer: Option<f64>,
}

/// A measure by its name; older tables have other names of some.
fn measure<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = String::deserialize(from)?;
    let known = Measure::deserialize(StrDeserializer::<D::Error>::new(&name));
    Ok(known.map_or(name.clone(), |known| known.to_string()))
}

/// One row of `partition.csv`: a part of the variance of a layer's RSM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartitionRow {
    /// Network name.
    pub network: String,
    /// Layer name.
    pub layer: String,
    /// The layer's label in figures.
    pub label: String,
    /// All spaces that it is divided between, joined by ` + `.
    pub spaces: String,
    /// Those that share this part.
    pub part: String,
    /// `unique` to one space, `shared` by all of several and no other, or the `total` of all parts.
    pub kind: String,
    /// Share of the variance, mean over groups.
    pub explained: f64,
    /// Lower end of its 95 % bootstrap interval over concepts, if asked for.
    pub ci_low: Option<f64>,
    /// Its upper end.
    pub ci_high: Option<f64>,
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
    /// (1 + draws that reach the observed value) / (1 + permutations).
    pub p_value: f64,
    /// Pearson correlation of the upper triangles.
    pub rsa: Option<f64>,
}

/// One row of `layers.csv`: layer against layer, both orders and each with itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayersRow {
    /// Network name.
    pub network: String,
    /// The one.
    pub layer_a: String,
    /// The other.
    pub layer_b: String,
    /// Pearson correlation of the RSMs' upper triangles, mean over groups.
    pub rsa: Option<f64>,
}

/// One row of `stimuli.csv`: an image of the experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StimulusRow {
    /// The group's name in the manifest.
    pub group: String,
    /// What it shows.
    pub concept: String,
    /// As in the manifest: relative to its folder.
    pub path: String,
    /// Of the file. Empty in tables of before it.
    #[serde(default)]
    pub sha256: String,
}
