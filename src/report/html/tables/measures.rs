//! The measures of alignment: their best pairs in sentences, or in a table where these would be too many, and all.

use std::collections::HashMap;

use super::{accuracy_text, drawn_p, number, range, table};
use crate::names::distinct;
use crate::report::alignment::{self, Over};
use crate::report::best::Best;
use crate::report::canvas::escape;
use crate::report::curves::highest;
use crate::report::inference::{self, Null};
use crate::report::material::Said;
use crate::results::MeasureRow;
use crate::stats::inference::Tail;
use crate::wording::{grouped, listed};

/// So many best pairs are told in sentences above the page.
const SENTENCES: usize = 3;

/// The best pair of layers of every measure and word space.
fn best_pairs(rows: &[MeasureRow], null: Option<Null>) -> Vec<Best<'_, MeasureRow>> {
    rows.chunk_by(|a, b| a.words == b.words && a.measure == b.measure)
        .filter_map(|rows| Best::of(rows.iter(), null))
        .collect()
}

/// The sizes of a comparison by measures alone, in a sentence.
pub fn sizes(rows: &[MeasureRow], told: Said, null: Option<Null>) -> String {
    let Some(row) = rows.first() else { return String::new() };
    let mut sizes = vec![format!("{} concepts", grouped(row.concepts)), told.groups(row.groups)];
    sizes.extend(inference::permutations(null, rows.iter().map(|row| row.permutations)));
    format!("<p>{}.</p>\n", escape(&sizes.join(", ")))
}

/// The best pairs in sentences; of many, where they are.
pub fn best_said(rows: &[MeasureRow], null: Option<Null>) -> String {
    let (best, over) = (best_pairs(rows, null), Over::of(rows, null));
    let Some(first) = best.first().filter(|_| best.len() > SENTENCES) else {
        let said = |best: &Best<MeasureRow>| {
            let chosen = best.chosen(", ", &format!(" {}", alignment::what(best.row)), "");
            let (words, measure) = (escape(&best.row.words), escape(&best.row.measure));
            let said = escape(&alignment::said(best, over));
            format!("<p><strong>{words}</strong>{chosen} by {measure}: {said}.</p>\n")
        };
        return best.iter().map(said).collect();
    };
    let measures = distinct(best.iter().map(|best| best.row.measure.as_str()));
    format!(
        "<p>{} {} by {}: <a href=\"#best\">a table</a>.</p>\n",
        if first.alone { "The only" } else { "Best" },
        alignment::what(first.row),
        escape(&listed(&measures))
    )
}

/// The best pairs, where sentences would be too many.
fn best_table(rows: &[MeasureRow], null: Option<Null>) -> String {
    let (best, over) = (best_pairs(rows, null), Over::of(rows, null));
    if best.len() <= SENTENCES {
        return String::new();
    }
    let row = |row: &MeasureRow| {
        let names = [&row.words, &row.measure, &row.words_layer, &row.layer].map(|name| escape(name));
        let numbers = [Some(row.value), row.calibrated_both, row.tau_both].map(number);
        names.into_iter().chain(numbers).chain([drawn_p(row.permutations, over.p(row))]).collect()
    };
    let heads = [
        "Words",
        "Measure",
        "Layer, words",
        "Layer, images",
        "Value",
        "Calibrated, τ over all pairs",
        "τ over all pairs",
        match over {
            Over::Pairs => "p, all pairs",
            Over::Models => "p, all pairs and word models",
        },
    ];
    let which = if best[0].alone { "only" } else { "best" };
    let caption = format!("The {which} {} by each measure", alignment::what(best[0].row));
    let table = table(&caption, &heads, 4, best.into_iter().map(|best| row(best.row)));
    format!("<div id=\"best\">{table}</div>\n")
}

/// The best of the layers of the words' side; where high values count the highest, as in the figure of measures.
fn outlying<'a>(pairs: &[&'a MeasureRow], null: Option<Null>) -> Option<&'a MeasureRow> {
    match null.map_or(Tail::Upper, |null| null.rule.tail) {
        Tail::Upper => highest(pairs.iter().copied().filter(|row| row.value.is_finite()), |row| row.value),
        _ => Best::of(pairs.iter().copied(), null).map(|best| best.row),
    }
}

/// The measures of alignment, where they were asked for; of many pairs the best at each layer of the images.
pub fn measures(rows: &[MeasureRow], null: Option<Null>) -> String {
    let of_layer =
        |a: &&MeasureRow, b: &&MeasureRow| a.words == b.words && a.measure == b.measure && a.layer == b.layer;
    let (mut layers, mut parts) = (HashMap::new(), HashMap::new());
    for (n, row) in rows.iter().enumerate() {
        layers.entry(&row.layer).or_insert(n);
        parts.entry((&row.words, &row.measure)).or_insert(n);
    }
    let mut sorted: Vec<&MeasureRow> = rows.iter().collect();
    sorted.sort_by_key(|row| (parts[&(&row.words, &row.measure)], layers[&row.layer]));
    let shown = sorted.chunk_by(of_layer).filter_map(|pairs| outlying(pairs, null));
    let which = match sorted.chunk_by(of_layer).any(|pairs| pairs.len() > 1) {
        true => ": of each layer of the images the best layer of the words\u{2019} side (measures.csv has all pairs)",
        false => "",
    };
    let over = Over::of(rows, null);
    // `generalise` is of accuracies and RSA alone.
    let of_intervals = if rows.iter().any(|row| row.ci_low.is_some()) { "; intervals over concepts" } else { "" };
    let all = table(
        &format!("Measures of alignment{which}{of_intervals}"),
        &[
            "Words",
            "Layer, words",
            "Layer, images",
            "Measure",
            "Value",
            "95 % interval",
            "Ceiling",
            "Calibrated, own τ",
            "own τ",
            "p",
            if over == Over::Models { "p, all word models" } else { "p, layers" },
            "p, all pairs",
        ],
        4,
        shown.map(|row| {
            let names = [&row.words, &row.words_layer, &row.layer, &row.measure].map(|name| escape(name));
            let ps = [row.p_value, row.p_fwer, row.p_both].map(|p| drawn_p(row.permutations, p));
            let value = [accuracy_text(row.value), range(row.ci_low, row.ci_high)];
            let calibrated = [range(row.ceiling_low, row.ceiling_high), number(row.calibrated), number(row.tau)];
            names.into_iter().chain(value).chain(calibrated).chain(ps).collect()
        }),
    );
    best_table(rows, null) + &all
}
