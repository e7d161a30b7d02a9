//! Where the results come from, in `run.json`'s words.

use crate::config::Bytes;
use crate::record::{Command, RunRecord};
use crate::report::canvas::escape;

/// What ran where, the checksums, and the record itself.
pub fn html(record: Option<&RunRecord>) -> String {
    let Some(record) = record else {
        return "<p>The results have no run.json.</p>".to_string();
    };
    let device = &record.device;
    let origin = &record.origin;
    let version = match &origin.commit {
        Some(commit) => format!("{}, commit {commit}", record.semgpu),
        None => record.semgpu.clone(),
    };
    let mut rows = vec![("semgpu", version)];
    let said =
        [("Date", origin.date.clone()), ("Command", origin.arguments.join(" ")), ("Machine", origin.machine.clone())];
    rows.extend(said.into_iter().filter(|(_, value)| !value.is_empty()));
    rows.push(("Device", device.name.clone()));
    if let Some(adapter) = &device.adapter {
        rows.push(("Back-end, driver", format!("{}, {}", adapter.backend, adapter.driver)));
    }
    rows.push(("CPU threads", record.threads.to_string()));
    rows.push(("Duration", format!("{:.0} s", record.seconds.total)));
    rows.extend(record.peak_bytes.map(|bytes| ("Peak memory", Bytes(bytes).to_string())));
    if let Command::Run(run) = &record.command {
        let sums = &run.checksums;
        rows.extend(sums.weights.iter().map(|sum| ("Weights, SHA-256", sum.clone())));
        rows.push(("Images, SHA-256 of all", sums.images.clone()));
        let words = run.config.words.iter().zip(&sums.words);
        rows.extend(words.map(|(words, sum)| ("Words, SHA-256", format!("{sum} ({})", words.name))));
    }
    rows.extend(record.warnings.iter().map(|warning| ("Warning", warning.clone())));
    let rows: String =
        rows.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", escape(value))).collect();
    let json = serde_json::to_string_pretty(record).unwrap_or_default();
    format!(
        "<dl class=\"facts\">\n{rows}</dl>\n<details><summary>run.json, folders left out</summary><pre tabindex=\"0\">{}</pre>\
         </details>",
        escape(&json)
    )
}
