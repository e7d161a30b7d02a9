//! What can be wrong with features.

use std::path::PathBuf;

use crate::arrays::{ArrayError, Unread};
use crate::error::FileError;

/// Features that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FeaturesError {
    /// The file.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// A list of names.
    #[error(transparent)]
    File(#[from] FileError),
    /// Axes without a meaning.
    #[error(
        "{}: shape {shape:?}, expected [concepts, units] or [groups, concepts, units]; {}", path.display(), match shape.len() {
            0 | 1 => "where every array of the file is one vector, `semgpu similarity FILE --stack` takes them all; of a file \
                      with other arrays a test takes the one of NAME=FILE::ARRAY, `semgpu similarity` that of --key ARRAY",
            _ => "for [concepts, channels, height, width] add --flatten, which takes the first axis as the concepts and all \
                  others as their units",
        }
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// As found.
        shape: Vec<usize>,
    },
    /// Three axes that may be either.
    #[error(
        "{}: shape {shape:?} may be [groups, concepts, units] or [concepts, tokens, units]: `semgpu similarity` makes matrices \
         of either, with --groups {} of the first, with --token cls, --token mean or --token all (every unit of every token a \
         unit) of the second; layers, [layers, concepts, units], are an array each: numpy.savez(\"layers.npz\", *layers)",
        path.display(), shape[0]
    )]
    Tokens {
        /// The file.
        path: PathBuf,
        /// As found.
        shape: Vec<usize>,
    },
    /// Tokens of which there are none.
    #[error("{}: shape {shape:?}: {found}, expected [concepts, tokens, units] for --token", path.display())]
    NoTokens {
        /// The file.
        path: PathBuf,
        /// As found.
        shape: Vec<usize>,
        /// What is wrong with it.
        found: String,
    },
    /// A table with a gap.
    #[error("{}: line {line}, column {column}: {found:?}, expected a number; leave the concept or the unit out", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// From 1.
        column: usize,
        /// What stands there.
        found: String,
    },
    /// Names that the file has not.
    #[error("{}: --concepts names {count} that no vector has ({concepts}); the file has {names}, …", path.display())]
    NoSuchRows {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// Some of them.
        concepts: String,
        /// Some of the file's.
        names: String,
    },
    /// Names to find vectors by, of a file that names none.
    #[error(
        "{}: --concepts finds vectors by name, and this file names none; --rows FILE names them, a line each, in their order{}",
        path.display(), unread.as_ref().map(|list| format!(" ({} is {})", list.name, list.why)).unwrap_or_default()
    )]
    NamesNone {
        /// The file.
        path: PathBuf,
        /// What may be their names.
        unread: Option<Unread>,
    },
    /// Two lists of names by which vectors stand in different places.
    #[error(
        "{}: two lists name its rows, and differ first in {:?} and {:?}: leave one out, or say by --rows FILE, a line each, which \
         row is which", path.display(), names[0], names[1]
    )]
    TwoLists {
        /// The file.
        path: PathBuf,
        /// The first two names by which they differ.
        names: [String; 2],
    },
    /// A group in another order than the first.
    #[error(
        "{}: group {group} has the names of the first in another order ({name:?} stands elsewhere); give --concepts, a list of \
         names, which puts every group in its order", path.display()
    )]
    GroupOrder {
        /// The file.
        path: PathBuf,
        /// From 1.
        group: usize,
        /// The first that stands elsewhere.
        name: String,
    },
    /// Two vectors of one concept.
    #[error(
        "{}: {name:?}, which --concepts asks for, names rows {first} and {second} (from 0), expected one vector for each concept: \
         leave one out, rename one, or, if they are of groups that stand one after the other, add --groups", path.display()
    )]
    Twice {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// Counted from 0, in its group.
        first: usize,
        /// Counted from 0, in its group.
        second: usize,
    },
    /// Two images with one vector.
    #[error(
        "{}: the vector {row:?} is of two images, {first} and {image}; expected one for each: give the vectors' names with \
         their folders in --rows", path.display()
    )]
    OneForTwo {
        /// The file.
        path: PathBuf,
        /// The vector's name.
        row: String,
        /// The one image.
        first: String,
        /// The other, with its concept and group.
        image: String,
    },
    /// Nothing to correlate.
    #[error("{}: shape {shape:?}: {found}, expected at least {expected}", path.display())]
    Few {
        /// The file.
        path: PathBuf,
        /// As found.
        shape: Vec<usize>,
        /// What there are too few of.
        found: String,
        /// At least.
        expected: &'static str,
    },
    /// Arrays of one file that are no vectors of the same units.
    #[error("{}: --stack: array {name:?} has {found} values, {first:?} has {expected}", path.display())]
    Stack {
        /// The file.
        path: PathBuf,
        /// The array.
        name: String,
        /// Its values.
        found: usize,
        /// The first array.
        first: String,
        /// Its values.
        expected: usize,
    },
    /// The vectors cannot be dealt into groups.
    #[error("{}: --groups {groups}: {found}", path.display())]
    Groups {
        /// The file.
        path: PathBuf,
        /// As asked for.
        groups: usize,
        /// Why not.
        found: String,
    },
    /// A list with the file's own names in another order.
    #[error(
        "{}: names its rows as --rows does, in another order ({name:?} stands elsewhere); leave --rows out, and pick and order \
         them by --concepts", path.display()
    )]
    RowsOrder {
        /// The file.
        path: PathBuf,
        /// The first that stands elsewhere.
        name: String,
    },
    /// A list of names that does not fit.
    #[error("{}: {found} vectors, --rows names {names}; expected one name per vector, in their order", path.display())]
    Rows {
        /// The file.
        path: PathBuf,
        /// Vectors.
        found: usize,
        /// Names.
        names: usize,
    },
    /// The manifest without names to find vectors by.
    #[error(
        "{}: --manifest finds vectors by name, and this file names none: add --rows with the images' file names, a line \
         each, in the vectors' order (thingsvision writes file_names.txt)", .0.display()
    )]
    NoRows(PathBuf),
    /// An image without a vector, or with several.
    #[error("{}: {count} vectors for the image {image}, expected one of that file name (names of the file: {names}, …)", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Vectors found.
        count: usize,
        /// Of the manifest, with its concept and group.
        image: String,
        /// Some of the vectors' names.
        names: String,
    },
    /// A value that is no number.
    #[error(
        "{}: {row}: a value is NaN, infinite or beyond 1e150 (its square is no number), expected numbers that can be squared; leave \
         units (voxels) that have such a value in any row out of all rows, or the row out", path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Which vector.
        row: String,
    },
    /// A vector without variance.
    #[error(
        "{}: {row}: all values are the same up to rounding, or differ by less than 1e-160, whose square is 0: it correlates with \
         nothing; leave it out, or scale it (of images, `semgpu test --constant half` counts its pairs as half)", path.display()
    )]
    Constant {
        /// The file.
        path: PathBuf,
        /// Which vector.
        row: String,
    },
}
