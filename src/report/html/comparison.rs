//! The page of a comparison: the curves, what was tested of their differences, each run with the way to its own page.

mod methods;

use std::path::{Path, PathBuf};

use super::methods::Paragraph;
use super::tables::{accuracy_text, downloads_of, drawn_p, file, p_value, table};
use super::{drawings, fill, head, note, provenance, save};
use crate::files;
use crate::record::ComparisonRecord;
use crate::report::canvas::escape;
use crate::report::compare::{Comparison, Shown, Tested, called, families, held, most};
use crate::report::curves::SIGNIFICANT;
use crate::report::ramp::signed;
use crate::report::{Best, Drawing, Overlay, ReportError};
use crate::results::{AccuracyRow, ComparisonRow, ResultsDir, WithinRow};
use crate::wording::counted;

/// So many families are told in sentences.
const TOLD: usize = 6;

/// Writes `report.html` of a comparison; returns its path.
///
/// # Errors
/// It cannot be written.
pub fn write(of: &Comparison, figures: &[Drawing], directory: &Path) -> Result<PathBuf, ReportError> {
    save(&ResultsDir::new(directory), &page(of, figures, directory))
}

fn page(of: &Comparison, figures: &[Drawing], directory: &Path) -> String {
    let shown = of.shown();
    let title = match &of.record.runs[..] {
        [run] if of.within.is_empty() => format!("{}: curve against curve", shown.run(&run.name)),
        [run] => format!("{}: layer against layer", shown.run(&run.name)),
        runs => format!("{} runs side by side", runs.len()),
    };
    fill(include_str!("comparison.html"), |part| match part {
        "head" => head(&title, &escape(&title), &summary(of), false),
        "figures" => figures.iter().map(drawings::inline).collect(),
        "curves" => curves(of, &shown, directory),
        "untested" => {
            let said = of.record.warnings.iter().chain(&of.record.untested);
            said.map(|said| note(said) + "\n").collect()
        }
        "downloads" => downloads_of([file(of.between), file(of.within)]),
        "pairs" => pairs(of, &shown),
        "between" => of.pairs().enumerate().map(|(n, rows)| between(n, rows, &shown)).collect(),
        "within" => families(of.within).map(|rows| within(rows, &shown)).collect(),
        "methods" => methods::paragraphs(of).iter().map(Paragraph::html).collect(),
        "provenance" => provenance(of.record),
        unknown => unreachable!("comparison.html has no part {unknown}"),
    })
}

fn summary(of: &Comparison) -> String {
    let said = of.told();
    let runs = counted(of.record.runs.len(), "run");
    let mut text = format!("<p>{} of {runs}.</p>\n", counted(of.curves.len(), "curve"));
    if said.len() <= TOLD {
        text.extend(said.iter().map(|said| format!("<p>{}.</p>\n", escape(said))));
    } else if !of.between.is_empty() {
        let differ = of.pairs().filter(|rows| rows.iter().any(Tested::is_significant)).count();
        text += &format!(
            "<p>Pairs of curves that differ at one layer or more (family-wise p below {SIGNIFICANT} over the layers of the pair): \
             {differ} of {}.</p>\n",
            of.pairs().count()
        );
    }
    text
}

/// Every curve, with the way to its run's page where it lies beside this one.
fn curves(of: &Comparison, shown: &Shown, directory: &Path) -> String {
    let row = |curve: &Overlay| {
        let best = Best::of(curve.rows.iter(), curve.null)?.row;
        let run = of.record.runs.iter().find(|run| run.name == curve.run);
        let page = run.and_then(|run| address(directory, &run.directory));
        let name = match page {
            Some(page) => format!("<a href=\"{page}\">{}</a>", escape(shown.run(curve.run))),
            None => escape(shown.run(curve.run)),
        };
        let AccuracyRow { network, words, concepts, groups, layer, accuracy, p_fwer, permutations, .. } = best;
        let numbers = [concepts, groups, &curve.rows.len()].map(usize::to_string);
        let network = called(run.map(|run| run.directory.as_path()), network);
        let names = [name, escape(&network), escape(words)];
        let best = [escape(layer), accuracy_text(*accuracy), drawn_p(*permutations, *p_fwer)];
        Some(names.into_iter().chain(numbers).chain(best).collect::<Vec<String>>())
    };
    let best = if of.curves.iter().all(|curve| curve.rows.len() == 1) { "Layer" } else { "Best layer" };
    let heads = ["Run", "Network", "Words", "Concepts", "Groups", "Layers", best, "accuracy", "p, family-wise"];
    table("Runs", &heads, 3, of.curves.iter().filter_map(row))
}

/// From one directory to the page of another, as a browser takes it; none where either is not there, or on another drive.
fn address(from: &Path, to: &Path) -> Option<String> {
    let whole = |path: &Path| path.canonicalize().ok();
    let page = ResultsDir::new(files::way(&whole(from)?, &whole(to)?)?).page();
    let part = |part: &std::ffi::OsStr| -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let text = part.to_string_lossy();
        text.bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    };
    Some(page.iter().map(part).collect::<Vec<_>>().join("/"))
}

/// The pairs of curves, where there are several.
fn pairs(of: &Comparison, shown: &Shown) -> String {
    let pairs: Vec<&[ComparisonRow]> = of.pairs().collect();
    if pairs.len() < 2 {
        return String::new();
    }
    let row = |(n, rows): (usize, &&[ComparisonRow])| {
        let (most, significant) = most(rows);
        let name = format!("<a href=\"#pair-{n}\">{}</a>", escape(&most.named(shown).0));
        let [difference, interval, _, p] = numbers(most);
        vec![name, escape(&most.layer_a), difference, interval, p, format!("{significant} of {}", rows.len())]
    };
    let heads =
        ["Pair", "Largest difference at", "difference", "95 % interval", "p, family-wise", "Layers that differ"];
    table("Pairs of curves", &heads, 2, pairs.iter().enumerate().map(row))
}

/// The difference, its interval, both p; bold where the difference is one.
fn numbers(row: &impl Tested) -> [String; 4] {
    let ([difference, low, high], [p, p_fwer]) = (row.difference(), row.p().map(p_value));
    let difference = signed(&format!("{difference:+.3}"));
    let bold = match row.is_significant() {
        true => format!("<span class=\"significant\">{difference}</span>"),
        false => difference,
    };
    [bold, signed(&format!("{low:+.3} to {high:+.3}")), p, p_fwer]
}

const HEADS: [&str; 8] =
    ["Layer", "against", "Accuracy", "against", "Difference", "95 % interval", "p", "p, family-wise"];

/// A family, difference by difference.
fn differences_table(caption: &str, rows: &[impl Tested]) -> String {
    let cells = rows.iter().map(|row| {
        let (names, accuracies) = (row.layers().map(escape), row.accuracies().map(accuracy_text));
        names.into_iter().chain(accuracies).chain(numbers(row)).collect()
    });
    table(&escape(caption), &HEADS, 2, cells)
}

fn between(n: usize, rows: &[ComparisonRow], shown: &Shown) -> String {
    format!("<div id=\"pair-{n}\">{}</div>\n", differences_table(&rows[0].named(shown).0, rows))
}

fn within(rows: &[WithinRow], shown: &Shown) -> String {
    differences_table(&format!("{}: {}", shown.curve(&rows[0].curve), held(&rows[0])), rows)
}

fn provenance(record: &ComparisonRecord) -> String {
    let mut facts = provenance::origin(&record.semgpu, &record.origin.without_folders());
    facts.push(("CPU threads", record.threads.to_string()));
    facts.push(("Duration", format!("{:.0} s", record.seconds)));
    let runs = record.runs.iter();
    facts.extend(runs.map(|run| ("accuracy.csv, SHA-256", format!("{} ({})", run.accuracy, run.name))));
    provenance::facts(facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Along, Compared, Origin};
    use crate::report::curves::tests::rows;
    use crate::stats::generalise::Generalise;

    fn record(runs: &[(&str, PathBuf)], generalise: Generalise) -> ComparisonRecord {
        let run = |(name, directory): &(&str, PathBuf)| Compared {
            name: name.to_string(),
            directory: directory.clone(),
            accuracy: "0123".into(),
        };
        let arguments = ["semgpu", "compare", "/secret/a b", "--seed=7", "--out=/secret/x"].map(String::from).to_vec();
        ComparisonRecord {
            schema: 1,
            semgpu: "0.1.0".into(),
            origin: Origin { arguments, ..Origin::default() },
            threads: 2,
            seconds: 1.0,
            runs: runs.iter().map(run).collect(),
            words: Vec::new(),
            layers: Vec::new(),
            resamples: 1000,
            seed: 7,
            generalise,
            groups_are: "subjects".into(),
            along: None,
            untested: vec!["a <b> and c: other concepts; drawn, not tested".into()],
            warnings: vec!["c: accuracy.csv: not as semgpu wrote it".into()],
            files: Vec::new(),
        }
    }

    fn difference(pair: [&str; 2], layer: &str, difference: f64, p: f64) -> ComparisonRow {
        let [a, b] = pair.map(String::from);
        ComparisonRow {
            curve_a: a.clone(),
            curve_b: b.clone(),
            network_a: a,
            network_b: b,
            layer_a: layer.into(),
            layer_b: layer.into(),
            words_a: "GloVe".into(),
            words_b: "GloVe".into(),
            accuracy_a: 0.8,
            accuracy_b: 0.8 - difference,
            difference,
            ci_low: difference - 0.05,
            ci_high: difference + 0.05,
            resamples: 1000,
            p_value: p / 2.0,
            p_fwer: p,
            over: "concepts".into(),
        }
    }

    #[test]
    fn the_page_has_every_pair_and_the_way_to_the_runs() {
        let directory = tempfile::tempdir().unwrap();
        let [out, run] = ["out", "a b#"].map(|name| directory.path().join(name));
        [&out, &run].iter().for_each(|path| std::fs::create_dir(path).unwrap());
        let labels = ["x", "y"].map(String::from);
        let networks = ["vgg16", "a <b>", "c"].map(|network| rows(network, &labels, &["GloVe"]));
        let names = ["vgg16", "a <b>", "c"];
        let curves: Vec<Overlay> =
            names.iter().zip(&networks).map(|(name, rows)| Overlay { name, run: name, rows, null: None }).collect();
        let between: Vec<ComparisonRow> = [["vgg16", "a <b>"], ["vgg16", "c"], ["a <b>", "c"]]
            .into_iter()
            .flat_map(|pair| [difference(pair, "x", 0.1, 0.01), difference(pair, "y", -0.02, 0.7)])
            .collect();
        let runs = [("vgg16", run.clone()), ("a <b>", directory.path().join("gone")), ("c", out.clone())];
        for generalise in [Generalise::Concepts, Generalise::Groups, Generalise::Both] {
            let record = record(&runs, generalise);
            let of = Comparison { curves: &curves, between: &between, within: &[], record: &record };
            let figures = of.drawings();
            assert_eq!(
                figures.iter().map(|figure| figure.stem.as_str()).collect::<Vec<_>>(),
                ["compare", "compare_differences"]
            );
            assert!(
                figures[1].picture.svg.contains(">VGG16 \u{2212} c</text>") && !figures[1].picture.svg.contains("NaN")
            );
            let page = page(&of, &figures, &out);
            for text in [
                "<h1>3 runs side by side</h1>",
                "href=\"../a%20b%23/report.html\">VGG16</a>",
                "<a href=\"#pair-2\">a &lt;b&gt; - c</a>",
                "<div id=\"pair-2\">",
                "<p>VGG16 - a &lt;b&gt;: largest difference at x (+0.100, 95 % interval +0.050 to +0.150, family-wise p 0.0100)",
                "<span class=\"significant\">+0.100</span>",
                "1 of 2",
                "download=\"compare.csv\"",
                "a &lt;b&gt; and c: other concepts",
                "c: accuracy.csv: not as semgpu",
                "seed 7",
                "semgpu compare &#39;a b&#39; --seed=7 --out=x",
            ] {
                assert!(page.contains(text), "{text}");
            }
            for text in ["{{", "secret", "a <b>", "download=\"within.csv\""] {
                assert!(!page.contains(text), "{text}");
            }
            assert_eq!(page.matches("<svg role=\"img\"").count(), 2);
            assert_eq!(page.contains("other subjects"), generalise != Generalise::Concepts);
            assert_eq!(page.contains("Satterthwaite, F. E."), generalise == Generalise::Both);
            assert_eq!(page.contains("Aronow, P. M."), generalise != Generalise::Groups);
            assert!(page.contains("Westfall, P. H.") && page.contains("Dharmaretnam, D."));
        }
        // Two subjects leave one degree of freedom, five do not.
        let mut two = networks.clone();
        two.iter_mut().flatten().for_each(|row| row.groups = 2);
        for (networks, generalise, said) in [
            (&two, Generalise::Groups, true),
            (&two, Generalise::Concepts, false),
            (&networks, Generalise::Groups, false),
        ] {
            let (curves, record) = (overlays(networks), record(&runs, generalise));
            let of = Comparison { curves: &curves, between: &between, within: &[], record: &record };
            let page = page(&of, &of.drawings(), &out);
            assert_eq!(page.contains("two subjects do not tell how they are correlated"), said, "{generalise}");
            assert_ne!(page.contains("of a multiplier bootstrap"), said, "{generalise}");
        }
    }

    #[test]
    fn of_many_pairs_those_of_one_word_model_are_drawn() {
        let labels = ["x", "y"].map(String::from);
        let models = ["GloVe", "SkipGram", "BERT"];
        let of = |network: &str| models.map(|words| (format!("{network}, {words}"), rows(network, &labels, &[words])));
        let tables: Vec<_> = ["vgg16", "c"].into_iter().flat_map(of).collect();
        let curves: Vec<Overlay> =
            tables.iter().map(|(name, rows)| Overlay { name, run: &rows[0].network, rows, null: None }).collect();
        let pairs = curves.iter().enumerate().flat_map(|(n, a)| curves[..n].iter().map(move |b| [a, b]));
        let between: Vec<ComparisonRow> = pairs
            .map(|pair| {
                let [words_a, words_b] = pair.map(|curve| curve.rows[0].words.clone());
                ComparisonRow { words_a, words_b, ..difference(pair.map(|curve| curve.name), "y", 0.1, 0.01) }
            })
            .collect();
        let record = record(&[], Generalise::Concepts);
        let drawn = |between: &[ComparisonRow]| {
            let figures = Comparison { curves: &curves, between, within: &[], record: &record }.drawings();
            figures[1].picture.svg.clone()
        };
        let svg = drawn(&between);
        assert_eq!((between.len(), svg.matches(" \u{2212} ").count()), (15, 3), "{svg}");
        assert!(svg.contains("compare.csv"));
        let [one, two] = [1, 2].map(|count| drawn(&between[..count]));
        assert!(!one.contains("compare.csv") && !one.contains("sideways") && two.contains("sideways"));
    }

    /// A curve of each network, called as it is.
    fn overlays(networks: &[Vec<AccuracyRow>]) -> Vec<Overlay<'_>> {
        let named = networks.iter().map(|rows| (&rows[0].network, rows));
        named.map(|(network, rows)| Overlay { name: network, run: network, rows, null: None }).collect()
    }

    #[test]
    fn a_difference_is_drawn_at_its_layer() {
        let networks = ["vgg16", "c"].map(|network| rows(network, &["x", "y"].map(String::from), &["GloVe"]));
        let curves = overlays(&networks);
        let record = record(&[], Generalise::Concepts);
        // The other layer has no counterpart.
        let drawn = |layer: &str| {
            let between = [difference(["vgg16", "c"], layer, 0.1, 0.01)];
            Comparison { curves: &curves, between: &between, within: &[], record: &record }.drawings()[1]
                .picture
                .svg
                .clone()
        };
        assert_ne!(drawn("x"), drawn("y"));
    }

    #[test]
    fn places_along_an_axis_stand_at_their_names() {
        let networks = ["vgg16", "c"].map(|network| rows(network, &["x", "y"].map(String::from), &["GloVe"]));
        let curves = overlays(&networks);
        let between = ["x", "y"].map(|layer| difference(["vgg16", "c"], layer, 0.1, 0.01));
        for unordered in [false, true] {
            let layers = ["before", "x", "y"].map(String::from).to_vec();
            let along = Some(Along { axis: Some("Time (ms)".into()), layers, unordered });
            let record = ComparisonRecord { along, ..record(&[], Generalise::Concepts) };
            let of = Comparison { curves: &curves, between: &between, within: &[], record: &record };
            for figure in of.drawings() {
                let svg = figure.picture.svg;
                assert!(
                    [">before</text>", ">y</text>", ">Time (ms)</text>"].iter().all(|text| svg.contains(text)),
                    "{svg}"
                );
                assert!(!svg.contains("epth") && !svg.contains("NaN"), "{svg}");
            }
            assert!(!page(&of, &of.drawings(), Path::new("nowhere")).contains("Relative depth is"));
        }
    }

    #[test]
    fn of_one_run_the_page_says_which_layers_differ() {
        let labels = ["x", "y"].map(String::from);
        let rows = rows("vgg16", &labels, &["GloVe"]);
        let within = WithinRow {
            curve: "GloVe".into(),
            network: "vgg16".into(),
            words: "GloVe".into(),
            kind: WithinRow::NEXT.into(),
            layer_a: "y".into(),
            layer_b: "x".into(),
            accuracy_a: 0.8,
            accuracy_b: 0.7,
            difference: 0.1,
            ci_low: 0.02,
            ci_high: 0.18,
            resamples: 1000,
            p_value: 0.01,
            p_fwer: 0.01,
            over: "concepts".into(),
        };
        let record = record(&[("vgg16", "gone".into())], Generalise::Concepts);
        let curves = [Overlay { name: "GloVe", run: "vgg16", rows: &rows, null: None }];
        let asked =
            WithinRow { kind: WithinRow::ASKED.into(), layer_a: "x".into(), layer_b: "y".into(), ..within.clone() };
        let asked = Comparison { curves: &curves, between: &[], within: &[asked], record: &record }.told();
        assert!(
            asked[0]
                .starts_with("GloVe, as asked for: from x to y (-0.100, 95 % interval -0.180 to -0.020, family-wise")
        );
        // Places without an order have no next ones.
        let best = WithinRow { kind: WithinRow::BEST.into(), ..within.clone() };
        let of = Comparison { curves: &curves, between: &[], within: &[best], record: &record };
        let alone = page(&of, &of.drawings(), Path::new("nowhere"));
        assert!(
            alone.contains("Within a curve the best layer was compared with every other one: the family of these is")
        );
        let of = Comparison { curves: &curves, between: &[], within: &[within], record: &record };
        let page = page(&of, &of.drawings(), Path::new("nowhere"));
        for text in ["VGG16: layer against layer", ": from x to y (+0.100", "every layer and the one before it"] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!page.contains("compare.csv\" href") && page.contains("download=\"within.csv\""));
    }
}
