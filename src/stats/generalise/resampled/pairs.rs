//! What pairs of concepts do by themselves to the values of a layer.

use std::ops::Range;

use super::{Measure, Worlds, others};
use crate::stats::Rsm;
use crate::stats::bootstrap::Resample;
use crate::stats::rsa::{square, upper};

/// How much values vary over worlds by what single pairs of concepts do: those of the models, layer by layer, then the ceiling.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs {
    values: usize,
    /// Covariances `[values, values]`.
    covariances: Vec<PairVariance>,
}

/// A variance by what pairs of concepts do by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairVariance {
    /// In all groups.
    pub alike: f64,
    /// In each group otherwise.
    pub by_group: f64,
}

impl Pairs {
    /// Of so many values.
    pub(super) fn nothing(values: usize) -> Self {
        Self { values, covariances: vec![PairVariance::default(); values * values] }
    }

    /// The variance of a value.
    pub fn variance(&self, value: usize) -> PairVariance {
        self.covariances[value * self.values + value]
    }

    /// Of the difference of two.
    pub fn of_difference(&self, a: usize, b: usize) -> PairVariance {
        let (x, y, both) = (self.variance(a), self.variance(b), self.covariances[a * self.values + b]);
        PairVariance {
            alike: x.alike + y.alike - 2.0 * both.alike,
            by_group: x.by_group + y.by_group - 2.0 * both.by_group,
        }
    }
}

impl Worlds<'_> {
    /// What pairs do by themselves at layers, the first of them perhaps with its ceiling: nothing of it is otherwise in worlds
    /// of the same concepts.
    pub(super) fn pairs(&self, layers: Range<usize>, bounded: bool) -> Pairs {
        let values = layers.len() * self.models.len() + usize::from(bounded);
        let mut found = Pairs::nothing(values);
        if !self.over.over_concepts() {
            return found;
        }
        let (concepts, groups) = (self.every.copies.len(), self.layers[layers.start].len());
        let standard = bounded.then(|| self.standard(layers.start, &self.every));
        let once = vec![1; groups];
        let of_group = |g: usize| -> Vec<Vec<f64>> {
            let of = |model: &Rsm, layer: usize| {
                contributions(self.measure, model, self.layers[layer][g].rsm, &self.every.copies)
            };
            let others = standard.as_ref().map(|standard| others(standard, g, &once));
            let ceiling = others.map(|sum| of(&square(&sum, concepts), layers.start));
            let models = layers.clone().flat_map(|layer| self.models.iter().map(move |model| (model, layer)));
            models.map(|(model, layer)| of(model.rsm, layer)).chain(ceiling).collect()
        };
        // [groups][values][pairs]
        let by_group: Vec<Vec<Vec<f64>>> = (0..groups).map(of_group).collect();
        let (groups, pairs) = (groups as f64, concepts * (concepts - 1) / 2);
        for pair in 0..pairs {
            let at = |value: usize| by_group.iter().map(move |values| values[value][pair]);
            let means: Vec<f64> = (0..values).map(|value| at(value).sum::<f64>() / groups).collect();
            for a in 0..values {
                for b in 0..values {
                    let apart = at(a).zip(at(b)).map(|(x, y)| (x - means[a]) * (y - means[b])).sum::<f64>();
                    // Of one group nothing is known of others.
                    let by_group = apart / (groups * f64::max(groups - 1.0, 1.0)) / (pairs * pairs) as f64;
                    let covariance = &mut found.covariances[a * values + b];
                    covariance.by_group += by_group;
                    covariance.alike += means[a] * means[b] / (pairs * pairs) as f64 - by_group;
                }
            }
        }
        found
    }
}

/// What every pair contributes to a value, less their mean.
fn contributions(measure: Measure, model: &Rsm, image: &Rsm, every: &[u32]) -> Vec<f64> {
    match measure {
        Measure::Rsa(kind) => kind.contributions(&upper(model), &upper(image)),
        Measure::TwoVsTwo(ties) => {
            let outcomes = Resample::new(model, every).half_points(image, ties).into_iter();
            let outcomes: Vec<f64> = outcomes.map(|points| points as f64 / 2.0).collect();
            let mean = outcomes.iter().sum::<f64>() / outcomes.len() as f64;
            outcomes.into_iter().map(|outcome| outcome - mean).collect()
        }
    }
}
