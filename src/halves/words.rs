//! Files of word vectors given where matrices or features are expected: they hold more words than there are concepts.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::HalvesError;
use crate::arrays::{self, Told};
use crate::files;
use crate::progress::Progress;
use crate::vectors::{self, Spelling, VectorsError};

/// Whether a file holds word vectors rather than a matrix: by its ending, by the arrays `words` and `vectors`, as an `.npy`
/// that is not square by the list of words beside it, or as text whose lines are a word and numbers, more or fewer lines than
/// numbers (below a line that numbers them, too).
pub(super) fn is_vectors(path: &Path) -> bool {
    match files::ending(path).as_str() {
        "bin" | "vec" | "gz" | "zip" => true,
        "npz" => arrays::names(path)
            .is_ok_and(|names| ["words", "vectors"].iter().all(|name| names.iter().any(|n| n == name))),
        "safetensors" => arrays::names(path).is_ok_and(|names| names.iter().any(|name| name == "vectors")),
        "npy" => list_beside(path).is_some(),
        "txt" => files::open(path).is_ok_and(|file| is_text(BufReader::new(file)).unwrap_or_default()),
        _ => false,
    }
}

/// The list beside an `.npy` with a word for each of its rows. What is square is a matrix.
pub(super) fn list_beside(path: &Path) -> Option<PathBuf> {
    let list = vectors::files(path).ok().filter(|_| files::ending(path) == "npy")?.into_iter().nth(1)?;
    let array = arrays::open(path, None, &Told::default()).ok()?;
    let is_square = matches!(array.shape(), [k, l] if k == l);
    // Opens the two against each other, and no word is asked for; what is wrong with the lists is said when one is.
    let fits = || {
        let read = vectors::read(path, &[]);
        matches!(read, Ok(_) | Err(VectorsError::Array { array: "words", .. } | VectorsError::File(_)))
    };
    (!is_square && fits()).then_some(list)
}

fn is_text(file: impl BufRead) -> std::io::Result<bool> {
    // Words need not be UTF-8.
    let lines = file.split(b'\n').map(|line| Ok::<_, std::io::Error>(String::from_utf8_lossy(&line?).into_owned()));
    let mut lines = lines.filter(|line| !line.as_ref().is_ok_and(|line| line.trim().is_empty()));
    let Some(first) = lines.next().transpose()? else { return Ok(false) };
    let first = first.trim_start_matches('\u{feff}');
    let fields: Vec<&str> = first.split_whitespace().collect();
    let number = |field: &&str| field.parse::<f64>().is_ok();
    let whole = |field: &&str| field.parse::<u64>().is_ok();
    match &fields[..] {
        // word2vec's line of counts.
        [words, dimensions] if whole(words) && whole(dimensions) => Ok(true),
        [word, values @ ..] if !number(word) && !values.is_empty() && values.iter().all(number) => {
            let rest: Vec<String> = lines.take(values.len() + 1).collect::<Result<_, _>>()?;
            // A number more in every line: a triangle. In the second alone: a word of two parts.
            let cells = |line: &String| match first.contains('\t') {
                true => line.split('\t').count(),
                false => line.split_whitespace().count(),
            };
            let more = |(place, line): (usize, &String)| cells(line) == fields.len() + place + 1;
            let rises = !rest.is_empty() && rest.iter().enumerate().all(more);
            // As many lines as numbers: a square matrix whose rows have names; below the numbers of its columns.
            let is_square = rest.len() + 1 == values.len() || rest.len() == values.len() && count_up(values);
            Ok(!rises && !is_square)
        }
        // The first word is of several parts, the next one of one before as many numbers: no table.
        [word, other, ..] if !number(word) && !number(other) && !first.contains('\t') => {
            let values = fields.iter().rev().take_while(|field| number(field)).count();
            let rest: Vec<String> = lines.take(values + 1).collect::<Result<_, _>>()?;
            let next: Vec<&str> = rest.first().map_or(Vec::new(), |line| line.split_whitespace().collect());
            let parts = &fields[..fields.len() - values];
            let has_word = next.len() == values + 1 && !number(&next[0]) && next[1..].iter().all(number);
            Ok(values > 0 && has_word && !parts.iter().any(number) && rest.len() + 1 != values)
        }
        // The first word is a blank, where the next line has a word before as many numbers. Whole numbers, or numbers above as
        // many lines, may be the head of a table.
        values if first.starts_with([' ', '\t']) && values.iter().all(number) && !values.iter().all(whole) => {
            let rest: Vec<String> = lines.take(values.len() + 1).collect::<Result<_, _>>()?;
            let next: Vec<&str> = rest.first().map_or(Vec::new(), |line| line.split_whitespace().collect());
            let has_word = next.len() == fields.len() + 1 && !number(&next[0]) && next[1..].iter().all(number);
            Ok(has_word && ![values.len(), values.len() - 1].contains(&rest.len()))
        }
        _ => Ok(false),
    }
}

/// Whether values are whole numbers from small to large, as those of columns.
fn count_up(values: &[&str]) -> bool {
    let values: Vec<f64> = values.iter().filter_map(|value| value.parse().ok()).collect();
    values.iter().all(|value| value.fract() == 0.0) && values.is_sorted_by(|a, b| a < b)
}

/// Vectors of words.
pub(super) struct Vectors {
    /// `[words, dimensions]`, in the order asked for.
    pub rows: Vec<f32>,
    pub dimensions: usize,
    /// Words of the file.
    pub total: u64,
}

/// The vectors of the concepts, each in the first spelling that the file has (see [`Spelling`]).
pub(super) fn read(path: &Path, concepts: Option<&[String]>, progress: &Progress) -> Result<Vectors, HalvesError> {
    let concepts = concepts.ok_or_else(|| HalvesError::NoWordsNamed(path.into()))?;
    progress.detail(format!("reading {}", path.display()));
    let read = vectors::read_spelled(path, concepts, &Spelling::default(), &mut |_| {})?;
    if let Some(wrong) = read.not_finite.into_values().next() {
        return Err(VectorsError::from(wrong).into());
    }
    progress.warn(&read.warnings);
    if let Some((count, words)) = vectors::missing(concepts, &read.found) {
        return Err(HalvesError::MissingWords { path: path.into(), count, concepts: concepts.len(), words });
    }
    let rows = read.found.into_iter().flatten().flat_map(|(_, vector)| vector).collect();
    Ok(Vectors { rows, dimensions: read.dimensions, total: read.words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_in_text_are_told_from_a_square_matrix() {
        let told = |text: &str| is_text(text.as_bytes()).unwrap();
        assert!(told("2 3\ncat 1 2 3\ndog 4 5 6\n"));
        assert!(told("cat 1 2 3\ndog 4 5 6\n"));
        assert!(told("cat 1 0.5\ndog 0.5 1\nmole 0.1 0.2\n"));
        assert!(!told("cat 1\ndog 0.5 1\nmole 0.1 0.2 1\n"));
        assert!(told("cat 1 2.5 3\nsea lion 4 5 6\ndog 7 8 9\nox 1 1 2\n"));
        assert!(told("sea lion 4 5 6\ncat 1 2.5 3\nguinea pig 4 5 6\ndog 7 8 9\n"));
        assert!(!told("sea lion 4 5 6\ncat 1 2.5 3\nguinea pig 4 5 6\n"), "a square matrix");
        assert!(!told("sea lion 4 5\nguinea pig 1 2\nwhite owl 4 6\n") && !told("name of a b\ncat 1 2\ndog 3 4\n"));
        assert!(!told("cat 1 0.5\ndog 0.5 1\n") && !told("cat 1 0.5\ndog 0.5 1\n\n"));
        // pandas: to_csv(sep=" ", index_label="name").
        assert!(!told("name 0 1\ncat 1 0.5\ndog 0.5 1\n"));
        assert!(!told("name -1.0 0.0\ncat 1 0.5\ndog 0.5 1\n"));
        assert!(told("name 0 1\ncat 1 0.5\ndog 0.5 1\nmole 0.1 0.2\n"));
        assert!(told("cat 1 0 0\ndog 1 0 1\nox 0 1 0\nmole 0 0 1\n"), "categories");
        assert!(!told("cat\t1\nsea lion\t0.5\t1\nguinea pig\t0.1\t0.2\t1\n"));
        assert!(is_text(&b"cat 1.5 2 3\nd\xf6g 4 5 6\nox 4 5 6\nmole 1 1 1\n"[..]).unwrap());
        assert!(!told("cat dog\n1 0.5\n0.5 1\n"));
        assert!(!told("1 0.5\n0.5 1\n"));
        let (blank, rows) = ("  0.5 1 2\n", "cat 1 2 3\ndog 4 5 6\nox 7 8 9\n");
        assert!(told(&format!("{blank}{rows}mole 1 1 1\n")) && told(&format!("{blank}cat 1 2 3\n")));
        for table in [format!("{blank}{rows}"), "  0 1 2\ncat 1 2 3\n".to_string(), format!("{blank}  1 2 3\n")] {
            assert!(!told(&table), "{table}");
        }
    }
}
