//! What the figures look like: sizes, colours, line and marker styles.
//!
//! Lengths are pixels of a 1600 x 1000 picture that is printed in one column, 85 mm wide: 6.64 px are a point.

use std::fmt::{self, Display};

/// Width of every figure.
pub const WIDTH: f64 = 1600.0;
/// Height of a figure of curves.
pub const HEIGHT: f64 = 1000.0;
/// Width in print.
pub const WIDTH_MM: f64 = 85.0;

/// The figure's title: 7.5 pt.
pub const TITLE: f64 = 50.0;
/// What the axes show: 6.6 pt.
pub const AXIS_TITLE: f64 = 44.0;
/// Numbers and names at the ticks, and the legend: 6 pt.
pub const TICK_LABEL: f64 = 40.0;
/// The lines under the figure: 5 pt.
pub const NOTE: f64 = 33.0;

/// Data lines: 0.8 pt.
pub const CURVE: f64 = 5.0;
/// Axes and ticks: 0.5 pt.
pub const AXIS: f64 = 3.0;
/// Grid lines.
pub const GRID: f64 = 2.0;
/// Between the figure and its edges.
pub const EDGE: f64 = 24.0;
/// Baseline below the middle of digits and capitals, in em.
pub const HALF_CAPITAL: f64 = 0.365;

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Color(pub u8, pub u8, pub u8);

impl Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self(r, g, b) = self;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

impl Color {
    /// Half of it, and half paper.
    pub fn pale(self) -> Self {
        Self(self.0.midpoint(PAPER.0), self.1.midpoint(PAPER.1), self.2.midpoint(PAPER.2))
    }
}

/// Text and axes.
pub const INK: Color = Color(0x22, 0x22, 0x22);
/// Notes and reference lines.
pub const GREY: Color = Color(0x6A, 0x6A, 0x6A);
/// Grid lines.
pub const LIGHT: Color = Color(0xE4, 0xE4, 0xE4);
/// The null's band.
pub const BAND: Color = Color(0xEE, 0xEE, 0xEE);
/// Stages of a network with a layer that is compared.
pub const BOX: Color = Color(0xD9, 0xE8, 0xF3);
/// The page, and the inside of hollow markers.
pub const PAPER: Color = Color(0xFF, 0xFF, 0xFF);

/// How much of a curve's colour its interval has.
pub const INTERVAL: f64 = 0.22;

/// The shape of a marker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// No marker.
    None,
    /// A disc.
    Circle,
    /// Corners of a polygon around the origin, for a marker as wide as a circle of radius 1.
    Polygon(&'static [(f64, f64)]),
}

const SQUARE: Shape = Shape::Polygon(&[(-0.89, -0.89), (0.89, -0.89), (0.89, 0.89), (-0.89, 0.89)]);
const TRIANGLE: Shape = Shape::Polygon(&[(0.0, -1.25), (1.1, 0.8), (-1.1, 0.8)]);
const DIAMOND: Shape = Shape::Polygon(&[(0.0, -1.3), (1.15, 0.0), (0.0, 1.3), (-1.15, 0.0)]);
const CROSS: Shape = Shape::Polygon(&[
    (-0.4, -1.15),
    (0.4, -1.15),
    (0.4, -0.4),
    (1.15, -0.4),
    (1.15, 0.4),
    (0.4, 0.4),
    (0.4, 1.15),
    (-0.4, 1.15),
    (-0.4, 0.4),
    (-1.15, 0.4),
    (-1.15, -0.4),
    (-0.4, -0.4),
]);
const STAR: Shape = Shape::Polygon(&[
    (0.0, -1.35),
    (0.35, -0.49),
    (1.28, -0.42),
    (0.57, 0.19),
    (0.79, 1.09),
    (0.0, 0.6),
    (-0.79, 1.09),
    (-0.57, 0.19),
    (-1.28, -0.42),
    (-0.35, -0.49),
]);
/// A patch of colour, for a legend.
pub const PATCH: Shape = Shape::Polygon(&[(-1.7, -1.2), (1.7, -1.2), (1.7, 1.2), (-1.7, 1.2)]);
const TRIANGLE_DOWN: Shape = Shape::Polygon(&[(0.0, 1.25), (1.1, -0.8), (-1.1, -0.8)]);

/// Strokes and gaps in turn; empty for a solid line.
pub type Dash = &'static [f64];

/// An unbroken line.
pub const SOLID: Dash = &[];
/// Short strokes.
pub const DASHED: Dash = &[20.0, 11.0];
/// Dots.
pub const DOTTED: Dash = &[6.0, 8.0];
/// Close dots, for thin lines.
const FINE: Dash = &[4.0, 7.0];
const DASH_DOTTED: Dash = &[20.0, 8.0, 6.0, 8.0];
const LONG_DASHED: Dash = &[40.0, 10.0];
const DASH_DOT_DOTTED: Dash = &[26.0, 8.0, 6.0, 8.0, 6.0, 8.0];
const WIDE_DOTTED: Dash = &[6.0, 18.0];
/// No line between the markers.
pub const UNJOINED: Dash = &[0.0];

/// How one curve is told from the others: by colour, marker and dash, each sufficient alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurveStyle {
    /// From the palette of Okabe & Ito, which readers with any form of colour blindness tell apart.
    pub color: Color,
    /// The marker at each layer.
    pub shape: Shape,
    /// The line between layers.
    pub dash: Dash,
}

impl CurveStyle {
    /// Of the line where chance lies for the curve: no curve has its dots, nor is as thin.
    pub fn of_chance(self) -> Self {
        Self { shape: Shape::None, dash: FINE, ..self }
    }
}

/// As many as can be told apart by colour alone.
pub const CURVES: [CurveStyle; 7] = [
    CurveStyle { color: Color(0x00, 0x72, 0xB2), shape: Shape::Circle, dash: SOLID },
    CurveStyle { color: Color(0xD5, 0x5E, 0x00), shape: SQUARE, dash: DASHED },
    CurveStyle { color: Color(0x00, 0x9E, 0x73), shape: TRIANGLE, dash: DASH_DOTTED },
    CurveStyle { color: Color(0xCC, 0x79, 0xA7), shape: DIAMOND, dash: DOTTED },
    CurveStyle { color: Color(0xE6, 0x9F, 0x00), shape: TRIANGLE_DOWN, dash: LONG_DASHED },
    CurveStyle { color: Color(0x56, 0xB4, 0xE9), shape: CROSS, dash: DASH_DOT_DOTTED },
    CurveStyle { color: Color(0x00, 0x00, 0x00), shape: STAR, dash: WIDE_DOTTED },
];

/// The style of the `n`th curve: a colour that comes again has another marker and another dash, up to 49 curves.
pub fn curve(n: usize) -> CurveStyle {
    let of = |n: usize| CURVES[n % CURVES.len()];
    let round = n / CURVES.len();
    CurveStyle { color: of(n).color, shape: of(n + round).shape, dash: of(n + 2 * round).dash }
}

/// The `n`th of so many runs with the `m`th word model: the colour is the run, dash and marker are the words; of more runs
/// than there are colours the marker is the run's.
pub fn crossed(n: usize, m: usize, runs: usize) -> CurveStyle {
    let marked = if runs > CURVES.len() { n } else { m };
    CurveStyle { color: curve(n).color, shape: curve(marked).shape, dash: curve(m).dash }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_that_comes_again_has_another_marker_and_dash() {
        let most = CURVES.len() * CURVES.len();
        for n in 0..most {
            for (a, b) in (0..n).map(|m| (curve(n), curve(m))) {
                assert!(a.color != b.color || a.shape != b.shape && a.dash != b.dash, "{a:?} {b:?}");
            }
        }
        assert_eq!((0..CURVES.len()).map(curve).collect::<Vec<_>>(), CURVES);
    }

    #[test]
    fn runs_with_word_models_are_told_apart() {
        for runs in [2, CURVES.len(), 3 * CURVES.len()] {
            let all: Vec<CurveStyle> = (0..runs).flat_map(|n| (0..3).map(move |m| crossed(n, m, runs))).collect();
            assert!(all.iter().enumerate().all(|(n, a)| !all[..n].contains(a)), "{runs}");
        }
        assert_eq!(crossed(0, 1, 2).shape, crossed(1, 1, 2).shape);
        assert_ne!(crossed(0, 0, 2).shape, crossed(0, 1, 2).shape);
    }

    #[test]
    fn every_curve_has_a_colour_a_marker_and_a_dash_of_its_own() {
        for (n, a) in CURVES.iter().enumerate() {
            for b in &CURVES[..n] {
                assert!(a.color != b.color && a.shape != b.shape && a.dash != b.dash, "{a:?} {b:?}");
            }
        }
    }
}
