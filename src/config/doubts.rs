//! What options leave in doubt: nothing that is wrong, but a test that cannot say what is hoped of it.

use std::collections::BTreeMap;

use super::options::{InferenceOptions, TestOptions, any_counts_neighbours};
use crate::stats::alignment::Measure;
use crate::stats::generalise::{ENOUGH_GROUPS, FEWEST_GROUPS, Generalise};
use crate::stats::inference::Tail;
use crate::wording::counted;

/// Of so many equally likely values, the observed one among them, the highest has a p of 0.05: none below.
const TOO_FEW: u64 = 20;

/// Of so many resamples one lies beyond either end of a 95 % interval by percentiles.
const FEW_RESAMPLES: u64 = 40;

impl TestOptions {
    /// What draws that keep to categories leave in place, if any concept.
    pub fn doubt(&self, categories: Option<&[String]>) -> Option<String> {
        let categories = categories.filter(|_| self.within_categories)?;
        let alone = members(categories).values().filter(|&&count| count == 1).count();
        let what = match (alone, categories.len() - alone) {
            (0, _) => return None,
            (_, 0) => "no draw moves any concept: every p-value is 1",
            _ => "no draw moves such a concept, which only weakens the test; merge categories, or leave it out",
        };
        Some(format!(
            "alone in a category: {alone} of {} concepts, and draws keep to categories: {what}",
            categories.len()
        ))
    }

    /// Why no p-value can be below 0.05, if none can.
    pub fn doubt_of_p(&self, categories: Option<&[String]>) -> Option<String> {
        if self.permutations == 0 {
            return None;
        }
        if self.permutations < TOO_FEW {
            return Some(format!(
                "permutations: {}: no p-value can be below 0.05, the smallest is 1 / (1 + permutations); ask for {TOO_FEW} or \
                 more, better 1,000",
                self.permutations
            ));
        }
        let members = members(categories.filter(|_| self.within_categories)?);
        let factorial = |count: &usize| (1..=*count as u64).fold(1, u64::saturating_mul);
        let arrangements = members.values().map(factorial).fold(1, u64::saturating_mul);
        (2..=TOO_FEW).contains(&arrangements).then(|| {
            format!(
                "draws keep to categories, which allow {arrangements} arrangements of the concepts: p-values are about 1 / \
                 {arrangements} at the least, so none says that it is below 0.05; merge categories, or test without them"
            )
        })
    }

    /// Why the ends of intervals are nowhere, if they are.
    pub fn doubt_of_intervals(&self) -> Option<String> {
        (1..FEW_RESAMPLES).contains(&self.bootstrap).then(|| {
            format!(
                "bootstrap: {}: so few resamples do not say where a 95 % interval ends, beyond either end of which 2.5 % of \
                 them lie; ask for {FEW_RESAMPLES} or more, better 1,000",
                self.bootstrap
            )
        })
    }
}

/// How many concepts each category has.
fn members(categories: &[String]) -> BTreeMap<&String, usize> {
    let mut members = BTreeMap::new();
    categories.iter().for_each(|category| *members.entry(category).or_default() += 1);
    members
}

impl InferenceOptions {
    /// What few groups leave in doubt.
    pub fn doubt(&self, groups: usize) -> Option<String> {
        let over = self.generalise.is_some_and(Generalise::over_groups);
        (over && groups < ENOUGH_GROUPS).then(|| {
            let ceilings = if groups == FEWEST_GROUPS { "; of two, noise ceilings have no intervals" } else { "" };
            format!(
                "generalise: {groups} groups say little of others: their variance has {} of freedom, so that intervals are wide; \
                 {ENOUGH_GROUPS} or more are better{ceilings}",
                counted(groups - 1, "degree")
            )
        })
    }
}

/// What neighbours that no measure counts leave in doubt.
pub(crate) fn doubt_of_neighbours(measures: &[Measure], neighbours: usize) -> Option<String> {
    let unused = neighbours != super::neighbours() && !any_counts_neighbours(measures);
    unused.then(|| format!("neighbours: {neighbours} have no effect: neither mknn nor cknna is among the measures"))
}

/// What a tail leaves out of the measures.
pub(crate) fn doubt_of_tail(measures: &[Measure], tail: Tail) -> Option<String> {
    let name = match tail {
        Tail::Upper => return None,
        Tail::Lower => "lower",
        Tail::Two => "two",
    };
    (!measures.is_empty()).then(|| {
        format!(
            "tail: {name}, so measures have no calibrated score, which is how far a value lies above chance, and no figure of it; \
             p-values are of the tail"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_tail_leaves_measures_without_calibrated_scores() {
        assert!(
            doubt_of_tail(&[Measure::Cka], Tail::Two).unwrap().starts_with("tail: two, so measures have no calibrated")
        );
        assert_eq!(doubt_of_tail(&[Measure::Cka], Tail::Upper).or(doubt_of_tail(&[], Tail::Lower)), None);
    }

    #[test]
    fn concepts_alone_in_their_category_are_told() {
        let within = TestOptions { within_categories: true, ..TestOptions::default() };
        let said = |categories: &[&str]| {
            within.doubt(Some(&categories.iter().map(|category| category.to_string()).collect::<Vec<_>>()))
        };
        assert_eq!(said(&["a", "b", "a", "b"]), None);
        assert!(said(&["a", "b", "a", "c"]).unwrap().starts_with("alone in a category: 2 of 4 concepts"));
        assert!(said(&["a", "b"]).unwrap().ends_with("every p-value is 1"));
        assert_eq!(TestOptions::default().doubt(Some(&["a".to_string()])), None);
    }

    #[test]
    fn intervals_of_few_resamples_are_told() {
        let of = |bootstrap| TestOptions { bootstrap, ..TestOptions::default() }.doubt_of_intervals();
        assert!(of(39).unwrap().starts_with("bootstrap: 39: so few resamples"));
        assert_eq!(of(0).or(of(40)), None);
    }

    #[test]
    fn p_values_that_cannot_be_small_are_told() {
        let of = |permutations| TestOptions { permutations, ..TestOptions::default() };
        assert!(of(19).doubt_of_p(None).unwrap().starts_with("permutations: 19: no p-value can be below 0.05"));
        assert_eq!(of(20).doubt_of_p(None).or(of(0).doubt_of_p(None)), None);
        let within = TestOptions { within_categories: true, ..TestOptions::default() };
        let said = |test: &TestOptions, sizes: &[usize]| {
            let of = |(n, &size): (usize, &usize)| vec![n.to_string(); size];
            test.doubt_of_p(Some(&sizes.iter().enumerate().flat_map(of).collect::<Vec<_>>()))
        };
        assert!(said(&within, &[2, 2, 2, 2, 1]).unwrap().contains("allow 16 arrangements"));
        assert_eq!(said(&within, &[4]).or(said(&within, &[40, 40])), None, "24, and more than can be counted");
        assert_eq!(said(&within, &[1, 1, 1]), None, "said of concepts alone");
        assert_eq!(said(&TestOptions::default(), &[2, 2]), None, "draws that keep to nothing");
    }
}
