//! The classes that a network tells apart, by what they are called.

mod bracketed;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::error::FileError;
use crate::files;
use crate::imagenet::{is_wnid, synsets};
use crate::names;
use crate::vectors::Spelling;

/// Classes in the order of a network's outputs, each with its names, the most usual one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes(Vec<Vec<String>>);

/// A list of classes that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClassesError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A class without a name.
    #[error(
        "{}: line {line} names no class; expected a class a line in the order of the network's outputs, its names separated by \
         commas", path.display()
    )]
    Nameless {
        /// The list.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// Numbers of lines that stand in another order.
    #[error(
        "{}: its lines are numbered, and stand in another order than their numbers; expected a class a line in the order of the \
         network's outputs: sort them by their numbers", .0.display()
    )]
    Unsorted(PathBuf),
    /// A dictionary or a list that cannot be read.
    #[error(
        "{}: begins as a dictionary or a list of JSON or Python, and is none that gives classes numbered from 0 their names \
         ({{0: 'tench, Tinca tinca', 1: 'goldfish'}}); write a class a line in the order of the network's outputs", .0.display()
    )]
    Bracketed(PathBuf),
    /// No class.
    #[error("{}: empty, expected a class a line in the order of the network's outputs", .0.display())]
    Empty(PathBuf),
}

impl Classes {
    /// The 1000 of ILSVRC 2012.
    pub fn imagenet() -> Self {
        Self(synsets().map(|(_, names)| names.into_iter().map(str::to_string).collect()).collect())
    }

    /// A class a line, in the order of the network's outputs: its names separated by commas, the most usual one first. A
    /// WordNet id before them, or anything up to a tab, is left out; a WordNet id alone has the names that ILSVRC 2012 gives it.
    /// Or a dictionary of their numbers, or a list, as JSON and Python write them.
    ///
    /// # Errors
    /// Unreadable, empty, a line without a name, a dictionary of other numbers, or lines that begin with their numbers and stand in
    /// another order.
    pub fn read(path: &Path) -> Result<Self, ClassesError> {
        let text = files::read_to_string(path).map_err(FileError::at(path))?;
        let lemmas: HashMap<&str, Vec<&str>> = synsets().collect();
        let mut classes: Vec<Vec<String>> = Vec::new();
        let bracketed = bracketed::is_begun(&text);
        let text = match bracketed {
            true => bracketed::lines(&text).ok_or_else(|| ClassesError::Bracketed(path.into()))?,
            false => text,
        };
        for (line, text) in (1..).zip(text.trim_end().lines()) {
            let names = without_id(text);
            let listed = names.split(',').map(str::trim).filter(|name| !name.is_empty());
            let listed: Vec<String> = listed.map(str::to_string).collect();
            if listed.is_empty() {
                return Err(ClassesError::Nameless { path: path.into(), line });
            }
            let published = lemmas.get(names.trim()).map(|names| names.iter().map(ToString::to_string).collect());
            classes.push(published.unwrap_or(listed));
        }
        // Whatever stands behind them: a tab, a comma, a colon, a blank.
        let number = |line: &str| {
            let line = line.trim_start_matches(|letter: char| !letter.is_alphanumeric());
            let end = line.find(|letter: char| !letter.is_ascii_digit())?;
            Some(line[..end].to_string())
        };
        let numbers: Option<Vec<String>> = text.trim_end().lines().map(number).collect();
        match numbers {
            _ if classes.is_empty() => Err(ClassesError::Empty(path.into())),
            Some(numbers) if !bracketed && names::are_places(&numbers) => Err(ClassesError::Unsorted(path.into())),
            _ => Ok(Self(classes)),
        }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The names of a class, the most usual one first; never empty.
    ///
    /// # Panics
    /// If there is no such class.
    pub fn names(&self, class: usize) -> &[String] {
        &self.0[class]
    }

    /// Of each concept the class that is called what it is called: the class whose first name it is, else the one that has it
    /// among its other names. Names are one if a spelling of them is.
    ///
    /// # Errors
    /// The first concept that is the name of several classes, and which these are.
    pub fn of(&self, concepts: &[String], spelling: &Spelling) -> Result<Vec<Option<u32>>, (String, Vec<u32>)> {
        let (mut firsts, mut others) = (HashMap::new(), HashMap::new());
        for (class, names) in (0..).zip(&self.0) {
            for (place, name) in names.iter().enumerate() {
                let called: &mut HashMap<String, BTreeSet<u32>> = if place == 0 { &mut firsts } else { &mut others };
                for token in spellings(spelling, name) {
                    called.entry(token).or_default().insert(class);
                }
            }
        }
        let class = |concept: &String| {
            let tokens: Vec<String> = spellings(spelling, concept).collect();
            let called = |names: &HashMap<String, BTreeSet<u32>>| {
                tokens.iter().filter_map(|token| names.get(token)).flatten().copied().collect::<BTreeSet<u32>>()
            };
            let first = called(&firsts);
            let found: Vec<u32> = if first.is_empty() { called(&others) } else { first }.into_iter().collect();
            match found[..] {
                [] => Ok(None),
                [class] => Ok(Some(class)),
                _ => Err((concept.clone(), found)),
            }
        };
        concepts.iter().map(class).collect()
    }
}

/// How a name may be written.
fn spellings(spelling: &Spelling, name: &str) -> impl Iterator<Item = String> {
    let name = name.replace('_', " ");
    [name.clone()].into_iter().chain(spelling.tokens(&name))
}

/// What comes after a tab or a WordNet id.
fn without_id(line: &str) -> &str {
    if let Some((_, names)) = line.split_once('\t') {
        return names;
    }
    line.split_once(' ').filter(|(first, _)| is_wnid(first)).map_or(line, |(_, names)| names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Classes, ClassesError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Classes::read(file.path())
    }

    #[test]
    fn a_list_is_read_in_the_forms_that_go_round() {
        let classes = read("Sea_lion\r\n1\ttiger cat, cat\nn02123045 tabby, tabby cat\nn01440764\n").unwrap();
        let names: Vec<String> = (0..classes.count()).map(|class| classes.names(class).join("|")).collect();
        assert_eq!(names, ["Sea_lion", "tiger cat|cat", "tabby|tabby cat", "tench|Tinca tinca"]);
        let said = |text: &str| read(text).unwrap_err().to_string();
        assert!(said("cat\n\ndog\n").contains("line 2 names no class"), "{}", said("cat\n\ndog\n"));
        assert!(said("cat\n1\t,\n").contains("line 2 names no class"));
        assert!(said("\n").contains("empty"), "{}", said("\n"));
        for unsorted in [
            "2\tcat\n0\tdog\n1\towl\n",
            "1,cat\n3,dog\n2,owl\n",
            "1: cat\n3: dog\n2: owl\n",
            "1 cat\n3 dog\n2 owl\n",
            "\"1\",\"cat\"\n\"3\",\"dog\"\n\"2\",\"owl\"\n",
        ] {
            assert!(said(unsorted).contains("numbered, and stand in another order"), "{}", said(unsorted));
        }
        assert_eq!(read("1\tcat\n2\tdog\n3\towl\n").unwrap().names(2), ["owl"]);
        assert_eq!(read("2\n0\n1\n").unwrap().names(0), ["2"]);
        assert_eq!(Classes::imagenet().names(281), ["tabby", "tabby cat"]);
    }

    #[test]
    fn dictionaries_and_lists_are_read_by_their_numbers_or_refused() {
        for text in [
            "{0: 'tench, Tinca tinca',\n 1: \"jack-o'-lantern\",\n 2: 'fishmonger\\'s'}\n",
            "{1: \"jack-o'-lantern\", 0: 'tench, Tinca tinca', 2: 'fishmonger\\'s',}",
            "{\"0\": \"tench, Tinca tinca\", \"1\": \"jack-o'-lantern\", \"2\": \"fishmonger's\"}",
            "{\"0\": [\"n01440764\", \"tench, Tinca tinca\"], \"2\": [\"n00000002\", \"fishmonger's\"], \"1\": [\"jack-o'-lantern\"]}",
            "[\"tench, Tinca tinca\", \"jack-o'-lantern\", \"fishmonger's\"]",
            "[[\"tench\", \"Tinca tinca\"], [\"jack-o'-lantern\"], [\"fishmonger's\"]]",
            "['tench, Tinca tinca', \"jack-o'-lantern\", 'fishmonger\\'s']",
            "\u{feff}[\r\n  \"tench, Tinca tinca\",\r\n  \"jack-o'-lantern\",\r\n  \"fishmonger's\",\r\n]\r\n",
        ] {
            let classes = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let names: Vec<String> = (0..classes.count()).map(|class| classes.names(class).join("|")).collect();
            assert_eq!(names, ["tench|Tinca tinca", "jack-o'-lantern", "fishmonger's"], "{text}");
        }
        for text in [
            "{1: 'cat', 2: 'dog'}",
            "{0: 'cat', 0: 'dog'}",
            "{0: 'cat' 1: 'dog'}",
            "{0: 'cat\n1: 'dog'}",
            "{0: 'cat', 1: ''}",
            "['cat' 'dog']",
            "['cat', dog]",
            "{0: 'caf\\xe9', 1: 'dog'}",
            "['cat\\tdog']",
            "[\"cat\\tdog\"]",
            "{\"cat\": 0, \"dog\": 1}",
            "{\"0\": \"cat\\ndog\"}",
            "{",
        ] {
            assert!(read(text).unwrap_err().to_string().contains("begins as a dictionary"), "{text}");
        }
        assert_eq!(read("[unknown]\ncat\n").unwrap().names(0), ["[unknown]"]);
    }

    #[test]
    fn a_concept_is_the_class_of_its_name() {
        let classes =
            read("Sea lion\ntiger cat, cat\ncat, house cat\ncrane\ncrane, derrick\nbird, house cat\n").unwrap();
        let of = |concepts: &[&str]| {
            classes.of(&concepts.iter().map(ToString::to_string).collect::<Vec<_>>(), &Spelling::default())
        };
        assert_eq!(of(&["sea_lion", "cat", "dog", "derrick"]), Ok(vec![Some(0), Some(2), None, Some(4)]));
        assert_eq!(of(&["cat", "crane"]), Err(("crane".to_string(), vec![3, 4])));
        assert_eq!(of(&["house-cat"]), Err(("house-cat".to_string(), vec![2, 5])));
    }
}
