//! Figures of finished results as SVG, PNG and PDF, and the page that holds everything; computes no statistics.
//!
//! A figure is one file and one line in [`FIGURES`]. It draws itself once, in pixels of a single-column figure, from what
//! [`Material`] holds: the tables, `run.json`, the matrices and, where they can still be found, the images; the
//! architecture is drawn from the network's own description in [`crate::nets`]. Every file is made from that drawing, and
//! `report.html` has it too.

mod accuracy;
mod alignment;
mod architecture;
mod best;
mod canvas;
mod chance;
mod chart;
mod compare;
mod concepts;
mod confused;
mod controls;
mod curves;
mod error;
mod file;
mod fit;
mod heatmap;
mod html;
mod inference;
mod ink;
mod intervals;
mod layers;
mod matched;
mod material;
mod names;
mod networks;
mod notes;
mod one_vs_two;
mod partition;
mod pdf;
mod ramp;
mod rsm;
mod stimuli;
mod style;
mod uncertainty;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::progress::Progress;
use crate::report::canvas::Picture;
use crate::report::stimuli::Source;
use crate::results::{Ledger, Results, ResultsDir};

pub use alignment::{best, said, what};
pub use best::Best;
pub use chance::{TieRule, differs as chance_differs, told as chance};
pub use compare::{Comparison, Overlay, told};
pub use curves::{LayerRow, SIGNIFICANT, distinct, highest};
pub use error::{DrawError, ReportError};
pub use material::Material;
pub use networks::OfNetworks;

/// One kind of figure.
pub struct Figure {
    /// The stem of its files' names.
    pub name: &'static str,
    /// Draws it for every network in the results.
    pub draw: fn(&Material) -> Result<Vec<Drawing>, ReportError>,
}

/// A figure of one network.
pub struct Drawing {
    /// Of its files' names: the figure, the network and, where there is one for each, the word model.
    pub stem: String,
    /// The network's name.
    pub network: String,
    /// What it shows, for those who cannot see it.
    pub text: String,
    /// The drawing.
    pub picture: Picture,
}

/// What of a figure is in its files; the page has all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// All of it.
    #[default]
    Full,
    /// Without title and notes: a caption says what they do.
    Plain,
}

/// Every figure.
pub const FIGURES: &[Figure] = &[
    accuracy::FIGURE,
    uncertainty::FIGURE,
    intervals::FIGURE,
    controls::FIGURE,
    partition::FIGURE,
    matched::FIGURE,
    one_vs_two::FIGURE,
    layers::FIGURE,
    concepts::FIGURE,
    confused::FIGURE,
    rsm::FIGURE,
    alignment::MAPS,
    alignment::DEPTHS,
    architecture::FIGURE,
];

/// Draws every figure into `<directory>/figures` and writes `<directory>/report.html`, which has the `warning` beside the record's;
/// returns the files written. Says which images are no longer those of the run.
///
/// # Errors
/// Results without rows; a file that cannot be read or written.
pub fn write_figures(
    results: &Results,
    style: Style,
    warning: Option<String>,
    directory: &Path,
    progress: &Progress,
) -> Result<Vec<PathBuf>, ReportError> {
    let mut material = Material::read(results, directory)?;
    if let Some(record) = &mut material.record {
        record.warnings.extend(warning);
    }
    let task = progress.task(FIGURES.len() as u64);
    let mut drawings = Vec::new();
    for figure in FIGURES {
        task.now(format!("drawing {}", figure.name));
        drawings.extend((figure.draw)(&material)?);
        task.advance(1);
    }
    let stems = drawings.iter().map(|drawing| drawing.stem.as_str());
    Ledger::enlist_figures(&ResultsDir::new(directory), stems)?;
    let mut paths = file::write(&drawings, style, directory)?;
    paths.push(html::write(&material, &drawings)?);
    let gone = || {
        let first = results.stimuli.first()?;
        let said =
            "is neither beside the results, in a folder above them, nor where the run had it: no pictures are drawn";
        material.record.as_ref()?.run().map(|_| format!("{}: {said}", first.path))
    };
    let doubt = material.source.as_ref().map_or_else(gone, Source::doubt);
    doubt.iter().for_each(|said| progress.line(format!("warning: {said}")));
    Ok(paths)
}

/// Draws the figures of a sweep into `<directory>/figures` and writes its page; returns the files written.
///
/// # Errors
/// A file that cannot be written.
pub fn write_networks(of: &OfNetworks, style: Style, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let drawings = of.drawings();
    let mut paths = file::write(&drawings, style, directory)?;
    paths.push(html::write_networks(of, &drawings, directory)?);
    Ok(paths)
}

/// Draws the figures of a comparison into `<directory>/figures` and writes its page; returns the files written.
///
/// # Errors
/// A file that cannot be written.
pub fn write_comparison(of: &Comparison, style: Style, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let drawings = of.drawings();
    let mut paths = file::write(&drawings, style, directory)?;
    paths.push(html::write_comparison(of, &drawings, directory)?);
    Ok(paths)
}
