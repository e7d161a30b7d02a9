//! What is not, or is more than it may be, is refused at once: headers that lie, counts, pipes, paths that are no text.

use std::time::{Duration, Instant};

use base64::Engine;

use crate::{Small, fail, semgpu, succeed};

/// Exit code 2 within seconds; what was said.
pub fn refused(arguments: &[&str]) -> String {
    let started = Instant::now();
    let said = fail(arguments, 2);
    assert!(started.elapsed() < Duration::from_secs(10), "{arguments:?}: {said}");
    said
}

fn npy(header: &str, values: usize) -> Vec<u8> {
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.into_bytes());
    bytes.resize(bytes.len() + 8 * values, 0);
    bytes
}

#[test]
fn headers_that_lie_are_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let text = |name: &str| directory.path().join(name).display().to_string();
    let (features, out) = (text("f.npy"), text("x.npy"));
    let shape = |shape: &str| format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}");
    let nested = ["{", "[", "("].map(|bracket| bracket.repeat(40));
    let shapes =
        ["0, 4294967296, 4294967296", "1000000000000, 0", "0, 1000000000000", "0,", "12, 18446744073709551615"];
    for header in nested.into_iter().chain(shapes.map(shape)) {
        std::fs::write(&features, npy(&header, 10)).unwrap();
        let said = refused(&["similarity", &features, "--out", &out, "--device", "cpu"]);
        assert!(said.contains("f.npy: "), "{said}");
        std::fs::write(&features, npy(&header, 0)).unwrap();
        refused(&["similarity", &features, "--out", &out, "--device", "cpu"]);
        let (words, images) = (format!("A={features}"), format!("L={features}"));
        refused(&["test", "--words", &words, "--images", &images, "--out", &text("t"), "--device", "cpu"]);
        refused(&["inspect", &features]);
    }
    assert!(!directory.path().join("t").exists());
}

#[test]
fn limits_are_told_in_second_0() {
    let small = Small::make();
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let long = format!("words.0.name={}", "x".repeat(250));
    for (set, expected) in [
        ("two_vs_two.permutations=4294967295", "0 to 100,000,000"),
        ("one_vs_two.permutations=4294967295", "0 to 100,000,000"),
        ("run.threads=100000", "1 to 1024"),
        ("spelling.case=[]", "one of as-is, lower, upper at least"),
        ("words.0.name=\"a\\u0000b\"", "without control characters"),
        ("words.0.name=\"a\\nb\"", "without control characters"),
        (&long, "1 to 200 bytes"),
    ] {
        let said = refused(&["run", "--config", &config, "--out", &out, "--set", set]);
        assert!(said.contains(expected), "{said}");
    }
    refused(&["test", "--words", "A=a.npy", "--images", "B=b.npy", "--out", &out, "--threads", "100000"]);
    let said = refused(&["test", "--words", "A\u{7}=a.npy", "--images", "B=b.npy", "--out", &out]);
    assert!(said.contains("without control characters"), "{said}");
    assert!(!small.path("out").exists());
}

#[test]
fn a_column_of_groups_that_are_none_is_refused() {
    let small = Small::make();
    let rows: String = (0..50_000).map(|n| format!("{n}.png,c{n},{n}\n")).collect();
    small.write("manifest.csv", &format!("path,concept,group\n{rows}"));
    let said = refused(&["run", "--config", &small.text("experiment.toml"), "--out", &small.text("out")]);
    assert!(said.contains("\"c1\"") && said.contains("2499949999 more"), "{said}");
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_no_files() {
    let small = Small::make();
    let pipe = small.text("pipe.npy");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let run = |more: &str| refused(&["run", "--config", &config, "--out", &out, "--set", more]);
    for file in [&pipe, "/dev/zero"] {
        for key in ["words.0.file", "network.weights", "stimuli.manifest"] {
            let said = run(&format!("{key}={file}"));
            assert!(said.contains("a pipe or device"), "{key} {file}: {said}");
        }
    }
    let said = refused(&["similarity", &pipe, "--out", &small.text("x.npy"), "--device", "cpu"]);
    assert!(said.contains("a pipe or device"), "{said}");
    let manifest = small.read("manifest.csv");
    let first = manifest.lines().nth(1).unwrap().split(',').next().unwrap().to_string();
    small.write("manifest.csv", &manifest.replacen(&first, &pipe, 1));
    assert!(run("seed=1").contains("a pipe or device"));
}

#[test]
fn the_name_of_a_directory_is_text() {
    let small = Small::make();
    let config = small.text("experiment.toml");
    for out in ["2024-01-01", "2024", "true", "\"q\""] {
        // In a key's value quotes are TOML's, on the command line they are the shell's.
        let set = if out == "\"q\"" { r#"run.out="\"q\"""#.to_string() } else { format!("run.out={out}") };
        for arguments in [["--out", out], ["--set", &set]] {
            let mut command = semgpu(&["run", "-q", "--fresh", "--config", &config, "--set", "network.layers=[]"]);
            let output = command.args(arguments).current_dir(small.directory.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            std::fs::remove_dir_all(small.path(out)).unwrap();
        }
    }
}

/// `x`, `[12, 5]`, and twenty hard links to the root beside it; packed by zlib, in base 64.
const CIRCLES: &str = "\
    eNrtlG1Mk1cUx8/Tlw1KnaW0MDrIijHRuAQLLVLw5V66rqmxKq9qnDMTjSQqqPhCpzj6YYugDl1IxhdDGlFLdJOhIUhAhU0iZsW1\
    miABDWhDxZAIWqIIDHZ7+7Q8j34xyz4si+fLOb97/vf+70v7VJiNpjkSlUQYFgbBmGFjIDzAGnY8Y+uBz9aajdkCsEoEwABEi0EE\
    StIRyP19mSCgO8NmWAv/drg93U10CwwwzHxiLGAYKdsTs/lNFiqAiVQjCBwQgy4CdDNC0idnEErCyNaFDNuEAYadZIf/fIQXCX2m\
    nJwvoJO9b8YNsNh/gOxvD/zTqzdlmzPhQ/+Tggze+kW4WQ46wpuZDeU7uok4MwM3ryZZFXw5mDetqjLkmo3kLYkugoxsW6gSBj2C\
    Ls9LL2wz5RAVuHlrzeZZv0ywEo9g5wYrUAE/K8aTBYZciwnEdTdXREAXGfoIUjTyGMgn5RxQD51dBqW0/OqQMQsSaFn97HwuRDF+\
    7aWy85uhgo42eLX50EBX+GR8qhT6aPnpxP3TcIOWY5U5Z+AVLU+eq70GiXTasK+5A8y0bO3b4oKfAm64xAW1VCvb29INCdQt9lhd\
    L+RRgTi3+SHspuXR7jwPPKXaHvvxQRBT7cjhjkFYSgWO73+eoJcohR1VkZvgffD+CWajIfRJ88dUq9NFPjvWK6Efl2CXRsOBJC4k\
    c0HHBS0XUriwhAupXNBzIW0WhMSUR0k8SuaRlkc6HqXwaAmPUnmk51FoL+/jfxCjqGtp2fYa+wfYlmZIfNCpwMHxs55J0cWrMvx1\
    XN9A1mov0hTk372ukGNXq6/AGz6BArqPsf7Ho5biSSm2Vd5q6ml+hcAZWfzIpMK/dlqXxR6JwnDwis8pi8BtNee2Sn+D0PqwqX7n\
    /vYmlOloLNhojcV7bu/1tJpisDq+f8GGDiUetbUkNo4ocGYx+qW+nexrc8MPu1KV7H6icdAf+nscqywqDGHtcyt9dxF4LZbe6hcI\
    b8lY0/glg21dd4zXyiXYfrDeEVcgx/ZvnvzpjCLzSp4URhseIyhpqr0vEmD1Ca3DgmWz62a1NN6bHkW2x3mvN06GY0jv3r9cT3wX\
    vDi1smgEwSWUUpEmxViEFl3+negLh1aVfzeDIP7k7oZ95Nzycp3FNYxszmP664NzMQzdTE+v+QNBW1xCTJEUh55Aq5ZuKCSMT8GF\
    FaR//MStKjfRp0d2/CUbRm1lnnVjRrKesvdlUsY0gp6uO9rPid/6umlrswSDZKxwvN+LbKfjp2LbFPhvgAY+gQ==";

#[test]
fn links_in_circles_end() {
    let directory = tempfile::tempdir().unwrap();
    let text = |name: &str| directory.path().join(name).display().to_string();
    let packed = base64::engine::general_purpose::STANDARD.decode(CIRCLES).unwrap();
    let file = std::fs::File::create(directory.path().join("f.h5")).unwrap();
    std::io::copy(&mut flate2::read::ZlibDecoder::new(&packed[..]), &mut &file).unwrap();
    let started = Instant::now();
    succeed(&["similarity", &text("f.h5"), "--out", &text("x.npy"), "--device", "cpu"]);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(semgpu::arrays::read_npy(&directory.path().join("x.npy")).unwrap().0, [12, 12]);
}

#[test]
fn an_image_that_changes_meanwhile_is_noticed() {
    use semgpu::images::{Framing, Resize};
    let small = Small::make();
    let manifest = semgpu::stimuli::Manifest::read(&small.path("manifest.csv")).unwrap();
    let images = || manifest.stimuli.iter().flatten();
    let mut sums: Vec<String> = images().map(|stimulus| semgpu::checksum::sha256(&stimulus.path).unwrap()).collect();
    sums[Small::CONCEPTS + 1].clear();
    let framing = Framing { size: 8, resize: Resize::SquashNearest, crop_pct: 1.0 };
    let loaded: Vec<_> = manifest.load(&[1], Some(&sums), framing, 4).unwrap().collect();
    let wrong: Vec<usize> = (0..loaded.len()).filter(|&n| loaded[n].is_err()).collect();
    assert_eq!(wrong, [1]);
    let said = loaded[1].as_ref().unwrap_err().to_string();
    assert!(said.contains("changed while it was being used"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_configuration_in_a_folder_without_a_text_for_a_name_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let small = Small::make();
    let folder = small.path("").join(std::ffi::OsStr::from_bytes(b"n\xe9"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(small.path("experiment.toml"), folder.join("e.toml")).unwrap();
    let output = semgpu(&["run", "--set", "seed=1", "--config"]).arg(folder.join("e.toml")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("manifest.csv: this path is no UTF-8"), "{said}");
}
