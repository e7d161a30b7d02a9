//! The tables that stand without JavaScript.

mod measures;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::names::distinct;
use crate::report::canvas::escape;
use crate::report::curves::{Curves, LayerRow, SIGNIFICANT};
use crate::report::inference::{self, Null};
use crate::report::material::Said;
use crate::report::ramp::signed;
use crate::results::{
    ControlRow, IntervalRow, OneVsTwoRow, PartitionRow, Results, RsaRow, Table, WordsRow, table_text,
};
use crate::wording::{self, grouped};

pub use measures::{best_said, measures, sizes};

/// Of all tables in the page together, before they become a third longer.
const DOWNLOAD_BYTES: usize = 500_000;

/// In the place of a value that there is none of.
const NO_VALUE: &str = "–";

/// A p-value to four places.
pub fn p_value(p: f64) -> String {
    match p {
        p if !p.is_finite() => NO_VALUE.to_string(),
        p => escape(&wording::p_value(p)),
    }
}

/// A p-value, where there were permutations.
pub fn drawn_p(permutations: u64, p: f64) -> String {
    p_value(if permutations > 0 { p } else { f64::NAN })
}

/// An accuracy to three places.
pub fn accuracy_text(value: f64) -> String {
    if value.is_finite() { signed(&format!("{value:.3}")) } else { NO_VALUE.to_string() }
}

/// The same of a value that there may be.
fn number(value: Option<f64>) -> String {
    accuracy_text(value.unwrap_or(f64::NAN))
}

/// The cells of an accuracy, bold where it is significant, and of its family-wise p.
pub fn accuracy_cells(accuracy: f64, permutations: u64, p: f64) -> String {
    let class = if permutations > 0 && p < SIGNIFICANT { " class=\"significant\"" } else { "" };
    format!("<td{class}>{}</td><td>{}</td>", accuracy_text(accuracy), drawn_p(permutations, p))
}

/// An interval to three places.
fn range(low: Option<f64>, high: Option<f64>) -> String {
    low.zip(high).map_or(NO_VALUE.to_string(), |(low, high)| signed(&format!("{low:.3} to {high:.3}")))
}

/// What the curves say, in sentences.
pub fn summary(curves: &Curves, told: Said) -> String {
    let mut sentences = vec![format!("<p>{}</p>", escape(&curves.counts(told)))];
    for model in &curves.models {
        let Some(best) = model.best() else { continue };
        let first = match model.values(|row| row.accuracy).next() {
            Some((_, first, value)) if first.layer != best.row.layer => {
                format!("; {}: {value:.3}", escape(&first.layer))
            }
            _ => String::new(),
        };
        let chance = best.by_chance();
        sentences.push(format!(
            "<p><strong>{}</strong>{} at {}: {:.3}{chance}{first}.</p>",
            escape(model.words),
            best.chosen(" ", "", ""),
            escape(&best.row.layer),
            best.row.accuracy,
        ));
    }
    sentences.join("\n")
}

/// Links that save the tables as the files of the run have them, of as many as the page has room for.
pub fn downloads(results: &Results) -> String {
    downloads_of([
        file(&results.accuracy),
        file(&results.words),
        file(&results.rsa),
        file(&results.intervals),
        file(&results.controls),
        file(&results.partition),
        file(&results.measures),
        file(&results.one_vs_two),
        file(&results.layers),
        file(&results.groups),
        file(&results.lost),
        file(&results.predictions),
        file(&results.misclassified),
        file(&results.stimuli),
        file(&results.confused),
        file(&results.concepts),
    ])
}

/// The same of any tables.
pub fn downloads_of<const N: usize>(tables: [(&str, Vec<u8>); N]) -> String {
    let mut left = DOWNLOAD_BYTES;
    let mut links = Vec::new();
    for (name, table) in tables {
        if !table.is_empty() && table.len() <= left {
            left -= table.len();
            let bytes = STANDARD.encode(table);
            links.push(format!("<a download=\"{name}.csv\" href=\"data:text/csv;base64,{bytes}\">{name}.csv</a>"));
        }
    }
    if links.is_empty() {
        String::new()
    } else {
        format!("<p class=\"downloads\">Download: {}</p>\n", links.join(", "))
    }
}

/// A table's name and the bytes of its file; none without rows.
pub fn file<T: Table>(rows: &[T]) -> (&'static str, Vec<u8>) {
    (T::NAME, if rows.is_empty() { Vec::new() } else { table_text(rows).into_bytes() })
}

/// Accuracy and family-wise p of every layer against every word model.
pub fn accuracy(curves: &Curves) -> String {
    let permuted = curves.permuted();
    let models = curves.models.iter();
    let span = if permuted { 2 } else { 1 };
    let heads: String = models
        .clone()
        .map(|model| format!("<th scope=\"colgroup\" colspan=\"{span}\">{}</th>", escape(model.words)))
        .collect();
    let under = if permuted { "<th scope=\"col\">accuracy</th><th scope=\"col\">p, family-wise</th>" } else { "" };
    let second = if permuted { format!("<tr>{}</tr>", under.repeat(curves.models.len())) } else { String::new() };
    let groups: String = models.map(|_| format!("<colgroup span=\"{span}\"></colgroup>")).collect();
    let mut rows = String::new();
    for (n, layer) in curves.layers.iter().enumerate() {
        let cells: String = curves
            .models
            .iter()
            .map(|model| match model.rows[n] {
                Some(row) if permuted => accuracy_cells(row.accuracy, row.permutations, row.p_fwer),
                Some(row) => format!("<td>{}</td>", accuracy_text(row.accuracy)),
                None => format!("<td>{NO_VALUE}</td>").repeat(span),
            })
            .collect();
        let units = match curves.rows().find(|row| row.layer == *layer) {
            Some(row) if row.units > 0 => grouped(row.units),
            _ => NO_VALUE.to_string(),
        };
        rows +=
            &format!("<tr data-layer=\"{n}\"><th scope=\"row\">{}</th><td>{units}</td>{cells}</tr>\n", escape(layer));
    }
    let depth = if permuted { 2 } else { 1 };
    format!(
        "<h3>{name}: 2 vs. 2 accuracy of every layer{note}</h3>\n<div class=\"wide\" role=\"region\" tabindex=\"0\" \
         aria-label=\"Accuracy by layer\"><table data-network=\"{name}\">\n<colgroup span=\"2\"></colgroup>{groups}\n\
         <thead><tr><th scope=\"col\" rowspan=\"{depth}\">Layer</th><th scope=\"col\" rowspan=\"{depth}\">Units</th>{heads}</tr>{second}</thead>\n\
         <tbody>\n{rows}</tbody></table></div>\n",
        name = escape(curves.network),
        note = if permuted { format!("; bold: family-wise p below {SIGNIFICANT}") } else { String::new() },
    )
}

/// Word model against word model; nothing for a single one.
pub fn words(rows: &[WordsRow]) -> String {
    table(
        "Word models against each other, by the same test: what two sets of word vectors agree on",
        &["Words", "Words", "Accuracy", "p", "RSA"],
        2,
        rows.iter().map(|row| {
            let p = drawn_p(row.permutations, row.p_value);
            vec![escape(&row.words_a), escape(&row.words_b), accuracy_text(row.accuracy), p, number(row.rsa)]
        }),
    )
}

/// What the family-wise p-values of a table's rows cover, behind a semicolon, where rows of these word models were drawn and it is
/// known; `each` says of what families are apart beside that.
fn family<'a>(null: Option<Null>, drawn: impl Iterator<Item = &'a str>, each: &str) -> String {
    let models = distinct(drawn).len();
    match null.filter(|_| models > 0) {
        Some(_) => format!("; p-values {}{each}", inference::covers(null, models)),
        None => String::new(),
    }
}

/// The correlations of whole matrices, where they were asked for.
pub fn rsa(rows: &[RsaRow], null: Option<Null>) -> String {
    let drawn = rows.iter().filter(|row| row.permutations > 0).map(|row| row.words.as_str());
    table(
        &format!(
            "Representational similarity analysis: correlation of the matrices' upper triangles{}",
            family(null, drawn, ", each method by itself")
        ),
        &["Words", "Layer", "Method", "Correlation", "p", "p, family-wise", "Noise ceiling"],
        3,
        rows.iter().map(|row| {
            let names = [&row.words, &row.layer, &row.method].map(|name| escape(name));
            let [p, family_wise] = [row.p_value, row.p_fwer].map(|p| drawn_p(row.permutations, p));
            let numbers = [accuracy_text(row.rsa), p, family_wise, range(row.ceiling_low, row.ceiling_high)];
            names.into_iter().chain(numbers).collect()
        }),
    )
}

/// The tests given other spaces, where they were asked for.
pub fn controls(rows: &[ControlRow], null: Option<Null>) -> String {
    let drawn = rows.iter().filter(|row| row.permutations > 0).map(|row| row.words.as_str());
    let family = family(null, drawn.clone(), ", each measure and what is given by itself");
    let in_draws = inference::in_every_draw(drawn.count() > 0);
    table(
        &format!("Given other spaces: their similarities regressed out of both sides{in_draws}{family}"),
        &["Words", "Given", "Layer", "Measure", "Value", "Nothing given", "p", "p, family-wise"],
        4,
        rows.iter().map(|row| {
            let names = [&row.words, &row.given, &row.layer, &row.measure].map(|name| escape(name));
            let [p, family_wise] = [row.p_value, row.p_fwer].map(|p| drawn_p(row.permutations, p));
            let numbers = [accuracy_text(row.value), accuracy_text(row.without), p, family_wise];
            names.into_iter().chain(numbers).collect()
        }),
    )
}

/// The values of RSA and all differences with their intervals, where they were asked for: accuracies have a table.
pub fn intervals(rows: &[IntervalRow], told: Said) -> String {
    let over = match rows.first().map_or("", |row| &row.over) {
        "both" => format!("concepts and {}", told.all()),
        "groups" => told.all().to_string(),
        over => over.to_string(),
    };
    let over = escape(&over);
    table(
        &format!(
            "Intervals over other {over}; p-values two-sided, against a value or difference of 0; family-wise over all rows of \
             one measure and kind that vary"
        ),
        &["Layer", "Measure", "Words", "minus", "Value", "95 % interval", "p", "p, family-wise"],
        4,
        rows.iter().filter(|row| row.p_value.is_some()).map(|row| {
            let less = match row.kind.as_str() {
                "ceiling" => "lower noise ceiling",
                "layers" => row.less_layer.as_deref().unwrap_or_default(),
                _ => row.less.as_deref().unwrap_or_default(),
            };
            let names = [row.layer.as_str(), &row.measure, &row.words, less].map(escape);
            let interval = range(Some(row.ci_low), Some(row.ci_high));
            let [p, family_wise] = [row.p_value, row.p_fwer].map(|p| p_value(p.unwrap_or(f64::NAN)));
            let numbers = [accuracy_text(row.value), interval, p, family_wise];
            names.into_iter().chain(numbers).collect()
        }),
    )
}

/// The parts of the layers' variance, where they were asked for.
pub fn partition(rows: &[PartitionRow]) -> String {
    table(
        "Explained variance",
        &["Layer", "Part", "", "Share", "95 % interval"],
        3,
        rows.iter().map(|row| {
            let names = [&row.layer, &row.part, &row.kind].map(|name| escape(name));
            names.into_iter().chain([accuracy_text(row.explained), range(row.ci_low, row.ci_high)]).collect()
        }),
    )
}

/// The test of misclassified images, where it was asked for.
pub fn one_vs_two(rows: &[OneVsTwoRow], null: Option<Null>) -> String {
    let drawn = rows.iter().filter(|row| row.permutations > 0).map(|row| row.words.as_str());
    table(
        &format!(
            "1 vs. 2: misclassified images whose activations are nearer to the true class than to the predicted one{}",
            family(null, drawn, "")
        ),
        &["Words", "Layer", "Images", "Accuracy", "Chance", "p", "p, family-wise"],
        2,
        rows.iter().map(|row| {
            let names = [&row.words, &row.layer].map(|name| escape(name));
            let ps = [row.p_value, row.p_fwer].map(|p| drawn_p(row.permutations, p));
            let chance = row.null().map_or(f64::NAN, |(mean, ..)| mean);
            let accuracies = [row.accuracy, chance].map(accuracy_text);
            let numbers = std::iter::once(grouped(row.images)).chain(accuracies).chain(ps);
            names.into_iter().chain(numbers).collect()
        }),
    )
}

/// A table whose first `names` columns are text; nothing without rows. Cells are HTML. A column without a
/// value in any row, as of the layers of words that have none, is left out.
pub fn table(caption: &str, heads: &[&str], names: usize, rows: impl Iterator<Item = Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    let has_value = |cells: &Vec<String>, column: usize| !["", NO_VALUE].contains(&cells[column].as_str());
    let shown: Vec<usize> =
        (0..heads.len()).filter(|&column| rows.iter().any(|cells| has_value(cells, column))).collect();
    let class = |column: usize| if column < names { " class=\"name\"" } else { "" };
    let row = |cells: &Vec<String>| {
        let cells = shown.iter().map(|&column| format!("<td{}>{}</td>", class(column), cells[column]));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let body: String = rows.iter().map(row).collect();
    let heads: String =
        shown.iter().map(|&column| format!("<th scope=\"col\"{}>{}</th>", class(column), heads[column])).collect();
    format!(
        "<h3>{caption}</h3>\n<div class=\"tall\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::alignment;
    use crate::report::curves::tests::rows;
    use crate::results::{AccuracyRow, write_table};

    #[test]
    fn of_one_layer_none_is_best() {
        let said = |labels: &[String]| {
            let table = rows("net", labels, &["GloVe"]);
            summary(&Curves::under(None, &table)[0], Said::RUN)
        };
        assert!(said(&["a".into(), "b".into()]).contains("<strong>GloVe</strong> best"));
        assert!(said(&["a".into()]).contains("<strong>GloVe</strong> at a: "));
        let measures = |layers: &[&str]| {
            let table = alignment::tests::rows(&[""], layers);
            (best_said(&table, None), super::measures(&table, None))
        };
        let (said, table) = measures(&["a", "b"]);
        assert!(said.contains("<strong>GPT</strong>, best layer by cka: b: 0.100; over all layers"), "{said}");
        assert!(!table.contains("best layer of"), "the words have one");
        let columns = |table: &str| (table.contains("Layer, words"), table.matches("<th ").count());
        let with_layers = super::measures(&alignment::tests::rows(&["h1"], &["a", "b"]), None);
        assert_eq!([columns(&table), columns(&with_layers)], [(false, 9), (true, 10)], "no intervals, no ceilings");
        assert!(measures(&["a"]).0.contains("<strong>GPT</strong> by cka: a: 0.000; calibrated"));
    }

    #[test]
    fn a_download_has_the_bytes_of_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let table: Vec<AccuracyRow> = rows("net, \"a\"", &["a".into(), "b".into()], &["GloVe"]);
        write_table(directory.path(), &table).unwrap();
        let (name, bytes) = file(&table);
        assert_eq!(bytes, std::fs::read(directory.path().join(format!("{name}.csv"))).unwrap());
        assert_eq!(file::<AccuracyRow>(&[]).1, b"");
    }
}
