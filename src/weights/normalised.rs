//! A convolution and the batch normalization after it, as weights files keep them.
//!
//! Most files hold both; exporters (ONNX) may fold the normalization into the convolution's weight and bias and leave
//! none of it. A file is *folded* as a whole or not at all: a normalization is never assumed.

use super::{Kind, Names, Parameter, Variable};

/// In which files of a network a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// In all: it belongs to no normalised convolution.
    Plain,
    /// In all: weight or bias of a normalised convolution; in folded files with the normalization in it.
    Normalised,
    /// In folded files only: the bias of a convolution that has none of its own.
    FoldedBias,
    /// In files that are not folded: scale, shift, mean or variance of a batch normalization.
    Norm,
}

impl Part {
    /// Whether files hold it.
    pub fn is_in(self, folded: bool) -> bool {
        match self {
            Self::Plain | Self::Normalised => true,
            Self::FoldedBias => folded,
            Self::Norm => !folded,
        }
    }
}

/// A convolution and the batch normalization after it.
#[derive(Clone, Copy, Debug)]
pub struct Normalised<'a> {
    /// Canonical name of the convolution: `{conv}.weight`, `{conv}.bias`.
    pub conv: &'a str,
    /// Canonical name of the normalization: `{norm}.gamma`, `{norm}.beta`, `{norm}.mean`, `{norm}.var`.
    pub norm: &'a str,
    /// Shape of the weight: `[out, in / groups, height, width]`.
    pub shape: [usize; 4],
    /// Whether the convolution has a bias beside the normalization's shift (Keras ResNet).
    pub bias: bool,
    /// Whether the normalization has a scale (Keras Inception has none).
    pub scale: bool,
}

impl Normalised<'_> {
    /// Its parameters; exporters' folded tensors need [`Transform::None`](super::Transform::None).
    pub fn parameters(self, names: &Names) -> Vec<Parameter> {
        let Self { conv, norm, shape, bias, scale } = self;
        let vector = |layer: &str, name: &str, variable, kind, part| Parameter {
            name: format!("{layer}.{name}"),
            shape: vec![shape[0]],
            kind,
            sources: names.vector(variable),
            part,
        };
        let mut weight = Parameter::kernel(conv, &shape, names.kernel(&shape, 1));
        weight.part = Part::Normalised;
        let bias_part = if bias { Part::Normalised } else { Part::FoldedBias };
        let mut parameters = vec![weight, vector(conv, "bias", Variable::Bias, Kind::Bias, bias_part)];
        parameters.extend(scale.then(|| vector(norm, "gamma", Variable::Gamma, Kind::Scale, Part::Norm)));
        parameters.extend([
            vector(norm, "beta", Variable::Beta, Kind::Bias, Part::Norm),
            vector(norm, "mean", Variable::Mean, Kind::Bias, Part::Norm),
            vector(norm, "var", Variable::Var, Kind::Variance, Part::Norm),
        ]);
        parameters
    }
}

/// A batch normalization of one output behind a layer that adds `bias`, as what it multiplies by and what it adds: with
/// `s = gamma / sqrt(var + epsilon)`, `s` and `s (bias - mean) + beta`.
pub fn scale_and_shift([gamma, beta, mean, var]: [f64; 4], epsilon: f64, bias: f64) -> (f64, f64) {
    let scale = gamma / (var + epsilon).sqrt();
    (scale, (bias - mean) * scale + beta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::fixtures::Listing;
    use crate::weights::{Assignment, Ignored};

    const COUNTS: &[Ignored] = &[Ignored { prefix: "", suffix: ".num_batches_tracked", why: "counts training steps" }];

    fn block(bias: bool) -> Normalised<'static> {
        Normalised { conv: "a.conv", norm: "a.bn", shape: [4, 3, 1, 7], bias, scale: true }
    }

    /// The account of a file that holds the named tensors, kernels as `[4, 3, 1, 7]`, all else as `[4]`.
    fn account(parameters: &[Parameter], tensors: &[&str]) -> Assignment {
        let tensors = tensors.iter().map(|&name| match name {
            "c0.weight" | "c1.weight" => (name.to_string(), vec![4, 3, 1, 7]),
            "c0.kernel" | "c1.kernel" => (name.to_string(), vec![1, 7, 3, 4]),
            _ => (name.to_string(), vec![4]),
        });
        Assignment::of(parameters, COUNTS, &Listing(tensors.collect()))
    }

    fn two(names: impl Fn(&str, &str) -> Names, bias: bool) -> Vec<Parameter> {
        let second = Normalised { conv: "b.conv", norm: "b.bn", ..block(bias) };
        [block(bias).parameters(&names("c0", "n0")), second.parameters(&names("c1", "n1"))].concat()
    }

    fn torch() -> Vec<Parameter> {
        two(Names::torch_normalised, false)
    }

    fn keras() -> Vec<Parameter> {
        two(Names::keras_normalised, true)
    }

    const TORCH: [&str; 10] = [
        "c0.weight",
        "n0.weight",
        "n0.bias",
        "n0.running_mean",
        "n0.running_var",
        "c1.weight",
        "n1.weight",
        "n1.bias",
        "n1.running_mean",
        "n1.running_var",
    ];

    #[test]
    fn every_variable_is_listed_in_order() {
        let names = |parameters: Vec<Parameter>| parameters.into_iter().map(|p| p.name).collect::<Vec<_>>();
        let all = ["a.conv.weight", "a.conv.bias", "a.bn.gamma", "a.bn.beta", "a.bn.mean", "a.bn.var"];
        assert_eq!(names(block(true).parameters(&Names::keras_normalised("c", "n"))), all);
        let unscaled = Normalised { scale: false, ..block(false) }.parameters(&Names::torch_normalised("c", "n"));
        assert_eq!(names(unscaled), [&all[..2], &all[3..]].concat());
    }

    #[test]
    fn counters_are_ignored_and_said_to_be() {
        let account = account(&torch(), &[&TORCH[..], &["n1.num_batches_tracked"]].concat());
        assert!(account.is_complete() && !account.folded, "{account:?}");
        assert_eq!(account.ignored, [("n1.num_batches_tracked".to_string(), "counts training steps")]);
        assert_eq!(account.assigned.len(), 10);
    }

    #[test]
    fn a_folded_file_needs_weights_and_biases_only() {
        for (parameters, bias) in [(torch(), false), (keras(), true)] {
            let account = account(&parameters, &["c0.weight", "c0.bias", "c1.weight", "c1.bias"]);
            assert!(account.is_complete() && account.folded, "bias {bias}: {account:?}");
            let names: Vec<&str> = account.assigned.iter().map(|assigned| assigned.parameter.as_str()).collect();
            assert_eq!(names, ["a.conv.weight", "a.conv.bias", "b.conv.weight", "b.conv.bias"]);
        }
    }

    #[test]
    fn half_folded_files_are_refused() {
        let folded_first = account(&torch(), &[&["c0.weight", "c0.bias"], &TORCH[5..]].concat());
        assert!(!folded_first.folded);
        let reasons = folded_first.reasons().join("; ");
        assert!(reasons.contains("no tensor n0.running_var (for a.bn.var)"), "{reasons}");
        assert!(reasons.contains("c0.bias [4] belongs to no parameter"), "{reasons}");

        let one_bias = account(&torch(), &["c0.weight", "c0.bias", "c1.weight"]);
        assert!(!one_bias.folded && one_bias.norms_lost && !one_bias.is_complete());
        assert!(one_bias.reasons()[0].starts_with("no tensor of any batch normalization"), "{:?}", one_bias.reasons());
        assert!(!account(&torch(), &["another"]).norms_lost);
    }

    #[test]
    fn a_missing_normalization_is_never_assumed() {
        // Names alone, as PyTorch's exporter keeps them; and a Keras file whose normalizations were lost on the way.
        let names = account(&torch(), &["c0.weight", "c1.weight"]);
        assert!(!names.folded && names.norms_lost && !names.is_complete());
        let lost = account(&keras(), &["c0.kernel", "c0.bias", "c1.kernel", "c1.bias"]);
        assert!(!lost.folded, "{lost:?}");
        assert!(lost.reasons()[1].starts_with("no tensor n0/n0/gamma:0 (for a.bn.gamma)"), "{:?}", lost.reasons());
    }
}
