//! Every value with its interval over depth, one line per word model, and the noise ceiling behind it: one figure per measure.

use crate::names::distinct;
use crate::report::chart::{Band, Chart, Entry, Look, Mark, NO_EDGES, joined};
use crate::report::curves::{Curves, SIGNIFICANT};
use crate::report::material::Said;
use crate::report::style::{Color, CurveStyle, GREY, INTERVAL, PATCH, UNJOINED};
use crate::report::{Drawing, Figure, Material, ReportError, inference};
use crate::results::{AccuracyRow, IntervalRow, Results, RsaRow, figure_name};
use crate::stats::alignment::Measure;

/// `intervals_<network>_<measure>`; drawn where intervals of all values were asked for.
pub const FIGURE: Figure = Figure { name: "intervals", draw };

/// The band as it looks on paper.
const CEILING: Color = Color(0xDE, 0xDE, 0xDE);

fn draw(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let mut drawings = Vec::new();
    for curves in material.curves() {
        let of_network = |row: &&IntervalRow| row.network == curves.network && row.kind == "value";
        let rows: Vec<&IntervalRow> = material.results.intervals.iter().filter(of_network).collect();
        for measure in distinct(rows.iter().map(|row| row.measure.as_str())) {
            let rows: Vec<&IntervalRow> = rows.iter().copied().filter(|row| row.measure == measure).collect();
            drawings.push(Drawing {
                stem: format!("{}_{}", curves.stem(FIGURE.name), figure_name(measure)),
                network: curves.network.to_string(),
                text: format!(
                    "{} of {} against layer, with intervals",
                    title(measure),
                    material.said().network(curves.network)
                ),
                picture: chart(&curves, measure, &rows, material.results, material.said()).draw(),
            });
        }
    }
    Ok(drawings)
}

/// A measure's name on an axis.
fn title(measure: &str) -> &'static str {
    match measure {
        "rsa-pearson" => "RSA, Pearson",
        "rsa-spearman" => "RSA, Spearman",
        "rsa-kendall" => "RSA, Kendall\u{2019}s tau-a",
        _ => "2 vs. 2 accuracy",
    }
}

/// The correlation that a measure is, as `rsa.csv` calls it; none of the 2 vs. 2 test.
fn method(measure: &str) -> Option<String> {
    let measure = Measure::ALL.into_iter().find(|known| known.name() == measure)?;
    measure.rsa().map(|method| method.to_string())
}

/// Whether a value is significant in the table of its measure; none where nothing was drawn to tell.
fn is_significant(results: &Results, network: &str, row: &IntervalRow) -> Option<bool> {
    let (permutations, p_fwer) = match method(&row.measure) {
        Some(method) => results
            .rsa
            .iter()
            .find(|rsa| {
                (&*rsa.network, &rsa.layer, &rsa.words, &rsa.method) == (network, &row.layer, &row.words, &method)
            })
            .map(|rsa| (rsa.permutations, rsa.p_fwer)),
        None => results
            .accuracy
            .iter()
            .find(|of| (&*of.network, &of.layer, &of.words) == (network, &row.layer, &row.words))
            .map(|of| (of.permutations, of.p_fwer)),
    }?;
    (permutations > 0).then_some(p_fwer < SIGNIFICANT)
}

/// Lower and upper noise ceiling of a layer by a measure.
fn ceiling(results: &Results, network: &str, layer: &str, measure: &str) -> Option<(f64, f64)> {
    match method(measure) {
        Some(method) => {
            let of = |row: &&RsaRow| row.network == network && row.layer == layer && row.method == method;
            results.rsa.iter().find(of).and_then(|row| row.ceiling_low.zip(row.ceiling_high))
        }
        None => {
            let of = |row: &&AccuracyRow| row.network == network && row.layer == layer;
            results.accuracy.iter().find(of).and_then(|row| row.ceiling_low.zip(row.ceiling_high))
        }
    }
}

fn chart<'a>(
    curves: &Curves<'a>,
    measure: &str,
    rows: &[&IntervalRow],
    results: &Results,
    told: Said<'a>,
) -> Chart<'a> {
    let accuracy = !measure.starts_with("rsa-");
    let mark = |place: f64, of: &AccuracyRow| {
        let row = rows.iter().find(|row| (&row.layer, &row.words) == (&of.layer, &of.words));
        let significant = row.and_then(|row| is_significant(results, curves.network, row));
        Mark {
            place,
            value: row.map_or(f64::NAN, |row| row.value),
            look: if significant.unwrap_or(true) { Look::Filled } else { Look::Hollow },
            interval: row.map(|row| (row.ci_low, row.ci_high)),
        }
    };
    let edge = |(place, layer): (usize, &&str)| {
        (place as f64, ceiling(results, curves.network, layer, measure).unwrap_or(NO_EDGES))
    };
    let edges = joined(curves.layers.iter().enumerate().map(edge), NO_EDGES, told.unordered);
    let bounded = edges.iter().any(|(_, (low, _))| low.is_finite());
    let mut chart = Chart {
        y_title: title(measure),
        limits: Some(if accuracy { (0.0, 1.0) } else { (-1.0, 1.0) }),
        curves: curves.marked(mark).collect(),
        notes: curves.counts(told),
        ..curves.chart(told)
    };
    if rows.iter().any(|row| is_significant(results, curves.network, row).is_some()) {
        chart.notes += &format!("\n{}; hollow: n.s.", inference::filled(curves.null(), curves.models.len()));
    }
    chart.notes += &format!("\nLines through markers: 95\u{a0}% intervals {}.", inference::over(curves.null(), told));
    if bounded {
        let style = CurveStyle { color: CEILING, shape: PATCH, dash: UNJOINED };
        chart.bands.push(Band { color: GREY, opacity: INTERVAL, edges });
        chart.legend.push(Entry { style, filled: true, text: "noise ceiling" });
        chart.notes += &format!(
            " Grey band: how well the {0} agree, each compared with the mean of the others (lower edge) and of all (upper \
             edge){1}.",
            told.all(),
            if accuracy { "; not an upper bound" } else { "" }
        );
    }
    if results.intervals.iter().any(|row| row.network == curves.network && row.kind != "value") {
        chart.notes += " intervals.csv has the differences, with intervals and family-wise p-values.";
    }
    chart
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::report::curves::tests::rows;
    use crate::report::material::tests::material;

    pub fn interval(layer: &str, measure: &str, kind: &str, words: &str) -> IntervalRow {
        IntervalRow {
            network: "vgg16".into(),
            layer: layer.into(),
            measure: measure.into(),
            kind: kind.into(),
            words: words.into(),
            less: None,
            value: 0.3,
            over: "both".into(),
            resamples: 100,
            freedom: 9.0,
            ci_low: 0.2,
            ci_high: 0.4,
            p_value: Some(0.01),
            less_layer: None,
            p_fwer: Some(0.02),
        }
    }

    /// Of the same layer and word model, by Pearson's r.
    pub fn correlation(of: &AccuracyRow) -> RsaRow {
        RsaRow {
            network: of.network.clone(),
            layer: of.layer.clone(),
            words: of.words.clone(),
            method: "pearson".into(),
            rsa: 0.25,
            permutations: 99,
            p_value: 0.01,
            p_fwer: 0.01,
            q_fdr: 0.01,
            null_mean: 0.0,
            null_sd: 0.1,
            ceiling_low: None,
            ceiling_high: None,
        }
    }

    #[test]
    fn a_figure_for_each_measure_of_values_with_their_ceiling() {
        let labels = ["pixels", "B1C1"].map(String::from);
        let mut accuracy = rows("vgg16", &labels, &["Skip Gram", "GloVe"]);
        let drawn = |results: &Results| draw(&material(results)).unwrap();
        assert!(drawn(&Results { accuracy: accuracy.clone(), ..Results::default() }).is_empty());
        for row in &mut accuracy {
            (row.ceiling_low, row.ceiling_high) = (Some(0.91), Some(0.97));
        }
        let layers: Vec<String> = accuracy.iter().map(|row| row.layer.clone()).take(2).collect();
        let mut intervals = Vec::new();
        for measure in ["2v2", "rsa-spearman"] {
            for layer in &layers {
                intervals.extend(["Skip Gram", "GloVe"].map(|words| interval(layer, measure, "value", words)));
                intervals.push(interval(layer, measure, "words", "Skip Gram"));
            }
        }
        let drawings = drawn(&Results { accuracy, intervals, ..Results::default() });
        let stems: Vec<&str> = drawings.iter().map(|drawing| drawing.stem.as_str()).collect();
        assert_eq!(stems, ["intervals_vgg16_2v2", "intervals_vgg16_rsa-spearman"]);
        let [of_pairs, of_rsa] = [0, 1].map(|n| &drawings[n].picture.svg);
        assert!(of_pairs.contains(">noise ceiling</text>") && of_pairs.contains("bound"));
        assert!(of_pairs.contains("intervals.csv"));
        // No group has a correlation here, so there is no ceiling of them.
        assert!(of_rsa.contains(">RSA, Spearman</text>") && !of_rsa.contains("noise ceiling"));
    }

    #[test]
    fn the_axis_of_correlations_has_room_for_their_ceiling_and_filled_is_significant() {
        let labels = ["pixels", "B1C1"].map(String::from);
        let mut results = Results { accuracy: rows("vgg16", &labels, &["Skip Gram", "GloVe"]), ..Results::default() };
        let layers: Vec<String> = results.accuracy.iter().step_by(2).map(|row| row.layer.clone()).collect();
        let of = |words: &'static str| layers.iter().map(move |layer| interval(layer, "rsa-pearson", "value", words));
        let intervals: Vec<IntervalRow> = of("Skip Gram").chain(of("GloVe")).collect();
        let listed: Vec<&IntervalRow> = intervals.iter().collect();
        let drawn = |results: &Results, unordered: bool| {
            let curves = Curves::under(None, &results.accuracy).remove(0);
            let chart = chart(&curves, "rsa-pearson", &listed, results, Said { unordered, ..Said::RUN });
            let looks: Vec<Look> = chart.curves.iter().flat_map(|curve| &curve.marks).map(|mark| mark.look).collect();
            assert_eq!(chart.bars, unordered);
            (chart.draw().svg, looks.iter().map(|look| *look == Look::Filled).collect::<Vec<_>>())
        };
        let (svg, filled) = drawn(&results, false);
        assert!(svg.contains(">0.40</text>") && !svg.contains(">0.5</text>") && !svg.contains("Filled:"), "{svg}");
        assert!(!svg.contains("intervals.csv"), "there are none");
        assert_eq!(filled, [true; 4]);
        assert_ne!(svg, drawn(&results, true).0);
        let correlation = |row: &AccuracyRow| RsaRow {
            p_fwer: if row.layer == "pixels" { 0.2 } else { 0.01 },
            ceiling_low: Some(0.5),
            ceiling_high: Some(0.71),
            ..correlation(row)
        };
        results.rsa = results.accuracy.iter().map(correlation).collect();
        let (svg, filled) = drawn(&results, false);
        assert!(svg.contains(">0.8</text>") && svg.contains("Filled:"), "{svg}");
        assert_eq!(filled, [false, true, false, true]);
    }
}
