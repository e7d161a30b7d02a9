//! A table of values as colours, with names along two sides.

use plotters::style::text_anchor::HPos;

use crate::report::axes::HALF_CAPITAL;
use crate::report::canvas::{Backend, Canvas, DrawError, Figure, TextStyle};
use crate::report::notes::{self, Notes};
use crate::report::ramp::Ramp;
use crate::report::style::{INK, SIZE, TICK_LABEL, TITLE};

/// Rows of values from top to bottom.
pub struct Heatmap {
    /// Upper left, bold.
    pub title: String,
    /// What a row is.
    pub rows: Vec<String>,
    /// What a column is.
    pub columns: Vec<String>,
    /// `[rows][columns]`; NaN where there is none.
    pub values: Vec<f64>,
    /// Their colours.
    pub ramp: Ramp,
    /// What the colours stand for.
    pub measure: &'static str,
    /// Sentences below.
    pub notes: String,
}

const EDGE: f64 = 24.0;
const GAP: f64 = 12.0;
const BAR_WIDTH: f64 = 420.0;
const TOP: f64 = EDGE + 1.3 * TITLE;
/// Rows are between these; their names are as high as a row, if that can be read.
const ROW: (f64, f64) = (15.0, 52.0);
/// The smallest names, 2 pt: for supplements that are read on a screen.
const SMALLEST: f64 = 13.0;

struct Layout {
    left: f64,
    right: f64,
    bottom: f64,
    row: f64,
    row_style: TextStyle,
    column_style: TextStyle,
    columns_upwards: bool,
    columns_height: f64,
    notes: Notes,
    height: f64,
}

impl Heatmap {
    fn layout(&self) -> Layout {
        let width = f64::from(SIZE.0);
        let row = (1000.0 / self.rows.len() as f64).clamp(ROW.0, ROW.1);
        let row_style = TextStyle::regular((0.86 * row).clamp(SMALLEST, TICK_LABEL), INK);
        let names = self.rows.iter().map(|name| row_style.width(name)).fold(0.0, f64::max);
        let left = EDGE + names.min(0.4 * width) + GAP;
        let right = width - EDGE;
        let column = (right - left) / self.columns.len() as f64;
        let level = TextStyle::regular(TICK_LABEL, INK);
        let widest = |style: TextStyle| self.columns.iter().map(|name| style.width(name)).fold(0.0, f64::max);
        let columns_upwards = widest(level) > column - GAP;
        let column_style = match columns_upwards {
            true => TextStyle::regular((0.86 * column).clamp(SMALLEST, TICK_LABEL), INK),
            false => level,
        };
        let columns_height = if columns_upwards { widest(column_style) } else { TICK_LABEL };
        let bottom = TOP + row * self.rows.len() as f64;
        let notes = Notes::wrapped(&self.notes, right - left.min(0.2 * width));
        let below = GAP + columns_height + 3.2 * TICK_LABEL + notes.height() + EDGE;
        Layout {
            left,
            right,
            bottom,
            row,
            row_style,
            column_style,
            columns_upwards,
            columns_height,
            notes,
            height: bottom + below,
        }
    }
}

impl Figure for Heatmap {
    fn size(&self) -> (u32, u32) {
        (SIZE.0, self.layout().height.ceil() as u32)
    }

    fn draw<B: Backend>(&self, canvas: &Canvas<B>) -> Result<(), DrawError> {
        let layout = self.layout();
        let Layout { left, right, bottom, row, row_style, column_style, .. } = layout;
        canvas.text(&self.title, TextStyle::bold(TITLE, INK), (EDGE, EDGE + 0.8 * TITLE), HPos::Left)?;
        let raster = self.ramp.raster(&self.values, self.columns.len());
        canvas.raster(&raster, (left, TOP), right - left, bottom - TOP)?;

        let every = (row_style.em / row).ceil().max(1.0) as usize;
        for (n, name) in self.rows.iter().enumerate().step_by(every) {
            let middle = TOP + (n as f64 + 0.5) * row;
            canvas.text(name, row_style, (left - GAP, middle + HALF_CAPITAL * row_style.em), HPos::Right)?;
        }
        let column = (right - left) / self.columns.len() as f64;
        let every = if layout.columns_upwards { (column_style.em / column).ceil().max(1.0) as usize } else { 1 };
        for (n, name) in self.columns.iter().enumerate().step_by(every) {
            let middle = left + (n as f64 + 0.5) * column;
            if layout.columns_upwards {
                let at = (middle + HALF_CAPITAL * column_style.em, bottom + GAP);
                canvas.text_upwards(name, column_style, at, HPos::Right)?;
            } else {
                canvas.text(name, column_style, (middle, bottom + GAP + column_style.em), HPos::Center)?;
            }
        }

        let foot = bottom + GAP + layout.columns_height + 0.9 * TICK_LABEL;
        self.ramp.draw(canvas, (right - BAR_WIDTH, foot), BAR_WIDTH)?;
        let measure = TextStyle::regular(TICK_LABEL, INK);
        canvas.text(self.measure, measure, (right - BAR_WIDTH - 2.0 * GAP, foot + 0.6 * TICK_LABEL), HPos::Right)?;
        layout.notes.draw(canvas, (EDGE, foot + 2.3 * TICK_LABEL - 0.2 * notes::PITCH))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::canvas::write_figure;

    #[test]
    fn any_number_of_rows_and_columns_can_be_drawn() {
        let directory = tempfile::tempdir().unwrap();
        for (rows, columns) in [(1, 1), (12, 12), (51, 51), (300, 12), (5, 200)] {
            let names = |count| (0..count).map(|n| format!("name {n}")).collect::<Vec<_>>();
            let heatmap = Heatmap {
                title: "a network".into(),
                rows: names(rows),
                columns: names(columns),
                values: (0..rows * columns).map(|n| if n == 3 { f64::NAN } else { n as f64 }).collect(),
                ramp: Ramp::sequential([0.0, (rows * columns) as f64].into_iter()),
                measure: "number",
                notes: "A note that is long enough to be wrapped into a second line, or even a third one. ".repeat(3),
            };
            let paths = write_figure(&heatmap, directory.path(), &format!("{rows}x{columns}")).unwrap();
            let (width, height) = image::image_dimensions(&paths[0]).unwrap();
            assert_eq!((width, height), heatmap.size());
            let svg = std::fs::read_to_string(&paths[1]).unwrap();
            assert!(svg.contains("data:image/png;base64,") && svg.trim_end().ends_with("</svg>"));
        }
    }
}
