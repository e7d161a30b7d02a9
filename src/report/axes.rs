//! The frame around the curves: title, legend, axes, grid and notes, laid out by the measured widths of their texts.

use plotters::style::text_anchor::HPos;

use crate::report::canvas::{Backend, Canvas, DrawError, Point, TextStyle};
use crate::report::notes::{self, Notes};
use crate::report::style::{
    AXIS, AXIS_TITLE, CURVE, CurveStyle, Dash, GRID, INK, LIGHT, NOTE, SIZE, TICK_LABEL, TITLE,
};

mod layers;
mod range;

pub use range::Range;

use layers::LayerLabels;

const TITLE_TEXT: TextStyle = TextStyle::bold(TITLE, INK);
const AXIS_TEXT: TextStyle = TextStyle::regular(AXIS_TITLE, INK);
const TICK_TEXT: TextStyle = TextStyle::regular(TICK_LABEL, INK);
/// Baseline below the middle of digits and capitals, in em.
pub const HALF_CAPITAL: f64 = 0.365;
/// Free space at the figure's edges.
const EDGE: f64 = 24.0;
const TICK: f64 = 12.0;
const TICK_GAP: f64 = 12.0;

/// Where values are drawn.
#[derive(Clone, Copy)]
pub struct Panel {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    layers: usize,
    range: Range,
}

impl Panel {
    /// The middle of a layer's slot.
    pub fn x(&self, layer: usize) -> f64 {
        self.left + (layer as f64 + 0.5) * self.slot()
    }

    /// A place between the middles of two slots: 1.5 lies between the second and the third.
    pub fn between(&self, place: f64) -> f64 {
        self.left + (place + 0.5) * self.slot()
    }

    /// The height of a value.
    pub fn y(&self, value: f64) -> f64 {
        let (low, high) = (self.range.low(), self.range.high());
        self.bottom - (value - low) / (high - low) * (self.bottom - self.top)
    }

    /// Left and right end.
    pub fn ends(&self) -> (f64, f64) {
        (self.left, self.right)
    }

    /// Radius of markers that do not run into each other.
    pub fn marker_radius(&self) -> f64 {
        (0.27 * self.slot()).clamp(5.5, 11.5)
    }

    /// A dash pattern that can still be told between markers that stand close.
    pub fn dash(&self, dash: Dash) -> Vec<f64> {
        let scale = (self.slot() / 70.0).clamp(0.35, 1.0);
        dash.iter().map(|length| scale * length).collect()
    }

    fn slot(&self) -> f64 {
        (self.right - self.left) / self.layers as f64
    }
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

/// What stands around the curves.
pub struct Frame<'a> {
    /// Upper left, bold.
    pub title: &'a str,
    /// Beside the vertical axis.
    pub y_title: &'a str,
    /// The vertical axis.
    pub range: Range,
    /// The layers' labels, from left to right.
    pub labels: &'a [&'a str],
    /// Samples above the panel.
    pub legend: Vec<Entry<'a>>,
    /// A height with a name right of the panel.
    pub mark: Option<(f64, &'a str)>,
    /// Sentences below the panel.
    pub notes: String,
}

/// Where everything goes.
pub struct Layout {
    /// Where values are drawn.
    pub panel: Panel,
    entries: Vec<Point>,
    layers: LayerLabels,
    notes: Notes,
}

impl Layout {
    /// The same with another title of the horizontal axis.
    pub fn titled(mut self, title: &str) -> Self {
        self.layers.title = title.to_string();
        self
    }
}

const SAMPLE: f64 = 84.0;
const SAMPLE_GAP: f64 = 14.0;
const ENTRY_GAP: f64 = 44.0;
const TITLE_BASELINE: f64 = EDGE + 0.8 * TITLE;
const LEGEND_PITCH: f64 = 1.35 * TICK_LABEL;

impl Frame<'_> {
    /// Measures the texts and shares out the space.
    pub fn layout(&self) -> Layout {
        let (width, height) = (f64::from(SIZE.0), f64::from(SIZE.1));
        let tick_width = self.range.ticks().map(|(_, text)| TICK_TEXT.width(&text)).fold(0.0, f64::max);
        let left = EDGE + 1.35 * AXIS_TITLE + tick_width + TICK + TICK_GAP;
        let right = match self.mark {
            Some((_, name)) => width - EDGE - notes::TEXT.width(name) - TICK_GAP,
            None => width - 2.0 * EDGE,
        };

        let mut entries = Vec::new();
        let (mut x, mut y) = (left, TITLE_BASELINE + 1.5 * TICK_LABEL);
        for entry in &self.legend {
            let entry_width = SAMPLE + SAMPLE_GAP + TICK_TEXT.width(entry.text);
            if x > left && x + entry_width > width - EDGE {
                (x, y) = (left, y + LEGEND_PITCH);
            }
            entries.push((x, y));
            x += entry_width + ENTRY_GAP;
        }
        let top = y + TICK_LABEL;

        let layers = LayerLabels::fit(self.labels, TICK_TEXT, (left, right), width - EDGE / 2.0);
        let notes = Notes::wrapped(&self.notes, width - EDGE - left);
        let below = TICK + TICK_GAP + layers.height + 1.5 * AXIS_TITLE + notes.height() + 0.3 * notes::PITCH + EDGE;
        let bottom = height - below;
        let panel = Panel { left, right, top, bottom, layers: self.labels.len(), range: self.range };
        Layout { panel, entries, layers, notes }
    }

    /// Draws everything but the values; first what lies under them.
    pub fn draw<B: Backend>(&self, canvas: &Canvas<B>, layout: &Layout) -> Result<(), DrawError> {
        let panel = &layout.panel;
        canvas.text(self.title, TITLE_TEXT, (panel.left, TITLE_BASELINE), HPos::Left)?;
        self.draw_legend(canvas, &layout.entries)?;
        self.draw_y_axis(canvas, panel)?;
        self.draw_x_axis(canvas, layout)
    }

    fn draw_legend<B: Backend>(&self, canvas: &Canvas<B>, entries: &[Point]) -> Result<(), DrawError> {
        for (entry, &(x, baseline)) in self.legend.iter().zip(entries) {
            let y = baseline - HALF_CAPITAL * TICK_LABEL;
            let CurveStyle { color, shape, dash } = entry.style;
            canvas.dashed(&[(x, y), (x + SAMPLE, y)], dash, CURVE, color)?;
            canvas.marker(shape, (x + SAMPLE / 2.0, y), 11.0, color, entry.filled)?;
            canvas.text(entry.text, TICK_TEXT, (x + SAMPLE + SAMPLE_GAP, baseline), HPos::Left)?;
        }
        Ok(())
    }

    fn draw_y_axis<B: Backend>(&self, canvas: &Canvas<B>, panel: &Panel) -> Result<(), DrawError> {
        for (value, text) in self.range.ticks() {
            let y = panel.y(value);
            if value > self.range.low() {
                canvas.line(&[(panel.left, y), (panel.right, y)], GRID, LIGHT)?;
            }
            canvas.line(&[(panel.left - TICK, y), (panel.left, y)], AXIS, INK)?;
            let at = (panel.left - TICK - TICK_GAP, y + HALF_CAPITAL * TICK_LABEL);
            canvas.text(&text, TICK_TEXT, at, HPos::Right)?;
        }
        if let Some((value, name)) = self.mark {
            let at = (panel.right + TICK_GAP, panel.y(value) + HALF_CAPITAL * NOTE);
            canvas.text(name, notes::TEXT, at, HPos::Left)?;
        }
        canvas.line(&[(panel.left, panel.top), (panel.left, panel.bottom)], AXIS, INK)?;
        let middle = (EDGE + 0.8 * AXIS_TITLE, (panel.top + panel.bottom) / 2.0);
        canvas.text_upwards(self.y_title, AXIS_TEXT, middle, HPos::Center)
    }

    fn draw_x_axis<B: Backend>(&self, canvas: &Canvas<B>, layout: &Layout) -> Result<(), DrawError> {
        let Layout { panel, layers, notes, .. } = layout;
        canvas.line(&[(panel.left, panel.bottom), (panel.right, panel.bottom)], AXIS, INK)?;
        for layer in 0..panel.layers {
            let shown = layers.shown.iter().any(|label| label.layer == layer);
            let (x, length) = (panel.x(layer), if shown { TICK } else { TICK / 2.0 });
            canvas.line(&[(x, panel.bottom), (x, panel.bottom + length)], AXIS, INK)?;
        }
        let top = panel.bottom + TICK + TICK_GAP;
        for label in &layers.shown {
            if layers.upwards {
                let at = (label.x + HALF_CAPITAL * layers.style.em, top);
                canvas.text_upwards(&label.text, layers.style, at, HPos::Right)?;
            } else {
                let at = (label.x, top + 2.0 * HALF_CAPITAL * TICK_LABEL);
                canvas.text(&label.text, layers.style, at, HPos::Center)?;
            }
        }
        let title_baseline = top + layers.height + 1.15 * AXIS_TITLE;
        let middle = (panel.left + panel.right) / 2.0;
        canvas.text(&layers.title, AXIS_TEXT, (middle, title_baseline), HPos::Center)?;
        notes.draw(canvas, (panel.left, title_baseline + 0.35 * AXIS_TITLE + 0.3 * notes::PITCH))
    }
}
