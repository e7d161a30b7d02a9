//! Confidence intervals over concepts of the measures that are inner products, and of tau-a: a bootstrap.
//!
//! A resample draws concepts with replacement, `w_a` copies of concept `a` (as in [`bootstrap`]). Copies of a concept are
//! alike in both spaces, which says nothing of the spaces, so they make no pair: a pair of two concepts counts `w_a w_b`
//! times, and a measure is the cosine of two lists of so weighted entries.
//!
//! | measure | entries |
//! | --- | --- |
//! | `rsa-cosine` | `1 - r` |
//! | `rsa-pearson` | `r` less the weighted mean |
//! | `rsa-spearman` | ranks among the copies, ties averaged, less their mean |
//! | `cka-debiased` | what the least-squares fit `r_a + r_b` over the weighted pairs leaves of `K_ab`; with every weight 1 it is the U-centred matrix |
//! | `cka`, `cka-rbf` | `K_ab` less the weighted means of row and column; a concept meets itself, once a copy. The width of the kernel is kept |
//!
//! Tau-a is over pairs of entries, each as often as both count; copies of an entry make no pair.
//!
//! As in [`bootstrap`] the resamples' spread is used and not their place: percentiles of `atanh`, less their mean, around the
//! observed one.

#[cfg(test)]
mod tests;

use rayon::prelude::*;

use super::{Measure, Side};
use crate::kernels::product::{Matrix, multiply};
use crate::stats::bootstrap::{self, Interval};
use crate::stats::kendall::{Counts, sorted_order, tied_within};
use crate::stats::{Interrupted, Progress, report};

/// Keeps `atanh` of a perfect value finite.
const ALMOST_ONE: f64 = 1.0 - 1e-12;

/// No concept.
const NONE: usize = usize::MAX;

/// The interval of every pair of layers, the layers of the words one after the other; none where a group has no value.
///
/// Words have one group or the images'. `progress` is told the pairs' values.
///
/// # Errors
/// `progress` asked to stop.
///
/// # Cost
/// Per resample and group some passes over `(0.63 concepts)^2 / 2` entries of each layer and an inner product for each pair,
/// for tau-a O(n log n) for each; these entries of all layers are in memory for each thread. Parallel over resamples.
///
/// # Panics
/// If the measure is none of these, there are fewer than five concepts, or layers differ in their concepts or groups.
pub fn intervals(
    measure: Measure,
    words: &[Side],
    images: &[Side],
    (seed, resamples): (u64, u64),
    progress: &Progress,
) -> Result<Vec<Option<Interval>>, Interrupted> {
    let spaces = Spaces::new(measure, words, images);
    let Some(concepts) = spaces.concepts() else { return Ok(vec![None; words.len() * images.len()]) };
    let observed = spaces.values(&vec![1; concepts]);
    let resample = |t| {
        let values = spaces.values(&bootstrap::multiplicities(seed, t, concepts));
        report(progress, values.len() as u64).map(|()| values)
    };
    let resampled: Vec<Vec<f64>> = (0..resamples).into_par_iter().map(resample).collect::<Result<_, _>>()?;
    let interval = |(pair, &observed): (usize, &f64)| {
        interval(observed, resampled.iter().map(|values| values[pair]), measure.least())
    };
    Ok(observed.iter().enumerate().map(interval).collect())
}

/// The value of every pair of layers, as they are; NaN where there is none.
#[cfg(test)]
pub fn observed(measure: Measure, words: &[Side], images: &[Side]) -> Vec<f64> {
    let spaces = Spaces::new(measure, words, images);
    let pairs = words.len() * images.len();
    spaces.concepts().map_or_else(|| vec![f64::NAN; pairs], |concepts| spaces.values(&vec![1; concepts]))
}

/// Of an observed cosine from resampled ones; those without a value are left out. It does not reach below `least`, unless the
/// observed one lies there.
fn interval(observed: f64, resampled: impl Iterator<Item = f64>, least: f64) -> Option<Interval> {
    let stretched = |value: f64| value.clamp(-ALMOST_ONE, ALMOST_ONE).atanh();
    let found: Vec<f64> = resampled.filter(|value| value.is_finite()).map(stretched).collect();
    if found.is_empty() || !observed.is_finite() {
        return None;
    }
    let (ends, mean) = bootstrap::enclosing(found);
    let [low, high] = ends.map(|end| (stretched(observed) + end - mean).tanh());
    let low = if observed < least { low } else { low.max(least) };
    Some(Interval { low, high })
}

/// The layers of both sides.
struct Spaces {
    measure: Measure,
    /// `[layers][groups]`; none where a group has no value.
    words: Vec<Option<Vec<Entries>>>,
    images: Vec<Option<Vec<Entries>>>,
}

impl Spaces {
    fn new(measure: Measure, words: &[Side], images: &[Side]) -> Self {
        let of = |sides: &[Side]| sides.par_iter().map(|&side| Entries::of(measure, side)).collect();
        Self { measure, words: of(words), images: of(images) }
    }

    fn concepts(&self) -> Option<usize> {
        Some(self.words.iter().chain(&self.images).flatten().next()?[0].concepts)
    }

    /// The values of all pairs in a resample, means over groups; NaN where there is none.
    fn values(&self, copies: &[u32]) -> Vec<f64> {
        let resample = Resample::new(copies, matches!(self.measure, Measure::Cka | Measure::CkaRbf));
        let groups = |layers: &[Option<Vec<Entries>>]| layers.iter().flatten().map(Vec::len).max().unwrap_or(0);
        let of_images = groups(&self.images);
        let mut sums = vec![0.0; self.words.len() * self.images.len()];
        let mut words = Vec::new();
        for group in 0..of_images {
            if group < groups(&self.words) {
                words = self.prepared(&self.words, group, &resample);
            }
            let images = self.prepared(&self.images, group, &resample);
            let values = match self.measure {
                Measure::RsaKendall => taus(&words, &images, &resample),
                _ => cosines(&words, &images, resample.counts.len()),
            };
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        sums.iter().map(|sum| sum / of_images as f64).collect()
    }

    fn prepared(&self, layers: &[Option<Vec<Entries>>], group: usize, resample: &Resample) -> Vec<Vec<f64>> {
        let of = |layer: &Option<Vec<Entries>>| match layer {
            Some(groups) => groups[group].prepared(self.measure, resample),
            None => vec![f64::NAN; resample.counts.len()],
        };
        layers.iter().map(of).collect()
    }
}

/// Products of lists of unit length.
fn cosines(words: &[Vec<f64>], images: &[Vec<f64>], entries: usize) -> Vec<f64> {
    let mut values = vec![0.0; words.len() * images.len()];
    let (words_rows, images_rows) = (words.concat(), images.concat());
    let [left, right] = [&words_rows, &images_rows].map(|rows| Matrix::rows(rows, entries));
    let sizes = [words.len(), images.len(), entries];
    multiply(sizes, (&mut values, images.len()), left, right.turned(), false);
    values
}

/// The weighted tau-a of lists of ranks, from 1 without gaps.
fn taus(words: &[Vec<f64>], images: &[Vec<f64>], resample: &Resample) -> Vec<f64> {
    let sum: f64 = resample.counts.iter().sum();
    let pairs = (sum * sum - resample.counts.iter().map(|count| count * count).sum::<f64>()) / 2.0;
    let orders: Vec<Vec<u32>> = images.iter().map(|y| sorted_order(y)).collect();
    let mut values = Vec::with_capacity(words.len() * images.len());
    for x in words {
        let images = images.iter().zip(&orders);
        values.extend(images.map(|(y, order)| concordance(x, (y, order), &resample.counts) / pairs));
    }
    values
}

/// Concordant less discordant pairs of entries, each as often as both count; `y` with its order.
fn concordance(x: &[f64], (y, order): (&[f64], &[u32]), counts: &[f64]) -> f64 {
    if x.iter().chain(y).any(|rank| rank.is_nan()) {
        return f64::NAN;
    }
    let mut seen = Counts::new(x.iter().fold(0.0_f64, |most, &rank| most.max(rank)) as usize);
    let (mut all, mut difference) = (0.0, 0.0);
    for equal in order.chunk_by(|&a, &b| y[a as usize] == y[b as usize]) {
        let equal = equal.iter().map(|&entry| entry as usize);
        for entry in equal.clone() {
            let (below, upto) = (seen.below(x[entry] as usize - 1), seen.below(x[entry] as usize));
            difference += counts[entry] * (below - (all - upto));
        }
        for entry in equal {
            all += counts[entry];
            seen.add(x[entry] as usize - 1, counts[entry]);
        }
    }
    difference
}

/// The different concepts of a resample.
struct Resample {
    drawn: Vec<usize>,
    /// Their copies.
    weights: Vec<f64>,
    /// Where a concept stands among them, or [`NONE`].
    places: Vec<usize>,
    diagonal: bool,
    /// How often each entry counts: those right of the diagonal row by row, with it where a concept meets itself (one of
    /// two that a pair has).
    counts: Vec<f64>,
}

impl Resample {
    fn new(copies: &[u32], diagonal: bool) -> Self {
        let drawn: Vec<usize> = (0..copies.len()).filter(|&concept| copies[concept] > 0).collect();
        let weights: Vec<f64> = drawn.iter().map(|&concept| f64::from(copies[concept])).collect();
        let mut places = vec![NONE; copies.len()];
        drawn.iter().enumerate().for_each(|(place, &concept)| places[concept] = place);
        let mut resample = Self { drawn, weights, places, diagonal, counts: Vec::new() };
        let weights = &resample.weights;
        let count = |a: usize, b: usize| if a == b { weights[a] / 2.0 } else { weights[a] * weights[b] };
        resample.counts = resample.pairs().map(|(a, b)| count(a, b)).collect();
        resample
    }

    /// The entries, by their places among the drawn concepts.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let (drawn, first) = (self.drawn.len(), usize::from(!self.diagonal));
        (0..drawn).flat_map(move |a| (a + first..drawn).map(move |b| (a, b)))
    }

    /// Where an entry right of the diagonal stands.
    fn entry(&self, a: usize, b: usize) -> usize {
        a * (2 * self.drawn.len() - a - 1) / 2 + b - a - 1
    }
}

/// A group's matrix, symmetric.
struct Entries {
    concepts: usize,
    values: Vec<f64>,
    /// Of ranks: the places right of the diagonal by ascending value.
    order: Vec<u32>,
    /// How far apart two of them may be and still be tied, as in the value itself.
    tied_within: f64,
}

impl Entries {
    fn of(measure: Measure, side: Side) -> Option<Vec<Self>> {
        let ranked = matches!(measure, Measure::RsaSpearman | Measure::RsaKendall);
        if measure.needs_gram() {
            let kernel = |gram: &super::Gram| match measure {
                Measure::CkaRbf => gram.rbf(),
                // Centred first, which changes nothing but that less cancels.
                _ => Some(gram.centred()),
            };
            return side
                .grams
                .iter()
                .map(|gram| Some(Self::new(gram.concepts(), kernel(gram)?.values().to_vec(), false)))
                .collect();
        }
        let of_rsm = |rsm: &crate::stats::Rsm| {
            let entry = |r: f64| if measure == Measure::RsaCosine { 1.0 - r } else { r };
            rsm.constant()
                .is_empty()
                .then(|| Self::new(rsm.concepts(), rsm.values().iter().map(|&r| entry(r)).collect(), ranked))
        };
        side.rsms.iter().map(of_rsm).collect()
    }

    fn new(concepts: usize, values: Vec<f64>, ranked: bool) -> Self {
        let mut order: Vec<u32> = Vec::new();
        if ranked {
            order.extend((0..concepts).flat_map(|a| (a + 1..concepts).map(move |b| (a * concepts + b) as u32)));
            order.sort_unstable_by(|&x, &y| values[x as usize].total_cmp(&values[y as usize]));
        }
        let tied_within = tied_within(order.iter().map(|&at| &values[at as usize]));
        Self { concepts, values, order, tied_within }
    }

    fn row(&self, concept: usize) -> &[f64] {
        &self.values[concept * self.concepts..][..self.concepts]
    }

    /// The weighted entries of a resample, of unit length; NaN where they do not vary. Of tau-a the ranks.
    fn prepared(&self, measure: Measure, resample: &Resample) -> Vec<f64> {
        let (drawn, weights, counts) = (&resample.drawn, &resample.weights, &resample.counts);
        let all = weights.iter().sum::<f64>();
        let plain = || -> Vec<f64> { resample.pairs().map(|(a, b)| self.row(drawn[a])[drawn[b]]).collect() };
        let weighted_sum =
            |a: &usize| -> f64 { drawn.iter().zip(weights).map(|(&b, w)| w * self.row(*a)[b]).sum::<f64>() };
        let mut entries = match measure {
            Measure::RsaCosine => plain(),
            Measure::RsaPearson => less_mean(plain(), counts),
            Measure::RsaSpearman => less_mean(self.ranks(resample, true), counts),
            Measure::RsaKendall => return self.ranks(resample, false),
            Measure::CkaDebiased => {
                // Over b != a: sum of w_b (K_ab - r_a - r_b) = 0, so r_a = (sum of w_b K_ab - s) / (n - 2 w_a) with
                // s = sum of w_b r_b over all b.
                let own = |(a, w): (&usize, &f64)| weighted_sum(a) - w * self.row(*a)[*a];
                let sums: Vec<f64> = drawn.iter().zip(weights).map(own).collect();
                let shares: Vec<f64> = weights.iter().map(|w| w / (all - 2.0 * w)).collect();
                let s = sums.iter().zip(&shares).map(|(sum, share)| share * sum).sum::<f64>()
                    / (1.0 + shares.iter().sum::<f64>());
                let rows: Vec<f64> = sums.iter().zip(weights).map(|(sum, w)| (sum - s) / (all - 2.0 * w)).collect();
                resample.pairs().map(|(a, b)| self.row(drawn[a])[drawn[b]] - rows[a] - rows[b]).collect()
            }
            _ => {
                let means: Vec<f64> = drawn.iter().map(|a| weighted_sum(a) / all).collect();
                let mean = means.iter().zip(weights).map(|(mean, w)| w * mean).sum::<f64>() / all;
                resample.pairs().map(|(a, b)| self.row(drawn[a])[drawn[b]] - means[a] - means[b] + mean).collect()
            }
        };
        // An entry errs by a few sums of n terms of the largest; the root of the counts' sum is at most n.
        let largest = drawn.iter().flat_map(|&a| drawn.iter().map(move |&b| self.row(a)[b].abs())).fold(0.0, f64::max);
        let noise = 8.0 * all * all * f64::EPSILON * largest;
        entries.iter_mut().zip(counts).for_each(|(entry, count)| *entry *= count.sqrt());
        let length = entries.iter().map(|entry| entry * entry).sum::<f64>().sqrt();
        let scale = if length > noise || matches!(measure, Measure::RsaSpearman) && length > 0.0 {
            length.recip()
        } else {
            f64::NAN
        };
        entries.iter_mut().for_each(|entry| *entry *= scale);
        entries
    }

    /// The ranks of a resample's entries: among all copies, ties averaged, or from 1 without gaps.
    fn ranks(&self, resample: &Resample, among_copies: bool) -> Vec<f64> {
        let sorted = self.order.iter().filter_map(|&at| {
            let (a, b) = (resample.places[at as usize / self.concepts], resample.places[at as usize % self.concepts]);
            (a != NONE && b != NONE).then(|| (resample.entry(a, b), self.values[at as usize]))
        });
        let sorted: Vec<(usize, f64)> = sorted.collect();
        let mut ranks = vec![0.0; sorted.len()];
        let (mut before, mut dense) = (0.0, 0.0);
        for equal in sorted.chunk_by(|x, y| (x.1 - y.1).abs() <= self.tied_within) {
            let copies: f64 = equal.iter().map(|&(entry, _)| resample.counts[entry]).sum();
            dense += 1.0;
            let rank = if among_copies { before + (copies + 1.0) / 2.0 } else { dense };
            equal.iter().for_each(|&(entry, _)| ranks[entry] = rank);
            before += copies;
        }
        ranks
    }
}

/// Less the weighted mean.
fn less_mean(mut entries: Vec<f64>, counts: &[f64]) -> Vec<f64> {
    let weighted = entries.iter().zip(counts).map(|(entry, count)| entry * count).sum::<f64>();
    let mean = weighted / counts.iter().sum::<f64>();
    entries.iter_mut().for_each(|entry| *entry -= mean);
    entries
}
