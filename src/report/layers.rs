//! Layer against layer: the correlation of their RSMs.

use std::path::{Path, PathBuf};

use crate::report::canvas::write_figure;
use crate::report::curves::{Curves, distinct};
use crate::report::heatmap::Heatmap;
use crate::report::ramp::Ramp;
use crate::report::{ReportError, Writer, figures};
use crate::results::Results;

/// `layers_<network>`
pub const WRITER: Writer = Writer { name: "layers", write };

fn write(results: &Results, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let mut paths = Vec::new();
    for curves in Curves::of_networks(&results.accuracy) {
        let pairs: Vec<_> = results.layers.iter().filter(|row| row.network == curves.network).collect();
        let layers = distinct(pairs.iter().map(|row| row.layer_a.as_str()));
        if layers.len() < 2 {
            continue;
        }
        let correlation = |a: &str, b: &str| {
            let row = pairs.iter().find(|row| row.layer_a == a && row.layer_b == b);
            row.and_then(|row| row.rsa).unwrap_or(f64::NAN)
        };
        let values: Vec<f64> = layers.iter().flat_map(|a| layers.iter().map(|b| correlation(a, b))).collect();
        let label = |layer: &&str| curves.label(layer).to_string();
        let labels: Vec<String> = layers.iter().map(label).collect();
        let heatmap = Heatmap {
            title: curves.network.to_string(),
            rows: labels.clone(),
            columns: labels,
            ramp: Ramp::sequential(values.iter().copied()),
            values,
            measure: "correlation of RSMs",
            notes:
                "Pearson correlation of the layers\u{2019} similarity matrices over the pairs of concepts, mean over \
                    groups of images."
                    .into(),
        };
        paths.extend(write_figure(&heatmap, &figures(directory), &curves.stem(WRITER.name))?);
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;
    use crate::results::LayersRow;

    #[test]
    fn every_pair_of_layers_has_its_place() {
        let labels = ["pixels", "fc1"].map(String::from);
        let row =
            |a: &str, b: &str, rsa| LayersRow { network: "vgg16".into(), layer_a: a.into(), layer_b: b.into(), rsa };
        let layers = vec![
            row("pixels", "pixels", Some(1.0)),
            row("pixels", "fc1", Some(0.25)),
            row("fc1", "pixels", Some(0.25)),
            row("fc1", "fc1", None),
        ];
        let results = Results { accuracy: rows("vgg16", &labels, &["GloVe"]), layers, ..Results::default() };
        let directory = tempfile::tempdir().unwrap();
        let paths = write(&results, directory.path()).unwrap();
        assert_eq!(paths[1], directory.path().join("figures/layers_vgg16.svg"));
        let svg = std::fs::read_to_string(&paths[1]).unwrap();
        assert!(svg.lines().any(|line| line == "0.25") && svg.lines().any(|line| line == "pixels"));
    }
}
