//! Deleting: what holds an object, and what goes along with it.

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::EnactError;
use laconic_engine::resource::Target;
use serde_json::Value;

use super::machine::StoredObject;
use super::transaction::Transaction;
use super::volume;

/// Deletes an object with what belongs to it; one that is held is marked and goes later.
pub fn delete(tx: &mut Transaction<'_>, target: &Target, key: &ObjectKey) -> Result<(), EnactError> {
    let Some(object) = tx.machine().object(target, key) else { return Ok(()) };
    match key.resource_type {
        ResourceType::Namespace if is_system_namespace(&key.name) => {
            return Err(EnactError::Refused(format!(
                "namespaces \"{}\" is forbidden: this namespace may not be deleted",
                key.name
            )));
        }
        ResourceType::Namespace => {
            mark(tx, target, &object);
            delete_contents(tx, target, &key.name);
            remove_if_empty(tx, target, key);
        }
        _ if has_finalizers(&object) => mark(tx, target, &object),
        ResourceType::PersistentVolume | ResourceType::PersistentVolumeClaim => {
            mark(tx, target, &object);
            volume::settle(tx, target);
        }
        resource_type => {
            tx.remove(target, key);
            volume::settle_after(tx, target, resource_type);
        }
    }
    Ok(())
}

/// What keeps an object that was deleted, for people.
pub fn obstacle(object: &StoredObject) -> String {
    let finalizers = object.attributes["metadata"]["finalizers"].as_array().into_iter().flatten();
    let named: Vec<&str> = finalizers.filter_map(Value::as_str).collect();
    match (named.is_empty(), object.key.resource_type) {
        (false, _) => format!("finalizers {}", named.join(", ")),
        (true, ResourceType::Namespace) => "some content in the namespace has finalizers remaining".to_owned(),
        (true, ResourceType::PersistentVolume) => "finalizers kubernetes.io/pv-protection".to_owned(),
        (true, ResourceType::PersistentVolumeClaim) => "finalizers kubernetes.io/pvc-protection".to_owned(),
        (true, _) => "nothing says why".to_owned(),
    }
}

/// Namespaces that the server itself keeps.
pub fn is_system_namespace(name: &str) -> bool {
    matches!(name, "default" | "kube-system" | "kube-public" | "kube-node-lease")
}

/// Whether somebody holds an object until they have done something.
pub fn has_finalizers(object: &StoredObject) -> bool {
    object.attributes["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty())
}

/// Whether an object goes as soon as it has no finalizers; others are held by what uses them.
pub const fn is_plain(resource_type: ResourceType) -> bool {
    !matches!(
        resource_type,
        ResourceType::Namespace | ResourceType::PersistentVolume | ResourceType::PersistentVolumeClaim
    )
}

/// An object has gone: its namespace may have waited for that.
pub fn leave_namespace(tx: &mut Transaction<'_>, target: &Target, key: &ObjectKey) {
    let namespace = ObjectKey::new(ResourceType::Namespace, "", &key.namespace);
    if tx.machine().object(target, &namespace).is_some_and(|namespace| namespace.is_terminating()) {
        remove_if_empty(tx, target, &namespace);
    }
}

fn mark(tx: &mut Transaction<'_>, target: &Target, object: &StoredObject) {
    if object.is_terminating() {
        return;
    }
    let mut marked = object.clone();
    marked.attributes["metadata"]["deletionTimestamp"] = Value::from(tx.now());
    if object.key.resource_type == ResourceType::Namespace {
        marked.attributes["status"]["phase"] = Value::from("Terminating");
    }
    tx.put(target, marked);
}

fn contents(tx: &Transaction<'_>, target: &Target, namespace: &str) -> Vec<ObjectKey> {
    let objects = tx.machine().objects(target);
    objects
        .map(|objects| objects.keys().filter(|key| &*key.namespace == namespace).cloned().collect())
        .unwrap_or_default()
}

/// Everything in a namespace goes, pods with it: nothing holds its claims.
fn delete_contents(tx: &mut Transaction<'_>, target: &Target, namespace: &str) {
    for key in contents(tx, target, namespace) {
        match tx.machine().object(target, &key) {
            Some(object) if has_finalizers(&object) => mark(tx, target, &object),
            _ => tx.remove(target, &key),
        }
    }
    volume::settle(tx, target);
}

fn remove_if_empty(tx: &mut Transaction<'_>, target: &Target, namespace: &ObjectKey) {
    if contents(tx, target, &namespace.name).is_empty() {
        tx.remove(target, namespace);
    }
}
