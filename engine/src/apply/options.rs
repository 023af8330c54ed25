//! How an apply is carried out, and what can keep it from starting.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::task::AtomicWaker;

use crate::apply::ports::{Clock, Provider, StateError, StateStore};
use crate::apply::rescue::Rescue;
use crate::plan::Plan;
use crate::secret::{Fingerprinter, SecretSource, SecretValues};
use crate::vault::{Vault, VaultError};

/// How an apply is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyOptions {
    /// How many steps are in hand at once.
    pub parallelism: usize,
    /// Whether a step ends only when its object works.
    pub wait: bool,
    /// How long an object is waited for.
    pub timeout: Duration,
    /// How often a step that failed for a passing reason is tried in all.
    pub attempts: u32,
    /// How long between two looks at an object that is waited for.
    pub poll: Duration,
}

impl Default for ApplyOptions {
    fn default() -> Self {
        Self {
            parallelism: 10,
            wait: true,
            timeout: Duration::from_secs(300),
            attempts: 5,
            poll: Duration::from_secs(1),
        }
    }
}

/// A request to stop, set from outside: 0 go on, 1 finish the steps in hand, 2 return at once.
#[derive(Debug, Default)]
pub struct Stop {
    level: AtomicU8,
    waker: AtomicWaker,
}

impl Stop {
    /// Asks to stop; a second time asks to stop at once.
    pub fn ask(&self) {
        let level = self.level.load(Ordering::SeqCst);
        self.level.store(level.saturating_add(1).min(2), Ordering::SeqCst);
        self.waker.wake();
    }

    /// How urgently a stop was asked for.
    #[must_use]
    pub fn level(&self) -> u8 {
        self.level.load(Ordering::SeqCst)
    }

    /// Resolves once a stop more urgent than `level` was asked for.
    pub(crate) async fn asked_beyond(&self, level: u8) {
        std::future::poll_fn(|context| {
            self.waker.register(context.waker());
            if self.level() > level { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// What a recreate works with beside the world and the state.
pub struct RecreatePorts<'a> {
    /// Takes out of a cluster and puts back.
    pub rescue: &'a dyn Rescue,
    /// Keeps it meanwhile.
    pub vault: &'a dyn Vault,
}

/// Everything an apply works with. The locks are held by the caller.
pub struct Apply<'a> {
    /// What to do.
    pub plan: &'a Plan,
    /// The world.
    pub provider: &'a dyn Provider,
    /// The state.
    pub store: &'a dyn StateStore,
    /// The clock.
    pub clock: &'a dyn Clock,
    /// The secret values that could be had here.
    pub secrets: &'a SecretValues,
    /// Per deployment, what fingerprints its secrets.
    pub fingerprinters: &'a BTreeMap<String, Fingerprinter>,
    /// For recreates; a plan that has one is not begun without.
    pub recreate: Option<RecreatePorts<'a>>,
    /// How.
    pub options: ApplyOptions,
    /// Whether to stop.
    pub stop: &'a Stop,
}

/// Why an apply did nothing, or had to end in the middle. What was begun is in the journal either way.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApplyError {
    /// The plan has an open refusal or a consent was not given.
    #[error("the plan is refused")]
    Refused,
    /// A value that must reach the cluster cannot be had here. Nothing was touched.
    #[error("the {} is not set, and {needed_by} has to be created with it", source_name(.missing))]
    MissingSecret {
        /// The first missing source.
        missing: SecretSource,
        /// The address of the resource that needs it.
        needed_by: String,
    },
    /// The state moved on since the plan was made. Nothing was touched.
    #[error("the plan is stale: {0}")]
    Stale(String),
    /// A cluster does not answer now. Nothing was touched.
    #[error("{0}")]
    Unseen(String),
    /// A cluster is not there, and the plan does not make it. Nothing was touched.
    #[error("the cluster `{0}` is not there, and this plan does not make it")]
    NoCluster(String),
    /// The state could not be kept; steps that were begun are finished as far as known.
    #[error(transparent)]
    State(#[from] StateError),
    /// The vault cannot be read. Nothing was touched.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The plan contradicts itself; a bug, found before anything was touched.
    #[error("the plan cannot be carried out: {0}")]
    Inconsistent(String),
}

fn source_name(source: &SecretSource) -> String {
    source.to_string()
}
