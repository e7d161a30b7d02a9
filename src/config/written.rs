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
        let not_text = |problem| FileError::at(path)(Error::other(problem));
        let text = text.ok_or_else(|| not_text("is not UTF-8, as is expected; save it as UTF-8"))?;
        if text.contains('\0') {
            return Err(not_text(files::UTF16).into());
        }
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
mod tests;
