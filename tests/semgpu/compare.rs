use crate::{Small, column, fail, succeed};

#[test]
fn trained_and_random_networks_are_compared_on_one_axis_with_paired_tests() {
    let small = Small::make();
    small.run("trained", &[]);
    let experiment = small.read("experiment.toml");
    let random: String =
        experiment.lines().filter(|line| !line.starts_with("weights")).map(|l| format!("{l}\n")).collect();
    small.write("experiment.toml", &random.replace("[network]", "[network]\nrandom = true"));
    small.run("random", &[]);

    let (trained, random, out) = (small.text("trained"), small.text("random"), small.text("compared"));
    let said = succeed(&["compare", &trained, &random, "--bootstrap", "50", "--out", &out]);
    assert_eq!(String::from_utf8(said.stdout).unwrap(), format!("{}\n", small.path("compared/report.html").display()));
    let table = small.read("compared/compare.csv");
    assert_eq!(column::<String>(&table, "curve_a"), ["trained"; 3]);
    assert_eq!(column::<String>(&table, "curve_b"), ["random"; 3]);
    assert_eq!(column::<String>(&table, "layer_b"), ["pixels", "conv1", "fire2"]);
    assert_eq!(column::<String>(&table, "over"), ["concepts"; 3]);
    // The pixels are the same in both.
    assert_eq!(column::<f64>(&table, "difference")[0], 0.0);
    assert_eq!(column::<f64>(&table, "p_value")[0], 1.0);
    let accuracies: Vec<f64> = column(&small.read("random/accuracy.csv"), "accuracy");
    assert_eq!(column::<f64>(&table, "accuracy_b"), accuracies);
    for kind in ["png", "svg", "pdf"] {
        for figure in ["compare", "compare_differences"] {
            assert!(small.path("compared/figures").join(format!("{figure}.{kind}")).exists());
        }
    }
    let page = small.read("compared/report.html");
    for text in [
        "2 runs side by side",
        "href=\"../random/report.html\"",
        "trained - random: largest difference at",
        "other concepts of the same",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let record: serde_json::Value = serde_json::from_str(&small.read("compared/compare.json")).unwrap();
    assert_eq!((&record["resamples"], &record["runs"][1]["name"]), (&50.into(), &"random".into()));
    let again = small.text("again");
    let files: Vec<&str> = record["files"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(files.contains(&"within.csv") && files.contains(&"figures/compare.svg"), "{files:?}");
    // A figure that it did not draw.
    small.write("compared/figures/compare_steps.svg", "mine");
    let said = fail(&["compare", &trained, &random, "--bootstrap", "50", "--out", &out], 2);
    assert!(said.contains("compare_steps.svg: semgpu did not write this file"), "{said}");
    std::fs::remove_file(small.path("compared/figures/compare_steps.svg")).unwrap();
    succeed(&["compare", &trained, &random, "--bootstrap", "50", "--out", &out]);
    succeed(&["compare", &trained, &random, "--bootstrap", "50", "--style", "plain", "--out", &again]);
    assert_eq!(small.read("again/compare.csv"), table);
    let figure = |out: &str| small.read(&format!("{out}/figures/compare.svg"));
    assert!(figure("compared").contains("Relative depth") && figure("compared").contains("hollow:"));
    assert!(figure("again").contains("Relative depth") && !figure("again").contains("hollow:"));
    assert!(fail(&["plot", &again], 2).contains("a comparison of runs, drawn when it was made"));
}

#[test]
fn results_that_another_program_changed_are_named() {
    let small = Small::make();
    small.run("out", &[]);
    small.run("other", &["--set", "seed=3"]);
    let [out, other, compared] = ["out", "other", "compared"].map(|name| small.text(name));
    let line = |said: &std::process::Output| String::from_utf8_lossy(&said.stderr).contains("not as semgpu wrote");
    assert!(!line(&succeed(&["plot", &out])));
    let table = small.read("out/accuracy.csv");
    small.write("out/accuracy.csv", &table.replacen(",0.", ",0.0", 1));
    let said = succeed(&["plot", &out]);
    assert!(line(&said), "{said:?}");
    assert!(small.read("out/report.html").contains("accuracy.csv: not as semgpu wrote it"));
    let said = succeed(&["compare", &out, &other, "--bootstrap", "20", "--out", &compared]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("warning: out: accuracy.csv: not as semgpu wrote it"));
    assert!(small.read("compared/report.html").contains("out: accuracy.csv: not as semgpu wrote it"));
    small.run("out", &[]);
    assert_eq!(small.read("out/accuracy.csv"), table);
    assert!(!line(&succeed(&["plot", &out])));
    // A matrix too; results without theirs are whole.
    std::fs::copy(small.path("out/rsm/fire2.npy"), small.path("out/rsm/conv1.npy")).unwrap();
    let said = succeed(&["compare", &out, &other, "--bootstrap", "20", "--out", &compared]);
    assert!(String::from_utf8_lossy(&said.stderr).contains("warning: out: rsm/conv1.npy: not as semgpu wrote it"));
    std::fs::remove_dir_all(small.path("out/rsm")).unwrap();
    assert!(!line(&succeed(&["plot", &out])));
}

#[test]
fn layers_of_one_run_are_tested_against_each_other() {
    let small = Small::make();
    small.run("out", &[]);
    let (out, compared) = (small.text("out"), small.text("compared"));
    succeed(&["compare", &out, "--bootstrap", "99", "--out", &compared]);
    let table = small.read("compared/within.csv");
    let accuracies: Vec<f64> = column(&small.read("out/accuracy.csv"), "accuracy");
    let layers = ["pixels", "conv1", "fire2"];
    let best = (0..3).max_by(|&x, &y| accuracies[x].total_cmp(&accuracies[y])).unwrap();
    assert_eq!(column::<String>(&table, "kind"), ["next", "next", "best", "best"]);
    assert_eq!(column::<String>(&table, "layer_a"), ["conv1", "fire2", layers[best], layers[best]]);
    assert_eq!(column::<String>(&table, "layer_b")[..2], ["pixels", "conv1"]);
    let steps = small.read("compared/figures/compare_steps.svg");
    assert!(steps.contains("Rise in 2 vs. 2 accuracy") && steps.contains(">GloVe</text>"));
    let [low, difference, high] = ["ci_low", "difference", "ci_high"].map(|name| column::<f64>(&table, name));
    assert!((difference[0] - (accuracies[1] - accuracies[0])).abs() < 1e-12, "{difference:?}");
    let [p, corrected] = ["p_value", "p_fwer"].map(|name| column::<f64>(&table, name));
    for n in 0..4 {
        assert!(low[n] <= difference[n] && difference[n] <= high[n] && p[n] <= corrected[n], "row {n} of {table}");
    }
    let over_concepts: Vec<f64> = low.iter().zip(&high).map(|(low, high)| high - low).collect();
    for over in ["groups", "both"] {
        let said = succeed(&["compare", &out, "--bootstrap", "99", "--generalise", over, "--out", &compared]);
        let said = String::from_utf8(said.stderr).unwrap();
        assert!(said.contains("generalise to other") && said.contains("groups"), "{said}");
        let table = small.read("compared/within.csv");
        assert_eq!(column::<String>(&table, "over"), [over; 4]);
        let again = column::<f64>(&table, "difference");
        assert!(again.iter().zip(&difference).all(|(again, first)| (again - first).abs() < 1e-12), "{table}");
        let [low, high] = ["ci_low", "ci_high"].map(|name| column::<f64>(&table, name));
        let widths: Vec<f64> = low.iter().zip(&high).map(|(low, high)| high - low).collect();
        assert_ne!(widths, over_concepts, "over {over}");
        assert!((0..4).all(|n| low[n] <= again[n] && again[n] <= high[n]), "{table}");
    }
    let page = small.read("compared/report.html");
    assert!(page.contains("SqueezeNet 1.1: layer against layer") && page.contains("every two layers"));
    succeed(&["compare", &out, "--layers", "fire2", "pixels", "--out", &compared]);
    let table = small.read("compared/within.csv");
    assert_eq!(column::<String>(&table, "kind"), ["asked"]);
    assert!(small.read("compared/report.html").contains("the layers fire2 and pixels were compared"));
    let asked = column::<f64>(&table, "difference")[0];
    assert!((asked - (accuracies[2] - accuracies[0])).abs() < 1e-12, "{asked}");
}

#[test]
fn what_cannot_be_compared_is_said() {
    let small = Small::make();
    small.run("out", &[]);
    let out = small.text("out");
    small.run("single", &["--set", "network.layers=[\"fire2\"]", "--set", "stimuli.pixels=false"]);
    let said = fail(&["compare", &small.text("single"), "--out", &small.text("compared")], 2);
    assert!(said.contains("one curve of one layer is nothing to compare"), "{said}");
    let said = fail(&["compare", &out, "--layers", "conv1", "conv2", "--out", &small.text("compared")], 2);
    let known =
        "--layers conv2: GloVe has no such layer, expected two of pixels, conv1, fire2; did you mean \"conv1\"?";
    assert!(said.contains(known), "{said}");
    let said = fail(&["compare", &out, &out, "--words", "SkipGram", "--out", &small.text("compared")], 2);
    assert!(said.contains("--words SkipGram: no run has this word model, expected one of GloVe"), "{said}");
    let said = fail(&["compare", &small.text("nowhere"), &out, "--out", &small.text("compared")], 2);
    assert!(said.contains("nowhere") && said.contains("no such file"), "{said}");
    assert!(!small.path("compared").exists());
}

#[test]
fn what_has_one_name_in_two_runs_and_is_not_one_thing_is_said() {
    let small = Small::make();
    small.run("out", &[]);
    let glove = std::fs::read_to_string(crate::root().join("data/quickstart/glove.6B.50d.txt")).unwrap();
    let (_, values) = glove.lines().next().unwrap().split_once(' ').unwrap();
    small.write("other.txt", &format!("{}\nzzzz {values}\n", glove.trim_end()));
    let text = |said: std::process::Output| String::from_utf8(said.stderr).unwrap();
    let file = format!("words.0.file={}", small.text("other.txt"));
    let said = text(small.run("other", &["--set", &file, "--set", "network.input.values=0..1"]));
    let overridden = "network.input: 0..1 takes the place of caffe";
    assert!(said.contains(&format!("warning: {overridden}")), "{said}");
    assert!(small.read("other/report.html").contains(overridden));
    let [out, other, compared] = ["out", "other", "compared"].map(|name| small.text(name));
    let said = text(succeed(&["compare", &out, &other, "--bootstrap", "20", "--out", &compared]));
    for expected in [
        "GloVe is another file in other than in out",
        "images reach squeezenet1_1 differently in other than in out: values 0..1, not caffe",
    ] {
        assert!(said.contains(&format!("warning: {expected}")), "{said}");
        assert!(small.read("compared/report.html").contains(expected));
        assert!(small.read("compared/compare.json").contains(expected));
    }
}
