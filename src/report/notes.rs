//! The title above a figure and the sentences under it.

use crate::report::canvas::{Anchor, Canvas, Edge, Point, TextStyle};
use crate::report::style::{EDGE, GREY, INK, NOTE, TITLE};

/// What notes look like.
pub const TEXT: TextStyle = TextStyle::regular(NOTE, GREY);
/// From line to line.
pub const PITCH: f64 = 1.3 * NOTE;

/// Where a title stands.
pub const TITLE_BASELINE: f64 = EDGE + 0.8 * TITLE;

/// Writes a figure's title, from `left` on.
pub fn title(canvas: &mut Canvas, text: &str, left: f64) {
    canvas.around(Edge::Above(TITLE_BASELINE), |canvas| {
        canvas.text(text, TextStyle::bold(TITLE, INK), (left, TITLE_BASELINE), Anchor::Start);
    });
}

/// Lines that fit a width.
pub struct Notes(Vec<String>);

impl Notes {
    /// Breaks each line of `text` at spaces into lines no wider than `width`.
    pub fn wrapped(text: &str, width: f64) -> Self {
        let mut wrapped = Vec::new();
        for line in text.lines() {
            let mut words = line.split(' ');
            let mut start = words.next().unwrap_or_default().to_owned();
            for word in words {
                let longer = format!("{start} {word}");
                if TEXT.width(&longer) <= width {
                    start = longer;
                } else {
                    wrapped.push(std::mem::replace(&mut start, word.to_owned()));
                }
            }
            wrapped.push(start);
        }
        Self(wrapped)
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
