use std::time::{Duration, Instant};

use crate::{Small, fail, semgpu};

#[test]
fn a_killed_run_goes_on_with_the_next_layer() {
    let small = Small::make();
    small.run("whole", &[]);
    let (config, out) = (small.text("experiment.toml"), small.text("killed"));
    let arguments = ["run", "--config", &config, "--out", &out];
    let mut child = semgpu(&arguments).spawn().unwrap();
    let first = small.path("killed/rsm/pixels.npy");
    let started = Instant::now();
    while !first.exists() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = std::fs::metadata(&first).unwrap().modified().unwrap();
    let groups_before = std::fs::read(&first).unwrap();

    // What the killed run had not written is somebody else's.
    for name in ["accuracy.csv", "report.html", "run.json", "rsm/categories.txt"] {
        let name = format!("killed/{name}");
        small.write(&name, "mine");
        let said = fail(&arguments, 2);
        assert!(said.contains(&format!("{}: semgpu did not write this file", small.text(&name))), "{said}");
        assert_eq!(small.read(&name), "mine");
        std::fs::remove_file(small.path(&name)).unwrap();
    }
    // Answers are none of its results: it stops before them.
    small.write("killed/rsm/predicted_classes.npy", "mine");
    small.run("killed", &[]);
    assert!(!small.read("killed/rsm/finished.json").contains("predicted_classes"));
    assert_eq!(small.read("killed/rsm/predicted_classes.npy"), "mine");
    for name in ["accuracy.csv", "groups.csv", "concepts.csv"] {
        assert_eq!(small.read(&format!("whole/{name}")), small.read(&format!("killed/{name}")), "{name}");
    }
    // A finished layer file is not written again; an unfinished one keeps its first group.
    let groups_after = std::fs::read(&first).unwrap();
    let first_group = 8 * Small::CONCEPTS * Small::CONCEPTS;
    let header = groups_after.len() - Small::GROUPS * first_group;
    assert_eq!(groups_before[header..header + first_group], groups_after[header..header + first_group]);
    assert!(kept <= std::fs::metadata(&first).unwrap().modified().unwrap());
}

#[test]
fn finished_layers_are_reused_and_fresh_ignores_them() {
    let small = Small::make();
    small.run("out", &[]);
    let written = |name: &str| std::fs::metadata(small.path("out/rsm").join(name)).unwrap().modified().unwrap();
    let before = written("fire2.npy");
    let record = || serde_json::from_str::<serde_json::Value>(&small.read("out/run.json")).unwrap();
    let (mut changed, peak) = (record(), 1_u64 << 50);
    changed["peak_bytes"] = peak.into();
    small.write("out/run.json", &changed.to_string());
    small.run("out", &["--set", "two_vs_two.permutations=20"]);
    assert_eq!(before, written("fire2.npy"));
    // What tests need is less than what the layers needed.
    assert_eq!(record()["peak_bytes"], peak);
    assert!(small.read("out/accuracy.csv").contains(",20,"));
    small.run("out", &["--fresh"]);
    assert!(before < written("fire2.npy"));
    assert_ne!(record()["peak_bytes"], peak);
}

#[test]
fn finished_layers_of_a_group_are_not_computed_again_for_the_next() {
    let small = Small::make();
    small.run("whole", &[]);
    small.run("out", &["--set", "network.layers=[\"conv1\"]"]);
    let written = |name: &str| std::fs::metadata(small.path("out/rsm").join(name)).unwrap().modified().unwrap();
    let before = ["pixels.npy", "conv1.npy"].map(written);
    small.run("out", &[]);
    assert_eq!(["pixels.npy", "conv1.npy"].map(written), before);
    for name in ["pixels.npy", "conv1.npy", "fire2.npy"] {
        let bytes = |out: &str| std::fs::read(small.path(out).join("rsm").join(name)).unwrap();
        assert_eq!(bytes("out"), bytes("whole"), "{name}");
    }
}

#[test]
fn layers_of_another_experiment_are_replaced_only_when_asked() {
    let small = Small::make();
    small.run("out", &[]);
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let other = ["run", "--config", &config, "--out", &out, "--set", "stimuli.resize=squash-bilinear"];
    for more in ["-q", "--dry-run"] {
        let said = fail(&[&other[..], &[more]].concat(), 2);
        assert!(said.contains("of another experiment") && said.contains("--fresh"), "{said}");
        assert!(said.contains("\"squash-bilinear\" here)"), "{said}");
    }
    small.run("out", &["--set", "stimuli.resize=squash-bilinear", "--fresh"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_130_and_keeps_finished_layers() {
    let small = Small::make();
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let mut child = semgpu(&["run", "--config", &config, "--out", &out, "--set", "run.threads=1"]).spawn().unwrap();
    let first = small.path("out/rsm/pixels.npy");
    let started = Instant::now();
    while !first.exists() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(first.exists() && !small.path("out/accuracy.csv").exists());
}
