//! The tests given other spaces, and the layers' variance partitioned between spaces.

use std::borrow::Cow;

use super::{Evaluation, LayerRsms, Options, Space, Words};
use crate::error::Error;
use crate::progress::Progress;
use crate::results::{ControlRow, PartitionRow, Results};
use crate::stats::Rsm;
use crate::stats::partial::{Measure, PartialTest};
use crate::stats::partition;
use crate::stats::permutation::strata;
use crate::stats::rsa::{Rsa, upper};

/// The concepts' categories as a space: 1 within, 0 between them.
pub const CATEGORY: &str = "category";

/// Why Kendall's tau is not among the tests given other spaces.
const NO_PARTIAL_KENDALL: &str = "given: kendall-tau-a is not tested given other spaces: its partial form (Kendall 1942) is made of \
     correlations and leaves no residuals to permute, so no draws would hold its level; 2v2, rsa-pearson and, where \
     it is asked for, rsa-spearman are";

/// What others are held against.
#[derive(Default)]
pub struct Controls {
    /// Spaces that are given, each alone and all together.
    pub given: Vec<Control>,
    /// Spaces that share the layers' variance.
    pub partition: Vec<Control>,
    /// How each file of theirs was read, and what nobody but the user knows of it.
    pub read: Vec<(String, Option<String>)>,
}

/// A space by name.
pub struct Control {
    /// As in tables and figures.
    pub name: String,
    /// Its matrix, or one per group, where it is none of the experiment's own.
    pub rsms: Option<Vec<Rsm>>,
}

/// One of the experiment's own spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The categories.
    Category,
    /// The layer at this place.
    Layer(usize),
    /// The word model at this place.
    Words(usize),
}

/// A space that is ready.
struct Ready<'a> {
    name: &'a str,
    rsms: Cow<'a, [Rsm]>,
}

impl Place {
    /// Every space of this name.
    pub fn all(name: &str, layers: &[&str], words: &[&str], categories: bool) -> Vec<Self> {
        let category = (categories && name == CATEGORY).then_some(Self::Category);
        let layer = layers.iter().position(|layer| *layer == name).map(Self::Layer);
        let words = words.iter().position(|words| *words == name).map(Self::Words);
        category.into_iter().chain(layer).chain(words).collect()
    }
}

/// The matrix of categories.
pub fn category_rsm(categories: &[String]) -> Rsm {
    let strata = strata(categories);
    let rows = strata.iter().flat_map(|a| strata.iter().map(move |b| f64::from(u8::from(a == b))));
    Rsm::new(strata.len(), rows.collect())
}

/// Whether a matrix can be given: every concept has a correlation, and not all are the same.
pub fn says_something(rsm: &Rsm) -> bool {
    Rsa::Pearson.correlation(&upper(rsm), &upper(rsm)).is_some() && !upper(rsm).iter().any(|x| x.is_nan())
}

/// Rows of both tables, and what the user should know.
///
/// # Errors
/// [`Error::Interrupted`] when asked to stop, [`Error::Failed`] if a matrix cannot be tested.
pub fn controls(
    space: &Space,
    words: &[Words],
    categories: Option<&[String]>,
    controls: &Controls,
    options: &Options,
    progress: &Progress,
) -> Result<(Results, Vec<String>), Error> {
    let mut results = Results::default();
    let mut warnings = Vec::new();
    if controls.given.is_empty() && controls.partition.is_empty() {
        return Ok((results, warnings));
    }
    let measures = measures(options);
    if options.rsa.contains(&Rsa::KendallTauA) && !controls.given.is_empty() && !words.is_empty() {
        warnings.push(NO_PARTIAL_KENDALL.to_string());
    }
    let given = ready(&controls.given, "given", space, words, categories, &mut warnings);
    let spaces = ready(&controls.partition, "partition", space, words, categories, &mut warnings);
    let tests: usize =
        sets(&given).iter().map(|set| words.iter().filter(|model| of_model(set, model).is_some()).count()).sum();
    let resamples = if spaces.is_empty() { 0 } else { options.bootstrap + 1 };
    let per_layer = (options.permutations + 1) * (tests * measures.len()) as u64 + resamples;
    let task = progress.task(per_layer * (space.layers.len() * space.groups.len()) as u64);
    let evaluation = Evaluation::new(space, words, options, task, progress);
    let without: Vec<_> = measures.iter().map(|&measure| evaluation.without(measure)).collect();
    for set in sets(&given) {
        for (&measure, without) in measures.iter().zip(&without) {
            results.controls.extend(evaluation.given(&set, measure, without, &mut warnings)?);
        }
    }
    if !spaces.is_empty() {
        results.partition = evaluation.partition(&spaces, &mut warnings)?;
    }
    Ok((results, warnings))
}

/// The 2 vs. 2 test and RSA; by ranks too where these are correlated anyhow.
fn measures(options: &Options) -> Vec<Measure> {
    let ranks = options.rsa.contains(&Rsa::Spearman).then_some(Measure::Spearman);
    [Measure::TwoVsTwo(options.ties), Measure::Pearson].into_iter().chain(ranks).collect()
}

/// Each space alone, then all together.
fn sets<'a>(given: &'a [Ready<'a>]) -> Vec<Vec<&'a Ready<'a>>> {
    let alone = given.iter().map(|space| vec![space]);
    let together = (given.len() > 1).then(|| given.iter().collect());
    alone.chain(together).collect()
}

/// What a word model is given of a set: not itself, and nothing that it is given alone already.
fn of_model<'a>(set: &[&'a Ready<'a>], model: &Words) -> Option<Vec<&'a Ready<'a>>> {
    let others: Vec<&Ready> = set.iter().copied().filter(|space| space.name != model.name).collect();
    (others.len() > 1 || others.len() == set.len()).then_some(others)
}

fn names(spaces: &[&Ready]) -> String {
    spaces.iter().map(|space| space.name).collect::<Vec<_>>().join(" + ")
}

fn ready<'a>(
    wanted: &'a [Control],
    what: &str,
    space: &'a Space,
    words: &'a [Words],
    categories: Option<&[String]>,
    warnings: &mut Vec<String>,
) -> Vec<Ready<'a>> {
    let layers: Vec<&str> = space.layers.iter().map(|layer| layer.name.as_str()).collect();
    let models: Vec<&str> = words.iter().map(|model| model.name.as_str()).collect();
    let mut found = Vec::new();
    for Control { name, rsms } in wanted {
        let place = Place::all(name, &layers, &models, categories.is_some()).into_iter().next();
        let rsms = match (rsms, place, categories) {
            (Some(rsms), ..) => Cow::Borrowed(rsms.as_slice()),
            (None, Some(Place::Layer(layer)), _) => Cow::Borrowed(space.layers[layer].rsms.as_slice()),
            (None, Some(Place::Words(model)), _) => Cow::Borrowed(std::slice::from_ref(&words[model].rsm)),
            (None, Some(Place::Category), Some(categories)) => Cow::Owned(vec![category_rsm(categories)]),
            // Of measures alone no word model is tested, and what goes with that test is said not to be done.
            _ if words.is_empty() => continue,
            _ => {
                warnings.push(format!("{what}: there is no space {name}; left out"));
                continue;
            }
        };
        if rsms.iter().all(says_something) {
            found.push(Ready { name, rsms });
        } else {
            warnings.push(format!("{what} {name}: it has a constant image, which has no similarities; left out"));
        }
    }
    found
}

impl Evaluation<'_> {
    /// The values where nothing is given, `[word models][layers]`; NaN where a layer is not tested.
    fn without(&self, measure: Measure) -> Vec<Vec<f64>> {
        let layers = self.space.rsms();
        let of_model = |model: &Words| {
            let test = PartialTest::new(measure, &model.rsm, &layers, &[], &self.options.draws);
            (0..layers.len()).map(|layer| test.observed(layer).unwrap_or(f64::NAN)).collect()
        };
        self.words.iter().map(of_model).collect()
    }

    /// Every word model's family under one measure, beside the values [`without`](Self::without).
    fn given(
        &self,
        set: &[&Ready],
        measure: Measure,
        without: &[Vec<f64>],
        warnings: &mut Vec<String>,
    ) -> Result<Vec<ControlRow>, Error> {
        let (layers, draws) = (self.space.rsms(), &self.options.draws);
        let (mut given, mut tests) = (Vec::new(), Vec::new());
        for model in self.words {
            let spaces = of_model(set, model);
            tests.push(match &spaces {
                Some(spaces) => {
                    let rsms: Vec<&[Rsm]> = spaces.iter().map(|space| &*space.rsms).collect();
                    let test = PartialTest::new(measure, &model.rsm, &layers, &rsms, draws);
                    warnings.extend(self.left_out(model, spaces, measure, test.members()));
                    test
                }
                None => PartialTest::without_members(measure, model.rsm.concepts(), draws),
            });
            given.push(spaces.map_or(String::new(), |spaces| names(&spaces)));
        }
        let inferences = self.test(&format!("{measure} given {}", names(set)), &tests)?;
        let mut rows = Vec::new();
        let models = self.words.iter().zip(without).zip(given);
        for (((model, without), given), (test, inferences)) in models.zip(tests.iter().zip(inferences)) {
            for (member, (&index, inference)) in test.members().iter().zip(inferences).enumerate() {
                let layer = &self.space.layers[index];
                rows.push(ControlRow {
                    network: self.space.network.clone(),
                    layer: layer.name.clone(),
                    label: layer.label.clone(),
                    words: model.name.clone(),
                    given: given.clone(),
                    measure: measure.to_string(),
                    value: inference.value,
                    without: without[index],
                    permutations: inference.permutations,
                    p_value: inference.p_value,
                    p_fwer: inference.p_fwer,
                    q_fdr: inference.q_fdr,
                    null_mean: inference.null_mean,
                    null_sd: inference.null_sd,
                    ties: test.ties().map(|ties| ties[member]),
                });
            }
        }
        Ok(rows)
    }

    /// Which layers are not tested, but for those that are given.
    fn left_out(&self, model: &Words, given: &[&Ready], measure: Measure, members: &[usize]) -> Option<String> {
        let layers = self.space.layers.iter().enumerate();
        let is_given = |layer: &LayerRsms| given.iter().any(|space| space.name == layer.name);
        let absent = layers.filter(|(n, layer)| !members.contains(n) && !is_given(layer));
        let absent: Vec<&str> = absent.map(|(_, layer)| layer.name.as_str()).collect();
        let (model, given) = (&model.name, names(given));
        (!absent.is_empty()).then(|| {
            let layers = absent.join(", ");
            format!("{measure}, {model} given {given}: at {layers} nothing is left of the words or of the layer, or an image is constant; left out")
        })
    }

    /// Every layer's parts.
    fn partition(&self, spaces: &[Ready], warnings: &mut Vec<String>) -> Result<Vec<PartitionRow>, Error> {
        let layers: Vec<&LayerRsms> =
            self.space.layers.iter().filter(|layer| spaces.iter().all(|space| space.name != layer.name)).collect();
        let rsms: Vec<&[Rsm]> = layers.iter().map(|layer| layer.rsms.as_slice()).collect();
        let of_spaces: Vec<&[Rsm]> = spaces.iter().map(|space| &*space.rsms).collect();
        let Options { seed, bootstrap, .. } = *self.options;
        self.task.now("variance partitioning".to_string());
        let found = partition::partition(&of_spaces, &rsms, (seed, bootstrap), &|rsms| self.counted(rsms))?;
        let all: Vec<&Ready> = spaces.iter().collect();
        let mut rows = Vec::new();
        for (layer, parts) in layers.iter().zip(found) {
            let Some(parts) = parts else {
                warnings.push(format!("partition: {} has a constant image; left out", layer.name));
                continue;
            };
            let whole = parts.len() - 1;
            for (n, part) in parts.iter().enumerate() {
                let members: Vec<&Ready> = all
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| part.spaces & (1 << bit) != 0)
                    .map(|(_, &space)| space)
                    .collect();
                let kind = match members.len() {
                    _ if n == whole => "total",
                    1 => "unique",
                    _ => "shared",
                };
                rows.push(PartitionRow {
                    network: self.space.network.clone(),
                    layer: layer.name.clone(),
                    label: layer.label.clone(),
                    spaces: names(&all),
                    part: names(&members),
                    kind: kind.to_string(),
                    explained: part.share,
                    ci_low: part.interval.map(|interval| interval.low),
                    ci_high: part.interval.map(|interval| interval.high),
                });
            }
        }
        Ok(rows)
    }
}
