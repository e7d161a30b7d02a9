//! The pairs of concepts that the best layer confuses most, with their images.

use std::path::{Path, PathBuf};

use image::RgbImage;
use plotters::style::text_anchor::HPos;

use crate::record::RunRecord;
use crate::report::canvas::{Backend, Canvas, DrawError, Figure, TextStyle, write_figure};
use crate::report::curves::Curves;
use crate::report::notes::{self, Notes};
use crate::report::stimuli::Source;
use crate::report::style::{INK, LIGHT, SIZE, TICK_LABEL, TITLE};
use crate::report::{ReportError, Writer, figures};
use crate::results::{AccuracyRow, ConfusedRow, Results, ResultsDir, StimulusRow};

/// `confused_<network>_<words>`
pub const WRITER: Writer = Writer { name: "confused", write };

const COLUMNS: usize = 3;
const MOST: usize = 12;
/// Side of an image.
const SIDE: usize = 200;

fn write(results: &Results, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let record = RunRecord::read(&ResultsDir::new(directory))?;
    let Some(source) = Source::find(results, record.as_ref(), directory) else { return Ok(Vec::new()) };
    let mut paths = Vec::new();
    for curves in Curves::of_networks(&results.accuracy) {
        for model in &curves.models {
            let rows = model.rows.iter().copied().flatten();
            let Some(best) = rows.max_by(|a, b| a.accuracy.total_cmp(&b.accuracy)) else { continue };
            let of_best = |row: &&ConfusedRow| {
                (&row.network, &row.layer, &row.words) == (&best.network, &best.layer, &best.words)
            };
            let rows: Vec<&ConfusedRow> = results.confused.iter().filter(of_best).take(MOST).collect();
            if !rows.is_empty() {
                let pairs = rows.iter().map(|row| Pair::new(row, &source, &results.stimuli)).collect();
                let figure = Confused { best, pairs };
                let stem = curves.model_stem(WRITER.name, model.words);
                paths.extend(write_figure(&figure, &figures(directory), &stem)?);
            }
        }
    }
    Ok(paths)
}

struct Confused<'a> {
    best: &'a AccuracyRow,
    /// The worst first.
    pairs: Vec<Pair<'a>>,
}

struct Pair<'a> {
    row: &'a ConfusedRow,
    /// The two concepts' images in the first group, where they can be found.
    images: [Option<RgbImage>; 2],
}

impl<'a> Pair<'a> {
    fn new(row: &'a ConfusedRow, source: &Source, stimuli: &[StimulusRow]) -> Self {
        let image = |concept: &String| {
            let stimulus = stimuli.iter().find(|stimulus| stimulus.concept == *concept)?;
            RgbImage::from_raw(SIDE as u32, SIDE as u32, source.rgb(stimulus, SIDE)?)
        };
        Self { row, images: [&row.concept_a, &row.concept_b].map(image) }
    }
}

const EDGE: f64 = 24.0;
const TOP: f64 = EDGE + 1.4 * TITLE;
const GAP: f64 = 10.0;
/// Height of a pair: its images and two lines.
const PAIR: f64 = SIDE as f64 + 2.6 * TICK_LABEL;

impl Confused<'_> {
    fn foot(&self) -> f64 {
        TOP + self.pairs.len().div_ceil(COLUMNS) as f64 * PAIR
    }

    fn notes(&self) -> Notes {
        let notes = format!(
            "The pairs with the lowest margins (matched minus mismatched sum, mean over groups) at {}, {}; the images are \
             those of the first group.",
            self.best.layer, self.best.words
        );
        Notes::wrapped(&notes, f64::from(SIZE.0) - 2.0 * EDGE)
    }
}

impl Figure for Confused<'_> {
    fn size(&self) -> (u32, u32) {
        (SIZE.0, (self.foot() + self.notes().height() + EDGE).ceil() as u32)
    }

    fn draw<B: Backend>(&self, canvas: &Canvas<B>) -> Result<(), DrawError> {
        let title = format!("{}, {}: most confused", self.best.network, self.best.label);
        canvas.text(&title, TextStyle::bold(TITLE, INK), (EDGE, EDGE + 0.8 * TITLE), HPos::Left)?;
        let column = (f64::from(SIZE.0) - 2.0 * EDGE) / COLUMNS as f64;
        let side = SIDE as f64;
        for (n, Pair { row, images }) in self.pairs.iter().enumerate() {
            let left = EDGE + (n % COLUMNS) as f64 * column;
            let top = TOP + (n / COLUMNS) as f64 * PAIR;
            for (m, (concept, image)) in [&row.concept_a, &row.concept_b].into_iter().zip(images).enumerate() {
                let corner = (left + m as f64 * (side + GAP), top);
                match image {
                    Some(image) => canvas.raster(image, corner, side, side)?,
                    None => canvas.polygon(&square(corner, side), LIGHT)?,
                }
                let name = concept.replace('_', " ");
                let regular = TextStyle::regular(0.75 * TICK_LABEL, INK);
                let shrunk = (side / regular.width(&name)).min(1.0) * regular.em;
                let at = (corner.0, top + side + 0.9 * TICK_LABEL);
                canvas.text(&name, TextStyle { em: shrunk, ..regular }, at, HPos::Left)?;
            }
            let margin = format!("{:+.3}, lost in {} of {}", row.margin, row.groups_lost, self.best.groups);
            canvas.text(&margin, notes::TEXT, (left, top + side + 1.85 * TICK_LABEL), HPos::Left)?;
        }
        self.notes().draw(canvas, (EDGE, self.foot()))
    }
}

fn square((x, y): (f64, f64), side: f64) -> [(f64, f64); 4] {
    [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;
    use crate::report::curves::tests::rows;

    #[test]
    fn pairs_of_the_best_layer_are_shown_with_their_images() {
        let directory = tempfile::tempdir().unwrap();
        RgbImage::from_pixel(8, 8, image::Rgb([200, 30, 30])).save(directory.path().join("ant.png")).unwrap();
        let labels = ["pixels", "fc1"].map(String::from);
        let stimulus =
            |concept: &str, path: &str| StimulusRow { group: "1".into(), concept: concept.into(), path: path.into() };
        let pair = |layer: &str, concept_b: &str| ConfusedRow {
            network: "net".into(),
            layer: layer.into(),
            words: "GloVe".into(),
            concept_a: "ant".into(),
            concept_b: concept_b.into(),
            margin: -0.25,
            groups_lost: 4,
        };
        let mut results = Results {
            accuracy: rows("net", &labels, &["GloVe"]),
            confused: vec![pair("pixels", "sun"), pair("fc1", "sea_lion")],
            stimuli: vec![stimulus("ant", "ant.png"), stimulus("sea_lion", "gone.png")],
            ..Results::default()
        };
        let manifest = directory.path().join("manifest.csv");
        record::tests::written(&ResultsDir::new(directory.path()), |run| {
            run["config"]["stimuli"]["manifest"] = manifest.display().to_string().into();
        });
        let paths = write(&results, directory.path()).unwrap();
        let svg = std::fs::read_to_string(&paths[1]).unwrap();
        assert!(paths[1].ends_with("figures/confused_net_GloVe.svg"));
        for (text, shown) in [("ant", true), ("sea lion", true), ("-0.250, lost in 4 of 5", true), ("sun", false)] {
            assert_eq!(svg.lines().any(|line| line == text), shown, "{text}");
        }
        assert_eq!(svg.matches("<image").count(), 1, "the image that is gone is a grey square");

        results.stimuli.clear();
        assert!(write(&results, directory.path()).unwrap().is_empty());
    }
}
