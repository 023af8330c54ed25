//! Everything a simulated host is, as plain data: files, clusters, objects, counters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::resource::{ClusterIdentity, FieldOwner, Images, Live, Target};
use laconic_engine::value::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::policy::Policy;
use super::violation::Violation;

/// The node image of a cluster that pins none.
pub const DEFAULT_NODE_IMAGE: &str = "kindest/node:v1.36.2";

/// An object in an API server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredObject {
    /// Where it lives.
    pub key: ObjectKey,
    /// Its uid.
    pub uid: String,
    /// The whole object, `metadata` and `status` as the server gives them.
    pub attributes: Value,
    /// Who owns which fields.
    pub owners: Vec<FieldOwner>,
    /// How often its readiness was asked since its specification changed.
    pub polls: u32,
}

impl StoredObject {
    /// What was seen of an object elsewhere.
    pub fn of(key: &ObjectKey, live: &Live) -> Self {
        let (uid, attributes, owners) = (live.uid.clone(), live.attributes.clone(), live.owners.clone());
        Self { key: key.clone(), uid, attributes, owners, polls: 0 }
    }

    /// What a LIST shows of it.
    pub fn live(&self) -> Live {
        Live {
            uid: self.uid.clone(),
            attributes: self.attributes.clone(),
            owners: self.owners.clone(),
            terminating: self.is_terminating(),
        }
    }

    /// Whether it is on its way out.
    pub fn is_terminating(&self) -> bool {
        self.attributes["metadata"].get("deletionTimestamp").is_some()
    }

    /// A text in it, by JSON pointer; empty when there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.attributes.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The objects of one API server.
pub type Objects = BTreeMap<ObjectKey, Arc<StoredObject>>;

/// What a path in a file system holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileEntry {
    /// A directory in which nothing was written.
    Directory,
    /// A directory in which a pod wrote something.
    Data(String),
    /// A symbolic link to that path.
    Link(String),
}

/// The entries of a file system, by absolute path.
pub type Files = BTreeMap<String, FileEntry>;

/// How far the node of a kind cluster has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// Its container runs, its API server answers.
    #[default]
    Running,
    /// Its container is stopped.
    Stopped,
    /// Its container runs, and whoever made the cluster was interrupted before there was an API server.
    Unfinished,
}

/// A kind cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KindCluster {
    /// The id of its node container.
    pub node: String,
    /// How far it has come.
    #[serde(default)]
    pub state: NodeState,
    /// Its configuration as created.
    pub attributes: Value,
    /// What was written to the node's own file system; dies with the node.
    pub overlay: Files,
    /// The images that were put on the node, by reference, with their ids.
    #[serde(default)]
    pub images: BTreeMap<String, String>,
    /// The mounts, by container path, whose directory was deleted on the host: the node goes on with the old one.
    #[serde(default)]
    pub detached: BTreeSet<String>,
    /// What its API server holds.
    pub objects: Objects,
}

/// A Kubernetes that somebody else runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RemoteCluster {
    /// What was written to its nodes and storage; survives everything we do.
    pub files: Files,
    /// What its API server holds.
    pub objects: Objects,
}

/// Which file system a path is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileSystem {
    /// The Docker host's.
    Host,
    /// That of a kind cluster's node.
    Overlay(String),
    /// That of a remote cluster.
    Node(String),
}

/// The whole host and the remote clusters it reaches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Makes the ids of one host differ from those of another.
    pub seed: u64,
    /// Seconds since the host's first moment.
    pub clock: u64,
    /// The number of the next id.
    pub next_id: u64,
    /// The next `resourceVersion`.
    pub revision: u64,
    /// How often a workload says "not yet" before it is ready.
    pub polls_until_ready: u32,
    /// What its API servers do beside the rules of Kubernetes.
    #[serde(default)]
    pub policies: Vec<Policy>,
    /// The host's file system.
    pub files: Files,
    /// When files of the host were written whose age matters, by path.
    #[serde(default)]
    pub written: BTreeMap<String, u64>,
    /// The kind clusters, by name.
    pub clusters: BTreeMap<String, KindCluster>,
    /// The remote clusters that were ever changed, by name.
    pub remotes: BTreeMap<String, RemoteCluster>,
    /// How many nodes clusters have that have more than one, as somebody else added them.
    #[serde(default)]
    pub node_counts: BTreeMap<String, usize>,
    /// The images that were built on the host, by reference, with their ids; `None` for one that was removed again. No
    /// registry has any of them.
    #[serde(default)]
    pub images: BTreeMap<String, Option<String>>,
    /// What no careful engine does, and was done.
    pub violations: Vec<Violation>,
}

impl Machine {
    /// A host with Docker on it and nothing else.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            clock: 0,
            next_id: 1,
            revision: 1,
            polls_until_ready: 1,
            policies: Vec::new(),
            files: Files::new(),
            written: BTreeMap::new(),
            clusters: BTreeMap::new(),
            remotes: BTreeMap::new(),
            node_counts: BTreeMap::new(),
            images: BTreeMap::new(),
            violations: Vec::new(),
        }
    }

    /// A digest that stands for a thing of this host.
    fn digest(&self, of: &str) -> String {
        Digest::of_bytes(format!("laconic simulated host {}: {of}", self.seed).as_bytes()).to_string()
    }

    /// The id of the Docker daemon.
    pub fn daemon(&self) -> String {
        uuid(&self.digest("daemon"))
    }

    /// The uid with that number.
    pub fn uid(&self, number: u64) -> String {
        uuid(&self.digest(&format!("uid {number}")))
    }

    /// The container id with that number.
    pub fn container_id(&self, number: u64) -> String {
        self.digest(&format!("container {number}"))
    }

    /// The id of the image that is built as that many-th thing of this host.
    pub fn image_id(&self, number: u64) -> String {
        format!("sha256:{}", self.digest(&format!("image {number}")))
    }

    /// The images of the host and of a kind cluster's nodes.
    pub fn images_of(&self, cluster: &str) -> Images {
        let here = self.images.iter().filter_map(|(name, id)| Some((name.clone(), id.clone()?))).collect();
        let on_nodes = self.clusters.get(cluster).map(|cluster| cluster.images.clone()).unwrap_or_default();
        Images { here, on_nodes }
    }

    /// How many nodes a target has.
    pub fn node_count(&self, target: &Target) -> usize {
        self.node_counts.get(target.name()).copied().unwrap_or(1)
    }

    /// The objects of a target; `None` when there is no such kind cluster. A remote cluster nobody changed yet holds
    /// what a new one holds.
    pub fn objects(&self, target: &Target) -> Option<std::borrow::Cow<'_, Objects>> {
        match target {
            Target::Kind(name) => self.clusters.get(name).map(|cluster| std::borrow::Cow::Borrowed(&cluster.objects)),
            Target::Kubernetes(name) => Some(match self.remotes.get(name) {
                Some(remote) => std::borrow::Cow::Borrowed(&remote.objects),
                None => std::borrow::Cow::Owned(self.new_remote(name).objects),
            }),
        }
    }

    /// One object.
    pub fn object(&self, target: &Target, key: &ObjectKey) -> Option<Arc<StoredObject>> {
        match target {
            Target::Kind(name) => self.clusters.get(name)?.objects.get(key).cloned(),
            Target::Kubernetes(name) => match self.remotes.get(name) {
                Some(remote) => remote.objects.get(key).cloned(),
                None => self.new_remote(name).objects.get(key).cloned(),
            },
        }
    }

    /// The objects of one type, in key order.
    pub fn objects_of(&self, target: &Target, resource_type: ResourceType) -> Vec<Arc<StoredObject>> {
        let Some(objects) = self.objects(target) else { return Vec::new() };
        of_type(&objects, resource_type).cloned().collect()
    }

    /// The objects of one type in one namespace, in key order.
    pub fn objects_in(&self, target: &Target, resource_type: ResourceType, namespace: &str) -> Vec<Arc<StoredObject>> {
        let Some(objects) = self.objects(target) else { return Vec::new() };
        objects
            .range(ObjectKey::new(resource_type, namespace, "")..)
            .map(|(_, object)| object)
            .take_while(|object| object.key.resource_type == resource_type && &*object.key.namespace == namespace)
            .cloned()
            .collect()
    }

    /// A remote cluster as it is before anybody changed it; the same one each time.
    pub fn new_remote(&self, name: &str) -> RemoteCluster {
        let objects = ["default", "kube-node-lease", "kube-public", "kube-system"]
            .into_iter()
            .map(|namespace| {
                let uid = uuid(&self.digest(&format!("remote {name} {namespace}")));
                self.system_namespace(namespace, uid)
            })
            .map(|object| (object.key.clone(), Arc::new(object)))
            .collect();
        RemoteCluster { files: Files::new(), objects }
    }

    /// A namespace that every new cluster has.
    pub fn system_namespace(&self, name: &str, uid: String) -> StoredObject {
        let attributes = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "uid": uid,
                "resourceVersion": "1",
                "creationTimestamp": time_text(self.clock),
                "labels": {"kubernetes.io/metadata.name": name},
            },
            "status": {"phase": "Active"},
        });
        let key = ObjectKey::new(ResourceType::Namespace, "", name);
        StoredObject { key, uid, attributes, owners: Vec::new(), polls: 0 }
    }

    /// Who answers at a target; `None` when nobody is there.
    pub fn identity(&self, target: &Target) -> Option<ClusterIdentity> {
        let kube_system = self
            .object(target, &ObjectKey::new(ResourceType::Namespace, "", "kube-system"))
            .map(|namespace| namespace.uid.clone())
            .unwrap_or_default();
        match target {
            Target::Kind(name) => {
                let node = self.clusters.get(name)?.node.clone();
                Some(ClusterIdentity { daemon: self.daemon(), node, kube_system })
            }
            Target::Kubernetes(_) => Some(ClusterIdentity { daemon: String::new(), node: String::new(), kube_system }),
        }
    }

    /// The entry at a path of a file system.
    pub fn file(&self, file_system: &FileSystem, path: &str) -> Option<&FileEntry> {
        match file_system {
            FileSystem::Host => self.files.get(path),
            FileSystem::Overlay(cluster) => self.clusters.get(cluster)?.overlay.get(path),
            FileSystem::Node(remote) => self.remotes.get(remote)?.files.get(path),
        }
    }
}

/// The objects of one type: keys sort by type first.
pub fn of_type(objects: &Objects, resource_type: ResourceType) -> impl Iterator<Item = &Arc<StoredObject>> {
    objects
        .range(ObjectKey::new(resource_type, "", "")..)
        .map(|(_, object)| object)
        .take_while(move |object| object.key.resource_type == resource_type)
}

/// The first 32 hexadecimal digits, spelled as a UUID.
fn uuid(digits: &str) -> String {
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// A moment of the simulated clock, RFC 3339: it starts with the year 2026.
pub fn time_text(seconds: u64) -> String {
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 2026;
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_counts_from_the_start_of_2026() {
        assert_eq!(time_text(0), "2026-01-01T00:00:00Z");
        assert_eq!(time_text(86_400 * 59 + 3_661), "2026-03-01T01:01:01Z");
        assert_eq!(time_text(86_400 * (365 * 2 + 59)), "2028-02-29T00:00:00Z");
    }

    #[test]
    fn ids_depend_on_the_seed_only() {
        assert_eq!(Machine::new(1).uid(5), Machine::new(1).uid(5));
        assert_ne!(Machine::new(1).uid(5), Machine::new(2).uid(5));
        assert_eq!(Machine::new(1).uid(5).len(), 36);
        assert_eq!(Machine::new(1).container_id(5).len(), 64);
    }
}
