//! What figures are drawn from.

use std::path::Path;

use crate::arrays;
use crate::config::InferenceOptions;
use crate::record::RunRecord;
use crate::report::ReportError;
use crate::report::stimuli::Source;
use crate::results::{Results, ResultsDir};
use crate::stats::Rsm;
use crate::stats::ceiling::mean_rsm;
use crate::stats::one_vs_two::Columns;
use crate::stats::scoring::Ties;

/// A results directory, read once for all figures.
pub struct Material<'a> {
    /// Its tables.
    pub results: &'a Results,
    /// Its files.
    pub directory: ResultsDir,
    /// What left it; none if it does not say.
    pub record: Option<RunRecord>,
    /// The images, if there are any where the run had them.
    pub source: Option<Source>,
    /// The category of each concept; none where the manifest has none.
    pub categories: Vec<String>,
}

impl<'a> Material<'a> {
    /// Reads what lies beside the tables in `directory`.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn read(results: &'a Results, directory: &Path) -> Result<Self, ReportError> {
        let of_run = ResultsDir::new(directory);
        let record = RunRecord::read(&of_run)?;
        let source = Source::find(results, record.as_ref(), directory);
        let categories = of_run.categories()?;
        Ok(Self { results, directory: of_run, record, source, categories })
    }

    /// How ties counted in the 2 vs. 2 test, where that is known.
    pub fn ties(&self) -> Option<Ties> {
        self.record.as_ref().map(|record| record.options().ties)
    }

    /// What its p-values speak of, where that is known.
    pub fn inference(&self) -> Option<InferenceOptions> {
        self.record.as_ref().map(RunRecord::inference)
    }

    /// Which columns the 1 vs. 2 test took and how ties counted in it, where that is known.
    pub fn one_vs_two(&self) -> Option<(Columns, Ties)> {
        let run = self.record.as_ref()?.run()?;
        let section = run.config.one_vs_two.as_ref()?;
        Some((section.columns, section.ties.unwrap_or(run.config.two_vs_two.ties)))
    }

    /// A layer's RSM, the mean over groups; none where the results were copied without their matrices.
    ///
    /// # Errors
    /// A matrix that cannot be read.
    pub fn layer(&self, layer: &str) -> Result<Option<Rsm>, ReportError> {
        mean_of(&self.directory.layer_rsm(layer))
    }

    /// A word model's RSM; none where it is not there.
    ///
    /// # Errors
    /// A matrix that cannot be read.
    pub fn words(&self, words: &str) -> Result<Option<Rsm>, ReportError> {
        mean_of(&self.directory.words_rsm(words))
    }
}

fn mean_of(path: &Path) -> Result<Option<Rsm>, ReportError> {
    if !path.exists() {
        return Ok(None);
    }
    let (shape, values) = arrays::read_npy(path)?;
    Ok(mean(&shape, values))
}

/// `[concepts, concepts]`, or the mean of `[groups, concepts, concepts]`; none of another shape, or an empty one.
fn mean(shape: &[usize], values: Vec<f64>) -> Option<Rsm> {
    match *shape {
        [concepts, columns] if concepts == columns && concepts > 0 => Some(Rsm::new(concepts, values)),
        [groups, concepts, columns] if concepts == columns && concepts > 0 && groups > 0 => {
            let groups: Vec<Rsm> =
                values.chunks(concepts * concepts).map(|group| Rsm::new(concepts, group.to_vec())).collect();
            Some(mean_rsm(&groups))
        }
        _ => None,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Tables and nothing else.
    pub fn material(results: &Results) -> Material<'_> {
        let directory = ResultsDir::new("nowhere");
        Material { results, directory, record: None, source: None, categories: Vec::new() }
    }

    #[test]
    fn matrices_of_nothing_are_left_out() {
        for shape in [&[0, 0][..], &[2, 0, 0], &[0, 3, 3]] {
            assert_eq!(mean(shape, Vec::new()), None, "{shape:?}");
        }
    }
}
