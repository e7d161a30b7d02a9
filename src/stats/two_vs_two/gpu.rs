//! The 2 vs. 2 test on the GPU: a batch of draws against all image RSMs in one matrix product, reduced to counts on the
//! device.

use std::ops::Range;

use cubecl::server::Handle;
use rayon::prelude::*;

use super::{Counts, Draw, Progress, TwoVsTwoError, UnitRows, decide_exactly, report, rounding};
use crate::kernels::gpu::{Download, Gpu, Kernel, MAX_WORKGROUPS, PLAIN, Sizes, TALL, WIDE, sizes, u32s};

static PERMUTE: Kernel = Kernel {
    name: "permute_words",
    source: include_str!("../../../shaders/permute_words.wgsl"),
    workgroup: [64, 4, 1],
    sizes: PermuteSizes::FIELDS,
    variants: PLAIN,
};

static PRODUCT: Kernel = Kernel {
    name: "two_vs_two_product",
    source: include_str!("../../../shaders/two_vs_two_product.wgsl"),
    workgroup: [256, 1, 1],
    sizes: ProductSizes::FIELDS,
    variants: &[("", WIDE)],
};

static TALL_PRODUCT: Kernel =
    Kernel { name: "two_vs_two_product_tall", workgroup: [128, 1, 1], variants: &[("", TALL)], ..PRODUCT };

static COUNT: Kernel = Kernel {
    name: "two_vs_two_count",
    source: include_str!("../../../shaders/two_vs_two_count.wgsl"),
    workgroup: [32, 8, 1],
    sizes: CountSizes::FIELDS,
    variants: PLAIN,
};

pub const KERNELS: &[&Kernel] = &[&PERMUTE, &PRODUCT, &TALL_PRODUCT, &COUNT];

sizes! {
    struct PermuteSizes {
        concepts: u32,
        draws: u32,
        depth: u32,
        columns: u32,
    }
}

sizes! {
    struct ProductSizes {
        depth: u32,
        left_columns: u32,
        right_columns: u32,
    }
}

sizes! {
    struct CountSizes {
        concepts: u32,
        images: u32,
        draws: u32,
        left_columns: u32,
        right_columns: u32,
        capacity: u32,
        rounding: f32,
    }
}

/// Columns and rows of a workgroup's tile of the product.
const TILE: usize = 64;

/// Rows of the contraction that the product stages at once.
const STEP: usize = 16;

/// Columns and rows of a workgroup's tile of pairs.
const PAIRS_TILE: usize = 32;

/// Products of a batch, in bytes: thousands of workgroups, yet within the last-level cache of many GPUs.
const PRODUCTS_BYTES: usize = 64 << 20;

/// Pairs that the list for the host holds at first; it grows to what a batch needs.
const LISTED: usize = 1 << 14;

/// The shape of one launch: draws x image RSMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    pub concepts: usize,
    pub draws: usize,
    pub images: usize,
}

impl Batch {
    /// A balanced batch (both factors of the product are then small beside it) whose buffers hold `limit` bytes or less;
    /// a single draw and image RSM may exceed [`PRODUCTS_BYTES`].
    pub fn plan(concepts: usize, draws: u64, images: usize, limit: usize) -> Self {
        let draws = usize::try_from(draws).unwrap_or(usize::MAX).max(1);
        let entries = PRODUCTS_BYTES.min(limit) / size_of::<f32>();
        let cells = entries / (concepts * concepts);
        let most_images = cells.isqrt().max(cells / draws).max(1);
        let images = images.max(1);
        let images = images.div_ceil(images.div_ceil(most_images));
        let columns = (images * concepts).next_multiple_of(TILE);
        let rows = entries / columns / TILE * TILE;
        Self { concepts, draws: (rows / concepts).clamp(1, draws), images }
    }

    /// [`plan`](Self::plan) within what the device binds.
    pub fn checked(gpu: &Gpu, concepts: usize, draws: u64, images: usize) -> Result<Self, TwoVsTwoError> {
        let limit = gpu.max_binding_bytes();
        let most = Self::most_concepts(limit);
        if concepts > most {
            return Err(TwoVsTwoError::TooManyConcepts { concepts, most });
        }
        Ok(Self::plan(concepts, draws, images, limit))
    }

    /// As many concepts as have one draw's products in `limit` bytes, and their tiles of pairs in one launch.
    pub fn most_concepts(limit: usize) -> usize {
        let bound = (limit / size_of::<f32>()).isqrt() / TILE * TILE;
        let launched = (2 * MAX_WORKGROUPS as usize).isqrt() - 1;
        bound.min(launched * PAIRS_TILE)
    }

    fn depth(&self) -> usize {
        self.concepts.next_multiple_of(STEP)
    }

    fn left_columns(&self) -> usize {
        (self.draws * self.concepts).next_multiple_of(TILE)
    }

    fn right_columns(&self) -> usize {
        (self.images * self.concepts).next_multiple_of(TILE)
    }
}

/// Counts of every draw of `range` against every image RSM, `[draws, images]`, in batches of `batch.draws` draws.
pub fn count(
    gpu: &Gpu,
    batch: Batch,
    words: &UnitRows,
    images: &[UnitRows],
    draw: &Draw,
    range: Range<u64>,
    progress: &Progress,
) -> Result<Vec<Counts>, TwoVsTwoError> {
    let mut device = OnDevice::new(gpu, batch, words, images, rounding(words.concepts));
    let (mut counts, mut under_way) = (Vec::new(), None);
    let mut batches = range.clone().step_by(batch.draws);
    // One batch computes while the one before is read back.
    loop {
        let launched = batches.next().map(|first| {
            let draws = first..range.end.min(first + batch.draws as u64);
            let draws: Vec<Vec<u32>> = draws.into_par_iter().map(draw).collect();
            (device.launch(&draws), draws)
        });
        let is_last = launched.is_none();
        if let Some((results, draws)) = std::mem::replace(&mut under_way, launched) {
            let (passed, listed) = device.collect(results, &draws)?;
            let mut part: Vec<Counts> = passed.into_iter().map(|passed| Counts { passed, ties: 0 }).collect();
            let decided: Vec<_> = listed
                .into_par_iter()
                .map(|Listed { cell, a, b, .. }| {
                    let (p, n) = (cell / images.len(), cell % images.len());
                    (cell, decide_exactly(words, &images[n], &draws[p], a, b).outcome)
                })
                .collect();
            for (cell, outcome) in decided {
                part[cell].add(outcome);
            }
            counts.extend(part);
            report(progress, (draws.len() * images.len()) as u64)?;
        }
        if is_last {
            return Ok(counts);
        }
    }
}

/// A pair that f32 could not decide.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// `draw * images + image`.
    pub cell: usize,
    pub a: usize,
    pub b: usize,
    /// As computed in f32.
    #[cfg(test)]
    pub margin: f32,
}

/// How long a list of so many pairs is made, behind the counts of all cells in a buffer of `limit` bytes; none if it does not fit.
pub fn capacity(listed: usize, cells: usize, limit: usize) -> Option<usize> {
    let most = (limit / size_of::<u32>()).saturating_sub(1 + cells) / 3;
    (listed <= most).then(|| listed.next_power_of_two().min(most))
}

/// The results of a launch on their way back, and the capacity of their list.
pub struct Results<'a> {
    download: Download<'a>,
    capacity: usize,
}

/// The buffers of a test.
pub struct OnDevice<'a> {
    gpu: &'a Gpu,
    batch: Batch,
    rounding: f32,
    capacity: usize,
    /// `[concepts, concepts]`, transposed.
    words: Handle,
    /// `[depth, left columns]`.
    left: Handle,
    /// `[depth, right columns]`.
    right: Handle,
    /// `[left columns, right columns]`.
    products: Handle,
    /// `[images, concepts]`.
    tested: Handle,
}

impl<'a> OnDevice<'a> {
    /// `rounding` times the sum of its weights is the bound of a margin that f32 decides.
    pub fn new(gpu: &'a Gpu, batch: Batch, words: &UnitRows, images: &[UnitRows], rounding: f32) -> Self {
        let k = batch.concepts;
        let (depth, left, right) = (batch.depth(), batch.left_columns(), batch.right_columns());
        let transposed: Vec<f32> = (0..k * k).map(|at| words.at(at % k, at / k) as f32).collect();
        let mut stacked = vec![0.0f32; depth * right];
        stacked.par_chunks_mut(right).take(k).enumerate().for_each(|(j, row)| {
            for (row, rows) in row.chunks_exact_mut(k).zip(images) {
                (0..k).for_each(|b| row[b] = rows.at(b, j) as f32);
            }
        });
        let tested: Vec<u32> = images.iter().flat_map(|rows| rows.tested.iter().map(|&t| u32::from(t))).collect();
        Self {
            gpu,
            batch,
            rounding,
            capacity: LISTED,
            words: gpu.upload(&transposed),
            left: gpu.scratch(depth * left),
            right: gpu.upload(&stacked),
            products: gpu.scratch(left * right),
            tested: gpu.upload(&tested),
        }
    }

    /// Starts up to `batch.draws` draws against every image RSM.
    pub fn launch(&self, draws: &[Vec<u32>]) -> Results<'a> {
        let batch = Batch { draws: draws.len(), ..self.batch };
        let [k, images, draws32] = [batch.concepts, batch.images, batch.draws].map(u32s);
        let [left, right] = [batch.left_columns(), batch.right_columns()].map(u32s);
        self.permute(batch, draws);
        self.multiply(batch);
        let buffer = self.gpu.upload(&vec![0u32; 1 + draws.len() * batch.images + 3 * self.capacity]);
        let tiles = k.div_ceil(PAIRS_TILE as u32);
        self.gpu.launch(
            &COUNT,
            &[],
            [tiles * (tiles + 1) / 2, images, draws32],
            &[&self.left, &self.right, &self.products, &self.tested, &buffer],
            &CountSizes {
                concepts: k,
                images,
                draws: draws32,
                left_columns: left,
                right_columns: right,
                capacity: u32s(self.capacity),
                rounding: self.rounding,
            },
        );
        let download = self.gpu.download_later(&buffer, "counting 2 vs. 2 pairs");
        Results { download, capacity: self.capacity }
    }

    /// Starts the permutation of the words under `draws`.
    pub fn permute(&self, batch: Batch, draws: &[Vec<u32>]) {
        let [concepts, draws32, depth, left] =
            [batch.concepts, batch.draws, batch.depth(), batch.left_columns()].map(u32s);
        self.gpu.launch(
            &PERMUTE,
            &[],
            [left.div_ceil(64), depth.div_ceil(4), 1],
            &[&self.words, &self.gpu.upload(&draws.concat()), &self.left],
            &PermuteSizes { concepts, draws: draws32, depth, columns: left },
        );
    }

    /// Starts the products of the permuted words and the images.
    pub fn multiply(&self, batch: Batch) {
        let [left, right] = [batch.left_columns(), batch.right_columns()].map(u32s);
        self.gpu.launch_product(
            [&PRODUCT, &TALL_PRODUCT],
            [batch.right_columns() / TILE, batch.left_columns() / TILE, 1].map(u32s),
            &[&self.left, &self.right, &self.products],
            &ProductSizes { depth: u32s(batch.depth()), left_columns: left, right_columns: right },
        );
    }

    /// Waits for a launch: `[draws, images]` passed pairs, and the pairs left to the host. A list that was too short is
    /// made again, long enough for it and those that follow.
    pub fn collect(
        &mut self,
        results: Results<'_>,
        draws: &[Vec<u32>],
    ) -> Result<(Vec<u32>, Vec<Listed>), TwoVsTwoError> {
        let cells = draws.len() * self.batch.images;
        let mut words: Vec<u32> = results.download.wait()?;
        if words[0] as usize > results.capacity {
            let limit = self.gpu.max_binding_bytes();
            let too_many = || {
                let most = (limit / (size_of::<[u32; 3]>() / 2)).isqrt();
                TwoVsTwoError::TooManyConcepts { concepts: self.batch.concepts, most }
            };
            let capacity = capacity(words[0] as usize, cells, limit).ok_or_else(too_many)?;
            self.capacity = self.capacity.max(capacity);
            words = self.launch(draws).download.wait()?;
        }
        let listed = words[1 + cells..]
            .chunks_exact(3)
            .take(words[0] as usize)
            .map(|entry| Listed {
                cell: entry[0] as usize,
                a: (entry[1] >> 16) as usize,
                b: (entry[1] & 0xffff) as usize,
                #[cfg(test)]
                margin: f32::from_bits(entry[2]),
            })
            .collect();
        words.truncate(1 + cells);
        words.remove(0);
        Ok((words, listed))
    }
}
