//! The directory a simulated host is kept in: a snapshot, and a journal of what was altered since.
//!
//! `host.json` holds a generation and the whole host. `host.journal` begins with the generation it continues; each
//! further line is one transaction, appended by a single write, so that a killed process leaves at most a torn last line,
//! which is ignored and cut off by the next writer. A new snapshot is renamed into place before the new, empty journal is:
//! a journal of an older generation is already in the snapshot.
//!
//! Every access holds a file lock and first reads what other processes appended, so that several may work side by side.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::transaction::Mutation;

/// A journal is folded into the snapshot on open and on close when it is larger than this and than the snapshot.
const JOURNAL_LIMIT: u64 = 256 * 1024;

/// Why the directory of a simulated host cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The file system said no.
    #[error("`{path}` cannot be {verb}: {source}", path = path.display())]
    Storage {
        /// Of what.
        path: PathBuf,
        /// `read`, `written`, `locked`, …
        verb: &'static str,
        /// What it said.
        source: std::io::Error,
    },
    /// The bytes are no simulated host.
    #[error("`{path}` is not a simulated host: {detail}", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Snapshot<M> {
    generation: u64,
    machine: M,
}

#[derive(Serialize, Deserialize)]
struct Header {
    generation: u64,
}

/// How an access locks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Looks only.
    Read,
    /// Will append.
    Write,
}

/// A held lock; dropping it lets go.
pub struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        // Closing the file lets go in any case.
        let _ = self.0.unlock();
    }
}

/// The directory, with how far its journal was read.
pub struct Directory {
    path: PathBuf,
    lock: File,
    journal: File,
    generation: u64,
    offset: u64,
    /// Set after a failed write: what is in memory may differ from what is on disk.
    is_stale: bool,
}

impl Directory {
    /// Opens or makes the directory and reads the host in it.
    pub fn open(path: &Path, new: impl FnOnce() -> Machine) -> Result<(Self, Machine), DirectoryError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(path).map_err(|source| storage(path, "made", source))?;
        let lock_path = path.join("host.lock");
        let lock = open_file(&lock_path)?;
        lock.lock().map_err(|source| storage(&lock_path, "locked", source))?;
        let held = Held(lock.try_clone().map_err(|source| storage(&lock_path, "locked", source))?);
        if !path.join("host.json").exists() {
            write_snapshot(path, 0, &new())?;
        }
        let (generation, machine) = read_snapshot(path)?;
        let journal = open_journal(path, generation)?;
        let mut directory = Self { path: path.to_owned(), lock, journal, generation, offset: 0, is_stale: false };
        let mut machine = machine;
        directory.read_on(&mut machine, Access::Write)?;
        directory.fold_when_large(&machine)?;
        drop(held);
        Ok((directory, machine))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock and brings `machine` up to date with what other processes did.
    pub fn enter(&mut self, machine: &mut Machine, access: Access) -> Result<Held, DirectoryError> {
        let lock_path = self.path.join("host.lock");
        let locked = match access {
            Access::Read => self.lock.lock_shared(),
            Access::Write => self.lock.lock(),
        };
        locked.map_err(|source| storage(&lock_path, "locked", source))?;
        let held = Held(self.lock.try_clone().map_err(|source| storage(&lock_path, "locked", source))?);
        let journal_path = self.path.join("host.journal");
        let there = fs::metadata(&journal_path).map_err(|source| storage(&journal_path, "read", source))?;
        let ours = self.journal.metadata().map_err(|source| storage(&journal_path, "read", source))?;
        if self.is_stale || there.ino() != ours.ino() || there.len() < self.offset {
            let (generation, fresh) = read_snapshot(&self.path)?;
            self.journal = open_journal(&self.path, generation)?;
            (self.generation, self.offset) = (generation, 0);
            *machine = fresh;
            self.read_on(machine, access)?;
            self.is_stale = false;
        } else if there.len() > self.offset {
            self.read_on(machine, access)?;
        }
        Ok(held)
    }

    /// Applies the whole lines beyond the offset; a writer cuts a torn last line off.
    fn read_on(&mut self, machine: &mut Machine, access: Access) -> Result<(), DirectoryError> {
        let path = self.path.join("host.journal");
        let mut bytes = Vec::new();
        self.journal
            .seek(SeekFrom::Start(self.offset))
            .and_then(|_| self.journal.read_to_end(&mut bytes))
            .map_err(|source| storage(&path, "read", source))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for line in bytes.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            if self.offset == 0 {
                let _: Header = serde_json::from_slice(line).map_err(|error| damaged(&path, &error))?;
            } else {
                let mutations: Vec<Mutation> = serde_json::from_slice(line).map_err(|error| damaged(&path, &error))?;
                mutations.iter().for_each(|mutation| machine.apply(mutation));
            }
            self.offset += line.len() as u64 + 1;
        }
        if access == Access::Write && whole < bytes.len() {
            self.journal.set_len(self.offset).map_err(|source| storage(&path, "written", source))?;
        }
        Ok(())
    }

    /// Appends one transaction by a single write. The lock is held for writing.
    pub fn append(&mut self, mutations: &[Mutation]) -> Result<(), DirectoryError> {
        let path = self.path.join("host.journal");
        let mut line = serde_json::to_vec(mutations).map_err(|error| damaged(&path, &error))?;
        line.push(b'\n');
        let written = self.journal.seek(SeekFrom::Start(self.offset)).and_then(|_| self.journal.write_all(&line));
        if let Err(source) = written {
            self.is_stale = true;
            return Err(storage(&path, "written", source));
        }
        self.offset += line.len() as u64;
        Ok(())
    }

    /// On close: folds a large journal into the snapshot, unless somebody else is at work.
    pub fn close(&mut self, machine: &mut Machine) -> Result<(), DirectoryError> {
        match self.lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(source)) => return Err(storage(&self.path, "locked", source)),
        }
        let _held = self.enter(machine, Access::Write)?;
        self.fold_when_large(machine)
    }

    fn fold_when_large(&mut self, machine: &Machine) -> Result<(), DirectoryError> {
        let snapshot = self.path.join("host.json");
        let size = fs::metadata(&snapshot).map_err(|source| storage(&snapshot, "read", source))?.len();
        if self.offset <= JOURNAL_LIMIT.max(size) {
            return Ok(());
        }
        let generation = self.generation + 1;
        write_snapshot(&self.path, generation, machine)?;
        self.journal = open_journal(&self.path, generation)?;
        self.generation = generation;
        self.offset = self.journal.metadata().map_err(|source| storage(&snapshot, "read", source))?.len();
        Ok(())
    }
}

fn storage(path: &Path, verb: &'static str, source: std::io::Error) -> DirectoryError {
    DirectoryError::Storage { path: path.to_owned(), verb, source }
}

fn damaged(path: &Path, error: &serde_json::Error) -> DirectoryError {
    DirectoryError::Damaged { path: path.to_owned(), detail: error.to_string() }
}

fn open_file(path: &Path) -> Result<File, DirectoryError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|source| storage(path, "opened", source))
}

/// Writes a file beside its place and renames it there.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), DirectoryError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = open_file(&beside)?;
    file.set_len(0)
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|source| storage(path, "written", source))
}

fn write_snapshot(directory: &Path, generation: u64, machine: &Machine) -> Result<(), DirectoryError> {
    let path = directory.join("host.json");
    let bytes = serde_json::to_vec(&Snapshot { generation, machine }).map_err(|error| damaged(&path, &error))?;
    replace_file(&path, &bytes)
}

fn read_snapshot(directory: &Path) -> Result<(u64, Machine), DirectoryError> {
    let path = directory.join("host.json");
    let bytes = fs::read(&path).map_err(|source| storage(&path, "read", source))?;
    let snapshot: Snapshot<Machine> = serde_json::from_slice(&bytes).map_err(|error| damaged(&path, &error))?;
    Ok((snapshot.generation, snapshot.machine))
}

/// The journal of that generation; one of an older generation, or none, is replaced by an empty one.
fn open_journal(directory: &Path, generation: u64) -> Result<File, DirectoryError> {
    let path = directory.join("host.journal");
    let is_ours = fs::read(&path).ok().is_some_and(|bytes| {
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        serde_json::from_slice::<Header>(line).is_ok_and(|header| header.generation == generation)
    });
    if !is_ours {
        let mut header = serde_json::to_vec(&Header { generation }).map_err(|error| damaged(&path, &error))?;
        header.push(b'\n');
        replace_file(&path, &header)?;
    }
    open_file(&path)
}
