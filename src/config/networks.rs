//! A file's networks: one, or those of a sweep.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::slice::from_mut;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Config, ConfigError, NetworkConfig};
use crate::names::{NAME, is_name};
use crate::results::figure_name;

/// `[network]`, or the `[[network]]` of a sweep.
#[derive(Clone, Debug)]
pub enum Networks {
    /// One.
    One(Box<NetworkConfig>),
    /// A list, of one too.
    Many(Vec<NetworkConfig>),
}

/// A file as it was written.
pub type Written = Config<Networks>;

/// What a file asks for.
pub enum Asked {
    /// An experiment with one network.
    One(Box<Config>),
    /// An experiment over many.
    Many(Box<Sweep>),
}

/// One experiment over many networks: the same images, words and tests.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The file.
    pub path: PathBuf,
    /// Where the networks' results go, a folder each, and what is made of all of them.
    pub out: PathBuf,
    /// As it was written.
    pub written: Written,
    /// The networks, in the file's order.
    pub members: Vec<Member>,
}

/// A network of a sweep.
#[derive(Clone, Debug)]
pub struct Member {
    /// What tells it from the others in tables and figures.
    pub label: String,
    /// The experiment of this network alone.
    pub config: Config,
}

/// Whether a folder's name, in lower case, is of something else in the sweep's directory, or of a file that results may have.
fn is_others(folder: &str) -> bool {
    ["figures", "rsm"].contains(&folder)
        || [".csv", ".json", ".html", ".shards", ".draws.safetensors"].iter().any(|ending| folder.ends_with(ending))
        || folder.starts_with(".semgpu")
}

impl Written {
    /// The experiments of the file; every network of a sweep has its own folder below `run.out`.
    ///
    /// # Errors
    /// No network; networks that nothing tells apart; a label that makes no folder.
    pub fn asked(self, path: &Path) -> Result<Asked, ConfigError> {
        let networks = match &self.network {
            Networks::One(network) => return Ok(Asked::One(Box::new(self.with_network((**network).clone())))),
            Networks::Many(networks) => networks.clone(),
        };
        if networks.is_empty() {
            return Err(ConfigError::NoNetworks(path.to_path_buf()));
        }
        let stem = path.file_stem().unwrap_or_default();
        let out = self.run.out.clone().unwrap_or_else(|| Path::new("results").join(stem));
        let mut folders: Vec<String> = Vec::new();
        let mut members: Vec<Member> = Vec::new();
        for (n, network) in networks.into_iter().enumerate() {
            let label = network.label().to_string();
            let folder = figure_name(&label);
            // File systems of Windows and macOS do not tell capitals.
            let lower = folder.to_lowercase();
            let wrong =
                |expected| ConfigError::Label { path: path.into(), network: n + 1, found: label.clone(), expected };
            if !is_name(&label) {
                return Err(wrong(NAME));
            }
            if is_others(&lower) {
                return Err(wrong("one whose folder is none of semgpu's own (figures, networks.csv, NAME.shards)"));
            }
            if let Some(first) = folders.iter().position(|known| *known == lower) {
                let labels = [members[first].label.clone(), label];
                return Err(ConfigError::SameLabel { path: path.into(), networks: [first + 1, n + 1], labels });
            }
            folders.push(lower);
            let mut config = self.with_network(network);
            config.run.out = Some(out.join(folder));
            members.push(Member { label, config });
        }
        Ok(Asked::Many(Box::new(Sweep { path: path.to_path_buf(), out, written: self, members })))
    }

    fn with_network(&self, network: NetworkConfig) -> Config {
        let this = self.clone();
        Config {
            network,
            seed: this.seed,
            measures: this.measures,
            neighbours: this.neighbours,
            stimuli: this.stimuli,
            words: this.words,
            spelling: this.spelling,
            two_vs_two: this.two_vs_two,
            one_vs_two: this.one_vs_two,
            inference: this.inference,
            rsa: this.rsa,
            controls: this.controls,
            run: this.run,
        }
    }
}

impl Asked {
    /// The network that a shard is of, and the sweep that it belongs to; a file with one network need not be told its label.
    ///
    /// # Errors
    /// No such network; a sweep, and nothing says which.
    pub fn network(self, path: &Path, label: Option<&str>) -> Result<(Member, Option<Sweep>), ConfigError> {
        match (self, label) {
            (Self::Many(sweep), Some(label)) => Ok((sweep.member(label)?.clone(), Some(*sweep))),
            (Self::Many(sweep), None) => Err(ConfigError::Which { path: path.into(), known: sweep.labels() }),
            (Self::One(config), label) => {
                let known = config.network.label().to_string();
                match label.filter(|label| *label != known) {
                    None => Ok((Member { label: known, config: *config }, None)),
                    Some(found) => {
                        Err(ConfigError::NoSuchNetwork { path: path.into(), found: found.into(), known: vec![known] })
                    }
                }
            }
        }
    }
}

impl Sweep {
    /// A network by its label.
    ///
    /// # Errors
    /// No such network.
    pub fn member(&self, label: &str) -> Result<&Member, ConfigError> {
        self.members.iter().find(|member| member.label == label).ok_or_else(|| ConfigError::NoSuchNetwork {
            path: self.path.clone(),
            found: label.to_string(),
            known: self.labels(),
        })
    }

    /// Networks that are the same but for their labels, at layers of both, if any: random weights too, which one seed decides.
    pub fn doubt_of_copies(&self) -> Option<String> {
        let unnamed = |member: &Member| NetworkConfig { label: None, layers: None, ..member.config.network.clone() };
        let layers = |member: &Member| member.config.network.layers.clone();
        let repeats = |one: &Member, other: &Member| {
            let share = match [one, other].map(layers) {
                [Some(one), Some(other)] => one.iter().any(|layer| other.contains(layer)),
                _ => true,
            };
            share && unnamed(one) == unnamed(other)
        };
        let mut copies = self.members.iter().enumerate().filter_map(|(n, copy)| {
            let first = self.members[..n].iter().find(|first| repeats(first, copy))?;
            Some((&first.label, copy))
        });
        let (first, Member { label, config }) = copies.next()?;
        let remedy = match config.network.random {
            true => {
                "the seed of the file decides their random weights: a file with another seed, and another run.out, has others"
            }
            false => "name another file, or leave it out",
        };
        let more = copies.count();
        let more = if more > 0 { format!("; {more} more are copies too") } else { String::new() };
        Some(format!(
            "[[network]] {label:?}: the same network and weights as {first:?}, whose results it repeats at layers of both; {remedy}{more}"
        ))
    }

    /// All labels, for messages.
    pub fn labels(&self) -> Vec<String> {
        self.members.iter().map(|member| member.label.clone()).collect()
    }
}

impl NetworkConfig {
    /// What results of a sweep call it.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
    }
}

impl AsMut<[NetworkConfig]> for NetworkConfig {
    fn as_mut(&mut self) -> &mut [NetworkConfig] {
        from_mut(self)
    }
}

impl AsMut<[NetworkConfig]> for Networks {
    fn as_mut(&mut self) -> &mut [NetworkConfig] {
        match self {
            Self::One(network) => from_mut(network),
            Self::Many(networks) => networks,
        }
    }
}

impl Serialize for Networks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(network) => network.serialize(serializer),
            Self::Many(networks) => networks.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tables;

        impl<'de> Visitor<'de> for Tables {
            type Value = Networks;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a table [network], or tables [[network]]")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Networks, A::Error> {
                NetworkConfig::deserialize(MapAccessDeserializer::new(map)).map(|one| Networks::One(Box::new(one)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Networks, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Networks::Many)
            }
        }

        deserializer.deserialize_any(Tables)
    }
}

impl JsonSchema for Networks {
    fn schema_name() -> Cow<'static, str> {
        "Networks".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let network = generator.subschema_for::<NetworkConfig>();
        json_schema!({ "anyOf": [network, { "type": "array", "items": network, "minItems": 1 }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "[stimuli]\nmanifest = \"m.csv\"\n[[words]]\nname = \"w\"\nfile = \"w.txt\"\n";

    fn asked(networks: &str, overrides: &[&str]) -> Result<Asked, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sweep.toml");
        std::fs::write(&path, format!("{networks}{REST}")).unwrap();
        let overrides: Vec<String> = overrides.iter().map(|text| text.to_string()).collect();
        Written::from_file(&path, &overrides)?.asked(&path)
    }

    fn sweep(networks: &str, overrides: &[&str]) -> Sweep {
        match asked(networks, overrides).unwrap() {
            Asked::Many(sweep) => *sweep,
            Asked::One(_) => panic!("one network"),
        }
    }

    fn refused(networks: &str, overrides: &[&str]) -> String {
        asked(networks, overrides).map(|_| ()).unwrap_err().to_string()
    }

    const TWO: &str = "[[network]]\nname = \"vgg16\"\nrandom = true\n\
                       [[network]]\nname = \"vgg16\"\nlabel = \"VGG16, trained\"\nweights = \"v.pth\"\n";

    #[test]
    fn every_network_is_an_experiment_in_a_folder_of_its_own() {
        let sweep = sweep(TWO, &["seed=7", "network.0.layers=[\"fc1\"]", "network.1.weights=w.pth"]);
        assert_eq!(sweep.out, Path::new("results/sweep"));
        let of = |n: usize| (sweep.members[n].label.as_str(), sweep.members[n].config.out());
        assert_eq!(of(0), ("vgg16", "results/sweep/vgg16".into()));
        assert_eq!(of(1), ("VGG16, trained", "results/sweep/VGG16__trained".into()));
        let [first, second] = [0, 1].map(|n| &sweep.members[n].config);
        assert_eq!((first.seed, first.network.layers.clone()), (7, Some(vec!["fc1".to_string()])));
        assert_eq!(second.network.weights, Some(std::path::absolute("w.pth").unwrap()));
        assert!(first.stimuli.manifest.is_absolute() && first.stimuli.manifest == second.stimuli.manifest);
        assert_eq!(sweep.member("vgg16").unwrap().label, "vgg16");
        let said = sweep.member("vgg19").unwrap_err().to_string();
        assert!(
            said.contains("no network \"vgg19\"") && said.contains("vgg16, VGG16, trained; did you mean"),
            "{said}"
        );
    }

    #[test]
    fn networks_that_nothing_tells_apart_need_a_label() {
        let said = refused(&TWO.replace("label = \"VGG16, trained\"\n", ""), &[]);
        assert!(said.contains("sweep.toml: [[network]] 1 and 2") && said.contains("label"), "{said}");
        let said = refused(TWO, &["network.1.label=VGG16"]);
        assert!(said.contains("1 and 2"), "{said}");
        let said = refused(TWO, &["network.0.label=größer", "network.1.label=grüßer"]);
        assert!(said.contains("\"größer\" and \"grüßer\" make one folder"), "{said}");
        for label in ["figures", "a.shards", "Networks.csv", "run.json", "compare.csv", ".semgpu.lock", "a\\tb", ""] {
            let said = refused(&TWO.replace("VGG16, trained", label), &[]);
            assert!(said.contains("[[network]] 2"), "{label:?}: {said}");
        }
        assert!(refused("network = []\n", &[]).contains("no network"));
    }

    #[test]
    fn a_network_that_stands_twice_is_told() {
        assert_eq!(sweep(TWO, &[]).doubt_of_copies(), None);
        let twice = TWO.replace("weights = \"v.pth\"", "random = true");
        let layers =
            |second: &str| [r#"network.0.layers=["fc1"]"#.to_string(), format!("network.1.layers=[{second:?}]")];
        let with = |second: &str| sweep(&twice, &layers(second).each_ref().map(String::as_str)).doubt_of_copies();
        assert!(with("fc2").is_none() && with("fc1").is_some());
        let said = sweep(&twice, &["network.0.layers=[\"fc1\"]"]).doubt_of_copies().unwrap();
        let begin = "[[network]] \"VGG16, trained\": the same network and weights as \"vgg16\", whose results it repeats at layers of both; the seed";
        assert!(said.starts_with(begin), "{said}");
        let of_files = TWO.replace("random = true", "weights = \"v.pth\"");
        assert!(sweep(&of_files, &[]).doubt_of_copies().unwrap().ends_with("; name another file, or leave it out"));
        assert_eq!(sweep(&of_files, &["network.1.weights=w.pth"]).doubt_of_copies(), None);
    }

    #[test]
    fn messages_name_the_line_in_a_sweep_too() {
        let said = refused(&TWO.replace("random", "randm"), &[]);
        assert!(said.contains("line 3") && said.contains("did you mean \"random\""), "{said}");
        let said = refused("network = 3\n", &[]);
        assert!(
            said.contains("found 3, expected a section [network], or sections [[network]], with the keys"),
            "{said}"
        );
    }

    #[test]
    fn what_takes_one_network_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sweep.toml");
        std::fs::write(&path, format!("{TWO}{REST}")).unwrap();
        let said = Config::read(&path, &[]).unwrap_err().to_string();
        assert!(said.contains("sweep.toml: 2 networks in [[network]], expected one"), "{said}");
    }
}
