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

use crate::error::Error;
use crate::progress::Progress;
use crate::report::canvas::Picture;
use crate::report::stimuli::Source;
use crate::results::{Ledger, Results};

pub use alignment::{Over, said, what};
pub use best::Best;
pub use chance::{differs as chance_differs, told as chance};
pub use compare::{Comparison, Overlay};
pub use curves::{LayerRow, SIGNIFICANT};
pub use error::ReportError;
pub use inference::Null;
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
/// Results without rows; a file that cannot be read or written, or is in a figure's place and somebody else's;
/// [`Error::Interrupted`].
pub fn write_figures(
    results: &Results,
    style: Style,
    warning: Option<String>,
    directory: &Path,
    progress: &Progress,
) -> Result<Vec<PathBuf>, Error> {
    let mut material = Material::read(results, directory)?;
    if let Some(record) = &mut material.record {
        record.warnings.extend(warning);
    }
    let task = progress.task(FIGURES.len() as u64);
    let mut drawings = Vec::new();
    for figure in FIGURES {
        progress.interrupt.check()?;
        task.now(format!("drawing {}", figure.name));
        drawings.extend((figure.draw)(&material)?);
        task.advance(1);
    }
    let stems = || drawings.iter().map(|drawing| drawing.stem.as_str());
    material.directory.check_figures(stems())?;
    Ledger::enlist_figures(&material.directory, stems()).map_err(Error::failed)?;
    let undrawn = architecture::undrawn(&material, &drawings);
    material.directory.remove_figures(&undrawn).map_err(Error::failed)?;
    let mut paths = file::write(&drawings, style, directory, &progress.interrupt)?;
    paths.push(html::write(&material, &drawings)?);
    let gone = || {
        let first = results.stimuli.first()?;
        let said =
            "is neither beside the results, in a folder above them, nor where the run had it: no pictures are drawn";
        material.record.as_ref()?.run().map(|_| format!("{}: {said}", first.path))
    };
    let doubt = material.source.as_ref().map_or_else(gone, Source::doubt);
    progress.warn(doubt);
    Ok(paths)
}

/// Draws the figures of a sweep into `<directory>/figures` and writes its page; returns the files written.
///
/// # Errors
/// A file that cannot be written; [`Error::Interrupted`].
pub fn write_networks(
    of: &OfNetworks,
    style: Style,
    directory: &Path,
    progress: &Progress,
) -> Result<Vec<PathBuf>, Error> {
    let drawings = of.drawings();
    let mut paths = file::write(&drawings, style, directory, &progress.interrupt)?;
    paths.push(html::write_networks(of, &drawings, directory)?);
    Ok(paths)
}

/// Draws the figures of a comparison into `<directory>/figures` and writes its page; returns the files written.
///
/// # Errors
/// A file that cannot be written; [`Error::Interrupted`].
pub fn write_comparison(
    of: &Comparison,
    style: Style,
    directory: &Path,
    progress: &Progress,
) -> Result<Vec<PathBuf>, Error> {
    let drawings = of.drawings();
    let mut paths = file::write(&drawings, style, directory, &progress.interrupt)?;
    paths.push(html::write_comparison(of, &drawings, directory)?);
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::figures_of;

    /// Those of another name would be neither removed nor told from somebody else's.
    #[test]
    fn results_know_the_files_of_every_figure() {
        let known = figures_of("net", &["GloVe"]);
        for Figure { name, .. } in FIGURES {
            assert!(known.iter().any(|stem| stem.starts_with(&format!("{name}_net"))), "{name}");
        }
    }

    #[test]
    fn a_stop_is_heard_before_the_next_figure() {
        let directory = tempfile::tempdir().unwrap();
        let accuracy = curves::tests::rows("net", &["a".into(), "b".into()], &["GloVe"]);
        let results = Results { accuracy, ..Results::default() };
        let progress = Progress::silent();
        progress.interrupt.stop();
        let drawn = write_figures(&results, Style::Full, None, directory.path(), &progress);
        assert!(matches!(drawn, Err(Error::Interrupted)) && !directory.path().join("figures").exists());
        // Drawings that are to be written, too.
        let material = material::tests::material(&results);
        let drawings = (accuracy::FIGURE.draw)(&material).unwrap();
        let written = file::write(&drawings, Style::Full, directory.path(), &progress.interrupt);
        assert!(matches!(written, Err(Error::Interrupted)) && !directory.path().join("figures").exists());
    }
}
