//! A disk that is full: a small file system in memory, in a namespace of its own.

use std::path::Path;
use std::process::{Command, Output};

use crate::{Small, succeed};

/// Mounts a file system of `$1`, runs the command that follows, takes what is there to `$3`, makes room, runs the command
/// again and takes what is there to `$4`.
const SCRIPT: &str = r#"
set -e
size=$1 disk=$2 half=$3 whole=$4; shift 4
mount -t tmpfs -o "size=$size" tmpfs "$disk"
code=0; "$@" 2>"$half.said" || code=$?
echo $code >"$half.code"
cp -r "$disk" "$half"
mount -o remount,size=64m "$disk"
"$@"
cp -r "$disk" "$whole"
"#;

fn namespaced(arguments: &[&str]) -> Output {
    Command::new("unshare").args(["-rm", "sh", "-c"]).args(arguments).output().unwrap()
}

/// Every table and matrix below a directory, by its path there; nothing that a write left half done.
fn kept(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(directory).unwrap().display().to_string();
            assert!(!name.contains(".semgpu"), "{name}");
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".csv") || name.ends_with(".npy") {
                found.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_full_disk_is_an_error_and_with_room_the_same_command_goes_on() {
    let small = Small::make();
    std::fs::create_dir(small.path("disk")).unwrap();
    let disk = small.text("disk");
    let probe = namespaced(&["mount -t tmpfs -o size=64k tmpfs \"$0\"", &disk]);
    if !probe.status.success() {
        println!("not tried, no namespaces here: {}", String::from_utf8_lossy(&probe.stderr));
        return;
    }
    small.run("a", &[]);
    small.run("b", &["--set", "words.0.name=Other"]);
    let (config, a, b) = (small.text("experiment.toml"), small.text("a"), small.text("b"));
    let (words, images) = (format!("W={a}/rsm/words.GloVe.npy"), format!("L={a}/rsm/conv1.npy"));
    let run = ["run", "-q", "--config", &config, "--out"];
    let test =
        ["test", "-q", "--words", &words, "--images", &images, "--permutations", "50", "--device", "cpu", "--out"];
    let compare = ["compare", &a, &b, "--bootstrap", "20", "--out"];
    // Before any file, within the matrices, the tables, the figures.
    for (command, sizes) in
        [(&run[..], &["4k", "24k", "64k", "600k"][..]), (&test, &["4k", "24k", "120k"]), (&compare, &["4k", "16k"])]
    {
        let expected = small.text(&format!("{}-whole", command[0]));
        succeed(&[command, &[&expected]].concat());
        let expected = kept(Path::new(&expected));
        for size in sizes {
            let place = |what: &str| small.text(&format!("{}-{size}-{what}", command[0]));
            let (half, whole, out) = (place("half"), place("end"), format!("{disk}/out"));
            let script = [SCRIPT, "sh", size, &disk, &half, &whole, env!("CARGO_BIN_EXE_semgpu")];
            let output = namespaced(&[&script[..], command, &[&out]].concat());
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{command:?} on {size}: {said}");
            let said = std::fs::read_to_string(format!("{half}.said")).unwrap();
            assert_eq!(std::fs::read_to_string(format!("{half}.code")).unwrap().trim(), "1", "{size}: {said}");
            assert!(said.contains(&format!("error: {out}/")) && said.contains("free space"), "{size}: {said}");
            for (name, bytes) in kept(&Path::new(&half).join("out")) {
                let (_, expected) = expected.iter().find(|(other, _)| *other == name).expect("a file of the results");
                assert_eq!(bytes.len(), expected.len(), "{command:?} on {size}: {name}");
            }
            assert!(kept(&Path::new(&whole).join("out")) == expected, "{command:?} on {size}: other results");
        }
    }
}
