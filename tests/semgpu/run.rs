use semgpu::arrays;

use crate::{Small, column, devices, succeed};

#[test]
fn a_run_leaves_what_the_contract_says() {
    let small = Small::make();
    small.run("out", &[]);
    let accuracy = small.read("out/accuracy.csv");
    assert!(accuracy.starts_with(
        "network,layer,label,depth,units,words,concepts,groups,pairs,accuracy,ties,permutations,p_value,p_fwer,q_fdr,\
         null_mean,null_sd,matched,mismatched,rsa"
    ));
    assert_eq!(column::<String>(&accuracy, "layer"), ["pixels", "conv1", "fire2"]);
    assert_eq!(column::<usize>(&accuracy, "pairs"), [66; 3]);
    for p in column::<f64>(&accuracy, "p_value") {
        assert!((1.0 / 51.0..=1.0).contains(&p));
    }
    let groups = small.read("out/groups.csv");
    assert!(groups.starts_with("network,layer,words,group,passed,ties,pairs,accuracy"));
    let concepts = small.read("out/concepts.csv");
    assert!(concepts.starts_with("network,layer,words,concept,pairs,passed,accuracy"));
    // Every pair has two concepts.
    let passed: u64 = column::<u64>(&groups, "passed").iter().sum();
    assert_eq!(column::<u64>(&concepts, "passed").iter().sum::<u64>(), 2 * passed);
    for name in ["rsm/pixels.npy", "rsm/conv1.npy", "rsm/words.GloVe.npy", "rsm/concepts.txt", "run.json"] {
        assert!(small.path("out").join(name).exists(), "{name}");
    }
    for kind in ["png", "svg"] {
        let figure = small.path("out").join(format!("figures/accuracy_squeezenet1_1.{kind}"));
        assert!(std::fs::metadata(figure).unwrap().len() > 1000);
    }
    assert_eq!(small.read("out/rsm/concepts.txt").lines().count(), Small::CONCEPTS);
    assert_eq!(small.read("out/stimuli.csv").lines().count(), 1 + Small::CONCEPTS * Small::GROUPS);
    let run: serde_json::Value = serde_json::from_str(&small.read("out/run.json")).unwrap();
    assert_eq!(run["config"]["seed"], 3);
    assert_eq!(run["device"]["kind"], "cpu");
    assert_eq!(run["checksums"]["weights"].as_str().unwrap().len(), 64);
}

#[test]
fn the_list_of_words_beside_an_npy_is_in_the_checksums() {
    let small = Small::make();
    let manifest = column::<String>(&small.read("manifest.csv"), "concept");
    let words: std::collections::BTreeSet<&str> = manifest.iter().map(String::as_str).collect();
    let mut words: Vec<&str> = words.into_iter().collect();
    let values: Vec<f64> = (0..words.len() * 9).map(|n| ((n * n) % 31) as f64).collect();
    arrays::write_npy(&small.path("model.npy"), &[words.len(), 9], &values).unwrap();
    let file = format!("words.0.file={}", small.text("model.npy"));
    let mut sum = |out: &str| {
        words.reverse();
        small.write("model.txt", &words.join("\n"));
        small.run(out, &["--set", &file, "--set", "network.layers=[]"]);
        let run: serde_json::Value = serde_json::from_str(&small.read(&format!("{out}/run.json"))).unwrap();
        run["checksums"]["words"][0].as_str().unwrap().to_string()
    };
    assert_ne!(sum("one"), sum("two"));
}

#[test]
fn the_same_run_twice_gives_the_same_bytes_for_any_number_of_threads() {
    let small = Small::make();
    small.run("one", &["--set", "run.threads=1"]);
    small.run("two", &["--set", "run.threads=2"]);
    for name in ["accuracy.csv", "groups.csv", "concepts.csv"] {
        assert_eq!(small.read(&format!("one/{name}")), small.read(&format!("two/{name}")), "{name}");
    }
}

#[test]
fn cpu_and_gpu_count_the_same() {
    let small = Small::make();
    for device in devices() {
        small.run(device, &["--device", device]);
        let (cpu, other) = (small.read("cpu/groups.csv"), small.read(&format!("{device}/groups.csv")));
        assert_eq!(column::<u64>(&cpu, "passed"), column::<u64>(&other, "passed"), "{device}");
        let (cpu, other) = (small.read("cpu/accuracy.csv"), small.read(&format!("{device}/accuracy.csv")));
        assert_eq!(column::<f64>(&cpu, "p_value"), column::<f64>(&other, "p_value"), "{device}");
    }
}

#[test]
fn plot_draws_from_the_results_alone() {
    let small = Small::make();
    small.run("out", &[]);
    let page = small.read("out/report.html");
    assert!(page.contains("/9j/") && page.contains("fire2"));
    succeed(&["plot", &small.text("out")]);
    assert_eq!(page, small.read("out/report.html"));
    let figure = small.path("out/figures/accuracy_squeezenet1_1.png");
    let before = std::fs::read(&figure).unwrap();
    std::fs::remove_dir_all(small.path("out/figures")).unwrap();
    std::fs::remove_dir_all(small.path("out/rsm")).unwrap();
    succeed(&["plot", &small.text("out")]);
    assert_eq!(before, std::fs::read(&figure).unwrap());
    let svg = || std::fs::read_to_string(figure.with_extension("svg")).unwrap();
    assert!(svg().contains(">SqueezeNet 1.1</text>"));
    succeed(&["plot", &small.text("out"), "--style", "plain"]);
    assert!(!svg().contains(">SqueezeNet 1.1</text>") && svg().contains(">F2</text>"), "{}", svg());
}

#[test]
fn a_dry_run_computes_nothing() {
    let small = Small::make();
    let output = small.run("out", &["--dry-run"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("66 pairs") && said.contains("memory"), "{said}");
    assert!(!small.path("out").exists());
}

#[test]
fn queries_answer_on_stdout() {
    let layers = succeed(&["layers", "vgg16"]);
    assert_eq!(String::from_utf8(layers.stderr).unwrap(), "columns   name, label in figures, shape, units\n");
    let layers = String::from_utf8(layers.stdout).unwrap();
    assert_eq!(layers.lines().count(), 16);
    assert!(layers.contains("block3_conv2") && layers.contains("B3C2"));
    let devices = String::from_utf8(succeed(&["devices"]).stdout).unwrap();
    assert!(devices.contains("auto takes"), "{devices}");
    let json: serde_json::Value = serde_json::from_slice(&succeed(&["devices", "--json"]).stdout).unwrap();
    assert!(json["adapters"].is_array());
}

#[test]
fn layers_of_tokens_are_tested_as_the_configuration_says() {
    let small = Small::make();
    let squeezenet = small.read("experiment.toml");
    let weights = squeezenet.lines().find(|line| line.starts_with("weights")).unwrap();
    let vit = squeezenet
        .replace("name = \"squeezenet1_1\"", "name = \"deit_t16\"")
        .replace(weights, "random = true")
        .replace("[\"conv1\", \"fire2\"]", "[\"block1\", \"block2\"]");
    small.write("experiment.toml", &vit);
    let mut rsms = Vec::new();
    for (out, key, token, units) in [
        ("default", None, "cls", 192),
        ("cls", Some("network.token=cls"), "cls", 192),
        ("mean", Some("network.token=mean"), "mean", 192),
        ("all", Some("network.token=all"), "all", 197 * 192),
    ] {
        let set: Vec<&str> = key.iter().flat_map(|key| ["--set", key]).collect();
        small.run(out, &set);
        let accuracy = small.read(&format!("{out}/accuracy.csv"));
        assert_eq!(column::<usize>(&accuracy, "units")[1..], [units; 2], "{out}");
        let run: serde_json::Value = serde_json::from_str(&small.read(&format!("{out}/run.json"))).unwrap();
        assert_eq!(run["network"]["token"], token, "{out}");
        rsms.push(std::fs::read(small.path(out).join("rsm/block1.npy")).unwrap());
    }
    assert_eq!(rsms[0], rsms[1]);
    assert!(rsms[1] != rsms[2] && rsms[2] != rsms[3]);
}

#[test]
fn names_that_figures_cannot_show_are_told_before_work() {
    let small = Small::make();
    small.write("experiment.toml", &small.read("experiment.toml").replace("\"GloVe\"", "\"日本語\""));
    let times = |output: std::process::Output, name: &str| {
        let said = String::from_utf8(output.stderr).unwrap();
        said.matches(&format!("warning: figures as PNG and PDF cannot show \"{name}\"")).count()
    };
    assert_eq!(times(small.run("out", &["--dry-run"]), "日本語"), 1);
    assert_eq!(times(small.run("out", &[]), "日本語"), 1);
    assert!(small.read("out/report.html").contains("cannot show"));
    let [out, compared] = ["out", "compared"].map(|name| small.text(name));
    assert_eq!(times(succeed(&["compare", &out, "--bootstrap", "20", "--out", &compared]), "日本語"), 1);
    let matrix = |name: &str| small.path("out/rsm").join(name).display().to_string();
    let words = format!("אריה={}", matrix("words.日本語.npy"));
    let (image, tested) = (format!("L={}", matrix("conv1.npy")), small.text("tested"));
    let output = succeed(&["test", "--words", &words, "--images", &image, "--permutations", "20", "--out", &tested]);
    assert_eq!(times(output, "אריה"), 1);
}
