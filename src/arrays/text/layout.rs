//! Which lines and columns of a table of numbers are data.
//!
//! | what stands there | is |
//! | --- | --- |
//! | a first line with text above numbers, or with one cell less than the others | names of the columns |
//! | a line with names above those of the rows alone, behind two that name the columns | pandas' names of the index's levels |
//! | a first line that counts 0, 1, 2, … or 1, 2, 3, … | numbers of the columns (pandas' `index=False`) |
//! | a column of text | names of the rows |
//! | a first column that counts, or numbers in another order, or has no name where the others have, or is called index | numbers of the rows |
//! | a first line or column of whole numbers beside fractions, or of equal steps | either: refused, `--header`, `--index` |

use super::Told;
use super::numbers::{Cell, Decimal};
use super::records::Record;
use crate::names::twice;

/// Lines at the top that may name columns: names of two levels, and pandas' line with the names of the index's levels.
const MOST_HEADERS: usize = 3;

/// So many numbers do not count by chance, nor fractions rise by equal steps.
const COUNTS: usize = 3;

/// So many whole numbers do not rise by chance.
const RISES: usize = 5;

/// What programs call a column that numbers the rows, in lower case.
const INDEX_NAMES: [&str; 7] = ["index", "idx", "id", "row", "rowid", "row_id", "rownames"];

/// Where the data of a table are.
pub(super) struct Layout {
    /// Lines before them.
    pub header: usize,
    /// Columns of numbers.
    pub columns: Vec<usize>,
    /// Columns that name or number the rows.
    names: Vec<usize>,
}

/// What a line or column of numbers looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    /// 0, 1, 2, … or 1, 2, 3, …
    Counts,
    /// The same numbers in another order.
    Shuffled,
    /// Whole numbers that rise, or any that rise by equal steps.
    Rises,
    /// Whole numbers.
    Whole,
    Any,
}

impl Sequence {
    fn of(values: &[f64]) -> Self {
        let counts = |values: &[f64]| {
            let from = |first: f64| values.iter().zip(0_u32..).all(|(&value, n)| value == first + f64::from(n));
            values.len() >= 2 && (from(0.0) || from(1.0))
        };
        if counts(values) {
            return Self::Counts;
        }
        let whole = values.iter().all(|value| value.fract() == 0.0);
        let rising = values.is_sorted_by(|a, b| a < b);
        let step = |pair: &[f64]| pair[1] - pair[0];
        let even = || values.windows(2).all(|pair| (step(pair) - step(&values[..2])).abs() <= 1e-9 * step(pair).abs());
        if rising && (whole && values.len() >= RISES || !whole && values.len() >= COUNTS && even()) {
            return Self::Rises;
        }
        if !whole || values.is_empty() {
            return Self::Any;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        if values.len() >= RISES && counts(&sorted) { Self::Shuffled } else { Self::Whole }
    }

    /// Whether they are the numbers from 0 or 1 on, in order or not: places, or ranks.
    fn are_places(values: &[f64]) -> bool {
        matches!(Self::of(values), Self::Counts | Self::Shuffled)
    }
}

impl Layout {
    /// Understands a table; a short first line gets empty cells before it, so that all lines are of one length.
    ///
    /// # Errors
    /// Lines of other lengths, text among numbers, or a line or column that may be data or not.
    pub fn of(records: &mut [Record], decimal: Decimal, told: &Told) -> Result<Self, String> {
        let width = records[records.len() - 1].cells.len();
        let short = even_out(records, width)?;
        let table = View { records, decimal, width };
        let text: Vec<usize> = (0..width).filter(|&column| table.is_text(column)).collect();
        let header = match told.header {
            Some(header) => header.min(records.len()),
            None if short => 1.max(table.text_lines(&text)?),
            None => table.header(&text, told)?,
        };
        if header == records.len() {
            return Err("no line of numbers".into());
        }
        // Names without one above whole numbers: the second level of the columns'.
        let is_unnamed = |row: usize| text.contains(&0) && records[row].cells[0].is_empty();
        let is_whole = |cell: &Cell| matches!(cell, Cell::Number(value) if value.fract() == 0.0);
        let may_number = is_unnamed(header) && table.line(header, &text).iter().all(is_whole);
        if told.header.is_none() && may_number && (header + 1..records.len()).all(|row| !is_unnamed(row)) {
            return Err(table.asked_header(header, &text));
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
                    let above_names = short && column == 0;
                    if left < column || !above_names && !table.numbers_rows(column, header, unnamed, &names)? {
                        break;
                    }
                    numbered.push(column);
                }
                names.extend(numbered);
            }
        }
        names.sort_unstable();
        names.dedup();
        let columns: Vec<usize> = (0..width).filter(|column| !names.contains(column)).collect();
        if columns.is_empty() {
            let line = records[header].line;
            let cell = &records[header].cells[0];
            return Err(format!("line {line}: {cell:?}, expected a number; no column holds numbers"));
        }
        Ok(Self { header, columns, names })
    }

    /// Whether columns name or number the rows.
    pub fn names_rows(&self) -> bool {
        !self.names.is_empty()
    }

    /// Names of the rows, from whichever columns have any: those with a name of its own for every row, else all together.
    pub fn rows(&self, records: &[Record]) -> Vec<Vec<String>> {
        let rows = records.len() - self.header;
        let (mut distinct, repeated): (Vec<_>, Vec<_>) =
            self.texts(records).into_iter().partition(|names| twice(names).is_none());
        // What an index numbers has names beside it.
        distinct.sort_by_key(|names| names.iter().all(|name| name.parse::<f64>().is_ok()));
        match (distinct.is_empty(), repeated.is_empty()) {
            (true, false) => vec![(0..rows).map(|row| joined(repeated.iter().map(|names| &names[row]))).collect()],
            _ => distinct,
        }
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

fn joined<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Holds all lines to one length; true if the first one lacks the cell above the rows' names, which it then gets.
fn even_out(records: &mut [Record], width: usize) -> Result<bool, String> {
    let (first, rest) = records.split_first_mut().expect("a table has lines");
    // Of lines of two lengths the more frequent one is right.
    if let Some(record) = rest.iter().find(|record| record.cells.len() != width) {
        let common = rest.iter().filter(|record| record.cells.len() == width).count() * 2 > rest.len();
        let (record, expected) = if common { (record, width) } else { (&rest[rest.len() - 1], record.cells.len()) };
        return Err(format!("line {}: {} values, expected {expected}", record.line, record.cells.len()));
    }
    let short = first.cells.len() + 1 == width && !rest.is_empty();
    if short {
        first.cells = std::iter::once("").chain(first.cells.iter()).collect();
    } else if first.cells.len() != width {
        return Err(format!("line {}: {width} values, expected {}", rest[0].line, first.cells.len()));
    }
    Ok(short)
}

/// A table whose lines are of one length.
struct View<'a> {
    records: &'a [Record<'a>],
    decimal: Decimal,
    width: usize,
}

impl View<'_> {
    fn cell(&self, row: usize, column: usize) -> Cell {
        self.decimal.cell(&self.records[row].cells[column])
    }

    /// Whether most of a column is text, whatever stands above it, and a number does not.
    fn is_text(&self, column: usize) -> bool {
        if matches!(self.cell(0, column), Cell::Number(_)) {
            return false;
        }
        let rows = usize::from(self.records.len() > 1)..self.records.len();
        let count = rows.len();
        rows.filter(|&row| self.cell(row, column) == Cell::Text).count() * 2 > count
    }

    /// The numbers of a line in columns without text; NaN where there is none.
    fn line(&self, row: usize, text: &[usize]) -> Vec<Cell> {
        (0..self.width).filter(|column| !text.contains(column)).map(|column| self.cell(row, column)).collect()
    }

    /// Lines at the top with text where numbers follow.
    fn text_lines(&self, text: &[usize]) -> Result<usize, String> {
        let mut lines = 0;
        while lines < self.records.len().min(MOST_HEADERS) {
            let cells = self.line(lines, text);
            let texts = cells.iter().filter(|&&cell| cell == Cell::Text).count();
            let number = cells.iter().any(|cell| matches!(cell, Cell::Number(_)));
            let fraction = cells.iter().any(|cell| matches!(cell, Cell::Number(value) if value.fract() != 0.0));
            match (texts, lines) {
                (0, _) if self.names_levels(lines, text) => {}
                (0, _) => break,
                (_, 0) if fraction && texts < cells.len().div_ceil(2) => {
                    let cell = self.first_text(0, text);
                    return Err(format!(
                        "line {}: {cell:?}, expected a number; if the line names the columns, add --header yes",
                        self.records[lines].line
                    ));
                }
                (_, 0) => {}
                (_, _) if number => break,
                _ => {}
            }
            lines += 1;
        }
        Ok(lines)
    }

    /// Whether pandas names the levels of the rows' index in this line. It has one where the columns have levels, too, behind
    /// theirs; else such a line is a row without values. A row of a triangle has the name of a column.
    fn names_levels(&self, line: usize, text: &[usize]) -> bool {
        let Some(record) = self.records.get(line).filter(|_| line > 1) else { return false };
        let is_blank = |column: usize| text.contains(&column) || record.cells[column].is_empty();
        let is_name = |cell: &str| !cell.is_empty() && self.records[0].cells.iter().all(|name| name != cell);
        (0..self.width).all(is_blank) && record.cells.iter().any(is_name)
    }

    fn first_text(&self, row: usize, text: &[usize]) -> &str {
        let column = (0..self.width).find(|&column| !text.contains(&column) && self.cell(row, column) == Cell::Text);
        column.map_or("", |column| &self.records[row].cells[column])
    }

    /// Lines that name or number the columns.
    fn header(&self, text: &[usize], told: &Told) -> Result<usize, String> {
        let lines = self.text_lines(text)?;
        if self.records.len() == lines + 1 && lines > 0 {
            return Ok(lines);
        }
        let mut cells = self.line(lines.min(self.records.len() - 1), text);
        let of_numbers = |index: usize| (0..index.min(self.width)).filter(|column| !text.contains(column)).count();
        let corner = told.index.map_or_else(|| self.corner(lines, text), of_numbers).min(cells.len());
        cells.drain(..corner);
        let numbers: Option<Vec<f64>> = cells.iter().map(|cell| number(*cell)).collect();
        let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty() && self.records.len() > 1) else {
            return Ok(lines);
        };
        let sequence = Sequence::of(&numbers);
        // An empty cell stands above what names or numbers the rows.
        let empty = text.iter().filter(|&&column| self.records[0].cells[column].is_empty()).count();
        let above_names = empty > 0 && (numbers.len() > 1 || empty == text.len());
        let above_numbers = corner > 0 && (sequence == Sequence::Counts || self.counts_below(text));
        let fractions = || self.fractions(lines + 1, text).all(|fractions| fractions);
        match sequence {
            _ if lines == 0 && (above_names || above_numbers) => Ok(1),
            _ if lines == 0 && corner > 0 => Err(self.asked_header(lines, text)),
            _ if lines == 0 && numbers.len() == 1 && fractions() && self.may_be_unnamed(text) => {
                Err(self.asked_header(lines, text))
            }
            Sequence::Counts if lines == 0 && numbers.len() >= COUNTS => Ok(1),
            Sequence::Counts | Sequence::Rises if lines == 0 => Err(self.asked_header(lines, text)),
            Sequence::Shuffled if lines == 0 && (1..self.records.len()).all(|row| !self.is_shuffled(row, text)) => {
                Err(self.asked_header(lines, text))
            }
            Sequence::Counts | Sequence::Shuffled | Sequence::Rises | Sequence::Whole
                if numbers.len() >= COUNTS && fractions() =>
            {
                Err(self.asked_header(lines, text))
            }
            _ => Ok(lines),
        }
    }

    /// Whether a line holds the numbers from 0 or 1 on in another order, as ranks do.
    fn is_shuffled(&self, row: usize, text: &[usize]) -> bool {
        let numbers: Option<Vec<f64>> = self.line(row, text).into_iter().map(number).collect();
        numbers.is_some_and(|numbers| Sequence::are_places(&numbers))
    }

    /// Whether the first line may name the only column of numbers as pandas does one without a name, 0, beside names that no
    /// other line has.
    fn may_be_unnamed(&self, text: &[usize]) -> bool {
        let Some(own) = (0..self.width).rfind(|column| !text.contains(column)) else { return false };
        let mut others = (0..self.width).filter(|&column| column != own);
        let again = |column: usize| {
            let name = &self.records[0].cells[column];
            self.records[1..].iter().any(|record| record.cells.iter().any(|cell| cell == name))
        };
        &self.records[0].cells[own] == "0" && !others.any(again)
    }

    /// Empty cells at the left of a line, above columns that number the rows.
    fn corner(&self, line: usize, text: &[usize]) -> usize {
        if line + 1 >= self.records.len() {
            return 0;
        }
        let columns = (0..self.width).filter(|column| !text.contains(column));
        columns
            .take_while(|&column| {
                let empty = self.records[line].cells[column].is_empty();
                let below = self.column(column, line + 1);
                empty && below.is_some_and(|values| values.iter().all(|value| value.fract() == 0.0))
            })
            .count()
    }

    /// Whether the first column without text counts from its second line on.
    fn counts_below(&self, text: &[usize]) -> bool {
        let column = (0..self.width).find(|column| !text.contains(column));
        column.and_then(|column| self.column(column, 1)).is_some_and(|values| Sequence::are_places(&values))
    }

    fn asked_header(&self, lines: usize, text: &[usize]) -> String {
        let record = &self.records[lines];
        let begins: Vec<&str> = record.cells.iter().take(4).collect();
        let (with, without) = match lines {
            0 => ("yes".to_string(), "no".to_string()),
            _ => ((lines + 1 + usize::from(self.names_levels(lines + 1, text))).to_string(), lines.to_string()),
        };
        format!(
            "line {} ({}, …) may number the columns or be data: add --header {with} or --header {without}",
            record.line,
            begins.join(", ")
        )
    }

    /// The numbers of a column from a line on, if they are all numbers.
    fn column(&self, column: usize, from: usize) -> Option<Vec<f64>> {
        (from..self.records.len()).map(|row| number(self.cell(row, column))).collect()
    }

    /// Whether a column numbers the rows.
    fn numbers_rows(&self, column: usize, header: usize, unnamed: bool, text: &[usize]) -> Result<bool, String> {
        let Some(values) = self.column(column, header) else { return Ok(false) };
        let names_below =
            header > 0 && (column + 1..self.width).any(|column| !self.records[header - 1].cells[column].is_empty());
        if unnamed && names_below {
            return Ok(true);
        }
        if values.len() < 2 || column + 1 == self.width {
            return Ok(false);
        }
        // Nothing is numbered by zeros; a triangle begins so.
        if values[1..].iter().all(|&value| value == 0.0) {
            return Ok(false);
        }
        let called = header.checked_sub(1).map(|line| self.records[line].cells[column].to_lowercase());
        let called = called.is_some_and(|name| INDEX_NAMES.contains(&name.as_str()) || name.starts_with("unnamed: "));
        let others: Vec<usize> = (0..=column).chain(text.iter().copied()).collect();
        // Of several columns that number the rows none has fractions.
        let (with, without): (Vec<bool>, Vec<bool>) = self.fractions(header, &others).partition(|&fractions| fractions);
        let fractions = with.len() > without.len();
        match Sequence::of(&values) {
            Sequence::Any => Ok(false),
            _ if called => Ok(true),
            Sequence::Counts if values.len() >= COUNTS => Ok(true),
            Sequence::Shuffled if fractions => Ok(true),
            Sequence::Counts | Sequence::Rises => Err(self.asked_index(column, header)),
            // Of ranks every column is shuffled.
            Sequence::Shuffled if !(column + 1..self.width).any(|other| self.ranks(other, header)) => {
                Err(self.asked_index(column, header))
            }
            Sequence::Shuffled | Sequence::Whole if values.len() >= COUNTS && fractions => {
                Err(self.asked_index(column, header))
            }
            _ => Ok(false),
        }
    }

    /// Whether a column holds the numbers from 0 or 1 on in another order.
    fn ranks(&self, column: usize, header: usize) -> bool {
        self.column(column, header).is_some_and(|values| Sequence::are_places(&values))
    }

    fn asked_index(&self, column: usize, header: usize) -> String {
        let begins: Vec<&str> = self.records[header..].iter().take(4).map(|record| &record.cells[column]).collect();
        format!(
            "column {} ({}, …) may number the rows or be data: add --index {} or --index {}",
            column + 1,
            begins.join(", "),
            if column == 0 { "yes".to_string() } else { (column + 1).to_string() },
            if column == 0 { "no".to_string() } else { column.to_string() },
        )
    }

    /// Of every other column, whether it has numbers that are not whole from a line on.
    fn fractions(&self, from: usize, without: &[usize]) -> impl Iterator<Item = bool> {
        let fraction = |row, column| matches!(self.cell(row, column), Cell::Number(value) if value.fract() != 0.0);
        let columns = (0..self.width).filter(|column| !without.contains(column));
        columns.map(move |column| (from..self.records.len()).any(|row| fraction(row, column)))
    }
}

fn number(cell: Cell) -> Option<f64> {
    if let Cell::Number(value) = cell { Some(value) } else { None }
}
