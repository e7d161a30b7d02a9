//! The 2 vs. 2 test: every layer against a word model, and its pairs one by one.

use std::collections::BTreeMap;
use std::slice::from_ref;

use rayon::prelude::*;

use super::constant::Constant;
use super::{Evaluation, LayerRsms, Options, Space, Words, mean};
use crate::error::Error;
use crate::results::{AccuracyRow, ConceptRow, ConfusedRow, GroupRow, Results};
use crate::stats::bootstrap::{self, Interval};
use crate::stats::ceiling::{self, Ceiling};
use crate::stats::inference::{self, Inference};
use crate::stats::rsa::{self, Rsa};
use crate::stats::scoring::Outcome;
use crate::stats::two_vs_two::{self, TestedPair, TwoVsTwoTest};
use crate::stats::{Progress, Rsm};

/// What is shown of the test, and the name of its families of scores.
pub const FAMILY: &str = "2 vs. 2";

/// Most confused pairs listed per layer and word model.
const CONFUSED_PAIRS: usize = 20;

/// One layer against one word model.
struct TestedLayer<'a> {
    layer: &'a LayerRsms,
    model: &'a Words,
    /// The pairs without a constant image, `[group][pair]`.
    pairs: Vec<Vec<TestedPair>>,
}

/// A pair over the groups in which it was tested.
#[derive(Default)]
struct Confused {
    /// The sum of its margins.
    margins: f64,
    groups: u64,
    lost: u64,
    ties: u64,
}

/// How well one group's images predict another's by the same test, of every layer; none where a mean of groups leaves a concept
/// equally similar to all others. `counted` is told the RSMs tested.
pub fn accuracy_ceilings(space: &Space, options: &Options, counted: &Progress) -> Result<Vec<Option<Ceiling>>, Error> {
    let accuracy = |model: &Rsm, group: &Rsm| -> Result<Option<f64>, Error> {
        if two_vs_two::flat_row(model).is_some() {
            return Ok(None);
        }
        let test = TwoVsTwoTest::new(model, &[from_ref(group)], &options.draws, options.ties, &options.device);
        Ok(Some(inference::observed(&test, counted)?[0]))
    };
    space.layers.iter().map(|layer| ceiling::accuracy_ceiling(&layer.rsms, accuracy)).collect()
}

impl TestedLayer<'_> {
    /// Pairs of all groups that ended so.
    fn count(&self, outcome: Outcome) -> u64 {
        self.pairs.iter().map(|pairs| count(pairs, outcome)).sum()
    }
}

fn count(pairs: &[TestedPair], outcome: Outcome) -> u64 {
    pairs.iter().filter(|pair| pair.outcome == outcome).count() as u64
}

impl Evaluation<'_> {
    /// The rows, word model by word model, and what the user should know; `ceilings` are those of the layers.
    pub fn two_vs_two(&self, ceilings: &[Option<Ceiling>]) -> Result<(Results, Vec<String>), Error> {
        let layers = self.space.rsms();
        let tests = self.two_vs_two_tests(&layers);
        let inferences = self.test(FAMILY, &tests)?;
        let (mut results, mut warnings) = (Results::default(), Vec::new());
        for (model, inferences) in self.words.iter().zip(&inferences) {
            let rows = self.model(model, &layers, inferences, ceilings, &mut warnings)?;
            results.append(rows);
        }
        Ok((results, warnings))
    }

    /// One test a word model.
    pub fn two_vs_two_tests<'a>(&'a self, layers: &[&'a [Rsm]]) -> Vec<TwoVsTwoTest<'a>> {
        let options = self.options;
        let test =
            |model: &'a Words| TwoVsTwoTest::new(&model.rsm, layers, &options.draws, options.ties, &options.device);
        self.words.iter().map(test).collect()
    }

    /// The rows of a word model.
    fn model(
        &self,
        model: &Words,
        layers: &[&[Rsm]],
        inferences: &[Inference],
        ceilings: &[Option<Ceiling>],
        warnings: &mut Vec<String>,
    ) -> Result<Results, Error> {
        self.now("bootstrap", &model.name);
        let intervals = self.over_concepts(model, layers, inferences)?;
        let mut results = Results::default();
        for (index, layer) in self.space.layers.iter().enumerate() {
            let pairs = |rsm| two_vs_two::pairs(&model.rsm, rsm);
            let pairs = layer.rsms.par_iter().map(pairs).collect::<Result<_, _>>()?;
            let tested = TestedLayer { layer, model, pairs };
            warnings.extend(self.flat(&tested, index));
            let (interval, ceiling) = (intervals.get(index), ceilings[index]);
            results.accuracy.push(self.accuracy_row(&tested, index, inferences[index], interval, ceiling));
            results.groups.extend(self.group_rows(&tested));
            results.concepts.extend(self.concept_rows(&tested));
            results.confused.extend(self.confused_rows(&tested));
        }
        Ok(results)
    }

    /// One interval a layer over concepts; none where none is asked for, or intervals of another kind.
    fn over_concepts(&self, model: &Words, layers: &[&[Rsm]], observed: &[Inference]) -> Result<Vec<Interval>, Error> {
        let options = self.options;
        if options.bootstrap == 0 || options.generalise.is_some() {
            return Ok(Vec::new());
        }
        let counted = |rsms| self.counted(rsms);
        let observed = observed.iter().map(|observed| observed.value);
        let resamples = (options.seed, options.bootstrap);
        Ok(bootstrap::intervals(observed, &model.rsm, layers, resamples, options.ties, &counted)?)
    }

    fn pairs(&self) -> usize {
        self.space.concepts.len() * (self.space.concepts.len() - 1) / 2
    }

    fn accuracy_row(
        &self,
        tested: &TestedLayer,
        index: usize,
        inference: Inference,
        interval: Option<&Interval>,
        ceiling: Option<Ceiling>,
    ) -> AccuracyRow {
        let (space, layer, words) = (self.space, tested.layer, rsa::upper(&tested.model.rsm));
        let pairs = || tested.pairs.iter().flatten();
        let rsa = |rsm| Rsa::Pearson.correlation(&words, &rsa::upper(rsm)).unwrap_or(f64::NAN);
        AccuracyRow {
            network: space.network.clone(),
            layer: layer.name.clone(),
            label: layer.label.clone(),
            depth: index as f64 / (space.layers.len() - 1).max(1) as f64,
            units: layer.units,
            words: tested.model.name.clone(),
            concepts: space.concepts.len(),
            groups: space.groups.len(),
            pairs: self.pairs(),
            accuracy: inference.value,
            ties: tested.count(Outcome::Tie),
            permutations: inference.permutations,
            p_value: inference.p_value,
            p_fwer: inference.p_fwer,
            q_fdr: inference.q_fdr,
            null_mean: inference.null_mean,
            null_sd: inference.null_sd,
            matched: mean(pairs().map(|pair| pair.matched)),
            mismatched: mean(pairs().map(|pair| pair.mismatched)),
            rsa: mean(layer.rsms.iter().map(rsa)),
            ci_low: interval.map(|interval| interval.low),
            ci_high: interval.map(|interval| interval.high),
            ceiling_low: ceiling.map(|ceiling| ceiling.lower),
            ceiling_high: ceiling.map(|ceiling| ceiling.upper),
        }
    }

    /// What is to be said of pairs in which a row of similarities is constant once the pair is left out: of the words' once,
    /// with the first layer, of a layer's with the first word model.
    fn flat(&self, tested: &TestedLayer, index: usize) -> Vec<String> {
        let said = |count: usize, of: usize, whose: String| {
            (count > 0).then(|| {
                format!(
                    "{whose}: in {count} of {of} pairs a row of similarities does not vary once the pair's own columns are \
                     left out; it counts as correlation 0"
                )
            })
        };
        let is_first_model = self.words.first().is_some_and(|first| std::ptr::eq(first, tested.model));
        let mut all = Vec::new();
        if is_first_model {
            all.extend(Constant::of(self.space, tested.layer).map(|constant| constant.of_tests()));
        }
        if index == 0 {
            let pairs = tested.pairs.first().map_or(&[][..], Vec::as_slice);
            let flat = pairs.iter().filter(|pair| pair.flat_words).count();
            all.extend(said(flat, pairs.len(), format!("words {}", tested.model.name)));
        }
        if is_first_model {
            let pairs = || tested.pairs.iter().flatten();
            let flat = pairs().filter(|pair| pair.flat_images).count();
            all.extend(said(flat, pairs().count(), format!("layer {}", tested.layer.name)));
        }
        all
    }

    fn group_rows(&self, tested: &TestedLayer) -> Vec<GroupRow> {
        let pairs = self.pairs() as u64;
        let row = |(group, tested_pairs): (&String, &Vec<TestedPair>)| {
            let (passed, ties) = (count(tested_pairs, Outcome::Passed), count(tested_pairs, Outcome::Tie));
            let untested = pairs - tested_pairs.len() as u64;
            GroupRow {
                network: self.space.network.clone(),
                layer: tested.layer.name.clone(),
                words: tested.model.name.clone(),
                group: group.clone(),
                passed,
                ties,
                pairs,
                accuracy: self.options.ties.score(passed, ties, untested) as f64 / (2 * pairs) as f64,
            }
        };
        self.space.groups.iter().zip(&tested.pairs).map(row).collect()
    }

    /// Per concept its pairs over all groups.
    fn concept_rows(&self, tested: &TestedLayer) -> Vec<ConceptRow> {
        let concepts = self.space.concepts.len();
        let pairs = ((concepts - 1) * self.space.groups.len()) as u64;
        let mut passed = vec![0; concepts];
        // A pair with a constant image is not tested and scores half.
        let mut points = vec![pairs as i64; concepts];
        for pair in tested.pairs.iter().flatten() {
            for concept in [pair.a as usize, pair.b as usize] {
                passed[concept] += u64::from(pair.outcome == Outcome::Passed);
                points[concept] += pair.outcome.half_points(self.options.ties) as i64 - 1;
            }
        }
        let row = |(concept, name): (usize, &String)| ConceptRow {
            network: self.space.network.clone(),
            layer: tested.layer.name.clone(),
            words: tested.model.name.clone(),
            concept: name.clone(),
            pairs,
            passed: passed[concept],
            accuracy: points[concept] as f64 / (2 * pairs) as f64,
        };
        self.space.concepts.iter().enumerate().map(row).collect()
    }

    /// The pairs confused most: lowest mean margin.
    fn confused_rows(&self, tested: &TestedLayer) -> Vec<ConfusedRow> {
        let mut pairs: BTreeMap<(u32, u32), Confused> = BTreeMap::new();
        for pair in tested.pairs.iter().flatten() {
            let confused = pairs.entry((pair.a, pair.b)).or_default();
            confused.margins += pair.margin();
            confused.groups += 1;
            confused.lost += u64::from(pair.outcome == Outcome::Lost);
            confused.ties += u64::from(pair.outcome == Outcome::Tie);
        }
        let mean =
            |(pair, confused): ((u32, u32), Confused)| (confused.margins / confused.groups as f64, pair, confused);
        let mut pairs: Vec<_> = pairs.into_iter().map(mean).collect();
        pairs.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.cmp(&y.1)));
        let row = |(margin, (a, b), confused): (f64, (u32, u32), Confused)| ConfusedRow {
            network: self.space.network.clone(),
            layer: tested.layer.name.clone(),
            words: tested.model.name.clone(),
            concept_a: self.space.concepts[a as usize].clone(),
            concept_b: self.space.concepts[b as usize].clone(),
            margin,
            groups_lost: confused.lost,
            groups_tied: confused.ties,
        };
        pairs.into_iter().take(CONFUSED_PAIRS).map(row).collect()
    }
}
