//! Where an experiment runs, and with how much at once.

use crate::config::{Bytes, Config};
use crate::device::Selected;
use crate::kernels::gpu::SCRATCH_BYTES;
use crate::nets::{Input, Layer, StageSpec};
use crate::plan::{Model, PlanError};
use crate::record::Memory;
use crate::stimuli::PIXELS;

/// Memory budget where the configuration gives none.
const DEFAULT_BUDGET: Bytes = Bytes(4 << 30);

/// What runs through a stage at once, at most.
#[derive(Clone, Copy)]
struct Most {
    images: usize,
    /// Of one activation tensor between the stages.
    bytes: u64,
}

/// More gains nothing there, and stays in no cache.
const ON_CPU: Most = Most { images: 16, bytes: 64 << 20 };

/// Of few images late layers leave most of a large GPU idle (docs/speed.md).
const ON_GPU: Most = Most { images: 64, bytes: 256 << 20 };

impl Most {
    fn of(device: &Selected) -> Self {
        let gpu = device.adapter.as_ref().is_some_and(|adapter| !adapter.is_software());
        let most = if gpu { ON_GPU } else { ON_CPU };
        Self { bytes: most.bytes.min(device.binding_bytes), ..most }
    }
}

/// A device with room for the experiment.
pub struct Placement {
    /// Where it runs.
    pub device: Selected,
    /// Images per batch of the first stages.
    pub batch: usize,
    /// From a stage on, whose activations let it, so many batches are run as one.
    join: (usize, usize),
    /// The memory estimate.
    pub memory: Memory,
}

impl Placement {
    /// Estimates what the model needs on the device for groups of `images`.
    ///
    /// # Errors
    /// More memory than the budget, or than the device binds at once.
    pub fn new(config: &Config, device: Selected, model: &Model, images: usize) -> Result<Self, PlanError> {
        let budget = config.run.memory.unwrap_or(DEFAULT_BUDGET).0;
        let scratch = if device.adapter.is_some() { SCRATCH_BYTES as u64 } else { 0 };
        let memory = |batch: usize, join: (usize, usize)| {
            let (activations, largest_stage) =
                activations(&model.stages, (images, model.images()), (batch, join), &model.input);
            Memory { weights: model.weight_bytes, activations: activations + scratch, largest_stage, budget }
        };
        // As many at once as the budget lets be inside a stage.
        let least = model.images().unwrap_or(1);
        let needed = 4 * largest(&model.stages, 3 * model.input.size * model.input.size) * least as u64;
        if needed > device.binding_bytes {
            let (network, limit) = (model.network.name.clone(), Bytes(device.binding_bytes));
            return Err(PlanError::Binding { network, images: least, needed: Bytes(needed), limit });
        }
        let most = batch(&model.stages, &model.input, &device, least);
        let joined = |batch: usize| [join(&model.stages, &model.input, &device, batch), (0, 1)];
        let whole = (least..=most).rev().filter(|batch| batch % least == 0);
        let mut sizes = whole.flat_map(|batch| joined(batch).map(|join| (batch, join)));
        let fits = |&(batch, join): &(usize, (usize, usize))| {
            let memory = memory(batch, join);
            memory.weights + memory.activations <= budget
        };
        let (batch, join) = sizes.find(fits).unwrap_or((least, (0, 1)));
        let memory = memory(batch, join);
        if memory.weights + memory.activations > memory.budget {
            return Err(PlanError::Memory {
                network: model.network.name.clone(),
                needed: Bytes(memory.weights + memory.activations),
                stage: memory.largest_stage,
                images,
                fixed: model.images(),
                budget: Bytes(memory.budget),
            });
        }
        Ok(Self { device, batch, join, memory })
    }

    /// How many batches of the stage before become one of a stage's.
    pub fn joined(&self, stage: usize) -> usize {
        let (first, batches) = self.join;
        if stage == first { batches } else { 1 }
    }

    /// Images per batch of the last stages.
    pub fn largest_batch(&self) -> usize {
        self.batch * self.join.1
    }

    /// The numbers of images of the batches that a group of `images` is run in.
    pub fn sizes(&self, images: usize) -> Vec<usize> {
        let mut sizes: Vec<usize> =
            [self.batch, self.largest_batch()].iter().flat_map(|&batch| [batch.min(images), images % batch]).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes.retain(|&images| images > 0);
        sizes
    }
}

/// A group's activations at the stage whose input and output are largest, in bytes, and that stage. A batch's input is
/// dropped when its output is there, so a group holds the larger of the two plus what is inside one batch; inner taps come
/// on top. Of a file that takes `fixed` images at once, a batch is filled up to them.
fn activations(
    stages: &[StageSpec],
    (images, fixed): (usize, Option<usize>),
    (batch, (first, batches)): (usize, (usize, usize)),
    input: &Input,
) -> (u64, String) {
    let bytes = |units: usize| 4 * (units * images) as u64;
    let mut before = 3 * input.size * input.size;
    let mut largest = (bytes(before), PIXELS.to_string());
    for (n, stage) in stages.iter().enumerate() {
        let output = stage.units();
        // The last layer of a stage shares its memory with the output, if it is the output.
        let shared = stage.layers.last().is_some_and(|layer| layer.shape == stage.output());
        let inner =
            stage.layers.iter().map(Layer::units).sum::<usize>() - if shared { stage.output().units() } else { 0 };
        let batch = if n < first { batch } else { batch * batches };
        // Of a file that takes fixed images, part by part.
        let inside = 4 * (stage.inside.alive * fixed.unwrap_or_else(|| batch.min(images))) as u64;
        let needed = bytes(before.max(output) + inner) + inside;
        if needed > largest.0 {
            let name = stage.layers.last().map_or("a stage without layers", |layer| &layer.name);
            largest = (needed, name.to_string());
        }
        before = output;
    }
    largest
}

/// As many images at once as keep every activation tensor of a batch within its limit: `least`, or whole multiples of them.
fn batch(stages: &[StageSpec], input: &Input, device: &Selected, least: usize) -> usize {
    let most = fitting(stages, 3 * input.size * input.size, device).min(Most::of(device).images);
    (most / least).max(1) * least
}

/// The first stage from which on whole batches together are no more than the device takes and keep within the limit, and how
/// many: larger ones fill a GPU, and read the weights of dense layers less often.
fn join(stages: &[StageSpec], input: &Input, device: &Selected, batch: usize) -> (usize, usize) {
    let batches = (Most::of(device).images / batch).max(1);
    let before =
        |stage: usize| stage.checked_sub(1).map_or(3 * input.size * input.size, |before| stages[before].units());
    let fits = |stage: &usize| fitting(&stages[*stage..], before(*stage), device) >= batch * batches;
    (0..stages.len()).find(fits).map_or((0, 1), |first| (first, batches))
}

/// How many images keep every activation tensor between the stages within its limit, and those inside within what the device
/// binds; `before` are the activations that come in.
fn fitting(stages: &[StageSpec], before: usize, device: &Selected) -> usize {
    let limit = Most::of(device).bytes / (4 * between(stages, before));
    limit.min(device.binding_bytes / (4 * largest(stages, before))) as usize
}

/// Units of the largest activation tensor between the stages, of an image.
fn between(stages: &[StageSpec], before: usize) -> u64 {
    let outputs = stages.iter().flat_map(|stage| stage.layers.iter().map(Layer::units).chain([stage.units()]));
    outputs.chain([before]).max().unwrap_or(1) as u64
}

/// Units of the largest activation tensor of all, of an image.
fn largest(stages: &[StageSpec], before: usize) -> u64 {
    let inside = stages.iter().map(|stage| stage.inside.largest).max().unwrap_or(0) as u64;
    between(stages, before).max(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{self, Choice};
    use crate::nets::{self, Inside, Shape};

    #[test]
    fn small_activations_go_in_larger_batches() {
        let cpu = device::select(Choice::Cpu).unwrap();
        let of = |network: &str| {
            let network = nets::find(network).unwrap();
            let blueprint = network.blueprint(network.forms[0].name).unwrap();
            let (stages, input) = (blueprint.stages(), blueprint.input);
            let batch = batch(&stages, &input, &cpu, 1);
            let join = join(&stages, &input, &cpu, batch);
            let layer = stages[join.0].layers[0].name.clone();
            let memory = Memory { weights: 0, activations: 0, largest_stage: layer, budget: 0 };
            Placement { device: cpu.clone(), batch, join, memory }
        };
        let vgg16 = of("vgg16");
        assert_eq!((vgg16.batch, vgg16.largest_batch(), &*vgg16.memory.largest_stage), (5, 15, "block3_conv2"));
        assert_eq!(vgg16.sizes(166), [1, 5, 15]);
        assert_eq!(vgg16.sizes(12), [2, 5, 12]);
        let all: usize = (0..16).map(|stage| vgg16.joined(stage)).product();
        assert_eq!(all, 3);
        let resnet50 = of("resnet50");
        assert_eq!((resnet50.batch, resnet50.largest_batch()), (16, 16));
        assert_eq!((resnet50.sizes(166), resnet50.sizes(3)), (vec![6, 16], vec![3]));
    }

    #[test]
    fn a_gpu_takes_as_many_images_as_it_binds() {
        let cpu = device::select(Choice::Cpu).unwrap();
        let gpu = |kind: &str, binding_bytes: u64| {
            let (name, backend, driver) = (String::new(), String::new(), String::new());
            let adapter = device::Adapter { index: 0, name, kind: kind.to_string(), backend, driver, binding_bytes };
            Selected { adapter: Some(adapter), binding_bytes, ..cpu.clone() }
        };
        let of = |network: &str, device: &Selected| {
            let network = nets::find(network).unwrap();
            let blueprint = network.blueprint(network.forms[0].name).unwrap();
            let (stages, input) = (blueprint.stages(), blueprint.input);
            let batch = batch(&stages, &input, device, 1);
            (batch, join(&stages, &input, device, batch).1)
        };
        let [small, large] = [128 << 20, 2 << 30].map(|bytes| gpu("discrete", bytes));
        // 12.25 MiB an image behind the first convolution.
        assert_eq!((of("vgg16", &small), of("vgg16", &large)), ((10, 6), (20, 3)));
        // 4.6 MiB an image inside a block; its layers are smaller.
        assert_eq!((of("efficientnet_lite0", &small).0, of("efficientnet_lite0", &large).0), (27, 64));
        assert_eq!(of("vgg16", &gpu("software", 128 << 20)), of("vgg16", &cpu));
    }

    #[test]
    fn what_a_file_of_a_fixed_number_of_images_holds_is_all_of_theirs() {
        let cpu = device::select(Choice::Cpu).unwrap();
        let input = Input { size: 4, ..nets::find("vgg16").unwrap().blueprint("keras").unwrap().input };
        let stage = |units: usize| StageSpec {
            carried: vec![Shape::Vector([units])],
            layers: Vec::new(),
            multiply_adds: 1,
            inside: Inside { alive: 1000, largest: 500 },
        };
        let stages = [stage(60), stage(10)];
        assert_eq!((between(&stages, 48), largest(&stages, 48), largest(&stages, 600)), (60, 500, 600));
        let sizes = [1, 5, 7, 16, 64].map(|fixed| batch(&stages, &input, &cpu, fixed));
        assert_eq!(sizes, [16, 15, 14, 16, 64]);
        let joins = [1, 5, 8, 16, 64].map(|batch| join(&stages, &input, &cpu, batch));
        assert_eq!(joins, [(0, 16), (0, 3), (0, 2), (0, 1), (0, 1)]);
        // A group of 20 images, 60 numbers each behind the first stage, and what is inside of those that run at once.
        let held = |fixed: Option<usize>, batch: usize| activations(&stages, (20, fixed), (batch, (0, 1)), &input).0;
        assert_eq!(held(None, 16), 4 * (20 * 60 + 16 * 1000));
        assert_eq!(held(None, 64), 4 * (20 * 60 + 20 * 1000));
        assert_eq!(held(Some(64), 64), 4 * (20 * 60 + 64 * 1000));
        assert_eq!(held(Some(5), 15), 4 * (20 * 60 + 5 * 1000), "part by part");
    }
}
