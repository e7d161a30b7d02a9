use std::path::Path;

use safetensors::SafeTensors;
use semgpu::arrays::{self, RsmsOut, write_npy, write_rsms};
use semgpu::stats::Rsm;

use crate::{Small, column, devices, fail, root, semgpu, succeed};

/// Correlations of f32 scores of some hundred units against f64 ones: 6e-8 per score over the root of the units.
const CLOSE: f64 = 1e-6;

const CONCEPTS: usize = 12;

/// The golden file of 12 concepts, see `tests/golden/README.md`.
struct Golden {
    words: Rsm,
    images: Vec<Rsm>,
    /// `[groups, concepts, units]`
    activations: (Vec<usize>, Vec<f32>),
    /// Passed pairs of each group.
    passed: Vec<u64>,
}

fn golden_path() -> String {
    root().join("tests/golden/stats_k12.safetensors").display().to_string()
}

fn golden() -> Golden {
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

fn write(path: &Path, rsms: &[&Rsm], distances: bool) {
    let groups = (1..=rsms.len()).map(|group| group.to_string()).collect();
    let labels = vec![("group", groups)];
    let out = RsmsOut { rsms: rsms.to_vec(), grouped: false, labels, concepts: None, distances };
    write_rsms(path, &out).unwrap();
}

/// `semgpu test` into `out` of a directory; what it said.
fn test(directory: &Path, words: &str, images: &[String], more: &[&str]) -> String {
    let out = directory.join("out").display().to_string();
    let mut arguments = vec!["test", "--fresh", "--words", words, "--out", &out];
    images.iter().for_each(|images| arguments.extend(["--images", images]));
    arguments.extend(more);
    String::from_utf8(succeed(&arguments).stderr).unwrap()
}

fn read(directory: &Path, name: &str) -> String {
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
    test(directory.path(), &format!("W={}", at("w.npy").display()), &images, &more);
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

    assert!(fail(&["export", &run, "--out", &small.text("rdms.npy")], 2).contains("expected .h5"));
    assert!(fail(&["export", &small.text("nowhere"), "--out", &rdms], 2).contains("accuracy.csv"));
}

#[test]
fn a_test_by_measures_alone_is_no_export() {
    let directory = tempfile::tempdir().unwrap();
    let (words, images) = (format!("W={}::word_rsm", golden_path()), format!("L={}::image_rsm", golden_path()));
    test(directory.path(), &words, std::slice::from_ref(&images), &["--measure", "rsa-pearson"]);
    let [out, rdms] = ["out", "rdms.h5"].map(|name| directory.path().join(name).display().to_string());
    let said = fail(&["export", &out, "--out", &rdms], 2);
    assert!(said.contains("accuracy.csv has no rows") && said.contains("--measure 2v2"), "{said}");
    test(directory.path(), &words, &[images], &["--measure", "rsa-pearson", "--measure", "2v2"]);
    succeed(&["export", &out, "--out", &rdms]);
}

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
    assert!(std::fs::read_to_string(at("concepts.txt")).unwrap().starts_with("concept 0\nconcept 1\n"));

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

    let (features, out) = (text("features.npy"), text("rsm.npy"));
    let (list, rsm) = (std::fs::read_to_string(at("concepts.txt")).unwrap(), std::fs::read(&out).unwrap());
    let other = list.replace("concept 3\n", "concept 4\n");
    std::fs::write(at("concepts.txt"), &other).unwrap();
    let said = fail(&["similarity", &features, "--out", &out, by_name[0], by_name[1], by_name[2], by_name[3]], 2);
    assert!(said.contains("concepts.txt: lists 12 concepts") && said.contains("another directory"), "{said}");
    assert_eq!(std::fs::read_to_string(at("concepts.txt")).unwrap(), other);
    assert_eq!(std::fs::read(&out).unwrap(), rsm);
    std::fs::write(at("concepts.txt"), list).unwrap();
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
    assert!(fail(&["similarity", &conv, &conv, "--out", &out], 2).contains("would both become"));
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
    refused(&[60], &values, &[], &["features.npy", "[60]", "[concepts, units]"]);
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
    refused(&square, &flat, &[], &["i.npy", "equally similar to all others"]);
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
