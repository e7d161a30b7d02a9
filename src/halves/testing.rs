//! RSMs to tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

use super::doubts::{is_single, warnings};
use super::reading::Inputs;
use super::{HalvesError, check_clashes, list, words};
use crate::checksum::{self, of_files, sha256};
use crate::config::{OptionError, TestRequest, check_measures, draws};
use crate::device::{self, Selected};
use crate::error::{Error, FileError};
use crate::evaluation::alignment::{Alignment, WordSpace};
use crate::evaluation::{Options, Space, Words};
use crate::finish::{self, Comparison, finish};
use crate::matrices::{Read, Side, Source};
use crate::names::{self, NAME, TEXT, is_name, is_text};
use crate::plan::{Own, Unnamed, control_sums};
use crate::progress::Progress;
use crate::record::{self, Command, MatrixChecksums, RunRecord};
use crate::results::{Results, ResultsDir};
use crate::stats::Rsm;
use crate::stats::alignment::Measure;
use crate::stats::permutation::Permutations;
use crate::stats::scoring::Constant;
use crate::stats::two_vs_two::{self, TwoVsTwoError};
use crate::vectors;

/// The group of the words, in an error.
const OF_WORDS: &str = "of words";

/// A request whose files are read and found to fit.
pub struct Test {
    directory: Option<ResultsDir>,
    /// What its experiment is of.
    parts: Vec<(String, Value)>,
    comparison: Comparison,
    device: Selected,
    record: record::Test,
    /// Things the user should know.
    warnings: Vec<String>,
}

impl Test {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn new(mut request: TestRequest, progress: &Progress) -> Result<Self, HalvesError> {
        let directory = request.out.as_ref().map(ResultsDir::new);
        check_names(&request)?;
        if let Some(directory) = &directory {
            match request.fresh {
                true => directory.check_experiment("", true)?,
                false => directory.check_command("test")?,
            }
            directory.check(request.inputs())?;
        }
        request.options.within_categories = request.categories.is_some() && !request.across_categories;
        let inputs = request.read(progress)?;
        check_read(&request, &inputs)?;
        if let Some(directory) = &directory {
            let Inputs { words, word_spaces, space, .. } = &inputs;
            let layers: Vec<&str> = space.layers.iter().map(|layer| layer.name.as_str()).collect();
            let models = words.iter().map(|model| &model.name).chain(word_spaces.iter().map(|space| &space.name));
            let models: Vec<&str> = models.map(String::as_str).collect();
            directory.check_named(&request.network, &layers, &models, false)?;
        }
        let count = inputs.space.concepts.len();
        let categories = request.categories.as_ref().map(|path| list(path, count, "category")).transpose()?;
        check_options(&request, count, inputs.space.groups.len())?;
        let strata = request.options.strata(categories.as_deref());
        let draws = draws(request.seed, count, strata.as_deref());
        // Without measures, or with word models of one matrix and 2v2 among the measures, the 2 vs. 2 test is made in full.
        let two_vs_two = request.measures.is_empty() || request.measures.contains(&Measure::TwoVsTwo);
        let in_full = request.measures.is_empty() || two_vs_two && inputs.word_spaces.iter().all(is_single);
        if two_vs_two {
            check_testable(&inputs.words, &inputs.space, &inputs.read, &draws)?;
        }
        let controls = own(&request, &inputs, categories.as_deref()).controls(&request.controls, &request.reading)?;
        controls.read.iter().for_each(|(said, _)| progress.line(said));
        let warnings = warnings(&request, &inputs, categories.as_deref(), in_full, &controls);
        progress.warn(&warnings);
        let Inputs { words, word_spaces, space, read, .. } = inputs;
        let checksums = MatrixChecksums {
            words: sums(&request.words, &read, Side::Words)?,
            images: sums(&request.images, &read, Side::Images)?,
            controls: control_sums(&request.controls)?,
        };
        let device = device::select(request.device)?;
        progress.line(device.line());
        let options = Options {
            unordered: request.unordered,
            ..finish::options(&request.options, request.inference, request.seed, draws, &request.rsa, &device)
        };
        let alignment = (!word_spaces.is_empty()).then(|| Alignment {
            measures: request.measures.clone(),
            neighbours: request.neighbours,
            words: word_spaces,
        });
        let comparison = Comparison { space, words, categories, images: None, controls, options, alignment, in_full };
        let given = comparison.controls.read.iter().map(|(said, _)| said.clone());
        let understood = read.iter().map(Read::to_string).chain(given).collect();
        let experiment = experiment(&request, &checksums, &read, &comparison.space.concepts);
        let record = record::Test { config: request, understood, read, checksums, experiment };
        let parts = record::parts_of_test(&record, &comparison.space.concepts);
        if let Some(directory) = &directory {
            let removed = record::check_free(directory, &record.experiment, record.config.fresh, || parts.clone())?;
            removed.iter().for_each(|said| progress.line(said));
        }
        Ok(Self { directory, parts, comparison, device, record, warnings })
    }

    /// Tests, and writes nothing; also what the user should know.
    ///
    /// # Errors
    /// The device fails, [`Error::Interrupted`].
    pub fn results(&self, progress: &Progress) -> Result<(Results, Vec<String>), Error> {
        let (results, warnings) = self.comparison.results(progress)?;
        Ok((results, [&self.warnings[..], &warnings].concat()))
    }

    /// Tests, and writes tables, matrices, figures and `run.json` as a run does; returns their directory.
    ///
    /// # Errors
    /// The device fails, a file cannot be written, [`Error::Interrupted`].
    ///
    /// # Panics
    /// If the request names no directory.
    pub fn run(self, progress: &Progress) -> Result<PathBuf, Error> {
        let directory = self.directory.expect("results that are kept have a directory");
        let started = Instant::now();
        let _writing = progress.interrupt.writing();
        let request = &self.record.config;
        let there = RunRecord::read(&directory).ok().flatten().filter(|_| !request.fresh);
        let replaced = there.and_then(|there| record::replaced(&there, &record::of_test(request)));
        let _claim = directory.claim("test", &self.record.experiment, request.fresh)?;
        replaced.into_iter().for_each(|said| progress.line(said));
        record::keep(&directory, self.parts).map_err(Error::failed)?;
        let record = RunRecord::new(Command::Test(Box::new(self.record)), &self.device, self.warnings);
        finish(&self.comparison, record, &directory, started, progress)?;
        Ok(directory.root().to_path_buf())
    }
}

/// The checksum of each file of a side, by the name of what is in it.
fn sums(sources: &[Source], read: &[Read], side: Side) -> Result<BTreeMap<String, String>, FileError> {
    let given = |name: &str| sources.iter().find(|source| source.name == name)?.given.as_ref();
    // The layers of an archive are one file.
    let mut known: BTreeMap<&Path, String> = BTreeMap::new();
    let mut sums = BTreeMap::new();
    for read in read.iter().filter(|read| read.side == side) {
        let sum = match (known.get(read.path.as_path()), given(&read.name)) {
            (Some(sum), _) => sum.clone(),
            (None, Some(array)) => array.checksum()?,
            // Of word vectors the words may stand in a list beside them.
            (None, None) => match (read.form.as_str(), vectors::files(&read.path)) {
                ("vectors", Ok(files)) => of_files(&files)?,
                ("features", Ok(files)) if words::list_beside(&read.path).is_some() => of_files(&files)?,
                _ => sha256(&read.path)?,
            },
        };
        known.insert(&read.path, sum.clone());
        sums.insert(read.name.clone(), sum);
    }
    Ok(sums)
}

/// Names on both sides that make files of their own.
fn check_names(request: &TestRequest) -> Result<(), HalvesError> {
    let sides = [("words", &request.words), ("images", &request.images)];
    let titles = [("axis", &request.axis), ("groups-are", &request.reading.groups_are)];
    let titles = titles.into_iter().filter_map(|(option, title)| Some((option, title.as_ref()?)));
    let network = ("network", &request.network);
    let named = sides.iter().flat_map(|(side, sources)| sources.iter().map(|source| (*side, &source.name)));
    if let Some((option, name)) = named.chain(titles).chain([network]).find(|(_, name)| !is_name(name)) {
        return Err(OptionError { option, found: format!("{name:?}"), expected: NAME }.into());
    }
    if let Some((option, _)) = sides.iter().find(|(_, sources)| sources.is_empty()) {
        let (found, expected) = ("(none)".to_string(), "NAME=FILE at least once");
        return Err(OptionError { option, found, expected }.into());
    }
    let [words, images] = sides.map(|(_, sources)| sources.iter().map(|source| source.name.as_str()));
    check_clashes(words, images, true)
}

/// Whether what was read can be tested as it is asked for.
fn check_read(request: &TestRequest, inputs: &Inputs) -> Result<(), HalvesError> {
    let Inputs { words, word_spaces, space, read, reordered, .. } = inputs;
    check_measures(&request.measures, request.neighbours, space.concepts.len()).map_err(|error| {
        match error.option {
            "measures" => OptionError { option: "measure", ..error },
            _ => error,
        }
    })?;
    check_vectors(&request.measures, words, space, read)?;
    check_groups(&request.measures, word_spaces)?;
    let of_words = words.iter().map(|model| ("words", &model.name));
    let of_images = space.layers.iter().map(|layer| &layer.name).chain(&space.groups).map(|name| ("images", name));
    if let Some((option, name)) = of_words.chain(of_images).find(|(_, name)| !is_text(name)) {
        return Err(OptionError { option, found: format!("{name:?}"), expected: TEXT }.into());
    }
    check_constant(request.options.constant, words, space, read)?;
    match request.categories.as_ref().filter(|_| *reordered && request.concepts.is_none()) {
        Some(path) => Err(HalvesError::CategoriesOrder(path.clone())),
        None => Ok(()),
    }
}

/// Names what is tested: the arrays of the files, how they are understood, and what they are called.
fn experiment(request: &TestRequest, checksums: &MatrixChecksums, read: &[Read], concepts: &[String]) -> String {
    let sources: Vec<_> = request.words.iter().chain(&request.images).map(|s| (&s.name, &s.array)).collect();
    let understood: Vec<_> =
        read.iter().map(|r| (r.side, &r.name, &r.form, r.entries, r.matrices, &r.groups, &r.order)).collect();
    checksum::of_parts(&[
        "test",
        env!("CARGO_PKG_VERSION"),
        &request.network,
        &format!("{checksums:?}"),
        &format!("{sources:?} {understood:?}"),
        &format!("{concepts:?}"),
    ])
}

/// Constant vectors: none among the words, and among the images by the rule.
fn check_constant(rule: Constant, words: &[Words], space: &Space, read: &[Read]) -> Result<(), HalvesError> {
    let error = |read: &Read, group: &str, constant: usize| HalvesError::Constant {
        path: read.path.clone(),
        group: group.to_string(),
        concept: space.concepts[constant].clone(),
        words: read.side == Side::Words,
    };
    for (read, model) in read.iter().zip(words) {
        if let Some(&constant) = model.rsm.constant().first() {
            return Err(error(read, OF_WORDS, constant));
        }
    }
    if rule == Constant::Half {
        return Ok(());
    }
    for (read, layer) in read[words.len()..].iter().zip(&space.layers) {
        for (group, rsm) in space.groups.iter().zip(&layer.rsms) {
            if let Some(&constant) = rsm.constant().first() {
                return Err(error(read, group, constant));
            }
        }
    }
    Ok(())
}

/// Measures that need vectors have them.
fn check_vectors(measures: &[Measure], words: &[Words], space: &Space, read: &[Read]) -> Result<(), HalvesError> {
    let Some(&measure) = measures.iter().find(|measure| measure.needs_gram()) else { return Ok(()) };
    let known = words.iter().map(|model| model.scales.is_some());
    let known = known.chain(space.layers.iter().map(|layer| !layer.scales.is_empty()));
    match read.iter().zip(known).find(|(_, known)| !known) {
        Some((read, _)) => Err(HalvesError::NoVectors { path: read.path.clone(), measure }),
        None => Ok(()),
    }
}

/// Measures that take one matrix of the words have one.
fn check_groups(measures: &[Measure], words: &[WordSpace]) -> Result<(), HalvesError> {
    let single = |measure: &&Measure| [Measure::TwoVsTwo, Measure::RsaKendall].contains(measure);
    let grouped = words.iter().find(|space| space.layers.iter().any(|layer| layer.rsms.len() > 1));
    match measures.iter().find(single).zip(grouped) {
        Some((measure, space)) => Err(OptionError {
            option: "measure",
            found: format!("{measure} with the groups of {}", space.name),
            expected: "words without groups, or another measure",
        }
        .into()),
        None => Ok(()),
    }
}

/// Options that suit so many concepts in so many groups.
fn check_options(request: &TestRequest, concepts: usize, groups: usize) -> Result<(), HalvesError> {
    let others = !request.measures.is_empty() || !request.controls.partition.is_empty();
    request.options.check(request.inference.resampled(concepts, others))?;
    request.inference.check(request.options.bootstrap, groups)?;
    match names::twice(&request.rsa) {
        Some(method) => {
            let found = format!("{method} twice");
            Err(OptionError { option: "rsa", found, expected: "each method once" }.into())
        }
        None => Ok(()),
    }
}

/// What the test knows itself, against which the spaces that are controlled for are held.
fn own<'a>(request: &TestRequest, inputs: &'a Inputs, categories: Option<&'a [String]>) -> Own<'a> {
    let Inputs { words, space, read, reordered, .. } = inputs;
    let named = request.concepts.is_some() || read.iter().any(|read| read.names.is_some());
    Own {
        layers: space.layers.iter().map(|layer| layer.name.as_str()).collect(),
        words: words.iter().map(|model| model.name.as_str()).collect(),
        categories,
        concepts: &space.concepts,
        named,
        by_name: !request.by_order,
        unnamed: match (request.by_order || request.concepts.is_some() || !named, reordered) {
            (true, _) => Unnamed::Taken,
            (false, false) => Unnamed::Doubted,
            (false, true) => Unnamed::Refused,
        },
        groups: &space.groups,
        groups_named: read.iter().any(|read| read.matrices > 1 && read.groups.is_some()),
    }
}

/// What the test itself would refuse, before it starts: no draw is counted.
fn check_testable(words: &[Words], space: &Space, read: &[Read], draws: &Permutations) -> Result<(), HalvesError> {
    let refused = |path: PathBuf, source: TwoVsTwoError| match source {
        TwoVsTwoError::FlatRow { side, concept } => {
            let group = match side {
                two_vs_two::Side::Words => OF_WORDS.to_string(),
                two_vs_two::Side::Image(group) => space.groups[group].clone(),
            };
            HalvesError::Flat { path, group, concept: space.concepts[concept].clone() }
        }
        source => HalvesError::Untestable { path, source },
    };
    let check = |read: &Read, model: &Words, images: &[Rsm]| {
        two_vs_two::check(&model.rsm, images, draws).map_err(|source| refused(read.path.clone(), source))
    };
    // What is wrong with an image is not its words' fault: these alone are looked at first.
    read.iter().zip(words).try_for_each(|(read, model)| check(read, model, &[]))?;
    let mut layers = read[words.len()..].iter().zip(&space.layers);
    layers.try_for_each(|(read, layer)| check(read, &words[0], &layer.rsms))
}
