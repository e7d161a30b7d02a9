//! `semgpu quickstart` and `semgpu init`: the experiment that the program carries in itself.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use clap::Args;

use crate::config::Config;
use crate::device::Choice;
use crate::error::{Error, FileError};
use crate::progress::Progress;
use crate::results::{self, beside, check_files, remove_dead};
use crate::wording::shell;

use super::{print, run, threads};

/// Every file of the experiment: its path in the project, its bytes.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/quickstart.rs"));
const CONFIG: &str = "configs/quickstart.toml";

#[derive(Args)]
pub(super) struct Quickstart {
    /// Where results go
    #[arg(long, value_name = "DIR", default_value = "results/quickstart")]
    out: PathBuf,
    /// auto, cpu, gpu or gpu:N
    #[arg(long, default_value = "auto")]
    device: Choice,
    /// CPU threads; default: all
    #[arg(long, value_name = "T", value_parser = threads)]
    threads: Option<NonZeroUsize>,
    /// Removes what semgpu wrote there before
    #[arg(long)]
    fresh: bool,
}

/// Files that are there and of other content.
#[derive(Debug, thiserror::Error)]
#[error("{}: is there with other content; nothing was written: move it away, or name another folder", .0.display())]
struct Other(PathBuf);

pub(super) fn quickstart(arguments: Quickstart, progress: &Progress) -> Result<(), Error> {
    let folder = Unpacked::new()?;
    let mut config = Config::read(&folder.path().join(CONFIG), &[]).map_err(Error::failed)?;
    let Quickstart { out, device, threads, fresh } = arguments;
    config.run.device = device;
    run::carry_out(run::place(config, Some(out), threads)?, fresh, false, progress)
}

/// Writes the experiment out as a start of one's own.
pub(super) fn init(folder: &Path, progress: &Progress) -> Result<(), Error> {
    // One file of each folder.
    let files: BTreeMap<_, PathBuf> =
        FILES.iter().map(|(name, _)| (Path::new(name).parent(), folder.join(name))).collect();
    check_files(&files.into_values().collect::<Vec<_>>(), &[])?;
    if let Some((name, _)) = FILES.iter().find(|(name, bytes)| holds_other(&folder.join(name), bytes)) {
        return Err(Error::input(Other(folder.join(name))));
    }
    unpack(folder).map_err(Error::failed)?;
    progress.line(format!(
        "{} files written: a configuration with comments, a manifest, images, vectors, weights",
        FILES.len()
    ));
    progress.line(format!("next: semgpu run {}", shell(&folder.join(CONFIG).to_string_lossy())));
    print(folder.join(CONFIG).display());
    Ok(())
}

/// The shipped weights of SqueezeNet 1.1, and where they go: beside `file`.
fn weights(file: &Path) -> (PathBuf, &'static [u8]) {
    let (name, bytes) = FILES.iter().find(|(name, _)| name.starts_with("weights/")).expect("build.rs lists them");
    (file.with_file_name(name.trim_start_matches("weights/")), bytes)
}

/// Whether they may be written there: somebody else's are not replaced.
pub(super) fn check_weights(file: &Path) -> Result<(), Error> {
    let (path, bytes) = weights(file);
    if holds_other(&path, bytes) { Err(Error::input(Other(path))) } else { Ok(()) }
}

/// Writes them; where they are.
pub(super) fn put_weights(file: &Path) -> Result<PathBuf, FileError> {
    let (path, bytes) = weights(file);
    put(&path, bytes).map(|()| path)
}

/// A folder with the experiment in it: the user's cache, where `semgpu plot` finds the images again; where there is none,
/// a temporary one.
enum Unpacked {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Unpacked {
    fn new() -> Result<Self, Error> {
        if let Some(cache) = cache() {
            let folder = cache.join(concat!("semgpu/quickstart-", env!("CARGO_PKG_VERSION")));
            if unpack(&folder).is_ok() {
                return Ok(Self::Kept(folder));
            }
        }
        let folder = tempfile::Builder::new().prefix("semgpu-quickstart-").tempdir();
        let folder = folder.map_err(FileError::at(env::temp_dir())).map_err(Error::failed)?;
        unpack(folder.path()).map_err(Error::failed)?;
        Ok(Self::Temporary(folder))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// The user's folder for what can be made again.
fn cache() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    variable("XDG_CACHE_HOME").or_else(|| match env::consts::OS {
        "windows" => variable("LOCALAPPDATA"),
        "macos" => variable("HOME").map(|home| home.join("Library/Caches")),
        _ => variable("HOME").map(|home| home.join(".cache")),
    })
}

fn holds(path: &Path, bytes: &[u8]) -> bool {
    fs::metadata(path).is_ok_and(|found| found.len() == bytes.len() as u64)
        && fs::read(path).is_ok_and(|found| found == bytes)
}

/// Whether a file is there, and of other content.
fn holds_other(path: &Path, bytes: &[u8]) -> bool {
    path.try_exists().unwrap_or(true) && !holds(path, bytes)
}

/// Writes every file that is not there as it should be.
fn unpack(folder: &Path) -> Result<(), FileError> {
    let folders: BTreeSet<PathBuf> =
        FILES.iter().filter_map(|(name, _)| Some(folder.join(name).parent()?.into())).collect();
    folders.iter().for_each(|folder| remove_dead(folder));
    FILES.iter().try_for_each(|(name, bytes)| put(&folder.join(name), bytes))
}

/// Writes a file unless it is there; whole or not at all, for another process may do the same.
fn put(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    if holds(path, bytes) {
        return Ok(());
    }
    // Not synced: of so many files that takes seconds, and one that a failing system damaged is written again.
    let written = || -> io::Result<()> {
        let mut file = beside(path)?;
        file.write_all(bytes)?;
        results::put(file, path)
    };
    written().map_err(FileError::at(path))
}
