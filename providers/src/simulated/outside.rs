//! What somebody else does to the host behind our back: for the demo, for drift, for tests.

use std::collections::BTreeSet;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::{EnactError, Readiness};
use laconic_engine::certificate::backup_path;
use laconic_engine::compile::caddy::{BACKUP, NAMESPACE};
use laconic_engine::compile::{UMBRELLA, image_reference};
use laconic_engine::resource::{Live, Target};
use laconic_engine::source::is_under;
use serde_json::{Value, json};

use super::directories::Resolved;
use super::host::SimulatedHost;
use super::machine::{FileEntry, FileSystem, KindCluster, NodeState};
use super::transaction::Mutation;
use super::{deletion, directories, node, readiness, server, volume};

impl SimulatedHost {
    /// Changes one field as `kubectl edit` would: the field is `manager`'s from then on. `None` takes it away.
    ///
    /// `path` is spelled like `spec.template.spec.containers[web].image`.
    ///
    /// # Errors
    /// An object that is not there, or a change the server refuses.
    pub fn edit_object(
        &self,
        target: &Target,
        key: &ObjectKey,
        manager: &str,
        path: &str,
        value: Option<Value>,
    ) -> Result<Live, EnactError> {
        self.change(|tx| server::edit(tx, target, key, manager, path, value))
    }

    /// Makes an object as somebody else.
    ///
    /// # Errors
    /// Something that is no object this host knows, exists already, or is refused.
    pub fn create_object(&self, target: &Target, object: &Value, manager: &str) -> Result<Live, EnactError> {
        let key = key_of(object)?;
        self.change(|tx| server::create(tx, target, &key, object, manager))
    }

    /// Deletes an object as somebody else.
    ///
    /// # Errors
    /// A cluster that is not there, or a delete the server refuses.
    pub fn delete_object(&self, target: &Target, key: &ObjectKey) -> Result<(), EnactError> {
        self.change(|tx| match tx.machine().identity(target) {
            Some(_) => deletion::delete(tx, target, key),
            None => Err(server::no_cluster(target)),
        })
    }

    /// Deletes an object and makes it again with the same contents: it has another uid, and `kubectl` owns it.
    ///
    /// # Errors
    /// An object that is not there, or is in use and therefore still there.
    pub fn recreate_object(&self, target: &Target, key: &ObjectKey) -> Result<Live, EnactError> {
        self.change(|tx| {
            let attributes = server::live(tx, target, key)?.attributes;
            deletion::delete(tx, target, key)?;
            server::create(tx, target, key, &attributes, "kubectl")
        })
    }

    /// Makes a kind cluster as somebody else; `attributes` as in a desired kind cluster, with its `name`.
    ///
    /// # Errors
    /// What kind would refuse.
    pub fn create_cluster(&self, attributes: &Value) -> Result<(), EnactError> {
        let name = attributes["name"].as_str().unwrap_or("kind");
        self.change(|tx| node::create(tx, name, attributes))
    }

    /// Deletes a kind cluster as somebody else; the host's files stay.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn delete_cluster(&self, name: &str) -> Result<(), EnactError> {
        self.change(|tx| {
            node::delete(tx, name);
            Ok(())
        })
    }

    /// Deletes a kind cluster and makes an empty one of the same name and configuration.
    ///
    /// # Errors
    /// A cluster that is not there.
    pub fn replace_cluster(&self, name: &str) -> Result<(), EnactError> {
        self.change(|tx| node::replace(tx, name))
    }

    /// Stops the node container of a kind cluster, or starts it again; one that was never finished stays so.
    ///
    /// # Errors
    /// A cluster that is not there.
    pub fn run_node(&self, name: &str, runs: bool) -> Result<(), EnactError> {
        self.change(|tx| {
            let Some(cluster) = tx.machine().clusters.get(name) else {
                return Err(server::no_cluster(&Target::Kind(name.to_owned())));
            };
            if cluster.state != NodeState::Unfinished {
                let state = if runs { NodeState::Running } else { NodeState::Stopped };
                tx.apply(Mutation::SetNodeState(name.to_owned(), state));
                // A container that starts gets its mounts anew: what was deleted on the host is gone for good.
                if runs && let Some(cluster) = tx.machine().clusters.get(name).filter(|one| !one.detached.is_empty()) {
                    let is_gone = |path: &&String| cluster.detached.iter().any(|mount| is_under(path, mount));
                    let gone: Vec<String> = cluster.overlay.keys().filter(is_gone).cloned().collect();
                    let overlay = FileSystem::Overlay(name.to_owned());
                    gone.into_iter().for_each(|path| tx.apply(Mutation::RemoveFile(overlay.clone(), path)));
                    tx.apply(Mutation::SetDetached(name.to_owned(), BTreeSet::new()));
                }
            }
            Ok(())
        })
    }

    /// Has the CronJob that saves the certificates of a kind cluster run now, as it does every five minutes elsewhere.
    /// Without certificates the last copy stays. Says how many Secrets were saved.
    ///
    /// # Errors
    /// A cluster or a CronJob that is not there.
    pub fn save_certificates(&self, cluster: &str) -> Result<usize, EnactError> {
        let target = Target::Kind(cluster.to_owned());
        self.change(|tx| {
            node::answers(tx.machine(), &target)?;
            server::live(tx, &target, &ObjectKey::new(ResourceType::CronJob, NAMESPACE, BACKUP))?;
            let secrets: Vec<Value> = tx
                .machine()
                .objects_in(&target, ResourceType::Secret, NAMESPACE)
                .iter()
                .filter(|secret| secret.text("/metadata/labels/manager") == "caddy")
                .map(|secret| secret.attributes.clone())
                .collect();
            let place = directories::resolve(tx.machine(), cluster, &backup_path(UMBRELLA));
            let Some(Resolved { entry: (file_system, path), .. }) = place else { return Ok(0) };
            let text = json!({"apiVersion": "v1", "kind": "List", "items": secrets}).to_string();
            if !text.contains(".crt\"") {
                return Ok(0);
            }
            if file_system == FileSystem::Host {
                tx.make_host_directory(&path);
                tx.apply(Mutation::SetWritten(path.clone(), tx.machine().clock));
            }
            tx.apply(Mutation::PutFile(file_system, path, FileEntry::Data(text)));
            Ok(secrets.len())
        })
    }

    /// Writes data to a path of the Docker host, with the directories above it.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn write_host_data(&self, path: &str, text: &str) -> Result<(), EnactError> {
        self.change(|tx| {
            tx.make_host_directory(path);
            tx.apply(Mutation::PutFile(FileSystem::Host, path.to_owned(), FileEntry::Data(text.to_owned())));
            Ok(())
        })
    }

    /// Builds an image on the Docker host, as `docker build` does: each time another one. No registry has it.
    ///
    /// # Errors
    /// A name that no image has, a directory that cannot be written.
    pub fn build_image(&self, image: &str) -> Result<String, EnactError> {
        let reference = image_reference(image)
            .ok_or_else(|| EnactError::Refused(format!("`{image}` is no name of an image with a tag")))?;
        self.change(|tx| {
            let number = tx.next_number();
            let id = tx.machine().image_id(number);
            tx.apply(Mutation::SetImage(reference, Some(id.clone())));
            Ok(id)
        })
    }

    /// Removes an image from the Docker host; nodes keep theirs.
    ///
    /// # Errors
    /// An image that is not there, a directory that cannot be written.
    pub fn remove_image(&self, image: &str) -> Result<(), EnactError> {
        self.change(|tx| {
            let found =
                image_reference(image).filter(|name| tx.machine().images.get(name).is_some_and(Option::is_some));
            let reference = found.ok_or_else(|| EnactError::Refused(format!("the host has no image `{image}`")))?;
            tx.apply(Mutation::SetImage(reference, None));
            Ok(())
        })
    }

    /// Has a cluster have that many nodes.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn set_node_count(&self, target: &Target, count: usize) -> Result<(), EnactError> {
        self.change(|tx| {
            tx.apply(Mutation::SetNodeCount(target.name().to_owned(), count));
            Ok(())
        })
    }

    /// Writes data where a claim leads, as its pods would; whether there is such a place.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn write_claim_data(&self, target: &Target, claim: &ObjectKey, text: &str) -> Result<bool, EnactError> {
        self.change(|tx| {
            let Some((file_system, path)) = volume::storage_of_claim(tx.machine(), target, claim) else {
                return Ok(false);
            };
            if file_system == FileSystem::Host {
                tx.make_host_directory(&path);
            }
            tx.apply(Mutation::PutFile(file_system, path, FileEntry::Data(text.to_owned())));
            Ok(true)
        })
    }

    /// Makes a symbolic link on the Docker host, with the directories above it.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn link_host_path(&self, path: &str, target: &str) -> Result<(), EnactError> {
        self.change(|tx| {
            if let Some((above, _)) = path.rsplit_once('/') {
                tx.make_host_directory(above);
            }
            tx.apply(Mutation::PutFile(FileSystem::Host, path.to_owned(), FileEntry::Link(target.to_owned())));
            Ok(())
        })
    }

    /// Removes a path of the Docker host with everything beneath it. What is mounted from there into a node goes on in the
    /// node, empty, and is nothing of the host's any more, be the directory made again or not.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn remove_host_path(&self, path: &str) -> Result<(), EnactError> {
        self.change(|tx| {
            let is_gone =
                |there: &&String| there.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            let gone: Vec<String> = tx.machine().files.keys().filter(is_gone).cloned().collect();
            gone.into_iter().for_each(|path| tx.apply(Mutation::RemoveFile(FileSystem::Host, path)));
            let detached: Vec<(String, BTreeSet<String>)> = tx
                .machine()
                .clusters
                .iter()
                .map(|(name, cluster)| (name.clone(), &cluster.detached | &mounted_from(cluster, path)))
                .collect();
            detached.into_iter().for_each(|(name, mounts)| tx.apply(Mutation::SetDetached(name, mounts)));
            Ok(())
        })
    }

    /// Lets time pass: every workload that can become ready does, and its pods write to their volumes.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn settle(&self) -> Result<(), EnactError> {
        self.change(|tx| {
            let kinds = tx.machine().clusters.keys().cloned().map(Target::Kind);
            let remotes = tx.machine().remotes.keys().cloned().map(Target::Kubernetes);
            let targets: Vec<Target> = kinds.chain(remotes).collect();
            let rounds = tx.machine().polls_until_ready.saturating_add(1);
            for target in targets {
                for resource_type in [ResourceType::Deployment, ResourceType::Job] {
                    for object in tx.machine().objects_of(&target, resource_type) {
                        let mut left = rounds;
                        while left > 0 && matches!(readiness::ask(tx, &target, &object.key), Readiness::Progressing(_))
                        {
                            left -= 1;
                        }
                    }
                }
            }
            Ok(())
        })
    }
}

/// The mounts of a cluster whose directory is that path of the host, or in it.
fn mounted_from(cluster: &KindCluster, path: &str) -> BTreeSet<String> {
    let mounts = cluster.attributes["extraMounts"].as_array().into_iter().flatten();
    mounts
        .filter(|mount| mount["hostPath"].as_str().is_some_and(|host| is_under(host, path)))
        .filter_map(|mount| mount["containerPath"].as_str().map(str::to_owned))
        .collect()
}

/// The key of an object by what it says of itself.
fn key_of(object: &Value) -> Result<ObjectKey, EnactError> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let resource_type = ResourceType::from_kind(kind)
        .filter(|resource_type| resource_type.is_kubernetes())
        .ok_or_else(|| EnactError::Refused(format!("no matches for kind \"{kind}\"")))?;
    let text = |member: &str| object["metadata"][member].as_str().unwrap_or_default();
    let namespace = match (resource_type.is_namespaced(), text("namespace")) {
        (false, _) => "",
        (true, "") => "default",
        (true, namespace) => namespace,
    };
    Ok(ObjectKey::new(resource_type, namespace, text("name")))
}
