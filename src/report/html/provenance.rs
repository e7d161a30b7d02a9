//! Where the results come from, in `run.json`'s words.

use crate::config::Bytes;
use crate::record::{Origin, Run, RunRecord};
use crate::report::canvas::escape;
use crate::wording::shell;

/// What ran where, the checksums, and the record itself.
pub fn html(record: Option<&RunRecord>) -> String {
    let Some(record) = record else {
        return "<p>The results have no run.json.</p>".to_string();
    };
    let device = &record.device;
    let mut rows = origin(&record.semgpu, &record.origin);
    rows.push(("Device", device.name.clone()));
    if let Some(adapter) = &device.adapter {
        rows.push(("Back-end, driver", format!("{}, {}", adapter.backend, adapter.driver)));
    }
    rows.push(("CPU threads", record.threads.to_string()));
    rows.push(("Duration", format!("{:.0} s", record.seconds.total)));
    rows.extend(record.peak_bytes.map(|bytes| ("Peak memory", Bytes(bytes).to_string())));
    if let Some(run) = record.run() {
        rows.extend(run.checksums.weights.iter().map(|sum| ("Weights, SHA-256", sum.clone())));
        rows.extend(images_and_words(run));
    }
    rows.extend(record.warnings.iter().map(|warning| ("Warning", warning.clone())));
    let json = serde_json::to_string_pretty(record).unwrap_or_default();
    format!(
        "{}\n<details><summary>run.json, folders left out</summary><pre tabindex=\"0\">{}</pre>\
         </details>",
        facts(rows),
        escape(&json)
    )
}

/// Of what, when, how and where.
pub fn origin(semgpu: &str, origin: &Origin) -> Vec<(&'static str, String)> {
    let version = match &origin.commit {
        Some(commit) => format!("{semgpu}, commit {commit}"),
        None => semgpu.to_string(),
    };
    let said =
        [("Date", origin.date.clone()), ("Command", command(&origin.arguments)), ("Machine", origin.machine.clone())];
    let said = said.into_iter().filter(|(_, value)| !value.is_empty());
    std::iter::once(("semgpu", version)).chain(said).collect()
}

/// What went into a run beside the weights: all networks of a sweep share it.
pub fn images_and_words(run: &Run) -> Vec<(&'static str, String)> {
    let words = run.config.words.iter().zip(&run.checksums.words);
    let words = words.map(|(words, sum)| ("Words, SHA-256", format!("{sum} ({})", words.name)));
    std::iter::once(("Images, SHA-256 of all", run.checksums.images.clone())).chain(words).collect()
}

/// A command line that a shell takes: what means something to it stands in quotes.
fn command(arguments: &[String]) -> String {
    arguments.iter().map(|argument| shell(argument)).collect::<Vec<_>>().join(" ")
}

/// Names and values as a list.
pub fn facts(rows: Vec<(&'static str, String)>) -> String {
    let rows = rows.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", escape(value)));
    format!("<dl class=\"facts\">\n{}</dl>", rows.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let arguments = ["semgpu", "run", "--set", "network.layers=[\"fire9\"]", "it's", "", "a/b-c_1.npy"];
        let command = command(&arguments.map(String::from));
        let quoted = if cfg!(windows) {
            r#"semgpu run --set "network.layers=[\"fire9\"]" "it's" "" a/b-c_1.npy"#
        } else {
            r#"semgpu run --set 'network.layers=["fire9"]' 'it'\''s' '' a/b-c_1.npy"#
        };
        assert_eq!(command, quoted);
    }
}
