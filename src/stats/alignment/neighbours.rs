//! Mutual k-nearest neighbours and CKNNA under draws: neighbours are found once, a draw looks them up.
//!
//! A pair of concepts is one of `k` neighbours a concept of the words, moved to where the draw puts it; whether it is one
//! of each layer of the images too, 64 layers answer in one word of bits. CKNNA needs, of the pairs that are neighbours
//! in both, the sums of Song et al. 2012, eq. 5: `sum K_ab L_ba` (pairs that are neighbours both ways), the sums of both,
//! and the products of `K`'s column sums with `L`'s row sums; what is no common neighbour is 0 there.
//!
//! # Ties
//! Equal vectors are equally near. Which of them count must not depend on the concepts' order on both sides, or ties
//! would agree with each other: on the words' side the first one counts, on the images' side the first of an order that
//! was drawn once for each concept. [`NeighbourTest::tied`] says how many concepts it concerns.

mod gpu;

use std::ops::Range;

use rayon::prelude::*;

pub use self::gpu::{KERNELS, NeighbourError, OnDevice};
use super::{Gram, Measure, Side, Unvaried};
use crate::stats::inference::Statistic;
use crate::stats::permutation::{Permutations, Random, inverse};
use crate::stats::{Interrupted, Progress, report};

/// Layers of the images that a word of bits answers for.
const BITS: usize = u64::BITS as usize;

/// Keeps the order of ties apart from the draws.
const STREAM: u64 = 0x6e65_6172_6573_7421;

/// In the denominator, as its authors have it.
pub(super) const CKNNA_EPSILON: f64 = 1e-6;

/// Two values of CKNNA this close are the same: a few thousand products of cosines over a normalisation of at least
/// 1e-6.
const SAME: f64 = 1e-9;

/// Which of equally near concepts counts first.
#[derive(Clone, Copy)]
pub(super) enum Ranks {
    /// The first one.
    InOrder,
    /// An order of each concept's own, drawn once for all.
    Drawn,
}

impl Ranks {
    /// Of `b` among `a`'s neighbours.
    fn rank(self, a: usize, b: u32) -> u64 {
        match self {
            Self::InOrder => u64::from(b),
            Self::Drawn => Random::keyed(STREAM, (a as u64) << 32 | u64::from(b)).bits(),
        }
    }
}

/// A layer's nearest neighbours.
pub struct Neighbours {
    k: usize,
    /// `[concepts, k]`, nearest first.
    places: Vec<u32>,
    /// Their cosines.
    values: Vec<f64>,
    /// Whether each has the concept among its own.
    mutual: Vec<bool>,
    /// Concepts whose last neighbour is as near as the first that is none.
    pub tied: usize,
}

impl Neighbours {
    /// The `k` nearest neighbours by cosine.
    ///
    /// # Panics
    /// If there are not more than `k` concepts, or one has no direction.
    pub(super) fn new(gram: &Gram, k: usize, ranks: Ranks) -> Self {
        let concepts = gram.concepts();
        assert!(k > 0 && k < concepts, "{k} neighbours among {concepts} concepts");
        assert!(gram.without_direction().is_none(), "every vector has a direction");
        let cosines = gram.cosines();
        let of = |a: usize| {
            let row = cosines.row(a);
            let nearer = |b: &u32, c: &u32| {
                row[*c as usize].total_cmp(&row[*b as usize]).then_with(|| ranks.rank(a, *b).cmp(&ranks.rank(a, *c)))
            };
            let mut others: Vec<u32> = (0..concepts as u32).filter(|&b| b as usize != a).collect();
            others.select_nth_unstable_by(k - 1, nearer);
            let last = row[others[k - 1] as usize];
            let tied = others[k..].iter().any(|&b| row[b as usize] == last);
            others.truncate(k);
            others.sort_unstable_by(nearer);
            (others, tied)
        };
        let found: Vec<(Vec<u32>, bool)> = (0..concepts).into_par_iter().map(of).collect();
        let tied = found.iter().filter(|(_, tied)| *tied).count();
        let has = |a: u32, b: u32| found[a as usize].0.contains(&b);
        let pairs = || (0..concepts as u32).flat_map(|a| found[a as usize].0.iter().map(move |&b| (a, b)));
        Self {
            k,
            values: pairs().map(|(a, b)| cosines.row(a as usize)[b as usize]).collect(),
            mutual: pairs().map(|(a, b)| has(b, a)).collect(),
            places: pairs().map(|(_, b)| b).collect(),
            tied,
        }
    }

    /// Of a concept, nearest first.
    pub fn of(&self, a: usize) -> &[u32] {
        &self.places[a * self.k..(a + 1) * self.k]
    }

    /// Their cosines.
    pub(super) fn values_of(&self, a: usize) -> &[f64] {
        &self.values[a * self.k..(a + 1) * self.k]
    }

    /// Number of concepts.
    pub(super) fn concepts(&self) -> usize {
        self.places.len() / self.k
    }

    /// Where `b` stands among all concepts' neighbours as one of `a`'s.
    fn place(&self, a: usize, b: u32) -> usize {
        a * self.k + self.of(a).iter().position(|&found| found == b).expect("its bit is set")
    }

    /// CKNNA's similarity of a layer with itself.
    fn own(&self) -> f64 {
        let concepts = self.concepts();
        let (mut rows, mut columns) = (vec![0.0; concepts], vec![0.0; concepts]);
        let (mut both, mut sum) = (0.0, 0.0);
        for (at, (&b, &value)) in self.places.iter().zip(&self.values).enumerate() {
            rows[at / self.k] += value;
            columns[b as usize] += value;
            sum += value;
            both += if self.mutual[at] { value * value } else { 0.0 };
        }
        hsic(concepts, both, [sum, sum], &columns, &rows)
    }
}

/// The unbiased HSIC from `sum K_ab L_ba`, the sums of `K` and `L`, `K`'s column sums and `L`'s row sums.
pub(super) fn hsic(concepts: usize, both: f64, [k, l]: [f64; 2], columns: &[f64], rows: &[f64]) -> f64 {
    let n = concepts as f64;
    let mixed: f64 = columns.iter().zip(rows).map(|(column, row)| column * row).sum();
    (both + k * l / ((n - 1.0) * (n - 2.0)) - 2.0 * mixed / (n - 2.0)) / (n * (n - 3.0))
}

/// Mutual neighbours or CKNNA of all pairs of layers, as one family: the layers of the words one after the other, each
/// with all of the images'.
pub struct NeighbourTest<'a> {
    measure: Measure,
    k: usize,
    concepts: usize,
    /// `[words layers][groups]`
    words: Vec<Vec<Neighbours>>,
    /// `[groups]`
    images: Vec<Found>,
    columns: usize,
    draws: &'a Permutations,
    /// CKNNA's similarity of each layer of the words with itself, `[words layers][groups]`.
    own: Vec<Vec<f64>>,
    /// CKNNA's values, `[words layers][images layers]`.
    observed: Vec<Vec<f64>>,
}

/// The neighbours of all layers of the images in a group.
struct Found {
    layers: Vec<Neighbours>,
    /// `[layers / 64][concepts, concepts]`: bit `y` is set where the column is a neighbour of the row in layer `y`.
    bits: Vec<Vec<u64>>,
    /// CKNNA's similarity of each layer with itself.
    own: Vec<f64>,
}

impl<'a> NeighbourTest<'a> {
    /// Finds the neighbours of both sides.
    ///
    /// # Errors
    /// CKNNA: a layer whose similarity with itself is not positive.
    ///
    /// # Panics
    /// If the measure is none of these, there are not more than `k` concepts, a vector has no direction, a side has no
    /// layer, or they differ in their concepts or groups.
    pub fn new(
        measure: Measure,
        k: usize,
        words: &[Side],
        images: &[Side],
        draws: &'a Permutations,
    ) -> Result<Self, Unvaried> {
        assert!(measure.counts_neighbours(), "{measure} counts no neighbours");
        let concepts = draws.concepts();
        let (groups, columns) = (images[0].grams.len(), images.len());
        let mut all = words.iter().chain(images).flat_map(|side| side.grams);
        assert!(all.all(|gram| gram.concepts() == concepts), "layers of the draws' concepts");
        assert!(images.iter().all(|side| side.grams.len() == groups), "layers of the same groups");
        assert!(words.iter().all(|side| [1, groups].contains(&side.grams.len())), "words of one or the images' groups");
        let of_words = |side: &Side| side.grams.iter().map(|gram| Neighbours::new(gram, k, Ranks::InOrder)).collect();
        let words: Vec<Vec<Neighbours>> = words.iter().map(of_words).collect();
        let of_group = |group: usize| {
            let layers = images.iter().map(|side| Neighbours::new(&side.grams[group], k, Ranks::Drawn));
            Found::new(concepts, layers.collect())
        };
        let images: Vec<Found> = (0..groups).map(of_group).collect();
        let own = words.iter().map(|layer| layer.iter().map(Neighbours::own).collect()).collect();
        let mut test = Self { measure, k, concepts, words, images, columns, draws, own, observed: Vec::new() };
        if measure == Measure::Cknna {
            let flat = |own: &f64| own.is_nan() || *own <= 0.0;
            if let Some(layer) = test.own.iter().position(|layer| layer.iter().any(flat)) {
                return Err(Unvaried { words: true, layer });
            }
            if let Some(layer) = test.images.iter().find_map(|found| found.own.iter().position(flat)) {
                return Err(Unvaried { words: false, layer });
            }
            let identity = inverse(&draws.draw(0));
            test.observed = (0..test.words.len()).map(|layer| test.cknna(layer, &identity)).collect();
        }
        Ok(test)
    }

    /// Concepts of all layers and groups of both sides whose neighbours ties decide.
    pub fn tied(&self) -> usize {
        let images = self.images.iter().flat_map(|found| &found.layers);
        self.words.iter().flatten().chain(images).map(|neighbours| neighbours.tied).sum()
    }

    /// Tells `hit` of every common neighbour of a layer of the words and each of the images' in a group: the images'
    /// layer, the two concepts' places, the place in the words' list. `places` are where a draw puts each concept.
    fn common(&self, layer: usize, group: usize, places: &[u32], mut hit: impl FnMut(usize, usize, usize, usize)) {
        let words = &self.words[layer][group.min(self.words[layer].len() - 1)];
        for (block, bits) in self.images[group].bits.iter().enumerate() {
            for (concept, neighbours) in words.places.chunks_exact(self.k).enumerate() {
                let a = places[concept] as usize;
                let row = &bits[a * self.concepts..][..self.concepts];
                for (slot, &neighbour) in neighbours.iter().enumerate() {
                    let b = places[neighbour as usize] as usize;
                    let mut found = row[b];
                    while found != 0 {
                        hit(block * BITS + found.trailing_zeros() as usize, a, b, concept * self.k + slot);
                        found &= found - 1;
                    }
                }
            }
        }
    }

    /// Common neighbours with each layer of the images, over all groups.
    fn counts(&self, layer: usize, places: &[u32]) -> Vec<i64> {
        let mut counts = vec![0; self.columns];
        for group in 0..self.images.len() {
            self.common(layer, group, places, |column, _, _, _| counts[column] += 1);
        }
        counts
    }

    /// CKNNA with each layer of the images, mean over groups.
    fn cknna(&self, layer: usize, places: &[u32]) -> Vec<f64> {
        let n = self.concepts;
        let mut values = vec![0.0; self.columns];
        let (mut columns_k, mut rows_l) = (vec![0.0; self.columns * n], vec![0.0; self.columns * n]);
        for (group, images) in self.images.iter().enumerate() {
            let of_words = group.min(self.words[layer].len() - 1);
            let (words, own) = (&self.words[layer][of_words], self.own[layer][of_words]);
            let (mut both, mut sums) = (vec![0.0; self.columns], vec![[0.0; 2]; self.columns]);
            columns_k.fill(0.0);
            rows_l.fill(0.0);
            self.common(layer, group, places, |column, a, b, at| {
                let other = &images.layers[column];
                let place = other.place(a, b as u32);
                let (k, l) = (words.values[at], other.values[place]);
                columns_k[column * n + b] += k;
                rows_l[column * n + a] += l;
                sums[column][0] += k;
                sums[column][1] += l;
                both[column] += if words.mutual[at] && other.mutual[place] { k * l } else { 0.0 };
            });
            for (column, value) in values.iter_mut().enumerate() {
                let part = column * n..(column + 1) * n;
                let shared = hsic(n, both[column], sums[column], &columns_k[part.clone()], &rows_l[part]);
                *value += shared / ((own * images.own[column]).sqrt() + CKNNA_EPSILON);
            }
        }
        values.iter().map(|value| value / self.images.len() as f64).collect()
    }
}

impl Found {
    fn new(concepts: usize, layers: Vec<Neighbours>) -> Self {
        let block = |layers: &[Neighbours]| {
            let mut bits = vec![0_u64; concepts * concepts];
            for (y, layer) in layers.iter().enumerate() {
                for (a, neighbours) in layer.places.chunks_exact(layer.k).enumerate() {
                    neighbours.iter().for_each(|&b| bits[a * concepts + b as usize] |= 1 << y);
                }
            }
            bits
        };
        Self {
            bits: layers.chunks(BITS).map(block).collect(),
            own: layers.iter().map(Neighbours::own).collect(),
            layers,
        }
    }
}

/// The points of mutual neighbours are common neighbours, summed over the groups; those of CKNNA 2^52ths of the mean over
/// the groups, where a draw that equals the observed value up to rounding is set equal to it.
///
/// # Cost
/// Per draw, group and layer of the words `concepts * k` look-ups, whatever the number of the images' layers up to 64;
/// `8 concepts^2` bytes a group for each 64 of them, and for CKNNA two passes over `[layers, concepts]`.
impl Statistic for NeighbourTest<'_> {
    type Error = Interrupted;

    fn whole(&self) -> i64 {
        match self.measure {
            Measure::Mknn => (self.concepts * self.k * self.images.len()) as i64,
            _ => 1 << 52,
        }
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Interrupted> {
        let places: Vec<Vec<u32>> = draws.into_par_iter().map(|t| inverse(&self.draws.draw(t))).collect();
        let scaled = |layer: usize, values: Vec<f64>| -> Vec<i64> {
            let point = |(value, observed): (f64, &f64)| {
                let value = if (value - observed).abs() <= SAME { *observed } else { value };
                (value * self.whole() as f64).round() as i64
            };
            values.into_iter().zip(&self.observed[layer]).map(point).collect()
        };
        let units = (0..self.words.len() * places.len()).into_par_iter();
        let points = units.map(|unit| {
            let (layer, draw) = (unit / places.len(), unit % places.len());
            let points = match self.measure {
                Measure::Mknn => self.counts(layer, &places[draw]),
                _ => scaled(layer, self.cknna(layer, &places[draw])),
            };
            report(progress, self.columns as u64).map(|()| points)
        });
        let points: Vec<Vec<i64>> = points.collect::<Result<_, _>>()?;
        let of = |layer: usize, column: usize| -> Vec<i64> {
            points[layer * places.len()..(layer + 1) * places.len()].iter().map(|row| row[column]).collect()
        };
        Ok((0..self.words.len())
            .flat_map(|layer| (0..self.columns).map(move |column| (layer, column)))
            .map(|(layer, column)| of(layer, column))
            .collect())
    }
}
