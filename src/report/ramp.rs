//! Colours for values.

use image::{Rgb, RgbImage};

use crate::report::canvas::{Anchor, Canvas, Point, TextStyle};
use crate::report::style::{INK, TICK_LABEL};

/// A number with a minus instead of a hyphen.
pub fn signed(number: &str) -> String {
    number.replace('-', "\u{2212}")
}

/// Where there is no value.
const NONE: [u8; 3] = [0xFF, 0xFF, 0xFF];

/// Colours from the lowest value to the highest, dark to light or through a pale middle: the order survives any form of
/// colour blindness and a print in grey or shows two sides.
#[derive(Clone, Copy)]
pub struct Ramp {
    colors: &'static [[u8; 3]],
    low: f64,
    high: f64,
}

/// After cividis (Nuñez, Anderton & Renslow 2018).
pub const SEQUENTIAL: [[u8; 3]; 7] = [
    [0x00, 0x22, 0x4E],
    [0x2A, 0x3F, 0x6D],
    [0x57, 0x5C, 0x6D],
    [0x7D, 0x7C, 0x78],
    [0xA5, 0x9C, 0x74],
    [0xD3, 0xC1, 0x64],
    [0xFE, 0xE8, 0x38],
];

/// The first two colours of the curves, reversed, with paper between.
const DIVERGING: [[u8; 3]; 5] =
    [[0xB3, 0x47, 0x00], [0xEB, 0xA6, 0x7A], [0xF4, 0xF4, 0xF2], [0x78, 0xB2, 0xD6], [0x00, 0x59, 0x94]];

impl Ramp {
    /// Dark to light over all but the lowest and the highest 1 % of the finite values: a few pairs of nearly equal images
    /// would leave the others one colour.
    pub fn middle(values: &[f64]) -> Self {
        let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        finite.sort_unstable_by(f64::total_cmp);
        let cut = finite.len() / 100;
        Self::sequential(finite[cut..finite.len() - cut].iter().copied())
    }

    /// Dark to light over the finite values.
    pub fn sequential(values: impl Iterator<Item = f64>) -> Self {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = if low < high { (low, high) } else { (low.min(0.0), low.max(1.0)) };
        Self { colors: &SEQUENTIAL, low, high }
    }

    /// Two sides of `middle`, equally far.
    pub fn diverging(middle: f64, reach: f64) -> Self {
        Self { colors: &DIVERGING, low: middle - reach, high: middle + reach }
    }

    /// The colour of a value; those beyond the ends get the ends' colours.
    pub fn color(&self, value: f64) -> [u8; 3] {
        if !value.is_finite() {
            return NONE;
        }
        let steps = (self.colors.len() - 1) as f64;
        let at = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0) * steps;
        let below = (at.floor() as usize).min(self.colors.len() - 2);
        let share = at - below as f64;
        std::array::from_fn(|channel| {
            let [from, to] = [self.colors[below], self.colors[below + 1]].map(|color| f64::from(color[channel]));
            (from + share * (to - from)).round() as u8
        })
    }

    /// One pixel per value, `columns` in a row.
    pub fn raster(&self, values: &[f64], columns: usize) -> RgbImage {
        let rows = values.len() / columns;
        let pixel = |x: u32, y: u32| Rgb(self.color(values[y as usize * columns + x as usize]));
        RgbImage::from_fn(columns as u32, rows as u32, pixel)
    }

    /// The ramp as a bar with the values at its ends and its middle.
    pub fn draw(&self, canvas: &mut Canvas, corner: Point, width: f64) {
        const STEPS: u32 = 128;
        const HEIGHT: f64 = 22.0;
        let at = |share: f64| self.low + share * (self.high - self.low);
        let bar = RgbImage::from_fn(STEPS, 1, |x, _| Rgb(self.color(at(f64::from(x) / f64::from(STEPS - 1)))));
        canvas.raster(&bar, corner, width, HEIGHT);
        let style = TextStyle::regular(0.85 * TICK_LABEL, INK);
        for (share, anchor) in [(0.0, Anchor::Start), (0.5, Anchor::Middle), (1.0, Anchor::End)] {
            let below = (corner.0 + share * width, corner.1 + HEIGHT + style.em);
            // Adding zero takes the sign from a negative one.
            let value = (100.0 * at(share)).round() / 100.0 + 0.0;
            canvas.text(&signed(&format!("{value:.2}")), style, below, anchor);
        }
    }

    /// The values that have the first and the last colour.
    pub fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_and_the_middle_have_their_colours() {
        let ramp = Ramp::diverging(0.5, 0.5);
        assert_eq!([0.0, 0.5, 1.0].map(|value| ramp.color(value)), [DIVERGING[0], DIVERGING[2], DIVERGING[4]]);
        assert_eq!(ramp.color(-3.0), DIVERGING[0]);
        assert_eq!(ramp.color(f64::NAN), NONE);
        let ramp = Ramp::sequential([0.2, f64::NAN, 0.8].into_iter());
        assert_eq!((ramp.color(0.2), ramp.color(0.8)), (SEQUENTIAL[0], SEQUENTIAL[6]));
    }

    #[test]
    fn outliers_do_not_spend_the_colours() {
        let mut values: Vec<f64> = (0..1000).map(|n| f64::from(n) / 1000.0).collect();
        values.extend([90.0, -90.0, f64::NAN]);
        let ramp = Ramp::middle(&values);
        assert!(ramp.low > 0.0 && ramp.high < 1.0, "{} {}", ramp.low, ramp.high);
        assert_eq!(ramp.color(90.0), SEQUENTIAL[6]);
    }

    #[test]
    fn equal_values_still_make_a_ramp() {
        for value in [0.0, 0.3, 1.0, 7.0] {
            let ramp = Ramp::sequential([value].into_iter());
            assert!(ramp.low < ramp.high, "{value}");
            ramp.color(value);
        }
        Ramp::sequential(std::iter::empty()).color(0.5);
    }

    #[test]
    fn sequential_colours_grow_lighter() {
        let light = |[r, g, b]: [u8; 3]| 0.2126 * f64::from(r) + 0.7152 * f64::from(g) + 0.0722 * f64::from(b);
        assert!(SEQUENTIAL.windows(2).all(|pair| light(pair[0]) < light(pair[1])));
    }
}
