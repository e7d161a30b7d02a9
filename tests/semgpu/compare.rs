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
    succeed(&["compare", &trained, &random, "--bootstrap", "50", "--out", &out]);
    let table = small.read("compared/compare.csv");
    assert_eq!(column::<String>(&table, "curve_a"), ["trained"; 3]);
    assert_eq!(column::<String>(&table, "curve_b"), ["random"; 3]);
    assert_eq!(column::<String>(&table, "layer_b"), ["pixels", "conv1", "fire2"]);
    // The pixels are the same in both.
    assert_eq!(column::<f64>(&table, "difference")[0], 0.0);
    assert_eq!(column::<f64>(&table, "p_value")[0], 1.0);
    let accuracies: Vec<f64> = column(&small.read("random/accuracy.csv"), "accuracy");
    assert_eq!(column::<f64>(&table, "accuracy_b"), accuracies);
    for kind in ["png", "svg"] {
        assert!(small.path("compared/figures").join(format!("compare.{kind}")).exists());
    }
    let again = small.text("again");
    succeed(&["compare", &trained, &random, "--bootstrap", "50", "--out", &again]);
    assert_eq!(small.read("again/compare.csv"), table);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let small = Small::make();
    small.run("out", &[]);
    let out = small.text("out");
    let said = fail(&["compare", &out, "--out", &small.text("compared")], 2);
    assert!(said.contains("one curve is nothing to compare"), "{said}");
    let said = fail(&["compare", &out, &out, "--words", "SkipGram", "--out", &small.text("compared")], 2);
    assert!(said.contains("--words SkipGram: no run has this word model, expected one of GloVe"), "{said}");
    let said = fail(&["compare", &small.text("nowhere"), &out, "--out", &small.text("compared")], 2);
    assert!(said.contains("nowhere") && said.contains("no such file"), "{said}");
    assert!(!small.path("compared").exists());
}
