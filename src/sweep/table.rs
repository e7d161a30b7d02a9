//! The tables of a sweep, of those of its networks.

use super::{SweepError, results, run_of, scores, span};
use crate::config::Sweep;
use crate::finish::tested;
use crate::names::distinct;
use crate::progress::Progress;
use crate::report::{self, Best, LayerRow};
use crate::results::{AccuracyRow, NetworkRow, read_table};
use crate::shards::read_draws;
use crate::stats::inference::{LayerScores, Maximum, benjamini_hochberg};

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
        let path = scores(member).expect("one family for all networks");
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
            let null = report::Null::new(&member.config.two_vs_two, member.config.inference);
            rows.chunk_by(|a, b| a.words == b.words).map(move |rows| network(name, rows, Some(null)))
        })
        .collect()
}

fn network(name: &str, rows: &[AccuracyRow], null: Option<report::Null>) -> NetworkRow {
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    let best = Best::of(rows.iter(), null).map_or(first, |best| best.row);
    let of_best = best.null();
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
        best_null_mean: of_best.map(|(mean, ..)| mean),
        best_null_sd: of_best.map(|(_, sd, _)| sd),
    }
}

/// One line per word model: the network whose best layer is best.
pub fn summarise(rows: &[NetworkRow], null: report::Null, progress: &Progress) {
    summary(rows, null).into_iter().for_each(|said| progress.line(said));
}

fn summary(rows: &[NetworkRow], null: report::Null) -> Vec<String> {
    let said = |words: &str| {
        let best = Best::of(rows.iter().filter(|row| row.words == words), Some(null))?;
        let row = best.row;
        Some(format!(
            "{words}: {}{}, layer {} {:.3}{}",
            best.chosen("", " network", " "),
            row.network,
            row.best_layer,
            row.best_accuracy,
            tested(&best, [row.best_p_value, row.best_p_fwer], &null.tail())
        ))
    };
    distinct(rows.iter().map(|row| row.words.as_str())).into_iter().filter_map(said).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{InferenceOptions, TestOptions};

    fn row(layer: &str, accuracy: f64, null_mean: f64) -> AccuracyRow {
        AccuracyRow {
            network: "net".into(),
            layer: layer.into(),
            label: layer.into(),
            depth: 0.0,
            units: 7,
            words: "GloVe".into(),
            concepts: 20,
            groups: 2,
            pairs: 190,
            accuracy,
            ties: 0,
            permutations: 1000,
            p_value: 0.01,
            p_fwer: 0.01,
            q_fdr: 0.01,
            null_mean,
            null_sd: 0.05,
            matched: 0.2,
            mismatched: 0.1,
            rsa: 0.1,
            ci_low: None,
            ci_high: None,
            ceiling_low: None,
            ceiling_high: None,
        }
    }

    #[test]
    fn a_networks_best_layer_is_the_one_farthest_above_its_own_chance() {
        let best = |null_mean: f64| network("net", &[row("a", 0.62, 0.5), row("b", 0.60, null_mean)], None);
        assert_eq!((best(0.5).best_layer.as_str(), best(0.41).best_layer.as_str()), ("a", "b"));
        assert_eq!((best(0.41).best_null_mean, best(0.41).best_null_sd), (Some(0.41), Some(0.05)));
    }

    #[test]
    fn of_one_network_none_is_best() {
        let null = report::Null::new(&TestOptions::default(), InferenceOptions::default());
        let rows = [row("a", 0.62, 0.5), row("b", 0.60, 0.5)].map(|row| network("net", &[row], Some(null)));
        let said = summary(&rows, null).remove(0);
        assert!(said.starts_with("GloVe: best network net, layer a 0.620 ("), "{said}");
        let said = summary(&rows[1..], null).remove(0);
        assert!(said.starts_with("GloVe: net, layer b 0.600 ("), "{said}");
    }
}
