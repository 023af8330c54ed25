//! Input files from the disk: sizes are looked at before anything is read, and offline only given files are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use laconic_engine::source::{
    DirectoryEntry, MAX_FILE_BYTES, SourceEntry, SourceError, SourceReader, is_under, join_path,
};

use laconic_engine::spec::REPOSITORIES;

use crate::error::plain;

/// Directories with more entries are not listed: nothing that may be used has so many.
const MOST_ENTRIES: usize = 20_000;

/// Reads files relative to a directory.
#[derive(Debug)]
pub struct DiskSources {
    root: String,
    /// Offline, what is read must lie in one of these.
    given: Option<Vec<String>>,
    /// The same files are asked for again and again; a plan reads each once.
    read: RefCell<HashMap<String, Bytes>>,
    /// The same folders too.
    entries: RefCell<HashMap<String, Result<SourceEntry, SourceError>>>,
}

/// What reading a file gave.
type Bytes = Result<Arc<[u8]>, SourceError>;

impl DiskSources {
    /// A reader for paths meant from `root`, which is absolute.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.display().to_string(), given: None, read: RefCell::default(), entries: RefCell::default() }
    }

    /// The same reader, consulting nothing outside the given directories.
    #[must_use]
    pub fn only(mut self, given: &[PathBuf]) -> Self {
        self.given = Some(given.iter().map(|path| path.display().to_string()).collect());
        self
    }

    /// The path on the disk, when it may be consulted, and what the disk says of it.
    fn resolve(&self, path: &str) -> Result<(PathBuf, fs::Metadata), SourceError> {
        let repositories = path.strip_prefix(REPOSITORIES).filter(|rest| rest.starts_with('/'));
        let expanded = match path.strip_prefix("~/") {
            // Whose home that is depends on the host.
            Some(_) if self.given.is_some() => return Err(SourceError::NotConsulted),
            Some(_) if let (Some(below), Ok(base)) = (repositories, std::env::var("CERC_REPO_BASE_DIR")) => {
                format!("{base}{below}")
            }
            Some(rest) => match std::env::var("HOME") {
                Ok(home) => join_path(&home, rest),
                Err(_) => return Err(SourceError::Missing),
            },
            None => join_path(&self.root, path),
        };
        let look = |path: &Path| fs::metadata(path).map_err(|error| source_error(&error));
        let Some(given) = &self.given else {
            let path = PathBuf::from(expanded);
            let metadata = look(&path)?;
            return Ok((path, metadata));
        };
        if !given.iter().any(|root| is_under(&expanded, root)) {
            return Err(SourceError::NotConsulted);
        }
        let path = PathBuf::from(expanded);
        let metadata = fs::symlink_metadata(&path).map_err(|error| source_error(&error))?;
        if !metadata.file_type().is_symlink() {
            return Ok((path, metadata));
        }
        let real = fs::canonicalize(&path).map_err(|error| source_error(&error))?;
        if !given.iter().any(|root| is_under(&real.display().to_string(), root)) {
            return Err(SourceError::NotConsulted);
        }
        let metadata = look(&path)?;
        Ok((path, metadata))
    }

    fn read_now(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        // Looked at before it is opened: opening a pipe would wait for its other end.
        let (path, metadata) = self.resolve(path)?;
        if !metadata.is_file() {
            return Err(SourceError::NotAFile);
        }
        if metadata.len() > MAX_FILE_BYTES {
            return Err(SourceError::TooLarge(metadata.len()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
        let file = fs::File::open(&path).map_err(|error| source_error(&error))?;
        // It may have grown since.
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| source_error(&error))?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(SourceError::TooLarge(bytes.len() as u64));
        }
        Ok(bytes.into())
    }

    fn entry_now(&self, path: &str) -> Result<SourceEntry, SourceError> {
        let (path, metadata) = self.resolve(path)?;
        if metadata.is_file() {
            return Ok(SourceEntry::File(metadata.len()));
        }
        if !metadata.is_dir() {
            return Ok(SourceEntry::Other);
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(&path).map_err(|error| source_error(&error))? {
            let entry = entry.map_err(|error| source_error(&error))?;
            if entries.len() >= MOST_ENTRIES {
                return Err(SourceError::Unreadable(format!("it has more than {MOST_ENTRIES} entries")));
            }
            let Ok(name) = entry.file_name().into_string() else {
                return Err(SourceError::Unreadable("it holds a file whose name is no UTF-8 text".to_owned()));
            };
            // A dangling link is an entry without size.
            let (is_directory, size) = match fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_dir() => (true, 0),
                Ok(metadata) => (false, metadata.len()),
                Err(_) => (false, 0),
            };
            entries.push(DirectoryEntry { name, is_directory, size });
        }
        entries.sort();
        Ok(SourceEntry::Directory(entries))
    }
}

impl SourceReader for DiskSources {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        if let Some(known) = self.read.borrow().get(path) {
            return known.clone();
        }
        let result = self.read_now(path);
        self.read.borrow_mut().insert(path.to_owned(), result.clone());
        result
    }

    fn entry(&self, path: &str) -> Result<SourceEntry, SourceError> {
        if let Some(known) = self.entries.borrow().get(path) {
            return known.clone();
        }
        let result = self.entry_now(path);
        self.entries.borrow_mut().insert(path.to_owned(), result.clone());
        result
    }

    fn real_path(&self, path: &str) -> Result<String, SourceError> {
        if self.given.is_some() {
            return Err(SourceError::NotConsulted);
        }
        let path = PathBuf::from(join_path(&self.root, path));
        // What does not exist yet is where its nearest existing folder is.
        for existing in path.ancestors() {
            match fs::canonicalize(existing) {
                Ok(real) => {
                    let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
                    return Ok(join_path(&real.to_string_lossy(), &rest.to_string_lossy()));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    let Ok(target) = fs::read_link(existing) else { continue };
                    // A link that leads to what does not exist yet. A circle of them is another error.
                    let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
                    let target = existing.parent().unwrap_or(existing).join(target).join(rest);
                    return self.real_path(&target.to_string_lossy());
                }
                Err(error) => return Err(source_error(&error)),
            }
        }
        Err(SourceError::Missing)
    }
}

fn source_error(error: &std::io::Error) -> SourceError {
    match error.kind() {
        std::io::ErrorKind::NotFound => SourceError::Missing,
        std::io::ErrorKind::NotADirectory => SourceError::NotADirectory,
        std::io::ErrorKind::IsADirectory => SourceError::NotAFile,
        _ => SourceError::Unreadable(plain(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn files_directories_and_what_is_neither() {
        let directory = scratch();
        fs::write(directory.path().join("a"), "text").unwrap();
        fs::create_dir(directory.path().join("d")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("s")).unwrap();
        let sources = DiskSources::new(directory.path());
        assert_eq!(sources.read("a").unwrap().as_ref(), b"text");
        assert_eq!(sources.read("./d/../a").unwrap().as_ref(), b"text");
        assert_eq!(sources.read("d").unwrap_err(), SourceError::NotAFile);
        assert_eq!(sources.read("s").unwrap_err(), SourceError::NotAFile);
        assert_eq!(sources.read("a/b").unwrap_err(), SourceError::NotADirectory);
        assert_eq!(sources.read("x").unwrap_err(), SourceError::Missing);
        assert_eq!(sources.entry("s").unwrap(), SourceEntry::Other);
        let SourceEntry::Directory(entries) = sources.entry("").unwrap() else { panic!() };
        assert_eq!(entries.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["a", "d", "s"]);
    }

    #[test]
    fn links_are_resolved_on_this_host_alone() {
        let directory = scratch();
        let root = directory.path().canonicalize().unwrap().display().to_string();
        fs::create_dir(directory.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", directory.path().join("link")).unwrap();
        let sources = DiskSources::new(directory.path());
        assert_eq!(sources.real_path("link/not/there").unwrap(), format!("{root}/real/not/there"));
        assert_eq!(sources.real_path("other").unwrap(), format!("{root}/other"));
        std::os::unix::fs::symlink("nowhere/yet", directory.path().join("dangling")).unwrap();
        assert_eq!(sources.real_path("dangling/x").unwrap(), format!("{root}/nowhere/yet/x"));
        std::os::unix::fs::symlink("circle", directory.path().join("circle")).unwrap();
        assert!(sources.real_path("circle/x").is_err());
        let offline = DiskSources::new(directory.path()).only(&[directory.path().to_owned()]);
        assert_eq!(offline.real_path("link").unwrap_err(), SourceError::NotConsulted);
    }

    #[test]
    fn large_files_are_refused_before_they_are_read() {
        let directory = scratch();
        let file = fs::File::create(directory.path().join("big")).unwrap();
        file.set_len(100 * 1024 * 1024).unwrap();
        let sources = DiskSources::new(directory.path());
        assert_eq!(sources.read("big").unwrap_err(), SourceError::TooLarge(100 * 1024 * 1024));
    }

    #[test]
    fn offline_nothing_else_is_consulted() {
        let (directory, outside) = (scratch(), scratch());
        fs::write(outside.path().join("a"), "text").unwrap();
        std::os::unix::fs::symlink(outside.path().join("a"), directory.path().join("link")).unwrap();
        let sources = DiskSources::new(directory.path()).only(&[directory.path().to_owned()]);
        let path = outside.path().join("a").display().to_string();
        for path in [path.as_str(), "link", "~/a", "../a"] {
            assert_eq!(sources.read(path).unwrap_err(), SourceError::NotConsulted, "{path}");
        }
        assert_eq!(DiskSources::new(directory.path()).read("link").unwrap().as_ref(), b"text");
    }
}
