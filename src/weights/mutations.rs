//! Damaged files of every format: each is an error or reads to tensors of the shapes it announces; none is a panic.

use std::io::{Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::fixtures;
use crate::stats::permutation::Random;

/// Damaged copies per file.
const ROUNDS: u64 = 250;

/// A damaged copy: cut short, with bytes changed, with numbers overwritten by extreme ones, or with a piece moved.
fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut below = |bound: usize| (random.unit() * bound as f64) as usize;
    match below(8) {
        0 => bytes.truncate(below(bytes.len())),
        1 => {
            let (from, to) = (below(bytes.len()), below(bytes.len()));
            let length = 1 + below(64.min(bytes.len() - from.max(to)));
            bytes.copy_within(from..from + length, to);
        }
        2 | 3 => {
            let number: &[u8] =
                [&[0; 8][..], &[0xff; 8], &[0xff, 0xff, 0xff, 0x7f], &[0, 0, 0, 0x80], &[0xff; 2]][below(5)];
            let at = below(bytes.len() - number.len());
            bytes[at..at + number.len()].copy_from_slice(number);
        }
        _ => {
            for _ in 0..=below(4) {
                let at = below(bytes.len());
                bytes[at] = below(256) as u8;
            }
        }
    }
    bytes
}

/// Reads everything there is; the format is sniffed.
fn read(path: &Path) {
    let Ok(mut file) = super::open(path) else { return };
    for (name, shape) in file.tensors() {
        if let Ok(values) = file.read(&name) {
            assert_eq!(values.len(), shape.iter().product::<usize>(), "{name} {shape:?}");
        }
    }
}

#[test]
fn damaged_files_are_errors_or_read_as_announced() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_path_buf();
    for name in fixtures::names() {
        let bytes = fixtures::bytes(&name);
        for round in 0..ROUNDS {
            let mut random = Random::keyed(2018, round);
            // Over the copy before: to make the file anew each time costs more than to read it.
            let damaged = damaged(&bytes, &mut random);
            file.rewind().unwrap();
            file.write_all(&damaged).unwrap();
            file.as_file().set_len(damaged.len() as u64).unwrap();
            assert!(catch_unwind(AssertUnwindSafe(|| read(&path))).is_ok(), "{name}, round {round}");
        }
    }
}
