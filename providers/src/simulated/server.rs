//! An API server: makes, changes and deletes objects by the rules of Kubernetes.

use std::collections::BTreeSet;
use std::sync::Arc;

use laconic_engine::address::{ObjectKey, ResourceType};
use laconic_engine::apply::EnactError;
use laconic_engine::resource::{FieldOwner, Live, Target};
use serde_json::{Value, json};

use super::deletion::{has_finalizers, is_plain, leave_namespace};
use super::machine::StoredObject;
use super::ownership::{move_to, owned_paths, resolve_conflicts, sent_leaves, take_ownership, take_written};
use super::transaction::Transaction;
use super::{MANAGER, defaults, immutable, paths, policy, types, validation, volume};

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

fn check_cluster(tx: &Transaction<'_>, target: &Target) -> Result<(), EnactError> {
    tx.machine().identity(target).map_or_else(|| Err(no_cluster(target)), |_| Ok(()))
}

/// Whether something can be made there.
fn check_place(tx: &Transaction<'_>, target: &Target, key: &ObjectKey) -> Result<(), EnactError> {
    check_cluster(tx, target)?;
    if !key.resource_type.is_namespaced() {
        return Ok(());
    }
    let namespace = ObjectKey::new(ResourceType::Namespace, "", &key.namespace);
    match tx.machine().object(target, &namespace) {
        // It can be made again once it is gone.
        Some(namespace) if namespace.is_terminating() => Err(EnactError::Transient(format!(
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
    check_valid(key, &attributes)?;
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

/// Refuses what server-side apply cannot read, before anything is put into it.
fn check_shape(key: &ObjectKey, object: &Value) -> Result<(), EnactError> {
    types::check(key.resource_type, object).map_err(|problem| {
        EnactError::Refused(format!(
            "failed to create typed patch object ({}/{}; {}, Kind={}): {problem}",
            key.namespace,
            key.name,
            key.resource_type.api_version(),
            key.resource_type.kind()
        ))
    })
}

/// Refuses what admission and validation refuse.
fn check_valid(key: &ObjectKey, object: &Value) -> Result<(), EnactError> {
    validation::check(key.resource_type, object)
        .map_err(|problem| EnactError::Refused(format!("{} is invalid: {problem}", shown(key))))
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

/// Server-side apply of a whole object by one manager.
pub fn update(
    tx: &mut Transaction<'_>,
    target: &Target,
    key: &ObjectKey,
    sent: &Value,
    expected_uid: Option<&str>,
    change: &Change<'_>,
) -> Result<Live, EnactError> {
    check_cluster(tx, target)?;
    let before = existing(tx, target, key, expected_uid)?;
    check_shape(key, sent)?;
    let mut sent = sent.clone();
    defaults::normalise(key.resource_type, &mut sent);
    let leaves = sent_leaves(&sent);
    let mut after = StoredObject::clone(&before);
    resolve_conflicts(&mut after, &leaves, change.manager, change.force)
        .map_err(|conflicts| EnactError::Stale(format!("{conflicts} ({})", shown(key))))?;

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
    check_cluster(tx, target)?;
    let before = existing(tx, target, key, expected_uid)?;
    let mut sent = sent.clone();
    defaults::normalise(key.resource_type, &mut sent);
    let mut after = StoredObject::clone(&before);
    if !move_to(&mut after, MANAGER, &owned_paths(&sent), tx.now()) {
        return Ok(before.live());
    }
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
    // An expandable class is what others' clusters have for the claims they provision, and kind has not.
    let can_grow = matches!(target, Target::Kubernetes(_))
        && before.text("/spec/storageClassName") == volume::DYNAMIC_CLASS
        && before.text("/status/phase") == "Bound";
    immutable::check(key.resource_type, &before.attributes, &after.attributes, can_grow)
        .map_err(|problem| EnactError::Refused(format!("{} is invalid: {problem}", shown(&key))))?;
    check_valid(&key, &after.attributes)?;
    if before.attributes == after.attributes && before.owners == after.owners {
        return Ok(before.live());
    }
    if after.is_terminating() && !has_finalizers(&after) && is_plain(key.resource_type) {
        // The last finalizer was what kept it.
        let last = after.live();
        tx.remove(target, &key);
        leave_namespace(tx, target, &key);
        return Ok(last);
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
    check_cluster(tx, target)?;
    let Some(before) = tx.machine().object(target, key) else {
        return Err(EnactError::Refused(format!("{} not found", shown(key))));
    };
    let mut after = StoredObject::clone(&before);
    let is_there = value.is_some();
    match value {
        Some(value) => {
            paths::set(&mut after.attributes, path, value);
            defaults::normalise_stored(key.resource_type, &mut after.attributes);
        }
        None => paths::remove(&mut after.attributes, path),
    }
    take_written(&mut after, manager, path, is_there, tx.now());
    store(tx, target, &before, after, manager)
}
