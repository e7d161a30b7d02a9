//! Whether the experiment's images arrive as the network was trained on them: some are tried before any work.

use rayon::prelude::*;

use super::{Model, PlanError};
use crate::images;
use crate::nets::{Arrival, Preprocess};
use crate::stimuli::{Manifest, Stimulus};
use crate::weights::Parameters;

/// Images tried, from all groups and concepts alike.
const TRIED: usize = 16;

/// How they arrive at the first normalization, and what the user should know if that is not as at training; none where the
/// network has no such normalization, or random weights.
///
/// # Errors
/// Weights that cannot be read.
pub fn arrival(
    model: &Model,
    weights: &mut Parameters,
    manifest: &Manifest,
) -> Result<Option<(Arrival, Option<String>)>, PlanError> {
    if model.files.is_empty() {
        return Ok(None);
    }
    let Some(norm) = model.first_norm(weights)? else { return Ok(None) };
    let input = &model.input;
    let all: Vec<&Stimulus> = manifest.stimuli.iter().flatten().collect();
    let tried: Vec<&Stimulus> = (0..TRIED.min(all.len())).map(|n| all[n * all.len() / TRIED.min(all.len())]).collect();
    // One that cannot be decoded is an error later on.
    let rgb: Vec<Vec<u8>> =
        tried.par_iter().filter_map(|stimulus| images::load(&stimulus.path, input.framing()).ok()).collect();
    if rgb.is_empty() || norm.size.iter().any(|&side| side > input.size) {
        return Ok(None);
    }
    let arrives = |preprocess| norm.arrival(&rgb, input.size, preprocess);
    let found = arrives(input.preprocess);
    let doubt = (!found.is_usual()).then(|| {
        let usual = Preprocess::NAMED.iter().filter(|(_, preprocess)| arrives(*preprocess).is_usual());
        let usual: Vec<String> = usual.map(|(name, _)| format!("{name:?}")).collect();
        let remedy = match usual.is_empty() {
            true => "no rule known by name fits: set scale, mean and std as its training had them, or the images are of \
                     another kind than its training's"
                .to_string(),
            false => format!("network.input.values = {} would fit", usual.join(" or ")),
        };
        format!(
            "numbers arrive that {} was not trained on ({}): at its first normalization they spread {:.2} times as far as \
             at training and lie {:.2} standard deviations off; {remedy}",
            model.network.name,
            input.preprocess.name(),
            found.spread,
            found.shift
        )
    });
    Ok(Some((found, doubt)))
}
