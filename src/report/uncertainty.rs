//! How sure an accuracy is and how high it can be: the bootstrap's interval, the null's band and the noise ceiling, one
//! figure per word model.

use crate::report::accuracy::accuracy;
use crate::report::chart::{Band, Chart, Curve, Entry, Mark, NO_EDGES, joined};
use crate::report::curves::{Curves, Model};
use crate::report::material::Said;
use crate::report::style::{CurveStyle, DOTTED, GREY, INTERVAL, SOLID, Shape, curve};
use crate::report::{Drawing, Figure, Material, ReportError, chance, inference};
use crate::results::AccuracyRow;
use crate::stats::scoring::Ties;

/// `uncertainty_<network>_<words>`; drawn where there are intervals.
pub const FIGURE: Figure = Figure { name: "uncertainty", draw };

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let mut drawings = Vec::new();
    for curves in material.curves() {
        for (n, model) in curves.models.iter().enumerate() {
            if model.rows.iter().flatten().any(|row| row.ci_low.is_some()) {
                drawings.push(Drawing {
                    stem: curves.model_stem(FIGURE.name, model.words),
                    network: curves.network.to_string(),
                    text: format!(
                        "Interval and noise ceiling of {} against layer, {}",
                        material.said().network(curves.network),
                        model.words
                    ),
                    picture: chart(&curves, n, model, material.ties(), material.said()).draw(),
                });
            }
        }
    }
    Ok(drawings)
}

fn chart<'a>(curves: &Curves<'a>, n: usize, model: &Model<'a>, ties: Option<Ties>, told: Said<'a>) -> Chart<'a> {
    let style = curve(n);
    let alone =
        Curves { models: vec![model.clone()], layers: curves.layers.clone(), labels: curves.labels.clone(), ..*curves };
    let (mut bands, lines) = chance::drawn(&alone, told.unordered);
    let marks = model.marks(accuracy);
    let edges = marks.iter().map(|mark| (mark.place, mark.interval.unwrap_or(NO_EDGES)));
    let edges = joined(edges, NO_EDGES, told.unordered);
    bands.push(Band { color: style.color, opacity: INTERVAL, edges });

    let mut legend = vec![Entry { style, filled: true, text: model.words }];
    let mut notes =
        format!("{}\nColoured band: 95\u{a0}% interval {}.", curves.counts(told), inference::over(curves.null(), told));
    let mut ceilings = Vec::new();
    if model.rows.iter().flatten().any(|row| row.ceiling_low.is_some()) {
        let edge = |dash, of: fn(&AccuracyRow) -> Option<f64>| {
            let value = |row: &&AccuracyRow| of(row).unwrap_or(f64::NAN);
            let values = model.rows.iter().map(|row| row.as_ref().map_or(f64::NAN, value)).enumerate();
            let values = values.map(|(layer, value)| (layer as f64, value));
            Curve::line(GREY, dash, joined(values, f64::NAN, told.unordered))
        };
        ceilings = vec![edge(SOLID, |row| row.ceiling_high), edge(DOTTED, |row| row.ceiling_low)];
        let sample =
            |dash, text| Entry { style: CurveStyle { color: GREY, shape: Shape::None, dash }, filled: true, text };
        legend.extend([sample(SOLID, "mean of all"), sample(DOTTED, "mean of the others")]);
        notes += &format!(
            " Grey lines: each of the {0} tested against the mean of all, or of the others, in place of the words: how well \
             they agree; not an upper bound.",
            told.all()
        );
    }
    if curves.permuted() {
        notes += &format!(
            " Grey band: null mean\u{a0}±\u{a0}2\u{a0}s.d. {}.",
            inference::filled(curves.null(), curves.models.len())
        );
    }
    notes += &chance::note(&alone, "pairs", ties);
    let marks = marks.into_iter().map(|mark| Mark { interval: None, ..mark }).collect();
    let accuracies = Curve { words: Some(n), ..Curve::marked(style, marks) };
    Chart {
        y_title: "2 vs. 2 accuracy",
        bands,
        curves: std::iter::once(accuracies).chain(ceilings).chain(lines).collect(),
        legend,
        notes,
        ..curves.chart(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;
    use crate::report::material::tests::material;
    use crate::results::Results;

    #[test]
    fn only_models_with_intervals_are_drawn() {
        let labels = ["pixels", "B1C1", "fc1"].map(String::from);
        let mut table = rows("vgg16", &labels, &["Skip Gram", "GloVe"]);
        let drawn = |accuracy: Vec<AccuracyRow>| draw(&material(&Results { accuracy, ..Results::default() })).unwrap();
        for row in table.iter_mut().filter(|row| row.words == "Skip Gram") {
            (row.ceiling_low, row.ceiling_high) = (Some(0.97), Some(0.99));
        }
        assert!(drawn(table.clone()).is_empty());
        for row in table.iter_mut().filter(|row| row.words == "Skip Gram") {
            (row.ci_low, row.ci_high) = (Some(row.accuracy - 0.03), Some(row.accuracy + 0.02));
        }
        let drawings = drawn(table);
        assert_eq!(drawings.iter().map(|drawing| &drawing.stem).collect::<Vec<_>>(), ["uncertainty_vgg16_Skip_Gram"]);
        assert!(
            drawings[0].picture.svg.contains(">mean of all</text>")
                && drawings[0].picture.svg.contains("95\u{a0}% interval")
        );
    }

    #[test]
    fn without_an_order_nothing_joins_the_layers() {
        let labels = ["V1", "V2", "V4"].map(String::from);
        let mut table = rows("brain", &labels, &["GloVe"]);
        for row in &mut table {
            (row.ceiling_low, row.ceiling_high) = (Some(0.97), Some(0.99));
            (row.ci_low, row.ci_high) = (Some(row.accuracy - 0.03), Some(row.accuracy + 0.02));
        }
        let curves = Curves::under(None, &table).remove(0);
        let drawn = |unordered| chart(&curves, 0, &curves.models[0], None, Said { unordered, ..Said::RUN });
        let widest = |chart: &Chart| -> f64 {
            let ceilings = chart.curves.iter().skip(1).take(2);
            let of_curve = |curve: &Curve| {
                let runs = curve.marks.split(|mark| !mark.value.is_finite()).filter(|run| !run.is_empty());
                runs.map(|run| run[run.len() - 1].place - run[0].place).fold(0.0, f64::max)
            };
            ceilings.map(of_curve).fold(0.0, f64::max)
        };
        assert_eq!(widest(&drawn(false)), 2.0);
        assert!(widest(&drawn(true)) < 1.0 && drawn(true).bars);
    }
}
