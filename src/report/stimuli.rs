//! The stimuli's images, where they can still be found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Component, Path, PathBuf};

use crate::config::Config;
use crate::images::{self, Resize};
use crate::record::RunRecord;
use crate::results::{Results, StimulusRow};

/// The folder of a run's images, and how they are brought to a square.
pub struct Source {
    folder: PathBuf,
    resize: Resize,
    crop_pct: f64,
}

impl Source {
    /// Looks where the run had them and beside the results; none if there is none of them: results are often read on
    /// another machine.
    pub fn find(results: &Results, record: Option<&RunRecord>, directory: &Path) -> Option<Self> {
        let run = record?.run()?;
        let there = |folder: &PathBuf| results.stimuli.iter().any(|stimulus| folder.join(&stimulus.path).exists());
        let folder = folders(&run.config, directory).into_iter().find(there)?;
        // As the network sees them, with antialias where its own rule has none.
        let resize = match run.network.input.resize {
            Resize::CropBilinear | Resize::CropBicubic => Resize::CropBilinear,
            Resize::SquashNearest | Resize::SquashBilinear | Resize::SquashBicubic => Resize::SquashBilinear,
        };
        Some(Self { folder, resize, crop_pct: run.network.input.crop_pct })
    }

    /// `[size, size, 3]` bytes; none if the image is gone or unreadable.
    pub fn rgb(&self, stimulus: &StimulusRow, size: usize) -> Option<Vec<u8>> {
        let path = self.folder.join(&stimulus.path);
        // A decoder that trips over a malformed file takes down its picture, not the report.
        catch_unwind(AssertUnwindSafe(|| images::load(&path, size, self.resize, self.crop_pct))).ok()?.ok()
    }
}

/// Where the manifest's folder may be: as the run named it, and as it lies from the results, which holds when both were
/// moved together or the command is given elsewhere.
fn folders(config: &Config, directory: &Path) -> Vec<PathBuf> {
    let folder = config.stimuli_root().to_path_buf();
    let beside = between(&config.out(), &folder).map(|way| directory.join(way));
    std::iter::once(folder).chain(beside).collect()
}

/// The way from one directory to another, by their names alone; none from a relative to an absolute one.
pub fn between(from: &Path, to: &Path) -> Option<PathBuf> {
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
        let way = |from: &str, to: &str| between(Path::new(from), Path::new(to));
        assert_eq!(way("configs/../results/q", "configs/../data/q"), Some("../../data/q".into()));
        assert_eq!(way("/a/results", "/a/data"), Some("../data".into()));
        assert_eq!(way("out", ""), Some("..".into()));
        assert_eq!(way("/a/results", "data"), None);
        assert_eq!(way("../out", "data"), None);
    }
}
