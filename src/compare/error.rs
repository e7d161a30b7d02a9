//! Results that cannot be compared.

use std::path::PathBuf;

use crate::error::FileError;
use crate::matrices::MatrixError;
use crate::record::RecordError;
use crate::results::ResultsError;
use crate::sweep::SweepError;
use crate::wording::meant;

/// Results that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A table.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// A record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A sweep.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A matrix of the results.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// A matrix of other concepts.
    #[error("{}: {found} concepts, expected {expected} as in rsm/concepts.txt; make the run or test again", path.display())]
    Concepts {
        /// The matrix.
        path: PathBuf,
        /// Its concepts.
        found: usize,
        /// Those of the run.
        expected: usize,
    },
    /// A comparison is drawn when it is made.
    #[error("{}: a comparison of runs, drawn when it was made; draw it again by semgpu compare with the same arguments, --style plain for figures without title and notes", .0.display())]
    Drawn(PathBuf),
    /// Results that change meanwhile.
    #[error("{}: another semgpu writes these results: {by}; wait for it", path.display())]
    Held {
        /// The run's directory.
        path: PathBuf,
        /// Its process, command and start.
        by: String,
    },
    /// Other results.
    #[error("{}: holds results of another command, beside which the comparison would stand; give --out a directory of its own", .0.display())]
    Taken(PathBuf),
    /// Tests of measures alone.
    #[error(
        "{}: accuracy.csv has no rows, and curves are of them: a test by --measure alone; the same `semgpu test` with --measure 2v2 \
         beside it makes them, of words without layers", .0.display()
    )]
    NoCurves(PathBuf),
    /// One curve of one layer.
    #[error(
        "one curve of one layer is nothing to compare: {found}; name another results directory, or a run with two word models"
    )]
    Single {
        /// What there is.
        found: String,
    },
    /// --layers that a curve lacks.
    #[error("--layers {layer}: {curve} has no such layer, expected two of {}{}", known.join(", "), meant(layer, known.iter().map(String::as_str)))]
    Layer {
        /// As asked for.
        layer: String,
        /// The curve.
        curve: String,
        /// Those that it has.
        known: Vec<String>,
    },
    /// One group is no sample of groups.
    #[error("--generalise: {curve} has one group; expected two or more (five say something), or --generalise concepts")]
    Groups {
        /// The curve.
        curve: String,
    },
    /// --words that no run has.
    #[error("--words {words}: no run has this word model, expected one of {}{}", known.join(", "), meant(words, known.iter().map(String::as_str)))]
    Words {
        /// As asked for.
        words: String,
        /// Those that there are.
        known: Vec<String>,
    },
}
