//! Where everything of a chart goes: texts are measured, the space is shared out, and curves that would hide each other
//! stand side by side.

use super::layers::LayerLabels;
use super::range::Range;
use super::{BARS, Chart, Curve, Mark, SAMPLE_GAP, TICK, TICK_GAP, TICK_TEXT, TITLE_TEXT};
use crate::report::canvas::{Point, TextStyle};
use crate::report::fit;
use crate::report::notes::{self, Notes, Title};
use crate::report::style::{AXIS_TITLE, EDGE, HEIGHT, NOTE, TICK_LABEL, WIDTH};

const ENTRY_GAP: f64 = 44.0;
const LEGEND_PITCH: f64 = 1.35 * TICK_LABEL;
/// The figure grows until the panel is this high, and as high as the axis' title in the smallest type.
pub(super) const LEAST: f64 = 400.0;
/// The same of many curves.
const LEAST_OF_MANY: f64 = 800.0;
/// The radius of markers that would hide what is beside them: the intervals of other curves, the lines of many.
const CLOSE: f64 = 7.0;
/// More curves are many.
const FEW: usize = 5;
/// Between the markers of two curves that would hide each other, of the distance between two layers, and so many pixels at
/// the least; and between the outer ones of many.
const ASIDE: f64 = 0.14;
const LEAST_ASIDE: f64 = 8.0;
const MOST_ASIDE: f64 = 0.6;

/// Where values are drawn.
pub(super) struct Panel {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) slot: f64,
    pub(super) range: Range,
}

impl Panel {
    pub(super) fn x(&self, place: f64) -> f64 {
        self.left + (place + 0.5) * self.slot
    }

    /// Where a value is drawn: what lies beyond an end of the axis at this end.
    pub(super) fn y(&self, value: f64) -> f64 {
        self.scaled(value.clamp(self.range.low(), self.range.high()))
    }

    /// Where a value lies, be it within the axis or not.
    pub(super) fn scaled(&self, value: f64) -> f64 {
        let (low, high) = (self.range.low(), self.range.high());
        self.bottom - (value - low) / (high - low) * (self.bottom - self.top)
    }

    /// So far right of its place.
    pub(super) fn at(&self, mark: &Mark, aside: f64) -> Point {
        (self.x(mark.place) + aside, self.y(mark.value))
    }
}

/// Where everything goes.
pub(super) struct Layout {
    pub(super) height: f64,
    pub(super) title: Title,
    pub(super) panel: Panel,
    /// Samples of the legend, with their texts.
    pub(super) entries: Vec<(Point, String)>,
    /// Height of an em of the vertical axis' title.
    pub(super) y_title: f64,
    pub(super) layers: LayerLabels,
    pub(super) notes: Notes,
    /// Of markers that do not run into each other.
    pub(super) radius: f64,
    /// How wide bars are.
    pub(super) bar: f64,
    /// How far right of its places each curve stands.
    pub(super) asides: Vec<f64>,
    /// Of dashes that can still be told between markers that stand close.
    pub(super) dashes: f64,
}

impl Chart<'_> {
    /// Curves of word models; they are the first.
    fn of_words(&self) -> usize {
        self.curves.iter().filter(|curve| curve.words.is_some()).count()
    }

    /// How far right of its places each curve is: bars, so wide, stand side by side; markers do a little where intervals or
    /// other markers would hide them, those of one word model together.
    fn asides(&self, panel: &Panel, bar: f64, radius: f64) -> Vec<f64> {
        let grounded = self.ground().is_some();
        let stands = |curve: &Curve| if grounded { curve.words.is_some() } else { curve.has_markers() };
        // The place of each curve that stands among those beside each other.
        let (mut places, mut known, mut count) = (Vec::new(), Vec::new(), 0);
        for curve in &self.curves {
            let with = curve.words.filter(|_| !grounded).and_then(|words| known.iter().find(|(of, _)| *of == words));
            let place = with.map_or(count, |&(_, place)| place);
            if stands(curve) && place == count {
                known.extend(curve.words.map(|words| (words, place)));
                count += 1;
            }
            places.push(stands(curve).then_some(place));
        }
        let step = match grounded {
            true => bar,
            false if self.hides(panel, radius) => {
                let between = panel.slot * self.curves.iter().map(Curve::closest).fold(1.0, f64::min);
                (ASIDE * between).max(LEAST_ASIDE).min(MOST_ASIDE * between / count as f64)
            }
            false => 0.0,
        };
        let aside = |place: &Option<usize>| place.map_or(0.0, |n| (n as f64 - (count as f64 - 1.0) / 2.0) * step);
        places.iter().map(aside).collect()
    }

    /// Whether markers at their places would hide other curves' intervals, or their markers.
    fn hides(&self, panel: &Panel, radius: f64) -> bool {
        let marked: Vec<&Curve> = self.curves.iter().filter(|curve| curve.has_markers()).collect();
        let covers = |a: &Mark, b: &Mark| {
            let ((x, y), (other_x, other_y)) = (panel.at(a, 0.0), panel.at(b, 0.0));
            (x - other_x).abs() < 1.0
                && (a.interval.is_some() && b.interval.is_some() || (y - other_y).abs() < radius / 2.0)
        };
        let hides = |a: &Curve, b: &Curve| a.marks.iter().any(|one| b.marks.iter().any(|other| covers(one, other)));
        let apart = |a: &Curve, b: &Curve| a.words.is_none() || a.words != b.words;
        marked.iter().enumerate().any(|(n, a)| marked[..n].iter().any(|b| apart(a, b) && hides(a, b)))
    }

    /// What the axis does not pass: bars that stand on it need no space below.
    fn limits_of(&self, values: &[f64]) -> Option<(f64, f64)> {
        match self.ground().filter(|ground| values.iter().all(|value| !value.is_finite() || value >= ground)) {
            Some(ground) => Some((ground, self.limits.map_or(f64::MAX, |(_, most)| most))),
            None => self.limits,
        }
    }

    /// The vertical axis, which shows all values.
    fn range(&self) -> Range {
        let values = self.curves.iter().flat_map(|curve| &curve.marks).flat_map(|mark| {
            let (low, high) = mark.interval.unwrap_or((mark.value, mark.value));
            [mark.value, low, high]
        });
        let edges = self.bands.iter().flat_map(|band| &band.edges).flat_map(|&(_, (low, high))| [low, high]);
        let reached = self.limits.filter(|_| self.whole).into_iter().flat_map(|(low, high)| [low, high]);
        let values: Vec<f64> = values.chain(edges).chain(reached).collect();
        let ground = self.ground().filter(|_| values.iter().any(|value| value.is_finite()));
        Range::covering(values.iter().copied().chain(ground), self.limits_of(&values))
    }

    /// Where the legend's samples stand from `left` and `y` on, with their texts, and where the last of its lines does.
    fn entries(&self, left: f64, mut y: f64) -> (Vec<(Point, String)>, f64) {
        let mut entries = Vec::new();
        let mut x = left;
        let samples: Vec<f64> = self.legend.iter().map(|entry| self.sample(entry) + SAMPLE_GAP).collect();
        let texts = self.legend.iter().zip(&samples);
        let texts: Vec<(&str, f64)> = texts.map(|(entry, sample)| (entry.text, WIDTH - EDGE - left - sample)).collect();
        for (sample, text) in samples.iter().zip(fit::cut_sides(&texts, TICK_TEXT)) {
            let entry_width = sample + TICK_TEXT.width(&text);
            if x > left && x + entry_width > WIDTH - EDGE {
                (x, y) = (left, y + LEGEND_PITCH);
            }
            entries.push(((x, y), text));
            x += entry_width + ENTRY_GAP;
        }
        (entries, y)
    }

    /// Measures the texts and shares out the space.
    pub(super) fn layout(&self) -> Layout {
        let range = self.range();
        let tick_width = range.ticks().map(|(_, text)| TICK_TEXT.width(&text)).fold(0.0, f64::max);
        let left = EDGE + 1.35 * AXIS_TITLE + tick_width + TICK + TICK_GAP;
        let asides = self.curves.iter().filter_map(|curve| curve.aside);
        let aside = asides.map(|name| notes::TEXT.width(name) + TICK_GAP).fold(EDGE, f64::max);
        let right = WIDTH - EDGE - aside;

        let title = Title::fit(&self.title, left);
        let (entries, last) = self.entries(left, title.baseline() + 1.5 * TICK_LABEL);
        let top = last + TICK_LABEL;

        let layers = LayerLabels::fit(&self.labels, TICK_TEXT, (left, right), WIDTH - EDGE / 2.0);
        let notes = Notes::wrapped(&self.notes, WIDTH - EDGE - left);
        let below = TICK + TICK_GAP + layers.height + 1.5 * AXIS_TITLE + notes.height() + 0.3 * notes::PITCH + EDGE;
        let small = TextStyle { em: NOTE, ..TITLE_TEXT };
        let marked = self.curves.iter().filter(|curve| curve.has_markers()).count();
        let least = if marked > FEW { LEAST_OF_MANY } else { LEAST };
        let height = HEIGHT.max(top + least.max(small.width(self.y_title)) + below).ceil();
        let bottom = height - below;
        let y_title = AXIS_TITLE * ((bottom - top) / TITLE_TEXT.width(self.y_title)).min(1.0);
        let with_intervals = self.curves.iter().filter(|curve| curve.marks.iter().any(|mark| mark.interval.is_some()));
        let most_radius = if with_intervals.count() > 1 || marked > FEW { CLOSE } else { 11.5 };
        let most = self.curves.iter().map(|curve| curve.marks.len()).max().unwrap_or(1).max(self.labels.len());
        let apart = (right - left) / most as f64;
        let radius = (0.27 * apart).clamp(5.5, most_radius);
        let panel = Panel { left, right, top, bottom, slot: (right - left) / self.labels.len() as f64, range };
        let bar = BARS * panel.slot / self.of_words().max(1) as f64;
        Layout {
            height,
            title,
            y_title,
            asides: self.asides(&panel, bar, radius),
            panel,
            entries,
            layers,
            notes,
            radius,
            bar,
            dashes: (apart / 70.0).clamp(0.35, 1.0),
        }
    }
}

impl Curve<'_> {
    /// The least distance between two of its values.
    fn closest(&self) -> f64 {
        let places = self.marks.windows(2).map(|pair| (pair[1].place - pair[0].place).abs());
        places.filter(|_| self.has_markers()).fold(1.0, f64::min)
    }
}
