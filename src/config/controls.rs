//! What is controlled for: `[controls]` of an experiment, `--given` and `--partition` of `semgpu test`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::matrices::Source;

/// Spaces that others are held against.
#[derive(Clone, Debug, Default, PartialEq, Args, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ControlsConfig {
    /// Test again given this space: a layer (pixels), category, a word model, or NAME=FILE (repeatable).
    #[arg(long, value_name = "NAME[=FILE]")]
    #[schemars(with = "Vec<String>")]
    pub given: Vec<Given>,
    /// Partition the layers' variance between these spaces, one to four (repeatable).
    #[arg(long, value_name = "NAME[=FILE]")]
    #[schemars(with = "Vec<String>")]
    pub partition: Vec<Given>,
}

/// A space by its name, or by a file: `"pixels"`, `"gist=gist.npy"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// As in tables and figures.
    pub name: String,
    /// Where its matrix is; without, it is one of the experiment's own.
    pub file: Option<Source>,
}

impl ControlsConfig {
    /// Every file.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.given.iter().chain(&self.partition).filter_map(|given| given.file.as_ref())
    }

    /// Their paths, to be changed.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let all = self.given.iter_mut().chain(&mut self.partition);
        all.filter_map(|given| given.file.as_mut()).map(|source| &mut source.path)
    }
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("expected the name of a space, or NAME=FILE".to_string()),
            text if text.contains('=') => {
                let source: Source = text.parse()?;
                Ok(Self { name: source.name.clone(), file: Some(source) })
            }
            name => Ok(Self { name: name.to_string(), file: None }),
        }
    }
}

impl std::fmt::Display for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.name)?;
        let Some(Source { path, array, .. }) = &self.file else { return Ok(()) };
        write!(f, "={}", path.display())?;
        array.as_ref().map_or(Ok(()), |array| write!(f, "::{array}"))
    }
}

impl Serialize for Given {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_names_or_files() {
        let text = "given = [\"pixels\", \"gist=maps/gist.npz::rsm\"]\npartition = [\"GloVe\"]\n";
        let mut controls: ControlsConfig = toml::from_str(text).unwrap();
        assert_eq!(controls.given[0], Given { name: "pixels".into(), file: None });
        assert_eq!(controls.given[1].name, "gist");
        assert_eq!(controls.paths_mut().map(|path| path.clone()).collect::<Vec<_>>(), [PathBuf::from("maps/gist.npz")]);
        assert_eq!(toml::to_string(&controls).unwrap(), text);
        assert!("=x.npy".parse::<Given>().is_err() && "".parse::<Given>().is_err());
    }
}
