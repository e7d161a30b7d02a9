//! `semgpu test`: of the golden matrices in every format, of those of a run; what it leaves.

use std::path::Path;

use safetensors::SafeTensors;
use semgpu::arrays::{self, RsmsOut, write_npy, write_rsms};
use semgpu::stats::Rsm;

use crate::{Small, column, devices, fail, root, semgpu, succeed};

pub const CONCEPTS: usize = 12;

/// The golden file of 12 concepts, see `tests/golden/README.md`.
pub struct Golden {
    pub words: Rsm,
    pub images: Vec<Rsm>,
    /// `[groups, concepts, units]`
    pub activations: (Vec<usize>, Vec<f32>),
    /// Passed pairs of each group.
    pub passed: Vec<u64>,
}

pub fn golden_path() -> String {
    root().join("tests/golden/stats_k12.safetensors").display().to_string()
}

pub fn golden() -> Golden {
    let bytes = std::fs::read(golden_path()).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let f64s = |name: &str| -> Vec<f64> { bytemuck::pod_collect_to_vec(file.tensor(name).unwrap().data()) };
    let passed: Vec<i64> = bytemuck::pod_collect_to_vec(file.tensor("passed").unwrap().data());
    let activations = file.tensor("activations").unwrap();
    let images: Vec<Rsm> =
        f64s("image_rsm").chunks(CONCEPTS * CONCEPTS).map(|values| Rsm::new(CONCEPTS, values.to_vec())).collect();
    Golden {
        words: Rsm::new(CONCEPTS, f64s("word_rsm")),
        activations: (activations.shape().to_vec(), bytemuck::pod_collect_to_vec(activations.data())),
        // Row 0 is the identity.
        passed: passed[..images.len()].iter().map(|&passed| passed as u64).collect(),
        images,
    }
}

pub fn write(path: &Path, rsms: &[&Rsm], distances: bool) {
    let groups = (1..=rsms.len()).map(|group| group.to_string()).collect();
    let labels = vec![("group", groups)];
    let out = RsmsOut { rsms: rsms.to_vec(), grouped: false, labels, concepts: None, distances };
    write_rsms(path, &out).unwrap();
}

/// `semgpu test` into `out` of a directory; what it said.
pub fn test(directory: &Path, words: &str, images: &[String], more: &[&str]) -> String {
    let out = directory.join("out").display().to_string();
    let mut arguments = vec!["test", "--fresh", "--words", words, "--out", &out];
    images.iter().for_each(|images| arguments.extend(["--images", images]));
    arguments.extend(more);
    String::from_utf8(succeed(&arguments).stderr).unwrap()
}

pub fn read(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join("out").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_golden_counts_come_from_every_format() {
    let golden = golden();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let images: Vec<&Rsm> = golden.images.iter().collect();
    let mut first: Option<[String; 3]> = None;
    let mut same_tables = |words: String, images: String, more: &[&str]| {
        let said = test(directory.path(), &format!("W={words}"), &[format!("L={images}")], more);
        let groups = read(directory.path(), "groups.csv");
        assert_eq!(column::<u64>(&groups, "passed"), golden.passed, "{images}: {said}");
        let tables = ["accuracy.csv", "groups.csv", "concepts.csv"].map(|name| read(directory.path(), name));
        // Distances lose the last digit of r, and what is not counted shows it.
        if !said.contains("distances") {
            assert_eq!(*first.get_or_insert(tables.clone()), tables, "{images}");
        }
        said
    };
    for device in devices() {
        let path = golden_path();
        same_tables(format!("{path}::word_rsm"), format!("{path}::image_rsm"), &["--device", device]);
    }
    for ending in ["npy", "npz", "safetensors"] {
        write(Path::new(&at(&format!("w.{ending}"))), &[&golden.words], false);
        write(Path::new(&at(&format!("i.{ending}"))), &images, false);
        let said = same_tables(at(&format!("w.{ending}")), at(&format!("i.{ending}")), &[]);
        assert!(said.contains("2 x 12 concepts, square, correlations"), "{said}");
        write(Path::new(&at(&format!("d.{ending}"))), &images, true);
        let said = same_tables(at(&format!("w.{ending}")), at(&format!("d.{ending}")), &[]);
        assert!(said.contains("2 x 12 concepts, square, distances 1 - r"), "{said}");
    }
    write(Path::new(&at("w.csv")), &[&golden.words], false);
    same_tables(at("w.csv"), at("i.npy"), &[]);
    write(Path::new(&at("w.h5")), &[&golden.words], true);
    write(Path::new(&at("i.h5")), &images, true);
    let said = same_tables(at("w.h5"), at("i.h5"), &[]);
    assert!(said.contains("2 x 12 concepts, condensed, distances 1 - r"), "{said}");
    // Condensed vectors as scipy's squareform gives them.
    let condensed = |distances: bool| -> Vec<f64> {
        let value = |&r: &f64| if distances { 1.0 - r } else { r };
        images.iter().flat_map(|rsm| semgpu::stats::rsa::upper(rsm)).map(|r| value(&r)).collect()
    };
    for (flag, distances) in [("--similarities", false), ("--distances", true)] {
        write_npy(Path::new(&at("c.npy")), &[images.len(), 66], &condensed(distances)).unwrap();
        same_tables(at("w.npy"), at("c.npy"), &[flag, "images"]);
    }
}

#[test]
fn a_test_leaves_what_a_run_leaves() {
    let golden = golden();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    write(&at("w.npy"), &[&golden.words], false);
    write(&at("i.npy"), &golden.images.iter().collect::<Vec<_>>(), false);
    let names: Vec<String> = (0..CONCEPTS).map(|concept| format!("concept {concept}")).collect();
    std::fs::write(at("concepts.txt"), names.join("\n")).unwrap();
    std::fs::write(at("categories.txt"), "animal\ntool\n".repeat(CONCEPTS / 2)).unwrap();
    let images = ["conv", "fc"].map(|layer| format!("{layer}={}", at("i.npy").display()));
    let (concepts, categories) = (at("concepts.txt").display().to_string(), at("categories.txt").display().to_string());
    let more = [
        "--concepts",
        &concepts,
        "--categories",
        &categories,
        "--network",
        "brain",
        "--rsa",
        "pearson",
        "--rsa",
        "spearman",
        "--permutations",
        "20",
        "--bootstrap",
        "50",
        "--ties",
        "half",
        "--seed",
        "7",
        "--threads",
        "1",
        "--device",
        "cpu",
    ];
    let words = format!("W={}", at("w.npy").display());
    test(directory.path(), &words, &images, &more);
    let accuracy = read(directory.path(), "accuracy.csv");
    assert_eq!(column::<String>(&accuracy, "network"), ["brain", "brain"]);
    assert_eq!(column::<String>(&accuracy, "layer"), ["conv", "fc"]);
    assert_eq!(column::<f64>(&accuracy, "depth"), [0.0, 1.0]);
    assert_eq!(column::<u64>(&accuracy, "permutations"), [20, 20]);
    assert!(column::<f64>(&accuracy, "ci_low").iter().zip(column::<f64>(&accuracy, "ci_high")).all(|(a, b)| *a < b));
    assert_eq!(column::<String>(&read(directory.path(), "concepts.csv"), "concept")[..CONCEPTS], names);
    assert_eq!(column::<String>(&read(directory.path(), "rsa.csv"), "method").len(), 4);
    for name in ["confused.csv", "words.csv", "figures/accuracy_brain.png", "figures/accuracy_brain.svg"] {
        assert!(directory.path().join("out").join(name).exists(), "{name}");
    }
    let run: serde_json::Value = serde_json::from_str(&read(directory.path(), "run.json")).unwrap();
    assert_eq!(run["config"]["seed"], 7);
    assert_eq!(run["config"]["ties"], "half");
    assert_eq!(run["checksums"]["images"]["fc"].as_str().unwrap().len(), 64);
    succeed(&["plot", &directory.path().join("out").display().to_string()]);
    // The same again where its list of matrices was lost: the record names what was tested.
    std::fs::remove_file(directory.path().join("out/rsm/finished.json")).unwrap();
    let out = at("out").display().to_string();
    let again = ["test", "--words", &words, "--images", &images[0], "--images", &images[1], "--out", &out];
    succeed(&[&again[..], &more].concat());
    assert_eq!(read(directory.path(), "accuracy.csv"), accuracy);
}

#[test]
fn the_matrices_of_a_run_test_as_the_run_did() {
    let small = Small::make();
    small.run("run", &[]);
    let rsm = |name: &str| small.text(&format!("run/rsm/{name}.npy"));
    let (words, concepts) = (format!("GloVe={}", rsm("words.GloVe")), small.text("run/rsm/concepts.txt"));
    let images = ["pixels", "conv1", "fire2"].map(|layer| format!("{layer}={}", rsm(layer)));
    let out = small.text("test");
    let mut arguments = vec!["test", "--words", &words, "--concepts", &concepts, "--out", &out];
    images.iter().for_each(|images| arguments.extend(["--images", images]));
    arguments.extend(["--permutations", "50", "--seed", "3", "--network", "squeezenet1_1", "--device", "cpu"]);
    succeed(&arguments);
    let (run, test) = (small.read("run/accuracy.csv"), small.read("test/accuracy.csv"));
    for name in run.lines().next().unwrap().split(',').filter(|name| !["label", "units"].contains(name)) {
        assert_eq!(column::<String>(&run, name), column::<String>(&test, name), "{name}");
    }
    assert_eq!(small.read("run/concepts.csv"), small.read("test/concepts.csv"));
    let bytes = |name: &str| std::fs::read(small.path(name)).unwrap();
    for name in ["rsm/conv1.npy", "rsm/words.GloVe.npy", "rsm/concepts.txt"] {
        assert_eq!(bytes(&format!("run/{name}")), bytes(&format!("test/{name}")), "{name}");
    }
    let out = small.text("run");
    let said = fail(&["test", "--words", &words, "--images", &images[0], "--out", &out], 2);
    assert!(said.contains("holds the layers of a run"), "{said}");
}

#[test]
fn a_run_is_exported_for_rsatoolbox_and_tests_alike() {
    let small = Small::make();
    small.run("run", &[]);
    let (run, rdms) = (small.text("run"), small.text("rdms.h5"));
    succeed(&["export", &run, "--out", &rdms]);
    let file = hdf5_reader::Hdf5File::open(&rdms).unwrap();
    let strings = |name: &str| file.dataset(name).unwrap().read_strings().unwrap();
    assert_eq!(strings("rdm_descriptors/name"), ["pixels", "pixels", "conv1", "conv1", "fire2", "fire2", "GloVe"]);
    assert_eq!(strings("rdm_descriptors/group"), ["1", "2", "1", "2", "1", "2", ""]);
    assert_eq!(strings("rdm_descriptors/space")[5..], ["images", "words"]);
    let concepts = small.read("run/rsm/concepts.txt");
    assert_eq!(strings("pattern_descriptors/concept"), concepts.lines().collect::<Vec<_>>());
    let (_, conv1) = arrays::read_npy(&small.path("run/rsm/conv1.npy")).unwrap();
    let distances = arrays::open(Path::new(&rdms), Some("dissimilarities"), &arrays::Told::default()).unwrap();
    assert_eq!(distances.shape(), [7, 66]);
    // Row 0, columns 1 and 2 of the first group.
    assert_eq!(distances.values().unwrap()[2 * 66..][..2], [1.0 - conv1[1], 1.0 - conv1[2]]);

    // Its own it replaces, and no other file.
    succeed(&["export", &run, "--out", &rdms]);
    small.write("mine.h5", "mine");
    let said = fail(&["export", &run, "--out", &small.text("mine.h5")], 2);
    assert!(said.contains("no RDMs of semgpu's, which would replace it; move it away"), "{said}");
    assert_eq!(small.read("mine.h5"), "mine");

    assert!(fail(&["export", &run, "--out", &small.text("rdms.npy")], 2).contains("expected .h5"));
    assert!(fail(&["export", &small.text("nowhere"), "--out", &rdms], 2).contains("accuracy.csv"));
}

#[test]
fn a_test_by_measures_alone_is_no_export_and_no_curve() {
    let directory = tempfile::tempdir().unwrap();
    let (words, images) = (format!("W={}::word_rsm", golden_path()), format!("L={}::image_rsm", golden_path()));
    test(directory.path(), &words, std::slice::from_ref(&images), &["--measure", "rsa-pearson"]);
    let [out, rdms] = ["out", "rdms.h5"].map(|name| directory.path().join(name).display().to_string());
    let said = fail(&["export", &out, "--out", &rdms], 2);
    assert!(said.contains("accuracy.csv has no rows") && said.contains("--measure 2v2"), "{said}");
    let compared = directory.path().join("compared").display().to_string();
    for more in [&[out.as_str()][..], &[], &["--words", "W"]] {
        let said = fail(&[&["compare", &out, "--out", &compared][..], more].concat(), 2);
        assert!(said.contains("out: accuracy.csv has no rows") && said.contains("with --measure 2v2"), "{said}");
    }
    test(directory.path(), &words, &[images], &["--measure", "rsa-pearson", "--measure", "2v2"]);
    succeed(&["export", &out, "--out", &rdms]);
}

#[test]
fn groups_meet_by_their_names_on_all_sides() {
    let golden = golden();
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let groups: Vec<String> = (0..golden.images.len()).map(|group| format!("S{group}")).collect();
    let concepts: Vec<String> = (0..CONCEPTS).map(|n| format!("c{n}")).collect();
    let write = |name: &str, order: &[usize], called: &str| {
        let rsms = order.iter().map(|&group| &golden.images[group]).collect();
        let names = order.iter().map(|&group| groups[group].replace('S', called)).collect();
        let labels = vec![("group", names)];
        let out = RsmsOut { rsms, grouped: true, labels, concepts: Some(&concepts), distances: true };
        write_rsms(Path::new(&at(name)), &out).unwrap();
    };
    let order: Vec<usize> = (0..groups.len()).collect();
    let turned: Vec<usize> = order.iter().rev().copied().collect();
    write("images.h5", &order, "S");
    write("turned.h5", &turned, "S");
    write("others.h5", &order, "T");
    let images = [format!("R={}", at("images.h5"))];
    let words = |name: &str| format!("W={}", at(name));
    let more = ["--measure", "rsa-pearson", "--permutations", "20"];
    test(directory.path(), &words("turned.h5"), &images, &more);
    let read = |name: &str| std::fs::read_to_string(directory.path().join("out").join(name)).unwrap();
    let value: Vec<f64> = column(&read("measures.csv"), "value");
    assert!((value[0] - 1.0).abs() < 1e-9, "{value:?}");
    let out = at("refused");
    let refused = |words: &str, more: &[&str]| {
        let arguments = ["test", "--words", words, "--images", &images[0], "--out", &out];
        fail(&[&arguments[..], more].concat(), 2)
    };
    let said = refused(&words("others.h5"), &more);
    assert!(said.contains("names the group \"T0\""), "{said}");
    // So do spaces that are given, which a line tells.
    let model = at("words.npy");
    self::write(Path::new(&model), &[&golden.words], false);
    let (model, given) = (format!("W={model}"), |name: &str| format!("B={}", at(name)));
    std::fs::write(at("names.txt"), concepts.join("\n")).unwrap();
    let names = at("names.txt");
    let controls = |name: &str| {
        let given = given(name);
        let said = test(directory.path(), &model, &images, &["--given", &given, "--concepts", &names]);
        assert!(said.contains("given B: ") && said.contains("groups S"), "{said}");
        read("controls.csv")
    };
    assert_eq!(controls("images.h5"), controls("turned.h5"));
    let said = refused(&model, &["--given", &given("others.h5"), "--concepts", &names]);
    assert!(said.contains("others.h5: names the group \"T0\", expected those of the images: S0"), "{said}");
    // Names of concepts that nobody gave are a doubt.
    let unnamed = at("unnamed.npy");
    self::write(Path::new(&unnamed), &golden.images.iter().collect::<Vec<_>>(), false);
    let said = test(directory.path(), &model, &images, &["--given", &format!("B={unnamed}"), "--concepts", &names]);
    assert!(!said.contains("taken for granted"), "{said}");
    let said = test(
        directory.path(),
        &words("images.h5"),
        &images,
        &[&more[..], &["--given", &format!("B={unnamed}")]].concat(),
    );
    assert!(said.contains("unnamed.npy: names no concepts; that they stand in the order"), "{said}");
}

#[test]
fn groups_of_a_run_keep_their_names() {
    let small = Small::make();
    let manifest = small.read("manifest.csv").replace(",1\n", ",photo\n").replace(",2\n", ",art\n");
    small.write("manifest.csv", &manifest);
    small.run("run", &[]);
    let (words, images) = ("W=run/rsm/words.GloVe.npy", "A=run/rsm/conv1.npy");
    let output = semgpu(&["test", "--words", words, "--images", images, "--out", "tested"])
        .current_dir(small.directory.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let groups: Vec<String> = column(&small.read("tested/groups.csv"), "group");
    assert_eq!(groups, ["photo", "art"]);
}

/// A matrix that has nothing to do with the golden words.
fn unrelated() -> Rsm {
    let entry = |a: usize, b: usize| f64::from(((a.min(b) * 31 + a.max(b) * 17) % 13) as u8) / 13.0;
    let values = (0..CONCEPTS * CONCEPTS).map(|i| (i / CONCEPTS, i % CONCEPTS));
    Rsm::new(CONCEPTS, values.map(|(a, b)| if a == b { 1.0 } else { entry(a, b) }).collect())
}

#[test]
fn sequential_stopping_stops_the_draws_of_rsa_too() {
    let directory = tempfile::tempdir().unwrap();
    let images = directory.path().join("i.npy");
    write(&images, &[&unrelated()], false);
    let words = format!("W={}::word_rsm", golden_path());
    let more = ["--rsa", "spearman", "--stop-after", "3", "--permutations", "1000000"];
    test(directory.path(), &words, &[format!("L={}", images.display())], &more);
    for table in ["accuracy.csv", "rsa.csv"] {
        let draws = column::<u64>(&read(directory.path(), table), "permutations");
        assert!(draws.iter().all(|&draws| draws < 10_000), "{table}: {draws:?}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_bootstrap() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let (words, images) = (format!("W={}::word_rsm", golden_path()), format!("L={}::image_rsm", golden_path()));
    let arguments = ["test", "--words", &words, "--images", &images, "--permutations", "0", "--device", "cpu"];
    let mut command = semgpu(&arguments);
    command.args(["--bootstrap", "1000000", "--out"]).arg(&out).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().starts_with("device    CPU")));
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!out.exists());
}
