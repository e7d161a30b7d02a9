//! The paper's figure 4: 1 vs. 2 accuracy of the misclassified images against layer, one line per word model; significant
//! layers have black dots.

use std::path::{Path, PathBuf};

use crate::report::axes::{Entry, Frame, Range};
use crate::report::canvas::{Backend, Canvas, DrawError, Figure};
use crate::report::curves::{Curves, thousands, write_networks};
use crate::report::style::{INK, Shape, curve};
use crate::report::{CHANCE, ReportError, SIGNIFICANT, Writer};
use crate::results::{OneVsTwoRow, Results};

/// `one_vs_two_<network>`; not drawn where the test was not run.
pub const WRITER: Writer = Writer { name: "one_vs_two", write };

/// Of the dot, in radii of a marker.
const DOT: f64 = 0.8;
/// Of the ring around it.
const RING: f64 = 1.55;

fn write(results: &Results, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    write_networks(&results.one_vs_two, directory, WRITER.name, OneVsTwo)
}

struct OneVsTwo<'a>(Curves<'a, OneVsTwoRow>);

impl OneVsTwo<'_> {
    fn frame(&self) -> Frame<'_> {
        let Self(curves) = self;
        let accuracies = curves.rows().map(|row| row.accuracy);
        let legend = curves.models.iter().enumerate();
        let mut notes = String::new();
        if let Some(row) = curves.rows().next() {
            notes = format!("{} misclassified images", thousands(row.images as u64));
            if row.permutations > 0 {
                notes += &format!(
                    ", {} permutations.\nBlack dot: p\u{a0}<\u{a0}0.05; with a ring: p\u{a0}<\u{a0}0.05 family-wise over \
                     layers; hollow: n.s.",
                    thousands(row.permutations)
                );
            }
        }
        Frame {
            title: curves.network,
            y_title: "1 vs. 2 accuracy",
            range: Range::covering(accuracies.chain([CHANCE]), Some((0.0, 1.0))),
            labels: &curves.labels,
            legend: legend.map(|(n, model)| Entry { style: curve(n), filled: false, text: model.words }).collect(),
            mark: Some((CHANCE, "chance")),
            notes,
        }
    }
}

impl Figure for OneVsTwo<'_> {
    fn draw<B: Backend>(&self, canvas: &Canvas<B>) -> Result<(), DrawError> {
        let Self(curves) = self;
        let frame = self.frame();
        let layout = frame.layout();
        let panel = &layout.panel;
        frame.draw(canvas, &layout)?;
        curves.draw(canvas, panel, |row| row.accuracy)?;
        for (n, model) in curves.models.iter().enumerate().rev() {
            for (layer, row, value) in model.values(|row| row.accuracy) {
                let (at, radius) = ((panel.x(layer), panel.y(value)), panel.marker_radius());
                let below = |p: f64| row.permutations > 0 && p < SIGNIFICANT;
                match (below(row.p_value), below(row.p_fwer)) {
                    (false, _) => canvas.marker(curve(n).shape, at, radius, curve(n).color, false)?,
                    (true, family_wise) => {
                        if family_wise {
                            canvas.marker(Shape::Circle, at, RING * radius, curve(n).color, false)?;
                        }
                        canvas.marker(Shape::Circle, at, DOT * radius, INK, true)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made-up rows: the first layers pass more images, the second one significantly.
    fn rows(models: &[&str]) -> Vec<OneVsTwoRow> {
        let row = |(layer, passed, p): (&str, u64, f64), words: &&str| OneVsTwoRow {
            network: "vgg16".into(),
            layer: layer.to_lowercase(),
            label: layer.into(),
            words: words.to_string(),
            images: 36,
            passed,
            ties: 0,
            accuracy: passed as f64 / 36.0,
            permutations: 1000,
            p_value: p,
            p_fwer: 3.0 * p,
            null_mean: 0.5,
            null_sd: 0.1,
        };
        let layers = [("pixels", 20, 0.3), ("B4C1", 24, 0.01), ("FC1", 23, 0.048), ("PRED", 12, 0.9)];
        layers.into_iter().flat_map(|layer| models.iter().map(move |words| row(layer, words))).collect()
    }

    #[test]
    fn every_name_is_in_the_figure_and_significant_layers_have_black_dots() {
        let directory = tempfile::tempdir().unwrap();
        let results = Results { one_vs_two: rows(&["SkipGram"]), ..Results::default() };
        let paths = write(&results, directory.path()).unwrap();
        assert_eq!(image::image_dimensions(&paths[0]).unwrap(), (1600, 1000));
        let svg = std::fs::read_to_string(&paths[1]).unwrap();
        let notes = "36 misclassified images, 1,000 permutations.";
        for text in ["vgg16", "SkipGram", "1 vs. 2 accuracy", "chance", "pixels", "B4C1", "PRED", notes] {
            assert!(svg.lines().any(|line| line == text), "{text}");
        }
        let black = svg.lines().filter(|line| line.contains("<circle") && line.contains("#222222")).count();
        assert_eq!(black, 2);
    }

    #[test]
    fn without_the_test_there_is_no_figure() {
        let directory = tempfile::tempdir().unwrap();
        assert!(write(&Results::default(), directory.path()).unwrap().is_empty());
    }
}
