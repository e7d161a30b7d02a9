//! The paper's figures 1 to 3: 2 vs. 2 accuracy against layer, one line per word model.

use crate::report::chart::{Chart, Look, Mark};
use crate::report::curves::{Curves, SIGNIFICANT};
use crate::report::material::Said;
use crate::report::{Drawing, Figure, Material, ReportError, chance, inference};
use crate::results::AccuracyRow;
use crate::stats::scoring::Ties;

/// `accuracy_<network>`
pub const FIGURE: Figure = Figure { name: "accuracy", draw };

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let networks = material.curves();
    if networks.is_empty() && material.results.measures.is_empty() {
        return Err(ReportError::NoRows { figure: FIGURE.name, table: "accuracy.csv" });
    }
    let drawing = |curves: &Curves| Drawing {
        stem: curves.stem(FIGURE.name),
        network: curves.network.to_string(),
        text: format!("2 vs. 2 accuracy of {} against layer", material.said().network(curves.network)),
        picture: chart(curves, material.ties(), material.said()).draw(),
    };
    Ok(networks.iter().map(drawing).collect())
}

/// A network's curves; `ties` is how ties counted, where that is known, `told` what a test was told of its matrices.
pub fn chart<'a>(curves: &Curves<'a>, ties: Option<Ties>, told: Said<'a>) -> Chart<'a> {
    let (bands, lines) = chance::drawn(curves, told.unordered);
    let mut notes = curves.counts(told);
    if curves.permuted() {
        notes += &format!(
            "\n{}; hollow: n.s. {}",
            inference::filled(curves.null(), curves.models.len()),
            chance::band(curves)
        );
    }
    if curves.rows().any(|row| row.ci_low.is_some()) {
        notes += &format!(" Lines through markers: 95\u{a0}% intervals {}.", inference::over(curves.null(), told));
    }
    notes += &chance::note(curves, "pairs", ties);
    Chart {
        y_title: "2 vs. 2 accuracy",
        bands,
        curves: curves.marked(accuracy).chain(lines).collect(),
        notes,
        ..curves.chart(told)
    }
}

/// The accuracy of a row at its layer, filled where it is significant or nothing was drawn to tell.
pub fn accuracy(place: f64, row: &AccuracyRow) -> Mark {
    let filled = row.permutations == 0 || row.p_fwer < SIGNIFICANT;
    Mark {
        place,
        value: row.accuracy,
        look: if filled { Look::Filled } else { Look::Hollow },
        interval: row.ci_low.zip(row.ci_high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;
    use crate::report::material::tests::material;
    use crate::results::Results;

    fn drawn(network: &str, labels: &[String], models: &[&str]) -> String {
        let results = Results { accuracy: rows(network, labels, models), ..Results::default() };
        draw(&material(&results)).unwrap().remove(0).picture.svg
    }

    #[test]
    fn every_name_is_in_the_figure() {
        let labels = ["pixels", "B1C1", "B1C2", "FC1", "PRED"].map(String::from);
        let svg = drawn("vgg16", &labels, &["SkipGram", "R<N>N"]);
        for text in
            ["VGG16", "SkipGram", "R&lt;N&gt;N", "2 vs. 2 accuracy", "Layer", "chance", "pixels", "B1C1", "PRED"]
        {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}");
        }
    }

    #[test]
    fn results_without_rows_are_named() {
        let error = draw(&material(&Results::default())).err().unwrap().to_string();
        assert_eq!(error, "accuracy.csv has no rows to draw the figure \"accuracy\" from");
    }

    #[test]
    fn an_interval_stands_on_its_marker() {
        let mut table = rows("net", &["a".into(), "b".into()], &["GloVe"]);
        (table[1].ci_low, table[1].ci_high) = (Some(table[1].accuracy - 0.03), Some(table[1].accuracy + 0.02));
        let curves = Curves::under(None, &table).remove(0);
        let svg = chart(&curves, None, Said::RUN).draw().svg;
        let (_, marker) = svg.split_once("data-layer=\"1\" data-at=\"").unwrap();
        let x = marker.split_once(' ').unwrap().0.trim_end_matches('0').trim_end_matches('.');
        let (line, circle) = marker.split_once("<circle").unwrap();
        assert_eq!(line.matches(&format!("{x},")).count(), 2, "{marker}");
        assert!(circle.starts_with(&format!(" cx=\"{x}\"")));
    }

    #[test]
    fn any_number_of_layers_and_long_names_can_be_drawn() {
        let long = "a name that is longer than the figure is wide ".repeat(3);
        for layers in [1, 2, 12, 51] {
            let labels: Vec<String> = (0..layers).map(|i| format!("activation_{i}")).collect();
            assert!(!drawn(&long[..100], &labels, &["SkipGram", "RNN", "GloVe", &long]).contains("NaN"));
        }
    }
}
