//! In what the run of a directory, finished or not, differs from one that is about to be made there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Checksums, Command, RunRecord, Test, folders};
use crate::config::{Config, RunConfig, TestRequest};
use crate::error::FileError;
use crate::matrices::{Read, Side};
use crate::results::{ClaimError, Ledger, ResultsDir};
use crate::wording::grouped;

/// Whether a run of these parts may go where it is to; returns what it replaces there, or with `fresh` removes, in words.
///
/// # Errors
/// [`ClaimError::Other`]: the matrices of another experiment, or results whose word models are all others by name and file.
pub fn check(
    (config, checksums): (&Config, &Checksums),
    fresh: bool,
    parts: impl FnOnce() -> Vec<(String, Value)>,
) -> Result<Option<String>, ClaimError> {
    let directory = ResultsDir::new(config.out());
    let removed = check_free(&directory, &checksums.similarity, fresh, parts)?;
    let Ok(Some(record)) = RunRecord::read(&directory) else { return Ok(removed) };
    let Some(there) = record.run().filter(|_| removed.is_none()) else { return Ok(removed) };
    if shares_words((&there.config, &there.checksums), (config, checksums)) {
        return Ok(replaced(&record, &of_run(config, checksums)));
    }
    let names = |config: &Config| config.words.iter().map(|words| words.name.clone()).collect::<Vec<_>>().join(", ");
    let differs = format!(" (words: {} there, {} here)", names(&there.config), names(config));
    removed_by(fresh, ClaimError::Other { path: directory.root().into(), found: "results", differs, fresh: true })
}

/// Whether a directory is free for an experiment of these parts; returns what `fresh` removes of another one there, in words.
///
/// # Errors
/// [`ClaimError::Other`] says the first part in which what lies there is another.
pub fn check_free(
    directory: &ResultsDir,
    experiment: &str,
    fresh: bool,
    parts: impl FnOnce() -> Vec<(String, Value)>,
) -> Result<Option<String>, ClaimError> {
    match directory.check_experiment(experiment, false) {
        Err(error) => removed_by(fresh, error.differing(|| differs(directory, &parts()))),
        Ok(()) => Ok(None),
    }
}

/// What stands in an experiment's way, in words, where it goes.
fn removed_by(fresh: bool, error: ClaimError) -> Result<Option<String>, ClaimError> {
    match error {
        ClaimError::Other { found, differs, fresh: true, .. } if fresh => {
            Ok(Some(format!("removes the {found} of another experiment{differs}")))
        }
        other => Err(other),
    }
}

/// Whether two runs have a word model in common, by its name or its file.
fn shares_words(there: (&Config, &Checksums), here: (&Config, &Checksums)) -> bool {
    let words = |(config, checksums): (&Config, &Checksums)| -> Vec<(String, String)> {
        config.words.iter().map(|words| words.name.clone()).zip(checksums.words.clone()).collect()
    };
    let here = words(here);
    words(there).iter().any(|(name, sum)| here.iter().any(|(own, own_sum)| own == name || own_sum == sum))
}

/// What a run was asked, files by their names and checksums.
fn of_run(config: &Config, checksums: &Checksums) -> Value {
    let mut config = config.clone();
    folders::remove(config.paths_mut());
    let mut asked = json!(config);
    asked["SHA-256"] = json!(checksums);
    asked
}

/// What a test was asked, files by their names: their checksums are the experiment's.
pub fn of_test(request: &TestRequest) -> Value {
    let mut request = request.clone();
    folders::remove(request.paths_mut());
    json!(request)
}

/// What of a configuration may not change between shards, files by their names.
pub(crate) fn to_cut(config: &Config) -> Value {
    let mut config = config.clone();
    (config.run, config.network.label) = (RunConfig::default(), None);
    folders::remove(config.paths_mut());
    // As a file gives it back, to the last digit.
    serde_json::from_str(&json!(config).to_string()).expect("written as JSON")
}

/// In what one is other than the [one](crate::plan::Plan::cut_from) that was cut, in words; none where that is not known.
pub fn changed(cut: &Value, here: &Value) -> Option<String> {
    let mut found = Vec::new();
    for part in ["semgpu", "device", "SHA-256", "config"] {
        let key = if part == "config" { "" } else { part };
        differences(key, &cut[part], &here[part], &mut found);
    }
    first(found).filter(|_| cut.is_object())
}

/// The same of a configuration, whose files are not looked into.
pub fn changed_config(cut: &Value, config: &Config) -> Option<String> {
    let mut found = Vec::new();
    differences("", &cut["config"], &to_cut(config), &mut found);
    first(found).filter(|_| cut.is_object())
}

/// The first of these differences, if there are any.
fn first(mut found: Vec<String>) -> Option<String> {
    /// So many are said.
    const SAID: usize = 3;
    let more = if found.len() > SAID { "; …" } else { "" };
    found.truncate(SAID);
    (!found.is_empty()).then(|| found.join("; ") + more)
}

/// What the results of a record were asked otherwise than `here`, in words; none where nothing differs.
pub fn replaced(record: &RunRecord, here: &Value) -> Option<String> {
    /// Where and how it runs changes no result.
    const ASIDE: [&str; 5] = ["run", "out", "device", "threads", "fresh"];
    let there = match &record.command {
        Command::Run(run) => of_run(&run.config, &run.checksums),
        Command::Test(test) => of_test(&test.config),
    };
    let of_results = |value: &Value| -> Value {
        let keys = value.as_object().into_iter().flatten();
        keys.filter(|(key, _)| !ASIDE.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    let mut found = Vec::new();
    differences("", &of_results(&there), &of_results(here), &mut found);
    first(found).map(|found| format!("replaces the results of {}: {found}", record.origin.date))
}

/// Every value that is another there than here, by its key.
fn differences(key: &str, there: &Value, here: &Value, found: &mut Vec<String>) {
    let below = |name: &str| if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
    match (there, here) {
        _ if there == here => {}
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            keys.for_each(|name| differences(&below(name), &there[name], &here[name], found));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let both = a.iter().zip(b).enumerate();
            both.for_each(|(n, (there, here))| differences(&below(&n.to_string()), there, here, found));
        }
        _ => found.push(match key.strip_prefix("SHA-256.") {
            Some(of) => format!("{of} of other content"),
            None => format!("{key} {} -> {}", said(there), said(here)),
        }),
    }
}

/// A text as a part of a line: its first words, without what moves a terminal's cursor.
fn brief(text: &str) -> String {
    const LONGEST: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    let shown: String = line.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if shown.len() < text.len() { shown + "…" } else { shown }
}

/// A value as a line has it; of what has a name, this.
fn said(value: &Value) -> String {
    match value {
        Value::Null => "none".to_string(),
        Value::String(text) => brief(text),
        Value::Number(number) if number.is_u64() => grouped(number),
        Value::Array(all) if all.is_empty() => "none".to_string(),
        Value::Array(all) => all.iter().map(said).collect::<Vec<_>>().join(", "),
        Value::Object(section) => section.get("name").map_or_else(|| "given".to_string(), said),
        other => other.to_string(),
    }
}

/// The part that tests alone have.
const OF_TESTS: &str = "read as";

/// What decides the results of a test of these concepts, what a user would look at first at the front.
pub fn parts_of_test(test: &Test, concepts: &[String]) -> Vec<(String, Value)> {
    let Test { config, read, checksums, .. } = test;
    let names = |side| read.iter().filter(|read| read.side == side).map(|read| read.name.as_str()).collect::<Vec<_>>();
    let files = |sums: &BTreeMap<String, String>| {
        sums.iter().map(|(name, sum)| format!("{name}, SHA-256 {sum}")).collect::<Vec<_>>()
    };
    let sources = config.words.iter().chain(&config.images);
    let arrays: Vec<String> =
        sources.map(|source| format!("{}, {}", source.name, source.array.as_deref().unwrap_or("whole"))).collect();
    // Where a file lies decides nothing.
    let as_read = read.iter().map(|read| Read { path: read.name.clone().into(), ..read.clone() }.to_string());
    let parts = [
        ("semgpu", json!(env!("CARGO_PKG_VERSION"))),
        ("network", json!(config.network)),
        ("words", json!(names(Side::Words))),
        ("images", json!(names(Side::Images))),
        ("files of words", json!(files(&checksums.words))),
        ("files of images", json!(files(&checksums.images))),
        ("files of what is given", json!(files(&checksums.controls))),
        ("arrays", json!(arrays)),
        ("concepts", json!(concepts)),
        (OF_TESTS, json!(as_read.collect::<Vec<_>>())),
    ];
    parts.map(|(key, value)| (key.to_string(), value)).to_vec()
}

/// Keeps them beside the matrices that they decide.
///
/// # Errors
/// The list of matrices cannot be written.
pub fn keep(directory: &ResultsDir, parts: Vec<(String, Value)>) -> Result<(), FileError> {
    let ledger = Ledger::read(directory);
    if ledger.parts == parts { Ok(()) } else { Ledger { parts, ..ledger }.write(directory) }
}

/// The first of them in which the run of a directory is another; none where nothing there says it.
fn differs(directory: &ResultsDir, parts: &[(String, Value)]) -> Option<String> {
    let Ledger { command, parts: there, .. } = Ledger::read(directory);
    let is_test = |parts: &[(String, Value)]| parts.iter().any(|(key, _)| key == OF_TESTS);
    if command == "test" && !is_test(parts) {
        return Some("a test's".to_string());
    }
    if is_test(parts) != is_test(&there) {
        return None;
    }
    let (key, there, here) = parts.iter().find_map(|(key, here)| {
        let (_, there) = there.iter().find(|(other, there)| other == key && there != here)?;
        Some((key, there, here))
    })?;
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    let (Some(there), Some(here)) = (there.as_array(), here.as_array()) else {
        return Some(format!("{key}: {} there, {} here", plain(there), plain(here)));
    };
    if there.len() != here.len() {
        return Some(format!("{key}: {} there, {} here", there.len(), here.len()));
    }
    let first = there.iter().zip(here).position(|(there, here)| there != here)?;
    Some(format!("{key}: as number {} {} there, {} here", first + 1, there[first], here[first]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_otherwise_is_said_by_key() {
        let there = json!({"seed": 1, "words": [{"name": "A", "file": "a.txt"}], "rsa": [], "one_vs_two": null});
        let here = json!({
            "seed": 2000, "words": [{"name": "A", "file": "b.txt"}], "rsa": ["pearson"], "one_vs_two": {"ties": "lost"},
        });
        let mut found = Vec::new();
        differences("", &there, &there, &mut found);
        assert!(found.is_empty());
        differences("", &there, &here, &mut found);
        found.sort();
        let expected =
            ["one_vs_two none -> given", "rsa none -> pearson", "seed 1 -> 2,000", "words.0.file a.txt -> b.txt"];
        assert_eq!(found, expected);
        found.clear();
        let more = json!({"words": [{"name": "A"}, {"name": "B"}]});
        differences("", &json!({"words": [{"name": "A"}]}), &more, &mut found);
        assert_eq!(found, ["words A -> A, B"]);
    }

    #[test]
    fn the_first_difference_is_said_with_both_values() {
        let folder = tempfile::tempdir().unwrap();
        let directory = ResultsDir::new(folder.path());
        let parts = |form: &str, groups: &[&str], concepts: &[&str]| {
            [("form", json!(form)), ("groups", json!(groups)), ("concepts", json!(concepts))]
                .map(|(key, value)| (key.to_string(), value))
        };
        let own = parts("keras", &["1", "2"], &["ant", "bee", "cow"]);
        assert_eq!(differs(&directory, &own), None);
        std::fs::create_dir_all(directory.matrices()).unwrap();
        keep(&directory, own.to_vec()).unwrap();
        assert_eq!(differs(&directory, &own), None);
        for (other, expected) in [
            (parts("timm", &["1"], &["ant", "bee", "cow"]), "form: keras there, timm here"),
            (parts("keras", &["1", "b"], &["ant", "bee", "cow"]), "groups: as number 2 \"2\" there, \"b\" here"),
            (parts("keras", &["1", "2"], &["ant", "cow", "bee"]), "concepts: as number 2 \"bee\" there, \"cow\" here"),
            (parts("keras", &["1", "2"], &["ant"]), "concepts: 3 there, 1 here"),
        ] {
            assert_eq!(differs(&directory, &other).as_deref(), Some(expected));
        }
        // Parts of two commands may have one name.
        let as_read = (OF_TESTS.to_string(), json!(["conv1"]));
        let other = parts("keras", &["1"], &["ant"]);
        let of_test = [&other[..], std::slice::from_ref(&as_read)].concat();
        assert_eq!(differs(&directory, &of_test), None);
        Ledger { command: "test".to_string(), parts: of_test, ..Ledger::default() }.write(&directory).unwrap();
        assert_eq!(differs(&directory, &own).as_deref(), Some("a test's"));
    }
}
