//! Products of all pairs of rows on the CPU, in f32 or f64.
//!
//! The units lie in the lanes: a tile of 4 x 6 pairs sums 24 vectors of products in registers over a chunk of units,
//! loads ten vectors for them, and needs nothing transposed. Chunk sums are added lane by lane; the lanes of a pair are
//! added up at the end of a segment of units, and segments in f64.
//!
//! Every pair's products are added in the same order, whatever its tile, the number of rows and of threads: rows that
//! are equal bit for bit have equal products with all others. A lane adds [`CHUNK_BYTES`] / (bytes of a vector) products
//! one after the other (64 in AVX-512, 128 in AVX2), then the sums of at most [`MOST_CHUNKS`] such runs.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytemuck::Pod;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::stats::lines::{LINE, Lines};

/// A row's part of a chunk: a tile's six rows stay in a first-level cache while others stream by.
const CHUNK_BYTES: usize = 4096;

/// Distance of a chunk's rows: not a power of two, so that they lie in different sets of the cache.
const PITCH_BYTES: usize = CHUNK_BYTES + LINE;

/// Rows of a panel, in whole tiles of every height and width; the lanes of two panels' pairs stay in a second-level
/// cache.
const PANEL: usize = 48;

/// Up to so many rows a thread takes a segment of units, and the lanes of all pairs stay in its cache; with more, the
/// threads share a segment and take panels.
const FEW_ROWS: usize = 384;

/// Segments of few rows, at most as long as [`MOST_CHUNKS`] allow and at least of [`FEWEST_CHUNKS`]: adding up a pair's
/// lanes takes as long as a fifth of a chunk. Fixed, and added in order: the bits do not depend on the threads.
const SEGMENTS: usize = 24;
const FEWEST_CHUNKS: usize = 2;
const MOST_CHUNKS: usize = 32;

/// Chunks of a segment of many rows: those of 2,000 rows stay in a last-level cache.
const SHARED_CHUNKS: usize = 2;

/// Bytes of the lanes of all pairs of two panels, in vectors of up to a line.
const LANES_BYTES: usize = PANEL * PANEL * LINE;

/// f32 or f64 in vectors of any instruction set.
pub trait Number: Pod + Send + Sync {
    type Vector<S: Simd>: Pod;
    fn vectors<S: Simd>(numbers: &[Self]) -> &[Self::Vector<S>];
    fn zero<S: Simd>(simd: S) -> Self::Vector<S>;
    fn add<S: Simd>(simd: S, x: Self::Vector<S>, y: Self::Vector<S>) -> Self::Vector<S>;
    fn multiply_add<S: Simd>(simd: S, x: Self::Vector<S>, y: Self::Vector<S>, sum: Self::Vector<S>) -> Self::Vector<S>;
    fn sum<S: Simd>(simd: S, lanes: Self::Vector<S>) -> f64;
}

macro_rules! number {
    ($number:ty, $vector:ident, $vectors:ident, $splat:ident, $add:ident, $multiply_add:ident, $sum:ident) => {
        impl Number for $number {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn vectors<S: Simd>(numbers: &[Self]) -> &[S::$vector] {
                S::$vectors(numbers).0
            }

            #[inline(always)]
            fn zero<S: Simd>(simd: S) -> S::$vector {
                simd.$splat(0.0)
            }

            #[inline(always)]
            fn add<S: Simd>(simd: S, x: S::$vector, y: S::$vector) -> S::$vector {
                simd.$add(x, y)
            }

            #[inline(always)]
            fn multiply_add<S: Simd>(simd: S, x: S::$vector, y: S::$vector, sum: S::$vector) -> S::$vector {
                simd.$multiply_add(x, y, sum)
            }

            #[inline(always)]
            fn sum<S: Simd>(simd: S, lanes: S::$vector) -> f64 {
                f64::from(simd.$sum(lanes))
            }
        }
    };
}

number!(f32, f32s, as_simd_f32s, splat_f32s, add_f32s, mul_add_e_f32s, reduce_sum_f32s);
number!(f64, f64s, as_simd_f64s, splat_f64s, add_f64s, mul_add_e_f64s, reduce_sum_f64s);

/// Where the rows come from.
pub trait Source<T>: Sync {
    /// Writes the values of `units`, at most [`chunk`] of them, into rows of [`pitch`] numbers. Called for every unit
    /// once, by several threads at once.
    fn fill(&self, units: Range<usize>, values: &mut [T]);
}

/// Sums of the products of all pairs of rows over `units`.
///
/// # Shapes
/// `[rows, rows]`; of use is the lower triangle.
///
/// # Cost
/// Beside the products, `rows * (44 rows + 4160)` bytes per thread for up to 384 rows, and for more rows
/// `8,320 rows` bytes once.
pub fn gram<T: Number>(rows: usize, units: usize, source: &impl Source<T>) -> Vec<f64> {
    if rows <= FEW_ROWS { of_few(rows, units, source) } else { of_many(rows, units, source) }
}

/// Units of a chunk.
pub const fn chunk<T>() -> usize {
    CHUNK_BYTES / size_of::<T>()
}

/// Numbers from one row of a chunk to the next.
pub const fn pitch<T>() -> usize {
    PITCH_BYTES / size_of::<T>()
}

/// [`gram`] with a segment per thread.
fn of_few<T: Number>(rows: usize, units: usize, source: &impl Source<T>) -> Vec<f64> {
    let chunks = units.div_ceil(chunk::<T>()).div_ceil(SEGMENTS).clamp(FEWEST_CHUNKS, MOST_CHUNKS);
    let starts: Vec<usize> = (0..units).step_by(chunks * chunk::<T>()).collect();
    let (claimed, products) = (AtomicUsize::new(0), Mutex::new(InOrder::new(rows * rows)));
    let threads = rayon::current_num_threads().min(starts.len());
    (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
        let mut values: Lines<T> = Lines::zeros(chunk_size::<T>(rows));
        let mut lanes: Lines<T> = Lines::zeros(pairs(rows).count() * lanes_size::<T>());
        loop {
            let segment = claimed.fetch_add(1, Ordering::Relaxed);
            let Some(&start) = starts.get(segment) else { break };
            for units in cut::<T>(start..units.min(start + chunks * chunk::<T>())) {
                let values = filled(rows, units.clone(), source, &mut values);
                let (begins, units) = (units.start == start, units.len());
                for (pair, lanes) in pairs(rows).zip(lanes.chunks_exact_mut(lanes_size::<T>())) {
                    dispatch(Multiply { pair, rows, values, units, begins, lanes });
                }
            }
            let mut sums = vec![0.0; rows * rows];
            for (pair, lanes) in pairs(rows).zip(lanes.chunks_exact(lanes_size::<T>())) {
                dispatch(AddUp { pair, rows, lanes, products: &mut sums[pair[0] * rows..] });
            }
            products.lock().expect("no thread panicked").add(segment, sums);
        }
    });
    products.into_inner().expect("no thread panicked").sums
}

/// Sums of segments in the order of the segments, whoever is ready first.
struct InOrder {
    sums: Vec<f64>,
    next: usize,
    early: BTreeMap<usize, Vec<f64>>,
}

impl InOrder {
    fn new(count: usize) -> Self {
        Self { sums: vec![0.0; count], next: 0, early: BTreeMap::new() }
    }

    fn add(&mut self, segment: usize, sums: Vec<f64>) {
        self.early.insert(segment, sums);
        while let Some(sums) = self.early.remove(&self.next) {
            self.sums.iter_mut().zip(sums).for_each(|(sum, x)| *sum += x);
            self.next += 1;
        }
    }
}

/// [`gram`] with the threads on one segment.
fn of_many<T: Number>(rows: usize, units: usize, source: &impl Source<T>) -> Vec<f64> {
    let mut products = vec![0.0; rows * rows];
    let mut values: Lines<T> = Lines::zeros(SHARED_CHUNKS * chunk_size::<T>(rows));
    for start in (0..units).step_by(SHARED_CHUNKS * chunk::<T>()) {
        let segment = start..units.min(start + SHARED_CHUNKS * chunk::<T>());
        let chunks: Vec<(Range<usize>, &[T])> = values
            .par_chunks_exact_mut(chunk_size::<T>(rows))
            .zip(cut::<T>(segment).collect::<Vec<_>>())
            .map(|(values, units)| (units.clone(), filled(rows, units, source, values)))
            .collect();
        let panels = products.par_chunks_mut(PANEL * rows).enumerate().rev();
        panels.for_each_init(
            || Lines::zeros(lanes_size::<T>()),
            |lanes, (panel, products)| {
                for other in (0..=panel).map(|other| other * PANEL) {
                    let pair = [panel * PANEL, other];
                    for (units, values) in &chunks {
                        let (begins, units) = (units.start == start, units.len());
                        dispatch(Multiply { pair, rows, values, units, begins, lanes });
                    }
                    dispatch(AddUp { pair, rows, lanes: &*lanes, products: &mut *products });
                }
            },
        );
    }
    products
}

/// A segment's chunks.
fn cut<T>(segment: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = segment.end;
    segment.step_by(chunk::<T>()).map(move |start| start..end.min(start + chunk::<T>()))
}

/// Numbers of a chunk's rows, in whole tiles of every height and width.
const fn chunk_size<T>(rows: usize) -> usize {
    rows.next_multiple_of(12) * pitch::<T>()
}

/// Numbers of the lanes of two panels' pairs.
const fn lanes_size<T>() -> usize {
    LANES_BYTES / size_of::<T>()
}

/// Fills a chunk, and behind its last unit zeros to a whole line.
fn filled<'a, T: Number>(rows: usize, units: Range<usize>, source: &impl Source<T>, values: &'a mut [T]) -> &'a [T] {
    let count = units.len();
    let inside = &mut values[..rows * pitch::<T>()];
    source.fill(units, inside);
    inside.chunks_exact_mut(pitch::<T>()).for_each(|row| row[count..].fill(T::zeroed()));
    values
}

/// First rows of every two panels: the first panel's is the larger one.
fn pairs(rows: usize) -> impl Iterator<Item = [usize; 2]> {
    let panels = move |end: usize| (0..end).step_by(PANEL);
    panels(rows).flat_map(move |panel| panels(panel + 1).map(move |other| [panel, other]))
}

/// First row and column of the tiles of a pair of panels, of R x N.
#[inline(always)]
fn tiles<const R: usize, const N: usize>([panel, other]: [usize; 2], rows: usize) -> impl Iterator<Item = [usize; 2]> {
    let end = rows.min(panel + PANEL);
    let columns = (other..end.min(other + PANEL)).step_by(N);
    columns.flat_map(move |n| (panel..end).step_by(R).filter(move |r| r + R > n).map(move |r| [r, n]))
}

/// As many sums as the registers hold beside a column of the tile and an entry.
const fn tile<S: Simd>() -> [usize; 2] {
    if S::REGISTER_COUNT >= 32 { [4, 6] } else { [3, 4] }
}

fn dispatch<Op: WithSimd>(operation: Op) -> Op::Output {
    pulp::Arch::new().dispatch(operation)
}

/// Adds the products of a chunk to the lanes of a pair of panels.
struct Multiply<'a, T> {
    pair: [usize; 2],
    rows: usize,
    /// `[rows, pitch]`.
    values: &'a [T],
    units: usize,
    /// Whether the lanes are to be overwritten.
    begins: bool,
    /// `[tiles, R, N]` vectors.
    lanes: &'a mut [T],
}

impl<T: Number> WithSimd for Multiply<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if const { tile::<S>()[0] == 4 } { self.by::<S, 4, 6>(simd) } else { self.by::<S, 3, 4>(simd) }
    }
}

impl<T: Number> Multiply<'_, T> {
    #[inline(always)]
    fn by<S: Simd, const R: usize, const N: usize>(self, simd: S) {
        let Self { pair, rows, values, units, begins, lanes } = self;
        let lanes: &mut [T::Vector<S>] = bytemuck::cast_slice_mut(lanes);
        let vectors = (units * size_of::<T>()).div_ceil(size_of::<T::Vector<S>>());
        let rows_of = |row: usize, count: usize| T::vectors::<S>(&values[row * pitch::<T>()..][..count * pitch::<T>()]);
        for ([r, n], lanes) in tiles::<R, N>(pair, rows).zip(lanes.as_chunks_mut::<N>().0.chunks_exact_mut(R)) {
            let sums = sums::<T, S, R, N>(simd, rows_of(r, R), rows_of(n, N), vectors);
            for (lane, &sum) in lanes.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
                *lane = if begins { sum } else { T::add(simd, *lane, sum) };
            }
        }
    }
}

/// Adds the sums of the lanes of a pair of panels to its products.
struct AddUp<'a, T> {
    pair: [usize; 2],
    rows: usize,
    lanes: &'a [T],
    /// `[.., rows]` from the panel's first row on.
    products: &'a mut [f64],
}

impl<T: Number> WithSimd for AddUp<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if const { tile::<S>()[0] == 4 } { self.by::<S, 4, 6>(simd) } else { self.by::<S, 3, 4>(simd) }
    }
}

impl<T: Number> AddUp<'_, T> {
    #[inline(always)]
    fn by<S: Simd, const R: usize, const N: usize>(self, simd: S) {
        let Self { pair, rows, lanes, products } = self;
        let lanes: &[T::Vector<S>] = bytemuck::cast_slice(lanes);
        for ([r, n], lanes) in tiles::<R, N>(pair, rows).zip(lanes.as_chunks::<N>().0.chunks_exact(R)) {
            for (products, lanes) in products[(r - pair[0]) * rows..].chunks_exact_mut(rows).zip(lanes) {
                products[n..].iter_mut().zip(lanes).for_each(|(product, &lanes)| *product += T::sum(simd, lanes));
            }
        }
    }
}

/// The sums of a tile over a chunk.
#[inline(always)]
fn sums<T: Number, S: Simd, const R: usize, const N: usize>(
    simd: S,
    rows: &[T::Vector<S>],
    columns: &[T::Vector<S>],
    vectors: usize,
) -> [[T::Vector<S>; N]; R] {
    let pitch = const { PITCH_BYTES / size_of::<T::Vector<S>>() };
    assert!(vectors <= pitch && rows.len() == R * pitch && columns.len() == N * pitch);
    let mut sums = [[T::zero::<S>(simd); N]; R];
    for u in 0..vectors {
        let columns: [_; N] = std::array::from_fn(|x| columns[x * pitch + u]);
        for (y, sums) in sums.iter_mut().enumerate() {
            let entry = rows[y * pitch + u];
            for (sum, &column) in sums.iter_mut().zip(&columns) {
                *sum = T::multiply_add::<S>(simd, entry, column, *sum);
            }
        }
    }
    sums
}
