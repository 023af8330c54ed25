//! Files of a revision that is not checked out, read out of git.
//!
//! A compiler asks for one file after the other, and a process for each would take longer than everything else. So a file
//! that was not asked for before is noted and is "not consulted"; what was noted is fetched at once, and who asked asks
//! again, until nothing new is asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use laconic_engine::source::{
    DirectoryEntry, MAX_FILE_BYTES, SourceEntry, SourceError, SourceReader, is_under, join_path, normalize_path,
};

use crate::error::Result;
use crate::wire::{EntryKind, Git, GitError, runtime};

/// Links that point to links are followed this often.
const MOST_LINKS: u32 = 16;

/// What reading a file gave.
type Bytes = Result<Arc<[u8]>, SourceError>;

/// The files of one commit, submodules that are checked out included.
#[derive(Debug)]
pub struct RevisionTree {
    /// Where the repository is on the disk.
    root: PathBuf,
    /// The repositories that hold objects: this one, then its submodules.
    stores: Vec<PathBuf>,
    entries: BTreeMap<String, Entry>,
    /// By object.
    contents: RwLock<HashMap<String, Bytes>>,
    wanted: Mutex<BTreeSet<(usize, String, u64)>>,
}

#[derive(Clone, Debug)]
struct Entry {
    is_link: bool,
    id: String,
    size: u64,
    store: usize,
}

impl RevisionTree {
    /// The files of a commit of the repository at `root`.
    ///
    /// # Errors
    /// What git says.
    pub fn read(root: &Path, commit: &str) -> Result<Result<Self, GitError>> {
        let runtime = runtime()?;
        let git = Git::default();
        let mut tree = Self {
            root: root.to_owned(),
            stores: vec![root.to_owned()],
            entries: BTreeMap::new(),
            contents: RwLock::default(),
            wanted: Mutex::default(),
        };
        let mut open = vec![(root.to_owned(), String::new(), commit.to_owned(), 0)];
        while let Some((directory, prefix, commit, store)) = open.pop() {
            let listed = match runtime.block_on(git.tree(&directory, &commit)) {
                Ok(listed) => listed,
                Err(error) if prefix.is_empty() => return Ok(Err(error)),
                // A submodule that is not here, or not in that revision: its files are missing, which whoever needs
                // them says.
                Err(_) => continue,
            };
            for entry in listed {
                let path = join_path(&prefix, &entry.path);
                if entry.kind == EntryKind::Submodule {
                    let directory = root.join(&path);
                    if directory.join(".git").exists() {
                        tree.stores.push(directory.clone());
                        open.push((directory, path, entry.id, tree.stores.len() - 1));
                    }
                    continue;
                }
                let is_link = entry.kind == EntryKind::Link;
                tree.entries.insert(path, Entry { is_link, id: entry.id, size: entry.size, store });
            }
        }
        Ok(Ok(tree))
    }

    /// Fetches everything that was asked for and not there; whether there was anything.
    ///
    /// # Errors
    /// Threads that cannot be had. What git refuses is told to those who ask again.
    pub fn fetch(&self) -> Result<bool> {
        let wanted = std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        if wanted.is_empty() {
            return Ok(false);
        }
        let mut by_store: BTreeMap<usize, Vec<(String, u64)>> = BTreeMap::new();
        for (store, id, size) in wanted {
            by_store.entry(store).or_default().push((id, size));
        }
        let runtime = runtime()?;
        let mut contents = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        for (store, objects) in by_store {
            let Some(directory) = self.stores.get(store) else { continue };
            match runtime.block_on(Git::default().contents(directory, &objects)) {
                Ok(read) => {
                    for ((id, _), bytes) in objects.into_iter().zip(read) {
                        contents.insert(id, Ok(bytes.into()));
                    }
                }
                Err(error) => {
                    for (id, _) in objects {
                        contents.insert(id, Err(SourceError::Unreadable(error.to_string())));
                    }
                }
            }
        }
        Ok(true)
    }

    /// The content of a file, or a note that it is wanted.
    fn content(&self, entry: &Entry) -> Bytes {
        if entry.size > MAX_FILE_BYTES {
            return Err(SourceError::TooLarge(entry.size));
        }
        if let Some(known) = self.contents.read().unwrap_or_else(PoisonError::into_inner).get(&entry.id) {
            return known.clone();
        }
        let wanted = (entry.store, entry.id.clone(), entry.size);
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(wanted);
        Err(SourceError::NotConsulted)
    }

    /// The path without links in it.
    fn real(&self, path: &str) -> Result<String, SourceError> {
        let mut path = normalize_path(path);
        for _ in 0..MOST_LINKS {
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            let link = ends
                .filter_map(|end| path.get(..end))
                .find_map(|part| Some((part, self.entries.get(part).filter(|entry| entry.is_link)?)));
            let Some((part, entry)) = link else { return Ok(path) };
            let target = String::from_utf8_lossy(&self.content(entry)?).into_owned();
            let parent = part.rsplit_once('/').map_or("", |(parent, _)| parent);
            let rest = path.get(part.len()..).unwrap_or_default().trim_start_matches('/').to_owned();
            let resolved = join_path(parent, &target);
            if resolved.starts_with('/') || resolved.starts_with("..") {
                return Err(SourceError::NotConsulted);
            }
            path = join_path(&resolved, &rest);
        }
        Err(SourceError::Unreadable("it is a link that leads nowhere".to_owned()))
    }

    fn read_file(&self, path: &str) -> Bytes {
        let path = self.real(path)?;
        match self.entries.get(&path) {
            Some(entry) => self.content(entry),
            None if self.has_directory(&path) => Err(SourceError::NotAFile),
            None => Err(SourceError::Missing),
        }
    }

    fn has_directory(&self, path: &str) -> bool {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        self.entries.range(prefix.clone()..).next().is_some_and(|(entry, _)| entry.starts_with(&prefix))
    }

    fn look(&self, path: &str) -> Result<SourceEntry, SourceError> {
        let path = self.real(path)?;
        if let Some(entry) = self.entries.get(&path) {
            return Ok(SourceEntry::File(entry.size));
        }
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let below = self.entries.range(prefix.clone()..).take_while(|(entry, _)| entry.starts_with(&prefix));
        let mut entries: BTreeMap<&str, DirectoryEntry> = BTreeMap::new();
        for (entry, file) in below {
            let rest = entry.get(prefix.len()..).unwrap_or_default();
            let (name, is_directory) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
            entries.entry(name).or_insert_with(|| DirectoryEntry {
                name: name.to_owned(),
                is_directory: is_directory
                    || (file.is_link && self.has_directory(&self.real(entry).unwrap_or_default())),
                size: if is_directory { 0 } else { file.size },
            });
        }
        if entries.is_empty() {
            return Err(SourceError::Missing);
        }
        Ok(SourceEntry::Directory(entries.into_values().collect()))
    }
}

/// Files of a revision, paths meant from a directory in it.
#[derive(Clone, Debug)]
pub struct RevisionSources {
    /// The files.
    pub tree: Arc<RevisionTree>,
    /// The directory, from the root of the repository.
    directory: String,
}

impl RevisionSources {
    /// The files as meant from a directory.
    #[must_use]
    pub fn new(tree: Arc<RevisionTree>, directory: &str) -> Self {
        Self { tree, directory: normalize_path(directory) }
    }

    /// The path in the repository; `None` for one that lies outside.
    fn inside(&self, path: &str) -> Option<String> {
        if path.starts_with("~/") {
            return None;
        }
        let path = if path.starts_with('/') {
            let root = self.tree.root.display().to_string();
            is_under(path, &root).then(|| {
                let path = normalize_path(path);
                path.get(root.len()..).unwrap_or_default().trim_start_matches('/').to_owned()
            })?
        } else {
            join_path(&self.directory, path)
        };
        (!path.starts_with("..")).then_some(path)
    }

    /// The bytes of a file; `None` for one that lies outside of the repository.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Bytes> {
        self.inside(path).map(|path| self.tree.read_file(&path))
    }

    /// What lies at a path; `None` outside of the repository.
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<Result<SourceEntry, SourceError>> {
        self.inside(path).map(|path| self.tree.look(&path))
    }
}

/// The files of a deployment: of the disk or of a revision, and those of a pinned stack below a name of its own.
#[derive(Debug)]
pub struct InputReader {
    /// The disk; with a revision, what lies outside of its repository.
    pub disk: crate::sources::DiskSources,
    /// The revision.
    pub revision: Option<RevisionSources>,
    /// The pinned stack, and what its paths begin with.
    pub pinned: Option<(String, RevisionSources)>,
    /// A file that counts as if it had that text.
    pub edited: Option<(String, Arc<str>)>,
}

impl InputReader {
    fn pinned(&self, path: &str) -> Option<(&RevisionSources, String)> {
        let (prefix, sources) = self.pinned.as_ref()?;
        let path = normalize_path(path);
        is_under(&path, prefix)
            .then(|| (sources, path.get(prefix.len()..).unwrap_or_default().trim_start_matches('/').to_owned()))
    }
}

impl SourceReader for InputReader {
    fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
        if let Some((_, text)) = self.edited.as_ref().filter(|(edited, _)| edited == path) {
            return Ok(text.as_bytes().into());
        }
        if let Some((sources, path)) = self.pinned(path) {
            return sources.read(&path).unwrap_or(Err(SourceError::NotConsulted));
        }
        match self.revision.as_ref().and_then(|revision| revision.read(path)) {
            Some(read) => read,
            None => self.disk.read(path),
        }
    }

    fn entry(&self, path: &str) -> Result<SourceEntry, SourceError> {
        if let Some((sources, path)) = self.pinned(path) {
            return sources.entry(&path).unwrap_or(Err(SourceError::NotConsulted));
        }
        match self.revision.as_ref().and_then(|revision| revision.entry(path)) {
            Some(entry) => entry,
            None => self.disk.entry(path),
        }
    }

    /// Of a revision nobody can say where a path of the host leads.
    fn real_path(&self, path: &str) -> Result<String, SourceError> {
        match (&self.revision, self.pinned(path)) {
            (None, None) => self.disk.real_path(path),
            _ => Err(SourceError::NotConsulted),
        }
    }
}
