//! Which lines and columns of a table of numbers are data.
//!
//! | what stands there | is |
//! | --- | --- |
//! | a first line with text above numbers, with a cell less than the others, or less by as many as columns of text begin them | names of the columns |
//! | a line with names above those of the rows alone, behind two that name the columns | pandas' names of the index's levels |
//! | numbers that count anew under every name of the line above, or beside an empty cell above numbers of rows | either: refused, `--header` |
//! | a first line or, without a name, column in quotes where the others have none | names |
//! | a first line that counts 0, 1, 2, … or 1, 2, 3, …, but of a few whole numbers above others | numbers of the columns (pandas' `index=False`) |
//! | a column of text | names of the rows |
//! | a first column that counts, or numbers in another order, or has no name where the others have | numbers of the rows |
//! | a column called index or id, wherever it stands | numbers of the rows, if behind others they differ; else data, but id |
//! | a column called image_id and the like; whole numbers called label or image beside fractions | either: refused, `--index` |
//! | a first column of codes: zeros before its numbers alone | either: refused, `--index` |
//! | whole numbers under a word beside names of the rows | data, but places (1, 2, 3, … in any order) or beside names that repeat: refused, `--index` |
//! | true and false alone | refused |
//! | a first line or column of whole numbers beside fractions or of equal steps | either: refused, `--header`, `--index` |
//! | a first line, or a first column without a name of its own, of whole numbers above all others | either: refused, `--header`, `--index` |

use super::Told;
use super::numbers::{Cell, Decimal};
use super::records::Record;
use super::sequence::Sequence;
use super::view::View;
use crate::names::twice;

/// What becomes of empty cells between blanks.
const PRINTED: &str =
    "; what pandas or R prints leaves empty cells out: save it by to_csv, or write.csv (of a dist, as.matrix)";

/// Where the data of a table are.
pub(super) struct Layout {
    /// Lines before them.
    pub header: usize,
    /// Columns of numbers.
    pub columns: Vec<usize>,
    /// Columns that name or number the rows.
    names: Vec<usize>,
}

impl Layout {
    /// Understands a table; a short first line gets empty cells before it, so that all lines are of one length.
    ///
    /// # Errors
    /// Lines of other lengths, text among numbers, or a line or column that may be data or not.
    pub fn of(records: &mut [Record], separator: Option<u8>, decimal: Decimal, told: &Told) -> Result<Self, String> {
        let width = records[records.len() - 1].cells.len();
        let printed = if separator.is_none() { PRINTED } else { "" };
        let short = even_out(records, width, decimal, told).map_err(|wrong| wrong + printed)?;
        let table = View { records, decimal, width };
        let text: Vec<usize> = (0..width).filter(|&column| table.is_text(column)).collect();
        let header = match told.header {
            Some(lines) => records.iter().take_while(|record| record.place <= lines).count(),
            None if short > 0 => 1.max(table.text_lines(&text)?),
            None => table.header(&text, told)?,
        };
        if header == records.len() {
            return Err("no line of numbers".into());
        }
        // Names without one above whole numbers, or below an empty cell: the second level of the columns'.
        let is_unnamed = |row: usize| text.contains(&0) && records[row].cells[0].is_empty();
        let below_empty = header > 0 && is_unnamed(header - 1);
        let may_count = |cell: &Cell| matches!(cell, Cell::Number(value) if below_empty || value.fract() == 0.0);
        let may_number = is_unnamed(header) && table.line(header, &text).iter().all(may_count);
        if told.header.is_none() && may_number && (header + 1..records.len()).all(|row| !is_unnamed(row)) {
            return Err(table.asked_header(header..header + 1, &text));
        }
        // The line of the index's names says how many levels it has.
        let levels = header.checked_sub(1).filter(|&line| table.names_levels(line, &text));
        let levels = levels.map_or(0, |line| records[line].cells.iter().take_while(|cell| !cell.is_empty()).count());
        let said = told.index.unwrap_or(0);
        let wrong = text.iter().enumerate().filter(|&(_, &column)| column >= said);
        let mut wrong = wrong.filter_map(|(place, &column)| table.no_names(column, header, place > 0));
        if let Some(wrong) = wrong.next() {
            return Err(wrong);
        }
        let mut names = text;
        match told.index {
            Some(columns) => names.extend(0..columns.min(width)),
            None => {
                let mut numbered = Vec::new();
                // From the left, past columns of text, to the first that is data.
                for column in (0..width).filter(|column| !names.contains(column)) {
                    let left = names.iter().filter(|&&name| name < column).count() + numbered.len();
                    let unnamed = header > 0 && records[header - 1].cells[column].is_empty();
                    let above_names = column < short.max(levels);
                    if left < column || !above_names && !table.numbers_rows(column, header, unnamed, &names)? {
                        break;
                    }
                    numbered.push(column);
                }
                names.extend(numbered);
                let left = (0..width).take_while(|column| names.contains(column)).count();
                for column in (left..width).filter(|column| !names.contains(column)).collect::<Vec<_>>() {
                    if table.numbers_rows_behind(column, header, left, &names)? {
                        names.push(column);
                    }
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        let columns: Vec<usize> = (0..width).filter(|column| !names.contains(column)).collect();
        if columns.is_empty() {
            let line = records[header].line;
            let cell = &records[header].cells[0];
            return Err(format!(
                "line {line}: {cell:?}, expected a number; no column holds numbers: they are written without signs (50% as 0.5, TRUE \
                 as 1), and tabs, semicolons, commas or blanks stand between them"
            ));
        }
        Ok(Self { header, columns, names })
    }

    /// Whether columns name or number the rows.
    pub fn names_rows(&self) -> bool {
        !self.names.is_empty()
    }

    /// The columns of names that do not only count.
    pub fn texts(&self, records: &[Record]) -> Vec<Vec<String>> {
        let records = &records[self.header..];
        let of =
            |column: usize| -> Vec<String> { records.iter().map(|record| record.cells[column].to_string()).collect() };
        let counts = |names: &[String]| {
            let numbers: Option<Vec<f64>> = names.iter().map(|name| name.parse().ok()).collect();
            numbers.is_some_and(|numbers| Sequence::of(&numbers) == Sequence::Counts)
        };
        self.names.iter().map(|&column| of(column)).filter(|names| !counts(names)).collect()
    }

    /// Names of the columns, if they have other names than numbers.
    pub fn column_names(&self, records: &[Record]) -> Option<Vec<String>> {
        let line = self.header.checked_sub(1).map(|line| &records[line])?;
        let names: Vec<String> = self.columns.iter().map(|&column| line.cells[column].to_string()).collect();
        let named = names.iter().all(|name| !name.is_empty()) && names.iter().any(|name| name.parse::<f64>().is_err());
        named.then_some(names)
    }
}

/// Names of the rows, from columns of [texts](Layout::texts): those with a name of its own for every row, else all together.
pub(super) fn rows(texts: &[Vec<String>]) -> Vec<Vec<String>> {
    let (mut distinct, repeated): (Vec<&Vec<String>>, Vec<_>) = texts.iter().partition(|names| twice(names).is_none());
    // What an index numbers has names beside it.
    distinct.sort_by_key(|names| names.iter().all(|name| name.parse::<f64>().is_ok()));
    match (&distinct[..], &repeated[..]) {
        ([], [first, ..]) => {
            let joined = |row: usize| repeated.iter().map(|names| names[row].as_str()).collect::<Vec<_>>().join(" ");
            vec![(0..first.len()).map(joined).collect()]
        }
        _ => distinct.into_iter().cloned().collect(),
    }
}

/// Holds all lines to one length; how many cells above the rows' names the first one lacks, which it then gets. One of text
/// that lacks more than one stands beside as many columns of text, or of what is said to name the rows.
fn even_out(records: &mut [Record], width: usize, decimal: Decimal, told: &Told) -> Result<usize, String> {
    const REMEDY: &str = "names with a separator in them stand in quotes, and a line that is no row has to go";
    let (first, rest) = records.split_first_mut().expect("a table has lines");
    // Of lines of two lengths the more frequent one is right.
    if let Some(record) = rest.iter().find(|record| record.cells.len() != width) {
        let common = rest.iter().filter(|record| record.cells.len() == width).count() * 2 > rest.len();
        let (record, expected) = if common { (record, width) } else { (&rest[rest.len() - 1], record.cells.len()) };
        return Err(format!("line {}: {} values, expected {expected}; {REMEDY}", record.line, record.cells.len()));
    }
    let short = width.saturating_sub(first.cells.len());
    let is_text = |column: usize| {
        let texts = rest.iter().filter(|record| decimal.cell(&record.cells[column]) == Cell::Text);
        texts.count() * 2 > rest.len()
    };
    let names_rows = || told.index.map_or_else(|| (0..short).all(is_text), |columns| columns == short);
    if first.cells.len() > width || short > 1 && !names_rows() {
        let index = if short > 1 && first.cells.len() > 1 {
            format!("; if the first {short} name the rows, add --index {short}")
        } else {
            String::new()
        };
        let (line, expected) = (rest.first().map_or(first.line, |record| record.line), first.cells.len());
        return Err(format!("line {line}: {width} values, expected {expected}{index}; {REMEDY}"));
    }
    first.cells = std::iter::repeat_n("", short).chain(first.cells.iter()).collect();
    Ok(short)
}
