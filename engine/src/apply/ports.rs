//! The ports apply works through: the world, the state, the clock. Implementations live in other crates.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::{Address, ObjectKey, ResourceType, Scope};
use crate::redact::redact;
use crate::resource::{ClusterIdentity, Live, Target, World};
use crate::secret::SecretValues;
use crate::state::{JournalRecord, State};
use crate::value::Digest;

/// What to look at in one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetRequest {
    /// The kinds to list; one LIST each.
    pub types: BTreeSet<ResourceType>,
    /// Objects to look at although they carry none of our labels (an object that may be in the way of a create).
    pub keys: BTreeSet<ObjectKey>,
    /// The deployment ids that objects of ours carry as the value of the label `app`: by them a cluster that holds much
    /// else besides is listed. Empty where everything is to be seen.
    pub deployment_ids: BTreeSet<String>,
    /// Whether it is to be found out how much is in the volumes, which takes long where much is.
    pub sizes: bool,
    /// Where the host has the backup of the certificates of a kind cluster, for when no node is there to look from.
    pub certificate_backup: Option<String>,
    /// Whether it matters how much the nodes can give to pods.
    pub allocatable: bool,
    /// Whether it matters which images the host's container engine and the nodes have.
    pub images: bool,
}

/// What to look at.
pub type ObserveRequest = BTreeMap<Target, TargetRequest>;

/// What a provider does in one step. A replace is a delete and a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Make what is not there; finding it there is [`EnactError::Exists`].
    Create,
    /// Change what is there.
    Update,
    /// Delete what is there; finding nothing is success. It ends when the object is gone, not when it is on its way.
    Delete,
    /// Take over what is there: the fields that the object given has become ours, whoever applied them. No value changes.
    Adopt,
}

/// One call of a provider. Holds secret values: never logged, its `Debug` leaves the object out.
#[derive(Clone, PartialEq)]
pub struct Step {
    /// On which cluster.
    pub target: Target,
    /// Which resource.
    pub address: Address,
    /// Where the object lives.
    pub key: ObjectKey,
    /// What to do.
    pub operation: Operation,
    /// The object to make or change to, secrets put in; `None` for a delete.
    pub object: Option<Value>,
    /// The uid the object must have; a delete or update of another one is [`EnactError::Stale`].
    pub expected_uid: Option<String>,
    /// Whether fields that another manager owns are taken.
    pub force_conflicts: bool,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} ({})", self.operation, self.address, self.key)
    }
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Enacted {
    /// The object as it is now; `None` after a delete.
    pub live: Option<Live>,
    /// The cluster's identity, after a cluster was made.
    pub identity: Option<ClusterIdentity>,
}

/// Why a step did not happen, or may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnactError {
    /// Worth another try: 429, 5xx, a lost connection. Whether it happened is not known.
    #[error("{0}")]
    Transient(String),
    /// The object is not the one the plan saw (other uid, conflicting manager): the plan is stale.
    #[error("{0}")]
    Stale(String),
    /// A create found the object there.
    #[error("it already exists (uid {uid})")]
    Exists {
        /// The uid of what is there.
        uid: String,
        /// Who applied it last: the field managers.
        managers: Vec<String>,
    },
    /// The server will not do it, now or later.
    #[error("{0}")]
    Refused(String),
    /// The host no longer answers anything: give up.
    #[error("{0}")]
    Unreachable(String),
}

/// Whether something that exists also works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "why")]
pub enum Readiness {
    /// It does.
    Ready,
    /// Not yet, and why.
    Progressing(String),
    /// It will not without help, and why.
    Failed(String),
}

impl EnactError {
    /// The same without secrets in its text: what refuses an object may repeat what was sent.
    #[must_use]
    pub fn redacted(self, secrets: &SecretValues) -> Self {
        let clean = |text: String| redact(&text, secrets);
        match self {
            Self::Transient(text) => Self::Transient(clean(text)),
            Self::Stale(text) => Self::Stale(clean(text)),
            Self::Refused(text) => Self::Refused(clean(text)),
            Self::Unreachable(text) => Self::Unreachable(clean(text)),
            exists @ Self::Exists { .. } => exists,
        }
    }
}

impl Readiness {
    /// The same without secrets in its text.
    #[must_use]
    pub fn redacted(self, secrets: &SecretValues) -> Self {
        match self {
            Self::Ready => Self::Ready,
            Self::Progressing(why) => Self::Progressing(redact(&why, secrets)),
            Self::Failed(why) => Self::Failed(redact(&why, secrets)),
        }
    }
}

/// The world: what a plan looks at and an apply acts on.
pub trait Provider: Send + Sync {
    /// What is there. Never fails as a whole: what cannot be seen is `Unknown` in the answer.
    fn observe<'a>(&'a self, request: &'a ObserveRequest) -> BoxFuture<'a, World>;

    /// Does one step.
    fn enact<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Enacted, EnactError>>;

    /// What the server would say to a create or update, without doing it: admission and validation included. The object
    /// that it answers with is as the server would store it.
    fn dry_run<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<Enacted, EnactError>>;

    /// Whether an object works.
    fn readiness<'a>(&'a self, target: &'a Target, key: &'a ObjectKey) -> BoxFuture<'a, Result<Readiness, EnactError>>;
}

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// The user.
    pub user: String,
    /// The host.
    pub host: String,
    /// The process id.
    pub process: u32,
    /// The boot the process belongs to: a holder of an earlier boot is dead.
    pub boot: String,
    /// Since when, RFC 3339.
    pub since: String,
    /// What for: `apply`, `destroy`, …
    pub operation: String,
}

/// How much of a scope an operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LockMode {
    /// Nobody else may change it.
    Exclusive,
    /// Others may hold it shared too: deployments applying side by side on one cluster.
    Shared,
}

/// Why state could not be had or kept.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StateError {
    /// Bytes that do not match their checksum, or are no state at all.
    #[error("the state of {scope} is damaged: {detail}")]
    Damaged {
        /// Whose.
        scope: Scope,
        /// What is wrong and where; which copy is good.
        detail: String,
    },
    /// Written by a newer program.
    #[error("the state of {scope} has format version {found}, this program reads up to {known}")]
    Newer {
        /// Whose.
        scope: Scope,
        /// The version found.
        found: u64,
        /// The newest version known.
        known: u64,
    },
    /// Another lineage than expected, or simulated state in a real run, or the other way around.
    #[error("the state of {scope} is not this one's: {detail}")]
    Foreign {
        /// Whose.
        scope: Scope,
        /// In what way.
        detail: String,
    },
    /// Somebody holds it.
    #[error("the state of {scope} is locked")]
    Locked {
        /// Whose.
        scope: Scope,
        /// By whom, when known.
        holder: Option<Box<LockHolder>>,
    },
    /// It moved on since it was read.
    #[error("the state of {scope} is at serial {found}, not {expected}")]
    Stale {
        /// Whose.
        scope: Scope,
        /// The serial expected.
        expected: u64,
        /// The serial found.
        found: u64,
    },
    /// The place it is kept in does not work: full disk, permissions, …
    #[error("the state of {scope} cannot be {verb}: {detail}")]
    Storage {
        /// Whose.
        scope: Scope,
        /// `read`, `written`, `locked`.
        verb: &'static str,
        /// What the system said, with the path.
        detail: String,
    },
}

/// Keeps state: snapshots with an append-only journal beside them, and locks. Synchronous: a step waits for it anyway.
pub trait StateStore: Send + Sync {
    /// The state of a scope with its journal folded in, bodies not loaded; an empty state when there is none.
    ///
    /// # Errors
    /// Damaged, newer, foreign or unreadable state.
    fn load(&self, scope: &Scope) -> Result<State, StateError>;

    /// Puts the values of the named bodies into `state`. A digest that is not found is [`StateError::Damaged`].
    ///
    /// # Errors
    /// Damaged or unreadable state.
    fn load_bodies(&self, state: &mut State, digests: &BTreeSet<Digest>) -> Result<(), StateError>;

    /// Takes the lock of a scope until the guard is dropped.
    ///
    /// # Errors
    /// [`StateError::Locked`] when somebody else holds it in a way that excludes ours.
    fn lock(&self, scope: &Scope, mode: LockMode, operation: &str) -> Result<Box<dyn LockGuard>, StateError>;

    /// Appends records to a scope's journal, durable when it returns. The lock is held by the caller.
    ///
    /// # Errors
    /// Whatever keeps them from being durable.
    fn append(&self, scope: &Scope, records: &[JournalRecord]) -> Result<(), StateError>;

    /// Appends records to the journals of several scopes, all of them durable when it returns. What clusters are told is
    /// durable before anything of their deployments is written; after an error any of the rest may be.
    ///
    /// # Errors
    /// As [`StateStore::append`].
    fn append_all(&self, records: &BTreeMap<Scope, Vec<JournalRecord>>) -> Result<(), StateError> {
        records.iter().try_for_each(|(scope, records)| self.append(scope, records))
    }

    /// Folds the journal into a new snapshot with the next serial, and returns that serial.
    ///
    /// # Errors
    /// Whatever keeps it from being durable; the old snapshot and the journal stay as they were.
    fn fold(&self, scope: &Scope) -> Result<u64, StateError>;

    /// Folds the journals of several scopes. After an error any of them may be folded.
    ///
    /// # Errors
    /// As [`StateStore::fold`].
    fn fold_all(&self, scopes: &BTreeSet<Scope>) -> Result<(), StateError> {
        scopes.iter().try_for_each(|scope| self.fold(scope).map(|_| ()))
    }

    /// The scope's state is archived: the deployment is destroyed and nothing of it is left.
    ///
    /// # Errors
    /// Whatever keeps it from being moved.
    fn archive(&self, scope: &Scope) -> Result<(), StateError>;
}

/// A held lock; dropping it lets go.
pub trait LockGuard: Send {}

/// The clock apply waits by.
pub trait Clock: Send + Sync {
    /// Now, RFC 3339 in UTC with seconds.
    fn now(&self) -> String;

    /// Time since some fixed moment of this process.
    fn elapsed(&self) -> Duration;

    /// Resolves after that long.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}
