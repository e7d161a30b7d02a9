//! Where results go: whether files can be written there, and what dead processes left half written.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::claim::{COMPARE, ClaimError};
use super::directory::{DRAWS, TEMPORARY};
use super::networks::NETWORKS;
use super::{Results, ResultsDir, temporary};
use crate::files;

/// What a table or a matrix, a record, a page and a figure end with.
const ENDINGS: [&str; 7] = ["csv", "json", "html", "npy", "png", "svg", "pdf"];

/// Letters and digits behind [`TEMPORARY`], as tempfile chooses them.
const RANDOM: usize = 6;

/// How old a file is at least that a dead process left: a younger one may be about to be locked.
const YOUNG: Duration = Duration::from_secs(60);

impl ResultsDir {
    /// Whether matrices can be written where there are any: figures are drawn beside those that can only be read.
    pub(super) fn check_matrices(&self) -> Result<(), ClaimError> {
        if self.matrices().exists() { writable(&self.matrices()) } else { Ok(()) }
    }

    /// Whether every file that is made of matrices can be written: directories are no files, files no directories. Changes
    /// nothing.
    ///
    /// # Errors
    /// The first that is in the way.
    pub fn check_places(&self) -> Result<(), ClaimError> {
        let lock = self.lock_file();
        if lock.is_symlink() {
            return Err(ClaimError::Link(lock));
        }
        let places = [self.matrices(), self.figures()];
        if let Some(nowhere) = places.into_iter().find(|place| place.is_symlink() && !place.exists()) {
            return Err(ClaimError::Dangling(nowhere));
        }
        if self.figures().exists() {
            writable(&self.figures())?;
        }
        let tables = Results::NAMES.iter().copied().chain([NETWORKS, COMPARE, "within"]).map(|name| self.table(name));
        let records = [self.record(), self.networks(), self.comparison(), self.page(), lock];
        let lists = self.lists().into_iter().chain([self.finished()]);
        let of_kind = |path: &PathBuf| {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            ENDINGS.contains(&&*ending)
        };
        let inside = [self.matrices(), self.figures()].map(|place| entries(&place)).concat();
        let scores = entries(self.root()).into_iter().filter(|path| path.to_string_lossy().ends_with(DRAWS));
        let files = tables.chain(records).chain(lists).chain(scores).chain(inside.into_iter().filter(of_kind));
        match files.into_iter().find(|path| path.is_dir()) {
            Some(path) => Err(ClaimError::InTheWay(path)),
            None => Ok(()),
        }
    }

    /// Who writes here at this moment, if anybody does.
    pub fn holder(&self) -> Option<String> {
        let path = self.lock_file();
        let lock = files::open(&path).ok()?;
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(named_in(&path)),
            _ => None,
        }
    }
}

/// The holder's name in its lock file. Windows lets nobody else read a locked file.
pub(super) fn named_in(lock: &Path) -> String {
    let name = fs::read_to_string(lock).unwrap_or_default();
    if name.trim().is_empty() { "one whose name cannot be read".to_string() } else { name.trim().to_string() }
}

/// Whether files may be written: none is a directory or one of the inputs, and each place can be written. Changes nothing, but what
/// dead processes left half written goes.
///
/// # Errors
/// Which of these it is not.
pub fn check_files(outs: &[PathBuf], inputs: &[&Path]) -> Result<(), ClaimError> {
    let read: Vec<PathBuf> = inputs.iter().map(|input| whole(input)).collect();
    for out in outs {
        if out.is_dir() {
            return Err(ClaimError::NoFile(out.clone()));
        }
        if let Some(input) = read.iter().position(|input| *input == whole(out)) {
            return Err(ClaimError::Input { input: inputs[input].into(), out: out.clone() });
        }
        let parent = files::folder(out);
        writable(parent)?;
        remove_dead(parent);
    }
    Ok(())
}

/// Removes files in a directory that processes were writing when they were killed: a living one holds a lock on its own.
pub fn remove_dead(directory: &Path) {
    remove_older(directory, YOUNG);
}

/// The same where only the holder of the results' lock writes, so that none is about to be locked: beside their matrices and their
/// figures, but not in their root, where the merge of a sweep's network keeps scores and users let other commands write.
pub(super) fn remove_all_dead(directory: &Path) {
    remove_older(directory, Duration::ZERO);
}

fn remove_older(directory: &Path, least: Duration) {
    let is_random = |rest: &str| rest.len() == RANDOM && rest.chars().all(|c| c.is_ascii_alphanumeric());
    let is_old = |found: &fs::Metadata| {
        least.is_zero() || found.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age >= least))
    };
    let is_temporary = |path: &PathBuf| {
        files::name(path).strip_prefix(TEMPORARY).is_some_and(is_random)
            && path.symlink_metadata().is_ok_and(|found| found.is_file() && is_old(&found))
    };
    for path in entries(directory).into_iter().filter(is_temporary) {
        let Ok(file) = File::options().read(true).write(true).open(&path) else { continue };
        if file.try_lock().is_ok() {
            drop(file);
            let _ = fs::remove_file(&path);
        }
    }
}

/// The paths of what is in a directory; nothing where there is none.
pub(super) fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// The path without links as far as it is there.
pub(super) fn whole(path: &Path) -> PathBuf {
    let path = absolute(path);
    let there = path.ancestors().find_map(|there| Some((there, there.canonicalize().ok()?)));
    there.map_or_else(
        || path.clone(),
        |(there, real)| match path.strip_prefix(there) {
            Ok(rest) if rest != Path::new("") => real.join(rest),
            _ => real,
        },
    )
}

/// A place, there or not, as seen from here: the way down to it, or whole.
pub fn seen(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let real = whole(path);
    let below = here.ok().and_then(|here| real.strip_prefix(here).ok()).filter(|below| *below != Path::new(""));
    // Windows' own spelling of a whole path, `\\?\C:\…`, is not for people.
    let without_up = || Some(real.as_path()).filter(|_| !cfg!(windows));
    below.or_else(without_up).unwrap_or(path).display().to_string()
}

/// Makes a file without a name in the directory, or in the one in which it would be made.
pub(super) fn writable(directory: &Path) -> Result<(), ClaimError> {
    let path = absolute(directory);
    let there = path.ancestors().find(|there| there.exists()).unwrap_or(Path::new("/"));
    let real = whole(there);
    if !real.is_dir() {
        return Err(ClaimError::NoDirectory(there.into()));
    }
    let unwritable = |source| ClaimError::Unwritable { path: directory.into(), source };
    if cfg!(unix) && ["/proc", "/sys"].iter().any(|system| real.starts_with(system)) {
        return Err(unwritable(io::Error::other("the system's own directory")));
    }
    temporary(&real).map(|_| ()).map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_at_who_writes_stops_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let results = ResultsDir::new(directory.path());
        let held = File::create(results.lock_file()).unwrap();
        held.lock().unwrap();
        assert_eq!(results.holder().unwrap(), "one whose name cannot be read");
        // Taken before the run begins, for less than it waits.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(50));
                drop(held);
            });
            results.lock("run").unwrap();
        });
        assert_eq!(results.holder(), None);
    }
}
