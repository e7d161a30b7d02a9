//! The constants of a model: where their values are, checked against their shapes, and how they are read.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use burn::tensor::{bf16, f16};
use rayon::prelude::*;

use super::proto::TensorProto;
use crate::error::FileError;
use crate::files;
use crate::numbers::{Kind, Value};
use crate::weights::WeightsError;

/// A constant of the graph.
pub struct Constant {
    pub name: String,
    pub shape: Vec<usize>,
    values: Values,
}

enum Values {
    /// Little-endian, in the model's file or one beside it.
    Stored { path: PathBuf, offset: u64, bytes: usize, stored: Stored },
    /// Spelt out in the protobuf, or a single number.
    Floats(Vec<f32>),
    /// Whole numbers: shapes and axes.
    Whole(Vec<i64>, Whole),
    /// Of a type that is neither, by ONNX's name.
    Other(String),
}

/// Longest list of the type of shapes and axes, in numbers, that is kept rather than read each time it is asked for.
const SHORT: usize = 1 << 16;

/// Where a model lies: its path, and its bytes in memory while it is opened.
#[derive(Clone, Copy)]
pub struct Home<'a> {
    pub path: &'a Path,
    pub bytes: &'a [u8],
}

impl Home<'_> {
    pub fn damaged(&self, problem: String) -> WeightsError {
        WeightsError::Damaged { path: self.path.into(), problem }
    }

    /// Where a part of the model's bytes lies in the file.
    fn offset(&self, part: &[u8]) -> u64 {
        if part.is_empty() {
            return 0;
        }
        let at = (part.as_ptr() as usize).wrapping_sub(self.bytes.as_ptr() as usize);
        assert!(at < self.bytes.len(), "values are decoded in place");
        at as u64
    }
}

impl Constant {
    /// Checks a tensor's values against its shape.
    ///
    /// # Errors
    /// The shape makes no sense, the values do not fill it, or the file they are said to be in is not there, is too short
    /// or lies elsewhere than beside the model.
    pub fn new(tensor: TensorProto, home: Home) -> Result<Self, WeightsError> {
        let name = tensor.name.clone();
        let damaged = |problem: &str| home.damaged(format!("{name}: {problem}"));
        let count = |shape: &[usize]| shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        let shape: Option<Vec<usize>> = tensor.dims.iter().map(|&size| size.try_into().ok()).collect();
        let (shape, count) = shape
            .and_then(|shape| count(&shape).map(|count| (shape, count)))
            .ok_or_else(|| damaged(&format!("a shape of {:?}", tensor.dims)))?;

        let Some(stored) = stored(tensor.data_type) else {
            return Ok(Self { name, shape, values: Values::Other(type_name(tensor.data_type)) });
        };
        let bytes = count.checked_mul(stored.bytes()).ok_or_else(|| damaged(&format!("a shape of {shape:?}")))?;
        let filled = |what: &str, found: usize, expected: usize| {
            let problem = format!("{found} {what}, its shape {shape:?} needs {expected}");
            if found == expected { Ok(()) } else { Err(damaged(&problem)) }
        };
        let values = if tensor.data_location == EXTERNAL {
            let (path, range) = external(&tensor, bytes, home)?;
            filled("bytes", (range.end - range.start) as usize, bytes)?;
            Values::Stored { path, offset: range.start, bytes, stored }
        } else if let Some(raw) = tensor.raw_data.as_ref().filter(|raw| !raw.is_empty()) {
            filled("bytes", raw.len(), bytes)?;
            match stored {
                Stored::Whole(Whole::I64) if count <= SHORT => Values::Whole(Whole::I64.widen(raw), Whole::I64),
                Stored::Float(float) if count == 1 => Values::Floats(float.singles(raw)),
                _ => Values::Stored { path: home.path.into(), offset: home.offset(raw), bytes, stored },
            }
        } else {
            let half = |to_f32: fn(u16) -> f32| tensor.int32_data.iter().map(|&bits| to_f32(bits as u16)).collect();
            let values = match stored {
                Stored::Float(Value { bytes: 4, .. }) => tensor.float_data,
                Stored::Float(Value { bytes: 8, .. }) => tensor.double_data.iter().map(|&value| value as f32).collect(),
                Stored::Float(Value { kind: Kind::Brain, .. }) => half(|bits| bf16::from_bits(bits).to_f32()),
                Stored::Float(_) => half(|bits| f16::from_bits(bits).to_f32()),
                Stored::Whole(whole) => {
                    let narrow = || tensor.int32_data.iter().map(|&value| i64::from(value)).collect();
                    let values = if whole == Whole::I64 { tensor.int64_data } else { narrow() };
                    filled("values", values.len(), count)?;
                    return Ok(Self { name, shape, values: Values::Whole(values, whole) });
                }
            };
            filled("values", values.len(), count)?;
            Values::Floats(values)
        };
        Ok(Self { name, shape, values })
    }

    /// The file its values are in, if they are stored.
    pub fn file(&self) -> Option<&Path> {
        match &self.values {
            Values::Stored { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Whether it holds floating-point numbers.
    ///
    /// # Errors
    /// ONNX's name of the type it is of.
    pub fn is_float(&self) -> Result<(), &str> {
        match &self.values {
            Values::Floats(_) | Values::Stored { stored: Stored::Float(_), .. } => Ok(()),
            Values::Stored { stored: Stored::Whole(whole), .. } | Values::Whole(_, whole) => Err(whole.name()),
            Values::Other(name) => Err(name),
        }
    }

    /// Whether its values can be read, as numbers of either kind.
    ///
    /// # Errors
    /// ONNX's name of the type they are of.
    pub fn is_read(&self) -> Result<(), &str> {
        match &self.values {
            Values::Other(name) => Err(name),
            _ => Ok(()),
        }
    }

    /// The values as `f32`.
    ///
    /// # Errors
    /// The file they are in cannot be read.
    ///
    /// # Panics
    /// If it does not hold floating-point numbers.
    pub fn floats(&self) -> Result<Vec<f32>, WeightsError> {
        match &self.values {
            Values::Floats(values) => Ok(values.clone()),
            Values::Stored { path, offset, bytes, stored: Stored::Float(float) } => {
                let values = files::open(path).and_then(|file| float.singles_at(&file, *offset, *bytes));
                Ok(values.map_err(FileError::at(path))?)
            }
            _ => panic!("{} holds no floating-point numbers", self.name),
        }
    }

    /// The values, if they are whole numbers or truth values (0 and 1).
    ///
    /// # Errors
    /// The file they are in cannot be read.
    pub fn integers(&self) -> Result<Option<Vec<i64>>, WeightsError> {
        match &self.values {
            Values::Whole(values, _) => Ok(Some(values.clone())),
            Values::Stored { path, offset, bytes, stored: Stored::Whole(whole) } => {
                let mut values = vec![0; *bytes];
                files::open(path)
                    .and_then(|file| files::read_at(&file, *offset, &mut values))
                    .map_err(FileError::at(path))?;
                Ok(Some(whole.widen(&values)))
            }
            Values::Stored { .. } | Values::Floats(_) | Values::Other(_) => Ok(None),
        }
    }

    /// A short list of whole numbers (a shape, axes); `None` for anything else.
    pub fn whole(&self) -> Option<Vec<i64>> {
        match &self.values {
            Values::Whole(values, _) => Some(values.clone()),
            _ => None,
        }
    }
}

/// `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: i32 = 1;

/// The types that are read.
#[derive(Clone, Copy)]
enum Stored {
    Float(Value),
    Whole(Whole),
}

/// The types of whole numbers, and truth values, a byte each.
#[derive(Clone, Copy, PartialEq)]
enum Whole {
    I64,
    I32,
    I16,
    I8,
    U16,
    U8,
    Bool,
}

impl Whole {
    /// Bytes of a value.
    fn bytes(self) -> usize {
        match self {
            Self::I64 => 8,
            Self::I32 => 4,
            Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// ONNX's name.
    fn name(self) -> &'static str {
        match self {
            Self::I64 => "INT64",
            Self::I32 => "INT32",
            Self::I16 => "INT16",
            Self::I8 => "INT8",
            Self::U16 => "UINT16",
            Self::U8 => "UINT8",
            Self::Bool => "BOOL",
        }
    }

    fn widen(self, bytes: &[u8]) -> Vec<i64> {
        match self {
            Self::I64 => bytes.as_chunks().0.iter().map(|&value| i64::from_le_bytes(value)).collect(),
            Self::I32 => bytes.as_chunks().0.iter().map(|&value| i64::from(i32::from_le_bytes(value))).collect(),
            Self::I16 => bytes.as_chunks().0.iter().map(|&value| i64::from(i16::from_le_bytes(value))).collect(),
            Self::U16 => bytes.as_chunks().0.iter().map(|&value| i64::from(u16::from_le_bytes(value))).collect(),
            Self::I8 => bytes.iter().map(|&value| i64::from(value as i8)).collect(),
            Self::U8 | Self::Bool => bytes.iter().map(|&value| i64::from(value)).collect(),
        }
    }
}

impl Stored {
    /// Bytes of a value.
    fn bytes(self) -> usize {
        match self {
            Self::Float(float) => float.bytes,
            Self::Whole(whole) => whole.bytes(),
        }
    }
}

fn stored(data_type: i32) -> Option<Stored> {
    let float = |kind, bytes| Stored::Float(Value { kind, bytes, big_endian: false });
    Some(match data_type {
        1 => float(Kind::Float, 4),
        2 => Stored::Whole(Whole::U8),
        3 => Stored::Whole(Whole::I8),
        4 => Stored::Whole(Whole::U16),
        5 => Stored::Whole(Whole::I16),
        6 => Stored::Whole(Whole::I32),
        7 => Stored::Whole(Whole::I64),
        9 => Stored::Whole(Whole::Bool),
        10 => float(Kind::Float, 2),
        11 => float(Kind::Float, 8),
        16 => float(Kind::Brain, 2),
        _ => return None,
    })
}

fn type_name(data_type: i32) -> String {
    match data_type {
        17..=20 => "FLOAT8".into(),
        21 => "UINT4".into(),
        22 => "INT4".into(),
        other => format!("number {other} of ONNX's TensorProto.DataType"),
    }
}

/// Where a tensor of `bytes` bytes lies in a file beside the model; that file is that long.
fn external(tensor: &TensorProto, bytes: usize, home: Home) -> Result<(PathBuf, Range<u64>), WeightsError> {
    let name = &tensor.name;
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(text) => text.parse::<u64>().map(Some).map_err(|_| home.damaged(format!("{name}: {key} {text:?}"))),
    };
    let location =
        entry("location").ok_or_else(|| home.damaged(format!("{name}: external values without a location")))?;
    let beside = Path::new(location);
    let inside = beside.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside || beside.file_name().is_none() {
        let problem = format!(
            "{name} is said to be in {location:?}; only files beside the model or in folders below it are read. Export it \
             anew or save it as one file (onnx.save)"
        );
        return Err(WeightsError::Graph { path: home.path.into(), problem });
    }
    let path = home.path.parent().unwrap_or(Path::new("")).join(beside);
    let offset = number("offset")?.unwrap_or(0);
    let length = number("length")?.unwrap_or(bytes as u64);
    let file_bytes = std::fs::metadata(&path)
        .map_err(|source| WeightsError::External { path: home.path.into(), source: FileError::at(&path)(source) })?
        .len();
    match offset.checked_add(length) {
        Some(end) if end <= file_bytes => Ok((path, offset..end)),
        _ => Err(WeightsError::Damaged {
            path,
            problem: format!("{file_bytes} bytes, {name} is said to be {length} bytes from byte {offset} on"),
        }),
    }
}

/// A constant seen through operations that move values and change none.
#[derive(Clone)]
pub struct View {
    /// Position among the model's constants.
    pub constant: usize,
    pub shape: Vec<usize>,
    steps: Vec<Step>,
}

#[derive(Clone)]
enum Step {
    /// From the shape before; axis `i` of the result is axis `permutation[i]`.
    Transpose {
        shape: Vec<usize>,
        permutation: Vec<usize>,
    },
    Reshape,
}

impl View {
    /// The constant as it is.
    pub fn of(constant: usize, shape: &[usize]) -> Self {
        Self { constant, shape: shape.to_vec(), steps: vec![] }
    }

    /// With axes in another order; `None` if `permutation` is none of its axes.
    pub fn transposed(mut self, permutation: &[usize]) -> Option<Self> {
        let mut sorted = permutation.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..self.shape.len()) {
            return None;
        }
        let shape = permutation.iter().map(|&axis| self.shape[axis]).collect();
        let before = std::mem::replace(&mut self.shape, shape);
        self.steps.push(Step::Transpose { shape: before, permutation: permutation.to_vec() });
        Some(self)
    }

    /// In another shape; `None` if it holds another number of values.
    pub fn reshaped(mut self, shape: &[usize]) -> Option<Self> {
        let count = |shape: &[usize]| shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        if count(shape) != count(&self.shape) {
            return None;
        }
        self.shape = shape.to_vec();
        self.steps.push(Step::Reshape);
        Some(self)
    }

    /// The values in the view's layout.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn read(&self, constants: &[Constant]) -> Result<Vec<f32>, WeightsError> {
        let mut values = constants[self.constant].floats()?;
        for step in &self.steps {
            if let Step::Transpose { shape, permutation } = step {
                values = transpose(&values, shape, permutation);
            }
        }
        Ok(values)
    }
}

/// Moves values of `shape` so that axis `i` of the result is axis `permutation[i]`.
fn transpose(values: &[f32], shape: &[usize], permutation: &[usize]) -> Vec<f32> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    let (Some(&rows), Some(&last)) = (permutation.first(), permutation.last()) else { return values.to_vec() };
    if values.is_empty() {
        return vec![];
    }
    let inner: Vec<_> = permutation.iter().skip(1).map(|&axis| (shape[axis], strides[axis])).collect();
    let row_length = values.len() / shape[rows];
    let line = if rows == last { 1 } else { shape[last] };
    let mut moved = vec![0.0; values.len()];
    moved.par_chunks_mut(row_length).enumerate().for_each(|(row, moved)| {
        for (index, line) in moved.chunks_exact_mut(line).enumerate() {
            // The index of a line counts the axes between the first and the last.
            let (mut left, mut start) = (index, row * strides[rows]);
            for &(size, stride) in inner.iter().rev().skip(1) {
                start += left % size * stride;
                left /= size;
            }
            for (i, value) in line.iter_mut().enumerate() {
                *value = values[start + i * strides[last]];
            }
        }
    });
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_moved_as_numpy_moves_them() {
        let values: Vec<f32> = (0..24).map(|v| v as f32).collect();
        // numpy: np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1).ravel()[:8]
        let moved = transpose(&values, &[2, 3, 4], &[2, 0, 1]);
        assert_eq!(moved[..8], [0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 1.0, 5.0]);
        assert_eq!(transpose(&moved, &[4, 2, 3], &[1, 2, 0]), values);
        assert_eq!(transpose(&values[..6], &[2, 3], &[1, 0]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(transpose(&values[..3], &[3], &[0]), [0.0, 1.0, 2.0]);
        assert_eq!(transpose(&values[..1], &[], &[]), [0.0]);
    }

    #[test]
    fn whole_numbers_are_of_one_byte_or_several_with_a_sign_or_without() {
        let widened = |data_type: i32, bytes: &[u8]| match stored(data_type) {
            Some(Stored::Whole(whole)) => (whole.name(), whole.widen(bytes)),
            _ => unreachable!("a type of whole numbers"),
        };
        assert_eq!(widened(2, &[255, 1]), ("UINT8", vec![255, 1]));
        assert_eq!(widened(3, &[255, 1]), ("INT8", vec![-1, 1]));
        assert_eq!(widened(4, &[254, 255, 1, 0]), ("UINT16", vec![65_534, 1]));
        assert_eq!(widened(5, &[254, 255, 1, 0]), ("INT16", vec![-2, 1]));
    }

    #[test]
    fn views_refuse_what_does_not_fit() {
        let view = View::of(0, &[2, 3]);
        assert!(view.clone().transposed(&[0, 0]).is_none());
        assert!(view.clone().transposed(&[1, 2]).is_none());
        assert!(view.clone().transposed(&[0]).is_none());
        assert!(view.clone().reshaped(&[7]).is_none());
        assert!(view.clone().reshaped(&[usize::MAX, 3]).is_none());
        assert_eq!(view.transposed(&[1, 0]).unwrap().reshaped(&[6]).unwrap().shape, [6]);
    }
}
