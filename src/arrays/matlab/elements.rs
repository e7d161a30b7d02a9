//! What a variable of a `.mat` of version 5 is made of.

use crate::numbers::{Kind, Value};

/// The class of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Unknown,
    Cell,
    Struct,
    Object,
    Char,
    Sparse,
    /// `double`, `single`
    Float(&'static str),
    /// `int8`, …, `uint64`
    Whole(&'static str),
    Function,
    /// And whatever comes after it: what it is made of is not known.
    Opaque,
}

impl Class {
    fn of(number: u8) -> Self {
        match number {
            0 => Self::Unknown,
            1 => Self::Cell,
            2 => Self::Struct,
            3 => Self::Object,
            4 => Self::Char,
            5 => Self::Sparse,
            6 => Self::Float("double"),
            7 => Self::Float("single"),
            8 => Self::Whole("int8"),
            9 => Self::Whole("uint8"),
            10 => Self::Whole("int16"),
            11 => Self::Whole("uint16"),
            12 => Self::Whole("int32"),
            13 => Self::Whole("uint32"),
            14 => Self::Whole("int64"),
            15 => Self::Whole("uint64"),
            16 => Self::Function,
            _ => Self::Opaque,
        }
    }

    /// As MATLAB calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Cell => "cell",
            Self::Struct => "struct",
            Self::Object => "object",
            Self::Char => "char",
            Self::Sparse => "sparse",
            Self::Float(name) | Self::Whole(name) => name,
            Self::Function => "function handle",
            Self::Opaque => "opaque",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Float(_) | Self::Whole(_))
    }
}

/// Types of elements.
mod kind {
    pub const INT8: u32 = 1;
    pub const UINT8: u32 = 2;
    pub const INT16: u32 = 3;
    pub const UINT16: u32 = 4;
    pub const INT32: u32 = 5;
    pub const UINT32: u32 = 6;
    pub const SINGLE: u32 = 7;
    pub const DOUBLE: u32 = 9;
    pub const INT64: u32 = 12;
    pub const UINT64: u32 = 13;
    pub const MATRIX: u32 = 14;
    pub const COMPRESSED: u32 = 15;
    pub const UTF8: u32 = 16;
    pub const UTF16: u32 = 17;
}
pub(super) use kind::{COMPRESSED, MATRIX};

/// Among the flags of a variable.
const COMPLEX: u32 = 0x800;

/// Cells that are looked for one in another.
const DEEPEST: usize = 8;

/// What a variable says of itself before its values.
pub(super) struct Head {
    /// Empty where MATLAB keeps it for itself.
    pub name: String,
    pub class: Class,
    pub complex: bool,
    pub shape: Vec<usize>,
    /// The type its values are stored in.
    stored: Option<Value>,
}

impl Head {
    /// The type of the values, if they are real numbers.
    pub fn value(&self) -> Option<Value> {
        self.stored.filter(|_| self.class.is_number() && !self.complex)
    }

    /// Whether it may hold texts.
    pub fn may_be_texts(&self) -> bool {
        matches!(self.class, Class::Cell | Class::Char)
    }
}

/// A variable.
pub(super) struct Variable {
    pub head: Head,
    /// The values.
    pub bytes: bytes::Bytes,
    /// Of a cell of texts, and of rows of characters.
    pub texts: Option<Vec<String>>,
}

/// Begins an element: its type, the bytes of its data, and how many stand before them.
pub(super) struct Tag {
    pub kind: u32,
    pub length: usize,
    pub start: usize,
}

/// Elements one after the other.
#[derive(Clone)]
pub(super) struct Elements<'a> {
    pub bytes: &'a [u8],
    pub big_endian: bool,
}

impl<'a> Elements<'a> {
    fn word(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// What the next element begins with.
    pub fn tag(&self) -> Option<Tag> {
        let first = self.word(0)?;
        // A small element has its length and its type in one word, and its data in the next.
        let small = Tag { kind: first & 0xffff, length: (first >> 16) as usize, start: 4 };
        if small.length != 0 {
            return Some(small);
        }
        Some(Tag { kind: first, length: self.word(4)? as usize, start: 8 })
    }

    /// Type and data of the next element.
    pub fn next(&mut self) -> Option<(u32, &'a [u8])> {
        let Tag { kind, length, start } = self.tag()?;
        let end = start + length;
        let data = self.bytes.get(start..end)?;
        self.bytes = &self.bytes[end.next_multiple_of(8).min(self.bytes.len())..];
        Some((kind, data))
    }

    fn within(&self, data: &'a [u8]) -> Self {
        Self { bytes: data, big_endian: self.big_endian }
    }

    /// What the variable whose elements these are says of itself; what comes after it stays.
    pub fn head(&mut self) -> Option<Head> {
        let (_, flags) = self.next()?;
        let flags = self.within(flags).word(0)?;
        let class = Class::of((flags & 0xff) as u8);
        let mut head =
            Head { name: String::new(), class, complex: flags & COMPLEX != 0, shape: Vec::new(), stored: None };
        if class == Class::Opaque {
            return Some(head);
        }
        let (_, axes) = self.next()?;
        let axis = |axis: usize| self.within(axes).word(4 * axis).map(|axis| axis as usize);
        head.shape = (0..axes.len() / 4).map(axis).collect::<Option<_>>()?;
        head.name = String::from_utf8_lossy(self.next()?.1).into_owned();
        if class.is_number() {
            head.stored = stored(self.tag()?.kind, self.big_endian);
        }
        Some(head)
    }

    /// The variable whose elements these are.
    pub fn variable(self) -> Option<Variable> {
        self.within_cells(0)
    }

    /// The variable, so many cells deep.
    fn within_cells(mut self, depth: usize) -> Option<Variable> {
        let head = self.head()?;
        let (mut bytes, mut texts) = (bytes::Bytes::new(), None);
        match head.class {
            Class::Cell if depth < DEEPEST => texts = self.cells(depth + 1),
            Class::Char => {
                let (kind, data) = self.next()?;
                texts = characters(kind, data, self.big_endian, &head.shape);
            }
            Class::Float(_) | Class::Whole(_) => bytes = bytes::Bytes::copy_from_slice(self.next()?.1),
            _ => {}
        }
        Some(Variable { head, bytes, texts })
    }

    /// The texts of a cell, if there is one in every place.
    fn cells(mut self, depth: usize) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        while !self.bytes.is_empty() {
            let (_, data) = self.next()?;
            texts.push(self.within(data).within_cells(depth)?.texts?.concat());
        }
        Some(texts)
    }
}

/// How an element stores numbers.
fn stored(kind: u32, big_endian: bool) -> Option<Value> {
    let (kind, bytes) = match kind {
        kind::INT8 => (Kind::Signed, 1),
        kind::UINT8 => (Kind::Unsigned, 1),
        kind::INT16 => (Kind::Signed, 2),
        kind::UINT16 => (Kind::Unsigned, 2),
        kind::INT32 => (Kind::Signed, 4),
        kind::UINT32 => (Kind::Unsigned, 4),
        kind::SINGLE => (Kind::Float, 4),
        kind::DOUBLE => (Kind::Float, 8),
        kind::INT64 => (Kind::Signed, 8),
        kind::UINT64 => (Kind::Unsigned, 8),
        _ => return None,
    };
    Value::new(kind, bytes, big_endian)
}

/// The rows of an array of characters, without the blanks that fill them.
fn characters(kind: u32, data: &[u8], big_endian: bool, shape: &[usize]) -> Option<Vec<String>> {
    let letters: Vec<char> = match kind {
        kind::INT8 | kind::UINT8 => data.iter().map(|&byte| char::from(byte)).collect(),
        kind::UINT16 | kind::UTF16 => {
            let unit = |pair: &[u8; 2]| if big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
            char::decode_utf16(data.as_chunks().0.iter().map(unit)).map(|letter| letter.unwrap_or('\u{fffd}')).collect()
        }
        kind::UTF8 => String::from_utf8_lossy(data).chars().collect(),
        _ => return None,
    };
    // A shape of its own could announce rows without end, of no letters too.
    let announced = shape.iter().fold(1, |letters: usize, &axis| letters.saturating_mul(axis));
    let rows = *shape.first().filter(|&&rows| announced == letters.len() && rows <= letters.len().max(1))?;
    let row = |row: usize| letters.iter().skip(row).step_by(rows.max(1)).collect::<String>().trim_end().to_string();
    Some((0..rows).map(row).collect())
}
