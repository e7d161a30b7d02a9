//! What stands between the segments of a JPEG, as far as the decoder does not look at it.

use std::borrow::Cow;

const APP0: u8 = 0xe0;
const APP14: u8 = 0xee;
const START_OF_SCAN: u8 = 0xda;
const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];

/// Markers of frames: 0xc0 to 0xcf without those of tables, of arithmetic coding's conditions, and one that is reserved.
fn is_frame(code: u8) -> bool {
    matches!(code, 0xc0..=0xcf) && !matches!(code, 0xc4 | 0xc8 | 0xcc)
}

/// The segments up to the first scan: what marks them, and where their data begin.
fn segments(bytes: &[u8]) -> Vec<(u8, usize)> {
    let (mut segments, mut at) = (Vec::new(), 2);
    while let Some(&[marker, code, high, low]) = bytes.get(at..at + 4).and_then(|four| four.first_chunk()) {
        // Fill bytes and stray bytes between segments are stepped over as decoders do.
        let segment = marker == 0xff && code != 0xff && code != 0;
        if segment {
            segments.push((code, at + 4));
            if code == START_OF_SCAN {
                break;
            }
        }
        at += if segment { 2 + usize::from(u16::from_be_bytes([high, low])) } else { 1 };
    }
    segments
}

/// What the frame's header says.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    code: u8,
    /// Of a sample.
    bits: u8,
}

impl Frame {
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let (code, at) = segments(bytes).into_iter().find(|&(code, _)| is_frame(code))?;
        Some(Self { code, bits: *bytes.get(at)? })
    }

    /// What it is, if that is not decoded.
    pub fn unsupported(self) -> Option<String> {
        match self.code {
            0xc9..=0xcb | 0xcd..=0xcf => Some("a JPEG in arithmetic coding".to_string()),
            0xc3 | 0xc5..=0xc7 => Some("a lossless or hierarchical JPEG".to_string()),
            _ => (self.bits != 8).then(|| format!("a JPEG of {} bits per sample", self.bits)),
        }
    }
}

/// Whether an end-of-image marker follows the first scan; one before it belongs to an EXIF thumbnail.
pub(super) fn ends(bytes: &[u8]) -> bool {
    let scan = segments(bytes).into_iter().find(|&(code, _)| code == START_OF_SCAN);
    scan.is_some_and(|(_, at)| bytes[at..].windows(2).any(|pair| pair == END_OF_IMAGE))
}

/// The file with three components in YCbCr, as JFIF has them, whatever Adobe's segment says beside JFIF's: libjpeg, and
/// with it Pillow and browsers, believe JFIF.
pub(super) fn without_other_transform(bytes: &[u8]) -> Cow<'_, [u8]> {
    const TRANSFORM: usize = 11;
    let segments = segments(bytes);
    let starts = |at: usize, text: &[u8]| bytes.get(at..).is_some_and(|bytes| bytes.starts_with(text));
    let jfif = segments.iter().any(|&(code, at)| code == APP0 && starts(at, b"JFIF\0"));
    let adobe = segments.iter().find(|&&(code, at)| code == APP14 && starts(at, b"Adobe"));
    let components = segments.iter().find(|&&(code, _)| is_frame(code)).and_then(|&(_, at)| bytes.get(at + 5));
    match adobe {
        Some(&(_, at)) if jfif && components == Some(&3) && bytes.get(at + TRANSFORM) == Some(&0) => {
            let mut bytes = bytes.to_vec();
            bytes[at + TRANSFORM] = 1;
            Cow::Owned(bytes)
        }
        _ => Cow::Borrowed(bytes),
    }
}
