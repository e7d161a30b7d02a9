//! 2 vs. 2 accuracy with and without what is given, one figure per word model.

use crate::report::accuracy::accuracy;
use crate::report::chart::{Chart, Curve};
use crate::report::curves::{Curves, Model, given, is_accuracy};
use crate::report::{Drawing, Figure, Material, ReportError, chance, inference};
use crate::results::{AccuracyRow, ControlRow};

/// `controls_<network>_<words>`; drawn where something is given.
pub const FIGURE: Figure = Figure { name: "controls", draw };

/// What the accuracies of the test itself are called beside those given other spaces.
const NOTHING: &str = "nothing given";

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let mut drawings = Vec::new();
    for curves in material.curves() {
        for model in &curves.models {
            let of_model = |row: &&ControlRow| row.network == curves.network && row.words == model.words;
            let controls: Vec<&ControlRow> =
                material.results.controls.iter().filter(|row| is_accuracy(row)).filter(of_model).collect();
            if !controls.is_empty() {
                let rows = accuracies(model, &controls);
                drawings.push(Drawing {
                    stem: curves.model_stem(FIGURE.name, model.words),
                    network: curves.network.to_string(),
                    text: format!(
                        "2 vs. 2 accuracy of {} against layer, {}, with and without what is given",
                        material.said().network(curves.network),
                        model.words
                    ),
                    picture: chart(
                        &Curves::under(material.null(), &rows)[0],
                        model.words,
                        curves.models.len(),
                        material,
                    )
                    .draw(),
                });
            }
        }
    }
    Ok(drawings)
}

/// The accuracies of a word model with nothing given and with each space, by these in the place of words.
fn accuracies(model: &Model, controls: &[&ControlRow]) -> Vec<AccuracyRow> {
    let all = || model.rows.iter().copied().flatten();
    let plain = |row: &AccuracyRow| AccuracyRow { words: NOTHING.into(), ci_low: None, ci_high: None, ..row.clone() };
    let with = |control: &&ControlRow| {
        let row = all().find(|row| row.layer == control.layer)?;
        Some(AccuracyRow { words: control.given.clone(), ..given(row, control) })
    };
    all().map(plain).chain(controls.iter().filter_map(with)).collect()
}

/// The chart of a word model, one of so many; each curve has its own chance.
fn chart<'a>(curves: &Curves<'a>, words: &str, models: usize, material: &'a Material) -> Chart<'a> {
    let told = material.said();
    let (bands, lines) = chance::drawn(curves, told.unordered);
    // What is given is no word model of the page's script.
    let drawn = curves.marked(accuracy).map(|curve| Curve { words: None, ..curve });
    let mut notes = format!(
        "{} {words} given these spaces: the given spaces\u{2019} RSMs were regressed out of those of words and layers{}.",
        curves.counts(told),
        inference::in_every_draw(curves.permuted())
    );
    if curves.permuted() {
        notes += &format!("\n{}; hollow: n.s. {}", inference::filled(curves.null(), models), chance::band(curves));
    }
    notes += &chance::note(curves, "pairs", material.ties());
    Chart {
        title: format!("{}: {words} given other spaces", told.network(curves.network)),
        y_title: "2 vs. 2 accuracy",
        bands,
        curves: drawn.chain(lines).collect(),
        notes,
        ..curves.chart(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;
    use crate::report::material::tests::material;
    use crate::report::style::curve;
    use crate::results::Results;
    use crate::stats::scoring::Ties;

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
            ties: (measure == "2v2").then_some(0),
        };
        let tied = |layer: &str| ControlRow { null_mean: 0.3, ties: Some(20_000), ..control(layer, "pixels", "2v2") };
        let controls = vec![
            tied("b1c1"),
            tied("fc1"),
            control("fc1", "category", "2v2"),
            control("fc1", "words & more", "rsa-pearson"),
        ];
        let results = Results { accuracy, controls, ..Results::default() };
        let drawings = draw(&material(&results)).unwrap();
        assert_eq!(drawings.iter().map(|drawing| &drawing.stem).collect::<Vec<_>>(), ["controls_vgg16_GloVe"]);
        let svg = &drawings[0].picture.svg;
        assert!(svg.contains(">nothing given</text>") && svg.contains(">category</text>") && !svg.contains("more"));
        // Each curve has the chance that it is held against, and what moved it is said.
        let curves = Curves::under(None, &results.accuracy).remove(0);
        let all: Vec<&ControlRow> = results.controls.iter().take(3).collect();
        let drawn = accuracies(&curves.models[1], &all);
        let of_figure = Curves::under(None, &drawn).remove(0);
        let material = material(&results);
        let chart = chart(&of_figure, "GloVe", 2, &material);
        assert_eq!(chart.bands.len(), 2);
        assert!(chart.bands[0].color == curve(1).color, "{:?}", chart.bands[0].color);
        let chances: Vec<f64> = chart.curves[3..].iter().map(|line| line.marks[1].value).collect();
        assert!(chances.len() == 2 && chances[1] == 0.5, "{chances:?}");
        for said in
            ["that of the curve in the same colour", "mean, 0.30 for pixels, not 0.5", "% of pairs are tied for pixels"]
        {
            assert!(chart.notes.contains(said), "{said:?} in {}", chart.notes);
        }
        let told = chance::told(&results, Ties::Lost, None, None);
        let [line] = &told[..] else { panic!("{told:?}") };
        assert!(line.starts_with("2 vs. 2 given pixels: Chance is the null\u{2019}s mean, 0.30, not 0.5."), "{line}");
        assert!(chart.notes.contains("those of words and layers, in every permutation too."), "{}", chart.notes);
        // Nothing is drawn.
        let mut observed = results.clone();
        observed.accuracy.iter_mut().for_each(|row| row.permutations = 0);
        observed.controls.iter_mut().for_each(|row| row.permutations = 0);
        let svg = draw(&super::super::material::tests::material(&observed)).unwrap().remove(0).picture.svg;
        assert!(!svg.contains("permutation") && !svg.contains("Filled"), "{svg}");
    }
}
