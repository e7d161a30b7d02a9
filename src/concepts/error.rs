//! What can be wrong with classes, labels, images and vocabularies.

use std::path::PathBuf;

use crate::error::FileError;
use crate::stats::two_vs_two::FEWEST_CONCEPTS;
use crate::vectors::VectorsError;
use crate::wording::counted;

/// Input from which no concepts can be selected.
#[derive(Debug, thiserror::Error)]
pub enum ConceptsError {
    /// Not there, or not readable.
    #[error(transparent)]
    File(#[from] FileError),
    /// A vocabulary that cannot be used.
    #[error(transparent)]
    Vectors(#[from] VectorsError),
    /// No word model.
    #[error("no word vectors: give --words NAME=FILE, once for each word model")]
    NoWords,
    /// Two word models of one name.
    #[error("--words: two word models are called {0:?}, give each a name of its own")]
    SameName(String),
    /// No image per concept.
    #[error("--per-concept is 0, expected 1 or more (the paper: 5)")]
    NoImagesAsked,
    /// No case to look names up in.
    #[error("--case is empty, expected as-is, lower or upper")]
    NoCase,
    /// A folder where a file is to be written.
    #[error("{}: is a folder, expected the name of the file to write", .0.display())]
    OutIsFolder(PathBuf),
    /// A file to write that is one of those given.
    #[error("{option} {}: is the file of {other} too, which would be overwritten; give {option} a name of its own", path.display())]
    OutIsTaken {
        /// `--out` or `--report`
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// The other option.
        other: &'static str,
    },
    /// Another file in the place of one to write.
    #[error("{option} {}: is there, and no {what} of semgpu's, which would replace it; move it away, or give {option} another name", path.display())]
    OutIsOther {
        /// `--out` or `--report`
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// `manifest` or `report`
        what: &'static str,
    },
    /// The images' folder cannot be read.
    #[error("--images {}: {source}, expected a folder of images per class, or one folder with --labels", folder.display())]
    Images {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A folder without images, or of folders beside labels.
    #[error("--images {}: {found}, expected images, or a folder of them per class", folder.display())]
    NoImages {
        /// The folder.
        folder: PathBuf,
        /// What there is.
        found: String,
    },
    /// A flat folder without labels.
    #[error(
        "{}: no folder per class, but {}: give --labels FILE, the class of each image (Caffe's val.txt, \
         Kaggle's LOC_val_solution.csv, or lines `image wnid`)", folder.display(), counted(images, "image")
    )]
    Flat {
        /// The folder.
        folder: PathBuf,
        /// Its images.
        images: usize,
    },
    /// A file name that cannot stand in a manifest.
    #[error("{}: the name is not UTF-8, rename it", .0.display())]
    Name(PathBuf),
    /// A list of names alone.
    #[error(
        "{}: line {line}: {found:?}, expected a class's folder, then a tab (or a blank, if the folder's name has none), then its \
         names separated by commas", path.display()
    )]
    NoFolder {
        /// The list.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What stands first.
        found: String,
    },
    /// A file of classes without classes.
    #[error("{}: no classes, expected lines `folder name, name, …`", .0.display())]
    NoClasses(PathBuf),
    /// A class twice.
    #[error("{}: line {line}: class {class:?} stands in line {first} already", path.display())]
    SameClass {
        /// The file of classes.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Where it stands first.
        first: usize,
        /// The class.
        class: String,
    },
    /// An image with two labels.
    #[error("{}: line {line}: {image} has another label in line {first}", path.display())]
    TwoLabels {
        /// The labels.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Where it stands first.
        first: usize,
        /// The image.
        image: String,
    },
    /// Labels of other images.
    #[error(
        "{}: none of its {labels} labels is for any of the {images} images (the first is {example:?}), expected lines \
         `image class`, or line n for the image whose name ends in n", path.display()
    )]
    NoLabelFits {
        /// The labels.
        path: PathBuf,
        /// How many.
        labels: usize,
        /// Images in the folder.
        images: usize,
        /// One of them.
        example: String,
    },
    /// Places that are not the images' numbers.
    #[error(
        "{}: {labels} labels without images' names for {found}, expected one line for each image, numbered from 1; give lines \
         `image class`", path.display()
    )]
    Unnamed {
        /// The labels.
        path: PathBuf,
        /// How many.
        labels: usize,
        /// The images.
        found: String,
    },
    /// A number that is no class.
    #[error(
        "{}: line {line}: {found:?} among names of classes: a number is no name; expected wnids, words, or whole numbers \
         throughout", path.display()
    )]
    NumberAmongNames {
        /// The labels.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The number.
        found: String,
    },
    /// Several columns, none of which is called as classes are.
    #[error("{}: line {line}: columns {header}: expected one called label, class, wnid or class_index", path.display())]
    LabelColumns {
        /// The labels.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The columns.
        header: String,
    },
    /// Numbers that count in an order of their own.
    #[error(
        "{}: numbers up to {largest} that do not count from 0: the devkit's ILSVRC2012 ids, whose order is not that of the \
         class index; give --devkit map_clsloc.txt (lines `n02119789 1 kit_fox`), or labels that name wnids",
        path.display()
    )]
    UnknownOrder {
        /// The labels.
        path: PathBuf,
        /// The largest number.
        largest: u32,
    },
    /// A number without a wnid.
    #[error("{}: line {line}: number {number} is not in {}", path.display(), devkit.display())]
    NotInDevkit {
        /// The labels.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The number.
        number: String,
        /// The mapping.
        devkit: PathBuf,
    },
    /// A line of the devkit's mapping that is none.
    #[error("{}: line {line}: {found:?}, expected a wnid and its number (`n02119789 1 kit_fox`)", path.display())]
    Devkit {
        /// The mapping.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The line.
        found: String,
    },
    /// A number of the devkit with two wnids.
    #[error(
        "{}: line {line}: number {number} is {}, and {} in a line before; expected one wnid for each number", path.display(), found[1],
        found[0]
    )]
    TwoWnids {
        /// The mapping.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The number.
        number: u32,
        /// The first one, and the one in this line.
        found: [String; 2],
    },
    /// A quotation mark that opens a field and closes none.
    #[error(
        "{}: line {line}: {found:?}: a quotation mark that is not paired; expected a field's marks right beside what separates \
         it, without blanks", path.display()
    )]
    LabelQuote {
        /// The labels.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The line.
        found: String,
    },
    /// A concept with two categories.
    #[error(
        "{}: line {line}: {concept:?} is of category {:?}, and of {:?} in line {first}; expected one", path.display(), found[1],
        found[0]
    )]
    TwoCategories {
        /// The categories.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// Where it stands first.
        first: u64,
        /// The concept.
        concept: String,
        /// The category there, and the one in this line.
        found: [String; 2],
    },
    /// The categories lack a column.
    #[error("{}: columns {found:?}, expected concept,category", path.display())]
    CategoryColumns {
        /// The categories.
        path: PathBuf,
        /// The first line.
        found: String,
    },
    /// Concepts without a category.
    #[error(
        "{}: no category for {}: {}; add what is missing, by name or by class", path.display(),
        counted(concepts.len(), "concept"), concepts.join(", ")
    )]
    NoCategory {
        /// The categories.
        path: PathBuf,
        /// The concepts.
        concepts: Vec<String>,
    },
    /// Too few concepts for the test.
    #[error(
        "{}, the 2 vs. 2 test needs at least {FEWEST_CONCEPTS}{remedy}: {summary}; every class and its reason: {}",
        counted(concepts, "concept"), report.display()
    )]
    Few {
        /// Concepts left.
        concepts: usize,
        /// How many there are with fewer images of each, if that is enough.
        remedy: String,
        /// How it came to that.
        summary: String,
        /// The report.
        report: PathBuf,
    },
}
