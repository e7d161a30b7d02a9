//! What a newcomer meets: the experiment in the program, messages with their remedy, queries for scripts.

use std::path::Path;
use std::process::Output;

use crate::{Small, column, fail, root, semgpu, succeed};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// `semgpu` in a folder of its own, with a cache of its own.
fn there(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = semgpu(arguments);
    let output = command.current_dir(folder).env("XDG_CACHE_HOME", folder.join("cache")).output().unwrap();
    assert!(output.status.success(), "semgpu {arguments:?}: {}", text(&output.stderr));
    output
}

#[test]
fn the_quickstart_runs_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let output = there(folder.path(), &["quickstart", "--device", "cpu"]);
    assert_eq!(text(&output.stdout).replace('\\', "/"), "results/quickstart/report.html\n");
    let said = text(&output.stderr);
    for group in 1..=5 {
        // A slow machine says between them how far it is.
        let lines = said.lines().filter(|line| line.starts_with(&format!("group {group}  ")));
        assert_eq!(lines.count(), 1, "a line per group: {said}");
    }
    assert!(
        said.contains("166 concepts x 5 groups, 227 px, squash-bicubic") && said.contains("13,695 pairs"),
        "{said}"
    );
    assert!(said.contains("drawings of one kind of thing look alike"), "{said}");
    let results = folder.path().join("results/quickstart");
    let read = |name: &str| std::fs::read_to_string(results.join(name)).unwrap();
    // As the embedded pixels, .77, and the network's output, .88, stand in README and note.
    let accuracy: Vec<f64> = column(&read("accuracy.csv"), "accuracy");
    assert!((accuracy[0] - 0.768).abs() < 5e-4 && (accuracy[11] - 0.882).abs() < 2e-3, "{accuracy:?}");
    let page = read("report.html");
    assert!(page.contains("drawings of one kind of thing look alike") && page.contains("/9j/"));
    // What it read is kept for `plot`, as it stands in the project.
    let kept = std::fs::read_dir(folder.path().join("cache/semgpu")).unwrap().next().unwrap().unwrap().path();
    for name in ["configs/quickstart.toml", "data/quickstart/manifest.csv", "data/quickstart/images/noto/dog.webp"] {
        assert_eq!(std::fs::read(kept.join(name)).unwrap(), std::fs::read(root().join(name)).unwrap(), "{name}");
    }
    there(folder.path(), &["plot", "results/quickstart"]);
    assert_eq!(page, read("report.html"));
}

#[test]
fn init_writes_the_experiment_out_and_nothing_over() {
    let folder = tempfile::tempdir().unwrap();
    let output = there(folder.path(), &["init", "trial"]);
    assert_eq!(text(&output.stdout).trim().replace('\\', "/"), "trial/configs/quickstart.toml");
    let names =
        ["NOTICE", "configs/quickstart.toml", "weights/squeezenet1_1.safetensors", "data/quickstart/glove.6B.50d.txt"];
    for name in names {
        let written = std::fs::read(folder.path().join("trial").join(name)).unwrap();
        assert_eq!(written, std::fs::read(root().join(name)).unwrap(), "{name}");
    }
    // A second time changes nothing; what is the user's is not written over.
    there(folder.path(), &["init", "trial"]);
    let dry = there(folder.path(), &["run", "trial/configs/quickstart.toml", "--dry-run", "--threads", "1"]);
    assert!(text(&dry.stderr).contains("13,695 pairs"));
    std::fs::write(folder.path().join("trial/configs/quickstart.toml"), "mine").unwrap();
    std::fs::remove_file(folder.path().join("trial/NOTICE")).unwrap();
    let refused = semgpu(&["init", "trial"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("quickstart.toml: is there with other content"));
    assert!(!folder.path().join("trial/NOTICE").exists(), "nothing is written");
}

#[test]
fn a_configuration_is_an_argument_or_an_option() {
    let small = Small::make();
    let config = small.text("experiment.toml");
    std::fs::create_dir(small.path("a")).unwrap();
    let out = small.text("a/../out");
    let run = succeed(&["run", &config, "--out", &out, "--threads", "1", "-v"]);
    assert_eq!(
        text(&run.stdout).trim(),
        small.path("out").canonicalize().unwrap().join("report.html").display().to_string()
    );
    if cfg!(target_os = "linux") {
        assert!(text(&run.stderr).contains("memory so far"), "-v tells the memory of every stage");
    }
    let record: serde_json::Value = serde_json::from_str(&small.read("out/run.json")).unwrap();
    assert_eq!(record["threads"], 1);
    assert!(fail(&["run", &config, "--config", &config], 2).contains("cannot be used with"));
    assert!(fail(&["run"], 2).contains("CONFIG"));
}

#[test]
fn all_missing_files_are_named_with_their_keys() {
    let small = Small::make();
    let set = |key: &str, name: &str| format!("{key}={}", small.text(name));
    let (weights, words) = (set("network.weights", "w.pth"), set("words.0.file", "v.bin"));
    let said = fail(&["run", &small.text("experiment.toml"), "--set", &weights, "--set", &words], 2);
    for expected in [
        "2 files missing",
        "network.weights: there is no file",
        "w.pth",
        "words.0.file (GloVe)",
        "v.bin",
        "weights/README.md",
    ] {
        assert!(said.contains(expected), "expected {expected:?} in {said}");
    }
}

#[test]
fn mistyped_names_are_asked_about() {
    let small = Small::make();
    let config = small.text("experiment.toml");
    for (set, meant) in [
        ("network.name=squeeznet1_1", "squeezenet1_1"),
        ("network.layers=[\"conv01\"]", "conv1"),
        ("network.form=cafe", "caffe"),
        ("two_vs_two.permutation=9", "permutations"),
        ("two_vs_two.ties=loss", "lost"),
    ] {
        let said = fail(&["run", &config, "--set", set], 2);
        assert!(said.contains(&format!("did you mean {meant:?}?")), "{set}: {said}");
    }
    assert!(fail(&["quikstart"], 2).contains("'quickstart'"));
    assert!(fail(&["layers", "vgg61"], 2).contains("did you mean \"vgg16\"?"));
}

#[test]
fn queries_answer_scripts() {
    let answer =
        |arguments: &[&str]| -> serde_json::Value { serde_json::from_slice(&succeed(arguments).stdout).unwrap() };
    let networks = answer(&["layers", "--json"]);
    assert_eq!((&networks[0]["name"], &networks[0]["forms"][0]), (&"vgg16".into(), &"keras".into()));
    let weights = root().join("weights/squeezenet1_1.safetensors").display().to_string();
    let tensors = answer(&["inspect", &weights, "--json"]);
    assert_eq!(tensors["tensors"].as_array().unwrap().len(), 52);
    assert_eq!(tensors["published"], "SqueezeNet 1.1 as semgpu carries it");
    let account = answer(&["inspect", &weights, "--network", "squeezenet1_1", "--json"]);
    assert_eq!((&account["fits"], &account["assigned"][0]["change"]), (&true.into(), &"as it is".into()));
    let (words, manifest) = ("data/quickstart/glove.6B.50d.txt", "data/quickstart/manifest.csv");
    let path = |name: &str| root().join(name).display().to_string();
    let found = answer(&["inspect", &path(words), "--manifest", &path(manifest), "--json"]);
    assert_eq!((&found["dimensions"], &found["concepts"][0]["token"]), (&50.into(), &"airplane".into()));
}

#[test]
fn completions_and_manual_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(text(&succeed(&["completions", shell]).stdout).contains("quickstart"), "{shell}");
    }
    assert!(
        text(&succeed(&["man"]).stdout).starts_with(".ie") && text(&succeed(&["man"]).stdout).contains("quickstart")
    );
    let folder = tempfile::tempdir().unwrap();
    succeed(&["man", &folder.path().display().to_string()]);
    // Its own pages it replaces, and no other file.
    succeed(&["man", &folder.path().display().to_string()]);
    let page = folder.path().join("semgpu-run.1");
    let before = std::fs::read(&page).unwrap();
    std::fs::write(&page, "mine").unwrap();
    let said = fail(&["man", &folder.path().display().to_string()], 2);
    assert!(said.contains("semgpu-run.1: semgpu did not write this file"), "{said}");
    assert_eq!(std::fs::read_to_string(&page).unwrap(), "mine");
    std::fs::write(&page, before).unwrap();
    assert!(folder.path().join("semgpu-run.1").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn places_that_cannot_be_written_are_named_with_what_helps() {
    let small = Small::make();
    let (config, file) = (small.text("experiment.toml"), small.text("file"));
    small.write("file", "mine");
    let commands: [&[&str]; 5] =
        [&["init"], &["man"], &["bench", "--shaders"], &["bench", "--json"], &["shards", &config, "--tables"]];
    for command in commands {
        let said = fail(&[command, &["/proc/sys/made/x"]].concat(), 2);
        assert!(said.contains("nothing can be written here") && said.contains("use another directory"), "{said}");
        let said = fail(&[command, &[format!("{file}/made/x").as_str()]].concat(), 2);
        assert!(said.contains(&format!("{file}: a file, expected a directory")), "{said}");
    }
    assert_eq!(small.read("file"), "mine");
}

#[cfg(target_os = "linux")]
#[test]
fn drivers_keep_their_remarks_to_themselves() {
    let output = semgpu(&["devices"]).env_remove("XDG_RUNTIME_DIR").output().unwrap();
    assert_eq!(text(&output.stderr), "");
}
