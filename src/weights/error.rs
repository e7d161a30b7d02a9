//! What can be wrong with a file of weights.

use std::path::{Path, PathBuf};

use super::FORMATS;
use crate::error::FileError;
use crate::files;

/// A weights file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// It cannot be opened or read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Asked to stop meanwhile.
    #[error("interrupted while the weights were read")]
    Interrupted,
    /// Averages that the file does not have.
    #[error("{}: has no averages of its weights (EMA) beside them; leave out network.ema", path.display())]
    NoAverages {
        /// The file.
        path: PathBuf,
    },
    /// The network more than once.
    #[error("{}: holds {network} under {prefixes}; say which is meant: network.prefix = {first}, or --prefix {first} of semgpu inspect", path.display())]
    Several {
        /// The file.
        path: PathBuf,
        /// The network.
        network: String,
        /// The first of what its names begin with.
        first: String,
        /// All of them.
        prefixes: String,
    },
    /// Nothing that begins as was said.
    #[error(
        "{}: no name begins with network.prefix = {prefix:?} (--prefix of semgpu inspect){}", path.display(),
        if names.is_empty() { "; in an ONNX file layers have places instead: remove it".to_string() } else { format!(" (it has {names})") }
    )]
    Prefix {
        /// The file.
        path: PathBuf,
        /// What names were to begin with.
        prefix: String,
        /// Some that it has; none of a graph.
        names: String,
    },
    /// A file of PyTorch's that is no state dict.
    #[error("{}: {found}, expected a state dict; {remedy}", path.display())]
    NoStateDict {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// It is of no format of this build.
    #[error(
        "{}: not a weights file this build reads ({}); load it where it was written and save it as one of these (weights/README.md)",
        path.display(),
        FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ")
    )]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// It is cut short or was altered.
    #[error("{}: {problem}; copy or download it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        problem: String,
    },
    /// It is damaged, or its writer did what this reader does not know.
    #[error("{}: cannot be read as {format}; copy or download it again, or save it anew", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The name of its format.
        format: &'static str,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its list of tensors cannot be read.
    #[error("{}: the header does not list tensors as safetensors does; copy or download it again", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A tensor of another type than floating-point numbers.
    #[error("{}: {tensor} is of type {found}, expected F64, F32, F16 or BF16{}", path.display(), wider(found))]
    Type {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Its type.
        found: String,
    },
    /// A tensor holds NaN or an infinity.
    #[error(
        "{}: {tensor} holds {value} at element {index}, expected finite numbers; download it again or export it anew",
        path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Position in the canonical layout.
        index: usize,
        /// What is there.
        value: f32,
    },
    /// A variance below zero.
    #[error(
        "{}: {tensor} holds {value} at element {index}, expected a variance of zero or more; download it again or \
         export it anew",
        path.display()
    )]
    Negative {
        /// The file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Position in the tensor.
        index: usize,
        /// What is there.
        value: f32,
    },
    /// The file that a model keeps its values in is not there.
    #[error("{}: keeps its weights in another file, expected beside it; copy both", path.display())]
    External {
        /// The model.
        path: PathBuf,
        /// The file that is missing.
        source: FileError,
    },
    /// A computation graph, or weights of Keras, that leave open which is which.
    #[error("{}: {problem}", path.display())]
    Graph {
        /// The file.
        path: PathBuf,
        /// What was found, what was expected, the remedy.
        problem: String,
    },
    /// A graph for the weights of a transformer.
    #[error(
        "{}: an ONNX file renames, transposes and shares a transformer's weights, so that none can be told to be {network}'s; it \
         is a network of its own: [network] file = {path:?} in place of name and weights", path.display()
    )]
    Transformer {
        /// The file.
        path: PathBuf,
        /// The network.
        network: String,
    },
    /// Its computation graph is another form's.
    #[error(
        "{}: is of another form of {network}, and network.form is \"{form}\": {reason}; set form = \"{fits}\", or --form of \
         semgpu inspect",
        path.display()
    )]
    OtherGraph {
        /// The file.
        path: PathBuf,
        /// The network.
        network: String,
        /// The form asked for.
        form: String,
        /// The forms whose graph this is.
        fits: String,
        /// What tells.
        reason: String,
    },
    /// Its tensors are another network's.
    #[error("{}: {tensor} is not of {network}: {what}", path.display())]
    LookAlike {
        /// The file.
        path: PathBuf,
        /// The tensor that tells.
        tensor: String,
        /// The network asked for.
        network: String,
        /// What the file is and what is read instead.
        what: String,
    },
    /// Its tensors are exactly those of other networks.
    #[error("{}: holds the weights of {}, not of {network}; set network.name = \"{}\"", path.display(), fits.join(" or "), fits.join("\" or \""))]
    OtherNetwork {
        /// The file.
        path: PathBuf,
        /// The network asked for.
        network: String,
        /// Those whose weights they are.
        fits: Vec<&'static str>,
    },
    /// Its tensors are not the network's parameters.
    #[error("{}: {}{}{}", path.display(), first(reasons), in_full, part_of(path).map(|part| format!("; {part}")).unwrap_or_default())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What does not fit, one sentence per tensor.
        reasons: Vec<String>,
        /// The command that tells all reasons, in parentheses; nothing of a network that is not a published one.
        in_full: String,
    },
    /// A list of files.
    #[error("{}: lists the weights of several files, expected one file; {}", .0.display(), join(listed(.0)))]
    Index(PathBuf),
    /// Its tensors are named as in another form of the network.
    #[error(
        "{}: names its tensors as the {fits} form of {network} does, and network.form is \"{form}\"; set form = \
         \"{fits}\", or --form of semgpu inspect",
        path.display()
    )]
    OtherForm {
        /// The file.
        path: PathBuf,
        /// The network.
        network: String,
        /// The form asked for.
        form: String,
        /// The form whose names these are.
        fits: String,
    },
}

/// The first few of many reasons, in one line.
fn first(reasons: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = reasons.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if reasons.len() > SHOWN {
        text += &format!("; and {} more", reasons.len() - SHOWN);
    }
    text
}

/// What to do with floating-point numbers of eight bits.
fn wider(found: &str) -> &'static str {
    if found.starts_with("F8") {
        "; save it wider, by safetensors.torch: save_file({k: v.float() for k, v in load_file(FILE).items()}, OUT)"
    } else {
        ""
    }
}

/// What to do with weights in several files of this ending.
fn join(ending: &str) -> String {
    let (load, save, module) = match ending {
        "safetensors" => ("load_file(f)", "save_file", "safetensors.torch"),
        _ => ("load(f)", "save", "torch"),
    };
    format!(
        "join them in Python, by {module}: {save}({{k: v for f in glob.glob(\"*-of-*.{ending}\") for k, v in {load}.items()}}, OUT)"
    )
}

/// What is said of a file that by its name is one of several: `model-00001-of-00003.safetensors`.
pub fn part_of(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let (begins, all) = stem.rsplit_once("-of-")?;
    let number = begins.rsplit('-').next()?;
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(number) && is_number(all) && all != "00001")
        .then(|| format!("it is file {number} of {all}: {}", join(&files::ending(path))))
}

/// The ending of the files that one lists: of `model.safetensors.index.json`, `safetensors`.
fn listed(list: &Path) -> &str {
    let name = list.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_suffix(LIST).and_then(|name| name.rsplit('.').next()).unwrap_or_default()
}

/// How the name of a list ends.
const LIST: &str = ".index.json";

/// Whether a file lists several by its name.
pub(super) fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(LIST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_several_are_known_by_their_names() {
        let part = |name: &str| part_of(Path::new(name));
        assert!(
            part("a/model-00002-of-00003.safetensors").unwrap().starts_with("it is file 00002 of 00003: join them")
        );
        assert!(
            part("pytorch_model-00001-of-00002.bin")
                .unwrap()
                .contains("by torch: save({k: v for f in glob.glob(\"*-of-*.bin\")")
        );
        let listed = WeightsError::Index("model.safetensors.index.json".into()).to_string();
        assert!(
            listed.ends_with(
                "by safetensors.torch: save_file({k: v for f in glob.glob(\"*-of-*.safetensors\") for k, v in \
                                  load_file(f).items()}, OUT)"
            ),
            "{listed}"
        );
        for whole in ["model.safetensors", "one-of-many.pth", "model-00001-of-00001.safetensors", "vit-2-of-00003.pth"]
        {
            assert_eq!(part(whole), None, "{whole}");
        }
        let unfit = |name: &str| WeightsError::Unfit {
            path: name.into(),
            reasons: vec!["fc.weight is missing".to_string()],
            in_full: String::new(),
        };
        assert_eq!(unfit("whole.pth").to_string(), "whole.pth: fc.weight is missing");
        let said = unfit("m-00001-of-00002.safetensors").to_string();
        assert!(said.contains("fc.weight is missing; it is file 00001 of 00002"), "{said}");
    }
}
