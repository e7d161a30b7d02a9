//! Differences that were tested, family by family, and the sentences that tell them.

use super::Shown;
use crate::report::curves::SIGNIFICANT;
use crate::results::{ComparisonRow, WithinRow};
use crate::wording::p_value;

/// A difference that was tested.
pub trait Tested {
    /// What tells its family from others.
    fn family(&self) -> [&str; 2];
    /// The family, by what its curves are called, and where the difference is.
    fn named(&self, shown: &Shown) -> (String, String);
    /// The layer, and that which it is held against.
    fn layers(&self) -> [&str; 2];
    /// Their accuracies.
    fn accuracies(&self) -> [f64; 2];
    /// The difference, and the ends of its interval.
    fn difference(&self) -> [f64; 3];
    /// The p-value by itself and over the family.
    fn p(&self) -> [f64; 2];
    /// The same as sentences tell it, of what [`Self::named`] says.
    fn told(&self) -> [f64; 3] {
        self.difference()
    }
    /// Whether the difference is one, over the family.
    fn is_significant(&self) -> bool {
        self.p()[1] < SIGNIFICANT
    }
}

/// The columns that both tables have.
macro_rules! columns {
    () => {
        fn layers(&self) -> [&str; 2] {
            [&self.layer_a, &self.layer_b]
        }

        fn accuracies(&self) -> [f64; 2] {
            [self.accuracy_a, self.accuracy_b]
        }

        fn difference(&self) -> [f64; 3] {
            [self.difference, self.ci_low, self.ci_high]
        }

        fn p(&self) -> [f64; 2] {
            [self.p_value, self.p_fwer]
        }
    };
}

impl Tested for ComparisonRow {
    fn family(&self) -> [&str; 2] {
        [&self.curve_a, &self.curve_b]
    }

    fn named(&self, shown: &Shown) -> (String, String) {
        let [a, b] = [&self.curve_a, &self.curve_b].map(|curve| shown.curve(curve));
        (format!("{a} - {b}"), format!("at {}", self.layer_a))
    }

    columns!();
}

impl Tested for WithinRow {
    fn family(&self) -> [&str; 2] {
        [&self.curve, &self.kind]
    }

    fn named(&self, shown: &Shown) -> (String, String) {
        let (from, to) = if self.is_asked() { (&self.layer_a, &self.layer_b) } else { (&self.layer_b, &self.layer_a) };
        (format!("{}, {}", shown.curve(&self.curve), held(self)), format!("from {from} to {to}"))
    }

    // The table has the first layer less the second; asked for from one to the other, it is the rise that is told.
    fn told(&self) -> [f64; 3] {
        let [difference, low, high] = self.difference();
        if self.is_asked() { [0.0 - difference, 0.0 - high, 0.0 - low] } else { [difference, low, high] }
    }

    columns!();
}

/// What was held against what within a curve.
pub fn held(row: &WithinRow) -> &'static str {
    match row.kind.as_str() {
        WithinRow::NEXT => "every layer and the one before it",
        WithinRow::BEST => "the best layer and every other one",
        _ => "as asked for",
    }
}

/// What was tested, family by family.
pub fn families<T: Tested>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    rows.chunk_by(|a, b| a.family() == b.family())
}

/// A family's largest difference, and how many of its differences are significant.
pub fn most<T: Tested>(family: &[T]) -> (&T, usize) {
    let size = |row: &&T| row.difference()[0].abs();
    let most = family.iter().max_by(|a, b| size(a).total_cmp(&size(b))).expect("a family has rows");
    (most, family.iter().filter(|row| row.is_significant()).count())
}

/// A sentence for each family: the largest difference, and how many are significant.
pub(super) fn told<T: Tested>(rows: &[T], shown: &Shown) -> Vec<String> {
    let said = |family: &[T]| {
        let (row, significant) = most(family);
        let ((name, place), [difference, low, high], [_, p]) = (row.named(shown), row.told(), row.p());
        let said =
            format!("{place} ({difference:+.3}, 95 % interval {low:+.3} to {high:+.3}, family-wise p {})", p_value(p));
        match family.len() {
            1 => format!("{name}: {said}"),
            all => {
                format!("{name}: largest difference {said}; family-wise p < {SIGNIFICANT} in {significant} of {all}")
            }
        }
    };
    families(rows).map(said).collect()
}
