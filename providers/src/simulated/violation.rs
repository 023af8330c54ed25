//! What a careful engine never does. The simulated host does it as the real world would, and remembers.

use std::fmt;

use laconic_engine::address::ObjectKey;
use laconic_engine::resource::Target;
use serde::{Deserialize, Serialize};

/// One thing that should not have been asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// On which cluster.
    pub target: Target,
    /// Of which object.
    pub key: ObjectKey,
    /// What was wrong.
    pub kind: ViolationKind,
    /// When, in simulated time.
    pub time: String,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum ViolationKind {
    /// It was deleted while something that exists uses it.
    DeletedInUse {
        /// What uses it.
        by: ObjectKey,
    },
    /// It was made or changed while something it refers to does not exist.
    MissingReference {
        /// What does not exist.
        to: ObjectKey,
    },
    /// A delete named another uid than the object has.
    DeletedOtherUid {
        /// The uid that was named.
        expected: String,
        /// The uid the object has.
        found: String,
    },
    /// It was deleted although nothing marks it as ours.
    DeletedUnowned,
    /// A directory of the host was moved while the node of a cluster showed it.
    MovedWhileMounted,
    /// Its bytes were taken out or put back while pods may write to it.
    TakenWhileWritten {
        /// Whose pods.
        by: ObjectKey,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: ", self.key, self.target.name())?;
        match &self.kind {
            ViolationKind::DeletedInUse { by } => write!(f, "deleted while {by} uses it"),
            ViolationKind::MissingReference { to } => write!(f, "refers to {to}, which does not exist"),
            ViolationKind::DeletedOtherUid { expected, found } => {
                write!(f, "a delete expected uid {expected}, found {found}")
            }
            ViolationKind::TakenWhileWritten { by } => write!(f, "its bytes were moved while {by} writes"),
            ViolationKind::MovedWhileMounted => write!(f, "its directory was moved while a node showed it"),
            ViolationKind::DeletedUnowned => write!(f, "deleted although it is not ours"),
        }
    }
}
