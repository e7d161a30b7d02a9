//! What can end a command: the user's input, a failure while running, an interruption.

use std::path::PathBuf;

/// Everything a command can fail with; [`Error::exit_code`] is what scripts rely on.
///
/// Messages say where, what was expected, what was found and the remedy. Sources are kept; the binary prints the chain
/// once.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user's input is wrong; nothing was computed (exit code 2).
    #[error("{0}")]
    Input(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It failed while running (exit code 1).
    #[error("{0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Stopped by the user; finished layers are kept (exit code 130).
    #[error("interrupted; what is finished is kept, the same command goes on")]
    Interrupted,
}

impl Error {
    /// The user's input is wrong.
    pub fn input(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Input(Box::new(source))
    }

    /// It failed while running.
    pub fn failed(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Failed(Box::new(source))
    }

    /// 2, 1 or 130.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) => 2,
            Self::Failed(_) => 1,
            Self::Interrupted => 130,
        }
    }
}

/// A file that could not be read or written, with its path.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: std::io::Error,
}

impl FileError {
    /// For `map_err(FileError::at(path))`.
    pub fn at(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self { path, source }
    }
}
