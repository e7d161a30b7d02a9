//! Names of layers and variables, alike for all releases of Keras.

use std::collections::BTreeSet;

use super::Variable;

/// The layer in a weight's name: of `block1_conv1/kernel:0` and `base/block1_conv1/kernel` it is `block1_conv1`.
pub(super) fn owner(weight: &str) -> Option<&str> {
    let (path, _) = weight.rsplit_once('/')?;
    path.rsplit('/').next()
}

/// The variable in a weight's name: `kernel` of `block1_conv1/kernel:0` (Keras 2), `block1_conv1/kernel` (Keras 3) and
/// `block1_conv1_W_1:0` (Keras 1).
pub(super) fn variable(layer: &str, weight: &str) -> String {
    let name = weight.rsplit('/').next().unwrap_or(weight);
    let name = name.split(':').next().unwrap_or(name);
    let name = name.strip_prefix(layer).and_then(|name| name.strip_prefix('_')).unwrap_or(name);
    let unnumbered = name.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('_').unwrap_or(name);
    match unnumbered {
        "W" => "kernel",
        "b" => "bias",
        "gamma" | "beta" | "moving_mean" | "moving_variance" => unnumbered,
        "running_mean" => "moving_mean",
        // Keras 1 gave the variance this name.
        "running_std" => "moving_variance",
        _ => name,
    }
    .to_string()
}

/// The names of a layer's variables by their position. `class` is the layer's in snake case, `ranks` are the variables'
/// numbers of dimensions, `uncentred` says of a batch normalisation that it has no beta.
pub(super) fn by_position(class: &str, ranks: &[usize], uncentred: bool) -> Vec<String> {
    let names: &[&str] = match (class, ranks) {
        ("batch_normalization", [1, 1, 1, 1]) => &["gamma", "beta", "moving_mean", "moving_variance"],
        ("batch_normalization", [1, 1]) => &["moving_mean", "moving_variance"],
        ("batch_normalization", [1, 1, 1]) if uncentred => &["gamma", "moving_mean", "moving_variance"],
        // Without a configuration this is a guess: a ReLU makes gamma superfluous, so that is what networks leave out.
        ("batch_normalization", [1, 1, 1]) => &["beta", "moving_mean", "moving_variance"],
        ("layer_normalization", [1, 1]) => &["gamma", "beta"],
        ("normalization", [_, _, 0]) => &["mean", "variance", "count"],
        ("separable_conv2d", [4, 4, ..]) => &["depthwise_kernel", "pointwise_kernel", "bias"],
        (_, [kernel, 1]) if *kernel > 1 => &["kernel", "bias"],
        (_, [kernel]) if *kernel > 1 => &["kernel"],
        _ => &[],
    };
    (0..ranks.len()).map(|place| names.get(place).map_or_else(|| place.to_string(), ToString::to_string)).collect()
}

/// Classes whose layers Keras names by counting them, if the network does not.
const COUNTED: [&str; 5] = ["conv2d", "batch_normalization", "dense", "depthwise_conv2d", "separable_conv2d"];

/// Counts automatic names anew, class by class: the lowest number becomes 1, as in a session that built nothing before.
pub(super) fn renumber(variables: &mut [Variable]) {
    for class in COUNTED {
        let numbers: BTreeSet<u64> = variables.iter().filter_map(|variable| number(class, &variable.layer)).collect();
        for variable in &mut *variables {
            if let Some(own) = number(class, &variable.layer) {
                variable.layer = format!("{class}_{}", numbers.range(..=own).count());
            }
        }
    }
}

/// The number in an automatic name: of `conv2d_95` it is 95, of `conv2d`, the first of all, 0.
fn number(class: &str, layer: &str) -> Option<u64> {
    let rest = layer.strip_prefix(class)?;
    if rest.is_empty() {
        return Some(0);
    }
    rest.strip_prefix('_').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}
