//! Variance partitioning of a layer's RSM between up to four spaces: what each explains alone, what each set of them shares.
//!
//! `R2(S)` is the share of the variance of the layer's entries above the diagonal that a linear regression on the entries of
//! the spaces S explains. The part of a set T of all spaces A is what every member of T could explain and nobody outside it:
//!
//! `part(T) = sum over U in T of (-1)^(|U| + 1) R2(U + (A - T))`
//!
//! (commonality analysis, Newton & Spurrell 1967; Seibold & McPhee 1979). The part of one space is its unique share; the
//! parts of all sets add up to `R2(A)`. A shared part is negative where spaces suppress each other: one explains more beside
//! the other than alone.
//!
//! # Intervals
//!
//! A resample draws concepts with replacement; a pair of two of them counts `w_a w_b` times, copies of one concept make no
//! pair, and the regressions are weighted. A resample has fewer different pairs, which spaces explain better by chance: as in
//! the intervals of accuracies the resamples' spread is used and not their place.

use rayon::prelude::*;

use super::bootstrap::{Interval, enclosing, multiplicities};
use super::rsa::{centred, dot, upper};
use super::{Interrupted, Progress, Rsm, report};

/// Spaces at most: 15 parts.
pub const MOST_SPACES: usize = 4;

/// A space that the others explain but for this share of its variance adds nothing; a layer of which a resample leaves no more
/// than this share of its mean square does not vary there.
const DETERMINED: f64 = 1e-10;

/// A part of a layer's variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// The spaces that share it: the n-th is bit n. All of them stand for the last entry too, the whole.
    pub spaces: usize,
    /// Mean over groups of the share of the variance.
    pub share: f64,
    /// Ends of its confidence interval; none without resamples.
    pub interval: Option<Interval>,
}

/// The parts of each layer's variance, and the whole, `[layer][parts + 1]`: sets of spaces in the order of their bits, then
/// what all explain together. `None` for a layer with a constant image, or whose entries do not vary.
///
/// `layers` are `[layer][group]`, `spaces` `[space][group]` or `[space][1]`. Without resamples there are no intervals.
/// `progress` is told the RSMs partitioned.
///
/// # Errors
/// `progress` asked to stop.
///
/// # Cost
/// Per resample, layer and group `spaces + 2` inner products of the entries. Parallel over resamples.
///
/// # Panics
/// If there are no spaces or more than [`MOST_SPACES`], one has a NaN or does not vary, or RSMs differ in their concepts.
pub fn partition(
    spaces: &[&[Rsm]],
    layers: &[&[Rsm]],
    (seed, resamples): (u64, u64),
    progress: &Progress,
) -> Result<Vec<Option<Vec<Part>>>, Interrupted> {
    assert!((1..=MOST_SPACES).contains(&spaces.len()), "{} spaces", spaces.len());
    let Some(first) = layers.first().and_then(|groups| groups.first()) else { return Ok(vec![None; layers.len()]) };
    let concepts = first.concepts();
    let groups: Vec<Group> = (0..layers[0].len()).map(|group| Group::new(spaces, layers, group)).collect();
    let shares = |copies: &[u32]| -> Result<Vec<Option<Vec<f64>>>, Interrupted> {
        let weights = pair_weights(copies);
        let of_groups: Vec<_> = groups.iter().map(|group| group.shares(&weights)).collect();
        report(progress, (layers.len() * groups.len()) as u64)?;
        Ok((0..layers.len()).map(|layer| mean(of_groups.iter().map(|group| group[layer].as_deref()))).collect())
    };
    let observed = shares(&vec![1; concepts])?;
    let resampled = (0..resamples).into_par_iter().map(|t| shares(&multiplicities(seed, t, concepts)));
    let resampled = resampled.collect::<Result<Vec<_>, _>>()?;
    let whole = (1 << spaces.len()) - 1;
    let part = |layer: usize, n: usize, share: f64| {
        // The place after the last part is the whole.
        let set = (n + 1).min(whole);
        let never_negative = n == whole || set.is_power_of_two();
        let found: Vec<f64> = resampled.iter().filter_map(|all| Some(all[layer].as_ref()?[n])).collect();
        Part { spaces: set, share, interval: interval(share, found, never_negative) }
    };
    let parts = |(layer, shares): (usize, Option<Vec<f64>>)| {
        shares.map(|shares| shares.into_iter().enumerate().map(|(n, share)| part(layer, n, share)).collect())
    };
    Ok(observed.into_iter().enumerate().map(parts).collect())
}

fn interval(share: f64, resampled: Vec<f64>, never_negative: bool) -> Option<Interval> {
    if resampled.is_empty() {
        return None;
    }
    let (ends, mean) = enclosing(resampled);
    let least = if never_negative { 0.0 } else { -1.0 };
    let [low, high] = ends.map(|end| (share + end - mean).clamp(least, 1.0));
    Some(Interval { low, high }.holding(share))
}

/// Per pair above the diagonal, row by row, how often it counts.
fn pair_weights(copies: &[u32]) -> Vec<f64> {
    let rows = copies.iter().enumerate();
    rows.flat_map(|(a, &x)| copies[a + 1..].iter().map(move |&y| f64::from(x * y))).collect()
}

/// The mean over groups, place by place; `None` if a group has none.
fn mean<'a>(groups: impl ExactSizeIterator<Item = Option<&'a [f64]>>) -> Option<Vec<f64>> {
    let count = groups.len() as f64;
    let mut sums: Vec<f64> = Vec::new();
    for group in groups {
        let group = group?;
        sums.resize(group.len(), 0.0);
        sums.iter_mut().zip(group).for_each(|(sum, x)| *sum += x / count);
    }
    Some(sums)
}

/// Entries of one group of images, in units of their spread around their mean, so that weighted sums keep their digits.
struct Group {
    spaces: Vec<Vec<f64>>,
    layers: Vec<Option<Vec<f64>>>,
}

impl Group {
    fn new(spaces: &[&[Rsm]], layers: &[&[Rsm]], group: usize) -> Self {
        let spaces = spaces.iter().map(|space| standardised(upper(&space[group.min(space.len() - 1)])));
        let spaces =
            spaces.map(|space| space.expect("a space varies, and every concept of it has a correlation")).collect();
        Self { spaces, layers: layers.iter().map(|layer| standardised(upper(&layer[group]))).collect() }
    }

    /// Per layer its parts and the whole.
    fn shares(&self, weights: &[f64]) -> Vec<Option<Vec<f64>>> {
        let total: f64 = weights.iter().sum();
        let weighted: Vec<Vec<f64>> =
            self.spaces.iter().map(|space| space.iter().zip(weights).map(|(x, w)| x * w).collect()).collect();
        let means: Vec<f64> = weighted.iter().map(|space| space.iter().sum::<f64>() / total).collect();
        let count = self.spaces.len();
        let mut gram = [[0.0; MOST_SPACES]; MOST_SPACES];
        for a in 0..count {
            for b in 0..count {
                gram[a][b] = dot(&weighted[a], &self.spaces[b]) / total - means[a] * means[b];
            }
        }
        let share = |layer: &Vec<f64>| {
            let mean = dot(layer, weights) / total;
            let squares: f64 = layer.iter().zip(weights).map(|(x, w)| w * x * x).sum();
            let square = squares / total;
            let variance = square - mean * mean;
            let mut with = [0.0; MOST_SPACES];
            for a in 0..count {
                with[a] = dot(&weighted[a], layer) / total - means[a] * mean;
            }
            let explained = |set: usize| explained(&gram, &with, set) / variance;
            (variance > DETERMINED * square).then(|| parts(&(0..1 << count).map(explained).collect::<Vec<_>>()))
        };
        self.layers.iter().map(|layer| layer.as_ref().and_then(share)).collect()
    }
}

/// Mean 0, mean square 1; `None` if there is a NaN, or nothing varies.
fn standardised(entries: Vec<f64>) -> Option<Vec<f64>> {
    let mut entries = centred(entries);
    let spread = (dot(&entries, &entries) / entries.len() as f64).sqrt();
    entries.iter_mut().for_each(|x| *x /= spread);
    (spread > 0.0).then_some(entries)
}

/// The variance that the spaces of a set explain: the squares of the layer's parts along each, orthogonalised in turn
/// (a Cholesky decomposition).
fn explained(gram: &[[f64; MOST_SPACES]; MOST_SPACES], with: &[f64; MOST_SPACES], set: usize) -> f64 {
    let mut chosen: Vec<(usize, [f64; MOST_SPACES], f64)> = Vec::new();
    for a in (0..MOST_SPACES).filter(|a| set & (1 << a) != 0) {
        let mut row = [0.0; MOST_SPACES];
        for n in 0..chosen.len() {
            let (b, other, _) = &chosen[n];
            let before: f64 = (0..n).map(|m| row[m] * other[m]).sum();
            row[n] = (gram[a][*b] - before) / other[n];
        }
        let rest = gram[a][a] - row.iter().map(|x| x * x).sum::<f64>();
        if rest <= DETERMINED * gram[a][a] {
            continue;
        }
        let before: f64 = chosen.iter().zip(&row).map(|((_, _, y), x)| x * y).sum();
        let y = (with[a] - before) / rest.sqrt();
        row[chosen.len()] = rest.sqrt();
        chosen.push((a, row, y));
    }
    chosen.iter().map(|(_, _, y)| y * y).sum()
}

/// The part of every set, in the order of their bits, and what all explain; from what every set explains, the empty one
/// first.
fn parts(explained: &[f64]) -> Vec<f64> {
    let all = explained.len() - 1;
    let part = |set: usize| -> f64 {
        let subsets = (0..=set).filter(|subset| subset & !set == 0);
        let signed = |subset: usize| {
            let sign = if subset.count_ones() % 2 == 1 { 1.0 } else { -1.0 };
            sign * explained[subset | (all & !set)]
        };
        subsets.map(signed).sum()
    };
    (1..=all).map(part).chain([explained[all]]).collect()
}

#[cfg(test)]
mod tests;
