use crate::{Small, column, fail, succeed};

/// What `semgpu run` finds given the pixels, `semgpu test` finds in its matrices.
#[test]
fn tests_given_other_spaces_agree_between_run_and_test() {
    let small = Small::make();
    let set = ["--set", "controls.given=[\"pixels\"]", "--set", "controls.partition=[\"pixels\", \"GloVe\"]"];
    small.run("out", &[&set[..], &["--set", "two_vs_two.bootstrap=50"]].concat());
    let table = small.read("out/controls.csv");
    assert_eq!(column::<String>(&table, "layer"), ["conv1", "fire2", "conv1", "fire2"]);
    assert_eq!(column::<String>(&table, "given"), ["pixels"; 4]);
    assert_eq!(column::<String>(&table, "measure"), ["2v2", "2v2", "rsa-pearson", "rsa-pearson"]);
    let ties: Vec<String> = column(&table, "ties");
    assert!(ties[..2].iter().all(|ties| ties.parse::<u64>().is_ok()) && ties[2..] == ["", ""], "{ties:?}");
    let without: Vec<f64> = column(&table, "without");
    let accuracies: Vec<f64> = column(&small.read("out/accuracy.csv"), "accuracy");
    assert_eq!(without[..2], accuracies[1..]);
    let values: Vec<f64> = column(&table, "value");
    assert!(
        values[2..].iter().zip(&without[2..]).all(|(value, without)| value != without),
        "correlations are not coarse"
    );

    let parts = small.read("out/partition.csv");
    assert_eq!(column::<String>(&parts, "part")[..4], ["pixels", "GloVe", "pixels + GloVe", "pixels + GloVe"]);
    assert_eq!(column::<String>(&parts, "kind")[..4], ["unique", "unique", "shared", "total"]);
    let explained: Vec<f64> = column(&parts, "explained");
    for parts in explained.chunks_exact(4) {
        assert!((parts[..3].iter().sum::<f64>() - parts[3]).abs() < 1e-12 && parts[3] < 1.0, "{parts:?}");
    }
    for name in ["controls_squeezenet1_1_GloVe", "partition_squeezenet1_1"] {
        assert!(small.path("out/figures").join(format!("{name}.svg")).exists(), "{name}");
    }
    let page = small.read("out/report.html");
    assert!(page.contains("Freedman, D., &amp; Lane") && page.contains("commonality analysis"));
    assert!(
        page.contains(
            "every permutation too; p-values family-wise over layers, each measure and what is given by itself"
        )
    );

    let matrix = |name: &str| small.text(&format!("out/rsm/{name}.npy"));
    let (words, given) = (format!("GloVe={}", matrix("words.GloVe")), format!("low={}", matrix("pixels")));
    let layers = ["conv1", "fire2"].map(|layer| format!("{layer}={}", matrix(layer)));
    let out = small.text("again");
    let test = |more: &[&str]| {
        let start = ["test", "--words", &words, "--images", &layers[0], "--images", &layers[1], "--permutations", "50"];
        [&start[..], &["--seed", "3", "--device", "cpu", "--out", &out, "--fresh"], more].concat().join("\n")
    };
    let run = |more: &[&str]| succeed(&test(more).split('\n').collect::<Vec<_>>());
    run(&["--given", &given]);
    let again = small.read("again/controls.csv");
    for name in ["value", "without", "p_value", "p_fwer", "null_mean"] {
        assert_eq!(column::<f64>(&again, name), column::<f64>(&table, name), "{name}");
    }
    assert!(small.read("again/run.json").contains("\"low\""), "the file's checksum");

    // One space shares nothing.
    run(&["--partition", &given]);
    let page = small.read("again/report.html");
    assert!(page.contains("entries that low explains is that of a linear regression") && !page.contains("commonality"));

    let kinds: String = (0..Small::CONCEPTS).map(|concept| format!("kind {}\n", concept % 3)).collect();
    small.write("kinds.txt", &kinds);
    let kinds = small.text("kinds.txt");
    let by_ranks = ["--rsa", "spearman", "--rsa", "kendall-tau-a"];
    let said = run(&[&["--categories", &kinds, "--given", "category", "--given", "conv1"][..], &by_ranks].concat());
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("warning: given: kendall-tau-a is not tested given other spaces"), "{said}");
    let table = small.read("again/controls.csv");
    let given: Vec<String> = column(&table, "given");
    let measures: Vec<String> = column(&table, "measure");
    let rows = |of: &str, measure: &str| given.iter().zip(&measures).filter(|(g, m)| *g == of && *m == measure).count();
    for measure in ["2v2", "rsa-pearson", "rsa-spearman"] {
        // A layer is not tested given itself.
        assert_eq!([rows("category", measure), rows("conv1", measure), rows("category + conv1", measure)], [2, 1, 1]);
    }
}

#[test]
fn spaces_that_cannot_be_given_are_named() {
    let small = Small::make();
    let config = small.text("experiment.toml");
    let refused = |set: &str| fail(&["run", "--config", &config, "--out", &small.text("out"), "--set", set], 2);
    let said = refused("controls.given=[\"gist\"]");
    assert!(
        said.contains("given \"gist\": there is no such space; expected one of GloVe, pixels, conv1, fire2"),
        "{said}"
    );
    let said = refused("controls.given=[\"category\"]");
    assert!(said.contains("category"), "{said}");
    let said = refused("controls.partition=[\"pixels\", \"GloVe\", \"conv1\", \"fire2\", \"pixels\"]");
    assert!(said.contains("partition: 5 spaces, expected one to 4"), "{said}");
    let said = refused("controls.given=[\"pixels\", \"pixels\"]");
    assert!(said.contains("stands twice"), "{said}");
    let said = refused("controls.given=[\"GloVe\"]");
    assert!(said.contains("given GloVe: there is no other word model to test"), "{said}");
    let said = refused("controls.partition=[\"pixels\", \"conv1\", \"fire2\"]");
    assert!(said.contains("partition pixels, conv1, fire2: there is no other layer to test"), "{said}");
    let said = refused("controls.given=[\"gist=nowhere.npy\"]");
    assert!(said.contains("nowhere.npy"), "{said}");
    assert!(!small.path("out").exists());
}
