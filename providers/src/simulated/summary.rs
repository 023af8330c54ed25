//! A readable overview of the host.

use std::collections::BTreeMap;

use laconic_engine::compile::caddy::BACKUP_FILE;
use laconic_engine::resource::Target;
use serde::Serialize;

use super::host::SimulatedHost;
use super::machine::{FileEntry, Files, Machine, Objects, StoredObject, time_text};
use super::node;

/// Everything on a simulated host, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The id of the Docker daemon.
    pub daemon: String,
    /// Now, in simulated time.
    pub time: String,
    /// The kind clusters, by name.
    pub clusters: BTreeMap<String, ClusterSummary>,
    /// The remote clusters that were ever changed, by name.
    pub remotes: BTreeMap<String, ClusterSummary>,
    /// Data on the Docker host, by path.
    pub host_data: BTreeMap<String, String>,
    /// What no careful engine does, and was done.
    pub violations: Vec<String>,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterSummary {
    /// The node container's id; empty for a remote cluster.
    pub node: String,
    /// The node image; empty for a remote cluster.
    pub image: String,
    /// Container path → host path.
    pub mounts: BTreeMap<String, String>,
    /// `hostPort/protocol` → container port.
    pub ports: BTreeMap<String, u64>,
    /// The images that were put on its nodes, with their ids.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// Objects by namespace (empty for cluster-wide ones), as `Kind name: status`.
    pub objects: BTreeMap<String, Vec<String>>,
    /// Data on the node or in its storage, by path.
    pub data: BTreeMap<String, String>,
}

impl SimulatedHost {
    /// A readable overview.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.look(summarise)
    }
}

fn summarise(machine: &Machine) -> Summary {
    let clusters = machine.clusters.iter().map(|(name, cluster)| {
        let (mut mounts, mut ports) = (BTreeMap::new(), BTreeMap::new());
        for (key, fact) in node::facts(cluster) {
            if let Some(path) = fact.attributes["hostPath"].as_str() {
                mounts.insert(key.name.to_string(), path.to_owned());
            } else if let Some(port) = fact.attributes["containerPort"].as_u64() {
                ports.insert(key.name.to_string(), port);
            }
        }
        let summary = ClusterSummary {
            node: cluster.node.clone(),
            image: cluster.attributes["image"].as_str().unwrap_or_default().to_owned(),
            mounts,
            ports,
            images: cluster.images.clone(),
            objects: lines(&cluster.objects),
            data: data(&cluster.overlay),
        };
        (name.clone(), summary)
    });
    let remotes = machine.remotes.iter().map(|(name, remote)| {
        let summary = ClusterSummary {
            node: String::new(),
            image: String::new(),
            mounts: BTreeMap::new(),
            ports: BTreeMap::new(),
            images: BTreeMap::new(),
            objects: lines(&remote.objects),
            data: data(&remote.files),
        };
        (name.clone(), summary)
    });
    Summary {
        daemon: machine.daemon(),
        time: time_text(machine.clock),
        clusters: clusters.collect(),
        remotes: remotes.collect(),
        host_data: data(&machine.files),
        violations: machine.violations.iter().map(ToString::to_string).collect(),
    }
}

fn data(files: &Files) -> BTreeMap<String, String> {
    files
        .iter()
        .filter_map(|(path, entry)| match entry {
            // What is in it is secret elsewhere.
            FileEntry::Data(_) if path.ends_with(BACKUP_FILE) => Some((path.clone(), "certificates".to_owned())),
            FileEntry::Data(text) => Some((path.clone(), text.clone())),
            FileEntry::Link(target) => Some((path.clone(), format!("-> {target}"))),
            FileEntry::Directory => None,
        })
        .collect()
}

fn lines(objects: &Objects) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for object in objects.values() {
        let status = status(object);
        let colon = if status.is_empty() { "" } else { ": " };
        let line = format!("{} {}{colon}{status}", object.key.resource_type.kind(), object.key.name);
        found.entry(object.key.namespace.to_string()).or_default().push(line);
    }
    found
}

fn status(object: &StoredObject) -> String {
    if object.is_terminating() {
        return "Terminating".to_owned();
    }
    let status = &object.attributes["status"];
    match (status["phase"].as_str(), object.attributes["spec"]["replicas"].as_u64()) {
        (Some(phase), _) => phase.to_owned(),
        (None, Some(replicas)) => {
            format!("{} of {replicas} replicas ready", status["readyReplicas"].as_u64().unwrap_or_default())
        }
        _ => String::new(),
    }
}

/// The targets a host knows of.
impl SimulatedHost {
    /// Every cluster on the host, and every remote cluster that was ever changed.
    #[must_use]
    pub fn targets(&self) -> Vec<Target> {
        self.look(|machine| {
            let kinds = machine.clusters.keys().cloned().map(Target::Kind);
            kinds.chain(machine.remotes.keys().cloned().map(Target::Kubernetes)).collect()
        })
    }
}
