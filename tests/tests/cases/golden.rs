//! Golden files: outputs held against what is in the repository.

use std::fs;
use std::path::Path;

/// Says what differs when a text is not that of the golden file; `UPDATE_GOLDEN=1` writes it instead.
pub fn difference(path: &Path, text: &str) -> Option<String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, text).unwrap();
        return None;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    (text != expected).then(|| format!("{} is not (UPDATE_GOLDEN=1 writes it):\n{text}", path.display()))
}
