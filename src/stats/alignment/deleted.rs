//! Confidence intervals over concepts of the measures that count neighbours: a jackknife.
//!
//! A copy of a concept would be its own nearest neighbour, and fewer different concepts lie farther apart, so a bootstrap of
//! nearest neighbours says nothing (Abadie & Imbens 2008 show it for matching). Left out is one concept at a time: it goes
//! from the list of concepts and from all lists of neighbours, where the next one moves up. With `f_c` the value without
//! concept `c`, the standard error is `sqrt((n - 1) / n sum (f_c - mean f)^2)`, which on average is never too small (Efron &
//! Stein 1981); for neighbours, whose value jumps, it is up to twice too large. Of mutual neighbours `f` is the log-odds.

#[cfg(test)]
mod tests;

use rayon::prelude::*;

use super::neighbours::{CKNNA_EPSILON, Neighbours, Ranks, hsic};
use super::{Measure, NORMAL, Side};
use crate::stats::bootstrap::{Interval, log_odds, of_log_odds};
use crate::stats::{Interrupted, Progress, report};

/// No concept.
const NOBODY: u32 = u32::MAX;

/// The interval of every pair of layers, the layers of the words one after the other; none where a vector has no direction,
/// where there is no next neighbour to move up, or (CKNNA) no value without some concept. Of as many neighbours as there are concepts
/// but two, all that is left without a concept is mutual, whatever the spaces.
///
/// Words have one group or the images'. `progress` is told the pairs' values.
///
/// # Errors
/// `progress` asked to stop.
///
/// # Cost
/// Per concept, pair of layers and group `2 concepts k` look-ups. Parallel over concepts.
///
/// # Panics
/// If the measure counts no neighbours, or layers differ in their concepts or groups.
pub fn intervals(
    measure: Measure,
    k: usize,
    words: &[Side],
    images: &[Side],
    progress: &Progress,
) -> Result<Vec<Option<Interval>>, Interrupted> {
    assert!(measure.counts_neighbours(), "{measure} counts no neighbours");
    let none = vec![None; words.len() * images.len()];
    let Some(concepts) = words.first().and_then(|side| side.grams.first()).map(|gram| gram.concepts()) else {
        return Ok(none);
    };
    let directed = |side: &Side| side.grams.iter().all(|gram| gram.without_direction().is_none());
    let fewest = k + if measure == Measure::Mknn { 3 } else { 2 };
    if concepts < fewest || !words.iter().chain(images).all(directed) {
        return Ok(none);
    }
    let spaces = Lists::new(measure, k, words, images);
    let without = |concept: u32| {
        let values = spaces.values(concept);
        report(progress, values.len() as u64).map(|()| values)
    };
    let deleted: Vec<Vec<f64>> = (0..concepts as u32).into_par_iter().map(without).collect::<Result<_, _>>()?;
    let counted = (concepts * k * images[0].grams.len()) as u64;
    let interval = |(pair, &observed): (usize, &f64)| {
        let deleted = deleted.iter().map(|values| values[pair]);
        match measure {
            Measure::Mknn => {
                let deleted = deleted.map(|value| log_odds(value, counted));
                let Interval { low, high } = jackknife(log_odds(observed, counted), deleted)?;
                Some(Interval { low: of_log_odds(low, counted), high: of_log_odds(high, counted) })
            }
            // Two spaces that are one have 1.
            _ => {
                jackknife(observed, deleted).map(|found| Interval { high: found.high.min(observed.max(1.0)), ..found })
            }
        }
    };
    Ok(spaces.values(NOBODY).iter().enumerate().map(interval).collect())
}

/// The value of every pair of layers, as they are.
#[cfg(test)]
pub fn observed(measure: Measure, k: usize, words: &[Side], images: &[Side]) -> Vec<f64> {
    Lists::new(measure, k, words, images).values(NOBODY)
}

fn jackknife(observed: f64, deleted: impl Iterator<Item = f64>) -> Option<Interval> {
    let deleted: Vec<f64> = deleted.collect();
    let n = deleted.len() as f64;
    let mean = deleted.iter().sum::<f64>() / n;
    let squares: f64 = deleted.iter().map(|value| (value - mean).powi(2)).sum();
    let reach = NORMAL * ((n - 1.0) / n * squares).sqrt();
    let interval = Interval { low: observed - reach, high: observed + reach };
    (observed.is_finite() && reach.is_finite()).then_some(interval)
}

/// The `k + 1` nearest neighbours in all layers of both sides, `[layers][groups]`.
struct Lists {
    measure: Measure,
    k: usize,
    words: Vec<Vec<Neighbours>>,
    images: Vec<Vec<Neighbours>>,
}

impl Lists {
    fn new(measure: Measure, k: usize, words: &[Side], images: &[Side]) -> Self {
        let lists = |sides: &[Side], ranks: Ranks| -> Vec<Vec<Neighbours>> {
            let of = |side: &Side| side.grams.iter().map(|gram| Neighbours::new(gram, k + 1, ranks)).collect();
            sides.iter().map(of).collect()
        };
        Self { measure, k, words: lists(words, Ranks::InOrder), images: lists(images, Ranks::Drawn) }
    }

    /// The values of all pairs without a concept, means over groups.
    fn values(&self, without: u32) -> Vec<f64> {
        let own = |layers: &[Vec<Neighbours>]| -> Vec<Vec<f64>> {
            let of = |lists: &Neighbours| match self.measure {
                Measure::Mknn => 0.0,
                _ => shared(self.measure, self.k, lists, lists, without),
            };
            layers.iter().map(|groups| groups.iter().map(of).collect()).collect()
        };
        let (own_words, own_images) = (own(&self.words), own(&self.images));
        let mut values = Vec::with_capacity(self.words.len() * self.images.len());
        for (x, own_x) in self.words.iter().zip(&own_words) {
            for (y, own_y) in self.images.iter().zip(&own_images) {
                let value = |group: usize| {
                    let of_words = group.min(x.len() - 1);
                    let both = shared(self.measure, self.k, &x[of_words], &y[group], without);
                    match self.measure {
                        Measure::Mknn => both,
                        _ => both / ((own_x[of_words] * own_y[group]).sqrt() + CKNNA_EPSILON),
                    }
                };
                values.push((0..y.len()).map(value).sum::<f64>() / y.len() as f64);
            }
        }
        values
    }
}

/// Of the first `k` of each list but for a concept: the share of common neighbours, or their HSIC (CKNNA's numerator).
pub(super) fn shared(measure: Measure, k: usize, x: &Neighbours, y: &Neighbours, without: u32) -> f64 {
    let concepts = x.concepts();
    let left = concepts - usize::from(without != NOBODY);
    let kept = |lists: &Neighbours, a: usize| {
        let all = lists.of(a).iter().copied().zip(lists.values_of(a).iter().copied());
        all.filter(|&(b, _)| b != without).take(k).collect::<Vec<(u32, f64)>>()
    };
    let has = |lists: &Neighbours, a: u32, b: u32| {
        lists.of(a as usize).iter().filter(|&&other| other != without).take(k).any(|&other| other == b)
    };
    // The concept whose neighbour in `y` each was last, and its value there.
    let mut marks = vec![(NOBODY, 0.0); concepts];
    let (mut rows, mut columns) = (vec![0.0; concepts], vec![0.0; concepts]);
    let (mut common, mut both, mut sums) = (0_u64, 0.0, [0.0; 2]);
    for a in (0..concepts as u32).filter(|&a| a != without) {
        kept(y, a as usize).into_iter().for_each(|(b, value)| marks[b as usize] = (a, value));
        for (b, value) in kept(x, a as usize) {
            let (marked, other) = marks[b as usize];
            if marked != a {
                continue;
            }
            common += 1;
            if measure == Measure::Cknna {
                columns[b as usize] += value;
                rows[a as usize] += other;
                sums[0] += value;
                sums[1] += other;
                both += if has(x, b, a) && has(y, b, a) { value * other } else { 0.0 };
            }
        }
    }
    match measure {
        Measure::Cknna => hsic(left, both, sums, &columns, &rows),
        _ => common as f64 / (left * k) as f64,
    }
}

/// The measure of two layers' neighbours.
pub(super) fn value(measure: Measure, k: usize, x: &Neighbours, y: &Neighbours) -> f64 {
    let shared = |x, y| shared(measure, k, x, y, NOBODY);
    match measure {
        Measure::Mknn => shared(x, y),
        _ => shared(x, y) / ((shared(x, x) * shared(y, y)).sqrt() + CKNNA_EPSILON),
    }
}
