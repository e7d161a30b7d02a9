//! Curves of several runs on one axis of relative depth: the colour is the run, the dash the word model.

use std::path::{Path, PathBuf};

use crate::report::accuracy::accuracy;
use crate::report::chart::{Band, Chart, Curve, Entry, Mark};
use crate::report::curves::{Curves, distinct};
use crate::report::style::{CURVE, CurveStyle, GREY, SOLID, Shape, crossed, curve};
use crate::report::{Drawing, ReportError, chance, file, names};
use crate::results::AccuracyRow;

/// One curve: a run with one word model.
pub struct Overlay<'a> {
    /// What tells its run from the others.
    pub run: &'a str,
    /// Its layers in input order.
    pub rows: &'a [AccuracyRow],
}

const DEPTHS: [&str; 6] = ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"];

/// Draws `figures/compare` as PNG, SVG and PDF; returns the files.
///
/// # Errors
/// A picture that cannot be drawn or written.
pub fn write_comparison(overlays: &[Overlay], directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let text = "2 vs. 2 accuracy of several runs against relative depth".to_string();
    let drawing = Drawing { stem: "compare".into(), network: String::new(), text, picture: chart(overlays).draw() };
    file::write(&[drawing], directory)
}

/// Their chart.
pub fn chart<'a>(overlays: &[Overlay<'a>]) -> Chart<'a> {
    let runs = distinct(overlays.iter().map(|overlay| overlay.run));
    let models = distinct(overlays.iter().flat_map(|overlay| overlay.rows).map(|row| row.words.as_str()));
    let networks = distinct(overlays.iter().flat_map(|overlay| overlay.rows).map(|row| row.network.as_str()));
    let place = |list: &[&str], name: &str| list.iter().position(|known| *known == name).unwrap_or(0);
    let style = |overlay: &Overlay| {
        crossed(place(&runs, overlay.run), overlay.rows.first().map_or(0, |row| place(&models, &row.words)))
    };
    // Runs of different networks are known by these.
    let name = |run: &&'a str| {
        let network = overlays.iter().filter(|overlay| overlay.run == *run).find_map(|overlay| overlay.rows.first());
        match network {
            Some(row) if networks.len() == runs.len() => names::network(&row.network),
            _ => run,
        }
    };
    let of_runs = runs.iter().enumerate().map(|(n, run)| Entry {
        style: CurveStyle { dash: SOLID, ..curve(n) },
        filled: true,
        text: name(run),
    });
    let of_models = models.iter().enumerate().map(|(m, words)| Entry {
        style: CurveStyle { color: GREY, shape: Shape::None, dash: curve(m).dash },
        filled: true,
        text: words,
    });
    let legend = match (runs.len(), models.len()) {
        (_, 1) => of_runs.collect(),
        (1, _) => {
            models.iter().enumerate().map(|(m, text)| Entry { style: crossed(0, m), filled: true, text }).collect()
        }
        _ => of_runs.chain(of_models).collect(),
    };
    let curves = overlays.iter().map(|overlay| Curve {
        words: None,
        style: style(overlay),
        width: CURVE,
        aside: None,
        marks: overlay.rows.iter().map(|row| Mark { interval: None, ..accuracy(at(row), row) }).collect(),
    });
    let (bands, lines) = chances(overlays);
    Chart {
        title: match networks[..] {
            [network] => names::network(network).to_string(),
            _ => "Networks compared".to_string(),
        },
        y_title: "2 vs. 2 accuracy",
        limits: Some((0.0, 1.0)),
        whole: false,
        labels: DEPTHS.to_vec(),
        x_title: Some("Relative depth"),
        bars: false,
        bands,
        legend,
        curves: curves.chain(lines).collect(),
        notes: "0: pixels, or the first layer; 1: the last layer. Filled: p\u{a0}<\u{a0}0.05 against chance, family-wise over \
                layers; hollow: n.s. Band: null mean\u{a0}±\u{a0}2\u{a0}s.d. Paired tests of the differences: compare.csv."
            .into(),
    }
}
/// Where a row stands on the axis of depth.
fn at(row: &AccuracyRow) -> f64 {
    row.depth * (DEPTHS.len() - 1) as f64
}

/// Every run's null band, and chance: once where it is the same for all.
fn chances(overlays: &[Overlay]) -> (Vec<Band>, Vec<Curve<'static>>) {
    let (mut bands, mut lines): (Vec<Band>, Vec<Curve>) = (Vec::new(), Vec::new());
    for overlay in overlays {
        let last = overlay.rows.len() as f64 - 1.0;
        let by_depth = |place: f64| match place {
            place if place < 0.0 => place,
            place if place > last => (DEPTHS.len() - 1) as f64 + place - last,
            place => at(&overlay.rows[place as usize]),
        };
        for curves in Curves::of_networks(overlay.rows) {
            let (mut its_bands, mut its_lines) = chance::drawn(&curves);
            its_bands.iter_mut().flat_map(|band| &mut band.edges).for_each(|edge| edge.0 = by_depth(edge.0));
            its_lines.iter_mut().flat_map(|line| &mut line.marks).for_each(|mark| mark.place = by_depth(mark.place));
            bands.extend(its_bands);
            lines.extend(its_lines);
        }
    }
    let level = |line: &Curve| line.marks.iter().all(|mark| mark.value == chance::HALF);
    if lines.iter().all(level) {
        lines.truncate(1);
    }
    (bands, lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;

    #[test]
    fn networks_of_any_depth_share_an_axis() {
        let labels = |count: usize| (0..count).map(|n| format!("layer {n}")).collect::<Vec<_>>();
        let (deep, shallow) = (rows("resnet50", &labels(51), &["GloVe"]), rows("vgg16", &labels(17), &["GloVe"]));
        let overlays = [Overlay { run: "deep", rows: &deep }, Overlay { run: "shallow", rows: &shallow }];
        let svg = chart(&overlays).draw().svg;
        for text in ["Networks compared", "Relative depth", "ResNet-50", "VGG16", "0.4", "chance"] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}");
        }
        assert!(svg.contains("fill=\"#eeeeee\""), "the null's band");
    }

    #[test]
    fn colour_is_the_run_and_dash_the_words() {
        let labels = ["a", "b"].map(String::from);
        let [one, other] = ["GloVe", "SkipGram"].map(|words| rows("vgg16", &labels, &[words]));
        let overlays = [("trained", &one), ("trained", &other), ("random", &one), ("random", &other)];
        let overlays = overlays.map(|(run, rows)| Overlay { run, rows });
        let chart = chart(&overlays);
        let styles: Vec<CurveStyle> = chart.curves.iter().take(4).map(|curve| curve.style).collect();
        assert!(styles[0].color == styles[1].color && styles[0].dash == styles[2].dash);
        assert!(styles[0].color != styles[2].color && styles[0].dash != styles[1].dash);
        let legend: Vec<&str> = chart.legend.iter().map(|entry| entry.text).collect();
        assert_eq!(legend, ["trained", "random", "GloVe", "SkipGram"]);
        assert_eq!(chart.title, "VGG16");
    }
}
