//! The noise ceiling: how well the groups of images agree with each other bounds what any model can reach
//! (Nili et al. 2014).

use super::Rsm;
use super::rsa::{Rsa, centred, ranks, upper};

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

/// For each group the mean RSM of the others, to be tested against the group's own: the lower bound of the 2 vs. 2
/// accuracy's ceiling (the test against [`mean_rsm`] of all groups is the upper one). Empty for fewer than two groups.
pub fn means_of_others(groups: &[Rsm]) -> Vec<Rsm> {
    if groups.len() < 2 {
        return Vec::new();
    }
    (0..groups.len()).map(|g| mean_rsm(all_but(groups, g))).collect()
}

/// The noise ceiling of an RSA; `None` for fewer than two groups, or where a group has no correlation.
///
/// Each group's triangle is standardised (for Spearman and Kendall after ranking) before the mean is taken: that mean
/// is the one that correlates best with the groups, so `upper` is a bound.
pub fn rsa_ceiling(kind: Rsa, groups: &[Rsm]) -> Option<Ceiling> {
    if groups.len() < 2 {
        return None;
    }
    let triangles: Vec<Vec<f64>> = groups.iter().map(upper).collect();
    let standard: Vec<Vec<f64>> = triangles.iter().map(|triangle| standardised(kind, triangle)).collect();
    let mean_of = |lists: &mut dyn Iterator<Item = &Vec<f64>>| mean(&lists.map(Vec::as_slice).collect::<Vec<_>>());
    let all = mean_of(&mut standard.iter());
    let (mut lower, mut upper) = (0.0, 0.0);
    for (g, triangle) in triangles.iter().enumerate() {
        lower += kind.correlation(triangle, &mean_of(&mut all_but(&standard, g)))?;
        upper += kind.correlation(triangle, &all)?;
    }
    let count = groups.len() as f64;
    Some(Ceiling { lower: lower / count, upper: upper / count })
}

fn all_but<T>(items: &[T], left_out: usize) -> impl Iterator<Item = &T> {
    items.iter().enumerate().filter(move |(i, _)| *i != left_out).map(|(_, item)| item)
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

/// Mean 0 and unit length over the entries that are not NaN.
fn standardised(kind: Rsa, triangle: &[f64]) -> Vec<f64> {
    let present: Vec<f64> = triangle.iter().copied().filter(|entry| !entry.is_nan()).collect();
    let values = if kind == Rsa::Pearson { centred(present) } else { ranks(&present) };
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let mut values = values.into_iter();
    triangle
        .iter()
        .map(|entry| if entry.is_nan() { f64::NAN } else { values.next().map_or(f64::NAN, |value| value / length) })
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
        let others = means_of_others(&groups);
        assert!(close(&others[0], [0.4, 0.4, 0.1]));
        assert!(close(&others[1], [0.3, 0.3, 0.2]));
        assert!(close(&others[2], [0.2, 0.2, 0.3]));
        assert!(means_of_others(&groups[..1]).is_empty());
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
