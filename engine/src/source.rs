//! The port through which the compiler sees input files. The engine itself knows no disk.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Files larger than this are not read: 4 MiB is far above every spec, compose file or static file that may be used.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Why a file could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is nothing of that name.
    #[error("does not exist")]
    Missing,
    /// A directory, socket or device where a file belongs.
    #[error("is not a regular file")]
    NotAFile,
    /// A file where a directory belongs.
    #[error("is not a directory")]
    NotADirectory,
    /// Larger than [`MAX_FILE_BYTES`].
    #[error("is {0} bytes, more than the {MAX_FILE_BYTES} bytes that are read")]
    TooLarge(u64),
    /// Anything else the file system said.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Not looked at on purpose (offline, outside the given files).
    #[error("was not consulted")]
    NotConsulted,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirectoryEntry {
    /// Its name.
    pub name: String,
    /// Whether it is a directory (after following symbolic links).
    pub is_directory: bool,
    /// Its size in bytes; 0 for directories.
    pub size: u64,
}

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceEntry {
    /// A regular file of that many bytes.
    File(u64),
    /// A directory with its entries, sorted by name.
    Directory(Vec<DirectoryEntry>),
    /// A socket, device or pipe.
    Other,
}

/// Gives the compiler its input files. Paths use `/`; relative ones are meant from the deployment directory.
pub trait SourceReader {
    /// The bytes of a file.
    ///
    /// # Errors
    /// Why they cannot be had.
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError>;

    /// What lies at a path, without reading it.
    ///
    /// # Errors
    /// Why it cannot be known.
    fn entry(&self, path: &str) -> Result<SourceEntry, SourceError>;

    /// The path without symbolic links, whether or not its last parts exist.
    ///
    /// # Errors
    /// That nobody looked: what is here says nothing about the host.
    fn real_path(&self, path: &str) -> Result<String, SourceError> {
        let _ = path;
        Err(SourceError::NotConsulted)
    }
}

/// Files in memory, for tests and for plans of revisions that are not checked out.
#[derive(Clone, Debug, Default)]
pub struct MemorySources {
    files: BTreeMap<String, Arc<[u8]>>,
    links: BTreeMap<String, String>,
}

impl MemorySources {
    /// Adds a file, replacing one of the same path.
    pub fn insert(&mut self, path: &str, bytes: &[u8]) {
        self.files.insert(normalize_path(path), bytes.into());
    }

    /// Makes a path a symbolic link, as far as [`SourceReader::real_path`] goes.
    pub fn link(&mut self, path: &str, target: &str) {
        self.links.insert(normalize_path(path), normalize_path(target));
    }
}

impl SourceReader for MemorySources {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        match self.entry(path)? {
            SourceEntry::File(size) if size > MAX_FILE_BYTES => Err(SourceError::TooLarge(size)),
            SourceEntry::File(_) => self.files.get(&normalize_path(path)).cloned().ok_or(SourceError::Missing),
            SourceEntry::Directory(_) | SourceEntry::Other => Err(SourceError::NotAFile),
        }
    }

    fn entry(&self, path: &str) -> Result<SourceEntry, SourceError> {
        let path = normalize_path(path);
        if let Some(bytes) = self.files.get(&path) {
            return Ok(SourceEntry::File(bytes.len() as u64));
        }
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut entries: BTreeMap<String, DirectoryEntry> = BTreeMap::new();
        for (file, bytes) in self.files.range(prefix.clone()..).take_while(|(file, _)| file.starts_with(&prefix)) {
            let rest = &file[prefix.len()..];
            let (name, is_directory) = match rest.split_once('/') {
                Some((name, _)) => (name, true),
                None => (rest, false),
            };
            let size = if is_directory { 0 } else { bytes.len() as u64 };
            entries.entry(name.to_owned()).or_insert_with(|| DirectoryEntry {
                name: name.to_owned(),
                is_directory,
                size,
            });
        }
        if entries.is_empty() {
            return Err(SourceError::Missing);
        }
        Ok(SourceEntry::Directory(entries.into_values().collect()))
    }

    fn real_path(&self, path: &str) -> Result<String, SourceError> {
        let path = normalize_path(path);
        let link = self.links.iter().rev().find(|(link, _)| is_under(&path, link));
        Ok(link.map_or(path.clone(), |(link, target)| format!("{target}{}", &path[link.len()..])))
    }
}

/// A path without `.` parts, doubled slashes and resolvable `..` parts, as text: nothing is looked up.
#[must_use]
pub fn normalize_path(path: &str) -> String {
    normalized(path).into_owned()
}

/// Most paths are written as they should be: nothing is built for those.
fn normalized(path: &str) -> Cow<'_, str> {
    let mut relative = path.strip_prefix('/').unwrap_or(path).split('/');
    if matches!(path, "" | "/") || relative.all(|part| !matches!(part, "" | "." | "..")) {
        return Cow::Borrowed(path);
    }
    let mut parts: Vec<&str> = Vec::new();
    let absolute = path.starts_with('/');
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if absolute => {}
                _ => parts.push(".."),
            },
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    Cow::Owned(if absolute { format!("/{joined}") } else { joined })
}

/// `path` as meant from `directory`.
#[must_use]
pub fn join_path(directory: &str, path: &str) -> String {
    if path.starts_with('/') || directory.is_empty() {
        // An empty directory is the reader's own: joining it with a slash would make the path absolute.
        return normalize_path(path);
    }
    normalize_path(&format!("{directory}/{path}"))
}

/// Whether `path` is `root` or lies below it, by whole path components: `/srv/kind2` is not under `/srv/kind`.
#[must_use]
pub fn is_under(path: &str, root: &str) -> bool {
    let (path, root) = (normalized(path), normalized(root));
    path == root || path.strip_prefix(root.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalized_as_text() {
        assert_eq!(normalize_path("./a//b/../c"), "a/c");
        assert_eq!(normalize_path("/a/../../b"), "/b");
        assert_eq!(normalize_path("../x"), "../x");
        assert_eq!(join_path("", "./x"), "x");
        assert_eq!(join_path("a", "../x"), "x");
        assert_eq!(join_path("a", "/x"), "/x");
    }

    #[test]
    fn under_means_whole_components() {
        assert!(is_under("/srv/kind/a", "/srv/kind"));
        assert!(is_under("/srv/kind", "/srv/kind/"));
        assert!(!is_under("/srv/kind2", "/srv/kind"));
        assert!(!is_under("/srv/kind/../x", "/srv/kind"));
    }

    #[test]
    fn memory_sources_list_directories() {
        let mut sources = MemorySources::default();
        sources.insert("config/a/b.txt", b"1");
        sources.insert("config/c.txt", b"22");
        let SourceEntry::Directory(entries) = sources.entry("config").unwrap() else { panic!() };
        assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["a", "c.txt"]);
    }
}
