//! The rows of `accuracy.csv`, `one_vs_two.csv` and the 2 vs. 2 test given other spaces as curves over the layers of a network.

use crate::names::distinct;
use crate::report::best::Best;
use crate::report::chart::{Chart, Curve, Look, Mark, legend};
use crate::report::inference::{self, Null};
use crate::report::material::Said;
use crate::report::style::curve;
use crate::results::{AccuracyRow, ControlRow, MeasureRow, NetworkRow, OneVsTwoRow, Results, figure_name};
use crate::stats::alignment::Measure;
use crate::wording::grouped;

/// The level below which a layer counts as significant: its family-wise p, in the 1 vs. 2 test its own p too.
pub const SIGNIFICANT: f64 = 0.05;

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
    /// The share of its comparisons that pass, or a measure's value.
    fn value(&self) -> f64;
    /// Mean and standard deviation of the null, and the draws of its p; none without.
    fn null(&self) -> Option<(f64, f64, u64)>;
    /// The share of its comparisons that are ties.
    fn tied(&self) -> f64;
}

/// Of a row's layer, its label, its value, its null's moments and its ties.
macro_rules! layer_row {
    ($row:ty, [$layer:ident, $label:ident, $value:ident, $mean:ident, $sd:ident], $tied:expr) => {
        impl LayerRow for $row {
            fn network(&self) -> &str {
                &self.network
            }

            fn layer(&self) -> &str {
                &self.$layer
            }

            fn label(&self) -> &str {
                &self.$label
            }

            fn words(&self) -> &str {
                &self.words
            }

            fn value(&self) -> f64 {
                self.$value
            }

            fn null(&self) -> Option<(f64, f64, u64)> {
                let (mean, sd): (Option<f64>, Option<f64>) = (self.$mean.into(), self.$sd.into());
                let null = (mean?, sd?, self.permutations);
                (null.2 > 0 && (null.0 + null.1).is_finite()).then_some(null)
            }

            fn tied(&self) -> f64 {
                $tied(self)
            }
        }
    };
}

layer_row!(AccuracyRow, [layer, label, accuracy, null_mean, null_sd], |row: &AccuracyRow| share(
    row.ties,
    row.pairs * row.groups
));
layer_row!(OneVsTwoRow, [layer, label, accuracy, null_mean, null_sd], |row: &OneVsTwoRow| share(row.ties, row.images));
layer_row!(MeasureRow, [layer, label, value, null_mean, null_sd], |_: &MeasureRow| 0.0);
// A network by its best layer.
layer_row!(NetworkRow, [best_layer, best_layer, best_accuracy, best_null_mean, best_null_sd], |_: &NetworkRow| 0.0);

fn share(ties: u64, comparisons: usize) -> f64 {
    ties as f64 / (comparisons as f64).max(1.0)
}

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
#[derive(Clone)]
pub struct Model<'a, R = AccuracyRow> {
    /// Its name.
    pub words: &'a str,
    /// A row for each layer, where there is one.
    pub rows: Vec<Option<&'a R>>,
    /// How its null was drawn, where that is known.
    pub null: Option<Null>,
}

impl<'a, R: LayerRow> Curves<'a, R> {
    /// Sorts rows by network, word model and layer, each in order of first appearance; `null` is how nulls were drawn, where
    /// that is known.
    pub fn under(null: Option<Null>, rows: &'a [R]) -> Vec<Self> {
        let of =
            |network| Self::of_network(network, rows.iter().filter(|row| row.network() == network).collect(), null);
        distinct(rows.iter().map(R::network)).into_iter().map(of).collect()
    }

    fn of_network(network: &'a str, rows: Vec<&'a R>, null: Option<Null>) -> Self {
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
                .map(|words| Model { words, rows: layers.iter().map(|&layer| row(layer, words)).collect(), null })
                .collect(),
        }
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = &'a R> {
        self.models.iter().flat_map(|model| model.rows.iter().copied().flatten())
    }

    /// How nulls were drawn, where that is known.
    pub fn null(&self) -> Option<Null> {
        self.models.first().and_then(|model| model.null)
    }

    /// Whether the results have p-values and a null distribution.
    pub fn permuted(&self) -> bool {
        self.rows().any(|row| row.null().is_some())
    }

    /// The stem of a figure's file names: the figure and the network.
    pub fn stem(&self, figure: &str) -> String {
        format!("{figure}_{}", figure_name(self.network))
    }

    /// The same of a figure for one word model.
    pub fn model_stem(&self, figure: &str, words: &str) -> String {
        format!("{}_{}", self.stem(figure), figure_name(words))
    }

    /// A chart of shares over its layers, without curves; in the legend the word models.
    pub fn chart(&self, told: Said<'a>) -> Chart<'a> {
        Chart {
            title: told.network(self.network),
            limits: Some((0.0, 1.0)),
            labels: self.labels.clone(),
            x_title: told.axis,
            bars: told.unordered,
            legend: legend(self.models.iter().map(|model| model.words)),
            ..Chart::default()
        }
    }

    /// A curve for each word model, of what `of` makes of the row at each layer.
    pub fn marked(&self, of: impl Fn(f64, &R) -> Mark) -> impl Iterator<Item = Curve<'static>> {
        let models = self.models.iter().enumerate();
        models.map(move |(n, model)| Curve { words: Some(n), ..Curve::marked(curve(n), model.marks(&of)) })
    }
}

impl<'a> Curves<'a> {
    /// The sizes of the experiment, in words.
    pub fn counts(&self, said: Said) -> String {
        let Some(row) = self.rows().next() else {
            return String::new();
        };
        let mut counts = vec![
            format!("{} concepts", grouped(row.concepts)),
            format!("{} pairs", grouped(row.pairs)),
            said.groups(row.groups),
        ];
        counts.extend(inference::permutations(self.null(), self.rows().map(|row| row.permutations)));
        format!("{}.", counts.join(", "))
    }

    /// That values are means over groups, behind a comma; nothing where there is one.
    pub fn mean(&self, said: Said) -> String {
        let is_mean = self.rows().any(|row| row.groups > 1);
        if is_mean { format!(", mean over {}", said.all()) } else { String::new() }
    }

    /// The label of a layer; its name, where the curves lack it.
    pub fn label(&self, layer: &'a str) -> &'a str {
        self.layers.iter().position(|known| *known == layer).map_or(layer, |place| self.labels[place])
    }
}

impl<'a, R: LayerRow> Model<'a, R> {
    /// Its best layer.
    pub fn best(&self) -> Option<Best<'a, R>> {
        Best::of(self.rows.iter().copied().flatten(), self.null)
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

    /// What `of` makes of the row at each layer; a gap where there is none.
    pub fn marks(&self, of: impl Fn(f64, &R) -> Mark) -> Vec<Mark> {
        let gap = |place| Mark { place, value: f64::NAN, look: Look::Filled, interval: None };
        let mark =
            |(layer, row): (usize, &Option<&R>)| row.map_or_else(|| gap(layer as f64), |row| of(layer as f64, row));
        self.rows.iter().enumerate().map(mark).collect()
    }
}

/// Whether a row is of the 2 vs. 2 test given other spaces.
pub fn is_accuracy(row: &ControlRow) -> bool {
    row.measure == Measure::TwoVsTwo.name()
}

/// What of a row with nothing given is known with other spaces given, which has no interval.
pub fn given(row: &AccuracyRow, control: &ControlRow) -> AccuracyRow {
    AccuracyRow {
        accuracy: control.value,
        ties: control.ties.unwrap_or(0),
        permutations: control.permutations,
        p_value: control.p_value,
        p_fwer: control.p_fwer,
        q_fdr: control.q_fdr,
        null_mean: control.null_mean,
        null_sd: control.null_sd,
        ci_low: None,
        ci_high: None,
        ..row.clone()
    }
}

/// The accuracies given other spaces, by what is given.
pub fn all_given(results: &Results) -> Vec<(&str, Vec<AccuracyRow>)> {
    let controls = || results.controls.iter().filter(|row| is_accuracy(row));
    let of = |control: &ControlRow| {
        let same = |row: &&AccuracyRow| {
            (&row.network, &row.layer, &row.words) == (&control.network, &control.layer, &control.words)
        };
        results.accuracy.iter().find(same).map(|row| given(row, control))
    };
    let rows = |name: &str| controls().filter(|row| row.given == name).filter_map(of).collect();
    distinct(controls().map(|row| row.given.as_str())).into_iter().map(|name| (name, rows(name))).collect()
}

/// The first of those whose value is highest.
pub fn highest<T>(all: impl IntoIterator<Item = T>, value: impl Fn(&T) -> f64) -> Option<T> {
    all.into_iter().reduce(|best, next| if value(&next).total_cmp(&value(&best)).is_gt() { next } else { best })
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
        let networks = Curves::under(None, &table);
        assert_eq!(networks.iter().map(|curves| curves.network).collect::<Vec<_>>(), ["vgg16", "resnet50"]);
        assert_eq!(networks[0].labels, ["pixels", "B1C1", "PRED"]);
        assert_eq!(networks[0].models[1].words, "GloVe");
        let present: Vec<bool> = networks[0].models[1].rows.iter().map(Option::is_some).collect();
        assert_eq!(present, [true, false, true]);
        assert_eq!(
            networks[0].counts(Said::RUN),
            "166 concepts, 13,695 pairs, 5 groups of images, 1,000 permutations."
        );
    }

    #[test]
    fn a_figure_of_any_network_has_a_plain_file_name() {
        let table = rows("../my net", &["fc1".into()], &["GloVe"]);
        assert_eq!(Curves::under(None, &table)[0].stem("accuracy"), "accuracy_.._my_net");
    }
}
