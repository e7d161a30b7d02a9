//! Where chance lies: at the null's mean, which lost ties move away from one half.

use crate::report::chart::{Band, Curve, NO_EDGES, steps, to_the_ends};
use crate::report::curves::{Curves, LayerRow, Model, all_given};
use crate::report::inference::Null;
use crate::report::style::{BAND, DASHED, GREY, curve};
use crate::results::{AccuracyRow, Results};
use crate::stats::scoring::Ties;
use crate::wording::listed;

/// The accuracy of either test where words and images have nothing in common and nothing ties.
pub const HALF: f64 = 0.5;
/// Half the width of the null's band, in standard deviations.
const BAND_SDS: f64 = 2.0;
/// A null's mean that is farther from one half has moved, unless so few draws put it there.
const DRIFT: f64 = 0.01;
/// Standard errors of a null's mean that its draws explain.
const STANDARD_ERRORS: f64 = 4.0;
/// Of fewer draws neither mean nor deviation say where chance lies: of one there is no deviation.
const FEWEST_DRAWS: u64 = 20;
/// What the 1 vs. 2 test compares.
pub const IMAGES: &str = "images";
/// Ties above this share are told.
const MANY: f64 = 0.01;

/// Chance for the word models that share it.
struct Level {
    /// Places of the models.
    models: Vec<usize>,
    /// Whether it is not at one half.
    moved: bool,
    /// By layer; NaN where there is none.
    means: Vec<f64>,
    /// Low and high end of the null's band.
    edges: Vec<(f64, f64)>,
}

/// The line of chance and the null's band, grey for the word models at one half and in its colour for each of the others; in
/// steps where layers have no order.
pub fn drawn<R: LayerRow>(curves: &Curves<R>, unordered: bool) -> (Vec<Band>, Vec<Curve<'static>>) {
    let levels = levels(curves);
    let alone = levels.len() == 1;
    let own = |level: &Level| (!alone && level.moved).then(|| curve(level.models[0]).of_chance());
    let band = |level: &Level| Band {
        color: own(level).map_or(BAND, |style| style.color),
        opacity: if own(level).is_some() { 0.12 } else { 1.0 },
        edges: spread(&level.edges, unordered),
    };
    let line = |level: &Level| {
        let (color, dash) = own(level).map_or((GREY, DASHED), |style| (style.color, style.dash));
        Curve { aside: Some("chance"), ..Curve::line(color, dash, spread(&level.means, unordered)) }
    };
    (levels.iter().map(band).collect(), levels.iter().map(line).collect())
}

fn spread<T: Copy>(values: &[T], unordered: bool) -> Vec<(f64, T)> {
    if unordered { steps(values) } else { to_the_ends(values) }
}

/// What the band that is drawn shows, and whose null it is of several curves, in a sentence.
pub fn band<R: LayerRow>(curves: &Curves<R>) -> String {
    const NULL: &str = "null mean\u{a0}±\u{a0}2\u{a0}s.d.";
    let levels = levels(curves);
    let still = levels.iter().find(|level| !level.moved);
    match (still, levels.len(), curves.models.len()) {
        (_, _, 1) => format!("Band: {NULL}"),
        (Some(_), 1, _) => format!("Band: {NULL}, spanning the nulls of all curves."),
        (None, ..) => format!("Bands: {NULL}, each in its curve\u{2019}s colour."),
        (Some(level), ..) => {
            let grey = match level.models[..] {
                [model] => format!("that of {}", curves.models[model].words),
                _ => "spanning those of all other curves".to_string(),
            };
            format!("Bands: {NULL}; coloured: that of the curve in the same colour; grey: {grey}.")
        }
    }
}

fn levels<R: LayerRow>(curves: &Curves<R>) -> Vec<Level> {
    let layers = curves.layers.len();
    let (away, still): (Vec<usize>, Vec<usize>) = (0..curves.models.len()).partition(|&n| moved(&curves.models[n]));
    let edges = |models: &[usize]| -> Vec<(f64, f64)> {
        let at = |layer: usize| {
            let nulls = models.iter().filter_map(|&n| curves.models[n].rows[layer]?.null());
            // No accuracy lies beyond.
            let edge = |value: f64| value.clamp(0.0, 1.0);
            let edges = nulls.map(|(mean, sd, _)| (edge(mean - BAND_SDS * sd), edge(mean + BAND_SDS * sd)));
            edges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or(NO_EDGES)
        };
        (0..layers).map(at).collect()
    };
    let alone = |n: usize| Level {
        models: vec![n],
        moved: true,
        means: curves.models[n].rows.iter().map(|row| mean(*row)).collect(),
        edges: edges(&[n]),
    };
    let mut levels: Vec<Level> = away.into_iter().map(alone).collect();
    if !still.is_empty() {
        levels.push(Level { edges: edges(&still), models: still, moved: false, means: vec![HALF; layers] });
    }
    levels
}

fn mean<R: LayerRow>(row: Option<&R>) -> f64 {
    row.and_then(R::null).map_or(f64::NAN, |(mean, ..)| mean)
}

fn moved<R: LayerRow>(model: &Model<R>) -> bool {
    let away = |(mean, sd, draws): (f64, f64, u64)| {
        (mean - HALF).abs() > f64::max(DRIFT, STANDARD_ERRORS * sd / (draws as f64).sqrt())
    };
    model.rows.iter().flatten().filter_map(|row| moments(*row, model.null)).any(away)
}

/// Mean and standard deviation of a row's null, and the draws that these are of, if there are enough: not those of its p where
/// drawing may stop.
fn moments<R: LayerRow>(row: &R, null: Option<Null>) -> Option<(f64, f64, u64)> {
    let (mean, sd, draws) = row.null()?;
    let first = null.filter(|null| null.rule.stop_after.is_some()).map(|null| null.rule.of_moments());
    Some((mean, sd, first.unwrap_or(draws))).filter(|&(.., draws)| draws >= FEWEST_DRAWS)
}

/// Whether chance lies elsewhere at one layer than at another, by more than their draws explain.
pub fn differs<R: LayerRow>(rows: &[&R], null: Option<Null>) -> bool {
    let nulls = || rows.iter().filter_map(|row| moments(*row, null));
    let low = nulls().min_by(|a, b| a.0.total_cmp(&b.0));
    let high = nulls().max_by(|a, b| a.0.total_cmp(&b.0));
    let variance = |(_, sd, draws): (f64, f64, u64)| sd * sd / draws as f64;
    low.zip(high).is_some_and(|(low, high)| {
        high.0 - low.0 > f64::max(DRIFT, STANDARD_ERRORS * (variance(low) + variance(high)).sqrt())
    })
}

/// Whether there are draws enough to say where chance lies.
pub fn is_known<R: LayerRow>(curves: &Curves<R>) -> bool {
    curves.models.iter().any(|model| model.rows.iter().flatten().any(|row| moments(*row, model.null).is_some()))
}

/// Whether chance lies anywhere but at one half.
pub fn has_moved<R: LayerRow>(curves: &Curves<R>) -> bool {
    curves.models.iter().any(moved)
}

/// Where chance lies if not at one half, and ties if there are many, in sentences; `compared` are pairs or images, `ties`
/// is how they counted, where that is known.
pub fn said<R: LayerRow>(curves: &Curves<R>, compared: &str, ties: Option<Ties>) -> String {
    // Which moves chance whatever ties count.
    let within = curves.null().is_some_and(|null| null.within_categories);
    let named = |model: &Model<R>| match curves.models.len() {
        1 => String::new(),
        _ => format!(" for {}", model.words),
    };
    let away = curves.models.iter().filter(|model| moved(model));
    let levels: Vec<String> = away.map(|model| level(model) + &named(model)).collect();
    let mut sentences = Vec::new();
    if !levels.is_empty() {
        let why = if within { ", because permutations stay within categories" } else { "" };
        sentences.push(format!("Chance is the null\u{2019}s mean, {}, not 0.5{why}.", listed(&levels)));
    }
    for model in &curves.models {
        let name = named(model);
        let tied = model.rows.iter().flatten().map(|row| row.tied()).fold(0.0, f64::max);
        if tied > MANY {
            let counted = match ties {
                Some(Ties::Half) => " and count as half a pass",
                Some(Ties::Won) => " and count as passed",
                Some(Ties::Lost) => " and count as lost",
                None => "",
            };
            let advice = match ties {
                Some(Ties::Half) => "",
                // By the columns of the paper chance need not be 0.5 then.
                _ if compared == IMAGES => "; one_vs_two.ties\u{a0}=\u{a0}\"half\" is advised",
                _ if within => "; --ties\u{a0}half (ties\u{a0}=\u{a0}\"half\") is advised",
                _ => "; --ties\u{a0}half (ties\u{a0}=\u{a0}\"half\") is advised, with which chance is 0.5",
            };
            sentences.push(format!(
                "Up to {:.0}\u{a0}% of {compared} are tied{name}{counted}{advice}.",
                (100.0 * tied).max(1.0)
            ));
        }
    }
    sentences.join(" ")
}

/// The same as a line of a figure's notes, after those before it; nothing where there is nothing to say.
pub fn note<R: LayerRow>(curves: &Curves<R>, compared: &str, ties: Option<Ties>) -> String {
    match said(curves, compared, ties) {
        none if none.is_empty() => none,
        said => format!("\n{said}"),
    }
}

/// The null's mean, or its ends where it differs between layers.
fn level<R: LayerRow>(model: &Model<R>) -> String {
    let means = model.rows.iter().map(|row| mean(*row)).filter(|mean| mean.is_finite());
    let (low, high) =
        means.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), mean| (low.min(mean), high.max(mean)));
    match high - low > DRIFT {
        true => format!("between {low:.2} and {high:.2}"),
        false => format!("{:.2}", (low + high) / 2.0),
    }
}

/// What is said of whole results, a line each, by how ties counted and nulls were drawn in the 2 vs. 2 and in the 1 vs. 2 test.
pub fn told(results: &Results, ties: Ties, null: Option<Null>, one_vs_two: Option<(Ties, Null)>) -> Vec<String> {
    let line =
        |test: &str, said: String| (!said.is_empty()).then(|| format!("{test}: {}", said.replace('\u{a0}', " ")));
    let pairs = Curves::under(null, &results.accuracy);
    let images = Curves::under(one_vs_two.map(|(_, null)| null), &results.one_vs_two);
    let pairs = pairs.iter().map(|curves| line("2 vs. 2", said(curves, "pairs", Some(ties))));
    let given =
        said_given(results, ties, null).into_iter().map(|(given, said)| line(&format!("2 vs. 2 given {given}"), said));
    let images = images.iter().map(|curves| line("1 vs. 2", said(curves, IMAGES, one_vs_two.map(|(ties, _)| ties))));
    pairs.chain(given).chain(images).flatten().collect()
}

/// The same of the 2 vs. 2 test given other spaces, by what is given, where there is something to say.
pub fn said_given(results: &Results, ties: Ties, null: Option<Null>) -> Vec<(&str, String)> {
    let of = |(given, rows): (_, Vec<AccuracyRow>)| {
        let said: Vec<String> =
            Curves::under(null, &rows).iter().map(|curves| said(curves, "pairs", Some(ties))).collect();
        (given, said.join(" ").trim().to_string())
    };
    all_given(results).into_iter().map(of).filter(|(_, said)| !said.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::curves::tests::rows;

    fn categorical() -> Vec<AccuracyRow> {
        let labels = ["pixels", "fc1"].map(String::from);
        let mut table = rows("net", &labels, &["GloVe", "category"]);
        for (n, row) in table.iter_mut().filter(|row| row.words == "category").enumerate() {
            row.null_mean = 0.39;
            row.ties = [3000, 16_000][n];
        }
        table
    }

    #[test]
    fn chance_is_one_half_unless_the_null_says_otherwise() {
        let labels = ["pixels", "fc1"].map(String::from);
        let table = rows("net", &labels, &["GloVe", "SkipGram"]);
        let curves = Curves::under(None, &table).remove(0);
        let (bands, lines) = drawn(&curves, false);
        assert_eq!((bands.len(), lines.len()), (1, 1));
        assert!(lines[0].marks.iter().all(|mark| mark.value == 0.5));
        assert_eq!(said(&curves, "pairs", Some(Ties::Lost)), "");
        assert!(band(&curves).ends_with("s.d., spanning the nulls of all curves."));
        // No accuracy lies below 0 or above 1.
        let mut wide = table.clone();
        wide.iter_mut().for_each(|row| row.null_sd = 0.3);
        let (bands, _) = drawn(&Curves::under(None, &wide).remove(0), false);
        assert!(bands[0].edges.iter().all(|&(_, edges)| edges == (0.0, 1.0)), "{:?}", bands[0].edges);
        // Steps where there is no order: level over a place.
        let (bands, _) = drawn(&curves, true);
        let places: Vec<f64> = bands[0].edges.iter().map(|edge| edge.0).collect();
        assert_eq!(places, [-0.5, 0.5, 0.5, 1.5]);
        assert_eq!(bands[0].edges[0].1, bands[0].edges[1].1);
    }

    #[test]
    fn a_null_that_ties_move_is_chance_and_is_told() {
        let table = categorical();
        let curves = Curves::under(None, &table).remove(0);
        let (bands, lines) = drawn(&curves, false);
        assert_eq!(bands.len(), 2);
        let heights: Vec<f64> = lines.iter().map(|line| line.marks[0].value).collect();
        assert_eq!(heights, [0.39, 0.5]);
        assert!(band(&curves).ends_with("coloured: that of the curve in the same colour; grey: that of GloVe."));
        let alone = Curves { models: curves.models[..1].to_vec(), ..Curves::under(None, &table).remove(0) };
        assert!(band(&alone).ends_with("s.d."));
        let told = said(&curves, "pairs", Some(Ties::Lost));
        assert!(told.contains("mean, 0.39 for category, not 0.5."), "{told}");
        // 16,000 of five groups of 13,695 pairs.
        assert!(
            told.contains("Up to 23\u{a0}% of pairs are tied for category and count as lost; --ties\u{a0}half (ties"),
            "{told}"
        );
        // One draw may lie anywhere.
        for (draws, known) in [(1, false), (19, false), (20, true)] {
            let mut few = table.clone();
            few.iter_mut().for_each(|row| (row.permutations, row.null_sd) = (draws, 0.0));
            let few = Curves::under(None, &few).remove(0);
            assert_eq!((has_moved(&few), is_known(&few)), (known, known), "{draws}");
            assert_eq!(said(&few, "pairs", Some(Ties::Lost)).contains("Chance"), known, "{draws}");
        }
        let within = Curves::under(Some(Null { within_categories: true, ..Null::default() }), &table).remove(0);
        let within = said(&within, "pairs", Some(Ties::Lost));
        assert!(
            within.contains("0.39 for category, not 0.5, because permutations stay within categories."),
            "{within}"
        );
        assert!(within.ends_with("; --ties\u{a0}half (ties\u{a0}=\u{a0}\"half\") is advised."), "{within}");
        let mut both = table.clone();
        for (n, row) in both.iter_mut().filter(|row| row.words == "GloVe").enumerate() {
            row.null_mean = [0.41, 0.45][n];
        }
        let both = Curves::under(None, &both).remove(0);
        let both = said(&both, "pairs", Some(Ties::Lost));
        assert!(
            both.starts_with(
                "Chance is the null\u{2019}s mean, between 0.41 and 0.45 for GloVe and 0.39 for category, not 0.5. Up to"
            ),
            "{both}"
        );
        let images = said(&curves, IMAGES, Some(Ties::Lost));
        assert!(images.ends_with("as lost; one_vs_two.ties\u{a0}=\u{a0}\"half\" is advised."), "{images}");
        let half = said(&curves, "pairs", Some(Ties::Half));
        assert!(half.ends_with("and count as half a pass."), "{half}");
        let results = Results { accuracy: table.clone(), ..Default::default() };
        let [line] = &super::told(&results, Ties::Lost, None, None)[..] else { panic!("one line for the one network") };
        assert!(
            line.starts_with("2 vs. 2: Chance is") && line.contains("; --ties half (ties = \"half\") is advised"),
            "{line}"
        );
    }
}
