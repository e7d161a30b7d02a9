//! Stages with their weights on the device: one interpreter for all networks.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use burn::tensor::{Device, Tensor};

use super::activations::{Activations, together};
use super::blueprint::{Blueprint, Joined};
use super::graph::GraphStage;
use super::operation::{Function, Kernel};
use super::tokens::Token;
use crate::kernels::Separable;
use crate::kernels::join::Joint;
use crate::weights::{Parameters, WeightsError};

/// Most that an activation inside a stage takes on the CPU: larger ones the allocator (glibc: from 32 MiB on) returns to
/// the system after each operation, whose page faults then cost more than the arithmetic.
const INNER_BYTES: usize = 16 << 20;

/// A batch of images between two stages: everything that later stages take.
#[derive(Clone, Debug)]
pub struct Batch(Vec<Activations>);

impl Batch {
    /// Of prepared images, `[images, 3, height, width]`.
    pub fn of(images: Tensor<4>) -> Self {
        Self(vec![Activations::Map(images)])
    }

    /// `count` at a time behind one another; fewer at the end.
    ///
    /// # Panics
    /// If they are not of one place in a network.
    pub fn join(batches: Vec<Self>, count: usize) -> Vec<Self> {
        if count == 1 {
            return batches;
        }
        let mut batches = batches.into_iter().peekable();
        let mut joined = Vec::new();
        while batches.peek().is_some() {
            joined.push(Self(together(batches.by_ref().take(count).map(|Self(batch)| batch))));
        }
        joined
    }

    /// How many images.
    pub fn images(&self) -> usize {
        self.0[0].images()
    }

    /// Activations of an image.
    pub fn units(&self) -> usize {
        self.0.iter().map(|activations| activations.shape().units()).sum()
    }

    /// What was computed last.
    pub fn last(mut self) -> Activations {
        self.0.pop().expect("something is carried")
    }
}

/// Collects the layers that are wanted while a batch runs through a stage.
#[derive(Default)]
pub struct Taps {
    wanted: Vec<String>,
    token: Token,
    seen: Vec<(String, Tensor<2>)>,
}

impl Taps {
    /// Keeps the named layers.
    pub fn new(wanted: impl IntoIterator<Item = String>) -> Self {
        Self { wanted: wanted.into_iter().collect(), ..Self::default() }
    }

    /// Of layers of tokens keeps what is said.
    pub fn of(self, token: Token) -> Self {
        Self { token, ..self }
    }

    /// Takes what was kept, each `[images, units]`, in the order of computation.
    pub fn take(&mut self) -> Vec<(String, Tensor<2>)> {
        std::mem::take(&mut self.seen)
    }

    /// Whether a layer is wanted.
    pub(super) fn wants(&self, layer: &str) -> bool {
        self.wanted.iter().any(|name| name == layer)
    }

    pub(super) fn tap(&mut self, layer: &str, activations: &Activations) {
        if self.wants(layer) {
            self.seen.push((layer.to_string(), self.token.of(activations.clone()).flat()));
        }
    }
}

/// A stage with its weights on the device.
pub struct Stage(Kind);

enum Kind {
    Drawn(Drawn),
    Graph(GraphStage),
}

impl Stage {
    /// The nodes of `range`.
    pub(super) fn load(
        blueprint: &Blueprint,
        range: Range<usize>,
        parameters: &mut Parameters,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        Ok(Self(Kind::Drawn(Drawn::load(blueprint, range, parameters, device)?)))
    }

    /// Of a file's graph.
    pub(super) fn of_graph(stage: GraphStage) -> Self {
        Self(Kind::Graph(stage))
    }

    /// Runs a batch through; the layers wanted are kept by `taps`.
    pub fn forward(&self, batch: Batch, taps: &mut Taps) -> Batch {
        match &self.0 {
            Kind::Drawn(stage) => stage.forward(batch, taps),
            Kind::Graph(stage) => Batch(stage.forward(batch.0, taps)),
        }
    }

    /// Of a drawn network.
    #[cfg(test)]
    fn drawn(&self) -> &Drawn {
        let Kind::Drawn(stage) = &self.0 else { panic!("of a graph") };
        stage
    }
}

/// A stage of a network that is drawn.
///
/// Its values have places: first what comes in, then what each step computes.
struct Drawn {
    steps: Vec<Step>,
    /// The places of what leaves it, and their layers.
    outputs: Vec<(usize, Option<String>)>,
    /// Images at once on the CPU, that what is inside and larger than what leaves stays small.
    part: usize,
}

struct Step {
    kernel: Kernel,
    role: Role,
    /// Places, and whether nothing later takes what is there.
    inputs: Vec<(usize, bool)>,
    /// Unless it leaves the stage.
    layer: Option<String>,
}

/// What is done with what a step computes.
#[derive(Debug, PartialEq)]
pub(super) enum Role {
    /// A value by itself.
    Value,
    /// Channels of a concatenation, from a first one on, written where they belong; and its shape.
    Part { of: usize, first: usize, shape: [usize; 3] },
    /// A concatenation, of parts and of the inputs whose first channels these are.
    Join { of: usize, firsts: Vec<usize> },
}

impl Drawn {
    /// The nodes of `range`.
    fn load(
        blueprint: &Blueprint,
        range: Range<usize>,
        parameters: &mut Parameters,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let (nodes, last_use) = (&blueprint.nodes, blueprint.last_use());
        let layer = |node: usize| nodes[node].layer.as_ref().map(|layer| layer.name.clone());
        let (given, left) = (blueprint.alive(range.start), blueprint.alive(range.end));
        let mut places: HashMap<usize, usize> = given.iter().enumerate().map(|(place, &node)| (node, place)).collect();
        let (mut steps, mut inside, mut parts) = (Vec::new(), 0, HashSet::new());
        for at in range.clone() {
            // The image, and what was joined to a node before.
            if places.contains_key(&at) {
                continue;
            }
            let Some((kernel, joined)) = kernel(blueprint, at, range.end, parameters, device)? else { continue };
            let outcome = joined.outcome();
            let leaves = left.contains(&outcome);
            let role = match &kernel {
                Kernel::Convolution(convolution) if convolution.joins() => blueprint.part(outcome, range.end),
                Kernel::Function(Function::Concatenate)
                    if nodes[at].inputs.iter().any(|input| parts.contains(input)) =>
                {
                    let firsts = blueprint.firsts(at).filter(|(input, _)| !parts.contains(input));
                    Role::Join { of: at, firsts: firsts.map(|(_, first)| first).collect() }
                }
                _ => Role::Value,
            };
            if let Role::Part { .. } = role {
                parts.insert(outcome);
            } else if !leaves {
                inside = inside.max(nodes[outcome].shape.units());
            }
            let inputs =
                nodes[at].inputs.iter().enumerate().filter(|(_, input)| !parts.contains(input)).map(|(n, input)| {
                    let again = nodes[at].inputs[n + 1..].contains(input);
                    (places[input], last_use[*input] == at && !again)
                });
            // The sum takes it, and nothing else after the convolution may.
            let summand = joined.summand.map(|node| {
                let takers = nodes[at + 1..].iter().filter(|later| later.inputs.contains(&node));
                (places[&node], takers.count() == 1)
            });
            let inputs = inputs.chain(summand).collect();
            places.extend(joined.nodes.iter().map(|&node| (node, given.len() + steps.len())));
            steps.push(Step { kernel, role, inputs, layer: layer(outcome).filter(|_| !leaves) });
        }
        let outside: usize = left.iter().map(|&node| nodes[node].shape.units()).sum();
        let part = if inside > outside { (INNER_BYTES / (inside * size_of::<f32>())).max(1) } else { usize::MAX };
        let output = |node: &usize| (places[node], layer(*node).filter(|_| range.contains(node)));
        Ok(Self { steps, outputs: left.iter().map(output).collect(), part })
    }

    /// Runs a batch through; the layers wanted are kept by `taps`.
    fn forward(&self, batch: Batch, taps: &mut Taps) -> Batch {
        let mut inner = self.steps.iter().filter_map(|step| step.layer.as_ref());
        let whole = batch.images() <= self.part
            || batch.0[0].device() != Device::flex()
            || inner.any(|layer| taps.wants(layer));
        let outputs = match whole {
            true => self.run(batch.0, taps),
            false => in_parts(batch.0, self.part, |part| self.run(part, &mut Taps::default())),
        };
        for ((_, layer), activations) in self.outputs.iter().zip(&outputs) {
            layer.iter().for_each(|layer| taps.tap(layer, activations));
        }
        Batch(outputs)
    }

    fn run(&self, given: Vec<Activations>, taps: &mut Taps) -> Vec<Activations> {
        let images = given[0].images();
        let mut values: Vec<Option<Activations>> = given.into_iter().map(Some).collect();
        let mut joints: HashMap<usize, Joint> = HashMap::new();
        for step in &self.steps {
            let inputs = step.inputs.iter().map(|&(place, last)| {
                let value = &mut values[place];
                if last { value.take() } else { value.clone() }.expect("dropped after its last use")
            });
            let outcome = match &step.role {
                Role::Value => Some(step.kernel.forward(inputs.collect())),
                Role::Part { of, first, shape: [channels, height, width] } => {
                    let joint = joints.entry(*of);
                    let joint = joint.or_insert_with(|| Joint::new([images, *channels, *height, *width]));
                    step.kernel.forward_into(inputs.collect(), joint, *first);
                    None
                }
                Role::Join { of, firsts } => {
                    let mut joint = joints.remove(of).expect("its parts came before");
                    inputs.zip(firsts).for_each(|(input, first)| joint.copy(&input.map(), *first));
                    Some(Activations::Map(joint.finish()))
                }
            };
            if let (Some(layer), Some(outcome)) = (&step.layer, &outcome) {
                taps.tap(layer, outcome);
            }
            values.push(outcome);
        }
        self.outputs.iter().map(|(place, _)| values[*place].take().expect("carried to later stages")).collect()
    }
}

/// Of the node `at` and what before `end` is done in the same pass, with the nodes that these are; none if there is nothing to
/// compute.
fn kernel(
    blueprint: &Blueprint,
    at: usize,
    end: usize,
    parameters: &mut Parameters,
    device: &Device,
) -> Result<Option<(Kernel, Joined)>, WeightsError> {
    let nodes = &blueprint.nodes;
    if *device == Device::flex()
        && let Some((convolutions, joined)) = blueprint.separable(at, end)
    {
        let parts = convolutions.iter().map(|&(node, activation)| nodes[node].operation.part(activation, parameters));
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        return Ok(Some((Kernel::Separable(Box::new(Separable::new(&parts))), joined)));
    }
    let joined = blueprint.joined(at, end);
    let kernel = nodes[at].operation.load(joined.summand.is_some(), joined.activation, parameters, device)?;
    Ok(kernel.map(|kernel| (kernel, joined)))
}

/// Runs so many images at once.
fn in_parts(
    batch: Vec<Activations>,
    images: usize,
    run: impl Fn(Vec<Activations>) -> Vec<Activations>,
) -> Vec<Activations> {
    let mut given: Vec<_> = batch.into_iter().map(|value| value.split(images).into_iter()).collect();
    let next = || given.iter_mut().map(Iterator::next).collect::<Option<Vec<_>>>();
    together(std::iter::from_fn(next).map(run))
}

#[cfg(test)]
mod tests;
