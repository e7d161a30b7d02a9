use std::path::Path;
use std::process::Output;

use crate::{Small, fail, semgpu};

fn call(arguments: &[&str]) -> Output {
    let output = semgpu(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Cuts the small experiment into shards of one group and about half of the draws; the commands without the program.
fn cut(small: &Small, out: &str) -> Vec<Vec<String>> {
    let (config, out, tables) = (small.text("experiment.toml"), small.text(out), small.text("tables"));
    let told = ["--size", "10s", "--seconds-per-group", "9", "--seconds-per-draw", "0.1"];
    let arguments = ["shards", &config, "--out", &out, "--tables", &tables, "--device", "cpu"];
    call(&[&arguments[..], &told].concat());
    let lines = ["groups.txt", "draws.txt", "merge.txt"].map(|name| small.read(&format!("tables/{name}")));
    lines.concat().lines().map(|line| line.split(' ').skip(1).map(str::to_string).collect()).collect()
}

fn run_all(commands: &[Vec<String>]) {
    for command in commands {
        call(&command.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// Every table, matrix and figure, by name.
fn results(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for part in ["", "rsm", "figures"] {
        for entry in std::fs::read_dir(directory.join(part)).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            if ["csv", "npy", "svg", "png", "txt"].contains(&ending.as_str()) {
                let name = path.strip_prefix(directory).unwrap().display().to_string();
                files.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

#[test]
fn shards_merge_to_the_bytes_of_one_run() {
    let small = Small::make();
    let text = small.read("experiment.toml");
    // To the end, where the network answers.
    let text = text.replace("layers = [\"conv1\", \"fire2\"]", "layers = [\"conv1\", \"logits\"]");
    let text = text.replace("[two_vs_two]", "[rsa]\nmethods = [\"spearman\"]\n[two_vs_two]\nbootstrap = 20");
    small.write("experiment.toml", &text);
    small.run("whole", &[]);
    let commands = cut(&small, "merged");
    assert!(commands.len() >= Small::GROUPS + 2, "{commands:?}");
    // Out of order, and one of them twice.
    let (shards, merge) = commands.split_at(commands.len() - 1);
    let (groups, draws) = shards.split_at(Small::GROUPS);
    groups.iter().rev().for_each(|command| run_all(std::slice::from_ref(command)));
    run_all(&groups[..1]);
    draws.iter().rev().for_each(|command| run_all(std::slice::from_ref(command)));
    run_all(merge);
    let (whole, merged) = (results(&small.path("whole")), results(&small.path("merged")));
    assert_eq!(whole.iter().map(|f| &f.0).collect::<Vec<_>>(), merged.iter().map(|f| &f.0).collect::<Vec<_>>());
    for ((name, whole), (_, merged)) in whole.iter().zip(&merged) {
        assert!(whole == merged, "{name}");
    }
    let status = call(&["status", &small.text("experiment.toml"), "--out", &small.text("merged")]);
    let said = String::from_utf8(status.stdout).unwrap();
    assert!(said.contains(&format!("groups: {0} of {0} shards done", Small::GROUPS)), "{said}");
}

#[test]
fn what_is_missing_or_damaged_is_named_as_commands() {
    let small = Small::make();
    let commands = cut(&small, "merged");
    let merge = commands.last().unwrap().iter().map(String::as_str).collect::<Vec<_>>();
    let said = fail(&merge, 2);
    let draws = commands.len() - 1 - Small::GROUPS;
    assert!(said.contains(&format!("{draws} of {draws} shards are missing")), "{said}");
    assert!(said.contains("--draws 0-"), "{said}");
    // Draws need all groups.
    let said = fail(&commands[Small::GROUPS].iter().map(String::as_str).collect::<Vec<_>>(), 2);
    assert!(said.contains("--groups 1-1   # not there"), "{said}");

    run_all(&commands[..commands.len() - 1]);
    // A list without one of the shard's three matrices, as a kill leaves it.
    let list = small.path("merged.shards/groups-1-1/rsm/finished.json");
    let mut ledger: serde_json::Value = serde_json::from_slice(&std::fs::read(&list).unwrap()).unwrap();
    ledger["groups"].as_object_mut().unwrap().remove("fire2.npy").unwrap();
    std::fs::write(&list, ledger.to_string()).unwrap();
    let status = call(&["status", &small.text("experiment.toml"), "--out", &small.text("merged")]);
    let said = String::from_utf8(status.stdout).unwrap();
    assert!(said.contains("groups: 1 of 2 shards done") && said.contains("groups 1-1: 2 of 3 matrices"), "{said}");
    run_all(&commands[..1]);
    // A damaged matrix, a cut file of scores.
    let matrix = small.path("merged.shards/groups-1-1/rsm/pixels.npy");
    let mut bytes = std::fs::read(&matrix).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&matrix, bytes).unwrap();
    let said = fail(&merge, 2);
    assert!(said.contains("1 of ") && said.contains("--groups 1-1   # ") && said.contains("pixels.npy"), "{said}");
    run_all(&commands[..1]);
    let scores =
        small.path("merged.shards").join(format!("draws-{}.safetensors", commands[Small::GROUPS].last().unwrap()));
    let bytes = std::fs::read(&scores).unwrap();
    std::fs::write(&scores, &bytes[..bytes.len() / 2]).unwrap();
    let said = fail(&merge, 2);
    assert!(said.contains("--draws 0-") && said.contains("damaged"), "{said}");
    assert!(!small.path("merged/run.json").exists());
}

#[test]
fn shards_of_other_inputs_are_refused() {
    let small = Small::make();
    let commands = cut(&small, "merged");
    let (config, out) = (small.text("experiment.toml"), small.text("merged"));
    let shard = ["shard", &config, "--out", &out, "--device", "cpu"];
    let said = fail(&[&shard[..], &["--groups", "1-9"]].concat(), 2);
    assert!(said.contains("--groups 1-9: no shard of") && said.contains("1-1, 2-2"), "{said}");
    let said = fail(&[&shard[..], &["--groups", "1-1", "--set", "stimuli.resize=squash-bilinear"]].concat(), 2);
    assert!(said.contains("another experiment") && said.contains("images, weights"), "{said}");
    let said = fail(&[&shard[..], &["--draws", "0-1", "--set", "seed=7"]].concat(), 2);
    assert!(said.contains("words, layers or the tests' options") || said.contains("images"), "{said}");
    let said = fail(&["shard", &config, "--out", &small.text("uncut"), "--groups", "1-1"], 2);
    assert!(said.contains("shards.json: no such file") && said.contains("semgpu shards"), "{said}");
    // Cut from other inputs: only when asked.
    let other =
        ["shards", &config, "--out", &out, "--tables", &small.text("other"), "--set", "stimuli.resize=squash-bilinear"];
    let told = ["--device", "cpu", "--seconds-per-group", "9", "--seconds-per-draw", "0.1"];
    let other = [&other[..], &told].concat();
    assert!(fail(&other, 2).contains("--fresh"));
    run_all(&commands[..1]);
    call(&[&other[..], &["--fresh"]].concat());
    assert!(!small.path("merged.shards/groups-1-1").exists());
}
