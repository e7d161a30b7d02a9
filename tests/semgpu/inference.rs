//! What p-values say and cover, and what a user is told of the data behind them.

use std::path::{Path, PathBuf};

use semgpu::arrays::write_npy;
use tempfile::TempDir;

use crate::{column, fail, succeed};

const CONCEPTS: usize = 12;

/// A folder with matrices.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes `NAME.npy` of these entries off the diagonal; `NAME=…/NAME.npy`.
    pub fn matrix(&self, name: &str, entry: impl Fn(usize, usize) -> f64) -> String {
        let values: Vec<f64> = (0..CONCEPTS * CONCEPTS)
            .map(|at| (at / CONCEPTS, at % CONCEPTS))
            .map(|(a, b)| if a == b { 1.0 } else { entry(a.min(b), a.max(b)) })
            .collect();
        let path = self.path(&format!("{name}.npy"));
        write_npy(&path, &[CONCEPTS, CONCEPTS], &values).unwrap();
        format!("{name}={}", path.display())
    }

    /// Writes a matrix for each group into `NAME.npy`.
    pub fn groups(&self, name: &str, count: usize, entry: impl Fn(usize, usize, usize) -> f64) -> String {
        let at = |group: usize, a: usize, b: usize| if a == b { 1.0 } else { entry(group, a.min(b), a.max(b)) };
        let places = (0..CONCEPTS * CONCEPTS).map(|at| (at / CONCEPTS, at % CONCEPTS));
        let values: Vec<f64> = (0..count)
            .flat_map(|group| places.clone().map(move |(a, b)| (group, a, b)))
            .map(|(g, a, b)| at(g, a, b))
            .collect();
        let path = self.path(&format!("{name}.npy"));
        write_npy(&path, &[count, CONCEPTS, CONCEPTS], &values).unwrap();
        format!("{name}={}", path.display())
    }

    /// `semgpu test` of words against images; what it said.
    pub fn test(&self, words: &[&str], images: &[&str], more: &[&str]) -> String {
        let out = self.path("out").display().to_string();
        let mut arguments = vec!["test", "--fresh", "--device", "cpu", "--out", &out, "--permutations", "99"];
        words.iter().for_each(|words| arguments.extend(["--words", words]));
        images.iter().for_each(|images| arguments.extend(["--images", images]));
        arguments.extend(more);
        String::from_utf8(succeed(&arguments).stderr).unwrap()
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("out").join(name)).unwrap()
    }

    pub fn p(&self, column_name: &str) -> Vec<f64> {
        column(&self.read("accuracy.csv"), column_name)
    }
}

/// Entries without structure.
pub fn noise(seed: usize) -> impl Fn(usize, usize) -> f64 {
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

/// What is common to all groups, and what is a group's own.
pub fn seen(group: usize, a: usize, b: usize) -> f64 {
    0.6 * noise(1)(a, b) + 0.4 * noise(10 + group)(a, b)
}

#[test]
fn groups_that_together_find_a_concept_like_all_others_have_no_ceiling_and_are_tested() {
    let folder = Folder::new();
    let words = folder.matrix("A", noise(1));
    // What is like the first concept to the one group is unlike it to the other.
    let images = folder.groups("layer", 2, |group, a, b| match (a, b) {
        (0, 11) => 0.5,
        (0, b) => ((group + b) % 2) as f64,
        _ => 0.3 * noise(1)(a, b),
    });
    folder.test(&[&words], &[&images], &["--rsa", "pearson"]);
    assert_eq!(column::<String>(&folder.read("accuracy.csv"), "ceiling_low"), [""]);
    assert!(column::<f64>(&folder.read("rsa.csv"), "ceiling_low")[0] < 1.0);
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
    assert!(texts.join(" ").contains("of each word model, not across word models"), "{texts:?}");

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
    assert!(
        said.contains("2 vs. 2: Chance is the null") && said.contains("; --ties half (ties = \"half\") is advised"),
        "{said}"
    );
    let said = folder.test(&[&words], &[&images], &["--ties", "half"]);
    assert!(!said.contains("advised") && said.contains("are tied and count as half a pass"), "{said}");
    assert!((folder.p("null_mean")[0] - 0.5).abs() < 0.05);
    let ties: Vec<u64> = column(&folder.read("confused.csv"), "groups_tied");
    assert_eq!(ties.len(), 20);
}

#[test]
fn rules_for_ties_part_runs_only_where_pairs_tie_and_chance_that_ties_move_is_told() {
    let folder = Folder::new();
    let images = folder.matrix("layer", noise(1));
    let [words, kinds] = [folder.matrix("W", noise(2)), folder.matrix("K", categories(&[4, 4, 4]))];
    let kept = |name: &str, words: &[&str], ties: &str| {
        folder.test(words, &[&images], &["--ties", ties]);
        let kept = folder.path(name);
        std::fs::rename(folder.path("out"), &kept).unwrap();
        kept.display().to_string()
    };
    let out = folder.path("compared").display().to_string();
    let compared = |runs: &[&str]| {
        let arguments = [&["compare"][..], runs, &["--bootstrap", "20", "--out", &out]].concat();
        String::from_utf8(succeed(&arguments).stderr).unwrap()
    };
    let read = |name: &str| std::fs::read_to_string(folder.path("compared").join(name)).unwrap();
    let [lost, half] = ["lost", "half"].map(|ties| kept(&format!("W_{ties}"), &[&words], ties));
    let said = compared(&[&lost, &half]);
    assert!(!said.contains("ties count differently") && !said.contains("chance"), "{said}");
    assert_eq!(column::<f64>(&read("compare.csv"), "difference"), [0.0]);

    // Concepts of one kind have the same rows, and the pairs of them tie.
    let [lost, half] = ["lost", "half"].map(|ties| kept(&format!("K_{ties}"), &[&kinds], ties));
    assert!(compared(&[&lost, &half]).contains("ties count differently, which by itself moves accuracies"));
    assert!(read("compare.json").contains("ties count differently"));
    let said = compared(&[&kept("both", &[&words, &kinds], "lost")]);
    assert!(said.contains("warning: chance, the null's mean, differs by 0.1"), "{said}");
    assert!(said.contains("W at layer 0.4") && said.contains(", K at layer 0.3"), "{said}");
    assert!(read("report.html").contains("mean, differs by 0.1"));
    assert_eq!(column::<String>(&read("compare.csv"), "curve_b"), ["K"]);
}

#[test]
fn times_are_compared_and_drawn_by_their_names() {
    let folder = Folder::new();
    let words = folder.matrix("W", noise(1));
    let times = ["0 ms", "50 ms", "100 ms"].map(|time| folder.matrix(time, noise(2 + time.len())));
    let kept = |name: &str, times: &[String]| {
        let times: Vec<&str> = times.iter().map(String::as_str).collect();
        folder.test(&[&words], &times, &["--axis", "Time (ms)", "--network", name]);
        let kept = folder.path(name);
        std::fs::rename(folder.path("out"), &kept).unwrap();
        kept.display().to_string()
    };
    let (late, all) = (kept("late", &times[1..]), kept("all", &times));
    let out = folder.path("compared");
    succeed(&["compare", &late, &all, "--bootstrap", "20", "--out", &out.display().to_string()]);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(column::<String>(&read("compare.csv"), "layer_a"), ["50 ms", "100 ms"]);
    let record: serde_json::Value = serde_json::from_str(&read("compare.json")).unwrap();
    assert_eq!(record["along"]["layers"], serde_json::json!(["0 ms", "50 ms", "100 ms"]));
    assert!(read("report.html").contains(">Time (ms)</text>") && !read("report.html").contains("Relative depth"));
    let first = kept("first", &times[..1]);
    let output = succeed(&["compare", &first, &late, "--bootstrap", "20", "--out", &out.display().to_string()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no layer name in common, and along an axis layers of one name are compared"), "{said}");
}

#[test]
fn a_constant_image_among_features_counts_half_where_asked_for() {
    let folder = Folder::new();
    let words = folder.matrix("A", noise(1));
    let feature = |at: usize| match (at / 30, at % 30) {
        (15, _) => 0.1,
        (image, unit) => ((image * 37 + unit * 101 + image * unit * 13 + image * image * 7) % 89) as f64,
    };
    let path = folder.path("layer.npy");
    write_npy(&path, &[2, CONCEPTS, 30], &(0..2 * CONCEPTS * 30).map(feature).collect::<Vec<f64>>()).unwrap();
    let images = format!("layer={}", path.display());
    let out = folder.path("out").display().to_string();
    let refused = ["test", "--words", &words, "--images", &images, "--features", "images", "--out", &out];
    let said = fail(&refused, 2);
    assert!(said.contains("group 2, row 3") && said.contains("--constant half"), "{said}");
    let said = folder.test(&[&words], &[&images], &["--features", "images", "--constant", "half"]);
    assert!(said.contains("1 image has no variance over the units"), "{said}");
    let columns = || ["accuracy", "null_mean", "rsa"].map(|name| folder.p(name));
    let of_features = columns();
    // As in a matrix that has no correlations there.
    let kept = folder.path("kept.npy");
    std::fs::copy(folder.path("out/rsm/layer.npy"), &kept).unwrap();
    folder.test(&[&words], &[&format!("layer={}", kept.display())], &["--constant", "half"]);
    assert_eq!(columns(), of_features);
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
    assert!(said.contains("alone in a category: 12 of 12 concepts") && said.contains("every p-value is 1"), "{said}");
    assert_eq!(folder.p("p_value"), [1.0]);
    let some = list((0..CONCEPTS).map(|n| n.saturating_sub(2).min(5).to_string()).collect());
    let said = folder.test(&[&words], &[&images], &["--categories", &some]);
    assert!(said.contains("warning: alone in a category: 4 of 12 concepts"), "{said}");
    assert!(folder.read("run.json").contains("alone in a category: 4 of 12 concepts"));
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

#[test]
fn what_goes_with_the_2_vs_2_test_alone_is_told_beside_other_measures() {
    let folder = Folder::new();
    let words = folder.matrix("A", noise(1));
    let layers = [folder.groups("one", 3, seen), folder.groups("two", 3, |group, a, b| seen(group + 3, a, b))];
    let images = layers.each_ref().map(String::as_str);
    let asked =
        ["--measure", "rsa-cosine", "--rsa", "pearson", "--given", "one", "--partition", "A", "--partition", "one"];
    let more = [&asked[..], &["--bootstrap", "20", "--generalise", "groups"]].concat();
    let said = folder.test(&[&words], &images, &more);
    assert!(
        said.contains("warning: --partition A, --given, --rsa, --generalise groups: not done")
            && said.contains("ask for --measure 2v2 as well")
            && !said.contains("there is no space"),
        "{said}"
    );
    assert!(folder.read("run.json").contains("--given, --rsa, --generalise groups: not done"));
    let tables = ["rsa.csv", "controls.csv", "intervals.csv"].map(|name| folder.path("out").join(name));
    let rows = |table: &PathBuf| std::fs::read_to_string(table).map_or(0, |text| text.lines().skip(1).count());
    assert!(tables.iter().all(|table| rows(table) == 0));

    let said = folder.test(&[&words], &images, &[&more[..], &["--measure", "2v2"]].concat());
    assert!(!said.contains("not done") && tables.iter().all(|table| rows(table) > 0), "{said}");
    let said = folder.test(&[&words], &images, &["--measure", "rsa-cosine"]);
    assert!(!said.contains("not done"), "nothing is asked for that is not: {said}");

    // What is not done needs no reason of its own.
    let said =
        folder.test(&[&words], &images, &["--measure", "rsa-cosine", "--given", "one", "--rsa", "kendall-tau-a"]);
    assert!(said.contains("--given, --rsa: not done") && !said.contains("is not tested given"), "{said}");

    // Words with groups have no such test at all.
    let grouped = folder.groups("G", 3, seen);
    let said = folder.test(&[&grouped], &images, &["--measure", "rsa-cosine", "--rsa", "pearson"]);
    assert!(said.contains("warning: --rsa: not done") && said.contains("G has layers or groups"), "{said}");
}

#[test]
fn words_with_groups_meet_images_without_as_the_other_way_round() {
    let folder = Folder::new();
    let (grouped, single) = (folder.groups("G", 3, seen), folder.matrix("S", noise(1)));
    let more = ["--measure", "rsa-pearson", "--measure", "rsa-cosine"];
    let values = |words: &str, images: &str| -> Vec<f64> {
        let said = folder.test(&[words], &[images], &more);
        assert!(!said.contains("was a file given twice"), "{said}");
        let table = folder.read("measures.csv");
        assert_eq!(column::<usize>(&table, "groups"), [3, 3]);
        column(&table, "value")
    };
    let (one, other) = (values(&grouped, &single), values(&single, &grouped));
    assert!(one.len() == 2 && one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-12), "{one:?}, {other:?}");
    let refused = |words: &[&str], more: &[&str]| {
        let out = folder.path("out").display().to_string();
        let mut arguments = vec!["test", "--fresh", "--out", &out, "--images", &single];
        words.iter().for_each(|words| arguments.extend(["--words", words]));
        arguments.extend(more);
        fail(&arguments, 2)
    };
    assert!(refused(&[&grouped], &[]).contains("3 matrices, expected one: a word model has no groups; give one"));
    let said = refused(&[&grouped, &folder.groups("H", 2, seen)], &more);
    assert!(said.contains("2 groups, expected 3 as in") && !said.contains("the mean of its groups"), "{said}");
    let (out, fewer) = (folder.path("out").display().to_string(), folder.groups("F", 2, seen));
    let sides = ["test", "--fresh", "--out", &out, "--images", &fewer, "--words", &grouped];
    let said = fail(&[&sides[..], &more].concat(), 2);
    assert!(said.contains("3 groups, expected 2 as in") && said.contains("the mean of its groups"), "{said}");
    for measure in ["2v2", "rsa-kendall"] {
        let said = refused(&[&grouped], &["--measure", measure]);
        assert!(said.contains(&format!("{measure} with the groups of G")), "{said}");
    }
}

#[test]
fn what_is_best_and_how_many_were_drawn_do_not_depend_on_tail_and_order() {
    let folder = Folder::new();
    let (a, b) = (folder.matrix("A", noise(1)), folder.matrix("B", noise(2)));
    let negative = folder.matrix("neg", |a, b| 1.0 - noise(1)(a, b));
    let images = [&*negative, &folder.matrix("nul", noise(4))];
    let measures = ["--measure", "2v2", "--measure", "rsa-pearson"];
    for (tail, how) in [("lower", "(lowest)"), ("two", "(farthest from chance)")] {
        let said = folder.test(&[&a], &images, &[&measures[..], &["--tail", tail, "--ties", "half"]].concat());
        assert!(said.contains(&format!("best layer {how} neg 0.000")), "{said}");
        assert!(said.contains(&format!("A: rsa-pearson, best layer {how} neg: -1.000")), "{said}");
        let page = folder.read("report.html");
        assert!(page.contains(&format!("best {how} at neg")) && page.contains(&format!("best layer {how} by rsa-")));
    }
    for words in [[&*a, &*b], [&*b, &*a]] {
        folder.test(&words, &[&a], &[&measures[..], &["--stop-after", "5"]].concat());
        let page = folder.read("report.html");
        let (head, _) = page.split_once("<nav").unwrap();
        assert!(head.contains("1 group of images, up to 99 permutations, stopped early.</p>"));
        let figure = folder.read("figures/accuracy_images.svg");
        let texts = figure.split("</text>").filter_map(|part| part.rsplit_once('>')).map(|(_, text)| text);
        let texts: Vec<&str> = texts.collect();
        assert!(texts.join(" ").contains("up to 99 permutations, stopped early."), "{texts:?}");
    }
}

#[test]
fn options_without_effect_are_told() {
    let folder = Folder::new();
    let (words, images) = (folder.matrix("A", noise(1)), folder.matrix("one", noise(3)));
    let told = |more: &[&str]| folder.test(&[&words], &[&images], more);
    let said = told(&["--kernels", "--measure", "rsa-cosine", "--ties", "half", "--decimal", "comma", "--index", "no"]);
    for option in ["--kernels: no effect: none of cka,", "--ties: no effect: 2v2", "--index, --decimal: no effect"] {
        assert!(said.contains(&format!("warning: {option}")), "{option}: {said}");
    }
    assert!(folder.read("run.json").contains("--kernels: no effect"));
    let features =
        ["--features", "--kernels", "--measure", "cka", "--measure", "2v2", "--ties", "half", "--constant", "half"];
    let said = told(&[&features[..], &["--distances"]].concat());
    for option in ["--kernels: no effect on the words", "--distances: no effect"] {
        assert!(said.contains(&format!("warning: {option}")), "{option}: {said}");
    }
    assert!(!said.contains("--ties") && !said.contains("--constant"), "{said}");
    // Of word vectors the words alone are read.
    let row = |concept: usize| format!("c{concept} {} {} 1.5\n", concept * concept % 7, concept * 5 % 11);
    std::fs::write(folder.path("v.txt"), (0..CONCEPTS).map(row).collect::<String>()).unwrap();
    std::fs::write(folder.path("names"), (0..CONCEPTS).map(|n| format!("c{n}\n")).collect::<String>()).unwrap();
    let [vectors, names] = ["v.txt", "names"].map(|name| folder.path(name).display().to_string());
    let more = ["--concepts", &names, "--header", "no", "--kernels", "--measure", "cka"];
    let said = folder.test(&[&format!("V={vectors}")], &[&images], &more);
    for option in ["--kernels: no effect on", "--header: no effect"] {
        assert!(said.contains(&format!("warning: {option}")), "{option}: {said}");
    }
    let said = told(&["--kernels", "--measure", "cka", "--measure", "2v2", "--ties", "half", "--constant", "half"]);
    assert!(!said.contains("no effect"), "{said}");
}
