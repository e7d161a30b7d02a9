//! MATLAB's `.mat`: version 5 to 7 here, 7.3 is HDF5.
//!
//! A file of version 5 is a header of 128 bytes and then elements: type, length, data, padded to 8 bytes; a variable is an
//! element of elements (flags, axes, name, values), packed by zlib as a rule. Values may be stored in a smaller type than
//! the variable's. The first axis runs fastest. ("MAT-File Format", MathWorks.)

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use flate2::read::ZlibDecoder;

use super::stored::{Bytes, Kind, Labels, Order, StoredArray, Value};
use super::{ArrayError, ArrayFormat, Listed, Told, hdf5, malformed};
use crate::error::FileError;
use crate::files;
use crate::limits::Unpacked;

const NAME: &str = ".mat";
const HEADER_BYTES: usize = 128;

/// Types of elements.
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;

/// Classes of variables, by their numbers.
const CLASSES: [&str; 18] = [
    "unknown",
    "cell",
    "struct",
    "object",
    "char",
    "sparse",
    "double",
    "single",
    "int8",
    "uint8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "function handle",
    "opaque",
];
const CELL: u8 = 1;
const CHAR: u8 = 4;
const COMPLEX: u32 = 0x800;

/// Cells that are looked for one in another.
const DEEPEST: usize = 8;

pub(super) const FORMAT: ArrayFormat = ArrayFormat { endings: &["mat"], list, open };

fn list(path: &Path) -> Result<Vec<Listed>, ArrayError> {
    let Some(variables) = variables(path)? else { return hdf5::list(path) };
    let listed = |variable: Variable| {
        let number = variable.value().is_some();
        Listed { name: variable.name, number, float: number && matches!(variable.class, 6 | 7) }
    };
    Ok(variables.into_iter().map(listed).collect())
}

fn open(path: &Path, names: &[&str], told: &Told) -> Result<Vec<StoredArray>, ArrayError> {
    let Some(variables) = variables(path)? else { return hdf5::open(path, names, told) };
    let rows = variables.iter().filter_map(|variable| variable.texts.clone()).collect();
    let labels = Labels { rows, ..Labels::default() };
    let array = |name: &&str| {
        let variable = variables.iter().find(|variable| variable.name == *name).expect("listed");
        let value = variable.value().ok_or_else(|| {
            let class = CLASSES[usize::from(variable.class).min(CLASSES.len() - 1)];
            let kind = if variable.complex { "complex".to_string() } else { class.to_string() };
            not_numbers(path, name, &kind, variable.class == CHAR || variable.texts.is_some())
        })?;
        let bytes = Arc::new(Bytes::Held(variable.bytes.clone().into()));
        let range = 0..bytes.len();
        let array = StoredArray::new(path, variable.shape.clone(), Order::Fortran, value, bytes, range)?;
        Ok(array.labelled(labels.clone()))
    };
    names.iter().map(array).collect()
}

/// What to do about a variable of another class; `text` is whether it holds text.
pub(super) fn not_numbers(path: &Path, name: &str, class: &str, text: bool) -> ArrayError {
    let remedy = match class {
        "struct" | "object" => format!("x = {name}.FIELD; save(file, \"x\")"),
        "cell" => format!("x = cell2mat({name}); save(file, \"x\"), or x = {name}{{1}}"),
        "complex" => format!("x = abs({name}) or real({name}); save(file, \"x\")"),
        "sparse" => format!("x = full({name}); save(file, \"x\")"),
        _ => format!("x = double({name}); save(file, \"x\")"),
    };
    let class = if class == "complex" { "complex array" } else { class };
    let class = format!("{class} of MATLAB's");
    ArrayError::Matlab { path: path.into(), name: name.to_string(), class, remedy, text }
}

/// A variable of a file of version 5.
struct Variable {
    name: String,
    class: u8,
    complex: bool,
    shape: Vec<usize>,
    /// The type its values are stored in.
    stored: Option<Value>,
    /// The values.
    bytes: Vec<u8>,
    /// Of a cell of texts, and of rows of characters.
    texts: Option<Vec<String>>,
}

impl Variable {
    /// The type of the values, if they are real numbers.
    fn value(&self) -> Option<Value> {
        self.stored.filter(|_| (6..=15).contains(&self.class) && !self.complex)
    }
}

/// The variables; none of a file that is HDF5.
fn variables(path: &Path) -> Result<Option<Vec<Variable>>, ArrayError> {
    const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";
    let mut head = Vec::new();
    let begins = files::open(path).and_then(|file| file.take(520).read_to_end(&mut head));
    begins.map_err(FileError::at(path))?;
    // MATLAB's header comes before HDF5's.
    if head.starts_with(HDF5) || head.get(512..).is_some_and(|bytes| bytes.starts_with(HDF5)) {
        return Ok(None);
    }
    let bytes = files::read(path).map_err(FileError::at(path))?;
    let big_endian = match bytes.get(124..HEADER_BYTES) {
        Some([_, _, b'I', b'M']) => false,
        Some([_, _, b'M', b'I']) => true,
        _ => {
            let reason = "no header of version 5 or later; in MATLAB: save(file, name, \"-v7\")";
            return Err(malformed(path, NAME, reason));
        }
    };
    let mut reader = Elements { bytes: &bytes[HEADER_BYTES..], big_endian };
    let mut variables = Vec::new();
    while !reader.bytes.is_empty() {
        let Some((kind, data)) = reader.next() else { return Err(cut(path)) };
        let mut unpacked = Vec::new();
        let matrix = match kind {
            COMPRESSED => {
                let mut stream = Unpacked::new(ZlibDecoder::new(data), data.len() as u64);
                stream.read_to_end(&mut unpacked).map_err(FileError::at(path))?;
                Elements { bytes: &unpacked, big_endian }.next()
            }
            _ => Some((kind, data)),
        };
        match matrix {
            Some((MATRIX, data)) => {
                let variable = Elements { bytes: data, big_endian }.variable(0).ok_or_else(|| cut(path))?;
                // What MATLAB keeps for itself has no name.
                variables.extend(Some(variable).filter(|variable| !variable.name.is_empty()));
            }
            Some(_) => {}
            None => return Err(cut(path)),
        }
    }
    Ok(Some(variables))
}

fn cut(path: &Path) -> ArrayError {
    malformed(path, NAME, "an element does not end within the file; was it cut short?")
}

/// Elements one after the other.
struct Elements<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Elements<'a> {
    fn word(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Type and data of the next element.
    fn next(&mut self) -> Option<(u32, &'a [u8])> {
        let first = self.word(0)?;
        // A small element has its length and its type in one word, and its data in the next.
        let (kind, length, start) =
            if first >> 16 != 0 { (first & 0xffff, first >> 16, 4) } else { (first, self.word(4)?, 8) };
        let end = start + length as usize;
        let data = self.bytes.get(start..end)?;
        let padded = if kind == COMPRESSED { end } else { end.next_multiple_of(8) };
        self.bytes = &self.bytes[padded.min(self.bytes.len())..];
        Some((kind, data))
    }

    /// The variable whose elements these are, so many cells deep.
    fn variable(mut self, depth: usize) -> Option<Variable> {
        let big_endian = self.big_endian;
        let words = |data: &'a [u8]| Elements { bytes: data, big_endian };
        let (_, flags) = self.next()?;
        let flags = words(flags).word(0)?;
        let class = (flags & 0xff) as u8;
        if usize::from(class) >= CLASSES.len() - 1 {
            return Some(Variable::none(class));
        }
        let (_, axes) = self.next()?;
        let shape = (0..axes.len() / 4).map(|axis| words(axes).word(4 * axis).map(|axis| axis as usize));
        let shape = shape.collect::<Option<Vec<usize>>>()?;
        let (_, name) = self.next()?;
        let name = String::from_utf8_lossy(name).into_owned();
        let complex = flags & COMPLEX != 0;
        let none = Variable { name, class, complex, shape, ..Variable::none(class) };
        match class {
            CELL if depth < DEEPEST => Some(Variable { texts: self.cells(depth + 1), ..none }),
            CELL..=3 | 5 | 16.. => Some(none),
            _ => {
                let (kind, data) = self.next()?;
                let texts = if class == CHAR { characters(kind, data, big_endian, &none.shape) } else { None };
                Some(Variable { stored: stored(kind, big_endian), bytes: data.to_vec(), texts, ..none })
            }
        }
    }

    /// The texts of a cell, if there is one in every place.
    fn cells(mut self, depth: usize) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        while !self.bytes.is_empty() {
            let (_, data) = self.next()?;
            let cell = Elements { bytes: data, big_endian: self.big_endian }.variable(depth)?;
            texts.push(cell.texts?.concat());
        }
        Some(texts)
    }
}

impl Variable {
    fn none(class: u8) -> Self {
        let (name, shape, bytes) = (String::new(), Vec::new(), Vec::new());
        Self { name, class, complex: false, shape, stored: None, bytes, texts: None }
    }
}

/// How an element stores numbers.
fn stored(kind: u32, big_endian: bool) -> Option<Value> {
    let (kind, bytes) = match kind {
        1 => (Kind::Signed, 1),
        2 => (Kind::Unsigned, 1),
        3 => (Kind::Signed, 2),
        4 => (Kind::Unsigned, 2),
        5 => (Kind::Signed, 4),
        6 => (Kind::Unsigned, 4),
        7 => (Kind::Float, 4),
        9 => (Kind::Float, 8),
        12 => (Kind::Signed, 8),
        13 => (Kind::Unsigned, 8),
        _ => return None,
    };
    Value::new(kind, bytes, big_endian)
}

/// The rows of an array of characters, without the blanks that fill them.
fn characters(kind: u32, data: &[u8], big_endian: bool, shape: &[usize]) -> Option<Vec<String>> {
    let letters: Vec<char> = match kind {
        1 | 2 => data.iter().map(|&byte| char::from(byte)).collect(),
        4 | 17 => {
            let unit = |pair: &[u8; 2]| if big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
            char::decode_utf16(data.as_chunks().0.iter().map(unit)).map(|letter| letter.unwrap_or('\u{fffd}')).collect()
        }
        16 => String::from_utf8_lossy(data).chars().collect(),
        _ => return None,
    };
    // A shape of its own could announce rows without end.
    let announced = shape.iter().fold(1, |letters: usize, &axis| letters.saturating_mul(axis));
    let rows = *shape.first().filter(|_| announced == letters.len())?;
    let row = |row: usize| letters.iter().skip(row).step_by(rows.max(1)).collect::<String>().trim_end().to_string();
    Some((0..rows).map(row).collect())
}
