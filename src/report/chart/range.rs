//! A vertical axis with round numbers.

use crate::report::ramp::signed;

/// An axis from one round number to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Ticks stand at whole multiples of it.
    step: f64,
    first: i64,
    last: i64,
    decimals: usize,
}

/// More would crowd a single-column figure.
const MOST_INTERVALS: i64 = 6;
/// Free space above and below the values, as a share of their span: half a marker.
const PADDING: f64 = 0.03;

impl Range {
    /// The narrowest round axis that shows all `values`, inside `limits` (round numbers themselves).
    ///
    /// Values that are not finite are left out; the axis of no values is that of the limits, or 0 to 1.
    pub fn covering(values: impl Iterator<Item = f64>, limits: Option<(f64, f64)>) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        // No value, and none but zeros, tell nothing of the axis.
        let told = low < high || low == high && low != 0.0;
        let (low, high) = if told { (low, high) } else { limits.unwrap_or((0.0, 1.0)) };
        // One value alone has no span; its own size is as much as its place on an axis can tell.
        let span = if low < high { (high - low).max(0.01 * low.abs()) } else { low.abs() };
        let padding = PADDING * span.max(f64::MIN_POSITIVE.sqrt());
        let (mut low, mut high) = (low - padding, high + padding);
        if let Some((least, most)) = limits {
            (low, high) = (low.max(least), high.min(most));
        }
        let magnitude = (high - low).log10().floor() as i32 - 1;
        for decade in magnitude.. {
            for digit in [1.0, 2.0, 5.0] {
                let step = digit * 10f64.powi(decade);
                let (first, last) = (rounded(low / step, f64::floor), rounded(high / step, f64::ceil));
                if last - first <= MOST_INTERVALS {
                    return Self { step, first, last, decimals: (-decade).max(0) as usize };
                }
            }
        }
        unreachable!("some decade is larger than the values' span")
    }

    /// The lower end.
    pub fn low(&self) -> f64 {
        self.first as f64 * self.step
    }

    /// The upper end.
    pub fn high(&self) -> f64 {
        self.last as f64 * self.step
    }

    /// The ticks' values and their texts.
    pub fn ticks(&self) -> impl Iterator<Item = (f64, String)> + use<> {
        let Self { step, first, last, decimals } = *self;
        (first..=last).map(move |tick| {
            let value = tick as f64 * step;
            (value, signed(&format!("{value:.decimals$}")))
        })
    }
}

/// Rounds away from the values, but not past a tick that is only missed by an error of division.
fn rounded(ticks: f64, outwards: impl Fn(f64) -> f64) -> i64 {
    const DIVISION_ERROR: f64 = 1e-9;
    let nearest = ticks.round();
    (if (ticks - nearest).abs() < DIVISION_ERROR { nearest } else { outwards(ticks) }) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[f64], limits: Option<(f64, f64)>) -> Vec<String> {
        Range::covering(values.iter().copied(), limits).ticks().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let unit = Some((0.0, 1.0));
        assert_eq!(texts(&[0.5, 0.94], unit), ["0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]);
        assert_eq!(texts(&[0.5, 0.61], unit), ["0.45", "0.50", "0.55", "0.60", "0.65"]);
        assert_eq!(texts(&[0.02, 1.0], unit), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(&[-0.13, 0.31], None), ["\u{2212}0.2", "\u{2212}0.1", "0.0", "0.1", "0.2", "0.3", "0.4"]);
        assert_eq!(texts(&[120.0, 4000.0], None), ["0", "1000", "2000", "3000", "4000", "5000"]);
    }

    #[test]
    fn equal_values_and_none_still_make_an_axis() {
        for values in [&[0.5][..], &[0.0], &[], &[f64::NAN, f64::INFINITY]] {
            let range = Range::covering(values.iter().copied(), None);
            assert!(range.low() < range.high(), "{values:?}: {range:?}");
        }
        assert_eq!(texts(&[0.5], None), ["0.485", "0.490", "0.495", "0.500", "0.505", "0.510", "0.515"]);
    }
}
