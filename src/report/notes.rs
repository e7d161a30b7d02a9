//! The sentences under a figure.

use plotters::style::text_anchor::HPos;

use crate::report::canvas::{Backend, Canvas, DrawError, Point, TextStyle};
use crate::report::style::{GREY, NOTE};

/// What notes look like.
pub const TEXT: TextStyle = TextStyle::regular(NOTE, GREY);
/// From line to line.
pub const PITCH: f64 = 1.3 * NOTE;

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
    pub fn draw<B: Backend>(&self, canvas: &Canvas<B>, corner: Point) -> Result<(), DrawError> {
        for (line, note) in self.0.iter().enumerate() {
            canvas.text(note, TEXT, (corner.0, corner.1 + PITCH * (line as f64 + 0.7)), HPos::Left)?;
        }
        Ok(())
    }
}
