//! Where something is written: file, line and column.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A position in an input file. Lines and columns count from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file, as the user would name it (relative to the deployment directory or the current directory).
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// Length of the marked text in characters; at least 1.
    pub length: u32,
}

impl Place {
    /// A place in a file.
    #[must_use]
    pub fn new(file: &Arc<str>, line: u32, column: u32, length: u32) -> Self {
        Self { file: Arc::clone(file), line, column, length: length.max(1) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
