//! The rows of `accuracy.csv` and `one_vs_two.csv` as curves over the layers of a network.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::report::axes::Panel;
use crate::report::canvas::{Backend, Canvas, DrawError, Figure, Point, write_figure};
use crate::report::style::{AXIS, CURVE, DASHED, GREY, curve};
use crate::report::{CHANCE, ReportError, figures};
use crate::results::{AccuracyRow, OneVsTwoRow, Results, figure_name};

/// A row that belongs to a layer and a word model.
pub trait LayerRow {
    /// The network's name.
    fn network(&self) -> &str;
    /// The layer's name.
    fn layer(&self) -> &str;
    /// Its label.
    fn label(&self) -> &str;
    /// The word model's name.
    fn words(&self) -> &str;
}

macro_rules! layer_row {
    ($row:ty) => {
        impl LayerRow for $row {
            fn network(&self) -> &str {
                &self.network
            }

            fn layer(&self) -> &str {
                &self.layer
            }

            fn label(&self) -> &str {
                &self.label
            }

            fn words(&self) -> &str {
                &self.words
            }
        }
    };
}

layer_row!(AccuracyRow);
layer_row!(OneVsTwoRow);

/// One network's curves, one for each word model.
pub struct Curves<'a, R = AccuracyRow> {
    /// The network's name.
    pub network: &'a str,
    /// The layers' names, in input order.
    pub layers: Vec<&'a str>,
    /// Their labels.
    pub labels: Vec<&'a str>,
    /// The word models, in order of first appearance.
    pub models: Vec<Model<'a, R>>,
}

/// One word model's curve.
pub struct Model<'a, R = AccuracyRow> {
    /// Its name.
    pub words: &'a str,
    /// A row for each layer, where there is one.
    pub rows: Vec<Option<&'a R>>,
}

/// Draws the figure that `of` makes of each network's curves as `<directory>/figures/<name>_<network>`; returns the
/// files.
///
/// # Errors
/// Results without rows; a picture that cannot be drawn or written.
pub fn write_each_network<'a, F: Figure>(
    results: &'a Results,
    directory: &Path,
    name: &'static str,
    of: impl Fn(Curves<'a>) -> F,
) -> Result<Vec<PathBuf>, ReportError> {
    if results.accuracy.is_empty() {
        return Err(ReportError::NoRows { figure: name, table: "accuracy.csv" });
    }
    write_networks(&results.accuracy, directory, name, of)
}

/// [`write_each_network`] of any rows; draws nothing where there are none.
pub fn write_networks<'a, R: LayerRow, F: Figure>(
    rows: &'a [R],
    directory: &Path,
    name: &'static str,
    of: impl Fn(Curves<'a, R>) -> F,
) -> Result<Vec<PathBuf>, ReportError> {
    let mut paths = Vec::new();
    for curves in Curves::of_networks(rows) {
        let stem = curves.stem(name);
        paths.extend(write_figure(&of(curves), &figures(directory), &stem)?);
    }
    Ok(paths)
}

impl<'a, R: LayerRow> Curves<'a, R> {
    /// Sorts rows by network, word model and layer, each in order of first appearance.
    pub fn of_networks(rows: &'a [R]) -> Vec<Self> {
        distinct(rows.iter().map(R::network))
            .into_iter()
            .map(|network| Self::of_network(network, rows.iter().filter(|row| row.network() == network).collect()))
            .collect()
    }

    fn of_network(network: &'a str, rows: Vec<&'a R>) -> Self {
        let layers = distinct(rows.iter().map(|row| row.layer()));
        let row = |layer, words| rows.iter().copied().find(|row| row.layer() == layer && row.words() == words);
        let labels = layers.iter().filter_map(|&layer| rows.iter().find(|row| row.layer() == layer));
        let models = distinct(rows.iter().map(|row| row.words()));
        Self {
            network,
            labels: labels.map(|row| row.label()).collect(),
            layers: layers.clone(),
            models: models
                .into_iter()
                .map(|words| Model { words, rows: layers.iter().map(|&layer| row(layer, words)).collect() })
                .collect(),
        }
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &'a R> {
        self.models.iter().flat_map(|model| model.rows.iter().copied().flatten())
    }

    /// Draws the line at chance and every model's curve; the first model lies on top.
    pub fn draw<B: Backend>(
        &self,
        canvas: &Canvas<B>,
        panel: &Panel,
        value: impl Fn(&R) -> f64 + Copy,
    ) -> Result<(), DrawError> {
        let (left, right) = panel.ends();
        canvas.dashed(&[(left, panel.y(CHANCE)), (right, panel.y(CHANCE))], DASHED, AXIS, GREY)?;
        for (n, model) in self.models.iter().enumerate().rev() {
            for run in model.runs(panel, value) {
                canvas.dashed(&run, &panel.dash(curve(n).dash), CURVE, curve(n).color)?;
            }
        }
        Ok(())
    }

    /// The stem of a figure's file names: the figure and the network.
    pub fn stem(&self, figure: &str) -> String {
        format!("{figure}_{}", figure_name(self.network))
    }

    /// The same of a figure for one word model.
    pub fn model_stem(&self, figure: &str, words: &str) -> String {
        format!("{}_{}", self.stem(figure), figure_name(words))
    }
}

impl<'a> Curves<'a> {
    /// Whether the results have p-values and a null distribution.
    pub fn permuted(&self) -> bool {
        self.rows().any(|row| row.permutations > 0)
    }

    /// The sizes of the experiment, in words.
    pub fn counts(&self) -> String {
        let Some(row) = self.rows().next() else {
            return String::new();
        };
        let mut counts = vec![
            format!("{} concepts", thousands(row.concepts as u64)),
            format!("{} pairs", thousands(row.pairs as u64)),
            if row.groups == 1 { "1 group of images".into() } else { format!("{} groups of images", row.groups) },
        ];
        if row.permutations > 0 {
            counts.push(format!("{} permutations", thousands(row.permutations)));
        }
        format!("{}.", counts.join(", "))
    }

    /// The label of a layer; its name, where the curves lack it.
    pub fn label(&self, layer: &'a str) -> &'a str {
        self.layers.iter().position(|known| *known == layer).map_or(layer, |place| self.labels[place])
    }
}

impl<R> Model<'_, R> {
    /// Layer, row and value wherever there is a finite value.
    pub fn values(&self, value: impl Fn(&R) -> f64) -> impl Iterator<Item = (usize, &R, f64)> {
        self.rows.iter().enumerate().filter_map(move |(layer, row)| {
            let row = (*row)?;
            let value = value(row);
            value.is_finite().then_some((layer, row, value))
        })
    }

    /// The curve's points in the panel, cut where a layer has no value.
    pub fn runs(&self, panel: &Panel, value: impl Fn(&R) -> f64) -> Vec<Vec<Point>> {
        let mut runs: Vec<Vec<Point>> = Vec::new();
        let mut next = None;
        for (layer, _, value) in self.values(value) {
            let point = (panel.x(layer), panel.y(value));
            match runs.last_mut() {
                Some(run) if next == Some(layer) => run.push(point),
                _ => runs.push(vec![point]),
            }
            next = Some(layer + 1);
        }
        runs
    }
}

/// Names in order of first appearance.
pub fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}

/// Digits in groups of three.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Made-up rows: accuracy climbs with depth, word model `m` lies 0.02 `m` lower, the first layers are not
    /// significant.
    pub fn rows(network: &str, labels: &[String], models: &[&str]) -> Vec<AccuracyRow> {
        let mut rows = Vec::new();
        for (i, label) in labels.iter().enumerate() {
            let depth = i as f64 / (labels.len() - 1).max(1) as f64;
            for (m, words) in models.iter().enumerate() {
                let wobble = 0.012 * ((3 * i + 5 * m) as f64).sin();
                let accuracy = 0.55 + 0.38 * depth.powf(1.3) - 0.02 * m as f64 * (0.4 + depth) + wobble;
                let p = if accuracy < 0.58 { 0.21 } else { 1.0 / 1001.0 };
                rows.push(AccuracyRow {
                    network: network.into(),
                    layer: label.to_lowercase(),
                    label: label.clone(),
                    depth,
                    units: 1000,
                    words: words.to_string(),
                    concepts: 166,
                    groups: 5,
                    pairs: 13_695,
                    accuracy,
                    ties: 0,
                    permutations: 1000,
                    p_value: p,
                    p_fwer: p,
                    q_fdr: p,
                    null_mean: 0.5 + 0.001 * wobble,
                    null_sd: 0.022 + 0.1 * wobble.abs(),
                    matched: 0.1 + 0.4 * depth - 0.02 * m as f64,
                    mismatched: 0.09 + 0.1 * depth - 0.02 * m as f64,
                    rsa: 0.2,
                    ci_low: None,
                    ci_high: None,
                    ceiling_low: None,
                    ceiling_high: None,
                });
            }
        }
        rows
    }

    #[test]
    fn rows_become_curves_in_order_of_first_appearance() {
        let labels = ["pixels", "B1C1", "PRED"].map(String::from);
        let mut table = rows("vgg16", &labels, &["SkipGram", "GloVe"]);
        table.extend(rows("resnet50", &labels[..1], &["GloVe"]));
        table.remove(3); // B1C1, GloVe
        let networks = Curves::of_networks(&table);
        assert_eq!(networks.iter().map(|curves| curves.network).collect::<Vec<_>>(), ["vgg16", "resnet50"]);
        assert_eq!(networks[0].labels, ["pixels", "B1C1", "PRED"]);
        assert_eq!(networks[0].models[1].words, "GloVe");
        let present: Vec<bool> = networks[0].models[1].rows.iter().map(Option::is_some).collect();
        assert_eq!(present, [true, false, true]);
        assert_eq!(networks[0].counts(), "166 concepts, 13,695 pairs, 5 groups of images, 1,000 permutations.");
    }

    #[test]
    fn a_figure_of_any_network_has_a_plain_file_name() {
        let table = rows("../my net", &["fc1".into()], &["GloVe"]);
        assert_eq!(Curves::of_networks(&table)[0].stem("accuracy"), "accuracy_.._my_net");
    }

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(
            ["7", "166", "1,000", "13,695", "1,234,567"],
            [7, 166, 1000, 13_695, 1_234_567].map(thousands).each_ref().map(|s| s.as_str())
        );
    }
}
