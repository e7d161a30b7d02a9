//! Representational similarity analysis (Kriegeskorte 2008): one correlation of two RSMs' upper triangles, and its
//! null under the same draws as the 2 vs. 2 test.

#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::inference::Statistic;
use super::kendall::{self, Sorted, concordances, equal, sorted_order};
use super::permutation::Permutations;
use super::{Interrupted, Progress, Rsm, report};

/// How two upper triangles are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rsa {
    /// Product-moment correlation of the entries.
    Pearson,
    /// Pearson correlation of the ranks; tied entries get their average rank.
    Spearman,
    /// (concordant - discordant) / all pairs of entries; a tie is neither.
    #[serde(alias = "kendall")]
    KendallTauA,
}

impl std::fmt::Display for Rsa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pearson => "pearson",
            Self::Spearman => "spearman",
            Self::KendallTauA => "kendall-tau-a",
        })
    }
}

/// Two correlations this close are the same: n products of unit vectors, summed in eight parts, err by at most
/// n / 8 EPSILON, 4e-13 at the 13,695 pairs of 166 concepts. Only draws that are equal by the matrices' symmetry come
/// this close.
const SAME: f64 = 1e-12;

/// How far rounding may put off a correlation of so many entries (see [`SAME`], which also covers entries that are off by
/// 4e-16 and spread by 4e-4 or more).
pub(super) fn rounding(entries: usize) -> f64 {
    SAME.max(entries as f64 / 8.0 * f64::EPSILON)
}

/// The entries above the diagonal, row by row: `concepts * (concepts - 1) / 2` of them.
pub fn upper(rsm: &Rsm) -> Vec<f64> {
    (0..rsm.concepts()).flat_map(|a| rsm.row(a)[a + 1..].iter().copied()).collect()
}

impl Rsa {
    /// The correlation of two lists of equal length. Places where either is NaN (a constant row's) are left out;
    /// `None` if nothing is left to correlate.
    ///
    /// # Cost
    /// O(n), Spearman and Kendall O(n log n).
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn correlation(self, x: &[f64], y: &[f64]) -> Option<f64> {
        assert_eq!(x.len(), y.len(), "lists of equal length");
        let (x, y): (Vec<f64>, Vec<f64>) =
            x.iter().zip(y).filter(|(x, y)| !x.is_nan() && !y.is_nan()).map(|(&x, &y)| (x, y)).unzip();
        self.against(y)(&self.prepare(x))
    }

    /// The triangle on the scale on which triangles are averaged: mean 0 and unit length for Pearson, plain ranks (1 the
    /// lowest) for the others; over the entries that are not NaN.
    pub(super) fn standardised(self, triangle: &[f64]) -> Vec<f64> {
        let present: Vec<f64> = triangle.iter().copied().filter(|entry| !entry.is_nan()).collect();
        let order = self.order(&present);
        let mut values = self.standard(present, &order).into_iter();
        let placed = |entry: &f64| if entry.is_nan() { None } else { values.next() };
        triangle.iter().map(placed).map(|value| value.unwrap_or(f64::NAN)).collect()
    }

    /// [`Self::standardised`] of entries that are all there, in their [`Self::order`].
    pub(super) fn standard(self, entries: Vec<f64>, order: &[u32]) -> Vec<f64> {
        match self {
            Self::Pearson => {
                let values = centred(entries);
                let length = dot(&values, &values).sqrt();
                values.into_iter().map(|value| value / length).collect()
            }
            Self::Spearman | Self::KendallTauA => {
                let count = entries.len() as f64;
                ranks(&entries, order).into_iter().map(|rank| (rank + count + 1.0) / 2.0).collect()
            }
        }
    }

    /// What every place contributes to the correlation, to first order and up to the sum of them, which is 0: the correlation
    /// changes by their mean weighted by the places' weights. 0 where either list has a NaN.
    pub(super) fn contributions(self, x: &[f64], y: &[f64]) -> Vec<f64> {
        let present: Vec<bool> = x.iter().zip(y).map(|(x, y)| !x.is_nan() && !y.is_nan()).collect();
        let kept = |list: &[f64]| -> Vec<f64> {
            list.iter().zip(&present).filter(|(_, present)| **present).map(|(&entry, _)| entry).collect()
        };
        let (x, y) = (kept(x), kept(y));
        let values: Vec<f64> = match self {
            Self::KendallTauA => {
                let found = concordances(&x, &y);
                let tau = found.iter().sum::<f64>() / found.len() as f64;
                found.into_iter().map(|concordance| 2.0 * (concordance - tau)).collect()
            }
            Self::Pearson | Self::Spearman => {
                let unit = |list: Vec<f64>| -> Vec<f64> {
                    let list = self.prepare(list);
                    let spread = (dot(&list, &list) / list.len() as f64).sqrt();
                    list.into_iter().map(|x| if spread > 0.0 { x / spread } else { 0.0 }).collect()
                };
                let (x, y) = (unit(x), unit(y));
                let r = dot(&x, &y) / x.len() as f64;
                x.iter().zip(&y).map(|(x, y)| x * y - r * (x * x + y * y) / 2.0).collect()
            }
        };
        let mut values = values.into_iter();
        present.into_iter().map(|present| if present { values.next().unwrap_or(0.0) } else { 0.0 }).collect()
    }

    /// The places of entries by ascending value: sorted once for all lists that are made of them. Pearson needs none.
    pub(super) fn order(self, x: &[f64]) -> Vec<u32> {
        if self.is_ranked() { sorted_order(x) } else { Vec::new() }
    }

    pub(super) fn is_ranked(self) -> bool {
        self != Self::Pearson
    }

    /// What [`Self::against`] expects of the permuted side.
    pub(super) fn prepare(self, x: Vec<f64>) -> Vec<f64> {
        let order = self.order(&x);
        self.prepare_in(x, &order)
    }

    /// The same in the list's [`Self::order`].
    pub(super) fn prepare_in(self, x: Vec<f64>, order: &[u32]) -> Vec<f64> {
        match self {
            Self::Pearson => centred(x),
            Self::Spearman => ranks(&x, order),
            Self::KendallTauA => kendall::ranks(&x, order),
        }
    }

    /// The correlation with `y`, as a function of the prepared other side.
    pub(super) fn against(self, y: Vec<f64>) -> Comparison {
        let order = self.order(&y);
        self.against_in(y, order)
    }

    /// The same in the list's [`Self::order`].
    pub(super) fn against_in(self, y: Vec<f64>, order: Vec<u32>) -> Comparison {
        match self {
            Self::Pearson | Self::Spearman => {
                let y = self.prepare_in(y, &order);
                Box::new(move |x| cosine(x, &y))
            }
            Self::KendallTauA => {
                let y = Sorted::new(&y, order);
                Box::new(move |x| y.tau_a(x))
            }
        }
    }
}

/// The RSA of a family: layers against a word model.
pub struct RsaTest<'a> {
    /// Places in the list of layers, ascending.
    members: Vec<usize>,
    /// One per member.
    compared: Vec<Compared>,
    draws: &'a Permutations,
}

impl<'a> RsaTest<'a> {
    /// The comparison of `words` with the RSMs of `layers`, `[layer][group]`. Draws re-index rows and columns of the
    /// words.
    ///
    /// # Panics
    /// If the RSMs or draws differ in their concepts, or a layer has no group.
    pub fn new(kind: Rsa, words: &Rsm, layers: &[&[Rsm]], draws: &'a Permutations) -> Self {
        assert_eq!(draws.concepts(), words.concepts(), "RSMs and draws of the same concepts");
        let words = Entries::new(kind, words);
        let compared = layers.iter().map(|groups| Compared::new(&words, groups)).enumerate();
        let (members, compared) = compared.filter_map(|(layer, compared)| Some((layer, compared?))).unzip();
        Self { members, compared, draws }
    }

    /// The family's members: indices of the layers of which every group has a correlation with the words, ascending.
    pub fn members(&self) -> &[usize] {
        &self.members
    }
}

/// The points of the mean over groups of the correlation; 2^52 resolve what `f64` does. A draw that equals the observed
/// value up to rounding is set equal to it, and one that leaves a group nothing to correlate correlates 0 with it.
///
/// # Cost
/// Per draw and group one pass over the entries; Kendall, and RSMs with constant rows, O(n log n). At 166 concepts
/// and 1000 draws on two cores: 10 ms a group, Kendall 0.4 s.
impl Statistic for RsaTest<'_> {
    type Error = Interrupted;

    fn whole(&self) -> i64 {
        1 << 52
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Interrupted> {
        // Layer by layer: its groups' entries stay in the cache from draw to draw.
        let points = |layer: &Compared| -> Result<Vec<i64>, Interrupted> {
            let point = |t| -> Result<i64, Interrupted> {
                let mean = layer.mean(&self.draws.draw(t));
                report(progress, layer.groups.len() as u64)?;
                Ok((mean * self.whole() as f64).round() as i64)
            };
            draws.clone().into_par_iter().map(point).collect()
        };
        self.compared.iter().map(points).collect()
    }
}

/// The words' entries as they are, and prepared, in their places: each form is made once for all layers that are compared with
/// it.
struct Entries {
    kind: Rsa,
    concepts: usize,
    plain: Vec<f64>,
    forms: [OnceCell<Arc<Rsm>>; 2],
}

impl Entries {
    fn new(kind: Rsa, words: &Rsm) -> Self {
        Self { kind, concepts: words.concepts(), plain: upper(words), forms: Default::default() }
    }

    /// In one of the forms.
    fn form(&self, prepared: bool) -> Arc<Rsm> {
        let places = || {
            let plain = self.plain.clone();
            let entries = if prepared { self.kind.prepare(plain) } else { plain };
            Arc::new(square(&entries, self.concepts))
        };
        self.forms[usize::from(prepared)].get_or_init(places).clone()
    }
}

/// The words and one layer, ready for draws.
struct Compared {
    /// The words' entries in their places, in the form that the layer is compared with.
    places: Arc<Rsm>,
    groups: Vec<Comparison>,
    observed: f64,
}

impl Compared {
    /// `None` if a group has no correlation with the words.
    fn new(words: &Entries, groups: &[Rsm]) -> Option<Self> {
        let (kind, concepts) = (words.kind, words.concepts);
        assert!(!groups.is_empty(), "an RSA needs a group");
        assert!(groups.iter().all(|group| group.concepts() == concepts), "RSMs of the same concepts");
        let triangles: Vec<Vec<f64>> = groups.iter().map(upper).collect();
        let complete = !triangles.iter().chain([&words.plain]).flatten().any(|entry| entry.is_nan());
        // Ranks and centred values go with their entry, so they are computed once, unless which entries meet a NaN
        // depends on the draw.
        let against = |triangle: Vec<f64>| -> Comparison {
            if complete { kind.against(triangle) } else { Box::new(move |x| kind.correlation(x, &triangle)) }
        };
        let groups: Vec<Comparison> = triangles.into_iter().map(against).collect();
        let places = words.form(complete);
        let entries = upper(&places);
        let sum: Option<f64> = groups.iter().map(|correlation| correlation(&entries)).sum();
        let observed = sum? / groups.len() as f64;
        Some(Self { places, groups, observed })
    }

    /// The mean over groups under a draw.
    fn mean(&self, draw: &[u32]) -> f64 {
        let drawn = reindexed(&self.places, draw);
        let sum: f64 = self.groups.iter().map(|correlation| correlation(&drawn).unwrap_or(0.0)).sum();
        let mean = sum / self.groups.len() as f64;
        if (mean - self.observed).abs() <= rounding(drawn.len()) { self.observed } else { mean }
    }
}

/// The correlation of prepared entries with others.
pub(super) type Comparison = Box<dyn Fn(&[f64]) -> Option<f64> + Sync + Send>;

/// The inverse of [`upper`]: the entries back in their `[concepts, concepts]` places, the diagonal 1.
pub fn square(entries: &[f64], concepts: usize) -> Rsm {
    let mut values = vec![1.0; concepts * concepts];
    let pairs = (0..concepts).flat_map(|a| (a + 1..concepts).map(move |b| (a, b)));
    for ((a, b), &entry) in pairs.zip(entries) {
        values[a * concepts + b] = entry;
        values[b * concepts + a] = entry;
    }
    Rsm::new(concepts, values)
}

/// The entries above the diagonal after row and column `a` have become those of `draw[a]`.
pub(super) fn reindexed(rsm: &Rsm, draw: &[u32]) -> Vec<f64> {
    let rows = draw.iter().enumerate();
    rows.flat_map(|(a, &p)| draw[a + 1..].iter().map(move |&q| rsm.row(p as usize)[q as usize])).collect()
}

/// The values less their mean; all zero where they differ by rounding only.
pub(super) fn centred(mut x: Vec<f64>) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    // A mean of n values is off by at most n EPSILON / 2 of the largest; the sum of squares of such deviations:
    let largest = x.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let rounding = n * (n * f64::EPSILON * largest).powi(2);
    x.iter_mut().for_each(|x| *x -= mean);
    if dot(&x, &x) <= rounding {
        x.fill(0.0);
    }
    x
}

/// Twice the average ranks less their mean, of a list in its [`sorted_order`]: integers, so that sums of their products are
/// exact up to 2^53.
fn ranks(x: &[f64], order: &[u32]) -> Vec<f64> {
    let mut ranks = vec![0.0; x.len()];
    let mut start = 0;
    for tied in order.chunk_by(equal(x)) {
        let end = start + tied.len();
        for &place in tied {
            // Ranks start + 1 ..= end, averaged and doubled, less x.len() + 1.
            ranks[place as usize] = (start + end) as f64 - x.len() as f64;
        }
        start = end;
    }
    ranks
}

/// The correlation of two centred lists; `None` where one of them does not vary.
fn cosine(x: &[f64], y: &[f64]) -> Option<f64> {
    let lengths = (dot(x, x) * dot(y, y)).sqrt();
    (lengths > 0.0).then(|| (dot(x, y) / lengths).clamp(-1.0, 1.0))
}

/// The sum of products, in eight interleaved partial sums (which the compiler vectorises).
pub(super) fn dot(x: &[f64], y: &[f64]) -> f64 {
    let (xs, x_rest) = x.as_chunks::<8>();
    let (ys, y_rest) = y.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (x, y) in xs.iter().zip(ys) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum::<f64>()
}
