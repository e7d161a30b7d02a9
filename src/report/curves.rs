//! The rows of `accuracy.csv` as curves over the layers of a network.

use std::path::{Path, PathBuf};

use crate::report::ReportError;
use crate::report::axes::Panel;
use crate::report::canvas::{Figure, Point, write_figure};
use crate::results::{AccuracyRow, Results};

/// One network's curves, one for each word model.
pub struct Curves<'a> {
    /// The network's name.
    pub network: &'a str,
    /// The layers' labels, in input order.
    pub labels: Vec<&'a str>,
    /// The word models, in order of first appearance.
    pub models: Vec<Model<'a>>,
}

/// One word model's curve.
pub struct Model<'a> {
    /// Its name.
    pub words: &'a str,
    /// A row for each layer, where there is one.
    pub rows: Vec<Option<&'a AccuracyRow>>,
}

/// Draws the figure that `of` makes of each network's curves as `<directory>/<name>_<network>`; returns the files.
///
/// # Errors
/// Results without rows; a picture that cannot be drawn or written.
pub fn write_each_network<'a, F: Figure>(
    results: &'a Results,
    directory: &Path,
    name: &'static str,
    of: impl Fn(Curves<'a>) -> F,
) -> Result<Vec<PathBuf>, ReportError> {
    let networks = Curves::of_networks(&results.accuracy);
    if networks.is_empty() {
        return Err(ReportError::NoRows { figure: name, table: "accuracy.csv" });
    }
    let mut paths = Vec::new();
    for curves in networks {
        let stem = curves.stem(name);
        paths.extend(write_figure(&of(curves), directory, &stem)?);
    }
    Ok(paths)
}

impl<'a> Curves<'a> {
    /// Sorts rows by network, word model and layer, each in order of first appearance.
    pub fn of_networks(rows: &'a [AccuracyRow]) -> Vec<Self> {
        distinct(rows.iter().map(|row| row.network.as_str()))
            .into_iter()
            .map(|network| Self::of_network(network, rows.iter().filter(|row| row.network == network).collect()))
            .collect()
    }

    fn of_network(network: &'a str, rows: Vec<&'a AccuracyRow>) -> Self {
        let layers = distinct(rows.iter().map(|row| row.layer.as_str()));
        let row = |layer, words| rows.iter().copied().find(|row| row.layer == layer && row.words == words);
        let labels = layers.iter().filter_map(|&layer| rows.iter().find(|row| row.layer == layer));
        let models = distinct(rows.iter().map(|row| row.words.as_str()));
        Self {
            network,
            labels: labels.map(|row| row.label.as_str()).collect(),
            models: models
                .into_iter()
                .map(|words| Model { words, rows: layers.iter().map(|&layer| row(layer, words)).collect() })
                .collect(),
        }
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &'a AccuracyRow> {
        self.models.iter().flat_map(|model| model.rows.iter().copied().flatten())
    }

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

    /// The stem of a figure's file names: the figure and the network, in characters every file system takes.
    pub fn stem(&self, figure: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        format!("{figure}_{}", self.network.chars().map(plain).collect::<String>())
    }
}

impl Model<'_> {
    /// Layer, row and value wherever there is a finite value.
    pub fn values(&self, value: impl Fn(&AccuracyRow) -> f64) -> impl Iterator<Item = (usize, &AccuracyRow, f64)> {
        self.rows.iter().enumerate().filter_map(move |(layer, row)| {
            let row = (*row)?;
            let value = value(row);
            value.is_finite().then_some((layer, row, value))
        })
    }

    /// The curve's points in the panel, cut where a layer has no value.
    pub fn runs(&self, panel: &Panel, value: impl Fn(&AccuracyRow) -> f64) -> Vec<Vec<Point>> {
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

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

fn thousands(number: u64) -> String {
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
