//! A table of values as colours, with names along two sides.

use crate::report::canvas::{Anchor, Canvas, Picture, TextStyle};
use crate::report::fit;
use crate::report::notes::{self, Notes, Title};
use crate::report::ramp::Ramp;
use crate::report::style::{AXIS_TITLE, EDGE, HALF_CAPITAL, INK, TICK_LABEL, TITLE, WIDTH};

/// Rows of values from top to bottom.
pub struct Heatmap {
    /// Upper left, bold.
    pub title: String,
    /// The names of the rows.
    pub rows: Vec<String>,
    /// What a row is.
    pub row_title: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// What a column is.
    pub column_title: String,
    /// `[rows][columns]`; NaN where there is none.
    pub values: Vec<f64>,
    /// Their colours.
    pub ramp: Ramp,
    /// What the colours stand for.
    pub measure: String,
    /// Sentences below.
    pub notes: String,
}

const AXIS_TEXT: TextStyle = TextStyle::regular(AXIS_TITLE, INK);
const GAP: f64 = 12.0;
const BAR_WIDTH: f64 = 420.0;
const TOP: f64 = EDGE + 1.3 * TITLE;
/// Beside the names: what they are.
const TITLE_LINE: f64 = 1.35 * AXIS_TITLE;
/// Few rows are as high as their title is long, up to this.
const LEAST: f64 = 700.0;
/// Names take no more than this beside the rows and below the columns; of longer ones the middle is left out.
const NAMES: f64 = 0.34 * WIDTH;
/// Rows are between these; their names are as high as a row, if that can be read.
const ROW: (f64, f64) = (15.0, 52.0);
/// The smallest names, 2 pt: for supplements that are read on a screen.
const SMALLEST: f64 = 13.0;

struct Layout {
    title: Title,
    rows: Vec<String>,
    columns: Vec<String>,
    top: f64,
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
        let row = (1000.0 / self.rows.len() as f64).clamp(ROW.0, ROW.1);
        let row_style = TextStyle::regular((0.86 * row).clamp(SMALLEST, TICK_LABEL), INK);
        let rows = fit::cut_apart(&self.rows, row_style, NAMES);
        let names = rows.iter().map(|name| row_style.width(name)).fold(0.0, f64::max);
        let left = EDGE + TITLE_LINE + names + GAP;
        let right = WIDTH - EDGE;
        let column = (right - left) / self.columns.len() as f64;
        let level = TextStyle::regular(TICK_LABEL, INK);
        let widest = |style: TextStyle| self.columns.iter().map(|name| style.width(name)).fold(0.0, f64::max);
        let columns_upwards = widest(level) > column - GAP;
        let column_style = match columns_upwards {
            true => TextStyle::regular((0.86 * column).clamp(SMALLEST, TICK_LABEL), INK),
            false => level,
        };
        let columns = fit::cut_apart(&self.columns, column_style, NAMES);
        let columns_height = if columns_upwards { widest(column_style).min(NAMES) } else { TICK_LABEL };
        let title = Title::fit(&self.title, EDGE);
        let top = TOP + title.more();
        let bottom = top + (row * self.rows.len() as f64).max(AXIS_TEXT.width(&self.row_title).min(LEAST));
        let row = (bottom - top) / self.rows.len() as f64;
        let notes = Notes::wrapped(&self.notes, right - EDGE);
        let below = GAP + columns_height + TITLE_LINE + 3.2 * TICK_LABEL + notes.height() + EDGE;
        Layout {
            title,
            rows,
            columns,
            top,
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

    /// Draws it.
    pub fn draw(&self) -> Picture {
        let layout = self.layout();
        let Layout { top, left, right, bottom, row, row_style, column_style, .. } = layout;
        let mut canvas = Canvas::new(layout.height);
        layout.title.draw(&mut canvas);
        let raster = self.ramp.raster(&self.values, self.columns.len());
        canvas.raster(&raster, (left, top), right - left, bottom - top);

        let every = (row_style.em / row).ceil().max(1.0) as usize;
        for (n, name) in layout.rows.iter().enumerate().step_by(every) {
            let middle = top + (n as f64 + 0.5) * row;
            canvas.text(name, row_style, (left - GAP, middle + HALF_CAPITAL * row_style.em), Anchor::End);
        }
        let column = (right - left) / self.columns.len() as f64;
        let every = if layout.columns_upwards { (column_style.em / column).ceil().max(1.0) as usize } else { 1 };
        for (n, name) in layout.columns.iter().enumerate().step_by(every) {
            let middle = left + (n as f64 + 0.5) * column;
            if layout.columns_upwards {
                let at = (middle + HALF_CAPITAL * column_style.em, bottom + GAP);
                canvas.text_upwards(name, column_style, at, Anchor::End);
            } else {
                canvas.text(name, column_style, (middle, bottom + GAP + column_style.em), Anchor::Middle);
            }
        }
        let (row_title, row_text) = fit::shrunk(&self.row_title, AXIS_TEXT, bottom - top);
        let at = (EDGE + 0.8 * AXIS_TITLE, (top + bottom) / 2.0);
        canvas.text_upwards(&row_title, row_text, at, Anchor::Middle);
        let below = bottom + GAP + layout.columns_height;
        let column_title = fit::cut(&self.column_title, AXIS_TEXT, right - EDGE);
        let half = AXIS_TEXT.width(&column_title) / 2.0;
        let middle = ((left + right) / 2.0).min(right - half);
        canvas.text(&column_title, AXIS_TEXT, (middle, below + 1.15 * AXIS_TITLE), Anchor::Middle);

        let foot = below + TITLE_LINE + 0.9 * TICK_LABEL;
        self.ramp.draw(&mut canvas, (right - BAR_WIDTH, foot), BAR_WIDTH);
        let measure = TextStyle::regular(TICK_LABEL, INK);
        canvas.text(&self.measure, measure, (right - BAR_WIDTH - 2.0 * GAP, foot + 0.6 * TICK_LABEL), Anchor::End);
        layout.notes.draw(&mut canvas, (EDGE, foot + 2.3 * TICK_LABEL - 0.2 * notes::PITCH));
        canvas.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_to_their_room() {
        let names: Vec<String> = (0..9).map(|n| format!("{}{n}", "a_long_name_of_a_layer".repeat(4))).collect();
        let heatmap = Heatmap {
            title: "a network with a long name ".repeat(5),
            rows: names.clone(),
            row_title: "Row".into(),
            columns: names,
            column_title: "Column (1 = ".repeat(20),
            values: vec![0.5; 81],
            ramp: Ramp::sequential([0.0, 1.0].into_iter()),
            measure: "number".into(),
            notes: String::new(),
        };
        let layout = heatmap.layout();
        assert!(layout.right - layout.left > 0.5 * WIDTH && layout.columns_height <= NAMES);
        assert!(layout.rows.iter().all(|name| name.contains('…') && layout.row_style.width(name) <= NAMES));
    }

    #[test]
    fn what_a_shortened_row_stands_for_is_read_beside_few_rows() {
        let names: Vec<String> = (0..3).map(|n| n.to_string()).collect();
        let row_title = "Layer of GPT (n = encoder.layer.n.output)";
        let heatmap = Heatmap {
            title: String::new(),
            rows: names.clone(),
            row_title: row_title.into(),
            columns: names,
            column_title: "Column".into(),
            values: vec![0.5; 9],
            ramp: Ramp::sequential([0.0, 1.0].into_iter()),
            measure: "number".into(),
            notes: String::new(),
        };
        assert!(heatmap.draw().svg.contains(&format!(">{row_title}</text>")));
    }

    #[test]
    fn any_number_of_rows_and_columns_can_be_drawn() {
        for (rows, columns) in [(1, 1), (12, 12), (51, 51), (300, 12), (5, 200)] {
            let names = |count| (0..count).map(|n| format!("name {n}")).collect::<Vec<_>>();
            let heatmap = Heatmap {
                title: "a network".into(),
                rows: names(rows),
                row_title: "Row".into(),
                columns: names(columns),
                column_title: "Column".into(),
                values: (0..rows * columns).map(|n| if n == 3 { f64::NAN } else { n as f64 }).collect(),
                ramp: Ramp::sequential([0.0, (rows * columns) as f64].into_iter()),
                measure: "number".into(),
                notes: "A note that is long enough to be wrapped into a second line, or even a third one. ".repeat(3),
            };
            let svg = heatmap.draw().svg;
            assert!(svg.contains("data:image/png;base64,") && svg.trim_end().ends_with("</svg>"));
            assert!(svg.contains(">Column</text>") && svg.contains(">name 0</text>"));
        }
    }
}
