//! Measures that are inner products of two prepared matrices: every layer of the words against every layer of the images,
//! draw by draw.
//!
//! A layer becomes a symmetric matrix of unit length in which the measure is `sum_ab A[p(a), p(b)] B[a, b]`, of which the
//! entries on and above the diagonal are enough. The images' lie packed, `CHUNK` entries of all layers together; a
//! layer of the words is re-indexed into the same places, `DRAWS` draws at a time, and all their products with all
//! layers are taken at once: a matrix product whose left side is never stored. Every product is summed in the same order
//! whatever the batch and the threads. Re-indexing costs as much as 20 products, so where the images have fewer layers
//! these are re-indexed, by the inverse of the draw.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{Gram, Measure, Side, Unvaried};
use crate::stats::inference::Statistic;
use crate::stats::lines::{LINE, Lines};
use crate::stats::permutation::Permutations;
use crate::stats::rsa::{self, Rsa};
use crate::stats::{Interrupted, Progress, Rsm, report};

/// Entries of a chunk, 4 KiB: six rows stay in a first-level cache while others stream by.
const CHUNK: usize = 512;

/// From a row of a chunk to the next: not a power of two, so that they lie in different sets of the cache.
const PITCH: usize = CHUNK + LINE / size_of::<f64>();

/// Draws of a batch, in whole tiles of every height.
const DRAWS: usize = 24;

/// Layers are filled up to whole tiles of every width.
const WIDTH: usize = 12;

/// A measure of all pairs of layers, as one family: the layers of the words one after the other, each with all of the
/// images'.
pub struct InnerTest<'a> {
    concepts: usize,
    /// The side that is re-indexed, `[layers][groups]`, each `[concepts, concepts]`; one group where the words have none:
    /// the mean over the images'.
    moved: Vec<Vec<Vec<f64>>>,
    /// The other side, `[groups]`.
    fixed: Vec<Packed>,
    columns: usize,
    /// Whether the images are re-indexed.
    images_move: bool,
    draws: &'a Permutations,
    /// `[moved layers][fixed layers]`
    observed: Vec<Vec<f64>>,
}

impl<'a> InnerTest<'a> {
    /// Whether a measure is an inner product.
    pub fn takes(measure: Measure) -> bool {
        !matches!(measure, Measure::TwoVsTwo | Measure::RsaKendall | Measure::Mknn | Measure::Cknna)
    }

    /// Prepares the layers of both sides.
    ///
    /// # Errors
    /// A layer without variation, or (RSA) with a concept that has no correlations.
    ///
    /// # Panics
    /// If the measure is none of these, a side has no layer, or they differ in their concepts or groups.
    pub fn new(measure: Measure, words: &[Side], images: &[Side], draws: &'a Permutations) -> Result<Self, Unvaried> {
        let concepts = draws.concepts();
        let prepare = |sides: &[Side], words: bool| -> Result<Vec<Vec<Vec<f64>>>, Unvaried> {
            let all = sides.par_iter().enumerate();
            all.map(|(layer, &side)| prepared(measure, side).ok_or(Unvaried { words, layer })).collect()
        };
        let (words, images) = (prepare(words, true)?, prepare(images, false)?);
        let groups = words[0].len();
        assert!(words.iter().all(|layer| layer.len() == groups), "layers of the same groups");
        assert!(images.iter().all(|layer| layer.len() == images[0].len()), "layers of the same groups");
        assert!(groups == 1 || groups == images[0].len(), "words without groups, or of the images' groups");
        let all = words.iter().chain(&images).flatten();
        assert!(all.into_iter().all(|matrix| matrix.len() == concepts * concepts), "layers of the draws' concepts");
        let share = 1.0 / images[0].len() as f64;
        let images: Vec<Vec<Vec<f64>>> = match groups {
            1 => images.into_iter().map(|layer| vec![mean(&layer)]).collect(),
            _ => images,
        };
        let images_move = images.len() < words.len();
        let (moved, other) = if images_move { (images, words) } else { (words, images) };
        let columns = other.len();
        let weight = if groups == 1 { 1.0 } else { share };
        let fixed = |group: usize| Packed::new(concepts, columns, |layer, at| weight * other[layer][group][at]);
        let fixed = (0..groups).map(fixed).collect();
        let mut test = Self { concepts, moved, fixed, columns, images_move, draws, observed: Vec::new() };
        let identity = [draws.draw(0)];
        let observed = |layer: usize| test.values(layer, &identity, &mut Buffers::new(&test)).remove(0);
        test.observed = (0..test.moved.len()).into_par_iter().map(observed).collect();
        Ok(test)
    }

    /// The values of a layer that moves with all that do not under some draws, `[draws][fixed layers]`.
    fn values(&self, layer: usize, draws: &[Vec<u32>], buffers: &mut Buffers) -> Vec<Vec<f64>> {
        let columns = self.fixed[0].columns;
        buffers.lanes.fill(0.0);
        for (matrix, fixed) in self.moved[layer].iter().zip(&self.fixed) {
            for (segments, right) in fixed.segments.iter().zip(fixed.values.chunks_exact(columns * PITCH)) {
                for (draw, gathered) in draws.iter().zip(buffers.gathered.chunks_exact_mut(PITCH)) {
                    reindexed(matrix, self.concepts, draw, segments, gathered);
                }
                let (left, lanes) = (&buffers.gathered[..], &mut buffers.lanes[..]);
                pulp::Arch::new().dispatch(Multiply { left, right, rows: draws.len(), columns, lanes });
            }
        }
        let mut sums = vec![0.0; draws.len().next_multiple_of(WIDTH) * columns];
        pulp::Arch::new().dispatch(AddUp { lanes: &buffers.lanes, sums: &mut sums });
        sums.chunks_exact(columns).take(draws.len()).map(|row| row[..self.columns].to_vec()).collect()
    }

    /// How far two values are apart that are equal but for rounding: products of entries of unit matrices, summed in four
    /// parts or more. Only draws that are equal by the matrices' symmetry come so close.
    fn same(&self) -> f64 {
        (self.concepts * self.concepts) as f64 / 8.0 * f64::EPSILON
    }
}

/// The points of the mean over groups; 2^52 resolve what `f64` does. A draw that equals the observed value up to rounding
/// is set equal to it.
///
/// # Cost
/// Per draw and layer of the side with fewer of them, `concepts^2 / 2` entries re-indexed and as many multiply-adds for
/// each layer of the other side; the matrices stay in memory, `8 concepts^2` bytes a layer of the one side (and group,
/// where the words have groups) and half of it a layer of the other.
impl Statistic for InnerTest<'_> {
    type Error = Interrupted;

    fn whole(&self) -> i64 {
        1 << 52
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Interrupted> {
        let all: Vec<u64> = draws.collect();
        let moves = |&t: &u64| if self.images_move { inverse(&self.draws.draw(t)) } else { self.draws.draw(t) };
        let batches: Vec<Vec<Vec<u32>>> =
            all.par_chunks(DRAWS).map(|batch| batch.iter().map(moves).collect()).collect();
        let units = (0..self.moved.len() * batches.len()).into_par_iter();
        let values: Vec<Vec<Vec<f64>>> = units
            .map_init(
                || Buffers::new(self),
                |buffers, unit| {
                    let batch = &batches[unit % batches.len()];
                    let values = self.values(unit / batches.len(), batch, buffers);
                    report(progress, (batch.len() * self.columns) as u64).map(|()| values)
                },
            )
            .collect::<Result<_, _>>()?;
        let same = self.same();
        let points = |words: usize, images: usize| -> Vec<i64> {
            let (layer, column) = if self.images_move { (images, words) } else { (words, images) };
            let observed = self.observed[layer][column];
            let point = |row: &Vec<f64>| {
                let value = if (row[column] - observed).abs() <= same { observed } else { row[column] };
                (value.clamp(-1.0, 1.0) * self.whole() as f64).round() as i64
            };
            values[layer * batches.len()..(layer + 1) * batches.len()].iter().flatten().map(point).collect()
        };
        let (moved, fixed) = (self.moved.len(), self.columns);
        let [words, images] = if self.images_move { [fixed, moved] } else { [moved, fixed] };
        let points = &points;
        Ok((0..words).flat_map(|layer| (0..images).map(move |column| points(layer, column))).collect())
    }
}

/// Where each concept went.
pub(super) fn inverse(draw: &[u32]) -> Vec<u32> {
    let mut places = vec![0; draw.len()];
    draw.iter().enumerate().for_each(|(place, &concept)| places[concept as usize] = place as u32);
    places
}

/// The mean of a layer's groups.
fn mean(groups: &[Vec<f64>]) -> Vec<f64> {
    let mean = |at: usize| groups.iter().map(|group| group[at]).sum::<f64>() / groups.len() as f64;
    (0..groups[0].len()).map(mean).collect()
}

/// The layer's matrix of each group, of unit length; none where one does not vary.
pub(super) fn prepared(measure: Measure, side: Side) -> Option<Vec<Vec<f64>>> {
    let of_rsm = |rsm: &Rsm| {
        let entries = rsa::upper(rsm);
        if entries.iter().any(|entry| entry.is_nan()) {
            return None;
        }
        let entries = match measure {
            Measure::RsaPearson => rsa::centred(entries),
            Measure::RsaSpearman => rsa::ranks(&entries),
            _ => entries.into_iter().map(|r| 1.0 - r).collect(),
        };
        let mut matrix = rsa::square(&entries, rsm.concepts()).values().to_vec();
        (0..rsm.concepts()).for_each(|a| matrix[a * rsm.concepts() + a] = 0.0);
        unit(matrix, 0.0)
    };
    let of_gram = |gram: &Gram| {
        // Differences of this size are rounding: n sums of the largest entry.
        let largest = gram.values().iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let noise = 4.0 * gram.concepts() as f64 * f64::EPSILON * largest;
        match measure {
            Measure::CkaDebiased => unit(gram.u_centred().values().to_vec(), noise),
            Measure::CkaRbf => unit(gram.rbf()?.centred().values().to_vec(), 0.0),
            _ => unit(gram.centred().values().to_vec(), noise),
        }
    };
    if measure.needs_gram() {
        side.grams.iter().map(of_gram).collect()
    } else {
        debug_assert!(measure.rsa().is_none_or(|rsa| rsa != Rsa::KendallTauA), "tau-a is no inner product");
        side.rsms.iter().map(of_rsm).collect()
    }
}

/// Scaled to unit length; none of a length of `noise`.
fn unit(mut matrix: Vec<f64>, noise: f64) -> Option<Vec<f64>> {
    let length = matrix.iter().map(|value| value * value).sum::<f64>().sqrt();
    matrix.iter_mut().for_each(|value| *value /= length);
    (length > noise && length.is_finite()).then_some(matrix)
}

/// Entries of a row on and right of the diagonal: the row, the first column, how many.
type Segment = (usize, usize, usize);

/// The entries of all layers, chunk by chunk.
struct Packed {
    /// Of each chunk.
    segments: Vec<Vec<Segment>>,
    /// `[chunks, columns, PITCH]`; behind the last entry zeros. What is above the diagonal counts twice.
    values: Lines<f64>,
    /// Layers, in whole tiles.
    columns: usize,
}

impl Packed {
    fn new(concepts: usize, layers: usize, value: impl Fn(usize, usize) -> f64) -> Self {
        let mut segments: Vec<Vec<Segment>> = Vec::new();
        let mut left = 0;
        for row in 0..concepts {
            let mut column = row;
            while column < concepts {
                if left == 0 {
                    segments.push(Vec::new());
                    left = CHUNK;
                }
                let count = left.min(concepts - column);
                segments.last_mut().expect("a chunk has begun").push((row, column, count));
                (column, left) = (column + count, left - count);
            }
        }
        let columns = layers.next_multiple_of(WIDTH);
        let mut values = Lines::zeros(segments.len() * columns * PITCH);
        for (segments, chunk) in segments.iter().zip(values.chunks_exact_mut(columns * PITCH)) {
            for (layer, out) in chunk.chunks_exact_mut(PITCH).take(layers).enumerate() {
                let places =
                    segments.iter().flat_map(|&(row, first, count)| (first..first + count).map(move |c| (row, c)));
                for ((row, column), out) in places.zip(out) {
                    let weight = if row == column { 1.0 } else { 2.0 };
                    *out = weight * value(layer, row * concepts + column);
                }
            }
        }
        Self { segments, values, columns }
    }
}

/// Fills a chunk's places with the entries that a draw puts there.
fn reindexed(matrix: &[f64], concepts: usize, draw: &[u32], segments: &[Segment], mut out: &mut [f64]) {
    for &(row, first, count) in segments {
        let from = &matrix[draw[row] as usize * concepts..][..concepts];
        let (here, rest) = out.split_at_mut(count);
        for (out, &column) in here.iter_mut().zip(&draw[first..first + count]) {
            *out = from[column as usize];
        }
        out = rest;
    }
}

/// What a thread works in.
struct Buffers {
    /// `[DRAWS, PITCH]`
    gathered: Lines<f64>,
    /// `[DRAWS, columns]` vectors of up to a line.
    lanes: Lines<f64>,
}

impl Buffers {
    fn new(test: &InnerTest) -> Self {
        let columns = test.fixed[0].columns;
        Self { gathered: Lines::zeros(DRAWS * PITCH), lanes: Lines::zeros(DRAWS * columns * LINE / size_of::<f64>()) }
    }
}

/// As many sums as the registers hold beside a column of the tile and an entry.
const fn tile<S: Simd>() -> [usize; 2] {
    if S::REGISTER_COUNT >= 32 { [4, 6] } else { [3, 4] }
}

/// Adds the products of a chunk to the lanes.
struct Multiply<'a> {
    /// `[DRAWS, PITCH]`
    left: &'a [f64],
    /// `[columns, PITCH]`
    right: &'a [f64],
    rows: usize,
    columns: usize,
    /// `[DRAWS, columns]` vectors.
    lanes: &'a mut [f64],
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if const { tile::<S>()[0] == 4 } { self.by::<S, 4, 6>(simd) } else { self.by::<S, 3, 4>(simd) }
    }
}

impl Multiply<'_> {
    #[inline(always)]
    fn by<S: Simd, const R: usize, const N: usize>(self, simd: S) {
        let Self { left, right, rows, columns, lanes } = self;
        let lanes: &mut [S::f64s] = bytemuck::cast_slice_mut(lanes);
        for n in (0..columns).step_by(N) {
            for r in (0..rows).step_by(R) {
                let left: [_; R] = std::array::from_fn(|y| row::<S>(left, r + y));
                let right: [_; N] = std::array::from_fn(|x| row::<S>(right, n + x));
                let sums = sums::<S, R, N>(simd, left, right);
                for (lanes, sums) in lanes[r * columns..].chunks_exact_mut(columns).zip(&sums) {
                    for (lane, &sum) in lanes[n..].iter_mut().zip(sums) {
                        *lane = simd.add_f64s(*lane, sum);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn row<S: Simd>(rows: &[f64], row: usize) -> &[S::f64s] {
    S::as_simd_f64s(&rows[row * PITCH..][..CHUNK]).0
}

/// The sums of a tile over a chunk.
#[inline(always)]
fn sums<S: Simd, const R: usize, const N: usize>(
    simd: S,
    rows: [&[S::f64s]; R],
    columns: [&[S::f64s]; N],
) -> [[S::f64s; N]; R] {
    let vectors = rows[0].len();
    let (rows, columns) = (rows.map(|row| &row[..vectors]), columns.map(|column| &column[..vectors]));
    let mut sums = [[simd.splat_f64s(0.0); N]; R];
    for u in 0..vectors {
        let columns: [_; N] = std::array::from_fn(|x| columns[x][u]);
        for (sums, row) in sums.iter_mut().zip(&rows) {
            for (sum, &column) in sums.iter_mut().zip(&columns) {
                *sum = simd.mul_add_e_f64s(row[u], column, *sum);
            }
        }
    }
    sums
}

/// Adds the lanes of every product up.
struct AddUp<'a> {
    lanes: &'a [f64],
    sums: &'a mut [f64],
}

impl WithSimd for AddUp<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let lanes: &[S::f64s] = bytemuck::cast_slice(self.lanes);
        for (sum, &lanes) in self.sums.iter_mut().zip(lanes) {
            *sum = simd.reduce_sum_f64s(lanes);
        }
    }
}
