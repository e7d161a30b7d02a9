//! Curves over the layers of a network: what a chart shows, and the one way in which every chart is drawn.

use crate::report::canvas::{Anchor, Canvas, Picture, Point, TextStyle};
use crate::report::fit;
use crate::report::notes;
use crate::report::style::{
    AXIS, AXIS_TITLE, CURVE, Color, CurveStyle, Dash, EDGE, GRID, HALF_CAPITAL, INK, LIGHT, NOTE, PAPER, Shape,
    TICK_LABEL, UNJOINED, WIDTH, curve,
};

mod layers;
mod layout;
mod range;

use layers::Label;
use layout::{Layout, Panel};

/// Curves in a frame of axes.
#[derive(Default)]
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
    /// Whether what stands below has no order: instead of a line through all a bar for each value, or where bars would not
    /// stand on zero its marker alone.
    pub bars: bool,
    /// Under all but the grid.
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
    /// Places with low and high; cut where one is not finite.
    pub edges: Vec<(f64, (f64, f64))>,
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
    /// Its outline, pale inside.
    Pale,
    /// Its outline.
    Hollow,
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
/// Of a sample without a line.
const POINT: f64 = 40.0;
const SAMPLE_GAP: f64 = 14.0;
/// Of a place, what bars take; and how opaque they are under their markers.
const BARS: f64 = 0.7;
const BAR_OPACITY: f64 = 0.35;

/// Where a band has no edges.
pub const NO_EDGES: (f64, f64) = (f64::NAN, f64::NAN);

/// Values at places, to be joined; at places without an order each a level of its own, as wide as bars, with a gap behind it.
pub fn joined<T: Copy>(values: impl Iterator<Item = (f64, T)>, gap: T, unordered: bool) -> Vec<(f64, T)> {
    if !unordered {
        return values.collect();
    }
    let level = |(place, value)| [(place - BARS / 2.0, value), (place + BARS / 2.0, value), (place, gap)];
    values.flat_map(level).collect()
}

/// Values that are joined, as they are; a single one is a level as wide as bars, for nothing would be seen of it.
fn widened(values: &[(f64, f64)]) -> Vec<(f64, f64)> {
    match *values {
        [(place, value)] => vec![(place - BARS / 2.0, value), (place + BARS / 2.0, value)],
        _ => values.to_vec(),
    }
}

/// Values at places without an order, each as wide as its place.
pub fn steps<T: Copy>(values: &[T]) -> Vec<(f64, T)> {
    let step = |(place, &value): (usize, &T)| [-0.5, 0.5].map(|side| (place as f64 + side, value));
    values.iter().enumerate().flat_map(step).collect()
}

/// Values at the layers, carried on level from the outer ones to the ends of the panel.
pub fn to_the_ends<T: Copy>(values: &[T]) -> Vec<(f64, T)> {
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return Vec::new() };
    let inner = values.iter().enumerate().map(|(layer, &value)| (layer as f64, value));
    let ends = (-0.5, values.len() as f64 - 0.5);
    std::iter::once((ends.0, first)).chain(inner).chain([(ends.1, last)]).collect()
}

impl Chart<'_> {
    /// Draws it.
    pub fn draw(&self) -> Picture {
        let layout = self.layout();
        let panel = &layout.panel;
        let mut canvas = Canvas::new(layout.height);
        draw_grid(&mut canvas, panel);
        for band in &self.bands {
            draw_band(&mut canvas, panel, band);
        }
        layout.title.draw(&mut canvas);
        self.draw_legend(&mut canvas, &layout.entries);
        self.draw_y_axis(&mut canvas, &layout);
        self.draw_x_axis(&mut canvas, &layout);
        // The heights of 0 and 1, for a script that moves the markers.
        canvas.group(&format!("data-scale=\"{:.2} {:.2}\"", panel.scaled(0.0), panel.scaled(1.0)), |canvas| {
            for (curve, &aside) in self.curves.iter().zip(&layout.asides).rev() {
                match (curve.words, self.ground()) {
                    (Some(_), Some(ground)) => curve.draw_bars(canvas, &layout, aside, panel.y(ground)),
                    _ if self.bars && curve.has_markers() => {}
                    _ => curve.draw_line(canvas, &layout, aside),
                }
            }
            for (curve, &aside) in self.curves.iter().zip(&layout.asides).rev() {
                curve.draw_markers(canvas, &layout, aside);
            }
        });
        canvas.finish()
    }

    /// Bars of what can be negative stand on zero; of nothing else is their length one.
    fn ground(&self) -> Option<f64> {
        (self.bars && self.limits.is_none_or(|(least, _)| least < 0.0)).then_some(0.0)
    }

    /// How wide an entry's sample is.
    fn sample(&self, entry: &Entry) -> f64 {
        if self.is_joined(entry) { SAMPLE } else { POINT }
    }

    /// Whether it has a line: no bars have.
    fn is_joined(&self, entry: &Entry) -> bool {
        entry.style.dash != UNJOINED && !(self.bars && entry.style.shape != Shape::None)
    }

    fn draw_legend(&self, canvas: &mut Canvas, entries: &[(Point, String)]) {
        for (entry, ((x, baseline), text)) in self.legend.iter().zip(entries) {
            let (y, sample) = (baseline - HALF_CAPITAL * TICK_LABEL, self.sample(entry));
            let CurveStyle { color, shape, dash } = entry.style;
            if self.is_joined(entry) {
                canvas.line(&[(*x, y), (x + sample, y)], dash, CURVE, color);
            }
            let inside = if entry.filled { color } else { PAPER };
            canvas.marker(shape, (x + sample / 2.0, y), 11.0, color, inside);
            canvas.text(text, TICK_TEXT, (x + sample + SAMPLE_GAP, *baseline), Anchor::Start);
        }
    }

    fn draw_y_axis(&self, canvas: &mut Canvas, Layout { panel, y_title, .. }: &Layout) {
        for (value, text) in panel.range.ticks() {
            let y = panel.y(value);
            canvas.line(&[(panel.left - TICK, y), (panel.left, y)], &[], AXIS, INK);
            let at = (panel.left - TICK - TICK_GAP, y + HALF_CAPITAL * TICK_LABEL);
            canvas.text(&text, TICK_TEXT, at, Anchor::End);
        }
        let end = |curve: &&Curve| {
            curve.marks.iter().rev().find(|mark| mark.value.is_finite()).map(|mark| panel.y(mark.value))
        };
        let mut ends: Vec<_> =
            self.curves.iter().filter_map(|curve| Some((end(&curve)?, curve.aside?, curve))).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Lines of one name that end closer to each other than it is high share it.
        for lines in ends.chunk_by(|(upper, name, _), (lower, other, _)| name == other && lower - upper < NOTE) {
            let ((upper, name, first), (lower, ..)) = (&lines[0], &lines[lines.len() - 1]);
            let alike = lines.iter().all(|(.., curve)| curve.style.color == first.style.color);
            let style = if alike { TextStyle { color: first.style.color, ..notes::TEXT } } else { notes::TEXT };
            let middle = (upper + lower) / 2.0 + HALF_CAPITAL * NOTE;
            canvas.text(name, style, (panel.right + TICK_GAP, middle), Anchor::Start);
        }
        canvas.line(&[(panel.left, panel.top), (panel.left, panel.bottom)], &[], AXIS, INK);
        let middle = (EDGE + 0.8 * AXIS_TITLE, (panel.top + panel.bottom) / 2.0);
        canvas.text_upwards(self.y_title, TextStyle { em: *y_title, ..TITLE_TEXT }, middle, Anchor::Middle);
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
        let title = self.x_title.unwrap_or("Layer");
        // Of numbers without their unit, the title of the axis says what they are.
        let is_position = |label: &Label| {
            fit::is_number(&label.text) && self.labels[label.layer].starts_with(&label.text) && self.x_title.is_some()
        };
        let example = layers.example.as_ref().filter(|_| !layers.shown.iter().all(is_position));
        let title = example.map_or(title.to_string(), |example| format!("{title} ({example})"));
        let title = fit::cut(&title, TITLE_TEXT, WIDTH - EDGE - panel.left);
        canvas.text(&title, TITLE_TEXT, (middle, title_baseline), Anchor::Middle);
        notes.draw(canvas, (panel.left, title_baseline + 0.35 * AXIS_TITLE + 0.3 * notes::PITCH));
    }
}

fn draw_grid(canvas: &mut Canvas, panel: &Panel) {
    for (value, _) in panel.range.ticks().filter(|(value, _)| *value > panel.range.low()) {
        let y = panel.y(value);
        canvas.line(&[(panel.left, y), (panel.right, y)], &[], GRID, LIGHT);
    }
}

fn draw_band(canvas: &mut Canvas, panel: &Panel, band: &Band) {
    for run in band.edges.split(|(_, (low, high))| !(low + high).is_finite()).filter(|run| !run.is_empty()) {
        let along = |edge: fn((f64, f64)) -> f64| -> Vec<Point> {
            let points = widened(&run.iter().map(|&(place, edges)| (place, edge(edges))).collect::<Vec<_>>());
            points.into_iter().map(|(place, value)| (panel.x(place), panel.y(value))).collect()
        };
        let (low, high) = (along(|(low, _)| low), along(|(_, high)| high));
        let corners: Vec<Point> = high.into_iter().chain(low.into_iter().rev()).collect();
        canvas.polygon(&corners, band.color, band.opacity);
    }
}

impl Curve<'_> {
    fn has_markers(&self) -> bool {
        self.style.shape != Shape::None
    }

    fn draw_line(&self, canvas: &mut Canvas, Layout { panel, dashes, .. }: &Layout, aside: f64) {
        if self.style.dash == UNJOINED {
            return;
        }
        let dash: Vec<f64> = self.style.dash.iter().map(|length| dashes * length).collect();
        self.group(canvas, "data-curve", "", |canvas| {
            let least = if self.has_markers() { 2 } else { 1 };
            for run in self.marks.split(|mark| !mark.value.is_finite()).filter(|run| run.len() >= least) {
                let points = widened(&run.iter().map(|mark| (mark.place, mark.value)).collect::<Vec<_>>());
                let points: Vec<Point> =
                    points.into_iter().map(|(place, value)| (panel.x(place) + aside, panel.y(value))).collect();
                canvas.line(&points, &dash, self.width, self.style.color);
            }
        });
    }

    /// Bars so far right of their places that stand at this height.
    fn draw_bars(&self, canvas: &mut Canvas, Layout { panel, bar, .. }: &Layout, aside: f64, bottom: f64) {
        self.group(canvas, "data-curve", "", |canvas| {
            for mark in self.marks.iter().filter(|mark| mark.value.is_finite()) {
                let (middle, top) = panel.at(mark, aside);
                let (left, right) = (middle - bar / 2.0, middle + bar / 2.0);
                let corners = [(left, bottom), (left, top), (right, top), (right, bottom)];
                canvas.polygon(&corners, self.style.color, BAR_OPACITY);
            }
        });
    }

    fn draw_markers(&self, canvas: &mut Canvas, Layout { panel, radius, .. }: &Layout, aside: f64) {
        for mark in self.marks.iter().filter(|mark| mark.value.is_finite() && self.has_markers()) {
            let (x, y) = panel.at(mark, aside);
            let place = format!(" data-layer=\"{}\" data-at=\"{x:.2} {y:.2}\"", mark.place.round());
            self.group(canvas, "data-words", &place, |canvas| {
                if let Some((low, high)) = mark.interval {
                    canvas.line(&[(x, panel.y(low)), (x, panel.y(high))], &[], AXIS, self.style.color);
                }
                let CurveStyle { color, shape, .. } = self.style;
                let inside = match mark.look {
                    Look::Filled => color,
                    Look::Pale => color.pale(),
                    Look::Hollow => PAPER,
                };
                canvas.marker(shape, (x, y), *radius, color, inside);
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

    /// Of no word model.
    pub fn marked(style: CurveStyle, marks: Vec<Mark>) -> Self {
        Self { words: None, style, width: CURVE, aside: None, marks }
    }

    /// A thin line without markers.
    pub fn line(color: Color, dash: Dash, values: Vec<(f64, f64)>) -> Self {
        let mark = |(place, value)| Mark { place, value, look: Look::Filled, interval: None };
        let style = CurveStyle { color, shape: Shape::None, dash };
        Self { width: AXIS, ..Self::marked(style, values.into_iter().map(mark).collect()) }
    }
}

/// Samples of the first styles of curves, by what these stand for.
pub fn legend<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Entry<'a>> {
    names.into_iter().enumerate().map(|(n, text)| Entry { style: curve(n), filled: true, text }).collect()
}

#[cfg(test)]
mod tests;
