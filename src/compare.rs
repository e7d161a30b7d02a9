//! Finished runs side by side: their curves on one axis of relative depth, and paired tests of their differences; within a
//! run, layer against layer.

mod between;
mod within;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{Error, FileError};
use crate::matrices::{self, Entries, MatrixError, Reading, Side, Source};
use crate::names;
use crate::progress::Progress;
use crate::record::{RecordError, RunRecord};
use crate::report::{self, Overlay};
use crate::results::{AccuracyRow, Results, ResultsDir, ResultsError, write_table};
use crate::stats::Rsm;
use crate::stats::bootstrap::MIN_CONCEPTS;
use crate::stats::generalise::{FEWEST_GROUPS, Generalise};
use crate::stats::influence::{self, Spread};
use crate::stats::scoring::Ties;

/// Level of the intervals of differences.
const CONFIDENCE: f64 = 0.95;

/// What to compare.
pub struct Request {
    /// Results directories.
    pub directories: Vec<PathBuf>,
    /// Only these word models; empty: all.
    pub words: Vec<String>,
    /// Two layers to hold against each other in every curve, or none.
    pub layers: Vec<String>,
    /// Draws of the multiplier bootstrap over concepts, shared by all differences.
    pub resamples: u64,
    /// Seeds them.
    pub seed: u64,
    /// To what differences are generalised.
    pub generalise: Generalise,
    /// Where the comparison goes.
    pub out: PathBuf,
}

/// Results that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A table.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A matrix of the results.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// A matrix of other concepts.
    #[error("{}: {found} concepts, expected {expected} as in rsm/concepts.txt; make the run or test again", path.display())]
    Concepts {
        /// The matrix.
        path: PathBuf,
        /// Its concepts.
        found: usize,
        /// Those of the run.
        expected: usize,
    },
    /// One curve of one layer.
    #[error(
        "one curve of one layer is nothing to compare: {found}; name another results directory, or a run with two word models"
    )]
    Single {
        /// What there is.
        found: String,
    },
    /// --layers that a curve lacks.
    #[error("--layers {layer}: {curve} has no such layer, expected two of {known}")]
    Layer {
        /// As asked for.
        layer: String,
        /// The curve.
        curve: String,
        /// Those that it has.
        known: String,
    },
    /// One group is no sample of groups.
    #[error("--generalise: {curve} has one group; expected two or more (five say something), or --generalise concepts")]
    Groups {
        /// The curve.
        curve: String,
    },
    /// --words that no run has.
    #[error("--words {words}: no run has this word model, expected one of {known}")]
    Words {
        /// As asked for.
        words: String,
        /// Those that there are.
        known: String,
    },
}

/// One run with one word model.
struct Curve {
    name: String,
    run: String,
    directory: ResultsDir,
    rows: Vec<AccuracyRow>,
    /// Names of the groups.
    groups: Vec<String>,
    /// In the order that it shares with other curves of the same concepts.
    concepts: Vec<String>,
    /// Where each of them stands in the run's matrices, if elsewhere.
    order: Option<Vec<usize>>,
    ties: Ties,
}

/// Compares runs; returns the directory of `compare.csv`, `within.csv` and the figure.
///
/// Curves of the same concepts are tested pair by pair: each layer of the one against the layer of the other at the
/// nearest relative depth (of the same name, in the same network). Others are drawn only, and `progress` says so. A single
/// run is tested within, layer against layer, and so is every run where layers are asked for.
///
/// # Errors
/// [`Error::Input`] for results that are not there or not comparable, [`Error::Interrupted`] when asked to stop.
pub fn compare(request: &Request, progress: &Progress) -> Result<PathBuf, Error> {
    let curves = curves(request).map_err(Error::input)?;
    let out = ResultsDir::new(&request.out);
    out.check([]).map_err(Error::input)?;
    let _writing = progress.interrupt.writing();
    let _claim = out.lock("compare")?;
    let mut read: Vec<Option<WordsAndLayers>> = Vec::new();
    for curve in &curves {
        let same = |(other, read): (&Curve, &Option<WordsAndLayers>)| {
            read.as_ref().filter(|_| curve.shares_layers(other)).map(|(_, layers)| Rc::clone(layers))
        };
        let layers = curves.iter().zip(&read).find_map(same);
        read.push(rsms(curve, layers).map_err(Error::input)?);
        if read.last().is_some_and(Option::is_none) {
            progress.line(format!("{}: no matrices in rsm/, or too few concepts; drawn, not tested", curve.name));
        }
    }
    let mut rows = Vec::new();
    for (n, a) in curves.iter().enumerate() {
        for (m, b) in curves.iter().enumerate().skip(n + 1) {
            let (Some(in_a), Some(in_b)) = (&read[n], &read[m]) else { continue };
            if a.concepts != b.concepts {
                progress.line(format!("{} and {}: other concepts; drawn, not tested", a.name, b.name));
            } else if a.is_unnamed() && a.directory != b.directory && in_a.0 != in_b.0 {
                progress.line(format!(
                    "{} and {}: numbers instead of names, and other words: nothing says that the concepts are the same; \
                     drawn, not tested (semgpu test --concepts FILE names them)",
                    a.name, b.name
                ));
            } else if request.generalise.over_groups() && a.groups != b.groups {
                progress.line(format!(
                    "{} and {}: other groups, so none of the one is any of the other; drawn, not tested (--generalise concepts \
                     tests them)",
                    a.name, b.name
                ));
            } else {
                rows.extend(between::differences((a, in_a), (b, in_b), request, progress)?);
            }
        }
    }
    let mut inner = Vec::new();
    if request.directories.len() == 1 || !request.layers.is_empty() {
        for (curve, read) in curves.iter().zip(&read) {
            if let Some(read) = read {
                inner.extend(within::differences(curve, read, request, progress)?);
            }
        }
    }
    write_table(&request.out, &rows).map_err(Error::failed)?;
    write_table(&request.out, &inner).map_err(Error::failed)?;
    let overlays: Vec<Overlay> = curves.iter().map(|curve| Overlay { run: &curve.run, rows: &curve.rows }).collect();
    report::write_comparison(&overlays, &request.out).map_err(Error::failed)?;
    if request.generalise.over_groups() {
        let over = if request.generalise == Generalise::Both { "concepts and groups" } else { "groups" };
        progress.line(format!("intervals and p-values generalise to other {over}"));
    }
    summarise(&rows, progress);
    summarise(&inner, progress);
    Ok(request.out.clone())
}

impl Curve {
    /// Whether the concepts have numbers instead of names, as in a test of matrices that nobody named.
    fn is_unnamed(&self) -> bool {
        self.concepts.iter().enumerate().all(|(n, name)| *name == n.to_string())
    }

    /// Whether it is another word model's curve of the same matrices.
    fn shares_layers(&self, other: &Self) -> bool {
        let names = |curve: &Self| curve.rows.iter().map(|row| row.layer.clone()).collect::<Vec<_>>();
        self.directory == other.directory && self.order == other.order && names(self) == names(other)
    }
}

/// Brings the concepts of all curves that have the same ones into the first such curve's order: what one concept does to two
/// accuracies is taken by its place.
fn align(curves: &mut [Curve]) {
    for n in 1..curves.len() {
        let (before, rest) = curves.split_at_mut(n);
        let curve = &mut rest[0];
        let same = |first: &Curve| names::order(&first.concepts, std::slice::from_ref(&curve.concepts));
        if let Some(order) = before.iter().find_map(same).filter(|order| !names::is_same(order)) {
            curve.concepts = order.iter().map(|&place| curve.concepts[place].clone()).collect();
            curve.order = Some(order);
        }
    }
}

/// Every run's curve for every word model asked for.
fn curves(request: &Request) -> Result<Vec<Curve>, CompareError> {
    let runs: Vec<(String, &Path, Results)> = run_names(&request.directories)
        .into_iter()
        .zip(&request.directories)
        .map(|(name, directory)| Ok((name, directory.as_path(), Results::read(directory)?)))
        .collect::<Result<_, CompareError>>()?;
    let known = report::distinct(runs.iter().flat_map(|(_, _, run)| run.accuracy.iter().map(|row| row.words.as_str())));
    if let Some(words) = request.words.iter().find(|words| !known.contains(&words.as_str())) {
        return Err(CompareError::Words { words: words.clone(), known: known.join(", ") });
    }
    let wanted = |words: &str| request.words.is_empty() || request.words.iter().any(|wanted| wanted == words);
    let models = known.iter().filter(|words| wanted(words)).count();
    let mut curves = Vec::new();
    for (run_name, directory, run) in &runs {
        let directory = ResultsDir::new(*directory);
        let ties = RunRecord::read(&directory)?.map_or_else(Ties::default, |record| record.options().ties);
        let concepts = directory.concepts()?;
        for words in
            report::distinct(run.accuracy.iter().map(|row| row.words.as_str())).into_iter().filter(|w| wanted(w))
        {
            let name = match (runs.len(), models) {
                (1, _) => words.to_string(),
                (_, 1) => run_name.clone(),
                _ => format!("{run_name}, {words}"),
            };
            let rows = run.accuracy.iter().filter(|row| row.words == words).cloned().collect();
            let groups = run.groups.iter().filter(|row| row.words == words).map(|row| row.group.as_str());
            let groups: Vec<String> = report::distinct(groups).into_iter().map(str::to_string).collect();
            if request.generalise.over_groups() && groups.len() < FEWEST_GROUPS {
                return Err(CompareError::Groups { curve: name });
            }
            let (run, directory, concepts) = (run_name.clone(), directory.clone(), concepts.clone());
            curves.push(Curve { name, run, directory, rows, groups, concepts, order: None, ties });
        }
    }
    if curves.len() < 2 && curves.iter().all(|curve| curve.rows.len() < 2) {
        return Err(CompareError::Single { found: curves.iter().map(|curve| curve.name.as_str()).collect() });
    }
    for curve in &curves {
        let known: Vec<&str> = curve.rows.iter().map(|row| row.layer.as_str()).collect();
        if let Some(layer) = request.layers.iter().find(|layer| !known.contains(&layer.as_str())) {
            let (layer, curve, known) = (layer.clone(), curve.name.clone(), known.join(", "));
            return Err(CompareError::Layer { layer, curve, known });
        }
    }
    align(&mut curves);
    Ok(curves)
}

/// The spread of the difference of a layer of one curve and one of another; of the first's accuracy itself without.
fn spread(
    (a, in_a, n): (&Curve, &WordsAndLayers, usize),
    (b, in_b, m): (&Curve, &WordsAndLayers, Option<usize>),
    over: Generalise,
    progress: &Progress,
) -> Result<Spread, Error> {
    let one = influence::Tested { words: &in_a.0, groups: &in_a.1[n], ties: a.ties };
    let other = influence::Tested { words: &in_b.0, groups: m.map_or(&[][..], |m| &in_b.1[m]), ties: b.ties };
    Ok(influence::generalised(over, one, other, &|_| progress.interrupt.flow())?)
}

/// A difference that was tested.
trait Tested {
    /// What tells its family from others.
    fn family(&self) -> [&str; 2];
    /// The family's name, and where the difference is.
    fn named(&self) -> (String, String);
    /// The difference, the ends of its interval, the family-wise p.
    fn numbers(&self) -> [f64; 4];
}

/// One line per family: the largest difference, and how many are significant.
fn summarise<T: Tested>(rows: &[T], progress: &Progress) {
    for rows in rows.chunk_by(|a, b| a.family() == b.family()) {
        let size = |row: &&T| row.numbers()[0].abs();
        let Some(most) = rows.iter().max_by(|a, b| size(a).total_cmp(&size(b))) else { continue };
        let significant = rows.iter().filter(|row| row.numbers()[3] < report::SIGNIFICANT).count();
        let ((name, place), [difference, low, high, p]) = (most.named(), most.numbers());
        progress.line(format!(
            "{name}: most {place} ({difference:+.3}, 95 % {low:+.3} to {high:+.3}, family-wise p {p:.4}); family-wise p < 0.05 \
             in {significant} of {}",
            rows.len()
        ));
    }
}

/// What tells the directories apart: their last parts, as many as it takes.
fn run_names(directories: &[PathBuf]) -> Vec<String> {
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
    (1..=longest)
        .map(last)
        .find(|names| report::distinct(names.iter().map(String::as_str)).len() == names.len())
        .unwrap_or_else(|| last(1))
}

/// The words' RSM and every layer's RSMs, which the curves of other word models share.
type WordsAndLayers = (Rsm, Rc<Vec<Vec<Rsm>>>);

/// None if the matrices are not there or too few concepts to test; layers that are read already are not read again.
fn rsms(curve: &Curve, layers_read: Option<Rc<Vec<Vec<Rsm>>>>) -> Result<Option<WordsAndLayers>, CompareError> {
    let words = curve.directory.words_rsm(&curve.rows[0].words);
    let layers: Vec<PathBuf> = curve.rows.iter().map(|row| curve.directory.layer_rsm(&row.layer)).collect();
    if curve.concepts.len() < MIN_CONCEPTS || !std::iter::once(&words).chain(&layers).all(|path| path.exists()) {
        return Ok(None);
    }
    let expected = curve.concepts.len();
    let read = |path: &PathBuf| {
        let source = Source { name: curve.name.clone(), path: path.clone(), array: None, given: None };
        let reading = Reading { entries: Some(Entries::Similarities), ..Reading::default() };
        let read = matrices::read(&source, Side::Images, &reading)?;
        let rsms: Vec<Rsm> = read.into_iter().flat_map(|matrices| matrices.rsms).collect();
        match rsms.iter().map(Rsm::concepts).find(|&found| found != expected) {
            Some(found) => Err(CompareError::Concepts { path: path.clone(), found, expected }),
            None => Ok(match &curve.order {
                Some(order) => rsms.iter().map(|rsm| matrices::reordered(rsm, order)).collect(),
                None => rsms,
            }),
        }
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
