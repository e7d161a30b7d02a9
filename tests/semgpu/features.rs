//! Features are read right whoever wrote them: rows, names, tokens, word vectors.

use semgpu::arrays::write_npy;

use crate::folder::{CONCEPTS, Folder, NAMES, UNITS, feature, features, matrix, write};
use crate::{root, succeed};

fn golden(folder: &Folder, name: &str) {
    let archive = std::fs::File::open(root().join("tests/golden/reading.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(archive).unwrap();
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name(name).unwrap(), &mut bytes).unwrap();
    folder.write(name, bytes);
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
    assert!(said.contains("lacks 1 of 12 concepts: unicorn; leave them out of all files, or give"), "{said}");
}

#[test]
fn features_beside_word_vectors_find_the_side_to_name() {
    let folder = Folder::new();
    let lines: String = (0..20).map(|n| format!("word{n} 0.{n} {} {} 1 2.5\n", n * n, n % 3)).collect();
    folder.write("vectors.txt", &lines);
    write_npy(&folder.path("layer.npy"), &[CONCEPTS, UNITS], &features()).unwrap();
    let said = folder.test_refusal("W=vectors.txt", &["L=layer.npy"], &[]);
    assert!(said.contains("layer.npy") && said.contains("features are read with --features images"), "{said}");
    // 300 values are the pairs of 25 concepts, too.
    write_npy(&folder.path("words.npy"), &[CONCEPTS, 300], &vec![0.5; CONCEPTS * 300]).unwrap();
    let said = folder.test_refusal("W=words.npy", &["L=layer.npy"], &[]);
    assert!(said.contains("vectors, a row for each concept, say --features words (word vectors)"), "{said}");
    let said = folder.test_refusal("W=vectors.txt", &["L=layer.npy"], &["--features"]);
    assert!(said.contains("--features images leaves the words' file word vectors"), "{said}");
    // A table of more words than concepts.
    let lines: String = (0..20).map(|n| format!("word{n},0.{n}1,{}.5,{}.25,2.{n}5\n", n * n, n % 3)).collect();
    folder.write("table.csv", format!("word,a,b,c,d\n{lines}"));
    let said = folder.test_refusal("W=table.csv", &["L=layer.npy"], &["--features"]);
    assert!(said.contains("`semgpu similarity FILE --concepts NAMES --out RSM.npy` takes some rows"), "{said}");
}
