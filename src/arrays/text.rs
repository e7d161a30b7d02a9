//! Numbers as text (`.csv`, `.tsv`, `.txt`): a matrix, a line a row.
//!
//! Cells are separated by commas, semicolons, tabs or blanks. A first line that is not all numbers names the columns; if its
//! first cell is empty or there is one cell less than in the other lines, the first column names the rows.

use std::path::Path;
use std::sync::Arc;

use super::stored::{Bytes, Order, StoredArray, Value};
use super::{ArrayError, ArrayFormat, Listed, malformed};
use crate::error::FileError;

pub(super) const FORMAT: ArrayFormat = ArrayFormat {
    endings: &["csv", "tsv", "txt"],
    list: |_| Ok(vec![Listed { name: String::new(), float: true }]),
    open: |path, _| Ok(vec![open(path)?]),
};

fn open(path: &Path) -> Result<StoredArray, ArrayError> {
    let text = std::fs::read_to_string(path).map_err(FileError::at(path))?;
    let wrong = |reason: String| malformed(path, "text", reason);
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).peekable();
    let Some((_, first)) = lines.peek() else { return Err(wrong("it is empty".to_string())) };
    let separator = [',', ';', '\t'].into_iter().find(|&separator| first.contains(separator));
    let header = cells(first, separator);
    let named = header.iter().any(|cell| cell.parse::<f64>().is_err());
    if named {
        lines.next();
    }
    let rows_named = named
        && (header[0].is_empty()
            || lines.peek().is_some_and(|(_, line)| cells(line, separator).len() == header.len() + 1));

    let (mut values, mut rows, mut columns) = (Vec::new(), 0, 0);
    for (number, line) in lines {
        let before = values.len();
        for cell in cells(line, separator).into_iter().skip(usize::from(rows_named)) {
            let value: f64 =
                cell.parse().map_err(|_| wrong(format!("line {}: {cell:?}, expected a number", number + 1)))?;
            values.extend(value.to_ne_bytes());
        }
        let found = (values.len() - before) / size_of::<f64>();
        if rows > 0 && found != columns {
            return Err(wrong(format!("line {}: {found} values, expected {columns}", number + 1)));
        }
        (rows, columns) = (rows + 1, found);
    }
    let length = values.len();
    StoredArray::new(path, vec![rows, columns], Order::C, Value::native(true), Arc::new(Bytes::Held(values)), 0..length)
}

fn cells(line: &str, separator: Option<char>) -> Vec<&str> {
    match separator {
        Some(separator) => line.split(separator).map(|cell| cell.trim().trim_matches('"')).collect(),
        None => line.split_whitespace().collect(),
    }
}
