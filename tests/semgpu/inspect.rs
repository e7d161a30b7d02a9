//! `semgpu inspect` on every weights format; what a file is, its content tells.

use std::fs::File;
use std::io::Read;

use zip::ZipArchive;

use crate::{fail, root, succeed};

#[test]
fn every_format_is_recognised_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.bin");
    let argument = path.display().to_string();
    let mut archive = ZipArchive::new(File::open(root().join("tests/golden/weights_formats.zip")).unwrap()).unwrap();
    for (file, format, tensor) in [
        ("tiny.pth", "PyTorch .pth/.pt", "fc.weight  [2, 4]"),
        ("tiny_legacy.pth", "PyTorch .pth/.pt", "fc.weight  [2, 4]"),
        ("tiny.keras", "Keras .keras", "conv2d_1/kernel  [3, 3, 3, 4]"),
        ("tiny.weights.h5", "Keras .h5/.weights.h5", "conv2d_1/kernel  [3, 3, 3, 4]"),
        ("tiny_keras1.h5", "Keras .h5/.weights.h5", "conv2d_1/kernel  [3, 3, 3, 4]"),
        ("tiny.safetensors", "safetensors", "fc.weight  [2, 4]"),
    ] {
        let mut bytes = vec![];
        archive.by_name(file).unwrap().read_to_end(&mut bytes).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let said = String::from_utf8(succeed(&["inspect", &argument]).stdout).unwrap();
        assert_eq!(said.lines().next(), Some(format!("format: {format}").as_str()), "{file}");
        assert!(said.lines().any(|line| line == tensor), "{file}: {said}");
    }
    // A list of several files.
    let list = folder.path().join("model.safetensors.index.json").display().to_string();
    std::fs::write(&list, "{\"weight_map\": {}}").unwrap();
    let said = fail(&["inspect", &list], 2);
    assert!(said.contains("lists the weights of several files, expected one file; join them"), "{said}");
    std::fs::write(&path, "no weights").unwrap();
    let said = fail(&["inspect", &argument], 2);
    for format in ["PyTorch .pth/.pt", "Keras .keras", "Keras .h5/.weights.h5", "safetensors", "weights/README.md"] {
        assert!(said.contains(format), "{said}");
    }
    // Word vectors that are not read.
    for (name, bytes) in [
        ("model.kv", &b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x06gensim"[..]),
        ("cc.en.bin", b"\xba\x16O/\x0c\0\0\0"),
        ("vectors.bz2", b"BZh91AY&SY\x01\x02"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let said = fail(&["inspect", &path.display().to_string()], 2);
        for expected in [name, "word2vec binary", "text (GloVe", "save_word2vec_format", ".vec", "unpacked"] {
            assert!(said.contains(expected), "{said}");
        }
    }
}

#[test]
fn a_gzip_that_was_cut_short_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vectors.txt.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let lines: String = (0..500).map(|word| format!("w{word} {} {}\n", word * word % 97, word * 31 % 89)).collect();
    std::io::Write::write_all(&mut encoder, lines.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    for length in [12, bytes.len() / 2, bytes.len() - 4] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let said = fail(&["inspect", &path.display().to_string()], 2);
        assert!(said.contains("vectors.txt.gz: the gzip ends in the middle: it was cut short"), "{length}: {said}");
    }
}

#[test]
fn word_vectors_are_described_and_concepts_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let (vectors, manifest) = (folder.path().join("vectors.txt"), folder.path().join("manifest.csv"));
    std::fs::write(&vectors, "ant 1 2 3\nsea_lion 4 5 6\nbee 7 8 9\n").unwrap();
    let rows = ["ant", "sea lion", "bee", "crab", "Bee"].map(|concept| format!("a.png,{concept},1\n"));
    std::fs::write(&manifest, format!("path,concept,group\n{}", rows.concat())).unwrap();
    let (vectors, manifest) = (vectors.display().to_string(), manifest.display().to_string());
    let said = String::from_utf8(succeed(&["inspect", &vectors, "--manifest", &manifest]).stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("format: text"), "{said}");
    assert_eq!(lines[1], "3 words of 3 values");
    let tokens: Vec<&str> = lines[2..].iter().map(|line| line.split_once(" <- ").unwrap().1).collect();
    assert_eq!(tokens, ["ant", "sea_lion", "bee", "missing", "bee"]);
    let said = String::from_utf8(succeed(&["inspect", &vectors]).stdout).unwrap();
    assert_eq!(said.lines().count(), 2);
}

#[test]
fn of_two_copies_the_prefix_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let once = std::fs::read(root().join("weights/squeezenet1_1.safetensors")).unwrap();
    let length = u64::from_le_bytes(once[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&once[8..8 + length]).unwrap();
    let values = &once[8 + length..];
    let mut twice = serde_json::Map::new();
    for (prefix, begins) in [("student", 0), ("teacher", values.len() as u64)] {
        for (name, tensor) in header.as_object().unwrap().iter().filter(|(name, _)| *name != "__metadata__") {
            let mut tensor = tensor.clone();
            let offsets = tensor["data_offsets"].as_array_mut().unwrap();
            offsets.iter_mut().for_each(|offset| *offset = (offset.as_u64().unwrap() + begins).into());
            twice.insert(format!("{prefix}.{name}"), tensor);
        }
    }
    let header = serde_json::to_vec(&twice).unwrap();
    let path = folder.path().join("copies.safetensors");
    std::fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], &header, values, values].concat()).unwrap();
    let path = path.display().to_string();
    let arguments = ["inspect", &path, "--network", "squeezenet1_1", "--json"];
    let said = fail(&arguments, 2);
    assert!(said.contains("under \"student\", \"teacher\""), "{said}");
    let account = succeed(&[&arguments[..], &["--prefix", "teacher"]].concat()).stdout;
    let account: serde_json::Value = serde_json::from_slice(&account).unwrap();
    assert_eq!(account["fits"], true, "{account}");
}

#[test]
fn a_tensor_of_integers_fits_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(root().join("weights/squeezenet1_1.safetensors")).unwrap();
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let header = str::from_utf8(&whole[8..8 + length]).unwrap();
    let altered = header.replacen("\"F32\"", "\"I32\"", 1);
    assert_ne!(altered, header);
    let path = folder.path().join("integers.safetensors");
    std::fs::write(&path, [&whole[..8], altered.as_bytes(), &whole[8 + length..]].concat()).unwrap();
    let said = fail(&["inspect", &path.display().to_string(), "--network", "squeezenet1_1"], 2);
    assert!(said.contains("is of type I32, expected F64"), "{said}");
}

#[test]
fn layers_of_a_graph_that_git_lfs_has_not_fetched_are_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.onnx");
    std::fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n").unwrap();
    let said = fail(&["layers", &path.display().to_string()], 2);
    assert!(said.contains("network.onnx: a pointer of Git LFS"), "{said}");
}
