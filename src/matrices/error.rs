//! What can be wrong with a file of matrices.

use std::path::{Path, PathBuf};

use super::checks::ROUNDING;
use super::found::concepts_of;
use super::{Entries, Side};
use crate::arrays::{self, ArrayError};
use crate::error::FileError;
use crate::files;
use crate::names::Unfit;
use crate::stats::two_vs_two::FEWEST_CONCEPTS;

/// What reads a file of features: those of one side only leave word vectors on the other what they are.
const FEATURES: &str = "features are read with --features images (of --images), words or both";

/// A file whose contents are no similarity matrices.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// The file.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// Axes without a meaning.
    #[error(
        "{}: shape {shape:?}, expected [concepts, concepts], [groups, concepts, concepts], or what is above the diagonal, \
         [concepts (concepts - 1) / 2], for each group; {FEATURES}, or become matrices by `semgpu similarity`{}",
        path.display(), stood_otherwise(shape)
    )]
    Shape {
        /// The file.
        path: PathBuf,
        /// As found.
        shape: Vec<usize>,
    },
    /// k - 2 entries leave no freedom.
    #[error(
        "{}: shape {shape:?}, {concepts} concepts, expected {FEWEST_CONCEPTS} or more: the 2 vs. 2 test leaves two out{}",
        path.display(),
        match shape[..] {
            [k, l] if k == l => String::new(),
            [_, 3] => format!(
                "; {FEATURES}, and lines of two numbers for concepts and a similarity where every pair has one value{}",
                stood_otherwise(shape)
            ),
            _ => format!("; {FEATURES}{}", stood_otherwise(shape)),
        }
    )]
    Few {
        /// The file.
        path: PathBuf,
        /// As found.
        shape: Vec<usize>,
        /// Concepts.
        concepts: usize,
    },
    /// Nothing tells r from 1 - r.
    #[error(
        "{}: shape {shape:?}: if these are vectors, a row for each concept, say --features {of}{}; if they are the entries above the \
         diagonal of matrices of {concepts} concepts, say --similarities {of} (they are r) or --distances {of} (they are 1 - r); \
         {FEATURES}, or become matrices by `semgpu similarity`",
        path.display(), if *side == Side::Words { " (word vectors)" } else { "" }, of = side.name()
    )]
    Untold {
        /// The file.
        path: PathBuf,
        /// Which of the two spaces it is of.
        side: Side,
        /// As found.
        shape: Vec<usize>,
        /// That so many pairs have.
        concepts: usize,
    },
    /// Groups that are several of what they are said to be.
    #[error(
        "{}: its matrices are told apart by {others}, and --groups-are {said:?} counts each as one of its own: average what is of \
         one first, or say what each is, --groups-are \"{}\"", path.display(), others.replace(" and ", "-")
    )]
    Nested {
        /// The file.
        path: PathBuf,
        /// The descriptor that was said.
        said: String,
        /// All that tell groups apart.
        others: String,
    },
    /// A triangle, or pairs, and no diagonal that tells r from 1 - r.
    #[error(
        "{}: no diagonal tells what the entries are: say --similarities {of} (they are r) or --distances {of} (they are 1 - r)",
        path.display(), of = side.name()
    )]
    NoDiagonal {
        /// The file.
        path: PathBuf,
        /// Which of the two spaces it is of.
        side: Side,
    },
    /// Names of which nothing says what they pair.
    #[error(
        "{}: {columns} columns of text beside one of numbers: expected two with names in common, whose pairs the numbers are of, a \
         line for each; leave the others out", path.display()
    )]
    NoPairs {
        /// The file.
        path: PathBuf,
        /// Of text.
        columns: usize,
    },
    /// A list of pairs with several numbers for each.
    #[error(
        "{}: {columns} columns of numbers behind the names of pairs, expected one: leave the others out (with pandas: \
         pandas.read_csv(FILE).drop(columns=[…]).to_csv(FILE, index=False))", path.display()
    )]
    PairColumns {
        /// The file.
        path: PathBuf,
        /// Of numbers.
        columns: usize,
    },
    /// A list of pairs with a gap.
    #[error(
        "{}: {missing} of {} pairs of its {concepts} concepts {} missing: {a:?} and {b:?}; expected a line for each pair",
        path.display(), concepts * (concepts - 1) / 2, if *missing == 1 { "is" } else { "are" }
    )]
    NoPair {
        /// The file.
        path: PathBuf,
        /// One of the first pair that is missing.
        a: String,
        /// The other.
        b: String,
        /// Missing pairs.
        missing: usize,
        /// Concepts in all lines.
        concepts: usize,
    },
    /// A list of pairs with two values for one.
    #[error(
        "{}: {a:?} and {b:?} are {} in one line and {} in another, expected one value for a pair; average them first",
        path.display(), values[0], values[1]
    )]
    PairTwice {
        /// The file.
        path: PathBuf,
        /// One of them.
        a: String,
        /// The other.
        b: String,
        /// What stands in the first line and in the other.
        values: [f64; 2],
    },
    /// A diagonal that is neither.
    #[error(
        "{}: {at}: the diagonal has {found} in row {row} (from 0), expected 1 throughout (correlations) or 0 \
         throughout (distances 1 - r), to within {ROUNDING}; is it a similarity matrix? `semgpu similarity` makes one of vectors{}",
        path.display(), square_words(path)
    )]
    Diagonal {
        /// The file.
        path: PathBuf,
        /// Which matrix.
        at: String,
        /// Counted from 0.
        row: usize,
        /// The entry.
        found: f64,
    },
    /// A diagonal that tells the contrary of what the user says.
    #[error("{}: {at}: {}", path.display(), contradiction(*side, *told, form, *concepts))]
    Contradicted {
        /// The file.
        path: PathBuf,
        /// Which matrix.
        at: String,
        /// Which of the two spaces it is of.
        side: Side,
        /// What the diagonal tells.
        told: Entries,
        /// `square`, `lower triangle`, `upper triangle` or `pairs`
        form: &'static str,
        /// Concepts.
        concepts: usize,
    },
    /// Two entries of one pair.
    #[error(
        "{}: {at}: the entry in row {row}, column {column} (from 0) is {found}, its mirror image {mirrored}, expected \
         the same to within {ROUNDING}; a similarity matrix is symmetric", path.display()
    )]
    Asymmetric {
        /// The file.
        path: PathBuf,
        /// Which matrix.
        at: String,
        /// Counted from 0.
        row: usize,
        /// Counted from 0.
        column: usize,
        /// The entry.
        found: f64,
        /// The other.
        mirrored: f64,
    },
    /// A table with a gap.
    #[error(
        "{}: line {line}, column {column}: {found:?}, expected a number; leave the concept out (a row and a column of NaN alone \
         is a constant vector's)", path.display()
    )]
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
    /// An entry that is no correlation.
    #[error(
        "{}: {at}: the entry in row {row}, column {column} (from 0) is {found}, expected {expected}; {}correlate the features \
         by `semgpu similarity`, or by numpy's corrcoef; ratings become 0 to 1 by (x - least) / (most - least)", path.display(),
        match side {
            _ if found.is_nan() => "leave one of the two concepts out of every matrix where a pair has no value; else ".to_string(),
            Some(side) => format!(
                "correlations beside a diagonal of 0 are read with --similarities {}, or get a diagonal of 1; else ", side.name()
            ),
            None => String::new(),
        }
    )]
    Entry {
        /// The file.
        path: PathBuf,
        /// Which matrix.
        at: String,
        /// Counted from 0.
        row: usize,
        /// Counted from 0.
        column: usize,
        /// The entry.
        found: f64,
        /// The range.
        expected: &'static str,
        /// The side, of what may be a correlation among distances.
        side: Option<Side>,
    },
    /// rsatoolbox's RDMs by another measure.
    #[error(
        "{}: dissimilarity_measure is {}, expected \"correlation\" (1 - r): the test compares correlations; \
         rsatoolbox.rdm.calc_rdm(…, method=\"correlation\") computes them{}", path.display(),
        found.as_ref().map_or("not given".to_string(), |found| format!("{found:?}")),
        if found.is_none() { format!("; if they are correlation distances, add --distances {}", side.name()) } else { String::new() }
    )]
    Measure {
        /// The file.
        path: PathBuf,
        /// Which of the two spaces it is of.
        side: Side,
        /// As the file says.
        found: Option<String>,
    },
    /// Several matrices of which nothing says what they are.
    #[error(
        "{}: {count} matrices: {found}; take one by NAME=FILE::LAYER or, counted from 0, NAME=FILE::0, or say what they are \
         of one layer: --groups-are subjects", path.display()
    )]
    Several {
        /// The file.
        path: PathBuf,
        /// Its matrices.
        count: usize,
        /// What was found of them.
        found: String,
    },
    /// Rows and columns of other concepts.
    #[error(
        "{}: rows and columns have other names ({row:?} names no column): a similarity matrix has the same; rename them, or \
         leave them out (of what R prints of a dist write.csv(as.matrix(x), FILE) writes all)", path.display()
    )]
    RowsAndColumns {
        /// The file.
        path: PathBuf,
        /// The first name of a row that no column has.
        row: String,
    },
    /// Names that are meant to be the concepts' and cannot be.
    #[error(
        "{}: names of the concepts: {why}; expected one list with a name for each, all different: mend the names, or take out \
         what is not theirs (semgpu test --by-order takes no notice of names)", path.display()
    )]
    Names {
        /// The file or list.
        path: PathBuf,
        /// What is wrong with them.
        why: Unfit,
    },
    /// A folder without matrices.
    #[error("{}: a folder without arrays, expected a file for each layer ({})", .0.display(), arrays::endings())]
    NoFiles(PathBuf),
    /// A list.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What a diagonal and the user say of the entries, and what settles it.
fn contradiction(side: Side, told: Entries, form: &str, concepts: usize) -> String {
    let (of, other) = match side {
        Side::Words => (Side::Words.name(), Side::Images.name()),
        Side::Images => (Side::Images.name(), Side::Words.name()),
    };
    match told {
        Entries::Distances => format!(
            "a diagonal of 0, as distances have, and --similarities: if it holds correlations, name the side, --similarities {of} \
             (or both); if it holds distances, leave --similarities out, or say --similarities {other} alone"
        ),
        Entries::Similarities => {
            // Lines that end with 1 may lack the diagonal.
            let lacking = match form.ends_with("triangle") {
                true => format!(
                    "; if it lacks its diagonal and is of {} concepts, name its rows, the first of which has no numbers",
                    concepts + 1
                ),
                false => String::new(),
            };
            format!(
                "a diagonal of 1, as correlations have, and --distances: if it holds correlations, leave --distances out, or say \
                 --distances {other} alone, and make squares of {of} that are pairs (scipy's squareform); distances have a diagonal \
                 of 0{lacking}"
            )
        }
    }
}

/// The remedy where text may be of as many word vectors as they have values.
fn square_words(path: &Path) -> &'static str {
    match files::ending(path).as_str() {
        "txt" => "; word vectors in text, as many as each has values, are told by the ending .vec",
        _ => "",
    }
}

/// The remedy where the matrices stand side by side along the last axis, as MATLAB's do, or as columns of their pairs, or where each
/// layer has its groups.
fn stood_otherwise(shape: &[usize]) -> &'static str {
    match *shape {
        [k, l, _] if k == l => "; groups come first: permute(x, [3 1 2]) in MATLAB, numpy.moveaxis(x, -1, 0)",
        [pairs, _] if concepts_of(pairs).is_some_and(|concepts| concepts >= FEWEST_CONCEPTS) => {
            "; if each column is a matrix, groups come first: x' in MATLAB, x.T in numpy, t(x) in R"
        }
        [_, _, k, l] if k == l => {
            "; of layers (times, regions) with groups each layer has a file in a folder (--images NAME=FOLDER), layers first: \
             for n, layer in enumerate(x): numpy.save(f\"layers/{n}.npy\", layer)"
        }
        _ => "",
    }
}
