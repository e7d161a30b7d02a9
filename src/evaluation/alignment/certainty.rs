//! How sure the values are: intervals over concepts, and what the groups of images agree on.

use super::families::{Pairs, Sides};
use super::{Known, Options};
use crate::error::Error;
use crate::evaluation::two_vs_two;
use crate::progress::Progress;
use crate::stats::alignment::{Measure, Side, deleted, noise_ceiling, resampled};
use crate::stats::bootstrap::{self, Interval};
use crate::stats::ceiling::Ceiling;
use crate::stats::inference::LayerScores;
use crate::stats::{self, Rsm};

impl Sides<'_> {
    /// The interval of every pair, whose observed values are the scores'; none without resamples, or where a measure has
    /// none.
    pub fn intervals(
        &self,
        measure: Measure,
        pairs: &Pairs,
        scores: &[LayerScores],
        known: &Known,
        progress: &stats::Progress,
    ) -> Result<Vec<Option<Interval>>, Error> {
        let Options { bootstrap, seed, .. } = *self.options;
        if bootstrap == 0 || pairs.places.is_empty() {
            return Ok(vec![None; pairs.places.len()]);
        }
        if measure == Measure::TwoVsTwo {
            return self.of_accuracies(pairs, scores, known, progress);
        }
        // Every layer of the words that has a place meets the same layers of the images.
        let words = pairs.places.chunk_by(|a, b| a.0 == b.0);
        let words: Vec<Side> = words.map(|pairs| self.of_words(pairs[0].0)).collect();
        let images = &pairs.places[..pairs.places.len() / words.len()];
        let images: Vec<Side> = images.iter().map(|&(_, layer)| self.of_images(layer)).collect();
        let intervals = if measure.counts_neighbours() {
            deleted::intervals(measure, self.neighbours, &words, &images, progress)
        } else {
            resampled::intervals(measure, &words, &images, (seed, bootstrap), progress)
        };
        // Values are computed another way than what intervals are around.
        let held = |(found, scores): (Option<Interval>, &LayerScores)| Some(found?.holding(scores.observed()));
        Ok(intervals?.into_iter().zip(scores).map(held).collect())
    }

    /// Of a layer of the words.
    fn of_accuracies(
        &self,
        pairs: &Pairs,
        scores: &[LayerScores],
        known: &Known,
        progress: &stats::Progress,
    ) -> Result<Vec<Option<Interval>>, Error> {
        let (space, options) = (self.space, self.options);
        // Intervals of another kind are not over concepts alone.
        let known = if options.generalise.is_none() { known } else { &Known::default() };
        let found = |&(_, layer): &(usize, usize)| known.interval(&pairs.words, &space.layers[layer].name);
        if let Some(intervals) = pairs.places.iter().map(found).collect::<Option<Vec<_>>>() {
            return Ok(intervals.into_iter().map(Some).collect());
        }
        let words = &self.words.layers[pairs.places[0].0].rsms[0];
        let layers: Vec<&[Rsm]> = pairs.places.iter().map(|&(_, layer)| space.layers[layer].rsms.as_slice()).collect();
        let observed = scores.iter().map(LayerScores::observed);
        let resamples = (options.seed, options.bootstrap);
        let intervals = bootstrap::intervals(observed, words, &layers, resamples, options.ties, progress)?;
        Ok(intervals.into_iter().map(Some).collect())
    }

    /// The noise ceiling of every layer of the images, which have groups.
    pub fn ceilings(
        &self,
        measure: Measure,
        known: &Known,
        progress: &Progress,
    ) -> Result<Vec<Option<Ceiling>>, Error> {
        let layers = &self.space.layers;
        if measure == Measure::TwoVsTwo {
            return match layers.iter().map(|layer| known.ceiling(&layer.name)).collect::<Option<Vec<_>>>() {
                Some(ceilings) => Ok(ceilings),
                None => two_vs_two::accuracy_ceilings(self.space, self.options, &|_| progress.interrupt.flow()),
            };
        }
        let ceiling = |layer| {
            progress.interrupt.check()?;
            Ok(noise_ceiling(measure, self.neighbours, self.of_images(layer)))
        };
        (0..layers.len()).map(ceiling).collect()
    }
}
