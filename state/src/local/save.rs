//! How a local store writes: appending, folding, archiving.
//!
//! A scope's own lock says which operations may run side by side. Beneath it every write takes the short write lock:
//! deployments that are applied side by side hold their cluster's lock shared, and all write to its register.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use laconic_engine::address::Scope;
use laconic_engine::apply::ports::StateError;
use laconic_engine::state::{JournalRecord, State};
use laconic_engine::value::hexadecimal;

use super::keep;
use super::{ARCHIVE, CONTENTS, Files, JOURNAL, LocalStore, Opened, held, storage};
use crate::disk::Stamp;
use crate::file::{Bodies, write};
use crate::history::{self, SNAPSHOT};
use crate::journal::Writer;

const WRITE_LOCK: &str = ".write-lock";
/// A write takes milliseconds; one that takes this long belongs to a stopped process or a dead disk.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(2);

impl LocalStore {
    /// Waits for the write lock of a directory, which is made when it is not there.
    pub(super) fn write_lock(&self, scope: &Scope, directory: &Path) -> Result<File, StateError> {
        let path = directory.join(WRITE_LOCK);
        let refuse = |error: io::Error| storage(scope, "written", &path, &error);
        self.disk.create_directory(directory).map_err(refuse)?;
        let file = self.disk.open(&path).map_err(refuse)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(refuse(error)),
                Err(TryLockError::WouldBlock) if began.elapsed() > PATIENCE => {
                    return Err(refuse(io::Error::other("another process is writing and does not end")));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            }
        }
    }

    pub(super) fn append_records(&self, scope: &Scope, records: &[JournalRecord]) -> Result<(), StateError> {
        let directory = self.directory(scope)?;
        let opened = self.opened(scope);
        let mut entry = held(&opened);
        let _write = self.write_lock(scope, &directory)?;
        let (snapshot, journal) = (directory.join(SNAPSHOT), directory.join(JOURNAL));
        // A writer that failed or that somebody overtook is never used again.
        let mut writer = match entry.writer.take() {
            Some((stamp, writer))
                if Stamp::of_path(&snapshot).ok().flatten() == Some(stamp)
                    && writer.is_current().unwrap_or_default() =>
            {
                (stamp, writer)
            }
            _ => {
                let serial = self.begin(scope, &directory)?;
                let stamp = Stamp::of_path(&snapshot)
                    .and_then(|stamp| stamp.ok_or_else(|| io::ErrorKind::NotFound.into()))
                    .map_err(|error| storage(scope, "read", &snapshot, &error))?;
                let writer = Writer::open(&self.disk, &journal, serial).map_err(|error| match error {
                    crate::file::FileError::System(error) => storage(scope, "written", &journal, &error),
                    other => self.file_error(scope, &directory, &journal, other),
                })?;
                (stamp, writer)
            }
        };
        writer.1.append(&self.disk, records).map_err(|error| storage(scope, "written", &journal, &error))?;
        entry.writer = Some(writer);
        Ok(())
    }

    /// Makes the snapshot that a first journal continues, if there is none, and returns the serial. Lineage and the
    /// mark of simulated state are there before the first step is.
    fn begin(&self, scope: &Scope, directory: &Path) -> Result<u64, StateError> {
        let Files { mut state, bodies, .. } = self.read(scope, directory)?;
        if bodies.is_none() {
            let mut lineage = [0; 16];
            let snapshot = directory.join(SNAPSHOT);
            getrandom::fill(&mut lineage)
                .map_err(|error| storage(scope, "written", &snapshot, &io::Error::other(error)))?;
            state.lineage = hexadecimal(&lineage);
            self.save(scope, directory, &state, None)?;
        }
        Ok(state.serial)
    }

    /// Puts a snapshot in place of the one there, which stays as a generation. Nothing is lost when it fails.
    pub(super) fn save(
        &self,
        scope: &Scope,
        directory: &Path,
        state: &State,
        old: Option<(&Bodies, u64)>,
    ) -> Result<(), StateError> {
        let path = directory.join(SNAPSHOT);
        let refuse = |error: io::Error| storage(scope, "written", &path, &error);
        let encoded = write::encode(state, old.map(|(bodies, _)| bodies))
            .map_err(|error| self.file_error(scope, directory, &path, error))?;
        keep::write_contents(&self.disk, directory, &encoded.contents).map_err(refuse)?;
        let keep_old = || match old {
            Some((_, serial)) if path.exists() => self.disk.link(&path, &history::path_of(directory, serial)),
            _ => Ok(()),
        };
        self.disk.replace(&path, &encoded.bytes, &keep_old).map_err(refuse)?;
        self.disk.sync_directory(directory).map_err(refuse)
    }

    pub(super) fn fold_journal(&self, scope: &Scope) -> Result<u64, StateError> {
        let directory = self.directory(scope)?;
        if !directory.is_dir() {
            return Ok(0);
        }
        let opened = self.opened(scope);
        let mut opened = held(&opened);
        let _write = self.write_lock(scope, &directory)?;
        let Files { state: before, bodies, journal } = self.read(scope, &directory)?;
        let mut state = before.clone();
        journal.records.into_iter().for_each(|record| state.fold(record));
        *opened = Opened::default();
        if !same(&before, &state) {
            state.serial += 1;
            self.save(scope, &directory, &state, bodies.as_ref().map(|bodies| (bodies, before.serial)))?;
        }
        // The state is safe. What cannot be cleaned up now is ignored by whoever reads, and cleaned up by the next fold.
        if journal.exists {
            let _ = self.disk.remove(&directory.join(JOURNAL));
        }
        let _ = keep::clean_up(&self.disk, &directory);
        Ok(state.serial)
    }

    /// Puts a state in place of the one with serial `expected`, for what people do to state by hand. Bodies that are
    /// not loaded are taken from the state that is there. Returns the new serial. The caller holds the lock, and folded
    /// the journal before it read the serial.
    ///
    /// # Errors
    /// Another lineage, another serial, a journal that was not folded, or what keeps it from being durable.
    pub fn put(&self, state: &State, expected: u64) -> Result<u64, StateError> {
        let scope = &state.scope;
        let directory = self.directory(scope)?;
        let opened = self.opened(scope);
        let mut opened = held(&opened);
        let _write = self.write_lock(scope, &directory)?;
        let Files { state: before, bodies, journal } = self.read(scope, &directory)?;
        let foreign = |detail: String| StateError::Foreign { scope: scope.clone(), detail };
        if bodies.is_some() && before.lineage != state.lineage {
            return Err(foreign(format!("it has lineage {}, not {}", before.lineage, state.lineage)));
        }
        if state.simulated != self.options.simulated {
            return Err(foreign("simulated and real state do not mix".to_owned()));
        }
        if before.serial != expected || !journal.records.is_empty() {
            let found = before.serial + u64::from(!journal.records.is_empty());
            return Err(StateError::Stale { scope: scope.clone(), expected, found });
        }
        *opened = Opened::default();
        let state = State { serial: expected + 1, ..state.clone() };
        self.save(scope, &directory, &state, bodies.as_ref().map(|bodies| (bodies, expected)))?;
        let _ = keep::clean_up(&self.disk, &directory);
        Ok(state.serial)
    }

    pub(super) fn archive_files(&self, scope: &Scope) -> Result<(), StateError> {
        let directory = self.directory(scope)?;
        if !directory.is_dir() {
            return Ok(());
        }
        self.fold_journal(scope)?;
        let opened = self.opened(scope);
        let mut opened = held(&opened);
        let _write = self.write_lock(scope, &directory)?;
        let Files { state, bodies, .. } = self.read(scope, &directory)?;
        if bodies.is_none() {
            return Ok(());
        }
        *opened = Opened::default();
        let refuse = |path: &Path, error: &io::Error| storage(scope, "archived", path, error);
        let archive = directory.join(ARCHIVE).join(format!("{}-{}", state.lineage, state.serial));
        self.disk.create_directory(&archive).map_err(|error| refuse(&archive, &error))?;
        let generations = history::generations(&directory).map_err(|error| refuse(&directory, &error))?;
        let mut files: Vec<PathBuf> = generations.into_iter().map(|generation| generation.path).collect();
        files.push(directory.join(CONTENTS));
        files.push(directory.join(JOURNAL));
        // Last, so that an archiving that was interrupted goes on where it stopped.
        files.push(directory.join(SNAPSHOT));
        for path in files.into_iter().filter(|path| path.exists()) {
            let Some(name) = path.file_name() else { continue };
            self.disk.rename(&path, &archive.join(name)).map_err(|error| refuse(&path, &error))?;
        }
        self.disk.sync_directory(&archive).map_err(|error| refuse(&archive, &error))?;
        self.disk.sync_directory(&directory).map_err(|error| refuse(&directory, &error))
    }
}

/// Whether two states say the same, whichever bodies are loaded.
fn same(left: &State, right: &State) -> bool {
    let head = |state: &State| State {
        resources: std::collections::BTreeMap::new(),
        scope: state.scope.clone(),
        lineage: state.lineage.clone(),
        serial: state.serial,
        simulated: state.simulated,
        target: state.target.clone(),
        identity: state.identity.clone(),
        tenants: state.tenants.clone(),
        interrupted: state.interrupted.clone(),
        journaled: 0,
    };
    head(left) == head(right)
        && left.resources.len() == right.resources.len()
        && left.resources.iter().zip(&right.resources).all(|((left_address, left), (right_address, right))| {
            left_address == right_address
                && left.key == right.key
                && left.uid == right.uid
                && left.needs == right.needs
                && left.status == right.status
                && left.completed == right.completed
                && left.desired.digest == right.desired.digest
                && left.observed.digest == right.observed.digest
        })
}
