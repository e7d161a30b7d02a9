//! How long a pickle is, found without building what it describes.

use std::io::{self, BufRead, ErrorKind, Read};

/// What follows an opcode.
enum Argument {
    /// So many bytes.
    Bytes(u64),
    /// So many lines of text.
    Lines(usize),
    /// A length of so many bytes, then as many bytes as it says.
    Counted(usize),
}

/// The bytes of a pickle up to and with its end, or some number above `limit` as soon as it is longer.
///
/// # Errors
/// The file ends before the pickle does, or cannot be read.
pub(super) fn length(stream: &mut impl BufRead, limit: u64) -> io::Result<u64> {
    let mut length = 0u64;
    while length <= limit {
        let mut opcode = [0];
        stream.read_exact(&mut opcode)?;
        let [opcode] = opcode;
        let more = match argument(opcode) {
            Argument::Bytes(count) => skip(stream, count)?,
            Argument::Lines(count) => (0..count).map(|_| skip_line(stream)).sum::<io::Result<u64>>()?,
            Argument::Counted(width) => {
                let mut count = [0; 8];
                stream.read_exact(&mut count[..width])?;
                let count = u64::from_le_bytes(count);
                u64::saturating_add(width as u64, if count > limit { count } else { skip(stream, count)? })
            }
        };
        length = length.saturating_add(more).saturating_add(1);
        if opcode == b'.' {
            break;
        }
    }
    Ok(length)
}

/// Whether a tensor is described with `{"neg": True}` or `{"conj": True}` behind all else: its values are not those stored.
pub(super) fn has_views_by_sign(pickle: &[u8]) -> bool {
    const TRUE: u8 = 0x88;
    let is_last = |rest: &[u8]| {
        // The key may be kept for later ones.
        let rest = match rest {
            [b'q', _, rest @ ..] | [b'r', _, _, _, _, rest @ ..] | [0x94, rest @ ..] => rest,
            _ => rest,
        };
        matches!(rest, [TRUE, b's' | b'u', b't', ..])
    };
    let keys = [&b"X\x03\0\0\0neg"[..], b"\x8c\x03neg", b"X\x04\0\0\0conj", b"\x8c\x04conj"];
    keys.iter().any(|key| {
        let mut found = pickle.windows(key.len()).enumerate().filter(|(_, bytes)| bytes == key);
        found.any(|(at, _)| is_last(&pickle[at + key.len()..]))
    })
}

/// By Python's `pickletools`.
fn argument(opcode: u8) -> Argument {
    match opcode {
        b'K' | b'h' | b'q' | 0x80 | 0x82 => Argument::Bytes(1),
        b'M' | 0x83 => Argument::Bytes(2),
        b'J' | b'j' | b'r' | 0x84 => Argument::Bytes(4),
        b'G' | 0x95 => Argument::Bytes(8),
        b'I' | b'L' | b'F' | b'V' | b'S' | b'g' | b'p' | b'P' => Argument::Lines(1),
        b'c' | b'i' => Argument::Lines(2),
        b'U' | b'C' | 0x8a | 0x8c => Argument::Counted(1),
        b'X' | b'T' | b'B' | 0x8b => Argument::Counted(4),
        0x8d | 0x8e | 0x96 => Argument::Counted(8),
        _ => Argument::Bytes(0),
    }
}

fn skip(stream: &mut impl BufRead, count: u64) -> io::Result<u64> {
    let skipped = io::copy(&mut stream.by_ref().take(count), &mut io::sink())?;
    if skipped < count { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(count) }
}

/// Reads up to and with the end of the line, however long, and keeps none of it.
fn skip_line(stream: &mut impl BufRead) -> io::Result<u64> {
    let skipped = stream.skip_until(b'\n')?;
    if skipped == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(skipped as u64) }
}
