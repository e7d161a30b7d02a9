//! How messages are worded: counted things, names that were meant, people's words for types.

use std::borrow::Borrow;
use std::fmt::Display;
use std::path::Path;

/// A number with a comma between thousands.
pub fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 group`, `2 groups`.
pub fn counted(number: impl ToString, thing: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// `a, b and c`.
pub fn listed<S: Borrow<str>>(names: &[S]) -> String {
    match names {
        [] => String::new(),
        [one] => one.borrow().to_string(),
        [all @ .., last] => format!("{} and {}", all.join(", "), last.borrow()),
    }
}

/// The first of many names.
pub fn first<S: Borrow<str>>(names: &[S], most: usize) -> String {
    let more = if names.len() > most { ", …" } else { "" };
    names[..names.len().min(most)].join(", ") + more
}

/// An argument as a shell takes it: in quotes if it has what means something there.
pub fn shell(argument: &str) -> String {
    if cfg!(windows) { for_windows(argument) } else { for_posix(argument) }
}

fn for_posix(argument: &str) -> String {
    match is_plain(argument, "-_./=:,@%+") {
        true => argument.to_string(),
        false => format!("'{}'", argument.replace('\'', "'\\''")),
    }
}

/// In the quotes that cmd and PowerShell both know.
fn for_windows(argument: &str) -> String {
    match is_plain(argument, "-_./\\=:+") {
        true => argument.to_string(),
        false => format!("\"{}\"", argument.replace('"', "\\\"")),
    }
}

fn is_plain(argument: &str, signs: &str) -> bool {
    !argument.is_empty() && argument.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
}

/// What is to be said of a file that names no concepts beside others that do.
pub fn order_taken(path: &Path, of: impl Display) -> String {
    format!("{}: names no concepts; that they stand in the order of {of} is taken for granted", path.display())
}

/// What settles it, behind it.
pub const SETTLES_ORDER: &str = ": --by-order says that they do, --concepts FILE in which order they are";

/// A p-value to four places.
pub fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_string() } else { format!("{p:.4}") }
}

/// What is said beside a value, in brackets, where nothing was drawn.
pub const NOT_TESTED: &str = " (no permutations, not tested)";

/// `; did you mean "vgg16"?` where one of the known names is near, else nothing.
pub fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |known| format!("; did you mean {known:?}?"))
}

/// The known name that a slip or two of the finger make into `name`.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let form = |name: &str| -> Vec<char> {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let asked = form(name);
    let near = known.into_iter().map(|known| (slips(&asked, &form(known)), known)).min_by_key(|(slips, _)| *slips);
    near.filter(|(slips, _)| *slips <= asked.len().div_ceil(4).min(3)).map(|(_, known)| known)
}

/// Characters left out, put in, changed, or exchanged with their neighbour (restricted Damerau-Levenshtein distance).
fn slips(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for (i, x) in a.iter().enumerate() {
        let above = &rows[i];
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// What a reader of configurations says, without the names of types in a program.
pub fn plain(message: &str) -> String {
    const WORDS: [(&str, &str); 21] = [
        ("unknown field ", "there is no key "),
        ("unknown variant ", "there is no "),
        ("missing field ", "missing key "),
        ("invalid type: ", "found "),
        ("invalid value: ", "found "),
        ("invalid length ", "found a list of length "),
        ("expected a nonzero u32", "expected a whole number above 0"),
        ("expected a nonzero u64", "expected a whole number above 0"),
        ("expected a nonzero usize", "expected a whole number above 0"),
        ("expected usize", "expected a whole number, 0 or more"),
        ("expected u64", "expected a whole number, 0 or more"),
        ("expected u32", "expected a whole number, 0 or more"),
        ("expected i64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected a string", "expected text in quotes"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected a section"),
        ("found string ", "found the text "),
        ("found sequence", "found a list"),
        ("found map", "found a section"),
    ];
    let mut text = message.to_string();
    for (theirs, ours) in WORDS {
        text = text.replace(theirs, ours);
    }
    if let Some((before, rest)) = text.split_once("expected struct ") {
        let rest = rest.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        text = format!("{before}expected a section{rest}");
    }
    let text =
        text.replace("found integer ", "found the number ").replace("found floating point ", "found the number ");
    let mut names = text.split('`').skip(1).step_by(2);
    let hint = match names.next().filter(|_| text.starts_with("there is no ")) {
        Some(asked) => meant(asked, names),
        None => String::new(),
    };
    text + &hint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_word_as_it_is() {
        assert_eq!(shell("vgg16.toml"), "vgg16.toml");
        assert_eq!(for_posix("my file's"), "'my file'\\''s'");
        assert_eq!(for_windows("C:\\results\\my.toml"), "C:\\results\\my.toml");
        assert_eq!(for_windows("my file's"), "\"my file's\"");
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(
            [counted(1, "group"), counted(0, "group"), counted(13_695, "pair")],
            ["1 group", "0 groups", "13,695 pairs"]
        );
        assert_eq!([grouped(999), grouped(1_000_000)], ["999", "1,000,000"]);
    }

    #[test]
    fn slips_of_the_finger_find_the_name_that_was_meant() {
        let known = ["vgg16", "vgg19", "resnet50", "inception_v3", "squeezenet1_1"];
        assert_eq!(nearest("VGG-16", known), Some("vgg16"));
        assert_eq!(nearest("restnet50", known), Some("resnet50"));
        assert_eq!(nearest("inceptionv3", known), Some("inception_v3"));
        assert_eq!(nearest("sqeuezenet1.1", known), Some("squeezenet1_1"));
        assert_eq!(nearest("alexnet", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(meant("vgg15", known), "; did you mean \"vgg16\"?");
    }

    #[test]
    fn messages_name_no_types() {
        let said = plain("unknown field `permutation`, expected one of `permutations`, `ties`");
        assert_eq!(
            said,
            "there is no key `permutation`, expected one of `permutations`, `ties`; did you mean \"permutations\"?"
        );
        assert_eq!(
            plain("invalid type: string \"x\", expected u64"),
            "found the text \"x\", expected a whole number, 0 or more"
        );
        assert_eq!(
            plain("invalid value: integer `-1`, expected u64"),
            "found the number `-1`, expected a whole number, 0 or more"
        );
        assert_eq!(
            plain("invalid type: string \"x\", expected struct NetworkConfig"),
            "found the text \"x\", expected a section"
        );
        assert_eq!(plain("missing field `network`"), "missing key `network`");
    }
}
