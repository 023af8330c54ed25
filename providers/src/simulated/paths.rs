//! Field paths: dots between plain keys, brackets around list items and unusual map keys.

use std::collections::BTreeMap;

use laconic_engine::diff::path::{item_keys, merge_key};
use serde_json::{Map, Value, json};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// A plain map key.
    Key(String),
    /// What stood in brackets: a list item's name or index, or an unusual map key.
    Bracket(String),
}

/// The leaves of a value by path. Empty maps and lists are leaves.
pub fn flatten(value: &Value) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    walk(value, String::new(), "", &mut leaves);
    leaves
}

fn walk(value: &Value, path: String, key: &str, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                walk(member, child(&path, name), name, leaves);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (item, name) in items.iter().zip(item_keys(key, items)) {
                walk(item, format!("{path}[{name}]"), "", leaves);
            }
        }
        leaf => {
            leaves.insert(path, leaf.clone());
        }
    }
}

fn child(path: &str, key: &str) -> String {
    let is_plain =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    match (is_plain, path.is_empty()) {
        (true, true) => key.to_owned(),
        (true, false) => format!("{path}.{key}"),
        (false, _) => format!("{path}[{key}]"),
    }
}

/// Whether a server merges a list item by item. All others have one owner and are replaced as a whole, though the engine
/// may know their items by a name too.
pub fn is_merged(list: &str) -> bool {
    matches!(
        list,
        "containers"
            | "initContainers"
            | "env"
            | "volumes"
            | "imagePullSecrets"
            | "ports"
            | "volumeMounts"
            | "hostAliases"
            | "finalizers"
    )
}

/// Maps and lists that have one owner: the part of a path down to it, else the whole path.
pub fn owned_part(path: &str) -> &str {
    const WHOLE: [&str; 8] = [
        "selector",
        "nodeSelector",
        "roleRef",
        "configMapKeyRef",
        "secretKeyRef",
        "fieldRef",
        "resourceFieldRef",
        "subsets",
    ];
    let mut list = "";
    for prefix in prefixes(path) {
        let is_item = prefix.ends_with(']') && !list.is_empty() && !is_map(list);
        if is_item && !is_merged(list) {
            return prefix.rsplit_once('[').map_or(path, |(above, _)| above);
        }
        if prefix.ends_with(']') {
            list = "";
            continue;
        }
        list = prefix.rsplit(['.', ']']).next().unwrap_or(prefix);
        // What lies in a map of texts is no field.
        if WHOLE.contains(&list)
            && !prefixes(prefix).iter().any(|above| is_map(above.rsplit('.').next().unwrap_or(above)))
        {
            return prefix;
        }
    }
    path
}

/// Whether brackets after that name hold a key of a map.
fn is_map(name: &str) -> bool {
    matches!(
        name,
        "labels"
            | "annotations"
            | "data"
            | "binaryData"
            | "stringData"
            | "matchLabels"
            | "limits"
            | "requests"
            | "capacity"
            | "parameters"
    )
}

/// A path as servers spell it in messages: `.spec.template.spec.containers[name="web"].image`.
pub fn spelled(path: &str) -> String {
    let mut text = String::new();
    let mut list = String::new();
    for segment in segments(path) {
        match segment {
            Segment::Key(name) => {
                text.push('.');
                text.push_str(&name);
                list = name;
            }
            Segment::Bracket(name) if is_map(&list) => {
                text.push('.');
                text.push_str(&name);
            }
            Segment::Bracket(name) => {
                text.push_str(&match (list.as_str(), name.split_once('/')) {
                    ("ports", Some((port, protocol))) => {
                        let member = if path.contains("containers[") { "containerPort" } else { "port" };
                        format!("[{member}={port},protocol=\"{}\"]", protocol.to_uppercase())
                    }
                    ("volumeMounts", _) => format!("[mountPath=\"{name}\"]"),
                    ("hostAliases", _) => format!("[ip=\"{name}\"]"),
                    (list, _) if is_merged(list) => format!("[name=\"{name}\"]"),
                    _ => format!("[{name}]"),
                });
            }
        }
    }
    text
}

fn segments(path: &str) -> Vec<Segment> {
    let mut found = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (name, after) = inside.split_once(']').unwrap_or((inside, ""));
            found.push(Segment::Bracket(name.to_owned()));
            rest = after;
        } else {
            let trimmed = rest.strip_prefix('.').unwrap_or(rest);
            let end = trimmed.find(['.', '[']).unwrap_or(trimmed.len());
            let (name, after) = trimmed.split_at(end);
            found.push(Segment::Key(name.to_owned()));
            rest = after;
        }
    }
    found
}

/// Every proper and improper prefix of a path, shortest first.
pub fn prefixes(path: &str) -> Vec<&str> {
    let mut ends = Vec::new();
    let mut in_bracket = false;
    for (index, byte) in path.bytes().enumerate() {
        match byte {
            b'[' if !in_bracket => {
                in_bracket = true;
                ends.push(index);
            }
            b']' => in_bracket = false,
            b'.' if !in_bracket => ends.push(index),
            _ => {}
        }
    }
    ends.push(path.len());
    ends.into_iter().filter_map(|end| path.get(..end)).filter(|prefix| !prefix.is_empty()).collect()
}

/// Whether `path` is `prefix` or lies beneath it.
pub fn is_beneath(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Where in a list the item with that name is, or would be by position.
fn position(items: &[Value], list: &str, name: &str) -> Option<usize> {
    item_keys(list, items).iter().position(|own| own == name)
}

/// The value at a path.
#[cfg(test)]
pub fn get<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = value;
    let mut list = String::new();
    for segment in segments(path) {
        let (Segment::Key(name) | Segment::Bracket(name)) = &segment;
        at = match at {
            Value::Object(members) => members.get(name)?,
            Value::Array(items) => items.get(position(items, &list, name)?)?,
            _ => return None,
        };
        list = if matches!(segment, Segment::Key(_)) { name.clone() } else { String::new() };
    }
    Some(at)
}

/// Puts a value at a path, making what is missing on the way.
pub fn set(value: &mut Value, path: &str, new: Value) {
    let segments = segments(path);
    set_at(value, &segments, "", new);
}

fn set_at(at: &mut Value, segments: &[Segment], list: &str, new: Value) {
    let Some((first, rest)) = segments.split_first() else {
        *at = new;
        return;
    };
    let (Segment::Key(name) | Segment::Bracket(name)) = first;
    if let Value::Array(items) = at {
        let index = position(items, list, name).unwrap_or_else(|| {
            items.push(new_item(list, name));
            items.len() - 1
        });
        if let Some(item) = items.get_mut(index) {
            set_at(item, rest, "", new);
        }
        return;
    }
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    if let Value::Object(members) = at {
        let is_list = matches!(rest.first(), Some(Segment::Bracket(_))) && is_merged(name);
        let member =
            members.entry(name.clone()).or_insert_with(|| if is_list { Value::Array(Vec::new()) } else { Value::Null });
        set_at(member, rest, name, new);
    }
}

/// A fresh item of a list that merges by name.
fn new_item(list: &str, name: &str) -> Value {
    let member = match list {
        "volumeMounts" => "mountPath",
        "hostAliases" => "ip",
        "rules" => "host",
        "paths" => "path",
        // Whether its number is that of a container or of a service is known only to who sets it.
        "ports" => {
            let protocol = name.split_once('/').map_or("tcp", |(_, protocol)| protocol);
            return json!({"protocol": protocol.to_ascii_uppercase()});
        }
        _ if is_merged(list) => "name",
        _ => return Value::Null,
    };
    Value::Object([(member.to_owned(), Value::from(name))].into_iter().collect())
}

/// Takes away what is at a path.
pub fn remove(value: &mut Value, path: &str) {
    let segments = segments(path);
    remove_at(value, &segments, "");
}

fn remove_at(at: &mut Value, segments: &[Segment], list: &str) {
    let Some((first, rest)) = segments.split_first() else { return };
    let (Segment::Key(name) | Segment::Bracket(name)) = first;
    match at {
        Value::Object(members) if rest.is_empty() => {
            members.remove(name);
        }
        Value::Object(members) => {
            if let Some(member) = members.get_mut(name) {
                remove_at(member, rest, name);
            }
        }
        Value::Array(items) => {
            let Some(index) = position(items, list, name) else { return };
            if rest.is_empty() {
                items.remove(index);
            } else if let Some(item) = items.get_mut(index) {
                remove_at(item, rest, "");
            }
        }
        _ => {}
    }
}

/// Merges what is sent into what is there: maps by key, lists that have item names by those, other lists as a whole.
/// A `null` that is sent takes the field away.
pub fn merge(live: &mut Value, sent: &Value, key: &str) {
    match (live, sent) {
        (Value::Object(live), Value::Object(sent)) => {
            for (name, member) in sent {
                if member.is_null() {
                    live.remove(name);
                    continue;
                }
                match live.get_mut(name) {
                    Some(there) => merge(there, member, name),
                    None => {
                        let mut fresh = member.clone();
                        drop_nulls(&mut fresh);
                        live.insert(name.clone(), fresh);
                    }
                }
            }
        }
        (Value::Array(live), Value::Array(sent))
            if is_merged(key) && sent.iter().chain(live.iter()).all(|item| merge_key(key, item).is_some()) =>
        {
            // Items that are sent come first and in their order; those of other managers follow.
            let mut merged = Vec::with_capacity(live.len().max(sent.len()));
            for item in sent {
                let name = merge_key(key, item);
                match live.iter().position(|there| merge_key(key, there) == name) {
                    Some(index) => {
                        let mut there = live.remove(index);
                        merge(&mut there, item, "");
                        merged.push(there);
                    }
                    None => {
                        let mut fresh = item.clone();
                        drop_nulls(&mut fresh);
                        merged.push(fresh);
                    }
                }
            }
            merged.append(live);
            *live = merged;
        }
        (live, sent) => *live = sent.clone(),
    }
}

/// Drops members that are `null`.
pub fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment() -> Value {
        json!({"metadata": {"labels": {"app.kubernetes.io/stack": "shop", "app": "a"}},
               "spec": {"template": {"spec": {"containers": [
                    {"name": "web", "args": ["a", "b"], "ports": [{"containerPort": 80}],
                     "volumeMounts": [{"name": "d", "mountPath": "/var/lib"}]}]}}}})
    }

    #[test]
    fn flatten_spells_paths_as_the_engine_does() {
        let leaves = flatten(&deployment());
        let paths: Vec<&str> = leaves.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "metadata.labels.app",
                "metadata.labels[app.kubernetes.io/stack]",
                "spec.template.spec.containers[web].args[0]",
                "spec.template.spec.containers[web].args[1]",
                "spec.template.spec.containers[web].name",
                "spec.template.spec.containers[web].ports[80/tcp].containerPort",
                "spec.template.spec.containers[web].volumeMounts[/var/lib].mountPath",
                "spec.template.spec.containers[web].volumeMounts[/var/lib].name",
            ]
        );
        for (path, leaf) in &leaves {
            assert_eq!(get(&deployment(), path), Some(leaf), "{path}");
        }
    }

    /// Who owns what is looked up by the engine's paths.
    #[test]
    fn paths_are_those_of_the_engine() {
        let object = json!({
            "metadata": {"finalizers": ["a/b"], "labels": {"x.y/z": "1"}},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
                "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}],
                "containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 80}], "args": ["a"],
                                "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
                                "volumeMounts": [{"name": "d", "mountPath": "/d"}]}],
                "rules": [{"host": "a.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix"}]}}],
                "imagePullSecrets": [{"name": "r"}]}});
        let engine: Vec<String> = laconic_engine::diff::flatten(&object).into_keys().collect();
        let own: Vec<String> = flatten(&object).into_keys().collect();
        assert_eq!(own, engine);
    }

    #[test]
    fn set_and_remove_find_items_by_name() {
        let mut value = deployment();
        set(&mut value, "spec.template.spec.containers[web].image", json!("nginx"));
        set(&mut value, "spec.template.spec.containers[web].env[A].value", json!("1"));
        set(&mut value, "metadata.annotations[a.b/c]", json!("x"));
        assert_eq!(get(&value, "spec.template.spec.containers[web].image"), Some(&json!("nginx")));
        assert_eq!(value["spec"]["template"]["spec"]["containers"][0]["env"], json!([{"name": "A", "value": "1"}]));
        assert_eq!(value["metadata"]["annotations"]["a.b/c"], json!("x"));
        remove(&mut value, "metadata.labels[app.kubernetes.io/stack]");
        remove(&mut value, "spec.template.spec.containers[web].args[0]");
        assert_eq!(value["metadata"]["labels"], json!({"app": "a"}));
        assert_eq!(value["spec"]["template"]["spec"]["containers"][0]["args"], json!(["b"]));
    }

    #[test]
    fn merge_keeps_what_others_put_and_replaces_plain_lists() {
        let mut live = deployment();
        merge(
            &mut live,
            &json!({"metadata": {"labels": {"app": null}},
                    "spec": {"template": {"spec": {"containers": [{"name": "side"}, {"name": "web", "args": ["c"]}]}}}}),
            "",
        );
        let containers = &live["spec"]["template"]["spec"]["containers"];
        assert_eq!(containers[0]["name"], json!("side"));
        assert_eq!(containers[1]["args"], json!(["c"]));
        assert_eq!(containers[1]["ports"], json!([{"containerPort": 80}]));
        assert_eq!(live["metadata"]["labels"], json!({"app.kubernetes.io/stack": "shop"}));
    }

    #[test]
    fn lists_without_keys_and_some_maps_have_one_owner() {
        for (path, part) in [
            ("rules[0].verbs[0]", "rules"),
            ("spec.rules[a.example].http.paths[/].path", "spec.rules"),
            ("spec.accessModes[ReadWriteOnce]", "spec.accessModes"),
            ("spec.selector.matchLabels[a.b/c]", "spec.selector"),
            ("spec.template.spec.containers[web].args[0]", "spec.template.spec.containers[web].args"),
            ("spec.template.spec.containers[web].env[A].value", "spec.template.spec.containers[web].env[A].value"),
            ("metadata.labels[a.b/c]", "metadata.labels[a.b/c]"),
            ("data.selector", "data.selector"),
            ("data[a.b]", "data[a.b]"),
            ("subsets[0].ports[80/tcp].port", "subsets"),
        ] {
            assert_eq!(owned_part(path), part, "{path}");
        }
    }

    #[test]
    fn messages_spell_paths_as_servers_do() {
        assert_eq!(
            spelled("spec.template.spec.containers[web].ports[80/tcp].hostPort"),
            ".spec.template.spec.containers[name=\"web\"].ports[containerPort=80,protocol=\"TCP\"].hostPort"
        );
        assert_eq!(spelled("metadata.labels[a.b/c]"), ".metadata.labels.a.b/c");
        assert_eq!(spelled("rules"), ".rules");
    }

    #[test]
    fn prefixes_go_from_short_to_long() {
        assert_eq!(prefixes("a.b[x.y].c"), ["a", "a.b", "a.b[x.y]", "a.b[x.y].c"]);
        assert!(is_beneath("a.b[x].c", "a.b"));
        assert!(!is_beneath("a.bc", "a.b"));
    }
}
