use crate::{Small, column, fail, succeed};

/// Concepts whose image in the last group is a mistake.
const MISTAKEN: usize = 4;

/// The small experiment with classes. SqueezeNet recognises few drawings, so the classes are its own answers, and the
/// first concepts' images in the last group are declared to show what it takes the next one's for.
fn small() -> Small {
    let small = Small::make();
    let manifest = small.read("manifest.csv");
    small.run("first", &["--set", "network.layers=[\"logits\"]"]);
    let mut classes = column::<usize>(&small.read("first/predictions.csv"), "predicted_index");
    let last = classes.len() - Small::CONCEPTS;
    classes[last..last + MISTAKEN].rotate_left(1);
    // The predictions stand group by group in the order of the concepts, the manifest in any.
    let concepts = small.read("first/rsm/concepts.txt");
    let class = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let concept = concepts.lines().position(|concept| concept == cells[1]).unwrap();
        classes[(cells[2].parse::<usize>().unwrap() - 1) * Small::CONCEPTS + concept]
    };
    let rows: String = manifest.lines().skip(1).map(|line| format!("{line},{}\n", class(line))).collect();
    small.write("manifest.csv", &format!("path,concept,group,class_index\n{rows}"));
    small
}

#[test]
fn mistakes_are_tested_at_every_layer_and_drawn() {
    let small = small();
    small.run("out", &["--set", "one_vs_two={}"]);
    let predictions = small.read("out/predictions.csv");
    assert!(predictions.starts_with(
        "network,group,path,concept,class_index,predicted_index,predicted,correct,predicted_class\nsqueezenet1_1,1,"
    ));
    assert_eq!(predictions.lines().count(), 1 + Small::CONCEPTS * Small::GROUPS);
    let correct = column::<bool>(&predictions, "correct").iter().filter(|&&correct| correct).count();
    let run: serde_json::Value = serde_json::from_str(&small.read("out/run.json")).unwrap();
    assert_eq!(run["top_1"].as_f64().unwrap(), correct as f64 / (Small::CONCEPTS * Small::GROUPS) as f64);

    let table = small.read("out/one_vs_two.csv");
    assert!(
        table.starts_with("network,layer,label,words,images,passed,ties,accuracy,permutations,p_value,p_fwer"),
        "{table}"
    );
    assert_eq!(column::<String>(&table, "layer"), ["pixels", "conv1", "fire2"]);
    let images = column::<u64>(&table, "images")[0];
    assert!(images > 0, "{predictions}");
    let passed = column::<u64>(&table, "passed");
    for ((accuracy, passed), p) in
        column::<f64>(&table, "accuracy").iter().zip(&passed).zip(column::<f64>(&table, "p_value"))
    {
        assert_eq!(*accuracy, *passed as f64 / images as f64);
        assert!((1.0 / 51.0..=1.0).contains(&p));
    }
    let mistakes = small.read("out/misclassified.csv");
    assert!(mistakes.starts_with("network,group,path,concept,predicted,layer,words,margin\n"));
    assert_eq!(mistakes.lines().count() as u64, 1 + 3 * images);
    let positive = |layer: &str| {
        let rows = column::<String>(&mistakes, "layer").into_iter().zip(column::<f64>(&mistakes, "margin"));
        rows.filter(|(of, margin)| of == layer && *margin > 0.0).count() as u64
    };
    assert_eq!(["pixels", "conv1", "fire2"].map(positive).to_vec(), passed);
    // An image is lost unless the last layer passes it.
    let lost = column::<String>(&small.read("out/lost.csv"), "lost_from");
    assert_eq!(lost.iter().filter(|layer| layer.is_empty()).count() as u64, passed[2]);

    let figure = small.path("out/figures/one_vs_two_squeezenet1_1.png");
    let before = std::fs::read(&figure).unwrap();
    std::fs::remove_dir_all(small.path("out/figures")).unwrap();
    succeed(&["plot", &small.text("out")]);
    assert_eq!(before, std::fs::read(&figure).unwrap());
}

#[test]
fn answers_outlive_an_interruption_and_serve_a_run_that_asks_for_the_test_later() {
    let small = small();
    small.run("whole", &["--set", "one_vs_two={}"]);
    small.run("later", &[]);
    // Without the test the network stops before its classes.
    assert_eq!(small.read("later/predictions.csv").lines().count(), 1);
    assert!(!small.path("later/figures/one_vs_two_squeezenet1_1.png").exists());
    let written = |name: &str| std::fs::metadata(small.path("later/rsm").join(name)).unwrap().modified().unwrap();
    let layer = written("fire2.npy");
    small.run("later", &["--set", "one_vs_two={}"]);
    let tables = ["predictions.csv", "one_vs_two.csv", "misclassified.csv", "lost.csv", "accuracy.csv"];
    for name in tables {
        assert_eq!(small.read(&format!("whole/{name}")), small.read(&format!("later/{name}")), "{name}");
    }
    let answers = written("predicted_classes.npy");
    let output = small.run("later", &["--set", "one_vs_two.permutations=20"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("all layers are there"));
    assert_eq!((layer, answers), (written("fire2.npy"), written("predicted_classes.npy")));
    assert_eq!(column::<u64>(&small.read("later/one_vs_two.csv"), "permutations"), [20; 3]);
    // A run without the test is as it was before; the answers stay, and are its to write again.
    small.run("later", &[]);
    assert_eq!(small.read("later/predictions.csv").lines().count(), 1);
    assert_eq!(answers, written("predicted_classes.npy"));
    small.run("later", &["--set", "one_vs_two={}", "--fresh"]);
    assert!(answers < written("predicted_classes.npy"));
}

#[test]
fn without_mistakes_to_test_the_run_says_so_and_ends_well() {
    let small = small();
    let manifest = small.read("manifest.csv");
    // No drawing is taken for a tench (class 0): no image is right.
    let rows = manifest.lines().skip(1).map(|line| line.rsplit_once(',').unwrap().0.to_string() + ",0\n");
    small.write("manifest.csv", &("path,concept,group,class_index\n".to_string() + &rows.collect::<String>()));
    let output = small.run("out", &["--set", "one_vs_two={}"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("nothing to test"), "{said}");
    assert_eq!(small.read("out/one_vs_two.csv").lines().count(), 1);
    assert!(small.read("out/run.json").contains("nothing to test"));
    assert!(!small.path("out/figures/one_vs_two_squeezenet1_1.png").exists());
}

#[test]
fn the_test_needs_classes_and_known_keys() {
    let small = Small::make();
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let said = fail(&["run", "--config", &config, "--out", &out, "--set", "one_vs_two={}"], 2);
    assert!(said.contains("class_index") && said.contains("manifest.csv"), "{said}");
    let said = fail(&["run", "--config", &config, "--out", &out, "--set", "one_vs_two.draws=3"], 2);
    assert!(said.contains("draws"), "{said}");
    let said = fail(&["run", "--config", &config, "--out", &out, "--set", "one_vs_two.permutations=5000000000"], 2);
    assert!(said.contains("one_vs_two.permutations"), "{said}");
    assert!(!small.path("out").exists());
}

#[test]
fn a_dry_run_names_the_test() {
    let small = Small::make();
    let manifest = small.read("manifest.csv").replace("group\n", "group,class_index\n").replace(",1\n", ",1,5\n");
    small.write("manifest.csv", &manifest.replace(",2\n", ",2,5\n"));
    let output = small.run("out", &["--set", "one_vs_two={}", "--dry-run"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("1 vs. 2 test"), "{said}");
}
