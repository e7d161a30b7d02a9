//! The experiment in words: what a paper's method section says, from `run.json` and the tables.

mod alignment;
mod images;
mod inference;
mod pairs;
pub mod references;
mod spaces;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::config::TestOptions;
use crate::evaluation::controls::CATEGORY;
use crate::names::distinct;
use crate::nets::Token;
use crate::record::{Command, IMAGES, Run, RunRecord};
use crate::report::canvas::escape;
use crate::report::chance;
use crate::report::inference::Null;
use crate::report::material::Said;
use crate::report::names;
use crate::results::Results;
use crate::stats::partial;
use crate::stats::scoring::Constant;
use crate::stats::similarity::DOUBLE_UNITS;
use crate::stimuli::PIXELS;
use crate::wording::{counted, grouped, listed};

/// A heading and its text.
pub struct Paragraph {
    pub heading: &'static str,
    pub text: String,
}

impl Paragraph {
    /// As HTML.
    pub fn html(&self) -> String {
        format!("<p><strong>{}.</strong> {}</p>\n", self.heading, escape(&self.text).replace('\n', "<br>\n"))
    }
}

/// Every setting in words.
pub fn paragraphs(results: &Results, record: Option<&RunRecord>) -> Vec<Paragraph> {
    let Some(record) = record else {
        let text = "The results have no run.json, so the settings are not known.".to_string();
        return vec![Paragraph { heading: "Settings", text }];
    };
    let settings = Settings::new(results, record);
    let [network, words, similarity] = match &record.command {
        Command::Run(run) => [settings.network(run), words(run), settings.similarity()],
        Command::Test(test) => [settings.layer_files(test), settings.word_files(test), settings.matrices(test)],
    };
    // Without the 2 vs. 2 test in full there is nothing to say of them.
    let further = if results.accuracy.is_empty() { String::new() } else { settings.further() };
    let mut all = vec![
        ("Stimuli", settings.stimuli()),
        (if record.run().is_some() { "Network" } else { "Layers" }, network),
        ("Word vectors", words),
        ("Similarity", similarity),
        ("2 vs. 2 test", settings.two_vs_two()),
        ("Inference", settings.inference()),
        ("1 vs. 2 test", settings.one_vs_two()),
        ("Controls", settings.controls()),
        ("Further measures", further),
        ("Alignment", settings.alignment()),
        ("Software", settings.software()),
    ];
    let cited: String = all.iter().map(|(_, text)| text.as_str()).collect();
    all.push(("References", references::of(&cited)));
    let told = all.into_iter().filter(|(_, text)| !text.is_empty());
    told.map(|(heading, text)| Paragraph { heading, text: text.trim().to_string() }).collect()
}

struct Settings<'a> {
    results: &'a Results,
    record: &'a RunRecord,
    test: &'a TestOptions,
    null: Null,
    concepts: u64,
    groups: u64,
}

/// A checksum's beginning: enough to tell files apart; the whole stands in the provenance.
fn checksum(sum: Option<&String>) -> String {
    sum.map_or(String::new(), |sum| format!(", SHA-256 {}…", sum.chars().take(12).collect::<String>()))
}

/// The paper of a word model, before what else stands in parentheses.
fn paper(file: &Path, name: &str) -> String {
    let file = file.file_name().unwrap_or_default().to_string_lossy();
    names::words_paper(&file, name).map_or_else(String::new, |paper| format!("{paper}; "))
}

fn words(run: &Run) -> String {
    let configured = run.config.words.iter().zip(&run.words).enumerate();
    let named: Vec<String> = configured
        .map(|(n, (words, model))| {
            let values = counted(model.dimensions, "value");
            let sum = checksum(run.checksums.words.get(n));
            let paper = paper(&words.file, &words.name);
            format!("{} ({paper}{values} per word; {}{sum})", words.name, words.file.display())
        })
        .collect();
    format!("Every concept had a vector in {}.", listed(&named))
}

impl<'a> Settings<'a> {
    fn new(results: &'a Results, record: &'a RunRecord) -> Self {
        let row = results.accuracy.first().map(|row| (row.concepts, row.groups));
        let (concepts, groups) =
            row.or_else(|| results.measures.first().map(|row| (row.concepts, row.groups))).unwrap_or_default();
        Self {
            results,
            record,
            test: record.options(),
            null: Null::of(record),
            concepts: concepts as u64,
            groups: groups as u64,
        }
    }

    fn said(&self) -> Said<'a> {
        Said::of(self.record)
    }

    fn stimuli(&self) -> String {
        let said = self.said();
        if said.groups_are != IMAGES {
            let groups = said.groups(self.groups as usize);
            return format!("The data were of {groups}, each with {}.", counted(self.concepts, "concept"));
        }
        let images = counted(self.concepts * self.groups, "image");
        let dealt = match self.groups {
            1 => "one of each concept".to_string(),
            groups => format!("divided into {groups} groups of one image per concept"),
        };
        let prepared = self.record.run().map_or_else(String::new, images::preparation);
        format!("The stimuli were {images} of {}, {dealt}. {prepared}", counted(self.concepts, "concept"))
    }

    fn layers(&self) -> Vec<(&str, usize)> {
        let names = distinct(self.results.accuracy.iter().map(|row| row.layer.as_str()));
        let units = |layer| self.results.accuracy.iter().find(|row| row.layer == layer).map_or(0, |row| row.units);
        names.into_iter().map(|layer| (layer, units(layer))).collect()
    }

    /// So many layers, or what stands along the axis.
    fn layers_said(&self, layers: usize) -> String {
        let plural = if layers == 1 { "" } else { "s" };
        match self.said().axis {
            Some(axis) => format!("{layers} place{plural} along \u{201c}{axis}\u{201d}"),
            None if self.said().unordered => format!("{layers} place{plural} without an order"),
            None => counted(layers, "layer"),
        }
    }

    fn network(&self, run: &Run) -> String {
        let name = &run.network.name;
        // A file's graph may have any name.
        let name = match names::network_paper(name).filter(|_| run.config.network.file.is_none()) {
            Some(paper) => format!("{} ({paper})", names::network(name)),
            None => name.clone(),
        };
        let weights = match run.config.network.weights_file() {
            Some(file) => {
                format!("with the weights of {}{}", file.display(), checksum(run.checksums.weights.as_ref()))
            }
            None => format!("with random weights (seed {}), as a control", self.record.seed()),
        };
        let (pixels, layers): (Vec<_>, Vec<_>) = self.layers().into_iter().partition(|(layer, _)| *layer == PIXELS);
        let named: Vec<String> =
            layers.iter().map(|(layer, units)| format!("{layer} ({} units)", grouped(*units))).collect();
        let mut text = format!(
            "The images were passed through {name} in its {} form, {weights}. The activations of {} were recorded, in order of \
             depth: {}; {} made one vector per image.",
            run.network.form,
            counted(layers.len(), "layer"),
            listed(&named),
            match run.network.token {
                None => "all units of a layer",
                Some(Token::Cls) => "the class token of a layer of tokens, all units of any other,",
                Some(Token::Mean) => "the mean of the tokens of a layer of tokens, all units of any other,",
                Some(Token::All) => "all units of a layer, those of all its tokens,",
            },
        );
        if let Some((_, units)) = pixels.first() {
            text += &format!(
                " As a baseline below the first layer, the {} values of the scaled image itself were treated in the same \
                 way.",
                grouped(*units)
            );
        }
        text
    }

    /// Of what there is a matrix each.
    fn per_layer(&self) -> String {
        let said = self.said();
        let layer = said.axis.map_or("layer".to_string(), |axis| format!("place along \u{201c}{axis}\u{201d}"));
        match self.groups {
            1 => format!("For each {layer}"),
            _ => format!("For each {layer} and {}", said.group()),
        }
    }

    fn similarity(&self) -> String {
        format!(
            "{}, the Pearson correlations of the {k} images' activation vectors with each other make a {k} × {k} \
             matrix; for each word model, those of the {k} word vectors. Those of word vectors, of layers of at most {double} \
             units and of whole numbers were computed in double precision; of larger layers the products are in single \
             precision, after what all images have in common was taken out, and their sums in double precision.",
            self.per_layer(),
            k = grouped(self.concepts),
            double = grouped(DOUBLE_UNITS)
        )
    }

    /// Over what values are averaged, after a comma; nothing of one group.
    fn averaged(&self) -> String {
        if self.groups > 1 { format!(", averaged over {}", self.said().all()) } else { String::new() }
    }

    fn controls(&self) -> String {
        let given = distinct(self.results.controls.iter().map(|row| row.given.as_str()));
        let measures = distinct(self.results.controls.iter().map(|row| row.measure.as_str()));
        let mut text = String::new();
        if self.are_categories_given() {
            text += "By category the similarity of two concepts is 1 where they share it and 0 where they do not. ";
        }
        if !given.is_empty() {
            let apart =
                if self.groups > 1 { format!(" in each {} by itself", self.said().group()) } else { String::new() };
            let spearman = partial::Measure::Spearman.to_string();
            let ranked = if measures.contains(&spearman.as_str()) {
                format!(" (by {spearman} their ranks)")
            } else {
                String::new()
            };
            text += &format!(
                "The tests ({}) were repeated given {}: the entries of the given similarity matrices above the diagonal{ranked} \
                 were regressed, linearly and with a constant, out of those of the words and of each layer{apart}, and the residuals \
                 were compared. ",
                listed(&measures),
                listed(&given)
            );
            if self.results.controls.iter().any(|row| row.permutations > 0) {
                text += "Permutations re-indexed the words\u{2019} residuals and regressed them again (Freedman & Lane, 1983; \
                         Dekker et al., 2007), so that what words and layers have in common with the given spaces stays in \
                         every permutation. ";
            }
            text += "What is not linear in the given matrices is not removed. ";
            for (given, said) in chance::said_given(self.results, self.test.ties, Some(self.null)) {
                text += &format!("Of the 2 vs. 2 test given {given}: {said} ");
            }
        }
        if let Some(row) = self.results.partition.first() {
            let averaged = self.averaged();
            text += &if self.results.partition.iter().any(|row| row.kind == "shared") {
                format!(
                    "The variance of each layer\u{2019}s entries was partitioned between {} by commonality analysis of linear \
                     regressions (Seibold & McPhee, 1979){averaged}.",
                    row.spaces
                )
            } else {
                format!(
                    "The share of the variance of each layer\u{2019}s entries that {} explains is that of a linear \
                     regression{averaged}.",
                    row.spaces
                )
            };
            if row.ci_low.is_some() {
                text += &format!(
                    " Intervals (95 %) are percentiles of {} over concepts, centred on the observed share.",
                    counted(self.test.bootstrap, "bootstrap resample")
                );
            }
        }
        text
    }

    /// Whether the concepts' categories are a space that is given, or one that explains variance; a file, a layer or a word model
    /// may have their name.
    fn are_categories_given(&self) -> bool {
        let files = match &self.record.command {
            Command::Run(run) => &run.checksums.controls,
            Command::Test(test) => &test.checksums.controls,
        };
        let mut named = files.keys().chain(self.results.accuracy.iter().flat_map(|row| [&row.layer, &row.words]));
        let given = self.results.controls.iter().map(|row| &row.given);
        let mut spaces = given.chain(self.results.partition.iter().map(|row| &row.spaces));
        spaces.any(|spaces| spaces.split(" + ").any(|space| space == CATEGORY)) && !named.any(|name| name == CATEGORY)
    }

    fn further(&self) -> String {
        let (all, one) = (self.said().all(), self.said().group());
        let mut text = String::new();
        if self.results.accuracy.iter().any(|row| row.ceiling_low.is_some()) {
            text += &format!(
                "How well the {all} agree is the accuracy of the same test with the mean matrix of the other {all}, or of all, \
                 in the place of words (after Nili et al., 2014), each one's matrix standardised first. It is not an upper bound: \
                 words may do better. "
            );
        }
        let averaged = self.averaged();
        text += &format!(
            "RSA is the Pearson correlation of the two matrices' upper triangles{averaged} (Kriegeskorte et al., 2008)."
        );
        if self.test.constant == Constant::Half {
            let draws = if self.drawn().is_some() { ", as observed and in every permutation" } else { "" };
            text += &format!(" Pairs with an image whose activations are constant were left out of it{draws}.");
        }
        let methods = distinct(self.results.rsa.iter().map(|row| row.method.as_str()));
        if !methods.is_empty() {
            let how = match self.results.rsa.iter().any(|row| row.permutations > 0) {
                true => "tested by the same permutations, with",
                false => "computed by",
            };
            let measures = if methods.len() == 1 { "measure" } else { "measures" };
            text += &format!(" It was also {how} the {measures} {}.", listed(&methods));
        }
        if self.results.rsa.iter().any(|row| row.ceiling_low.is_some()) {
            text += &format!(
                " Its noise ceiling (Nili et al., 2014) is the correlation of each {one} with the mean of the others (lower) and \
                 of all (upper), of standardised matrices for Pearson, of ranks for the others; the upper one is a bound for \
                 Pearson, and for Spearman where no entries tie."
            );
        }
        if !self.results.words.is_empty() {
            text += " Word models were compared with each other by the same 2 vs. 2 test.";
        }
        text
    }

    fn software(&self) -> String {
        let RunRecord { semgpu, device, .. } = self.record;
        let driver = device.adapter.as_ref().map(|adapter| &adapter.driver).filter(|driver| !driver.is_empty());
        let driver = driver.map_or(String::new(), |driver| format!(", driver {driver}"));
        format!("All computations were made with semgpu {semgpu} on {}{driver}.", device.name)
    }
}
