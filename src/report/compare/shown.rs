//! What figures, pages and the terminal call the runs of a comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Overlay;
use crate::names::distinct;
use crate::record::{Compared, RunRecord};
use crate::report::material::Said;
use crate::results::{NetworkRow, ResultsDir, figure_name, read_table};

/// What figures call the runs.
pub struct Shown {
    runs: BTreeMap<String, String>,
    /// The curves, whose names may begin with their run's.
    curves: BTreeMap<String, String>,
    /// Whether any of them is of a file's graph.
    graph: bool,
}

impl Shown {
    /// Runs of a sweep have their labels there; other runs of different networks are known by these, the rest by what tells
    /// them from each other.
    pub fn of(overlays: &[Overlay], runs: &[Compared]) -> Self {
        let names = distinct(overlays.iter().map(|overlay| overlay.run));
        let networks = distinct(overlays.iter().flat_map(|overlay| overlay.rows).map(|row| row.network.as_str()));
        let shown = |run: &&str| {
            let directory = runs.iter().find(|known| known.name == *run).map(|known| known.directory.as_path());
            let of_run = |overlay: &&Overlay| overlay.run == *run;
            let network = overlays.iter().filter(of_run).find_map(|overlay| overlay.rows.first());
            let label = directory.and_then(label);
            let shown = match network {
                _ if label.is_some() => label.unwrap_or_default(),
                Some(row) if networks.len() == names.len() => called(directory, &row.network),
                _ => run.to_string(),
            };
            (run.to_string(), shown)
        };
        let shown: BTreeMap<String, String> = names.iter().map(shown).collect();
        let apart = shown.values().collect::<BTreeSet<_>>().len() == shown.len();
        let themselves = |run: &&str| (run.to_string(), run.to_string());
        let graph = runs.iter().any(|run| recorded(&run.directory).is_some_and(|record| Said::of(&record).graph));
        let runs = if apart { shown } else { names.iter().map(themselves).collect() };
        let curve = |overlay: &Overlay| {
            let rest = overlay.name.strip_prefix(overlay.run);
            let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with(", "));
            (overlay.name.to_string(), rest.map_or(overlay.name.to_string(), |rest| runs[overlay.run].clone() + rest))
        };
        Self { curves: overlays.iter().map(curve).collect(), runs, graph }
    }

    /// Runs by names that are known.
    pub fn named(names: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { runs: names.into_iter().collect(), curves: BTreeMap::new(), graph: false }
    }

    /// What the network is called that all runs are of, with what weights ever.
    pub(super) fn network(&self, name: &str) -> String {
        Said { graph: self.graph, ..Said::RUN }.network(name)
    }

    /// A run by what tells it from the others.
    pub fn run<'a>(&'a self, run: &'a str) -> &'a str {
        self.runs.get(run).map_or(run, String::as_str)
    }

    /// A curve by what tells it from the others.
    pub fn curve<'a>(&'a self, curve: &'a str) -> &'a str {
        self.curves.get(curve).map_or(curve, String::as_str)
    }
}

/// The label of a network in the sweep whose folder lies around its own.
fn label(directory: &Path) -> Option<String> {
    let directory = directory.canonicalize().ok()?;
    let networks = read_table::<NetworkRow>(directory.parent()?).ok()?;
    let folder = directory.file_name()?.to_str()?;
    let row = networks.iter().find(|row| figure_name(&row.network) == folder)?;
    Some(labelled(&directory, &row.network))
}

/// The name in figures of a network of a sweep, by what its run says of its weights; its label may say it already.
pub fn labelled(directory: &Path, label: &str) -> String {
    if label.to_lowercase().contains("random") { label.to_string() } else { called(Some(directory), label) }
}

/// A network's name in figures, by what its run says of its weights.
pub fn called(directory: Option<&Path>, network: &str) -> String {
    let record = directory.and_then(recorded);
    record.as_ref().map_or(Said::RUN, Said::of).network(network)
}

fn recorded(directory: &Path) -> Option<RunRecord> {
    RunRecord::read(&ResultsDir::new(directory)).ok().flatten()
}
