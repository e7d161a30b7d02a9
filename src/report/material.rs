//! What figures are drawn from.

use std::path::Path;

use crate::matrices;
use crate::record::{IMAGES, RunRecord};
use crate::report::curves::Curves;
use crate::report::inference::Null;
use crate::report::stimuli::Source;
use crate::report::{ReportError, names};
use crate::results::{OneVsTwoRow, Results, ResultsDir};
use crate::stats::Rsm;
use crate::stats::ceiling::mean_rsm;
use crate::stats::one_vs_two::Columns;
use crate::stats::scoring::Ties;

/// What a test was told of its matrices.
#[derive(Clone, Copy)]
pub struct Said<'a> {
    /// Images, or subjects.
    pub groups_are: &'a str,
    /// None: layers.
    pub axis: Option<&'a str>,
    /// Whether the layers have no order: points or bars are drawn instead of curves.
    pub unordered: bool,
    /// Whether the network's weights are random.
    pub random: bool,
    /// Whether the network is a file's graph, whose name says of no built-in network that it is that.
    pub graph: bool,
    /// What the images of a test without a network's name are called, where they are one space.
    pub images: Option<&'a str>,
}

impl<'a> Said<'a> {
    /// Of a run.
    pub const RUN: Self =
        Said { groups_are: IMAGES, axis: None, unordered: false, random: false, graph: false, images: None };

    /// What a record keeps of it.
    pub fn of(record: &'a RunRecord) -> Self {
        Self {
            groups_are: record.groups_are(),
            axis: record.axis(),
            unordered: record.is_unordered(),
            random: record.run().is_some_and(|run| run.config.network.weights_file().is_none()),
            graph: record.run().is_some_and(|run| run.config.network.file.is_some()),
            images: record.images(),
        }
    }

    /// What figures call the network.
    pub fn network(&self, name: &str) -> String {
        let name = self.images.unwrap_or_else(|| if self.graph { name } else { names::network(name) });
        if self.random { format!("{name}, random weights") } else { name.to_string() }
    }

    /// All of them.
    pub fn all(&self) -> &'a str {
        if self.groups_are == IMAGES { "groups of images" } else { self.groups_are }
    }

    /// One of them; words of which an s is no plural, or not all of it, as users have them: species, classes.
    pub fn group(&self) -> &'a str {
        match self.groups_are {
            IMAGES => "group of images",
            what => what.strip_suffix('s').filter(|one| !one.ends_with(['e', 'i', 's', 'u'])).unwrap_or(what),
        }
    }

    /// So many groups: "5 groups of images", "20 subjects".
    pub fn groups(&self, count: usize) -> String {
        format!("{count} {}", if count == 1 { self.group() } else { self.all() })
    }
}

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

    /// How nulls were drawn, where that is known.
    pub fn null(&self) -> Option<Null> {
        self.record.as_ref().map(Null::of)
    }

    /// The networks' curves.
    pub fn curves(&self) -> Vec<Curves<'a>> {
        Curves::under(self.null(), &self.results.accuracy)
    }

    /// Those of the 1 vs. 2 test.
    pub fn one_vs_two_curves(&self) -> Vec<Curves<'a, OneVsTwoRow>> {
        Curves::under(self.record.as_ref().map(Null::of_one_vs_two), &self.results.one_vs_two)
    }

    /// Which columns the 1 vs. 2 test took and how ties counted in it, where that is known.
    pub fn one_vs_two(&self) -> Option<(Columns, Ties)> {
        let run = self.record.as_ref()?.run()?;
        let section = run.config.one_vs_two.as_ref()?;
        Some((section.columns, section.ties.or(self.ties())?))
    }

    /// What groups are of, what layers stand along, and whether they have an order.
    pub fn said(&self) -> Said<'_> {
        self.record.as_ref().map_or(Said::RUN, Said::of)
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
    let (_, rsms) = matrices::of_results(path)?;
    Ok((!rsms.is_empty()).then(|| mean_rsm(&rsms)))
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;
    use crate::arrays;
    use crate::record::tests::run_1;
    use crate::results::write_json;

    /// Tables and nothing else.
    pub fn material(results: &Results) -> Material<'_> {
        let directory = ResultsDir::new("nowhere");
        Material { results, directory, record: None, source: None, categories: Vec::new() }
    }

    #[test]
    fn random_weights_are_in_a_networks_name() {
        assert_eq!(Said::RUN.network("squeezenet1_1"), "SqueezeNet 1.1");
        assert_eq!(Said { random: true, ..Said::RUN }.network("squeezenet1_1"), "SqueezeNet 1.1, random weights");
    }

    #[test]
    fn a_graph_is_called_as_the_user_calls_it() {
        assert_eq!(Said { graph: true, ..Said::RUN }.network("alexnet"), "alexnet");
        let mut record = run_1();
        record["config"]["network"] = json!({"name": "vgg16", "file": "mine.onnx"});
        let directory = tempfile::tempdir().unwrap();
        let of_run = ResultsDir::new(directory.path());
        for (config, expected) in [(record, "vgg16"), (run_1(), "VGG16")] {
            write_json(&of_run.record(), &config).unwrap();
            let record = RunRecord::read(&of_run).unwrap().unwrap();
            assert_eq!(Said { random: false, ..Said::of(&record) }.network("vgg16"), expected);
        }
    }

    #[test]
    fn images_without_a_networks_name_have_their_own() {
        assert_eq!(Said { images: Some("CNN"), ..Said::RUN }.network("images"), "CNN");
    }

    #[test]
    fn one_of_the_groups_is_a_word() {
        let of = |groups_are| Said { groups_are, ..Said::RUN }.groups(1);
        assert_eq!(["subjects", "species", "mice"].map(of), ["1 subject", "1 species", "1 mice"]);
    }

    #[test]
    fn matrices_of_nothing_are_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fc1.npy");
        assert_eq!(mean_of(&path).unwrap(), None);
        for shape in [&[0, 0][..], &[2, 0, 0], &[0, 3, 3]] {
            arrays::write_npy(&path, shape, &[]).unwrap();
            assert_eq!(mean_of(&path).unwrap(), None, "{shape:?}");
        }
    }

    #[test]
    fn what_is_no_longer_a_matrix_of_correlations_is_not_drawn() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fc1.npy");
        arrays::write_npy(&path, &[2, 2, 2], &[1.0, 0.5, 0.5, 1.0, 1.0, -0.5, -0.5, 1.0]).unwrap();
        assert_eq!(mean_of(&path).unwrap().unwrap().values(), [1.0, 0.0, 0.0, 1.0]);
        for wrong in [[1.0, 0.5, 0.25, 1.0], [1.0, 1.5, 1.5, 1.0], [0.5, 0.5, 0.5, 0.5]] {
            arrays::write_npy(&path, &[2, 2], &wrong).unwrap();
            assert!(mean_of(&path).unwrap_err().to_string().contains("fc1.npy: "));
        }
    }
}
