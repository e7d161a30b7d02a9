//! Nothing is read wrong in silence: what a file says of its rows and columns is believed and checked, what it does not say
//! is asked for.

use std::path::{Path, PathBuf};

use hdf5_writer::{AttributeBuilder, DatasetBuilder, Hdf5Builder, WriteOptions};
use semgpu::arrays::{self, RsmsOut, write_npy, write_rsms};
use semgpu::results::ResultsDir;
use semgpu::stats::Rsm;

use crate::{column, fail, root, succeed};

pub const CONCEPTS: usize = 12;
const UNITS: usize = 30;
pub const NAMES: [&str; CONCEPTS] =
    ["zebra", "apple", "truck", "mouse", "violin", "bear", "chair", "lemon", "kayak", "tiger", "spoon", "fox"];

/// As `tests/golden/reading.zip` has it: `[concepts, units]`.
fn feature(concept: usize, unit: usize) -> f64 {
    (((7 * concept + 3 * unit + concept * unit) % 23) as f64 - 11.0) / 4.0
}

fn features() -> Vec<f64> {
    (0..CONCEPTS * UNITS).map(|n| feature(n / UNITS, n % UNITS)).collect()
}

/// A folder of files.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `semgpu similarity` of a file: the bytes of the matrix.
    fn similarity(&self, features: &str, more: &[&str]) -> Vec<u8> {
        let (features, out) = (self.text(features), self.text("rsm.npy"));
        succeed(&[&["similarity", &features, "--out", &out, "--device", "cpu"], more].concat());
        std::fs::read(out).unwrap()
    }

    /// What `semgpu similarity` says when it refuses.
    fn refusal(&self, features: &str, more: &[&str]) -> String {
        let (features, out) = (self.text(features), self.text("refused.npy"));
        let said = fail(&[&["similarity", &features, "--out", &out], more].concat(), 2);
        assert!(!self.path("refused.npy").exists());
        said
    }

    fn arguments(&self, words: &str, images: &[&str], more: &[&str]) -> Vec<String> {
        let source = |source: &str| {
            let (name, file) = source.split_once('=').unwrap();
            format!("{name}={}", self.text(file))
        };
        let mut arguments = vec!["test".to_string(), "--fresh".to_string(), "--words".to_string(), source(words)];
        images.iter().for_each(|images| arguments.extend(["--images".to_string(), source(images)]));
        arguments.extend(["--permutations", "20", "--device", "cpu", "--out"].map(String::from));
        arguments.push(self.text("out"));
        arguments.extend(more.iter().map(|argument| argument.to_string()));
        arguments
    }

    /// `semgpu test`: what it said; `out` has the results.
    pub fn test(&self, words: &str, images: &[&str], more: &[&str]) -> String {
        let arguments = self.arguments(words, images, more);
        let output = succeed(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        String::from_utf8(output.stderr).unwrap()
    }

    pub fn test_refusal(&self, words: &str, images: &[&str], more: &[&str]) -> String {
        let arguments = self.arguments(words, images, more);
        fail(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), 2)
    }

    /// The accuracy of every layer of the last test.
    pub fn accuracies(&self) -> Vec<(String, f64)> {
        let table = self.read("out/accuracy.csv");
        column::<String>(&table, "layer").into_iter().zip(column(&table, "accuracy")).collect()
    }
}

fn golden(folder: &Folder, name: &str) {
    let archive = std::fs::File::open(root().join("tests/golden/reading.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(archive).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name(name).unwrap(), &mut bytes).unwrap();
    folder.write(name, bytes);
}

/// A matrix that tells the concepts apart.
pub fn matrix(seed: usize) -> Rsm {
    let rows: Vec<Vec<f64>> = (0..CONCEPTS)
        .map(|a| (0..8).map(|d| (((a + seed) * (2 * d + 3) * (a + d + 1) + d * seed) % 17) as f64).collect())
        .collect();
    let correlation = |a: &[f64], b: &[f64]| {
        let centred = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            x.iter().map(|value| value - mean).collect::<Vec<f64>>()
        };
        let (a, b) = (centred(a), centred(b));
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
    };
    let entry = |n: usize| match (n / CONCEPTS, n % CONCEPTS) {
        (a, b) if a == b => 1.0,
        (a, b) => correlation(&rows[a.min(b)], &rows[a.max(b)]),
    };
    Rsm::new(CONCEPTS, (0..CONCEPTS * CONCEPTS).map(entry).collect())
}

/// The concepts in another order: entry `n` is the place of the `n`-th in [`NAMES`].
fn sorted() -> Vec<usize> {
    let mut order: Vec<usize> = (0..CONCEPTS).collect();
    order.sort_by_key(|&n| NAMES[n]);
    order
}

fn named(order: &[usize]) -> Vec<String> {
    order.iter().map(|&n| NAMES[n].to_string()).collect()
}

fn reordered(rsm: &Rsm, order: &[usize]) -> Rsm {
    semgpu::matrices::reordered(rsm, order)
}

pub fn write(path: &Path, rsms: &[&Rsm], names: Option<&[String]>, labels: Vec<(&'static str, Vec<String>)>) {
    let out = RsmsOut { rsms: rsms.to_vec(), grouped: rsms.len() > 1, labels, concepts: names, distances: false };
    write_rsms(path, &out).unwrap();
}

pub fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| value.to_string()).collect()
}

/// rsatoolbox's RDMs with its descriptors; without a measure where it is not given.
pub fn rdms(path: &Path, rsms: &[&Rsm], measure: Option<&str>, descriptors: &[(&str, &[&str])]) {
    let pairs: Vec<f64> = rsms.iter().flat_map(|rsm| semgpu::stats::rsa::upper(rsm)).map(|r| 1.0 - r).collect();
    let count = rsms.len() as u64;
    let distances = DatasetBuilder::typed_data("dissimilarities", vec![count, 66], &pairs).unwrap();
    let mut file = Hdf5Builder::new().dataset(distances);
    if let Some(measure) = measure {
        file = file.attribute(AttributeBuilder::fixed_string("dissimilarity_measure", measure));
    }
    for (name, values) in descriptors {
        let length = values.len() as u64;
        file = file.dataset(DatasetBuilder::fixed_string_data(*name, vec![length], &texts(values)).unwrap());
    }
    std::fs::write(path, file.into_plan().unwrap().encode(WriteOptions::default()).unwrap()).unwrap();
}

#[test]
fn the_same_features_come_from_every_program() {
    let folder = Folder::new();
    write_npy(&folder.path("f.npy"), &[CONCEPTS, UNITS], &features()).unwrap();
    let expected = folder.similarity("f.npy", &[]);
    for name in ["v5.mat", "v73.mat", "v73_renamed.h5", "wide_fixed.h5", "wide_implicit.h5"] {
        golden(&folder, name);
        assert_eq!(folder.similarity(name, &[]), expected, "{name}");
    }
    let rows: Vec<String> =
        features().chunks(UNITS).map(|row| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",")).collect();
    let table = |cell: &dyn Fn(usize) -> String| -> String {
        (0..CONCEPTS).map(|n| format!("{}{}\n", cell(n), rows[n])).collect()
    };
    let counted = (0..UNITS).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    folder.write("bom.csv", format!("\u{feff}{}", table(&|_| String::new())));
    folder.write("pandas_sig.csv", format!("\u{feff},{counted}\n{}", table(&|n| format!("{n},"))));
    folder.write("no_index.csv", format!("{counted}\n{}", table(&|_| String::new())));
    folder.write("no_header.csv", table(&|n| format!("{n},")));
    folder.write("named.csv", format!("concept,{counted}\n{}", table(&|n| format!("{},", NAMES[n]))));
    let quoted = rows.iter().map(|row| format!("\"{}\"\n", row.replace(',', "\",\"").replace('.', ",")));
    folder.write("decimal.csv", quoted.collect::<String>());
    for name in ["bom.csv", "pandas_sig.csv", "no_index.csv", "no_header.csv", "named.csv", "decimal.csv"] {
        assert_eq!(folder.similarity(name, &[]), expected, "{name}");
    }
    let turned: Vec<f64> = (0..UNITS * CONCEPTS).map(|n| feature(n % CONCEPTS, n / CONCEPTS)).collect();
    write_npy(&folder.path("voxels.npy"), &[UNITS, CONCEPTS], &turned).unwrap();
    assert_eq!(folder.similarity("voxels.npy", &["--transpose"]), expected);
    let (first, rest) = rows[0].split_once(',').unwrap();
    let gap = format!("{first},,{}\n", rest.split_once(',').unwrap().1);
    folder.write("gap.csv", gap + &rows[1..].join("\n"));
    let said = folder.refusal("gap.csv", &[]);
    assert!(said.contains("gap.csv: line 1, column 2: \"\", expected a number"), "{said}");
}

#[test]
fn names_of_rows_stay_with_the_matrix() {
    let folder = Folder::new();
    let row = |n: usize| (0..UNITS).map(|unit| format!(",{}", feature(n, unit))).collect::<String>();
    folder.write(
        "named.csv",
        NAMES.iter().enumerate().map(|(n, name)| format!("{name}{}\n", row(n))).collect::<String>(),
    );
    folder.similarity("named.csv", &[]);
    assert_eq!(folder.read("rsm.concepts.txt").lines().collect::<Vec<_>>(), NAMES);
    for out in ["rsm.h5", "rsm.csv"] {
        succeed(&["similarity", &folder.text("named.csv"), "--out", &folder.text(out), "--device", "cpu"]);
    }
    let said = folder.test("W=rsm.h5", &["L=rsm.csv", "M=rsm.npy"], &[]);
    assert_eq!(folder.read("out/rsm/concepts.txt").lines().collect::<Vec<_>>(), NAMES, "{said}");
    // Some of them, in an order of one's own.
    folder.write("some.txt", "fox\nbear\nzebra\napple\ntruck\n");
    let some = folder.similarity("named.csv", &["--concepts", &folder.text("some.txt")]);
    let picked: Vec<f64> =
        [11, 5, 0, 1, 2].iter().flat_map(|&n| (0..UNITS).map(move |unit| feature(n, unit))).collect();
    write_npy(&folder.path("picked.npy"), &[5, UNITS], &picked).unwrap();
    assert_eq!(folder.similarity("picked.npy", &[]), some);
    // A list of an earlier matrix is not believed of another.
    assert!(!folder.path("rsm.concepts.txt").exists());
    folder.write("other.txt", "fox\nunicorn\n");
    let said = folder.refusal("named.csv", &["--concepts", &folder.text("other.txt")]);
    assert!(said.contains("--concepts names 1 that no vector has (unicorn)") && said.contains("zebra"), "{said}");
}

/// A variable of a `.mat` of version 5, of double (6) or characters (4), or of other variables (cell 1, struct 2).
fn variable(class: u32, shape: [u32; 2], name: &str, content: &[u8]) -> Vec<u8> {
    let words = |words: [u32; 2]| words.map(u32::to_le_bytes).concat();
    element(
        14,
        &[element(6, &words([class, 0])), element(5, &words(shape)), element(1, name.as_bytes()), content.into()]
            .concat(),
    )
}

fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut element = [kind, data.len() as u32].map(u32::to_le_bytes).concat();
    element.extend(data);
    element.resize(element.len().next_multiple_of(8), 0);
    element
}

#[test]
fn names_in_an_archive_of_matlabs_are_no_layer_and_what_is_not_read_is_no_secret() {
    let folder = Folder::new();
    let doubles =
        |values: &[f64]| element(9, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
    let layer = |name: &str, seed: usize| {
        let columns: Vec<f64> = (0..CONCEPTS * UNITS).map(|n| feature(n % CONCEPTS + seed, n / CONCEPTS)).collect();
        variable(6, [CONCEPTS as u32, UNITS as u32], name, &doubles(&columns))
    };
    let text = |name: &str, text: &str| variable(4, [1, text.len() as u32], name, &element(16, text.as_bytes()));
    let texts: Vec<u8> = NAMES.iter().flat_map(|name| text("", name)).collect();
    let names = variable(1, [CONCEPTS as u32, 1], "names", &texts);
    let saved = |variables: &[Vec<u8>]| {
        let header = [&[b' '; 124][..], &[0, 1, b'I', b'M']].concat();
        folder.write("layers.mat", [&[header], variables].concat().concat());
    };
    write(&folder.path("W.npy"), &[&matrix(1)], None, vec![]);
    let features = ["--features", "images"];
    let both = [layer("conv10", 1), layer("conv2", 0), names, text("subject", "S01")];
    saved(&both);
    folder.test("W=W.npy", &["L=layers.mat"], &features);
    let layers: Vec<String> = folder.accuracies().into_iter().map(|(layer, _)| layer).collect();
    assert_eq!(layers, ["conv2", "conv10"]);
    assert_eq!(folder.read("out/rsm/concepts.txt").lines().collect::<Vec<_>>(), NAMES);
    saved(&both[1..]);
    folder.test("W=W.npy", &["L=layers.mat"], &features);
    assert_eq!(folder.accuracies().len(), 1);
    // A layer that is not read is named, not left out.
    let cells = variable(1, [1, 1], "more", &layer("", 2));
    for (other, class) in [(cells, "cell"), (variable(2, [1, 1], "more", &[]), "struct")] {
        saved(&[&both[..], &[other]].concat());
        let said = folder.test_refusal("W=W.npy", &["L=layers.mat"], &features);
        assert!(said.contains(&format!("more is a {class} of MATLAB's")), "{said}");
    }
}

#[test]
fn the_same_concepts_in_another_order_are_re_ordered_and_others_refused() {
    let folder = Folder::new();
    let (words, order) = (matrix(1), sorted());
    let (here, there) = (named(&(0..CONCEPTS).collect::<Vec<_>>()), named(&order));
    let other_order = reordered(&words, &order);
    write(&folder.path("W.npy"), &[&words], None, vec![]);
    for ending in ["h5", "csv"] {
        write(&folder.path(&format!("words.{ending}")), &[&words], Some(&here), vec![]);
        write(&folder.path(&format!("images.{ending}")), &[&other_order], Some(&there), vec![]);
    }
    folder.write("names.txt", format!("\u{feff}{}\n", here.join("\n")));
    let names = folder.text("names.txt");
    for (words, images, more) in [
        ("words.h5", "images.h5", vec![]),
        ("words.csv", "images.h5", vec![]),
        ("words.h5", "images.csv", vec![]),
        ("W.npy", "images.h5", vec!["--concepts", &names]),
        ("W.npy", "images.csv", vec!["--concepts", &names]),
    ] {
        let said = folder.test(&format!("W={words}"), &[&format!("L={images}")], &more);
        assert_eq!(folder.accuracies(), [("L".to_string(), 1.0)], "{said}");
        assert!(said.contains("re-ordered by name to the order of"), "{said}");
        assert_eq!(folder.read("out/rsm/concepts.txt").lines().collect::<Vec<_>>(), NAMES);
        let run: serde_json::Value = serde_json::from_str(&folder.read("out/run.json")).unwrap();
        assert_eq!(run["read"][1]["names"][0], "apple");
        assert_eq!(run["read"][1]["side"], "images");
    }
    folder.test("W=words.csv", &["L=images.csv"], &["--by-order"]);
    assert!(folder.accuracies()[0].1 < 1.0);

    let mut others = there.clone();
    others[0] = "apples".to_string();
    write(&folder.path("others.csv"), &[&other_order], Some(&others), vec![]);
    let said = folder.test_refusal("W=words.csv", &["L=others.csv"], &[]);
    assert!(said.contains("others.csv: names other concepts than") && said.contains("\"apples\""), "{said}");
    assert!(said.contains("lacks \"apple\"") && said.contains("--by-order"), "{said}");
    let said = folder.test_refusal("W=W.npy", &["L=words.csv", "M=images.csv"], &[]);
    assert!(said.contains("W.npy: names no concepts") && said.contains("--concepts FILE"), "{said}");
    folder.write("categories.txt", "a\nb\n".repeat(CONCEPTS / 2));
    let said = folder.test_refusal("W=words.csv", &["L=images.csv"], &["--categories", &folder.text("categories.txt")]);
    assert!(said.contains("categories.txt") && said.contains("--concepts FILE"), "{said}");
    // Columns in another order than the rows.
    let table = folder.read("words.csv");
    let mut lines: Vec<String> = table.lines().map(str::to_string).collect();
    lines.iter_mut().for_each(|line| {
        let mut cells: Vec<&str> = line.split(',').collect();
        cells.swap(2, 5);
        *line = cells.join(",");
    });
    folder.write("columns.csv", lines.join("\n"));
    folder.test("W=words.csv", &["L=columns.csv"], &[]);
    assert_eq!(folder.accuracies()[0].1, 1.0);
    folder.write("columns.csv", lines.join("\n").replacen("apple", "apples", 1));
    let said = folder.test_refusal("W=words.csv", &["L=columns.csv"], &[]);
    assert!(said.contains("rows and columns have other names"), "{said}");
}

#[test]
fn regions_in_one_file_are_layers_and_subjects_groups() {
    let folder = Folder::new();
    let rsms = [matrix(1), matrix(2), matrix(3), matrix(4)];
    write(&folder.path("W.npy"), &[&rsms[0]], None, vec![]);
    let all: Vec<&Rsm> = rsms.iter().collect();
    let alone = |n: usize| {
        write(&folder.path("one.npy"), &[all[n]], None, vec![]);
        folder.test("W=W.npy", &["L=one.npy"], &[]);
        folder.accuracies()[0].1
    };
    let accuracies = [0, 1].map(alone);
    rdms(&folder.path("rois.h5"), &all[..2], Some("correlation"), &[("rdm_descriptors/roi", &["V1", "IT"])]);
    folder.test("W=W.npy", &["L=rois.h5"], &[]);
    assert_eq!(folder.accuracies(), [("V1".to_string(), accuracies[0]), ("IT".to_string(), accuracies[1])]);
    let it = format!("L={}::IT", folder.text("rois.h5"));
    let out = folder.text("out");
    succeed(&["test", "--fresh", "--words", &format!("W={}", folder.text("W.npy")), "--images", &it, "--out", &out]);
    assert_eq!(folder.accuracies(), [("IT".to_string(), accuracies[1])]);
    // Two files with the same regions.
    rdms(&folder.path("right.h5"), &all[2..], Some("correlation"), &[("rdm_descriptors/roi", &["V1", "IT"])]);
    folder.test("W=W.npy", &["lh=rois.h5", "rh=right.h5"], &[]);
    let layers: Vec<String> = folder.accuracies().into_iter().map(|(layer, _)| layer).collect();
    assert_eq!(layers, ["lh V1", "lh IT", "rh V1", "rh IT"]);

    let both: [(&str, &[&str]); 2] =
        [("rdm_descriptors/roi", &["V1", "V1", "IT", "IT"]), ("rdm_descriptors/subject", &["s1", "s2", "s2", "s1"])];
    rdms(&folder.path("both.h5"), &all, Some("correlation"), &both);
    folder.test("W=W.npy", &["L=both.h5"], &[]);
    let groups = folder.read("out/groups.csv");
    assert_eq!(column::<String>(&groups, "layer"), ["V1", "V1", "IT", "IT"]);
    assert_eq!(column::<String>(&groups, "group"), ["s1", "s2", "s1", "s2"]);

    rdms(&folder.path("untold.h5"), &all[..2], Some("correlation"), &[]);
    let said = folder.test_refusal("W=W.npy", &["L=untold.h5"], &[]);
    assert!(said.contains("2 matrices") && said.contains("FILE::0") && said.contains("--groups-are"), "{said}");
    folder.test("W=W.npy", &["L=untold.h5"], &["--groups-are", "subjects"]);
    assert_eq!(column::<u64>(&folder.read("out/accuracy.csv"), "groups"), [2]);
    // A subset keeps its places in the whole, which are no layers.
    rdms(&folder.path("subset.h5"), &all[..2], Some("correlation"), &[("rdm_descriptors/index", &["0", "2"])]);
    folder.test("W=W.npy", &["L=subset.h5"], &["--groups-are", "subjects"]);
    assert_eq!(column::<u64>(&folder.read("out/accuracy.csv"), "groups"), [2]);
}

#[test]
fn an_export_is_read_back_word_models_apart_from_images() {
    let folder = Folder::new();
    let rsms = [matrix(1), matrix(2), matrix(3)];
    let labels: [(&str, &[&str]); 3] = [
        ("rdm_descriptors/space", &["images", "images", "words"]),
        ("rdm_descriptors/name", &["L", "L", "W"]),
        ("rdm_descriptors/group", &["1", "2", ""]),
    ];
    // rsatoolbox loses the measure when it saves a file again.
    for measure in [Some("correlation"), None] {
        rdms(&folder.path("export.h5"), &rsms.iter().collect::<Vec<_>>(), measure, &labels);
        folder.test("W=export.h5", &["L=export.h5"], &[]);
        let found = folder.accuracies();
        write(&folder.path("L.npy"), &[&rsms[0], &rsms[1]], None, vec![]);
        write(&folder.path("W.npy"), &[&rsms[2]], None, vec![]);
        folder.test("W=W.npy", &["L=L.npy"], &[]);
        assert_eq!(folder.accuracies(), found);
    }
    rdms(&folder.path("lost.h5"), &[&rsms[0]], None, &[]);
    let said = folder.test_refusal("W=W.npy", &["L=lost.h5"], &[]);
    assert!(said.contains("dissimilarity_measure is not given") && said.contains("--distances images"), "{said}");
    folder.test("W=W.npy", &["L=lost.h5"], &["--distances", "images"]);
}

#[test]
fn a_skipped_image_does_not_get_another_folders_vector() {
    let folder = Folder::new();
    let image = |n: usize| format!("images/animal{n:02}/{:02}.jpg", n / 2);
    let manifest: String = (0..CONCEPTS).map(|n| format!("{},animal{n:02},1\n", image(n))).collect::<String>();
    folder.write("manifest.csv", format!("path,concept,group\n{manifest}"));
    write_npy(&folder.path("f.npy"), &[CONCEPTS, UNITS], &features()).unwrap();
    let expected = folder.similarity("f.npy", &[]);
    let manifest = folder.text("manifest.csv");
    let rows = |name: &str, row: &dyn Fn(usize) -> String, skipped: usize| {
        folder.write(name, (0..CONCEPTS).filter(|&n| n != skipped).map(|n| row(n) + "\n").collect::<String>());
        folder.text(name)
    };
    let slashes = rows("rows.txt", &|n| format!("/data/{}", image(n)), CONCEPTS);
    let backslashes = rows("windows.txt", &|n| format!("C:\\data\\{}", image(n).replace('/', "\\")), CONCEPTS);
    for rows in [slashes, backslashes] {
        assert_eq!(folder.similarity("f.npy", &["--manifest", &manifest, "--rows", &rows]), expected);
    }
    let kept: Vec<f64> =
        (0..CONCEPTS).filter(|&n| n != 3).flat_map(|n| (0..UNITS).map(move |u| feature(n, u))).collect();
    write_npy(&folder.path("missing.npy"), &[CONCEPTS - 1, UNITS], &kept).unwrap();
    let missing = rows("missing.txt", &image, 3);
    let said = folder.refusal("missing.npy", &["--manifest", &manifest, "--rows", &missing]);
    assert!(said.contains("0 vectors for the image") && said.contains("animal03/01.jpg"), "{said}");
    let row = |n: usize| (0..UNITS).map(|unit| format!(",{}", feature(n, unit))).collect::<String>();
    folder.write("named.csv", (0..CONCEPTS).map(|n| format!("{}{}\n", image(n), row(n))).collect::<String>());
    assert_eq!(folder.similarity("named.csv", &["--manifest", &manifest]), expected);
}

#[test]
fn tokens_are_not_taken_for_concepts() {
    let folder = Folder::new();
    let (tokens, units) = (50, 6);
    let token = |concept: usize, token: usize, unit: usize| feature(concept, 7 * token + unit);
    let place = |n: usize| (n / (tokens * units), n / units % tokens, n % units);
    let values: Vec<f64> = (0..CONCEPTS * tokens * units).map(place).map(|(c, t, u)| token(c, t, u)).collect();
    write_npy(&folder.path("vit.npy"), &[CONCEPTS, tokens, units], &values).unwrap();
    let said = folder.refusal("vit.npy", &[]);
    for words in ["[12, 50, 6]", "--groups 12", "--token cls", "--token mean", "--token all"] {
        assert!(said.contains(words), "{said}");
    }
    let flat = |of: &dyn Fn(usize, usize) -> f64| {
        let values: Vec<f64> = (0..CONCEPTS * units).map(|n| of(n / units, n % units)).collect();
        write_npy(&folder.path("flat.npy"), &[CONCEPTS, units], &values).unwrap();
        folder.similarity("flat.npy", &[])
    };
    assert_eq!(folder.similarity("vit.npy", &["--token", "cls"]), flat(&|c, u| token(c, 0, u)));
    assert_eq!(folder.similarity("vit.npy", &["--token", "3"]), flat(&|c, u| token(c, 3, u)));
    let sum = |c: usize, u: usize| (0..tokens).map(|t| token(c, t, u)).sum::<f64>();
    assert_eq!(folder.similarity("vit.npy", &["--token", "mean"]), flat(&|c, u| sum(c, u) / tokens as f64));
    assert_eq!(folder.similarity("vit.npy", &["--token", "all"]), folder.similarity("vit.npy", &["--flatten"]));
    assert!(folder.refusal("vit.npy", &["--token", "50"]).contains("no token 50 of 50"));
}

#[test]
fn word_vectors_stand_for_their_matrix() {
    let folder = Folder::new();
    let vector = |n: usize| (0..UNITS).map(|unit| format!(" {}", feature(n, unit))).collect::<String>();
    let mut lines: Vec<String> = NAMES.iter().enumerate().map(|(n, name)| format!("{name}{}\n", vector(n))).collect();
    lines.reverse();
    lines.extend((0..40).map(|n| format!("other{n}{}\n", vector(n + 20))));
    folder.write("glove.txt", lines.concat());
    folder.write("names.txt", NAMES.join("\n"));
    let names = folder.text("names.txt");
    write(&folder.path("I.npy"), &[&matrix(1)], None, vec![]);
    folder.test("GloVe=glove.txt", &["L=I.npy"], &["--concepts", &names]);
    let found = folder.accuracies();
    succeed(&["similarity", &folder.text("glove.txt"), "--concepts", &names, "--out", &folder.text("W.npy")]);
    assert_eq!(folder.read("W.concepts.txt").lines().collect::<Vec<_>>(), NAMES);
    folder.test("GloVe=W.npy", &["L=I.npy"], &[]);
    assert_eq!(folder.accuracies(), found);
    let said = folder.test_refusal("GloVe=glove.txt", &["L=I.npy"], &[]);
    assert!(said.contains("glove.txt: word vectors: add --concepts FILE"), "{said}");
    folder.write("names.txt", NAMES.join("\n").replace("kayak", "unicorn"));
    let said = folder.test_refusal("GloVe=glove.txt", &["L=I.npy"], &["--concepts", &names]);
    assert!(said.contains("lacks 1 of 12 concepts: unicorn"), "{said}");
}

#[test]
fn a_constant_row_may_be_nan_on_its_diagonal_too() {
    let folder = Folder::new();
    let (words, images) = (matrix(1), matrix(2));
    let mut values = images.values().to_vec();
    (0..CONCEPTS).for_each(|n| {
        values[4 * CONCEPTS + n] = f64::NAN;
        values[n * CONCEPTS + 4] = f64::NAN;
    });
    write(&folder.path("W.npy"), &[&words], None, vec![]);
    write_npy(&folder.path("I.npy"), &[CONCEPTS, CONCEPTS], &values).unwrap();
    folder.test("W=W.npy", &["L=I.npy"], &["--constant", "half"]);
    values[4 * CONCEPTS + 4] = 1.0;
    let found = folder.accuracies();
    write_npy(&folder.path("I.npy"), &[CONCEPTS, CONCEPTS], &values).unwrap();
    folder.test("W=W.npy", &["L=I.npy"], &["--constant", "half"]);
    assert_eq!(folder.accuracies(), found);
    // What is wrong with an image is not said of the words.
    let flat: Vec<f64> = (0..CONCEPTS * CONCEPTS).map(|n| if n % (CONCEPTS + 1) == 0 { 1.0 } else { 0.5 }).collect();
    write_npy(&folder.path("I.npy"), &[CONCEPTS, CONCEPTS], &flat).unwrap();
    let said = folder.test_refusal("W=W.npy", &["L=I.npy"], &[]);
    let error = said.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(error.contains("I.npy: ") && !error.contains("W.npy"), "{said}");
}

#[test]
fn invisible_characters_make_no_category_and_a_folder_is_its_layers() {
    let folder = Folder::new();
    write(&folder.path("W.npy"), &[&matrix(1)], None, vec![]);
    for layer in ["conv2", "conv10", "conv1"] {
        std::fs::create_dir_all(folder.path("layers")).unwrap();
        write(&folder.path(&format!("layers/{layer}.npy")), &[&matrix(2)], None, vec![]);
    }
    folder.write("categories.txt", format!("\u{feff}{}", "animal\ntool\n".repeat(CONCEPTS / 2)));
    folder.test("W=W.npy", &["-x=layers"], &["--categories", &folder.text("categories.txt")]);
    assert!(folder.read("out/rsm/categories.txt").starts_with("animal\ntool\n"));
    let layers: Vec<String> = folder.accuracies().into_iter().map(|(layer, _)| layer).collect();
    assert_eq!(layers, ["conv1", "conv2", "conv10"]);
    let (_, found) = arrays::read_npy(&folder.path("out/rsm/conv2.npy")).unwrap();
    assert_eq!(found, matrix(2).values());
    // A matrix of that name is no scales of another.
    write(&folder.path("layers/scales.npy"), &[&matrix(3)], None, vec![]);
    folder.test("W=W.npy", &["-x=layers"], &[]);
    assert_eq!(folder.accuracies()[3].0, "scales");
    // Times of one array.
    write(&folder.path("meg.npy"), &[&matrix(1), &matrix(2)], None, vec![]);
    folder.write("times.txt", "0 ms\n10 ms\n");
    let said = folder.test("W=W.npy", &["MEG=meg.npy"], &["--layers", &folder.text("times.txt")]);
    let once = format!("0 ms, 10 ms: {}: ", folder.text("meg.npy"));
    assert!(said.contains(&once), "{said}");
    let layers: Vec<String> = folder.accuracies().into_iter().map(|(layer, _)| layer).collect();
    assert_eq!(layers, ["0 ms", "10 ms"]);
    // Names longer than a file's may be, as TensorFlow's converters make them.
    let long = ["a", "b"].map(|end| "model/conv2d/Relu;".repeat(20) + end);
    folder.write("times.txt", long.join("\n"));
    folder.test("W=W.npy", &["MEG=meg.npy"], &["--layers", &folder.text("times.txt")]);
    let layers: Vec<String> = folder.accuracies().into_iter().map(|(layer, _)| layer).collect();
    assert_eq!(layers, long);
    for (layer, seed) in long.iter().zip([1, 2]) {
        let (_, found) = arrays::read_npy(&ResultsDir::new(folder.path("out")).layer_rsm(layer)).unwrap();
        assert_eq!(found, matrix(seed).values());
    }
    folder.write("times.txt", "0 ms\n");
    let said = folder.test_refusal("W=W.npy", &["MEG=meg.npy"], &["--layers", &folder.text("times.txt")]);
    assert!(said.contains("times.txt: 1 lines, expected 2: one name per matrix of"), "{said}");
}

#[test]
fn what_is_no_image_is_not_called_one() {
    let folder = Folder::new();
    write(&folder.path("W.npy"), &[&matrix(1)], None, vec![]);
    write(&folder.path("meg.npy"), &[&matrix(1), &matrix(2)], None, vec![]);
    folder.write("times.txt", "0\n10\n");
    let told = ["--layers", &folder.text("times.txt"), "--axis", "Time (ms)", "--groups-are", "subjects"];
    folder.test("W=W.npy", &["MEG=meg.npy"], &told);
    let figure = folder.read("out/figures/accuracy_images.svg");
    assert!(figure.contains("Time (ms)") && figure.contains("1 subject,") && !figure.contains("Layer"), "{figure}");
    assert!(!figure.contains("of images"), "{figure}");
    let page = folder.read("out/report.html");
    assert!(page.contains("The data were of 1 subject, of which each saw 12 concepts."));
    assert!(!page.contains("The stimuli were") && page.contains("all layers, subjects and word models"));
    let run: serde_json::Value = serde_json::from_str(&folder.read("out/run.json")).unwrap();
    assert_eq!((&run["config"]["axis"], &run["config"]["groups_are"]), (&"Time (ms)".into(), &"subjects".into()));
    let bars = |figure: &str| folder.read(&format!("out/figures/{figure}_images.svg")).matches("<polygon").count();
    let curves = ["accuracy", "matched"].map(bars);
    assert!(figure.contains(">MEG</text>") && figure.contains("data-curve"), "{figure}");
    folder.test("W=W.npy", &["MEG=meg.npy"], &[&told[..], &["--unordered"]].concat());
    // Points, for no accuracy is 0 by chance, and bars of two sums at two places.
    assert_eq!(["accuracy", "matched"].map(bars), [curves[0], curves[1] + 4]);
    assert!(!folder.read("out/figures/accuracy_images.svg").contains("data-curve"));
    let said = folder.test_refusal("W=W.npy", &["MEG=meg.npy"], &["--axis", "a\nb"]);
    assert!(said.contains("--axis"), "{said}");
}

#[test]
fn an_array_of_several_is_named_and_matrices_that_stand_last_find_their_remedy() {
    let folder = Folder::new();
    write(&folder.path("W.npy"), &[&matrix(1)], None, vec![]);
    let mut vectors = features();
    let layer =
        |name, values: &[f64]| DatasetBuilder::typed_data(name, vec![CONCEPTS as u64, UNITS as u64], values).unwrap();
    let good = layer("conv", &vectors);
    vectors[4 * UNITS..5 * UNITS].fill(1.0);
    let file = Hdf5Builder::new().dataset(good).dataset(layer("fc", &vectors)).into_plan().unwrap();
    folder.write("net.h5", file.encode(WriteOptions::default()).unwrap());
    let said = folder.test_refusal("W=W.npy", &["N=net.h5::fc"], &["--features", "images"]);
    assert!(said.contains("net.h5: array \"fc\", row 4, rows counted from 0: all values are the same"), "{said}");
    write_npy(&folder.path("last.npy"), &[12, 12, 5], &[0.5; 720]).unwrap();
    let said = folder.test_refusal("W=W.npy", &["L=last.npy"], &[]);
    assert!(said.contains("[12, 12, 5]") && said.contains("permute(x, [3 1 2])"), "{said}");
    let said = folder.test("W=W.npy", &["L=W.npy"], &["--neighbours", "3"]);
    assert!(said.contains("neighbours: 3 have no effect: neither mknn nor cknna"), "{said}");
}

#[test]
fn a_file_without_a_name_finds_how_to_give_it_one() {
    let said = fail(&["test", "--words", "W=w.npy", "--images", "results/net", "--out", "x"], 2);
    assert!(said.contains("NAME=FOLDER") && said.contains("such as net=results/net"), "{said}");
}

#[test]
fn features_beside_word_vectors_find_the_side_to_name() {
    let folder = Folder::new();
    let lines: String = (0..20).map(|n| format!("word{n} 0.{n} {} {} 1 2.5\n", n * n, n % 3)).collect();
    folder.write("vectors.txt", &lines);
    write_npy(&folder.path("layer.npy"), &[CONCEPTS, UNITS], &features()).unwrap();
    let said = folder.test_refusal("W=vectors.txt", &["L=layer.npy"], &[]);
    assert!(said.contains("layer.npy") && said.contains("features are read with --features images"), "{said}");
    let said = folder.test_refusal("W=vectors.txt", &["L=layer.npy"], &["--features"]);
    assert!(said.contains("--features images leaves the words' file word vectors"), "{said}");
}
