//! Layers of two spaces against each other: a heat map a measure, and the measures' calibrated scores over depth.

use std::collections::HashMap;

use crate::names::distinct;
use crate::report::best::Best;
use crate::report::chart::{Chart, Curve, Look, Mark, legend};
use crate::report::curves::{SIGNIFICANT, highest};
use crate::report::heatmap::Heatmap;
use crate::report::inference::Null;
use crate::report::ramp::Ramp;
use crate::report::style::curve;
use crate::report::{Drawing, Figure, Material, ReportError, fit, inference, names};
use crate::results::{MeasureRow, figure_name};
use crate::stats::calibrated::score;
use crate::stats::inference::Family;
use crate::wording::{grouped, p_value};

/// `alignment_<network>_<words>_<measure>`, of words with layers.
pub const MAPS: Figure = Figure { name: "alignment", draw: draw_maps };

/// `measures_<network>_<words>`
pub const DEPTHS: Figure = Figure { name: "measures", draw: draw_depths };

/// Of more measures than this intervals would hide each other, and the curves.
const MOST_WITH_INTERVALS: usize = 4;

/// The rows of a network and a word space.
fn spaces(rows: &[MeasureRow]) -> Vec<Vec<&MeasureRow>> {
    let networks = distinct(rows.iter().map(|row| row.network.as_str()));
    let words = distinct(rows.iter().map(|row| row.words.as_str()));
    let pairs = networks.iter().flat_map(|network| words.iter().map(move |words| (*network, *words)));
    let of = |(network, words)| rows.iter().filter(|row| row.network == network && row.words == words).collect();
    pairs.map(of).filter(|rows: &Vec<&MeasureRow>| !rows.is_empty()).collect()
}

/// What the p of a best pair is over: the declared family, or, where that is of one layer of the words, all pairs of two
/// spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// All pairs of two spaces, `p_both`.
    Pairs,
    /// Those of all word models, `p_fwer`.
    Models,
}

impl Over {
    /// By how nulls were drawn, where that is known.
    pub fn of(rows: &[MeasureRow], null: Option<Null>) -> Self {
        let several = rows.iter().any(|row| row.words != rows[0].words);
        match null.map(|null| null.rule.family) {
            Some(Family::Words | Family::Networks) if several => Self::Models,
            _ => Self::Pairs,
        }
    }

    /// Of a row.
    pub fn p(self, row: &MeasureRow) -> f64 {
        match self {
            Self::Pairs => row.p_both,
            Self::Models => row.p_fwer,
        }
    }

    /// Behind "over all pairs".
    fn said(self) -> &'static str {
        match self {
            Self::Pairs => "",
            Self::Models => " of all word models",
        }
    }
}

/// What a row is one of: a word model of one matrix has no layers to pair.
pub fn what(row: &MeasureRow) -> &'static str {
    if row.words_layer.is_empty() { "layer" } else { "pair of layers" }
}

/// What a row says of its pair; of one pair there are no others.
pub fn said(best: &Best<MeasureRow>, over: Over) -> String {
    let Best { row, alone, .. } = *best;
    let (layer, all) = match row.words_layer.as_str() {
        "" => (row.layer.clone(), "layers"),
        words => (format!("{words} and {}", row.layer), "pairs"),
    };
    let mut said = format!("{layer}: {:.3}", row.value);
    let calibrated = row.calibrated_both.zip(row.tau_both);
    if let Some((calibrated, tau)) = calibrated {
        let all = if alone { String::new() } else { format!("over all {all} ") };
        said += &format!("; {all}calibrated {calibrated:.3} (τ {tau:.3})");
    }
    if row.permutations > 0 {
        said += &match (calibrated, over) {
            (Some(_), Over::Pairs) => ", ".to_string(),
            (None, Over::Pairs) if alone => "; ".to_string(),
            _ => format!("; over all {all}{} ", over.said()),
        };
        said += &format!("p {}", p_value(over.p(row)));
    }
    said
}

fn draw_maps(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let mut drawings = Vec::new();
    let over = Over::of(&material.results.measures, material.null());
    for rows in spaces(&material.results.measures) {
        let of_words = distinct(rows.iter().map(|row| row.words_layer.as_str()));
        if of_words.len() > 1 {
            let measures = distinct(rows.iter().map(|row| row.measure.as_str()));
            drawings.extend(measures.into_iter().filter_map(|measure| map(&rows, measure, &of_words, over, material)));
        }
    }
    Ok(drawings)
}

/// A measure of the pairs of layers of two spaces; none without a value.
fn map(rows: &[&MeasureRow], measure: &str, of_words: &[&str], over: Over, material: &Material) -> Option<Drawing> {
    let layers = distinct(rows.iter().map(|row| row.layer.as_str()));
    let of_measure = || rows.iter().copied().filter(|row| row.measure == measure);
    let of_pair: HashMap<(&str, &str), f64> =
        of_measure().map(|row| ((&*row.words_layer, &*row.layer), row.value)).collect();
    let pairs = of_words.iter().flat_map(|words| layers.iter().map(move |layer| (*words, *layer)));
    let values: Vec<f64> = pairs.map(|pair| of_pair.get(&pair).copied().unwrap_or(f64::NAN)).collect();
    let best = Best::of(of_measure(), material.null())?;
    let mut notes = format!("Best pair{}: {}.", best.how(), said(&best, over));
    let best = best.row;
    if let Some(permutations) = inference::permutations(material.null(), of_measure().map(|row| row.permutations)) {
        notes += &format!(
            " {} of {} pairs have a family-wise p < {SIGNIFICANT} over all pairs{}{} ({permutations}, {} concepts).",
            of_measure().filter(|row| over.p(row) < SIGNIFICANT).count(),
            of_measure().count(),
            over.said(),
            inference::tail(material.null()),
            grouped(best.concepts)
        );
    }
    let (network, words) = (material.said().network(&best.network), names::network(&best.words));
    let (columns, column_title) = fit::titled(&labels(rows, &layers), &format!("Layer of {network}"));
    let (named, row_title) = fit::titled(of_words, &format!("Layer of {words}"));
    let heatmap = Heatmap {
        title: format!("{words} and {network}: {measure}"),
        rows: named,
        row_title,
        columns,
        column_title,
        ramp: Ramp::sequential(values.iter().copied()),
        values,
        measure: measure.to_string(),
        notes,
    };
    Some(Drawing {
        stem: format!("{}_{}", stem(MAPS.name, best), figure_name(measure)),
        network: best.network.clone(),
        text: format!("{measure} of every layer of {words} with every layer of {network}"),
        picture: heatmap.draw(),
    })
}

/// What figures call these layers.
fn labels<'a>(rows: &[&'a MeasureRow], layers: &[&str]) -> Vec<&'a str> {
    let label = |layer: &&str| rows.iter().find(|row| row.layer == *layer).map(|row| row.label.as_str());
    layers.iter().filter_map(label).collect()
}

fn draw_depths(material: &Material) -> Result<Vec<Drawing>, ReportError> {
    let drawn =
        spaces(&material.results.measures).into_iter().filter(|rows| rows.iter().any(|row| row.calibrated.is_some()));
    let drawing = |rows: Vec<&MeasureRow>| {
        let (network, words) = (material.said().network(&rows[0].network), names::network(&rows[0].words));
        Drawing {
            stem: stem(DEPTHS.name, rows[0]),
            network: rows[0].network.clone(),
            text: format!("Calibrated scores of {words} with every layer of {network}, a curve for each measure"),
            picture: depths(&rows, material).draw(),
        }
    };
    Ok(drawn.map(drawing).collect())
}

/// The scores of one space of words with every layer.
fn depths<'a>(rows: &[&'a MeasureRow], material: &'a Material) -> Chart<'a> {
    let several = distinct(rows.iter().map(|row| row.words_layer.as_str())).len() > 1;
    let layers = distinct(rows.iter().map(|row| row.layer.as_str()));
    let measures = distinct(rows.iter().map(|row| row.measure.as_str()));
    let marks = |measure: &str| -> Vec<Mark> {
        let of_measure = || rows.iter().copied().filter(|row| row.measure == measure);
        let mark = |(place, layer): (usize, &&str)| {
            // Calibrated scores are by the highest value.
            let rows = of_measure().filter(|row| row.layer == **layer && row.value.is_finite());
            mark(place, highest(rows, |row| row.value), several)
        };
        layers.iter().enumerate().map(mark).collect()
    };
    let curves = measures.iter().enumerate().map(|(n, measure)| Curve::marked(curve(n), marks(measure)));
    let mut curves: Vec<Curve> = curves.collect();
    let bars = curves.iter().flat_map(|curve| &curve.marks).any(|mark| mark.interval.is_some());
    let crowded = measures.len() > MOST_WITH_INTERVALS;
    if crowded {
        curves.iter_mut().flat_map(|curve| &mut curve.marks).for_each(|mark| mark.interval = None);
    }
    Chart {
        title: format!("{} and {}", names::network(&rows[0].words), material.said().network(&rows[0].network)),
        y_title: "calibrated score",
        limits: Some((0.0, 1.0)),
        labels: labels(rows, &layers),
        x_title: material.said().axis,
        bars: material.said().unordered,
        curves,
        legend: legend(measures),
        notes: format!(
            "(value − τ) / (1 − τ), where {} {}{}{} concepts.",
            threshold(rows[0].alpha, several, material),
            match (bars, crowded) {
                (false, _) => "",
                (true, false) => "Lines through markers: 95\u{a0}% intervals over concepts, with τ fixed. ",
                (true, true) => "measures.csv has 95\u{a0}% intervals of the values over concepts. ",
            },
            inference::permutations(material.null(), rows.iter().map(|row| row.permutations))
                .map_or_else(String::new, |said| said + ", "),
            grouped(rows[0].concepts),
        ),
        ..Chart::default()
    }
}

/// The score of a pair at a layer's place, if there is one; of `several` pairs at each layer the best.
fn mark(place: usize, of_pair: Option<&MeasureRow>, several: bool) -> Mark {
    let gap = Mark { place: place as f64, value: f64::NAN, look: Look::Hollow, interval: None };
    let Some(row) = of_pair else { return gap };
    // By the threshold that is drawn: `p_both` is by another maximum.
    let above = || row.tau_both.is_some_and(|tau| row.value > tau);
    let filled = if several { above() } else { row.p_fwer < SIGNIFICANT };
    // The interval of a pair that was picked for its value does not say that it was picked.
    let interval = || {
        let tau = row.tau.filter(|_| !several && row.calibrated.is_some())?;
        let [low, high] = [row.ci_low?, row.ci_high?].map(|end| score(end, tau));
        Some((low, high))
    };
    Mark {
        value: if several { row.calibrated_both } else { row.calibrated }.unwrap_or(f64::NAN),
        look: if filled { Look::Filled } else { Look::Hollow },
        interval: interval(),
        ..gap
    }
}

/// What τ and filled markers are.
fn threshold(alpha: f64, several: bool, material: &Material) -> String {
    let words_spaces = distinct(material.results.measures.iter().map(|row| row.words.as_str())).len();
    let quantile = format!("{:.0}\u{a0}% quantile", 100.0 * (1.0 - alpha));
    if several {
        format!(
            "τ is the {quantile}, over permutations, of the highest value of any pair: 0 is what the best pair reaches by chance, \
             1 the measure\u{2019}s maximum. Each layer is shown with its best layer of the words\u{2019} side. Filled: above τ, so \
             p\u{a0}≤\u{a0}{alpha} over all pairs (maximum of raw values); hollow: not. p_both in measures.csv is by the \
             maximum of values standardised by each pair\u{2019}s null, and can differ."
        )
    } else {
        format!(
            "τ is the {quantile} of each layer\u{2019}s own null: 0 is what chance reaches at a single layer, 1 the \
             measure\u{2019}s maximum. {}; hollow: n.s.",
            inference::filled(material.null(), words_spaces)
        )
    }
}

fn stem(figure: &str, row: &MeasureRow) -> String {
    format!("{figure}_{}_{}", figure_name(&row.network), figure_name(&row.words))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::report::material::tests::material;
    use crate::results::Results;

    /// Rows of two measures, higher from pair to pair.
    pub fn rows(words_layers: &[&str], layers: &[&str]) -> Vec<MeasureRow> {
        let row = |measure: &str, words_layer: &str, layer: &str, value: f64| MeasureRow {
            network: "vgg16".into(),
            layer: layer.into(),
            label: layer.to_uppercase(),
            words: "GPT".into(),
            words_layer: words_layer.into(),
            measure: measure.into(),
            value,
            calibrated: Some(value / 2.0),
            tau: Some(0.1),
            permutations: 99,
            p_value: 0.01,
            p_fwer: 0.02,
            q_fdr: 0.02,
            null_mean: 0.0,
            null_sd: 0.1,
            p_both: 0.04,
            calibrated_both: Some(value / 3.0),
            tau_both: Some(0.2),
            alpha: 0.05,
            neighbours: None,
            concepts: 12,
            groups: 1,
            ci_low: None,
            ci_high: None,
            ceiling_low: None,
            ceiling_high: None,
        };
        let pairs = words_layers.iter().flat_map(|words| layers.iter().map(move |layer| (*words, *layer)));
        let of = |measure: &'static str| {
            pairs.clone().enumerate().map(move |(n, (w, l))| row(measure, w, l, n as f64 / 10.0))
        };
        of("cka").chain(of("mknn")).collect()
    }

    #[test]
    fn words_with_layers_have_a_map_a_measure() {
        let results = Results { measures: rows(&["h1", "h2"], &["a", "b", "c"]), ..Results::default() };
        let maps = draw_maps(&material(&results)).unwrap();
        let stems: Vec<&str> = maps.iter().map(|map| map.stem.as_str()).collect();
        assert_eq!(stems, ["alignment_vgg16_GPT_cka", "alignment_vgg16_GPT_mknn"]);
        assert!(
            maps[0].picture.svg.contains(">GPT and VGG16: cka</text>") && maps[0].picture.svg.contains(">h2</text>")
        );
        assert!(
            maps[0].picture.svg.contains("h2 and c: 0.500; over all pairs calibrated 0.167"),
            "{}",
            maps[0].picture.svg
        );
        assert!(maps.iter().zip(["cka", "mknn"]).all(|(map, bar)| map.picture.svg.contains(&format!(">{bar}</text>"))));
        let depths = draw_depths(&material(&results)).unwrap();
        assert_eq!(depths[0].stem, "measures_vgg16_GPT");
        for text in ["calibrated score", "cka", "mknn", "A", "C"] {
            assert!(depths[0].picture.svg.contains(&format!(">{text}</text>")), "{text}");
        }
    }

    #[test]
    fn many_measures_are_drawn_without_their_intervals() {
        let mut table = rows(&[""], &["a", "b"]);
        table.iter_mut().for_each(|row| (row.ci_low, row.ci_high) = (Some(0.0), Some(0.9)));
        let more =
            |n| table.iter().map(move |row| MeasureRow { measure: format!("{}{n}", row.measure), ..row.clone() });
        let many: Vec<MeasureRow> = (0..3).flat_map(more).collect();
        for (measures, drawn) in [(table.clone(), true), (many, false)] {
            let results = Results { measures, ..Results::default() };
            let material = material(&results);
            let chart = depths(&results.measures.iter().collect::<Vec<_>>(), &material);
            let with = chart.curves.iter().flat_map(|curve| &curve.marks).any(|mark| mark.interval.is_some());
            assert_eq!((with, chart.notes.contains("measures.csv has 95")), (drawn, !drawn), "{}", chart.notes);
        }
    }

    #[test]
    fn a_small_p_is_none_of_zero() {
        let mut row = rows(&["h1"], &["a"]).remove(0);
        // Beside another pair, as good; then alone.
        let said = |row: &MeasureRow| super::said(&Best::of([row, row].into_iter(), None).unwrap(), Over::Pairs);
        let alone = |row: &MeasureRow| super::said(&Best::of([row].into_iter(), None).unwrap(), Over::Pairs);
        assert_eq!(alone(&row), "h1 and a: 0.000; calibrated 0.000 (τ 0.200), p 0.0400");
        assert_eq!(said(&row), "h1 and a: 0.000; over all pairs calibrated 0.000 (τ 0.200), p 0.0400");
        // As of low values, which are not calibrated.
        row.calibrated_both = None;
        assert_eq!(said(&row), "h1 and a: 0.000; over all pairs p 0.0400");
        assert_eq!(alone(&row), "h1 and a: 0.000; p 0.0400");
        row.p_both = 1e-5;
        assert!(said(&row).ends_with("over all pairs p < 0.0001"), "{}", said(&row));
        row.words_layer.clear();
        assert_eq!((what(&row), said(&row).as_str()), ("layer", "a: 0.000; over all layers p < 0.0001"));
    }

    #[test]
    fn p_over_all_is_that_of_the_declared_family() {
        use crate::stats::inference::Rule;
        let mut table = rows(&["h1"], &["a"]);
        let null = |family| Some(Null { rule: Rule { family, ..Rule::default() }, ..Null::default() });
        assert_eq!(Over::of(&table, null(Family::Words)), Over::Pairs, "one word model");
        table[1].words = "BERT".into();
        assert_eq!(Over::of(&table, null(Family::Words)), Over::Models);
        assert_eq!(Over::of(&table, null(Family::Layers)), Over::Pairs);
        assert_eq!(Over::of(&table, None), Over::Pairs);
        (table[0].p_both, table[0].p_fwer) = (0.5, 0.75);
        let said = |row: &MeasureRow| super::said(&Best::of([row, row].into_iter(), None).unwrap(), Over::Models);
        assert_eq!(
            said(&table[0]),
            "h1 and a: 0.000; over all pairs calibrated 0.000 (τ 0.200); over all pairs of all word models p 0.7500"
        );
        table[0].calibrated_both = None;
        assert!(said(&table[0]).ends_with("0.000; over all pairs of all word models p 0.7500"));
    }

    #[test]
    fn words_of_one_matrix_have_curves_alone() {
        let results = Results { measures: rows(&[""], &["a", "b"]), ..Results::default() };
        assert!(draw_maps(&material(&results)).unwrap().is_empty());
        assert_eq!(draw_depths(&material(&results)).unwrap().len(), 1);
        let none = Results::default();
        assert!(draw_depths(&material(&none)).unwrap().is_empty());
    }
}
