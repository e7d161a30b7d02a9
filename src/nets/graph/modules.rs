//! Layers by the names of the program a graph was exported from: a module's output is a layer.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::operators::ELEMENTWISE;
use super::wiring::Wiring;
use crate::weights::onnx::proto::NodeProto;
use crate::weights::onnx::torch_scope;

/// Modules in one another, at most; what is in more has no module.
const DEEPEST_PATH: usize = 32;

/// A module of the program, by its path: `blocks.5.mlp`.
pub struct Module {
    /// Its path.
    pub path: String,
    /// The value that it gives to others, the last if it gives several.
    pub output: usize,
    /// Whether it is one of the blocks that `layers = "all"` means.
    pub is_block: bool,
}

/// The paths of the modules that a node says it is of, none at the top; two where a batch normalization is folded into a
/// convolution. `None` where nothing tells.
fn told(node: &NodeProto) -> Option<Vec<String>> {
    if let Some(scopes) = node.noted("pkg.torch.onnx.name_scopes") {
        // A list as Python writes it; the last is the operation itself.
        let mut scopes: Vec<&str> = scopes.split('\'').skip(1).step_by(2).collect();
        let operation = scopes.pop().unwrap_or_default();
        let module = scopes.pop().filter(|module| !module.is_empty() && !module.starts_with("_empty"));
        // Such a convolution has the scope of the normalization, and weights that are named after its own.
        let folded =
            operation.contains("batch_norm") && matches!(node.op_type.as_str(), "Conv" | "ConvTranspose" | "Gemm");
        let own = node.input(1).and_then(|weights| weights.strip_suffix(".weight")).filter(|_| folded);
        return Some(own.into_iter().chain(module).map(str::to_string).collect());
    }
    // A node that an optimizer put in place of others has a name of its own, and the value that the last of them had.
    let name = [&node.name].into_iter().chain(&node.output).find_map(|name| name.strip_prefix('/'))?;
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    Some(vec![torch_scope(&parts)].into_iter().filter(|module| !module.is_empty()).collect())
}

/// The paths of the modules that every node is of. One that does not say is of the module that those before and behind it
/// have in common.
fn paths(wiring: &Wiring) -> Vec<Vec<String>> {
    let told: Vec<Option<Vec<String>>> = wiring.model.nodes.iter().map(told).collect();
    let both = |path, other| shared(path, other, '.');
    let own = |node: usize| told[node].as_ref().map(|paths| paths.last().map_or("", String::as_str));
    let (mut before, mut behind): (Vec<Option<&str>>, Vec<Option<&str>>) =
        (vec![None; told.len()], vec![None; told.len()]);
    for node in 0..told.len() {
        let makers = wiring.inputs[node].iter().flatten().filter_map(|&value| before[wiring.maker[value]?]);
        before[node] = own(node).or_else(|| makers.reduce(both));
    }
    for node in (0..told.len()).rev() {
        let takers = wiring.outputs[node].iter().flat_map(|&value| &wiring.takers[value]);
        behind[node] = own(node).or_else(|| takers.filter_map(|&taker| behind[taker]).reduce(both));
    }
    let between = |node: usize| Some(both(before[node]?, behind[node]?)).filter(|path| !path.is_empty());
    let of_node = |(node, told): (usize, &Option<Vec<String>>)| match told {
        Some(paths) => paths.clone(),
        None => between(node).map(str::to_string).into_iter().collect(),
    };
    told.iter().enumerate().map(of_node).collect()
}

/// What two paths, of parts with a sign between them, begin with: the module, or the folder, that both are in.
pub fn shared<'a>(path: &'a str, other: &str, between: char) -> &'a str {
    let same = path.split(between).zip(other.split(between)).take_while(|(part, other)| part == other);
    let length: usize = same.map(|(part, _)| part.len() + 1).sum();
    &path[..length.saturating_sub(1)]
}

/// All modules whose output `is_layer`, in the order of computation.
///
/// A block is a module that is one of a list (its name ends in a number, and another of its list is computed from it or it
/// from that), has two convolutions or products with weights in it or more, and holds no such list itself, but lists of
/// parts. In a ResNet these are the residual blocks, in a transformer its layers, in a ConvNeXt or Swin the blocks
/// of all stages. One without a number that stands beside blocks, is computed from all of them and `is_passage` is a block
/// too, as `IT` is of CORnet, whose others are `V1`, `V2` and `V4`.
///
/// `weights` tells a node's, none where it has none, and `is_plain` a node that takes one computed value and constants: a module
/// of such nodes with one weight is a layer that the network computes again and again.
pub fn modules(
    wiring: &Wiring,
    is_layer: impl Fn(usize) -> bool,
    weights: impl Fn(usize) -> Option<usize>,
    is_plain: impl Fn(usize) -> bool,
    is_passage: impl Fn(usize) -> bool,
) -> Vec<Module> {
    let paths = paths(wiring);
    let paths = paths.iter().enumerate().flat_map(|(node, paths)| paths.iter().map(move |path| (node, path)));
    let mut nodes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (node, path) in paths.filter(|(_, path)| path.matches('.').count() <= DEEPEST_PATH) {
        for module in above(path).chain([path.as_str()]) {
            let of_module = nodes.entry(module).or_default();
            if of_module.last() != Some(&node) {
                of_module.push(node);
            }
        }
    }
    let outputs: HashMap<&str, usize> = nodes
        .iter()
        .filter_map(|(path, nodes)| {
            let own: HashSet<usize> = nodes.iter().copied().collect();
            let leaves = |value: &usize| {
                wiring.results.contains(value) || wiring.takers[*value].iter().any(|taker| !own.contains(taker))
            };
            let values = nodes.iter().rev().flat_map(|&node| &wiring.outputs[node]).copied();
            Some((*path, values.filter(leaves).find(|&value| is_layer(value))?))
        })
        .collect();
    let of_layers = |path: &&str| {
        let weights: Vec<usize> = nodes[*path].iter().filter_map(|&node| weights(node)).collect();
        let is_one =
            || weights.iter().all(|weight| *weight == weights[0]) && nodes[*path].iter().all(|&node| is_plain(node));
        weights.len() >= 2 && !is_one()
    };
    let members: Vec<&str> = outputs.keys().copied().filter(|path| list(path).is_some()).filter(of_layers).collect();
    let mut lists: HashMap<String, HashMap<&str, Vec<&str>>> = HashMap::new();
    for path in &members {
        let (parent, pattern) = list(path).expect("a member of a list");
        lists.entry(pattern).or_default().entry(parent).or_default().push(path);
    }
    // Branches side by side are no list.
    let follow = |members: &Vec<&str>| {
        let mut members = members.clone();
        members.sort_by_key(|path| wiring.maker[outputs[path]]);
        members.windows(2).any(|pair| leads(wiring, outputs[pair[0]], &nodes[pair[1]]))
    };
    let are_lists: HashSet<&str> =
        lists.iter().filter(|(_, parents)| parents.values().any(follow)).map(|(pattern, _)| pattern.as_str()).collect();
    let pattern = |path: &str| list(path).expect("a member of a list").1;
    let mut members: HashSet<&str> =
        members.into_iter().filter(|path| are_lists.contains(pattern(path).as_str())).collect();
    let mut inside: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for path in &members {
        for whole in above(path).filter(|whole| members.contains(whole)) {
            inside.entry((whole, pattern(path))).or_default().push(path);
        }
    }
    let parts = inside.into_iter().filter(|((whole, _), members)| {
        let mut members = members.clone();
        members.sort_by_key(|path| wiring.maker[outputs[path]]);
        let members: Vec<&[usize]> = members.into_iter().map(|path| &nodes[path][..]).collect();
        are_parts(wiring, &nodes[whole], &members, &is_layer)
    });
    let parts: HashSet<String> = parts.map(|((_, pattern), _)| pattern).collect();
    members.retain(|path| !parts.contains(&pattern(path)));
    let holding: HashSet<&str> = members.iter().flat_map(|path| above(path)).collect();
    let listed = |path: &str| members.contains(path) && !holding.contains(path);
    let unnumbered =
        |path: &str| list(path).is_none() && of_layers(&path) && !holding.contains(path) && is_passage(outputs[path]);
    let behind = |path: &str| {
        let mut beside = members.iter().filter(|member| listed(member) && parent(member) == parent(path)).peekable();
        beside.peek().is_some() && beside.all(|member| leads(wiring, outputs[member], &nodes[path]))
    };
    let is_block = |path: &str| listed(path) || unnumbered(path) && behind(path);
    let mut modules: Vec<Module> = outputs
        .iter()
        .map(|(path, &output)| Module { path: path.to_string(), output, is_block: is_block(path) })
        .collect();
    let order = |module: &Module| (wiring.maker[module.output], module.path.matches('.').count(), module.path.clone());
    modules.sort_by_cached_key(order);
    modules
}

/// Whether a list that a module holds is of its parts: a sum leads past one of them (the two convolutions of a residual block),
/// or they are not computed one from the other (branches). What is concatenated past them stays what it is (DenseNet).
fn are_parts(wiring: &Wiring, whole: &[usize], members: &[&[usize]], is_layer: impl Fn(usize) -> bool) -> bool {
    let (Some(&first), Some(&last)) = (whole.first(), whole.last()) else { return false };
    // Members are counted from 1; a value is behind the last of those that it is computed from, or none.
    let counted = members.iter().zip(1..).flat_map(|(nodes, at)| nodes.iter().map(move |&node| (node, at)));
    let member: HashMap<usize, usize> = counted.collect();
    let mut behind: HashMap<usize, usize> = HashMap::new();
    let mut follow: HashSet<usize> = HashSet::from([1]);
    for node in (first..=last).filter(|&node| !matches!(wiring.operator(node), "Shape" | "Size")) {
        let place = |value: usize| behind.get(&value).copied().or_else(|| is_layer(value).then_some(0));
        let taken = || wiring.inputs[node].iter().flatten().copied();
        let Some(most) = taken().filter_map(place).max() else { continue };
        let now = match member.get(&node) {
            Some(&at) => {
                if taken().filter_map(place).any(|place| place + 1 == at) {
                    follow.insert(at);
                }
                at
            }
            None => {
                let past = || taken().filter(|&value| is_layer(value)).filter_map(place).any(|place| place < most);
                if ELEMENTWISE.contains(&wiring.operator(node)) && whole.binary_search(&node).is_ok() && past() {
                    return true;
                }
                most
            }
        };
        behind.extend(wiring.outputs[node].iter().map(|&output| (output, now)));
    }
    follow.len() < members.len()
}

/// The paths of the modules that a module is inside of.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('.').map(|(at, _)| &path[..at])
}

/// The path of the module that a module is directly inside of.
fn parent(path: &str) -> Option<&str> {
    above(path).last()
}

/// Whether a value is among what some of `nodes`, in order, are computed from.
fn leads(wiring: &Wiring, value: usize, nodes: &[usize]) -> bool {
    let (Some(&last), mut seen, mut next) = (nodes.last(), HashSet::new(), vec![value]) else { return false };
    while let Some(value) = next.pop() {
        for &taker in wiring.takers[value].iter().filter(|&&taker| taker <= last) {
            if nodes.binary_search(&taker).is_ok() {
                return true;
            }
            if seen.insert(taker) {
                next.extend(&wiring.outputs[taker]);
            }
        }
    }
    false
}

/// The list that a module is a member of: what comes before its number, and the same with all numbers left out.
fn list(path: &str) -> Option<(&str, String)> {
    let parent = path.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if parent.len() == path.len() {
        return None;
    }
    let pattern =
        path.split(|letter: char| letter.is_ascii_digit()).filter(|part| !part.is_empty()).collect::<Vec<_>>();
    Some((parent, pattern.join("*")))
}

/// Whether a name is what a pattern means, in which `*` stands for anything.
pub fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = pattern.rsplit('*').next().filter(|_| pattern.contains('*')) else { return rest.is_empty() };
    let count = pattern.matches('*').count();
    for part in parts.take(count - 1) {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        assert!(fits("blocks.*.mlp", "blocks.11.mlp") && fits("*", "") && fits("a*", "a") && fits("a*c*e", "abcde"));
        assert!(!fits("blocks.*.mlp", "blocks.11.mlp.fc1") && !fits("a", "ab") && !fits("a*b*c", "ac"));
        assert!(fits("blocks.3", "blocks.3") && !fits("blocks.*", "block.3"));
    }

    #[test]
    fn a_list_is_known_by_its_numbers() {
        assert_eq!(list("layer1.0"), Some(("layer1.", "layer*.".into())));
        assert_eq!(
            list("encoder.layers.encoder_layer_11"),
            Some(("encoder.layers.encoder_layer_", "encoder.layers.encoder_layer_".into()))
        );
        assert_eq!(list("blocks.3.mlp"), None);
    }
}
