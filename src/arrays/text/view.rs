//! The cells of a table whose lines are of one length.

use super::numbers::{Cell, Decimal};
use super::records::Record;
use crate::names::twice;

/// A table whose lines are of one length.
pub(super) struct View<'a> {
    pub records: &'a [Record<'a>],
    pub decimal: Decimal,
    pub width: usize,
}

impl View<'_> {
    pub fn cell(&self, row: usize, column: usize) -> Cell {
        self.decimal.cell(&self.records[row].cells[column])
    }

    /// Whether most of a column is text, whatever stands above it, and a number does not.
    pub fn is_text(&self, column: usize) -> bool {
        if matches!(self.cell(0, column), Cell::Number(_)) {
            return false;
        }
        let rows = usize::from(self.records.len() > 1)..self.records.len();
        let count = rows.len();
        rows.filter(|&row| self.cell(row, column) == Cell::Text).count() * 2 > count
    }

    /// The cells of a line in columns without text.
    pub fn line(&self, row: usize, text: &[usize]) -> Vec<Cell> {
        (0..self.width).filter(|column| !text.contains(column)).map(|column| self.cell(row, column)).collect()
    }

    /// The numbers of a line in some columns, if all are whole.
    pub fn whole(&self, row: usize, columns: impl IntoIterator<Item = usize>) -> Option<Vec<f64>> {
        let whole = |column| number(self.cell(row, column)).filter(|value| value.fract() == 0.0);
        columns.into_iter().map(whole).collect()
    }

    /// The numbers of a column from a line on, if they are all numbers.
    pub fn column(&self, column: usize, from: usize) -> Option<Vec<f64>> {
        (from..self.records.len()).map(|row| number(self.cell(row, column))).collect()
    }

    /// Of every other column, whether it has numbers that are not whole from a line on.
    pub fn fractions(&self, from: usize, without: &[usize]) -> impl Iterator<Item = bool> {
        let fraction = |row, column| matches!(self.cell(row, column), Cell::Number(value) if value.fract() != 0.0);
        let columns = (0..self.width).filter(|column| !without.contains(column));
        columns.map(move |column| (from..self.records.len()).any(|row| fraction(row, column)))
    }
}

/// Whether whole numbers differ and are greater than all of some other cells.
pub(super) fn stand_above(values: &[f64], mut others: impl Iterator<Item = Cell>) -> bool {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    differ(values) && others.all(|cell| number(cell).is_none_or(|other| other < least))
}

/// Whether numbers are whole and no two the same.
pub(super) fn differ(values: &[f64]) -> bool {
    let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
    values.iter().all(|value| value.fract() == 0.0) && twice(&bits).is_none()
}

pub(super) fn number(cell: Cell) -> Option<f64> {
    if let Cell::Number(value) = cell { Some(value) } else { None }
}
