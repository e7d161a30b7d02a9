//! A stage of a graph on a device.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::compile::{self, View};
use super::lowering::{Loader, Prepare, Run};
use super::places::{Places, permuted};
use super::value::{Array, Constant, Known};
use super::{Compiled, Needed, Operand};
use crate::nets::activations::{Activations, together};
use crate::nets::blueprint::Inside;
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
    /// The layers, and where their values lie in what is at a place.
    taps: Vec<(String, usize, Places)>,
    left: Vec<usize>,
    places: usize,
    /// What comes in is an image, and wanted with its channels last.
    channels_last: bool,
}

struct Step {
    run: Run,
    takes: Vec<Take<Box<Array>>>,
    puts: Vec<usize>,
    /// Places that nothing needs after it.
    drops: Vec<usize>,
}

enum Take<C> {
    /// A place, and the shape to take it in.
    Place(usize, Vec<usize>),
    Constant(C),
}

/// A stage for a number of images, before its weights are laid out on a device.
pub struct Layout<'a> {
    compiled: &'a Compiled<'a>,
    /// What comes in.
    given: Vec<usize>,
    place: HashMap<usize, usize>,
    /// How many values are at each place.
    units: Vec<usize>,
    steps: Vec<Planned<'a>>,
    taps: Vec<(String, usize, Places)>,
    left: Vec<usize>,
}

/// A step that is laid out.
struct Planned<'a> {
    does: Does<'a>,
    takes: Vec<Take<&'a Rc<Constant>>>,
    puts: Vec<usize>,
    drops: Vec<usize>,
}

enum Does<'a> {
    Computes(&'a Prepare),
    /// What lies at places of the only thing it takes, in a shape.
    Copies(Places, Vec<usize>),
}

impl<'a> Layout<'a> {
    /// The steps of the nodes in `range` that `needed` needs.
    pub(super) fn new(compiled: &'a Compiled, range: Range<usize>, needed: Needed) -> Self {
        let Needed { given, taps, left } = needed;
        let (steps, units) = (Vec::new(), Vec::new());
        let mut laid =
            Self { compiled, given, place: HashMap::new(), units, steps, taps: Vec::new(), left: Vec::new() };
        let wanted = taps.iter().map(|(_, value)| *value).chain(left.iter().copied());
        let kept = laid.kept(range, wanted.map(|value| laid.sourced(value)).collect());
        for n in 0..laid.given.len() {
            laid.place(laid.given[n]);
        }
        for step in kept {
            let mut takes = Vec::new();
            for operand in &step.operands {
                takes.push(match operand {
                    Operand::Value(value) => {
                        let (at, shape) = laid.taken(*value);
                        Take::Place(at, shape)
                    }
                    Operand::Constant(constant) => Take::Constant(constant),
                });
            }
            let puts = step.outputs.iter().map(|&value| laid.place(value)).collect();
            laid.steps.push(Planned { does: Does::Computes(&step.prepare), takes, puts, drops: Vec::new() });
        }
        for (name, value) in taps {
            let source = compiled.source(value, &laid.given);
            let places = source.map_or_else(|| Places::plain(&laid.shape(value)), |view| view.places.clone());
            let at = laid.place(laid.sourced(value));
            laid.taps.push((name, at, places));
        }
        for value in left {
            let at = laid.taken(value).0;
            laid.left.push(at);
        }
        laid.drop_early();
        laid
    }

    /// The value that a value's numbers are among.
    fn sourced(&self, value: usize) -> usize {
        self.compiled.source(value, &self.given).map_or(value, |view| view.of)
    }

    /// The steps that compute what is wanted.
    fn kept(&self, range: Range<usize>, mut wanted: HashSet<usize>) -> Vec<&'a compile::Step> {
        let mut kept = Vec::new();
        for step in self.compiled.steps.iter().filter(|step| range.contains(&step.at)).rev() {
            if !step.outputs.iter().any(|output| wanted.contains(output)) {
                continue;
            }
            let values = step.operands.iter().filter_map(|operand| match operand {
                Operand::Value(value) => Some(self.sourced(*value)),
                Operand::Constant(_) => None,
            });
            wanted.extend(values);
            kept.push(step);
        }
        kept.reverse();
        kept
    }

    fn place(&mut self, value: usize) -> usize {
        let next = self.place.len();
        let at = *self.place.entry(value).or_insert(next);
        if at == next {
            self.units.push(self.shape(value).iter().product());
        }
        at
    }

    fn shape(&self, value: usize) -> Vec<usize> {
        self.compiled.known[value].as_ref().map_or(vec![], |known: &Known| known.shape().to_vec())
    }

    /// The place a value is taken from, and in which shape; one that lies elsewhere is copied once.
    fn taken(&mut self, value: usize) -> (usize, Vec<usize>) {
        let shape = self.shape(value);
        let Some(View { of, places, .. }) = self.compiled.source(value, &self.given) else {
            return (self.place(value), shape);
        };
        let (places, of, root) = (places.clone(), self.shape(*of), self.place(*of));
        if places.is_plain(of.iter().product()) {
            return (root, shape);
        }
        if !self.place.contains_key(&value) {
            let puts = vec![self.place(value)];
            let does = Does::Copies(places, shape.clone());
            self.steps.push(Planned { does, takes: vec![Take::Place(root, of)], puts, drops: Vec::new() });
        }
        (self.place(value), shape)
    }

    /// Marks after which step each place is free.
    fn drop_early(&mut self) {
        let mut seen: HashSet<usize> =
            self.left.iter().copied().chain(self.taps.iter().map(|(_, at, _)| *at)).collect();
        for step in self.steps.iter_mut().rev() {
            let taken = step.takes.iter().filter_map(|take| match take {
                Take::Place(at, _) => Some(*at),
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

    /// How many values there are at once, at most, and how many the largest is of.
    pub fn most(&self) -> Inside {
        let given: HashSet<usize> = self.given.iter().map(|value| self.place[value]).collect();
        let mut now: usize = given.iter().map(|&at| self.units[at]).sum();
        let mut alive = now;
        for step in &self.steps {
            now += step.puts.iter().map(|&at| self.units[at]).sum::<usize>();
            alive = alive.max(now);
            now -= step.drops.iter().map(|&at| self.units[at]).sum::<usize>();
        }
        Inside { alive, largest: self.units.iter().copied().max().unwrap_or(0) }
    }

    /// Lays its weights out.
    ///
    /// # Errors
    /// A weight that is not finite or cannot be read.
    pub fn load(
        self,
        images: usize,
        loader: &Loader,
        constants: &mut HashMap<usize, Array>,
        channels_last: bool,
    ) -> Result<Program, WeightsError> {
        let given = self.given.iter().map(|&value| (self.place[&value], self.shape(value))).collect();
        let mut steps = Vec::new();
        for Planned { does, takes, puts, drops } in self.steps {
            let run = match does {
                Does::Computes(prepare) => prepare(loader)?,
                Does::Copies(places, to) => {
                    let copy = move |x: Array| Array::new(places.take(x.flat()), &to);
                    Arc::new(move |mut inputs: Vec<Array>| vec![copy(inputs.remove(0))]) as Run
                }
            };
            let takes = takes.into_iter().map(|take| match take {
                Take::Place(at, shape) => Ok(Take::Place(at, shape)),
                Take::Constant(constant) => Ok(Take::Constant(Box::new(on_device(constant, loader, constants)?))),
            });
            steps.push(Step { run, takes: takes.collect::<Result<_, WeightsError>>()?, puts, drops });
        }
        let (taps, left, places) = (self.taps, self.left, self.units.len());
        Ok(Program { images, given, steps, taps, left, places, channels_last })
    }
}

impl Program {
    /// Runs its number of images; each tap that is wanted with its values.
    fn run(&self, batch: Vec<Tensor<2>>, wants: &Taps) -> (Vec<Tensor<2>>, Vec<(&str, Activations)>) {
        let mut values: Vec<Option<Array>> = vec![None; self.places];
        for ((at, shape), given) in self.given.iter().zip(batch) {
            let array = match (self.channels_last, &shape[..]) {
                (true, &[images, height, width, channels]) => {
                    let planes = [images, channels, height * width];
                    permuted(Array::new(given, &planes), &[0, 2, 1]).reshaped(shape)
                }
                _ => Array::new(given, shape),
            };
            values[*at] = Some(array);
        }
        for step in &self.steps {
            let takes = step.takes.iter().map(|take| match take {
                Take::Place(at, shape) => values[*at].clone().expect("computed before it is taken").reshaped(shape),
                Take::Constant(array) => Array::clone(array),
            });
            let outputs = (step.run)(takes.collect());
            for (&at, output) in step.puts.iter().zip(outputs) {
                values[at] = Some(output);
            }
            step.drops.iter().for_each(|&at| values[at] = None);
        }
        let get = |at: usize| values[at].clone().expect("computed");
        let taps = self.taps.iter().filter(|(name, ..)| wants.wants(name)).map(|(name, at, places)| {
            let root = get(*at).flat();
            let plain = places.is_plain(root.dims()[0]);
            let array = Array::new(if plain { root } else { places.take(root) }, &places.shape);
            (name.as_str(), activations(array))
        });
        let taps = taps.collect();
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

    /// How many steps its first program has.
    #[cfg(test)]
    pub fn steps(&self) -> usize {
        self.programs[0].steps.len()
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
            let (left, seen) = program.run(flat, taps);
            seen.iter().for_each(|(name, activations)| taps.tap(name, activations));
            return left.into_iter().map(Activations::Vector).collect();
        }
        let fitting =
            self.programs.iter().filter(|program| program.images <= images).max_by_key(|program| program.images);
        let program = fitting.unwrap_or(&self.programs[0]);
        let (mut left, mut seen, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for first in (0..images).step_by(program.images) {
            let count = program.images.min(images - first);
            let (part, tapped) =
                program.run(flat.iter().map(|x| filled(x.clone(), first, count, program.images)).collect(), taps);
            left.push(part.into_iter().map(|x| first_of(Activations::Vector(x), count)).collect());
            let (of, activations): (Vec<&str>, Vec<_>) = tapped.into_iter().unzip();
            seen.push(activations.into_iter().map(|activations| first_of(activations, count)).collect());
            names = of;
        }
        names.iter().zip(together(seen)).for_each(|(name, activations)| taps.tap(name, &activations));
        together(left)
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

#[cfg(test)]
mod tests;
