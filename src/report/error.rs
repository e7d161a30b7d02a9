//! What can go wrong with a figure.

use std::path::PathBuf;

use crate::error::{Error, FileError};
use crate::matrices::MatrixError;
use crate::record::RecordError;

/// A figure that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There are no rows to draw.
    #[error("{table} has no rows to draw the figure \"{figure}\" from")]
    NoRows {
        /// The figure's name.
        figure: &'static str,
        /// The table it draws.
        table: &'static str,
    },
    /// The picture could not be encoded.
    #[error("{}: {source}", path.display())]
    Draw {
        /// The picture.
        path: PathBuf,
        /// The encoder's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A matrix of the results cannot be read.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// The record of the results cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A file of the results could not be read, or one of the figures' not written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl From<ReportError> for Error {
    fn from(error: ReportError) -> Self {
        Self::failed(error)
    }
}
