//! Field paths: `spec.template.spec.containers[web].image`.
//!
//! Dots between plain keys, list items by their Kubernetes merge key in brackets, other list items by index, map keys
//! with characters other than `[A-Za-z0-9_-]` in brackets. Where the order of keyed items means something it is a leaf of
//! its own, the list with empty brackets: `spec.template.spec.initContainers[]`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::secret::is_placeholder;

/// The leaves of an object by path. Empty objects, empty lists and nulls are no leaves: empty is the same as absent.
pub type Fields = BTreeMap<String, Value>;

/// The leaves of `value`. A secret placeholder is one leaf.
#[must_use]
pub fn flatten(value: &Value) -> Fields {
    // All at once they become a map much faster than one by one: they come nearly sorted.
    let mut fields = Vec::new();
    let mut path = String::with_capacity(96);
    walk(value, "", &mut path, &mut |path, leaf| fields.push((path.to_owned(), leaf)));
    fields.into_iter().collect()
}

/// Tells of every leaf that both values have, as [`flatten`] finds them: the path, the left one and the right one.
pub(super) fn common_leaves(left: &Value, right: &Value, tell: &mut impl FnMut(&str, &Value, &Value)) {
    let mut path = String::with_capacity(96);
    walk_both(left, right, "", &mut path, tell);
}

fn walk_both(
    left: &Value,
    right: &Value,
    parent: &str,
    path: &mut String,
    tell: &mut impl FnMut(&str, &Value, &Value),
) {
    if is_leaf(left) || is_leaf(right) {
        if is_leaf(left) && is_leaf(right) && !left.is_null() && !right.is_null() {
            tell(path, left, right);
        }
        return;
    }
    let length = path.len();
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, right) in right {
                let Some(left) = left.get(key) else { continue };
                push_key(path, key);
                walk_both(left, right, key, path, tell);
                path.truncate(length);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            if let (Some(left), Some(right)) = (order(path, left), order(path, right)) {
                path.push_str("[]");
                tell(path, &left, &right);
                path.truncate(length);
            }
            let lefts: BTreeMap<String, &Value> = item_keys(parent, left).into_iter().zip(left).collect();
            for (key, right) in item_keys(parent, right).into_iter().zip(right) {
                let Some(left) = lefts.get(&key) else { continue };
                push_item(path, &key);
                walk_both(left, right, "", path, tell);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// Whether a path means the order of a list's items.
#[must_use]
pub fn is_order_path(path: &str) -> bool {
    path.ends_with("[]")
}

/// The order of a list's items, where it means something: init containers run one after another, and a variable may
/// speak of those before it.
fn order(path: &str, items: &[Value]) -> Option<Value> {
    let list = path.rsplit('.').next()?;
    let means_something = match list {
        "initContainers" => true,
        "env" => items.iter().any(|item| item["value"].as_str().is_some_and(|text| text.contains("$("))),
        _ => false,
    };
    (means_something && items.len() > 1).then(|| item_keys(list, items).into())
}

/// The leaf or subtree at a path as [`flatten`] spells it.
#[must_use]
pub fn value_at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut found = None;
    let mut current = String::with_capacity(96);
    visit(value, "", &mut current, &mut |here, node| {
        if here == path {
            found = Some(node);
        }
        // Go on only below prefixes of the wanted path.
        path.starts_with(here)
    });
    found
}

fn walk(value: &Value, parent: &str, path: &mut String, leaf: &mut impl FnMut(&str, Value)) {
    visit(value, parent, path, &mut |here, node| {
        if is_leaf(node) {
            if !node.is_null() {
                leaf(here, node.clone());
            }
            return false;
        }
        if let Value::Array(items) = node
            && let Some(order) = order(here, items)
        {
            leaf(&format!("{here}[]"), order);
        }
        true
    });
}

fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(_) => is_placeholder(value),
        Value::Array(_) => false,
        _ => true,
    }
}

/// Visits `value` and everything below it, as long as `enter` says so. `parent` is the key `value` is found under.
fn visit<'a>(value: &'a Value, parent: &str, path: &mut String, enter: &mut impl FnMut(&str, &'a Value) -> bool) {
    if !enter(path, value) {
        return;
    }
    let length = path.len();
    match value {
        Value::Object(object) if !is_placeholder(value) => {
            for (key, member) in object {
                push_key(path, key);
                visit(member, key, path, enter);
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (item, key) in items.iter().zip(item_keys(parent, items)) {
                push_item(path, &key);
                visit(item, "", path, enter);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// Appends a map key to a path.
pub fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if plain {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
    } else {
        push_item(path, key);
    }
}

/// Appends the key of a list item to a path.
fn push_item(path: &mut String, key: &str) {
    path.push('[');
    path.push_str(key);
    path.push(']');
}

/// What stands in brackets for each item of a list: its merge key, or its index where Kubernetes has none. `parent` is the
/// map key the list is found under.
#[must_use]
pub fn item_keys(parent: &str, items: &[Value]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let key_of = |(index, item): (usize, &Value)| {
        let Some(key) = merge_key(parent, item) else { return index.to_string() };
        // Keys that repeat (Kubernetes lets some) get their position among the equal ones.
        let earlier = seen.entry(key.clone()).or_default();
        *earlier += 1;
        if *earlier == 1 { key } else { format!("{key}#{earlier}") }
    };
    items.iter().enumerate().map(key_of).collect()
}

/// The merge key of a list item by itself, whatever else the list holds; `None` where Kubernetes has none.
#[must_use]
pub fn merge_key(parent: &str, item: &Value) -> Option<String> {
    let text = |member: &str| match item.get(member)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match parent {
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" => text("name"),
        "volumeMounts" => text("mountPath"),
        "ports" => {
            let port = text("containerPort").or_else(|| text("port"))?;
            let protocol = text("protocol").unwrap_or_else(|| "TCP".to_owned());
            Some(format!("{port}/{}", protocol.to_ascii_lowercase()))
        }
        "rules" => text("host"),
        "paths" => text("path"),
        "hostAliases" => text("ip"),
        "extraMounts" => text("containerPath"),
        "extraPortMappings" => {
            let protocol = text("protocol").unwrap_or_else(|| "TCP".to_owned());
            Some(format!("{}/{}", text("hostPort")?, protocol.to_ascii_lowercase()))
        }
        // Sets of words: order means nothing.
        "accessModes" | "finalizers" => item.as_str().map(str::to_owned),
        _ => None,
    }
}

/// The value without members that are null.
#[must_use]
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(key, member)| (key.clone(), without_nulls(member)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// Replaces the leaf or subtree at a path; nothing happens where there is none.
pub fn replace_at(value: &mut Value, path: &str, new: &Value) -> bool {
    let mut current = String::with_capacity(96);
    replace_below(value, "", &mut current, path, new)
}

fn replace_below(value: &mut Value, parent: &str, current: &mut String, path: &str, new: &Value) -> bool {
    if current == path {
        *value = new.clone();
        return true;
    }
    if !path.starts_with(current.as_str()) {
        return false;
    }
    let length = current.len();
    match value {
        Value::Object(object) => object.iter_mut().any(|(key, member)| {
            push_key(current, key);
            let done = replace_below(member, key, current, path, new);
            current.truncate(length);
            done
        }),
        Value::Array(items) => {
            let keys = item_keys(parent, items);
            items.iter_mut().zip(keys).any(|(item, key)| {
                push_item(current, &key);
                let done = replace_below(item, "", current, path, new);
                current.truncate(length);
                done
            })
        }
        _ => false,
    }
}

/// Takes the leaves at these paths out: they become null, and list items of which nothing is left go. An item without its
/// key would leave those beside it without their paths.
pub fn drop_leaves(value: &mut Value, paths: &BTreeSet<String>) {
    drop_below(value, "", &mut String::with_capacity(96), paths);
}

fn drop_below(value: &mut Value, parent: &str, current: &mut String, paths: &BTreeSet<String>) {
    if is_leaf(value) {
        if paths.contains(current.as_str()) {
            *value = Value::Null;
        }
        return;
    }
    let length = current.len();
    match value {
        Value::Object(object) => {
            for (key, member) in object {
                push_key(current, key);
                drop_below(member, key, current, paths);
                current.truncate(length);
            }
        }
        Value::Array(items) => {
            let keys = item_keys(parent, items);
            let mut kept = Vec::with_capacity(items.len());
            for (mut item, key) in std::mem::take(items).into_iter().zip(keys) {
                let was_blank = is_blank(&item);
                push_item(current, &key);
                drop_below(&mut item, "", current, paths);
                current.truncate(length);
                if was_blank || !is_blank(&item) {
                    kept.push(item);
                }
            }
            *items = kept;
        }
        _ => {}
    }
}

/// Whether there is no leaf in a value.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(object) => object.values().all(is_blank),
        Value::Array(items) => items.iter().all(is_blank),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_item_of_which_nothing_is_left_goes_and_its_neighbours_keep_their_paths() {
        let mut cluster = json!({"extraMounts": [
            {"containerPath": "/a", "hostPath": "/srv/a"}, {"containerPath": "/b", "hostPath": "/srv/b"},
            {"containerPath": "/c", "hostPath": "/srv/c"},
        ], "containerdConfigPatches": ["one"], "tolerations": [{}]});
        let gone = ["extraMounts[/a].containerPath", "extraMounts[/a].hostPath", "extraMounts[/b].hostPath"];
        let mut gone: BTreeSet<String> = gone.map(str::to_owned).into();
        gone.insert("containerdConfigPatches[0]".to_owned());
        drop_leaves(&mut cluster, &gone);
        assert_eq!(
            cluster,
            json!({"extraMounts": [
                {"containerPath": "/b", "hostPath": null}, {"containerPath": "/c", "hostPath": "/srv/c"},
            ], "containerdConfigPatches": [], "tolerations": [{}]})
        );
    }

    #[test]
    fn lists_are_keyed_and_empty_is_absent() {
        let object = json!({
            "metadata": {"labels": {"app.kubernetes.io/stack": "shop", "app": "a"}},
            "spec": {"containers": [{"name": "web", "image": "x", "env": [{"name": "A", "value": "1"}], "args": ["-f"]}],
                     "volumes": [], "ports": [{"port": 80}, {"port": 80, "protocol": "UDP"}], "tls": null, "x": {}},
        });
        let fields = flatten(&object);
        let paths: Vec<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "metadata.labels.app",
                "metadata.labels[app.kubernetes.io/stack]",
                "spec.containers[web].args[0]",
                "spec.containers[web].env[A].name",
                "spec.containers[web].env[A].value",
                "spec.containers[web].image",
                "spec.containers[web].name",
                "spec.ports[80/tcp].port",
                "spec.ports[80/udp].port",
                "spec.ports[80/udp].protocol",
            ]
        );
        assert_eq!(value_at(&object, "spec.containers[web].image"), Some(&json!("x")));
        assert_eq!(value_at(&object, "spec.containers[api].image"), None);
        let mut changed = object.clone();
        assert!(replace_at(&mut changed, "spec.containers[web].image", &json!("y")));
        assert_eq!(changed["spec"]["containers"][0]["image"], "y");
        assert!(!replace_at(&mut changed, "spec.containers[api].image", &json!("y")));
    }

    #[test]
    fn order_of_keyed_lists_means_nothing() {
        let left = json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]});
        let right = json!({"env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]});
        assert_eq!(flatten(&left), flatten(&right));
    }
}
