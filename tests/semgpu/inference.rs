//! What p-values say and cover, and what a user is told of the data behind them.

use std::path::{Path, PathBuf};

use semgpu::arrays::write_npy;
use tempfile::TempDir;

use crate::{column, fail, succeed};

const CONCEPTS: usize = 12;

/// A folder with matrices.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes `NAME.npy` of these entries off the diagonal; `NAME=…/NAME.npy`.
    fn matrix(&self, name: &str, entry: impl Fn(usize, usize) -> f64) -> String {
        let values: Vec<f64> = (0..CONCEPTS * CONCEPTS)
            .map(|at| (at / CONCEPTS, at % CONCEPTS))
            .map(|(a, b)| if a == b { 1.0 } else { entry(a.min(b), a.max(b)) })
            .collect();
        let path = self.path(&format!("{name}.npy"));
        write_npy(&path, &[CONCEPTS, CONCEPTS], &values).unwrap();
        format!("{name}={}", path.display())
    }

    /// `semgpu test` of words against images; what it said.
    fn test(&self, words: &[&str], images: &[&str], more: &[&str]) -> String {
        let out = self.path("out").display().to_string();
        let mut arguments = vec!["test", "--fresh", "--device", "cpu", "--out", &out, "--permutations", "99"];
        words.iter().for_each(|words| arguments.extend(["--words", words]));
        images.iter().for_each(|images| arguments.extend(["--images", images]));
        arguments.extend(more);
        String::from_utf8(succeed(&arguments).stderr).unwrap()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("out").join(name)).unwrap()
    }

    fn p(&self, column_name: &str) -> Vec<f64> {
        column(&self.read("accuracy.csv"), column_name)
    }
}

/// Entries without structure.
fn noise(seed: usize) -> impl Fn(usize, usize) -> f64 {
    move |a, b| ((a * 37 + b * 101 + a * b * (2 * seed + 5) + a * a * 13 + b * b * 7 * seed) % 89) as f64 / 89.0
}

/// 1 within a category, 0 across; categories of these sizes.
fn categories(sizes: &'static [usize]) -> impl Fn(usize, usize) -> f64 {
    let of = move |concept: usize| {
        let mut end = 0;
        sizes.iter().position(|size| {
            end += size;
            concept < end
        })
    };
    move |a, b| if of(a) == of(b) { 1.0 } else { 0.0 }
}

#[test]
fn tails_and_families_are_options_of_the_test_and_stand_in_its_record() {
    let folder = Folder::new();
    let words = [folder.matrix("A", noise(1)), folder.matrix("B", noise(2))];
    let images = [folder.matrix("one", noise(3)), folder.matrix("two", noise(4)), folder.matrix("same", noise(1))];
    let (words, images) = (words.each_ref().map(String::as_str), images.each_ref().map(String::as_str));
    folder.test(&words, &images, &[]);
    let (upper, by_layers) = (folder.p("p_value"), folder.p("p_fwer"));
    let recorded = || -> serde_json::Value { serde_json::from_str(&folder.read("run.json")).unwrap() };
    let record = recorded();
    assert_eq!((&record["schema"], &record["maximum"]), (&3.into(), &"studentised".into()));
    assert_eq!((&record["config"]["tail"], &record["config"]["family"]), (&"upper".into(), &"layers".into()));
    let figure = folder.read("figures/accuracy_images.svg");
    let texts: Vec<&str> =
        figure.split("</text>").filter_map(|part| part.rsplit_once('>')).map(|(_, text)| text).collect();
    assert!(texts.join(" ").contains("of each word model, not over word models"), "{texts:?}");

    let said = folder.test(&words, &images, &["--tail", "lower"]);
    assert!(said.contains("of low values"), "{said}");
    for (low, high) in folder.p("p_value").iter().zip(&upper) {
        // A draw that equals the observed value counts in both.
        assert!(low + high >= 1.0, "{low} and {high}");
    }
    folder.test(&words, &images, &["--family", "words"]);
    let by_words = folder.p("p_fwer");
    assert!(by_words.iter().zip(&by_layers).all(|(words, layers)| words >= layers), "{by_words:?}, {by_layers:?}");
    assert_ne!(by_words, by_layers);
    assert_eq!(folder.p("p_value"), upper);
    folder.test(&words, &images, &["--tail", "two", "--family", "words", "--rsa", "pearson"]);
    assert_eq!(recorded()["config"]["tail"], "two");
    let page = folder.read("report.html");
    assert!(page.contains("(two-sided)") && page.contains("of all 2 word models together"));
    let out = folder.path("out").display().to_string();
    let said = fail(&["test", "--words", words[0], "--images", images[0], "--out", &out, "--tail", "left"], 2);
    assert!(said.contains("left") && said.contains("upper"), "{said}");
}

#[test]
fn a_model_of_categories_has_its_chance_and_its_rule_for_ties_told() {
    let folder = Folder::new();
    let words = folder.matrix("category", categories(&[4, 4, 4]));
    let images = folder.matrix("layer", noise(5));
    let said = folder.test(&[&words], &[&images], &[]);
    let null = folder.p("null_mean")[0];
    assert!(null < 0.45, "{null}");
    assert!(said.contains(&format!("(chance {null:.3}, ")), "{said}");
    assert!(said.contains("2 vs. 2: Chance is the null") && said.contains("advised: --ties half"), "{said}");
    let said = folder.test(&[&words], &[&images], &["--ties", "half"]);
    assert!(!said.contains("advised") && said.contains("tie, counted as half a pass"), "{said}");
    assert!((folder.p("null_mean")[0] - 0.5).abs() < 0.05);
    let ties: Vec<u64> = column(&folder.read("confused.csv"), "groups_tied");
    assert_eq!(ties.len(), 20);
}

#[test]
fn what_correlates_with_nothing_is_told() {
    let folder = Folder::new();
    // Once the pair of the first category is left out, neither of its rows varies.
    let words = folder.matrix("W", categories(&[2, 5, 5]));
    let images = folder.matrix("layer", noise(6));
    let said = folder.test(&[&words], &[&images], &[]);
    let expected = "words W: in 1 of 66 pairs a row of similarities does not vary";
    assert!(said.contains(expected) && folder.read("run.json").contains(expected), "{said}");
    let said = folder.test(&[&images], &[&words], &[]);
    assert!(said.contains("layer W: in 1 of 66 pairs"), "{said}");
    let said = folder.test(&[&images], &[&folder.matrix("other", noise(7))], &[]);
    assert!(!said.contains("does not vary"), "{said}");
}

#[test]
fn concepts_alone_in_their_category_are_told() {
    let folder = Folder::new();
    let (words, images) = (folder.matrix("W", noise(1)), folder.matrix("layer", noise(2)));
    let list = |names: Vec<String>| {
        let path = folder.path("categories.txt");
        std::fs::write(&path, names.join("\n")).unwrap();
        path.display().to_string()
    };
    let all = list((0..CONCEPTS).map(|n| n.to_string()).collect());
    let said = folder.test(&[&words], &[&images], &["--categories", &all]);
    assert!(said.contains("12 of 12 concepts are alone") && said.contains("every p-value is 1"), "{said}");
    assert_eq!(folder.p("p_value"), [1.0]);
    let some = list((0..CONCEPTS).map(|n| n.saturating_sub(2).min(5).to_string()).collect());
    let said = folder.test(&[&words], &[&images], &["--categories", &some]);
    assert!(said.contains("warning: 4 of 12 concepts are alone"), "{said}");
    assert!(folder.read("run.json").contains("4 of 12 concepts are alone"));
}

#[test]
fn a_value_too_large_to_square_is_not_called_infinite() {
    let folder = Folder::new();
    let features = |path: &Path, large: f64| {
        let values: Vec<f64> = (0..CONCEPTS * 7).map(|n| if n == 30 { large } else { (n * n % 11) as f64 }).collect();
        write_npy(path, &[CONCEPTS, 7], &values).unwrap();
    };
    let path = folder.path("f.npy");
    features(&path, 1e155);
    let (path, out) = (path.display().to_string(), folder.path("o.npy").display().to_string());
    let said = fail(&["similarity", &path, "--out", &out], 2);
    assert!(said.contains("row 4") && said.contains("beyond 1e150"), "{said}");
    features(&folder.path("f.npy"), 1e149);
    succeed(&["similarity", &path, "--out", &out]);
}
