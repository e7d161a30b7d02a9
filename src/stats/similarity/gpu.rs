//! The product sums on a GPU: the launches of `rsm_sample`, `rsm_common`, `rsm_pack`, `rsm_gram` and
//! `rsm_fold`.

use cubecl::server::Handle;
use rayon::prelude::*;

use super::frame::{Frame, sampled, stride};
use super::{Moments, SimilarityError};
use crate::kernels::gpu::{Gpu, Kernel, PLAIN, Sizes, TALL, WIDE, sizes, u32s};

/// The kernels of an RSM, in the order they run.
pub const KERNELS: &[&Kernel] = &[&SAMPLE, &COMMON, &PACK, &GRAM, &TALL_GRAM, &FOLD];

const SAMPLE: Kernel = Kernel {
    name: "rsm_sample",
    source: include_str!("../../../shaders/rsm_sample.wgsl"),
    workgroup: [256, 1, 1],
    sizes: SampleSizes::FIELDS,
    variants: PLAIN,
};

const COMMON: Kernel = Kernel {
    name: "rsm_common",
    source: include_str!("../../../shaders/rsm_common.wgsl"),
    workgroup: [256, 1, 1],
    sizes: CommonSizes::FIELDS,
    variants: PLAIN,
};

const PACK: Kernel = Kernel {
    name: "rsm_pack",
    source: include_str!("../../../shaders/rsm_pack.wgsl"),
    workgroup: [256, 1, 1],
    sizes: PackSizes::FIELDS,
    variants: PLAIN,
};

const GRAM: Kernel = Kernel {
    name: "rsm_gram",
    source: include_str!("../../../shaders/rsm_gram.wgsl"),
    workgroup: [256, 1, 1],
    sizes: GramSizes::FIELDS,
    variants: &[("", WIDE)],
};

const TALL_GRAM: Kernel = Kernel { name: "rsm_gram_tall", workgroup: [128, 1, 1], variants: &[("", TALL)], ..GRAM };

const FOLD: Kernel = Kernel {
    name: "rsm_fold",
    source: include_str!("../../../shaders/rsm_fold.wgsl"),
    workgroup: [256, 1, 1],
    sizes: FoldSizes::FIELDS,
    variants: PLAIN,
};

sizes! {
    pub(super) struct SampleSizes {
        units: u32,
        first: u32,
        stride: u32,
        count: u32,
    }
}

sizes! {
    pub(super) struct CommonSizes {
        units: u32,
        start: u32,
        count: u32,
        image: u32,
        shift: f32,
        weight: f32,
        begins: u32,
        ends: u32,
    }
}

sizes! {
    pub(super) struct PackSizes {
        units: u32,
        start: u32,
        count: u32,
        first: u32,
        images: u32,
        rows: u32,
        concepts: u32,
        padded: u32,
    }
}

sizes! {
    pub(super) struct GramSizes {
        units: u32,
        padded: u32,
        span: u32,
    }
}

sizes! {
    pub(super) struct FoldSizes {
        spans: u32,
        is_first: u32,
        zero: u32,
    }
}

/// Images along the side of a tile of `rsm_gram`.
const TILE: usize = 64;
/// Units that `rsm_gram` loads at a time.
const STEP: usize = 16;
/// Units and images that a workgroup of `rsm_pack` moves.
const PACK_TILE: [usize; 2] = [64, 16];
/// Units summed in f32, at most: a random walk of rounding errors of 4e-7 of the sum, falling with the square root of
/// the number of spans. At least: fewer would write more partial sums than they read activations.
const SPAN: [usize; 2] = [64, 512];
/// Workgroups of `rsm_gram` that keep a large GPU busy; small layers are cut into shorter spans to reach them.
const BUSY_WORKGROUPS: usize = 400;
/// Size of the buffer of packed activations and of the buffer of partial sums, at most.
const BUFFER_BYTES: usize = 64 << 20;

/// A batch of images on the device.
pub(super) struct Batch {
    pub images: usize,
    /// `[images, units]`, contiguous.
    pub activations: Handle,
}

/// Images of a packed unit: the concepts, m and the row of ones, to whole tiles.
pub(super) fn padded(concepts: usize) -> usize {
    (concepts + 2).next_multiple_of(TILE)
}

/// How a layer is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    padded: usize,
    /// Tiles of the upper triangle.
    pairs: usize,
    /// Units of one workgroup's sum.
    span: usize,
    /// Units packed at a time, a multiple of `span`.
    chunk: usize,
}

impl Plan {
    pub(super) fn new(concepts: usize, units: usize, max_binding_bytes: usize) -> Self {
        let padded = padded(concepts);
        let tiles = padded / TILE;
        let pairs = tiles * (tiles + 1) / 2;
        let span = (units * pairs / BUSY_WORKGROUPS).next_multiple_of(STEP).clamp(SPAN[0], SPAN[1]);
        let budget = BUFFER_BYTES.min(max_binding_bytes);
        let most_spans = (budget / (4 * padded * span)).min(budget / (4 * TILE * TILE * pairs)).max(1);
        let chunks = units.div_ceil(most_spans * span);
        Self { padded, pairs, span, chunk: units.div_ceil(chunks).next_multiple_of(span) }
    }

    fn packed_bytes(&self) -> usize {
        4 * self.padded * self.chunk
    }

    fn partial_bytes(&self) -> usize {
        4 * TILE * TILE * self.pairs * (self.chunk / self.span)
    }

    fn total_bytes(&self) -> usize {
        8 * TILE * TILE * self.pairs
    }

    /// Where the total of images `i <= j` is.
    fn index(&self, i: usize, j: usize) -> usize {
        let (row, column) = (i / TILE, j / TILE);
        let tiles = self.padded / TILE;
        let pair = row * (2 * tiles + 1 - row) / 2 + column - row;
        (pair * TILE + i % TILE) * TILE + j % TILE
    }
}

/// What the kernels write; nothing in it needs to be initialised.
pub(super) struct Scratch {
    common: Handle,
    packed: Handle,
    partials: Handle,
    totals: Handle,
}

impl Scratch {
    /// For a plan; `buffer` makes one of so many bytes.
    pub(super) fn new(plan: &Plan, buffer: impl Fn(usize) -> Handle) -> Self {
        Self {
            common: buffer(4 * plan.chunk),
            packed: buffer(plan.packed_bytes()),
            partials: buffer(plan.partial_bytes()),
            totals: buffer(plan.total_bytes()),
        }
    }
}

/// A sample of the batches' images, `[images, sampled units]`.
pub(super) fn sample(gpu: &Gpu, batches: &[Batch], units: usize) -> Result<Vec<f32>, SimilarityError> {
    let concepts: usize = batches.iter().map(|batch| batch.images).sum();
    let count = sampled(units).map(|run| run.len()).sum();
    let sample = gpu.scratch(concepts * count);
    let mut first = 0;
    for Batch { images, activations } in batches {
        let [units32, first32, stride, count32] = [units, first, stride(units), count].map(u32s);
        let sizes = SampleSizes { units: units32, first: first32, stride, count: count32 };
        let workgroups = [count.div_ceil(SAMPLE.workgroup[0] as usize), *images, 1].map(u32s);
        gpu.launch(&SAMPLE, &[], workgroups, &[activations, &sample], &sizes);
        first += images;
    }
    Ok(gpu.download(&sample, "correlating activations")?)
}

/// Sums of the batches' images in `frame`.
pub(super) fn moments(gpu: &Gpu, batches: &[Batch], units: usize, frame: Frame) -> Result<Moments, SimilarityError> {
    let concepts = batches.iter().map(|batch| batch.images).sum();
    let plan = Plan::new(concepts, units, gpu.max_binding_bytes());
    let needed = plan.total_bytes().max(plan.partial_bytes()).max(plan.packed_bytes());
    if needed > gpu.max_binding_bytes() {
        return Err(SimilarityError::TooManyConcepts { concepts, needed, limit: gpu.max_binding_bytes() });
    }
    let scratch = Scratch::new(&plan, |bytes| gpu.empty(bytes));
    moments_in(gpu, batches, units, frame, &plan, &scratch)
}

/// [`moments`] as `plan` cuts the layer.
pub(super) fn moments_in(
    gpu: &Gpu,
    batches: &[Batch],
    units: usize,
    frame: Frame,
    plan: &Plan,
    scratch: &Scratch,
) -> Result<Moments, SimilarityError> {
    add_products(gpu, batches, units, &frame, plan, scratch);
    let totals: Vec<[f32; 2]> = gpu.download(&scratch.totals, "correlating activations")?;
    let rows = frame.shifts.len() + 2;
    let mut products = vec![0.0; rows * rows];
    products.par_chunks_mut(rows).enumerate().for_each(|(j, products)| {
        for (i, product) in products[..=j].iter_mut().enumerate() {
            let [high, low] = totals[plan.index(i, j)];
            *product = f64::from(high) + f64::from(low);
        }
    });
    Ok(Moments::new(units, frame, products))
}

/// Fills `scratch.common` for a chunk of units.
fn find_common(
    gpu: &Gpu,
    batches: &[Batch],
    units: usize,
    (start, count): (usize, usize),
    frame: &Frame,
    common: &Handle,
) {
    if frame.common.is_empty() {
        return;
    }
    let last = frame.common.len() - 1;
    for (n, &(image, weight)) in frame.common.iter().enumerate() {
        let mut rows = batches.iter().flat_map(|batch| (0..batch.images).map(move |row| (&batch.activations, row)));
        let (activations, row) = rows.nth(image).expect("an image of a batch");
        let [units, start, count32, image32] = [units, start, count, row].map(u32s);
        let sizes = CommonSizes {
            units,
            start,
            count: count32,
            image: image32,
            shift: frame.shifts[image],
            weight,
            begins: u32::from(n == 0),
            ends: u32::from(n == last),
        };
        let workgroups = [count.div_ceil(COMMON.workgroup[0] as usize), 1, 1].map(u32s);
        gpu.launch(&COMMON, &[], workgroups, &[activations, common], &sizes);
    }
}

/// Fills `scratch.totals`, chunk by chunk.
fn add_products(gpu: &Gpu, batches: &[Batch], units: usize, frame: &Frame, plan: &Plan, scratch: &Scratch) {
    let Plan { padded, pairs, span, chunk } = *plan;
    let concepts = batches.iter().map(|batch| batch.images).sum::<usize>();
    let Scratch { common, packed, partials, totals } = scratch;
    let numbers = |i: usize| [frame.shifts[i], frame.contrasts[i], frame.offsets[i], 0.0];
    let numbers = gpu.upload(&(0..concepts).map(numbers).collect::<Vec<_>>());
    // Without a common part m is 0.
    let nothing = frame.common.is_empty().then(|| gpu.upload(&vec![0.0_f32; chunk]));
    let common = nothing.as_ref().unwrap_or(common);
    for start in (0..units).step_by(chunk) {
        let count = chunk.min(units - start);
        find_common(gpu, batches, units, (start, count), frame, common);
        let mut first = 0;
        for Batch { images, activations } in batches {
            let rows = if first + images == concepts { padded - first } else { *images };
            let [units, start, count32, first32] = [units, start, count, first].map(u32s);
            let [images32, rows32, concepts, padded] = [*images, rows, concepts, padded].map(u32s);
            let sizes = PackSizes {
                units,
                start,
                count: count32,
                first: first32,
                images: images32,
                rows: rows32,
                concepts,
                padded,
            };
            gpu.launch(
                &PACK,
                &[],
                [count.div_ceil(PACK_TILE[0]), rows.div_ceil(PACK_TILE[1]), 1].map(u32s),
                &[activations, &numbers, common, packed],
                &sizes,
            );
            first += images;
        }
        let count = count.next_multiple_of(STEP);
        let spans = count.div_ceil(span);
        let [units, padded, span] = [count, padded, span].map(u32s);
        let gram = GramSizes { units, padded, span };
        gpu.launch_product([&GRAM, &TALL_GRAM], [pairs, spans, 1].map(u32s), &[packed, partials], &gram);
        let blocks = TILE * TILE / FOLD.workgroup[0] as usize;
        let [spans, blocks, pairs] = [spans, blocks, pairs].map(u32s);
        let fold = FoldSizes { spans, is_first: u32::from(start == 0), zero: 0 };
        gpu.launch(&FOLD, &[], [blocks, pairs, 1], &[partials, totals], &fold);
    }
}
