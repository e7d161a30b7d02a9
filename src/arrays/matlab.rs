//! MATLAB's `.mat`: version 5 to 7 here, 7.3 is HDF5.
//!
//! A file of version 5 is a header of 128 bytes and then elements: type, length, data, padded to 8 bytes; a variable is an
//! element of elements (flags, axes, name, values), packed by zlib as a rule. Values may be stored in a smaller type than
//! the variable's. The first axis runs fastest. ("MAT-File Format", MathWorks.)

mod elements;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use flate2::read::ZlibDecoder;

use self::elements::{COMPRESSED, Class, Elements, Head, MATRIX, Tag, Variable};
use super::stored::{Bytes, Labels, Order, StoredArray, is_list};
use super::{ArrayError, ArrayFormat, Listed, Told, hdf5, malformed};
use crate::error::FileError;
use crate::files;
use crate::limits::Unpacked;

const NAME: &str = ".mat";
const HEADER_BYTES: usize = 128;

/// Before the values of a variable: its flags, axes and name, which has 63 letters at most.
const HEAD_BYTES: u64 = 4096;

pub(super) const FORMAT: ArrayFormat = ArrayFormat { endings: &["mat"], list, open };

fn list(path: &Path) -> Result<Vec<Listed>, ArrayError> {
    let Some(file) = MatFile::open(path)? else { return hdf5::list(path) };
    let listed = |(_, head): (Place, Head)| {
        let number = head.value().is_some();
        let list = is_list(head.shape.iter().map(|&axis| axis as u64));
        Listed { number, float: number && matches!(head.class, Class::Float(_)), list, name: head.name }
    };
    Ok(file.heads()?.into_iter().map(listed).collect())
}

fn open(path: &Path, names: &[&str], told: &Told) -> Result<Vec<StoredArray>, ArrayError> {
    let Some(file) = MatFile::open(path)? else { return hdf5::open(path, names, told) };
    let is_asked = |(_, head): &(Place, Head)| names.contains(&head.name.as_str()) || head.may_be_texts();
    let asked = file.heads()?.into_iter().filter(is_asked);
    let variables = asked.map(|(place, _)| file.variable(&place)).collect::<Result<Vec<Variable>, _>>()?;
    let rows = variables.iter().filter_map(|variable| variable.texts.clone()).collect();
    let labels = Arc::new(Labels { rows, ..Labels::default() });
    let array = |name: &&str| {
        let found = variables.iter().find(|variable| variable.head.name == *name);
        // It was there when the file was listed.
        let Variable { head, bytes, texts } = found.ok_or_else(|| FileError::at(path)(files::changed()))?;
        let value = head.value().ok_or_else(|| {
            let kind = if head.complex { "complex" } else { head.class.name() };
            not_numbers(path, name, kind, head.class == Class::Char || texts.is_some())
        })?;
        let (range, bytes) = (0..bytes.len(), Arc::new(Bytes::Held(bytes.clone())));
        let array = StoredArray::new(path, head.shape.clone(), Order::Fortran, value, bytes, range)?;
        Ok(array.labelled(labels.clone()))
    };
    names.iter().map(array).collect()
}

/// What to do about a variable of another class; `text` is whether it holds text.
pub(super) fn not_numbers(path: &Path, name: &str, class: &str, text: bool) -> ArrayError {
    let remedy = match class {
        "struct" | "object" => format!(
            "x = {name}.FIELD; save(file, \"x\"), or of several structs x = permute(cat(3, {name}.FIELD), [3 1 2])"
        ),
        "cell" => format!("x = cell2mat({name}); save(file, \"x\"), or x = {name}{{1}}"),
        "complex" => format!("x = abs({name}) or real({name}); save(file, \"x\")"),
        "sparse" => format!("x = full({name}); save(file, \"x\")"),
        "empty" => format!("clear {name}; save(file)"),
        _ => format!("x = double({name}); save(file, \"x\")"),
    };
    let class = match class {
        "complex" => "complex array",
        "empty" => "matrix without values",
        "sparse" => "sparse matrix",
        class => class,
    };
    let class = format!("{class} of MATLAB's");
    ArrayError::Matlab { path: path.into(), name: name.to_string(), class, remedy, text }
}

/// A file of version 5.
struct MatFile<'a> {
    path: &'a Path,
    file: File,
    big_endian: bool,
    bytes: u64,
}

/// Where a variable lies in the file.
struct Place {
    range: Range<u64>,
    packed: bool,
}

impl<'a> MatFile<'a> {
    /// The file; none if it is HDF5.
    fn open(path: &'a Path) -> Result<Option<Self>, ArrayError> {
        const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";
        let mut head = Vec::new();
        let opened = files::open(path).and_then(|file| {
            (&file).take(520).read_to_end(&mut head)?;
            Ok((file.metadata()?.len(), file))
        });
        let (bytes, file) = opened.map_err(FileError::at(path))?;
        // MATLAB's header comes before HDF5's.
        if head.starts_with(HDF5) || head.get(512..).is_some_and(|bytes| bytes.starts_with(HDF5)) {
            return Ok(None);
        }
        let big_endian = match head.get(124..HEADER_BYTES) {
            Some([_, _, b'I', b'M']) => false,
            Some([_, _, b'M', b'I']) => true,
            _ => {
                let reason = "no header of version 5 or later; in MATLAB: save(file, name, \"-v7\")";
                return Err(malformed(path, NAME, reason));
            }
        };
        Ok(Some(Self { path, file, big_endian, bytes }))
    }

    fn cut(&self) -> ArrayError {
        malformed(self.path, NAME, "an element does not end within the file; was it cut short?")
    }

    fn elements<'b>(&self, bytes: &'b [u8]) -> Elements<'b> {
        Elements { bytes, big_endian: self.big_endian }
    }

    /// Where the variables lie and what they say of themselves; of their values nothing is read or unpacked.
    fn heads(&self) -> Result<Vec<(Place, Head)>, ArrayError> {
        let mut heads = Vec::new();
        let mut at = HEADER_BYTES as u64;
        while at < self.bytes {
            let tag = self.read(&Place { range: at..self.bytes, packed: false }, 8)?;
            let Tag { kind, length, start } = self.elements(&tag).tag().ok_or_else(|| self.cut())?;
            let (start, end) = (at + start as u64, at + (start + length) as u64);
            if end > self.bytes {
                return Err(self.cut());
            }
            let packed = kind == COMPRESSED;
            let range = if packed { start..end } else { at..end };
            at = if packed { end } else { end.next_multiple_of(8) };
            if ![COMPRESSED, MATRIX].contains(&kind) {
                continue;
            }
            let place = Place { range, packed };
            let bytes = self.read(&place, HEAD_BYTES)?;
            let Tag { kind, start, .. } = self.elements(&bytes).tag().ok_or_else(|| self.cut())?;
            if kind == MATRIX {
                let head = self.elements(&bytes[start..]).head().ok_or_else(|| self.cut())?;
                // What MATLAB keeps for itself has no name.
                heads.extend(Some((place, head)).filter(|(_, head)| !head.name.is_empty()));
            }
        }
        Ok(heads)
    }

    fn variable(&self, place: &Place) -> Result<Variable, ArrayError> {
        let bytes = self.read(place, u64::MAX)?;
        let variable = || self.elements(self.elements(&bytes).next()?.1).variable();
        variable().ok_or_else(|| self.cut())
    }

    /// What lies there, unpacked: so many bytes at most.
    fn read(&self, place: &Place, most: u64) -> Result<Vec<u8>, FileError> {
        let packed = place.range.end - place.range.start;
        let mut bytes = Vec::new();
        let mut read = || -> io::Result<usize> {
            (&self.file).seek(SeekFrom::Start(place.range.start))?;
            let section = (&self.file).take(packed);
            match place.packed {
                true => Unpacked::new(ZlibDecoder::new(section), packed).take(most).read_to_end(&mut bytes),
                false => section.take(most).read_to_end(&mut bytes),
            }
        };
        read().map_err(FileError::at(self.path))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;

    use super::*;

    fn element(kind: u32, data: &[u8]) -> Vec<u8> {
        let mut element = [kind, data.len() as u32].map(u32::to_le_bytes).concat();
        element.extend(data);
        element.resize(element.len().next_multiple_of(8), 0);
        element
    }

    /// A vector of doubles that do not pack.
    fn doubles(name: &str, seed: u64) -> (Vec<f64>, Vec<u8>) {
        let value = |n: u64| ((n + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64;
        let values: Vec<f64> = (0..4096).map(value).collect();
        let words = |words: [u32; 2]| words.map(u32::to_le_bytes).concat();
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let parts =
            [element(6, &words([6, 0])), element(5, &words([4096, 1])), element(1, name.as_bytes()), element(9, &data)];
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&element(14, &parts.concat())).unwrap();
        (values, packed.finish().unwrap())
    }

    #[test]
    fn rows_of_no_letters_are_no_texts() {
        let texts = |rows: u32, letters: &str| {
            let words = |words: [u32; 2]| words.map(u32::to_le_bytes).concat();
            let shape = words([rows, letters.len() as u32 / rows.max(1)]);
            let parts =
                [element(6, &words([4, 0])), element(5, &shape), element(1, b"x"), element(16, letters.as_bytes())];
            Elements { bytes: &parts.concat(), big_endian: false }.variable().unwrap().texts
        };
        assert_eq!(texts(2, "abcd"), Some(vec!["ac".to_string(), "bd".to_string()]));
        assert_eq!((texts(0, ""), texts(1, "")), (Some(vec![]), Some(vec![String::new()])));
        assert_eq!(texts(u32::MAX, ""), None);
    }

    #[test]
    fn a_variable_is_unpacked_when_it_is_asked_for() {
        let ((wanted, whole), (_, mut damaged)) = (doubles("wanted", 1), doubles("damaged", 2));
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        let header = [&[b' '; 124][..], &[0, 1, b'I', b'M']].concat();
        let packed =
            [damaged, whole].map(|bytes| [[15, bytes.len() as u32].map(u32::to_le_bytes).concat(), bytes].concat());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [header, packed.concat()].concat()).unwrap();
        let listed: Vec<_> = list(file.path()).unwrap().into_iter().map(|listed| (listed.name, listed.float)).collect();
        assert_eq!(listed, [("damaged".to_string(), true), ("wanted".to_string(), true)]);
        let open = |name: &str| open(file.path(), &[name], &Told::default());
        let array = open("wanted").unwrap().remove(0);
        assert_eq!((array.shape(), array.values().unwrap()), (&[4096, 1][..], wanted));
        assert!(open("damaged").is_err());
        assert!(open("gone").unwrap_err().to_string().contains("changed while it was being used"));
    }
}
