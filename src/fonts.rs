//! The fonts of figures, and the names that they cannot show.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use ttf_parser::Face;

use crate::names::distinct;

/// DejaVu Sans.
pub static REGULAR: LazyLock<Face> = LazyLock::new(|| face(include_bytes!("../data/fonts/DejaVuSans.ttf")));
/// DejaVu Sans Bold.
pub static BOLD: LazyLock<Face> = LazyLock::new(|| face(include_bytes!("../data/fonts/DejaVuSans-Bold.ttf")));

/// What Unicode keeps for scripts that are read from right to left: Hebrew, Arabic, Syriac, N'Ko and others. Figures set each
/// letter right of the one before.
const LEFTWARDS: [RangeInclusive<char>; 5] = [
    '\u{590}'..='\u{8ff}',
    '\u{fb1d}'..='\u{fdff}',
    '\u{fe70}'..='\u{fefc}',
    '\u{10800}'..='\u{10fff}',
    '\u{1e800}'..='\u{1efff}',
];

fn face(bytes: &'static [u8]) -> Face<'static> {
    Face::parse(bytes, 0).expect("the fonts inside the program are valid")
}

/// Why figures do not show a name as it is read, if they do not.
fn obstacle(name: &str) -> Option<String> {
    if name.chars().any(|letter| LEFTWARDS.iter().any(|script| script.contains(&letter))) {
        return Some("they set letters from left to right".to_string());
    }
    let lacking = name.chars().find(|letter| REGULAR.glyph_index(*letter).is_none())?;
    // What Unicode does not count among what can be printed would be a gap in the message.
    let shown = match lacking.escape_debug().len() {
        1 => lacking.to_string(),
        _ => format!("U+{:04X}", u32::from(lacking)),
    };
    Some(format!("their font has no {shown}"))
}

/// What is to be said of names that figures cannot show: the first, why, and how many there are.
pub fn doubt<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut lost = distinct(names).into_iter().filter_map(|name| Some((name, obstacle(name)?)));
    let (first, why) = lost.next()?;
    let more = match lost.count() {
        0 => String::new(),
        more => format!("; the first of {} such names", 1 + more),
    };
    Some(format!("figures as PNG and PDF cannot show \"{first}\" ({why}{more}); tables and the page can"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_figures_cannot_show_are_told_once() {
        assert_eq!(doubt(["Löwe", "Жук", "αβ", "a − b…", "naïve ’n’", ""]), None);
        assert_eq!(
            doubt(["dog", "日本語", "cat"]).unwrap(),
            "figures as PNG and PDF cannot show \"日本語\" (their font has no 日); tables and the page can"
        );
        let lost = ["dog", "a 🦁", "日本語", "אריה", "日本語"];
        let said = doubt(lost).unwrap();
        assert!(said.contains("\"a 🦁\" (their font has no 🦁; the first of 3 such names)"), "{said}");
        for (name, shown) in [("a\tb", "U+0009"), ("a\u{3000}b", "U+3000"), ("a\u{e0041}", "U+E0041")] {
            let said = doubt([name]).unwrap();
            assert!(said.contains(&format!("(their font has no {shown})")), "{said}");
        }
    }

    #[test]
    fn letters_from_right_to_left_would_stand_in_reverse() {
        for name in ["אריה", "أسد", "a\u{202f}כ"] {
            let said = doubt([name]).unwrap();
            assert!(said.contains("they set letters from left to right"), "{said}");
        }
    }
}
