//! The floating-point types of weights files.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use crate::numbers::{Kind, Value};

/// Values are read and widened in pieces of this many bytes, a multiple of every type's size.
pub(super) const PIECE_BYTES: usize = 1 << 20;

/// How a file stores a floating-point number, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Float {
    F64,
    F32,
    F16,
    Bf16,
}

impl Float {
    /// Bytes of one number.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The numbers in `bytes` bytes of a file from `offset` on, as `f32`.
    ///
    /// # Errors
    /// The file cannot be read or ends before.
    pub(super) fn read(self, file: &mut File, offset: u64, bytes: usize) -> std::io::Result<Vec<f32>> {
        let mut values = Vec::with_capacity(bytes / self.bytes());
        let mut piece = vec![0; PIECE_BYTES.min(bytes)];
        file.seek(SeekFrom::Start(offset))?;
        let mut left = bytes;
        while left > 0 {
            let piece = &mut piece[..PIECE_BYTES.min(left)];
            file.read_exact(piece)?;
            self.widen(piece, &mut values);
            left -= piece.len();
        }
        Ok(values)
    }

    /// Appends the numbers in `bytes` as `f32`; of `f64`, the nearest one.
    pub(super) fn widen(self, bytes: &[u8], to: &mut Vec<f32>) {
        let kind = if self == Self::Bf16 { Kind::Brain } else { Kind::Float };
        let value = Value { kind, bytes: self.bytes(), big_endian: false };
        let first = to.len();
        to.resize(first + bytes.len() / value.bytes, 0.0);
        value.decode(bytes, &mut to[first..]);
    }
}
