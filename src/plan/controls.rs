//! The spaces that are controlled for: named ones exist, files are read.

use std::path::PathBuf;

use crate::config::{ControlsConfig, Given};
use crate::evaluation::controls::{CATEGORY, Control, Controls, Place, category_rsm, says_something};
use crate::matrices::{self, Matrices, MatrixError, Read, Reading, Side, Source};
use crate::names;
use crate::stats::Rsm;
use crate::stats::partition::MOST_SPACES;
use crate::wording::{SETTLES_ORDER, meant, order_taken};

/// A space that cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum GivenError {
    /// No such space.
    #[error("{what} {name:?}: there is no such space; expected one of {}, or NAME=FILE{}", known.join(", "), if name == CATEGORY {
        "; categories are said by --categories FILE, in a run by the manifest".to_string()
    } else {
        meant(name, known.iter().map(String::as_str))
    })]
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
    /// What it leaves is nothing.
    #[error(
        "{what} {}: there is no other {of} to test, expected one that is not among these; leave it out, or test more {of}s",
        names.join(", ")
    )]
    Alone {
        /// `given` or `partition`
        what: &'static str,
        /// `layer` or `word model`
        of: &'static str,
        /// As asked for.
        names: Vec<String>,
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
    /// Of concepts that it does not name, where the others are in different orders.
    #[error(
        "{}: names no concepts, and the other files have theirs in different orders: add --concepts FILE with the names in the \
         order of this one, or name them in it", .0.display()
    )]
    Unnamed(PathBuf),
    /// Of groups with other names.
    #[error("{}: names the group {other:?}, expected those of the images: {}", path.display(), expected.join(", "))]
    OtherGroups {
        /// The file.
        path: PathBuf,
        /// A group of its own.
        other: String,
        /// Those of the images.
        expected: Vec<String>,
    },
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

impl GivenError {
    /// Whether it begins with the name of the option, `given` or `partition`, rather than with a file.
    pub fn is_of_option(&self) -> bool {
        matches!(
            self,
            Self::Unknown { .. }
                | Self::Ambiguous { .. }
                | Self::Twice { .. }
                | Self::Alone { .. }
                | Self::TooMany { .. }
                | Self::Categories { .. }
        )
    }
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
    /// Whether anything names the concepts.
    pub named: bool,
    /// Whether files that name their concepts are put in the experiment's order.
    pub by_name: bool,
    /// What is made of a file that names no concepts.
    pub unnamed: Unnamed,
    /// Names of the groups of images.
    pub groups: &'a [String],
    /// Whether these are more than numbers that nobody gave.
    pub groups_named: bool,
}

/// What is made of a file that names no concepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unnamed {
    /// It is in the experiment's order.
    Taken,
    /// So it is taken to be, and the user is told.
    Doubted,
    /// Nobody knows.
    Refused,
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
        let mut controls = Controls::default();
        controls.given = self.spaces("given", &wanted.given, reading, &mut controls.read)?;
        controls.partition = self.spaces("partition", &wanted.partition, reading, &mut controls.read)?;
        self.check_left(&controls)?;
        Ok(controls)
    }

    /// A layer or word model is not tested given itself: there are others.
    fn check_left(&self, controls: &Controls) -> Result<(), GivenError> {
        let alone = |what, of, names: &[&str]| {
            Err(GivenError::Alone { what, of, names: names.iter().map(|&name| name.into()).collect() })
        };
        let given = |names: &[&str]| matches!(names, [only] if controls.given.iter().any(|space| space.name == *only));
        if given(&self.layers) {
            return alone("given", "layer", &self.layers);
        }
        if given(&self.words) {
            return alone("given", "word model", &self.words);
        }
        let parts = |layer: &&str| controls.partition.iter().any(|space| space.name == **layer);
        match self.layers.iter().all(parts) && !controls.partition.is_empty() {
            true => alone("partition", "layer", &self.layers),
            false => Ok(()),
        }
    }

    fn spaces(
        &self,
        what: &'static str,
        wanted: &[Given],
        reading: &Reading,
        said: &mut Vec<(String, Option<String>)>,
    ) -> Result<Vec<Control>, GivenError> {
        let mut spaces: Vec<Control> = Vec::new();
        for Given { name, file } in wanted {
            let own = Place::all(name, &self.layers, &self.words, self.categories.is_some());
            if spaces.iter().any(|space| space.name == *name) || (file.is_some() && !own.is_empty()) {
                return Err(GivenError::Twice { what, name: name.clone() });
            }
            let rsms = match (file, &own[..], self.categories) {
                (Some(source), ..) => {
                    let (rsms, read, unfit) = self.read(source, reading)?;
                    let taken = self.unnamed == Unnamed::Doubted && read.names.is_none();
                    let doubt = taken.then(|| order_taken(&source.path, "the others") + SETTLES_ORDER);
                    let doubts: Vec<String> = unfit.into_iter().chain(doubt).collect();
                    said.push((format!("{what} {name}: {read}"), (!doubts.is_empty()).then(|| doubts.join("; "))));
                    Some(rsms)
                }
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
            spaces.push(Control { name: name.clone(), rsms });
        }
        Ok(spaces)
    }

    /// The matrices, how they were read, and a doubt about their names.
    fn read(&self, source: &Source, reading: &Reading) -> Result<(Vec<Rsm>, Read, Option<String>), GivenError> {
        let path = || source.path.clone();
        let mut read = read_given(source, reading)?;
        if read.len() != 1 {
            return Err(GivenError::Several { path: path(), found: read.len() });
        }
        let mut doubt = if self.by_name { read[0].doubt()? } else { None };
        let Matrices { mut rsms, groups, names, mut read, .. } = read.remove(0);
        let (found, expected) = (rsms[0].concepts(), self.concepts.len());
        if found != expected {
            return Err(GivenError::Concepts { path: path(), found, expected });
        }
        let (found, expected) = (rsms.len(), self.groups.len());
        if found != 1 && found != expected {
            return Err(GivenError::Groups { path: path(), found, expected });
        }
        if let (true, true, Some(own)) = (self.groups_named, found > 1, groups) {
            let other = || own.iter().find(|group| !self.groups.contains(group)).unwrap_or(&own[0]).clone();
            match names::order(self.groups, std::slice::from_ref(&own)) {
                Some(order) => rsms = order.iter().map(|&group| rsms[group].clone()).collect(),
                None if self.by_name => {
                    return Err(GivenError::OtherGroups {
                        path: path(),
                        other: other(),
                        expected: self.groups.to_vec(),
                    });
                }
                None => {
                    let (path, other) = (source.path.display(), other());
                    doubt = Some(format!(
                        "--by-order: {path} has the group {other:?}, the images have not: groups are paired as they stand"
                    ));
                }
            }
        }
        let places = self.unnamed == Unnamed::Doubted && names::are_places(self.concepts);
        if names.is_empty() && (self.unnamed == Unnamed::Refused || places) {
            return Err(GivenError::Unnamed(path()));
        }
        if !names.is_empty() && self.by_name && !self.named {
            let nobody = format!(
                "{}: names its concepts, and no other file does; that they stand in the order of the others is taken for granted",
                source.path.display()
            );
            doubt = Some(nobody + SETTLES_ORDER);
        } else if !names.is_empty() && self.by_name {
            let order = names::order(self.concepts, &names).ok_or_else(|| GivenError::OtherNames(path()))?;
            rsms = rsms.iter().map(|rsm| matrices::reordered(rsm, &order)).collect();
            read.order = Some(if names::is_same(&order) { "in order" } else { "re-ordered by name" }.to_string());
        }
        if rsms.iter().all(says_something) { Ok((rsms, read, doubt)) } else { Err(GivenError::Nothing(path())) }
    }
}

/// The matrices of a file that is none of the images': what is said of their entries holds where a square's diagonal does not tell
/// the contrary.
fn read_given(source: &Source, reading: &Reading) -> Result<Vec<Matrices>, MatrixError> {
    match matrices::read(source, Side::Images, reading) {
        Err(MatrixError::Contradicted { form: "square", .. }) => {
            let unsaid = Reading { entries: None, of_words: None, of_images: None, ..reading.clone() };
            matrices::read(source, Side::Images, &unsaid)
        }
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_layer_or_word_model_is_not_given_itself() {
        let refused = |layers: &[&str], words: &[&str], given: &[&str], partition: &[&str]| {
            let own = Own {
                layers: layers.to_vec(),
                words: words.to_vec(),
                categories: None,
                concepts: &[],
                named: true,
                by_name: true,
                unnamed: Unnamed::Taken,
                groups: &[],
                groups_named: true,
            };
            let wanted =
                |names: &[&str]| names.iter().map(|name| Given { name: name.to_string(), file: None }).collect();
            let wanted = ControlsConfig { given: wanted(given), partition: wanted(partition) };
            own.controls(&wanted, &Reading::default()).err().map(|error| error.to_string())
        };
        assert!(
            refused(&["fc1"], &["W", "V"], &["fc1", "W"], &[]).unwrap().contains("given fc1: there is no other layer")
        );
        assert!(
            refused(&["fc1", "fc2"], &["W"], &["W"], &[]).unwrap().contains("given W: there is no other word model")
        );
        assert!(
            refused(&["fc1"], &["W"], &[], &["W", "fc1"]).unwrap().contains("partition fc1: there is no other layer")
        );
        assert_eq!(refused(&["fc1", "fc2"], &["W", "V"], &["W", "fc1"], &["W", "fc2"]), None);
        assert_eq!(refused(&["fc1"], &["W"], &[], &["W"]), None);
    }
}
