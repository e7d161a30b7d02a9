//! A shard of draws on disk: the scores of every family of tests, i64 `[members, draws]` each, in one safetensors file with
//! the experiment's key and a checksum in its header.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::json;

use super::Span;
use crate::checksum;
use crate::error::FileError;
use crate::evaluation::Draws;
use crate::files::{self, MAX_HEADER_BYTES};
use crate::results::write_atomically;

/// Why a shard of draws cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DrawsError {
    /// It was not computed.
    #[error("not there")]
    Missing,
    /// It cannot be read.
    #[error("{0}")]
    File(std::io::Error),
    /// It is not as it was written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// It was computed from other inputs, or for other draws.
    #[error("of other inputs")]
    Other,
}

/// What a header begins with, behind its length.
const BEGINS: &[u8] = br#"{"__metadata__":{"key":""#;

/// Whether semgpu wrote a file of scores, of whatever experiment, by its header.
pub fn is_own(path: &Path) -> bool {
    let header = files::open(path).ok().and_then(|file| Some(files::safetensors(&file).ok()?.0));
    let told = header.and_then(|header| header.metadata().clone()).unwrap_or_default();
    ["key", "draws", "sha256"].iter().all(|name| told.contains_key(*name))
}

/// Whether a file begins as one of scores does, of which it may lack the end, or is empty.
pub fn begins(path: &Path) -> bool {
    const LENGTH_BYTES: usize = size_of::<u64>();
    let mut start = Vec::new();
    let most = (LENGTH_BYTES + BEGINS.len()) as u64;
    if files::open(path).and_then(|file| file.take(most).read_to_end(&mut start)).is_err() {
        return false;
    }
    let (length, header) = start.split_at(start.len().min(LENGTH_BYTES));
    // What was cut off of the length counts as 0.
    let bytes = std::array::from_fn(|n| length.get(n).copied().unwrap_or_default());
    let length = u64::from_le_bytes(bytes);
    length <= MAX_HEADER_BYTES && length.is_multiple_of(8) && BEGINS.starts_with(header)
}

/// Writes the scores of consecutive draws of the experiment that `key` names: those of the span, of more that begin with it.
///
/// # Errors
/// The file cannot be written.
///
/// # Panics
/// If there are fewer.
pub fn write(path: &Path, key: &str, span: Span, draws: &Draws) -> Result<(), FileError> {
    let tensors: Vec<(&str, [usize; 2], Vec<u8>)> = draws
        .families()
        .map(|(name, members)| {
            let points = members.iter().flat_map(|points| &points[..span.len()]);
            let bytes = points.flat_map(|points| points.to_le_bytes()).collect();
            (name, [members.len(), span.len()], bytes)
        })
        .collect();
    let sha256 = checksum(tensors.iter().map(|(name, _, bytes)| (*name, bytes.as_slice())));
    // Not by the library, which puts such keys in an order of chance: the same scores are the same bytes.
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), json!({"key": key, "draws": span.to_string(), "sha256": sha256}));
    let mut end = 0;
    for (name, shape, bytes) in &tensors {
        let start = end;
        end += bytes.len();
        header.insert(name.to_string(), json!({"dtype": "I64", "shape": shape, "data_offsets": [start, end]}));
    }
    let mut header = serde_json::to_vec(&header).expect("names and numbers are JSON");
    header.resize(header.len().next_multiple_of(8), b' ');
    write_atomically(path, |file| {
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        tensors.iter().try_for_each(|(_, _, bytes)| file.write_all(bytes))
    })
}

/// Reads them.
///
/// # Errors
/// They are not there, damaged, or of another experiment.
pub fn read(path: &Path, key: &str, span: Span) -> Result<Draws, DrawsError> {
    let bytes = files::read(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => DrawsError::Missing,
        _ => DrawsError::File(error),
    })?;
    let damaged = |error: safetensors::SafeTensorError| DrawsError::Damaged(error.to_string());
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
    let told = header.metadata().clone().unwrap_or_default();
    let is = |name: &str, expected: &str| told.get(name).is_some_and(|found| found == expected);
    if !is("key", key) || !is("draws", &span.to_string()) {
        return Err(DrawsError::Other);
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let mut sorted: Vec<(String, TensorView)> = tensors.tensors();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    if !is("sha256", &checksum(sorted.iter().map(|(name, tensor)| (name.as_str(), tensor.data())))) {
        return Err(DrawsError::Damaged("not as it was written".into()));
    }
    let mut families = BTreeMap::new();
    for (name, tensor) in sorted {
        if tensor.dtype() != Dtype::I64 || tensor.shape().len() != 2 || tensor.shape()[1] != span.len() {
            return Err(DrawsError::Damaged(format!("{name}: {:?} {:?}", tensor.dtype(), tensor.shape())));
        }
        let points = tensor.data().chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().expect("eight")));
        let points: Vec<i64> = points.collect();
        families.insert(name, points.chunks_exact(span.len()).map(<[i64]>::to_vec).collect());
    }
    Ok(Draws::new(families))
}

/// SHA-256 of the scores with their names, in the names' order.
fn checksum<'a>(families: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let parts: Vec<&[u8]> = families.flat_map(|(name, bytes)| [name.as_bytes(), bytes]).collect();
    checksum::of_parts(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_as_they_were_written_or_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("draws.safetensors");
        let families = BTreeMap::from([
            ("2 vs. 2 GloVe".to_string(), vec![vec![1, -2, 3], vec![i64::MAX, 0, i64::MIN]]),
            ("RSA pearson GloVe".to_string(), Vec::new()),
        ]);
        let span = Span { first: 7, last: 9 };
        write(&path, "key", span, &Draws::new(families.clone())).unwrap();
        let read_back = read(&path, "key", span).unwrap();
        let first = std::fs::read(&path).unwrap();
        for _ in 0..8 {
            write(&path, "key", span, &Draws::new(families.clone())).unwrap();
            assert!(std::fs::read(&path).unwrap() == first);
        }
        assert_eq!(
            read_back.families().map(|(n, p)| (n.to_string(), p.to_vec())).collect::<BTreeMap<_, _>>(),
            families
        );
        assert!(matches!(read(&path, "other", span), Err(DrawsError::Other)));
        assert!(matches!(read(&path, "key", Span { first: 8, last: 10 }), Err(DrawsError::Other)));
        // Of merged draws, as many as the test has that draws most, those of another test.
        let most = families.iter().map(|(name, members)| {
            (name.clone(), members.iter().map(|scores| [&scores[..], &[4, 5]].concat()).collect())
        });
        write(&path, "key", span, &Draws::new(most.collect())).unwrap();
        assert!(std::fs::read(&path).unwrap() == first);
        let whole = std::fs::read(&path).unwrap();
        assert!(is_own(&path) && !is_own(&place.path().join("gone")));
        for other in [&b"mine"[..], b"\x02\0\0\0\0\0\0\0{}"] {
            std::fs::write(&path, other).unwrap();
            assert!(!is_own(&path) && !begins(&path), "{other:?}");
        }
        for cut in (0..BEGINS.len() + 9).chain((0..whole.len()).step_by(7)) {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(read(&path, "key", span).is_err() && !is_own(&path), "{cut} bytes");
            assert!(begins(&path), "{cut} bytes");
        }
        for place in [whole.len() - 1, whole.len() - 20] {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            assert!(matches!(read(&path, "key", span), Err(DrawsError::Damaged(_))));
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(read(&path, "key", span), Err(DrawsError::Missing)));
    }
}
