//! Numbers as text (`.csv`, `.tsv`, `.txt`): a matrix, a line a row.
//!
//! Cells are separated by tabs, semicolons, commas or blanks, and may be quoted. What is no number names something: the
//! columns in the lines before the numbers, the rows in columns of text. A first line or column that counts from 0 or 1
//! numbers the others and is no data; one that may be either is refused, see [`layout`].

mod header;
mod index;
mod layout;
mod numbers;
mod records;
mod sequence;
#[cfg(test)]
mod tests;
mod view;

use std::path::Path;
use std::sync::Arc;

pub use numbers::Decimal;

use self::header::MOST_HEADERS;
use self::layout::Layout;
use self::numbers::{Cell, Evidence};
use self::records::{Lines, Record, records};
use super::stored::{Bytes, Labels, Order, StoredArray};
use super::{ArrayError, ArrayFormat, Listed, Told, malformed};
use crate::error::FileError;
use crate::files;
use crate::numbers::Value;

pub(super) const FORMAT: ArrayFormat = ArrayFormat {
    endings: &["csv", "tsv", "txt", "dat"],
    list: |_| Ok(vec![Listed { name: String::new(), float: true, number: true, list: false }]),
    open: |path, _, told| Ok(vec![open(path, told)?]),
};

fn open(path: &Path, told: &Told) -> Result<StoredArray, ArrayError> {
    let bytes = files::read(path).map_err(FileError::at(path))?;
    let wrong = |reason: String| malformed(path, "text", reason);
    let text = decode(bytes).map_err(|reason| wrong(reason.to_string()))?;
    let (text, skipped, separator) = preamble(&text);
    let Some(first) = text.lines().find(|line| !line.trim().is_empty()) else {
        return Err(wrong("it is empty".into()));
    };
    if is_printed(first) && text.trim_end().ends_with(']') {
        let begins: String = first.trim().chars().take(20).collect();
        return Err(wrong(format!(
            "it begins {begins:?}, as Python prints an array; expected rows of numbers: save it by numpy.savetxt or numpy.save"
        )));
    }
    if first.trim().strip_suffix('*').is_some_and(|scale| scale.trim().parse::<f64>().is_ok()) {
        return Err(wrong(format!(
            "it begins {:?}, as MATLAB prints a matrix; expected rows of numbers: save it by writematrix or save",
            first.trim()
        )));
    }
    let separators = match separator {
        Some(separator) => vec![Some(separator)],
        None => {
            let signs = [b'\t', b';', b','].into_iter();
            let signs = signs.filter(|&byte| byte != b',' || told.decimal != Some(Decimal::Comma));
            let is_between = |&byte: &u8| files::outside_quotes(first, byte) || rises(text, byte);
            let stand: Vec<u8> = signs.filter(is_between).collect();
            let blanks = (stand.is_empty() || files::outside_quotes(first.trim(), b' ')).then_some(None);
            stand.into_iter().map(Some).chain(blanks).collect()
        }
    };
    let mut refused = None;
    for separator in separators {
        match table(text, skipped, separator, told) {
            Ok(table) => return table.store(path),
            // What is cut rightly and is asked for is not cut at another sign instead.
            Err(Refused::Asked(reason)) => return Err(wrong(refused.unwrap_or(reason))),
            Err(Refused::Joined(reason)) => return Err(wrong(reason)),
            // What the sign that stands in the file makes wrong is what the user should know.
            Err(Refused::Wrong(reason)) => refused = refused.or(Some(reason)),
        }
    }
    Err(wrong(refused.unwrap_or_default()))
}

/// Whether a line begins as an array that Python prints: `[[1.0 2.0`, where `[1,]` is a name of R's and `[CLS]` a token.
fn is_printed(line: &str) -> bool {
    let Some(inside) = line.trim_start().strip_prefix('[') else { return false };
    let inside = inside.trim_start_matches(['[', ' ']);
    let (first, rest) = inside.split_at(inside.find([' ', ',', '\t']).unwrap_or(inside.len()));
    first.parse::<f64>().is_ok() && !rest.starts_with(",]")
}

/// UTF-8, or by its mark UTF-16 (Excel's "Unicode text").
fn decode(bytes: Vec<u8>) -> Result<String, &'static str> {
    if let Some(text) = files::utf16(&bytes) {
        return text.map_err(|_| "damaged UTF-16; save it as UTF-8");
    }
    match &bytes[..] {
        [0x1f, 0x8b, ..] => Err("packed by gzip; unpack it, or of word vectors end its name in .gz"),
        text if text.contains(&0) => Err("bytes of 0, as UTF-16 without a mark has them; save it as UTF-8"),
        _ => String::from_utf8(bytes).map(files::without_mark).map_err(|_| "not UTF-8; save it as UTF-8"),
    }
}

/// The text after comments and Excel's `sep=;`, how many lines these are, and that separator.
fn preamble(text: &str) -> (&str, u64, Option<u8>) {
    let (mut rest, mut skipped, mut separator) = (text, 0, None);
    while let Some((line, after)) = rest.split_once('\n') {
        let line = line.trim();
        match line.strip_prefix("sep=").map(str::as_bytes) {
            Some(&[byte]) if skipped == 0 => separator = Some(byte),
            _ if line.is_empty() => {}
            _ if line.starts_with(['#', '%']) && !is_row(line, after) => {}
            _ => break,
        }
        (rest, skipped) = (after, skipped + 1);
    }
    (rest, skipped, separator)
}

/// Whether a line that begins as a comment does is a row whose name does: a token of a vocabulary, beside another row.
fn is_row(line: &str, after: &str) -> bool {
    let cells = |line: &str| -> Vec<String> {
        let parts = line.split(['\t', ';', ',']).map(str::trim).map(String::from).collect::<Vec<_>>();
        if parts.len() > 1 { parts } else { line.split_whitespace().map(String::from).collect() }
    };
    let next = after.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(['#', '%']));
    let (own, next) = (cells(line), cells(next.unwrap_or_default()));
    let are_numbers = |cells: &[String]| cells.iter().all(|cell| cell.parse::<f64>().is_ok());
    let named = |cells: &[String]| cells.len() > 1 && cells[0].parse::<f64>().is_err() && are_numbers(&cells[1..]);
    own.len() == next.len() && named(&own) && named(&next)
}

/// Whether a sign stands in no cell of the first line and once more in every other: a triangle of rows with names, or of one
/// with its diagonal.
fn rises(text: &str, byte: u8) -> bool {
    let count = |line: &str| line.bytes().filter(|&found| found == byte).count();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).zip(0..);
    lines.clone().nth(2).is_some() && lines.all(|(line, place)| count(line) == place)
}

/// Between what cells stand, for messages.
fn between(separator: Option<u8>) -> &'static str {
    match separator {
        Some(b'\t') => "tabs",
        Some(b';') => "semicolons",
        Some(_) => "commas",
        None => "blanks",
    }
}

/// Several numbers, or a name and numbers, in one cell, which another sign separates: `577;7` of `8,577;7,737` cut at its
/// commas, `cat;1.5` of `cat;1.5 2.5` at its blanks. Whole numbers with a sign between may be a name, but at commas.
fn is_joined(cell: &str, separator: Option<u8>) -> bool {
    let is_number = |part: &str| [Decimal::Point, Decimal::Comma].iter().any(|sign| sign.number(part.trim()).is_some());
    let is_decimal = |part: &str| is_number(part) && part.contains(['.', ',']);
    let parts = |sign: char| cell.split(sign).filter(|part| !part.trim().is_empty()).collect::<Vec<_>>();
    let by = |sign: char| match (&parts(sign)[..], sign) {
        ([name, number], ',' | ':') => !is_number(name) && is_decimal(number),
        (_, ',' | ':') => false,
        (parts @ [_, _, ..], ' ') => {
            parts.iter().all(|part| is_number(part)) && parts.iter().any(|part| is_decimal(part))
        }
        ([first, .., last], _) => is_decimal(last) || separator == Some(b',') && is_number(first) && is_number(last),
        _ => false,
    };
    let signs = match separator {
        // A comma may group thousands, but ends no number.
        None if cell.strip_suffix(',').is_some_and(is_number) => return true,
        None => &['\t', ';', ',', ':'][..],
        Some(b',') => &['\t', ';'],
        Some(b';') => &['\t', ' '],
        Some(_) => &[';', ' '],
    };
    // Most cells have no other sign, and are not read again for that.
    signs.iter().any(|&sign| cell.contains(sign) && by(sign)) && !is_number(cell)
}

/// Refuses [joined](is_joined) cells but those in quotes and in columns that are said to name rows.
fn uncut(records: &[Record], separator: Option<u8>, told: &Told) -> Result<(), String> {
    for record in records {
        let mut cells = record.cells.iter().skip(told.index.unwrap_or(0));
        if let Some(cell) = cells.find(|cell| is_joined(cell, separator) && !record.quotes(cell)) {
            return Err(format!(
                "line {}: {cell:?} between {}, expected one number; if commas are decimal signs, add --decimal comma; if it \
                 is a name, put it in quotes",
                record.line,
                between(separator)
            ));
        }
    }
    Ok(())
}

/// Refuses what stands behind a decimal comma that was taken for a separator: a number with a zero before it, of `2,045`.
fn uncut_fractions(records: &[Record], columns: &[usize]) -> Result<(), String> {
    let is_fraction =
        |cell: &str| cell.len() > 1 && cell.starts_with('0') && cell.bytes().all(|byte| byte.is_ascii_digit());
    for record in records {
        if let Some(cell) = columns.iter().map(|&column| &record.cells[column]).find(|cell| is_fraction(cell)) {
            return Err(format!(
                "line {}: {cell:?} between commas, expected a number without a zero before it; commas cannot separate cells and be \
                 decimal signs: save it with semicolons, or with points",
                record.line
            ));
        }
    }
    Ok(())
}

/// Whether the first line is word2vec's: how many rows of how many numbers follow, each behind a word.
///
/// # Errors
/// As many numbers, and another number of rows, where the user does not say that the line is none of them.
fn are_counts(records: &[Record], told: &Told) -> Result<bool, String> {
    let [first, second, ..] = records else { return Ok(false) };
    let counts: Vec<usize> = first.cells.iter().map_while(|cell| cell.parse().ok()).collect();
    let (found, columns) = (records.len() - 1, second.cells.len());
    match counts[..] {
        // Of two numbers it may name the columns.
        [rows, numbers] if first.cells.len() == 2 && columns > 3 && numbers == columns - 1 => {
            match rows == found || told.header.is_some_and(|lines| lines > 0) {
                true => Ok(true),
                false => Err(format!(
                    "line {}: announces {rows} rows, found {found}; was the file cut short? (--header 1 reads those that are there)",
                    first.line
                )),
            }
        }
        _ => Ok(false),
    }
}

/// A table understood.
struct Table<'a> {
    records: Vec<Record<'a>>,
    decimal: Decimal,
    layout: Layout,
}

/// Why a text is no table by a separator.
enum Refused {
    /// The separator stands in every line, and what commas and points between two of them are is the user's to say.
    Asked(String),
    /// It does, and a cell between two of them holds several numbers, or a name and a number.
    Joined(String),
    Wrong(String),
}

impl From<String> for Refused {
    fn from(reason: String) -> Self {
        Self::Wrong(reason)
    }
}

fn table<'a>(text: &'a str, skipped: u64, separator: Option<u8>, told: &Told) -> Result<Table<'a>, Refused> {
    let Lines { filled, with_blank } = records(text, skipped, separator)?;
    let table = of_records(filled, separator, told)?;
    match with_blank.filter(|_| !table.layout.names_rows()) {
        // Nothing but its place says which row a line is, below the names of columns.
        Some(mut records) => {
            if table.layout.header > 0 {
                let is_filled = |record: &Record| record.cells.iter().any(|cell| !cell.is_empty());
                records.drain(..records.iter().position(is_filled).unwrap_or(0));
            }
            of_records(records, separator, told)
        }
        None => Ok(table),
    }
}

fn of_records<'a>(mut records: Vec<Record<'a>>, separator: Option<u8>, told: &Told) -> Result<Table<'a>, Refused> {
    if records.is_empty() {
        return Err(Refused::Wrong("it is empty".into()));
    }
    let counts = usize::from(are_counts(&records, told)?);
    records.drain(..counts);
    let everywhere = records.iter().all(|record| record.cells.len() > 1);
    let decimal = match told.decimal {
        Some(decimal) => decimal,
        None => {
            let mut evidence = Evidence::default();
            for record in &records {
                record.cells.iter().enumerate().for_each(|(column, cell)| evidence.add(record.line, column, cell));
            }
            evidence.decimal().map_err(if everywhere { Refused::Asked } else { Refused::Wrong })?
        }
    };
    let layout = Layout::of(&mut records, separator, decimal, told)?;
    let cut = uncut(&records[layout.header..], separator, told);
    cut.map_err(if everywhere { Refused::Joined } else { Refused::Wrong })?;
    if separator == Some(b',') {
        uncut_fractions(&records[layout.header..], &layout.columns).map_err(Refused::Joined)?;
    }
    Ok(Table { records, decimal, layout })
}

impl Table<'_> {
    fn store(self, path: &Path) -> Result<StoredArray, ArrayError> {
        let Self { records, decimal, layout } = self;
        let columns = &layout.columns;
        let mut values = Vec::with_capacity((records.len() - layout.header) * columns.len() * size_of::<f64>());
        let mut missing = None;
        let mut first_number = None;
        for (row, record) in records.iter().enumerate().skip(layout.header) {
            for &column in columns {
                let cell = &record.cells[column];
                let value = match decimal.cell(cell) {
                    Cell::Number(value) => {
                        first_number.get_or_insert(record.line);
                        value
                    }
                    Cell::Missing => {
                        missing.get_or_insert_with(|| (record.line, column + 1, cell.to_string()));
                        f64::NAN
                    }
                    Cell::Text => {
                        let (line, place) = (record.line, record.place);
                        let is_number =
                            |&column: &usize| matches!(decimal.cell(&record.cells[column]), Cell::Number(_));
                        // Below numbers, too, which are of another level then; lines that come again are of pages.
                        let names_columns = row < MOST_HEADERS
                            && !columns.iter().any(is_number)
                            && records[..row].iter().all(|other| other.cells != record.cells);
                        let mut remedies = Vec::new();
                        if names_columns || first_number.is_none_or(|first| first == line) {
                            remedies.push(format!("if the line names the columns, add --header {place}"));
                        }
                        if column == columns[0] && !names_columns {
                            remedies.push(format!("if the column names the rows, --index {}", column + 1));
                        }
                        remedies.push("a value is written as a number (TRUE as 1, 50% as 0.5)".to_string());
                        let reason = format!("line {line}: {cell:?}, expected a number; {}", remedies.join("; "));
                        return Err(malformed(path, "text", reason));
                    }
                };
                values.extend(value.to_ne_bytes());
            }
        }
        let shape = vec![records.len() - layout.header, columns.len()];
        let length = values.len();
        let bytes = Arc::new(Bytes::Held(values.into()));
        let array = StoredArray::new(path, shape, Order::C, Value::NATIVE_DOUBLE, bytes, 0..length)?;
        let (texts, columns) = (layout.texts(&records), layout.column_names(&records));
        let rows = layout::rows(&texts);
        let labels = Labels { rows, columns, texts, placed: true, missing, ..Labels::default() };
        Ok(array.labelled(labels))
    }
}
