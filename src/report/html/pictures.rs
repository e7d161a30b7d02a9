//! The stimuli as small JPEG pictures in the page, as large as its size allows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rayon::prelude::*;
use serde::Serialize;

use crate::names::distinct;
use crate::report::Material;
use crate::report::stimuli::Source;
use crate::results::StimulusRow;

/// Widths tried, in pixels; the page shows them at half the largest.
const SIZES: [usize; 4] = [112, 96, 80, 64];
/// A JPEG of the smallest size in base64: the header alone is this long.
const FEWEST_BYTES: usize = 800;
const QUALITY: u8 = 60;

/// The pictures of an experiment.
#[derive(Serialize)]
pub struct Pictures {
    /// Width and height in pixels.
    size: usize,
    /// JPEG in base64, `[concepts][groups]` in the order of the tables; none where an image is gone or altered.
    jpegs: Vec<Vec<Option<String>>>,
    /// Groups shown, the first ones.
    groups: usize,
    /// Images that could not be read, of those shown.
    missing: usize,
    /// Images that are not as the run had them, of those shown.
    altered: usize,
    /// Images of the experiment; none where it began with matrices.
    images: usize,
}

/// The pictures in at most `bytes` of base64, of as many groups as fit at the smallest size. Images that are gone or
/// unreadable are counted, not an error: results are often read on another machine.
pub fn read(material: &Material, bytes: usize) -> Pictures {
    let results = material.results;
    let concepts = distinct(results.concepts.iter().map(|row| row.concept.as_str()));
    let groups = distinct(results.groups.iter().map(|row| row.group.as_str()));
    let images = results.stimuli.len();
    let none = |missing| Pictures { size: 0, jpegs: Vec::new(), groups: 0, missing, altered: 0, images };
    let Some(source) = &material.source else {
        return none(images);
    };
    let place = |stimulus: &StimulusRow| {
        let concept = concepts.iter().position(|concept| *concept == stimulus.concept)?;
        Some((concept, groups.iter().position(|group| *group == stimulus.group)?))
    };
    let placed: Vec<(usize, usize, &StimulusRow)> = results
        .stimuli
        .iter()
        .filter_map(|stimulus| place(stimulus).map(|(concept, group)| (concept, group, stimulus)))
        .collect();
    // Images too many for the smallest size are not tried.
    let most = (bytes / (FEWEST_BYTES * concepts.len().max(1))).min(groups.len());
    for shown in (1..=most).rev() {
        let wanted: Vec<&(usize, usize, &StimulusRow)> = placed.iter().filter(|(_, group, _)| *group < shown).collect();
        let jpegs = |images: &[&(usize, usize, &StimulusRow)], size| -> Vec<Option<String>> {
            images.par_iter().map(|(_, _, stimulus)| jpeg(source, stimulus, size)).collect()
        };
        let length = |jpegs: &[Option<String>]| jpegs.iter().flatten().map(|jpeg| jpeg.len() + 3).sum::<usize>();
        for size in SIZES {
            // A sample says whether it is worth the while.
            let every = wanted.len().div_ceil(64).max(1);
            let sample: Vec<_> = wanted.iter().copied().step_by(every).collect();
            if length(&jpegs(&sample, size)) * every > bytes {
                continue;
            }
            let encoded = jpegs(&wanted, size);
            if length(&encoded) + 5 * wanted.len() > bytes {
                continue;
            }
            let gone = wanted.iter().zip(&encoded).filter(|(_, jpeg)| jpeg.is_none());
            let (altered, missing): (Vec<_>, Vec<_>) =
                gone.partition(|((.., stimulus), _)| source.is_altered(stimulus));
            let (altered, missing) = (altered.len(), missing.len());
            let mut jpegs = vec![vec![None; shown]; concepts.len()];
            for ((concept, group, _), jpeg) in wanted.iter().zip(encoded) {
                jpegs[*concept][*group] = jpeg;
            }
            return Pictures { size, jpegs, groups: shown, missing, altered, images };
        }
    }
    none(0)
}

fn jpeg(source: &Source, stimulus: &StimulusRow, size: usize) -> Option<String> {
    let rgb = source.rgb(stimulus, size)?;
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, QUALITY)
        .encode(&rgb, size as u32, size as u32, image::ExtendedColorType::Rgb8)
        .ok()?;
    Some(STANDARD.encode(bytes))
}
