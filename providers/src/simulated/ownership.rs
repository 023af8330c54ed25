//! Who owns which fields of an object, and what happens when two want the same.

use std::collections::{BTreeMap, BTreeSet};

use laconic_engine::resource::FieldOwner;
use serde_json::Value;

use super::machine::StoredObject;
use super::paths;

/// The paths a manager owns by sending them: everything but what identifies the object.
pub fn owned_paths(sent: &Value) -> BTreeSet<String> {
    sent_leaves(sent).into_keys().collect()
}

pub fn sent_leaves(sent: &Value) -> BTreeMap<String, Value> {
    let mut leaves = paths::flatten(sent);
    leaves.retain(|path, value| {
        let identifies =
            matches!(path.as_str(), "apiVersion" | "kind" | "metadata" | "metadata.name" | "metadata.namespace");
        // A `null` asks for a field to go; nobody owns what is not there.
        !identifies && !value.is_null()
    });
    leaves
}

/// Fields that others own with another value: taken with force, else a conflict. A list or map that has one owner is
/// compared as a whole.
pub fn resolve_conflicts(
    object: &mut StoredObject,
    leaves: &BTreeMap<String, Value>,
    manager: &str,
    force: bool,
) -> Result<(), String> {
    let there = paths::flatten(&object.attributes);
    let items = |fields: &BTreeMap<String, Value>, part: &str| -> BTreeSet<String> {
        let beneath = fields.range(part.to_owned()..).map(|(path, _)| path).take_while(|path| path.starts_with(part));
        beneath.filter(|path| paths::is_beneath(path, part)).map(|path| item_of(path, part).to_owned()).collect()
    };
    let mut differing: BTreeSet<&str> = BTreeSet::new();
    let mut alike: BTreeSet<&str> = BTreeSet::new();
    for (path, value) in leaves {
        let part = paths::owned_part(path);
        if there.get(path) != Some(value) {
            differing.insert(part);
        } else if part != path {
            alike.insert(part);
        }
    }
    differing.extend(alike.into_iter().filter(|part| items(&there, part) != items(leaves, part)));
    let mut conflicts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for owner in object.owners.iter_mut().filter(|owner| owner.manager != manager) {
        let (taken, kept): (BTreeSet<String>, BTreeSet<String>) =
            owner.paths.iter().cloned().partition(|path| differing.contains(paths::owned_part(path)));
        owner.paths = kept;
        for path in taken {
            let fields = conflicts.entry(owner.manager.clone()).or_default();
            fields.insert(paths::spelled(paths::owned_part(&path)));
        }
    }
    object.owners.retain(|owner| !owner.paths.is_empty());
    if conflicts.is_empty() || force {
        return Ok(());
    }
    let count: usize = conflicts.values().map(BTreeSet::len).sum();
    let plural = if count == 1 { "" } else { "s" };
    let each = conflicts
        .iter()
        .flat_map(|(manager, fields)| fields.iter().map(move |field| format!("conflict with \"{manager}\": {field}")));
    Err(format!("Apply failed with {count} conflict{plural}: {}", each.collect::<Vec<_>>().join(", ")))
}

/// The item of a list, or key of a map, at `part` that a path beneath it leads into.
fn item_of<'a>(path: &'a str, part: &str) -> &'a str {
    let longer = paths::prefixes(path).into_iter().find(|prefix| prefix.len() > part.len());
    longer.unwrap_or(path)
}

/// Gives a manager exactly those fields.
pub fn take_ownership(object: &mut StoredObject, manager: &str, paths: BTreeSet<String>, time: String) {
    match object.owners.iter_mut().find(|owner| owner.manager == manager) {
        Some(owner) if owner.paths == paths => {}
        Some(owner) => {
            owner.paths = paths;
            owner.time = time;
        }
        None => object.owners.push(FieldOwner { manager: manager.to_owned(), time, paths }),
    }
}

/// Gives a manager the field that it has just written, and with it the whole list or map that has one owner.
pub fn take_written(object: &mut StoredObject, manager: &str, path: &str, is_there: bool, time: String) {
    let part = paths::owned_part(path).to_owned();
    for owner in &mut object.owners {
        owner.paths.retain(|own| !paths::is_beneath(own, path) && paths::owned_part(own) != part);
    }
    object.owners.retain(|owner| !owner.paths.is_empty());
    if !is_there && part == path {
        return;
    }
    let beneath = paths::flatten(&object.attributes).into_keys();
    let mut gained: BTreeSet<String> =
        beneath.filter(|leaf| paths::is_beneath(leaf, path) || paths::owned_part(leaf) == part).collect();
    let own = object.owners.iter().find(|owner| owner.manager == manager);
    gained.extend(own.map(|owner| owner.paths.clone()).unwrap_or_default());
    if !gained.is_empty() {
        take_ownership(object, manager, gained, time);
    }
}

/// Moves those of the given fields that others own to a manager; whether there were any.
pub fn move_to(object: &mut StoredObject, manager: &str, wanted: &BTreeSet<String>, time: String) -> bool {
    // Of a value that is only known by a placeholder the place is wanted, whatever the placeholder holds.
    let is_wanted = |path: &String| {
        let beneath = wanted.range(path.clone()..).take_while(|other| other.starts_with(path.as_str()));
        beneath.into_iter().any(|other| paths::is_beneath(other, path))
    };
    let mut moved = BTreeSet::new();
    for owner in object.owners.iter_mut().filter(|owner| owner.manager != manager && !is_system(&owner.manager)) {
        let (taken, kept) = owner.paths.iter().cloned().partition(is_wanted);
        owner.paths = kept;
        moved.extend::<BTreeSet<String>>(taken);
    }
    if moved.is_empty() {
        return false;
    }
    object.owners.retain(|owner| !owner.paths.is_empty());
    let own = object.owners.iter().find(|owner| owner.manager == manager);
    moved.extend(own.map(|owner| owner.paths.clone()).unwrap_or_default());
    take_ownership(object, manager, moved, time);
    true
}

/// Whether a field manager is a part of Kubernetes itself, whose fields are nobody's to take.
fn is_system(manager: &str) -> bool {
    manager.starts_with("kube-") || matches!(manager, "kubelet" | "cloud-controller-manager")
}
