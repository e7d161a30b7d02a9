//! `.safetensors`: the length of a JSON header, the header, the values.

use std::fs::File;
use std::path::{Path, PathBuf};

use safetensors::tensor::Metadata;

use super::{Format, WeightsError, WeightsFile};
use crate::error::FileError;
use crate::files::{self, SafetensorsError};
use crate::numbers::Value;

/// The registry entry.
pub const FORMAT: Format = Format {
    name: "safetensors",
    sniff: |head, path| files::ending(path) == "safetensors" || head.get(8) == Some(&b'{'),
    open: |path| Ok(Box::new(Safetensors::open(path)?)),
};

/// An open `.safetensors` file.
///
/// Read piece by piece: beside the tensor asked for nothing is held.
pub struct Safetensors {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the values start.
    start: u64,
}

impl Safetensors {
    /// Reads the header.
    ///
    /// # Errors
    /// The file cannot be read, is cut short, or has a header that makes no sense.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let file = files::open(path).map_err(FileError::at(path))?;
        let (metadata, start) = files::safetensors(&file).map_err(|error| match error {
            SafetensorsError::Io(error) => FileError::at(path)(error).into(),
            SafetensorsError::Damaged(problem) => WeightsError::Damaged { path: path.into(), problem },
            SafetensorsError::Header(source) => WeightsError::Header { path: path.into(), source },
        })?;
        Ok(Self { path: path.into(), file, metadata, start })
    }
}

impl WeightsFile for Safetensors {
    fn path(&self) -> &Path {
        &self.path
    }

    fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let tensors = self.metadata.tensors();
        self.metadata.offset_keys().into_iter().map(|name| (name.clone(), tensors[&name].shape.clone())).collect()
    }

    fn read(&mut self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let info = self.metadata.info(name).unwrap_or_else(|| panic!("no tensor {name}"));
        let float = Value::of_safetensors(info.dtype).filter(|value| value.is_float());
        let float = float.ok_or_else(|| WeightsError::Type {
            path: self.path.clone(),
            tensor: name.to_string(),
            found: format!("{:?}", info.dtype),
        })?;
        let (begin, end) = info.data_offsets;
        let values = float.singles_at(&self.file, self.start + begin as u64, end - begin);
        Ok(values.map_err(FileError::at(&self.path))?)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::f16;
    use safetensors::tensor::{Dtype, TensorView};

    use super::*;
    use crate::numbers::PIECE_BYTES;

    /// A file with one tensor `a` of shape `[2, 2]`.
    fn written(dtype: Dtype, bytes: &[u8]) -> Vec<u8> {
        let view = TensorView::new(dtype, vec![2, 2], bytes).unwrap();
        safetensors::serialize([("a", view)], None).unwrap()
    }

    fn opened(bytes: &[u8]) -> Result<Safetensors, WeightsError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Safetensors::open(file.path())
    }

    fn message(bytes: &[u8]) -> String {
        opened(bytes).err().unwrap().to_string()
    }

    #[test]
    fn all_floating_point_types_are_widened() {
        let values = [0.5f32, -2.0, 65504.0, 0.0];
        let f32s: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let f64s: Vec<u8> = values.iter().flat_map(|&v| f64::from(v).to_le_bytes()).collect();
        let f16s: Vec<u8> = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
        for (dtype, bytes) in [(Dtype::F32, f32s), (Dtype::F64, f64s), (Dtype::F16, f16s)] {
            let mut file = opened(&written(dtype, &bytes)).unwrap();
            assert_eq!(file.tensors(), [("a".to_string(), vec![2, 2])]);
            assert_eq!(file.read("a").unwrap(), values, "{dtype:?}");
        }
        // bf16 is the upper half of f32: 1.5 = 0x3fc0, -1 = 0xbf80, infinity = 0x7f80 (refused later, by its name), 0.
        let bytes = [0xc0, 0x3f, 0x80, 0xbf, 0x80, 0x7f, 0, 0];
        let mut file = opened(&written(Dtype::BF16, &bytes)).unwrap();
        assert_eq!(file.read("a").unwrap(), [1.5, -1.0, f32::INFINITY, 0.0]);
    }

    #[test]
    fn integers_are_refused_when_read() {
        let mut file = opened(&written(Dtype::I32, &[0; 16])).unwrap();
        let message = file.read("a").unwrap_err().to_string();
        assert!(message.ends_with("a is of type I32, expected F64, F32, F16 or BF16"), "{message}");
    }

    #[test]
    fn eight_bits_are_to_be_saved_wider() {
        let message = opened(&written(Dtype::F8_E4M3, &[0; 4])).unwrap().read("a").unwrap_err().to_string();
        assert!(message.contains("a is of type F8_E4M3, expected F64") && message.contains("v.float()"), "{message}");
    }

    #[test]
    fn tensors_longer_than_a_piece_are_read_whole() {
        let values: Vec<f32> = (0..PIECE_BYTES / 4 + 3).map(|v| v as f32).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![values.len()], &bytes).unwrap();
        let mut file = opened(&safetensors::serialize([("long", view)], None).unwrap()).unwrap();
        assert_eq!(file.read("long").unwrap(), values);
    }

    #[test]
    fn damaged_files_are_errors_that_say_what_is_wrong() {
        let whole = written(Dtype::F32, &[0; 16]);
        assert!(message(b"").contains("0 bytes, too few for a safetensors header; copy or download it again"));
        assert!(message(&whole[..7]).contains("7 bytes, too few"));
        assert!(message(&whole[..20]).contains("the file at byte 20"));
        let short = message(&whole[..whole.len() - 1]);
        assert!(short.contains(&format!("{} bytes, the header describes {}", whole.len() - 1, whole.len())), "{short}");
        let long = message(&[&whole[..], b"x"].concat());
        assert!(long.contains(&format!("{} bytes, the header describes {}", whole.len() + 1, whole.len())), "{long}");
        assert!(message(b"\x89HDF\r\n\x1a\n and more").contains("probably not a safetensors file"));
        assert!(message(b"\x02\0\0\0\0\0\0\0{]").contains("the header does not list tensors"));
        assert!(message(b"\x02\0\0\0\0\0\0\0\xff\xff").contains("the header does not list tensors"));
    }

    #[test]
    fn headers_that_contradict_themselves_are_refused() {
        let with_header = |header: &str| {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.bytes());
            bytes.extend([0; 16]);
            message(&bytes)
        };
        for header in [
            // too few bytes for the shape; offsets that leave a gap; offsets backwards; a product that overflows
            r#"{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,16]}}"#,
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#,
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[16,8]}}"#,
            r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,16]}}"#,
        ] {
            assert!(with_header(header).contains("the header does not list tensors"), "{header}");
        }
    }
}
