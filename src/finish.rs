//! Where `semgpu run` and `semgpu test` meet: RSMs of words and layers in, a results directory out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use crate::arrays;
use crate::config::{InferenceOptions, TestOptions};
use crate::device::Selected;
use crate::error::{Error, FileError};
use crate::evaluation::alignment::{Alignment, Known, WordSpace, align, in_common};
use crate::evaluation::controls::{Controls, controls};
use crate::evaluation::one_vs_two::{self, Lexicon, OneVsTwo, Predictions};
use crate::evaluation::{self, Draws, Evaluated, LayerRsms, Options, Space, Words};
use crate::files;
use crate::progress::Progress;
use crate::record::RunRecord;
use crate::report::{self, Best};
use crate::results::{Ledger, Results, ResultsDir, StimulusRow, scales_of};
use crate::stats::Rsm;
use crate::stats::alignment::{Measure, Scales};
use crate::stats::permutation::Permutations;
use crate::stats::rsa::Rsa;
use crate::stimuli::{Manifest, Stimulus};
use crate::wording::{NOT_TESTED, counted, grouped, p_value};

/// What is compared, and how.
pub struct Comparison {
    /// The image side.
    pub space: Space,
    /// The word side.
    pub words: Vec<Words>,
    /// A category per concept, where they are known.
    pub categories: Option<Vec<String>>,
    /// The images behind the layers, where semgpu computed these: their RSMs are on disk already.
    pub images: Option<Images>,
    /// What is controlled for.
    pub controls: Controls,
    /// How accuracies are tested.
    pub options: Options,
    /// Measures of all pairs of layers, if any are asked for.
    pub alignment: Option<Alignment>,
    /// Whether the 2 vs. 2 test of every layer is made with all of its tables.
    pub in_full: bool,
}

/// A matrix to be written.
struct Matrix<'a> {
    path: PathBuf,
    shape: Vec<usize>,
    /// Copied when they are.
    values: Box<dyn Fn() -> Vec<f64> + 'a>,
}

/// A layer's matrices, in a file, and their scales in one beside it.
fn of_groups(layer: &LayerRsms, path: PathBuf) -> Vec<Matrix<'_>> {
    let LayerRsms { rsms, scales, .. } = layer;
    let (concepts, beside) = (rsms[0].concepts(), scales_of(&path));
    let values = Box::new(move || rsms.iter().flat_map(Rsm::values).copied().collect());
    let mut matrices = vec![Matrix { path, shape: vec![rsms.len(), concepts, concepts], values }];
    if !scales.is_empty() {
        let values = Box::new(move || scales.iter().flat_map(Scales::to_rows).collect());
        matrices.push(Matrix { path: beside, shape: vec![scales.len(), concepts, 3], values });
    }
    matrices
}

/// The measures of word models that are one matrix each; none where none is asked for.
pub fn alignment(measures: &[Measure], neighbours: usize, words: &[Words]) -> Option<Alignment> {
    let layer = |model: &Words| LayerRsms {
        name: String::new(),
        label: String::new(),
        units: model.dimensions,
        rsms: vec![model.rsm.clone()],
        scales: model.scales.iter().cloned().collect(),
    };
    let words = words.iter().map(|model| WordSpace { name: model.name.clone(), layers: vec![layer(model)] });
    (!measures.is_empty()).then(|| Alignment { measures: measures.to_vec(), neighbours, words: words.collect() })
}

/// The images behind the layers.
pub struct Images {
    /// The images.
    pub manifest: Manifest,
    /// The manifest's folder, which its paths are relative to.
    pub root: PathBuf,
    /// The checksum of each image, group by group.
    pub sums: Vec<String>,
    /// The network's answers, if it was run that far.
    pub predictions: Option<Predictions>,
    /// Whether the network is a control with random weights.
    pub random: bool,
    /// The words that stand for classes.
    pub lexicon: Lexicon,
    /// The 1 vs. 2 test, if asked for.
    pub one_vs_two: Option<OneVsTwo>,
}

/// The options of a test with what decides its draws.
pub fn options(
    test: &TestOptions,
    inference: InferenceOptions,
    seed: u64,
    draws: Permutations,
    rsa: &[Rsa],
    device: &Selected,
) -> Options {
    Options {
        draws,
        permutations: test.permutations,
        stop_after: test.stop_after,
        tail: inference.tail,
        family: inference.family,
        ties: test.ties,
        bootstrap: test.bootstrap,
        unordered: false,
        generalise: inference.generalise,
        seed,
        rsa: rsa.to_vec(),
        device: device.device.clone(),
        known: Draws::default(),
    }
}

/// Nothing to write tables and figures of.
#[derive(Debug, thiserror::Error)]
#[error("no layer has a value by any measure that is asked for: the warnings above say why; nothing was written")]
struct NoValues;

/// Tests, and writes tables, matrices, record and figures.
///
/// # Errors
/// The device fails, a file cannot be written, [`Error::Interrupted`].
pub fn finish(
    comparison: &Comparison,
    mut record: RunRecord,
    directory: &ResultsDir,
    started: Instant,
    progress: &Progress,
) -> Result<(), Error> {
    let Comparison { images, options, .. } = comparison;
    let (results, warnings) = comparison.results(progress)?;
    progress.warn(&warnings);
    record.warnings.extend(warnings);
    if results.accuracy.is_empty() && results.measures.is_empty() {
        return Err(Error::failed(NoValues));
    }
    directory.remove_results().map_err(Error::failed)?;
    directory.enlist_results(&results, comparison.categories.is_some()).map_err(Error::failed)?;
    comparison.write_matrices(directory).map_err(Error::failed)?;
    results.write(directory.root()).map_err(Error::failed)?;
    record.write(directory, started).map_err(Error::failed)?;
    report::write_figures(&results, report::Style::Full, None, directory.root(), progress)?;
    summarise(&results, &record, progress);
    let one_vs_two = images.as_ref().and_then(|images| images.one_vs_two.as_ref()).map(|test| test.ties);
    let one_vs_two = one_vs_two.map(|ties| (ties, report::Null::of_one_vs_two(&record)));
    let said = report::chance(&results, options.ties, Some(report::Null::of(&record)), one_vs_two);
    said.into_iter().for_each(|said| progress.line(said));
    Ok(())
}

impl Comparison {
    /// Tests; the rows of all tables, and what the user should know.
    ///
    /// # Errors
    /// The device fails, [`Error::Interrupted`].
    pub fn results(&self, progress: &Progress) -> Result<(Results, Vec<String>), Error> {
        let Self { space, words, images, options, alignment, .. } = self;
        let tested = if self.in_full { &words[..] } else { &[] };
        let kept = alignment.as_ref().map_or_else(Vec::new, |alignment| in_common(&alignment.measures));
        let Evaluated { mut results, mut warnings, scores } =
            evaluation::evaluate(space, tested, options, &kept, progress)?;
        let categories = self.categories.as_deref();
        let (rows, more) = controls(space, tested, categories, &self.controls, options, progress)?;
        results.append(rows);
        warnings.extend(more);
        if let Some(alignment) = alignment {
            let known = Known { scores: Some(&scores), accuracy: &results.accuracy };
            let (rows, said) = align(space, alignment, options, &known, progress)?;
            results.measures = rows;
            warnings.extend(said);
        }
        if let Some(images) = images {
            warnings.extend(images.rows(space, words, &options.known, &mut results, progress)?);
        }
        Ok((results, warnings))
    }

    fn write_matrices(&self, directory: &ResultsDir) -> Result<(), FileError> {
        let concepts = self.space.concepts.len();
        let spaces = self.alignment.iter().flat_map(|alignment| &alignment.words);
        // The models in their order, each with all of its groups.
        let layers: Vec<&LayerRsms> = spaces.flat_map(|space| &space.layers).collect();
        // All are listed before the first is written; the values of one at a time are copied.
        let mut matrices: Vec<Matrix> = Vec::new();
        for (n, model) in self.words.iter().enumerate() {
            let path = directory.words_rsm(&model.name);
            if let Some(layer) = layers.get(n).copied().filter(|layer| layer.rsms.len() > 1) {
                matrices.extend(of_groups(layer, path));
                continue;
            }
            let values = Box::new(move || model.rsm.values().to_vec());
            matrices.push(Matrix { path, shape: vec![concepts, concepts], values });
            if let Some(scales) = &model.scales {
                let (path, values) = (directory.words_scales(&model.name), Box::new(move || scales.to_rows()));
                matrices.push(Matrix { path, shape: vec![concepts, 3], values });
            }
        }
        for layer in self.space.layers.iter().filter(|_| self.images.is_none()) {
            matrices.extend(of_groups(layer, directory.layer_rsm(&layer.name)));
        }
        Ledger::read(directory).enlist(directory, matrices.iter().map(|matrix| files::name(&matrix.path)))?;
        for Matrix { path, shape, values } in matrices {
            arrays::write_npy(&path, &shape, &values())?;
        }
        directory.write_concepts(&self.space.concepts, self.categories.as_deref())
    }
}

impl Images {
    /// The rows of the images, of the network's answers and of the 1 vs. 2 test of its mistakes; returns what the user
    /// should know.
    fn rows(
        &self,
        space: &Space,
        words: &[Words],
        known: &Draws,
        results: &mut Results,
        progress: &Progress,
    ) -> Result<Vec<String>, Error> {
        results.stimuli = self.stimuli();
        let Some(predictions) = &self.predictions else { return Ok(Vec::new()) };
        let (manifest, root) = (&self.manifest, self.root.as_path());
        results.predictions = one_vs_two::prediction_rows(&space.network, manifest, root, predictions, &self.lexicon);
        let mut warnings: Vec<String> =
            doubt_of_answers((&space.network, self.random), predictions, &self.lexicon).into_iter().collect();
        let Some(test) = &self.one_vs_two else { return Ok(warnings) };
        let answers = (predictions, &self.lexicon);
        let (rows, said) = one_vs_two::one_vs_two(space, words, (manifest, root), answers, test, known, progress)?;
        results.append(rows);
        warnings.extend(said);
        Ok(warnings)
    }

    /// The images, by their paths in the manifest.
    fn stimuli(&self) -> Vec<StimulusRow> {
        let groups = self.manifest.groups.iter().zip(&self.manifest.stimuli);
        let images = groups.flat_map(|(group, stimuli)| {
            self.manifest.concepts.iter().zip(stimuli).map(move |(concept, stimulus)| (group, concept, stimulus))
        });
        let row = |((group, concept, stimulus), sum): ((&String, &String, &Stimulus), &String)| StimulusRow {
            group: group.clone(),
            concept: concept.clone(),
            path: stimulus.listed(&self.root),
            sha256: sum.clone(),
        };
        images.zip(&self.sums).map(row).collect()
    }
}

/// Share of the images above which one answer is that of a network which tells nothing apart.
const ONE_ANSWER: f64 = 0.9;

/// That the network takes nearly all images, of many concepts, for one class, as may be with `random` weights.
fn doubt_of_answers((network, random): (&str, bool), predictions: &Predictions, lexicon: &Lexicon) -> Option<String> {
    let mut answers = BTreeMap::new();
    predictions.iter().flatten().for_each(|class| *answers.entry(*class).or_insert(0) += 1);
    let images: usize = answers.values().sum();
    let (&class, &most) = answers.iter().max_by_key(|(_, images)| **images)?;
    (!random && most as f64 > ONE_ANSWER * images as f64).then(|| {
        format!(
            "{network} takes {} of {} for one class, {}: its weights are not trained, or of another form, or the numbers \
             that arrive are not those of its training (network.input)",
            grouped(most),
            counted(images, "image"),
            lexicon.classes.names(class as usize)[0]
        )
    })
}

/// One line per word model: the best of its layers and how it compares with the first, the pixels; one of its 1 vs. 2 test.
fn summarise(results: &Results, record: &RunRecord, progress: &Progress) {
    let null = report::Null::of(record);
    let tail = &null.tail();
    for rows in results.accuracy.chunk_by(|a, b| a.words == b.words) {
        let Some(best) = Best::of(rows.iter(), Some(null)) else { continue };
        let row = best.row;
        // Of places without an order none is the first.
        let first =
            if record.is_unordered() { String::new() } else { format!("{} {:.3}, ", rows[0].layer, rows[0].accuracy) };
        let chosen = best.chosen(&first, " layer", " ");
        progress.line(format!(
            "{}: {chosen}{} {:.3}{}",
            row.words,
            row.layer,
            row.accuracy,
            tested(&best, [row.p_value, row.p_fwer], tail)
        ));
    }
    let over = report::Over::of(&results.measures, Some(null));
    for rows in results.measures.chunk_by(|a, b| a.words == b.words && a.measure == b.measure) {
        let Some(best) = Best::of(rows.iter(), Some(null)) else { continue };
        let row = best.row;
        let tail = if row.permutations > 0 { tail.as_str() } else { "" };
        progress.line(format!(
            "{}: {}, {}{}{tail}",
            row.words,
            row.measure,
            best.chosen("", &format!(" {}", report::what(row)), " "),
            report::said(&best, over)
        ));
    }
    let null = report::Null::of_one_vs_two(record);
    for rows in results.one_vs_two.chunk_by(|a, b| a.words == b.words) {
        let Some(best) = Best::of(rows.iter(), Some(null)) else { continue };
        let row = best.row;
        let chosen = best.chosen("", " layer", " ");
        progress.line(format!(
            "{}: 1 vs. 2 of {}, {chosen}{} {:.3}{}",
            row.words,
            counted(row.images, "misclassified image"),
            row.layer,
            row.accuracy,
            tested(&best, [row.p_value, row.p_fwer], tail)
        ));
    }
}

/// What the draws said of a layer.
pub fn tested<R: report::LayerRow>(best: &Best<R>, [p, family_wise]: [f64; 2], tail: &str) -> String {
    match best.chance() {
        None => NOT_TESTED.to_string(),
        Some(chance) => format!(" ({chance}, p {}, family-wise {}{tail})", p_value(p), p_value(family_wise)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::Classes;

    #[test]
    fn a_network_of_one_answer_is_told() {
        let lexicon = Lexicon { words: Vec::new(), of_class: Vec::new(), classes: Classes::imagenet() };
        let doubt = |others: usize, random: bool| {
            let group: Vec<u32> = (0..20).map(|image| if image < others { image as u32 } else { 761 }).collect();
            doubt_of_answers(("net", random), &vec![group.clone(), group], &lexicon)
        };
        let said = doubt(1, false).unwrap();
        assert!(said.starts_with("net takes 38 of 40 images for one class, remote control: "), "{said}");
        assert_eq!([doubt(2, false), doubt(1, true)], [None, None]);
        assert_eq!(doubt_of_answers(("net", false), &Vec::new(), &lexicon), None);
    }
}
