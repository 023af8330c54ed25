//! State in memory: for rehearsals, and for tests that let it fail or crash at any write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use laconic_engine::address::Scope;
use laconic_engine::apply::ports::{LockGuard, LockHolder, LockMode, StateError, StateStore};
use laconic_engine::state::{Body, JournalRecord, State};
use laconic_engine::value::Digest;
use serde_json::Value;

use crate::lock::this_process;

/// Keeps state in memory. Clones share it; [`MemoryStore::fork`] copies it.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    simulated: bool,
    /// Shared with forks until one of them writes.
    scopes: BTreeMap<Scope, Arc<Kept>>,
    archived: Vec<State>,
    locks: BTreeMap<Scope, Vec<(u64, LockMode, LockHolder)>>,
    made: u64,
    /// How many more records will be durable; `None` for all.
    records_left: Option<usize>,
    /// How many more folds will succeed; `None` for all.
    folds_left: Option<usize>,
}

#[derive(Clone, Debug)]
struct Kept {
    /// As it was last folded, bodies not loaded.
    snapshot: State,
    bodies: BTreeMap<Digest, Arc<Value>>,
    journal: Vec<Arc<JournalRecord>>,
    /// The snapshot with the journal folded in.
    current: State,
}

impl Kept {
    fn new(snapshot: State, bodies: BTreeMap<Digest, Arc<Value>>) -> Self {
        Self { current: snapshot.clone(), snapshot, bodies, journal: Vec::new() }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store whose states are marked as simulated.
    #[must_use]
    pub fn simulated() -> Self {
        let store = Self::default();
        store.inner().simulated = true;
        store
    }

    /// A store that holds a state as if it had been folded; the bodies that are loaded come with it.
    #[must_use]
    pub fn with_state(state: State) -> Self {
        let store = Self::default();
        store.put(state);
        store
    }

    /// Puts a state in place of the one of its scope; the bodies that are loaded come with it.
    pub fn put(&self, state: State) {
        let mut inner = self.inner();
        inner.simulated |= state.simulated;
        let mut bodies = inner.scopes.get(&state.scope).map(|kept| kept.bodies.clone()).unwrap_or_default();
        let snapshot = unload(state, &mut bodies);
        inner.scopes.insert(snapshot.scope.clone(), Arc::new(Kept::new(snapshot, bodies)));
    }

    /// A copy of what is durable, as a process sees it that starts after this one died: no locks, no faults.
    #[must_use]
    pub fn fork(&self) -> Self {
        let inner = self.inner();
        let copy = Inner {
            simulated: inner.simulated,
            scopes: inner.scopes.clone(),
            archived: inner.archived.clone(),
            made: inner.made,
            ..Inner::default()
        };
        Self { inner: Arc::new(Mutex::new(copy)) }
    }

    /// Lets `count` more records become durable. The append that holds the one after keeps those before it, and fails,
    /// as does every later write: the process or its disk died there.
    pub fn fail_append_after(&self, count: usize) {
        self.inner().records_left = Some(count);
    }

    /// Lets `count` more folds and archivings succeed.
    pub fn fail_fold_after(&self, count: usize) {
        self.inner().folds_left = Some(count);
    }

    /// The states that were archived, oldest first, bodies not loaded.
    #[must_use]
    pub fn archived(&self) -> Vec<State> {
        self.inner().archived.clone()
    }

    /// The records of a scope that were not folded yet.
    #[must_use]
    pub fn journal(&self, scope: &Scope) -> Vec<JournalRecord> {
        let inner = self.inner();
        let kept = inner.scopes.get(scope);
        kept.map(|kept| kept.journal.iter().map(|record| JournalRecord::clone(record)).collect()).unwrap_or_default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves the values of a state's bodies to `bodies`.
fn unload(mut state: State, bodies: &mut BTreeMap<Digest, Arc<Value>>) -> State {
    for body in bodies_of(&mut state) {
        if let Some(value) = body.value.take() {
            bodies.insert(body.digest, value);
        }
    }
    state
}

fn bodies_of(state: &mut State) -> impl Iterator<Item = &mut Body> {
    state.resources.values_mut().flat_map(|recorded| [&mut recorded.desired, &mut recorded.observed])
}

fn full(scope: &Scope) -> StateError {
    StateError::Storage { scope: scope.clone(), verb: "written", detail: "memory: a fault was asked for".to_owned() }
}

impl Inner {
    fn may_fold(&mut self, scope: &Scope) -> Result<(), StateError> {
        match &mut self.folds_left {
            Some(0) => Err(full(scope)),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None if self.records_left == Some(0) => Err(full(scope)),
            None => Ok(()),
        }
    }

    fn folded(&self, scope: &Scope) -> State {
        match self.scopes.get(scope) {
            Some(kept) => kept.current.clone(),
            None => State { simulated: self.simulated, ..State::empty(scope.clone()) },
        }
    }
}

impl StateStore for MemoryStore {
    fn load(&self, scope: &Scope) -> Result<State, StateError> {
        Ok(self.inner().folded(scope))
    }

    fn load_bodies(&self, state: &mut State, digests: &BTreeSet<Digest>) -> Result<(), StateError> {
        let inner = self.inner();
        let scope = state.scope.clone();
        let mut missing = digests.clone();
        for body in bodies_of(state).filter(|body| digests.contains(&body.digest)) {
            if body.value.is_none() {
                body.value = inner.scopes.get(&scope).and_then(|kept| kept.bodies.get(&body.digest).cloned());
            }
            if body.value.is_some() {
                missing.remove(&body.digest);
            }
        }
        missing.retain(|digest| !inner.scopes.get(&scope).is_some_and(|kept| kept.bodies.contains_key(digest)));
        match missing.first() {
            None => Ok(()),
            Some(digest) => {
                Err(StateError::Damaged { scope, detail: format!("the body {} is missing", digest.short()) })
            }
        }
    }

    fn lock(&self, scope: &Scope, mode: LockMode, operation: &str) -> Result<Box<dyn LockGuard>, StateError> {
        let mut inner = self.inner();
        inner.made += 1;
        let number = inner.made;
        let held = inner.locks.entry(scope.clone()).or_default();
        let in_the_way = held.iter().find(|(_, other, _)| mode == LockMode::Exclusive || *other == LockMode::Exclusive);
        if let Some((_, _, holder)) = in_the_way {
            return Err(StateError::Locked { scope: scope.clone(), holder: Some(Box::new(holder.clone())) });
        }
        held.push((number, mode, this_process(operation)));
        Ok(Box::new(Held { store: self.clone(), scope: scope.clone(), number }))
    }

    fn append(&self, scope: &Scope, records: &[JournalRecord]) -> Result<(), StateError> {
        let mut inner = self.inner();
        let durable = inner.records_left.map_or(records.len(), |left| left.min(records.len()));
        if let Some(left) = &mut inner.records_left {
            *left -= durable;
        }
        if !inner.scopes.contains_key(scope) && durable > 0 {
            inner.made += 1;
            let (lineage, simulated) = (format!("memory-{}", inner.made), inner.simulated);
            let snapshot = State { lineage, simulated, ..State::empty(scope.clone()) };
            inner.scopes.insert(scope.clone(), Arc::new(Kept::new(snapshot, BTreeMap::new())));
        }
        if let Some(kept) = inner.scopes.get_mut(scope).map(Arc::make_mut) {
            for record in records.iter().take(durable) {
                kept.current.fold(record.clone());
                kept.journal.push(Arc::new(record.clone()));
            }
        }
        if durable == records.len() { Ok(()) } else { Err(full(scope)) }
    }

    fn fold(&self, scope: &Scope) -> Result<u64, StateError> {
        let mut inner = self.inner();
        inner.may_fold(scope)?;
        let Some(kept) = inner.scopes.get_mut(scope).map(Arc::make_mut) else { return Ok(0) };
        let mut state = unload(kept.current.clone(), &mut kept.bodies);
        kept.journal.clear();
        state.journaled = 0;
        if state != kept.snapshot {
            state.serial += 1;
            kept.snapshot = state;
        }
        kept.current = kept.snapshot.clone();
        Ok(kept.snapshot.serial)
    }

    fn archive(&self, scope: &Scope) -> Result<(), StateError> {
        let mut inner = self.inner();
        inner.may_fold(scope)?;
        let mut state = inner.folded(scope);
        if inner.scopes.remove(scope).is_some() {
            bodies_of(&mut state).for_each(|body| body.value = None);
            inner.archived.push(state);
        }
        Ok(())
    }
}

/// A held lock of a store in memory.
struct Held {
    store: MemoryStore,
    scope: Scope,
    number: u64,
}

impl LockGuard for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(held) = self.store.inner().locks.get_mut(&self.scope) {
            held.retain(|(number, _, _)| *number != self.number);
        }
    }
}
