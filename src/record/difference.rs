//! In what the run of a directory differs from one that is about to be made there.

use super::{Checksums, RunRecord};
use crate::config::Config;
use crate::device::Selected;
use crate::nets::{Input, Token};
use crate::plan::Model;
use crate::results::ResultsDir;

/// What decides RSMs and is first to differ between a plan and the run in a directory; none where no record says it.
pub fn differs(
    directory: &ResultsDir,
    config: &Config,
    model: &Model,
    checksums: &Checksums,
    device: &Selected,
) -> Option<String> {
    let record = RunRecord::read(directory).ok()??;
    let run = record.run()?;
    let weights = |config: &Config, sums: &Checksums| {
        sums.weights.as_ref().map_or_else(|| format!("random, seed {}", config.seed), |sum| format!("SHA-256 {sum}"))
    };
    let token = |token: Option<Token>| serde_json::to_value(token).unwrap_or_default().to_string();
    let values = |input: &Input| serde_json::to_value(input).unwrap_or_default();
    let mut both = vec![
        ("semgpu".to_string(), record.semgpu.clone(), env!("CARGO_PKG_VERSION").to_string()),
        ("network.name".to_string(), run.network.name.clone(), model.network.name.clone()),
        ("network.form".to_string(), run.network.form.clone(), model.network.form.clone()),
        ("network.weights".to_string(), weights(&run.config, &run.checksums), weights(config, checksums)),
    ];
    let (there, here) = (values(&run.network.input), values(&model.input));
    for key in ["size", "preprocess", "resize", "crop_pct"] {
        both.push((format!("input {key}"), there[key].to_string(), here[key].to_string()));
    }
    let sum = |sums: &Checksums| format!("SHA-256 {}", sums.images);
    let own_token = model.has_tokens().then_some(model.token);
    both.push(("network.token".to_string(), token(run.network.token), token(own_token)));
    both.push(("images".to_string(), sum(&run.checksums), sum(checksums)));
    let place = |kind: &str, name: &str| format!("{kind}, {name}");
    let (there, here) = (place(&record.device.kind, &record.device.name), place(device.kind(), &device.name()));
    both.push(("device".to_string(), there, here));
    let (key, there, here) = both.into_iter().find(|(_, there, here)| there != here)?;
    Some(format!("{key}: {there} there, {here} here"))
}
