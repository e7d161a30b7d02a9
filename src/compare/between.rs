//! Curve against curve, layer by layer.

use super::{Curve, Request, WordsAndLayers, spread};
use crate::error::Error;
use crate::progress::Progress;
use crate::results::{AccuracyRow, ComparisonRow};
use crate::stats::influence::Spread;
use crate::stats::paired::{self, Difference};

/// Every layer of `a` against its counterpart in `b`: a family.
pub fn differences(
    (a, in_a): (&Curve, &WordsAndLayers),
    (b, in_b): (&Curve, &WordsAndLayers),
    request: &Request,
    progress: &Progress,
) -> Result<Vec<ComparisonRow>, Error> {
    let counterpart = |row: &AccuracyRow| -> usize {
        let same = |other: &AccuracyRow| other.network == row.network && other.layer == row.layer;
        let distance = |n: &usize| (b.rows[*n].depth - row.depth).abs();
        let nearest = || (0..b.rows.len()).min_by(|x, y| distance(x).total_cmp(&distance(y)));
        b.rows.iter().position(same).or_else(nearest).expect("a curve has rows")
    };
    let places: Vec<usize> = a.rows.iter().map(counterpart).collect();
    let task = progress.task(places.len() as u64);
    task.now(format!("{} - {}", a.name, b.name));
    let of_layer = |(n, &m): (usize, &usize)| -> Result<Spread, Error> {
        let spread = spread((a, in_a, n), (b, in_b, Some(m)), request.generalise, progress)?;
        task.advance(1);
        Ok(spread)
    };
    let family = places.iter().enumerate().map(of_layer).collect::<Result<Vec<_>, _>>()?;
    let stop = |_| progress.interrupt.flow();
    let found = paired::differences(&family, &[], request.resamples, request.seed, &stop)?;
    let row = |((row, &m), found): ((&AccuracyRow, &usize), Difference)| ComparisonRow {
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
    Ok(a.rows.iter().zip(&places).zip(found).map(row).collect())
}
