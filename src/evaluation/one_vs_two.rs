//! The network's answers and the 1 vs. 2 test of its mistakes: predictions in, rows of results out.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;

use crate::classes::Classes;
use crate::error::Error;
use crate::evaluation::{Draws, LayerRsms, Space, Words};
use crate::progress::Progress;
use crate::results::{LostRow, MisclassifiedRow, OneVsTwoRow, PredictionRow, Results};
use crate::stats::Rsm;
use crate::stats::inference::{self, Rule, Statistic};
use crate::stats::one_vs_two::{self, Answers, Columns, FEWEST_COLUMNS, Mistake, OneVsTwoTest};
use crate::stats::permutation::Permutations;
use crate::stats::scoring::{Outcome, Ties};
use crate::stimuli::{Manifest, Stimulus};
use crate::wording::counted;

/// Which word stands for a class: its concept in the manifest, and for other classes a word of their own that every word
/// model has.
#[derive(Clone)]
pub struct Lexicon {
    /// The concepts in the manifest's order, then the words of other classes.
    pub words: Vec<String>,
    /// `[classes]`: index of the class's word, where it has one.
    pub of_class: Vec<Option<usize>>,
    /// The classes.
    pub classes: Classes,
}

impl Lexicon {
    /// The manifest's concepts.
    ///
    /// # Panics
    /// If an image is of a class that there is not.
    pub fn of_manifest(manifest: &Manifest, classes: &Classes) -> Self {
        let mut of_class = vec![None; classes.count()];
        for (concept, stimulus) in manifest.stimuli.iter().flat_map(|group| group.iter().enumerate()) {
            if let Some(class) = stimulus.class_index {
                of_class[class as usize].get_or_insert(concept);
            }
        }
        Self { words: manifest.concepts.clone(), of_class, classes: classes.clone() }
    }

    fn word(&self, class: u32) -> Option<&str> {
        self.of_class[class as usize].map(|word| self.words[word].as_str())
    }
}

/// The name of the test's families of scores.
const ONE_VS_TWO: &str = "1 vs. 2";

/// How to test.
#[derive(Clone)]
pub struct OneVsTwo {
    /// One RSM per word model, of all words of the lexicon: `[words, words]`.
    pub rsms: Vec<Rsm>,
    /// Draws of those words.
    pub draws: Permutations,
    /// How many of them, and what they are held against.
    pub rule: Rule,
    /// Which columns margins are taken over.
    pub columns: Columns,
    /// How a tied image counts.
    pub ties: Ties,
}

/// The classes a network answered, `[groups][concepts]`.
pub type Predictions = Vec<Vec<u32>>;

/// The share of images whose predicted class is their own, of those whose class the manifest gives; `None` without any.
pub fn top_1(manifest: &Manifest, predictions: &Predictions) -> Option<f64> {
    let correct: Vec<bool> =
        stimuli(manifest, predictions).filter_map(|(_, _, s, class)| is_correct(s, class)).collect();
    (!correct.is_empty()).then(|| correct.iter().filter(|&&c| c).count() as f64 / correct.len() as f64)
}

/// The rows of `predictions.csv`; `root` is the manifest's folder, which paths are relative to.
pub fn prediction_rows(
    network: &str,
    manifest: &Manifest,
    root: &Path,
    predictions: &Predictions,
    lexicon: &Lexicon,
) -> Vec<PredictionRow> {
    let row = |(group, concept, stimulus, class): (usize, usize, &Stimulus, u32)| PredictionRow {
        network: network.to_string(),
        group: manifest.groups[group].clone(),
        path: stimulus.listed(root),
        concept: manifest.concepts[concept].clone(),
        class_index: stimulus.class_index,
        predicted_index: class,
        predicted: lexicon.word(class).map(str::to_string),
        correct: is_correct(stimulus, class),
        predicted_class: lexicon.classes.names(class as usize)[0].clone(),
    };
    stimuli(manifest, predictions).map(row).collect()
}

/// Tests the misclassified images against every word model; the rows, and what the user should know.
///
/// An image takes part if the predicted class has a word other than its own concept, and it has at least
/// [`FEWEST_COLUMNS`] columns. Where none does, there are no rows.
///
/// # Errors
/// [`Error::Interrupted`] when asked to stop.
pub fn one_vs_two(
    space: &Space,
    models: &[Words],
    (manifest, root): (&Manifest, &Path),
    (predictions, lexicon): (&Predictions, &Lexicon),
    test: &OneVsTwo,
    known: &Draws,
    progress: &Progress,
) -> Result<(Results, Vec<String>), Error> {
    let (groups, mut warnings) = answers(manifest, predictions, lexicon, test.columns);
    let images: Vec<(usize, Mistake)> = (groups.iter().enumerate())
        .flat_map(|(group, answers)| answers.mistakes.iter().map(move |&mistake| (group, mistake)))
        .collect();
    let mut results = Results::default();
    if images.is_empty() {
        return Ok((results, warnings));
    }
    let layers = space.rsms();
    let statistics = test.statistics(&groups, &layers);
    let tested: Vec<_> =
        models.iter().zip(&statistics).map(|(model, s)| known.known(ONE_VS_TWO, &model.name, s)).collect();
    let inferences = inference::test_all(&tested, test.rule, &|_| progress.interrupt.flow(), |_| ())?;
    for ((model, statistic), inferences) in models.iter().zip(&statistics).zip(inferences) {
        let margins = statistic.margins();
        if statistic.flat() > 0 {
            warnings.push(format!(
                "1 vs. 2, {}: of {} of {} a row of similarities, the image's at some layer or a class's, does not vary \
                 over the columns; it counts as correlation 0",
                model.name,
                statistic.flat(),
                counted(images.len(), "image")
            ));
        }
        for (index, (layer, inference)) in space.layers.iter().zip(inferences).enumerate() {
            let outcomes = || margins.iter().filter_map(move |margins| margins[index]).map(one_vs_two::outcome);
            let count = |outcome| outcomes().filter(|&found| found == outcome).count() as u64;
            results.one_vs_two.push(OneVsTwoRow {
                network: space.network.clone(),
                layer: layer.name.clone(),
                label: layer.label.clone(),
                words: model.name.clone(),
                images: images.len(),
                passed: count(Outcome::Passed),
                ties: count(Outcome::Tie),
                accuracy: inference.value,
                permutations: inference.permutations,
                p_value: inference.p_value,
                p_fwer: inference.p_fwer,
                null_mean: inference.null_mean,
                null_sd: inference.null_sd,
            });
        }
        for (&(group, mistake), margins) in images.iter().zip(&margins) {
            let image = ImageRow {
                network: &space.network,
                group: &manifest.groups[group],
                path: manifest.stimuli[group][mistake.image].listed(root),
                concept: &manifest.concepts[mistake.image],
                predicted: &lexicon.words[mistake.predicted],
                words: &model.name,
            };
            results.misclassified.extend(image.misclassified(space, margins));
            results.lost.push(image.lost(space, margins));
        }
    }
    Ok((results, warnings))
}

/// The scores of some draws of [`one_vs_two()`] by word model: what it takes as known.
///
/// # Errors
/// [`Error::Interrupted`] when asked to stop.
pub fn draws(
    space: &Space,
    models: &[Words],
    manifest: &Manifest,
    (predictions, lexicon): (&Predictions, &Lexicon),
    test: &OneVsTwo,
    draws: Range<u64>,
    progress: &Progress,
) -> Result<Draws, Error> {
    let (groups, _) = answers(manifest, predictions, lexicon, test.columns);
    let mut scores = Draws::default();
    if groups.iter().all(|answers| answers.mistakes.is_empty()) {
        return Ok(scores);
    }
    for (model, statistic) in models.iter().zip(test.statistics(&groups, &space.rsms())) {
        scores.insert(ONE_VS_TWO, &model.name, statistic.points(draws.clone(), &|_| progress.interrupt.flow())?);
    }
    Ok(scores)
}

impl OneVsTwo {
    /// One test a word model.
    fn statistics<'a>(&'a self, groups: &'a [Answers], layers: &[&'a [Rsm]]) -> Vec<OneVsTwoTest<'a>> {
        let rules = (self.columns, self.ties);
        self.rsms.iter().map(|words| OneVsTwoTest::new(words, groups, layers, &self.draws, rules)).collect()
    }
}

/// What the rows of one image have in common.
struct ImageRow<'a> {
    network: &'a str,
    group: &'a str,
    path: String,
    concept: &'a str,
    predicted: &'a str,
    words: &'a str,
}

impl ImageRow<'_> {
    /// One row a layer.
    fn misclassified(&self, space: &Space, margins: &[Option<f64>]) -> Vec<MisclassifiedRow> {
        let row = |(layer, &margin): (&LayerRsms, &Option<f64>)| MisclassifiedRow {
            network: self.network.to_string(),
            group: self.group.to_string(),
            path: self.path.clone(),
            concept: self.concept.to_string(),
            predicted: self.predicted.to_string(),
            layer: layer.name.clone(),
            words: self.words.to_string(),
            margin,
        };
        space.layers.iter().zip(margins).map(row).collect()
    }

    fn lost(&self, space: &Space, margins: &[Option<f64>]) -> LostRow {
        LostRow {
            network: self.network.to_string(),
            group: self.group.to_string(),
            path: self.path.clone(),
            concept: self.concept.to_string(),
            predicted: self.predicted.to_string(),
            words: self.words.to_string(),
            lost_from: one_vs_two::lost_from(margins).map(|layer| space.layers[layer].name.clone()),
        }
    }
}

/// The images to test in every group, and what stands in the way of others.
fn answers(
    manifest: &Manifest,
    predictions: &Predictions,
    lexicon: &Lexicon,
    columns: Columns,
) -> (Vec<Answers>, Vec<String>) {
    let mut groups = vec![Answers::default(); manifest.groups.len()];
    let (mut wrong, mut wordless, mut unknown) = (0, 0, 0);
    for (group, concept, stimulus, class) in stimuli(manifest, predictions) {
        let answers = &mut groups[group];
        match (is_correct(stimulus, class), lexicon.of_class[class as usize]) {
            (None, _) => unknown += 1,
            (Some(true), _) => answers.correct.push(concept),
            (Some(false), Some(predicted)) if predicted != concept => {
                wrong += 1;
                answers.mistakes.push(Mistake { image: concept, truth: concept, predicted });
            }
            (Some(false), _) => {
                wrong += 1;
                wordless += 1;
            }
        }
    }
    let mut warnings = Vec::new();
    if unknown > 0 {
        warnings.push(format!(
            "1 vs. 2: left out: {} without a class_index (or a concept that network.classes names)",
            counted(unknown, "image")
        ));
    }
    if wordless > 0 {
        warnings.push(format!(
            "1 vs. 2: left out: {wordless} of {}, taken for a class without a word of its own in every word model",
            counted(wrong, "misclassified image")
        ));
    }
    for (group, answers) in manifest.groups.iter().zip(&mut groups) {
        let before = answers.mistakes.len();
        let Answers { correct, mistakes } = answers;
        mistakes.retain(|mistake| columns.of(correct, mistake).len() >= FEWEST_COLUMNS);
        if mistakes.len() < before {
            warnings.push(format!(
                "1 vs. 2: group {group}: left out: {}: the test needs {FEWEST_COLUMNS} images that are classified correctly{}, \
                 the group has {} in all",
                counted(before - mistakes.len(), "misclassified image"),
                match columns {
                    Columns::Paper => "",
                    Columns::Others => " beside that of the predicted class (one_vs_two.columns = \"others\")",
                },
                correct.len()
            ));
        }
    }
    if groups.iter().all(|answers| answers.mistakes.is_empty()) {
        warnings.push("1 vs. 2: no misclassified image takes part, there is nothing to test".to_string());
    }
    (groups, warnings)
}

/// Group, concept, stimulus and predicted class of every image.
fn stimuli<'a>(
    manifest: &'a Manifest,
    predictions: &'a Predictions,
) -> impl Iterator<Item = (usize, usize, &'a Stimulus, u32)> {
    manifest.stimuli.iter().zip(predictions).enumerate().flat_map(|(group, (stimuli, classes))| {
        stimuli
            .iter()
            .zip(classes)
            .enumerate()
            .map(move |(concept, (stimulus, &class))| (group, concept, stimulus, class))
    })
}

fn is_correct(stimulus: &Stimulus, class: u32) -> Option<bool> {
    stimulus.class_index.map(|own| own == class)
}
