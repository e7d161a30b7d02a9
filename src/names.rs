//! Names of concepts, as files and lists carry them, held against each other.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use crate::error::FileError;
use crate::files;

/// Whether a sign is a blank, also one at which no line ends.
pub fn is_blank(sign: char) -> bool {
    matches!(sign, ' ' | '\u{a0}' | '\u{202f}')
}

/// A name in the form in which names are compared: composed (NFC), without blanks or a byte-order mark around it, all its blanks
/// alike.
pub fn plain(name: &str) -> String {
    const UNSEEN: [char; 3] = ['\u{feff}', '\u{200b}', '\0'];
    let name = name.trim_matches(|c: char| c.is_whitespace() || UNSEEN.contains(&c));
    name.nfc().map(|sign| if is_blank(sign) { ' ' } else { sign }).collect()
}

/// The form of Unicode in which a path exists, where it does in another than the one it is written in: macOS once wrote all names of
/// files decomposed, where keyboards compose.
pub fn form_on_disk(path: &Path) -> Option<&'static str> {
    let written = path.to_str()?;
    let forms = [("composed (NFC)", written.nfc().collect()), ("decomposed (NFD)", written.nfd().collect::<String>())];
    forms.into_iter().find(|(_, name)| name != written && Path::new(name).exists()).map(|(form, _)| form)
}

/// What a name must be that makes a file and stands in tables and figures.
pub const NAME: &str = "1 to 200 bytes of text without control characters";

/// Whether a name is [`NAME`].
pub fn is_name(name: &str) -> bool {
    name.len() <= 200 && is_text(name)
}

/// What a name must be that another program gave: it stands whole in tables, and may be cut in the names of files.
pub const TEXT: &str = "text without control characters";

/// Whether a name is [`TEXT`].
pub fn is_text(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

/// The lines of a file that are not empty, as [`plain`] names.
///
/// # Errors
/// The file cannot be read, or is no UTF-8.
pub fn read_lines(path: &Path) -> Result<Vec<String>, FileError> {
    let text = files::read_to_string(path).map_err(FileError::at(path))?;
    Ok(text.lines().map(plain).filter(|line| !line.is_empty()).collect())
}

/// The first line of a file without a name that stands before one with a name, from 1.
pub fn blank_line(path: &Path) -> Option<usize> {
    let text = files::read_to_string(path).ok()?;
    let names: Vec<String> = text.lines().map(plain).collect();
    let blank = names.iter().position(String::is_empty)?;
    names[blank..].iter().any(|name| !name.is_empty()).then_some(blank + 1)
}

/// The list with the names of a matrix's concepts that stands beside it: of `rsm.npy`, `rsm.concepts.txt`.
pub fn list_of(matrix: &Path) -> PathBuf {
    matrix.with_extension("concepts.txt")
}

/// Each once, in order of first appearance.
pub fn distinct<T: Copy + Eq + Hash>(all: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    all.into_iter().filter(|one| seen.insert(*one)).collect()
}

/// The first that stands twice.
pub fn twice<T: Eq + Hash>(all: &[T]) -> Option<&T> {
    let mut seen = HashSet::new();
    all.iter().find(|one| !seen.insert(*one))
}

/// Why a list does not name so many places.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Of another length.
    #[error("{found} names, expected {expected}")]
    Length {
        /// Names.
        found: usize,
        /// Places.
        expected: usize,
    },
    /// Of another length, with a line that names nothing.
    #[error("{found} names, expected {expected}; line {line} is blank, and names none")]
    Blank {
        /// Names.
        found: usize,
        /// Places.
        expected: usize,
        /// From 1.
        line: usize,
    },
    /// Two places of one name.
    #[error("{name:?} stands twice, in rows {first} and {second} (from 0)")]
    Twice {
        /// The name.
        name: String,
        /// From 0.
        first: usize,
        /// From 0.
        second: usize,
    },
    /// Two lists of the same names that stand in different orders.
    #[error(
        "two lists of them have other orders ({name:?} is in row {first} of one and {second} of the other, from 0)"
    )]
    Orders {
        /// The name.
        name: String,
        /// From 0.
        first: usize,
        /// From 0.
        second: usize,
    },
    /// Not read, and why.
    #[error("{0}")]
    Unread(&'static str),
    /// A place without a name.
    #[error("row {0} (from 0) has no name")]
    Empty(usize),
}

/// A list as [`plain`] names, if it names so many places, each differently.
///
/// # Errors
/// Why it does not.
pub fn fitting(list: &[String], length: usize) -> Result<Vec<String>, Unfit> {
    if list.len() != length {
        return Err(Unfit::Length { found: list.len(), expected: length });
    }
    let list: Vec<String> = list.iter().map(|name| plain(name)).collect();
    if let Some(empty) = list.iter().position(String::is_empty) {
        return Err(Unfit::Empty(empty));
    }
    let mut seen = HashMap::new();
    match list.iter().enumerate().find_map(|(row, name)| Some((row, name, seen.insert(name, row)?))) {
        Some((second, name, first)) => Err(Unfit::Twice { name: name.clone(), first, second }),
        None => Ok(list),
    }
}

/// Those of some lists that are [`fitting`].
pub fn lists(lists: &[Vec<String>], length: usize) -> Vec<Vec<String>> {
    lists.iter().filter_map(|list| fitting(list, length).ok()).collect()
}

/// Where each of `wanted` stands in the first of `lists` that has the same names in any order.
pub fn order(wanted: &[String], lists: &[Vec<String>]) -> Option<Vec<usize>> {
    lists.iter().find_map(|list| {
        let places: HashMap<&str, usize> = list.iter().enumerate().map(|(n, name)| (name.as_str(), n)).collect();
        let order: Option<Vec<usize>> = wanted.iter().map(|name| places.get(name.as_str()).copied()).collect();
        order.filter(|order| order.len() == list.len())
    })
}

/// Two of some lists that have the same names in different orders, and where.
pub fn two_orders(lists: &[Vec<String>]) -> Option<([&Vec<String>; 2], Unfit)> {
    lists.iter().enumerate().find_map(|(n, list)| {
        let (other, order) = lists[n + 1..].iter().find_map(|other| {
            let order = order(list, std::slice::from_ref(other)).filter(|order| !is_same(order))?;
            Some((other, order))
        })?;
        let (first, &second) = order.iter().enumerate().find(|&(row, &place)| row != place)?;
        Some(([list, other], Unfit::Orders { name: list[first].clone(), first, second }))
    })
}

/// Whether names only count: numbers one after the other behind the same letters, as R calls columns V1, V2, …
pub fn are_counted(names: &[String]) -> bool {
    let split = |name: &String| {
        let letters = name.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
        Some((name[..letters].to_owned(), name[letters..].parse::<usize>().ok()?))
    };
    let Some(parts) = names.iter().map(split).collect::<Option<Vec<_>>>() else { return false };
    parts.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1.checked_add(1) == Some(pair[1].1))
}

/// Whether names are 0, 1, 2, … or 1, 2, 3, … in another order: places in an order that stands nowhere.
pub fn are_places(names: &[String]) -> bool {
    let Ok(numbers) = names.iter().map(|name| name.parse()).collect::<Result<Vec<usize>, _>>() else { return false };
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    let counts = |first: usize| sorted.iter().copied().eq(first..first + sorted.len());
    sorted != numbers && (counts(0) || counts(1))
}

/// Whether nothing moves.
pub fn is_same(order: &[usize]) -> bool {
    order.iter().enumerate().all(|(n, &place)| n == place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_string).collect()
    }

    #[test]
    fn names_are_found_in_whichever_list_has_them() {
        let wanted = names("cat dog mole");
        let lists = [names("a b c"), names("mole cat dog")];
        assert_eq!(order(&wanted, &lists), Some(vec![1, 2, 0]));
        assert_eq!(order(&wanted, &[names("mole cat fox")]), None);
        assert_eq!(order(&wanted, &[names("mole cat dog fox")]), None);
    }

    #[test]
    fn lists_of_one_set_in_two_orders_are_told() {
        let (own, sorted, other) = (names("cat ant bee"), names("ant bee cat"), names("1 2 3"));
        let lists = [other.clone(), own.clone(), sorted];
        let why = Unfit::Orders { name: "cat".into(), first: 0, second: 2 };
        assert_eq!(two_orders(&lists), Some(([&lists[1], &lists[2]], why)));
        assert_eq!(two_orders(&[own.clone(), other, own]), None);
    }

    #[test]
    fn names_that_only_count_are_told_from_others() {
        assert!(are_counted(&names("V1 V2 V3")) && are_counted(&names("0 1 2")) && are_counted(&names("X9 X10 X11")));
        assert!(
            !are_counted(&names("V1 V3 V2")) && !are_counted(&names("V1 W2 V3")) && !are_counted(&names("cat dog ant"))
        );
        assert!(!are_counted(&[usize::MAX, 0].map(|number| number.to_string())));
    }

    #[test]
    fn numbers_in_another_order_are_places() {
        assert!(are_places(&names("2 0 1")) && are_places(&names("2 1 3")));
        assert!(!are_places(&names("0 1 2")) && !are_places(&names("3 1 4")) && !are_places(&names("b a")));
    }

    #[test]
    fn names_are_short_and_printable() {
        assert!(is_name("GloVe 6B/300d \u{e9}") && is_name(&"x".repeat(200)));
        assert!(["", "a\0", "a\nb", "\u{1b}[31m", &"x".repeat(201)].iter().all(|name| !is_name(name)));
        assert!(is_text(&"x".repeat(201)) && ["", "a\0", "a\nb"].iter().all(|name| !is_text(name)));
    }

    #[test]
    fn what_cannot_be_seen_tells_no_names_apart() {
        assert_eq!(plain("\u{feff} cre\u{300}me\t"), "cr\u{e8}me");
        assert_eq!(plain("polar\u{a0}bear \u{202f}x\u{a0}"), "polar bear  x");
        let found = lists(&[names("a a"), names("a b c"), names("a b")], 2);
        assert_eq!(found, [names("a b")]);
        let unfit = |list: &[&str], length| {
            fitting(&list.iter().map(|name| name.to_string()).collect::<Vec<_>>(), length).unwrap_err().to_string()
        };
        assert_eq!(unfit(&["a", "b", "a "], 3), "\"a\" stands twice, in rows 0 and 2 (from 0)");
        assert_eq!(unfit(&["a", "\0"], 2), "row 1 (from 0) has no name");
        assert_eq!(unfit(&["a"], 2), "1 names, expected 2");
    }
}
