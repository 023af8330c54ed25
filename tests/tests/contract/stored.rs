//! What the two hosts store of the same objects: defaults, spelling, what is left out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use laconic_engine::address::ResourceType;
use serde_json::{Value, json};

use crate::bed::{Bed, key_of};
use crate::objects::{kinds, object, sample};
use crate::{real, simulated};

/// The samples, and some that a server makes more of.
fn objects(bed: &Bed) -> Vec<Value> {
    let mut all: Vec<Value> = kinds().map(|resource_type| sample(bed, resource_type)).collect();
    let probe = json!({"httpGet": {"port": 80}});
    let pod = json!({
        "hostNetwork": true,
        "serviceAccountName": "web",
        "securityContext": {},
        "initContainers": [{"name": "first", "image": "host:5000/first", "env": [{"name": "A", "value": ""}]}],
        "containers": [{
            "name": "web", "image": "example/web", "args": [], "resources": {},
            "ports": [{"containerPort": 80}],
            "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
            "readinessProbe": probe, "livenessProbe": probe, "startupProbe": {"exec": {"command": ["true"]}},
            "volumeMounts": [{"name": "host", "mountPath": "/h", "readOnly": false}],
        }, {"name": "side", "image": "example/side@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 0.5}}}],
        "volumes": [{"name": "host", "hostPath": {"path": "/srv"}}, {"name": "secret", "secret": {"secretName": "s"}},
                    {"name": "cache", "emptyDir": {"sizeLimit": "1024Mi"}}, {"name": "none"}],
    });
    all.push(object(
        bed,
        ResourceType::Deployment,
        "filled",
        json!({"spec": {
            "selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}}, "spec": pod},
        }}),
    ));
    all.push(object(
        bed,
        ResourceType::Deployment,
        "recreated",
        json!({"spec": {
            "selector": {"matchLabels": {"app": "x"}}, "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}},
        }}),
    ));
    all.push(object(
        bed,
        ResourceType::Service,
        "headless",
        json!({"spec": {"clusterIP": "None", "selector": {"app": "x"}}}),
    ));
    all.push(object(
        bed,
        ResourceType::Service,
        "external",
        json!({"spec": {"type": "ExternalName", "externalName": "a.example"}}),
    ));
    all.push(object(
        bed,
        ResourceType::Service,
        "open",
        json!({"spec": {"type": "NodePort", "ports": [{"port": 80}]}}),
    ));
    all.push(object(bed, ResourceType::ConfigMap, "empty", json!({"data": {}})));
    all.push(object(bed, ResourceType::Secret, "text", json!({"stringData": {"a": "b"}})));
    all.push(object(
        bed,
        ResourceType::PersistentVolume,
        "classless",
        json!({"spec": {
        "capacity": {"storage": "1024Mi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/srv/x"}}}),
    ));
    all.push(object(bed, ResourceType::ServiceAccount, "quiet", json!({"automountServiceAccountToken": false})));
    all.push(object(
        bed,
        ResourceType::RoleBinding,
        "people",
        json!({
        "roleRef": {"kind": "Role", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"},
        "subjects": [{"kind": "User", "name": "ci"}]}),
    ));
    all
}

/// What differs from host to host and from time to time.
fn comparable(bed: &Bed, object: &Value) -> Value {
    let uid = object["metadata"]["uid"].as_str().unwrap();
    let text = object.to_string().replace(uid, "UID").replace(&bed.namespace, "NAMESPACE");
    let mut object: Value = serde_json::from_str(&text).unwrap();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for member in ["creationTimestamp", "resourceVersion", "uid"] {
        metadata.remove(member);
    }
    // Volumes are bound at once on the one and in their time on the other, and protected by other means.
    if matches!(object["kind"].as_str(), Some("PersistentVolume" | "PersistentVolumeClaim")) {
        for (pointer, member) in [("", "status"), ("/metadata", "finalizers"), ("/spec", "volumeName")] {
            object.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap().remove(member);
        }
    }
    for (pointer, members) in [("/spec", vec!["clusterIP", "clusterIPs"]), ("/spec/ports/0", vec!["nodePort"])] {
        let Some(map) = object.pointer_mut(pointer).and_then(Value::as_object_mut) else { continue };
        for member in members {
            map.entry(member).and_modify(|value| {
                if value != "None" && *value != json!(["None"]) {
                    *value = "from a pool".into();
                }
            });
        }
    }
    object
}

type Found = Arc<Mutex<BTreeMap<String, Value>>>;

async fn store(bed: &Bed, found: Found) {
    for object in objects(bed) {
        let made = bed.created(&object).await;
        let name = key_of(&object).to_string().replace(&bed.namespace, "NAMESPACE");
        found.lock().unwrap().insert(name, comparable(bed, &made.attributes));
    }
}

#[test]
fn both_hosts_store_the_same() {
    if laconic_testbed::off() {
        return;
    }
    let (simulation, reality) = (Found::default(), Found::default());
    let (on_simulation, on_reality) = (Arc::clone(&simulation), Arc::clone(&reality));
    simulated::run(|bed| store(bed, on_simulation).boxed_local());
    real::run(|bed| store(bed, on_reality).boxed_local());
    let (simulation, reality) = (simulation.lock().unwrap(), reality.lock().unwrap());
    assert_eq!(simulation.len(), reality.len());
    let mut problems = Vec::new();
    for (name, real) in &*reality {
        let (simulated, real) = (leaves(&simulation[name]), leaves(real));
        let all: std::collections::BTreeSet<&String> = simulated.keys().chain(real.keys()).collect();
        for path in all.into_iter().filter(|path| simulated.get(*path) != real.get(*path)) {
            let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
            let (simulated, real) = (shown(simulated.get(path)), shown(real.get(path)));
            problems.push(format!("{name} {path}: simulated {simulated}, real {real}"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The leaves by JSON pointer, empty maps and lists among them.
fn leaves(value: &Value) -> BTreeMap<String, Value> {
    fn walk(value: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                members.iter().for_each(|(name, member)| walk(member, &format!("{path}/{name}"), found));
            }
            Value::Array(items) if !items.is_empty() => {
                items.iter().enumerate().for_each(|(index, item)| walk(item, &format!("{path}/{index}"), found));
            }
            leaf => drop(found.insert(path.to_owned(), leaf.clone())),
        }
    }
    let mut found = BTreeMap::new();
    walk(value, "", &mut found);
    found
}
