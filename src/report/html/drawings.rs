//! The figures in the page: the same drawings as in the files.

use crate::report::Drawing;
use crate::report::accuracy;
use crate::report::canvas::escape;
use crate::report::chart::{Curve, Look, Mark, joined};
use crate::report::curves::Curves;
use crate::report::material::Said;
use crate::report::style::{DOTTED, GREY};

/// The figures below the curves, with their headings.
const FURTHER: [(&str, &str); 10] = [
    ("measures", "Measures of alignment over depth, calibrated"),
    ("alignment", "Layers against layers, a map for each measure"),
    ("uncertainty", "Interval and noise ceiling"),
    ("intervals", "Every measure with its intervals"),
    ("controls", "Given other spaces"),
    ("partition", "Explained variance"),
    ("matched", "Matched against mismatched"),
    ("one_vs_two", "1 vs. 2: misclassified images"),
    ("layers", "Layer against layer"),
    ("rsm", "Similarity of the concepts: word models and layers"),
];

/// Every network's drawings of one figure.
pub fn of(drawings: &[Drawing], figure: &str) -> String {
    let stem = format!("{figure}_");
    drawings.iter().filter(|drawing| drawing.stem.starts_with(&stem)).map(inline).collect()
}

/// The figures that have no section of their own.
pub fn further(drawings: &[Drawing], told: Said) -> String {
    let figure = |(name, heading): (&str, &str)| match of(drawings, name) {
        none if none.is_empty() => none,
        svgs if told.unordered => format!("<figure><h3>{}</h3>\n{svgs}</figure>\n", heading.replace(" over depth", "")),
        svgs => format!("<figure><h3>{heading}</h3>\n{svgs}</figure>\n"),
    };
    FURTHER.into_iter().map(figure).collect()
}

/// A drawing in the page.
pub fn inline(drawing: &Drawing) -> String {
    svg(&drawing.network, &drawing.text, &drawing.picture.svg)
}

/// A drawing whose width the page gives.
fn svg(network: &str, text: &str, svg: &str) -> String {
    let (_, rest) = svg.split_once(" viewBox").unwrap_or_default();
    format!("<svg role=\"img\" aria-label=\"{}\" data-network=\"{}\" viewBox{rest}", escape(text), escape(network))
}

/// A network's curves from 0 to 1, whose markers the script moves to the accuracies of a concept; a dotted line keeps the
/// mean of all concepts.
pub fn template(curves: &Curves, told: Said) -> String {
    let mut chart = accuracy::chart(curves, None, told);
    let models = curves.models.len();
    let means = chart.curves[..models].iter().map(|curve| {
        let values = curve.marks.iter().map(|mark| (mark.place, mark.value));
        Curve::line(GREY, DOTTED, joined(values, f64::NAN, told.unordered))
    });
    let means: Vec<Curve> = means.collect();
    for mark in chart.curves[..models].iter_mut().flat_map(|curve| &mut curve.marks) {
        *mark = Mark { interval: None, look: Look::Filled, ..*mark };
    }
    chart.curves.truncate(models);
    chart.curves.extend(means);
    chart.bands.clear();
    chart.title = String::new();
    chart.notes = "Share of the pairs with this concept that pass. Dotted: the mean over all concepts.".to_string();
    chart.whole = true;
    format!(
        "<template data-network=\"{}\">{}</template>",
        escape(curves.network),
        svg(curves.network, "Accuracy against layer", &chart.draw().svg)
    )
}
