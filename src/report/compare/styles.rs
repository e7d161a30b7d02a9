//! How the curves of a comparison are told apart: by their runs, by their word models, or by both.

use super::{Overlay, Shown};
use crate::names::distinct;
use crate::report::chart::{Entry, legend};
use crate::report::style::{CURVES, CurveStyle, GREY, SOLID, Shape, crossed, curve};

/// The runs and the word models of the curves, in order of first appearance.
pub(super) struct Styles<'a> {
    runs: Vec<&'a str>,
    models: Vec<&'a str>,
}

impl<'a> Styles<'a> {
    pub(super) fn new(overlays: &[Overlay<'a>]) -> Self {
        Self {
            runs: distinct(overlays.iter().map(|overlay| overlay.run)),
            models: distinct(overlays.iter().flat_map(|overlay| overlay.rows).map(|row| row.words.as_str())),
        }
    }

    /// Whether there are several of both.
    pub(super) fn crossed(&self) -> bool {
        self.runs.len() > 1 && self.models.len() > 1
    }

    pub(super) fn of(&self, overlay: &Overlay) -> CurveStyle {
        let place = |list: &[&str], name: &str| list.iter().position(|known| *known == name).unwrap_or(0);
        let n = place(&self.runs, overlay.run);
        let m = overlay.rows.first().map_or(0, |row| place(&self.models, &row.words));
        // One run's curves are told apart by all that word models have, one word model's by all that runs have.
        match (self.runs.len(), self.models.len()) {
            (1, _) => curve(m),
            (_, 1) => CurveStyle { dash: SOLID, ..curve(n) },
            (runs, _) => crossed(n, m, runs),
        }
    }

    pub(super) fn legend(&self, shown: &'a Shown) -> Vec<Entry<'a>> {
        let (runs, models) = (self.runs.len(), self.models.len());
        let by_words = runs <= CURVES.len();
        let only = |shape, told| if told { shape } else { Shape::None };
        let of_runs = self.runs.iter().enumerate().map(|(n, run)| Entry {
            style: CurveStyle { dash: SOLID, shape: only(curve(n).shape, models == 1 || !by_words), ..curve(n) },
            filled: true,
            text: shown.run(run),
        });
        let of_models = self.models.iter().enumerate().map(|(m, words)| Entry {
            style: CurveStyle { color: GREY, shape: only(curve(m).shape, by_words), dash: curve(m).dash },
            filled: true,
            text: words,
        });
        match (runs, models) {
            (_, 1) => of_runs.collect(),
            (1, _) => legend(self.models.iter().copied()),
            _ => of_runs.chain(of_models).collect(),
        }
    }
}
