//! The network of an experiment: which graph, how far it runs, what is tapped, and which file its weights are in.

use std::path::PathBuf;

use burn::tensor::Device;

use crate::config::Config;
use crate::imagenet::CLASSES;
use crate::images::{MIN_CROP_PCT, Resize};
use crate::nets::{self, Blueprint, Input, Layer, Network, Shape, Stage, StageSpec, Token};
use crate::plan::PlanError;
use crate::stimuli::{PIXELS, PIXELS_LABEL};
use crate::weights::{self, Parameters, WeightsError};
use crate::wording::meant;

/// A network that can be loaded.
pub struct Model {
    /// The network in one of its forms.
    pub network: Blueprint,
    /// Input size, preprocessing, resize rule.
    pub input: Input,
    /// Its stages up to the last layer wanted.
    pub stages: Vec<StageSpec>,
    /// What is tested of layers of tokens.
    pub token: Token,
    /// The layers tested, in input order; the pixels first if wanted.
    pub layers: Vec<Layer>,
    /// Where the network's answers are read, if it is run that far.
    pub classifier: Option<Classifier>,
    /// The weights' files; none where they are random.
    pub files: Vec<PathBuf>,
    /// Bytes of the weights on the device.
    pub weight_bytes: u64,
}

/// The layer whose units are the ImageNet classes.
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
    let network = nets::find(name).ok_or_else(|| PlanError::Network {
        name: name.to_string(),
        known: nets::NETS.iter().map(|net| net.name).collect::<Vec<_>>().join(", "),
    })?;
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
    /// A name, form, layer or rule that there is not, or weights that are not the network's.
    pub fn new(config: &Config) -> Result<(Self, Parameters), PlanError> {
        let (published, network) = network(&config.network.name, config.network.form.as_deref())?;
        let input = input(config, network.input)?;
        let classifier = classifier(config, &network)?;
        let token = token(config, &network)?;
        let stages = stages(config, &network, token, classifier.as_ref())?;
        let layers = layers(config, &input, &stages)?;
        let parameters = network.parameters();
        // Batch normalization is folded into the convolutions when they are loaded.
        let loaded = parameters.iter().filter(|parameter| parameter.part.is_in(true));
        let weight_bytes = loaded.map(|p| 4 * p.shape.iter().product::<usize>() as u64).sum();
        let (parameters, files) = match (&config.network.weights, config.network.random) {
            (Some(_), true) => return Err(PlanError::WeightsAndRandom),
            (None, false) => return Err(PlanError::NoWeights(network.name.clone())),
            (None, true) => (Parameters::random(parameters, config.seed), Vec::new()),
            (Some(path), false) => {
                let mut file = weights::open(path)?;
                if config.network.ema {
                    file = file.averages()?;
                }
                // A head of other classes that no layer wanted needs is left out.
                let account = published.account(&network, file.as_ref());
                let without = |stage| account.clone().without(&network.parameters_from(stage));
                let assignment = match without(stages.len()) {
                    Some(account) => account,
                    None => published.assign(&network, file.as_ref()).map_err(|source| {
                        let head = (0..stages.len()).rev().find(|&stage| without(stage).is_some());
                        match head.filter(|_| account.misshapen.iter().all(|m| m.expected.contains(&CLASSES))) {
                            Some(head) => {
                                let layers = stages[head..].iter().flat_map(|stage| &stage.layers);
                                let layers = layers.map(|layer| layer.name.as_str()).collect::<Vec<_>>().join(", ");
                                PlanError::Head { layers, source: Box::new(source) }
                            }
                            None => source.into(),
                        }
                    })?,
                };
                let known = |name: &String| assignment.assigned.iter().any(|assigned| assigned.parameter == *name);
                let parameters = parameters.into_iter().filter(|parameter| known(&parameter.name)).collect();
                let files = file.files();
                (Parameters::from_file(parameters, file, assignment), files)
            }
        };
        let classifier = classifier.filter(|classifier| classifier.stage < stages.len());
        Ok((Self { network, input, stages, token, layers, classifier, files, weight_bytes }, parameters))
    }

    /// Whether any of its layers are tokens.
    pub fn has_tokens(&self) -> bool {
        self.network.layers().iter().any(|layer| matches!(layer.shape, Shape::Tokens(_)))
    }

    /// Reads the weights and builds the network on the device, up to the last layer wanted.
    ///
    /// # Errors
    /// A tensor that is not finite or cannot be read.
    pub fn load(&self, mut weights: Parameters, device: &Device) -> Result<Vec<Stage>, WeightsError> {
        self.network.load(self.stages.len(), &mut weights, device)
    }
}

/// The network's input, with what the configuration says instead.
fn input(config: &Config, mut input: Input) -> Result<Input, PlanError> {
    input.resize = config.stimuli.resize.unwrap_or(input.resize);
    input.crop_pct = config.stimuli.crop_pct.unwrap_or(input.crop_pct);
    let fits = (MIN_CROP_PCT..=1.0).contains(&input.crop_pct);
    if !fits && matches!(input.resize, Resize::CropBilinear | Resize::CropBicubic) {
        let found = input.crop_pct.to_string();
        return Err(PlanError::Value {
            key: "stimuli.crop_pct",
            expected: "0.01 to 1 (torchvision and timm: 0.875)",
            found,
        });
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
fn classifier(config: &Config, network: &Blueprint) -> Result<Option<Classifier>, PlanError> {
    let classifier = network.classifier.as_ref().and_then(|name| {
        let holds = |stage: &StageSpec| stage.layers.iter().any(|layer| &layer.name == name);
        Some(Classifier { layer: name.clone(), stage: network.stages().iter().position(holds)? })
    });
    match (&classifier, &config.one_vs_two) {
        (None, Some(_)) => Err(PlanError::NoClassifier(network.name.clone())),
        _ => Ok(classifier),
    }
}

/// The stages up to the last layer wanted, or to the classifier for the 1 vs. 2 test, each with the layers wanted.
fn stages(
    config: &Config,
    network: &Blueprint,
    token: Token,
    classifier: Option<&Classifier>,
) -> Result<Vec<StageSpec>, PlanError> {
    let mut stages = network.stages();
    let unattended = if token == Token::Cls { network.unattended() } else { Vec::new() };
    for name in config.network.layers.iter().flatten() {
        if unattended.contains(name) {
            return Err(PlanError::Unattended { network: network.name.clone(), layer: name.clone() });
        }
        if !stages.iter().flat_map(|stage| &stage.layers).any(|layer| &layer.name == name) {
            let known = stages.iter().flat_map(|stage| &stage.layers).map(|layer| layer.name.as_str());
            let meant = meant(name, known);
            return Err(PlanError::Layer { network: network.name.clone(), layer: name.clone(), meant });
        }
    }
    for stage in &mut stages {
        stage.layers.retain(|layer| match &config.network.layers {
            Some(asked) => asked.contains(&layer.name),
            None => !layer.on_request && !unattended.contains(&layer.name),
        });
        stage.layers.iter_mut().for_each(|layer| layer.shape = token.shape(layer.shape));
    }
    let last = stages.iter().rposition(|stage| !stage.layers.is_empty());
    let answers = classifier.filter(|_| config.one_vs_two.is_some()).map(|classifier| classifier.stage);
    stages.truncate(last.max(answers).map_or(0, |last| last + 1));
    Ok(stages)
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
