//! How sure an accuracy is and how high it can be: the bootstrap's interval, the null's band and the noise ceiling, one
//! figure per word model.

use std::path::{Path, PathBuf};

use plotters::style::Color;

use crate::report::axes::{Entry, Frame, Panel, Range};
use crate::report::canvas::{Backend, Canvas, DrawError, Figure, Point, write_figure};
use crate::report::curves::{Curves, Model};
use crate::report::style::{AXIS, BAND, CURVE, CurveStyle, DASHED, DOTTED, GREY, INTERVAL, SOLID, Shape, curve};
use crate::report::{CHANCE, ReportError, Writer, figures};
use crate::results::{AccuracyRow, Results};

/// `uncertainty_<network>_<words>`
pub const WRITER: Writer = Writer { name: "uncertainty", write };

/// Half the width of the null's band, in standard deviations.
const BAND_SDS: f64 = 2.0;

/// A bound of a row; none where the run did not compute it.
type Edge = fn(&AccuracyRow) -> Option<f64>;
const INTERVAL_EDGES: [Edge; 2] = [|row| row.ci_low, |row| row.ci_high];
const CEILING_EDGES: [Edge; 2] = [|row| row.ceiling_low, |row| row.ceiling_high];
const NULL_EDGES: [Edge; 2] = [|row| null(row, -BAND_SDS), |row| null(row, BAND_SDS)];

fn null(row: &AccuracyRow, sds: f64) -> Option<f64> {
    (row.permutations > 0).then_some(row.null_mean + sds * row.null_sd).filter(|edge| edge.is_finite())
}

fn write(results: &Results, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let mut paths = Vec::new();
    for curves in Curves::of_networks(&results.accuracy) {
        for (n, model) in curves.models.iter().enumerate() {
            let figure = Uncertainty { curves: &curves, model, style: curve(n) };
            if figure.has(INTERVAL_EDGES) || figure.has(CEILING_EDGES) {
                let stem = curves.model_stem(WRITER.name, model.words);
                paths.extend(write_figure(&figure, &figures(directory), &stem)?);
            }
        }
    }
    Ok(paths)
}

struct Uncertainty<'a> {
    curves: &'a Curves<'a>,
    model: &'a Model<'a>,
    style: CurveStyle,
}

impl Uncertainty<'_> {
    fn has(&self, [low, _]: [Edge; 2]) -> bool {
        self.model.rows.iter().flatten().any(|row| low(row).is_some())
    }

    fn frame(&self) -> Frame<'_> {
        let rows = || self.model.rows.iter().copied().flatten();
        let edges = [INTERVAL_EDGES, CEILING_EDGES, NULL_EDGES].into_iter().flatten();
        let values = rows().map(|row| row.accuracy).chain(edges.flat_map(|edge| rows().filter_map(edge)));
        let sample =
            |color, dash, text| Entry { style: CurveStyle { color, shape: Shape::None, dash }, filled: true, text };
        let mut legend = vec![Entry { style: self.style, filled: true, text: self.model.words }];
        let mut notes = self.curves.counts();
        if self.has(INTERVAL_EDGES) {
            notes += "\nColoured band: 95\u{a0}% bootstrap interval over concepts.";
        }
        if self.has(CEILING_EDGES) {
            legend.push(sample(GREY, SOLID, "noise ceiling, upper"));
            legend.push(sample(GREY, DOTTED, "lower"));
            notes += " Ceiling: each group of images against the mean of all (upper) and of the others (lower).";
        }
        if self.has(NULL_EDGES) {
            notes += " Grey band: null mean\u{a0}±\u{a0}2\u{a0}s.d.";
        }
        Frame {
            title: self.curves.network,
            y_title: "2 vs. 2 accuracy",
            range: Range::covering(values.chain([CHANCE]), Some((0.0, 1.0))),
            labels: &self.curves.labels,
            legend,
            mark: Some((CHANCE, "chance")),
            notes,
        }
    }

    /// What lies between two edges.
    fn band(&self, panel: &Panel, [low, high]: [Edge; 2]) -> Vec<Vec<Point>> {
        let run = |edge: Edge| self.model.runs(panel, move |row| edge(row).unwrap_or(f64::NAN));
        let closed = |(low, high): (Vec<Point>, Vec<Point>)| high.into_iter().chain(low.into_iter().rev()).collect();
        run(low).into_iter().zip(run(high)).map(closed).collect()
    }
}

impl Figure for Uncertainty<'_> {
    fn draw<B: Backend>(&self, canvas: &Canvas<B>) -> Result<(), DrawError> {
        let frame = self.frame();
        let layout = frame.layout();
        let panel = &layout.panel;
        for band in self.band(panel, NULL_EDGES) {
            canvas.polygon(&band, BAND)?;
        }
        frame.draw(canvas, &layout)?;
        for band in self.band(panel, INTERVAL_EDGES) {
            canvas.polygon(&band, self.style.color.mix(INTERVAL))?;
        }
        let (left, right) = panel.ends();
        canvas.dashed(&[(left, panel.y(CHANCE)), (right, panel.y(CHANCE))], DASHED, AXIS, GREY)?;
        for (edge, dash) in CEILING_EDGES.into_iter().zip([DOTTED, SOLID]) {
            for run in self.model.runs(panel, move |row| edge(row).unwrap_or(f64::NAN)) {
                canvas.dashed(&run, dash, AXIS, GREY)?;
            }
        }
        for run in self.model.runs(panel, |row| row.accuracy) {
            canvas.dashed(&run, &panel.dash(self.style.dash), CURVE, self.style.color)?;
        }
        for (layer, _, value) in self.model.values(|row| row.accuracy) {
            let at = (panel.x(layer), panel.y(value));
            canvas.marker(self.style.shape, at, panel.marker_radius(), self.style.color, true)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;

    #[test]
    fn only_runs_with_intervals_or_ceilings_are_drawn() {
        let labels = ["pixels", "B1C1", "fc1"].map(String::from);
        let mut table = rows("vgg16", &labels, &["Skip Gram", "GloVe"]);
        let directory = tempfile::tempdir().unwrap();
        let drawn =
            |accuracy: Vec<AccuracyRow>| write(&Results { accuracy, ..Results::default() }, directory.path()).unwrap();
        assert!(drawn(table.clone()).is_empty());
        for row in table.iter_mut().filter(|row| row.words == "Skip Gram") {
            (row.ci_low, row.ci_high) = (Some(row.accuracy - 0.03), Some(row.accuracy + 0.02));
            (row.ceiling_low, row.ceiling_high) = (Some(0.97), Some(0.99));
        }
        let paths = drawn(table);
        assert_eq!(paths[1], directory.path().join("figures/uncertainty_vgg16_Skip_Gram.svg"));
        assert_eq!(paths.len(), 2);
        let svg = std::fs::read_to_string(&paths[1]).unwrap();
        assert!(svg.lines().any(|line| line == "noise ceiling, upper") && svg.contains("bootstrap"));
    }
}
