use std::fs;
use std::path::Path;
use std::process::Output;

use crate::{column, fail, succeed};

/// A folder with pictures, vocabularies and labels, all generated.
struct Bench {
    directory: tempfile::TempDir,
}

/// Classes that both vocabularies have: their wnids, and the spellings in the first and the second vocabulary.
const SHARED_WNIDS: [(&str, &str, &str); 6] = [
    ("n01776313", "tick", "tick"),
    ("n01855672", "goose", "goose"),
    ("n02085620", "Chihuahua", "chihuahua"),
    ("n02077923", "sea_lion", "sea-lion"),
    ("n02129165", "lion", "lion"),
    ("n02219486", "ant", "ant"),
];
/// "leopard" is in the first vocabulary only; "tabby" in none.
const LEOPARD: &str = "n02128385";
const TABBY: &str = "n02123045";

impl Bench {
    fn make() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        let vocabulary = |spelled: Vec<&str>| {
            let lines = spelled.iter().enumerate().map(|(row, token)| format!("{token} {row} {} 1 5\n", row * row % 7));
            lines.collect::<String>()
        };
        let first = SHARED_WNIDS.iter().map(|(_, first, _)| *first).chain(["leopard"]);
        bench.write("first.txt", vocabulary(first.collect()));
        bench.write("second.txt", vocabulary(SHARED_WNIDS.iter().map(|(_, _, second)| *second).collect()));
        bench
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A picture that no other number gives.
    fn picture(&self, name: &str, number: usize) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let colour = |x, y| image::Rgb([number as u8, (x * 9) as u8, (y * 7 + number as u32 / 256) as u8]);
        image::RgbImage::from_fn(12, 10, colour).save(path).unwrap();
    }

    /// A folder per wnid with `images` pictures each.
    fn folders(&self, images: usize) {
        let wnids = SHARED_WNIDS.iter().map(|(wnid, ..)| *wnid).chain([LEOPARD, TABBY]);
        for (class, wnid) in wnids.enumerate() {
            for number in 0..images {
                self.picture(&format!("val/{wnid}/{number}.png"), class * images + number);
            }
        }
    }

    fn arguments(&self, out: &str, more: &[&str]) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["concepts", "--images", &self.path("val"), "--out", &self.path(out)].map(str::to_string).to_vec();
        for (name, file) in [("First", "first.txt"), ("Second", "second.txt")] {
            arguments.extend(["--words".to_string(), format!("{name}={}", self.path(file))]);
        }
        arguments.extend(more.iter().map(|argument| argument.to_string()));
        arguments
    }

    fn choose(&self, out: &str, more: &[&str]) -> Output {
        succeed(&self.arguments(out, more).iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn refuse(&self, more: &[&str]) -> String {
        let said = fail(&self.arguments("refused.csv", more).iter().map(String::as_str).collect::<Vec<_>>(), 2);
        assert!(!Path::new(&self.path("refused.csv")).exists(), "{said}");
        said
    }
}

/// The report's line of a class.
fn report_of(report: &str, class: &str) -> String {
    report.lines().find(|line| line.starts_with(class)).unwrap_or_else(|| panic!("{class} in {report}")).to_string()
}

#[test]
fn classes_that_every_vocabulary_has_become_concepts() {
    let bench = Bench::make();
    bench.folders(4);
    let output = bench.choose("out/manifest.csv", &["--per-concept", "3"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for expected in [
        "First lacks 993 of 1000 classes",
        "Second lacks 994 of 1000 classes",
        "1000 classes -> 6 with a name in every model",
        "6 -> 6 with 3 usable images",
        "its paths are relative to this directory",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    let manifest = bench.read("out/manifest.csv");
    assert!(manifest.starts_with("path,concept,group,class_index\n../val/n01776313/"), "{manifest}");
    let concepts: Vec<String> = column(&manifest, "concept");
    let expected = ["tick", "goose", "sea lion", "Chihuahua", "lion", "ant"];
    assert_eq!(
        concepts,
        expected.iter().flat_map(|word| [word.to_string(), word.to_string(), word.to_string()]).collect::<Vec<_>>()
    );
    assert_eq!(column::<u32>(&manifest, "group")[..4], [1, 2, 3, 1]);
    assert_eq!(column::<u32>(&manifest, "class_index")[0], 78);

    let report = bench.read("out/manifest.report.csv");
    assert_eq!(report.lines().count(), 1001);
    assert!(report_of(&report, "n02077923").ends_with(",sea lion,,,4,,sea_lion,sea-lion"));
    assert!(report_of(&report, LEOPARD).contains(r#""""leopard"" is not in every vocabulary",Second,4"#), "{report}");
    assert!(report_of(&report, TABBY).contains(r#",First; Second,4"#));

    // The same seed gives the same bytes; another seed draws other images.
    bench.choose("out/again.csv", &["--per-concept", "3"]);
    assert_eq!(bench.read("out/again.csv"), manifest);
    assert_eq!(bench.read("out/again.report.csv"), report);
    bench.choose("out/other.csv", &["--per-concept", "3", "--seed", "7"]);
    assert_ne!(bench.read("out/other.csv"), manifest);
}

#[test]
fn a_name_whose_vector_is_not_finite_is_left_out_with_a_word() {
    let bench = Bench::make();
    bench.folders(2);
    bench.write("second.txt", bench.read("second.txt").replace("goose 1 ", "goose nan "));
    let said = String::from_utf8(bench.choose("manifest.csv", &["--per-concept", "2"]).stderr).unwrap();
    for expected in [
        "Second lacks 995 of 1000 classes",
        "Second: 1 name counted as missing for a vector that is not finite: ",
        "second.txt: line 2: the vector of \"goose\" has NaN",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert!(!bench.read("manifest.csv").contains("goose"));
    assert!(
        report_of(&bench.read("manifest.report.csv"), "n01855672").contains("is not in every vocabulary\",Second,2")
    );
}

#[test]
fn what_is_printed_is_a_configuration_that_runs() {
    let bench = Bench::make();
    bench.folders(2);
    let output = bench.choose("manifest.csv", &["--per-concept", "2", "--case", "lower,as-is", "--lemma", "any"]);
    bench.write("experiment.toml", &output.stdout);
    let config = bench.path("experiment.toml");
    assert!(bench.read("experiment.toml").contains("[spelling]\ncase = [\"lower\", \"as-is\"]\n"));
    let network = ["--set", "network.layers=[]"];
    let test = ["--set", "two_vs_two.permutations=20", "--device", "cpu"];
    let out = bench.path("results");
    succeed(&[&["run", "--config", &config, "--out", &out][..], &network, &test].concat());
    assert_eq!(column::<String>(&bench.read("results/accuracy.csv"), "words"), ["First", "Second"]);
}

#[test]
fn damaged_and_repeated_images_give_way_to_the_next() {
    let bench = Bench::make();
    bench.folders(5);
    // Of the ticks one is cut off, one is no image, and one shows the same as another, in another format.
    let whole = fs::read(bench.path("val/n01776313/0.png")).unwrap();
    bench.write("val/n01776313/0.png", &whole[..whole.len() / 2]);
    bench.write("val/n01776313/1.png", "<!DOCTYPE html>");
    image::open(bench.path("val/n01776313/2.png")).unwrap().save(bench.path("val/n01776313/3.bmp")).unwrap();
    fs::remove_file(bench.path("val/n01776313/3.png")).unwrap();
    bench.write("val/n01776313/notes.txt", "no image");
    // A picture of a goose stands among the lions.
    for number in 0..5 {
        fs::copy(bench.path("val/n01855672/0.png"), bench.path(&format!("val/n02129165/{number}.png"))).unwrap();
    }
    let output = bench.choose("manifest.csv", &["--per-concept", "2"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("is the same picture as")
            && said.contains("1 file left out: no image by the ending of its name: n01776313/notes.txt"),
        "{said}"
    );
    let manifest = bench.read("manifest.csv");
    let ticks: Vec<String> =
        column::<String>(&manifest, "path").into_iter().filter(|path| path.contains("n01776313")).collect();
    assert_eq!(ticks.len(), 2);
    let names: Vec<&str> = ticks.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
    assert!(names.contains(&"4.png") && (names.contains(&"2.png") || names.contains(&"3.bmp")), "{names:?}");
    assert!(!manifest.contains("n02129165"), "one picture is not two images: {manifest}");
    let report = bench.read("manifest.report.csv");
    let lion = report_of(&report, "n02129165");
    assert!(lion.contains(r#""""lion"" has 5 images ("#) && lion.contains("2 needed"), "{lion}");
}

#[test]
fn labels_stand_for_folders() {
    let bench = Bench::make();
    let mut caffe = String::new();
    let mut wnids = String::new();
    for number in 0..12 {
        let (wnid, ..) = SHARED_WNIDS[number % 6];
        let name = format!("ILSVRC2012_val_{:08}.png", number + 1);
        bench.picture(&format!("val/{name}"), number);
        let index = [78, 99, 151, 150, 291, 310][number % 6];
        caffe += &format!("{name} {index}\n");
        wnids += &format!("{wnid}\n");
    }
    bench.write("val.txt", caffe);
    bench.write("wnids.txt", wnids);
    bench.write("devkit.txt", "490\n".repeat(12));
    let two = ["--per-concept", "2"];
    bench.choose("caffe.csv", &[&two[..], &["--labels", &bench.path("val.txt")]].concat());
    bench.choose("wnids.csv", &[&two[..], &["--labels", &bench.path("wnids.txt")]].concat());
    let manifest = bench.read("caffe.csv");
    assert_eq!(manifest, bench.read("wnids.csv"));
    assert_eq!(manifest.lines().count(), 13);
    assert!(bench.refuse(&["--labels", &bench.path("devkit.txt")]).contains("map_clsloc.txt"));
    assert!(bench.refuse(&[]).contains("12 images: give --labels FILE"));
}

#[test]
fn a_folder_per_word_is_an_experiment_of_its_own() {
    let bench = Bench::make();
    for (class, name) in ["tick", "goose", "sea_lion", "lion", "ant", "griffin"].iter().enumerate() {
        for number in 0..2 {
            bench.picture(&format!("val/{name}/{number}.png"), class * 2 + number);
        }
    }
    bench.write("categories.csv", "concept,category\ntick,small\ngoose,bird\nsea_lion,sea\nlion,land\nant,small\n");
    let more = ["--per-concept", "2", "--category", &bench.path("categories.csv")];
    let output = bench.choose("manifest.csv", &more);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for expected in
        ["6 classes -> 5 with a name in every model", "lacks 1 of 6 classes: griffin", "class_index of 5 by"]
    {
        assert!(said.contains(expected), "{said}");
    }
    let manifest = bench.read("manifest.csv");
    let expected = "path,concept,group,class_index,category\nval/ant/";
    assert!(manifest.starts_with(expected) && manifest.contains(",sea lion,2,150,sea\n"), "{manifest}");
    bench.write("categories.csv", "concept,category\ntick,small\n");
    assert!(bench.refuse(&more).contains("no category for 4 concepts: ant, goose, lion, sea lion"));
    // An own name for a class, and only some of them.
    bench.write("classes.txt", "griffin goose\ntick\nlion\nant\nsea_lion\n");
    bench.choose("named.csv", &["--per-concept", "2", "--classes", &bench.path("classes.txt")]);
    assert!(bench.read("named.csv").contains("val/griffin/0.png,goose,"));
}

#[test]
fn wrong_input_is_refused_by_name() {
    let bench = Bench::make();
    bench.folders(2);
    let said = bench.refuse(&["--per-concept", "3"]);
    assert!(said.contains("0 concepts, the 2 vs. 2 test needs at least 5") && said.contains("report.csv"), "{said}");
    assert!(bench.refuse(&["--words", "Third=nowhere.bin"]).contains("nowhere.bin"));
    assert!(bench.refuse(&["--words", "nowhere.bin"]).contains("expected NAME=FILE"));
    let again = format!("First={}", bench.path("second.txt"));
    assert!(bench.refuse(&["--words", &again]).contains("two word models are called \"First\""));
    assert!(bench.refuse(&["--per-concept", "0"]).contains("--per-concept is 0"));
    assert!(bench.refuse(&["--join", "dash"]).contains("expected blank, underscore, hyphen"));
    assert!(bench.refuse(&["--classes", "nowhere.txt"]).contains("nowhere.txt"));
    let first = bench.read("first.txt");
    for (out, more, expected) in [
        ("val/../first.txt", vec![], "is the file of --words too"),
        ("refused.csv", vec!["--report", "first.txt"], "is the file of --words too"),
        ("refused.csv", vec!["--report", "refused.csv"], "is the file of --out too"),
        ("labels.txt", vec!["--labels", "labels.txt"], "is the file of --labels too"),
    ] {
        let more: Vec<String> =
            more.iter().map(|&word| if word.contains('.') { bench.path(word) } else { word.into() }).collect();
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let said = fail(&bench.arguments(out, &more).iter().map(String::as_str).collect::<Vec<_>>(), 2);
        assert!(said.contains(expected) && said.contains("a name of its own"), "{said}");
        assert_eq!(bench.read("first.txt"), first);
    }
    fs::remove_dir_all(bench.path("val")).unwrap();
    assert!(bench.refuse(&[]).contains("val: "));
}
