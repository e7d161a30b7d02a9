//! The paper's figure 4: 1 vs. 2 accuracy of the misclassified images against layer, one line per word model; what has a black
//! dot there is pale here, and filled where it is significant over the family too.

use crate::report::chart::{Chart, Look, Mark};
use crate::report::curves::{Curves, SIGNIFICANT};
use crate::report::{Drawing, Figure, Material, ReportError, chance, inference};
use crate::results::OneVsTwoRow;
use crate::stats::one_vs_two::Columns;
use crate::wording::counted;

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

fn chart<'a>(curves: &Curves<'a, OneVsTwoRow>, material: &'a Material) -> Chart<'a> {
    let told = material.said();
    let (_, lines) = chance::drawn(curves, told.unordered);
    let mut notes = String::new();
    if let Some(row) = curves.rows().next() {
        notes = counted(row.images, "misclassified image");
        let counts = curves.rows().map(|row| row.permutations);
        if let Some(permutations) = inference::permutations(curves.null(), counts) {
            notes += &format!(
                ", {permutations}.\n{}; pale: p\u{a0}<\u{a0}{SIGNIFICANT} uncorrected only; hollow: n.s.",
                inference::filled(curves.null(), curves.models.len())
            );
        }
        notes += match material.one_vs_two().map(|(columns, _)| columns) {
            Some(Columns::Paper) => {
                "\nColumns: all correctly classified images, the predicted class\u{2019}s own included."
            }
            Some(Columns::Others) => {
                "\nColumns: the correctly classified images, the two classes\u{2019} own excluded."
            }
            None => "",
        };
    }
    notes += &chance::note(curves, chance::IMAGES, material.one_vs_two().map(|(_, ties)| ties));
    Chart {
        y_title: "1 vs. 2 accuracy",
        curves: curves.marked(mark).chain(lines).collect(),
        notes,
        ..curves.chart(told)
    }
}

/// Filled as in the figure of the 2 vs. 2 test.
fn mark(place: f64, row: &OneVsTwoRow) -> Mark {
    let look = match row {
        _ if row.permutations == 0 || row.p_fwer < SIGNIFICANT => Look::Filled,
        _ if row.p_value < SIGNIFICANT => Look::Pale,
        _ => Look::Hollow,
    };
    Mark { place, value: row.accuracy, look, interval: None }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::report::material::tests::material;
    use crate::report::style::{GREY, curve};
    use crate::results::Results;

    /// Made-up rows: the first layers pass more images, the second one significantly.
    pub fn rows(models: &[&str]) -> Vec<OneVsTwoRow> {
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
    fn every_name_is_in_the_figure_and_significant_layers_are_filled() {
        let results = Results { one_vs_two: rows(&["SkipGram"]), ..Results::default() };
        let svg = draw(&material(&results)).unwrap().remove(0).picture.svg;
        let notes = "36 misclassified images, 1,000 permutations.";
        for text in ["VGG16", "SkipGram", "1 vs. 2 accuracy", "chance", "pixels", "B4C1", "PRED", notes] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}");
        }
        let filled: Vec<bool> = results.one_vs_two.iter().map(|row| mark(0.0, row).look == Look::Filled).collect();
        let pale: Vec<bool> = results.one_vs_two.iter().map(|row| mark(0.0, row).look == Look::Pale).collect();
        assert_eq!((filled, pale), (vec![false, true, false, false], vec![false, false, true, false]));
        assert_eq!(svg.matches(&format!("fill=\"{}\"/>", curve(0).color.pale())).count(), 1);
        let mut one = results;
        one.one_vs_two.iter_mut().for_each(|row| row.images = 1);
        let svg = draw(&material(&one)).unwrap().remove(0).picture.svg;
        assert!(svg.contains(">1 misclassified image, 1,000 permutations.</text>"));
    }

    #[test]
    fn every_chance_is_named_where_it_lies() {
        let named = |chances: [f64; 3]| {
            let mut table = rows(&["a", "b", "c"]);
            for (n, row) in table.iter_mut().enumerate() {
                (row.null_mean, row.null_sd) = (chances[n % 3], 0.01);
            }
            let results = Results { one_vs_two: table, ..Results::default() };
            let svg = draw(&material(&results)).unwrap().remove(0).picture.svg;
            let names = svg.lines().filter(|line| line.ends_with(">chance</text>"));
            let colors = [curve(0).color, curve(1).color, curve(2).color, GREY].map(|color| format!("\"{color}\""));
            names.map(|name| colors.iter().position(|color| name.contains(color)).unwrap()).collect::<Vec<_>>()
        };
        // From the highest to the lowest; one name for two that end together.
        assert_eq!(named([0.62, 0.31, 0.42]), [0, 2, 1]);
        assert_eq!(named([0.62, 0.41, 0.42]), [0, 3]);
    }

    #[test]
    fn without_the_test_there_is_no_figure() {
        assert!(draw(&material(&Results::default())).unwrap().is_empty());
    }
}
