//! The experiment in words: what a paper's method section says, from `run.json` and the tables.

use serde_json::Value;

use crate::report::curves::{distinct, thousands};
use crate::report::html::escape;
use crate::results::Results;

/// A heading and its text.
pub struct Paragraph {
    heading: &'static str,
    text: String,
}

impl Paragraph {
    /// As HTML.
    pub fn html(&self) -> String {
        format!("<p><strong>{}.</strong> {}</p>\n", self.heading, escape(&self.text).replace('\n', "<br>\n"))
    }
}

/// Every setting in words.
pub fn paragraphs(results: &Results, run: &Value) -> Vec<Paragraph> {
    let settings = Settings::new(results, run);
    if run.is_null() {
        let text = "The results have no run.json, so the settings are not known.".to_string();
        return vec![Paragraph { heading: "Settings", text }];
    }
    let computed_elsewhere = run["command"] == "test";
    let all = [
        ("Stimuli", settings.stimuli()),
        ("Network", if computed_elsewhere { String::new() } else { settings.network() }),
        ("Word vectors", if computed_elsewhere { String::new() } else { settings.words() }),
        ("Similarity", if computed_elsewhere { settings.matrices() } else { settings.similarity() }),
        ("2 vs. 2 test", settings.two_vs_two()),
        ("Inference", settings.inference()),
        ("1 vs. 2 test", settings.one_vs_two()),
        ("Further measures", settings.further()),
        ("Software", settings.software()),
        ("References", settings.references()),
    ];
    all.into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(heading, text)| Paragraph { heading, text: text.trim().to_string() })
        .collect()
}

struct Settings<'a> {
    results: &'a Results,
    run: &'a Value,
    /// The keys of `[two_vs_two]`.
    test: &'a Value,
    concepts: u64,
    groups: u64,
    pairs: u64,
    permutations: u64,
}

fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    }
}

fn count(number: u64, singular: &str) -> String {
    format!("{} {singular}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// A checksum's beginning: enough to tell files apart; the whole stands in the provenance.
fn checksum(sum: &Value) -> String {
    sum.as_str().map_or(String::new(), |sum| format!(", SHA-256 {}…", sum.chars().take(12).collect::<String>()))
}

impl<'a> Settings<'a> {
    fn new(results: &'a Results, run: &'a Value) -> Self {
        let row = results.accuracy.first();
        let config = &run["config"];
        Self {
            results,
            run,
            test: if run["command"] == "test" { config } else { &config["two_vs_two"] },
            concepts: row.map_or(0, |row| row.concepts as u64),
            groups: row.map_or(0, |row| row.groups as u64),
            pairs: row.map_or(0, |row| row.pairs as u64),
            permutations: results.accuracy.iter().map(|row| row.permutations).max().unwrap_or(0),
        }
    }

    fn stimuli(&self) -> String {
        let images = count(self.concepts * self.groups, "image");
        let dealt = match self.groups {
            1 => "one of each concept".to_string(),
            groups => format!("dealt into {groups} groups of one image per concept"),
        };
        format!("The stimuli were {images} of {}, {dealt}. {}", count(self.concepts, "concept"), self.preparation())
    }

    fn preparation(&self) -> String {
        let input = &self.run["network"]["input"];
        let Some(size) = input["size"].as_u64() else { return String::new() };
        let rule = input["resize"].as_str().unwrap_or_default();
        let kernel = match rule.split_once('-').map_or("", |(_, kernel)| kernel) {
            "nearest" => "nearest-neighbour sampling",
            "bilinear" => "bilinear interpolation with antialiasing",
            "bicubic" => "bicubic interpolation with antialiasing",
            other => other,
        };
        let resized = if rule.starts_with("crop") {
            let side = size as f64 / input["crop_pct"].as_f64().unwrap_or(1.0);
            format!(
                "The shorter side of each image was scaled to {side:.0} pixels by {kernel}, and the central {size} × {size} \
                 pixels were kept."
            )
        } else {
            format!("Each image was scaled to {size} × {size} pixels, whatever its shape, by {kernel}.")
        };
        let values = match input["preprocess"].as_str().unwrap_or_default() {
            "caffe" => {
                "Its channels were put in the order blue, green, red and reduced by 103.939, 116.779 and 123.68, the means \
                 of ImageNet; values were not scaled."
            }
            "tf" => "Values were scaled from 0 … 255 to −1 … 1.",
            "torch" => {
                "Values were scaled to 0 … 1, reduced by ImageNet's means (0.485, 0.456, 0.406) and divided by its standard \
                 deviations (0.229, 0.224, 0.225)."
            }
            "lite" => "Values x of 0 … 255 became (x − 127) / 128.",
            _ => "",
        };
        format!("{resized} {values}")
    }

    fn layers(&self) -> Vec<(&str, usize)> {
        let names = distinct(self.results.accuracy.iter().map(|row| row.layer.as_str()));
        let units = |layer| self.results.accuracy.iter().find(|row| row.layer == layer).map_or(0, |row| row.units);
        names.into_iter().map(|layer| (layer, units(layer))).collect()
    }

    fn network(&self) -> String {
        let network = &self.run["network"];
        let Some(name) = network["name"].as_str() else { return String::new() };
        let config = &self.run["config"]["network"];
        let weights = match config["weights"].as_str() {
            Some(file) => format!("with the weights of {file}{}", checksum(&self.run["checksums"]["weights"])),
            None => format!("with random weights (seed {}), as a control", self.seed()),
        };
        let form = network["form"].as_str().map_or(String::new(), |form| format!(" in its {form} form"));
        let (pixels, layers): (Vec<_>, Vec<_>) = self.layers().into_iter().partition(|(layer, _)| *layer == "pixels");
        let named: Vec<String> =
            layers.iter().map(|(layer, units)| format!("{layer} ({} units)", thousands(*units as u64))).collect();
        let mut text = format!(
            "The images were passed through {name}{form}, {weights}. The activations of {} were recorded, in order of \
             depth: {}; all units of a layer made one vector per image.",
            count(layers.len() as u64, "layer"),
            list(&named),
        );
        if let Some((_, units)) = pixels.first() {
            text += &format!(
                " As a baseline below the first layer, the {} values of the scaled image itself were treated in the same \
                 way.",
                thousands(*units as u64)
            );
        }
        text
    }

    fn matrices(&self) -> String {
        let layers: Vec<String> = self.layers().iter().map(|(layer, _)| layer.to_string()).collect();
        let words: Vec<String> = distinct(self.results.accuracy.iter().map(|row| row.words.as_str()))
            .into_iter()
            .map(str::to_string)
            .collect();
        format!(
            "Similarity matrices of {} ({}) and of {} ({}) were computed by another program and read from its files.",
            count(layers.len() as u64, "layer"),
            list(&layers),
            count(words.len() as u64, "word model"),
            list(&words)
        )
    }

    fn words(&self) -> String {
        let configured = self.run["config"]["words"].as_array().into_iter().flatten();
        let named: Vec<String> = configured
            .enumerate()
            .map(|(n, words)| {
                let dimensions = self.run["words"][n]["dimensions"].as_u64();
                format!(
                    "{} ({}{}{})",
                    words["name"].as_str().unwrap_or_default(),
                    dimensions.map_or(String::new(), |dimensions| format!("{} per word; ", count(dimensions, "value"))),
                    words["file"].as_str().unwrap_or_default(),
                    checksum(&self.run["checksums"]["words"][n])
                )
            })
            .collect();
        if named.is_empty() { String::new() } else { format!("Every concept had a vector in {}.", list(&named)) }
    }

    fn similarity(&self) -> String {
        let per_group = if self.groups > 1 { "For each layer and group of images" } else { "For each layer" };
        format!(
            "{per_group}, the Pearson correlations of the {k} images' activation vectors with each other make a {k} × {k} \
             matrix; for each word model, those of the {k} word vectors. Matrices were kept in double precision.",
            k = thousands(self.concepts)
        )
    }

    fn two_vs_two(&self) -> String {
        let averaged =
            if self.groups > 1 { format!(", averaged over the {} groups", self.groups) } else { String::new() };
        let mut text = format!(
            "Words and images were compared by the 2 vs. 2 test (Dharmaretnam & Fyshe, 2018). For each of the {} of concepts \
             a and b, the rows a and b of the word matrix (w) and of the image matrix (i) were taken without the columns a and \
             b. The pair passes if corr(w_a, i_a) + corr(w_b, i_b) > corr(w_a, i_b) + corr(w_b, i_a), with Pearson \
             correlations. Accuracy is the share of pairs that pass{averaged}; chance is 0.5.",
            count(self.pairs, "pair"),
        );
        let ties: u64 = self.results.accuracy.iter().map(|row| row.ties).sum();
        let tied = match self.test["ties"].as_str() {
            Some("half") => "half a pass",
            Some("won") => "passed",
            Some("lost") => "not passed",
            _ => "an unrecorded score",
        };
        text += &format!(
            " A tie (the two sums equal up to rounding) counted as {tied}; {} occurred in all tests together.",
            if ties == 0 { "none".to_string() } else { thousands(ties) }
        );
        text += match self.test["constant"].as_str() {
            Some("half") => {
                " Pairs with an image whose activations are constant, and so correlate with nothing, scored one half."
            }
            Some("error") => " No image had constant activations at any layer.",
            _ => "",
        };
        text
    }

    fn seed(&self) -> u64 {
        self.run["config"]["seed"].as_u64().unwrap_or_default()
    }

    fn inference(&self) -> String {
        if self.permutations == 0 {
            return "No permutation test was made: the accuracies have no p-values.".to_string();
        }
        let strata = self.test["within_categories"] == true || self.test["categories"].is_string();
        let within = if strata { " within their categories" } else { "" };
        let mut text = format!(
            "The null distribution came from {} of the concepts of the word matrix{within} (seed {}); all layers, groups of \
             images and word models shared the same permutations. With b permutations that reach the observed accuracy out of \
             m, p = (1 + b) / (1 + m).",
            count(self.permutations, "random permutation"),
            self.seed()
        );
        let layers = self.layers().len();
        if layers > 1 {
            text += &format!(
                " The family-wise error rate over the {layers} layers of a network and word model was controlled by \
                 comparing each accuracy with the permutations' maximum over these layers; the false discovery rate over \
                 the same family by the procedure of Benjamini and Hochberg (1995). Layers are called significant where \
                 the family-wise p is below 0.05."
            );
        }
        if let Some(stop) = self.test["stop_after"].as_u64() {
            text += &format!(
                " Drawing stopped early once {stop} permutations of every layer had reached the observed accuracy \
                 (Besag & Clifford, 1991)."
            );
        }
        match self.test["bootstrap"].as_u64() {
            None | Some(0) => {}
            Some(resamples) => {
                text += &format!(
                    " Confidence intervals (95 %) are percentiles of {} over concepts, in log-odds and centred on the \
                     observed accuracy; copies of a concept made no pairs and were left out of each other's rows.",
                    count(resamples, "bootstrap resample")
                );
            }
        }
        text
    }

    fn one_vs_two(&self) -> String {
        let Some(row) = self.results.one_vs_two.first() else { return String::new() };
        let test = &self.run["config"]["one_vs_two"];
        let known = self.run["top_1"].as_f64();
        let known = known.map_or(String::new(), |share| format!(" (top-1 accuracy {:.1} %)", 100.0 * share));
        let mut text = format!(
            "The 1 vs. 2 test was made for the {} that the network misclassified{known} and whose true and predicted class both \
             have a word. The correlations of the image's activations with those of the correctly classified images of its \
             group were compared with the correlations of the two classes' word vectors with those images' words; the columns \
             of the two classes were left out. The image passes if its correlations correlate more with the true class's than \
             with the predicted one's; chance is 0.5.",
            count(row.images as u64, "image"),
        );
        if row.permutations > 0 {
            text += &format!(
                " p-values are from {} of all words that can take part, shared by layers and groups, and were corrected \
                 over layers by the maximum as above.",
                count(row.permutations, "random permutation")
            );
        }
        match test["ties"].as_str() {
            Some("half") => text += " A tie counted as half a pass.",
            Some("won") => text += " A tie counted as passed.",
            Some(_) => text += " A tie counted as not passed.",
            None => {}
        }
        text
    }

    fn further(&self) -> String {
        let mut text = String::new();
        if self.results.accuracy.iter().any(|row| row.ceiling_low.is_some()) {
            text += "The noise ceiling is the accuracy of the same test with other images in the place of words: the mean \
                     matrix of the other groups (lower bound) or of all groups (upper bound; Nili et al., 2014). ";
        }
        text += "RSA is the Pearson correlation of the two matrices' upper triangles, averaged over groups (Kriegeskorte et \
                 al., 2008).";
        let methods: Vec<String> =
            distinct(self.results.rsa.iter().map(|row| row.method.as_str())).into_iter().map(str::to_string).collect();
        if !methods.is_empty() {
            text += &format!(" It was also tested by the same permutations, with the measures {}.", list(&methods));
        }
        if !self.results.words.is_empty() {
            text += " Word models were compared with each other by the same 2 vs. 2 test.";
        }
        text
    }

    fn software(&self) -> String {
        let Some(version) = self.run["semgpu"].as_str() else { return String::new() };
        let device = self.run["device"]["name"].as_str().unwrap_or("an unnamed device");
        let driver = &self.run["device"]["adapter"]["driver"];
        let driver = driver.as_str().filter(|driver| !driver.is_empty());
        let driver = driver.map_or(String::new(), |driver| format!(", driver {driver}"));
        format!("All computations were made with semgpu {version} on {device}{driver}.")
    }

    fn references(&self) -> String {
        let mut references = vec![
            "Dharmaretnam, D., & Fyshe, A. (2018). The emergence of semantics in neural network representations of visual \
             information. In Proceedings of NAACL-HLT 2018, Volume 2 (Short Papers), pp. 776–780.",
            "Kriegeskorte, N., Mur, M., & Bandettini, P. (2008). Representational similarity analysis – connecting the \
             branches of systems neuroscience. Frontiers in Systems Neuroscience, 2, 4.",
        ];
        if self.permutations > 0 {
            references.push(
                "Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate: a practical and powerful \
                 approach to multiple testing. Journal of the Royal Statistical Society B, 57(1), 289–300.",
            );
        }
        if self.test["stop_after"].is_u64() {
            references
                .push("Besag, J., & Clifford, P. (1991). Sequential Monte Carlo p-values. Biometrika, 78(2), 301–304.");
        }
        if self.results.accuracy.iter().any(|row| row.ceiling_low.is_some()) {
            references.push(
                "Nili, H., Wingfield, C., Walther, A., Su, L., Marslen-Wilson, W., & Kriegeskorte, N. (2014). A toolbox for \
                 representational similarity analysis. PLoS Computational Biology, 10(4), e1003553.",
            );
        }
        references.sort_unstable();
        references.join("\n")
    }
}
