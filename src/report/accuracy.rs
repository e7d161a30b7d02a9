//! The paper's figures 1 to 3: 2 vs. 2 accuracy against layer, one line per word model.

use std::path::{Path, PathBuf};

use crate::report::axes::{Entry, Frame, Panel, Range};
use crate::report::canvas::{Backend, Canvas, DrawError, Figure, Point};
use crate::report::curves::{Curves, write_each_network};
use crate::report::style::{BAND, curve};
use crate::report::{CHANCE, ReportError, SIGNIFICANT, Writer};
use crate::results::{AccuracyRow, Results};

/// `accuracy_<network>`
pub const WRITER: Writer = Writer { name: "accuracy", write };

/// Half the width of the null's band, in standard deviations.
const BAND_SDS: f64 = 2.0;

fn write(results: &Results, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    write_each_network(results, directory, WRITER.name, Accuracy)
}

/// The figure of one network.
pub struct Accuracy<'a>(pub Curves<'a>);

impl Accuracy<'_> {
    fn frame(&self) -> Frame<'_> {
        let Self(curves) = self;
        let values = curves.rows().flat_map(|row| [row.accuracy, null_edge(row, -1.0), null_edge(row, 1.0)]);
        let legend = curves.models.iter().enumerate();
        let mut notes = curves.counts();
        if curves.permuted() {
            notes += "\nFilled: p\u{a0}<\u{a0}0.05, family-wise over layers; hollow: n.s. \
                      Band: null mean\u{a0}±\u{a0}2\u{a0}s.d.";
        }
        Frame {
            title: curves.network,
            y_title: "2 vs. 2 accuracy",
            range: Range::covering(values.chain([CHANCE]), Some((0.0, 1.0))),
            labels: &curves.labels,
            legend: legend.map(|(n, model)| Entry { style: curve(n), filled: true, text: model.words }).collect(),
            mark: Some((CHANCE, "chance")),
            notes,
        }
    }

    /// What the null covers at each layer: the widest of the word models'.
    fn null_band(&self, panel: &Panel) -> Vec<Point> {
        let Self(curves) = self;
        let edge = |layer: usize, side: f64| {
            let rows = curves.models.iter().filter_map(|model| model.rows[layer]);
            let edges = rows.map(|row| null_edge(row, side)).filter(|edge| edge.is_finite());
            edges.reduce(|a, b| if side < 0.0 { a.min(b) } else { a.max(b) })
        };
        // Level from the outer layers to the panel's ends.
        let last = curves.labels.len() - 1;
        let xs = |layer: usize| {
            let (left, right) = panel.ends();
            [(layer == 0).then_some(left), Some(panel.x(layer)), (layer == last).then_some(right)].into_iter().flatten()
        };
        let side = |side: f64| {
            let edges = (0..=last).filter_map(move |layer| Some((layer, panel.y(edge(layer, side)?))));
            edges.flat_map(|(layer, y)| xs(layer).map(move |x| (x, y))).collect::<Vec<Point>>()
        };
        let (lower, upper) = (side(-1.0), side(1.0));
        upper.into_iter().chain(lower.into_iter().rev()).collect()
    }
}

fn null_edge(row: &AccuracyRow, side: f64) -> f64 {
    row.null_mean + side * BAND_SDS * row.null_sd
}

impl Figure for Accuracy<'_> {
    fn draw<B: Backend>(&self, canvas: &Canvas<B>) -> Result<(), DrawError> {
        let Self(curves) = self;
        let frame = self.frame();
        let layout = frame.layout();
        let panel = &layout.panel;
        if curves.permuted() {
            canvas.polygon(&self.null_band(panel), BAND)?;
        }
        frame.draw(canvas, &layout)?;
        curves.draw(canvas, panel, |row| row.accuracy)?;
        for (n, model) in curves.models.iter().enumerate().rev() {
            for (layer, row, value) in model.values(|row| row.accuracy) {
                let filled = row.permutations == 0 || row.p_fwer < SIGNIFICANT;
                let at = (panel.x(layer), panel.y(value));
                canvas.marker(curve(n).shape, at, panel.marker_radius(), curve(n).color, filled)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;

    fn drawn(network: &str, labels: &[String], models: &[&str]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let directory = tempfile::tempdir().unwrap();
        let results = Results { accuracy: rows(network, labels, models), ..Results::default() };
        let paths = write(&results, directory.path()).unwrap();
        (directory, paths)
    }

    #[test]
    fn a_figure_is_a_png_and_an_svg_with_every_name_in_it() {
        let labels = ["pixels", "B1C1", "B1C2", "FC1", "PRED"].map(String::from);
        let (directory, paths) = drawn("vgg16", &labels, &["SkipGram", "R<N>N"]);
        assert_eq!(
            paths,
            ["accuracy_vgg16.png", "accuracy_vgg16.svg"].map(|name| directory.path().join("figures").join(name))
        );
        let png = image::open(&paths[0]).unwrap().to_rgb8();
        assert_eq!(png.dimensions(), (1600, 1000));
        let svg = std::fs::read_to_string(&paths[1]).unwrap();
        let texts = ["vgg16", "SkipGram", "R&lt;N&gt;N", "2 vs. 2 accuracy", "chance", "Layer", "0.5"];
        for text in texts.into_iter().chain(labels.iter().map(|s| s.as_str())) {
            assert!(svg.lines().any(|line| line == text), "{text}");
        }
        assert!(svg.starts_with("<svg width=\"85mm\" height=\"53.125mm\" viewBox=\"0 0 4800 3000\""));
    }

    #[test]
    fn every_network_gets_its_figure() {
        let labels = ["pixels".to_owned()];
        let accuracy = [rows("a", &labels, &["GloVe"]), rows("b", &labels, &["GloVe"])].concat();
        let directory = tempfile::tempdir().unwrap();
        let paths = write(&Results { accuracy, ..Results::default() }, directory.path()).unwrap();
        assert!(paths.iter().all(|path| path.exists()));
        assert_eq!(paths.len(), 4);
    }

    #[test]
    fn results_without_rows_are_named() {
        let error = write(&Results::default(), Path::new("nowhere")).unwrap_err().to_string();
        assert_eq!(error, "accuracy.csv has no rows to draw the figure \"accuracy\" from");
    }

    #[test]
    fn a_layer_without_a_value_leaves_a_gap() {
        let labels = ["a", "b", "c", "d"].map(String::from);
        let mut table = rows("net", &labels, &["GloVe"]);
        table[1].accuracy = f64::NAN;
        let networks = Curves::of_networks(&table);
        let figure = Accuracy(Curves::of_networks(&table).remove(0));
        let panel = figure.frame().layout().panel;
        let runs = networks[0].models[0].runs(&panel, |row| row.accuracy);
        assert_eq!(runs.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn any_number_of_layers_and_long_names_can_be_drawn() {
        let long = "a name that is longer than the figure is wide ".repeat(3);
        for layers in [1, 2, 12, 51] {
            let labels: Vec<String> = (0..layers).map(|i| format!("activation_{i}")).collect();
            let (_directory, paths) = drawn(&long[..100], &labels, &["SkipGram", "RNN", "GloVe", &long]);
            assert!(paths.iter().all(|path| path.metadata().unwrap().len() > 0));
        }
    }

    #[test]
    fn the_same_rows_give_the_same_bytes() {
        let labels = ["pixels", "fc1"].map(String::from);
        let bytes = || {
            let (_directory, paths) = drawn("net", &labels, &["GloVe"]);
            paths.iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(bytes(), bytes());
    }
}
