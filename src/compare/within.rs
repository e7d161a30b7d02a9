//! Layer against layer of one curve: does it rise from a layer to the next, and is its best layer better than another?

use super::{Curve, Request, WordsAndLayers, chance, spread};
use crate::error::Error;
use crate::progress::Progress;
use crate::report::Best;
use crate::results::WithinRow;
use crate::stats::influence::Spread;
use crate::stats::paired::{self, Difference};

/// Pairs of layers that are tested together.
struct Family {
    kind: &'static str,
    pairs: Vec<(usize, usize)>,
    /// Whether the pairs were chosen by looking at all layers.
    chosen: bool,
}

/// The layers asked for; without, every layer against the one before it, and the best against all others; and what is said of
/// their chance.
pub fn differences(
    curve: &Curve,
    read: &WordsAndLayers,
    request: &Request,
    progress: &Progress,
) -> Result<(Vec<WithinRow>, Option<String>), Error> {
    let families = families(curve, request);
    let tested: Vec<(usize, usize)> = families.iter().flat_map(|family| &family.pairs).copied().collect();
    let layers = curve.rows.len();
    let chosen = families.iter().any(|family| family.chosen);
    let task = progress.task((tested.len() + if chosen { layers } else { 0 }) as u64);
    task.now(format!("{}, layer against layer", curve.name));
    let of = |n: usize, m: Option<usize>| -> Result<Spread, Error> {
        let spread = spread((curve, read, n), (curve, read, m), request.generalise, progress)?;
        task.advance(1);
        Ok(spread)
    };
    let alone = |layer: usize| Ok(of(layer, None)?.influences);
    let all: Vec<Vec<f64>> = (0..if chosen { layers } else { 0 }).map(alone).collect::<Result<_, Error>>()?;
    let mut rows = Vec::new();
    for Family { kind, pairs, chosen } in families {
        let spreads = pairs.iter().map(|&(n, m)| of(n, Some(m))).collect::<Result<Vec<_>, _>>()?;
        let looked_at = if chosen { &all[..] } else { &[] };
        let stop = |_| progress.interrupt.flow();
        let found = paired::differences(&spreads, looked_at, request.resamples, request.seed, &stop)?;
        let row = |(&(n, m), found): (&(usize, usize), Difference)| WithinRow {
            curve: curve.name.clone(),
            network: curve.rows[n].network.clone(),
            words: curve.rows[n].words.clone(),
            kind: kind.to_string(),
            layer_a: curve.rows[n].layer.clone(),
            layer_b: curve.rows[m].layer.clone(),
            accuracy_a: curve.rows[n].accuracy,
            accuracy_b: curve.rows[m].accuracy,
            difference: found.observed,
            ci_low: found.interval.low,
            ci_high: found.interval.high,
            resamples: request.resamples,
            p_value: found.p_value,
            p_fwer: found.p_fwer,
            over: request.generalise.to_string(),
        };
        rows.extend(pairs.iter().zip(found).map(row));
    }
    Ok((rows, chance::within(curve, &tested)))
}

fn families(curve: &Curve, request: &Request) -> Vec<Family> {
    let layers = curve.rows.len();
    if let [a, b] = &request.layers[..] {
        let place = |name: &String| curve.rows.iter().position(|row| row.layer == *name).expect("looked up before");
        return vec![Family { kind: WithinRow::ASKED, pairs: vec![(place(a), place(b))], chosen: false }];
    }
    let best = Best::of(curve.rows.iter(), curve.null).map(|best| best.row);
    let best =
        (0..layers).find(|&n| best.is_none_or(|best| std::ptr::eq(best, &curve.rows[n]))).expect("a curve has rows");
    let next = (1..layers).map(|layer| (layer, layer - 1)).collect();
    let others = (0..layers).filter(|&layer| layer != best).map(|layer| (best, layer)).collect();
    // Places without an order have no next one.
    let next = (!curve.unordered).then_some(Family { kind: WithinRow::NEXT, pairs: next, chosen: false });
    next.into_iter().chain([Family { kind: WithinRow::BEST, pairs: others, chosen: true }]).collect()
}
