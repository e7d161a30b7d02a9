//! Measures of alignment: every layer of the words against every layer of the images, all pairs under the same draws.

mod certainty;
mod families;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;

use families::{Pairs, Sides};

use super::constant::Constant;
use super::{Draws, LayerRsms, Options, Space, counting};
use crate::error::Error;
use crate::progress::Progress;
use crate::results::{AccuracyRow, MeasureRow};
use crate::stats;
use crate::stats::alignment::{Gram, Measure};
use crate::stats::bootstrap::Interval;
use crate::stats::calibrated;
use crate::stats::ceiling::Ceiling;
use crate::stats::inference::{self, Family, Inference, LayerScores, Statistic, Tail};
use crate::wording::{counted, first};

/// The level of the quantile of the null above which a calibrated score begins.
const ALPHA: f64 = 0.05;

/// What is asked of all pairs of layers.
pub struct Alignment {
    /// In the order of the table.
    pub measures: Vec<Measure>,
    /// Neighbours of `mknn` and `cknna`.
    pub neighbours: usize,
    /// The word side.
    pub words: Vec<WordSpace>,
}

/// A space of the word side with all of its layers.
pub struct WordSpace {
    /// As in tables and figures.
    pub name: String,
    /// In its order; one without a name where the space is one matrix. Of no groups, of the images', or, where these have
    /// none, all that have some of the same.
    pub layers: Vec<LayerRsms>,
}

/// What the main tests of layers and word models have found, as far as measures have it in common with them.
#[derive(Clone, Copy, Default)]
pub struct Known<'a> {
    /// Scores of their draws.
    pub scores: Option<&'a Draws>,
    /// Rows of the 2 vs. 2 test.
    pub accuracy: &'a [AccuracyRow],
}

impl Known<'_> {
    fn interval(&self, words: &str, layer: &str) -> Option<Interval> {
        let row = self.accuracy.iter().find(|row| row.words == words && row.layer == layer)?;
        row.ci_low.zip(row.ci_high).map(|(low, high)| Interval { low, high })
    }

    fn ceiling(&self, layer: &str) -> Option<Option<Ceiling>> {
        let row = self.accuracy.iter().find(|row| row.layer == layer)?;
        Some(row.ceiling_low.zip(row.ceiling_high).map(|(lower, upper)| Ceiling { lower, upper }))
    }
}

/// A pair of layers by its places, under the draws.
struct Pair {
    words: usize,
    images: usize,
    scores: LayerScores,
    interval: Option<Interval>,
}

/// What came of a measure.
struct Drawn {
    measure: Measure,
    /// Of each word space.
    pairs: Vec<Vec<Pair>>,
    /// Of each layer of the images.
    ceilings: Vec<Option<Ceiling>>,
}

/// The tests of a layer and a word model whose scores are those of a measure too.
pub fn in_common(measures: &[Measure]) -> Vec<String> {
    measures.iter().filter_map(|&measure| families::in_common(measure)).collect()
}

/// Tests all pairs; the rows, and what the user should know. What is there already, as `known` or among the options' known
/// scores, is taken from there.
///
/// # Errors
/// [`Error::Failed`] if the device fails, [`Error::Interrupted`] when asked to stop.
pub fn align(
    space: &Space,
    alignment: &Alignment,
    options: &Options,
    known: &Known,
    progress: &Progress,
) -> Result<(Vec<MeasureRow>, Vec<String>), Error> {
    let apart = in_groups(space, alignment);
    let prepared = Prepared::new(apart.as_ref().unwrap_or(space), alignment, options);
    let resamples = |measure: &Measure| match options.bootstrap {
        0 => 0,
        _ if measure.counts_neighbours() => space.concepts.len() as u64,
        resamples => resamples,
    };
    // Each layer of groups against the mean of the others, and of all.
    let of_ceilings = if space.groups.len() > 1 { 2 * space.layers.len() as u64 } else { 0 };
    let all = |measure: &Measure| (options.permutations + 1 + resamples(measure)) * prepared.pairs() + of_ceilings;
    let task = progress.task(alignment.measures.iter().map(all).sum());
    let counted = counting(&task, &progress.interrupt);
    let mut rows = Vec::new();
    let mut warnings = of_constant(space, alignment, known);
    for &measure in &alignment.measures {
        let mut drawn = Drawn { measure, pairs: Vec::new(), ceilings: Vec::new() };
        let spaces: Vec<usize> = (0..alignment.words.len()).collect();
        for together in spaces.chunks(drawn_together(alignment, options)) {
            task.now(prepared.said(measure, together));
            if drawn.ceilings.is_empty() {
                drawn.ceilings = match space.groups.len() {
                    1 => vec![None; space.layers.len()],
                    _ => prepared.sides(together[0]).ceilings(measure, known, progress)?,
                };
                task.advance(of_ceilings);
            }
            let (pairs, said) = prepared.drawn(measure, together, known, &counted)?;
            drawn.pairs.extend(pairs);
            for said in said {
                if !warnings.contains(&said) {
                    warnings.push(said);
                }
            }
        }
        warnings.extend(without_interval(&drawn, space, options));
        let found = of_measure(&drawn, space, alignment, options);
        warnings.extend(without_score(measure, &found));
        rows.extend(found);
    }
    Ok((rows, warnings))
}

/// Images without groups in those of the words, each group's the same; none where they have groups, or words have none.
fn in_groups(space: &Space, alignment: &Alignment) -> Option<Space> {
    let layers = alignment.words.iter().flat_map(|words| &words.layers);
    let groups = layers.map(|layer| layer.rsms.len()).max()?;
    let layer = |layer: &LayerRsms| LayerRsms {
        name: layer.name.clone(),
        label: layer.label.clone(),
        units: layer.units,
        rsms: vec![layer.rsms[0].clone(); groups],
        scales: layer.scales.iter().flat_map(|scales| vec![scales.clone(); groups]).collect(),
    };
    (space.groups.len() == 1 && groups > 1).then(|| Space {
        network: space.network.clone(),
        layers: space.layers.iter().map(layer).collect(),
        groups: (1..=groups).map(|group| group.to_string()).collect(),
        concepts: space.concepts.clone(),
    })
}

/// What is to be said of layers with constant images; the 2 vs. 2 test in full says it of itself and of RSA.
fn of_constant(space: &Space, alignment: &Alignment, known: &Known) -> Vec<String> {
    let grouped = alignment.words.iter().flat_map(|words| &words.layers).any(|layer| layer.rsms.len() > 1);
    let in_full = !known.accuracy.is_empty();
    let mut measures = alignment.measures.clone();
    // Groups of words meet those of images by inner products, which leave the layer out and say so.
    measures.retain(|measure| measure.needs_gram() || !(in_full || grouped && measure.rsa().is_some()));
    let constant = space.layers.iter().filter_map(|layer| Constant::of(space, layer));
    constant.filter_map(|constant| constant.of_measures(&measures)).collect()
}

/// What is to be said of values whose interval was asked for and is none.
fn without_interval(drawn: &Drawn, space: &Space, options: &Options) -> Option<String> {
    let without = drawn.pairs.iter().flatten().filter(|pair| options.bootstrap > 0 && pair.interval.is_none());
    let places: BTreeSet<usize> = without.map(|pair| pair.images).collect();
    let names: Vec<&str> = places.into_iter().map(|place| space.layers[place].name.as_str()).collect();
    let why = match drawn.measure.counts_neighbours() {
        true => "without a concept no neighbour is left to move up, all others are neighbours, or there is no value",
        false => "an image is constant there, or no resample has a value",
    };
    (!names.is_empty()).then(|| format!("{}: no interval at {}: {why}", drawn.measure, first(&names, 5)))
}

/// The pairs whose value, or what chance reaches, is above 1.
fn without_score(measure: Measure, rows: &[MeasureRow]) -> Option<String> {
    let lacking = rows.iter().filter(|row| row.lacks_score()).count();
    (lacking > 0).then(|| {
        format!(
            "{measure}: no calibrated score at {lacking} of {}: its value, or what chance reaches (tau), is above 1, the value of \
             a space with itself. Nothing bounds {measure} where few concepts have many neighbours: ask for fewer (neighbours, \
             --neighbours)",
            counted(rows.len(), "pair")
        )
    })
}

/// Word spaces that are drawn together, for where drawing stops early what is inferred together stops at the same draw; where
/// all draws are made, one space's matrices at a time are enough.
fn drawn_together(alignment: &Alignment, options: &Options) -> usize {
    match (options.family, options.stop_after) {
        (Family::Layers, _) | (_, None) => 1,
        (Family::Words | Family::Networks, Some(_)) => alignment.words.len().max(1),
    }
}

/// The scores of some draws of every measure, but for those that are in `done` already.
///
/// # Errors
/// As [`align`].
pub fn draws(
    space: &Space,
    alignment: &Alignment,
    options: &Options,
    draws: Range<u64>,
    done: &Draws,
    progress: &Progress,
) -> Result<Draws, Error> {
    let prepared = Prepared::new(space, alignment, options);
    let task = progress.task((draws.end - draws.start) * prepared.pairs() * alignment.measures.len() as u64);
    let counted = counting(&task, &progress.interrupt);
    let mut scores = Draws::default();
    for &measure in &alignment.measures {
        for words in 0..alignment.words.len() {
            task.now(prepared.said(measure, &[words]));
            for Pairs { what, words, statistic, .. } in prepared.sides(words).families(measure).0 {
                if !done.has(&what, &words) && !scores.has(&what, &words) {
                    scores.insert(&what, &words, statistic.points(draws.clone(), &counted)?);
                }
            }
        }
    }
    Ok(scores)
}

/// The matrices that all measures share.
struct Prepared<'a> {
    space: &'a Space,
    alignment: &'a Alignment,
    options: &'a Options,
    /// `[layers][groups]`
    images: Vec<Vec<Gram>>,
    /// `[spaces][layers][groups]`
    words: Vec<Vec<Vec<Gram>>>,
}

impl<'a> Prepared<'a> {
    fn new(space: &'a Space, alignment: &'a Alignment, options: &'a Options) -> Self {
        let needed = alignment.measures.iter().any(|measure| measure.needs_gram());
        let of = |layers: &[LayerRsms]| if needed { grams(layers) } else { Vec::new() };
        let words = alignment.words.iter().map(|words| of(&words.layers)).collect();
        Self { space, alignment, options, images: of(&space.layers), words }
    }

    /// Of all word spaces.
    fn pairs(&self) -> u64 {
        let layers: usize = self.alignment.words.iter().map(|words| words.layers.len()).sum();
        (layers * self.space.layers.len()) as u64
    }

    fn sides(&self, words: usize) -> Sides<'_> {
        Sides {
            space: self.space,
            words: &self.alignment.words[words],
            images: &self.images,
            grams: &self.words[words],
            neighbours: self.alignment.neighbours,
            options: self.options,
        }
    }

    /// The pairs of word spaces under the same draws, space by space, and what the user should know.
    fn drawn(
        &self,
        measure: Measure,
        spaces: &[usize],
        known: &Known,
        progress: &stats::Progress,
    ) -> Result<(Vec<Vec<Pair>>, Vec<String>), Error> {
        let sides: Vec<Sides> = spaces.iter().map(|&words| self.sides(words)).collect();
        let (mut families, mut warnings) = (Vec::new(), Vec::new());
        for (space, sides) in sides.iter().enumerate() {
            let (found, said) = sides.families(measure);
            families.extend(found.into_iter().map(|family| (space, family)));
            warnings.extend(said);
        }
        let none = Draws::default();
        let of_main = known.scores.unwrap_or(&none);
        let sharded: Vec<_> = families
            .iter()
            .map(|(_, Pairs { what, words, statistic, .. })| self.options.known.known(what, words, statistic))
            .collect();
        let statistics: Vec<_> = families
            .iter()
            .zip(&sharded)
            .map(|((_, Pairs { what, words, .. }), sharded)| of_main.known(what, words, sharded))
            .collect();
        let scores = inference::scores(&statistics, self.options.rule(), progress)?;
        let mut pairs: Vec<Vec<Pair>> = spaces.iter().map(|_| Vec::new()).collect();
        for ((space, family), scores) in families.iter().zip(scores) {
            let intervals = sides[*space].intervals(measure, family, &scores, known, progress)?;
            let pair = |((&(words, images), scores), interval)| Pair { words, images, scores, interval };
            pairs[*space].extend(family.places.iter().zip(scores).zip(intervals).map(pair));
        }
        Ok((pairs, warnings))
    }

    /// What is drawn.
    fn said(&self, measure: Measure, spaces: &[usize]) -> String {
        let of = |&words: &usize| &self.alignment.words[words];
        let layers: usize = spaces.iter().map(|words| of(words).layers.len()).sum();
        let name = match spaces {
            [words] => of(words).name.clone(),
            spaces => format!("{} word spaces", spaces.len()),
        };
        format!("{measure}  {name}  {layers} x {}", counted(self.space.layers.len(), "layer"))
    }
}

/// The Gram matrices of layers, `[layers][groups]`; none where the scales are not known.
fn grams(layers: &[LayerRsms]) -> Vec<Vec<Gram>> {
    let of =
        |layer: &LayerRsms| layer.rsms.iter().zip(&layer.scales).map(|(rsm, scales)| Gram::of(rsm, scales)).collect();
    layers.iter().map(of).collect()
}

/// The rows of a measure.
fn of_measure(drawn: &Drawn, space: &Space, alignment: &Alignment, options: &Options) -> Vec<MeasureRow> {
    let Drawn { measure, pairs: tested, ceilings } = drawn;
    let infer = |pairs: &[&Pair]| -> Vec<Inference> {
        let family: Vec<&LayerScores> = pairs.iter().map(|pair| &pair.scores).collect();
        inference::infer(&family, options.tail, options.stop_after)
    };
    // The declared family: the images' layers against one layer of the words, or everything.
    let declared: Vec<Inference> = match options.family {
        Family::Words | Family::Networks => infer(&tested.iter().flatten().collect::<Vec<_>>()),
        Family::Layers => {
            let layers = tested.iter().flat_map(|pairs| pairs.chunk_by(|a, b| a.words == b.words));
            layers.flat_map(|layer| infer(&layer.iter().collect::<Vec<_>>())).collect()
        }
    };
    let mut declared = declared.into_iter();
    // How far a value lies above chance says nothing where low values, or both, speak against it.
    let calibrated = options.tail == Tail::Upper;
    let score = |value: f64, tau: Option<f64>| {
        tau.filter(|&tau| calibrated::has_score(value, tau)).map(|tau| calibrated::score(value, tau))
    };
    let mut rows = Vec::new();
    for (words, pairs) in alignment.words.iter().zip(tested) {
        let both = infer(&pairs.iter().collect::<Vec<_>>());
        let scores: Vec<&LayerScores> = pairs.iter().map(|pair| &pair.scores).collect();
        let tau_both = calibrated::threshold_of_maximum(&scores, ALPHA).filter(|_| calibrated);
        for ((pair, both), one) in pairs.iter().zip(both).zip(&mut declared) {
            let (layer, of_words) = (&space.layers[pair.images], &words.layers[pair.words]);
            let tau = calibrated::threshold(&pair.scores, ALPHA).filter(|_| calibrated);
            // Words that change from group to group are not what the groups have in common.
            let ceiling = ceilings[pair.images].filter(|_| of_words.rsms.len() == 1);
            rows.push(MeasureRow {
                network: space.network.clone(),
                layer: layer.name.clone(),
                label: layer.label.clone(),
                words: words.name.clone(),
                words_layer: of_words.name.clone(),
                measure: measure.name().to_string(),
                value: one.value,
                calibrated: score(one.value, tau),
                tau,
                permutations: one.permutations,
                p_value: one.p_value,
                p_fwer: one.p_fwer,
                q_fdr: one.q_fdr,
                null_mean: one.null_mean,
                null_sd: one.null_sd,
                p_both: both.p_fwer,
                calibrated_both: score(one.value, tau_both),
                tau_both,
                alpha: ALPHA,
                neighbours: measure.counts_neighbours().then_some(alignment.neighbours),
                concepts: space.concepts.len(),
                groups: space.groups.len().max(of_words.rsms.len()),
                ci_low: pair.interval.map(|interval| interval.low),
                ci_high: pair.interval.map(|interval| interval.high),
                ceiling_low: ceiling.map(|ceiling| ceiling.lower),
                ceiling_high: ceiling.map(|ceiling| ceiling.upper),
            });
        }
    }
    rows
}
