//! What is no matrix, or no name, is refused.

use semgpu::arrays::write_npy;

use crate::halves::{CONCEPTS, golden, golden_path, read, test, write};
use crate::{column, fail};

#[test]
fn matrices_that_are_none_are_named() {
    let golden = golden();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    write(&at("w.npy"), &[&golden.words], false);
    let (words, images) = (format!("W={}", at("w.npy").display()), format!("L={}", at("i.npy").display()));
    let out = at("out").display().to_string();
    let arguments = |more: &[&str]| {
        let mut arguments = ["test", "--words", &words, "--images", &images, "--out", &out].map(String::from).to_vec();
        arguments.extend(more.iter().map(|argument| argument.to_string()));
        arguments
    };
    let refused = |shape: &[usize], values: &[f64], more: &[&str], expected: &[&str]| {
        write_npy(&at("i.npy"), shape, values).unwrap();
        let arguments = arguments(more);
        let said = fail(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), 2);
        expected.iter().for_each(|words| assert!(said.contains(words), "expected {words:?} in: {said}"));
        assert!(!at("out").exists(), "{said}");
    };
    let (k, square) = (CONCEPTS, [CONCEPTS, CONCEPTS]);
    let matrix = golden.images[0].values();
    let with = |changes: &[(usize, usize, f64)]| {
        let mut values = matrix.to_vec();
        changes.iter().for_each(|&(row, column, value)| values[row * k + column] = value);
        values
    };
    let constant: Vec<(usize, usize, f64)> =
        (0..k).filter(|&j| j != 4).flat_map(|j| [(4, j, f64::NAN), (j, 4, f64::NAN)]).collect();

    refused(&[6, 24], matrix, &[], &["i.npy", "[6, 24]", "[groups, concepts, concepts]"]);
    refused(&square, &with(&[(2, 3, 0.123)]), &[], &["row 2, column 3", "0.123", "symmetric"]);
    refused(&square, &with(&[(2, 3, 1.2), (3, 2, 1.2)]), &[], &["row 2, column 3", "1.2", "-1 to 1"]);
    refused(&square, &with(&[(2, 3, f64::NAN), (3, 2, f64::NAN)]), &[], &["row 2, column 3", "NaN"]);
    refused(&square, &with(&[(5, 5, 0.7)]), &[], &["diagonal", "0.7", "row 5"]);
    refused(&square, &with(&[(0, 0, 0.5)]), &[], &["diagonal", "0.5", "row 0"]);
    refused(&[2, k, k], &[matrix, &with(&[(5, 5, 0.7)])[..]].concat(), &[], &["group 2: the diagonal", "row 5"]);
    refused(&[2, k, k], &[matrix, &with(&[(2, 3, 0.123)])[..]].concat(), &[], &["group 2: the entry in row 2"]);
    refused(&square, &with(&constant), &[], &["concept 4", "--constant half"]);
    refused(&[66], &matrix[..66], &[], &["[66]", "--distances", "--similarities"]);
    refused(&[66, 1], &matrix[..66], &[], &["[66, 1]", "12 concepts", "--distances"]);
    refused(&[4, 4], &matrix[..16], &[], &["4 concepts", "5 or more"]);
    refused(&[6], &matrix[..6], &["--similarities"], &["4 concepts", "5 or more"]);
    let five: Vec<f64> = (0..25).map(|i| if i % 6 == 0 { 1.0 } else { 0.5 }).collect();
    refused(&[5, 5], &five, &[], &["5 concepts", "expected 12", "w.npy"]);
    let flat: Vec<f64> = (0..k * k).map(|i| if i % (k + 1) == 0 { 1.0 } else { 0.5 }).collect();
    refused(&square, &flat, &[], &["i.npy: group 1: concept 0 is equally similar to all others"]);
    let second = [matrix, &flat[..]].concat();
    refused(&[2, k, k], &second, &[], &["i.npy: group 2: concept 0 is equally similar to all others"]);
    std::fs::write(at("names.txt"), "cat\ndog\n").unwrap();
    let names = at("names.txt").display().to_string();
    refused(&square, matrix, &["--concepts", &names], &["names.txt", "2 lines", "expected 12"]);
    refused(&square, matrix, &["--categories", &names], &["names.txt", "2 lines", "one category per concept"]);
    std::fs::write(at("names.txt"), "cat\n".repeat(k)).unwrap();
    refused(&square, matrix, &["--concepts", &names], &["names.txt", "\"cat\"", "twice"]);
    refused(&square, matrix, &["--images", &images], &["--images", "\"L\"", "twice"]);
    refused(&square, matrix, &["--words", &words], &["--words", "\"W\"", "twice"]);
    let [slash, underscore] = ["a/b", "a_b"].map(|layer| format!("{layer}={}", at("i.npy").display()));
    refused(&square, matrix, &["--images", &slash, "--images", &underscore], &["--images", "\"a_b\"", "same file"]);
    let [blank, underscore] = ["a b", "a_b"].map(|model| format!("{model}={}", at("w.npy").display()));
    refused(&square, matrix, &["--words", &blank, "--words", &underscore], &["--words", "\"a_b\"", "figures/"]);
    let [matrix_of, scales_of] = ["x", "scales.x"].map(|layer| format!("{layer}={}", at("i.npy").display()));
    refused(
        &square,
        matrix,
        &["--images", &matrix_of, "--images", &scales_of],
        &["--images", "\"scales.x\"", "same file"],
    );
    refused(&square, matrix, &["--images", &scales_of, "--images", &matrix_of], &["--images", "\"x\"", "scales.x"]);
    refused(&square, matrix, &["--images", "M=nowhere.npy"], &["nowhere.npy"]);
    refused(&square, matrix, &["--images", "nowhere.npy"], &["NAME=FILE"]);
    refused(&square, matrix, &["--ties", "coin"], &["coin", "half"]);
    refused(&square, matrix, &["--permutations", "5000000000"], &["permutations"]);
    write(&at("two.npy"), &golden.images[..2].iter().collect::<Vec<_>>(), false);
    let two = format!("M={}", at("two.npy").display());
    refused(&square, matrix, &["--images", &two], &["two.npy", "2 groups", "expected 1"]);
    refused(&square, matrix, &["--words", &two], &["two.npy", "2 matrices", "expected one"]);

    // A constant image can count half, and a diagonal that is not there be stated.
    test(directory.path(), &words, std::slice::from_ref(&images), &["--constant", "half"]);
    write_npy(&at("i.npy"), &square, &with(&(0..k).map(|i| (i, i, f64::NAN)).collect::<Vec<_>>())).unwrap();
    test(directory.path(), &words, std::slice::from_ref(&images), &["--similarities"]);
    assert_eq!(column::<u64>(&read(directory.path(), "groups.csv"), "passed"), golden.passed[..1]);
}

#[test]
fn no_name_leads_out_of_the_results() {
    let golden = golden();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    write(&at("w.npy"), &[&golden.words], false);
    write(&at("i.npy"), &[&golden.images[0]], false);
    let (words, images) = (format!("../w={}", at("w.npy").display()), format!("../../l={}", at("i.npy").display()));
    test(directory.path(), &words, &[images], &["--permutations", "0"]);
    assert_eq!(column::<String>(&read(directory.path(), "accuracy.csv"), "layer"), ["../../l"]);
    assert!(at("out/rsm/.._.._l.npy").exists() && at("out/rsm/words..._w.npy").exists());
    let mut beside: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    beside.sort();
    assert_eq!(beside, ["i.npy", "out", "w.npy"]);
}

#[test]
fn distances_of_another_measure_are_refused() {
    use hdf5_writer::{AttributeBuilder, DatasetBuilder, Hdf5Builder, WriteOptions};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rdm.h5");
    let file = |measure: &str| {
        let distances = DatasetBuilder::typed_data("dissimilarities", vec![1, 66], &[0.5; 66]).unwrap();
        let measure = AttributeBuilder::vlen_strings("dissimilarity_measure", &[measure]).unwrap();
        let plan = Hdf5Builder::new().dataset(distances).attribute(measure).into_plan().unwrap();
        std::fs::write(&path, plan.encode(WriteOptions::default()).unwrap()).unwrap();
    };
    file("squared euclidean");
    let images = format!("L={}", path.display());
    let out = directory.path().join("out").display().to_string();
    let words = format!("W={}::word_rsm", golden_path());
    let said = fail(&["test", "--words", &words, "--images", &images, "--out", &out], 2);
    assert!(said.contains("squared euclidean") && said.contains("method=\"correlation\""), "{said}");
}
