//! Nothing lost, nothing hangs.

#[cfg(unix)]
use std::process::Stdio;
#[cfg(unix)]
use std::time::{Duration, Instant};

use semgpu::arrays::write_npy;

use crate::places::{aged, waves};
#[cfg(unix)]
use crate::semgpu;
use crate::{Small, fail, succeed};

#[test]
fn what_killed_processes_were_writing_goes_and_what_living_ones_write_stays() {
    let small = Small::make();
    small.run("out", &[]);
    let (out, compared, init) = (small.text("out"), small.text("compared"), small.text("init"));
    let export = small.text("export/rdms.h5");
    let features = small.path("features.npy");
    write_npy(&features, &[12, 40], &waves(480, 0.3)).unwrap();
    let matrix = small.text("matrices/m.npy");
    std::fs::create_dir(small.path("export")).unwrap();
    std::fs::create_dir(small.path("matrices")).unwrap();
    let compare = ["compare", &out, "--bootstrap", "20", "--out", &compared];
    succeed(&compare);
    succeed(&["init", &init]);
    let commands = [
        ("out/figures", &["plot", &out][..]),
        ("compared/figures", &compare),
        ("compared", &compare),
        ("init/configs", &["init", &init]),
        ("export", &["export", &out, "--out", &export]),
        ("matrices", &["similarity", &small.text("features.npy"), "--out", &matrix, "--device", "cpu"]),
    ];
    for (place, command) in commands {
        let [dead, living, young, notes] =
            ["dead00", "live00", "young0", "notes"].map(|name| small.path(place).join(format!(".semgpu-{name}")));
        [&dead, &living, &notes].into_iter().for_each(|path| aged(path));
        std::fs::write(&young, "half").unwrap();
        let held = std::fs::File::open(&living).unwrap();
        held.lock().unwrap();
        succeed(command);
        assert!(!dead.exists(), "{command:?}");
        assert!(living.exists() && notes.exists(), "{command:?}");
        // Elsewhere than beside figures, which one process writes at a time, its writer may be about to lock it.
        assert_eq!(young.exists(), !place.ends_with("figures"), "{command:?}");
        [living, young, notes]
            .into_iter()
            .filter(|path| path.exists())
            .for_each(|path| std::fs::remove_file(path).unwrap());
    }
}

#[test]
fn results_that_are_written_meanwhile_are_not_compared() {
    let small = Small::make();
    small.run("out", &[]);
    small.write("out/.semgpu.lock", "process 7, semgpu run, since then");
    let lock = std::fs::File::options().write(true).open(small.path("out/.semgpu.lock")).unwrap();
    lock.lock().unwrap();
    let said = fail(&["compare", &small.text("out"), "--out", &small.text("compared")], 2);
    assert!(said.contains("process 7, semgpu run") && said.contains("wait for it"), "{said}");
    drop(lock);
    succeed(&["compare", &small.text("out"), "--bootstrap", "20", "--out", &small.text("compared")]);
}

#[test]
fn a_matrix_that_another_program_changed_is_told_where_it_is_exported() {
    let small = Small::make();
    small.run("out", &[]);
    let path = small.path("out/rsm/conv1.npy");
    let (shape, values) = semgpu::arrays::read_npy(&path).unwrap();
    let export = || {
        let output = succeed(&["export", &small.text("out"), "--out", &small.text("rdms.h5")]);
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(export(), "");
    write_npy(&path, &shape, &values.iter().map(|value| value * value).collect::<Vec<_>>()).unwrap();
    let said = export();
    assert!(said.contains("warning: rsm/conv1.npy: not as semgpu wrote it"), "{said}");
}

#[test]
fn a_damaged_list_of_matrices_is_told() {
    let small = Small::make();
    small.run("out", &[]);
    let table = small.read("out/accuracy.csv");
    small.write("out/rsm/finished.json", "{");
    let said = String::from_utf8(small.run("out", &[]).stderr).unwrap();
    assert!(said.contains("finished.json: damaged") && said.contains("computed again"), "{said}");
    assert_eq!(small.read("out/accuracy.csv"), table);
    let said = String::from_utf8(small.run("out", &[]).stderr).unwrap();
    assert!(!said.contains("damaged") && said.contains("all layers are there"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_limit_of_files_is_an_error_with_a_remedy() {
    let small = Small::make();
    let command = "ulimit -f 2; exec \"$0\" run -q --config \"$1\" --out \"$2\"";
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let arguments = ["-c", command, env!("CARGO_BIN_EXE_semgpu"), &config, &out];
    let output = std::process::Command::new("sh").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("error: {out}/")) && said.contains("ulimit -f"), "{said}");
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

#[cfg(target_os = "linux")]
#[test]
fn output_that_nobody_takes_ends_no_work() {
    let small = Small::make();
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    // A log on a full disk.
    let run = semgpu(&["run", "-v", "--config", &config, "--out", &out]).stderr(full()).output().unwrap();
    assert_eq!((run.status.code(), run.stdout), (Some(0), format!("{out}/report.html\n").into_bytes()));
    // A terminal that was closed.
    let mut child = semgpu(&["run", "-v", "--fresh", "--config", &config, "--out", &out]);
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // `| head`
    let mut child = semgpu(&["layers", "vgg16", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // Results on a full disk.
    for arguments in [&["layers", "vgg16", "--json"][..], &["layers"], &["devices"]] {
        let output = semgpu(arguments).stdout(full()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains("stdout"), "{said}");
    }
    assert_eq!(semgpu(&["layers", "nonet"]).stderr(full()).output().unwrap().status.code(), Some(2));
}
