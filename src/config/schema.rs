//! The configuration's JSON Schema, from the types that read it: editors complete and check a file while it is written.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::Written;
use crate::images::Resize;
use crate::nets::Preprocess;

/// The schema of a configuration file.
///
/// ```
/// let schema = semgpu::config::json_schema();
/// assert_eq!(schema["properties"]["seed"]["default"], 2018);
/// assert_eq!(schema["additionalProperties"], false);
/// ```
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(Written);
    schema.insert("title".to_string(), "A configuration of semgpu".into());
    schema
        .insert("description".to_string(), "One experiment: a network or several, stimuli, word models, tests.".into());
    schema.to_value()
}

/// `"all"` or a list of layers.
pub(super) fn all_or_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "const": "all" }, { "type": "array", "items": { "type": "string" } }], "default": "all" })
}

/// `"auto"` or a rule.
pub(super) fn auto_or_rule(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "const": "auto" }, Resize::json_schema(generator)], "default": "auto" })
}

/// From bytes to a network's numbers, by name.
pub(super) fn named_values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": Preprocess::names() })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// `configs/config.schema.json` is what editors find; SEMGPU_BLESS=1 writes it.
    #[test]
    fn the_shipped_schema_is_the_programs() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/config.schema.json");
        let schema = serde_json::to_string_pretty(&super::json_schema()).unwrap() + "\n";
        if std::env::var_os("SEMGPU_BLESS").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let shipped = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            shipped == schema,
            "configs/config.schema.json is of another version: SEMGPU_BLESS=1 cargo test writes it"
        );
    }
}
