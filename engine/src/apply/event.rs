//! The one stream of events that every view of an apply reads.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::apply::ports::{Operation, Readiness};
use crate::plan::dry_run::Deviation;
use crate::plan::recreate::RecreatePhase;

/// Something that happened during an apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// An apply of so many steps begins.
    Begun {
        /// The plan's id.
        plan: String,
        /// How many steps there are.
        steps: usize,
    },
    /// A step starts.
    Started {
        /// Of which resource.
        address: Address,
        /// What is done.
        operation: Operation,
    },
    /// A step is tried again.
    Retrying {
        /// Of which resource.
        address: Address,
        /// Which try comes next, from 2.
        attempt: u32,
        /// How long until then.
        after: Duration,
        /// What went wrong.
        error: String,
    },
    /// A resource exists and is waited for.
    Waiting {
        /// Which resource.
        address: Address,
        /// How it does.
        readiness: Readiness,
        /// How long it has been waited for.
        waited: Duration,
    },
    /// A server made fields of an object otherwise than asked for; that is accepted, and said once.
    Deviated {
        /// Of which resource.
        address: Address,
        /// Which fields, secrets masked.
        fields: Vec<Deviation>,
    },
    /// The certificates of a cluster are back from their backup.
    CertificatesRestored {
        /// The Deployment that is made next.
        address: Address,
        /// Where the backup is.
        file: String,
        /// How many Secrets it holds.
        secrets: usize,
    },
    /// The certificates of a cluster did not come back from their backup, or not all; their Deployment is made all the same.
    CertificatesNotRestored {
        /// The Deployment that is made next.
        address: Address,
        /// Where the backup is.
        file: String,
        /// Why not; free of secrets.
        error: String,
    },
    /// A step ended well.
    Done {
        /// Of which resource.
        address: Address,
        /// What was done.
        operation: Operation,
        /// How long it took, waiting included.
        took: Duration,
    },
    /// A step failed.
    Failed {
        /// Of which resource.
        address: Address,
        /// What was to be done.
        operation: Operation,
        /// Why not.
        error: String,
    },
    /// A step was not begun because of a failed one.
    Skipped {
        /// Of which resource.
        address: Address,
        /// The failed resource.
        because: Address,
    },
    /// A phase of a recreate starts.
    PhaseStarted {
        /// Of which cluster.
        address: Address,
        /// Which.
        phase: RecreatePhase,
    },
    /// A phase of a recreate ended well.
    PhaseDone {
        /// Of which cluster.
        address: Address,
        /// Which.
        phase: RecreatePhase,
        /// How long it took.
        took: Duration,
    },
    /// A phase of a recreate failed.
    PhaseFailed {
        /// Of which cluster.
        address: Address,
        /// Which.
        phase: RecreatePhase,
        /// Why.
        error: String,
    },
    /// A stop was asked for: steps in hand are finished, none is begun.
    Stopping,
    /// The end.
    Ended {
        /// How it ended.
        outcome: Outcome,
    },
}

/// How an apply ended, resource by resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Steps done, with what was done.
    pub done: Vec<(Address, Operation)>,
    /// Steps that failed, and why.
    pub failed: Vec<(Address, String)>,
    /// Steps not begun, and because of which failed resource.
    pub skipped: Vec<(Address, Address)>,
    /// Steps not begun because a stop was asked for.
    pub not_started: Vec<Address>,
    /// Whether a failure means that the plan no longer fits the world.
    pub stale: bool,
    /// Whether a stop was asked for.
    pub stopped: bool,
    /// Created, updated and destroyed resources, for the last line.
    pub added: usize,
    /// Updated resources.
    pub changed: usize,
    /// Destroyed resources.
    pub destroyed: usize,
}

impl Outcome {
    /// Whether everything that was planned is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty() && self.not_started.is_empty()
    }
}
