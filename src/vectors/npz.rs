//! NumPy's `.npz`: arrays `words` (unicode or bytes) and `vectors` (`[words, dimensions]`, real numbers).

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};

use npyz::{DType, NpyFile, NpyHeader, Order, TypeChar};
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::{ReadVectors, Rows, VectorsError, VectorsFormat, Wanted};
use crate::files;
use crate::limits;
use crate::numbers::Value;
use crate::wording::first;

pub(super) const FORMAT: VectorsFormat =
    VectorsFormat { name: "npz (`vectors` and `words`)", sniff, read: ReadVectors::Seek(read) };

/// How NumPy makes one.
const SAVED: &str = "numpy.savez(\"vectors.npz\", words=names, vectors=array) makes one";

fn sniff(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04")
}

/// What an array holds; of records, nothing.
struct Element {
    kind: TypeChar,
    /// Bytes of a number, characters of a string.
    size: u64,
}

impl Element {
    fn of(array: &NpyHeader) -> Self {
        match array.dtype() {
            DType::Plain(plain) => Self { kind: plain.type_char(), size: plain.size_field() },
            _ => Self { kind: TypeChar::RawData, size: 0 },
        }
    }
}

fn read(file: File, wanted: &mut Wanted) -> Result<(), VectorsError> {
    let packed = file.metadata().map_err(wanted.io())?.len();
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| wanted.io()(error.into()))?;
    limits::check_archive(&mut archive, packed).map_err(wanted.io())?;
    if !archive.file_names().any(|name| name.is_ok_and(|name| name.ends_with(".npy"))) {
        let found = "the archive holds no arrays; if it holds a text file (glove.6B.zip), unpack it";
        return Err(wanted.array("words", found.into()));
    }
    let mut entry = member(&mut archive, "words", wanted)?;
    let words = array(&mut entry, wanted)?;
    let element = Element::of(&words);
    let strings = matches!(element.kind, TypeChar::UnicodeStr | TypeChar::ByteStr) && element.size <= files::NPY_TEXT;
    let is_list = matches!(*words.shape(), [_] | [_, 1] | [1, _]);
    if !strings || !is_list {
        let remedy = if element.kind == TypeChar::Object { " (numpy: words.astype(str))" } else { "" };
        let (kind, shape) = (words.dtype().descr(), words.shape());
        let found = format!("type {kind}, shape {shape:?}, expected a list of strings{remedy}");
        return Err(wanted.array("words", found));
    }
    let words = words.data::<String>().map_err(|error| wanted.array("words", error.to_string()))?;
    let rows = Rows::new(words.map(|word| Ok(word?.into_bytes())), wanted).map_err(wanted.io())?;
    files::check_sum(&mut entry).map_err(wanted.io())?;
    drop(entry);

    let mut entry = member(&mut archive, "vectors", wanted)?;
    read_rows(array(&mut entry, wanted)?, rows, wanted)?;
    files::check_sum(&mut entry).map_err(wanted.io())
}

/// The array that a member of the archive holds; its header is looked at before it is parsed.
fn array<R: Read>(entry: R, wanted: &Wanted) -> Result<NpyFile<impl Read + use<R>>, VectorsError> {
    files::npy(entry).and_then(NpyFile::new).map_err(wanted.io())
}

/// The member of the archive that is called so.
fn member<'a>(
    archive: &'a mut ZipArchive<BufReader<File>>,
    name: &'static str,
    wanted: &Wanted,
) -> Result<ZipFile<'a, BufReader<File>>, VectorsError> {
    let names: Vec<String> =
        archive.file_names().filter_map(|name| Some(name.ok()?.trim_end_matches(".npy").into())).collect();
    archive.by_name(&format!("{name}.npy")).map_err(|error| match error {
        ZipError::FileNotFound => {
            let found = format!("not found among {}, expected arrays `words` and `vectors`; {SAVED}", first(&names, 5));
            wanted.array(name, found)
        }
        error => wanted.io()(error.into()),
    })
}

/// The wanted rows of an array `[words, dimensions]`, skipping the others.
pub(super) fn read_rows<R: Read>(vectors: NpyFile<R>, mut rows: Rows, wanted: &mut Wanted) -> Result<(), VectorsError> {
    let dtype = vectors.dtype();
    let value = if let DType::Plain(plain) = &dtype { Value::of_numpy(plain) } else { None };
    let value = value.ok_or_else(|| {
        let descr = dtype.descr();
        wanted.array("vectors", format!("type {descr}, expected real numbers of 8 to 64 bits"))
    })?;
    rows.check_shape(vectors.shape(), wanted)?;
    let (order, size, words) = (vectors.order(), value.bytes, rows.words);
    let mut stream = BufReader::with_capacity(super::BUFFER_BYTES, vectors.into_inner());
    let mut read = |from: u64, at: &mut u64, bytes: &mut [u8]| -> Result<(), VectorsError> {
        super::skip(&mut stream, from - *at).map_err(wanted.io())?;
        *at = from + bytes.len() as u64;
        stream.read_exact(bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                let found = format!("ends before byte {at} of its values: it was cut short; copy or download it again");
                wanted.array("vectors", found)
            }
            _ => wanted.io()(error),
        })
    };
    let (mut at, row_bytes) = (0, size * wanted.dimensions);
    let mut found = vec![vec![0; row_bytes]; rows.wanted.len()];
    match order {
        Order::C => {
            for ((row, _), bytes) in rows.wanted.iter().zip(&mut found) {
                read(row * row_bytes as u64, &mut at, bytes)?;
            }
        }
        // Column after column.
        Order::Fortran => {
            for column in 0..wanted.dimensions {
                for ((row, _), bytes) in rows.wanted.iter().zip(&mut found) {
                    let from = (column as u64 * words + row) * size as u64;
                    read(from, &mut at, &mut bytes[column * size..][..size])?;
                }
            }
        }
    }
    for ((row, word), bytes) in rows.wanted.into_iter().zip(found) {
        wanted.keep(&word, value.singles(&bytes), "row", row + 1);
    }
    Ok(())
}
