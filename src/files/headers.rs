//! Headers of arrays' files, looked at before they are believed.

use std::fs::File;
use std::io::{self, Chain, Cursor, Read};

use ::safetensors::tensor::Metadata;

use super::read_at;

/// A `.safetensors` file without the list of tensors that it should begin with.
#[derive(Debug, thiserror::Error)]
pub enum SafetensorsError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What was found and what was expected.
    #[error("{0}")]
    Damaged(String),
    /// No such list.
    #[error("the header does not list tensors as safetensors does: {0}")]
    Header(#[from] serde_json::Error),
}

/// The longest header that safetensors allows.
pub(crate) const MAX_HEADER_BYTES: u64 = 100_000_000;

/// The list of tensors that a `.safetensors` file begins with, and where their values start; they fill the rest of the file.
///
/// # Errors
/// The file cannot be read, is cut short, or has a header that makes no sense.
pub fn safetensors(file: &File) -> Result<(Metadata, u64), SafetensorsError> {
    /// Of the header's length, at the start of the file.
    const LENGTH_BYTES: u64 = 8;
    let damaged = |problem| Err(SafetensorsError::Damaged(problem));
    let file_bytes = file.metadata()?.len();
    if file_bytes < LENGTH_BYTES {
        return damaged(format!("{file_bytes} bytes, too few for a safetensors header"));
    }
    let mut length = [0; LENGTH_BYTES as usize];
    read_at(file, 0, &mut length)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return damaged(format!(
            "a header of {length} bytes, safetensors allows {MAX_HEADER_BYTES}: probably not a safetensors file"
        ));
    }
    let start = LENGTH_BYTES + length;
    if start > file_bytes {
        return damaged(format!("the header ends at byte {start}, the file at byte {file_bytes}"));
    }
    let mut header = vec![0; length as usize];
    read_at(file, LENGTH_BYTES, &mut header)?;
    let metadata: Metadata = serde_json::from_slice(&header)?;
    let expected = start + metadata.data_len() as u64;
    if expected != file_bytes {
        return damaged(format!("{file_bytes} bytes, the header describes {expected}"));
    }
    Ok((metadata, start))
}

/// The most letters that a text in an array of texts may be announced to have: each is read whole.
pub const NPY_TEXT: u64 = 1 << 16;

/// The array with its header looked at before it is parsed: the parser's time doubles with every bracket in a bracket.
///
/// # Errors
/// A header longer or more nested than any that NumPy writes, or a text with a backslash in it: what comes after one is not known to
/// be inside of the text or behind it.
pub fn npy<R: Read>(mut reader: R) -> io::Result<Chain<Cursor<Vec<u8>>, R>> {
    const LONGEST: u64 = 1 << 20;
    const DEEPEST: usize = 8;
    let wrong = |what: String| Err(io::Error::new(io::ErrorKind::InvalidData, what));
    let mut head = Vec::new();
    reader.by_ref().take(10).read_to_end(&mut head)?;
    let [0x93, b'N', b'U', b'M', b'P', b'Y', version, _, low, high] = head[..] else {
        return Ok(Cursor::new(head).chain(reader));
    };
    let mut length = u64::from(u16::from_le_bytes([low, high]));
    if version > 1 {
        reader.by_ref().take(2).read_to_end(&mut head)?;
        let further = [10, 11].map(|place| u64::from(head.get(place).copied().unwrap_or_default()));
        length |= further[0] << 16 | further[1] << 24;
    }
    if length > LONGEST {
        return wrong(format!("a header of {length} bytes, expected at most {LONGEST}"));
    }
    let start = head.len();
    reader.by_ref().take(length).read_to_end(&mut head)?;
    let (mut depth, mut deepest, mut text) = (0_usize, 0, None);
    for &byte in &head[start..] {
        match byte {
            // Brackets in a text, as in the names of fields, are none.
            b'\\' => {
                return wrong("a header with a backslash, expected none; rename the field that has it".to_string());
            }
            _ if text == Some(byte) => text = None,
            _ if text.is_some() => {}
            b'\'' | b'"' => text = Some(byte),
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = depth.max(deepest);
    }
    if deepest > DEEPEST {
        return wrong(format!("a header of {deepest} brackets within each other, expected at most {DEEPEST}"));
    }
    Ok(Cursor::new(head).chain(reader))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_are_too_long_or_too_nested_are_refused() {
        let file = |version: u8, length: u32, header: &[u8]| {
            let mut bytes = vec![0x93, b'N', b'U', b'M', b'P', b'Y', version, 0];
            bytes.extend(&length.to_le_bytes()[..if version == 1 { 2 } else { 4 }]);
            bytes.extend(header);
            bytes
        };
        let passes = |bytes: &[u8]| {
            npy(bytes).map(|mut all| {
                let mut read = Vec::new();
                all.read_to_end(&mut read).unwrap();
                read == bytes
            })
        };
        for version in [1, 2] {
            let header = b"{'descr': [('a', '<f8', (2, 3))], 'shape': (1,)}\n1234";
            assert!(passes(&file(version, 49, header)).unwrap());
            assert!(passes(&file(version, 9, &[b'{'; 9])).is_err());
            assert!(passes(&file(version, 40, b"((((((((((")).is_err());
        }
        assert!(passes(&file(2, 1 << 30, b"")).is_err());
        // What closes brackets in a text closes none.
        let hidden = b"[[[[[[[[']]]]]]]]',[[[[[[[[0]]]]]]]]]]]]]]]]";
        for text in [&hidden[..], b"['\\N{'}', [0]]"] {
            assert!(passes(&file(1, text.len() as u32, text)).is_err());
        }
        let field = b"{'descr': [('size [cm', '<f8')], 'shape': (1,)}";
        assert!(passes(&file(1, field.len() as u32, field)).unwrap());
        for cut in [&b""[..], b"\x93NUM", b"\x93NUMPY\x01\x00\x05", b"another file, and a long one"] {
            assert!(passes(cut).unwrap());
        }
    }
}
