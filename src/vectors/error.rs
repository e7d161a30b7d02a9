//! What is wrong with a vector file.

use std::path::PathBuf;

use super::MAX_DIMENSIONS;
use crate::error::FileError;

/// A wanted word whose vector has NaN or infinity.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}: {unit} {number}: the vector of {word:?} has {value}, expected finite numbers", path.display())]
pub struct NotFinite {
    /// The file.
    pub path: PathBuf,
    /// `line`, `word` or `row`.
    pub unit: &'static str,
    /// From 1.
    pub number: u64,
    /// The word.
    pub word: String,
    /// The value.
    pub value: f32,
}

/// A vector file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VectorsError {
    /// Not there, not readable, or the archive is damaged.
    #[error(transparent)]
    File(#[from] FileError),
    /// The first bytes are of no format that is read.
    #[error(
        "{}: begins with \"{begins}\", expected word vectors: {expected}; of any other table numpy.savez(\"vectors.npz\", \
         words=names, vectors=array) makes one, of gensim's own files KeyedVectors.load(FILE).save_word2vec_format(OUT), of \
         fastText's .bin there is a .vec, what is packed (.bz2, .xz, .7z) is to be unpacked",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its first bytes, escaped.
        begins: String,
        /// The names of the formats.
        expected: String,
    },
    /// An array format inside gzip.
    #[error("{}: {format} inside gzip cannot be read in place, unpack it first", path.display())]
    Packed {
        /// The file.
        path: PathBuf,
        /// Name of the format.
        format: &'static str,
    },
    /// A number of values per word that cannot be.
    #[error("{}: {found} values per word, expected 1 to {MAX_DIMENSIONS}: the file is damaged", path.display())]
    Dimensions {
        /// The file.
        path: PathBuf,
        /// Values per word as the file has it.
        found: u64,
    },
    /// A line with too few or too many values.
    #[error("{}: line {line}: {found} values, expected {expected}", path.display())]
    Values {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// Values of this line.
        found: usize,
        /// Values of every line.
        expected: usize,
    },
    /// A value that is no number.
    #[error("{}: line {line}: {found:?} is not a number", path.display())]
    Number {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// A word that cannot be left out.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// A line or word longer than any file has.
    #[error("{}: {unit} {number} does not end after {limit} bytes: the file is damaged", path.display())]
    Endless {
        /// The file.
        path: PathBuf,
        /// `line` or `word`.
        unit: &'static str,
        /// From 1.
        number: u64,
        /// Bytes read.
        limit: u64,
    },
    /// Bytes where a word should stand.
    #[error(
        "{}: word {number} is no text, expected one after the values before it: the word before it has a blank, or the header \
         another number of values per word; write it as text (gensim: save_word2vec_format with binary=False)", path.display()
    )]
    Word {
        /// The file.
        path: PathBuf,
        /// From 1.
        number: u64,
    },
    /// The file ends before the words it announces.
    #[error(
        "{}: the header announces {announced} words, found {found}: the file was cut off, get it whole; of a selection its first \
         line has to count these alone", path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Words by the header.
        announced: u64,
        /// Complete words.
        found: u64,
    },
    /// An array of an array format is missing or not as expected.
    #[error("{}: array `{array}`: {found}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// `words` or `vectors`.
        array: &'static str,
        /// What is there and what was expected.
        found: String,
    },
}
