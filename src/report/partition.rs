//! A layer's variance in parts, stacked: unique to a space, shared by several; what suppresses lies below 0.

use std::collections::HashMap;

use crate::names::distinct;
use crate::report::chart::{Band, Chart, Curve, Entry, Look, Mark};
use crate::report::curves::Curves;
use crate::report::material::Said;
use crate::report::style::{Color, CurveStyle, GREY, INK, PATCH, SOLID, UNJOINED, curve};
use crate::report::{Drawing, Figure, Material, ReportError};
use crate::results::PartitionRow;

/// `partition_<network>`; drawn where a partition was asked for.
pub const FIGURE: Figure = Figure { name: "partition", draw };

/// Parts that reach this share of what the columns span somewhere are in the legend.
const NAMED: f64 = 0.005;
/// Half the width of a column, in layers.
const HALF_COLUMN: f64 = 0.36;
const SHARED_OPACITY: f64 = 0.5;

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let mut drawings = Vec::new();
    for curves in material.curves() {
        let rows: Vec<&PartitionRow> =
            material.results.partition.iter().filter(|row| row.network == curves.network).collect();
        if let Some(first) = rows.first() {
            drawings.push(Drawing {
                stem: curves.stem(FIGURE.name),
                network: curves.network.to_string(),
                text: format!(
                    "Variance of the similarities of {} explained by {}",
                    material.said().network(curves.network),
                    first.spaces
                ),
                picture: chart(&curves, &rows, material.said()).draw(),
            });
        }
    }
    Ok(drawings)
}

fn chart<'a>(curves: &Curves<'a>, rows: &[&'a PartitionRow], told: Said<'a>) -> Chart<'a> {
    let layers = distinct(rows.iter().map(|row| row.layer.as_str()));
    let parts = distinct(rows.iter().filter(|row| row.kind != "total").map(|row| row.part.as_str()));
    let spaces = distinct(rows.iter().filter(|row| row.kind == "unique").map(|row| row.part.as_str()));
    let color = |part: &str| mixed(spaces.iter().enumerate().filter(|(_, space)| is_in(space, part)).map(|(n, _)| n));
    let (whole, parted): (Vec<&PartitionRow>, Vec<&PartitionRow>) = rows.iter().partition(|row| row.kind == "total");
    let shares: HashMap<(&str, &str), f64> =
        parted.iter().map(|row| ((&*row.layer, &*row.part), row.explained)).collect();
    let totals: HashMap<&str, &PartitionRow> = whole.iter().map(|row| (&*row.layer, *row)).collect();
    let share = |layer, part| shares.get(&(layer, part)).copied().unwrap_or(f64::NAN);
    let mut bands = Vec::new();
    let (mut lowest, mut highest) = (0.0, 0.0);
    for (place, layer) in layers.iter().enumerate() {
        let column = stacked(parts.iter().map(|part| share(*layer, *part)));
        for (part, (low, high)) in parts.iter().zip(column) {
            let edges = [-HALF_COLUMN, HALF_COLUMN].map(|side| (place as f64 + side, (low, high))).to_vec();
            let opacity = if spaces.contains(part) { 1.0 } else { SHARED_OPACITY };
            bands.push(Band { color: color(part), opacity, edges });
            (lowest, highest) = (f64::min(lowest, low), f64::max(highest, high));
        }
    }
    let total = |(place, layer): (usize, &&str)| {
        let row = totals.get(*layer);
        let interval = row.and_then(|row| row.ci_low.zip(row.ci_high));
        Mark { place: place as f64, value: row.map_or(f64::NAN, |row| row.explained), look: Look::Filled, interval }
    };
    // Nothing lies below 0 that needs room there.
    let least_end = whole.iter().filter_map(|row| row.ci_low).fold(lowest, f64::min);
    let style = CurveStyle { color: INK, shape: curve(0).shape, dash: UNJOINED };
    let marks = layers.iter().enumerate().map(total).collect();
    let all = Curve::marked(style, marks);
    let zero = Curve::line(GREY, SOLID, vec![(-0.5, 0.0), (layers.len() as f64 - 0.5, 0.0)]);
    let least = NAMED * (highest - lowest);
    let named = parts.iter().filter(|part| layers.iter().any(|layer| share(*layer, **part).abs() >= least));
    let sample = |part: &&'a str| Entry {
        style: CurveStyle { color: faded(color(part), spaces.contains(part)), shape: PATCH, dash: UNJOINED },
        filled: true,
        text: part,
    };
    let mut notes = format!("Share of the variance of similarities{}", curves.mean(told));
    notes += if spaces.len() > 1 { "; a + b: shared by these spaces and no other." } else { "." };
    if lowest < 0.0 {
        notes += " Below 0: suppression (one space hides what another explains).";
    }
    if rows.iter().any(|row| row.ci_low.is_some()) {
        notes += " Vertical lines: 95\u{a0}% bootstrap intervals of the total, over concepts.";
    }
    Chart {
        title: told.network(curves.network),
        y_title: "Explained variance",
        // Parts of what spaces hide in each other may be more than the whole, which is 1.
        limits: Some((if least_end < 0.0 { f64::min(lowest, -1.0) } else { 0.0 }, f64::max(highest, 1.0))),
        labels: layers.iter().map(|layer| curves.label(layer)).collect(),
        x_title: told.axis,
        bands,
        legend: named.map(sample).chain([Entry { style, filled: true, text: "total" }]).collect(),
        curves: vec![all, zero],
        notes,
        ..Chart::default()
    }
}

/// Low and high ends of values that stand upon each other, those below 0 under it.
fn stacked(values: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
    let (mut above, mut below) = (0.0, 0.0);
    let ends = |value: f64| {
        let end = if value > 0.0 { &mut above } else { &mut below };
        let start = std::mem::replace(end, *end + value);
        (f64::min(start, *end), f64::max(start, *end))
    };
    values.map(ends).collect()
}

/// Whether a space is among those of a part.
fn is_in(space: &str, part: &str) -> bool {
    part == space
        || part.starts_with(&format!("{space} + "))
        || part.ends_with(&format!(" + {space}"))
        || part.contains(&format!(" + {space} + "))
}

/// The mean of the spaces' colours.
fn mixed(spaces: impl Iterator<Item = usize>) -> Color {
    let colors: Vec<Color> = spaces.map(|n| curve(n).color).collect();
    let mean = |of: fn(&Color) -> u8| {
        (colors.iter().map(|color| u32::from(of(color))).sum::<u32>() / colors.len().max(1) as u32) as u8
    };
    Color(mean(|c| c.0), mean(|c| c.1), mean(|c| c.2))
}

/// As it looks on paper.
fn faded(color: Color, whole: bool) -> Color {
    if whole {
        return color;
    }
    let fade = |value: u8| (f64::from(value) * SHARED_OPACITY + 255.0 * (1.0 - SHARED_OPACITY)).round() as u8;
    Color(fade(color.0), fade(color.1), fade(color.2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;
    use crate::report::material::tests::material;
    use crate::results::Results;

    #[test]
    fn parts_stand_upon_each_other_and_suppression_below_zero() {
        let labels = ["pixels", "fc1"].map(String::from);
        let row = |part: &str, kind: &str, explained| PartitionRow {
            network: "vgg16".into(),
            layer: "fc1".into(),
            label: "fc1".into(),
            spaces: "pixels + GloVe".into(),
            part: part.into(),
            kind: kind.into(),
            explained,
            ci_low: Some(0.4),
            ci_high: Some(0.6),
        };
        let partition = vec![
            row("pixels", "unique", 0.25),
            row("GloVe", "unique", 0.5),
            row("pixels + GloVe", "shared", -0.125),
            row("pixels + GloVe", "total", 0.625),
        ];
        // However little there is: the axis goes with it.
        let little: Vec<PartitionRow> =
            partition.iter().map(|row| PartitionRow { explained: row.explained / 500.0, ..row.clone() }).collect();
        let results = Results { accuracy: rows("vgg16", &labels, &["GloVe"]), partition, ..Results::default() };
        let curves = Curves::under(None, &results.accuracy).remove(0);
        let listed: Vec<&PartitionRow> = results.partition.iter().collect();
        let told = Said { groups_are: "subjects", axis: Some("Region"), unordered: true, ..Said::RUN };
        let of_regions = chart(&curves, &listed, told);
        assert_eq!(of_regions.x_title, Some("Region"));
        assert!(of_regions.notes.contains("mean over subjects"));
        let chart = chart(&curves, &listed, Said::RUN);
        assert_eq!((chart.x_title, chart.curves[0].marks.len()), (None, 1));
        assert!(chart.notes.contains("a + b: shared") && chart.notes.contains("Below 0"));
        let alone = [row("pixels", "unique", 0.25), row("pixels", "total", 0.25)];
        let alone = self::chart(&curves, &alone.iter().collect::<Vec<_>>(), Said::RUN).notes;
        assert!(
            alone.starts_with("Share of the variance of similarities, mean over groups of images. Vertical lines"),
            "{alone}"
        );
        let mut one = rows("vgg16", &labels, &["GloVe"]);
        one.iter_mut().for_each(|row| row.groups = 1);
        let notes = self::chart(&Curves::under(None, &one)[0], &listed, Said::RUN).notes;
        assert!(notes.starts_with("Share of the variance of similarities; a + b"), "{notes}");
        assert!(chart.curves[0].style.dash == UNJOINED, "columns have no line over them");
        let ends: Vec<(f64, f64)> = chart.bands.iter().map(|band| band.edges[0].1).collect();
        assert_eq!(ends, [(0.0, 0.25), (0.25, 0.75), (-0.125, 0.0)]);
        assert_eq!(chart.curves[0].marks[0].value, 0.625);
        assert_eq!(draw(&material(&results)).unwrap()[0].stem, "partition_vgg16");
        assert_eq!(
            chart.legend.iter().map(|entry| entry.text).collect::<Vec<_>>(),
            ["pixels", "GloVe", "pixels + GloVe", "total"]
        );
        let hidden: Vec<PartitionRow> = [("pixels", "unique", 0.9), ("GloVe", "unique", 0.9)]
            .map(|(part, kind, explained)| row(part, kind, explained))
            .into_iter()
            .chain([row("pixels + GloVe", "shared", -0.85), row("pixels + GloVe", "total", 0.95)])
            .collect();
        let hidden = self::chart(&curves, &hidden.iter().collect::<Vec<_>>(), Said::RUN);
        assert_eq!(hidden.limits, Some((-1.0, 1.8)), "the axis reaches as high as the columns");
        let above = [row("pixels", "unique", 0.25), row("pixels", "total", 0.25)];
        let above = self::chart(&curves, &above.iter().collect::<Vec<_>>(), Said::RUN);
        assert_eq!(above.limits, Some((0.0, 1.0)), "no room below 0 where nothing lies there");
        let little = self::chart(&curves, &little.iter().collect::<Vec<_>>(), Said::RUN);
        assert_eq!(little.legend.len(), 4, "all that is drawn is in the legend");
    }
}
