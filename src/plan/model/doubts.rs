//! What may not be meant of a network and its configuration, and does not stop a run.

use super::{Graph, Model};
use crate::config::Config;
use crate::nets::{Arrival, Input, Token};
use crate::stimuli::Manifest;

impl Model {
    /// A list of the network's classes that tells no image's, which nothing else says without the 1 vs. 2 test.
    pub(in crate::plan) fn doubt_of_classes(&self, config: &Config, manifest: &Manifest) -> Option<String> {
        let list = config.network.classes.as_ref()?;
        let shown = manifest.stimuli.iter().flatten().any(|stimulus| stimulus.class_index.is_some());
        let (names, concepts) = self.some_names(manifest);
        (!shown).then(|| {
            format!(
                "network.classes: {} names none of the manifest's concepts (it has {names}, the manifest {concepts}): no image's \
                 true class is known, and predictions.csv does not say which answers are right",
                list.display()
            )
        })
    }

    /// That numbers of its own take the place of those that its form was trained with, where no normalization tells whether
    /// they fit.
    pub(in crate::plan) fn doubt_of_values(&self, arrival: Option<Arrival>) -> Option<String> {
        let Graph::Drawn(published) = &self.network.graph else { return None };
        let [form, own] = [published.input.preprocess, self.input.preprocess];
        let is_told = arrival.is_some() || self.files.is_empty();
        (form != own && !is_told).then(|| {
            format!(
                "network.input: {} takes the place of {}, the values that {} ({}) was trained with, and no normalization of \
                 the network tells whether the weights fit; remove it unless they were trained so",
                own.name(),
                form.name(),
                self.network.name,
                self.network.form
            )
        })
    }

    /// What the configuration says of tokens in vain.
    pub(in crate::plan) fn doubt_of_token(&self, config: &Config) -> Option<String> {
        (config.network.token.is_some() && !self.has_tokens)
            .then(|| format!("network.token: no effect: {} has no layers of tokens; remove it", self.network.name))
    }

    /// That a file's default takes the first token where it stands for nothing, as the first row of a map of depths.
    pub(in crate::plan) fn doubt_of_default(&self, config: &Config) -> Option<String> {
        let Graph::File(graph) = &self.network.graph else { return None };
        if config.network.token.is_some() || self.token != Token::Cls {
            return None;
        }
        let tested = |name: &str| self.layers.iter().any(|layer| layer.name == name);
        let found = graph.without_class(tested).map(|(name, tokens)| format!("{name:?} (of {tokens})"));
        let found: Vec<String> = found.collect();
        (!found.is_empty()).then(|| {
            format!(
                "network.token: \"cls\", the default of this network, takes the first token, which is no class token at {}: those \
                 are not one more than a square of patches; test them in a run with network.token = \"mean\" or \"all\"",
                found.join(", ")
            )
        })
    }

    /// That the layers of a file end before what comes out.
    pub(in crate::plan) fn doubt_of_images(&self) -> Option<String> {
        match &self.network.graph {
            Graph::File(graph) => graph.doubt_of_images().map(|doubt| format!("network.file: {doubt}")),
            Graph::Drawn(_) => None,
        }
    }
}

/// What the configuration says of the input in vain.
pub(in crate::plan) fn doubts_of_input(config: &Config, input: &Input) -> Vec<String> {
    let (all, own) = (&config.stimuli, &config.network.input);
    let over = [
        ("resize", all.resize.zip(own.resize).is_some_and(|(all, own)| all != own)),
        ("crop_pct", all.crop_pct.zip(own.crop_pct).is_some_and(|(all, own)| all != own)),
    ];
    let over = over.into_iter().filter(|(_, is_over)| *is_over);
    let over = over.map(|(key, _)| format!("network.input.{key}: no effect: stimuli.{key} says otherwise; remove one"));
    let said = [("stimuli", all.crop_pct), ("network.input", own.crop_pct)];
    let said = said.into_iter().find(|(_, said)| said.is_some() && !input.resize.crops());
    let squashed = said.map(|(key, _)| {
        format!("{key}.crop_pct: no effect: the images are squashed, not cropped; resize = \"crop-…\" crops them")
    });
    over.chain(squashed).collect()
}
