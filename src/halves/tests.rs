//! Names that a file has, and what becomes of those that cannot be used.

mod rows;

use std::path::PathBuf;

use npyz::WriterBuilder;

use super::*;
use crate::config::{Spaces, TestRequest};
use crate::device::Choice;
use crate::features::{Features, Layout};
use crate::matrices::Source;
use crate::progress::Progress;
use crate::stats::similarity::rsm_of_rows;

const CONCEPTS: usize = 8;
const UNITS: usize = 5;
const NAMES: [&str; CONCEPTS] = ["ant", "bee", "cow", "dog", "elk", "fox", "gnu", "hen"];

fn value(concept: usize, unit: usize) -> f32 {
    ((concept * concept * 31 + concept * unit * 7 + unit * unit * 3) % 97) as f32 / 7.0
}

fn rows() -> Vec<f32> {
    (0..CONCEPTS * UNITS).map(|n| value(n / UNITS, n % UNITS)).collect()
}

/// Entries of the concepts' matrix in an order.
fn entries(order: &[usize]) -> Vec<f64> {
    let rsm = rsm_of_rows(&rows(), CONCEPTS, UNITS).unwrap();
    order.iter().flat_map(|&row| order.iter().map(move |&column| (row, column))).map(|(i, j)| rsm.row(i)[j]).collect()
}

/// Lines of a name and the numbers behind it.
fn table(names: &[&str], values: &[f64]) -> String {
    let line = |(name, row): (&&str, &[f64])| {
        name.to_string() + &row.iter().map(|value| format!(",{value}")).collect::<String>() + "\n"
    };
    names.iter().zip(values.chunks(values.len() / names.len())).map(line).collect()
}

fn in_order() -> Vec<usize> {
    (0..CONCEPTS).collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.matrix("plain.npy");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// The matrix in a file that names nothing.
    fn matrix(&self, name: &str) {
        crate::arrays::write_npy(&self.path(name), &[CONCEPTS, CONCEPTS], &entries(&in_order())).unwrap();
    }

    /// The matrix in an archive, beside lists of texts.
    fn archive(&self, name: &str, texts: &[&[&str]]) {
        self.stored(name, &[CONCEPTS as u64; 2], &entries(&in_order()), texts);
    }

    /// An array in an archive, beside lists of texts.
    fn stored(&self, name: &str, shape: &[u64], values: &[f64], texts: &[&[&str]]) {
        let mut archive = zip::ZipWriter::new(std::fs::File::create(self.path(name)).unwrap());
        archive.start_file("rsm.npy", zip::write::SimpleFileOptions::default()).unwrap();
        let mut array = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut archive).begin_nd().unwrap();
        array.extend(values.iter().copied()).unwrap();
        array.finish().unwrap();
        for (n, list) in texts.iter().enumerate() {
            archive.start_file(format!("texts{n}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
            let (dtype, shape) = (npyz::DType::new_scalar("<U6".parse().unwrap()), [list.len() as u64]);
            let mut array =
                npyz::WriteOptions::new().dtype(dtype).shape(&shape).writer(&mut archive).begin_nd().unwrap();
            array.extend(list.iter().map(|text| text.to_string())).unwrap();
            array.finish().unwrap();
        }
        archive.finish().unwrap();
    }

    fn source(&self, name: &str) -> Source {
        Source { name: name.to_string(), path: self.path(name), array: None, given: None }
    }

    /// What a test of words and images warns of, or refuses them by.
    fn test(&self, words: &str, images: &str, ask: impl FnOnce(&mut TestRequest)) -> Result<String, String> {
        let mut request = TestRequest::new(vec![self.source(words)], vec![self.source(images)], self.path("out"));
        (request.options.permutations, request.device) = (20, Choice::Cpu);
        ask(&mut request);
        let test = Test::new(request, &Progress::silent()).map_err(|error| error.to_string())?;
        let (results, warnings) = test.results(&Progress::silent()).map_err(|error| error.to_string())?;
        assert_eq!(results.accuracy[0].accuracy, 1.0, "each concept meets itself");
        Ok(warnings.join("\n"))
    }
}

#[test]
fn names_that_cannot_be_used_are_never_dropped_in_silence() {
    let folder = Folder::new();
    let mut twice = NAMES;
    twice[4] = "bee";
    folder.write("names.txt", NAMES.join("\n"));
    let names = folder.path("names.txt");
    let listed = |request: &mut TestRequest| request.concepts = Some(names.clone());
    let features: Vec<f64> = rows().into_iter().map(f64::from).collect();
    folder.write("twice.csv", table(&twice, &entries(&in_order())));
    folder.write("features.csv", table(&twice, &features));
    folder.write("good.csv", table(&NAMES, &features));
    folder.matrix("list.npy");
    folder.write("list.concepts.txt", twice.join("\n"));
    folder.matrix("short.npy");
    folder.write("short.concepts.txt", NAMES[1..].join("\n"));
    let twice_said = "names of the concepts: \"bee\" stands twice, in rows 1 and 4 (from 0)";
    for (file, at, said) in [
        ("twice.csv", "twice.csv", twice_said),
        ("list.npy", "list.concepts.txt", twice_said),
        ("short.npy", "short.concepts.txt", "names of the concepts: 7 names, expected 8"),
    ] {
        for refused in [folder.test("plain.npy", file, listed), folder.test(file, "plain.npy", |_| ())] {
            let refused = refused.unwrap_err();
            assert!(refused.contains(at) && refused.contains(said) && refused.contains("--by-order"), "{refused}");
        }
        assert_eq!(folder.test("plain.npy", file, |request| request.by_order = true), Ok(String::new()));
    }
    // A line without a name is called so.
    let mut gap = NAMES;
    gap[4] = "";
    folder.write("short.concepts.txt", gap.join("\n") + "\n\n");
    let refused = folder.test("short.npy", "plain.npy", |_| ()).unwrap_err();
    assert!(refused.contains("7 names, expected 8; line 5 is blank, and names none"), "{refused}");
    let refused = folder.test("plain.npy", "plain.npy", |request| {
        request.concepts = Some(folder.path("short.concepts.txt"));
    });
    let refused = refused.unwrap_err();
    assert!(refused.contains("7 lines, expected 8") && refused.contains("line 5 is blank"), "{refused}");
    let of_images = |request: &mut TestRequest| request.features = Some(Spaces::Images);
    let refused = folder.test("plain.npy", "features.csv", of_images).unwrap_err();
    assert!(refused.contains("features.csv") && refused.contains(twice_said), "{refused}");
    assert!(folder.test("plain.npy", "good.csv", of_images).is_ok());
    // Names of columns do not make up for those of rows.
    let header = format!(",{}\n", NAMES.join(","));
    folder.write("columns.csv", header + &table(&twice, &entries(&in_order())));
    assert!(folder.test("plain.npy", "columns.csv", listed).unwrap_err().contains(twice_said));
}

#[test]
fn texts_that_may_name_something_else_are_no_obstacle_and_no_secret() {
    let folder = Folder::new();
    folder.write("names.txt", NAMES.join("\n"));
    let names = folder.path("names.txt");
    let listed = |request: &mut TestRequest| request.concepts = Some(names.clone());
    let categories = ["a", "a", "a", "a", "b", "b", "b", "b"];
    folder.archive("named.npz", &[&categories, &NAMES, &["x", "y"]]);
    assert_eq!(folder.test("plain.npy", "named.npz", listed), Ok(String::new()));
    for (file, texts, why) in [
        ("categories.npz", &categories[..], "a, a, a, …: not taken for the names of the concepts: \"a\" stands twice"),
        ("units.npz", &["x", "y"][..], "x, y: not taken for the names of the concepts: 2 names, expected 8"),
    ] {
        folder.archive(file, &[texts]);
        let said = folder.test("plain.npy", file, listed).unwrap();
        assert!(said.contains(file) && said.contains(why), "{said}");
    }
    // A list of the folder's other matrices.
    folder.write("concepts.txt", "x\ny\n");
    let said = folder.test("named.npz", "plain.npy", listed).unwrap();
    assert!(said.contains("concepts.txt: x, y: not taken for the names of the concepts of "), "{said}");
}

#[test]
fn numbers_out_of_order_are_places_that_are_believed_or_refused() {
    let folder = Folder::new();
    let order = [3, 0, 7, 1, 6, 2, 5, 4];
    for first in [0, 1] {
        let numbers: Vec<String> = order.iter().map(|n| (n + first).to_string()).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let counted: Vec<String> = (first..first + CONCEPTS).map(|n| n.to_string()).collect();
        let counted: Vec<&str> = counted.iter().map(String::as_str).collect();
        folder.write("shuffled.csv", table(&numbers, &entries(&order)));
        folder.write("counted.csv", table(&counted, &entries(&in_order())));
        for other in ["counted.csv", "plain.npy"] {
            for refused in [folder.test(other, "shuffled.csv", |_| ()), folder.test("shuffled.csv", other, |_| ())] {
                let refused = refused.unwrap_err();
                assert!(refused.contains("shuffled.csv: numbers its rows in another order"), "{refused}");
                assert!(refused.contains(other) && refused.contains("sort_index"), "{refused}");
            }
        }
        assert_eq!(folder.test("counted.csv", "plain.npy", |_| ()), Ok(String::new()));
        // Numbers in both are names.
        folder.write("reversed.csv", {
            let (order, numbers): (Vec<usize>, Vec<&str>) =
                (order.iter().rev().copied().collect(), numbers.iter().rev().copied().collect());
            table(&numbers, &entries(&order))
        });
        assert_eq!(folder.test("shuffled.csv", "reversed.csv", |_| ()), Ok(String::new()));
    }
    // Beside names they are none, but the rows were in another order.
    let head = (0..CONCEPTS).map(|n| format!(",V{}", n + 1)).collect::<String>();
    let rows = table(&order.map(|n| NAMES[n]), &entries(&order));
    let rows: String = rows.lines().zip(order).map(|(row, n)| format!("{n},{row}\n")).collect();
    folder.write("both.csv", format!(",concept{head}\n{rows}"));
    folder.archive("named.npz", &[&NAMES]);
    assert_eq!(folder.test("both.csv", "named.npz", |_| ()), Ok(String::new()));
    let refused = folder.test("both.csv", "plain.npy", |_| ()).unwrap_err();
    assert!(
        refused.contains("both.csv: numbers its rows in another order than they stand in (3, 0, 7, 1"),
        "{refused}"
    );
    let features = Features::open(&folder.path("both.csv"), &Layout::default()).unwrap();
    assert_eq!((features.concept_names().unwrap()[0].as_str(), features.doubt().unwrap()), ("dog", None));
}

#[test]
fn two_vectors_of_one_concept_are_refused() {
    let folder = Folder::new();
    let features: Vec<f64> = rows().into_iter().map(f64::from).collect();
    let mut twice = NAMES;
    twice[4] = "bee";
    folder.write("twice.csv", table(&twice, &features));
    folder.write("groups.csv", table(&NAMES, &features) + &table(&NAMES, &features));
    let open = |file: &str, concepts: &[&str], groups| {
        let concepts = Some(concepts.iter().map(|name| name.to_string()).collect());
        Features::open(&folder.path(file), &Layout { concepts, groups, ..Layout::default() })
    };
    let refused = open("twice.csv", &["ant", "bee", "cow"], None).err().unwrap().to_string();
    assert!(refused.contains("twice.csv: \"bee\"") && refused.contains("rows 1 and 4 (from 0)"), "{refused}");
    assert!(open("twice.csv", &["ant", "cow"], None).is_ok());
    let refused = open("groups.csv", &NAMES, None).err().unwrap().to_string();
    assert!(refused.contains("rows 0 and 8 (from 0)") && refused.contains("--groups"), "{refused}");
    assert!(open("groups.csv", &NAMES, Some(2)).is_ok());
    // Two rows of each concept beside each other are no groups.
    folder.write("beside.csv", table(&NAMES.map(|name| [name; 2]).concat(), &features.repeat(2)));
    for concepts in [None, Some(NAMES.map(String::from).to_vec())] {
        let layout = Layout { concepts, groups: Some(2), ..Layout::default() };
        let refused = Features::open(&folder.path("beside.csv"), &layout).err().unwrap().to_string();
        assert!(refused.contains("--groups 2: rows 0 and 1 (from 0) of one group are both \"ant\""), "{refused}");
    }
    // Without --concepts their matrix has no names, which is said.
    let doubt = Features::open(&folder.path("twice.csv"), &Layout::default()).unwrap().doubt().unwrap().unwrap();
    assert!(doubt.contains("\"bee\" stands twice, in rows 1 and 4 (from 0); the matrix gets none"), "{doubt}");
}

#[test]
fn an_array_beside_a_list_of_its_words_is_word_vectors() {
    let folder = Folder::new();
    // More words than concepts, and in another order.
    let order = [6, 2, 0, 1, 7, 3, 5, 4];
    let vector = |concept: usize| (0..UNITS).map(move |unit| f64::from(value(concept, unit)));
    let others = (20..24).flat_map(vector);
    let values: Vec<f64> = order.iter().flat_map(|&concept| vector(concept)).chain(others).collect();
    crate::arrays::write_npy(&folder.path("model.npy"), &[CONCEPTS + 4, UNITS], &values).unwrap();
    let words: Vec<&str> = order.iter().map(|&concept| NAMES[concept]).chain(["w", "x", "y", "z"]).collect();
    folder.write("names.txt", NAMES.join("\n"));
    let names = folder.path("names.txt");
    let listed = |request: &mut TestRequest| request.concepts = Some(names.clone());
    let refused = folder.test("model.npy", "plain.npy", listed).unwrap_err();
    assert!(refused.contains("model.npy: shape [12, 5]"), "{refused}");
    folder.write("model.txt", words.join("\n"));
    assert_eq!(folder.test("model.npy", "plain.npy", listed), Ok(String::new()));
    let request = |concepts: Option<Vec<String>>| SimilarityRequest {
        features: vec![folder.path("model.npy")],
        layout: Layout { concepts, ..Layout::default() },
        lists: Vec::new(),
        out: folder.path("rsm.npy"),
        distances: false,
        device: Choice::Cpu,
    };
    similarity(&request(Some(NAMES.map(String::from).to_vec())), &Progress::silent()).unwrap();
    assert_eq!(crate::arrays::read_npy(&folder.path("rsm.npy")).unwrap().1, entries(&in_order()));
    // As features, whose rows are all asked for.
    crate::arrays::write_npy(&folder.path("features.npy"), &[CONCEPTS, UNITS], &values[..CONCEPTS * UNITS]).unwrap();
    folder.write("features.txt", words[..CONCEPTS].join("\n"));
    let features = |request: &mut TestRequest| {
        (request.concepts, request.features) = (Some(names.clone()), Some(Spaces::Words));
    };
    assert_eq!(folder.test("features.npy", "plain.npy", features), Ok(String::new()));
    // Another list in another order is refused, of other words it is told.
    folder.write("model.vocab", words.iter().rev().copied().collect::<Vec<_>>().join("\n"));
    let refused = similarity(&request(Some(NAMES.map(String::from).to_vec())), &Progress::silent()).unwrap_err();
    assert!(refused.to_string().contains("have them in different orders"), "{refused}");
    folder.write("model.vocab", "ant 7");
    let read = crate::vectors::read(&folder.path("model.npy"), &["ant".to_string()]).unwrap();
    assert!(read.warnings[0].contains("model.vocab: not read"), "{:?}", read.warnings);
    std::fs::remove_file(folder.path("model.vocab")).unwrap();
    // A list of another length is none of its words.
    folder.write("model.txt", words[1..].join("\n"));
    assert!(folder.test("model.npy", "plain.npy", listed).is_err());
    // What is square is a matrix, whatever lies beside it.
    folder.write("plain.txt", NAMES.join("\n"));
    assert_eq!(folder.test("plain.npy", "plain.npy", listed), Ok(String::new()));
}

#[test]
fn text_of_as_many_word_vectors_as_values_is_a_matrix_unless_the_file_says_otherwise() {
    let folder = Folder::new();
    let square: Vec<f64> = (0..CONCEPTS * CONCEPTS).map(|n| value(n / CONCEPTS, n % CONCEPTS).into()).collect();
    folder.write("features.csv", table(&NAMES, &square));
    let text = table(&NAMES, &square).replace(',', " ");
    folder.write("words.txt", &text);
    let of_images = |request: &mut TestRequest| request.features = Some(Spaces::Images);
    let refused = folder.test("words.txt", "features.csv", of_images).unwrap_err();
    assert!(refused.contains("is it a similarity matrix? `semgpu similarity` makes one of vectors"), "{refused}");
    assert!(refused.ends_with("are told by the ending .vec"), "{refused}");
    folder.write("words.vec", &text);
    folder.write("counted.txt", format!("{CONCEPTS} {CONCEPTS}\n{text}"));
    for file in ["words.vec", "counted.txt"] {
        assert!(folder.test(file, "features.csv", of_images).is_ok(), "{file}");
    }
}

#[test]
fn lists_of_names_that_order_a_file_in_two_ways_are_refused() {
    let folder = Folder::new();
    let (mut sorted, ids) = (NAMES, ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"]);
    sorted.reverse();
    folder.archive("named.npz", &[&NAMES]);
    folder.archive("vocabulary.npz", &[&sorted, &NAMES]);
    let refused = folder.test("named.npz", "vocabulary.npz", |_| ()).unwrap_err();
    assert!(
        refused.contains("vocabulary.npz: names of the concepts: two lists of them have other orders"),
        "{refused}"
    );
    assert_eq!(folder.test("named.npz", "vocabulary.npz", |request| request.by_order = true), Ok(String::new()));

    // As they stand they are called as the first file, or the list beside it, calls them.
    folder.matrix("listed.npy");
    folder.write("listed.concepts.txt", sorted.join("\n"));
    for [words, images] in [["named.npz", "listed.npy"], ["listed.npy", "named.npz"]] {
        let said = folder.test(words, images, |request| request.by_order = true).unwrap();
        assert!(said.contains(&format!("{images} names its concepts otherwise")), "{said}");
    }

    // Rows that are numbered in both, beside names: one order by the numbers, another by the names.
    folder.archive("ids.npz", &[&ids, &NAMES]);
    folder.archive("other.npz", &[&ids, &sorted]);
    assert_eq!(folder.test("ids.npz", "ids.npz", |_| ()), Ok(String::new()));
    let refused = folder.test("ids.npz", "other.npz", |_| ()).unwrap_err();
    assert!(refused.contains("share two lists of names, that of \"r0\" and that of \"ant\""), "{refused}");
    // Of other numbers the names are meant.
    let others = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];
    folder.archive("others.npz", &[&others, &NAMES]);
    assert_eq!(folder.test("ids.npz", "others.npz", |_| ()), Ok(String::new()));
}

#[test]
fn a_list_of_names_that_is_not_read_is_told_and_a_column_of_names_is_read() {
    let folder = Folder::new();
    folder.archive("named.npz", &[&NAMES]);
    let mut sorted = NAMES;
    sorted.reverse();
    let order: Vec<usize> = in_order().into_iter().rev().collect();
    let header = |descr: &str, shape: &str| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes
    };
    let texts: Vec<u8> = sorted.iter().flat_map(|name| name.bytes().chain([0; 3])).collect();
    let write = |file: &str, names: Vec<u8>| {
        let mut archive = zip::ZipWriter::new(std::fs::File::create(folder.path(file)).unwrap());
        let values: Vec<u8> = entries(&order).iter().flat_map(|value| value.to_le_bytes()).collect();
        for (name, bytes) in [("rsm.npy", [header("<f8", "8, 8"), values].concat()), ("names.npy", names)] {
            archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut archive, &bytes).unwrap();
        }
        archive.finish().unwrap();
    };
    for shape in ["8, 1", "1, 8"] {
        write("column.npz", [header("|S6", shape), texts.clone()].concat());
        assert_eq!(folder.test("named.npz", "column.npz", |_| ()), Ok(String::new()), "{shape}");
    }
    write("objects.npz", [header("|O", "8,"), b"pickled".to_vec()].concat());
    let said = folder.test("objects.npz", "objects.npz", |_| ()).unwrap();
    assert!(said.contains("objects.npz: names: not taken for the names of the concepts: an array of Python"), "{said}");
    let open = |concepts| Features::open(&folder.path("objects.npz"), &Layout { concepts, ..Layout::default() });
    let doubt = open(None).unwrap().doubt().unwrap().unwrap();
    assert!(doubt.contains("names: not taken for the names of the rows: an array of Python"), "{doubt}");
    let refused = open(Some(vec!["ant".to_string()])).err().unwrap().to_string();
    assert!(refused.contains("names none") && refused.contains("(names is an array of Python"), "{refused}");
}

#[test]
fn features_are_named_by_whichever_of_their_lists_is_meant() {
    let folder = Folder::new();
    let features: Vec<f64> = rows().into_iter().map(f64::from).collect();
    let others = ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"].map(|id| format!("x{id}y"));
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    let mut sorted = NAMES;
    sorted.reverse();
    let archive =
        |file: &str, lists: &[&[&str]]| folder.stored(file, &[CONCEPTS as u64, UNITS as u64], &features, lists);
    archive("both.npz", &[&others, &NAMES]);
    archive("orders.npz", &[&sorted, &NAMES]);
    folder.archive("named.npz", &[&NAMES]);
    // In a test the other file's.
    let as_features = |request: &mut TestRequest| request.features = Some(Spaces::Words);
    assert_eq!(folder.test("both.npz", "named.npz", as_features), Ok(String::new()));
    let refused = folder.test("orders.npz", "named.npz", as_features).unwrap_err();
    assert!(refused.contains("two lists of them have other orders"), "{refused}");
    // For their matrix the first, which is told.
    let open = |file: &str, concepts: Option<&[&str]>| {
        let concepts = concepts.map(|names| names.iter().map(|name| name.to_string()).collect());
        Features::open(&folder.path(file), &Layout { concepts, ..Layout::default() })
    };
    let doubt = open("both.npz", None).unwrap().doubt().unwrap().unwrap();
    assert!(doubt.contains("two lists name the concepts (xr0y, … and ant, …)"), "{doubt}");
    assert!(open("both.npz", Some(&["hen", "ant"])).is_ok() && open("both.npz", Some(&["xr3y", "xr1y"])).is_ok());
    // A name that no list has is missed in the one that has the others.
    let refused = open("both.npz", Some(&["hen", "ant", "hne"])).err().unwrap().to_string();
    assert!(refused.contains("names 1 that no vector has (hne); the file has ant, "), "{refused}");
    let images: Vec<String> = (1..=CONCEPTS).map(|n| format!("img{n}")).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    archive("images.npz", &[&images, &NAMES]);
    let doubt = open("images.npz", None).unwrap().doubt().unwrap().unwrap();
    assert!(doubt.contains("two lists name the concepts (img1, … and ant, …)"), "{doubt}");
    // The user's names are meant, whatever others the file has.
    let rows = Some(NAMES.map(String::from).to_vec());
    for file in ["both.npz", "orders.npz", "images.npz"] {
        let told = Features::open(&folder.path(file), &Layout { rows: rows.clone(), ..Layout::default() }).unwrap();
        assert_eq!((told.concept_names().unwrap(), told.doubt().unwrap()), (&NAMES.map(String::from).to_vec(), None));
    }
    for refused in [open("orders.npz", None).unwrap().doubt().err(), open("orders.npz", Some(&["hen", "ant"])).err()] {
        let refused = refused.unwrap().to_string();
        assert!(refused.contains("orders.npz: two lists name its rows") && refused.contains("--rows"), "{refused}");
    }
    // Of groups that stand one after the other.
    let twice = [&features[..], &features].concat();
    let grouped = |second: &[&str]| {
        folder.write("groups.csv", table(&NAMES, &features) + &table(second, &twice[features.len()..]));
        Features::open(&folder.path("groups.csv"), &Layout { groups: Some(2), ..Layout::default() })
    };
    assert_eq!(grouped(&NAMES).unwrap().concept_names().unwrap(), &NAMES);
    let refused = grouped(&sorted).err().unwrap().to_string();
    assert!(refused.contains("group 2 has the names of the first in another order"), "{refused}");
    let mut again = NAMES;
    again[3] = "ant";
    let doubt = grouped(&again).unwrap().doubt().unwrap().unwrap();
    assert!(doubt.contains("names of the rows of group 2: \"ant\" stands twice, in rows 0 and 3"), "{doubt}");
}

#[test]
fn a_file_to_control_for_that_alone_names_its_concepts_is_told() {
    let folder = Folder::new();
    folder.archive("named.npz", &[&NAMES]);
    let given = |request: &mut TestRequest| {
        request.controls.given =
            vec![crate::config::Given { name: "C".into(), file: Some(folder.source("named.npz")) }];
    };
    let said = folder.test("plain.npy", "plain.npy", given).unwrap();
    assert!(said.contains("named.npz: names its concepts, and no other file does"), "{said}");
}

#[test]
fn columns_that_r_counts_are_no_names() {
    let folder = Folder::new();
    let counted: Vec<String> = (1..=CONCEPTS).map(|n| format!("V{n}")).collect();
    let head = counted.iter().map(|name| format!(",{name}")).collect::<String>() + "\n";
    folder.write("r.csv", head + &table(&NAMES, &entries(&in_order())));
    folder.archive("named.npz", &[&NAMES]);
    assert_eq!(folder.test("named.npz", "r.csv", |_| ()), Ok(String::new()));
}
