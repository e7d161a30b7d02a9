//! `semgpu similarity`: features become the golden matrices, each vector in its concept's place.

use std::path::Path;

use semgpu::arrays::{self, write_npy};

use crate::halves::{CONCEPTS, golden, golden_path};
use crate::{devices, fail, succeed};

/// Correlations of f32 scores of some hundred units against f64 ones: 6e-8 per score over the root of the units.
const CLOSE: f64 = 1e-6;

/// `semgpu similarity` of a file; the array it wrote.
fn similarity(features: &Path, more: &[&str]) -> (Vec<usize>, Vec<f64>) {
    let out = features.with_file_name("rsm.npy");
    let (features, text) = (features.display().to_string(), out.display().to_string());
    let mut arguments = vec!["similarity", &features, "--out", &text];
    arguments.extend(more);
    succeed(&arguments);
    arrays::read_npy(&out).unwrap()
}

fn close(found: &[f64], expected: impl Iterator<Item = f64>) {
    let expected: Vec<f64> = expected.collect();
    assert_eq!(found.len(), expected.len());
    let apart = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(apart < CLOSE, "{apart:e} apart");
}

#[test]
fn features_become_the_golden_matrices() {
    let golden = golden();
    let directory = tempfile::tempdir().unwrap();
    let (shape, activations) = &golden.activations;
    let values: Vec<f64> = activations.iter().map(|&x| x.into()).collect();
    let expected = || golden.images.iter().flat_map(|rsm| rsm.values().to_vec());
    let first = || golden.images[0].values().iter().copied();
    let path = directory.path().join("features.npy");
    for device in devices() {
        let (found, rsms) =
            similarity(Path::new(&golden_path_in(&directory)), &["--key", "activations", "--device", device]);
        assert_eq!(found, [shape[0], CONCEPTS, CONCEPTS]);
        close(&rsms, expected());
        write_npy(&path, shape, &values).unwrap();
        close(&similarity(&path, &["--device", device]).1, expected());
    }
    // One group has no axis of groups.
    let units = shape[2];
    write_npy(&path, &[CONCEPTS, units], &values[..CONCEPTS * units]).unwrap();
    let (found, rsm) = similarity(&path, &[]);
    assert_eq!(found, [CONCEPTS, CONCEPTS]);
    close(&rsm, first());
    close(&similarity(&path, &["--distances"]).1, first().map(|r| 1.0 - r));
    // Groups one after the other, and units of several axes.
    write_npy(&path, &[shape[0] * CONCEPTS, units], &values).unwrap();
    close(&similarity(&path, &["--groups", &shape[0].to_string()]).1, expected());
    write_npy(&path, &[CONCEPTS, units / 2, 2, 1], &values[..CONCEPTS * units]).unwrap();
    close(&similarity(&path, &["--flatten"]).1, first());
}

/// A copy of the golden file where results may be written beside it.
fn golden_path_in(directory: &tempfile::TempDir) -> String {
    let path = directory.path().join("golden.safetensors");
    std::fs::copy(golden_path(), &path).unwrap();
    path.display().to_string()
}

#[test]
fn a_manifest_finds_the_vectors_of_its_images() {
    let golden = golden();
    let directory = tempfile::tempdir().unwrap();
    let (shape, activations) = &golden.activations;
    let (groups, units) = (shape[0], shape[2]);
    // Stored as thingsvision does: rows in the order of the files' names, which is concept by concept.
    let mut manifest = "path,concept,group\n".to_string();
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    for concept in 0..CONCEPTS {
        for group in 0..groups {
            names.push(format!("images/c{concept:02}/c{concept:02}_{group}.jpg"));
            let row = (group * CONCEPTS + concept) * units;
            rows.extend(activations[row..][..units].iter().map(|&x| f64::from(x)));
        }
    }
    for (group, concept) in (0..groups).flat_map(|group| (0..CONCEPTS).map(move |concept| (group, concept))) {
        manifest += &format!("elsewhere/c{concept:02}/c{concept:02}_{group}.webp,concept {concept},g{group}\n");
    }
    let at = |name: &str| directory.path().join(name);
    write_npy(&at("features.npy"), &[names.len(), units], &rows).unwrap();
    std::fs::write(at("file_names.txt"), names.join("\n") + "\n").unwrap();
    std::fs::write(at("manifest.csv"), &manifest).unwrap();
    let text = |name: &str| at(name).display().to_string();
    let expected = || golden.images.iter().flat_map(|rsm| rsm.values().to_vec());
    let by_name = ["--manifest", &text("manifest.csv"), "--rows", &text("file_names.txt")];
    close(&similarity(&at("features.npy"), &by_name).1, expected());
    // One matrix has a list of its own: that of the folder would name the concepts of all others there.
    assert!(std::fs::read_to_string(at("rsm.concepts.txt")).unwrap().starts_with("concept 0\nconcept 1\n"));
    assert!(!at("concepts.txt").exists());

    // As Net2Brain's consolidate_per_layer does: an array per image, with the network's own axes.
    let arrays: Vec<(String, Vec<u8>)> = names
        .iter()
        .zip(rows.chunks(units))
        .map(|(name, row)| (name.rsplit('/').next().unwrap().to_string(), bytemuck::cast_slice(row).to_vec()))
        .collect();
    let views = arrays.iter().map(|(name, row)| {
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F64, vec![1, units, 1, 1], row).unwrap())
    });
    std::fs::write(at("layer.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    close(&similarity(&at("layer.safetensors"), &["--stack", "--manifest", &text("manifest.csv")]).1, expected());

    // A directory has one list of all its matrices, those of before among them.
    let (features, out, all) = (text("features.npy"), text("rsm.npy"), text("all"));
    std::fs::create_dir(&all).unwrap();
    std::fs::copy(&out, at("all/before.npy")).unwrap();
    let into = [&["similarity", &features, "--out", &all], &by_name[..]].concat();
    let said = String::from_utf8(succeed(&into).stderr).unwrap();
    assert!(said.contains("what stood there before too (before.npy)"), "{said}");
    let said = String::from_utf8(succeed(&into).stderr).unwrap();
    assert!(!said.contains("before.npy"), "{said}");
    let list = std::fs::read_to_string(at("all/concepts.txt")).unwrap();
    assert_eq!(list, std::fs::read_to_string(at("rsm.concepts.txt")).unwrap());
    let rsm = std::fs::read(at("all/features.npy")).unwrap();
    let other = list.replace("concept 3\n", "concept 4\n");
    std::fs::write(at("all/concepts.txt"), &other).unwrap();
    let said = fail(&into, 2);
    assert!(said.contains("concepts.txt: lists 12 concepts") && said.contains("another directory"), "{said}");
    assert_eq!(std::fs::read_to_string(at("all/concepts.txt")).unwrap(), other);
    assert_eq!(std::fs::read(at("all/features.npy")).unwrap(), rsm);
    let row = names.iter().position(|name| name.ends_with("c03_1.jpg")).unwrap();
    rows[row * units] = f64::NAN;
    write_npy(&at("features.npy"), &[names.len(), units], &rows).unwrap();
    let said = fail(&["similarity", &features, "--out", &out, by_name[0], by_name[1], by_name[2], by_name[3]], 2);
    assert!(said.contains("group g1, row 3 (images/c03/c03_1.jpg)"), "{said}");
    let said = fail(&["similarity", &features, "--out", &out, "--manifest", &text("manifest.csv")], 2);
    assert!(said.contains("--rows") && said.contains("file_names.txt"), "{said}");
    std::fs::write(at("manifest.csv"), manifest.replacen("c03_1.webp", "c99_1.webp", 1)).unwrap();
    let said = fail(&["similarity", &features, "--out", &out, by_name[0], by_name[1], by_name[2], by_name[3]], 2);
    assert!(said.contains("c99_1.webp") && said.contains("concept 3") && said.contains("0 vectors"), "{said}");
}

#[test]
fn a_file_that_is_no_similarity_matrix_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let values: Vec<f64> = (0..60).map(|n| f64::from(n * n % 23)).collect();
    write_npy(Path::new(&at("features.npy")), &[6, 10], &values).unwrap();
    std::fs::write(at("named.csv"), "name,a,b,c\np,1,2,5\nq,3,1,2\nr,7,7,1\ns,0,2,0\n").unwrap();
    for out in ["rsm.npy", "rsm.npz", "rsm.safetensors", "rsm.csv", "rsm.h5"].map(at) {
        // Its own it replaces, whatever they are of.
        for features in [&["features.npy"][..], &["features.npy", "--distances"], &["named.csv"], &["features.npy"]] {
            succeed(&[&["similarity", &at(features[0]), "--out", &out], &features[1..]].concat());
        }
        std::fs::write(&out, "mine").unwrap();
        let said = fail(&["similarity", &at("features.npy"), "--out", &out], 2);
        assert!(said.contains("is there, and no similarity matrix, which would replace it"), "{said}");
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine");
    }
    // One group is one matrix.
    write_npy(Path::new(&at("one.npy")), &[1, 6, 10], &values).unwrap();
    succeed(&["similarity", &at("one.npy"), "--out", &at("group.csv")]);
    for (out, shape) in [("mine.npy", &[6, 10][..]), ("square.npy", &[6, 6]), ("maps.npy", &[3, 5, 2, 2])] {
        write_npy(Path::new(&at(out)), shape, &values[..shape.iter().product()]).unwrap();
        assert!(fail(&["similarity", &at("features.npy"), "--out", &at(out)], 2).contains(&format!("{out}: is there")));
    }
    std::fs::write(at("mine.csv"), "name,score\nann,3\n").unwrap();
    assert!(fail(&["similarity", &at("features.npy"), "--out", &at("mine.csv")], 2).contains("mine.csv: is there"));
}

#[test]
fn several_files_go_into_a_directory() {
    let golden = golden();
    let directory = tempfile::tempdir().unwrap();
    let (shape, activations) = &golden.activations;
    let values: Vec<f64> = activations.iter().map(|&x| x.into()).collect();
    let paths = ["conv/features.npy", "fc/features.npy"].map(|name| directory.path().join(name));
    paths.iter().for_each(|path| write_npy(path, shape, &values).unwrap());
    let [conv, fc] = paths.map(|path| path.display().to_string());
    let out = directory.path().join("rsm").display().to_string();
    let written = String::from_utf8(succeed(&["similarity", &conv, &fc, "--out", &out]).stdout).unwrap();
    assert_eq!(written.lines().count(), 2);
    let [a, b] = ["rsm/conv.npy", "rsm/fc.npy"].map(|name| std::fs::read(directory.path().join(name)).unwrap());
    assert_eq!(a, b);
    assert!(fail(&["similarity", &conv, &conv, "--out", &out], 2).contains("given twice"));
}

#[test]
fn several_files_are_the_groups_of_one() {
    let golden = golden();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let (shape, activations) = &golden.activations;
    let units = shape[1] * shape[2];
    let subjects: Vec<String> = (0..shape[0]).map(|subject| at(&format!("sub{subject}.npy"))).collect();
    for (path, values) in subjects.iter().zip(activations.chunks(units)) {
        let values: Vec<f64> = values.iter().map(|&x| x.into()).collect();
        write_npy(Path::new(path), &shape[1..], &values).unwrap();
    }
    // The last with half of the units: a subject has voxels of its own.
    let of_last = &activations[(shape[0] - 1) * units..];
    let half: Vec<f64> = of_last.chunks(shape[2]).flat_map(|row| &row[..shape[2] / 2]).map(|&x| x.into()).collect();
    write_npy(Path::new(subjects.last().unwrap()), &[shape[1], shape[2] / 2], &half).unwrap();
    let files: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let [all, csv, other] = ["all.npy", "all.csv", "other.npy"].map(at);
    let into = |out| [&["similarity"], &files[..], &["--out", out]].concat();
    succeed(&into(&all));
    succeed(&["similarity", files[0], "--out", &at("first.npy")]);
    let [all, first] =
        ["all.npy", "first.npy"].map(|name| arrays::open(Path::new(&at(name)), None, &Default::default()));
    let (all, first) = (all.unwrap(), first.unwrap());
    assert_eq!(all.shape(), [shape[0], CONCEPTS, CONCEPTS]);
    assert_eq!(all.values().unwrap()[..CONCEPTS * CONCEPTS], first.values().unwrap());
    assert!(fail(&into(&csv), 2).contains(".csv holds one matrix"));
    write_npy(Path::new(files[1]), &[6, 4], &(0..24).map(|n| f64::from(n * n % 7)).collect::<Vec<_>>()).unwrap();
    let said = fail(&into(&other), 2);
    assert!(said.contains("sub1.npy: other concepts than") && said.contains("--concepts"), "{said}");
    // Names that a list gives are looked for among the file's, which has none.
    std::fs::write(at("names.txt"), (0..CONCEPTS).map(|n| format!("c{n}\n")).collect::<String>()).unwrap();
    write_npy(Path::new(files[1]), shape, &activations.iter().map(|&x| x.into()).collect::<Vec<_>>()).unwrap();
    for file in [files[0], files[1]] {
        let said = fail(&["similarity", file, "--concepts", &at("names.txt"), "--out", &at("named.npy")], 2);
        assert!(said.contains("--concepts finds vectors by name, and this file names none; --rows FILE"), "{said}");
    }
    // Those of the concepts hold for every group.
    let named = ["--rows", &at("names.txt"), "--concepts", &at("some.txt"), "--out", &at("some.npy")];
    std::fs::write(at("some.txt"), "c5\nc0\nc7\n").unwrap();
    succeed(&[&["similarity", files[1]], &named[..]].concat());
    succeed(&["similarity", files[1], "--out", &at("groups.npy")]);
    let values = |name: &str| arrays::open(Path::new(&at(name)), None, &Default::default()).unwrap().values().unwrap();
    let (some, groups) = (values("some.npy"), values("groups.npy"));
    assert_eq!(some.len(), shape[0] * 9);
    assert_eq!(some[9 + 1], groups[CONCEPTS * CONCEPTS + 5 * CONCEPTS]);
    assert_eq!(std::fs::read_to_string(at("some.concepts.txt")).unwrap(), "c5\nc0\nc7\n");
}

#[test]
fn features_that_cannot_be_correlated_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("features.npy");
    let (features, out) = (path.display().to_string(), directory.path().join("rsm.npy").display().to_string());
    let mut values: Vec<f64> = (0..60).map(|i| f64::from((i * 37) % 23)).collect();
    let refused = |shape: &[usize], values: &[f64], more: &[&str], expected: &[&str]| {
        write_npy(&path, shape, values).unwrap();
        let mut arguments = vec!["similarity", &features, "--out", &out];
        arguments.extend(more);
        let said = fail(&arguments, 2);
        expected.iter().for_each(|words| assert!(said.contains(words), "expected {words:?} in: {said}"));
        assert!(!Path::new(&out).exists(), "{said}");
    };
    refused(&[60], &values, &[], &["features.npy", "[60]", "[concepts, units]", "--stack"]);
    refused(&[6, 5, 2, 1], &values, &[], &["[6, 5, 2, 1]", "--flatten"]);
    refused(&[6, 10], &values, &["--groups", "4"], &["--groups 4", "6 vectors"]);
    refused(&[2, 3, 10], &values, &["--groups", "3"], &["--groups 3", "2 groups"]);
    refused(&[60, 1], &values, &[], &["1 unit"]);
    refused(&[1, 60], &values, &[], &["1 concept"]);
    refused(&[0, 10], &[], &[], &["0 concepts"]);
    values[25] = f64::NAN;
    refused(&[6, 10], &values, &[], &["row 2,", "NaN"]);
    values[20..30].fill(0.1);
    refused(&[6, 10], &values, &[], &["row 2,", "all values are the same"]);
    refused(&[2, 3, 10], &values, &[], &["group 1, row 2,"]);
    let csv = directory.path().join("rsm.csv").display().to_string();
    assert!(fail(&["similarity", &features, "--out", &csv], 2).contains(".csv holds one matrix"));
    let mat = directory.path().join("rsm.mat").display().to_string();
    assert!(fail(&["similarity", &features, "--out", &mat], 2).contains("unknown ending"));
    assert!(fail(&["similarity", "nowhere.npy", "--out", &out], 2).contains("nowhere.npy: "));
    let golden = golden_path();
    let said = fail(&["similarity", &golden, "--out", &out], 2);
    assert!(said.contains("activations") && said.contains("word_rsm"), "{said}");
    let said = fail(&["similarity", &golden, "--key", "fc1", "--out", &out], 2);
    assert!(said.contains("\"fc1\"") && said.contains("activations"), "{said}");
}
