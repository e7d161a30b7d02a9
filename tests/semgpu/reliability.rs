//! Nothing lost, nothing hangs, nothing of others touched.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use semgpu::arrays::write_npy;

use crate::{Small, fail, semgpu, succeed};

/// Every file below a directory with its bytes.
fn files(directory: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

fn waves(count: usize, phase: f64) -> Vec<f64> {
    (0..count).map(|n| (n as f64 * 0.7 + (n * n) as f64 * phase).sin()).collect()
}

#[test]
fn similarity_never_replaces_its_features() {
    let directory = tempfile::tempdir().unwrap();
    let text = |name: &str| directory.path().join(name).display().to_string();
    for (name, phase) in [("feats/conv5.npy", 0.3), ("feats/fc6.npy", 0.9)] {
        write_npy(&directory.path().join(name), &[12, 40], &waves(480, phase)).unwrap();
    }
    let before = files(directory.path());
    let (conv, fc, feats) = (text("feats/conv5.npy"), text("feats/fc6.npy"), text("feats"));
    for features in [&[&conv[..], &fc][..], &[&conv], &[&text("feats/../feats/conv5.npy")]] {
        let arguments = [&["similarity", "--out", &feats, "--device", "cpu"], features].concat();
        let said = fail(&arguments, 2);
        assert!(said.contains("conv5.npy: an input in"), "{said}");
    }
    fail(&["similarity", &conv, "--out", &conv, "--device", "cpu"], 2);
    assert!(
        fail(&["similarity", &conv, "--out", "/proc/x.npy", "--device", "cpu"], 2).contains("nothing can be written")
    );
    assert_eq!(files(directory.path()), before);
}

#[test]
fn a_run_takes_no_directory_of_others() {
    let small = Small::make();
    std::fs::create_dir_all(small.path("mine/rsm")).unwrap();
    write_npy(&small.path("mine/rsm/brain.npy"), &[2, 2], &[1.0, 0.5, 0.5, 1.0]).unwrap();
    small.write("file", "");
    let before = files(small.directory.path());
    let config = small.text("experiment.toml");
    for (out, expected) in [("mine", "not a results directory"), ("", "not a results directory"), ("file", "a file")] {
        let said = fail(&["run", "--fresh", "--config", &config, "--out", &small.text(out)], 2);
        assert!(said.contains(expected) && said.contains("--out"), "{said}");
    }
    assert_eq!(files(small.directory.path()), before);
}

#[test]
fn fresh_removes_what_semgpu_wrote_and_nothing_else() {
    let small = Small::make();
    let manifest = small.read("manifest.csv");
    let categories: String = manifest.lines().map(|line| format!("{line},thing\n")).collect();
    small.write("manifest.csv", &categories.replacen(",thing", ",category", 1));
    small.run("out", &["--set", "network.layers=[\"conv1\", \"fire2\"]"]);
    assert!(small.path("out/rsm/categories.txt").exists() && !small.path("out/.semgpu.lock").exists());
    small.write("manifest.csv", &manifest);
    let mine = ["out/rsm/brain.npy", "out/notes.txt", "out/figures/mine.png", "out/figures/accuracy_other.png"];
    mine.iter().for_each(|name| small.write(name, "mine"));
    small.write("out/rsm/.semgpu-dead", "half");
    let other = ["--fresh", "--set", "network.layers=[\"conv1\"]", "--set", "words.0.name=Other"];
    small.run("out", &[&other[..], &["--set", "stimuli.resize=squash-bilinear"]].concat());
    mine.iter().for_each(|name| assert_eq!(small.read(name), "mine"));
    for gone in ["rsm/fire2.npy", "rsm/words.GloVe.npy", "rsm/categories.txt", "rsm/.semgpu-dead"] {
        assert!(!small.path("out").join(gone).exists(), "{gone}");
    }
    let stale =
        files(&small.path("out/figures")).into_iter().find(|(path, _)| path.display().to_string().contains("GloVe"));
    assert!(stale.is_none(), "{stale:?}");
}

#[test]
fn results_of_other_words_leave_nothing_of_the_old() {
    let small = Small::make();
    small.run("out", &[]);
    small.run("out", &["--set", "words.0.name=Other"]);
    let names: Vec<String> = files(&small.path("out")).iter().map(|(path, _)| path.display().to_string()).collect();
    assert!(names.iter().any(|name| name.contains("words.Other")) && !names.iter().any(|name| name.contains("GloVe")));
}

#[test]
fn a_test_replaces_neither_its_inputs_nor_another_test() {
    let small = Small::make();
    small.run("run", &[]);
    let rsm = |name: &str| small.text(&format!("run/rsm/{name}.npy"));
    let (words, concepts) = (format!("W={}", rsm("words.GloVe")), small.text("run/rsm/concepts.txt"));
    let test = |images: &str, out: &str, more: &[&str]| {
        let (images, out) = (format!("L={}", rsm(images)), small.text(out));
        let arguments = ["test", "--words", &words, "--images", &images, "--concepts", &concepts, "--out", &out];
        let fixed = ["--permutations", "9", "--device", "cpu"];
        let output = semgpu(&[&arguments[..], &fixed, more].concat()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let before = files(&small.path("run"));
    for more in [&[][..], &["--fresh"]] {
        let (code, said) = test("conv1", "run", more);
        assert_eq!(code, Some(2), "{said}");
    }
    assert_eq!(files(&small.path("run")), before);
    assert_eq!(test("conv1", "test", &[]).0, Some(0));
    let before = files(&small.path("test"));
    let (code, said) = test("fire2", "test", &[]);
    assert!(code == Some(2) && said.contains("of another experiment"), "{said}");
    assert_eq!(files(&small.path("test")), before);
    assert_eq!(test("conv1", "test", &["--permutations=19"]).0, Some(0));
    assert_eq!(test("fire2", "test", &["--fresh"]).0, Some(0));
    let config = small.text("experiment.toml");
    let said = fail(&["run", "--config", &config, "--out", &small.text("test")], 2);
    assert!(said.contains("of another experiment"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_second_run_is_told_who_writes() {
    let small = Small::make();
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let mut first = semgpu(&["run", "-q", "--config", &config, "--out", &out]).spawn().unwrap();
    let lock = small.path("out/.semgpu.lock");
    let started = Instant::now();
    let holder = format!("process {}, semgpu run, since 20", first.id());
    while !std::fs::read_to_string(&lock).is_ok_and(|text| text.contains(&holder)) {
        assert!(started.elapsed() < Duration::from_secs(60), "{holder}");
        std::thread::sleep(Duration::from_millis(1));
    }
    let signal = |name: &str| {
        let pid = first.id().to_string();
        assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    for more in [&[][..], &["--fresh"]] {
        let said = fail(&[&["run", "--config", &config, "--out", &out], more].concat(), 2);
        assert!(said.contains("another semgpu writes here") && said.contains(&holder), "{said}");
    }
    // The lock goes with the process, however that ends.
    signal("-KILL");
    first.wait().unwrap();
    assert!(lock.exists());
    small.run("out", &[]);
    assert!(!lock.exists());
}

#[test]
fn damaged_matrices_are_named_and_computed_again() {
    let small = Small::make();
    small.run("out", &[]);
    let path = small.path("out/rsm/fire2.npy");
    let whole = std::fs::read(&path).unwrap();
    let table = small.read("out/accuracy.csv");
    let mut changed = whole.clone();
    *changed.last_mut().unwrap() ^= 1;
    for damaged in [&changed[..], &whole[..whole.len() / 2], b""] {
        std::fs::write(&path, damaged).unwrap();
        let said = String::from_utf8(small.run("out", &[]).stderr).unwrap();
        assert!(said.contains("fire2.npy") && said.contains("computed again"), "{said}");
        assert_eq!((std::fs::read(&path).unwrap(), small.read("out/accuracy.csv")), (whole.clone(), table.clone()));
    }
}

#[test]
fn the_rule_for_constant_images_holds_for_finished_layers() {
    let small = Small::make();
    let manifest = small.read("manifest.csv");
    let first = manifest.lines().nth(1).unwrap().split(',').next().unwrap().to_string();
    image::RgbImage::new(32, 32).save(small.path("black.png")).unwrap();
    small.write("manifest.csv", &manifest.replacen(&first, &small.text("black.png"), 1));
    small.run("out", &["--set", "two_vs_two.constant=half", "--set", "network.layers=[]"]);
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let said = fail(&["run", "--config", &config, "--out", &out, "--set", "network.layers=[]"], 1);
    assert!(said.contains("pixels.npy: group 1") && said.contains("constant"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_is_refused_before_work() {
    use std::os::unix::ffi::OsStrExt;
    let small = Small::make();
    let name = small.path("").join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    let config = small.text("experiment.toml");
    let output = semgpu(&["run", "--config", &config, "--out"]).arg(&name).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("no UTF-8"), "{said}");
    assert!(!name.exists());
}

#[test]
fn a_comparison_takes_no_directory_of_others() {
    let small = Small::make();
    small.run("a", &[]);
    small.run("b", &["--set", "words.0.name=Other"]);
    std::fs::create_dir(small.path("mine")).unwrap();
    small.write("mine/notes.txt", "mine");
    let (a, b) = (small.text("a"), small.text("b"));
    let (mine, ours) = (small.text("mine"), small.text("compared"));
    assert!(fail(&["compare", &a, &b, "--out", &mine], 2).contains("not a results directory"));
    for _ in 0..2 {
        succeed(&["compare", &a, &b, "--bootstrap", "20", "--out", &ours]);
    }
}
