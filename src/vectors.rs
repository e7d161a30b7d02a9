//! Word vectors as they are published: one streaming pass that keeps the wanted words.
//!
//! To add a format: one file that exports a [`VectorsFormat`], and its line in [`FORMATS`].

mod error;
mod npy;
mod npz;
mod safetensors;
mod spelling;
mod text;
mod word2vec_bin;

pub use error::{NotFinite, VectorsError};
pub use spelling::{Case, Join, Spelled, Spelling, missing, read_spelled};

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::error::FileError;
use crate::files;
use crate::limits::{self, Unpacked};
use crate::names;

/// The formats of this build, in the order in which they are tried on a file's first bytes.
pub const FORMATS: &[&VectorsFormat] =
    &[&npz::FORMAT, &npy::FORMAT, &safetensors::FORMAT, &word2vec_bin::FORMAT, &text::FORMAT];

/// Bytes a format may look at to recognise itself.
const HEAD_BYTES: u64 = 1 << 16;
/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 20;
/// No published model has more than some thousands; a claim beyond this is a damaged file.
const MAX_DIMENSIONS: u64 = 1 << 20;

/// The vectors of the wanted words.
#[derive(Clone, Debug, PartialEq)]
pub struct WordVectors {
    /// Name of the file's format.
    pub format: &'static str,
    /// Words of the file, wanted or not.
    pub words: u64,
    /// Values per word.
    pub dimensions: usize,
    /// One vector per wanted word, in the order asked, rounded to single precision; `None` where the file lacks the word, spelled
    /// exactly so, or a finite vector of it.
    pub vectors: Vec<Option<Vec<f32>>>,
    /// By their places, the wanted words whose vector is not finite.
    pub not_finite: BTreeMap<usize, NotFinite>,
    /// Things the user should know: duplicates (the first one counts), a header that announces another number of words.
    pub warnings: Vec<String>,
}

/// A format of word-vector files.
pub struct VectorsFormat {
    /// What users call it.
    pub name: &'static str,
    /// Whether a file that begins with these bytes is of this format.
    sniff: fn(head: &[u8]) -> bool,
    read: ReadVectors,
}

/// How a format is read.
enum ReadVectors {
    /// In one pass over the bytes, unpacked.
    Stream(fn(&mut dyn BufRead, &mut Wanted) -> Result<(), VectorsError>),
    /// Here and there in the file.
    Seek(fn(File, &mut Wanted) -> Result<(), VectorsError>),
}

/// Reads the vectors of `wanted` words from a file; the format, gzip included, is sniffed from its first bytes.
///
/// # Errors
/// Names the file and line: unreadable, not a known format, a wrong number of values.
///
/// # Cost
/// One pass; memory for one line and the wanted vectors.
pub fn read(path: &Path, wanted: &[String]) -> Result<WordVectors, VectorsError> {
    read_with_progress(path, wanted, &mut |_| {})
}

/// [`read`] that tells `progress` the bytes read since it was last told, about once per MiB.
pub fn read_with_progress(
    path: &Path,
    wanted: &[String],
    progress: &mut dyn FnMut(u64),
) -> Result<WordVectors, VectorsError> {
    let Opened { format, packed, mut stream } = open(path, progress)?;
    let mut kept = Wanted::new(path, wanted);
    match format.read {
        ReadVectors::Stream(read) => read(&mut stream, &mut kept)?,
        ReadVectors::Seek(_) if packed => return Err(VectorsError::Packed { path: path.into(), format: format.name }),
        ReadVectors::Seek(read) => read(File::open(path).map_err(FileError::at(path))?, &mut kept)?,
    }
    Ok(kept.finish(format.name, wanted))
}

/// The name of the format that a file begins as: finds a missing file and one that is no vector file at once.
///
/// # Errors
/// Those of [`read`] that the first bytes tell.
pub fn sniff(path: &Path) -> Result<&'static str, VectorsError> {
    Ok(open(path, &mut |_| {})?.format.name)
}

/// The files that vectors are read from: `path`, and where a format keeps its words beside it, their list.
///
/// # Errors
/// As [`sniff`].
pub fn files(path: &Path) -> Result<Vec<PathBuf>, VectorsError> {
    let list = if sniff(path)? == npy::FORMAT.name { npy::list(path) } else { None };
    Ok([path.into()].into_iter().chain(list).collect())
}

struct Opened<'a> {
    format: &'static VectorsFormat,
    packed: bool,
    /// The unpacked bytes from the first.
    stream: Box<dyn BufRead + 'a>,
}

fn open<'a>(path: &Path, progress: &'a mut dyn FnMut(u64)) -> Result<Opened<'a>, VectorsError> {
    let at = || FileError::at(path);
    let file = files::open(path).map_err(at())?;
    let total = file.metadata().map_err(at())?.len();
    let mut stream = BufReader::with_capacity(BUFFER_BYTES, Metered { file, progress });
    let packed = stream.fill_buf().map_err(at())?.starts_with(&[0x1f, 0x8b]);
    let mut stream: Box<dyn BufRead + 'a> = if packed {
        // The last member's length, but for multiples of 4 GiB, stands at the end.
        let announced = total.checked_sub(4).map_or(Ok([0; 4]), |end| {
            let mut announced = [0; 4];
            files::read_at(&files::open(path)?, end, &mut announced).map(|()| announced)
        });
        let announced = u32::from_le_bytes(announced.map_err(at())?);
        // Where the file was cut off, any bytes stand there.
        limits::check_unpacked(total, announced.into())
            .map_err(|error| cut_off(path, total).unwrap_or(error))
            .map_err(at())?;
        Box::new(BufReader::with_capacity(BUFFER_BYTES, Whole(Unpacked::new(MultiGzDecoder::new(stream), total))))
    } else {
        Box::new(stream)
    };
    let mut head = Vec::new();
    (&mut stream).take(HEAD_BYTES).read_to_end(&mut head).map_err(at())?;

    let format =
        FORMATS.iter().find(|format| (format.sniff)(&head)).ok_or_else(|| match files::begins_utf16(&head) {
            true => at()(io::Error::new(io::ErrorKind::InvalidData, files::UTF16)).into(),
            false => VectorsError::Format {
                path: path.into(),
                begins: head[..head.len().min(16)].escape_ascii().to_string(),
                expected: FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", "),
            },
        })?;
    Ok(Opened { format, packed, stream: Box::new(Cursor::new(head).chain(stream)) })
}

/// The error of a gzip of so many bytes that turns out, before the limit, to be cut off.
fn cut_off(path: &Path, packed: u64) -> Option<io::Error> {
    let stream = MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, files::open(path).ok()?));
    io::copy(&mut Whole(Unpacked::new(stream, packed)), &mut io::sink()).err().filter(is_cut)
}

/// The error of a gzip that was cut off.
#[derive(Debug, thiserror::Error)]
#[error("the gzip ends in the middle: it was cut short; copy or download it again")]
struct Cut;

fn is_cut(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Cut>())
}

/// What a gzip unpacks to, to its end.
struct Whole<R>(R);

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let cut = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(io::ErrorKind::InvalidData, Cut),
            _ => error,
        };
        self.0.read(buffer).map_err(cut)
    }
}

/// A file that reports what is read of it.
struct Metered<'a> {
    file: File,
    progress: &'a mut dyn FnMut(u64),
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        (self.progress)(bytes as u64);
        Ok(bytes)
    }
}

/// Collects the vectors of the wanted words as they pass.
struct Wanted<'a> {
    path: &'a Path,
    dimensions: usize,
    /// Words of the file, once it has been read.
    total: u64,
    words: HashMap<&'a [u8], Found>,
    warnings: Vec<String>,
}

#[derive(Default)]
struct Found {
    vector: Option<Vec<f32>>,
    /// `line`, `word` or `row`.
    unit: &'static str,
    /// Where the word stood first.
    first: u64,
    /// How often it stood there again.
    again: u64,
}

impl<'a> Wanted<'a> {
    fn new(path: &'a Path, wanted: &'a [String]) -> Self {
        let words = wanted.iter().map(|word| (word.as_bytes(), Found::default())).collect();
        Self { path, dimensions: 0, total: 0, words, warnings: Vec::new() }
    }

    /// Fixes the number of values per word.
    fn set_dimensions(&mut self, dimensions: u64) -> Result<(), VectorsError> {
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(VectorsError::Dimensions { path: self.path.into(), found: dimensions });
        }
        self.dimensions = dimensions as usize;
        Ok(())
    }

    fn contains(&self, word: &[u8]) -> bool {
        self.words.contains_key(&*blanks_alike(word))
    }

    /// Keeps the vector of a wanted word, the first time; `unit` and `number` say where it stands (`line` 7).
    fn keep(&mut self, word: &[u8], vector: Vec<f32>, unit: &'static str, number: u64) {
        let Some(found) = self.words.get_mut(&*blanks_alike(word)) else { return };
        if found.vector.is_some() {
            found.again += 1;
        } else {
            *found = Found { vector: Some(vector), unit, first: number, again: 0 };
        }
    }

    /// Holds the number of words read to the number announced.
    fn check_announced(&mut self, announced: u64, found: u64) -> Result<(), VectorsError> {
        if found < announced {
            return Err(VectorsError::Truncated { path: self.path.into(), announced, found });
        }
        if found > announced {
            let path = self.path.display();
            self.warnings.push(format!("{path}: the header announces {announced} words, the file has more"));
        }
        Ok(())
    }

    fn io(&self) -> impl FnOnce(io::Error) -> VectorsError {
        let path = self.path.to_path_buf();
        move |source| VectorsError::File(FileError { path, source })
    }

    /// An array that is not as expected.
    fn array(&self, array: &'static str, found: String) -> VectorsError {
        VectorsError::Array { path: self.path.into(), array, found }
    }

    fn finish(mut self, format: &'static str, wanted: &[String]) -> WordVectors {
        let mut not_finite = BTreeMap::new();
        let mut finite = |(place, word): (usize, &String)| {
            let Found { vector, unit, first: number, .. } = &self.words[word.as_bytes()];
            let vector = vector.as_ref()?;
            let Some(&value) = vector.iter().find(|value| !value.is_finite()) else { return Some(vector.clone()) };
            let (path, number, word) = (self.path.into(), *number, word.clone());
            not_finite.insert(place, NotFinite { path, unit, number, word, value });
            None
        };
        let vectors = wanted.iter().enumerate().map(&mut finite).collect();
        let mut repeated: Vec<_> = self.words.iter().filter(|(_, found)| found.again > 0).collect();
        repeated.sort_by_key(|(_, found)| found.first);
        self.warnings.extend(repeated.into_iter().map(|(word, found)| {
            let (path, word) = (self.path.display(), String::from_utf8_lossy(word));
            format!("{path}: {word:?} stands there {} times, the first vector counts", found.again + 1)
        }));
        let (words, dimensions, warnings) = (self.total, self.dimensions, self.warnings);
        WordVectors { format, words, dimensions, vectors, not_finite, warnings }
    }
}

/// A word of a file with its blanks as those of names are ([`names::plain`]).
fn blanks_alike(word: &[u8]) -> Cow<'_, [u8]> {
    // Most words of most files.
    if word.is_ascii() {
        return Cow::Borrowed(word);
    }
    match str::from_utf8(word) {
        Ok(text) if text.contains(names::is_blank) => Cow::Owned(text.replace(names::is_blank, " ").into_bytes()),
        _ => Cow::Borrowed(word),
    }
}

/// Reads a word list and the rows of a matrix of their vectors: what the array formats have in common.
struct Rows {
    /// The row of each wanted word's first and further appearances, ascending.
    wanted: Vec<(u64, Vec<u8>)>,
    words: u64,
    /// Whether the last of them is empty, as behind a last line that has an end of its own.
    ends_empty: bool,
}

impl Rows {
    fn new(words: impl Iterator<Item = io::Result<Vec<u8>>>, wanted: &Wanted) -> io::Result<Self> {
        let mut rows = Self { wanted: Vec::new(), words: 0, ends_empty: false };
        for word in words {
            let word = word?;
            rows.ends_empty = word.is_empty();
            if wanted.contains(&word) {
                rows.wanted.push((rows.words, word));
            }
            rows.words += 1;
        }
        Ok(rows)
    }

    /// Holds the matrix to `[words, dimensions]`; an empty word too many, the last, is none.
    fn check_shape(&mut self, shape: &[u64], wanted: &mut Wanted) -> Result<(), VectorsError> {
        if self.ends_empty && shape.first().is_some_and(|rows| rows + 1 == self.words) {
            self.words -= 1;
            self.wanted.retain(|(row, _)| *row < self.words);
        }
        wanted.total = self.words;
        match shape {
            &[rows, dimensions] if rows == self.words => wanted.set_dimensions(dimensions),
            _ => Err(wanted.array("vectors", format!("shape {shape:?}, expected [{}, dimensions]", self.words))),
        }
    }
}

/// Skips up to `bytes`; returns how many there were.
fn skip(stream: &mut dyn BufRead, bytes: u64) -> io::Result<u64> {
    let mut skipped = 0;
    while skipped < bytes {
        let available = stream.fill_buf()?.len() as u64;
        if available == 0 {
            break;
        }
        let step = available.min(bytes - skipped);
        stream.consume(step as usize);
        skipped += step;
    }
    Ok(skipped)
}

#[cfg(test)]
mod tests;
