//! Supplementary figure 4: the matched sum (eq. 1) of the 2 vs. 2 test against the mismatched sum (eq. 2), per layer.

use std::path::{Path, PathBuf};

use crate::report::axes::{Entry, Frame, Range};
use crate::report::canvas::{Backend, Canvas, DrawError, Figure};
use crate::report::curves::{Curves, write_each_network};
use crate::report::style::{CURVE, CurveStyle, DASHED, GREY, SOLID, Shape, curve};
use crate::report::{ReportError, Writer};
use crate::results::{AccuracyRow, Results};

/// `matched_<network>`
pub const WRITER: Writer = Writer { name: "matched", write };

/// The two sums: which, the line between layers, whether markers are filled, its name in the legend.
type Sum = (fn(&AccuracyRow) -> f64, &'static [f64], bool, &'static str);
const SUMS: [Sum; 2] =
    [(|row| row.matched, SOLID, true, "matched"), (|row| row.mismatched, DASHED, false, "mismatched")];

fn write(results: &Results, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    write_each_network(results, directory, WRITER.name, Matched)
}

struct Matched<'a>(Curves<'a>);

impl Matched<'_> {
    fn frame(&self) -> Frame<'_> {
        let Self(curves) = self;
        let values = curves.rows().flat_map(|row| [row.matched, row.mismatched]);
        let models = curves.models.iter().enumerate().map(|(n, model)| Entry {
            style: CurveStyle { dash: SOLID, ..curve(n) },
            filled: true,
            text: model.words,
        });
        let sums = SUMS.iter().map(|&(_, dash, filled, text)| Entry {
            style: CurveStyle { color: GREY, shape: Shape::Circle, dash },
            filled,
            text,
        });
        Frame {
            title: curves.network,
            y_title: "Sum of correlations",
            range: Range::covering(values, None),
            labels: &curves.labels,
            legend: models.chain(sums).collect(),
            mark: None,
            notes: format!("Mean over pairs and groups of the two sums of the 2 vs. 2 test.\n{}", curves.counts()),
        }
    }
}

impl Figure for Matched<'_> {
    fn draw<B: Backend>(&self, canvas: &Canvas<B>) -> Result<(), DrawError> {
        let Self(curves) = self;
        let frame = self.frame();
        let layout = frame.layout();
        let panel = &layout.panel;
        frame.draw(canvas, &layout)?;
        for (sum, dash, filled, _) in SUMS.into_iter().rev() {
            for (n, model) in curves.models.iter().enumerate().rev() {
                for run in model.runs(panel, sum) {
                    canvas.dashed(&run, &panel.dash(dash), CURVE, curve(n).color)?;
                }
                for (layer, _, value) in model.values(sum) {
                    let at = (panel.x(layer), panel.y(value));
                    canvas.marker(curve(n).shape, at, panel.marker_radius(), curve(n).color, filled)?;
                }
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
    fn both_sums_are_drawn_and_named() {
        let labels = ["pixels", "fc1"].map(String::from);
        let directory = tempfile::tempdir().unwrap();
        let results = Results { accuracy: rows("vgg16", &labels, &["SkipGram"]), ..Results::default() };
        let paths = write(&results, directory.path()).unwrap();
        assert_eq!(image::image_dimensions(&paths[0]).unwrap(), (1600, 1000));
        let svg = std::fs::read_to_string(&paths[1]).unwrap();
        for text in ["vgg16", "SkipGram", "matched", "mismatched", "Sum of correlations", "pixels", "fc1"] {
            assert!(svg.lines().any(|line| line == text), "{text}");
        }
    }
}
