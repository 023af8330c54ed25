//! One change of the host: everything it alters goes through a log, which is what is kept on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use laconic_engine::address::ObjectKey;
use laconic_engine::resource::Target;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::machine::{FileEntry, FileSystem, Files, KindCluster, Machine, NodeState, Objects, StoredObject, time_text};
use super::policy::Policy;
use super::violation::{Violation, ViolationKind};

/// One alteration of the host, as the journal keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mutation {
    /// The counters after a transaction.
    Counters {
        /// Seconds.
        clock: u64,
        /// The next id.
        next_id: u64,
        /// The next `resourceVersion`.
        revision: u64,
    },
    /// An object is as given.
    PutObject(Target, Arc<StoredObject>),
    /// An object is gone.
    RemoveObject(Target, ObjectKey),
    /// A kind cluster is there, with nothing in it.
    PutCluster {
        /// Its name.
        name: String,
        /// The id of its node container.
        node: String,
        /// Its configuration.
        attributes: Value,
    },
    /// The node of a kind cluster has come that far.
    SetNodeState(String, NodeState),
    /// The mounts of a kind cluster whose directory was deleted on the host.
    SetDetached(String, BTreeSet<String>),
    /// A cluster has that many nodes.
    SetNodeCount(String, usize),
    /// An image of the host has that id; `None` for one that was removed.
    SetImage(String, Option<String>),
    /// An image is on the nodes of a kind cluster.
    LoadImage {
        /// The cluster.
        cluster: String,
        /// The image.
        image: String,
        /// Its id.
        id: String,
    },
    /// A kind cluster is gone, with everything in it.
    RemoveCluster(String),
    /// A file system has that entry.
    PutFile(FileSystem, String, FileEntry),
    /// A file of the host was written at that second.
    SetWritten(String, u64),
    /// A file system lacks that entry.
    RemoveFile(FileSystem, String),
    /// A rule was broken.
    Violated(Violation),
    /// How often a workload says "not yet".
    PollsUntilReady(u32),
    /// What the API servers do beside the rules of Kubernetes.
    Policies(Vec<Policy>),
}

impl Machine {
    /// Carries out one alteration. Unknown places are ignored: a journal only names places it made.
    pub fn apply(&mut self, mutation: &Mutation) {
        match mutation {
            Mutation::Counters { clock, next_id, revision } => {
                self.clock = *clock;
                self.next_id = *next_id;
                self.revision = *revision;
            }
            Mutation::PutObject(target, object) => {
                if let Some(objects) = self.objects_mut(target) {
                    objects.insert(object.key.clone(), Arc::clone(object));
                }
            }
            Mutation::RemoveObject(target, key) => {
                if let Some(objects) = self.objects_mut(target) {
                    objects.remove(key);
                }
            }
            Mutation::PutCluster { name, node, attributes } => {
                let (node, attributes) = (node.clone(), attributes.clone());
                let (state, overlay, objects) = (NodeState::Running, Files::new(), BTreeMap::new());
                let (detached, images) = (BTreeSet::new(), BTreeMap::new());
                let cluster = KindCluster { node, state, attributes, overlay, images, detached, objects };
                self.clusters.insert(name.clone(), cluster);
            }
            Mutation::SetNodeState(name, state) => {
                if let Some(cluster) = self.clusters.get_mut(name) {
                    cluster.state = *state;
                }
            }
            Mutation::SetDetached(name, detached) => {
                if let Some(cluster) = self.clusters.get_mut(name) {
                    cluster.detached.clone_from(detached);
                }
            }
            Mutation::SetNodeCount(name, count) => {
                self.node_counts.insert(name.clone(), *count);
            }
            Mutation::SetImage(image, id) => {
                self.images.insert(image.clone(), id.clone());
            }
            Mutation::LoadImage { cluster, image, id } => {
                if let Some(cluster) = self.clusters.get_mut(cluster) {
                    cluster.images.insert(image.clone(), id.clone());
                }
            }
            Mutation::RemoveCluster(name) => {
                self.node_counts.remove(name);
                self.clusters.remove(name);
            }
            Mutation::PutFile(file_system, path, entry) => {
                if let Some(files) = self.files_mut(file_system) {
                    files.insert(path.clone(), entry.clone());
                }
            }
            Mutation::SetWritten(path, seconds) => {
                self.written.insert(path.clone(), *seconds);
            }
            Mutation::RemoveFile(file_system, path) => {
                if let Some(files) = self.files_mut(file_system) {
                    files.remove(path);
                }
            }
            Mutation::Violated(violation) => self.violations.push(violation.clone()),
            Mutation::PollsUntilReady(polls) => self.polls_until_ready = *polls,
            Mutation::Policies(policies) => self.policies.clone_from(policies),
        }
    }

    fn objects_mut(&mut self, target: &Target) -> Option<&mut Objects> {
        match target {
            Target::Kind(name) => self.clusters.get_mut(name).map(|cluster| &mut cluster.objects),
            Target::Kubernetes(name) => {
                self.ensure_remote(name);
                self.remotes.get_mut(name).map(|remote| &mut remote.objects)
            }
        }
    }

    fn files_mut(&mut self, file_system: &FileSystem) -> Option<&mut Files> {
        match file_system {
            FileSystem::Host => Some(&mut self.files),
            FileSystem::Overlay(name) => self.clusters.get_mut(name).map(|cluster| &mut cluster.overlay),
            FileSystem::Node(name) => {
                self.ensure_remote(name);
                self.remotes.get_mut(name).map(|remote| &mut remote.files)
            }
        }
    }

    fn ensure_remote(&mut self, name: &str) {
        if !self.remotes.contains_key(name) {
            let remote = self.new_remote(name);
            self.remotes.insert(name.to_owned(), remote);
        }
    }
}

/// A change in the making.
pub struct Transaction<'a> {
    machine: &'a mut Machine,
    log: Vec<Mutation>,
}

impl<'a> Transaction<'a> {
    /// Begins a change; the clock moves on.
    pub fn begin(machine: &'a mut Machine) -> Self {
        machine.clock += 1;
        Self { machine, log: Vec::new() }
    }

    /// Everything that was altered, with the counters as they are now.
    pub fn finish(mut self) -> Vec<Mutation> {
        let Machine { clock, next_id, revision, .. } = *self.machine;
        self.log.push(Mutation::Counters { clock, next_id, revision });
        self.log
    }

    /// The host as it is now.
    pub const fn machine(&self) -> &Machine {
        self.machine
    }

    /// Carries out one alteration and logs it.
    pub fn apply(&mut self, mutation: Mutation) {
        self.machine.apply(&mutation);
        self.log.push(mutation);
    }

    /// Now, RFC 3339.
    pub fn now(&self) -> String {
        time_text(self.machine.clock)
    }

    /// A number nobody had before.
    pub const fn next_number(&mut self) -> u64 {
        let number = self.machine.next_id;
        self.machine.next_id += 1;
        number
    }

    /// A uid nobody had before.
    pub fn next_uid(&mut self) -> String {
        let number = self.next_number();
        self.machine.uid(number)
    }

    /// Stores an object under the next `resourceVersion`.
    pub fn put(&mut self, target: &Target, mut object: StoredObject) {
        self.machine.revision += 1;
        object.attributes["metadata"]["resourceVersion"] = Value::from(self.machine.revision.to_string());
        self.apply(Mutation::PutObject(target.clone(), Arc::new(object)));
    }

    /// Takes an object away.
    pub fn remove(&mut self, target: &Target, key: &ObjectKey) {
        self.apply(Mutation::RemoveObject(target.clone(), key.clone()));
    }

    /// Remembers a broken rule.
    pub fn violate(&mut self, target: &Target, key: &ObjectKey, kind: ViolationKind) {
        let violation = Violation { target: target.clone(), key: key.clone(), kind, time: self.now() };
        self.apply(Mutation::Violated(violation));
    }

    /// Makes a directory of the Docker host, with those above it; what is there stays.
    pub fn make_host_directory(&mut self, path: &str) {
        for (end, _) in path.match_indices('/').skip(1).chain([(path.len(), "")]) {
            let Some(directory) = path.get(..end).filter(|directory| !directory.is_empty()) else { continue };
            if !self.machine.files.contains_key(directory) {
                self.apply(Mutation::PutFile(FileSystem::Host, directory.to_owned(), FileEntry::Directory));
            }
        }
    }
}
