//! Finished runs side by side: their curves on one axis, and paired tests of their differences; within a
//! run, layer against layer.

mod between;
mod chance;
mod curves;
mod doubts;
mod error;
mod within;

use std::collections::HashSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use clap::Args;

use crate::checksum;
use crate::config::{MOST_RESAMPLES, named, whole};
use crate::error::{Error, FileError};
use crate::fonts;
use crate::progress::Progress;
use crate::record::{Compared, ComparisonRecord, Origin, RecordError, RunRecord};
use crate::report::{self, Comparison, Overlay, Style};
use crate::results::{AccuracyRow, COMPARE, ComparisonRow, ResultsDir, WithinRow, write_json, write_table};
use crate::stats::generalise::Generalise;
use crate::stats::influence::{self, Spread};
use crate::sweep;
use crate::wording::{first, grouped};

pub use error::CompareError;

use curves::{Curve, WordsAndLayers, along, curves, rsms, run_names};

/// What `semgpu compare` is asked for.
#[derive(Args)]
pub struct Request {
    /// Results directories, a sweep's for all its networks; of a single run, layer against layer too.
    #[arg(required = true, value_name = "DIR")]
    pub directories: Vec<PathBuf>,
    /// Only this word model (repeatable); default: all.
    #[arg(long, value_name = "NAME")]
    pub words: Vec<String>,
    /// Two layers to hold against each other in every curve.
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    pub layers: Vec<String>,
    /// Draws of the multiplier bootstrap over concepts (and groups), shared by all differences.
    #[arg(
        long = "bootstrap",
        value_name = "N",
        default_value_t = 1000,
        value_parser = resamples
    )]
    pub resamples: u64,
    /// Seeds the draws.
    #[arg(long, default_value_t = 2018)]
    pub seed: u64,
    /// What intervals and p-values speak of: other concepts, other groups (subjects, seeds), or both.
    #[arg(long, default_value = "concepts", value_parser = named::<Generalise>, value_name = "concepts|groups|both")]
    pub generalise: Generalise,
    /// Figures with title and notes, or without, for a caption of your own; the page has both.
    #[arg(long, default_value = "full", value_parser = named::<Style>, value_name = "full|plain")]
    pub style: Style,
    /// Where report.html, compare.csv, within.csv and the figures go.
    #[arg(long, value_name = "DIR", default_value = "results/compare")]
    pub out: PathBuf,
}

fn resamples(text: &str) -> Result<u64, String> {
    let expected = || format!("expected 2 to {}", grouped(MOST_RESAMPLES));
    whole(text).and_then(|count| if (2..=MOST_RESAMPLES).contains(&count) { Ok(count) } else { Err(expected()) })
}

/// Compares runs; returns the page, beside which the tables and the figures lie.
///
/// Curves of the same concepts are tested pair by pair: each layer of the one against the layer of the other at the
/// nearest relative depth (of the same name in the same network; places without an order, and those along an axis with numbers
/// for names, always of the same name). Others are drawn only, and `progress` says so. A single run is tested within, layer
/// against layer, and so is every run where layers are asked for.
///
/// # Errors
/// [`Error::Input`] for results that are not there or not comparable, [`Error::Interrupted`] when asked to stop.
pub fn compare(request: &Request, progress: &Progress) -> Result<PathBuf, Error> {
    let started = Instant::now();
    let runs = runs(&request.directories, progress).map_err(Error::input)?;
    let curves = curves(&runs, request).map_err(Error::input)?;
    let shown = curves.iter().flat_map(|curve| [curve.run.as_str(), &curve.rows[0].network, &curve.rows[0].words]);
    let unshown = fonts::doubt(shown);
    progress.warn(&unshown);
    let out = ResultsDir::new(&request.out);
    out.check([])?;
    out.check_command(COMPARE).map_err(|_| Error::input(CompareError::Taken(request.out.clone())))?;
    out.check_comparison()?;
    let _writing = progress.interrupt.writing();
    let _claim = out.lock(COMPARE)?;
    let is_within = runs.len() == 1 || !request.layers.is_empty();
    let Differences { between, within, untested, of_chance } = differences(&curves, is_within, request, progress)?;
    untested.iter().for_each(|said| progress.line(said));
    let without = runs.iter().map(|(name, _)| name).filter(|name| curves.iter().all(|curve| curve.run != **name));
    let of_words = match request.words.is_empty() {
        true => " (a test by --measure alone; --measure 2v2 beside it makes them)",
        false => " with the word models of --words",
    };
    let mut warnings: Vec<String> = without
        .map(|name| format!("{name}: no accuracies of the 2 vs. 2 test{of_words}; not in the comparison"))
        .collect();
    warnings.extend(of_chance);
    warnings.extend(doubted(&runs, &request.words).map_err(Error::input)?);
    progress.warn(&warnings);
    warnings.extend(unshown);
    let mut record = record(runs, request, groups_are(&curves), [untested, warnings], started).map_err(Error::input)?;
    record.along = along(&curves);
    let in_place = |curve: &Curve| {
        let mut rows = curve.rows.clone();
        rows.sort_by_key(|row| record.along.as_ref().map(|along| along.place(&row.layer)));
        rows
    };
    let rows: Vec<Vec<AccuracyRow>> = curves.iter().map(in_place).collect();
    let overlays: Vec<Overlay> = curves
        .iter()
        .zip(&rows)
        .map(|(Curve { name, run, null, .. }, rows)| Overlay { name, run, rows, null: *null })
        .collect();
    let comparison = Comparison { curves: &overlays, between: &between, within: &within, record: &record };
    out.remove_comparison().map_err(Error::failed)?;
    write_table(out.root(), &between).map_err(Error::failed)?;
    write_table(out.root(), &within).map_err(Error::failed)?;
    let drawn = report::write_comparison(&comparison, request.style, out.root(), progress)?;
    let told = comparison.told();
    record.files = out.comparison_tables().iter().chain(&drawn).map(|path| out.below(path)).collect();
    write_json(&out.comparison(), &record).map_err(Error::failed)?;
    if !between.is_empty() || !within.is_empty() {
        progress
            .line(format!("intervals and p-values generalise to other {}", record.generalise.said(&record.groups_are)));
    }
    told.into_iter().for_each(|said| progress.line(said));
    Ok(out.page())
}

/// What came of the tests.
#[derive(Default)]
struct Differences {
    between: Vec<ComparisonRow>,
    within: Vec<WithinRow>,
    /// What is not tested, and why.
    untested: Vec<String>,
    /// Where chance differs, too.
    of_chance: Vec<String>,
}

/// Tests every two curves against each other, and where asked for each one `within`.
fn differences(curves: &[Curve], within: bool, request: &Request, progress: &Progress) -> Result<Differences, Error> {
    let read = matrices(curves, request.generalise).map_err(Error::input)?;
    let mut found = Differences::default();
    let unread = curves.iter().zip(&read).filter(|(_, read)| read.is_none());
    found.untested.extend(unread.map(|(curve, _)| {
        format!(
            "{}: a matrix is missing in rsm/ (run it again), or there are too few concepts; drawn, not tested",
            curve.name
        )
    }));
    for (n, a) in curves.iter().enumerate() {
        for (m, b) in curves.iter().enumerate().skip(n + 1) {
            let (Some(in_a), Some(in_b)) = (&read[n], &read[m]) else { continue };
            match obstacle((a, in_a), (b, in_b), request.generalise) {
                Some(reason) => found.untested.push(format!("{} and {}: {reason}", a.name, b.name)),
                None => {
                    found.untested.extend(left_out(a, b));
                    found.of_chance.extend(chance::between(a, b));
                    found.between.extend(between::differences((a, in_a), (b, in_b), request, progress)?);
                }
            }
        }
    }
    for (curve, read) in curves.iter().zip(&read).filter(|_| within) {
        let Some(read) = read else { continue };
        let (rows, said) = within::differences(curve, read, request, progress)?;
        found.within.extend(rows);
        found.of_chance.extend(said);
    }
    Ok(found)
}

/// Every run, a sweep's too, by what tells it from the others; one that is named twice, or beside its sweep, stands once.
fn runs(directories: &[PathBuf], progress: &Progress) -> Result<Vec<(String, PathBuf)>, CompareError> {
    let mut all = Vec::new();
    for directory in directories {
        match sweep::networks(directory)? {
            Some(networks) => all.extend(networks),
            None => all.push(directory.clone()),
        }
    }
    let mut seen = HashSet::new();
    all.retain(|directory: &PathBuf| {
        let new = seen.insert(directory.canonicalize().unwrap_or_else(|_| directory.clone()));
        if !new {
            progress.line(format!("{}: named twice, taken once", directory.display()));
        }
        new
    });
    for path in &all {
        if let Some(by) = ResultsDir::new(path).holder() {
            return Err(CompareError::Held { path: path.clone(), by });
        }
    }
    Ok(run_names(&all).into_iter().zip(all).collect())
}

/// The matrices of every curve that has them; those of layers are read once for all word models.
fn matrices(curves: &[Curve], over: Generalise) -> Result<Vec<Option<WordsAndLayers>>, CompareError> {
    let mut all: Vec<Option<WordsAndLayers>> = Vec::new();
    for curve in curves {
        let same = |(other, read): (&Curve, &Option<WordsAndLayers>)| {
            read.as_ref().filter(|_| curve.shares_layers(other)).map(|(_, layers)| Rc::clone(layers))
        };
        let layers = curves.iter().zip(&all).find_map(same);
        all.push(rsms(curve, layers, over)?);
    }
    Ok(all)
}

/// Which runs' tables and matrices are not those that the run wrote, and what is not the same in two runs.
fn doubted(runs: &[(String, PathBuf)], words: &[String]) -> Result<Vec<String>, RecordError> {
    let (mut all, mut records) = (Vec::new(), Vec::new());
    for (name, directory) in runs {
        let directory = ResultsDir::new(directory);
        if let Some(record) = RunRecord::read(&directory)? {
            all.extend(record.altered(&directory).map(|said| format!("{name}: {said}")));
            records.push((name.as_str(), record));
        }
    }
    all.extend(doubts::doubts(&records, words));
    Ok(all)
}

/// The layers of a curve that have no counterpart of their name.
fn left_out(a: &Curve, b: &Curve) -> Option<String> {
    let alone = a.rows.iter().zip(a.counterparts(b)).filter(|(_, counterpart)| counterpart.is_none());
    let alone: Vec<&str> = alone.map(|(row, _)| row.layer.as_str()).collect();
    (!alone.is_empty()).then(|| format!("{}: {}: {} has none of these; not tested", a.name, first(&alone, 5), b.name))
}

/// Why two curves are not tested against each other.
fn obstacle(
    (a, in_a): (&Curve, &WordsAndLayers),
    (b, in_b): (&Curve, &WordsAndLayers),
    over: Generalise,
) -> Option<&'static str> {
    if a.concepts != b.concepts {
        Some("not the same concepts; drawn, not tested")
    } else if a.is_unnamed() && a.directory != b.directory && in_a.0 != in_b.0 {
        Some(
            "concepts have numbers instead of names, and the words differ: nothing says that the concepts are the same; drawn, \
             not tested (semgpu test --concepts FILE names them)",
        )
    } else if a.counterparts(b).iter().all(Option::is_none) {
        Some(match a.unordered || b.unordered {
            true => "they have no layer name in common, and the order of layers says nothing; drawn, not tested",
            false => {
                "they have no layer name in common, and along an axis layers of one name are compared; drawn, not tested"
            }
        })
    } else if a.ties != b.ties && (a.ties_occur() || b.ties_occur()) {
        Some(
            "ties count differently, which by itself moves accuracies; drawn, not tested (run one again with the other's rule \
             for ties)",
        )
    } else if over.over_groups() && a.groups != b.groups {
        Some("not the same groups, so that none can be paired; drawn, not tested (--generalise concepts tests them)")
    } else {
        None
    }
}

/// What groups are in all curves alike.
fn groups_are(curves: &[Curve]) -> String {
    let same = |first: &&Curve| curves.iter().all(|curve| curve.groups_are == first.groups_are);
    curves.first().filter(same).and_then(|first| first.groups_are.clone()).unwrap_or_else(|| "groups".to_string())
}

fn record(
    runs: Vec<(String, PathBuf)>,
    request: &Request,
    groups_are: String,
    [untested, warnings]: [Vec<String>; 2],
    started: Instant,
) -> Result<ComparisonRecord, FileError> {
    let compared = |(name, directory): (String, PathBuf)| {
        let accuracy = checksum::sha256(&ResultsDir::new(&directory).table("accuracy"))?;
        Ok(Compared { name, directory, accuracy })
    };
    Ok(ComparisonRecord {
        schema: 1,
        semgpu: env!("CARGO_PKG_VERSION").to_string(),
        origin: Origin::here(),
        threads: rayon::current_num_threads(),
        runs: runs.into_iter().map(compared).collect::<Result<_, _>>()?,
        words: request.words.clone(),
        layers: request.layers.clone(),
        resamples: request.resamples,
        seed: request.seed,
        generalise: request.generalise,
        groups_are,
        along: None,
        untested,
        warnings,
        files: Vec::new(),
        seconds: started.elapsed().as_secs_f64(),
    })
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
