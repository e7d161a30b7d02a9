//! The lines of a table, taken apart.

use csv::StringRecord;

use super::numbers::{Cell, Decimal};
use crate::files;

/// Fewer lines are no triangle.
const SMALLEST: usize = 3;

/// A line of a table.
#[derive(Clone)]
pub(super) struct Record<'a> {
    /// From 1.
    pub line: u64,
    /// Among the lines that hold anything or separators, from 1: as `--header` counts them.
    pub place: usize,
    pub cells: StringRecord,
    /// As it stands in the file, with what ends the line before.
    raw: &'a str,
}

impl Record<'_> {
    /// Whether a cell stands in quotes: then it is a name.
    pub fn quotes(&self, cell: &str) -> bool {
        self.raw.contains(&format!("\"{cell}\""))
    }

    /// How many quotation marks stand in the line, and whether it begins with one.
    pub fn marks(&self) -> (usize, bool) {
        (self.raw.bytes().filter(|&byte| byte == b'"').count(), self.raw.trim_start().starts_with('"'))
    }
}

/// The lines of a table.
pub(super) struct Lines<'a> {
    /// Those that hold anything, but of a triangle.
    pub filled: Vec<Record<'a>>,
    /// The same and lines of separators alone before and among them, if there are any: rows without values where no line is
    /// named. Behind the last they are what a spreadsheet leaves of lines that were emptied.
    pub with_blank: Option<Vec<Record<'a>>>,
}

/// The lines of a text, taken apart; blanks separate where there is no separator. `skipped` lines stand before `text`. Columns
/// behind the others that are blank are none, but of a triangle.
pub(super) fn records(text: &str, skipped: u64, separator: Option<u8>) -> Result<Lines<'_>, String> {
    let mut records = match separator {
        None => {
            let lines = (skipped + 1..).zip(text.lines());
            lines.map(|(line, raw)| Record { line, place: 0, cells: words(raw), raw }).collect()
        }
        Some(separator) => separated(text, skipped, separator)?,
    };
    let is_blank = |record: &Record| record.cells.iter().all(str::is_empty);
    let is_triangle = is_strict_triangle(&records);
    if !is_triangle {
        records.retain(|record| record.cells.len() > 1 || !is_blank(record));
        let last = records.iter().rposition(|record| !is_blank(record)).map_or(0, |last| last + 1);
        records.truncate(last);
        fill_up_triangle(&mut records);
        drop_last_empty(&mut records);
        add_last_of_triangle(&mut records);
    }
    // Blank lines before the first that is filled count as one with it.
    let first = if is_triangle { 0 } else { records.iter().position(|record| !is_blank(record)).unwrap_or(0) };
    records.iter_mut().zip(1_usize..).for_each(|(record, place)| record.place = place.saturating_sub(first).max(1));
    if is_triangle || !records.iter().any(is_blank) {
        return Ok(Lines { filled: records, with_blank: None });
    }
    let filled = records.iter().filter(|record| !is_blank(record)).cloned().collect();
    Ok(Lines { filled, with_blank: Some(records) })
}

/// Whether the last lines are a square that is filled on one side of its diagonal alone: a line and a column of it are blank.
fn is_strict_triangle(records: &[Record]) -> bool {
    let width = records.last().map_or(0, |record| record.cells.len());
    let Some(first) = records.len().checked_sub(width).filter(|_| width >= SMALLEST) else { return false };
    let is_filled = |row: usize, column| records[first + row].cells.get(column).is_some_and(|cell| !cell.is_empty());
    let is_all = |expected: fn(usize, usize) -> bool| {
        (0..width).all(|row| (0..width).all(|column| is_filled(row, column) == expected(row, column)))
    };
    is_all(|row, column| row < column) || is_all(|row, column| row > column)
}

/// Fills up the last lines, each with a cell more than the one before, if they are a lower triangle: the first has its diagonal
/// alone, a name alone, or both.
fn fill_up_triangle(records: &mut [Record]) {
    let rises = |pair: &[Record]| pair[0].cells.len() + 1 == pair[1].cells.len();
    let lines = 1 + records.windows(2).rev().take_while(|pair| rises(pair)).count();
    let first = records.len().saturating_sub(lines);
    let triangle = &mut records[first..];
    let (Some(shortest), Some(longest)) = (triangle.first(), triangle.last()) else { return };
    let (shortest, width) = (shortest.cells.len(), longest.cells.len());
    if lines >= SMALLEST && (shortest == 1 || shortest == 2 && are_named(triangle)) {
        triangle.iter_mut().for_each(|record| record.cells.extend(vec![""; width - record.cells.len()]));
    }
}

/// A lower triangle of lines with names and without its diagonal has a last column, as blank as its first line.
fn add_last_of_triangle(records: &mut [Record]) {
    let width = records.last().map_or(0, |record| record.cells.len());
    let Some(first) = records.len().checked_sub(width).filter(|_| width >= SMALLEST) else { return };
    let triangle = &mut records[first..];
    let is_row = |(row, record): (usize, &Record)| {
        record.cells.len() == width
            && record.cells.iter().zip(0..).all(|(cell, column)| cell.is_empty() == (column > row))
    };
    if triangle.iter().enumerate().all(is_row) && are_named(triangle) {
        triangle.iter_mut().for_each(|record| record.cells.push_field(""));
    }
}

/// Whether all lines begin with what is no number by either decimal sign.
fn are_named(records: &[Record]) -> bool {
    let is_text = |cell: &str| [Decimal::Point, Decimal::Comma].iter().all(|sign| sign.cell(cell) == Cell::Text);
    records.iter().all(|record| record.cells.get(0).is_some_and(is_text))
}

/// Lines that all end with separators have no cells after them.
fn drop_last_empty(records: &mut [Record]) {
    let mut width = records.iter().map(|record| record.cells.len()).max().unwrap_or_default();
    let is_empty = |record: &Record, last| record.cells.get(last).is_none_or(str::is_empty);
    while width > 1 && records.len() > 1 && records.iter().all(|record| is_empty(record, width - 1)) {
        width -= 1;
    }
    records.iter_mut().for_each(|record| record.cells.truncate(width));
}

fn separated(text: &str, skipped: u64, separator: u8) -> Result<Vec<Record<'_>>, String> {
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).trim(csv::Trim::All).delimiter(separator);
    // Tables of vocabularies are written without quotes, and a quotation mark is a word.
    let unpaired = |line: &str| !line.bytes().filter(|&byte| byte == b'"').count().is_multiple_of(2);
    let reader = reader.quoting(separator != b'\t' || !text.lines().any(unpaired));
    let mut reader = reader.from_reader(text.as_bytes());
    let mut records = Vec::new();
    let mut cells = StringRecord::new();
    let mut start = 0;
    while reader.read_record(&mut cells).map_err(|error| error.to_string())? {
        let line = skipped + files::line_of(&cells, text.as_bytes());
        let end = reader.position().byte() as usize;
        let record = Record { line, place: 0, cells: std::mem::take(&mut cells), raw: &text[start..end] };
        check(&record, separator)?;
        records.push(record);
        start = end;
    }
    Ok(records)
}

/// Refuses a cell of several lines, or of several numbers between commas.
fn check(record: &Record, separator: u8) -> Result<(), String> {
    let Record { line, cells, .. } = record;
    if let Some(cell) = cells.iter().find(|cell| cell.contains('\n')) {
        let begins = cell.lines().next().unwrap_or_default();
        return Err(format!(
            "line {line}: the cell that begins {begins:?} goes on over the end of the line, for a quotation mark opens it; double \
             a mark that is a word (\"\"\"\"), or separate the cells by tabs"
        ));
    }
    let numbers = |cell: &&str| {
        let mut parts = cell.split_whitespace();
        parts.clone().count() > 1 && parts.all(|part| part.parse::<f64>().is_ok())
    };
    match cells.iter().find(numbers).filter(|cell| separator == b',' && !record.quotes(cell)) {
        Some(cell) => Err(format!(
            "line {line}: {cell:?} between commas, expected one number; if commas are decimal signs, add --decimal comma"
        )),
        None => Ok(()),
    }
}

/// What stands between blanks or in quotes.
fn words(mut text: &str) -> StringRecord {
    let mut cells = StringRecord::new();
    loop {
        text = text.trim_start();
        let (cell, rest) = match text.strip_prefix('"').and_then(|text| text.split_once('"')) {
            Some(quoted) => quoted,
            None => text.split_once(char::is_whitespace).unwrap_or((text, "")),
        };
        if cell.is_empty() && rest.is_empty() {
            return cells;
        }
        cells.push_field(cell);
        text = rest;
    }
}
