//! Values under resamples of groups and concepts.

mod pairs;

use rayon::prelude::*;

pub use pairs::{PairVariance, Pairs};

use super::drawn::Drawn;
use super::{FEWEST_GROUPS, Generalise, Samples};
use crate::stats::bootstrap::{Resample, multiplicities};
use crate::stats::permutation::Random;
use crate::stats::rsa::{Comparison, Rsa, square, upper};
use crate::stats::scoring::Ties;
use crate::stats::{Interrupted, Progress, Rsm, report};

/// Keeps the resamples of groups apart from other random numbers under the same seed.
const STREAM: u64 = 0x6772_6f75_7073_5f62;

/// How matrices are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The 2 vs. 2 accuracy.
    TwoVsTwo(Ties),
    /// A correlation of upper triangles.
    Rsa(Rsa),
}

/// How worlds are resampled.
#[derive(Clone, Copy, Debug)]
pub struct Resampling {
    /// Seeds them.
    pub seed: u64,
    /// How many.
    pub resamples: u64,
    /// Of what.
    pub over: Generalise,
}

/// What resamples make of the values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resampled {
    /// `[layers][models]`: means over groups.
    pub models: Vec<Vec<Samples>>,
    /// `[layers]`: lower noise ceilings; none for too few groups, or a constant image.
    pub ceilings: Vec<Option<Samples>>,
    /// `[layers]`: what pairs of concepts do by themselves; 0 for accuracies over groups at a layer without a ceiling.
    pub pairs: Vec<Pairs>,
    /// `[layers - 1]`: what they do at a layer and the next one; values of the models at the one, then at the other. None of
    /// accuracies.
    pub neighbours: Vec<Pairs>,
}

/// How often each group is drawn, out of as many draws as there are groups; depends on `(seed, t)` alone.
pub fn group_multiplicities(seed: u64, t: u64, groups: usize) -> Vec<u32> {
    let mut random = Random::keyed(seed ^ STREAM, t);
    let mut drawn = vec![0; groups];
    (0..groups).for_each(|_| drawn[random.below(groups as u32) as usize] += 1);
    drawn
}

/// Every layer's values against every model under every resample, each the mean over groups, and the layers' lower noise
/// ceilings: the mean over the groups drawn of a group's value against the mean of the other groups.
///
/// `layers` are `[layer][group]`. All layers and models see the same resamples: `t` draws concepts by
/// [`multiplicities`]`(seed, t, concepts)` and groups by [`group_multiplicities`]`(seed, t, groups)`. A resample of concepts
/// that leaves a group without a correlation has no value, and one of one group no ceiling. Accuracies over groups alone are
/// resampled only for ceilings: without one there are no resamples. `progress` is told the RSMs tested.
///
/// # Errors
/// [`Interrupted`] if `progress` asks to stop.
///
/// # Cost
/// Per resample, layer and group: for the 2 vs. 2 test what [`bootstrap`](crate::stats::bootstrap) says, for every model and
/// once for the ceiling, three times over both; RSA passes over the entries some times, and for a ceiling sorts what the mean
/// of the other groups has of different ones. Over groups alone nothing but ceilings is computed again. Parallel over resamples.
///
/// # Panics
/// As [`bootstrap::accuracies`](crate::stats::bootstrap::accuracies).
pub fn resampled(
    measure: Measure,
    models: &[&Rsm],
    layers: &[&[Rsm]],
    resampling: Resampling,
    progress: &Progress,
) -> Result<Resampled, Interrupted> {
    let Some(groups) = layers.first().map(|groups| groups.len()) else {
        return Ok(Resampled::default());
    };
    let Resampling { seed, resamples, over } = resampling;
    let concepts = layers[0][0].concepts();
    let worlds = Worlds::new(measure, models, layers, over);
    let of_each = (layers.len() * models.len() * groups) as u64;
    // Accuracies have their spread over groups, and differences of layers, in closed form: over groups alone and without a ceiling
    // nobody reads their resamples.
    let is_accuracy = matches!(measure, Measure::TwoVsTwo(_));
    let closed = is_accuracy && over.over_groups();
    let needed = !(is_accuracy && over == Generalise::Groups) || worlds.bounded.contains(&true);
    if !needed {
        report(progress, resamples * of_each)?;
    }
    let of_resample = |t: u64| {
        let copies = if over.over_concepts() { multiplicities(seed, t, concepts) } else { Vec::new() };
        let drawn = if over.over_groups() { group_multiplicities(seed, t, groups) } else { Vec::new() };
        let found = worlds.resample(&copies, &drawn);
        report(progress, of_each).map(|()| found)
    };
    let resamples = if needed { 0..resamples } else { 0..0 };
    let all = resamples.into_par_iter().map(of_resample).collect::<Result<Vec<_>, Interrupted>>()?;
    let samples = |layer: usize, place: usize| {
        let of = |bootstrap: usize| -> Vec<f64> {
            all.iter().filter_map(|found| Some(found[bootstrap].get(layer)?[place])).collect()
        };
        Samples { both: of(0), groups: of(1), concepts: of(2) }
    };
    let pairs = |layer: usize| match worlds.bounded[layer] {
        false if closed => Pairs::nothing(models.len()),
        bounded => worlds.pairs(layer..layer + 1, bounded),
    };
    let neighbours = |layer: usize| worlds.pairs(layer..layer + 2, false);
    let (places, followed) = (0..layers.len(), 0..layers.len() - 1);
    Ok(Resampled {
        models: places.clone().map(|layer| (0..models.len()).map(|model| samples(layer, model)).collect()).collect(),
        pairs: places.clone().into_par_iter().map(pairs).collect(),
        neighbours: if is_accuracy { Vec::new() } else { followed.into_par_iter().map(neighbours).collect() },
        ceilings: places.map(|layer| worlds.bounded[layer].then(|| samples(layer, models.len()))).collect(),
    })
}

/// What is resampled.
pub(super) struct Worlds<'a> {
    measure: Measure,
    models: Vec<Space<'a>>,
    /// `[layers][groups]`
    layers: Vec<Vec<Space<'a>>>,
    over: Generalise,
    /// Whether a layer has a noise ceiling.
    bounded: Vec<bool>,
    /// Every concept once.
    every: Drawn,
    /// The layers as they are, where groups are drawn.
    whole: Vec<Layer<'a>>,
}

/// A matrix, sorted once for all resamples.
struct Space<'a> {
    rsm: &'a Rsm,
    /// The pairs by ascending entry, where entries are ranked.
    ascending: Vec<u32>,
}

/// A layer under a resample of the concepts.
struct Layer<'a> {
    groups: Vec<Group<'a>>,
    /// Against each model.
    values: Vec<Values>,
    /// `[groups]`: on the scale on which they are averaged; none without a noise ceiling.
    standard: Option<Vec<Vec<f64>>>,
}

/// The values of groups.
struct Values {
    points: Vec<f64>,
    /// The points of a value of 1.
    whole: f64,
}

/// A model under a resample of the concepts.
enum Model {
    Accuracy(Resample, Ties),
    Entries { kind: Rsa, entries: Vec<f64>, prepared: Vec<f64> },
}

/// A group under a resample of the concepts.
enum Group<'a> {
    Rsm(&'a Rsm),
    Entries(Comparison),
    /// Some entries are none.
    Incomplete(Vec<f64>),
}

impl<'a> Worlds<'a> {
    pub(super) fn new(measure: Measure, models: &'a [&'a Rsm], layers: &'a [&'a [Rsm]], over: Generalise) -> Self {
        // A resample of two groups is one of them, or both: its ceiling does not vary.
        let fewest = if over.over_groups() { FEWEST_GROUPS + 1 } else { FEWEST_GROUPS };
        let bounded = |groups: &&[Rsm]| groups.len() >= fewest && groups.iter().all(|rsm| rsm.constant().is_empty());
        let every = Drawn::new(&vec![1; layers[0][0].concepts()]);
        let bounded = layers.iter().map(bounded).collect();
        let models = models.iter().map(|rsm| Space::new(measure, rsm)).collect();
        let layers: Vec<Vec<Space>> =
            layers.par_iter().map(|rsms| rsms.iter().map(|rsm| Space::new(measure, rsm)).collect()).collect();
        let mut worlds = Self { measure, models, layers, over, bounded, every, whole: Vec::new() };
        if over.over_groups() {
            let models = worlds.models(&worlds.every);
            worlds.whole = (0..worlds.layers.len()).map(|place| worlds.layer(place, &models, &worlds.every)).collect();
        }
        worlds
    }

    /// The values against the models, and the ceiling, in the bootstraps of both, of groups and of concepts; nothing in those
    /// that are not needed. `[bootstraps][layers][models + 1]`.
    pub(super) fn resample(&self, concepts: &[u32], groups: &[u32]) -> [Vec<Vec<f64>>; 3] {
        let once = vec![1; self.layers[0].len()];
        let concepts = Drawn::new(concepts);
        let models = self.over.over_concepts().then(|| self.models(&concepts));
        let mut found = [const { Vec::new() }; 3];
        for place in 0..self.layers.len() {
            if let Some(whole) = self.whole.get(place) {
                found[1].push(self.means(whole, &self.every, groups));
            }
            let Some(models) = &models else { continue };
            let layer = self.layer(place, models, &concepts);
            found[2].push(self.means(&layer, &concepts, &once));
            if self.over.over_groups() {
                found[0].push(self.means(&layer, &concepts, groups));
            }
        }
        found
    }

    /// `[models + 1]`.
    fn means(&self, layer: &Layer, concepts: &Drawn, groups: &[u32]) -> Vec<f64> {
        let ceiling = layer.standard.as_ref().map(|standard| self.ceiling(layer, standard, concepts, groups));
        layer.values.iter().map(|values| values.mean(groups)).chain(ceiling).collect()
    }

    fn models(&self, drawn: &Drawn) -> Vec<Model> {
        self.models.iter().map(|space| Model::new(self.measure, space, drawn)).collect()
    }

    /// The layer at this place.
    fn layer(&self, place: usize, models: &[Model], drawn: &Drawn) -> Layer<'a> {
        let groups = self.layers[place].iter().map(|space| Group::new(self.measure, space, drawn));
        let groups: Vec<Group> = groups.collect();
        let values = |model: &Model| Values {
            points: groups.iter().map(|group| model.points(group)).collect(),
            whole: model.whole(),
        };
        Layer {
            values: models.iter().map(values).collect(),
            standard: self.bounded[place].then(|| self.standard(place, drawn)),
            groups,
        }
    }

    /// The groups of the layer at this place on the scale on which they are averaged.
    fn standard(&self, place: usize, drawn: &Drawn) -> Vec<Vec<f64>> {
        let standard = |space: &Space<'a>| {
            let entries = drawn.list(&upper(space.rsm));
            match self.measure {
                Measure::Rsa(kind) => kind.standard(entries, &drawn.order(&space.ascending)),
                Measure::TwoVsTwo(_) => standardised(upper(space.rsm), &entries),
            }
        };
        self.layers[place].iter().map(standard).collect()
    }

    /// The lower noise ceiling of a layer; NaN of fewer than two different groups.
    fn ceiling(&self, layer: &Layer, standard: &[Vec<f64>], drawn: &Drawn, groups: &[u32]) -> f64 {
        let present: Vec<usize> = (0..groups.len()).filter(|&g| groups[g] > 0).collect();
        if present.len() < FEWEST_GROUPS {
            return f64::NAN;
        }
        let value = |&g: &usize| -> f64 {
            let others = others(standard, g, groups);
            match (self.measure, &layer.groups[g]) {
                // A correlation is the same for a sum as for a mean.
                (Measure::Rsa(kind), Group::Entries(group)) => {
                    let order = if kind.is_ranked() { drawn.sorted(&others) } else { Vec::new() };
                    group(&kind.prepare_in(others, &order)).unwrap_or(f64::NAN)
                }
                (Measure::TwoVsTwo(ties), Group::Rsm(rsm)) => {
                    let model = Resample::new(&square(&others, drawn.copies.len()), &drawn.copies);
                    model.score(rsm, ties) as f64 / model.whole() as f64
                }
                _ => unreachable!("a layer with a noise ceiling has all its entries"),
            }
        };
        present.iter().map(value).sum::<f64>() / present.len() as f64
    }
}

/// The sum of all groups but one and its copies, each as often as it is drawn.
fn others(standard: &[Vec<f64>], group: usize, groups: &[u32]) -> Vec<f64> {
    let mut sum = vec![0.0; standard[group].len()];
    for (other, &copies) in groups.iter().enumerate().filter(|&(other, &copies)| other != group && copies > 0) {
        sum.iter_mut().zip(&standard[other]).for_each(|(sum, x)| *sum += f64::from(copies) * x);
    }
    sum
}

impl<'a> Space<'a> {
    fn new(measure: Measure, rsm: &'a Rsm) -> Self {
        let ascending = match measure {
            Measure::Rsa(kind) => kind.order(&upper(rsm)),
            Measure::TwoVsTwo(_) => Vec::new(),
        };
        Self { rsm, ascending }
    }
}

impl Values {
    /// Over groups that are drawn so often.
    fn mean(&self, groups: &[u32]) -> f64 {
        let drawn = self.points.iter().zip(groups).filter(|&(_, &copies)| copies > 0);
        let points: f64 = drawn.map(|(points, &copies)| f64::from(copies) * points).sum();
        points / (self.whole * f64::from(groups.iter().sum::<u32>()))
    }
}

impl Model {
    fn new(measure: Measure, space: &Space, drawn: &Drawn) -> Self {
        match measure {
            Measure::TwoVsTwo(ties) => Self::Accuracy(Resample::new(space.rsm, &drawn.copies), ties),
            Measure::Rsa(kind) => {
                let entries = drawn.list(&upper(space.rsm));
                let prepared = kind.prepare_in(entries.clone(), &drawn.order(&space.ascending));
                Self::Entries { kind, prepared, entries }
            }
        }
    }

    /// NaN without a correlation.
    fn points(&self, group: &Group) -> f64 {
        match (self, group) {
            (Self::Accuracy(resample, ties), Group::Rsm(rsm)) => resample.score(rsm, *ties) as f64,
            (Self::Entries { prepared, .. }, Group::Entries(group)) => group(prepared).unwrap_or(f64::NAN),
            (Self::Entries { kind, entries, .. }, Group::Incomplete(group)) => {
                kind.correlation(entries, group).unwrap_or(f64::NAN)
            }
            _ => unreachable!("both sides are made for one measure"),
        }
    }

    fn whole(&self) -> f64 {
        match self {
            Self::Accuracy(resample, _) => resample.whole() as f64,
            Self::Entries { .. } => 1.0,
        }
    }
}

impl<'a> Group<'a> {
    fn new(measure: Measure, space: &Space<'a>, drawn: &Drawn) -> Self {
        let Measure::Rsa(kind) = measure else { return Self::Rsm(space.rsm) };
        let entries = drawn.list(&upper(space.rsm));
        if entries.iter().any(|entry| entry.is_nan()) {
            Self::Incomplete(entries)
        } else {
            Self::Entries(kind.against_in(entries, drawn.order(&space.ascending)))
        }
    }
}

/// The values at mean 0 and length 1 of the entries that were drawn of them.
fn standardised(mut values: Vec<f64>, drawn: &[f64]) -> Vec<f64> {
    let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
    let length = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>().sqrt();
    values.iter_mut().for_each(|x| *x = (*x - mean) / length);
    values
}
