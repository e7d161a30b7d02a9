//! Whose a results directory is: what semgpu may write, and that one process writes it at a time.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::ResultsDir;
use super::ledger::{self, Ledger, Records, Written};
use super::place::{absolute, entries, named_in, remove_all_dead, remove_dead, whole, writable};
use crate::error::{Error, FileError};
use crate::wording::first;

/// The command of a directory with the networks of a sweep.
pub const SWEEP: &str = "sweep";

/// That of a directory with a comparison of runs.
pub const COMPARE: &str = "compare";

/// How often, and after how long, a lock that another process holds is tried again: [`ResultsDir::holder`] takes it for a moment.
const PROBES: (usize, Duration) = (10, Duration::from_millis(20));

/// Why nothing is written.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// A path that `run.json` could not name.
    #[error("{}: this path is no UTF-8, expected one that run.json can name; rename it", .0.display())]
    NotText(PathBuf),
    /// A file in the place of a directory.
    #[error("{}: a file, expected a directory to write into; move it away, or name another one", .0.display())]
    NoDirectory(PathBuf),
    /// A directory in the place of a file.
    #[error("{}: a directory, expected a file to write; move it away, or name a file", .0.display())]
    NoFile(PathBuf),
    /// A directory in the place of a file of the results.
    #[error("{}: a directory where a file of the results goes; move it away, or use another directory", .0.display())]
    InTheWay(PathBuf),
    /// Somebody else's file in the place of one of the results.
    #[error("{}: semgpu did not write this file, which its results would replace; move it away, or use another directory", .0.display())]
    NotOurs(PathBuf),
    /// One of semgpu's own that is not whole.
    #[error("{}: semgpu began this file, and it is empty, cut off or cannot be read; remove it, and the same command makes it again", .0.display())]
    CutOff(PathBuf),
    /// A link in the place of the lock: what it leads to would be written over.
    #[error("{}: a link, expected nothing or a file of semgpu's own; remove it", .0.display())]
    Link(PathBuf),
    /// A link to nowhere.
    #[error("{}: a link to what is not there, expected a directory; remove it, or make what it leads to", .0.display())]
    Dangling(PathBuf),
    /// Nothing can be written there.
    #[error("{}: nothing can be written here ({source}); use another directory", path.display())]
    Unwritable {
        /// What was asked for.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Somebody else's directory.
    #[error(
        "{}: not empty, and not a results directory of semgpu's ({} is none of its files); give --out a directory of its own",
        path.display(), example.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Something in it.
        example: PathBuf,
    },
    /// What is read lies where results go.
    #[error(
        "{}: an input in {}, where results would replace it or be taken for it; move it, or give --out another place",
        input.display(), out.display()
    )]
    Input {
        /// The input.
        input: PathBuf,
        /// --out
        out: PathBuf,
    },
    /// Another experiment's results.
    #[error(
        "{}: holds the {found} of another experiment{differs}, in whose place this one's would stand; give --out another directory, or \
         {}", path.display(), if *fresh { "add --fresh to remove what semgpu wrote there" } else { "remove this one" }
    )]
    Other {
        /// The directory.
        path: PathBuf,
        /// `layers of a run`, `results`, `networks of a sweep` or `comparison of runs`
        found: &'static str,
        /// ` (what differs first)`, where that is known.
        differs: String,
        /// Whether `--fresh` would remove it.
        fresh: bool,
    },
    /// Networks of a sweep that has them no more.
    #[error(
        "{}: holds networks of a sweep ({}, which this one has not), beside which this one's would stand; name them in the file again, \
         give --out another directory, or remove {}{remedy}", path.display(), first(labels, 3), places.join(", ")
    )]
    Networks {
        /// The sweep's directory.
        path: PathBuf,
        /// Their labels.
        labels: Vec<String>,
        /// Their folders and files.
        places: Vec<String>,
        /// What removes them, behind a comma; nothing where the command cannot.
        remedy: &'static str,
    },
    /// Another process writes there.
    #[error("{}: another semgpu writes here: {by}; wait for it, or use another directory", path.display())]
    Held {
        /// The directory.
        path: PathBuf,
        /// Its process, command and start.
        by: String,
    },
    /// Reading or removing failed.
    #[error(transparent)]
    File(#[from] FileError),
}

impl ClaimError {
    /// Of another experiment's results, what the record there says that differs.
    pub fn differing(mut self, first: impl FnOnce() -> Option<String>) -> Self {
        if let Self::Other { differs, .. } = &mut self {
            *differs = first().map_or_else(String::new, |first| format!(" ({first})"));
        }
        self
    }
}

/// Exit code 2, but for what the system did not let happen: a full disk.
impl From<ClaimError> for Error {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::File(error) => Self::failed(error),
            ClaimError::Unwritable { ref source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Self::failed(error)
            }
            other => Self::input(other),
        }
    }
}

/// A results directory that this process alone writes, until dropped or ended in any way.
#[derive(Debug)]
pub struct Claim {
    directory: ResultsDir,
    /// There until it is dropped.
    lock: Option<File>,
    /// Whether the directory was made for it.
    made: bool,
    damaged: Option<String>,
}

impl Claim {
    /// That the list of finished matrices was damaged, in words: they are made again.
    pub fn damaged(&self) -> Option<&str> {
        self.damaged.as_deref()
    }
}

impl ResultsDir {
    /// Whether results may go here: a place that can be written, not there, empty or semgpu's own by its records, in which
    /// none of the inputs lies. Changes nothing.
    ///
    /// # Errors
    /// Which of these it is not.
    pub fn check<'a>(&self, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), ClaimError> {
        self.check_around(inputs, |_| false)
    }

    /// The same of a directory whose records may be lost: what it then holds `is_own` knows, or it is somebody else's.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_around<'a>(
        &self,
        inputs: impl IntoIterator<Item = &'a Path>,
        is_own: impl Fn(&Path) -> bool,
    ) -> Result<(), ClaimError> {
        let root = self.root();
        text(root)?;
        if root.is_symlink() && !root.exists() {
            return Err(ClaimError::Dangling(root.into()));
        }
        if root.exists() && !root.is_dir() {
            return Err(ClaimError::NoDirectory(root.into()));
        }
        if let Some(example) = self.foreign(is_own)? {
            return Err(ClaimError::Foreign { path: root.into(), example });
        }
        let written = [root.to_path_buf(), self.matrices(), self.figures()];
        let places: Vec<PathBuf> = written.iter().flat_map(|place| [absolute(place), whole(place)]).collect();
        for input in inputs {
            text(input)?;
            let inside = |input: PathBuf| places.iter().any(|place| input.starts_with(place));
            if inside(absolute(input)) || inside(whole(input)) {
                return Err(ClaimError::Input { input: input.into(), out: root.into() });
            }
        }
        writable(root)?;
        self.check_matrices()?;
        self.check_places()
    }

    /// Whether a record or a list of a run or a test is in it.
    pub fn is_known(&self) -> bool {
        Records::read(self).is_known()
    }

    /// Whether the directory holds nothing of another command.
    ///
    /// # Errors
    /// [`ClaimError::Other`]
    pub fn check_command(&self, command: &str) -> Result<(), ClaimError> {
        self.check_of_many(command)?;
        let records = Records::read(self);
        // A sweep and a comparison are no files of one experiment, which `--fresh` removes.
        let fresh = ![SWEEP, COMPARE].contains(&command);
        if records.commands().any(|found| found != command) { Err(self.other(&records, fresh)) } else { Ok(()) }
    }

    /// Whether it holds neither a sweep's networks nor a comparison, but those of the command.
    fn check_of_many(&self, command: &str) -> Result<(), ClaimError> {
        let of_many = [
            (SWEEP, self.holds_sweep(), "networks of a sweep"),
            (COMPARE, self.holds_comparison(), "comparison of runs"),
        ];
        match of_many.into_iter().find(|(of, is_there, _)| *of != command && *is_there) {
            Some((of, _, found)) => {
                let fresh = of == COMPARE && command != SWEEP;
                Err(ClaimError::Other { path: self.root().into(), found, differs: String::new(), fresh })
            }
            None => Ok(()),
        }
    }

    fn other(&self, records: &Records, fresh: bool) -> ClaimError {
        let is_run = records.commands().any(|command| command == "run");
        let found = if is_run { "layers of a run" } else { "results" };
        ClaimError::Other { path: self.root().into(), found, differs: String::new(), fresh }
    }

    /// Whether the directory is free for an experiment: it holds none, or the same, or what `fresh` says to remove.
    ///
    /// # Errors
    /// [`ClaimError::Other`]
    pub fn check_experiment(&self, experiment: &str, fresh: bool) -> Result<(), ClaimError> {
        self.holds_experiment(&Records::read(self), experiment, fresh)
    }

    fn holds_experiment(&self, records: &Records, experiment: &str, fresh: bool) -> Result<(), ClaimError> {
        let checked = self.check_of_many("").and_then(|()| match records.experiment() {
            Some(found) if found != experiment => Err(self.other(records, true)),
            _ => Ok(()),
        });
        match checked {
            Err(ClaimError::Other { fresh: true, .. }) if fresh => Ok(()),
            checked => checked,
        }
    }

    /// Takes the directory for this process and `experiment`; with `fresh` everything that semgpu wrote here goes.
    ///
    /// # Errors
    /// Another process has it, another experiment's results are in it, or it cannot be written.
    pub fn claim(&self, command: &str, experiment: &str, fresh: bool) -> Result<Claim, ClaimError> {
        self.claim_locked(self.lock(command)?, command, experiment, fresh)
    }

    /// The same of a directory that this process has taken.
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub fn claim_locked(
        &self,
        mut claim: Claim,
        command: &str,
        experiment: &str,
        fresh: bool,
    ) -> Result<Claim, ClaimError> {
        self.check_matrices()?;
        let records = Records::read(self);
        self.holds_experiment(&records, experiment, fresh)?;
        if fresh {
            self.remove_written(&records)?;
            self.remove_comparison()?;
        } else {
            claim.damaged = records.damaged(self);
        }
        let before = records.ledger.as_ref();
        if fresh || before.is_none_or(|ledger| ledger.key != experiment) {
            // What is there of results whose list was lost is in none.
            let has_all = !records.is_known() || records.is_whole() || !self.has_fixed();
            let files = has_all.then(BTreeSet::new);
            let ledger = Ledger { command: command.into(), key: experiment.into(), files, ..Ledger::default() };
            ledger.write(self)?;
        }
        Ok(claim)
    }

    /// Takes the directory for this process; what dead processes left half written goes.
    ///
    /// # Errors
    /// Another process has it, or it cannot be written.
    pub fn lock(&self, command: &str) -> Result<Claim, ClaimError> {
        self.check_places()?;
        let (root, path) = (self.root(), self.lock_file());
        let unwritable = |source| ClaimError::Unwritable { path: root.into(), source };
        let made = !root.exists();
        let (mut tries, mut probes) = (0, 0);
        loop {
            fs::create_dir_all(root).map_err(unwritable)?;
            let mut lock = open_lock(&path).map_err(unwritable)?;
            match lock.try_lock() {
                // One that cannot be locked at all (some network file systems) is used without.
                Ok(()) => {}
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(unwritable(error)),
                Err(TryLockError::WouldBlock) if probes < PROBES.0 => {
                    probes += 1;
                    std::thread::sleep(PROBES.1);
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(ClaimError::Held { path: root.into(), by: named_in(&path) });
                }
            }
            if path.is_symlink() {
                return Err(ClaimError::Link(path));
            }
            // Its holder may have removed the file between our opening and locking it.
            if tries < 100 && !is_at(&lock, &path) {
                tries += 1;
                continue;
            }
            let holder = format!("process {}, semgpu {command}, since {}", std::process::id(), now());
            let noted = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{holder}"));
            noted.map_err(unwritable)?;
            remove_dead(root);
            [self.matrices(), self.figures()].iter().for_each(|place| remove_all_dead(place));
            return Ok(Claim { directory: self.clone(), lock: Some(lock), made, damaged: None });
        }
    }

    /// Removes what was made of the matrices: it is about to be made again.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove_results(&self) -> Result<(), FileError> {
        let records = Records::read(self);
        remove_files(records.written(self).results)?;
        records.ledger.map_or(Ok(()), |ledger| ledger.without_results().write(self))
    }

    /// Whether any of the files is there that results always have.
    fn has_fixed(&self) -> bool {
        self.fixed().iter().any(|path| path.symlink_metadata().is_ok())
    }

    /// Removes what semgpu wrote here of an experiment, and the directory if nothing else is in it.
    ///
    /// # Errors
    /// Another process has it, or a file cannot be removed.
    pub fn clear(&self, command: &str) -> Result<(), ClaimError> {
        let claim = self.lock(command)?;
        self.remove_written(&Records::read(self))?;
        drop(claim);
        // Directories go only if nothing is in them.
        for place in [&self.matrices(), &self.figures(), self.root()] {
            let _ = fs::remove_dir(place);
        }
        Ok(())
    }

    fn remove_written(&self, records: &Records) -> Result<(), FileError> {
        let Written { matrices, results } = records.written(self);
        remove_files(results.iter().chain(&matrices))
    }

    /// Something in the directory, if there is anything and nothing says that it is semgpu's.
    fn foreign(&self, is_own: impl Fn(&Path) -> bool) -> Result<Option<PathBuf>, ClaimError> {
        let of_many = self.holds_comparison() || self.holds_sweep();
        let ours = of_many || self.finished().is_file() || self.lock_file().is_file();
        match ledger::record(self) {
            Some(_) => return Ok(None),
            // Damaged, or another program's: it would be replaced.
            None if self.record().exists() && !self.finished().is_file() => return Ok(Some(self.record())),
            None if ours => return Ok(None),
            None if self.networks().exists() => return Ok(Some(self.networks())),
            None => {}
        }
        let entries = match fs::read_dir(self.root()) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            entries => entries.map_err(FileError::at(self.root()))?,
        };
        Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).find(|path| !is_own(path)))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let (root, matrices, lock) = (self.directory.root(), self.directory.matrices(), self.directory.lock_file());
        // While it is held: the list would be another's a moment later.
        if self.made {
            let rest = |place: &Path| entries(place).into_iter().filter(|path| *path != lock).collect::<Vec<_>>();
            let list = self.directory.finished();
            if rest(root) == [matrices.as_path()] && rest(&matrices) == [list.as_path()] && list.is_file() {
                let _ = fs::remove_file(list);
            }
            // Directories go only if nothing is in them.
            let _ = fs::remove_dir(matrices);
        }
        // Unix: removed while it is held, whoever has it open sees that it is gone. Windows: not removed while anybody has it
        // open, who then holds it.
        if cfg!(windows) {
            self.lock = None;
        }
        let _ = fs::remove_file(lock);
        if self.made {
            let _ = fs::remove_dir(root);
        }
    }
}

/// Removes files, as far as they are there.
pub(crate) fn remove_files<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Result<(), FileError> {
    files.into_iter().try_for_each(|path| match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::at(path.as_ref())(error)),
        _ => Ok(()),
    })
}

fn text(path: &Path) -> Result<(), ClaimError> {
    path.to_str().map(|_| ()).ok_or_else(|| ClaimError::NotText(path.into()))
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |found: fs::Metadata| (found.dev(), found.ino());
    file.metadata().ok().map(id) == fs::symlink_metadata(path).ok().map(id)
}

/// Nobody removed it: nothing opens it to share its removal.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(windows)]
    {
        const READ_AND_WRITE: u32 = 1 | 2;
        std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, READ_AND_WRITE);
    }
    options.open(path)
}

/// `2026-11-25 23:30:00 UTC`
fn now() -> String {
    let now = time::OffsetDateTime::now_utc();
    format!("{} {:02}:{:02}:{:02} UTC", now.date(), now.hour(), now.minute(), now.second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_fault_of_the_input() {
        let code = |kind: io::ErrorKind| {
            let (path, source) = (PathBuf::from("out"), kind.into());
            Error::from(ClaimError::Unwritable { path, source }).exit_code()
        };
        assert_eq!((code(io::ErrorKind::StorageFull), code(io::ErrorKind::PermissionDenied)), (1, 2));
    }
}
