//! What a TIFF's first directory says, as far as the decoder does not tell it.

use crate::wording::counted;

const BITS: u16 = 258;
const PHOTOMETRIC: u16 = 262;
const SAMPLES: u16 = 277;
const EXTRA_SAMPLES: u16 = 338;
const SAMPLE_FORMAT: u16 = 339;
/// Of an extra sample: alpha by which the colours are multiplied already.
const ASSOCIATED: u32 = 1;

/// The first value of a tag of the first directory, if it is a SHORT.
fn first(bytes: &[u8], wanted: u16) -> Option<u32> {
    const SHORT: u32 = 3;
    let little = bytes.starts_with(b"II");
    let number = |at: usize, width: usize| -> Option<u32> {
        let part = bytes.get(at..at.checked_add(width)?)?;
        let join = |sum: u32, byte: &u8| sum << 8 | u32::from(*byte);
        Some(if little { part.iter().rev().fold(0, join) } else { part.iter().fold(0, join) })
    };
    let directory = number(4, 4)? as usize;
    let entries = number(directory, 2)? as usize;
    let entry = (0..entries)
        .map_while(|n| directory.checked_add(2 + 12 * n))
        .find(|&at| number(at, 2) == Some(u32::from(wanted)))?;
    if number(entry + 2, 2)? != SHORT {
        return None;
    }
    // Up to two stand in the entry, more where it points.
    let at = if number(entry + 4, 4)? <= 2 { entry + 8 } else { number(entry + 8, 4)? as usize };
    number(at, 2)
}

/// Whether the colours are multiplied by alpha already.
pub(super) fn is_premultiplied(bytes: &[u8]) -> bool {
    is_tiff(bytes) && first(bytes, EXTRA_SAMPLES) == Some(ASSOCIATED)
}

fn is_tiff(bytes: &[u8]) -> bool {
    bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*")
}

/// With offsets of 64 bits.
pub(super) fn is_big(bytes: &[u8]) -> bool {
    bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+")
}

/// `a TIFF in YCbCr, 3 samples of 8 bits`.
pub(super) fn kind(bytes: &[u8]) -> String {
    let colours = match first(bytes, PHOTOMETRIC) {
        Some(0 | 1) => "grey",
        Some(2) => "RGB",
        Some(3) => "colours of a palette",
        Some(5) => "CMYK",
        Some(6) => "YCbCr",
        Some(8..=10) => "Lab",
        _ => "unknown colours",
    };
    let form = match first(bytes, SAMPLE_FORMAT) {
        Some(2) => "signed ",
        Some(3) => "floating-point ",
        _ => "",
    };
    let (samples, bits) = (first(bytes, SAMPLES).unwrap_or(1), first(bytes, BITS).unwrap_or(1));
    format!("a TIFF in {colours}, {} of {}", counted(samples, &format!("{form}sample")), counted(bits, "bit"))
}
