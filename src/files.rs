//! Files that are read: what they are is looked at before what is in them.

use std::fs::File;
use std::io::{self, Chain, Cursor, Read};
use std::path::{Path, PathBuf};
use std::string::FromUtf16Error;
use std::time::SystemTime;

use ::safetensors::tensor::Metadata;

use crate::error::FileError;

/// A file's name without the directory.
pub fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file's name without its ending.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What a file's name ends with, in lower case and without the dot; empty where it has no ending.
pub fn ending(path: &Path) -> String {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase()
}

/// The folder that a file is in; of a name alone `.`.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

/// Whether a file is none that its user keeps: `._layer1.npy` is what macOS leaves beside `layer1.npy` on other disks.
pub fn is_hidden(path: &Path) -> bool {
    name(path).starts_with('.')
}

/// What Git LFS leaves in the place of a file that it has not fetched begins so, and is shorter than a kilobyte.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
const POINTER_BYTES: u64 = 1024;

/// Opens a file to read; a pipe or device, which may never end, is none, nor is what stands for a file.
///
/// # Errors
/// What the operating system says, or [`io::ErrorKind::InvalidInput`].
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a pipe waits for its writer.
    let found = std::fs::metadata(path)?;
    if !found.is_file() && !found.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a pipe or device, expected a file; copy what it gives into one",
        ));
    }
    if found.is_file() && found.len() < POINTER_BYTES && std::fs::read(path)?.starts_with(POINTER) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a pointer of Git LFS, expected the file itself; fetch it by git lfs pull, or download it from its page",
        ));
    }
    File::open(path)
}

/// The bytes of a file.
///
/// # Errors
/// As [`open`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Fills `bytes` with what lies at `offset` of a file. Files are never mapped into memory: one that another program shortens
/// meanwhile would then end this program, here it is an error.
///
/// # Errors
/// What the operating system says, or [`changed`].
pub fn read_at(file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    #[cfg(unix)]
    let read = std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset);
    #[cfg(windows)]
    let read: io::Result<()> = (|| {
        let mut done = 0;
        while done < bytes.len() {
            match std::os::windows::fs::FileExt::seek_read(file, &mut bytes[done..], offset + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(())
    })();
    read.map_err(|error| if error.kind() == io::ErrorKind::UnexpectedEof { changed() } else { error })
}

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

/// The text of a file, without a byte-order mark.
///
/// # Errors
/// As [`open`], and if it is no UTF-8.
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

/// Files as they are found: what is checked first is what is read later.
pub struct Unchanged(Vec<(PathBuf, u64, Option<SystemTime>)>);

impl Unchanged {
    /// # Errors
    /// A file that is not there.
    pub fn of(paths: &[PathBuf]) -> Result<Self, FileError> {
        let state = |path: &PathBuf| {
            let found = std::fs::metadata(path).map_err(FileError::at(path))?;
            Ok((path.clone(), found.len(), found.modified().ok()))
        };
        paths.iter().map(state).collect::<Result<_, _>>().map(Self)
    }

    /// Whether they are still the same, by length and time.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), FileError> {
        self.0.iter().try_for_each(|(path, length, modified)| {
            let same =
                std::fs::metadata(path).is_ok_and(|now| now.len() == *length && now.modified().ok() == *modified);
            if same { Ok(()) } else { Err(FileError::at(path)(changed())) }
        })
    }
}

/// For a file that is not what it was when it was looked at.
pub fn changed() -> io::Error {
    io::Error::other("changed while it was being used; leave it alone, and start again")
}

/// The most letters that a text in an array of texts may be announced to have: each is read whole.
pub const NPY_TEXT: u64 = 1 << 16;

/// Reads what is left of a member of an archive: at its end its checksum (CRC-32) is held against all that was read of it.
///
/// # Errors
/// Another checksum; a file that cannot be read.
pub fn check_sum(member: &mut impl Read) -> io::Result<()> {
    const OTHER: &str = "its checksum is not that of its bytes: it is damaged; copy or download it again";
    let other = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData => io::Error::new(error.kind(), OTHER),
        _ => error,
    };
    io::copy(member, &mut io::sink()).map(drop).map_err(other)
}

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
    fn a_pointer_of_git_lfs_is_not_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
        for name in ["model.safetensors", "model.onnx", "glove.txt", "cat.png"] {
            let path = folder.path().join(name);
            std::fs::write(&path, pointer).unwrap();
            let said = read(&path).unwrap_err().to_string();
            assert!(said.contains("Git LFS") && said.contains("git lfs pull"), "{said}");
        }
        let said = crate::weights::open(&folder.path().join("model.safetensors")).err().unwrap().to_string();
        assert!(said.contains("model.safetensors: a pointer of Git LFS"), "{said}");
    }

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

    #[cfg(unix)]
    #[test]
    fn a_device_is_no_file() {
        assert_eq!(open(Path::new("/dev/zero")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
