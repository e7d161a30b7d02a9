//! `report.html`: the experiment as one page that needs nothing but itself, not even a network.
//!
//! The page is `page.html` with `page.css`, `chart.js` and `page.js` in it. Its tables, text and a static figure are
//! written here and stand without JavaScript; the script draws the rest from the JSON of [`data`], [`matrices`] and
//! [`pictures`].

mod data;
mod matrices;
mod methods;
mod pictures;
mod provenance;
mod tables;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::record::RunRecord;
use crate::report::accuracy::Accuracy;
use crate::report::canvas::{DrawError, svg};
use crate::report::curves::Curves;
use crate::report::{ReportError, Writer};
use crate::results::{Results, ResultsDir, write_atomically};

/// `report.html`
pub const WRITER: Writer = Writer { name: "report", write };

/// What mail servers and their readers take without complaint.
const PAGE_BYTES: usize = 5_000_000;
/// Of these for the similarity matrices; the pictures get what is left.
const MATRICES_BYTES: usize = 1_200_000;

fn write(results: &Results, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let path = ResultsDir::new(directory).page();
    let page = page(results, directory)?;
    write_atomically(&path, |file| file.write_all(page.as_bytes()))?;
    Ok(vec![path])
}

fn page(results: &Results, directory: &Path) -> Result<String, ReportError> {
    let networks = Curves::of_networks(&results.accuracy);
    let Some(first) = networks.first() else {
        return Err(ReportError::NoRows { figure: WRITER.name, table: "accuracy.csv" });
    };
    let of_run = ResultsDir::new(directory);
    let recorded = RunRecord::read(&of_run)?;
    let record = recorded.as_ref().map(RunRecord::without_folders);
    let title = format!("{}: words and layers", first.network);
    let data = embedded(&data::Data::new(results, &networks, &of_run.categories()?));
    let matrices = embedded(&matrices::read(&networks, &of_run, MATRICES_BYTES)?);
    let methods = methods::paragraphs(results, record.as_ref());
    let figures = figures(results).map_err(|source| ReportError::Draw { path: of_run.page(), source })?;
    let parts = |pictures: &str| {
        fill(include_str!("html/page.html"), |part| match part {
            "title" => escape(&title),
            "style" => include_str!("html/page.css").to_string(),
            "chart" => include_str!("html/chart.js").to_string(),
            "script" => include_str!("html/page.js").to_string(),
            "network" => escape(first.network),
            "summary" => tables::summary(first),
            "figure" => figures.clone(),
            "accuracy" => networks.iter().map(tables::accuracy).collect(),
            "words" => tables::words(&results.words),
            "rsa" => tables::rsa(&results.rsa),
            "one_vs_two" => tables::one_vs_two(&results.one_vs_two),
            "mistakes" if results.misclassified.is_empty() => String::new(),
            "mistakes" => include_str!("html/mistakes.html").to_string(),
            "mistakes-link" if results.misclassified.is_empty() => String::new(),
            "mistakes-link" => "<a href=\"#mistakes\" class=\"scripted\">Mistakes</a>".to_string(),
            "methods" => methods.iter().map(methods::Paragraph::html).collect(),
            "provenance" => provenance::html(record.as_ref()),
            "data" => data.clone(),
            "matrices" => matrices.clone(),
            "pictures" => pictures.to_string(),
            unknown => unreachable!("page.html has no part {unknown}"),
        })
    };
    let left = PAGE_BYTES.saturating_sub(parts("").len());
    let pictures = pictures::read(results, recorded.as_ref(), directory, left);
    Ok(parts(&embedded(&pictures)))
}

/// The static figure of each network, which the script replaces.
fn figures(results: &Results) -> Result<String, DrawError> {
    let of_network = |curves: Curves| {
        let label = format!("2 vs. 2 accuracy of {} against layer; the numbers are in the table below", curves.network);
        let drawn = svg(&Accuracy(curves))?;
        // The page gives it its width.
        let (_, rest) = drawn.split_once(" viewBox").unwrap_or_default();
        Ok(format!("<svg role=\"img\" aria-label=\"{}\" viewBox{rest}", escape(&label)))
    };
    Curves::of_networks(&results.accuracy).into_iter().map(of_network).collect()
}

/// JSON that may stand in a `<script>`: nothing in it can end the element.
fn embedded(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("structs of names and numbers are JSON").replace('<', "\\u003c")
}

/// Text as HTML, also within a quoted attribute.
fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// The template with every `{{part}}` replaced, once: a part may itself contain braces.
fn fill(template: &str, part: impl Fn(&str) -> String) -> String {
    let mut pieces = template.split("{{");
    let mut page = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or((piece, ""));
        page.push_str(&part(name));
        page.push_str(rest);
    }
    page
}

#[cfg(test)]
mod tests;
