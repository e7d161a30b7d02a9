use super::layout::LEAST;
use super::*;
use crate::report::style::{HEIGHT, SOLID, curve};

fn chart(values: &[f64]) -> Chart<'static> {
    let marks = values.iter().enumerate();
    let mark = |(n, &value)| Mark { place: n as f64, value, look: Look::Filled, interval: None };
    let curve = Curve { words: Some(1), ..Curve::marked(curve(0), marks.map(mark).collect()) };
    Chart {
        title: "net".into(),
        y_title: "accuracy",
        limits: Some((0.0, 1.0)),
        labels: vec!["a", "b", "c", "d"],
        curves: vec![curve, Curve::line(INK, SOLID, to_the_ends(&[0.5; 4]))],
        ..Chart::default()
    }
}

#[test]
fn a_difference_in_the_legend_keeps_its_minus() {
    let text = "quickstart_random, GloVe 100-d of one run \u{2212} quickstart_random, GloVe 50-d of another";
    let entry = Entry { style: curve(0), filled: true, text };
    let layout = Chart { legend: vec![entry], ..chart(&[0.5; 4]) }.layout();
    let ((x, _), shown) = &layout.entries[0];
    let (one, other) = shown.split_once(" \u{2212} ").unwrap();
    assert!(
        one.contains('…') && one.ends_with("one run") && other.contains('…') && other.ends_with("another"),
        "{shown}"
    );
    assert!(x + TICK_TEXT.width(shown) < WIDTH);
}

/// The height of the panel under these names and this title.
fn panel(labels: &[String], title: &str, y_title: &'static str, legend: usize) -> (f64, Layout) {
    let names: Vec<String> = (0..legend).map(|n| format!("a name in the legend, {n}")).collect();
    let chart = Chart {
        title: title.into(),
        y_title,
        limits: Some((0.0, 1.0)),
        labels: labels.iter().map(String::as_str).collect(),
        curves: vec![Curve::line(INK, SOLID, to_the_ends(&[0.5, 0.9]))],
        legend: names.iter().map(|text| Entry { style: curve(0), filled: true, text }).collect(),
        notes: "A sentence below the panel. ".repeat(12),
        ..Chart::default()
    };
    let layout = chart.layout();
    (layout.panel.bottom - layout.panel.top, layout)
}

#[test]
fn a_panel_keeps_its_height_under_any_names() {
    let names = |count: usize, name: &dyn Fn(usize) -> String| (0..count).map(name).collect::<Vec<_>>();
    let all = [
        names(12, &|n| format!("encoder.layer.{n}.attention.output")),
        names(24, &|n| format!("encoder.layers.encoder_layer_{n}.mlp")),
        names(12, &|n| format!("model.blocks.{n}.mlp.fc2")),
        names(40, &|n| format!("{}{}", "abcdefghij".repeat(5), "klmnopqrst".repeat(n))),
    ];
    for labels in &all {
        for (title, y_title, legend) in
            [("net", "accuracy", 2), (&*"a long name ".repeat(9), "Difference in 2 vs. 2 accuracy", 12)]
        {
            let (height, layout) = panel(labels, title, y_title, legend);
            assert!(height >= LEAST, "{height} {labels:?}");
            assert!(TextStyle { em: layout.y_title, ..TITLE_TEXT }.width(y_title) <= height + 1.0);
            assert!(layout.height >= HEIGHT && layout.layers.height < HEIGHT / 2.0);
        }
    }
}

#[test]
fn curves_that_would_hide_each_other_stand_aside() {
    let drawn =
        |values: &[[f64; 2]], words: &[usize], interval: Option<f64>, bars: bool, limits: Option<(f64, f64)>| {
            let mark = |(n, &value): (usize, &f64)| Mark {
                place: n as f64,
                value,
                look: Look::Filled,
                interval: interval.map(|half| (value - half, value + half)),
            };
            let marked = |(n, values): (usize, &[f64; 2])| {
                let marks = values.iter().enumerate().map(mark).collect();
                Curve { words: Some(words[n]), ..Curve::marked(curve(n), marks) }
            };
            let chance = Curve::line(INK, SOLID, to_the_ends(&[0.5, 0.5]));
            let chart = Chart {
                title: "net".into(),
                y_title: "accuracy",
                limits,
                labels: vec!["a", "b"],
                bars,
                curves: values.iter().enumerate().map(marked).chain([chance]).collect(),
                ..Chart::default()
            };
            let svg = chart.draw().svg;
            (chart.layout().asides, svg.contains("data-curve"))
        };
    let asides = |values: &[[f64; 2]], interval, bars, limits| drawn(values, &[0, 1], interval, bars, limits);
    let (apart, alike) = ([[0.2, 0.9], [0.6, 0.4]], [[0.2, 0.9], [0.2, 0.4]]);
    let unit = Some((0.0, 1.0));
    assert_eq!(asides(&apart, None, false, unit).0, [0.0; 3]);
    for (asides, joined) in [asides(&alike, None, false, unit), asides(&apart, Some(0.1), false, unit)] {
        assert!(joined && asides[0] < 0.0 && asides[1] == -asides[0] && asides[2] == 0.0, "{asides:?}");
    }
    assert_eq!(asides(&apart[..1], Some(0.1), false, unit).0, [0.0; 2]);
    // Where zero means nothing no bars stand on it.
    assert_eq!(asides(&apart, None, true, unit), (vec![0.0; 3], false));
    let (bars, with_bars) = asides(&apart, None, true, None);
    assert!(with_bars && bars[1] > asides(&alike, None, false, unit).0[1] && bars[2] == 0.0, "{bars:?}");
    // Two curves of one word model stay together.
    let four = [[0.2, 0.9], [0.6, 0.4], [0.2, 0.9], [0.1, 0.3]];
    let (asides, _) = drawn(&four, &[0, 1, 0, 1], None, false, unit);
    assert_eq!(asides, [0.0; 5], "no other word model's marker is hidden");
    let (asides, _) = drawn(&four, &[0, 1, 1, 0], None, false, unit);
    assert!(asides[0] < 0.0 && asides[0] == asides[3] && asides[1] == asides[2], "{asides:?}");
}

/// The points of every element of a kind, as they are written.
fn points(svg: &str, element: &str) -> Vec<Vec<(f64, f64)>> {
    let parsed = |found: &str| -> Vec<(f64, f64)> {
        let points = found.split_once('"').unwrap().0.split(' ').map(|point| point.split_once(',').unwrap());
        points.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect()
    };
    svg.split(&format!("<{element} points=\"")).skip(1).map(parsed).collect()
}

/// One layer or two with an interval, and a band around the values.
fn banded(edges: Vec<(f64, (f64, f64))>, bound: &[f64]) -> (String, f64, f64) {
    let bound: Vec<(f64, f64)> = bound.iter().enumerate().map(|(n, &value)| (n as f64, value)).collect();
    let chart = Chart {
        title: "net".into(),
        y_title: "accuracy",
        limits: Some((0.0, 1.0)),
        whole: true,
        labels: (0..edges.len()).map(|_| "a").collect(),
        bands: vec![Band { color: INK, opacity: 0.5, edges }],
        curves: vec![Curve::line(INK, SOLID, bound)],
        ..Chart::default()
    };
    let panel = chart.layout().panel;
    (chart.draw().svg, panel.top, panel.bottom)
}

#[test]
fn nothing_is_drawn_beyond_the_ends_of_the_axis() {
    let (svg, top, bottom) = banded(vec![(0.0, (-0.3, 1.4)), (1.0, (0.2, 0.8))], &[1.2, -0.5]);
    let heights = |element| points(&svg, element).into_iter().flatten().map(|(_, y)| y).collect::<Vec<f64>>();
    let band = heights("polygon");
    assert!(band.iter().all(|y| (top - 0.01..=bottom + 0.01).contains(y)), "{band:?} in {top} to {bottom}");
    assert!((band[0] - top).abs() < 0.01 && (band[3] - bottom).abs() < 0.01, "{band:?}");
    let line = points(&svg, "polyline").pop().unwrap();
    assert!((line[0].1 - top).abs() < 0.01 && (line[1].1 - bottom).abs() < 0.01, "{line:?}");
    // A script that moves markers knows where 0 and 1 are.
    assert!(svg.contains(&format!("data-scale=\"{bottom:.2} {top:.2}\"")));
}

#[test]
fn a_band_and_a_line_of_a_single_layer_are_seen() {
    let (svg, ..) = banded(vec![(0.0, (0.4, 0.6))], &[0.5]);
    let width = |points: &[(f64, f64)]| points[1].0 - points[0].0;
    let (band, line) = (points(&svg, "polygon").pop().unwrap(), points(&svg, "polyline").pop().unwrap());
    assert!(width(&band) > 100.0 && width(&band) == width(&line), "{band:?} {line:?}");
    // One that has no neighbour, too.
    let (svg, ..) = banded(vec![(0.0, (0.4, 0.6)), (1.0, (f64::NAN, f64::NAN)), (2.0, (0.4, 0.6))], &[0.5; 3]);
    let bands = points(&svg, "polygon");
    assert!(bands.len() == 2 && bands.iter().all(|band| width(band) > 50.0), "{bands:?}");
}

#[test]
fn a_layer_without_a_value_leaves_a_gap() {
    let svg = chart(&[0.5, f64::NAN, 0.6, 0.7]).draw().svg;
    let (_, curve) = svg.split_once("<g data-curve=\"1\">").unwrap();
    assert_eq!(curve.split_once("</g>").unwrap().0.matches("<polyline").count(), 1);
    let marked: Vec<bool> = (0..4).map(|layer| svg.contains(&format!("data-layer=\"{layer}\""))).collect();
    assert_eq!(marked, [true, false, true, true]);
}

#[test]
fn a_level_reaches_from_end_to_end() {
    assert_eq!(to_the_ends(&[3, 4]), [(-0.5, 3), (0.0, 3), (1.0, 4), (1.5, 4)]);
    assert_eq!(to_the_ends::<u8>(&[]), []);
}

#[test]
fn positions_without_their_unit_need_no_explanation() {
    let drawn = |before: &str, after: &str, x_title: Option<&'static str>| {
        let labels: Vec<String> = (0..12).map(|n| format!("{before}{}{after}", 100 * n)).collect();
        let chart = Chart {
            title: "net".into(),
            y_title: "accuracy",
            labels: labels.iter().map(String::as_str).collect(),
            x_title,
            ..Chart::default()
        };
        chart.draw().svg
    };
    let times = drawn("", " ms", Some("Time (ms)"));
    assert!(times.contains(">100</text>") && times.contains(">Time (ms)</text>"), "{times}");
    assert!(drawn("", " ms", None).contains(">Layer (0 to 1100 = 0 ms to 1100 ms)</text>"));
    assert!(drawn("step ", "", Some("Time")).contains(">Time (0 to 1100 = step 0 to step 1100)</text>"));
}
