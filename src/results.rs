//! What a run leaves behind: rows of the result tables, their CSV form, JSON and array files.
//!
//! Every file is written beside its place and renamed into it, so a reader finds the old file or the new one, never half
//! of one.

mod claim;
mod directory;
mod ledger;
mod networks;
mod own;
mod place;
mod rows;
mod table;

pub(crate) use claim::remove_files;
pub use claim::{COMPARE, Claim, ClaimError, SWEEP};
pub(crate) use directory::DRAWS;
pub use directory::{CONCEPTS, Clash, Named, ResultsDir, figure_name, first_clash, is_scales, scales_of};
pub(crate) use ledger::figure_files;
pub use ledger::{Ledger, altered};
pub(crate) use networks::{COMPARE_FIGURES, networks_figure};
pub use networks::{ComparisonRow, NetworkRow, WithinRow};
#[cfg(test)]
pub(crate) use own::figures_of;
pub(crate) use own::{MADE, is_marked};
pub use place::{check_files, remove_dead, seen};
pub use rows::{
    AccuracyRow, ConceptRow, ConfusedRow, ControlRow, GroupRow, IntervalRow, LayersRow, LostRow, MeasureRow,
    MisclassifiedRow, OneVsTwoRow, PartitionRow, PredictionRow, Results, RsaRow, StimulusRow, WordsRow,
};
pub use table::{ResultsError, Table, read_table, table_text, write_table};

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

use crate::error::FileError;
use crate::files;

/// The lines of a text file of the results; none if it is not there.
///
/// # Errors
/// It cannot be read, or is no UTF-8.
pub fn lines(path: &Path) -> Result<Vec<String>, FileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().map(str::to_string).collect()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(FileError::at(path)(e)),
    }
}

/// Writes a text file of the results, a line each.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_lines(path: &Path, lines: &[String]) -> Result<(), FileError> {
    write_atomically(path, |file| lines.iter().try_for_each(|line| writeln!(file, "{line}")))
}

/// What a file of JSON holds; nothing where it is not there, damaged or of something else.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&files::read(path).ok()?).ok()
}

/// Writes `value` as indented JSON with a final newline.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    write_atomically(path, |file| {
        serde_json::to_writer_pretty(&mut *file, value)?;
        file.write_all(b"\n")
    })
}

/// Writes a file beside `path`, syncs it and renames it to `path`; directories on the way are made.
///
/// # Errors
/// What the operating system says, with `path`. An old file at `path` is then untouched and nothing new is left.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), FileError> {
    let written = || {
        let mut file = beside(path)?;
        let mut buffered = BufWriter::new(file.as_file_mut());
        write(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        file.as_file().sync_all()?;
        put(file, path)
    };
    written().map_err(FileError::at(path))
}

/// How often, and after how long, a file is put in its place on Windows, where others may have the old one open for a moment: a virus
/// scanner, `semgpu status`.
const TRIES: (usize, Duration) = (50, Duration::from_millis(20));

/// What Windows says of a file that a program holds open for itself.
const SHARING_VIOLATION: i32 = 32;

/// Puts a written file in its place. On Windows tempfile's `persist` replaces none that is being read, and knows no path of more
/// than 260 letters.
pub(crate) fn put(mut file: NamedTempFile, path: &Path) -> io::Result<()> {
    // Windows lets nobody read a locked file.
    if cfg!(windows) {
        let _ = file.as_file().unlock();
    }
    let mut tries = 1;
    while let Err(error) = std::fs::rename(file.path(), path) {
        let is_open =
            error.kind() == io::ErrorKind::PermissionDenied || error.raw_os_error() == Some(SHARING_VIOLATION);
        if !cfg!(windows) || !is_open {
            return Err(error);
        }
        if tries == TRIES.0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, error));
        }
        tries += 1;
        std::thread::sleep(TRIES.1);
    }
    file.disable_cleanup(true);
    Ok(())
}

/// A temporary file in the directory of `path`, which is made.
pub(crate) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let directory = files::folder(path);
    std::fs::create_dir_all(directory)?;
    temporary(directory)
}

/// Makes a file that is being written: known by its name, and by a lock that its writer lives, so that those of dead ones can be
/// removed ([`remove_dead`]).
fn temporary(directory: &Path) -> io::Result<NamedTempFile> {
    // As other files are made: tempfile's own are private, and marked as temporary on Windows.
    let made = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
    let file = tempfile::Builder::new().prefix(directory::TEMPORARY).make_in(directory, made)?;
    // Some network file systems have no locks: there they stay.
    let _ = file.as_file().try_lock();
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn results_are_read_as_they_were_written_also_when_empty() {
        let directory = tempfile::tempdir().unwrap();
        let results = Results {
            concepts: vec![ConceptRow {
                network: "vgg16".into(),
                layer: "fc1".into(),
                words: "GloVe".into(),
                concept: "abacus".into(),
                pairs: 3,
                passed: 2,
                accuracy: 2.0 / 3.0,
            }],
            ..Results::default()
        };
        results.write(directory.path()).unwrap();
        let groups = text(&directory.path().join("groups.csv"));
        assert_eq!(groups, "network,layer,words,group,passed,ties,pairs,accuracy\n");
        assert_eq!(Results::read(directory.path()).unwrap(), results);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_an_empty_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("categories.txt");
        assert_eq!(lines(&path).unwrap(), [""; 0]);
        std::fs::write(&path, b"animal\n\xe9toile\n").unwrap();
        assert_eq!(lines(&path).unwrap_err().path, path);
        assert_eq!(lines(directory.path()).unwrap_err().path, directory.path());
    }

    #[test]
    fn a_missing_table_is_named_with_the_command_that_writes_it() {
        let directory = tempfile::tempdir().unwrap();
        let error = Results::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("accuracy.csv: no such file; `semgpu run`"), "{error}");
    }

    #[test]
    fn a_failed_write_names_the_file_and_leaves_the_old_one_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.json");
        write_json(&path, &serde_json::json!({"schema": 1})).unwrap();
        let full = write_atomically(&path, |file| {
            file.write_all(b"{")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(full.unwrap_err().to_string().contains("run.json: "));
        assert_eq!(text(&path), "{\n  \"schema\": 1\n}\n");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "the temporary file is gone");

        let under_a_file = path.join("accuracy.csv");
        let error = write_table::<AccuracyRow>(&path, &[]).unwrap_err();
        assert_eq!(error.path, under_a_file);
    }

    #[test]
    fn a_file_that_is_read_for_a_moment_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        // Longer than Windows takes a path that nobody prepared.
        let path = directory.path().join("a".repeat(200)).join("b".repeat(100)).join("finished.json");
        write_json(&path, &1).unwrap();
        let reader = files::open(&path).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(100));
                drop(reader);
            });
            write_json(&path, &2).unwrap();
        });
        assert_eq!(read_json::<u32>(&path), Some(2));
    }

    #[cfg(unix)]
    #[test]
    fn results_are_as_readable_as_other_files() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let (ours, plain) = (directory.path().join("ours"), directory.path().join("plain"));
        write_atomically(&ours, |_| Ok(())).unwrap();
        std::fs::write(&plain, "").unwrap();
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(ours), mode(plain));
    }
}
