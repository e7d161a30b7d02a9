//! safetensors: a tensor `vectors` of `[words, dimensions]` of real numbers, and the words as a JSON list under the
//! metadata key `words` or as a U8 tensor `words` with one word per line.

use std::fs::File;
use std::io;

use ::safetensors::Dtype;
use ::safetensors::tensor::TensorInfo;

use super::{ReadVectors, Rows, VectorsError, VectorsFormat, Wanted};
use crate::files::{self, MAX_HEADER_BYTES, SafetensorsError};
use crate::numbers::Value;

pub(super) const FORMAT: VectorsFormat =
    VectorsFormat { name: "safetensors (`vectors` and `words`)", sniff, read: ReadVectors::Seek(read) };

/// The header's length in 8 bytes, then JSON.
fn sniff(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|&length| u64::from_le_bytes(length) <= MAX_HEADER_BYTES)
        && head.get(8) == Some(&b'{')
}

fn read(file: File, wanted: &mut Wanted) -> Result<(), VectorsError> {
    let (metadata, start) = files::safetensors(&file).map_err(|error| match error {
        SafetensorsError::Io(error) => wanted.io()(error),
        error => wanted.io()(io::Error::other(error)),
    })?;
    let listed = metadata.metadata().as_ref().and_then(|entries| entries.get("words"));
    let of_list = |list: &String| -> Result<Vec<Vec<u8>>, VectorsError> {
        let words: Vec<String> = serde_json::from_str(list)
            .map_err(|error| wanted.array("words", format!("expected a JSON list of strings, found {error}")))?;
        Ok(words.into_iter().map(String::into_bytes).collect())
    };
    let lines = metadata.info("words").filter(|words| words.dtype == Dtype::U8);
    let of_lines = |words: &TensorInfo| -> Result<Vec<Vec<u8>>, VectorsError> {
        let (begin, end) = words.data_offsets;
        let mut text = vec![0; end - begin];
        files::read_at(&file, start + begin as u64, &mut text).map_err(wanted.io())?;
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        Ok(text.split(|&byte| byte == b'\n').map(|word| word.strip_suffix(b"\r").unwrap_or(word).to_vec()).collect())
    };
    let words = match (listed.map(of_list).transpose()?, lines.map(of_lines).transpose()?) {
        (Some(list), Some(lines)) if list != lines => {
            let found =
                "the metadata's list and the tensor differ, expected one of them: leave the other out".to_string();
            return Err(wanted.array("words", found));
        }
        (Some(words), _) | (None, Some(words)) => words,
        (None, None) => {
            let found = "not found, expected a JSON list in the metadata or a U8 tensor of lines".to_string();
            return Err(wanted.array("words", found));
        }
    };
    let mut rows = Rows::new(words.into_iter().map(Ok), wanted).map_err(wanted.io())?;

    let vectors =
        metadata.info("vectors").ok_or_else(|| wanted.array("vectors", "not found, expected a tensor".to_string()))?;
    let shape: Vec<u64> = vectors.shape.iter().map(|&length| length as u64).collect();
    rows.check_shape(&shape, wanted)?;
    let value = Value::of_safetensors(vectors.dtype).ok_or_else(|| {
        let dtype = vectors.dtype;
        wanted.array("vectors", format!("type {dtype}, expected real numbers of 8 to 64 bits"))
    })?;
    let mut bytes = vec![0; value.bytes * wanted.dimensions];
    for (row, word) in rows.wanted {
        let at = start + vectors.data_offsets.0 as u64 + row * bytes.len() as u64;
        files::read_at(&file, at, &mut bytes).map_err(wanted.io())?;
        wanted.keep(&word, value.singles(&bytes), "row", row + 1);
    }
    Ok(())
}
