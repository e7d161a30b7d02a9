//! What lines and columns of numbers look like: numbers of rows and columns, or data.

/// So many numbers do not count by chance, nor fractions rise by equal steps.
pub(super) const COUNTS: usize = 3;

/// So many whole numbers do not rise by chance.
pub(super) const RISES: usize = 5;

/// What a line or column of numbers looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// 0, 1, 2, … or 1, 2, 3, …
    Counts,
    /// The same numbers in another order.
    Shuffled,
    /// Whole numbers that rise, or any that rise by equal steps.
    Rises,
    /// Whole numbers.
    Whole,
    Any,
}

impl Sequence {
    pub fn of(values: &[f64]) -> Self {
        let counts = |values: &[f64]| {
            let from = |first: f64| values.iter().zip(0_u32..).all(|(&value, n)| value == first + f64::from(n));
            values.len() >= 2 && (from(0.0) || from(1.0))
        };
        if counts(values) {
            return Self::Counts;
        }
        let whole = values.iter().all(|value| value.fract() == 0.0);
        let rising = values.is_sorted_by(|a, b| a < b);
        if rising && whole && values.len() >= RISES || !whole && Self::rises_evenly(values) {
            return Self::Rises;
        }
        if !whole || values.is_empty() {
            return Self::Any;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        if values.len() >= RISES && counts(&sorted) { Self::Shuffled } else { Self::Whole }
    }

    /// Whether three or more rise by equal steps.
    pub fn rises_evenly(values: &[f64]) -> bool {
        let step = |pair: &[f64]| pair[1] - pair[0];
        let is_even = |pair: &[f64]| step(pair) > 0.0 && (step(pair) - step(&values[..2])).abs() <= 1e-9 * step(pair);
        values.len() >= COUNTS && values.windows(2).all(is_even)
    }

    /// Whether they are the numbers from 0 or 1 on, in order or not: places, or ranks.
    pub fn are_places(values: &[f64]) -> bool {
        matches!(Self::of(values), Self::Counts | Self::Shuffled)
    }
}
