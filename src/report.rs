//! Figures from the results alone; computes no statistics.
//!
//! A figure is one file and one line in [`WRITERS`]. It draws on a canvas in pixels of a single-column figure,
//! once for the PNG and once for the SVG. `report.html` is the page that holds everything.

mod accuracy;
mod architecture;
mod axes;
mod canvas;
mod compare;
mod concepts;
mod confused;
mod curves;
mod heatmap;
mod html;
mod layers;
mod matched;
mod notes;
mod one_vs_two;
mod ramp;
mod rsm;
mod stimuli;
mod style;
mod uncertainty;

use std::path::{Path, PathBuf};

use crate::arrays::ArrayError;
use crate::error::FileError;
use crate::record::RecordError;
use crate::results::{Results, ResultsDir};

pub use canvas::DrawError;
pub use compare::{Overlay, write_comparison};
pub use curves::distinct;

/// The accuracy of either test where words and images have nothing in common.
const CHANCE: f64 = 0.5;

/// The level below which a layer counts as significant: its family-wise p, in the 1 vs. 2 test its own p too.
pub(crate) const SIGNIFICANT: f64 = 0.05;

/// One kind of figure, drawn from a results directory's tables.
pub struct Writer {
    /// The stem of its files' names.
    pub name: &'static str,
    /// Draws it for every network in the results, into `figures` of their directory; returns the files written.
    pub write: fn(&Results, &Path) -> Result<Vec<PathBuf>, ReportError>,
}

/// Every figure.
pub const WRITERS: &[Writer] = &[
    accuracy::WRITER,
    uncertainty::WRITER,
    matched::WRITER,
    one_vs_two::WRITER,
    layers::WRITER,
    concepts::WRITER,
    confused::WRITER,
    rsm::WRITER,
    architecture::WRITER,
    html::WRITER,
];

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
    /// A matrix of the results cannot be read.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// The record of the results cannot be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The picture could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Draws every figure into `<directory>/figures`; returns the files written.
///
/// # Errors
/// Results without rows; a file that cannot be written.
pub fn write_figures(results: &Results, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let mut paths = Vec::new();
    for writer in WRITERS {
        paths.extend((writer.write)(results, directory)?);
    }
    Ok(paths)
}

/// Where the figures of a results directory lie.
fn figures(directory: &Path) -> PathBuf {
    ResultsDir::new(directory).figures()
}
