//! Curves of several runs on one axis of relative depth: the colour is the run, dash and marker are the word model.

mod differences;
mod shown;
mod styles;
#[cfg(test)]
mod tests;

use crate::names::distinct;
use crate::record::{Along, ComparisonRecord};
use crate::report::accuracy::accuracy;
use crate::report::chart::{Band, Chart, Curve, Look, Mark, legend};
use crate::report::curves::{Curves, SIGNIFICANT};
use crate::report::style::{CURVES, CurveStyle, DASHED, GREY, curve};
use crate::report::{Drawing, Null, chance};
use crate::results::{AccuracyRow, COMPARE_FIGURES, ComparisonRow, WithinRow};

pub use differences::{Tested, families, held, most};
pub use shown::{Shown, called, labelled};
use styles::Styles;

/// Runs side by side.
pub struct Comparison<'a> {
    /// Every run with every word model.
    pub curves: &'a [Overlay<'a>],
    /// Their differences, pair of curves by pair.
    pub between: &'a [ComparisonRow],
    /// Differences of layers within curves.
    pub within: &'a [WithinRow],
    /// What was compared, and how.
    pub record: &'a ComparisonRecord,
}

/// One curve: a run with one word model.
pub struct Overlay<'a> {
    /// What tells it from the others.
    pub name: &'a str,
    /// What tells its run from the others.
    pub run: &'a str,
    /// Its layers in input order.
    pub rows: &'a [AccuracyRow],
    /// How its null was drawn, where that is known.
    pub null: Option<Null>,
}

/// Of more than one curve.
const ASIDE: &str = " Markers that would overlap are moved slightly sideways.";

const DEPTHS: [&str; 6] = ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"];

/// The words of a figure of differences.
struct Differences {
    /// Of its files' names.
    stem: &'static str,
    /// What differs.
    of: &'static str,
    y_title: &'static str,
    /// Where the marks stand, and which are drawn.
    note: String,
    /// What family-wise p-values are over.
    family: &'static str,
}

impl Comparison<'_> {
    /// `compare`: the curves; what was tested of them, of no more curves than can be told apart: `compare_differences` of pairs
    /// of curves, of many those of one word model, `compare_steps` within curves, of each layer and the one before it.
    pub fn drawings(&self) -> Vec<Drawing> {
        let along = self.record.along.as_ref();
        let text = format!("2 vs. 2 accuracy of several runs against {}", against(along));
        let shown = self.shown();
        let mut chart = chart_along(
            along,
            self.curves,
            &shown,
            &format!("p\u{a0}<\u{a0}{SIGNIFICANT} against chance, family-wise as each run declares"),
        );
        chart.notes += &tests(
            &self.record.generalise.said(&self.record.groups_are),
            [self.between.is_empty(), self.within.is_empty()],
        );
        let curves = Drawing { stem: COMPARE_FIGURES[0].into(), network: String::new(), text, picture: chart.draw() };
        let pair =
            |row: &ComparisonRow| format!("{} \u{2212} {}", shown.curve(&row.curve_a), shown.curve(&row.curve_b));
        let few = self.pairs().count() <= CURVES.len();
        let is_drawn = |rows: &&[ComparisonRow]| few || rows[0].words_a == rows[0].words_b;
        let between: Vec<_> = self.pairs().filter(is_drawn).map(|rows| (pair(&rows[0]), rows)).collect();
        let which = if few { "" } else { " Only pairs of one word model are drawn; compare.csv has all." };
        let steps = families(self.within).filter(|rows| rows[0].kind == WithinRow::NEXT);
        let steps: Vec<_> = steps.map(|rows| (shown.curve(&rows[0].curve).to_string(), rows)).collect();
        let differences = self.differences(
            &between,
            &shown,
            Differences {
                stem: COMPARE_FIGURES[1],
                of: "2 vs. 2 accuracies",
                y_title: "Difference in 2 vs. 2 accuracy",
                note: match along {
                    Some(_) => format!("Each difference is of two layers of one name.{which}"),
                    None => format!("Each difference is drawn at the depth of the first curve\u{2019}s layer.{which}"),
                },
                family: "the layers of the pair",
            },
        );
        let steps = self.differences(
            &steps,
            &shown,
            Differences {
                stem: COMPARE_FIGURES[2],
                of: "neighbouring layers\u{2019} 2 vs. 2 accuracies",
                y_title: "Rise in 2 vs. 2 accuracy",
                note: match along {
                    Some(_) => "Each layer minus the one before it in its run, drawn at its own place.".to_string(),
                    None => "Each layer minus the one before it, drawn at its own depth.".to_string(),
                },
                family: "the layers of the curve",
            },
        );
        std::iter::once(curves).chain(differences).chain(steps).collect()
    }

    /// What its runs and curves are called.
    pub fn shown(&self) -> Shown {
        Shown::of(self.curves, &self.record.runs)
    }

    /// A sentence for each family of differences that was tested.
    pub fn told(&self) -> Vec<String> {
        let shown = self.shown();
        differences::told(self.between, &shown).into_iter().chain(differences::told(self.within, &shown)).collect()
    }

    /// What was tested, pair of curves by pair.
    pub fn pairs(&self) -> impl Iterator<Item = &[ComparisonRow]> {
        families(self.between)
    }

    /// Families by what the legend calls them, each difference at its curve's layer.
    fn differences<T: Tested>(&self, drawn: &[(String, &[T])], shown: &Shown, words: Differences) -> Option<Drawing> {
        if !(1..=CURVES.len()).contains(&drawn.len()) {
            return None;
        }
        let along = self.record.along.as_ref();
        let of_family = |(n, (_, rows)): (usize, &(String, &[T]))| {
            let layers =
                self.curves.iter().find(|curve| curve.name == rows[0].family()[0]).map_or(&[][..], |curve| curve.rows);
            let mark = |row: &T| {
                let layer = layers.iter().find(|layer| layer.layer == row.layers()[0])?;
                let [value, low, high] = row.difference();
                Some(Mark {
                    place: at(along, layer),
                    value,
                    look: if row.is_significant() { Look::Filled } else { Look::Hollow },
                    interval: Some((low, high)),
                })
            };
            let mut marks: Vec<Mark> = rows.iter().filter_map(mark).collect();
            marks.sort_by(|a, b| a.place.total_cmp(&b.place));
            Curve::marked(curve(n), marks)
        };
        let labels = labels(along);
        let none = Curve::line(GREY, DASHED, vec![(-0.5, 0.0), (labels.len() as f64 - 0.5, 0.0)]);
        let Differences { stem, of, y_title, note, family } = words;
        let aside = if drawn.len() == 1 { "" } else { ASIDE };
        let chart = Chart {
            title: title(self.curves, shown),
            y_title,
            limits: Some((-1.0, 1.0)),
            labels,
            x_title: Some(axis(along)),
            bars: along.is_some_and(|along| along.unordered),
            legend: legend(drawn.iter().map(|(name, _)| name.as_str())),
            curves: drawn.iter().enumerate().map(of_family).chain([none]).collect(),
            notes: format!(
                "{note}{aside} Vertical lines: 95\u{a0}% intervals. Filled: differs from 0, p\u{a0}<\u{a0}{SIGNIFICANT}, family-wise over \
                 {family}; hollow: n.s.{}",
                speak(self.record)
            ),
            ..Chart::default()
        };
        let text = format!("Differences of {of} with their intervals against {}", against(along));
        Some(Drawing { stem: stem.into(), network: String::new(), text, picture: chart.draw() })
    }
}

/// The network, where all are of one, and the word model, where there is one.
fn title(overlays: &[Overlay], shown: &Shown) -> String {
    let rows = || overlays.iter().flat_map(|overlay| overlay.rows);
    let title = match distinct(rows().map(|row| row.network.as_str()))[..] {
        [network] => shown.network(network),
        _ => "Networks compared".to_string(),
    };
    match distinct(rows().map(|row| row.words.as_str()))[..] {
        [words] => format!("{title}, {words}"),
        _ => title,
    }
}

/// What intervals and p-values of differences generalise to.
fn speak(record: &ComparisonRecord) -> String {
    format!(" Intervals and p-values generalise to other {}.", record.generalise.said(&record.groups_are))
}

/// Where the tests of the differences stand that were made, and what they generalise to; of the tables, which are empty.
fn tests(over: &str, [between, within]: [bool; 2]) -> String {
    let tables = match (between, within) {
        (true, true) => return String::new(),
        (false, true) => "compare.csv",
        (true, false) => "within.csv",
        (false, false) => "compare.csv (between curves) and within.csv (between layers)",
    };
    format!(" Paired tests of the differences are in {tables}; they generalise to other {over}.")
}

/// Their chart over relative depth; `filled` is what filled marks say.
pub fn chart<'a>(overlays: &[Overlay<'a>], shown: &'a Shown, filled: &str) -> Chart<'a> {
    chart_along(None, overlays, shown, filled)
}

fn chart_along<'a>(along: Option<&'a Along>, overlays: &[Overlay<'a>], shown: &'a Shown, filled: &str) -> Chart<'a> {
    let styles = Styles::new(overlays);
    let tested = is_tested(overlays.iter().flat_map(|overlay| overlay.rows));
    // Beside marks that say so, one that was not tested is none that is significant.
    let mark = |row: &AccuracyRow| match accuracy(at(along, row), row) {
        mark if tested && row.permutations == 0 => Mark { look: Look::Hollow, interval: None, ..mark },
        mark => Mark { interval: None, ..mark },
    };
    let curves =
        overlays.iter().map(|overlay| Curve::marked(styles.of(overlay), overlay.rows.iter().map(mark).collect()));
    let (bands, lines) = chances(along, overlays, &styles);
    let mut notes = match along {
        Some(_) => String::new(),
        None => "Depth 0: the pixels, or the first layer; depth 1: the last layer.".to_string(),
    };
    if overlays.len() > 1 {
        notes += ASIDE;
    }
    if tested {
        notes += &what_marks_say(overlays, filled);
    }
    if overlays.len() > 1 && lines.iter().any(|line| line.style.color != GREY) {
        let dash = if styles.crossed() { " and dash" } else { "" };
        notes += &format!(" Thin lines: chance (the null\u{2019}s mean) of each curve, in its colour{dash}.");
    }
    Chart {
        title: title(overlays, shown),
        y_title: "2 vs. 2 accuracy",
        limits: Some((0.0, 1.0)),
        labels: labels(along),
        x_title: Some(axis(along)),
        bars: along.is_some_and(|along| along.unordered),
        bands,
        legend: styles.legend(shown),
        curves: curves.chain(lines).collect(),
        notes: notes.trim_start().to_string(),
        ..Chart::default()
    }
}

/// Whether any permutations were drawn.
fn is_tested<'a>(rows: impl IntoIterator<Item = &'a AccuracyRow>) -> bool {
    rows.into_iter().any(|row| row.permutations > 0)
}

/// What marks and the band say where something was tested.
fn what_marks_say(overlays: &[Overlay], filled: &str) -> String {
    let untested = overlays.iter().flat_map(|overlay| overlay.rows).any(|row| row.permutations == 0);
    let hollow = if untested { "n.s., or not tested." } else { "n.s." };
    let of = match (overlays.len(), overlays.iter().filter(|overlay| is_tested(overlay.rows)).count()) {
        (1, _) => "",
        (all, bands) if all == bands => ", spanning the nulls of all curves.",
        (_, 1) => ", of the one curve that was tested.",
        _ => ", spanning the nulls of the curves that were tested.",
    };
    format!(" Filled: {filled}; hollow: {hollow} Band: null mean\u{a0}±\u{a0}2\u{a0}s.d.{of}")
}

/// Where a row stands: at its name, or its depth.
fn at(along: Option<&Along>, row: &AccuracyRow) -> f64 {
    along.map_or(row.depth * (DEPTHS.len() - 1) as f64, |along| along.place(&row.layer) as f64)
}

/// What stands below the panel.
fn labels(along: Option<&Along>) -> Vec<&str> {
    along.map_or(DEPTHS.to_vec(), |along| along.layers.iter().map(String::as_str).collect())
}

/// The same in a sentence.
fn against(along: Option<&Along>) -> &str {
    along.map_or("relative depth", |_| axis(along))
}

/// What layers stand along.
fn axis(along: Option<&Along>) -> &str {
    along.map_or("Relative depth", |along| along.axis.as_deref().unwrap_or("Layer"))
}

/// Every curve's null band, and chance: one grey line for all curves whose chance is one half, for every other one in its
/// curve's colour, and its dash where several runs each have several word models.
fn chances(along: Option<&Along>, overlays: &[Overlay], styles: &Styles) -> (Vec<Band>, Vec<Curve<'static>>) {
    let (mut bands, mut lines): (Vec<Band>, Vec<Curve>) = (Vec::new(), Vec::new());
    let mut still = None;
    for overlay in overlays {
        let last = overlay.rows.len() as f64 - 1.0;
        let by_depth = |place: f64| match place {
            // Beside its layer, if it is not at it.
            place if along.is_some() => {
                let layer = place.round().clamp(0.0, last);
                at(along, &overlay.rows[layer as usize]) + place - layer
            }
            place if place < 0.0 => place,
            place if place > last => (DEPTHS.len() - 1) as f64 + place - last,
            place => at(None, &overlay.rows[place as usize]),
        };
        for curves in Curves::under(overlay.null, overlay.rows) {
            let (mut its_bands, mut its_lines) = chance::drawn(&curves, along.is_some_and(|along| along.unordered));
            its_bands.iter_mut().flat_map(|band| &mut band.edges).for_each(|edge| edge.0 = by_depth(edge.0));
            its_lines.iter_mut().flat_map(|line| &mut line.marks).for_each(|mark| mark.place = by_depth(mark.place));
            bands.extend(its_bands);
            for mut line in its_lines {
                if line.marks.iter().all(|mark| mark.value == chance::HALF) {
                    still.get_or_insert(line);
                    continue;
                }
                if overlays.len() > 1 {
                    let style = styles.of(overlay);
                    let own = style.of_chance();
                    line.style = if styles.crossed() { CurveStyle { dash: style.dash, ..own } } else { own };
                }
                lines.push(line);
            }
        }
    }
    // What is one half for all is so from end to end.
    if let (Some(along), Some(line)) = (along, &mut still)
        && let [first, .., last] = &mut line.marks[..]
    {
        (first.place, last.place) = (-0.5, along.layers.len() as f64 - 0.5);
    }
    lines.extend(still);
    (bands, lines)
}
