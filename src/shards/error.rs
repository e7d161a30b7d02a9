//! What stands in the way of a shard or of their merge.

use std::path::PathBuf;

use super::Span;
use crate::error::FileError;
use crate::results::ClaimError;

/// What stands in the way of a shard or of their merge.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// A shard that another process computes.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// `semgpu shards` has not been run.
    #[error("{}: no such file; `semgpu shards` cuts an experiment and writes it", .0.display())]
    Uncut(PathBuf),
    /// The list of shards cannot be read.
    #[error("{}: {reason}; move it away, and `semgpu shards` writes it anew", path.display())]
    Damaged {
        /// `shards.json`
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Experiments whose shards would lie in one place.
    #[error("{}: the results of two experiments; give one of them another run.out, or cut them one at a time with --out", .0.display())]
    Shared(PathBuf),
    /// The inputs are not those that were cut.
    #[error(
        "{}: the shards of another experiment; changed since `semgpu shards`: {what} (version, device and inputs must be the \
         same on all machines); `semgpu shards --fresh` cuts anew", path.display()
    )]
    Other {
        /// `shards.json`
        path: PathBuf,
        /// What is another.
        what: String,
    },
    /// Cut before in other pieces, some of which are computed.
    #[error(
        "{}: cut before in other pieces: of {computed} that are computed {lost} are none of this cut; go on with the commands written \
         then, or start over with `semgpu shards --fresh`, which removes all {computed}", path.display()
    )]
    Recut {
        /// `shards.json`
        path: PathBuf,
        /// How many are computed, in whole or in part.
        computed: usize,
        /// How many of these the new cut has not.
        lost: usize,
    },
    /// A piece that is not in the cut.
    #[error("--{kind} {found}: no shard of {}, which are {}", path.display(), expected.join(", "))]
    NoShard {
        /// `shards.json`
        path: PathBuf,
        /// `groups` or `draws`
        kind: &'static str,
        /// As asked for.
        found: Span,
        /// Those of the cut.
        expected: Vec<String>,
    },
    /// Shards that are not finished.
    #[error(
        "{missing} of {all} shards are missing or not whole:\n{}\nrun these again, then this command", commands.join("\n")
    )]
    Missing {
        /// How many.
        missing: usize,
        /// Of how many.
        all: usize,
        /// What computes them, and why.
        commands: Vec<String>,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}
