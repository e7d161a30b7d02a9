//! What the rows and columns of a file are: groups, layers, units, and cells without values.

use super::*;
use crate::arrays::Told;
use crate::matrices::{self, Entries, Reading, Side};

#[test]
fn rows_of_pairs_are_groups_and_name_no_concepts() {
    let folder = Folder::new();
    let matrix = entries(&in_order());
    let pairs: Vec<f64> =
        (0..CONCEPTS).flat_map(|n| matrix[n * (CONCEPTS + 1) + 1..(n + 1) * CONCEPTS].to_vec()).collect();
    let subjects = ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8"];
    folder.write("subjects.csv", table(&subjects, &pairs.repeat(CONCEPTS)));
    let reading = Reading { of_images: Some(Entries::Similarities), ..Reading::default() };
    let found = matrices::read(&folder.source("subjects.csv"), Side::Images, &reading).unwrap();
    assert_eq!((found[0].rsms.len(), &found[0].names), (CONCEPTS, &Vec::new()));
    assert_eq!(found[0].groups.as_deref(), Some(&subjects.map(String::from)[..]));
    // A matrix a column.
    let columns: Vec<f64> = pairs.iter().flat_map(|&pair| [pair; 4]).collect();
    crate::arrays::write_npy(&folder.path("columns.npy"), &[pairs.len(), 4], &columns).unwrap();
    let refused = matrices::read(&folder.source("columns.npy"), Side::Images, &reading).unwrap_err().to_string();
    assert!(refused.contains("if each column is a matrix, groups come first"), "{refused}");
}

#[test]
fn hidden_files_in_a_folder_are_no_layers() {
    let folder = Folder::new();
    folder.write("._plain.npy", [0, 5, 22, 7]);
    assert_eq!(matrices::files(folder.0.path(), Side::Images).unwrap(), [folder.path("plain.npy")]);
}

#[test]
fn names_of_what_are_columns_are_told_and_turn_with_them() {
    let folder = Folder::new();
    let turned: Vec<f64> = (0..CONCEPTS * UNITS).map(|n| value(n % CONCEPTS, n / CONCEPTS).into()).collect();
    folder.stored("voxels.npz", &[UNITS as u64, CONCEPTS as u64], &turned, &[&NAMES]);
    let open = |transpose| {
        let told = Told { transpose, ..Told::default() };
        Features::open(&folder.path("voxels.npz"), &Layout { told, ..Layout::default() }).unwrap()
    };
    let doubt = open(false).doubt().unwrap().unwrap();
    assert!(doubt.contains("ant, …: as many names as units, 8, and none for the 5 rows"), "{doubt}");
    assert_eq!(open(true).concept_names().unwrap()[..], NAMES);
}

#[test]
fn columns_called_as_the_concepts_are_no_units_of_rows_without_names() {
    let folder = Folder::new();
    let turned = |units: usize| -> Vec<f64> {
        (0..units * CONCEPTS).map(|n| value(n % CONCEPTS, n / CONCEPTS).into()).collect()
    };
    let lines = |values: &[f64]| -> String {
        let line = |row: &[f64]| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",") + "\n";
        values.chunks(CONCEPTS).map(line).collect()
    };
    folder.archive("named.npz", &[&NAMES]);
    folder.write("names.txt", NAMES.join("\n"));
    folder.write("square.csv", format!("{}\n{}", NAMES.join(","), lines(&turned(CONCEPTS))));
    folder.write("voxels.csv", format!("{}\n{}", NAMES.join(","), lines(&turned(UNITS))));
    folder.stored("voxels.npz", &[UNITS as u64, CONCEPTS as u64], &turned(UNITS), &[&NAMES]);
    let of_images = |request: &mut TestRequest| request.features = Some(Spaces::Images);
    let listed = |request: &mut TestRequest| {
        (request.features, request.concepts) = (Some(Spaces::Images), Some(folder.path("names.txt")));
    };
    for file in ["square.csv", "voxels.csv", "voxels.npz"] {
        for refused in [folder.test("named.npz", file, of_images), folder.test("plain.npy", file, listed)] {
            let refused = refused.unwrap_err();
            assert!(
                refused.contains(&format!("{file}: its columns are called as the concepts are (\"ant\"")),
                "{refused}"
            );
            assert!(refused.contains("--transpose") && refused.contains("--by-order"), "{refused}");
        }
    }
    let values: Vec<f64> = rows().into_iter().map(f64::from).collect();
    folder.write("units.csv", format!(",u0,u1,u2,u3,u4\n{}", table(&NAMES, &values)));
    assert!(folder.test("named.npz", "units.csv", of_images).is_ok());
    // What is wrong with names is said before how many there are.
    let mut twice = NAMES;
    twice[4] = "bee";
    folder.write("more.csv", table(&twice, &values) + "owl,1,0,2,0,3\n");
    let refused = folder.test("named.npz", "more.csv", of_images).unwrap_err();
    assert!(refused.contains("more.csv: names of the concepts: \"bee\" stands twice, in rows 1 and 4"), "{refused}");
}

#[test]
fn of_an_archive_a_list_of_numbers_is_no_layer() {
    let folder = Folder::new();
    let array = |name: &str, shape: &[usize], values: &[f64]| {
        crate::arrays::write_npy(&folder.path(name), shape, values).unwrap();
        std::fs::read(folder.path(name)).unwrap()
    };
    let features: Vec<f64> = rows().into_iter().map(f64::from).collect();
    let layer = array("layer.npy", &[CONCEPTS, UNITS], &features);
    let group = array("group.npy", &[CONCEPTS], &features[..CONCEPTS]);
    let arrays = [("layer", layer), ("group", group)];
    crate::arrays::tests::npz(&folder.path("both.npz"), zip::CompressionMethod::Stored, arrays);
    let of_images = |request: &mut TestRequest| request.features = Some(Spaces::Images);
    assert!(folder.test("plain.npy", "both.npz", of_images).is_ok(), "a list of numbers is no layer");
    let one = |request: &mut TestRequest| {
        request.features = Some(Spaces::Images);
        request.images[0].array = Some("layer".to_string());
    };
    assert!(folder.test("plain.npy", "both.npz", one).is_ok());
}

#[test]
fn groups_in_rows_that_share_no_names_are_told() {
    let folder = Folder::new();
    let values: Vec<f64> = rows().into_iter().map(f64::from).collect();
    folder.write("groups.csv", table(&NAMES, &values));
    let layout = Layout { groups: Some(2), ..Layout::default() };
    let doubt = Features::open(&folder.path("groups.csv"), &layout).unwrap().doubt().unwrap().unwrap();
    assert!(doubt.contains("rows of group 1 are called ant, … and of group 2 elk, …"), "{doubt}");
}

#[test]
fn a_gap_in_a_table_is_told_by_its_line_and_column() {
    let folder = Folder::new();
    let text = table(&NAMES, &entries(&in_order()));
    let third = text.lines().nth(2).unwrap();
    for gap in ["NA", ""] {
        let cells: Vec<&str> =
            third.split(',').enumerate().map(|(column, cell)| if column == 5 { gap } else { cell }).collect();
        folder.write("gap.csv", text.replace(third, &cells.join(",")));
        let said = folder.test("gap.csv", "plain.npy", |_| ()).unwrap_err();
        assert!(said.contains(&format!("gap.csv: line 3, column 6: {gap:?}")), "{said}");
    }
}
