//! Files that announce, unpack to or become more than they should, and a system that gives less than it should.

use std::io::{Cursor, Write};
use std::path::Path;
#[cfg(unix)]
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use semgpu::arrays::{self, Told, write_npy};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::{Small, fail, semgpu};

/// A refusal that takes no second.
fn refused(arguments: &[&str]) -> String {
    let started = Instant::now();
    let said = fail(arguments, 2);
    assert!(started.elapsed() < Duration::from_secs(5), "{arguments:?} took {:?}", started.elapsed());
    said
}

/// A folder of inputs.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
        self.text(name)
    }

    fn text(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn similarity(&self, features: &str) -> String {
        refused(&["similarity", features, "--out", &self.text("x.npy"), "--device", "cpu"])
    }
}

/// A zip archive of small members whose directory announces 4 GB for each.
fn bomb(names: &[&str]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for name in names {
        archive
            .start_file(*name, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated))
            .unwrap();
        archive.write_all(&[7; 5_000]).unwrap();
    }
    let mut bytes = archive.finish().unwrap().into_inner();
    let mut at = 0;
    while let Some(entry) = bytes[at..].windows(4).position(|four| four == b"PK\x01\x02") {
        at += entry + 4;
        // The unpacked size follows 20 bytes further on.
        bytes[at + 20..at + 24].copy_from_slice(&4_000_000_000_u32.to_le_bytes());
    }
    bytes
}

#[test]
fn archives_that_announce_gigabytes_are_refused_in_second_0() {
    const SAID: &str = "expected at most 268435456";
    let folder = Folder::new();
    let said = folder.similarity(&folder.write("f.npz", &bomb(&["a.npy", "b.npy"])));
    assert!(said.contains("bytes that unpack to 8000000000") && said.contains(SAID), "{said}");
    assert!(said.contains("save it without compression"), "{said}");
    let said = refused(&["inspect", &folder.write("words.npz", &bomb(&["words.npy", "vectors.npy"]))]);
    assert!(said.contains(SAID), "{said}");
    for names in [["x/data.pkl", "x/data/0"], ["model.weights.h5", "config.json"]] {
        let said = refused(&["inspect", &folder.write("w.bin", &bomb(&names)), "--network", "vgg16"]);
        assert!(said.contains(SAID), "{said}");
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"cat 1 2 3\n").unwrap();
    let mut packed = packed.finish().unwrap();
    let end = packed.len() - 4;
    packed[end..].copy_from_slice(&4_000_000_000_u32.to_le_bytes());
    let path = folder.write("glove.txt.gz", &packed);
    let said = semgpu::vectors::read(Path::new(&path), &["cat".to_string()]).unwrap_err().to_string();
    assert!(said.contains("unpack to 4000000000") && said.contains(SAID), "{said}");
}

#[test]
fn streams_that_unpack_to_gigabytes_are_cut_off() {
    // 300 MB of zeros in a variable of MATLAB's, which is packed without a word of its size.
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    let element = |kind: u32, data: &[u8]| [&kind.to_le_bytes(), &(data.len() as u32).to_le_bytes(), data].concat();
    let shape = [300_u32 << 17, 1].map(u32::to_le_bytes).concat();
    let head = [element(6, &[6, 0, 0, 0, 0, 0, 0, 0]), element(5, &shape), element(1, b"xxxxxxxx")].concat();
    let values = [9_u32, 300 << 20].map(u32::to_le_bytes).concat();
    let all = [14, (head.len() + values.len()) as u32 + (300 << 20)].map(u32::to_le_bytes).concat();
    packed.write_all(&[all, head, values].concat()).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..300).for_each(|_| packed.write_all(&zeros).unwrap());
    let packed = packed.finish().unwrap();
    let most = 100 * packed.len();
    let mut bytes = vec![b' '; 124];
    bytes.extend(b"\x00\x01IM");
    bytes.extend(15_u32.to_le_bytes().into_iter().chain((packed.len() as u32).to_le_bytes()));
    bytes.extend(packed);
    let folder = Folder::new();
    let path = folder.write("f.mat", &bytes);
    let said = fail(&["similarity", &path, "--out", &folder.text("x.npy"), "--device", "cpu"], 2);
    assert!(said.contains("f.mat: ") && said.contains(&format!("unpack to more, expected at most {most}")), "{said}");
}

#[test]
fn cells_in_cells_are_followed_so_far_only() {
    let element = |kind: u32, data: &[u8]| [&kind.to_le_bytes(), &(data.len() as u32).to_le_bytes(), data].concat();
    // Flags of a cell, a shape of 1 x 1, a name.
    let head = [element(6, &[1, 0, 0, 0, 0, 0, 0, 0]), element(5, &[1, 0, 0, 0, 1, 0, 0, 0]), element(1, b"xxxxxxxx")]
        .concat();
    let mut cell = element(14, &[]);
    for _ in 0..20_000 {
        let mut outer = head.clone();
        outer.append(&mut cell);
        cell = element(14, &outer);
    }
    let mut bytes = vec![b' '; 124];
    bytes.extend(b"\x00\x01IM");
    bytes.extend(cell);
    let folder = Folder::new();
    let path = folder.write("f.mat", &bytes);
    let said = fail(&["similarity", &path, "--out", &folder.text("x.npy"), "--device", "cpu"], 2);
    assert!(said.contains("f.mat: ") && said.contains("cell"), "{said}");
}

/// h5py's file of a dataset `[20, 500000000]` that was never written: its values are the fill value's.
const FILLED: &str = "\
    eNrr9HBx4+WS4mIAAQ4OBhYGAQZk8B8KKlhR+TD5BCjNCKU7oPQKJpg4I1hOAiouCDUfXV1IkKsrSPV/NACzx4AFQnMwjIKRCDxcHQNAdASUD0tP\
    J5hQ1aWlJpaUFqUWM6ClSwcy7WVkYIOYwQjja0BoJoiACExh6llZbHxmoEtBKgUV7KFp14HBhJvB5D8zRBkrMD+A5JmYmRgRafuBPQtUHFkMkv4h\
    PmdmYoZlEZCVDk78MKURNI2HYD9/F1COhrlLgXk0bZIDAMIzPso=";

#[test]
fn datasets_of_fill_values_are_refused_in_second_0() {
    let packed = base64::engine::general_purpose::STANDARD.decode(FILLED).unwrap();
    let mut bytes = Vec::new();
    std::io::copy(&mut flate2::read::ZlibDecoder::new(&packed[..]), &mut bytes).unwrap();
    let folder = Folder::new();
    let said = folder.similarity(&folder.write("f.h5", &bytes));
    assert!(said.contains("1400 bytes that unpack to 80000000000, expected at most 268435456"), "{said}");
}

#[test]
fn graphs_of_empty_nodes_are_refused_in_second_0() {
    let folder = Folder::new();
    let nodes = b"\x0a\x00".repeat(20_000_000);
    let mut length = Vec::new();
    let mut rest = nodes.len();
    while rest > 0 {
        length.push((rest & 0x7f) as u8 | if rest > 0x7f { 0x80 } else { 0 });
        rest >>= 7;
    }
    let model = [&b"\x08\x07\x12\x00\x3a"[..], &length, &nodes].concat();
    let said = refused(&["inspect", &folder.write("m.onnx", &model), "--network", "vgg16"]);
    assert!(said.contains("a graph of 1000001 parts or more, expected at most 1000000"), "{said}");
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_an_error() {
    let folder = Folder::new();
    let path = folder.0.path().join("f.npy");
    let values: Vec<f64> = (0..100_000).map(f64::from).collect();
    write_npy(&path, &[20, 5_000], &values).unwrap();
    let array = arrays::open(&path, None, &Told::default()).unwrap();
    assert_eq!(array.values().unwrap(), values);
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    let said = array.values().unwrap_err().to_string();
    assert!(said.contains("f.npy: changed while it was being used"), "{said}");
    let mut row = [0.0; 5_000];
    assert!(array.read(1, 0, 0, &mut row).is_ok() && row[..] == values[..5_000]);
    assert!(array.read(1, 19, 0, &mut row).is_err());
}

#[cfg(unix)]
#[test]
fn a_stop_ends_reading_at_once() {
    let folder = Folder::new();
    // Sparse files that take long to read: features, and the vectors of a vocabulary.
    let sparse = |name: &str, dtype: &str, rows: u64, columns: u64, width: u64| {
        let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(format!("{header:<117}\n").into_bytes());
        let path = folder.write(name, &bytes);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(bytes.len() as u64 + rows * columns * width).unwrap();
        path
    };
    let features = sparse("f.npy", "<f8", 12, 1 << 31, 8);
    let vectors = sparse("v.npy", "<f4", 200_000, 100_000, 4);
    let mut words: String = (0..199_999).map(|n| format!("w{n}\n")).collect();
    words += "cat\n";
    folder.write("v.txt", words.as_bytes());
    let images = folder.text("images");
    std::fs::create_dir(&images).unwrap();
    for class in ["cat", "dog", "fox", "cow", "hen"] {
        std::fs::create_dir(folder.0.path().join("images").join(class)).unwrap();
        image::RgbImage::new(8, 8).save(folder.0.path().join("images").join(class).join("1.png")).unwrap();
    }
    let (out, manifest, words) = (folder.text("x.npy"), folder.text("m.csv"), format!("W={vectors}"));
    for arguments in [
        &["similarity", &features, "--out", &out, "--device", "cpu"][..],
        &["concepts", "--images", &images, "--words", &words, "--per-concept", "1", "--out", &manifest],
    ] {
        for signal in ["-INT", "-TERM"] {
            let mut child = semgpu(arguments).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(400));
            assert!(child.try_wait().unwrap().is_none(), "{arguments:?} ended by itself");
            let asked = Instant::now();
            let pid = child.id().to_string();
            assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
            assert_eq!(child.wait().unwrap().code(), Some(130), "{arguments:?} {signal}");
            assert!(asked.elapsed() < Duration::from_secs(5), "{arguments:?} {signal}: {:?}", asked.elapsed());
        }
    }
}

/// `semgpu` under limits that a shell sets: its code, or its signal below 0.
#[cfg(target_os = "linux")]
fn limited(limits: &str, arguments: &[&str]) -> (Option<i32>, String) {
    use std::os::unix::process::ExitStatusExt;
    let script = format!("trap '' XFSZ; {limits}; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_semgpu")]).args(arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let code = output.status.code().or(output.status.signal().map(|signal| -signal));
    (code, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(target_os = "linux")]
#[test]
fn too_little_memory_is_an_error() {
    let folder = Folder::new();
    // 4 GB that have to be held: the first axis runs fastest.
    let header = "{'descr': '<f8', 'fortran_order': True, 'shape': (20, 25000000), }";
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").into_bytes());
    let path = folder.write("f.npy", &bytes);
    std::fs::File::options().write(true).open(&path).unwrap().set_len(128 + 4_000_000_000).unwrap();
    let (code, said) =
        limited("ulimit -v 2000000", &["similarity", &path, "--out", &folder.text("x.npy"), "--device", "cpu"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error: no memory for 4000000000 bytes more"), "{said}");
}

/// The signal of who reads where there is nothing.
#[cfg(target_os = "linux")]
const SIGSEGV: i32 = 11;

#[cfg(target_os = "linux")]
#[test]
fn too_little_memory_of_a_device_is_an_error() {
    if !crate::devices().contains(&"gpu") {
        return;
    }
    let small = Small::make();
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    let mut codes = Vec::new();
    // A software device has the process' own memory: from little more than Mesa needs to make a device, or falls, to enough
    // for all.
    for kib in (1_050_000..=1_500_000).step_by(50_000) {
        let run = ["run", "-q", "--fresh", "--config", &config, "--out", &out, "--set", "run.device=gpu"];
        let (code, said) = limited(&format!("ulimit -v {kib}"), &run);
        let told = matches!(code, Some(1 | 2)) && said.contains("error: ");
        // Mesa compiles shaders without looking whether it got memory: it falls at a level here or there. So does Rust, where a
        // thread begins.
        let fell = code == Some(-SIGSEGV) || said.contains("failed to allocate an alternative stack");
        assert!(fell || (code == Some(0) || told) && !said.contains("panicked"), "{kib}: {code:?} {said}");
        codes.push(code);
    }
    let told = codes.iter().filter(|code| matches!(code, Some(1 | 2))).count();
    assert!(told >= 2, "{codes:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn too_few_file_handles_are_an_error_and_the_same_command_goes_on() {
    let small = Small::make();
    small.run("whole", &[]);
    let (config, out) = (small.text("experiment.toml"), small.text("few"));
    for handles in [5, 8, 12] {
        let (code, said) = limited(&format!("ulimit -n {handles}"), &["run", "--config", &config, "--out", &out]);
        assert!(
            code == Some(0) || said.contains("error: ") && matches!(code, Some(1 | 2)),
            "{handles}: {code:?} {said}"
        );
        assert!(!said.contains("panicked"), "{handles}: {said}");
    }
    small.run("few", &[]);
    assert_eq!(small.read("few/accuracy.csv"), small.read("whole/accuracy.csv"));
}

/// Every file of a results directory that holds results, by name.
fn results(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for place in [directory.to_path_buf(), directory.join("rsm")] {
        let entries = std::fs::read_dir(place).into_iter().flatten().map(|entry| entry.unwrap().path());
        for path in entries.filter(|path| path.extension().is_some_and(|ending| ending == "csv" || ending == "npy")) {
            files.push((path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

#[cfg(target_os = "linux")]
#[test]
fn files_that_cannot_be_written_are_errors_and_leave_nothing_half() {
    let small = Small::make();
    small.run("whole", &[]);
    let whole = results(&small.path("whole"));
    let (config, out) = (small.text("experiment.toml"), small.text("full"));
    let run = ["run", "-q", "--config", &config, "--out", &out];
    // In blocks of 512 bytes: no file, no matrix, no table, no figure, no page can be longer.
    let limits = [0, 2, 6, 12, 40, 200, 2000].map(|blocks| format!("ulimit -f {blocks}"));
    for limit in &limits {
        let (code, said) = limited(limit, &run);
        if code != Some(0) {
            assert!(matches!(code, Some(1 | 2)) && said.contains("error: "), "{limit}: {code:?} {said}");
            assert!(said.contains("too large") || said.contains("nothing can be written"), "{limit}: {said}");
        }
        // What is there is whole: a file of the finished run, or a matrix that goes on.
        for (name, bytes) in results(&small.path("full")) {
            let (_, expected) = whole.iter().find(|(other, _)| *other == name).expect("a file of the run");
            assert_eq!(bytes.len(), expected.len(), "{limit}: {name}");
        }
        assert!(
            std::fs::read_dir(small.path("full"))
                .into_iter()
                .flatten()
                .all(|entry| { !entry.unwrap().file_name().to_string_lossy().starts_with(".semgpu-") })
        );
    }
    small.run("full", &[]);
    assert_eq!(results(&small.path("full")), whole);
}

#[test]
fn runs_that_are_killed_anywhere_go_on_to_the_same_bytes() {
    let small = Small::make();
    let started = Instant::now();
    small.run("whole", &[]);
    let (whole, lasted) = (results(&small.path("whole")), started.elapsed());
    let (config, out) = (small.text("experiment.toml"), small.text("killed"));
    for part in 1..=8 {
        let mut child = semgpu(&["run", "-q", "--config", &config, "--out", &out]).spawn().unwrap();
        std::thread::sleep(lasted * part / 8);
        child.kill().unwrap();
        child.wait().unwrap();
        for (name, bytes) in results(&small.path("killed")) {
            let (_, expected) = whole.iter().find(|(other, _)| *other == name).expect("a file of the run");
            assert_eq!(bytes.len(), expected.len(), "{part}: {name}");
        }
    }
    small.run("killed", &[]);
    assert_eq!(results(&small.path("killed")), whole);
}

#[test]
fn a_matrix_of_others_is_not_replaced_in_a_directory() {
    let folder = Folder::new();
    let values: Vec<f64> = (0..480).map(|n| f64::from(n).sin()).collect();
    for name in ["conv5.npy", "fc6.npy"] {
        write_npy(&folder.0.path().join("feats").join(name), &[12, 40], &values).unwrap();
    }
    let (conv, fc, out) = (folder.text("feats/conv5.npy"), folder.text("feats/fc6.npy"), folder.text("rsm"));
    let both = ["similarity", &conv, &fc, "--out", &out, "--device", "cpu"];
    write_npy(&folder.0.path().join("rsm/fc6.npy"), &[2, 2], &[1.0, 0.5, 0.5, 1.0]).unwrap();
    let before = std::fs::read(folder.text("rsm/fc6.npy")).unwrap();
    let said = refused(&both);
    assert!(said.contains("fc6.npy: there already") && said.contains("similarity.json"), "{said}");
    assert_eq!(std::fs::read(folder.text("rsm/fc6.npy")).unwrap(), before);
    assert!(!folder.0.path().join("rsm/conv5.npy").exists());
    std::fs::remove_file(folder.text("rsm/fc6.npy")).unwrap();
    // What it made itself it makes again.
    for _ in 0..2 {
        crate::succeed(&both);
    }
}

#[test]
fn what_is_no_longer_a_matrix_is_neither_drawn_nor_exported() {
    let small = Small::make();
    small.run("out", &[]);
    let path = small.path("out/rsm/fire2.npy");
    let (shape, mut values) = arrays::read_npy(&path).unwrap();
    values[1] += 0.25;
    write_npy(&path, &shape, &values).unwrap();
    let out = small.text("out");
    for arguments in [&["plot", &out][..], &["export", &out, "--out", &small.text("x.h5")]] {
        let output = semgpu(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("fire2.npy: "), "{arguments:?}: {said}");
    }
}

#[test]
fn what_the_plan_can_know_it_says() {
    let small = Small::make();
    let (config, out) = (small.text("experiment.toml"), small.text("out"));
    for (set, expected) in [
        ("two_vs_two.bootstrap=4294967295", "0, or 2 to 1,000,000"),
        ("two_vs_two.bootstrap=1", "0, or 2 to 1,000,000"),
        ("rsa.methods=[\"pearson\", \"spearman\", \"pearson\"]", "pearson twice"),
        ("stimuli.crop_pct=0.001", "0.01 to 1"),
    ] {
        let arguments =
            ["run", "--config", &config, "--out", &out, "--set", set, "--set", "stimuli.resize=crop-bilinear"];
        let said = refused(&arguments);
        assert!(said.contains(expected), "{said}");
    }
    assert!(!small.path("out").exists());
}
