//! Records without the folders of the machine that they were made on: pages are passed on.

use std::cmp::Reverse;
use std::path::PathBuf;

use super::{Command, Origin, RunRecord};

impl RunRecord {
    /// The record with every file named by its name alone, also where a warning mentions it.
    pub fn without_folders(&self) -> Self {
        let mut record = self.clone();
        let paths: Vec<&mut PathBuf> = match &mut record.command {
            Command::Run(run) => run.config.paths_mut().collect(),
            Command::Test(test) => {
                let read = test.read.iter_mut().map(|read| &mut read.path);
                test.config.paths_mut().chain(read).collect()
            }
        };
        let mut names = Vec::new();
        for path in paths {
            let whole = path.to_string_lossy().into_owned();
            let name = file_name(&whole).to_string();
            *path = name.clone().into();
            names.push((whole, name));
        }
        // Longest first: one path may begin with another.
        names.sort_by_key(|(whole, _)| Reverse(whole.len()));
        let understood: Vec<&mut String> = match &mut record.command {
            Command::Run(_) => Vec::new(),
            Command::Test(test) => {
                let orders = test.read.iter_mut().filter_map(|read| read.order.as_mut());
                test.understood.iter_mut().chain(orders).collect()
            }
        };
        for text in record.warnings.iter_mut().chain(understood) {
            names.iter().for_each(|(whole, name)| *text = text.replace(whole, name));
        }
        record.origin = record.origin.without_folders();
        record
    }
}

impl Origin {
    /// The command line with every file named by its name alone.
    pub fn without_folders(&self) -> Self {
        // `--words NAME=FILE`, `--set KEY=FILE` and `--set KEY=[{file="FILE"}]` too.
        let name = |argument: &String| match argument.split_once('=') {
            Some((key, value)) if !key.contains(['/', '\\']) => format!("{key}={}", file_names(value)),
            _ => file_name(argument).to_string(),
        };
        Self { arguments: self.arguments.iter().map(name).collect(), ..self.clone() }
    }
}

/// Leaves of each path its last part.
pub(super) fn remove<'a>(paths: impl Iterator<Item = &'a mut PathBuf>) {
    paths.for_each(|path| *path = file_name(&path.to_string_lossy()).into());
}

/// The last part of a path of any operating system.
fn file_name(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The same of a value that has its texts in quotes, text by text.
fn file_names(value: &str) -> String {
    match value.split('"').collect::<Vec<_>>()[..] {
        [path] => file_name(path).to_string(),
        ref parts => {
            let is_text = |n: usize| n % 2 == 1;
            let named = parts.iter().enumerate().map(|(n, part)| if is_text(n) { file_name(part) } else { part });
            named.collect::<Vec<_>>().join("\"")
        }
    }
}
