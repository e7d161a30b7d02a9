//! Curves of several runs on one axis of relative depth: the colour is the run, dash and marker are the word model.

mod shown;

use crate::record::ComparisonRecord;
use crate::report::accuracy::accuracy;
use crate::report::chart::{Band, Chart, Curve, Entry, Look, Mark};
use crate::report::curves::{Curves, SIGNIFICANT, distinct};
use crate::report::style::{AXIS, CURVE, CURVES, CurveStyle, DASHED, GREY, SOLID, Shape, crossed, curve};
use crate::report::{Drawing, Null, chance, names};
use crate::results::{AccuracyRow, COMPARE_FIGURES, ComparisonRow, WithinRow};
use crate::wording::p_value;

pub use shown::{Shown, called, labelled};

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
    /// What a curve is one of.
    curves: &'static str,
    /// What family-wise p-values are over.
    family: &'static str,
}

/// A difference that was tested.
pub trait Tested {
    /// What tells its family from others.
    fn family(&self) -> [&str; 2];
    /// The family's name, and where the difference is.
    fn named(&self) -> (String, String);
    /// The layer, and that which it is held against.
    fn layers(&self) -> [&str; 2];
    /// Their accuracies.
    fn accuracies(&self) -> [f64; 2];
    /// The difference, and the ends of its interval.
    fn difference(&self) -> [f64; 3];
    /// The p-value by itself and over the family.
    fn p(&self) -> [f64; 2];
    /// The same as sentences tell it, of what [`Self::named`] says.
    fn told(&self) -> [f64; 3] {
        self.difference()
    }
    /// Whether the difference is one, over the family.
    fn is_significant(&self) -> bool {
        self.p()[1] < SIGNIFICANT
    }
}

/// The columns that both tables have.
macro_rules! columns {
    () => {
        fn layers(&self) -> [&str; 2] {
            [&self.layer_a, &self.layer_b]
        }

        fn accuracies(&self) -> [f64; 2] {
            [self.accuracy_a, self.accuracy_b]
        }

        fn difference(&self) -> [f64; 3] {
            [self.difference, self.ci_low, self.ci_high]
        }

        fn p(&self) -> [f64; 2] {
            [self.p_value, self.p_fwer]
        }
    };
}

impl Tested for ComparisonRow {
    fn family(&self) -> [&str; 2] {
        [&self.curve_a, &self.curve_b]
    }

    fn named(&self) -> (String, String) {
        (format!("{} - {}", self.curve_a, self.curve_b), format!("at {}", self.layer_a))
    }

    columns!();
}

impl Tested for WithinRow {
    fn family(&self) -> [&str; 2] {
        [&self.curve, &self.kind]
    }

    fn named(&self) -> (String, String) {
        let (from, to) = if self.is_asked() { (&self.layer_a, &self.layer_b) } else { (&self.layer_b, &self.layer_a) };
        (format!("{}, {}", self.curve, self.kind), format!("from {from} to {to}"))
    }

    // The table has the first layer less the second; asked for from one to the other, it is the rise that is told.
    fn told(&self) -> [f64; 3] {
        let [difference, low, high] = self.difference();
        if self.is_asked() { [0.0 - difference, 0.0 - high, 0.0 - low] } else { [difference, low, high] }
    }

    columns!();
}

/// What was tested, family by family.
pub fn families<T: Tested>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    rows.chunk_by(|a, b| a.family() == b.family())
}

/// A family's largest difference, and how many of its differences are significant.
pub fn most<T: Tested>(family: &[T]) -> (&T, usize) {
    let size = |row: &&T| row.difference()[0].abs();
    let most = family.iter().max_by(|a, b| size(a).total_cmp(&size(b))).expect("a family has rows");
    (most, family.iter().filter(|row| row.is_significant()).count())
}

/// A sentence for each family: the largest difference, and how many are significant.
pub fn told<T: Tested>(rows: &[T]) -> Vec<String> {
    let said = |family: &[T]| {
        let (row, significant) = most(family);
        let ((name, place), [difference, low, high], [_, p]) = (row.named(), row.told(), row.p());
        let said = format!("{place} ({difference:+.3}, 95 % {low:+.3} to {high:+.3}, family-wise p {})", p_value(p));
        match family.len() {
            1 => format!("{name}: {said}"),
            all => format!("{name}: most {said}; family-wise p < {SIGNIFICANT} in {significant} of {all}"),
        }
    };
    families(rows).map(said).collect()
}

impl Comparison<'_> {
    /// `compare`: the curves; what was tested of them, of no more curves than can be told apart: `compare_differences` of pairs
    /// of curves, of many those of one word model, `compare_steps` within curves, of each layer and the one before it.
    pub fn drawings(&self) -> Vec<Drawing> {
        let text = "2 vs. 2 accuracy of several runs against relative depth".to_string();
        let shown = Shown::of(self.curves, &self.record.runs);
        let mut chart = chart(
            self.curves,
            &shown,
            &format!("p\u{a0}<\u{a0}{SIGNIFICANT} against chance, family-wise over what each run declares"),
        );
        chart.notes += &tests(
            &self.record.generalise.said(&self.record.groups_are),
            [self.between.is_empty(), self.within.is_empty()],
        );
        let curves = Drawing { stem: COMPARE_FIGURES[0].into(), network: String::new(), text, picture: chart.draw() };
        let name = |curve: &str| {
            let overlay = self.curves.iter().find(|overlay| overlay.name == curve);
            overlay.map_or_else(|| curve.to_string(), |overlay| shown.curve(overlay))
        };
        let pair = |row: &ComparisonRow| format!("{} \u{2212} {}", name(&row.curve_a), name(&row.curve_b));
        let few = self.pairs().count() <= CURVES.len();
        let is_drawn = |rows: &&[ComparisonRow]| few || rows[0].words_a == rows[0].words_b;
        let between: Vec<_> = self.pairs().filter(is_drawn).map(|rows| (pair(&rows[0]), rows)).collect();
        let which = if few { "" } else { " Pairs of one word model; all pairs: compare.csv." };
        let steps = families(self.within).filter(|rows| rows[0].kind == WithinRow::NEXT);
        let steps: Vec<_> = steps.map(|rows| (name(&rows[0].curve), rows)).collect();
        let differences = self.differences(
            &between,
            Differences {
                stem: COMPARE_FIGURES[1],
                of: "2 vs. 2 accuracies",
                y_title: "Difference in 2 vs. 2 accuracy",
                note: format!("At the depth of the first curve\u{2019}s layer.{which}"),
                curves: "pairs of curves",
                family: "the layers of the pair",
            },
        );
        let steps = self.differences(
            &steps,
            Differences {
                stem: COMPARE_FIGURES[2],
                of: "neighbouring layers\u{2019} 2 vs. 2 accuracies",
                y_title: "Rise in 2 vs. 2 accuracy",
                note: "Each layer less the one before it, at its depth.".to_string(),
                curves: "curves",
                family: "the layers of the curve",
            },
        );
        std::iter::once(curves).chain(differences).chain(steps).collect()
    }

    /// What was tested, pair of curves by pair.
    pub fn pairs(&self) -> impl Iterator<Item = &[ComparisonRow]> {
        families(self.between)
    }

    /// Families by what the legend calls them; a curve's last layers are theirs.
    fn differences<T: Tested>(&self, drawn: &[(String, &[T])], words: Differences) -> Option<Drawing> {
        if !(1..=CURVES.len()).contains(&drawn.len()) {
            return None;
        }
        let of_family = |(n, (_, rows)): (usize, &(String, &[T]))| {
            let layers =
                self.curves.iter().find(|curve| curve.name == rows[0].family()[0]).map_or(&[][..], |curve| curve.rows);
            let layers = &layers[layers.len().saturating_sub(rows.len())..];
            let mark = |(layer, row): (&AccuracyRow, &T)| {
                let [value, low, high] = row.difference();
                Mark {
                    place: at(layer),
                    value,
                    look: if row.is_significant() { Look::Filled } else { Look::Hollow },
                    interval: Some((low, high)),
                }
            };
            let marks = layers.iter().zip(*rows).map(mark).collect();
            Curve { words: None, style: curve(n), width: CURVE, aside: None, marks }
        };
        let none = Curve::line(GREY, DASHED, AXIS, vec![(-0.5, 0.0), (DEPTHS.len() as f64 - 0.5, 0.0)]);
        let Differences { stem, of, y_title, note, curves, family } = words;
        let aside = match drawn.len() {
            1 => String::new(),
            _ => format!(" Where marks would hide each other, {curves} stand a little aside of their depths."),
        };
        let chart = Chart {
            title: title(self.curves),
            y_title,
            limits: Some((-1.0, 1.0)),
            whole: false,
            labels: DEPTHS.to_vec(),
            x_title: Some("Relative depth"),
            bars: false,
            bands: Vec::new(),
            legend: drawn
                .iter()
                .enumerate()
                .map(|(n, (text, _))| Entry { style: curve(n), filled: true, text })
                .collect(),
            curves: drawn.iter().enumerate().map(of_family).chain([none]).collect(),
            notes: format!(
                "{note}{aside} Vertical lines: 95\u{a0}% intervals. Filled: p\u{a0}<\u{a0}{SIGNIFICANT} of no difference, family-wise over \
                 {family}; hollow: n.s.{}",
                speak(self.record)
            ),
        };
        let text = format!("Differences of {of} with their intervals against relative depth");
        Some(Drawing { stem: stem.into(), network: String::new(), text, picture: chart.draw() })
    }
}

/// The network, where all are of one, and the word model, where there is one.
fn title(overlays: &[Overlay]) -> String {
    let rows = || overlays.iter().flat_map(|overlay| overlay.rows);
    let title = match distinct(rows().map(|row| row.network.as_str()))[..] {
        [network] => names::network(network),
        _ => "Networks compared",
    };
    match distinct(rows().map(|row| row.words.as_str()))[..] {
        [words] => format!("{title}, {words}"),
        _ => title.to_string(),
    }
}

/// What intervals and p-values of differences generalise to.
fn speak(record: &ComparisonRecord) -> String {
    format!(" Intervals and p generalise to other {}.", record.generalise.said(&record.groups_are))
}

/// Where the tests of the differences stand that were made, and what they generalise to; of the tables, which are empty.
fn tests(over: &str, [between, within]: [bool; 2]) -> String {
    let tables = match (between, within) {
        (true, true) => return String::new(),
        (false, true) => "compare.csv",
        (true, false) => "within.csv",
        (false, false) => "compare.csv, of a run\u{2019}s layers within.csv",
    };
    format!(" Paired tests of the differences, which generalise to other {over}: {tables}.")
}

/// Their chart; `filled` is what filled marks say.
pub fn chart<'a>(overlays: &[Overlay<'a>], shown: &'a Shown, filled: &str) -> Chart<'a> {
    let runs = distinct(overlays.iter().map(|overlay| overlay.run));
    let models = distinct(overlays.iter().flat_map(|overlay| overlay.rows).map(|row| row.words.as_str()));
    let place = |list: &[&str], name: &str| list.iter().position(|known| *known == name).unwrap_or(0);
    // One run's curves are told apart by all that word models have, one word model's by all that runs have.
    let of = |n, m| match (runs.len(), models.len()) {
        (1, _) => curve(m),
        (_, 1) => CurveStyle { dash: SOLID, ..curve(n) },
        (runs, _) => crossed(n, m, runs),
    };
    let only = |shape, told| if told { shape } else { Shape::None };
    let by_words = runs.len() <= CURVES.len();
    let style = |overlay: &Overlay| {
        of(place(&runs, overlay.run), overlay.rows.first().map_or(0, |row| place(&models, &row.words)))
    };
    let of_runs = runs.iter().enumerate().map(|(n, run)| Entry {
        style: CurveStyle { dash: SOLID, shape: only(curve(n).shape, models.len() == 1 || !by_words), ..curve(n) },
        filled: true,
        text: shown.run(run),
    });
    let of_models = models.iter().enumerate().map(|(m, words)| Entry {
        style: CurveStyle { color: GREY, shape: only(curve(m).shape, by_words), dash: curve(m).dash },
        filled: true,
        text: words,
    });
    let legend = match (runs.len(), models.len()) {
        (_, 1) => of_runs.collect(),
        (1, _) => models.iter().enumerate().map(|(m, text)| Entry { style: of(0, m), filled: true, text }).collect(),
        _ => of_runs.chain(of_models).collect(),
    };
    let curves = overlays.iter().map(|overlay| Curve {
        words: None,
        style: style(overlay),
        width: CURVE,
        aside: None,
        marks: overlay.rows.iter().map(|row| Mark { interval: None, ..accuracy(at(row), row) }).collect(),
    });
    let styles: Vec<CurveStyle> = overlays.iter().map(style).collect();
    let (bands, lines) = chances(overlays, &styles, (runs.len() > 1, models.len() > 1));
    let mut notes = "0: pixels, or the first layer; 1: the last layer.".to_string();
    if overlays.len() > 1 {
        notes += " Where marks would hide each other, curves stand a little aside of their depths.";
    }
    if overlays.iter().flat_map(|overlay| overlay.rows).any(|row| row.permutations > 0) {
        let of = if overlays.len() > 1 { ", from the lowest to the highest of all curves." } else { "" };
        notes += &format!(" Filled: {filled}; hollow: n.s. Band: null mean\u{a0}±\u{a0}2\u{a0}s.d.{of}");
    }
    if overlays.len() > 1 && lines.iter().any(|line| line.style.color != GREY) {
        let dash = if runs.len() > 1 && models.len() > 1 { " and dash" } else { "" };
        notes += &format!(" Thin lines: chance, the null\u{2019}s mean, in its curve\u{2019}s colour{dash}.");
    }
    Chart {
        title: title(overlays),
        y_title: "2 vs. 2 accuracy",
        limits: Some((0.0, 1.0)),
        whole: false,
        labels: DEPTHS.to_vec(),
        x_title: Some("Relative depth"),
        bars: false,
        bands,
        legend,
        curves: curves.chain(lines).collect(),
        notes,
    }
}

/// Where a row stands on the axis of depth.
fn at(row: &AccuracyRow) -> f64 {
    row.depth * (DEPTHS.len() - 1) as f64
}

/// Every curve's null band, and chance: one grey line for all curves whose chance is one half, for every other one in its
/// curve's colour, and its dash where `several` runs each have several word models.
fn chances(overlays: &[Overlay], styles: &[CurveStyle], several: (bool, bool)) -> (Vec<Band>, Vec<Curve<'static>>) {
    let (mut bands, mut lines): (Vec<Band>, Vec<Curve>) = (Vec::new(), Vec::new());
    let mut still = None;
    for (overlay, style) in overlays.iter().zip(styles) {
        let last = overlay.rows.len() as f64 - 1.0;
        let by_depth = |place: f64| match place {
            place if place < 0.0 => place,
            place if place > last => (DEPTHS.len() - 1) as f64 + place - last,
            place => at(&overlay.rows[place as usize]),
        };
        for curves in Curves::under(overlay.null, overlay.rows) {
            let (mut its_bands, mut its_lines) = chance::drawn(&curves, false);
            its_bands.iter_mut().flat_map(|band| &mut band.edges).for_each(|edge| edge.0 = by_depth(edge.0));
            its_lines.iter_mut().flat_map(|line| &mut line.marks).for_each(|mark| mark.place = by_depth(mark.place));
            bands.extend(its_bands);
            for mut line in its_lines {
                if line.marks.iter().all(|mark| mark.value == chance::HALF) {
                    still.get_or_insert(line);
                    continue;
                }
                if overlays.len() > 1 {
                    let own = style.of_chance();
                    line.style = if several == (true, true) { CurveStyle { dash: style.dash, ..own } } else { own };
                }
                lines.push(line);
            }
        }
    }
    lines.extend(still);
    (bands, lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Compared;
    use crate::report::curves::tests::rows;
    use crate::results::{NetworkRow, figure_name, write_table};

    fn of<'a>(run: &'a str, rows: &'a [AccuracyRow]) -> Overlay<'a> {
        Overlay { name: run, run, rows, null: None }
    }

    #[test]
    fn networks_of_any_depth_share_an_axis() {
        let labels = |count: usize| (0..count).map(|n| format!("layer {n}")).collect::<Vec<_>>();
        let (deep, shallow) = (rows("resnet50", &labels(51), &["GloVe"]), rows("vgg16", &labels(17), &["GloVe"]));
        let overlays = [of("deep", &deep), of("shallow", &shallow)];
        let svg = chart(&overlays, &Shown::of(&overlays, &[]), "").draw().svg;
        for text in ["Networks compared, GloVe", "Relative depth", "ResNet-50", "VGG16", "0.4", "chance"] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}");
        }
        assert!(svg.contains("fill=\"#eeeeee\""), "the null's band");
        let notes = |overlays: &[Overlay]| chart(overlays, &Shown::of(overlays, &[]), "").notes;
        assert!(notes(&overlays).contains("a little aside") && !notes(&overlays[..1]).contains("aside"));
        assert!(tests("concepts and groups", [false; 2]).contains("other concepts and groups: compare.csv"));
        assert!(tests("subjects", [true, false]).contains("other subjects: within.csv"));
        assert_eq!(tests("groups", [true; 2]), "");
    }

    #[test]
    fn colour_is_the_run_dash_and_marker_the_words() {
        let labels = ["a", "b"].map(String::from);
        let [one, other] = ["GloVe", "SkipGram"].map(|words| rows("vgg16", &labels, &[words]));
        let overlays = [("trained", &one), ("trained", &other), ("random", &one), ("random", &other)];
        let overlays = overlays.map(|(run, rows)| of(run, rows));
        let shown = Shown::of(&overlays, &[]);
        let chart = chart(&overlays, &shown, "");
        let styles: Vec<CurveStyle> = chart.curves.iter().take(4).map(|curve| curve.style).collect();
        assert!(styles[0].color == styles[1].color && styles[0].dash == styles[2].dash);
        assert!(styles[0].color != styles[2].color && styles[0].dash != styles[1].dash);
        assert!(styles[0].shape == styles[2].shape && styles[0].shape != styles[1].shape);
        let legend: Vec<&str> = chart.legend.iter().map(|entry| entry.text).collect();
        assert_eq!(legend, ["trained", "random", "GloVe", "SkipGram"]);
        let samples: Vec<Shape> = chart.legend.iter().map(|entry| entry.style.shape).collect();
        assert_eq!(samples, [Shape::None, Shape::None, styles[0].shape, styles[1].shape]);
        assert_eq!(chart.title, "VGG16");
    }

    #[test]
    fn every_word_model_of_one_run_has_a_style_of_its_own() {
        let models = ["SkipGram", "GloVe", "BERT", "LSA", "GloVe 50-d", "a", "b"];
        let labels = ["a", "b"].map(String::from);
        let tables = models.map(|words| rows("vgg16", &labels, &[words]));
        let overlays: Vec<Overlay> =
            models.iter().zip(&tables).map(|(name, rows)| Overlay { name, run: "run", rows, null: None }).collect();
        let shown = Shown::of(&overlays, &[]);
        let chart = chart(&overlays, &shown, "");
        for (n, a) in chart.curves[..7].iter().enumerate() {
            assert!(chart.curves[..n].iter().all(|b| a.style.dash != b.style.dash && a.style.shape != b.style.shape));
        }
    }

    #[test]
    fn chance_is_told_apart_where_it_differs() {
        let labels = ["a", "b"].map(String::from);
        let tables = ["GloVe", "SkipGram"].map(|words| rows("vgg16", &labels, &[words]));
        let mut moved = tables.clone();
        moved.iter_mut().flatten().for_each(|row| row.null_mean = 0.6);
        let drawn = |overlays: &[Overlay]| {
            let chart_notes = |chart: Chart| {
                let lines = chart.curves.into_iter().skip(overlays.len()).map(|line| line.style);
                (lines.collect::<Vec<_>>(), chart.notes)
            };
            chart_notes(chart(overlays, &Shown::of(overlays, &[]), "p"))
        };
        let (lines, notes) = drawn(&[of("one", &tables[0]), of("other", &tables[0])]);
        assert!(lines.len() == 1 && lines[0].color == GREY && !notes.contains("Thin lines"));
        let (lines, notes) = drawn(&[of("one", &moved[0]), of("other", &moved[0]), of("third", &tables[0])]);
        assert_eq!(lines.iter().map(|line| line.color).collect::<Vec<_>>(), [curve(0).color, curve(1).color, GREY]);
        assert!(
            notes.ends_with("in its curve\u{2019}s colour.") && notes.contains("highest of all curves."),
            "{notes}"
        );
        let crossed: Vec<Overlay> =
            ["one", "other"].iter().flat_map(|run| moved.iter().map(|rows| of(run, rows))).collect();
        let (lines, notes) = drawn(&crossed);
        assert!(lines[0].color == lines[1].color && lines[0].dash != lines[1].dash, "{lines:?}");
        assert!(notes.ends_with("colour and dash."), "{notes}");
    }

    #[test]
    fn runs_of_a_sweep_have_its_labels() {
        let directory = tempfile::tempdir().unwrap();
        let network = |label: &str| NetworkRow {
            network: label.into(),
            name: "squeezenet1_1".into(),
            words: "GloVe".into(),
            layers: 2,
            best_layer: "b".into(),
            best_depth: 1.0,
            best_accuracy: 0.7,
            best_p_value: 0.01,
            best_p_fwer: 0.01,
            last_layer: "b".into(),
            last_accuracy: 0.7,
            last_p_value: 0.01,
            last_p_fwer: 0.01,
            first_layer: "a".into(),
            first_accuracy: 0.6,
            concepts: 20,
            groups: 2,
            permutations: 99,
            best_null_mean: None,
            best_null_sd: None,
        };
        let labels = ["squeezenet1_1", "SqueezeNet 1.1, random"];
        write_table(directory.path(), &labels.map(network)).unwrap();
        let folders = labels.map(figure_name);
        let compared = |folder: &String| {
            let directory = directory.path().join(folder);
            std::fs::create_dir(&directory).unwrap();
            Compared { name: folder.clone(), directory, accuracy: String::new() }
        };
        let runs: Vec<Compared> = folders.iter().map(compared).collect();
        let table = rows("squeezenet1_1", &["a", "b"].map(String::from), &["GloVe"]);
        let overlays: Vec<Overlay> =
            folders.iter().map(|folder| Overlay { name: folder, run: folder, rows: &table, null: None }).collect();
        let shown = Shown::of(&overlays, &runs);
        assert_eq!(
            overlays.iter().map(|overlay| shown.curve(overlay)).collect::<Vec<_>>(),
            ["SqueezeNet 1.1", labels[1]]
        );
    }
}
