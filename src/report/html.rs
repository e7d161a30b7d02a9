//! `report.html`: the experiment as one page that needs nothing but itself, not even a network.
//!
//! The page is `page.html` with `page.css` and `page.js` in it. Its tables, text and figures are written here and stand
//! without JavaScript; the script gives the figures a pointer and a keyboard, and shows single layers and concepts from
//! the JSON of [`data`], [`matrices`] and [`pictures`].

mod comparison;
mod data;
mod drawings;
mod matrices;
mod methods;
mod networks;
mod pictures;
mod provenance;
mod tables;

pub use methods::references;

pub use comparison::write as write_comparison;
pub use networks::write as write_networks;

use std::path::PathBuf;

use serde::Serialize;

use crate::record::RunRecord;
use crate::report::canvas::escape;
use crate::report::material::Said;
use crate::report::{Drawing, Material, ReportError};
use crate::results::{MADE, ResultsDir, write_atomically};

/// What mail servers and their readers take without complaint.
const PAGE_BYTES: usize = 5_000_000;
/// Of these for the similarity matrices; the pictures get what is left.
const MATRICES_BYTES: usize = 1_200_000;

/// Writes `report.html`, with the figures among `drawings` that it has a place for; returns its path.
///
/// # Errors
/// Results without rows; a matrix that cannot be read; a page that cannot be written.
pub fn write(material: &Material, drawings: &[Drawing]) -> Result<PathBuf, ReportError> {
    save(&material.directory, &page(material, drawings)?)
}

/// Writes a page as `report.html`; returns its path.
fn save(directory: &ResultsDir, page: &str) -> Result<PathBuf, ReportError> {
    let path = directory.page();
    write_atomically(&path, |file| file.write_all(page.as_bytes()))?;
    Ok(path)
}

/// What every page begins with, up to its navigation; `heading` and `summary` are HTML.
fn head(title: &str, heading: &str, summary: &str, scripted: bool) -> String {
    fill(include_str!("html/head.html"), |part| match part {
        "made" => MADE.to_string(),
        "scripts" => if scripted { "; script-src 'unsafe-inline'" } else { "" }.to_string(),
        "title" => escape(title),
        "style" => include_str!("html/page.css").to_string(),
        "heading" => heading.to_string(),
        "summary" => summary.to_string(),
        unknown => unreachable!("head.html has no part {unknown}"),
    })
}

fn page(material: &Material, drawings: &[Drawing]) -> Result<String, ReportError> {
    let results = material.results;
    let (networks, null) = (material.curves(), material.null());
    let tested = networks.first();
    let of_measures = || results.measures.first().map(|row| row.network.as_str());
    let Some(network) = tested.map(|curves| curves.network).or_else(of_measures) else {
        return Err(ReportError::NoRows { figure: "report", table: "accuracy.csv" });
    };
    let record = material.record.as_ref().map(RunRecord::without_folders);
    let told = record.as_ref().map_or(Said::RUN, Said::of);
    let network = told.network(network);
    let matrices = embedded(&matrices::read(&networks, material, MATRICES_BYTES)?);
    let methods = methods::paragraphs(results, record.as_ref());
    let sizes = || tables::sizes(&results.measures, told, null);
    let summary = tested.map_or_else(sizes, |curves| tables::summary(curves, told));
    let summary = summary + &tables::best_said(&results.measures, null);
    let part = |part: &str| match part {
        "head" => head(&format!("{network}: words and layers"), &escape(&network), &summary, true),
        // The script shows layers and concepts of the 2 vs. 2 test.
        "elements" | "script" if tested.is_none() => String::new(),
        "elements" => include_str!("html/elements.js").to_string(),
        "script" => include_str!("html/page.js").to_string(),
        "copy" => include_str!("html/copy.js").to_string(),
        "no-curves" => if tested.is_some() { "" } else { " hidden" }.to_string(),
        "over" => over(told),
        "curves" => drawings::of(drawings, "accuracy"),
        // What the configuration says of its images.
        "note" => {
            let run = record.as_ref().and_then(RunRecord::run);
            run.and_then(|run| run.config.stimuli.note.as_deref()).map_or_else(String::new, note)
        }
        "templates" => networks.iter().map(|curves| drawings::template(curves, told)).collect(),
        "figures" => drawings::further(drawings, told),
        "accuracy" => networks.iter().map(tables::accuracy).collect(),
        "words" => tables::words(&results.words),
        "rsa" => tables::rsa(&results.rsa, null),
        "measures" => tables::measures(&results.measures, null),
        "controls" => tables::controls(&results.controls, null),
        "partition" => tables::partition(&results.partition),
        "intervals" => tables::intervals(&results.intervals, told),
        "one_vs_two" => tables::one_vs_two(&results.one_vs_two, null),
        "downloads" => tables::downloads(results),
        "mistakes" | "mistakes-link" if results.misclassified.is_empty() => String::new(),
        "mistakes" => include_str!("html/mistakes.html").to_string(),
        "mistakes-link" => "<a href=\"#mistakes\" class=\"scripted\">Mistakes</a>".to_string(),
        "methods" => methods.iter().map(methods::Paragraph::html).collect(),
        "provenance" => provenance::html(record.as_ref()),
        "data" => embedded(&data::Data::new(results, &networks, &material.categories, told)),
        "matrices" => matrices.clone(),
        unknown => unreachable!("page.html has no part {unknown}"),
    };
    // The pictures get what the rest leaves.
    let template = include_str!("html/page.html").split_once("{{pictures}}");
    let (before, after) = template.expect("page.html has a place for pictures");
    let [before, after] = [before, after].map(|half| fill(half, part));
    let left = PAGE_BYTES.saturating_sub(before.len() + after.len());
    Ok(before + &embedded(&pictures::read(material, left)) + &after)
}

/// Along what accuracy is drawn.
fn over(told: Said) -> String {
    match told.axis {
        Some(axis) => format!("along \u{201c}{}\u{201d}", escape(axis)),
        None if told.unordered => "layer by layer".to_string(),
        None => "over depth".to_string(),
    }
}

/// What a reader should know.
fn note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>", escape(text))
}

/// JSON that may stand in a `<script>`: nothing in it can end the element.
fn embedded(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("structs of names and numbers are JSON").replace('<', "\\u003c")
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
