//! The result tables as the script reads them: nested by network, word model and layer, names as indices.

use std::collections::HashMap;
use std::hash::Hash;

use serde::Serialize;

use crate::names::distinct;
use crate::report::curves::Curves;
use crate::report::material::Said;
use crate::report::ramp::SEQUENTIAL;
use crate::results::{AccuracyRow, ConceptRow, ConfusedRow, GroupRow, Results, RsaRow};

/// Everything but matrices and pictures.
#[derive(Serialize)]
pub struct Data<'a> {
    networks: Vec<Network<'a>>,
    /// In the order of the matrices.
    concepts: Vec<&'a str>,
    /// One per concept, or none at all.
    categories: &'a [String],
    groups: Vec<&'a str>,
    /// What one of them is.
    group: &'a str,
    /// From the lowest to the highest value of a matrix.
    ramp: [[u8; 3]; 7],
}

#[derive(Serialize)]
struct Network<'a> {
    name: &'a str,
    /// As people call it.
    title: String,
    layers: Vec<Layer<'a>>,
    models: Vec<Model<'a>>,
    mistakes: Vec<Mistake<'a>>,
    /// What each image was taken for, and whether that is right: `[concepts][groups]`; empty for a network without
    /// classes.
    answers: Vec<Vec<Option<Answer<'a>>>>,
}

/// A class, and whether it is the image's own, where that is known.
type Answer<'a> = (&'a str, Option<bool>);

/// A misclassified image.
#[derive(Serialize)]
struct Mistake<'a> {
    concept: usize,
    group: usize,
    predicted: &'a str,
    /// `[models][layers]`: correlation with the true class less that with the predicted one.
    margins: Vec<Vec<Option<f64>>>,
    /// By word model, the layer from which on the true class is lost.
    lost_from: Vec<Option<usize>>,
}

#[derive(Serialize)]
struct Layer<'a> {
    name: &'a str,
    label: &'a str,
    /// 0: not known.
    units: usize,
}

#[derive(Serialize)]
struct Model<'a> {
    words: &'a str,
    /// The layer that is shown first.
    best: usize,
    /// One per layer; none where the tables lack it.
    tests: Vec<Option<Test<'a>>>,
}

/// A layer against a word model.
#[derive(Serialize)]
struct Test<'a> {
    accuracy: f64,
    ties: u64,
    permutations: u64,
    p: f64,
    fwer: f64,
    fdr: f64,
    null: (f64, f64),
    matched: f64,
    mismatched: f64,
    rsa: f64,
    interval: Option<(f64, f64)>,
    ceiling: Option<(f64, f64)>,
    /// Accuracy by group, in the order of `groups`.
    groups: Vec<Option<f64>>,
    /// Half-points by concept out of `whole`: whole numbers are short, and exact.
    concepts: Vec<Option<u64>>,
    /// Twice the pairs of a concept.
    whole: u64,
    /// The two concepts, the margin, the groups that lost it.
    confused: Vec<(usize, usize, f64, u64)>,
    /// Method, correlation, family-wise p where there were draws.
    rsas: Vec<(&'a str, f64, Option<f64>)>,
}

impl<'a> Data<'a> {
    /// The tables of `results`, whose curves are `networks`.
    pub fn new(results: &'a Results, networks: &[Curves<'a>], categories: &'a [String], told: Said<'a>) -> Self {
        let concepts = distinct(results.concepts.iter().map(|row| row.concept.as_str()));
        let groups = distinct(results.groups.iter().map(|row| row.group.as_str()));
        let tables = Tables::new(results, &concepts, &groups);
        let network = |curves: &Curves<'a>| {
            let place = |layer: &str| curves.layers.iter().position(|known| *known == layer);
            Network {
                name: curves.network,
                title: told.network(curves.network),
                layers: layers(curves),
                models: curves
                    .models
                    .iter()
                    .map(|model| Model {
                        words: model.words,
                        best: model.best().and_then(|best| place(&best.row.layer)).unwrap_or(0),
                        tests: model.rows.iter().map(|row| row.map(|row| tables.test(row))).collect(),
                    })
                    .collect(),
                mistakes: tables.mistakes(results, curves),
                answers: tables.answers(results, curves.network),
            }
        };
        Self {
            networks: networks.iter().map(network).collect(),
            categories: if categories.len() == concepts.len() { categories } else { &[] },
            concepts,
            groups,
            group: told.group(),
            ramp: SEQUENTIAL,
        }
    }
}

fn layers<'a>(curves: &Curves<'a>) -> Vec<Layer<'a>> {
    let units = |layer: &str| curves.rows().find(|row| row.layer == layer).map_or(0, |row| row.units);
    let named = curves.layers.iter().zip(&curves.labels);
    named.map(|(&name, &label)| Layer { name, label, units: units(name) }).collect()
}

/// A row's network, layer and word model.
type Key<'a> = (&'a str, &'a str, &'a str);

/// The further tables by layer and word model.
struct Tables<'a> {
    concept: HashMap<&'a str, usize>,
    group: HashMap<&'a str, usize>,
    groups: HashMap<Key<'a>, Vec<&'a GroupRow>>,
    concepts: HashMap<Key<'a>, Vec<&'a ConceptRow>>,
    confused: HashMap<Key<'a>, Vec<&'a ConfusedRow>>,
    rsa: HashMap<Key<'a>, Vec<&'a RsaRow>>,
}

fn grouped<'a, K: Eq + Hash, R>(rows: &'a [R], key: impl Fn(&'a R) -> K) -> HashMap<K, Vec<&'a R>> {
    let mut grouped: HashMap<K, Vec<&R>> = HashMap::new();
    for row in rows {
        grouped.entry(key(row)).or_default().push(row);
    }
    grouped
}

impl<'a> Tables<'a> {
    fn new(results: &'a Results, concepts: &[&'a str], groups: &[&'a str]) -> Self {
        Self {
            concept: concepts.iter().enumerate().map(|(place, &name)| (name, place)).collect(),
            group: groups.iter().enumerate().map(|(place, &name)| (name, place)).collect(),
            groups: grouped(&results.groups, |row| (&*row.network, &*row.layer, &*row.words)),
            concepts: grouped(&results.concepts, |row| (&*row.network, &*row.layer, &*row.words)),
            confused: grouped(&results.confused, |row| (&*row.network, &*row.layer, &*row.words)),
            rsa: grouped(&results.rsa, |row| (&*row.network, &*row.layer, &*row.words)),
        }
    }

    fn mistakes(&self, results: &'a Results, curves: &Curves<'a>) -> Vec<Mistake<'a>> {
        let layer = |name: &str| curves.layers.iter().position(|layer| *layer == name);
        let model = |name: &str| curves.models.iter().position(|model| model.words == name);
        let mut mistakes: Vec<Mistake> = Vec::new();
        let mut places: HashMap<(usize, usize), usize> = HashMap::new();
        for row in results.misclassified.iter().filter(|row| row.network == curves.network) {
            let image = (self.concept.get(&*row.concept), self.group.get(&*row.group));
            let ((Some(&concept), Some(&group)), Some(model), Some(layer)) =
                (image, model(&row.words), layer(&row.layer))
            else {
                continue;
            };
            let place = *places.entry((concept, group)).or_insert_with(|| {
                let margins = vec![vec![None; curves.layers.len()]; curves.models.len()];
                let lost_from = vec![None; curves.models.len()];
                mistakes.push(Mistake { concept, group, predicted: &row.predicted, margins, lost_from });
                mistakes.len() - 1
            });
            mistakes[place].margins[model][layer] = row.margin;
        }
        for row in results.lost.iter().filter(|row| row.network == curves.network) {
            let image = self.concept.get(&*row.concept).copied().zip(self.group.get(&*row.group).copied());
            let place = image.and_then(|image| places.get(&image));
            if let (Some(&place), Some(model)) = (place, model(&row.words)) {
                mistakes[place].lost_from[model] = row.lost_from.as_deref().and_then(layer);
            }
        }
        mistakes
    }

    fn answers(&self, results: &'a Results, network: &str) -> Vec<Vec<Option<Answer<'a>>>> {
        let rows: Vec<_> = results.predictions.iter().filter(|row| row.network == network).collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let mut answers = vec![vec![None; self.group.len()]; self.concept.len()];
        for row in rows {
            if let (Some(&concept), Some(&group)) = (self.concept.get(&*row.concept), self.group.get(&*row.group)) {
                answers[concept][group] = Some((&*row.predicted_class, row.correct));
            }
        }
        answers
    }

    fn test(&self, row: &'a AccuracyRow) -> Test<'a> {
        let key = (&*row.network, &*row.layer, &*row.words);
        let mut groups = vec![None; self.group.len()];
        for group in self.groups.get(&key).into_iter().flatten() {
            groups[self.group[&*group.group]] = Some(group.accuracy);
        }
        let mut concepts = vec![None; self.concept.len()];
        let mut whole = 0;
        for concept in self.concepts.get(&key).into_iter().flatten() {
            whole = 2 * concept.pairs;
            concepts[self.concept[&*concept.concept]] = Some((concept.accuracy * whole as f64).round() as u64);
        }
        let confused = self.confused.get(&key).into_iter().flatten().filter_map(|pair| {
            let places = (self.concept.get(&*pair.concept_a)?, self.concept.get(&*pair.concept_b)?);
            Some((*places.0, *places.1, pair.margin, pair.groups_lost))
        });
        Test {
            accuracy: row.accuracy,
            ties: row.ties,
            permutations: row.permutations,
            p: row.p_value,
            fwer: row.p_fwer,
            fdr: row.q_fdr,
            null: (row.null_mean, row.null_sd),
            matched: row.matched,
            mismatched: row.mismatched,
            rsa: row.rsa,
            interval: row.ci_low.zip(row.ci_high),
            ceiling: row.ceiling_low.zip(row.ceiling_high),
            groups,
            concepts,
            whole,
            confused: confused.collect(),
            rsas: self
                .rsa
                .get(&key)
                .into_iter()
                .flatten()
                .map(|row| (&*row.method, row.rsa, (row.permutations > 0).then_some(row.p_fwer)))
                .collect(),
        }
    }
}
