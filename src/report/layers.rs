//! Layer against layer: the correlation of their RSMs.

use std::collections::HashMap;

use crate::names::distinct;
use crate::report::heatmap::Heatmap;
use crate::report::ramp::Ramp;
use crate::report::{Drawing, Figure, Material, ReportError, fit};

/// `layers_<network>`
pub const FIGURE: Figure = Figure { name: "layers", draw };

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let mut drawings = Vec::new();
    let said = material.said();
    let axis = said.axis.unwrap_or("Layer");
    for curves in material.curves() {
        let pairs: Vec<_> = material.results.layers.iter().filter(|row| row.network == curves.network).collect();
        let layers = distinct(pairs.iter().map(|row| row.layer_a.as_str()));
        if layers.len() < 2 {
            continue;
        }
        let of_pair: HashMap<(&str, &str), f64> =
            pairs.iter().filter_map(|row| Some(((&*row.layer_a, &*row.layer_b), row.rsa?))).collect();
        let all = layers.iter().flat_map(|a| layers.iter().map(move |b| (*a, *b)));
        // A layer with itself would take the ramp's upper end for itself.
        let value = |(a, b)| of_pair.get(&(a, b)).copied().filter(|_| a != b).unwrap_or(f64::NAN);
        let values: Vec<f64> = all.map(value).collect();
        let labels: Vec<&str> = layers.iter().map(|layer| curves.label(layer)).collect();
        let (labels, axis) = fit::titled(&labels, axis);
        let mean = curves.mean(said);
        let heatmap = Heatmap {
            title: said.network(curves.network),
            rows: labels.clone(),
            row_title: axis.clone(),
            columns: labels,
            column_title: axis,
            ramp: Ramp::sequential(values.iter().copied()),
            values,
            measure: "correlation of RSMs".into(),
            notes: format!(
                "Pearson correlation of the layers\u{2019} similarity matrices over the pairs of concepts{mean}; the diagonal (1) is \
                 omitted."
            ),
        };
        drawings.push(Drawing {
            stem: curves.stem(FIGURE.name),
            network: curves.network.to_string(),
            text: format!(
                "Correlation of the similarity matrices of every two layers of {}",
                material.said().network(curves.network)
            ),
            picture: heatmap.draw(),
        });
    }
    Ok(drawings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;
    use crate::report::material::tests::material;
    use crate::results::{LayersRow, Results};

    #[test]
    fn every_pair_of_layers_has_its_place() {
        let labels = ["pixels", "fc1", "fc2"].map(String::from);
        let row =
            |a: &str, b: &str, rsa| LayersRow { network: "vgg16".into(), layer_a: a.into(), layer_b: b.into(), rsa };
        let layers = vec![
            row("pixels", "pixels", Some(1.0)),
            row("pixels", "fc1", Some(0.25)),
            row("pixels", "fc2", Some(0.15)),
            row("fc1", "pixels", Some(0.25)),
            row("fc1", "fc1", None),
            row("fc1", "fc2", Some(0.75)),
            row("fc2", "pixels", Some(0.15)),
            row("fc2", "fc1", Some(0.75)),
            row("fc2", "fc2", Some(1.0)),
        ];
        let mut results = Results { accuracy: rows("vgg16", &labels, &["GloVe"]), layers, ..Results::default() };
        for (groups, is_mean) in [(1, false), (2, true)] {
            results.accuracy.iter_mut().for_each(|row| row.groups = groups);
            let svg = draw(&material(&results)).unwrap().remove(0).picture.svg;
            assert_eq!(svg.contains("images"), is_mean, "{groups}");
        }
        let drawing = draw(&material(&results)).unwrap().remove(0);
        assert_eq!(drawing.stem, "layers_vgg16");
        // The colours are of what is beside the diagonal.
        for text in ["0.15", "0.45", "0.75", "pixels"] {
            assert!(drawing.picture.svg.contains(&format!(">{text}</text>")), "{text}");
        }
    }
}
