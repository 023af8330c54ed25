//! The recorded facts: what we last did and saw. Types only; bytes and places are the state crate's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::{Address, ObjectKey, Scope};
use crate::plan::Action;
use crate::resource::{ClusterIdentity, Target};
use crate::value::Digest;

/// A recorded form: always its digest, and its value when it was loaded. A no-op plan reads only digests.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// SHA-256 of the canonical bytes.
    pub digest: Digest,
    /// The value; `None` when it was not loaded.
    pub value: Option<Arc<Value>>,
}

impl Body {
    /// A loaded body.
    #[must_use]
    pub fn of(value: Value) -> Self {
        Self { digest: Digest::of(&value), value: Some(Arc::new(value)) }
    }
}

/// Whether a recorded operation is known to have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "action")]
pub enum Status {
    /// It ended; what is recorded is what was done.
    Settled,
    /// It was begun and its end was never recorded: look before acting.
    Pending(Action),
}

/// What is recorded of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Where the object lives.
    pub key: ObjectKey,
    /// The uid it was given; empty while a create is pending.
    pub uid: String,
    /// What it needs; while pending the union of old and new needs.
    pub needs: Vec<Address>,
    /// Settled or pending.
    pub status: Status,
    /// The form last asked for, secrets fingerprinted. While an update is pending, the form before it.
    pub desired: Body,
    /// The fields we own as last observed.
    pub observed: Body,
    /// For a Job: whether it is known to have completed, so that its absence never makes it again.
    pub completed: bool,
}

/// A deployment that lives on a cluster, as the cluster's register knows it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tenant {
    /// The deployment-id, prefix of its object names.
    pub deployment_id: String,
    /// Its deployment directory, absolute.
    pub directory: String,
    /// Its namespace.
    pub namespace: String,
    /// Its volumes: name and where the bytes are.
    pub volumes: BTreeMap<String, VolumeStorage>,
    /// The hosts its Ingress serves.
    pub hosts: Vec<String>,
    /// Names of its Deployments and Jobs, with the pods each runs.
    pub pods: BTreeMap<String, u32>,
    /// What it wishes of the cluster.
    pub wishes: ClusterWishes,
    /// Whether it was stopped: nothing of it runs, and what it keeps is still here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped: bool,
    /// Whether its cluster was taken down under it and it was not brought back completely yet: every plan on that cluster
    /// goes on with that first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restoring: bool,
}

/// Where a volume's bytes are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "path")]
pub enum VolumeStorage {
    /// In a directory of the Docker host (or of the Kubernetes node) that outlives the cluster.
    Host(String),
    /// In the kind node's overlay file system: dies with the cluster.
    Overlay,
    /// Dynamically provisioned by a remote cluster.
    Provisioned,
}

/// What one deployment wishes of its kind cluster. An empty field is no wish.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterWishes {
    /// `kind-mount-root`.
    pub mount_root: Option<String>,
    /// Container path → host path, beside the umbrella.
    pub mounts: BTreeMap<String, String>,
    /// `hostPort/protocol` → container port, beside 80 and 443.
    pub ports: BTreeMap<String, u16>,
    /// `caddy-ingress-image`.
    pub caddy_image: Option<String>,
    /// `network.acme-email`.
    pub acme_email: Option<String>,
    /// `kind-node-image`.
    pub node_image: Option<String>,
    /// Host path of the OCI spec for `unlimited-memlock`, when wished.
    pub memlock_spec: Option<String>,
    /// Whether anything of this deployment is served through the ingress.
    pub ingress: bool,
}

/// Everything recorded for one scope.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Whose state it is.
    pub scope: Scope,
    /// Made once at first save; a state of another lineage is another state.
    pub lineage: String,
    /// Grows by one with each folded operation.
    pub serial: u64,
    /// Whether it was made against the simulated host; refused by real runs.
    pub simulated: bool,
    /// Where its objects live; `None` before the first apply.
    pub target: Option<Target>,
    /// The identity of that target when we last acted on it.
    pub identity: Option<ClusterIdentity>,
    /// The recorded resources.
    pub resources: BTreeMap<Address, Recorded>,
    /// The register of tenants, in cluster scope.
    pub tenants: BTreeMap<String, Tenant>,
    /// The operation that was begun and never ended, if one was.
    pub interrupted: Option<String>,
    /// How many records the journal holds beyond the snapshot of that serial: with it, two readings tell whether anything
    /// was written in between.
    pub journaled: u64,
}

impl State {
    /// The state of a scope of which nothing is recorded yet.
    #[must_use]
    pub fn empty(scope: Scope) -> Self {
        Self {
            scope,
            lineage: String::new(),
            serial: 0,
            simulated: false,
            target: None,
            identity: None,
            resources: BTreeMap::new(),
            tenants: BTreeMap::new(),
            interrupted: None,
            journaled: 0,
        }
    }

    /// Whether nothing was ever recorded.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.serial == 0 && self.resources.is_empty() && self.tenants.is_empty()
    }
}

/// One record of the journal. Durable before the step it announces starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "record")]
pub enum JournalRecord {
    /// An operation begins.
    Begin {
        /// The plan's id.
        plan: String,
        /// `apply`, `stop`, `destroy`, `import`.
        operation: String,
        /// When, RFC 3339.
        time: String,
        /// Where the scope's objects live.
        target: Option<Target>,
    },
    /// The target's identity became known or changed.
    Identified {
        /// Who answered.
        identity: ClusterIdentity,
    },
    /// A step is about to start.
    Intent {
        /// Of which resource.
        address: Address,
        /// What is about to be done.
        action: Action,
        /// Where the object lives.
        key: ObjectKey,
        /// Union of old and new needs.
        needs: Vec<Address>,
        /// The form asked for, secrets fingerprinted; `None` for a delete.
        desired: Option<Value>,
    },
    /// A step ended well and the resource exists.
    Done {
        /// Of which resource.
        address: Address,
        /// Its uid.
        uid: String,
        /// What it needs now.
        needs: Vec<Address>,
        /// The form asked for, secrets fingerprinted.
        desired: Value,
        /// The fields we own, as observed after the step.
        observed: Value,
    },
    /// A step ended and the resource is gone or no longer recorded.
    Gone {
        /// Of which resource.
        address: Address,
    },
    /// Everything in a scope died with its cluster; the resources stay recorded, as pending creates.
    Lost {
        /// Of which resource.
        address: Address,
    },
    /// A Job is known to have completed.
    Completed {
        /// Of which Job.
        address: Address,
    },
    /// A tenant joined or changed, in cluster scope.
    TenantSet {
        /// The deployment's name.
        name: String,
        /// Its entry.
        tenant: Tenant,
    },
    /// A tenant left, in cluster scope.
    TenantRemoved {
        /// The deployment's name.
        name: String,
    },
    /// The operation ended, well or not; what follows is a new one.
    End {
        /// When, RFC 3339.
        time: String,
    },
}

impl State {
    /// The state after one more record. Replaying a journal is folding this over it.
    ///
    /// A record about a resource that is not recorded (a second `Gone`, say) changes nothing: replay is idempotent.
    pub fn fold(&mut self, record: JournalRecord) {
        self.journaled += 1;
        match record {
            JournalRecord::Begin { operation, time, target, .. } => {
                self.interrupted = Some(format!("{operation} begun {time}"));
                if target.is_some() {
                    self.target = target;
                }
            }
            JournalRecord::Identified { identity } => self.identity = Some(identity),
            JournalRecord::Intent { address, action, key, needs, desired } => match self.resources.get_mut(&address) {
                Some(recorded) => {
                    recorded.status = Status::Pending(action);
                    recorded.needs = union(&recorded.needs, &needs);
                    // Nothing of it exists any more: what is looked for from now on is what is about to be made.
                    if recorded.uid.is_empty() {
                        recorded.key = key;
                    }
                }
                None => {
                    let desired = Body::of(desired.unwrap_or(Value::Null));
                    let status = Status::Pending(action);
                    let observed = Body::of(Value::Null);
                    let recorded =
                        Recorded { key, uid: String::new(), needs, status, desired, observed, completed: false };
                    self.resources.insert(address, recorded);
                }
            },
            JournalRecord::Done { address, uid, needs, desired, observed } => {
                let key = crate::resource::object_key(&address, &desired);
                let completed = self.resources.get(&address).is_some_and(|old| old.completed && old.uid == uid);
                let recorded = Recorded {
                    key,
                    uid,
                    needs,
                    status: Status::Settled,
                    desired: Body::of(desired),
                    observed: Body::of(observed),
                    completed,
                };
                self.resources.insert(address, recorded);
            }
            JournalRecord::Gone { address } => {
                // Who it was is of no interest once it is gone on purpose: the next one of its name is another one.
                if address.resource_type == crate::address::ResourceType::KindCluster {
                    self.identity = None;
                }
                self.resources.remove(&address);
            }
            JournalRecord::Lost { address } => {
                if let Some(recorded) = self.resources.get_mut(&address) {
                    recorded.uid.clear();
                    recorded.status = Status::Pending(Action::Create);
                }
            }
            JournalRecord::Completed { address } => {
                if let Some(recorded) = self.resources.get_mut(&address) {
                    recorded.completed = true;
                }
            }
            JournalRecord::TenantSet { name, tenant } => {
                self.tenants.insert(name, tenant);
            }
            JournalRecord::TenantRemoved { name } => {
                self.tenants.remove(&name);
            }
            JournalRecord::End { .. } => self.interrupted = None,
        }
    }
}

/// Both lists without duplicates, sorted.
#[must_use]
pub fn union(left: &[Address], right: &[Address]) -> Vec<Address> {
    let mut all: Vec<Address> = left.iter().chain(right).cloned().collect();
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::ResourceType;
    use serde_json::json;

    /// After a crash nobody knows which of the two forms is in the world: until that is known, what either needs counts.
    #[test]
    fn what_is_pending_needs_what_its_old_and_its_new_form_need() {
        let address = |name| Address::new(ResourceType::Deployment, Scope::deployment("shop"), name);
        let (web, old, new) = (address("web"), address("old"), address("new"));
        let desired = json!({"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}});
        let mut state = State::empty(Scope::deployment("shop"));
        state.fold(JournalRecord::Done {
            address: web.clone(),
            uid: "uid-1".into(),
            needs: vec![old.clone()],
            desired: desired.clone(),
            observed: Value::Null,
        });
        state.fold(JournalRecord::Intent {
            address: web.clone(),
            action: Action::Update,
            key: crate::resource::object_key(&web, &desired),
            needs: vec![new.clone()],
            desired: Some(desired),
        });
        assert_eq!(state.resources[&web].needs, [new, old]);
    }
}
