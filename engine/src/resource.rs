//! The three facts about a resource: Desired (compiled), Recorded (state, see [`crate::state`]), Observed (live).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::address::{Address, ObjectKey, ResourceType, Scope};
use crate::attributes::{Attributes, namespace_and_name};
use crate::place::Place;
use crate::value::Digest;

/// What the spec asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its stable address.
    pub address: Address,
    /// What must exist before it and go after it; sorted, without duplicates.
    pub needs: Vec<Address>,
    /// Its full desired form: for Kubernetes the object to send (with `apiVersion`, `kind`, `metadata`), for what kind
    /// makes the attributes of the kind configuration. Secrets are placeholders (see [`crate::secret`]).
    pub attributes: Attributes,
    /// Where it is written.
    pub place: Option<Place>,
    /// Where single fields are written, by field path as [`crate::diff`] spells them; sorted by path.
    pub places: Vec<(String, Place)>,
}

impl Resource {
    /// A resource without needs and places.
    #[must_use]
    pub const fn new(address: Address, attributes: Value) -> Self {
        let attributes = Attributes::new(attributes);
        Self { address, needs: Vec::new(), attributes, place: None, places: Vec::new() }
    }

    /// Where the object lives.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        key_of(&self.address, self.attributes.namespace_and_name())
    }

    /// The digest of the desired form.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.attributes.digest()
    }

    /// The place of a field, or of its nearest parent that has one, or of the resource.
    #[must_use]
    pub fn place_of(&self, path: &str) -> Option<&Place> {
        self.places
            .iter()
            .filter(|(prefix, _)| is_below(path, prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, place)| place)
            .or(self.place.as_ref())
    }
}

/// Whether a path is that of a field or of something within it: `a.image` is in `a`, and not in `a.im`.
#[must_use]
pub fn is_below(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The key of the object that `attributes` describe.
#[must_use]
pub fn object_key(address: &Address, attributes: &Value) -> ObjectKey {
    key_of(address, namespace_and_name(attributes))
}

fn key_of(address: &Address, (namespace, name): (&str, &str)) -> ObjectKey {
    let resource_type = address.resource_type;
    if resource_type.is_kubernetes() {
        ObjectKey::new(resource_type, namespace, name)
    } else {
        ObjectKey::new(resource_type, "", address.short_name())
    }
}

/// Which field manager owns which fields of a live object, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldOwner {
    /// The field manager's name.
    pub manager: String,
    /// When it last changed them, RFC 3339; empty when unknown.
    pub time: String,
    /// The paths it owns, as [`crate::diff`] spells them.
    pub paths: BTreeSet<String>,
}

/// A live object.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// Its uid; for a kind cluster the node container's id.
    pub uid: String,
    /// The whole object as the server gives it, without `managedFields`, with secrets masked.
    pub attributes: Value,
    /// Who owns which of its fields.
    pub owners: Vec<FieldOwner>,
    /// Whether it is on its way out (`deletionTimestamp`).
    pub terminating: bool,
}

/// What was seen of one resource. There is no `Option` for this: absent and unknown are different facts.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// It is there.
    Present(Live),
    /// It is not there, and the answer came from the place where it was recorded.
    Absent,
    /// It could not be known, and why. Never means deleted.
    Unknown(UnknownReason),
}

/// Why something could not be known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "why", content = "detail")]
pub enum UnknownReason {
    /// Nobody asked: an offline plan.
    Offline,
    /// The place could not be reached.
    Unreachable(String),
    /// The place answered, and not with what was asked for.
    Failed(String),
    /// The place knows nothing of such things.
    NotServed(String),
    /// The place refused to tell.
    Forbidden(String),
    /// Nothing says how the place is reached, or not in a way that can be used.
    NotConfigured(String),
    /// Somebody answered, but not the one whose identity is recorded.
    OtherIdentity(String),
    /// The cluster's node is there, and the cluster on it was never finished: whoever made it was interrupted, or is still
    /// at it.
    Unfinished(String),
}

/// The identity of a cluster, by which an absence is believed.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClusterIdentity {
    /// The id of the Docker daemon; empty for a remote cluster.
    pub daemon: String,
    /// The id of the node container; empty for a remote cluster.
    pub node: String,
    /// The uid of the kube-system namespace; empty where its API server did not answer.
    pub kube_system: String,
}

impl ClusterIdentity {
    /// Whether the one that was seen is this one. A kind cluster whose API server does not answer is known by its node.
    #[must_use]
    pub fn is(&self, seen: &Self) -> bool {
        let is_same_server =
            self.kube_system == seen.kube_system || (seen.kube_system.is_empty() && !seen.node.is_empty());
        self.node == seen.node && is_same_server
    }
}

/// Where a deployment's objects live.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "name")]
pub enum Target {
    /// A kind cluster, by its name.
    Kind(String),
    /// A remote Kubernetes, by the deployment whose kube-config reaches it.
    Kubernetes(String),
}

impl Target {
    /// The name of the cluster or deployment.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Kind(name) | Self::Kubernetes(name) => name,
        }
    }

    /// The kind cluster's name, when it is one.
    #[must_use]
    pub fn kind_cluster(&self) -> Option<&str> {
        match self {
            Self::Kind(name) => Some(name),
            Self::Kubernetes(_) => None,
        }
    }
}

/// What was seen of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservedTarget {
    /// Who answered; `None` when nobody did or there is no such cluster.
    pub identity: Option<ClusterIdentity>,
    /// The kind cluster itself (attributes as in a desired kind cluster); for a remote cluster `Present` when it answers.
    pub cluster: Observed,
    /// The objects, by key; or why they are not known. Mounts and ports of a kind cluster are among them.
    pub objects: Result<BTreeMap<ObjectKey, Live>, UnknownReason>,
    /// The kinds that could not be listed, and why: of them nothing is known, neither presence nor absence.
    pub unlisted: BTreeMap<ResourceType, UnknownReason>,
    /// What was seen of its nodes.
    pub node: NodeFacts,
}

/// What was seen of the nodes of a target, beside what its API server holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// Directories in the node of a kind cluster, by the path that was asked for. One that is not in it was not seen.
    pub directories: BTreeMap<String, NodeDirectory>,
    /// Whether a mount of the node still shows the directory that the host has under that path, by container path. One
    /// that is not in it could not be compared.
    pub mounts: BTreeMap<String, MountSource>,
    /// How many nodes the target has, when they could be counted.
    pub count: Option<usize>,
    /// The backup of a kind cluster's certificates, also when the cluster is not there; `None` where it could not be seen.
    pub certificate_backup: Option<CertificateBackup>,
    /// What each node can give to pods, by its name, when somebody asked: nodes that take no new pods are left out.
    pub allocatable: BTreeMap<String, Allocatable>,
    /// The images of the host and of the nodes of a kind cluster; `None` where nobody asked, or nobody could tell.
    pub images: Option<Images>,
}

/// The backup of a cluster's certificates, as far as it is seen without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum CertificateBackup {
    /// There is none, or an empty file.
    Missing,
    /// There is one.
    Saved {
        /// When it was written, RFC 3339; `None` where that was not seen.
        at: Option<String>,
    },
}

/// What a node can give to pods, as Kubernetes spells amounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocatable {
    /// Processors.
    pub cpu: String,
    /// Memory.
    pub memory: String,
}

/// The images that matter to a kind cluster, by reference as [`crate::compile::image_reference`] spells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Images {
    /// Those that this host's container engine has, with their ids.
    pub here: BTreeMap<String, String>,
    /// Those that every node has, with their ids. One that is the same as the host's has the host's id.
    pub on_nodes: BTreeMap<String, String>,
}

/// A directory in a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDirectory {
    /// The path with every symbolic link on it resolved, as the node sees them.
    pub real_path: String,
    /// Whether anything is in it.
    pub holds_data: bool,
    /// How many bytes are in it, when that was asked for and could be read.
    pub size: Option<u64>,
}

/// What a mount shows, compared to what the host has under that path now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountSource {
    /// The same directory.
    Same,
    /// A directory that was deleted; the host has another one there, or none.
    Replaced,
}

impl ObservedTarget {
    /// A target of which nothing is known.
    #[must_use]
    pub fn unknown(reason: UnknownReason) -> Self {
        Self {
            identity: None,
            cluster: Observed::Unknown(reason),
            objects: Ok(BTreeMap::new()),
            unlisted: BTreeMap::new(),
            node: NodeFacts::default(),
        }
    }
}

/// What was seen of the world, by target. A target that is not in it was not asked.
pub type World = BTreeMap<Target, ObservedTarget>;

/// The scope a target's shared resources are recorded in.
#[must_use]
pub fn cluster_scope(target: &Target) -> Option<Scope> {
    target.kind_cluster().map(Scope::cluster)
}

/// Whether an object of this type lives and dies with its kind cluster's node container.
#[must_use]
pub const fn dies_with_cluster(resource_type: ResourceType) -> bool {
    !matches!(resource_type, ResourceType::KindCluster)
}
