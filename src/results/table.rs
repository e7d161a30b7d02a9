//! The form of the result tables: CSV files.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};

use crate::error::FileError;
use crate::files;
use crate::results::{ResultsDir, write_atomically};

/// A results file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The directory holds no such table.
    #[error("{}: no such file; `semgpu run` and `semgpu test` write it into their --out directory, which is to be named", path.display())]
    NoTable {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The header lacks a column.
    #[error("{}: line 1: no column \"{column}\", expected {expected}{AGAIN}", path.display())]
    NoColumn {
        /// The table.
        path: PathBuf,
        /// The first column missing.
        column: String,
        /// The whole header expected.
        expected: String,
    },
    /// A value is not what its column holds.
    #[error("{}: line {line}: column \"{column}\": \"{found}\": {reason}{AGAIN}", path.display())]
    Value {
        /// The table.
        path: PathBuf,
        /// Counted from 1, the header included.
        line: u64,
        /// The column's name.
        column: String,
        /// The text found there.
        found: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// A line that is no record of the table.
    #[error("{}: line {line}: {reason}{AGAIN}", path.display())]
    Line {
        /// The table.
        path: PathBuf,
        /// Counted from 1, the header included.
        line: u64,
        /// Why it cannot be used.
        reason: String,
    },
}

/// What helps where a spreadsheet, say, has saved a table.
const AGAIN: &str = "; the command that made the results makes it again";

/// A row of a result table; its fields are the columns.
pub trait Table: Serialize + DeserializeOwned {
    /// The table's name: its file is `<name>.csv`.
    const NAME: &'static str;

    /// The names of the columns, in order.
    fn header() -> &'static [&'static str] {
        columns::<Self>()
    }
}

/// Columns that older results lack, by table; their fields have a default.
const LATER: [(&str, &[&str]); 6] = [
    ("confused", &["groups_tied"]),
    ("controls", &["ties"]),
    ("intervals", &["less_layer", "p_fwer"]),
    ("measures", &["ci_low", "ci_high", "ceiling_low", "ceiling_high"]),
    ("networks", &["best_null_mean", "best_null_sd"]),
    ("stimuli", &["sha256"]),
];

fn is_later(table: &str, column: &str) -> bool {
    LATER.iter().any(|(name, columns)| *name == table && columns.contains(&column))
}

fn file<T: Table>(directory: &Path) -> PathBuf {
    ResultsDir::new(directory).table(T::NAME)
}

/// Writes a table into `directory`; the header stands even without rows.
///
/// Floats are printed in the shortest form that reads back to the same bits, so equal rows give equal bytes.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_table<T: Table>(directory: &Path, rows: &[T]) -> Result<(), FileError> {
    write_atomically(&file::<T>(directory), |file| encode(file, rows))
}

/// The text of the file that [`write_table`] writes.
pub fn table_text<T: Table>(rows: &[T]) -> String {
    let mut text = Vec::new();
    encode(&mut text, rows).expect("memory takes what is written");
    String::from_utf8(text).expect("cells are UTF-8")
}

fn encode<T: Table>(file: impl io::Write, rows: &[T]) -> io::Result<()> {
    let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(file);
    table.write_record(T::header()).map_err(files::csv_unwritten)?;
    for row in rows {
        table.serialize(row).map_err(files::csv_unwritten)?;
    }
    table.flush()
}

/// Reads a table of `directory`; columns are found by name, further columns are ignored.
///
/// # Errors
/// A missing file or column; a value that does not parse, with line and column.
pub fn read_table<T: Table>(directory: &Path) -> Result<Vec<T>, ResultsError> {
    let path = &file::<T>(directory);
    let text = match files::read_text(path) {
        Err(e) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&e.kind()) => {
            return Err(ResultsError::NoTable { path: path.into() });
        }
        read => read.map_err(FileError::at(path))?,
    };
    let unreadable =
        |error| FileError::at(path)(io::Error::other(format!("{}{AGAIN}", files::csv_error(&error, &text))));
    let mut table = csv::Reader::from_reader(&text[..]);
    let header = table.headers().map_err(unreadable)?.clone();
    let mut expected = T::header().iter().filter(|column| !is_later(T::NAME, column));
    if let Some(column) = expected.find(|&column| !header.iter().any(|found| found == *column)) {
        return Err(ResultsError::NoColumn {
            path: path.into(),
            column: column.to_string(),
            expected: T::header().join(","),
        });
    }
    table
        .records()
        .map(|record| {
            let record = record.map_err(unreadable)?;
            let line = files::line_of(&record, &text);
            record.deserialize(Some(&header)).map_err(|e| unusable(path, &header, (line, &record), e))
        })
        .collect()
}

/// A record, by its line, whose value does not parse.
fn unusable(
    path: &Path,
    header: &csv::StringRecord,
    (line, record): (u64, &csv::StringRecord),
    error: csv::Error,
) -> ResultsError {
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
        return ResultsError::Line { path: path.into(), line, reason: error.to_string() };
    };
    let reason = err.kind().to_string();
    match err.field().map(|field| field as usize) {
        Some(field) => ResultsError::Value {
            path: path.into(),
            line,
            column: header.get(field).unwrap_or_default().to_owned(),
            found: record.get(field).unwrap_or_default().to_owned(),
            reason,
        },
        None => ResultsError::Line { path: path.into(), line, reason },
    }
}

/// The field names of a row type, in order.
fn columns<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Names<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _name: &'static str,
            fields: &'static [&'static str],
            _visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            Err(Self::Error::custom("only the names are wanted"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("a row is a struct"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    let stopped = T::deserialize(Names(&mut names));
    debug_assert!(stopped.is_err());
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{AccuracyRow, ConceptRow, GroupRow, IntervalRow, MisclassifiedRow, OneVsTwoRow};

    fn group_row(group: &str, accuracy: f64) -> GroupRow {
        GroupRow {
            network: "vgg16".into(),
            layer: "fc1".into(),
            words: "GloVe, 300-d".into(),
            group: group.into(),
            passed: 2,
            ties: 0,
            pairs: 3,
            accuracy,
        }
    }

    #[test]
    fn the_columns_are_the_contracts() {
        assert_eq!(
            AccuracyRow::header().join(","),
            "network,layer,label,depth,units,words,concepts,groups,pairs,accuracy,ties,permutations,p_value,p_fwer,\
             q_fdr,null_mean,null_sd,matched,mismatched,rsa,ci_low,ci_high,ceiling_low,ceiling_high"
        );
        assert_eq!(GroupRow::header().join(","), "network,layer,words,group,passed,ties,pairs,accuracy");
        assert_eq!(ConceptRow::header().join(","), "network,layer,words,concept,pairs,passed,accuracy");
        let one_vs_two = "network,layer,label,words,images,passed,ties,accuracy,permutations,p_value,p_fwer";
        assert_eq!(OneVsTwoRow::header()[..11].join(","), one_vs_two);
        let misclassified = "network,group,path,concept,predicted,layer,words,margin";
        assert_eq!(MisclassifiedRow::header().join(","), misclassified);
    }

    #[test]
    fn floats_are_printed_shortest_and_read_back_to_the_bit() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        let rows = [group_row("0", 2.0 / 3.0), group_row("say \"1\"", 1e-17), group_row("2", 0.5)];
        write_table(&out, &rows).unwrap();
        assert_eq!(
            std::fs::read_to_string(out.join("groups.csv")).unwrap(),
            "network,layer,words,group,passed,ties,pairs,accuracy\n\
             vgg16,fc1,\"GloVe, 300-d\",0,2,0,3,0.6666666666666666\n\
             vgg16,fc1,\"GloVe, 300-d\",\"say \"\"1\"\"\",2,0,3,1e-17\n\
             vgg16,fc1,\"GloVe, 300-d\",2,2,0,3,0.5\n"
        );
        assert_eq!(read_table::<GroupRow>(&out).unwrap(), rows);
    }

    #[test]
    fn what_the_system_says_of_a_table_that_is_not_written_is_kept() {
        struct Full;
        impl io::Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        // More than is written in one go.
        let rows = [group_row("0", 0.5), group_row(&"1".repeat(1 << 16), 0.5)];
        assert_eq!(encode(Full, &rows).unwrap_err().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_value_that_is_no_number_survives() {
        let directory = tempfile::tempdir().unwrap();
        write_table(directory.path(), &[group_row("0", f64::NAN)]).unwrap();
        assert!(read_table::<GroupRow>(directory.path()).unwrap()[0].accuracy.is_nan());
    }

    #[test]
    fn intervals_of_before_there_were_families_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let table = "network,layer,measure,kind,words,less,value,over,resamples,freedom,ci_low,ci_high,p_value\n\
                     vgg16,fc1,2v2,words,GloVe,SkipGram,0.1,groups,99,4,-0.1,0.3,0.25\n\
                     vgg16,fc1,rsa-kendall-tau-a,value,GloVe,,0.1,groups,99,4,-0.1,0.3,0.25\n";
        std::fs::write(directory.path().join("intervals.csv"), table).unwrap();
        let rows = read_table::<IntervalRow>(directory.path()).unwrap();
        assert_eq!((rows[0].p_value, &rows[0].less_layer, rows[0].p_fwer), (Some(0.25), &None, None));
        assert_eq!([&rows[0].measure, &rows[1].measure], ["2v2", "rsa-kendall"]);
    }

    #[test]
    fn errors_name_file_line_and_column() {
        let directory = tempfile::tempdir().unwrap();
        let message = |table: &str| {
            std::fs::write(directory.path().join("groups.csv"), table).unwrap();
            read_table::<GroupRow>(directory.path()).unwrap_err().to_string()
        };
        let header = "network,layer,words,group,passed,ties,pairs,accuracy\n";
        let row = "vgg16,fc1,GloVe,0,2,0,3,0.5\n";

        let wrong_value = message(&format!("{header}{row}vgg16,fc1,GloVe,1,2,0,many,0.5\n"));
        assert!(wrong_value.contains("groups.csv: line 3: column \"pairs\": \"many\": invalid digit"), "{wrong_value}");
        let short = message(&format!("{header}{row}vgg16,fc1\n"));
        assert!(short.contains("groups.csv: line 3: 2 values, expected 8; the command that made"), "{short}");
        let no_column = message("network,layer,words,group,passed,ties,accuracy\n");
        assert!(no_column.contains("groups.csv: line 1: no column \"pairs\", expected network,"), "{no_column}");
        // As spreadsheets save it.
        let crlf = message(&format!("{header}{row}vgg16,fc1,GloVe,1,2,0,many,0.5\n").replace('\n', "\r\n"));
        assert!(crlf.contains("groups.csv: line 3: column \"pairs\""), "{crlf}");
        let empty = message("");
        assert!(empty.contains("line 1: no column \"network\""), "{empty}");
    }
}
