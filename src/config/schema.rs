//! The configuration's JSON Schema, from the types that read it: editors complete and check a file while it is written.

use std::fmt::Display;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::Written;
use crate::images::Resize;
use crate::nets::Preprocess;
use crate::wording::listed;

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

/// Where something else stands than a section, or than a list of them: the place, what is there, and the section's keys.
pub(super) fn no_section(config: &toml::Value) -> Option<String> {
    let schema = json_schema();
    Schemas(&schema).no_section(&schema, config, "")
}

/// The whole schema, to which its parts refer.
struct Schemas<'a>(&'a Value);

impl<'a> Schemas<'a> {
    /// Those of which a value must keep one.
    fn any(&self, schema: &'a Value) -> Vec<&'a Value> {
        if let Some(place) = schema["$ref"].as_str() {
            let part = self.0.pointer(place.trim_start_matches('#'));
            return self.any(part.expect("a schema refers to its own parts"));
        }
        match schema["anyOf"].as_array() {
            Some(any) => any.iter().flat_map(|schema| self.any(schema)).collect(),
            None => vec![schema],
        }
    }

    /// The keys of a section, if it may be one.
    fn keys(&self, schema: &'a Value) -> Option<&'a serde_json::Map<String, Value>> {
        self.any(schema).into_iter().find_map(|schema| schema["properties"].as_object())
    }

    fn no_section(&self, schema: &'a Value, value: &toml::Value, key: &str) -> Option<String> {
        let below = |name: &dyn Display| if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
        let one = self.keys(schema);
        let items =
            self.any(schema).into_iter().map(|schema| &schema["items"]).find(|items| self.keys(items).is_some());
        match (value, one, items) {
            (toml::Value::Table(table), Some(keys), _) => {
                table.iter().find_map(|(name, value)| self.no_section(keys.get(name)?, value, &below(name)))
            }
            (toml::Value::Array(list), _, Some(items)) => {
                list.iter().enumerate().find_map(|(n, value)| self.no_section(items, value, &below(&n)))
            }
            _ => {
                let (place, keys) =
                    one.map(|keys| (key.to_string(), keys)).or_else(|| Some((below(&0), self.keys(items?)?)))?;
                let what = match (one, items) {
                    (Some(_), None) => "a section".to_string(),
                    (Some(_), Some(_)) => format!("a section [{key}], or sections [[{key}]],"),
                    (None, _) => format!("sections [[{key}]]"),
                };
                let found = match value {
                    toml::Value::Table(_) => "a section".to_string(),
                    toml::Value::Array(_) => "a list".to_string(),
                    other => other.to_string(),
                };
                let keys: Vec<String> = keys.keys().map(|name| format!("{place}.{name}")).collect();
                let s = if keys.len() == 1 { "" } else { "s" };
                Some(format!("{key}: found {found}, expected {what} with the key{s} {}", listed(&keys)))
            }
        }
    }
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

    #[test]
    fn what_is_no_section_is_told_the_keys_of_one() {
        for (text, expected) in [
            ("rsa = [\"spearman\"]", "rsa: found a list, expected a section with the key rsa.methods"),
            ("one_vs_two = true", "one_vs_two: found true, expected a section with the keys one_vs_two.permutations, "),
            ("run = []", "run: found a list, expected a section with the keys run.device, "),
            (
                "[words]",
                "words: found a section, expected sections [[words]] with the keys words.0.name and words.0.file",
            ),
            (
                "words = [[\"w\"]]",
                "words.0: found a list, expected a section with the keys words.0.name and words.0.file",
            ),
            (
                "[network]\ninput = [224]",
                "network.input: found a list, expected a section with the keys network.input.size, ",
            ),
            (
                "[[network]]\ninput = 5",
                "network.0.input: found 5, expected a section with the keys network.0.input.size, ",
            ),
            (
                "network = \"vgg16\"",
                "network: found \"vgg16\", expected a section [network], or sections [[network]], with",
            ),
        ] {
            let said = super::no_section(&toml::from_str(text).unwrap()).expect(text);
            assert!(said.starts_with(expected), "{said}");
        }
        for text in
            ["words = []", "[network]\nlayers = [\"a\"]", "[[network]]\n[one_vs_two]", "seed = {}", "nonsense = 3"]
        {
            assert_eq!(super::no_section(&toml::from_str(text).unwrap()), None, "{text}");
        }
    }

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
