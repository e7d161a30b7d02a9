//! The stimuli's images, where they can still be found.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::checksum::sha256;
use crate::config::Config;
use crate::files;
use crate::images::{self, Framing, Resize};
use crate::record::RunRecord;
use crate::results::{Results, StimulusRow};

/// The folders that have a run's images, and how they are brought to a square.
pub struct Source {
    folders: Vec<PathBuf>,
    /// Of any size.
    framing: Framing,
    /// Those asked for that are there and not as the run had them, by their paths in the manifest.
    altered: Mutex<BTreeSet<String>>,
    /// Whether the table says how the run had them.
    summed: bool,
}

impl Source {
    /// Looks beside the results and where the run had them; none if there is none of them: results are often read on
    /// another machine.
    pub fn find(results: &Results, record: Option<&RunRecord>, directory: &Path) -> Option<Self> {
        let run = record?.run()?;
        let there = |folder: &PathBuf| results.stimuli.iter().any(|stimulus| folder.join(&stimulus.path).exists());
        let folders: Vec<PathBuf> = folders(&run.config, directory).into_iter().filter(there).collect();
        if folders.is_empty() {
            return None;
        }
        // As the network sees them, with antialias where its own rule has none.
        let resize = match run.network.input.resize {
            Resize::CropBilinear | Resize::CropBicubic => Resize::CropBilinear,
            Resize::SquashNearest | Resize::SquashBilinear | Resize::SquashBicubic => Resize::SquashBilinear,
        };
        let summed = results.stimuli.iter().any(|stimulus| !stimulus.sha256.is_empty());
        let framing = Framing { resize, ..run.network.input.framing() };
        Some(Self { folders, framing, altered: Mutex::default(), summed })
    }

    /// `[size, size, 3]` bytes; none if the image is gone, unreadable or, by its checksum, not the run's.
    pub fn rgb(&self, stimulus: &StimulusRow, size: usize) -> Option<Vec<u8>> {
        let framing = Framing { size, ..self.framing };
        let paths = || self.folders.iter().map(|folder| folder.join(&stimulus.path));
        let load = |path: PathBuf| images::load_unchanged(&path, Some(&stimulus.sha256), framing).ok();
        let found = paths().find_map(load);
        if found.is_none() && paths().any(|path| sha256(&path).is_ok_and(|sum| sum != stimulus.sha256)) {
            self.altered().insert(stimulus.path.clone());
        }
        found
    }

    /// Whether an image that was asked for is there and not as the run had it.
    pub fn is_altered(&self, stimulus: &StimulusRow) -> bool {
        self.altered().contains(&stimulus.path)
    }

    /// What is said of the images that are not as the run had them.
    pub fn doubt(&self) -> Option<String> {
        let altered = self.altered();
        let first = altered.first()?;
        Some(if self.summed {
            let more = if altered.len() > 1 { format!(" and {} more", altered.len() - 1) } else { String::new() };
            format!(
                "{first}{more}: not as the run had it, by its SHA-256 in stimuli.csv; no picture of it is drawn: put the \
                 run's image there and plot again, or run again"
            )
        } else {
            "stimuli.csv: no column \"sha256\", so nothing says whether images are still those of the run; none are drawn: \
             run again for pictures"
                .to_string()
        })
    }

    fn altered(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.altered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the manifest's folder may be: as it lies from the results, which holds when both were moved together or the
/// command is given elsewhere, from a folder above them, and as the run named it. Checksums say whether an image is the run's.
fn folders(config: &Config, directory: &Path) -> Vec<PathBuf> {
    let folder = config.stimuli_root().to_path_buf();
    let beside: Vec<PathBuf> = ways(&config.out(), &folder).iter().map(|way| directory.join(way)).collect();
    let directory = std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
    let above = directory.ancestors().skip(1).map(|above| above.join(&folder));
    beside.into_iter().chain(above).chain([folder.clone()]).collect()
}

/// The ways that may lead from the results to the manifest's folder. Where only one of them is absolute (`--out` always is), the
/// other began at the run's working directory, which may be any above the absolute one.
fn ways(out: &Path, folder: &Path) -> Vec<PathBuf> {
    match (out.is_absolute(), folder.is_absolute()) {
        (true, false) => out.ancestors().filter_map(|above| files::way(out, &above.join(folder))).collect(),
        (false, true) => folder.ancestors().filter_map(|above| files::way(&above.join(out), folder)).collect(),
        _ => files::way(out, folder).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum;
    use crate::record;
    use crate::results::ResultsDir;

    #[test]
    fn only_the_images_of_the_run_are_drawn() {
        let project = tempfile::tempdir().unwrap();
        let at = |path: &str| project.path().join(path);
        let image = |place: &str, red: u8| {
            std::fs::create_dir_all(at(place).join("im")).unwrap();
            image::RgbImage::from_pixel(8, 8, image::Rgb([red, 0, 0])).save(at(place).join("im/a.png")).unwrap();
        };
        image("beside", 200);
        image("named", 100);
        let sum = checksum::sha256(&at("beside/im/a.png")).unwrap();
        let row = StimulusRow { group: "1".into(), concept: "ant".into(), path: "im/a.png".into(), sha256: sum };
        let mut results = Results { stimuli: vec![row.clone()], ..Results::default() };
        let of_run = ResultsDir::new(at("beside/out"));
        record::tests::written(&of_run, |run| {
            run["config"]["stimuli"]["manifest"] = at("named/m.csv").display().to_string().into();
            run["config"]["run"]["out"] = at("named/out").display().to_string().into();
        });
        let record = RunRecord::read(&of_run).unwrap();
        let find = |results: &Results| Source::find(results, record.as_ref(), of_run.root());
        let red = |source: &Source| source.rgb(&row, 8).map(|rgb| rgb[0]);

        let source = find(&results).unwrap();
        assert_eq!((red(&source), source.doubt()), (Some(200), None), "beside the results");
        image("beside", 50);
        image("named", 200);
        assert_eq!((red(&source), source.doubt()), (Some(200), None), "where the run had it");
        image("named", 100);
        assert_eq!((red(&source), source.is_altered(&row)), (None, true));
        assert!(source.doubt().unwrap().starts_with("im/a.png: not as the run had it"));
        for place in ["beside", "named"] {
            std::fs::remove_file(at(place).join("im/a.png")).unwrap();
        }
        assert!(find(&results).is_none());

        image("beside", 200);
        results.stimuli[0].sha256.clear();
        let source = find(&results).unwrap();
        assert!(source.rgb(&results.stimuli[0], 8).is_none());
        assert!(source.doubt().unwrap().starts_with("stimuli.csv: no column"));
    }

    #[test]
    fn a_project_is_found_that_was_moved_after_a_run_with_a_relative_manifest_and_out() {
        let here = std::env::current_dir().unwrap();
        let absolute = |path: &str| here.join(path);
        let found = ways(&absolute("project/out"), Path::new("project/data"));
        assert!(found.contains(&PathBuf::from("../data")), "{found:?}");
        let found = ways(Path::new("project/out"), &absolute("project/data"));
        assert!(found.contains(&PathBuf::from("../data")), "{found:?}");
        assert_eq!(ways(Path::new("out"), Path::new("data")), [PathBuf::from("../data")]);
    }
}
