//! Networks of another sweep in a sweep's directory.

use super::{SweepRecord, results, scores_beside};
use crate::config::{Asked, Sweep};
use crate::error::FileError;
use crate::results::{ClaimError, ResultsDir, SWEEP, figure_name, read_json};
use crate::shards::are_draws;

/// Networks of the sweep that the directory holds, by their labels, which are none of this one's.
fn others(sweep: &Sweep, out: &ResultsDir) -> Vec<(String, ResultsDir)> {
    let before = read_json::<SweepRecord>(&out.networks());
    let before = before.and_then(|record| match record.config.asked(&sweep.path) {
        Ok(Asked::Many(before)) => Some(before.labels()),
        _ => None,
    });
    let place = |label: String| {
        let directory = ResultsDir::new(out.root().join(figure_name(&label)));
        (label, directory)
    };
    let is_other = |(_, directory): &(String, ResultsDir)| {
        let own = sweep.members.iter().any(|member| results(member).root() == directory.root());
        !own && (directory.root().exists() || are_draws(&scores_beside(directory)))
    };
    before.into_iter().flatten().map(place).filter(is_other).collect()
}

/// Whether the directory holds no network that is none of the sweep's: it would stand beside tables of all that lack it.
/// Networks may be added to a sweep.
///
/// # Errors
/// [`ClaimError::Networks`] with the `remedy`, what of the command removes them.
pub fn check(sweep: &Sweep, out: &ResultsDir, remedy: &'static str) -> Result<(), ClaimError> {
    let others = others(sweep, out);
    if others.is_empty() {
        return Ok(());
    }
    let places = others.iter().flat_map(|(_, directory)| places(directory)).collect();
    let labels = others.into_iter().map(|(label, _)| label).collect();
    Err(ClaimError::Networks { path: out.root().into(), labels, places, remedy })
}

/// The folder and the scores of a network, where they are.
fn places(directory: &ResultsDir) -> impl Iterator<Item = String> {
    let both = [directory.root().to_path_buf(), scores_beside(directory)].into_iter();
    both.filter(|path| path.is_dir() || are_draws(path)).map(|path| path.display().to_string())
}

/// What goes of networks that are none of the sweep's, in words: what lies in their places is semgpu's to remove.
///
/// # Errors
/// As [`ResultsDir::check`].
pub fn removed(sweep: &Sweep, out: &ResultsDir) -> Result<Vec<String>, ClaimError> {
    let of_one = |(label, directory): (String, ResultsDir)| {
        directory.check([])?;
        let places: Vec<String> = places(&directory).collect();
        Ok(format!("removes what semgpu wrote of {label}, which this sweep has not: {}", places.join(", ")))
    };
    others(sweep, out).into_iter().map(of_one).collect()
}

/// Removes the results of networks that are none of the sweep's.
///
/// # Errors
/// Somebody else's files are there, another process writes there, or a file cannot be removed.
pub fn remove(sweep: &Sweep, out: &ResultsDir) -> Result<(), ClaimError> {
    removed(sweep, out)?;
    for (_, directory) in others(sweep, out) {
        if directory.root().exists() {
            directory.clear(SWEEP)?;
        }
        remove_scores(&directory)?;
    }
    Ok(())
}

/// Removes the scores of a network's draws, which lie beside its results.
///
/// # Errors
/// They cannot be removed.
pub fn remove_scores(directory: &ResultsDir) -> Result<(), ClaimError> {
    let scores = scores_beside(directory);
    if are_draws(&scores) {
        std::fs::remove_file(&scores).map_err(FileError::at(scores))?;
    }
    Ok(())
}
