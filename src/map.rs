//! Whether the map in `lib.rs` is true: a module uses those above it and in its own line.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The line of the map that a module stands in.
fn lines() -> HashMap<&'static str, usize> {
    let rows = include_str!("lib.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
    let modules = rows.map(|row| row.split(" | ").next().unwrap_or_default().split('`').skip(1).step_by(2));
    modules.enumerate().flat_map(|(line, modules)| modules.map(move |module| (module, line))).collect()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The modules that a file's code names behind `crate::`.
fn used(text: &str) -> Vec<&str> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code = code.split("#[cfg(test)]\npub mod tests {").next().unwrap_or_default();
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let behind = code.flat_map(|line| line.split("crate::").skip(1));
    let names = behind.flat_map(|rest| match rest.strip_prefix('{') {
        Some(several) => several.split(',').map(str::trim).collect(),
        None => vec![rest],
    });
    names.filter_map(|name| name.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()).collect()
}

#[test]
fn a_module_uses_those_above_it() {
    let (lines, source) = (lines(), Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut wrong = Vec::new();
    for path in files(&source) {
        let place = path.strip_prefix(&source).unwrap().with_extension("");
        let module = place.iter().next().unwrap().to_str().unwrap();
        let is_of_tests = place.iter().any(|part| ["tests", "testing"].contains(&part.to_str().unwrap()));
        if is_of_tests || ["lib", "main", "map"].contains(&module) {
            continue;
        }
        let line = lines.get(module).unwrap_or_else(|| panic!("{module} is not in the map"));
        let text = fs::read_to_string(&path).unwrap();
        let below = used(&text).into_iter().filter(|used| lines.get(used).is_some_and(|other| other > line));
        wrong.extend(below.map(|below| format!("{}: {below}", place.display())));
    }
    assert_eq!(wrong, [""; 0]);
}
