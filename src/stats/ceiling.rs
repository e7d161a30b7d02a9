//! The noise ceiling: how well the groups of images agree with each other bounds what any model can reach
//! (Nili et al. 2014).

use super::Rsm;
use super::rsa::{Rsa, upper};

/// Where a model that knows the true similarities is expected to end up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceiling {
    /// Mean over groups of the correlation with the mean of the *other* groups.
    pub lower: f64,
    /// Mean over groups of the correlation with the mean of *all* groups, itself included. For Pearson and Spearman no
    /// fixed matrix correlates higher with the groups; for Kendall nearly none does.
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
/// two groups, or where an image is constant.
///
/// # Errors
/// Those of `accuracy`.
pub fn accuracy_ceiling<E>(
    groups: &[Rsm],
    accuracy: impl Fn(&Rsm, &Rsm) -> Result<f64, E>,
) -> Result<Option<Ceiling>, E> {
    if groups.iter().any(|rsm| !rsm.constant().is_empty()) {
        return Ok(None);
    }
    let concepts = groups.first().map_or(0, Rsm::concepts);
    let values: Vec<&[f64]> = groups.iter().map(Rsm::values).collect();
    ceiling(&values, |mean, g| accuracy(&Rsm::new(concepts, mean.to_vec()), &groups[g]))
}

/// The noise ceiling of an RSA; `None` for fewer than two groups, or where a group has no correlation.
///
/// Each group's triangle is standardised (for Spearman and Kendall after ranking) before the mean is taken: that mean
/// is the one that correlates best with the groups, so `upper` is a bound.
pub fn rsa_ceiling(kind: Rsa, groups: &[Rsm]) -> Option<Ceiling> {
    let triangles: Vec<Vec<f64>> = groups.iter().map(upper).collect();
    let standard: Vec<Vec<f64>> = triangles.iter().map(|triangle| kind.standardised(triangle)).collect();
    let standard: Vec<&[f64]> = standard.iter().map(Vec::as_slice).collect();
    ceiling(&standard, |mean, g| kind.correlation(&triangles[g], mean).ok_or(())).ok().flatten()
}

/// `value` is how well a mean of the groups' entries does on a group; `None` for fewer than two groups.
fn ceiling<E>(groups: &[&[f64]], value: impl Fn(&[f64], usize) -> Result<f64, E>) -> Result<Option<Ceiling>, E> {
    if groups.len() < 2 {
        return Ok(None);
    }
    let all = mean(groups);
    let (mut lower, mut upper) = (0.0, 0.0);
    for g in 0..groups.len() {
        let others = [&groups[..g], &groups[g + 1..]].concat();
        lower += value(&mean(&others), g)?;
        upper += value(&all, g)?;
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

    fn rsm(entries: [f64; 3]) -> Rsm {
        let [ab, ac, bc] = entries;
        Rsm::new(3, vec![1.0, ab, ac, ab, 1.0, bc, ac, bc, 1.0])
    }

    #[test]
    fn means_leave_out_what_has_no_correlation() {
        let groups = [rsm([0.1, 0.2, 0.3]), rsm([0.3, f64::NAN, f64::NAN]), rsm([0.5, 0.4, 0.1])];
        let close = |found: &Rsm, expected: [f64; 3]| {
            let pairs = upper(found).into_iter().zip(expected);
            pairs.into_iter().all(|(f, e)| (f - e).abs() < 1e-15 || (f.is_nan() && e.is_nan()))
        };
        assert!(close(&mean_rsm(&groups), [0.3, 0.3, 0.2]));
        assert!(close(&mean_rsm(&groups[1..]), [0.4, 0.4, 0.1]));
    }

    #[test]
    fn each_group_meets_the_mean_of_the_others_and_of_all() {
        let groups = [0.1, 0.3, 0.8].map(|entry| rsm([entry; 3]));
        // The others' means are 0.55, 0.45 and 0.2, that of all 0.4.
        let accuracy = |model: &Rsm, group: &Rsm| Ok::<f64, ()>((model.row(0)[1] - group.row(0)[1]).abs());
        let ceiling = accuracy_ceiling(&groups, accuracy).unwrap().unwrap();
        assert!((ceiling.lower - (0.45 + 0.15 + 0.6) / 3.0).abs() < 1e-15, "{ceiling:?}");
        assert!((ceiling.upper - (0.3 + 0.1 + 0.4) / 3.0).abs() < 1e-15, "{ceiling:?}");
        assert_eq!(accuracy_ceiling(&groups[..1], accuracy), Ok(None));
        assert_eq!(accuracy_ceiling(&groups, |_, _| Err(())), Err(()));
        let dark = [groups[0].clone(), rsm([0.2, f64::NAN, f64::NAN])];
        assert_eq!(accuracy_ceiling(&dark, accuracy), Ok(None));
    }

    #[test]
    fn identical_groups_reach_one_and_one_group_has_no_ceiling() {
        let groups = [rsm([0.1, 0.2, 0.3]), rsm([0.1, 0.2, 0.3])];
        for kind in [Rsa::Pearson, Rsa::Spearman, Rsa::KendallTauA] {
            let ceiling = rsa_ceiling(kind, &groups).unwrap();
            assert!((ceiling.lower - 1.0).abs() < 1e-15 && (ceiling.upper - 1.0).abs() < 1e-15);
            assert_eq!(rsa_ceiling(kind, &groups[..1]), None);
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
