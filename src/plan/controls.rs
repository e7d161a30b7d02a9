//! The spaces that are controlled for: named ones exist, files are read.

use std::path::PathBuf;

use crate::config::{ControlsConfig, Given as Wanted};
use crate::evaluation::controls::{CATEGORY, Controls, Given, Place, category_rsm, says_something};
use crate::matrices::{self, MatrixError, Reading, Side, Source};
use crate::names;
use crate::stats::Rsm;
use crate::stats::partition::MOST_SPACES;
use crate::wording::meant;

/// A space that cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    /// No such space.
    #[error("{what} {name:?}: there is no such space; expected one of {}, or NAME=FILE{}", known.join(", "), meant(name, known.iter().map(String::as_str)))]
    Unknown {
        /// `given` or `partition`
        what: &'static str,
        /// As asked for.
        name: String,
        /// The experiment's own.
        known: Vec<String>,
    },
    /// Several of one name.
    #[error("{what} {name:?}: a layer, a word model or the categories have the same name; rename one")]
    Ambiguous {
        /// `given` or `partition`
        what: &'static str,
        /// As asked for.
        name: String,
    },
    /// One twice.
    #[error("{what} {name:?}: it stands twice, or a file has a name that the experiment has too; remove or rename one")]
    Twice {
        /// `given` or `partition`
        what: &'static str,
        /// As asked for.
        name: String,
    },
    /// Too many to partition.
    #[error("partition: {found} spaces, expected one to {MOST_SPACES}")]
    TooMany {
        /// As asked for.
        found: usize,
    },
    /// Every concept its own category, or all one.
    #[error("{what} {CATEGORY:?}: all pairs of concepts are {}, so the categories say nothing; remove it", if *.alike { "of one category" } else { "of different categories" })]
    Categories {
        /// `given` or `partition`
        what: &'static str,
        /// All of one.
        alike: bool,
    },
    /// A file that cannot be read.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// Several spaces in a file.
    #[error("{}: {found} spaces, expected one; name its array: NAME=FILE::ARRAY", path.display())]
    Several {
        /// The file.
        path: PathBuf,
        /// How many.
        found: usize,
    },
    /// Of other concepts.
    #[error("{}: {found} concepts, expected the test's {expected}", path.display())]
    Concepts {
        /// The file.
        path: PathBuf,
        /// In the file.
        found: usize,
        /// Of the test.
        expected: usize,
    },
    /// Of concepts with other names.
    #[error("{}: names other concepts than the test's; give the matrix of the same ones", .0.display())]
    OtherNames(PathBuf),
    /// Of other groups.
    #[error("{}: {found} matrices, expected one, or one for each of the {expected} groups of images", path.display())]
    Groups {
        /// The file.
        path: PathBuf,
        /// In the file.
        found: usize,
        /// Of the test.
        expected: usize,
    },
    /// Nothing to control for.
    #[error("{}: a matrix whose entries are all the same, or are not numbers, says nothing; expected similarities of all concepts", .0.display())]
    Nothing(PathBuf),
}

/// What an experiment has of its own.
pub struct Own<'a> {
    /// Names of layers.
    pub layers: Vec<&'a str>,
    /// Names of word models.
    pub words: Vec<&'a str>,
    /// A category per concept.
    pub categories: Option<&'a [String]>,
    /// Names of concepts.
    pub concepts: &'a [String],
    /// Whether files that name their concepts are put in this order.
    pub by_name: bool,
    /// Groups of images.
    pub groups: usize,
}

impl Own<'_> {
    /// Finds or reads every space.
    ///
    /// # Errors
    /// The first one that cannot be given.
    pub fn controls(&self, wanted: &ControlsConfig, reading: &Reading) -> Result<Controls, GivenError> {
        let found = wanted.partition.len();
        if found > MOST_SPACES {
            return Err(GivenError::TooMany { found });
        }
        Ok(Controls {
            given: self.spaces("given", &wanted.given, reading)?,
            partition: self.spaces("partition", &wanted.partition, reading)?,
        })
    }

    fn spaces(&self, what: &'static str, wanted: &[Wanted], reading: &Reading) -> Result<Vec<Given>, GivenError> {
        let mut spaces: Vec<Given> = Vec::new();
        for Wanted { name, file } in wanted {
            let own = Place::all(name, &self.layers, &self.words, self.categories.is_some());
            if spaces.iter().any(|space| space.name == *name) || (file.is_some() && !own.is_empty()) {
                return Err(GivenError::Twice { what, name: name.clone() });
            }
            let rsms = match (file, &own[..], self.categories) {
                (Some(source), ..) => Some(self.read(source, reading)?),
                (None, [], _) => {
                    let known = self.words.iter().chain(&self.layers).copied();
                    let known: Vec<&str> = self.categories.map(|_| CATEGORY).into_iter().chain(known).collect();
                    return Err(GivenError::Unknown {
                        what,
                        name: name.clone(),
                        known: known.iter().map(|&space| space.into()).collect(),
                    });
                }
                (None, [Place::Category], Some(categories)) => {
                    let alike = categories.iter().all(|category| *category == categories[0]);
                    if !says_something(&category_rsm(categories)) {
                        return Err(GivenError::Categories { what, alike });
                    }
                    None
                }
                (None, [_], _) => None,
                (None, ..) => return Err(GivenError::Ambiguous { what, name: name.clone() }),
            };
            spaces.push(Given { name: name.clone(), rsms });
        }
        Ok(spaces)
    }

    fn read(&self, source: &Source, reading: &Reading) -> Result<Vec<Rsm>, GivenError> {
        let path = || source.path.clone();
        let mut read = matrices::read(source, Side::Images, reading)?;
        if read.len() != 1 {
            return Err(GivenError::Several { path: path(), found: read.len() });
        }
        let matrices = read.remove(0);
        let (found, expected) = (matrices.rsms[0].concepts(), self.concepts.len());
        if found != expected {
            return Err(GivenError::Concepts { path: path(), found, expected });
        }
        let (found, expected) = (matrices.rsms.len(), self.groups);
        if found != 1 && found != expected {
            return Err(GivenError::Groups { path: path(), found, expected });
        }
        let rsms = if matrices.names.is_empty() || !self.by_name {
            matrices.rsms
        } else {
            let order = names::order(self.concepts, &matrices.names);
            let order = order.ok_or_else(|| GivenError::OtherNames(path()))?;
            matrices.rsms.iter().map(|rsm| matrices::reordered(rsm, &order)).collect()
        };
        if rsms.iter().all(says_something) { Ok(rsms) } else { Err(GivenError::Nothing(path())) }
    }
}
