//! What a canvas paints, for writers of pictures that know no text: outlines, lines and pixels.

use image::RgbImage;
use ttf_parser::{Face, OutlineBuilder};

use crate::report::canvas::Point;
use crate::report::style::Color;

/// Painted in turn, the next over the last.
pub enum Ink {
    /// The inside of an outline, by its winding.
    Fill {
        /// The outline.
        path: Vec<Segment>,
        /// Its colour.
        color: Color,
        /// Of the colour.
        opacity: f64,
    },
    /// A line along an outline.
    Stroke {
        /// The outline.
        path: Vec<Segment>,
        /// Lengths of strokes and gaps in turn, none for a solid line.
        dash: Vec<f64>,
        /// Width of the line.
        width: f64,
        /// Its colour.
        color: Color,
    },
    /// The pixels of an image as rectangles.
    Image {
        /// The pixels.
        image: RgbImage,
        /// The upper left.
        corner: Point,
        /// Over this width and height.
        size: (f64, f64),
    },
}

impl Ink {
    /// The same, so many pixels higher.
    pub fn raised(&self, by: f64) -> Self {
        let up = |(x, y): Point| (x, y - by);
        let step = |segment: &Segment| match *segment {
            Segment::Move(to) => Segment::Move(up(to)),
            Segment::Line(to) => Segment::Line(up(to)),
            Segment::Curve(a, b, to) => Segment::Curve(up(a), up(b), up(to)),
            Segment::Close => Segment::Close,
        };
        let raised = |path: &[Segment]| path.iter().map(step).collect();
        match self {
            Self::Fill { path, color, opacity } => Self::Fill { path: raised(path), color: *color, opacity: *opacity },
            Self::Stroke { path, dash, width, color } => {
                Self::Stroke { path: raised(path), dash: dash.clone(), width: *width, color: *color }
            }
            Self::Image { image, corner, size } => {
                Self::Image { image: image.clone(), corner: up(*corner), size: *size }
            }
        }
    }
}

/// A step of an outline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Segment {
    /// Begins a contour.
    Move(Point),
    /// A straight line.
    Line(Point),
    /// A cubic Bézier curve: two control points and the end.
    Curve(Point, Point, Point),
    /// Back to where the contour began.
    Close,
}

/// A line through points.
pub fn line(points: &[Point]) -> Vec<Segment> {
    let step = |(n, &point): (usize, &Point)| if n == 0 { Segment::Move(point) } else { Segment::Line(point) };
    points.iter().enumerate().map(step).collect()
}

/// The outline of a polygon.
pub fn polygon(corners: &[Point]) -> Vec<Segment> {
    line(corners).into_iter().chain([Segment::Close]).collect()
}

/// The outline of a circle, in four curves.
pub fn circle((x, y): Point, radius: f64) -> Vec<Segment> {
    /// A control point's distance from the end of a quarter of the unit circle: right to 0.03 %.
    const REACH: f64 = 0.552_284_75;
    let at = |dx: f64, dy: f64| (x + radius * dx, y + radius * dy);
    let quarter = |((ax, ay), (bx, by)): ((f64, f64), (f64, f64))| {
        Segment::Curve(at(ax + REACH * bx, ay + REACH * by), at(bx + REACH * ax, by + REACH * ay), at(bx, by))
    };
    let turns = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0), (1.0, 0.0)];
    let quarters = turns.windows(2).map(|ends| quarter((ends[0], ends[1])));
    std::iter::once(Segment::Move(at(1.0, 0.0))).chain(quarters).chain([Segment::Close]).collect()
}

/// The outline of a line of text, `em` high, from the baseline's left end `at`; upwards if it is turned.
pub fn text(face: &Face, text: &str, em: f64, at: Point, upwards: bool) -> Vec<Segment> {
    let scale = em / f64::from(face.units_per_em());
    let mut outline = Outline { segments: Vec::new(), last: (0.0, 0.0), x: 0.0, scale, at, upwards };
    for character in text.chars() {
        let glyph = face.glyph_index(character).unwrap_or_default();
        face.outline_glyph(glyph, &mut outline);
        outline.x += f64::from(face.glyph_hor_advance(glyph).unwrap_or(0));
    }
    outline.segments
}

struct Outline {
    segments: Vec<Segment>,
    last: Point,
    x: f64,
    scale: f64,
    at: Point,
    upwards: bool,
}

impl Outline {
    /// A font's point, up from the baseline, in the figure.
    fn point(&self, x: f32, y: f32) -> Point {
        let (along, up) = ((self.x + f64::from(x)) * self.scale, f64::from(y) * self.scale);
        if self.upwards { (self.at.0 - up, self.at.1 - along) } else { (self.at.0 + along, self.at.1 - up) }
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.last = self.point(x, y);
        self.segments.push(Segment::Move(self.last));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.last = self.point(x, y);
        self.segments.push(Segment::Line(self.last));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        // The cubic curve of the same points.
        let (from, control, to) = (self.last, self.point(x1, y1), self.point(x, y));
        let third = |end: Point| (end.0 + 2.0 / 3.0 * (control.0 - end.0), end.1 + 2.0 / 3.0 * (control.1 - end.1));
        self.last = to;
        self.segments.push(Segment::Curve(third(from), third(to), to));
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.last = self.point(x, y);
        self.segments.push(Segment::Curve(self.point(x1, y1), self.point(x2, y2), self.last));
    }

    fn close(&mut self) {
        self.segments.push(Segment::Close);
    }
}
