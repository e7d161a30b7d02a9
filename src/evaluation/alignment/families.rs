//! A measure's tests: the pairs of layers that are drawn together, ready for draws.

use std::ops::Range;

use super::WordSpace;
use crate::error::Error;
use crate::evaluation::two_vs_two::FAMILY;
use crate::evaluation::{LayerRsms, Options, Space, rsa};
use crate::stats::Progress;
use crate::stats::alignment::inner::InnerTest;
use crate::stats::alignment::neighbours::NeighbourTest;
use crate::stats::alignment::{Gram, Measure, Side, Unvaried};
use crate::stats::inference::Statistic;
use crate::stats::rsa::RsaTest;
use crate::stats::two_vs_two::TwoVsTwoTest;
use crate::wording::{counted, first};

/// Pairs of layers of one statistic.
pub struct Pairs<'a> {
    /// What their scores are called among [`Draws`](crate::evaluation::Draws): what is drawn, and for which words.
    pub what: String,
    pub words: String,
    /// The places of the layers of the words and of the images.
    pub places: Vec<(usize, usize)>,
    pub statistic: Box<dyn Statistic<Error = Error> + 'a>,
}

/// The name of the scores that the main tests of a layer and a word model have in common with a measure.
pub fn in_common(measure: Measure) -> Option<String> {
    match measure {
        Measure::TwoVsTwo => Some(FAMILY.to_string()),
        Measure::RsaKendall => measure.rsa().map(rsa::what),
        _ => None,
    }
}

/// Both sides of a word space's pairs.
pub struct Sides<'a> {
    pub space: &'a Space,
    pub words: &'a WordSpace,
    /// `[layers][groups]`
    pub images: &'a [Vec<Gram>],
    /// Of the words.
    pub grams: &'a [Vec<Gram>],
    pub neighbours: usize,
    pub options: &'a Options,
}

impl<'a> Sides<'a> {
    /// All pairs that have a value, the layers of the words one after the other, and what the user should know.
    pub fn families(&self, measure: Measure) -> (Vec<Pairs<'a>>, Vec<String>) {
        let (space, words, options) = (self.space, self.words, self.options);
        let images = space.rsms();
        let incomplete = |layer: &LayerRsms| layer.rsms.iter().any(|rsm| !rsm.constant().is_empty());
        let gaps = !measure.needs_gram() && words.layers.iter().chain(&space.layers).any(incomplete);
        let layers = words.layers.iter().enumerate();
        if measure == Measure::TwoVsTwo {
            let of_layer = |(place, layer): (usize, &'a LayerRsms)| {
                let test = TwoVsTwoTest::new(&layer.rsms[0], &images, &options.draws, options.ties, &options.device);
                self.of_layer(FAMILY.to_string(), place, 0..images.len(), test)
            };
            return (layers.map(of_layer).collect(), Vec::new());
        }
        // Words of the images' groups meet these group by group, which is not this test's.
        let grouped = words.layers.iter().any(|layer| layer.rsms.len() > 1);
        if let Some(rsa) = measure.rsa().filter(|_| measure == Measure::RsaKendall || gaps && !grouped) {
            let (mut families, mut warnings) = (Vec::new(), Vec::new());
            for (place, layer) in layers {
                let test = RsaTest::new(rsa, &layer.rsms[0], &images, &options.draws);
                let members = test.members().to_vec();
                let lost = (0..images.len()).filter(|place| !members.contains(place));
                let lost: Vec<&str> = lost.map(|place| space.layers[place].name.as_str()).collect();
                if !lost.is_empty() {
                    let lost = first(&lost, 5);
                    warnings.push(format!("{measure}: {}: no correlation with {lost}: left out", words.name));
                }
                families.push(self.of_layer(rsa::what(rsa), place, members, test));
            }
            return (families, warnings);
        }
        let (prepared, warnings) = self.prepared(measure);
        (prepared.into_iter().collect(), warnings)
    }

    /// A layer of the words with some of the images'.
    fn of_layer<S: Statistic + 'a>(
        &self,
        what: String,
        layer: usize,
        images: impl IntoIterator<Item = usize>,
        test: S,
    ) -> Pairs<'a>
    where
        Error: From<S::Error>,
    {
        let name = [self.words.name.as_str(), &self.words.layers[layer].name];
        Pairs {
            what,
            words: name.join(" ").trim_end().to_string(),
            places: images.into_iter().map(|images| (layer, images)).collect(),
            statistic: Box::new(Failing(test)),
        }
    }

    /// Of prepared matrices or neighbours; a layer that has no value is left out and named.
    fn prepared(&self, measure: Measure) -> (Option<Pairs<'a>>, Vec<String>) {
        let mut places = [(0..self.words.layers.len()).collect::<Vec<_>>(), (0..self.space.layers.len()).collect()];
        let mut warnings = Vec::new();
        if measure.counts_neighbours() {
            for (places, (grams, words)) in places.iter_mut().zip([(self.grams, true), (self.images, false)]) {
                places.retain(|&place| {
                    let directed = grams[place].iter().all(|gram| gram.without_direction().is_none());
                    if !directed {
                        warnings.push(self.left_out(measure, words, place, "a vector is 0 and has no neighbours"));
                    }
                    directed
                });
            }
        }
        loop {
            let [words, images] = &places;
            if words.is_empty() || images.is_empty() {
                return (None, warnings);
            }
            let words_sides: Vec<Side> = words.iter().map(|&n| self.of_words(n)).collect();
            let images_sides: Vec<Side> = images.iter().map(|&n| self.of_images(n)).collect();
            let draws = &self.options.draws;
            let found: Result<Box<dyn Statistic<Error = Error> + 'a>, Unvaried> = if InnerTest::takes(measure) {
                InnerTest::new(measure, &words_sides, &images_sides, draws).map(|test| Box::new(Failing(test)) as _)
            } else {
                NeighbourTest::new(measure, self.neighbours, &words_sides, &images_sides, draws).map(|test| {
                    if test.tied() > 0 {
                        warnings.push(format!(
                            "{measure}: {}: ties decide the neighbours of {}, over all layers and groups of both sides",
                            self.words.name,
                            counted(test.tied(), "concept")
                        ));
                    }
                    match test.on(&self.options.device) {
                        Ok(test) => Box::new(Failing(test)) as _,
                        Err(test) => Box::new(Failing(test)) as _,
                    }
                })
            };
            let Unvaried { words: of_words, layer } = match found {
                Ok(statistic) => {
                    let places = words.iter().flat_map(|&x| images.iter().map(move |&y| (x, y))).collect();
                    let (what, words) = (measure.to_string(), self.words.name.clone());
                    return (Some(Pairs { what, words, places, statistic }), warnings);
                }
                Err(unvaried) => unvaried,
            };
            let place = places[usize::from(!of_words)].remove(layer);
            let why = if measure.needs_gram() {
                "its vectors are alike or all equally far apart, as far as this measure tells, or have far more in common than they \
                 differ by (if so, take from every unit of the features its mean over the concepts)"
            } else {
                "it does not vary over the concepts, or one has no correlation"
            };
            warnings.push(self.left_out(measure, of_words, place, why));
        }
    }

    pub fn of_words(&self, layer: usize) -> Side<'a> {
        sided(&self.words.layers[layer], self.grams.get(layer))
    }

    pub fn of_images(&self, layer: usize) -> Side<'a> {
        sided(&self.space.layers[layer], self.images.get(layer))
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

/// A statistic that fails as the evaluation does.
struct Failing<S>(S);

impl<S: Statistic> Statistic for Failing<S>
where
    Error: From<S::Error>,
{
    type Error = Error;

    fn whole(&self) -> i64 {
        self.0.whole()
    }

    fn points(&self, draws: Range<u64>, progress: &Progress) -> Result<Vec<Vec<i64>>, Error> {
        Ok(self.0.points(draws, progress)?)
    }
}
