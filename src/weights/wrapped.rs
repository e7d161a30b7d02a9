//! Names without what wrappers put before them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::{Parameter, WeightsError, WeightsFile, graph};
use crate::wording::counted;

/// What DataParallel, `torch.compile`, Lightning, self-supervised and detection code put before every name.
const WRAPPERS: [&str; 8] =
    ["module.", "_orig_mod.", "model.", "backbone.", "encoder_q.", "encoder.", "net.", "network."];

/// How many averages PyTorch's `AveragedModel` has taken.
const AVERAGED: &str = "n_averaged";

/// What is said of a network in front of a head that classifies places.
const OF_PLACES: &str = "it classifies every place of an image, as FCN and DeepLab do, and the network before it has its last \
                         convolutions dilated, so that its values are others; export the model to ONNX and run that: network.file, \
                         or bring the weights of a classifier of images";

/// A file of whose names those that begin alike are taken, without what they begin with.
struct Wrapped {
    file: Box<dyn WeightsFile>,
    own: String,
    /// What is taken off by all wrappers.
    prefix: String,
    /// The other tensors, and why they are not taken.
    beside: Vec<(String, &'static str)>,
}

/// The file with the prefixes of wrappers that all of its names share taken off. A file with a graph has none: its layers
/// are matched by their places.
pub(super) fn unwrap(file: Box<dyn WeightsFile>) -> Box<dyn WeightsFile> {
    if file.graph().is_some() {
        return file;
    }
    let names: Vec<String> = file.tensors().into_iter().map(|(name, _)| name).collect();
    let mut prefix = String::new();
    while let Some(wrapper) = WRAPPERS
        .iter()
        .find(|wrapper| !names.is_empty() && names.iter().all(|name| name[prefix.len()..].starts_with(**wrapper)))
    {
        prefix += wrapper;
    }
    if prefix.is_empty() { file } else { Box::new(Wrapped { file, own: prefix.clone(), prefix, beside: Vec::new() }) }
}

/// The tensors of the file that are the network's, where it has others beside them: those that begin with `prefix` as the file
/// has it, or the only ones under which the network's names are. A file that has the network without a prefix, or not at all,
/// stays as it is. `forms` are the parameters of every form of the network.
///
/// # Errors
/// [`WeightsError::Several`] if there are several such prefixes, [`WeightsError::Prefix`] if no name has the one asked for.
pub fn of_network(
    file: Box<dyn WeightsFile>,
    network: &str,
    forms: &[Vec<Parameter>],
    prefix: Option<&str>,
) -> Result<Box<dyn WeightsFile>, WeightsError> {
    if file.graph().is_some() {
        return match prefix {
            Some(prefix) => {
                Err(WeightsError::Prefix { path: file.path().into(), prefix: prefix.into(), names: String::new() })
            }
            None => Ok(file),
        };
    }
    // Another copy of the weights than the one that was taken is told by its prefix.
    let others = match prefix {
        Some(asked) if own_of(&*file, asked).is_none() => file.whole()?,
        _ => None,
    };
    let file = others.unwrap_or(file);
    let whole = file.prefix().to_string();
    let tensors = file.tensors();
    let copies = prefixes(&tensors, forms);
    let said = |own: &str| format!("{whole}{own}").trim_end_matches('.').to_string();
    let own = match (prefix, copies.len()) {
        (Some(asked), _) => own_of(&*file, asked).ok_or_else(|| {
            let names = tensors.iter().take(3).map(|(name, _)| format!("{whole}{name}")).collect::<Vec<_>>().join(", ");
            WeightsError::Prefix { path: file.path().into(), prefix: asked.trim_end_matches('.').to_string(), names }
        })?,
        (None, 0) => return Ok(file),
        (None, 1) => copies.first().cloned().unwrap_or_default(),
        (None, _) => {
            let prefixes: Vec<String> = copies.iter().map(|own| format!("{:?}", said(own))).collect();
            let (path, network) = (file.path().into(), network.to_string());
            return Err(WeightsError::Several {
                path,
                network,
                first: prefixes[0].clone(),
                prefixes: prefixes.join(", "),
            });
        }
    };
    if let Some(tensor) = of_places(&tensors, &own) {
        let tensor = format!("{whole}{tensor}");
        let (path, network, what) = (file.path().into(), network.to_string(), OF_PLACES.to_string());
        return Err(WeightsError::LookAlike { path, tensor, network, what });
    }
    // Without a prefix, all but the other copies is the network's.
    let of_another = |name: &str| {
        copies.iter().any(|copy| copy.len() > own.len() && copy.starts_with(&own) && name.starts_with(&**copy))
    };
    let beside: Vec<(String, &str)> = tensors
        .into_iter()
        .filter(|(name, _)| !name.starts_with(&own) || of_another(name))
        .map(|(name, _)| {
            let why = if name == AVERAGED { "counts averages, not used at inference" } else { "beside the network" };
            (name, why)
        })
        .collect();
    if own.is_empty() && beside.is_empty() {
        return Ok(file);
    }
    Ok(Box::new(Wrapped { file, prefix: format!("{whole}{own}"), own, beside }))
}

/// The tensor beside the network at `own` that tells its last convolutions to be dilated: of torchvision's heads for
/// segmentation, or of a pyramid of dilated convolutions.
fn of_places<'a>(tensors: &'a [(String, Vec<usize>)], own: &str) -> Option<&'a str> {
    let parent = own.trim_end_matches('.').rfind('.').map_or("", |dot| &own[..=dot]);
    let of_head = |name: &str| {
        let rest = name.strip_prefix(parent);
        rest.is_some_and(|rest| rest.starts_with("classifier.") || rest.starts_with("aux_classifier."))
    };
    let tells = |(name, shape): &&(String, Vec<usize>)| {
        let pyramid = name.contains(".0.convs.0.0.") || name.contains("aspp");
        !name.starts_with(own) && (pyramid || of_head(name) && shape.len() == 4 && shape.ends_with(&[3, 3]))
    };
    tensors.iter().find(tells).map(|(name, _)| name.as_str())
}

/// What the names of a file begin with where the user asked for those that begin with `asked` in it; none if none does.
fn own_of(file: &dyn WeightsFile, asked: &str) -> Option<String> {
    let (whole, tensors, asked) = (file.prefix(), file.tensors(), asked.trim_end_matches('.'));
    let is_all = asked == whole.trim_end_matches('.');
    let own = [asked.strip_prefix(whole), is_all.then_some(""), Some(asked)].into_iter().flatten();
    let mut own = own.map(|own| if own.is_empty() { String::new() } else { format!("{own}.") });
    own.find(|own| tensors.iter().any(|(name, _)| name.starts_with(own)))
}

/// What names begin with under which half of a form's parameters are at least, in their shapes. Names are cut at dots. Of
/// those that begin the same tensors, as where one form's names are another's behind a prefix, the shortest.
fn prefixes(tensors: &[(String, Vec<usize>)], forms: &[Vec<Parameter>]) -> Vec<String> {
    let mut all: BTreeMap<(usize, &str), BTreeSet<usize>> = BTreeMap::new();
    for parameters in forms {
        let mut known: HashMap<&str, Vec<(usize, Vec<usize>)>> = HashMap::new();
        for (at, parameter) in parameters.iter().enumerate() {
            for (name, transform) in &parameter.sources {
                known.entry(name).or_default().push((at, transform.source_shape(&parameter.shape)));
            }
        }
        // The parameters, and their tensors.
        let mut under: HashMap<&str, [BTreeSet<usize>; 2]> = HashMap::new();
        for (n, (name, shape)) in tensors.iter().enumerate() {
            let cuts = [0].into_iter().chain(name.match_indices('.').map(|(dot, _)| dot + 1));
            for (prefix, rest) in cuts.map(|cut| name.split_at(cut)) {
                for (at, _) in known.get(rest).into_iter().flatten().filter(|(_, expected)| expected == shape) {
                    let [places, own] = under.entry(prefix).or_default();
                    places.insert(*at);
                    own.insert(n);
                }
            }
        }
        for (prefix, [places, own]) in under {
            if 2 * places.len() >= parameters.len().max(1) {
                all.entry((prefix.len(), prefix)).or_default().extend(own);
            }
        }
    }
    let (mut found, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for ((_, prefix), own) in all {
        if own.is_disjoint(&taken) {
            found.insert(prefix.to_string());
            taken.extend(own);
        }
    }
    found.into_iter().collect()
}

impl WeightsFile for Wrapped {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let beside: BTreeSet<&str> = self.beside.iter().map(|(name, _)| name.as_str()).collect();
        let tensors = self.file.tensors().into_iter().filter(|(name, _)| !beside.contains(name.as_str()));
        tensors.map(|(name, shape)| (name[self.own.len()..].to_string(), shape)).collect()
    }

    fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        self.file.read(&format!("{}{name}", self.own))
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn beside(&self) -> Vec<(String, &'static str)> {
        self.beside.iter().map(|(name, why)| (format!("{}{name}", self.file.prefix()), *why)).collect()
    }

    fn notes(&self) -> Vec<String> {
        let others: Vec<&str> =
            self.beside.iter().map(|(name, _)| name.as_str()).filter(|name| *name != AVERAGED).collect();
        let mut notes = self.file.notes();
        if let Some(first) = others.first() {
            notes.push(format!(
                "{}: the weights under {:?} are taken; of what is beside them, {} such as {}{first}, nothing is",
                self.path().display(),
                self.prefix.trim_end_matches('.'),
                counted(others.len(), "tensor"),
                self.file.prefix()
            ));
        }
        notes
    }

    fn files(&self) -> Vec<PathBuf> {
        self.file.files()
    }

    fn averages(self: Box<Self>) -> Result<Box<dyn WeightsFile>, WeightsError> {
        self.file.averages().map(unwrap)
    }

    fn whole(&self) -> Result<Option<Box<dyn WeightsFile>>, WeightsError> {
        self.file.whole()
    }

    fn graph(&self) -> Option<&graph::Graph> {
        self.file.graph()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::fixtures::Listing;
    use crate::weights::{Assignment, Names};

    fn listing(names: &[&str]) -> Box<dyn WeightsFile> {
        let shape = |name: &str| if name.ends_with("fc.weight") { vec![10, 4] } else { vec![10] };
        Box::new(Listing(names.iter().map(|name| (name.to_string(), shape(name))).collect()))
    }

    fn names(file: &dyn WeightsFile) -> Vec<String> {
        file.tensors().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn prefixes_that_all_names_share_are_taken_off() {
        let names = |all: &[&str]| names(unwrap(listing(all)).as_ref());
        assert_eq!(names(&["module.model.a", "module.model.b"]), ["a", "b"]);
        assert_eq!(names(&["_orig_mod.backbone.a"]), ["a"]);
        assert_eq!(names(&["module.a", "b"]), ["module.a", "b"]);
        assert_eq!(names(&["features.0.weight", "features.0.bias"]), ["features.0.weight", "features.0.bias"]);
    }

    /// Of a network of one dense layer, `fc`.
    fn found(all: &[&str], prefix: Option<&str>) -> Result<Box<dyn WeightsFile>, String> {
        let forms = [Names::torch("fc").layer("fc", &[10, 4], true, 1)];
        of_network(unwrap(listing(all)), "dense", &forms, prefix).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_beside_the_network_is_left_and_told() {
        for all in [
            ["net.fc.weight", "net.fc.bias", "criterion.weight"],
            ["module.fc.weight", "module.fc.bias", "n_averaged"],
            ["any.thing.fc.weight", "any.thing.fc.bias", "any.queue"],
        ] {
            let file = found(&all, None).unwrap();
            assert_eq!(names(file.as_ref()), ["fc.weight", "fc.bias"]);
            let parameters = Names::torch("fc").layer("fc", &[10, 4], true, 1);
            let account = Assignment::of(&parameters, &[], file.as_ref());
            assert!(account.is_complete());
            assert_eq!(account.ignored[0].0, all[2]);
            assert_eq!(file.notes().len(), usize::from(all[2] != "n_averaged"), "{:?}", file.notes());
        }
        // Another layer under the prefix may change what the network is.
        let file = found(&["net.fc.weight", "net.fc.bias", "net.gate.bias", "loss"], None).unwrap();
        assert_eq!(names(file.as_ref()), ["fc.weight", "fc.bias", "gate.bias"]);
        // One form's names are another's behind a prefix: the network is there once.
        let forms = ["fc", "visual.fc"].map(|name| Names::torch(name).layer("fc", &[10, 4], true, 1));
        let file = of_network(listing(&["visual.fc.weight", "visual.fc.bias", "text"]), "dense", &forms, None);
        assert_eq!(file.unwrap_or_else(|error| panic!("{error}")).tensors().len(), 3);
        // Without a prefix nothing is left out.
        assert_eq!(found(&["fc.weight", "fc.bias", "gate.bias"], None).unwrap().tensors().len(), 3);
    }

    #[test]
    fn dilated_networks_are_told_by_what_is_beside_them() {
        let refused = |tensor: &str, shape: &[usize], prefix: Option<&str>| {
            let fc = [("backbone.fc.weight", &[10, 4][..]), ("backbone.fc.bias", &[10])];
            let all = fc.into_iter().chain([(tensor, shape)]).map(|(name, shape)| (name.to_string(), shape.to_vec()));
            let forms = [Names::torch("fc").layer("fc", &[10, 4], true, 1)];
            of_network(unwrap(Box::new(Listing(all.collect()))), "dense", &forms, prefix).err().map(|e| e.to_string())
        };
        // torchvision's FCN; DeepLab of torchvision, and of segmentation_models_pytorch.
        for (tensor, shape) in [
            ("classifier.0.weight", &[512, 2048, 3, 3][..]),
            ("aux_classifier.0.weight", &[256, 1024, 3, 3]),
            ("classifier.0.convs.0.0.weight", &[256, 2048, 1, 1]),
            ("decoder.aspp.0.convs.0.1.bias", &[256]),
        ] {
            for prefix in [None, Some("backbone")] {
                let said = refused(tensor, shape, prefix).unwrap();
                assert!(said.contains(tensor) && said.contains("is not of dense: it classifies every place"), "{said}");
            }
        }
        assert_eq!(refused("classifier.0.weight", &[512, 2048], None), None);
        assert_eq!(refused("mask_head.0.convs.0.conv.weight", &[256, 256, 3, 3], None), None);
    }

    #[test]
    fn of_several_copies_one_is_to_be_named() {
        let dino = [
            "student.backbone.fc.weight",
            "student.backbone.fc.bias",
            "teacher.backbone.fc.weight",
            "teacher.backbone.fc.bias",
        ];
        let said = found(&dino, None).err().unwrap();
        assert!(
            said.contains("under \"student.backbone\", \"teacher.backbone\"; say which is meant: network.prefix = \"student.backbone\"")
                && said.ends_with("or --prefix \"student.backbone\" of semgpu inspect"),
            "{said}"
        );
        let moco = [
            "module.encoder_q.fc.weight",
            "module.encoder_q.fc.bias",
            "module.encoder_k.fc.weight",
            "module.encoder_k.fc.bias",
        ];
        let said = found(&moco, None).err().unwrap();
        assert!(said.contains("\"module.encoder_k\", \"module.encoder_q\""), "{said}");
        for (all, prefix) in [(&dino, "teacher.backbone"), (&moco, "module.encoder_k."), (&moco, "encoder_k")] {
            let file = found(all, Some(prefix)).unwrap();
            assert_eq!((names(file.as_ref()), file.beside().len()), (vec!["fc.weight".into(), "fc.bias".into()], 2));
        }
        let averaged = ["fc.weight", "fc.bias", "ema.fc.weight", "ema.fc.bias"];
        assert!(found(&averaged, None).err().unwrap().contains("under \"\", \"ema\""));
        assert_eq!(names(found(&averaged, Some("")).unwrap().as_ref()), ["fc.weight", "fc.bias"]);
        let said = found(&dino, Some("backbone")).err().unwrap();
        assert!(
            said.contains("no name begins with network.prefix = \"backbone\"")
                && said.contains("student.backbone.fc.weight"),
            "{said}"
        );
    }
}
