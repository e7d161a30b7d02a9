//! Numbers as programs and spreadsheets print them: which of comma and point is the decimal sign.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What a table prints where it has no value, in lower case.
const MISSING: [&str; 13] = ["", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "+nan", "null", "none", "-", "?", "."];

/// What a cell of a table holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell {
    Number(f64),
    /// Empty, or `NA` and the like.
    Missing,
    Text,
}

/// The decimal sign of a table; the other one groups thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decimal {
    /// `1,234.5`
    Point,
    /// `1.234,5`
    Comma,
}

impl std::str::FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "point" => Ok(Self::Point),
            "comma" => Ok(Self::Comma),
            _ => Err("expected point (1,234.5) or comma (1.234,5)".to_string()),
        }
    }
}

impl Decimal {
    /// The cell, by this decimal sign.
    pub(super) fn cell(self, text: &str) -> Cell {
        let text = text.trim();
        if self == Self::Point
            && text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
            && let Ok(value) = text.parse::<f64>()
            && !value.is_nan()
        {
            return Cell::Number(value);
        }
        if MISSING.contains(&text.to_lowercase().as_str()) {
            return Cell::Missing;
        }
        match self.number(text).or_else(|| infinity(text)) {
            Some(value) => Cell::Number(value),
            None => Cell::Text,
        }
    }

    /// A number whose thousands may be grouped.
    pub(super) fn number(self, text: &str) -> Option<f64> {
        let (decimal, group) = if self == Self::Point { ('.', ',') } else { (',', '.') };
        let text = text.replace('\u{2212}', "-");
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
        let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let sign = if mantissa.starts_with('-') { "-" } else { "" };
        let (whole, fraction) = unsigned.split_once(decimal).unwrap_or((unsigned, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let whole = if digits(whole) { whole.to_string() } else { ungrouped(whole, group)? };
        if whole.is_empty() && fraction.is_empty() || !digits(fraction) {
            return None;
        }
        format!("{sign}{whole}.{fraction}e{exponent}").parse().ok()
    }
}

fn infinity(text: &str) -> Option<f64> {
    let unsigned = text.trim_start_matches(['-', '+']).to_lowercase();
    let value = ["inf", "infinity"].contains(&unsigned.as_str()).then_some(f64::INFINITY)?;
    Some(if text.starts_with('-') { -value } else { value })
}

/// The digits of `1,234,567`: groups of three by one sign, or by a blank or an apostrophe, as other countries have them.
fn ungrouped(whole: &str, group: char) -> Option<String> {
    let separator = whole.chars().find(|c| !c.is_ascii_digit())?;
    if separator != group && !" '\u{2019}\u{a0}\u{202f}\u{2009}".contains(separator) {
        return None;
    }
    let groups: Vec<&str> = whole.split(separator).collect();
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let first = (1..=3).contains(&groups[0].len()) && !groups[0].starts_with('0');
    let rest = groups[1..].iter().all(|group| group.len() == 3);
    (first && rest && groups.iter().all(|group| digits(group))).then(|| groups.concat())
}

/// A cell that shows which sign is which, and its line.
pub(super) type Shown<'a> = (u64, &'a str);

/// What the cells of a table show of its decimal sign.
#[derive(Default)]
pub(super) struct Evidence<'a> {
    point: Option<Shown<'a>>,
    comma: Option<Shown<'a>>,
    /// `1,234`: a number either way, and not the same.
    either: Option<Shown<'a>>,
    /// By column the first `1.234`, likewise.
    points: BTreeMap<usize, Shown<'a>>,
    /// Columns that have whole numbers below 1,000, which have no point among thousands that points group.
    small: BTreeSet<usize>,
    /// The first line, whose numbers may count the columns.
    first: Option<u64>,
}

impl<'a> Evidence<'a> {
    pub fn add(&mut self, line: u64, column: usize, text: &'a str) {
        let first = *self.first.get_or_insert(line);
        let comma = text.contains(',');
        if !comma && self.point.is_some() {
            return;
        }
        if !comma && !text.contains('.') {
            let digits = text.trim().trim_start_matches(['-', '+', '\u{2212}']);
            if line != first && (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                self.small.insert(column);
            }
            return;
        }
        match (Decimal::Point.number(text.trim()), Decimal::Comma.number(text.trim())) {
            (Some(_), None) => _ = self.point.get_or_insert((line, text)),
            (None, Some(_)) => _ = self.comma.get_or_insert((line, text)),
            (Some(a), Some(b)) if a != b && comma => _ = self.either.get_or_insert((line, text)),
            (Some(a), Some(b)) if a != b => _ = self.points.entry(column).or_insert((line, text)),
            _ => {}
        }
    }

    /// The sign, or why it cannot be told.
    pub fn decimal(self) -> Result<Decimal, String> {
        let beside = self.points.iter().find(|(column, _)| self.small.contains(*column)).map(|(_, &shown)| shown);
        match self {
            Self { point: Some((a, point)), comma: Some((b, comma)), .. } => Err(format!(
                "line {a}: {point:?} has a decimal point, line {b}: {comma:?} a decimal comma; expected one of them throughout"
            )),
            Self { comma: Some(_), .. } => Ok(Decimal::Comma),
            Self { point: None, either: Some((line, text)), .. } => Err(format!(
                "line {line}: {text:?} may be a thousand or a fraction: add --decimal point if the comma groups thousands, \
                 --decimal comma if it is the decimal sign"
            )),
            Self { point: Some(_), .. } => Ok(Decimal::Point),
            _ => beside.map_or(Ok(Decimal::Point), |(line, text)| {
                Err(format!(
                    "line {line}: {text:?} may be a thousand or a fraction, for whole numbers without a point stand in its column: \
                     add --decimal comma if the point groups thousands, --decimal point if it is the decimal sign"
                ))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_their_decimal_sign() {
        let point = |text| Decimal::Point.cell(text);
        let comma = |text| Decimal::Comma.cell(text);
        for (text, value) in [
            ("1.5", 1.5),
            (" -2e-3 ", -2e-3),
            ("1,234.5", 1234.5),
            ("12,345,678", 12_345_678.0),
            ("1 234.5", 1234.5),
            ("1'234.5", 1234.5),
            ("\u{2212}7", -7.0),
            (".5", 0.5),
            ("+3.", 3.0),
            ("-inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(point(text), Cell::Number(value), "{text}");
        }
        for (text, value) in
            [("1,5", 1.5), ("1.234,5", 1234.5), ("-0,25E2", -25.0), ("7", 7.0), ("1\u{a0}234,5", 1234.5)]
        {
            assert_eq!(comma(text), Cell::Number(value), "{text}");
        }
        for text in ["1,23", "0,123", "1,2345", "c00", "12 %", "1.2.3", "--1", "e5", "1e", "2024-01-02", "1 2"] {
            assert_eq!(point(text), Cell::Text, "{text}");
        }
        assert_eq!(comma("1.5"), Cell::Text);
        for text in ["", "NA", "NaN", "-nan", "+NaN", "#N/A", "null", "-"] {
            assert_eq!((point(text), comma(text)), (Cell::Missing, Cell::Missing), "{text}");
        }
    }

    #[test]
    fn the_decimal_sign_is_told_or_asked_for() {
        let decimal = |cells: &[&'static str]| {
            let mut evidence = Evidence::default();
            (1..).zip(cells).for_each(|(line, text)| evidence.add(line, 0, text));
            evidence.decimal()
        };
        assert_eq!(decimal(&["1", "2.5"]), Ok(Decimal::Point));
        assert_eq!(decimal(&["1.234", "2.345"]), Ok(Decimal::Point));
        assert_eq!(decimal(&["1,234", "2,5"]), Ok(Decimal::Comma));
        assert_eq!(decimal(&["1,234", "0,345"]), Ok(Decimal::Comma));
        assert_eq!(decimal(&["1,234", "2.5"]), Ok(Decimal::Point));
        assert_eq!(decimal(&["1,234,567"]), Ok(Decimal::Point));
        assert_eq!(decimal(&["1.234,5", "1.234"]), Ok(Decimal::Comma));
        let asked = decimal(&["7", "1,234"]).unwrap_err();
        assert!(asked.contains("line 2: \"1,234\"") && asked.contains("--decimal comma"), "{asked}");
        // The correlations of 34558 and 558 are others than those of 34.558 and 558.
        let grouped = decimal(&["u0", "34.558", "558"]).unwrap_err();
        assert!(grouped.contains("line 2: \"34.558\"") && grouped.contains("--decimal comma"), "{grouped}");
        assert_eq!(decimal(&["7", "34.558", "1.234"]), Ok(Decimal::Point), "a column called 7");
        assert_eq!(decimal(&["u0", "34.558", "558", "2.25"]), Ok(Decimal::Point));
        assert_eq!(decimal(&["u0", "34.558", "558", "1.234.567"]), Ok(Decimal::Comma));
        let both = decimal(&["0.5", "0,5"]).unwrap_err();
        assert!(both.contains("line 1: \"0.5\" has a decimal point, line 2: \"0,5\" a decimal comma"), "{both}");
    }
}
