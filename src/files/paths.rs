//! What paths say by their names alone.

use std::path::{Component, Path, PathBuf};

/// A file's name without the directory.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file's name without its ending.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a file's name ends with, in lower case and without the dot; empty where it has no ending.
pub fn ending(path: &Path) -> String {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase()
}

/// The folder that a file is in; of a name alone `.`.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// Whether a file is none that its user keeps: `._layer1.npy` is what macOS leaves beside `layer1.npy` on other disks.
pub fn is_hidden(path: &Path) -> bool {
    name(path).starts_with('.')
}

/// The way from one directory to another, by their names alone; none from a relative to an absolute one.
pub fn way(from: &Path, to: &Path) -> Option<PathBuf> {
    let (from, to) = (plain(from)?, plain(to)?);
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let rooted = |parts: &[Component]| parts.iter().any(|part| !matches!(part, Component::Normal(_)));
    if rooted(&from[common..]) || rooted(&to[common..]) {
        return None;
    }
    let up = std::iter::repeat_n(Component::ParentDir, from.len() - common);
    Some(up.chain(to[common..].iter().copied()).collect())
}

/// Without `.` and `..`; none if it climbs above its start.
fn plain(path: &Path) -> Option<Vec<Component<'_>>> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            other => parts.push(other),
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_between_directories_is_found_by_their_names() {
        let way = |from: &str, to: &str| way(Path::new(from), Path::new(to));
        assert_eq!(way("configs/../results/q", "configs/../data/q"), Some("../../data/q".into()));
        assert_eq!(way("/a/results", "/a/data"), Some("../data".into()));
        assert_eq!(way("out", ""), Some("..".into()));
        assert_eq!(way("/a/results", "data"), None);
        assert_eq!(way("../out", "data"), None);
    }
}
