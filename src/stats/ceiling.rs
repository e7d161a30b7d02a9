//! The noise ceiling: how well the groups of images agree with each other (Nili et al. 2014).

use std::convert::Infallible;

use super::Rsm;
use super::rsa::{Rsa, square, upper};

/// Where a model that knows the true similarities is expected to end up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceiling {
    /// Mean over groups of the value of the mean of the *other* groups.
    pub lower: f64,
    /// Mean over groups of the value of the mean of *all* groups, itself included.
    ///
    /// For Pearson no matrix does better, and for Spearman none where no entries of a group tie: a bound. For Kendall it
    /// is nearly one. For the 2 vs. 2 accuracy, which is no correlation of two whole matrices, it is none: it says how
    /// well the groups are told by what they have in common, and words may do better.
    pub upper: f64,
}

/// The entry-wise mean of RSMs; groups in which an entry has no correlation (a constant row) are left out of it.
///
/// # Panics
/// If there is none, or they differ in their concepts.
pub fn mean_rsm<'a>(rsms: impl IntoIterator<Item = &'a Rsm>) -> Rsm {
    let rsms: Vec<&Rsm> = rsms.into_iter().collect();
    let concepts = rsms[0].concepts();
    assert!(rsms.iter().all(|rsm| rsm.concepts() == concepts), "RSMs of the same concepts");
    let lists: Vec<&[f64]> = rsms.iter().map(|rsm| rsm.values()).collect();
    Rsm::new(concepts, mean(&lists))
}

/// The noise ceiling of the 2 vs. 2 accuracy; `accuracy` is that of a model against a group's RSM. `None` for fewer than
/// two groups, where an image is constant, or where a mean of groups has no accuracy.
///
/// Each group's entries are standardised (mean 0, unit length) before the mean is taken: a group of high contrast would
/// be nearly all of it.
///
/// # Errors
/// Those of `accuracy`.
pub fn accuracy_ceiling<E>(
    groups: &[Rsm],
    accuracy: impl Fn(&Rsm, &Rsm) -> Result<Option<f64>, E>,
) -> Result<Option<Ceiling>, E> {
    if groups.iter().any(|rsm| !rsm.constant().is_empty()) {
        return Ok(None);
    }
    let concepts = groups.first().map_or(0, Rsm::concepts);
    let standard: Vec<Vec<f64>> = groups.iter().map(|rsm| Rsa::Pearson.standardised(&upper(rsm))).collect();
    let standard: Vec<&[f64]> = standard.iter().map(Vec::as_slice).collect();
    ceiling(&standard, |mean, g| accuracy(&square(mean, concepts), &groups[g]))
}

/// The noise ceiling of an RSA; `None` for fewer than two groups, or where a group has no correlation.
///
/// Each group's triangle is standardised, for Spearman and Kendall ranked, before the mean is taken, as rsatoolbox does:
/// for Pearson, and for Spearman without ties, that mean is the one that correlates best with the groups. Entries that a
/// group lacks (an image of it is constant) are left out of all: else the mean would be of other groups at other entries.
pub fn rsa_ceiling(kind: Rsa, groups: &[Rsm]) -> Option<Ceiling> {
    let mut triangles: Vec<Vec<f64>> = groups.iter().map(upper).collect();
    for place in 0..triangles.first().map_or(0, Vec::len) {
        if triangles.iter().any(|triangle| triangle[place].is_nan()) {
            triangles.iter_mut().for_each(|triangle| triangle[place] = f64::NAN);
        }
    }
    let standard: Vec<Vec<f64>> = triangles.iter().map(|triangle| kind.standardised(triangle)).collect();
    let standard: Vec<&[f64]> = standard.iter().map(Vec::as_slice).collect();
    ceiling_of(&standard, |mean, g| kind.correlation(&triangles[g], mean))
}

/// [`ceiling`] by a value that does not fail.
pub(super) fn ceiling_of(groups: &[&[f64]], value: impl Fn(&[f64], usize) -> Option<f64>) -> Option<Ceiling> {
    let Ok(found) = ceiling(groups, |mean, g| Ok::<_, Infallible>(value(mean, g)));
    found
}

/// `value` is how well a mean of the groups' entries does on a group; `None` for fewer than two groups, or where a mean has
/// no value.
fn ceiling<E>(
    groups: &[&[f64]],
    value: impl Fn(&[f64], usize) -> Result<Option<f64>, E>,
) -> Result<Option<Ceiling>, E> {
    if groups.len() < 2 {
        return Ok(None);
    }
    let all = mean(groups);
    let (mut lower, mut upper) = (0.0, 0.0);
    for g in 0..groups.len() {
        let others = [&groups[..g], &groups[g + 1..]].concat();
        let (Some(by_others), Some(by_all)) = (value(&mean(&others), g)?, value(&all, g)?) else { return Ok(None) };
        lower += by_others;
        upper += by_all;
    }
    let count = groups.len() as f64;
    Ok(Some(Ceiling { lower: lower / count, upper: upper / count }))
}

/// Mean at each place over the lists that are not NaN there.
fn mean(lists: &[&[f64]]) -> Vec<f64> {
    (0..lists[0].len())
        .map(|place| {
            let present = lists.iter().map(|list| list[place]).filter(|value| !value.is_nan());
            let (sum, count) = present.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
            sum / count
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::permutation::Random;
    use super::*;

    #[test]
    fn means_leave_out_what_has_no_correlation() {
        let groups = [[0.1, 0.2, 0.3], [0.3, f64::NAN, f64::NAN], [0.5, 0.4, 0.1]].map(|entries| square(&entries, 3));
        let close = |found: &Rsm, expected: [f64; 3]| {
            let pairs = upper(found).into_iter().zip(expected);
            pairs.into_iter().all(|(f, e)| (f - e).abs() < 1e-15 || (f.is_nan() && e.is_nan()))
        };
        assert!(close(&mean_rsm(&groups), [0.3, 0.3, 0.2]));
        assert!(close(&mean_rsm(&groups[1..]), [0.4, 0.4, 0.1]));
    }

    #[test]
    fn each_group_meets_the_mean_of_the_others_and_of_all() {
        // Standardised: deviations -2 -1 3, 3 -1 -2 and -1 3 -2 over the root of 14, whatever the contrast.
        let groups = [([-2.0, -1.0, 3.0], 1.0), ([3.0, -1.0, -2.0], 100.0), ([-1.0, 3.0, -2.0], 0.01)]
            .map(|(entries, contrast)| square(&entries.map(|entry: f64| 0.2 + contrast * entry), 3));
        // The first entry's means of the others are 1.0, -1.5 and 0.5 over that root, that of all is 0.
        let accuracy = |model: &Rsm, group: &Rsm| {
            Ok::<_, ()>(Some(if group == &groups[1] { model.row(0)[1] * 14_f64.sqrt() } else { 0.0 }))
        };
        let ceiling = accuracy_ceiling(&groups, accuracy).unwrap().unwrap();
        assert!((ceiling.lower + 1.5 / 3.0).abs() < 1e-12 && ceiling.upper.abs() < 1e-12, "{ceiling:?}");
        assert_eq!(accuracy_ceiling(&groups[..1], accuracy), Ok(None));
        assert_eq!(accuracy_ceiling(&groups, |_, _| Err(())), Err(()));
        assert_eq!(accuracy_ceiling(&groups, |_, _| Ok::<_, ()>(None)), Ok(None));
        let dark = [groups[0].clone(), square(&[0.2, f64::NAN, f64::NAN], 3)];
        assert!(dark[1].constant() == [2]);
        assert_eq!(accuracy_ceiling(&dark, accuracy), Ok(None));
    }

    /// Values of rsatoolbox 0.3.2, sums of a few dozen terms of order 1.
    #[test]
    fn the_ceilings_are_those_of_rsatoolbox() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/golden/inference.json")).unwrap();
        let ceilings = &golden["ceilings"];
        let triangles: Vec<Vec<f64>> = serde_json::from_value(ceilings["triangles"].clone()).unwrap();
        let mut groups: Vec<Rsm> = triangles.iter().map(|triangle| square(triangle, 8)).collect();
        for _ in 0..groups.len() {
            for kind in [Rsa::Pearson, Rsa::Spearman, Rsa::KendallTauA] {
                let expected: [f64; 2] =
                    serde_json::from_value(ceilings["expected"][kind.to_string()].clone()).unwrap();
                let found = rsa_ceiling(kind, &groups).unwrap();
                assert!((found.lower - expected[0]).abs() < 1e-12, "{kind}: {found:?}, expected {expected:?}");
                assert!((found.upper - expected[1]).abs() < 1e-12, "{kind}: {found:?}, expected {expected:?}");
            }
            // In any order.
            groups.rotate_left(1);
        }
    }

    #[test]
    fn identical_groups_reach_one_and_one_group_has_no_ceiling() {
        let groups = [square(&[0.1, 0.2, 0.3], 3), square(&[0.1, 0.2, 0.3], 3)];
        for kind in [Rsa::Pearson, Rsa::Spearman, Rsa::KendallTauA] {
            let ceiling = rsa_ceiling(kind, &groups).unwrap();
            assert!((ceiling.lower - 1.0).abs() < 1e-15 && (ceiling.upper - 1.0).abs() < 1e-15);
            assert_eq!(rsa_ceiling(kind, &groups[..1]), None);
        }
    }

    #[test]
    fn entries_that_a_group_lacks_are_left_out_of_all() {
        // The fourth concept is constant in the second group: what is left are three entries of each.
        let lacking = f64::NAN;
        let groups =
            [square(&[0.1, 0.5, 0.9, 0.4, 0.2, 0.3], 4), square(&[0.2, 0.4, lacking, 0.7, lacking, lacking], 4)];
        let whole = [square(&[0.1, 0.5, 0.4], 3), square(&[0.2, 0.4, 0.7], 3)];
        for kind in [Rsa::Pearson, Rsa::Spearman, Rsa::KendallTauA] {
            let (found, expected) = (rsa_ceiling(kind, &groups).unwrap(), rsa_ceiling(kind, &whole).unwrap());
            assert!((found.lower - expected.lower).abs() < 1e-12 && (found.upper - expected.upper).abs() < 1e-12);
            assert!(found.lower <= found.upper, "{found:?}");
        }
    }

    #[test]
    fn no_matrix_passes_the_upper_bound() {
        let mut random = Random::keyed(8, 0);
        let mut noisy = |signal: &[f64]| -> Rsm {
            let entries: Vec<f64> = signal.iter().map(|s| s + random.unit()).collect();
            let entry = |a: usize, b: usize| entries[(a.min(b) * (11 - a.min(b))) / 2 + a.abs_diff(b) - 1];
            Rsm::new(6, (0..36).map(|i| if i / 6 == i % 6 { 1.0 } else { entry(i / 6, i % 6) }).collect())
        };
        let signal: Vec<f64> = (0..15).map(|i| f64::from(i) / 15.0).collect();
        let groups: Vec<Rsm> = (0..4).map(|_| noisy(&signal)).collect();
        for kind in [Rsa::Pearson, Rsa::Spearman] {
            let ceiling = rsa_ceiling(kind, &groups).unwrap();
            assert!(ceiling.lower < ceiling.upper);
            for _ in 0..100 {
                let model = upper(&noisy(&signal));
                let reached = groups.iter().map(|g| kind.correlation(&model, &upper(g)).unwrap()).sum::<f64>() / 4.0;
                assert!(reached < ceiling.upper, "{kind:?}: {reached} passes {}", ceiling.upper);
            }
        }
    }
}
