//! The plan itself: immutable, complete, printable, applicable.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::address::{Address, Scope};
use crate::finding::{Consent, Finding};
use crate::plan::certificate_restore::CertificateRestore;
use crate::plan::change::{Action, Change, Drift};
use crate::plan::change_set::IntendedChange;
use crate::plan::fate::{Bytes, VolumeEvent};
use crate::plan::recreate::Recreate;
use crate::resource::{ClusterIdentity, Target};
use crate::state::{Tenant, VolumeStorage};

/// The format version of plan files and plan JSON.
pub const PLAN_FORMAT_VERSION: &str = "1.0";

/// What an operation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Make the world what the spec says.
    Apply,
    /// The same with nothing desired.
    Destroy,
    /// Take down what runs and leave the rest: the same with what stays desired.
    Stop,
    /// Take what exists into state.
    Import,
}

/// How much of the world a plan has seen of one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "detail")]
pub enum Consulted {
    /// It was asked and answered.
    Live,
    /// It was not asked.
    Offline,
    /// It was asked and did not answer, or answered as somebody else.
    Unknown(String),
}

/// The state a plan was made from; a plan whose state moved on is stale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateReference {
    /// Whose state.
    pub scope: Scope,
    /// Its lineage; empty when there is none yet.
    pub lineage: String,
    /// Its serial.
    pub serial: u64,
    /// How many records its journal held beyond that.
    pub journaled: u64,
}

/// What happens to the bytes of one volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeForecast {
    /// The deployment.
    pub deployment: String,
    /// The volume, as the spec calls it.
    pub volume: String,
    /// Where the bytes are now, as the register of tenants has it.
    pub storage: VolumeStorage,
    /// Where they really are, and what decides over them.
    #[serde(default)]
    pub bytes: Bytes,
    /// How many they are, when that was asked for and could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// What becomes of them by this plan.
    pub verdict: VolumeVerdict,
    /// Why.
    pub because: VolumeReason,
    /// What would become of them whatever else may happen, and why; events that its cluster does not know are missing.
    #[serde(default)]
    pub events: BTreeMap<VolumeEvent, EventFate>,
}

/// What would become of a volume's bytes if something happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFate {
    /// What becomes of them.
    pub verdict: VolumeVerdict,
    /// Why.
    pub because: VolumeReason,
}

/// What becomes of a volume's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeVerdict {
    /// Gone.
    Lost,
    /// Still there, but no longer where the deployment looks.
    LeftBehind,
    /// Cannot be judged here.
    Unknown,
    /// Nothing there yet.
    New,
    /// As they are.
    Kept,
}

/// Why a volume's bytes meet their fate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why", content = "detail")]
pub enum VolumeReason {
    /// Nothing touches it.
    Untouched,
    /// It is made by this plan.
    Created,
    /// It lies on the host, which no plan touches.
    OnHost,
    /// It lies in the node's overlay, and the node goes away.
    OverlayDiesWithCluster,
    /// They are in a directory of the host that was deleted under its mount, and the node that holds it goes away.
    UnlinkedDiesWithNode,
    /// Its claim is deleted or replaced, and the bytes with it.
    ClaimDeleted,
    /// The claim is deleted; what it was bound to is retained.
    Retained,
    /// The claim is deleted and made again, and gets another volume.
    NewVolume,
    /// Nothing refers to them any more; they lie in the node until it goes.
    StaysInNode,
    /// There are none: nothing is bound yet.
    NothingThere,
    /// They lay in a node that is gone.
    WentWithCluster,
    /// The spec names another host path now.
    PathChanged(String),
    /// Its directory on the host is moved to that path while the cluster is made anew.
    Moved(String),
    /// The mounts of the running cluster are not known.
    MountsUnknown,
    /// It dies with its cluster, and its bytes come back from the vault.
    Rescued,
    /// The reclaim policy of what the claim is bound to is not known.
    ReclaimUnknown,
    /// A driver on the cluster keeps them, nobody here knows where.
    DriverUnknown,
}

/// A tenant of a cluster that is taken down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantImpact {
    /// The deployment's name, or its deployment-id when nobody recorded it.
    pub name: String,
    /// Whether the register knows it, or it was only found live.
    pub recorded: bool,
    /// Its namespace.
    pub namespace: String,
    /// Its hosts.
    pub hosts: Vec<String>,
    /// How many pods go down.
    pub pods: u32,
}

/// Everything that goes down when a cluster is made anew or deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastRadius {
    /// The cluster.
    pub cluster: String,
    /// Whether it comes back.
    pub recreated: bool,
    /// Every deployment on it, this plan's own included.
    pub tenants: Vec<TenantImpact>,
    /// Least downtime to expect, seconds.
    pub downtime_at_least: u32,
    /// Most downtime to expect when nothing goes wrong, seconds.
    pub downtime_at_most: u32,
}

/// How many resources meet which action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// To be created, replacements included.
    pub add: usize,
    /// To be updated in place.
    pub change: usize,
    /// To be destroyed, replacements included.
    pub destroy: usize,
    /// To be imported.
    pub import: usize,
    /// To be dropped from state.
    pub forget: usize,
    /// Left as they are.
    pub unchanged: usize,
}

/// A plan. Complete: apply makes no choice of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT_VERSION`].
    pub format_version: String,
    /// Digest of what will be done, bound to the states it was made from; what `--expect-plan` compares.
    pub id: String,
    /// Digest of what will be done without identities and directories; what `--expect-change` compares.
    pub change_id: String,
    /// What it is for.
    pub mode: Mode,
    /// The deployments it was asked for, by name.
    pub deployments: Vec<String>,
    /// The states it was made from.
    pub states: Vec<StateReference>,
    /// How much of the world it has seen.
    #[serde(with = "pairs")]
    pub consulted: BTreeMap<Target, Consulted>,
    /// Who answered: apply refuses when somebody else answers then.
    #[serde(with = "pairs")]
    pub identities: BTreeMap<Target, ClusterIdentity>,
    /// Digest of every input file.
    pub inputs_digest: String,
    /// Every change but no-ops, sorted by address.
    pub changes: Vec<Change>,
    /// How many resources are left as they are.
    pub unchanged: usize,
    /// What changed behind our back.
    pub drift: Vec<Drift>,
    /// The forecast of every volume the plan knows of.
    pub forecast: Vec<VolumeForecast>,
    /// Clusters that are taken down, and who with them.
    pub blast_radius: Vec<BlastRadius>,
    /// Clusters that are made anew, each as one transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recreates: Vec<Recreate>,
    /// Certificates that come back from their backup before Caddy starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificate_restores: Vec<CertificateRestore>,
    /// Everything there is to say, dangers first.
    pub findings: Vec<Finding>,
    /// The consents that were given.
    pub consents_given: BTreeSet<Consent>,
    /// What the register of a cluster becomes: tenants that join, change or (with `None`) leave.
    pub register: Vec<RegisterChange>,
    /// Jobs that are seen to have completed and are not recorded so yet.
    pub completed_jobs: Vec<Address>,
    /// The fields that are left to others, by deployment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ignored: BTreeMap<String, Vec<String>>,
    /// The codes that are not reported and why not, by deployment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub suppressed: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether it was made against the simulated host.
    pub simulated: bool,
    /// The revision that is assumed to have been applied, for a plan of what a branch changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The deployments among them that were stopped before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<String>,
    /// What the change id is the digest of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub change_set: Vec<IntendedChange>,
}

/// A tenant that joins, changes or leaves a cluster's register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterChange {
    /// The cluster.
    pub cluster: String,
    /// The deployment's name.
    pub deployment: String,
    /// Its entry; `None` when it leaves.
    pub tenant: Option<Tenant>,
}

impl Plan {
    /// Whether nothing would happen to the world or to the recorded resources.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.recreates.is_empty()
    }

    /// Whether applying it does anything at all, be it only a line in a cluster's register.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.is_empty() || !self.register.is_empty() || !self.completed_jobs.is_empty()
    }

    /// The counts for the last line.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { unchanged: self.unchanged, ..Summary::default() };
        for change in &self.changes {
            match change.action {
                Action::NoOp => summary.unchanged += 1,
                Action::Create => summary.add += 1,
                Action::Update => summary.change += 1,
                Action::Replace => {
                    summary.add += 1;
                    summary.destroy += 1;
                }
                Action::Delete => summary.destroy += 1,
                Action::Forget => summary.forget += 1,
                Action::Import => summary.import += 1,
            }
        }
        summary
    }

    /// The consents that are needed and were not given, each once.
    #[must_use]
    pub fn missing_consents(&self) -> BTreeSet<Consent> {
        self.findings
            .iter()
            .filter(|finding| finding.severity == crate::code::Severity::Consent)
            .filter_map(|finding| finding.consent.clone())
            .filter(|consent| !self.consents_given.contains(consent))
            .collect()
    }

    /// The findings that no consent lifts.
    pub fn refusals(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == crate::code::Severity::Refusal)
    }

    /// Whether apply would do nothing at all: an open refusal or a consent not given.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.refusals().next().is_some() || !self.missing_consents().is_empty()
    }

    /// The change of one resource.
    #[must_use]
    pub fn change(&self, address: &Address) -> Option<&Change> {
        let index = self.changes.binary_search_by(|change| change.address.cmp(address)).ok()?;
        self.changes.get(index)
    }
}

/// Maps whose keys are no strings, as lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter())
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
