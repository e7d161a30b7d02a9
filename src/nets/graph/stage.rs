//! A stage of a graph on a device.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use burn::tensor::Tensor;

use super::lowering::{Loader, Run};
use super::moves::permuted;
use super::value::{Array, Constant, Known};
use super::{Compiled, Needed, Operand};
use crate::nets::activations::Activations;
use crate::nets::stage::Taps;
use crate::weights::WeightsError;

/// A stage for one or more numbers of images.
pub struct GraphStage {
    programs: Vec<Program>,
}

/// A stage for a number of images.
pub struct Program {
    images: usize,
    /// The places of what comes in, and its shape.
    given: Vec<(usize, Vec<usize>)>,
    steps: Vec<Step>,
    taps: Vec<(String, usize)>,
    left: Vec<usize>,
    places: usize,
    /// What comes in is an image, and wanted with its channels last.
    channels_last: bool,
}

struct Step {
    run: Run,
    takes: Vec<Take>,
    puts: Vec<usize>,
    /// Places that nothing needs after it.
    drops: Vec<usize>,
}

enum Take {
    Place(usize),
    Constant(Box<Array>),
}

impl Program {
    /// The steps of the nodes in `range` that `needed` needs.
    ///
    /// # Errors
    /// A weight that is not finite or cannot be read.
    pub(super) fn load(
        compiled: &Compiled,
        range: Range<usize>,
        needed: Needed,
        images: usize,
        loader: &Loader,
        constants: &mut HashMap<usize, Array>,
        channels_last: bool,
    ) -> Result<Self, WeightsError> {
        let Needed { given, taps, left } = needed;
        let mut wanted: HashSet<usize> = taps.iter().map(|(_, value)| *value).chain(left.iter().copied()).collect();
        let mut kept = Vec::new();
        for step in compiled.steps.iter().filter(|step| range.contains(&step.at)).rev() {
            if !step.outputs.iter().any(|output| wanted.contains(output)) {
                continue;
            }
            let values = step.operands.iter().filter_map(|operand| match operand {
                Operand::Value(value) => Some(*value),
                Operand::Constant(_) => None,
            });
            wanted.extend(values);
            kept.push(step);
        }
        kept.reverse();
        let mut place: HashMap<usize, usize> = HashMap::new();
        let mut place_of = |value: usize| {
            let next = place.len();
            *place.entry(value).or_insert(next)
        };
        let shape =
            |value: usize| compiled.known[value].as_ref().map_or(vec![], |known: &Known| known.shape().to_vec());
        let given = given.into_iter().map(|value| (place_of(value), shape(value))).collect();
        let mut steps = Vec::new();
        for step in kept {
            let mut takes = Vec::new();
            for operand in &step.operands {
                takes.push(match operand {
                    Operand::Value(value) => Take::Place(place_of(*value)),
                    Operand::Constant(constant) => Take::Constant(Box::new(on_device(constant, loader, constants)?)),
                });
            }
            let puts = step.outputs.iter().map(|&value| place_of(value)).collect();
            steps.push(Step { run: (step.prepare)(loader)?, takes, puts, drops: Vec::new() });
        }
        let taps: Vec<(String, usize)> = taps.into_iter().map(|(name, value)| (name, place_of(value))).collect();
        let left: Vec<usize> = left.into_iter().map(&mut place_of).collect();
        let mut program = Self { images, given, steps, taps, left, places: place.len(), channels_last };
        program.drop_early();
        Ok(program)
    }

    /// Marks after which step each place is free.
    fn drop_early(&mut self) {
        let mut seen: HashSet<usize> = self.left.iter().copied().chain(self.taps.iter().map(|(_, at)| *at)).collect();
        for step in self.steps.iter_mut().rev() {
            let taken = step.takes.iter().filter_map(|take| match take {
                Take::Place(at) => Some(*at),
                Take::Constant(_) => None,
            });
            let all: Vec<usize> = taken.chain(step.puts.iter().copied()).collect();
            for at in all {
                if seen.insert(at) {
                    step.drops.push(at);
                }
            }
        }
    }

    /// Runs its number of images; each tap with its values.
    fn run(&self, batch: Vec<Tensor<2>>) -> (Vec<Tensor<2>>, Vec<(&str, Activations)>) {
        let mut values: Vec<Option<Array>> = vec![None; self.places];
        for ((at, shape), given) in self.given.iter().zip(batch) {
            let array = match (self.channels_last, &shape[..]) {
                (true, &[images, height, width, channels]) => {
                    let planes = [images, channels, height * width];
                    permuted(Array::new(given, &planes), &planes, &[0, 2, 1], shape)
                }
                _ => Array::new(given, shape),
            };
            values[*at] = Some(array);
        }
        for step in &self.steps {
            let takes = step.takes.iter().map(|take| match take {
                Take::Place(at) => values[*at].clone().expect("computed before it is taken"),
                Take::Constant(array) => Array::clone(array),
            });
            let outputs = (step.run)(takes.collect());
            for (&at, output) in step.puts.iter().zip(outputs) {
                values[at] = Some(output);
            }
            step.drops.iter().for_each(|&at| values[at] = None);
        }
        let get = |at: usize| values[at].clone().expect("computed");
        let taps = self.taps.iter().map(|(name, at)| (name.as_str(), activations(get(*at)))).collect();
        let rows = |array: Array| {
            let units = array.shape.iter().product::<usize>() / self.images;
            array.view([self.images, units])
        };
        (self.left.iter().map(|&at| rows(get(at))).collect(), taps)
    }
}

/// A constant on the device, one of each.
fn on_device(
    constant: &Rc<Constant>,
    loader: &Loader,
    constants: &mut HashMap<usize, Array>,
) -> Result<Array, WeightsError> {
    let key = constant.place();
    if let Some(array) = key.and_then(|key| constants.get(&key)) {
        return Ok(array.clone());
    }
    let array = Array::of(constant.values()?, &constant.shape, &loader.device);
    if let Some(key) = key {
        constants.insert(key, array.clone());
    }
    Ok(array)
}

/// What comes of images: maps, tokens, or rows of units.
fn activations(array: Array) -> Activations {
    let shape = array.shape.clone();
    match shape[..] {
        [images, channels, height, width] => Activations::Map(array.view([images, channels, height, width])),
        [images, tokens, dimensions] => Activations::Tokens(array.view([images, tokens, dimensions])),
        _ => {
            let units = shape[1..].iter().product();
            Activations::Vector(array.view([shape[0], units]))
        }
    }
}

impl GraphStage {
    pub fn new(program: Program) -> Self {
        Self { programs: vec![program] }
    }

    /// For another number of images.
    pub fn add(&mut self, program: Program) {
        self.programs.push(program);
    }

    /// Runs a batch through; a batch of another number of images than it was loaded for in parts, the last one filled up.
    pub fn forward(&self, batch: Vec<Activations>, taps: &mut Taps) -> Vec<Activations> {
        let images = batch[0].images();
        let flat: Vec<Tensor<2>> = batch.into_iter().map(Activations::flat).collect();
        if let Some(program) = self.programs.iter().find(|program| program.images == images) {
            let (left, seen) = program.run(flat);
            seen.iter().for_each(|(name, activations)| taps.tap(name, activations));
            return left.into_iter().map(Activations::Vector).collect();
        }
        let fitting =
            self.programs.iter().filter(|program| program.images <= images).max_by_key(|program| program.images);
        let program = fitting.unwrap_or(&self.programs[0]);
        let mut left: Vec<Vec<Activations>> = Vec::new();
        let mut seen: Vec<(&str, Vec<Activations>)> = Vec::new();
        for first in (0..images).step_by(program.images) {
            let count = program.images.min(images - first);
            let (part, tapped) =
                program.run(flat.iter().map(|x| filled(x.clone(), first, count, program.images)).collect());
            left.resize_with(part.len(), Vec::new);
            left.iter_mut().zip(part).for_each(|(parts, x)| parts.push(first_of(Activations::Vector(x), count)));
            for (n, (name, activations)) in tapped.into_iter().enumerate() {
                if seen.len() == n {
                    seen.push((name, Vec::new()));
                }
                seen[n].1.push(first_of(activations, count));
            }
        }
        seen.into_iter().for_each(|(name, parts)| taps.tap(name, &Activations::concatenate(parts, 0)));
        left.into_iter().map(|parts| Activations::concatenate(parts, 0)).collect()
    }
}

/// `count` images from `first` on, the last of them again until there are `images`.
fn filled(x: Tensor<2>, first: usize, count: usize, images: usize) -> Tensor<2> {
    let units = x.dims()[1];
    let part = x.slice([first..first + count, 0..units]);
    if count == images {
        return part;
    }
    let last = part.clone().slice([count - 1..count, 0..units]).repeat(&[images - count, 1]);
    Tensor::cat(vec![part, last], 0)
}

fn first_of(activations: Activations, count: usize) -> Activations {
    if activations.images() == count { activations } else { activations.split(count).swap_remove(0) }
}
