//! Volumes: which claim is bound to which volume, where the bytes are, and what becomes of them.

use std::sync::Arc;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::export::SELECTED_NODE;
use laconic_engine::resource::Target;
use serde_json::{Value, json};

use super::deletion::{has_finalizers, leave_namespace};
use super::machine::{FileEntry, FileSystem, Machine, StoredObject};
use super::quantity;
use super::reference;
use super::transaction::{Mutation, Transaction};

/// The class that provisions volumes when a claim names none.
pub const DYNAMIC_CLASS: &str = "standard";

/// Lets the volume controllers act on an object that was just made. Everything else is settled already, and looking at
/// all of it for each new object would make a large host slow.
pub fn settle_new(tx: &mut Transaction<'_>, target: &Target, key: &ObjectKey) {
    let claims = match key.resource_type {
        ResourceType::PersistentVolume => {
            if let Some(volume) = tx.machine().object(target, key) {
                settle_volume(tx, target, &volume);
            }
            tx.machine().objects_of(target, ResourceType::PersistentVolumeClaim)
        }
        ResourceType::PersistentVolumeClaim => tx.machine().object(target, key).into_iter().collect(),
        // A claim may have waited for its first pod.
        ResourceType::Deployment | ResourceType::Job => {
            tx.machine().objects_in(target, ResourceType::PersistentVolumeClaim, &key.namespace)
        }
        _ => return,
    };
    bind_pending(tx, target, &claims);
}

/// Lets the volume controllers act when an object of that type was changed or deleted.
pub fn settle_after(tx: &mut Transaction<'_>, target: &Target, resource_type: ResourceType) {
    if matches!(
        resource_type,
        ResourceType::PersistentVolume
            | ResourceType::PersistentVolumeClaim
            | ResourceType::Deployment
            | ResourceType::Job
    ) {
        settle(tx, target);
    }
}

/// Lets the volume controllers act: what is marked and unused goes, what fits together is bound, what lost its claim is
/// released.
pub fn settle(tx: &mut Transaction<'_>, target: &Target) {
    for claim in tx.machine().objects_of(target, ResourceType::PersistentVolumeClaim) {
        if claim.is_terminating()
            && !has_finalizers(&claim)
            && reference::user_of(tx.machine(), target, &claim.key).is_none()
        {
            tx.remove(target, &claim.key);
            leave_namespace(tx, target, &claim.key);
        }
    }
    for volume in tx.machine().objects_of(target, ResourceType::PersistentVolume) {
        settle_volume(tx, target, &volume);
    }
    let claims = tx.machine().objects_of(target, ResourceType::PersistentVolumeClaim);
    bind_pending(tx, target, &claims);
}

fn bind_pending(tx: &mut Transaction<'_>, target: &Target, claims: &[Arc<StoredObject>]) {
    for claim in claims {
        if claim.text("/status/phase") == "Pending" && !claim.is_terminating() {
            bind(tx, target, claim);
        }
    }
}

fn claim_of(machine: &Machine, target: &Target, volume: &StoredObject) -> Option<Arc<StoredObject>> {
    let (namespace, name) = (volume.text("/spec/claimRef/namespace"), volume.text("/spec/claimRef/name"));
    let claim = machine.object(target, &ObjectKey::new(ResourceType::PersistentVolumeClaim, namespace, name))?;
    let uid = volume.text("/spec/claimRef/uid");
    (uid.is_empty() || uid == claim.uid).then_some(claim)
}

fn settle_volume(tx: &mut Transaction<'_>, target: &Target, volume: &Arc<StoredObject>) {
    let is_claimed = volume.attributes["spec"].get("claimRef").is_some();
    let claim = claim_of(tx.machine(), target, volume);
    if volume.is_terminating() && claim.is_none() && !has_finalizers(volume) {
        tx.remove(target, &volume.key);
        return;
    }
    let phase = match (is_claimed, &claim) {
        (false, _) => "Available",
        (true, None) if volume.text("/spec/claimRef/uid").is_empty() => "Available",
        (true, None) => "Released",
        (true, Some(_)) => return,
    };
    if phase == "Released" && reclaim(tx, target, volume) {
        return;
    }
    if volume.text("/status/phase") != phase {
        let mut changed = StoredObject::clone(volume);
        changed.attributes["status"] = json!({"phase": phase});
        tx.put(target, changed);
    }
}

/// What the reclaim policy of a released volume has done; whether the volume is settled by that. Only a provisioner
/// deletes directories: those of volumes that were made by hand stay, whatever their policy says.
fn reclaim(tx: &mut Transaction<'_>, target: &Target, volume: &Arc<StoredObject>) -> bool {
    let is_provisioned = volume.attributes.pointer("/metadata/annotations/pv.kubernetes.io~1provisioned-by").is_some();
    match volume.text("/spec/persistentVolumeReclaimPolicy") {
        "Delete" if is_provisioned => {
            if let Some((file_system, path)) = storage_of(tx.machine(), target, volume) {
                tx.apply(Mutation::RemoveFile(file_system, path));
            }
            tx.remove(target, &volume.key);
            true
        }
        "Delete" if volume.text("/status/phase") != "Failed" => {
            let mut failed = StoredObject::clone(volume);
            failed.attributes["status"] = json!({"phase": "Failed"});
            tx.put(target, failed);
            true
        }
        "Delete" => true,
        _ => false,
    }
}

/// Whether some pod waits for a claim.
fn has_consumer(machine: &Machine, target: &Target, claim: &ObjectKey) -> bool {
    reference::user_of(machine, target, claim).is_some()
}

/// A storage class by its name, if there is one: kind's makes volumes when they are first used.
pub fn class(target: &Target, name: &str) -> Option<Value> {
    let mode = if matches!(target, Target::Kind(_)) { "WaitForFirstConsumer" } else { "Immediate" };
    (name == DYNAMIC_CLASS).then(|| json!({ "volumeBindingMode": mode }))
}

/// Whether a claim is not bound because nobody uses it yet, which is no fault of it.
fn waits_for_consumer(machine: &Machine, target: &Target, claim: &StoredObject) -> bool {
    matches!(target, Target::Kind(_))
        && claim.text("/spec/storageClassName") == DYNAMIC_CLASS
        && claim.text("/spec/volumeName").is_empty()
        && claim.attributes["metadata"]["annotations"][SELECTED_NODE].is_null()
        && !has_consumer(machine, target, &claim.key)
}

fn bind(tx: &mut Transaction<'_>, target: &Target, claim: &Arc<StoredObject>) {
    let volume = match claim.text("/spec/volumeName") {
        "" => matching_volume(tx.machine(), target, claim).or_else(|| provision(tx, target, claim)),
        name => tx.machine().object(target, &ObjectKey::new(ResourceType::PersistentVolume, "", name)),
    };
    let Some(volume) = volume.filter(|volume| fits(volume, claim)) else { return };
    let mut bound = StoredObject::clone(&volume);
    bound.attributes["spec"]["claimRef"] = claim_reference(claim);
    bound.attributes["status"] = json!({"phase": "Bound"});
    tx.put(target, bound);
    let mut claim = StoredObject::clone(claim);
    let capacity = volume.attributes["spec"]["capacity"].clone();
    let modes = volume.attributes["spec"]["accessModes"].clone();
    claim.attributes["spec"]["volumeName"] = Value::from(&*volume.key.name);
    claim.attributes["status"] = json!({"phase": "Bound", "accessModes": modes, "capacity": capacity});
    tx.put(target, claim);
}

fn claim_reference(claim: &StoredObject) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": &*claim.key.namespace,
           "name": &*claim.key.name, "uid": claim.uid})
}

/// Whether a volume may be bound to a claim.
fn fits(volume: &StoredObject, claim: &StoredObject) -> bool {
    let is_free = match volume.attributes["spec"].get("claimRef") {
        None => true,
        Some(_) => {
            let uid = volume.text("/spec/claimRef/uid");
            volume.text("/spec/claimRef/namespace") == &*claim.key.namespace
                && volume.text("/spec/claimRef/name") == &*claim.key.name
                && (uid.is_empty() || uid == claim.uid)
        }
    };
    let size = quantity::compare(volume.text("/spec/capacity/storage"), claim.text("/spec/resources/requests/storage"));
    is_free
        && !volume.is_terminating()
        && volume.text("/spec/storageClassName") == claim.text("/spec/storageClassName")
        && size != Some(std::cmp::Ordering::Less)
}

/// The smallest volume that was made by hand and fits a claim that names none.
fn matching_volume(machine: &Machine, target: &Target, claim: &StoredObject) -> Option<Arc<StoredObject>> {
    machine
        .objects_of(target, ResourceType::PersistentVolume)
        .into_iter()
        .filter(|volume| volume.text("/status/phase") == "Available" && fits(volume, claim))
        .reduce(|smallest, other| {
            let size = |volume: &StoredObject| volume.text("/spec/capacity/storage").to_owned();
            let is_smaller = quantity::compare(&size(&other), &size(&smallest)) == Some(std::cmp::Ordering::Less);
            if is_smaller { other } else { smallest }
        })
}

/// Makes a volume for a claim of the dynamic class: on kind when the first pod wants it, elsewhere at once.
fn provision(tx: &mut Transaction<'_>, target: &Target, claim: &StoredObject) -> Option<Arc<StoredObject>> {
    if claim.text("/spec/storageClassName") != DYNAMIC_CLASS || waits_for_consumer(tx.machine(), target, claim) {
        return None;
    }
    let name = format!("pvc-{}", claim.uid);
    let key = ObjectKey::new(ResourceType::PersistentVolume, "", &name);
    let path = format!("/var/local-path-provisioner/{name}_{}_{}", claim.key.namespace, claim.key.name);
    let uid = tx.next_uid();
    let attributes = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "uid": uid, "creationTimestamp": tx.now(),
                     "annotations": {"pv.kubernetes.io/provisioned-by": "rancher.io/local-path"}},
        "spec": {"accessModes": claim.attributes["spec"]["accessModes"],
                 "capacity": claim.attributes["spec"]["resources"]["requests"],
                 "hostPath": {"path": path, "type": "DirectoryOrCreate"},
                 "persistentVolumeReclaimPolicy": "Delete", "storageClassName": DYNAMIC_CLASS,
                 "volumeMode": "Filesystem"},
        "status": {"phase": "Available"},
    });
    tx.put(target, StoredObject { key: key.clone(), uid, attributes, owners: Vec::new(), polls: 0 });
    tx.machine().object(target, &key)
}

/// Where a volume's bytes are; `None` when it has no host path.
pub fn storage_of(machine: &Machine, target: &Target, volume: &StoredObject) -> Option<(FileSystem, String)> {
    let path = volume.attributes.pointer("/spec/hostPath/path").and_then(Value::as_str)?;
    match target {
        Target::Kubernetes(name) => Some((FileSystem::Node(name.clone()), path.to_owned())),
        Target::Kind(name) => super::directories::resolve(machine, name, path).map(|resolved| resolved.entry),
    }
}

/// Where the bytes of a claim are; `None` while it is not bound.
pub fn storage_of_claim(machine: &Machine, target: &Target, claim: &ObjectKey) -> Option<(FileSystem, String)> {
    let claim = machine.object(target, claim)?;
    if claim.text("/status/phase") != "Bound" {
        return None;
    }
    let name = claim.text("/spec/volumeName");
    let volume = machine.object(target, &ObjectKey::new(ResourceType::PersistentVolume, "", name))?;
    storage_of(machine, target, &volume)
}

/// The pods of a workload run: each claim it uses has data from now on. What is there already stays as it is.
pub fn write_data(tx: &mut Transaction<'_>, target: &Target, workload: &StoredObject) {
    let claims = reference::references(&workload.key, &workload.attributes)
        .into_iter()
        .filter(|reference| reference.to.resource_type == ResourceType::PersistentVolumeClaim);
    for reference in claims {
        let Some((file_system, path)) = storage_of_claim(tx.machine(), target, &reference.to) else { continue };
        if matches!(tx.machine().file(&file_system, &path), Some(FileEntry::Data(_))) {
            continue;
        }
        if file_system == FileSystem::Host {
            tx.make_host_directory(&path);
        }
        let text = format!("written by {}/{} at {}", workload.key.namespace, workload.key.name, tx.now());
        tx.apply(Mutation::PutFile(file_system, path, FileEntry::Data(text)));
    }
}
