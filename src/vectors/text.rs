//! Text: a word and its values per line, separated by blanks (GloVe), with a line `words dimensions` before them
//! (word2vec text, fastText `.vec`) or without.
//!
//! Lines are taken apart from the right, since published files have words with blanks in them. Lines of other words
//! are not parsed: their values are counted.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::{ReadVectors, VectorsError, VectorsFormat, Wanted};
use crate::files;

pub(super) const FORMAT: VectorsFormat =
    VectorsFormat { name: "text (GloVe, word2vec, fastText .vec)", sniff, read: ReadVectors::Stream(read) };

/// A line holds at most a word and [`super::MAX_DIMENSIONS`] values of 15 characters.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// `words dimensions`, the first line of word2vec files.
pub(super) fn header(line: &[u8]) -> Option<(u64, u64)> {
    let fields: Vec<&[u8]> = fields(line).collect();
    match fields[..] {
        [words, dimensions] => Some((integer(words)?, integer(dimensions)?)),
        _ => None,
    }
}

/// Digits alone; what no `u64` holds is the largest.
fn integer(field: &[u8]) -> Option<u64> {
    let digits = field.iter().all(u8::is_ascii_digit).then_some(field)?;
    Some(str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX))
}

/// Whether a line ends in so many numbers, behind a word.
pub(super) fn is_line_of(line: &[u8], dimensions: u64) -> bool {
    let fields: Vec<&[u8]> = fields(trim_end(line)).collect();
    let dimensions = usize::try_from(dimensions).unwrap_or(usize::MAX);
    fields.len() > dimensions && fields[fields.len() - dimensions..].iter().all(|field| number(field).is_some())
}

fn number(field: &[u8]) -> Option<f32> {
    str::from_utf8(field).ok()?.parse().ok()
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn fields(line: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    line.split(is_blank).filter(|field| !field.is_empty())
}

fn trim_end(line: &[u8]) -> &[u8] {
    let blanks = line.iter().rev().take_while(|byte| matches!(byte, b'\n' | b'\r' | b' ' | b'\t')).count();
    &line[..line.len() - blanks]
}

/// The number of values of a file's first line: the fields from the right that are numbers, but for the word, which may be a blank.
fn values_of(line: &[u8]) -> usize {
    let word = usize::from(!line.first().is_some_and(is_blank));
    fields(line).skip(word).collect::<Vec<_>>().into_iter().rev().take_while(|field| number(field).is_some()).count()
}

/// Whether a file's lines are words with their values: behind its first line, which may be of counts, a word and some numbers.
pub(super) fn are_vectors(path: &Path) -> bool {
    const FEWEST: usize = 3;
    let Ok(file) = files::open(path) else { return false };
    let second = BufReader::new(file.take(2 * MAX_LINE_BYTES)).split(b'\n').nth(1);
    second.is_some_and(|line| line.is_ok_and(|line| values_of(trim_end(&line)) >= FEWEST))
}

/// The mark with which some editors begin UTF-8.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

fn sniff(head: &[u8]) -> bool {
    let head = head.strip_prefix(MARK).unwrap_or(head);
    let end = head.iter().position(|&byte| byte == b'\n');
    // A line longer than the head may be cut off within a number.
    let end = end.or_else(|| head.iter().rposition(is_blank)).unwrap_or(head.len());
    let first = trim_end(&head[..end]);
    header(first).is_some() || values_of(first) > 0
}

fn read(stream: &mut dyn BufRead, wanted: &mut Wanted) -> Result<(), VectorsError> {
    let mut lines = Lines { stream, line: Vec::new(), number: 0 };
    let mut announced = None;
    while lines.next(wanted)? {
        let line = trim_end(&lines.line);
        let line = line.strip_prefix(MARK).filter(|_| lines.number == 1).unwrap_or(line);
        if lines.number == 1 {
            announced = header(line);
            match announced {
                Some((_, dimensions)) => wanted.set_dimensions(dimensions)?,
                None => wanted.set_dimensions(values_of(line) as u64)?,
            }
        }
        if line.is_empty() || (lines.number == 1 && announced.is_some()) {
            continue;
        }
        take_line(line, lines.number, wanted)?;
        wanted.total += 1;
    }
    announced.map_or(Ok(()), |(announced, _)| wanted.check_announced(announced, wanted.total))
}

struct Lines<'a> {
    stream: &'a mut dyn BufRead,
    line: Vec<u8>,
    number: u64,
}

impl Lines<'_> {
    fn next(&mut self, wanted: &Wanted) -> Result<bool, VectorsError> {
        self.line.clear();
        self.number += 1;
        let mut limited = (&mut *self.stream).take(MAX_LINE_BYTES);
        let bytes = limited.read_until(b'\n', &mut self.line).map_err(wanted.io())? as u64;
        if bytes == MAX_LINE_BYTES && self.line.last() != Some(&b'\n') {
            let (path, number) = (wanted.path.into(), self.number);
            return Err(VectorsError::Endless { path, unit: "line", number, limit: MAX_LINE_BYTES });
        }
        Ok(bytes > 0)
    }
}

/// Keeps the vector of `line` if its word is wanted; checks the number of values either way.
fn take_line(line: &[u8], number_of_line: u64, wanted: &mut Wanted) -> Result<(), VectorsError> {
    let dimensions = wanted.dimensions;
    let end_of_word = line.iter().position(is_blank).unwrap_or(line.len());
    let blanks = line[end_of_word..].iter().map(|byte| usize::from(is_blank(byte))).sum::<usize>();
    if blanks == dimensions && !wanted.contains(&line[..end_of_word]) {
        return Ok(());
    }
    let values_error =
        |found| VectorsError::Values { path: wanted.path.into(), line: number_of_line, found, expected: dimensions };
    let values: Vec<&[u8]> = fields(line).rev().take(dimensions).collect();
    let word = match values.last() {
        // The values are parts of the line: what precedes the first of them is the word.
        Some(first) => trim_end(&line[..first.as_ptr() as usize - line.as_ptr() as usize]),
        None => line,
    };
    // A blank as the word is an empty word here; a line without one lacks a value.
    if values.len() < dimensions || (word.is_empty() && !line.first().is_some_and(is_blank)) {
        return Err(values_error(fields(line).count().saturating_sub(1)));
    }
    let number_error = |field: &[u8]| VectorsError::Number {
        path: wanted.path.into(),
        line: number_of_line,
        found: String::from_utf8_lossy(field).into_owned(),
    };
    if fields(word).nth(1).is_some_and(|second| number(second).is_some()) {
        // Of a first line, whose values end at what is no number.
        let odd = fields(word).next_back().filter(|last| number(last).is_none());
        return Err(odd.map_or_else(|| values_error(fields(line).count() - 1), number_error));
    }
    let parse = |field: &[u8]| number(field).ok_or_else(|| number_error(field));
    let vector = values.into_iter().rev().map(parse).collect::<Result<Vec<f32>, _>>()?;
    wanted.keep(word, vector, "line", number_of_line);
    Ok(())
}
