//! Supplementary figure 4: the matched sum (eq. 1) of the 2 vs. 2 test against the mismatched sum (eq. 2), per layer.

use crate::report::chart::{Chart, Curve, Entry, Look, Mark};
use crate::report::curves::Curves;
use crate::report::material::Said;
use crate::report::style::{CurveStyle, DASHED, Dash, GREY, SOLID, Shape};
use crate::report::{Drawing, Figure, Material, ReportError};
use crate::results::AccuracyRow;
use crate::wording::grouped;

/// `matched_<network>`
pub const FIGURE: Figure = Figure { name: "matched", draw };

/// One of the two sums.
struct Sum {
    of: fn(&AccuracyRow) -> f64,
    dash: Dash,
    look: Look,
    name: &'static str,
}

static SUMS: [Sum; 2] = [
    Sum { of: |row| row.matched, dash: SOLID, look: Look::Filled, name: "matched" },
    Sum { of: |row| row.mismatched, dash: DASHED, look: Look::Hollow, name: "mismatched" },
];

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let drawing = |curves: Curves| Drawing {
        stem: curves.stem(FIGURE.name),
        network: curves.network.to_string(),
        text: format!("Matched and mismatched sums of {} against layer", material.said().network(curves.network)),
        picture: chart(&curves, material.said()).draw(),
    };
    Ok(material.curves().into_iter().map(drawing).collect())
}

fn chart<'a>(curves: &Curves<'a>, told: Said<'a>) -> Chart<'a> {
    let dashed = |style, dash| CurveStyle { dash, ..style };
    let of_sum = |sum: &'static Sum| {
        let mark = move |place, row: &AccuracyRow| Mark { place, value: (sum.of)(row), look: sum.look, interval: None };
        curves.marked(mark).map(move |curve| Curve { style: dashed(curve.style, sum.dash), ..curve })
    };
    let chart = curves.chart(told);
    let of_models = chart.legend.iter().map(|entry| Entry { style: dashed(entry.style, SOLID), ..*entry });
    let of_sums = SUMS.iter().map(|&Sum { dash, look, name, .. }| Entry {
        style: CurveStyle { color: GREY, shape: Shape::Circle, dash },
        filled: look == Look::Filled,
        text: name,
    });
    let all = |row: &AccuracyRow| {
        let (pairs, concepts) = (grouped(row.pairs), grouped(row.concepts));
        format!("{pairs} pairs of {concepts} concepts and {}", told.groups(row.groups))
    };
    let all = curves.rows().next().map_or_else(|| "all pairs".to_string(), all);
    Chart {
        y_title: "Sum of correlations",
        limits: None,
        legend: of_models.chain(of_sums).collect(),
        curves: SUMS.iter().flat_map(of_sum).collect(),
        notes: format!("The two sums of the 2 vs. 2 test, mean over {all}."),
        ..chart
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;
    use crate::report::material::tests::material;
    use crate::results::Results;

    #[test]
    fn both_sums_are_drawn_and_named() {
        let labels = ["pixels", "fc1"].map(String::from);
        let results = Results { accuracy: rows("vgg16", &labels, &["SkipGram"]), ..Results::default() };
        let svg = draw(&material(&results)).unwrap().remove(0).picture.svg;
        for text in ["VGG16", "SkipGram", "matched", "mismatched", "Sum of correlations", "pixels", "fc1"] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}");
        }
        assert_eq!(svg.matches("data-words=\"0\" data-layer=\"1\"").count(), 2);
        assert!(svg.contains("13,695 pairs") && !svg.contains("permutations"), "{svg}");
    }
}
