//! The simulated host as others use it: opening, faults, questions.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use laconic_engine::address::ObjectKey;
use laconic_engine::apply::EnactError;
use laconic_engine::resource::{Target, World};
use serde::Serialize;

use super::directory::{Access, Directory, DirectoryError};
use super::fault::{Call, Fate, Fault, Faults};
use super::machine::{FileEntry, Machine, StoredObject};
use super::transaction::{Mutation, Transaction};
use super::violation::Violation;
use super::volume;

/// How often each thing was asked of a host, by this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Calls of `observe`.
    pub observe: u64,
    /// LIST requests; one for each type and target.
    pub list: u64,
    /// GET requests for single objects.
    pub get: u64,
    /// Creates.
    pub create: u64,
    /// Updates.
    pub update: u64,
    /// Adoptions.
    pub adopt: u64,
    /// Deletes.
    pub delete: u64,
    /// Creates and updates that were only tried.
    pub dry_run: u64,
    /// Calls of `readiness`.
    pub readiness: u64,
    /// Calls that take something out of a cluster for its recreate, or put it back.
    pub rescue: u64,
}

/// A whole Docker host with its kind clusters, and the remote clusters it reaches.
///
/// It implements [`laconic_engine::apply::Provider`]. What it holds lives in memory, or in a directory that several
/// processes may use side by side.
pub struct SimulatedHost {
    inner: Mutex<Inner>,
}

struct Inner {
    machine: Machine,
    directory: Option<Directory>,
    faults: Faults,
    calls: Calls,
}

impl std::fmt::Debug for SimulatedHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimulatedHost")
    }
}

impl SimulatedHost {
    /// Opens the host kept in a directory, and makes it when there is none.
    ///
    /// # Errors
    /// A directory that cannot be used, or holds something else.
    pub fn open(directory: &Path) -> Result<Self, DirectoryError> {
        let (directory, machine) = Directory::open(directory, || Machine::new(0))?;
        let faults = Faults::read(directory.path())?.unwrap_or_default();
        Ok(Self::with(machine, Some(directory), faults))
    }

    /// An empty host that lives as long as this value.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::in_memory_with_seed(0)
    }

    /// An empty host whose ids differ from those of a host with another seed.
    #[must_use]
    pub fn in_memory_with_seed(seed: u64) -> Self {
        Self::with(Machine::new(seed), None, Faults::default())
    }

    fn with(machine: Machine, directory: Option<Directory>, faults: Faults) -> Self {
        Self { inner: Mutex::new(Inner { machine, directory, faults, calls: Calls::default() }) }
    }

    /// A copy in memory, without faults: what is done to it is not done here.
    #[must_use]
    pub fn fork(&self) -> Self {
        self.look(|machine| Self::with(machine.clone(), None, Faults::default()))
    }

    /// A copy in memory of remote clusters as they were seen, for a rehearsal: only what was looked at is there. What
    /// kind clusters are made of cannot be seen from their API servers; they are left out.
    #[must_use]
    pub fn copy_of(world: &World) -> Self {
        let mut machine = Machine::new(0);
        for (target, observed) in world {
            let (Target::Kubernetes(name), Ok(objects)) = (target, &observed.objects) else { continue };
            let mut remote = machine.new_remote(name);
            let seen = objects.iter().map(|(key, live)| (key.clone(), Arc::new(StoredObject::of(key, live))));
            remote.objects.extend(seen);
            // Who answers is who answered: by this the rehearsal is on the cluster that the plan was made for.
            if let Some(identity) = &observed.identity {
                let kube_system = machine.system_namespace("kube-system", identity.kube_system.clone());
                remote.objects.insert(kube_system.key.clone(), Arc::new(kube_system));
            }
            machine.remotes.insert(name.clone(), remote);
        }
        Self::with(machine, None, Faults::default())
    }

    /// Sets what goes wrong from now on; every call counts.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn set_fault(&self, fault: Fault) -> Result<(), DirectoryError> {
        self.set_fault_on(fault, &[Call::Observe, Call::Enact, Call::Readiness, Call::Rescue])
    }

    /// Sets what goes wrong from now on; only those calls count, and only they fail (a dead host answers none).
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn set_fault_on(&self, fault: Fault, counted: &[Call]) -> Result<(), DirectoryError> {
        let counted = counted.iter().copied().collect();
        self.lock().set_faults(Faults { fault: Some(fault), counted, calls: 0, dead: false })
    }

    /// The host answers again and nothing more goes wrong.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn revive(&self) -> Result<(), DirectoryError> {
        self.lock().set_faults(Faults::default())
    }

    /// How many calls were counted since the fault was set, or since the host was opened.
    #[must_use]
    pub fn call_count(&self) -> u64 {
        self.lock().faults.calls
    }

    /// What was asked of the host by this process.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.lock().calls
    }

    /// How often a workload says "not yet" before it is ready; once unless set.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn set_polls_until_ready(&self, polls: u32) -> Result<(), EnactError> {
        self.change(|tx| {
            tx.apply(Mutation::PollsUntilReady(polls));
            Ok(())
        })
    }

    /// What no careful engine does, and was done; empty after every good run.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.look(|machine| machine.violations.clone())
    }

    /// The data at a path: of the Docker host, of a kind node (`overlay:/path`) or of a remote cluster (`node:/path`).
    #[must_use]
    pub fn volume_data(&self, path: &str) -> Option<String> {
        let data = |entry: Option<&FileEntry>| match entry {
            Some(FileEntry::Data(text)) => Some(text.clone()),
            _ => None,
        };
        self.look(|machine| match (path.strip_prefix("overlay:"), path.strip_prefix("node:")) {
            (Some(path), _) => machine.clusters.values().find_map(|cluster| data(cluster.overlay.get(path))),
            (None, Some(path)) => machine.remotes.values().find_map(|remote| data(remote.files.get(path))),
            (None, None) => data(machine.files.get(path)),
        })
    }

    /// The data a claim leads to, wherever it is.
    #[must_use]
    pub fn claim_data(&self, target: &Target, claim: &ObjectKey) -> Option<String> {
        self.look(|machine| {
            let (file_system, path) = volume::storage_of_claim(machine, target, claim)?;
            match machine.file(&file_system, &path) {
                Some(FileEntry::Data(text)) => Some(text.clone()),
                _ => None,
            }
        })
    }

    /// Whether the Docker host has a file or directory at that path.
    #[must_use]
    pub fn host_path_exists(&self, path: &str) -> bool {
        self.look(|machine| machine.files.contains_key(path))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves plain data behind, and each change is logged as a whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the host; with a directory that cannot be read, at what was last known.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Machine) -> T) -> T {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let _held = inner.directory.as_mut().map(|directory| directory.enter(&mut inner.machine, Access::Read));
        look(&inner.machine)
    }

    /// Looks at the host on behalf of a provider call.
    pub(super) fn serve_look<T>(
        &self,
        count: impl FnOnce(&mut Calls),
        look: impl FnOnce(&Machine) -> T,
    ) -> Result<T, EnactError> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let _held = match inner.directory.as_mut() {
            Some(directory) => Some(directory.enter(&mut inner.machine, Access::Read).map_err(|e| unreachable(&e))?),
            None => None,
        };
        count(&mut inner.calls);
        match inner.meet(Call::Observe)? {
            Fate::Served => Ok(look(&inner.machine)),
            fate => Err(failure(fate)),
        }
    }

    /// Changes the host on behalf of a provider call; `interrupted` is what is left of it when the host dies over it.
    pub(super) fn serve_change<T>(
        &self,
        call: Call,
        count: impl FnOnce(&mut Calls),
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, EnactError>,
        interrupted: impl FnOnce(&mut Transaction<'_>) -> Result<(), EnactError>,
    ) -> Result<T, EnactError> {
        let mut inner = self.lock();
        count(&mut inner.calls);
        match inner.meet(call)? {
            Fate::Served => inner.change(change),
            Fate::ReplyLost => {
                inner.change(change)?;
                Err(failure(Fate::ReplyLost))
            }
            Fate::Dies => {
                inner.change(interrupted)?;
                Err(failure(Fate::Dies))
            }
            fate => Err(failure(fate)),
        }
    }

    /// Changes the host from outside of any provider call.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, EnactError>,
    ) -> Result<T, EnactError> {
        self.lock().change(change)
    }
}

impl Inner {
    fn set_faults(&mut self, faults: Faults) -> Result<(), DirectoryError> {
        self.faults = faults;
        match &self.directory {
            Some(directory) => self.faults.write(directory.path()),
            None => Ok(()),
        }
    }

    /// Counts a call against the faults, which another process may have set meanwhile.
    fn meet(&mut self, call: Call) -> Result<Fate, EnactError> {
        let Some(directory) = &self.directory else { return Ok(self.faults.meet(call)) };
        if let Some(faults) = Faults::read(directory.path()).map_err(|error| unreachable(&error))? {
            // Without a fault the count is this process's own.
            let calls = if faults.fault.is_some() || faults.dead { faults.calls } else { self.faults.calls };
            self.faults = Faults { calls, ..faults };
        }
        let fate = self.faults.meet(call);
        if self.faults.fault.is_some() {
            self.faults.write(directory.path()).map_err(|error| unreachable(&error))?;
        }
        Ok(fate)
    }

    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, EnactError>,
    ) -> Result<T, EnactError> {
        let _held = match self.directory.as_mut() {
            Some(directory) => {
                Some(directory.enter(&mut self.machine, Access::Write).map_err(|error| unreachable(&error))?)
            }
            None => None,
        };
        let mut tx = Transaction::begin(&mut self.machine);
        let outcome = change(&mut tx);
        let log = tx.finish();
        if let Some(directory) = self.directory.as_mut() {
            directory.append(&log).map_err(|error| unreachable(&error))?;
        }
        outcome
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(directory) = self.directory.as_mut() {
            // A journal that stays long is only slower to read.
            let _ = directory.close(&mut self.machine);
        }
    }
}

fn unreachable(error: &DirectoryError) -> EnactError {
    EnactError::Unreachable(error.to_string())
}

fn failure(fate: Fate) -> EnactError {
    use super::fault::Failure;
    match fate {
        Fate::Fails(Failure::Refused) => EnactError::Refused("the simulated host refuses this call".to_owned()),
        Fate::Fails(Failure::Transient) => {
            EnactError::Transient("the simulated host answers 503 to this call".to_owned())
        }
        Fate::ReplyLost => EnactError::Unreachable("the simulated host died before it answered".to_owned()),
        Fate::Dies | Fate::Dead | Fate::Served => {
            EnactError::Unreachable("the simulated host does not answer".to_owned())
        }
    }
}
