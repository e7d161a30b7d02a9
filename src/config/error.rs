//! What is wrong with a configuration, for its reader.

use std::path::PathBuf;

use super::written::BACKSLASH;
use crate::error::FileError;
use crate::wording::meant;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not readable.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not TOML, an unknown key, a wrong type.
    #[error("{}: {found}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Line, column, what was expected and the remedy.
        found: String,
    },
    /// A path with a tab or a line's end in it.
    #[error("{}: {found:?} has control characters: {BACKSLASH}", path.display())]
    Control {
        /// The file.
        path: PathBuf,
        /// The path as it was read.
        found: PathBuf,
    },
    /// A sweep without networks.
    #[error("{}: there is no network in it, expected [[network]] with a name and weights", .0.display())]
    NoNetworks(PathBuf),
    /// A sweep where one network is expected.
    #[error("{}: {networks} networks in [[network]], expected one: a file with [network]", path.display())]
    Many {
        /// The file.
        path: PathBuf,
        /// How many.
        networks: usize,
    },
    /// Networks that nothing tells apart.
    #[error(
        "{}: [[network]] {} and {}: {:?} and {:?} make one folder in results (all but A-Z, a-z, 0-9, `.`, `_` and `-` becomes `_`, \
         and capitals are not told apart); give one of them a label of its own",
        path.display(), networks[0], networks[1], labels[0], labels[1]
    )]
    SameLabel {
        /// The file.
        path: PathBuf,
        /// Their numbers in it.
        networks: [usize; 2],
        /// What they are called.
        labels: [String; 2],
    },
    /// A label that makes no folder.
    #[error("{}: [[network]] {network}: label {found:?}, expected {expected}", path.display())]
    Label {
        /// The file.
        path: PathBuf,
        /// The network's number in it.
        network: usize,
        /// What it is called.
        found: String,
        /// What a label is.
        expected: &'static str,
    },
    /// Nothing says which network of a sweep.
    #[error("{}: a sweep over several networks: say which, --network with one of {}", path.display(), known.join(", "))]
    Which {
        /// The file.
        path: PathBuf,
        /// All labels.
        known: Vec<String>,
    },
    /// There is no such network.
    #[error("{}: no network {found:?} in it, expected one of {}{}", path.display(), known.join(", "), meant(found, known.iter().map(String::as_str)))]
    NoSuchNetwork {
        /// The file.
        path: PathBuf,
        /// As asked for.
        found: String,
        /// All labels.
        known: Vec<String>,
    },
    /// An override that does not fit.
    #[error("--set {text}: {reason}")]
    Override {
        /// As given.
        text: String,
        /// What is wrong.
        reason: String,
    },
}
