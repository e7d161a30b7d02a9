//! Numbers as files store them: floats and whole numbers of 8 to 64 bits, in either byte order.

use std::fs::File;
use std::io;

use burn::tensor::{bf16, f16};
use hdf5_reader::{ByteOrder, Dataset, Datatype};
use npyz::{Endianness, TypeChar, TypeStr};
use safetensors::tensor::Dtype;

use crate::files;

/// What is read from a file at a time.
pub(crate) const PIECE_BYTES: usize = 1 << 15;

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub kind: Kind,
    /// 1, 2, 4 or 8; 2 or more of floats.
    pub bytes: usize,
    pub big_endian: bool,
}

/// How the bits of a number are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Float,
    /// bfloat16.
    Brain,
    Signed,
    /// Truth values among them.
    Unsigned,
}

/// What numbers are decoded to: the nearest one.
pub(crate) trait Decoded {
    fn of_single(value: f32) -> Self;
    fn of_double(value: f64) -> Self;
    fn of_signed(value: i64) -> Self;
    fn of_unsigned(value: u64) -> Self;
}

impl Decoded for f32 {
    fn of_single(value: f32) -> Self {
        value
    }

    fn of_double(value: f64) -> Self {
        value as f32
    }

    fn of_signed(value: i64) -> Self {
        value as f32
    }

    fn of_unsigned(value: u64) -> Self {
        value as f32
    }
}

impl Decoded for f64 {
    fn of_single(value: f32) -> Self {
        value.into()
    }

    fn of_double(value: f64) -> Self {
        value
    }

    fn of_signed(value: i64) -> Self {
        value as f64
    }

    fn of_unsigned(value: u64) -> Self {
        value as f64
    }
}

impl Value {
    /// What this program computes with.
    pub const NATIVE_DOUBLE: Self = Self { kind: Kind::Float, bytes: 8, big_endian: cfg!(target_endian = "big") };

    /// A type that is read, if it is one.
    pub fn new(kind: Kind, bytes: usize, big_endian: bool) -> Option<Self> {
        let known = match kind {
            Kind::Float => matches!(bytes, 2 | 4 | 8),
            Kind::Brain => bytes == 2,
            Kind::Signed | Kind::Unsigned => matches!(bytes, 1 | 2 | 4 | 8),
        };
        known.then_some(Self { kind, bytes, big_endian })
    }

    /// A type of NumPy's, if it is one of real numbers.
    pub fn of_numpy(plain: &TypeStr) -> Option<Self> {
        let kind = match plain.type_char() {
            TypeChar::Float => Kind::Float,
            TypeChar::Int => Kind::Signed,
            TypeChar::Uint | TypeChar::Bool => Kind::Unsigned,
            _ => return None,
        };
        Self::new(kind, usize::try_from(plain.size_field()).ok()?, plain.endianness() == Endianness::Big)
    }

    /// A type of safetensors', if it is one of real numbers.
    pub fn of_safetensors(dtype: Dtype) -> Option<Self> {
        let kind = match dtype {
            Dtype::F16 | Dtype::F32 | Dtype::F64 => Kind::Float,
            Dtype::BF16 => Kind::Brain,
            Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => Kind::Signed,
            Dtype::BOOL | Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => Kind::Unsigned,
            _ => return None,
        };
        Self::new(kind, dtype.bitsize() / 8, false)
    }

    /// A type of HDF5's, if it is one of floating-point numbers.
    pub fn of_hdf5(dataset: &Dataset) -> Option<Self> {
        /// Where the type's message has how many bits the exponent is of.
        const EXPONENT: usize = 13;
        let &Datatype::FloatingPoint { size, byte_order } = dataset.dtype() else { return None };
        let kind = match size {
            2 if *dataset.raw_datatype().ok()?.get(EXPONENT)? == 8 => Kind::Brain,
            _ => Kind::Float,
        };
        Self::new(kind, size.into(), byte_order == ByteOrder::BigEndian)
    }

    pub fn is_float(self) -> bool {
        matches!(self.kind, Kind::Float | Kind::Brain)
    }

    /// As users write it.
    pub fn name(self) -> String {
        let kind = match self.kind {
            Kind::Float => "f",
            Kind::Brain => "bf",
            Kind::Signed => "i",
            Kind::Unsigned => "u",
        };
        format!("{kind}{}", 8 * self.bytes)
    }

    /// As many values as there is room for.
    #[inline]
    pub fn decode<T: Decoded>(self, bytes: &[u8], values: &mut [T]) {
        let Value { kind, bytes: size, big_endian: big } = self;
        match (kind, size) {
            (Kind::Float, 2) => decode(bytes, values, big, |bytes| T::of_single(f16::from_le_bytes(bytes).to_f32())),
            (Kind::Float, 4) => decode(bytes, values, big, |bytes| T::of_single(f32::from_le_bytes(bytes))),
            (Kind::Float, _) => decode(bytes, values, big, |bytes| T::of_double(f64::from_le_bytes(bytes))),
            (Kind::Brain, _) => decode(bytes, values, big, |bytes| T::of_single(bf16::from_le_bytes(bytes).to_f32())),
            (Kind::Signed, 1) => decode(bytes, values, big, |bytes| T::of_signed(i8::from_le_bytes(bytes).into())),
            (Kind::Signed, 2) => decode(bytes, values, big, |bytes| T::of_signed(i16::from_le_bytes(bytes).into())),
            (Kind::Signed, 4) => decode(bytes, values, big, |bytes| T::of_signed(i32::from_le_bytes(bytes).into())),
            (Kind::Signed, _) => decode(bytes, values, big, |bytes| T::of_signed(i64::from_le_bytes(bytes))),
            (Kind::Unsigned, 1) => decode(bytes, values, big, |bytes| T::of_unsigned(u8::from_le_bytes(bytes).into())),
            (Kind::Unsigned, 2) => decode(bytes, values, big, |bytes| T::of_unsigned(u16::from_le_bytes(bytes).into())),
            (Kind::Unsigned, 4) => decode(bytes, values, big, |bytes| T::of_unsigned(u32::from_le_bytes(bytes).into())),
            (Kind::Unsigned, _) => decode(bytes, values, big, |bytes| T::of_unsigned(u64::from_le_bytes(bytes))),
        }
    }

    /// As many values as there is room for, from what lies at `offset` of a file.
    ///
    /// # Errors
    /// As [`files::read_at`].
    pub fn read<T: Decoded>(self, file: &File, offset: u64, values: &mut [T]) -> io::Result<()> {
        let mut piece = [0; PIECE_BYTES];
        let offsets = (offset..).step_by(PIECE_BYTES);
        for (values, offset) in values.chunks_mut(PIECE_BYTES / self.bytes).zip(offsets) {
            let piece = &mut piece[..values.len() * self.bytes];
            files::read_at(file, offset, piece)?;
            self.decode(piece, values);
        }
        Ok(())
    }

    /// The values in so many bytes from `offset` of a file on, as f32.
    ///
    /// # Errors
    /// As [`files::read_at`].
    pub fn singles_at(self, file: &File, offset: u64, bytes: usize) -> io::Result<Vec<f32>> {
        let mut values = vec![0.0; bytes / self.bytes];
        self.read(file, offset, &mut values)?;
        Ok(values)
    }

    /// All values of these bytes, as f32.
    pub fn singles(self, bytes: &[u8]) -> Vec<f32> {
        let mut values = vec![0.0; bytes.len() / self.bytes];
        self.decode(bytes, &mut values);
        values
    }
}

/// `value` takes the bytes of a number, the lowest first.
fn decode<T, const N: usize>(bytes: &[u8], values: &mut [T], big_endian: bool, value: impl Fn([u8; N]) -> T) {
    let (values, bytes) = (values.iter_mut(), bytes.as_chunks().0);
    if big_endian {
        values.zip(bytes).for_each(|(to, &(mut bytes))| {
            bytes.reverse();
            *to = value(bytes);
        });
    } else {
        values.zip(bytes).for_each(|(to, &bytes)| *to = value(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_once() {
        // Between two f32, and by way of an f64 taken for the middle between them.
        let value = (1_i64 << 60) + (1 << 36) + 1;
        let (signed, unsigned) = (Value::new(Kind::Signed, 8, false), Value::new(Kind::Unsigned, 8, true));
        let next = 2_f32.powi(60) + 2_f32.powi(37);
        assert_eq!(signed.unwrap().singles(&value.to_le_bytes()), [next]);
        assert_eq!(unsigned.unwrap().singles(&value.to_be_bytes()), [next]);
        assert_eq!(value as f64 as f32, 2_f32.powi(60), "what rounding twice gives");
    }

    #[test]
    fn only_numbers_of_8_to_64_bits_are_read() {
        assert!([0, 1, 3, 16].iter().all(|&bytes| Value::new(Kind::Float, bytes, false).is_none()));
        assert!([0, 3, 16].iter().all(|&bytes| Value::new(Kind::Signed, bytes, false).is_none()));
        assert_eq!(Value::new(Kind::Brain, 2, false).unwrap().name(), "bf16");
    }
}
