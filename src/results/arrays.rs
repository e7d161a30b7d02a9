//! Matrices in files: `.npy` written and read; `.npz` and `.safetensors` read.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use npyz::{NpyFile, Order, WriterBuilder};
use safetensors::{Dtype, SafeTensors};

use crate::error::FileError;
use crate::results::write_atomically;

/// An array's shape and its values, the last axis running fastest.
pub type Array = (Vec<usize>, Vec<f64>);

/// A file that is not the array it was taken for.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The bytes do not follow the format.
    #[error("{}: not a valid {format} file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// `.npy`, `.npz` or `.safetensors`
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Neither f32 nor f64.
    #[error("{}: values of type {found}, expected f32 or f64; convert with numpy's astype(\"float64\")", path.display())]
    NotFloat {
        /// The file.
        path: PathBuf,
        /// The type as the file names it.
        found: String,
    },
    /// The header promises another amount of data than the file holds.
    #[error("{}: shape {shape:?} needs {expected} bytes of data, found {found}; was the file cut short?", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// As the header says.
        shape: Vec<u64>,
        /// Bytes.
        expected: u128,
        /// Bytes.
        found: u64,
    },
    /// None or several arrays where one is wanted.
    #[error("{}: {} arrays ({}), expected one; save the one to use in a file of its own", path.display(), names.len(), names.join(", "))]
    NotOne {
        /// The file.
        path: PathBuf,
        /// The arrays it holds.
        names: Vec<String>,
    },
    /// The ending says nothing that can be read.
    #[error("{}: unknown ending, expected .npy, .npz or .safetensors", path.display())]
    Ending {
        /// The file.
        path: PathBuf,
    },
}

/// Writes `values` (last axis fastest) as NumPy's `.npy`: version 1.0, `<f8`, C order.
///
/// # Panics
/// If `values` does not fill `shape`.
pub fn write_npy(path: &Path, shape: &[usize], values: &[f64]) -> Result<(), FileError> {
    assert_eq!(values.len(), shape.iter().product::<usize>(), "values fill the shape {shape:?}");
    let shape: Vec<u64> = shape.iter().map(|&axis| axis as u64).collect();
    write_atomically(path, |file| {
        let mut array = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd()?;
        array.extend(values.iter().copied())?;
        array.finish()
    })
}

/// Reads NumPy's `.npy`: f4 or f8, either byte order, C or Fortran order.
///
/// # Errors
/// A file that cannot be read, is malformed or cut short, or holds another type.
pub fn read_npy(path: &Path) -> Result<Array, ArrayError> {
    let file = File::open(path).map_err(FileError::at(path))?;
    decode_npy(path, ".npy", BufReader::new(file))
}

/// Reads the one f32 or f64 array of a `.npy`, `.npz` or `.safetensors` file.
///
/// # Errors
/// As [`read_npy`]; several arrays in the file (their names are listed); another ending.
pub fn read_matrix(path: &Path) -> Result<Array, ArrayError> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("npy") => read_npy(path),
        Some("npz") => read_npz(path),
        Some("safetensors") => read_safetensors(path),
        _ => Err(ArrayError::Ending { path: path.into() }),
    }
}

fn read_npz(path: &Path) -> Result<Array, ArrayError> {
    const FORMAT: &str = ".npz";
    let malformed = |reason: io::Error| malformed(path, FORMAT, reason);
    let file = File::open(path).map_err(FileError::at(path))?;
    let mut archive = npyz::npz::NpzArchive::new(BufReader::new(file)).map_err(malformed)?;
    let mut names: Vec<String> = archive.array_names().map(str::to_owned).collect();
    names.sort_unstable();
    let [name] = &names[..] else {
        return Err(ArrayError::NotOne { path: path.into(), names });
    };
    let entry = archive.zip_archive().by_name(&npyz::npz::file_name_from_array_name(name));
    decode_npy(path, FORMAT, entry.map_err(|e| malformed(e.into()))?)
}

fn read_safetensors(path: &Path) -> Result<Array, ArrayError> {
    const FORMAT: &str = ".safetensors";
    let bytes = std::fs::read(path).map_err(FileError::at(path))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|reason| malformed(path, FORMAT, reason))?;
    let mut names: Vec<String> = tensors.names().into_iter().map(str::to_owned).collect();
    names.sort_unstable();
    let [name] = &names[..] else {
        return Err(ArrayError::NotOne { path: path.into(), names });
    };
    let tensor = tensors.tensor(name).map_err(|reason| malformed(path, FORMAT, reason))?;
    let values = match tensor.dtype() {
        Dtype::F32 => decode(tensor.data(), |bytes| f32::from_le_bytes(bytes).into()),
        Dtype::F64 => decode(tensor.data(), f64::from_le_bytes),
        other => return Err(ArrayError::NotFloat { path: path.into(), found: other.to_string() }),
    };
    Ok((tensor.shape().to_vec(), values))
}

fn malformed(path: &Path, format: &'static str, reason: impl ToString) -> ArrayError {
    ArrayError::Malformed { path: path.into(), format, reason: reason.to_string() }
}

fn decode_npy(path: &Path, format: &'static str, reader: impl Read) -> Result<Array, ArrayError> {
    let array = NpyFile::new(reader).map_err(|reason| malformed(path, format, reason))?;
    let header = array.header().clone();
    let descr = header.dtype().descr();
    let mut data = Vec::new();
    array.into_inner().read_to_end(&mut data).map_err(|reason| malformed(path, format, reason))?;

    let value_bytes: u128 = match descr.as_str() {
        "'<f4'" | "'>f4'" => 4,
        "'<f8'" | "'>f8'" => 8,
        _ => return Err(ArrayError::NotFloat { path: path.into(), found: descr }),
    };
    // A header can promise more than any file holds: nothing is allocated on its word.
    let expected = header.shape().iter().fold(value_bytes, |bytes, &axis| bytes.saturating_mul(axis.into()));
    if expected != data.len() as u128 {
        let (shape, found) = (header.shape().to_vec(), data.len() as u64);
        return Err(ArrayError::Length { path: path.into(), shape, expected, found });
    }
    let values = match descr.as_str() {
        "'<f4'" => decode(&data, |bytes| f32::from_le_bytes(bytes).into()),
        "'>f4'" => decode(&data, |bytes| f32::from_be_bytes(bytes).into()),
        "'<f8'" => decode(&data, f64::from_le_bytes),
        _ => decode(&data, f64::from_be_bytes),
    };
    let shape: Vec<usize> = header.shape().iter().map(|&axis| axis as usize).collect();
    let values = match header.order() {
        Order::C => values,
        Order::Fortran => last_axis_fastest(&shape, &values),
    };
    Ok((shape, values))
}

fn decode<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&bytes| value(bytes)).collect()
}

/// Reorders values whose first axis runs fastest.
fn last_axis_fastest(shape: &[usize], values: &[f64]) -> Vec<f64> {
    let mut index = vec![0; shape.len()];
    let mut ordered = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        let place = index.iter().zip(shape).rev().fold(0, |place, (&i, &axis)| place * axis + i);
        ordered.push(values[place]);
        for (i, &axis) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < axis {
                break;
            }
            *i = 0;
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// A version 1.0 file, byte by byte.
    fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
        let order = if fortran { "True" } else { "False" };
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(data);
        file
    }

    fn saved(directory: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn f8(values: &[f64]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn an_array_is_written_as_numpy_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rsm/fc1.npy");
        let values = [1.0, 1.0 / 3.0, -0.5, f64::NAN, 1e-300, 6.0];
        write_npy(&path, &[1, 2, 3], &values).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), npy("<f8", false, "1, 2, 3, ", &f8(&values)));
        let (shape, read) = read_npy(&path).unwrap();
        assert_eq!(shape, [1, 2, 3]);
        assert!(read.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits()));
    }

    #[test]
    fn all_float_types_and_orders_read_alike() {
        let directory = tempfile::tempdir().unwrap();
        // [[0, 1, 2], [3, 4, 5]]; Fortran order runs down the columns.
        let c = [0.0_f64, 1.0, 2.0, 3.0, 4.0, 5.0];
        let fortran = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0];
        let f4 = |order: fn(f32) -> [u8; 4]| c.iter().flat_map(|&value| order(value as f32)).collect::<Vec<u8>>();
        let big: Vec<u8> = c.iter().flat_map(|value| value.to_be_bytes()).collect();
        for (descr, is_fortran, data) in [
            ("<f8", false, f8(&c)),
            ("<f8", true, f8(&fortran)),
            (">f8", false, big),
            ("<f4", false, f4(f32::to_le_bytes)),
            (">f4", false, f4(f32::to_be_bytes)),
        ] {
            let path = saved(&directory, "a.npy", &npy(descr, is_fortran, "2, 3", &data));
            assert_eq!(read_matrix(&path).unwrap(), (vec![2, 3], c.to_vec()), "{descr} fortran {is_fortran}");
        }
        // a[i, j, k] = 100 i + 10 j + k of shape [2, 2, 2]
        let cube = [0.0, 100.0, 10.0, 110.0, 1.0, 101.0, 11.0, 111.0];
        let path = saved(&directory, "cube.npy", &npy("<f8", true, "2, 2, 2", &f8(&cube)));
        assert_eq!(read_npy(&path).unwrap().1, [0.0, 1.0, 10.0, 11.0, 100.0, 101.0, 110.0, 111.0]);
    }

    #[test]
    fn an_archive_must_hold_one_array() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.npz");
        let array = npy("<f8", false, "2,", &f8(&[0.5, 1.5]));
        let write = |names: &[&str]| {
            let mut archive = npyz::npz::NpzWriter::new(File::create(&path).unwrap());
            for name in names {
                archive.zip_writer().start_file(format!("{name}.npy"), Default::default()).unwrap();
                archive.zip_writer().write_all(&array).unwrap();
            }
        };
        write(&["rsm"]);
        assert_eq!(read_matrix(&path).unwrap(), (vec![2], vec![0.5, 1.5]));
        write(&["words", "images"]);
        let error = read_matrix(&path).unwrap_err().to_string();
        assert!(error.contains("a.npz: 2 arrays (images, words), expected one"), "{error}");
    }

    #[test]
    fn safetensors_hold_one_float_tensor() {
        use safetensors::tensor::TensorView;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.safetensors");
        let data = f8(&[0.5, 1.5]);
        let write = |tensors: &[(&str, Dtype, usize)]| {
            let views = tensors
                .iter()
                .map(|&(name, dtype, length)| (name, TensorView::new(dtype, vec![length], &data).unwrap()));
            std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        };
        write(&[("rsm", Dtype::F64, 2)]);
        assert_eq!(read_matrix(&path).unwrap(), (vec![2], vec![0.5, 1.5]));
        write(&[("rsm", Dtype::F64, 2), ("words", Dtype::F64, 2)]);
        assert!(read_matrix(&path).unwrap_err().to_string().contains("2 arrays (rsm, words)"));
        write(&[("rsm", Dtype::I64, 2)]);
        assert!(read_matrix(&path).unwrap_err().to_string().contains("type I64, expected f32 or f64"));
    }

    #[test]
    fn malformed_files_give_named_errors() {
        let directory = tempfile::tempdir().unwrap();
        let data = f8(&[0.5, 1.5]);
        for (name, bytes, expected) in [
            ("a.npy", b"PNG".to_vec(), "a.npy: not a valid .npy file"),
            ("a.npz", b"PNG".to_vec(), "a.npz: not a valid .npz file"),
            ("a.safetensors", b"PNG".to_vec(), "a.safetensors: not a valid .safetensors file"),
            ("i.npy", npy("<i8", false, "2,", &data), "type '<i8', expected f32 or f64"),
            ("c.npy", npy("<f8", false, "2, 2", &data), "shape [2, 2] needs 32 bytes of data, found 16"),
            ("h.npy", npy("<f8", false, "4294967296, 4294967296", &data), "found 16"),
            ("a.mat", vec![], "a.mat: unknown ending, expected .npy, .npz or .safetensors"),
        ] {
            let error = read_matrix(&saved(&directory, name, &bytes)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let absent = read_matrix(&directory.path().join("absent.npy")).unwrap_err().to_string();
        assert!(absent.contains("absent.npy: "), "{absent}");
    }
}
