//! Which layer of a computation graph is which of the network, and with it which tensor fills which parameter.

use std::collections::HashMap;

use super::graph::{Graph, GraphLayer, Held};
use super::{Assigned, Assignment, Kind, Misshapen, Parameter, Part, Rule, Transform};

/// Compares a graph with the parameters of a network.
///
/// A layer's place in the graph decides which of the network's it is; its shape, and its name where it has one that the
/// network knows, must agree. Where the places do not fit, the account goes by names and says why not.
pub(super) fn account(parameters: &[Parameter], graph: &Graph) -> Assignment {
    let wanted = wanted(parameters);
    let layers = &graph.layers;
    let named = by_name(&wanted, layers);
    let mut account = Assignment::default();
    for norm in &graph.loose_norms {
        account.contradictions.push(format!("the batch normalization {norm} follows no convolution"));
    }

    let misfit = misfit(&wanted, layers);
    let mut pairs: Vec<Option<(usize, Rule)>> = vec![None; wanted.len()];
    match misfit {
        None => {
            for (at, (pair, named)) in pairs.iter_mut().zip(&named).enumerate() {
                if let Some(named) = named.filter(|&named| named != at) {
                    account.contradictions.push(format!(
                        "{} stands in the graph where the network has {}, expected {}",
                        layers[at].kernel.name, wanted[at].kernel.name, wanted[named].kernel.name
                    ));
                }
                *pair = Some((at, if named.is_some() { Rule::Name } else { Rule::Place }));
            }
        }
        Some(misfit) => {
            account.contradictions.push(misfit);
            for (at, named) in named.iter().enumerate() {
                if let Some(pair) = named.map(|named| &mut pairs[named]) {
                    pair.get_or_insert((at, Rule::Name));
                }
            }
        }
    }

    let found = || pairs.iter().zip(&wanted).filter_map(|(pair, wanted)| Some((&layers[(*pair)?.0], wanted)));
    let normalised = || found().filter(|(_, wanted)| wanted.is_normalised());
    let bare = normalised().next().is_some() && normalised().all(|(layer, _)| layer.norm.is_none());
    account.folded = bare && normalised().all(|(layer, _)| layer.bias.is_some());
    account.norms_lost = bare && !account.folded;

    let mut left: HashMap<&str, &Held> = layers.iter().flat_map(held).map(|held| (held.name.as_str(), held)).collect();
    for (pair, wanted) in pairs.iter().zip(&wanted) {
        for parameter in wanted.all().filter(|parameter| parameter.part.is_in(account.folded)) {
            let Some((held, rule)) = pair.and_then(|(at, rule)| Some((role(&layers[at], parameter)?, rule))) else {
                let expected = parameter.sources.first().map_or(String::new(), |(name, _)| name.clone());
                account.missing.push((parameter.name.clone(), expected));
                continue;
            };
            left.remove(held.name.as_str());
            match transform(&held.shape, &parameter.shape) {
                Some(transform) => {
                    let (parameter, tensor) = (parameter.name.clone(), held.name.clone());
                    account.assigned.push(Assigned { parameter, tensor, transform, rule });
                }
                None => account.misshapen.push(Misshapen {
                    parameter: parameter.name.clone(),
                    tensor: held.name.clone(),
                    found: held.shape.clone(),
                    expected: parameter.shape.clone(),
                }),
            }
        }
    }
    let unused = layers.iter().flat_map(held).filter(|held| left.contains_key(held.name.as_str()));
    account.unused = unused.map(|held| (held.name.clone(), held.shape.clone())).collect();
    // Without a misfit nothing is left over, and with one nothing says what is behind what.
    account.of_another_head = account.unused.is_empty();
    account
}

/// A layer of the network: its kernel and the parameters listed behind it.
struct Wanted<'a> {
    kernel: &'a Parameter,
    others: Vec<&'a Parameter>,
}

impl<'a> Wanted<'a> {
    fn all(&self) -> impl Iterator<Item = &'a Parameter> {
        std::iter::once(self.kernel).chain(self.others.iter().copied())
    }

    fn is_normalised(&self) -> bool {
        self.kernel.part == Part::Normalised
    }
}

fn wanted(parameters: &[Parameter]) -> Vec<Wanted<'_>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for parameter in parameters {
        match (parameter.kind, wanted.last_mut()) {
            (Kind::Kernel { .. }, _) | (_, None) => wanted.push(Wanted { kernel: parameter, others: vec![] }),
            (_, Some(layer)) => layer.others.push(parameter),
        }
    }
    wanted
}

/// Why the layers do not stand in the graph as in the network.
fn misfit(wanted: &[Wanted], layers: &[GraphLayer]) -> Option<String> {
    if layers.len() != wanted.len() {
        return Some(format!("the graph has {} layers with weights, the network {}", layers.len(), wanted.len()));
    }
    let (at, (layer, wanted)) = layers
        .iter()
        .zip(wanted)
        .enumerate()
        .find(|(_, (layer, wanted))| transform(&layer.kernel.shape, &wanted.kernel.shape).is_none())?;
    Some(format!(
        "layer {} of the graph, {}, has a kernel of shape {:?}, expected {:?} (for {})",
        at + 1,
        layer.kernel.name,
        layer.kernel.shape,
        wanted.kernel.shape,
        wanted.kernel.name
    ))
}

/// The network's layer that a graph's layer is called after.
fn by_name(wanted: &[Wanted], layers: &[GraphLayer]) -> Vec<Option<usize>> {
    let mut known = HashMap::new();
    for (at, wanted) in wanted.iter().enumerate() {
        // Keras 3's `layers/conv2d/vars/0` are places in a file.
        let names = wanted.kernel.sources.iter().map(|(name, _)| name).filter(|name| !name.starts_with("layers/"));
        known.extend(names.map(|name| (layer_of(name), at)));
    }
    let named = |layer: &GraphLayer| {
        let module = layer.module.as_deref().filter(|module| !is_counted(module))?;
        known.get(module).copied()
    };
    layers.iter().map(named).collect()
}

/// The layer in the name of a kernel: `conv/conv/kernel:0`, `conv.weight`, `conv_weight`.
fn layer_of(source: &str) -> &str {
    match source.split_once('/').or_else(|| source.rsplit_once('.')) {
        Some((layer, _)) => layer,
        None => source.strip_suffix("_weight").unwrap_or(source),
    }
}

/// Whether a name is a kind of layer and a number, which counts the layers of a Keras session, not of a network.
fn is_counted(name: &str) -> bool {
    let number = |rest: &str| rest.strip_prefix('_').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    ["conv2d", "dense"].iter().any(|kind| name.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || number(rest)))
}

fn held(layer: &GraphLayer) -> impl Iterator<Item = &Held> {
    let norm = layer.norm.iter().flat_map(|norm| &norm.tensors);
    std::iter::once(&layer.kernel).chain(&layer.bias).chain(norm)
}

/// The tensor of a layer that fills one of its parameters.
fn role<'a>(layer: &'a GraphLayer, parameter: &Parameter) -> Option<&'a Held> {
    let norm = |at: usize| layer.norm.as_ref().map(|norm| &norm.tensors[at]);
    match parameter.name.rsplit_once('.')?.1 {
        "weight" => Some(&layer.kernel),
        "bias" => layer.bias.as_ref(),
        "gamma" => norm(0),
        "beta" => norm(1),
        "mean" => norm(2),
        "var" => norm(3),
        _ => None,
    }
}

/// From a graph's tensor to the parameter: the same layout, or a convolution over the whole image for a dense layer.
fn transform(found: &[usize], expected: &[usize]) -> Option<Transform> {
    match (found, expected) {
        _ if found == expected => Some(Transform::None),
        (&[outs, inputs, height, width], &[out, input]) if height == width => {
            let all = inputs.checked_mul(height)?.checked_mul(width)?;
            (outs == out && all == input).then_some(Transform::Reshape { size: height })
        }
        _ => None,
    }
}
