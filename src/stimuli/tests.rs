use std::fs;

use tempfile::TempDir;

use super::*;
use crate::images::Resize;

const FRAMING: Framing = Framing { size: 4, resize: Resize::SquashNearest, crop_pct: 1.0 };

/// Writes `manifest.csv` and reads it.
fn manifest(csv: &str) -> (TempDir, Result<Manifest, StimuliError>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.csv");
    fs::write(&path, csv).unwrap();
    let manifest = Manifest::read(&path);
    (folder, manifest)
}

fn message(csv: &str) -> String {
    manifest(csv).1.unwrap_err().to_string()
}

const CONCEPTS: [&str; 5] = ["zebra", "tick", "goose", "drum", "nail"];

/// Five concepts in groups `b` and `a`, with a line of `columns` each.
fn csv(columns: &str, line: impl Fn(&str, &str) -> String) -> String {
    let lines = ["b", "a"].into_iter().flat_map(|group| CONCEPTS.map(|concept| line(concept, group)));
    std::iter::once(columns.to_string()).chain(lines).map(|line| line + "\n").collect()
}

#[test]
fn columns_stand_in_any_order_and_others_are_ignored() {
    let text = csv("wnid,group,class_index,concept,source,path", |concept, group| {
        // As pandas writes a column with gaps.
        let class = if concept == "tick" { "" } else { "78.0" };
        format!("n0177,{group},{class},{concept},\"a, b\",images/{concept}_{group}.jpg")
    });
    let (folder, manifest) = manifest(&format!("\u{feff}{text}"));
    let manifest = manifest.unwrap();
    assert_eq!(manifest.concepts, CONCEPTS);
    assert_eq!(manifest.groups, ["b", "a"]);
    assert_eq!(manifest.categories, None);
    let expected = Stimulus { path: folder.path().join("images/goose_a.jpg"), class_index: Some(78) };
    assert_eq!(manifest.stimuli[1][2], expected);
    assert_eq!(manifest.stimuli[0][1].class_index, None);
}

#[test]
fn lines_stand_in_any_order() {
    let text = csv("path,concept,group", |concept, group| format!("{concept}{group},{concept},{group}"));
    let mut lines: Vec<&str> = text.lines().collect();
    lines[2..].reverse();
    let (_folder, manifest) = manifest(&lines.join("\r\n"));
    let manifest = manifest.unwrap();
    assert_eq!(manifest.concepts, ["zebra", "nail", "drum", "goose", "tick"]);
    for (group, stimuli) in manifest.groups.iter().zip(&manifest.stimuli) {
        for (concept, stimulus) in manifest.concepts.iter().zip(stimuli) {
            assert!(stimulus.path.ends_with(format!("{concept}{group}")));
        }
    }
}

#[test]
fn each_concept_has_a_category() {
    let category = |concept: &str| if concept == "drum" || concept == "nail" { "thing" } else { "animal" };
    let line = |concept: &str, group: &str| format!("x,{concept},{group},{}", category(concept));
    let (_folder, read) = manifest(&csv("path,concept,group,category", line));
    assert_eq!(read.unwrap().categories.unwrap(), ["animal", "animal", "animal", "thing", "thing"]);
    let conflict = message(&csv("path,concept,group,category", |concept, group| {
        if (concept, group) == ("tick", "a") { "x,tick,a,thing".into() } else { line(concept, group) }
    }));
    let expected = "line 8: concept \"tick\" has category \"thing\", expected \"animal\" as in line 3";
    assert!(conflict.ends_with(expected), "{conflict}");
}

#[test]
fn each_concept_has_one_image_in_each_group() {
    let text = csv("path,concept,group", |concept, group| format!("x,{concept},{group}"));
    let missing = message(&text.replace("x,zebra,a\n", "").replace("x,drum,a\n", ""));
    let expected = "concept \"zebra\" (line 2) has no image in group \"a\" (and 1 more): every";
    assert!(missing.contains(expected), "{missing}");
    let duplicate = message(&text.replace("x,goose,a\n", "x,goose,b\n"));
    let expected = "line 9: concept \"goose\" has another image in group \"b\" (line 4), expected one";
    assert!(duplicate.contains(expected), "{duplicate}");
}

#[test]
fn errors_name_the_line() {
    let text = csv("path,concept,group,class_index", |concept, group| format!("x,{concept},{group},0"));
    for bad in ["1000", "-1", "3.5", "cat"] {
        let error = message(&text.replace("x,drum,b,0", &format!("x,drum,b,{bad}")));
        assert!(
            error
                .ends_with(&format!("line 5: class_index is \"{bad}\", expected 0 to 999, counted from 0, or nothing")),
            "{error}"
        );
    }
    let empty = message(&text.replace("x,drum,b,0", "x, ,b,0"));
    assert!(empty.ends_with("line 5: the concept is empty"), "{empty}");
    let windows = message(&text.replace("x,drum,b,0", "x, ,b,0").replace('\n', "\r\n"));
    assert!(windows.ends_with("line 5: the concept is empty"), "{windows}");
    for ending in ["\n", "\r\n"] {
        let ragged = message(&text.replace("x,drum,b,0", "x,drum,b").replace('\n', ending));
        assert!(ragged.ends_with("manifest.csv: line 5: 3 values, expected 4"), "{ragged}");
    }
    let column = message(&text.replace("concept,", "word,"));
    assert!(column.contains("no column `concept` among \"path,word,group,class_index\""), "{column}");
    let twice = message(&text.replace("group,class_index", "group,group"));
    assert!(twice.contains("two columns `group` among \"path,concept,group,group\", expected one"), "{twice}");
    for few in ["", "path,concept,group\n", "path,concept,group\nx,a,1\nx,b,1\nx,c,1\nx,d,1\n"] {
        let error = message(few);
        assert!(error.contains("no column `path`") || error.contains("needs at least 5"), "{error}");
    }
    let missing = Manifest::read(Path::new("no/such.csv")).unwrap_err().to_string();
    assert!(missing.starts_with("no/such.csv: "), "{missing}");
}

/// Five concepts, two groups; the image of concept `c` in group `g` is all `10 * g + c`.
fn images() -> (TempDir, Manifest) {
    let text = csv("path,concept,group", |concept, group| format!("{concept}_{group}.png,{concept},{group}"));
    let (folder, manifest) = manifest(&text);
    let manifest = manifest.unwrap();
    for (group, stimuli) in manifest.stimuli.iter().enumerate() {
        for (concept, stimulus) in stimuli.iter().enumerate() {
            let grey = image::Luma([(10 * group + concept) as u8]);
            image::GrayImage::from_pixel(3, 3, grey).save(&stimulus.path).unwrap();
        }
    }
    (folder, manifest)
}

fn first_values(loader: Loader) -> Vec<u8> {
    loader.map(|rgb| rgb.unwrap()[0]).collect()
}

#[test]
fn images_come_in_the_order_of_the_concepts() {
    let (_folder, manifest) = images();
    for ahead in [0, 1, 3, 100] {
        let loader = manifest.load(&[0, 1], None, FRAMING, ahead).unwrap();
        assert_eq!(loader.len(), 10);
        assert_eq!(first_values(loader), [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]);
        assert_eq!(first_values(manifest.load(&[1], None, FRAMING, ahead).unwrap()), [10, 11, 12, 13, 14]);
    }
    assert_eq!(manifest.load(&[], None, FRAMING, 9).unwrap().count(), 0);
}

#[test]
fn dropping_the_loader_early_ends_its_threads() {
    let (_folder, manifest) = images();
    for taken in 0..10 {
        let mut loader = manifest.load(&[0, 1], None, FRAMING, 2).unwrap();
        for _ in 0..taken {
            loader.next().unwrap().unwrap();
        }
        // Every worker and every queue holds the jobs; when the drop returns, none is left.
        let jobs = Arc::downgrade(&loader.jobs);
        drop(loader);
        assert_eq!(jobs.strong_count(), 0);
    }
}

#[test]
fn an_unreadable_image_names_concept_group_and_file() {
    let (folder, manifest) = images();
    fs::write(&manifest.stimuli[1][2].path, b"\x89PNG\r\n\x1a\nshort").unwrap();
    fs::remove_file(&manifest.stimuli[0][4].path).unwrap();
    let results: Vec<_> = manifest.load(&[0, 1], None, FRAMING, 8).unwrap().collect();
    for (index, concept, group) in [(4, "nail", "b"), (7, "goose", "a")] {
        let error = results[index].as_ref().unwrap_err().to_string();
        let file = folder.path().join(format!("{concept}_{group}.png"));
        let expected = format!("concept \"{concept}\", group \"{group}\": {}: ", file.display());
        assert!(error.starts_with(&expected), "{error}");
    }
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 8);
}

#[test]
fn a_batch_stacks_images_in_order() {
    let input =
        Input { size: 2, preprocess: crate::nets::Preprocess::Tf, resize: Resize::SquashNearest, crop_pct: 1.0 };
    let device = Device::flex();
    let tensor = batch(&[vec![255; 12], [0, 51, 102].repeat(4)], &input, &device);
    assert_eq!(tensor.dims(), [2, 3, 2, 2]);
    let values = tensor.into_data().try_to_vec::<f32>().unwrap();
    assert_eq!(values[..12], [1.0; 12]);
    assert_eq!(values[12..16], [-1.0; 4]);
    for (value, expected) in values[16..].iter().zip([-0.6f32, -0.6, -0.6, -0.6, -0.2, -0.2, -0.2, -0.2]) {
        assert!((value - expected).abs() < f32::EPSILON, "{value}");
    }
}

#[test]
fn paths_of_windows_are_found_and_shared_images_doubted() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("a")).unwrap();
    std::fs::write(at("a/0.png"), "").unwrap();
    let rows = |shared: &str| {
        let row =
            |n: usize| format!("{},c{n},{}\n", if n == 4 { shared.to_string() } else { format!("a\\{n}.png") }, "g");
        "path,concept,group\n".to_string() + &(0..5).map(row).collect::<String>()
    };
    let path = at("manifest.csv");
    std::fs::write(&path, rows("a\\4.png")).unwrap();
    let manifest = Manifest::read(&path).unwrap();
    assert_eq!(manifest.stimuli[0][0].path, at("a/0.png"));
    assert_eq!(manifest.doubts(), [""; 0]);
    std::fs::write(&path, rows("a\\0.png")).unwrap();
    let doubts = Manifest::read(&path).unwrap().doubts();
    assert!(doubts[0].contains("stands for the concept \"c0\" (group g) and for \"c4\" (group g)"), "{doubts:?}");
    let twice = "path,concept,group\n".to_string()
        + &["g", "h"].map(|group| (0..5).map(|n| format!("{n}.png,c{n},{group}\n")).collect::<String>()).concat();
    std::fs::write(&path, twice).unwrap();
    assert_eq!(
        Manifest::read(&path).unwrap().doubts(),
        ["group h has the images of group g: it counts the same twice"]
    );
}

#[test]
fn a_manifest_in_utf_16_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.csv");
    let units = "\u{feff}path,concept,group\n".encode_utf16();
    for bytes in
        [units.clone().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(), units.flat_map(u16::to_be_bytes).collect()]
    {
        fs::write(&path, bytes).unwrap();
        let said = Manifest::read(&path).unwrap_err().to_string();
        assert!(said.ends_with("manifest.csv: is UTF-16, expected UTF-8; save it as UTF-8"), "{said}");
        // The same of lists of names.
        assert!(crate::names::read_lines(&path).unwrap_err().to_string().contains("is UTF-16"));
        // Without a mark.
        fs::write(&path, &fs::read(&path).unwrap()[2..]).unwrap();
        let said =
            [Manifest::read(&path).unwrap_err().to_string(), crate::names::read_lines(&path).unwrap_err().to_string()];
        assert!(said.iter().all(|said| said.contains("manifest.csv: is UTF-16, expected UTF-8")), "{said:?}");
        // Letters of which no byte is 0.
        fs::write(&path, "мир\nдом\n".encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>()).unwrap();
        assert!(crate::names::read_lines(&path).unwrap_err().to_string().contains("is UTF-16"));
    }
}

#[test]
fn copies_and_class_indices_that_do_not_agree_are_doubted() {
    let manifest = |class: fn(usize, &str) -> u32| {
        let place = |concept: &str| CONCEPTS.iter().position(|known| *known == concept).unwrap();
        let line = |concept: &str, group: &str| {
            format!("{concept}_{group}.jpg,{concept},{group},{}", class(place(concept), group))
        };
        manifest(&csv("path,concept,group,class_index", line)).1.unwrap()
    };
    let names: Vec<Vec<String>> = CONCEPTS.iter().chain(&["oboe"]).map(|name| vec![name.to_uppercase()]).collect();
    let doubts = |manifest: &Manifest| manifest.doubts_of_classes(6, |class| &names[class as usize]);
    let fits = manifest(|place, _| place as u32);
    assert_eq!(doubts(&fits), [""; 0]);
    let from_1 = doubts(&manifest(|place, _| place as u32 + 1));
    let said = "class_index: 5 concepts are called what another class than theirs is, 0 what theirs is: ";
    assert!(
        from_1[0].starts_with(said) && from_1[0].ends_with("; indices count from 0, subtract 1 from these"),
        "{from_1:?}"
    );
    let one = doubts(&manifest(|_, _| 5));
    assert!(one[0].starts_with(said) && one[0].ends_with(", here 5"), "{one:?}");
    assert_eq!(doubts(&manifest(|place, _| [1, 0, 2, 3, 4][place])), [""; 0], "most fit");
    let two = doubts(&manifest(|place, group| place as u32 + u32::from(place == 2 && group == "a")));
    assert_eq!(two, ["the concept \"goose\" has the class_index 2 and 3: one class is meant"]);

    let mut sums: Vec<String> = (0..10).map(|n: usize| n.to_string()).collect();
    assert_eq!(fits.doubt_of_copies(&sums), None);
    sums[7] = "1".into();
    let copy = fits.doubt_of_copies(&sums).unwrap();
    assert!(copy.contains("goose_a.jpg: the same image as ") && copy.ends_with("tick_b.jpg, by its SHA-256"), "{copy}");
}
