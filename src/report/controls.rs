//! 2 vs. 2 accuracy with and without what is given, one figure per word model.

use crate::config::InferenceOptions;
use crate::report::accuracy::accuracy;
use crate::report::chart::{Chart, Curve, Entry, Look, Mark};
use crate::report::curves::{Curves, Model, SIGNIFICANT, distinct};
use crate::report::material::Said;
use crate::report::style::{CURVE, curve};
use crate::report::{Drawing, Figure, Material, ReportError, chance, inference};
use crate::results::ControlRow;
use crate::stats::alignment::Measure;

/// `controls_<network>_<words>`; drawn where something is given.
pub const FIGURE: Figure = Figure { name: "controls", draw };

/// The measure of the figure.
const MEASURE: &str = Measure::TwoVsTwo.name();

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let mut drawings = Vec::new();
    for curves in material.curves() {
        for model in &curves.models {
            let of_model =
                |row: &&ControlRow| row.network == curves.network && row.words == model.words && row.measure == MEASURE;
            let rows: Vec<&ControlRow> = material.results.controls.iter().filter(of_model).collect();
            if !rows.is_empty() {
                drawings.push(Drawing {
                    stem: curves.model_stem(FIGURE.name, model.words),
                    network: curves.network.to_string(),
                    text: format!(
                        "2 vs. 2 accuracy of {} against layer, {}, with and without what is given",
                        material.said().network(curves.network),
                        model.words
                    ),
                    picture: chart(&curves, model, &rows, (material.inference(), material.said())).draw(),
                });
            }
        }
    }
    Ok(drawings)
}

fn chart<'a>(
    curves: &Curves<'a>,
    model: &Model<'a>,
    rows: &[&'a ControlRow],
    (of_test, told): (Option<InferenceOptions>, Said<'a>),
) -> Chart<'a> {
    let alone =
        Curves { models: vec![model.clone()], layers: curves.layers.clone(), labels: curves.labels.clone(), ..*curves };
    let (bands, lines) = chance::drawn(&alone, told.unordered);
    let given = distinct(rows.iter().map(|row| row.given.as_str()));
    let plain = |mark: Mark| Mark { interval: None, ..mark };
    let first = model.marks(|place, row| plain(accuracy(place, row)));
    let marks = |given: &str| -> Vec<Mark> {
        let row = |layer: &&str| rows.iter().find(|row| row.given == given && row.layer == **layer);
        let gap = Mark { place: 0.0, value: f64::NAN, look: Look::Filled, interval: None };
        let mark = |(n, layer): (usize, &&str)| row(layer).map_or(Mark { place: n as f64, ..gap }, |row| of(n, row));
        curves.layers.iter().enumerate().map(mark).collect()
    };
    let with = given.iter().map(|given| marks(given));
    let drawn = std::iter::once(first).chain(with).enumerate().map(|(n, marks)| Curve {
        words: None,
        style: curve(n),
        width: CURVE,
        aside: None,
        marks,
    });
    let legend = std::iter::once("nothing given").chain(given.iter().copied()).enumerate();
    let mut notes = format!(
        "{} {} given these spaces: their RSMs are regressed out of both sides\u{2019} entries, in every permutation.",
        curves.counts(told),
        model.words
    );
    if curves.permuted() {
        notes += &format!(
            "\nFilled: p\u{a0}<\u{a0}{SIGNIFICANT}{}, {}; hollow: n.s. Band: null mean\u{a0}±\u{a0}2\u{a0}s.d. with nothing given.",
            inference::tail(of_test),
            inference::covers(of_test, curves.models.len())
        );
    }
    Chart {
        title: format!("{}: {} given other spaces", told.network(curves.network), model.words),
        y_title: "2 vs. 2 accuracy",
        limits: Some((0.0, 1.0)),
        whole: false,
        labels: curves.labels.clone(),
        x_title: told.axis,
        bars: told.unordered,
        bands,
        legend: legend.map(|(n, text)| Entry { style: curve(n), filled: true, text }).collect(),
        curves: drawn.chain(lines).collect(),
        notes,
    }
}

fn of(n: usize, row: &ControlRow) -> Mark {
    let significant = row.permutations == 0 || row.p_fwer < SIGNIFICANT;
    let look = if significant { Look::Filled } else { Look::Hollow };
    Mark { place: n as f64, value: row.value, look, interval: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;
    use crate::report::material::tests::material;
    use crate::results::Results;

    #[test]
    fn a_curve_for_nothing_and_for_everything_given() {
        let labels = ["pixels", "B1C1", "fc1"].map(String::from);
        let accuracy = rows("vgg16", &labels, &["Skip Gram", "GloVe"]);
        let control = |layer: &str, given: &str, measure: &str| ControlRow {
            network: "vgg16".into(),
            layer: layer.into(),
            label: layer.into(),
            words: "GloVe".into(),
            given: given.into(),
            measure: measure.into(),
            value: 0.7,
            without: 0.8,
            permutations: 100,
            p_value: 0.01,
            p_fwer: if layer == "fc1" { 0.01 } else { 0.5 },
            q_fdr: 0.01,
            null_mean: 0.5,
            null_sd: 0.04,
        };
        let controls = vec![
            control("B1C1", "pixels", "2v2"),
            control("fc1", "pixels", "2v2"),
            control("fc1", "category", "2v2"),
            control("fc1", "words & more", "rsa-pearson"),
        ];
        let results = Results { accuracy, controls, ..Results::default() };
        let drawings = draw(&material(&results)).unwrap();
        assert_eq!(drawings.iter().map(|drawing| &drawing.stem).collect::<Vec<_>>(), ["controls_vgg16_GloVe"]);
        let svg = &drawings[0].picture.svg;
        assert!(svg.contains(">nothing given</text>") && svg.contains(">category</text>") && !svg.contains("more"));
    }
}
