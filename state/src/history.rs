//! Earlier generations of a snapshot, kept beside it as `state.json.<serial>`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The name of the snapshot.
pub const SNAPSHOT: &str = "state.json";

/// How many earlier generations are kept.
pub const KEPT: usize = 5;

/// A snapshot of earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its serial.
    pub serial: u64,
    /// Its file.
    pub path: PathBuf,
    /// When it was written.
    pub written: SystemTime,
}

/// The file of a generation.
#[must_use]
pub fn path_of(directory: &Path, serial: u64) -> PathBuf {
    directory.join(format!("{SNAPSHOT}.{serial}"))
}

/// The generations in a directory, newest first; none when there is no directory.
///
/// # Errors
/// The system's.
pub fn generations(directory: &Path) -> io::Result<Vec<Generation>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let serial = name.to_str().and_then(|name| name.strip_prefix(SNAPSHOT)?.strip_prefix('.')?.parse::<u64>().ok());
        // Other spellings of a number (`+7`, `007`) are not ours.
        if let Some(serial) = serial.filter(|serial| name.to_str() == Some(&format!("{SNAPSHOT}.{serial}"))) {
            let written = entry.metadata()?.modified()?;
            found.push(Generation { serial, path: entry.path(), written });
        }
    }
    found.sort_by_key(|generation| std::cmp::Reverse(generation.serial));
    Ok(found)
}
