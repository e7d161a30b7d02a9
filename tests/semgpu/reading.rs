//! Nothing is read wrong in silence: what a file says of its rows and columns is believed and checked, what it does not say
//! is asked for.

use hdf5_writer::{DatasetBuilder, Hdf5Builder, WriteOptions};
use semgpu::arrays::{self, write_npy};
use semgpu::results::ResultsDir;
use semgpu::stats::Rsm;

use crate::folder::{CONCEPTS, Folder, NAMES, UNITS, features, matrix, rdms, write};
use crate::{column, fail, succeed};

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
    assert!(page.contains("The data were of 1 subject, each with 12 concepts."));
    assert!(!page.contains("The stimuli were") && page.contains("all layers and word models shared"));
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
    write_npy(&folder.path("times.npy"), &[2, 3, 12, 12], &[0.5; 864]).unwrap();
    let said = folder.test_refusal("W=W.npy", &["T=times.npy"], &[]);
    assert!(said.contains("[2, 3, 12, 12]") && said.contains("--images NAME=FOLDER"), "{said}");
    let said = folder.test("W=W.npy", &["L=W.npy"], &["--neighbours", "3"]);
    assert!(said.contains("neighbours: 3 have no effect: neither mknn nor cknna"), "{said}");
}

#[test]
fn a_file_without_a_name_finds_how_to_give_it_one() {
    let said = fail(&["test", "--words", "W=w.npy", "--images", "results/net", "--out", "x"], 2);
    assert!(said.contains("NAME=FOLDER") && said.contains("such as net=results/net"), "{said}");
}
