//! The second half of the experiment: RSMs of words and layers in, rows of results out. `semgpu run` and `semgpu test`
//! both end here.

pub mod one_vs_two;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;

use burn::tensor::Device;
use rayon::prelude::*;

use crate::error::Error;
use crate::progress::Progress;
use crate::results::{AccuracyRow, ConceptRow, ConfusedRow, GroupRow, LayersRow, Results, RsaRow, WordsRow};
use crate::stats::ceiling::{self, Ceiling};
use crate::stats::inference::{self, LayerScores};
use crate::stats::permutation::Permutations;
use crate::stats::rsa::{self, Rsa, RsaTest};
use crate::stats::scoring::Ties;
use crate::stats::two_vs_two::{self, DrawTable, Outcome, Pair, TwoVsTwoError};
use crate::stats::{self, Interrupted, Rsm, bootstrap};

/// Most confused pairs listed per layer and word model.
const CONFUSED_PAIRS: usize = 20;

/// Level of the bootstrap's confidence intervals.
const CONFIDENCE: f64 = 0.95;

/// Draws between two questions whether a family may stop, with sequential stopping.
const DRAWS_PER_LOOK: u64 = 100;

/// The image side: every layer's RSM in every group.
pub struct Space {
    /// Network name.
    pub network: String,
    /// Layers in input order.
    pub layers: Vec<Layer>,
    /// Group names.
    pub groups: Vec<String>,
    /// Concepts in RSM order.
    pub concepts: Vec<String>,
}

/// One layer of the image side.
pub struct Layer {
    /// Its name.
    pub name: String,
    /// Its label in figures.
    pub label: String,
    /// Activations per image.
    pub units: usize,
    /// One RSM per group.
    pub rsms: Vec<Rsm>,
}

/// The word side: one RSM per word model.
pub struct Words {
    /// As in tables and figures.
    pub name: String,
    /// Values per word.
    pub dimensions: usize,
    /// `[concepts, concepts]`.
    pub rsm: Rsm,
}

/// How to test.
pub struct Options {
    /// The draws, shared by all layers, groups and word models.
    pub draws: Permutations,
    /// How many of them.
    pub permutations: u64,
    /// Sequential stopping: draw until so many draws of every layer reach its observed value.
    pub stop_after: Option<NonZeroU32>,
    /// How a tied pair counts.
    pub ties: Ties,
    /// Bootstrap resamples over concepts; none: no confidence intervals.
    pub bootstrap: u64,
    /// Seeds the bootstrap.
    pub seed: u64,
    /// RSA by these correlations, each with the same draws.
    pub rsa: Vec<Rsa>,
    /// Where the counting runs.
    pub device: Device,
}

/// Tests every layer against every word model.
///
/// # Errors
/// [`Error::Failed`] if the device fails, [`Error::Interrupted`] when asked to stop.
pub fn evaluate(space: &Space, words: &[Words], options: &Options, progress: &Progress) -> Result<Results, Error> {
    let mut results = Results::default();
    let images: Vec<&Rsm> = space.layers.iter().flat_map(|layer| &layer.rsms).collect();
    let draws = options.permutations + 1;
    let passes = draws * (1 + options.rsa.len() as u64) + options.bootstrap;
    let task = progress.task(passes * (words.len() * images.len()) as u64);
    let counted = |rsms: u64| {
        task.advance(rsms);
        progress.interrupt.flow()
    };
    let ceilings = space
        .layers
        .iter()
        .map(|layer| accuracy_ceiling(layer, options, progress))
        .collect::<Result<Vec<_>, Error>>()?;
    for model in words {
        let size = format!("{}  {} layers x {} groups", model.name, space.layers.len(), space.groups.len());
        task.now(format!("2 vs. 2  {size}"));
        let count = |draws: Range<u64>| {
            two_vs_two::two_vs_two(&model.rsm, &images, &options.draws, draws, &options.device, &counted)
                .map_err(failed)
        };
        let (observed, family) = family(space, options, count)?;
        let inferred = inference::infer(&family, options.stop_after);
        task.now(format!("bootstrap  {size}"));
        let intervals = intervals(space, model, &family, options, &counted)?;
        let word_triangle = rsa::upper(&model.rsm);
        for (index, layer) in space.layers.iter().enumerate() {
            let inference = inferred[index];
            let counts = &observed[index * space.groups.len()..][..space.groups.len()];
            let tested = layer
                .rsms
                .par_iter()
                .map(|rsm| two_vs_two::pairs(&model.rsm, rsm).map_err(failed))
                .collect::<Result<Vec<_>, Error>>()?;
            let interval = intervals.as_ref().map(|intervals| intervals[index]);
            let ceiling = ceilings[index];
            results.accuracy.push(AccuracyRow {
                network: space.network.clone(),
                layer: layer.name.clone(),
                label: layer.label.clone(),
                depth: index as f64 / (space.layers.len() - 1).max(1) as f64,
                units: layer.units,
                words: model.name.clone(),
                concepts: space.concepts.len(),
                groups: space.groups.len(),
                pairs: pairs(space),
                accuracy: family[index].accuracy(),
                ties: counts.iter().map(|counts| u64::from(counts.ties)).sum(),
                permutations: inference.permutations,
                p_value: inference.p_value,
                p_fwer: inference.p_fwer,
                q_fdr: inference.q_fdr,
                null_mean: inference.null_mean,
                null_sd: inference.null_sd,
                matched: mean(tested.iter().flatten().map(|pair| pair.matched)),
                mismatched: mean(tested.iter().flatten().map(|pair| pair.mismatched)),
                rsa: mean(
                    layer
                        .rsms
                        .iter()
                        .map(|rsm| Rsa::Pearson.correlation(&word_triangle, &rsa::upper(rsm)).unwrap_or(f64::NAN)),
                ),
                ci_low: interval.map(|interval| interval.low),
                ci_high: interval.map(|interval| interval.high),
                ceiling_low: ceiling.map(|ceiling| ceiling.lower),
                ceiling_high: ceiling.map(|ceiling| ceiling.upper),
            });
            group_rows(space, model, layer, counts, &tested, options, &mut results.groups);
            pair_rows(space, model, layer, &tested, options, &mut results);
        }
        for &method in &options.rsa {
            task.now(format!("RSA, {method}  {size}"));
            rsa_rows(space, model, method, options, &counted, &mut results.rsa)?;
        }
    }
    words_rows(words, options, progress, &mut results.words)?;
    results.layers = layers_rows(space);
    Ok(results)
}

fn interrupted(_: Interrupted) -> Error {
    Error::Interrupted
}

fn failed(error: TwoVsTwoError) -> Error {
    match error {
        TwoVsTwoError::Interrupted => Error::Interrupted,
        error => Error::failed(error),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0_u64, 0.0), |(count, sum), value| (count + 1, sum + value));
    sum / count as f64
}

fn pairs(space: &Space) -> usize {
    space.concepts.len() * (space.concepts.len() - 1) / 2
}

/// The observed counts, `[layer * group]`, and the scores of every layer under the draws.
fn family(
    space: &Space,
    options: &Options,
    count: impl Fn(Range<u64>) -> Result<DrawTable, Error>,
) -> Result<(Vec<two_vs_two::Counts>, Vec<LayerScores>), Error> {
    let mut observed = Vec::new();
    let whole = (2 * pairs(space) * space.groups.len()) as i64;
    let family = draw(options, whole, |range| {
        let table = count(range)?;
        if table.draws.start == 0 {
            observed = table.row(0).to_vec();
        }
        Ok(points(space, options.ties, &table))
    })?;
    Ok((observed, family))
}

/// The scores of a family under the draws: all at once, or with sequential stopping as many as it asks for. `points`
/// gives those of a range of draws, `[layer][draw]`.
fn draw(
    options: &Options,
    whole: i64,
    mut points: impl FnMut(Range<u64>) -> Result<Vec<Vec<i64>>, Error>,
) -> Result<Vec<LayerScores>, Error> {
    let all = 0..options.permutations + 1;
    let first = options.stop_after.map_or(all.clone(), |_| 0..all.end.min(1 + DRAWS_PER_LOOK));
    let mut end = first.end;
    let mut family: Vec<LayerScores> =
        points(first)?.into_iter().map(|points| LayerScores::new(points, whole)).collect();
    while end < all.end && options.stop_after.is_some_and(|stop| !inference::may_stop(&family, stop)) {
        let next = end..all.end.min(end + DRAWS_PER_LOOK);
        end = next.end;
        for (layer, points) in family.iter_mut().zip(points(next)?) {
            layer.extend(points);
        }
    }
    Ok(family)
}

/// Half-points over all groups, `[layer][draw]`.
fn points(space: &Space, ties: Ties, table: &DrawTable) -> Vec<Vec<i64>> {
    let groups = space.groups.len();
    (0..space.layers.len())
        .map(|layer| {
            let images = layer * groups..(layer + 1) * groups;
            table
                .draws
                .clone()
                .map(|t| images.clone().map(|image| score(ties, table, t, image)).sum::<u64>() as i64)
                .collect()
        })
        .collect()
}

/// Half-points of one draw against one image RSM; pairs with a constant image score half.
fn score(ties: Ties, table: &DrawTable, t: u64, image: usize) -> u64 {
    let counts = table.row(t)[image];
    let untested = table.pairs - table.tested[image];
    ties.score(counts.passed.into(), counts.ties.into(), untested.into())
}

fn intervals(
    space: &Space,
    model: &Words,
    family: &[LayerScores],
    options: &Options,
    progress: &stats::Progress,
) -> Result<Option<Vec<bootstrap::Interval>>, Error> {
    if options.bootstrap == 0 {
        return Ok(None);
    }
    let layers: Vec<&[Rsm]> = space.layers.iter().map(|layer| layer.rsms.as_slice()).collect();
    let resamples = bootstrap::accuracies(&model.rsm, &layers, options.seed, options.bootstrap, options.ties, progress)
        .map_err(interrupted)?;
    let pairs = (pairs(space) * space.groups.len()) as u64;
    let interval = |(layer, resampled): (&LayerScores, &Vec<f64>)| {
        bootstrap::confidence_interval(layer.accuracy(), resampled, pairs, CONFIDENCE)
    };
    Ok(Some(family.iter().zip(&resamples).map(interval).collect()))
}

/// How well one group's images predict another's by the same test: no word model can be expected to do better. `None`
/// for a single group, or where an image is constant.
fn accuracy_ceiling(layer: &Layer, options: &Options, progress: &Progress) -> Result<Option<Ceiling>, Error> {
    if layer.rsms.len() < 2 || layer.rsms.iter().any(|rsm| !rsm.constant().is_empty()) {
        return Ok(None);
    }
    let accuracy = |model: &Rsm, group: &Rsm| -> Result<f64, Error> {
        let table = count_quietly(model, group, 0..1, options, progress)?;
        Ok(score(options.ties, &table, 0, 0) as f64 / f64::from(2 * table.pairs))
    };
    let groups = layer.rsms.len() as f64;
    let others = ceiling::means_of_others(&layer.rsms);
    let lower =
        others.iter().zip(&layer.rsms).map(|(others, own)| accuracy(others, own)).sum::<Result<f64, Error>>()?;
    let all = ceiling::mean_rsm(&layer.rsms);
    let upper = layer.rsms.iter().map(|own| accuracy(&all, own)).sum::<Result<f64, Error>>()?;
    Ok(Some(Ceiling { lower: lower / groups, upper: upper / groups }))
}

/// Counts what is too little to be shown as progress.
fn count_quietly(
    model: &Rsm,
    image: &Rsm,
    draws: Range<u64>,
    options: &Options,
    progress: &Progress,
) -> Result<DrawTable, Error> {
    let counted = |_| progress.interrupt.flow();
    two_vs_two::two_vs_two(model, &[image], &options.draws, draws, &options.device, &counted).map_err(failed)
}

fn group_rows(
    space: &Space,
    model: &Words,
    layer: &Layer,
    counts: &[two_vs_two::Counts],
    tested: &[Vec<Pair>],
    options: &Options,
    rows: &mut Vec<GroupRow>,
) {
    let pairs = pairs(space) as u64;
    for ((group, counts), tested) in space.groups.iter().zip(counts).zip(tested) {
        let (passed, ties) = (u64::from(counts.passed), u64::from(counts.ties));
        let untested = pairs - tested.len() as u64;
        rows.push(GroupRow {
            network: space.network.clone(),
            layer: layer.name.clone(),
            words: model.name.clone(),
            group: group.clone(),
            passed,
            ties,
            pairs,
            accuracy: options.ties.score(passed, ties, untested) as f64 / (2 * pairs) as f64,
        });
    }
}

/// Per concept its pairs over all groups, and the pairs confused most: lowest mean margin.
fn pair_rows(
    space: &Space,
    model: &Words,
    layer: &Layer,
    tested: &[Vec<Pair>],
    options: &Options,
    results: &mut Results,
) {
    let concepts = space.concepts.len();
    let per_concept = ((concepts - 1) * space.groups.len()) as u64;
    let mut passed = vec![0; concepts];
    // A pair with a constant image is not tested and scores half.
    let mut points = vec![per_concept as i64; concepts];
    let mut confused: BTreeMap<(u32, u32), (f64, u64, u64)> = BTreeMap::new();
    for pair in tested.iter().flatten() {
        let (pass, score) = match pair.outcome {
            Outcome::Passed => (1, 2),
            Outcome::Tie => (0, options.ties.half_points() as i64),
            Outcome::Lost => (0, 0),
        };
        for concept in [pair.a as usize, pair.b as usize] {
            passed[concept] += pass;
            points[concept] += score - 1;
        }
        let (sum, groups, lost) = confused.entry((pair.a, pair.b)).or_default();
        *sum += pair.margin();
        *groups += 1;
        *lost += u64::from(pair.outcome == Outcome::Lost);
    }
    results.concepts.extend(space.concepts.iter().enumerate().map(|(concept, name)| ConceptRow {
        network: space.network.clone(),
        layer: layer.name.clone(),
        words: model.name.clone(),
        concept: name.clone(),
        pairs: per_concept,
        passed: passed[concept],
        accuracy: points[concept] as f64 / (2 * per_concept) as f64,
    }));
    let mut confused: Vec<_> =
        confused.into_iter().map(|(pair, (sum, groups, lost))| (sum / groups as f64, pair, lost)).collect();
    confused.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
    results.confused.extend(confused.into_iter().take(CONFUSED_PAIRS).map(|(margin, (a, b), groups_lost)| {
        ConfusedRow {
            network: space.network.clone(),
            layer: layer.name.clone(),
            words: model.name.clone(),
            concept_a: space.concepts[a as usize].clone(),
            concept_b: space.concepts[b as usize].clone(),
            margin,
            groups_lost,
        }
    }));
}

fn rsa_rows(
    space: &Space,
    model: &Words,
    method: Rsa,
    options: &Options,
    progress: &stats::Progress,
    rows: &mut Vec<RsaRow>,
) -> Result<(), Error> {
    let (layers, tests): (Vec<&Layer>, Vec<RsaTest>) =
        space.layers.iter().filter_map(|layer| Some((layer, method.test(&model.rsm, &layer.rsms)?))).unzip();
    let family = draw(options, RsaTest::WHOLE, |range| {
        let points = |test: &RsaTest| test.points(&options.draws, range.clone(), progress).map_err(interrupted);
        tests.iter().map(points).collect()
    })?;
    for ((layer, scores), inference) in layers.iter().zip(&family).zip(inference::infer(&family, options.stop_after)) {
        let ceiling = ceiling::rsa_ceiling(method, &layer.rsms);
        rows.push(RsaRow {
            network: space.network.clone(),
            layer: layer.name.clone(),
            words: model.name.clone(),
            method: method.to_string(),
            rsa: scores.accuracy(),
            permutations: inference.permutations,
            p_value: inference.p_value,
            p_fwer: inference.p_fwer,
            q_fdr: inference.q_fdr,
            null_mean: inference.null_mean,
            null_sd: inference.null_sd,
            ceiling_low: ceiling.map(|ceiling| ceiling.lower),
            ceiling_high: ceiling.map(|ceiling| ceiling.upper),
        });
    }
    Ok(())
}

/// Word model against word model by the same test.
fn words_rows(words: &[Words], options: &Options, progress: &Progress, rows: &mut Vec<WordsRow>) -> Result<(), Error> {
    for (index, a) in words.iter().enumerate() {
        for b in &words[index + 1..] {
            let table = count_quietly(&a.rsm, &b.rsm, 0..options.permutations + 1, options, progress)?;
            let points = table.draws.clone().map(|t| score(options.ties, &table, t, 0) as i64).collect();
            let scores = LayerScores::new(points, i64::from(2 * table.pairs));
            let inference = inference::infer(std::slice::from_ref(&scores), None)[0];
            rows.push(WordsRow {
                words_a: a.name.clone(),
                words_b: b.name.clone(),
                concepts: a.rsm.concepts(),
                accuracy: scores.accuracy(),
                permutations: inference.permutations,
                p_value: inference.p_value,
                rsa: Rsa::Pearson.correlation(&rsa::upper(&a.rsm), &rsa::upper(&b.rsm)),
            });
        }
    }
    Ok(())
}

/// Layer against layer by the correlation of their RSMs.
fn layers_rows(space: &Space) -> Vec<LayersRow> {
    let layers = space.layers.len();
    let pairs: Vec<(usize, usize)> = (0..layers).flat_map(|a| (0..layers).map(move |b| (a, b))).collect();
    let mut sums = vec![Some(0.0); pairs.len()];
    for group in 0..space.groups.len() {
        let triangles: Vec<Vec<f64>> = space.layers.par_iter().map(|layer| rsa::upper(&layer.rsms[group])).collect();
        sums.par_iter_mut().zip(&pairs).for_each(|(sum, &(a, b))| {
            // The order of the two decides nothing, not even rounding.
            let correlation = Rsa::Pearson.correlation(&triangles[a.min(b)], &triangles[a.max(b)]);
            *sum = sum.zip(correlation).map(|(sum, correlation)| sum + correlation);
        });
    }
    let row = |(&(a, b), sum): (&(usize, usize), Option<f64>)| LayersRow {
        network: space.network.clone(),
        layer_a: space.layers[a].name.clone(),
        layer_b: space.layers[b].name.clone(),
        rsa: sum.map(|sum| sum / space.groups.len() as f64),
    };
    pairs.iter().zip(sums).map(row).collect()
}
