//! Measures of alignment: every layer of the words against every layer of the images, all pairs under the same draws.

use std::slice::from_ref;

use super::{LayerRsms, Options, Space};
use crate::error::Error;
use crate::progress::Progress;
use crate::results::MeasureRow;
use crate::stats::alignment::inner::InnerTest;
use crate::stats::alignment::neighbours::NeighbourTest;
use crate::stats::alignment::{Gram, Measure, Side, Unvaried};
use crate::stats::inference::{self, Family, Inference, LayerScores, Statistic};
use crate::stats::rsa::RsaTest;
use crate::stats::two_vs_two::TwoVsTwoTest;
use crate::stats::{self, Rsm, calibrated};

/// The level of the quantile of the null above which a calibrated score begins.
pub const ALPHA: f64 = 0.05;

/// What is asked of all pairs of layers.
pub struct Alignment {
    /// In the order of the table.
    pub measures: Vec<Measure>,
    /// Neighbours of `mknn` and `cknna`.
    pub neighbours: usize,
    /// The word side.
    pub words: Vec<WordSpace>,
}

/// A space of the word side with all of its layers.
pub struct WordSpace {
    /// As in tables and figures.
    pub name: String,
    /// In its order; one without a name where the space is one matrix. Of no groups, or of the images'.
    pub layers: Vec<LayerRsms>,
}

/// A pair of layers by its places, under the draws.
struct Pair {
    words: usize,
    images: usize,
    scores: LayerScores,
}

/// Tests all pairs; the rows, and what the user should know.
///
/// # Errors
/// [`Error::Failed`] if the device fails, [`Error::Interrupted`] when asked to stop.
pub fn align(
    space: &Space,
    alignment: &Alignment,
    options: &Options,
    progress: &Progress,
) -> Result<(Vec<MeasureRow>, Vec<String>), Error> {
    let needed = alignment.measures.iter().any(|measure| measure.needs_gram());
    let images = if needed { grams(&space.layers) } else { Vec::new() };
    let words: Vec<Vec<Vec<Gram>>> =
        alignment.words.iter().map(|words| if needed { grams(&words.layers) } else { Vec::new() }).collect();
    let pairs: usize = alignment.words.iter().map(|words| words.layers.len() * space.layers.len()).sum();
    let task = progress.task((options.permutations + 1) * (pairs * alignment.measures.len()) as u64);
    let counted = |work| {
        task.advance(work);
        progress.interrupt.flow()
    };
    let (mut rows, mut warnings) = (Vec::new(), Vec::new());
    for &measure in &alignment.measures {
        let mut tested = Vec::new();
        for (words, grams) in alignment.words.iter().zip(&words) {
            task.now(format!("{measure}  {}  {} x {} layers", words.name, words.layers.len(), space.layers.len()));
            let sides = Sides { space, words, images: &images, grams, neighbours: alignment.neighbours };
            let (pairs, said) = sides.test(measure, options, &counted)?;
            warnings.extend(said);
            tested.push(pairs);
        }
        rows.extend(of_measure(measure, space, alignment, options, &tested));
    }
    Ok((rows, warnings))
}

/// The Gram matrices of layers, `[layers][groups]`; none where the scales are not known.
fn grams(layers: &[LayerRsms]) -> Vec<Vec<Gram>> {
    let of =
        |layer: &LayerRsms| layer.rsms.iter().zip(&layer.scales).map(|(rsm, scales)| Gram::of(rsm, scales)).collect();
    layers.iter().map(of).collect()
}

/// Both sides of a word space's pairs.
struct Sides<'a> {
    space: &'a Space,
    words: &'a WordSpace,
    /// `[layers][groups]`
    images: &'a [Vec<Gram>],
    /// Of the words.
    grams: &'a [Vec<Gram>],
    neighbours: usize,
}

impl Sides<'_> {
    /// All pairs that have a value, the layers of the words one after the other.
    fn test(
        &self,
        measure: Measure,
        options: &Options,
        progress: &stats::Progress,
    ) -> Result<(Vec<Pair>, Vec<String>), Error> {
        let (space, draws) = (self.space, &options.draws);
        let images: Vec<&[Rsm]> = space.layers.iter().map(|layer| layer.rsms.as_slice()).collect();
        let incomplete = |layer: &LayerRsms| layer.rsms.iter().any(|rsm| !rsm.constant().is_empty());
        let gaps = !measure.needs_gram() && self.words.layers.iter().chain(&space.layers).any(incomplete);
        let mut pairs = Vec::new();
        if measure == Measure::TwoVsTwo {
            for (place, layer) in self.words.layers.iter().enumerate() {
                let test = TwoVsTwoTest::new(&layer.rsms[0], &images, draws, options.ties, &options.device);
                pairs.extend(drawn(&test, options, progress)?.into_iter().enumerate().map(|(n, s)| pair(place, n, s)));
            }
            return Ok((pairs, Vec::new()));
        }
        if let Some(rsa) = measure.rsa().filter(|_| measure == Measure::RsaKendall || gaps) {
            let mut warnings = Vec::new();
            for (place, layer) in self.words.layers.iter().enumerate() {
                let test = RsaTest::new(rsa, &layer.rsms[0], &images, draws);
                if test.members().len() < images.len() {
                    warnings.push(format!("{measure}: {}: layers without a correlation are left out", self.words.name));
                }
                let members = test.members().iter().copied();
                let scores = drawn(&test, options, progress)?;
                pairs.extend(members.zip(scores).map(|(images, scores)| pair(place, images, scores)));
            }
            return Ok((pairs, warnings));
        }
        self.prepared(measure, options, progress)
    }

    /// Of prepared matrices or neighbours; a layer that has no value is left out and named.
    fn prepared(
        &self,
        measure: Measure,
        options: &Options,
        progress: &stats::Progress,
    ) -> Result<(Vec<Pair>, Vec<String>), Error> {
        let mut places = [(0..self.words.layers.len()).collect::<Vec<_>>(), (0..self.space.layers.len()).collect()];
        let mut warnings = Vec::new();
        if measure.counts_neighbours() {
            let directed =
                |grams: &[Vec<Gram>], place: usize| grams[place].iter().all(|g| g.without_direction().is_none());
            for (places, (grams, words)) in places.iter_mut().zip([(self.grams, true), (self.images, false)]) {
                for place in places.iter().copied().filter(|&place| !directed(grams, place)) {
                    warnings.push(self.left_out(measure, words, place, "a vector is 0 and has no neighbours"));
                }
                places.retain(|&place| directed(grams, place));
            }
        }
        loop {
            let [words, images] = &places;
            if words.is_empty() || images.is_empty() {
                return Ok((Vec::new(), warnings));
            }
            let words_sides: Vec<Side> =
                words.iter().map(|&n| sided(&self.words.layers[n], self.grams.get(n))).collect();
            let images_sides: Vec<Side> =
                images.iter().map(|&n| sided(&self.space.layers[n], self.images.get(n))).collect();
            let pairs = |scores: Vec<LayerScores>| -> Vec<Pair> {
                let all = words.iter().flat_map(|&x| images.iter().map(move |&y| (x, y)));
                all.zip(scores).map(|((x, y), scores)| pair(x, y, scores)).collect()
            };
            let unvaried = if InnerTest::takes(measure) {
                match InnerTest::new(measure, &words_sides, &images_sides, &options.draws) {
                    Ok(test) => return Ok((pairs(drawn(&test, options, progress)?), warnings)),
                    Err(unvaried) => unvaried,
                }
            } else {
                match NeighbourTest::new(measure, self.neighbours, &words_sides, &images_sides, &options.draws) {
                    Ok(test) => {
                        if test.tied() > 0 {
                            warnings.push(format!(
                                "{measure}: {}: ties decide the neighbours of {} concepts, over all layers and groups of \
                                 both sides",
                                self.words.name,
                                test.tied()
                            ));
                        }
                        return Ok((pairs(drawn(&test, options, progress)?), warnings));
                    }
                    Err(unvaried) => unvaried,
                }
            };
            let Unvaried { words: of_words, layer } = unvaried;
            let place = places[usize::from(!of_words)].remove(layer);
            warnings.push(self.left_out(
                measure,
                of_words,
                place,
                "it does not vary over the concepts, or one has no correlation",
            ));
        }
    }

    fn left_out(&self, measure: Measure, words: bool, place: usize, why: &str) -> String {
        let (space, layer) = match words {
            true => (&self.words.name, &self.words.layers[place].name),
            false => (&self.space.network, &self.space.layers[place].name),
        };
        format!("{measure}: {space} {layer}: left out: {why}")
    }
}

fn sided<'a>(layer: &'a LayerRsms, grams: Option<&'a Vec<Gram>>) -> Side<'a> {
    Side { rsms: &layer.rsms, grams: grams.map_or(&[], Vec::as_slice) }
}

fn pair(words: usize, images: usize, scores: LayerScores) -> Pair {
    Pair { words, images, scores }
}

fn drawn<S: Statistic>(statistic: &S, options: &Options, progress: &stats::Progress) -> Result<Vec<LayerScores>, Error>
where
    Error: From<S::Error>,
{
    Ok(inference::scores(from_ref(statistic), options.rule(), progress)?.remove(0))
}

/// The rows of a measure; `tested` are the pairs of each word space.
fn of_measure(
    measure: Measure,
    space: &Space,
    alignment: &Alignment,
    options: &Options,
    tested: &[Vec<Pair>],
) -> Vec<MeasureRow> {
    let infer = |pairs: &[&Pair]| -> Vec<Inference> {
        let family: Vec<LayerScores> = pairs.iter().map(|pair| pair.scores.clone()).collect();
        inference::infer(&family, options.tail, options.stop_after)
    };
    // The declared family: the images' layers against one layer of the words, or everything.
    let declared: Vec<Inference> = match options.family {
        Family::Words | Family::Networks => infer(&tested.iter().flatten().collect::<Vec<_>>()),
        Family::Layers => {
            let layers = tested.iter().flat_map(|pairs| pairs.chunk_by(|a, b| a.words == b.words));
            layers.flat_map(|layer| infer(&layer.iter().collect::<Vec<_>>())).collect()
        }
    };
    let mut declared = declared.into_iter();
    let mut rows = Vec::new();
    for (words, pairs) in alignment.words.iter().zip(tested) {
        let both = infer(&pairs.iter().collect::<Vec<_>>());
        let scores: Vec<&LayerScores> = pairs.iter().map(|pair| &pair.scores).collect();
        let tau_both = calibrated::threshold_of_maximum(&scores, ALPHA);
        for ((pair, both), one) in pairs.iter().zip(both).zip(&mut declared) {
            let (layer, of_words) = (&space.layers[pair.images], &words.layers[pair.words]);
            let tau = calibrated::threshold(&pair.scores, ALPHA);
            rows.push(MeasureRow {
                network: space.network.clone(),
                layer: layer.name.clone(),
                label: layer.label.clone(),
                words: words.name.clone(),
                words_layer: of_words.name.clone(),
                measure: measure.name().to_string(),
                value: one.value,
                calibrated: tau.map(|tau| calibrated::score(one.value, tau)),
                tau,
                permutations: one.permutations,
                p_value: one.p_value,
                p_fwer: one.p_fwer,
                q_fdr: one.q_fdr,
                null_mean: one.null_mean,
                null_sd: one.null_sd,
                p_both: both.p_fwer,
                calibrated_both: tau_both.map(|tau| calibrated::score(one.value, tau)),
                tau_both,
                alpha: ALPHA,
                neighbours: measure.counts_neighbours().then_some(alignment.neighbours),
                concepts: space.concepts.len(),
                groups: space.groups.len(),
            });
        }
    }
    rows
}
