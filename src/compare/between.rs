//! Curve against curve, layer by layer.

use super::{Curve, Request, WordsAndLayers, spread};
use crate::error::Error;
use crate::progress::Progress;
use crate::results::{AccuracyRow, ComparisonRow};
use crate::stats::influence::Spread;
use crate::stats::paired::{self, Difference};

/// Every layer of `a` that has a counterpart in `b` against it: a family.
pub fn differences(
    (a, in_a): (&Curve, &WordsAndLayers),
    (b, in_b): (&Curve, &WordsAndLayers),
    request: &Request,
    progress: &Progress,
) -> Result<Vec<ComparisonRow>, Error> {
    let counterparts = a.counterparts(b).into_iter().enumerate();
    let places: Vec<(usize, usize)> = counterparts.filter_map(|(n, m)| Some((n, m?))).collect();
    let task = progress.task(places.len() as u64);
    task.now(format!("{} - {}", a.name, b.name));
    let of_layer = |&(n, m): &(usize, usize)| -> Result<Spread, Error> {
        let spread = spread((a, in_a, n), (b, in_b, Some(m)), request.generalise, progress)?;
        task.advance(1);
        Ok(spread)
    };
    let family = places.iter().map(of_layer).collect::<Result<Vec<_>, _>>()?;
    let stop = |_| progress.interrupt.flow();
    let found = paired::differences(&family, &[], request.resamples, request.seed, &stop)?;
    let row = |((row, m), found): ((&AccuracyRow, usize), Difference)| ComparisonRow {
        curve_a: a.name.clone(),
        curve_b: b.name.clone(),
        network_a: row.network.clone(),
        network_b: b.rows[m].network.clone(),
        layer_a: row.layer.clone(),
        layer_b: b.rows[m].layer.clone(),
        words_a: row.words.clone(),
        words_b: b.rows[m].words.clone(),
        accuracy_a: row.accuracy,
        accuracy_b: b.rows[m].accuracy,
        difference: found.observed,
        ci_low: found.interval.low,
        ci_high: found.interval.high,
        resamples: request.resamples,
        p_value: found.p_value,
        p_fwer: found.p_fwer,
        over: request.generalise.to_string(),
    };
    Ok(places.iter().map(|&(n, m)| (&a.rows[n], m)).zip(found).map(row).collect())
}
