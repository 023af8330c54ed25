//! The bytes of a snapshot: `state.json`.
//!
//! Line 1 is the envelope `{"checksum":"<sha256>","format_version":N,"index":{…}}`; the checksum covers every byte of
//! the line after it. This envelope is the same in every format version, so that an older program can tell a newer file
//! from a damaged one. The lines after it are the bodies, each canonical JSON, found by the lengths in the index and
//! verified by their digests when they are loaded. What the index holds is each version's module.

pub mod read;
pub mod v1;
pub mod write;

use std::io;

pub use read::{Bodies, Snapshot};

/// The newest format version known.
pub const FORMAT_VERSION: u64 = 1;

/// Why a file cannot be read as state.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Its bytes are not what was written.
    #[error("{0}")]
    Damaged(String),
    /// Written by a newer program.
    #[error("it has format version {0}")]
    Newer(u64),
    /// The system would not give it.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl FileError {
    /// Damage, described.
    pub fn damaged(problem: impl Into<String>) -> Self {
        Self::Damaged(problem.into())
    }
}
