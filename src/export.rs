//! A run's similarity matrices for other programs: all of them in one file of rsatoolbox's RDMs.

use std::path::{Path, PathBuf};

use crate::arrays::{RsmFile, RsmsOut, is_own_rdms, write_rsms};
use crate::error::{Error, FileError};
use crate::matrices::{self, MatrixError};
use crate::names::distinct;
use crate::progress::Progress;
use crate::record::RunRecord;
use crate::results::{AccuracyRow, GroupRow, ResultsDir, ResultsError, check_files, read_table};
use crate::stats::Rsm;
use crate::sweep::{self, SweepError};
use crate::wording::first;

/// A run that cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The tables.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A matrix.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// The concepts.
    #[error(transparent)]
    File(#[from] FileError),
    /// The record of a sweep.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A sweep has no matrices of its own.
    #[error(
        "{}: a sweep, whose networks have the matrices; name one of them: {}", path.display(), first(networks, 5)
    )]
    OfMany {
        /// The directory.
        path: PathBuf,
        /// Its networks' results.
        networks: Vec<String>,
    },
    /// Tables that name no layers.
    #[error("{}: accuracy.csv has no rows: a test by --measure alone (--measure 2v2 beside it makes them), or of words with \
             layers, whose matrices are .npy in its rsm/", .0.display())]
    NoRows(PathBuf),
    /// Not rsatoolbox's format.
    #[error("{}: expected .h5 or .hdf5, rsatoolbox's RDMs; a run's matrices are .npy already, in its rsm/", .0.display())]
    Format(PathBuf),
    /// Somebody else's file in its place.
    #[error("{}: is there, and no RDMs of semgpu's, which would replace it; move it away, or give --out another name", .0.display())]
    Foreign(PathBuf),
    /// A matrix is gone.
    #[error("{}: no such file, expected a matrix of the run's tables; run the experiment again", .0.display())]
    NoMatrix(PathBuf),
    /// A matrix of other concepts.
    #[error("{}: shape {found:?}, expected {expected:?} by the run's tables; run the experiment again", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// As found.
        found: Vec<usize>,
        /// Concepts, and groups of a layer.
        expected: Vec<usize>,
    },
}

/// Writes every RSM of the run or test in `directory` into one file that `rsatoolbox.rdm.load_rdm` reads: distances
/// 1 - r, with the descriptors `space` (`images` or `words`), `name` (the layer or word model) and `group`, and the
/// patterns' `concept`.
///
/// # Errors
/// The directory is not a run's, or the file cannot be written.
pub fn rdms(directory: &Path, out: &Path, progress: &Progress) -> Result<(), Error> {
    let (concepts, matrices) = read(directory, out).map_err(Error::input)?;
    check_files(&[out.to_path_buf()], &[])?;
    if out.exists() && !is_own_rdms(out) {
        return Err(Error::input(ExportError::Foreign(out.into())));
    }
    let results = ResultsDir::new(directory);
    let altered = RunRecord::read(&results).map_err(Error::input)?.and_then(|record| record.altered(&results));
    progress.warn(altered);
    let label = |of: fn(&Matrix) -> &String| matrices.iter().map(|matrix| of(matrix).clone()).collect();
    let file = RsmsOut {
        rsms: matrices.iter().map(|matrix| &matrix.rsm).collect(),
        grouped: true,
        labels: vec![
            ("space", label(|matrix| &matrix.space)),
            ("name", label(|matrix| &matrix.name)),
            ("group", label(|matrix| &matrix.group)),
        ],
        concepts: Some(&concepts),
        distances: true,
    };
    write_rsms(out, &file).map_err(Error::failed)
}

struct Matrix {
    space: String,
    name: String,
    group: String,
    rsm: Rsm,
}

/// The concepts, and all matrices in the tables' order, the layers first.
fn read(directory: &Path, out: &Path) -> Result<(Vec<String>, Vec<Matrix>), ExportError> {
    if !matches!(RsmFile::of(out), Ok(RsmFile::Hdf5)) {
        return Err(ExportError::Format(out.into()));
    }
    if let Some(networks) = sweep::networks(directory)? {
        let networks = networks.iter().map(|network| network.display().to_string()).collect();
        return Err(ExportError::OfMany { path: directory.into(), networks });
    }
    let accuracies: Vec<AccuracyRow> = read_table(directory)?;
    let layers = distinct(accuracies.iter().map(|row| row.layer.as_str()));
    if layers.is_empty() {
        return Err(ExportError::NoRows(directory.into()));
    }
    let groups: Vec<GroupRow> = read_table(directory)?;
    let groups = distinct(groups.iter().map(|row| row.group.as_str()));
    let words = distinct(accuracies.iter().map(|row| row.words.as_str()));
    let directory = ResultsDir::new(directory);
    let concepts = directory.concepts()?;
    let mut matrices = Vec::new();
    for layer in layers {
        let shape = [groups.len(), concepts.len(), concepts.len()];
        let rsms = read_rsms(&directory.layer_rsm(layer), &shape)?;
        matrices.extend(groups.iter().zip(rsms).map(|(group, rsm)| Matrix {
            space: "images".to_string(),
            name: layer.to_string(),
            group: group.to_string(),
            rsm,
        }));
    }
    for model in words {
        let rsms = read_rsms(&directory.words_rsm(model), &[concepts.len(), concepts.len()])?;
        let matrix = |rsm| Matrix { space: "words".to_string(), name: model.to_string(), group: String::new(), rsm };
        matrices.extend(rsms.into_iter().map(matrix));
    }
    Ok((concepts, matrices))
}

fn read_rsms(path: &Path, expected: &[usize]) -> Result<Vec<Rsm>, ExportError> {
    if !path.exists() {
        return Err(ExportError::NoMatrix(path.into()));
    }
    let (found, rsms) = matrices::of_results(path)?;
    if found != expected {
        return Err(ExportError::Shape { path: path.into(), found, expected: expected.to_vec() });
    }
    Ok(rsms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_that_is_gone_is_told_with_its_remedy() {
        let said = read_rsms(Path::new("rsm/gone.npy"), &[5, 5]).unwrap_err().to_string();
        assert!(said.starts_with("rsm/gone.npy: no such file") && said.ends_with("run the experiment again"), "{said}");
    }
}
