use std::path::Path;

use semgpu::arrays::{read_npy, write_npy};

use crate::{Small, column, fail, root, succeed};

/// `[concepts, units]` as text, from the golden file's lists.
fn write_layer(path: &Path, rows: &serde_json::Value) {
    let line = |row: &serde_json::Value| {
        row.as_array().unwrap().iter().map(|value| value.to_string()).collect::<Vec<_>>().join(",")
    };
    let text: Vec<String> = rows.as_array().unwrap().iter().map(line).collect();
    std::fs::write(path, text.join("\n") + "\n").unwrap();
}

fn golden() -> serde_json::Value {
    let text = std::fs::read_to_string(root().join("tests/golden/alignment.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Folders `gpt` and `cnn` with a file for each layer, the second layers' names sorting by numbers only.
fn spaces(directory: &Path) {
    let golden = golden();
    for (name, side) in [("gpt", "words"), ("cnn", "images")] {
        let folder = directory.join(name);
        std::fs::create_dir(&folder).unwrap();
        for (layer, file) in golden[side].as_array().unwrap().iter().zip(["h2.csv", "h10.csv", "h11.csv"]) {
            write_layer(&folder.join(file), layer);
        }
    }
}

fn arguments<'a>(words: &'a str, images: &'a str, out: &'a str) -> Vec<&'a str> {
    vec!["test", "--words", words, "--images", images, "--out", out, "--permutations", "99", "--seed", "2018"]
}

#[test]
fn every_layer_of_one_space_meets_every_layer_of_the_other() {
    let directory = tempfile::tempdir().unwrap();
    spaces(directory.path());
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (words, images, out) = (format!("GPT={}", path("gpt")), format!("CNN={}", path("cnn")), path("out"));
    let mut more = arguments(&words, &images, &out);
    more.extend(["--features", "--header", "no", "--index", "no"]);
    for measure in ["cka", "cka-debiased", "mknn", "cknna", "2v2", "rsa-kendall"] {
        more.extend(["--measure", measure]);
    }
    succeed(&more);
    let table = std::fs::read_to_string(directory.path().join("out/measures.csv")).unwrap();
    assert!(
        table.starts_with("network,layer,words,words_layer,measure,value,calibrated,tau,permutations,p_value,p_fwer,")
    );
    let measures: Vec<String> = column(&table, "measure");
    let expected = |name: &str| golden()["measures"][name]["pairs"].as_array().unwrap().clone();
    let (layers, words_layers): (Vec<String>, Vec<String>) = (column(&table, "layer"), column(&table, "words_layer"));
    assert_eq!(layers[..3], ["h2", "h10", "h11"]);
    assert_eq!(words_layers[..4], ["h2", "h2", "h2", "h10"]);
    let numbers = |name: &str| -> Vec<f64> { column(&table, name) };
    let (values, taus, ps, scores) = (numbers("value"), numbers("tau"), numbers("p_value"), numbers("calibrated"));
    for name in ["cka", "cka-debiased", "mknn", "cknna"] {
        let rows: Vec<usize> = (0..measures.len()).filter(|&row| measures[row] == name).collect();
        for (row, pair) in rows.into_iter().zip(expected(name)) {
            let found = [values[row], scores[row], ps[row], taus[row]];
            for (found, at) in found.iter().zip([0, 2, 3, 4]) {
                let expected = pair[at].as_f64().unwrap();
                assert!((found - expected).abs() < 1e-6, "{name}: {found}, expected {expected}");
            }
        }
    }
    assert_eq!(measures.len(), 36);
    let (one, both) = (numbers("p_fwer"), numbers("p_both"));
    assert!(ps.iter().zip(&one).zip(&both).all(|((p, one), both)| p <= one && (*both >= *p)));
    for figure in ["alignment_images_GPT_cka.png", "measures_images_GPT.svg"] {
        assert!(directory.path().join("out/figures").join(figure).is_file(), "{figure}");
    }
    let page = std::fs::read_to_string(directory.path().join("out/report.html")).unwrap();
    assert!(
        page.contains("Best pair of layers by cka, cka-debiased, mknn, cknna, 2v2 and rsa-kendall")
            && page.contains("CKNNA of vectors of unit length")
    );
    succeed(&["plot", &out]);

    // The results are a space again, with the scales of their vectors.
    let (again, second) = (format!("A={out}"), path("again"));
    let mut more = arguments(&words, &again, &second);
    more.extend(["--features", "words", "--header", "no", "--index", "no", "--measure", "cka", "--measure", "mknn"]);
    succeed(&more);
    let again = std::fs::read_to_string(directory.path().join("again/measures.csv")).unwrap();
    let again: Vec<f64> = column(&again, "value");
    let first: Vec<f64> =
        (0..measures.len()).filter(|&row| ["cka", "mknn"].contains(&&*measures[row])).map(|row| values[row]).collect();
    assert!(again.len() == 12 && again.iter().zip(first).all(|(a, b)| (a - b).abs() < 1e-12));
}

#[test]
fn correlations_are_no_vectors_unless_they_are_called_kernels() {
    let directory = tempfile::tempdir().unwrap();
    spaces(directory.path());
    let path = |name: &str| directory.path().join(name).display().to_string();
    succeed(&["similarity", &path("cnn/h2.csv"), "--out", &path("rsm.npy"), "--header", "no", "--index", "no"]);
    let (words, images, out) = (format!("W={}", path("rsm.npy")), format!("L={}", path("rsm.npy")), path("out"));
    let mut more = arguments(&words, &images, &out);
    more.extend(["--measure", "cka"]);
    let said = fail(&more, 2);
    assert!(
        said.contains("rsm.npy: a matrix of correlations; cka needs the vectors") && said.contains("--kernels"),
        "{said}"
    );
    more.push("--kernels");
    succeed(&more);
    let table = std::fs::read_to_string(directory.path().join("out/measures.csv")).unwrap();
    let value: Vec<f64> = column(&table, "value");
    assert!((value[0] - 1.0).abs() < 1e-12, "{value:?}");
    let mut more = arguments(&words, &images, &out);
    more.extend(["--fresh", "--measure", "mknn", "--kernels", "--neighbours", "40"]);
    assert!(fail(&more, 2).contains("--neighbours 40 of 40 concepts: expected 1 or more"));
}

#[test]
fn a_run_reduces_a_layer_once_for_all_measures_and_keeps_it() {
    let small = Small::make();
    let more = ["--set", "measures=[\"2v2\", \"cka\", \"mknn\", \"rsa-spearman\"]", "--set", "neighbours=3"];
    small.run("out", &more);
    let table = small.read("out/measures.csv");
    assert_eq!(table.lines().count(), 1 + 4 * 3);
    let measures: Vec<String> = column(&table, "measure");
    let values: Vec<f64> = column(&table, "value");
    let accuracies: Vec<f64> = column(&small.read("out/accuracy.csv"), "accuracy");
    assert_eq!(measures[..3], ["2v2", "2v2", "2v2"]);
    assert_eq!(values[..3], accuracies);
    for file in ["rsm/scales.conv1.npy", "rsm/words.scales.GloVe.npy", "figures/measures_squeezenet1_1_GloVe.png"] {
        assert!(small.path("out").join(file).is_file(), "{file}");
    }
    // Layers of an earlier version have no scales: they serve a run without such measures, and are made again for one with.
    let bytes = small.read("out/measures.csv");
    std::fs::remove_file(small.path("out/rsm/scales.conv1.npy")).unwrap();
    small.run("out", &more);
    assert_eq!(small.read("out/measures.csv"), bytes);
    assert!(small.path("out/rsm/scales.conv1.npy").is_file());
    // Two runs' layers against each other, group by group.
    let (words, images, out) =
        (format!("A={}", small.text("out")), format!("B={}", small.text("out")), small.text("pair"));
    let mut more = arguments(&words, &images, &out);
    more.extend(["--measure", "cka"]);
    succeed(&more);
    let values: Vec<f64> = column(&small.read("pair/measures.csv"), "value");
    assert_eq!(values.len(), 9);
    assert!([0, 4, 8].iter().all(|&own| (values[own] - 1.0).abs() < 1e-12), "{values:?}");
}

#[test]
fn a_layer_without_groups_is_every_groups_of_its_space() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let write = |name: &str, shape: &[usize]| {
        let values: Vec<f64> =
            (0..shape.iter().product()).map(|n| (n * n * 31 + n * shape.len()) as f64 % 97.0).collect();
        write_npy(&directory.path().join(name), shape, &values).unwrap();
    };
    std::fs::create_dir(directory.path().join("words")).unwrap();
    write("words/a.npy", &[2, 8, 6]);
    write("words/b.npy", &[8, 7]);
    write("x.npy", &[8, 9]);
    let images = format!("x={}", path("x.npy"));
    let values = |words: &str, out: &str| -> Vec<f64> {
        let (words, out) = (format!("W={}", path(words)), path(out));
        let mut more = arguments(&words, &images, &out);
        more.extend(["--features", "--measure", "cka", "--measure", "mknn", "--neighbours", "3"]);
        succeed(&more);
        column(&std::fs::read_to_string(format!("{out}/measures.csv")).unwrap(), "value")
    };
    let (both, alone) = (values("words", "both"), values("words/b.npy", "alone"));
    // The measures' rows: a with x, b with x.
    assert!((both[1] - alone[0]).abs() < 1e-12 && (both[3] - alone[1]).abs() < 1e-12, "{both:?} {alone:?}");
    let matrices = read_npy(&directory.path().join("both/rsm/words.W a.npy")).unwrap();
    let scales = read_npy(&directory.path().join("both/rsm/words.scales.W a.npy")).unwrap();
    assert_eq!((matrices.0, scales.0), (vec![2, 8, 8], vec![2, 8, 3]));
}
