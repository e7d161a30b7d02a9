//! The paper's figure 4: 1 vs. 2 accuracy of the misclassified images against layer, one line per word model; significant
//! layers have black dots.

use crate::report::chart::{Chart, Curve, Entry, Look, Mark};
use crate::report::curves::{Curves, SIGNIFICANT};
use crate::report::style::{CURVE, curve};
use crate::report::{Drawing, Figure, Material, ReportError, chance, inference};
use crate::results::OneVsTwoRow;
use crate::stats::one_vs_two::Columns;
use crate::wording::grouped;

/// `one_vs_two_<network>`; not drawn where the test was not run.
pub const FIGURE: Figure = Figure { name: "one_vs_two", draw };

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let drawing = |curves: Curves<OneVsTwoRow>| Drawing {
        stem: curves.stem(FIGURE.name),
        network: curves.network.to_string(),
        text: format!(
            "1 vs. 2 accuracy of the images that {} misclassifies against layer",
            material.said().network(curves.network)
        ),
        picture: chart(&curves, material).draw(),
    };
    Ok(material.one_vs_two_curves().into_iter().map(drawing).collect())
}

fn chart<'a>(curves: &Curves<'a, OneVsTwoRow>, material: &Material) -> Chart<'a> {
    let (_, lines) = chance::drawn(curves, false);
    let models = curves.models.iter().enumerate();
    let mut notes = String::new();
    if let Some(row) = curves.rows().next() {
        notes = format!("{} misclassified images", grouped(row.images));
        let counts = curves.rows().map(|row| row.permutations);
        if let Some(permutations) = inference::permutations(curves.null(), counts) {
            let of = material.inference();
            notes += &format!(
                ", {permutations}.\nBlack dot: p\u{a0}<\u{a0}{SIGNIFICANT}{}; with a ring: p\u{a0}<\u{a0}{SIGNIFICANT} {}; hollow: n.s.",
                inference::tail(of),
                inference::covers(of, curves.models.len())
            );
        }
        notes += match material.one_vs_two().map(|(columns, _)| columns) {
            Some(Columns::Paper) => {
                "\nColumns: all images classified correctly, the predicted class\u{2019}s among them."
            }
            Some(Columns::Others) => "\nColumns: the images classified correctly, without the two classes\u{2019} own.",
            None => "",
        };
    }
    let ties = material.one_vs_two().map(|(_, ties)| ties);
    for said in [chance::said(curves, "images", ties)].iter().filter(|said| !said.is_empty()) {
        notes += &format!("\n{said}");
    }
    Chart {
        title: material.said().network(curves.network),
        y_title: "1 vs. 2 accuracy",
        limits: Some((0.0, 1.0)),
        whole: false,
        labels: curves.labels.clone(),
        x_title: None,
        bars: false,
        bands: Vec::new(),
        legend: models.clone().map(|(n, model)| Entry { style: curve(n), filled: false, text: model.words }).collect(),
        curves: models
            .map(|(n, model)| Curve {
                words: Some(n),
                style: curve(n),
                width: CURVE,
                aside: None,
                marks: model.marks(mark),
            })
            .chain(lines)
            .collect(),
        notes,
    }
}

fn mark(place: f64, row: &OneVsTwoRow) -> Mark {
    let below = |p: f64| row.permutations > 0 && p < SIGNIFICANT;
    let look = match (below(row.p_value), below(row.p_fwer)) {
        (false, _) => Look::Hollow,
        (true, false) => Look::Dot,
        (true, true) => Look::Ringed,
    };
    Mark { place, value: row.accuracy, look, interval: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::material::tests::material;
    use crate::results::Results;

    /// Made-up rows: the first layers pass more images, the second one significantly.
    fn rows(models: &[&str]) -> Vec<OneVsTwoRow> {
        let row = |(layer, passed, p): (&str, u64, f64), words: &&str| OneVsTwoRow {
            network: "vgg16".into(),
            layer: layer.to_lowercase(),
            label: layer.into(),
            words: words.to_string(),
            images: 36,
            passed,
            ties: 0,
            accuracy: passed as f64 / 36.0,
            permutations: 1000,
            p_value: p,
            p_fwer: 3.0 * p,
            null_mean: 0.5,
            null_sd: 0.1,
        };
        let layers = [("pixels", 20, 0.3), ("B4C1", 24, 0.01), ("FC1", 23, 0.048), ("PRED", 12, 0.9)];
        layers.into_iter().flat_map(|layer| models.iter().map(move |words| row(layer, words))).collect()
    }

    #[test]
    fn every_name_is_in_the_figure_and_significant_layers_have_black_dots() {
        let results = Results { one_vs_two: rows(&["SkipGram"]), ..Results::default() };
        let svg = draw(&material(&results)).unwrap().remove(0).picture.svg;
        let notes = "36 misclassified images, 1,000 permutations.";
        for text in ["VGG16", "SkipGram", "1 vs. 2 accuracy", "chance", "pixels", "B4C1", "PRED", notes] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}");
        }
        let black = svg.lines().filter(|line| line.contains("<circle") && line.contains("#222222")).count();
        assert_eq!(black, 2);
    }

    #[test]
    fn dots_lie_on_top_and_every_chance_is_named() {
        let mut table = rows(&["a", "b", "c"]);
        for (n, row) in table.iter_mut().enumerate() {
            (row.null_mean, row.null_sd) = (0.38 + 0.01 * (n % 3) as f64, 0.01);
            (row.p_value, row.p_fwer) = if row.words == "c" && row.layer == "fc1" { (0.01, 0.01) } else { (0.9, 0.9) };
        }
        let results = Results { one_vs_two: table, ..Results::default() };
        let svg = draw(&material(&results)).unwrap().remove(0).picture.svg;
        assert_eq!(svg.matches(">chance</text>").count(), 3);
        let last = svg.rfind("data-words=").unwrap();
        assert!(svg[last..].starts_with("data-words=\"2\"") && svg[last..].contains("#222222"), "{}", &svg[last..]);
    }

    #[test]
    fn without_the_test_there_is_no_figure() {
        assert!(draw(&material(&Results::default())).unwrap().is_empty());
    }
}
