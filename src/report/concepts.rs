//! Each concept's accuracy at each layer: the pairs it takes part in.

use std::collections::HashMap;

use crate::report::curves::{Curves, Model};
use crate::report::heatmap::Heatmap;
use crate::report::material::Said;
use crate::report::ramp::Ramp;
use crate::report::{Drawing, Figure, Material, ReportError, fit};
use crate::results::ConceptRow;

/// `concepts_<network>_<words>`
pub const FIGURE: Figure = Figure { name: "concepts", draw };

/// More cannot be read on one page: of a larger experiment the best and the worst half of this are shown.
const MOST: usize = 180;

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let mut drawings = Vec::new();
    for curves in material.curves() {
        for model in &curves.models {
            let of_model = |row: &&ConceptRow| row.network == curves.network && row.words == model.words;
            let rows: Vec<&ConceptRow> = material.results.concepts.iter().filter(of_model).collect();
            if !rows.is_empty() {
                drawings.push(Drawing {
                    stem: curves.model_stem(FIGURE.name, model.words),
                    network: curves.network.to_string(),
                    text: format!(
                        "Accuracy of every concept at every layer of {}, {}",
                        material.said().network(curves.network),
                        model.words
                    ),
                    picture: heatmap(&curves, model, &rows, material.said()).draw(),
                });
            }
        }
    }
    Ok(drawings)
}

fn heatmap(curves: &Curves, model: &Model, rows: &[&ConceptRow], told: Said) -> Heatmap {
    let accuracies: HashMap<(&str, &str), f64> =
        rows.iter().map(|row| ((row.concept.as_str(), row.layer.as_str()), row.accuracy)).collect();
    let layers: Vec<&str> = model.rows.iter().flatten().map(|row| row.layer.as_str()).collect();
    let at = |concept: &str, layer: &str| accuracies.get(&(concept, layer)).copied().unwrap_or(f64::NAN);
    let mut concepts: Vec<(&str, f64)> = Vec::new();
    for row in rows.iter().filter(|row| Some(&row.layer.as_str()) == layers.first()) {
        let mean = layers.iter().map(|layer| at(&row.concept, layer)).sum::<f64>() / layers.len() as f64;
        concepts.push((&row.concept, mean));
    }
    concepts.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    let over = match curves.rows().next() {
        Some(row) if row.groups > 1 => format!(", over all {}", told.all()),
        _ => String::new(),
    };
    let by = if layers.len() > 1 { " by their mean over layers" } else { "" };
    let mut notes =
        format!("Share of each concept\u{2019}s pairs that pass{over}. Concepts are ordered from best to worst{by}.");
    if concepts.len() > MOST {
        notes +=
            &format!(" Of {} concepts, the {} best and the {} worst are shown.", concepts.len(), MOST / 2, MOST / 2);
        concepts.drain(MOST / 2..concepts.len() - MOST / 2);
    }
    let labels: Vec<&str> = layers.iter().map(|layer| curves.label(layer)).collect();
    let (columns, column_title) = fit::titled(&labels, told.axis.unwrap_or("Layer"));
    Heatmap {
        title: format!("{}, {}", told.network(curves.network), model.words),
        row_title: "Concept".into(),
        rows: concepts.iter().map(|(concept, _)| concept.replace('_', " ")).collect(),
        column_title,
        columns,
        values: concepts.iter().flat_map(|(concept, _)| layers.iter().map(|layer| at(concept, layer))).collect(),
        ramp: Ramp::diverging(0.5, 0.5),
        measure: "2 vs. 2 accuracy".into(),
        notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;
    use crate::report::material::tests::material;
    use crate::results::Results;

    fn results(concepts: usize) -> Results {
        let labels = ["pixels", "fc1"].map(String::from);
        let row = |n: usize, layer: &str| ConceptRow {
            network: "vgg16".into(),
            layer: layer.into(),
            words: "GloVe".into(),
            concept: format!("concept_{n}"),
            pairs: 10,
            passed: (n % 10) as u64,
            accuracy: n as f64 / concepts as f64,
        };
        let table = ["pixels", "fc1"].iter().flat_map(|layer| (0..concepts).map(|n| row(n, layer))).collect();
        Results { accuracy: rows("vgg16", &labels, &["GloVe"]), concepts: table, ..Results::default() }
    }

    #[test]
    fn concepts_stand_from_best_to_worst() {
        let results = results(4);
        let curves = Curves::under(None, &results.accuracy).remove(0);
        let map = heatmap(&curves, &curves.models[0], &results.concepts.iter().collect::<Vec<_>>(), Said::RUN);
        assert_eq!(map.rows, ["concept 3", "concept 2", "concept 1", "concept 0"]);
        assert_eq!(map.values, [0.75, 0.75, 0.5, 0.5, 0.25, 0.25, 0.0, 0.0]);
        assert_eq!(map.columns, ["pixels", "fc1"]);
    }

    #[test]
    fn of_many_concepts_the_ends_are_shown() {
        let results = results(1000);
        let drawing = draw(&material(&results)).unwrap().remove(0);
        assert_eq!(drawing.stem, "concepts_vgg16_GloVe");
        for (concept, shown) in
            [("concept 999", true), ("concept 910", true), ("concept 500", false), ("concept 0", true)]
        {
            assert_eq!(drawing.picture.svg.contains(&format!(">{concept}</text>")), shown, "{concept}");
        }
    }
}
