//! Matrices as other programs keep them: triangles, lists of pairs, groups of several kinds, regions; and what stands for what.

use semgpu::arrays::write_npy;

use crate::folder::{CONCEPTS, Folder, NAMES, matrix, rdms, texts, write};
use crate::{column, fail, succeed};

const MEASURE: Option<&str> = Some("correlation");

fn value(table: &str, name: &str) -> Vec<f64> {
    column(table, name)
}

#[test]
fn a_triangle_and_a_list_of_pairs_are_the_whole_matrix() {
    let folder = Folder::new();
    let (words, images) = (matrix(1), matrix(2));
    let names = texts(&NAMES);
    write(&folder.path("w.csv"), &[&words], Some(&names), Vec::new());
    write(&folder.path("whole.csv"), &[&images], Some(&names), Vec::new());
    folder.test("W=w.csv", &["L=whole.csv"], &[]);
    let whole = folder.accuracies();
    let header = format!(",{}\n", NAMES.join(","));
    let half = |empty: &str, is_filled: fn(usize, usize) -> bool| {
        let cell = |a: usize, b: usize| if is_filled(a, b) { images.row(a)[b].to_string() } else { empty.to_string() };
        let row = |a: usize| (0..CONCEPTS).map(|b| cell(a, b)).collect::<Vec<_>>().join(",");
        header.clone() + &(0..CONCEPTS).map(|a| format!("{},{}\n", NAMES[a], row(a))).collect::<String>()
    };
    folder.write("lower.csv", half("", |a, b| b <= a));
    folder.write("upper.csv", half("0", |a, b| b >= a));
    // In an order of its own, either concept first.
    let pair = |(a, b): (usize, usize)| format!("{},{},{}\n", NAMES[b], NAMES[a], images.row(a)[b]);
    let pairs = (0..CONCEPTS).rev().flat_map(|a| (0..a).map(move |b| if a % 2 == 0 { (a, b) } else { (b, a) }));
    let lines: Vec<String> = pairs.map(pair).collect();
    folder.write("pairs.csv", format!("a,b,similarity\n{}", lines.concat()));
    for (file, said, more) in [
        ("L=lower.csv", "lower triangle, correlations", &[][..]),
        // Its first column, 1 and then 0, may number the rows.
        ("L=upper.csv", "upper triangle, correlations", &["--index", "1"]),
        ("L=pairs.csv", "pairs, correlations", &["--similarities"]),
    ] {
        let found = folder.test("W=w.csv", &[file], more);
        assert!(found.contains(said), "{found}");
        assert_eq!(folder.accuracies(), whole, "{file}");
    }
    // Lines that end with 1 may lack the diagonal: a model of 0 and 1 without its first line.
    let said = folder.test_refusal("W=w.csv", &["L=lower.csv"], &["--distances", "images"]);
    assert!(said.contains("lower.csv: the matrix: a diagonal of 1, as correlations have, and --distances"), "{said}");
    assert!(said.contains("is of 13 concepts, name its rows, the first of which has no numbers"), "{said}");
    let said = folder.test_refusal("W=w.csv", &["L=pairs.csv"], &[]);
    assert!(said.contains("pairs.csv: no diagonal tells what the entries are: say --similarities images"), "{said}");
    // Numbered lines of numbered pairs.
    let numbered = (0..CONCEPTS).flat_map(|a| (0..a).map(move |b| (a, b))).enumerate();
    let numbered = numbered.map(|(n, (a, b))| format!("{n},{b},{a},{}\n", images.row(a)[b]));
    folder.write("numbered.csv", format!(",i,j,r\n{}", numbered.collect::<String>()));
    write(&folder.path("w.npy"), &[&words], None, Vec::new());
    for more in [&["--similarities", "--by-order"][..], &["--index", "3", "--similarities", "--by-order"]] {
        folder.test("W=w.npy", &["L=numbered.csv"], more);
        assert_eq!(folder.accuracies(), whole, "numbered.csv");
    }
    folder.write("gap.csv", format!("a,b,similarity\n{}", lines[1..].concat()));
    let said = folder.test_refusal("W=w.csv", &["L=gap.csv"], &["--similarities"]);
    assert!(said.contains("1 of 66 pairs of its 12 concepts is missing"), "{said}");
}

#[test]
fn groups_keep_their_names_under_by_order() {
    let folder = Folder::new();
    write(&folder.path("w.npy"), &[&matrix(1)], None, Vec::new());
    let [a, b, c] = [2, 3, 4].map(matrix);
    let of = |region: &'static str| [region; 3];
    let [v1, it] = [of("V1"), of("IT")];
    rdms(
        &folder.path("b.h5"),
        &[&a, &b, &c, &c, &a, &b],
        MEASURE,
        &[
            ("rdm_descriptors/subject", &["s1", "s2", "s3", "s3", "s1", "s2"]),
            ("rdm_descriptors/roi", &[v1, it].concat()),
        ],
    );
    folder.test("W=w.npy", &["B=b.h5"], &["--by-order"]);
    let table = folder.read("out/groups.csv");
    let rows = || column::<String>(&table, "layer").into_iter().zip(column::<String>(&table, "group"));
    let of_region = |region: &str| -> Vec<(String, f64)> {
        let rows = rows().zip(value(&table, "accuracy"));
        rows.filter(|((layer, _), _)| layer == region).map(|((_, group), accuracy)| (group, accuracy)).collect()
    };
    assert_eq!(of_region("V1").len(), 3, "{table}");
    assert_eq!(of_region("V1"), of_region("IT"), "the same matrices of the same subjects");
}

#[test]
fn what_is_a_subjects_own_is_told_and_sessions_are_no_subjects() {
    let folder = Folder::new();
    write(&folder.path("w.npy"), &[&matrix(1)], None, Vec::new());
    let [a, b, c, d] = [2, 3, 4, 5].map(matrix);
    let subjects: (&str, &[&str]) = ("rdm_descriptors/subject", &["s1", "s1", "s2", "s2"]);
    rdms(
        &folder.path("age.h5"),
        &[&a, &b],
        MEASURE,
        &[("rdm_descriptors/subject", &["s1", "s2"]), ("rdm_descriptors/age", &["20", "30"])],
    );
    let said = folder.test_refusal("W=w.npy", &["A=age.h5"], &["--groups-are", "subjects"]);
    assert!(said.contains("a descriptor of the groups' own, such as an age"), "{said}");
    let said = folder.test("W=w.npy", &["A=age.h5"], &["--by-order", "--groups-are", "subjects"]);
    assert!(said.contains("groups are paired as they stand"), "{said}");
    rdms(
        &folder.path("ses.h5"),
        &[&a, &b, &c, &d],
        MEASURE,
        &[subjects, ("rdm_descriptors/session", &["1", "2", "1", "2"])],
    );
    let said = folder.test_refusal("W=w.npy", &["A=ses.h5"], &["--by-order", "--groups-are", "subjects"]);
    assert!(
        said.contains("told apart by session and subject") || said.contains("told apart by subject and session"),
        "{said}"
    );
    folder.test("W=w.npy", &["A=ses.h5"], &["--by-order", "--groups-are", "sessions"]);
}

#[test]
fn the_folder_of_a_runs_matrices_has_its_layers_in_their_order() {
    let folder = Folder::new();
    for (name, seed) in [("w", 1), ("x", 2), ("y", 3), ("z", 4)] {
        write(&folder.path(&format!("{name}.npy")), &[&matrix(seed)], None, Vec::new());
    }
    let layers = ["pixels=x.npy", "fire10=y.npy", "conv2=z.npy"];
    folder.test("W=w.npy", &layers, &["--by-order"]);
    let before = folder.accuracies();
    std::fs::rename(folder.path("out"), folder.path("first")).unwrap();
    folder.test("W=w.npy", &["S=first/rsm"], &["--by-order"]);
    assert_eq!(folder.accuracies(), before);
    let said = folder.test_refusal("W=w.npy", &["S=first"], &["--by-order"]);
    assert!(said.contains("a space for --measure NAME (2v2, "), "{said}");
}

#[test]
fn regions_are_compared_by_their_names() {
    let folder = Folder::new();
    for (name, seed) in [("w", 1), ("x", 2), ("y", 3), ("z", 4)] {
        write(&folder.path(&format!("{name}.npy")), &[&matrix(seed)], None, Vec::new());
    }
    let more = |network| ["--by-order", "--unordered", "--network", network];
    for (network, layers) in [
        ("S1", ["V1=x.npy", "LO=y.npy", "IT=z.npy"]),
        ("S2", ["IT=z.npy", "V1=x.npy", "LO=y.npy"]),
        ("S3", ["A=x.npy", "B=y.npy", "C=z.npy"]),
    ] {
        let said = folder.test("W=w.npy", &layers, &more(network));
        // None of them is the first.
        assert!(said.contains("\nW: best layer "), "{said}");
        std::fs::rename(folder.path("out"), folder.path(network)).unwrap();
    }
    let [one, two, three, out] = ["S1", "S2", "S3", "compared"].map(|name| folder.text(name));
    succeed(&["compare", &one, &two, "--out", &out]);
    let table = folder.read("compared/compare.csv");
    assert_eq!(column::<String>(&table, "layer_a"), column::<String>(&table, "layer_b"));
    assert!(value(&table, "difference").iter().all(|&difference| difference == 0.0), "{table}");
    let output = succeed(&["compare", &one, &three, "--out", &out]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("they have no layer name in common"), "{said}");
    // Times are what they are called, networks' layers the nearest in depth.
    for (network, layers, axis) in [
        ("T1", ["0 ms=x.npy", "100 ms=y.npy", "200 ms=z.npy"], "Time"),
        ("T2", ["100 ms=y.npy", "200 ms=z.npy", "300 ms=x.npy"], "Time (ms)"),
        ("N1", ["conv1=x.npy", "conv2=y.npy", "fc=z.npy"], "Layer"),
        ("N2", ["conv1=x.npy", "block2=y.npy", "fc1=z.npy"], "Layer"),
    ] {
        let said = folder.test("W=w.npy", &layers, &["--by-order", "--axis", axis, "--network", network]);
        let (first, _) = layers[0].split_once('=').unwrap();
        assert!(said.contains(&format!("\nW: {first} ")) && said.contains(", best layer "), "{said}");
        std::fs::rename(folder.path("out"), folder.path(network)).unwrap();
    }
    let [t1, t2, n1, n2] = ["T1", "T2", "N1", "N2"].map(|name| folder.text(name));
    let output = succeed(&["compare", &t1, &t2, "--out", &out]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("T1: 0 ms: T2 has none of these; not tested"));
    let table = folder.read("compared/compare.csv");
    assert_eq!(column::<String>(&table, "layer_b"), ["100 ms", "200 ms"]);
    succeed(&["compare", &n1, &n2, "--out", &out]);
    assert_eq!(column::<String>(&folder.read("compared/compare.csv"), "layer_b"), ["conv1", "block2", "fc1"]);
    // Without an order none comes next.
    succeed(&["compare", &one, "--out", &out]);
    assert!(column::<String>(&folder.read("compared/within.csv"), "kind").iter().all(|kind| kind == "best"));
}

#[test]
fn each_side_may_say_what_its_entries_are() {
    let folder = Folder::new();
    let names = texts(&NAMES);
    let (words, images) = (matrix(1), matrix(2));
    write(&folder.path("w.csv"), &[&words], Some(&names), Vec::new());
    write(&folder.path("l.csv"), &[&images], Some(&names), Vec::new());
    folder.test("W=w.csv", &["L=l.csv"], &[]);
    let whole = folder.accuracies();
    let above: Vec<f64> = semgpu::stats::rsa::upper(&words);
    write_npy(&folder.path("condensed.npy"), &[above.len()], &above).unwrap();
    let distances: Vec<f64> = images.values().iter().map(|r| (1.0 - r).clamp(0.0, 1.0)).collect();
    write_npy(&folder.path("distances.npy"), &[CONCEPTS, CONCEPTS], &distances).unwrap();
    let told: Vec<f64> = images.values().iter().map(|r| 1.0 - r).collect();
    write_npy(&folder.path("told.npy"), &[CONCEPTS, CONCEPTS], &told).unwrap();
    folder.test("W=condensed.npy", &["L=told.npy"], &["--similarities", "words"]);
    assert_eq!(folder.accuracies(), whole);
    folder.test("W=condensed.npy", &["L=told.npy"], &["--similarities", "words", "--distances", "images"]);
    assert_eq!(folder.accuracies(), whole);
    // A diagonal against what is said of it; where a side is named, correlations may have one of 0.
    let said = folder.test_refusal("W=condensed.npy", &["L=distances.npy"], &["--similarities"]);
    assert!(
        said.contains("distances.npy: the matrix: a diagonal of 0, as distances have, and --similarities"),
        "{said}"
    );
    for more in [&["--distances"][..], &["--distances", "images"]] {
        let said = folder.test_refusal("W=told.npy", &["L=l.csv"], more);
        assert!(said.contains("l.csv: the matrix: a diagonal of 1, as correlations have, and --distances"), "{said}");
        assert!(said.contains("say --distances words alone"), "{said}");
    }
    folder.test("W=told.npy", &["L=l.csv"], &["--distances", "words"]);
    // What is controlled for is no image.
    let pairs: Vec<f64> = semgpu::stats::rsa::upper(&images).iter().map(|r| 1.0 - r).collect();
    write_npy(&folder.path("pairs.npy"), &[pairs.len()], &pairs).unwrap();
    write(&folder.path("given.csv"), &[&matrix(3)], Some(&names), Vec::new());
    let given = format!("G={}", folder.text("given.csv"));
    let said = folder.test("W=w.csv", &["L=pairs.npy"], &["--distances", "images", "--given", &given]);
    assert!(said.contains("given.csv: 1 x 12 concepts, square, correlations"), "{said}");
    let said = folder.test("W=condensed.npy", &["L=distances.npy"], &["--similarities", "both"]);
    assert!(
        said.contains("distances.npy has a diagonal of 0") && said.contains("--similarities words alone"),
        "{said}"
    );
    let both = ["--similarities", "--distances", "images"];
    let said = folder.test_refusal("W=condensed.npy", &["L=told.npy"], &both);
    assert!(said.contains("one of the two for each side"), "{said}");
    // Stacked rows as many as their units are none.
    let rows: Vec<f64> = (0..25).map(|n| (n * n % 7) as f64).collect();
    write_npy(&folder.path("rows.npy"), &[5, 5], &rows).unwrap();
    succeed(&["similarity", &folder.text("rows.npy"), "--out", &folder.text("rows.h5"), "--device", "cpu"]);
    // A matrix where vectors are expected.
    let said = folder.test("W=w.csv", &["L=l.csv"], &["--features", "images"]);
    assert!(said.contains("l.csv: a similarity matrix, by its diagonal and symmetry"), "{said}");
    let twice: Vec<f64> =
        (0..2).flat_map(|_| (0..25).map(|n| if n % 6 == 0 { 1.0 } else { 0.1 * ((n / 5 + n % 5) as f64) })).collect();
    write_npy(&folder.path("groups.npy"), &[2, 5, 5], &twice).unwrap();
    let into = ["similarity", &folder.text("groups.npy"), "--out", &folder.text("again.npy"), "--device", "cpu"];
    let said = String::from_utf8(succeed(&into).stderr).unwrap();
    assert!(said.contains("groups.npy: a similarity matrix, by its diagonal and symmetry"), "{said}");
}

#[test]
fn copies_and_options_without_effect_are_told() {
    let folder = Folder::new();
    let [a, b] = [2, 3].map(matrix);
    write(&folder.path("w.npy"), &[&matrix(1)], None, Vec::new());
    write(&folder.path("l.npy"), &[&b], None, Vec::new());
    write(&folder.path("copies.npy"), &[&a, &b, &a], None, Vec::new());
    let said = folder.test("W=w.npy", &["L=copies.npy"], &["--by-order"]);
    assert!(said.contains("groups 1 and 3 have the same matrix in every layer"), "{said}");
    let said = folder.test("W=w.npy", &["L=l.npy"], &["--by-order", "--groups-are", "subjects"]);
    assert!(said.contains("--groups-are subjects: no effect: every layer has one matrix"), "{said}");
    write(&folder.path("copied.npy"), &[&a, &a, &a], None, Vec::new());
    let over = ["--by-order", "--rsa", "pearson", "--generalise", "groups", "--bootstrap", "50"];
    folder.test("W=w.npy", &["L=copied.npy"], &over);
    let p: Vec<String> = column(&folder.read("out/intervals.csv"), "p_value");
    assert!(p.iter().all(|p| p != "0" && p != "0.0"), "{p:?}");
    let categories: Vec<&str> = NAMES.iter().enumerate().map(|(n, _)| ["animal", "thing"][n % 2]).collect();
    folder.write("categories.txt", categories.join("\n"));
    let file = folder.text("categories.txt");
    let said = folder.test_refusal("W=w.npy", &["L=l.npy"], &["--by-order", "--given", "category"]);
    assert!(said.contains("categories are said by --categories FILE"), "{said}");
    let p = |more: &[&str]| {
        folder.test("W=w.npy", &["L=l.npy"], &[&["--by-order"], more].concat());
        value(&folder.read("out/accuracy.csv"), "p_value")
    };
    let given = ["--categories", &file, "--given", "category"];
    assert_eq!(p(&[&given[..], &["--across-categories"]].concat()), p(&[]), "the draws of a test without categories");
    let said = fail(&["test", "--words", "W=w", "--images", "L=l", "--out", "x", "--across-categories"], 2);
    assert!(said.contains("--categories"), "{said}");
}
