//! The curves of runs: what tells them apart, and their matrices where these can be tested.

use std::path::PathBuf;
use std::rc::Rc;

use super::{CompareError, Request};
use crate::matrices::{self, Entries, Reading, Side, Source};
use crate::names::{self, distinct};
use crate::record::{Along, IMAGES, RunRecord};
use crate::report::Null;
use crate::results::{AccuracyRow, GroupRow, ResultsDir, read_table};
use crate::stats::Rsm;
use crate::stats::bootstrap::MIN_CONCEPTS;
use crate::stats::generalise::{FEWEST_GROUPS, Generalise};
use crate::stats::scoring::Ties;

/// One run with one word model.
pub struct Curve {
    /// What tells it from the others.
    pub name: String,
    /// What tells its run from the others.
    pub run: String,
    pub directory: ResultsDir,
    /// Its layers in input order.
    pub rows: Vec<AccuracyRow>,
    /// What groups are, where the user said it: subjects.
    pub groups_are: Option<String>,
    /// Names of the groups, in the order that it shares with other curves of the same ones.
    pub groups: Vec<String>,
    /// Where each of them stands in the run's matrices, if elsewhere.
    group_order: Option<Vec<usize>>,
    /// In the order that it shares with other curves of the same concepts.
    pub concepts: Vec<String>,
    /// Where each of them stands in the run's matrices, if elsewhere.
    order: Option<Vec<usize>>,
    pub ties: Ties,
    /// How its null was drawn, where the run says it.
    pub null: Option<Null>,
    /// Whether its layers are places without an order: regions.
    pub unordered: bool,
    /// What its layers stand along, where the user says it: time.
    axis: Option<String>,
}

impl Curve {
    /// Whether layers of the two are held against each other by their names alone: regions, and places along an axis that have
    /// numbers for names (`100 ms`), are what they are called, wherever they stand.
    fn pairs_by_name(&self, other: &Self) -> bool {
        let numbered = |curve: &Self| {
            curve.rows.iter().all(|row| {
                row.layer.trim_start_matches(['-', '\u{2212}', '+', '.']).starts_with(|c: char| c.is_ascii_digit())
            })
        };
        let along = self.axis.is_some() || other.axis.is_some();
        self.unordered || other.unordered || along && numbered(self) && numbered(other)
    }

    /// Of every layer, the layer of `other` that it is held against: of the same name in the same network, else at the nearest
    /// depth.
    pub fn counterparts(&self, other: &Self) -> Vec<Option<usize>> {
        let by_name = self.pairs_by_name(other);
        let counterpart = |row: &AccuracyRow| {
            let same = |found: &AccuracyRow| found.layer == row.layer && (by_name || found.network == row.network);
            let distance = |n: &usize| (other.rows[*n].depth - row.depth).abs();
            let nearest = || (0..other.rows.len()).min_by(|x, y| distance(x).total_cmp(&distance(y)));
            other.rows.iter().position(same).or_else(|| if by_name { None } else { nearest() })
        };
        self.rows.iter().map(counterpart).collect()
    }

    /// Whether any observed pair ties, which the rule for ties counts.
    pub fn ties_occur(&self) -> bool {
        self.rows.iter().any(|row| row.ties > 0)
    }

    /// Whether the concepts have numbers instead of names, as in a test of matrices that nobody named.
    pub fn is_unnamed(&self) -> bool {
        self.concepts.iter().enumerate().all(|(n, name)| *name == n.to_string())
    }

    /// Whether it is another word model's curve of the same matrices.
    pub fn shares_layers(&self, other: &Self) -> bool {
        fn names(curve: &Curve) -> impl Iterator<Item = &String> {
            curve.rows.iter().map(|row| &row.layer)
        }
        let orders = (&self.order, &self.group_order) == (&other.order, &other.group_order);
        self.directory == other.directory && orders && names(self).eq(names(other))
    }
}

/// Brings the concepts and groups of all curves that have the same ones into the first such curve's order: what one concept does
/// to two accuracies is taken by its place.
fn align(curves: &mut [Curve]) {
    for n in 1..curves.len() {
        let (before, rest) = curves.split_at_mut(n);
        let curve = &mut rest[0];
        let same = |first: &Curve| names::order(&first.concepts, std::slice::from_ref(&curve.concepts));
        if let Some(order) = before.iter().find_map(same).filter(|order| !names::is_same(order)) {
            curve.concepts = order.iter().map(|&place| curve.concepts[place].clone()).collect();
            curve.order = Some(order);
        }
        let same = |first: &Curve| names::order(&first.groups, std::slice::from_ref(&curve.groups));
        if let Some(order) = before.iter().find_map(same).filter(|order| !names::is_same(order)) {
            curve.groups = order.iter().map(|&place| curve.groups[place].clone()).collect();
            curve.group_order = Some(order);
        }
    }
}

/// The curve of every run, called by its name, for every word model asked for.
pub fn curves(runs: &[(String, PathBuf)], request: &Request) -> Result<Vec<Curve>, CompareError> {
    let mut tables: Vec<(Vec<AccuracyRow>, Vec<GroupRow>)> = Vec::new();
    for (_, directory) in runs {
        tables.push((read_table(directory)?, read_table(directory)?));
    }
    if let Some((_, directory)) = runs.first().filter(|_| tables.iter().all(|(rows, _)| rows.is_empty())) {
        return Err(CompareError::NoCurves(directory.clone()));
    }
    let known = distinct(tables.iter().flat_map(|(rows, _)| rows).map(|row| row.words.as_str()));
    if let Some(words) = request.words.iter().find(|words| !known.contains(&words.as_str())) {
        return Err(CompareError::Words {
            words: words.clone(),
            known: known.iter().map(|&words| words.into()).collect(),
        });
    }
    let wanted = |words: &str| request.words.is_empty() || request.words.iter().any(|wanted| wanted == words);
    let models = known.iter().filter(|words| wanted(words)).count();
    let mut curves = Vec::new();
    for ((run_name, directory), (rows, groups)) in runs.iter().zip(&tables) {
        let directory = ResultsDir::new(directory);
        let record = RunRecord::read(&directory)?;
        let ties = record.as_ref().map_or_else(Ties::default, |record| record.options().ties);
        let unordered = record.as_ref().is_some_and(RunRecord::is_unordered);
        let axis = record.as_ref().and_then(|record| record.axis().map(str::to_string));
        let groups_are = record.as_ref().map(RunRecord::groups_are).filter(|of| *of != IMAGES).map(str::to_string);
        let concepts = directory.concepts()?;
        let of_run = distinct(rows.iter().map(|row| row.words.as_str()));
        for words in of_run.into_iter().filter(|words| wanted(words)) {
            let name = match (runs.len(), models) {
                (1, _) => words.to_string(),
                (_, 1) => run_name.to_string(),
                _ => format!("{run_name}, {words}"),
            };
            let rows = rows.iter().filter(|row| row.words == words).cloned().collect();
            let groups = groups.iter().filter(|row| row.words == words).map(|row| row.group.as_str());
            let groups: Vec<String> = distinct(groups).into_iter().map(str::to_string).collect();
            if request.generalise.over_groups() && groups.len() < FEWEST_GROUPS {
                return Err(CompareError::Groups { curve: name });
            }
            curves.push(Curve {
                name,
                run: run_name.to_string(),
                directory: directory.clone(),
                rows,
                groups_are: groups_are.clone(),
                groups,
                group_order: None,
                concepts: concepts.clone(),
                order: None,
                ties,
                null: record.as_ref().map(Null::of),
                unordered,
                axis: axis.clone(),
            });
        }
    }
    if curves.len() < 2 && curves.iter().all(|curve| curve.rows.len() < 2) {
        let found = curves.first().map_or("none", |curve| curve.name.as_str());
        return Err(CompareError::Single { found: found.to_string() });
    }
    for curve in &curves {
        let known: Vec<&str> = curve.rows.iter().map(|row| row.layer.as_str()).collect();
        if let Some(layer) = request.layers.iter().find(|layer| !known.contains(&layer.as_str())) {
            let known = known.iter().map(|&layer| layer.into()).collect();
            let (layer, curve) = (layer.clone(), curve.name.clone());
            return Err(CompareError::Layer { layer, curve, known });
        }
    }
    align(&mut curves);
    Ok(curves)
}

/// What the layers of all curves stand along: where they are held against each other by their names alone, these.
pub fn along(curves: &[Curve]) -> Option<Along> {
    let unordered = curves.iter().all(|curve| curve.unordered);
    let axis =
        curves.first()?.axis.as_ref().filter(|axis| curves.iter().all(|curve| curve.axis.as_ref() == Some(*axis)));
    let numbered = axis.is_some() && curves.iter().all(|curve| curve.pairs_by_name(curve));
    (unordered || numbered).then(|| Along { axis: axis.cloned(), layers: in_order(curves), unordered })
}

/// The layers of all curves: by the numbers that they have for names, where every curve's stand so, else each before the one that
/// follows it in a curve.
fn in_order(curves: &[Curve]) -> Vec<String> {
    let names = |curve: &Curve| curve.rows.iter().map(|row| row.layer.clone()).collect::<Vec<_>>();
    let mut layers = curves.first().map_or(Vec::new(), names);
    for curve in &curves[1..] {
        let mut next = layers.len();
        for name in names(curve).into_iter().rev() {
            match layers.iter().position(|known| *known == name) {
                Some(place) => next = place,
                None => layers.insert(next, name),
            }
        }
    }
    let rises = |curve: &Curve| matrices::numbers(&names(curve)).is_some_and(|values| values.is_sorted());
    match matrices::numbers(&layers).filter(|_| curves.iter().all(rises)) {
        Some(values) => matrices::ordered_by(&values, layers),
        None => layers,
    }
}

/// What tells the directories apart: their last parts, as many as it takes.
pub fn run_names(directories: &[PathBuf]) -> Vec<String> {
    let parts: Vec<Vec<String>> = directories
        .iter()
        .map(|path| {
            let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
            whole.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
        })
        .collect();
    let longest = parts.iter().map(Vec::len).max().unwrap_or_default();
    let last = |count: usize| -> Vec<String> {
        parts.iter().map(|parts| parts[parts.len().saturating_sub(count)..].join("/")).collect()
    };
    (1..=longest).map(last).find(|called| names::twice(called).is_none()).unwrap_or_else(|| last(1))
}

/// The words' RSM and every layer's RSMs, which the curves of other word models share.
pub type WordsAndLayers = (Rsm, Rc<Vec<Vec<Rsm>>>);

/// None if the matrices are not there or too few concepts to be drawn; layers that are read already are not read again.
pub fn rsms(
    curve: &Curve,
    layers_read: Option<Rc<Vec<Vec<Rsm>>>>,
    over: Generalise,
) -> Result<Option<WordsAndLayers>, CompareError> {
    let words = curve.directory.words_rsm(&curve.rows[0].words);
    let layers: Vec<PathBuf> = curve.rows.iter().map(|row| curve.directory.layer_rsm(&row.layer)).collect();
    let too_few = over.over_concepts() && curve.concepts.len() < MIN_CONCEPTS;
    if too_few || !std::iter::once(&words).chain(&layers).all(|path| path.exists()) {
        return Ok(None);
    }
    let expected = curve.concepts.len();
    let read = |path: &PathBuf| {
        let source = Source { name: curve.name.clone(), path: path.clone(), array: None, given: None };
        let reading = Reading { entries: Some(Entries::Similarities), ..Reading::default() };
        let read = matrices::read(&source, Side::Images, &reading)?;
        let rsms: Vec<Rsm> = read.into_iter().flat_map(|matrices| matrices.rsms).collect();
        if let Some(found) = rsms.iter().map(Rsm::concepts).find(|&found| found != expected) {
            return Err(CompareError::Concepts { path: path.clone(), found, expected });
        }
        let rsms: Vec<Rsm> = match &curve.group_order {
            Some(order) if order.len() == rsms.len() => order.iter().map(|&group| rsms[group].clone()).collect(),
            _ => rsms,
        };
        Ok(match &curve.order {
            Some(order) => rsms.iter().map(|rsm| matrices::reordered(rsm, order)).collect(),
            None => rsms,
        })
    };
    let words = read(&words)?.remove(0);
    let layers = match layers_read {
        Some(layers) => layers,
        None => Rc::new(layers.iter().map(read).collect::<Result<_, _>>()?),
    };
    Ok(Some((words, layers)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_named_by_what_tells_them_apart() {
        let of = |paths: &[&str]| run_names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(of(&["results/vgg16", "results/random"]), ["vgg16", "random"]);
        assert_eq!(of(&["a/vgg16", "b/vgg16"]), ["a/vgg16", "b/vgg16"]);
        assert_eq!(of(&["a/vgg16", "a/vgg16"]), ["vgg16", "vgg16"]);
    }
}
