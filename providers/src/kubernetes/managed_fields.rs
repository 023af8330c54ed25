//! Field ownership as the API server keeps it (`metadata.managedFields`), in terms of field paths.
//!
//! An entry's `fieldsV1` is a trie whose edges are `f:` and a map key, `k:` and the identifying fields of a list item as
//! JSON, `v:` and the value of a set's item, `i:` and an index; an empty node is a leaf. A leaf above a list or map that
//! is owned as a whole stands for everything beneath it.

use std::collections::BTreeSet;

use laconic_engine::diff::path::{item_keys, push_key};
use laconic_engine::diff::{Fields, flatten};
use laconic_engine::resource::FieldOwner;
use serde_json::{Map, Value};

/// Who owns which fields of a live object, by the paths of its leaves. What is written through the status is left out.
pub(crate) fn owners(live: &Value) -> Vec<FieldOwner> {
    let Some(entries) = live["metadata"]["managedFields"].as_array() else { return Vec::new() };
    let leaves = flatten(live);
    entries
        .iter()
        .filter(|entry| entry["subresource"] != "status")
        .map(|entry| {
            let mut paths = BTreeSet::new();
            if let Some(fields) = entry["fieldsV1"].as_object() {
                let mut walk = Walk { leaves: &leaves, paths: &mut paths };
                walk.below(fields, Some(live), "", &mut String::new());
            }
            let text = |member: &str| entry[member].as_str().unwrap_or_default().to_owned();
            FieldOwner { manager: text("manager"), time: text("time"), paths }
        })
        .collect()
}

struct Walk<'a> {
    leaves: &'a Fields,
    paths: &'a mut BTreeSet<String>,
}

impl Walk<'_> {
    /// Collects what lies beneath `path`, where the live object has `value` under the map key `parent`.
    fn below(&mut self, fields: &Map<String, Value>, value: Option<&Value>, parent: &str, path: &mut String) {
        let items = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let keys = item_keys(parent, items);
        for (edge, node) in fields {
            let length = path.len();
            let Some((child, key)) = step(edge, value, items, &keys, path) else { continue };
            match node.as_object() {
                Some(deeper) if !deeper.is_empty() => self.below(deeper, child, key, path),
                _ => self.leaf(path),
            }
            path.truncate(length);
        }
    }

    fn leaf(&mut self, path: &str) {
        let beneath = self.leaves.range(path.to_owned()..).map(|(leaf, _)| leaf);
        let beneath = beneath.take_while(|leaf| leaf.starts_with(path));
        let whole =
            |leaf: &&String| leaf.get(path.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        let found: Vec<String> = beneath.filter(whole).cloned().collect();
        if found.is_empty() {
            self.paths.insert(path.to_owned());
        }
        self.paths.extend(found);
    }
}

/// Goes along one edge: the live value there, the map key it is under, and the longer path. `None` for `.`, which is the
/// node itself, and for items that are not there. `items` and `keys` are the live value's, where it is a list.
fn step<'a, 'e>(
    edge: &'e str,
    value: Option<&'a Value>,
    items: &'a [Value],
    keys: &[String],
    path: &mut String,
) -> Option<(Option<&'a Value>, &'e str)> {
    if let Some(key) = edge.strip_prefix("f:") {
        push_key(path, key);
        return Some((value.and_then(|value| value.get(key)), key));
    }
    let index = position(edge, items)?;
    let (item, key) = (items.get(index)?, keys.get(index)?);
    path.push('[');
    path.push_str(key);
    path.push(']');
    Some((Some(item), ""))
}

/// Which item of a list an edge means.
pub(crate) fn position(edge: &str, items: &[Value]) -> Option<usize> {
    let (sort, text) = edge.split_once(':')?;
    match sort {
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(text).ok()?;
            items.iter().position(|item| keys.iter().all(|(key, wanted)| is_keyed_by(item, key, wanted)))
        }
        "v" => {
            let wanted: Value = serde_json::from_str(text).ok()?;
            items.iter().position(|item| *item == wanted)
        }
        "i" => text.parse().ok().filter(|index| *index < items.len()),
        _ => None,
    }
}

/// Whether an item has that identifying field; what the server fills in before it looks counts as there.
fn is_keyed_by(item: &Value, key: &str, wanted: &Value) -> bool {
    match item.get(key) {
        Some(value) => value == wanted,
        None => key == "protocol" && wanted == "TCP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn owners_are_told_by_the_paths_of_leaves() {
        let live = json!({
            "metadata": {
                "name": "web", "labels": {"app.kubernetes.io/stack": "shop"},
                "managedFields": [
                    {"manager": "laconic", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:app.kubernetes.io/stack": {}}},
                        "f:spec": {
                            "f:rules": {},
                            "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:targetPort": {}}},
                            "f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
                                ".": {}, "f:name": {}, "f:image": {}, "f:args": {}}}}},
                        }}},
                    {"manager": "kubectl-scale", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
                    {"manager": "kube-controller-manager", "subresource": "status", "fieldsV1": {"f:status": {}}},
                ],
            },
            "spec": {
                "replicas": 2,
                "rules": [{"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix"}]}}],
                "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
                "template": {"spec": {"containers": [{"name": "web", "image": "x", "args": ["-a", "-b"]}]}},
            },
        });
        let owners = owners(&live);
        assert_eq!(owners.len(), 2);
        let paths: Vec<&str> = owners[0].paths.iter().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "metadata.labels[app.kubernetes.io/stack]",
                "spec.ports[80/tcp].port",
                "spec.ports[80/tcp].targetPort",
                "spec.rules[a.example].host",
                "spec.rules[a.example].http.paths[/].path",
                "spec.rules[a.example].http.paths[/].pathType",
                "spec.template.spec.containers[web].args[0]",
                "spec.template.spec.containers[web].args[1]",
                "spec.template.spec.containers[web].image",
                "spec.template.spec.containers[web].name",
            ]
        );
        assert_eq!(owners[1].manager, "kubectl-scale");
        assert!(owners[1].paths.contains("spec.replicas"));
    }
}
