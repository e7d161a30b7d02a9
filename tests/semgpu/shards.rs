use std::path::Path;
use std::process::Output;

use crate::{Small, fail, semgpu, succeed};

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
    commands(small, "tables")
}

/// The commands of the tables in a folder, without the program.
fn commands(small: &Small, tables: &str) -> Vec<Vec<String>> {
    let lines = ["groups.txt", "draws.txt", "merge.txt"].map(|name| small.read(&format!("{tables}/{name}")));
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
    let measures = "measures = [\"2v2\", \"cka\", \"cknna\", \"rsa-kendall\"]\nneighbours = 3\n";
    let text = measures.to_string() + &text;
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
    let scores = draws[0].last().unwrap();
    let scores = std::fs::read(small.path("merged.shards").join(format!("draws-{scores}.safetensors"))).unwrap();
    let header = String::from_utf8_lossy(&scores[..4096.min(scores.len())]).into_owned();
    for family in ["2 vs. 2, GloVe", "cka, GloVe", "cknna, GloVe", "RSA, kendall-tau-a, GloVe"] {
        assert!(header.contains(&format!("\"{family}\"")), "{family}: {header}");
    }
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
    let all = Small::GROUPS + draws;
    assert!(said.contains(&format!("{all} of {all} shards are missing")), "{said}");
    assert!(said.contains("groups-1-1: not there") && said.contains(".safetensors: not there"), "{said}");
    // Draws need all groups.
    let said = fail(&commands[Small::GROUPS].iter().map(String::as_str).collect::<Vec<_>>(), 2);
    assert!(said.contains("groups-1-1: not there"), "{said}");

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
    // One that is gone: its list has it still.
    std::fs::remove_file(&matrix).unwrap();
    let status = call(&["status", &small.text("experiment.toml"), "--out", &small.text("merged")]);
    let said = String::from_utf8(status.stdout).unwrap();
    assert!(said.contains("groups: 1 of 2 shards done") && said.contains("pixels.npy: "), "{said}");
    run_all(&commands[..1]);
    let scores =
        small.path("merged.shards").join(format!("draws-{}.safetensors", commands[Small::GROUPS].last().unwrap()));
    let bytes = std::fs::read(&scores).unwrap();
    std::fs::write(&scores, &bytes[..bytes.len() / 2]).unwrap();
    let said = fail(&merge, 2);
    assert!(said.contains("--draws 0-") && said.contains("damaged"), "{said}");
    assert!(!small.path("merged/run.json").exists());
}

fn words(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

/// A table's lines as two workers of an array take them, every other one; one after the other each.
fn two_workers(commands: &[Vec<String>]) {
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let lines: Vec<Vec<String>> = commands.iter().skip(worker).step_by(2).cloned().collect();
            scope.spawn(move || run_all(&lines));
        }
    });
}

/// Runs a command, before it those that it names as missing.
fn redo(command: &[String], all: &[Vec<String>], again: &mut Vec<Vec<String>>) {
    loop {
        let output = semgpu(&command.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap();
        if output.status.success() {
            return;
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let named: Vec<_> =
            all.iter().filter(|c| said.contains(&format!("{}   # ", c[c.len() - 2..].join(" ")))).collect();
        assert!(!named.is_empty(), "{said}");
        for command in named {
            redo(command, all, again);
            again.push(command.clone());
        }
    }
}

#[test]
fn an_array_of_two_workers_survives_kills_doubles_and_damage() {
    let small = Small::make();
    small.run("whole", &[]);
    let commands = cut(&small, "merged");
    let (groups, rest) = commands.split_at(Small::GROUPS);
    let (draws, merge) = rest.split_at(rest.len() - 1);
    // One is killed in the middle while the other works.
    let mut killed = semgpu(&words(&groups[0])).spawn().unwrap();
    let mut beside = semgpu(&words(&groups[1])).spawn().unwrap();
    let first = small.path("merged.shards/groups-1-1/rsm/pixels.npy");
    let started = std::time::Instant::now();
    while !first.exists() && started.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(beside.wait().unwrap().success());
    let said = fail(&words(&draws[0]), 2);
    assert!(said.contains("--groups 1-1   # "), "{said}");
    // Requeued twice at once: one computes it, the other is told or finds it done.
    let twice: Vec<_> =
        (0..2).map(|_| semgpu(&words(&groups[0])).stderr(std::process::Stdio::piped()).spawn().unwrap()).collect();
    let twice: Vec<Output> = twice.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    assert!(twice.iter().any(|output| output.status.success()));
    for output in twice.iter().filter(|output| !output.status.success()) {
        assert!(String::from_utf8_lossy(&output.stderr).contains("another semgpu writes here"));
    }
    two_workers(draws);
    run_all(&draws[..1]);
    // A full disk's halves: of a matrix, and of a file of scores.
    let scores = small.path("merged.shards").join(format!("draws-{}.safetensors", draws[0].last().unwrap()));
    for path in [small.path("merged.shards/groups-2-2/rsm/conv1.npy"), scores] {
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    let status = call(&["status", &small.text("experiment.toml"), "--out", &small.text("merged")]);
    let said = String::from_utf8(status.stdout).unwrap();
    let done = draws.len() - 1;
    assert!(said.contains(&format!("draws: {done} of {} shards done", draws.len())), "{said}");
    // The merge names the scores, these the matrices that they need.
    let mut again = Vec::new();
    redo(&merge[0], &commands, &mut again);
    assert_eq!(again, [groups[1].clone(), draws[0].clone()]);
    let (whole, merged) = (results(&small.path("whole")), results(&small.path("merged")));
    assert!(whole == merged && whole.len() > 20, "{} files", whole.len());
}

#[test]
fn a_shard_looks_at_its_own_images_only() {
    let small = Small::make();
    // Images of the test's own.
    let manifest = small.read("manifest.csv");
    let copied: String = manifest
        .lines()
        .enumerate()
        .map(|(n, line)| match line.split_once(',') {
            Some((path, rest)) if n > 0 => {
                let name = format!("{n}.{}", Path::new(path).extension().unwrap().to_string_lossy());
                std::fs::copy(path, small.path(&name)).unwrap();
                format!("{name},{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    small.write("manifest.csv", &copied);
    let commands = cut(&small, "merged");
    let of_group = |group: &str| -> std::path::PathBuf {
        let line = copied.lines().skip(1).find(|line| line.ends_with(&format!(",{group}"))).unwrap();
        small.path(line.split(',').next().unwrap())
    };
    // One of the second group is replaced by one of the first.
    let kept = std::fs::read(of_group("2")).unwrap();
    std::fs::copy(of_group("1"), of_group("2")).unwrap();
    run_all(&commands[..1]);
    let said = fail(&commands[1].iter().map(String::as_str).collect::<Vec<_>>(), 2);
    assert!(said.contains("changed since `semgpu shards`: images of other content (version"), "{said}");
    std::fs::write(of_group("2"), kept).unwrap();
    run_all(&commands[1..2]);
    // Draws read matrices: the images may be gone. The merge looks at all of them.
    let gone = std::fs::read(of_group("1")).unwrap();
    std::fs::remove_file(of_group("1")).unwrap();
    run_all(&commands[2..commands.len() - 1]);
    let merge: Vec<&str> = commands.last().unwrap().iter().map(String::as_str).collect();
    let name = of_group("1").file_name().unwrap().to_string_lossy().into_owned();
    assert!(fail(&merge, 2).contains(&name));
    std::fs::write(of_group("1"), gone).unwrap();
    run_all(&commands[commands.len() - 1..]);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => assert!(std::fs::copy(entry.path(), to).is_ok()),
        }
    }
}

#[test]
fn a_shard_in_the_place_of_another_is_named_and_made_again() {
    let small = Small::make();
    small.run("whole", &[]);
    let commands = cut(&small, "merged");
    run_all(&commands[..commands.len() - 1]);
    let [first, second] = ["1-1", "2-2"].map(|span| small.path(&format!("merged.shards/groups-{span}")));
    std::fs::remove_dir_all(&second).unwrap();
    copy(&first, &second);
    let merge = words(commands.last().unwrap());
    let said = fail(&merge, 2);
    assert!(said.contains("1 of ") && said.contains("groups-2-2: of other groups (1-1)"), "{said}");
    assert!(!small.path("merged/run.json").exists());
    let status = call(&["status", &small.text("experiment.toml"), "--out", &small.text("merged")]);
    assert!(String::from_utf8(status.stdout).unwrap().contains("groups: 1 of 2 shards done"));
    // The command that it names settles it.
    let said = String::from_utf8(call(&words(&commands[1])).stderr).unwrap();
    assert!(said.contains("groups-2-2: of other groups (1-1); computed again"), "{said}");
    run_all(&commands[commands.len() - 1..]);
    assert!(results(&small.path("whole")) == results(&small.path("merged")));
}

#[test]
fn tables_hold_in_any_directory_where_results_go_by_default() {
    let small = Small::make();
    let told = ["--seconds-per-group", "9", "--seconds-per-draw", "0.1"];
    let arguments = [&["shards", "experiment.toml", "--device", "cpu"][..], &told].concat();
    // The second time over its own tables.
    for _ in 0..2 {
        let output = semgpu(&arguments).current_dir(small.directory.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let commands = commands(&small, "shards");
    assert!(commands.len() == 3 && commands.iter().all(|words| words.contains(&"--out".to_string())), "{commands:?}");
    run_all(&commands);
    assert!(small.path("results/squeezenet1_1/report.html").exists());
}

#[test]
fn tables_of_commands_replace_no_file_of_others() {
    let small = Small::make();
    cut(&small, "merged");
    cut(&small, "merged");
    for name in ["groups.txt", "draws.txt", "merge.txt"] {
        let kept = small.read(&format!("tables/{name}"));
        small.write(&format!("tables/{name}"), "my own\n");
        let arguments = ["shards", &small.text("experiment.toml"), "--out", &small.text("o"), "--tables"];
        let said = fail(&[&arguments[..], &[&small.text("tables")]].concat(), 2);
        assert!(said.contains(name) && said.contains("--tables another folder"), "{said}");
        assert!(small.read(&format!("tables/{name}")) == "my own\n" && !small.path("o.shards").exists());
        small.write(&format!("tables/{name}"), &kept);
    }
    let shards = |out: &str, tables: &str, more: &[&str]| {
        let [config, out, tables] = ["experiment.toml", out, tables].map(|name| small.text(name));
        fail(&[&["shards", &config, "--device", "cpu", "--out", &out, "--tables", &tables][..], more].concat(), 2)
    };
    // What is refused makes no folder.
    shards("o", "new/tables", &["--set", "stimuli.manifest=gone.csv"]);
    assert!(!small.path("new").exists());
    small.write("file", "mine");
    assert!(shards("o", "file", &[]).contains("--tables another folder"));
    // A list that is none of semgpu's.
    std::fs::create_dir(small.path("o.shards")).unwrap();
    for text in ["mine", "{\"keys\": [1]}"] {
        small.write("o.shards/shards.json", text);
        for more in [&["--fresh"][..], &[]] {
            let said = shards("o", "tables", more);
            assert!(said.contains("shards.json: semgpu did not write this file"), "{said}");
        }
        assert_eq!(small.read("o.shards/shards.json"), text);
    }
    // One of semgpu's that is cut off.
    let list = small.read("merged.shards/shards.json");
    for length in [list.len() / 2, 10, 2, 1, 0] {
        small.write("o.shards/shards.json", &list[..length]);
        let said = shards("o", "tables", &[]);
        assert!(said.contains("shards.json: semgpu began this file") && said.contains("remove it"), "{length}: {said}");
    }
    // It goes with --fresh, and the shards beside it, but nothing of others.
    let [scores, mine] = ["o.shards/draws-7-9.safetensors", "o.shards/draws-7-8.safetensors"];
    let [group, folder] = ["o.shards/groups-7-8", "o.shards/groups-7-9"].map(|name| small.path(name));
    small.write(scores, "");
    small.write(mine, "mine");
    [group.join("rsm"), folder.clone()].iter().for_each(|made| std::fs::create_dir_all(made).unwrap());
    std::fs::write(group.join("rsm/finished.json"), r#"{"key": "", "groups": {}}"#).unwrap();
    let [config, out, tables] = ["experiment.toml", "o", "tables"].map(|name| small.text(name));
    let fresh = ["--fresh", "--seconds-per-group", "1", "--seconds-per-draw", "1"];
    succeed(&[&["shards", &config, "--device", "cpu", "--out", &out, "--tables", &tables][..], &fresh].concat());
    assert!(small.read("o.shards/shards.json").contains("groups"));
    assert!(!small.path(scores).exists() && !group.exists());
    assert!(small.read(mine) == "mine" && folder.exists());
}

#[test]
fn decoding_is_part_of_what_a_group_takes() {
    let small = Small::make();
    let (config, out, tables) = (small.text("experiment.toml"), small.text("out"), small.text("tables"));
    call(&["shards", &config, "--out", &out, "--tables", &tables, "--device", "cpu", "--set", "network.layers=[]"]);
    let list: serde_json::Value = serde_json::from_str(&small.read("out.shards/shards.json")).unwrap();
    assert!(list["estimate"]["group"].as_f64().unwrap() > 0.0, "{}", list["estimate"]);
}

#[test]
fn two_experiments_of_one_place_are_not_cut() {
    let small = Small::make();
    let configs = ["experiment.toml", "other.toml"].map(|name| small.text(name));
    std::fs::copy(&configs[0], &configs[1]).unwrap();
    let (out, tables) = (small.text("o"), small.text("tables"));
    let told = ["--device", "cpu", "--seconds-per-group", "9", "--seconds-per-draw", "0.1", "--fresh"];
    let arguments = ["shards", &configs[0], &configs[1], "--out", &out, "--tables", &tables];
    let said = fail(&[&arguments[..], &told].concat(), 2);
    assert!(said.contains("the results of two experiments"), "{said}");
    assert!(!small.path("o.shards").exists() && !small.path("tables").exists());
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
    assert!(
        said.contains("changed since `semgpu shards`: stimuli.resize squash-bicubic -> squash-bilinear (version"),
        "{said}"
    );
    let said = fail(&[&shard[..], &["--draws", "0-1", "--set", "seed=7"]].concat(), 2);
    assert!(said.contains("changed since `semgpu shards`: seed 3 -> 7 (version"), "{said}");
    let glove = std::fs::read_to_string(crate::root().join("data/quickstart/glove.6B.50d.txt")).unwrap();
    small.write("other.txt", &glove.replacen("0.", "1.", 1));
    let set = format!("words.0.file={:?}", small.text("other.txt"));
    let said = fail(&["merge", &config, "--out", &out, "--device", "cpu", "--set", &set], 2);
    assert!(
        said.contains("changed since `semgpu shards`: words of GloVe of other content; words.0.file glove"),
        "{said}"
    );
    let said = fail(&["shard", &config, "--out", &small.text("uncut"), "--groups", "1-1"], 2);
    assert!(said.contains("shards.json: no such file") && said.contains("semgpu shards"), "{said}");
    let status = |more: &[&str]| {
        String::from_utf8(call(&[&["status", &config, "--out", &out][..], more].concat()).stdout).unwrap()
    };
    assert!(!status(&[]).contains("changed") && status(&["--json"]).contains("\"changed\": null"));
    let said = status(&["--set", "seed=7"]);
    assert!(
        said.contains("  changed since `semgpu shards`: seed 3 -> 7; undo that") && said.contains("groups: "),
        "{said}"
    );
    // A list changed by hand.
    let list = small.read("merged.shards/shards.json");
    small.write("merged.shards/shards.json", &list.replace("\"2-2\"", "\"2-9\""));
    let said = fail(&[&shard[..], &["--groups", "2-9"]].concat(), 2);
    assert!(said.contains("shards.json: its groups or draws end elsewhere"), "{said}");
    small.write("merged.shards/shards.json", &list);
    // In other pieces: only as long as nothing is lost.
    let coarse =
        ["shards", &config, "--out", &out, "--tables", &small.text("coarse"), "--device", "cpu", "--size", "1h"];
    let told = ["--seconds-per-group", "9", "--seconds-per-draw", "0.1"];
    let coarse = [&coarse[..], &told].concat();
    run_all(&commands[..1]);
    let said = fail(&coarse, 2);
    assert!(said.contains("of 1 that are computed 1 are none of this cut") && said.contains("--fresh"), "{said}");
    call(&[&coarse[..], &["--fresh"]].concat());
    assert!(!small.path("merged.shards/groups-1-1").exists());
    cut(&small, "merged");
    // A path of an override holds wherever the command runs.
    std::fs::copy(crate::root().join("data/quickstart/glove.6B.50d.txt"), small.path("vectors.txt")).unwrap();
    let relative = ["--out", "moved", "--tables", "moved_tables", "--set", "words.0.file=vectors.txt"];
    let output = crate::semgpu(&[&["shards", "experiment.toml", "--device", "cpu"][..], &relative, &told].concat())
        .current_dir(small.directory.path())
        .output()
        .unwrap();
    let written = small.read("moved_tables/groups.txt");
    let absolute = format!("words.0.file=\"{}\"", small.text("vectors.txt"));
    assert!(output.status.success() && written.contains(&absolute), "{written}");
    // Cut from other inputs: only when asked.
    let other =
        ["shards", &config, "--out", &out, "--tables", &small.text("other"), "--set", "stimuli.resize=squash-bilinear"];
    let told = ["--device", "cpu", "--seconds-per-group", "9", "--seconds-per-draw", "0.1"];
    let other = [&other[..], &told].concat();
    assert!(fail(&other, 2).contains("--fresh"));
    run_all(&commands[..1]);
    // One that is being computed stays; what is the user's does too.
    let lock = small.path("merged.shards/groups-1-1/.semgpu.lock");
    std::fs::write(&lock, "process 7, semgpu shard, since then").unwrap();
    let held = std::fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    let said = fail(&[&other[..], &["--fresh"]].concat(), 2);
    assert!(said.contains("process 7, semgpu shard"), "{said}");
    drop(held);
    small.write("merged.shards/groups-1-1/notes.txt", "mine");
    call(&[&other[..], &["--fresh"]].concat());
    let left = std::fs::read_dir(small.path("merged.shards/groups-1-1")).unwrap();
    assert_eq!(left.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(), ["notes.txt"]);
}
