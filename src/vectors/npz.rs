//! NumPy's `.npz`: arrays `words` (unicode or bytes) and `vectors` (`[words, dimensions]`, `f4` or `f8`, C order).

use std::fs::File;
use std::io::{BufReader, Read};

use npyz::npz::NpzArchive;
use npyz::{DType, Endianness, NpyFile, NpyHeader, Order, TypeChar};

use super::{ReadVectors, Rows, VectorsError, VectorsFormat, Wanted, values_of_row};

pub(super) const FORMAT: VectorsFormat =
    VectorsFormat { name: "npz (`vectors` and `words`)", sniff, read: ReadVectors::Seek(read) };

/// A longest word beyond this is a damaged header.
const MAX_WORD_BYTES: u64 = 1 << 16;

fn sniff(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04")
}

/// What an array holds; of records, nothing.
struct Element {
    kind: TypeChar,
    /// Bytes of a number, characters of a string.
    size: u64,
    little_endian: bool,
}

impl Element {
    fn of(array: &NpyHeader) -> Self {
        match array.dtype() {
            DType::Plain(plain) => Self {
                kind: plain.type_char(),
                size: plain.size_field(),
                little_endian: plain.endianness() == Endianness::Little,
            },
            _ => Self { kind: TypeChar::RawData, size: 0, little_endian: true },
        }
    }
}

fn read(file: File, wanted: &mut Wanted) -> Result<(), VectorsError> {
    let mut archive = NpzArchive::new(BufReader::new(file)).map_err(wanted.io())?;
    let missing =
        |wanted: &Wanted, array| wanted.array(array, "not found, expected arrays `words` and `vectors`".into());

    let words = archive.by_name("words").map_err(wanted.io())?.ok_or_else(|| missing(wanted, "words"))?;
    let element = Element::of(&words);
    let strings = matches!(element.kind, TypeChar::UnicodeStr | TypeChar::ByteStr) && element.size <= MAX_WORD_BYTES;
    if !strings || words.shape().len() != 1 {
        let found = format!("type {}, shape {:?}, expected a list of strings", words.dtype().descr(), words.shape());
        return Err(wanted.array("words", found));
    }
    let words = words.data::<String>().map_err(|error| wanted.array("words", error.to_string()))?;
    let rows = Rows::new(words.map(|word| Ok(word?.into_bytes())), wanted).map_err(wanted.io())?;

    let vectors = archive.by_name("vectors").map_err(wanted.io())?.ok_or_else(|| missing(wanted, "vectors"))?;
    read_rows(vectors, rows, wanted)
}

/// The wanted rows of an array `[words, dimensions]`, skipping the others.
pub(super) fn read_rows<R: Read>(vectors: NpyFile<R>, rows: Rows, wanted: &mut Wanted) -> Result<(), VectorsError> {
    let Element { kind, size, little_endian } = Element::of(&vectors);
    if kind != TypeChar::Float || !matches!(size, 4 | 8) || !little_endian || vectors.order() != Order::C {
        let (descr, order) = (vectors.dtype().descr(), vectors.order());
        return Err(
            wanted.array("vectors", format!("type {descr}, order {order:?}, expected '<f4' or '<f8' in C order"))
        );
    }
    rows.check_shape(vectors.shape(), wanted)?;
    let row_bytes = size * wanted.dimensions as u64;
    let mut stream = BufReader::with_capacity(super::BUFFER_BYTES, vectors.into_inner());
    let mut at = 0;
    for (row, word) in rows.wanted {
        super::skip(&mut stream, (row - at) * row_bytes).map_err(wanted.io())?;
        let mut bytes = vec![0; row_bytes as usize];
        stream.read_exact(&mut bytes).map_err(wanted.io())?;
        wanted.keep(&word, values_of_row(&bytes, size as usize), "row", row + 1);
        at = row + 1;
    }
    Ok(())
}
