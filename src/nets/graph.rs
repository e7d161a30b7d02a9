//! Networks as files hold them: a graph of ONNX operators, computed with this build's kernels.
//!
//! A graph is compiled for a number of images: shapes and all else that no image changes are computed then, on the host, and
//! what remains are steps on a device. It is cut into stages where a single value is alive, so that it runs as the built-in
//! networks do: all images of a group through one stage after the other.

mod affine;
mod attention;
mod batch;
mod bounds;
mod compile;
mod convolutions;
mod elementwise;
mod first;
mod functions;
mod fusion;
mod gated;
mod gathers;
mod largest;
mod layouts;
mod lowering;
mod mask;
mod modules;
mod moves;
mod norms;
mod operators;
mod patterns;
mod places;
mod products;
mod quantised;
mod ranks;
mod recurrent;
mod resize;
mod response;
mod rotary;
mod separable;
mod shapes;
mod spelt;
mod stage;
mod taps;
mod transposed;
mod value;
mod volumes;
mod wiring;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::ops::Range;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::activations::Shape;
use super::blueprint::{Inside, Layer, StageSpec};
use super::stage::Stage;
use super::tokens::Token;
use crate::weights::WeightsError;
use crate::weights::onnx::model::Model;
use bounds::LARGEST_SIDE;
use compile::{Compiled, Joining, Operand, compile};
use lowering::Loader;
use modules::fits;
pub(super) use stage::GraphStage;
use taps::{alive, alone, cuts, layers};
use value::Known;
use wiring::Wiring;

/// Images that a file of any number is compiled for where none are computed; more than one, to be told apart.
const TRIAL_IMAGES: usize = 11;

/// Most images that an exporter is shown, who may write their number into a file that says any; and so many that are tried though
/// no message names them.
const MOST_SHOWN: usize = 1024;
const USUALLY_SHOWN: usize = 16;

/// A network of an ONNX file.
pub struct GraphNetwork {
    wiring: Wiring,
    /// Height and width of the images.
    pub size: usize,
    /// Whether it takes them as `[images, height, width, 3]`.
    channels_last: bool,
    /// Images that go in at once, if the file says how many.
    pub images: Option<usize>,
    /// In the order of computation; those of `layers = "all"` are not on request.
    pub layers: Vec<Layer>,
    /// The values of the layers, and where each is computed.
    places: Vec<(usize, usize)>,
    /// The first node of every stage but the first.
    cuts: Vec<usize>,
    /// What the last stage leaves: of what comes out, some may be of no image, a constant or a number of the whole batch.
    left: Vec<usize>,
    /// Whether images lie apart in nothing that comes out.
    is_mixed: bool,
    /// The stages, with all layers.
    pub stages: Vec<StageSpec>,
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
        let wiring = spelt::out(model).and_then(Wiring::new).map_err(refused)?;
        if let Some(missing) = wiring.missing() {
            return Err(refused(missing));
        }
        let (images, channels_last, size) = image(lengths, size).map_err(refused)?;
        let of = |images: usize| compile(&wiring, &input_shape(images, channels_last, size), None);
        // Whether of so many images what comes out is of as many.
        let computes = |&images: &usize| {
            let first =
                |known: &Option<Known>| matches!(known, Some(Known::Computed(shape)) if shape.first() == Some(&images));
            of(images).is_ok_and(|compiled| wiring.results.iter().any(|&value| first(&compiled.known[value])))
        };
        let (compiled, images) = match of(images.unwrap_or(TRIAL_IMAGES)) {
            // Groups of images, as the frames of a film, may be any number of groups.
            Err(error) if images.is_none() => {
                let said = error.to_string();
                // What is refused of every number is not tried with each.
                let differs = of(1).map_or_else(|other| other.to_string() != said, |_| true);
                let mut written = written(&said).filter(|_| differs);
                let fixed = written.find(|images| computes(images) && !computes(&(2 * images)));
                let images = fixed.ok_or_else(|| of_images(error))?;
                (of(images)?, Some(images))
            }
            compiled => (compiled?, images),
        };
        if let Some(&value) = wiring.results.iter().find(|&&value| compiled.known[value].is_none()) {
            return Err(refused(format!("gives {:?}, which no node computes", wiring.names[value])));
        }
        Ok(Self::of(wiring.clone(), &compiled, (images, channels_last, size)))
    }

    fn of(wiring: Wiring, compiled: &Compiled, (images, channels_last, size): (Option<usize>, bool, usize)) -> Self {
        let trial = images.unwrap_or(TRIAL_IMAGES);
        // Of values that have the images first, what one image's are.
        let firsts = batch::firsts(&wiring, compiled, trial);
        let shape = |value: usize| match compiled.known[value].as_ref()? {
            Known::Computed(shape) if firsts[value] && shape.len() > 1 => Some(image_shape(&shape[1..])),
            _ => None,
        };
        let weighted: HashSet<usize> =
            compiled.steps.iter().filter(|step| step.multiply_adds > 0).map(|step| step.at).collect();
        let alone = alone(&wiring, compiled);
        let (layers, places) = layers(&wiring, compiled, &alone, shape, &weighted);
        let cuts = cuts(&alone, shape, &weighted, &separable::together(compiled, &weighted));
        let is_mixed = trial > 1 && !wiring.results.iter().any(|&value| firsts[value]);
        let left: Vec<usize> = wiring.results.iter().copied().filter(|&value| shape(value).is_some()).collect();
        let stages = ranges(&cuts, wiring.nodes()).map(|within| {
            let multiply_adds = compiled.steps.iter().filter(|step| within.contains(&step.at));
            let carried: Vec<Shape> = match within.end == wiring.nodes() {
                true => left.iter().copied().filter_map(shape).collect(),
                false => alive(&wiring, compiled, within.end).into_iter().filter_map(shape).collect(),
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
                inside: Inside::default(),
            }
        });
        let stages = stages.collect();
        let weights: usize = compiled.steps.iter().map(|step| step.weights).sum();
        let weight_bytes = 4 * weights as u64;
        Self { weight_bytes, wiring, size, channels_last, images, layers, places, cuts, left, is_mixed, stages }
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
        if tokens.is_some_and(has_class) { Token::Cls } else { Token::Mean }
    }

    /// The layers, of those named, whose first token is no class token, with the number of their tokens.
    pub fn without_class<'a>(&'a self, named: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = (&'a str, usize)> {
        self.layers.iter().filter_map(move |layer| match layer.shape {
            Shape::Tokens([tokens, _]) if named(&layer.name) && !has_class(tokens) => {
                Some((layer.name.as_str(), tokens))
            }
            _ => None,
        })
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

    /// Names and shapes of the file's constants that are floating-point numbers.
    pub fn constants(&self) -> Vec<(String, Vec<usize>)> {
        let constants = self.wiring.model.constants.iter().filter(|constant| constant.is_float().is_ok());
        constants.map(|constant| (constant.name.clone(), constant.shape.clone())).collect()
    }

    /// The operator that computes each layer.
    pub fn operators(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|&(_, at)| self.wiring.operator(at))
    }

    /// The layers that come out, each of so many units.
    pub fn outputs(&self) -> Vec<&Layer> {
        let layer = |value: &usize| Some(&self.layers[self.places.iter().position(|(layer, _)| layer == value)?]);
        self.wiring.results.iter().filter_map(layer).collect()
    }

    /// Where the layers end before what comes out, why.
    pub fn doubt_of_images(&self) -> Option<String> {
        let results: Vec<&str> = self.wiring.results.iter().map(|&value| self.wiring.names[value].as_str()).collect();
        let last = self.layers.last().map_or("none", |layer| &layer.name);
        self.is_mixed.then(|| {
            format!(
                "nothing that comes out ({}) is computed image by image, along its first axis: what mixes the images of a batch \
                 is no layer, the last layer is {last}",
                results.join(", ")
            )
        })
    }

    /// The output with a unit for each of so many classes, if there is one.
    pub fn classifier(&self, classes: usize) -> Option<&str> {
        let output = self.outputs().into_iter().find(|layer| layer.shape == Shape::Vector([classes]))?;
        Some(&output.name)
    }

    /// Whether a node gives a value of this name, be it a layer or not.
    pub fn computes(&self, name: &str) -> bool {
        let value = self.wiring.names.iter().position(|value| value == name);
        value.is_some_and(|value| self.wiring.maker[value].is_some())
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
        Ok(self.programs(stages, wanted, sizes, device)?.into_iter().map(Stage::of_graph).collect())
    }

    /// As [`load`](Self::load), the stages as programs.
    fn programs(
        &self,
        stages: usize,
        wanted: &[String],
        sizes: &[usize],
        device: &Device,
    ) -> Result<Vec<GraphStage>, WeightsError> {
        let joining = self.joining(wanted, *device == Device::flex());
        let loader = Loader::new(device);
        let mut built: Vec<stage::GraphStage> = Vec::new();
        let sizes: Vec<usize> = match self.images {
            Some(images) => vec![images],
            None => sizes.to_vec(),
        };
        let mut constants = HashMap::new();
        for images in sizes {
            loader.images.set(images);
            let compiled = self.compiled(images, &joining)?;
            for (n, layout) in self.layouts(&compiled, wanted).take(stages).enumerate() {
                let program = layout.load(images, &loader, &mut constants, self.channels_last && n == 0)?;
                match built.get_mut(n) {
                    Some(stage) => stage.add(program),
                    None => built.push(stage::GraphStage::new(program)),
                }
            }
        }
        Ok(built)
    }

    /// What may be joined where `wanted` are the layers that are tapped.
    fn joining(&self, wanted: &[String], on_cpu: bool) -> Joining {
        let wanted = wanted.iter().filter_map(|name| Some(self.places[self.place(name)?].0)).collect();
        Joining { wanted, cuts: self.cuts.clone(), on_cpu }
    }

    fn compiled<'a>(&'a self, images: usize, joining: &'a Joining) -> Result<Compiled<'a>, WeightsError> {
        compile(&self.wiring, &input_shape(images, self.channels_last, self.size), Some(joining))
    }

    /// Every stage laid out.
    fn layouts<'a>(
        &'a self,
        compiled: &'a Compiled,
        wanted: &'a [String],
    ) -> impl Iterator<Item = stage::Layout<'a>> + 'a {
        // Of what is alive, what stands for it.
        let carried = move |cut: usize| {
            let mut values: Vec<usize> = Vec::new();
            for value in alive(&self.wiring, compiled, cut) {
                let value = compiled.carried(value);
                if !values.contains(&value) {
                    values.push(value);
                }
            }
            values
        };
        let mut given = vec![self.wiring.image];
        ranges(&self.cuts, self.wiring.nodes()).map(move |range| {
            let taps = self.layers.iter().zip(&self.places);
            let taps = taps.filter(|(layer, (_, at))| range.contains(at) && wanted.contains(&layer.name));
            let left = if range.end == self.wiring.nodes() { self.left.clone() } else { carried(range.end) };
            let needed = Needed {
                given: mem::replace(&mut given, left.clone()),
                taps: taps.map(|(layer, (value, _))| (layer.name.clone(), *value)).collect(),
                left,
            };
            stage::Layout::new(compiled, range, needed)
        })
    }

    /// What is inside each stage at once, per image, where `wanted` are the layers that are tapped.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn inside(&self, wanted: &[String]) -> Result<Vec<Inside>, WeightsError> {
        let images = self.images.unwrap_or(TRIAL_IMAGES);
        // The CPU joins more than a GPU; the one or the other holds more at once.
        let on = |on_cpu: bool| -> Result<Vec<Inside>, WeightsError> {
            let joining = self.joining(wanted, on_cpu);
            let compiled = self.compiled(images, &joining)?;
            Ok(self.layouts(&compiled, wanted).map(|layout| layout.most()).collect())
        };
        let most = |(a, b): (usize, usize)| a.max(b).div_ceil(images);
        let both = on(true)?.into_iter().zip(on(false)?);
        Ok(both
            .map(|(a, b)| Inside { alive: most((a.alive, b.alive)), largest: most((a.largest, b.largest)) })
            .collect())
    }
}

/// Whether so many tokens are a class token and the patches of a square.
fn has_class(tokens: usize) -> bool {
    tokens > 1 && (tokens - 1).isqrt().pow(2) == tokens - 1
}

/// Numbers of images that may be written into a file which is refused with this message.
fn written(said: &str) -> impl Iterator<Item = usize> {
    let named = said.split(|sign: char| !sign.is_ascii_digit()).filter_map(|number| number.parse().ok());
    (1..=USUALLY_SHOWN).chain(named.filter(|number| (USUALLY_SHOWN + 1..=MOST_SHOWN).contains(number)))
}

/// An error that calls the first axis of shapes by its name: nobody asked for that number of images.
fn of_images(error: WeightsError) -> WeightsError {
    /// What numbers follow on that are not of images.
    const SIZES: [&str; 10] = [
        "window of ",
        "windows of ",
        "steps of ",
        "map of ",
        "padded to ",
        "kernel of ",
        "kernel_shape = ",
        "pads = ",
        "bias of ",
        "scale of ",
    ];
    let WeightsError::Graph { path, problem } = error else { return error };
    let first = format!("[{TRIAL_IMAGES}");
    let mut parts = problem.split(&first);
    let mut named = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let is_shape = part.starts_with([',', ']']) && !SIZES.iter().any(|size| named.ends_with(size));
        named += if is_shape { "[images" } else { &first };
        named += part;
    }
    if problem.ends_with(&bounds::made(bounds::MOST_MADE)) {
        named += "; they are as many for every image: export the model for one at a time";
    }
    WeightsError::Graph { path, problem: named }
}

/// The nodes of each stage; `cuts` are the first ones of all but the first.
fn ranges(cuts: &[usize], nodes: usize) -> impl Iterator<Item = Range<usize>> {
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts.zip(cuts.iter().copied().chain([nodes])).map(|(start, end)| start..end)
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
        _ => {
            let length = |length: &Option<usize>| length.map_or("?".to_string(), |length| length.to_string());
            let lengths: Vec<String> = lengths.iter().map(length).collect();
            return Err(takes(&format!("an input of shape [{}]", lengths.join(", "))));
        }
    };
    let said = match sides {
        [Some(height), Some(width)] if height != width => return Err(takes(&format!("{height} x {width} pixels"))),
        [height, width] => height.or(width),
    };
    if let Some(size) = said.or(size).filter(|size| !(1..=LARGEST_SIDE).contains(size)) {
        return Err(takes(&format!("images of {size} x {size} pixels (1 to {LARGEST_SIDE})")));
    }
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

#[cfg(test)]
mod drawing;
#[cfg(test)]
mod tests;
