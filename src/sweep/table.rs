//! The tables of a sweep, of those of its networks.

use super::{SweepError, results, run_of, scores, span};
use crate::config::Sweep;
use crate::progress::Progress;
use crate::report;
use crate::results::{AccuracyRow, NetworkRow, read_table};
use crate::shards::read_draws;
use crate::stats::inference::{LayerScores, Maximum, Tail, benjamini_hochberg};
use crate::wording::{NOT_TESTED, p_value};

/// The rows of every network's layers; p over the declared family.
///
/// # Errors
/// A network's results cannot be read.
pub fn accuracies(sweep: &Sweep) -> Result<Vec<Vec<AccuracyRow>>, SweepError> {
    let mut networks = Vec::new();
    for member in &sweep.members {
        let mut rows = read_table::<AccuracyRow>(results(member).root())?;
        rows.iter_mut().for_each(|row| row.network.clone_from(&member.label));
        networks.push(rows);
    }
    if sweep.members.iter().any(|member| scores(member).is_some()) {
        over_networks(sweep, &mut networks)?;
    }
    Ok(networks)
}

/// Family-wise p and FDR over the layers of all networks and word models.
fn over_networks(sweep: &Sweep, networks: &mut [Vec<AccuracyRow>]) -> Result<(), SweepError> {
    let tail = sweep.members[0].config.inference.tail;
    let mut maximum = Maximum::default();
    let mut observed = Vec::new();
    for (member, rows) in sweep.members.iter().zip(networks.iter()) {
        let Some(path) = scores(member) else { continue };
        let (_, keys) = run_of(member)?;
        let draws =
            read_draws(&path, &keys.test, span(member)).map_err(|source| SweepError::Scores { path, source })?;
        for rows in rows.chunk_by(|a, b| a.words == b.words) {
            let of_words = draws.two_vs_two(&rows[0].words).unwrap_or_default();
            // How many points are a whole cancels in units of the null's spread.
            let layers: Vec<LayerScores> = of_words.iter().map(|points| LayerScores::new(points.clone(), 1)).collect();
            assert_eq!(layers.len(), rows.len(), "the key is over the layers");
            observed.extend(maximum.take_in(&layers, tail));
        }
    }
    let p_values: Vec<f64> = networks.iter().flatten().map(|row| row.p_value).collect();
    let corrected = observed.into_iter().zip(benjamini_hochberg(&p_values));
    for (row, (observed, q_fdr)) in networks.iter_mut().flatten().zip(corrected) {
        row.p_fwer = maximum.p_fwer(observed);
        row.q_fdr = q_fdr;
    }
    Ok(())
}

/// A row for every network and word model.
pub fn networks(sweep: &Sweep, rows: &[Vec<AccuracyRow>]) -> Vec<NetworkRow> {
    let of_members = sweep.members.iter().zip(rows);
    of_members
        .flat_map(|(member, rows)| {
            let name = &member.config.network.name;
            let tail = member.config.inference.tail;
            rows.chunk_by(|a, b| a.words == b.words).map(move |rows| network(name, rows, tail))
        })
        .collect()
}

fn network(name: &str, rows: &[AccuracyRow], tail: Tail) -> NetworkRow {
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    let best = report::highest(rows, |row| report::outlying(row.accuracy, tail)).expect("a network has layers");
    NetworkRow {
        network: first.network.clone(),
        name: name.to_string(),
        words: first.words.clone(),
        layers: rows.len(),
        best_layer: best.layer.clone(),
        best_depth: best.depth,
        best_accuracy: best.accuracy,
        best_p_value: best.p_value,
        best_p_fwer: best.p_fwer,
        last_layer: last.layer.clone(),
        last_accuracy: last.accuracy,
        last_p_value: last.p_value,
        last_p_fwer: last.p_fwer,
        first_layer: first.layer.clone(),
        first_accuracy: first.accuracy,
        concepts: first.concepts,
        groups: first.groups,
        permutations: rows.iter().map(|row| row.permutations).max().unwrap_or(0),
    }
}

/// One line per word model: the network whose best layer is best.
pub fn summarise(rows: &[NetworkRow], null: report::Null, progress: &Progress) {
    let (said, tail) = (null.tail(), null.rule.tail);
    for words in report::distinct(rows.iter().map(|row| row.words.as_str())) {
        let of_words = rows.iter().filter(|row| row.words == words);
        let best = report::highest(of_words, |row| report::outlying(row.best_accuracy, tail)).expect("a row has them");
        progress.line(format!(
            "{}: best network {}, layer {} {:.3}{}",
            best.words,
            best.network,
            best.best_layer,
            best.best_accuracy,
            match best.permutations {
                0 => NOT_TESTED.to_string(),
                _ => format!(" (p {}, family-wise {}{said})", p_value(best.best_p_value), p_value(best.best_p_fwer)),
            }
        ));
    }
}
