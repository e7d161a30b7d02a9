//! To what intervals and differences generalise: concepts, groups, both.

use semgpu::arrays::write_npy;

use crate::inference::{Folder, noise, seen};
use crate::{column, fail, succeed};

#[test]
fn intervals_generalise_to_what_they_are_asked_to() {
    let folder = Folder::new();
    let words = [folder.matrix("A", noise(1)), folder.matrix("B", |a, b| 0.5 * (noise(1)(a, b) + noise(2)(a, b)))];
    let words = words.each_ref().map(String::as_str);
    let images = folder.groups("layer", 6, seen);
    let test = |more: &[&str]| {
        let start = ["--rsa", "pearson", "--rsa", "kendall-tau-a", "--bootstrap", "60"];
        folder.test(&words, &[&images], &[&start[..], more].concat())
    };
    test(&[]);
    let unasked = folder.read("accuracy.csv");
    assert!(!folder.path("out/intervals.csv").exists(), "what is not asked for is not there");

    // Over concepts the accuracies' intervals are those that there are anyhow.
    test(&["--generalise", "concepts"]);
    assert_eq!(folder.read("accuracy.csv"), unasked);
    let over = |over: &str| {
        let said = test(&["--generalise", over]);
        assert!(!said.contains("say little"), "{said}");
        let table = folder.read("intervals.csv");
        assert_eq!(column::<String>(&table, "over"), vec![over; 15]);
        assert_eq!(column::<String>(&table, "kind")[..5], ["value", "words", "ceiling", "value", "ceiling"]);
        let measures: Vec<String> = column(&table, "measure");
        assert_eq!([&measures[0], &measures[5], &measures[10]], ["2v2", "rsa-pearson", "rsa-kendall"]);
        let [value, low, high] = ["value", "ci_low", "ci_high"].map(|name| column::<f64>(&table, name));
        assert!((0..15).all(|n| low[n] <= value[n] && value[n] <= high[n]), "{table}");
        assert_eq!(folder.p("ci_low")[..2], [low[0], low[3]]);
        (0..15).map(|n| high[n] - low[n]).collect::<Vec<f64>>()
    };
    let [concepts, groups, both] = ["concepts", "groups", "both"].map(over);
    // The correlation with model A, and its difference from B's: more can be otherwise where more varies.
    assert!([5, 6].into_iter().all(|n| both[n] > 0.8 * concepts[n] && both[n] > 0.8 * groups[n]), "{both:?}");
    assert_ne!(concepts, groups);
    let page = folder.read("report.html");
    assert!(page.contains("Schütt, H. H.") && page.contains("lower noise"));

    // Differences and p-values are those of the words by themselves: a model against itself differs by nothing.
    let twice = [words[0], &words[0].replacen("A=", "again=", 1)];
    folder.test(&twice, &[&images], &["--bootstrap", "20", "--generalise", "both"]);
    let table = folder.read("intervals.csv");
    assert!(table.contains(",words,A,again,0.0,both,20,"), "{table}");
    for (name, expected) in [("ci_low", "0.0"), ("ci_high", "0.0"), ("p_value", "1.0"), ("p_fwer", "1.0")] {
        assert_eq!(column::<String>(&table, name)[1], expected, "{name} of {table}");
    }
}

#[test]
fn layers_and_word_models_are_families_and_figures_show_their_intervals() {
    let folder = Folder::new();
    let words = [folder.matrix("A", noise(1)), folder.matrix("B", noise(2))];
    let layers = [folder.groups("one", 4, seen), folder.groups("two", 4, |group, a, b| seen(group + 4, a, b))];
    let more = ["--rsa", "spearman", "--bootstrap", "99", "--generalise", "both"];
    folder.test(&words.each_ref().map(String::as_str), &layers.each_ref().map(String::as_str), &more);
    let table = folder.read("intervals.csv");
    let [kinds, p, family_wise, less] =
        ["kind", "p_value", "p_fwer", "less_layer"].map(|name| column::<String>(&table, name));
    for n in 0..kinds.len() {
        assert_eq!(kinds[n] == "layers", less[n] == "one", "row {n} of {table}");
        assert_eq!(p[n].is_empty(), family_wise[n].is_empty(), "row {n} of {table}");
        if !p[n].is_empty() {
            assert!(p[n].parse::<f64>().unwrap() <= family_wise[n].parse::<f64>().unwrap(), "row {n} of {table}");
        }
    }
    // Each measure: two word models at two layers, their difference, the layers' difference, the ceiling.
    let count = |kind: &str| kinds.iter().filter(|found| *found == kind).count();
    assert_eq!(["value", "words", "layers", "ceiling"].map(count), [8, 4, 4, 8], "{table}");
    let figures = ["2v2", "rsa-spearman"]
        .map(|measure| folder.path("out/figures").join(format!("intervals_images_{measure}.png")));
    assert!(figures.iter().all(|figure| figure.exists()), "{figures:?}");
    assert!(folder.read("report.html").contains("Every measure with its intervals"));
}

#[test]
fn places_without_an_order_have_no_steps_and_groups_have_their_name() {
    let folder = Folder::new();
    let words = folder.matrix("A", noise(1));
    let layers = [folder.groups("one", 4, seen), folder.groups("two", 4, |group, a, b| seen(group + 4, a, b))];
    let asked = ["--rsa", "spearman", "--bootstrap", "40", "--generalise", "both"];
    let more = [&asked[..], &["--unordered", "--groups-are", "subjects"]].concat();
    let said = folder.test(&[&words], &layers.each_ref().map(String::as_str), &more);
    assert!(!said.contains("so few resamples"), "{said}");
    let kinds: Vec<String> = column(&folder.read("intervals.csv"), "kind");
    assert_eq!(kinds, ["value", "ceiling"].repeat(4));
    let page = folder.read("report.html");
    assert!(page.contains("Intervals over other concepts and subjects;") && !page.contains("the one before it"));
    let figure = folder.read("figures/concepts_images_A.svg");
    let texts: Vec<&str> =
        figure.split("</text>").filter_map(|part| part.rsplit_once('>')).map(|(_, text)| text).collect();
    assert!(texts.join(" ").contains("that pass, over all subjects."), "{texts:?}");
}

#[test]
fn over_groups_alone_few_concepts_will_do() {
    let folder = Folder::new();
    let write = |name: &str, shape: &[usize], entry: &dyn Fn(usize, usize, usize) -> f64| {
        let value = |at: usize| match (at / 64, at / 8 % 8, at % 8) {
            (_, a, b) if a == b => 1.0,
            (group, a, b) => entry(group, a.min(b), a.max(b)),
        };
        let path = folder.path(&format!("{name}.npy"));
        write_npy(&path, shape, &(0..shape.iter().product::<usize>()).map(value).collect::<Vec<f64>>()).unwrap();
        format!("{name}={}", path.display())
    };
    let words = write("A", &[8, 8], &|_, a, b| noise(1)(a, b));
    let layers =
        [0, 5].map(|first| write(&format!("from{first}"), &[5, 8, 8], &|group, a, b| seen(first + group, a, b)));
    let images = layers.each_ref().map(String::as_str);
    let asked = ["--bootstrap", "60", "--rsa", "pearson", "--generalise"];
    folder.test(&[&words], &images, &[&asked[..], &["groups"]].concat());
    let table = folder.read("intervals.csv");
    assert_eq!(column::<String>(&table, "over").len(), 10, "{table}");
    let [value, low, high] = ["value", "ci_low", "ci_high"].map(|name| column::<f64>(&table, name));
    assert!((0..10).all(|n| low[n] <= value[n] && value[n] <= high[n]), "{table}");
    let [out, compared] = ["out", "compared"].map(|name| folder.path(name).display().to_string());
    succeed(&["compare", &out, "--generalise", "groups", "--bootstrap", "20", "--out", &compared]);
    let within = std::fs::read_to_string(folder.path("compared/within.csv")).unwrap();
    assert_eq!(column::<String>(&within, "kind"), ["next", "best"]);

    // Partitions of variance and measures resample concepts, whatever else is generalised to.
    for more in [&["both"][..], &["groups", "--partition", "A"], &["groups", "--measure", "2v2"]] {
        let start = ["test", "--words", &words, "--images", images[0], "--out", &out, "--fresh"];
        let said = fail(&[&start[..], &asked, more].concat(), 2);
        assert!(said.contains("12 concepts or more to resample") && said.contains("60 with 8 concepts"), "{said}");
    }
}

#[test]
fn few_groups_are_told_and_one_is_refused() {
    let folder = Folder::new();
    let words = folder.matrix("A", noise(1));
    let images = folder.groups("layer", 2, seen);
    let said = folder.test(&[&words], &[&images], &["--bootstrap", "20", "--generalise", "groups"]);
    assert!(said.contains("warning: generalise: 2 groups say little of others"), "{said}");
    assert!(said.contains("warning: bootstrap: 20: so few resamples"), "{said}");
    assert!(!folder.read("intervals.csv").contains("ceiling"));

    let single = folder.matrix("single", noise(3));
    let out = folder.path("out").display().to_string();
    let refused = |more: &[&str]| {
        let start = ["test", "--words", &words, "--images", &single, "--out", &out];
        fail(&[&start[..], more].concat(), 2)
    };
    let said = refused(&["--bootstrap", "20", "--generalise", "both"]);
    assert!(
        said.contains("generalise") && said.contains("expected two groups or more") && said.contains("1 group"),
        "{said}"
    );
    let said = refused(&["--generalise", "concepts"]);
    assert!(said.contains("with bootstrap 0: expected two_vs_two.bootstrap (--bootstrap)"), "{said}");
}
