//! Which lines at the top of a table name or number its columns.

use std::ops::Range;

use super::Told;
use super::numbers::Cell;
use super::sequence::{COUNTS, RISES, Sequence};
use super::view::{View, number, stand_above};

/// Lines at the top that may name columns: names of three levels, and pandas' line with the names of the index's levels.
pub(super) const MOST_HEADERS: usize = 4;

/// What columns that name rows are called, in lower case.
pub(super) const CALLED: [&str; 15] = [
    "concept",
    "concepts",
    "word",
    "words",
    "image",
    "images",
    "stimulus",
    "stim",
    "name",
    "item",
    "label",
    "filename",
    "subject",
    "participant",
    "trial",
];

impl View<'_> {
    /// Lines that name or number the columns.
    pub fn header(&self, text: &[usize], told: &Told) -> Result<usize, String> {
        let lines = self.text_lines(text)?;
        if self.records.len() == lines + 1 && lines > 0 {
            return Ok(lines);
        }
        if lines == 0 && self.is_quoted_line(text) {
            return Ok(1);
        }
        if let Some(levels) = self.levels(lines, text) {
            return Err(self.asked_header(levels, text));
        }
        let mut cells = self.line(lines.min(self.records.len() - 1), text);
        let of_numbers = |index: usize| (0..index.min(self.width)).filter(|column| !text.contains(column)).count();
        let corner = told.index.map_or_else(|| self.corner(lines, text), of_numbers).min(cells.len());
        // A cell above numbers of rows that is one of them begins a row.
        let is_corner = corner > 0 && cells.drain(..corner).all(|cell| cell == Cell::Missing);
        let numbers: Option<Vec<f64>> = cells.iter().map(|cell| number(*cell)).collect();
        let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty() && self.records.len() > 1) else {
            return Ok(lines);
        };
        let sequence = Sequence::of(&numbers);
        // An empty cell stands above what names or numbers the rows.
        let empty = text.iter().filter(|&&column| self.records[0].cells[column].is_empty()).count();
        let above_names = empty > 0 && (numbers.len() > 1 || empty == text.len());
        let above_numbers = is_corner && (sequence == Sequence::Counts || self.counts_below(text));
        let fractions = || self.fractions(lines + 1, text).all(|fractions| fractions);
        // So many numbers are not all greater than so many lines below by chance; of named rows or columns the first may be.
        let stands_above = || {
            let below = (1..self.records.len()).flat_map(|row| self.line(row, text));
            lines == 0 && text.is_empty() && self.records.len() > COUNTS && stand_above(&numbers, below)
        };
        // Of a few whole numbers above others nobody knows whether they number the columns.
        let may_be_row = lines == 0 && numbers.len() < RISES && !self.fractions(1, text).any(|fractions| fractions);
        let asked = || Err(self.asked_header(lines..lines + 1, text));
        match sequence {
            _ if lines == 0 && (above_names || above_numbers) => Ok(1),
            _ if lines == 0 && is_corner => asked(),
            _ if lines == 0 && numbers.len() == 1 && fractions() && self.may_be_unnamed(text) => asked(),
            // What such columns are called is no row's name.
            Sequence::Counts if lines == 0 && numbers.len() >= COUNTS && (!may_be_row || self.calls_names(text)) => {
                Ok(1)
            }
            Sequence::Whole if may_be_row && Sequence::rises_evenly(&numbers) => asked(),
            Sequence::Whole | Sequence::Shuffled if lines == 0 && self.calls_names(text) => asked(),
            Sequence::Counts | Sequence::Rises if lines == 0 => asked(),
            Sequence::Shuffled if lines == 0 && (1..self.records.len()).all(|row| !self.is_shuffled(row, text)) => {
                asked()
            }
            Sequence::Counts | Sequence::Shuffled | Sequence::Rises | Sequence::Whole
                if numbers.len() >= COUNTS && (fractions() || stands_above()) =>
            {
                asked()
            }
            _ => Ok(lines),
        }
    }

    /// Lines at the top with text where numbers follow.
    pub fn text_lines(&self, text: &[usize]) -> Result<usize, String> {
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
    pub fn names_levels(&self, line: usize, text: &[usize]) -> bool {
        let Some(record) = self.records.get(line).filter(|_| line > 1) else { return false };
        let is_empty = |column: usize| !text.contains(&column) && record.cells[column].is_empty();
        let left = (0..self.width).take_while(|&column| self.cell(line, column) == Cell::Text).count();
        let is_blank = |column: usize| column < left || text.contains(&column) || is_empty(column);
        let is_name = |cell: &str| !cell.is_empty() && self.records[0].cells.iter().all(|name| name != cell);
        (0..self.width).any(is_empty) && (0..self.width).all(is_blank) && record.cells.iter().any(is_name)
    }

    fn first_text(&self, row: usize, text: &[usize]) -> &str {
        let column = (0..self.width).find(|&column| !text.contains(&column) && self.cell(row, column) == Cell::Text);
        column.map_or("", |column| &self.records[row].cells[column])
    }

    /// Whether the first line is of numbers in quotes, and the second has none but those of names: R quotes names of columns.
    fn is_quoted_line(&self, text: &[usize]) -> bool {
        let [first, second, ..] = self.records else { return false };
        let mut numbers = (0..self.width).filter(|column| !text.contains(column)).map(|column| &first.cells[column]);
        first.marks().0 == 2 * self.width
            && second.marks().0 <= 2 * text.len()
            && numbers.all(|cell| cell.is_empty() || cell.parse::<f64>().is_ok())
    }

    /// Lines from `lines` on that may name the columns on one level more than those before.
    fn levels(&self, lines: usize, text: &[usize]) -> Option<Range<usize>> {
        self.levels_above_index(lines, text).or_else(|| self.levels_that_count(lines, text))
    }

    /// Whole numbers, each line of them behind empty cells, above a first column of whole numbers.
    fn levels_above_index(&self, lines: usize, text: &[usize]) -> Option<Range<usize>> {
        let is_unnamed = |row: &usize| self.records[*row].cells[0].is_empty();
        let is_level = |row: &usize| {
            let empty = self.records[*row].cells.iter().take_while(|cell| cell.is_empty()).count();
            (1..self.width).contains(&empty) && self.whole(*row, empty..self.width).is_some()
        };
        let end = lines + (lines..self.records.len()).take_while(is_level).count();
        let rows = end + usize::from(self.names_levels(end, text));
        let is_whole = |values: Vec<f64>| values.len() > 1 && values.iter().all(|value| value.fract() == 0.0);
        let is_index =
            || text.is_empty() && (0..lines).all(|row| is_unnamed(&row)) && self.column(0, rows).is_some_and(is_whole);
        (end > lines.max(1) && is_index()).then_some(lines..end)
    }

    /// Whole numbers that count anew under every name of the line above, where one stands several times.
    fn levels_that_count(&self, lines: usize, text: &[usize]) -> Option<Range<usize>> {
        let upper = lines.saturating_sub(1);
        if upper + 2 >= self.records.len() {
            return None;
        }
        let columns = || (0..self.width).filter(|column| !text.contains(column));
        let numbers = self.whole(upper + 1, columns()).filter(|numbers| numbers.len() >= COUNTS)?;
        let names: Vec<&str> = columns().map(|column| &self.records[upper].cells[column]).collect();
        let runs: Vec<&[&str]> = names.chunk_by(|a, b| a == b).collect();
        let counts = |values: &[f64]| Sequence::of(values) == Sequence::Counts;
        let mut rest = &numbers[..];
        let count_anew = runs.iter().all(|run| {
            let (own, after) = rest.split_at(run.len());
            rest = after;
            matches!(own, [0.0 | 1.0]) || counts(own)
        });
        let are_names = match lines {
            // Numbers of few values are data that look like levels, but in blocks that count.
            0 => {
                let blocks: Option<Vec<f64>> = runs.iter().map(|run| run[0].parse().ok()).collect();
                let is_unnamed = text.iter().any(|&column| self.records[0].cells[column].is_empty());
                !is_unnamed && runs.iter().all(|run| run.len() > 1) && blocks.is_some_and(|blocks| counts(&blocks))
            }
            _ => runs.len() < names.len() && names.iter().all(|name| !name.is_empty()),
        };
        (are_names && (count_anew || lines > 0 && counts(&numbers))).then_some(lines..upper + 2)
    }

    /// Whether the first line has above the rows' names what columns of names are called.
    fn calls_names(&self, text: &[usize]) -> bool {
        let above = |&column: &usize| self.records[0].cells[column].to_lowercase();
        text.iter().any(|column| CALLED.contains(&above(column).as_str()))
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

    /// Asks whether lines name the columns.
    pub fn asked_header(&self, lines: Range<usize>, text: &[usize]) -> String {
        let record = &self.records[lines.start];
        let begins: Vec<&str> = record.cells.iter().take(4).collect();
        let last = if self.names_levels(lines.end, text) { lines.end } else { lines.end - 1 };
        let with = match self.records[last].place {
            1 => "yes".to_string(),
            place => place.to_string(),
        };
        let without = match lines.start {
            0 => "no".to_string(),
            start => self.records[start - 1].place.to_string(),
        };
        format!(
            "line {} ({}, …) may number the columns or be data: add --header {with} or --header {without}",
            record.line,
            begins.join(", ")
        )
    }
}
