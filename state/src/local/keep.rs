//! What a local store keeps beside the snapshot, and how it looks after it: contents, generations, locks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use laconic_engine::address::Scope;
use laconic_engine::apply::ports::StateError;
use laconic_engine::state::State;
use laconic_engine::value::Digest;

use super::{CONTENTS, JOURNAL, LocalStore, Opened, held, storage};
use crate::disk::{Disk, UNFINISHED};
use crate::file::{FileError, Snapshot};
use crate::history::{self, Generation, KEPT, SNAPSHOT};
use crate::lock::{self, LockReport};
use crate::timestamp;

fn content_path(directory: &Path, content: Digest) -> PathBuf {
    directory.join(CONTENTS).join(content.to_string())
}

/// A large content, verified.
pub(super) fn read_content(directory: &Path, content: Digest) -> Result<String, FileError> {
    let path = content_path(directory, content);
    let damaged = |problem: &str| FileError::damaged(format!("the content {} {problem}", path.display()));
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged("is missing")),
        Err(error) => return Err(error.into()),
    };
    if Digest::of_bytes(&bytes) != content {
        return Err(damaged("does not match its digest"));
    }
    String::from_utf8(bytes).map_err(|_| damaged("is no text"))
}

/// Writes the contents that are not there yet, or not whole.
pub(super) fn write_contents(disk: &Disk, directory: &Path, contents: &BTreeMap<Digest, String>) -> io::Result<()> {
    if contents.is_empty() {
        return Ok(());
    }
    let folder = directory.join(CONTENTS);
    disk.create_directory(&folder)?;
    for (digest, text) in contents {
        let path = content_path(directory, *digest);
        if read_content(directory, *digest).is_err() {
            disk.replace(&path, text.as_bytes(), &|| Ok(()))?;
        }
    }
    disk.sync_directory(&folder)
}

/// Removes generations beyond the kept ones, contents that no generation uses, and files a crash left unfinished. The
/// caller has the write lock, so whatever is unfinished is dead.
pub(super) fn clean_up(disk: &Disk, directory: &Path) -> io::Result<()> {
    let mut kept = history::generations(directory)?;
    for generation in kept.split_off(KEPT.min(kept.len())) {
        disk.remove(&generation.path)?;
    }
    for folder in [directory.to_owned(), directory.join(CONTENTS)] {
        for path in files(&folder)? {
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED)) {
                disk.remove(&path)?;
            }
        }
    }
    let stored = files(&directory.join(CONTENTS))?;
    if stored.is_empty() {
        return Ok(());
    }
    let mut used = BTreeSet::new();
    for path in kept.into_iter().map(|generation| generation.path).chain([directory.join(SNAPSHOT)]) {
        match Snapshot::open(&path) {
            Ok(snapshot) => used.extend(snapshot.iter().flat_map(|snapshot| snapshot.bodies.contents())),
            // Nobody knows what a generation that cannot be read uses.
            Err(_) => return Ok(()),
        }
    }
    for path in stored {
        let digest = path.file_name().and_then(|name| Digest::parse(name.to_str()?));
        if digest.is_some_and(|digest| !used.contains(&digest)) {
            disk.remove(&path)?;
        }
    }
    Ok(())
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The commands that move those of the files away that are there.
fn away(paths: &[std::path::PathBuf]) -> String {
    let there = paths.iter().filter(|path| fs::symlink_metadata(path).is_ok());
    there.map(|path| format!("    mv {0} {0}.damaged\n", path.display())).collect()
}

/// What is wrong with a snapshot, reading everything.
fn verify(directory: &Path, path: &Path) -> Result<Option<State>, FileError> {
    let Some(snapshot) = Snapshot::open(path)? else { return Ok(None) };
    snapshot.bodies.verify(&mut |content| read_content(directory, content))?;
    Ok(Some(snapshot.state))
}

impl LocalStore {
    /// The earlier generations of a scope's snapshot, newest first.
    ///
    /// # Errors
    /// What the system says.
    pub fn generations(&self, scope: &Scope) -> Result<Vec<Generation>, StateError> {
        let directory = self.directory(scope)?;
        history::generations(&directory).map_err(|error| storage(scope, "read", &directory, &error))
    }

    /// Where a scope's state is: the path of its snapshot.
    ///
    /// # Errors
    /// Those of [`LocalStore::directory`].
    pub fn describe(&self, scope: &Scope) -> Result<String, StateError> {
        Ok(self.directory(scope)?.join(SNAPSHOT).display().to_string())
    }

    /// Who holds the lock of a scope. Takes the lock for a moment and writes nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn lock_info(&self, scope: &Scope) -> Result<LockReport, StateError> {
        let directory = self.directory(scope)?;
        lock::report(&directory).map_err(|error| storage(scope, "locked", &directory.join(lock::LOCK), &error))
    }

    /// Lets the next one in although somebody seems to hold the lock of a scope. Nobody should have to: locks die with
    /// their process. A holder that is alive does not notice, so this is for people who know that it is not.
    ///
    /// # Errors
    /// What the system says.
    pub fn force_unlock(&self, scope: &Scope) -> Result<(), StateError> {
        let directory = self.directory(scope)?;
        lock::force(&self.disk, &directory)
            .map_err(|error| storage(scope, "unlocked", &directory.join(lock::LOCK), &error))
    }

    /// Reads everything recorded of a scope, bodies, contents and journal included.
    ///
    /// # Errors
    /// The first damage found, or what the system says.
    pub fn verify(&self, scope: &Scope) -> Result<(), StateError> {
        let directory = self.directory(scope)?;
        self.read(scope, &directory)?;
        let path = directory.join(SNAPSHOT);
        verify(&directory, &path).map(|_| ()).map_err(|error| self.file_error(scope, &directory, &path, error))
    }

    /// Reads everything of an earlier generation, bodies and contents included.
    ///
    /// # Errors
    /// A generation that is not there, the first damage found, or what the system says.
    pub fn verify_generation(&self, scope: &Scope, serial: u64) -> Result<(), StateError> {
        let directory = self.directory(scope)?;
        let path = history::path_of(&directory, serial);
        let state = verify(&directory, &path).map_err(|error| self.file_error(scope, &directory, &path, error))?;
        match state {
            Some(state) => self.check_ours(scope, &path, &state),
            None => {
                let missing = FileError::damaged("there is no such generation");
                Err(self.file_error(scope, &directory, &path, missing))
            }
        }
    }

    /// Puts an earlier generation in place of a snapshot, damaged or not. What was there is kept with the ending
    /// `.replaced`, the journal too. Returns the serial, which is larger than any before. The caller holds the lock.
    ///
    /// # Errors
    /// A generation that is not there or not good, or what the system says.
    pub fn restore(&self, scope: &Scope, serial: u64) -> Result<u64, StateError> {
        let directory = self.directory(scope)?;
        let opened = self.opened(scope);
        let mut opened = held(&opened);
        let _write = self.write_lock(scope, &directory)?;
        let source = history::path_of(&directory, serial);
        let good = verify(&directory, &source)
            .and_then(|state| state.ok_or_else(|| FileError::damaged("there is no such generation")))
            .and_then(|_| Snapshot::open(&source))
            .map_err(|error| self.file_error(scope, &directory, &source, error))?;
        let Some(Snapshot { mut state, bodies }) = good else { return Ok(serial) };
        self.check_ours(scope, &source, &state)?;
        let newest = self.generations(scope)?.first().map_or(serial, |generation| generation.serial);
        let path = directory.join(SNAPSHOT);
        let current = Snapshot::open(&path).ok().flatten().map(|snapshot| snapshot.state.serial);
        // A snapshot that cannot be read had the serial after the newest generation's.
        state.serial = current.unwrap_or(newest + 1).max(newest + 1) + 1;
        *opened = Opened::default();
        for name in [JOURNAL, SNAPSHOT] {
            let from = directory.join(name);
            if from.exists() {
                let to = directory.join(format!("{name}.replaced"));
                self.disk.rename(&from, &to).map_err(|error| storage(scope, "written", &from, &error))?;
            }
        }
        let serial = state.serial;
        self.save(scope, &directory, &state, Some((&bodies, serial)))?;
        Ok(serial)
    }

    /// Which copy of a damaged state is good, and how to go back to it.
    pub(super) fn advice(&self, scope: &Scope, directory: &Path, damaged: &Path) -> String {
        let snapshot = directory.join(SNAPSHOT);
        if damaged != snapshot && verify(directory, &snapshot).is_ok_and(|state| state.is_some()) {
            return format!(
                "the snapshot {} is good; to go back to it:\n    mv {1} {1}.damaged\nwhat was done since is then found by `laconic import`",
                snapshot.display(),
                damaged.display()
            );
        }
        let good = history::generations(directory)
            .unwrap_or_default()
            .into_iter()
            .filter(|generation| generation.path != damaged)
            .find(|generation| verify(directory, &generation.path).is_ok_and(|state| state.is_some()));
        match good {
            Some(Generation { serial, path, written }) => format!(
                "the copy {} (serial {serial}, written {}) is good; to go back to it:\n{}    cp {0} {}\n\
                 what was done since is then found by `laconic import`",
                path.display(),
                timestamp::format(written),
                away(&[snapshot.clone(), directory.join(JOURNAL)]),
                snapshot.display()
            ),
            None => format!(
                "no good copy is in {}: restore one from a backup, or start anew:\n{}then `laconic import` takes the {scope} in again",
                directory.display(),
                away(&[snapshot, directory.join(JOURNAL)])
            ),
        }
    }
}
