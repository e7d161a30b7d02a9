//! Inner products of one matrix under many draws with many that lie still: a matrix product, draws x layers, summed over
//! the entries on and above the diagonal, whose left side is looked up where it is needed and stored nowhere.
//!
//! The layers' entries lie side by side, so that a number that a draw looks up meets a vector of layers, and the sums of
//! eight draws with three vectors stay in registers through a row.
//!
//! A large matrix is taken in blocks of rows that stay in a second-level cache: of all draws of a batch those that put a
//! row of the block here are multiplied, then the next row of the layers; so neither the matrix nor the layers are read
//! from memory once a draw.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::stats::lines::Lines;

/// Layers are filled up to vectors of every width.
const LANES: usize = 8;

/// Bytes of a block of a matrix's rows, unless there were more than [`BLOCKS`].
const BLOCK_BYTES: usize = 1 << 20;

/// Blocks of a matrix, at most: the layers are read for each of them.
const BLOCKS: usize = 8;

/// Draws of a batch for each block.
const DRAWS: usize = 128;

/// Blocks of a matrix of so many concepts.
fn blocks(concepts: usize) -> usize {
    (concepts * concepts * size_of::<f64>()).div_ceil(BLOCK_BYTES).clamp(1, BLOCKS)
}

/// Draws, ready to look up.
pub struct Batch {
    draws: Vec<Vec<u32>>,
    /// `[blocks][concepts]`: the draws that put a row of the block in a concept's place.
    lists: Vec<Vec<Vec<u32>>>,
}

impl Batch {
    /// As many draws as are well taken together.
    pub fn most(concepts: usize) -> usize {
        DRAWS * blocks(concepts)
    }

    /// Of at least one draw.
    ///
    /// # Panics
    /// If a draw has other concepts than the first.
    pub fn new(draws: Vec<Vec<u32>>) -> Self {
        let blocks = blocks(draws[0].len());
        Self::in_blocks(draws, blocks)
    }

    fn in_blocks(draws: Vec<Vec<u32>>, blocks: usize) -> Self {
        let concepts = draws[0].len();
        assert!(draws.iter().all(|draw| draw.len() == concepts), "draws of the same concepts");
        assert!(draws.iter().flatten().all(|&place| (place as usize) < concepts), "draws of these concepts");
        let rows = concepts.div_ceil(blocks);
        let mut lists = vec![vec![Vec::new(); concepts]; blocks];
        for (number, draw) in draws.iter().enumerate() {
            for (concept, &place) in draw.iter().enumerate() {
                lists[place as usize / rows][concept].push(number as u32);
            }
        }
        Self { draws, lists }
    }

    /// How many.
    pub fn draws(&self) -> usize {
        self.draws.len()
    }

    /// The parts that a product is summed in.
    pub fn blocks(&self) -> Range<usize> {
        0..self.lists.len()
    }
}

/// The entries of all layers, side by side.
pub struct Packed {
    concepts: usize,
    layers: usize,
    /// Layers, in whole vectors.
    columns: usize,
    /// `[entries on and above the diagonal, columns]`, row by row. What is above the diagonal counts twice.
    values: Lines<f64>,
}

impl Packed {
    /// Of symmetric matrices, `value(layer, row * concepts + column)`.
    pub fn new(concepts: usize, layers: usize, value: impl Fn(usize, usize) -> f64) -> Self {
        let columns = layers.next_multiple_of(LANES);
        let mut values = Lines::zeros(concepts * (concepts + 1) / 2 * columns);
        let places = (0..concepts).flat_map(|row| (row..concepts).map(move |column| (row, column)));
        for (entry, (row, column)) in values.chunks_exact_mut(columns).zip(places) {
            let weight = if row == column { 1.0 } else { 2.0 };
            for (layer, out) in entry[..layers].iter_mut().enumerate() {
                *out = weight * value(layer, row * concepts + column);
            }
        }
        Self { concepts, layers, columns, values }
    }

    /// As many sums as [`add`](Self::add) adds to.
    pub fn sums(&self, batch: &Batch) -> Lines<f64> {
        Lines::zeros(batch.draws() * self.columns)
    }

    /// Adds what a block of `matrix`'s rows has in the products of every draw with every layer: row by row, every row
    /// summed by itself, whatever else is in the batch.
    ///
    /// # Panics
    /// If the matrix, the batch and the layers differ in their concepts, or the sums are not [`sums`](Self::sums).
    pub fn add(&self, block: usize, matrix: &[f64], batch: &Batch, sums: &mut [f64]) {
        let concepts = self.concepts;
        assert_eq!(matrix.len(), concepts * concepts, "the layers' concepts");
        assert_eq!(sums.len(), batch.draws() * self.columns, "sums of the draws and layers");
        pulp::Arch::new().dispatch(Multiply { packed: self, block, matrix, batch, sums });
    }

    /// What was summed, draw by draw, `[layers]` each.
    pub fn rows<'a>(&self, sums: &'a [f64]) -> impl Iterator<Item = &'a [f64]> + use<'a> {
        let layers = self.layers;
        sums.chunks_exact(self.columns).map(move |row| &row[..layers])
    }
}

/// Adds the products of a block to the sums.
struct Multiply<'a> {
    packed: &'a Packed,
    block: usize,
    /// `[concepts, concepts]`
    matrix: &'a [f64],
    batch: &'a Batch,
    /// `[draws, columns]`
    sums: &'a mut [f64],
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many sums as the registers hold beside vectors of layers and a number.
        if const { S::REGISTER_COUNT >= 32 } { self.by::<S, 8>(simd) } else { self.by::<S, 4>(simd) }
    }
}

impl Multiply<'_> {
    /// R draws at a time.
    #[inline(always)]
    fn by<S: Simd, const R: usize>(self, simd: S) {
        let Self { packed, block, matrix, batch, sums } = self;
        let (concepts, columns) = (packed.concepts, packed.columns);
        assert_eq!(batch.draws[0].len(), concepts, "draws of the matrix's concepts");
        let vectors = columns / S::F64_LANES;
        let sums: &mut [S::f64s] = bytemuck::cast_slice_mut(sums);
        let mut values = &packed.values[..];
        for (row, draws) in batch.lists[block].iter().enumerate() {
            let (entries, rest) = values.split_at((concepts - row) * columns);
            values = rest;
            let entries = S::as_simd_f64s(entries).0;
            for draws in draws.chunks(R) {
                // What a last group lacks is its last draw again, and thrown away.
                let of = |r: usize| &batch.draws[draws[r.min(draws.len() - 1)] as usize][row..];
                let places: [&[u32]; R] = std::array::from_fn(of);
                let rows: [&[f64]; R] =
                    std::array::from_fn(|r| &matrix[places[r][0] as usize * concepts..][..concepts]);
                let mut first = 0;
                while first < vectors {
                    let entries = Entries { entries, vectors, first };
                    let out = Out { sums: &mut *sums, vectors, first, draws };
                    // SAFETY: `Batch::in_blocks` has seen that all places are below its draws' concepts; the rows have as
                    // many entries, by the assertion above.
                    first += unsafe {
                        match vectors - first {
                            1 => out.add(simd, products::<S, R, 1>(simd, entries, rows, places)),
                            2 => out.add(simd, products::<S, R, 2>(simd, entries, rows, places)),
                            _ => out.add(simd, products::<S, R, 3>(simd, entries, rows, places)),
                        }
                    };
                }
            }
        }
    }
}

/// Some vectors of the layers' entries in a row.
#[derive(Clone, Copy)]
struct Entries<'a, V> {
    /// `[entries, vectors]`
    entries: &'a [V],
    vectors: usize,
    first: usize,
}

/// The sums of R draws, whose rows of the matrix are `rows`, with N vectors of layers over a row.
///
/// # Panics
/// If a draw has fewer places than there are entries.
///
/// # Safety
/// Every place of a draw is below the length of its row.
#[inline(always)]
unsafe fn products<S: Simd, const R: usize, const N: usize>(
    simd: S,
    layers: Entries<S::f64s>,
    rows: [&[f64]; R],
    places: [&[u32]; R],
) -> [[S::f64s; N]; R] {
    let mut sums = [[simd.splat_f64s(0.0); N]; R];
    for places in places {
        assert!(places.len() >= layers.entries.len() / layers.vectors, "a place for every entry");
    }
    for (at, entry) in layers.entries.chunks_exact(layers.vectors).enumerate() {
        let entry = &entry[layers.first..layers.first + N];
        let entry: [S::f64s; N] = std::array::from_fn(|n| entry[n]);
        for ((sums, row), places) in sums.iter_mut().zip(rows).zip(places) {
            debug_assert!(at < places.len() && (places[at] as usize) < row.len());
            // SAFETY: `at` counts the entries, of which there are no more than places, by the assertion above; a place is
            // below the row's length, by the function's contract.
            let value = simd.splat_f64s(unsafe { *row.get_unchecked(*places.get_unchecked(at) as usize) });
            for (sum, &layers) in sums.iter_mut().zip(&entry) {
                *sum = simd.mul_add_e_f64s(value, layers, *sum);
            }
        }
    }
    sums
}

/// Where the sums of some draws with some vectors of layers belong.
struct Out<'a, V> {
    /// `[draws, vectors]`
    sums: &'a mut [V],
    vectors: usize,
    first: usize,
    draws: &'a [u32],
}

impl<V: Copy> Out<'_, V> {
    /// Adds them; the number of vectors added.
    #[inline(always)]
    fn add<S: Simd<f64s = V>, const R: usize, const N: usize>(self, simd: S, sums: [[V; N]; R]) -> usize {
        for (&draw, sums) in self.draws.iter().zip(&sums) {
            let out = &mut self.sums[draw as usize * self.vectors + self.first..][..N];
            for (out, &sum) in out.iter_mut().zip(sums) {
                *out = simd.add_f64s(*out, sum);
            }
        }
        N
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::permutation::{Permutations, Random};

    #[test]
    fn blocks_and_batches_give_the_products() {
        let (concepts, mut random) = (19, Random::keyed(6, 1));
        let mut symmetric = || {
            let values: Vec<f64> = (0..concepts * concepts).map(|_| random.unit() - 0.5).collect();
            let at = |at: usize| (at / concepts).min(at % concepts) * concepts + (at / concepts).max(at % concepts);
            (0..concepts * concepts).map(|entry| values[at(entry)]).collect::<Vec<f64>>()
        };
        for layers in [1, 8, 9, 17, 24, 31] {
            let (matrix, fixed): (_, Vec<Vec<f64>>) = (symmetric(), (0..layers).map(|_| symmetric()).collect());
            let packed = Packed::new(concepts, layers, |layer, at| fixed[layer][at]);
            let draws: Vec<Vec<u32>> = (0..21).map(|t| Permutations::new(3, concepts).draw(t)).collect();
            let found = |draws: &[Vec<u32>], blocks: usize| -> Vec<Vec<f64>> {
                let batch = Batch::in_blocks(draws.to_vec(), blocks);
                let mut sums = packed.sums(&batch);
                batch.blocks().for_each(|block| packed.add(block, &matrix, &batch, &mut sums));
                packed.rows(&sums).map(<[f64]>::to_vec).collect()
            };
            for blocks in [1, 3, 4] {
                let all = found(&draws, blocks);
                assert_eq!(found(&draws[5..6], blocks)[0], all[5], "a draw alone, {layers} layers, {blocks} blocks");
                for (draw, found) in draws.iter().zip(&all) {
                    for (layer, found) in fixed.iter().zip(found) {
                        let moved =
                            |at: usize| matrix[draw[at / concepts] as usize * concepts + draw[at % concepts] as usize];
                        let expected: f64 = layer.iter().enumerate().map(|(at, value)| moved(at) * value).sum();
                        assert!((found - expected).abs() < 1e-13, "{layers} layers, {blocks} blocks");
                    }
                }
            }
        }
    }
}
