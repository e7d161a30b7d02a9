//! The pairs of concepts that the best layer confuses most, with their images: those that are lost, in any group.

use image::RgbImage;

use crate::report::canvas::{Anchor, Canvas, Picture, TextStyle};
use crate::report::notes::{self, Notes, Title};
use crate::report::ramp::signed;
use crate::report::stimuli::Source;
use crate::report::style::{EDGE, INK, LIGHT, TICK_LABEL, TITLE, WIDTH};
use crate::report::{Drawing, Figure, Material, ReportError, fit};
use crate::results::{AccuracyRow, ConfusedRow, StimulusRow};

/// `confused_<network>_<words>`; drawn where the images are.
pub const FIGURE: Figure = Figure { name: "confused", draw };

const COLUMNS: usize = 3;
const MOST: usize = 12;
/// Side of an image.
const SIDE: usize = 200;

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let Some(source) = &material.source else { return Ok(Vec::new()) };
    let results = material.results;
    let mut drawings = Vec::new();
    for curves in material.curves() {
        for model in &curves.models {
            let Some(best) = model.best().map(|best| best.row) else { continue };
            let of_best = |row: &&ConfusedRow| {
                (&row.network, &row.layer, &row.words) == (&best.network, &best.layer, &best.words)
            };
            let rows: Vec<&ConfusedRow> =
                results.confused.iter().filter(of_best).filter(|row| row.groups_lost > 0).take(MOST).collect();
            if !rows.is_empty() {
                let pairs = rows.iter().map(|row| Pair::new(row, source, &results.stimuli)).collect();
                drawings.push(Drawing {
                    stem: curves.model_stem(FIGURE.name, model.words),
                    network: curves.network.to_string(),
                    text: format!("The pairs of images most confused at {}, {}", best.layer, best.words),
                    picture: Confused {
                        network: material.said().network(&best.network),
                        best,
                        pairs,
                        mean: curves.mean(material.said()),
                    }
                    .draw(),
                });
            }
        }
    }
    Ok(drawings)
}

struct Confused<'a> {
    /// As figures call it.
    network: String,
    best: &'a AccuracyRow,
    /// The worst first.
    pairs: Vec<Pair<'a>>,
    /// Over what margins are means, behind a comma.
    mean: String,
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

const TOP: f64 = EDGE + 1.4 * TITLE;
const GAP: f64 = 10.0;
/// Height of a pair: its images and two lines.
const PAIR: f64 = SIDE as f64 + 2.6 * TICK_LABEL;

impl Confused<'_> {
    fn title(&self) -> Title {
        Title::fit(&format!("{}, {}, {}: most confused", self.network, self.best.label, self.best.words), EDGE)
    }

    /// Where the pairs start.
    fn top(&self) -> f64 {
        TOP + self.title().more()
    }

    fn foot(&self) -> f64 {
        self.top() + self.pairs.len().div_ceil(COLUMNS) as f64 * PAIR
    }

    fn note(&self) -> String {
        let (lost, first) = match self.best.groups {
            1 => ("", ""),
            _ => (" in at least one group", "; images of the first group"),
        };
        format!(
            "Of the pairs lost{lost} at {}, {}: those with the lowest margins (matched minus mismatched sum{}){first}.",
            self.best.layer, self.best.words, self.mean
        )
    }

    fn notes(&self) -> Notes {
        Notes::wrapped(&self.note(), WIDTH - 2.0 * EDGE)
    }

    fn draw(&self) -> Picture {
        let mut canvas = Canvas::new(self.foot() + self.notes().height() + EDGE);
        self.title().draw(&mut canvas);
        let column = (WIDTH - 2.0 * EDGE) / COLUMNS as f64;
        let side = SIDE as f64;
        let regular = TextStyle::regular(0.75 * TICK_LABEL, INK);
        let concepts = self.pairs.iter().flat_map(|Pair { row, .. }| [&row.concept_a, &row.concept_b]);
        let names: Vec<String> = concepts.map(|concept| concept.replace('_', " ")).collect();
        let names = fit::cut_apart(&names, TextStyle { em: fit::SMALL * regular.em, ..regular }, side);
        for (n, (Pair { row, images }, names)) in self.pairs.iter().zip(names.chunks(2)).enumerate() {
            let left = EDGE + (n % COLUMNS) as f64 * column;
            let top = self.top() + (n / COLUMNS) as f64 * PAIR;
            for (m, (name, image)) in names.iter().zip(images).enumerate() {
                let corner = (left + m as f64 * (side + GAP), top);
                match image {
                    Some(image) => canvas.raster(image, corner, side, side),
                    None => canvas.polygon(&square(corner, side), LIGHT, 1.0),
                }
                let (name, style) = fit::shrunk(name, regular, side);
                let at = (corner.0, top + side + 0.9 * TICK_LABEL);
                canvas.text(&name, style, at, Anchor::Start);
            }
            let tied = if row.groups_tied > 0 { format!(", tied in {}", row.groups_tied) } else { String::new() };
            let margin = signed(&format!("{:+.3}", row.margin));
            let margin = format!("{margin}, lost in {} of {}{tied}", row.groups_lost, self.best.groups);
            canvas.text(&margin, notes::TEXT, (left, top + side + 1.85 * TICK_LABEL), Anchor::Start);
        }
        self.notes().draw(&mut canvas, (EDGE, self.foot()));
        canvas.finish()
    }
}

fn square((x, y): (f64, f64), side: f64) -> [(f64, f64); 4] {
    [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum;
    use crate::record;
    use crate::report::curves::tests::rows;
    use crate::results::{Results, ResultsDir};

    #[test]
    fn pairs_of_the_best_layer_are_shown_with_their_images() {
        let directory = tempfile::tempdir().unwrap();
        RgbImage::from_pixel(8, 8, image::Rgb([200, 30, 30])).save(directory.path().join("ant.png")).unwrap();
        let labels = ["pixels", "fc1"].map(String::from);
        let sum = checksum::sha256(&directory.path().join("ant.png")).unwrap();
        let stimulus = |concept: &str, path: &str| StimulusRow {
            group: "1".into(),
            concept: concept.into(),
            path: path.into(),
            sha256: sum.clone(),
        };
        let pair = |layer: &str, concept_b: &str| ConfusedRow {
            network: "net".into(),
            layer: layer.into(),
            words: "GloVe".into(),
            concept_a: "ant".into(),
            concept_b: concept_b.into(),
            margin: -0.25,
            groups_lost: 4,
            groups_tied: u64::from(concept_b == "sea_lion"),
        };
        let alike = |letter: char| format!("{}{letter}{}", "m".repeat(30), "m".repeat(30));
        let mut results = Results {
            accuracy: rows("net", &labels, &["GloVe"]),
            confused: ["sea_lion".to_string(), "n".repeat(60), alike('ß'), alike('þ')]
                .map(|concept| pair("fc1", &concept))
                .into(),
            stimuli: vec![stimulus("ant", "ant.png"), stimulus("sea_lion", "gone.png")],
            ..Results::default()
        };
        results.confused.push(pair("pixels", "sun"));
        let manifest = directory.path().join("manifest.csv");
        record::tests::written(&ResultsDir::new(directory.path()), |run| {
            run["config"]["stimuli"]["manifest"] = manifest.display().to_string().into();
        });
        let drawing = draw(&Material::read(&results, directory.path()).unwrap()).unwrap().remove(0);
        assert_eq!(drawing.stem, "confused_net_GloVe");
        assert!(drawing.picture.svg.contains(">net, fc1, GloVe: most confused</text>"));
        for (text, shown) in
            [("ant", true), ("sea lion", true), ("\u{2212}0.250, lost in 4 of 5, tied in 1", true), ("sun", false)]
        {
            assert_eq!(drawing.picture.svg.contains(&format!(">{text}</text>")), shown, "{text}");
        }
        assert!(drawing.picture.svg.contains("nn…nn") && !drawing.picture.svg.contains(&"n".repeat(60)));
        assert!(['ß', 'þ'].iter().all(|letter| drawing.picture.svg.contains(*letter)), "two names that look alike");
        assert_eq!(drawing.picture.svg.matches("<image").count(), 4, "the image that is gone is a grey square");

        let notes = |groups: usize, mean: &str| {
            let best = AccuracyRow { groups, ..results.accuracy[0].clone() };
            let confused = Confused { network: String::new(), best: &best, pairs: Vec::new(), mean: mean.to_string() };
            confused.note()
        };
        assert!(
            notes(5, ", mean over groups of images").contains("sum, mean over groups of images); images of the first")
        );
        assert!(!notes(1, "").contains("group"));

        let shown = results.clone();
        results.confused.iter_mut().for_each(|row| row.groups_lost = 0);
        assert!(draw(&Material::read(&results, directory.path()).unwrap()).unwrap().is_empty(), "none is lost");

        results = shown;
        results.stimuli.clear();
        assert!(draw(&Material::read(&results, directory.path()).unwrap()).unwrap().is_empty());
    }
}
