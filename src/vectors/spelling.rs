//! How a concept is spelled in a vocabulary: the one rule by which `semgpu concepts` matches names and `semgpu run`
//! finds their vectors.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::{NotFinite, VectorsError, read_with_progress};
use crate::names;
use crate::wording::first;

/// Capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// As the concept is written.
    AsIs,
    /// `chihuahua`
    Lower,
    /// `CHIHUAHUA`: vocabularies of some language models.
    Upper,
}

impl Case {
    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AsIs => "as-is",
            Self::Lower => "lower",
            Self::Upper => "upper",
        }
    }
}

/// What stands between the words of a name of several words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Join {
    /// `golden retriever`
    Blank,
    /// `golden_retriever`: word2vec.
    Underscore,
    /// `golden-retriever`: text whose tokeniser kept compounds.
    Hyphen,
}

impl Join {
    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Underscore => "underscore",
            Self::Hyphen => "hyphen",
        }
    }

    fn character(self) -> char {
        match self {
            Self::Blank => ' ',
            Self::Underscore => '_',
            Self::Hyphen => '-',
        }
    }
}

/// The spellings under which a concept is looked up, each vocabulary by itself: the first that it has counts.
///
/// Cases are tried in their order, for each the joins in theirs, the singular before the plural. The default tries the
/// name as it is, then in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Spelling {
    /// Capitals, in the order tried.
    pub case: Vec<Case>,
    /// For names of several words, in the order tried; empty: such names match nothing.
    pub join: Vec<Join>,
    /// Also the regular English plural (`tabbies`).
    pub plural: bool,
}

impl Default for Spelling {
    fn default() -> Self {
        Self {
            case: vec![Case::AsIs, Case::Lower],
            join: vec![Join::Blank, Join::Underscore, Join::Hyphen],
            plural: false,
        }
    }
}

impl Spelling {
    /// The tokens tried for a name, in order, each once; none for several words without a join.
    pub fn tokens(&self, name: &str) -> Vec<String> {
        let words: Vec<&str> = name.split(names::is_blank).filter(|word| !word.is_empty()).collect();
        let joined: Vec<String> = match words[..] {
            [] => Vec::new(),
            [word] => vec![word.to_string()],
            _ => self.join.iter().map(|join| words.join(&join.character().to_string())).collect(),
        };
        let mut tokens = Vec::new();
        for numbered in [Some(joined.clone()), self.plural.then(|| joined.iter().map(|name| plural(name)).collect())] {
            for case in &self.case {
                tokens.extend(numbered.iter().flatten().map(|name| match case {
                    Case::AsIs => name.clone(),
                    Case::Lower => name.to_lowercase(),
                    Case::Upper => name.to_uppercase(),
                }));
            }
        }
        // One letter may be written as one character or as two.
        let other: Vec<String> = tokens
            .iter()
            .filter(|token| !token.is_ascii())
            .flat_map(|token| [token.nfc().collect(), token.nfd().collect()])
            .collect();
        tokens.extend(other);
        let mut seen = HashSet::new();
        tokens.retain(|token| seen.insert(token.clone()));
        tokens
    }
}

/// The regular plural of a name's last word.
fn plural(name: &str) -> String {
    let lower = name.to_lowercase();
    let sibilant = ["s", "x", "z", "ch", "sh"].iter().any(|end| lower.ends_with(end));
    let before_y = lower.strip_suffix('y').and_then(|stem| stem.chars().next_back());
    match before_y {
        _ if sibilant => format!("{name}es"),
        Some(letter) if !"aeiou".contains(letter) => format!("{}ies", &name[..name.len() - 1]),
        _ => format!("{name}s"),
    }
}

/// Vectors of names in one vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct Spelled {
    /// Name of the file's format.
    pub format: &'static str,
    /// Words of the file.
    pub words: u64,
    /// Values per word.
    pub dimensions: usize,
    /// Per name, in the order asked: the token found and its vector.
    pub found: Vec<Option<(String, Vec<f32>)>>,
    /// By their places, the names whose vector is not finite; they count as not found.
    pub not_finite: BTreeMap<usize, NotFinite>,
    /// As of [`super::WordVectors`].
    pub warnings: Vec<String>,
}

/// The names of which nothing was found: how many, and the first of them; none where all were found.
pub fn missing<T>(names: &[String], found: &[Option<T>]) -> Option<(usize, String)> {
    let missing = names.iter().zip(found).filter(|(_, found)| found.is_none());
    let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
    (!missing.is_empty()).then(|| (missing.len(), first(&missing, 8)))
}

/// Reads the vectors of `names`, each under the first of its spellings that the file has.
///
/// # Errors
/// Those of [`super::read`].
///
/// # Cost
/// One pass, whatever the number of spellings.
pub fn read_spelled(
    path: &Path,
    names: &[String],
    spelling: &Spelling,
    progress: &mut dyn FnMut(u64),
) -> Result<Spelled, VectorsError> {
    let tokens: Vec<Vec<String>> = names.iter().map(|name| spelling.tokens(name)).collect();
    let mut read = read_with_progress(path, &tokens.concat(), progress)?;
    let mut not_finite = BTreeMap::new();
    let mut vectors = read.vectors.into_iter().enumerate();
    let found: Vec<Option<(String, Vec<f32>)>> = tokens
        .into_iter()
        .enumerate()
        .map(|(name, tokens)| {
            let count = tokens.len();
            let mut candidates = tokens.into_iter().zip(vectors.by_ref().take(count));
            let first = candidates.find(|(_, (place, vector))| vector.is_some() || read.not_finite.contains_key(place));
            // The vectors of the spellings after it are passed over.
            candidates.for_each(drop);
            let (token, (place, vector)) = first?;
            not_finite.extend(read.not_finite.remove(&place).map(|wrong| (name, wrong)));
            Some((token, vector?))
        })
        .collect();
    let (format, words, dimensions, mut warnings) = (read.format, read.words, read.dimensions, read.warnings);
    let mut named: BTreeMap<&str, &String> = BTreeMap::new();
    for (name, (token, _)) in names.iter().zip(&found).filter_map(|(name, found)| Some((name, found.as_ref()?))) {
        if let Some(other) = named.insert(token, name).filter(|other| *other != name) {
            let path = path.display();
            warnings.push(format!("{path}: {other:?} and {name:?} are both found as {token:?}: they have one vector"));
        }
    }
    Ok(Spelled { format, words, dimensions, found, not_finite, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(spelling: &Spelling, name: &str) -> String {
        spelling.tokens(name).join("|")
    }

    #[test]
    fn spellings_come_in_the_order_of_the_rule() {
        let spelling = Spelling::default();
        assert_eq!(tokens(&spelling, "tick"), "tick");
        assert_eq!(tokens(&spelling, "Chihuahua"), "Chihuahua|chihuahua");
        let names = "Egyptian cat|Egyptian_cat|Egyptian-cat|egyptian cat|egyptian_cat|egyptian-cat";
        assert_eq!(tokens(&spelling, "Egyptian cat"), names);
        assert_eq!(tokens(&spelling, "Egyptian\u{a0}cat"), names);
        // A name that is spelled with a join is one word.
        assert_eq!(tokens(&spelling, "golden_retriever"), "golden_retriever");

        let single = Spelling { case: vec![Case::Lower], join: vec![], plural: false };
        assert_eq!(tokens(&single, "Chihuahua"), "chihuahua");
        assert_eq!(tokens(&single, "Egyptian cat"), "");
        let upper = Spelling { case: vec![Case::Upper], join: vec![Join::Underscore], plural: true };
        assert_eq!(tokens(&upper, "tabby cat"), "TABBY_CAT|TABBY_CATS");
        assert_eq!(tokens(&upper, ""), "");
    }

    #[test]
    fn plurals_are_regular() {
        for (singular, expected) in [
            ("dog", "dogs"),
            ("tabby", "tabbies"),
            ("key", "keys"),
            ("fox", "foxes"),
            ("finch", "finches"),
            ("y", "ys"),
        ] {
            assert_eq!(plural(singular), expected);
        }
        let both = Spelling { plural: true, ..Spelling::default() };
        assert_eq!(tokens(&both, "Lynx"), "Lynx|lynx|Lynxes|lynxes");
    }

    #[test]
    fn the_first_spelling_that_a_file_has_counts() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "chihuahua 1 2\nsea_lion 3 4\nsea-lion 5 6\nlion 7 8\n").unwrap();
        let names = ["Chihuahua", "sea lion", "tiger cat", "lion", "sea-lion"].map(str::to_string);
        let read = read_spelled(file.path(), &names, &Spelling::default(), &mut |_| {}).unwrap();
        let found = |token: &str, vector: [f32; 2]| Some((token.to_string(), vector.to_vec()));
        assert_eq!(
            read.found,
            [
                found("chihuahua", [1., 2.]),
                found("sea_lion", [3., 4.]),
                None,
                found("lion", [7., 8.]),
                found("sea-lion", [5., 6.])
            ]
        );
        assert_eq!((read.words, read.dimensions), (4, 2));
    }

    #[test]
    fn a_letter_is_found_as_one_character_and_as_two() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "cr\u{e8}me 1 2\nre\u{301}gime 3 4\n").unwrap();
        let names = ["cre\u{300}me", "r\u{e9}gime"].map(str::to_string);
        let read = read_spelled(file.path(), &names, &Spelling::default(), &mut |_| {}).unwrap();
        assert_eq!(read.found.iter().flatten().map(|(_, vector)| vector[0]).collect::<Vec<_>>(), [1., 3.]);
    }

    #[test]
    fn a_name_whose_vector_is_not_finite_counts_as_not_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "Chihuahua nan 2\nchihuahua 3 4\nlion 5 6\nLion nan 0\nTick 7 inf\n").unwrap();
        let names = ["lion", "Chihuahua", "Tick"].map(str::to_string);
        let read = read_spelled(file.path(), &names, &Spelling::default(), &mut |_| {}).unwrap();
        // The spelling that counts decides, not one that would be tried after it.
        assert_eq!(read.found, [Some(("lion".to_string(), vec![5., 6.])), None, None]);
        assert_eq!(read.not_finite.keys().collect::<Vec<_>>(), [&1, &2]);
        let wrong = read.not_finite[&1].to_string();
        assert!(wrong.ends_with("line 1: the vector of \"Chihuahua\" has NaN, expected finite numbers"), "{wrong}");
    }
}
