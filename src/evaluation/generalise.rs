//! Intervals of every value and difference over other concepts, other groups, or both.

use super::{CONFIDENCE, Evaluation};
use crate::error::Error;
use crate::results::{IntervalRow, Results};
use crate::stats::Rsm;
use crate::stats::generalise::{
    Estimate, Generalise, Measure, PairVariance, Resampled, Resampling, Samples, Scale, Sizes, Value, resampled,
};
use crate::stats::influence::{self, Tested};

/// The measure of accuracies in the table.
const TWO_VS_TWO: &str = "2v2";

/// The observed values of a layer.
struct Observed {
    /// One a word model; none where it is not tested.
    values: Vec<Option<f64>>,
    ceiling: Option<f64>,
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
                let of = results.rsa.iter().filter(|row| row.method == name);
                let row = of.into_iter().find(|row| row.layer == layer && row.words == model)?;
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
        let words = self.words;
        let name = match measure {
            Measure::TwoVsTwo(_) => TWO_VS_TWO.to_string(),
            Measure::Rsa(method) => format!("rsa-{method}"),
        };
        self.now(&format!("bootstrap, {name}"), &format!("{} word models", words.len()));
        let models: Vec<&Rsm> = words.iter().map(|model| &model.rsm).collect();
        let resampling = Resampling { seed: self.options.seed, resamples: self.options.bootstrap, over };
        let counted = |rsms| self.counted(rsms);
        let Resampled { models, ceilings, pairs: by_pairs } =
            resampled(measure, &models, &self.space.rsms(), resampling, &counted)?;
        let sizes = Sizes { groups: self.space.groups.len(), concepts: self.space.concepts.len() };
        let pairs = (sizes.groups * sizes.concepts * (sizes.concepts - 1) / 2) as u64;
        // A value, and the bounds of a difference.
        let (scale, most) = match measure {
            Measure::TwoVsTwo(_) => (Scale::Accuracy(pairs), 1.0),
            Measure::Rsa(_) => (Scale::Plain(-1.0, 1.0), 2.0),
        };
        let difference = Scale::Plain(-most, most);
        let mut rows = Vec::new();
        let resampled = models.iter().zip(&ceilings).zip(&by_pairs);
        for (layer, ((samples, ceiling), pairs)) in self.space.layers.iter().zip(resampled) {
            let found: Vec<_> = words.iter().map(|model| observed(&layer.name, &model.name)).collect();
            let observed = Observed {
                values: found.iter().map(|found| found.map(|(value, _)| value)).collect(),
                ceiling: found.iter().flatten().find_map(|(_, ceiling)| *ceiling),
            };
            let mut row = |kind: &str, n: usize, less: Option<usize>, estimate: Estimate| {
                rows.push(IntervalRow {
                    network: self.space.network.clone(),
                    layer: layer.name.clone(),
                    measure: name.clone(),
                    kind: kind.to_string(),
                    words: words[n].name.clone(),
                    less: less.map(|m| words[m].name.clone()),
                    value: estimate.value,
                    over: over.to_string(),
                    resamples: self.options.bootstrap,
                    freedom: estimate.freedom,
                    ci_low: estimate.interval.low,
                    ci_high: estimate.interval.high,
                    p_value: estimate.p_value,
                });
            };
            // Accuracies have their spread in closed form.
            let closed = |n: usize, m: Option<usize>, value: f64, scale: Scale| -> Result<Estimate, Error> {
                let side = |n: usize| Tested { words: &words[n].rsm, groups: &layer.rsms, ties: self.options.ties };
                let other = m.map_or(Tested { groups: &[], ..side(n) }, side);
                let spread = influence::generalised(over, side(n), other, &|_| self.interrupt.flow())?;
                Ok(Estimate::new(value, (spread.variance, spread.freedom as f64), scale, CONFIDENCE))
            };
            let is_accuracy = matches!(measure, Measure::TwoVsTwo(_));
            let resampled = |value: f64, pairs: PairVariance, samples: &Samples, scale: Scale| {
                samples.estimate(Value { value, pairs }, over, sizes, scale, CONFIDENCE)
            };
            for (n, value) in observed.values.iter().enumerate().filter_map(|(n, value)| Some((n, (*value)?))) {
                let estimate = if is_accuracy && over.over_groups() {
                    closed(n, None, value, scale)?
                } else {
                    resampled(value, pairs.variance(n), &samples[n], scale)
                };
                row("value", n, None, estimate);
                for (m, other) in observed.values.iter().enumerate().skip(n + 1) {
                    let Some(other) = other else { continue };
                    let estimate = if is_accuracy {
                        closed(n, Some(m), value - other, difference)?
                    } else {
                        let apart = samples[n].minus(&samples[m]);
                        resampled(value - other, pairs.of_difference(n, m), &apart, difference)
                    };
                    row("words", n, Some(m), estimate);
                }
                if let Some((of_ceiling, ceiling)) = ceiling.as_ref().zip(observed.ceiling) {
                    let apart = samples[n].minus(of_ceiling);
                    let pairs = pairs.of_difference(n, words.len());
                    row("ceiling", n, None, resampled(value - ceiling, pairs, &apart, difference));
                }
            }
        }
        Ok(rows)
    }
}

/// Gives the accuracies their intervals.
pub fn take(results: &mut Results) {
    let of_accuracies = results.intervals.iter().filter(|row| row.measure == TWO_VS_TWO && row.kind == "value");
    for found in of_accuracies {
        let rows = results.accuracy.iter_mut();
        for row in rows.filter(|row| row.layer == found.layer && row.words == found.words) {
            (row.ci_low, row.ci_high) = (Some(found.ci_low), Some(found.ci_high));
        }
    }
}
