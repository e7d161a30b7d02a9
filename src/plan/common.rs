//! What does not depend on the network: images, words, and what is tested of them.

use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{Inputs, PlanError, words};
use crate::checksum::{self, sha256};
use crate::classes::Classes;
use crate::config::{Config, check_measures, doubt_of_neighbours, doubt_of_tail, draws};
use crate::evaluation::Words;
use crate::evaluation::one_vs_two::{Lexicon, OneVsTwo};
use crate::files::Unchanged;
use crate::fonts;
use crate::images;
use crate::progress::Progress;
use crate::stats::permutation::Permutations;
use crate::stimuli::Manifest;
use crate::vectors;

/// Images that were looked at when an experiment was cut into shards; by default none were.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Their checksums, group by group.
    pub sums: Vec<String>,
    /// The groups to look at again.
    pub groups: Range<usize>,
}

/// What the networks of an experiment have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub inputs: Inputs,
    /// The checksum of each image, group by group.
    pub image_sums: Vec<String>,
    /// Those of the word models.
    pub word_sums: Vec<String>,
    pub draws: Permutations,
    pub lexicon: Lexicon,
    pub one_vs_two: Option<OneVsTwo>,
}

impl Common {
    /// Looks at the images, reads the words; `classes` are those that the networks tell apart.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn read(
        config: &Config,
        classes: &Classes,
        manifest: Manifest,
        seen: &Seen,
        progress: &Progress,
    ) -> Result<Self, PlanError> {
        let unchanged = Unchanged::of(&words_files(config)?)?;
        let image_sums = check_images(&manifest, seen)?;
        let concepts = manifest.concepts.len();
        let others = !config.measures.is_empty() || !config.controls.partition.is_empty();
        let resampled = config.inference.resampled(concepts, others);
        config.two_vs_two.check(resampled).map_err(PlanError::of_section("two_vs_two"))?;
        let inference = config.inference.check(config.two_vs_two.bootstrap, manifest.groups.len());
        inference.map_err(PlanError::of_section("inference"))?;
        check_measures(&config.measures, config.neighbours, concepts)
            .map_err(|error| PlanError::value(error.option, error.expected, error.found))?;
        let strata = config.two_vs_two.strata(manifest.categories.as_deref());
        if config.two_vs_two.within_categories && strata.is_none() {
            return Err(PlanError::NoCategories(config.stimuli.manifest.clone()));
        }
        let draws = draws(config.seed, concepts, strata.as_deref());
        let others = words::other_classes(config, classes, &manifest)?;
        let mut warnings = doubts(config, classes, &manifest, &image_sums);
        let models = words::read(config, &manifest, &others, progress, &mut warnings)?;
        let (lexicon, one_vs_two) = match &config.one_vs_two {
            None => (Lexicon::of_manifest(&manifest, classes), None),
            Some(section) => {
                warnings.extend(words::classless(&manifest));
                let (lexicon, test) =
                    words::one_vs_two(config, section, (&manifest, classes), &models, &others, strata)?;
                (lexicon, Some(test))
            }
        };
        let words: Vec<Words> = models.into_iter().map(|model| model.words).collect();
        let sum = |file: &Path| -> Result<_, PlanError> { Ok(checksum::of_files(&vectors::files(file)?)?) };
        let word_sums = config.words.par_iter().map(|words| sum(&words.file)).collect::<Result<Vec<_>, _>>()?;
        unchanged.check()?;
        warnings.extend(words::doubt_of_copies(&config.words, &word_sums));
        Ok(Self {
            inputs: Inputs { manifest, words, arrival: None, warnings },
            image_sums,
            word_sums,
            draws,
            lexicon,
            one_vs_two,
        })
    }
}

/// What the user should know of the images and of what is asked of them.
fn doubts(config: &Config, classes: &Classes, manifest: &Manifest, image_sums: &[String]) -> Vec<String> {
    let Config { two_vs_two, inference, measures, neighbours, .. } = config;
    let categories = manifest.categories.as_deref();
    let asked = [
        two_vs_two.doubt(categories),
        two_vs_two.doubt_of_p(categories),
        two_vs_two.doubt_of_intervals(),
        inference.doubt(manifest.groups.len()),
        doubt_of_neighbours(measures, *neighbours),
        doubt_of_tail(measures, inference.tail),
        fonts::doubt(names(config, manifest)),
    ];
    let of_classes = manifest.doubts_of_classes(classes.count() as u32, |class| classes.names(class as usize));
    let of_images = manifest.doubts().into_iter().chain(manifest.doubt_of_copies(image_sums)).chain(of_classes);
    of_images.chain(asked.into_iter().flatten()).collect()
}

/// What stands in figures whatever the network.
fn names<'a>(config: &'a Config, manifest: &'a Manifest) -> impl Iterator<Item = &'a str> {
    let words = config.words.iter().map(|words| &words.name);
    let spaces = config.controls.sources().map(|source| &source.name);
    let categories = manifest.categories.iter().flatten();
    words.chain(spaces).chain(&manifest.concepts).chain(categories).map(String::as_str)
}

/// The files of all word models.
pub(super) fn words_files(config: &Config) -> Result<Vec<PathBuf>, PlanError> {
    let files = config.words.iter().map(|words| vectors::files(&words.file)).collect::<Result<Vec<_>, _>>()?;
    Ok(files.concat())
}

/// Every image there and of a known format; their checksums, group by group. Of images that were seen, those to look at
/// again only.
fn check_images(manifest: &Manifest, seen: &Seen) -> Result<Vec<String>, PlanError> {
    let concepts = manifest.concepts.len();
    let known = seen.sums.len() == concepts * manifest.groups.len();
    let sum = |(group, concept): (usize, usize)| {
        if known && !seen.groups.contains(&group) {
            return Ok(seen.sums[group * concepts + concept].clone());
        }
        let stimulus = &manifest.stimuli[group][concept];
        images::check(&stimulus.path).map_err(|source| PlanError::Image {
            concept: manifest.concepts[concept].clone(),
            group: manifest.groups[group].clone(),
            source: Box::new(source),
        })?;
        Ok(sha256(&stimulus.path)?)
    };
    let groups = (0..manifest.groups.len()).into_par_iter();
    groups.flat_map(|group| (0..concepts).into_par_iter().map(move |concept| (group, concept))).map(sum).collect()
}
