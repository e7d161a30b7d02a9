//! What is wrong with a request, or with its files.

use std::path::PathBuf;

use super::made::MADE;
use crate::arrays::WriteEnding;
use crate::config::OptionError;
use crate::device::DeviceError;
use crate::error::{Error, FileError};
use crate::features::FeaturesError;
use crate::files;
use crate::matrices::MatrixError;
use crate::plan::GivenError;
use crate::results::{ClaimError, Clash, ResultsDir};
use crate::stats::alignment::Measure;
use crate::stats::similarity::SimilarityError;
use crate::stats::two_vs_two::TwoVsTwoError;
use crate::vectors::VectorsError;

/// A request that cannot be met.
#[derive(Debug, thiserror::Error)]
pub enum HalvesError {
    /// Correlations where a measure needs the vectors.
    #[error(
        "{}: a matrix of correlations; {measure} needs the vectors: give features (--features), a results directory whose run \
         kept their scales (run it again with this version), or --kernels if correlations are the kernel that is meant",
        path.display()
    )]
    NoVectors {
        /// The file.
        path: PathBuf,
        /// The measure.
        measure: Measure,
    },
    /// A results directory where matrices are expected.
    #[error(
        "{}: a results directory, whose layers are a space for --measure NAME (2v2, rsa-pearson, mknn, cka, …); of one layer give its \
         file in {}", .0.display(), ResultsDir::new(.0).matrices().display()
    )]
    Directory(PathBuf),
    /// A results directory without layers.
    #[error("{}: no rows, expected a row for each layer of the run; run it again", .0.display())]
    NoLayers(PathBuf),
    /// Scales that are none.
    #[error("{}: expected means, standard deviations and units of {concepts} vectors a group; remove the file, or make it again", path.display())]
    Scales {
        /// The file.
        path: PathBuf,
        /// Concepts of the matrix beside it.
        concepts: usize,
    },
    /// A failure on the way.
    #[error(transparent)]
    Reading(Box<Error>),
    /// Features.
    #[error(transparent)]
    Features(#[from] FeaturesError),
    /// A matrix.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// A list of names.
    #[error(transparent)]
    File(#[from] FileError),
    /// A space that is controlled for.
    #[error("{}{}", if .0.is_of_option() { "--" } else { "" }, .0)]
    Given(#[from] GivenError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The ending of --out.
    #[error(transparent)]
    Ending(#[from] WriteEnding),
    /// A file of features twice.
    #[error("{}: given twice, expected each file once; leave one out", .0.display())]
    Twice(PathBuf),
    /// Two files of features would become one.
    #[error("{} and {} would both become {}; rename one, or give each its own --out", first.display(), second.display(), out.display())]
    SameOut {
        /// The one.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// What both would become.
        out: PathBuf,
    },
    /// Somebody else's file in the directory --out.
    #[error(
        "{}: there already, and not made by semgpu similarity ({MADE} beside it does not list it), so it is not replaced: \
         remove it, or give --out another directory", .0.display()
    )]
    Foreign(PathBuf),
    /// Somebody else's file in the place of --out.
    #[error("{}: is there, and no similarity matrix, which would replace it; move it away, or give --out another name", .0.display())]
    NoRsm(PathBuf),
    /// A list of names where that of --out would be, and no matrix that it is of.
    #[error(
        "{}: there already, though {} is not: it would be replaced by the names of the new matrix; move it, or give --out another \
         name", list.display(), out.display()
    )]
    OwnList {
        /// The list.
        list: PathBuf,
        /// --out
        out: PathBuf,
    },
    /// The list beside --out is of other matrices.
    #[error(
        "{}: lists {found} concepts, expected the {expected} of --manifest in their order; matrices beside it may be in its \
         order, so it is not replaced: give --out another directory", path.display()
    )]
    OtherConcepts {
        /// The list.
        path: PathBuf,
        /// Its concepts.
        found: usize,
        /// Concepts of the manifest.
        expected: usize,
    },
    /// Several matrices in a format of one.
    #[error("{}: {groups} groups, and a .csv holds one matrix; write .npy, .npz, .safetensors or .h5", out.display())]
    OneMatrix {
        /// --out
        out: PathBuf,
        /// Groups of the features.
        groups: usize,
    },
    /// One of several files that cannot be a group.
    #[error(
        "{}: {}, and the files are the groups of {}; {}", path.display(),
        if *grouped { "has groups of its own".to_string() } else { format!("other concepts than {}, or in another order", first.display()) },
        out.display(),
        if *grouped { "give --out a directory for a matrix file each" }
        else { "give --concepts, a list of names, to pick and order them, or --out a directory for a matrix each" }
    )]
    NoGroup {
        /// The file.
        path: PathBuf,
        /// One before it.
        first: PathBuf,
        /// Whether it has groups.
        grouped: bool,
        /// --out
        out: PathBuf,
    },
    /// Two of a name, or of names that are one as a file's.
    #[error("--{side}: the name {name:?} {clash}; names tell the results apart: rename one")]
    SameName {
        /// `words` or `images`
        side: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        clash: Clash,
    },
    /// A word model of several matrices.
    #[error("{}: {found} matrices, expected one: a word model has no groups; give one matrix, such as their mean", path.display())]
    WordGroups {
        /// The file.
        path: PathBuf,
        /// Matrices.
        found: usize,
    },
    /// Vectors whose units are called as the concepts are.
    #[error(
        "{}: its columns are called as the concepts are ({name:?}, …), and its rows have no names: if the rows are units, `semgpu \
         similarity FILE --transpose --out RSM.npy` makes the matrix of the columns, which a test takes without --features; if they \
         are the concepts, name them in a first column, or add --by-order", path.display()
    )]
    Turned {
        /// The file.
        path: PathBuf,
        /// The first unit.
        name: String,
    },
    /// Matrices of different concepts, or layers of different groups.
    #[error(
        "{at}: {found} {what}, expected {expected} as in {first}{}; the matrices of a test are of the same {what}, in the same \
         order{remedy}", only.as_ref().map(|name| format!(" ({name:?} is in one of them only)")).unwrap_or_default()
    )]
    Unequal {
        /// The file, and the layer where both are of one file.
        at: String,
        /// `concepts` or `groups`
        what: &'static str,
        /// In this file.
        found: usize,
        /// In the first one.
        expected: usize,
        /// The first one.
        first: String,
        /// A name that one of them lacks.
        only: Option<String>,
        /// What else may have been meant, behind a semicolon.
        remedy: &'static str,
    },
    /// Word vectors.
    #[error(transparent)]
    WordVectors(#[from] VectorsError),
    /// Word vectors, and nothing that says of which words.
    #[error("{}: word vectors: add --concepts FILE with the names of the concepts, a line each, to say which", .0.display())]
    NoWordsNamed(PathBuf),
    /// Concepts without a vector.
    #[error(
        "{}: lacks {count} of {concepts} concepts: {words}; leave them out of all files, or give vectors that have them", path.display()
    )]
    MissingWords {
        /// The file.
        path: PathBuf,
        /// How many it lacks.
        count: usize,
        /// Of so many.
        concepts: usize,
        /// Some of them.
        words: String,
    },
    /// Vectors that do not correlate.
    #[error("{}: {source}", path.display())]
    Vectors {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: SimilarityError,
    },
    /// Files of other concepts.
    #[error(
        "{}: names other concepts than {}: it has {other:?} and lacks {missing:?}; leave out what is not in both, or add \
         --by-order if all are in one order whatever they are called", path.display(), from.display()
    )]
    OtherNames {
        /// The file.
        path: PathBuf,
        /// A name of its own.
        other: String,
        /// Where the names were expected from.
        from: PathBuf,
        /// A name that it lacks.
        missing: String,
    },
    /// A file that names nothing beside others in several orders.
    #[error(
        "{}: names no concepts, and {} and {} have theirs in different orders: add --concepts FILE with the names in this \
         file's order, a line each{}", path.display(), first.display(), other.display(),
        match files::ending(path).as_str() {
            "h5" | "hdf5" => "; a list of names in a group of other arrays is not this one's: move it to the top of the file",
            _ => "",
        }
    )]
    Unnamed {
        /// The file.
        path: PathBuf,
        /// One that names them.
        first: PathBuf,
        /// One that names them in another order.
        other: PathBuf,
    },
    /// Files that share two lists of names.
    #[error(
        "{} and {} share two lists of names, that of {:?} and that of {:?}, and stand in one order by the one and in another by \
         the other: say by --concepts FILE which are the concepts, a line each", first.display(), path.display(), names[0], names[1]
    )]
    TwoOrders {
        /// The file.
        path: PathBuf,
        /// The first that names its concepts.
        first: PathBuf,
        /// What the two lists begin with.
        names: [String; 2],
    },
    /// A file whose names are places in an order that a file beside it may have or not.
    #[error(
        "{}: numbers its rows in another order than they stand in ({numbers}, …), and {} names none: sort the one by its \
         numbers (pandas: sort_index), name the concepts in both, or add --by-order if they are in one order", path.display(), other.display()
    )]
    Places {
        /// The file.
        path: PathBuf,
        /// Its first numbers.
        numbers: String,
        /// The one that names none.
        other: PathBuf,
    },
    /// Groups with other names.
    #[error(
        "{}: names the group {other:?}, expected those of {}; words and layers of a test have the same groups{}", path.display(),
        first.display(),
        if path == first { " (a descriptor of the groups' own, such as an age, makes layers of them: remove it from the file)" } else { ", by name: add --by-order if they stand in one order" }
    )]
    OtherGroups {
        /// The file.
        path: PathBuf,
        /// A group of its own.
        other: String,
        /// The file with the groups.
        first: PathBuf,
    },
    /// Categories in an order that nothing names.
    #[error(
        "{}: a category per line, and the files are in different orders: add --concepts FILE with the names in the order of \
         the categories, a line each", .0.display()
    )]
    CategoriesOrder(PathBuf),
    /// A list that does not fit.
    #[error(
        "{}: {found} lines, expected {expected}: one {what} per concept, in the matrices' order{}", path.display(),
        blank.map(|line| format!("; line {line} is blank, and not counted")).unwrap_or_default()
    )]
    Lines {
        /// The file.
        path: PathBuf,
        /// `name` or `category`
        what: &'static str,
        /// Lines.
        found: usize,
        /// Concepts.
        expected: usize,
        /// A line between others, from 1, that says nothing.
        blank: Option<usize>,
    },
    /// A list of layers that does not fit.
    #[error("{}: {found} lines, expected {expected}: one name per matrix of {}", path.display(), of.display())]
    Layers {
        /// The list.
        path: PathBuf,
        /// Lines.
        found: usize,
        /// Matrices.
        expected: usize,
        /// The array.
        of: PathBuf,
    },
    /// A concept twice.
    #[error("{}: the concept {name:?} stands twice; names tell the results apart", path.display())]
    SameConcept {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A row without a correlation.
    #[error(
        "{}: group {group}: concept {concept} has no correlation (its row is NaN: a constant vector); leave it out{}",
        path.display(), if *words { "" } else { ", or add --constant half, which scores its pairs half" }
    )]
    Constant {
        /// The file.
        path: PathBuf,
        /// The group.
        group: String,
        /// The concept.
        concept: String,
        /// Whether it is a word.
        words: bool,
    },
    /// A row that does not vary.
    #[error(
        "{}: group {group}: concept {concept} is equally similar to all others: its row has no correlation (leave it out)",
        path.display()
    )]
    Flat {
        /// The file.
        path: PathBuf,
        /// The group.
        group: String,
        /// The concept.
        concept: String,
    },
    /// A matrix that the test cannot be made with.
    #[error("{}: {source}", path.display())]
    Untestable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: TwoVsTwoError,
    },
    /// --out.
    #[error(transparent)]
    Out(#[from] ClaimError),
    /// A value that its option does not take.
    #[error("--{} {}: expected {}", .0.option.replace('_', "-"), .0.found, .0.expected)]
    Option(OptionError),
}

impl From<HalvesError> for Error {
    fn from(error: HalvesError) -> Self {
        match error {
            HalvesError::Reading(error) => *error,
            HalvesError::Out(error) => error.into(),
            error => Self::input(error),
        }
    }
}

impl From<OptionError> for HalvesError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}
