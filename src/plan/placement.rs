//! Where an experiment runs, and with how much at once.

use crate::config::{Bytes, Config};
use crate::device::Selected;
use crate::kernels::gpu::SCRATCH_BYTES;
use crate::nets::{Input, Layer, StageSpec};
use crate::plan::{Model, PlanError};
use crate::record::Memory;
use crate::stimuli::PIXELS;

/// Images that run through a stage at once, at most; more gains nothing on a CPU and little on a GPU.
const MAX_BATCH: usize = 16;

/// Most that one activation tensor of a batch may take: half of WebGPU's guaranteed binding.
const MAX_TENSOR_BYTES: u64 = 64 << 20;

/// A device with room for the experiment.
pub struct Placement {
    /// Where it runs.
    pub device: Selected,
    /// Images per batch.
    pub batch: usize,
    /// The memory estimate.
    pub memory: Memory,
}

impl Placement {
    /// Estimates what the model needs on the device for groups of `images`.
    ///
    /// # Errors
    /// More memory than the budget.
    pub fn new(config: &Config, device: Selected, model: &Model, images: usize) -> Result<Self, PlanError> {
        let budget = config.run.memory.map_or(device.memory_bytes, |bytes| bytes.0);
        let (activations, largest_stage) = activations(&model.stages, images, &model.input);
        let activations = activations + if device.adapter.is_some() { SCRATCH_BYTES as u64 } else { 0 };
        let memory = Memory { weights: model.weight_bytes, activations, largest_stage, budget };
        if memory.weights + memory.activations > memory.budget {
            return Err(PlanError::Memory {
                network: model.network.name.clone(),
                needed: Bytes(memory.weights + memory.activations),
                stage: memory.largest_stage,
                images,
                budget: Bytes(memory.budget),
            });
        }
        let batch = batch(&model.stages, &model.input, &device);
        Ok(Self { device, batch, memory })
    }
}

impl Placement {
    /// The numbers of images of the batches that a group of `images` is run in.
    pub fn sizes(&self, images: usize) -> Vec<usize> {
        let (batch, rest) = (self.batch.min(images), images % self.batch);
        if rest == 0 || rest == batch { vec![batch] } else { vec![batch, rest] }
    }
}

/// A group's activations at the stage whose input and output are largest, in bytes, and that stage. A batch's input is
/// dropped when its output is there, so a group holds the larger of the two plus one batch; inner taps come on top.
fn activations(stages: &[StageSpec], images: usize, input: &Input) -> (u64, String) {
    let bytes = |units: usize| 4 * (units * images) as u64;
    let mut before = 3 * input.size * input.size;
    let mut largest = (bytes(before), PIXELS.to_string());
    for stage in stages {
        let output = stage.units();
        // The last layer of a stage shares its memory with the output, if it is the output.
        let shared = stage.layers.last().is_some_and(|layer| layer.shape == stage.output());
        let inner =
            stage.layers.iter().map(Layer::units).sum::<usize>() - if shared { stage.output().units() } else { 0 };
        let batch = MAX_TENSOR_BYTES.min(bytes(before.max(output)));
        let needed = bytes(before.max(output) + inner) + 3 * batch;
        if needed > largest.0 {
            let name = stage.layers.last().map_or("(untapped)", |layer| &layer.name);
            largest = (needed, name.to_string());
        }
        before = output;
    }
    largest
}

/// As many images at once as keep every activation tensor of a batch within its limit.
fn batch(stages: &[StageSpec], input: &Input, device: &Selected) -> usize {
    let outputs = stages.iter().flat_map(|stage| stage.layers.iter().map(Layer::units).chain([stage.units()]));
    let units = outputs.chain([3 * input.size * input.size]).max().unwrap_or(1) as u64;
    let limit = MAX_TENSOR_BYTES.min(device.binding_bytes);
    ((limit / (4 * units)) as usize).clamp(1, MAX_BATCH)
}
