use std::io::Write;

use burn::tensor::f16;
use flate2::write::GzEncoder;
use npyz::{WriteOptions, WriterBuilder};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::stats::permutation::Random;

const WORDS: [&str; 3] = ["the", "zebra", "tick"];
const VALUES: [[f32; 4]; 3] = [[0.5, -1.0, 2.0, 1e-3], [1.0, 0.25, -0.125, 3.0], [-7.5, 0.0, 1.5, 2.25]];

fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn wanted(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

fn read_bytes(bytes: &[u8], words: &[&str]) -> Result<WordVectors, VectorsError> {
    read(written(bytes).path(), &wanted(words))
}

fn glove() -> Vec<u8> {
    let line = |(word, values): (&str, [f32; 4])| format!("{word} {}\n", values.map(|v| v.to_string()).join(" "));
    WORDS.into_iter().zip(VALUES).map(line).collect::<String>().into_bytes()
}

fn word2vec_text() -> Vec<u8> {
    [b"3 4\n".to_vec(), glove()].concat()
}

fn word2vec_binary(line_feeds: bool) -> Vec<u8> {
    let mut bytes = b"3 4\n".to_vec();
    for (word, values) in WORDS.into_iter().zip(VALUES) {
        bytes.extend(word.as_bytes());
        bytes.push(b' ');
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(line_feeds.then_some(b'\n'));
    }
    bytes
}

#[test]
fn words_whose_blanks_end_no_line_are_found() {
    let found = read_bytes("polar\u{a0}bear 1 2\ngrizzly 3 4\n".as_bytes(), &["polar bear"]).unwrap();
    assert_eq!(found.vectors, [Some(vec![1.0, 2.0])]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn safetensors(listed: bool) -> Vec<u8> {
    use ::safetensors::{Dtype, serialize, tensor::TensorView};
    let values: Vec<u8> = VALUES.as_flattened().iter().flat_map(|value| value.to_le_bytes()).collect();
    let vectors = TensorView::new(Dtype::F32, vec![3, 4], &values).unwrap();
    let lines = WORDS.join("\n");
    if listed {
        let list = serde_json::to_string(&WORDS).unwrap();
        serialize([("vectors", vectors)], Some(HashMap::from([("words".to_string(), list)]))).unwrap()
    } else {
        let words = TensorView::new(Dtype::U8, vec![lines.len()], lines.as_bytes()).unwrap();
        serialize([("vectors", vectors), ("words", words)], None).unwrap()
    }
}

fn npz(dtype_of_words: &str, wide: bool) -> Vec<u8> {
    let mut archive = ZipWriter::new(io::Cursor::new(Vec::new()));
    let strings = npyz::DType::new_scalar(dtype_of_words.parse().unwrap());
    archive.start_file("words.npy", SimpleFileOptions::default()).unwrap();
    let array = WriteOptions::new().dtype(strings).shape(&[3]).writer(&mut archive);
    let mut array = array.begin_nd().unwrap();
    array.extend(WORDS.map(str::to_string)).unwrap();
    array.finish().unwrap();
    archive.start_file("vectors.npy", SimpleFileOptions::default()).unwrap();
    let values = VALUES.as_flattened();
    if wide {
        let array = WriteOptions::new().default_dtype().shape(&[3, 4]).writer(&mut archive);
        let mut array = array.begin_nd().unwrap();
        array.extend(values.iter().map(|&value| f64::from(value))).unwrap();
        array.finish().unwrap();
    } else {
        let array = WriteOptions::new().default_dtype().shape(&[3, 4]).writer(&mut archive);
        let mut array = array.begin_nd().unwrap();
        array.extend(values).unwrap();
        array.finish().unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// The same vectors in every form that is read.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("glove", glove()),
        ("word2vec text", word2vec_text()),
        ("word2vec binary", word2vec_binary(false)),
        ("word2vec binary with line feeds", word2vec_binary(true)),
        ("glove.gz", gzip(&glove())),
        ("word2vec binary.gz", gzip(&word2vec_binary(true))),
        ("safetensors, words listed", safetensors(true)),
        ("safetensors, words as lines", safetensors(false)),
        ("npz unicode", npz("<U5", false)),
        ("npz bytes, f8", npz("|S5", true)),
    ]
}

#[test]
fn every_form_gives_the_same_vectors() {
    let mut expected = WordVectors {
        format: "",
        words: 3,
        dimensions: 4,
        vectors: vec![Some(VALUES[2].to_vec()), None, Some(VALUES[1].to_vec()), Some(VALUES[2].to_vec())],
        not_finite: Default::default(),
        warnings: vec![],
    };
    for (form, bytes) in forms() {
        // Asked in another order, twice, and with another case, which is another word.
        let found = read_bytes(&bytes, &["tick", "Zebra", "zebra", "tick"]).unwrap();
        expected.format = found.format;
        assert!(form.split([' ', '.', ',']).next().is_some_and(|name| found.format.to_lowercase().contains(name)));
        assert_eq!(found, expected, "{form}");
    }
}

#[test]
fn a_file_cut_off_anywhere_is_an_error_or_a_shorter_file() {
    for (form, bytes) in forms() {
        for length in 0..bytes.len() {
            match read_bytes(&bytes[..length], &["zebra", "tick"]) {
                Ok(found) => {
                    // Text without a header cannot know its end; a value may have lost digits.
                    assert!(matches!(form, "glove" | "word2vec text") || length + 1 == bytes.len(), "{form}: {length}");
                    assert_eq!(found.vectors.len(), 2);
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let mut random = Random::keyed(1, 0);
    for (_, bytes) in forms() {
        for _ in 0..400 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + random.below(6) {
                let at = random.below(bytes.len() as u32) as usize;
                damaged[at] = random.bits() as u8;
            }
            if let Ok(found) = read_bytes(&damaged, &["zebra", "tick"]) {
                assert!(found.vectors.iter().flatten().all(|vector| vector.len() == found.dimensions));
            }
        }
    }
    for _ in 0..400 {
        let noise: Vec<u8> = (0..random.below(300)).map(|_| random.bits() as u8).collect();
        for bytes in [noise.clone(), [b"3 4\n".to_vec(), noise].concat()] {
            assert!(read_bytes(&bytes, &["zebra"]).map_or(true, |found| found.vectors == [None]));
        }
    }
}

#[test]
fn claims_of_a_header_cost_nothing() {
    for header in ["3 1000000000000\n", "99999999999999999999 4\n", "3 0\n", "1000000000000 4\n"] {
        for body in [glove(), word2vec_binary(false)[4..].to_vec()] {
            let error = read_bytes(&[header.as_bytes(), &body].concat(), &["zebra"]);
            assert!(error.is_err(), "{header:?}: {error:?}");
        }
    }
}

#[test]
fn words_with_blanks_and_foreign_bytes_survive() {
    let mut bytes = b"polar bear 1 2\n\xff\xfe 3 4\n . . 5 6\n\t 7 8\n\xe2\x80\xa2 name@domain.com 9 10 \r\n".to_vec();
    bytes.splice(0..0, *b"first 0 0\n");
    let found = read_bytes(&bytes, &["polar bear", "bear", "first", "\u{2022} name@domain.com"]).unwrap();
    assert_eq!(found.dimensions, 2);
    assert_eq!(found.vectors, [Some(vec![1.0, 2.0]), None, Some(vec![0.0, 0.0]), Some(vec![9.0, 10.0])]);
    let tabs = read_bytes(b"a\t1\t2\nzebra\t3\t4\n", &["zebra"]).unwrap();
    assert_eq!(tabs.vectors, [Some(vec![3.0, 4.0])]);
}

#[test]
fn a_wrong_number_of_values_names_the_line() {
    let message = |text: &str| read_bytes(text.as_bytes(), &["zebra"]).unwrap_err().to_string();
    // Whether the word is wanted or not.
    for word in ["zebra", "horse"] {
        let short = message(&format!("the 1 2 3\nof 1 2 3\n{word} 1 2\n"));
        assert!(short.ends_with(": line 3: 2 values, expected 3"), "{short}");
        let long = message(&format!("the 1 2 3\n{word} 1 2 3 4\nof 1 2 3\n"));
        assert!(long.ends_with(": line 2: 4 values, expected 3"), "{long}");
    }
    let headed = message("2 3\nthe 1 2 3\nzebra 1 2\n");
    assert!(headed.ends_with(": line 3: 2 values, expected 3"), "{headed}");
    let odd = message("the 1 2 3\nzebra 1 x 3\n");
    assert!(odd.ends_with(": line 2: \"x\" is not a number"), "{odd}");
    let first = message("zebra 1 2 x 3\ntick 1 2 3 4\n");
    assert!(first.ends_with(": line 1: \"x\" is not a number"), "{first}");
}

#[test]
fn a_vector_that_is_not_finite_is_left_out_and_told() {
    for value in ["nan", "inf", "-inf", "1e99"] {
        let text = format!("the 1 2\nzebra 1 {value}\nzebra 1 2\n");
        let found = read_bytes(text.as_bytes(), &["the", "zebra"]).unwrap();
        assert_eq!(found.vectors, [Some(vec![1.0, 2.0]), None]);
        let wrong = found.not_finite[&1].to_string();
        assert!(wrong.contains("line 2: the vector of \"zebra\" has "), "{wrong}");
        // Of another word it does not matter.
        assert!(read_bytes(text.as_bytes(), &["the"]).unwrap().not_finite.is_empty());
    }
    let mut binary = word2vec_binary(false);
    let last = binary.len() - 4;
    binary[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    let wrong = read_bytes(&binary, &["tick"]).unwrap().not_finite[&0].to_string();
    assert!(wrong.contains("word 3: the vector of \"tick\" has NaN"), "{wrong}");
}

#[test]
fn the_first_of_duplicates_counts_and_is_named() {
    let found = read_bytes(b"zebra 1 2\nthe 0 0\nthe 0 0\nzebra 3 4\nzebra 5 6\n", &["zebra"]).unwrap();
    assert_eq!(found.vectors, [Some(vec![1.0, 2.0])]);
    assert_eq!(found.warnings.len(), 1);
    assert!(found.warnings[0].ends_with("\"zebra\" stands there 3 times, the first vector counts"));
}

#[test]
fn a_first_line_of_numbers_alone_is_no_header() {
    for word in ["5", "0.5", "  ", "\t"] {
        let file = format!("{word} 0.1 0.2 0.3\nzebra 1 2 3\n");
        let found = read_bytes(file.as_bytes(), &["zebra", word.trim()]).unwrap();
        assert_eq!((found.words, found.dimensions), (2, 3), "{word:?}");
        assert_eq!(found.vectors, [Some(vec![1.0, 2.0, 3.0]), Some(vec![0.1, 0.2, 0.3])], "{word:?}");
    }
}

#[test]
fn a_header_is_held_to_the_words_that_follow() {
    for body in [glove(), word2vec_binary(false)[4..].to_vec()] {
        let error = read_bytes(&[b"4 4\n".to_vec(), body.clone()].concat(), &["tick"]).unwrap_err().to_string();
        assert!(error.contains("announces 4 words, found 3"), "{error}");
        let fewer = read_bytes(&[b"2 4\n".to_vec(), body].concat(), &["zebra"]).unwrap();
        assert!(fewer.warnings[0].ends_with("announces 2 words, the file has more"), "{:?}", fewer.warnings);
    }
}

#[test]
fn other_files_are_refused_by_what_they_are() {
    let mut renamed = npz("<U5", false);
    for at in 0..renamed.len() - 9 {
        if renamed[at..].starts_with(b"words.npy") {
            renamed[at..at + 5].copy_from_slice(b"vocab");
        }
    }
    for (bytes, expected) in [
        (b"".as_slice(), "begins with \"\", expected word vectors: npz"),
        (b"\xff\xfez\0 \x001\0\n\0", "is UTF-16, expected UTF-8; save it as UTF-8"),
        (b"\0z\0 \x001\0 \x002\0\n", "is UTF-16"),
        (b"<!DOCTYPE html>\n", "begins with \"<!DOCTYPE html>\\n\""),
        (b"word,d0,d1\nzebra,1,2\n", "numpy.savez(\"vectors.npz\", words=names, vectors=array) makes one"),
        (b"\x80\x04\x95pickled", "save_word2vec_format(OUT)"),
        (b"\xba\x16O/\x0c\0\0\0", "of fastText's .bin there is a .vec"),
        (&gzip(&safetensors(true)), "inside gzip cannot be read in place"),
        (
            &renamed,
            "array `words`: not found among vocab, vectors, expected arrays `words` and `vectors`; numpy.savez(",
        ),
    ] {
        let error = read_bytes(bytes, &["zebra"]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // The checksum of the last array, where it begins and in the directory.
    let mut damaged = npz("<U5", false);
    for (mark, sum) in [(b"PK\x03\x04", 14), (b"PK\x01\x02", 16)] {
        let place = damaged.windows(4).rposition(|bytes| bytes == mark).unwrap();
        damaged[place + sum] ^= 1;
    }
    let said = read_bytes(&damaged, &["zebra"]).unwrap_err().to_string();
    assert!(said.contains("its checksum is not that of its bytes: it is damaged; copy"), "{said}");
    let missing = read(Path::new("no/such.txt"), &[]).unwrap_err().to_string();
    assert!(missing.starts_with("no/such.txt: "), "{missing}");
}

#[test]
fn arrays_say_what_is_wrong() {
    use ::safetensors::{Dtype, serialize, tensor::TensorView};
    let bytes = [0; 48];
    let file = |dtype, shape: &[usize], words: &str| {
        let vectors = TensorView::new(dtype, shape.to_vec(), &bytes).unwrap();
        serialize([("vectors", vectors)], Some(HashMap::from([("words".to_string(), words.to_string())]))).unwrap()
    };
    for (file, expected) in [
        (file(Dtype::F32, &[4, 3], "[\"a\"]"), "array `vectors`: shape [4, 3], expected [1, dimensions]"),
        (
            file(Dtype::F8_E4M3, &[4, 12], "[\"a\",\"b\",\"c\",\"d\"]"),
            "array `vectors`: type F8_E4M3, expected real numbers of 8 to 64 bits",
        ),
        (file(Dtype::F32, &[4, 3], "a b c d"), "array `words`: expected a JSON list of strings"),
        (npz("<U5", false)[..].to_vec(), ""),
    ] {
        match read_bytes(&file, &["a"]) {
            Ok(found) => assert!(expected.is_empty() && found.vectors == [None]),
            Err(error) => assert!(error.to_string().contains(expected), "{error}"),
        }
    }
}

#[test]
fn words_of_safetensors_stand_in_one_order() {
    use ::safetensors::{Dtype, serialize, tensor::TensorView};
    let values: Vec<u8> = VALUES.as_flattened().iter().flat_map(|value| value.to_le_bytes()).collect();
    let file = |list: Option<[&str; 3]>, lines: &str| {
        let vectors = TensorView::new(Dtype::F32, vec![3, 4], &values).unwrap();
        let words = TensorView::new(Dtype::U8, vec![lines.len()], lines.as_bytes()).unwrap();
        let list = list.map(|list| HashMap::from([("words".to_string(), serde_json::to_string(&list).unwrap())]));
        serialize([("vectors", vectors), ("words", words)], list).unwrap()
    };
    // Lines as Windows ends them.
    let found = read_bytes(&file(None, "a\r\nb\r\nc\r\n"), &["b"]).unwrap();
    assert_eq!(found.vectors, [Some(VALUES[1].to_vec())]);
    assert!(read_bytes(&file(Some(["a", "b", "c"]), "a\nb\nc"), &["b"]).is_ok());
    let refused = read_bytes(&file(Some(["a", "b", "c"]), "b\na\nc"), &["b"]).unwrap_err().to_string();
    assert!(refused.contains("the metadata's list and the tensor differ"), "{refused}");
}

#[test]
fn progress_ends_at_the_length_of_the_file() {
    let bytes = glove();
    let mut seen = 0;
    read_with_progress(written(&bytes).path(), &[], &mut |more| seen += more).unwrap();
    assert_eq!(seen, bytes.len() as u64);
}

#[test]
fn an_npy_takes_its_words_from_the_list_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.npy");
    let mut bytes = Vec::new();
    let mut array = npyz::WriteOptions::new().default_dtype().shape(&[3, 4]).writer(&mut bytes).begin_nd().unwrap();
    array.extend(VALUES.as_flattened()).unwrap();
    array.finish().unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let error = read(&path, &wanted(&["tick"])).unwrap_err().to_string();
    assert!(error.contains("array `words`: not found") && error.contains("model.vocab"), "{error}");
    // The same array column by column, the highest byte first.
    let header = |bytes: &[u8], from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    };
    let columns = (0..4).flat_map(|column| VALUES.map(|row| row[column])).flat_map(f32::to_be_bytes);
    let mut other = header(&bytes[..bytes.len() - 48], b"'<f4'", b"'>f4'");
    other = header(&other, b"'fortran_order': False", b"'fortran_order': True ");
    other.extend(columns);
    std::fs::write(directory.path().join("other.npy"), &other[..other.len() - 1]).unwrap();
    std::fs::write(directory.path().join("other.txt"), "the\nzebra\ntick\n").unwrap();
    let cut = read(&directory.path().join("other.npy"), &wanted(&["tick"])).unwrap_err().to_string();
    assert!(cut.contains("array `vectors`: ends before byte 48 of its values: it was cut short"), "{cut}");
    std::fs::write(directory.path().join("other.npy"), other).unwrap();
    let found = read(&directory.path().join("other.npy"), &wanted(&["tick", "the"])).unwrap();
    assert_eq!(found.vectors, [Some(VALUES[2].to_vec()), Some(VALUES[0].to_vec())]);
    for text in ["the\nzebra\ntick\n", "the\r\nzebra\r\ntick"] {
        std::fs::write(directory.path().join("model.txt"), text).unwrap();
        let found = read(&path, &wanted(&["tick", "horse"])).unwrap();
        assert_eq!((found.words, found.vectors), (3, vec![Some(VALUES[2].to_vec()), None]));
    }
    assert_eq!(files(&path).unwrap(), [path.clone(), directory.path().join("model.txt")]);
    // The same vectors as text are no list, with their line of counts or without.
    for text in [glove(), word2vec_text()] {
        std::fs::write(directory.path().join("model.txt"), text).unwrap();
        std::fs::write(directory.path().join("model.vocab"), "the\nzebra\ntick\n").unwrap();
        assert_eq!(read(&path, &wanted(&["tick"])).unwrap().vectors, [Some(VALUES[2].to_vec())]);
        assert_eq!(files(&path).unwrap(), [path.clone(), directory.path().join("model.vocab")]);
        std::fs::remove_file(directory.path().join("model.vocab")).unwrap();
        let error = read(&path, &wanted(&["tick"])).unwrap_err().to_string();
        assert!(error.contains("array `words`: not found"), "{error}");
    }
    let alone = written(&glove());
    assert_eq!(files(alone.path()).unwrap(), [alone.path()]);
    // An empty line at the end names no row, unless the rows have one for it.
    for (list, expected) in [("the\nzebra\ntick\n\n", "tick"), ("the\nzebra\n\n", "")] {
        std::fs::write(directory.path().join("model.txt"), list).unwrap();
        let found = read(&path, &wanted(&[expected, "zebra"])).unwrap();
        assert_eq!(
            (found.words, found.vectors),
            (3, [2, 1].map(|row| Some(VALUES[row].to_vec())).to_vec()),
            "{list:?}"
        );
    }
    std::fs::write(directory.path().join("model.txt"), "the\nzebra\n").unwrap();
    let error = read(&path, &wanted(&["tick"])).unwrap_err().to_string();
    assert!(error.contains("array `vectors`: shape [3, 4], expected [2, dimensions]"), "{error}");
    // Windows' PowerShell writes so.
    std::fs::write(directory.path().join("model.txt"), b"\xff\xfet\0\n\0z\0\n\0t\0\n\0").unwrap();
    let error = read(&path, &wanted(&["tick"])).unwrap_err().to_string();
    assert!(error.contains("model.txt: is UTF-16, expected UTF-8"), "{error}");
}

#[test]
fn arrays_hold_numbers_of_every_type() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.npy");
    std::fs::write(directory.path().join("model.txt"), "a\nb").unwrap();
    let npy = |descr: &str, values: &[u8]| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 2), }}");
        let header = format!("{header:<117}\n");
        std::fs::write(&path, [b"\x93NUMPY\x01\x00\x76\x00", header.as_bytes(), values].concat()).unwrap();
        read(&path, &wanted(&["b"]))
    };
    let half = |value: f32| f16::from_f32(value).to_le_bytes().to_vec();
    let (halves, reversed) = ([1.0, 2.0, 0.5, -3.0].map(half), [1.0, 2.0, 0.5, -3.0].map(half));
    let reversed = reversed.map(|mut bytes| {
        bytes.reverse();
        bytes
    });
    for (descr, bytes, expected) in [
        ("<f2", halves.concat(), [0.5, -3.0]),
        (">f2", reversed.concat(), [0.5, -3.0]),
        ("|i1", vec![1, 2, 3, 0xff], [3.0, -1.0]),
        ("|u1", vec![1, 2, 3, 0xff], [3.0, 255.0]),
        ("|b1", vec![1, 0, 0, 1], [0.0, 1.0]),
        ("<i8", [1_i64, 2, 3, -4].map(i64::to_le_bytes).concat(), [3.0, -4.0]),
        (">u2", [1_u16, 2, 300, 4].map(u16::to_be_bytes).concat(), [300.0, 4.0]),
    ] {
        assert_eq!(npy(descr, &bytes).unwrap().vectors, [Some(expected.to_vec())], "{descr}");
    }
    let said = npy("<c8", &[0; 32]).unwrap_err().to_string();
    assert!(said.contains("array `vectors`: type") && said.contains("expected real numbers of 8 to 64 bits"), "{said}");
}

#[test]
fn a_gzip_that_is_cut_short_is_no_bomb() {
    let mut random = Random::keyed(3, 0);
    let lines: String =
        (0..4000).map(|n| format!("w{n} {} {}\n", random.below(1 << 30), random.below(1 << 30))).collect();
    let packed = gzip(lines.as_bytes());
    for length in [packed.len() - 1, packed.len() - 9, packed.len() / 2] {
        // The last bytes of what is left may announce anything.
        let said = read_bytes(&packed[..length], &["w3999"]).unwrap_err().to_string();
        assert!(said.contains("cut short; copy or download it again"), "{length}: {said}");
    }
    let announces =
        (0..packed.len()).rev().find(|&end| packed[..end].last().is_some_and(|&byte| byte >= 0x40)).unwrap();
    let said = read_bytes(&packed[..announces], &["w3999"]).unwrap_err().to_string();
    assert!(said.contains("cut short"), "{said}");
    // One that announces too much and is whole but for that.
    let mut bomb = packed.clone();
    let end = bomb.len();
    bomb[end - 4..].copy_from_slice(&4_000_000_000_u32.to_le_bytes());
    let said = read_bytes(&bomb, &["w3999"]).unwrap_err().to_string();
    assert!(said.contains("unpack to 4000000000, expected at most"), "{said}");
}
