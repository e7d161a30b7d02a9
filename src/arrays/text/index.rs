//! Which columns of a table name or number its rows.

use std::ops::Range;

use super::header::CALLED;
use super::numbers::Cell;
use super::records::Record;
use super::sequence::{COUNTS, Sequence};
use super::view::{View, differ, number, stand_above};
use crate::names::twice;

/// What programs call a column that numbers the rows, in lower case.
const INDEX_NAMES: [&str; 7] = ["index", "idx", "id", "row", "rowid", "row_id", "rownames"];

/// What ends the names of columns with numbers of something, in lower case: `image_nr`.
const NUMBERS: [&str; 5] = ["number", "num", "nr", "no", "code"];

/// What columns are called that say of which kind a row is, in lower case.
const KINDS: [&str; 10] =
    ["group", "category", "class", "target", "condition", "cluster", "session", "run", "block", "fold"];

/// Whether a name ends with the word id: `id`, `image_id`, `stimID`.
fn ends_with_id(name: &str) -> bool {
    let Some((before, id)) = name.len().checked_sub(2).and_then(|end| name.split_at_checked(end)) else { return false };
    let is_camel = before.ends_with(char::is_lowercase) && id.starts_with('I');
    let is_word = before.is_empty() || before.ends_with(['_', ' ', '-', '.']) || is_camel;
    is_word && id.eq_ignore_ascii_case("id")
}

/// Whether a name says that its column numbers the rows.
fn says_identity(name: &str) -> bool {
    ends_with_id(name) || INDEX_NAMES.contains(&last_word(&name.to_lowercase()))
}

/// Whether a name says of a column that it is a unit: it is not what columns that name or number rows are called, nor one that
/// ends with a number, as programs give them (`V1`).
fn says_unit(name: &str) -> bool {
    let lower = name.to_lowercase();
    let last = last_word(&lower);
    let is_given = name.is_empty() || name.ends_with(|letter: char| letter.is_ascii_digit());
    !is_given && !says_identity(name) && !CALLED.contains(&last) && !NUMBERS.contains(&last)
}

fn last_word(name: &str) -> &str {
    name.rsplit(['_', ' ', '-', '.']).next().unwrap_or(name)
}

impl View<'_> {
    /// Whether a column numbers the rows.
    pub fn numbers_rows(&self, column: usize, header: usize, unnamed: bool, text: &[usize]) -> Result<bool, String> {
        let Some(values) = self.column(column, header) else { return Ok(false) };
        let names_below =
            header > 0 && (column + 1..self.width).any(|column| !self.records[header - 1].cells[column].is_empty());
        if unnamed && names_below {
            return Ok(true);
        }
        if values.len() < 2 || column + 1 == self.width {
            return Ok(false);
        }
        let quoted = self.is_quoted_column(column, header);
        let above = self.above(column, header);
        if quoted && above.is_empty() {
            return Ok(true);
        }
        let sequence = Sequence::of(&values);
        // Nothing is numbered by zeros; a triangle begins so.
        if sequence == Sequence::Any || values[1..].iter().all(|&value| value == 0.0) {
            return Ok(false);
        }
        let name = above.to_lowercase();
        let called = INDEX_NAMES.contains(&name.as_str()) || name.starts_with("unnamed: ");
        // R names no column of names, and a spreadsheet fills up its line at the end.
        let may_be_shifted = column == 0 && header > 0 && self.records[header - 1].cells[self.width - 1].is_empty();
        let others: Vec<usize> = (0..=column).chain(text.iter().copied()).collect();
        // Of several columns that number the rows none has fractions.
        let [with, without] = self.with_and_without_fractions(header, &others);
        let fractions = with > without;
        let names_alone = |other: usize| {
            let names: Vec<&str> = self.records[header..].iter().map(|record| &record.cells[other]).collect();
            twice(&names).is_none()
        };
        let beside_names = !above.is_empty()
            && !says_identity(above)
            && text.iter().any(|&other| other < column && names_alone(other));
        let is_data = |other: usize| !text.contains(&other) && !says_identity(self.above(other, header));
        let splits = |other: usize| other > column && (other + 1..self.width).any(is_data);
        let before_names = !above.is_empty() && text.iter().any(|&other| splits(other));
        // Of ranks every column is shuffled.
        let ranked = || (column + 1..self.width).any(|other| self.ranks(other, header));
        let stands_above = || {
            let others = (header..self.records.len()).flat_map(|row| self.line(row, &others));
            !says_unit(above) && with + without > 1 && stand_above(&values, others)
        };
        let asked = || self.asked_index(column..column + 1, header);
        let codes = || self.codes(column, header);
        let identities = || self.identities(column, column, header, text);
        match sequence {
            _ if called => Ok(true),
            _ if quoted => Err(asked()),
            Sequence::Whole if codes() > column => Err(self.asked_index(column..codes(), header)),
            // Beside names, what has one is data, if it is no number of the row: the only rank is either.
            Sequence::Shuffled if beside_names && !fractions && ranked() => Ok(false),
            Sequence::Counts | Sequence::Shuffled if beside_names => Err(asked()),
            _ if beside_names => Ok(false),
            // Those of subjects or runs, before the names of their concepts.
            Sequence::Whole if before_names => Err(asked()),
            Sequence::Counts if values.len() >= COUNTS => Ok(true),
            Sequence::Shuffled if fractions => Ok(true),
            Sequence::Counts | Sequence::Rises => Err(asked()),
            Sequence::Shuffled if !ranked() => Err(asked()),
            Sequence::Whole if identities() > column => Err(self.asked_index(column..identities(), header)),
            Sequence::Shuffled | Sequence::Whole
                if may_be_shifted || values.len() >= COUNTS && (fractions || stands_above()) =>
            {
                Err(asked())
            }
            _ => Ok(false),
        }
    }

    /// Whether a column behind data numbers the rows, of which `left` columns at the left name or number them: one that is called
    /// an index and has other numbers in each. With the same in some it is a row of places, or a word, but for identities; what is
    /// called as names or kinds are (a label, a category) may be either beside fractions.
    pub fn numbers_rows_behind(
        &self,
        column: usize,
        header: usize,
        left: usize,
        text: &[usize],
    ) -> Result<bool, String> {
        let above = self.above(column, header);
        let is_called = |names: &[&str]| names.contains(&above.to_lowercase().as_str());
        let (is_index, is_name) = (is_called(&INDEX_NAMES), is_called(&CALLED) || is_called(&KINDS));
        let is_identity = self.identities(column, left, header, text) > column;
        // Few columns are called so, and the others are not read again.
        if !is_index && !is_name && !is_identity {
            return Ok(false);
        }
        let beside_fractions = || {
            let others: Vec<usize> = text.iter().copied().chain([column]).collect();
            let [with, without] = self.with_and_without_fractions(header, &others);
            with > without
        };
        match self.column(column, header).filter(|values| values.iter().all(|value| value.fract() == 0.0)) {
            Some(values) if is_index && values.len() > 1 && differ(&values) => Ok(true),
            Some(_) if is_identity || is_name && beside_fractions() => Err(format!(
                "column {} ({above:?}) may number the rows or be data: if it numbers them put it first, or leave it out; if it is \
                 data, add --index {}",
                column + 1,
                if left == 0 { "no".to_string() } else { left.to_string() }
            )),
            _ => Ok(false),
        }
    }

    /// How many columns but these have numbers that are not whole, and how many have none.
    fn with_and_without_fractions(&self, header: usize, but: &[usize]) -> [usize; 2] {
        let found = self.fractions(header, but);
        found.fold([0, 0], |[with, without], has| if has { [with + 1, without] } else { [with, without + 1] })
    }

    /// What the line above the rows calls a column.
    fn above(&self, column: usize, header: usize) -> &str {
        header.checked_sub(1).map_or("", |line| &self.records[line].cells[column])
    }

    /// The first column from one on whose name does not [say](ends_with_id) that it holds identities; `column`, too, if it is of
    /// several before one column of values, as those of pairs are. Columns before `left` are not looked at.
    fn identities(&self, column: usize, left: usize, header: usize, text: &[usize]) -> usize {
        let says_so = |column: &usize| ends_with_id(self.above(*column, header));
        let end = (column..self.width).find(|column| !says_so(column)).unwrap_or(self.width);
        if end == column {
            return column;
        }
        let (ids, values): (Vec<usize>, Vec<usize>) =
            (left..self.width).filter(|column| !text.contains(column)).partition(says_so);
        if ids.len() > 1 && values.len() < 2 { column } else { end }
    }

    /// The first column from one on that holds no codes: digits of one length with zeros before them, or as only hexadecimal ones
    /// are, with an exponent among others without. Where others have zeros before them, or there are none, numbers are written so.
    fn codes(&self, column: usize, header: usize) -> usize {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let power = |text: &str| text.split_once(['e', 'E']).is_some_and(|(a, b)| digits(a) && digits(b));
        let are_codes = |column: &usize| {
            let cells: Vec<&str> = self.records[header..].iter().map(|record| &record.cells[*column]).collect();
            let of_length = cells.iter().all(|cell| cell.len() == cells[0].len() && cell.len() > 1);
            cells.iter().all(|cell| digits(cell) || power(cell))
                && (of_length && cells.iter().any(|cell| cell.starts_with('0'))
                    || cells.iter().any(|cell| power(cell)) && cells.iter().any(|cell| digits(cell)))
        };
        let Some(end) = (column..self.width).find(|column| !are_codes(column)) else { return column };
        let is_padded = |cell: &str| cell.len() > 1 && cell.starts_with('0') && digits(cell);
        let are_padded = |column: usize| self.records[header..].iter().any(|record| is_padded(&record.cells[column]));
        if (end..self.width).any(are_padded) { column } else { end }
    }

    /// Whether a column of numbers without points is the only thing in quotes at the rows: R quotes their names.
    fn is_quoted_column(&self, column: usize, header: usize) -> bool {
        let is_quoted = |record: &Record| record.marks() == (2, true) && record.cells[0].parse::<i64>().is_ok();
        column == 0 && self.records[header..].iter().all(is_quoted)
    }

    /// Whether a cell begins with a number that is not whole, or is a percentage: `1.5 ms`, `(0.5)`, `12%`.
    fn is_amount(&self, row: usize, column: usize) -> bool {
        let cell = self.records[row].cells[column].trim_start_matches(['(', '<', '>', '~', '$', '€', '£']);
        let end = cell.find(|c: char| !c.is_ascii_digit() && !"+-.,".contains(c)).unwrap_or(cell.len());
        let (amount, behind) = cell.split_at(end);
        let value = self.decimal.number(amount.trim_end_matches('-'));
        value.is_some_and(|value| value.fract() != 0.0 || behind.starts_with('%'))
    }

    /// Whether a column holds the numbers from 0 or 1 on in another order.
    fn ranks(&self, column: usize, header: usize) -> bool {
        self.column(column, header).is_some_and(|values| Sequence::are_places(&values))
    }

    fn asked_index(&self, columns: Range<usize>, header: usize) -> String {
        let Range { start, end } = columns;
        let begins: Vec<&str> = self.records[header..].iter().take(4).map(|record| &record.cells[start]).collect();
        format!(
            "column {} ({}, …) may number the rows or be data: add --index {} or --index {}",
            start + 1,
            begins.join(", "),
            if end == 1 { "yes".to_string() } else { end.to_string() },
            if start == 0 { "no".to_string() } else { start.to_string() },
        )
    }

    /// What is wrong with a column of text, if it is of true and false alone, or, `beside` another that names the rows, has
    /// numbers that are not whole, as spreadsheets take some for dates, or amounts.
    pub fn no_names(&self, column: usize, header: usize, beside: bool) -> Option<String> {
        let rows = || header..self.records.len();
        let is_text = |row| self.cell(row, column) == Cell::Text;
        let fraction = rows().find(|&row| number(self.cell(row, column)).is_some_and(|value| value.fract() != 0.0));
        let is_truth = |row: usize| {
            ["true", "false"].iter().any(|truth| self.records[row].cells[column].eq_ignore_ascii_case(truth))
        };
        let text = match fraction {
            _ if rows().all(is_truth) => header,
            _ if !beside => return None,
            Some(_) => rows().find(|&row| is_text(row))?,
            None => rows().find(|&row| is_text(row) && self.is_amount(row, column))?,
        };
        Some(format!(
            "line {}: {:?} in column {}, expected a number: write it as one (12% as 0.12, TRUE as 1), or leave the column out",
            self.records[text].line,
            &self.records[text].cells[column],
            column + 1
        ))
    }
}
