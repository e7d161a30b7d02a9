//! Noise ceilings of the measures: how well the groups of images agree with each other, by the measure.

#[cfg(test)]
mod tests;

use super::inner::{InnerTest, prepared};
use super::neighbours::{Neighbours, Ranks};
use super::{Gram, Measure, Side, deleted};
use crate::stats::ceiling::{Ceiling, ceiling_of, rsa_ceiling};
use crate::stats::rsa::dot;

/// The noise ceiling of a layer, as [`rsa_ceiling`]'s: the mean of the other groups, and of all, in the words' place.
///
/// The mean of CKA and of the cosine of dissimilarities is that of the groups' matrices in which they are an inner product,
/// each of unit length: no words do better than `upper`. That of neighbours is of the cosines: it is no bound. None for
/// fewer than two groups, or where a group has no value.
///
/// # Panics
/// For the 2 vs. 2 test, which has a ceiling of its own, and if there are not more than `k` concepts where neighbours count.
pub fn noise_ceiling(measure: Measure, k: usize, images: Side) -> Option<Ceiling> {
    assert!(measure != Measure::TwoVsTwo, "the 2 vs. 2 test has a ceiling of its own");
    if let Some(rsa) = measure.rsa() {
        return rsa_ceiling(rsa, images.rsms);
    }
    if InnerTest::takes(measure) {
        let groups = prepared(measure, images)?;
        let groups: Vec<&[f64]> = groups.iter().map(Vec::as_slice).collect();
        return ceiling_of(&groups, |mean, group| {
            let length = dot(mean, mean).sqrt();
            (length > 0.0).then(|| dot(mean, groups[group]) / length)
        });
    }
    if images.grams.iter().any(|gram| gram.without_direction().is_some()) {
        return None;
    }
    let cosines: Vec<Gram> = images.grams.iter().map(Gram::cosines).collect();
    let groups: Vec<&[f64]> = cosines.iter().map(Gram::values).collect();
    let lists: Vec<Neighbours> = images.grams.iter().map(|gram| Neighbours::new(gram, k, Ranks::Drawn)).collect();
    ceiling_of(&groups, |mean, group| {
        let concepts = cosines[group].concepts();
        let mean = Neighbours::new(&Gram::new(concepts, mean.to_vec()), k, Ranks::InOrder);
        Some(deleted::value(measure, k, &mean, &lists[group])).filter(|value| value.is_finite())
    })
}
