//! What the laconic-so dialect makes of a deployment directory is what laconic-so made of it, but for the differences
//! that are listed here and explained in docs/src/differences-from-laconic-so.md.

mod cases;

use std::collections::BTreeSet;

use cases::{by_key, compiled, names, text};
use laconic_engine::address::ResourceType;
use laconic_engine::compile::{ClusterInput, compose_cluster, kind_config};
use serde_json::Value;

/// The deliberate differences: case, object, path, reason. An object that one side lacks differs at path `` (empty).
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    (
        "x-jobs",
        "Job/laconic-c968ab80-job-migrate",
        "spec.template.spec.containers[migrate].env[DSN].value",
        "credentials-by-reference",
    ),
    (
        "x-jobs",
        "Job/laconic-c968ab80-job-migrate",
        "spec.template.spec.containers[migrate].env[API_KEY].value",
        "credentials-by-reference",
    ),
    ("x-jobs", "Secret/laconic-c968ab80-generated-secrets", "", "generated-secrets"),
    ("x-mounts", "PersistentVolume/laconic-f0f288ea-sibling", "spec.hostPath.path", "umbrella-sibling"),
];

/// Where two values differ, as paths with list items by their position or name.
fn differences(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for key in keys {
                let (our, their) = (ours.get(key), theirs.get(key));
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match (our, their) {
                    (Some(our), Some(their)) => differences(&path, our, their, found),
                    _ => found.push(path),
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (our, their)) in ours.iter().zip(theirs).enumerate() {
                let name = match (&our["name"], &their["name"]) {
                    (Value::String(our), Value::String(their)) if our == their => our.clone(),
                    _ => index.to_string(),
                };
                differences(&format!("{path}[{name}]"), our, their, found);
            }
        }
        _ if ours == theirs => {}
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn objects_are_those_of_laconic_so() {
    let mut unlisted = Vec::new();
    let mut seen = BTreeSet::new();
    for case in names() {
        let compiled = compiled(&case, "");
        let tenants = [].into();
        let planned = [(case.clone(), Some((compiled.tenant.clone(), compiled.wish_places.clone())))].into();
        let cluster = compose_cluster(&ClusterInput { name: "c", registered: &tenants, planned, recorded: None });
        let classes = cluster.resources.into_iter().filter(|it| it.address.resource_type == ResourceType::RuntimeClass);
        let ours =
            by_key(compiled.resources.into_iter().chain(classes).map(|resource| resource.attributes.into_value()));
        let theirs: Vec<Value> = serde_json::from_str(&text(&case, "objects.json").unwrap()).unwrap();
        let theirs = by_key(theirs);
        let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
        for key in keys {
            let mut found = Vec::new();
            match (ours.get(key), theirs.get(key)) {
                (Some(ours), Some(theirs)) => differences("", ours, theirs, &mut found),
                _ => found.push(String::new()),
            }
            for path in found {
                let listed = DIFFERENCES.iter().position(|(a, b, c, _)| (*a, *b, *c) == (&case, key, &path));
                match listed {
                    Some(index) => {
                        seen.insert(index);
                    }
                    None => unlisted.push(format!("{case} {key} {path}")),
                }
            }
        }
    }
    assert!(unlisted.is_empty(), "differences that nobody wanted:\n{}", unlisted.join("\n"));
    let gone: Vec<_> = DIFFERENCES.iter().enumerate().filter(|(index, _)| !seen.contains(index)).collect();
    assert!(gone.is_empty(), "listed differences that are none: {gone:#?}");
}

#[test]
fn every_difference_is_explained() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/differences-from-laconic-so.md");
    let document = std::fs::read_to_string(path).unwrap();
    let objects = DIFFERENCES.iter().map(|(.., reason)| reason);
    for reason in objects.chain(MOUNT_DIFFERENCES.iter().map(|(.., reason)| reason)) {
        assert!(document.contains(&format!("`{reason}`")), "{reason} is not explained");
    }
}

/// A kind configuration as it is meant: defaults written out, lists in order, doubled entries once.
fn meaning(text: &str) -> Value {
    let mut config: Value = serde_yaml::from_str(text).unwrap();
    let node = &mut config["nodes"][0];
    for list in ["extraMounts", "extraPortMappings"] {
        let mut entries = node[list].as_array().cloned().unwrap_or_default();
        for entry in &mut entries {
            if list == "extraPortMappings" && entry["protocol"].is_null() {
                entry["protocol"] = "TCP".into();
            }
        }
        entries.sort_by_key(Value::to_string);
        entries.dedup();
        node[list] = entries.into();
    }
    config
}

/// Mounts that laconic-so does not make: case, container path, reason.
const MOUNT_DIFFERENCES: &[(&str, &str, &str)] = &[("x-mounts", "/mnt/sibling", "umbrella-sibling")];

#[test]
fn kind_configurations_mean_the_same() {
    for case in names() {
        let Some(theirs) = text(&case, "kind-config.normalized.yml") else { continue };
        let compiled = compiled(&case, "");
        let tenants = [].into();
        let planned = [(case.clone(), Some((compiled.tenant, compiled.wish_places)))].into();
        let cluster = compose_cluster(&ClusterInput { name: "c", registered: &tenants, planned, recorded: None });
        let attributes = &cluster.resources.first().unwrap().attributes.value();
        let mut ours = meaning(&kind_config(attributes));
        let mut listed: Vec<&str> =
            MOUNT_DIFFERENCES.iter().filter(|(name, _, _)| *name == case).map(|(_, path, _)| *path).collect();
        if let Some(mounts) = ours["nodes"][0]["extraMounts"].as_array_mut() {
            mounts.retain(|mount| {
                let before = listed.len();
                listed.retain(|path| mount["containerPath"] != *path);
                listed.len() == before
            });
        }
        assert!(listed.is_empty(), "{case}: listed mounts that are not made: {listed:?}");
        assert_eq!(ours, meaning(&theirs), "{case}");
    }
}
