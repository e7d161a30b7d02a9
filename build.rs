//! Lists the files of the quickstart, which the program carries in itself (`src/cli/quickstart.rs`).

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What the experiment reads, and whose work it is; folders with all that is in them.
const CARRIED: [&str; 9] = [
    "NOTICE",
    "configs/config.schema.json",
    "configs/quickstart.toml",
    "configs/quickstart_random.toml",
    "data/quickstart/glove.6B.100d.txt",
    "data/quickstart/glove.6B.50d.txt",
    "data/quickstart/images",
    "data/quickstart/licences",
    "data/quickstart/manifest.csv",
];
const WEIGHTS: &str = "weights/squeezenet1_1.safetensors";

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is"));
    let mut files = Vec::new();
    for name in CARRIED.into_iter().chain([WEIGHTS]) {
        println!("cargo::rerun-if-changed={name}");
        collect(&root, Path::new(name), &mut files)?;
    }
    let mut list = "&[\n".to_string();
    for file in files {
        // Paths of the project in the one form that every system reads.
        let name = file.to_str().expect("names in the project are ASCII").replace('\\', "/");
        // Where the package lies is asked when it is compiled: a folder of builds may serve several clones.
        let path = format!("/{name}");
        list += &format!("    ({name:?}, include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))),\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo gives a folder"));
    // A packaged source knows its commit; elsewhere whoever builds may say it.
    if let Some(commit) = fs::read_to_string(root.join(".cargo_vcs_info.json")).ok().as_deref().and_then(commit) {
        println!("cargo::rustc-env=SEMGPU_COMMIT={commit}");
    }
    fs::write(out.join("quickstart.rs"), list + "]\n")
}

/// The files at `name`, relative to `root`, in order of their names.
fn collect(root: &Path, name: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let path = root.join(name);
    if !path.is_dir() {
        files.push(name.to_path_buf());
        return Ok(());
    }
    let mut inside: Vec<_> = fs::read_dir(&path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    inside.sort();
    inside.iter().try_for_each(|entry| collect(root, &name.join(entry), files))
}

/// The commit in what `cargo package` writes of it.
fn commit(info: &str) -> Option<&str> {
    info.split_once("\"sha1\"")?.1.split('"').nth(1)
}
