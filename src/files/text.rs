//! Files of text: their encoding, and where a CSV is none.

use std::io;
use std::path::Path;
use std::string::FromUtf16Error;

use super::read;

/// The text of a file, without a byte-order mark.
///
/// # Errors
/// As [`open`](super::open), and if it is no UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read_text(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is not UTF-8, as is expected; save it as UTF-8"))?;
    Ok(without_mark(text))
}

/// A text that its mark says to be UTF-16; none without such a mark.
pub fn utf16(bytes: &[u8]) -> Option<Result<String, FromUtf16Error>> {
    let decoded = |text: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = text.as_chunks().0.iter().map(|&pair| unit(pair)).collect();
        Some(String::from_utf16(&units))
    };
    match bytes {
        [0xff, 0xfe, text @ ..] => decoded(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => decoded(text, u16::from_be_bytes),
        _ => None,
    }
}

/// Whether a file begins as UTF-16 does: with its mark, or with pairs of bytes of which one is 0 in most and the other in none, as
/// in most languages' letters and blanks.
pub fn begins_utf16(bytes: &[u8]) -> bool {
    let pairs = bytes[..bytes.len().min(16)].as_chunks::<2>().0;
    let zeros = |at: usize| pairs.iter().filter(|pair| pair[at] == 0).count();
    let is_one_empty = |at: usize| zeros(1 - at) == 0 && 2 * zeros(at) > pairs.len();
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) || is_one_empty(0) || is_one_empty(1)
}

/// What is said of it.
pub const UTF16: &str = "is UTF-16, expected UTF-8; save it as UTF-8";

/// A text without the byte-order mark that programs of Windows begin it with.
pub fn without_mark(mut text: String) -> String {
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    text
}

/// The line, from 1, in which a record of a CSV of this text begins. The reader's own count stops before what ends the line
/// before in part: the second half of a CRLF, and blank lines.
pub fn line_of(record: &csv::StringRecord, text: &[u8]) -> u64 {
    record.position().map_or(0, |at| line_at(at, text))
}

fn line_at(at: &csv::Position, text: &[u8]) -> u64 {
    let ends = text[at.byte() as usize..].iter().take_while(|byte| [b'\r', b'\n'].contains(byte));
    at.line() + ends.filter(|&&byte| byte == b'\n').count() as u64
}

/// The error of a text that is no CSV, with its line.
pub fn csv_error(error: &csv::Error, text: &[u8]) -> io::Error {
    let line = error.position().map(|at| format!("line {}: ", line_at(at, text))).unwrap_or_default();
    io::Error::new(io::ErrorKind::InvalidData, line + &csv_reason(error))
}

/// Why a record of a CSV was not written, as the operating system said it.
pub fn csv_unwritten(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(source) => source,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// What is wrong with a record of a CSV.
fn csv_reason(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => format!("{len} values, expected {expected_len}"),
        csv::ErrorKind::Utf8 { err, .. } => format!("not UTF-8: {err}"),
        other => format!("{other:?}"),
    }
}

/// Whether a sign stands in a line outside of quotes.
pub fn outside_quotes(line: &str, sign: u8) -> bool {
    let mut quoted = false;
    line.bytes().any(|byte| {
        quoted ^= byte == b'"';
        !quoted && byte == sign
    })
}

/// The bytes of a file of text.
///
/// # Errors
/// As [`read`], and if the file is UTF-16: in no text of UTF-8 a byte is 0.
pub fn read_text(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = read(path)?;
    if begins_utf16(&bytes) || bytes.contains(&0) {
        Err(io::Error::new(io::ErrorKind::InvalidData, UTF16))
    } else {
        Ok(bytes)
    }
}
