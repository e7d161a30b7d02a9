//! Mutual neighbours counted on the GPU: the counts are whole numbers, those of the CPU.

use std::ops::Range;

use burn::tensor::Device;
use cubecl::server::Handle;
use rayon::prelude::*;

use super::{Found, Measure, NeighbourTest};
use crate::kernels::gpu::{Gpu, GpuError, Kernel, MAX_WORKGROUPS, PLAIN, Sizes, sizes, u32s};
use crate::stats::inference::Statistic;
use crate::stats::permutation::inverse;
use crate::stats::{Interrupted, Progress, report};

static MUTUAL: Kernel = Kernel {
    name: "mutual_neighbours",
    source: include_str!("../../../../shaders/mutual_neighbours.wgsl"),
    workgroup: [256, 1, 1],
    sizes: MutualSizes::FIELDS,
    variants: PLAIN,
};

pub const KERNELS: &[&Kernel] = &[&MUTUAL];

sizes! {
    struct MutualSizes {
        concepts: u32,
        neighbours: u32,
        layers: u32,
    }
}

/// Layers of the images that a word of bits answers for there.
const BITS: usize = u32::BITS as usize;

/// Draws of a launch, at most.
const DRAWS: usize = 1024;

/// Counts of a launch, in bytes; a single draw may take more.
const COUNTS_BYTES: usize = 16 << 20;

/// Why a GPU gave no counts.
#[derive(Debug, thiserror::Error)]
pub enum NeighbourError {
    /// `progress` asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

impl From<Interrupted> for NeighbourError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

/// Mutual neighbours of all pairs of layers on a GPU.
pub struct OnDevice<'a> {
    test: NeighbourTest<'a>,
    gpu: Gpu,
    /// `[groups]`, or one for all: `[layers, concepts, k]`.
    words: Vec<Handle>,
    /// `[groups][layers / 32]`: `[concepts, concepts]`, a bit a layer.
    images: Vec<Vec<Handle>>,
}

impl<'a> NeighbourTest<'a> {
    /// On a GPU.
    ///
    /// # Errors
    /// The test as it is, where the device is a CPU, the measure is not mutual neighbours, or the device cannot bind a
    /// word of bits for every pair of concepts.
    #[allow(clippy::result_large_err, reason = "the test itself, once a family")]
    pub fn on(self, device: &Device) -> Result<OnDevice<'a>, Self> {
        let (concepts, layers) = (self.concepts, self.words.len());
        let Some(gpu) = Gpu::of(device).filter(|_| self.measure == Measure::Mknn) else { return Err(self) };
        let entries = (concepts * concepts).max(layers * concepts * self.k).max(layers * BITS);
        if entries * size_of::<u32>() > gpu.max_binding_bytes() || layers > MAX_WORKGROUPS as usize {
            return Err(self);
        }
        let groups = self.words.iter().map(Vec::len).max().unwrap_or(1);
        let of_words = |group: usize| {
            let lists = self.words.iter().flat_map(|layer| &layer[group.min(layer.len() - 1)].places);
            gpu.upload(&lists.copied().collect::<Vec<u32>>())
        };
        // The halves of the test's words of bits, as far as there are layers.
        let of_images = |group: &Found| -> Vec<Handle> {
            let half = |block: usize| {
                let first = BITS * block;
                let words = group.bits[first / super::BITS].iter();
                gpu.upload(&words.map(|&bits| (bits >> (first % super::BITS)) as u32).collect::<Vec<u32>>())
            };
            (0..group.layers.len().div_ceil(BITS)).map(half).collect()
        };
        Ok(OnDevice {
            words: (0..groups).map(of_words).collect(),
            images: self.images.iter().map(of_images).collect(),
            gpu,
            test: self,
        })
    }
}

impl OnDevice<'_> {
    /// Common neighbours over all groups, `[draws, words layers, 32]` for each 32 layers of the images.
    fn counts(&self, draws: &[Vec<u32>]) -> Result<Vec<Vec<u32>>, NeighbourError> {
        let (test, gpu) = (&self.test, &self.gpu);
        let layers = test.words.len();
        let places = gpu.upload(&draws.concat());
        let of_block = |block: usize| {
            let counts = gpu.upload(&vec![0_u32; draws.len() * layers * BITS]);
            for (group, images) in self.images.iter().enumerate() {
                gpu.launch(
                    &MUTUAL,
                    &[],
                    [layers, draws.len(), 1].map(u32s),
                    &[&places, &self.words[group.min(self.words.len() - 1)], &images[block], &counts],
                    &MutualSizes { concepts: u32s(test.concepts), neighbours: u32s(test.k), layers: u32s(layers) },
                );
            }
            gpu.download_later(&counts, "counting mutual neighbours")
        };
        // All are launched before the first is read.
        let under_way: Vec<_> = (0..self.images[0].len()).map(of_block).collect();
        Ok(under_way.into_iter().map(|counts| counts.wait()).collect::<Result<_, GpuError>>()?)
    }
}

/// The points are the CPU's.
///
/// # Cost
/// Per draw, group, layer of the words and 32 layers of the images `concepts * k` look-ups; on the device `4 concepts^2`
/// bytes a group for each 32 of the images' layers.
impl Statistic for OnDevice<'_> {
    type Error = NeighbourError;

    fn whole(&self) -> i64 {
        self.test.whole()
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, NeighbourError> {
        let (layers, columns) = (self.test.words.len(), self.test.columns);
        let places: Vec<Vec<u32>> = draws.into_par_iter().map(|t| inverse(&self.test.draws.draw(t))).collect();
        let mut points = vec![Vec::with_capacity(places.len()); layers * columns];
        let at_once = (COUNTS_BYTES / size_of::<u32>() / (layers * BITS)).clamp(1, DRAWS);
        for draws in places.chunks(at_once) {
            let counts = self.counts(draws)?;
            for (pair, points) in points.iter_mut().enumerate() {
                let (layer, column) = (pair / columns, pair % columns);
                let of_draw = |draw: usize| counts[column / BITS][(draw * layers + layer) * BITS + column % BITS];
                points.extend((0..draws.len()).map(|draw| i64::from(of_draw(draw))));
            }
            report(progress, (draws.len() * layers * columns) as u64)?;
        }
        Ok(points)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::super::super::tests::{gram, vectors};
    use super::super::super::{Gram, Side};
    use super::*;
    use crate::kernels::gpu::test_device;
    use crate::stats::permutation::{Permutations, Random};

    #[test]
    fn a_gpu_counts_as_the_cpu() {
        let Some(device) = test_device() else { return };
        // More layers than a word has bits; groups on either side; more look-ups than an invocation counts at once.
        for (concepts, k, words_groups, groups, [words, images], draws) in [
            (12, 3, 1, 1, [1, 1], 3),
            (29, 10, 1, 3, [2, 33], 7),
            (40, 7, 2, 2, [3, 5], 1030),
            (700, 100, 1, 1, [1, 2], 2),
        ] {
            let mut random = Random::keyed(17, concepts as u64);
            let mut side = |layers: usize, groups: usize| -> Vec<Vec<Gram>> {
                let mut layer = || (0..groups).map(|_| gram(&vectors(&mut random, concepts, 8))).collect();
                (0..layers).map(|_| layer()).collect()
            };
            let (words, images) = (side(words, words_groups), side(images, groups));
            let of = |grams| Side { rsms: &[], grams };
            let words: Vec<Side> = words.iter().map(|layer| of(layer)).collect();
            let images: Vec<Side> = images.iter().map(|layer| of(layer)).collect();
            let permutations = Permutations::new(5, concepts);
            let test = || NeighbourTest::new(Measure::Mknn, k, &words, &images, &permutations).unwrap();
            let go_on = |_| ControlFlow::Continue(());
            let on_device = test().on(&device).unwrap_or_else(|_| panic!("{concepts} concepts fit"));
            let found = on_device.points(0..draws, &go_on).unwrap();
            assert_eq!(found, test().points(0..draws, &go_on).unwrap(), "{concepts} concepts");
            assert_eq!(on_device.whole(), test().whole());
        }
    }
}
