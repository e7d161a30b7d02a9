//! The network of an experiment: which graph, how far it runs, what is tapped, and which file its weights are in.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use crate::classes::Classes;
use crate::config::Config;
use crate::images::{MIN_CROP_PCT, Resize};
use crate::nets::{
    self, Blueprint, FEWEST_UNITS, FirstNorm, GraphNetwork, Input, Layer, Network, Preprocess, Shape, Stage, StageSpec,
    Token,
};
use crate::plan::PlanError;
use crate::stimuli::{Manifest, PIXELS, PIXELS_LABEL};
use crate::weights::{self, Assignment, Parameters, WeightsError, WeightsFile};
use crate::wording::{counted, meant};

mod doubts;

pub(super) use doubts::doubts_of_input;

/// A network that can be loaded.
pub struct Model {
    /// The network.
    pub network: Source,
    /// Input size, preprocessing, resize rule.
    pub input: Input,
    /// Its stages up to the last layer wanted.
    pub stages: Vec<StageSpec>,
    /// What is tested of layers of tokens.
    pub token: Token,
    /// Whether any of its layers are tokens.
    pub has_tokens: bool,
    /// The layers tested, in input order; the pixels first if wanted.
    pub layers: Vec<Layer>,
    /// Where the network's answers are read, if it is run that far.
    pub classifier: Option<Classifier>,
    /// What it tells apart: ImageNet's classes, or those of a list.
    pub classes: Classes,
    /// The weights' files; none where they are random.
    pub files: Vec<PathBuf>,
    /// Bytes of the weights on the device.
    pub weight_bytes: u64,
}

/// A network, built in or of a file.
pub struct Source {
    /// What results call it.
    pub name: String,
    /// Which published graph of it; of a file, `onnx`.
    pub form: String,
    graph: Graph,
}

enum Graph {
    Drawn(Blueprint),
    File(Box<GraphNetwork>),
}

/// The layer whose units are the classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// Its name.
    pub layer: String,
    /// The stage that computes it.
    pub stage: usize,
}

/// A network by name, in the form asked for, or its first.
///
/// # Errors
/// No such network or form.
pub fn network(name: &str, form: Option<&str>) -> Result<(&'static Network, Blueprint), PlanError> {
    let network =
        nets::find(name).ok_or_else(|| PlanError::Network { name: name.to_string(), known: nets::names() })?;
    let form = form.unwrap_or(network.forms[0].name);
    let blueprint = network.blueprint(form).ok_or_else(|| PlanError::Form {
        network: network.name.to_string(),
        form: form.to_string(),
        known: network.form_names().join(", "),
    })?;
    Ok((network, blueprint))
}

impl Model {
    /// The network as configured, and its weights: their file is opened and found to fit, not yet read.
    ///
    /// # Errors
    /// A name, form, layer or rule that there is not, weights that are not the network's, or a graph that cannot be computed.
    pub fn new(config: &Config) -> Result<(Self, Parameters), PlanError> {
        match &config.network.file {
            Some(file) => Self::of_file(config, file),
            None => Self::built_in(config),
        }
    }

    fn built_in(config: &Config) -> Result<(Self, Parameters), PlanError> {
        if config.network.name.is_empty() {
            return Err(PlanError::NoNetwork(nets::names()));
        }
        let (published, network) = network(&config.network.name, config.network.form.as_deref())?;
        let (network, classes) = match listed(config)? {
            None => (network, Classes::imagenet()),
            Some(classes) => {
                let name = network.name.clone();
                (network.with_classes(classes.count()).ok_or(PlanError::NoClassifier(name))?, classes)
            }
        };
        let size = network.input.size;
        if let Some(found) = config.network.input.size.filter(|&found| found != size) {
            let (expected, found) = (format!("{size}, {}'s", network.name), found.to_string());
            return Err(PlanError::value("network.input.size", expected, found));
        }
        let input = input(config, network.input)?;
        let classifier = classifier(config, &network.name, network.classifier.as_ref(), &network.stages())?;
        let token = token(config, &network)?;
        let asked = config.network.layers.as_deref();
        if let Some(names) = asked {
            let known = network.layers();
            if let Some(layer) = names.iter().find(|name| !known.iter().any(|layer| layer.name == **name)) {
                let meant = meant(layer, known.iter().map(|layer| layer.name.as_str()));
                return Err(PlanError::Layer { network: network.name.clone(), layer: layer.clone(), meant });
            }
        }
        let unattended = if token == Token::Cls { network.unattended() } else { Vec::new() };
        if let Some(layer) = asked.into_iter().flatten().find(|name| unattended.contains(name)) {
            return Err(PlanError::Unattended { network: network.name.clone(), layer: layer.clone() });
        }
        let mut drawn = network.stages();
        for layer in drawn.iter_mut().flat_map(|stage| &mut stage.layers) {
            layer.on_request |= unattended.contains(&layer.name);
        }
        let stages = stages(config, drawn, asked, token, classifier.as_ref())?;
        let layers = layers(config, &input, &stages)?;
        let parameters = network.parameters();
        // Batch normalization is folded into the convolutions when they are loaded.
        let loaded = parameters.iter().filter(|parameter| parameter.part.is_in(true));
        let weight_bytes = loaded.map(|p| 4 * p.shape.iter().product::<usize>() as u64).sum();
        let (parameters, files) = match (&config.network.weights, config.network.random) {
            (Some(_), true) => return Err(PlanError::WeightsAndRandom),
            (None, false) => return Err(PlanError::NoWeights(network.name.clone())),
            (None, true) if config.network.ema => return Err(PlanError::OfNoFile("ema")),
            (None, true) if config.network.prefix.is_some() => return Err(PlanError::OfNoFile("prefix")),
            (None, true) => (Parameters::random(parameters, config.seed), Vec::new()),
            (Some(path), false) => {
                network.reads(path)?;
                let mut file = weights::open(path)?;
                if config.network.ema {
                    file = file.averages()?;
                }
                let file = published.within(file, config.network.prefix.as_deref())?;
                let assignment = assignment(published, &network, file.as_ref(), &stages, &classes)?;
                let known = |name: &String| assignment.assigned.iter().any(|assigned| assigned.parameter == *name);
                let parameters = parameters.into_iter().filter(|parameter| known(&parameter.name)).collect();
                let files = file.files();
                (Parameters::from_file(parameters, file, assignment), files)
            }
        };
        let classifier = classifier.filter(|classifier| classifier.stage < stages.len());
        let has_tokens = has_tokens(&network.layers());
        let (name, form) = (network.name.clone(), network.form.clone());
        let network = Source { name, form, graph: Graph::Drawn(network) };
        let model =
            Self { network, input, stages, token, has_tokens, layers, classifier, classes, files, weight_bytes };
        Ok((model, parameters))
    }

    fn of_file(config: &Config, file: &Path) -> Result<(Self, Parameters), PlanError> {
        let section = &config.network;
        let others = [
            ("weights", section.weights.is_some()),
            ("random", section.random),
            ("form", section.form.is_some()),
            ("ema", section.ema),
            ("prefix", section.prefix.is_some()),
        ];
        if let Some((key, _)) = others.into_iter().find(|(_, there)| *there) {
            return Err(PlanError::WithFile { key });
        }
        let graph = GraphNetwork::open(file, section.input.size)?;
        let named = listed(config)?;
        let classes = named.clone().unwrap_or_else(Classes::imagenet);
        let head = graph.classifier(classes.count()).map(str::to_string);
        if let (Some(_), None, Some(list)) = (&named, &head, &section.classes) {
            let output = |layer: &&Layer| format!("{} ({})", layer.name, counted(layer.units(), "unit"));
            let outputs = graph.outputs().iter().map(output).collect::<Vec<_>>().join(", ");
            return Err(PlanError::ClassCount { list: list.clone(), classes: classes.count(), outputs });
        }
        let preprocess = preprocess(config)?
            .ok_or_else(|| PlanError::NoValues { path: file.into(), known: Preprocess::names().join(", ") })?;
        let own = Input { size: graph.size, preprocess, resize: Resize::CropBilinear, crop_pct: GRAPH_CROP };
        let input = input(config, own)?;
        let classifier = classifier(config, &section.name, head.as_ref(), &graph.stages)?;
        let asked = section.layers.as_deref().map(|names| graph.named(names)).transpose();
        let asked = asked.map_err(|layer| {
            if graph.computes(&layer) {
                return PlanError::NotOfImages { network: file.display().to_string(), layer };
            }
            let meant = meant(&layer, graph.layers.iter().map(|layer| layer.name.as_str()));
            PlanError::Layer { network: file.display().to_string(), layer, meant }
        })?;
        let token = section.token.unwrap_or_else(|| graph.token());
        let mut stages = stages(config, graph.stages.clone(), asked.as_deref(), token, classifier.as_ref())?;
        let layers = layers(config, &input, &stages)?;
        let classifier = classifier.filter(|classifier| classifier.stage < stages.len());
        let inside = graph.inside(&tapped(&stages, classifier.as_ref()))?;
        stages.iter_mut().zip(inside).for_each(|(stage, inside)| stage.inside = inside);
        let (files, weight_bytes, has_tokens) = (graph.files(), graph.weight_bytes, has_tokens(&graph.layers));
        let network =
            Source { name: section.name.clone(), form: "onnx".to_string(), graph: Graph::File(Box::new(graph)) };
        let model =
            Self { network, input, stages, token, has_tokens, layers, classifier, classes, files, weight_bytes };
        // The weights are the file's own.
        Ok((model, Parameters::random(Vec::new(), config.seed)))
    }

    /// With a list of the network's classes: tells each image's by its concept, in place of the manifest's `class_index`,
    /// which is of ImageNet's.
    ///
    /// # Errors
    /// A concept that is the name of several classes; none that is, where the 1 vs. 2 test asks.
    pub fn classify(&self, config: &Config, manifest: &mut Manifest) -> Result<(), PlanError> {
        let Some(list) = &config.network.classes else { return Ok(()) };
        let found = self.classes.of(&manifest.concepts, &config.spelling);
        let found = found.map_err(|(concept, classes)| PlanError::SeveralClasses {
            list: list.clone(),
            concept,
            classes: classes.iter().map(|class| (class + 1).to_string()).collect::<Vec<_>>().join(" and "),
        })?;
        if config.one_vs_two.is_some() && found.iter().all(Option::is_none) {
            let (names, concepts) = self.some_names(manifest);
            return Err(PlanError::NoClassShown { list: list.clone(), names, concepts });
        }
        for group in &mut manifest.stimuli {
            group.iter_mut().zip(&found).for_each(|(stimulus, class)| stimulus.class_index = *class);
        }
        Ok(())
    }

    /// How the classes and the concepts are called, the first of each.
    fn some_names(&self, manifest: &Manifest) -> (String, String) {
        const SOME: usize = 3;
        let names = (0..self.classes.count().min(SOME)).map(|class| self.classes.names(class)[0].as_str());
        (names.collect::<Vec<_>>().join(", "), manifest.concepts[..manifest.concepts.len().min(SOME)].join(", "))
    }

    /// The convolution of the image and the normalization behind it, with its statistics.
    ///
    /// # Errors
    /// Weights that cannot be read.
    pub fn first_norm(&self, weights: &mut Parameters) -> Result<Option<FirstNorm>, WeightsError> {
        match &self.network.graph {
            Graph::Drawn(network) => network.first_norm(weights),
            Graph::File(graph) => graph.first_norm(),
        }
    }

    /// How many images go in at once, if the network's file says it.
    pub fn images(&self) -> Option<usize> {
        match &self.network.graph {
            Graph::Drawn(_) => None,
            Graph::File(graph) => graph.images,
        }
    }

    /// Reads the weights and builds the network on the device, up to the last layer wanted, for batches of `sizes` images.
    ///
    /// # Errors
    /// A tensor that is not finite or cannot be read.
    pub fn load(&self, mut weights: Parameters, device: &Device, sizes: &[usize]) -> Result<Vec<Stage>, WeightsError> {
        match &self.network.graph {
            Graph::Drawn(network) => network.load(self.stages.len(), &mut weights, device),
            Graph::File(graph) => {
                graph.load(self.stages.len(), &tapped(&self.stages, self.classifier.as_ref()), sizes, device)
            }
        }
    }
}

/// The tensor of every parameter; a head of other classes that none of the stages needs is left out.
fn assignment(
    published: &Network,
    network: &Blueprint,
    file: &dyn WeightsFile,
    stages: &[StageSpec],
    classes: &Classes,
) -> Result<Assignment, PlanError> {
    let source = match published.assign(network, file) {
        Ok(assignment) => return Ok(assignment),
        Err(source) => source,
    };
    let account = published.account(network, file);
    if let Some(account) = account.clone().without(&network.parameters_from(stages.len())) {
        return Ok(account);
    }
    let of_classes = account.misshapen.iter().all(|misshapen| misshapen.expected.contains(&classes.count()));
    match network.head(&account, stages.len()).filter(|_| of_classes) {
        Some(head) => {
            let layers = stages[head..].iter().flat_map(|stage| &stage.layers);
            let layers = layers.map(|layer| layer.name.as_str()).collect::<Vec<_>>().join(", ");
            Err(PlanError::Head { layers, source: Box::new(source) })
        }
        None => Err(source.into()),
    }
}

/// The classes of the list that the configuration names.
fn listed(config: &Config) -> Result<Option<Classes>, PlanError> {
    Ok(config.network.classes.as_deref().map(Classes::read).transpose()?)
}

fn has_tokens(layers: &[Layer]) -> bool {
    layers.iter().any(|layer| matches!(layer.shape, Shape::Tokens(_)))
}

/// What a crop keeps of the shorter side where nobody says: torchvision's 224 of 256.
const GRAPH_CROP: f64 = 0.875;

/// From bytes to numbers, where the configuration says it.
fn preprocess(config: &Config) -> Result<Option<Preprocess>, PlanError> {
    let said = config.network.input.preprocess();
    said.map_err(|(key, expected, found)| PlanError::value(key, expected, found))
}

/// The network's input, with what the configuration says instead.
fn input(config: &Config, mut input: Input) -> Result<Input, PlanError> {
    let section = &config.network.input;
    input.preprocess = preprocess(config)?.unwrap_or(input.preprocess);
    input.resize = config.stimuli.resize.or(section.resize).unwrap_or(input.resize);
    // What has no effect makes no other experiment.
    let crop_pct = config.stimuli.crop_pct.or(section.crop_pct).filter(|_| input.resize.crops());
    input.crop_pct = crop_pct.unwrap_or(input.crop_pct);
    let fits = (MIN_CROP_PCT..=1.0).contains(&input.crop_pct);
    if !fits && input.resize.crops() {
        let found = input.crop_pct.to_string();
        let key = if config.stimuli.crop_pct.is_some() { "stimuli.crop_pct" } else { "network.input.crop_pct" };
        return Err(PlanError::value(key, format!("{MIN_CROP_PCT} to 1 (torchvision and timm: 0.875)"), found));
    }
    Ok(input)
}

/// What is tested of layers of tokens; a class token only where there is one.
fn token(config: &Config, network: &Blueprint) -> Result<Token, PlanError> {
    match config.network.token {
        Some(Token::Cls) if network.token() != Token::Cls => Err(PlanError::NoClassToken(network.name.clone())),
        token => Ok(token.unwrap_or_else(|| network.token())),
    }
}

/// The network's classifier; the 1 vs. 2 test needs one.
fn classifier(
    config: &Config,
    network: &str,
    layer: Option<&String>,
    stages: &[StageSpec],
) -> Result<Option<Classifier>, PlanError> {
    let classifier = layer.and_then(|name| {
        let holds = |stage: &StageSpec| stage.layers.iter().any(|layer| &layer.name == name);
        Some(Classifier { layer: name.clone(), stage: stages.iter().position(holds)? })
    });
    match (&classifier, &config.one_vs_two) {
        (None, Some(_)) => Err(PlanError::NoClassifier(network.to_string())),
        _ => Ok(classifier),
    }
}

/// The stages up to the last layer wanted, or to the classifier for the 1 vs. 2 test, each with the layers wanted and what
/// is left of their tokens.
fn stages(
    config: &Config,
    mut stages: Vec<StageSpec>,
    asked: Option<&[String]>,
    token: Token,
    classifier: Option<&Classifier>,
) -> Result<Vec<StageSpec>, PlanError> {
    for stage in &mut stages {
        stage.layers.iter_mut().for_each(|layer| layer.shape = token.shape(layer.shape));
        stage.layers.retain(|layer| match asked {
            Some(asked) => asked.contains(&layer.name),
            None => !layer.on_request && layer.units() >= FEWEST_UNITS,
        });
        if let Some(layer) = stage.layers.iter().find(|layer| layer.units() < FEWEST_UNITS) {
            return Err(PlanError::FewUnits { layer: layer.name.clone(), units: layer.units() });
        }
    }
    let last = stages.iter().rposition(|stage| !stage.layers.is_empty());
    let answers = classifier.filter(|_| config.one_vs_two.is_some()).map(|classifier| classifier.stage);
    stages.truncate(last.max(answers).map_or(0, |last| last + 1));
    Ok(stages)
}

/// The layers that are tapped, for matrices and for answers.
fn tapped(stages: &[StageSpec], classifier: Option<&Classifier>) -> Vec<String> {
    let layers = stages.iter().flat_map(|stage| &stage.layers).map(|layer| layer.name.clone());
    layers.chain(classifier.map(|classifier| classifier.layer.clone())).collect()
}

/// The layers of the stages, the pixels before them.
fn layers(config: &Config, input: &Input, stages: &[StageSpec]) -> Result<Vec<Layer>, PlanError> {
    let pixels = config.stimuli.pixels.then(|| Layer {
        name: PIXELS.to_string(),
        label: PIXELS_LABEL.to_string(),
        shape: Shape::Map([3, input.size, input.size]),
        on_request: false,
    });
    let layers: Vec<Layer> =
        pixels.into_iter().chain(stages.iter().flat_map(|stage| stage.layers.iter().cloned())).collect();
    if layers.is_empty() { Err(PlanError::NoLayers) } else { Ok(layers) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_the_input_in_vain_is_told() {
        let doubts = |stimuli: &str, own: &str| {
            let config: Config = toml::from_str(&format!(
                "[network]\nname = \"vgg16\"\nrandom = true\n[network.input]\n{own}\n[stimuli]\nmanifest = \"m.csv\"\n{stimuli}\n\
                 [[words]]\nname = \"W\"\nfile = \"w.txt\"\n"
            ))
            .unwrap();
            let resize = Resize::SquashBilinear;
            let input = Input { size: 224, preprocess: Preprocess::Torch, resize, crop_pct: 1.0 };
            let input = super::input(&config, input).unwrap();
            assert!(input.resize.crops() || input.crop_pct == 1.0, "a crop of what is squashed");
            doubts_of_input(&config, &input)
        };
        let said = doubts("resize = \"crop-bilinear\"", "resize = \"crop-bicubic\"\ncrop_pct = 0.9");
        assert_eq!(said, ["network.input.resize: no effect: stimuli.resize says otherwise; remove one"]);
        let said = doubts("", "crop_pct = 0.9");
        assert!(said[0].starts_with("network.input.crop_pct: no effect: the images are squashed"), "{said:?}");
        let said = doubts("crop_pct = 0.8", "crop_pct = 0.9");
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(doubts("resize = \"crop-bilinear\"\ncrop_pct = 0.9", "crop_pct = 0.9").is_empty());
    }
}
