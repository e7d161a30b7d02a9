//! Curve against curve, layer by layer.

use super::{CONFIDENCE, Curve, Request, WordsAndLayers, spread};
use crate::error::Error;
use crate::progress::Progress;
use crate::report;
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
        let spread = spread((a, in_a, n), (b, in_b, Some(m)), progress)?;
        task.advance(1);
        Ok(spread)
    };
    let family = places.iter().enumerate().map(of_layer).collect::<Result<Vec<_>, _>>()?;
    let found = paired::differences(&family, &[], request.resamples, request.seed, CONFIDENCE);
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
        ci_low: found.interval.0,
        ci_high: found.interval.1,
        resamples: request.resamples,
        p_value: found.p_value,
        p_fwer: found.p_fwer,
    };
    Ok(a.rows.iter().zip(&places).zip(found).map(row).collect())
}

/// One line per pair of curves: the layer at which they differ most.
pub fn summarise(rows: &[ComparisonRow], progress: &Progress) {
    for rows in rows.chunk_by(|x, y| (&x.curve_a, &x.curve_b) == (&y.curve_a, &y.curve_b)) {
        let Some(most) = rows.iter().max_by(|x, y| x.difference.abs().total_cmp(&y.difference.abs())) else { continue };
        let significant = rows.iter().filter(|row| row.p_fwer < report::SIGNIFICANT).count();
        progress.line(format!(
            "{} - {}: most at {} ({:+.3}, 95 % {:+.3} to {:+.3}, family-wise p {:.4}); p < 0.05 at {significant} of {} layers",
            most.curve_a,
            most.curve_b,
            most.layer_a,
            most.difference,
            most.ci_low,
            most.ci_high,
            most.p_fwer,
            rows.len()
        ));
    }
}
