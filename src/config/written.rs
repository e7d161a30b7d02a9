//! Reading a configuration: the file as it was written, then the overrides of the command line.

use std::io::Error;
use std::path::{Path, PathBuf};

use super::schema::no_section;
use super::{ConfigError, NetworkConfig, Written, whole};
use crate::error::FileError;
use crate::files;
use crate::wording::plain;

impl Written {
    /// Reads `path`, applies `overrides` (`key=value`: a TOML value or bare text; their paths are relative to the
    /// current directory).
    ///
    /// # Errors
    /// Names the file, line and key: unreadable, not TOML, an unknown key, a wrong type, an override that does not fit.
    pub fn from_file(path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        Ok(Self::overridden(path, overrides)?.0)
    }

    /// [`Self::from_file`], and the overrides as they hold in any directory.
    fn overridden(path: &Path, overrides: &[String]) -> Result<(Self, Vec<String>), ConfigError> {
        let bytes = std::fs::read(path).map_err(FileError::at(path))?;
        // `semgpu concepts … > experiment.toml` makes UTF-16 in Windows' own PowerShell.
        let text = files::utf16(&bytes).map_or_else(|| String::from_utf8(bytes).ok(), Result::ok);
        let not_text = || FileError::at(path)(Error::other("is not UTF-8, as is expected; save it as UTF-8"));
        let text = text.ok_or_else(not_text)?;
        let toml_error = |error| ConfigError::Toml { path: path.to_path_buf(), found: described(&error, &text) };
        // A list would be taken for the values of a section's keys, in their order.
        let found = toml::from_str(&text).ok().and_then(|table| no_section(&table));
        if let Some(found) = found {
            return Err(ConfigError::Toml { path: path.to_path_buf(), found });
        }
        // Parsed as it stands, so that an error points at the line in the file.
        let mut config: Self = toml::from_str(&text).map_err(toml_error)?;
        let escaped = |path: &&mut PathBuf| path.to_string_lossy().contains(char::is_control);
        if let Some(found) = config.paths_mut().find(escaped) {
            return Err(ConfigError::Control { path: path.to_path_buf(), found: found.clone() });
        }
        if config.paths_mut().any(|path| path.as_os_str().is_empty()) {
            return Err(ConfigError::Toml { path: path.to_path_buf(), found: EMPTY.to_string() });
        }
        let directory = path.parent().unwrap_or(Path::new(""));
        config.paths_mut().for_each(|path| *path = directory.join(&path));
        if let Some(path) = config.paths_mut().find(|path| path.to_str().is_none()) {
            let reason = "this path is no UTF-8, expected one that run.json can name; rename it";
            return Err(FileError::at(path.clone())(Error::other(reason)).into());
        }
        let mut anywhere = Vec::new();
        for text in overrides {
            let with = config.with(text).map_err(|reason| ConfigError::Override { text: text.clone(), reason })?;
            config = with.0;
            anywhere.push(with.1);
        }
        // After the overrides, one of which may be the file.
        config.network.as_mut().iter_mut().for_each(NetworkConfig::call_by_file);
        Ok((config, anywhere))
    }

    /// With `key=value`: text where the key takes it, else a TOML value. Also the override with absolute paths.
    fn with(mut self, given: &str) -> Result<(Self, String), String> {
        let (key, value) = given.split_once('=').ok_or(
            "there is no \"=\", expected KEY=VALUE with a key of the configuration, such as two_vs_two.permutations=200",
        )?;
        // Numbers in a table of TOML's end at i64::MAX, where seeds do not.
        let own_seed = std::mem::take(&mut self.seed);
        let given_seed = (key.trim() == "seed").then(|| value.trim().parse());
        if let Some(Ok(seed)) = given_seed {
            self.seed = seed;
            return Ok((self, given.to_string()));
        }
        let table = toml::Value::try_from(&self).map_err(|error| error.to_string())?;
        let changed = |value: toml::Value| -> Result<Self, String> {
            let mut table = table.clone();
            set(&mut table, key.trim(), value)?;
            no_section(&table).map_or(Ok(()), Err)?;
            let text = toml::to_string(&table).map_err(|error| error.to_string())?;
            toml::from_str(&text).map_err(|error| said(&error, &text))
        };
        let text = toml::Value::String(value.trim().to_string());
        let marked = changed(toml::Value::String(MARK.to_string()));
        let is_path = marked.is_ok_and(|mut config| config.paths_mut().any(|path| path.as_os_str() == MARK));
        let parsed = parsed(value);
        let listed = |reason: String| {
            let names: Vec<&str> = value.split(',').map(str::trim).collect();
            match changed(names.clone().into()) {
                Ok(_) => format!("{reason}, as --set '{}={names:?}'", key.trim()),
                Err(_) => reason,
            }
        };
        // A quoted string is TOML, a date where text is expected is text; a path without quotes is text as it stands.
        let mut config = match parsed {
            Some(quoted @ toml::Value::String(_)) if is_path => changed(quoted),
            None if is_path && value.trim().starts_with('"') && value.trim().ends_with('"') => {
                return Err(format!("no text in quotes as TOML has it; {BACKSLASH}"));
            }
            _ if is_path => changed(toml::Value::String(value.to_string())),
            None => changed(text).map_err(listed),
            Some(quoted @ toml::Value::String(_)) => changed(quoted),
            Some(parsed) => changed(text).or_else(|_| changed(parsed)).or_else(|reason| {
                // 1e3 is a fraction in TOML.
                let count = whole::<i64>(value.trim()).ok();
                count.and_then(|count| changed(count.into()).ok()).ok_or(reason)
            }),
        }?;
        let before: Vec<PathBuf> = self.paths_mut().map(|path| path.clone()).collect();
        let mut anywhere = given.to_string();
        for path in config.paths_mut().filter(|path| !before.contains(path)) {
            if path.as_os_str().is_empty() {
                return Err(EMPTY.to_string());
            }
            *path = std::path::absolute(&path).map_err(|error| error.to_string())?;
            anywhere.clear();
        }
        if anywhere.is_empty() {
            let table = toml::Value::try_from(&config).map_err(|error| error.to_string())?;
            let value = at(&table, key.trim()).ok_or("this key is not written as it is read")?;
            anywhere = format!("{}={value}", key.trim());
        }
        if given_seed.is_none() {
            config.seed = own_seed;
        }
        Ok((config, anywhere))
    }
}

/// Set as a value, it shows whether a key is of a path.
const MARK: &str = "a path of no experiment";

/// What is wrong with a path of no letters.
const EMPTY: &str = "a path is empty, expected a file or folder; where there is none, leave its key out";

/// A value as TOML reads it.
fn parsed(value: &str) -> Option<toml::Value> {
    toml::from_str(&format!("value = {}", value.trim())).ok().and_then(|mut table: toml::Table| table.remove("value"))
}

/// The overrides of the configuration `path` as they hold in any directory: relative paths made absolute.
///
/// # Errors
/// As [`Written::from_file`].
pub(crate) fn from_anywhere(path: &Path, overrides: &[String]) -> Result<Vec<String>, ConfigError> {
    // Beside a relative path of the file's an override that says the same would be no change.
    let path = std::path::absolute(path).map_err(FileError::at(path))?;
    Ok(Written::overridden(&path, overrides)?.1)
}

/// The value of `a.b.0.c`.
fn at<'a>(table: &'a toml::Value, key: &str) -> Option<&'a toml::Value> {
    let inner = |place: &'a toml::Value, segment: &str| {
        place.get(segment).or_else(|| place.get(segment.parse::<usize>().ok()?))
    };
    key.split('.').try_fold(table, inner)
}

/// What to do about a backslash.
pub(super) const BACKSLASH: &str = "in double quotes a backslash begins an escape; write such a path with / \
                                    (\"C:/data/m.csv\") or in single quotes ('C:\\data\\m.csv')";

/// What is wrong in a configuration's text. Of a value that is no text where one of some words is expected, what would be said
/// of it in quotes: which words there are.
fn said(error: &toml::de::Error, text: &str) -> String {
    const TEXT_EXPECTED: [&str; 2] = ["wanted string or table", "expected a string"];
    let in_quotes = || {
        let place = error.span().filter(|_| TEXT_EXPECTED.iter().any(|end| error.message().ends_with(end)))?;
        let quoted = toml::Value::String(text[place.clone()].to_string()).to_string();
        let other = toml::from_str::<Written>(&[&text[..place.start], &quoted, &text[place.end..]].concat()).err()?;
        (other.span()?.start == place.start).then(|| plain(other.message()))
    };
    in_quotes().unwrap_or_else(|| plain(error.message()))
}

/// Where and what is wrong with a configuration, in the words of its reader.
fn described(error: &toml::de::Error, text: &str) -> String {
    let found = error.to_string().trim_end().replace(error.message(), &said(error, text));
    let end_before = |start: usize| text.as_bytes()[..start].iter().rposition(|&byte| byte == b'\n');
    let begins = error.span().map(|span| end_before(span.start).map_or(0, |end| end + 1));
    let line = begins.and_then(|begins| text[begins..].lines().next());
    let told = |message: &str| message.contains("escape") || message.contains("unicode");
    let escape = line.is_some_and(|line| line.contains('\\')) && told(error.message());
    if escape {
        return format!("{found}; {BACKSLASH}");
    }
    let is_unknown = |key: &&&str| error.message().starts_with(&format!("unknown field `{key}`"));
    match WITHOUT_SECTION.iter().find(is_unknown) {
        Some(key) => format!("{found}; {key} is in no section: write it above the first [section] of the file"),
        None => found,
    }
}

/// Keys of the file itself. Below a section's head they would be its.
const WITHOUT_SECTION: [&str; 3] = ["seed", "measures", "neighbours"];

/// Sets `a.b.0.c` in the table; indices address list elements.
fn set(table: &mut toml::Value, key: &str, value: toml::Value) -> Result<(), String> {
    let mut place = table;
    for segment in key.split('.') {
        place = match place {
            toml::Value::Table(inner) => {
                inner.entry(segment.to_string()).or_insert_with(|| toml::Value::Table(toml::Table::new()))
            }
            toml::Value::Array(inner) => {
                let last = inner.len().checked_sub(1);
                let element = segment.parse().ok().and_then(|index: usize| inner.get_mut(index));
                element.ok_or_else(|| match last {
                    Some(last) => {
                        format!("there is no element {segment} in a list, expected a number from 0 to {last}")
                    }
                    None => {
                        format!("there is no element {segment} in an empty list; set it as a whole: KEY=[VALUE, …]")
                    }
                })?
            }
            _ => return Err(format!("{segment} is no key of a table")),
        };
    }
    *place = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{Bytes, Config};
    use crate::device::Choice;
    use crate::stats::scoring::Ties;

    const SMALLEST: &str = "[network]\nname = \"vgg16\"\nrandom = true\n[stimuli]\nmanifest = \"m.csv\"\n\
                            [[words]]\nname = \"w\"\nfile = \"w.txt\"\n";

    fn read(text: &str, overrides: &[&str]) -> Result<Config, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("experiment.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path, &overrides.iter().map(|text| text.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn defaults_are_the_papers() {
        let config = read(SMALLEST, &[]).unwrap();
        assert_eq!(config.seed, 2018);
        assert_eq!(config.two_vs_two.permutations, 1000);
        assert!(config.stimuli.pixels);
        assert_eq!(config.network.layers, None);
        assert_eq!(config.stimuli.resize, None);
        assert!(config.one_vs_two.is_none());
    }

    #[test]
    fn backslashes_of_windows_paths_get_their_remedy() {
        for path in [r"C:\data\m.csv", r"C:\new\table.csv", r"C:\users\m.csv"] {
            let error = read(&SMALLEST.replace("m.csv", path), &[]).unwrap_err().to_string();
            assert!(error.contains("backslash") && error.contains("experiment.toml"), "{path}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_behind_a_line_that_begins_with_a_letter_of_several_bytes_is_told() {
        let text = SMALLEST.replace("[[words]]", "note = \"\"\"\nÄpfel\"\"\"\nnotes = 3\n[[words]]");
        let error = read(&text, &[]).unwrap_err().to_string();
        assert!(error.contains("line 8") && error.contains("there is no key `notes`"), "{error}");
    }

    #[test]
    fn a_file_in_another_encoding_is_told_the_one_that_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("experiment.toml");
        std::fs::write(&path, b"# \xc4pfel\n").unwrap();
        let error = Config::read(&path, &[]).unwrap_err().to_string();
        assert!(error.contains("experiment.toml: is not UTF-8") && error.contains("save it as UTF-8"), "{error}");
    }

    #[test]
    fn a_file_that_powershell_wrote_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("experiment.toml");
        let text = format!("\u{feff}{}", SMALLEST.replace('\n', "\r\n").replace("m.csv", "\u{c4}pfel.csv"));
        std::fs::write(&path, text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).unwrap();
        let config = Config::read(&path, &[]).unwrap();
        assert_eq!(config.stimuli.manifest, directory.path().join("\u{c4}pfel.csv"));
    }

    #[test]
    fn an_element_that_a_list_has_not_is_told_those_that_it_has() {
        let said = |text: &str| read(SMALLEST, &[text]).unwrap_err().to_string();
        assert!(said("words.1.name=V").contains("no element 1 in a list, expected a number from 0 to 0"));
        assert!(said("measures.0=cka").contains("no element 0 in an empty list; set it as a whole"));
    }

    #[test]
    fn counts_may_be_written_by_powers_of_ten() {
        let config = read(SMALLEST, &["two_vs_two.permutations=1e4"]).unwrap();
        assert_eq!(config.two_vs_two.permutations, 10_000);
        assert!(read(SMALLEST, &["two_vs_two.permutations=1.5"]).is_err());
    }

    #[test]
    fn names_without_the_brackets_of_their_list_are_told_them() {
        let said = |text: &str| read(SMALLEST, &[text]).unwrap_err().to_string();
        for (text, expected) in [
            ("measures=cka", "expected a list, as --set 'measures=[\"cka\"]'"),
            ("rsa.methods=pearson, spearman", "expected a list, as --set 'rsa.methods=[\"pearson\", \"spearman\"]'"),
            ("network.layers=fc1", ", as --set 'network.layers=[\"fc1\"]'"),
        ] {
            assert!(said(text).ends_with(expected), "{}", said(text));
        }
        assert!(!said("measures=cak").contains("--set '") && !said("two_vs_two.ties=los").contains("--set '"));
    }

    #[test]
    fn messages_name_keys_and_no_types() {
        let read = |more: &str| read(&format!("{SMALLEST}{more}"), &[]).unwrap_err().to_string();
        for (text, expected) in [
            ("[two_vs_two]\npermutations = \"many\"\n", "expected a whole number"),
            ("[two_vs_two]\nstop_after = 0\n", "expected a whole number above 0"),
            ("[two_vs_two]\nties = \"loses\"\n", "did you mean \"lost\""),
            ("[run]\nthreads = -1\n", "found the number `-1`, expected a whole number"),
            ("[run]\nmemory = 4\n", "expected a number and a unit in quotes"),
            ("[rsa]\nmethods = \"pearson\"\n", "expected a list"),
        ] {
            let error = read(text);
            assert!(error.contains(expected), "{text}: {error}");
            for word in ["u64", "u32", "usize", "struct", "enum", "Option", "None", "sequence"] {
                assert!(!error.contains(word), "{text}: {error}");
            }
        }
    }

    #[test]
    fn a_choice_that_is_no_text_is_told_the_words_there_are() {
        let inside = |network: &str| SMALLEST.replace("random = true", network);
        let below = |section: &str| format!("{SMALLEST}{section}\n");
        for (text, overriding, expected) in [
            (inside("token = 5"), "network.token=5", "there is no `5`, expected one of `cls`, `mean`, `all`"),
            (below("[two_vs_two]\nties = 5"), "two_vs_two.ties=5", "there is no `5`, expected one of `lost`, `half`"),
            (below("[inference]\ntail = 1"), "inference.tail=1", "there is no `1`, expected one of `upper`, `lower`"),
            (
                below("[inference]\ngeneralise = true"),
                "inference.generalise=true",
                "there is no `true`, expected one of `concepts`, `groups`, `both`",
            ),
            (below("[rsa]\nmethods = [2]"), "rsa.methods=[2]", "there is no `2`, expected one of `pearson`"),
            (
                SMALLEST.replace("[stimuli]", "[stimuli]\nresize = 5"),
                "stimuli.resize=5",
                "there is no `5`, expected one of `squash-nearest`",
            ),
            (below("[run]\ndevice = 1"), "run.device=1", "expected auto, cpu, gpu or gpu:N"),
        ] {
            for error in [read(&text, &[]).unwrap_err(), read(SMALLEST, &[overriding]).unwrap_err()] {
                assert!(error.to_string().contains(expected), "{overriding}: {error}");
            }
        }
        let error = read(SMALLEST, &["two_vs_two={ties = 5}"]).unwrap_err().to_string();
        assert!(error.contains("there is no `5`, expected one of `lost`"), "{error}");
        let error = read(&SMALLEST.replace("\"vgg16\"", "5"), &[]).unwrap_err().to_string();
        assert!(error.contains("found the number `5`, expected text in quotes"), "{error}");
    }

    #[test]
    fn any_seed_goes_with_any_override() {
        let largest = format!("seed = {}\n{SMALLEST}", u64::MAX);
        assert_eq!(read(&largest, &["two_vs_two.permutations=20", "run.out=q"]).unwrap().seed, u64::MAX);
        assert_eq!(read(SMALLEST, &[&format!("seed={}", u64::MAX)]).unwrap().seed, u64::MAX);
        assert_eq!(read(&largest, &["seed=7", "run.threads=1"]).unwrap().seed, 7);
        assert_eq!(read(&largest, &["seed=0x10"]).unwrap().seed, 16);
        let error = read(&largest, &["seed=-1"]).unwrap_err().to_string();
        assert!(error.ends_with("found the number `-1`, expected a whole number, 0 or more"), "{error}");
    }

    #[test]
    fn empty_paths_are_refused_with_the_remedy() {
        for error in [
            read(&SMALLEST.replace("m.csv", ""), &[]).unwrap_err().to_string(),
            read(SMALLEST, &["network.weights="]).unwrap_err().to_string(),
            read(SMALLEST, &["run.out=\"\""]).unwrap_err().to_string(),
        ] {
            assert!(error.contains(": a path is empty") && error.ends_with("leave its key out"), "{error}");
        }
    }

    #[test]
    fn a_section_is_no_list() {
        let expected = "two_vs_two: found a list, expected a section with the keys two_vs_two.permutations, ";
        let of_file = read(&format!("two_vs_two = [200]\n{SMALLEST}"), &[]).unwrap_err().to_string();
        assert!(of_file.contains(&format!("experiment.toml: {expected}")), "{of_file}");
        let of_override = read(SMALLEST, &["two_vs_two=[200]"]).unwrap_err().to_string();
        assert!(of_override.contains(&format!("--set two_vs_two=[200]: {expected}")), "{of_override}");
        let bare = read(SMALLEST, &["words=GloVe"]).unwrap_err().to_string();
        assert!(bare.contains("words: found \"GloVe\", expected sections [[words]]"), "{bare}");
    }

    #[test]
    fn a_key_of_no_section_below_one_is_told_where_it_stands() {
        let error = read(&format!("{SMALLEST}measures = [\"cka\"]\n"), &[]).unwrap_err().to_string();
        assert!(
            error.ends_with("measures is in no section: write it above the first [section] of the file"),
            "{error}"
        );
        let schema = crate::config::json_schema();
        let keys = schema["properties"].as_object().unwrap().iter();
        let alone =
            keys.filter(|(key, value)| value["type"].is_string() && *key != "words").map(|(key, _)| key.as_str());
        assert_eq!(alone.collect::<BTreeSet<_>>(), BTreeSet::from(WITHOUT_SECTION));
    }

    #[test]
    fn an_empty_section_asks_for_the_one_vs_two_test() {
        assert!(read(&format!("{SMALLEST}[one_vs_two]\n"), &[]).unwrap().one_vs_two.is_some());
        assert!(read(SMALLEST, &["one_vs_two={}"]).unwrap().one_vs_two.is_some());
        let config = read(SMALLEST, &["one_vs_two.ties=half"]).unwrap();
        assert_eq!(config.one_vs_two.unwrap().ties, Some(Ties::Half));
    }

    #[test]
    fn paths_are_relative_to_the_file_and_of_overrides_to_the_current_directory() {
        let config = read(SMALLEST, &["words.0.file=other.txt"]).unwrap();
        assert!(config.stimuli.manifest.is_absolute());
        assert_eq!(config.words[0].file, std::path::absolute("other.txt").unwrap());
        let config = read(SMALLEST, &["run.out=2024-01-01", "words=[{name = \"x\", file = \"y.txt\"}]"]).unwrap();
        assert_eq!(config.run.out, Some(std::path::absolute("2024-01-01").unwrap()), "text, not a date");
        assert_eq!(config.words[0].file, std::path::absolute("y.txt").unwrap());
        let config = read(SMALLEST, &["run.out=\"q\"", "words.0.file= lead"]).unwrap();
        assert_eq!(config.run.out, Some(std::path::absolute("q").unwrap()), "quotes are TOML's");
        let error = read(SMALLEST, &["run.out=\"C:\\new\\data\""]).unwrap_err().to_string();
        assert!(error.contains("backslash"), "{error}");
        assert_eq!(config.words[0].file, std::path::absolute(" lead").unwrap());
    }

    #[test]
    fn overrides_hold_in_any_directory_whatever_paths_are_in_them() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("experiment.toml");
        std::fs::write(&file, SMALLEST).unwrap();
        let given = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        let overrides = given(&[
            "run.out=q",
            "run.out=\"q\"",
            "controls.given=[\"gist=gist.npy\", \"pixels\"]",
            "controls.given.0=gist=it's.npy",
            "words=[{name = \"x\", file = \"y.txt\"}]",
            " words.0.file = lead",
        ]);
        let anywhere = from_anywhere(&file, &overrides).unwrap();
        assert_eq!(anywhere[0], anywhere[1]);
        let here = std::env::current_dir().unwrap();
        for (anywhere, name) in anywhere.iter().zip(["q", "q", "gist.npy", "it's.npy", "y.txt", " lead"]) {
            assert!(anywhere.contains(here.join(name).to_str().unwrap()), "{anywhere}");
        }
        let (again, once) = (Config::read(&file, &anywhere).unwrap(), Config::read(&file, &overrides).unwrap());
        assert_eq!(toml::to_string(&again).unwrap(), toml::to_string(&once).unwrap());
        let others = given(&["seed=7", "network.name=vgg16", "run.memory=900 MiB", "controls.given=[\"pixels\"]"]);
        assert_eq!(from_anywhere(&file, &others).unwrap(), others);
        // What the file says already.
        let same = format!("stimuli.manifest={}", directory.path().join("m.csv").display());
        assert_eq!(from_anywhere(&file, std::slice::from_ref(&same)).unwrap(), [same.as_str()]);
    }

    #[test]
    fn overrides_take_toml_values_and_bare_text() {
        let config = read(
            SMALLEST,
            &[
                "two_vs_two.permutations=20",
                "run.device=gpu:1",
                "network.layers=[\"fc1\"]",
                "run.memory=900 MiB",
                "seed=7",
            ],
        )
        .unwrap();
        assert_eq!(config.two_vs_two.permutations, 20);
        assert_eq!(config.run.device, Choice::Gpu(Some(1)));
        assert_eq!(config.run.memory, Some(Bytes(900 << 20)));
        assert_eq!(config.seed, 7);
        assert_eq!(config.network.layers, Some(vec!["fc1".to_string()]));
    }

    #[test]
    fn a_network_of_a_file_is_called_after_the_file_that_is_read() {
        let text = SMALLEST.replace("name = \"vgg16\"\nrandom = true\n", "file = \"nets/a.onnx\"\n");
        let name = |overrides: &[&str]| read(&text, overrides).unwrap().network.name;
        assert_eq!(name(&[]), "a");
        assert_eq!(name(&["seed=7", "network.file=b.onnx"]), "b");
        assert_eq!(name(&["network.name=net", "network.file=b.onnx"]), "net");
    }

    #[test]
    fn overrides_change_nothing_else() {
        let text = format!("{SMALLEST}[run]\nmemory = \"0.7 GB\"\n");
        let (whole, changed) = (read(&text, &[]).unwrap(), read(&text, &["seed=7"]).unwrap());
        assert_eq!(changed.run.memory, whole.run.memory);
        assert_eq!(changed.stimuli.manifest.file_name(), whole.stimuli.manifest.file_name());
    }

    #[test]
    fn unknown_keys_and_wrong_types_name_the_line() {
        let error = read(&format!("{SMALLEST}[two_vs_two]\npermutation = 3\n"), &[]).unwrap_err().to_string();
        assert!(
            error.contains("experiment.toml") && error.contains("permutation") && error.contains("line 10"),
            "{error}"
        );
        assert!(error.contains("did you mean \"permutations\""), "{error}");
        let error = read(&format!("{SMALLEST}[run]\nmemory = \"4 elephants\"\n"), &[]).unwrap_err().to_string();
        assert!(error.contains("4 elephants"), "{error}");
        let error = read(SMALLEST, &["two_vs_two.permutation=3"]).unwrap_err().to_string();
        assert!(error.contains("permutation"), "{error}");
        assert!(read(SMALLEST, &["nonsense"]).is_err());
    }
}
