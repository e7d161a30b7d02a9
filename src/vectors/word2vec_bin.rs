//! word2vec's binary format (GoogleNews-vectors-negative300.bin): a line `words dimensions`, then per word its bytes, a
//! blank and its values as little-endian `f32`; some writers end each with a line feed.

use std::io::{BufRead, Read};

use super::{ReadVectors, VectorsError, VectorsFormat, Wanted, skip, text};
use crate::numbers::{Kind, Value};

pub(super) const FORMAT: VectorsFormat =
    VectorsFormat { name: "word2vec binary", sniff, read: ReadVectors::Stream(read) };

/// GoogleNews' longest is 98 bytes.
const MAX_WORD_BYTES: u64 = 1 << 16;
const MAX_HEADER_BYTES: u64 = 64;

/// A header as in the text form, then bytes no text has where the first word's values stand.
fn sniff(head: &[u8]) -> bool {
    let mut parts = head.splitn(2, |&byte| byte == b'\n');
    let (Some(first), Some(rest)) = (parts.next(), parts.next()) else { return false };
    let Some((_, dimensions)) = text::header(first) else { return false };
    if rest.split(|&byte| byte == b'\n').next().is_some_and(|line| text::is_line_of(line, dimensions)) {
        return false;
    }
    let value_bytes = usize::try_from(dimensions.saturating_mul(4)).unwrap_or(usize::MAX);
    let values = rest.iter().skip_while(|&&byte| byte != b' ').skip(1).take(value_bytes);
    values.into_iter().any(|byte| !matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
}

fn read(stream: &mut dyn BufRead, wanted: &mut Wanted) -> Result<(), VectorsError> {
    let mut line = Vec::new();
    (&mut *stream).take(MAX_HEADER_BYTES).read_until(b'\n', &mut line).map_err(wanted.io())?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let (announced, dimensions) = text::header(line).unwrap_or_default();
    wanted.set_dimensions(dimensions)?;
    let vector_bytes = 4 * dimensions;
    const SINGLE: Value = Value { kind: Kind::Float, bytes: 4, big_endian: false };

    let mut word = Vec::new();
    for found in 0..announced {
        let truncated = || VectorsError::Truncated { path: wanted.path.into(), announced, found };
        word.clear();
        (&mut *stream).take(MAX_WORD_BYTES).read_until(b' ', &mut word).map_err(wanted.io())?;
        if word.pop_if(|last| *last == b' ').is_none() {
            if (word.len() as u64) < MAX_WORD_BYTES {
                return Err(truncated());
            }
            let (path, limit) = (wanted.path.into(), MAX_WORD_BYTES);
            return Err(VectorsError::Endless { path, unit: "word", number: found + 1, limit });
        }
        let word = word.strip_prefix(b"\n").unwrap_or(&word);
        // Behind a word with a blank, or of other dimensions than the header's, values are taken for words.
        let controlled = word.iter().any(|byte| *byte < b' ');
        if word.contains(&0) || controlled && str::from_utf8(word).is_err() {
            return Err(VectorsError::Word { path: wanted.path.into(), number: found + 1 });
        }
        if wanted.contains(word) {
            let mut bytes = Vec::new();
            (&mut *stream).take(vector_bytes).read_to_end(&mut bytes).map_err(wanted.io())?;
            if (bytes.len() as u64) < vector_bytes {
                return Err(truncated());
            }
            wanted.keep(word, SINGLE.singles(&bytes), "word", found + 1);
        } else if skip(stream, vector_bytes).map_err(wanted.io())? < vector_bytes {
            return Err(truncated());
        }
    }
    wanted.total = announced;
    let mut rest = Vec::new();
    stream.take(2).read_to_end(&mut rest).map_err(wanted.io())?;
    wanted.check_announced(announced, announced + u64::from(!rest.trim_ascii().is_empty()))
}
