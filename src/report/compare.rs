//! Curves of several runs on one axis of relative depth.

use std::path::{Path, PathBuf};

use crate::report::axes::{Entry, Frame, Range};
use crate::report::canvas::{Backend, Canvas, DrawError, Figure, write_figure};
use crate::report::style::{AXIS, CURVE, DASHED, GREY, curve};
use crate::report::{CHANCE, ReportError, SIGNIFICANT, distinct, figures};
use crate::results::AccuracyRow;

/// One curve: a run with one word model.
pub struct Overlay<'a> {
    /// As in the legend.
    pub name: &'a str,
    /// Its layers in input order.
    pub rows: &'a [AccuracyRow],
}

const DEPTHS: [&str; 6] = ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"];

/// Draws `figures/compare.png` and `.svg`; returns the files.
///
/// # Errors
/// A picture that cannot be drawn or written.
pub fn write_comparison(overlays: &[Overlay], directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    write_figure(&Comparison(overlays), &figures(directory), "compare")
}

struct Comparison<'a>(&'a [Overlay<'a>]);

impl Comparison<'_> {
    fn frame(&self) -> Frame<'_> {
        let values = self.0.iter().flat_map(|overlay| overlay.rows.iter().map(|row| row.accuracy));
        let legend = self.0.iter().enumerate();
        let networks = self.0.iter().flat_map(|overlay| overlay.rows.iter().map(|row| row.network.as_str()));
        Frame {
            title: match distinct(networks)[..] {
                [network] => network,
                _ => "Networks compared",
            },
            y_title: "2 vs. 2 accuracy",
            range: Range::covering(values.chain([CHANCE]), Some((0.0, 1.0))),
            labels: &DEPTHS,
            legend: legend.map(|(n, overlay)| Entry { style: curve(n), filled: true, text: overlay.name }).collect(),
            mark: Some((CHANCE, "chance")),
            notes: "0: pixels, or the first layer; 1: the last layer. Filled: p\u{a0}<\u{a0}0.05 against chance, family-wise \
                    over layers; hollow: n.s. Paired tests of the differences: compare.csv."
                .into(),
        }
    }
}

impl Figure for Comparison<'_> {
    fn draw<B: Backend>(&self, canvas: &Canvas<B>) -> Result<(), DrawError> {
        let frame = self.frame();
        let layout = frame.layout().titled("Relative depth");
        let panel = &layout.panel;
        frame.draw(canvas, &layout)?;
        let (left, right) = panel.ends();
        canvas.dashed(&[(left, panel.y(CHANCE)), (right, panel.y(CHANCE))], DASHED, AXIS, GREY)?;
        let place = |row: &AccuracyRow| (panel.between(row.depth * (DEPTHS.len() - 1) as f64), panel.y(row.accuracy));
        let most = self.0.iter().map(|overlay| overlay.rows.len()).max().unwrap_or(1);
        let radius = (panel.marker_radius() * 24.0 / most as f64).clamp(5.5, panel.marker_radius());
        for (n, overlay) in self.0.iter().enumerate().rev() {
            for run in overlay.rows.split(|row| !row.accuracy.is_finite()) {
                let points: Vec<_> = run.iter().map(place).collect();
                canvas.dashed(&points, curve(n).dash, CURVE, curve(n).color)?;
            }
        }
        for (n, overlay) in self.0.iter().enumerate().rev() {
            for row in overlay.rows.iter().filter(|row| row.accuracy.is_finite()) {
                let filled = row.permutations == 0 || row.p_fwer < SIGNIFICANT;
                canvas.marker(curve(n).shape, place(row), radius, curve(n).color, filled)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;

    #[test]
    fn networks_of_any_depth_share_an_axis() {
        let labels = |count: usize| (0..count).map(|n| format!("layer {n}")).collect::<Vec<_>>();
        let (deep, shallow) = (rows("resnet50", &labels(51), &["GloVe"]), rows("vgg16", &labels(17), &["GloVe"]));
        let overlays = [Overlay { name: "deep", rows: &deep }, Overlay { name: "shallow", rows: &shallow }];
        let directory = tempfile::tempdir().unwrap();
        let paths = write_comparison(&overlays, directory.path()).unwrap();
        assert_eq!(paths[0], directory.path().join("figures/compare.png"));
        let svg = std::fs::read_to_string(&paths[1]).unwrap();
        for text in ["Networks compared", "Relative depth", "deep", "shallow", "0.4", "chance"] {
            assert!(svg.lines().any(|line| line == text), "{text}");
        }
    }
}
