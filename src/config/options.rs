//! How accuracies are tested, and what `semgpu test` is asked for: one definition for the configuration, the command line
//! and `run.json`.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use schemars::JsonSchema;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};

use super::controls::ControlsConfig;
use crate::device::Choice;
use crate::matrices::{Reading, Side, Source};
use crate::names;
use crate::stats::alignment::Measure;
use crate::stats::bootstrap::MIN_CONCEPTS;
use crate::stats::generalise::{FEWEST_GROUPS, Generalise};
use crate::stats::inference::{Family, Tail};
use crate::stats::permutation::{self, Permutations};
use crate::stats::rsa::Rsa;
use crate::stats::scoring::{Constant, Ties};
use crate::wording::{counted, plain};

/// How accuracies are tested: `[two_vs_two]` of an experiment, options of `semgpu test`.
#[derive(Clone, Debug, PartialEq, Args, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TestOptions {
    /// Draws of the null.
    #[arg(long, default_value_t = TestOptions::default().permutations, value_parser = whole::<u64>, value_name = "N")]
    pub permutations: u64,
    /// A tied pair counts as lost, half or won.
    #[arg(long, default_value = "lost", value_parser = named::<Ties>)]
    pub ties: Ties,
    /// A constant image (in a matrix, a row of NaN): error, or half for its pairs.
    #[arg(long, default_value = "error", value_parser = named::<Constant>)]
    pub constant: Constant,
    /// Permute only within categories: the stricter null. `semgpu test` does where it has categories.
    #[arg(skip)]
    pub within_categories: bool,
    /// Draw until so many draws of every layer reach its observed value (Besag & Clifford 1991).
    #[arg(long, value_name = "N")]
    pub stop_after: Option<NonZeroU32>,
    /// Bootstrap resamples over concepts, for 95 % intervals; 0: none.
    #[arg(long, default_value_t = TestOptions::default().bootstrap, value_parser = whole::<u64>, value_name = "N")]
    pub bootstrap: u64,
}

impl Default for TestOptions {
    fn default() -> Self {
        Self {
            permutations: 1000,
            ties: Ties::default(),
            constant: Constant::default(),
            within_categories: false,
            stop_after: None,
            bootstrap: 0,
        }
    }
}

/// What p-values speak of, for every measure: `[inference]` of an experiment, options of `semgpu test`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InferenceOptions {
    /// What the family-wise p covers: layers (of each word model), words (the layers of all word models), or networks (those of
    /// all networks of a sweep).
    #[arg(long, default_value = "layers", value_parser = named::<Family>)]
    pub family: Family,
    /// Which values speak against the null: upper (high ones), lower, or two (far from the null's mean on either side).
    #[arg(long, default_value = "upper", value_parser = named::<Tail>)]
    pub tail: Tail,
    /// What bootstrap intervals of accuracies, RSA and differences speak of: other concepts, groups (subjects), or both.
    #[arg(long, value_parser = named::<Generalise>, value_name = "concepts|groups|both")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generalise: Option<Generalise>,
}

/// Bootstrap resamples that can be asked for; all are held.
pub const MOST_RESAMPLES: u64 = 1_000_000;

/// The same where values are generalised: those of all layers, models and noise ceilings are held.
const MOST_WORLDS: u64 = 100_000;

/// An option out of its range.
#[derive(Debug)]
pub struct OptionError {
    /// The option's name in Rust and TOML.
    pub option: &'static str,
    /// The range.
    pub expected: &'static str,
    /// As given.
    pub found: String,
}

impl TestOptions {
    /// Whether it can be tested in this way; resamples draw so many concepts, if they draw any.
    ///
    /// # Errors
    /// The first option that is out of its range.
    pub fn check(&self, resampled: Option<usize>) -> Result<(), OptionError> {
        check_permutations(self.permutations)?;
        if self.stop_after.is_some_and(|stop| stop.get() < 2) {
            let expected = "2 or more, or none: settled by one draw a p-value may count none before it";
            return Err(OptionError { option: "stop_after", expected, found: "1".to_string() });
        }
        if let Some(stop) = self.stop_after.filter(|stop| u64::from(stop.get()) > self.permutations) {
            let found = format!("{stop} with {}", counted(self.permutations, "permutation"));
            let expected = "at most as many as permutations, or none: so many draws never reach a value";
            return Err(OptionError { option: "stop_after", expected, found });
        }
        // One resample has no spread.
        if self.bootstrap == 1 || self.bootstrap > MOST_RESAMPLES {
            let (found, expected) = (self.bootstrap.to_string(), "0, or 2 to 1,000,000");
            return Err(OptionError { option: "bootstrap", expected, found });
        }
        if let Some(concepts) = resampled.filter(|&concepts| self.bootstrap > 0 && concepts < MIN_CONCEPTS) {
            let found = format!("{} with {concepts} concepts", self.bootstrap);
            return Err(OptionError { option: "bootstrap", expected: "0, or 12 concepts or more to resample", found });
        }
        Ok(())
    }

    /// The stratum of each concept, where draws keep to categories.
    pub fn strata(&self, categories: Option<&[String]>) -> Option<Vec<u32>> {
        categories.filter(|_| self.within_categories).map(permutation::strata)
    }
}

impl InferenceOptions {
    /// The concepts that resamples draw, of so many; over groups alone none but those of `others`, measures and partitions of
    /// variance, whose intervals are over concepts whatever else is generalised to.
    pub fn resampled(&self, concepts: usize, others: bool) -> Option<usize> {
        (others || self.generalise != Some(Generalise::Groups)).then_some(concepts)
    }

    /// Whether so many groups can be tested in this way.
    ///
    /// # Errors
    /// The first option that is out of its range.
    pub fn check(&self, bootstrap: u64, groups: usize) -> Result<(), OptionError> {
        let Some(over) = self.generalise else { return Ok(()) };
        let error = |expected, found| Err(OptionError { option: "generalise", expected, found });
        if !(2..=MOST_WORLDS).contains(&bootstrap) {
            return error(
                "two_vs_two.bootstrap (--bootstrap) of 2 to 100,000 resamples",
                format!("with bootstrap {bootstrap}"),
            );
        }
        if over.over_groups() && groups < FEWEST_GROUPS {
            return error("two groups or more (five say something), or concepts", format!("with {groups} group"));
        }
        Ok(())
    }
}

/// Every layer's value of every draw is kept.
const MOST_PERMUTATIONS: u64 = 100_000_000;

pub(crate) fn check_permutations(permutations: u64) -> Result<(), OptionError> {
    if permutations <= MOST_PERMUTATIONS {
        return Ok(());
    }
    let found = permutations.to_string();
    Err(OptionError { option: "permutations", expected: "0 to 100,000,000", found })
}

/// Measures, each once, of so many concepts with so many neighbours.
pub(crate) fn check_measures(measures: &[Measure], neighbours: usize, concepts: usize) -> Result<(), OptionError> {
    if let Some(twice) = names::twice(measures) {
        return Err(OptionError { option: "measures", expected: "each measure once", found: twice.to_string() });
    }
    let fewest = if measures.contains(&Measure::Cknna) { 2 } else { 1 };
    if any_counts_neighbours(measures) && !(fewest..concepts.saturating_sub(1)).contains(&neighbours) {
        let found = format!("{neighbours} of {concepts} concepts");
        let expected = "1 or more (cknna: 2), fewer than there are other concepts";
        return Err(OptionError { option: "neighbours", expected, found });
    }
    Ok(())
}

pub(super) fn any_counts_neighbours(measures: &[Measure]) -> bool {
    measures.iter().any(|measure| measure.counts_neighbours())
}

/// Which of the two spaces are of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Spaces {
    /// The words alone.
    Words,
    /// The images alone.
    Images,
    /// Both.
    Both,
}

impl Spaces {
    /// Whether a side is among them.
    pub fn hold(self, side: Side) -> bool {
        matches!((self, side), (Self::Both, _) | (Self::Words, Side::Words) | (Self::Images, Side::Images))
    }
}

/// The draws of so many concepts, within their strata where there are any.
pub fn draws(seed: u64, concepts: usize, strata: Option<&[u32]>) -> Permutations {
    strata.map_or_else(|| Permutations::new(seed, concepts), |strata| Permutations::stratified(seed, strata))
}

/// What `semgpu test` is asked for.
#[derive(Clone, Debug, Args, Deserialize, Serialize)]
pub struct TestRequest {
    /// A word model's matrix, [concepts, concepts], a file of word vectors, or vectors of the concepts (--features);
    /// NAME=FILE::ARRAY takes one of several arrays.
    #[arg(long, required = true, allow_hyphen_values = true, value_name = "NAME=RSM.npy")]
    pub words: Vec<Source>,
    /// A layer's matrix, [concepts, concepts] or [groups, concepts, concepts], or a folder of them; layers in input order.
    #[arg(long, required = true, allow_hyphen_values = true, value_name = "LAYER=RSM.npy")]
    pub images: Vec<Source>,
    /// Names, a line each: the matrices of an array are layers of these names (times, regions) instead of groups.
    #[arg(long, value_name = "FILE")]
    #[serde(default)]
    pub layers: Option<PathBuf>,
    /// What the layers stand along in figures, such as "Time (ms)"; default: Layer.
    #[arg(long, value_name = "TITLE")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axis: Option<String>,
    /// The layers have no order (regions): points or bars instead of curves.
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unordered: bool,
    /// The network's name in tables and figures; by default figures call it as the one --images is called.
    #[arg(long, default_value = "images", value_name = "NAME")]
    pub network: String,
    /// What the files do not say of themselves.
    #[command(flatten)]
    #[serde(flatten)]
    pub reading: Reading,
    /// Names of the concepts, a line each, in the order of matrices that name none.
    #[arg(long, value_name = "FILE")]
    pub concepts: Option<PathBuf>,
    /// Names in the files are not looked at: all matrices are in one order.
    #[arg(long)]
    #[serde(default)]
    pub by_order: bool,
    /// Categories of the concepts, a line each: permute only within them.
    #[arg(long, value_name = "FILE")]
    pub categories: Option<PathBuf>,
    /// Permute across categories too: they are there to be controlled for (--given category).
    #[arg(long, requires = "categories")]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub across_categories: bool,
    /// How they are tested.
    #[command(flatten)]
    #[serde(flatten)]
    pub options: TestOptions,
    /// What their p-values speak of.
    #[command(flatten)]
    #[serde(flatten)]
    pub inference: InferenceOptions,
    /// What is controlled for.
    #[command(flatten)]
    #[serde(default)]
    pub controls: ControlsConfig,
    /// Also correlate the matrices: pearson, spearman, kendall-tau-a (repeatable).
    #[arg(long, value_parser = named::<Rsa>)]
    pub rsa: Vec<Rsa>,
    /// Every layer of the words against every layer of the images (repeatable): 2v2, cka, cka-debiased, cka-rbf, mknn, cknna,
    /// rsa-pearson, rsa-spearman, rsa-kendall, rsa-cosine. A folder or an archive of --words is then one space with layers.
    #[arg(long = "measure", value_parser = named::<Measure>, value_name = "MEASURE")]
    #[serde(default)]
    pub measures: Vec<Measure>,
    /// Neighbours of mknn and cknna.
    #[arg(long, default_value_t = super::neighbours(), value_parser = whole::<usize>, value_name = "K")]
    #[serde(default = "super::neighbours")]
    pub neighbours: usize,
    /// The files hold features, [concepts, units] or [groups, concepts, units], not matrices: of words, images or both.
    #[arg(long, value_name = "SIDE", num_args = 0..=1, default_missing_value = "both", value_parser = named::<Spaces>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Spaces>,
    /// The matrices are kernels: a correlation is the inner product of two vectors of unit length.
    #[arg(long, value_name = "SIDE", num_args = 0..=1, default_missing_value = "both", value_parser = named::<Spaces>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernels: Option<Spaces>,
    /// Seeds the draws.
    #[arg(long, default_value_t = super::seed(), value_name = "S")]
    pub seed: u64,
    /// auto, cpu, gpu or gpu:N.
    #[arg(long, default_value = "auto")]
    pub device: Choice,
    /// Where results go.
    // Only who asks from a program may want nothing kept.
    #[arg(long, value_name = "DIR", required = true)]
    pub out: Option<PathBuf>,
    /// Removes what semgpu wrote there before: results of another experiment.
    #[arg(long)]
    #[serde(skip)]
    pub fresh: bool,
}

impl TestRequest {
    /// A test of spaces that leaves its results in `out`, if anywhere, all else as `semgpu test` does it by itself.
    pub fn new(words: Vec<Source>, images: Vec<Source>, out: impl Into<Option<PathBuf>>) -> Self {
        Self {
            words,
            images,
            layers: None,
            axis: None,
            unordered: false,
            network: "images".to_string(),
            reading: Reading::default(),
            concepts: None,
            by_order: false,
            categories: None,
            across_categories: false,
            options: TestOptions::default(),
            inference: InferenceOptions::default(),
            controls: ControlsConfig::default(),
            rsa: Vec::new(),
            measures: Vec::new(),
            neighbours: super::neighbours(),
            features: None,
            kernels: None,
            seed: super::seed(),
            device: Choice::default(),
            out: out.into(),
            fresh: false,
        }
    }

    /// What is read.
    pub fn inputs(&self) -> impl Iterator<Item = &Path> {
        let sources = self.words.iter().chain(&self.images);
        let files = sources.filter(|source| source.given.is_none()).map(|source| &source.path);
        files
            .chain(&self.concepts)
            .chain(&self.layers)
            .chain(&self.categories)
            .map(PathBuf::as_path)
            .chain(self.controls.sources().map(|source| source.path.as_path()))
    }

    /// Every path that the request names.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let matrices = self.words.iter_mut().chain(&mut self.images).map(|source| &mut source.path);
        let lists = matrices.chain(&mut self.concepts).chain(&mut self.layers).chain(&mut self.categories);
        lists.chain(&mut self.out).chain(self.controls.paths_mut())
    }
}

/// A value of the command line by its name in the configuration.
///
/// # Errors
/// Another name; the error says which there are.
pub fn named<T: DeserializeOwned>(name: &str) -> Result<T, String> {
    T::deserialize(name.into_deserializer()).map_err(|error: serde::de::value::Error| plain(&error.to_string()))
}

/// A count of the command line, also as 1_000 or 1e3.
///
/// # Errors
/// No whole number, or one that is too large.
pub fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    /// Up to here doubles hold every whole number.
    const EXACT: f64 = (1_u64 << 53) as f64;
    let digits = text.replace('_', "");
    let by_powers = || {
        let number: f64 = digits.parse().ok()?;
        (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then(|| (number as u64).to_string())
    };
    let count = digits.parse().ok().or_else(|| by_powers()?.parse().ok());
    count.ok_or_else(|| "expected a whole number, such as 1000, 1_000 or 1e3".to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::wording::grouped;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        options: TestOptions,
        #[command(flatten)]
        inference: InferenceOptions,
    }

    #[test]
    fn the_defaults_of_the_command_line_are_those_of_the_configuration() {
        let from_toml: TestOptions = toml::from_str("").unwrap();
        assert_eq!(from_toml, TestOptions::default());
        assert_eq!(Arguments::parse_from(["test"]).options, TestOptions::default());
        let given =
            Arguments::parse_from(["test", "--ties", "half", "--stop-after", "3", "--constant", "half"]).options;
        assert_eq!(given, toml::from_str("ties = \"half\"\nstop_after = 3\nconstant = \"half\"").unwrap());
        assert_eq!(Arguments::parse_from(["test"]).inference, toml::from_str("").unwrap());
        let given = Arguments::parse_from(["test", "--tail", "two", "--family", "words"]).inference;
        assert_eq!(given, toml::from_str("tail = \"two\"\nfamily = \"words\"").unwrap());
        assert_eq!(given, InferenceOptions { family: Family::Words, tail: Tail::Two, generalise: None });
    }

    #[test]
    fn counts_may_be_written_by_powers_of_ten() {
        for text in ["1000", "1_000", "1e3", "0.1e4"] {
            let options = Arguments::parse_from(["test", "--permutations", text, "--bootstrap", text]).options;
            assert_eq!((options.permutations, options.bootstrap), (1000, 1000), "{text}");
        }
        for text in ["1.5", "1e-3", "1e300", "many", "1,000", ""] {
            assert_eq!(
                whole::<u64>(text).unwrap_err(),
                "expected a whole number, such as 1000, 1_000 or 1e3",
                "{text}"
            );
        }
    }

    #[test]
    fn another_name_on_the_command_line_is_told_as_in_the_configuration() {
        let error = named::<Ties>("hlf").unwrap_err();
        assert_eq!(error, "there is no `hlf`, expected one of `lost`, `half`, `won`; did you mean \"half\"?");
    }

    #[test]
    fn options_out_of_their_range_are_named() {
        let permutations = TestOptions { permutations: 5_000_000_000, ..TestOptions::default() };
        let error = permutations.check(Some(20)).unwrap_err();
        assert_eq!((error.option, error.expected), ("permutations", &*format!("0 to {}", grouped(MOST_PERMUTATIONS))));
        let never =
            |stop| TestOptions { stop_after: NonZeroU32::new(stop), permutations: 50, ..TestOptions::default() };
        assert!(never(50).check(Some(20)).is_ok());
        assert_eq!(never(51).check(None).unwrap_err().found, "51 with 50 permutations");
        assert!(never(2).check(None).is_ok() && never(1).check(None).unwrap_err().expected.starts_with("2 or more"));
        let bootstrap = TestOptions { bootstrap: 10, ..TestOptions::default() };
        let error = bootstrap.check(Some(11)).unwrap_err();
        assert_eq!(error.found, "10 with 11 concepts");
        assert_eq!(error.expected, format!("0, or {MIN_CONCEPTS} concepts or more to resample"));
        assert!(bootstrap.check(Some(12)).is_ok() && bootstrap.check(None).is_ok());
        let bootstrap = TestOptions { bootstrap: 1, ..TestOptions::default() };
        assert_eq!(bootstrap.check(Some(20)).unwrap_err().expected, format!("0, or 2 to {}", grouped(MOST_RESAMPLES)));
    }

    #[test]
    fn neighbours_are_fewer_than_the_other_concepts() {
        let check = |measure, neighbours| check_measures(&[measure], neighbours, 5);
        assert!(check(Measure::Mknn, 1).is_ok() && check(Measure::Mknn, 3).is_ok() && check(Measure::Cka, 9).is_ok());
        // All four others: every draw has the same neighbours.
        for (measure, neighbours) in [(Measure::Mknn, 4), (Measure::Mknn, 0), (Measure::Cknna, 1), (Measure::Cknna, 4)]
        {
            assert_eq!(check(measure, neighbours).unwrap_err().found, format!("{neighbours} of 5 concepts"));
        }
        assert!(check_measures(&[Measure::Mknn], 1, 1).is_err());
    }

    #[test]
    fn groups_that_vary_are_two_or_more() {
        let over = |generalise| InferenceOptions { generalise: Some(generalise), ..InferenceOptions::default() };
        assert!(InferenceOptions::default().check(0, 1).is_ok() && InferenceOptions::default().doubt(1).is_none());
        assert!(over(Generalise::Concepts).check(100, 1).is_ok() && over(Generalise::Concepts).doubt(1).is_none());
        let error = over(Generalise::Concepts).check(0, 5).unwrap_err();
        let expected = format!("two_vs_two.bootstrap (--bootstrap) of 2 to {} resamples", grouped(MOST_WORLDS));
        assert_eq!((&*error.found, error.expected), ("with bootstrap 0", &*expected));
        assert_eq!(over(Generalise::Both).check(100, 1).unwrap_err().found, "with 1 group");
        assert!(over(Generalise::Groups).check(100, 2).is_ok());
        assert_eq!(InferenceOptions::default().resampled(8, false), Some(8));
        assert_eq!(over(Generalise::Both).resampled(8, false), Some(8));
        let groups = over(Generalise::Groups);
        assert_eq!((groups.resampled(8, false), groups.resampled(8, true)), (None, Some(8)));
        assert!(over(Generalise::Groups).doubt(4).unwrap().starts_with("generalise: 4 groups say little"));
        assert!(over(Generalise::Both).doubt(5).is_none());
    }

    #[test]
    fn categories_are_strata_only_where_asked_for() {
        let categories = ["tool", "animal", "tool"].map(String::from);
        let mut options = TestOptions::default();
        assert_eq!(options.strata(Some(&categories)), None);
        options.within_categories = true;
        assert_eq!(options.strata(Some(&categories)), Some(vec![1, 0, 1]));
    }
}
