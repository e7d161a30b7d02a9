//! Which tensor of a weights file fills which parameter.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::{Parameter, Part, Transform, WeightsError, WeightsFile, placement};
use crate::wording::{counted, shell};

/// The full account of a weights file against a network's parameters: nothing is left out on either side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Parameters with their tensors, in the network's order.
    pub assigned: Vec<Assigned>,
    /// Parameters for which the file has no tensor: the name, and the name it was expected under.
    pub missing: Vec<(String, String)>,
    /// Tensors of the right name and another shape.
    pub misshapen: Vec<Misshapen>,
    /// Tensors that belong to no parameter, with their shapes.
    pub unused: Vec<(String, Vec<usize>)>,
    /// Whether those are of dense layers as another head's are: in the place of the one that is not there; in a module of their
    /// own that is called as heads are; in a file of Keras, which keeps the order of layers, behind all that is assigned.
    pub of_another_head: bool,
    /// Tensors that the network knowingly does without, and why.
    pub ignored: Vec<(String, &'static str)>,
    /// Whether the exporter folded batch normalization into the convolutions.
    pub folded: bool,
    /// Whether the file has convolutions but no batch normalization, neither as tensors nor folded.
    pub norms_lost: bool,
    /// Where the file's computation graph is not the network's, one sentence each.
    pub contradictions: Vec<String>,
}

/// Why tensors of a head are left out that is not the network's.
const OTHER_HEAD: &str = "of another head, which no layer wanted needs";
/// What words in names of heads' modules begin or end with. A name that has none of them may be of anything before the head.
const HEADS: [&str; 30] = [
    "head", "fc", "fully", "class", "clf", "cls", "lin", "dense", "mlp", "proj", "pred", "proto", "logit", "softmax",
    "score", "task", "regress", "pooler", "out", "last", "final", "top", "neck", "probe", "margin", "product", "aux",
    "loss", "hash", "arc",
];
/// What is in names of modules that change what the layers before the head give, whatever else they are called.
const ADAPTERS: [&str; 11] =
    ["adapt", "lora", "prompt", "token", "prefix", "input", "gate", "film", "scale", "ctx", "attn"];
/// What stands between layer and variable in names of Keras, and in no others.
const OF_KERAS: char = '/';

/// Tensors that weights files hold and a network knowingly does without.
#[derive(Clone, Copy, Debug)]
pub struct Ignored {
    /// How their names begin.
    pub prefix: &'static str,
    /// How their names end.
    pub suffix: &'static str,
    /// Why they are not needed.
    pub why: &'static str,
}

/// A parameter and its tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Canonical name of the parameter.
    pub parameter: String,
    /// Name of the tensor in the file.
    pub tensor: String,
    /// From the file's layout to the canonical one.
    pub transform: Transform,
    /// What tells that it is this one.
    pub rule: Rule,
}

/// What tells which tensor a parameter's is; the shape fits in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Its name; in a computation graph its layer's name, which its place confirms.
    Name,
    /// Its layer's place in the computation graph.
    Place,
}

/// A tensor whose shape is not the parameter's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misshapen {
    /// Canonical name of the parameter.
    pub parameter: String,
    /// Name of the tensor in the file.
    pub tensor: String,
    /// Its shape.
    pub found: Vec<usize>,
    /// The shape expected under this name.
    pub expected: Vec<usize>,
}

impl Assignment {
    /// Compares a file with the parameters it should hold.
    pub fn of(parameters: &[Parameter], ignored: &[Ignored], file: &dyn WeightsFile) -> Self {
        if let Some(graph) = file.graph() {
            return placement::account(parameters, graph);
        }
        let tensors = file.tensors();
        let mut left: BTreeMap<String, Vec<usize>> = tensors.iter().cloned().collect();
        let (folded, norms_lost) = norms_folded_or_lost(parameters, &left);
        let mut account = Self { folded, norms_lost, ..Self::default() };
        for parameter in parameters.iter().filter(|parameter| parameter.part.is_in(account.folded)) {
            let source =
                parameter.sources.iter().find_map(|(name, transform)| Some((left.remove_entry(name)?, *transform)));
            let Some(((tensor, found), transform)) = source else {
                let expected = parameter.sources.first().map_or(String::new(), |(name, _)| name.clone());
                account.missing.push((parameter.name.clone(), expected));
                continue;
            };
            let expected = transform.source_shape(&parameter.shape);
            if found == expected {
                let parameter = parameter.name.clone();
                account.assigned.push(Assigned { parameter, tensor, transform, rule: Rule::Name });
            } else {
                let parameter = parameter.name.clone();
                account.misshapen.push(Misshapen { parameter, tensor, found, expected });
            }
        }
        for (tensor, shape) in left {
            let known = |known: &&Ignored| tensor.starts_with(known.prefix) && tensor.ends_with(known.suffix);
            match ignored.iter().find(known) {
                Some(known) => account.ignored.push((tensor, known.why)),
                None => account.unused.push((tensor, shape)),
            }
        }
        account.ignored.extend(file.beside());
        let own: HashSet<&String> = account.assigned.iter().map(|assigned| &assigned.tensor).collect();
        let behind = tensors.iter().rposition(|(name, _)| own.contains(name)).map_or(0, |last| last + 1);
        let behind: HashSet<&String> = tensors[behind..].iter().map(|(name, _)| name).collect();
        let known: HashSet<&String> = account.assigned.iter().map(|assigned| &assigned.parameter).collect();
        let expected = parameters.iter().filter(|parameter| parameter.part.is_in(account.folded));
        let wanting = expected.filter(|parameter| !known.contains(&parameter.name));
        let wanting = wanting.flat_map(|parameter| &parameter.sources).filter_map(|(name, _)| modules(name).last());
        // A module that holds what is there is the network, or more than its head.
        let there: HashSet<&str> = own.iter().flat_map(|name| modules(name)).collect();
        let wanting: HashSet<&str> = wanting.filter(|module| !there.contains(module)).collect();
        let is_head = |(name, shape): &(String, Vec<usize>)| {
            let in_place = modules(name).any(|module| wanting.contains(module));
            let named = modules(name).next().is_some_and(|module| !there.contains(module) && is_called_head(module));
            shape.len() <= 2 && (in_place || named || name.contains(OF_KERAS) && behind.contains(name))
        };
        account.of_another_head = account.unused.iter().all(is_head);
        account
    }

    /// The account without a head that is there in another shape, of other layers, or not at all, if that concerns these
    /// parameters only; none if nothing is wrong, or more is.
    pub fn without(mut self, parameters: &[String]) -> Option<Self> {
        const SHAPE: &str = "another shape, and no layer wanted needs it";
        let wanting = self.misshapen.iter().map(|misshapen| &misshapen.parameter);
        let mut wanting = wanting.chain(self.missing.iter().map(|(parameter, _)| parameter)).peekable();
        if wanting.peek().is_none() || !wanting.all(|parameter| parameters.contains(parameter)) || !self.of_another_head
        {
            return None;
        }
        self.missing.clear();
        self.ignored.extend(self.misshapen.drain(..).map(|misshapen| (misshapen.tensor, SHAPE)));
        self.ignored.extend(self.unused.drain(..).map(|(tensor, _)| (tensor, OTHER_HEAD)));
        self.is_complete().then_some(self)
    }

    /// What the user should know: which tensors of the file at `path` were taken for another head's.
    pub fn note(&self, path: &Path) -> Option<String> {
        let left = self.ignored.iter().filter(|(_, why)| *why == OTHER_HEAD);
        let left: Vec<&str> = left.map(|(tensor, _)| tensor.as_str()).collect();
        let (first, count) = (left.first()?, counted(left.len(), "tensor"));
        Some(format!(
            "{}: left out, as of another head: {count} such as {first}; if a layer wanted is computed with them, export the network to \
             ONNX and run that: network.file",
            path.display()
        ))
    }

    /// Whether nothing is wrong but shapes that a list of other classes than so many changes.
    pub fn is_of_other_classes(&self, classes: usize) -> bool {
        let shapes =
            !self.misshapen.is_empty() && self.misshapen.iter().all(|tensor| tensor.expected.contains(&classes));
        shapes && self.missing.is_empty() && self.unused.is_empty() && self.contradictions.is_empty()
    }

    /// Whether every parameter has its tensor and every tensor that is not ignored its parameter.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.misshapen.is_empty() && self.unused.is_empty() && self.contradictions.is_empty()
    }

    /// Parameters whose names were found, whatever the shapes.
    pub fn found(&self) -> usize {
        self.assigned.iter().filter(|assigned| assigned.rule == Rule::Name).count() + self.misshapen.len()
    }

    /// The account, if it is complete; `network` is the published one and its form.
    ///
    /// # Errors
    /// [`WeightsError::Unfit`] with the reasons if it is not.
    pub fn checked(self, file: &dyn WeightsFile, network: Option<(&str, &str)>) -> Result<Self, WeightsError> {
        if self.is_complete() {
            return Ok(self);
        }
        let in_full = network.map_or_else(String::new, |(network, form)| in_full(file, network, form));
        Err(WeightsError::Unfit { path: file.path().into(), reasons: self.reasons(), in_full })
    }

    /// What does not fit, one sentence each: the graph, wrong shapes, then missing, then unused tensors.
    pub fn reasons(&self) -> Vec<String> {
        const LOST: &str = "no tensor of any batch normalization, and not every convolution has the bias that an \
                            exporter leaves when it folds one: what normalizes them is not in the file";
        let lost = self.norms_lost.then(|| LOST.to_string()).into_iter();
        let misshapen = self.misshapen.iter().map(|Misshapen { tensor, found, expected, .. }| {
            format!("{tensor} has shape {found:?}, expected {expected:?}")
        });
        let missing = self.missing.iter().map(|(parameter, name)| format!("no tensor {name} (for {parameter})"));
        let unused = self.unused.iter().map(|(tensor, shape)| format!("{tensor} {shape:?} belongs to no parameter"));
        // Of a file of another network, or of other names, its own names tell most.
        let other = (self.assigned.is_empty() && self.misshapen.is_empty() && !self.unused.is_empty()).then(|| {
            let has: Vec<&str> = self.unused.iter().take(3).map(|(name, _)| name.as_str()).collect();
            format!("none of its {} names is the network's (it has {})", self.unused.len(), has.join(", "))
        });
        let graph = self.contradictions.iter().cloned().chain(other);
        graph.chain(lost).chain(misshapen).chain(missing).chain(unused).collect()
    }
}

/// The modules that a tensor is in by its name, the outermost first.
fn modules(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(dot, _)| &name[..dot])
}

/// Whether a module is called as heads are: `fc_norm`, `last_linear`, `projection_head`.
fn is_called_head(module: &str) -> bool {
    let module = module.to_lowercase();
    let mut words = module.split(|sign: char| !sign.is_ascii_alphabetic());
    let is_head = |word: &str| HEADS.iter().any(|head| word.starts_with(head) || word.ends_with(head));
    !ADAPTERS.iter().any(|part| module.contains(part)) && words.any(is_head)
}

/// Without a tensor of any batch normalization: whether it is folded into the convolutions, whose weights and biases are
/// all there as exporters write them, or lost. Neither, if there are such tensors or no convolutions.
fn norms_folded_or_lost(parameters: &[Parameter], tensors: &BTreeMap<String, Vec<usize>>) -> (bool, bool) {
    let found = |parameter: &Parameter| {
        parameter.sources.iter().find(|(name, _)| tensors.contains_key(name)).map(|(_, transform)| *transform)
    };
    let (norms, convolutions): (Vec<_>, Vec<_>) =
        parameters.iter().filter(|parameter| parameter.part != Part::Plain).partition(|p| p.part == Part::Norm);
    if norms.into_iter().any(|norm| found(norm).is_some()) || !convolutions.iter().any(|conv| found(conv).is_some()) {
        return (false, false);
    }
    let folded = convolutions.into_iter().all(|conv| found(conv) == Some(Transform::None));
    (folded, !folded)
}

/// The command that tells all of a file that is not the network's.
fn in_full(file: &dyn WeightsFile, network: &str, form: &str) -> String {
    let path = shell(&file.path().to_string_lossy());
    // Of several copies, or of what has others beside it.
    let is_part = !file.prefix().is_empty() || !file.beside().is_empty();
    let prefix =
        if is_part { format!(" --prefix {}", shell(file.prefix().trim_end_matches('.'))) } else { String::new() };
    format!(" (all of it: semgpu inspect {path} --network {network} --form {form}{prefix})")
}

/// Finds the tensor of every parameter.
///
/// # Errors
/// [`WeightsError::Unfit`] if a tensor is missing, has another shape or belongs to no parameter.
pub fn assign(
    parameters: &[Parameter],
    ignored: &[Ignored],
    file: &dyn WeightsFile,
) -> Result<Assignment, WeightsError> {
    Assignment::of(parameters, ignored, file).checked(file, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::fixtures::Listing;
    use crate::weights::{Names, Variable};

    fn listing(tensors: &[(&str, &[usize])]) -> Listing {
        Listing(tensors.iter().map(|(name, shape)| (name.to_string(), shape.to_vec())).collect())
    }

    fn parameters() -> Vec<Parameter> {
        let torch = [(Variable::Weight, "features.0.weight"), (Variable::Bias, "features.0.bias")];
        let names = Names::keras("conv").with(torch.map(|(variable, name)| (variable, name.to_string())));
        names.layer("conv", &[64, 3, 5, 7], true, 1)
    }

    #[test]
    fn every_spelling_of_a_name_is_found_with_its_layout() {
        for (kernel, bias) in
            [("conv/conv/kernel:0", "conv/conv/bias:0"), ("conv/kernel", "conv/bias"), ("conv.kernel", "conv.bias")]
        {
            let found = assign(&parameters(), &[], &listing(&[(bias, &[64]), (kernel, &[5, 7, 3, 64])])).unwrap();
            assert_eq!(found.assigned[0].tensor, kernel);
            assert_eq!(found.assigned[0].transform, Transform::HwioToOihw);
            assert_eq!(found.assigned[1].tensor, bias);
        }
        let torch = listing(&[("features.0.weight", &[64, 3, 5, 7]), ("features.0.bias", &[64])]);
        assert_eq!(assign(&parameters(), &[], &torch).unwrap().assigned[0].transform, Transform::None);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let file = listing(&[("features.0.weight", &[64, 3, 7, 7]), ("aux", &[1000])]);
        let message = assign(&parameters(), &[], &file).unwrap_err().to_string();
        assert_eq!(
            message,
            "weights/listed.safetensors: features.0.weight has shape [64, 3, 7, 7], expected [64, 3, 5, 7]; \
             no tensor conv/conv/bias:0 (for conv.bias); aux [1000] belongs to no parameter"
        );
    }

    #[test]
    fn a_head_that_no_layer_needs_may_be_another_or_none() {
        let head = Names::torch("fc").layer("fc", &[1000, 64], true, 1);
        let parameters = [parameters(), head].concat();
        let needless = ["fc.weight", "fc.bias"].map(String::from);
        let before: [(&str, &[usize]); 2] = [("features.0.weight", &[64, 3, 5, 7]), ("features.0.bias", &[64])];
        let without = |tensors: &[(&str, &[usize])]| {
            let account = Assignment::of(&parameters, &[], &listing(&[&before[..], tensors].concat()));
            assert!(account.clone().without(&[]).is_none());
            account.without(&needless)
        };
        let found = without(&[("fc.weight", &[10, 64]), ("fc.bias", &[10])]).unwrap();
        assert_eq!((found.assigned.len(), found.ignored.len(), found.is_complete()), (2, 2, true));
        assert_eq!(without(&[]).unwrap().assigned.len(), 2);
        let found = without(&[("fc.0.weight", &[32, 64]), ("fc.0.bias", &[32]), ("fc.2.weight", &[10, 32])]).unwrap();
        assert_eq!(found.ignored[2], ("fc.2.weight".to_string(), "of another head, which no layer wanted needs"));
        // In the place of the head, or under another head's name, whatever the order of names; and not beside a convolution.
        let first = [&[("fc.0.weight", &[32usize, 64][..]), ("fc.2.weight", &[10, 32])][..], &before].concat();
        let found = Assignment::of(&parameters, &[], &listing(&first)).without(&needless).unwrap();
        assert_eq!(found.ignored[0], ("fc.0.weight".to_string(), "of another head, which no layer wanted needs"));
        assert!(without(&[("features.0.gate.weight", &[8, 64])]).is_none());
        // What is in the middle, or a convolution, may change what the layers before are.
        assert!(without(&[("se.weight", &[8, 64, 1, 1])]).is_none());
        for (name, is_head) in [
            ("classifier.weight", true),
            ("head_dist.weight", true),
            ("fc_norm.weight", true),
            ("LinearHead.0.weight", true),
            ("neck.fc0.weight", true),
            ("probe.weight", true),
            ("prompt_embeddings", false),
            ("prompt_proj.weight", false),
            ("adapter_mlp.weight", false),
            ("input_proj.weight", false),
            ("class_gate.weight", false),
            ("gate.weight", false),
            ("norm_pre.weight", false),
            // Keras' order is that of the layers.
            ("top/kernel", true),
        ] {
            let other = [(name, &[8usize, 64][..])];
            let account = |tensors: &[&[_]]| Assignment::of(&parameters, &[], &listing(&tensors.concat()));
            let behind = account(&[&before[..], &other]).without(&needless);
            assert_eq!(behind.is_some(), is_head, "{name} behind");
            let first = account(&[&other[..], &before]).without(&needless);
            assert_eq!(first.is_some(), is_head && !name.contains(OF_KERAS), "{name} first");
            assert_eq!(behind.and_then(|account| account.note(Path::new("a.pth"))).is_some(), is_head);
        }
        // A head that lies in the network's own module.
        let inside = Names::torch("features").layer("projection", &[1000, 64], true, 1);
        let adapted = [&[("features.lora", &[4usize, 64][..])][..], &before].concat();
        let account = Assignment::of(&[self::parameters(), inside].concat(), &[], &listing(&adapted));
        assert!(account.without(&["projection.weight", "projection.bias"].map(String::from)).is_none());
        let whole = without(&[("fc.weight", &[1000, 64]), ("fc.bias", &[1000])]);
        assert!(whole.is_none(), "nothing is wrong with it");
        // A parameter that is needed is missing.
        let account = Assignment::of(&parameters, &[], &listing(&before[..1]));
        assert!(account.without(&needless).is_none());
    }

    #[test]
    fn the_same_parameter_twice_is_refused() {
        let file =
            listing(&[("conv/kernel", &[5, 7, 3, 64]), ("features.0.weight", &[64, 3, 5, 7]), ("conv/bias", &[64])]);
        let message = assign(&parameters(), &[], &file).unwrap_err().to_string();
        assert!(message.contains("features.0.weight [64, 3, 5, 7] belongs to no parameter"), "{message}");
    }

    #[test]
    fn of_many_reasons_the_first_are_shown() {
        let file = listing(&[("a", &[1]), ("b", &[1]), ("c", &[1])]);
        let message = assign(&parameters(), &[], &file).unwrap_err().to_string();
        assert!(message.contains("none of its 3 names is the network's (it has a, b, c)"), "{message}");
        assert!(message.contains("; and 3 more"), "{message}");
    }
}
