//! Intervals of every value and difference over other concepts, other groups, or both.

use super::Evaluation;
use crate::error::Error;
use crate::results::{IntervalRow, Results, RsaRow};
use crate::stats::alignment;
use crate::stats::bootstrap::confidence_interval;
use crate::stats::generalise::{
    Estimate, Generalise, Measure, PairVariance, Resampled, Resampling, Samples, Scale, Sizes, resampled,
};
use crate::stats::influence::{self, Tested};
use crate::stats::paired::{self, Member};
use crate::stats::{Interrupted, Progress, Rsm};

/// The observed values of a layer.
struct Observed {
    /// One a word model; none where it is not tested.
    values: Vec<Option<f64>>,
    ceiling: Option<f64>,
}

/// What a row is; the rows of a kind are a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A word model at a layer.
    Value,
    /// It less another.
    Words,
    /// A layer less the one before it.
    Layers,
    /// A word model less the noise ceiling.
    Ceiling,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Value, Self::Words, Self::Layers, Self::Ceiling];

    /// In the table.
    fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Words => "words",
            Self::Layers => "layers",
            Self::Ceiling => "ceiling",
        }
    }
}

/// What a row is of.
#[derive(Clone, Copy)]
struct Of {
    kind: Kind,
    layer: usize,
    words: usize,
    /// The other word model, or layer.
    less_words: Option<usize>,
    less_layer: Option<usize>,
}

/// A row, with what it takes to test it among others.
struct Found {
    of: Of,
    estimate: Estimate,
    influences: Vec<f64>,
}

/// One measure of all layers, resampled.
struct Measured<'a> {
    evaluation: &'a Evaluation<'a>,
    measure: Measure,
    over: Generalise,
    sizes: Sizes,
    resampled: Resampled,
}

impl Evaluation<'_> {
    /// The rows of every measure, layer by layer; `results` hold the observed values.
    pub fn intervals(&self, over: Generalise, results: &Results) -> Result<Vec<IntervalRow>, Error> {
        let mut rows = self.intervals_of(Measure::TwoVsTwo(self.options.ties), over, |layer, model| {
            let row = results.accuracy.iter().find(|row| row.layer == layer && row.words == model)?;
            Some((row.accuracy, row.ceiling_low))
        })?;
        for &method in &self.options.rsa {
            let name = method.to_string();
            rows.extend(self.intervals_of(Measure::Rsa(method), over, |layer, model| {
                let is_it = |row: &&RsaRow| row.method == name && row.layer == layer && row.words == model;
                let row = results.rsa.iter().find(is_it)?;
                Some((row.rsa, row.ceiling_low))
            })?);
        }
        Ok(rows)
    }

    /// `observed` is a value and its lower noise ceiling, by layer and word model.
    fn intervals_of(
        &self,
        measure: Measure,
        over: Generalise,
        observed: impl Fn(&str, &str) -> Option<(f64, Option<f64>)>,
    ) -> Result<Vec<IntervalRow>, Error> {
        let name = match measure {
            Measure::TwoVsTwo(_) => alignment::Measure::TwoVsTwo.to_string(),
            Measure::Rsa(method) => alignment::Measure::from(method).to_string(),
        };
        self.now(&format!("bootstrap, {name}"), &format!("{} word models", self.words.len()));
        let models: Vec<&Rsm> = self.words.iter().map(|model| &model.rsm).collect();
        let resampling = Resampling { seed: self.options.seed, resamples: self.options.bootstrap, over };
        let counted = |rsms| self.counted(rsms);
        let sizes = Sizes { groups: self.space.groups.len(), concepts: self.space.concepts.len() };
        let resampled = resampled(measure, &models, &self.space.rsms(), resampling, &counted)?;
        let measured = Measured { evaluation: self, measure, over, sizes, resampled };
        let of_layer = |layer: &super::LayerRsms| {
            let found: Vec<_> = self.words.iter().map(|model| observed(&layer.name, &model.name)).collect();
            Observed {
                values: found.iter().map(|found| found.map(|(value, _)| value)).collect(),
                ceiling: found.iter().flatten().find_map(|(_, ceiling)| *ceiling),
            }
        };
        let layers: Vec<Observed> = self.space.layers.iter().map(of_layer).collect();
        let mut found = Vec::new();
        for layer in 0..layers.len() {
            measured.of_layer(layer, &layers, &mut found)?;
        }
        let stop = |_| self.interrupt.flow();
        let families = families(&found, self.options.bootstrap, self.options.seed, &stop)?;
        let row = |(Found { of, estimate, .. }, p_fwer): (Found, Option<f64>)| IntervalRow {
            network: self.space.network.clone(),
            layer: self.space.layers[of.layer].name.clone(),
            measure: name.clone(),
            kind: of.kind.name().to_string(),
            words: self.words[of.words].name.clone(),
            less: of.less_words.map(|m| self.words[m].name.clone()),
            value: estimate.value,
            over: over.to_string(),
            resamples: self.options.bootstrap,
            freedom: estimate.freedom,
            ci_low: estimate.interval.low,
            ci_high: estimate.interval.high,
            p_value: estimate.p_value,
            less_layer: of.less_layer.map(|layer| self.space.layers[layer].name.clone()),
            p_fwer,
        };
        Ok(found.into_iter().zip(families).map(row).collect())
    }
}

/// The family-wise p of every row, by draws; none where it has no p, or nothing says how it varies.
fn families(found: &[Found], draws: u64, seed: u64, progress: &Progress) -> Result<Vec<Option<f64>>, Interrupted> {
    let mut all = vec![None; found.len()];
    for kind in Kind::ALL {
        let of_kind = |&n: &usize| {
            let Found { of, estimate, .. } = &found[n];
            of.kind == kind && estimate.p_value.is_some() && estimate.deviation.is_finite()
        };
        // What is nothing but rounding is moved by nothing, and has no part in the maximum.
        let (tested, nothing): (Vec<usize>, Vec<usize>) = (0..found.len())
            .filter(of_kind)
            .partition(|&n| found[n].estimate.deviation > 0.0 || found[n].estimate.value != 0.0);
        nothing.iter().for_each(|&n| all[n] = Some(1.0));
        let member = |&n: &usize| Member {
            t: found[n].estimate.t(),
            freedom: (found[n].estimate.freedom as usize).max(1),
            influences: &found[n].influences,
        };
        let members: Vec<Member> = tested.iter().map(member).collect();
        let own: Vec<f64> = tested.iter().filter_map(|&n| found[n].estimate.p_value).collect();
        // One degree of freedom is that of two groups.
        let p = match tested.iter().all(|&n| found[n].estimate.freedom == 1.0) {
            true => paired::family_wise_of_two(&own, draws, progress)?,
            false => paired::family_wise(&members, draws, seed, progress)?,
        };
        // Its own p is of no draws.
        tested.iter().zip(p).for_each(|(&n, p)| all[n] = found[n].estimate.p_value.map(|own| own.max(p)));
    }
    Ok(all)
}

impl Measured<'_> {
    /// The rows of a layer.
    fn of_layer(&self, layer: usize, layers: &[Observed], found: &mut Vec<Found>) -> Result<(), Error> {
        let Resampled { models, ceilings, pairs, neighbours } = &self.resampled;
        let (samples, observed, by_pairs) = (&models[layer], &layers[layer], &pairs[layer]);
        let groups_of_pairs = (self.sizes.groups * self.sizes.concepts * (self.sizes.concepts - 1) / 2) as u64;
        // A value, and the bounds of a difference.
        let (scale, most) = match self.measure {
            Measure::TwoVsTwo(_) => (Scale::Accuracy(groups_of_pairs), 1.0),
            Measure::Rsa(_) => (Scale::Plain(-1.0, 1.0), 2.0),
        };
        let difference = Scale::Plain(-most, most);
        let is_accuracy = matches!(self.measure, Measure::TwoVsTwo(_));
        for (n, value) in observed.values.iter().enumerate().filter_map(|(n, value)| Some((n, (*value)?))) {
            let of = |kind| Of { kind, layer, words: n, less_words: None, less_layer: None };
            found.push(if is_accuracy && self.over.over_groups() {
                self.accuracy(of(Kind::Value), value, &samples[n], groups_of_pairs)?
            } else {
                self.resampled(of(Kind::Value), value, by_pairs.variance(n), &samples[n], scale)
            });
            for (m, other) in observed.values.iter().enumerate().skip(n + 1) {
                let Some(other) = other else { continue };
                let of = Of { less_words: Some(m), ..of(Kind::Words) };
                found.push(if is_accuracy {
                    self.closed(self.over, of, value - other, difference)?
                } else {
                    let apart = samples[n].minus(&samples[m]);
                    self.resampled(of, value - other, by_pairs.of_difference(n, m), &apart, difference)
                });
            }
            let before = layer.checked_sub(1).filter(|_| !self.evaluation.options.unordered);
            if let Some((before, other)) = before.and_then(|b| Some((b, layers[b].values[n]?))) {
                let of = Of { less_layer: Some(before), ..of(Kind::Layers) };
                found.push(if is_accuracy {
                    self.closed(self.over, of, value - other, difference)?
                } else {
                    let pairs = neighbours[before].of_difference(n, self.evaluation.words.len() + n);
                    self.resampled(of, value - other, pairs, &samples[n].minus(&models[before][n]), difference)
                });
            }
            if let Some((of_ceiling, ceiling)) = ceilings[layer].as_ref().zip(observed.ceiling) {
                let apart = samples[n].minus(of_ceiling);
                let pairs = by_pairs.of_difference(n, self.evaluation.words.len());
                found.push(self.resampled(of(Kind::Ceiling), value - ceiling, pairs, &apart, difference));
            }
        }
        Ok(())
    }

    /// By resamples.
    fn resampled(&self, of: Of, value: f64, pairs: PairVariance, samples: &Samples, scale: Scale) -> Found {
        let estimate = samples.estimate(value, pairs, self.over, self.sizes, scale);
        Found { of, estimate, influences: samples.influences(self.over) }
    }

    /// Of an accuracy over groups, or over both within what concepts and groups reach each by itself.
    fn accuracy(&self, of: Of, value: f64, samples: &Samples, pairs: u64) -> Result<Found, Error> {
        let scale = Scale::Accuracy(pairs);
        let found = self.closed(self.over, of, value, scale)?;
        if self.over != Generalise::Both {
            return Ok(found);
        }
        let concepts = confidence_interval(value, &samples.concepts, pairs);
        let groups = self.closed(Generalise::Groups, of, value, scale)?.estimate.interval;
        Ok(Found { estimate: found.estimate.within([concepts, groups]), ..found })
    }

    /// Of accuracies, which have their spread in closed form.
    fn closed(&self, over: Generalise, of: Of, value: f64, scale: Scale) -> Result<Found, Error> {
        let Evaluation { words, space, options, interrupt, .. } = self.evaluation;
        let side = |model: usize, layer: usize| Tested {
            words: &words[model].rsm,
            groups: &space.layers[layer].rsms,
            ties: options.ties,
        };
        let one = side(of.words, of.layer);
        let other = match (of.less_words, of.less_layer) {
            (Some(model), _) => side(model, of.layer),
            (_, Some(layer)) => side(of.words, layer),
            _ => Tested { groups: &[], ..one },
        };
        let spread = influence::generalised(over, one, other, &|_| interrupt.flow())?;
        let value = if of.kind == Kind::Value { value } else { spread.difference };
        let estimate = Estimate::new(value, (spread.variance, spread.freedom as f64), scale);
        Ok(Found { of, estimate, influences: spread.influences })
    }
}

/// Gives the accuracies their intervals.
pub fn take(results: &mut Results) {
    let is_accuracy =
        |row: &&IntervalRow| row.measure == alignment::Measure::TwoVsTwo.name() && row.kind == Kind::Value.name();
    let of_accuracies = results.intervals.iter().filter(is_accuracy);
    for found in of_accuracies {
        let rows = results.accuracy.iter_mut();
        for row in rows.filter(|row| row.layer == found.layer && row.words == found.words) {
            (row.ci_low, row.ci_high) = (Some(found.ci_low), Some(found.ci_high));
        }
    }
}

#[cfg(test)]
mod tests;
