//! Where results go: nothing of others is touched, nothing of semgpu's own stays that is no longer true.

use std::path::Path;
use std::time::Duration;

use semgpu::arrays::write_npy;

use crate::limits::refused;
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

pub fn waves(count: usize, phase: f64) -> Vec<f64> {
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
    let others = ["not a results directory", "--out"];
    for (out, expected) in [("mine", others), ("", others), ("file", ["a file", "name another one"])] {
        let said = fail(&["run", "--fresh", "--config", &config, "--out", &small.text(out)], 2);
        assert!(expected.iter().all(|expected| said.contains(expected)), "{said}");
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
    let mine = [
        "out/rsm/brain.npy",
        "out/notes.txt",
        "out/figures/mine.png",
        "out/figures/accuracy_other.png",
        "out/figures/accuracy_squeezenet1_1_for_paper.svg",
    ];
    mine.iter().for_each(|name| small.write(name, "mine"));
    aged(&small.path("out/rsm/.semgpu-dead00"));
    let other = ["--fresh", "--set", "network.layers=[\"conv1\"]", "--set", "words.0.name=Other"];
    small.run("out", &[&other[..], &["--set", "stimuli.resize=squash-bilinear"]].concat());
    mine.iter().for_each(|name| assert_eq!(small.read(name), "mine"));
    for gone in ["rsm/fire2.npy", "rsm/words.GloVe.npy", "rsm/categories.txt", "rsm/.semgpu-dead00"] {
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
    let output = small.run("out", &["--set", "words.0.name=Other"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("replaces the results of ") && said.contains(": words.0.name GloVe -> Other\n"), "{said}");
    let names: Vec<String> = files(&small.path("out")).iter().map(|(path, _)| path.display().to_string()).collect();
    assert!(names.iter().any(|name| name.contains("words.Other")) && !names.iter().any(|name| name.contains("GloVe")));
}

#[test]
fn results_of_words_that_are_asked_for_no_more_are_another_experiments() {
    let small = Small::make();
    small.run("out", &[]);
    let before = files(&small.path("out"));
    let glove = std::fs::read_to_string(crate::root().join("data/quickstart/glove.6B.50d.txt")).unwrap();
    let (_, values) = glove.lines().next().unwrap().split_once(' ').unwrap();
    small.write("other.txt", &format!("{}\nzzzz {values}\n", glove.trim_end()));
    let file = format!("words.0.file={}", small.text("other.txt"));
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    for more in ["--dry-run", "-q"] {
        let run = ["run", &config, "--out", &out, "--set", &file, "--set", "words.0.name=Other", more];
        let said = fail(&run, 2);
        assert!(said.contains("of another experiment (words: GloVe there, Other here)"), "{said}");
        assert!(said.contains("--out") && said.contains("--fresh"), "{said}");
    }
    let fresh = ["--set", &file, "--set", "words.0.name=Other", "--fresh", "--dry-run"];
    let said = String::from_utf8(small.run("out", &fresh).stderr).unwrap();
    assert!(said.contains("removes the results of another experiment (words: GloVe there, Other here)\n"), "{said}");
    assert_eq!(files(&small.path("out")), before);
    // Under its name, another file of a word model is the same experiment, made again.
    let said = String::from_utf8(small.run("out", &["--set", &file]).stderr).unwrap();
    assert!(said.contains("words.0.file glove.6B.50d.txt -> other.txt"), "{said}");
    // The same once more replaces nothing.
    let said = String::from_utf8(small.run("out", &["--set", &file]).stderr).unwrap();
    assert!(!said.contains("replaces the results"), "{said}");
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
        let fixed = ["--bootstrap", "0", "--device", "cpu"];
        let output = semgpu(&[&arguments[..], &fixed, more].concat()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let before = files(&small.path("run"));
    for more in [&[][..], &["--fresh"]] {
        let (code, said) = test("conv1", "run", more);
        assert_eq!(code, Some(2), "{said}");
    }
    assert_eq!(files(&small.path("run")), before);
    let (code, said) = test("conv1", "test", &[]);
    // Of one layer none is the best.
    assert!(code == Some(0) && said.contains("\nW: L ") && !said.contains("best layer"), "{said}");
    let before = files(&small.path("test"));
    let (code, said) = test("fire2", "test", &[]);
    assert!(
        code == Some(2) && said.contains("of another experiment (files of images: as number 1 \"L, SHA-256 "),
        "{said}"
    );
    assert_eq!(files(&small.path("test")), before);
    assert_eq!(test("conv1", "test", &["--permutations=19"]).0, Some(0));
    let (code, said) = test("fire2", "test", &["--fresh"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("removes the results of another experiment (files of images: as number 1 \"L, "), "{said}");
    let config = small.text("experiment.toml");
    let said = fail(&["run", "--config", &config, "--out", &small.text("test")], 2);
    assert!(said.contains("of another experiment (a test's)"), "{said}");
}

#[test]
fn what_is_in_the_way_is_told_before_work_and_old_tables_stay() {
    let small = Small::make();
    small.run("out", &[]);
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let run = ["run", &config, "--out", &out, "--set", "two_vs_two.permutations=20"];
    let aside = small.path("aside");
    for (place, is_file) in [
        ("out/figures", true),
        ("out/rsm", true),
        ("out/groups.csv", false),
        ("out/report.html", false),
        ("out/run.json", false),
        ("out/rsm/fire2.npy", false),
        ("out/figures/accuracy_squeezenet1_1.svg", false),
    ] {
        let path = small.path(place);
        std::fs::rename(&path, &aside).unwrap();
        if is_file {
            std::fs::write(&path, "mine").unwrap()
        } else {
            std::fs::create_dir(&path).unwrap()
        }
        let before = files(&small.path("out"));
        for more in [&["--dry-run"][..], &[], &["--fresh"]] {
            let said = refused(&[&run[..], more].concat());
            assert!(said.contains(place) && said.contains("move it away"), "{said}");
        }
        assert_eq!(files(&small.path("out")), before, "{place}");
        if is_file {
            std::fs::remove_file(&path).unwrap()
        } else {
            std::fs::remove_dir(&path).unwrap()
        }
        std::fs::rename(&aside, &path).unwrap();
    }
    succeed(&run);
}

#[test]
fn files_of_the_users_where_matrices_and_figures_will_go_are_told_before_work() {
    let small = Small::make();
    small.run("out", &["--set", "network.layers=[\"conv1\"]"]);
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let other = ["--set", "words.0.name=Other"];
    let run = [&["run", &config, "--out", &out][..], &other].concat();
    let told = |name: &str, command: &[&str]| {
        small.write(name, "mine");
        let before = files(small.directory.path());
        let said = refused(command);
        assert!(said.contains(&small.text(name)) && said.contains("semgpu did not write this file"), "{said}");
        assert!(said.contains("move it away") && files(small.directory.path()) == before, "{said}");
        std::fs::remove_file(small.path(name)).unwrap();
    };
    for more in [&["--dry-run"][..], &[], &["--fresh"]] {
        let names = ["rsm/fire2.npy", "rsm/scales.fire2.npy", "rsm/words.Other.npy"];
        let figures = ["figures/concepts_squeezenet1_1_Other.png", "figures/intervals_squeezenet1_1_2v2.pdf"];
        names.iter().chain(&figures).for_each(|name| told(&format!("out/{name}"), &[&run[..], more].concat()));
    }
    // Its own it replaces; what it removed is listed no more.
    small.run("out", &other);
    let list = small.read("out/rsm/finished.json");
    assert!(list.contains("words.Other.npy") && !list.contains("words.GloVe.npy"), "{list}");
    told("out/rsm/words.GloVe.npy", &["run", &config, "--out", &out]);
    // A figure that is listed no more is nobody's that plot knows.
    let mut ledger: serde_json::Value = serde_json::from_str(&list).unwrap();
    ledger["figures"] = serde_json::json!([]);
    small.write("out/rsm/finished.json", &ledger.to_string());
    let said = refused(&["plot", &out]);
    assert!(said.contains("semgpu did not write this file"), "{said}");
    small.write("out/rsm/finished.json", &list);
    succeed(&["plot", &out]);
    // A test of matrices, too.
    let rsm = |name: &str| format!("{name}={}", small.text(&format!("out/rsm/{name}.npy")));
    let (words, conv, fire, test) = (rsm("words.Other"), rsm("conv1"), rsm("fire2"), small.text("test"));
    let test = ["test", "--words", &words, "--images", &conv, "--bootstrap", "0", "--device", "cpu", "--out", &test];
    let more = [&test[..], &["--images", &fire, "--fresh"]].concat();
    succeed(&test);
    told("test/rsm/fire2.npy", &more);
    succeed(&more);
}

#[test]
fn figures_and_a_page_of_the_users_stay_where_no_record_is_left() {
    let small = Small::make();
    small.run("out", &[]);
    let out = small.text("out");
    std::fs::remove_dir_all(small.path("out/rsm")).unwrap();
    std::fs::remove_file(small.path("out/run.json")).unwrap();
    // Its own it draws again, and again.
    for style in ["plain", "full", "full"] {
        succeed(&["plot", &out, "--style", style]);
    }
    assert!(!small.path("out/rsm").exists());
    for name in ["out/figures/accuracy_squeezenet1_1.png", "out/report.html"] {
        let own = std::fs::read(small.path(name)).unwrap();
        small.write(name, "mine");
        let before = files(small.directory.path());
        let said = refused(&["plot", &out]);
        assert!(said.contains(&format!("{}: semgpu did not write this file", small.text(name))), "{said}");
        assert_eq!(files(small.directory.path()), before);
        std::fs::write(small.path(name), own).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn figures_are_drawn_again_beside_matrices_that_can_only_be_read() {
    let small = Small::make();
    small.run("out", &[]);
    let figure = small.path("out/figures/accuracy_squeezenet1_1.svg");
    let drawn = std::fs::read(&figure).unwrap();
    std::fs::remove_file(&figure).unwrap();
    // Nobody can make a file there.
    std::fs::rename(small.path("out/rsm"), small.path("aside")).unwrap();
    std::os::unix::fs::symlink("/proc/sys", small.path("out/rsm")).unwrap();
    succeed(&["plot", &small.text("out")]);
    assert_eq!(std::fs::read(&figure).unwrap(), drawn);
    for more in ["--dry-run", "--fresh"] {
        let said = refused(&["run", &small.text("experiment.toml"), "--out", &small.text("out"), more]);
        assert!(said.contains("out/rsm: nothing can be written here"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_the_lock_leads_to_no_file() {
    let small = Small::make();
    small.run("out", &[]);
    small.write("mine", "mine");
    for target in ["mine", "nothing"] {
        let link = small.path("out/.semgpu.lock");
        std::os::unix::fs::symlink(small.path(target), &link).unwrap();
        for arguments in [&["run", &small.text("experiment.toml"), "--out"][..], &["plot"]] {
            let said = fail(&[arguments, &[&small.text("out")]].concat(), 2);
            assert!(said.contains(".semgpu.lock: a link") && said.contains("remove it"), "{said}");
        }
        assert!(small.read("mine") == "mine" && !small.path("nothing").exists());
        std::fs::remove_file(&link).unwrap();
    }
}

/// A file that was written two minutes ago.
pub fn aged(path: &Path) {
    std::fs::write(path, "half").unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(120)).unwrap();
}

#[test]
fn figures_of_versions_that_listed_none_go_with_their_results() {
    let small = Small::make();
    small.run("out", &[]);
    let list = small.path("out/rsm/finished.json");
    let mut ledger: serde_json::Value = serde_json::from_slice(&std::fs::read(&list).unwrap()).unwrap();
    let lists = ledger.as_object_mut().unwrap();
    assert!(lists.remove("figures").is_some() && lists.remove("files").is_some());
    std::fs::write(&list, ledger.to_string()).unwrap();
    small.write("out/figures/mine.png", "mine");
    small.run("out", &["--set", "words.0.name=Other"]);
    let names: Vec<String> =
        files(&small.path("out/figures")).into_iter().map(|(path, _)| path.display().to_string()).collect();
    assert!(
        names.iter().any(|name| name.contains("Other")) && !names.iter().any(|name| name.contains("GloVe")),
        "{names:?}"
    );
    assert_eq!(small.read("out/figures/mine.png"), "mine");
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_in_the_place_of_a_directory_is_told_in_second_0() {
    let small = Small::make();
    for place in ["rsm", "figures"] {
        let out = small.path(place);
        std::fs::create_dir(&out).unwrap();
        std::fs::write(out.join(".semgpu.lock"), "").unwrap();
        std::os::unix::fs::symlink("nowhere", out.join(place)).unwrap();
        for more in [&["--dry-run"][..], &[]] {
            let run = ["run", &small.text("experiment.toml"), "--out", &small.text(place), "--device", "cpu"];
            let said = fail(&[&run[..], more].concat(), 2);
            assert!(said.contains("a link to what is not there"), "{said}");
        }
    }
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
    for (file, text) in [("compare.json", "{\"left\": 1}"), ("compare.csv", "left,right\n1,2\n")] {
        small.write(&format!("mine/{file}"), text);
        assert!(fail(&["compare", &a, &b, "--out", &mine], 2).contains("not a results directory"));
        let config = small.text("experiment.toml");
        assert!(fail(&["run", &config, "--out", &mine, "--fresh"], 2).contains("not a results directory"));
        assert_eq!(small.read(&format!("mine/{file}")), text);
    }
    for _ in 0..2 {
        succeed(&["compare", &a, &b, "--bootstrap", "20", "--out", &ours]);
    }
    let page = small.read("a/report.html");
    assert!(fail(&["compare", &a, &b, "--out", &a], 2).contains("results of another command"));
    assert_eq!(small.read("a/report.html"), page);
    let config = small.text("experiment.toml");
    let compared = small.read("compared/report.html");
    // The table is written first and the record last: a comparison that was stopped has one of them.
    let [table, record] = ["compared/compare.csv", "compared/compare.json"].map(|name| small.path(name));
    let whole = [std::fs::read(&table).unwrap(), std::fs::read(&record).unwrap()];
    for stopped in [Some(&record), Some(&table), None] {
        std::fs::write(&table, &whole[0]).unwrap();
        std::fs::write(&record, &whole[1]).unwrap();
        stopped.into_iter().for_each(|file| std::fs::remove_file(file).unwrap());
        assert!(fail(&["run", &config, "--out", &ours], 2).contains("holds the comparison"));
        assert_eq!(small.read("compared/report.html"), compared);
    }
    // Nothing there is of a run.
    std::fs::create_dir(small.path("compared/rsm")).unwrap();
    for name in ["compared/accuracy.csv", "compared/rsm/conv1.npy"] {
        small.write(name, "mine");
        let said = fail(&["run", &config, "--out", &ours, "--fresh"], 2);
        assert!(said.contains(&format!("{}: semgpu did not write this file", small.text(name))), "{said}");
        assert_eq!(small.read(name), "mine");
        std::fs::remove_file(small.path(name)).unwrap();
    }
    succeed(&["run", &config, "--out", &ours, "--fresh"]);
    assert!(!table.exists() && !record.exists() && small.read("compared/report.html") != compared);
    std::fs::remove_dir_all(small.path("compared")).unwrap();
    std::fs::create_dir(small.path("compared")).unwrap();
    std::fs::write(&record, &whole[1]).unwrap();
    succeed(&["run", &config, "--out", &ours, "--fresh"]);
    assert!(!record.exists());
}
