//! State in directories of this host.

mod keep;
mod save;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use laconic_engine::address::Scope;
use laconic_engine::apply::ports::{LockGuard, LockMode, StateError, StateStore};
use laconic_engine::state::{JournalRecord, State};
use laconic_engine::value::Digest;

use crate::disk::{Disk, FaultHook, Stamp};
use crate::file::{Bodies, FORMAT_VERSION, FileError, Snapshot};
use crate::history::{self, SNAPSHOT};
use crate::journal::{self, Journal, Writer};
use crate::lock::{self, LockError};
use crate::parallel::{WAITING, in_parallel};

/// The name of the journal.
pub const JOURNAL: &str = "journal.jsonl";
/// The directory of large contents.
pub const CONTENTS: &str = "contents";
/// The directory of archived states.
pub const ARCHIVE: &str = "archive";
/// The directory in a deployment directory that holds its state.
pub const DEPLOYMENT_STATE: &str = ".laconic";

/// A snapshot may be replaced while it is read; that this happens so often in a row means something else is wrong.
const ATTEMPTS: u32 = 10;

/// Where state lives.
#[derive(Clone, Debug)]
pub struct LocalStoreOptions {
    /// The directory of cluster scopes; of all scopes when simulated.
    pub state_directory: PathBuf,
    /// Whether everything is about the simulated host. Such state is refused by real runs, and the other way around.
    pub simulated: bool,
    /// The deployment directories, by deployment name.
    pub deployment_directories: BTreeMap<String, PathBuf>,
}

/// Keeps state in directories of this host: see [`StateStore`].
#[derive(Debug)]
pub struct LocalStore {
    options: LocalStoreOptions,
    disk: Disk,
    opened: Mutex<BTreeMap<Scope, Arc<Mutex<Opened>>>>,
}

/// What is kept open of a scope.
#[derive(Debug, Default)]
struct Opened {
    /// The snapshot last loaded, by lineage and serial.
    bodies: Option<(String, u64, Bodies)>,
    /// The journal, with the stamp of the snapshot it continues.
    writer: Option<(Stamp, Writer)>,
}

/// The files of a scope as they were read.
#[derive(Debug)]
struct Files {
    /// The snapshot's state, without the journal.
    state: State,
    bodies: Option<Bodies>,
    journal: Journal,
}

impl LocalStore {
    /// A store for real runs, or one for simulated runs when the options say so.
    #[must_use]
    pub fn new(options: LocalStoreOptions) -> Self {
        Self { options, disk: Disk::default(), opened: Mutex::default() }
    }

    /// A store for the simulated host kept in a directory: everything lives in `state/` there.
    #[must_use]
    pub fn simulated(host_directory: &Path, deployment_directories: BTreeMap<String, PathBuf>) -> Self {
        let state_directory = host_directory.join("state");
        Self::new(LocalStoreOptions { state_directory, simulated: true, deployment_directories })
    }

    /// The same store with a hook that can let disk operations fail; for tests.
    #[must_use]
    pub fn with_fault_hook(self, hook: FaultHook) -> Self {
        self.on(Disk::with_hook(hook))
    }

    /// The same store on that disk.
    #[must_use]
    pub fn on(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// The directory a scope's state lives in, whether it exists or not.
    ///
    /// # Errors
    /// A name that is no plain file name, or a deployment whose directory is not known.
    pub fn directory(&self, scope: &Scope) -> Result<PathBuf, StateError> {
        let name = scope.name();
        let plain = !name.is_empty()
            && name.len() <= 200
            && !name.starts_with('.')
            && !name.contains(|character: char| matches!(character, '/' | '\\') || character.is_control());
        let refuse = |detail: String| StateError::Storage { scope: scope.clone(), verb: "located", detail };
        if !plain {
            return Err(refuse(format!("{name:?} cannot be the name of a directory")));
        }
        match scope {
            Scope::Cluster(_) => Ok(self.options.state_directory.join("clusters").join(name)),
            Scope::Deployment(_) if self.options.simulated => {
                Ok(self.options.state_directory.join("deployments").join(name))
            }
            Scope::Deployment(_) => match self.options.deployment_directories.get(name) {
                Some(directory) => Ok(directory.join(DEPLOYMENT_STATE)),
                None => Err(refuse("its deployment directory is not known".to_owned())),
            },
        }
    }

    /// What is kept open of a scope. Each scope has a lock of its own, so that journals of several are made durable at
    /// once.
    fn opened(&self, scope: &Scope) -> Arc<Mutex<Opened>> {
        Arc::clone(held(&self.opened).entry(scope.clone()).or_default())
    }

    /// Reads snapshot and journal as they were at one moment, without any lock.
    fn read(&self, scope: &Scope, directory: &Path) -> Result<Files, StateError> {
        let path = directory.join(SNAPSHOT);
        for _ in 0..ATTEMPTS {
            let snapshot = match Snapshot::open(&path) {
                Ok(snapshot) => snapshot,
                Err(error) => return Err(self.file_error(scope, directory, &path, error)),
            };
            let journal_path = directory.join(JOURNAL);
            let serial = snapshot.as_ref().map_or(0, |snapshot| snapshot.state.serial);
            let journal = journal::read(&journal_path, serial);
            // Between the two reads somebody may have folded: then they do not belong together.
            let now = Stamp::of_path(&path).map_err(|error| storage(scope, "read", &path, &error))?;
            if now != snapshot.as_ref().map(|snapshot| snapshot.bodies.stamp()) {
                continue;
            }
            let journal = journal.map_err(|error| self.file_error(scope, directory, &journal_path, error))?;
            let (state, bodies) = match snapshot {
                Some(Snapshot { state, bodies }) => (state, Some(bodies)),
                None => {
                    if let Err(missing) = self.check_nothing_is_left(scope, directory, &journal) {
                        // The first snapshot may have come since it was looked for, and a generation of it with it.
                        if matches!(Stamp::of_path(&path), Ok(Some(_))) {
                            continue;
                        }
                        return Err(missing);
                    }
                    (State { simulated: self.options.simulated, ..State::empty(scope.clone()) }, None)
                }
            };
            self.check_ours(scope, &path, &state)?;
            return Ok(Files { state, bodies, journal });
        }
        Err(storage(scope, "read", &path, &io::Error::other("it keeps changing while it is read")))
    }

    /// No snapshot means a new state only when nothing else is there that needs one.
    fn check_nothing_is_left(&self, scope: &Scope, directory: &Path, journal: &Journal) -> Result<(), StateError> {
        let generations = history::generations(directory).map_err(|error| storage(scope, "read", directory, &error))?;
        if generations.is_empty() && journal.records.is_empty() {
            return Ok(());
        }
        let left = if generations.is_empty() { JOURNAL } else { "earlier generations" };
        let problem = FileError::damaged(format!("it is missing while {left} are there"));
        Err(self.file_error(scope, directory, &directory.join(SNAPSHOT), problem))
    }

    fn check_ours(&self, scope: &Scope, path: &Path, state: &State) -> Result<(), StateError> {
        let detail = if state.scope != *scope {
            format!("{} records the {}", path.display(), state.scope)
        } else if state.simulated && !self.options.simulated {
            format!(
                "{} was made against the simulated host; use --simulate, or another state directory",
                path.display()
            )
        } else if !state.simulated && self.options.simulated {
            format!("{} records real resources and is not touched by a simulated run", path.display())
        } else {
            return Ok(());
        };
        Err(StateError::Foreign { scope: scope.clone(), detail })
    }

    /// What is wrong with a file, and for damage which copy is good.
    fn file_error(&self, scope: &Scope, directory: &Path, path: &Path, error: FileError) -> StateError {
        match error {
            FileError::Newer(found) => StateError::Newer { scope: scope.clone(), found, known: FORMAT_VERSION },
            FileError::System(error) => storage(scope, "read", path, &error),
            FileError::Damaged(problem) => {
                let advice = self.advice(scope, directory, path);
                StateError::Damaged { scope: scope.clone(), detail: format!("{}: {problem}\n{advice}", path.display()) }
            }
        }
    }

    fn body_values(
        &self,
        scope: &Scope,
        directory: &Path,
        bodies: &Bodies,
        state: &mut State,
        wanted: &BTreeSet<Digest>,
    ) -> Result<BTreeSet<Digest>, StateError> {
        let mut values = BTreeMap::new();
        for digest in wanted {
            let value = bodies
                .value(digest, &mut |content| keep::read_content(directory, content))
                .map_err(|error| self.file_error(scope, directory, &directory.join(SNAPSHOT), error))?;
            if let Some(value) = value {
                values.insert(*digest, Arc::new(value));
            }
        }
        for recorded in state.resources.values_mut() {
            for body in [&mut recorded.desired, &mut recorded.observed] {
                if body.value.is_none() {
                    body.value = values.get(&body.digest).cloned();
                }
            }
        }
        Ok(values.into_keys().collect())
    }
}

/// What is kept open is only ever replaced whole, so a panic elsewhere cannot have left half of it.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A failure of the place state is kept in.
fn storage(scope: &Scope, verb: &'static str, path: &Path, error: &io::Error) -> StateError {
    StateError::Storage { scope: scope.clone(), verb, detail: format!("{}: {error}", path.display()) }
}

impl StateStore for LocalStore {
    fn load(&self, scope: &Scope) -> Result<State, StateError> {
        let directory = self.directory(scope)?;
        let Files { mut state, bodies, journal } = self.read(scope, &directory)?;
        let bodies = bodies.map(|bodies| (state.lineage.clone(), state.serial, bodies));
        held(&self.opened(scope)).bodies = bodies;
        journal.records.into_iter().for_each(|record| state.fold(record));
        Ok(state)
    }

    fn load_bodies(&self, state: &mut State, digests: &BTreeSet<Digest>) -> Result<(), StateError> {
        let scope = state.scope.clone();
        // What the journal brought is loaded already.
        let loaded: BTreeSet<Digest> = state
            .resources
            .values()
            .flat_map(|recorded| [&recorded.desired, &recorded.observed])
            .filter(|body| body.value.is_some())
            .map(|body| body.digest)
            .collect();
        let wanted: BTreeSet<Digest> = digests.difference(&loaded).copied().collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let directory = self.directory(&scope)?;
        let is_wanted = |lineage: &str, serial: u64| lineage == state.lineage && serial == state.serial;
        let opened = self.opened(&scope);
        let mut entry = held(&opened);
        if !entry.bodies.as_ref().is_some_and(|(lineage, serial, _)| is_wanted(lineage, *serial)) {
            let mut found = state.serial;
            // Another store loaded the state, or this one loaded a later one since.
            for path in [directory.join(SNAPSHOT), history::path_of(&directory, state.serial)] {
                let snapshot =
                    Snapshot::open(&path).map_err(|error| self.file_error(&scope, &directory, &path, error))?;
                let Some(Snapshot { state: other, bodies }) = snapshot else { continue };
                if is_wanted(&other.lineage, other.serial) {
                    entry.bodies = Some((other.lineage, other.serial, bodies));
                    break;
                }
                found = other.serial;
            }
            if found != state.serial && !entry.bodies.as_ref().is_some_and(|(l, s, _)| is_wanted(l, *s)) {
                return Err(StateError::Stale { scope, expected: state.serial, found });
            }
        }
        let found = match &entry.bodies {
            Some((_, _, bodies)) => self.body_values(&scope, &directory, bodies, state, &wanted)?,
            None => BTreeSet::new(),
        };
        match wanted.difference(&found).next() {
            None => Ok(()),
            Some(missing) => {
                let problem = FileError::damaged(format!("the body {} is not in it", missing.short()));
                Err(self.file_error(&scope, &directory, &directory.join(SNAPSHOT), problem))
            }
        }
    }

    fn lock(&self, scope: &Scope, mode: LockMode, operation: &str) -> Result<Box<dyn LockGuard>, StateError> {
        let directory = self.directory(scope)?;
        match lock::acquire(&self.disk, &directory, mode, operation) {
            Ok(guard) => Ok(Box::new(guard)),
            Err(LockError::Held(holder)) => Err(StateError::Locked { scope: scope.clone(), holder }),
            Err(LockError::System(error)) => Err(storage(scope, "locked", &directory.join(lock::LOCK), &error)),
        }
    }

    fn append(&self, scope: &Scope, records: &[JournalRecord]) -> Result<(), StateError> {
        if records.is_empty() {
            return Ok(());
        }
        self.append_records(scope, records)
    }

    fn append_all(&self, records: &BTreeMap<Scope, Vec<JournalRecord>>) -> Result<(), StateError> {
        let (clusters, deployments): (Vec<_>, Vec<_>) = records.iter().partition(|(scope, _)| scope.is_cluster());
        [clusters, deployments].iter().try_for_each(|journals| {
            in_parallel(journals, WAITING, |(scope, records)| self.append(scope, records)).into_iter().collect()
        })
    }

    fn fold(&self, scope: &Scope) -> Result<u64, StateError> {
        self.fold_journal(scope)
    }

    fn fold_all(&self, scopes: &BTreeSet<Scope>) -> Result<(), StateError> {
        let scopes: Vec<_> = scopes.iter().collect();
        in_parallel(&scopes, WAITING, |scope| self.fold(scope).map(|_| ())).into_iter().collect()
    }

    fn archive(&self, scope: &Scope) -> Result<(), StateError> {
        self.archive_files(scope)
    }
}
