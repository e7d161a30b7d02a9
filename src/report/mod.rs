//! Figures from the results alone; computes no statistics.
//!
//! A figure is one file and one line in [`WRITERS`]. It draws on a canvas in pixels of a single-column figure,
//! once for the PNG and once for the SVG.

mod accuracy;
mod axes;
mod canvas;
mod curves;
mod matched;
mod style;

use std::path::{Path, PathBuf};

use crate::error::FileError;
use crate::results::Results;

pub use canvas::DrawError;

/// One kind of figure, drawn from a results directory's tables.
pub struct Writer {
    /// The stem of its files' names.
    pub name: &'static str,
    /// Draws it for every network in the results, into the directory; returns the files written.
    pub write: fn(&Results, &Path) -> Result<Vec<PathBuf>, ReportError>,
}

/// Every figure.
pub const WRITERS: &[Writer] = &[accuracy::WRITER, matched::WRITER];

/// A figure that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There are no rows to draw.
    #[error("{table} has no rows to draw the figure \"{figure}\" from")]
    NoRows {
        /// The writer's name.
        figure: &'static str,
        /// The table it draws.
        table: &'static str,
    },
    /// The picture could not be drawn or encoded.
    #[error("{}: {source}", path.display())]
    Draw {
        /// The picture.
        path: PathBuf,
        /// What failed.
        source: DrawError,
    },
    /// The picture could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Draws every figure into `<directory>/figures`; returns the files written.
///
/// # Errors
/// Results without rows; a file that cannot be written.
pub fn write_figures(results: &Results, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let figures = directory.join("figures");
    let mut paths = Vec::new();
    for writer in WRITERS {
        paths.extend((writer.write)(results, &figures)?);
    }
    Ok(paths)
}
