//! What a plan is made of: actions, their typed reasons, and the changes of single resources.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::{Address, ObjectKey};
use crate::place::Place;
use crate::resource::Target;

/// What is to be done with one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing.
    NoOp,
    /// Make it.
    Create,
    /// Change it in place.
    Update,
    /// Delete it and make it again.
    Replace,
    /// Delete it.
    Delete,
    /// Drop it from state; it is already gone.
    Forget,
    /// Take an existing object into state.
    Import,
}

impl Action {
    /// The symbol in front of the resource in a text plan, as Terraform writes it.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::NoOp => " ",
            Self::Create => "+",
            Self::Update => "~",
            Self::Replace => "-/+",
            Self::Delete => "-",
            Self::Forget => ".",
            Self::Import => "<-",
        }
    }

    /// Whether anything at all happens, to the world or to the state.
    #[must_use]
    pub const fn is_change(self) -> bool {
        !matches!(self, Self::NoOp)
    }
}

/// Why an action was chosen. Texts are made from this by the views, never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Reason {
    /// It is as it should be.
    InSync,
    /// The spec asks for it and it is nowhere.
    New,
    /// It was recorded and somebody deleted it.
    Vanished,
    /// The spec changed.
    SpecChanged,
    /// Somebody changed it behind our back; the spec did not change.
    Drifted,
    /// Both.
    SpecChangedAndDrifted,
    /// A field changed that cannot be changed in place.
    Immutable {
        /// The fields that force it.
        paths: Vec<String>,
    },
    /// `--replace` names it.
    ReplaceRequested,
    /// It must follow another resource that is made anew.
    Cascade {
        /// The resource that is made anew.
        cause: Address,
    },
    /// Its cluster is made anew, and it with it; it is not deleted one by one.
    ClusterReplaced {
        /// The cluster.
        cause: Address,
    },
    /// Its cluster is gone.
    ClusterLost {
        /// The cluster.
        cause: Address,
    },
    /// The spec no longer asks for it.
    NotDesired,
    /// The deployment is being destroyed.
    Destroyed,
    /// The deployment is being stopped.
    Stopped,
    /// The deployment is being stopped; that this Job has completed stays recorded, and it does not run again.
    CompletedJobStopped,
    /// It goes away with its cluster, not one by one.
    ClusterDeleted {
        /// The cluster.
        cause: Address,
    },
    /// It is no longer asked for, and already gone.
    AlreadyGone,
    /// It was there before this deployment and is not ours to delete.
    NotOurs,
    /// It was built again on this host since it was put on the nodes.
    BuiltAgain,
    /// It is no longer asked for; other pods may run it, and the nodes clear away by themselves what none does.
    LeftOnNodes,
    /// An earlier operation on it was interrupted; it is brought to its end.
    Interrupted,
    /// A completed Job: its absence is no reason to run it again.
    JobCompleted,
    /// It exists, and is taken into state.
    Imported,
    /// It cannot be acted on until somebody decides; a finding says what.
    Refused,
}

/// Where a field difference comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceOrigin {
    /// The spec asks for something else than last time.
    Intent,
    /// The world is not as we left it.
    Drift,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldDifference {
    /// The field path, list items by their key: `spec.template.spec.containers[web].image`.
    pub path: String,
    /// What it is; `None` when it is not set.
    pub before: Option<Value>,
    /// What it will be; `None` when it will be removed.
    pub after: Option<Value>,
    /// Where the difference comes from.
    pub origin: DifferenceOrigin,
    /// Whether this field cannot be changed in place.
    pub forces_replacement: bool,
    /// The spec or compose line behind it.
    pub place: Option<Place>,
}

/// What happens to one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which resource.
    pub address: Address,
    /// Where its object lives.
    pub key: ObjectKey,
    /// Where the object lives that a replace deletes, when that is another name or namespace.
    pub replaced_key: Option<ObjectKey>,
    /// On which cluster.
    pub target: Target,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// Its form before, as far as known (recorded or observed, secrets masked); `None` when it does not exist.
    pub before: Option<Value>,
    /// Its form after (desired, secrets as fingerprinted placeholders); `None` when it goes away.
    pub after: Option<Value>,
    /// The fields that differ.
    pub differences: Vec<FieldDifference>,
    /// What must exist before it is created or updated.
    pub needs: Vec<Address>,
    /// What the recorded form needs: must outlive it.
    pub needed: Vec<Address>,
    /// The uid the object must have for an update or delete to be ours.
    pub expected_uid: Option<String>,
    /// Whether it exists, or does not, only as far as state knows: nobody looked, or nobody could.
    pub assumed: bool,
    /// Whether fields that another manager took are taken back (shown as LAC403).
    pub force_conflicts: bool,
    /// Where it is written.
    pub place: Option<Place>,
}

/// A difference between what was recorded and what is observed, whoever made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Which resource.
    pub address: Address,
    /// What happened to it.
    pub kind: DriftKind,
    /// The fields, for a changed one.
    pub fields: Vec<DriftField>,
}

/// What happened behind our back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriftKind {
    /// Fields of ours changed or were removed, or others came in.
    Changed,
    /// The object is gone.
    Removed,
    /// The object was deleted and made again by somebody else.
    Remade,
    /// An object that carries our label and that nobody recorded.
    Added,
}

/// One drifted field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftField {
    /// The field path.
    pub path: String,
    /// As last observed.
    pub recorded: Option<Value>,
    /// As observed now.
    pub observed: Option<Value>,
    /// Who owns it now; empty when unknown.
    pub manager: String,
    /// Since when, RFC 3339; empty when unknown.
    pub time: String,
    /// Whether it is no field of ours: somebody put it into an object of ours, and it stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub added: bool,
    /// Whether the manager is only the one who changed the object last: nobody owns a field that is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub probably: bool,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoOp => "no-op",
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Forget => "forget",
            Self::Import => "import",
        })
    }
}
