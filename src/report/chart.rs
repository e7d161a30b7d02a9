//! Curves over the layers of a network: what a chart shows, and the one way in which every chart is drawn.

use crate::report::canvas::{Anchor, Canvas, Picture, Point, TextStyle};
use crate::report::notes::{self, Notes, TITLE_BASELINE};
use crate::report::style::{
    AXIS, AXIS_TITLE, CURVE, Color, CurveStyle, Dash, EDGE, GRID, HALF_CAPITAL, HEIGHT, INK, LIGHT, NOTE, Shape,
    TICK_LABEL, WIDTH,
};

mod layers;
mod range;

use layers::LayerLabels;
use range::Range;

/// Curves in a frame of axes.
pub struct Chart<'a> {
    /// Upper left, bold.
    pub title: String,
    /// Beside the vertical axis.
    pub y_title: &'static str,
    /// What the vertical axis does not pass.
    pub limits: Option<(f64, f64)>,
    /// Whether it reaches these limits wherever the values lie.
    pub whole: bool,
    /// The horizontal axis' labels, from left to right; the n-th stands at place n.
    pub labels: Vec<&'a str>,
    /// Below them; none for layers.
    pub x_title: Option<&'a str>,
    /// Whether what stands below has no order: a bar for each value instead of a line through all.
    pub bars: bool,
    /// Under everything.
    pub bands: Vec<Band>,
    /// The first lies on top.
    pub curves: Vec<Curve<'a>>,
    /// Samples above the panel.
    pub legend: Vec<Entry<'a>>,
    /// Sentences below the panel.
    pub notes: String,
}

/// What lies between two values at each place.
pub struct Band {
    /// Its colour.
    pub color: Color,
    /// Of the colour.
    pub opacity: f64,
    /// Place, low and high; cut where one is not finite.
    pub edges: Vec<(f64, f64, f64)>,
}

/// A line with a marker at each value.
pub struct Curve<'a> {
    /// The word model's place among the network's, for the page's script.
    pub words: Option<usize>,
    /// How it is drawn.
    pub style: CurveStyle,
    /// Of the line.
    pub width: f64,
    /// Its name right of the panel.
    pub aside: Option<&'a str>,
    /// From left to right; cut where a value is not finite.
    pub marks: Vec<Mark>,
}

/// A value.
#[derive(Clone, Copy)]
pub struct Mark {
    /// Where: 1.5 lies between the second and the third label.
    pub place: f64,
    /// How high.
    pub value: f64,
    /// What its marker says.
    pub look: Look,
    /// Drawn as a line through the marker.
    pub interval: Option<(f64, f64)>,
}

/// What a marker says.
#[derive(Clone, Copy, PartialEq)]
pub enum Look {
    /// The curve's shape in its colour.
    Filled,
    /// Its outline.
    Hollow,
    /// A black dot.
    Dot,
    /// A black dot in a ring of the curve's colour.
    Ringed,
}

/// One sample in the legend.
pub struct Entry<'a> {
    /// The curve's style.
    pub style: CurveStyle,
    /// Filled or hollow marker.
    pub filled: bool,
    /// What it stands for.
    pub text: &'a str,
}

const TITLE_TEXT: TextStyle = TextStyle::regular(AXIS_TITLE, INK);
const TICK_TEXT: TextStyle = TextStyle::regular(TICK_LABEL, INK);
const TICK: f64 = 12.0;
const TICK_GAP: f64 = 12.0;
const SAMPLE: f64 = 84.0;
const SAMPLE_GAP: f64 = 14.0;
const ENTRY_GAP: f64 = 44.0;
const LEGEND_PITCH: f64 = 1.35 * TICK_LABEL;
/// Of a place, what bars take; and how opaque they are under their markers.
const BARS: f64 = 0.7;
const BAR_OPACITY: f64 = 0.35;
/// Of the dot, in radii of a marker.
const DOT: f64 = 0.8;
/// Of the ring around it.
const RING: f64 = 1.55;

/// Values at the layers, carried on level from the outer ones to the ends of the panel.
pub fn to_the_ends<T: Copy>(values: &[T]) -> Vec<(f64, T)> {
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return Vec::new() };
    let inner = values.iter().enumerate().map(|(layer, &value)| (layer as f64, value));
    let ends = (-0.5, values.len() as f64 - 0.5);
    std::iter::once((ends.0, first)).chain(inner).chain([(ends.1, last)]).collect()
}

/// Where values are drawn.
struct Panel {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    slot: f64,
    range: Range,
}

impl Panel {
    fn x(&self, place: f64) -> f64 {
        self.left + (place + 0.5) * self.slot
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = (self.range.low(), self.range.high());
        self.bottom - (value - low) / (high - low) * (self.bottom - self.top)
    }

    fn at(&self, mark: &Mark) -> Point {
        (self.x(mark.place), self.y(mark.value))
    }
}

/// Where everything goes.
struct Layout {
    panel: Panel,
    entries: Vec<Point>,
    layers: LayerLabels,
    notes: Notes,
    /// Of markers that do not run into each other.
    radius: f64,
    /// Of dashes that can still be told between markers that stand close.
    dashes: f64,
}

impl Chart<'_> {
    /// Draws it.
    pub fn draw(&self) -> Picture {
        let mut canvas = Canvas::new(HEIGHT);
        let layout = self.layout();
        let panel = &layout.panel;
        for band in &self.bands {
            draw_band(&mut canvas, panel, band);
        }
        notes::title(&mut canvas, &self.title, panel.left);
        self.draw_legend(&mut canvas, &layout.entries);
        self.draw_y_axis(&mut canvas, panel);
        self.draw_x_axis(&mut canvas, &layout);
        // The heights of 0 and 1, for a script that moves the markers.
        canvas.group(&format!("data-scale=\"{:.2} {:.2}\"", panel.y(0.0), panel.y(1.0)), |canvas| {
            let drawn = self.curves.iter().filter(|curve| curve.words.is_some()).count();
            for (n, curve) in self.curves.iter().enumerate().rev() {
                match curve.words.filter(|_| self.bars) {
                    Some(_) => curve.draw_bars(canvas, &layout, n, drawn),
                    None => curve.draw_line(canvas, &layout),
                }
            }
            for curve in self.curves.iter().rev() {
                curve.draw_markers(canvas, &layout);
            }
        });
        canvas.finish()
    }

    /// Measures the texts and shares out the space.
    fn layout(&self) -> Layout {
        let values = self.curves.iter().flat_map(|curve| &curve.marks).flat_map(|mark| {
            let (low, high) = mark.interval.unwrap_or((mark.value, mark.value));
            [mark.value, low, high]
        });
        let edges = self.bands.iter().flat_map(|band| &band.edges).flat_map(|&(_, low, high)| [low, high]);
        let reached = self.limits.filter(|_| self.whole).into_iter().flat_map(|(low, high)| [low, high]);
        let range = Range::covering(values.chain(edges).chain(reached), self.limits);

        let tick_width = range.ticks().map(|(_, text)| TICK_TEXT.width(&text)).fold(0.0, f64::max);
        let left = EDGE + 1.35 * AXIS_TITLE + tick_width + TICK + TICK_GAP;
        let asides = self.curves.iter().filter_map(|curve| curve.aside);
        let aside = asides.map(|name| notes::TEXT.width(name) + TICK_GAP).fold(EDGE, f64::max);
        let right = WIDTH - EDGE - aside;

        let mut entries = Vec::new();
        let (mut x, mut y) = (left, TITLE_BASELINE + 1.5 * TICK_LABEL);
        for entry in &self.legend {
            let entry_width = SAMPLE + SAMPLE_GAP + TICK_TEXT.width(entry.text);
            if x > left && x + entry_width > WIDTH - EDGE {
                (x, y) = (left, y + LEGEND_PITCH);
            }
            entries.push((x, y));
            x += entry_width + ENTRY_GAP;
        }
        let top = y + TICK_LABEL;

        let layers = LayerLabels::fit(&self.labels, TICK_TEXT, (left, right), WIDTH - EDGE / 2.0);
        let notes = Notes::wrapped(&self.notes, WIDTH - EDGE - left);
        let below = TICK + TICK_GAP + layers.height + 1.5 * AXIS_TITLE + notes.height() + 0.3 * notes::PITCH + EDGE;
        let most = self.curves.iter().map(|curve| curve.marks.len()).max().unwrap_or(1).max(self.labels.len());
        let apart = (right - left) / most as f64;
        Layout {
            panel: Panel {
                left,
                right,
                top,
                bottom: HEIGHT - below,
                slot: (right - left) / self.labels.len() as f64,
                range,
            },
            entries,
            layers,
            notes,
            radius: (0.27 * apart).clamp(5.5, 11.5),
            dashes: (apart / 70.0).clamp(0.35, 1.0),
        }
    }

    fn draw_legend(&self, canvas: &mut Canvas, entries: &[Point]) {
        for (entry, &(x, baseline)) in self.legend.iter().zip(entries) {
            let y = baseline - HALF_CAPITAL * TICK_LABEL;
            let CurveStyle { color, shape, dash } = entry.style;
            canvas.line(&[(x, y), (x + SAMPLE, y)], dash, CURVE, color);
            canvas.marker(shape, (x + SAMPLE / 2.0, y), 11.0, color, entry.filled);
            canvas.text(entry.text, TICK_TEXT, (x + SAMPLE + SAMPLE_GAP, baseline), Anchor::Start);
        }
    }

    fn draw_y_axis(&self, canvas: &mut Canvas, panel: &Panel) {
        for (value, text) in panel.range.ticks() {
            let y = panel.y(value);
            if value > panel.range.low() {
                canvas.line(&[(panel.left, y), (panel.right, y)], &[], GRID, LIGHT);
            }
            canvas.line(&[(panel.left - TICK, y), (panel.left, y)], &[], AXIS, INK);
            let at = (panel.left - TICK - TICK_GAP, y + HALF_CAPITAL * TICK_LABEL);
            canvas.text(&text, TICK_TEXT, at, Anchor::End);
        }
        let mut named: Vec<f64> = Vec::new();
        for curve in &self.curves {
            let last = curve.marks.iter().rev().find(|mark| mark.value.is_finite());
            let Some((name, y)) = curve.aside.zip(last.map(|mark| panel.y(mark.value))) else { continue };
            if named.iter().all(|other| (other - y).abs() > NOTE) {
                canvas.text(name, notes::TEXT, (panel.right + TICK_GAP, y + HALF_CAPITAL * NOTE), Anchor::Start);
                named.push(y);
            }
        }
        canvas.line(&[(panel.left, panel.top), (panel.left, panel.bottom)], &[], AXIS, INK);
        let middle = (EDGE + 0.8 * AXIS_TITLE, (panel.top + panel.bottom) / 2.0);
        canvas.text_upwards(self.y_title, TITLE_TEXT, middle, Anchor::Middle);
    }

    fn draw_x_axis(&self, canvas: &mut Canvas, layout: &Layout) {
        let Layout { panel, layers, notes, .. } = layout;
        canvas.line(&[(panel.left, panel.bottom), (panel.right, panel.bottom)], &[], AXIS, INK);
        for layer in 0..self.labels.len() {
            let shown = layers.shown.iter().any(|label| label.layer == layer);
            let (x, length) = (panel.x(layer as f64), if shown { TICK } else { TICK / 2.0 });
            canvas.line(&[(x, panel.bottom), (x, panel.bottom + length)], &[], AXIS, INK);
        }
        let top = panel.bottom + TICK + TICK_GAP;
        for label in &layers.shown {
            if layers.upwards {
                let at = (label.x + HALF_CAPITAL * layers.style.em, top);
                canvas.text_upwards(&label.text, layers.style, at, Anchor::End);
            } else {
                let at = (label.x, top + 2.0 * HALF_CAPITAL * TICK_LABEL + label.row as f64 * layers.pitch);
                canvas.text(&label.text, layers.style, at, Anchor::Middle);
            }
        }
        let title_baseline = top + layers.height + 1.15 * AXIS_TITLE;
        let middle = (panel.left + panel.right) / 2.0;
        canvas.text(self.x_title.unwrap_or(&layers.title), TITLE_TEXT, (middle, title_baseline), Anchor::Middle);
        notes.draw(canvas, (panel.left, title_baseline + 0.35 * AXIS_TITLE + 0.3 * notes::PITCH));
    }
}

fn draw_band(canvas: &mut Canvas, panel: &Panel, band: &Band) {
    for run in band.edges.split(|(_, low, high)| !(low + high).is_finite()).filter(|run| !run.is_empty()) {
        let low = run.iter().map(|&(place, low, _)| (panel.x(place), panel.y(low)));
        let high = run.iter().map(|&(place, _, high)| (panel.x(place), panel.y(high)));
        canvas.polygon(&high.chain(low.rev()).collect::<Vec<_>>(), band.color, band.opacity);
    }
}

impl Curve<'_> {
    fn draw_line(&self, canvas: &mut Canvas, Layout { panel, dashes, .. }: &Layout) {
        let dash: Vec<f64> = self.style.dash.iter().map(|length| dashes * length).collect();
        self.group(canvas, "data-curve", "", |canvas| {
            for run in self.marks.split(|mark| !mark.value.is_finite()).filter(|run| run.len() > 1) {
                let points: Vec<Point> = run.iter().map(|mark| panel.at(mark)).collect();
                canvas.line(&points, &dash, self.width, self.style.color);
            }
        });
    }

    /// Bars side by side, the `n`-th of `count` at each place.
    fn draw_bars(&self, canvas: &mut Canvas, Layout { panel, .. }: &Layout, n: usize, count: usize) {
        let width = BARS * panel.slot / count as f64;
        self.group(canvas, "data-curve", "", |canvas| {
            for mark in self.marks.iter().filter(|mark| mark.value.is_finite()) {
                let left = panel.x(mark.place) + (n as f64 - count as f64 / 2.0) * width;
                let (right, top, bottom) = (left + width, panel.y(mark.value), panel.bottom);
                let corners = [(left, bottom), (left, top), (right, top), (right, bottom)];
                canvas.polygon(&corners, self.style.color, BAR_OPACITY);
            }
        });
    }

    fn draw_markers(&self, canvas: &mut Canvas, Layout { panel, radius, .. }: &Layout) {
        let marks = self.marks.iter().filter(|mark| mark.value.is_finite());
        for mark in marks.filter(|_| self.style.shape != Shape::None) {
            let (x, y) = panel.at(mark);
            let place = format!(" data-layer=\"{}\" data-at=\"{x:.2} {y:.2}\"", mark.place);
            self.group(canvas, "data-words", &place, |canvas| {
                if let Some((low, high)) = mark.interval {
                    canvas.line(&[(x, panel.y(low)), (x, panel.y(high))], &[], AXIS, self.style.color);
                }
                self.draw_marker(canvas, mark.look, (x, y), *radius);
            });
        }
    }

    /// What the page's script finds by the curve's word model; other curves need no element around them.
    fn group(&self, canvas: &mut Canvas, name: &str, more: &str, draw: impl FnOnce(&mut Canvas)) {
        match self.words {
            Some(words) => canvas.group(&format!("{name}=\"{words}\"{more}"), draw),
            None => draw(canvas),
        }
    }

    fn draw_marker(&self, canvas: &mut Canvas, look: Look, at: Point, radius: f64) {
        let CurveStyle { color, shape, .. } = self.style;
        match look {
            Look::Filled => canvas.marker(shape, at, radius, color, true),
            Look::Hollow => canvas.marker(shape, at, radius, color, false),
            Look::Dot => canvas.marker(Shape::Circle, at, DOT * radius, INK, true),
            Look::Ringed => {
                canvas.marker(Shape::Circle, at, RING * radius, color, false);
                canvas.marker(Shape::Circle, at, DOT * radius, INK, true);
            }
        }
    }

    /// A line without markers.
    pub fn line(color: Color, dash: Dash, width: f64, values: Vec<(f64, f64)>) -> Self {
        let mark = |(place, value)| Mark { place, value, look: Look::Filled, interval: None };
        let style = CurveStyle { color, shape: Shape::None, dash };
        Self { words: None, style, width, aside: None, marks: values.into_iter().map(mark).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style::{SOLID, curve};

    fn chart(values: &[f64]) -> String {
        let marks = values.iter().enumerate();
        let mark = |(n, &value)| Mark { place: n as f64, value, look: Look::Filled, interval: None };
        let curve =
            Curve { words: Some(1), style: curve(0), width: CURVE, aside: None, marks: marks.map(mark).collect() };
        Chart {
            title: "net".into(),
            y_title: "accuracy",
            limits: Some((0.0, 1.0)),
            whole: false,
            labels: vec!["a", "b", "c", "d"],
            x_title: None,
            bars: false,
            bands: Vec::new(),
            curves: vec![curve, Curve::line(INK, SOLID, AXIS, to_the_ends(&[0.5; 4]))],
            legend: Vec::new(),
            notes: String::new(),
        }
        .draw()
        .svg
    }

    #[test]
    fn a_layer_without_a_value_leaves_a_gap() {
        let svg = chart(&[0.5, f64::NAN, 0.6, 0.7]);
        let (_, curve) = svg.split_once("<g data-curve=\"1\">").unwrap();
        assert_eq!(curve.split_once("</g>").unwrap().0.matches("<polyline").count(), 1);
        let marked: Vec<bool> = (0..4).map(|layer| svg.contains(&format!("data-layer=\"{layer}\""))).collect();
        assert_eq!(marked, [true, false, true, true]);
    }

    #[test]
    fn a_level_reaches_from_end_to_end() {
        assert_eq!(to_the_ends(&[3, 4]), [(-0.5, 3), (0.0, 3), (1.0, 4), (1.5, 4)]);
        assert_eq!(to_the_ends::<u8>(&[]), []);
    }
}
