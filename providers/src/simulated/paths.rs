//! Field paths: dots between plain keys, brackets around list items and unusual map keys.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

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
            for (index, item) in items.iter().enumerate() {
                let name = path_name(key, items, index);
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

/// The name of an item in a path, spelled as [`laconic_engine::diff`] spells it.
fn path_name(list: &str, items: &[Value], index: usize) -> String {
    let own = |item: &Value| match list {
        "accessModes" | "finalizers" => item.as_str().map(str::to_owned),
        _ => item_name(list, item),
    };
    let Some(name) = items.get(index).and_then(own) else { return index.to_string() };
    // Names that repeat get their position among the equal ones.
    let earlier = items.iter().take(index).filter(|other| own(other).as_ref() == Some(&name)).count();
    if earlier == 0 { name } else { format!("{name}#{}", earlier + 1) }
}

/// The name by which a list merges an item; `None` where a list goes by position and is replaced as a whole.
pub fn item_name(list: &str, item: &Value) -> Option<String> {
    let text = |member: &str| match item.get(member)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match list {
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" => text("name"),
        "ports" => {
            let number = text("containerPort").or_else(|| text("port"))?;
            let protocol = text("protocol").unwrap_or_else(|| "TCP".to_owned());
            Some(format!("{number}/{}", protocol.to_ascii_lowercase()))
        }
        "volumeMounts" => text("mountPath"),
        "rules" => text("host"),
        "paths" => text("path"),
        "hostAliases" => text("ip"),
        _ => None,
    }
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
    items
        .iter()
        .position(|item| item_name(list, item).is_some_and(|own| own == name))
        .or_else(|| name.parse().ok().filter(|index| items.get(*index).is_some_and(|i| item_name(list, i).is_none())))
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
        let is_list = matches!(rest.first(), Some(Segment::Bracket(_))) && is_keyed_list(name);
        let member =
            members.entry(name.clone()).or_insert_with(|| if is_list { Value::Array(Vec::new()) } else { Value::Null });
        set_at(member, rest, name, new);
    }
}

/// A fresh item of a list that merges by name.
fn new_item(list: &str, name: &str) -> Value {
    let member = match list {
        "volumeMounts" => "mountPath",
        "rules" => "host",
        "paths" => "path",
        "hostAliases" => "ip",
        // Whether its number is that of a container or of a service is known only to who sets it.
        "ports" => {
            let protocol = name.split_once('/').map_or("tcp", |(_, protocol)| protocol);
            return serde_json::json!({"protocol": protocol.to_ascii_uppercase()});
        }
        _ if is_keyed_list(list) => "name",
        _ => return Value::Null,
    };
    Value::Object([(member.to_owned(), Value::from(name))].into_iter().collect())
}

fn is_keyed_list(list: &str) -> bool {
    matches!(
        list,
        "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets" | "ports" | "volumeMounts" | "paths"
    ) || matches!(list, "rules" | "hostAliases")
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
            if !sent.is_empty() && sent.iter().chain(live.iter()).all(|item| item_name(key, item).is_some()) =>
        {
            // Items that are sent come first and in their order; those of other managers follow.
            let mut merged = Vec::with_capacity(live.len().max(sent.len()));
            for item in sent {
                let name = item_name(key, item);
                match live.iter().position(|there| item_name(key, there) == name) {
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
    fn prefixes_go_from_short_to_long() {
        assert_eq!(prefixes("a.b[x.y].c"), ["a", "a.b", "a.b[x.y]", "a.b[x.y].c"]);
        assert!(is_beneath("a.b[x].c", "a.b"));
        assert!(!is_beneath("a.bc", "a.b"));
    }
}
