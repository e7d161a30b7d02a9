//! What a p-value says and what it covers, in the words of figures.

use crate::config::{InferenceOptions, TestOptions};
use crate::record::RunRecord;
use crate::report::curves::SIGNIFICANT;
use crate::report::material::Said;
use crate::stats::generalise::Generalise;
use crate::stats::inference::{Family, Rule, Tail};
use crate::wording::counted;

/// What methods say where nothing was drawn, with what that leaves without p-values behind it.
pub const NOT_MADE: &str = "No permutation test was made: ";

/// How nulls were drawn, what is held against them, and what intervals speak of, as `run.json` has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null {
    /// How many, and what is held against them.
    pub rule: Rule,
    /// Whether draws kept to categories.
    pub within_categories: bool,
    /// Of other concepts where nothing was asked for.
    pub generalise: Option<Generalise>,
}

impl Null {
    /// As asked for.
    pub fn new(test: &TestOptions, of: InferenceOptions) -> Self {
        let (permutations, stop_after) = (test.permutations, test.stop_after);
        let rule = Rule { permutations, stop_after, tail: of.tail, family: of.family };
        Self { rule, within_categories: test.within_categories, generalise: of.generalise }
    }

    /// Of all tests but the 1 vs. 2 test.
    pub fn of(record: &RunRecord) -> Self {
        Self::new(record.options(), record.inference())
    }

    /// The tail behind a p on the terminal; nothing where it is that of high values.
    pub fn tail(self) -> String {
        match self.rule.tail {
            Tail::Upper => String::new(),
            tail => format!(", {}", tail.said()),
        }
    }

    /// Of the 1 vs. 2 test, whose draws are all made.
    pub fn of_one_vs_two(record: &RunRecord) -> Self {
        let null = Self::of(record);
        let section = record.run().and_then(|run| run.config.one_vs_two.as_ref());
        let own = section.and_then(|section| section.permutations);
        let permutations = own.unwrap_or(null.rule.permutations);
        Self { rule: Rule { permutations, stop_after: None, ..null.rule }, ..null }
    }
}

/// The permutations behind rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// At most, of any row.
    pub permutations: u64,
    /// Rows that fewer settled.
    pub stopped: usize,
}

/// Of rows that count so many each; none where nothing was drawn.
pub fn drawn(null: Option<Null>, counts: impl Iterator<Item = u64>) -> Option<Drawn> {
    let counts: Vec<u64> = counts.collect();
    let most = counts.iter().copied().max().filter(|&most| most > 0)?;
    let declared = null.filter(|null| null.rule.stop_after.is_some()).map(|null| null.rule.permutations);
    let permutations = declared.unwrap_or(most);
    let stopped = declared.map_or(0, |declared| counts.iter().filter(|&&count| count < declared).count());
    Some(Drawn { permutations, stopped })
}

/// The same in words; nothing where nothing was drawn.
pub fn permutations(null: Option<Null>, counts: impl Iterator<Item = u64>) -> Option<String> {
    let Drawn { permutations, stopped } = drawn(null, counts)?;
    let within = if null.is_some_and(|null| null.within_categories) { " within categories" } else { "" };
    let said = counted(permutations, "permutation");
    Some(if stopped > 0 { format!("up to {said}{within}, stopped early") } else { format!("{said}{within}") })
}

/// What a family-wise p under a figure of so many word models covers, where that is known.
pub fn covers(null: Option<Null>, models: usize) -> &'static str {
    match null.map(|null| null.rule.family) {
        Some(Family::Words | Family::Networks) if models > 1 => "family-wise over the layers of all word models",
        Some(Family::Layers) if models > 1 => "family-wise over the layers of each word model, not across word models",
        Some(_) => "family-wise over layers",
        None => "family-wise",
    }
}

/// The tail behind a p, after a comma; nothing where that is not known.
pub fn tail(null: Option<Null>) -> &'static str {
    match null.map(|null| null.rule.tail) {
        Some(Tail::Upper) => ", one-sided (high values)",
        Some(Tail::Lower) => ", one-sided (low values)",
        Some(Tail::Two) => ", two-sided",
        None => "",
    }
}

/// What filled markers say under a figure of so many word models.
pub fn filled(null: Option<Null>, models: usize) -> String {
    format!("Filled: p\u{a0}<\u{a0}{SIGNIFICANT}{}, {}", tail(null), covers(null, models))
}

/// Behind what is done to the observed values, where it is done in draws, too.
pub fn in_every_draw(permuted: bool) -> &'static str {
    if permuted { ", in every permutation too" } else { "" }
}

/// What intervals speak of: over concepts, over subjects.
pub fn over(null: Option<Null>, told: Said) -> String {
    let over = null.and_then(|null| null.generalise).unwrap_or(Generalise::Concepts);
    format!("over {}", over.said(told.all()))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn permutations_are_those_that_could_be_drawn_whatever_the_first_row_counts() {
        let null = |stop_after: u32, within_categories| {
            let rule = Rule { permutations: 2000, stop_after: NonZeroU32::new(stop_after), ..Rule::default() };
            Some(Null { rule, within_categories, ..Null::default() })
        };
        let said = |null, counts: &[u64]| permutations(null, counts.iter().copied());
        for counts in [[17, 2000], [2000, 17], [17, 4]] {
            let expected = "up to 2,000 permutations, stopped early";
            assert_eq!(said(null(5, false), &counts).as_deref(), Some(expected), "{counts:?}");
        }
        assert_eq!(said(null(5, false), &[2000; 2]).as_deref(), Some("2,000 permutations"));
        assert_eq!(said(null(0, true), &[2000; 2]).as_deref(), Some("2,000 permutations within categories"));
        assert_eq!(said(None, &[1]).as_deref(), Some("1 permutation"));
        assert_eq!(said(null(5, false), &[0, 0]).or(said(None, &[])), None);
    }

    #[test]
    fn several_word_models_are_said_to_be_covered_or_not() {
        let rule = |family| Rule { family, tail: Tail::Two, ..Rule::default() };
        let of = |family| Some(Null { rule: rule(family), ..Null::default() });
        assert!(covers(of(Family::Layers), 2).ends_with("not across word models"));
        assert!(covers(of(Family::Words), 2).ends_with("all word models"));
        assert_eq!(covers(of(Family::Words), 1), covers(of(Family::Layers), 1));
        assert_eq!((tail(of(Family::Layers)), tail(None)), (", two-sided", ""));
    }
}
