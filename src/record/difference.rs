//! In what the run of a directory, finished or not, differs from one that is about to be made there.

use serde_json::{Value, json};

use crate::error::FileError;
use crate::plan::Plan;
use crate::results::{Ledger, ResultsDir};

/// What decides the RSMs of a run, what a user would look at first at the front.
pub fn parts(plan: &Plan) -> Vec<(String, Value)> {
    let Plan { config, model, inputs, placement, checksums, .. } = plan;
    let random = || format!("random, seed {}", config.seed);
    let of_file = |sum: &String| format!("SHA-256 {sum}{}", config.network.part_of_weights());
    let named = |(key, value): (&str, Value)| (key.to_string(), value);
    let network = [
        ("semgpu", json!(env!("CARGO_PKG_VERSION"))),
        ("network.name", json!(model.network.name)),
        ("network.form", json!(model.network.form)),
        ("network.weights", json!(checksums.weights.as_ref().map_or_else(random, of_file))),
    ];
    let input = json!(model.input);
    let of_input = |key: &str| (format!("input {key}"), json!(input[key].to_string()));
    let device = &placement.device;
    let rest = [
        ("network.token", json!(model.has_tokens().then_some(model.token))),
        ("groups", json!(inputs.manifest.groups)),
        ("concepts", json!(inputs.manifest.concepts)),
        ("images", json!(format!("SHA-256 {}", checksums.images))),
        ("device", json!(format!("{}, {}", device.kind(), device.name()))),
    ];
    let inputs = ["size", "preprocess", "resize", "crop_pct"].map(of_input);
    network.map(named).into_iter().chain(inputs).chain(rest.map(named)).collect()
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
pub fn differs(directory: &ResultsDir, parts: &[(String, Value)]) -> Option<String> {
    let there = Ledger::read(directory).parts;
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
    }
}
