//! Networks as files hold them: a graph of ONNX operators, computed with this build's kernels.
//!
//! A graph is compiled for a number of images: shapes and all else that no image changes are computed then, on the host, and
//! what remains are steps on a device. It is cut into stages where a single value is alive, so that it runs as the built-in
//! networks do: all images of a group through one stage after the other.

mod compile;
mod convolutions;
mod elementwise;
mod fusion;
mod lowering;
mod modules;
mod moves;
mod norms;
mod operators;
mod products;
mod quantised;
mod ranks;
mod shapes;
mod stage;
mod value;
mod wiring;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::activations::Shape;
use super::blueprint::{Layer, StageSpec};
use super::stage::Stage;
use super::tokens::Token;
use crate::weights::WeightsError;
use crate::weights::onnx::model::Model;
use compile::{Compiled, Joining, Operand, compile};
use lowering::Loader;
use modules::{fits, modules};
pub(super) use stage::GraphStage;
use wiring::Wiring;

/// A number of images that no axis of a network is long by chance: what has it first has the images first.
const TRIAL_IMAGES: usize = 11;

/// Fewest modules at the top that are taken for layers where there are no blocks.
const FEWEST_AT_TOP: usize = 8;

/// A network of an ONNX file.
pub struct GraphNetwork {
    wiring: Wiring,
    /// Height and width of the images.
    pub size: usize,
    /// Whether it takes them as `[images, height, width, 3]`.
    channels_last: bool,
    /// Images that go in at once, if the file says how many.
    images: Option<usize>,
    /// In the order of computation; those of `layers = "all"` are not on request.
    pub layers: Vec<Layer>,
    /// The values of the layers, and where each is computed.
    places: Vec<(usize, usize)>,
    /// The first node of every stage but the first.
    cuts: Vec<usize>,
    /// The stages, with all layers.
    pub stages: Vec<StageSpec>,
    /// The output with a unit for every class, if there is one.
    pub classifier: Option<String>,
    /// Bytes of the weights.
    pub weight_bytes: u64,
}

impl GraphNetwork {
    /// Opens a file, for images of `size` where it does not say.
    ///
    /// # Errors
    /// It cannot be read, computes with operators that this build has not (all of them are named), or takes something else
    /// than images.
    pub fn open(path: &Path, size: Option<usize>) -> Result<Self, WeightsError> {
        let model = Model::open(path)?;
        let refused = |problem: String| WeightsError::Graph { path: path.into(), problem };
        let lengths = model.inputs.first().and_then(|(_, lengths)| lengths.clone());
        let wiring = Wiring::new(model).map_err(refused)?;
        if let Some(missing) = wiring.missing() {
            return Err(refused(missing));
        }
        let (images, channels_last, size) = image(lengths, size).map_err(refused)?;
        let trial = images.unwrap_or(TRIAL_IMAGES);
        let compiled = compile(&wiring, &input_shape(trial, channels_last, size), None)?;
        Ok(Self::of(wiring, &compiled, trial, (images, channels_last, size)))
    }

    fn of(
        wiring: Wiring,
        compiled: &Compiled,
        trial: usize,
        (images, channels_last, size): (Option<usize>, bool, usize),
    ) -> Self {
        // Of values that have the images first, what one image's are.
        let shape = |value: usize| match compiled.known[value].as_ref()? {
            value::Known::Computed(shape) if shape.first() == Some(&trial) && shape.len() > 1 => {
                Some(image_shape(&shape[1..]))
            }
            _ => None,
        };
        let weighted: HashSet<usize> =
            compiled.steps.iter().filter(|step| step.multiply_adds > 0).map(|step| step.at).collect();
        let (layers, places) = layers(&wiring, shape, &weighted);
        let cuts = cuts(&wiring, compiled, shape, &weighted);
        let ends = cuts.iter().copied().chain([wiring.nodes()]);
        let mut first = 0;
        let stages = ends.map(|end| {
            let within = first..std::mem::replace(&mut first, end);
            let within = within.start..end;
            let multiply_adds = compiled.steps.iter().filter(|step| within.contains(&step.at));
            let carried: Vec<Shape> = match end == wiring.nodes() {
                true => wiring.results.iter().filter_map(|&value| shape(value)).collect(),
                false => alive(&wiring, compiled, end).into_iter().filter_map(shape).collect(),
            };
            let carried = if carried.is_empty() { vec![Shape::Vector([1])] } else { carried };
            StageSpec {
                carried,
                layers: layers
                    .iter()
                    .zip(&places)
                    .filter(|(_, (_, at))| within.contains(at))
                    .map(|(layer, _)| layer.clone())
                    .collect(),
                multiply_adds: multiply_adds.map(|step| step.multiply_adds).sum::<u64>() / trial as u64,
            }
        });
        let stages = stages.collect();
        let result =
            |&&value: &&usize| shape(value).is_some_and(|shape| shape == Shape::Vector([crate::imagenet::CLASSES]));
        let classifier = wiring.results.iter().find(result).and_then(|value| {
            let at = places.iter().position(|(layer, _)| layer == value)?;
            Some(layers[at].name.clone())
        });
        let weights: usize = compiled.steps.iter().map(|step| step.weights).sum();
        Self {
            weight_bytes: 4 * weights as u64,
            wiring,
            size,
            channels_last,
            images,
            layers,
            places,
            cuts,
            stages,
            classifier,
        }
    }

    /// The files it is of.
    pub fn files(&self) -> Vec<PathBuf> {
        self.wiring.model.files()
    }

    /// What is tested of its layers of tokens unless the configuration says otherwise: the first where it is one more than the
    /// patches of a square, as a class token is, else their mean.
    pub fn token(&self) -> Token {
        let tokens = self.layers.iter().filter(|layer| !layer.on_request).find_map(|layer| match layer.shape {
            Shape::Tokens([tokens, _]) => Some(tokens),
            _ => None,
        });
        let is_square = |count: usize| count.isqrt().pow(2) == count;
        if tokens.is_some_and(|tokens| tokens > 1 && is_square(tokens - 1)) { Token::Cls } else { Token::Mean }
    }

    /// How many nodes of which operators, and what it takes.
    pub fn summary(&self) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        (0..self.wiring.nodes()).for_each(|node| *counts.entry(self.wiring.operator(node)).or_default() += 1);
        let counts: Vec<String> = counts.iter().map(|(operator, count)| format!("{operator} {count}")).collect();
        let images = self.images.map_or("any number of".to_string(), |images| images.to_string());
        format!(
            "{images} images of {0} x {0}, opset {1}, {2} nodes: {3}",
            self.size,
            self.wiring.model.opset,
            self.wiring.nodes(),
            counts.join(", ")
        )
    }

    /// The layer of a name.
    fn place(&self, name: &str) -> Option<usize> {
        self.layers.iter().position(|layer| layer.name == name)
    }

    /// The layers that names and patterns (`blocks.*.mlp`) mean, in the order of computation.
    ///
    /// # Errors
    /// The first that means none.
    pub fn named(&self, names: &[String]) -> Result<Vec<String>, String> {
        let fitting = |name: &String| self.layers.iter().any(|layer| fits(name, &layer.name));
        if let Some(unknown) = names.iter().find(|name| self.place(name).is_none() && !fitting(name)) {
            return Err(unknown.clone());
        }
        let meant = |layer: &&Layer| names.iter().any(|name| fits(name, &layer.name));
        Ok(self.layers.iter().filter(meant).map(|layer| layer.name.clone()).collect())
    }

    /// Builds the first `stages` stages on a device, for batches of `sizes` images; `wanted` are the layers that are tapped.
    ///
    /// # Errors
    /// A weight that is not finite or cannot be read.
    pub fn load(
        &self,
        stages: usize,
        wanted: &[String],
        sizes: &[usize],
        device: &Device,
    ) -> Result<Vec<Stage>, WeightsError> {
        let values: HashSet<usize> = wanted.iter().filter_map(|name| Some(self.places[self.place(name)?].0)).collect();
        let joining = Joining { wanted: values.clone(), cuts: self.cuts.clone() };
        let loader = Loader::new(device);
        let mut built: Vec<stage::GraphStage> = Vec::new();
        let sizes: Vec<usize> = match self.images {
            Some(images) => vec![images],
            None => sizes.to_vec(),
        };
        let mut constants = HashMap::new();
        for images in sizes {
            let compiled = compile(&self.wiring, &input_shape(images, self.channels_last, self.size), Some(&joining))?;
            let ends: Vec<usize> = self.cuts.iter().copied().chain([self.wiring.nodes()]).collect();
            let mut first = 0;
            for (n, end) in ends.into_iter().enumerate().take(stages) {
                let range = std::mem::replace(&mut first, end)..end;
                let taps = self.layers.iter().zip(&self.places);
                let taps = taps.filter(|(layer, (_, at))| range.contains(at) && wanted.contains(&layer.name));
                let taps = taps.map(|(layer, (value, _))| (layer.name.clone(), *value)).collect();
                let needed = Needed {
                    given: if n == 0 { vec![self.wiring.image] } else { alive(&self.wiring, &compiled, range.start) },
                    taps,
                    left: if end == self.wiring.nodes() {
                        self.wiring.results.clone()
                    } else {
                        alive(&self.wiring, &compiled, end)
                    },
                };
                let program = stage::Program::load(
                    &compiled,
                    range,
                    needed,
                    images,
                    &loader,
                    &mut constants,
                    self.channels_last && n == 0,
                )?;
                match built.get_mut(n) {
                    Some(stage) => stage.add(program),
                    None => built.push(stage::GraphStage::new(program)),
                }
            }
        }
        Ok(built.into_iter().map(Stage::of_graph).collect())
    }
}

/// The values of a stage.
struct Needed {
    /// What comes in.
    given: Vec<usize>,
    /// The layers tapped.
    taps: Vec<(String, usize)>,
    /// What leaves it.
    left: Vec<usize>,
}

/// How many images at once, whether their channels are last, and their size.
fn image(lengths: Option<Vec<Option<usize>>>, size: Option<usize>) -> Result<(Option<usize>, bool, usize), String> {
    let takes = |found: &str| format!("takes {found}, expected images [images, 3, height, width]");
    let lengths = lengths.ok_or_else(|| takes("an input of unknown shape"))?;
    let &[images, a, b, c] = &lengths[..] else { return Err(takes(&format!("an input of {} axes", lengths.len()))) };
    let (channels_last, sides) = match (a, c) {
        (Some(3), _) => (false, [b, c]),
        (_, Some(3)) => (true, [a, b]),
        (None, _) => (false, [b, c]),
        _ => return Err(takes(&format!("{lengths:?}"))),
    };
    let said = match sides {
        [Some(height), Some(width)] if height != width => return Err(takes(&format!("{height} x {width} pixels"))),
        [height, width] => height.or(width),
    };
    match (said, size) {
        (Some(said), Some(size)) if said != size => {
            Err(format!("takes images of {said} x {said} pixels, and network.input.size is {size}; remove it"))
        }
        (Some(size), _) | (None, Some(size)) => Ok((images, channels_last, size)),
        (None, None) => Err("does not say the size of its images; set network.input.size".into()),
    }
}

fn input_shape(images: usize, channels_last: bool, size: usize) -> [usize; 4] {
    if channels_last { [images, size, size, 3] } else { [images, 3, size, size] }
}

fn image_shape(shape: &[usize]) -> Shape {
    match *shape {
        [channels, height, width] => Shape::Map([channels, height, width]),
        [tokens, dimensions] => Shape::Tokens([tokens, dimensions]),
        _ => Shape::Vector([shape.iter().product()]),
    }
}

/// The values before `cut` that are needed from it on, in the order of computation.
fn alive(wiring: &Wiring, compiled: &Compiled, cut: usize) -> Vec<usize> {
    let mut alive = Vec::new();
    let computed = |value: usize| compiled.known[value].as_ref().is_some_and(value::Known::is_computed);
    let before = (0..cut).flat_map(|node| wiring.outputs[node].iter().copied());
    for value in [wiring.image].into_iter().chain(before) {
        let later = wiring.takers[value].iter().any(|&taker| taker >= cut && matters(wiring, compiled, taker));
        if computed(value) && later && !alive.contains(&value) {
            alive.push(value);
        }
    }
    alive
}

/// Whether what a node computes is of the images; shapes are not.
fn matters(wiring: &Wiring, compiled: &Compiled, node: usize) -> bool {
    wiring.outputs[node].iter().any(|&output| match &compiled.known[output] {
        Some(known) => known.is_computed(),
        // Joined into another step.
        None => true,
    })
}

/// Where a graph is cut: right before a convolution or product with weights, where one value is alive.
fn cuts(
    wiring: &Wiring,
    compiled: &Compiled,
    shape: impl Fn(usize) -> Option<Shape>,
    weighted: &HashSet<usize>,
) -> Vec<usize> {
    let nodes = wiring.nodes();
    // For every value, the last node that takes it; a difference array counts those alive at each node.
    let mut changes = vec![0i64; nodes + 1];
    let mut single: Vec<Option<usize>> = vec![None; nodes + 1];
    let mut spans = Vec::new();
    for (value, known) in compiled.known.iter().enumerate() {
        if !known.as_ref().is_some_and(value::Known::is_computed) {
            continue;
        }
        let made = wiring.maker[value].map_or(0, |node| node + 1);
        let takers = wiring.takers[value].iter().filter(|&&taker| matters(wiring, compiled, taker));
        let last = takers.max().copied();
        let last = if wiring.results.contains(&value) { Some(nodes - 1) } else { last };
        if let Some(last) = last.filter(|&last| last >= made) {
            changes[made] += 1;
            changes[last + 1] -= 1;
            spans.push((made, last, value));
        }
    }
    let mut count = 0;
    let counts: Vec<i64> = changes
        .iter()
        .map(|change| {
            count += change;
            count
        })
        .collect();
    for &(made, last, value) in &spans {
        for cut in made..=last {
            if counts[cut] == 1 {
                single[cut] = Some(value);
            }
        }
    }
    let mut before: Vec<usize> = weighted.iter().copied().collect();
    before.sort_unstable();
    // What stands between two products goes with the first, as far as one value is alive.
    let starts = before.windows(2).filter_map(|pair| {
        (pair[0] + 1..=pair[1]).rev().find(|&cut| single[cut].is_some_and(|value| shape(value).is_some()))
    });
    let mut cuts: Vec<usize> = starts.collect();
    cuts.dedup();
    cuts
}

/// All layers and the values they are of, in the order of computation.
fn layers(
    wiring: &Wiring,
    shape: impl Fn(usize) -> Option<Shape>,
    weighted: &HashSet<usize>,
) -> (Vec<Layer>, Vec<(usize, usize)>) {
    let modules = modules(wiring, |value| shape(value).is_some(), |node| weighted.contains(&node));
    // What follows a convolution or product up to the end of its activation.
    let activated: HashSet<usize> =
        weighted.iter().map(|&node| after_activation(wiring, wiring.outputs[node][0])).collect();
    let has_blocks = modules.iter().any(|module| module.is_block);
    let at_top = modules.iter().filter(|module| !module.path.contains('.')).count() >= FEWEST_AT_TOP;
    let mut found: Vec<(usize, String, bool)> = Vec::new();
    for module in modules.iter() {
        let asked = match (has_blocks, at_top) {
            (true, _) => module.is_block,
            (false, true) => !module.path.contains('.'),
            (false, false) => activated.contains(&module.output),
        };
        let asked = asked || wiring.results.contains(&module.output);
        let twice = found.iter().any(|(value, _, all)| *value == module.output && *all);
        found.push((module.output, module.path.clone(), asked && !twice));
    }
    let any = found.iter().any(|(.., all)| *all);
    for (value, name) in wiring.names.iter().enumerate() {
        let result = wiring.results.contains(&value);
        if value == wiring.image || shape(value).is_none() || found.iter().any(|(_, known, _)| known == name) {
            continue;
        }
        let twice = found.iter().any(|(other, _, all)| *other == value && *all);
        found.push((value, name.clone(), !twice && (result || !any && activated.contains(&value))));
    }
    let at = |value: usize| wiring.maker[value].unwrap_or(0);
    found.sort_by_key(|&(value, ..)| at(value));
    let layer = |(value, name, all): &(usize, String, bool)| Layer {
        name: name.clone(),
        label: name.clone(),
        shape: shape(*value).expect("a layer has images first"),
        on_request: !all,
    };
    (found.iter().map(layer).collect(), found.iter().map(|&(value, ..)| (value, at(value))).collect())
}

/// The value after the bias and activation that alone take `value`.
fn after_activation(wiring: &Wiring, mut value: usize) -> usize {
    const PASSING: &[&str] =
        &["Add", "BatchNormalization", "Relu", "Clip", "Sigmoid", "HardSwish", "Gelu", "LeakyRelu", "Tanh"];
    while let [taker] = wiring.takers[value][..] {
        let operator = wiring.operator(taker);
        let computed = |input: &Option<usize>| input.is_some_and(|input| wiring.maker[input].is_some());
        let alone = wiring.inputs[taker].iter().filter(|input| computed(input)).count() == 1;
        if !PASSING.contains(&operator) || operator == "Add" && !alone {
            break;
        }
        value = wiring.outputs[taker][0];
    }
    value
}

#[cfg(test)]
mod tests;
