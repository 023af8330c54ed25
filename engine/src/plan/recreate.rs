//! What a plan says of a recreate beside the changes of its resources: what is kept in the vault, what is stopped, and in
//! which phases everything comes back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::address::{Address, ObjectKey};
use crate::plan::migration::Migration;
use crate::resource::Target;
use crate::state::Tenant;

/// Why there is a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecreateCourse {
    /// The cluster is made anew by this plan.
    Begins,
    /// An earlier one was interrupted after the cluster was gone: what is in its vault comes back.
    Resumes,
    /// An earlier one was interrupted before the cluster was gone, and is not wanted any more: what it stopped runs again.
    Abandons,
}

/// One phase of a recreate, in the order in which they come. Deleting and creating the cluster are steps of its change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecreatePhase {
    /// Secrets, and objects that nobody recorded, are put into the vault.
    Vault,
    /// Workloads that write to volumes are stopped, so that what is written is whole.
    Quiesce,
    /// The bytes of the chosen volumes are put into the vault.
    Rescue,
    /// The cluster is deleted.
    Delete,
    /// Directories of the host are moved below the umbrella: nothing can write to them now.
    Move,
    /// The cluster is created.
    Create,
    /// Secrets that no change makes come back from the vault.
    RestoreSecrets,
    /// The bytes of the chosen volumes come back from the vault.
    RestoreVolumes,
    /// The objects that nobody recorded come back from the vault.
    RestoreObjects,
    /// Everything else comes back as recorded, and is waited for until it works.
    Wait,
    /// Every Secret and every volume is compared with what the vault holds, and the vault is deleted.
    Verify,
    /// What was stopped runs again, and the vault is deleted.
    Resume,
}

impl RecreatePhase {
    /// Whether it has a step of its own in the schedule; the others are steps of changes.
    #[must_use]
    pub const fn is_step(self) -> bool {
        !matches!(self, Self::Delete | Self::Create | Self::Wait)
    }
}

/// Where a Secret comes from after the recreate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretReturn {
    /// Nobody recorded it: from the vault, as it was.
    AsItWas,
    /// It belongs to a deployment that comes back as recorded: made by its change, with the values in the vault.
    AsRecorded,
    /// It belongs to a deployment of this plan: made by its change, as the plan says.
    AsPlanned,
}

/// A Secret that is kept in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultedSecret {
    /// Which.
    pub key: ObjectKey,
    /// How it comes back.
    pub returns: SecretReturn,
}

/// A volume whose bytes are kept in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescuedVolume {
    /// The deployment.
    pub deployment: String,
    /// The volume, as the spec calls it.
    pub volume: String,
    /// Its claim.
    pub claim: ObjectKey,
    /// The claim it comes back to.
    pub into: ObjectKey,
}

/// Why a workload is stopped before its cluster is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuiesceReason {
    /// It writes to the host, where the files stay as they are.
    WritesToHost,
    /// It writes to a volume whose bytes are rescued.
    WritesToRescued,
}

/// A workload that is stopped before its cluster is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuiescedWorkload {
    /// Which.
    pub key: ObjectKey,
    /// How many pods it runs.
    pub replicas: u32,
    /// Why.
    pub because: QuiesceReason,
}

/// A recreate of one cluster, as one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recreate {
    /// The cluster.
    pub cluster: String,
    /// The same as a target.
    pub target: Target,
    /// The node container that is there now, or was when the vault was filled.
    pub node: String,
    /// Why there is a transaction.
    pub course: RecreateCourse,
    /// Its phases, in order.
    pub phases: Vec<RecreatePhase>,
    /// The namespaces whose Secrets are kept, those that are made after the plan too.
    pub namespaces: BTreeSet<String>,
    /// The Secrets that are kept, as far as they were seen.
    pub secrets: Vec<VaultedSecret>,
    /// Secrets that are recorded and wanted no more: they go with the cluster.
    pub dropped: BTreeSet<ObjectKey>,
    /// The volumes whose bytes are kept.
    pub volumes: Vec<RescuedVolume>,
    /// The workloads that are stopped.
    pub quiesced: Vec<QuiescedWorkload>,
    /// The namespaces of deployments that no state records: their objects come back as they were.
    pub exported: BTreeSet<String>,
    /// What is moved below an umbrella meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<Migration>,
    /// The entries of the register that change with that, of deployments that are not planned themselves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tenants: BTreeMap<String, Tenant>,
    /// Edits in the files of deployments that come back as recorded; they are not applied.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pending_edits: BTreeMap<String, Vec<Address>>,
}

impl Recreate {
    /// The address that its steps are told of under.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::kind_cluster(&self.cluster)
    }

    /// How a Secret comes back. One that was made after the plan was not seen by it, and nobody recorded it.
    #[must_use]
    pub fn returns(&self, key: &ObjectKey) -> SecretReturn {
        self.secrets.iter().find(|secret| secret.key == *key).map_or(SecretReturn::AsItWas, |secret| secret.returns)
    }

    /// Whether it keeps a Secret.
    #[must_use]
    pub fn keeps(&self, key: &ObjectKey) -> bool {
        self.secrets.iter().any(|secret| secret.key == *key)
    }
}
