//! The networks of a sweep in one figure for each word model: curves over relative depth, the colour is the network; of more
//! networks than there are colours, each one's best and last layer.

use std::collections::BTreeMap;
use std::path::Path;

use crate::names::distinct;
use crate::report::accuracy::accuracy;
use crate::report::best::ranked;
use crate::report::canvas::Picture;
use crate::report::chart::{Chart, Curve, Mark, legend, steps};
use crate::report::compare::{self, Overlay, Shown, labelled};
use crate::report::curves::{Curves, LayerRow, SIGNIFICANT};
use crate::report::inference::Null;
use crate::report::style::{CURVES, DASHED, GREY, curve};
use crate::report::{Best, Drawing, chance, inference};
use crate::results::{AccuracyRow, NetworkRow, figure_name, networks_figure};
use crate::stats::inference::Family;
use crate::wording::counted;

/// What networks are called, by their labels.
pub type Names<'a> = BTreeMap<&'a str, String>;

/// The results of a sweep.
pub struct OfNetworks<'a> {
    /// Every layer of every network, whose label is its network.
    pub rows: &'a [AccuracyRow],
    /// The table of networks.
    pub networks: &'a [NetworkRow],
    /// Where each network's results are, in a folder of its own.
    pub directory: &'a Path,
    /// How nulls were drawn.
    pub null: Null,
    /// What a reader should know of the images.
    pub note: Option<&'a str>,
    /// Which tables another program has changed.
    pub changed: Option<&'a str>,
    /// The version that made them.
    pub semgpu: &'a str,
}

impl<'a> OfNetworks<'a> {
    /// The word models, in order of first appearance.
    pub fn models(&self) -> Vec<&'a str> {
        distinct(self.rows.iter().map(|row| row.words.as_str()))
    }

    /// The networks, in order of first appearance.
    pub fn labels(&self) -> Vec<&'a str> {
        distinct(self.rows.iter().map(|row| row.network.as_str()))
    }

    /// What a family-wise p covers.
    pub fn covers(&self) -> &'static str {
        match self.null.rule.family {
            _ if self.labels().len() == 1 => inference::covers(Some(self.null), self.models().len()),
            Family::Layers => "family-wise over the layers of each network, not across networks",
            Family::Words => "family-wise over the layers of each network and all word models, not across networks",
            Family::Networks if self.models().len() > 1 => {
                "family-wise over the layers of all networks and word models"
            }
            Family::Networks => "family-wise over the layers of all networks",
        }
    }

    fn of_words(&self, words: &str) -> Vec<(&'a str, Vec<AccuracyRow>)> {
        let rows = self.rows.iter().filter(|row| row.words == words);
        let of = |network| rows.clone().filter(|row| row.network == network).cloned().collect();
        distinct(rows.clone().map(|row| row.network.as_str()))
            .into_iter()
            .map(|network| (network, of(network)))
            .collect()
    }

    /// What figures and the page call the networks, by their labels.
    pub fn names(&self) -> Names<'a> {
        self.labels()
            .into_iter()
            .map(|label| (label, labelled(&self.directory.join(figure_name(label)), label)))
            .collect()
    }

    /// `networks_<words>`, one for each word model.
    pub fn drawings(&self) -> Vec<Drawing> {
        let names = self.names();
        let drawing = |words: &str| {
            let networks = self.of_words(words);
            let (picture, by) = if networks.len() <= CURVES.len() {
                (self.over_depth(words, &networks, &names), "relative depth")
            } else {
                (self.ranked(words, &networks, &names).draw(), "network")
            };
            Drawing {
                stem: networks_figure(words),
                network: String::new(),
                text: format!("2 vs. 2 accuracy of {} against {by}, {words}", counted(networks.len(), "network")),
                picture,
            }
        };
        self.models().into_iter().map(drawing).collect()
    }

    fn title(&self, words: &str, networks: usize) -> String {
        format!("{}, {words}", counted(networks, "network"))
    }

    /// What filled marks say.
    fn filled(&self) -> String {
        format!("p\u{a0}<\u{a0}{SIGNIFICANT}{}, {}", inference::tail(Some(self.null)), self.covers())
    }

    /// What marks say.
    fn notes(&self, words: &str) -> String {
        if self.rows.iter().filter(|row| row.words == words).all(|row| row.permutations == 0) {
            return String::new();
        }
        format!("Filled: {}; hollow: n.s.", self.filled())
    }

    fn over_depth(&self, words: &str, networks: &[(&'a str, Vec<AccuracyRow>)], names: &Names) -> Picture {
        let overlays: Vec<Overlay> =
            networks.iter().map(|(run, rows)| Overlay { name: run, run, rows, null: Some(self.null) }).collect();
        let shown = Shown::named(names.iter().map(|(label, name)| (label.to_string(), name.clone())));
        let chart = compare::chart(&overlays, &shown, &self.filled());
        Chart { title: self.title(words, networks.len()), ..chart }.draw()
    }

    /// The best layer of every network, the best network first; beside it the last layer.
    fn ranked<'b>(&self, words: &str, networks: &'b [(&'a str, Vec<AccuracyRow>)], names: &'b Names<'a>) -> Chart<'b>
    where
        'a: 'b,
    {
        let best = networks.iter().filter_map(|(_, rows)| Some(Best::of(rows.iter(), Some(self.null))?.row));
        let last = |of: &AccuracyRow| networks.iter().find(|(network, _)| *network == of.network)?.1.last();
        let ranked: Vec<(&'b str, &'b AccuracyRow, &'b AccuracyRow)> = ranked(best, Some(self.null))
            .rows
            .into_iter()
            .filter_map(|row| Some((row.network.as_str(), row, last(row)?)))
            .collect();
        let marks = |of: &dyn Fn(&(&'b str, &'b AccuracyRow, &'b AccuracyRow)) -> &'b AccuracyRow| -> Vec<Mark> {
            let at = |(place, network)| Mark { interval: None, ..accuracy(place as f64, of(network)) };
            ranked.iter().enumerate().map(at).collect()
        };
        let marked = |n: usize, marks| Curve { words: Some(n), ..Curve::marked(curve(n), marks) };
        let of = |rows| Curves::under(Some(self.null), rows);
        let moved = networks.iter().any(|(_, rows)| of(rows).iter().any(chance::has_moved));
        let level =
            |(_, best, _): &(_, &AccuracyRow, _)| best.null().filter(|_| moved).map_or(chance::HALF, |(mean, ..)| mean);
        let levels: Vec<f64> = ranked.iter().map(level).collect();
        let chance = Curve { aside: Some("chance"), ..Curve::line(GREY, DASHED, steps(&levels)) };
        let said = if moved { " Dashed line: chance (the null\u{2019}s mean) of the best layer." } else { "" };
        let mut curves = vec![marked(0, marks(&|network| network.1))];
        let mut samples = Vec::new();
        if networks.iter().any(|(_, rows)| rows.len() > 1) {
            curves.push(marked(1, marks(&|network| network.2)));
            samples = legend(["best layer", "last layer"]);
        }
        curves.push(chance);
        Chart {
            title: self.title(words, networks.len()),
            y_title: "2 vs. 2 accuracy",
            limits: Some((0.0, 1.0)),
            labels: ranked.iter().map(|(network, ..)| names[network].as_str()).collect(),
            x_title: Some("Network"),
            bars: true,
            curves,
            legend: samples,
            notes: self.notes(words) + said,
            ..Chart::default()
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::config::{InferenceOptions, TestOptions};
    use crate::report::curves::tests::rows;

    /// So many networks of three layers each.
    pub fn table(networks: usize) -> Vec<AccuracyRow> {
        let labels = ["a", "b", "c"].map(String::from);
        let network = |n: usize| {
            let mut rows = rows(if n == 0 { "vgg16" } else { "net" }, &labels, &["GloVe"]);
            let lift = 0.01 * n as f64;
            rows.iter_mut().for_each(|row| row.accuracy += lift);
            if n > 0 {
                rows.iter_mut().for_each(|row| row.network = format!("net {n}"));
            }
            rows
        };
        (0..networks).flat_map(network).collect()
    }

    /// Of a network by this name or label.
    pub fn row(network: &str, best_accuracy: f64) -> NetworkRow {
        NetworkRow {
            network: network.into(),
            name: "vgg16".into(),
            words: "GloVe".into(),
            layers: 3,
            best_layer: "b".into(),
            best_depth: 0.5,
            best_accuracy,
            best_p_value: 0.01,
            best_p_fwer: 0.04,
            last_layer: "c".into(),
            last_accuracy: 0.5,
            last_p_value: 0.5,
            last_p_fwer: 0.9,
            first_layer: "pixels".into(),
            first_accuracy: 0.6,
            concepts: 20,
            groups: 2,
            permutations: 99,
            best_null_mean: Some(0.5),
            best_null_sd: Some(0.05),
        }
    }

    fn drawn(rows: &[AccuracyRow], family: Family) -> (String, String) {
        let inference = InferenceOptions { family, ..InferenceOptions::default() };
        let of = OfNetworks {
            rows,
            networks: &[],
            directory: Path::new("nowhere"),
            null: Null::new(&TestOptions::default(), inference),
            note: None,
            changed: None,
            semgpu: "0",
        };
        let drawing = of.drawings().remove(0);
        (drawing.stem, drawing.picture.svg)
    }

    #[test]
    fn few_networks_are_curves_over_depth() {
        let (stem, svg) = drawn(&table(3), Family::Networks);
        assert_eq!(stem, "networks_GloVe");
        for text in ["3 networks, GloVe", "Relative depth", "VGG16", "net 1", "net 2", "chance"] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}");
        }
        assert!(svg.contains("networks;") && !svg.contains("across") && !svg.contains("NaN"));
        assert!(drawn(&table(3), Family::Layers).1.contains("across"));
    }

    #[test]
    fn many_networks_are_their_best_and_last_layers_in_order() {
        for networks in [8, 60, 600] {
            let (_, svg) = drawn(&table(networks), Family::Layers);
            for text in [&format!("{networks} networks, GloVe"), "best layer", "last layer", "chance"] {
                assert!(svg.contains(&format!(">{text}</text>")), "{text}");
            }
            assert!(svg.contains(">Network</text>") || svg.contains(">Network ("));
            assert_eq!(svg.matches("data-at=").count(), 2 * networks);
            assert!(!svg.contains("NaN"));
        }
        let mut tied = table(8);
        tied.iter_mut().for_each(|row| row.null_mean = 0.3);
        let (_, moved) = drawn(&tied, Family::Layers);
        let (_, svg) = drawn(&table(8), Family::Layers);
        assert!(moved.contains("Dashed") && !svg.contains("Dashed"), "{moved}");
        let alone: Vec<AccuracyRow> = table(8).into_iter().filter(|row| row.layer == "c").collect();
        let (_, alone) = drawn(&alone, Family::Layers);
        assert!(alone.matches("data-at=").count() == 8 && !alone.contains("best layer"), "{alone}");
        let place = |name: &str| svg.find(&format!(">{name}</text>")).expect(name);
        assert!(place("net 7") < place("net 1") && place("net 1") < place("VGG16"));
    }
}
