//! Supplementary figures 1 to 3: a network's stages from input to classes, with the tapped layers marked, generated from
//! the network's own list of stages.

use crate::nets::{self, Blueprint, StageSpec};
use crate::record::{Run, RunRecord};
use crate::report::canvas::{Anchor, Canvas, Picture, TextStyle};
use crate::report::curves::Curves;
use crate::report::notes::{Notes, Title};
use crate::report::style::{
    AXIS, BOX, EDGE, GREY, HALF_CAPITAL, INK, LIGHT, NOTE, PAPER, SOLID, Shape, TICK_LABEL, TITLE, WIDTH, curve,
};
use crate::report::{Drawing, Figure, Material, ReportError};
use crate::stimuli::{PIXELS, PIXELS_LABEL};
use crate::wording::{counted, grouped};

/// `architecture_<network>`
pub const FIGURE: Figure = Figure { name: "architecture", draw };

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let run = material.record.as_ref().and_then(RunRecord::run);
    let networks = material.curves();
    let drawing = |curves: &Curves| {
        let network = computed(run?, curves)?;
        let title = format!("{} ({})", material.said().network(&network.name), network.form);
        Some(Drawing {
            stem: curves.stem(FIGURE.name),
            network: curves.network.to_string(),
            text: format!("The stages of {} and the layers compared", curves.network),
            picture: Architecture::new(title, &network, &curves.layers).draw(),
        })
    };
    Ok(networks.iter().filter_map(drawing).collect())
}

/// The files' names, without the ending, of architectures that are not among the drawings: versions before took a network for
/// the built-in one that has its name.
pub fn undrawn(material: &Material, drawings: &[Drawing]) -> Vec<String> {
    let stems = material.curves().into_iter().map(|curves| curves.stem(FIGURE.name));
    stems.filter(|stem| !drawings.iter().any(|drawing| drawing.stem == *stem)).collect()
}

/// The built-in network that a run computed: what a file's graph or another program's features are called says nothing of
/// them. With classes of its own, where its results say how many.
fn computed(run: &Run, curves: &Curves) -> Option<Blueprint> {
    let asked = &run.config.network;
    if asked.file.is_some() || run.network.name != curves.network {
        return None;
    }
    let network = nets::find(curves.network)?.blueprint(&run.network.form)?;
    if asked.classes.is_none() {
        return Some(network);
    }
    let head = curves.rows().find(|row| Some(&row.layer) == network.classifier.as_ref())?;
    network.with_classes(head.units)
}

struct Architecture {
    /// The network and its form.
    title: String,
    /// The input and every stage.
    blocks: Vec<Block>,
    /// Of one image.
    multiply_adds: u64,
}

/// A stage's box.
struct Block {
    /// `[channels, height, width]`.
    shape: [usize; 3],
    /// Above it: the first and the last of its layers.
    label: String,
    /// Its layers, tapped or not.
    taps: Vec<bool>,
}

const TOP: f64 = EDGE + 1.7 * TITLE;
/// Height of the highest box, the input's.
const HIGHEST: f64 = 470.0;
/// Room above the boxes for dots and labels, and more where they take it.
const ABOVE: f64 = 130.0;
const DOT: f64 = 9.0;
const GAP: f64 = 16.0;

impl Block {
    /// What the dots take, from the box to its label.
    fn dots(&self) -> f64 {
        2.6 * DOT * self.taps.len() as f64 + 2.0 * DOT
    }

    fn shape_text(&self) -> String {
        match self.shape {
            [channels, 1, 1] => channels.to_string(),
            [channels, height, width] => format!("{channels}\u{d7}{height}\u{d7}{width}"),
        }
    }
}

/// A size beside the largest, on a root scale.
fn share(size: usize, largest: usize) -> f64 {
    (size as f64 / largest as f64).sqrt()
}

impl Architecture {
    /// Of a network with the names of the layers in the results.
    fn new(title: String, network: &Blueprint, tapped: &[&str]) -> Self {
        let size = network.input.size;
        let input = Block { shape: [3, size, size], label: PIXELS_LABEL.into(), taps: vec![tapped.contains(&PIXELS)] };
        let of_stage = |stage: &StageSpec| {
            let labels: Vec<&str> = stage.layers.iter().map(|layer| layer.label.as_str()).collect();
            Block {
                shape: stage.output().as_map(),
                label: match labels[..] {
                    [] => String::new(),
                    [only] => only.to_string(),
                    [first, .., last] => format!("{first}\u{2013}{last}"),
                },
                taps: stage.layers.iter().map(|layer| tapped.contains(&layer.name.as_str())).collect(),
            }
        };
        let stages = network.stages();
        Self {
            title,
            blocks: std::iter::once(input).chain(stages.iter().map(of_stage)).collect(),
            multiply_adds: stages.iter().map(|stage| stage.multiply_adds).sum(),
        }
    }

    /// The boxes with their heights.
    fn boxes(&self) -> impl Iterator<Item = (&Block, f64)> {
        let tallest = self.blocks.iter().map(|block| block.shape[1]).max().unwrap_or(1);
        self.blocks.iter().map(move |block| (block, HIGHEST * share(block.shape[1], tallest).max(0.03)))
    }

    /// The width that a box has to itself.
    fn slot(&self) -> f64 {
        (WIDTH - 2.0 * EDGE) / self.blocks.len() as f64
    }

    /// The text at the boxes.
    fn text(&self) -> TextStyle {
        TextStyle::regular((0.8 * self.slot()).clamp(16.0, 0.8 * TICK_LABEL), INK)
    }

    fn title(&self) -> Title {
        Title::fit(&self.title, EDGE)
    }

    /// Above the labels.
    fn top(&self) -> f64 {
        TOP + self.title().more()
    }

    /// What the dots and labels take above the highest box.
    fn above(&self) -> f64 {
        let text = self.text();
        let reach = |(block, height): (&Block, f64)| block.dots() + text.width(&block.label) - (HIGHEST - height) / 2.0;
        self.boxes().map(reach).fold(ABOVE, f64::max)
    }

    /// Where the notes start.
    fn foot(&self) -> f64 {
        let text = self.text();
        let shapes = self.blocks.iter().map(|block| text.width(&block.shape_text())).fold(0.0, f64::max);
        self.top() + self.above() + HIGHEST + GAP + shapes + 0.5 * NOTE
    }

    fn notes(&self) -> Notes {
        let taps = || self.blocks.iter().flat_map(|block| &block.taps);
        let tapped = taps().filter(|&&tapped| tapped).count();
        let hollow = if tapped < taps().count() { "; hollow: not compared" } else { "" };
        let notes = format!(
            "Each box is a stage, which all images pass before the next one starts. Its height is the side of its output, its \
             width the number of channels (square-root scales); below: channels \u{d7} height \u{d7} width. Filled dots: the {} \
             compared{hollow}. {} million multiply-adds per image.",
            counted(tapped, "layer"),
            grouped(self.multiply_adds / 1_000_000)
        );
        Notes::wrapped(&notes, WIDTH - 2.0 * EDGE)
    }

    fn draw(&self) -> Picture {
        let mut canvas = Canvas::new(self.foot() + self.notes().height() + EDGE);
        self.title().draw(&mut canvas);
        let (slot, text) = (self.slot(), self.text());
        let middle = self.top() + self.above() + HIGHEST / 2.0;
        let widest = self.blocks.iter().map(|block| block.shape[0]).max().unwrap_or(1);
        canvas.line(&[(EDGE, middle), (WIDTH - EDGE, middle)], SOLID, AXIS, LIGHT);
        for (n, (block, height)) in self.boxes().enumerate() {
            let width = 0.78 * slot * share(block.shape[0], widest).max(0.12);
            let x = EDGE + (n as f64 + 0.5) * slot;
            let any = block.taps.contains(&true);
            let corners = |grown: f64| {
                let (right, low) = (x + width / 2.0 + grown, middle + height / 2.0 + grown);
                let (left, high) = (x - width / 2.0 - grown, middle - height / 2.0 - grown);
                [(left, high), (right, high), (right, low), (left, low)]
            };
            canvas.polygon(&corners(2.0), if any { curve(0).color } else { GREY }, 1.0);
            canvas.polygon(&corners(-1.0), if any { BOX } else { PAPER }, 1.0);

            let top = middle - height / 2.0;
            for (dot, &tapped) in block.taps.iter().enumerate() {
                let y = top - 2.2 * DOT - 2.6 * DOT * (block.taps.len() - 1 - dot) as f64;
                let color = curve(0).color;
                canvas.marker(Shape::Circle, (x, y), DOT, color, if tapped { color } else { PAPER });
            }
            let above = top - block.dots();
            canvas.text_upwards(&block.label, text, (x + HALF_CAPITAL * text.em, above), Anchor::Start);
            let below = (x + HALF_CAPITAL * text.em, middle + HIGHEST / 2.0 + GAP);
            canvas.text_upwards(&block.shape_text(), TextStyle { color: GREY, ..text }, below, Anchor::End);
        }
        self.notes().draw(&mut canvas, (EDGE, self.foot()));
        canvas.finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::record::tests::{run_1, test_1};
    use crate::report::curves::tests::rows;
    use crate::report::material::tests::material;
    use crate::results::{Results, ResultsDir, write_json};

    /// The labels above boxes, with the height at which each starts.
    fn upwards(svg: &str) -> impl Iterator<Item = (f64, &str)> {
        let labels = svg.lines().filter(|line| line.contains("rotate(-90)") && !line.contains("text-anchor"));
        labels.map(|line| {
            let (_, place) = line.split_once("translate(").unwrap();
            let height = place.split([' ', ')']).nth(1).unwrap().parse().unwrap();
            (height, line.strip_suffix("</text>").unwrap().rsplit_once('>').unwrap().1)
        })
    }

    #[test]
    fn every_network_can_be_drawn_in_every_form_with_its_labels() {
        for network in nets::NETS {
            for form in network.forms {
                let blueprint = network.draw(form);
                let (layers, form) = (blueprint.layers(), form.name);
                let tapped = layers.iter().filter(|layer| !layer.on_request).map(|layer| layer.name.as_str());
                let figure = Architecture::new(form.into(), &blueprint, &tapped.collect::<Vec<_>>());
                let svg = figure.draw().svg;
                let last = &layers[layers.len() - 1].label;
                assert!(svg.contains(&format!("{last}</text>")), "{} {form} {last}", network.name);
                let text = figure.text();
                for (start, label) in upwards(&svg) {
                    let end = start - text.width(label);
                    assert!(end > figure.title().baseline() + 0.3 * TITLE, "{} {form} {label}", network.name);
                }
            }
        }
    }

    #[test]
    fn layers_of_the_results_are_marked() {
        let labels = ["pixels", "fire2"].map(String::from);
        let accuracy = rows("squeezenet1_1", &labels, &["GloVe"]);
        let curves = Curves::under(None, &accuracy).remove(0);
        let network = nets::find("squeezenet1_1").unwrap().blueprint("caffe").unwrap();
        let of = |tapped: &[&str]| Architecture::new("SqueezeNet 1.1 (caffe)".into(), &network, tapped);
        let figure = of(&curves.layers);
        let tapped: Vec<bool> = figure.blocks.iter().flat_map(|block| block.taps.clone()).collect();
        assert_eq!(tapped[..4], [true, false, true, false]);
        assert!(tapped[4..].iter().all(|tapped| !tapped));
        assert!(figure.draw().svg.contains("hollow"));
        let all = network.layers();
        let all: Vec<&str> = ["pixels"].into_iter().chain(all.iter().map(|layer| layer.name.as_str())).collect();
        assert!(!of(&all).draw().svg.contains("hollow"));
    }

    /// Of results of VGG16's layers beside a record.
    fn drawn(record: &Value, results: &Results) -> Vec<Drawing> {
        let directory = tempfile::tempdir().unwrap();
        write_json(&ResultsDir::new(directory.path()).record(), record).unwrap();
        draw(&Material::read(results, directory.path()).unwrap()).unwrap()
    }

    #[test]
    fn only_a_built_in_network_that_a_run_computed_is_drawn() {
        let labels = ["pixels", "block1_conv1", "predictions"].map(String::from);
        let mut results = Results { accuracy: rows("vgg16", &labels, &["GloVe"]), ..Results::default() };
        let own = drawn(&run_1(), &results).remove(0);
        assert!(own.picture.svg.contains(">VGG16 (keras)</text>") && own.stem == "architecture_vgg16");
        assert!(draw(&material(&results)).unwrap().is_empty(), "nothing says what they are of");

        let mut test = test_1();
        test["config"]["network"] = "vgg16".into();
        assert!(drawn(&test, &results).is_empty(), "features of another program");
        let mut graph = run_1();
        graph["config"]["network"] = json!({"name": "vgg16", "file": "vgg16.onnx"});
        assert!(drawn(&graph, &results).is_empty());
        graph["network"]["form"] = "onnx".into();
        assert!(drawn(&graph, &results).is_empty());

        let mut classes = run_1();
        classes["config"]["network"]["classes"] = "birds.txt".into();
        results.accuracy.iter_mut().filter(|row| row.layer == "predictions").for_each(|row| row.units = 20);
        let svg = drawn(&classes, &results).remove(0).picture.svg;
        assert!(svg.contains(">20</text>") && !svg.contains(">1000</text>"));
        results.accuracy.retain(|row| row.layer != "predictions");
        assert!(drawn(&classes, &results).is_empty(), "how many classes nobody says");
    }

    #[test]
    fn one_layer_is_counted_as_one() {
        let network = nets::find("vgg16").unwrap().blueprint("keras").unwrap();
        let svg = Architecture::new("VGG16".into(), &network, &["fc1"]).draw().svg;
        assert!(svg.contains("layer") && !svg.contains("layers"));
    }
}
