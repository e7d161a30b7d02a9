//! What tells a plan's run from others: [`crate::record`] holds it against what lies where results go.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Plan;
use crate::checksum;
use crate::record;
use crate::results::ClaimError;

impl Plan {
    /// Whether the run may go where it is to; returns what it replaces there, or with `fresh` removes, in words.
    ///
    /// # Errors
    /// As [`record::check`].
    pub fn check(&self, fresh: bool) -> Result<Option<String>, ClaimError> {
        record::check((&self.config, &self.checksums), fresh, || self.parts())
    }

    /// What decides the run's RSMs, what a user would look at first at the front.
    pub fn parts(&self) -> Vec<(String, Value)> {
        let Self { config, model, inputs, placement, checksums, .. } = self;
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
            ("network.token", json!(model.has_tokens.then_some(model.token))),
            ("groups", json!(inputs.manifest.groups)),
            ("concepts", json!(inputs.manifest.concepts)),
            ("images", json!(format!("SHA-256 {}", checksums.images))),
            ("device", json!(format!("{}, {}", device.kind(), device.name()))),
        ];
        let inputs = ["size", "preprocess", "resize", "crop_pct"].map(of_input);
        network.map(named).into_iter().chain(inputs).chain(rest.map(named)).collect()
    }

    /// What its shards are cut from, as a file keeps it: for [`record::changed`].
    pub fn cut_from(&self) -> Value {
        let Self { config, checksums, inputs, placement, .. } = self;
        let names = (&inputs.manifest.concepts, &inputs.manifest.groups);
        let words = config.words.iter().map(|words| format!("words of {}", words.name)).zip(checksums.words.iter());
        let mut contents: BTreeMap<String, String> = words.map(|(key, sum)| (key, sum.clone())).collect();
        contents.insert("images".to_string(), checksums.images.clone());
        contents.insert("names of concepts and groups".to_string(), checksum::of_parts(&[json!(names).to_string()]));
        contents.extend(checksums.weights.clone().map(|sum| ("weights".to_string(), sum)));
        json!({
            "SHA-256": contents, "config": record::to_cut(config), "device": placement.device.key(),
            "semgpu": env!("CARGO_PKG_VERSION"),
        })
    }
}
