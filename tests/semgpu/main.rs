//! The program as a user meets it: commands, files, exit codes.

mod alignment;
mod bad_input;
mod compare;
mod concepts;
mod controls;
mod entrance;
mod features;
mod folder;
#[cfg(target_os = "linux")]
mod full_disk;
mod fuzz;
mod generalise;
mod graphs;
mod halves;
mod hostile;
mod inference;
mod inspect;
mod limits;
mod matrices;
mod no_matrices;
mod one_vs_two;
mod onnx;
mod paper;
mod places;
mod reading;
mod reliability;
mod resume;
mod run;
mod shaders;
mod shards;
mod similarity;
mod sweep;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The devices under test: the CPU, and with `SEMGPU_TEST_DEVICE=gpu` a GPU that has to be there.
pub fn devices() -> Vec<&'static str> {
    match std::env::var("SEMGPU_TEST_DEVICE").as_deref() {
        Ok("gpu") => vec!["cpu", "gpu"],
        _ => vec!["cpu"],
    }
}

/// The project's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `semgpu` with these arguments.
pub fn semgpu(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_semgpu"));
    command.args(arguments);
    command
}

/// Runs to the end, expecting success.
pub fn succeed(arguments: &[&str]) -> Output {
    let output = semgpu(arguments).output().unwrap();
    assert!(output.status.success(), "semgpu {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Runs to the end, expecting an exit code; what was said on stderr.
pub fn fail(arguments: &[&str], code: i32) -> String {
    let output = semgpu(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "semgpu {arguments:?}: {said}");
    assert!(!said.contains("panicked"), "semgpu {arguments:?}: {said}");
    said
}

/// An experiment small enough for a test: some of the embedded concepts, two groups, SqueezeNet's first two layers.
pub struct Small {
    pub directory: tempfile::TempDir,
}

impl Small {
    pub const CONCEPTS: usize = 12;
    pub const GROUPS: usize = 2;

    pub fn make() -> Self {
        let small = Self { directory: tempfile::tempdir().unwrap() };
        let quickstart = root().join("data/quickstart");
        let manifest = std::fs::read_to_string(quickstart.join("manifest.csv")).unwrap();
        let mut lines = manifest.lines();
        let header = lines.next().unwrap();
        let column = |name: &str| header.split(',').position(|column| column == name).unwrap();
        let (path, concept, group) = (column("path"), column("concept"), column("group"));
        let mut concepts: Vec<&str> = Vec::new();
        let mut text = "path,concept,group\n".to_string();
        for cells in lines.map(|line| line.split(',').collect::<Vec<_>>()) {
            if cells[group].parse::<usize>().unwrap() > Self::GROUPS {
                continue;
            }
            if !concepts.contains(&cells[concept]) && concepts.len() < Self::CONCEPTS {
                concepts.push(cells[concept]);
            }
            if concepts.contains(&cells[concept]) {
                let path = quickstart.join(cells[path]);
                text += &format!("{},{},{}\n", path.display(), cells[concept], cells[group]);
            }
        }
        small.write("manifest.csv", &text);
        small.write(
            "experiment.toml",
            &format!(
                "seed = 3\n[network]\nname = \"squeezenet1_1\"\nweights = {:?}\nlayers = [\"conv1\", \"fire2\"]\n\
                 [stimuli]\nmanifest = \"manifest.csv\"\nresize = \"squash-bicubic\"\n\
                 [[words]]\nname = \"GloVe\"\nfile = {:?}\n[two_vs_two]\npermutations = 50\n[run]\ndevice = \"cpu\"\n",
                root().join("weights/squeezenet1_1.safetensors"),
                quickstart.join("glove.6B.50d.txt"),
            ),
        );
        small
    }

    /// A path below it, as the system writes it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name).components().collect()
    }

    /// The path as an argument.
    pub fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `semgpu run` into `out` with more arguments.
    pub fn run(&self, out: &str, more: &[&str]) -> Output {
        let (config, out) = (self.text("experiment.toml"), self.text(out));
        let mut arguments = vec!["run", "--config", &config, "--out", &out];
        arguments.extend(more);
        succeed(&arguments)
    }
}

/// The cells of one column of a CSV without quoted cells.
pub fn column<T: std::str::FromStr>(csv: &str, name: &str) -> Vec<T>
where
    T::Err: std::fmt::Debug,
{
    let mut lines = csv.lines();
    let position = lines.next().unwrap().split(',').position(|column| column == name).expect(name);
    lines.map(|line| line.split(',').nth(position).unwrap().parse().unwrap()).collect()
}
