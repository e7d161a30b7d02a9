//! The title above a figure and the sentences under it.

use crate::report::canvas::{Anchor, Canvas, Edge, Point, TextStyle};
use crate::report::fit;
use crate::report::style::{EDGE, GREY, INK, NOTE, TITLE, WIDTH};

/// What notes look like.
pub const TEXT: TextStyle = TextStyle::regular(NOTE, GREY);
/// From line to line.
pub const PITCH: f64 = 1.3 * NOTE;

/// Where a title's first line stands.
const TITLE_BASELINE: f64 = EDGE + 0.8 * TITLE;
const TITLE_TEXT: TextStyle = TextStyle::bold(TITLE, INK);
const TITLE_PITCH: f64 = 1.15 * TITLE;
/// Of a longer title the middle is left out.
const TITLE_LINES: usize = 2;

/// A figure's title, in lines that fit.
pub struct Title {
    lines: Vec<String>,
    left: f64,
}

impl Title {
    /// From `left` on.
    pub fn fit(text: &str, left: f64) -> Self {
        let width = WIDTH - EDGE - left;
        let mut lines = fit::wrapped(text, TITLE_TEXT, width);
        if lines.len() > TITLE_LINES {
            let rest = lines.split_off(TITLE_LINES - 1);
            lines.push(rest.join(" "));
        }
        Self { lines: lines.iter().map(|line| fit::cut(line, TITLE_TEXT, width)).collect(), left }
    }

    /// What more than one line takes.
    pub fn more(&self) -> f64 {
        TITLE_PITCH * (self.lines.len() - 1) as f64
    }

    /// Where its last line stands.
    pub fn baseline(&self) -> f64 {
        TITLE_BASELINE + self.more()
    }

    /// Writes it.
    pub fn draw(&self, canvas: &mut Canvas) {
        canvas.around(Edge::Above(self.baseline()), |canvas| {
            for (n, line) in self.lines.iter().enumerate() {
                canvas.text(line, TITLE_TEXT, (self.left, TITLE_BASELINE + TITLE_PITCH * n as f64), Anchor::Start);
            }
        });
    }
}

/// Lines that fit a width.
pub struct Notes(Vec<String>);

impl Notes {
    /// Breaks each line of `text` at spaces into lines no wider than `width`; of a longer word the middle is left out.
    pub fn wrapped(text: &str, width: f64) -> Self {
        let lines = text.lines().flat_map(|line| fit::wrapped(line, TEXT, width));
        Self(lines.map(|line| fit::cut(&line, TEXT, width)).collect())
    }

    /// What they take below the figure.
    pub fn height(&self) -> f64 {
        PITCH * self.0.len() as f64
    }

    /// Draws them below and right of `corner`.
    pub fn draw(&self, canvas: &mut Canvas, corner: Point) {
        canvas.around(Edge::Below(corner.1 + EDGE / 2.0), |canvas| {
            for (line, note) in self.0.iter().enumerate() {
                canvas.text(note, TEXT, (corner.0, corner.1 + PITCH * (line as f64 + 0.7)), Anchor::Start);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_with_a_name_wider_than_the_figure_fit() {
        let notes = Notes::wrapped(&format!("Best layer: {}, of all.", "one_module.".repeat(20)), 800.0).0;
        assert!(notes.iter().all(|line| TEXT.width(line) <= 800.0), "{notes:?}");
        assert!(
            notes[0] == "Best layer:" && notes[1].starts_with("one_module.") && notes[1].contains('…'),
            "{notes:?}"
        );
    }

    #[test]
    fn every_title_fits() {
        for (words, lines) in [(1, 1), (8, 2), (60, 2)] {
            let title = Title::fit(&"a network ".repeat(words), 200.0);
            assert_eq!(title.lines.len(), lines);
            assert!(title.lines.iter().all(|line| TITLE_TEXT.width(line) <= WIDTH - EDGE - 200.0), "{:?}", title.lines);
        }
        let title = Title::fit(&"one_word".repeat(30), 200.0);
        assert!(title.lines.len() == 1 && title.lines[0].contains('…'), "{:?}", title.lines);
    }
}
