//! An API server: makes, changes and deletes objects by the rules of Kubernetes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::EnactError;
use laconic_engine::resource::{FieldOwner, Live, Target};
use serde_json::{Value, json};

use super::machine::StoredObject;
use super::transaction::Transaction;
use super::{MANAGER, defaults, immutable, paths, policy, volume};

/// What others do to an object when they ask for a change.
pub struct Change<'a> {
    /// The field manager who asks.
    pub manager: &'a str,
    /// Whether fields that another manager owns are taken.
    pub force: bool,
}

/// Why nothing answers for a kind cluster that is not there.
pub fn no_cluster(target: &Target) -> EnactError {
    EnactError::Refused(format!("could not locate any control plane nodes for cluster named '{}'", target.name()))
}

/// The name people and servers use for a kind of object: `deployments.apps "web"`.
fn shown(key: &ObjectKey) -> String {
    let group = key.resource_type.api_version().split_once('/').map_or("", |(group, _)| group);
    let dot = if group.is_empty() { "" } else { "." };
    format!("{}{dot}{group} \"{}\"", key.resource_type.kind(), key.name)
}

fn check_place(tx: &Transaction<'_>, target: &Target, key: &ObjectKey) -> Result<(), EnactError> {
    if tx.machine().identity(target).is_none() {
        return Err(no_cluster(target));
    }
    if !key.resource_type.is_namespaced() {
        return Ok(());
    }
    let namespace = ObjectKey::new(ResourceType::Namespace, "", &key.namespace);
    match tx.machine().object(target, &namespace) {
        Some(namespace) if namespace.is_terminating() => Err(EnactError::Refused(format!(
            "{} is forbidden: unable to create new content in namespace {} because it is being terminated",
            shown(key),
            key.namespace
        ))),
        Some(_) => Ok(()),
        None => Err(EnactError::Refused(format!("namespaces \"{}\" not found", key.namespace))),
    }
}

/// Makes an object that is not there.
pub fn create(
    tx: &mut Transaction<'_>,
    target: &Target,
    key: &ObjectKey,
    sent: &Value,
    manager: &str,
) -> Result<Live, EnactError> {
    check_place(tx, target, key)?;
    check_shape(key, sent)?;
    if let Some(there) = tx.machine().object(target, key) {
        let managers = there.owners.iter().map(|owner| owner.manager.clone()).collect();
        return Err(EnactError::Exists { uid: there.uid.clone(), managers });
    }
    let number = tx.next_number();
    let uid = tx.machine().uid(number);
    let mut attributes = sent.clone();
    paths::drop_nulls(&mut attributes);
    defaults::normalise(key.resource_type, &mut attributes);
    let paths = owned_paths(&attributes);
    attributes["metadata"]["name"] = Value::from(&*key.name);
    if key.resource_type.is_namespaced() {
        attributes["metadata"]["namespace"] = Value::from(&*key.namespace);
    }
    defaults::fill(key.resource_type, &mut attributes, &uid, number);
    attributes["apiVersion"] = Value::from(key.resource_type.api_version());
    attributes["kind"] = Value::from(key.resource_type.kind());
    attributes["metadata"]["uid"] = Value::from(uid.clone());
    attributes["metadata"]["creationTimestamp"] = Value::from(tx.now());
    if has_generation(key.resource_type) {
        attributes["metadata"]["generation"] = json!(1);
    }
    if let Some(status) = first_status(key.resource_type) {
        attributes["status"] = status;
    }
    let owners = vec![FieldOwner { manager: manager.to_owned(), time: tx.now(), paths }];
    let mut object = StoredObject { key: key.clone(), uid, attributes, owners, polls: 0 };
    policy::admit(tx.machine(), &mut object, sent, "create")?;
    tx.put(target, object);
    volume::settle_new(tx, target, key);
    live(tx, target, key)
}

/// Refuses what is no object at all, before anything is put into it.
fn check_shape(key: &ObjectKey, object: &Value) -> Result<(), EnactError> {
    let is_map = |value: Option<&Value>| value.is_none_or(|value| value.is_object() || value.is_null());
    let is_sound = object.is_object()
        && ["metadata", "spec", "status"].into_iter().all(|section| is_map(object.get(section)))
        && ["labels", "annotations"].into_iter().all(|map| is_map(object["metadata"].get(map)));
    match is_sound {
        true => Ok(()),
        false => Err(EnactError::Refused(format!("{} in version is invalid: it is no object", shown(key)))),
    }
}

/// The object as it is now.
pub fn live(tx: &Transaction<'_>, target: &Target, key: &ObjectKey) -> Result<Live, EnactError> {
    tx.machine()
        .object(target, key)
        .map(|object| object.live())
        .ok_or_else(|| EnactError::Stale(format!("{} not found", shown(key))))
}

const fn has_generation(resource_type: ResourceType) -> bool {
    matches!(
        resource_type,
        ResourceType::Deployment
            | ResourceType::Job
            | ResourceType::CronJob
            | ResourceType::Ingress
            | ResourceType::IngressClass
    )
}

fn first_status(resource_type: ResourceType) -> Option<Value> {
    match resource_type {
        ResourceType::Namespace => Some(json!({"phase": "Active"})),
        ResourceType::PersistentVolume => Some(json!({"phase": "Available"})),
        ResourceType::PersistentVolumeClaim => Some(json!({"phase": "Pending"})),
        ResourceType::Service | ResourceType::Ingress => Some(json!({"loadBalancer": {}})),
        ResourceType::Deployment | ResourceType::Job | ResourceType::CronJob => Some(json!({})),
        _ => None,
    }
}

/// The paths a manager owns by sending them: everything but what identifies the object.
fn owned_paths(sent: &Value) -> BTreeSet<String> {
    sent_leaves(sent).into_keys().collect()
}

fn sent_leaves(sent: &Value) -> BTreeMap<String, Value> {
    let mut leaves = paths::flatten(sent);
    leaves.retain(|path, value| {
        let identifies =
            matches!(path.as_str(), "apiVersion" | "kind" | "metadata" | "metadata.name" | "metadata.namespace");
        // A `null` asks for a field to go; nobody owns what is not there.
        !identifies && !value.is_null()
    });
    leaves
}

/// Server-side apply of a whole object by one manager.
pub fn update(
    tx: &mut Transaction<'_>,
    target: &Target,
    key: &ObjectKey,
    sent: &Value,
    expected_uid: Option<&str>,
    change: &Change<'_>,
) -> Result<Live, EnactError> {
    check_place(tx, target, key)?;
    let before = existing(tx, target, key, expected_uid)?;
    check_shape(key, sent)?;
    let mut sent = sent.clone();
    defaults::normalise(key.resource_type, &mut sent);
    let leaves = sent_leaves(&sent);
    let mut after = StoredObject::clone(&before);
    resolve_conflicts(key, &mut after, &leaves, change)?;

    let previously: BTreeSet<String> = after
        .owners
        .iter()
        .find(|owner| owner.manager == change.manager)
        .map(|owner| owner.paths.clone())
        .unwrap_or_default();
    for path in previously.iter().rev().filter(|path| !leaves.contains_key(*path)) {
        let is_kept = |prefix: &str| {
            leaves.keys().any(|sent| paths::is_beneath(sent, prefix))
                || after.owners.iter().any(|owner| {
                    owner.manager != change.manager && owner.paths.iter().any(|own| paths::is_beneath(own, prefix))
                })
        };
        // The largest part that nobody wants any more goes as a whole, with what was defaulted in it; never a whole
        // top-level section.
        let gone = paths::prefixes(path).into_iter().filter(|prefix| is_nested(prefix)).find(|prefix| !is_kept(prefix));
        if let Some(gone) = gone {
            paths::remove(&mut after.attributes, gone);
        }
    }
    paths::merge(&mut after.attributes, &sent, "");
    take_ownership(&mut after, change.manager, leaves.into_keys().collect(), tx.now());
    policy::admit(tx.machine(), &mut after, &sent, "patch")?;
    store(tx, target, &before, after, change.manager)
}

/// Gives us the fields that an object given has, whoever applied them; those who own nothing any more are forgotten.
pub fn adopt(
    tx: &mut Transaction<'_>,
    target: &Target,
    key: &ObjectKey,
    sent: &Value,
    expected_uid: Option<&str>,
) -> Result<Live, EnactError> {
    check_place(tx, target, key)?;
    let before = existing(tx, target, key, expected_uid)?;
    let leaves: BTreeSet<String> = sent_leaves(sent).into_keys().collect();
    let mut after = StoredObject::clone(&before);
    for owner in &mut after.owners {
        owner.paths.retain(|path| !leaves.contains(path));
    }
    after.owners.retain(|owner| !owner.paths.is_empty());
    take_ownership(&mut after, MANAGER, leaves, tx.now());
    tx.put(target, after);
    live(tx, target, key)
}

/// The object that is there, if it is the one expected.
fn existing(
    tx: &Transaction<'_>,
    target: &Target,
    key: &ObjectKey,
    expected_uid: Option<&str>,
) -> Result<Arc<StoredObject>, EnactError> {
    let Some(found) = tx.machine().object(target, key) else {
        return Err(EnactError::Stale(format!("{} not found", shown(key))));
    };
    match expected_uid.filter(|expected| *expected != found.uid) {
        Some(expected) => Err(EnactError::Stale(format!(
            "{}: the UID in the precondition ({expected}) does not match the UID in record ({})",
            shown(key),
            found.uid
        ))),
        None => Ok(found),
    }
}

/// Whether a path may go as a whole: anything below the sections, and top-level scalars such as `handler`.
fn is_nested(prefix: &str) -> bool {
    prefix.contains(['.', '[']) || !matches!(prefix, "metadata" | "spec")
}

/// Fields that others own with another value: taken with force, else a conflict.
fn resolve_conflicts(
    key: &ObjectKey,
    object: &mut StoredObject,
    leaves: &BTreeMap<String, Value>,
    change: &Change<'_>,
) -> Result<(), EnactError> {
    let there = paths::flatten(&object.attributes);
    let differing: BTreeSet<&String> =
        leaves.iter().filter(|(path, value)| there.get(*path) != Some(value)).map(|(path, _)| path).collect();
    let mut conflicts = Vec::new();
    for owner in object.owners.iter_mut().filter(|owner| owner.manager != change.manager) {
        let taken: Vec<String> = owner.paths.iter().filter(|path| differing.contains(path)).cloned().collect();
        for path in taken {
            owner.paths.remove(&path);
            conflicts.push(format!("conflict with \"{}\": .{path}", owner.manager));
        }
    }
    object.owners.retain(|owner| !owner.paths.is_empty());
    if conflicts.is_empty() || change.force {
        return Ok(());
    }
    let (count, plural) = (conflicts.len(), if conflicts.len() == 1 { "" } else { "s" });
    Err(EnactError::Stale(format!(
        "Apply failed with {count} conflict{plural}: {} ({})",
        conflicts.join(", "),
        shown(key)
    )))
}

fn take_ownership(object: &mut StoredObject, manager: &str, paths: BTreeSet<String>, time: String) {
    match object.owners.iter_mut().find(|owner| owner.manager == manager) {
        Some(owner) if owner.paths == paths => {}
        Some(owner) => {
            owner.paths = paths;
            owner.time = time;
        }
        None => object.owners.push(FieldOwner { manager: manager.to_owned(), time, paths }),
    }
}

/// Stores a changed object if the server allows the change.
fn store(
    tx: &mut Transaction<'_>,
    target: &Target,
    before: &Arc<StoredObject>,
    mut after: StoredObject,
    manager: &str,
) -> Result<Live, EnactError> {
    let key = after.key.clone();
    check_shape(&key, &after.attributes)?;
    let number = tx.next_number();
    defaults::fill(key.resource_type, &mut after.attributes, &before.uid, number);
    let can_grow = matches!(target, Target::Kubernetes(_)) && before.text("/spec/storageClassName") != "manual";
    immutable::check(key.resource_type, &before.attributes, &after.attributes, can_grow)
        .map_err(|problem| EnactError::Refused(format!("{} is invalid: {problem}", shown(&key))))?;
    if before.attributes == after.attributes && before.owners == after.owners {
        return Ok(before.live());
    }
    if specification(&before.attributes) != specification(&after.attributes) {
        after.polls = 0;
        if has_generation(key.resource_type) {
            let generation = before.attributes["metadata"]["generation"].as_u64().unwrap_or(1) + 1;
            after.attributes["metadata"]["generation"] = Value::from(generation);
        }
    }
    let now = tx.now();
    after.owners.iter_mut().filter(|owner| owner.manager == manager).for_each(|owner| owner.time.clone_from(&now));
    tx.put(target, after);
    volume::settle_after(tx, target, key.resource_type);
    live(tx, target, &key)
}

/// What a `generation` counts the changes of.
fn specification(attributes: &Value) -> Vec<(&String, &Value)> {
    let members = attributes.as_object().into_iter().flatten();
    members.filter(|(name, _)| !matches!(name.as_str(), "metadata" | "status")).collect()
}

/// Changes single fields, as `kubectl edit` does: no conflicts, the fields are the manager's from then on.
pub fn edit(
    tx: &mut Transaction<'_>,
    target: &Target,
    key: &ObjectKey,
    manager: &str,
    path: &str,
    value: Option<Value>,
) -> Result<Live, EnactError> {
    check_place(tx, target, key)?;
    let Some(before) = tx.machine().object(target, key) else {
        return Err(EnactError::Refused(format!("{} not found", shown(key))));
    };
    let mut after = StoredObject::clone(&before);
    for owner in &mut after.owners {
        owner.paths.retain(|own| !paths::is_beneath(own, path));
    }
    after.owners.retain(|owner| !owner.paths.is_empty());
    match value {
        Some(value) => {
            let mut gained: BTreeSet<String> = paths::flatten(&value)
                .into_keys()
                .map(|leaf| match leaf.as_str() {
                    "" => path.to_owned(),
                    leaf if leaf.starts_with('[') => format!("{path}{leaf}"),
                    leaf => format!("{path}.{leaf}"),
                })
                .collect();
            paths::set(&mut after.attributes, path, value);
            defaults::normalise_stored(key.resource_type, &mut after.attributes);
            let own = after.owners.iter().find(|owner| owner.manager == manager);
            gained.extend(own.map(|owner| owner.paths.clone()).unwrap_or_default());
            take_ownership(&mut after, manager, gained, tx.now());
        }
        None => paths::remove(&mut after.attributes, path),
    }
    store(tx, target, &before, after, manager)
}

/// Deletes an object with what belongs to it; one that is in use is marked and goes later.
pub fn delete(tx: &mut Transaction<'_>, target: &Target, key: &ObjectKey) -> Result<(), EnactError> {
    let Some(object) = tx.machine().object(target, key) else { return Ok(()) };
    match key.resource_type {
        ResourceType::Namespace if is_system_namespace(&key.name) => Err(EnactError::Refused(format!(
            "namespaces \"{}\" is forbidden: this namespace may not be deleted",
            key.name
        ))),
        ResourceType::Namespace => {
            delete_contents(tx, target, &key.name);
            tx.remove(target, key);
            Ok(())
        }
        ResourceType::PersistentVolume | ResourceType::PersistentVolumeClaim => {
            if !object.is_terminating() {
                let mut marked = StoredObject::clone(&object);
                marked.attributes["metadata"]["deletionTimestamp"] = Value::from(tx.now());
                tx.put(target, marked);
            }
            volume::settle(tx, target);
            Ok(())
        }
        resource_type => {
            tx.remove(target, key);
            volume::settle_after(tx, target, resource_type);
            Ok(())
        }
    }
}

/// Namespaces that the server itself keeps.
pub fn is_system_namespace(name: &str) -> bool {
    matches!(name, "default" | "kube-system" | "kube-public" | "kube-node-lease")
}

/// Everything in a namespace goes, pods with it: nothing holds its claims.
fn delete_contents(tx: &mut Transaction<'_>, target: &Target, namespace: &str) {
    let inside: Vec<ObjectKey> = tx
        .machine()
        .objects(target)
        .map(|objects| objects.keys().filter(|key| &*key.namespace == namespace).cloned().collect())
        .unwrap_or_default();
    for key in inside {
        tx.remove(target, &key);
    }
    volume::settle(tx, target);
}
