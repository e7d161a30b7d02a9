//! Files changed at random, read by every reader: no panic, no hang, no memory without end (fuzz/README.md).

#[path = "../../fuzz/readers.rs"]
mod readers;

use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use readers::{READERS, Reader};

use crate::root;

/// Runs without `SEMGPU_FUZZ`.
const RUNS: u64 = 3_000;
/// Of the reading thread, where the system tells: others may need the machine.
const LONGEST: Duration = Duration::from_secs(5);
/// By the clock: a file that is read without end.
const ENDLESS: Duration = Duration::from_secs(300);
const MOST_BYTES: u64 = 1 << 30;
/// Longer files are mutated too thinly.
const MAX_BYTES: usize = 1 << 16;

/// Random numbers by xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit.max(1)
    }
}

/// Files to begin with: those of `tests/golden`, and what a few lines make.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("tests/golden")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.extend(members(&path, std::fs::read(&path).unwrap()));
            }
        }
    }
    files.push(read("data/quickstart/manifest.csv"));
    files.push(read("configs/quickstart.toml"));
    let text = |name: &str, text: &str| (name.to_string(), text.as_bytes().to_vec());
    files.extend([
        text("a.vec", "3 2\ncat 1 2\ndog 3 4\nsea lion 5 6\n"),
        text("b.vec", "cat 0.5 -1e3\ndog nan 4\n"),
        text("a.csv", "name,u0,u1,u2\ncat,\"0,5\",1,2\ndog,3,4,-5e-1\nfox,6,7,NA\n"),
        text("b.csv", "\u{feff};a;b\n0;1.234,5;2\n1;3;4\n"),
        text("c.csv", "1 0.5 0\n0.5 1 0\n0 0 1\n"),
        text("run.json", r#"{"schema": 2, "command": "test", "config": {"words": []}, "warnings": []}"#),
        text("accuracy.csv", "network,layer,words,accuracy\nvgg16,fc1,GloVe,0.5\n"),
        text("a.txt", "\u{feff}cat\n# comment\n\nsea lion\r\n"),
    ]);
    let mut binary = b"2 3\n".to_vec();
    for word in ["cat", "dog"] {
        binary.extend(word.bytes().chain([b' ']));
        binary.extend([0.5f32, -1.0, f32::NAN].iter().flat_map(|value| value.to_le_bytes()));
    }
    files.push(("b.bin.vec".to_string(), binary));
    let folder = tempfile::tempdir().unwrap();
    let matrix: Vec<f64> =
        (0..36).map(|n| if n % 7 == 0 { 1.0 } else { 0.1 * f64::from((n / 6) * (n % 6)) / 3.0 }).collect();
    let rsm = semgpu::stats::Rsm::new(6, matrix);
    for name in ["a.npy", "a.npz", "a.safetensors", "a.h5"] {
        let concepts: Vec<String> = (0..6).map(|n| format!("concept {n}")).collect();
        let labels = vec![("group", vec!["1".to_string(), "2".to_string()])];
        let out = semgpu::arrays::RsmsOut {
            rsms: vec![&rsm, &rsm],
            grouped: true,
            labels,
            concepts: Some(&concepts),
            distances: false,
        };
        semgpu::arrays::write_rsms(&folder.path().join(name), &out).unwrap();
        files.push((name.to_string(), std::fs::read(folder.path().join(name)).unwrap()));
    }
    for (ending, format) in [
        ("jpg", image::ImageFormat::Jpeg),
        ("png", image::ImageFormat::Png),
        ("gif", image::ImageFormat::Gif),
        ("bmp", image::ImageFormat::Bmp),
        ("tiff", image::ImageFormat::Tiff),
        ("webp", image::ImageFormat::WebP),
        ("pnm", image::ImageFormat::Pnm),
    ] {
        let mut bytes = Cursor::new(Vec::new());
        let picture =
            image::RgbImage::from_fn(24, 20, |x, y| image::Rgb([(x * 9) as u8, (y * 7) as u8, (x * y) as u8]));
        image::DynamicImage::from(picture).write_to(&mut bytes, format).unwrap();
        files.push((format!("a.{ending}"), bytes.into_inner()));
    }
    files.retain(|(_, bytes)| bytes.len() <= MAX_BYTES);
    // Folders are listed in no order.
    files.sort();
    files
}

fn read(path: &str) -> (String, Vec<u8>) {
    (path.to_string(), std::fs::read(root().join(path)).unwrap())
}

/// A file, and what is packed in it.
fn members(path: &Path, bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    if let Some(inner) = name.strip_suffix(".gz") {
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).unwrap();
        return vec![(inner.to_string(), unpacked)];
    }
    if !name.ends_with(".zip") {
        return vec![(name, bytes)];
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let count = archive.len();
    let member = |index| {
        let mut member = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        member.read_to_end(&mut bytes).unwrap();
        (member.name().unwrap().into_owned(), bytes)
    };
    (0..count).map(member).collect()
}

/// Files that broke the reader once, or reach what others do not.
fn found_before(reader: &Reader) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(root().join("fuzz/corpus").join(reader.name)).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Whether a file is of the kind that a reader reads.
fn is_for(reader: &Reader, name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap();
    match reader.name {
        "hdf5" => ending == "h5",
        "matlab" => ending == "mat",
        "table" => ending == "csv",
        "vectors" => matches!(ending, "vec" | "npz" | "safetensors"),
        "weights" => matches!(ending, "pth" | "keras" | "h5" | "safetensors"),
        "image" => matches!(ending, "jpg" | "png" | "gif" | "bmp" | "tiff" | "webp" | "pnm"),
        "manifest" => name.ends_with("manifest.csv"),
        "config" => ending == "toml",
        "lines" => matches!(ending, "txt" | "md"),
        "record" => ending == "json",
        "graph" => ending == "onnx",
        "results" => name.ends_with("accuracy.csv"),
        name => ending == name,
    }
}

/// One to six changes.
fn mutated(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    const EXTREMES: [u64; 9] = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];
    let mut bytes = seed.to_vec();
    for _ in 0..1 + random.below(6) {
        let at = random.below(bytes.len());
        let most = if random.below(4) == 0 { bytes.len() } else { 16 };
        let length = 1 + random.below(most);
        let end = (at + length).min(bytes.len());
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.next() as u8,
            2 => {
                let width = [1, 2, 4, 8][random.below(4)];
                let number = EXTREMES[random.below(EXTREMES.len())].to_le_bytes();
                let end = (at + width).min(bytes.len());
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            3 => drop(bytes.drain(at..end)),
            4 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            5 => {
                let from = random.below(other.len());
                let part = &other[from..(from + length).min(other.len())];
                bytes.splice(at..at, part.iter().copied());
            }
            6 => {
                let (from, width) = (random.below(bytes.len()), end - at);
                let part = bytes[from..(from + width).min(bytes.len())].to_vec();
                bytes[at..at + part.len()].copy_from_slice(&part);
            }
            _ => bytes.truncate(at),
        }
        bytes.truncate(2 * MAX_BYTES);
    }
    bytes
}

#[test]
fn no_file_breaks_a_reader() {
    let files = corpus();
    let found: Vec<Vec<Vec<u8>>> = READERS.iter().map(found_before).collect();
    fn of<'a>(reader: &Reader, files: &'a [(String, Vec<u8>)], found: &'a [Vec<u8>]) -> Vec<&'a Vec<u8>> {
        let own = files.iter().filter(|(name, _)| is_for(reader, name)).map(|(_, bytes)| bytes);
        own.chain(found).collect()
    }
    let seeds: Vec<Vec<&Vec<u8>>> =
        READERS.iter().zip(&found).map(|(reader, found)| of(reader, &files, found)).collect();
    for (reader, seeds) in READERS.iter().zip(&seeds) {
        assert!(!seeds.is_empty(), "{}: nothing to begin with", reader.name);
        let Some(corpus) = std::env::var_os("SEMGPU_FUZZ_CORPUS") else { continue };
        let folder = PathBuf::from(corpus).join(reader.name);
        std::fs::create_dir_all(&folder).unwrap();
        seeds.iter().enumerate().for_each(|(n, seed)| std::fs::write(folder.join(n.to_string()), seed).unwrap());
    }
    let seconds = std::env::var("SEMGPU_FUZZ").ok().map(|seconds| seconds.parse().expect("SEMGPU_FUZZ=seconds"));
    let first = std::env::var("SEMGPU_FUZZ_SEED").map_or(1, |seed| seed.parse().expect("SEMGPU_FUZZ_SEED=number"));
    let started = Instant::now();
    let more = |run: u64| match seconds {
        Some(seconds) => started.elapsed().as_secs() < seconds,
        None => run < RUNS,
    };
    let folder = tempfile::tempdir().unwrap();
    let since = AtomicU64::new(u64::MAX - 1);
    let mut counts = vec![0_u64; READERS.len()];
    let kept = |run: u64, bytes: &[u8], reader: &Reader| {
        let path = std::env::temp_dir().join(format!("semgpu-fuzz-{}-{run}", reader.name));
        std::fs::write(&path, bytes).unwrap();
        format!("{} at run {run} (SEMGPU_FUZZ_SEED={first}): {}", reader.name, path.display())
    };
    std::thread::scope(|scope| {
        let done = Done(&since);
        scope.spawn(|| watch(&since, started));
        let read = |reader: &Reader, bytes: &[u8], run: u64| {
            let begun = spent(started);
            since.store(started.elapsed().as_millis() as u64, Ordering::Relaxed);
            let outcome = catch_unwind(AssertUnwindSafe(|| reader.read(folder.path(), bytes)));
            since.store(u64::MAX - 1, Ordering::Relaxed);
            assert!(outcome.is_ok(), "a panic of {}", kept(run, bytes, reader));
            let took = spent(started).saturating_sub(begun);
            assert!(took < LONGEST, "{took:?} of {}", kept(run, bytes, reader));
            if let Some(peak) = semgpu::device::peak_memory_bytes().filter(|_| run.is_multiple_of(64)) {
                assert!(peak < MOST_BYTES, "{peak} bytes by {}", kept(run, bytes, reader));
            }
        };
        for (reader, found) in READERS.iter().zip(&found) {
            found.iter().for_each(|bytes| read(reader, bytes, 0));
        }
        let mut run = 0;
        while more(run) {
            let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(first + run) | 1);
            let which = run as usize % READERS.len();
            let (reader, seeds) = (&READERS[which], &seeds[which]);
            let (seed, other) = (random.below(seeds.len()), random.below(seeds.len()));
            read(reader, &mutated(seeds[seed], seeds[other], &mut random), run);
            counts[which] += 1;
            run += 1;
        }
        drop(done);
    });
    let total: u64 = counts.iter().sum();
    let counts: Vec<String> =
        READERS.iter().zip(&counts).map(|(reader, count)| format!("{} {count}", reader.name)).collect();
    println!("{total} files in {:.0} s: {}", started.elapsed().as_secs_f64(), counts.join(", "));
}

/// What this thread has computed so far; by the clock where the system does not tell.
fn spent(started: Instant) -> Duration {
    /// Linux' USER_HZ.
    const TICK: Duration = Duration::from_millis(10);
    let of_thread = || {
        let text = std::fs::read_to_string("/proc/thread-self/stat").ok()?;
        let fields: Vec<&str> = text.rsplit(") ").next()?.split(' ').collect();
        Some(TICK * (fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?))
    };
    of_thread().unwrap_or_else(|| started.elapsed())
}

/// Ends the watch, also where the test fails.
struct Done<'a>(&'a AtomicU64);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(u64::MAX, Ordering::Relaxed);
    }
}

/// Ends the process if a file is read without end.
fn watch(since: &AtomicU64, started: Instant) {
    loop {
        std::thread::sleep(Duration::from_millis(200));
        match since.load(Ordering::Relaxed) {
            u64::MAX => return,
            since if started.elapsed().as_millis() as u64 > since.saturating_add(ENDLESS.as_millis() as u64) => {
                eprintln!("a file that is read without end: the last one in the temporary folder of the fuzz test");
                std::process::abort();
            }
            _ => {}
        }
    }
}
