use std::fs::File;
use std::io::Write;

use ::safetensors::Dtype;
use zip::CompressionMethod::{self, Deflated, Stored};

use super::*;
use crate::stats::Rsm;

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

/// An archive of `.npy` files by their arrays' names.
pub(crate) fn npz<'a>(path: &Path, method: CompressionMethod, arrays: impl IntoIterator<Item = (&'a str, Vec<u8>)>) {
    let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, array) in arrays {
        archive.start_file(format!("{name}.npy"), options).unwrap();
        archive.write_all(&array).unwrap();
    }
    archive.finish().unwrap();
}

/// The only array of a file.
fn read(path: &Path) -> Result<Array, ArrayError> {
    open(path, None, &Told::default()).map(|array| (array.shape().to_vec(), array.values().unwrap()))
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
        assert_eq!(read(&path).unwrap(), (vec![2, 3], c.to_vec()), "{descr} fortran {is_fortran}");
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
    let write = |names: &[&str]| npz(&path, Stored, names.iter().map(|name| (*name, array.clone())));
    write(&["rsm"]);
    assert_eq!(read(&path).unwrap(), (vec![2], vec![0.5, 1.5]));
    write(&["words", "images"]);
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("a.npz: 2 arrays (images, words), expected one"), "{error}");
    for name in ["words", "/words"] {
        assert_eq!(open(&path, Some(name), &Told::default()).unwrap().values().unwrap(), [0.5, 1.5]);
    }
    let error = open(&path, Some("fc1"), &Told::default()).err().unwrap().to_string();
    assert!(error.contains("a.npz: no array \"fc1\", found images, words"), "{error}");
    let plain = directory.path().join("a.npy");
    std::fs::write(&plain, &array).unwrap();
    let error = open(&plain, Some("0"), &Told::default()).err().unwrap().to_string();
    assert!(error.contains("a.npy: array \"0\"") && error.contains("one array without a name"), "{error}");
}

#[test]
fn safetensors_hold_one_float_tensor() {
    use ::safetensors::tensor::TensorView;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.safetensors");
    let data = f8(&[0.5, 1.5]);
    let write = |tensors: &[(&str, Dtype, usize)]| {
        let views =
            tensors.iter().map(|&(name, dtype, length)| (name, TensorView::new(dtype, vec![length], &data).unwrap()));
        std::fs::write(&path, ::safetensors::serialize(views, None).unwrap()).unwrap();
    };
    write(&[("rsm", Dtype::F64, 2)]);
    assert_eq!(read(&path).unwrap(), (vec![2], vec![0.5, 1.5]));
    write(&[("rsm", Dtype::F64, 2), ("words", Dtype::F64, 2)]);
    assert!(read(&path).unwrap_err().to_string().contains("2 arrays (rsm, words)"));
    write(&[("rsm", Dtype::I64, 2)]);
    assert_eq!(read(&path).unwrap().0, [2]);
    write(&[("rsm", Dtype::C64, 2)]);
    assert!(read(&path).unwrap_err().to_string().contains("type C64, expected real numbers"));
}

#[test]
fn malformed_files_give_named_errors() {
    let directory = tempfile::tempdir().unwrap();
    let data = f8(&[0.5, 1.5]);
    for (name, bytes, expected) in [
        ("a.npy", b"PNG".to_vec(), "a.npy: not a valid .npy file"),
        ("a.npz", b"PNG".to_vec(), "a.npz: not a valid .npz file"),
        ("a.h5", b"PNG".to_vec(), "a.h5: not a valid .h5 file"),
        ("a.csv", b"1,2\n3\n".to_vec(), "a.csv: not a valid text file: line 2: 1 values, expected 2"),
        ("b.csv", b"1.5,2\n3,x\n".to_vec(), "line 2: \"x\", expected a number"),
        ("c.csv", vec![], "c.csv: not a valid text file: it is empty"),
        ("a.safetensors", b"PNG".to_vec(), "a.safetensors: not a valid .safetensors file"),
        (
            "i.npy",
            npy("<c16", false, "1,", &data),
            "type '<c16', expected real numbers of 8 to 64 bits; take numpy's abs(x)",
        ),
        ("u.npy", npy("<U4", false, "1,", &data), "convert with numpy's astype(\"float64\")"),
        ("c.npy", npy("<f8", false, "2, 2", &data), "shape [2, 2] needs 32 bytes of data, found 16"),
        ("h.npy", npy("<f8", false, "4294967296, 4294967296", &data), "found 16"),
        ("a.mat", vec![], "a.mat: not a valid .mat file: no header of version 5"),
        ("a.xls", vec![], "a.xls: unknown ending, expected .npy, .npz, .safetensors, .h5, .hdf5, .mat, .csv"),
        ("hidden.pt", vec![], "; numpy.savez(\"layers.npz\", *layers) makes one of a list of arrays or tensors"),
    ] {
        let error = read(&saved(&directory, name, &bytes)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    for absent in ["absent.npy", "absent"] {
        let said = read(&directory.path().join(absent)).unwrap_err().to_string();
        assert!(said.contains(&format!("{absent}: ")) && !said.contains("ending"), "{said}");
    }
    let folder = read(directory.path()).unwrap_err().to_string();
    assert!(folder.ends_with(": a folder, expected a file of arrays"), "{folder}");
}

#[test]
fn packed_and_plain_archives_read_alike() {
    let directory = tempfile::tempdir().unwrap();
    let array = npy("<f4", false, "2, 3", &[0.0_f32, 1.0, 2.0, 3.0, 4.0, 5.0].map(f32::to_le_bytes).concat());
    for (name, method) in [("plain.npz", Stored), ("packed.npz", Deflated)] {
        let path = directory.path().join(name);
        npz(&path, method, [("names", npy("<i4", false, "1,", &[1, 0, 0, 0])), ("layer/0", array.clone())]);
        assert_eq!(names(&path).unwrap(), ["layer/0", "names"]);
        // The other array is of integers, so this is the only one meant.
        assert_eq!(read(&path).unwrap(), (vec![2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    }
}

#[test]
fn arrays_and_names_that_are_damaged_in_an_archive_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.npz");
    let arrays = [("names", npy("|S3", false, "2,", b"catdog")), ("layer", npy("<f8", false, "2,", &f8(&[1.5, 2.5])))];
    for part in [&b"catdog"[..], &f8(&[1.5, 2.5]), b"NUMPY"] {
        npz(&path, Stored, arrays.clone());
        let mut bytes = std::fs::read(&path).unwrap();
        let place = bytes.windows(part.len()).position(|bytes| bytes == part).unwrap();
        bytes[place + 1] ^= 4;
        std::fs::write(&path, bytes).unwrap();
        let said = read(&path).unwrap_err().to_string();
        assert!(said.contains("a.npz: its checksum is not that of its bytes"), "{said}");
    }
}

#[test]
fn whole_numbers_beside_an_array_are_told_as_no_names() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ids.npz");
    let ids = npy("<i8", false, "2,", &[17_i64, 3].map(i64::to_le_bytes).concat());
    npz(&path, Stored, [("ids", ids), ("layer", npy("<f8", false, "2, 3", &f8(&[0.0; 6])))]);
    let told = |name| open(&path, name, &Told::default()).unwrap().labels().unread(2).map(|list| list.name.clone());
    assert_eq!((told(None), told(Some("ids"))), (Some("ids".to_string()), None));
}

#[test]
fn text_may_name_rows_and_columns() {
    let directory = tempfile::tempdir().unwrap();
    let expected = (vec![2, 2], vec![1.0, 0.5, 0.5, 1.0]);
    for text in [
        "1,0.5\n0.5,1\n",
        "1.0 0.5\r\n5e-1 1\r\n",
        "cat\tdog\n1\t0.5\n0.5\t1\n",
        ",cat,dog\ncat,1,0.5\ndog,0.5,1\n",
        ",0,1\n0,1,0.5\n1,0.5,1\n",
        "\"cat\" \"dog\"\n\"cat\" 1 0.5\n\"dog\" 0.5 1\n",
    ] {
        assert_eq!(read(&saved(&directory, "a.csv", text.as_bytes())).unwrap(), expected, "{text}");
    }
}

#[test]
fn vectors_are_read_in_part_whatever_the_order() {
    let directory = tempfile::tempdir().unwrap();
    // a[i, j, k] = 100 i + 10 j + k of shape [2, 2, 3], in C and in Fortran order.
    let entry = |n: usize| (100 * (n / 6) + 10 * (n / 3 % 2) + n % 3) as f64;
    let c: Vec<f64> = (0..12).map(entry).collect();
    let fortran: Vec<f64> = (0..12).map(|n| entry(6 * (n % 2) + 3 * (n / 2 % 2) + n / 4)).collect();
    for (order, data) in [(false, c), (true, fortran)] {
        let array =
            open(&saved(&directory, "a.npy", &npy("<f8", order, "2, 2, 3", &f8(&data))), None, &Told::default())
                .unwrap();
        let mut values = [0.0; 2];
        array.read(2, 3, 1, &mut values).unwrap();
        assert_eq!(values, [111.0, 112.0]);
        let mut values = [0.0; 4];
        array.read(1, 1, 2, &mut values).unwrap();
        assert_eq!(values, [102.0, 110.0, 111.0, 112.0]);
    }
}

#[test]
fn arrays_without_values_have_none_in_any_order() {
    let directory = tempfile::tempdir().unwrap();
    for order in [false, true] {
        let path = saved(&directory, "a.npy", &npy("<f8", order, "2, 0, 3", &[]));
        for transpose in [false, true] {
            let array = open(&path, None, &Told { transpose, ..Told::default() }).unwrap();
            assert!(array.values().unwrap().is_empty());
        }
    }
}

#[test]
fn rsms_are_read_as_they_were_written() {
    let directory = tempfile::tempdir().unwrap();
    let rsms = [Rsm::new(2, vec![1.0, 0.25, 0.25, 1.0]), Rsm::new(2, vec![1.0, 1.0 / 3.0, 1.0 / 3.0, 1.0])];
    let values: Vec<f64> = rsms.iter().flat_map(|rsm| rsm.values().to_vec()).collect();
    for name in ["a.npy", "a.npz", "a.safetensors"] {
        let path = directory.path().join(name);
        let mut out =
            RsmsOut { rsms: rsms.iter().collect(), grouped: false, labels: vec![], concepts: None, distances: false };
        write_rsms(&path, &out).unwrap();
        assert_eq!(read(&path).unwrap(), (vec![2, 2, 2], values.clone()), "{name}");
        out.distances = true;
        write_rsms(&path, &out).unwrap();
        assert_eq!(read(&path).unwrap().1[..4], [0.0, 0.75, 0.75, 0.0], "{name}");
    }
    let one = |grouped| RsmsOut { rsms: vec![&rsms[1]], grouped, labels: vec![], concepts: None, distances: false };
    let path = directory.path().join("a.csv");
    write_rsms(&path, &one(false)).unwrap();
    assert_eq!(read(&path).unwrap(), (vec![2, 2], rsms[1].values().to_vec()));
    let path = directory.path().join("b.npy");
    write_rsms(&path, &one(true)).unwrap();
    assert_eq!(read(&path).unwrap().0, [1, 2, 2]);
}

#[test]
fn rsatoolbox_finds_its_datasets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.h5");
    let rsm = Rsm::new(3, vec![1.0, 0.5, 0.25, 0.5, 1.0, -0.5, 0.25, -0.5, 1.0]);
    let names = ["cat", "dog", "mole"].map(String::from);
    let out = RsmsOut {
        rsms: vec![&rsm, &rsm],
        grouped: true,
        labels: vec![("group", vec!["1".to_string(), "2".to_string()])],
        concepts: Some(&names),
        distances: true,
    };
    write_rsms(&path, &out).unwrap();
    assert_eq!(text_attribute(&path, "dissimilarity_measure").unwrap().as_deref(), Some(CORRELATION_DISTANCE));
    assert_eq!(text_attribute(&path, "noise").unwrap(), None);
    assert_eq!(read(&path).unwrap(), (vec![2, 3], [0.5, 0.75, 1.5].repeat(2)));
    let file = hdf5_reader::Hdf5File::open(&path).unwrap();
    assert_eq!(file.dataset("pattern_descriptors/concept").unwrap().read_strings().unwrap(), names);
    assert_eq!(file.dataset("rdm_descriptors/group").unwrap().read_strings().unwrap(), ["1", "2"]);
    assert!(file.group("descriptors").is_ok());
    assert!(is_own_rdms(&path) && !is_own_rdms(&golden(&directory, "half.h5")));
}

/// A file of `tests/golden/reading.zip`.
fn golden(directory: &tempfile::TempDir, name: &str) -> PathBuf {
    let archive = std::io::Cursor::new(include_bytes!("../../tests/golden/reading.zip"));
    let mut archive = zip::ZipArchive::new(archive).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name(name).unwrap(), &mut bytes).unwrap();
    saved(directory, name, &bytes)
}

/// What they hold, see `tests/golden/README.md`.
fn golden_value(n: usize) -> f64 {
    let (i, j) = (n / 30, n % 30);
    (((7 * i + 3 * j + i * j) % 23) as f64 - 11.0) / 4.0
}

#[test]
fn matlab_and_hdf5_read_as_the_programs_that_wrote_them() {
    let directory = tempfile::tempdir().unwrap();
    for name in [
        "v5.mat",
        "v5_plain.mat",
        "v73.mat",
        "v73_renamed.h5",
        "half.h5",
        "brain.h5",
        "big_endian.h5",
        "wide_fixed.h5",
        "wide_fixed_both.h5",
        "wide_extensible.h5",
        "wide_tree.h5",
        "wide_implicit.h5",
    ] {
        let found = read(&golden(&directory, name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found, (vec![12, 30], (0..360).map(golden_value).collect()), "{name}");
    }
    let whole = read(&golden(&directory, "v5_whole.mat")).unwrap();
    assert_eq!(whole, (vec![12, 30], (0..360).map(|n| 4.0 * golden_value(n)).collect()));
    let filled = read(&golden(&directory, "wide_filled.h5")).unwrap().1;
    let chunk = |n: usize| n / 30 < 5 && n % 30 < 7;
    assert!((0..360).all(|n| filled[n] == if chunk(n) { golden_value(n) } else { 2.5 }));
    // A cell of texts names rows.
    let named = open(&golden(&directory, "v5_plain.mat"), None, &Told::default()).unwrap();
    assert_eq!(named.labels().rows[0][11], "concept 11");
    let said = open(&golden(&directory, "v5_plain.mat"), Some("more"), &Told::default()).err().unwrap().to_string();
    assert!(said.contains("more is a struct of MATLAB's") && said.contains("x = more.FIELD"), "{said}");
    assert!(said.contains("of several structs x = permute(cat(3, more.FIELD), [3 1 2])"), "{said}");
    assert_eq!(names_but_texts(&golden(&directory, "v5_plain.mat")).unwrap(), ["features", "more"]);
    assert_eq!(names_but_texts(&golden(&directory, "v5_complex.mat")).unwrap(), ["features"]);
    let turned = open(&golden(&directory, "v5.mat"), None, &Told { transpose: true, ..Told::default() }).unwrap();
    assert_eq!((turned.shape(), turned.values().unwrap()[1]), (&[30, 12][..], golden_value(30)));
}

#[test]
fn lists_of_texts_among_hdf5s_attributes_may_name_the_rows() {
    use hdf5_writer::{AttributeBuilder, DatasetBuilder, Hdf5Builder, WriteOptions};
    let directory = tempfile::tempdir().unwrap();
    let texts = |name: &str, texts: &[&str]| AttributeBuilder::vlen_strings(name, texts).unwrap();
    let array = |name: &str| DatasetBuilder::typed_data(name, vec![2, 1], &[0.5, 1.5]).unwrap();
    let file = Hdf5Builder::new()
        .attribute(texts("regions", &["V1", "IT"]))
        .attribute(AttributeBuilder::fixed_string("measure", "r"))
        .dataset(array("a").attribute(texts("concepts", &["ant", "bee"])))
        .dataset(array("b"));
    let path = saved(&directory, "a.h5", &file.into_plan().unwrap().encode(WriteOptions::default()).unwrap());
    let rows = |name| open(&path, Some(name), &Told::default()).unwrap().labels().rows.clone();
    assert_eq!(rows("a"), [["V1", "IT"], ["ant", "bee"]]);
    assert_eq!(rows("b"), [["V1", "IT"]]);
}

#[test]
fn a_list_in_a_group_names_the_arrays_of_that_group() {
    use hdf5_writer::{AttributeBuilder, DatasetBuilder, Hdf5Builder, WriteOptions};
    let directory = tempfile::tempdir().unwrap();
    let array = |name: &str| DatasetBuilder::typed_data(name, vec![2, 2], &[0.5, 1.5, 2.5, 1.0]).unwrap();
    let list = |name: &str, texts: &[&str]| DatasetBuilder::fixed_string_data(name, vec![2], texts).unwrap();
    let file = Hdf5Builder::new()
        .attribute(AttributeBuilder::vlen_strings("layers", &["h1/x", "h2/x"]).unwrap())
        .group_attribute("h2", AttributeBuilder::vlen_strings("items", &["cat", "dog"]).unwrap())
        .dataset(array("h1/x"))
        .dataset(list("h1/names", &["ant", "bee"]))
        .dataset(array("h2/x"))
        .dataset(list("of/all", &["1", "2"]));
    let path = saved(&directory, "a.h5", &file.into_plan().unwrap().encode(WriteOptions::default()).unwrap());
    let rows = |name| open(&path, Some(name), &Told::default()).unwrap().labels().rows.clone();
    assert_eq!(rows("h1/x"), [["ant", "bee"], ["1", "2"]]);
    assert_eq!(rows("h2/x"), [["1", "2"], ["cat", "dog"]]);
    let other = open(&path, Some("h2/x"), &Told::default()).unwrap().labels().unread(2).unwrap().clone();
    assert!(other.name == "h1/names" && other.why.starts_with("in a group of other arrays"), "{other:?}");
    // The arrays' own names, in their order.
    assert!(texts(&path).unwrap().contains(&(String::new(), vec!["h1/x".to_string(), "h2/x".to_string()])));
}

#[test]
fn texts_among_matlabs_datasets_are_known_from_other_cells() {
    use hdf5_writer::{AttributeBuilder, DatasetBuilder, Hdf5Builder, WriteOptions};
    let directory = tempfile::tempdir().unwrap();
    let dataset = |name: &str, class: &str| {
        let dataset = DatasetBuilder::typed_data(name, vec![1, 2], &[104_u16, 105]).unwrap();
        dataset.attribute(AttributeBuilder::fixed_string("MATLAB_class", class))
    };
    let found = |held: &str| {
        let file = [("a", "double"), ("b", "cell"), ("c", "char"), ("d", "struct"), ("#refs#/e", held)];
        let file = file.iter().fold(Hdf5Builder::new(), |file, (name, class)| file.dataset(dataset(name, class)));
        let bytes = file.into_plan().unwrap().encode(WriteOptions::default()).unwrap();
        names_but_texts(&saved(&directory, "a.mat", &bytes)).unwrap()
    };
    assert_eq!(found("char"), ["a", "d"]);
    assert_eq!(found("double"), ["a", "b", "d"]);
}

#[test]
fn what_is_no_array_of_numbers_in_matlabs_hdf5_is_called_what_it_is() {
    use hdf5_writer::{
        AttributeBuilder, ByteOrder, CompoundField, DatasetBuilder, Datatype, Hdf5Builder, WriteOptions,
    };
    let directory = tempfile::tempdir().unwrap();
    let part = |(name, byte_offset): (&str, u32)| CompoundField {
        name: name.to_string(),
        byte_offset,
        datatype: Datatype::FloatingPoint { size: 8, byte_order: ByteOrder::LittleEndian },
    };
    let fields = [("real", 0), ("imag", 8)].map(part).to_vec();
    let complex = DatasetBuilder::new("z", Datatype::Compound { size: 16, fields }, vec![1]).raw_data(vec![0; 16]);
    let empty = DatasetBuilder::typed_data("e", vec![2], &[0_u64, 3]).unwrap();
    let empty = empty.attribute(AttributeBuilder::fixed_string("MATLAB_empty", "1"));
    let double = |dataset: DatasetBuilder| dataset.attribute(AttributeBuilder::fixed_string("MATLAB_class", "double"));
    let file = Hdf5Builder::new().dataset(double(complex)).dataset(double(empty));
    let path = saved(&directory, "a.mat", &file.into_plan().unwrap().encode(WriteOptions::default()).unwrap());
    assert_eq!(names_but_texts(&path).unwrap(), ["e", "z"]);
    for (name, expected) in [
        ("z", "z is a complex array of MATLAB's, expected an array of real numbers; in MATLAB: x = abs(z) or real(z)"),
        ("e", "e is a matrix without values of MATLAB's, expected an array of real numbers; in MATLAB: clear e"),
    ] {
        let error = open(&path, Some(name), &Told::default()).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // A sparse one is a group; its parts are no arrays of their own.
    let part = |name: &str| DatasetBuilder::typed_data(name, vec![2], &[1_u64, 2]).unwrap();
    let file = Hdf5Builder::new().group_attribute("s", AttributeBuilder::fixed_string("MATLAB_sparse", "3"));
    let file = file.dataset(DatasetBuilder::typed_data("s/data", vec![2], &[0.5, 1.5]).unwrap());
    let file = file.dataset(part("s/ir")).dataset(part("s/jc"));
    let path = saved(&directory, "s.mat", &file.into_plan().unwrap().encode(WriteOptions::default()).unwrap());
    let error = read(&path).unwrap_err().to_string();
    assert!(error.contains("s is a sparse matrix of MATLAB's") && error.contains("x = full(s)"), "{error}");
}

#[test]
fn a_complex_array_among_others_is_named_and_texts_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.npz");
    let arrays = [
        ("conv1", npy("<f8", false, "2,", &f8(&[0.5, 1.5]))),
        ("conv2", npy("<c8", false, "2,", &f8(&[0.5, 1.5]))),
        ("names", npy("<U1", false, "2,", &f8(&[0.0]))),
    ];
    npz(&path, Stored, arrays);
    assert_eq!(names_but_texts(&path).unwrap(), ["conv1", "conv2"]);
}

#[test]
fn texts_that_are_announced_to_be_endless_are_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.npz");
    let arrays = [
        ("features", npy("<f8", false, "2,", &f8(&[0.5, 1.5]))),
        ("endless", npy("|S18446744073709551615", false, "2,", b"ab")),
        ("names", npy("|S1", false, "2,", b"ab")),
    ];
    npz(&path, Stored, arrays);
    let array = open(&path, None, &Told::default()).unwrap();
    assert_eq!(array.labels().rows, [["a", "b"]]);
}

#[test]
fn what_other_programs_store_otherwise_is_refused_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    for (name, expected) in [
        ("lzf.h5", "packed by lzf, which is not read; pack it by gzip (h5repack -f GZIP=4"),
        ("v5_complex.mat", "is a complex array of MATLAB's, expected an array of real numbers; in MATLAB: x = abs("),
    ] {
        let error = read(&golden(&directory, name)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn whole_numbers_and_halves_are_numbers() {
    let directory = tempfile::tempdir().unwrap();
    for (descr, data, expected) in [
        ("<i2", vec![0xff, 0xff, 2, 0], [-1.0, 2.0]),
        (">i2", vec![0xff, 0xff, 0, 2], [-1.0, 2.0]),
        ("|u1", vec![255, 2], [255.0, 2.0]),
        ("|i1", vec![255, 2], [-1.0, 2.0]),
        ("|b1", vec![1, 0], [1.0, 0.0]),
        ("<i8", [(-3_i64).to_le_bytes(), 4_i64.to_le_bytes()].concat(), [-3.0, 4.0]),
        ("<f2", vec![0, 0xbc, 0, 0x38], [-1.0, 0.5]),
    ] {
        assert_eq!(read(&saved(&directory, "a.npy", &npy(descr, false, "2,", &data))).unwrap().1, expected, "{descr}");
    }
}
